//! The search for the share (margin-spec 8.3).

use super::give::give;
use super::{MILLION, TakeoverBuffers, TakeoverTerms};
use crate::book::{Amended, Book, Legs, QUOTE_RATE};
use crate::error::RiskError;
use crate::failure::auction::discount;
use crate::failure::liquidation::{StoppedBy, reaches_end};
use crate::margin::{self, Assessment, Health, Scratch};
use crate::num::{mul_div_ceil, ppm_ceil, ppm_floor};
use crate::shares::credited;
use crate::units::{Atoms, Native, Ppm};

/// Shares tried at most by one call.
const TAKEOVER_TRIES: usize = 12;

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
        let small = RiskError::ShareTooSmall { asked: most };
        if most == 0 {
            return Err(small);
        }
        let guess = self.guess().clamp(1, most);
        let first = self.attempt(Ppm(guess))?;
        if !self.passes(&first) && (guess == most || guess == MILLION) {
            let stop = if most == MILLION {
                StoppedBy::WholeLeg
            } else {
                StoppedBy::MaxSize
            };
            return Ok((first, stop));
        }

        let (mut low, mut high) = if self.passes(&first) {
            (0, guess)
        } else {
            let last = self.attempt(Ppm(most))?;
            if !self.passes(&last) {
                return Ok((last, StoppedBy::MaxSize));
            }
            (guess, most)
        };
        // The guess is nearly right: look beside it first, then halve.
        for tried in 0..TAKEOVER_TRIES {
            if high - low <= 1 {
                break;
            }
            let middle = if tried == 0 && low == 0 && high > 16 {
                high - 16
            } else {
                low + (high - low) / 2
            };
            let step = self.attempt(Ppm(middle))?;
            if self.passes(&step) {
                high = middle;
            } else {
                low = middle;
            }
        }
        let share = if high - low <= 1 { high } else { low };
        let step = self.attempt(Ppm(share))?;
        Ok((step, StoppedBy::End))
    }

    fn passes(&self, tried: &Tried) -> bool {
        reaches_end(tried.after, self.terms.liquidation)
    }

    /// The share that reaches the end of an account whose requirement is proportional to its legs:
    /// `(1 - x) * E_M + x * P >= (1 - x) * MM * (1 + buffer)`, ceil, in ppm.
    fn guess(&self) -> u32 {
        let Health {
            equity,
            requirement,
        } = self.found.maintenance;
        let wanted = requirement.0.unsigned_abs();
        let wanted = wanted.saturating_add(ppm_ceil(wanted, self.terms.liquidation.buffer));
        let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
        let short = wanted.saturating_sub(equity.0).max(0).unsigned_abs();
        let worth = self.found.net_asset_value.0.max(0).unsigned_abs();
        let paid = ppm_floor(worth, Ppm(MILLION - discount(self.terms.live_s).0));
        let share = mul_div_ceil(short, u64::from(MILLION), short.saturating_add(paid));
        share.map_or(MILLION, |share| share.min(u64::from(MILLION)) as u32)
    }

    /// Writes the account without `share` of everything, the payment received, and judges it.
    fn attempt(&mut self, share: Ppm) -> Result<Tried, RiskError> {
        let given = give(self.book, self.account, share, self.buffers)?;
        let payment = if self.found.net_asset_value.0 > 0 {
            let rate = Ppm(MILLION - discount(self.terms.live_s).0);
            Atoms(ppm_ceil(given.worth.max(0).unsigned_abs(), rate) as i64)
        } else {
            Atoms(0)
        };
        if let Some((_, quote)) = self.buffers.account_balances.first_mut() {
            let rate = self.book.rate(QUOTE_RATE);
            quote.shares = credited(
                quote.shares,
                Native(payment.0),
                rate.deposit_index,
                rate.borrow_index,
            );
        }
        let amended = Amended {
            base: self.account,
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
        let after = margin::maintenance(self.book, &amended, self.scratch);
        Ok(Tried {
            share,
            balances: given.balances,
            positions: given.positions,
            worth: Atoms(given.worth),
            payment,
            after,
        })
    }
}
