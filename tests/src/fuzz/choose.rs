//! How the next action is chosen: mostly what honest users do, crashes now and then, and
//! liquidations while there is something to liquidate.

use std::collections::VecDeque;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::action::{Action, Attack};
use super::arena::{
    ACCOUNTS, ASSETS, ISOLATED, LIQUIDATORS, MARKETS, PROVIDERS, SECOND_ACCOUNTS, SPARES, TRADERS,
    first_price, lot_usd, units_worth,
};

/// What choosing looks at.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub price_age_s: i64,
    /// Of the market that was not accrued for longest.
    pub accrual_age_s: i64,
    /// USD.
    pub prices: [f64; ASSETS],
    pub accounts: Vec<AccountView>,
    pub pool: AccountView,
    /// Whether a market has a whole stray lot.
    pub strays: Vec<bool>,
}

/// One account as the chooser sees it.
#[derive(Clone, Debug, Default)]
pub struct AccountView {
    pub exists: bool,
    /// Live seconds of its auction; 0 for none.
    pub unbid_s: u64,
    /// The first account of whoever may trade for it.
    pub delegate: Option<usize>,
    /// Net asset value, atoms.
    pub equity: i64,
    /// Lots in each market.
    pub sizes: [i64; MARKETS],
    /// Quote of positions in each market, and what the positions are worth.
    pub quotes: [i64; MARKETS],
    pub results: [i64; MARKETS],
    pub deposits: Vec<u8>,
    pub borrows: Vec<u8>,
    pub is_liquidatable: bool,
}

impl AccountView {
    fn held(&self) -> Vec<u8> {
        let markets = 0..MARKETS as u8;
        markets
            .filter(|market| self.sizes[usize::from(*market)] != 0)
            .collect()
    }

    /// Markets with a closed position and a loss.
    fn closed_losses(&self) -> Vec<u8> {
        let markets = 0..MARKETS;
        markets
            .filter(|market| self.sizes[*market] == 0 && self.quotes[*market] < 0)
            .map(|market| market as u8)
            .collect()
    }

    fn tokens(&self) -> Vec<u8> {
        let deposits = self.deposits.iter().copied();
        deposits.filter(|bank| *bank != 0).collect()
    }
}

/// What the times are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Usual,
    /// Traders take one side, so many steps more; then prices move, mostly their way.
    Herd {
        buys: bool,
        left: u32,
    },
    /// Prices fall or rise together, so many times more.
    Crash {
        mask: u8,
        falls: bool,
        left: u32,
    },
    /// Nobody liquidates, so many steps more.
    Asleep {
        left: u32,
    },
    /// Everybody liquidates.
    Hunt {
        left: u32,
    },
}

/// The source of a sequence.
#[derive(Debug)]
pub struct Chooser {
    random: ChaCha8Rng,
    phase: Phase,
    /// What somebody means to do next.
    plans: VecDeque<Action>,
}

impl Chooser {
    pub fn new(seed: u64) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            phase: Phase::Usual,
            plans: VecDeque::new(),
        }
    }

    /// The next action.
    pub fn next(&mut self, view: &View) -> Action {
        if view.price_age_s > 8 && self.random.random_bool(0.5) {
            return Action::Publish { mask: u8::MAX };
        }
        if view.accrual_age_s > 3_000 && self.chance(1, 4) {
            return Action::Accrue {
                banks: u8::MAX,
                markets: u8::MAX >> 1,
            };
        }
        if !self.plans.is_empty()
            && self.chance(1, 2)
            && let Some(planned) = self.plans.pop_front()
        {
            return planned;
        }
        match self.turn() {
            Phase::Crash { mask, falls, .. } => self.crash(view, mask, falls),
            Phase::Asleep { .. } if self.chance(2, 5) => Action::Wait {
                minutes: self.within(1, 4),
            },
            Phase::Asleep { .. } if self.chance(1, 3) => self.clock(view),
            Phase::Asleep { .. } => self.user(view),
            Phase::Herd { buys, .. } if self.chance(2, 3) => self.herd(view, buys),
            Phase::Hunt { .. } if self.chance(3, 5) => self.failure(view),
            Phase::Usual if self.chance(1, 6) => self.failure(view),
            _ => self.usual(view),
        }
    }

    /// The phase of this step, after which another one may begin.
    fn turn(&mut self) -> Phase {
        let now = self.phase;
        self.phase = match now {
            Phase::Usual if self.chance(1, 200) => Phase::Herd {
                buys: self.chance(1, 2),
                left: 60,
            },
            Phase::Herd { buys, left } if left > 1 => Phase::Herd {
                buys,
                left: left - 1,
            },
            Phase::Herd { buys, .. } => Phase::Crash {
                mask: 0b1111_1110,
                falls: buys ^ self.chance(4, 5),
                left: self.within(3, 6) as u32,
            },
            Phase::Usual if self.chance(1, 120) => Phase::Crash {
                mask: if self.chance(1, 2) {
                    0b1111_1110
                } else {
                    1 << self.within(1, MARKETS as u64)
                },
                falls: self.chance(1, 2),
                left: self.within(1, 4) as u32,
            },
            Phase::Usual => now,
            Phase::Crash { mask, falls, left } if left > 1 => Phase::Crash {
                mask,
                falls,
                left: left - 1,
            },
            Phase::Crash { .. } if self.chance(1, 3) => Phase::Asleep {
                left: self.within(5, 25) as u32,
            },
            Phase::Crash { .. } => Phase::Hunt { left: 60 },
            Phase::Asleep { left } if left > 1 => Phase::Asleep { left: left - 1 },
            Phase::Asleep { .. } => Phase::Hunt { left: 60 },
            Phase::Hunt { left } if left > 1 => Phase::Hunt { left: left - 1 },
            Phase::Hunt { .. } => Phase::Usual,
        };
        now
    }

    fn crash(&mut self, view: &View, mask: u8, falls: bool) -> Action {
        if self.chance(1, 4) {
            return self.user(view);
        }
        let size = self.within(50_000, 600_000) as i64;
        Action::Jump {
            mask,
            ppm: if falls { -size } else { size },
        }
    }

    /// Everybody on one side.
    fn herd(&mut self, view: &View, buys: bool) -> Action {
        if !buys && self.chance(1, 4) {
            return self.borrow(view);
        }
        let mut action = self.open(view);
        if let Action::Open { legs, .. } = &mut action {
            for (_, lots) in legs {
                *lots = if buys { lots.abs() } else { -lots.abs() };
            }
        }
        action
    }

    /// Anything but failures.
    fn usual(&mut self, view: &View) -> Action {
        match self.within(0, 99) {
            0..=59 => self.user(view),
            60..=73 => self.drift(view),
            74 => {
                let size = self.within(0, 1_200_000) as i64 - 600_000;
                Action::Jump {
                    mask: 1 << self.within(1, MARKETS as u64),
                    ppm: size,
                }
            }
            75 => Action::Widen {
                asset: self.asset(),
            },
            76..=77 => Action::Publish { mask: u8::MAX },
            78 => Action::Publish {
                mask: self.within(1, 255) as u8,
            },
            79 => Action::Relay {
                mask: self.within(0, 255) as u8,
                strict: self.chance(1, 2),
            },
            80..=84 => Action::Pass {
                seconds: self.pick(&[1, 1, 2, 3, 5, 8, 12, 20, 45, 90]),
            },
            85 => Action::Wait {
                minutes: self.within(5, 180),
            },
            86 => Action::Conserve,
            93..=95 => self.housekeeping(view),
            87 => Action::Donate {
                who: self.account(),
                asset: self.within(0, ASSETS as u64 - 1) as u8,
                units: self.within(1, 1_000_000),
            },
            88..=90 => self.batch(view),
            91 => self.blind_failure(view),
            _ => self.attack(),
        }
    }

    fn user(&mut self, view: &View) -> Action {
        match self.within(0, 92) {
            91..=92 => self.liquidity(),
            73..=77 => self.borrow(view),
            78..=81 => self.transfer(view),
            82..=84 => self.ticket(view),
            85..=88 => Action::Accrue {
                banks: self.pick(&[0, 1, 255, 255]),
                markets: self.pick(&[0, 1, 127, 127]),
            },
            89 => Action::InsureBank {
                who: self.account(),
                asset: self.within(0, ASSETS as u64 - 1) as u8,
                units: self.within(0, 1_000_000_000),
            },
            90 => Action::InsureMarket {
                who: self.account(),
                market: self.within(0, MARKETS as u64 - 1) as u8,
                atoms: self.within(0, 200_000_000),
            },
            64..=68 => self.settle(view),
            69..=72 => self.exit(view),
            0..=9 => self.deposit(view),
            10..=19 => self.withdraw(view),
            20..=44 => self.open(view),
            45..=57 => self.close(view),
            _ => self.liquidity(),
        }
    }

    /// Requests, their execution and their end, mostly by those who may.
    fn liquidity(&mut self) -> Action {
        let who = self.within(0, PROVIDERS as u64 - 1) as usize;
        let by = if self.chance(9, 10) {
            who
        } else {
            (who + 1) % PROVIDERS
        };
        let impossible = if self.chance(1, 20) { u64::MAX } else { 0 };
        match self.within(0, 17) {
            16 => Action::CancelProvide { by, who },
            17 => Action::CancelRedeem { by, who },
            0..=3 => {
                self.plan(&[Action::Wait { minutes: 11 }, Action::Provide { who }]);
                Action::RequestProvide {
                    who,
                    usdc: self.pick(&[0, 1, 10_000, 100_000, 500_000, 1_000_000]),
                    least: impossible,
                }
            }
            4..=7 => Action::Provide { who },
            8 => Action::CancelProvide { by, who },
            9..=11 => {
                let redeem = Action::Redeem { who };
                self.plan(&[Action::Wait { minutes: 21 }, redeem.clone(), redeem]);
                Action::RequestRedeem {
                    who,
                    ppm: self.pick(&[0, 1, 1_000, 50_000, 200_000, 500_000, 1_000_000, 1_100_000]),
                    least: impossible,
                }
            }
            12..=14 => Action::Redeem { who },
            _ => Action::CancelRedeem { by, who },
        }
    }

    /// Mostly keeps to what follows from a step, unless there is much to do already.
    fn plan(&mut self, steps: &[Action]) {
        if self.plans.len() < 6 && self.chance(4, 5) {
            self.plans.extend(steps.iter().cloned());
        }
    }

    /// A step of up to 2%, more often back than away.
    fn drift(&mut self, view: &View) -> Action {
        let asset = self.asset();
        let first = first_price(asset);
        let size = self.within(0, 20_000) as i64;
        let up = self.chance(1, 2);
        let back = view.prices[usize::from(asset)] < first;
        let up = if self.chance(1, 3) { back } else { up };
        Action::Move {
            mask: 1 << asset,
            ppm: if up { size } else { -size },
        }
    }

    /// Several users' steps in one transaction.
    fn batch(&mut self, view: &View) -> Action {
        let count = self.within(2, 3);
        let mut steps: Vec<Action> = Vec::new();
        for _ in 0..count {
            let step = if self.chance(1, 4) {
                self.failure(view)
            } else {
                self.user(view)
            };
            steps.push(step);
        }
        Action::Batch(steps)
    }

    /// Even traders bring USDC, odd ones tokens: only those can end with a deposit and a loss that a
    /// liquidator can set against each other. Who is poor mostly pays what he owes and goes on.
    fn deposit(&mut self, view: &View) -> Action {
        let needed = |who: usize| if who < TRADERS { 1_000 } else { 500_000 } * 1_000_000;
        let spare = |who: &usize| view.accounts[*who].equity - needed(*who);
        let poorest = (0..ACCOUNTS).min_by_key(spare);
        if let Some(who) = poorest
            && spare(&who) < 0
            && self.chance(if view.accounts[who].equity < 0 { 1 } else { 3 }, 6)
        {
            let fresh = needed(who).unsigned_abs() * self.within(3, 40);
            let owed = view.accounts[who].equity.min(0).unsigned_abs();
            return deposit(who, 0, owed + fresh);
        }
        let who = self.within(0, TRADERS as u64 - 1) as usize;
        let asset = if who.is_multiple_of(2) || self.chance(1, 4) {
            0
        } else {
            self.asset()
        };
        let usd = self.within(10, 30_000) as f64;
        let units = units_worth(asset, view.prices[usize::from(asset)], usd).max(1);
        if self.chance(1, 20) {
            return Action::Deposit {
                by: self.account(),
                to: who,
                asset,
                units,
            };
        }
        deposit(who, asset, units)
    }

    /// Mostly from a balance that exists.
    fn withdraw(&mut self, view: &View) -> Action {
        let who = self.account();
        let deposits = &view.accounts[who].deposits;
        let asset = if deposits.is_empty() || self.chance(1, 10) {
            self.within(0, ASSETS as u64 - 1) as u8
        } else {
            self.pick(deposits)
        };
        Action::Withdraw {
            who,
            asset,
            units: self.some_units(view, asset),
        }
    }

    /// Up to a part of what the account is worth, in any token.
    fn borrow(&mut self, view: &View) -> Action {
        let who = self.within(0, TRADERS as u64 - 1) as usize;
        let asset = self.within(0, ASSETS as u64 - 1) as u8;
        let equity = view.accounts[who].equity.max(0) as f64 / 1e6;
        let usd = equity * self.within(1, 100) as f64 / 100.0;
        let units = units_worth(asset, view.prices[usize::from(asset)], usd);
        Action::Borrow { who, asset, units }
    }

    /// Mostly between accounts of one owner.
    fn transfer(&mut self, view: &View) -> Action {
        let number = self.within(0, SECOND_ACCOUNTS as u64 - 1) as usize;
        let of_owner = [
            number,
            TRADERS - SECOND_ACCOUNTS + number,
            ACCOUNTS + number,
        ];
        let (from, to) = (self.pick(&of_owner), self.pick(&of_owner));
        let to = if self.chance(1, 10) {
            self.account()
        } else {
            to
        };
        let asset = match view.accounts[from].deposits[..] {
            [] => 0,
            ref deposits => self.pick(deposits),
        };
        Action::Transfer {
            from,
            to,
            asset,
            units: self.some_units(view, asset),
            borrows: self.chance(1, 4),
        }
    }

    /// A ticket, the wait for it, and the withdrawal that it is for.
    fn ticket(&mut self, view: &View) -> Action {
        let who = self.account();
        let asset = match view.accounts[who].deposits[..] {
            [] => 0,
            ref deposits => self.pick(deposits),
        };
        let units = self.some_units(view, asset);
        self.plan(&[
            Action::Wait { minutes: 30 },
            Action::Withdraw { who, asset, units },
        ]);
        Action::TakeTicket { who, asset, units }
    }

    /// Everything, dust, or some part of what people have.
    fn some_units(&mut self, view: &View, asset: u8) -> u64 {
        let usd = self.within(1, 20_000) as f64;
        match self.within(0, 5) {
            0 => u64::MAX,
            1 => self.within(1, 1_000),
            2 => self.within(0, u64::MAX / 2),
            _ => units_worth(asset, view.prices[usize::from(asset)], usd),
        }
    }

    /// One to three legs, each up to some multiple of the account's equity, now and then dust.
    fn open(&mut self, view: &View) -> Action {
        let who = self.within(0, TRADERS as u64 - 1) as usize;
        let count = self.pick(&[1, 1, 2, 3]);
        let markets = if ISOLATED.contains(&who) && self.chance(4, 5) {
            3
        } else {
            MARKETS as u64
        };
        let first = self.within(0, markets - 1);
        let equity = view.accounts[who].equity.max(0) as f64 / 1e6;
        let most = self.pick(&[0.3, 1.0, 2.0, 4.0]);
        let mut legs: Vec<(u8, i64)> = Vec::new();
        for leg in 0..count {
            let market = ((first + leg) % markets) as u8;
            let notional = if self.chance(1, 20) {
                self.within(1, 15) as f64
            } else {
                equity * self.random.random_range(0.1..most) / count as f64
            };
            let asset = market + 1;
            let lots = notional / lot_usd(asset, view.prices[usize::from(asset)]);
            let lots = (lots as i64).clamp(1, 1 << 30);
            let hedges = leg > 0 && self.chance(1, 2);
            let sign = if self.chance(1, 2) ^ hedges { 1 } else { -1 };
            legs.push((market, lots * sign));
        }
        Action::Open {
            by: self.signer(view, who),
            who,
            legs,
        }
    }

    /// Who signs an order: mostly a delegate where there is one, and now and then a stranger.
    fn signer(&mut self, view: &View, who: usize) -> usize {
        match view.accounts[who].delegate {
            Some(delegate) if self.chance(2, 3) => delegate,
            _ if self.chance(1, 50) => self.account(),
            _ => who,
        }
    }

    /// What an owner does with his accounts but for money and orders.
    fn housekeeping(&mut self, view: &View) -> Action {
        let spare = ACCOUNTS + self.within(0, SPARES as u64 - 1) as usize;
        let who = if self.chance(1, 10) {
            spare
        } else {
            self.account()
        };
        match self.within(0, 9) {
            0 => Action::SetName {
                who,
                name: self.within(0, 255) as u8,
            },
            1..=4 => Action::SetDelegate {
                who,
                to: self.account(),
                budget: self.within(0, 200_000_000_000),
                max_loss: self.within(0, 20_000_000_000),
                markets: self.pick(&[0, 1, 0b110, 0x7f, u64::MAX, u64::MAX]),
                hours: self.pick(&[-1, 0, 24, 2_400, 2_400, 2_400]),
            },
            5 => Action::ClearDelegate { who },
            _ if view.accounts[spare].exists && self.chance(9, 10) => {
                Action::CloseAccount { who: spare }
            }
            6 => Action::CloseAccount { who },
            _ => Action::CreateAccount { who: spare },
        }
    }

    /// Somebody with a result in a market and somebody with the other sign, the pool among them.
    fn settle(&mut self, view: &View) -> Action {
        let market = self.within(0, MARKETS as u64 - 1) as u8;
        let place = usize::from(market);
        let pool = ACCOUNTS + SPARES;
        let everyone = || {
            let accounts = view.accounts.iter().chain([&view.pool]).enumerate();
            accounts.map(|(number, account)| (number, account, account.results[place]))
        };
        let winners: Vec<usize> = everyone()
            .filter(|(_, _, result)| *result > 0)
            .map(|(number, ..)| number)
            .collect();
        let losers: Vec<usize> = everyone()
            .filter(|(_, _, result)| *result < 0)
            .map(|(number, ..)| number)
            .collect();
        let of = |chooser: &mut Self, from: &[usize]| {
            if from.is_empty() || chooser.chance(1, 20) {
                chooser.within(0, pool as u64) as usize
            } else {
                chooser.pick(from)
            }
        };
        let (winner, loser) = (of(self, &winners), of(self, &losers));
        Action::Settle {
            winner,
            loser,
            market,
            amount: self.pick(&[0, 1, 1_000_000, 1_000_000_000, u64::MAX, u64::MAX]),
        }
    }

    /// A close against the other side, which only a pool that cannot take it lets pass.
    fn exit(&mut self, view: &View) -> Action {
        let who = self.account();
        Action::Exit {
            who,
            market: self.held_or_any(view, who),
            percent: self.pick(&[1, 50, 100, 100, 130]),
        }
    }

    /// Mostly of a position that exists; more than the whole would cross zero. Liquidators mean to get
    /// rid of what they took.
    fn close(&mut self, view: &View) -> Action {
        let who = match self.within(0, 2) {
            0 => TRADERS + self.within(0, LIQUIDATORS as u64 - 1) as usize,
            _ => self.within(0, TRADERS as u64 - 1) as usize,
        };
        Action::Close {
            by: self.signer(view, who),
            who,
            market: self.held_or_any(view, who),
            percent: self.pick(&[1, 10, 50, 100, 100, 100, 130]),
        }
    }

    /// Judges an account below Maintenance for its auction; anything else while there is none.
    fn clock(&mut self, view: &View) -> Action {
        let targets = targets(view);
        if targets.is_empty() {
            return self.user(view);
        }
        Action::SetClock {
            by: self.account(),
            whom: self.pick(&targets),
            banks: self.within(0, 255) as u8,
            markets: self.within(0, 127) as u8,
        }
    }

    /// What is left to do where an auction found nobody, or nothing is left to take.
    fn backstop(&mut self, view: &View, whom: Option<usize>) -> Option<Action> {
        let account = whom.map_or(&view.pool, |whom| &view.accounts[whom]);
        let held = account.held();
        let is_bare = account.deposits.is_empty() || self.chance(1, 3);
        if account.equity < 0 && held.is_empty() && is_bare {
            let losses = account.closed_losses();
            let part = if account.borrows.is_empty() && !losses.is_empty() {
                Some(self.pick(&losses))
            } else {
                None
            };
            let bank = if account.borrows.is_empty() {
                0
            } else {
                self.pick(&account.borrows)
            };
            let market = part.or_else(|| self.chance(1, 9).then_some(0));
            return Some(Action::Resolve { whom, market, bank });
        }
        let is_unbid = account.unbid_s >= 600 || whom.is_none();
        if held.is_empty() || !(is_unbid || self.chance(1, 30)) {
            return None;
        }
        let market = self.pick(&held);
        let whole = account.sizes[usize::from(market)].unsigned_abs();
        let size = self.size_to_take(whole);
        Some(Action::Deleverage { whom, market, size })
    }

    /// What somebody does about an account below Maintenance; anything else while there is none.
    fn failure(&mut self, view: &View) -> Action {
        if view.pool.is_liquidatable
            && self.chance(1, 8)
            && let Some(action) = self.backstop(view, None)
        {
            return action;
        }
        let strays = view.strays.iter().position(|has| *has);
        if let Some(market) = strays
            && self.chance(1, 6)
        {
            return Action::TakeStrays {
                market: market as u8,
            };
        }
        let targets = targets(view);
        if targets.is_empty() {
            return self.user(view);
        }
        let worthless = targets.iter().copied();
        let worthless: Vec<usize> = worthless
            .filter(|number| view.accounts[*number].equity < 0)
            .collect();
        let whom = if !worthless.is_empty() && self.chance(1, 2) {
            self.pick(&worthless)
        } else {
            self.pick(&targets)
        };
        if self.chance(3, 5)
            && let Some(action) = self.backstop(view, Some(whom))
        {
            return action;
        }
        self.liquidation(view, whom)
    }

    /// Someone takes a leg of an account below Maintenance; a liquidator, or another trader.
    fn liquidation(&mut self, view: &View, whom: usize) -> Action {
        let by = self.liquidator(whom);
        let account = &view.accounts[whom];
        let (losses, tokens) = (account.closed_losses(), account.tokens());
        match self.within(0, 9) {
            0 => {
                return Action::SetClock {
                    by,
                    whom,
                    banks: self.within(0, 255) as u8,
                    markets: self.within(0, 127) as u8,
                };
            }
            1..=2 => return self.take_over(view, by, whom),
            3..=4 if account.held().len() > 1 => {
                let held = account.held();
                let first = self.pick(&held);
                let size = account.sizes[usize::from(first)].unsigned_abs();
                return Action::LiquidateHedge {
                    by,
                    whom,
                    markets: [first, self.pick(&held)],
                    size: self.size_to_take(size),
                };
            }
            3..=6 if !account.borrows.is_empty() && !account.deposits.is_empty() => {
                return Action::LiquidateBorrow {
                    by,
                    whom,
                    deposit: self.pick(&account.deposits),
                    borrow: self.pick(&account.borrows),
                    size: self.size_to_take(10_000_000_000),
                };
            }
            _ => {}
        }
        let takes_deposit = !losses.is_empty() && !tokens.is_empty();
        if takes_deposit && (account.held().is_empty() || self.chance(1, 2)) {
            return Action::LiquidateDeposit {
                by,
                whom,
                market: self.pick(&losses),
                bank: self.pick(&tokens),
                size: self.size_to_take(1_000_000_000),
            };
        }
        let market = self.held_or_any(view, whom);
        let whole = account.sizes[usize::from(market)].unsigned_abs();
        Action::Liquidate {
            by,
            whom,
            market,
            size: self.size_to_take(whole),
        }
    }

    /// Mostly with every ledger that may be needed.
    fn take_over(&mut self, view: &View, by: usize, whom: usize) -> Action {
        let account = &view.accounts[whom];
        let of = |places: &[u8]| places.iter().fold(0u8, |mask, place| mask | 1 << place);
        let (mut banks, mut markets) = (
            of(&account.deposits) | of(&account.borrows),
            of(&account.held()) | of(&account.closed_losses()),
        );
        if self.chance(1, 10) {
            (banks, markets) = (0, self.within(0, 127) as u8);
        }
        Action::TakeOver {
            by,
            whom,
            share_ppm: self.pick(&[1, 1_000, 100_000, 500_000, 1_000_000, 1_000_000]),
            banks,
            markets,
        }
    }

    /// Done to anybody, whatever his health.
    fn blind_failure(&mut self, view: &View) -> Action {
        let whom = if self.chance(1, 6) {
            None
        } else {
            Some(self.account())
        };
        let market = self.within(0, MARKETS as u64 - 1) as u8;
        match self.within(0, 5) {
            0 => Action::Deleverage {
                whom,
                market,
                size: u64::MAX,
            },
            1 => Action::TakeStrays { market },
            2 => Action::Resolve {
                whom,
                market: self.pick(&[None, Some(market)]),
                bank: self.within(0, ASSETS as u64 - 1) as u8,
            },
            3 => {
                let (by, whom) = (self.account(), self.account());
                self.take_over(view, by, whom)
            }
            _ => self.blind_liquidation(),
        }
    }

    fn blind_liquidation(&mut self) -> Action {
        Action::Liquidate {
            by: TRADERS + self.within(0, LIQUIDATORS as u64 - 1) as usize,
            whom: self.account(),
            market: self.within(0, MARKETS as u64 - 1) as u8,
            size: self.within(0, 1_000_000),
        }
    }

    /// Mostly a liquidator; oneself is among the attacks.
    fn liquidator(&mut self, whom: usize) -> usize {
        let by = if self.chance(9, 10) {
            TRADERS + self.within(0, LIQUIDATORS as u64 - 1) as usize
        } else {
            self.account()
        };
        if by == whom { (by + 1) % ACCOUNTS } else { by }
    }

    fn attack(&mut self) -> Action {
        let who = self.account();
        let others = self.within(1, ACCOUNTS as u64 - 1) as usize;
        Action::Hostile {
            who,
            whom: (who + others) % ACCOUNTS,
            attack: self.pick(&Attack::ALL),
        }
    }

    fn size_to_take(&mut self, whole: u64) -> u64 {
        match self.within(0, 7) {
            0 => self.within(0, whole.max(1)),
            1 => whole.div_ceil(2),
            2 => whole.div_ceil(50),
            _ => u64::MAX,
        }
    }

    fn held_or_any(&mut self, view: &View, who: usize) -> u8 {
        let held = view.accounts[who].held();
        if held.is_empty() {
            return self.within(0, MARKETS as u64 - 1) as u8;
        }
        self.pick(&held)
    }

    /// Any with a market.
    fn asset(&mut self) -> u8 {
        self.within(1, MARKETS as u64) as u8
    }

    fn account(&mut self) -> usize {
        self.within(0, ACCOUNTS as u64 - 1) as usize
    }

    fn within(&mut self, least: u64, most: u64) -> u64 {
        self.random.random_range(least..=most)
    }

    fn chance(&mut self, of: u32, among: u32) -> bool {
        self.random.random_ratio(of, among)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.random.random_range(0..from.len())]
    }
}

/// Accounts below Maintenance.
fn targets(view: &View) -> Vec<usize> {
    let accounts = view.accounts.iter().enumerate();
    let below = accounts.filter(|(_, account)| account.is_liquidatable);
    below.map(|(number, _)| number).collect()
}

fn deposit(who: usize, asset: u8, units: u64) -> Action {
    Action::Deposit {
        by: who,
        to: who,
        asset,
        units,
    }
}
