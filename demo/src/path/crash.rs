//! A seeded path shaped on 10 October 2025.
//!
//! BTC and ETH move at the levels of that day: 121.5k to 102k and 4.36k to 3.44k, then about half
//! of it back. SOL opens with the numbers of a real Pyth update (16 July 2024, $156.80) and makes
//! the same relative moves as that day's 221 to 169. The day's ten hours are told in six. Between
//! the given levels the path is noise: one common factor and one of each asset's own, tied down
//! at the given levels, so the lows are met exactly whatever the seed.

use std::ops::RangeInclusive;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::{Level, PricePath, Quote, Symbol, ticks_from};

pub const DURATION_S: i64 = 6 * 3_600;
pub const DEFAULT_STEPS: usize = 720;
pub const STEPS: RangeInclusive<usize> = 60..=7_200;

/// The published facts of a real SOL/USD update; the very first price the program is shown.
pub const REAL_SOL_UPDATE: Quote = Quote {
    price: 15_679_769_099,
    conf: 16_197_271,
    ema_price: 15_660_921_800,
    ema_conf: 15_919_247,
    publish_time: 1_721_133_402,
    prev_publish_time: 1_721_133_401,
};

/// Where slots start; only differences matter.
const FIRST_SLOT: u64 = 278_000_000;

/// Levels of the day, and how nervous the way to them was.
struct Waypoint {
    hour: f64,
    /// SOL, BTC, ETH in dollars of October 2025.
    usd: [f64; 3],
    /// Common volatility on the way here, per square root of an hour.
    volatility: f64,
    /// BTC's confidence over price when here.
    conf_ratio: f64,
}

const fn waypoint(hour: f64, usd: [f64; 3], volatility: f64, conf_bps: f64) -> Waypoint {
    Waypoint {
        hour,
        usd,
        volatility,
        conf_ratio: conf_bps * 1e-4,
    }
}

const WAYPOINTS: [Waypoint; 12] = [
    waypoint(0.00, [221.0, 121_500.0, 4_360.0], 0.0, 5.0),
    waypoint(0.75, [222.0, 121_700.0, 4_365.0], 0.0025, 5.0),
    waypoint(1.25, [210.7, 119_000.0, 4_103.0], 0.0040, 8.0),
    waypoint(2.25, [209.7, 118_000.0, 4_094.0], 0.0030, 6.0),
    waypoint(3.25, [205.3, 116_660.0, 3_998.0], 0.0040, 8.0),
    waypoint(4.00, [196.8, 113_900.0, 3_871.0], 0.0060, 12.0),
    waypoint(4.35, [186.0, 109_800.0, 3_705.0], 0.0120, 24.0),
    waypoint(4.55, [169.0, 102_000.0, 3_440.0], 0.0200, 38.0),
    waypoint(4.75, [180.0, 108_000.0, 3_680.0], 0.0250, 30.0),
    waypoint(5.10, [188.5, 112_900.0, 3_860.0], 0.0160, 18.0),
    waypoint(5.50, [184.5, 111_500.0, 3_790.0], 0.0100, 12.0),
    waypoint(6.00, [188.0, 113_000.0, 3_850.0], 0.0070, 10.0),
];

/// Per asset: noise and confidence in units of BTC's.
const NOISE: [f64; 3] = [1.7, 1.0, 1.4];
const CONF: [f64; 3] = [1.5, 1.0, 1.1];
/// Share of an asset's noise that is everybody's.
const COMMON: f64 = 0.8;

/// The path of `seed` in `steps` steps after the opening (clamped to `STEPS`).
pub fn path(seed: u64, steps: usize) -> PricePath {
    let steps = steps.clamp(*STEPS.start(), *STEPS.end());
    let step_s = DURATION_S / steps as i64;
    let opening = opening();
    let levels = levels(seed, steps, step_s, &opening);

    PricePath {
        source: format!(
            "10 October 2025 retold in six hours, seed {seed}: opens with a real Pyth SOL/USD \
             update, then {steps} steps of {step_s} s"
        ),
        ticks: ticks_from(opening, FIRST_SLOT, &levels),
    }
}

fn opening() -> [Quote; 3] {
    let first = &WAYPOINTS[0];
    let time = REAL_SOL_UPDATE.publish_time;
    let quote = |s: Symbol| {
        let i = s.index();
        Quote::opening(first.usd[i], first.conf_ratio * CONF[i], time)
    };
    [REAL_SOL_UPDATE, quote(Symbol::Btc), quote(Symbol::Eth)]
}

fn levels(seed: u64, steps: usize, step_s: i64, opening: &[Quote; 3]) -> Vec<Level> {
    let start = opening[0].publish_time;
    let scale: [f64; 3] = std::array::from_fn(|i| opening[i].usd() / WAYPOINTS[0].usd[i]);
    let floor: [f64; 3] =
        std::array::from_fn(|i| WAYPOINTS.iter().map(|w| w.usd[i]).fold(f64::MAX, f64::min));
    let mut noise = Noise(ChaCha8Rng::seed_from_u64(seed));
    let mut levels = Vec::with_capacity(steps);

    for pair in WAYPOINTS.windows(2) {
        let [from, to] = [&pair[0], &pair[1]];
        let first = step_at(from.hour, steps);
        let length = step_at(to.hour, steps) - first;
        let volatility = to.volatility * (step_s as f64 / 3_600.0).sqrt();

        for (k, noise) in (1..).zip(noise.bridge(length, volatility)) {
            let t = k as f64 / length as f64;
            let usd = std::array::from_fn(|i| {
                let calm = from.usd[i] + (to.usd[i] - from.usd[i]) * t;
                let noisy = calm * (1.0 + NOISE[i] * noise[i]);
                scale[i] * bounce(noisy, floor[i])
            });
            let conf = from.conf_ratio + (to.conf_ratio - from.conf_ratio) * t;
            let time = start + step_s * (first + k) as i64;
            levels.push(Level {
                time,
                usd,
                conf_ratio: CONF.map(|c| c * conf),
            });
        }
    }
    levels
}

fn step_at(hour: f64, steps: usize) -> usize {
    (hour * 3_600.0 / DURATION_S as f64 * steps as f64).round() as usize
}

/// Nothing trades below the day's low.
fn bounce(usd: f64, floor: f64) -> f64 {
    if usd < floor {
        floor + (floor - usd) * 0.5
    } else {
        usd
    }
}

struct Noise(ChaCha8Rng);

impl Noise {
    /// A correlated random walk of the three assets that ends where it began: `length` points
    /// after the first, the last of them 0.
    fn bridge(&mut self, length: usize, volatility: f64) -> Vec<[f64; 3]> {
        let own = (1.0 - COMMON * COMMON).sqrt();
        let mut at = [0.0; 3];
        let mut walk = Vec::with_capacity(length);
        for _ in 0..length {
            let common = self.normal();
            at = at.map(|w| w + volatility * (COMMON * common + own * self.normal()));
            walk.push(at);
        }
        for (k, point) in (1..).zip(&mut walk) {
            let share = k as f64 / length as f64;
            *point = std::array::from_fn(|i| point[i] - at[i] * share);
        }
        walk
    }

    /// Close to a standard normal, at most 6. Sums only, no logarithm: the same on every machine.
    fn normal(&mut self) -> f64 {
        (0..12)
            .map(|_| (self.0.next_u32() as f64 + 0.5) / 4_294_967_296.0)
            .sum::<f64>()
            - 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn low(path: &PricePath, symbol: Symbol) -> f64 {
        path.ticks
            .iter()
            .map(|t| t.quote(symbol).usd())
            .fold(f64::MAX, f64::min)
    }

    #[test]
    fn the_first_tick_is_the_real_update() {
        let first = &path(1, 720).ticks[0];

        assert_eq!(first.quotes[0], REAL_SOL_UPDATE);
        assert_eq!(first.quotes[1].usd(), 121_500.0);
        assert_eq!(first.quotes[2].usd(), 4_360.0);
        assert_eq!(first.time, 1_721_133_403);
    }

    #[test]
    fn the_lows_of_the_day_are_met_whatever_the_seed() {
        for seed in 0..20 {
            let path = path(seed, 720);
            let fall = low(&path, Symbol::Sol) / path.ticks[0].quotes[0].usd();

            assert!((low(&path, Symbol::Btc) - 102_000.0).abs() < 0.01);
            assert!((low(&path, Symbol::Eth) - 3_440.0).abs() < 0.01);
            assert!((fall - 169.0 / 221.0).abs() < 1e-6);
        }
    }

    #[test]
    fn it_ends_with_a_partial_rebound() {
        let path = path(7, 720);
        let last = &path.ticks[720];

        assert!((last.quotes[1].usd() - 113_000.0).abs() < 0.01);
        assert!((last.quotes[2].usd() - 3_850.0).abs() < 0.01);
        assert!(
            (last.quotes[0].usd() / path.ticks[0].quotes[0].usd() - 188.0 / 221.0).abs() < 1e-6
        );
    }

    #[test]
    fn a_seed_gives_one_path_and_another_seed_another() {
        assert_eq!(path(42, 600), path(42, 600));
        assert_ne!(path(42, 600).ticks, path(43, 600).ticks);
    }

    #[test]
    fn confidence_widens_in_the_crash() {
        let path = path(3, 720);
        let widest = path
            .ticks
            .iter()
            .map(|t| t.quotes[1].conf_ratio())
            .fold(0.0, f64::max);

        assert!((path.ticks[1].quotes[1].conf_ratio() - 5e-4).abs() < 1e-6);
        assert!((widest - 38e-4).abs() < 1e-6);
    }

    #[test]
    fn no_step_jumps() {
        for seed in 0..20 {
            let path = path(seed, 720);
            for pair in path.ticks.windows(2) {
                for i in 0..3 {
                    let step = pair[1].quotes[i].usd() / pair[0].quotes[i].usd() - 1.0;
                    assert!(step.abs() < 0.025, "seed {seed}: {step}");
                }
            }
        }
    }

    #[test]
    fn times_slots_and_publications_advance_together() {
        for steps in [60, 600, 720, 900, 1_000] {
            let path = path(1, steps);
            assert_eq!(path.ticks.len(), steps + 1);
            for pair in path.ticks.windows(2) {
                let seconds = pair[1].time - pair[0].time;
                assert!(seconds > 0);
                assert!(
                    (pair[1].slot - pair[0].slot).abs_diff(seconds.unsigned_abs() * 5 / 2) <= 1
                );
                assert_eq!(
                    pair[1].quotes[0].prev_publish_time,
                    pair[0].quotes[0].publish_time
                );
                assert_eq!(pair[1].usdc.publish_time, pair[1].quotes[2].publish_time);
            }
        }
    }
}
