//! An account's legs, streamed once into a row per asset (margin-spec 4.2, 4.3, 5.2).

use crate::book::{BalanceLeg, Book, Legs, PositionLeg, QUOTE_RATE, RateTerms};
use crate::limits::{MAX_ASSETS, MAX_JUDGED_VALUE};
use crate::margin::scratch::{HEADER, Header, Scratch, lane};
use crate::num::{ppm_ceil_bounded, ppm_floor_bounded, value_floor};
use crate::shares::amount;
use crate::units::{Lots, Ppm};

/// Weights count at most 16, so that a weighted value fits (see [`weighted`]).
const MAX_WEIGHT: u64 = 16_000_000;

/// What does not depend on an asset's scan, and how many rows were filled.
///
/// Bounds: at most 16 balances and 128 positions, each leg within 2^54 and each position's quote
/// within 2^54, hence every sum is below (16 + 2 * 128) * 2^54 < 2^62.1 and no addition overflows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// All legs at weight 1.
    pub net: i64,
    /// Balances at maintenance weights and positions' results.
    pub maintenance: i64,
    /// Balances at initial weights; results are counted per asset.
    pub initial: i64,
    pub rows: usize,
}

/// Which row an asset has: 0 for none, otherwise its number from 1.
struct RowMap {
    row: [u8; MAX_ASSETS],
    used: usize,
    rows: usize,
    stride: usize,
}

impl RowMap {
    /// The asset's row, started empty at first sight; `None` when the scratch is too short.
    #[inline]
    fn find<'s>(&mut self, asset: u8, scratch: &'s mut Scratch<'_>) -> Option<&'s mut Header> {
        let entry = self.row.get_mut(usize::from(asset))?;
        if *entry != 0 {
            return scratch.header(usize::from(*entry) - 1, self.stride);
        }
        if self.used == self.rows {
            return None;
        }
        let header = scratch.header(self.used, self.stride)?;
        self.used += 1;
        *entry = self.used as u8;
        *header = [0; HEADER];
        header[lane::ASSET] = i64::from(asset);
        Some(header)
    }
}

/// Streams the legs. `M` and `I` choose the weights that token values get in the rows' SPOT lanes;
/// with neither, the maintenance lane holds them at weight 1.
pub(crate) fn stream<const M: bool, const I: bool, B: Book, L: Legs>(
    book: &B,
    legs: &L,
    scratch: &mut Scratch<'_>,
    stride: usize,
) -> Totals {
    let mut totals = Totals::default();
    let mut map = RowMap {
        row: [0; MAX_ASSETS],
        used: 0,
        rows: scratch.rows(stride),
        stride,
    };
    for slot in 0..legs.balance_slots() {
        if let Some(leg) = legs.balance(slot) {
            add_balance::<M, I, B>(book, leg, &mut totals, &mut map, scratch);
        }
    }
    for slot in 0..legs.position_slots() {
        if let Some(leg) = legs.position(slot) {
            add_position::<I, B>(book, leg, &mut totals, &mut map, scratch);
        }
    }
    totals.rows = map.used;
    totals
}

#[inline]
fn add_balance<const M: bool, const I: bool, B: Book>(
    book: &B,
    leg: BalanceLeg,
    totals: &mut Totals,
    map: &mut RowMap,
    scratch: &mut Scratch<'_>,
) {
    if leg.shares.0 == 0 {
        return;
    }
    let rate = book.rate(leg.rate);
    let held = amount(leg.shares, rate.deposit_index, rate.borrow_index).0;
    if leg.rate == QUOTE_RATE {
        let value = clamped(held);
        totals.net = totals.net.wrapping_add(value);
        totals.maintenance = totals.maintenance.wrapping_add(value);
        totals.initial = totals.initial.wrapping_add(value);
        return;
    }

    let price = book.asset(rate.asset).native_price;
    let value = clamped(value_floor(Lots(held), price).0);
    let (maintenance, initial) = weigh::<M, I>(value, &rate);
    totals.net = totals.net.wrapping_add(value);
    match map.find(rate.asset, scratch) {
        Some(row) => {
            totals.maintenance = totals.maintenance.wrapping_add(maintenance);
            totals.initial = totals.initial.wrapping_add(initial);
            row[lane::SPOT[0]] = row[lane::SPOT[0]].wrapping_add(maintenance);
            row[lane::SPOT[1]] = row[lane::SPOT[1]].wrapping_add(initial);
        }
        None => {
            totals.maintenance = totals.maintenance.wrapping_add(maintenance.min(0));
            totals.initial = totals.initial.wrapping_add(initial.min(0));
        }
    }
}

#[inline]
fn weigh<const M: bool, const I: bool>(value: i64, rate: &RateTerms) -> (i64, i64) {
    let (maintenance, initial) = if value >= 0 {
        (rate.maint_asset_weight, rate.init_asset_weight)
    } else {
        (rate.maint_liab_weight, rate.init_liab_weight)
    };
    let maintenance = match (M, I) {
        (true, _) => weighted(value, maintenance),
        (false, true) => 0,
        (false, false) => value,
    };
    let initial = if I { weighted(value, initial) } else { 0 };
    (maintenance, initial)
}

/// A token value times its weight, towards minus infinity (4.2). The value is within 2^54 and the
/// weight within 2^24, so the product over 1e6 is below 2^58.1.
#[inline]
fn weighted(value: i64, weight: Ppm) -> i64 {
    let weight = u64::from(weight.0).min(MAX_WEIGHT);
    let bound = MAX_JUDGED_VALUE.unsigned_abs();
    if value >= 0 {
        ppm_floor_bounded(value.unsigned_abs(), weight).min(bound) as i64
    } else {
        -(ppm_ceil_bounded(value.unsigned_abs(), weight).min(bound) as i64)
    }
}

#[inline]
fn add_position<const I: bool, B: Book>(
    book: &B,
    leg: PositionLeg,
    totals: &mut Totals,
    map: &mut RowMap,
    scratch: &mut Scratch<'_>,
) {
    let terms = book.instrument(leg.instrument);
    let value = if leg.size.0 == 0 {
        0
    } else {
        clamped(value_floor(leg.size, terms.mark).0)
    };
    let result = value.wrapping_add(clamped(leg.quote.0));
    totals.net = totals.net.wrapping_add(result);
    // A closed position has no risk; only Initial asks for its asset.
    if leg.size.0 == 0 && (!I || result == 0) {
        totals.maintenance = totals.maintenance.wrapping_add(result);
        return;
    }

    match map.find(terms.asset, scratch) {
        Some(row) => {
            totals.maintenance = totals.maintenance.wrapping_add(result);
            row[lane::RESULT] = row[lane::RESULT].wrapping_add(result);
            if value >= 0 {
                row[lane::LONG] = row[lane::LONG].wrapping_add(value);
            } else {
                row[lane::SHORT] = row[lane::SHORT].wrapping_sub(value);
            }
        }
        None => {
            totals.maintenance = totals.maintenance.wrapping_add(result.min(0));
            totals.initial = totals.initial.wrapping_add(result.min(0));
        }
    }
}

/// Saturates a value where judging stops counting (1.6).
#[inline]
fn clamped(value: i64) -> i64 {
    value.clamp(-MAX_JUDGED_VALUE, MAX_JUDGED_VALUE)
}
