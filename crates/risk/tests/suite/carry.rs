//! 7.2: carry as part of a position's price.

use crate::common::*;
use keel_risk::*;
use num_bigint::BigInt;
use num_traits::ToPrimitive;
use proptest::prelude::*;

/// `size * carry / 2^48` exactly, towards minus infinity.
fn exact_floor(size: i64, carry: i128) -> BigInt {
    (BigInt::from(size) * BigInt::from(carry)) >> 48
}

/// And towards plus infinity.
fn exact_ceil(size: i64, carry: i128) -> BigInt {
    let negated: BigInt = (-BigInt::from(size) * BigInt::from(carry)) >> 48;
    -negated
}

fn saturated(exact: &BigInt) -> i64 {
    exact.to_i64().unwrap_or(if exact < &BigInt::from(0) {
        i64::MIN
    } else {
        i64::MAX
    })
}

/// A carry of any size: up to 127 bits, all lengths equally likely.
fn any_carry() -> impl Strategy<Value = i128> {
    (1u32..=127, any::<u128>(), any::<bool>()).prop_map(|(length, n, negative)| {
        let magnitude = (n >> (128 - length)) as i128;
        if negative { -magnitude } else { magnitude }
    })
}

proptest! {
    #![proptest_config(config(20_000))]

    /// 7.2, 1.4: floor and ceil of `size * F` are exact, and saturate where 64 bits end.
    #[test]
    fn the_value_of_carry_is_exact_in_both_directions(size in any_signed(63), carry in any_carry()) {
        let floor = exact_floor(size, carry);
        let ceil = exact_ceil(size, carry);
        prop_assert_eq!(carry_value_floor(Lots(size), Carry48(carry)).0, saturated(&floor));
        prop_assert_eq!(carry_value_ceil(Lots(size), Carry48(carry)).0, saturated(&ceil));
    }
}

/// 1.6: at the ends the value saturates and nothing overflows.
#[test]
fn carry_at_the_ends_saturates() {
    for size in [i64::MIN, -1, 0, 1, i64::MAX] {
        for carry in [i128::MIN, i128::MIN + 1, -1, 0, 1, i128::MAX] {
            let floor = saturated(&exact_floor(size, carry));
            assert_eq!(carry_value_floor(Lots(size), Carry48(carry)).0, floor);
            let ceil = exact_ceil(size, carry);
            let found = carry_value_ceil(Lots(size), Carry48(carry));
            assert_eq!(found.0, saturated(&ceil), "{size} {carry}");
        }
    }
}
