//! Health: equities, requirements, and which accounts may be liquidated (margin-spec 4, 5).
//!
//! Judging is total: it saturates and never fails (1.6). Equity floors, requirements ceil (1.4).

mod judge;
mod kept;
mod moves;
mod report;
mod row;
mod scan;
mod scratch;
mod stream;

pub use kept::{Kept, MAX_REPLACED, Slotted};
pub use report::{
    AssetGreeks, AssetLine, LinePart, MAX_LINES, MarginReport, option_greeks, report, report_lines,
};
pub use scratch::Scratch;

use crate::book::{Book, Legs, QUOTE_RATE};
use crate::fitness::bit;
use crate::num::value_floor;
use crate::shares::amount;
use crate::units::{Atoms, Lots, Ppm};
use judge::judge;
use row::over_distance;
use scan::MAINTENANCE;
use scratch::lane;
use stream::{Totals, clamped, moved_like, stream};

/// An equity against its requirement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    pub equity: Atoms,
    pub requirement: Atoms,
}

impl Health {
    /// Equity less requirement (5.5); saturates.
    #[must_use]
    pub const fn health(self) -> Atoms {
        Atoms(self.equity.0.saturating_sub(self.requirement.0))
    }

    /// Whether an account of this Maintenance health may be liquidated (5.6).
    #[must_use]
    pub const fn is_liquidatable(self) -> bool {
        self.health().0 < 0
    }
}

/// Which aggregate was the greatest (5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    #[default]
    OneFactor,
    Systemic,
    Gross,
}

/// What a requirement is made of (5.4, 5.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// X: together, plus each asset on its own.
    pub one_factor: Atoms,
    /// Y: everything moves together.
    pub systemic: Atoms,
    /// The least share of the sum of the scans.
    pub gross: Atoms,
    pub basis: Atoms,
    pub unwind: Atoms,
    /// The least charge on short options, and one atom per option lot (5.3).
    pub floor: Atoms,
    pub cushion: Atoms,
    /// What stale risk arrays add to Initial (5.8).
    pub surcharge: Atoms,
    pub rule: Rule,
}

impl Parts {
    pub(crate) const ZERO: Self = Self {
        one_factor: Atoms(0),
        systemic: Atoms(0),
        gross: Atoms(0),
        basis: Atoms(0),
        unwind: Atoms(0),
        floor: Atoms(0),
        cushion: Atoms(0),
        surcharge: Atoms(0),
        rule: Rule::OneFactor,
    };

    /// The greatest of X, Y and the gross minimum.
    #[must_use]
    pub fn scan(self) -> Atoms {
        self.one_factor.max(self.systemic).max(self.gross)
    }

    /// Everything that is added to the scan; saturates.
    #[must_use]
    pub fn additions(self) -> Atoms {
        let charges = self.basis.0.saturating_add(self.unwind.0);
        let options = self.floor.0.saturating_add(self.cushion.0);
        Atoms(
            charges
                .saturating_add(options)
                .saturating_add(self.surcharge.0),
        )
    }

    /// Scan plus additions (5.5); saturates.
    #[must_use]
    pub fn total(self) -> Atoms {
        Atoms(self.scan().0.saturating_add(self.additions().0))
    }
}

/// Everything that one judgement finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Assessment {
    /// E: all weights 1 (4.2).
    pub net_asset_value: Atoms,
    pub maintenance: Health,
    pub initial: Health,
    pub maintenance_parts: Parts,
    pub initial_parts: Parts,
    /// Assets with a scan or a result.
    pub assets: usize,
    /// What [`exposed_assets`] finds.
    pub exposed: u32,
    /// Whether an asset was judged for which the stance asks for another price than the mark (2.6).
    pub in_doubt: bool,
}

/// Whether positive results count in Initial (4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gains {
    /// Times `upnl_weight`, all together up to `upnl_cap`.
    Counted,
    /// Zero: for withdrawals, transfers out, and what leaves a borrow larger.
    Ignored,
}

/// Which price an asset counts at whose price is doubtful (2.6); a good one counts at the mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stance {
    /// Every asset at its mark.
    #[default]
    Plain,
    /// For what leaves an account: Wide and Diverged at the bound that is worse for it; Stale and
    /// Invalid as nothing where it is long and at the upper bound plus 10% where it is short. Initial,
    /// which values at the band and the stable price, takes the worst of all, once.
    Against,
    /// For who may be liquidated: Diverged at the bound that is better for the account; Stale and
    /// Invalid at that bound and 10% beyond it, without a loss in any scenario (gains still carry
    /// the losses of others, else a hedge would turn against its holder).
    InFavour,
}

/// How an account is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialTerms {
    pub gains: Gains,
    /// Takes the place of every asset's `init_factor`: the pool's (10.2).
    pub factor: Option<Ppm>,
    /// Holds for Maintenance too.
    pub stance: Stance,
}

impl InitialTerms {
    /// What a trader's own order is judged by.
    pub const COUNTED: Self = Self {
        gains: Gains::Counted,
        factor: None,
        stance: Stance::Plain,
    };
    /// What a withdrawal is judged by.
    pub const WITHDRAWAL: Self = Self {
        gains: Gains::Ignored,
        factor: None,
        stance: Stance::Against,
    };
}

/// Maintenance: E_M against MM (4.2, 5.5).
#[must_use]
pub fn maintenance<B: Book, L: Legs>(book: &B, legs: &L, scratch: &mut Scratch<'_>) -> Health {
    assess::<true, false, B, L>(book, legs, InitialTerms::COUNTED, scratch).maintenance
}

/// Maintenance with doubtful prices in the account's favour: who may be liquidated (2.6).
#[must_use]
pub fn maintenance_in_favour<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    scratch: &mut Scratch<'_>,
) -> Health {
    judged_in_favour(book, legs, scratch).maintenance
}

/// The same, with the net asset value at the marks.
pub(crate) fn judged_in_favour<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    scratch: &mut Scratch<'_>,
) -> Assessment {
    let terms = InitialTerms {
        stance: Stance::InFavour,
        ..InitialTerms::COUNTED
    };
    assess::<true, false, B, L>(book, legs, terms, scratch)
}

/// The Maintenance requirement of `parts / 1024` of every leg that was judged last at the marks, from
/// the rows that this left in the scratch, which it scales down: to within a few thousand atoms, as
/// rows are shortened before they are multiplied.
pub(crate) fn requirement_of_part<B: Book>(
    book: &B,
    rows: usize,
    parts: i64,
    scratch: &mut Scratch<'_>,
) -> Atoms {
    const SCALED: [usize; 9] = [
        lane::LONG,
        lane::SHORT,
        lane::SPOT[MAINTENANCE],
        lane::RESULT,
        lane::OPTION_VALUE,
        lane::OPTION_LOTS,
        lane::SHORT_LOTS,
        lane::DELTA,
        lane::SURCHARGE,
    ];
    let mut totals = Totals {
        rows,
        ..Totals::default()
    };
    let mut judged = scratch.rows(book.scenario_count());
    for number in 0..rows {
        let Some((row, losses)) = judged.row(number) else {
            break;
        };
        for lane in SCALED {
            row[lane] = (row[lane] >> 10).wrapping_mul(parts);
        }
        if row[lane::OPTION_LEGS] != 0 {
            totals.options = true;
            for loss in losses {
                *loss = (*loss >> 10).wrapping_mul(parts);
            }
        }
    }
    let judged = judge::<true, false, B>(book, InitialTerms::COUNTED, &totals, &mut judged);
    judged.maintenance.total()
}

/// Net asset value and Maintenance at the marks.
pub(crate) fn judged<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    scratch: &mut Scratch<'_>,
) -> Assessment {
    assess::<true, false, B, L>(book, legs, InitialTerms::COUNTED, scratch)
}

/// Initial: E_I against IM (4.3, 5.5).
#[must_use]
pub fn initial<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: InitialTerms,
    scratch: &mut Scratch<'_>,
) -> Health {
    assess::<false, true, B, L>(book, legs, terms, scratch).initial
}

/// The same with what was found besides.
pub(crate) fn judged_initially<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: InitialTerms,
    scratch: &mut Scratch<'_>,
) -> Assessment {
    assess::<false, true, B, L>(book, legs, terms, scratch)
}

/// What [`net_value`] finds of an account that Initial alone judged last, from the rows that this
/// left in the scratch: a row's Maintenance lane holds its tokens at weight 1.
pub(crate) fn net_value_judged<B: Book>(
    book: &B,
    rows: usize,
    asset: u8,
    scratch: &mut Scratch<'_>,
) -> Atoms {
    let mut judged = scratch.rows(book.scenario_count());
    let found = (judged.first(rows).iter()).find(|row| row[lane::ASSET] == i64::from(asset));
    found.map_or(Atoms(0), |row| {
        let long = row[lane::LONG].wrapping_add(row[lane::SPOT[MAINTENANCE]]);
        Atoms(
            long.wrapping_add(row[lane::DELTA])
                .wrapping_sub(row[lane::SHORT]),
        )
    })
}

/// Net asset value, Maintenance and Initial in one pass.
#[must_use]
pub fn both<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: InitialTerms,
    scratch: &mut Scratch<'_>,
) -> Assessment {
    assess::<true, true, B, L>(book, legs, terms, scratch)
}

/// The engine; `M` and `I` choose what is computed, the rest of the result is zero.
pub(crate) fn assess<const M: bool, const I: bool, B: Book, L: Legs>(
    book: &B,
    legs: &L,
    terms: InitialTerms,
    scratch: &mut Scratch<'_>,
) -> Assessment {
    let mut rows = scratch.rows(book.scenario_count());
    let totals = stream::<M, I, B, L>(book, legs, &mut rows);
    let judged = judge::<M, I, B>(book, terms, &totals, &mut rows);

    let mut found = Assessment {
        net_asset_value: Atoms(totals.net),
        assets: totals.rows,
        in_doubt: judged.in_doubt,
        exposed: (judged.exposed | totals.left_out) & !1,
        ..Assessment::default()
    };
    if M {
        found.maintenance_parts = judged.maintenance;
        found.maintenance = Health {
            equity: Atoms(totals.maintenance.saturating_add(judged.maintenance_moved)),
            requirement: judged.maintenance.total(),
        };
    }
    if I {
        let group_cap = book.group().upnl_cap.0.max(0);
        // Every sum is below 2^62.7; together they may exceed 64 bits.
        let equity = totals
            .initial
            .saturating_add(judged.negative)
            .saturating_add(judged.positive.min(group_cap));
        found.initial_parts = judged.initial;
        found.initial = Health {
            equity: Atoms(equity.saturating_sub(judged.distance)),
            requirement: judged.initial.total(),
        };
    }
    found
}

/// E at the mark: all weights 1 (4.2), floor.
#[must_use]
pub fn net_asset_value<B: Book, L: Legs>(book: &B, legs: &L, scratch: &mut Scratch<'_>) -> Atoms {
    let mut rows = scratch.rows(book.scenario_count());
    Atoms(stream::<false, false, B, L>(book, legs, &mut rows).net)
}

/// E at the mark, and at the bounds that make it largest, ceil: what a newcomer to a pool buys at
/// (10.4). Bounds here span band and stable price, the wider reading.
#[must_use]
pub fn equity_at_best<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    scratch: &mut Scratch<'_>,
) -> (Atoms, Atoms) {
    let (at_mark, moved) = over_bounds(book, legs, scratch, true);
    (Atoms(at_mark), Atoms(at_mark.saturating_add(moved)))
}

/// E at the mark, and at the bounds that make it smallest, floor: at most this is a pool's equity to
/// who leaves it (10.4).
#[must_use]
pub fn equity_at_worst<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    scratch: &mut Scratch<'_>,
) -> (Atoms, Atoms) {
    let (at_mark, moved) = over_bounds(book, legs, scratch, false);
    (Atoms(at_mark), Atoms(at_mark.saturating_sub(moved)))
}

/// E at the mark, and by how much the bounds move it, to the account's `gain` or loss, ceil.
fn over_bounds<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    scratch: &mut Scratch<'_>,
    gain: bool,
) -> (i64, i64) {
    let mut rows = scratch.rows(book.scenario_count());
    let totals = stream::<false, false, B, L>(book, legs, &mut rows);
    let mut moved = 0i64;
    for row in rows.first(totals.rows) {
        let net = row[lane::LONG]
            .wrapping_add(row[lane::SPOT[MAINTENANCE]])
            .wrapping_add(row[lane::DELTA])
            .wrapping_sub(row[lane::SHORT]);
        // What the floors of options' deltas may have cut off counts too.
        let cut_off = row[lane::OPTION_LEGS].unsigned_abs().wrapping_mul(2);
        let size = net.unsigned_abs().wrapping_add(cut_off);
        let terms = book.asset(row[lane::ASSET] as u8);
        let quality = book.quality(row[lane::ASSET] as u8);
        let share = if (net > 0) == gain {
            terms.up.max(quality.bound_up)
        } else {
            terms.down.max(quality.bound_down)
        };
        moved = moved.saturating_add(over_distance(size, share));
    }
    (totals.net, moved)
}

/// Net value of an account in one asset at weight 1, + is long, options by their delta; saturates.
#[must_use]
pub fn net_value<B: Book, L: Legs>(book: &B, legs: &L, asset: u8) -> Atoms {
    let mut net = 0i64;
    for slot in 0..legs.balance_slots() {
        let Some(leg) = legs.balance(slot) else {
            continue;
        };
        if leg.rate == QUOTE_RATE || book.asset_of_rate(leg.rate) != asset {
            continue;
        }
        let rate = book.rate(leg.rate);
        let held = amount(leg.shares, rate.deposit_index, rate.borrow_index);
        let price = book.asset(asset).native_price;
        net = net.saturating_add(clamped(value_floor(Lots(held.0), price).0));
    }
    for slot in 0..legs.position_slots() {
        let Some(instrument) = legs.sized(slot) else {
            continue;
        };
        if book.asset_of(instrument) != asset {
            continue;
        }
        let Some(leg) = legs.position(slot) else {
            continue;
        };
        let terms = book.instrument(instrument);
        let value = if terms.kind.is_option() {
            let lots = value_floor(leg.size, book.asset(asset).lot_price);
            moved_like(lots, terms.delta.0)
        } else {
            clamped(value_floor(leg.size, terms.mark).0)
        };
        net = net.saturating_add(value);
    }
    Atoms(net)
}

/// The assets besides the quote of which an account holds a balance or a size, as bits. Only these
/// can block it (2.8). Assets beyond 31 have no bit.
#[must_use]
pub fn exposed_assets<B: Book, L: Legs>(book: &B, legs: &L) -> u32 {
    let mut exposed = 0u32;
    for slot in 0..legs.balance_slots() {
        if let Some(leg) = legs.balance(slot)
            && leg.shares.0 != 0
            && leg.rate != QUOTE_RATE
        {
            exposed |= bit(book.asset_of_rate(leg.rate));
        }
    }
    for slot in 0..legs.position_slots() {
        if let Some(instrument) = legs.sized(slot) {
            exposed |= bit(book.asset_of(instrument));
        }
    }
    exposed & !1
}

/// How many assets [`exposed_assets`] finds.
#[must_use]
pub fn count_assets<B: Book, L: Legs>(book: &B, legs: &L) -> usize {
    exposed_assets(book, legs).count_ones() as usize
}
