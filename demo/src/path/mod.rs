//! What the market does: a list of ticks, each a clock, a slot and one quote per asset.
//!
//! Two makers: `crash` (seeded, shaped on 10 October 2025) and `candles` (OHLC files). Both give
//! integers in the form a Pyth update carries them, so the simulation only has to write bytes.

pub mod candles;
pub mod crash;

use serde::{Deserialize, Serialize};

/// All quotes have this exponent: a price of 1 is 100,000,000.
pub const EXPONENT: i32 = -8;
/// Seconds between a publication and the block that carries it.
pub const LATENCY_S: i64 = 1;
/// Milliseconds of a slot.
pub const SLOT_MS: i64 = 400;

const SCALE: f64 = 1e8;
/// Averaging time of the published moving average.
const EMA_S: f64 = 3_600.0;

/// An asset whose price moves. The order is that of every `[T; 3]` here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Symbol {
    Sol,
    Btc,
    Eth,
}

impl Symbol {
    pub const ALL: [Symbol; 3] = [Symbol::Sol, Symbol::Btc, Symbol::Eth];

    pub const fn index(self) -> usize {
        self as usize
    }

    pub const fn name(self) -> &'static str {
        match self {
            Symbol::Sol => "SOL",
            Symbol::Btc => "BTC",
            Symbol::Eth => "ETH",
        }
    }

    pub const fn market(self) -> &'static str {
        match self {
            Symbol::Sol => "SOL-PERP",
            Symbol::Btc => "BTC-PERP",
            Symbol::Eth => "ETH-PERP",
        }
    }

    /// Pyth's feed of the asset in dollars.
    pub const fn feed_hex(self) -> &'static str {
        match self {
            Symbol::Sol => "ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d",
            Symbol::Btc => "e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43",
            Symbol::Eth => "ff61491a931112ddf1bd8147cd1b641375f79f5825126d665480874634fd0ace",
        }
    }
}

/// Pyth's feed of the quote token in dollars.
pub const USDC_FEED_HEX: &str = "eaa020c61cc479712813461ce153894a96a6c00b21ed0cfc2798d1f9a9e9c94a";

/// The numbers of one Pyth update; integers times `10^EXPONENT` dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    pub price: i64,
    pub conf: u64,
    pub ema_price: i64,
    pub ema_conf: u64,
    pub publish_time: i64,
    pub prev_publish_time: i64,
}

impl Quote {
    pub fn usd(&self) -> f64 {
        self.price as f64 / SCALE
    }

    pub fn conf_ratio(&self) -> f64 {
        self.conf as f64 / self.price as f64
    }

    /// A quote without history: its moving average is itself.
    fn opening(price: f64, conf_ratio: f64, time: i64) -> Quote {
        let (price, conf) = scaled(price, conf_ratio);
        Quote {
            price,
            conf,
            ema_price: price,
            ema_conf: conf,
            publish_time: time,
            prev_publish_time: time - 1,
        }
    }

    /// The update that follows this one.
    fn next(&self, price: f64, conf_ratio: f64, time: i64) -> Quote {
        let (price, conf) = scaled(price, conf_ratio);
        let elapsed = (time - self.publish_time) as f64;
        let weight = elapsed / (elapsed + EMA_S);
        let blend = |old: f64, new: f64| old + (new - old) * weight;
        Quote {
            price,
            conf,
            ema_price: blend(self.ema_price as f64, price as f64).round() as i64,
            ema_conf: blend(self.ema_conf as f64, conf as f64).round() as u64,
            publish_time: time,
            prev_publish_time: self.publish_time,
        }
    }
}

fn scaled(price: f64, conf_ratio: f64) -> (i64, u64) {
    (
        (price * SCALE).round().max(1.0) as i64,
        (price * conf_ratio * SCALE).round().max(1.0) as u64,
    )
}

/// One step of the market: what is published, and the block in which it is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The chain's clock, `LATENCY_S` after publication.
    pub time: i64,
    pub slot: u64,
    /// SOL, BTC, ETH.
    pub quotes: [Quote; 3],
    pub usdc: Quote,
}

impl Tick {
    pub fn quote(&self, symbol: Symbol) -> &Quote {
        &self.quotes[symbol.index()]
    }
}

/// A whole path. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricePath {
    /// One sentence for the report: where the prices come from.
    pub source: String,
    pub ticks: Vec<Tick>,
}

/// Levels in dollars at one time, before they become quotes.
#[derive(Clone, Copy, Debug)]
struct Level {
    time: i64,
    usd: [f64; 3],
    conf_ratio: [f64; 3],
}

const USDC_CONF_RATIO: f64 = 0.000_5;

/// Chains levels into ticks, the first of which is `opening`.
fn ticks_from(opening: [Quote; 3], first_slot: u64, levels: &[Level]) -> Vec<Tick> {
    let start = opening[0].publish_time;
    let mut ticks = vec![Tick {
        time: start + LATENCY_S,
        slot: first_slot,
        quotes: opening,
        usdc: Quote::opening(1.0, USDC_CONF_RATIO, start),
    }];

    for level in levels {
        let last = &ticks[ticks.len() - 1];
        let mut quotes = last.quotes;
        for (i, quote) in quotes.iter_mut().enumerate() {
            *quote = quote.next(level.usd[i], level.conf_ratio[i], level.time);
        }
        let slots = (level.time - start).max(0) * 1_000 / SLOT_MS;
        let usdc = last.usdc.next(1.0, USDC_CONF_RATIO, level.time);
        ticks.push(Tick {
            time: level.time + LATENCY_S,
            slot: first_slot + slots.unsigned_abs(),
            quotes,
            usdc,
        });
    }
    ticks
}
