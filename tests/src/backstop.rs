//! Backstop and bankruptcy in a [`World`]: the instructions, and the books of markets whose sides were
//! shrunk, kept a second time from raw bytes.

use anchor_lang::prelude::Pubkey;
use keel_sdk::address;
use keel_sdk::instruction::{self, Part};
use solana_account::Account;

use crate::vm::{Failure, Sent};
use crate::world::{Asset, Trader, World, market};

const DISCRIMINATOR: usize = 8;
const POSITIONS: usize = DISCRIMINATOR + 904;
const POSITION_BYTES: usize = 48;
/// Fields of a bank and of a token account that hold what was lent or donated.
const DEPOSIT_SHARES: usize = DISCRIMINATOR + 136;
const BORROW_SHARES: usize = DISCRIMINATOR + 144;
const TRACKED: usize = DISCRIMINATOR + 176;
const AMOUNT: usize = 64;

impl World {
    /// Unwinds an account's position.
    pub fn deleverage(
        &mut self,
        account: Pubkey,
        asset: Asset,
        max_size: u64,
    ) -> Result<Sent, Failure> {
        self.unwind(Some(account), asset, max_size)
    }

    /// Unwinds the pool's own.
    pub fn deleverage_pool(&mut self, asset: Asset, max_size: u64) -> Result<Sent, Failure> {
        self.unwind(None, asset, max_size)
    }

    fn unwind(
        &mut self,
        account: Option<Pubkey>,
        asset: Asset,
        max_size: u64,
    ) -> Result<Sent, Failure> {
        let call = instruction::deleverage(&self.keys, account, market(asset), self.pool, max_size);
        self.vm.measure("deleverage", call, &[])
    }

    pub fn take_strays(&mut self, asset: Asset) -> Result<Sent, Failure> {
        let call = instruction::take_strays(&self.keys, market(asset), self.pool);
        self.vm.measure("take_strays", call, &[])
    }

    /// Resolves a market's part of a bankruptcy.
    pub fn resolve_market(&mut self, account: Pubkey, asset: Asset) -> Result<Sent, Failure> {
        self.resolve(account, Part::Market(market(asset)))
    }

    /// Resolves a bank's part.
    pub fn resolve_bank(&mut self, account: Pubkey, asset: Asset) -> Result<Sent, Failure> {
        self.resolve(account, Part::Bank(self.token(asset).mint))
    }

    fn resolve(&mut self, account: Pubkey, part: Part) -> Result<Sent, Failure> {
        let call = instruction::resolve_bankruptcy(&self.keys, account, part);
        self.vm.measure("resolve_bankruptcy", call, &[])
    }

    /// Lets an account without a deposit there owe native units of a bank at an index of one, as a
    /// borrow that it spent would.
    pub fn lend(&mut self, trader: &Trader, asset: Asset, units: i64) {
        let bank = self.bank_address(asset);
        self.shift(bank, BORROW_SHARES, units);
        self.shift(bank, TRACKED, -units);
        self.shift(address::vault(&bank), AMOUNT, -units);
        let row = self.row(&trader.margin);
        let held = row.balances.iter().position(|held| held.0 == asset as u8);
        let slot = DISCRIMINATOR + 240 + 32 * held.unwrap_or(row.balances.len());
        self.patch(trader.margin, slot, &[1, asset as u8]);
        self.shift(trader.margin, slot + 8, -units);
    }

    /// Takes all but so many native units of quote from an account's deposit, as if they were spent.
    pub fn spend_all_but(&mut self, trader: &Trader, units: i64) {
        let bank = self.bank_address(Asset::Usdc);
        let spent = self.row(&trader.margin).shares(0) - units;
        self.shift(bank, DEPOSIT_SHARES, -spent);
        self.shift(bank, TRACKED, -spent);
        self.shift(address::vault(&bank), AMOUNT, -spent);
        self.shift(trader.margin, DISCRIMINATOR + 240 + 8, -spent);
    }

    /// Adds to an account's result in a market of its `slot`, as what others won would.
    pub fn shift_result(&mut self, margin: Pubkey, slot: usize, by: i64) {
        self.shift(margin, POSITIONS + POSITION_BYTES * slot + 16, by);
    }

    /// Every account that a resolution writes, to be put back by [`World::put_back`].
    pub fn resolvable(&self, trader: &Trader) -> Vec<(Pubkey, Account)> {
        let group = &self.keys.group;
        let mut all = vec![self.keys.risk_book, trader.margin];
        all.extend(Asset::TRADED.map(|asset| address::market(group, market(asset))));
        all.extend(Asset::ALL.map(|asset| self.bank_address(asset)));
        let of = |address: Pubkey| (address, self.vm.account(&address).unwrap_or_default());
        all.into_iter().map(of).collect()
    }

    pub fn put_back(&mut self, accounts: Vec<(Pubkey, Account)>) {
        for (address, account) in accounts {
            self.vm.set_account(address, account);
        }
    }

    /// Adds to a number of eight bytes.
    fn shift(&mut self, address: Pubkey, at: usize, by: i64) {
        let before = signed(&self.data(&address), at);
        self.patch(address, at, &(before + by).to_le_bytes());
    }

    /// The books of a market, of the pool and these traders. Panics where they do not balance.
    pub fn kept_books(&self, asset: Asset, traders: &[&Trader]) -> KeptBooks {
        let pool = address::pool_margin(&self.keys.group, &self.pool);
        let mut margins = vec![self.data(&pool)];
        margins.extend(traders.iter().map(|trader| self.data(&trader.margin)));
        margins.extend(self.operator_margin().map(|margin| self.data(&margin)));
        let data = self.data(&address::market(&self.keys.group, market(asset)));
        let books = KeptBooks::read(market(asset), &data, &margins);
        books.check();
        books
    }
}

/// One side of a market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptSide {
    pub open_interest: u64,
    /// 48 fractional bits.
    pub carry: i128,
    /// 40 fractional bits, and the epoch.
    pub keep: (u64, u32),
    /// 40 fractional bits.
    pub stray: u64,
    pub stray_quote: i64,
    /// What its holders have, each read through keep, towards zero.
    pub held: u64,
    pub holders: u64,
}

/// A market whose sides may have been shrunk, with its holders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptBooks {
    pub long: KeptSide,
    pub short: KeptSide,
    pub fees: i64,
    pub insurance: i64,
    pub quote_sum: i64,
    pub residue: u64,
    /// Of all holders, as stored.
    pub quotes: i64,
    /// Sizes through keep, in the order of the accounts: the pool's first.
    pub sizes: Vec<i64>,
}

impl KeptBooks {
    fn read(index: u8, data: &[u8], margins: &[Vec<u8>]) -> Self {
        let word = |at| unsigned(data, DISCRIMINATOR + at);
        let wide =
            |at| (i128::from(signed(data, DISCRIMINATOR + at + 8)) << 64) | i128::from(word(at));
        let epochs = word(120);
        let side = |n: usize, epoch: u64| KeptSide {
            open_interest: word(56 + 8 * n),
            carry: wide(72 + 16 * n),
            keep: (word(104 + 8 * n), epoch as u32),
            stray: word(256 + 8 * n),
            stray_quote: word(272 + 8 * n).cast_signed(),
            held: 0,
            holders: 0,
        };
        let mut books = Self {
            long: side(0, epochs & 0xffff_ffff),
            short: side(1, epochs >> 32),
            fees: word(160).cast_signed(),
            insurance: word(168).cast_signed(),
            quote_sum: word(176).cast_signed(),
            residue: word(248),
            quotes: 0,
            sizes: vec![],
        };
        for margin in margins {
            books.add(index, margin);
        }
        books
    }

    fn add(&mut self, index: u8, margin: &[u8]) {
        let slots = margin[POSITIONS..].chunks_exact(POSITION_BYTES);
        let held = slots.filter(|slot| slot[0] != 0 && slot[1] == index);
        let mut total = 0;
        for slot in held {
            let (size, touched) = (signed(slot, 8), unsigned(slot, 24));
            let epoch = (unsigned(slot, 0) >> 32) as u32;
            self.quotes += signed(slot, 16);
            let side = if size < 0 {
                &mut self.short
            } else {
                &mut self.long
            };
            // The side's keep over the one at the last touch; 16 more places for each epoch passed.
            let passed = side.keep.1 - epoch;
            let kept = if passed > 3 || size == 0 {
                0
            } else {
                let now = u128::from(size.unsigned_abs()) * u128::from(side.keep.0);
                (now / (u128::from(touched) << (16 * passed))) as u64
            };
            side.held += kept;
            side.holders += u64::from(size != 0);
            total += size.signum() * kept as i64;
        }
        self.sizes.push(total);
    }

    /// I2 and I3 with keeps, carry and strays.
    fn check(&self) {
        assert_eq!(
            self.long.open_interest, self.short.open_interest,
            "I3: {self:?}"
        );
        for side in [&self.long, &self.short] {
            let all = u128::from(side.open_interest) << 40;
            let found = (u128::from(side.held) << 40) + u128::from(side.stray);
            // Strays are rounded up, by a unit for each time; what is held by less than a lot each.
            assert!(found <= all + 1_024, "I3: {self:?}");
            assert!(
                all < found + (u128::from(side.holders.max(1)) << 40),
                "I3: {self:?}"
            );
        }
        let strays = self.long.stray_quote + self.short.stray_quote;
        assert_eq!(self.quotes + strays, self.quote_sum, "I2: {self:?}");
        let house = i128::from(self.quote_sum) + i128::from(self.fees + self.insurance);
        let carried = i128::from(self.long.open_interest) * self.long.carry
            - i128::from(self.short.open_interest) * self.short.carry;
        assert_eq!(
            (house << 48) + i128::from(self.residue),
            carried,
            "I2: {self:?}"
        );
    }
}

fn unsigned(data: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&data[at..at + 8]);
    u64::from_le_bytes(bytes)
}

fn signed(data: &[u8], at: usize) -> i64 {
    unsigned(data, at).cast_signed()
}
