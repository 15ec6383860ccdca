//! An account's legs, streamed once into a row per asset (margin-spec 4.2, 4.3, 5.2).

use crate::book::{BalanceLeg, Book, HeldTerms, InstrumentTerms, Legs, PositionLeg, QUOTE_RATE};
use crate::carry::carry_value_ceil;
use crate::limits::{MAX_ASSETS, MAX_JUDGED_SIZE, MAX_JUDGED_VALUE};
use crate::margin::scratch::{Header, Scratch, lane};
use crate::num::{mul_shift, mul_shift_floor, rate_ceil, rate_floor, value_floor};
use crate::shares::amount;
use crate::units::{Atoms, Carry48, Lots, Ppm, Price};

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

impl Totals {
    /// A result whose asset has no row: only what is owed counts.
    fn owe(&mut self, result: i64) {
        self.maintenance = self.maintenance.wrapping_add(result.min(0));
        self.initial = self.initial.wrapping_add(result.min(0));
    }
}

/// Which row an asset has: where it starts, plus one; 0 for none.
struct RowMap {
    start: [u16; MAX_ASSETS],
    next: usize,
    end: usize,
    stride: usize,
}

impl RowMap {
    /// The asset's row, empty at first sight as all were made; `None` when the scratch is too short.
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
    scratch.clear(rows * stride);
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
    if legs.is_stored() {
        for slot in 0..legs.position_slots() {
            if let Some(leg) = legs.stored(slot) {
                add_position::<I, B>(book, leg, &mut totals, &mut map, scratch);
            }
        }
    } else {
        for slot in 0..legs.position_slots() {
            if let Some(leg) = legs.position(slot) {
                add_kept::<I, B>(book, &leg, &mut totals, &mut map, scratch);
            }
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
    let terms = book.held(leg.rate, leg.shares.0 > 0);
    if leg.rate == QUOTE_RATE {
        add_quote(&leg, &terms, totals);
        return;
    }
    let value = token_value(book, &leg, &terms);
    let (maintenance, initial) = weigh::<M, I>(value, &terms);
    totals.net = totals.net.wrapping_add(value);
    match map.find(terms.asset, scratch) {
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
fn add_quote(leg: &BalanceLeg, terms: &HeldTerms, totals: &mut Totals) {
    let value = clamped(held_amount(leg, terms));
    totals.net = totals.net.wrapping_add(value);
    totals.maintenance = totals.maintenance.wrapping_add(value);
    totals.initial = totals.initial.wrapping_add(value);
}

/// Native units, + deposit, - borrow.
#[inline(always)]
fn held_amount(leg: &BalanceLeg, terms: &HeldTerms) -> i64 {
    amount(leg.shares, terms.index, terms.index).0
}

/// What a balance of another token is worth at weight 1, floor.
#[inline(always)]
fn token_value<B: Book>(book: &B, leg: &BalanceLeg, terms: &HeldTerms) -> i64 {
    let price = book.asset(terms.asset).native_price;
    floor_within(held_amount(leg, terms), price)
}

/// A balance into its asset's row, for Maintenance alone; the quote has no row.
pub(crate) fn put_balance<B: Book>(
    book: &B,
    leg: &BalanceLeg,
    totals: &mut Totals,
    row: Option<&mut Header>,
) {
    let terms = book.held(leg.rate, leg.shares.0 > 0);
    match row {
        Some(row) if leg.rate != QUOTE_RATE => {
            let value = token_value(book, leg, &terms);
            let (maintenance, _) = weigh::<true, false>(value, &terms);
            totals.maintenance = totals.maintenance.wrapping_add(maintenance);
            row[lane::SPOT[0]] = row[lane::SPOT[0]].wrapping_add(maintenance);
        }
        _ => add_quote(leg, &terms, totals),
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
    let (value, result) = worth(leg, terms.mark, terms.carry_of(leg.size));
    totals.maintenance = totals.maintenance.wrapping_add(result);
    if leg.size.0 != 0 {
        into_row(book, leg, terms, (value, result), row, losses);
    }
}

#[inline]
fn weigh<const M: bool, const I: bool>(value: i64, terms: &HeldTerms) -> (i64, i64) {
    let maintenance = match (M, I) {
        (true, _) => weighted(value, terms.maint_weight),
        (false, true) => 0,
        (false, false) => value,
    };
    let initial = if I {
        weighted(value, terms.init_weight)
    } else {
        0
    };
    (maintenance, initial)
}

/// A token value times its weight, towards minus infinity (4.2). The value is within 2^54 and the
/// weight within 2^24, so the product over 1e6 is below 2^58.1.
#[inline]
fn weighted(value: i64, weight: Ppm) -> i64 {
    let weight = u64::from(weight.0).min(MAX_WEIGHT);
    let bound = MAX_JUDGED_VALUE.unsigned_abs();
    if value >= 0 {
        rate_floor(value.unsigned_abs(), weight).min(bound) as i64
    } else {
        -(rate_ceil(value.unsigned_abs(), weight).min(bound) as i64)
    }
}

/// A position whose side was shrunk, apart, so that the common loop has it in registers.
#[inline(never)]
fn add_kept<const I: bool, B: Book>(
    book: &B,
    leg: &PositionLeg,
    totals: &mut Totals,
    map: &mut RowMap,
    scratch: &mut Scratch<'_>,
) {
    add_position::<I, B>(book, *leg, totals, map, scratch);
}

#[inline(always)]
fn add_position<const I: bool, B: Book>(
    book: &B,
    leg: PositionLeg,
    totals: &mut Totals,
    map: &mut RowMap,
    scratch: &mut Scratch<'_>,
) {
    let Some(terms) = book.perp(leg.instrument, leg.size.0 > 0) else {
        add_dated::<I, B>(book, &leg, totals, map, scratch);
        return;
    };
    let (value, result) = worth(&leg, terms.mark, terms.carry);
    totals.net = totals.net.wrapping_add(result);
    // A closed position has no risk; only Initial asks for its asset.
    if leg.size.0 == 0 && (!I || result == 0) {
        totals.maintenance = totals.maintenance.wrapping_add(result);
        return;
    }
    let Some((row, _)) = map.find(terms.asset, scratch) else {
        totals.owe(result);
        return;
    };
    totals.maintenance = totals.maintenance.wrapping_add(result);
    add_linear(row, leg.size, value, result);
}

/// The same for futures and options.
#[inline(never)]
fn add_dated<const I: bool, B: Book>(
    book: &B,
    leg: &PositionLeg,
    totals: &mut Totals,
    map: &mut RowMap,
    scratch: &mut Scratch<'_>,
) {
    let terms = book.instrument(leg.instrument);
    let (value, result) = worth(leg, terms.mark, terms.carry_of(leg.size));
    totals.net = totals.net.wrapping_add(result);
    if leg.size.0 == 0 && (!I || result == 0) {
        totals.maintenance = totals.maintenance.wrapping_add(result);
        return;
    }
    let Some((row, losses)) = map.find(terms.asset, scratch) else {
        totals.owe(result);
        return;
    };
    totals.maintenance = totals.maintenance.wrapping_add(result);
    totals.options |= terms.kind.is_option() && leg.size.0 != 0;
    into_row(book, leg, &terms, (value, result), row, losses);
}

/// A position's value and result into its asset's row.
#[inline]
fn into_row<B: Book>(
    book: &B,
    leg: &PositionLeg,
    terms: &InstrumentTerms,
    (value, result): (i64, i64),
    row: &mut Header,
    losses: &mut [i64],
) {
    if terms.kind.is_option() {
        row[lane::RESULT] = row[lane::RESULT].wrapping_add(result);
        add_option(book, leg, terms, value, row, losses);
    } else {
        add_linear(row, leg.size, value, result);
    }
}

/// A perpetual's or a future's value and result into its asset's row.
#[inline(always)]
fn add_linear(row: &mut Header, size: Lots, value: i64, result: i64) {
    row[lane::RESULT] = row[lane::RESULT].wrapping_add(result);
    // Only reported, so that it wraps where sizes are beyond all bounds.
    row[lane::LOTS] = row[lane::LOTS].wrapping_add(size.0.wrapping_shl(16));
    if value >= 0 {
        row[lane::LONG] = row[lane::LONG].wrapping_add(value);
    } else {
        row[lane::SHORT] = row[lane::SHORT].wrapping_sub(value);
    }
}

/// A position's `size * mark`, and that less its side's carry plus its quote, towards minus infinity.
#[inline(always)]
fn worth(leg: &PositionLeg, mark: Price, carry: Carry48) -> (i64, i64) {
    let quote = clamped(leg.quote.0);
    if leg.size.0 == 0 {
        return (0, quote);
    }
    let value = floor_within(leg.size.0, mark);
    let accrued = if carry.0 == 0 {
        0
    } else {
        clamped(carry_value_ceil(leg.size, carry).0)
    };
    (value, value.wrapping_sub(accrued).wrapping_add(quote))
}

/// `size * price`, floor, where judging stops counting at most (1.6).
#[inline(always)]
fn floor_within(size: i64, price: Price) -> i64 {
    let bound = MAX_JUDGED_VALUE.unsigned_abs();
    let (whole, rest) = mul_shift(size.unsigned_abs(), price.mantissa(), price.shift());
    if size >= 0 {
        whole.min(bound) as i64
    } else {
        let owed = whole.min(bound).wrapping_add(u64::from(rest));
        (owed.min(bound) as i64).wrapping_neg()
    }
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
