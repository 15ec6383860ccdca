//! The queue out of a bank (margin-spec 7.5): what the buckets cannot let out at once gets a ticket.
//!
//! A ticket fills the open bucket by its amount at once, beyond the capacity, and is ready when the
//! bucket will have leaked back to it: tickets are served in the order in which they were taken, and
//! nobody at the head can block. What a ticket claims stays in the account until the ticket is served
//! or lapses: else one deposit, moved from account to account, could fill the queue alone.

use crate::error::RiskError;
use crate::num::mul_div_ceil;
use crate::outflow::{Gate, Outflow, OutflowTerms, REFILL_S};

/// Tickets may fill the open bucket up to so many times its capacity.
pub const QUEUE_CAPACITIES: u64 = 8;
/// A ticket lapses when it has been ready for this time, seconds.
pub const TICKET_LIFE_S: i64 = 86_400;

/// What an account has queued to withdraw from one bank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// The bank's place in the risk book.
    pub bank: u8,
    /// Native units; 0 for no ticket.
    pub amount: u64,
    /// When it may leave.
    pub ready: i64,
}

impl Ticket {
    #[must_use]
    pub const fn has_lapsed(&self, now: i64) -> bool {
        now.saturating_sub(self.ready) >= TICKET_LIFE_S
    }

    /// What of a bank's deposit the ticket claims: neither a transfer nor another withdrawal may take
    /// it. Native units.
    #[must_use]
    pub const fn claims(&self, bank: u8, now: i64) -> u64 {
        if self.bank != bank || self.has_lapsed(now) {
            return 0;
        }
        self.amount
    }

    /// What the ticket lets out of a bank now, native units.
    #[must_use]
    pub const fn ready_amount(&self, bank: u8, now: i64) -> u64 {
        if now < self.ready {
            return 0;
        }
        self.claims(bank, now)
    }

    /// After a part was served; nothing left is no ticket.
    #[must_use]
    pub const fn less(self, amount: u64) -> Self {
        let left = self.amount.saturating_sub(amount);
        if left == 0 {
            return Self {
                bank: 0,
                amount: 0,
                ready: 0,
            };
        }
        Self {
            amount: left,
            ..self
        }
    }
}

/// A bank's tickets together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Native units that tickets claim.
    pub amount: u64,
    /// When the last of them lapses.
    pub ends: i64,
}

impl Queue {
    /// What new borrows leave to tickets (I9): nothing once the last has lapsed, served or not.
    #[must_use]
    pub const fn waiting(&self, now: i64) -> u64 {
        if now >= self.ends { 0 } else { self.amount }
    }

    pub(crate) const fn less(self, amount: u64) -> Self {
        Self {
            amount: self.amount.saturating_sub(amount),
            ..self
        }
    }

    fn with(self, ticket: &Ticket, now: i64) -> Self {
        Self {
            amount: self.waiting(now).saturating_add(ticket.amount),
            ends: self.ends.max(ticket.ready.saturating_add(TICKET_LIFE_S)),
        }
    }
}

/// Queues `amount` native units of an account's `deposit` in a bank (`u64::MAX`: all of it). With
/// nothing asked, a lapsed ticket of the bank is given up. Returns the gate after.
///
/// The time is the chain's, like the bucket's: waiting needs no prices (decision 30).
///
/// Errors: `TicketOpen` while another ticket stands, or a lapsed one of another bank;
/// `NothingToWithdraw`; `InsufficientDeposit`; `OutflowCap` beyond eight capacities.
pub fn plan_ticket(
    gate: Gate,
    terms: &OutflowTerms,
    bank: u8,
    deposit: u64,
    amount: u64,
) -> Result<Gate, RiskError> {
    let had = gate.ticket;
    let gate = gate.without_lapsed(bank, terms.now);
    if gate.ticket.amount != 0 {
        return Err(RiskError::TicketOpen {
            bank: gate.ticket.bank,
            ready: gate.ticket.ready,
        });
    }
    if amount == 0 && had.amount != 0 {
        return Ok(gate);
    }
    let asked = if amount == u64::MAX { deposit } else { amount };
    if asked == 0 {
        return Err(RiskError::NothingToWithdraw);
    }
    if asked > deposit {
        return Err(RiskError::InsufficientDeposit {
            available: i64::try_from(deposit).unwrap_or(i64::MAX),
            asked: i64::try_from(asked).unwrap_or(i64::MAX),
        });
    }

    let capacity = terms.open_capacity();
    let open = gate.outflow.open.at(capacity, terms.now);
    let most = capacity.saturating_mul(QUEUE_CAPACITIES);
    let filled = open.more(asked);
    if filled.level > most {
        return Err(RiskError::OutflowCap {
            available: open.room(most),
            asked,
        });
    }
    let ticket = Ticket {
        bank,
        amount: asked,
        ready: terms.now.saturating_add(wait_s(filled.level, capacity)),
    };
    Ok(Gate {
        outflow: Outflow {
            open: filled,
            ..gate.outflow
        },
        queue: gate.queue.with(&ticket, terms.now),
        ticket,
        ..gate
    })
}

/// Seconds in which a bucket leaks back to its capacity, ceil; at most a week while the queue's bound
/// holds.
fn wait_s(level: u64, capacity: u64) -> i64 {
    let over = level.saturating_sub(capacity);
    let wait = mul_div_ceil(over, REFILL_S.unsigned_abs(), capacity);
    i64::try_from(wait.unwrap_or(0)).unwrap_or(i64::MAX)
}
