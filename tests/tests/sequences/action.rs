//! What can happen, and how the next thing is chosen.

use keel_tests::Asset;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::driver::{LIQUIDATORS, PROVIDERS, TRADERS, View};

/// One step. Accounts are numbers of the driver's traders; liquidators follow the ten traders.
#[derive(Clone, Debug)]
pub enum Action {
    Deposit {
        who: usize,
        asset: Asset,
        units: u64,
    },
    /// `u64::MAX` withdraws everything.
    Withdraw {
        who: usize,
        asset: Asset,
        units: u64,
    },
    Open {
        who: usize,
        legs: Vec<(Asset, i64)>,
    },
    /// Per cent of the position; more than 100 would cross zero.
    Close {
        who: usize,
        asset: Asset,
        percent: u64,
    },
    Provide {
        who: usize,
        usdc: u64,
    },
    /// Moves an asset's price by this many ppm and publishes all four.
    Move {
        asset: Asset,
        ppm: i64,
    },
    /// The same for a move that breaks accounts.
    Jump {
        asset: Asset,
        ppm: i64,
    },
    /// Publishes an asset with a confidence of 3%.
    Widen {
        asset: Asset,
    },
    /// Publishes everything again.
    Publish,
    Pass {
        seconds: i64,
    },
    /// A time in which prices keep coming and do not move.
    Calm {
        minutes: u64,
    },
    Liquidate {
        by: usize,
        whom: usize,
        asset: Asset,
        size: u64,
    },
    LiquidateDeposit {
        by: usize,
        whom: usize,
        asset: Asset,
        collateral: Asset,
        size: u64,
    },
    Hostile {
        who: usize,
        whom: usize,
        attack: Attack,
    },
}

/// What nobody may succeed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    LiquidateOneself,
    LiquidateThePool,
    LiquidateTheHealthy,
    LiquidateForAnother,
    TradeForAnother,
    TradeAsThePool,
    TradeWithOneself,
    WithdrawFromAnother,
    LimitTooLow,
    Expired,
    StaleSequence,
    SameMarketTwice,
    DepositFromTheVault,
    OpenByClosing,
}

impl Attack {
    const ALL: [Self; 14] = [
        Self::LiquidateOneself,
        Self::LiquidateThePool,
        Self::LiquidateTheHealthy,
        Self::LiquidateForAnother,
        Self::TradeForAnother,
        Self::TradeAsThePool,
        Self::TradeWithOneself,
        Self::WithdrawFromAnother,
        Self::LimitTooLow,
        Self::Expired,
        Self::StaleSequence,
        Self::SameMarketTwice,
        Self::DepositFromTheVault,
        Self::OpenByClosing,
    ];
}

impl Action {
    pub const NAMES: [&'static str; 14] = [
        "deposit",
        "withdraw",
        "open 1",
        "open 2",
        "open 3",
        "close",
        "provide",
        "move",
        "jump",
        "widen",
        "publish",
        "liquidate",
        "liquidate deposit",
        "hostile",
    ];

    pub fn name(&self) -> &'static str {
        match self {
            Self::Deposit { .. } => "deposit",
            Self::Withdraw { .. } => "withdraw",
            Self::Open { legs, .. } => ["open 1", "open 2", "open 3"][legs.len() - 1],
            Self::Close { .. } => "close",
            Self::Provide { .. } => "provide",
            Self::Move { .. } => "move",
            Self::Jump { .. } => "jump",
            Self::Widen { .. } => "widen",
            Self::Publish => "publish",
            Self::Pass { .. } => "pass",
            Self::Calm { .. } => "calm",
            Self::Liquidate { .. } => "liquidate",
            Self::LiquidateDeposit { .. } => "liquidate deposit",
            Self::Hostile { .. } => "hostile",
        }
    }

    pub fn never_accepted(name: &str) -> bool {
        name == "hostile"
    }

    /// The next step: mostly what an honest user does, and liquidations while there is something to
    /// liquidate.
    pub fn choose(random: &mut ChaCha8Rng, view: &View) -> Self {
        if view.price_age_s > 8 && random.random_bool(0.6) {
            return Self::Publish;
        }
        if !view.targets.is_empty() && random.random_bool(0.5) {
            return liquidation(random, view);
        }
        let who = random.random_range(0..TRADERS);
        let asset = pick(random, &Asset::TRADED);
        match random.random_range(0..100) {
            0..=9 => deposit(random, view, who),
            10..=17 => withdraw(random, view),
            18..=44 => open(random, view, who),
            45..=56 => close(random, view, asset),
            57..=58 => Self::Provide {
                who: random.random_range(0..PROVIDERS),
                usdc: random.random_range(1..200_000),
            },
            59..=70 => Self::Move {
                asset,
                ppm: random.random_range(-20_000..=20_000),
            },
            71..=73 => Self::Jump {
                asset,
                ppm: random.random_range(-400_000..=400_000),
            },
            74 => Self::Widen { asset },
            75..=77 => Self::Publish,
            78..=83 => Self::Pass {
                seconds: pick(random, &[1, 1, 2, 3, 5, 8, 12, 20, 45, 90]),
            },
            84 => Self::Calm {
                minutes: random.random_range(10..240),
            },
            85..=86 => random_liquidation(random, asset),
            _ => Self::Hostile {
                who,
                whom: (who + random.random_range(1..TRADERS)) % TRADERS,
                attack: pick(random, &Attack::ALL),
            },
        }
    }
}

fn pick<T: Copy>(random: &mut ChaCha8Rng, of: &[T]) -> T {
    of[random.random_range(0..of.len())]
}

/// About this many USDC in an asset's native units.
fn units_for(view_price: f64, asset: Asset, usdc: u64) -> u64 {
    let scale = 10f64.powi(i32::from(asset.decimals()));
    (usdc as f64 / view_price * scale) as u64
}

/// Even traders bring USDC, odd ones tokens: only those can end with a deposit and a loss that a
/// liquidator can set against each other. Who is bankrupt mostly pays what he owes and goes on.
fn deposit(random: &mut ChaCha8Rng, view: &View, who: usize) -> Action {
    let needed = |who: usize| if who < TRADERS { 1_000 } else { 500_000 } * 1_000_000;
    let spare = |who: &usize| view.equity[*who] - needed(*who);
    let poorest = (0..TRADERS + LIQUIDATORS).min_by_key(spare);
    if let Some(who) = poorest
        && spare(&who) < 0
        && random.random_bool(0.8)
    {
        let fresh = needed(who).unsigned_abs() * random.random_range(3..40);
        return Action::Deposit {
            who,
            asset: Asset::Usdc,
            units: view.equity[who].min(0).unsigned_abs() + fresh,
        };
    }
    let asset = match (who % 2, random.random_range(0..4)) {
        (0, _) | (_, 0) => Asset::Usdc,
        _ => pick(random, &Asset::TRADED),
    };
    let price = [1.0, 150.0, 64_000.0, 3_400.0][asset as usize];
    let usdc = random.random_range(10..30_000);
    Action::Deposit {
        who,
        asset,
        units: units_for(price, asset, usdc).max(1),
    }
}

/// Mostly from a balance that exists.
fn withdraw(random: &mut ChaCha8Rng, view: &View) -> Action {
    let who = random.random_range(0..TRADERS + LIQUIDATORS);
    let deposits = &view.deposits[who];
    let asset = if deposits.is_empty() || random.random_ratio(1, 10) {
        pick(random, &Asset::ALL)
    } else {
        pick(random, deposits)
    };
    Action::Withdraw {
        who,
        asset,
        units: some_units(random),
    }
}

/// Mostly of a position that exists; more than the whole would cross zero.
fn close(random: &mut ChaCha8Rng, view: &View, asset: Asset) -> Action {
    // Liquidators mean to get rid of what they took.
    let who = match random.random_range(0..3) {
        0 => TRADERS + random.random_range(0..LIQUIDATORS),
        _ => random.random_range(0..TRADERS),
    };
    Action::Close {
        who,
        asset: held(random, view, who).unwrap_or(asset),
        percent: pick(random, &[1, 10, 50, 100, 100, 100, 130]),
    }
}

fn some_units(random: &mut ChaCha8Rng) -> u64 {
    match random.random_range(0..4) {
        0 => u64::MAX,
        1 => random.random_range(1..1_000),
        2 => random.random_range(1..100_000_000),
        _ => random.random_range(1..10_000_000_000),
    }
}

/// One to three legs, each up to some multiple of the account's equity, now and then dust.
fn open(random: &mut ChaCha8Rng, view: &View, who: usize) -> Action {
    let count = pick(random, &[1, 1, 2, 3]);
    let first = random.random_range(0..3usize);
    let equity = view.equity[who].max(0) as f64 / 1e6;
    let most = pick(random, &[0.5, 2.0, 4.0, 8.0]);
    let legs = (0..count).map(|leg| {
        let asset = Asset::TRADED[(first + leg) % 3];
        let notional = if random.random_ratio(1, 20) {
            random.random_range(1.0..15.0)
        } else {
            equity * random.random_range(0.1..most) / count as f64
        };
        let lots = notional / view.lot_usd[asset as usize];
        let lots = (lots as i64).clamp(1, 1 << 30);
        let hedging = leg > 0 && random.random_bool(0.5);
        let sign = if random.random_bool(0.5) ^ hedging {
            1
        } else {
            -1
        };
        (asset, lots * sign)
    });
    Action::Open {
        who,
        legs: legs.collect(),
    }
}

fn held(random: &mut ChaCha8Rng, view: &View, who: usize) -> Option<Asset> {
    let sizes = &view.sizes[who];
    let open: Vec<Asset> = (Asset::TRADED.into_iter())
        .filter(|asset| sizes[*asset as usize - 1] != 0)
        .collect();
    (!open.is_empty()).then(|| pick(random, &open))
}

fn size_to_take(random: &mut ChaCha8Rng, whole: u64) -> u64 {
    match random.random_range(0..6) {
        0 => random.random_range(1..=whole.max(1)),
        1 => whole.div_ceil(2),
        2 => whole.div_ceil(50),
        _ => u64::MAX,
    }
}

/// Someone takes a leg of an account that is below Maintenance; a liquidator, or another trader.
fn liquidation(random: &mut ChaCha8Rng, view: &View) -> Action {
    let whom = pick(random, &view.targets);
    let by = if random.random_bool(0.9) {
        TRADERS + random.random_range(0..LIQUIDATORS)
    } else {
        random.random_range(0..TRADERS)
    };
    // Oneself is among the attacks.
    let by = if by == whom {
        (by + 1) % (TRADERS + LIQUIDATORS)
    } else {
        by
    };
    if let Some((asset, collateral)) = view.closed_losses.get(&whom)
        && (view.sizes[whom] == [0; 3] || random.random_bool(0.5))
    {
        return Action::LiquidateDeposit {
            by,
            whom,
            asset: *asset,
            collateral: *collateral,
            size: size_to_take(random, 1_000_000_000),
        };
    }
    let asset = held(random, view, whom).unwrap_or(Asset::Sol);
    let whole = view.sizes[whom][asset as usize - 1].unsigned_abs();
    Action::Liquidate {
        by,
        whom,
        asset,
        size: size_to_take(random, whole),
    }
}

fn random_liquidation(random: &mut ChaCha8Rng, asset: Asset) -> Action {
    Action::Liquidate {
        by: TRADERS + random.random_range(0..LIQUIDATORS),
        whom: random.random_range(0..TRADERS + LIQUIDATORS),
        asset,
        size: random.random_range(0..1_000_000),
    }
}
