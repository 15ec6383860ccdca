//! The functions of `keel-risk` with raw arguments: one instruction is one [`Request`].
//!
//! Instruction data: the operation's tag (u8), how often to compute it (u16), then its arguments,
//! all little-endian without padding. Return data: the last result, likewise; nothing when it is to
//! be computed zero times. A VM may cut zeros off its end. The program needs no account for it. [`Request::answer`] is the same
//! code, natively.
//!
//! | tag | operation | arguments | result |
//! |---|---|---|---|
//! | 0 | `math::ln` | u64 | u64 |
//! | 1 | `math::exp` | i64 | u64 |
//! | 2 | `math::density` | i64 | u64 |
//! | 3 | `math::cdf` | i64 | u64 |
//! | 4 | `math::power` | numerator u64, denominator u64, exponent u32 | u64 |
//! | 5 | `black76::value` | contract | u64 |
//! | 6 | `black76::greeks` | contract | value u64, delta i64, gamma u64, vega u64, theta i64 |
//! | 7 | `black76::lot_greeks` | contract, shift u8 | delta i32, gamma i64, vega i64, theta i64 |
//! | 8 | `risk_array` | contract, shift u8, range u32, vol_range u32, vol_floor u32, scenarios | i32 each |
//!
//! A contract is side u8 (0 call, 1 put), forward u64, strike u64, sigma u32, time_s u32. Scenarios
//! are up to 24 times k_num i8, k_den u8, v i8, w u32.

use core::hint::black_box;

use keel_risk::black76::{self, Contract, OptionSide};
use keel_risk::limits::MAX_SCENARIOS;
use keel_risk::risk_array::{ArrayTerms, risk_array};
use keel_risk::{Ppm, Scenario, math};

use crate::{Outcome, digest};

/// Of the suite `Risk`: the tags.
pub const OPERATIONS: u8 = 9;
/// The longest result.
const MAX_ANSWER: usize = 4 * MAX_SCENARIOS;
const SCENARIO_BYTES: usize = 7;

/// What to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the program has it once, on its stack"
)]
pub enum Request {
    Ln(u64),
    Exp(i64),
    Density(i64),
    Cdf(i64),
    Power(u64, u64, Ppm),
    Value(Contract),
    Greeks(Contract),
    LotGreeks(Contract, u8),
    /// Terms, scenarios, and how many of these there are.
    RiskArray(ArrayTerms, [Scenario; MAX_SCENARIOS], usize),
}

/// A result's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    bytes: [u8; MAX_ANSWER],
    length: usize,
}

impl Answer {
    const EMPTY: Self = Self {
        bytes: [0; MAX_ANSWER],
        length: 0,
    };

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(bytes);
            self.length = end;
        }
    }

    fn of(bytes: &[u8]) -> Self {
        let mut answer = Self::EMPTY;
        answer.push(bytes);
        answer
    }
}

impl Request {
    /// A risk array's request. Scenarios beyond the 24th are left out.
    pub fn risk_array(terms: ArrayTerms, scenarios: &[Scenario]) -> Self {
        let mut all = [NO_SCENARIO; MAX_SCENARIOS];
        let count = scenarios.len().min(MAX_SCENARIOS);
        all[..count].copy_from_slice(&scenarios[..count]);
        Self::RiskArray(terms, all, count)
    }

    /// Instruction data that computes the request `times` times.
    pub fn to_bytes(&self, times: u16) -> Vec<u8> {
        let mut out = vec![self.tag()];
        out.extend(times.to_le_bytes());
        match self {
            Self::Ln(x) => out.extend(x.to_le_bytes()),
            Self::Exp(x) | Self::Density(x) | Self::Cdf(x) => out.extend(x.to_le_bytes()),
            Self::Power(numerator, denominator, exponent) => {
                out.extend(numerator.to_le_bytes());
                out.extend(denominator.to_le_bytes());
                out.extend(exponent.0.to_le_bytes());
            }
            Self::Value(contract) | Self::Greeks(contract) => write_contract(&mut out, contract),
            Self::LotGreeks(contract, shift) => {
                write_contract(&mut out, contract);
                out.push(*shift);
            }
            Self::RiskArray(terms, scenarios, count) => {
                write_contract(&mut out, &terms.contract);
                out.push(terms.shift);
                for ratio in [terms.range, terms.vol_range, terms.vol_floor] {
                    out.extend(ratio.0.to_le_bytes());
                }
                for scenario in &scenarios[..*count] {
                    out.extend(scenario.k_num.to_le_bytes());
                    out.push(scenario.k_den);
                    out.extend(scenario.v.to_le_bytes());
                    out.extend(scenario.w.0.to_le_bytes());
                }
            }
        }
        out
    }

    /// Reads what [`Self::to_bytes`] writes, and how often to compute it; none for other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<(Self, u16)> {
        let mut reader = Reader(bytes);
        let tag = u8::from_le_bytes(reader.take()?);
        let times = u16::from_le_bytes(reader.take()?);
        let request = match tag {
            0 => Self::Ln(reader.u64()?),
            1 => Self::Exp(reader.i64()?),
            2 => Self::Density(reader.i64()?),
            3 => Self::Cdf(reader.i64()?),
            4 => Self::Power(reader.u64()?, reader.u64()?, reader.ppm()?),
            5 => Self::Value(reader.contract()?),
            6 => Self::Greeks(reader.contract()?),
            7 => Self::LotGreeks(reader.contract()?, u8::from_le_bytes(reader.take()?)),
            8 => reader.array()?,
            _ => return None,
        };
        reader.0.is_empty().then_some((request, times))
    }

    fn tag(&self) -> u8 {
        match self {
            Self::Ln(_) => 0,
            Self::Exp(_) => 1,
            Self::Density(_) => 2,
            Self::Cdf(_) => 3,
            Self::Power(..) => 4,
            Self::Value(_) => 5,
            Self::Greeks(_) => 6,
            Self::LotGreeks(..) => 7,
            Self::RiskArray(..) => 8,
        }
    }

    /// The result, computed `times` times; empty for zero times.
    pub fn answer(&self, times: u16) -> Answer {
        match *self {
            Self::Ln(x) => repeat(times, x, |x| word(math::ln(x))),
            Self::Exp(x) => repeat(times, x, |x| word(math::exp(x))),
            Self::Density(x) => repeat(times, x, |x| word(math::density(x))),
            Self::Cdf(x) => repeat(times, x, |x| word(math::cdf(x))),
            Self::Power(numerator, denominator, exponent) => {
                repeat(times, (numerator, denominator, exponent), |(n, d, e)| {
                    word(math::power(n, d, e))
                })
            }
            Self::Value(contract) => {
                repeat(times, contract, |contract| word(black76::value(&contract)))
            }
            Self::Greeks(contract) => {
                repeat(times, contract, |contract| black76::greeks(&contract))
            }
            Self::LotGreeks(contract, shift) => repeat(times, contract, |contract| {
                let valued = black76::greeks(&contract);
                black76::lot_greeks(&valued, contract.forward, shift)
            }),
            Self::RiskArray(terms, scenarios, count) => repeat(times, terms, |terms| {
                let mut array = [0; MAX_SCENARIOS];
                risk_array(&terms, &scenarios[..count], &mut array);
                (array, count)
            }),
        }
    }
}

const NO_SCENARIO: Scenario = Scenario {
    k_num: 0,
    k_den: 1,
    v: 0,
    w: Ppm(0),
};

/// A result as bytes.
trait Bytes {
    fn to_answer(&self) -> Answer;
}

struct Word(u64);

fn word(value: u64) -> Word {
    Word(value)
}

impl Bytes for Word {
    fn to_answer(&self) -> Answer {
        Answer::of(&self.0.to_le_bytes())
    }
}

impl Bytes for black76::Valued {
    fn to_answer(&self) -> Answer {
        let mut answer = Answer::of(&self.value.to_le_bytes());
        answer.push(&self.delta.to_le_bytes());
        answer.push(&self.gamma.to_le_bytes());
        answer.push(&self.vega.to_le_bytes());
        answer.push(&self.theta.to_le_bytes());
        answer
    }
}

impl Bytes for keel_risk::Greeks {
    fn to_answer(&self) -> Answer {
        let mut answer = Answer::of(&self.delta.0.to_le_bytes());
        for greek in [self.gamma, self.vega, self.theta] {
            answer.push(&greek.to_le_bytes());
        }
        answer
    }
}

impl Bytes for ([i32; MAX_SCENARIOS], usize) {
    fn to_answer(&self) -> Answer {
        let mut answer = Answer::EMPTY;
        for gain in &self.0[..self.1] {
            answer.push(&gain.to_le_bytes());
        }
        answer
    }
}

/// Computes as often as asked: the argument is hidden from the compiler each time.
#[inline(always)]
fn repeat<A: Copy, R: Bytes>(times: u16, argument: A, compute: impl Fn(A) -> R) -> Answer {
    let mut last = None;
    for _ in 0..times {
        last = Some(black_box(compute(black_box(argument))));
    }
    last.map_or(Answer::EMPTY, |result| result.to_answer())
}

fn write_contract(out: &mut Vec<u8>, contract: &Contract) {
    out.push(u8::from(contract.side == OptionSide::Put));
    out.extend(contract.forward.to_le_bytes());
    out.extend(contract.strike.to_le_bytes());
    out.extend(contract.sigma.0.to_le_bytes());
    out.extend(contract.time_s.to_le_bytes());
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const SIZE: usize>(&mut self) -> Option<[u8; SIZE]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    fn ppm(&mut self) -> Option<Ppm> {
        self.take().map(|bytes| Ppm(u32::from_le_bytes(bytes)))
    }

    fn contract(&mut self) -> Option<Contract> {
        let side = match u8::from_le_bytes(self.take()?) {
            0 => OptionSide::Call,
            1 => OptionSide::Put,
            _ => return None,
        };
        Some(Contract {
            side,
            forward: self.u64()?,
            strike: self.u64()?,
            sigma: self.ppm()?,
            time_s: u32::from_le_bytes(self.take()?),
        })
    }

    fn array(&mut self) -> Option<Request> {
        let terms = ArrayTerms {
            contract: self.contract()?,
            shift: u8::from_le_bytes(self.take()?),
            range: self.ppm()?,
            vol_range: self.ppm()?,
            vol_floor: self.ppm()?,
        };
        if self.0.len() > MAX_SCENARIOS * SCENARIO_BYTES {
            return None;
        }
        let mut scenarios = [NO_SCENARIO; MAX_SCENARIOS];
        let mut count = 0;
        while !self.0.is_empty() {
            scenarios[count] = Scenario {
                k_num: i8::from_le_bytes(self.take()?),
                k_den: u8::from_le_bytes(self.take()?),
                v: i8::from_le_bytes(self.take()?),
                w: self.ppm()?,
            };
            count += 1;
        }
        Some(Request::RiskArray(terms, scenarios, count))
    }
}

/// A case of the suite `Risk`: arguments from the operands' bits, the answer's fingerprint.
pub fn run(operation: u8, a: u128, b: u128) -> Outcome {
    let contract = Contract {
        side: if b >> 127 == 0 {
            OptionSide::Call
        } else {
            OptionSide::Put
        },
        forward: a as u64,
        // Near the forward for half of the operands, so that not all is far from the money.
        strike: if b >> 126 & 1 == 0 {
            (a >> 64) as u64
        } else {
            (a as u64).wrapping_add((a >> 64) as u64 >> 40)
        },
        sigma: Ppm(b as u32),
        time_s: (b >> 32) as u32,
    };
    let request = match operation {
        0 => Request::Ln(a as u64),
        1 => Request::Exp(a as i64 >> (b % 32)),
        2 => Request::Density(a as i64 >> (b % 40)),
        3 => Request::Cdf(a as i64 >> (b % 40)),
        4 => Request::Power(a as u64, (a >> 64) as u64, Ppm(b as u32)),
        5 => Request::Value(contract),
        6 => Request::Greeks(contract),
        7 => Request::LotGreeks(contract, (b >> 64) as u8),
        _ => {
            let terms = ArrayTerms {
                contract,
                shift: (b >> 64) as u8 % 16,
                range: Ppm((b >> 72) as u32 % 1_000_000),
                vol_range: Ppm((b >> 80) as u32 % 2_000_000),
                vol_floor: Ppm((b >> 96) as u32 % 1_000_000),
            };
            Request::risk_array(terms, &keel_risk::SPAN_16)
        }
    };
    Outcome::new(digest(request.answer(1).as_bytes()), 0)
}
