//! The search for the size of a step (margin-spec 8.1, 1.7).

use super::cut::{Cut, shares_worth, worth_of};
use super::target::Taken;
use super::{LegChange, LiquidationTerms, MAX_TRIES, StoppedBy};
use crate::book::{Book, Legs};
use crate::error::RiskError;
use crate::failure::auction::penalty;
use crate::margin::{Health, Kept, Scratch};
use crate::num::{mul_div_floor, ppm_ceil};
use crate::units::Atoms;

/// A size tried: what moves, and the account's Maintenance with the penalty paid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub cut: Cut,
    /// Deposit shares that leave the account, the penalty's included.
    pub shares: i64,
    /// What the step adds to health_M at no penalty.
    pub gain: i64,
    /// In quote; of a borrow what `penalty_shares` are worth, floor.
    pub penalty: i64,
    pub penalty_shares: i64,
    pub after: Health,
}

impl Step {
    fn size(&self) -> i64 {
        self.cut.size
    }
}

pub(super) struct Search<'s, 'l, B, A> {
    pub book: &'s B,
    /// The account, its taken legs to be replaced.
    pub kept: &'s mut Kept<'s, B, A>,
    pub taken: &'s Taken,
    pub before: Health,
    pub terms: LiquidationTerms,
    pub scratch: &'s mut Scratch<'l>,
}

impl<B: Book, A: Legs> Search<'_, '_, B, A> {
    /// The step to take when at most `asked` may be taken, and what stopped it there.
    pub fn largest(&mut self, asked: i64) -> Result<(Step, StoppedBy), RiskError> {
        let group = self.book.group();
        let whole = self.taken.whole;
        let take_whole = RiskError::TakeWhole { asked, whole };
        let first = self.attempt(asked)?;
        if self.before.requirement < group.small_requirement {
            return if asked == whole {
                Ok((first, StoppedBy::SmallRequirement))
            } else {
                Err(take_whole)
            };
        }

        let (step, stopped_by) = if self.passes(&first) {
            self.bisect(first)?
        } else if asked == whole {
            (first, StoppedBy::WholeLeg)
        } else {
            (first, StoppedBy::MaxSize)
        };
        let dust = self.taken.leaves_dust(step.size(), group.min_notional.0);
        match (dust, asked == whole) {
            (false, _) => Ok((step, stopped_by)),
            (true, true) => Ok((first, StoppedBy::Dust)),
            (true, false) => Err(take_whole),
        }
    }

    /// Between nothing and a size that passes the end, with the seven tries that are left.
    fn bisect(&mut self, first: Step) -> Result<(Step, StoppedBy), RiskError> {
        let (mut short, mut beyond): (Option<Step>, Step) = (None, first);
        for _ in 1..MAX_TRIES {
            let low = short.map_or(0, |step| step.size());
            if beyond.size() - low <= 1 {
                break;
            }
            let step = self.attempt(low + (beyond.size() - low) / 2)?;
            if self.passes(&step) {
                beyond = step;
            } else {
                short = Some(step);
            }
        }
        // One lot past a size that does not pass is the end to within a lot.
        let step = match short {
            None if beyond.size() == 1 => beyond,
            None => {
                return Err(RiskError::SizeBeyondEnd {
                    least_tried: beyond.size(),
                });
            }
            Some(step) if beyond.size() - step.size() == 1 => beyond,
            Some(step) => step,
        };
        Ok((step, StoppedBy::End))
    }

    /// Whether the step, its penalty paid, reaches `E_M >= MM * (1 + buffer)`.
    fn passes(&self, step: &Step) -> bool {
        reaches_end(step.after, self.terms)
    }

    /// The account without `size` of the target: what this is worth in health and what it costs.
    fn attempt(&mut self, size: i64) -> Result<Step, RiskError> {
        let cut = self.taken.cut(size);
        let (change, _) = self.taken.without(&cut, 0, 0)?;
        let free = self.evaluate(&change);
        let gain = free.health().0.saturating_sub(self.before.health().0);
        let penalty = penalty(cut.notional, self.terms.fee, Atoms(gain)).0;
        if self.taken.borrow.is_some() {
            return self.with_collateral(cut, free, gain, penalty);
        }
        Ok(Step {
            cut,
            shares: cut.shares,
            gain,
            penalty,
            penalty_shares: 0,
            after: Health {
                equity: Atoms(free.equity.0.saturating_sub(penalty)),
                requirement: free.requirement,
            },
        })
    }

    /// The account's Maintenance as a change would leave it: the one place that judges a tried size.
    fn evaluate(&mut self, change: &LegChange) -> Health {
        let tried = (change.positions.as_slice(), change.balances.as_slice());
        self.kept.try_legs(tried, self.scratch)
    }

    /// A penalty of collateral worth `penalty`. Its loss may cost more health than it is worth, where
    /// the collateral hedges something: then it is cut in proportion, which suffices because health
    /// is concave in what is taken.
    fn with_collateral(
        &mut self,
        cut: Cut,
        free: Health,
        gain: i64,
        penalty: i64,
    ) -> Result<Step, RiskError> {
        let Some(deposit) = self.taken.deposit else {
            return Err(RiskError::NothingToLiquidate);
        };
        let left = deposit.leg.shares.0 - cut.shares;
        let mut step = Step {
            cut,
            shares: cut.shares,
            gain,
            penalty: 0,
            penalty_shares: 0,
            after: free,
        };
        let half = gain.max(0) / 2;
        let mut more = shares_worth(penalty, &deposit).min(left);
        // Twice: as asked, then cut to what half of the gain allows.
        for _ in 0..2 {
            if more <= 0 {
                break;
            }
            let (change, _) = self.taken.without(&cut, 0, more)?;
            let after = self.evaluate(&change);
            let lost = free.health().0.saturating_sub(after.health().0);
            if lost <= half {
                step.after = after;
                step.shares = cut.shares + more;
                step.penalty_shares = more;
                step.penalty = worth_of(more, &deposit);
                break;
            }
            let allowed = mul_div_floor(
                more.unsigned_abs(),
                half.unsigned_abs(),
                lost.unsigned_abs(),
            );
            more = allowed.map_or(0, |shares| (shares as i64 - 1).max(0));
        }
        Ok(step)
    }
}

/// Whether an account is where a liquidation ends.
fn reaches_end(after: Health, terms: LiquidationTerms) -> bool {
    after.equity >= end_of(after.requirement, terms)
}

/// The equity at which a liquidation ends: `MM * (1 + buffer)`, ceil (8.1).
pub(in crate::failure) fn end_of(requirement: Atoms, terms: LiquidationTerms) -> Atoms {
    let requirement = requirement.0.unsigned_abs();
    let end = requirement.saturating_add(ppm_ceil(requirement, terms.buffer));
    Atoms(i64::try_from(end).unwrap_or(i64::MAX))
}
