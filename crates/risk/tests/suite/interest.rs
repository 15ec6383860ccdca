//! 7.1, 7.3, 4.1: interest; 7.2: the funding rate.

use crate::common::*;
use keel_risk::*;
use num_bigint::BigInt;
use num_traits::ToPrimitive;
use proptest::prelude::*;

const DAY: i64 = 86_400;

/// 5% a year at 80%, 20% at 90%, 100% at all.
const CURVE: RateCurve = RateCurve {
    utilisation: [Ppm(800_000), Ppm(900_000)],
    rate: [Ppm(50_000), Ppm(200_000), Ppm(1_000_000)],
};

/// The same rate whatever is borrowed.
fn flat(rate: u32) -> RateCurve {
    RateCurve {
        utilisation: [Ppm(0), Ppm(900_000)],
        rate: [Ppm(rate); 3],
    }
}

const START: Accruing = Accruing {
    rate: PerSecond64(0),
    since: 0,
    pending: 0,
};

fn terms(curve: RateCurve, now: i64) -> AccrualTerms {
    AccrualTerms {
        curve,
        insurance_share: Ppm(100_000),
        now,
    }
}

/// 7.1: the three lines of the curve, and its corners.
#[test]
fn the_curve_has_two_kinks() {
    let at = |used| CURVE.at(Ppm(used)).0;
    assert_eq!((at(0), at(400_000), at(800_000)), (0, 25_000, 50_000));
    assert_eq!((at(850_000), at(900_000)), (125_000, 200_000));
    assert_eq!(
        (at(950_000), at(1_000_000), at(2_000_000)),
        (600_000, 1_000_000, 1_000_000)
    );
    // Rounded up.
    assert_eq!(at(1), 1);
    assert_eq!(utilisation(3, 1), Ppm(333_334));
    assert_eq!(
        (utilisation(0, 0), utilisation(0, 1), utilisation(1, 2)),
        (Ppm(0), Ppm(1_000_000), Ppm(1_000_000))
    );
}

/// 7.1 in figures: $1,000,000 lent out at half of $2,000,000 for a year, 10% flat, compounded: e^0.1 - 1
/// of it is charged, a tenth of that to the insurance.
#[test]
fn depositors_get_what_borrowers_are_charged_less_the_insurance_share() {
    let start = bank(2_000_000_000_000, 1_000_000_000_000);
    let plan = plan_accrual(&start, START, &terms(flat(100_000), 31_536_000));
    // 105,170,918,075.65, and an atom because the rate per second is rounded up.
    assert_eq!(plan.charged, 105_170_918_077);
    assert_eq!(plan.to_insurance, 10_517_091_808);
    let after = start.after(&plan.change);
    assert_eq!(after.deposits() - start.deposits(), plan.to_depositors);
    assert_eq!(
        after.dust,
        plan.charged - plan.to_insurance - plan.to_depositors
    );
    assert_eq!(after.tracked, after.owed());
}

/// 7.1: a borrow repaid in the slot that it was taken in earns nothing, and one taken after a quiet
/// year is not charged for that year.
#[test]
fn time_is_charged_at_the_utilisation_that_held() {
    let curve = terms(CURVE, 400 * DAY);
    // A sliver is lent out for a year: so little that no index moves with each second.
    let quiet = bank(1 << 50, 1);
    let first = plan_accrual(&quiet, START, &curve);
    assert_eq!(first.accruing.since, 400 * DAY);
    let mut lent = quiet.after(&first.change);
    let before = lent.deposits();
    lent.borrow_shares = (1 << 50) - (1 << 46);
    let second = plan_accrual(&lent, first.accruing, &curve);
    assert_eq!(second.charged, 0);
    assert_eq!(second.change.indices, None);
    assert_eq!(lent.after(&second.change).deposits(), before);
}

/// 7.3: what is too little for the index waits, at its own rate, and is not lost.
#[test]
fn little_growth_waits() {
    let start = bank(1 << 50, 1 << 40);
    let (mut ledger, mut accruing) = (start, START);
    let mut writes = 0;
    for now in 1..=3_600 {
        let plan = plan_accrual(&ledger, accruing, &terms(flat(10), now));
        writes += u64::from(plan.change.indices.is_some());
        ledger = ledger.after(&plan.change);
        accruing = plan.accruing;
        assert_eq!(accruing.since, now);
    }
    // 10 ppm a year is 89 of the finest units a second: 4,096 of them take 46 seconds.
    assert_eq!(writes, 3_600 / 46);
}

/// 7.1, 1.6: a bank that nobody brought to now for ages, and one at its greatest index.
#[test]
fn accrual_is_total() {
    let mut start = bank(1 << 61, 1 << 60);
    let plan = plan_accrual(&start, START, &terms(flat(u32::MAX), i64::MAX));
    assert!(start.after(&plan.change).borrow_index.0 < 3 << 48);
    start.borrow_index = MAX_INDEX;
    start.borrow_shares = 1;
    let plan = plan_accrual(&start, START, &terms(flat(u32::MAX), i64::MAX));
    assert_eq!(start.after(&plan.change).borrow_index, MAX_INDEX);
    let back = plan_accrual(&start, plan.accruing, &terms(flat(100), -5));
    assert_eq!((back.charged, back.accruing.since), (0, i64::MAX));
}

/// Indices between one and sixteen tokens per share.
fn any_bank() -> impl Strategy<Value = BankLedger> {
    let shares = (any_magnitude(52), 0u64..=1_000_000);
    (shares, 1u64 << 48..1 << 52, 1u64 << 48..1 << 52).prop_map(|(shares, deposit, borrow)| {
        let mut ledger = BankLedger {
            deposit_index: Index48(deposit),
            borrow_index: Index48(borrow),
            ..bank(shares.0, 0)
        };
        let lent = u128::from(ledger.deposits()) * u128::from(shares.1) / 1_000_000;
        ledger.borrow_shares = ((lent << 48) / u128::from(borrow)) as u64;
        ledger.tracked = ledger.owed();
        ledger
    })
}

/// The borrow index with what is pending, in 2^-112.
fn effective(ledger: &BankLedger, accruing: &Accruing) -> BigInt {
    BigInt::from(ledger.borrow_index.0) * ((BigInt::from(1) << 64) + accruing.pending)
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 7.1, I1: no atom is made or lost, no index falls, depositors never get more than was charged.
    #[test]
    fn accrual_conserves_and_no_index_falls(ledger in any_bank(), dt in 0i64..400 * DAY, share in 0u32..=1_000_000) {
        let terms = AccrualTerms { insurance_share: Ppm(share), ..terms(CURVE, dt) };
        let plan = plan_accrual(&ledger, START, &terms);
        let after = ledger.after(&plan.change);
        prop_assert_eq!(after.tracked, after.owed());
        prop_assert_eq!(after.tracked, ledger.tracked);
        prop_assert_eq!(after.borrows() - ledger.borrows(), plan.charged);
        prop_assert_eq!(after.deposits() - ledger.deposits(), plan.to_depositors);
        prop_assert_eq!(after.insurance - ledger.insurance, plan.to_insurance);
        prop_assert_eq!(plan.charged, plan.to_depositors + plan.to_insurance + after.dust - ledger.dust);
        prop_assert!(after.borrow_index >= ledger.borrow_index && after.deposit_index >= ledger.deposit_index);
        // What rounding withholds from depositors is less than a share's worth, and two units.
        let dust = after.dust - ledger.dust;
        prop_assert!(dust <= 2 + (ledger.deposit_shares >> 48) + 1, "{dust}");
        prop_assert!(plan.accruing.since == dt);
    }

    /// 7.3: any split of an interval differs by less than 1/4,000 of the carry, in the protocol's
    /// favour.
    #[test]
    fn splitting_time_makes_no_difference(rate in 1u32..=2_000_000, index in 1u64 << 48..1 << 52, cuts in prop::collection::vec(1i64..30 * DAY, 1..12), quick in 1i64..120) {
        let start = BankLedger { borrow_index: Index48(index), ..bank(1 << 60, 1 << 50) };
        let mut moments = cuts.clone();
        moments.extend((1..20).map(|n| n * quick));
        moments.sort_unstable();
        let end = *moments.last().unwrap();
        let whole = plan_accrual(&start, START, &terms(flat(rate), end));
        let whole = effective(&start.after(&whole.change), &whole.accruing);

        let (mut ledger, mut accruing) = (start, START);
        for now in moments {
            let plan = plan_accrual(&ledger, accruing, &terms(flat(rate), now));
            ledger = ledger.after(&plan.change);
            accruing = plan.accruing;
        }
        let split = effective(&ledger, &accruing);
        let carry: BigInt = &whole - effective(&start, &START);
        // A pending part counts simply and not compounded: less than 2^-36 of itself.
        let unit: BigInt = BigInt::from(2) << 64;
        let more: BigInt = split - whole;
        prop_assert!(more >= -unit.clone(), "{more}");
        prop_assert!(more.clone() * 4_000 < carry + unit * 4_000, "{more}");
    }

    /// 4.1: judging never sees a borrow smaller than simple interest makes it.
    #[test]
    fn the_extrapolated_index_is_the_exact_one_rounded_up(index in 1u64 << 48..1 << 56, rate in 0u32..=2_000_000, dt in 0i64..3_600) {
        let rate = per_second(Ppm(rate));
        let found = extrapolated(Index48(index), rate, dt).0;
        let grown: BigInt = (BigInt::from(index) * rate.0 * dt) >> 64;
        let exact = index + grown.to_u64().unwrap();
        prop_assert!(found >= exact && found <= exact + LEAST_STEP + 1);
        prop_assert_eq!(extrapolated(Index48(index), rate, -1).0, index);
    }
}

fn market(rate: i64, skew: i64, dt: i64) -> FundingState {
    FundingState {
        rate,
        skew_integral: integrated(0, skew, dt),
        since: 0,
        carries: Carries::NONE,
    }
}

/// 10% a day per day of full skew, at most 2% a day, full at a million lots of $1.
fn funding(now: i64) -> FundingTerms {
    FundingTerms {
        velocity: Ppm(100_000),
        max_funding: Ppm(20_000),
        skew_scale: 1_000_000,
        mark: price(1_000_000 << 10, 10),
        now,
    }
}

/// 7.2 in figures: half skew for an hour lifts the rate by 10% / 2 / 24 a day; the mean of none and
/// that is paid for an hour on $1.
#[test]
fn funding_follows_the_skew_with_velocity() {
    let plan = plan_funding(&market(0, 500_000, 3_600), &funding(3_600));
    let rate = (0.05 / 24.0 * 2f64.powi(48)) as i64;
    assert!((plan.after.rate - rate).abs() <= 2);
    let paid = 1e6 * 0.05 / 24.0 / 2.0 / 24.0;
    let step = plan.step.0 as f64 / 2f64.powi(48);
    assert!((step - paid).abs() < 1e-6, "{step} {paid}");
    assert_eq!(plan.after.carries.long, plan.after.carries.short);

    // Shorts pay longs for a short skew; the cap binds both ways; two days count one hour.
    let short = plan_funding(&market(0, -500_000, 3_600), &funding(3_600));
    assert_eq!(
        (short.after.rate, short.step.0),
        (-plan.after.rate, -plan.step.0)
    );
    let most = ((20_000i128 << 48) / 1_000_000) as i64;
    let capped = plan_funding(&market(most, 9_000_000, 2 * DAY), &funding(2 * DAY));
    assert_eq!((capped.after.rate, capped.counted_s), (most, 3_600));
    // No market exceeds 12% a day, whatever its terms say.
    let wild = FundingTerms {
        max_funding: Ppm(900_000),
        velocity: Ppm(u32::MAX),
        ..funding(3_600)
    };
    let plan = plan_funding(&market(0, 1_000_000, 3_600), &wild);
    assert_eq!(plan.after.rate, ((120_000i128 << 48) / 1_000_000) as i64);
}

/// 7.3: nothing is written while nothing much is owed, and time moves where nothing is.
#[test]
fn a_small_step_of_funding_waits() {
    let idle = plan_funding(&market(0, 0, 100), &funding(100));
    assert_eq!((idle.after.since, idle.step.0), (100, 0));
    let cheap = FundingTerms {
        velocity: Ppm(1),
        skew_scale: 1 << 40,
        ..funding(1)
    };
    let state = market(0, 1, 1);
    assert_eq!(plan_funding(&state, &cheap).after, state);
    assert_eq!(plan_funding(&state, &funding(-7)).after, state);
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 7.2, 7.3: both sides move by one step; the rate stays within its bounds; and within an hour
    /// any split differs by less than 1/4,000 of what is paid.
    #[test]
    fn funding_is_path_independent(rate in 0i64..1 << 40, skew in 0i64..=1_000_000, mantissa in 1u64 << 29..1 << 40, dt in 2i64..=3_600, cuts in prop::collection::vec(1i64..3_600, 0..8)) {
        let most = 1i64 << 45;
        let terms = |now| FundingTerms { max_funding: MAX_FUNDING, mark: price(mantissa, 10), ..funding(now) };
        let whole = plan_funding(&market(rate, skew, dt), &terms(dt));

        let mut state = market(rate, 0, 0);
        let (mut paid, mut last) = (0i128, 0);
        let mut moments: Vec<i64> = cuts.into_iter().filter(|cut| *cut < dt).collect();
        moments.push(dt);
        moments.sort_unstable();
        for now in moments {
            state.skew_integral = integrated(state.skew_integral, skew, now - last);
            last = now;
            let plan = plan_funding(&state, &terms(now));
            prop_assert_eq!(plan.after.carries.long, plan.after.carries.short);
            prop_assert!(plan.after.rate.abs() <= most);
            paid += plan.after.carries.long.0 - state.carries.long.0;
            state = plan.after;
        }
        let difference = (paid - whole.step.0).abs();
        prop_assert!(difference * 4_000 <= whole.step.0.abs() + 4_000 * i128::from(LEAST_STEP), "{difference} of {}", { whole.step.0 });
    }
}
