//! A Black-76 row through `keel_risk::black76`.

use keel_risk::Ppm;
use keel_risk::black76::{Contract, OptionSide, Valued, greeks};

use super::black76::{Priced, Terms};

/// Units of a fraction with 32 bits.
const BITS_32: f64 = 4_294_967_296.0;
/// Units of a fraction with 40 bits.
const BITS_40: f64 = 1_099_511_627_776.0;

/// The contract that a row's terms stand for.
pub fn contract(terms: Terms, side: OptionSide) -> Contract {
    Contract {
        side,
        forward: terms.forward,
        strike: terms.strike,
        sigma: Ppm(terms.sigma_ppm),
        time_s: terms.time_s,
    }
}

/// What the engine finds.
pub fn price(terms: Terms) -> Priced {
    let [call, put] =
        [OptionSide::Call, OptionSide::Put].map(|side| greeks(&contract(terms, side)));
    priced(terms, call, put)
}

/// The engine's fixed-point figures, which are per unit of forward, in the unit of the terms.
pub fn priced(terms: Terms, call: Valued, put: Valued) -> Priced {
    let forward = terms.forward as f64;
    Priced {
        call: call.value as f64,
        put: put.value as f64,
        delta_call: call.delta as f64 / BITS_32,
        delta_put: put.delta as f64 / BITS_32,
        gamma: call.gamma as f64 / BITS_32 / forward,
        vega: call.vega as f64 / BITS_40 * forward,
        theta: call.theta as f64 / BITS_40 * forward,
    }
}
