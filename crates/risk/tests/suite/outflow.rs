//! 7.5: buckets, tickets, the least deposits of a day.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

const DAY: i64 = 86_400;

fn terms(now: i64) -> OutflowTerms {
    OutflowTerms {
        share: Ppm(150_000),
        floor: 0,
        least_deposits: 1_000_000,
        now,
    }
}

fn gate() -> Gate {
    open_exit(0, bank(0, 0)).gate
}

/// Native units of bank 3, each worth `price` atoms.
fn out(amount: u64, price: i64) -> Outgoing {
    Outgoing {
        bank: 3,
        amount,
        borrowed: 0,
        value: Some(Atoms(amount as i64 * price)),
    }
}

/// Too dear for the small rule.
const LARGE: i64 = 20_000_000_000;

fn capped(available: u64, asked: u64) -> Result<Gate, RiskError> {
    Err(RiskError::OutflowCap { available, asked })
}

/// 7.5 in figures: 15% of a million, a tenth of that kept for small withdrawals, refilled in a day.
#[test]
fn a_bucket_lets_out_a_share_a_day() {
    let at = |now| terms(now);
    let full = gate().let_out(&at(DAY), out(135_000, LARGE)).unwrap();
    assert_eq!(
        gate().let_out(&at(DAY), out(135_001, LARGE)),
        capped(135_000, 135_001)
    );
    // The rest is for what is small of its owner's day: 5,000 units at $1 and 5,000 more. Whoever took
    // more already has none of it.
    assert_eq!(full.let_out(&at(DAY), out(1, 1)), capped(0, 1));
    let full = Gate {
        small: SmallUse::default(),
        ..full
    };
    let some = full.let_out(&at(DAY), out(5_000, 1_000_000)).unwrap();
    let last = some.let_out(&at(DAY), out(5_000, 1_000_000)).unwrap();
    assert_eq!(last.let_out(&at(DAY), out(1, 1_000_000)), capped(0, 1));
    assert_eq!(
        (last.outflow.open.level, last.outflow.small.level),
        (135_000, 10_000)
    );
    // Next day he has new ones; another owner had them all along. No price, no small rule.
    let other = Gate {
        small: SmallUse::default(),
        ..last
    };
    assert!(other.let_out(&at(DAY), out(5_000, 1_000_000)).is_ok());
    assert_eq!(
        other.let_out(&at(DAY), out(5_001, 1_000_000)),
        capped(5_000, 5_001)
    );
    let unpriced = Outgoing {
        value: None,
        ..out(1, 1)
    };
    assert_eq!(other.let_out(&at(DAY), unpriced), capped(0, 1));
    let borrowed = Outgoing {
        borrowed: 1,
        ..out(1, 1)
    };
    assert_eq!(other.let_out(&at(DAY), borrowed), capped(0, 1));
    // Half a day empties half a bucket.
    let later = last.let_out(&at(DAY + DAY / 2), out(67_500, LARGE));
    assert_eq!(later.unwrap().outflow.open.level, 135_000);
    // An inflow makes room for anyone first, then for small ones, and no more than all of it.
    let after = after_inflow(last.outflow, &at(DAY), 140_000);
    assert_eq!((after.open.level, after.small.level), (0, 5_000));
    let after = after_inflow(last.outflow, &at(DAY), u64::MAX);
    assert_eq!((after.open.level, after.small.level), (0, 0));
    // Nobody may list more than 30%, and a young bank has its floor.
    let wild = OutflowTerms {
        share: Ppm(900_000),
        ..at(0)
    };
    assert_eq!(wild.capacity(), 300_000);
    let young = OutflowTerms {
        least_deposits: 0,
        floor: 7_000,
        ..at(0)
    };
    assert_eq!(
        (young.open_capacity(), young.small_capacity()),
        (6_300, 700)
    );
}

/// 7.5: what is refused gets a ticket; it fills the bucket at once, is ready when that has leaked back,
/// lets its amount out without asking again, and lapses a day later.
#[test]
fn a_ticket_is_served_in_its_turn() {
    let queued = |gate, now, amount| plan_ticket(gate, &terms(now), 3, 400_000, amount);
    let first = queued(gate(), 0, 270_000).unwrap();
    assert_eq!((first.ticket.amount, first.ticket.ready), (270_000, DAY));
    assert_eq!(first.queue.amount, 270_000);
    // A second account's comes after it.
    let other = Gate {
        ticket: Ticket::default(),
        ..first
    };
    let second = queued(other, 0, 135_000).unwrap();
    assert_eq!(second.ticket.ready, 2 * DAY);
    assert_eq!(second.queue.amount, 405_000);

    // Not before its time; then in parts, from no bucket.
    let early = first.let_out(&terms(DAY - 1), out(1_000, LARGE));
    assert_eq!(early, capped(0, 1_000));
    let part = second_at(&first, second).let_out(&terms(DAY), out(200_000, LARGE));
    let part = part.unwrap();
    assert_eq!((part.ticket.amount, part.queue.amount), (70_000, 205_000));
    assert_eq!(part.outflow, second.outflow);
    let rest = part
        .let_out(&terms(2 * DAY - 1), out(70_000, LARGE))
        .unwrap();
    assert_eq!(rest.ticket, Ticket::default());

    // Lapsed, it claims nothing, and the next touch gives its place in the queue back.
    let late = part.let_out(&terms(2 * DAY), out(70_000, LARGE));
    assert_eq!(late, capped(0, 70_000), "the second is in its place");
    let late = part.let_out(&terms(3 * DAY), out(70_000, LARGE)).unwrap();
    assert_eq!((late.ticket.amount, late.queue.amount), (0, 135_000));
    assert_eq!(late.outflow.open.level, 70_000);
}

/// The first account once the second's ticket is in the queue.
fn second_at(first: &Gate, second: Gate) -> Gate {
    Gate {
        ticket: first.ticket,
        ..second
    }
}

/// 7.5: one ticket an account; eight capacities a queue; no more than the account has. A lapsed ticket
/// is replaced, or given up for nothing.
#[test]
fn tickets_have_bounds() {
    let queued = |gate, now, bank, amount| plan_ticket(gate, &terms(now), bank, 2_000_000, amount);
    let held = queued(gate(), 0, 3, 1_000).unwrap();
    let open = RiskError::TicketOpen { bank: 3, ready: 0 };
    assert_eq!(queued(held, DAY - 1, 3, 5), Err(open));
    assert_eq!(queued(held, DAY - 1, 3, 0), Err(open));
    assert_eq!(queued(held, DAY, 4, 5), Err(open), "of another bank");
    let replaced = queued(held, DAY, 3, 5).unwrap();
    assert_eq!((replaced.ticket.amount, replaced.queue.amount), (5, 5));
    let given_up = queued(held, DAY, 3, 0).unwrap();
    assert_eq!((given_up.ticket.amount, given_up.queue.amount), (0, 0));

    let none = RiskError::NothingToWithdraw;
    assert_eq!(queued(gate(), 0, 3, 0), Err(none));
    assert_eq!(plan_ticket(gate(), &terms(0), 3, 0, u64::MAX), Err(none));
    let lacks = RiskError::InsufficientDeposit {
        available: 10,
        asked: 11,
    };
    assert_eq!(plan_ticket(gate(), &terms(0), 3, 10, 11), Err(lacks));
    assert_eq!(
        plan_ticket(gate(), &terms(0), 3, 10, u64::MAX)
            .unwrap()
            .ticket
            .amount,
        10
    );
    let most = 8 * 135_000;
    assert_eq!(queued(gate(), 0, 3, most + 1), capped(most, most + 1));
    let last = queued(gate(), 0, 3, most).unwrap();
    assert_eq!(last.ticket.ready, 7 * DAY);
    let shut = OutflowTerms {
        least_deposits: 0,
        ..terms(0)
    };
    assert_eq!(plan_ticket(gate(), &shut, 3, 10, 10), capped(0, 10));
    // Once the last ticket has lapsed nothing waits, whatever was not given up.
    assert_eq!(last.queue.waiting(8 * DAY - 1), most);
    assert_eq!(last.queue.waiting(8 * DAY), 0);
}

/// 7.5: the hole is a bank that fills for an hour to raise its capacity.
#[test]
fn the_least_of_a_day_outlives_a_flash_deposit() {
    let start = LeastDeposits {
        current: 100,
        before: 100,
        since: 0,
    };
    let filled = start.at(100, 10).with(9_000);
    assert_eq!(filled.least(), 100);
    let next = filled.at(9_000, DAY + 5);
    assert_eq!((next.current, next.before, next.since), (9_000, 100, DAY));
    assert_eq!(next.at(9_000, 2 * DAY - 1).least(), 100);
    assert_eq!(next.at(9_000, 2 * DAY).least(), 9_000);
    // Long unasked: nothing changed since, so the total is the least of every day between.
    let long = filled.at(9_000, 7 * DAY + 3);
    assert_eq!((long.least(), long.since), (9_000, 7 * DAY));
    let fallen = next.with(40);
    assert_eq!(fallen.least(), 40);
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 7.5: however withdrawals are split, whoever makes them and whatever waits in between, no more
    /// than the capacity leaves in a moment and twice of it in a day: what the buckets hold and what
    /// they forget. Asking often makes no room, tickets included.
    #[test]
    fn no_splitting_beats_the_buckets(tries in prop::collection::vec((0i64..14_400, any_magnitude(22), 0u8..4, 0usize..3), 1..32), deposits in 1u64 << 10..1 << 30) {
        let mut bank = gate();
        let mut accounts = [(Ticket::default(), SmallUse::default()); 3];
        let (mut now, mut left) = (DAY, 0u64);
        for (pause, amount, how, who) in tries {
            now += pause;
            let terms = OutflowTerms { least_deposits: deposits, ..terms(now) };
            let (ticket, small) = accounts[who];
            let held = Gate { ticket, small, ..bank };
            let price = if how == 0 { 1 } else { LARGE };
            let found = match how {
                0 | 1 => held.let_out(&terms, out(amount, price)).inspect(|_| left += amount),
                2 => {
                    let ready = ticket.ready_amount(3, now);
                    let amount = amount.min(ready);
                    let served = held.let_out(&terms, out(amount, LARGE));
                    prop_assert!(served.is_ok(), "a ready ticket is served");
                    left += amount;
                    served
                }
                _ => plan_ticket(held, &terms, 3, u64::MAX - 1, amount),
            };
            if let Ok(after) = found {
                bank = after;
                accounts[who] = (after.ticket, after.small);
            }
            let capacity = u128::from(terms.capacity());
            let forgotten = capacity * (now - DAY) as u128 / DAY as u128;
            prop_assert!(u128::from(left) <= capacity + forgotten + 1, "{left} of {capacity} and {forgotten}");
            prop_assert!(bank.outflow.small.level <= terms.small_capacity());
        }
    }

    /// I9: tickets are ready in the order in which they were taken, whatever leaves in between.
    #[test]
    fn the_queue_is_first_in_first_out(tries in prop::collection::vec((0i64..7_200, any_magnitude(18), any::<bool>()), 2..24)) {
        let mut bank = gate();
        let (mut now, mut last) = (DAY, 0);
        for (pause, amount, queues) in tries {
            now += pause;
            let asked = Gate { ticket: Ticket::default(), ..bank };
            let found = if queues {
                plan_ticket(asked, &terms(now), 3, u64::MAX - 1, amount)
            } else {
                asked.let_out(&terms(now), out(amount, LARGE))
            };
            let Ok(after) = found else { continue };
            if queues {
                // Not ready before another that is still waiting.
                prop_assert!(after.ticket.ready >= last || last <= now, "{} before {last}", after.ticket.ready);
                last = after.ticket.ready.max(last);
            }
            bank = after;
        }
    }

    /// 7.5: the least that is kept is never above the least of the last 24 h.
    #[test]
    fn the_least_deposits_are_never_too_large(changes in prop::collection::vec((0i64..50_000, any_magnitude(40)), 1..40)) {
        let mut kept = LeastDeposits { current: 0, before: 0, since: 0 };
        let (mut now, mut total) = (0, 0u64);
        let mut history = vec![(0, 0u64)];
        for (pause, next) in changes {
            now += pause;
            kept = kept.at(total, now);
            total = next;
            kept = kept.with(total);
            history.push((now, total));
            // What held at the start of the last 24 h counts too.
            let first = history.iter().rposition(|(time, _)| *time <= now - DAY).unwrap_or(0);
            let least = history[first..].iter().map(|(_, total)| *total).min().unwrap();
            prop_assert!(kept.least() <= least);
        }
    }

    /// 4.4: a deposit's weight falls with what its bank holds, so that no more than `start` counts.
    #[test]
    fn a_large_bank_counts_no_more_than_its_start(weight in 0u32..=1_000_000, total in any_magnitude(62), start in any_magnitude(62)) {
        let scaled = scaled_weight(Ppm(weight), total, start);
        let exact = u128::from(weight) * u128::from(start.min(total)) / u128::from(total);
        prop_assert_eq!(u128::from(scaled.0), exact);
        prop_assert_eq!(scaled_weight(Ppm(weight), total, 0), Ppm(weight));
    }
}
