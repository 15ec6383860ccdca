//! A group of any size, with accounts that hold as much as a shape asks for.

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::Context;
use keel_migrations::{GroupConfig, Keys, feeds, m0001_create_group};
use keel_sdk::instruction::{self, GroupKeys, Token};
use keel_sdk::{Instruction, PriceSlot, Pubkey, SourceArgs, address};
use keel_state::{Balance, Bank, KEEP_ONE, Market, Position, RiskBook, SourceKind};
use solana_account::Account;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::accounts::{edit, edit_margin};
use super::shape::Shape;
use super::sizes::{self, Sizes};
use crate::operator::{create_book_account, fund_insurance, signers};
use crate::prices::PriceUpdate;
use crate::tokens::{RENT, classic, mint_account, token_account};
use crate::vm::{Vm, keypair};
use crate::world::{START, Trader};

/// USD per whole token, the quote first.
const PRICES: [f64; 17] = [
    1.0,
    156.797_690_99,
    64_123.45,
    3_412.87,
    581.36,
    27.914,
    14.037,
    72.58,
    383.21,
    95.66,
    2_790.4,
    24.183,
    318.77,
    81.39,
    161.52,
    12.746,
    43.91,
];
/// Atoms in a dollar.
const USD: i64 = 1_000_000;
/// The sides of a trader's positions: half of the assets are hedged, in part.
const SIDES: [i64; 16] = [1, -1, 1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1, 1, -1, 1];
/// Price accounts that one call relays.
const RELAYED: usize = 8;

/// The group, a trader and a liquidator of the shape, and the pool that holds the other side.
pub struct Stage {
    pub vm: Vm,
    pub shape: Shape,
    pub keys: GroupKeys,
    pub config: GroupConfig,
    pub operator: Keys,
    pub admin: Keypair,
    pub pool: Pubkey,
    pub trader: Trader,
    pub liquidator: Trader,
    pub provider: Keypair,
    /// Units of everything that the building created.
    pub created: BTreeMap<&'static str, Vec<u64>>,
    /// How large the largest transaction of each instruction was.
    pub sizes: RefCell<Sizes>,
}

impl Stage {
    /// Remembers how large an instruction's transaction is, where it is the largest yet.
    pub fn note_size(&self, name: &'static str, instruction: &Instruction) {
        let Some(size) = sizes::measure(instruction, &self.vm.payer.pubkey()) else {
            return;
        };
        let mut sizes = self.sizes.borrow_mut();
        let kept = sizes.entry(name).or_default();
        *kept = (*kept).max(size);
    }

    pub fn build(shape: Shape) -> anyhow::Result<Self> {
        let mut stage = Self::listed(shape)?;
        stage.vm.pass(keel_state::LISTING_PERIOD_S);
        stage.price()?;
        stage.fund_provider();
        stage.provide(20_000_000 * USD as u64)?;
        stage.fill_balances()?;
        stage.fill_positions()?;
        Ok(stage)
    }

    /// The group with its listings, made by the operator's migration, and two empty accounts.
    fn listed(shape: Shape) -> anyhow::Result<Self> {
        let mut vm = Vm::new(START - keel_state::LISTING_PERIOD_S)?;
        let config = config(shape);
        for token in &config.tokens {
            let mint = mint_account(token.asset.token_decimals, u64::MAX / 2);
            vm.set_account(token.token.mint, mint);
        }
        let (admin, book, owners) = (keypair(2), keypair(3), [keypair(1_001), keypair(1_002)]);
        let operator = Keys {
            payer: vm.payer.pubkey(),
            admin: admin.pubkey(),
            council: admin.pubkey(),
            risk_book: book.pubkey(),
        };
        let keys = m0001_create_group::keys(&config, &operator);
        create_book_account(&mut vm, book.pubkey());
        fund_insurance(&mut vm, &config, admin.pubkey());
        let of = |owner: &Keypair| Trader {
            margin: address::margin_account(&keys.group, &owner.pubkey(), 0),
            key: owner.insecure_clone(),
            sub_id: 0,
        };
        let mut stage = Self {
            pool: address::pool(&keys.group, 0),
            trader: of(&owners[0]),
            liquidator: of(&owners[1]),
            provider: keypair(1_003),
            created: BTreeMap::new(),
            sizes: RefCell::default(),
            vm,
            shape,
            keys,
            config,
            operator,
            admin,
        };
        for step in m0001_create_group::steps(&stage.config, &stage.operator) {
            let admin = stage.admin.insecure_clone();
            let signers = signers(&step.signers, &admin, &book);
            let name = created_by(&step.name);
            for instruction in step.instructions {
                stage.send(name, instruction, &signers)?;
            }
        }
        for owner in &owners {
            let create = stage.create_margin_account(owner.pubkey());
            stage.send("create_margin_account", create, &[owner])?;
        }
        Ok(stage)
    }

    /// Sends what belongs to the building of the stage.
    fn send(
        &mut self,
        name: &'static str,
        instruction: Instruction,
        signers: &[&Keypair],
    ) -> anyhow::Result<()> {
        let provider = self.provider.insecure_clone();
        let all: Vec<&Keypair> = signers.iter().copied().chain([&provider]).collect();
        let sent = self.vm.send(&[instruction], &all).with_context(|| name)?;
        self.created.entry(name).or_default().push(sent.units);
        Ok(())
    }

    pub fn create_margin_account(&self, owner: Pubkey) -> Instruction {
        let payer = self.vm.payer.pubkey();
        instruction::create_margin_account(&self.keys, payer, owner, 0, [0; 32])
    }

    pub fn quote(&self) -> Token {
        self.config.tokens[0].token
    }

    pub fn pool_margin(&self) -> Pubkey {
        address::pool_margin(&self.keys.group, &self.pool)
    }

    /// Posts every price as published now.
    pub fn post(&mut self) {
        self.post_times(1.0);
    }

    /// The same with every price multiplied.
    pub fn post_times(&mut self, factor: f64) {
        let now = self.vm.now();
        for (index, price) in PRICES.iter().enumerate().take(self.shape.tokens()) {
            let price = price * factor;
            let e8 = |value: f64| (value * 1e8).round();
            let feed = feed(index);
            let update = PriceUpdate::of(feed, e8(price) as i64, e8(price * 0.000_5) as u64, now);
            let account = Account {
                lamports: RENT,
                data: update.to_bytes(),
                owner: feeds::PYTH_RECEIVER,
                executable: false,
                rent_epoch: u64::MAX,
            };
            self.vm.set_account(price_account(index), account);
        }
    }

    /// Relays the posted prices of some assets.
    pub fn relay(&self, assets: core::ops::Range<usize>, strict: bool) -> Instruction {
        let slot = |asset: usize| PriceSlot {
            asset: asset as u8,
            source: 0,
        };
        let updates: Vec<(PriceSlot, Pubkey)> = assets
            .map(|asset| (slot(asset), price_account(asset)))
            .collect();
        instruction::update_prices(&self.keys, &updates, strict)
    }

    fn price(&mut self) -> anyhow::Result<()> {
        self.post();
        let tokens = self.shape.tokens();
        for start in (0..tokens).step_by(RELAYED) {
            let relay = self.relay(start..tokens.min(start + RELAYED), true);
            self.send("update_prices", relay, &[])?;
        }
        Ok(())
    }

    /// A wallet of quote tokens, and an empty one for the pool's shares.
    fn fund_provider(&mut self) {
        let owner = self.provider.pubkey();
        self.vm.fund(owner, RENT);
        self.give(owner, self.quote(), 90_000_000 * USD as u64);
        self.give(owner, classic(address::lp_mint(&self.pool)), 0);
    }

    pub fn give(&mut self, owner: Pubkey, token: Token, units: u64) {
        let account = token_account(token.mint, owner, units);
        self.vm.set_account(token.account_of(&owner), account);
    }

    /// The first liquidity.
    fn provide(&mut self, atoms: u64) -> anyhow::Result<()> {
        let (owner, pool, quote) = (self.provider.pubkey(), self.pool, self.quote());
        let ask = instruction::request_provide(&self.keys, owner, pool, quote, atoms, 0);
        self.send("request_provide", ask, &[])?;
        let execute = instruction::provide_liquidity(&self.keys, owner, pool, quote);
        self.send("provide_liquidity", execute, &[])
    }

    /// Writes both accounts' balances, and the banks and vaults that owe and hold them. An asset has
    /// one bank, so that 16 balances would be of 16 assets: banks beyond the trader's assets are
    /// made to share them.
    fn fill_balances(&mut self) -> anyhow::Result<()> {
        let shape = self.shape;
        edit::<RiskBook>(&mut self.vm, &self.keys.risk_book, |book| {
            for index in 1..shape.balances {
                book.rates[index].asset = (1 + (index - 1) % shape.trader_assets) as u8;
            }
        })?;
        let shares: Vec<u64> = (0..shape.balances)
            .map(|index| self.shares_worth(index, if index == 0 { 200_000 } else { 20_000 }))
            .collect::<anyhow::Result<_>>()?;
        for margin in [self.trader.margin, self.liquidator.margin] {
            edit_margin(&mut self.vm, &margin, |account, _| {
                for (index, shares) in shares.iter().enumerate() {
                    account.balances[index] = Balance {
                        used: 1,
                        bank: index as u8,
                        shares: *shares as i64,
                        ..bytemuck::Zeroable::zeroed()
                    };
                }
            })?;
        }
        for (index, shares) in shares.iter().enumerate() {
            self.credit_bank(index, 2 * shares)?;
        }
        Ok(())
    }

    /// Shares, at an index of one, that are worth so many dollars.
    pub(super) fn shares_worth(&self, bank: usize, usd: i64) -> anyhow::Result<u64> {
        let book = self.book()?;
        let asset = &book.assets[usize::from(book.rates[bank].asset)];
        let (mantissa, shift) = (asset.native_price, asset.native_shift);
        let atoms = ((usd * USD) as u128) << shift;
        Ok((atoms / u128::from(mantissa)) as u64)
    }

    fn credit_bank(&mut self, index: usize, shares: u64) -> anyhow::Result<()> {
        let token = self.config.tokens[index].token;
        let bank = address::bank(&self.keys.group, &token.mint);
        let mut tracked = 0;
        edit::<Bank>(&mut self.vm, &bank, |bank| {
            bank.deposit_shares += shares;
            bank.tracked += shares;
            tracked = bank.tracked;
        })?;
        let authority = address::authority(&self.keys.group);
        let vault = token_account(token.mint, authority, tracked);
        self.vm.set_account(address::vault(&bank), vault);
        Ok(())
    }

    /// Writes the trader's and the liquidator's positions and the pool's other side of them; in the
    /// other markets the pool faces accounts that do not exist, to the same lots and atoms.
    fn fill_positions(&mut self) -> anyhow::Result<()> {
        let held = self.shape.trader_markets();
        let (mut trader, mut liquidator) = (Vec::new(), Vec::new());
        let mut pool: Vec<Position> = Vec::new();
        for (place, &market) in held.iter().enumerate() {
            let (side, step) = (SIDES[place % SIDES.len()], place as i64);
            let result = if place % 3 == 0 { -300 } else { 200 } * (step + 1) * USD;
            trader.push(self.position(market, side * (40_000 + 5_000 * step) * USD, result)?);
            liquidator.push(self.position(market, -side * (20_000 + 1_000 * step) * USD, 0)?);
        }
        for market in 0..self.shape.perps as u8 {
            let place = held.iter().position(|held| *held == market);
            pool.push(match place {
                Some(place) => opposite(&trader[place], &liquidator[place]),
                None => {
                    let side = SIDES[usize::from(market) % SIDES.len()];
                    let value = side * (90_000 + 2_000 * i64::from(market)) * USD;
                    self.position(market, value, side * 700 * USD)?
                }
            });
            let sides = match place {
                Some(place) => vec![&trader[place], &liquidator[place], &pool[pool.len() - 1]],
                None => vec![&pool[pool.len() - 1]],
            };
            let long: i64 = sides.iter().map(|side| side.size.max(0)).sum();
            let short: i64 = sides.iter().map(|side| -side.size.min(0)).sum();
            let open_interest = long.max(short).unsigned_abs();
            let address = address::market(&self.keys.group, market);
            let (now, skew) = (self.vm.now(), -pool[pool.len() - 1].size);
            edit::<Market>(&mut self.vm, &address, |market| {
                market.skew = skew;
                market.open_interest_long = open_interest;
                market.open_interest_short = open_interest;
                // Accrued within the hour, as keepers do.
                (market.last_accrual, market.skew_updated) = (now, now);
            })?;
        }
        let pool_margin = self.pool_margin();
        let sides = [
            (self.trader.margin, trader),
            (self.liquidator.margin, liquidator),
            (pool_margin, pool),
        ];
        for (margin, positions) in sides {
            edit_margin(&mut self.vm, &margin, |account, slots| {
                account.positions_end = positions.len() as u16;
                slots[..positions.len()].copy_from_slice(&positions);
            })?;
        }
        Ok(())
    }

    /// A position of a value at the mark, with a result.
    fn position(&self, market: u8, value: i64, result: i64) -> anyhow::Result<Position> {
        let size = value.signum() * self.lots_worth(market, value.abs())?;
        Ok(Position {
            used: 1,
            instrument: market,
            size,
            quote: result - value,
            keep: KEEP_ONE,
            ..bytemuck::Zeroable::zeroed()
        })
    }

    /// Lots of a market that are worth so many atoms.
    pub fn lots_worth(&self, market: u8, atoms: i64) -> anyhow::Result<i64> {
        let book = self.book()?;
        let asset = &book.assets[self.shape.asset_of(usize::from(market))];
        Ok((((atoms as u128) << asset.lot_shift) / u128::from(asset.lot_price)) as i64)
    }

    pub fn book(&self) -> anyhow::Result<Box<RiskBook>> {
        let data = self.data(&self.keys.risk_book)?;
        let book = keel_sdk::decode::account::<RiskBook>(&data);
        Ok(Box::new(*book.map_err(|error| anyhow::anyhow!("{error}"))?))
    }

    pub fn data(&self, address: &Pubkey) -> anyhow::Result<Vec<u8>> {
        let account = self.vm.account(address);
        account
            .map(|account| account.data)
            .ok_or_else(|| anyhow::anyhow!("no account at {address}"))
    }
}

/// What the pool holds against both.
fn opposite(one: &Position, other: &Position) -> Position {
    Position {
        size: -(one.size + other.size),
        quote: -(one.quote + other.quote),
        ..*one
    }
}

/// The standard group, grown to the shape's tokens and markets.
fn config(shape: Shape) -> GroupConfig {
    let tokens = [0, 1, 2, 3].map(mint_of);
    let [usdc, sol, btc, eth] = tokens;
    let mut config = GroupConfig::standard(1, usdc, sol, btc, eth);
    config.pool.cooldown_in_s = 0;
    config.pool.cooldown_out_s = 0;
    let (token, market) = (config.tokens[1].clone(), config.markets[0].clone());
    for (index, usd) in PRICES.iter().enumerate().take(shape.tokens()).skip(1) {
        let mut listed = config.tokens.get(index).unwrap_or(&token).clone();
        listed.token = mint_of(index);
        let asset = &mut listed.asset;
        asset.low_price = (*usd / 10.0) as u64;
        asset.high_price = (*usd * 100.0) as u64;
        asset.lot_decimals = match *usd as u64 {
            10_000.. => 5,
            1_000.. => 4,
            100.. => 3,
            _ => 2,
        };
        if index < config.tokens.len() {
            config.tokens[index] = listed;
        } else {
            listed.asset.symbol = format!("T{index}");
            config.tokens.push(listed);
        }
    }
    for (index, token) in config.tokens.iter_mut().enumerate() {
        token.asset.sources[0] = SourceArgs {
            kind: SourceKind::PythPull as u8,
            owner: feeds::PYTH_RECEIVER,
            feed: feed(index),
        };
    }
    config.markets = (0..shape.perps)
        .map(|index| keel_migrations::MarketConfig {
            symbol: format!("M{index}-PERP"),
            token: shape.asset_of(index),
            ..market.clone()
        })
        .collect();
    config
}

pub fn mint_of(index: usize) -> Token {
    classic(keypair(100 + index as u64).pubkey())
}

fn price_account(index: usize) -> Pubkey {
    keypair(200 + index as u64).pubkey()
}

fn feed(index: usize) -> [u8; 32] {
    [index as u8 + 1; 32]
}

/// The instruction that a step of the migration is made of.
fn created_by(step: &str) -> &'static str {
    let names = [
        ("create bank", "create_bank"),
        ("create market", "create_market"),
        ("create pool", "create_pool"),
        ("fund the operator", "deposit"),
        ("insure market", "fund_market_insurance"),
        ("insure bank", "fund_bank_insurance"),
    ];
    names
        .into_iter()
        .find_map(|(prefix, name)| step.starts_with(prefix).then_some(name))
        .unwrap_or("create_group")
}
