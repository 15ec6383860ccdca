//! A fill between two margin accounts: `settle_fill` of every trade (margin-spec 5.7, 7.2, 10.2).

use crate::book::PositionLeg;
use crate::carry::Carries;
use crate::error::RiskError;
use crate::limits::MAX_JUDGED_VALUE;
use crate::margin::Assessment;
use crate::num::{
    mul_shift_floor, ppm_floor, umul_shift_ceil, umul_shift_floor, value_ceil, wide_mul,
};
use crate::quote::FeeSplit;
use crate::units::{Atoms, Dust48, Lots, Ppm, Price};

const MILLION: u64 = 1_000_000;

/// What a taker of `size` lots pays at the mark moved against him by `half_spread`, rounded against
/// him by less than an atom: a buyer pays `ceil(size * mark * (1 + s))`; a seller's amount is
/// negative, he receives `floor(|size| * mark * (1 - s))`. Exact in 128 bits.
///
/// A half-spread above 1 leaves a seller nothing. Errors: `ZeroSize`; `TooLarge` beyond 2^54 atoms.
pub fn fill_amount(size: Lots, mark: Price, half_spread: Ppm) -> Result<Atoms, RiskError> {
    if size.0 == 0 {
        return Err(RiskError::ZeroSize);
    }
    let spread = u64::from(half_spread.0);
    let (high, low) = wide_mul(size.0.unsigned_abs(), mark.mantissa());
    let shift = mark.shift();
    let whole = umul_shift_floor(size.0.unsigned_abs(), mark.mantissa(), shift);
    if high >> 62 != 0 || whole > MAX_JUDGED_VALUE.unsigned_abs() {
        return Err(RiskError::TooLarge);
    }

    // amount = (whole + part / 2^shift) * rate / 1e6, split so that every product fits 64 bits:
    // whole / 1e6 < 2^34.1 and rate < 2^32.1; nested rounding in one direction is exact.
    let part = low & ((1 << shift) - 1);
    let amount = if size.0 > 0 {
        let rate = MILLION.saturating_add(spread);
        let rest = (whole % MILLION) * rate + umul_shift_ceil(part, rate, shift);
        (whole / MILLION)
            .checked_mul(rate)
            .and_then(|amount| amount.checked_add(rest.div_ceil(MILLION)))
    } else {
        let rate = MILLION.saturating_sub(spread);
        let rest = (whole % MILLION) * rate + umul_shift_floor(part, rate, shift);
        (whole / MILLION)
            .checked_mul(rate)
            .and_then(|amount| amount.checked_add(rest / MILLION))
    };
    let amount = amount.and_then(|amount| i64::try_from(amount).ok());
    let amount = amount.ok_or(RiskError::TooLarge)?;
    Ok(Atoms(if size.0 > 0 { amount } else { -amount }))
}

/// Refuses an amount worse than the trader's limit price, a mantissa of the mark's shift: both a
/// buyer and a seller want `amount <= size * limit`, floor, with the size's sign. Error: `BeyondLimit`.
pub fn check_limit(
    size: Lots,
    amount: Atoms,
    mark: Price,
    limit_price: u64,
) -> Result<(), RiskError> {
    let limit = Atoms(mul_shift_floor(size.0, limit_price, mark.shift()));
    if amount > limit {
        return Err(RiskError::BeyondLimit { amount, limit });
    }
    Ok(())
}

/// Refuses an amount farther from `size * mark` than `most` of it, in either direction: with half a
/// range that is `max_fill_deviation`, with a quarter `max_close_slip` (5.7). Error: `BeyondSlip`.
pub fn check_slip(size: Lots, amount: Atoms, mark: Price, most: Ppm) -> Result<(), RiskError> {
    let value = value_ceil(size, mark);
    let slip = amount.0.abs_diff(value.0);
    let allowed = ppm_floor(value.0.unsigned_abs(), most);
    if slip > allowed {
        return Err(RiskError::BeyondSlip {
            slip: Atoms(i64::try_from(slip).unwrap_or(i64::MAX)),
            allowed: Atoms(i64::try_from(allowed).unwrap_or(i64::MAX)),
        });
    }
    Ok(())
}

/// What a fill moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Lots that the taker gets; negative sells.
    pub size: Lots,
    /// What the taker pays for them; negative when he receives.
    pub amount: Atoms,
    /// What he pays besides, to the market.
    pub fee: Atoms,
}

/// Both sides after a fill, and what the market's ledger adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillPlan {
    pub taker_after: PositionLeg,
    pub maker_after: PositionLeg,
    /// Change of the sum of longs, and of the sum of shorts: equal while the ledger is (I3).
    pub open_interest_change_long: i64,
    pub open_interest_change_short: i64,
    /// From the taker's quote to the market.
    pub fee: Atoms,
    /// What both positions' quotes changed by together: minus the fee where nothing was carried (I2).
    pub quotes_change: i64,
    /// What rounding of the carry kept from both sides, below two atoms: the market's.
    pub residue: Dust48,
}

impl FillPlan {
    /// A fill of nothing.
    pub const EMPTY: Self = Self {
        taker_after: PositionLeg::EMPTY,
        maker_after: PositionLeg::EMPTY,
        open_interest_change_long: 0,
        open_interest_change_short: 0,
        fee: Atoms(0),
        quotes_change: 0,
        residue: Dust48(0),
    };

    /// Gives the maker and a referrer their parts of a fee that [`plan_fill`] gave to the market
    /// whole. The referrer's quote is the caller's to write; it is in `quotes_change`, so that quotes
    /// and fees sum to what they were (I2). Error: `TooLarge`.
    pub fn share_fee(&mut self, split: FeeSplit) -> Result<(), RiskError> {
        let maker = self.maker_after.quote.0.checked_add(split.maker.0);
        self.maker_after.quote = Atoms(maker.ok_or(RiskError::TooLarge)?);
        let given = split.maker.0.saturating_add(split.referral.0);
        self.quotes_change = self.quotes_change.wrapping_add(given);
        self.fee = split.market;
        Ok(())
    }
}

/// Settles a fill: the taker gets `size` and pays `amount` and `fee`, the maker gets the exact
/// negative of size and amount, so that sizes sum to zero (I3).
///
/// Carry is part of the price (7.2): where a side's lots change by d, its quote gains `d * F` of that
/// side, floor for each account, so that its worth `size * (mark - F) + quote` changes by what was
/// traded and no more. Crossing zero closes on one side and opens on the other. What the floors cut
/// off is `residue`: quotes less carry, fees and residue sum to what they were, exactly (I2).
/// Errors: `ZeroSize`, `TooLarge`.
pub fn plan_fill(
    taker: PositionLeg,
    maker: PositionLeg,
    fill: Fill,
    carries: Carries,
) -> Result<FillPlan, RiskError> {
    let Fill { size, amount, fee } = fill;
    if size.0 == 0 {
        return Err(RiskError::ZeroSize);
    }
    let paid = amount.0.checked_add(fee.0).ok_or(RiskError::TooLarge)?;
    let (taker_after, taker_dust) = moved(taker, size.0, paid.checked_neg(), carries)?;
    let (maker_after, maker_dust) = moved(maker, size.opposite().0, Some(amount.0), carries)?;
    let (long, short) = open_interest_change(&[(taker, taker_after), (maker, maker_after)]);
    Ok(FillPlan {
        taker_after,
        maker_after,
        open_interest_change_long: long,
        open_interest_change_short: short,
        fee,
        quotes_change: quotes_change(&[(taker, taker_after), (maker, maker_after)]),
        residue: Dust48(taker_dust.0 + maker_dust.0),
    })
}

/// A position with `size` and `quote` added, what its lots' carry comes to included, floor; and what
/// the floor cut off, below one atom.
pub(crate) fn moved(
    leg: PositionLeg,
    size: i64,
    quote: Option<i64>,
    carries: Carries,
) -> Result<(PositionLeg, Dust48), RiskError> {
    // Sizes and carry stay within +-(2^62) so that no later sum of two overflows.
    const SIZE_END: u64 = 1 << 62;
    let before = leg.size.0;
    let after = before.checked_add(size).ok_or(RiskError::TooLarge)?;
    if after.unsigned_abs() >= SIZE_END {
        return Err(RiskError::TooLarge);
    }
    let long = after.max(0).saturating_sub(before.max(0));
    let short = after.min(0).saturating_sub(before.min(0));
    let (carried, dust) = carries.value(long, short);
    // Beyond this the value may have saturated.
    if carried.unsigned_abs() >= SIZE_END {
        return Err(RiskError::TooLarge);
    }
    let quote = quote
        .and_then(|quote| leg.quote.0.checked_add(quote))
        .and_then(|quote| quote.checked_add(carried))
        .ok_or(RiskError::TooLarge)?;
    let after = PositionLeg {
        instrument: leg.instrument,
        size: Lots(after),
        quote: Atoms(quote),
    };
    Ok((after, dust))
}

/// Change of the sum of longs and of the sum of shorts over two positions; saturates.
pub(crate) fn open_interest_change(changes: &[(PositionLeg, PositionLeg); 2]) -> (i64, i64) {
    let (mut long, mut short) = (0i64, 0i64);
    for (before, after) in changes {
        let (before, after) = (before.size.0, after.size.0);
        long = long.saturating_add(after.max(0).saturating_sub(before.max(0)));
        short = short.saturating_add(before.min(0).saturating_sub(after.min(0)));
    }
    (long, short)
}

/// What two positions' quotes changed by together; wraps only where `moved` would have refused.
pub(crate) fn quotes_change(changes: &[(PositionLeg, PositionLeg); 2]) -> i64 {
    changes.iter().fold(0, |sum, (before, after)| {
        sum.wrapping_add(after.quote.0.wrapping_sub(before.quote.0))
    })
}

/// What an order that only reduces may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduction {
    pub fees: Atoms,
}

/// The judged part of 5.7: neither health falls by more than the fees. The rest of the clause is
/// the caller's: sizes towards zero, no borrow grows, nothing leaves, every fill within
/// `max_close_slip` by [`check_slip`]. Error: `NotRiskReducing` with the larger fall.
pub fn is_risk_reducing(
    before: &Assessment,
    after: &Assessment,
    reduction: Reduction,
) -> Result<(), RiskError> {
    let fall = |before: Atoms, after: Atoms| before.0.saturating_sub(after.0);
    let maintenance = fall(before.maintenance.health(), after.maintenance.health());
    let initial = fall(before.initial.health(), after.initial.health());
    let fell = Atoms(maintenance.max(initial));
    let allowed = reduction.fees;
    if fell > allowed {
        return Err(RiskError::NotRiskReducing { fell, allowed });
    }
    Ok(())
}
