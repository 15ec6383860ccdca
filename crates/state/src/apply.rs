//! Applying plans to the stored bytes, and the invariants that every change must keep. Nothing is
//! decided here: a plan that reaches this module has been judged.

use keel_risk::{
    Atoms, BalanceLeg, BankTerms, CashPlan, FillPlan, Index48, LegChange, LiquidationPlan,
    MarketTerms, PoolTerms, PositionLeg, Ppm, ProvidePlan, Scenario, ScenarioPeak, Shares,
    deposit_amount, extremes,
};

use crate::{Bank, MarginAccount, Market, Pool, Position, RiskBook, StoredPeak, StoredScenario};

/// What an invariant found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// I1: `tracked` is not what the bank owes.
    BankLedger { tracked: u64, owed: u64 },
    /// I1: the vault holds less than `tracked`.
    VaultShort { vault: u64, tracked: u64 },
    /// I2: quotes, fees and insurance do not sum to zero.
    MarketLedger { sum: i64 },
    /// I3: longs and shorts differ.
    OpenInterest { long: u64, short: u64 },
}

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
            self.set_position(*slot, *leg);
        }
        self.account.seq += 1;
    }

    pub fn apply_liquidation(mut self, side: &LegChange) {
        self.set_position(side.position.0, side.position.1);
        if let Some((slot, leg)) = side.balance {
            self.set_balance(slot, leg);
        }
        self.account.seq += 1;
    }

    /// Writes a balance; an empty one frees its slot, but for the quote's.
    fn set_balance(&mut self, slot: usize, leg: BalanceLeg) {
        let balance = &mut self.account.balances[slot];
        balance.bank = leg.rate;
        balance.shares = leg.shares.0;
        balance.used = u8::from(slot == 0 || leg.shares.0 != 0);
    }

    /// Writes a position; one without size and result frees its slot.
    fn set_position(&mut self, slot: usize, leg: PositionLeg) {
        let position = &mut self.positions[slot];
        position.instrument = leg.instrument;
        position.size = leg.size.0;
        position.quote = leg.quote.0;
        position.keep = KEEP_ONE;
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

/// A side's keep before any deleveraging: one, with 40 fractional bits.
pub const KEEP_ONE: u64 = 1 << 40;

impl Bank {
    pub fn terms(&self) -> BankTerms {
        BankTerms {
            rate: self.index,
            deposit_index: Index48(self.deposit_index),
            total_deposits: self.total_deposits(),
            deposit_cap: self.deposit_cap,
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
        let shares = plan.after.shares.0 - plan.before.0;
        self.deposit_shares = self.deposit_shares.wrapping_add_signed(shares);
        self.tracked = self.tracked.wrapping_add_signed(plan.tokens.0);
        self.sweep();
    }

    /// A deposit changed hands; the totals move only where it repaid a borrow.
    pub fn apply_liquidation(&mut self, plan: &LiquidationPlan) {
        self.deposit_shares = self
            .deposit_shares
            .wrapping_add_signed(plan.deposit_shares_change);
        self.borrow_shares = self
            .borrow_shares
            .wrapping_add_signed(plan.borrow_shares_change);
        self.sweep();
    }

    /// What rounding left over joins `dust`, which is never handed out.
    fn sweep(&mut self) {
        self.dust += self.tracked.saturating_sub(self.owed());
    }

    /// Deposits less borrows, plus what the house owes itself. No borrows exist in this release.
    fn owed(&self) -> u64 {
        self.total_deposits() + self.fees + self.insurance + self.dust
    }

    /// I1, given what the vault holds; a surplus in the vault is a donation and harmless.
    pub fn invariant(&self, vault: u64) -> Result<(), Broken> {
        let (tracked, owed) = (self.tracked, self.owed());
        if tracked != owed {
            return Err(Broken::BankLedger { tracked, owed });
        }
        if vault < tracked {
            return Err(Broken::VaultShort { vault, tracked });
        }
        Ok(())
    }
}

impl Market {
    pub fn terms(&self) -> MarketTerms {
        MarketTerms {
            open_interest_long: self.open_interest_long,
            open_interest_short: self.open_interest_short,
            open_interest_cap: self.open_interest_cap,
            min_size: self.min_size,
            taker_fee: Ppm(self.taker_fee),
            base_spread: Ppm(self.base_spread),
            conf_share: Ppm(self.conf_share),
            max_age_fill_s: self.max_age_fill_s,
        }
    }

    pub fn apply_fill(&mut self, plan: &FillPlan) {
        self.move_open_interest(
            plan.open_interest_change_long,
            plan.open_interest_change_short,
        );
        self.fees += plan.fee.0;
        self.quote_sum += plan.quotes_change;
    }

    pub fn apply_liquidation(&mut self, plan: &LiquidationPlan) {
        self.move_open_interest(
            plan.open_interest_change_long,
            plan.open_interest_change_short,
        );
        self.insurance += plan.penalty_insurance.0;
        self.quote_sum += plan.quotes_change;
    }

    fn move_open_interest(&mut self, long: i64, short: i64) {
        self.open_interest_long = self.open_interest_long.wrapping_add_signed(long);
        self.open_interest_short = self.open_interest_short.wrapping_add_signed(short);
    }

    /// I2 and I3.
    pub fn invariant(&self) -> Result<(), Broken> {
        let sum = self.quote_sum + self.fees + self.insurance;
        if sum != 0 {
            return Err(Broken::MarketLedger { sum });
        }
        let (long, short) = (self.open_interest_long, self.open_interest_short);
        if long != short {
            return Err(Broken::OpenInterest { long, short });
        }
        Ok(())
    }
}

impl Pool {
    pub fn terms(&self) -> PoolTerms {
        PoolTerms {
            shares: self.shares,
            factor: Ppm(self.pool_factor),
            equity_cap: Atoms(i64::try_from(self.equity_cap).unwrap_or(i64::MAX)),
            asset_cap: Atoms(i64::try_from(self.asset_cap).unwrap_or(i64::MAX)),
        }
    }

    pub fn apply_provide(&mut self, plan: &ProvidePlan) {
        self.shares += plan.minted + plan.locked;
        self.locked_shares += plan.locked;
    }
}

/// Longest silence between two price updates that still counts as live, seconds (margin-spec 8.4).
const LIVE_GAP_S: i64 = 60;

impl RiskBook {
    /// Publishes a scenario set and its peaks.
    pub fn set_scenarios(&mut self, scenarios: &[Scenario]) {
        self.scenarios_len = scenarios.len() as u8;
        for (stored, scenario) in self.scenarios.iter_mut().zip(scenarios) {
            *stored = stored_scenario(scenario);
        }
        let peaks = extremes(scenarios);
        self.peak_up = stored_peak(&peaks.up);
        self.peak_down = stored_peak(&peaks.down);
    }

    pub fn has_bank_of(&self, asset: u8) -> bool {
        self.rates[..usize::from(self.rates_len)]
            .iter()
            .any(|rate| rate.asset == asset)
    }

    /// Prices were accepted: the sequence counts, and live time advances by the time since the last
    /// such moment, at most a minute (margin-spec 8.4).
    pub fn tick(&mut self, now: i64) {
        let elapsed = now.saturating_sub(self.last_update).clamp(0, LIVE_GAP_S);
        self.live_time += elapsed.unsigned_abs();
        self.last_update = self.last_update.max(now);
        self.sequence += 1;
    }
}

fn stored_scenario(scenario: &Scenario) -> StoredScenario {
    StoredScenario {
        k_num: scenario.k_num,
        k_den: scenario.k_den,
        v: scenario.v,
        padding0: 0,
        w: scenario.w.0,
    }
}

fn stored_peak(peak: &ScenarioPeak) -> StoredPeak {
    StoredPeak {
        scenario: stored_scenario(&peak.scenario),
        number: peak.number,
        reach: peak.reach,
        padding0: [0; 6],
    }
}
