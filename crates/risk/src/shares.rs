//! Balances: shares of a bank at its index (margin-spec 4.1). A round trip never gains. And what many
//! of them weigh (4.4).

use crate::num::{mul_div_floor, mul_index, positive};
use crate::units::{Index48, Native, Ppm, Shares};

/// Native units of deposited shares, floor; saturates. Negative shares count as none.
#[must_use]
pub const fn deposit_amount(shares: Shares, index: Index48) -> Native {
    let held = if shares.0 > 0 { shares.0 } else { 0 };
    Native(positive(mul_index(held as u64, index).0))
}

/// Native units owed for borrowed (negative) shares, ceil, as a positive amount; saturates.
/// Positive shares count as none.
#[must_use]
pub const fn borrow_amount(shares: Shares, index: Index48) -> Native {
    let owed = if shares.0 < 0 {
        shares.0.saturating_neg()
    } else {
        0
    };
    let (whole, rest) = mul_index(owed as u64, index);
    Native(positive(whole.saturating_add(rest as u64)))
}

/// What a balance is worth in native units, towards minus infinity: + deposit, - borrow.
#[inline(always)]
#[must_use]
pub const fn amount(shares: Shares, deposit_index: Index48, borrow_index: Index48) -> Native {
    if shares.0 >= 0 {
        deposit_amount(shares, deposit_index)
    } else {
        Native(-borrow_amount(shares, borrow_index).0)
    }
}

/// Shares credited for a deposit of `amount` native units, floor; saturates, and none for an amount
/// or an index of zero or less.
#[must_use]
pub const fn shares_for_deposit(amount: Native, index: Index48) -> Shares {
    Shares(divide(amount, index, false))
}

/// Shares burned for a withdrawal of `amount` native units, ceil; saturates.
#[must_use]
pub const fn shares_for_withdrawal(amount: Native, index: Index48) -> Shares {
    Shares(divide(amount, index, true))
}

/// Shares owed (as a positive number) for borrowing `amount` native units, ceil; saturates.
#[must_use]
pub const fn shares_for_borrow(amount: Native, index: Index48) -> Shares {
    Shares(divide(amount, index, true))
}

/// Owed shares that a repayment of `amount` native units extinguishes, floor; saturates.
#[must_use]
pub const fn shares_for_repayment(amount: Native, index: Index48) -> Shares {
    Shares(divide(amount, index, false))
}

/// `amount * 2^48 / index` in the named direction; `i64::MAX` when it does not fit.
const fn divide(amount: Native, index: Index48, up: bool) -> i64 {
    if amount.0 <= 0 {
        return 0;
    }
    // A bank that never accrued is the common case and needs no division.
    if index.0 == Index48::ONE.0 {
        return amount.0;
    }
    if index.0 == 0 {
        return if up { i64::MAX } else { 0 };
    }
    // amount < 2^63, so the shifted amount is below 2^111.
    let wide = (amount.0 as u128) << 48;
    let quotient = if up {
        wide.div_ceil(index.0 as u128)
    } else {
        wide / index.0 as u128
    };
    if quotient > i64::MAX as u128 {
        return i64::MAX;
    }
    quotient as i64
}

/// The balance after `amount` native units came in: they repay the borrow first, floor, and what is
/// left is a deposit, floor. Saturates.
#[must_use]
pub const fn credited(
    shares: Shares,
    amount: Native,
    deposit_index: Index48,
    borrow_index: Index48,
) -> Shares {
    let owed = borrow_amount(shares, borrow_index);
    if shares.0 < 0 && amount.0 < owed.0 {
        let repaid = shares_for_repayment(amount, borrow_index);
        return Shares(shares.0.saturating_add(repaid.0));
    }
    let kept = if shares.0 > 0 { shares.0 } else { 0 };
    let rest = Native(amount.0.saturating_sub(owed.0));
    Shares(kept.saturating_add(shares_for_deposit(rest, deposit_index).0))
}

/// The balance after `amount` native units went out: from the deposit first, ceil, and what it lacks
/// is borrowed, ceil. Saturates.
#[must_use]
pub const fn debited(
    shares: Shares,
    amount: Native,
    deposit_index: Index48,
    borrow_index: Index48,
) -> Shares {
    let held = deposit_amount(shares, deposit_index);
    if amount.0 <= held.0 {
        let burned = shares_for_withdrawal(amount, deposit_index);
        return Shares(shares.0.saturating_sub(burned.0));
    }
    let owed = if shares.0 < 0 { shares.0 } else { 0 };
    let lacking = Native(amount.0.saturating_sub(held.0));
    Shares(owed.saturating_sub(shares_for_borrow(lacking, borrow_index).0))
}

/// A deposit's weight in Initial where a bank holds much (4.4): beyond `start` native units of deposits
/// it is scaled by `start / total`, floor. A start of 0 never scales.
#[must_use]
pub fn scaled_weight(weight: Ppm, total: u64, start: u64) -> Ppm {
    if start == 0 || total <= start {
        return weight;
    }
    let scaled = mul_div_floor(u64::from(weight.0), start, total);
    Ppm(scaled.unwrap_or(0) as u32)
}
