//! A dated instrument between the stored bytes and `keel-risk`.

use keel_risk::options::{Made, Moment, Print, Series, SettlementAverage};
use keel_risk::{Delta30, InstrumentKind, Ppm};

use crate::{ExpiryEntry, InstrumentEntry, InstrumentTag, RiskBook};

impl InstrumentEntry {
    /// What the instrument is; a free slot reads as a perpetual, which nobody holds.
    pub fn terms_kind(&self) -> InstrumentKind {
        match InstrumentTag::from_byte(self.kind) {
            Some(InstrumentTag::Future) => InstrumentKind::Future,
            Some(InstrumentTag::Call) => InstrumentKind::Call,
            Some(InstrumentTag::Put) => InstrumentKind::Put,
            Some(InstrumentTag::Perp | InstrumentTag::None) | None => InstrumentKind::Perp,
        }
    }
}

impl ExpiryEntry {
    /// The settlement average so far (margin-spec 6.4).
    pub fn average(&self) -> SettlementAverage {
        SettlementAverage {
            sum: self.settlement_sum,
            covered_s: self.settlement_covered_s,
            closed: self.settlement_closed != 0,
        }
    }

    /// The forward now, a mantissa of the asset's lot: the price and the basis, inside the settlement
    /// window partly fixed.
    fn forward(&self, price: u64, published: i64) -> u64 {
        let price = price.saturating_add_signed(self.basis).max(1);
        let print = Print {
            price,
            at: published,
        };
        self.average().forward_floor(self.expiry, print)
    }
}

impl RiskBook {
    /// A future's or an option's series and its market now.
    #[inline(always)]
    pub fn series(&self, index: u8, now: i64) -> (Series, Moment) {
        let entry = &self.instruments[usize::from(index)];
        let asset = &self.assets[usize::from(entry.asset)];
        let expiry = &self.expiries[usize::from(entry.expiry)];
        let series = Series {
            instrument: index,
            kind: entry.terms_kind(),
            shift: asset.lot_shift,
            strike: entry.strike,
            expiry: expiry.expiry,
            mark: entry.mark,
            delta: Delta30(entry.delta as i32),
            gamma: entry.gamma,
            made: Made {
                forward: entry.made_price,
                range: Ppm(entry.made_range),
                sigma: Ppm(entry.made_vol),
                at: entry.mark_updated,
            },
            sigma: Ppm(entry.vol),
            settlement: (expiry.settled != 0).then_some(expiry.settlement_price),
        };
        let moment = Moment {
            forward: expiry.forward(asset.lot_price, asset.publish_time),
            range: Ppm(asset.range),
            peak: Ppm(self.peak_up.weight().max(self.peak_down.weight())),
            max_vol_step: Ppm(expiry.max_vol_step),
            now,
        };
        (series, moment)
    }
}

impl crate::StoredPeak {
    /// `w * |k|`, ppm, ceil; saturates.
    fn weight(&self) -> u32 {
        let scenario = &self.scenario;
        let moved = u64::from(scenario.w) * u64::from(scenario.k_num.unsigned_abs());
        let weight = moved.div_ceil(u64::from(scenario.k_den.max(1)));
        u32::try_from(weight).unwrap_or(u32::MAX)
    }
}
