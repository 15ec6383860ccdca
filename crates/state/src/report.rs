//! What `view_margin` returns: a `repr(C)` report of at most 1,024 bytes.

#[cfg(feature = "anchor")]
use anchor_lang::prelude::*;
use keel_risk::{AssetLine, InitialTerms, Parts, Rule, Scratch, option_greeks, report_lines};

use crate::{BookView, MarginView};

part! {
    /// One requirement's parts, atoms (margin-spec 5.4, 5.5).
    RequirementParts: 40 {
        one_factor: i64,
        systemic: i64,
        gross: i64,
        basis: i64,
        unwind: i64,
    }
}

part! {
    /// One asset's line, atoms unless it says otherwise. Net and scan are of both requirements, basis
    /// and unwind of Maintenance; the short options' floor is the same in both.
    ReportLine: 104 {
        asset: u8,
        /// Numbers of the worst scenarios, from 1.
        maintenance_worst: u8,
        initial_worst: u8,
        padding0: u8,
        /// Size multipliers, thousandths, ceil.
        maintenance_multiplier: u16,
        initial_multiplier: u16,
        /// Value plus quote of its positions.
        result: i64,
        maintenance_net: i64,
        initial_net: i64,
        maintenance_scan: i64,
        initial_scan: i64,
        basis: i64,
        floor: i64,
        unwind: i64,
        /// Greeks of its positions: lots and lots per 1%, 16 fractional bits.
        delta: i64,
        gamma: i64,
        /// Atoms per point of volatility, and per day.
        vega: i64,
        theta: i64,
    }
}

part! {
    /// The header and up to eight asset lines. Health is equity less requirement.
    MarginReport: 992 {
        version: u8,
        /// The first line's place among the account's assets.
        first_asset: u8,
        /// Lines filled here.
        lines_len: u8,
        /// Assets that the account has in all.
        assets_len: u8,
        /// Which aggregate ruled: 0 one-factor, 1 systemic, 2 gross minimum.
        maintenance_rule: u8,
        initial_rule: u8,
        padding0: [u8; 2],
        /// The risk book's sequence that the report was made at.
        sequence: u64,
        net_asset_value: i64,
        maintenance_equity: i64,
        maintenance_requirement: i64,
        initial_equity: i64,
        initial_requirement: i64,
        maintenance: RequirementParts,
        initial: RequirementParts,
        /// The least charge on short options, and one atom per option lot: in both requirements.
        floor: i64,
        cushion: i64,
        /// What stale risk arrays add to Initial.
        surcharge: i64,
        lines: [ReportLine; 8],
    }
}

const _: () = assert!(core::mem::size_of::<MarginReport>() <= 1_024);

impl MarginReport {
    /// Judges an account and writes its report into `out`, positive results counted.
    pub fn write(
        &mut self,
        book: &BookView<'_>,
        margin: &MarginView<'_>,
        first_asset: usize,
        scratch: &mut Scratch<'_>,
    ) {
        let (lines, mut lines_len) = (&mut self.lines, 0usize);
        let terms = InitialTerms::COUNTED;
        let totals = report_lines(book, margin, terms, first_asset, scratch, |found| {
            lines[lines_len].write(&found);
            lines_len += 1;
        });
        // Every lot of an option adds to the cushion.
        if totals.maintenance_parts.cushion.0 != 0 {
            option_greeks(book, margin, |asset, greeks| {
                let mut filled = lines[..lines_len].iter_mut();
                if let Some(line) = filled.find(|line| line.asset == asset) {
                    line.gamma = line.gamma.saturating_add(greeks.gamma);
                    line.vega = line.vega.saturating_add(greeks.vega.0);
                    line.theta = line.theta.saturating_add(greeks.theta.0);
                }
            });
        }
        self.version = crate::LAYOUT_VERSION;
        self.first_asset = first_asset as u8;
        self.lines_len = lines_len as u8;
        self.assets_len = totals.assets as u8;
        self.sequence = book.sequence();
        self.net_asset_value = totals.net_asset_value.0;
        self.maintenance_equity = totals.maintenance.equity.0;
        self.maintenance_requirement = totals.maintenance.requirement.0;
        self.initial_equity = totals.initial.equity.0;
        self.initial_requirement = totals.initial.requirement.0;
        self.maintenance_rule = rule(&totals.maintenance_parts);
        self.initial_rule = rule(&totals.initial_parts);
        self.maintenance = parts(&totals.maintenance_parts);
        self.initial = parts(&totals.initial_parts);
        self.floor = totals.maintenance_parts.floor.0;
        self.cushion = totals.maintenance_parts.cushion.0;
        self.surcharge = totals.initial_parts.surcharge.0;
    }

    /// Maintenance equity less requirement; negative exactly while the account may be liquidated.
    pub fn health_maintenance(&self) -> i64 {
        self.maintenance_equity
            .saturating_sub(self.maintenance_requirement)
    }

    /// Initial equity less requirement.
    pub fn health_initial(&self) -> i64 {
        self.initial_equity.saturating_sub(self.initial_requirement)
    }
}

impl ReportLine {
    fn write(&mut self, found: &AssetLine) {
        let (maintenance, initial) = (&found.maintenance, &found.initial);
        self.asset = found.asset;
        self.maintenance_worst = maintenance.worst;
        self.initial_worst = initial.worst;
        self.maintenance_multiplier = maintenance.multiplier.to_thousandths_ceil();
        self.initial_multiplier = initial.multiplier.to_thousandths_ceil();
        self.result = found.result.0;
        self.maintenance_net = maintenance.net.0;
        self.initial_net = initial.net.0;
        self.maintenance_scan = maintenance.scan.0;
        self.initial_scan = initial.scan.0;
        self.basis = maintenance.basis.0;
        self.floor = maintenance.floor.0;
        self.unwind = maintenance.unwind.0;
        self.delta = found.greeks.delta;
    }
}

fn rule(parts: &Parts) -> u8 {
    match parts.rule {
        Rule::OneFactor => 0,
        Rule::Systemic => 1,
        Rule::Gross => 2,
    }
}

fn parts(parts: &Parts) -> RequirementParts {
    RequirementParts {
        one_factor: parts.one_factor.0,
        systemic: parts.systemic.0,
        gross: parts.gross.0,
        basis: parts.basis.0,
        unwind: parts.unwind.0,
    }
}
