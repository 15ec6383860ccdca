//! What judging reads: the published book and an account's legs, as small traits of Copy values.

use crate::limits::{MAX_ASSETS, MAX_ASSETS_PER_ACCOUNT, MAX_POSITIONS};
use crate::price::Tier;
use crate::units::{Atoms, Carry48, Delta30, Frac40, Index48, Lots, Ppm, Price, Shares};

/// The rate, hence the bank, of the quote. Its asset is asset 0, worth one atom per unit.
pub const QUOTE_RATE: u8 = 0;
/// The quote's asset: worth exactly 1, without risk (margin-spec 1.1, 2.7).
pub const QUOTE_ASSET: u8 = 0;

/// One SPAN scenario: the price moves by `k_num / k_den` ranges, the volatility in direction `v`,
/// and the share `w` of the result counts (5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    pub k_num: i8,
    pub k_den: u8,
    pub v: i8,
    pub w: Ppm,
}

const fn scenario(k_num: i8, k_den: u8, v: i8, w: u32) -> Scenario {
    Scenario {
        k_num,
        k_den,
        v,
        w: Ppm(w),
    }
}

/// The default set: CME SPAN's sixteen (5.1).
pub const SPAN_16: [Scenario; 16] = [
    scenario(0, 1, 1, 1_000_000),
    scenario(0, 1, -1, 1_000_000),
    scenario(1, 3, 1, 1_000_000),
    scenario(1, 3, -1, 1_000_000),
    scenario(-1, 3, 1, 1_000_000),
    scenario(-1, 3, -1, 1_000_000),
    scenario(2, 3, 1, 1_000_000),
    scenario(2, 3, -1, 1_000_000),
    scenario(-2, 3, 1, 1_000_000),
    scenario(-2, 3, -1, 1_000_000),
    scenario(1, 1, 1, 1_000_000),
    scenario(1, 1, -1, 1_000_000),
    scenario(-1, 1, 1, 1_000_000),
    scenario(-1, 1, -1, 1_000_000),
    scenario(3, 1, 0, 330_000),
    scenario(-3, 1, 0, 330_000),
];

/// The scenario of one direction that moves a linear leg most: greatest `w * |k|`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScenarioPeak {
    pub scenario: Scenario,
    /// Its number in the set, from 1.
    pub number: u8,
    /// The greatest whole `|k|` of the direction, rounded up: how far a price is moved at all.
    pub reach: u8,
}

/// Both directions' peaks: all that a book without options needs of a scenario set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extremes {
    pub up: ScenarioPeak,
    pub down: ScenarioPeak,
}

/// The peaks of a scenario set, computed where a group is created. A direction without a scenario
/// has a peak that moves nothing; the first of equals is taken. Only the first 24 are read.
#[must_use]
pub const fn extremes(scenarios: &[Scenario]) -> Extremes {
    Extremes {
        up: peak(scenarios, 1),
        down: peak(scenarios, -1),
    }
}

const fn peak(scenarios: &[Scenario], sign: i8) -> ScenarioPeak {
    let mut best = ScenarioPeak {
        scenario: scenario(0, 1, 0, 1_000_000),
        number: 1,
        reach: 0,
    };
    let mut index = 0;
    while index < scenarios.len() && index < crate::limits::MAX_SCENARIOS {
        let candidate = scenarios[index];
        index += 1;
        if candidate.k_num.signum() != sign || candidate.k_den == 0 {
            continue;
        }
        let whole = candidate.k_num.unsigned_abs().div_ceil(candidate.k_den);
        if whole > best.reach {
            best.reach = whole;
        }
        // w1 * k1 / d1 > w2 * k2 / d2, in integers below 2^48.
        let ours = weight(candidate) * best.scenario.k_den as u64;
        let theirs = weight(best.scenario) * candidate.k_den as u64;
        if ours > theirs {
            best.scenario = candidate;
            best.number = index as u8;
        }
    }
    best
}

const fn weight(scenario: Scenario) -> u64 {
    scenario.k_num.unsigned_abs() as u64 * scenario.w.0 as u64
}

/// The group's terms. Ratios are ppm, money is atoms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupTerms {
    /// The scan is at least this share of the sum of the assets' scans (5.4); at most 1.
    pub gross_min: Ppm,
    /// How much of a positive result counts in Initial (4.3); at most 1.
    pub upnl_weight: Ppm,
    /// All positive results together count at most this (4.3).
    pub upnl_cap: Atoms,
    /// A leg that is opened or grown ends worth at least this (1.7).
    pub min_notional: Atoms,
    /// Opening needs at least this Initial equity (1.7).
    pub min_equity: Atoms,
    /// Below this maintenance requirement a liquidation takes the whole leg (1.7).
    pub small_requirement: Atoms,
    /// The scenario set's peaks.
    pub extremes: Extremes,
}

/// An asset's price and the parameters of its margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetTerms {
    /// Atoms per lot.
    pub lot_price: Price,
    /// Atoms per native token unit.
    pub native_price: Price,
    /// How far below the price Initial values a net long (4.3).
    pub down: Frac40,
    /// How far above the price Initial values a net short (4.3).
    pub up: Frac40,
    /// The size at which the multiplier has grown by 1; 0 for no size multiplier (3.3).
    pub depth: Atoms,
    /// The price move that maintenance covers (5.1); counts at most 1.
    pub range: Ppm,
    /// Effective, as published (3.4); counts 1 to 16.
    pub init_factor: Ppm,
    /// The multiplier grows by at most this (3.3); counts at most 15.
    pub concentration_cap: Ppm,
    /// Charge on the smaller of gross long and gross short (5.3); counts at most 1.
    pub basis_rate: Ppm,
    /// Charge on positions and borrows for closing them (5.3); counts at most 1.
    pub unwind_rate: Ppm,
    /// Charge on short option lots, over the price of a lot (5.3); counts at most 1.
    pub short_option_min: Ppm,
    /// Systematic share b in thousandths (5.4); counts at most 1,000.
    pub systematic: u16,
}

/// One bank as published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateTerms {
    pub asset: u8,
    pub deposit_index: Index48,
    /// Extrapolated to now (4.1).
    pub borrow_index: Index48,
    pub maint_asset_weight: Ppm,
    pub init_asset_weight: Ppm,
    pub maint_liab_weight: Ppm,
    pub init_liab_weight: Ppm,
}

impl RateTerms {
    /// What judging needs for a deposit, or for a borrow.
    #[must_use]
    pub const fn held(&self, is_deposit: bool) -> HeldTerms {
        if is_deposit {
            HeldTerms {
                asset: self.asset,
                index: self.deposit_index,
                maint_weight: self.maint_asset_weight,
                init_weight: self.init_asset_weight,
            }
        } else {
            HeldTerms {
                asset: self.asset,
                index: self.borrow_index,
                maint_weight: self.maint_liab_weight,
                init_weight: self.init_liab_weight,
            }
        }
    }
}

/// One bank as published, for deposits or for borrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldTerms {
    pub asset: u8,
    /// A borrow's is extrapolated to now (4.1).
    pub index: Index48,
    pub maint_weight: Ppm,
    pub init_weight: Ppm,
}

/// What an instrument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstrumentKind {
    Perp,
    Future,
    Call,
    Put,
}

impl InstrumentKind {
    /// Whether its loss comes from a risk array rather than from the shock alone.
    #[must_use]
    pub const fn is_option(self) -> bool {
        matches!(self, Self::Call | Self::Put)
    }
}

/// One instrument as published, at this moment: an option's mark has moved with the price since its
/// array was made (5.8), an expired series stands at its settlement (6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrumentTerms {
    pub kind: InstrumentKind,
    pub asset: u8,
    /// Atoms per lot.
    pub mark: Price,
    /// F of the long side and of the short side (7.2).
    pub carry_long: Carry48,
    pub carry_short: Carry48,
    /// What a lot moves like: one for linear instruments.
    pub delta: Delta30,
    /// What one lot adds to Initial because its array is stale (5.8), ceil.
    pub surcharge: Atoms,
}

impl InstrumentTerms {
    /// F of the side that a size is on.
    #[must_use]
    pub const fn carry_of(&self, size: Lots) -> Carry48 {
        if size.0 > 0 {
            self.carry_long
        } else {
            self.carry_short
        }
    }

    /// A perp or a future without carry.
    #[must_use]
    pub const fn linear(kind: InstrumentKind, asset: u8, mark: Price) -> Self {
        Self {
            kind,
            asset,
            mark,
            carry_long: Carry48(0),
            carry_short: Carry48(0),
            delta: Delta30::ONE,
            surcharge: Atoms(0),
        }
    }
}

/// What judging needs of a perpetual, for one side of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerpTerms {
    pub asset: u8,
    /// Atoms per lot.
    pub mark: Price,
    /// F of the side (7.2).
    pub carry: Carry48,
}

/// The Greeks of one lot, as published (6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Greeks {
    pub delta: Delta30,
    /// Change of the delta when the forward moves by 1%, 30 fractional bits.
    pub gamma: i64,
    /// Change of the value when volatility moves by one point (1%): atoms, 16 fractional bits.
    pub vega: i64,
    /// Change of the value in one day: atoms, 16 fractional bits.
    pub theta: i64,
}

impl Greeks {
    /// A lot of a perp or a future.
    pub const LINEAR: Self = Self {
        delta: Delta30::ONE,
        gamma: 0,
        vega: 0,
        theta: 0,
    };
}

/// How good an asset's price is now, and how old each use of it lets it be (2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceQuality {
    pub tier: Tier,
    pub age_s: u32,
    /// Confidence over price, ceil.
    pub conf: Ppm,
    /// How far below and above the price the bounds lie (2.3, 2.5), both sources and a pending price
    /// spanned, over the price, ceil.
    pub bound_down: Frac40,
    pub bound_up: Frac40,
    pub max_age_margin_s: u32,
    pub max_age_liquidation_s: u32,
    pub max_age_withdrawal_s: u32,
    pub max_age_pool_s: u32,
}

/// The published snapshot that every account is judged by. Indices come from legs that were
/// accepted before, so an implementation may answer an unknown one with a zeroed entry.
pub trait Book {
    fn group(&self) -> GroupTerms;
    fn asset(&self, index: u8) -> AssetTerms;
    fn rate(&self, index: u8) -> RateTerms;
    /// The bank's terms for a deposit, or for a borrow.
    fn held(&self, rate: u8, is_deposit: bool) -> HeldTerms {
        self.rate(rate).held(is_deposit)
    }
    fn instrument(&self, index: u8) -> InstrumentTerms;
    /// A perpetual's terms for its long or its short side; `None` for a dated instrument.
    fn perp(&self, index: u8, is_long: bool) -> Option<PerpTerms> {
        let terms = self.instrument(index);
        (terms.kind == InstrumentKind::Perp).then_some(PerpTerms {
            asset: terms.asset,
            mark: terms.mark,
            carry: if is_long {
                terms.carry_long
            } else {
                terms.carry_short
            },
        })
    }
    /// The instrument's asset alone.
    fn asset_of(&self, instrument: u8) -> u8 {
        self.instrument(instrument).asset
    }
    /// The bank's asset alone.
    fn asset_of_rate(&self, rate: u8) -> u8 {
        self.rate(rate).asset
    }
    /// The risk array of one lot of an option: what it gains in each scenario, covers included, floor
    /// (5.8). Scenarios behind its end count zero. Linear instruments have none.
    fn array(&self, instrument: u8) -> &[i32];
    /// For reports alone.
    fn greeks(&self, instrument: u8) -> Greeks;
    fn quality(&self, asset: u8) -> PriceQuality;
    /// The variance of an asset's price per year, as published (3.1).
    fn variance(&self, asset: u8) -> Frac40;
    /// At most 24.
    fn scenarios(&self) -> &[Scenario];
}

impl<B: Book + ?Sized> Book for &B {
    fn group(&self) -> GroupTerms {
        (**self).group()
    }

    fn asset(&self, index: u8) -> AssetTerms {
        (**self).asset(index)
    }

    fn rate(&self, index: u8) -> RateTerms {
        (**self).rate(index)
    }

    fn held(&self, rate: u8, is_deposit: bool) -> HeldTerms {
        (**self).held(rate, is_deposit)
    }

    fn instrument(&self, index: u8) -> InstrumentTerms {
        (**self).instrument(index)
    }

    fn perp(&self, index: u8, is_long: bool) -> Option<PerpTerms> {
        (**self).perp(index, is_long)
    }

    fn asset_of(&self, instrument: u8) -> u8 {
        (**self).asset_of(instrument)
    }

    fn asset_of_rate(&self, rate: u8) -> u8 {
        (**self).asset_of_rate(rate)
    }

    fn array(&self, instrument: u8) -> &[i32] {
        (**self).array(instrument)
    }

    fn greeks(&self, instrument: u8) -> Greeks {
        (**self).greeks(instrument)
    }

    fn quality(&self, asset: u8) -> PriceQuality {
        (**self).quality(asset)
    }

    fn variance(&self, asset: u8) -> Frac40 {
        (**self).variance(asset)
    }

    fn scenarios(&self) -> &[Scenario] {
        (**self).scenarios()
    }
}

/// A holding of one bank: + is a deposit, - is a borrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceLeg {
    pub rate: u8,
    pub shares: Shares,
}

/// A holding of one instrument, worth `size * mark + quote`. With size 0 it stays until settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionLeg {
    pub instrument: u8,
    pub size: Lots,
    pub quote: Atoms,
}

impl PositionLeg {
    /// Nothing of instrument 0: what a slot is before it is written.
    pub const EMPTY: Self = Self {
        instrument: 0,
        size: Lots(0),
        quote: Atoms(0),
    };
}

/// An account's holdings. No two slots hold the same bank or the same instrument.
pub trait Legs {
    fn balance_slots(&self) -> usize;
    fn balance(&self, slot: usize) -> Option<BalanceLeg>;
    fn position_slots(&self) -> usize;
    fn position(&self, slot: usize) -> Option<PositionLeg>;

    /// Whether [`Legs::stored`] answers for [`Legs::position`]: what is stored is what is held.
    fn is_stored(&self) -> bool {
        true
    }

    /// The position as it is stored; asked only where that is what is held.
    fn stored(&self, slot: usize) -> Option<PositionLeg> {
        self.position(slot)
    }

    /// The instrument of which a slot holds a size; none for a result alone.
    fn sized(&self, slot: usize) -> Option<u8> {
        let leg = self.position(slot)?;
        (leg.size.0 != 0).then_some(leg.instrument)
    }

    /// Assets besides the quote that the account may be exposed to.
    fn asset_limit(&self) -> usize {
        if self.position_slots() > MAX_POSITIONS {
            MAX_ASSETS - 1
        } else {
            MAX_ASSETS_PER_ACCOUNT
        }
    }
}

impl<L: Legs + ?Sized> Legs for &L {
    fn balance_slots(&self) -> usize {
        (**self).balance_slots()
    }

    fn balance(&self, slot: usize) -> Option<BalanceLeg> {
        (**self).balance(slot)
    }

    fn position_slots(&self) -> usize {
        (**self).position_slots()
    }

    fn position(&self, slot: usize) -> Option<PositionLeg> {
        (**self).position(slot)
    }

    fn is_stored(&self) -> bool {
        (**self).is_stored()
    }

    fn stored(&self, slot: usize) -> Option<PositionLeg> {
        (**self).stored(slot)
    }

    fn sized(&self, slot: usize) -> Option<u8> {
        (**self).sized(slot)
    }

    fn asset_limit(&self) -> usize {
        (**self).asset_limit()
    }
}

/// An account as a plan would leave it: the base with some slots replaced, so that a plan is judged
/// before it is applied. A changed slot counts also when it lies behind the base's last one.
#[derive(Clone, Copy, Debug)]
pub struct Amended<'a, L> {
    pub base: L,
    pub balances: &'a [(usize, BalanceLeg)],
    pub positions: &'a [(usize, PositionLeg)],
}

impl<L: Legs> Legs for Amended<'_, L> {
    fn balance_slots(&self) -> usize {
        let changed = self.balances.iter().map(|(slot, _)| slot + 1);
        changed.fold(self.base.balance_slots(), usize::max)
    }

    fn balance(&self, slot: usize) -> Option<BalanceLeg> {
        replaced(self.balances, slot).or_else(|| self.base.balance(slot))
    }

    fn position_slots(&self) -> usize {
        let changed = self.positions.iter().map(|(slot, _)| slot + 1);
        changed.fold(self.base.position_slots(), usize::max)
    }

    fn position(&self, slot: usize) -> Option<PositionLeg> {
        replaced(self.positions, slot).or_else(|| self.base.position(slot))
    }

    fn is_stored(&self) -> bool {
        self.base.is_stored()
    }

    #[inline(always)]
    fn stored(&self, slot: usize) -> Option<PositionLeg> {
        replaced(self.positions, slot).or_else(|| self.base.stored(slot))
    }

    fn sized(&self, slot: usize) -> Option<u8> {
        match replaced(self.positions, slot) {
            Some(leg) => (leg.size.0 != 0).then_some(leg.instrument),
            None => self.base.sized(slot),
        }
    }

    fn asset_limit(&self) -> usize {
        self.base.asset_limit()
    }
}

fn replaced<T: Copy>(changes: &[(usize, T)], slot: usize) -> Option<T> {
    let change = changes.iter().find(|(at, _)| *at == slot);
    change.map(|(_, leg)| *leg)
}
