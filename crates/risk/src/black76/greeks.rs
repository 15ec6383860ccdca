//! The Greeks of an option (margin-spec 6.2): Hull, "Options, Futures, and Other Derivatives",
//! chapter on the Greek letters, with the forward in place of the asset and no discounting.

use super::surface::{Deviation, RootTime};
use super::{Contract, Moneyness, OptionSide};
use crate::book::Greeks;
use crate::math::{PER_ROOT_YEAR, density_scaled, ln, mills};
use crate::num::umul_shift_floor;
use crate::units::Delta30;

const ONE_32: u64 = 1 << 32;
/// Half of a year of 31,536,000 s.
const HALF_YEAR_S: u64 = 15_768_000;
const DAYS_PER_YEAR: u64 = 365;

/// A value and its derivatives. All but the value are per unit of forward, so that they do not
/// depend on the unit. Each is within 1e-6 of its greatest value over all strikes, and its last bit,
/// where the value's error is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Valued {
    /// As [`super::value`] gives it.
    pub value: u64,
    /// dV/dF, 32 fractional bits: calls 0 to 1, puts -1 to 0.
    pub delta: i64,
    /// F * d2V/dF2, 32 fractional bits: what delta changes by if F changed by all of itself.
    pub gamma: u64,
    /// dV/dsigma / F, sigma in units of 1.00, 40 fractional bits.
    pub vega: u64,
    /// The change of V in a year / F, 40 fractional bits; never positive.
    pub theta: i64,
}

/// The value and the Greeks of a contract.
///
/// Without time or volatility, and 6.5 deviations or more away from the strike, delta is that of
/// the intrinsic value (one half at the money) and the others are zero. Total, like the value.
#[must_use]
pub fn greeks(contract: &Contract) -> Valued {
    let time = RootTime::new(contract.time_s);
    let deviation = Deviation::new(contract.sigma, time);
    let (forward, strike) = (contract.forward, contract.strike);

    let (log_forward, log_strike) = (ln(forward), ln(strike));
    let z = log_forward.abs_diff(log_strike);
    let mut valued = match deviation.distance(z) {
        None => intrinsic(forward, strike),
        Some(t) => {
            let (t, u) = (t as i64, deviation.half as i64);
            let d1 = if forward < strike { u - t } else { u + t };
            slopes(contract, d1, &deviation, time)
        }
    };
    if contract.side == OptionSide::Put {
        valued.delta -= ONE_32 as i64;
    }
    valued.value = Moneyness::new(contract, forward, &deviation).value(&deviation);
    valued
}

/// A call's Greeks without time or volatility.
fn intrinsic(forward: u64, strike: u64) -> Valued {
    let delta = match forward.cmp(&strike) {
        core::cmp::Ordering::Less => 0,
        core::cmp::Ordering::Equal => ONE_32 / 2,
        core::cmp::Ordering::Greater => ONE_32,
    };
    Valued {
        delta: delta as i64,
        ..Valued::default()
    }
}

/// A call's Greeks at `d1` with 32 fractional bits: `N(d1)`, `n(d1) / s`, `n(d1) sqrt T`,
/// `-n(d1) s / 2T`.
fn slopes(contract: &Contract, d1: i64, deviation: &Deviation, time: RootTime) -> Valued {
    // |d1| <= 6.5 + 2.5.
    let distance = d1.unsigned_abs();
    let falling = density_scaled(distance);
    let density = (falling.mantissa >> 8) >> falling.shift;
    let tail = density.wrapping_mul(mills(distance as i64) >> 8) >> 32;
    let delta = if d1 < 0 { tail } else { ONE_32 - tail };

    // n < 0.4, so the dividend is below 2^63; s = mantissa / 2^exponent, exponent at most 64.
    let ratio = (density << 32) / deviation.mantissa;
    let gamma = if deviation.exponent < 32 {
        ratio >> (32 - deviation.exponent)
    } else {
        ratio << (deviation.exponent - 32)
    };
    // 31 bits times 32, then 32 bits times 32.
    let vega =
        (density.wrapping_mul(time.root) >> 31).wrapping_mul(PER_ROOT_YEAR) >> (time.scale + 5);
    // 32 bits times 24 over T. A small s has a large exponent; at exponent 32, where the shift is to
    // the left by 7, s is below 1, and below 31 by one for each doubling of s = sigma sqrt T, which
    // for T of 1 s is below 0.77: the result is below 2^63.
    let decay = (density.wrapping_mul(deviation.mantissa) >> 31).wrapping_mul(HALF_YEAR_S)
        / u64::from(contract.time_s.max(1));
    let theta = if deviation.exponent < 39 {
        decay << (39 - deviation.exponent)
    } else {
        decay >> (deviation.exponent - 39)
    };
    Valued {
        value: 0,
        delta: delta as i64,
        gamma,
        vega,
        theta: -(theta as i64),
    }
}

/// The Greeks of one lot as published (6.2), for a contract in `2^-shift` atoms per lot: like a
/// [`crate::Price`] of that shift. Rounded towards zero, delta down; saturates.
#[must_use]
pub fn lot_greeks(valued: &Valued, forward: u64, shift: u8) -> Greeks {
    // 40 fractional bits less 24 leave 16.
    let atoms = |slope: u64, share: u64| {
        let scaled = umul_shift_floor(forward, slope, 24) / share;
        i64::try_from(scaled >> shift.min(63)).unwrap_or(i64::MAX)
    };
    Greeks {
        delta: Delta30(i32::try_from(valued.delta >> 2).unwrap_or(i32::MAX)),
        // A hundredth, and 30 bits of 32.
        gamma: i64::try_from(valued.gamma / 400).unwrap_or(i64::MAX),
        vega: atoms(valued.vega, 100),
        theta: -atoms(valued.theta.unsigned_abs(), DAYS_PER_YEAR),
    }
}
