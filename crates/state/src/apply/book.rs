//! What cranks and administration publish in the risk book.

use keel_risk::{
    Accruing, BankLedger, Keep, MarketLedger, Prints, Scenario, ScenarioPeak, extremes,
};

use super::words;
use crate::{InstrumentEntry, RateEntry, RiskBook, StoredPeak, StoredScenario};

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

impl RiskBook {
    /// How often an asset was priced since the last silence (margin-spec 8.4).
    pub fn prints_of(&self, asset: u8) -> Prints {
        let entry = &self.assets[usize::from(asset)];
        if entry.silence == self.silence {
            Prints(entry.prints)
        } else {
            Prints(0)
        }
    }
}

impl RateEntry {
    /// Copies a bank's ledger and its rate: what judging reads (margin-spec 7.1).
    pub fn publish(&mut self, bank: &BankLedger, accruing: &Accruing) {
        self.deposit_index = bank.deposit_index.0;
        self.borrow_index = bank.borrow_index.0;
        self.total_deposits = bank.deposits();
        self.total_borrows = bank.borrows();
        self.borrow_rate = accruing.rate.0;
        self.updated = accruing.since;
    }
}

impl RiskBook {
    /// Publishes a market's ledger: whoever changes its carry or keep does so at once.
    pub fn publish_market(&mut self, index: u8, market: &MarketLedger) {
        let keeps = [market.long.keep, market.short.keep];
        self.shrunk |= u8::from(keeps.iter().any(|keep| *keep != Keep::ONE));
        self.instruments[usize::from(index)].publish(market);
    }
}

impl InstrumentEntry {
    /// Copies both sides' carry and keep of a market's ledger: what judging reads (margin-spec 7.1,
    /// 8.5). Of the epochs the low bits.
    fn publish(&mut self, market: &MarketLedger) {
        self.carry_long = words(market.long.carry.0);
        self.carry_short = words(market.short.carry.0);
        self.keep_long = market.long.keep.keep.0;
        self.keep_short = market.short.keep.keep.0;
        self.epoch_long = market.long.keep.epoch as u16;
        self.epoch_short = market.short.keep.epoch as u16;
        self.open_interest = market.long.open_interest;
    }
}
