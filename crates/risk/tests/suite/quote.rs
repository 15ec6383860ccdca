//! 10.1, 3.4: what a pool asks, who gets the fee, how large a market may grow.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

/// The premium by its definition, in i128: lots with 24 places that a skew costs, floor.
fn by_definition(skew: i64, scale: u64) -> i128 {
    let (skew, scale) = (i128::from(skew.unsigned_abs()), i128::from(scale));
    let within = skew.min(scale);
    ((within * within) << 23) / scale + ((skew - within) << 24)
}

fn any_market() -> impl Strategy<Value = (Price, u64)> {
    (1u64 << 29..1 << 40, 14u8..62, 1u64..=MAX_SKEW_SCALE)
        .prop_map(|(mantissa, shift, scale)| (price(mantissa, shift), scale))
}

fn charged(taker: u32, maker: u32, referral: u32) -> MarketTerms {
    MarketTerms {
        taker_fee: Ppm(taker),
        maker_fee: Ppm(maker),
        referral_share: Ppm(referral),
        ..MarketTerms::default()
    }
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 10.1: the premium of a fill is the mark times the integral of skew over scale, rounded against
    /// the taker once, in every range of the arguments.
    #[test]
    fn a_premium_is_the_integral_over_the_fill((mark, scale) in any_market(), skew in any_signed(42), size in any_signed(31)) {
        let lots = by_definition(skew + size, scale) - by_definition(skew, scale);
        let product = lots * i128::from(mark.mantissa());
        let shift = u32::from(mark.shift()) + 24;
        let exact = -((-product) >> shift);
        match impact(Lots(size), mark, Lots(skew), scale) {
            Ok(found) => prop_assert_eq!(i128::from(found.0), exact),
            Err(error) => {
                prop_assert_eq!(error, RiskError::TooLarge);
                prop_assert!(exact.abs() > 1 << 54 || (skew.abs() + size.abs()) >> 39 != 0);
            }
        }
    }

    /// 10.1, I5: over any closed loop of fills at one price, begun at any skew, premiums sum to what
    /// rounding added, below an atom per fill.
    #[test]
    fn a_closed_loop_pays_back_what_was_paid((mantissa, shift) in (1u64 << 29..1 << 40, 20u8..62), scale in 1u64..=MAX_SKEW_SCALE, start in any_signed(32), sizes in prop::collection::vec(any_signed(28), 1..20)) {
        let mark = price(mantissa, shift);
        let (mut skew, mut paid, mut fills) = (start, 0i128, 0i128);
        let home = sizes.iter().sum::<i64>();
        for size in sizes.into_iter().chain([-home]) {
            paid += i128::from(impact(Lots(size), mark, Lots(skew), scale).unwrap().0);
            skew += size;
            fills += 1;
        }
        prop_assert_eq!(skew, start);
        prop_assert!((0..=fills).contains(&paid), "{} over {} fills", paid, fills);
    }

    /// 10.1: what traders earn back never exceeds what was paid in, whatever they do at whatever
    /// prices; and who ends where he began, at one price, has paid.
    #[test]
    fn nobody_earns_back_what_was_not_paid(
        scale in 1u64..1 << 36, spread in 0u32..5_000, before in 0u64..1 << 40,
        steps in prop::collection::vec((any_signed(28), 1u64 << 29..1 << 32), 1..20)
    ) {
        let mut market = MarketTerms { skew_scale: scale, impact_paid: before, ..MarketTerms::default() };
        for (size, mantissa) in &steps {
            let found = quote(Lots(*size), price(*mantissa, 20), &market, (Ppm(spread), Ppm(0))).unwrap();
            let after = i128::from(market.impact_paid) + i128::from(found.impact.0);
            prop_assert!(after >= 0);
            market.impact_paid = after as u64;
            market.skew += size;
        }

        let mark = price(1 << 30, 20);
        market.skew = 0;
        market.impact_paid = before;
        let (mut cost, home) = (0i128, steps.iter().map(|(size, _)| size).sum::<i64>());
        for size in steps.iter().map(|(size, _)| *size).chain([-home]).filter(|size| *size != 0) {
            let found = quote(Lots(size), mark, &market, (Ppm(spread), Ppm(0))).unwrap();
            cost += i128::from(found.amount.0);
            market.impact_paid = (i128::from(market.impact_paid) + i128::from(found.impact.0)) as u64;
            market.skew += size;
        }
        prop_assert!(cost >= 0, "gained {}", -cost);
    }

    /// 10.1: a market that is listed keeps its premium within an eighth of its range's floor, up to its
    /// cap: skew shuts no exit.
    #[test]
    fn a_listed_premium_leaves_exits_open(cap in 1u64..1 << 31, scale in 1u64..=MAX_SKEW_SCALE, floor in 1_000u32..1_000_000, part in 0u64..=1 << 16, lots in 1u64..1 << 31) {
        prop_assume!(premium_fits(cap, scale, Ppm(floor)));
        let mark = price(1 << 30, 14);
        let skew = (cap * part) >> 16;
        let size = lots.min(cap - skew);
        prop_assume!(size > 0);
        let paid = impact(Lots(size as i64), mark, Lots(skew as i64), scale).unwrap().0;
        let value = keel_risk::num::value_floor(Lots(size as i64), mark).0;
        prop_assert!(i128::from(paid - 1) * 8_000_000 <= i128::from(value + 1) * i128::from(floor));
    }

    /// 10.1: the spread of an aged price is at least its share of a standard deviation, and at most
    /// three ppm of the share more.
    #[test]
    fn an_old_price_is_dear(volatility in 0u32..5_000_000, age in 0u32..3_600, share in 0u32..10_000_000) {
        let per_year = f64::from(volatility) / 1e6;
        let variance = Frac40((per_year * per_year * (1u64 << 40) as f64) as u64);
        let found = f64::from(age_spread(variance, age, Ppm(share)).0);
        let moved = (variance.0 as f64 / (1u64 << 40) as f64 * f64::from(age) / 31_536_000.0).sqrt();
        let exact = moved * f64::from(share);
        prop_assert!(found >= exact - 1e-6 * exact);
        let above = 3.0 * f64::from(share) / 1e6 + 1.0;
        prop_assert!(found <= exact + above, "{} for {}", found, exact);
        prop_assert!(age_spread(variance, age + 1, Ppm(share)).0 >= found as u32);
    }

    /// I2: the parts of a fee sum to it; nobody's part is more than his rate of it.
    #[test]
    fn a_fee_is_split_whole(amount in any_signed(54), taker in 0u32..=20_000, maker in 0u32..=20_000, referral in 0u32..=500_000, referred: bool) {
        let split = split_fee(Atoms(amount), &charged(taker, maker, referral), referred);
        let notional = u128::from(amount.unsigned_abs());
        let fee = (notional * u128::from(taker)).div_ceil(1_000_000) as i64;
        prop_assert_eq!(split.total(), Atoms(fee));
        prop_assert!(split.maker.0 >= 0 && split.referral.0 >= 0 && split.market.0 >= 0);
        prop_assert!(split.maker.0 as u128 * 1_000_000 <= notional * u128::from(maker));
        prop_assert!(i128::from(split.referral.0) * 1_000_000 <= i128::from(fee) * i128::from(referral));
        prop_assert!(referred || split.referral.0 == 0);
    }

    /// Rounding of fees cannot be farmed: cut into pieces an order pays no less, and a referrer who is
    /// the trader himself gets no more back than his share of it.
    #[test]
    fn cutting_an_order_saves_no_fee(pieces in prop::collection::vec(1i64..3_000_000, 1..40), taker in 0u32..=20_000, maker in 0u32..=500, referral in 0u32..=500_000) {
        // While maker and referrer together get less than the fee.
        let market = charged(taker, maker.min(taker / 2), referral);
        let whole = split_fee(Atoms(pieces.iter().sum()), &market, true);
        let (mut fees, mut back) = (0, 0);
        for piece in pieces {
            let split = split_fee(Atoms(piece), &market, true);
            fees += split.total().0;
            back += split.referral.0;
        }
        prop_assert!(fees >= whole.total().0);
        prop_assert!(i128::from(back) * 1_000_000 <= i128::from(fees) * i128::from(referral));
        prop_assert!(fees - back >= whole.total().0 - whole.referral.0 - 1);
    }

    /// 3.4: the limit told is the greatest open interest that is not beyond it.
    #[test]
    fn an_open_interest_limit_binds_to_the_lot(
        cap in 0u64..1 << 40, depth in 0i64..1 << 40, insurance in -(1i64 << 40)..1 << 40, multiple in 0u32..1_000,
        mantissa in 1u64 << 20..1 << 40, shift in 14u8..40
    ) {
        let market = MarketTerms { open_interest_cap: cap, insurance: Atoms(insurance), insurance_multiple: multiple, ..MarketTerms::default() };
        let mark = price(mantissa, shift);
        let limit = open_interest_limit(&market, Atoms(depth), mark);
        let exceeds = |lots| exceeds_open_interest(&market, lots, Atoms(depth), mark);
        prop_assert!(!exceeds(limit));
        prop_assert!(exceeds(limit + 1));
    }
}

/// 10.1 by hand: scale 1,000 lots of $1; buying 100 from nothing costs 100^2 / 2,000 lots, $5, on
/// average a premium of 5%; the next 100 cost $15; selling all 200 earns the $20 back.
#[test]
fn a_premium_by_hand() {
    let mark = price(1_000_000 << 10, 10);
    let pays = |size, skew| impact(Lots(size), mark, Lots(skew), 1_000).unwrap().0;
    assert_eq!(pays(100, 0), 5_000_000);
    assert_eq!(pays(100, 100), 15_000_000);
    assert_eq!(pays(-200, 200), -20_000_000);
    assert_eq!(pays(-200, 100), 0);
    // Sellers' skew costs sellers the same.
    assert_eq!(pays(-100, 0), 5_000_000);
    assert_eq!(pays(100, -100), -5_000_000);
    // From a skew of twice the scale on, each lot is at twice the mark, and sold at none.
    assert_eq!(pays(10, 2_000), 10_000_000);
    assert_eq!(pays(-10, -2_000), 10_000_000);
    assert_eq!(
        impact(Lots(1), mark, Lots(i64::MAX), 1_000),
        Err(RiskError::TooLarge)
    );
}

/// 10.1: earning back ends with what was paid.
#[test]
fn a_premium_is_earned_back_up_to_what_was_paid() {
    let mark = price(1_000_000 << 10, 10);
    let asks = |impact_paid, scale| {
        let market = MarketTerms {
            skew: 100,
            skew_scale: scale,
            impact_paid,
            ..MarketTerms::default()
        };
        quote(Lots(-100), mark, &market, (Ppm(10_000), Ppm(0))).unwrap()
    };
    let quote = |amount, impact| Quote {
        amount: Atoms(amount),
        impact: Atoms(impact),
    };
    assert_eq!(asks(9_000_000, 1_000), quote(-104_000_000, -5_000_000));
    assert_eq!(asks(2_000_000, 1_000), quote(-101_000_000, -2_000_000));
    assert_eq!(asks(0, 1_000), quote(-99_000_000, 0));
    assert_eq!(asks(9_000_000, 0), quote(-99_000_000, 0));
}

/// 2.6: where an exit is open at a bound alone, it is at the worse of bound and quote, and earns
/// nothing back.
#[test]
fn an_exit_at_a_bound_is_at_the_worse_of_bound_and_quote() {
    let mark = price(1_000_000 << 10, 10);
    let market = MarketTerms {
        skew: 100,
        skew_scale: 1_000,
        impact_paid: u64::MAX,
        ..MarketTerms::default()
    };
    let asks = |size, bound| {
        let found = quote(Lots(size), mark, &market, (Ppm(10_000), Ppm(bound))).unwrap();
        (found.amount.0, found.impact.0)
    };
    // Selling: 99 less the bound's 3; buying: 101 and the 15 of the premium, beyond the bound's 103.
    assert_eq!(asks(-100, 30_000), (-97_000_000, 0));
    assert_eq!(asks(100, 30_000), (116_000_000, 15_000_000));
    assert_eq!(asks(100, 200_000), (120_000_000, 15_000_000));
}

/// 10.1 by hand: at 80% a year ten seconds move a price by 450.5 ppm.
#[test]
fn an_aged_price_by_hand() {
    let variance = Frac40((0.64 * (1u64 << 40) as f64) as u64);
    assert_eq!(age_spread(variance, 10, Ppm::ONE), Ppm(451));
    assert_eq!(age_spread(variance, 10, Ppm(2_000_000)), Ppm(902));
    assert_eq!(age_spread(variance, 0, Ppm::ONE), Ppm(0));
    assert_eq!(age_spread(variance, 10, Ppm(0)), Ppm(0));
    assert!(age_spread(Frac40(u64::MAX), u32::MAX, Ppm(u32::MAX)) > Ppm::ONE);
    let market = MarketTerms {
        base_spread: Ppm(200),
        conf_share: Ppm(250_000),
        age_share: Ppm::ONE,
        ..MarketTerms::default()
    };
    let quality = PriceQuality { age_s: 10, ..FRESH };
    assert_eq!(
        market_spread(&market, &quality, variance),
        Ppm(200 + 125 + 451)
    );
}

/// 10.1: a referrer gets his share of the fee, the maker his rate of the notional, at most all.
#[test]
fn a_fee_by_hand() {
    let market = charged(500, 200, 100_000);
    let split = |amount, referred| {
        let split = split_fee(Atoms(amount), &market, referred);
        (split.maker.0, split.referral.0, split.market.0)
    };
    assert_eq!(split(1_000_000_000, true), (200_000, 50_000, 250_000));
    assert_eq!(split(-1_000_000_000, false), (200_000, 0, 300_000));
    // 1 atom of fee for 1,999 atoms: floors leave it to the market.
    assert_eq!(split(1_999, true), (0, 0, 1));
    let all = split_fee(Atoms(1_000_000), &charged(500, 20_000, 500_000), true);
    assert_eq!((all.maker.0, all.referral.0, all.market.0), (500, 0, 0));
}

/// 7.1, 7.3: only funding that is due makes a market old.
#[test]
fn a_market_is_old_only_where_funding_is_due() {
    let state = |rate, skew_integral| FundingState {
        rate,
        skew_integral,
        since: 0,
        carries: Carries::NONE,
    };
    let terms = |now| FundingTerms {
        velocity: Ppm(30_000_000),
        max_funding: Ppm(20_000),
        skew_scale: 100_000_000_000,
        mark: price(150_000 << 16, 16),
        now,
    };
    assert_eq!(funding_age_s(&state(1 << 30, 0), &terms(3_600)), 3_600);
    assert_eq!(funding_age_s(&state(1 << 30, 0), &terms(3_601)), 3_601);
    assert_eq!(funding_age_s(&state(0, 1 << 50), &terms(7_200)), 7_200);
    assert_eq!(funding_age_s(&state(0, 0), &terms(86_400)), 0);
    // One lot's second: less than the finest step, for ever.
    assert_eq!(funding_age_s(&state(0, 1), &terms(86_400)), 0);
    assert_eq!(funding_age_s(&state(0, 0), &terms(-5)), 0);
}
