//! 1.3, 1.4: every rounding operation against rationals.

use crate::common::*;
use crate::reference::{ratio, whole};
use keel_risk::num::*;
use keel_risk::*;
use num_bigint::BigInt;
use num_traits::ToPrimitive;
use proptest::prelude::*;

fn any_price() -> impl Strategy<Value = Price> {
    (any_magnitude(47), 0u8..=62).prop_map(|(mantissa, shift)| price(mantissa, shift))
}

/// `exact` where it fits, the end of `i64` on its side where it does not.
fn saturated(exact: BigInt) -> i64 {
    let end = if exact.sign() == num_bigint::Sign::Minus {
        i64::MIN
    } else {
        i64::MAX
    };
    exact.to_i64().unwrap_or(end)
}

proptest! {
    #![proptest_config(config(10_000))]

    #[test]
    fn products_are_exact(a in any::<u64>(), b in prop_oneof![any::<u64>(), any_magnitude(64)]) {
        let (high, low) = wide_mul(a, b);
        prop_assert_eq!((u128::from(high) << 64) | u128::from(low), u128::from(a) * u128::from(b));
    }

    #[test]
    fn shifted_products_round_as_named(a in any::<i64>(), b in any_magnitude(64), shift in 0u8..64) {
        let exact = ratio(BigInt::from(a) * b, BigInt::from(1) << usize::from(shift));
        prop_assert_eq!(mul_shift_floor(a, b, shift), saturated(exact.floor().to_integer()));
        prop_assert_eq!(mul_shift_ceil(a, b, shift), saturated(exact.ceil().to_integer()));
    }

    #[test]
    fn shifted_products_of_magnitudes_round_as_named(a in any_magnitude(64), b in any_magnitude(64), shift in any::<u8>()) {
        let exact = ratio(BigInt::from(a) * b, BigInt::from(1) << usize::from(shift.min(63)));
        let fit = |n: BigInt| n.to_u64().unwrap_or(u64::MAX);
        prop_assert_eq!(umul_shift_floor(a, b, shift), fit(exact.floor().to_integer()));
        prop_assert_eq!(umul_shift_ceil(a, b, shift), fit(exact.ceil().to_integer()));
    }

    /// 1.2.
    #[test]
    fn a_fraction_in_millionths_is_rounded_up(fraction in any_magnitude(64)) {
        let exact = ratio(BigInt::from(fraction) * 1_000_000, Frac40::ONE.0).ceil().to_integer();
        prop_assert_eq!(Frac40(fraction).to_ppm_ceil().0, exact.to_u32().unwrap_or(u32::MAX));
    }

    /// 4.1: at any index, at the ends of the type too.
    #[test]
    fn amounts_of_any_shares_round_against_their_holder(shares in any_magnitude(63), index in any_magnitude(64)) {
        let exact = ratio(BigInt::from(shares) * index, Index48::ONE.0);
        let (held, owed) = (Shares(shares as i64), Shares(-(shares as i64)));
        let index = Index48(index);
        prop_assert_eq!(deposit_amount(held, index).0, saturated(exact.floor().to_integer()));
        prop_assert_eq!(borrow_amount(owed, index).0, saturated(exact.ceil().to_integer()));
        prop_assert_eq!(amount(held, index, Index48::ONE).0, saturated(exact.floor().to_integer()));
        prop_assert_eq!(amount(owed, Index48::ONE, index).0, -saturated(exact.ceil().to_integer()));
    }

    /// 10.4: a provider's shares are rounded down.
    #[test]
    fn issued_shares_round_against_the_provider(amount in any_magnitude(60), shares in any_magnitude(60), equity in any_magnitude(60)) {
        let exact = ratio(BigInt::from(amount) * shares, equity).floor().to_integer().to_u64();
        let expected = match exact {
            Some(0) => Err(RiskError::TooFewShares),
            Some(minted) if shares.checked_add(minted).is_some() => Ok(IssuedShares { minted, locked: 0 }),
            _ => Err(RiskError::TooLarge),
        };
        prop_assert_eq!(provide_shares(amount, shares, Atoms(equity as i64)), expected);
    }

    /// 1.3.
    #[test]
    fn a_value_is_exact(size in any_signed(40), price in any_price()) {
        let exact = ratio(BigInt::from(size) * price.mantissa(), BigInt::from(1) << usize::from(price.shift()));
        prop_assert_eq!(value_floor(Lots(size), price).0, saturated(exact.floor().to_integer()));
        prop_assert_eq!(value_ceil(Lots(size), price).0, saturated(exact.ceil().to_integer()));
    }

    #[test]
    fn quotients_round_as_named(a in any_magnitude(64), b in any_magnitude(64), c in any_magnitude(64)) {
        let exact = ratio(BigInt::from(a) * b, c);
        prop_assert_eq!(mul_div_floor(a, b, c), exact.floor().to_integer().to_u64());
        prop_assert_eq!(mul_div_ceil(a, b, c), exact.ceil().to_integer().to_u64());
    }

    #[test]
    fn ratios_round_as_named(a in any_magnitude(63), rate in any::<u32>(), negative in any::<bool>()) {
        let exact = ratio(BigInt::from(a) * rate, 1_000_000);
        let fit = |n: BigInt| n.to_u64().unwrap_or(u64::MAX);
        prop_assert_eq!(ppm_floor(a, Ppm(rate)), fit(exact.floor().to_integer()));
        prop_assert_eq!(ppm_ceil(a, Ppm(rate)), fit(exact.ceil().to_integer()));
        let signed = if negative { -(a as i64) } else { a as i64 };
        let exact = if negative { -exact } else { exact };
        prop_assert_eq!(signed_ppm_floor(signed, Ppm(rate)), saturated(exact.floor().to_integer()));
    }

    #[test]
    fn roots_are_the_whole_numbers_around_the_exact_one(high in any_magnitude(64), low in any::<u64>(), wide in any::<bool>()) {
        let n = if wide { (u128::from(high) << 64) | u128::from(low) } else { u128::from(high) };
        let (floor, ceil) = (BigInt::from(isqrt_floor(n)), BigInt::from(isqrt_ceil(n)));
        let exact = BigInt::from(n);
        prop_assert!(&floor * &floor <= exact);
        prop_assert!((&floor + 1) * (&floor + 1) > exact);
        let one_more = if &floor * &floor == exact { 0 } else { 1 };
        prop_assert!(ceil == &floor + one_more || floor == BigInt::from(u64::MAX));
    }

    #[test]
    fn roots_of_squares_and_their_neighbours_are_exact(root in any_magnitude(64)) {
        let square = u128::from(root) * u128::from(root);
        prop_assert_eq!(isqrt_floor(square), root);
        prop_assert_eq!(isqrt_ceil(square), root);
        prop_assert_eq!(isqrt_floor(square - 1), root - 1);
        prop_assert_eq!(isqrt_ceil(square + 1), root.saturating_add(1));
    }

    /// 10.1, 5.7: a fill's amount is the exact one, rounded against the taker.
    #[test]
    fn a_fill_rounds_against_the_taker(size in any_signed(31), mark in any_price(), spread in 0u32..=1_500_000) {
        let rate = if size > 0 { 1_000_000 + i64::from(spread) } else { (1_000_000 - i64::from(spread)).max(0) };
        let value = ratio(BigInt::from(size) * mark.mantissa(), BigInt::from(1) << usize::from(mark.shift()));
        let exact = (&value * whole(rate) / whole(1_000_000)).ceil().to_integer();
        match fill_amount(Lots(size), mark, Ppm(spread)) {
            Ok(amount) => prop_assert_eq!(BigInt::from(amount.0), exact),
            Err(error) => {
                prop_assert_eq!(error, RiskError::TooLarge);
                prop_assert!(value.floor().to_integer().magnitude().bits() > 54);
            }
        }
    }
}

#[test]
fn the_greatest_root_saturates() {
    assert_eq!(isqrt_floor(u128::MAX), u64::MAX);
    assert_eq!(isqrt_ceil(u128::MAX), u64::MAX);
    assert_eq!(
        (isqrt_floor(0), isqrt_ceil(0), isqrt_ceil(1), isqrt_ceil(2)),
        (0, 0, 1, 2)
    );
}

#[test]
fn a_division_by_zero_is_none() {
    assert_eq!(
        (mul_div_floor(1, 1, 0), mul_div_ceil(1, 1, 0)),
        (None, None)
    );
}

/// 1.3.
#[test]
fn a_price_has_between_1_and_48_bits() {
    assert!(Price::new(0, 0).is_none());
    assert!(Price::new(1 << 48, 0).is_none());
    assert!(Price::new((1 << 48) - 1, 62).is_some());
    assert!(Price::new(1, 63).is_none());
}
