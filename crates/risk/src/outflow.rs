//! How fast a bank may be emptied (margin-spec 7.5): leaky buckets of net outflow, as Drift's withdraw
//! guard and Aave's and Kamino's rate limits. A tenth is kept for small withdrawals, and what the rest
//! cannot let out at once waits in a queue.

use crate::error::RiskError;
use crate::num::{mul_div_floor, ppm_floor};
use crate::ticket::{Queue, Ticket};
use crate::units::{Atoms, Ppm};

/// No bank lets more out in a day than this share of its deposits (7.5).
pub const MAX_OUTFLOW_SHARE: Ppm = Ppm(300_000);
/// The share of what may leave that is kept for small withdrawals (7.5).
pub const SMALL_RESERVE: Ppm = Ppm(100_000);
/// What one account may withdraw a day by the small rule: $10,000 (7.5).
pub const SMALL_LIMIT: Atoms = Atoms(10_000_000_000);
/// A full bucket is empty again after this time, seconds (7.5).
pub const REFILL_S: i64 = 86_400;

/// A leaky bucket, native units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Net outflow that counts now; above the capacity while tickets wait.
    pub level: u64,
    pub updated: i64,
}

impl Bucket {
    /// The bucket at a moment: in a day it forgets its capacity, floor. A time before the last counts
    /// as none.
    #[must_use]
    pub fn at(self, capacity: u64, now: i64) -> Self {
        let elapsed = now.saturating_sub(self.updated).max(0).unsigned_abs();
        let leaked = mul_div_floor(capacity, elapsed, REFILL_S.unsigned_abs());
        // What is too little to leak a unit leaves the time, so that asking often costs nothing.
        let leaked = leaked.unwrap_or(u64::MAX);
        if leaked == 0 && self.level != 0 {
            return self;
        }
        Self {
            level: self.level.saturating_sub(leaked),
            updated: self.updated.max(now),
        }
    }

    /// What may still leave.
    #[must_use]
    pub const fn room(self, capacity: u64) -> u64 {
        capacity.saturating_sub(self.level)
    }

    pub(crate) const fn more(self, amount: u64) -> Self {
        Self {
            level: self.level.saturating_add(amount),
            ..self
        }
    }

    const fn less(self, amount: u64) -> Self {
        Self {
            level: self.level.saturating_sub(amount),
            ..self
        }
    }
}

/// A bank's two buckets: for anyone, tickets included, and for what is small of its owner's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outflow {
    pub open: Bucket,
    pub small: Bucket,
}

/// What the buckets hold at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutflowTerms {
    /// Of the least deposit total; at most [`MAX_OUTFLOW_SHARE`] counts.
    pub share: Ppm,
    /// Both buckets together hold at least this, native units: what a young bank may lose in a day.
    pub floor: u64,
    /// The least total of deposits in the last 24 h, or in a longer time.
    pub least_deposits: u64,
    pub now: i64,
}

impl OutflowTerms {
    /// Most net outflow of a day, floor.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        ppm_floor(self.least_deposits, self.share.min(MAX_OUTFLOW_SHARE)).max(self.floor)
    }

    /// The part of it for small withdrawals alone, floor.
    #[must_use]
    pub fn small_capacity(&self) -> u64 {
        ppm_floor(self.capacity(), SMALL_RESERVE)
    }

    /// The part of it for anyone.
    #[must_use]
    pub fn open_capacity(&self) -> u64 {
        self.capacity().saturating_sub(self.small_capacity())
    }
}

/// What an account withdrew in its day, atoms at the prices then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmallUse {
    pub withdrawn: u64,
    pub since: i64,
}

impl SmallUse {
    /// At a moment: a day after it began a new one begins.
    #[must_use]
    pub const fn at(self, now: i64) -> Self {
        if now.saturating_sub(self.since) >= REFILL_S {
            return Self {
                withdrawn: 0,
                since: now,
            };
        }
        self
    }
}

/// Tokens on their way out of a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The bank's place in the risk book.
    pub bank: u8,
    /// Native units, and how many of them are borrowed: those have neither ticket nor small rule.
    pub amount: u64,
    pub borrowed: u64,
    /// What they are worth, ceil; none without a price.
    pub value: Option<Atoms>,
}

/// What lets tokens out: a bank's buckets and queue, and an account's ticket and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    pub outflow: Outflow,
    pub queue: Queue,
    pub ticket: Ticket,
    pub small: SmallUse,
}

impl Gate {
    /// Lets an amount out (7.5): what a ready ticket claims without asking the buckets again, the rest
    /// if they have room: nine tenths of the capacity for anyone, the last tenth for an account that
    /// withdraws at most [`SMALL_LIMIT`] in its day, this amount included. Returns the gate after.
    ///
    /// Error: `OutflowCap` with what could leave now; the caller may take a ticket.
    pub fn let_out(self, terms: &OutflowTerms, out: Outgoing) -> Result<Self, RiskError> {
        let mut gate = self.without_lapsed(out.bank, terms.now);
        let own = out.amount.saturating_sub(out.borrowed);
        let served = gate.ticket.ready_amount(out.bank, terms.now).min(own);
        gate = gate.served(served);

        let day = gate.small.at(terms.now);
        let used = out
            .value
            .map(|value| day.withdrawn.saturating_add(value.0.unsigned_abs()));
        let small = out.borrowed == 0 && used.is_some_and(|used| used <= LIMIT);
        let rest = out.amount - served;
        if rest > 0 {
            gate.outflow = through_buckets(gate.outflow, terms, rest, small)?;
        }
        gate.small = SmallUse {
            withdrawn: used.unwrap_or(day.withdrawn),
            ..day
        };
        Ok(gate)
    }

    /// The gate once a lapsed ticket of this bank has given up its claim.
    #[must_use]
    pub fn without_lapsed(self, bank: u8, now: i64) -> Self {
        if self.ticket.amount == 0 || self.ticket.bank != bank || !self.ticket.has_lapsed(now) {
            return self;
        }
        self.served(self.ticket.amount)
    }

    /// The gate after the account's deposit has left whole: a ticket of the bank claims nothing more.
    #[must_use]
    pub fn emptied(self, bank: u8) -> Self {
        if self.ticket.bank != bank {
            return self;
        }
        self.served(self.ticket.amount)
    }

    fn served(mut self, amount: u64) -> Self {
        self.queue = self.queue.less(amount);
        self.ticket = self.ticket.less(amount);
        self
    }
}

const LIMIT: u64 = SMALL_LIMIT.0.unsigned_abs();

fn through_buckets(
    outflow: Outflow,
    terms: &OutflowTerms,
    amount: u64,
    small: bool,
) -> Result<Outflow, RiskError> {
    let capacity = terms.open_capacity();
    let open = outflow.open.at(capacity, terms.now);
    let room = open.room(capacity);
    if amount <= room {
        return Ok(Outflow {
            open: open.more(amount),
            ..outflow
        });
    }

    let reserve = terms.small_capacity();
    let kept = outflow.small.at(reserve, terms.now);
    let last = if small { kept.room(reserve) } else { 0 };
    let available = room.saturating_add(last);
    if amount > available {
        return Err(RiskError::OutflowCap {
            available,
            asked: amount,
        });
    }
    Ok(Outflow {
        open: open.more(room),
        small: kept.more(amount - room),
    })
}

/// The buckets after tokens came in: they make room, up to all of it (7.5), for anyone first.
#[must_use]
pub fn after_inflow(outflow: Outflow, terms: &OutflowTerms, amount: u64) -> Outflow {
    let open = outflow.open.at(terms.open_capacity(), terms.now);
    let rest = amount.saturating_sub(open.level);
    let open = open.less(amount);
    if rest == 0 || outflow.small.level == 0 {
        return Outflow { open, ..outflow };
    }
    let small = outflow.small.at(terms.small_capacity(), terms.now);
    Outflow {
        open,
        small: small.less(rest),
    }
}

/// The least deposit total of the day that runs and of the one before, native units: together at
/// least 24 h and at most 48 (7.5). More than 24 h only make the bucket smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeastDeposits {
    pub current: u64,
    pub before: u64,
    /// When the day that runs began.
    pub since: i64,
}

impl LeastDeposits {
    /// At a moment, `total` being what deposits have been since the last change: full days end.
    #[must_use]
    pub const fn at(self, total: u64, now: i64) -> Self {
        let elapsed = now.saturating_sub(self.since);
        if elapsed < REFILL_S {
            return self;
        }
        let before = if elapsed < 2 * REFILL_S {
            self.current
        } else {
            total
        };
        Self {
            current: total,
            before,
            since: now.saturating_sub(elapsed % REFILL_S),
        }
    }

    /// After deposits became `total`.
    #[must_use]
    pub fn with(self, total: u64) -> Self {
        Self {
            current: self.current.min(total),
            ..self
        }
    }

    #[must_use]
    pub fn least(self) -> u64 {
        self.current.min(self.before)
    }
}
