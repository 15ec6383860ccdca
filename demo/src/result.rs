//! What a finished run leaves behind: plain data, money in USD. The reports read nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::house::House;

/// Version of the shape of `RunResult`; changes when a key changes its name or meaning.
pub const SCHEMA: u32 = 3;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    pub schema: u32,
    pub seed: u64,
    /// Where the prices come from, in one sentence.
    pub source: String,
    pub steps: usize,
    /// Wall time of the run.
    pub seconds: f64,
    /// Size of the compiled program.
    pub program_bytes: u64,
    /// Clock of every sample: each series of the result has as many values.
    pub times: Vec<i64>,
    pub prices: Vec<PriceSeries>,
    pub traders: Vec<TraderResult>,
    /// In the order of `traders`.
    pub isolated_twins: Vec<TraderResult>,
    pub saved: Saved,
    pub liquidations: Vec<Liquidation>,
    pub liquidators: Vec<LiquidatorResult>,
    pub pool: PoolResult,
    pub house: House,
    /// By instruction name.
    pub compute_units: BTreeMap<String, UnitStats>,
    pub conservation: Conservation,
    pub invariants: Invariants,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriceSeries {
    /// `SOL`, `BTC`, `ETH`.
    pub symbol: String,
    pub usd: Vec<f64>,
}

/// One trader: a single cross-margined account, or the sum of an isolated twin's accounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraderResult {
    pub name: String,
    /// e.g. `market-neutral`.
    pub kind: String,
    pub story: String,
    /// Number of margin accounts: 1, or one per exposure of the twin.
    pub accounts: usize,
    pub initial_equity: f64,
    pub final_equity: f64,
    /// Liquidation steps suffered, and the penalties paid in them.
    pub liquidations: usize,
    pub penalties: f64,
    /// Lowest maintenance health of any of the accounts at any step.
    pub min_health: f64,
    pub series: TraderSeries,
}

impl TraderResult {
    /// Change of equity over the run, as a fraction of the initial.
    pub fn change(&self) -> f64 {
        if self.initial_equity > 0.0 {
            self.final_equity / self.initial_equity - 1.0
        } else {
            0.0
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TraderSeries {
    /// Net asset value (margin-spec 4.2, weights 1), all accounts.
    pub equity: Vec<f64>,
    /// Maintenance requirement, all accounts.
    pub maintenance: Vec<f64>,
    /// Maintenance health; of a twin, that of its weakest account that still holds a position.
    pub health: Vec<f64>,
}

/// What cross margin saved against the twins; negative where it did worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    pub liquidations: i64,
    pub usd: f64,
}

impl Saved {
    /// The sums over all pairs: liquidation steps avoided, and final equity kept.
    pub fn between(traders: &[TraderResult], twins: &[TraderResult]) -> Saved {
        traders
            .iter()
            .zip(twins)
            .fold(Saved::default(), |sum, (cross, twin)| Saved {
                liquidations: sum.liquidations + twin.liquidations as i64
                    - cross.liquidations as i64,
                usd: sum.usd + cross.final_equity - twin.final_equity,
            })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Liquidation {
    pub time: i64,
    /// Name as in `traders`, `isolated_twins` or the house's `members`.
    pub trader: String,
    pub isolated: bool,
    pub market: String,
    /// Signed size taken from the account, in the asset.
    pub size: f64,
    pub price: f64,
    pub penalty: f64,
    pub liquidator: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiquidatorResult {
    pub name: String,
    pub initial_equity: f64,
    pub final_equity: f64,
    pub liquidations: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolResult {
    pub initial_equity: f64,
    pub final_equity: f64,
    pub equity: Vec<f64>,
    /// Net asset value per LP token.
    pub share_price: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitStats {
    pub count: usize,
    pub min: u64,
    pub median: u64,
    pub max: u64,
}

impl UnitStats {
    /// Of all samples of one instruction; of an even number the lower median. `None` if empty.
    pub fn of(samples: &[u64]) -> Option<UnitStats> {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let median = sorted[(sorted.len() - 1) / 2];
        Some(UnitStats {
            count: sorted.len(),
            min,
            median,
            max,
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conservation {
    pub checked: u64,
    pub failed: u64,
}

/// What was looked at after each step, and what did not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invariants {
    pub checked: u64,
    /// One sentence each: which, at which step, with the figures.
    pub failed: Vec<String>,
}

impl RunResult {
    pub fn invariants_held(&self) -> bool {
        self.invariants.failed.is_empty() && self.conservation.failed == 0
    }

    /// Exit status of the command.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.invariants_held())
    }

    /// Hours since the start of every sample.
    pub fn hours(&self) -> Vec<f64> {
        let start = self.times.first().copied().unwrap_or(0);
        self.times
            .iter()
            .map(|t| (t - start) as f64 / 3_600.0)
            .collect()
    }

    /// The trader's or twin's liquidations, in order of time.
    pub fn liquidations_of<'a>(
        &'a self,
        trader: &'a TraderResult,
    ) -> impl Iterator<Item = &'a Liquidation> {
        self.liquidations.iter().filter(|l| l.trader == trader.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn units_of_few_and_many_samples() {
        assert_eq!(UnitStats::of(&[]), None);
        assert_eq!(
            UnitStats::of(&[7]),
            Some(UnitStats {
                count: 1,
                min: 7,
                median: 7,
                max: 7
            })
        );
        assert_eq!(
            UnitStats::of(&[4, 1, 3, 2]),
            Some(UnitStats {
                count: 4,
                min: 1,
                median: 2,
                max: 4
            })
        );
    }

    #[test]
    fn any_failed_check_is_exit_status_1() {
        let good = sample::run();
        let mut leak = good.clone();
        leak.conservation.failed = 1;
        let mut broken = good.clone();
        broken.invariants.failed.push("I3 at step 9".to_owned());

        assert_eq!(
            (good.exit_code(), leak.exit_code(), broken.exit_code()),
            (0, 1, 1)
        );
    }

    #[test]
    fn saved_is_the_difference_to_the_twins() {
        let run = sample::run();
        let saved = Saved::between(&run.traders, &run.isolated_twins);
        let cross: f64 = run.traders.iter().map(|t| t.final_equity).sum();
        let isolated: f64 = run.isolated_twins.iter().map(|t| t.final_equity).sum();

        assert!((saved.usd - (cross - isolated)).abs() < 1e-6);
        assert_eq!(saved, run.saved);
    }
}
