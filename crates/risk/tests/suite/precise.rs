//! Logarithm, exponential, normal distribution and Black-76 in big integers, by series: another
//! route than the engine's tables.
//!
//! Numbers are integers with 192 fractional bits; every result is good to 150 of them and more.

use num_bigint::BigInt;
use num_traits::{One, Signed, Zero};

pub const BITS: u32 = 192;

pub fn one() -> BigInt {
    BigInt::one() << BITS
}

/// `n / 2^bits`.
pub fn fixed(n: impl Into<BigInt>, bits: u32) -> BigInt {
    n.into() << (BITS - bits)
}

pub fn mul(a: &BigInt, b: &BigInt) -> BigInt {
    (a * b) >> BITS
}

pub fn div(a: &BigInt, b: &BigInt) -> BigInt {
    (a << BITS) / b
}

/// Taylor's series of a 1,024th, squared ten times; small arguments below -130 give zero.
pub fn exp(x: &BigInt) -> BigInt {
    if *x < -one() * 130 {
        return BigInt::zero();
    }
    let part = x >> 10;
    let mut sum = one();
    let mut term = one();
    let mut n = 0;
    while !term.is_zero() && n < 200 {
        n += 1;
        term = mul(&term, &part) / n;
        if term == BigInt::from(-1) {
            break;
        }
        sum += &term;
    }
    for _ in 0..10 {
        sum = mul(&sum, &sum);
    }
    sum
}

/// Halved or doubled into [1, 2], then `2 artanh((x - 1) / (x + 1))`; `ln 2` likewise.
pub fn ln(x: &BigInt) -> BigInt {
    let octave = x.bits() as i64 - 1 - i64::from(BITS);
    let mantissa = if octave >= 0 {
        x >> octave
    } else {
        x << -octave
    };
    near_ln(&mantissa) + near_ln(&(one() * 2)) * octave
}

fn near_ln(x: &BigInt) -> BigInt {
    let ratio = div(&(x - one()), &(x + one()));
    let square = mul(&ratio, &ratio);
    let (mut power, mut sum, mut odd) = (ratio.clone(), ratio, 1);
    while power > BigInt::one() {
        odd += 2;
        power = mul(&power, &square);
        sum += &power / odd;
    }
    sum * 2
}

pub fn sqrt(x: &BigInt) -> BigInt {
    (x << BITS).sqrt()
}

/// 3.14159..., by Machin's formula.
fn pi() -> BigInt {
    let arctan = |n: u32| {
        let (mut power, mut sum, mut odd) = (one() / n, one() / n, 1i64);
        while !power.is_zero() {
            power = -power / (n * n);
            odd += 2;
            sum += &power / odd;
        }
        sum
    };
    (arctan(5) * 4 - arctan(239)) * 4
}

/// The standard normal density.
pub fn density(x: &BigInt) -> BigInt {
    let square: BigInt = mul(x, x) / -2;
    div(&exp(&square), &sqrt(&(pi() * 2)))
}

/// The standard normal distribution: one half and the density times `x + x^3/3 + x^5/15 + ...`
pub fn cdf(x: &BigInt) -> BigInt {
    if x.abs() > one() * 13 {
        return if x.is_negative() {
            BigInt::zero()
        } else {
            one()
        };
    }
    let square = mul(x, x);
    let (mut term, mut sum, mut odd) = (x.clone(), x.clone(), 1);
    while term.abs() > BigInt::one() {
        odd += 2;
        term = mul(&term, &square) / odd;
        sum += &term;
    }
    one() / 2 + mul(&density(x), &sum)
}

/// `sigma sqrt T`.
pub fn deviation(sigma_ppm: u32, time_s: u32) -> BigInt {
    let root = sqrt(&(fixed(time_s, 0) / 31_536_000));
    root * sigma_ppm / 1_000_000
}

/// A call on F and K and its d1; `s` positive.
pub fn call(forward: u64, strike: u64, s: &BigInt) -> (BigInt, BigInt) {
    let ratio = fixed(forward, 0) / strike;
    let d1 = div(&ln(&ratio), s) + s / 2;
    let d2 = &d1 - s;
    (cdf(&d1) * forward - cdf(&d2) * strike, d1)
}
