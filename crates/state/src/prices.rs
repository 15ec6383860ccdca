//! An asset's sources and its published price, between the stored bytes and `keel-risk`.

use keel_risk::{
    AcceptLimits, BandTerms, Chosen, Frac40, Peg, PegTerms, Pending, Ppm, Price, PriceState,
    PriceTerms, RangeState, RangeTerms, Reading, RiskError, Tier, Unit, VarianceState, advance,
    choose, init_factor_effective, initial_variance, is_due, peg, peg_up, remeasure,
    sample_variance, target_range, tier,
};

use crate::{AssetEntry, PriceSource, RiskBook, SourceKind};

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

    fn store(&mut self, reading: &Reading) {
        self.price = reading.price;
        self.confidence = reading.conf;
        self.exponent = reading.expo;
        self.publish_time = reading.publish_time;
        self.priced = 1;
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
            max_jump: Ppm(self.max_jump),
        }
    }

    fn range_terms(&self) -> RangeTerms {
        RangeTerms {
            k: Ppm(self.range_k),
            horizon_s: self.range_horizon_s,
            tau_up_s: self.tau_up_s,
            tau_down_s: self.tau_down_s,
            floor: Ppm(self.range_floor),
            cap: Ppm(self.range_cap),
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
            band: Frac40(self.band),
            stable: self.stable_price,
            publish_time: self.publish_time,
            pending: self.pending(),
            down: Frac40(self.down),
            up: Frac40(self.up),
            bound_down: Frac40(self.bound_down),
            bound_up: Frac40(self.bound_up),
        })
    }

    /// The jump that waits, if any (margin-spec 2.5).
    pub fn pending(&self) -> Option<Pending> {
        (self.pending_price != 0).then_some(Pending {
            reading: Reading {
                price: self.pending_price,
                conf: self.pending_confidence,
                expo: self.pending_exponent,
                publish_time: self.pending_first_seen,
            },
            first_seen: self.pending_first_seen,
        })
    }

    /// Stores an accepted print with its source and publishes what it changes: the price when its
    /// source rules, else only how far apart the sources are. A print is judged once, so that posting
    /// the other source cannot confirm or cancel a jump. Returns whether its source rules: only such a
    /// print counts towards those that a first step needs (8.4). Errors: those of `advance`.
    pub fn take_print(
        &mut self,
        source: usize,
        reading: &Reading,
        now: i64,
    ) -> Result<bool, RiskError> {
        self.sources[source].store(reading);
        let [primary, secondary] = [self.sources[0].reading(), self.sources[1].reading()];
        let Some(chosen) = choose(primary, secondary, Ppm(self.max_divergence)) else {
            return Ok(false);
        };
        let rules = usize::from(chosen.source) == source;
        let (before, terms) = (self.published(), self.price_terms());
        let other = chosen.other.as_ref();
        let state = match before {
            Some(before) if !rules => remeasure(before, other, &terms)?,
            before => advance(before, &chosen.reading, other, &terms, now)?,
        };
        let takes_effect = before.is_none_or(|before| {
            state.publish_time != before.publish_time || state.lot != before.lot
        });
        self.write_price(&state, &chosen);
        if takes_effect {
            self.stable_updated = now;
            self.follow_market(before.is_none(), now);
        }
        Ok(rules)
    }

    fn write_price(&mut self, state: &PriceState, chosen: &Chosen) {
        self.lot_price = state.lot.mantissa();
        self.native_price = state.native.mantissa();
        self.conf = state.conf.0;
        self.band = state.band.0;
        self.stable_price = state.stable;
        self.publish_time = state.publish_time;
        self.down = state.down.0;
        self.up = state.up.0;
        self.bound_down = state.bound_down.0;
        self.bound_up = state.bound_up.0;
        self.diverged = u8::from(chosen.diverged);
        self.priced = 1;
        match state.pending {
            Some(pending) => {
                self.pending_price = pending.reading.price;
                self.pending_confidence = pending.reading.conf;
                self.pending_exponent = pending.reading.expo;
                self.pending_first_seen = pending.first_seen;
            }
            None if self.pending_price != 0 => {
                self.pending_price = 0;
                self.pending_confidence = 0;
                self.pending_exponent = 0;
                self.pending_first_seen = 0;
            }
            None => {}
        }
    }

    /// Samples the variance where the price that has just taken effect is due, and moves the range
    /// (margin-spec 3.1, 3.2). Both run by publish time, neither later than `now`.
    fn follow_market(&mut self, is_first: bool, now: i64) {
        let until = self.publish_time.min(now);
        if is_first {
            self.sample_price = self.lot_price;
            self.variance_updated = self.publish_time;
            self.range_updated = until;
            return;
        }

        let state = VarianceState {
            variance: self.variance,
            price: self.sample_price,
            sampled: self.variance_updated,
        };
        // While the sources disagree, prices alternate between them: that is not the market moving.
        let is_ok = self.tier(now) == Tier::Ok;
        let due = self.diverged == 0
            && is_due(
                &state,
                self.lot_price,
                self.publish_time,
                Ppm(self.range),
                is_ok,
            );
        if due {
            let terms = self.range_terms();
            let state = sample_variance(&state, self.lot_price, self.publish_time, &terms);
            self.variance = state.variance;
            self.sample_price = state.price;
            self.variance_updated = state.sampled;
            self.target = target_range(state.variance, &terms).0;
        }
        if due || self.target != self.range || self.range_short != 0 {
            let elapsed_s = until.saturating_sub(self.range_updated);
            let range = RangeState::new(Ppm(self.range), self.range_short);
            let (range, short) = range.moved(Ppm(self.target), elapsed_s).parts();
            (self.range, self.range_short) = (range.0, short);
            self.refresh_init_factor();
        }
        self.range_updated = self.range_updated.max(until);
    }

    /// Publishes `init_factor` as the range's target and the open interest scale it (3.4).
    pub fn refresh_init_factor(&mut self) {
        self.init_factor_effective = init_factor_effective(
            Ppm(self.init_factor),
            Ppm(self.target),
            Ppm(self.range),
            Ppm(self.oi_factor),
        )
        .0;
    }

    /// Starts a listing's range where its arguments put it, with the variance that asks for it.
    pub fn start_range(&mut self) {
        self.variance = initial_variance(Ppm(self.range), &self.range_terms());
        self.target = self.range;
        self.oi_factor = Ppm::ONE.0;
        self.refresh_init_factor();
    }

    /// Whether the asset is listed without any feed: only the quote may be, and stands at 1 (2.7).
    pub fn stands_at_one(&self) -> bool {
        self.listed != 0 && self.sources[0].kind == SourceKind::None as u8
    }

    /// How good the asset's own price is at `now` (margin-spec 2.6).
    pub fn tier(&self, now: i64) -> Tier {
        if self.priced == 0 || self.halted != 0 {
            return self.unpriced_tier();
        }
        tier(
            self.publish_time,
            Ppm(self.conf),
            self.diverged != 0 || self.pending_price != 0,
            Ppm(self.wide_conf),
            self.max_age_margin_s,
            now,
        )
    }

    #[cold]
    #[inline(never)]
    fn unpriced_tier(&self) -> Tier {
        if self.halted == 0 && self.stands_at_one() {
            Tier::Ok
        } else {
            Tier::Invalid
        }
    }
}

impl RiskBook {
    /// Publishes where the quote stands, after its own feed's print (margin-spec 2.7).
    pub fn publish_peg(&mut self) {
        let quote = &self.assets[0];
        let terms = PegTerms {
            band: Ppm(self.peg_band),
            stop: Ppm(self.peg_stop),
        };
        let native = Unit::of_decimals(quote.token_decimals, quote.native_shift);
        let found = quote.published().map_or(Peg::AT_ONE, |state| {
            peg(&state, quote.diverged != 0, native, &terms)
        });
        self.peg_off = u8::from(found.off);
        self.peg_stopped = u8::from(found.stopped);
        self.peg_lower = found.lower.0;
    }

    /// Where the quote stands.
    pub fn peg(&self) -> Peg {
        Peg {
            off: self.peg_off != 0,
            stopped: self.peg_stopped != 0,
            lower: Frac40(self.peg_lower),
        }
    }

    /// Whether a borrow of a token besides the quote may grow at `now`, as far as the quote's own
    /// feed is concerned (2.7).
    pub fn borrows_may_grow(&self, now: i64) -> bool {
        self.peg().borrows_may_grow(self.assets[0].tier(now))
    }

    /// How good an asset's price is at `now`: while the quote is off its peg, Wide at best (2.6, 2.7).
    #[inline]
    pub(crate) fn tier(&self, index: u8, now: i64) -> Tier {
        let own = self.assets[usize::from(index)].tier(now);
        if self.peg_off != 0 {
            own.max(Tier::Wide)
        } else {
            own
        }
    }

    /// The distance above its price of an asset besides the quote, widened while the quote is off its
    /// peg (2.7).
    #[inline]
    pub(crate) fn peg_widened(&self, up: u64) -> Frac40 {
        if self.peg_off == 0 {
            Frac40(up)
        } else {
            self.widened(up)
        }
    }

    #[cold]
    #[inline(never)]
    fn widened(&self, up: u64) -> Frac40 {
        peg_up(Frac40(up), Frac40(self.peg_lower))
    }
}
