//! The group that a sequence runs on, and how each action is carried out.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use keel_sdk::instruction::{self, TakenLeg, TradeKeys};
use keel_sdk::{AccountMeta, Instruction, OrderArgs, OrderLeg, Pubkey, address};
use keel_tests::{Asset, Failure, Ledger, Places, Trader, World, market};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use solana_account::Account;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::action::{Action, Attack};
use crate::check;

pub const TRADERS: usize = 10;
pub const LIQUIDATORS: usize = 2;
pub const PROVIDERS: usize = 2;

const FIRST_PRICES: [f64; 4] = [1.0, 156.797_690_99, 64_000.0, 3_400.0];
const WALLET: u64 = 1 << 50;

/// What choosing looks at.
#[derive(Debug)]
pub struct View {
    pub price_age_s: i64,
    pub lot_usd: [f64; 4],
    /// Per account: net asset value in atoms, and its three sizes.
    pub equity: Vec<i64>,
    pub sizes: Vec<[i64; 3]>,
    pub deposits: Vec<Vec<Asset>>,
    /// Accounts below Maintenance with something left to take.
    pub targets: Vec<usize>,
    /// Of those, a closed position with a loss, and a deposit of tokens: taking over a loss for as
    /// much of the quote gains nothing.
    pub closed_losses: BTreeMap<usize, (Asset, Asset)>,
}

/// Everything that a check compares.
#[derive(Debug)]
pub struct State {
    pub accounts: Vec<(Pubkey, Option<Account>)>,
    pub ledger: Ledger,
}

#[derive(Debug)]
pub struct Driver {
    pub world: World,
    /// Ten traders, then the liquidators.
    pub traders: Vec<Trader>,
    providers: Vec<Keypair>,
    pub places: Places,
    watched: Vec<Pubkey>,
    prices: [f64; 4],
    published: i64,
    random: ChaCha8Rng,
}

impl Driver {
    pub fn new(seed: u64) -> Result<Self> {
        let mut world = World::new()?;
        let mut providers = Vec::new();
        for _ in 0..PROVIDERS {
            let (key, _) = world.provide(3_000_000)?;
            world.give(key.pubkey(), Asset::Usdc, WALLET);
            providers.push(key);
        }
        let mut traders = Vec::new();
        for number in 0..TRADERS + LIQUIDATORS {
            let trader = world.trader()?;
            let (asset, units) = match (number < TRADERS, number % 4) {
                (false, _) => (Asset::Usdc, 2_000_000_000_000),
                (true, 1) => (Asset::Eth, 600_000_000),
                (true, 3) => (Asset::Sol, 130_000_000_000),
                (true, _) => (Asset::Usdc, 20_000_000_000),
            };
            world.deposit(&trader, asset, units)?;
            for asset in Asset::ALL {
                world.give(trader.owner(), asset, WALLET);
            }
            traders.push(trader);
        }
        let margins: Vec<Pubkey> = traders.iter().map(|trader| trader.margin).collect();
        let places = Places::of(&world, &margins);
        let watched = watched(&world, &places, &traders, &providers);
        let published = world.vm.now();
        Ok(Self {
            world,
            traders,
            providers,
            places,
            watched,
            prices: FIRST_PRICES,
            published,
            random: ChaCha8Rng::seed_from_u64(seed),
        })
    }

    /// The next action.
    pub fn choose(&mut self) -> Action {
        let view = self.view();
        Action::choose(&mut self.random, &view)
    }

    fn view(&self) -> View {
        let mut view = View {
            price_age_s: self.world.vm.now() - self.published,
            lot_usd: Asset::ALL.map(|asset| {
                self.prices[asset as usize] / 10f64.powi(i32::from(asset.lot_decimals()))
            }),
            equity: Vec::new(),
            sizes: Vec::new(),
            deposits: Vec::new(),
            targets: Vec::new(),
            closed_losses: BTreeMap::new(),
        };
        for (number, trader) in self.traders.iter().enumerate() {
            let found = self
                .world
                .assess(&trader.margin)
                .expect("a readable account");
            let row = self.world.row(&trader.margin);
            let sizes = Asset::TRADED.map(|asset| row.position(market(asset)).0);
            let loss = Asset::TRADED.into_iter().find(|asset| {
                let (size, quote) = row.position(market(*asset));
                size == 0 && quote < 0
            });
            let deposits: Vec<Asset> = (Asset::ALL.into_iter())
                .filter(|asset| row.shares(*asset as u8) > 0)
                .collect();
            let tokens = deposits
                .last()
                .copied()
                .filter(|asset| *asset != Asset::Usdc);
            if found.maintenance.is_liquidatable() {
                let closed = loss.zip(tokens);
                if let Some(closed) = closed {
                    view.closed_losses.insert(number, closed);
                }
                if closed.is_some() || sizes != [0; 3] {
                    view.targets.push(number);
                }
            }
            view.equity.push(found.net_asset_value.0);
            view.sizes.push(sizes);
            view.deposits.push(deposits);
        }
        view
    }

    fn state(&self) -> State {
        State {
            accounts: (self.watched.iter())
                .map(|address| (*address, self.world.vm.account(address)))
                .collect(),
            ledger: self.ledger(),
        }
    }

    /// The books as the accounts' bytes have them.
    pub fn ledger(&self) -> Ledger {
        Ledger::read(&self.places, |address| self.world.data(address))
    }

    /// Carries the action out and checks everything; the cause when it was refused.
    pub fn step(&mut self, action: &Action) -> Result<Option<String>> {
        let before = self.state();
        let judged = check::judge_before(self, action)?;
        let cause = self.carry_out(action)?.err().map(|failure| cause(&failure));
        let after = self.state();
        after.ledger.check().map_err(anyhow::Error::msg)?;
        match &cause {
            None => check::accepted(self, action, &judged, &before, &after)?,
            Some(cause) => {
                ensure_no_fault(cause)?;
                check::refused(&before, &after).with_context(|| format!("refused: {cause}"))?;
            }
        }
        check::always(&before, &after)?;
        Ok(cause)
    }

    fn carry_out(&mut self, action: &Action) -> Result<Result<(), Failure>> {
        if let Some(happened) = self.happen(action) {
            return Ok(happened);
        }
        let (who, instruction) = self.instruction_of(action)?;
        let key = self.traders[who].key.insecure_clone();
        Ok(self.world.vm.send(&[instruction], &[&key]).map(drop))
    }

    /// What no trader signs: time, prices, liquidity. `None` for anything else.
    fn happen(&mut self, action: &Action) -> Option<Result<(), Failure>> {
        Some(match action {
            Action::Move { asset, ppm } => {
                self.shift(*asset, *ppm);
                self.publish(None)
            }
            // The second print, two seconds after the first, confirms what jumped (2.5).
            Action::Jump { asset, ppm } => {
                self.shift(*asset, *ppm);
                self.publish(None).and_then(|()| {
                    self.world.vm.pass(1);
                    self.publish(None)
                })
            }
            Action::Widen { asset } => self.publish(Some(*asset)),
            Action::Publish => self.publish(None),
            Action::Pass { seconds } => {
                self.world.vm.pass(*seconds);
                Ok(())
            }
            Action::Calm { minutes } => (0..minutes.div_ceil(2)).try_for_each(|_| {
                self.world.vm.pass(119);
                self.publish(None)
            }),
            Action::Provide { who, usdc } => {
                let key = self.providers[*who].insecure_clone();
                self.world.provide_more(&key, *usdc).map(drop)
            }
            _ => return None,
        })
    }

    /// Who signs, and what.
    fn instruction_of(&self, action: &Action) -> Result<(usize, Instruction)> {
        let keys = &self.world.keys;
        Ok(match action {
            Action::Deposit { who, asset, units } => {
                let (token, trader) = (self.world.token(*asset), &self.traders[*who]);
                let deposit =
                    instruction::deposit(keys, trader.owner(), trader.margin, token, *units);
                (*who, deposit)
            }
            Action::Withdraw { who, asset, units } => {
                let (token, trader) = (self.world.token(*asset), &self.traders[*who]);
                let withdraw =
                    instruction::withdraw(keys, trader.owner(), trader.margin, token, *units);
                (*who, withdraw)
            }
            Action::Open { who, legs } => (*who, self.open(*who, legs)),
            Action::Close {
                who,
                asset,
                percent,
            } => {
                let row = self.world.row(&self.traders[*who].margin);
                let size = i128::from(row.position(market(*asset)).0);
                let part = size * i128::from(*percent) / 100;
                (*who, self.close(*who, *asset, -(part as i64)))
            }
            Action::Liquidate {
                by,
                whom,
                asset,
                size,
            } => (*by, self.liquidate(*by, *whom, *asset, None, *size)),
            Action::LiquidateDeposit {
                by,
                whom,
                asset,
                collateral,
                size,
            } => {
                let take = self.liquidate(*by, *whom, *asset, Some(*collateral), *size);
                (*by, take)
            }
            Action::Hostile { who, whom, attack } => (*who, self.attack(*who, *whom, *attack)?),
            other => bail!("{other:?} is signed by nobody"),
        })
    }

    fn shift(&mut self, asset: Asset, ppm: i64) {
        let first = FIRST_PRICES[asset as usize];
        let moved = self.prices[asset as usize] * (1.0 + ppm as f64 / 1e6);
        self.prices[asset as usize] = moved.clamp(first * 0.4, first * 2.5);
    }

    /// Publishes all prices a second later, one of them perhaps with a wide confidence.
    fn publish(&mut self, wide: Option<Asset>) -> Result<(), Failure> {
        self.world.vm.pass(1);
        let prices = Asset::ALL.map(|asset| {
            let price = self.prices[asset as usize];
            let share = if wide == Some(asset) { 0.03 } else { 0.000_5 };
            (price, price * share)
        });
        self.published = self.world.vm.now();
        self.world.set_prices_with(prices).map(drop)
    }

    fn trade_keys(&self, who: usize, markets: &[Asset]) -> TradeKeys {
        self.world.trade_keys(&self.traders[who], markets)
    }

    fn open(&self, who: usize, legs: &[(Asset, i64)]) -> Instruction {
        let (assets, sizes): (Vec<Asset>, Vec<i64>) = legs.iter().copied().unzip();
        let keys = self.trade_keys(who, &assets);
        instruction::open_position(&self.world.keys, &keys, self.world.order(&sizes))
    }

    fn close(&self, who: usize, asset: Asset, size: i64) -> Instruction {
        let keys = self.trade_keys(who, &[asset]);
        instruction::close_position(&self.world.keys, &keys, self.world.order(&[size]))
    }

    fn liquidate(
        &self,
        by: usize,
        whom: usize,
        asset: Asset,
        collateral: Option<Asset>,
        size: u64,
    ) -> Instruction {
        let liquidator = &self.traders[by];
        let market = market(asset);
        let leg = match collateral {
            None => TakenLeg::Position { market },
            Some(asset) => TakenLeg::Deposit {
                market,
                mint: self.world.token(asset).mint,
            },
        };
        instruction::liquidate(
            &self.world.keys,
            liquidator.owner(),
            self.traders[whom].margin,
            liquidator.margin,
            leg,
            size,
        )
    }

    /// The instruction of an attack by `who` on `whom`.
    fn attack(&self, who: usize, whom: usize, attack: Attack) -> Result<Instruction> {
        let (world, me, other) = (&self.world, &self.traders[who], &self.traders[whom]);
        let pool_margin = address::pool_margin(&world.keys.group, &world.pool);
        let buy = |args: OrderArgs| {
            let keys = self.trade_keys(who, &[Asset::Eth]);
            instruction::open_position(&world.keys, &keys, args)
        };
        let healthy = !world.assess(&other.margin)?.maintenance.is_liquidatable();
        Ok(match attack {
            Attack::LiquidateTheHealthy if healthy => {
                self.liquidate(who, whom, Asset::Sol, None, u64::MAX)
            }
            Attack::LiquidateOneself | Attack::LiquidateTheHealthy => {
                self.liquidate(who, who, Asset::Sol, None, u64::MAX)
            }
            Attack::LiquidateThePool => {
                let take = self.liquidate(who, whom, Asset::Btc, None, u64::MAX);
                with_account(take, 2, pool_margin)
            }
            Attack::LiquidateForAnother => {
                let third = self.traders[TRADERS].margin;
                let take = self.liquidate(who, whom, Asset::Sol, None, u64::MAX);
                with_account(take, 3, third)
            }
            Attack::TradeForAnother => {
                with_account(self.open(who, &[(Asset::Sol, 100)]), 2, other.margin)
            }
            Attack::TradeAsThePool => {
                with_account(self.open(who, &[(Asset::Sol, 100)]), 2, pool_margin)
            }
            Attack::TradeWithOneself => {
                with_account(self.open(who, &[(Asset::Sol, 100)]), 4, me.margin)
            }
            Attack::WithdrawFromAnother => instruction::withdraw(
                &world.keys,
                me.owner(),
                other.margin,
                world.token(Asset::Usdc),
                1,
            ),
            Attack::LimitTooLow => buy(OrderArgs {
                legs: vec![OrderLeg {
                    size: 1_000,
                    limit_price: world.lot_price(Asset::Eth).0,
                }],
                ..world.order(&[1_000])
            }),
            Attack::Expired => buy(OrderArgs {
                valid_until: world.vm.now() - 1,
                ..world.order(&[1_000])
            }),
            Attack::StaleSequence => buy(OrderArgs {
                expected_seq: Some(world.row(&me.margin).seq + 1),
                ..world.order(&[1_000])
            }),
            Attack::SameMarketTwice => self.open(who, &[(Asset::Sol, 100), (Asset::Sol, -100)]),
            Attack::DepositFromTheVault => {
                let token = world.token(Asset::Usdc);
                let vault = address::vault(&address::bank(&world.keys.group, &token.mint));
                let deposit = instruction::deposit(&world.keys, me.owner(), me.margin, token, 1);
                with_account(deposit, 6, vault)
            }
            Attack::OpenByClosing => {
                let (size, _) = world.row(&me.margin).position(market(Asset::Btc));
                self.close(who, Asset::Btc, if size < 0 { -1_000 } else { 1_000 })
            }
        })
    }
}

fn with_account(mut instruction: Instruction, at: usize, address: Pubkey) -> Instruction {
    instruction.accounts[at] = AccountMeta {
        pubkey: address,
        ..instruction.accounts[at].clone()
    };
    instruction
}

/// Every account that an action could touch, wallets included.
fn watched(
    world: &World,
    places: &Places,
    traders: &[Trader],
    providers: &[Keypair],
) -> Vec<Pubkey> {
    let mut watched = vec![
        world.keys.group,
        world.keys.risk_book,
        places.pool,
        places.lp_mint,
    ];
    watched.extend(
        places
            .banks
            .iter()
            .flat_map(|(bank, vault)| [*bank, *vault]),
    );
    watched.extend(&places.markets);
    watched.extend(&places.margins);
    for owner in traders.iter().map(Trader::owner) {
        watched.extend(Asset::ALL.map(|asset| world.token(asset).account_of(&owner)));
    }
    for key in providers {
        watched.push(world.token(Asset::Usdc).account_of(&key.pubkey()));
    }
    watched
}

/// The name of the program's error, else what the runtime says.
fn cause(failure: &Failure) -> String {
    let named = failure.logs.iter().find_map(|line| {
        let rest = line.split("Error Code: ").nth(1)?;
        rest.split('.').next().map(str::to_owned)
    });
    named.unwrap_or_else(|| failure.error.clone())
}

/// A refusal for a reason that no input may produce.
fn ensure_no_fault(cause: &str) -> Result<()> {
    let faults = ["panicked", "exceeded", "ProgramFailedToComplete", "Broken"];
    ensure!(
        !faults.iter().any(|fault| cause.contains(fault)),
        "the program failed instead of refusing: {cause}"
    );
    Ok(())
}
