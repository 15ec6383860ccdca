//! Plans applied to pools and to the requests of their providers.

use keel_risk::{
    Atoms, PoolTerms, Ppm, ProvidePlan, RedeemExit, RedeemPlan, RedeemQueue, RedeemRequest,
    RequestWindow, RoundTally,
};

use crate::{Bank, Pool, Provide, Redeem};

impl Pool {
    pub fn terms(&self) -> PoolTerms {
        PoolTerms {
            shares: self.shares,
            factor: Ppm(self.pool_factor),
            equity_cap: Atoms(i64::try_from(self.equity_cap).unwrap_or(i64::MAX)),
            asset_cap: Atoms(i64::try_from(self.asset_cap).unwrap_or(i64::MAX)),
        }
    }

    /// All requests to redeem its shares.
    pub fn queue(&self) -> RedeemQueue {
        RedeemQueue {
            escrowed: self.escrowed_shares,
            round_started: self.round_started,
            tally: RoundTally {
                round: self.round,
                burned: self.round_burned,
                paid: self.round_paid,
            },
        }
    }

    pub fn apply_provide(&mut self, plan: &ProvidePlan) {
        self.shares += plan.minted + plan.locked;
        self.locked_shares += plan.locked;
    }

    pub fn apply_redeem(&mut self, plan: &RedeemPlan) {
        self.shares -= plan.burned;
        self.escrowed_shares = plan.queue.escrowed;
        self.round = plan.queue.tally.round;
        self.round_started = plan.queue.round_started;
        self.round_burned = plan.queue.tally.burned;
        self.round_paid = plan.queue.tally.paid;
    }

    /// Shares came into the escrow of a request.
    pub fn escrow(&mut self, shares: u64) {
        self.escrowed_shares = self.escrowed_shares.saturating_add(shares);
    }

    /// Shares left it unredeemed.
    pub fn release(&mut self, shares: u64) {
        self.escrowed_shares = self.escrowed_shares.saturating_sub(shares);
    }
}

impl Bank {
    /// The quote bank as redemptions of a pool leave it: what is lent out and what tickets claim stays,
    /// and everything while a deficit waits to be resolved. It must have been brought to now.
    pub fn redeem_exit(&self, now: i64) -> RedeemExit {
        let ledger = self.ledger();
        let bound = ledger.borrows().saturating_add(self.queued);
        let free = ledger.deposits().saturating_sub(bound);
        RedeemExit {
            bank: self.terms(),
            free: if self.is_halted(now) { 0 } else { free },
            outflow: self.outflow(),
            terms: self.outflow_terms(now),
        }
    }

    pub fn apply_redeem(&mut self, plan: &RedeemPlan) {
        self.apply_cash(&plan.cash);
        self.set_outflow(plan.outflow);
    }
}

impl Provide {
    /// When it may be executed, with the cooldown that its pool has now.
    pub fn window(&self, pool: &Pool) -> RequestWindow {
        RequestWindow::after(self.requested_live_time, pool.cooldown_in_s)
    }
}

impl Redeem {
    /// The request with the cooldown that its pool has now.
    pub fn request(&self, pool: &Pool) -> RedeemRequest {
        let window = RequestWindow::after(self.requested_live_time, pool.cooldown_out_s);
        RedeemRequest {
            shares: self.lp_tokens,
            min_amount: self.min_amount,
            window: RequestWindow {
                closes: self.lapses_at,
                ..window
            },
            tally: RoundTally {
                round: self.round,
                burned: self.round_burned,
                paid: self.round_paid,
            },
        }
    }

    /// What is asked, and what a plan left of it.
    pub fn set_request(&mut self, request: &RedeemRequest) {
        self.lp_tokens = request.shares;
        self.min_amount = request.min_amount;
        self.lapses_at = request.window.closes;
        self.round = request.tally.round;
        self.round_burned = request.tally.burned;
        self.round_paid = request.tally.paid;
    }
}
