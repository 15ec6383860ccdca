//! What `keel-risk` sees of the stored bytes: [`BookView`] is its `Book`, [`MarginView`] its `Legs`.

use core::cell::OnceCell;

use keel_risk::PerSecond64;
use keel_risk::carry::extrapolated;
use keel_risk::{
    AssetTerms, Atoms, BalanceLeg, Book, Carry48, Delta30, Extremes, Frac40, Greeks, GroupTerms,
    HeldTerms, Index48, InstrumentKind, InstrumentTerms, Legs, LiquidationTerms, PerpTerms,
    PositionLeg, Ppm, Price, PriceQuality, RateTerms, Scenario, ScenarioPeak, Shares, Tier, age_s,
};

use keel_risk::limits::{MAX_ASSETS, MAX_ASSETS_PER_ACCOUNT};

use crate::{
    AssetEntry, BALANCE_SLOTS, Balance, InstrumentEntry, InstrumentTag, MarginAccount, MarginKind,
    Position, RiskBook, SCENARIO_SLOTS, StoredPeak, StoredScenario,
};

/// A deposit of an asset that was listed less than this long ago counts nothing towards Initial
/// (margin-spec 2.4), seconds.
pub const LISTING_PERIOD_S: i64 = 86_400;

/// The risk book at a moment.
#[derive(Clone, Debug)]
pub struct BookView<'a> {
    book: &'a RiskBook,
    /// Made when somebody asks: only options do.
    scenarios: OnceCell<[Scenario; SCENARIO_SLOTS]>,
    now: i64,
    /// Assets listed later than this are young.
    listed_before: i64,
    fresh: &'a [FreshRate],
    /// Which banks those are of, as bits.
    fresh_bits: u32,
}

/// A bank's indices of this moment, where its ledger is at hand: conversion of shares into tokens
/// uses the ledger, judging the published copy (margin-spec 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreshRate {
    /// The bank's place in the risk book.
    pub rate: u8,
    pub deposit_index: Index48,
    pub borrow_index: Index48,
}

impl<'a> BookView<'a> {
    pub fn new(book: &'a RiskBook, now: i64) -> Self {
        Self {
            book,
            scenarios: OnceCell::new(),
            now,
            listed_before: now.saturating_sub(LISTING_PERIOD_S),
            fresh: &[],
            fresh_bits: 0,
        }
    }

    /// The same book with the indices of the ledgers at hand.
    #[must_use]
    pub fn with_rates(self, fresh: &'a [FreshRate]) -> Self {
        let bits = fresh.iter().map(|fresh| 1u32 << (fresh.rate & 31));
        Self {
            fresh,
            fresh_bits: bits.fold(0, |all, bit| all | bit),
            ..self
        }
    }

    /// A bank as its ledger at hand has it, else as published.
    #[cold]
    #[inline(never)]
    fn fresh_rate(&self, index: u8) -> RateTerms {
        let published = self.published_rate(index);
        let found = self.fresh.iter().find(|fresh| fresh.rate == index);
        found.map_or(published, |fresh| RateTerms {
            deposit_index: fresh.deposit_index,
            borrow_index: fresh.borrow_index,
            ..published
        })
    }

    #[cold]
    #[inline(never)]
    fn fresh_held(&self, rate: u8, is_deposit: bool) -> HeldTerms {
        self.fresh_rate(rate).held(is_deposit)
    }

    /// A bank's borrow index as published, extrapolated to now.
    #[inline]
    fn owed_index(&self, index: u8) -> Index48 {
        let entry = &self.book.rates[usize::from(index)];
        extrapolated(
            Index48(entry.borrow_index),
            PerSecond64(entry.borrow_rate),
            self.now.saturating_sub(entry.updated),
        )
    }

    #[inline(always)]
    fn published_rate(&self, index: u8) -> RateTerms {
        let entry = &self.book.rates[usize::from(index)];
        let asset = &self.book.assets[usize::from(entry.asset)];
        let young = index != 0 && asset.listed_at > self.listed_before;
        RateTerms {
            asset: entry.asset,
            deposit_index: Index48(entry.deposit_index),
            borrow_index: self.owed_index(index),
            maint_asset_weight: Ppm(entry.maint_asset_weight),
            init_asset_weight: Ppm(if young { 0 } else { entry.init_asset_weight }),
            maint_liab_weight: Ppm(entry.maint_liab_weight),
            init_liab_weight: Ppm(entry.init_liab_weight),
        }
    }

    /// A future or an option at this moment, in a frame of its own.
    #[inline(never)]
    fn dated(&self, index: u8, entry: &InstrumentEntry) -> InstrumentTerms {
        let (series, moment) = self.book.series(index, self.now);
        let now = series.at(&moment);
        InstrumentTerms {
            kind: series.kind,
            asset: entry.asset,
            mark: now.mark,
            carry_long: carry(entry.carry_long),
            carry_short: carry(entry.carry_short),
            delta: now.delta,
            surcharge: now.surcharge,
        }
    }

    /// The moment that accounts are judged at.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Counts the book's accepted writes.
    pub fn sequence(&self) -> u64 {
        self.book.sequence
    }

    pub fn asset_entry(&self, asset: u8) -> &'a AssetEntry {
        &self.book.assets[usize::from(asset)]
    }

    pub fn asset_entry_of(&self, instrument: u8) -> &'a AssetEntry {
        &self.book.assets[usize::from(self.book.instruments[usize::from(instrument)].asset)]
    }

    /// Seconds since the asset's price was published; 0 for a price from the near future.
    pub fn age_s(&self, asset: &AssetEntry) -> u32 {
        age_s(asset.publish_time, self.now)
    }

    /// What the quote's bank owes its depositors, native units, as published.
    pub fn quote_deposits(&self) -> u64 {
        self.book.rates[0].total_deposits
    }

    pub fn liquidation_terms(&self) -> LiquidationTerms {
        LiquidationTerms {
            buffer: Ppm(self.book.liquidation_buffer),
            fee: Ppm(self.book.liquidation_fee),
            insurance_share: Ppm(self.book.liquidation_insurance_share),
        }
    }
}

impl Book for BookView<'_> {
    fn group(&self) -> GroupTerms {
        GroupTerms {
            gross_min: Ppm(self.book.gross_min),
            upnl_weight: Ppm(self.book.upnl_weight),
            upnl_cap: Atoms(self.book.upnl_cap),
            min_notional: Atoms(self.book.min_notional),
            min_equity: Atoms(self.book.min_equity),
            small_requirement: Atoms(self.book.small_requirement),
            extremes: Extremes {
                up: peak(self.book.peak_up),
                down: peak(self.book.peak_down),
            },
        }
    }

    #[inline(always)]
    fn asset(&self, index: u8) -> AssetTerms {
        let entry = &self.book.assets[usize::from(index)];
        AssetTerms {
            lot_price: Price::from_stored(entry.lot_price, entry.lot_shift),
            native_price: Price::from_stored(entry.native_price, entry.native_shift),
            down: Frac40(entry.down),
            up: self.book.peg_widened(entry.up),
            range: Ppm(entry.range),
            init_factor: Ppm(entry.init_factor_effective),
            depth: Atoms(entry.depth),
            concentration_cap: Ppm(entry.concentration_cap),
            systematic: entry.systematic,
            basis_rate: Ppm(entry.basis_rate),
            unwind_rate: Ppm(entry.unwind_rate),
            short_option_min: Ppm(entry.short_option_min),
        }
    }

    #[inline(always)]
    fn rate(&self, index: u8) -> RateTerms {
        if (self.fresh_bits >> (index & 31)) & 1 != 0 {
            return self.fresh_rate(index);
        }
        self.published_rate(index)
    }

    #[inline(always)]
    fn held(&self, rate: u8, is_deposit: bool) -> HeldTerms {
        if self.fresh_bits != 0 && (self.fresh_bits >> (rate & 31)) & 1 != 0 {
            return self.fresh_held(rate, is_deposit);
        }
        let entry = &self.book.rates[usize::from(rate)];
        if is_deposit {
            let asset = &self.book.assets[usize::from(entry.asset)];
            let young = rate != 0 && asset.listed_at > self.listed_before;
            HeldTerms {
                asset: entry.asset,
                index: Index48(entry.deposit_index),
                maint_weight: Ppm(entry.maint_asset_weight),
                init_weight: Ppm(if young { 0 } else { entry.init_asset_weight }),
            }
        } else {
            HeldTerms {
                asset: entry.asset,
                index: self.owed_index(rate),
                maint_weight: Ppm(entry.maint_liab_weight),
                init_weight: Ppm(entry.init_liab_weight),
            }
        }
    }

    #[inline(always)]
    fn instrument(&self, index: u8) -> InstrumentTerms {
        let entry = &self.book.instruments[usize::from(index)];
        if entry.kind > InstrumentTag::Perp as u8 {
            return self.dated(index, entry);
        }
        let asset = &self.book.assets[usize::from(entry.asset)];
        InstrumentTerms {
            kind: InstrumentKind::Perp,
            asset: entry.asset,
            mark: Price::from_stored(asset.lot_price, asset.lot_shift),
            carry_long: carry(entry.carry_long),
            carry_short: carry(entry.carry_short),
            delta: Delta30::ONE,
            surcharge: Atoms(0),
        }
    }

    #[inline(always)]
    fn perp(&self, index: u8, is_long: bool) -> Option<PerpTerms> {
        let entry = &self.book.instruments[usize::from(index)];
        if entry.kind > InstrumentTag::Perp as u8 {
            return None;
        }
        let asset = &self.book.assets[usize::from(entry.asset)];
        Some(PerpTerms {
            asset: entry.asset,
            mark: Price::from_stored(asset.lot_price, asset.lot_shift),
            carry: carry(if is_long {
                entry.carry_long
            } else {
                entry.carry_short
            }),
        })
    }

    #[inline(always)]
    fn asset_of(&self, instrument: u8) -> u8 {
        self.book.instruments[usize::from(instrument)].asset
    }

    #[inline(always)]
    fn asset_of_rate(&self, rate: u8) -> u8 {
        self.book.rates[usize::from(rate)].asset
    }

    fn array(&self, instrument: u8) -> &[i32] {
        let entry = &self.book.instruments[usize::from(instrument)];
        let expiry = &self.book.expiries[usize::from(entry.expiry)];
        if expiry.settled != 0 {
            return &[];
        }
        &entry.array
    }

    fn greeks(&self, instrument: u8) -> Greeks {
        let entry = &self.book.instruments[usize::from(instrument)];
        if !entry.terms_kind().is_option() {
            return Greeks::LINEAR;
        }
        let expiry = &self.book.expiries[usize::from(entry.expiry)];
        if expiry.settled != 0 {
            return Greeks::default();
        }
        Greeks {
            delta: Delta30(entry.delta as i32),
            gamma: entry.gamma,
            vega: entry.vega,
            theta: entry.theta,
        }
    }

    fn variance(&self, index: u8) -> Frac40 {
        Frac40(self.book.assets[usize::from(index)].variance)
    }

    #[inline]
    fn scenario_count(&self) -> usize {
        usize::from(self.book.scenarios_len).min(SCENARIO_SLOTS)
    }

    fn scenarios(&self) -> &[Scenario] {
        let all = (self.scenarios).get_or_init(|| self.book.scenarios.map(scenario));
        &all[..self.scenario_count()]
    }

    fn tier(&self, asset: u8) -> Tier {
        self.book.tier(asset, self.now)
    }

    #[inline(always)]
    fn quality(&self, index: u8) -> PriceQuality {
        let entry = &self.book.assets[usize::from(index)];
        PriceQuality {
            tier: self.book.tier(index, self.now),
            age_s: age_s(entry.publish_time, self.now),
            conf: Ppm(entry.conf),
            bound_down: Frac40(entry.bound_down),
            bound_up: Frac40(entry.bound_up),
            max_age_margin_s: entry.max_age_margin_s,
            max_age_liquidation_s: entry.max_age_liquidation_s,
            max_age_withdrawal_s: entry.max_age_withdrawal_s,
            max_age_pool_s: self.book.max_age_pool_s,
        }
    }
}

/// A side's carry, stored in two words, the low one first.
fn carry([low, high]: [u64; 2]) -> Carry48 {
    Carry48(((u128::from(high) << 64) | u128::from(low)) as i128)
}

fn scenario(stored: StoredScenario) -> Scenario {
    Scenario {
        k_num: stored.k_num,
        k_den: stored.k_den,
        v: stored.v,
        w: Ppm(stored.w),
    }
}

fn peak(stored: StoredPeak) -> ScenarioPeak {
    ScenarioPeak {
        scenario: scenario(stored.scenario),
        number: stored.number,
        reach: stored.reach,
    }
}

/// A margin account's balances and positions. Sizes are seen through what their sides keep, as the
/// book has it (margin-spec 8.5).
#[derive(Clone, Copy, Debug)]
pub struct MarginView<'a> {
    pub(crate) account: &'a MarginAccount,
    pub(crate) positions: &'a [Position],
    book: &'a RiskBook,
    /// Whether any side of the group was ever shrunk: until then what is stored is what is held.
    shrunk: bool,
}

impl<'a> MarginView<'a> {
    pub fn new(account: &'a MarginAccount, positions: &'a [Position], book: &'a RiskBook) -> Self {
        Self {
            account,
            positions,
            book,
            shrunk: book.shrunk != 0,
        }
    }

    /// A position through its side's keep.
    #[cold]
    #[inline(never)]
    fn kept_position(&self, slot: usize) -> Option<PositionLeg> {
        let position = self.positions.get(slot)?;
        if position.used == 0 {
            return None;
        }
        if self.book.is_touched(position) {
            return Some(position.leg());
        }
        Some(self.book.touched(position).leg)
    }

    pub fn account(&self) -> &'a MarginAccount {
        self.account
    }

    /// Position slots of the account, used or not.
    pub fn capacity(&self) -> usize {
        self.positions.len()
    }

    /// Whether the account holds nothing: no share of any bank, and no position slot in use.
    pub fn is_empty(&self) -> bool {
        let without_shares = |balance: &Balance| balance.shares == 0;
        self.account.balances.iter().all(without_shares)
            && self.positions.iter().all(|position| position.used == 0)
    }

    /// Where the account holds this bank.
    pub fn balance_slot(&self, bank: u8) -> Option<usize> {
        self.account
            .balances
            .iter()
            .position(|balance| balance.used != 0 && balance.bank == bank)
    }

    /// Where the account holds this bank, else the first free slot that `may_take` agrees to.
    pub fn taking_balance_slot(&self, bank: u8, may_take: impl Fn(usize) -> bool) -> Option<usize> {
        self.balance_slot(bank).or_else(|| {
            (0..BALANCE_SLOTS).find(|&slot| self.account.balances[slot].used == 0 && may_take(slot))
        })
    }

    pub fn free_balance_slot(&self) -> Option<usize> {
        self.account
            .balances
            .iter()
            .position(|balance| balance.used == 0)
    }

    /// Whether the stored position of a slot, if any, is up to date with its side.
    pub fn is_touched(&self, slot: usize) -> bool {
        let position = &self.positions[slot];
        !self.shrunk || position.used == 0 || self.book.is_touched(position)
    }

    /// Where the account holds this instrument.
    pub fn held_slot(&self, instrument: u8) -> Option<usize> {
        self.positions[..self.position_slots()]
            .iter()
            .position(|position| position.used != 0 && position.instrument == instrument)
    }

    /// Where the account holds this instrument, else the first free slot that `may_take` agrees to.
    pub fn position_slot(&self, instrument: u8, may_take: impl Fn(usize) -> bool) -> Option<usize> {
        self.held_slot(instrument).or_else(|| {
            (0..self.positions.len()).find(|&slot| self.positions[slot].used == 0 && may_take(slot))
        })
    }
}

impl MarginView<'_> {
    /// Where a referrer's part of a fee goes: where he holds the instrument, else a free slot among
    /// the first half, so that those he referred never take all of his slots.
    pub fn referral_slot(&self, instrument: u8, may_take: impl Fn(usize) -> bool) -> Option<usize> {
        let half = self.positions.len() / 2;
        self.position_slot(instrument, |slot| slot < half && may_take(slot))
    }
}

impl Legs for MarginView<'_> {
    fn balance_slots(&self) -> usize {
        BALANCE_SLOTS
    }

    fn balance(&self, slot: usize) -> Option<BalanceLeg> {
        let balance: &Balance = self.account.balances.get(slot)?;
        (balance.used != 0).then_some(BalanceLeg {
            rate: balance.bank,
            shares: Shares(balance.shares),
        })
    }

    /// Slots up to the last one in use: those behind it are empty.
    fn position_slots(&self) -> usize {
        usize::from(self.account.positions_end).min(self.positions.len())
    }

    fn asset_limit(&self) -> usize {
        if self.account.kind == MarginKind::Pool as u8 {
            MAX_ASSETS - 1
        } else {
            MAX_ASSETS_PER_ACCOUNT
        }
    }

    fn position(&self, slot: usize) -> Option<PositionLeg> {
        if self.shrunk {
            return self.kept_position(slot);
        }
        self.stored(slot)
    }

    fn is_stored(&self) -> bool {
        !self.shrunk
    }

    #[inline(always)]
    fn stored(&self, slot: usize) -> Option<PositionLeg> {
        let position = self.positions.get(slot)?;
        (position.used != 0).then_some(position.leg())
    }

    #[inline(always)]
    fn sized(&self, slot: usize) -> Option<u8> {
        if self.shrunk {
            let leg = self.kept_position(slot)?;
            return (leg.size.0 != 0).then_some(leg.instrument);
        }
        let position = self.positions.get(slot)?;
        let sized = position.used != 0 && position.size != 0;
        sized.then_some(position.instrument)
    }
}
