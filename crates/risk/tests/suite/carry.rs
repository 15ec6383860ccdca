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

/// A ledger without a position.
pub fn flat_ledger() -> MarketLedger {
    let side = SideLedger {
        open_interest: 0,
        carry: Carry48(0),
        keep: Keep::ONE,
        stray: Frac40(0),
        stray_quote: 0,
    };
    MarketLedger {
        long: side,
        short: side,
        fees: 0,
        insurance: 0,
        quotes: 0,
        residue: Dust48(0),
    }
}

/// What a fill changes in its market's ledger.
pub fn fill_change(plan: &FillPlan) -> MarketChange {
    let mut change = MarketChange {
        fees: plan.fee.0,
        quotes: plan.quotes_change,
        residue: plan.residue,
        ..MarketChange::default()
    };
    change.long.open_interest = plan.open_interest_change_long;
    change.short.open_interest = plan.open_interest_change_short;
    change
}

/// I2 by hand: quotes, fees and insurance, less the carry of every position, in 2^-48 atoms.
fn unaccounted(ledger: &MarketLedger, legs: &[PositionLeg]) -> BigInt {
    let house = BigInt::from(ledger.fees) + ledger.insurance;
    let mut sum: BigInt = (house << 48) + ledger.residue.0;
    for leg in legs {
        let carry = ledger.carries().side(leg.size).0;
        let quote: BigInt = BigInt::from(leg.quote.0) << 48;
        sum += quote - BigInt::from(leg.size.0) * carry;
    }
    sum
}

fn leg(size: i64, quote: i64) -> PositionLeg {
    PositionLeg {
        instrument: 0,
        size: Lots(size),
        quote: Atoms(quote),
    }
}

#[derive(Clone, Debug)]
enum Event {
    Fill {
        taker: usize,
        maker: usize,
        size: i64,
        amount: i64,
        fee: i64,
    },
    Funding(i128),
    /// One side pays a loss.
    Charge {
        longs: bool,
        atoms: u64,
    },
}

fn any_event() -> impl Strategy<Value = Event> {
    let fill = (
        0usize..4,
        1usize..4,
        any_signed(20),
        any_signed(40),
        0i64..1 << 20,
    )
        .prop_map(|(taker, step, size, amount, fee)| Event::Fill {
            taker,
            maker: (taker + step) % 4,
            size,
            amount,
            fee,
        });
    let funding = any_signed(62).prop_map(|step| Event::Funding(i128::from(step) * 1_000));
    let charge = (any::<bool>(), any_magnitude(34))
        .prop_map(|(longs, atoms)| Event::Charge { longs, atoms });
    prop_oneof![4 => fill, 2 => funding, 1 => charge]
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 7.2, I2, I3: whatever is traded, funded and charged, quotes less carry, fees, insurance and
    /// residue sum to zero in 2^-48 atoms, and no rounding leaves a side more than it was due.
    #[test]
    fn carry_is_zero_sum_to_the_last_bit(events in prop::collection::vec(any_event(), 1..24)) {
        let mut legs = [leg(0, 0); 4];
        let mut ledger = flat_ledger();
        for event in events {
            match event {
                Event::Fill { taker, maker, size, amount, fee } => {
                    let fill = Fill { size: Lots(size), amount: Atoms(amount), fee: Atoms(fee) };
                    let plan = plan_fill(legs[taker], legs[maker], fill, ledger.carries()).unwrap();
                    prop_assert!(plan.residue.0 < 2 * DUST_ONE);
                    legs[taker] = plan.taker_after;
                    legs[maker] = plan.maker_after;
                    ledger = ledger.after(&fill_change(&plan));
                }
                Event::Funding(step) => {
                    ledger.long.carry.0 += step;
                    ledger.short.carry.0 += step;
                }
                Event::Charge { longs, atoms } => {
                    let bankrupt = leg(0, -(atoms as i64));
                    let none = Insurance { balance: 0, used: 0, window_start: 0 };
                    let terms = MarketLossTerms {
                        leg: bankrupt,
                        deficit: atoms,
                        payers: if longs { Payers::Longs } else { Payers::Shorts },
                        mark: price(1 << 40, 0),
                        market_insurance: none,
                        group_insurance: none,
                        deposit_index: Index48::ONE,
                    };
                    let plan = plan_market_loss(&ledger, &terms).unwrap();
                    // Account 1 won what the bankrupt's written-off quote stood for.
                    prop_assert_eq!(plan.after.quote, Atoms(0));
                    legs[1].quote.0 += atoms as i64;
                    ledger = ledger.after(&plan.market);
                }
            }
            prop_assert_eq!(unaccounted(&ledger, &legs), BigInt::from(0));
            prop_assert_eq!(ledger.imbalance(), 0);
            let long: i64 = legs.iter().map(|leg| leg.size.0.max(0)).sum();
            let short: i64 = legs.iter().map(|leg| -leg.size.0.min(0)).sum();
            prop_assert_eq!((long as u64, short as u64), (ledger.long.open_interest, ledger.short.open_interest));
        }
    }

    /// 7.2: a fill at the mark leaves what a position is worth, less an atom for the carry's rounding
    /// and one for the price's: crossing zero is a close and an open.
    #[test]
    fn a_fill_at_the_mark_leaves_the_worth(size in any_signed(24), change in any_signed(24), long in any_signed(62), short in any_signed(62)) {
        let mark = price(1_000_000 << 10, 10);
        let carries = Carries { long: Carry48(i128::from(long) << 8), short: Carry48(i128::from(short) << 8) };
        let before = leg(size, 12_345);
        let fill = Fill { size: Lots(change), amount: num::value_ceil(Lots(change), mark), fee: Atoms(0) };
        let plan = plan_fill(before, leg(0, 0), fill, carries).unwrap();
        let worth = |leg| position_worth(&leg, mark, carries).0;
        let lost = worth(before) - worth(plan.taker_after);
        prop_assert!((-1..=1).contains(&lost), "{lost}");
    }
}

/// 7.2 in figures: F is 3 atoms for longs, 5 for shorts. Ten lots bought at 100 each carry 30 more; to
/// sell fifteen at 110 closes ten (less 30) and opens five short (less 25).
#[test]
fn a_fill_takes_its_sides_carry_along() {
    let carries = Carries {
        long: Carry48(3 << 48),
        short: Carry48(5 << 48),
    };
    let fill = |size, amount| Fill {
        size: Lots(size),
        amount: Atoms(amount),
        fee: Atoms(0),
    };
    let bought = plan_fill(leg(0, 0), leg(0, 0), fill(10, 1_000), carries).unwrap();
    assert_eq!(bought.taker_after, leg(10, -970));
    assert_eq!(bought.maker_after, leg(-10, 1_000 - 50));
    let sold = plan_fill(bought.taker_after, leg(0, 0), fill(-15, -1_650), carries).unwrap();
    assert_eq!(sold.taker_after, leg(-5, -970 + 1_650 - 30 - 25));
}

fn any_keep() -> impl Strategy<Value = Keep> {
    (1u64 << 24..=1 << 40, 0u32..4).prop_map(|(keep, epoch)| Keep {
        keep: Frac40(keep),
        epoch,
    })
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 8.5: sizes through keep are exact, rounded towards zero, across epochs too.
    #[test]
    fn a_kept_size_is_the_exact_one_towards_zero(size in any_signed(62), touched in any_keep(), keep in 1u64 << 24..=1 << 40, epochs in 0u32..8) {
        let keep = if epochs == 0 { keep.min(touched.keep.0) } else { keep };
        let now = Keep { keep: Frac40(keep), epoch: touched.epoch + epochs };
        let kept: BigInt = BigInt::from(size.abs()) * keep / (BigInt::from(touched.keep.0) << (16 * epochs));
        let expected = kept.to_i64().unwrap() * size.signum();
        prop_assert_eq!(kept_size(Lots(size), touched, now), Lots(expected));
    }

    /// 8.5: a position brought up to date is worth what its exact size would be, less an atom, and
    /// what it loses in lots is counted.
    #[test]
    fn a_touch_costs_less_than_an_atom(size in any_signed(31), touched in any_keep(), left in 1u64..=1 << 20, carry in any_signed(62), mantissa in 1u64 << 29..1 << 40) {
        let mark = price(mantissa, 20);
        let Some(keep) = touched.shrunk(left, 1 << 20) else { return Ok(()) };
        let carry = i128::from(carry) << 8;
        let side = SideTerms { keep, carry: Carry48(carry) };
        let before = leg(size, 777);
        let after = up_to_date(before, touched, side, mark);

        // Exactly, in 2^-48 atoms times the old keep.
        let epochs = keep.epoch - touched.epoch;
        let whole: BigInt = BigInt::from(touched.keep.0) << (16 * epochs);
        let distance: BigInt = (BigInt::from(mantissa) << 28) - carry;
        let exact: BigInt = BigInt::from(size) * keep.keep.0 * &distance;
        let found: BigInt = (BigInt::from(after.leg.size.0) * &distance + (BigInt::from(after.leg.quote.0 - 777) << 48)) * &whole;
        // An atom, and what a part of a lot cut at 2^-48 is worth.
        let cut: BigInt = (BigInt::from(distance.magnitude().clone()) >> 48) + 1;
        let atom: BigInt = BigInt::from(1) << 48;
        prop_assert!(found.clone() - &exact <= &cut * &whole);
        prop_assert!(exact - found <= (atom + cut) * &whole);

        let lost: BigInt = BigInt::from(size.abs()) * keep.keep.0 - BigInt::from(after.leg.size.0.abs()) * &whole;
        prop_assert!((lost << 40) <= BigInt::from(after.stray.0) * &whole);
        prop_assert!(after.stray.0 <= (1 << 40) + 1);
    }
}

/// 8.5: below 2^-16 an epoch starts, with the bits that floor would have lost.
#[test]
fn a_small_keep_starts_an_epoch() {
    let before = Keep {
        keep: Frac40(KEEP_LEAST.0 + 1),
        epoch: 4,
    };
    let after = before.shrunk(1, 2).unwrap();
    assert_eq!(after.epoch, 5);
    assert_eq!(after.keep.0, ((KEEP_LEAST.0 + 1) << 16) / 2);
    assert_eq!(kept_size(Lots(-1_000_001), before, after), Lots(-500_000));
    assert_eq!(before.shrunk(0, 5), None);
    assert_eq!(Keep::ONE.shrunk(5, 5), Some(Keep::ONE));
}
