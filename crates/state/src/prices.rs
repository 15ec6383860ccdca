//! An asset's sources and its published price, between the stored bytes and `keel-risk`.

use keel_risk::{
    AcceptLimits, BandTerms, Frac40, Ppm, Price, PriceState, PriceTerms, Reading, RiskError, Tier,
    Unit, advance, choose, tier,
};

use crate::{AssetEntry, PriceSource};

impl PriceSource {
    /// The last accepted print of this source.
    fn reading(&self) -> Option<Reading> {
        (self.priced != 0).then_some(Reading {
            price: self.price,
            conf: self.confidence,
            expo: self.exponent,
            publish_time: self.publish_time,
        })
    }
}

impl AssetEntry {
    pub fn accept_limits(&self) -> AcceptLimits {
        AcceptLimits {
            max_age_s: self.max_age_s,
            max_future_s: self.max_future_s,
        }
    }

    fn price_terms(&self) -> PriceTerms {
        PriceTerms {
            lot: Unit::of_decimals(self.lot_decimals, self.lot_shift),
            native: Unit::of_decimals(self.token_decimals, self.native_shift),
            band: BandTerms {
                conf_multiplier: Ppm(self.conf_multiplier),
                conf_cap: Ppm(self.conf_cap),
            },
            stable_speed: Ppm(self.stable_speed),
        }
    }

    /// The price as published; `None` before the first one.
    fn published(&self) -> Option<PriceState> {
        if self.priced == 0 {
            return None;
        }
        Some(PriceState {
            lot: Price::new(self.lot_price, self.lot_shift)?,
            native: Price::new(self.native_price, self.native_shift)?,
            conf: Ppm(self.conf),
            stable: self.stable_price,
            publish_time: self.publish_time,
            down: Frac40(self.down),
            up: Frac40(self.up),
        })
    }

    /// Stores an accepted print with its source.
    pub fn store_reading(&mut self, source: usize, reading: &Reading) {
        let source = &mut self.sources[source];
        source.price = reading.price;
        source.confidence = reading.conf;
        source.exponent = reading.expo;
        source.publish_time = reading.publish_time;
        source.priced = 1;
    }

    /// Publishes the print that rules between the two sources. Errors: those of `advance`.
    pub fn publish(&mut self, now: i64) -> Result<(), RiskError> {
        let [primary, secondary] = [self.sources[0].reading(), self.sources[1].reading()];
        let Some(chosen) = choose(primary, secondary, Ppm(self.max_divergence)) else {
            return Ok(());
        };
        let state = advance(self.published(), &chosen.reading, &self.price_terms(), now)?;

        self.lot_price = state.lot.mantissa();
        self.native_price = state.native.mantissa();
        self.conf = state.conf.0;
        self.stable_price = state.stable;
        self.publish_time = state.publish_time;
        self.stable_updated = now;
        self.down = state.down.0;
        self.up = state.up.0;
        self.diverged = u8::from(chosen.diverged);
        self.priced = 1;
        Ok(())
    }

    /// How good the price is at `now` (margin-spec 2.6).
    pub fn tier(&self, now: i64) -> Tier {
        if self.priced == 0 || self.halted != 0 {
            return Tier::Invalid;
        }
        tier(
            self.publish_time,
            Ppm(self.conf),
            self.diverged != 0,
            Ppm(self.wide_conf),
            self.max_age_margin_s,
            now,
        )
    }
}
