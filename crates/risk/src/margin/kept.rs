//! Maintenance with single legs replaced, from sums that are kept (architecture 2): what a search for
//! a size asks for again and again.

use crate::book::{
    Amended, AssetTerms, BalanceLeg, Book, InstrumentTerms, Legs, PositionLeg, QUOTE_ASSET,
    QUOTE_RATE, SPAN_16,
};
use crate::margin::judge::{OptionCharges, doubt, doubted};
use crate::margin::moves::{Moves, Peaks};
use crate::margin::row::ONE;
use crate::margin::row::RowTerms;
use crate::margin::scan::{FullSums, MAINTENANCE, PeakSums, Set, Single, add_maintenance};
use crate::margin::scratch::{HEADER, Header, Scratch, lane};
use crate::margin::stream::{Totals, put_balance, put_position, stream};
use crate::margin::{Health, InitialTerms, Stance, assess};
use crate::price::Tier;
use crate::units::{Atoms, Shares};

/// Scenarios of the standard set; of another one no sums are kept where options are held.
const KEPT: usize = 16;
/// Slots of one kind that may be replaced together.
pub const MAX_REPLACED: usize = 2;
/// Assets that these may be of.
const OPEN: usize = 2 * MAX_REPLACED;

/// Legs by slot: positions, and balances.
pub type Slotted<'s> = (&'s [(usize, PositionLeg)], &'s [(usize, BalanceLeg)]);

/// An asset whose legs are replaced: the number of its row without them in the scratch, if it has one.
#[derive(Clone, Copy, Debug)]
struct OpenRow {
    index: u8,
    number: Option<usize>,
}

/// An asset while its row is judged.
struct Judging {
    terms: AssetTerms,
    row: RowTerms,
    tier: Tier,
}

impl Judging {
    #[inline]
    fn of<B: Book>(book: &B, stance: Stance, index: u8) -> Self {
        let (terms, tier) = (book.asset(index), doubted(book, stance, index));
        Self {
            terms,
            row: RowTerms::in_tier(&terms, stance, tier),
            tier,
        }
    }
}

/// A copy of such a row, with the tried legs in it.
struct TriedRow {
    header: Header,
    losses: [i64; KEPT],
}

/// Which of the sums are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Peaks,
    Full,
    /// Another scenario set, or peaks that do not decide: every try is judged anew.
    Anew,
}

/// An account's Maintenance, kept so that some of its slots can be tried with other legs. The rows stay
/// in the scratch that it was made with: nothing else may be judged there until the last try.
///
/// [`Kept::try_legs`] finds what [`super::maintenance`] finds of the account so changed, to the atom:
/// sums of integers do not depend on their order. Where the sums do not hold it judges anew.
#[derive(Debug)]
pub struct Kept<'a, B, L> {
    base: Base<'a, B, L>,
    mode: Mode,
    by_peaks: PeakSums,
    by_all: FullSums<KEPT>,
    charges: OptionCharges,
    work: Single<KEPT>,
}

/// What every try begins with.
#[derive(Debug)]
struct Base<'a, B, L> {
    book: &'a B,
    legs: &'a L,
    stance: Stance,
    totals: Totals,
    moved: i64,
    open: [Option<OpenRow>; OPEN],
    terms: [Option<InstrumentTerms>; MAX_REPLACED],
    peaks: Peaks,
    scenarios: usize,
}

impl<'a, B: Book, L: Legs> Kept<'a, B, L> {
    /// Judges everything but the named slots, at most two of a kind. The legs given tell the
    /// instruments and banks that will be tried there; their sizes do not matter.
    #[must_use]
    #[inline(never)]
    pub fn new(
        book: &'a B,
        legs: &'a L,
        stance: Stance,
        (positions, balances): Slotted<'_>,
        scratch: &mut Scratch<'_>,
    ) -> Self {
        let emptied = Emptied::of(positions, balances);
        let others = emptied.amend(legs);
        let scenarios = book.scenario_count();
        let totals = stream::<true, false, B, _>(book, &others, &mut scratch.rows(scenarios));
        let mut terms = [None; MAX_REPLACED];
        for (terms, (_, leg)) in terms.iter_mut().zip(positions) {
            *terms = Some(book.instrument(leg.instrument));
        }
        let fits = positions.len().max(balances.len()) <= MAX_REPLACED;
        let options =
            totals.options || (terms.iter().flatten()).any(|terms| terms.kind.is_option());
        let mut kept = Self {
            base: Base {
                book,
                legs,
                stance,
                totals,
                moved: 0,
                open: [None; OPEN],
                terms,
                peaks: Peaks::of(&book.group().extremes),
                scenarios,
            },
            mode: if !fits {
                Mode::Anew
            } else if !options {
                Mode::Peaks
            } else if book.scenarios() == SPAN_16 {
                Mode::Full
            } else {
                Mode::Anew
            },
            by_peaks: PeakSums::default(),
            by_all: FullSums::new(0),
            charges: OptionCharges::default(),
            work: Single::new(),
        };
        kept.base.open_rows(balances);
        kept.add_rows(scratch);
        kept
    }

    /// Sums the rows, but for the open ones, which stay in the scratch as they are.
    fn add_rows(&mut self, scratch: &mut Scratch<'_>) {
        let mut rows = scratch.rows(self.base.scenarios);
        for number in 0..self.base.totals.rows {
            let Some((row, losses)) = rows.row(number) else {
                return;
            };
            let index = row[lane::ASSET] as u8;
            if self.base.keeps_open(index, number) {
                continue;
            }
            self.add_row(row, losses.first_chunk::<KEPT>(), index);
        }
    }

    #[inline(never)]
    fn add_row(&mut self, row: &mut Header, losses: Option<&[i64; KEPT]>, index: u8) {
        const NONE: [i64; KEPT] = [0; KEPT];
        let asset = Judging::of(self.base.book, self.base.stance, index);
        match (self.mode, losses) {
            (Mode::Peaks, _) => {
                let sums = &mut self.by_peaks;
                if !sums.add::<MAINTENANCE>(row, &asset.row, ONE, &self.base.peaks) {
                    self.mode = Mode::Anew;
                }
            }
            (Mode::Full, Some(losses)) => {
                let set = Set {
                    moves: Moves::standard(),
                    peaks: &self.base.peaks,
                };
                let held = row[lane::OPTION_LEGS] != 0;
                let found = (&mut *row, if held { losses } else { &NONE });
                add_maintenance(&mut self.by_all, found, &asset.row, set, &mut self.work);
                self.charges.add(row, &asset.terms);
            }
            _ => self.mode = Mode::Anew,
        }
        if asset.tier != Tier::Ok {
            let moved =
                doubt::<MAINTENANCE, B>(self.base.book, (index, asset.tier), self.base.stance, row);
            self.base.moved = self.base.moved.saturating_add(moved);
        }
    }

    /// Maintenance with these legs in the named slots; a slot without one stays empty.
    pub fn try_legs(&mut self, tried: Slotted<'_>, scratch: &mut Scratch<'_>) -> Health {
        let options = (tried.0.iter().zip(self.base.terms.iter().flatten()))
            .any(|((_, leg), terms)| terms.kind.is_option() && leg.size.0 != 0);
        // The engine looks at every scenario exactly where an option is held.
        let holds = self.base.totals.options || options;
        let found = match self.mode {
            Mode::Peaks if !holds => self.try_by_peaks(&tried, scratch),
            Mode::Full if holds => self.try_by_all(&tried, scratch),
            _ => None,
        };
        if let Some(health) = found {
            return health;
        }
        // Judging anew writes over the rows that are kept.
        self.mode = Mode::Anew;
        self.anew(tried, scratch)
    }

    #[inline(never)]
    fn try_by_peaks(&self, tried: &Slotted<'_>, scratch: &mut Scratch<'_>) -> Option<Health> {
        let mut sums = self.by_peaks;
        let base = &self.base;
        let equity = base.place(tried, scratch, |row, asset| {
            sums.add::<MAINTENANCE>(&mut row.header, &asset.row, ONE, &base.peaks)
        })?;
        let parts = sums.finish(base.book.group().gross_min);
        (sums.common.shift_needed() == 0).then_some(Health {
            equity,
            requirement: parts.total(),
        })
    }

    #[inline(never)]
    fn try_by_all(&mut self, tried: &Slotted<'_>, scratch: &mut Scratch<'_>) -> Option<Health> {
        let (mut sums, mut charges) = (self.by_all, self.charges);
        let Self { base, work, .. } = self;
        let set = Set {
            moves: Moves::standard(),
            peaks: &base.peaks,
        };
        let equity = base.place(tried, scratch, |row, asset| {
            let found = (&mut row.header, &row.losses);
            add_maintenance(&mut sums, found, &asset.row, set, work);
            charges.add(&row.header, &asset.terms);
            true
        })?;
        let parts = charges.on(sums.finish(base.book.group().gross_min));
        (sums.common.shift_needed() == 0).then_some(Health {
            equity,
            requirement: parts.total(),
        })
    }

    fn anew(&self, (positions, balances): Slotted<'_>, scratch: &mut Scratch<'_>) -> Health {
        let terms = InitialTerms {
            stance: self.base.stance,
            ..InitialTerms::COUNTED
        };
        let legs = Amended {
            base: self.base.legs,
            balances,
            positions,
        };
        assess::<true, false, B, _>(self.base.book, &legs, terms, scratch).maintenance
    }
}

impl<B: Book, L: Legs> Base<'_, B, L> {
    /// An empty row for each asset besides the quote that a replaced leg is of.
    fn open_rows(&mut self, balances: &[(usize, BalanceLeg)]) {
        let positions = self.terms;
        let positions = positions.iter().flatten().map(|terms| terms.asset);
        let book = self.book;
        let balances = balances.iter().map(|(_, leg)| book.rate(leg.rate).asset);
        for index in positions.chain(balances) {
            let known = self.open.iter().flatten().any(|row| row.index == index);
            if known || index == QUOTE_ASSET {
                continue;
            }
            if let Some(free) = self.open.iter_mut().find(|row| row.is_none()) {
                *free = Some(OpenRow {
                    index,
                    number: None,
                });
            }
        }
    }

    /// Notes which row an open asset has.
    fn keeps_open(&mut self, index: u8, number: usize) -> bool {
        for open in self.open.iter_mut().flatten() {
            if open.index == index {
                open.number = Some(number);
                return true;
            }
        }
        false
    }

    /// Puts the tried legs into copies of the open rows and hands each to `add`; returns the equity.
    /// `None` where `add` says no, or a leg is of no open row.
    fn place(
        &self,
        tried: &Slotted<'_>,
        scratch: &mut Scratch<'_>,
        mut add: impl FnMut(&mut TriedRow, &Judging) -> bool,
    ) -> Option<Atoms> {
        let (mut totals, mut moved) = (self.totals, self.moved);
        let mut placed = self.put_quote(tried, &mut totals);
        for open in self.open.iter().flatten() {
            let mut row = self.copied(open, scratch)?;
            placed += self.put(tried, open.index, &mut row, &mut totals);
            let asset = Judging::of(self.book, self.stance, open.index);
            if !add(&mut row, &asset) {
                return None;
            }
            if asset.tier != Tier::Ok {
                let by = doubt::<MAINTENANCE, B>(
                    self.book,
                    (open.index, asset.tier),
                    self.stance,
                    &row.header,
                );
                moved = moved.saturating_add(by);
            }
        }
        let all = placed == tried.0.len() + tried.1.len();
        all.then_some(Atoms(totals.maintenance.saturating_add(moved)))
    }

    /// An open row as it is without its legs; the losses of a row without options are not read.
    #[inline]
    fn copied(&self, open: &OpenRow, scratch: &mut Scratch<'_>) -> Option<TriedRow> {
        let Some(number) = open.number else {
            let mut header = [0; HEADER];
            header[lane::ASSET] = i64::from(open.index);
            return Some(TriedRow {
                header,
                losses: [0; KEPT],
            });
        };
        let mut rows = scratch.rows(self.scenarios);
        let (header, losses) = rows.row(number)?;
        let losses = if header[lane::OPTION_LEGS] != 0 {
            *losses.first_chunk::<KEPT>()?
        } else {
            [0; KEPT]
        };
        Some(TriedRow {
            header: *header,
            losses,
        })
    }

    /// The tried legs of an asset into a copy of its row; how many they are.
    fn put(
        &self,
        tried: &Slotted<'_>,
        index: u8,
        row: &mut TriedRow,
        totals: &mut Totals,
    ) -> usize {
        let mut placed = 0;
        for ((_, leg), terms) in tried.0.iter().zip(self.terms.iter().flatten()) {
            if terms.asset == index {
                let into = (&mut row.header, &mut row.losses[..]);
                put_position(self.book, leg, terms, totals, into);
                placed += 1;
            }
        }
        for (_, leg) in tried.1 {
            if leg.rate != QUOTE_RATE && self.book.rate(leg.rate).asset == index {
                put_balance(self.book, leg, totals, Some(&mut row.header));
                placed += 1;
            }
        }
        placed
    }

    fn put_quote(&self, tried: &Slotted<'_>, totals: &mut Totals) -> usize {
        let mut placed = 0;
        for (_, leg) in tried.1 {
            if leg.rate == QUOTE_RATE {
                put_balance(self.book, leg, totals, None);
                placed += 1;
            }
        }
        placed
    }
}

/// The slots with nothing in them, as an overlay wants them.
struct Emptied {
    positions: [(usize, PositionLeg); MAX_REPLACED],
    balances: [(usize, BalanceLeg); MAX_REPLACED],
    used: (usize, usize),
}

impl Emptied {
    fn of(positions: &[(usize, PositionLeg)], balances: &[(usize, BalanceLeg)]) -> Self {
        const NONE: BalanceLeg = BalanceLeg {
            rate: QUOTE_RATE,
            shares: Shares(0),
        };
        let mut emptied = Self {
            positions: [(0, PositionLeg::EMPTY); MAX_REPLACED],
            balances: [(0, NONE); MAX_REPLACED],
            used: (
                positions.len().min(MAX_REPLACED),
                balances.len().min(MAX_REPLACED),
            ),
        };
        for (to, (slot, leg)) in emptied.positions.iter_mut().zip(positions) {
            *to = (
                *slot,
                PositionLeg {
                    instrument: leg.instrument,
                    ..PositionLeg::EMPTY
                },
            );
        }
        for (to, (slot, leg)) in emptied.balances.iter_mut().zip(balances) {
            *to = (
                *slot,
                BalanceLeg {
                    rate: leg.rate,
                    ..NONE
                },
            );
        }
        emptied
    }

    fn amend<'a, L: Legs>(&'a self, legs: &'a L) -> Amended<'a, &'a L> {
        Amended {
            base: legs,
            positions: self.positions.get(..self.used.0).unwrap_or_default(),
            balances: self.balances.get(..self.used.1).unwrap_or_default(),
        }
    }
}
