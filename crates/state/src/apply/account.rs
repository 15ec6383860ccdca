//! Plans applied to margin accounts.

use keel_risk::{
    AuctionClock, BalanceLeg, CashPlan, Frac40, Keep, LegChange, PositionLeg, SettlePlan,
};

use crate::{MarginAccount, Position};

/// A side's keep before any deleveraging: one, with 40 fractional bits.
pub const KEEP_ONE: u64 = Keep::ONE.keep.0;

/// A margin account mapped for writing.
#[derive(Debug)]
pub struct MarginMut<'a> {
    account: &'a mut MarginAccount,
    positions: &'a mut [Position],
}

impl<'a> MarginMut<'a> {
    pub fn new(account: &'a mut MarginAccount, positions: &'a mut [Position]) -> Self {
        Self { account, positions }
    }

    pub fn apply_cash(mut self, plan: &CashPlan) {
        self.set_balance(plan.slot, plan.after);
        self.account.seq += 1;
    }

    pub fn apply_positions(mut self, changes: &[(usize, PositionLeg)]) {
        for (slot, leg) in changes {
            self.set_position(*slot, *leg, Keep::ONE);
        }
        self.account.seq += 1;
    }

    /// Positions of markets that were deleveraged before: each with its side's keep of now, which it
    /// was brought up to.
    pub fn apply_kept(mut self, changes: &[(usize, PositionLeg, Keep)]) {
        for (slot, leg, keep) in changes {
            self.set_position(*slot, *leg, *keep);
        }
        self.account.seq += 1;
    }

    /// Balances and positions of a takeover, from its buffers.
    pub fn apply_legs(
        mut self,
        balances: &[(usize, BalanceLeg)],
        positions: &[(usize, PositionLeg)],
    ) {
        for (slot, leg) in balances {
            self.set_balance(*slot, *leg);
        }
        self.apply_positions(positions);
    }

    pub fn apply_liquidation(self, side: &LegChange) {
        self.apply_legs(side.balances.as_slice(), side.positions.as_slice());
    }

    pub fn apply_settlement_gain(self, plan: &SettlePlan) {
        self.apply_legs(&[plan.winner_balance], &[plan.winner_position]);
    }

    pub fn apply_settlement_loss(self, plan: &SettlePlan) {
        self.apply_legs(&[plan.loser_balance], &[plan.loser_position]);
    }

    pub fn apply_clock(self, clock: AuctionClock) {
        self.account.liquidation_started = clock.started;
    }

    /// Writes a balance; an empty one frees its slot, but for the quote's.
    fn set_balance(&mut self, slot: usize, leg: BalanceLeg) {
        let balance = &mut self.account.balances[slot];
        balance.bank = leg.rate;
        balance.shares = leg.shares.0;
        balance.used = u8::from(slot == 0 || leg.shares.0 != 0);
    }

    /// Writes a position; one without size and result frees its slot.
    fn set_position(&mut self, slot: usize, leg: PositionLeg, keep: Keep) {
        let position = &mut self.positions[slot];
        position.instrument = leg.instrument;
        position.size = leg.size.0;
        position.quote = leg.quote.0;
        position.keep = keep.keep.0;
        position.epoch = keep.epoch;
        position.used = u8::from(leg.size.0 != 0 || leg.quote.0 != 0);
        self.find_end(slot);
    }

    /// Keeps `positions_end` one past the last slot in use, after `slot` was written.
    fn find_end(&mut self, slot: usize) {
        let mut end = usize::from(self.account.positions_end).max(slot + 1);
        while end > 0 && self.positions[end - 1].used == 0 {
            end -= 1;
        }
        self.account.positions_end = end as u16;
    }
}

impl MarginAccount {
    /// Since when the account has been below Maintenance.
    pub fn auction_clock(&self) -> AuctionClock {
        AuctionClock {
            started: self.liquidation_started,
        }
    }
}

impl Position {
    /// Where its side's keep stood when it was last written.
    pub fn touched(&self) -> Keep {
        Keep {
            keep: Frac40(self.keep),
            epoch: self.epoch,
        }
    }
}
