//! A whole group: USDC, SOL, BTC and ETH, a perpetual on each of the three, a pool with liquidity.

use anchor_lang::prelude::Pubkey;
use keel_migrations::{GroupConfig, Keys, m0001_create_group};
use keel_sdk::instruction::{self, GroupKeys, TakenLeg, Token, TradeKeys};
use keel_sdk::{OrderArgs, OrderLeg, PriceSlot, Snapshot, address, decode};
use keel_state::{MarginReport, RiskBook};
use solana_account::Account;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::operator::{create_book_account, fund_insurance, signers};
use crate::prices::PriceUpdate;
use crate::tokens::{amount, classic, mint_account_of, token_account_of};
use crate::vm::{Failure, Sent, Vm, keypair};

/// When every world begins: the publish time of the real update that its first price is.
pub const START: i64 = 1_721_133_402;

/// The standard group's assets, in the order of its banks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asset {
    Usdc = 0,
    Sol = 1,
    Btc = 2,
    Eth = 3,
}

impl Asset {
    pub const ALL: [Self; 4] = [Self::Usdc, Self::Sol, Self::Btc, Self::Eth];
    /// Those with a market.
    pub const TRADED: [Self; 3] = [Self::Sol, Self::Btc, Self::Eth];

    pub const fn symbol(self) -> &'static str {
        ["USDC", "SOL", "BTC", "ETH"][self as usize]
    }

    pub const fn decimals(self) -> u8 {
        [6, 9, 8, 8][self as usize]
    }

    /// Decimals of a lot.
    pub const fn lot_decimals(self) -> u8 {
        [1, 3, 5, 4][self as usize]
    }

    /// The asset's source 0 in `update_prices`.
    pub const fn slot(self) -> PriceSlot {
        PriceSlot {
            asset: self as u8,
            source: 0,
        }
    }
}

/// The market of an asset.
pub const fn market(asset: Asset) -> u8 {
    asset as u8 - 1
}

/// An owner, his margin account, and what he signs with.
pub struct Trader {
    pub key: Keypair,
    pub margin: Pubkey,
    pub sub_id: u16,
}

impl Trader {
    pub fn owner(&self) -> Pubkey {
        self.key.pubkey()
    }
}

impl std::fmt::Debug for Trader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Trader({}, sub {})", self.owner(), self.sub_id)
    }
}

/// The VM with a group in it.
#[derive(Debug)]
pub struct World {
    pub vm: Vm,
    pub keys: GroupKeys,
    pub config: GroupConfig,
    pub admin: Keypair,
    pub pool: Pubkey,
    pub tokens: [Token; 4],
    pub price_accounts: [Pubkey; 4],
    pub(crate) next_trader: u64,
}

impl World {
    /// A group made by migration 1, priced, and listed long enough ago to count as collateral.
    pub fn new() -> anyhow::Result<Self> {
        Self::with(|_| {})
    }

    /// The same with a changed configuration.
    pub fn with(change: impl FnOnce(&mut GroupConfig)) -> anyhow::Result<Self> {
        let mut world = Self::unpriced(change)?;
        world.vm.pass(keel_state::LISTING_PERIOD_S);
        world.set_prices([1.0, 156.797_690_99, 64_000.0, 3_400.0])?;
        Ok(world)
    }

    /// The same before any price.
    pub fn unpriced(change: impl FnOnce(&mut GroupConfig)) -> anyhow::Result<Self> {
        Self::unpriced_at(START - keel_state::LISTING_PERIOD_S, change)
    }

    /// The same, listed at `now`.
    pub fn unpriced_at(now: i64, change: impl FnOnce(&mut GroupConfig)) -> anyhow::Result<Self> {
        let mut vm = Vm::new(now)?;
        let admin = keypair(2);
        let book = keypair(3);
        let tokens = Asset::ALL.map(|asset| classic(keypair(100 + asset as u64).pubkey()));
        let [usdc, sol, btc, eth] = tokens;
        let mut config = GroupConfig::standard(1, usdc, sol, btc, eth);
        // Who provides is in at once; what waits is told of apart.
        config.pool.cooldown_in_s = 0;
        change(&mut config);
        let tokens = Asset::ALL.map(|asset| config.tokens[asset as usize].token);
        for (asset, token) in Asset::ALL.into_iter().zip(tokens) {
            let mint = mint_account_of(token, asset.decimals(), u64::MAX / 2);
            vm.set_account(token.mint, mint);
        }

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
                .map_err(|failure| anyhow::anyhow!("{}: {failure}", step.name))?;
        }
        let pool = address::pool(&keys.group, 0);
        Ok(Self {
            vm,
            keys,
            config,
            admin,
            pool,
            tokens,
            price_accounts: Asset::ALL.map(|asset| keypair(200 + asset as u64).pubkey()),
            next_trader: 1_000,
        })
    }

    pub fn token(&self, asset: Asset) -> Token {
        self.tokens[asset as usize]
    }

    /// The margin account out of which the migration insured the markets, if it did.
    pub fn operator_margin(&self) -> Option<Pubkey> {
        let margin = address::margin_account(&self.keys.group, &self.admin.pubkey(), 0);
        self.vm.account(&margin).map(|_| margin)
    }

    /// The feed that an asset's primary source names.
    pub fn feed(&self, asset: Asset) -> [u8; 32] {
        self.config.tokens[asset as usize].asset.sources[0].feed
    }

    /// Writes an asset's price account, owned by the pull receiver.
    pub fn post(&mut self, asset: Asset, update: &PriceUpdate) {
        let owner = self.config.tokens[asset as usize].asset.sources[0].owner;
        let account = Account {
            lamports: crate::tokens::RENT,
            data: update.to_bytes(),
            owner,
            executable: false,
            rent_epoch: u64::MAX,
        };
        self.vm
            .set_account(self.price_accounts[asset as usize], account);
    }

    /// Posts all four prices, in USD with 5 bp of confidence, published now, and relays them.
    pub fn set_prices(&mut self, prices: [f64; 4]) -> Result<Sent, Failure> {
        self.set_prices_with(prices.map(|price| (price, price * 0.000_5)))
    }

    /// The same with each price's confidence in USD.
    pub fn set_prices_with(&mut self, prices: [(f64, f64); 4]) -> Result<Sent, Failure> {
        let now = self.vm.now();
        for (asset, (price, conf)) in Asset::ALL.into_iter().zip(prices) {
            let e8 = |value: f64| (value * 1e8).round();
            let update = PriceUpdate::of(self.feed(asset), e8(price) as i64, e8(conf) as u64, now);
            self.post(asset, &update);
        }
        self.relay(&Asset::ALL)
    }

    /// New prices, a second later. Where one of them jumps it waits for a second print, which follows
    /// two seconds after the first (margin-spec 2.5).
    pub fn reprice(&mut self, prices: [f64; 4]) -> Result<Sent, Failure> {
        self.vm.pass(1);
        let sent = self.set_prices(prices)?;
        let waits = |book: &RiskBook| book.assets.iter().any(|asset| asset.pending().is_some());
        if self.with_book(waits) != Some(true) {
            return Ok(sent);
        }
        self.vm.pass(2);
        self.set_prices(prices)
    }

    /// Relays the posted prices of some assets.
    pub fn relay(&mut self, assets: &[Asset]) -> Result<Sent, Failure> {
        let updates: Vec<(PriceSlot, Pubkey)> = assets
            .iter()
            .map(|asset| (asset.slot(), self.price_accounts[*asset as usize]))
            .collect();
        let instruction = instruction::update_prices(&self.keys, &updates, false);
        self.vm.measure("update_prices", instruction, &[])
    }

    /// A trader with a fresh margin account and nothing in it.
    pub fn trader(&mut self) -> Result<Trader, Failure> {
        self.next_trader += 1;
        let key = keypair(self.next_trader);
        self.vm.fund(key.pubkey(), 1_000_000_000);
        self.sub_account(&key, 0)
    }

    /// One more margin account of an owner.
    pub fn sub_account(&mut self, owner: &Keypair, sub_id: u16) -> Result<Trader, Failure> {
        let payer = self.vm.payer.pubkey();
        let create =
            instruction::create_margin_account(&self.keys, payer, owner.pubkey(), sub_id, [0; 32]);
        self.vm.measure("create_margin_account", create, &[owner])?;
        Ok(Trader {
            key: owner.insecure_clone(),
            margin: address::margin_account(&self.keys.group, &owner.pubkey(), sub_id),
            sub_id,
        })
    }

    /// A trader with `usdc` whole USDC deposited.
    pub fn trader_with(&mut self, usdc: u64) -> Result<Trader, Failure> {
        let trader = self.trader()?;
        self.deposit(&trader, Asset::Usdc, usdc * 1_000_000)?;
        Ok(trader)
    }

    /// Puts native units into an owner's wallet.
    pub fn give(&mut self, owner: Pubkey, asset: Asset, units: u64) {
        let token = self.token(asset);
        let held = self.wallet(owner, asset);
        let account = token_account_of(token, owner, held + units);
        self.vm.set_account(token.account_of(&owner), account);
    }

    /// Native units in an owner's wallet.
    pub fn wallet(&self, owner: Pubkey, asset: Asset) -> u64 {
        let address = self.token(asset).account_of(&owner);
        self.vm
            .account(&address)
            .map_or(0, |account| amount(&account))
    }

    /// Gives the trader the tokens, then deposits them.
    pub fn deposit(&mut self, trader: &Trader, asset: Asset, units: u64) -> Result<Sent, Failure> {
        self.give(trader.owner(), asset, units);
        let token = self.token(asset);
        let deposit = instruction::deposit(&self.keys, trader.owner(), trader.margin, token, units);
        self.vm.measure("deposit", deposit, &[&trader.key])
    }

    pub fn withdraw(&mut self, trader: &Trader, asset: Asset, units: u64) -> Result<Sent, Failure> {
        if self.wallet(trader.owner(), asset) == 0 {
            self.give(trader.owner(), asset, 0);
        }
        let token = self.token(asset);
        let withdraw =
            instruction::withdraw(&self.keys, trader.owner(), trader.margin, token, units);
        self.vm.measure("withdraw", withdraw, &[&trader.key])
    }

    /// The accounts of an order on these assets' markets.
    pub fn trade_keys(&self, trader: &Trader, assets: &[Asset]) -> TradeKeys {
        TradeKeys {
            authority: trader.owner(),
            margin: trader.margin,
            pool: self.pool,
            referrer: None,
            markets: assets.iter().map(|asset| market(*asset)).collect(),
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

    /// Opens lots of one market at any price.
    pub fn open(&mut self, trader: &Trader, asset: Asset, lots: i64) -> Result<Sent, Failure> {
        let keys = self.trade_keys(trader, &[asset]);
        let open = instruction::open_position(&self.keys, &keys, self.order(&[lots]));
        self.vm.measure("open_position", open, &[&trader.key])
    }

    /// Closes lots of one market at any price.
    pub fn close(&mut self, trader: &Trader, asset: Asset, lots: i64) -> Result<Sent, Failure> {
        let keys = self.trade_keys(trader, &[asset]);
        let close = instruction::close_position(&self.keys, &keys, self.order(&[lots]));
        self.vm.measure("close_position", close, &[&trader.key])
    }

    /// Liquidates a position of `account`; the legs go to `liquidator`.
    pub fn liquidate(
        &mut self,
        liquidator: &Trader,
        account: Pubkey,
        asset: Asset,
        max_size: u64,
    ) -> Result<Sent, Failure> {
        self.liquidate_with(liquidator, account, asset, None, max_size)
    }

    /// The same, with `collateral` against the negative result of a closed position.
    pub fn liquidate_with(
        &mut self,
        liquidator: &Trader,
        account: Pubkey,
        asset: Asset,
        collateral: Option<Asset>,
        max_size: u64,
    ) -> Result<Sent, Failure> {
        let market = market(asset);
        let leg = match collateral {
            None => TakenLeg::Position { market },
            Some(asset) => TakenLeg::Deposit {
                market,
                mint: self.token(asset).mint,
            },
        };
        self.take(liquidator, account, leg, max_size)
    }

    /// What the program itself reports of an account.
    pub fn report(&mut self, margin: Pubkey) -> Result<MarginReport, Failure> {
        let view = instruction::view_margin(&self.keys, margin, 0);
        let sent = self.vm.measure("view_margin", view, &[])?;
        Ok(decode::margin_report(&sent.return_data))
    }

    /// Checks every bank and market; returns how many were checked and how many failed.
    pub fn conservation(&mut self) -> Result<(u8, u8), Failure> {
        let mints: Vec<Pubkey> = self.tokens.iter().map(|token| token.mint).collect();
        let markets: Vec<u8> = (0..self.config.markets.len() as u8).collect();
        let check = instruction::check_conservation(&self.keys, &mints, &markets);
        let sent = self.vm.measure("check_conservation", check, &[])?;
        let byte = |at: usize| sent.return_data.get(at).copied().unwrap_or(0);
        Ok((byte(0), byte(1)))
    }

    /// The risk book's bytes.
    pub fn book_data(&self) -> Vec<u8> {
        self.data(&self.keys.risk_book)
    }

    /// An account's bytes; none when it does not exist.
    pub fn data(&self, address: &Pubkey) -> Vec<u8> {
        self.vm
            .account(address)
            .map_or_else(Vec::new, |account| account.data)
    }

    /// Native units that a token account holds.
    pub fn token_amount(&self, address: &Pubkey) -> u64 {
        self.vm
            .account(address)
            .map_or(0, |account| amount(&account))
    }

    /// Runs `read` on the risk book as the client sees it.
    pub fn with_book<T>(&self, read: impl FnOnce(&RiskBook) -> T) -> Option<T> {
        let data = self.book_data();
        let snapshot = Snapshot::new(&data, self.vm.now()).ok()?;
        Some(read(snapshot.book()))
    }
}
