//! An account's legs, streamed once into a row per asset (margin-spec 4.2, 4.3, 5.2).

use crate::book::{BalanceLeg, Book, InstrumentTerms, Legs, PositionLeg, QUOTE_RATE, RateTerms};
use crate::carry::carry_value_ceil;
use crate::limits::{MAX_ASSETS, MAX_JUDGED_SIZE, MAX_JUDGED_VALUE};
use crate::margin::scratch::{HEADER, Header, Scratch, lane};
use crate::num::{mul_shift_floor, ppm_ceil_bounded, ppm_floor_bounded, value_floor};
use crate::shares::amount;
use crate::units::{Atoms, Lots, Ppm};

/// Weights count at most 16, so that a weighted value fits (see [`weighted`]).
const MAX_WEIGHT: u64 = 16_000_000;
/// Sizes below this times an array's entry stay within 2^54.
const PLAIN_SIZE: u64 = 1 << 23;

/// What does not depend on an asset's scan, and how many rows were filled.
///
/// Bounds: at most 16 balances and 128 positions; a balance is within 2^54, a position's value, its
/// carry and its quote each, hence every sum is below (16 + 3 * 128) * 2^54 < 2^62.7 and no addition
/// overflows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// All legs at weight 1.
    pub net: i64,
    /// Balances at maintenance weights and positions' results.
    pub maintenance: i64,
    /// Balances at initial weights; results are counted per asset.
    pub initial: i64,
    pub rows: usize,
    /// Whether an option is held.
    pub options: bool,
}

/// Which row an asset has: where it starts, plus one; 0 for none.
struct RowMap {
    start: [u16; MAX_ASSETS],
    next: usize,
    end: usize,
    stride: usize,
}

impl RowMap {
    /// The asset's row, started empty at first sight; `None` when the scratch is too short.
    #[inline]
    fn find<'s>(
        &mut self,
        asset: u8,
        scratch: &'s mut Scratch<'_>,
    ) -> Option<(&'s mut Header, &'s mut [i64])> {
        let entry = self.start.get_mut(usize::from(asset))?;
        if *entry != 0 {
            return scratch.row(usize::from(*entry) - 1, self.stride);
        }
        if self.next >= self.end {
            return None;
        }
        let (header, options) = scratch.row(self.next, self.stride)?;
        self.next += self.stride;
        *entry = (self.next - self.stride + 1) as u16;
        *header = [0; HEADER];
        header[lane::ASSET] = i64::from(asset);
        Some((header, options))
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
    let rows = scratch.rows(stride).min(MAX_ASSETS);
    let mut map = RowMap {
        start: [0; MAX_ASSETS],
        next: 0,
        end: rows * stride,
        stride,
    };
    for slot in 0..legs.balance_slots() {
        if let Some(leg) = legs.balance(slot)
            && leg.shares.0 != 0
        {
            add_balance::<M, I, B>(book, leg, &mut totals, &mut map, scratch);
        }
    }
    for slot in 0..legs.position_slots() {
        if let Some(leg) = legs.position(slot) {
            add_position::<I, B>(book, leg, &mut totals, &mut map, scratch);
        }
    }
    totals.rows = map.next / stride;
    totals
}

#[inline(always)]
fn add_balance<const M: bool, const I: bool, B: Book>(
    book: &B,
    leg: BalanceLeg,
    totals: &mut Totals,
    map: &mut RowMap,
    scratch: &mut Scratch<'_>,
) {
    let rate = book.rate(leg.rate);
    if leg.rate == QUOTE_RATE {
        add_quote(&leg, &rate, totals);
        return;
    }
    let value = token_value(book, &leg, &rate);
    let (maintenance, initial) = weigh::<M, I>(value, &rate);
    totals.net = totals.net.wrapping_add(value);
    match map.find(rate.asset, scratch) {
        Some((row, _)) => {
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

/// The quote counts as it is, in everything.
#[inline]
fn add_quote(leg: &BalanceLeg, rate: &RateTerms, totals: &mut Totals) {
    let value = clamped(amount(leg.shares, rate.deposit_index, rate.borrow_index).0);
    totals.net = totals.net.wrapping_add(value);
    totals.maintenance = totals.maintenance.wrapping_add(value);
    totals.initial = totals.initial.wrapping_add(value);
}

/// What a balance of another token is worth at weight 1, floor.
#[inline(always)]
fn token_value<B: Book>(book: &B, leg: &BalanceLeg, rate: &RateTerms) -> i64 {
    let held = amount(leg.shares, rate.deposit_index, rate.borrow_index).0;
    let price = book.asset(rate.asset).native_price;
    clamped(value_floor(Lots(held), price).0)
}

/// A balance into its asset's row, for Maintenance alone; the quote has no row.
pub(crate) fn put_balance<B: Book>(
    book: &B,
    leg: &BalanceLeg,
    totals: &mut Totals,
    row: Option<&mut Header>,
) {
    let rate = book.rate(leg.rate);
    match row {
        Some(row) if leg.rate != QUOTE_RATE => {
            let value = token_value(book, leg, &rate);
            let (maintenance, _) = weigh::<true, false>(value, &rate);
            totals.maintenance = totals.maintenance.wrapping_add(maintenance);
            row[lane::SPOT[0]] = row[lane::SPOT[0]].wrapping_add(maintenance);
        }
        _ => add_quote(leg, &rate, totals),
    }
}

/// A position into its asset's row, for Maintenance alone.
pub(crate) fn put_position<B: Book>(
    book: &B,
    leg: &PositionLeg,
    terms: &InstrumentTerms,
    totals: &mut Totals,
    (row, losses): (&mut Header, &mut [i64]),
) {
    let (value, result) = worth(leg, terms);
    totals.maintenance = totals.maintenance.wrapping_add(result);
    if leg.size.0 != 0 {
        into_row(book, leg, terms, (value, result), row, losses);
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

#[inline(always)]
fn add_position<const I: bool, B: Book>(
    book: &B,
    leg: PositionLeg,
    totals: &mut Totals,
    map: &mut RowMap,
    scratch: &mut Scratch<'_>,
) {
    let terms = book.instrument(leg.instrument);
    let (value, result) = worth(&leg, &terms);
    totals.net = totals.net.wrapping_add(result);
    // A closed position has no risk; only Initial asks for its asset.
    if leg.size.0 == 0 && (!I || result == 0) {
        totals.maintenance = totals.maintenance.wrapping_add(result);
        return;
    }

    let Some((row, losses)) = map.find(terms.asset, scratch) else {
        totals.maintenance = totals.maintenance.wrapping_add(result.min(0));
        totals.initial = totals.initial.wrapping_add(result.min(0));
        return;
    };
    totals.maintenance = totals.maintenance.wrapping_add(result);
    totals.options |= terms.kind.is_option() && leg.size.0 != 0;
    into_row(book, &leg, &terms, (value, result), row, losses);
}

/// A position's value and result into its asset's row.
#[inline(always)]
fn into_row<B: Book>(
    book: &B,
    leg: &PositionLeg,
    terms: &InstrumentTerms,
    (value, result): (i64, i64),
    row: &mut Header,
    losses: &mut [i64],
) {
    row[lane::RESULT] = row[lane::RESULT].wrapping_add(result);
    if terms.kind.is_option() {
        add_option(book, leg, terms, value, row, losses);
        return;
    }
    // Only reported, so that it wraps where sizes are beyond all bounds.
    row[lane::LOTS] = row[lane::LOTS].wrapping_add(leg.size.0.wrapping_shl(16));
    if value >= 0 {
        row[lane::LONG] = row[lane::LONG].wrapping_add(value);
    } else {
        row[lane::SHORT] = row[lane::SHORT].wrapping_sub(value);
    }
}

/// A position's `size * mark`, and that less its carry plus its quote, towards minus infinity.
#[inline(always)]
fn worth(leg: &PositionLeg, terms: &InstrumentTerms) -> (i64, i64) {
    let quote = clamped(leg.quote.0);
    if leg.size.0 == 0 {
        return (0, quote);
    }
    let value = clamped(value_floor(leg.size, terms.mark).0);
    let carry = if leg.size.0 > 0 {
        terms.carry_long
    } else {
        terms.carry_short
    };
    let accrued = if carry.0 == 0 {
        0
    } else {
        clamped(carry_value_ceil(leg.size, carry).0)
    };
    (value, value.wrapping_sub(accrued).wrapping_add(quote))
}

/// An option leg into its asset's row: what it loses in each scenario, and what 5.3 and 4.3 count.
fn add_option<B: Book>(
    book: &B,
    leg: &PositionLeg,
    terms: &InstrumentTerms,
    value: i64,
    row: &mut Header,
    losses: &mut [i64],
) {
    let size = leg.size.0.clamp(-MAX_JUDGED_SIZE, MAX_JUDGED_SIZE);
    if size == 0 {
        return;
    }
    let first = row[lane::OPTION_LEGS] == 0;
    add_array(losses, book.array(leg.instrument), size, first);

    let lots = size.wrapping_abs();
    let moves_like = value_floor(Lots(size), book.asset(terms.asset).lot_price);
    let delta = moved_like(moves_like, terms.delta.0);
    row[lane::OPTION_LEGS] += 1;
    row[lane::OPTION_VALUE] = row[lane::OPTION_VALUE].wrapping_add(value.wrapping_abs());
    row[lane::OPTION_LOTS] = row[lane::OPTION_LOTS].wrapping_add(lots);
    if size < 0 {
        row[lane::SHORT_LOTS] = row[lane::SHORT_LOTS].wrapping_add(lots);
    }
    row[lane::DELTA] = row[lane::DELTA].wrapping_add(delta);
    // 2^37 lots times 2^16 of a delta.
    let moved = size.wrapping_mul(i64::from(terms.delta.0 >> 14));
    row[lane::LOTS] = row[lane::LOTS].wrapping_add(moved);
    if terms.surcharge.0 > 0 {
        let more = lots.saturating_mul(terms.surcharge.0);
        row[lane::SURCHARGE] = row[lane::SURCHARGE].wrapping_add(clamped(more));
    }
}

/// Subtracts `size * array` from the losses, which the row's `first` option finds as they were. Each
/// product is within 2^54: at most 128 of them.
#[inline]
fn add_array(losses: &mut [i64], array: &[i32], size: i64, first: bool) {
    if size.unsigned_abs() < PLAIN_SIZE
        && let (Ok(losses), Some(array)) = (
            <&mut [i64; 16]>::try_from(&mut *losses),
            array.first_chunk::<16>(),
        )
    {
        let size = size.wrapping_neg();
        if first {
            for lane in 0..16 {
                losses[lane] = size.wrapping_mul(i64::from(array[lane]));
            }
        } else {
            for lane in 0..16 {
                let lost = size.wrapping_mul(i64::from(array[lane]));
                losses[lane] = losses[lane].wrapping_add(lost);
            }
        }
        return;
    }

    if first {
        losses.fill(0);
    }
    for (loss, gain) in losses.iter_mut().zip(array) {
        *loss = loss.wrapping_sub(clamped(size.saturating_mul(i64::from(*gain))));
    }
}

/// A value of the asset times a delta, 30 fractional bits, floor; deltas count at most two.
#[inline]
pub(crate) fn moved_like(value: Atoms, delta: i32) -> i64 {
    let value = clamped(value.0);
    let signed = if delta < 0 { -value } else { value };
    clamped(mul_shift_floor(signed, u64::from(delta.unsigned_abs()), 30))
}

/// Saturates a value where judging stops counting (1.6).
#[inline]
pub(crate) fn clamped(value: i64) -> i64 {
    value.clamp(-MAX_JUDGED_VALUE, MAX_JUDGED_VALUE)
}
