//! Plans applied to banks.

use keel_risk::{
    AccrualPlan, AccrualTerms, Accruing, BankChange, BankLedger, BankLossPlan, BankTerms, CashPlan, Endangered, Halt, Index48, Insurance, LiquidationPlan, Outflow, OutflowPlan, PerSecond64, Ppm, RateCurve, Shares, deposit_amount, plan_accrual,
};

use super::Broken;
use crate::{Bank, FreshRate};

impl Bank {
    pub fn terms(&self) -> BankTerms {
        BankTerms {
            rate: self.index,
            deposit_index: Index48(self.deposit_index),
            borrow_index: Index48(self.borrow_index),
            total_deposits: self.total_deposits(),
            deposit_cap: self.deposit_cap,
        }
    }

    /// The bank's figures as the risk engine reads them.
    pub fn ledger(&self) -> BankLedger {
        BankLedger {
            deposit_shares: self.deposit_shares,
            borrow_shares: self.borrow_shares,
            deposit_index: Index48(self.deposit_index),
            borrow_index: Index48(self.borrow_index),
            tracked: self.tracked,
            fees: self.fees,
            insurance: self.insurance,
            dust: self.dust,
        }
    }

    /// How fast its borrows grow, and since when.
    pub fn accruing(&self) -> Accruing {
        Accruing {
            rate: PerSecond64(self.borrow_rate),
            since: self.last_accrual,
            pending: self.pending_growth,
        }
    }

    pub fn curve(&self) -> RateCurve {
        RateCurve {
            utilisation: self.curve_utilisation.map(Ppm),
            rate: self.curve_rate.map(Ppm),
        }
    }

    /// Its indices as they stand: what handlers convert by.
    pub fn fresh_rate(&self) -> FreshRate {
        FreshRate {
            rate: self.index,
            deposit_index: Index48(self.deposit_index),
            borrow_index: Index48(self.borrow_index),
        }
    }

    /// Charges interest up to now: what every change of a bank's totals does first (margin-spec 7.1).
    pub fn bring_to_now(&mut self, now: i64) -> AccrualPlan {
        let terms = AccrualTerms {
            curve: self.curve(),
            insurance_share: Ppm(self.insurance_fee),
            now,
        };
        let plan = plan_accrual(&self.ledger(), self.accruing(), &terms);
        self.apply_accrual(&plan);
        plan
    }

    /// The insurance of its token, in the window that is stored.
    pub fn insurance_fund(&self) -> Insurance {
        Insurance {
            balance: self.insurance,
            used: self.insurance_used,
            window_start: self.insurance_window_start,
        }
    }

    pub fn outflow(&self) -> Outflow {
        Outflow {
            level: self.outflow_level,
            updated: self.outflow_updated,
        }
    }

    /// Native units owed to depositors, floor.
    pub fn total_deposits(&self) -> u64 {
        let shares = Shares(i64::try_from(self.deposit_shares).unwrap_or(i64::MAX));
        deposit_amount(shares, Index48(self.deposit_index))
            .0
            .unsigned_abs()
    }

    pub fn apply_cash(&mut self, plan: &CashPlan) {
        self.apply(&BankChange {
            tokens: plan.tokens.0,
            ..BankChange::of(plan.before, plan.after.shares)
        });
    }

    /// The bank of the deposit that a liquidation step takes.
    pub fn apply_liquidation(&mut self, plan: &LiquidationPlan) {
        self.apply(&plan.deposit_bank);
    }

    /// The bank of the borrow that it repays.
    pub fn apply_repayment(&mut self, plan: &LiquidationPlan) {
        self.apply(&plan.borrow_bank);
    }

    /// Nothing leaves until then, or longer where another account's deficit asks for it.
    pub fn apply_halt(&mut self, halt: Halt) {
        self.halted_until = self.halted_until.max(halt.until);
    }

    /// The ledger on which an account's deficit may fall, as it stands.
    pub fn endangered(&self) -> Endangered {
        Endangered::Bank {
            rate: self.index,
            deposits: self.total_deposits(),
        }
    }

    pub fn apply_accrual(&mut self, plan: &AccrualPlan) {
        self.apply(&plan.change);
        self.borrow_rate = plan.accruing.rate.0;
        self.last_accrual = plan.accruing.since;
        self.pending_growth = plan.accruing.pending;
    }

    pub fn apply_loss(&mut self, plan: &BankLossPlan) {
        self.apply(&plan.bank);
        self.set_insurance_window(&plan.insurance);
    }

    /// What an insurance that paid keeps of its window; its balance moves with the ledger.
    pub fn set_insurance_window(&mut self, insurance: &Insurance) {
        self.insurance_used = insurance.used;
        self.insurance_window_start = insurance.window_start;
    }

    pub fn apply_outflow(&mut self, plan: &OutflowPlan) {
        self.outflow_level = plan.after.level;
        self.outflow_updated = plan.after.updated;
    }

    /// A plan's change of the ledger; what rounding leaves over joins `dust`.
    pub fn apply(&mut self, change: &BankChange) {
        self.deposit_shares = self.deposit_shares.saturating_add_signed(change.deposits);
        self.borrow_shares = self.borrow_shares.saturating_add_signed(change.borrows);
        self.tracked = self.tracked.saturating_add_signed(change.tokens);
        self.insurance = self.insurance.saturating_add_signed(change.insurance);
        if let Some((deposit, borrow)) = change.indices {
            self.deposit_index = deposit.0;
            self.borrow_index = borrow.0;
        }
        let dust = self.tracked.saturating_sub(self.ledger().owed());
        self.dust = self.dust.saturating_add(dust);
    }

    /// I1, given what the vault holds; a surplus in the vault is a donation and harmless.
    pub fn invariant(&self, vault: u64) -> Result<(), Broken> {
        let (tracked, owed) = (self.tracked, self.ledger().owed());
        if tracked != owed {
            return Err(Broken::BankLedger { tracked, owed });
        }
        if vault < tracked {
            return Err(Broken::VaultShort { vault, tracked });
        }
        Ok(())
    }
}
