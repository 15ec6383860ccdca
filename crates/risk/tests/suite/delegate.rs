//! 11: what a delegate may spend, lose and trade.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

const USD: i64 = 1_000_000;
const DAY: i64 = 86_400;

fn terms(budget: u64, max_loss: i64) -> GrantTerms {
    GrantTerms {
        budget,
        max_loss: max_loss.unsigned_abs(),
        markets: MarketSet::ALL,
        expiry: i64::MAX,
    }
}

fn grant(terms: GrantTerms) -> Grant {
    Grant {
        terms,
        equity: Atoms(0),
        deposits: Atoms(0),
        spent: Spent::default(),
    }
}

/// A fill of lots that are worth a dollar each.
fn fill(instrument: u8, size: i64) -> LegFill {
    let before = PositionLeg {
        instrument,
        ..PositionLeg::EMPTY
    };
    let mut fill = LegFill {
        before,
        ..LegFill::EMPTY
    };
    fill.plan.taker_after.size = Lots(size);
    fill
}

fn judge(
    book: &TestBook,
    after: &TestAccount,
    grant: &Grant,
    fills: &[LegFill],
    now: i64,
) -> Result<Spent, RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    plan_delegated(
        book,
        after,
        grant,
        fills,
        now,
        &mut Scratch::new(&mut lanes),
    )
}

fn granted(book: &TestBook, account: &TestAccount, terms: GrantTerms) -> Result<Grant, RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    plan_grant(book, account, terms, 0, &mut Scratch::new(&mut lanes))
}

fn worth(book: &TestBook, account: &TestAccount) -> Atoms {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    net_asset_value(book, account, &mut Scratch::new(&mut lanes))
}

/// A fill, and where it leaves both sides.
type Traded = (LegFill, (usize, PositionLeg), (usize, PositionLeg));

/// An order of a delegate's against a pool, applied where it is accepted.
struct Desk {
    book: TestBook,
    taker: TestAccount,
    maker: TestAccount,
    spread: Ppm,
}

impl Desk {
    /// $1 lots at a range of 10%; both sides hold slot 0 of the perp.
    fn new(spread: u32, cash: i64) -> Self {
        let desk = |cash: i64| {
            TestAccount::default()
                .with_balance(0, cash)
                .with_position(0, 0, 0)
        };
        Self {
            book: one_asset(),
            taker: desk(cash),
            maker: desk(1 << 44),
            spread: Ppm(spread),
        }
    }

    fn fill(&self, size: i64, intent: Intent, authority: Authority) -> Result<Traded, RiskError> {
        let order = Order {
            instrument: 0,
            size: Lots(size),
            limit_price: if size > 0 { u64::MAX >> 16 } else { 0 },
            taker_slot: 0,
            maker_slot: 0,
            referred: false,
            market: MarketTerms {
                open_interest_cap: 1 << 40,
                min_size: 1,
                taker_fee: Ppm(500),
                base_spread: self.spread,
                max_age_fill_s: 10,
                ..MarketTerms::default()
            },
        };
        let pool = PoolTerms {
            shares: 1,
            equity_cap: Atoms(i64::MAX),
            asset_cap: Atoms(i64::MAX),
            factor: Ppm(1_000_000),
        };
        let terms = OrderTerms {
            intent,
            authority,
            pool,
        };
        let mut fills = [LegFill::EMPTY];
        let (mut ours, mut theirs) = ([(0, PositionLeg::EMPTY)], [(0, PositionLeg::EMPTY)]);
        let mut buffers = OrderBuffers {
            fills: &mut fills,
            taker: &mut ours,
            maker: &mut theirs,
        };
        let parties = Parties {
            taker: &self.taker,
            maker: &self.maker,
        };
        let mut lanes = vec![0; Scratch::MAX_LANES];
        plan_order(
            &self.book,
            &parties,
            &[order],
            terms,
            &mut buffers,
            &mut Scratch::new(&mut lanes),
        )?;
        Ok((fills[0], ours[0], theirs[0]))
    }

    /// Whether the delegate's order went through both plans; then it is applied.
    fn trade(&mut self, grant: &mut Grant, size: i64, now: i64) -> bool {
        let held = self.taker.positions[0].size.0;
        let reduces = held.signum() * size < 0 && size.abs() <= held.abs();
        let intent = if reduces { Intent::Close } else { Intent::Open };
        let Ok((fill, ours, theirs)) = self.fill(size, intent, Authority::Delegate) else {
            return false;
        };
        let mut after = self.taker.clone();
        after.set_position(ours);
        let Ok(spent) = judge(&self.book, &after, grant, &[fill], now) else {
            return false;
        };
        grant.spent = spent;
        self.taker = after;
        self.maker.set_position(theirs);
        true
    }
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 11.1: over any interval a delegate trades at most his budget and what it refills in that time,
    /// `budget / 86,400` a second, ceil: whenever he asks, whatever midnight lies between, and also if
    /// the clock steps back.
    #[test]
    fn no_interval_sees_more_spent_than_the_budget_and_its_refill(
        budget in prop_oneof![any_magnitude(12), any_magnitude(56)],
        start in -DAY..1_800_000_000,
        asks in prop::collection::vec((prop_oneof![-5i64..5, 0..DAY / 24, 0..3 * DAY], 0u64..=110), 1..24)
    ) {
        let book = one_asset();
        let mut grant = grant(terms(budget, 0));
        grant.spent.updated = start;
        let (mut now, mut latest) = (start, start);
        let mut done: Vec<(i64, u128)> = vec![];
        for (wait, share) in asks {
            now += wait;
            // In lots of a dollar, about `share` percent of what is there.
            let available = grant.available(now);
            let lots = (u128::from(available) * u128::from(share) / 100).div_ceil(USD as u128) as i64;
            let asked = lots as u128 * USD as u128;
            let result = judge(&book, &TestAccount::default(), &grant, &[fill(0, lots)], now);
            if asked <= u128::from(available) {
                grant.spent = result.expect("within the budget");
                // What was refused leaves no trace, its time neither.
                latest = latest.max(now);
                done.push((latest, asked));
            } else {
                let refused = RiskError::GrantSpent { available, asked: asked as u64 };
                prop_assert_eq!(result, Err(refused));
            }
        }
        for first in 0..done.len() {
            let mut spent = 0;
            for (at, asked) in &done[first..] {
                spent += asked;
                let elapsed = (at - done[first].0) as u128;
                let refill = (u128::from(budget) * elapsed).div_ceil(DAY as u128);
                prop_assert!(spent <= u128::from(budget) + refill);
            }
        }
    }

    /// 11.1: however often the bucket is looked at it forgets what one look would, less at most an atom
    /// for each; and after a day of rest all of it.
    #[test]
    fn a_budget_refills_alike_however_often_it_is_looked_at(
        budget in any_magnitude(56), share in 0u64..=1_000,
        waits in prop::collection::vec(0i64..DAY / 8, 0..16)
    ) {
        let level = (u128::from(budget) * u128::from(share) / 1_000) as u64;
        let spent = Spent { level, updated: 0 };
        let (mut often, mut now) = (spent, 0);
        for wait in &waits {
            now += wait;
            often = often.at(budget, now);
        }
        let once = spent.at(budget, now);
        prop_assert!((once.level..=once.level + waits.len() as u64).contains(&often.level));
        prop_assert_eq!(often.at(budget, now + DAY).level, 0);
        prop_assert_eq!(spent.at(budget, -1), spent);
    }

    /// 11.1: what is deposited or withdrawn moves equity and floor alike: a delegate's room to lose is
    /// the same before and after.
    #[test]
    fn deposits_neither_widen_nor_narrow_what_a_delegate_may_lose(
        cash in 0i64..1 << 40, moved in -(1i64 << 40)..1 << 40, lost in 0i64..1 << 40, max_loss in 0i64..1 << 40
    ) {
        let book = one_asset();
        let before = TestAccount::default().with_balance(0, cash);
        let mut grant = granted(&book, &before, terms(u64::MAX >> 8, max_loss)).expect("a grant");
        prop_assert_eq!(grant.equity, Atoms(cash));
        grant.deposits = Atoms(moved);
        let after = TestAccount::default().with_balance(0, cash + moved).with_position(0, 0, -lost);
        let found = judge(&book, &after, &grant, &[], 0);
        prop_assert_eq!(found.is_ok(), lost <= max_loss);
        if let Err(error) = found {
            let equity = Atoms(cash + moved - lost);
            let floor = Atoms(cash + moved - max_loss);
            prop_assert_eq!(error, RiskError::BelowGrantFloor { equity, floor });
        }
    }

    /// 11.1: whatever a delegate trades, at whatever spread and however the price moves meanwhile, each
    /// accepted order leaves the account at or above the floor, its fills within a quarter of the range
    /// of the mark, and its notional within the budget.
    #[test]
    fn no_order_of_a_delegates_ends_below_the_floor(
        spread in 0u32..60_000, budget in 1_000i64..100_000, max_loss in 1i64..2_000,
        orders in prop::collection::vec((-3_000i64..3_000, 900u64..1_100, 0i64..7_200), 1..20)
    ) {
        let mut desk = Desk::new(spread, 10_000 * USD);
        let terms = terms((budget * USD) as u64, max_loss * USD);
        let mut grant = granted(&desk.book, &desk.taker, terms).expect("a grant");
        let mut now = 0;
        for (size, moved, wait) in orders {
            now += wait;
            let mark = price((USD as u64 * moved / 1_000) << 10, 10);
            desk.book.assets[1].lot_price = mark;
            desk.book.instruments.iter_mut().for_each(|terms| terms.mark = mark);
            if size != 0 && desk.trade(&mut grant, size, now) {
                prop_assert!(spread <= 25_000 + 1);
                prop_assert!(worth(&desk.book, &desk.taker) >= grant.floor());
                prop_assert!(grant.spent.level <= grant.terms.budget);
            }
        }
    }

    /// 11.1: a mask holds exactly the instruments of its bits, and none beyond the book's 128.
    #[test]
    fn a_set_of_markets_holds_its_bits(low: u64, high: u64, instrument: u8) {
        let bits = (u128::from(high) << 64) | u128::from(low);
        let expected = instrument < 128 && (bits >> (instrument & 127)) & 1 == 1;
        prop_assert_eq!(MarketSet([low, high]).contains(instrument), expected);
        prop_assert_eq!(MarketSet([low, high]).is_empty(), bits == 0);
    }
}

/// 11.1: the budget of a day, spent just before midnight, is not there again just after: only what
/// refills in those seconds is.
#[test]
fn a_budget_is_not_reset_by_waiting_for_midnight() {
    let book = one_asset();
    let account = TestAccount::default();
    let mut grant = grant(terms(8_640 * USD as u64, 0));
    let midnight = 20_000 * DAY;
    grant.spent.updated = midnight - DAY;
    grant.spent = judge(&book, &account, &grant, &[fill(0, 8_640)], midnight - 10).expect("whole");
    // Ten cents a second.
    assert_eq!(grant.available(midnight + 10), 2 * USD as u64);
    let refused = judge(&book, &account, &grant, &[fill(0, 3)], midnight + 10);
    let (available, asked) = (2 * USD as u64, 3 * USD as u64);
    assert_eq!(refused, Err(RiskError::GrantSpent { available, asked }));
    judge(&book, &account, &grant, &[fill(0, -2)], midnight + 10).expect("what has refilled");
}

/// 11.1: opens and closes count alike, and so do the two sides of an order that trades two markets.
#[test]
fn every_leg_counts_against_the_budget() {
    let book = one_asset();
    let grant = grant(terms(10 * USD as u64, 0));
    let account = TestAccount::default();
    let legs = [fill(0, 6), fill(1, -5)];
    let (available, asked) = (10 * USD as u64, 11 * USD as u64);
    let refused = judge(&book, &account, &grant, &legs, 0);
    assert_eq!(refused, Err(RiskError::GrantSpent { available, asked }));
    let spent = judge(&book, &account, &grant, &[fill(0, 6), fill(1, -4)], 0).expect("within");
    assert_eq!(spent.level, 10 * USD as u64);
}

/// 11.1: markets and expiry are as granted; the last second counts.
#[test]
fn a_grant_holds_for_its_markets_and_until_its_expiry() {
    let book = one_asset();
    let account = TestAccount::default();
    let mut grant = grant(terms(u64::MAX >> 8, 0));
    grant.terms.markets = MarketSet([0b10, 0]);
    grant.terms.expiry = 100;
    let legs = [fill(1, 1), fill(0, 1)];
    let refused = judge(&book, &account, &grant, &legs, 100);
    assert_eq!(refused, Err(RiskError::NotGranted { instrument: 0 }));
    judge(&book, &account, &grant, &legs[..1], 100).expect("granted");
    let refused = judge(&book, &account, &grant, &legs[..1], 101);
    assert_eq!(refused, Err(RiskError::GrantExpired { expiry: 100 }));
}

/// 11.1, 2.6: the floor rests on prices. A stale or split one hides losses, so the delegate waits; an
/// asset that the account does not hold blocks nothing (2.8).
#[test]
fn a_floor_is_judged_on_prices_that_serve() {
    let mut book = one_asset();
    book.list(plain_asset(), [900_000; 4], 1);
    let account = TestAccount::default()
        .with_balance(0, USD)
        .with_balance(1, USD);
    let all = terms(u64::MAX >> 8, 0);
    let grant = granted(&book, &account, all).expect("a grant");
    book.qualities[2].tier = Tier::Stale;
    judge(&book, &account, &grant, &[], 0).expect("of no concern");
    for tier in [Tier::Diverged, Tier::Stale, Tier::Invalid] {
        book.qualities[1].tier = tier;
        let unfit = RiskError::PriceUnfit {
            asset: 1,
            tier,
            age_s: 1,
        };
        assert_eq!(judge(&book, &account, &grant, &[], 0), Err(unfit));
        assert_eq!(granted(&book, &account, all), Err(unfit));
    }
    book.qualities[1].tier = Tier::Wide;
    judge(&book, &account, &grant, &[], 0).expect("a wide price serves");
    let unfit = RiskError::PriceUnfit {
        asset: 1,
        tier: Tier::Wide,
        age_s: 1,
    };
    assert_eq!(granted(&book, &account, all), Err(unfit));

    book.qualities[1] = PriceQuality { age_s: 31, ..FRESH };
    assert!(granted(&book, &account, all).is_err(), "30 s for a grant");
    judge(&book, &account, &grant, &[], 0).expect("60 s for an order");
    book.qualities[1].age_s = 61;
    assert!(judge(&book, &account, &grant, &[], 0).is_err());
}

/// 11.1: a delegate's opening fills keep to a quarter of the range, where an owner's may go to half;
/// and his exits do not follow the worse bound of a split price beyond it, as an owner's do (2.6).
#[test]
fn a_delegates_fills_stay_within_a_quarter_of_the_range() {
    let slips = |result: Result<_, RiskError>| matches!(result, Err(RiskError::BeyondSlip { .. }));
    let mut desk = Desk::new(25_000, 10_000 * USD);
    for authority in [Authority::Owner, Authority::Delegate] {
        desk.fill(1_000, Intent::Open, authority).expect("2.5%");
    }
    desk.spread = Ppm(25_001);
    desk.fill(1_000, Intent::Open, Authority::Owner)
        .expect("up to 5%");
    assert!(slips(desk.fill(1_000, Intent::Open, Authority::Delegate)));

    desk.spread = Ppm(0);
    desk.taker.positions[0].size = Lots(1_000);
    desk.book.qualities[1].tier = Tier::Diverged;
    desk.book.qualities[1].bound_down = Frac40((1 << 40) / 25);
    desk.fill(-1_000, Intent::Close, Authority::Owner)
        .expect("at the bound");
    assert!(slips(desk.fill(-1_000, Intent::Close, Authority::Delegate)));
}

/// The ends of the types judge and do not fail.
#[test]
fn a_grant_of_anything_is_judged() {
    let book = one_asset();
    let account = TestAccount::default();
    for equity in [i64::MIN, 0, i64::MAX] {
        for max_loss in [0, u64::MAX] {
            for budget in [0, 1, u64::MAX] {
                let mut grant = grant(terms(budget, 0));
                grant.terms.max_loss = max_loss;
                (grant.equity, grant.deposits) = (Atoms(equity), Atoms(equity));
                grant.spent = Spent {
                    level: u64::MAX,
                    updated: equity,
                };
                for now in [i64::MIN, 0, i64::MAX] {
                    let result = judge(&book, &account, &grant, &[fill(0, i64::MIN)], now);
                    assert!(result.is_err() || (budget == u64::MAX && grant.floor().0 <= 0));
                }
            }
        }
    }
}
