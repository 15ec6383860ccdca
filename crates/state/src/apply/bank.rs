//! Plans applied to banks.

use keel_risk::{
    AccrualPlan, AccrualTerms, Accruing, BankChange, BankLedger, BankLossPlan, BankTerms, Bucket,
    CashPlan, Endangered, Exit, Gate, Halt, Index48, Insurance, LeastDeposits, Legs, LendingTerms,
    LiquidationPlan, Outflow, OutflowTerms, PerSecond64, Ppm, Queue, RateCurve, Shares,
    after_inflow, deposit_amount, plan_accrual, scaled_weight,
};

use super::Broken;
use crate::{Bank, FreshRate, MarginAccount, MarginView, RiskBook};

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

    /// Charges interest up to now, and begins the day anew that the least deposits are counted by: what
    /// every change of a bank's totals does first (margin-spec 7.1, 7.5).
    pub fn bring_to_now(&mut self, now: i64) -> AccrualPlan {
        let terms = AccrualTerms {
            curve: self.curve(),
            insurance_share: Ppm(self.insurance_fee),
            now,
        };
        let total = self.total_deposits();
        self.set_least(self.least().at(total, now));
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
            open: Bucket {
                level: self.outflow_level,
                updated: self.outflow_updated,
            },
            small: Bucket {
                level: self.small_level,
                updated: self.small_updated,
            },
        }
    }

    /// How much may leave; the bank must have been brought to now.
    pub fn outflow_terms(&self, now: i64) -> OutflowTerms {
        OutflowTerms {
            share: Ppm(self.outflow_share),
            floor: self.outflow_floor,
            least_deposits: self.least().least(),
            now,
        }
    }

    fn least(&self) -> LeastDeposits {
        LeastDeposits {
            current: self.least_deposits,
            before: self.least_deposits_before,
            since: self.least_deposits_since,
        }
    }

    fn set_least(&mut self, least: LeastDeposits) {
        self.least_deposits = least.current;
        self.least_deposits_before = least.before;
        self.least_deposits_since = least.since;
    }

    /// Whether what is in the bank must stay until a bankrupt account is resolved (margin-spec 8.6).
    pub fn is_halted(&self, now: i64) -> bool {
        self.halted_until > now
    }

    /// The bank as whoever takes out of it meets it, and what lets tokens out to an account. The bank
    /// must have been brought to now.
    pub fn exit(&self, account: &MarginAccount, book: &RiskBook, now: i64) -> Exit {
        let published = book.rates[usize::from(self.index)].updated;
        Exit {
            bank: LendingTerms {
                rate: self.index,
                ledger: self.ledger(),
                deposit_cap: self.deposit_cap,
                borrow_cap: self.borrow_cap,
                halted: self.is_halted(now),
                peg_holds: book.borrows_may_grow(now),
                published_age_s: now.saturating_sub(published),
            },
            gate: Gate {
                outflow: self.outflow(),
                queue: Queue {
                    amount: self.queued,
                    ends: self.queue_ends,
                },
                ticket: account.ticket(),
                small: account.small_use(),
            },
            terms: self.outflow_terms(now),
        }
    }

    /// What an account has deposited, native units, floor.
    pub fn deposit_of(&self, account: &MarginView<'_>) -> u64 {
        let held = account.balance_slot(self.index);
        let leg = held.and_then(|slot| account.balance(slot));
        let shares = leg.map_or(Shares(0), |leg| leg.shares);
        deposit_amount(shares, Index48(self.deposit_index))
            .0
            .unsigned_abs()
    }

    /// The bank's part of a gate: its buckets and its queue.
    pub fn apply_gate(&mut self, gate: &Gate) {
        self.set_outflow(gate.outflow);
        self.queued = gate.queue.amount;
        self.queue_ends = gate.queue.ends;
    }

    /// Tokens came in: they make room in the buckets (margin-spec 7.5).
    pub fn take_inflow(&mut self, amount: u64, now: i64) {
        let after = after_inflow(self.outflow(), &self.outflow_terms(now), amount);
        self.set_outflow(after);
    }

    pub(super) fn set_outflow(&mut self, outflow: Outflow) {
        self.outflow_level = outflow.open.level;
        self.outflow_updated = outflow.open.updated;
        self.small_level = outflow.small.level;
        self.small_updated = outflow.small.updated;
    }

    /// The Initial weight of its deposits as it is published: scaled where it holds much (4.4).
    pub fn scaled_init_weight(&self) -> Ppm {
        let weight = Ppm(self.init_asset_weight);
        scaled_weight(weight, self.total_deposits(), self.weight_scale_start)
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

    /// Tokens given to its insurance.
    pub fn give_insurance(&mut self, amount: u64) {
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        self.apply(&BankChange {
            tokens: amount,
            insurance: amount,
            ..BankChange::default()
        });
    }

    /// A plan's change of the ledger; what rounding leaves over joins `dust`. The least deposits of the
    /// day are kept.
    pub fn apply(&mut self, change: &BankChange) {
        self.deposit_shares = self.deposit_shares.saturating_add_signed(change.deposits);
        self.borrow_shares = self.borrow_shares.saturating_add_signed(change.borrows);
        self.tracked = self.tracked.saturating_add_signed(change.tokens);
        self.insurance = self.insurance.saturating_add_signed(change.insurance);
        if let Some((deposit, borrow)) = change.indices {
            self.deposit_index = deposit.0;
            self.borrow_index = borrow.0;
        }
        let ledger = self.ledger();
        let dust = self.tracked.saturating_sub(ledger.owed());
        self.dust = self.dust.saturating_add(dust);
        self.set_least(self.least().with(ledger.deposits()));
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
