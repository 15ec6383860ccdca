//! A margin vector through `keel_risk`, on plain values.

use anyhow::Result;
use keel_risk::*;

use super::margin::{Asset, Found, Portfolio, Which};
use super::margin_parts::{Line, Parts};

/// Fresh: what a vector's prices are.
const FRESH: PriceQuality = PriceQuality {
    tier: Tier::Ok,
    age_s: 0,
    conf: Ppm(0),
    bound_down: Frac40(0),
    bound_up: Frac40(0),
    max_age_margin_s: u32::MAX,
    max_age_liquidation_s: u32::MAX,
    max_age_withdrawal_s: u32::MAX,
    max_age_pool_s: u32::MAX,
};

/// What the quote has in place of terms: it is worth 1, without risk.
const QUOTE: AssetTerms = AssetTerms {
    lot_price: Price::ONE,
    native_price: Price::ONE,
    down: Frac40(0),
    up: Frac40(0),
    depth: Atoms(0),
    range: Ppm(0),
    init_factor: Ppm::ONE,
    concentration_cap: Ppm(0),
    basis_rate: Ppm(0),
    unwind_rate: Ppm(0),
    short_option_min: Ppm(0),
    systematic: 0,
};

/// Gains count whole, nothing is capped: requirements do not depend on it.
pub fn group_terms(scenarios: &[Scenario]) -> GroupTerms {
    GroupTerms {
        gross_min: Ppm(300_000),
        upnl_weight: Ppm::ONE,
        upnl_cap: Atoms(i64::MAX),
        min_notional: Atoms(0),
        min_equity: Atoms(0),
        small_requirement: Atoms(0),
        extremes: extremes(scenarios),
    }
}

/// A portfolio as the engine reads it: book and account in one.
struct Held<'a> {
    group: GroupTerms,
    scenarios: &'a [Scenario],
    assets: Vec<AssetTerms>,
    banks: Vec<u8>,
    instruments: Vec<InstrumentTerms>,
    arrays: Vec<&'a [i32]>,
    balances: Vec<BalanceLeg>,
    positions: Vec<PositionLeg>,
}

impl<'a> Held<'a> {
    fn new(portfolio: Portfolio<'a>) -> Result<Self> {
        let mut held = Self {
            group: group_terms(portfolio.scenarios),
            scenarios: portfolio.scenarios,
            assets: vec![QUOTE],
            banks: vec![QUOTE_ASSET],
            instruments: vec![],
            arrays: vec![],
            balances: vec![],
            positions: vec![],
        };
        for asset in portfolio.assets {
            held.add(asset, portfolio.which)?;
        }
        Ok(held)
    }

    fn add(&mut self, asset: &'a Asset, which: Which) -> Result<()> {
        let lot_price = per_lot(asset, asset.lot_value)?;
        let index = u8::try_from(self.assets.len())?;
        self.assets.push(AssetTerms {
            lot_price,
            depth: Atoms(asset.depth),
            range: Ppm(asset.range),
            init_factor: Ppm(asset.init_factor),
            concentration_cap: Ppm(asset.concentration_cap),
            basis_rate: Ppm(asset.basis_rate),
            unwind_rate: Ppm(asset.unwind_rate),
            short_option_min: Ppm(asset.short_option_min),
            systematic: asset.systematic,
            ..QUOTE
        });
        if let Some(worth) = asset.spot {
            self.balances.push(BalanceLeg {
                rate: u8::try_from(self.banks.len())?,
                shares: Shares(worth.of(which)),
            });
            self.banks.push(index);
        }
        for worth in &asset.linear {
            let terms = InstrumentTerms::linear(InstrumentKind::Future, index, Price::ONE);
            self.hold(terms, &[], worth.of(which))?;
        }
        for option in &asset.options {
            let terms = InstrumentTerms {
                delta: Delta30(0),
                ..InstrumentTerms::linear(InstrumentKind::Call, index, per_lot(asset, option.mark)?)
            };
            self.hold(terms, &option.array, option.size)?;
        }
        Ok(())
    }

    fn hold(&mut self, terms: InstrumentTerms, array: &'a [i32], size: i64) -> Result<()> {
        self.positions.push(PositionLeg {
            instrument: u8::try_from(self.instruments.len())?,
            size: Lots(size),
            quote: Atoms(0),
        });
        self.instruments.push(terms);
        self.arrays.push(array);
        Ok(())
    }
}

/// A price per lot, in the asset's unit.
fn per_lot(asset: &Asset, price: u64) -> Result<Price> {
    let made = Price::new(asset.mantissa(price), asset.shift());
    made.ok_or_else(|| anyhow::anyhow!("cannot be run: a price of {price} is too large"))
}

impl Book for Held<'_> {
    fn group(&self) -> GroupTerms {
        self.group
    }

    fn asset(&self, index: u8) -> AssetTerms {
        self.assets[usize::from(index)]
    }

    fn rate(&self, index: u8) -> RateTerms {
        RateTerms {
            asset: self.banks[usize::from(index)],
            deposit_index: Index48::ONE,
            borrow_index: Index48::ONE,
            maint_asset_weight: Ppm::ONE,
            init_asset_weight: Ppm::ONE,
            maint_liab_weight: Ppm::ONE,
            init_liab_weight: Ppm::ONE,
        }
    }

    fn instrument(&self, index: u8) -> InstrumentTerms {
        self.instruments[usize::from(index)]
    }

    fn array(&self, instrument: u8) -> &[i32] {
        self.arrays[usize::from(instrument)]
    }

    fn greeks(&self, _instrument: u8) -> Greeks {
        Greeks::LINEAR
    }

    fn quality(&self, _asset: u8) -> PriceQuality {
        FRESH
    }

    fn variance(&self, _asset: u8) -> Frac40 {
        Frac40(0)
    }

    fn scenarios(&self) -> &[Scenario] {
        self.scenarios
    }
}

impl Legs for Held<'_> {
    fn balance_slots(&self) -> usize {
        self.balances.len()
    }

    fn balance(&self, slot: usize) -> Option<BalanceLeg> {
        self.balances.get(slot).copied()
    }

    fn position_slots(&self) -> usize {
        self.positions.len()
    }

    fn position(&self, slot: usize) -> Option<PositionLeg> {
        self.positions.get(slot).copied()
    }
}

/// What the engine finds.
pub fn judge(portfolio: Portfolio<'_>) -> Result<Found> {
    let held = Held::new(portfolio)?;
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let mut scratch = Scratch::new(&mut lanes);
    let mut report_from = |first| {
        let terms = InitialTerms::COUNTED;
        report(&held, &held, terms, first, &mut scratch)
    };

    let mut lines = vec![Line::default(); portfolio.assets.len()];
    let mut page = report_from(0);
    let totals = page.totals;
    while page.lines_len > 0 {
        for line in &page.lines[..page.lines_len] {
            let part = line.maintenance;
            lines[usize::from(line.asset) - 1] = Line {
                scan: part.scan.0,
                basis: part.basis.0,
                floor: Some(part.floor.0),
                unwind: part.unwind.0,
                worst: part.worst,
            };
        }
        page = report_from(page.first_asset + page.lines_len);
    }
    let parts = totals.maintenance_parts;
    Ok(Found {
        requirement: match portfolio.which {
            Which::Maintenance => totals.maintenance.requirement.0,
            Which::Initial => totals.initial.requirement.0,
        },
        parts: Parts {
            one_factor: parts.one_factor.0,
            systemic: parts.systemic.0,
            gross: parts.gross.0,
            basis: parts.basis.0,
            floor: Some(parts.floor.0),
            unwind: parts.unwind.0,
            cushion: Some(parts.cushion.0),
            rule: parts.rule,
            lines,
        },
    })
}
