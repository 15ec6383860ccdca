//! The third set of books: everything a sequence's checks compare, read from raw bytes at the
//! documented offsets, with arithmetic of its own. Nothing here calls the program's crates.

use keel_sdk::{Pubkey, address};

/// Every account's bytes begin with a discriminator.
const HEAD: usize = 8;
const BALANCES: usize = HEAD + 240;
const BALANCE_BYTES: usize = 32;
const POSITIONS: usize = HEAD + 904;
const POSITION_BYTES: usize = 48;
const ASSETS: usize = HEAD + 336;
const ASSET_BYTES: usize = 520;
const RATES: usize = HEAD + 16_976;
const RATE_BYTES: usize = 112;
/// The fraction of an atom in which carry is counted.
const ATOM: i128 = 1 << 48;

/// One side of a market: the first entry of each pair is of longs, the second of shorts.
const LONG: usize = 0;
const SHORT: usize = 1;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    pub book: Pubkey,
    /// Bank and vault of every token.
    pub banks: Vec<(Pubkey, Pubkey)>,
    pub markets: Vec<Pubkey>,
    pub pool: Pubkey,
    pub lp_mint: Pubkey,
    /// Every margin account, the pool's first.
    pub margins: Vec<Pubkey>,
    /// Every wallet and escrow, with the token that it holds; pool shares count as one more token.
    pub wallets: Vec<(usize, Pubkey)>,
    /// Where pool shares wait to be redeemed.
    pub escrows: Vec<Pubkey>,
}

impl Places {
    /// Those of a group with a market on every token but the first.
    pub fn new(keys: (Pubkey, Pubkey), mints: &[Pubkey], pool: Pubkey, traders: &[Pubkey]) -> Self {
        let (group, book) = keys;
        let mut margins = vec![address::pool_margin(&group, &pool)];
        margins.extend(traders);
        let banks = mints.iter().map(|mint| {
            let bank = address::bank(&group, mint);
            (bank, address::vault(&bank))
        });
        Self {
            book,
            banks: banks.collect(),
            markets: (1..mints.len() as u8)
                .map(|number| address::market(&group, number - 1))
                .collect(),
            pool,
            lp_mint: address::lp_mint(&pool),
            margins,
            wallets: Vec::new(),
            escrows: Vec::new(),
        }
    }

    /// Every account that is read, in a fixed order.
    pub fn all(&self) -> Vec<Pubkey> {
        let mut all = vec![self.book, self.pool, self.lp_mint];
        all.extend(self.banks.iter().flat_map(|(bank, vault)| [*bank, *vault]));
        all.extend(&self.markets);
        all.extend(&self.margins);
        all.extend(&self.escrows);
        all.extend(self.wallets.iter().map(|(_, wallet)| wallet));
        all
    }
}

/// A position as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub instrument: u8,
    pub size: i64,
    pub quote: i64,
    pub keep: u64,
    pub epoch: u32,
}

/// A margin account as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountBook {
    pub seq: u64,
    /// Live time at which its liquidation began; 0 for none.
    pub liquidation_started: u64,
    /// Bank and shares of the used balances.
    pub balances: Vec<(u8, i64)>,
    pub positions: Vec<Held>,
    /// One past the last used position slot: as stored, and as the slots say.
    pub positions_end: (usize, usize),
}

impl AccountBook {
    /// An account that does not exist holds nothing.
    pub fn read(data: &[u8]) -> Self {
        if data.len() < POSITIONS {
            return Self::default();
        }
        let slots = || data[POSITIONS..].chunks_exact(POSITION_BYTES);
        let used = |slot: &&[u8]| slot[0] != 0;
        Self {
            seq: unsigned(data, HEAD + 136),
            liquidation_started: unsigned(data, HEAD + 144),
            balances: (0..16)
                .map(|slot| BALANCES + slot * BALANCE_BYTES)
                .filter(|at| data[*at] != 0)
                .map(|at| (data[at + 1], signed(data, at + 8)))
                .collect(),
            positions: slots()
                .filter(used)
                .map(|slot| Held {
                    instrument: slot[1],
                    size: signed(slot, 8),
                    quote: signed(slot, 16),
                    keep: unsigned(slot, 24),
                    epoch: word(slot, 4),
                })
                .collect(),
            positions_end: (
                usize::from(data[HEAD + 752]) | usize::from(data[HEAD + 753]) << 8,
                slots()
                    .rposition(|slot| slot[0] != 0)
                    .map_or(0, |at| at + 1),
            ),
        }
    }

    /// Shares of a bank.
    pub fn shares(&self, bank: u8) -> i64 {
        let held = self.balances.iter().filter(|balance| balance.0 == bank);
        held.map(|balance| balance.1).sum()
    }

    pub fn position(&self, instrument: u8) -> Option<&Held> {
        let mut held = self.positions.iter();
        held.find(|held| held.instrument == instrument)
    }
}

/// A bank as stored, and what its vault holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BankBook {
    pub deposit_shares: u64,
    pub borrow_shares: u64,
    pub deposit_index: u64,
    pub borrow_index: u64,
    pub tracked: u64,
    pub fees: u64,
    pub insurance: u64,
    pub dust: u64,
    pub vault: u64,
    /// Nothing leaves until then.
    pub halted_until: i64,
}

impl BankBook {
    /// Native units that shares are: a deposit floor, a borrow (negative) ceil.
    pub fn amount(&self, shares: i64) -> i128 {
        let index = if shares < 0 {
            self.borrow_index
        } else {
            self.deposit_index
        };
        // Floor of a negative number is the ceil of what is owed.
        (i128::from(shares) * i128::from(index)) >> 48
    }

    fn read(bank: &[u8], vault: &[u8]) -> Self {
        let field = |at| unsigned(bank, HEAD + at);
        Self {
            deposit_shares: field(136),
            borrow_shares: field(144),
            deposit_index: field(152),
            borrow_index: field(160),
            tracked: field(176),
            fees: field(184),
            insurance: field(192),
            dust: field(200),
            vault: token_amount(vault),
            halted_until: field(360).cast_signed(),
        }
    }
}

/// A market as stored; pairs are of longs and shorts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarketBook {
    pub asset: u8,
    pub open_interest: [u64; 2],
    /// Carry per lot, 2^-48 atoms.
    pub carry: [i128; 2],
    pub keep: [u64; 2],
    pub epoch: [u32; 2],
    pub fees: i64,
    pub insurance: i64,
    pub quote_sum: i64,
    pub residue: u64,
    /// 2^-40 lots.
    pub stray: [u64; 2],
    pub stray_quote: [i64; 2],
    /// No gain is settled until then.
    pub halted_until: i64,
    pub last_accrual: i64,
}

impl MarketBook {
    fn read(market: &[u8]) -> Self {
        let field = |at| unsigned(market, HEAD + at);
        let carry = |at| (i128::from(field(at + 8).cast_signed()) << 64) | i128::from(field(at));
        Self {
            asset: market[HEAD + 3],
            open_interest: [field(56), field(64)],
            carry: [carry(72), carry(88)],
            keep: [field(104), field(112)],
            epoch: [word(market, HEAD + 120), word(market, HEAD + 124)],
            fees: field(160).cast_signed(),
            insurance: field(168).cast_signed(),
            quote_sum: field(176).cast_signed(),
            residue: field(248),
            stray: [field(256), field(264)],
            stray_quote: [field(272).cast_signed(), field(280).cast_signed()],
            halted_until: field(320).cast_signed(),
            last_accrual: field(144).cast_signed(),
        }
    }

    /// What is left of a position's lots, 2^-40 lots, towards zero: exact below that.
    pub fn kept40(&self, held: &Held) -> i128 {
        let side = usize::from(held.size < 0);
        let lots = i128::from(held.size);
        let epochs = self.epoch[side].wrapping_sub(held.epoch);
        if (epochs == 0 && self.keep[side] == held.keep) || held.keep == 0 {
            return lots << 40;
        }
        if epochs > 5 {
            return 0;
        }
        // A size is below 2^34 here and a keep below 2^41: 40 more places fit.
        let now = (lots * i128::from(self.keep[side])) << 40;
        (now / i128::from(held.keep)) >> (16 * epochs)
    }

    /// Whole lots left, towards zero.
    pub fn kept(&self, held: &Held) -> i64 {
        let lots = self.kept40(held) / (1 << 40);
        i64::try_from(lots).unwrap_or(i64::MAX)
    }
}

/// The pool as stored, and the supply of its share mint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolBook {
    pub shares: u64,
    pub locked: u64,
    pub escrowed: u64,
    pub supply: u64,
}

/// What the risk book says of an asset's price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceBook {
    /// Atoms per lot, and per native unit: mantissa and shift.
    pub lot: (u64, u8),
    pub native: (u64, u8),
    pub publish_time: i64,
}

impl PriceBook {
    fn read(asset: &[u8]) -> Self {
        Self {
            lot: (unsigned(asset, 216), asset[21]),
            native: (unsigned(asset, 224), asset[22]),
            publish_time: signed(asset, 256),
        }
    }

    /// Atoms per lot in 2^-48.
    pub fn lot48(&self) -> i128 {
        (i128::from(self.lot.0) << 48) >> self.lot.1
    }
}

/// What the risk book says of a bank: what judging uses (7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateBook {
    pub deposit_index: u64,
    pub borrow_index: u64,
    /// A second's growth, 2^-64.
    pub borrow_rate: u64,
    pub updated: i64,
}

impl RateBook {
    fn read(rate: &[u8]) -> Self {
        Self {
            deposit_index: unsigned(rate, 32),
            borrow_index: unsigned(rate, 40),
            borrow_rate: unsigned(rate, 56),
            updated: signed(rate, 64),
        }
    }

    /// The borrow index at the published rate until now, ceil, and what may be pending (4.1, 7.3).
    fn borrow_index_at(&self, now: i64) -> u64 {
        let elapsed = (now - self.updated).max(0).unsigned_abs();
        if elapsed == 0 || self.borrow_rate == 0 {
            return self.borrow_index;
        }
        let growth = u128::from(self.borrow_rate) * u128::from(elapsed);
        let grown = (u128::from(self.borrow_index) * growth).div_ceil(1 << 64);
        self.borrow_index + grown as u64 + (1 << 12)
    }
}

/// All the books of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    pub prices: Vec<PriceBook>,
    pub rates: Vec<RateBook>,
    pub live_time: u64,
    pub banks: Vec<BankBook>,
    pub markets: Vec<MarketBook>,
    pub pool: PoolBook,
    pub accounts: Vec<AccountBook>,
    /// Pool shares that wait to be redeemed.
    pub escrows: u64,
    /// Per token, and then pool shares: what wallets, vaults and escrows hold together.
    pub tokens: Vec<u128>,
}

impl Books {
    /// Reads everything out of the accounts' bytes in the order of [`Places::all`].
    pub fn read(places: &Places, data: &[&[u8]]) -> Self {
        let (banks, markets) = (places.banks.len(), places.markets.len());
        let (fixed, rest) = data.split_at(3);
        let (bank_data, rest) = rest.split_at(2 * banks);
        let (market_data, rest) = rest.split_at(markets);
        let (margin_data, rest) = rest.split_at(places.margins.len());
        let (escrow_data, wallet_data) = rest.split_at(places.escrows.len());
        let (book, pool) = (fixed[0], fixed[1]);

        let mut tokens: Vec<u128> = vec![0; banks + 1];
        for (token, pair) in bank_data.chunks_exact(2).enumerate() {
            tokens[token] += u128::from(token_amount(pair[1]));
        }
        for ((token, _), wallet) in places.wallets.iter().zip(wallet_data) {
            tokens[*token] += u128::from(token_amount(wallet));
        }
        let escrows: u64 = escrow_data.iter().map(|data| token_amount(data)).sum();
        tokens[banks] += u128::from(escrows);
        Self {
            escrows,
            prices: book[ASSETS..]
                .chunks_exact(ASSET_BYTES)
                .take(banks)
                .map(PriceBook::read)
                .collect(),
            rates: book[RATES..]
                .chunks_exact(RATE_BYTES)
                .take(banks)
                .map(RateBook::read)
                .collect(),
            live_time: unsigned(book, HEAD + 48),
            banks: bank_data
                .chunks_exact(2)
                .map(|pair| BankBook::read(pair[0], pair[1]))
                .collect(),
            markets: market_data
                .iter()
                .map(|data| MarketBook::read(data))
                .collect(),
            pool: PoolBook {
                shares: unsigned(pool, HEAD + 104),
                locked: unsigned(pool, HEAD + 112),
                escrowed: unsigned(pool, HEAD + 152),
                // An SPL mint's supply is at byte 36.
                supply: unsigned(fixed[2], 36),
            },
            accounts: margin_data
                .iter()
                .map(|data| AccountBook::read(data))
                .collect(),
            tokens,
        }
    }

    /// I1, I2, I3 and what belongs to them. An error begins with the invariant's name.
    pub fn check(&self) -> Result<(), String> {
        for (index, bank) in self.banks.iter().enumerate() {
            self.check_bank(index as u8, bank)?;
        }
        for (index, market) in self.markets.iter().enumerate() {
            self.check_sizes(index as u8, market)?;
            self.check_quotes(index as u8, market)?;
        }
        for account in &self.accounts {
            let (stored, found) = account.positions_end;
            require(stored == found, || {
                format!("slots: positions_end is {stored}, the slots end at {found}: {account:?}")
            })?;
        }
        let (pool, shares) = (&self.pool, self.tokens.last().copied().unwrap_or(0));
        require(pool.shares == pool.supply + pool.locked, || {
            format!("I4: LP shares: {pool:?}")
        })?;
        require(pool.escrowed == self.escrows, || {
            format!("I4: escrows hold {} LP shares: {pool:?}", self.escrows)
        })?;
        require(shares == u128::from(pool.supply), || {
            format!("I4: wallets hold {shares} LP shares: {pool:?}")
        })
    }

    fn check_bank(&self, index: u8, bank: &BankBook) -> Result<(), String> {
        let shares = self.accounts.iter().map(|account| account.shares(index));
        let deposits: i128 = shares.clone().map(|held| i128::from(held.max(0))).sum();
        let borrows: i128 = shares.map(|held| i128::from(held.min(0))).sum();
        require(deposits == i128::from(bank.deposit_shares), || {
            format!("I1: bank {index}: accounts hold {deposits} shares, {bank:?}")
        })?;
        require(-borrows == i128::from(bank.borrow_shares), || {
            format!("I1: bank {index}: accounts owe {borrows} shares, {bank:?}")
        })?;
        let owed = (deposits * i128::from(bank.deposit_index)) >> 48;
        let lent = (borrows * i128::from(bank.borrow_index)) >> 48;
        let house = [bank.fees, bank.insurance, bank.dust].map(i128::from);
        let tracked = owed + lent + house.iter().sum::<i128>();
        require(tracked == i128::from(bank.tracked), || {
            format!("I1: bank {index}: deposits less borrows and the house are {tracked}, {bank:?}")
        })?;
        require(bank.vault >= bank.tracked, || {
            format!("I1: bank {index}: the vault is short, {bank:?}")
        })
    }

    /// I3, and the sizes of I2: what accounts keep and the strays are the open interest of each side,
    /// and both sides are equal.
    fn check_sizes(&self, index: u8, market: &MarketBook) -> Result<(), String> {
        let [long, short] = market.open_interest;
        require(long == short, || {
            format!("I3: market {index}: open interest, {market:?}")
        })?;
        let held = self
            .accounts
            .iter()
            .filter_map(|account| account.position(index));
        let mut sums = [0i128; 2];
        let mut legs = 0;
        for position in held {
            sums[usize::from(position.size < 0)] += market.kept40(position).abs();
            legs += 1;
        }
        for side in [LONG, SHORT] {
            let stray = i128::from(market.stray[side]);
            let lacks = (i128::from(market.open_interest[side]) << 40) - sums[side] - stray;
            // Strays are counted ceil, at each touch, and what accounts keep is cut at 2^-40 here: a
            // fraction of a lot may be counted twice, never a whole one, and none goes missing.
            let cut = if market.stray == [0; 2] && market.keep == [1 << 40; 2] {
                0
            } else {
                legs
            };
            require((-(1 << 30)..=cut).contains(&lacks), || {
                format!("I2: market {index}, side {side}: {lacks}/2^40 lots lack, {market:?}")
            })?;
        }
        Ok(())
    }

    /// The quotes of I2, carry included.
    fn check_quotes(&self, index: u8, market: &MarketBook) -> Result<(), String> {
        let held = self
            .accounts
            .iter()
            .filter_map(|account| account.position(index));
        let quotes: i128 = held.map(|position| i128::from(position.quote)).sum();
        let strays: i128 = market
            .stray_quote
            .iter()
            .map(|quote| i128::from(*quote))
            .sum();
        require(quotes + strays == i128::from(market.quote_sum), || {
            format!("I2: market {index}: quotes sum to {quotes}, strays' to {strays}, {market:?}")
        })?;
        let house = i128::from(market.fees) + i128::from(market.insurance);
        let carried = i128::from(market.open_interest[LONG]) * market.carry[LONG]
            - i128::from(market.open_interest[SHORT]) * market.carry[SHORT];
        let owed = (quotes + strays + house) * ATOM + i128::from(market.residue);
        require(owed == carried, || {
            let gap = owed - carried;
            format!("I2: market {index}: quotes and house exceed carry by {gap}/2^48, {market:?}")
        })
    }

    /// What an account is worth with all weights 1 (4.2's E), in atoms, floor: by this module's own
    /// arithmetic, with the ledgers' indices.
    pub fn worth(&self, account: &AccountBook) -> i128 {
        let cash = account.balances.iter().map(|&(bank, shares)| {
            let amount = self.banks[usize::from(bank)].amount(shares);
            if bank == 0 {
                return amount * ATOM;
            }
            let (mantissa, shift) = self.prices[usize::from(bank)].native;
            floor48(amount, mantissa, shift)
        });
        let legs = account.positions.iter().map(|held| self.result48(held));
        (cash.sum::<i128>() + legs.sum::<i128>()) >> 48
    }

    /// The same with the risk book's indices, as judging has it.
    pub fn judged_worth(&self, account: &AccountBook, now: i64) -> i128 {
        let mut judged = Self {
            prices: self.prices.clone(),
            markets: self.markets.clone(),
            ..Self::default()
        };
        judged.banks = (self.rates.iter())
            .map(|rate| BankBook {
                deposit_index: rate.deposit_index,
                borrow_index: rate.borrow_index_at(now),
                ..BankBook::default()
            })
            .collect();
        judged.worth(account)
    }

    /// `size * (mark - F) + quote` of a position, 2^-48 atoms (4.2).
    pub fn result48(&self, held: &Held) -> i128 {
        let market = &self.markets[usize::from(held.instrument)];
        let side = usize::from(held.size < 0);
        let price = self.prices[usize::from(market.asset)].lot48();
        let distance = price - market.carry[side];
        // Lots are below 2^34 and a distance below 2^85: lots and their fraction by themselves.
        let lots = market.kept40(held);
        let whole = (lots >> 40) * distance;
        let part = ((lots & ((1 << 40) - 1)) * distance) >> 40;
        whole + part + i128::from(held.quote) * ATOM
    }
}

/// `amount * mantissa / 2^shift` in 2^-48, floor.
fn floor48(amount: i128, mantissa: u64, shift: u8) -> i128 {
    let product = amount * i128::from(mantissa);
    if shift <= 48 {
        product << (48 - shift)
    } else {
        product >> (shift - 48)
    }
}

fn require(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// An SPL token account's amount is at byte 64; nothing for an account that does not exist.
fn token_amount(data: &[u8]) -> u64 {
    if data.len() < 72 {
        0
    } else {
        unsigned(data, 64)
    }
}

pub(super) fn word(data: &[u8], at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&data[at..at + 4]);
    u32::from_le_bytes(bytes)
}

pub(super) fn unsigned(data: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&data[at..at + 8]);
    u64::from_le_bytes(bytes)
}

pub(super) fn signed(data: &[u8], at: usize) -> i64 {
    unsigned(data, at).cast_signed()
}
