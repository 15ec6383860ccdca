//! Unwindings and bankruptcies applied (margin-spec 8.5, 8.6, 10.3).

use keel_risk::{
    Aftermath, BankResolution, Legs, MarketResolution, Resolved, StrayPlan, UnwindPlan, UnwindStep,
    halt_after,
};

use super::MarginMut;
use crate::{Bank, MarginView, Market};

impl MarginView<'_> {
    /// The slots whose debts were resolved in a bankruptcy that is under way.
    pub fn resolved(&self) -> Resolved {
        let mut resolved = Resolved::NONE;
        for (slot, balance) in self.account.balances.iter().enumerate() {
            resolved = resolved.with_balance(slot, balance.covered != 0);
        }
        let positions = &self.positions[..self.position_slots()];
        for (slot, position) in positions.iter().enumerate() {
            resolved = resolved.with_position(slot, position.covered != 0);
        }
        resolved
    }

    /// The sign of the last size that a slot held; 0 where that is not known.
    pub fn last_side(&self, slot: usize) -> i8 {
        self.positions[slot].last_side
    }
}

impl MarginMut<'_> {
    /// The account that was unwound.
    pub fn apply_unwinding(mut self, slot: usize, plan: &UnwindPlan) {
        self.account.liquidation_started = plan.clock.started;
        match &plan.step {
            UnwindStep::Pool(plan) => self.apply_liquidation(&plan.account),
            UnwindStep::Side(plan) => {
                self.set_position(slot, plan.after);
                self.account.seq += 1;
            }
        }
    }

    pub fn apply_strays(self, slot: usize, plan: &StrayPlan) {
        self.apply_positions(&[(slot, plan.after)]);
    }

    pub fn apply_market_resolution(mut self, slot: usize, plan: &MarketResolution) {
        self.set_balance(plan.balance.0, plan.balance.1);
        self.set_position(slot, plan.loss.after);
        self.finish_resolution(&plan.account);
    }

    pub fn apply_bank_resolution(mut self, plan: &BankResolution) {
        self.set_balance(plan.balance.0, plan.balance.1);
        self.finish_resolution(&plan.account);
    }

    /// Marks what is covered; once nothing is missing the account is no longer bankrupt.
    fn finish_resolution(&mut self, left: &Aftermath) {
        for (slot, balance) in self.account.balances.iter_mut().enumerate() {
            balance.covered = u8::from(left.resolved.balance(slot));
        }
        for (slot, position) in self.positions.iter_mut().enumerate() {
            position.covered = u8::from(left.resolved.position(slot));
        }
        if left.missing == 0 {
            self.account.deficit_found_at = 0;
        }
        self.account.liquidation_started = left.clock.started;
        self.account.seq += 1;
    }
}

impl Market {
    /// What traders hold net changes against what a pool takes or gives; what its side lost by keep
    /// is counted when the pool is touched.
    pub fn apply_unwinding(&mut self, step: &UnwindStep, of_pool: bool, now: i64) {
        match step {
            UnwindStep::Pool(plan) => {
                self.apply(&plan.markets[0]);
                self.move_skew(-plan.size.0, now);
            }
            UnwindStep::Side(plan) => {
                self.apply(&plan.market);
                self.move_skew(if of_pool { plan.size.0 } else { 0 }, now);
            }
        }
    }

    /// A pool took stray lots.
    pub fn apply_strays(&mut self, lots: i64, plan: &StrayPlan, now: i64) {
        self.apply(&plan.market);
        self.move_skew(-lots, now);
    }

    /// `found_at`: when the account's deficit was found.
    pub fn apply_resolution(&mut self, plan: &MarketResolution, found_at: i64) {
        self.apply_loss(&plan.loss);
        self.halted_until = halt_after(self.halted_until, found_at);
    }
}

impl Bank {
    pub fn apply_resolution(&mut self, plan: &BankResolution, found_at: i64) {
        self.apply(&plan.bank);
        if let Some(loss) = &plan.loss {
            self.set_insurance_window(&loss.insurance);
        }
        self.halted_until = halt_after(self.halted_until, found_at);
    }

    /// The quote's bank, whose insurance is the group's, after a market's part.
    pub fn apply_group_part(&mut self, plan: &MarketResolution) {
        self.apply(&plan.bank);
        self.set_insurance_window(&plan.loss.group_insurance);
    }
}
