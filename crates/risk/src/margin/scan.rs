//! The scan: every row's losses, aggregated coherently (margin-spec 5.2 to 5.4).

use crate::limits::MAX_JUDGED_LOSS;
use crate::margin::moves::{Moves, PLACES, Peaks};
use crate::margin::row::{
    Linear, ONE, RowTerms, SMALL_LOSS, Steepness, additions, concentration, linear_concentration,
};
use crate::margin::scratch::{Header, lane};
use crate::margin::{Parts, Rule};
use crate::num::{isqrt_ceil, ppm_ceil_bounded, wide_mul};
use crate::units::{Atoms, Ppm};

/// Scans of at most twice as many bits are squared by halves.
const HALF_BITS: u32 = 19;
const HALF: u64 = (1 << HALF_BITS) - 1;
/// Losses are squared below this many bits (1.6).
const SQUARED_BITS: u32 = 48;

/// Index of a requirement's lanes.
pub(crate) const MAINTENANCE: usize = 0;
pub(crate) const INITIAL: usize = 1;

/// The sums of one requirement over its rows that do not depend on the scenario.
///
/// Bounds: additions are sums of at most all legs' values, below 2^62.7 (see Totals); a scan is
/// within 2^57, 32 of them within 2^62.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Common {
    /// Sum of `(1e6 - b^2) * scan^2` in two words, below 32 * 2^20 * 2^96.
    pub own_high: u64,
    pub own_low: u64,
    /// The same of scans below 2^38, by their halves of 19 bits: squares of the high ones, products
    /// of both, squares of the low ones. 32 times 2^20 * 2^38.
    own_parts: [u64; 3],
    pub scans: u64,
    /// Bits of the largest gains and losses.
    pub bits: u64,
    pub basis: u64,
    pub unwind: u64,
    /// Losses are shifted right by this before they are squared (1.6).
    pub shift: u32,
}

impl Common {
    /// The shift that the losses seen ask for.
    pub const fn shift_needed(&self) -> u32 {
        (64 - self.bits.leading_zeros()).saturating_sub(SQUARED_BITS)
    }

    /// A row's scan and additions.
    #[inline]
    fn close<const R: usize>(&mut self, row: &mut Header, scan: u64, worst: i64, terms: &RowTerms) {
        row[lane::SCAN[R]] = scan as i64;
        row[lane::WORST[R]] = worst;
        self.count(scan, additions::<R>(row, terms), terms);
    }

    #[inline(always)]
    fn count(&mut self, scan: u64, (basis, unwind): (u64, u64), terms: &RowTerms) {
        self.scans = self.scans.wrapping_add(scan);
        self.basis = self.basis.wrapping_add(basis);
        self.unwind = self.unwind.wrapping_add(unwind);

        let scan = shifted(scan as i64, self.shift) as u64;
        if scan >> (2 * HALF_BITS) != 0 {
            self.count_large(scan, terms.own);
            return;
        }
        let (high, low) = (scan >> HALF_BITS, scan & HALF);
        let own_high = high.wrapping_mul(terms.own);
        let own_low = low.wrapping_mul(terms.own);
        let [squares, products, rest] = &mut self.own_parts;
        *squares = squares.wrapping_add(own_high.wrapping_mul(high));
        *products = products.wrapping_add(own_high.wrapping_mul(low));
        *rest = rest.wrapping_add(own_low.wrapping_mul(low));
    }

    #[inline(never)]
    fn count_large(&mut self, scan: u64, own: u64) {
        let (high, low) = own_risk(scan, own);
        let (low, over) = self.own_low.overflowing_add(low);
        self.own_low = low;
        self.own_high = self
            .own_high
            .wrapping_add(high)
            .wrapping_add(u64::from(over));
    }

    /// The whole sum of `(1e6 - b^2) * scan^2`, below 2^122.
    #[inline]
    fn own(&self) -> u128 {
        let [squares, products, rest] = self.own_parts.map(u128::from);
        let small = (squares << (2 * HALF_BITS)) + (products << (HALF_BITS + 1)) + rest;
        ((u128::from(self.own_high) << 64) | u128::from(self.own_low)).wrapping_add(small)
    }

    /// X, Y, the gross minimum and which of them rules (5.4).
    pub fn rule(&self, systemic: i64, together: i64, gross_min: Ppm) -> Parts {
        let (high, low) = wide_mul(together as u64, together as u64);
        let square = ((u128::from(high) << 64) | u128::from(low)).wrapping_add(self.own());
        let one_factor = isqrt_ceil(square).div_ceil(1_000) << self.shift;
        let gross = ppm_ceil_bounded(self.scans, u64::from(gross_min.0).min(ONE));

        let mut parts = Parts {
            one_factor: Atoms(one_factor as i64),
            systemic: Atoms(systemic),
            gross: Atoms(gross as i64),
            basis: Atoms(self.basis as i64),
            unwind: Atoms(self.unwind as i64),
            ..Parts::ZERO
        };
        parts.rule = if parts.one_factor >= parts.systemic.max(parts.gross) {
            Rule::OneFactor
        } else if parts.systemic >= parts.gross {
            Rule::Systemic
        } else {
            Rule::Gross
        };
        parts
    }
}

/// Sums over two scenarios, the peaks.
///
/// A plain sum over 32 assets is within 2^62. The correlated sums are only read when every loss in
/// them, shifted, is at most 2^48: `b <= 1,000` then gives sums within 2^63, squares within 2^126.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PeakSums {
    pub common: Common,
    up: i64,
    down: i64,
    together_up: i64,
    together_down: i64,
}

impl PeakSums {
    /// Adds a row without options; `false` where the peaks do not decide it.
    ///
    /// They do where its losses in every scenario lie on or below the line through zero and the peak
    /// of the scenario's direction. A loss is `w * |k|` times a constant of the row and the direction,
    /// except where the shock stops at -1 or the charge at the whole value. For a net short only the
    /// first matters: its gain in the deepest scenario must not be cut. For a net long the second: its
    /// loss at the peak must not be cut; elsewhere a cut only lowers it. Then for every scenario s of a
    /// direction with peak p, `sum_a b_a L_a(s) <= (w_s k_s / w_p k_p) * sum_a b_a L_a(p)`, so the
    /// peak's sum or zero is the maximum; the same holds for Y with b = 1 and for one asset alone.
    #[inline(never)]
    pub fn add<const R: usize>(
        &mut self,
        row: &mut Header,
        terms: &RowTerms,
        factor: u64,
        peaks: &Peaks,
    ) -> bool {
        let Some(moved) = Peaked::of::<R>(row, terms, peaks) else {
            return false;
        };
        let added = additions::<R>(row, terms);
        self.charge::<R>(row, &moved, added, (terms, factor), peaks)
    }

    /// Adds a row of which both requirements weigh the tokens alike, as a row of positions has none: they
    /// differ in the factor alone, and the rest is found once.
    #[inline(never)]
    pub fn add_both(
        [maintenance, initial]: [&mut Self; 2],
        row: &mut Header,
        (terms, factor): (&RowTerms, u64),
        peaks: &Peaks,
    ) -> bool {
        let Some(moved) = Peaked::of::<MAINTENANCE>(row, terms, peaks) else {
            return false;
        };
        let added = additions::<MAINTENANCE>(row, terms);
        maintenance.charge::<MAINTENANCE>(row, &moved, added, (terms, ONE), peaks)
            && initial.charge::<INITIAL>(row, &moved, added, (terms, factor), peaks)
    }

    /// Charges a row's loss at its adverse peak; `false` where the charge is cut there.
    #[inline(always)]
    fn charge<const R: usize>(
        &mut self,
        row: &mut Header,
        moved: &Peaked,
        added: (u64, u64),
        (terms, factor): (&RowTerms, u64),
        peaks: &Peaks,
    ) -> bool {
        row[lane::NET[R]] = moved.net;
        row[lane::MULTIPLIER[R]] = moved.multiplier as i64;
        let steepness = Steepness::new(moved.multiplier, factor);
        let long = moved.net > 0;
        let mut lost = steepness.of(moved.lost);
        // More than the whole is either a cut, or no more than the roundings.
        if long && lost > moved.uncut {
            let adverse = &peaks.down;
            if steepness.is_cut(terms.range.wrapping_mul(adverse.k).div_ceil(adverse.den)) {
                return false;
            }
            lost = moved.uncut;
        }
        if terms.is_quiet {
            lost = 0;
        }

        let (lost, gained) = (lost as i64, moved.gained as i64);
        let (up, down, worst) = if long {
            (gained.wrapping_neg(), lost, peaks.down_number)
        } else {
            (lost, gained.wrapping_neg(), peaks.up_number)
        };
        self.up = self.up.wrapping_add(up);
        self.down = self.down.wrapping_add(down);
        let shift = self.common.shift;
        let b = terms.b;
        self.together_up = self
            .together_up
            .wrapping_add(b.wrapping_mul(shifted(up, shift)));
        self.together_down = self
            .together_down
            .wrapping_add(b.wrapping_mul(shifted(down, shift)));
        self.common.bits |= (lost | gained) as u64;
        row[lane::SCAN[R]] = lost;
        row[lane::WORST[R]] = if lost == 0 { 1 } else { worst };
        self.common.count(lost as u64, added, terms);
        true
    }

    pub fn finish(&self, gross_min: Ppm) -> Parts {
        let systemic = self.up.max(self.down).max(0);
        let together = self.together_up.max(self.together_down).max(0);
        self.common.rule(systemic, together, gross_min)
    }
}

/// What a row loses and gains at the two peaks, before it is multiplied.
struct Peaked {
    net: i64,
    /// Size multiplier, 48 fractional bits.
    multiplier: u64,
    lost: u64,
    gained: u64,
    /// A long's whole value times the peak's weight: what its charge is cut at.
    uncut: u64,
}

impl Peaked {
    /// `None` where a shock stops at -1 in a way that the peaks do not see.
    #[inline(always)]
    fn of<const R: usize>(row: &Header, terms: &RowTerms, peaks: &Peaks) -> Option<Self> {
        let linear = Linear::of::<R>(row, terms.range);
        let size = linear.net.unsigned_abs();
        let long = linear.net > 0;
        // A row of nothing, as a closed leg's result makes for Initial, loses nothing anywhere.
        if linear.net < 0 && terms.range.wrapping_mul(peaks.reach) > ONE {
            return None;
        }
        let (concentration, lost, gained, uncut) = if peaks.are_units {
            (size, linear.lost, linear.gained, size)
        } else {
            if peaks.down.is_clipped(terms.range) {
                return None;
            }
            let (adverse, favourable) = if long {
                (&peaks.down, &peaks.up)
            } else {
                (&peaks.up, &peaks.down)
            };
            (
                linear_concentration(size, adverse),
                linear.moved(adverse).0,
                linear.moved(favourable).1,
                ppm_ceil_bounded(size, adverse.weight),
            )
        };
        Some(Self {
            net: linear.net,
            multiplier: terms.multiplier(concentration),
            lost,
            gained,
            uncut,
        })
    }
}

/// Sums over `N` scenarios, the whole set; the bounds are those of [`PeakSums`]. Places behind the
/// set's end stay zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FullSums<const N: usize> {
    pub common: Common,
    systemic: [i64; N],
    together: [i64; N],
}

/// What a row needs while it is added, both requirements side by side; kept apart so that it is not
/// cleared for every row.
#[derive(Debug)]
pub(crate) struct Work<const N: usize> {
    losses: [[i64; N]; 2],
    places: [[i64; 2]; PLACES],
}

impl<const N: usize> Work<N> {
    pub fn new() -> Self {
        Self {
            losses: [[0; N]; 2],
            places: [[0; 2]; PLACES],
        }
    }
}

/// The same for one requirement.
#[derive(Debug)]
pub(crate) struct Single<const N: usize> {
    losses: [i64; N],
    places: [[i64; 1]; PLACES],
}

impl<const N: usize> Single<N> {
    pub fn new() -> Self {
        Self {
            losses: [0; N],
            places: [[0]; PLACES],
        }
    }
}

/// The scenario set of one judgement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Set<'a> {
    pub moves: &'a Moves,
    pub peaks: &'a Peaks,
}

impl<const N: usize> FullSums<N> {
    pub fn new(shift: u32) -> Self {
        Self {
            common: Common {
                shift,
                ..Common::default()
            },
            systemic: [0; N],
            together: [0; N],
        }
    }

    /// Adds a row whose plain losses are in `work`, the greatest of them `plain`: they give the
    /// multiplier and are then charged.
    #[inline(never)]
    fn add<const R: usize>(
        &mut self,
        row: &mut Header,
        (linear, plain): (&Linear, u64),
        (terms, factor): (&RowTerms, u64),
        set: Set<'_>,
        losses: &mut [i64; N],
    ) {
        if terms.is_quiet {
            for loss in losses.iter_mut() {
                *loss = (*loss).min(0);
            }
        }
        let size = measure(row, linear, plain, terms.range, set.peaks);
        let multiplier = terms.multiplier(size);
        row[lane::NET[R]] = linear.net;
        row[lane::MULTIPLIER[R]] = multiplier as i64;
        let steepness = Steepness::new(multiplier, factor);
        // No long leg is charged more than its value, roundings included.
        let bounded = row[lane::OPTION_LEGS] == 0 && linear.net > 0;
        let most = if bounded { linear.net } else { MAX_JUDGED_LOSS };
        let deepest = terms.range.wrapping_mul(set.peaks.reach).min(ONE);
        let large = plain >= SMALL_LOSS || steepness.small(plain) as i64 > most;
        let (scan, worst) = if large || steepness.is_cut(deepest) || self.common.shift != 0 {
            charge_slowly(losses, &steepness, (terms.range, most), set.moves);
            self.add_losses::<false>(losses, &steepness, terms.b)
        } else {
            self.add_losses::<true>(losses, &steepness, terms.b)
        };
        self.common.close::<R>(row, scan, worst, terms);
    }

    /// Adds losses to the sums, charged here when `CHARGE`; the greatest of them and its number.
    #[inline]
    fn add_losses<const CHARGE: bool>(
        &mut self,
        losses: &[i64; N],
        steepness: &Steepness,
        b: i64,
    ) -> (u64, i64) {
        let (mut most, mut least, mut worst) = (0i64, 0i64, 0usize);
        let shift = if CHARGE { 0 } else { self.common.shift };
        let (losses, _) = losses.as_chunks::<UNROLLED>();
        let (systemic, _) = self.systemic.as_chunks_mut::<UNROLLED>();
        let (together, _) = self.together.as_chunks_mut::<UNROLLED>();
        let mut first = 0;
        for ((losses, systemic), together) in losses.iter().zip(systemic).zip(together) {
            for lane in 0..UNROLLED {
                let mut loss = losses[lane];
                if loss > 0 {
                    if CHARGE {
                        loss = steepness.small(loss as u64) as i64;
                    }
                    if loss > most {
                        most = loss;
                        worst = first + lane;
                    }
                } else if loss < least {
                    least = loss;
                }
                systemic[lane] = systemic[lane].wrapping_add(loss);
                let shared = b.wrapping_mul(shifted(loss, shift));
                together[lane] = together[lane].wrapping_add(shared);
            }
            first += UNROLLED;
        }
        self.common.bits |= (most | least.wrapping_neg()) as u64;
        (most.unsigned_abs(), worst as i64 + 1)
    }

    pub fn finish(&self, gross_min: Ppm) -> Parts {
        let (mut systemic, mut together) = (0i64, 0i64);
        let (plain, _) = self.systemic.as_chunks::<UNROLLED>();
        let (correlated, _) = self.together.as_chunks::<UNROLLED>();
        for (plain, correlated) in plain.iter().zip(correlated) {
            for lane in 0..UNROLLED {
                systemic = systemic.max(plain[lane]);
                together = together.max(correlated[lane]);
            }
        }
        self.common.rule(systemic, together, gross_min)
    }
}

/// Scenarios of one turn of the loops, a divisor of 16 and of 24.
const UNROLLED: usize = 4;

/// Adds a row to the sums of the requirements asked for; `options` are its options' losses per
/// scenario, `factor` is Initial's.
#[inline(never)]
pub(crate) fn add_row<const M: bool, const I: bool, const N: usize>(
    [maintenance, initial]: &mut [FullSums<N>; 2],
    (row, options): (&mut Header, &[i64; N]),
    (terms, factor): (&RowTerms, u64),
    set: Set<'_>,
    work: &mut Work<N>,
) {
    let linears = [
        Linear::of::<MAINTENANCE>(row, terms.range),
        Linear::of::<INITIAL>(row, terms.range),
    ];
    if M {
        linears[0].losses::<MAINTENANCE, 2>(set.moves, &mut work.places);
    }
    if I {
        linears[1].losses::<INITIAL, 2>(set.moves, &mut work.places);
    }
    let mut plain = plain_losses::<M, I, N>(options, set.moves, work);
    // Losses are within 2^57 unless there are many lots (2^23 times 2^31) or a huge net.
    let nets = linears[0].net.unsigned_abs() | linears[1].net.unsigned_abs();
    if row[lane::OPTION_LOTS] >> 23 != 0 || nets >> 54 != 0 {
        plain = plain.map(|loss| loss.min(MAX_JUDGED_LOSS as u64));
        bound(&mut work.losses);
    }
    let [first, second] = &mut work.losses;
    if M {
        let found = (&linears[0], plain[0]);
        maintenance.add::<MAINTENANCE>(row, found, (terms, ONE), set, first);
    }
    if I {
        let found = (&linears[1], plain[1]);
        initial.add::<INITIAL>(row, found, (terms, factor), set, second);
    }
}

/// The same for Maintenance alone.
#[inline(never)]
pub(crate) fn add_maintenance<const N: usize>(
    sums: &mut FullSums<N>,
    (row, options): (&mut Header, &[i64; N]),
    terms: &RowTerms,
    set: Set<'_>,
    work: &mut Single<N>,
) {
    let linear = Linear::of::<MAINTENANCE>(row, terms.range);
    linear.losses::<MAINTENANCE, 1>(set.moves, &mut work.places);
    let mut greatest = 0i64;
    let filled = work.losses.iter_mut().zip(options).zip(&set.moves.place);
    for ((to, option), place) in filled {
        let moved = work.places[usize::from(*place) & (PLACES - 1)][0];
        let loss = option.wrapping_add(moved);
        *to = loss;
        greatest = greatest.max(loss);
    }
    if row[lane::OPTION_LOTS] >> 23 != 0 || linear.net.unsigned_abs() >> 54 != 0 {
        greatest = greatest.min(MAX_JUDGED_LOSS);
        for loss in &mut work.losses {
            *loss = (*loss).clamp(-MAX_JUDGED_LOSS, MAX_JUDGED_LOSS);
        }
    }
    let found = (&linear, greatest.unsigned_abs());
    sums.add::<MAINTENANCE>(row, found, (terms, ONE), set, &mut work.losses);
}

#[inline(never)]
fn bound<const N: usize>(losses: &mut [[i64; N]; 2]) {
    for loss in losses.as_flattened_mut() {
        *loss = (*loss).clamp(-MAX_JUDGED_LOSS, MAX_JUDGED_LOSS);
    }
}

/// A row's losses without multiplier and factor, of the requirements asked for; returns the greatest
/// of each, zero at least.
#[inline]
fn plain_losses<const M: bool, const I: bool, const N: usize>(
    options: &[i64; N],
    moves: &Moves,
    work: &mut Work<N>,
) -> [u64; 2] {
    let mut greatest = [0i64; 2];
    let [first, second] = &mut work.losses;
    let (options, _) = options.as_chunks::<UNROLLED>();
    let (places, _) = moves.place.as_chunks::<UNROLLED>();
    let (first, _) = first.as_chunks_mut::<UNROLLED>();
    let (second, _) = second.as_chunks_mut::<UNROLLED>();
    for (((options, places), first), second) in options.iter().zip(places).zip(first).zip(second) {
        for lane in 0..UNROLLED {
            let linear = &work.places[usize::from(places[lane]) & (PLACES - 1)];
            if M {
                let loss = options[lane].wrapping_add(linear[0]);
                first[lane] = loss;
                greatest[0] = greatest[0].max(loss);
            }
            if I {
                let loss = options[lane].wrapping_add(linear[1]);
                second[lane] = loss;
                greatest[1] = greatest[1].max(loss);
            }
        }
    }
    greatest.map(i64::unsigned_abs)
}

/// D* of 3.3: of linear legs alone their size, else by the scan.
#[inline]
fn measure(row: &Header, linear: &Linear, plain: u64, range: u64, peaks: &Peaks) -> u64 {
    let adverse = if linear.net > 0 {
        &peaks.down
    } else {
        &peaks.up
    };
    if row[lane::OPTION_LEGS] == 0 && !(linear.net > 0 && adverse.is_clipped(range)) {
        linear_concentration(linear.net.unsigned_abs(), adverse)
    } else {
        concentration(plain, range)
    }
}

/// Charges losses that are large, or whose multiple is cut at `1 / |shock|` (5.2).
#[inline(never)]
fn charge_slowly(
    losses: &mut [i64],
    steepness: &Steepness,
    (range, most): (u64, i64),
    moves: &Moves,
) {
    for (index, loss) in losses.iter_mut().enumerate() {
        if *loss <= 0 {
            continue;
        }
        let plain = loss.unsigned_abs();
        let charged = match moves.of_scenario(index) {
            Some(by) if moves.falls >> index & 1 != 0 => steepness.cut(plain, range, by),
            _ => steepness.of(plain),
        };
        *loss = (charged as i64).min(most);
    }
}

/// `own * scan^2` in two words, own at most 1e6. Within 2^20 * 2^96.
#[inline]
fn own_risk(scan: u64, own: u64) -> (u64, u64) {
    if scan >> 44 == 0 {
        return wide_mul(own.wrapping_mul(scan), scan);
    }
    let square = u128::from(scan).wrapping_mul(u128::from(scan));
    let risk = u128::from(own).wrapping_mul(square);
    ((risk >> 64) as u64, risk as u64)
}

/// A loss shifted right, towards plus infinity.
#[inline]
fn shifted(loss: i64, shift: u32) -> i64 {
    if shift == 0 {
        return loss;
    }
    loss.wrapping_add((1 << shift) - 1) >> shift
}
