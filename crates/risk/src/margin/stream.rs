//! An account's legs, streamed once into a row per asset (margin-spec 4.2, 4.3, 5.2).

use crate::book::{BalanceLeg, Book, InstrumentTerms, Legs, PositionLeg, QUOTE_RATE};
use crate::carry::carry_value_ceil;
use crate::fitness::bit;
use crate::limits::{MAX_ASSETS, MAX_JUDGED_SIZE, MAX_JUDGED_VALUE};
use crate::margin::scratch::{Header, Rows, lane};
use crate::num::{mul_shift, mul_shift_floor, rate_ceil, rate_floor, value_floor};
use crate::shares::{amount, borrow_amount, deposit_amount};
use crate::units::{Atoms, Carry48, Lots, Ppm, Price};

/// Weights count at most 16, so that a weighted value fits (see [`weighted_floor`]).
const MAX_WEIGHT: u64 = 16_000_000;
/// Where judging stops counting a value.
const MOST: u64 = MAX_JUDGED_VALUE.unsigned_abs();
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
    /// Assets that had no row, as bits.
    pub left_out: u32,
}

impl Totals {
    /// A value whose asset has no row: only what is owed counts.
    #[cold]
    #[inline(never)]
    fn owe(&mut self, asset: u8, maintenance: i64, initial: i64) {
        self.left_out |= bit(asset);
        self.maintenance = self.maintenance.wrapping_add(maintenance.min(0));
        self.initial = self.initial.wrapping_add(initial.min(0));
    }
}

/// Which row an asset has: its number plus one; 0 for none.
struct RowMap {
    number: [u8; MAX_ASSETS],
    used: usize,
}

impl RowMap {
    /// The number of the asset's row, a new one at first sight, empty as all were made; `None` when
    /// the scratch is too short.
    #[inline(always)]
    fn find(&mut self, asset: u8, rows: &mut Rows<'_>) -> Option<usize> {
        let entry = self.number.get_mut(usize::from(asset))?;
        if *entry != 0 {
            return Some(usize::from(*entry) - 1);
        }
        let number = self.used;
        rows.headers.get_mut(number)?[lane::ASSET] = i64::from(asset);
        self.used += 1;
        *entry = self.used as u8;
        Some(number)
    }

    /// The same row's header.
    #[inline(always)]
    fn header<'s>(&mut self, asset: u8, rows: &'s mut Rows<'_>) -> Option<&'s mut Header> {
        let number = self.find(asset, rows)?;
        rows.headers.get_mut(number)
    }
}

/// Streams the legs. `M` and `I` choose the weights that token values get in the rows' SPOT lanes;
/// without Maintenance its lane holds them at weight 1.
pub(crate) fn stream<const M: bool, const I: bool, B: Book, L: Legs>(
    book: &B,
    legs: &L,
    rows: &mut Rows<'_>,
) -> Totals {
    let mut totals = Totals::default();
    rows.clear();
    let mut map = RowMap {
        number: [0; MAX_ASSETS],
        used: 0,
    };
    for slot in 0..legs.balance_slots() {
        if let Some(leg) = legs.balance(slot)
            && leg.shares.0 != 0
        {
            add_balance::<M, I, B>(book, leg, &mut totals, &mut map, rows);
        }
    }
    if legs.is_stored() {
        for slot in 0..legs.position_slots() {
            if let Some(leg) = legs.stored(slot) {
                add_position::<I, B>(book, leg, &mut totals, &mut map, rows);
            }
        }
    } else {
        for slot in 0..legs.position_slots() {
            if let Some(leg) = legs.position(slot) {
                add_kept::<I, B>(book, &leg, &mut totals, &mut map, rows);
            }
        }
    }
    totals.rows = map.used;
    totals
}

#[inline(always)]
fn add_balance<const M: bool, const I: bool, B: Book>(
    book: &B,
    leg: BalanceLeg,
    totals: &mut Totals,
    map: &mut RowMap,
    rows: &mut Rows<'_>,
) {
    if leg.rate == QUOTE_RATE {
        add_quote(book, &leg, totals);
        return;
    }
    let Token {
        asset,
        value,
        maintenance,
        initial,
    } = token::<M, I, B>(book, &leg);
    totals.net = totals.net.wrapping_add(value);
    match map.header(asset, rows) {
        Some(row) => {
            totals.maintenance = totals.maintenance.wrapping_add(maintenance);
            totals.initial = totals.initial.wrapping_add(initial);
            row[lane::HELD] = 1;
            row[lane::SPOT[0]] = row[lane::SPOT[0]].wrapping_add(maintenance);
            row[lane::SPOT[1]] = row[lane::SPOT[1]].wrapping_add(initial);
        }
        None => totals.owe(asset, maintenance, initial),
    }
}

/// The quote counts as it is, in everything.
#[inline]
fn add_quote<B: Book>(book: &B, leg: &BalanceLeg, totals: &mut Totals) {
    let index = book.held(leg.rate, leg.shares.0 > 0).index;
    let value = clamped(amount(leg.shares, index, index).0);
    totals.net = totals.net.wrapping_add(value);
    totals.maintenance = totals.maintenance.wrapping_add(value);
    totals.initial = totals.initial.wrapping_add(value);
}

/// What a balance of a token is worth, at weight 1 and weighted.
struct Token {
    asset: u8,
    value: i64,
    maintenance: i64,
    initial: i64,
}

/// Values a deposit, floor all the way, or a borrow, ceil (4.2): the sign is looked at once.
#[inline(always)]
fn token<const M: bool, const I: bool, B: Book>(book: &B, leg: &BalanceLeg) -> Token {
    if leg.shares.0 > 0 {
        let terms = book.held(leg.rate, true);
        let held = deposit_amount(leg.shares, terms.index).0 as u64;
        let value = floor_of(held, book.asset(terms.asset).native_price);
        return Token {
            asset: terms.asset,
            value: value as i64,
            maintenance: match M {
                true => weighted_floor(value, terms.maint_weight) as i64,
                false => value as i64,
            },
            initial: match I {
                true => weighted_floor(value, terms.init_weight) as i64,
                false => 0,
            },
        };
    }
    let terms = book.held(leg.rate, false);
    let owed = borrow_amount(leg.shares, terms.index).0 as u64;
    let value = ceil_of(owed, book.asset(terms.asset).native_price);
    let negative = |value: u64| (value as i64).wrapping_neg();
    Token {
        asset: terms.asset,
        value: negative(value),
        maintenance: match M {
            true => negative(weighted_ceil(value, terms.maint_weight)),
            false => negative(value),
        },
        initial: match I {
            true => negative(weighted_ceil(value, terms.init_weight)),
            false => 0,
        },
    }
}

/// A balance into its asset's row, for Maintenance alone; the quote has no row.
pub(crate) fn put_balance<B: Book>(
    book: &B,
    leg: &BalanceLeg,
    totals: &mut Totals,
    row: Option<&mut Header>,
) {
    match row {
        Some(row) if leg.rate != QUOTE_RATE => {
            let worth = token::<true, false, B>(book, leg).maintenance;
            totals.maintenance = totals.maintenance.wrapping_add(worth);
            row[lane::SPOT[0]] = row[lane::SPOT[0]].wrapping_add(worth);
        }
        _ => add_quote(book, leg, totals),
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
    if leg.size.0 == 0 {
        totals.maintenance = totals.maintenance.wrapping_add(clamped(leg.quote.0));
        return;
    }
    let (value, result) = worth(leg, terms.mark, terms.carry_of(leg.size));
    totals.maintenance = totals.maintenance.wrapping_add(result);
    into_row(book, leg, terms, (value, result), row, losses);
}

/// A token value times its weight, floor (4.2). The value is within 2^54 and the weight within 2^24,
/// so the product over 1e6 is below 2^58.1.
#[inline(always)]
fn weighted_floor(value: u64, weight: Ppm) -> u64 {
    rate_floor(value, u64::from(weight.0).min(MAX_WEIGHT)).min(MOST)
}

/// The same, ceil.
#[inline(always)]
fn weighted_ceil(value: u64, weight: Ppm) -> u64 {
    rate_ceil(value, u64::from(weight.0).min(MAX_WEIGHT)).min(MOST)
}

/// A position whose side was shrunk, apart, so that the common loop has it in registers.
#[inline(never)]
fn add_kept<const I: bool, B: Book>(
    book: &B,
    leg: &PositionLeg,
    totals: &mut Totals,
    map: &mut RowMap,
    rows: &mut Rows<'_>,
) {
    add_position::<I, B>(book, *leg, totals, map, rows);
}

#[inline(always)]
fn add_position<const I: bool, B: Book>(
    book: &B,
    leg: PositionLeg,
    totals: &mut Totals,
    map: &mut RowMap,
    rows: &mut Rows<'_>,
) {
    let Some(terms) = book.perp(leg.instrument, leg.size.0 > 0) else {
        add_dated::<I, B>(book, &leg, totals, map, rows);
        return;
    };
    if leg.size.0 == 0 {
        add_closed::<I>(clamped(leg.quote.0), terms.asset, totals, map, rows);
        return;
    }
    let (value, result) = worth(&leg, terms.mark, terms.carry);
    totals.net = totals.net.wrapping_add(result);
    let Some(row) = map.header(terms.asset, rows) else {
        totals.owe(terms.asset, result, result);
        return;
    };
    totals.maintenance = totals.maintenance.wrapping_add(result);
    row[lane::HELD] = 1;
    add_linear(row, leg.size, value, result);
}

/// A closed position's result: it has no risk, and only Initial asks for its asset.
#[inline(never)]
fn add_closed<const I: bool>(
    result: i64,
    asset: u8,
    totals: &mut Totals,
    map: &mut RowMap,
    rows: &mut Rows<'_>,
) {
    totals.net = totals.net.wrapping_add(result);
    if I && result != 0 {
        let Some(row) = map.header(asset, rows) else {
            totals.maintenance = totals.maintenance.wrapping_add(result.min(0));
            totals.initial = totals.initial.wrapping_add(result.min(0));
            return;
        };
        row[lane::RESULT] = row[lane::RESULT].wrapping_add(result);
    }
    totals.maintenance = totals.maintenance.wrapping_add(result);
}

/// The same as [`add_position`] for futures and options.
#[inline(never)]
fn add_dated<const I: bool, B: Book>(
    book: &B,
    leg: &PositionLeg,
    totals: &mut Totals,
    map: &mut RowMap,
    rows: &mut Rows<'_>,
) {
    let terms = book.instrument(leg.instrument);
    if leg.size.0 == 0 {
        add_closed::<I>(clamped(leg.quote.0), terms.asset, totals, map, rows);
        return;
    }
    let (value, result) = worth(leg, terms.mark, terms.carry_of(leg.size));
    totals.net = totals.net.wrapping_add(result);
    let number = map.find(terms.asset, rows);
    let Some((row, losses)) = number.and_then(|number| rows.row(number)) else {
        totals.owe(terms.asset, result, result);
        return;
    };
    totals.maintenance = totals.maintenance.wrapping_add(result);
    totals.options |= terms.kind.is_option();
    row[lane::HELD] = 1;
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
    let (value, accrued) = if leg.size.0 > 0 {
        let lots = Lots(leg.size.0);
        (floor_of(lots.0 as u64, mark) as i64, accrued(lots, carry))
    } else {
        let lots = leg.size.0.unsigned_abs();
        let value = (ceil_of(lots, mark) as i64).wrapping_neg();
        (
            value,
            accrued(Lots(lots as i64), Carry48(carry.0.wrapping_neg())),
        )
    };
    let quote = clamped(leg.quote.0);
    (value, value.wrapping_sub(accrued).wrapping_add(quote))
}

/// Carry of so many lots, ceil.
#[inline(always)]
fn accrued(lots: Lots, carry: Carry48) -> i64 {
    if carry.0 == 0 {
        return 0;
    }
    clamped(carry_value_ceil(lots, carry).0)
}

/// `size * price`, floor, where judging stops counting at most (1.6).
#[inline(always)]
fn floor_of(size: u64, price: Price) -> u64 {
    mul_shift(size, price.mantissa(), price.shift()).0.min(MOST)
}

/// The same, ceil.
#[inline(always)]
fn ceil_of(size: u64, price: Price) -> u64 {
    let (whole, rest) = mul_shift(size, price.mantissa(), price.shift());
    whole.min(MOST).wrapping_add(u64::from(rest)).min(MOST)
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
