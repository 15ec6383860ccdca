//! A Black-76 row through the conformance program, which holds the same functions as bytecode.

use anyhow::{Context, Result};
use keel_conformance::risk::Request;
use keel_risk::black76::{OptionSide, Valued};

use super::black76::{Priced, Terms};
use super::black76_native::{contract, priced};
use crate::risk_program::RiskProgram;

/// Words of an answer: value, delta, gamma, vega, theta.
const WORDS: usize = 5;

/// The program in a VM.
pub struct Black76Vm {
    program: RiskProgram,
}

impl Black76Vm {
    pub fn new() -> Result<Self> {
        Ok(Self {
            program: RiskProgram::new()?,
        })
    }

    /// What the program finds.
    pub fn price(&self, terms: Terms) -> Result<Priced> {
        let call = self.greeks(terms, OptionSide::Call)?;
        let put = self.greeks(terms, OptionSide::Put)?;
        Ok(priced(terms, call, put))
    }

    fn greeks(&self, terms: Terms, side: OptionSide) -> Result<Valued> {
        let request = Request::Greeks(contract(terms, side));
        let answer = self.program.answer(&request);
        let mut answer = answer.context("cannot be run")?;
        // Return data comes without its trailing zeros.
        answer.resize(8 * WORDS, 0);
        let mut words = [[0; 8]; WORDS];
        words.as_flattened_mut().copy_from_slice(&answer);
        let [value, delta, gamma, vega, theta] = words;
        Ok(Valued {
            value: u64::from_le_bytes(value),
            delta: i64::from_le_bytes(delta),
            gamma: u64::from_le_bytes(gamma),
            vega: u64::from_le_bytes(vega),
            theta: i64::from_le_bytes(theta),
        })
    }
}
