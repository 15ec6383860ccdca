//! What cranks and administration publish in the risk book.

use keel_risk::{
    Accruing, Auction, AuctionClock, BankLedger, Keep, MarketLedger, Prints, SILENCE_S, Scenario,
    ScenarioPeak, extremes,
};

use super::words;
use crate::{InstrumentEntry, RateEntry, RiskBook, StoredPeak, StoredScenario};

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
    /// such moment, at most a minute. A longer silence, or a restart of the cluster since, begins a
    /// new count of prints; then each asset of `printed`, as bits, was printed once more (margin-spec
    /// 8.4).
    pub fn tick(&mut self, now: i64, restart_slot: u64, printed: u32) {
        let elapsed = now.saturating_sub(self.last_update).max(0);
        if elapsed > SILENCE_S || restart_slot != self.restart_slot {
            self.silence = self.silence.wrapping_add(1);
            self.restart_slot = restart_slot;
        }
        self.live_time += elapsed.min(SILENCE_S).unsigned_abs();
        self.last_update = self.last_update.max(now);
        self.sequence += 1;
        self.count_prints(printed);
    }

    fn count_prints(&mut self, mut printed: u32) {
        let silence = self.silence;
        while printed != 0 {
            let entry = &mut self.assets[printed.trailing_zeros() as usize];
            printed &= printed - 1;
            let seen = if entry.silence == silence {
                entry.prints
            } else {
                0
            };
            entry.silence = silence;
            entry.prints = Prints(seen).printed().0;
        }
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

    /// The auction of an account at this moment, in a cluster that was last restarted in
    /// `restart_slot`: where no price has come since, no print counts (margin-spec 8.4).
    pub fn auction(
        &self,
        clock: AuctionClock,
        restart_slot: u64,
    ) -> Auction<impl Fn(u8) -> Prints + '_> {
        let restarted = restart_slot != self.restart_slot;
        Auction {
            clock,
            live_time: self.live_time,
            prints: move |asset| self.prints_of(asset).after_gap(0, restarted),
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
