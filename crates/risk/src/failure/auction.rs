//! The auction clock and what it makes dearer (margin-spec 8.1, 8.3, 8.4): penalties and discounts
//! rise with live time from little to enough, as in Euler v1's and Maker's Dutch auctions, so that a
//! liquidator is paid what the market asks and not a fixed fee.

use crate::book::{Amended, Book, Legs};
use crate::cash::CashPlan;
use crate::error::RiskError;
use crate::fitness::require_liquidation_prices;
use crate::margin::{self, Health, Scratch, exposed_assets};
use crate::num::ppm_ceil;
use crate::price::Tier;
use crate::units::{Atoms, Ppm};

/// The penalty reaches [`MAX_PENALTY`] after this live time, seconds (8.1).
pub const PENALTY_PERIOD_S: u64 = 600;
/// What the penalty rises to: 5% of the notional (8.1).
pub const MAX_PENALTY: Ppm = Ppm(50_000);
/// Discount and premium of a takeover reach their ends after this live time, seconds (8.3).
pub const DISCOUNT_PERIOD_S: u64 = 1_800;
/// What the discount rises to: 20% (8.3).
pub const MAX_DISCOUNT: Ppm = Ppm(200_000);
/// What the premium rises to: half of the requirement taken over (8.3).
pub const MAX_PREMIUM: Ppm = Ppm(500_000);
/// Unbid for this live time, the pool takes legs and the rest is deleveraged, seconds (8.5).
pub const BACKSTOP_DELAY_S: u64 = 600;
/// A longer silence between two price updates is one after which prints are counted anew, seconds
/// (8.4).
pub const SILENCE_S: i64 = 60;
/// Prints of each asset that the first step after a silence needs (8.4).
pub const PRINTS_NEEDED: u8 = 2;

/// Penalty over notional after `live_s` of auction: from `start` to 5%, linear, ceil (8.1). A start
/// above 5% stays.
#[must_use]
pub fn penalty_rate(start: Ppm, live_s: u64) -> Ppm {
    let more = MAX_PENALTY.0.saturating_sub(start.0);
    Ppm(start
        .0
        .saturating_add(risen(more, live_s, PENALTY_PERIOD_S)))
}

/// What a bidder pays less than the worth of what he takes over, 0 to 20%, linear, floor (8.3).
#[must_use]
pub fn discount(live_s: u64) -> Ppm {
    let past = live_s.min(DISCOUNT_PERIOD_S);
    Ppm((u64::from(MAX_DISCOUNT.0) * past / DISCOUNT_PERIOD_S) as u32)
}

/// What insurance adds for an account without equity, over the requirement taken over: 0 to a
/// half, linear, floor (8.3).
#[must_use]
pub fn premium(live_s: u64) -> Ppm {
    let past = live_s.min(DISCOUNT_PERIOD_S);
    Ppm((u64::from(MAX_PREMIUM.0) * past / DISCOUNT_PERIOD_S) as u32)
}

fn risen(most: u32, live_s: u64, period_s: u64) -> u32 {
    (u64::from(most) * live_s.min(period_s)).div_ceil(period_s) as u32
}

/// Since when an account has been below Maintenance, in live time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuctionClock {
    /// Live time at which the first step found it, at least 1; 0 while none has.
    pub started: u64,
}

impl AuctionClock {
    /// No auction is under way.
    pub const STOPPED: Self = Self { started: 0 };

    /// Live seconds of the auction; 0 before it.
    #[must_use]
    pub const fn live_s(self, live_time: u64) -> u64 {
        if self.started == 0 {
            return 0;
        }
        live_time.saturating_sub(self.started)
    }

    /// The clock after an instruction that found this Maintenance health (8.4): the first step below
    /// zero starts it, later ones leave it, and any that finds zero or more clears it.
    #[must_use]
    pub const fn found(self, maintenance: Health, live_time: u64) -> Self {
        if !maintenance.is_liquidatable() {
            return Self { started: 0 };
        }
        if self.started != 0 {
            return self;
        }
        Self {
            started: if live_time == 0 { 1 } else { live_time },
        }
    }

    /// Whether the backstop may act: an auction that nobody has ended for ten live minutes (8.5).
    #[must_use]
    pub const fn is_unbid(self, live_time: u64) -> bool {
        self.started != 0 && self.live_s(live_time) >= BACKSTOP_DELAY_S
    }
}

/// How often an asset was priced since the last silence, up to what is needed (8.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prints(pub u8);

impl Prints {
    /// After prices kept silent longer than a minute, or the cluster restarted: none.
    #[must_use]
    pub const fn after_gap(self, silence_s: i64, restarted: bool) -> Self {
        if silence_s > SILENCE_S || restarted {
            return Self(0);
        }
        self
    }

    /// One more was accepted.
    #[must_use]
    pub const fn printed(self) -> Self {
        if self.0 < PRINTS_NEEDED {
            Self(self.0 + 1)
        } else {
            self
        }
    }

    /// Whether a first step may rely on the asset.
    #[must_use]
    pub const fn suffice(self) -> bool {
        self.0 >= PRINTS_NEEDED
    }
}

/// An auction at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Auction<P> {
    pub clock: AuctionClock,
    pub live_time: u64,
    /// How often an asset was priced since the last silence.
    pub prints: P,
}

impl<P: Fn(u8) -> Prints> Auction<P> {
    /// Live seconds of the auction; 0 before it.
    #[must_use]
    pub const fn live_s(&self) -> u64 {
        self.clock.live_s(self.live_time)
    }

    /// The clock after a step that found the account at `before` and left it at `after`, both of
    /// Maintenance (8.4): it starts where the account was found below zero, and is cleared where it
    /// ends at zero or more. A first step needs two prints since the last silence of every asset that
    /// it depends on; assets with a sleeping feed, judged in the account's favour, are none (2.6).
    ///
    /// Error: `TooFewPrints`.
    pub fn stepped<B: Book, L: Legs>(
        &self,
        book: &B,
        account: &L,
        (before, after): (Health, Health),
    ) -> Result<AuctionClock, RiskError> {
        let started = self.clock.found(before, self.live_time);
        if self.clock.started == 0 && started.started != 0 {
            require_prints(book, exposed_assets(book, account), &self.prints)?;
        }
        Ok(started.found(after, self.live_time))
    }
}

/// What the step of size 0 does: it judges the account and sets its clock (8.1, 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockPlan {
    pub before: AuctionClock,
    pub after: AuctionClock,
    pub maintenance: Health,
    /// E at the marks: a deficit may stop what could flee ([`crate::plan_halt`]).
    pub net_asset_value: Atoms,
}

/// Judges an account for the auction's clock: the first step below Maintenance needs prints
/// ([`Auction::stepped`]), later ones and clearing need fresh prices alone.
///
/// Errors: `PriceUnfit`, `TooFewPrints`.
pub fn plan_clock<B: Book, L: Legs>(
    book: &B,
    account: &L,
    auction: &Auction<impl Fn(u8) -> Prints>,
    scratch: &mut Scratch<'_>,
) -> Result<ClockPlan, RiskError> {
    require_liquidation_prices(book, account, 0)?;
    let found = margin::judged_in_favour(book, account, scratch);
    let maintenance = found.maintenance;
    Ok(ClockPlan {
        before: auction.clock,
        after: auction.stepped(book, account, (maintenance, maintenance))?,
        maintenance,
        net_asset_value: found.net_asset_value,
    })
}

/// A running clock after tokens came into the account (8.4): judged as by [`plan_clock`], and cleared
/// where it is at Maintenance or above with them. Where a price does not serve for that the clock runs
/// on: what comes in is refused for no price. A clock at rest is not judged.
#[must_use]
pub fn clock_after_inflow<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    cash: &CashPlan,
    clock: AuctionClock,
    scratch: &mut Scratch<'_>,
) -> AuctionClock {
    if clock == AuctionClock::STOPPED {
        return clock;
    }
    let changed = [(cash.slot, cash.after)];
    let amended = Amended {
        base: legs,
        balances: &changed,
        positions: &[],
    };
    if require_liquidation_prices(book, &amended, 0).is_err() {
        return clock;
    }
    let found = margin::maintenance_in_favour(book, &amended, scratch);
    clock.found(found, clock.started)
}

/// Refuses unless each asset of the bits whose feed is awake was priced twice since the last silence.
fn require_prints<B: Book>(
    book: &B,
    mut exposed: u32,
    prints: impl Fn(u8) -> Prints,
) -> Result<(), RiskError> {
    while exposed != 0 {
        let asset = exposed.trailing_zeros() as u8;
        exposed &= exposed - 1;
        let seen = prints(asset);
        if !seen.suffice() && book.quality(asset).tier < Tier::Stale {
            return Err(RiskError::TooFewPrints {
                asset,
                seen: seen.0,
            });
        }
    }
    Ok(())
}

/// The penalty of a step: the lesser of `rate * notional` (ceil) and half of what the step adds to
/// Maintenance health at no penalty (floor), so that health rises by at least the other half (8.1,
/// 8.2).
#[must_use]
pub fn penalty(notional: u64, rate: Ppm, gain: Atoms) -> Atoms {
    let half = gain.0.max(0).unsigned_abs() / 2;
    Atoms(ppm_ceil(notional, rate).min(half) as i64)
}
