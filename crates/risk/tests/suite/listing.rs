//! 5.8, end: which series are listed, and that their arrays fit.

use crate::common::*;
use keel_risk::black76::{Contract, OptionSide};
use keel_risk::risk_array::{ArrayTerms, risk_array};
use keel_risk::*;
use proptest::prelude::*;

/// A lot of `atoms`, range cap 30%, a month at the money.
fn listing(atoms: u64) -> Listing {
    Listing {
        lot_price: price(atoms << 16, 16),
        range_cap: Ppm(300_000),
        strike: atoms << 16,
        expiry: 2_592_000,
        now: 0,
    }
}

/// 5.8: $0.10 to $500 a lot.
#[test]
fn options_need_lots_of_ten_cents_to_five_hundred_dollars() {
    assert_eq!(check_listing(&listing(100_000)), Ok(()));
    assert_eq!(check_listing(&listing(500_000_000)), Ok(()));
    for atoms in [99_999, 500_000_001] {
        let refusal = RiskError::LotUnfitForOptions {
            value: Atoms(atoms as i64),
            least: Atoms(100_000),
            most: Atoms(500_000_000),
        };
        assert_eq!(check_listing(&listing(atoms)), Err(refusal));
    }
    let fraction = Listing {
        lot_price: price((500_000_000 << 16) + 1, 16),
        ..listing(500_000_000)
    };
    assert!(check_listing(&fraction).is_err());
}

/// 5.8: (1 + 3 range_cap) * price per lot below 2^30 atoms.
#[test]
fn a_lot_whose_array_could_leave_32_bits_is_refused() {
    // 2^30 / 500e6 = 2.147: three ranges of 38.25% reach it.
    let capped = |range| Listing {
        range_cap: Ppm(range),
        ..listing(500_000_000)
    };
    assert_eq!(check_listing(&capped(382_494)), Ok(()));
    let refusal = RiskError::ArrayTooWide {
        value: Atoms(1_073_742_500),
        limit: Atoms(1 << 30),
    };
    assert_eq!(check_listing(&capped(382_495)), Err(refusal));
}

/// 5.8, 6.1: strikes are not zero and within the pricing's domain.
#[test]
fn a_strike_lies_within_a_factor_of_twenty() {
    let lot = 1_000_000u64;
    let struck = |strike| {
        check_listing(&Listing {
            strike,
            ..listing(lot)
        })
    };
    let price = lot << 16;
    let (least, most) = (price.div_ceil(20), price * 20);
    assert!(struck(least).is_ok() && struck(most).is_ok());
    for strike in [0, least - 1, most + 1, u64::MAX] {
        let refusal = RiskError::StrikeOutOfRange {
            strike,
            least,
            most,
        };
        assert_eq!(struck(strike), Err(refusal));
    }
}

/// 6.4: nobody opens a series whose settlement has begun.
#[test]
fn a_series_is_listed_before_its_settlement_window() {
    let lasting = |left_s: i64| {
        check_listing(&Listing {
            now: 2_592_000 - left_s,
            ..listing(1_000_000)
        })
    };
    assert_eq!(lasting(1_801), Ok(()));
    let refusal = RiskError::ExpiryTooSoon {
        left_s: 1_800,
        least_s: 1_800,
    };
    assert_eq!(lasting(1_800), Err(refusal));
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 5.8: whatever may be listed has an array within the listed reach, far inside 32 bits.
    #[test]
    fn arrays_of_listed_series_fit(
        atoms in 100_000u64..=500_000_000,
        range in 0u32..=1_000_000,
        factor in 51u64..20_000,
        sigma in 10_000u32..5_000_000,
        left_s in 1_801u32..60_000_000,
        put in any::<bool>(),
    ) {
        // The widest range that this lot may have: just below 2^30 atoms.
        let widest = ((1u64 << 30) - 1) * 1_000_000 / atoms - 1_000_000;
        let range = range.min((widest / 3) as u32);
        let offered = Listing { range_cap: Ppm(range), strike: ((atoms << 16) / 1_000 * factor).min((1 << 48) - 1), expiry: i64::from(left_s), ..listing(atoms) };
        prop_assert_eq!(check_listing(&offered), Ok(()));
        let side = if put { OptionSide::Put } else { OptionSide::Call };
        let contract = Contract { side, forward: atoms << 16, strike: offered.strike, sigma: Ppm(sigma), time_s: left_s };
        let terms = ArrayTerms { contract, shift: 16, range: Ppm(range), vol_range: Ppm(450_000), vol_floor: Ppm(50_000) };
        let mut array = [0i32; 16];
        risk_array(&terms, &SPAN_16, &mut array);
        for entry in array {
            prop_assert!(entry.unsigned_abs() < 1 << 30);
        }
    }
}
