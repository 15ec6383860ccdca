//! Maintenance with single legs replaced, from sums that are kept (architecture 2): what a search for
//! a size asks for again and again.

use crate::book::{
    Amended, BalanceLeg, Book, InstrumentTerms, Legs, PositionLeg, QUOTE_ASSET, QUOTE_RATE,
};
use crate::margin::judge::{Judging, OptionCharges, doubt};
use crate::margin::moves::{Moves, Peaks};
use crate::margin::row::ONE;
use crate::margin::scan::{FullSums, MAINTENANCE, PeakSums, Set, Work, add_maintenance};
use crate::margin::scratch::{HEADER, Header, Scratch, lane, stride};
use crate::margin::stream::{Totals, put_balance, put_position, stream};
use crate::margin::{Health, InitialTerms, Stance, assess};
use crate::units::{Atoms, Shares};

/// Scenarios of the standard set; of another set no sums are kept.
const KEPT: usize = 16;
/// Slots of one kind that may be replaced together.
pub const MAX_REPLACED: usize = 2;
/// Assets that these may be of.
const OPEN: usize = 2 * MAX_REPLACED;

/// Legs by slot: positions, and balances.
pub type Slotted<'s> = (&'s [(usize, PositionLeg)], &'s [(usize, BalanceLeg)]);

/// An asset whose legs are replaced: its row without them.
#[derive(Clone, Copy, Debug)]
struct OpenRow {
    index: u8,
    asset: Judging,
    header: Header,
    losses: [i64; KEPT],
}

/// What the other rows come to.
#[derive(Clone, Copy, Debug)]
enum Sums {
    Peaks(PeakSums),
    Full(FullSums<KEPT>, OptionCharges),
    /// Another scenario set, or peaks that do not decide: every try is judged anew.
    None,
}

/// An account's Maintenance, kept so that some of its slots can be tried with other legs.
///
/// [`Kept::try_legs`] finds what [`super::maintenance`] finds of the account so changed, to the atom:
/// sums of integers do not depend on their order. Where the sums do not hold it judges anew.
#[derive(Debug)]
pub struct Kept<'a, B, L> {
    book: &'a B,
    legs: &'a L,
    stance: Stance,
    totals: Totals,
    moved: i64,
    sums: Sums,
    open: [Option<OpenRow>; OPEN],
    terms: [Option<InstrumentTerms>; MAX_REPLACED],
    peaks: Peaks,
    moves: Moves,
    work: Work<KEPT>,
}

impl<'a, B: Book, L: Legs> Kept<'a, B, L> {
    /// Judges everything but the named slots, at most two of a kind. The legs given tell the
    /// instruments and banks that will be tried there; their sizes do not matter.
    #[must_use]
    pub fn new(
        book: &'a B,
        legs: &'a L,
        stance: Stance,
        (positions, balances): Slotted<'_>,
        scratch: &mut Scratch<'_>,
    ) -> Self {
        let emptied = Emptied::of(positions, balances);
        let others = emptied.amend(legs);
        let stride = stride(book.scenarios().len());
        let totals = stream::<true, false, B, _>(book, &others, scratch, stride);
        let mut terms = [None; MAX_REPLACED];
        for (terms, (_, leg)) in terms.iter_mut().zip(positions) {
            *terms = Some(book.instrument(leg.instrument));
        }
        let fits = positions.len().max(balances.len()) <= MAX_REPLACED;
        let options =
            totals.options || (terms.iter().flatten()).any(|terms| terms.kind.is_option());
        let mut kept = Self {
            book,
            legs,
            stance,
            totals,
            moved: 0,
            sums: match (options, book.scenarios().len()) {
                _ if !fits => Sums::None,
                (true, KEPT) => Sums::Full(FullSums::new(0), OptionCharges::default()),
                (true, _) => Sums::None,
                (false, _) => Sums::Peaks(PeakSums::default()),
            },
            open: [None; OPEN],
            terms,
            peaks: Peaks::of(&book.group().extremes),
            moves: Moves::of(book.scenarios()),
            work: Work::new(),
        };
        kept.open_rows(balances);
        kept.add_rows(stride, scratch);
        kept
    }

    /// An empty row for each asset besides the quote that a replaced leg is of.
    fn open_rows(&mut self, balances: &[(usize, BalanceLeg)]) {
        let positions = self.terms;
        let positions = positions.iter().flatten().map(|terms| terms.asset);
        let (book, stance) = (self.book, self.stance);
        let balances = balances.iter().map(|(_, leg)| book.rate(leg.rate).asset);
        for index in positions.chain(balances) {
            let known = self.open.iter().flatten().any(|row| row.index == index);
            if known || index == QUOTE_ASSET {
                continue;
            }
            if let Some(free) = self.open.iter_mut().find(|row| row.is_none()) {
                let mut header = [0; HEADER];
                header[lane::ASSET] = i64::from(index);
                *free = Some(OpenRow {
                    index,
                    asset: Judging::of(book, stance, index),
                    header,
                    losses: [0; KEPT],
                });
            }
        }
    }

    /// Sums the rows, but for the open ones, which are taken over as they are.
    fn add_rows(&mut self, stride: usize, scratch: &mut Scratch<'_>) {
        for (row, losses) in scratch.each(self.totals.rows, stride) {
            let index = row[lane::ASSET] as u8;
            if let Some(open) = self
                .open
                .iter_mut()
                .flatten()
                .find(|open| open.index == index)
            {
                open.header = *row;
                if row[lane::OPTION_LEGS] != 0 {
                    for (to, from) in open.losses.iter_mut().zip(&*losses) {
                        *to = *from;
                    }
                }
                continue;
            }
            let asset = Judging::of(self.book, self.stance, index);
            let mut options = [0; KEPT];
            if row[lane::OPTION_LEGS] != 0 {
                for (to, from) in options.iter_mut().zip(&*losses) {
                    *to = *from;
                }
            }
            let set = (&self.moves, &self.peaks);
            if !self.sums.add(row, &options, &asset, set, &mut self.work) {
                self.sums = Sums::None;
            }
            if asset.tier != crate::price::Tier::Ok {
                let moved = doubt::<MAINTENANCE, B>(self.book, &asset, self.stance, row);
                self.moved = self.moved.saturating_add(moved);
            }
        }
    }

    /// Maintenance with these legs in the named slots; a slot without one stays empty.
    pub fn try_legs(&mut self, tried: Slotted<'_>, scratch: &mut Scratch<'_>) -> Health {
        match self.from_sums(tried) {
            Some(health) => health,
            None => self.anew(tried, scratch),
        }
    }

    fn from_sums(&mut self, tried: Slotted<'_>) -> Option<Health> {
        let mut totals = self.totals;
        let mut moved = self.moved;
        let mut sums = self.sums;
        let mut options = totals.options;
        for ((_, leg), terms) in tried.0.iter().zip(self.terms.iter().flatten()) {
            options |= terms.kind.is_option() && leg.size.0 != 0;
        }
        if options != matches!(sums, Sums::Full(..)) || matches!(sums, Sums::None) {
            return None;
        }

        let mut placed = 0usize;
        for place in 0..OPEN {
            let Some(mut row) = self.open[place] else {
                break;
            };
            placed += self.put(tried, &mut row, &mut totals);
            let set = (&self.moves, &self.peaks);
            if !sums.add(
                &mut row.header,
                &row.losses,
                &row.asset,
                set,
                &mut self.work,
            ) {
                return None;
            }
            if row.asset.tier != crate::price::Tier::Ok {
                let by = doubt::<MAINTENANCE, B>(self.book, &row.asset, self.stance, &row.header);
                moved = moved.saturating_add(by);
            }
        }
        placed += self.put_quote(tried, &mut totals);
        if placed != tried.0.len() + tried.1.len() {
            return None;
        }
        let requirement = sums.total(self.book)?;
        Some(Health {
            equity: Atoms(totals.maintenance.saturating_add(moved)),
            requirement,
        })
    }

    /// The tried legs of a row's asset into a copy of the row; how many they are.
    fn put(&self, tried: Slotted<'_>, row: &mut OpenRow, totals: &mut Totals) -> usize {
        let mut placed = 0;
        for ((_, leg), terms) in tried.0.iter().zip(self.terms.iter().flatten()) {
            if terms.asset == row.index {
                let into = (&mut row.header, &mut row.losses[..]);
                put_position(self.book, leg, terms, totals, into);
                placed += 1;
            }
        }
        for (_, leg) in tried.1 {
            if leg.rate != QUOTE_RATE && self.book.rate(leg.rate).asset == row.index {
                put_balance(self.book, leg, totals, Some(&mut row.header));
                placed += 1;
            }
        }
        placed
    }

    fn put_quote(&self, tried: Slotted<'_>, totals: &mut Totals) -> usize {
        let mut placed = 0;
        for (_, leg) in tried.1 {
            if leg.rate == QUOTE_RATE {
                put_balance(self.book, leg, totals, None);
                placed += 1;
            }
        }
        placed
    }

    fn anew(&self, (positions, balances): Slotted<'_>, scratch: &mut Scratch<'_>) -> Health {
        let terms = InitialTerms {
            stance: self.stance,
            ..InitialTerms::COUNTED
        };
        let legs = Amended {
            base: self.legs,
            balances,
            positions,
        };
        assess::<true, false, B, _>(self.book, &legs, terms, scratch).maintenance
    }
}

impl Sums {
    /// Adds a row; `false` where the peaks do not decide it.
    fn add(
        &mut self,
        row: &mut Header,
        losses: &[i64; KEPT],
        asset: &Judging,
        (moves, peaks): (&Moves, &Peaks),
        work: &mut Work<KEPT>,
    ) -> bool {
        match self {
            Self::Peaks(sums) => sums.add::<MAINTENANCE>(row, &asset.row, ONE, peaks),
            Self::Full(sums, charges) => {
                let set = Set { moves, peaks };
                add_maintenance(sums, (row, losses), &asset.row, set, work);
                charges.add(row, &asset.terms);
                true
            }
            Self::None => true,
        }
    }

    /// The requirement; `None` where losses are too large to be squared as they are.
    fn total<B: Book>(&self, book: &B) -> Option<Atoms> {
        let gross_min = book.group().gross_min;
        match self {
            Self::Peaks(sums) if sums.common.shift_needed() == 0 => {
                Some(sums.finish(gross_min).total())
            }
            Self::Full(sums, charges) if sums.common.shift_needed() == 0 => {
                Some(charges.on(sums.finish(gross_min)).total())
            }
            _ => None,
        }
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
