//! The search for the share (margin-spec 8.3).

use super::give::give;
use super::legs::Written;
use super::{MILLION, TakeoverBuffers, TakeoverTerms};
use crate::book::{Book, Legs, QUOTE_RATE};
use crate::error::RiskError;
use crate::failure::auction::discount;
use crate::failure::liquidation::{LiquidationTerms, StoppedBy, end_of};
use crate::margin::{self, Assessment, Health, Scratch};
use crate::num::{mul_div_floor, ppm_ceil, ppm_floor};
use crate::shares::{amount, credited};
use crate::units::{Atoms, Native, Ppm};

/// Shares tried at most by one call.
const TAKEOVER_TRIES: usize = 14;
/// A share that leaves the account short of the end by at most this part of the buffer, as a power of
/// two, is as good as the end: the account is healthy, and no further one is tried.
const NEAR_SHIFT: u32 = 4;
/// How far below the share that the figures point at the next one is tried, ppm: rounding of the legs
/// would else pass the end as often as not.
const MARGIN: u32 = 2;
/// Steps towards the root of [`Search::least`].
const ROOT_STEPS: usize = 4;

/// A share tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried {
    pub share: Ppm,
    pub balances: usize,
    pub positions: usize,
    pub worth: Atoms,
    pub payment: Atoms,
    pub after: Health,
}

pub(super) struct Search<'s, 'b, 'l, B, A> {
    pub book: &'s B,
    pub account: &'s A,
    pub found: Assessment,
    pub terms: &'s TakeoverTerms,
    pub buffers: &'s mut TakeoverBuffers<'b>,
    pub scratch: &'s mut Scratch<'l>,
}

impl<B: Book, A: Legs> Search<'_, '_, '_, B, A> {
    /// The share to take; its legs stand in the account's buffers.
    pub fn share(&mut self) -> Result<(Tried, StoppedBy), RiskError> {
        let most = self.terms.max_share.0.min(MILLION);
        if most == 0 {
            return Err(RiskError::ShareTooSmall { asked: most });
        }
        // Shares up to `low` do not pass the end; `high` does.
        let (mut low, mut high) = (0, None);
        let mut bend = self.bend();
        let mut share = self.least(bend).clamp(1, most);
        for tried in 1..TAKEOVER_TRIES {
            let step = self.attempt(Ppm(share))?;
            let slack = slack(step.after, self.terms.liquidation);
            if slack >= 0 && share - low <= 1 {
                return Ok((step, StoppedBy::End));
            } else if slack >= 0 {
                high = Some(share);
            } else if share == most {
                return Ok((step, stopped_at(most)));
            } else if is_near(slack, step.after, self.terms.liquidation) {
                return Ok((step, StoppedBy::End));
            } else {
                low = share;
            }
            share = match high {
                None => most,
                Some(high) if high - low <= 1 => high,
                // What the last share came to is closer to the truth than rows scaled down; then halve.
                Some(high) if tried <= 2 => {
                    bend = self.bend_of(share, slack);
                    self.least(bend).clamp(low + 1, high - 1)
                }
                Some(high) => low + (high - low) / 2,
            };
        }
        let step = self.attempt(Ppm(low.max(1)))?;
        Ok((step, StoppedBy::End))
    }

    /// What the account lacks of the end, and what the bidder would pay for all of it.
    fn lacking(&self) -> (u64, u64) {
        let lacks = slack(self.found.maintenance, self.terms.liquidation);
        let worth = self.found.net_asset_value.0.max(0).unsigned_abs();
        let paid = ppm_floor(worth, Ppm(MILLION - discount(self.terms.live_s).0));
        (lacks.min(0).unsigned_abs(), paid)
    }

    /// A share just below the least that reaches the end, where a share x leaves the account at
    /// `-lacks * (1 - x) + paid * x + bend * x * (1 - x)` of it: all that scales with the legs, the
    /// payment, and what the size multiplier gives up besides.
    fn least(&self, bend: u64) -> u32 {
        let (lacks, paid) = self.lacking();
        let all = lacks.saturating_add(paid).saturating_add(bend);
        // Shifted so that a million times it fits; the figures are a guess all the same.
        let shift = (64 - all.leading_zeros()).saturating_sub(43);
        let mut share = 0;
        // From below, so that no step passes the root.
        for _ in 0..ROOT_STEPS {
            let rest = ppm_floor(bend, Ppm(MILLION - share));
            let divisor = (lacks.saturating_add(paid).saturating_add(rest)) >> shift;
            if divisor == 0 {
                return MILLION;
            }
            let next = (lacks >> shift) * u64::from(MILLION) / divisor;
            share = next.min(u64::from(MILLION)) as u32;
            if bend == 0 {
                break;
            }
        }
        if share == MILLION {
            share
        } else {
            share.saturating_sub(MARGIN)
        }
    }

    /// By how much the requirement falls faster than the legs, where size multipliers fall with them:
    /// the `bend` of [`Self::least`] that explains the requirement of what a share near the end leaves.
    fn bend(&mut self) -> u64 {
        let all = self.found.maintenance.requirement;
        // In 1024ths, so that the rows are scaled by shifts.
        let share = (u64::from(self.least(0)) * 1_024 / u64::from(MILLION)).clamp(1, 1_023);
        let rest = 1_024 - share;
        let left =
            margin::requirement_of_part(self.book, self.found.assets, rest as i64, self.scratch);
        let in_proportion = (all.0.max(0).unsigned_abs() >> 10).saturating_mul(rest);
        let less = in_proportion.saturating_sub(left.0.max(0).unsigned_abs());
        let bend = mul_div_floor(less, 1 << 20, share * rest).unwrap_or(u64::MAX >> 2);
        bend.saturating_add(ppm_floor(bend, self.terms.liquidation.buffer))
    }

    /// The bend that explains how far past the end a share came.
    fn bend_of(&self, share: u32, slack: i64) -> u64 {
        let (lacks, paid) = self.lacking();
        let rest = MILLION - share;
        let in_proportion =
            i128::from(ppm_floor(paid, Ppm(share))) - i128::from(ppm_floor(lacks, Ppm(rest)));
        let more = u64::try_from(i128::from(slack) - in_proportion).unwrap_or(0);
        let square = u64::from(MILLION) * u64::from(MILLION);
        let divisor = u64::from(share) * u64::from(rest);
        mul_div_floor(more, square, divisor).unwrap_or(u64::MAX >> 2)
    }

    /// Writes the account without `share` of everything, the payment received, and judges it. What it
    /// is worth less is what moved; a payment adds its quote to equity and leaves the requirement.
    fn attempt(&mut self, share: Ppm) -> Result<Tried, RiskError> {
        let given = give(self.account, share, self.buffers)?;
        let left = Written {
            balances: self
                .buffers
                .account_balances
                .get(..given.balances)
                .unwrap_or_default(),
            positions: self
                .buffers
                .account_positions
                .get(..given.positions)
                .unwrap_or_default(),
        };
        let left = margin::judged(self.book, &left, self.scratch);
        let legs = (given.balances + given.positions) as i64;
        let moved = self
            .found
            .net_asset_value
            .0
            .saturating_sub(left.net_asset_value.0);
        let worth = moved.saturating_add(legs);

        let mut after = left.maintenance;
        let mut payment = Atoms(0);
        if self.found.net_asset_value.0 > 0 {
            let rate = Ppm(MILLION - discount(self.terms.live_s).0);
            payment = Atoms(ppm_ceil(worth.max(0).unsigned_abs(), rate) as i64);
            let gained = self.receive_payment(payment);
            after.equity = Atoms(after.equity.0.saturating_add(gained));
        }
        Ok(Tried {
            share,
            balances: given.balances,
            positions: given.positions,
            worth: Atoms(worth),
            payment,
            after,
        })
    }

    /// Credits the payment to the account's quote; what this adds to its equity.
    fn receive_payment(&mut self, payment: Atoms) -> i64 {
        let rate = self.book.rate(QUOTE_RATE);
        let (deposit, borrow) = (rate.deposit_index, rate.borrow_index);
        let Some((_, quote)) = self.buffers.account_balances.first_mut() else {
            return 0;
        };
        let before = amount(quote.shares, deposit, borrow).0;
        quote.shares = credited(quote.shares, Native(payment.0), deposit, borrow);
        amount(quote.shares, deposit, borrow)
            .0
            .saturating_sub(before)
    }
}

/// Why the greatest share that may be taken was.
fn stopped_at(most: u32) -> StoppedBy {
    if most == MILLION {
        StoppedBy::WholeLeg
    } else {
        StoppedBy::MaxSize
    }
}

/// Equity beyond the end; saturates.
fn slack(found: Health, terms: LiquidationTerms) -> i64 {
    found
        .equity
        .0
        .saturating_sub(end_of(found.requirement, terms).0)
}

/// Whether an account short of the end is as good as there.
fn is_near(slack: i64, after: Health, terms: LiquidationTerms) -> bool {
    let buffer = ppm_floor(after.requirement.0.unsigned_abs(), terms.buffer);
    slack.unsigned_abs() <= buffer >> NEAR_SHIFT
}
