//! 2.2, 2.5, 2.7: prices that wait, bounds over all that is known, and the quote's own feed.

use crate::common::*;
use crate::reference::{ratio, whole};
use keel_risk::*;
use num_rational::BigRational;
use num_traits::One;
use proptest::prelude::*;

const NOW: i64 = 1_800_000_000;
const HUNDRED: i64 = 10_000_000_000;

fn print(price: i64, conf: u64, publish_time: i64) -> Reading {
    Reading {
        price,
        conf,
        expo: -8,
        publish_time,
    }
}

/// $1 to $1,000, lots of 0.001 of 9 decimals, jumps beyond 10%, a stable price that stands.
fn terms() -> PriceTerms {
    let range = ListedRange {
        low_e8: 1_000_000_000,
        high_e8: 100_000_000_000,
    };
    PriceTerms {
        lot: Unit::of_decimals(3, shift_for(range, 3, true).expect("lots")),
        native: Unit::of_decimals(9, shift_for(range, 9, false).expect("lamports")),
        band: BandTerms::default(),
        stable_speed: Ppm(0),
        max_jump: Ppm(100_000),
    }
}

/// Runs prints of `(price in percent of $100, seconds after NOW)` from a first one of $100.
fn after(prints: &[(i64, i64)]) -> PriceState {
    let first = advance(None, &print(HUNDRED, 0, NOW), None, &terms(), NOW).expect("a price");
    prints.iter().fold(first, |state, (percent, seconds)| {
        let time = NOW + seconds;
        let reading = print(HUNDRED / 100 * percent, 0, time);
        advance(Some(state), &reading, None, &terms(), time).expect("a price")
    })
}

/// The published price in percent of $100.
fn percent(state: &PriceState) -> u64 {
    let hundred = 100_000u64 << state.lot.shift();
    assert_eq!(state.lot.mantissa() * 100 % hundred, 0);
    state.lot.mantissa() * 100 / hundred
}

/// What waits, in percent and seconds after NOW.
fn waiting(state: &PriceState) -> Option<(i64, i64)> {
    let pending = state.pending?;
    let percent = pending.reading.price * 100 / HUNDRED;
    Some((percent, pending.first_seen - NOW))
}

/// 2.5: exactly `max_jump` is no jump; a hair beyond waits, either way.
#[test]
fn a_jump_begins_beyond_ten_percent() {
    assert_eq!(
        (percent(&after(&[(110, 1)])), waiting(&after(&[(110, 1)]))),
        (110, None)
    );
    assert_eq!(percent(&after(&[(90, 1)])), 90);
    for beyond in [111, 89] {
        let state = after(&[(beyond, 1)]);
        assert_eq!((percent(&state), waiting(&state)), (100, Some((beyond, 1))));
        assert_eq!(state.publish_time, NOW);
    }
}

/// 2.5: a wick liquidates nobody. However deep, however often printed within two seconds, the price
/// stands, and one print back at the old price forgets it.
#[test]
fn a_wick_never_becomes_the_price() {
    let wick = [(40, 1), (35, 1), (50, 2), (20, 2)];
    let state = after(&wick);
    assert_eq!((percent(&state), waiting(&state)), (100, Some((50, 1))));
    let mut prints = wick.to_vec();
    prints.push((98, 3));
    let state = after(&prints);
    assert_eq!((percent(&state), waiting(&state)), (98, None));
    // The same wick later starts anew: its first print is no confirmation of the one before.
    prints.push((40, 4));
    assert_eq!(waiting(&after(&prints)), Some((40, 4)));
    assert_eq!(percent(&after(&prints)), 98);
}

/// 2.5: a crash cannot be held off by posting. Prints beyond the jump never move `first_seen`, so
/// that the first one published two seconds after the first confirms, whatever came between.
#[test]
fn posting_does_not_hold_off_a_crash() {
    for between in [
        vec![],
        vec![(70, 1)],
        vec![(60, 1), (75, 1), (50, 2), (88, 2)],
    ] {
        let mut prints = vec![(65, 1)];
        prints.extend(between);
        let nearest = prints
            .iter()
            .map(|(percent, _)| *percent)
            .max()
            .expect("a print");
        prints.push((66, 3));
        let state = after(&prints);
        assert_eq!(percent(&state), nearest.max(66) as u64, "{prints:?}");
        assert_eq!(state.publish_time, NOW + 3);
    }
    // A second early is too early.
    assert_eq!(percent(&after(&[(65, 1), (65, 2)])), 100);
}

/// 2.5: what takes effect is the nearest print seen, upwards too, the confirming one included.
#[test]
fn the_nearest_print_takes_effect() {
    assert_eq!(percent(&after(&[(150, 0), (130, 1), (140, 2)])), 130);
    assert_eq!(percent(&after(&[(150, 0), (130, 1), (120, 2)])), 120);
    let confirmed = after(&[(60, 0), (59, 2)]);
    assert_eq!((percent(&confirmed), waiting(&confirmed)), (60, None));
    assert_eq!(percent(&after(&[(60, 0), (59, 2), (58, 3)])), 58);
}

/// 2.5: a crash that goes on while it is confirmed waits again from the new price.
#[test]
fn a_confirming_print_beyond_the_new_price_waits_in_turn() {
    let state = after(&[(80, 1), (50, 3)]);
    assert_eq!((percent(&state), waiting(&state)), (80, Some((50, 3))));
    assert_eq!(percent(&after(&[(80, 1), (50, 3), (50, 4)])), 80);
    assert_eq!(percent(&after(&[(80, 1), (50, 3), (50, 5)])), 50);
}

/// 2.5: prints that disagree about the direction confirm nothing.
#[test]
fn a_print_on_the_other_side_starts_anew() {
    let state = after(&[(70, 1), (130, 2)]);
    assert_eq!((percent(&state), waiting(&state)), (100, Some((130, 2))));
    assert_eq!(percent(&after(&[(70, 1), (130, 2), (125, 3)])), 100);
    assert_eq!(percent(&after(&[(70, 1), (130, 2), (125, 4)])), 125);
    assert_eq!(
        waiting(&after(&[(70, 1), (130, 2), (70, 3)])),
        Some((70, 3))
    );
}

/// 2.5: the bounds span the stored and the waiting print, each with its band; one that waits above
/// moves the upper bound alone.
#[test]
fn bounds_span_what_waits() {
    let fallen = after(&[(60, 1)]);
    // 40% of the price, and at most a part in 2^28 for the mantissa's floor.
    let forty = (2u64 << 40).div_ceil(5);
    for down in [fallen.down, fallen.bound_down] {
        assert!(down.0 >= forty && down.0 - forty < 1 << 13, "{down:?}");
    }
    assert_eq!((fallen.up, fallen.bound_up), (Frac40(0), Frac40(0)));

    let risen = after(&[(150, 1)]);
    assert_eq!((risen.down, risen.bound_down), (Frac40(0), Frac40(0)));
    assert!(risen.up.0 >= 1 << 39 && risen.up.0 - (1 << 39) < 1 << 13);

    // The stable price widens what Initial values at, not the bounds of 2.3.
    let confirmed = after(&[(60, 0), (60, 2)]);
    assert_eq!(confirmed.bound_up, Frac40(0));
    assert!(
        confirmed.up.0 > (1 << 40) / 2,
        "stable at 100 over 60: {:?}",
        confirmed.up
    );
}

/// 2.2, 2.6: the bounds of withdrawals and liquidations span both sources while both are fresh; what
/// Initial values at does not.
#[test]
fn bounds_span_both_sources() {
    let (first, second) = (
        print(HUNDRED, 0, NOW),
        print(HUNDRED / 100 * 95, 0, NOW - 2),
    );
    let chosen = choose(Some(first), Some(second), Ppm(10_000)).expect("a source");
    assert_eq!(
        (chosen.source, chosen.other, chosen.diverged),
        (0, Some(second), true)
    );
    let state = advance(None, &first, chosen.other.as_ref(), &terms(), NOW).expect("a price");
    let five = (1u64 << 40).div_ceil(20);
    assert!(state.bound_down.0 >= five && state.bound_down.0 - five < 1 << 13);
    assert_eq!(
        (state.down, state.up, state.bound_up),
        (Frac40(0), Frac40(0), Frac40(0))
    );

    // The other source goes on alone: nothing but the bounds moves.
    let moved =
        remeasure(state, Some(&print(HUNDRED / 100 * 105, 0, NOW)), &terms()).expect("bounds");
    assert!(moved.bound_up.0 >= five && moved.bound_down == Frac40(0));
    assert_eq!(
        remeasure(moved, None, &terms()).expect("bounds").bound_up,
        Frac40(0)
    );

    let late = print(HUNDRED, 0, NOW + 4);
    let alone = choose(Some(first), Some(late), Ppm(0)).expect("a source");
    assert_eq!((alone.source, alone.other, alone.reading), (1, None, late));
}

/// 2.7.
#[test]
fn the_quote_is_off_its_peg_beyond_the_band_and_stops_borrowing_below_the_stop() {
    let range = ListedRange {
        low_e8: 100_000_000,
        high_e8: 1_000_000_000,
    };
    let quote_terms = PriceTerms {
        lot: Unit::of_decimals(1, shift_for(range, 1, true).expect("lots")),
        native: Unit::of_decimals(6, shift_for(range, 6, false).expect("atoms")),
        ..terms()
    };
    let peg_terms = PegTerms {
        band: Ppm(10_000),
        stop: Ppm(950_000),
    };
    let at = |state: &PriceState, diverged| peg(state, diverged, quote_terms.native, &peg_terms);
    let state = |price: i64, conf: u64| {
        advance(None, &print(price, conf, NOW), None, &quote_terms, NOW).expect("a price")
    };
    let cases = [
        (100_000_000, false, false),
        (101_000_000, false, false),
        (101_000_001, true, false),
        (99_000_001, false, false),
        (98_999_999, true, false),
        (95_000_001, true, false),
        (94_999_999, true, true),
    ];
    for (price, off, stopped) in cases {
        let found = at(&state(price, 0), false);
        assert_eq!((found.off, found.stopped), (off, stopped), "{price}");
        assert!(found.lower <= Frac40::ONE);
        for tier in TIERS {
            assert_eq!(found.borrows_may_grow(tier), !stopped && tier < Tier::Stale);
        }
    }
    assert!(at(&state(100_000_000, 0), true).off, "its sources disagree");

    // A print that waits counts: 80 cents seen once, 1 stored.
    let seen = print(80_000_000, 0, NOW + 1);
    let waits = advance(
        Some(state(100_000_000, 0)),
        &seen,
        None,
        &quote_terms,
        NOW + 1,
    );
    let found = at(&waits.expect("a price"), false);
    assert!(found.off && found.stopped);
    let eighty = Frac40((1 << 40) / 5 * 4);
    assert!(found.lower <= eighty && eighty.0 - found.lower.0 < 1 << 13);

    // 0.9 with 0.1% of confidence: the lower bound is 0.9 * (1 - 0.00212).
    let lower = at(&state(90_000_000, 90_000), false).lower;
    let exact = ratio(90, 100) * (BigRational::one() - ratio(212, 100_000));
    let got = ratio(lower.0, Frac40::ONE.0);
    assert!(got <= exact && exact - got < ratio(1, 1 << 26));
}

/// 2.7: upper / lower, ceil; a quote above 1 changes nothing, and a worthless one saturates.
#[test]
fn borrows_of_other_tokens_are_dearer_while_the_quote_is_cheap() {
    let half = Frac40(1 << 39);
    assert_eq!(peg_up(Frac40(0), half), Frac40::ONE);
    assert_eq!(peg_up(half, half), Frac40(2 << 40));
    assert_eq!(peg_up(half, Frac40(2 << 40)), half);
    assert_eq!(peg_up(Frac40(7), Frac40::ONE), Frac40(7));
    assert_eq!(
        peg_up(Frac40(0), Frac40(0)),
        Frac40(u64::MAX - Frac40::ONE.0)
    );
    assert_eq!(Peg::AT_ONE.lower, Frac40::ONE);
}

/// 2.6: a tenth beyond the last bounds; a bound of zero stays one.
#[test]
fn a_stale_price_is_stretched_by_a_tenth() {
    let one = Frac40::ONE.0;
    let (down, up) = stale_bounds(Frac40(0), Frac40(0));
    assert_eq!(up, Frac40(one.div_ceil(10)));
    assert_eq!(down, Frac40(one.div_ceil(10)));
    let (down, up) = stale_bounds(Frac40(one / 2), Frac40(one / 2));
    assert_eq!(down.0, one - one / 2 * 9 / 10);
    assert_eq!(up.0, (one * 165).div_ceil(100) - one);
    assert_eq!(
        stale_bounds(Frac40(2 * one), Frac40(u64::MAX)).0,
        Frac40::ONE
    );
}

/// One print of a random sequence: ppm of the first price, and seconds since the one before.
fn any_prints() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let near = 950_000i64..=1_050_000;
    let level = prop_oneof![
        4 => near,
        2 => 600_000i64..=880_000,
        2 => 1_130_000i64..=1_600_000,
        1 => 300_000i64..=2_500_000,
    ];
    prop::collection::vec((level, prop_oneof![3 => 0i64..=1, 1 => 2i64..=4]), 1..14)
}

/// The rule of 2.5 told from the whole history: what has been printed since the price last took
/// effect decides, not a folded state.
fn told(prints: &[(i64, i64)], first: i64) -> (i64, Option<(i64, i64)>) {
    let mut stored = first;
    let mut since: Vec<(i64, i64)> = Vec::new();
    for (price, time) in prints {
        let mut next = vec![(*price, *time)];
        loop {
            let is_beyond = |price: i64| (price - stored).abs() * 10 > stored;
            since.append(&mut next);
            let (last, at) = *since.last().expect("a print");
            if !is_beyond(last) {
                stored = last;
                since.clear();
                break;
            }
            // The run of prints on the side of the last one.
            let run: Vec<(i64, i64)> = (since.iter().rev())
                .take_while(|(price, _)| (*price > stored) == (last > stored))
                .copied()
                .collect();
            let started = run.last().expect("the print itself").1;
            if at - started < 2 {
                break;
            }
            let nearest = run.iter().min_by_key(|(price, _)| (price - stored).abs());
            stored = nearest.expect("a print").0;
            since.clear();
            if (last - stored).abs() * 10 > stored {
                next.push((last, at));
            } else {
                break;
            }
        }
    }
    let waits = since.last().map(|(last, _)| {
        let run = since
            .iter()
            .rev()
            .take_while(|(price, _)| (*price > stored) == (*last > stored));
        let run: Vec<_> = run.copied().collect();
        let nearest = run
            .iter()
            .min_by_key(|(price, _)| (price - stored).abs())
            .expect("one")
            .0;
        (nearest, run.last().expect("one").1)
    });
    (stored, waits)
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 2.5: the folded state is the rule as told from the whole history.
    #[test]
    fn the_published_price_is_the_rule_of_jumps(prints in any_prints()) {
        // Prices of whole cents of a dollar, which the unit holds exactly.
        let mut time = NOW;
        let prints: Vec<(i64, i64)> = prints.iter().map(|(ppm, dt)| {
            time += dt;
            (ppm / 100 * 1_000_000, time)
        }).collect();
        let mut state = advance(None, &print(HUNDRED, 0, NOW), None, &terms(), NOW).unwrap();
        for (price, time) in &prints {
            state = advance(Some(state), &print(*price, 0, *time), None, &terms(), *time).unwrap();
        }
        let (stored, waits) = told(&prints, HUNDRED);
        prop_assert_eq!(state.lot, to_price(stored as u64, -8, terms().lot).unwrap());
        prop_assert_eq!(state.native, to_price(stored as u64, -8, terms().native).unwrap());
        let pending = state.pending.map(|pending| (pending.reading.price, pending.first_seen));
        prop_assert_eq!(pending, waits);
    }

    /// 2.3, 2.5, 2.6: every bound covers stored, waiting and other print with their bands, and by no
    /// more than the mantissa's last places.
    #[test]
    fn bounds_cover_all_that_is_known(
        stored in 2_000_000_000i64..40_000_000_000, waits in prop::option::of(500_000i64..2_000_000),
        other in prop::option::of(900_000i64..1_100_000), confs in prop::array::uniform3(0u64..=200_000)
    ) {
        let terms = PriceTerms { max_jump: Ppm(10_000), ..terms() };
        let conf = |price: i64, ppm: u64| u64::try_from(i128::from(price) * i128::from(ppm) / 1_000_000).unwrap();
        let at = |ppm: i64| i64::try_from(i128::from(stored) * i128::from(ppm) / 1_000_000).unwrap();
        let mut state = advance(None, &print(stored, conf(stored, confs[0]), NOW), None, &terms, NOW).unwrap();
        let other = other.map(|ppm| print(at(ppm), conf(at(ppm), confs[1]), NOW));
        state = match waits {
            Some(ppm) => {
                let reading = print(at(ppm), conf(at(ppm), confs[2]), NOW + 1);
                advance(Some(state), &reading, other.as_ref(), &terms, NOW + 1).unwrap()
            }
            None => remeasure(state, other.as_ref(), &terms).unwrap(),
        };

        let band = |reading: &Reading| {
            let share = (ratio(reading.conf, reading.price) * ratio(212, 100)).min(ratio(5, 100));
            (whole(reading.price) * (BigRational::one() - &share), whole(reading.price) * (BigRational::one() + share))
        };
        // The stored price counts as it is stored, floored; the others as they were printed.
        let price = ratio(state.lot.mantissa(), 1u64 << state.lot.shift()) * whole(100_000);
        let own = if state.publish_time == NOW {
            ratio(conf(stored, confs[0]), stored)
        } else {
            let taken = at(waits.unwrap());
            ratio(conf(taken, confs[2]), taken)
        };
        let share = (own * ratio(212, 100)).min(ratio(5, 100));
        let around = (&price * (BigRational::one() - &share), &price * (BigRational::one() + share));
        let known = [state.pending.map(|pending| pending.reading), other];
        let exact = known.iter().flatten().map(band).fold(around, |(low, high), (lower, upper)| (low.min(lower), high.max(upper)));
        let one = BigRational::one();
        let lower = (&one - ratio(state.bound_down.0, Frac40::ONE.0)) * &price;
        let upper = (&one + ratio(state.bound_up.0, Frac40::ONE.0)) * &price;
        let slack = &price * ratio(1, 1 << 26);
        prop_assert!(lower <= exact.0 && &exact.0 - &lower < slack);
        prop_assert!(upper >= exact.1 && upper - exact.1 < slack);
        prop_assert!(state.down <= state.bound_down || state.stable < state.lot.mantissa());
    }

    /// 2.7: `up` never shrinks, and widens by exactly the quote's loss.
    #[test]
    fn the_pegs_distance_is_exact(up in 0u64..1 << 42, lower in 1u64 << 20..=1 << 41) {
        let got = peg_up(Frac40(up), Frac40(lower));
        let one = Frac40::ONE.0;
        let exact = (ratio(up, one) + BigRational::one()) / ratio(lower, one).min(BigRational::one()) - BigRational::one();
        let exact = (exact * whole(one)).ceil().to_integer();
        prop_assert_eq!(whole(exact), whole(got.0));
        prop_assert!(got >= Frac40(up));
    }
}
