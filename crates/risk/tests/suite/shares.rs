//! 4.1, I5: shares and amounts; a round trip never gains.

use crate::common::*;
use crate::reference::ratio;
use keel_risk::*;
use num_bigint::BigInt;
use num_traits::ToPrimitive;
use proptest::prelude::*;

fn any_index() -> impl Strategy<Value = Index48> {
    prop_oneof![
        Just(Index48::ONE),
        (Index48::ONE.0..Index48::ONE.0 << 6).prop_map(Index48)
    ]
}

proptest! {
    #![proptest_config(config(10_000))]

    #[test]
    fn deposits_floor_and_borrows_ceil(shares in any_magnitude(50), index in any_index()) {
        let exact = ratio(BigInt::from(shares) * index.0, Index48::ONE.0);
        let shares = shares as i64;
        prop_assert_eq!(deposit_amount(Shares(shares), index).0, exact.floor().to_integer().to_i64().unwrap());
        prop_assert_eq!(borrow_amount(Shares(-shares), index).0, exact.ceil().to_integer().to_i64().unwrap());
        prop_assert_eq!(amount(Shares(-shares), Index48::ONE, index).0, -exact.ceil().to_integer().to_i64().unwrap());
        prop_assert_eq!(borrow_amount(Shares(shares), index), Native(0));
        prop_assert_eq!(deposit_amount(Shares(-shares), index), Native(0));
    }

    #[test]
    fn shares_round_against_their_holder(tokens in any_magnitude(50), index in any_index()) {
        let exact = ratio(BigInt::from(tokens) << 48, index.0);
        let (floor, ceil) = (exact.floor().to_integer().to_i64().unwrap(), exact.ceil().to_integer().to_i64().unwrap());
        let tokens = Native(tokens as i64);
        prop_assert_eq!(shares_for_deposit(tokens, index).0, floor);
        prop_assert_eq!(shares_for_repayment(tokens, index).0, floor);
        prop_assert_eq!(shares_for_withdrawal(tokens, index).0, ceil);
        prop_assert_eq!(shares_for_borrow(tokens, index).0, ceil);
    }

    /// I5.
    #[test]
    fn a_round_trip_never_gains(tokens in any_magnitude(50), index in any_index()) {
        let tokens = Native(tokens as i64);
        let credited = shares_for_deposit(tokens, index);
        prop_assert!(deposit_amount(credited, index) <= tokens);
        prop_assert!(shares_for_withdrawal(tokens, index) >= credited);
        let owed = Shares(-shares_for_borrow(tokens, index).0);
        prop_assert!(borrow_amount(owed, index) >= tokens);
        prop_assert!(shares_for_repayment(tokens, index).0 <= -owed.0);
    }

    /// What comes in repays first, and the balance never gains by more than came in.
    #[test]
    fn a_credit_repays_and_then_deposits(shares in any_signed(50), tokens in any_magnitude(50), deposit in any_index(), borrow in any_index()) {
        let before = amount(Shares(shares), deposit, borrow).0;
        let after = credited(Shares(shares), Native(tokens as i64), deposit, borrow);
        let gained = amount(after, deposit, borrow).0 - before;
        // A share is worth up to 64 native units: that much may be left to the bank.
        prop_assert!(gained <= tokens as i64 && gained >= tokens as i64 - 130, "{gained} of {tokens}");
    }
}

#[test]
fn nothing_is_worth_nothing() {
    assert_eq!(shares_for_deposit(Native(0), Index48::ONE), Shares(0));
    assert_eq!(shares_for_withdrawal(Native(-5), Index48::ONE), Shares(0));
    assert_eq!(shares_for_deposit(Native(5), Index48(0)), Shares(0));
}

/// 10.4: one atom per share at first, a million of them locked; then pro rata, floor.
#[test]
fn a_donation_does_not_round_a_provider_to_nothing() {
    assert_eq!(
        provide_shares(1_000_000, 0, Atoms(0)),
        Err(RiskError::TooFewShares)
    );
    let first = provide_shares(1_000_001, 0, Atoms(0)).unwrap();
    assert_eq!((first.minted, first.locked), (1, 1_000_000));
    // $1,000 donated on top of the first $1: a provider of $10 loses at most one share of $0.001.
    let equity = 1_001_000_000;
    let issued = provide_shares(10_000_000, 1_000_001, Atoms(equity)).unwrap();
    assert_eq!(issued.minted, 9_990);
    assert_eq!(
        provide_shares(5, 10, Atoms(0)),
        Err(RiskError::PoolInsolvent)
    );
    assert_eq!(provide_shares(1, 1, Atoms(2)), Err(RiskError::TooFewShares));
}

/// 10.1.
#[test]
fn the_spread_has_a_share_of_the_confidence() {
    assert_eq!(half_spread(Ppm(300), Ppm(1_001), Ppm(500_000)), Ppm(801));
    assert_eq!(
        half_spread(Ppm(u32::MAX), Ppm(u32::MAX), Ppm(u32::MAX)),
        Ppm(u32::MAX)
    );
}
