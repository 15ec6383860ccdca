//! The crash (margin-spec 8; I1 to I3): every price falls by 40% at once under 500 margin accounts.
//! Liquidators and bidders take what they can until they run dry; after ten live minutes the pool takes
//! within its limits, the rest is deleveraged, and the bankrupt are resolved. Every atom that somebody
//! lacks is paid by somebody named, and lenders bear no derivative's loss.

use keel_sdk::instruction::TakenLeg;
use keel_sdk::{Pubkey, address};
use keel_state::Bank;
use keel_tests::{Asset, KeptBooks, Trader, World, market};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const BEFORE: [f64; 4] = [1.0, 150.0, 64_000.0, 3_400.0];
const AFTER: [f64; 4] = [1.0, 90.0, 38_400.0, 2_040.0];
const TRADERS: usize = 466;
const BORROWERS: usize = 20;
const LIQUIDATORS: usize = 10;
const BIDDERS: usize = 4;

/// What became of it all. Money in atoms.
#[derive(Debug, Default)]
struct Figures {
    below_maintenance: usize,
    without_equity: usize,
    steps: usize,
    taken: i128,
    takeovers: usize,
    to_bidders: i128,
    dry: usize,
    by_pool: i128,
    by_side: i128,
    resolutions: usize,
    bad_debt: i128,
    from_markets: i128,
    from_group: i128,
    from_sides: i128,
    owed: i128,
    lost_by_lenders: i128,
}

struct Crash {
    world: World,
    traders: Vec<Trader>,
    borrowers: Vec<Trader>,
    liquidators: Vec<Trader>,
    bidders: Vec<Trader>,
    figures: Figures,
}

impl Crash {
    fn new() -> Self {
        let mut world = World::new().expect("a world");
        world.vm.pass(1);
        world.set_prices(BEFORE).expect("prices");
        world.provide(10_000_000).expect("liquidity");
        world.set_insurance(Asset::Usdc, 200_000_000_000);
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let traders = (0..TRADERS).map(|_| trader(&mut world, &mut rng)).collect();
        let borrowers = (0..BORROWERS)
            .map(|_| borrower(&mut world, &mut rng))
            .collect();
        let rich = |world: &mut World, usdc| world.trader_with(usdc).expect("a trader");
        let liquidators = (0..LIQUIDATORS).map(|_| rich(&mut world, 30_000)).collect();
        let bidders = (0..BIDDERS).map(|_| rich(&mut world, 60_000)).collect();
        Self {
            world,
            traders,
            borrowers,
            liquidators,
            bidders,
            figures: Figures::default(),
        }
    }

    fn everybody(&self) -> Vec<&Trader> {
        let all = [
            &self.traders,
            &self.borrowers,
            &self.liquidators,
            &self.bidders,
        ];
        all.into_iter().flatten().collect()
    }

    /// The books of every market, checked against every account, and the program's own check.
    fn check(&mut self) -> Vec<KeptBooks> {
        assert_eq!(self.world.conservation().expect("conservation"), (7, 0));
        let everybody = self.everybody();
        let books = |asset| self.world.kept_books(asset, &everybody);
        Asset::TRADED.map(books).to_vec()
    }

    fn is_liquidatable(&self, account: Pubkey) -> bool {
        let found = self.world.assess(&account).expect("health");
        found.maintenance.is_liquidatable()
    }

    fn value(&self, account: Pubkey) -> i64 {
        self.world
            .assess(&account)
            .expect("health")
            .net_asset_value
            .0
    }

    /// Those of the traders, or borrowers, below Maintenance.
    fn failing(&self, of: &[Trader]) -> Vec<Pubkey> {
        let accounts = of.iter().map(|trader| trader.margin);
        accounts
            .filter(|margin| self.is_liquidatable(*margin))
            .collect()
    }

    /// Prices fall, auctions begin.
    fn fall(&mut self) {
        self.world.reprice(AFTER).expect("prices");
        self.world.live(AFTER, 20).expect("prints");
        for account in self.failing(&self.traders) {
            self.world
                .set_clock(account, &[], &Asset::TRADED)
                .expect("a clock");
            self.figures.below_maintenance += 1;
            self.figures.without_equity += usize::from(self.value(account) < 0);
        }
    }

    /// Liquidators take leg by leg until none of them can.
    fn liquidate(&mut self) {
        let mut dry = 0;
        for account in self.failing(&self.traders) {
            for asset in Asset::TRADED {
                while dry < LIQUIDATORS && self.size(account, asset) != 0 {
                    let before = self.size(account, asset);
                    let leg = TakenLeg::Position {
                        market: market(asset),
                    };
                    // Who cannot take the whole tries a part before he gives up.
                    let by = &self.liquidators[dry];
                    let parts = [u64::MAX, before.unsigned_abs() / 8];
                    let taken = parts
                        .into_iter()
                        .any(|size| self.world.take(by, account, leg, size).is_ok());
                    if !self.is_liquidatable(account) {
                        break;
                    }
                    if !taken {
                        dry += 1;
                        continue;
                    }
                    self.figures.steps += 1;
                    self.figures.taken += self.worth(asset, before - self.size(account, asset));
                }
            }
        }
        self.figures.dry = dry;
    }

    /// Bidders take shares of whole accounts that still have equity.
    fn take_over(&mut self) {
        let mut by = 0;
        for account in self.failing(&self.traders) {
            if by == BIDDERS {
                break;
            }
            let bidder = &self.bidders[by];
            let before = self.world.bank(Asset::Usdc).insurance;
            let taken = self
                .world
                .take_over(bidder, account, 1_000_000, &[], &Asset::TRADED);
            match taken {
                Ok(_) => {
                    let after = self.world.bank(Asset::Usdc).insurance;
                    self.figures.takeovers += 1;
                    self.figures.to_bidders += i128::from(before - after);
                }
                Err(_) if self.value(account) > 0 => by += 1,
                Err(_) => {}
            }
        }
    }

    /// Ten live minutes later the pool takes, and the other side is shrunk.
    fn unwind(&mut self) {
        self.world.live(AFTER, 600).expect("ten minutes");
        let pool = address::pool_margin(&self.world.keys.group, &self.world.pool);
        for account in self.failing(&self.traders) {
            for asset in Asset::TRADED {
                for _ in 0..24 {
                    let (held, pools) = (self.size(account, asset), self.size(pool, asset));
                    if held == 0 || self.world.deleverage(account, asset, u64::MAX).is_err() {
                        break;
                    }
                    let closed = held - self.size(account, asset);
                    // A pool on the side that is shrunk loses lots besides.
                    let moved = self.size(pool, asset) - pools;
                    if moved.signum() == closed.signum() && pools.signum() * closed.signum() >= 0 {
                        self.figures.by_pool += self.worth(asset, closed);
                    } else {
                        self.figures.by_side += self.worth(asset, closed);
                    }
                }
            }
        }
        for asset in Asset::TRADED {
            let _ = self.world.take_strays(asset);
        }
    }

    fn size(&self, account: Pubkey, asset: Asset) -> i64 {
        self.world.row(&account).position(market(asset)).0
    }

    fn worth(&self, asset: Asset, lots: i64) -> i128 {
        let (mantissa, shift) = self.world.lot_price(asset);
        (i128::from(lots.abs()) * i128::from(mantissa)) >> shift
    }

    /// Each market's part of each bankruptcy: what the account gains by it is what others pay.
    fn resolve_markets(&mut self) {
        // The first would publish the quote's index: what is lacking is judged by it from the start.
        self.world.accrue_all().expect("published");
        let bankrupt: Vec<Pubkey> = (self.traders.iter())
            .map(|trader| trader.margin)
            .filter(|margin| self.value(*margin) < 0)
            .collect();
        for account in bankrupt {
            let lacking = -i128::from(self.value(account));
            let mut paid = 0;
            for asset in Asset::TRADED {
                paid += self.resolve_market(account, asset);
            }
            // Fractions of two deposits may come to an atom of quote.
            let left = self.value(account);
            assert!((0..=1).contains(&left), "{account}: {left}");
            assert_eq!(paid - i128::from(left), lacking, "{account}");
            self.figures.resolutions += 1;
            self.figures.bad_debt += paid;
        }
    }

    fn resolve_market(&mut self, account: Pubkey, asset: Asset) -> i128 {
        let (market, bank) = self.ledgers(asset);
        let row = self.world.row(&account);
        let result = row.position(keel_tests::market(asset)).1;
        if self.world.resolve_market(account, asset).is_err() {
            return 0;
        }
        let (after, paid) = self.ledgers(asset);
        // What the account has of the group's part, which costs the group an atom more at most.
        let deposit = |shares: i64| (i128::from(shares) * i128::from(paid.deposit_index)) >> 48;
        let group = deposit(self.world.row(&account).shares(0)) - deposit(row.shares(0));
        let cost = i128::from(bank.insurance - paid.insurance);
        assert!((-1..=1).contains(&(cost - group)), "{cost} {group}");
        let by_insurance = i128::from(market.insurance) - i128::from(after.insurance);
        let quoted = i128::from(after.quote_sum) - i128::from(market.quote_sum);
        assert!(
            paid.deposit_index >= bank.deposit_index,
            "lenders are senior"
        );
        // What the insurance wrote off within its window, and what it is left to owe.
        let used = i128::from(after.insurance_used)
            - i128::from(
                if after.insurance_window_start == market.insurance_window_start {
                    market.insurance_used
                } else {
                    0
                },
            );
        let sides = carried(&after) - carried(&market);
        // Quotes rise by what sides and insurance pay; a ceil's atoms stay with the insurance.
        assert!((0..=1).contains(&(sides - (quoted - by_insurance))));
        assert!(result <= 0);
        self.figures.from_markets += used;
        self.figures.from_group += group;
        self.figures.from_sides += quoted - by_insurance;
        self.figures.owed += by_insurance - used;
        quoted + group
    }

    fn ledgers(&self, asset: Asset) -> (keel_state::Market, Bank) {
        let mut bank = self.world.bank(Asset::Usdc);
        bank.bring_to_now(self.world.vm.now());
        (self.world.market(asset), bank)
    }

    /// Borrows of quote against SOL: a liquidator takes the collateral, lenders bear what is missing.
    fn resolve_borrowers(&mut self) {
        let rich = self.world.trader_with(2_000_000).expect("a liquidator");
        let leg = self.world.borrow_leg(Asset::Sol, Asset::Usdc);
        let failing = self.failing(&self.borrowers);
        for account in &failing {
            let taken = self.world.take(&rich, *account, leg, u64::MAX);
            taken.expect("the collateral");
        }
        self.liquidators.push(rich);
        for account in failing {
            if self.value(account) >= 0 {
                continue;
            }
            let (_, before) = self.ledgers(Asset::Sol);
            let sent = self.world.resolve_bank(account, Asset::Usdc);
            sent.expect("the lenders' part");
            let (_, after) = self.ledgers(Asset::Sol);
            let missing = before.ledger().borrows() - after.ledger().borrows();
            let insured = before.insurance - after.insurance;
            let fell = before.ledger().deposits() - after.ledger().deposits();
            assert_eq!(missing - insured, fell - (after.dust - before.dust));
            self.figures.resolutions += 1;
            self.figures.bad_debt += i128::from(missing);
            self.figures.from_group += i128::from(insured);
            self.figures.lost_by_lenders += i128::from(missing - insured);
        }
    }
}

/// What F has taken from both sides of a market, atoms, floor.
fn carried(market: &keel_state::Market) -> i128 {
    let ledger = market.ledger();
    let of = |side: &keel_risk::SideLedger| side.carry.0 * i128::from(side.open_interest);
    (of(&ledger.long) - of(&ledger.short)) >> 48
}

/// $2,000 to $20,000 in one or two markets, at two to six times; seven of ten are long.
fn trader(world: &mut World, rng: &mut ChaCha8Rng) -> Trader {
    let usdc = rng.random_range(2_000..20_000);
    let trader = world.trader_with(usdc).expect("a trader");
    let sign = if rng.random_ratio(7, 10) { 1 } else { -1 };
    let legs = rng.random_range(1..=2);
    for _ in 0..legs {
        let asset = Asset::TRADED[rng.random_range(0..3)];
        let notional = usdc as f64 * f64::from(rng.random_range(20..60)) / 10.0 / f64::from(legs);
        let lots = notional / BEFORE[asset as usize] * 10f64.powi(i32::from(asset.lot_decimals()));
        let lots = lots as i64 * sign;
        // Who asks for too much takes half.
        if world.open(&trader, asset, lots).is_err() {
            world.open(&trader, asset, lots / 2).expect("a position");
        }
    }
    trader
}

/// 100 SOL, and quote borrowed against them that was spent.
fn borrower(world: &mut World, rng: &mut ChaCha8Rng) -> Trader {
    let trader = world.trader().expect("a borrower");
    let deposit = world.deposit(&trader, Asset::Sol, 100_000_000_000);
    deposit.expect("collateral");
    let usdc = rng.random_range(6_000..12_000);
    world.lend(&trader, Asset::Usdc, usdc * 1_000_000);
    trader
}

#[test]
fn a_gap_of_forty_percent_is_paid_to_the_atom() {
    let mut crash = Crash::new();
    crash.check();
    crash.fall();
    crash.liquidate();
    crash.take_over();
    crash.check();
    crash.unwind();
    crash.check();
    crash.resolve_markets();
    crash.check();
    crash.resolve_borrowers();
    crash.check();
    // Whose results wait for a settlement lost with the lenders: cents, resolved like the rest.
    crash.resolve_markets();
    crash.check();

    let figures = &crash.figures;
    let paid = figures.from_markets + figures.from_group + figures.from_sides;
    assert_eq!(
        paid + figures.owed + figures.lost_by_lenders,
        figures.bad_debt
    );
    assert!(figures.below_maintenance > 200 && figures.without_equity > 50);
    assert_eq!(figures.dry, LIQUIDATORS, "they ran dry");
    assert!(figures.by_pool > 0 && figures.by_side > 0 && figures.from_sides > 0);
    assert!(figures.lost_by_lenders > 0);
    // All that the group's insurance may pay in a day is a quarter of $200,000, and of what interest
    // added.
    assert!(figures.to_bidders + figures.from_group <= 50_100_000_000);
    print(figures);
    let left = crash.failing(&crash.traders);
    assert!(left.iter().all(|account| crash.value(*account) >= 0));
}

fn print(figures: &Figures) {
    let dollars = |atoms: i128| format!("{:>14.2}", atoms as f64 / 1e6);
    println!(
        "a fall of 40%, {} accounts",
        TRADERS + BORROWERS + LIQUIDATORS + BIDDERS
    );
    for (what, count) in [
        ("below Maintenance", figures.below_maintenance),
        ("of them without equity", figures.without_equity),
        ("liquidation steps", figures.steps),
        ("takeovers", figures.takeovers),
        ("resolutions", figures.resolutions),
    ] {
        println!("{what:<28}{count:>14}");
    }
    for (what, atoms) in [
        ("taken by liquidators", figures.taken),
        ("taken by the pool", figures.by_pool),
        ("deleveraged", figures.by_side),
        ("group's insurance to bidders", figures.to_bidders),
        ("bad debt", figures.bad_debt),
        ("paid by markets' insurance", figures.from_markets),
        ("by the group's", figures.from_group),
        ("by the other side", figures.from_sides),
        ("owed by markets' insurance", figures.owed),
        ("lost by lenders to borrowers", figures.lost_by_lenders),
    ] {
        println!("{what:<28}{}", dollars(atoms));
    }
}
