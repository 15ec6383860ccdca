//! Maintenance worked out anew in floating point, from the bytes and the specification alone: what
//! the engine's health is compared with (margin-spec 4.2, 5.2 to 5.5). Linear legs and the standard
//! scenarios, which are all that sequences have.

use super::books::{AccountBook, Books, signed, unsigned, word};

const HEAD: usize = 8;
const ASSETS: usize = HEAD + 336;
const ASSET_BYTES: usize = 520;
const RATES: usize = HEAD + 16_976;
const RATE_BYTES: usize = 112;
/// Where the group's `gross_min` stands.
const GROSS_MIN: usize = HEAD + 112;
/// Fractions k of the price and covers w of 5.1; volatility does nothing to linear legs.
const SCENARIOS: [(f64, f64); 9] = [
    (0.0, 1.0),
    (1.0 / 3.0, 1.0),
    (-1.0 / 3.0, 1.0),
    (2.0 / 3.0, 1.0),
    (-2.0 / 3.0, 1.0),
    (1.0, 1.0),
    (-1.0, 1.0),
    (3.0, 0.33),
    (-3.0, 0.33),
];

/// An asset's terms, as ratios and atoms.
#[derive(Clone, Copy, Debug, Default)]
struct Asset {
    /// Atoms per lot and per native unit.
    lot: f64,
    native: f64,
    range: f64,
    systematic: f64,
    basis_rate: f64,
    unwind_rate: f64,
    concentration_cap: f64,
    depth: f64,
    /// Tier Ok: fresh, undivided, narrow.
    is_sound: bool,
}

/// A bank's copy in the risk book.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    deposit_index: f64,
    /// At the published rate until now.
    borrow_index: f64,
    asset_weight: f64,
    liability_weight: f64,
}

/// The risk book as judging needs it.
#[derive(Clone, Debug)]
pub struct Terms {
    assets: Vec<Asset>,
    rates: Vec<Rate>,
    gross_min: f64,
}

/// What an account has and needs, atoms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// With weights of 1 (4.2's E).
    pub worth: f64,
    pub equity: f64,
    pub requirement: f64,
    /// Whether every asset that the account is exposed to is of tier Ok: else other rules hold, and
    /// only `worth` says something.
    pub is_sound: bool,
    /// Sum of the magnitudes of everything added up: what rounding is measured by.
    pub scale: f64,
    /// What whole native units may make of it besides.
    pub grain: f64,
}

impl Terms {
    /// Reads the terms of so many assets, each with one bank of the same place.
    pub fn read(book: &[u8], count: usize, now: i64) -> Self {
        let at = |base: usize, bytes: usize, number: usize| &book[base + number * bytes..];
        Self {
            assets: (0..count)
                .map(|number| asset(at(ASSETS, ASSET_BYTES, number), now))
                .collect(),
            rates: (0..count)
                .map(|number| rate(at(RATES, RATE_BYTES, number), now))
                .collect(),
            gross_min: ratio(book, GROSS_MIN),
        }
    }

    /// An account in these books.
    pub fn estimate(&self, books: &Books, account: &AccountBook) -> Estimate {
        let mut found = Estimate {
            worth: 0.0,
            equity: 0.0,
            requirement: 0.0,
            is_sound: true,
            scale: 0.0,
            grain: 0.0,
        };
        // Per asset: the token's value, and each position's.
        let mut legs: Vec<(f64, f64)> = vec![(0.0, 0.0); self.assets.len()];
        for &(bank, shares) in &account.balances {
            let index = usize::from(bank);
            let rate = &self.rates[index];
            let (scale, weight) = if shares < 0 {
                (rate.borrow_index, rate.liability_weight)
            } else {
                (rate.deposit_index, rate.asset_weight)
            };
            let value = shares as f64 * scale * self.assets[index].native;
            found.worth += value;
            found.equity += value * weight;
            found.scale += value.abs();
            // Tokens come in whole units.
            found.grain += 2.0 * self.assets[index].native;
            if bank != 0 {
                legs[index].0 += value * weight;
            }
        }
        for held in &account.positions {
            let market = &books.markets[usize::from(held.instrument)];
            let asset = usize::from(market.asset);
            let lots = market.kept40(held) as f64 / (1u64 << 40) as f64;
            let value = lots * self.assets[asset].lot;
            let carry = market.carry[usize::from(held.size < 0)] as f64 / (1u64 << 48) as f64;
            let result = value - lots * carry + held.quote as f64;
            found.worth += result;
            found.equity += result;
            found.scale += value.abs() + (lots * carry).abs() + (held.quote as f64).abs();
            // A part of a lot is the strays' already: it is worth what it is, and nobody's risk.
            legs[asset].1 += market.kept(held) as f64 * self.assets[asset].lot;
        }
        found.requirement = self.requirement(&legs);
        let exposed = legs.iter().zip(&self.assets);
        found.is_sound = exposed
            .filter(|((token, position), _)| *token != 0.0 || *position != 0.0)
            .all(|(_, asset)| asset.is_sound);
        found
    }

    fn requirement(&self, legs: &[(f64, f64)]) -> f64 {
        let mut systemic = [0.0f64; SCENARIOS.len()];
        let mut together = [0.0f64; SCENARIOS.len()];
        let (mut own, mut scans, mut added) = (0.0, 0.0, 0.0);
        for (&(token, position), asset) in legs.iter().zip(&self.assets) {
            let net = token + position;
            let concentration = if asset.depth > 0.0 {
                (net.abs() / asset.depth).min(asset.concentration_cap)
            } else {
                0.0
            };
            let mut scan = 0.0f64;
            for (number, (k, cover)) in SCENARIOS.into_iter().enumerate() {
                let shock = (k * asset.range).max(-1.0);
                let mut loss = -(cover * net * shock);
                if loss > 0.0 {
                    let most = if shock < 0.0 {
                        -1.0 / shock
                    } else {
                        f64::INFINITY
                    };
                    loss *= (1.0 + concentration).min(most);
                }
                scan = scan.max(loss);
                systemic[number] += loss;
                together[number] += asset.systematic * loss;
            }
            own += (1.0 - asset.systematic * asset.systematic) * scan * scan;
            scans += scan;
            let long = token.max(0.0) + position.max(0.0);
            let short = -(token.min(0.0) + position.min(0.0));
            added += asset.basis_rate * long.min(short);
            added += asset.unwind_rate * (position.abs() - token.min(0.0));
        }
        let most = |losses: [f64; SCENARIOS.len()]| losses.into_iter().fold(0.0, f64::max);
        let one_factor = (most(together).powi(2) + own).sqrt();
        one_factor.max(most(systemic)).max(self.gross_min * scans) + added
    }
}

fn asset(data: &[u8], now: i64) -> Asset {
    let price = |mantissa: usize, shift: usize| {
        unsigned(data, mantissa) as f64 / 2f64.powi(i32::from(data[shift]))
    };
    let age = now - signed(data, 256);
    let is_pending = signed(data, 248) != 0;
    Asset {
        lot: price(216, 21),
        native: price(224, 22),
        range: ratio(data, 332),
        systematic: f64::from(u16::from_le_bytes([data[416], data[417]])) / 1_000.0,
        basis_rate: ratio(data, 356),
        unwind_rate: ratio(data, 364),
        concentration_cap: ratio(data, 368),
        depth: signed(data, 424) as f64,
        is_sound: age <= i64::from(word(data, 404))
            && data[18] == 0
            && !is_pending
            && word(data, 296) <= word(data, 380),
    }
}

fn rate(data: &[u8], now: i64) -> Rate {
    let index = |at| unsigned(data, at) as f64 / (1u64 << 48) as f64;
    let elapsed = (now - signed(data, 64)).max(0) as f64;
    let growth = unsigned(data, 56) as f64 / 2f64.powi(64) * elapsed;
    Rate {
        deposit_index: index(32),
        borrow_index: index(40) * (1.0 + growth),
        asset_weight: ratio(data, 88),
        liability_weight: ratio(data, 96),
    }
}

fn ratio(data: &[u8], at: usize) -> f64 {
    f64::from(word(data, at)) / 1e6
}
