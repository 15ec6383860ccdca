//! 7.1, 10.1 to 10.3: orders with all their terms, and the exit past a pool that cannot take a close.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

const USD: i64 = 1_000_000;

/// One asset of $1 lots, range 10%, with a perp; lots of depth.
fn book() -> TestBook {
    let mut book = empty_book();
    book.list(plain_asset(), [900_000; 4], 1);
    book
}

fn market() -> MarketTerms {
    MarketTerms {
        open_interest_cap: 1 << 30,
        min_size: 1,
        taker_fee: Ppm(500),
        maker_fee: Ppm(200),
        referral_share: Ppm(100_000),
        base_spread: Ppm(200),
        max_age_fill_s: 10,
        ..MarketTerms::default()
    }
}

const POOL: PoolTerms = PoolTerms {
    shares: 1,
    equity_cap: Atoms(i64::MAX),
    asset_cap: Atoms(1 << 50),
    factor: Ppm(3_000_000),
};

fn order(size: i64, market: MarketTerms) -> Order {
    Order {
        instrument: 0,
        size: Lots(size),
        limit_price: if size > 0 { u64::MAX } else { 0 },
        taker_slot: 0,
        maker_slot: 0,
        referred: true,
        market,
    }
}

/// Plans one leg.
fn plan(
    book: &TestBook,
    (taker, maker): (&TestAccount, &TestAccount),
    order: Order,
    intent: Intent,
) -> Result<(LegFill, OrderOutcome), RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let mut buffers = OrderBuffers {
        fills: &mut [LegFill::EMPTY],
        taker: &mut [(0, PositionLeg::EMPTY)],
        maker: &mut [(0, PositionLeg::EMPTY)],
    };
    let parties = Parties { taker, maker };
    let terms = OrderTerms {
        intent,
        authority: Authority::Owner,
        pool: POOL,
    };
    let mut scratch = Scratch::new(&mut lanes);
    let outcome = plan_order(book, &parties, &[order], terms, &mut buffers, &mut scratch)?;
    Ok((buffers.fills[0], outcome))
}

fn exit(
    book: &TestBook,
    (taker, maker): (&TestAccount, &TestAccount),
    order: Order,
    ledger: &MarketLedger,
) -> Result<ExitPlan, RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let parties = Parties { taker, maker };
    plan_exit(
        book,
        &parties,
        &order,
        (ledger, POOL),
        &mut Scratch::new(&mut lanes),
    )
}

/// The ledger of positions without carry.
fn ledger(accounts: &[&TestAccount]) -> MarketLedger {
    let legs = || accounts.iter().flat_map(|account| &account.positions);
    let side = SideLedger {
        open_interest: legs().map(|leg| leg.size.0.max(0)).sum::<i64>() as u64,
        carry: Carry48(0),
        keep: Keep::ONE,
        stray: Frac40(0),
        stray_quote: 0,
    };
    let quotes: i64 = legs().map(|leg| leg.quote.0).sum();
    MarketLedger {
        long: side,
        short: side,
        fees: -quotes,
        insurance: 0,
        quotes,
        residue: Dust48(0),
    }
}

/// Pool, trader and another trader of the same market: the other is short all that the first two are
/// long. All bought and sold at $1; the pool's cash is what is left of `worth` after a loss.
fn three(pool: i64, trader: i64, worth: i64) -> [TestAccount; 3] {
    let held = |size: i64, cash: i64| {
        TestAccount::default()
            .with_balance(0, cash)
            .with_position(0, size, -size * USD)
    };
    [
        held(pool, worth),
        held(trader, 1 << 40),
        held(-pool - trader, 1 << 40),
    ]
}

proptest! {
    #![proptest_config(config(10_000))]

    /// I2: the quotes of taker, maker and referrer, and the market's fees, sum to what they were, the
    /// carry of both sides included; the outcome's fees are what the taker paid.
    #[test]
    fn fees_of_a_fill_sum_to_zero(size in any_signed(20), held in -1_000_000i64..1_000_000, carry in (any_signed(56), any_signed(56)), skew in any_signed(24), referred: bool) {
        let mut book = book();
        book.instruments[0].carry_long = Carry48(carry.0.into());
        book.instruments[0].carry_short = Carry48(carry.1.into());
        let taker = rich().with_position(0, held, -held * USD);
        let maker = rich().with_position(0, -held, held * USD);
        let terms = MarketTerms { skew, skew_scale: 1 << 34, impact_paid: 1 << 40, ..market() };
        let asked = Order { referred, ..order(size, terms) };
        let Ok((fill, outcome)) = plan(&book, (&taker, &maker), asked, Intent::Open) else { return Ok(()) };

        let changed = fill.plan.taker_after.quote.0 + held * USD + fill.plan.maker_after.quote.0 - held * USD;
        prop_assert_eq!(fill.plan.quotes_change, changed + fill.fees.referral.0);
        prop_assert_eq!(fill.plan.fee, fill.fees.market);
        prop_assert_eq!(outcome.fees, fill.fees.total());
        let mut after = ledger(&[&taker, &maker]);
        for (side, change, carry) in [
            (&mut after.long, fill.plan.open_interest_change_long, carry.0),
            (&mut after.short, fill.plan.open_interest_change_short, carry.1),
        ] {
            side.carry = Carry48(carry.into());
            side.open_interest = side.open_interest.saturating_add_signed(change);
        }
        let before = MarketLedger { long: SideLedger { open_interest: held.unsigned_abs(), ..after.long }, short: SideLedger { open_interest: held.unsigned_abs(), ..after.short }, ..after };
        after.quotes += fill.plan.quotes_change;
        after.fees += fill.plan.fee.0;
        after.residue = fill.plan.residue;
        prop_assert_eq!(after.imbalance(), before.imbalance());
    }

    /// 10.2, I2: an exit closes at the mark less the fee, to the atom; the market's ledger balances
    /// after it, the other side bears nothing but its share of the lots.
    #[test]
    fn an_exit_is_at_the_mark_and_conserves(pool in 1_000i64..1_000_000, trader in 2i64..100_000, part in 1i64..100_000, mantissa in 900_000u64..1_100_000) {
        let part = part.min(trader);
        // Just above Maintenance, 10% of its net, so that what adds to it does not fit.
        let [pool, trader, other] = three(pool, trader, pool * USD / 10 + 1);
        let mut book = book();
        let mark = price((mantissa << 10) | 7, 10);
        let moved = (i128::from(pool.positions[0].size.0) * (i128::from(mantissa) - 1_000_000)) as i64;
        let mut pool = pool;
        pool.balances[0].shares.0 += pool.positions[0].size.0 * (mantissa as i64 - 1_000_000) / 10 - moved;
        book.assets[1].lot_price = mark;
        book.assets[1].native_price = price(mantissa << 10, 30);
        book.instruments[0].mark = mark;

        let ledger = ledger(&[&pool, &trader, &other]);
        let found = exit(&book, (&trader, &pool), order(-part, market()), &ledger);
        prop_assume!(found != Err(RiskError::PoolTakesIt));
        let plan = found.unwrap();
        prop_assert_eq!(plan.size, Lots(-part));
        let value = keel_risk::num::value_floor(Lots(part), mark).0;
        let fee = (value as u64 * 500).div_ceil(1_000_000) as i64;
        prop_assert_eq!(plan.amount, Atoms(-value));
        prop_assert_eq!(plan.after.quote.0 - plan.before.quote.0, value - fee);
        prop_assert_eq!((plan.fee, plan.market.fees), (Atoms(fee), fee));
        let after = ledger.after(&plan.market);
        prop_assert_eq!(after.imbalance(), 0);
        prop_assert_eq!(after.long.open_interest, after.short.open_interest);
        // The other trader, through keep and carry, is worth what he was, to a lot and an atom.
        let touched = plan_touch(other.positions[0], Keep::ONE, plan.opposite, mark);
        let carries = Carries { long: Carry48(0), short: plan.opposite.carry };
        let worth = |leg, carries| position_worth(&leg, mark, carries).0;
        let change = worth(touched.after, carries) - worth(other.positions[0], Carries::NONE);
        prop_assert!((-2..=0).contains(&change), "{}", change);
    }
}

/// 10.2: a close that the pool takes is no exit; one that it cannot take is none either at another
/// price than the mark, beyond the limit, or where nothing is held.
#[test]
fn an_exit_is_only_for_what_the_pool_cannot_take() {
    let [rich_pool, trader, other] = three(1_000, 100, 1_000 * USD);
    let [poor_pool, ..] = three(1_000, 100, 101 * USD);
    let mut book = book();
    let sells = order(-100, market());
    let ledger = ledger(&[&poor_pool, &trader, &other]);
    let refused = exit(&book, (&trader, &rich_pool), sells, &ledger);
    assert_eq!(refused, Err(RiskError::PoolTakesIt));

    let found = exit(&book, (&trader, &poor_pool), sells, &ledger).expect("an exit");
    assert_eq!(found.amount, Atoms(-100 * USD));
    assert_eq!(found.after.size, Lots(0));
    assert!(found.maintained);
    let limit = |limit_price| Order {
        limit_price,
        ..sells
    };
    let mark = book.instruments[0].mark.mantissa();
    assert!(exit(&book, (&trader, &poor_pool), limit(mark), &ledger).is_ok());
    assert_eq!(
        exit(&book, (&trader, &poor_pool), limit(mark + 11), &ledger),
        Err(RiskError::BeyondLimit {
            amount: Atoms(-100 * USD),
            limit: Atoms(-100 * USD - 2)
        })
    );
    assert!(matches!(
        exit(&book, (&trader, &poor_pool), order(-101, market()), &ledger),
        Err(RiskError::NotReducing { .. })
    ));

    // At a doubtful price a close is at the bound; an exit waits.
    book.qualities[1].tier = Tier::Diverged;
    book.qualities[1].bound_down = Frac40(1 << 33);
    assert!(matches!(
        exit(&book, (&trader, &poor_pool), sells, &ledger),
        Err(RiskError::PriceUnfit { .. })
    ));
}

/// 10.2: with one lot on the other side nothing can be closed against it.
#[test]
fn an_exit_leaves_the_other_side_a_lot() {
    let [pool, trader, other] = three(1_000, 100, 101 * USD);
    let mut ledger = ledger(&[&pool, &trader, &other]);
    ledger.short.open_interest = 60;
    let found = exit(&book(), (&trader, &pool), order(-100, market()), &ledger);
    assert_eq!(found.expect("a part").size, Lots(-59));
    ledger.short.open_interest = 1;
    let found = exit(&book(), (&trader, &pool), order(-100, market()), &ledger);
    assert!(matches!(found, Err(RiskError::TooLittleOpposite { .. })));
}

/// 10.3: below Maintenance a pool fills what lowers its requirement, and nothing else.
#[test]
fn a_pool_below_maintenance_fills_what_lowers_its_requirement() {
    let [pool, long, short] = three(1_000, 100, 50 * USD);
    let book = book();
    let close = |trader: &TestAccount, size| {
        plan(&book, (trader, &pool), order(size, market()), Intent::Close).map(drop)
    };
    // The pool is long: a short's close sells it what it holds.
    assert_eq!(close(&short, 500), Ok(()));
    assert!(matches!(
        close(&long, -50),
        Err(RiskError::PoolBelowMargin { .. })
    ));
    assert!(matches!(
        plan(&book, (&short, &pool), order(500, market()), Intent::Open),
        Err(RiskError::PoolBelowMargin { .. })
    ));
}

/// 3.4: ten depths, and a multiple of the insurance; a market without insurance does not open where it
/// counts (8.6); what closes passes.
#[test]
fn a_market_grows_to_ten_depths_and_so_many_times_its_insurance() {
    let mut book = book();
    let with = |multiple, insurance: i64| MarketTerms {
        insurance: Atoms(insurance),
        insurance_multiple: multiple,
        ..market()
    };
    let opens = |book: &TestBook, size, market| {
        plan(book, (&rich(), &rich()), order(size, market), Intent::Open).map(drop)
    };
    let refused = |cap, open_interest| Err(RiskError::OpenInterestCap { open_interest, cap });
    assert_eq!(opens(&book, 2_000, with(50, 40 * USD)), Ok(()));
    assert_eq!(
        opens(&book, 2_001, with(50, 40 * USD)),
        refused(2_000, 2_001)
    );
    assert_eq!(opens(&book, -100, with(50, 0)), refused(0, 100));
    assert_eq!(opens(&book, -100, with(50, -USD)), refused(0, 100));
    book.assets[1].depth = Atoms(150 * USD);
    assert_eq!(opens(&book, 1_500, with(0, 0)), Ok(()));
    assert_eq!(opens(&book, 1_501, with(0, 0)), refused(1_500, 1_501));
    let held = rich().with_position(0, 5_000, 0);
    let against = rich().with_position(0, -5_000, 0);
    let terms = MarketTerms {
        open_interest_long: 5_000,
        open_interest_short: 5_000,
        ..with(50, 0)
    };
    let close = plan(&book, (&held, &against), order(-100, terms), Intent::Close);
    assert!(close.is_ok());
}

/// 7.1: where funding is due for more than an hour, nothing grows; what shrinks passes.
#[test]
fn exposure_grows_only_where_funding_is_accrued() {
    let book = book();
    let aged = |accrual_age_s| MarketTerms {
        accrual_age_s,
        ..market()
    };
    let held = rich().with_position(0, 5_000, 0);
    let against = rich().with_position(0, -5_000, 0);
    let does = |size, age, intent| {
        plan(&book, (&held, &against), order(size, aged(age)), intent).map(drop)
    };
    let refused = Err(RiskError::AccrualTooOld {
        age_s: 3_601,
        limit_s: 3_600,
    });
    assert_eq!(does(100, 3_600, Intent::Open), Ok(()));
    assert_eq!(does(100, 3_601, Intent::Open), refused);
    assert_eq!(does(-5_100, 3_601, Intent::Open), refused);
    assert_eq!(does(-100, 3_601, Intent::Open), Ok(()));
    assert_eq!(does(-100, 3_601, Intent::Close), Ok(()));
}

/// 5.6: whether an order's taker is found at or above Maintenance is told.
#[test]
fn who_is_at_maintenance_is_told() {
    let book = book();
    let maker = rich().with_position(0, -1_000, 1_000 * USD);
    let found = |cash: i64| {
        let taker = TestAccount::default()
            .with_balance(0, cash * USD)
            .with_position(0, 1_000, -1_000 * USD);
        let close = plan(
            &book,
            (&taker, &maker),
            order(-100, market()),
            Intent::Close,
        );
        close.map(|(_, outcome)| outcome.taker_maintained)
    };
    // 900 lots need $90 of Maintenance and $135 of Initial.
    assert_eq!(found(200), Ok(true));
    assert_eq!(found(100), Ok(true));
    assert_eq!(found(80), Ok(false));
}
