//! Plans applied to markets.

use keel_risk::{
    Atoms, Book, Carries, Carry48, Dust48, ExitPlan, FillPlan, Frac40, FundingPlan, FundingState,
    FundingTerms, Halt, Insurance, Keep, LegFill, LiquidationPlan, Lots, MAX_ACCRUAL_AGE_S,
    MarketChange, MarketLedger, MarketLossPlan, MarketTerms, Ppm, Price, SideChange, SideLedger,
    SideTerms, funding_age_s, integrated,
};

use super::{Broken, wide, words};
use crate::{BookView, Market};

impl Market {
    pub fn terms(&self, view: &BookView<'_>) -> MarketTerms {
        MarketTerms {
            open_interest_long: self.open_interest_long,
            open_interest_short: self.open_interest_short,
            open_interest_cap: self.open_interest_cap,
            insurance: Atoms(self.insurance),
            insurance_multiple: self.insurance_multiple,
            min_size: self.min_size,
            taker_fee: Ppm(self.taker_fee),
            maker_fee: Ppm(self.maker_fee),
            referral_share: Ppm(self.referral_share),
            base_spread: Ppm(self.base_spread),
            conf_share: Ppm(self.conf_share),
            age_share: Ppm(self.age_share),
            skew: self.skew,
            skew_scale: self.skew_scale,
            impact_paid: self.impact_paid,
            accrual_age_s: self.accrual_age_s(view),
            max_age_fill_s: self.max_age_fill_s,
        }
    }

    /// Within the hour the time alone; beyond it, whether anything is due.
    fn accrual_age_s(&self, view: &BookView<'_>) -> u32 {
        let elapsed = view.now().saturating_sub(self.last_accrual);
        if elapsed <= i64::from(MAX_ACCRUAL_AGE_S) {
            return elapsed.max(0) as u32;
        }
        let mark = view.instrument(self.index).mark;
        let terms = self.funding_terms(mark, view.now());
        funding_age_s(&self.funding(view.now()), &terms)
    }

    /// The market's figures as the risk engine reads them.
    pub fn ledger(&self) -> MarketLedger {
        MarketLedger {
            long: SideLedger {
                open_interest: self.open_interest_long,
                carry: Carry48(wide(self.carry_long)),
                keep: Keep {
                    keep: Frac40(self.keep_long),
                    epoch: self.epoch_long,
                },
                stray: Frac40(self.stray_long),
                stray_quote: self.stray_quote_long,
            },
            short: SideLedger {
                open_interest: self.open_interest_short,
                carry: Carry48(wide(self.carry_short)),
                keep: Keep {
                    keep: Frac40(self.keep_short),
                    epoch: self.epoch_short,
                },
                stray: Frac40(self.stray_short),
                stray_quote: self.stray_quote_short,
            },
            fees: self.fees,
            insurance: self.insurance,
            quotes: self.quote_sum,
            residue: Dust48(self.residue),
        }
    }

    /// Funding since the last accrual, the skew of now included.
    pub fn funding(&self, now: i64) -> FundingState {
        let elapsed = now.saturating_sub(self.skew_updated);
        FundingState {
            rate: self.funding_rate,
            skew_integral: integrated(wide(self.skew_integral), self.skew, elapsed),
            since: self.last_accrual,
            carries: Carries {
                long: Carry48(wide(self.carry_long)),
                short: Carry48(wide(self.carry_short)),
            },
        }
    }

    pub fn funding_terms(&self, mark: Price, now: i64) -> FundingTerms {
        FundingTerms {
            velocity: Ppm(self.funding_velocity),
            max_funding: Ppm(self.max_funding),
            skew_scale: self.skew_scale,
            mark,
            now,
        }
    }

    /// Whether gains wait for a bankrupt account of the market to be resolved (8.6).
    pub fn settlement_closed(&self, now: i64) -> bool {
        self.halted_until > now
    }

    /// The insurance, as far as it is not owed itself, in the window that is stored.
    pub fn insurance_fund(&self) -> Insurance {
        Insurance {
            balance: self.insurance.max(0).unsigned_abs(),
            used: self.insurance_used,
            window_start: self.insurance_window_start,
        }
    }

    pub fn apply_fill(&mut self, plan: &FillPlan) {
        self.move_open_interest(
            plan.open_interest_change_long,
            plan.open_interest_change_short,
        );
        self.fees += plan.fee.0;
        self.quote_sum += plan.quotes_change;
        self.keep_residue(plan.residue);
    }

    /// The target's markets, by their number in it.
    pub fn apply_liquidation(&mut self, plan: &LiquidationPlan, number: usize) {
        self.apply(&plan.markets[number]);
    }

    /// No gain is settled until then, or longer where another account's deficit asks for it.
    pub fn apply_halt(&mut self, halt: Halt) {
        self.halted_until = self.halted_until.max(halt.until);
    }

    /// A fill of `size` lots between a trader and a pool: the skew moves by his lots, and what he paid
    /// for that, or earned back, by the premium.
    pub fn apply_leg(&mut self, fill: &LegFill, size: Lots, now: i64) {
        self.apply_fill(&fill.plan);
        self.impact_paid = self.impact_paid.saturating_add_signed(fill.impact.0);
        self.move_skew(size.0, now);
    }

    /// A trader's close against the other side. The skew stands: traders' net lots are what pools hold
    /// with the other sign, and a pool's are counted when it is touched.
    pub fn apply_exit(&mut self, plan: &ExitPlan) {
        self.apply(&plan.market);
    }

    /// Traders' net lots change by what they gain, which is what pools lose. Where nothing was due
    /// before, funding begins now: a market that lay idle is as if accrued (7.1).
    pub fn move_skew(&mut self, lots: i64, now: i64) {
        if lots == 0 {
            return;
        }
        if self.skew == 0 && self.skew_integral == [0; 2] && self.funding_rate == 0 {
            self.last_accrual = self.last_accrual.max(now);
        }
        self.set_skew(self.skew.saturating_add(lots), now);
    }

    /// Funding at a moment; the skew that holds on is integrated from there.
    pub fn apply_funding(&mut self, plan: &FundingPlan, now: i64) {
        self.funding_rate = plan.after.rate;
        self.skew_integral = words(plan.after.skew_integral);
        self.skew_updated = self.skew_updated.max(now);
        self.last_accrual = plan.after.since;
        self.carry_long = words(plan.after.carries.long.0);
        self.carry_short = words(plan.after.carries.short.0);
    }

    /// Where nobody holds a lot F starts anew. Whoever calls publishes the market in the same
    /// instruction.
    pub fn rest(&mut self) {
        let ledger = self.ledger().rested();
        self.carry_long = words(ledger.long.carry.0);
        self.carry_short = words(ledger.short.carry.0);
    }

    /// What traders hold net changed: the time before counts at the old skew (margin-spec 7.2).
    pub fn set_skew(&mut self, skew: i64, now: i64) {
        let integral = self.funding(now).skew_integral;
        self.skew_integral = words(integral);
        self.skew_updated = self.skew_updated.max(now);
        self.skew = skew;
    }

    pub fn apply_loss(&mut self, plan: &MarketLossPlan) {
        self.apply(&plan.market);
        self.insurance_used = plan.market_insurance.used;
        self.insurance_window_start = plan.market_insurance.window_start;
    }

    /// A plan's change of the ledger; whole atoms of residue join the insurance.
    pub fn apply(&mut self, change: &MarketChange) {
        self.move_open_interest(change.long.open_interest, change.short.open_interest);
        let (long, short) = (&change.long, &change.short);
        self.stray_long = self.stray_long.saturating_add_signed(long.stray);
        self.stray_quote_long += long.stray_quote;
        self.stray_short = self.stray_short.saturating_add_signed(short.stray);
        self.stray_quote_short += short.stray_quote;
        if let SideChange {
            terms: Some(SideTerms { keep, carry }),
            ..
        } = change.long
        {
            self.carry_long = words(carry.0);
            (self.keep_long, self.epoch_long) = (keep.keep.0, keep.epoch);
        }
        if let SideChange {
            terms: Some(SideTerms { keep, carry }),
            ..
        } = change.short
        {
            self.carry_short = words(carry.0);
            (self.keep_short, self.epoch_short) = (keep.keep.0, keep.epoch);
        }
        self.fees += change.fees;
        self.insurance += change.insurance;
        self.quote_sum += change.quotes;
        self.keep_residue(change.residue);
    }

    fn keep_residue(&mut self, residue: Dust48) {
        const ATOM: u64 = keel_risk::DUST_ONE;
        let sum = self.residue + residue.0;
        self.residue = sum % ATOM;
        self.insurance += (sum / ATOM) as i64;
    }

    fn move_open_interest(&mut self, long: i64, short: i64) {
        self.open_interest_long = self.open_interest_long.wrapping_add_signed(long);
        self.open_interest_short = self.open_interest_short.wrapping_add_signed(short);
    }

    /// I2 and I3.
    pub fn invariant(&self) -> Result<(), Broken> {
        let imbalance = self.ledger().imbalance();
        if imbalance != 0 {
            let sum = i64::try_from(imbalance >> 48).unwrap_or(i64::MAX);
            return Err(Broken::MarketLedger { sum });
        }
        let (long, short) = (self.open_interest_long, self.open_interest_short);
        if long != short {
            return Err(Broken::OpenInterest { long, short });
        }
        Ok(())
    }
}
