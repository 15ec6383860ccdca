//! Interest on borrows (margin-spec 7.1, 7.3): the kinked utilisation curve of Aave v2, with the two
//! kinks and three rates of Drift's and Mango v4's banks, continuously compounded.

use crate::ledger::{Accruing, BankChange, BankLedger};
use crate::num::{mul_div_ceil, mul_div_floor, ppm_ceil, wide_mul};
use crate::units::{Index48, PerSecond64, Ppm};

/// Seconds of a year (1.2).
pub const YEAR_S: u64 = 31_536_000;
/// An index moves by at least this many of its finest units, or not at all (7.3).
pub const LEAST_STEP: u64 = 1 << 12;
/// No index grows beyond this, 2^14 tokens per share.
pub const MAX_INDEX: Index48 = Index48(1 << 62);
/// A borrow grows at most e-fold in one accrual: a bank that nobody brought to now for so long loses
/// the rest.
const MAX_GROWTH: u64 = u64::MAX;

/// What borrowing costs a year, by utilisation: straight lines from `rate[0]` at none, through
/// `rate[0]` at `utilisation[0]` and `rate[1]` at `utilisation[1]`, to `rate[2]` at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateCurve {
    /// The kinks, rising, at most 1.
    pub utilisation: [Ppm; 2],
    /// Rising. The first line starts at nothing.
    pub rate: [Ppm; 3],
}

impl RateCurve {
    /// The yearly rate at a utilisation, ceil; utilisation counts at most 1. Kinks that do not rise
    /// count as a step.
    #[must_use]
    pub fn at(&self, utilisation: Ppm) -> Ppm {
        let used = utilisation.0.min(1_000_000);
        let [low, high] = self.utilisation;
        let [first, second, last] = self.rate;
        if used <= low.0 {
            line((0, 0), (low.0, first.0), used)
        } else if used <= high.0 {
            line((low.0, first.0), (high.0, second.0), used)
        } else {
            line((high.0, second.0), (1_000_000, last.0), used)
        }
    }
}

/// The line between two points at `x`, ceil; the later point where there is no room between them,
/// and never below the earlier one.
fn line(from: (u32, u32), to: (u32, u32), x: u32) -> Ppm {
    let (run, rise) = (to.0.saturating_sub(from.0), to.1.saturating_sub(from.1));
    if run == 0 {
        return Ppm(to.1.max(from.1));
    }
    let part = u64::from(x.saturating_sub(from.0)) * u64::from(rise);
    let risen = part.div_ceil(u64::from(run)) as u32;
    Ppm(from.1.saturating_add(risen))
}

/// Borrows over deposits in ppm, ceil, at most 1; 1 where something is owed and nothing deposited.
#[must_use]
pub fn utilisation(deposits: u64, borrows: u64) -> Ppm {
    let ppm = match mul_div_ceil(borrows, 1_000_000, deposits) {
        Some(ppm) => ppm.min(1_000_000),
        None if borrows == 0 => 0,
        None => 1_000_000,
    };
    Ppm(ppm as u32)
}

/// A yearly rate as growth per second, ceil.
#[must_use]
pub fn per_second(rate: Ppm) -> PerSecond64 {
    const PPM_YEAR: u128 = 1_000_000 * YEAR_S as u128;
    let wide = (u128::from(rate.0) << 64).div_ceil(PPM_YEAR);
    PerSecond64(u64::try_from(wide).unwrap_or(u64::MAX))
}

/// What deposits grow by per second while borrows grow at `rate`: `rate * borrows / deposits`, less the
/// insurance share, floor. For clients: indices alone decide what is owed.
#[must_use]
pub fn earned_rate(bank: &BankLedger, rate: PerSecond64, insurance_share: Ppm) -> PerSecond64 {
    if rate.0 == 0 {
        return rate;
    }
    let earned = mul_div_floor(rate.0, bank.borrows(), bank.deposits()).unwrap_or(0);
    let insured = ppm_ceil(earned, insurance_share);
    PerSecond64(earned.saturating_sub(insured))
}

/// The borrow index as judging sees it: at the published rate since it was published, ceil (4.1).
///
/// What may be pending (7.3) is added too, and the compounding within the time is not: while
/// `rate * dt` is below 1/500 that is less than 1/1,000 of the interest. A time before the
/// publication counts as none. Saturates.
#[inline]
#[must_use]
pub const fn extrapolated(index: Index48, rate: PerSecond64, elapsed_s: i64) -> Index48 {
    if elapsed_s <= 0 || rate.0 == 0 {
        return index;
    }
    let growth = rate.0.saturating_mul(elapsed_s as u64);
    let (grown, rest) = wide_mul(index.0, growth);
    let grown = grown.saturating_add((rest != 0) as u64);
    Index48(index.0.saturating_add(grown).saturating_add(LEAST_STEP))
}

/// What brings a bank to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccrualTerms {
    pub curve: RateCurve,
    /// Share of the interest that goes to the bank's insurance.
    pub insurance_share: Ppm,
    pub now: i64,
}

/// A bank brought to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccrualPlan {
    /// Of the bank's ledger: indices and insurance; what rounding leaves joins its dust.
    pub change: BankChange,
    /// What borrowers were charged, native units.
    pub charged: u64,
    /// Of that, to depositors and to the insurance.
    pub to_depositors: u64,
    pub to_insurance: u64,
    /// The rate of the utilisation that holds from now on, and what is still pending.
    pub accruing: Accruing,
}

/// Interest up to now at the rate of the utilisation that held since, which is the ledger's: every
/// instruction that changes a bank's totals does this first (7.1). So a borrow that is repaid at
/// the time it was taken earns nothing.
///
/// The borrow index grows by `exp(rate * time) - 1`, ceil: how often a bank is brought to now makes
/// no difference but in rounding. Growth that would move it by less than [`LEAST_STEP`] is kept
/// `pending` and charged later at the rate at which it accrued (7.3). The deposit index rises by what
/// borrowers were charged less the insurance share (ceil), floor. Total; a time before the last
/// accrual counts as none; an index ends at [`MAX_INDEX`].
#[must_use]
pub fn plan_accrual(bank: &BankLedger, accruing: Accruing, terms: &AccrualTerms) -> AccrualPlan {
    let elapsed = terms.now.saturating_sub(accruing.since).max(0);
    let (deposits, borrows) = (bank.deposits(), bank.borrows());
    let rate = per_second(terms.curve.at(utilisation(deposits, borrows)));
    let due = if borrows == 0 {
        0
    } else {
        let grown = u128::from(rate.0) * u128::from(elapsed.unsigned_abs());
        grown.saturating_add(u128::from(accruing.pending))
    };
    let growth = u64::try_from(due).unwrap_or(MAX_GROWTH);
    let step = grown_by(bank.borrow_index, growth);

    let mut plan = AccrualPlan {
        change: BankChange::default(),
        charged: 0,
        to_depositors: 0,
        to_insurance: 0,
        accruing: Accruing {
            rate,
            since: accruing.since.max(terms.now),
            pending: growth,
        },
    };
    if step < LEAST_STEP {
        return plan;
    }

    let index = bank.borrow_index.0.saturating_add(step).min(MAX_INDEX.0);
    let charged = BankLedger {
        borrow_index: Index48(index.max(bank.borrow_index.0)),
        ..*bank
    };
    plan.charged = charged.borrows().saturating_sub(borrows);
    plan.to_insurance = ppm_ceil(plan.charged, terms.insurance_share).min(plan.charged);
    let rest = plan.charged - plan.to_insurance;
    let rise = mul_div_floor(rest, Index48::ONE.0, bank.deposit_shares).unwrap_or(0);
    let deposit_index = bank.deposit_index.0.saturating_add(rise).min(MAX_INDEX.0);
    let deposit_index = Index48(deposit_index.max(bank.deposit_index.0));
    plan.to_depositors = BankLedger {
        deposit_index,
        ..*bank
    }
    .deposits()
    .saturating_sub(deposits);
    plan.change = BankChange {
        insurance: i64::try_from(plan.to_insurance).unwrap_or(i64::MAX),
        indices: Some((deposit_index, charged.borrow_index)),
        ..BankChange::default()
    };
    plan.accruing.pending = 0;
    let after = bank.after(&plan.change);
    let held = utilisation(after.deposits(), after.borrows());
    plan.accruing.rate = per_second(terms.curve.at(held));
    plan
}

/// `index * (exp(growth) - 1)`, ceil, for growth as a fraction of 64 bits: the exponential's series,
/// each term rounded up, until a term is one unit. Saturates.
fn grown_by(index: Index48, growth: u64) -> u64 {
    if growth == 0 {
        return 0;
    }
    // term_n = term_(n-1) * growth / n: growth is below 1, so it ends after some twenty terms.
    let mut term = u128::from(growth);
    let mut sum = term;
    let mut n = 2u128;
    while term > 1 {
        // term < 2^64: the product is below 2^128.
        term = (term * u128::from(growth)).div_ceil(n << 64);
        sum += term;
        n += 1;
    }
    // sum < 1.72 * 2^64 and index <= 2^62: in two parts, so that no product exceeds 128 bits.
    let (whole, part) = ((sum >> 64) as u64, sum as u64);
    let (high, low) = wide_mul(index.0, part);
    let grown = high.saturating_add(u64::from(low != 0));
    index.0.saturating_mul(whole).saturating_add(grown)
}
