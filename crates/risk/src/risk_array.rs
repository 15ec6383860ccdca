//! The risk array of one lot of an option (margin-spec 5.8), as in CME SPAN: what the lot gains in
//! each scenario, at a price and a volatility moved as the scenario says.

use crate::black76::{Contract, Deviation, Moneyness, RootTime};
use crate::book::Scenario;
use crate::math::power;
use crate::num::{signed_ppm_floor, umul_shift_ceil, umul_shift_floor};
use crate::units::Ppm;

const MILLION: u64 = 1_000_000;
const DAY_S: u32 = 86_400;
const MONTH_S: u32 = 30 * DAY_S;
/// How volatility moves with time to expiry: less than in proportion, and less so beyond a month.
const NEAR_POWER: Ppm = Ppm(300_000);
const FAR_POWER: Ppm = Ppm(130_000);
/// Binary places of a shocked forward's ratio to the forward.
const RATIO_BITS: u32 = 36;
const MAX_FORWARD: u64 = (1 << 54) - 1;

/// An option's lot and how far its price and volatility are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayTerms {
    /// Forward and strike of one lot, in `2^-shift` atoms.
    pub contract: Contract,
    /// Binary places of forward and strike, like a [`crate::Price`]'s; counts at most 62.
    pub shift: u8,
    /// The price move that maintenance covers.
    pub range: Ppm,
    /// The volatility's move at 30 days, as a share of it.
    pub vol_range: Ppm,
    /// No scenario has a lower volatility.
    pub vol_floor: Ppm,
}

/// `A[s] = floor(w_s * (V(F (1 + shock_s), sigma_s) - V(F, sigma)))` in atoms per lot, for as many
/// scenarios as there are places in `out`; saturates at the ends of `i32`.
///
/// `shock_s = max(k_s * range, -1)`; the shocked forward is rounded down, and is below 2^54. V is
/// [`crate::black76::value`].
pub fn risk_array(terms: &ArrayTerms, scenarios: &[Scenario], out: &mut [i32]) {
    let contract = &terms.contract;
    let time = RootTime::new(contract.time_s);
    let distance = volatility_move(terms);
    let of = |direction| Deviation::new(moved_sigma(terms, direction, distance), time);
    let deviations = [of(-1), of(0), of(1)];
    let unmoved = Moneyness::new(contract, contract.forward, &deviations[1]);
    let base = unmoved.value(&deviations[1]);

    // Scenarios that differ in volatility alone follow each other: they share the moneyness.
    let (mut last, mut moneyness) = ((0, 1), unmoved);
    for (scenario, place) in scenarios.iter().zip(out) {
        let deviation = match scenario.v.signum() {
            -1 => &deviations[0],
            0 => &deviations[1],
            _ => &deviations[2],
        };
        let shock = (scenario.k_num, scenario.k_den);
        if shock != last || !moneyness.suits(deviation) {
            let forward = shocked_forward(contract.forward, scenario, terms.range);
            moneyness = Moneyness::new(contract, forward, deviation);
            last = shock;
        }
        // Both are below 2^54 where forward and strike are; a difference beyond wraps, harmlessly.
        let gain = (moneyness.value(deviation) as i64).wrapping_sub(base as i64);
        // Two floors in a row are the floor of the whole.
        let atoms = signed_ppm_floor(gain, scenario.w) >> terms.shift.min(62);
        *place = atoms.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    }
}

/// The volatility in direction `v` (-1, 0, +1): `sigma * (1 + v * vol_range * (30d / max(dte,
/// 1d))^0.30)`, power 0.13 beyond 30 days. The move is rounded up. Not below `vol_floor` for +1, not
/// below `max(sigma / 4, vol_floor)` for -1; saturates.
#[must_use]
pub fn scenario_sigma(terms: &ArrayTerms, direction: i8) -> Ppm {
    moved_sigma(terms, direction, volatility_move(terms))
}

/// How far sigma moves, in ppm per root of a year, ceil.
fn volatility_move(terms: &ArrayTerms) -> u64 {
    let days = terms.contract.time_s.max(DAY_S);
    let exponent = if days <= MONTH_S {
        NEAR_POWER
    } else {
        FAR_POWER
    };
    let stretch = power(MONTH_S.into(), days.into(), exponent);
    // Two ratios of 32 bits; the stretch is below 2.8.
    let share = u64::from(terms.contract.sigma.0).wrapping_mul(terms.vol_range.0.into());
    umul_shift_ceil(share, stretch, 32).div_ceil(MILLION)
}

fn moved_sigma(terms: &ArrayTerms, direction: i8, distance: u64) -> Ppm {
    if direction == 0 {
        return terms.contract.sigma;
    }
    let sigma = u64::from(terms.contract.sigma.0);
    let floor = u64::from(terms.vol_floor.0);
    let moved = if direction > 0 {
        sigma.saturating_add(distance).max(floor)
    } else {
        let least = (sigma / 4).max(floor);
        sigma.saturating_sub(distance).max(least)
    };
    Ppm(u32::try_from(moved).unwrap_or(u32::MAX))
}

/// `F * (1 + max(k * range, -1))`, floor; the shock has 36 binary places, rounded towards zero.
#[must_use]
pub fn shocked_forward(forward: u64, scenario: &Scenario, range: Ppm) -> u64 {
    // 7 bits times 32 over 20 bits times 8.
    let moved = u64::from(scenario.k_num.unsigned_abs()).wrapping_mul(range.0.into());
    let unit = MILLION.wrapping_mul(u64::from(scenario.k_den.max(1)));
    let (whole, rest) = (moved / unit, moved % unit);
    let shock = (whole << RATIO_BITS).wrapping_add((rest << RATIO_BITS) / unit);
    let ratio = if scenario.k_num < 0 {
        (1u64 << RATIO_BITS).saturating_sub(shock)
    } else {
        (1u64 << RATIO_BITS).wrapping_add(shock)
    };
    umul_shift_floor(forward, ratio, RATIO_BITS as u8).min(MAX_FORWARD)
}
