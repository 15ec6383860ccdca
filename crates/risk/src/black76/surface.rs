//! The value of an out-of-the-money option, so computed that it is monotone bit by bit.
//!
//! Let `lo <= hi` be forward and strike in order of size, `x = lo/hi`, `s = sigma sqrt T`,
//! `z = ln(hi/lo)`, `t = z/s`, `u = s/2`, `R` Mills' ratio and `n` the normal density. Then
//!
//! `value / hi = g(x, s) = x N(u - t) - N(-u - t) = n(t + u) (R(t - u) - R(t + u))`
//!
//! because `x n(t - u) = n(t + u)`. The right-hand side is small where the value is small, so g is
//! known with a small error *relative to itself*, in the far tail too.
//!
//! **Monotone in F and K.** g is computed at nodes `x = i/2^bits` only; between them it is a chord.
//! So `value = hi a + lo b` with `b` the chord's slope and `a` its intercept, evaluated exactly and
//! then floored. It is nondecreasing in `lo` and nonincreasing in `hi`, by at most one for one, if
//! `b <= 1` and `a <= 0`: the latter is "g/x rises from node to node". Truly `g/x` rises by the
//! share `N(-t - u) / g` of a node's share of x, at least 0.0062 * 2^-16 = 2^-23.3, and `1 - b` is at
//! least 0.0062, at s = 5 and x = 1; errors of g are below 2^-28 of it there. Elsewhere the share
//! is greater: it is `R(t + u) / (R(t - u) - R(t + u))`, and above 0.8 below s = 1, where nodes are
//! 2^-20 apart.
//!
//! **Monotone in sigma.** One step of sigma changes it by 2^-24 of itself or more, hence g by
//! `2^-24 s / (R(t - u) - R(t + u))` of itself, at least 2^-27.5 at s = 5. `t` and `u` fall and rise
//! with sigma also as rounded, and g as a function of both is monotone in each; what remains is the
//! noise of the exponential (2^-31 of g) and of R (1.5 * 2^-32 each, against a difference that is
//! 2 u at least where t is 0). The coarser grid for large s only raises g: its chords lie above.
//!
//! **Accuracy.** A chord lies at most `n / (x s) * 2^(-2 bits) / 8` above g: 4.6e-10 at s = 1e-4,
//! 1.2e-11 at s = 1 on the coarse grid. Beyond t = 6.5, where g is below 2e-11, it is set to zero.

use crate::math::{LN_SQRT_TAU, PPM_PER_ROOT_YEAR, exp_falling, ln, ln_normal, mills, square};
use crate::num::wide_mul;
use crate::units::Ppm;

/// The greatest lo and hi, 2^54: ten binary places are appended to them.
const SIZE_END: u64 = 1 << 54;
/// Nodes per unit of x, in binary places, below s = 1 and from there on; both even.
const FINE_BITS: u32 = 20;
const COARSE_BITS: u32 = 16;
/// ln 2^20, 40 fractional bits.
const LN_NODES: u64 = ln(1 << FINE_BITS);
/// u = 1/16, to where the series is used, with 32 fractional bits.
const SERIES_END: u64 = 1 << 28;
/// u = 1/2, from where on the grid is coarse.
const FINE_END: u64 = 1 << 31;
/// Sigma counts with this many leading bits.
const SIGMA_BITS: u32 = 24;
/// The greatest sigma sqrt T.
const MAX_DEVIATION: u64 = 5;
/// g has so many fractional bits.
const G_BITS: u32 = 60;

/// The square root of a time in seconds, `root / 2^scale`, floor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RootTime {
    /// 2^31 <= root < 2^32, or zero without time.
    pub root: u64,
    /// 16 to 31.
    pub scale: u32,
}

impl RootTime {
    #[inline]
    pub(crate) const fn new(time_s: u32) -> Self {
        if time_s == 0 {
            return Self { root: 0, scale: 31 };
        }
        let scale = (time_s as u64).leading_zeros() >> 1;
        Self {
            root: crate::num::isqrt_normal((time_s as u64) << (2 * scale)),
            scale,
        }
    }
}

/// `s = sigma sqrt T` in the forms that the surface needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deviation {
    /// s = mantissa / 2^exponent, floor; 2^31 <= mantissa < 2^32, or zero. 29 <= exponent <= 64.
    pub mantissa: u64,
    pub exponent: u32,
    /// u = s/2, 32 fractional bits.
    pub half: u64,
    /// u^2, 48 fractional bits.
    half_square: u64,
    /// 6.5 s, 40 fractional bits: beyond this z the value is zero.
    end: u64,
}

impl Deviation {
    const NONE: Self = Self {
        mantissa: 0,
        exponent: 64,
        half: 0,
        half_square: 0,
        end: 0,
    };

    #[inline]
    pub(crate) const fn new(sigma: Ppm, time: RootTime) -> Self {
        let sigma = leading(sigma.0 as u64);
        // Both factors are below 2^32. The product is 2^31 at least, unless it is zero.
        let product = sigma.wrapping_mul(time.root);
        if product == 0 {
            return Self::NONE;
        }
        // s = scaled / 2^places. The constant is 2^31.6, so scaled is 2^30 at least.
        let high = (product >> 32).wrapping_mul(PPM_PER_ROOT_YEAR);
        let low = (product & 0xffff_ffff).wrapping_mul(PPM_PER_ROOT_YEAR) >> 32;
        let scaled = high.wrapping_add(low);
        let places = 32 + time.scale;
        let scaled = if scaled >> places >= MAX_DEVIATION {
            MAX_DEVIATION << places
        } else {
            scaled
        };

        let zeros = scaled.leading_zeros();
        let mantissa = (scaled << zeros) >> 32;
        let exponent = time.scale + zeros;
        let end = if exponent <= 39 {
            (mantissa * 13) << (39 - exponent)
        } else {
            (mantissa * 13) >> (exponent - 39)
        };
        let half = scaled >> (time.scale + 1);
        Self {
            mantissa,
            exponent,
            half,
            half_square: square(half),
            end,
        }
    }

    #[inline]
    const fn grid_bits(&self) -> u32 {
        if self.half < FINE_END {
            FINE_BITS
        } else {
            COARSE_BITS
        }
    }

    /// `z / s` with 32 fractional bits, floor, for `z` with 40; none beyond 6.5 and where s is zero.
    #[inline]
    pub(crate) const fn distance(&self, z: u64) -> Option<u64> {
        if z > self.end || self.mantissa == 0 {
            return None;
        }
        // z <= 6.5 s, so the first dividend is below 6.5 * 2^(32 + 24); t is below 2^35.
        let wide = z << (self.exponent - 16);
        let (quotient, rest) = (wide / self.mantissa, wide % self.mantissa);
        Some((quotient << 8).wrapping_add((rest << 8) / self.mantissa))
    }
}

/// The number with all but its 24 leading bits cleared.
#[inline]
const fn leading(sigma: u64) -> u64 {
    if sigma >> SIGMA_BITS == 0 {
        return sigma;
    }
    let cut = 64 - SIGMA_BITS - sigma.leading_zeros();
    (sigma >> cut) << cut
}

/// Where `low <= high` lie on the grid: all that does not depend on volatility but for its fineness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// `low / high = (index + offset / high) / 2^bits`; zero if the value is zero anyway.
    high: u64,
    offset: u64,
    /// Binary places of the grid.
    bits: u32,
    /// `ln(1 / x)` of the nodes below and above, 40 fractional bits.
    near: u64,
    far: u64,
}

/// Of the node at x = 0, where the value is zero: beyond 6.5 s of any s.
const NO_NODE: u64 = u64::MAX;

impl Place {
    #[inline]
    pub(crate) fn new(low: u64, high: u64, deviation: &Deviation) -> Self {
        let bits = deviation.grid_bits();
        if low == 0 || high >= SIZE_END {
            return Self {
                high: 0,
                offset: 0,
                bits,
                near: NO_NODE,
                far: NO_NODE,
            };
        }
        // Exactly, by two divisions; `bits` is even.
        let step = bits / 2;
        let (first, rest) = ((low << step) / high, (low << step) % high);
        let (second, offset) = ((rest << step) / high, (rest << step) % high);
        let index = ((first << step) | second) << (FINE_BITS - bits);
        Self {
            high,
            offset,
            bits,
            near: node_distance(index),
            // With an offset, index is below the last node, so the next exists.
            far: if offset == 0 {
                NO_NODE
            } else {
                node_distance(index + (1 << (FINE_BITS - bits)))
            },
        }
    }

    /// Whether the place serves this deviation too.
    #[inline]
    pub(crate) fn suits(&self, deviation: &Deviation) -> bool {
        self.bits == deviation.grid_bits()
    }

    /// The out-of-the-money value, in the unit of `low` and `high`, floor.
    #[inline]
    pub(crate) fn value(&self, deviation: &Deviation) -> u64 {
        let near = node(self.near, deviation);
        let (mut top, mut sum) = wide_mul(self.high, near);
        if self.offset != 0 {
            let far = node(self.far, deviation);
            let (rise_top, rise) = wide_mul(self.offset, far.saturating_sub(near));
            sum = sum.wrapping_add(rise);
            top = top.wrapping_add(rise_top).wrapping_add((sum < rise) as u64);
        }
        (top << (64 - G_BITS)) | (sum >> G_BITS)
    }
}

/// `ln(1 / x)` at `x = index / 2^20`, 40 fractional bits.
#[inline]
fn node_distance(index: u64) -> u64 {
    if index == 0 {
        return NO_NODE;
    }
    // From the top: most places are near the money.
    let mut octave = FINE_BITS;
    while index >> octave == 0 {
        octave -= 1;
    }
    LN_NODES.wrapping_sub(ln_normal(index << (40 - octave), octave))
}

/// g at `ln(1 / x) = z` with 40 fractional bits; 60 fractional bits.
fn node(z: u64, deviation: &Deviation) -> u64 {
    let Some(t) = deviation.distance(z) else {
        return 0;
    };
    let u = deviation.half;
    // (t + u)^2 / 2 = (t^2 + u^2 + z) / 2: the rounding of t then cancels to first order.
    let halves = square(t).wrapping_add(deviation.half_square) >> 15;
    let density = exp_falling(halves.wrapping_add(z >> 7).wrapping_add(LN_SQRT_TAU));
    let density_32 = density.mantissa >> 8;

    if u < SERIES_END {
        // s W / 2, since W may be a little above 1: 31 bits times at most 33, then 32 times 32.
        let width = (deviation.mantissa >> 1).wrapping_mul(mean_slope(t, u)) >> 32;
        let shift = deviation.exponent - 29 + density.shift;
        if shift > 63 {
            return 0;
        }
        return density_32.wrapping_mul(width) >> shift;
    }
    // R(-2.5) < 57, so the difference has 46 bits; 32 against 30 of them, then against the rest.
    let near = mills((t as i64).wrapping_sub(u as i64));
    let difference = near.wrapping_sub(mills(t.wrapping_add(u) as i64));
    let product = density_32
        .wrapping_mul(difference >> 16)
        .wrapping_add(density_32.wrapping_mul(difference & 0xffff) >> 16);
    // 56 fractional bits and, halved as the density asks, below 1; 60 are wanted.
    if density.shift < G_BITS - 56 {
        product << (G_BITS - 56 - density.shift)
    } else {
        product >> (density.shift - (G_BITS - 56))
    }
}

/// `W = (R(t - u) - R(t + u)) / 2u` for `u < 1/16`, 32 fractional bits, by its Taylor series in u:
/// `-R' - u^2/6 R''' - u^4/120 R^(5)`, with `R' = t R - 1` and so on. The rest is below 6e-10.
#[inline]
fn mean_slope(t: u64, u: u64) -> u64 {
    let ratio = mills(t as i64) >> 8;
    // t R(t) < 1, so 30 and 32 fractional bits fit.
    let p = (t >> 2).wrapping_mul(ratio) >> 30;
    // t^2 <= 42.25 with 24 fractional bits; y + 3 then has 30 bits.
    let y = square(t) >> 24;
    let first = (1u64 << 32).wrapping_sub(p);
    let third = y
        .wrapping_add(2 << 24)
        .wrapping_sub(y.wrapping_add(3 << 24).wrapping_mul(p) >> 32);
    // y^2 + 10 y + 15 < 2,223 with 20 fractional bits.
    let y_20 = y >> 4;
    let y_2 = y_20.wrapping_mul(y_20) >> 20;
    let fifth = y_2
        .wrapping_add(y_20.wrapping_mul(9))
        .wrapping_add(8 << 20)
        .wrapping_sub(
            y_2.wrapping_add(y_20.wrapping_mul(10))
                .wrapping_add(15 << 20)
                .wrapping_mul(p)
                >> 32,
        );
    // u^2 < 2^-8 and u^4 < 2^-16. Both differences are positive but for the last of their bits.
    let u_2 = u.wrapping_mul(u) >> 32;
    let u_4 = u_2.wrapping_mul(u_2) >> 32;
    let cubic = ((u_2 as i64).wrapping_mul(third as i64) / 6) >> 24;
    let quintic = ((u_4 as i64).wrapping_mul(fifth as i64) / 120) >> 20;
    first
        .wrapping_add(cubic as u64)
        .wrapping_add(quintic as u64)
}
