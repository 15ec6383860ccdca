//! The books kept a second time, from raw account bytes at the documented offsets: nothing here
//! shares code with the program, so a mistake in its ledgers cannot hide in its own check.

use keel_sdk::{Pubkey, address};

use crate::world::{Asset, World};

const DISCRIMINATOR: usize = 8;
const BALANCES: usize = DISCRIMINATOR + 240;
const BALANCE_BYTES: usize = 32;
const POSITIONS: usize = DISCRIMINATOR + 904;
const POSITION_BYTES: usize = 48;

/// Where the accounts are that a ledger is read from.
#[derive(Clone, Debug)]
pub struct Places {
    /// Bank and vault of every asset, in the order of the banks.
    pub banks: Vec<(Pubkey, Pubkey)>,
    pub markets: Vec<Pubkey>,
    pub pool: Pubkey,
    pub lp_mint: Pubkey,
    /// Every margin account of the group, the pool's included.
    pub margins: Vec<Pubkey>,
}

impl Places {
    /// Those of a world with these traders' accounts; the operator's is there too.
    pub fn of(world: &World, traders: &[Pubkey]) -> Self {
        let mints = Asset::ALL.map(|asset| world.token(asset).mint);
        let mut margins = traders.to_vec();
        margins.extend(world.operator_margin());
        Self::new(&world.keys.group, &mints, world.pool, &margins)
    }

    /// Those of a group with a market on every token but the first.
    pub fn new(group: &Pubkey, mints: &[Pubkey], pool: Pubkey, traders: &[Pubkey]) -> Self {
        let mut margins = vec![address::pool_margin(group, &pool)];
        margins.extend(traders);
        let banks = mints.iter().map(|mint| {
            let bank = address::bank(group, mint);
            (bank, address::vault(&bank))
        });
        Self {
            banks: banks.collect(),
            markets: (1..mints.len() as u8)
                .map(|number| address::market(group, number - 1))
                .collect(),
            pool,
            lp_mint: address::lp_mint(&pool),
            margins,
        }
    }

    /// Every account that a ledger reads.
    pub fn all(&self) -> Vec<Pubkey> {
        let mut all = vec![self.pool, self.lp_mint];
        all.extend(self.banks.iter().flat_map(|(bank, vault)| [*bank, *vault]));
        all.extend(&self.markets);
        all.extend(&self.margins);
        all
    }
}

/// One margin account as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountRow {
    pub seq: u64,
    /// Bank and shares of the used balances.
    pub balances: Vec<(u8, i64)>,
    /// Instrument, size and quote of the used positions.
    pub positions: Vec<(u8, i64, i64)>,
    /// One past the last used position slot: as stored, and as the slots say.
    pub positions_end: (usize, usize),
}

impl AccountRow {
    /// Reads a margin account's bytes.
    pub fn read(data: &[u8]) -> Self {
        let balances = (0..16)
            .map(|slot| BALANCES + slot * BALANCE_BYTES)
            .filter(|at| data[*at] != 0)
            .map(|at| (data[at + 1], signed(data, at + 8)))
            .collect();
        let positions = data[POSITIONS..]
            .chunks_exact(POSITION_BYTES)
            .filter(|position| position[0] != 0)
            .map(|position| (position[1], signed(position, 8), signed(position, 16)))
            .collect();
        let stored_end = unsigned(data, DISCRIMINATOR + 752) & 0xffff;
        let last_used = data[POSITIONS..]
            .chunks_exact(POSITION_BYTES)
            .rposition(|position| position[0] != 0);
        Self {
            seq: unsigned(data, DISCRIMINATOR + 136),
            balances,
            positions,
            positions_end: (stored_end as usize, last_used.map_or(0, |slot| slot + 1)),
        }
    }

    /// Shares of a bank.
    pub fn shares(&self, bank: u8) -> i64 {
        let held = self.balances.iter().filter(|balance| balance.0 == bank);
        held.map(|balance| balance.1).sum()
    }

    /// Size and quote of an instrument.
    pub fn position(&self, instrument: u8) -> (i64, i64) {
        let held = self.positions.iter().find(|held| held.0 == instrument);
        held.map_or((0, 0), |held| (held.1, held.2))
    }
}

/// One bank as stored, and what its vault holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BankRow {
    pub deposit_shares: u64,
    pub borrow_shares: u64,
    pub deposit_index: u64,
    pub borrow_index: u64,
    pub tracked: u64,
    pub fees: u64,
    pub insurance: u64,
    pub dust: u64,
    pub vault: u64,
}

/// One market as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarketRow {
    pub long: u64,
    pub short: u64,
    pub fees: i64,
    pub insurance: i64,
    pub quote_sum: i64,
}

/// The pool as stored, and the supply of its share mint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolRow {
    pub shares: u64,
    pub locked: u64,
    pub supply: u64,
}

/// All the books of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub banks: Vec<BankRow>,
    pub markets: Vec<MarketRow>,
    pub pool: PoolRow,
    pub accounts: Vec<AccountRow>,
}

impl Ledger {
    /// Reads every account through `data`, which answers an address with its bytes.
    pub fn read(places: &Places, data: impl Fn(&Pubkey) -> Vec<u8>) -> Self {
        let pool = data(&places.pool);
        Self {
            banks: (places.banks.iter())
                .map(|(bank, vault)| bank_row(&data(bank), &data(vault)))
                .collect(),
            markets: (places.markets.iter())
                .map(|market| market_row(&data(market)))
                .collect(),
            pool: PoolRow {
                shares: unsigned(&pool, DISCRIMINATOR + 104),
                locked: unsigned(&pool, DISCRIMINATOR + 112),
                // An SPL mint's supply is at byte 36.
                supply: unsigned(&data(&places.lp_mint), 36),
            },
            accounts: (places.margins.iter())
                .map(|margin| AccountRow::read(&data(margin)))
                .collect(),
        }
    }

    /// I1, I2, I3, and that the pool's shares are the mint's supply and the locked ones.
    pub fn check(&self) -> Result<(), String> {
        for (index, bank) in self.banks.iter().enumerate() {
            self.check_bank(index as u8, bank)?;
        }
        for (index, market) in self.markets.iter().enumerate() {
            self.check_market(index as u8, market)?;
        }
        for account in &self.accounts {
            let (stored, found) = account.positions_end;
            require(stored == found, || {
                format!("positions_end is {stored}, the slots end at {found}: {account:?}")
            })?;
        }
        let pool = &self.pool;
        require(pool.shares == pool.supply + pool.locked, || {
            format!("LP shares: {pool:?}")
        })
    }

    fn check_bank(&self, index: u8, bank: &BankRow) -> Result<(), String> {
        let shares = self.accounts.iter().map(|account| account.shares(index));
        let deposits: i128 = shares.clone().map(|held| i128::from(held.max(0))).sum();
        let borrows: i128 = shares.map(|held| i128::from(held.min(0))).sum();
        require(deposits == i128::from(bank.deposit_shares), || {
            format!("I1, bank {index}: accounts hold {deposits} shares, {bank:?}")
        })?;
        require(-borrows == i128::from(bank.borrow_shares), || {
            format!("I1, bank {index}: accounts owe {borrows} shares, {bank:?}")
        })?;
        // Depositors are owed the floor, borrowers owe the ceil.
        let lent = (borrows * i128::from(bank.borrow_index)) >> 48;
        let tokens = ((deposits * i128::from(bank.deposit_index)) >> 48) + lent;
        let house = [bank.fees, bank.insurance, bank.dust].map(i128::from);
        let owed = tokens + house.iter().sum::<i128>();
        require(owed == i128::from(bank.tracked), || {
            format!("I1, bank {index}: owes {owed}, {bank:?}")
        })?;
        require(bank.vault >= bank.tracked, || {
            format!("I1, bank {index}: the vault is short, {bank:?}")
        })
    }

    fn check_market(&self, index: u8, market: &MarketRow) -> Result<(), String> {
        let held = || self.accounts.iter().map(|account| account.position(index));
        let sizes: i128 = held().map(|(size, _)| i128::from(size)).sum();
        let quotes: i128 = held().map(|(_, quote)| i128::from(quote)).sum();
        let longs: i128 = held().map(|(size, _)| i128::from(size.max(0))).sum();
        let house = i128::from(market.fees) + i128::from(market.insurance);
        require(sizes == 0, || {
            format!("I2, market {index}: sizes sum to {sizes}")
        })?;
        require(quotes == i128::from(market.quote_sum), || {
            format!("I2, market {index}: quotes sum to {quotes}, {market:?}")
        })?;
        require(quotes + house == 0, || {
            format!("I2, market {index}: quotes sum to {quotes}, house {house}")
        })?;
        let open_interest = [market.long, market.short].map(i128::from);
        require(open_interest == [longs, longs], || {
            format!("I3, market {index}: longs are {longs}, {market:?}")
        })
    }
}

fn require(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn bank_row(bank: &[u8], vault: &[u8]) -> BankRow {
    let field = |at| unsigned(bank, DISCRIMINATOR + at);
    BankRow {
        deposit_shares: field(136),
        borrow_shares: field(144),
        deposit_index: field(152),
        borrow_index: field(160),
        tracked: field(176),
        fees: field(184),
        insurance: field(192),
        dust: field(200),
        // An SPL token account's amount is at byte 64.
        vault: unsigned(vault, 64),
    }
}

fn market_row(market: &[u8]) -> MarketRow {
    let field = |at| unsigned(market, DISCRIMINATOR + at);
    MarketRow {
        long: field(56),
        short: field(64),
        fees: field(160).cast_signed(),
        insurance: field(168).cast_signed(),
        quote_sum: field(176).cast_signed(),
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
