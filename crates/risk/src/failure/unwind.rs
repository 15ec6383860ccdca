//! What one call of `deleverage` does (margin-spec 8.5, 10.3): the pool takes what nobody bid for, and
//! what it cannot carry is closed against the other side; a pool below Maintenance is itself closed
//! against the other side, at the mark.

use crate::book::{Amended, Book, Legs, PositionLeg};
use crate::error::RiskError;
use crate::failure::auction::{AuctionClock, BACKSTOP_DELAY_S, ClockPlan};
use crate::failure::deleverage::{
    DeleveragePlan, DeleverageTerms, notional_share, plan_backstop, plan_deleverage,
};
use crate::failure::liquidation::{
    LiquidationPlan, LiquidationTerms, MAX_TRIES, StoppedBy, end_of,
};
use crate::fitness::{bit, require_liquidation_prices};
use crate::ledger::MarketLedger;
use crate::margin::{self, Health, InitialTerms, Scratch};
use crate::units::{Atoms, Lots, Ppm};

/// What one call is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnwindTerms {
    /// Where the account holds the market's position.
    pub slot: usize,
    pub max_size: Lots,
    pub ledger: MarketLedger,
    pub clock: AuctionClock,
    pub live_time: u64,
    /// As they were when the auction began.
    pub liquidation: LiquidationTerms,
}

/// Who takes the lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is no heap to put a plan on"
)]
pub enum UnwindStep {
    /// The pool, as a liquidator.
    Pool(LiquidationPlan),
    /// The other side, all of it in proportion.
    Side(DeleveragePlan),
}

/// A call of `deleverage`, judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnwindPlan {
    pub step: UnwindStep,
    /// E before, at the marks.
    pub net_asset_value: Atoms,
    /// Maintenance before and after.
    pub before: Health,
    pub after: Health,
    pub clock: AuctionClock,
}

/// Plans one call against a trader whose auction nobody ended for ten live minutes (8.5).
///
/// The pool takes at the auction's price within its limits ([`plan_backstop`]). Only where the pool
/// cannot, because of its margin, the size of its leg or its own assets' prices, or because taking the
/// leg would break a hedge, the leg is closed against the other side: the largest size, of at most eight
/// tried, that does not pass the end of 8.1 by more than a lot nor lowers health_M; all that was asked
/// for where every size lowers it, as each leg of a hedge does. With E >= 0 the price is the mark moved
/// against the account by the leg's share of E: most accounts reach the end when nothing is left.
///
/// Errors: `NothingToLiquidate`, `PriceUnfit`, `NotLiquidatable`, `AuctionRunning`, `ZeroSize`,
/// `TakeWhole`, `SizeBeyondEnd`, `TooLittleOpposite`, `TooLarge`.
pub fn plan_unwind<B: Book, A: Legs, P: Legs>(
    book: &B,
    (account, pool): (&A, &P),
    pool_slot: usize,
    terms: &UnwindTerms,
    scratch: &mut Scratch<'_>,
) -> Result<UnwindPlan, RiskError> {
    let (leg, before) = found(book, account, terms, scratch)?;
    if !before.is_liquidatable() {
        return Err(RiskError::NotLiquidatable {
            equity: before.equity,
            requirement: before.requirement,
        });
    }
    let live_s = terms.clock.live_s(terms.live_time);
    if !terms.clock.is_unbid(terms.live_time) {
        return Err(RiskError::AuctionRunning {
            live_s,
            needed_s: BACKSTOP_DELAY_S,
        });
    }
    let net_asset_value = margin::net_asset_value(book, account, scratch);
    let step = match taken_by_pool(book, (account, pool), pool_slot, terms, scratch)? {
        Some(plan) => UnwindStep::Pool(plan),
        None => {
            let mut search = Search {
                book,
                account,
                terms,
                leg,
                before,
                equity: net_asset_value,
                share: notional_share(book, account, terms.slot),
                until: Until::End,
                scratch,
            };
            UnwindStep::Side(search.largest()?)
        }
    };
    let after = after(book, account, (&step, terms.slot), scratch);
    Ok(UnwindPlan {
        step,
        net_asset_value,
        before,
        after,
        clock: terms.clock.found(after, terms.live_time),
    })
}

/// Whether the unwinding of a pool is over: its clock runs, and it is found at Initial (10.3). The
/// clock is then cleared, and a later fall begins anew at Maintenance. `None` while there is something
/// to unwind, or nothing under way: [`plan_unwind_pool`] says which.
///
/// Error: `PriceUnfit`.
pub fn plan_recovery<B: Book, P: Legs>(
    book: &B,
    pool: &P,
    clock: AuctionClock,
    scratch: &mut Scratch<'_>,
) -> Result<Option<ClockPlan>, RiskError> {
    if clock == AuctionClock::STOPPED {
        return Ok(None);
    }
    require_liquidation_prices(book, pool, 0)?;
    let found = margin::both(book, pool, InitialTerms::COUNTED, scratch);
    let recovered = found.initial.health().0 >= 0 && !found.maintenance.is_liquidatable();
    Ok(recovered.then_some(ClockPlan {
        before: clock,
        after: AuctionClock::STOPPED,
        maintenance: found.maintenance,
        net_asset_value: found.net_asset_value,
    }))
}

/// Plans one call against a pool's own account: below Maintenance anyone may close its legs against the
/// other side, at the mark and without delay, until it is at Initial (10.3). Its clock runs from the
/// first such call until then, so that what Maintenance began goes on to Initial; or until another
/// instruction finds the pool at Maintenance (8.4): then only a new fall below it begins another. Each
/// call must raise its Maintenance health: no hedge is taken apart.
///
/// Errors: `NothingToLiquidate`, `PriceUnfit`, `NotLiquidatable`, `BreaksHedge`, `ZeroSize`,
/// `SizeBeyondEnd`, `TooLittleOpposite`, `TooLarge`.
pub fn plan_unwind_pool<B: Book, P: Legs>(
    book: &B,
    pool: &P,
    terms: &UnwindTerms,
    scratch: &mut Scratch<'_>,
) -> Result<UnwindPlan, RiskError> {
    let (leg, before) = found(book, pool, terms, scratch)?;
    let initial = margin::initial(book, pool, InitialTerms::COUNTED, scratch);
    let under_way = terms.clock.started != 0 && initial.health().0 < 0;
    if !before.is_liquidatable() && !under_way {
        return Err(RiskError::NotLiquidatable {
            equity: before.equity,
            requirement: before.requirement,
        });
    }
    let mut search = Search {
        book,
        account: pool,
        terms,
        leg,
        before,
        equity: Atoms(0),
        share: Ppm(0),
        until: Until::Initial,
        scratch,
    };
    let plan = search.largest()?;
    let (after, initial) = pool_after(book, pool, (terms.slot, plan.after), scratch);
    if after.health() <= before.health() {
        return Err(RiskError::BreaksHedge {
            before: before.health(),
            after: after.health(),
        });
    }
    Ok(UnwindPlan {
        step: UnwindStep::Side(plan),
        net_asset_value: margin::net_asset_value(book, pool, scratch),
        before,
        after,
        clock: terms.clock.found(initial, terms.live_time),
    })
}

/// The leg, on prices that serve, and Maintenance in the account's favour.
fn found<B: Book, A: Legs>(
    book: &B,
    account: &A,
    terms: &UnwindTerms,
    scratch: &mut Scratch<'_>,
) -> Result<(PositionLeg, Health), RiskError> {
    let leg = account
        .position(terms.slot)
        .filter(|leg| leg.size.0 != 0)
        .ok_or(RiskError::NothingToLiquidate)?;
    require_liquidation_prices(book, account, bit(book.asset_of(leg.instrument)))?;
    if terms.max_size.0 <= 0 {
        return Err(RiskError::ZeroSize);
    }
    let before = margin::maintenance_in_favour(book, account, scratch);
    Ok((leg, before))
}

/// What the pool takes; `None` where it cannot, and the other side must.
#[inline(never)]
fn taken_by_pool<B: Book, A: Legs, P: Legs>(
    book: &B,
    parties: (&A, &P),
    pool_slot: usize,
    terms: &UnwindTerms,
    scratch: &mut Scratch<'_>,
) -> Result<Option<LiquidationPlan>, RiskError> {
    let now = terms.liquidation.after(terms.clock.live_s(terms.live_time));
    let slots = (terms.slot, pool_slot);
    match plan_backstop(book, parties, slots, (terms.max_size, now), scratch) {
        Ok(plan) => Ok(Some(plan)),
        // The account's own prices serve: what does not is an asset of the pool's.
        Err(
            RiskError::PoolBelowMargin { .. }
            | RiskError::LegTooLarge { .. }
            | RiskError::TooManyAssets
            | RiskError::PriceUnfit { .. }
            | RiskError::BreaksHedge { .. },
        ) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Where a search for a size ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// `E_M >= MM * (1 + buffer)` (8.1).
    End,
    /// `health_I >= 0` (10.3).
    Initial,
}

struct Search<'s, 'l, B, A> {
    book: &'s B,
    account: &'s A,
    terms: &'s UnwindTerms,
    leg: PositionLeg,
    before: Health,
    equity: Atoms,
    share: Ppm,
    until: Until,
    scratch: &'s mut Scratch<'l>,
}

/// What a size tried would do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Short,
    /// It passes the end.
    Beyond,
    /// It lowers health_M: the leg stands against another.
    Worse,
    /// The other side has too few lots.
    Unborne,
}

impl<B: Book, A: Legs> Search<'_, '_, B, A> {
    /// The largest size of those tried that neither passes the end by more than a lot nor lowers
    /// health_M, and that the other side can bear; all that was asked for, as far as it can be borne,
    /// where every size tried lowers health_M.
    #[inline(never)]
    fn largest(&mut self) -> Result<DeleveragePlan, RiskError> {
        let whole = self.leg.size.0.saturating_abs();
        let (mut short, mut over) = (None, self.terms.max_size.0.min(whole));
        let mut last = self.attempt(over)?;
        let mut worse = None;
        for _ in 1..MAX_TRIES {
            let low = short.unwrap_or(0);
            if last == Verdict::Short || over - low <= 1 {
                break;
            }
            if last == Verdict::Worse && worse.is_none() {
                worse = Some(over);
            }
            let middle = low + (over - low) / 2;
            match self.attempt(middle)? {
                Verdict::Short => short = Some(middle),
                verdict => (over, last) = (middle, verdict),
            }
        }
        let size = match (short, last) {
            (_, Verdict::Short) => return self.plan(over),
            (None, Verdict::Worse) => return self.plan(worse.unwrap_or(over)),
            (None, Verdict::Beyond) if over > 1 => {
                return Err(RiskError::SizeBeyondEnd { least_tried: over });
            }
            // One lot past a size that does not pass is the end to within a lot.
            (None, _) => over,
            (Some(size), Verdict::Beyond) if over - size <= 1 => over,
            (Some(size), _) => size,
        };
        let plan = self.plan(size)?;
        Ok(DeleveragePlan {
            stopped_by: StoppedBy::End,
            ..plan
        })
    }

    /// What a size would do.
    fn attempt(&mut self, size: i64) -> Result<Verdict, RiskError> {
        match self.plan(size) {
            Ok(plan) => Ok(self.judge(&plan)),
            Err(RiskError::TooLittleOpposite { .. }) => Ok(Verdict::Unborne),
            Err(other) => Err(other),
        }
    }

    fn plan(&self, size: i64) -> Result<DeleveragePlan, RiskError> {
        let terms = DeleverageTerms {
            leg: self.leg,
            max_size: Lots(size),
            mark: self.book.instrument(self.leg.instrument).mark,
            equity: self.equity,
            share: self.share,
        };
        plan_deleverage(&self.terms.ledger, &terms)
    }

    #[inline(never)]
    fn judge(&mut self, plan: &DeleveragePlan) -> Verdict {
        let changed = [(self.terms.slot, plan.after)];
        let amended = Amended {
            base: self.account,
            balances: &[],
            positions: &changed,
        };
        let after = margin::maintenance_in_favour(self.book, &amended, self.scratch);
        let ended = match self.until {
            // An account without any risk left has nothing to be spared.
            Until::End => {
                after.requirement.0 > 0
                    && after.equity >= end_of(after.requirement, self.terms.liquidation)
            }
            Until::Initial => {
                let terms = InitialTerms::COUNTED;
                let initial = margin::initial(self.book, &amended, terms, self.scratch);
                initial.health().0 >= 0
            }
        };
        if ended {
            Verdict::Beyond
        } else if after.health() < self.before.health() {
            Verdict::Worse
        } else {
            Verdict::Short
        }
    }
}

/// The account's Maintenance after a step.
#[inline(never)]
fn after<B: Book, A: Legs>(
    book: &B,
    account: &A,
    (step, slot): (&UnwindStep, usize),
    scratch: &mut Scratch<'_>,
) -> Health {
    let changed = match step {
        UnwindStep::Pool(plan) => plan.account.positions.first(),
        UnwindStep::Side(plan) => Some((slot, plan.after)),
    };
    let amended = Amended {
        base: account,
        balances: &[],
        positions: changed.as_slice(),
    };
    margin::maintenance_in_favour(book, &amended, scratch)
}

/// A pool's Maintenance and Initial with a leg replaced.
#[inline(never)]
fn pool_after<B: Book, P: Legs>(
    book: &B,
    pool: &P,
    leg: (usize, PositionLeg),
    scratch: &mut Scratch<'_>,
) -> (Health, Health) {
    let changed = [leg];
    let amended = Amended {
        base: pool,
        balances: &[],
        positions: &changed,
    };
    let maintenance = margin::maintenance_in_favour(book, &amended, scratch);
    let initial = margin::initial(book, &amended, InitialTerms::COUNTED, scratch);
    (maintenance, initial)
}
