//! What cranks and administration publish in the risk book.

use bytemuck::bytes_of;
use keel_risk::num::value_ceil;
use keel_risk::{
    Accruing, Atoms, Auction, AuctionClock, BankLedger, Keep, Lots, MarketLedger, Ppm, Price,
    Prints, SILENCE_S, Scenario, ScenarioPeak, earned_rate, extremes, open_interest_factor,
    permits_funding, plan_funding,
};

use super::words;
use crate::{
    ASSET_SLOTS, AssetEntry, Bank, INSTRUMENT_SLOTS, InstrumentEntry, Market, RateEntry, RiskBook,
    StoredPeak, StoredScenario,
};

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

    fn count_prints(&mut self, printed: u32) {
        let (silence, mut printed) = (self.silence, u64::from(printed));
        for entry in &mut self.assets {
            if printed == 0 {
                break;
            }
            let counts = printed & 1 != 0;
            printed >>= 1;
            if !counts {
                continue;
            }
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

impl RiskBook {
    /// Copies a bank that has been brought to now, its Initial weight scaled by what it holds
    /// (margin-spec 4.4, 7.1). Returns whether anything of the copy is new.
    pub fn publish_bank(&mut self, bank: &Bank) -> bool {
        let entry = &mut self.rates[usize::from(bank.index)];
        let before = *entry;
        let (ledger, accruing) = (bank.ledger(), bank.accruing());
        entry.publish(&ledger, &accruing);
        entry.deposit_rate = earned_rate(&ledger, accruing.rate, Ppm(bank.insurance_fee)).0;
        entry.init_asset_weight = bank.scaled_init_weight().0;
        bytes_of(&before) != bytes_of(entry)
    }

    /// Brings a market's funding to now, lets F of one that nobody holds start anew, and copies both
    /// sides' carry and keep and its open interest
    /// (margin-spec 7.1, 7.2): whether anything is new, or `None` while the asset's price does not
    /// serve (2.6).
    pub fn accrue_market(&mut self, market: &mut Market, now: i64) -> Option<bool> {
        if !permits_funding(self.tier(market.asset, now)) {
            return None;
        }
        let asset = &self.assets[usize::from(market.asset)];
        let mark = Price::from_stored(asset.lot_price, asset.lot_shift);
        let plan = plan_funding(&market.funding(now), &market.funding_terms(mark, now));
        market.apply_funding(&plan, now);
        market.rest();

        let entry = &mut self.instruments[usize::from(market.index)];
        let before = *entry;
        entry.publish(&market.ledger());
        Some(bytes_of(&before) != bytes_of(entry))
    }

    /// Publishes what the instruments of some assets (as bits) hold open together, and what that
    /// multiplies their `init_factor` by (margin-spec 3.4). Returns whether anything is new.
    pub fn publish_open_interest(&mut self, assets: u32) -> bool {
        if assets == 0 {
            return false;
        }
        let mut lots = [0u64; ASSET_SLOTS];
        let listed = usize::from(self.instruments_len).min(INSTRUMENT_SLOTS);
        for entry in &self.instruments[..listed] {
            let sum = &mut lots[usize::from(entry.asset) % ASSET_SLOTS];
            *sum = sum.saturating_add(entry.open_interest);
        }

        let (mut left, mut is_new) = (assets, false);
        while left != 0 {
            let asset = left.trailing_zeros() as usize;
            left &= left - 1;
            is_new |= self.assets[asset].set_open_interest(lots[asset]);
        }
        is_new
    }
}

impl AssetEntry {
    fn set_open_interest(&mut self, lots: u64) -> bool {
        let before = (self.open_interest, self.init_factor_effective);
        let mark = Price::from_stored(self.lot_price, self.lot_shift);
        let held = Lots(i64::try_from(lots).unwrap_or(i64::MAX));
        let (cap, slope) = (Atoms(self.oi_soft_cap), Ppm(self.oi_slope));
        self.open_interest = lots;
        self.oi_factor = open_interest_factor(value_ceil(held, mark), cap, slope).0;
        self.refresh_init_factor();
        before != (self.open_interest, self.init_factor_effective)
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
