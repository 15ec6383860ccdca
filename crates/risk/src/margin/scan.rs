//! The scan: losses per asset and scenario, aggregated coherently (margin-spec 3.3, 5.2 to 5.4).

use crate::book::{AssetTerms, Book, Extremes, Scenario};
use crate::limits::{MAX_JUDGED_LOSS, MAX_SCENARIOS};
use crate::margin::scratch::{Header, Scratch, lane};
use crate::margin::{Parts, Rule};
use crate::num::{isqrt_ceil, ppm_ceil_bounded, ppm_floor_bounded, umul_shift_ceil, wide_mul};
use crate::units::{Atoms, Ppm};

const ONE: u64 = 1_000_000;
const MAX_FACTOR: u64 = 16_000_000;
const MAX_CONCENTRATION: u64 = 15_000_000;
const MAX_LOSS: u64 = MAX_JUDGED_LOSS.unsigned_abs();
/// Depths count at most this, so that four 12-bit steps of long division fit 64 bits.
const MAX_DEPTH: u64 = (1 << 52) - 1;
/// Losses are squared below this many bits (1.6).
const SQUARED_BITS: u32 = 48;

/// Index of a requirement's lanes.
pub(crate) const MAINTENANCE: usize = 0;
pub(crate) const INITIAL: usize = 1;

/// The requirement over the rows that `aggregate::stream` filled. `R` is [`MAINTENANCE`], whose
/// factor is 1, or [`INITIAL`], whose factor is `factor` or else each asset's own.
pub(crate) fn requirement<const R: usize, B: Book>(
    book: &B,
    gross_min: Ppm,
    extremes: &Extremes,
    factor: Option<Ppm>,
    rows: usize,
    stride: usize,
    scratch: &mut Scratch<'_>,
) -> Parts {
    let mut parts = Parts::default();
    let mut two_suffice = true;
    for (row, _) in scratch.each(rows, stride) {
        let terms = book.asset(row[lane::ASSET] as u8);
        let factor = match (R, factor) {
            (MAINTENANCE, _) => Ppm::ONE,
            (_, None) => terms.init_factor,
            (_, Some(factor)) => factor,
        };
        let (basis, unwind) = additions::<R>(row, &terms);
        // Sums of at most all legs' values, below 2^62 (see Totals).
        parts.basis.0 = parts.basis.0.wrapping_add(basis);
        parts.unwind.0 = parts.unwind.0.wrapping_add(unwind);
        charge::<R>(row, &terms, factor);
        two_suffice &= obeys_peaks::<R>(row, &terms, extremes);
    }

    let peaks = [extremes.up.scenario, extremes.down.scenario];
    if two_suffice {
        let numbers = [extremes.up.number, extremes.down.number];
        aggregate::<R>(
            &peaks,
            Some(numbers),
            gross_min,
            rows,
            stride,
            scratch,
            &mut parts,
        );
    } else {
        let all = book.scenarios();
        let all = all.get(..MAX_SCENARIOS).unwrap_or(all);
        aggregate::<R>(all, None, gross_min, rows, stride, scratch, &mut parts);
    }
    parts
}

/// Gross long, gross short and borrows of a row: tokens are one instrument, each position another.
#[inline]
fn gross<const R: usize>(row: &Header) -> (i64, i64, i64) {
    let spot = row[lane::SPOT[R]];
    let borrowed = spot.min(0).wrapping_neg();
    let long = row[lane::LONG].wrapping_add(spot.max(0));
    let short = row[lane::SHORT].wrapping_add(borrowed);
    (long, short, borrowed)
}

/// Basis and unwind charges of a row, ceil (5.3). Rates count at most 1.
#[inline]
pub(crate) fn additions<const R: usize>(row: &Header, terms: &AssetTerms) -> (i64, i64) {
    let (long, short, borrowed) = gross::<R>(row);
    let closed = row[lane::LONG]
        .wrapping_add(row[lane::SHORT])
        .wrapping_add(borrowed);
    let matched = long.min(short).unsigned_abs();
    let basis = ppm_ceil_bounded(matched, u64::from(terms.basis_rate.0).min(ONE));
    let unwind = ppm_ceil_bounded(
        closed.unsigned_abs(),
        u64::from(terms.unwind_rate.0).min(ONE),
    );
    (basis as i64, unwind as i64)
}

/// Writes a row's net value, its loss over one range, plain (floor) and with multiplier and factor
/// (ceil), and the multiplier.
///
/// Bounds: net, plain and charge saturate at 2^57; the multiplier and the factor count at most 16,
/// so every product below stays under 2^61.1.
#[inline]
fn charge<const R: usize>(row: &mut Header, terms: &AssetTerms, factor: Ppm) {
    let (long, short, _) = gross::<R>(row);
    let net = long
        .wrapping_sub(short)
        .clamp(-MAX_JUDGED_LOSS, MAX_JUDGED_LOSS);
    let size = net.unsigned_abs();
    let range = u64::from(terms.range.0).min(ONE);
    let plain = ppm_ceil_bounded(size, range);

    let (multiplied, multiplier) = concentrate(plain, size, terms);
    let factor = u64::from(factor.0).clamp(ONE, MAX_FACTOR);
    let charge = if factor == ONE {
        multiplied
    } else {
        ppm_ceil_bounded(multiplied, factor)
    };

    row[lane::NET[R]] = net;
    row[lane::PLAIN] = ppm_floor_bounded(size, range) as i64;
    row[lane::CHARGE] = charge.min(MAX_LOSS) as i64;
    row[lane::MULTIPLIER[R]] = multiplier as i64;
    row[lane::SYSTEMATIC] = i64::from(terms.systematic.min(1_000));
}

/// `plain * (1 + min(concentration_cap, size / depth))`, ceil, and the multiplier with 48
/// fractional bits, ceil (3.3).
#[inline]
fn concentrate(plain: u64, size: u64, terms: &AssetTerms) -> (u64, u64) {
    const UNIT: u64 = 1 << 48;
    let cap = u64::from(terms.concentration_cap.0).min(MAX_CONCENTRATION);
    if terms.depth.0 <= 0 || cap == 0 {
        return (plain, UNIT);
    }

    let capped = ppm_ceil_bounded(plain, ONE.wrapping_add(cap)).min(MAX_LOSS);
    // 15e6 << 40 is below 2^64; the last eight bits are rounded up with the rest.
    let cap_bits = ((cap << 40) / ONE).wrapping_add(1) << 8;
    let depth = terms.depth.0.unsigned_abs().min(MAX_DEPTH);
    let whole = size / depth;
    if whole.wrapping_mul(ONE) >= cap {
        return (capped, UNIT.wrapping_add(cap_bits));
    }

    // Long division of the rest, below 2^52, in four steps of twelve bits; whole is below 16.
    let mut rest = size.wrapping_sub(whole.wrapping_mul(depth));
    let mut share = whole;
    for _ in 0..4 {
        rest <<= 12;
        let digit = rest / depth;
        share = (share << 12) | digit;
        rest = rest.wrapping_sub(digit.wrapping_mul(depth));
    }
    let share = share.wrapping_add(u64::from(rest != 0));
    let grown = plain.wrapping_add(umul_shift_ceil(plain, share, 48));
    (grown.min(capped), UNIT.wrapping_add(share.min(cap_bits)))
}

/// Whether this row's losses in every scenario lie on or below the line through zero and the peak
/// of the scenario's direction, so that the two peaks decide X, Y and every scan.
///
/// Without options a loss is `w * |k|` times a constant of the row and the direction, except where
/// the shock stops at -1 or the charge at the whole value. For a net short only the first matters:
/// its gain in the deepest scenario must not be cut. For a net long the second: its loss at the peak
/// must not be cut; elsewhere a cut only lowers it. Then for every scenario s of a direction with
/// peak p, `sum_a b_a L_a(s) <= (w_s k_s / w_p k_p) * sum_a b_a L_a(p)`, so the peak's sum or zero is
/// the maximum; the same holds for Y with b = 1 and for one asset alone.
#[inline]
fn obeys_peaks<const R: usize>(row: &Header, terms: &AssetTerms, extremes: &Extremes) -> bool {
    let net = row[lane::NET[R]];
    if net < 0 {
        let deepest = u64::from(terms.range.0).wrapping_mul(u64::from(extremes.down.reach));
        return deepest <= ONE;
    }
    let peak = extremes.down.scenario;
    moved(row[lane::CHARGE].unsigned_abs(), peak, true) <= net.unsigned_abs()
}

/// A loss over one range, carried to a scenario's `|k|` ranges. At most 127 * 2^57 < 2^64.
#[inline]
fn moved(over_one_range: u64, scenario: Scenario, up: bool) -> u64 {
    let product = over_one_range.wrapping_mul(u64::from(scenario.k_num.unsigned_abs()));
    match scenario.k_den {
        0 | 1 => product,
        by if up => product.div_ceil(u64::from(by)),
        by => product / u64::from(by),
    }
}

/// What a row loses in a scenario, ceil; a gain is negative (5.2). Within 2^57.
#[inline]
fn loss(net: i64, plain: u64, charge: u64, scenario: Scenario) -> i64 {
    if net == 0 || scenario.k_num == 0 {
        return 0;
    }
    let down = scenario.k_num < 0;
    let adverse = down == (net > 0);
    let whole = if down { net.unsigned_abs() } else { u64::MAX };
    let weight = u64::from(scenario.w.0).min(ONE);
    let over_one_range = if adverse { charge } else { plain };
    let amount = moved(over_one_range, scenario, adverse).min(whole);
    let covered = match (weight, adverse) {
        (ONE, _) => amount,
        (_, true) => ppm_ceil_bounded(amount, weight),
        (_, false) => ppm_floor_bounded(amount, weight),
    };
    let covered = covered.min(MAX_LOSS) as i64;
    if adverse { covered } else { -covered }
}

/// X, Y, the gross minimum and which of them rules (5.4), over the given scenarios.
///
/// Bounds: a loss is within 2^57, so a sum over 32 assets is within 2^62. For the squares losses
/// are shifted below 2^48 + 1; `b <= 1,000` then gives sums within 2^63, squares within 2^126.
fn aggregate<const R: usize>(
    scenarios: &[Scenario],
    numbers: Option<[u8; 2]>,
    gross_min: Ppm,
    rows: usize,
    stride: usize,
    scratch: &mut Scratch<'_>,
    parts: &mut Parts,
) {
    let mut sum_of_scans = 0u64;
    let mut largest = 0u64;
    for (row, losses) in scratch.each(rows, stride) {
        let span = fill_losses::<R>(row, losses, scenarios, numbers);
        largest |= span;
        sum_of_scans = sum_of_scans.wrapping_add(row[lane::SCAN[R]].unsigned_abs());
    }

    let shift = (64 - largest.leading_zeros()).saturating_sub(SQUARED_BITS);
    let (mut systemic, mut together) = (0i64, 0i64);
    for index in 0..scenarios.len() {
        let (mut plain, mut correlated) = (0i64, 0i64);
        for (row, losses) in scratch.each(rows, stride) {
            let loss = losses.get(index).copied().unwrap_or(0);
            plain = plain.wrapping_add(loss);
            let shared = row[lane::SYSTEMATIC].wrapping_mul(shifted(loss, shift));
            correlated = correlated.wrapping_add(shared);
        }
        systemic = systemic.max(plain);
        together = together.max(correlated);
    }

    let own = own_risks::<R>(rows, stride, shift, scratch);
    let (high, low) = wide_mul(together.unsigned_abs(), together.unsigned_abs());
    let square = ((u128::from(high) << 64) | u128::from(low)).wrapping_add(own);
    let one_factor = isqrt_ceil(square).div_ceil(1_000) << shift;
    let gross = ppm_ceil_bounded(sum_of_scans, u64::from(gross_min.0).min(ONE));

    parts.one_factor = Atoms(one_factor as i64);
    parts.systemic = Atoms(systemic);
    parts.gross = Atoms(gross as i64);
    parts.rule = if parts.one_factor >= parts.systemic.max(parts.gross) {
        Rule::OneFactor
    } else if parts.systemic >= parts.gross {
        Rule::Systemic
    } else {
        Rule::Gross
    };
}

/// Writes a row's loss in every scenario, its scan and worst scenario; returns the bits of its
/// largest gain or loss.
#[inline]
fn fill_losses<const R: usize>(
    row: &mut Header,
    losses: &mut [i64],
    scenarios: &[Scenario],
    numbers: Option<[u8; 2]>,
) -> u64 {
    let net = row[lane::NET[R]];
    let (plain, charge) = (
        row[lane::PLAIN].unsigned_abs(),
        row[lane::CHARGE].unsigned_abs(),
    );
    let (mut scan, mut worst, mut bits) = (0i64, 1i64, 0u64);
    for (index, (lane, scenario)) in losses.iter_mut().zip(scenarios).enumerate() {
        let loss = loss(net, plain, charge, *scenario);
        *lane = loss;
        bits |= loss.unsigned_abs();
        if loss > scan {
            scan = loss;
            worst = match numbers {
                Some(numbers) => i64::from(numbers[index & 1]),
                None => index as i64 + 1,
            };
        }
    }
    row[lane::SCAN[R]] = scan;
    row[lane::WORST[R]] = worst;
    bits
}

/// `sum (1e6 - b^2) * scan^2` of the shifted scans, b in thousandths. Within 32 * 2^20 * 2^96.
#[inline]
fn own_risks<const R: usize>(
    rows: usize,
    stride: usize,
    shift: u32,
    scratch: &mut Scratch<'_>,
) -> u128 {
    let mut sum = 0u128;
    for (row, _) in scratch.each(rows, stride) {
        let scan = shifted(row[lane::SCAN[R]], shift).unsigned_abs();
        let b = row[lane::SYSTEMATIC].unsigned_abs();
        let own = ONE.wrapping_sub(b.wrapping_mul(b));
        let square = if scan >> 44 == 0 {
            let (high, low) = wide_mul(own.wrapping_mul(scan), scan);
            (u128::from(high) << 64) | u128::from(low)
        } else {
            u128::from(own).wrapping_mul(u128::from(scan).wrapping_mul(u128::from(scan)))
        };
        sum = sum.wrapping_add(square);
    }
    sum
}

/// A loss shifted right, towards plus infinity.
#[inline]
fn shifted(loss: i64, shift: u32) -> i64 {
    if shift == 0 {
        return loss;
    }
    loss.wrapping_add((1 << shift) - 1) >> shift
}
