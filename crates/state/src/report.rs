//! What `view_margin` returns: a `repr(C)` report of at most 1,024 bytes.

#[cfg(feature = "anchor")]
use anchor_lang::prelude::*;
use keel_risk::{InitialTerms, LinePart, Parts, Rule, Scratch, report};

use crate::{BookView, MarginView};

part! {
    /// One requirement's parts, atoms (margin-spec 5.4, 5.5).
    RequirementParts: 48 {
        one_factor: i64,
        systemic: i64,
        gross: i64,
        basis: i64,
        unwind: i64,
        /// Which ruled: 0 one-factor, 1 systemic, 2 gross minimum.
        rule: u8,
        padding0: [u8; 7],
    }
}

part! {
    /// One asset of a requirement, atoms; `worst` is the scenario's number from 1.
    AssetPart: 40 {
        net: i64,
        scan: i64,
        basis: i64,
        unwind: i64,
        /// Size multiplier, ppm, ceil.
        multiplier: u32,
        worst: u8,
        padding0: [u8; 3],
    }
}

part! {
    /// One asset's line.
    ReportLine: 96 {
        asset: u8,
        padding0: [u8; 7],
        /// Value plus quote of its positions.
        result: i64,
        maintenance: AssetPart,
        initial: AssetPart,
    }
}

part! {
    /// The header and up to eight asset lines.
    MarginReport: 936 {
        version: u8,
        /// The first line's place among the account's assets.
        first_asset: u8,
        /// Lines filled here.
        lines_len: u8,
        /// Assets that the account has in all.
        assets_len: u8,
        padding0: [u8; 4],
        /// The risk book's sequence that the report was made at.
        sequence: u64,
        net_asset_value: i64,
        maintenance_equity: i64,
        maintenance_requirement: i64,
        initial_equity: i64,
        initial_requirement: i64,
        health_maintenance: i64,
        health_initial: i64,
        maintenance: RequirementParts,
        initial: RequirementParts,
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
        let found = report(book, margin, InitialTerms::COUNTED, first_asset, scratch);
        let totals = found.totals;
        self.version = crate::LAYOUT_VERSION;
        self.first_asset = found.first_asset as u8;
        self.lines_len = found.lines_len as u8;
        self.assets_len = totals.assets as u8;
        self.sequence = book.sequence();
        self.net_asset_value = totals.net_asset_value.0;
        self.maintenance_equity = totals.maintenance.equity.0;
        self.maintenance_requirement = totals.maintenance.requirement.0;
        self.initial_equity = totals.initial.equity.0;
        self.initial_requirement = totals.initial.requirement.0;
        self.health_maintenance = totals.maintenance.health().0;
        self.health_initial = totals.initial.health().0;
        self.maintenance = parts(&totals.maintenance_parts);
        self.initial = parts(&totals.initial_parts);
        for (line, found) in self.lines.iter_mut().zip(&found.lines) {
            line.asset = found.asset;
            line.result = found.result.0;
            line.maintenance = asset_part(&found.maintenance);
            line.initial = asset_part(&found.initial);
        }
    }
}

fn parts(parts: &Parts) -> RequirementParts {
    RequirementParts {
        one_factor: parts.one_factor.0,
        systemic: parts.systemic.0,
        gross: parts.gross.0,
        basis: parts.basis.0,
        unwind: parts.unwind.0,
        rule: match parts.rule {
            Rule::OneFactor => 0,
            Rule::Systemic => 1,
            Rule::Gross => 2,
        },
        padding0: [0; 7],
    }
}

fn asset_part(part: &LinePart) -> AssetPart {
    AssetPart {
        net: part.net.0,
        scan: part.scan.0,
        basis: part.basis.0,
        unwind: part.unwind.0,
        multiplier: part.multiplier.to_ppm_ceil().0,
        worst: part.worst,
        padding0: [0; 3],
    }
}
