//! 6.4: the settlement of an expiry, against a simulation second by second.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

const EXPIRY: i64 = 1_000_000;

/// Prints from before the window on, `gaps` seconds apart.
fn prints(start: i64, steps: &[(i64, u64)]) -> Vec<Print> {
    let mut at = start;
    let next = |(gap, price): &(i64, u64)| {
        at += gap;
        Print { price: *price, at }
    };
    steps.iter().map(next).collect()
}

/// Counts all prints but the last, each until the next, as `update_prices` does.
fn counted(prints: &[Print]) -> SettlementAverage {
    prints
        .windows(2)
        .fold(SettlementAverage::default(), |average, pair| {
            average.counted(EXPIRY, pair[0], pair[1].at)
        })
}

fn inputs(prints: &[Print], now: i64) -> SettlementInputs {
    SettlementInputs {
        expiry: EXPIRY,
        last: *prints.last().expect("a print"),
        second: None,
        now,
    }
}

/// The specification, one second at a time: sum, covered seconds and whether a whole minute at or
/// after the expiry, at most `until`, found 1,440 s covered.
fn simulated(prints: &[Print], until: i64) -> (u128, u32, bool) {
    let (mut sum, mut covered) = (0u128, 0u32);
    let mut next = 0;
    let end = until.min(EXPIRY + 86_400);
    for second in EXPIRY - 1_800..=end {
        if second >= EXPIRY && (second - EXPIRY) % 60 == 0 && covered >= 1_440 {
            return (sum, covered, true);
        }
        while next < prints.len() && prints[next].at <= second {
            next += 1;
        }
        if second < end && next > 0 && second < prints[next - 1].at + 60 {
            sum += u128::from(prints[next - 1].price);
            covered += 1;
        }
    }
    (sum, covered, false)
}

fn steps() -> impl Strategy<Value = Vec<(i64, u64)>> {
    let gap = prop_oneof![6 => 1i64..70, 2 => Just(60i64), 1 => 60i64..900];
    prop::collection::vec(
        (gap, prop_oneof![1u64..1 << 48, Just((1 << 48) - 1)]),
        1..120,
    )
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 6.4: sum and coverage are those of the simulation, whenever the settlement is asked for; so
    /// neither the number of transactions nor the moment of settling changes it.
    #[test]
    fn a_settlement_is_the_simulated_average(steps in steps(), before in 1_500i64..2_500, wait in 0i64..2_000) {
        let prints = prints(EXPIRY - before, &steps);
        let last = prints[prints.len() - 1].at;
        let (sum, covered_s, closed) = simulated(&prints, last.max(last + wait - 60));
        let settled = settle(counted(&prints), &inputs(&prints, last + wait));
        if closed {
            let price = (sum / u128::from(covered_s)) as u64;
            prop_assert_eq!(settled, Ok(Settlement { price, by: SettledBy::Average }));
            prop_assert_eq!(settle(counted(&prints), &inputs(&prints, last + 5_000)), settled);
        } else {
            prop_assert_eq!(settled, Err(RiskError::SettlementPending { covered_s, needed_s: 1_440 }));
        }
    }

    /// 6.4: what is counted so far, at every print.
    #[test]
    fn an_average_counts_what_the_simulation_counts(steps in steps(), before in 1_500i64..2_500) {
        let prints = prints(EXPIRY - before, &steps);
        let average = counted(&prints);
        let (sum, covered_s, closed) = simulated(&prints, prints[prints.len() - 1].at);
        prop_assert_eq!((u128::from(average.sum), average.covered_s, average.closed), (sum, covered_s, closed));
        prop_assert!(average.covered_s <= 1_800 && average.sum < 1 << 59);
    }

    /// 6.4: no settlement and no forward leaves the prices that it is made of.
    #[test]
    fn averages_and_forwards_lie_between_the_prices(steps in steps(), before in 0i64..2_500) {
        let prints = prints(EXPIRY - before, &steps);
        let (least, greatest) = prints.iter().fold((u64::MAX, 0), |(low, high), print| (low.min(print.price), high.max(print.price)));
        for count in 1..=prints.len() {
            let (average, last) = (counted(&prints[..count]), prints[count - 1]);
            let forward = average.forward_floor(EXPIRY, last);
            prop_assert!((least..=greatest).contains(&forward));
            if let Some(running) = average.running_floor() {
                prop_assert!((least..=greatest).contains(&running));
                prop_assert!(forward >= running.min(last.price) && forward <= running.max(last.price) + 1);
            }
        }
    }

    /// 6.4: the forward arrives at the settlement: of a price each second nothing is open at the end.
    #[test]
    fn a_forward_ends_as_the_settlement(prices in prop::collection::vec(1u64 << 30..1 << 47, 30), every in 1i64..=60) {
        let steps: Vec<(i64, u64)> = (0..=1_800 / every + 1).map(|index| (every, prices[index as usize % 30])).collect();
        let prints = prints(EXPIRY - 1_800 - every, &steps);
        let inside = prints.iter().filter(|print| print.at < EXPIRY).count();
        let (average, last) = (counted(&prints[..inside]), prints[inside - 1]);
        let forward = average.forward_floor(EXPIRY, last);
        let end = average.counted(EXPIRY, last, EXPIRY);
        prop_assert!(end.closed);
        prop_assert_eq!(Some(forward), end.running_floor());
        prop_assert_eq!(end.forward_floor(EXPIRY, Print { price: 1, at: EXPIRY + 5 }), forward);
    }
}

/// One price a minute over `minutes`, starting when the window does.
fn each_minute(minutes: i64, price: u64) -> Vec<Print> {
    (0..minutes)
        .map(|minute| Print {
            price,
            at: EXPIRY - 1_800 + 60 * minute,
        })
        .collect()
}

/// 6.4: a price counts at most 60 s, so silence is not covered and one print cannot settle an expiry.
#[test]
fn a_price_counts_for_at_most_a_minute() {
    let lone = Print {
        price: 7,
        at: EXPIRY - 1_000,
    };
    let average = SettlementAverage::default().counted(EXPIRY, lone, EXPIRY);
    assert_eq!((average.sum, average.covered_s), (420, 60));
}

/// 6.4: 24 of 30 minutes are enough, a second less is not.
#[test]
fn a_window_covered_to_eighty_percent_ends_at_the_expiry() {
    let prints = each_minute(24, 500);
    let settled = settle(counted(&prints), &inputs(&prints, EXPIRY + 60));
    assert_eq!(settled.map(|s| s.by), Ok(SettledBy::Average));
    let mut late = prints;
    late[0].at += 1;
    let settled = settle(counted(&late), &inputs(&late, EXPIRY + 60));
    let pending = RiskError::SettlementPending {
        covered_s: 1_439,
        needed_s: 1_440,
    };
    assert_eq!(settled, Err(pending));
}

/// 6.4: the window is prolonged minute by minute: one more minute is one minute more.
#[test]
fn an_outage_prolongs_the_window_by_whole_minutes() {
    let mut prints = each_minute(23, 500);
    prints.push(Print {
        price: 900,
        at: EXPIRY + 130,
    });
    let last = inputs(&prints, EXPIRY + 180 + 60);
    // Ends at the third minute: 50 s of the new price are not enough, so at the fourth.
    assert!(settle(counted(&prints), &last).is_err());
    let settled = settle(counted(&prints), &inputs(&prints, EXPIRY + 240 + 60));
    let price = (500 * 1_380 + 900 * 60) / 1_440;
    assert_eq!(
        settled,
        Ok(Settlement {
            price,
            by: SettledBy::Average
        })
    );
}

/// 6.4: a print of inside the window that lands after its end is waited for.
#[test]
fn settling_early_cannot_leave_a_print_out() {
    let prints = each_minute(30, 500);
    assert!(settle(counted(&prints), &inputs(&prints, EXPIRY + 59)).is_err());
    assert!(settle(counted(&prints), &inputs(&prints, EXPIRY + 60)).is_ok());
}

/// 6.4: after 24 hours the second source, then the last average; without either the last price.
#[test]
fn an_expiry_without_prices_settles_by_the_next_best() {
    let day = EXPIRY + 86_400 + 60;
    let prints = each_minute(10, 500);
    let average = counted(&prints);
    let asked = |average, second, now| {
        settle(
            average,
            &SettlementInputs {
                second,
                ..inputs(&prints, now)
            },
        )
    };
    let by = |price, by| Ok(Settlement { price, by });
    assert!(asked(average, Some(600), day - 1).is_err());
    assert_eq!(
        asked(average, Some(600), day),
        by(600, SettledBy::SecondSource)
    );
    assert_eq!(asked(average, None, day), by(500, SettledBy::LastAverage));
    let silent = [Print {
        price: 450,
        at: EXPIRY - 4_000,
    }];
    let none = settle(SettlementAverage::default(), &inputs(&silent, day));
    assert_eq!(none, by(450, SettledBy::LastPrice));
}

/// 6.4: inside the window the elapsed share is fixed, before it nothing is.
#[test]
fn half_way_through_the_window_half_the_forward_is_fixed() {
    let mut prints = each_minute(15, 1_000);
    let jump = Print {
        price: 3_000,
        at: EXPIRY - 900,
    };
    prints.push(jump);
    assert_eq!(counted(&prints).forward_floor(EXPIRY, jump), 2_000);
    let before = Print {
        price: 3_000,
        at: EXPIRY - 5_000,
    };
    assert_eq!(
        SettlementAverage::default().forward_floor(EXPIRY, before),
        3_000
    );
}

/// 6.4: clocks at the ends of their range change nothing and stop nothing.
#[test]
fn times_at_the_ends_are_counted_without_a_panic() {
    let average = SettlementAverage::default();
    for (expiry, at, until) in [
        (i64::MAX, i64::MAX - 10, i64::MAX),
        (i64::MIN, i64::MIN, i64::MAX),
        (i64::MAX, i64::MIN, i64::MAX),
        (0, i64::MAX, i64::MIN),
    ] {
        let print = Print {
            price: u64::MAX,
            at,
        };
        let counted = average.counted(expiry, print, until);
        assert!(counted.covered_s <= 60);
        assert!(counted.forward_floor(expiry, print) < 1 << 48);
    }
}

/// 6.4: a slot is reused only at zero open interest, and its positions are told apart.
#[test]
fn a_slot_is_reused_only_when_nobody_holds_its_series() {
    assert_eq!(next_generation(0, 41), Ok(42));
    let held = RiskError::SlotInUse {
        open_interest: 1,
        generation: 41,
    };
    assert_eq!(next_generation(1, 41), Err(held));
    assert!(next_generation(0, u16::MAX).is_err());
}
