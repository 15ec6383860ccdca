//! The group that sequences run on: eight assets, seven markets, a pool, twenty margin accounts.

use anyhow::{Context, Result};
use keel_migrations::{GroupConfig, Keys, TokenConfig, m0001_create_group};
use keel_sdk::instruction::{
    self, ExitKeys, GroupKeys, NewAccount, Part, SettleKeys, TakenLeg, Token, TradeKeys,
    TransferKeys,
};
use keel_sdk::{
    AccountSettings, ExitArgs, Instruction, OrderArgs, OrderLeg, PriceSlot, Pubkey, SourceArgs,
    address, decode,
};
use keel_state::MarginReport;
use solana_account::Account;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::operator::{create_book_account, fund_insurance, signers};
use crate::prices::PriceUpdate;
use crate::tokens::{RENT, classic, mint_account, token_account};
use crate::vm::{Failure, Vm, keypair};
use crate::world::{START, Trader};

pub const ASSETS: usize = 8;
/// One on every asset but the first, which is the quote.
pub const MARKETS: usize = ASSETS - 1;
/// What takers pay, ppm.
pub const TAKER_FEE: i128 = 500;
pub const TRADERS: usize = 16;
/// Liquidators follow the traders.
pub const LIQUIDATORS: usize = 4;
pub const ACCOUNTS: usize = TRADERS + LIQUIDATORS;
/// So many traders' accounts, the last ones, are second accounts of the first owners.
pub const SECOND_ACCOUNTS: usize = 4;
/// Accounts behind those, of the first owners, that are opened and closed again.
pub const SPARES: usize = 4;
const SPARE_SUB_ID: u16 = 9;
/// Traders' accounts that may hold positions in the first three markets alone.
pub const ISOLATED: std::ops::Range<usize> = 8..10;
pub const ISOLATED_MARKETS: u64 = 0b111;
pub const PROVIDERS: usize = 3;
/// What each market's insurance begins with, atoms: with less its limit would refuse most orders (3.4).
const MARKET_INSURANCE: u64 = 100_000_000_000;
/// How long requests wait, live seconds.
const COOLDOWN_IN_S: u32 = 600;
const COOLDOWN_OUT_S: u32 = 1_200;
/// Native units in every wallet to begin with.
pub const WALLET: u64 = 1 << 50;

/// How an asset is listed here. Prices are whole USD.
struct Listing {
    symbol: &'static str,
    decimals: u8,
    lot_decimals: u8,
    first_price: f64,
    low: u64,
    high: u64,
    range: u32,
    systematic: u16,
}

const LISTINGS: [Listing; ASSETS] = [
    listing("USDC", (6, 1), 1.0, (1, 10), (20_000, 850)),
    listing("SOL", (9, 1), 156.797_690_99, (10, 10_000), (100_000, 850)),
    listing("BTC", (8, 5), 64_000.0, (5_000, 1_000_000), (70_000, 900)),
    listing("ETH", (8, 4), 3_400.0, (200, 50_000), (80_000, 850)),
    listing("LINK", (8, 2), 14.0, (1, 1_000), (90_000, 800)),
    listing("XRP", (6, 0), 2.5, (1, 1_000), (100_000, 700)),
    listing("XAUT", (6, 4), 2_400.0, (300, 20_000), (40_000, 0)),
    listing("TAO", (9, 3), 420.0, (20, 10_000), (100_000, 600)),
];

const fn listing(
    symbol: &'static str,
    (decimals, lot_decimals): (u8, u8),
    first_price: f64,
    (low, high): (u64, u64),
    (range, systematic): (u32, u16),
) -> Listing {
    Listing {
        symbol,
        decimals,
        lot_decimals,
        first_price,
        low,
        high,
        range,
        systematic,
    }
}

/// The price, USD, that an asset begins at.
pub fn first_price(asset: u8) -> f64 {
    LISTINGS[usize::from(asset)].first_price
}

/// Native units worth about so many USD at a price.
pub fn units_worth(asset: u8, price: f64, usd: f64) -> u64 {
    let decimals = i32::from(LISTINGS[usize::from(asset)].decimals);
    (usd / price * 10f64.powi(decimals)) as u64
}

/// USD that a lot is worth at a price.
pub fn lot_usd(asset: u8, price: f64) -> f64 {
    price / 10f64.powi(i32::from(LISTINGS[usize::from(asset)].lot_decimals))
}

/// The market on an asset.
pub const fn market_of(asset: u8) -> u8 {
    asset - 1
}

/// The VM with the group in it, and who acts there.
#[derive(Debug)]
pub struct Arena {
    pub vm: Vm,
    pub keys: GroupKeys,
    pub config: GroupConfig,
    pub admin: Keypair,
    pub pool: Pubkey,
    pub tokens: Vec<Token>,
    /// Traders, liquidators, and spare accounts that may not exist.
    pub accounts: Vec<Trader>,
    pub providers: Vec<Keypair>,
    /// What publishers say an asset costs, USD.
    pub prices: [f64; ASSETS],
    /// When everything was last published.
    pub published: i64,
    price_accounts: Vec<Pubkey>,
}

impl Arena {
    /// A priced group, listed long enough ago that collateral counts, with money in every account.
    pub fn new() -> Result<Self> {
        let mut arena = Self::empty()?;
        arena.vm.pass(keel_state::LISTING_PERIOD_S);
        arena.publish(u8::MAX, None)?;
        arena.add_providers()?;
        for number in 0..ACCOUNTS {
            arena.add_account(number)?;
        }
        for number in 0..SPARES {
            let first = &arena.accounts[number];
            let (group, owner) = (arena.keys.group, first.owner());
            let spare = Trader {
                key: first.key.insecure_clone(),
                margin: address::margin_account(&group, &owner, SPARE_SUB_ID),
                sub_id: SPARE_SUB_ID,
            };
            arena.accounts.push(spare);
        }
        Ok(arena)
    }

    fn empty() -> Result<Self> {
        let mut vm = Vm::new(START - keel_state::LISTING_PERIOD_S)?;
        let (admin, book) = (keypair(2), keypair(3));
        let tokens: Vec<Token> = (0..ASSETS as u64)
            .map(|number| classic(keypair(100 + number).pubkey()))
            .collect();
        for (token, listing) in tokens.iter().zip(&LISTINGS) {
            vm.set_account(token.mint, mint_account(listing.decimals, u64::MAX / 2));
        }
        let config = config(&tokens);
        let operator = Keys {
            payer: vm.payer.pubkey(),
            admin: admin.pubkey(),
            council: admin.pubkey(),
            risk_book: book.pubkey(),
        };
        let keys = m0001_create_group::keys(&config, &operator);
        create_book_account(&mut vm, book.pubkey());
        fund_insurance(&mut vm, &config, admin.pubkey());
        for step in m0001_create_group::steps(&config, &operator) {
            let signers = signers(&step.signers, &admin, &book);
            vm.send(&step.instructions, &signers)
                .with_context(|| step.name.clone())?;
        }
        Ok(Self {
            vm,
            pool: address::pool(&keys.group, 0),
            keys,
            config,
            admin,
            tokens,
            accounts: Vec::new(),
            providers: Vec::new(),
            prices: LISTINGS.each_ref().map(|listing| listing.first_price),
            published: 0,
            price_accounts: (0..ASSETS as u64)
                .map(|number| keypair(200 + number).pubkey())
                .collect(),
        })
    }

    fn add_providers(&mut self) -> Result<()> {
        for number in 0..PROVIDERS {
            let key = keypair(500 + number as u64);
            self.vm.fund(key.pubkey(), 100_000_000_000);
            self.fill_wallet(key.pubkey(), 0);
            let shares = classic(address::lp_mint(&self.pool));
            let wallet = token_account(shares.mint, key.pubkey(), 0);
            self.vm
                .set_account(shares.account_of(&key.pubkey()), wallet);
            self.providers.push(key.insecure_clone());
            let request = self.request_provide(number, 2_000_000_000_000, 0);
            self.vm.send(&[request], &[&key])?;
        }
        for _ in 0..COOLDOWN_IN_S.div_ceil(59) {
            self.vm.pass(59);
            self.publish(u8::MAX, None)?;
        }
        for number in 0..PROVIDERS {
            let provide = self.provide(number);
            self.vm.send(&[provide], &[])?;
        }
        Ok(())
    }

    /// Odd traders begin with tokens, the others and liquidators with USDC.
    fn add_account(&mut self, number: usize) -> Result<()> {
        let (key, sub_id) = if (TRADERS - SECOND_ACCOUNTS..TRADERS).contains(&number) {
            let first = &self.accounts[number + SECOND_ACCOUNTS - TRADERS];
            (first.key.insecure_clone(), 1)
        } else {
            let key = keypair(1_000 + number as u64);
            self.vm.fund(key.pubkey(), 100_000_000_000);
            for asset in 0..ASSETS {
                self.fill_wallet(key.pubkey(), asset);
            }
            (key, 0)
        };
        let payer = self.vm.payer.pubkey();
        let account = NewAccount {
            sub_id,
            settings: AccountSettings {
                isolated_markets: ISOLATED.contains(&number).then_some([ISOLATED_MARKETS, 0]),
            },
            referrer: is_referred(number).then(|| self.accounts[0].margin),
            ..NewAccount::default()
        };
        let create =
            instruction::create_margin_account_with(&self.keys, payer, key.pubkey(), account);
        self.vm.send(&[create], &[&key])?;
        self.accounts.push(Trader {
            margin: address::margin_account(&self.keys.group, &key.pubkey(), sub_id),
            key: key.insecure_clone(),
            sub_id,
        });
        let asset = if number < TRADERS && number % 2 == 1 {
            1 + (number / 2 % MARKETS) as u8
        } else {
            0
        };
        let usd = if number < TRADERS {
            20_000.0
        } else {
            2_000_000.0
        };
        let units = units_worth(asset, first_price(asset), usd);
        let deposit = self.deposit(number, number, asset, units);
        self.vm.send(&[deposit], &[&key])?;
        Ok(())
    }

    fn fill_wallet(&mut self, owner: Pubkey, asset: usize) {
        let token = self.tokens[asset];
        let account = token_account(token.mint, owner, WALLET);
        self.vm.set_account(token.account_of(&owner), account);
    }

    /// The bank of a token.
    pub fn bank(&self, asset: u8) -> Pubkey {
        address::bank(&self.keys.group, &self.tokens[usize::from(asset)].mint)
    }

    pub fn market(&self, market: u8) -> Pubkey {
        address::market(&self.keys.group, market)
    }

    /// The account out of which the operator insured the markets.
    pub fn operator_margin(&self) -> Pubkey {
        address::margin_account(&self.keys.group, &self.admin.pubkey(), 0)
    }

    pub fn pool_margin(&self) -> Pubkey {
        address::pool_margin(&self.keys.group, &self.pool)
    }

    /// An account's bytes; none when it does not exist.
    pub fn data(&self, address: &Pubkey) -> Vec<u8> {
        let account = self.vm.account(address);
        account.map_or_else(Vec::new, |account| account.data)
    }

    /// Publishes the prices of the assets in a mask now and relays them, one of them perhaps with a
    /// confidence of 3%.
    pub fn publish(&mut self, mask: u8, wide: Option<u8>) -> Result<(), Failure> {
        let now = self.vm.now();
        let chosen: Vec<u8> = (0..ASSETS as u8)
            .filter(|asset| mask >> asset & 1 == 1)
            .collect();
        for &asset in &chosen {
            let price = self.prices[usize::from(asset)];
            let share = if wide == Some(asset) { 0.03 } else { 0.000_5 };
            self.post(asset, price, price * share, now);
        }
        if mask == u8::MAX {
            self.published = now;
        }
        let relay = self.relay(&chosen, false);
        self.vm.send(&[relay], &[]).map(drop)
    }

    /// Writes an asset's price account as its receiver would.
    pub fn post(&mut self, asset: u8, price: f64, conf: f64, publish_time: i64) {
        let source = self.source(asset);
        let e8 = |value: f64| (value * 1e8).round();
        let update = PriceUpdate::of(source.feed, e8(price) as i64, e8(conf) as u64, publish_time);
        let account = Account {
            lamports: RENT,
            data: update.to_bytes(),
            owner: source.owner,
            executable: false,
            rent_epoch: u64::MAX,
        };
        self.vm
            .set_account(self.price_accounts[usize::from(asset)], account);
    }

    fn source(&self, asset: u8) -> SourceArgs {
        self.config.tokens[usize::from(asset)].asset.sources[0]
    }

    /// `update_prices` of these assets' posted prices.
    pub fn relay(&self, assets: &[u8], strict: bool) -> Instruction {
        let updates: Vec<(PriceSlot, Pubkey)> = assets
            .iter()
            .map(|&asset| {
                let slot = PriceSlot { asset, source: 0 };
                (slot, self.price_accounts[usize::from(asset)])
            })
            .collect();
        instruction::update_prices(&self.keys, &updates, strict)
    }

    /// `by` pays into the account of `to`.
    pub fn deposit(&self, by: usize, to: usize, asset: u8, units: u64) -> Instruction {
        instruction::deposit(
            &self.keys,
            self.accounts[by].owner(),
            self.accounts[to].margin,
            self.tokens[usize::from(asset)],
            units,
        )
    }

    pub fn request_provide(&self, provider: usize, atoms: u64, least: u64) -> Instruction {
        let owner = self.providers[provider].pubkey();
        instruction::request_provide(&self.keys, owner, self.pool, self.tokens[0], atoms, least)
    }

    pub fn provide(&self, provider: usize) -> Instruction {
        let owner = self.providers[provider].pubkey();
        instruction::provide_liquidity(&self.keys, owner, self.pool, self.tokens[0])
    }

    pub fn cancel_provide(&self, by: usize, provider: usize) -> Instruction {
        let (by, owner) = (
            self.providers[by].pubkey(),
            self.providers[provider].pubkey(),
        );
        instruction::cancel_provide(&self.keys, by, owner, self.pool, self.tokens[0])
    }

    pub fn request_redeem(&self, provider: usize, shares: u64, least: u64) -> Instruction {
        let owner = self.providers[provider].pubkey();
        instruction::request_redeem(&self.keys, owner, self.pool, self.tokens[0], shares, least)
    }

    pub fn redeem(&self, provider: usize) -> Instruction {
        let owner = self.providers[provider].pubkey();
        instruction::redeem_liquidity(&self.keys, owner, self.pool, self.tokens[0])
    }

    pub fn cancel_redeem(&self, by: usize, provider: usize) -> Instruction {
        let (by, owner) = (
            self.providers[by].pubkey(),
            self.providers[provider].pubkey(),
        );
        instruction::cancel_redeem(&self.keys, by, owner, self.pool, self.tokens[0])
    }

    /// Where a provider's requests keep what waits: quote, and shares.
    pub fn escrows(&self, provider: usize) -> [Pubkey; 2] {
        let owner = self.providers[provider].pubkey();
        [
            address::escrow(&address::provide_request(&self.pool, &owner)),
            address::escrow(&address::redeem_request(&self.pool, &owner)),
        ]
    }

    /// `by` takes out of the account of `from`.
    pub fn withdraw(&self, by: usize, from: usize, asset: u8, units: u64) -> Instruction {
        instruction::withdraw(
            &self.keys,
            self.accounts[by].owner(),
            self.accounts[from].margin,
            self.tokens[usize::from(asset)],
            units,
        )
    }

    /// Lots of each leg's market at any price, signed by the owner of `by`.
    pub fn open(&self, (by, who): (usize, usize), legs: &[(u8, i64)]) -> Instruction {
        let (markets, sizes): (Vec<u8>, Vec<i64>) = legs.iter().copied().unzip();
        let keys = self.trade_keys((by, who), markets);
        instruction::open_position(&self.keys, &keys, self.order(&sizes))
    }

    pub fn close(&self, (by, who): (usize, usize), market: u8, size: i64) -> Instruction {
        let keys = self.trade_keys((by, who), vec![market]);
        instruction::close_position(&self.keys, &keys, self.order(&[size]))
    }

    pub fn borrow(&self, who: usize, asset: u8, units: u64) -> Instruction {
        let account = &self.accounts[who];
        let token = self.tokens[usize::from(asset)];
        instruction::borrow(&self.keys, account.owner(), account.margin, token, units)
    }

    /// Signed by the owner of `from`.
    pub fn transfer(
        &self,
        (from, to): (usize, usize),
        asset: u8,
        units: u64,
        borrows: bool,
    ) -> Instruction {
        let accounts = TransferKeys {
            owner: self.accounts[from].owner(),
            from: self.accounts[from].margin,
            to: self.accounts[to].margin,
        };
        instruction::transfer(&self.keys, accounts, self.mint(asset), units, borrows)
    }

    pub fn take_ticket(&self, who: usize, asset: u8, units: u64) -> Instruction {
        let account = &self.accounts[who];
        let (owner, margin) = (account.owner(), account.margin);
        instruction::take_ticket(&self.keys, owner, margin, self.mint(asset), units)
    }

    pub fn accrue(&self, banks: u8, markets: u8) -> Instruction {
        instruction::accrue(&self.keys, &self.mints(banks), &of_mask(markets))
    }

    pub fn insure_bank(&self, who: usize, asset: u8, units: u64) -> Instruction {
        let owner = self.accounts[who].owner();
        let token = self.tokens[usize::from(asset)];
        instruction::fund_bank_insurance(&self.keys, owner, token, units)
    }

    pub fn insure_market(&self, who: usize, market: u8, atoms: u64) -> Instruction {
        let account = &self.accounts[who];
        let (owner, margin) = (account.owner(), account.margin);
        instruction::fund_market_insurance(&self.keys, owner, margin, market, atoms)
    }

    pub fn exit(&self, who: usize, market: u8, size: i64) -> Instruction {
        let account = &self.accounts[who];
        let keys = ExitKeys {
            owner: account.owner(),
            margin: account.margin,
            pool: self.pool,
            market,
        };
        let leg = OrderLeg {
            size,
            limit_price: if size > 0 { u64::MAX } else { 0 },
        };
        let args = ExitArgs {
            leg,
            valid_until: self.vm.now() + 60,
            expected_seq: None,
            client_id: 0,
        };
        instruction::exit_position(&self.keys, &keys, args)
    }

    pub fn settle(&self, winner: usize, loser: usize, market: u8, amount: u64) -> Instruction {
        let keys = SettleKeys {
            winner: self.margin_of(self.party(winner)),
            loser: self.margin_of(self.party(loser)),
            market,
        };
        instruction::settle_pnl(&self.keys, &keys, amount)
    }

    /// Numbers beyond the accounts stand for the pool.
    pub fn party(&self, number: usize) -> Option<usize> {
        (number < self.accounts.len()).then_some(number)
    }

    /// `by` takes a leg of `whom`.
    pub fn liquidate(&self, (by, whom): (usize, usize), leg: TakenLeg, size: u64) -> Instruction {
        let liquidator = &self.accounts[by];
        let (owner, margin) = (liquidator.owner(), self.accounts[whom].margin);
        instruction::liquidate(&self.keys, owner, margin, liquidator.margin, leg, size)
    }

    pub fn set_clock(&self, (by, whom): (usize, usize), banks: u8, markets: u8) -> Instruction {
        let (owner, margin) = (self.accounts[by].owner(), self.accounts[whom].margin);
        let (mints, markets) = (self.mints(banks), of_mask(markets));
        instruction::set_auction_clock(&self.keys, owner, margin, &mints, &markets)
    }

    pub fn take_over(
        &self,
        (by, whom): (usize, usize),
        share_ppm: u32,
        banks: u8,
        markets: u8,
    ) -> Instruction {
        let bidder = &self.accounts[by];
        let accounts = (self.accounts[whom].margin, bidder.margin);
        let (mints, markets) = (self.mints(banks & !1), of_mask(markets));
        let owner = bidder.owner();
        instruction::take_over(&self.keys, owner, accounts, share_ppm, &mints, &markets)
    }

    /// The margin account of a number, the pool's of none.
    fn margin_of(&self, whom: Option<usize>) -> Pubkey {
        whom.map_or_else(|| self.pool_margin(), |whom| self.accounts[whom].margin)
    }

    pub fn deleverage(&self, whom: Option<usize>, market: u8, size: u64) -> Instruction {
        let margin = whom.map(|whom| self.accounts[whom].margin);
        instruction::deleverage(&self.keys, margin, market, self.pool, size)
    }

    pub fn take_strays(&self, market: u8) -> Instruction {
        instruction::take_strays(&self.keys, market, self.pool)
    }

    /// Resolves the market, where one is given, else the bank.
    pub fn resolve(&self, whom: Option<usize>, market: Option<u8>, bank: u8) -> Instruction {
        let part = match market {
            Some(market) => Part::Market(market),
            None => Part::Bank(self.mint(bank)),
        };
        instruction::resolve_bankruptcy(&self.keys, self.margin_of(whom), part)
    }

    /// Mint of an asset.
    pub fn mint(&self, asset: u8) -> Pubkey {
        self.tokens[usize::from(asset)].mint
    }

    /// Mints of the assets of a mask.
    fn mints(&self, mask: u8) -> Vec<Pubkey> {
        of_mask(mask)
            .into_iter()
            .map(|asset| self.mint(asset))
            .collect()
    }

    /// `check_conservation` of everything.
    pub fn conserve(&self) -> Instruction {
        let mints: Vec<Pubkey> = self.tokens.iter().map(|token| token.mint).collect();
        let markets: Vec<u8> = (0..MARKETS as u8).collect();
        instruction::check_conservation(&self.keys, &mints, &markets)
    }

    /// Opens a spare account.
    pub fn open_spare(&self, who: usize) -> Instruction {
        let account = NewAccount {
            sub_id: SPARE_SUB_ID,
            ..NewAccount::default()
        };
        let (payer, owner) = (self.vm.payer.pubkey(), self.accounts[who].owner());
        instruction::create_margin_account_with(&self.keys, payer, owner, account)
    }

    pub fn close_account(&self, who: usize) -> Instruction {
        let account = &self.accounts[who];
        let owner = account.owner();
        instruction::close_margin_account(&self.keys, owner, account.margin, owner)
    }

    /// What the program itself reports of an account.
    pub fn report(&mut self, margin: Pubkey) -> Result<MarginReport> {
        let view = instruction::view_margin(&self.keys, margin, 0);
        let sent = self.vm.simulate(&[view], &[])?;
        Ok(decode::margin_report(&sent.return_data))
    }

    pub fn trade_keys(&self, (by, who): (usize, usize), markets: Vec<u8>) -> TradeKeys {
        TradeKeys {
            authority: self.accounts[by].owner(),
            margin: self.accounts[who].margin,
            pool: self.pool,
            referrer: is_referred(who).then(|| self.accounts[0].margin),
            markets,
        }
    }

    /// An order at any price, valid for a minute.
    pub fn order(&self, sizes: &[i64]) -> OrderArgs {
        OrderArgs {
            legs: sizes
                .iter()
                .map(|&size| OrderLeg {
                    size,
                    limit_price: if size > 0 { u64::MAX } else { 0 },
                })
                .collect(),
            valid_until: self.vm.now() + 60,
            expected_seq: None,
            client_id: 0,
            health_before: false,
        }
    }
}

/// Whether account 0 referred a number's owner.
pub const fn is_referred(number: usize) -> bool {
    number % 4 == 2
}

/// The places of a mask's bits: assets, or markets where the last bit names none.
pub fn of_mask(mask: u8) -> Vec<u8> {
    (0..8).filter(|bit| mask >> bit & 1 == 1).collect()
}

/// The standard group with four more tokens and markets.
fn config(tokens: &[Token]) -> GroupConfig {
    let mut config = GroupConfig::standard(1, tokens[0], tokens[1], tokens[2], tokens[3]);
    for (number, token) in tokens.iter().enumerate().skip(4) {
        let like = config.tokens[3].clone();
        config.tokens.push(TokenConfig {
            token: *token,
            ..like
        });
        let mut market = config.markets[2].clone();
        market.symbol = format!("{}-PERP", LISTINGS[number].symbol);
        market.token = number;
        // A premium of up to 0.2%, four times as steep.
        market.open_interest_cap = 50_000_000;
        market.skew_scale = 25_000_000_000;
        config.markets.push(market);
    }
    for market in &mut config.markets {
        market.insurance = MARKET_INSURANCE;
    }
    config.pool.cooldown_in_s = COOLDOWN_IN_S;
    config.pool.cooldown_out_s = COOLDOWN_OUT_S;
    for (number, (token, listing)) in config.tokens.iter_mut().zip(&LISTINGS).enumerate() {
        let asset = &mut token.asset;
        asset.symbol = listing.symbol.to_owned();
        asset.token_decimals = listing.decimals;
        asset.lot_decimals = listing.lot_decimals;
        (asset.low_price, asset.high_price) = (listing.low, listing.high);
        asset.range = listing.range;
        asset.systematic = listing.systematic;
        let worth = |usd: f64| units_worth(number as u8, listing.first_price, usd);
        token.insurance = worth(20_000.0);
        token.lending.outflow_floor = worth(100_000.0);
        if number > 0 {
            token.lending.weight_scale_start = worth(500_000.0);
        }
        if number > 3 {
            asset.sources[0].feed = [number as u8; 32];
        }
    }
    config
}
