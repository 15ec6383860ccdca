//! How fast a bank may be emptied (margin-spec 7.5): a leaky bucket of net outflow, as Drift's
//! withdraw guard and Aave's and Kamino's rate limits, with a part kept for small withdrawals.

use crate::error::RiskError;
use crate::num::{mul_div_floor, ppm_floor};
use crate::units::Ppm;

/// No bank lets more out in a day than this share of its deposits (7.5).
pub const MAX_OUTFLOW_SHARE: Ppm = Ppm(300_000);
/// What of the bucket large withdrawals leave to small ones (7.5).
pub const SMALL_RESERVE: Ppm = Ppm(100_000);
/// A full bucket is empty again after this time, seconds (7.5).
pub const REFILL_S: i64 = 86_400;

/// A bank's bucket, native units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outflow {
    /// Net outflow that counts now.
    pub level: u64,
    pub updated: i64,
}

/// What the bucket holds at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutflowTerms {
    /// Of the least deposit total, at most [`MAX_OUTFLOW_SHARE`] counts.
    pub share: Ppm,
    /// The least total of deposits in the last 24 h.
    pub least_deposits: u64,
    pub now: i64,
}

impl OutflowTerms {
    /// Most net outflow of a day, floor.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        ppm_floor(self.least_deposits, self.share.min(MAX_OUTFLOW_SHARE))
    }
}

impl Outflow {
    /// The bucket at a moment: in a day it forgets its capacity, floor. A time before the last
    /// counts as none.
    #[must_use]
    pub fn at(self, terms: &OutflowTerms) -> Self {
        let elapsed = terms.now.saturating_sub(self.updated).clamp(0, REFILL_S);
        let leaked = mul_div_floor(
            terms.capacity(),
            elapsed.unsigned_abs(),
            REFILL_S.unsigned_abs(),
        );
        // What is too little to leak a unit leaves the time, so that asking often costs nothing.
        let leaked = leaked.unwrap_or(u64::MAX);
        if leaked == 0 && self.level != 0 {
            return self;
        }
        Self {
            level: self.level.saturating_sub(leaked),
            updated: self.updated.max(terms.now),
        }
    }
}

/// Tokens out of a bank, and how its owner fares by the small rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub amount: u64,
    /// What the owner took by the small rule today, this amount not included, and the most that it
    /// allows: $10,000 worth.
    pub small_used: u64,
    pub small_limit: u64,
}

/// Tokens that may leave, and the bucket after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutflowPlan {
    pub amount: u64,
    pub after: Outflow,
    /// Whether the reserve for small withdrawals was drawn on.
    pub small: bool,
}

/// Lets an amount out if the bucket has room (7.5): nine tenths of the capacity for anyone, the last
/// tenth for what is small of its owner today. Error: `OutflowCap` with what could leave now; the
/// caller may queue.
pub fn plan_outflow(
    bucket: Outflow,
    terms: &OutflowTerms,
    out: Outgoing,
) -> Result<OutflowPlan, RiskError> {
    let bucket = bucket.at(terms);
    let capacity = terms.capacity();
    let free = capacity.saturating_sub(bucket.level);
    let reserve = ppm_floor(capacity, SMALL_RESERVE);
    let open = free.saturating_sub(reserve);
    let small = out.small_used.saturating_add(out.amount) <= out.small_limit;
    let available = if small { free } else { open };
    if out.amount > available {
        return Err(RiskError::OutflowCap {
            available,
            asked: out.amount,
        });
    }
    Ok(OutflowPlan {
        amount: out.amount,
        after: Outflow {
            level: bucket.level + out.amount,
            ..bucket
        },
        small: out.amount > open,
    })
}

/// The bucket after tokens came in: they make room, up to all of it (7.5).
#[must_use]
pub fn after_inflow(bucket: Outflow, terms: &OutflowTerms, amount: u64) -> Outflow {
    let bucket = bucket.at(terms);
    Outflow {
        level: bucket.level.saturating_sub(amount),
        ..bucket
    }
}
