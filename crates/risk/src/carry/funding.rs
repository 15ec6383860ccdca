//! Funding of a pool market (margin-spec 7.2): the velocity model of Synthetix Perps v2. What is
//! paid for being on the crowded side rises while it is crowded and falls while the other one is.

use crate::carry::{Carries, LEAST_STEP, price48};
use crate::units::{Carry48, Ppm, Price};

/// Seconds of a day.
pub const DAY_S: i64 = 86_400;
/// Longest time that one accrual of funding counts, seconds (7.2).
pub const MAX_FUNDING_S: i64 = 3_600;
/// No market's funding may exceed this a day (7.2).
pub const MAX_FUNDING: Ppm = Ppm(120_000);

/// Where funding that is due was not accrued for longer, exposure does not grow: 1 h (7.1).
pub const MAX_ACCRUAL_AGE_S: u32 = 3_600;

/// A market's funding as its ledger has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingState {
    /// Share of the mark that longs pay to shorts per day, 48 fractional bits.
    pub rate: i64,
    /// Sum of skew times seconds since the last accrual; skew is what traders hold net, in lots.
    pub skew_integral: i128,
    pub since: i64,
    pub carries: Carries,
}

/// A market's terms of funding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingTerms {
    /// How much the daily rate changes in a day of full skew.
    pub velocity: Ppm,
    /// The daily rate stays within this on both sides.
    pub max_funding: Ppm,
    /// Full skew, lots; 0 for a market without funding.
    pub skew_scale: u64,
    pub mark: Price,
    pub now: i64,
}

/// A market's funding brought to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingPlan {
    pub after: FundingState,
    /// What F of both sides rose by: a long lot paid it and a short one received it.
    pub step: Carry48,
    /// Seconds that counted; 0 where nothing is written.
    pub counted_s: i64,
}

/// The sum of skew times seconds after `skew` lots were held for `elapsed_s`; saturates. Whoever
/// changes the skew calls it first.
#[must_use]
pub const fn integrated(integral: i128, skew: i64, elapsed_s: i64) -> i128 {
    let elapsed = if elapsed_s > 0 { elapsed_s } else { 0 };
    integral.saturating_add(skew as i128 * elapsed as i128)
}

/// Funding up to now (7.2): `rate += velocity * (average skew / skew_scale) * dt`, within
/// `max_funding`; F of both sides rises by `mark * (mean of old and new rate) * dt`, so that longs
/// pay what shorts receive, to the last bit: the step is one number, and its rounding (towards zero)
/// is both sides' alike. The average skew is over all the time since the last accrual and counts at
/// most full; dt counts at most an hour.
///
/// A step below [`LEAST_STEP`] writes nothing and leaves time and integral, unless nothing is owed
/// at all (7.3). Total: a time before the last accrual counts as none.
#[must_use]
pub fn plan_funding(state: &FundingState, terms: &FundingTerms) -> FundingPlan {
    let idle = FundingPlan {
        after: *state,
        step: Carry48(0),
        counted_s: 0,
    };
    let elapsed = terms.now.saturating_sub(state.since);
    if elapsed <= 0 {
        return idle;
    }
    let counted = elapsed.min(MAX_FUNDING_S);
    let rate = next_rate(state, terms, elapsed, counted);

    // mark < 2^96 with 48 bits and the sum of two rates < 2^47: 36 bits of the product are dropped
    // before the hour is multiplied in, so that 128 bits hold it.
    let both = i128::from(state.rate) + i128::from(rate);
    let mark = price48(terms.mark);
    let step = if mark < 1 << 66 {
        (mark * both * i128::from(counted)) / (i128::from(2 * DAY_S) << 48)
    } else {
        ((mark >> 36) * both * i128::from(counted)) / (i128::from(2 * DAY_S) << 12)
    };
    let skewed = state.skew_integral != 0 && terms.skew_scale != 0;
    let nothing = both == 0 && rate == state.rate && !skewed;
    if step.unsigned_abs() < u128::from(LEAST_STEP) && !nothing {
        return idle;
    }
    let risen = |carry: Carry48| Carry48(carry.0.saturating_add(step));
    FundingPlan {
        after: FundingState {
            rate,
            skew_integral: 0,
            since: terms.now,
            carries: Carries {
                long: risen(state.carries.long),
                short: risen(state.carries.short),
            },
        },
        step: Carry48(step),
        counted_s: counted,
    }
}

/// For how long funding that is due was not accrued, seconds: none where an accrual now would move
/// neither rate nor carry, be the last one ever so old (7.1, 7.3). Time within an hour counts as it is.
#[must_use]
pub fn funding_age_s(state: &FundingState, terms: &FundingTerms) -> u32 {
    let elapsed = terms.now.saturating_sub(state.since).max(0);
    let age = u32::try_from(elapsed).unwrap_or(u32::MAX);
    if age <= MAX_ACCRUAL_AGE_S {
        return age;
    }
    let plan = plan_funding(state, terms);
    if plan.step.0 == 0 && plan.after.rate == state.rate {
        return 0;
    }
    age
}

/// The daily rate after `counted` seconds at the average skew of `elapsed`, towards zero.
fn next_rate(state: &FundingState, terms: &FundingTerms, elapsed: i64, counted: i64) -> i64 {
    let most = i64::from(terms.max_funding.0.min(MAX_FUNDING.0));
    let most = (i128::from(most) << 48) / 1_000_000;
    let scale = i128::from(terms.skew_scale);
    if scale == 0 {
        return 0;
    }
    let average = (state.skew_integral / i128::from(elapsed)).clamp(-scale, scale);
    // velocity < 2^32, counted < 2^12: velocity * counted * 2^48 < 2^92 and 2^32 skews fit; larger
    // scales drop the bits of the skew that do not matter.
    let drop = 96u32.saturating_sub(scale.leading_zeros());
    let (average, scale) = (average / (1 << drop), (scale >> drop).max(1));
    let full = (i128::from(terms.velocity.0) * i128::from(counted)) << 48;
    let change = full / (1_000_000 * i128::from(DAY_S)) * average / scale;
    let rate = (i128::from(state.rate) + change).clamp(-most, most);
    rate as i64
}
