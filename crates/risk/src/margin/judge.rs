//! Every row once for the requirements asked for, and what equity takes from it (margin-spec 2.6, 4.3).

use crate::book::{AssetTerms, Book, GroupTerms};
use crate::limits::MAX_SCENARIOS;
use crate::margin::moves::{Moves, Peaks};
use crate::margin::row::{ONE, RowTerms, bounded_factor, over_distance, short_option_floor};
use crate::margin::scan::{FullSums, INITIAL, MAINTENANCE, PeakSums, Set, Work, add_row};
use crate::margin::scratch::{Header, Rows, lane};
use crate::margin::stream::Totals;
use crate::margin::{Gains, InitialTerms, Parts, Stance};
use crate::num::rate_floor;
use crate::price::{Tier, stale_bounds};
use crate::units::{Atoms, Frac40, Ppm};

/// What the rows amount to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Judged {
    pub maintenance: Parts,
    pub initial: Parts,
    /// What doubtful prices move E_M by.
    pub maintenance_moved: i64,
    /// Results per asset, weighted; their cap is not applied.
    pub positive: i64,
    pub negative: i64,
    /// What Initial values below the mark (4.3), and what doubtful prices take besides.
    pub distance: i64,
    /// Assets with a row that a balance or a size made, as bits.
    pub exposed: u32,
    /// Whether one of them counted at another price than its mark (2.6).
    pub in_doubt: bool,
}

/// Judges the rows that [`crate::margin::stream::stream`] filled: by the two peaks where they decide,
/// else by every scenario; once more where losses are too large to be squared as they are (1.6).
pub(crate) fn judge<const M: bool, const I: bool, B: Book>(
    book: &B,
    terms: InitialTerms,
    totals: &Totals,
    rows: &mut Rows<'_>,
) -> Judged {
    let group = book.group();
    let count = totals.rows;
    let peaks = Peaks::of(&group.extremes);
    if !totals.options {
        let peaked = by_peaks::<M, I, B>(book, &group, terms, (rows, count), &peaks, [0; 2]);
        match peaked {
            Some((judged, [0, 0])) => return judged,
            Some((_, shifts)) => {
                let again = by_peaks::<M, I, B>(book, &group, terms, (rows, count), &peaks, shifts);
                return again.map(|(judged, _)| judged).unwrap_or_default();
            }
            // What decides one requirement must not depend on the other being asked for.
            None if M && I => return apart(book, terms, totals, rows),
            None => (),
        }
    }
    let mut made = None;
    let moves = Moves::chosen(book.scenarios(), &mut made);
    let set = Set {
        moves,
        peaks: &peaks,
    };
    // The standard set has sixteen scenarios, whose loops unroll.
    let pass = if moves.scenarios == 16 {
        by_all::<M, I, 16, B>
    } else {
        by_all::<M, I, MAX_SCENARIOS, B>
    };
    match pass(book, &group, terms, (rows, count), set, [0; 2]) {
        (judged, [0, 0]) => judged,
        (_, shifts) => pass(book, &group, terms, (rows, count), set, shifts).0,
    }
}

/// Each requirement by itself.
#[inline(never)]
fn apart<B: Book>(book: &B, terms: InitialTerms, totals: &Totals, rows: &mut Rows<'_>) -> Judged {
    let maintenance = judge::<true, false, B>(book, terms, totals, rows);
    let initial = judge::<false, true, B>(book, terms, totals, rows);
    Judged {
        maintenance: maintenance.maintenance,
        maintenance_moved: maintenance.maintenance_moved,
        ..initial
    }
}

/// One pass by the two peaks; `None` where they do not decide. Returns the shifts that the losses ask
/// for.
fn by_peaks<const M: bool, const I: bool, B: Book>(
    book: &B,
    group: &GroupTerms,
    terms: InitialTerms,
    (rows, count): (&mut Rows<'_>, usize),
    peaks: &Peaks,
    shifts: [u32; 2],
) -> Option<(Judged, [u32; 2])> {
    let mut judged = Judged::default();
    let [mut maintenance, mut initial] = [PeakSums::default(); 2];
    maintenance.common.shift = shifts[MAINTENANCE];
    initial.common.shift = shifts[INITIAL];
    for row in rows.first(count) {
        let index = row[lane::ASSET] as u8;
        // Apart, so that only what is handed on by reference needs a place in memory.
        let asset = book.asset(index);
        let tier = doubted(book, terms.stance, index);
        let rates = RowTerms::in_tier(&asset, terms.stance, tier);
        judged.expose(row);
        let factor = bounded_factor(terms.factor.unwrap_or(asset.init_factor));
        let decided = match (M, I) {
            (true, true) if row[lane::SPOT[MAINTENANCE]] == row[lane::SPOT[INITIAL]] => {
                let sums = [&mut maintenance, &mut initial];
                PeakSums::add_both(sums, row, (&rates, factor), peaks)
            }
            (true, true) => {
                maintenance.add::<MAINTENANCE>(row, &rates, ONE, peaks)
                    && initial.add::<INITIAL>(row, &rates, factor, peaks)
            }
            (true, false) => maintenance.add::<MAINTENANCE>(row, &rates, ONE, peaks),
            (false, _) => !I || initial.add::<INITIAL>(row, &rates, factor, peaks),
        };
        if !decided {
            return None;
        }
        if I {
            judged.count_result(row[lane::RESULT], group.upnl_weight, terms.gains);
            // Without options a row moves like what it holds.
            let net = row[lane::NET[INITIAL]];
            judged.count_distance(net, net.unsigned_abs(), (asset.down, asset.up));
        }
        if tier != Tier::Ok {
            judged.count_doubt::<M, I, B>(book, (index, tier), terms.stance, row);
        }
    }
    let mut needed = [0; 2];
    if M {
        judged.maintenance = maintenance.finish(group.gross_min);
        needed[MAINTENANCE] = maintenance.common.shift_needed();
    }
    if I {
        judged.initial = initial.finish(group.gross_min);
        needed[INITIAL] = initial.common.shift_needed();
    }
    Some((judged, needed))
}

/// One pass by every scenario. Returns the shifts that the losses ask for.
fn by_all<const M: bool, const I: bool, const N: usize, B: Book>(
    book: &B,
    group: &GroupTerms,
    terms: InitialTerms,
    (rows, count): (&mut Rows<'_>, usize),
    set: Set<'_>,
    shifts: [u32; 2],
) -> (Judged, [u32; 2]) {
    let mut judged = Judged::default();
    let mut sums = shifts.map(FullSums::<N>::new);
    let mut work = Work::new();
    let mut options_held = OptionCharges::default();
    let (zeros, mut padded) = ([0; N], [0; N]);
    for number in 0..count {
        let Some((row, losses)) = rows.row(number) else {
            break;
        };
        let index = row[lane::ASSET] as u8;
        // Apart, so that only what is handed on by reference needs a place in memory.
        let asset = book.asset(index);
        let tier = doubted(book, terms.stance, index);
        let rates = RowTerms::in_tier(&asset, terms.stance, tier);
        let options = if row[lane::OPTION_LEGS] == 0 {
            &zeros
        } else if let Some(whole) = losses.first_chunk::<N>() {
            whole
        } else {
            for (to, from) in padded.iter_mut().zip(&*losses) {
                *to = *from;
            }
            &padded
        };
        judged.expose(row);
        let factor = bounded_factor(terms.factor.unwrap_or(asset.init_factor));
        let found = (&mut *row, options);
        add_row::<M, I, N>(&mut sums, found, (&rates, factor), set, &mut work);
        options_held.add(row, &asset);
        if I {
            judged.count_result(row[lane::RESULT], group.upnl_weight, terms.gains);
            let (delta, size) = exposure::<INITIAL>(row);
            judged.count_distance(delta, size, (asset.down, asset.up));
        }
        if tier != Tier::Ok {
            judged.count_doubt::<M, I, B>(book, (index, tier), terms.stance, row);
        }
    }
    let [maintenance, initial] = &sums;
    let mut needed = [0; 2];
    if M {
        judged.maintenance = options_held.on(maintenance.finish(group.gross_min));
        needed[MAINTENANCE] = maintenance.common.shift_needed();
    }
    if I {
        judged.initial = options_held.on(initial.finish(group.gross_min));
        judged.initial.surcharge = Atoms(options_held.surcharge);
        needed[INITIAL] = initial.common.shift_needed();
    }
    (judged, needed)
}

/// What options add to both requirements, and to Initial.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OptionCharges {
    floor: i64,
    cushion: i64,
    surcharge: i64,
}

impl OptionCharges {
    /// Sums over 32 rows: a floor is within 2^57, lots within 128 * 2^37, a surcharge 128 * 2^54.
    #[inline]
    pub fn add(&mut self, row: &Header, terms: &AssetTerms) {
        if row[lane::OPTION_LEGS] == 0 {
            return;
        }
        let floor = short_option_floor(row, terms.lot_price, terms.short_option_min);
        self.floor = self.floor.wrapping_add(floor);
        self.cushion = self.cushion.wrapping_add(row[lane::OPTION_LOTS]);
        self.surcharge = self.surcharge.wrapping_add(row[lane::SURCHARGE]);
    }

    pub fn on(&self, parts: Parts) -> Parts {
        Parts {
            floor: Atoms(self.floor),
            cushion: Atoms(self.cushion),
            ..parts
        }
    }
}

/// The tier of an asset where a stance asks for it, else `Ok`.
#[inline]
pub(crate) fn doubted<B: Book>(book: &B, stance: Stance, index: u8) -> Tier {
    match stance {
        Stance::Plain => Tier::Ok,
        _ => book.tier(index),
    }
}

impl Judged {
    #[inline(always)]
    fn expose(&mut self, row: &Header) {
        self.exposed |= (row[lane::HELD] as u32) << (row[lane::ASSET] & 31);
    }

    /// What doubtful prices move both equities by.
    #[inline(never)]
    fn count_doubt<const M: bool, const I: bool, B: Book>(
        &mut self,
        book: &B,
        asset: (u8, Tier),
        stance: Stance,
        row: &Header,
    ) {
        self.in_doubt = true;
        if M {
            let moved = doubt::<MAINTENANCE, B>(book, asset, stance, row);
            self.maintenance_moved = self.maintenance_moved.saturating_add(moved);
        }
        if I {
            let moved = doubt::<INITIAL, B>(book, asset, stance, row);
            self.distance = self.distance.saturating_sub(moved);
        }
    }

    /// A row's result in E_I, a gain weighted (4.3).
    #[inline]
    fn count_result(&mut self, result: i64, upnl_weight: Ppm, gains: Gains) {
        if result < 0 {
            self.negative = self.negative.wrapping_add(result);
        } else if gains == Gains::Counted {
            let weight = u64::from(upnl_weight.0).min(ONE);
            // Within 2^62.7 and a weight of at most one: no overflow.
            let counted = rate_floor(result as u64, weight);
            self.positive = self.positive.wrapping_add(counted as i64);
        }
    }

    /// A row's legs at the worse of band and stable price, one net delta times one distance, ceil
    /// (4.3).
    #[inline]
    fn count_distance(&mut self, delta: i64, size: u64, (down, up): (Frac40, Frac40)) {
        let share = if delta > 0 { down } else { up };
        self.distance = self.distance.wrapping_add(over_distance(size, share));
    }
}

/// What a row moves like, as a value of the asset, and its magnitude: larger by what the floors of
/// its options' deltas may have cut off.
#[inline]
fn exposure<const R: usize>(row: &Header) -> (i64, u64) {
    let delta = row[lane::NET[R]].wrapping_add(row[lane::DELTA]);
    let cut_off = row[lane::OPTION_LEGS].wrapping_mul(2);
    (
        delta,
        delta.unsigned_abs().wrapping_add(cut_off.unsigned_abs()),
    )
}

/// What an equity moves by where the price is in doubt (2.6). Initial has counted the worse of band and
/// stable price already (4.3): against the account the worst of all counts, once.
pub(crate) fn doubt<const R: usize, B: Book>(
    book: &B,
    (index, tier): (u8, Tier),
    stance: Stance,
    row: &Header,
) -> i64 {
    let (delta, size) = exposure::<R>(row);
    let quality = book.quality(index);
    let (stale_down, stale_up) = stale_bounds(quality.bound_down, quality.bound_up);
    let long = delta > 0;
    let pick = |down: Frac40, up: Frac40| if long { down } else { up };
    match (stance, tier) {
        (Stance::Plain, _) | (_, Tier::Ok) | (Stance::InFavour, Tier::Wide) => 0,
        (Stance::Against, tier) => {
            let share = match tier {
                Tier::Stale | Tier::Invalid => pick(Frac40::ONE, stale_up),
                _ => pick(quality.bound_down, quality.bound_up),
            };
            let counted = match R {
                INITIAL => {
                    let terms = book.asset(index);
                    pick(terms.down, terms.up)
                }
                _ => Frac40(0),
            };
            let all = over_distance(size, share.max(counted));
            over_distance(size, counted).saturating_sub(all)
        }
        (Stance::InFavour, Tier::Diverged) => {
            over_distance(size, pick(quality.bound_up, quality.bound_down))
        }
        (Stance::InFavour, _) => over_distance(size, pick(stale_up, stale_down)),
    }
}
