//! Calls: many arguments of mixed widths, wide and aggregate results, pointers to functions, trait
//! objects, closures, recursion.

use crate::Outcome;
use core::hint::black_box;

pub const OPERATIONS: u8 = 16;

pub fn run(operation: u8, a: u128, b: u128) -> Outcome {
    let (a, b) = (black_box(a), black_box(b));
    match operation {
        0 => six_arguments(a, b),
        1 => pair(nine(
            a as u64,
            b as u32,
            a as u8,
            b as i64,
            b as u16,
            b as i128,
            a & 1 == 1,
            7,
            -3,
        )),
        2 => twelve_arguments(a, b),
        3 => through_pointers(a, b),
        4 => through_trait_objects(a, b),
        5 => pair(wide_pair(a, b)),
        6 => optional(a, b),
        7 => fallible(a, b),
        8 => aggregate(a, b),
        9 => Outcome::new(u128::from(recurse((b % 40) as u32, a as u64)), 0),
        10 => Outcome::new(wide_recursion((b % 20) as u32, a, b), 0),
        11 => closures(a, b),
        12 => by_value([a, b, a ^ b], (a as u8, b), [a as u16; 5]),
        13 => narrow_arguments(a, b),
        14 => mutual(a, b),
        _ => sum_of_iterator(a, b),
    }
}

fn pair((narrow, wide): (u64, i128)) -> Outcome {
    Outcome::new(u128::from(narrow), wide as u128)
}

#[inline(never)]
fn six(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u64 {
    a.wrapping_sub(b).rotate_left(7) ^ c.wrapping_mul(d) ^ e.wrapping_sub(f.rotate_left(9))
}

#[inline(never)]
fn six_wide(a: u128, b: i128, c: u8, d: u128, e: i16, f: u128) -> u128 {
    a.wrapping_sub(b as u128) ^ d.rotate_left(u32::from(c)) ^ f.wrapping_mul(e as u128)
}

fn six_arguments(a: u128, b: u128) -> Outcome {
    let high = |wide: u128| (wide >> 64) as u64;
    let narrow = six(
        a as u64,
        b as u64,
        high(a),
        high(b),
        11,
        a as u64 ^ b as u64,
    );
    let wide = six_wide(a, b as i128, b as u8, b, a as i16, a ^ b);
    Outcome::new(u128::from(narrow), wide)
}

#[inline(never)]
#[expect(clippy::too_many_arguments, reason = "that is what is tested")]
fn nine(a: u64, b: u32, c: u8, d: i64, e: u16, f: i128, g: bool, h: u64, i: i32) -> (u64, i128) {
    let narrow = a.wrapping_add(u64::from(b) * 3).wrapping_sub(u64::from(c));
    let factor = if g { 3 } else { -5 };
    let wide = f.wrapping_add(i128::from(i)).wrapping_mul(factor);
    (narrow ^ (d as u64).rotate_left(u32::from(e) % 64) ^ h, wide)
}

#[inline(never)]
#[expect(clippy::too_many_arguments, reason = "that is what is tested")]
fn twelve(
    a: u8,
    b: i8,
    c: u16,
    d: i16,
    e: u32,
    f: i32,
    g: u64,
    h: i64,
    i: u128,
    j: i128,
    k: bool,
    l: &u64,
) -> [u64; 4] {
    [
        u64::from(a)
            .wrapping_add(b as u64)
            .wrapping_mul(u64::from(c)),
        (d as u64) ^ u64::from(e) ^ (f as u64),
        g.wrapping_sub(h as u64).wrapping_add(u64::from(k)),
        (i.wrapping_mul(j as u128) >> 32) as u64 ^ *l,
    ]
}

fn twelve_arguments(a: u128, b: u128) -> Outcome {
    let local = (a ^ b) as u64;
    let [p, q, r, s] = twelve(
        a as u8,
        b as i8,
        a as u16,
        b as i16,
        a as u32,
        b as i32,
        a as u64,
        b as i64,
        a,
        b as i128,
        a > b,
        &local,
    );
    Outcome::new(
        u128::from(p) << 64 | u128::from(q),
        u128::from(r) << 64 | u128::from(s),
    )
}

#[inline(never)]
fn six_other(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u64 {
    f.wrapping_mul(a) ^ e.wrapping_sub(b) ^ d.wrapping_add(c)
}

type Six = fn(u64, u64, u64, u64, u64, u64) -> u64;
type Wide = fn(u128, u128) -> (u64, i128);

fn through_pointers(a: u128, b: u128) -> Outcome {
    let table: [Six; 2] = black_box([six, six_other]);
    let narrow = table[(b % 2) as usize](a as u64, b as u64, 3, (a >> 64) as u64, 5, 6);
    let wide: [Wide; 2] = black_box([wide_pair, |a, b| ((a ^ b) as u64, (a | b) as i128)]);
    let (low, high) = wide[(a % 2) as usize](a, b);
    Outcome::new(u128::from(narrow) << 64 | u128::from(low), high as u128)
}

trait Shape {
    fn measure(&self, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> [u64; 5];
    fn weigh(&mut self, by: u128) -> u128;
}

struct Square(u64);
struct Circle(u32, u128);

impl Shape for Square {
    #[inline(never)]
    fn measure(&self, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> [u64; 5] {
        [a ^ self.0, b.wrapping_mul(3), c | d, e.wrapping_sub(f), f]
    }

    #[inline(never)]
    fn weigh(&mut self, by: u128) -> u128 {
        self.0 = self.0.wrapping_add(by as u64);
        u128::from(self.0).wrapping_mul(by)
    }
}

impl Shape for Circle {
    #[inline(never)]
    fn measure(&self, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> [u64; 5] {
        [a.wrapping_add(u64::from(self.0)), b & c, d, e ^ f, a]
    }

    #[inline(never)]
    fn weigh(&mut self, by: u128) -> u128 {
        self.1 = self.1.wrapping_sub(by);
        self.1.rotate_left(self.0)
    }
}

fn through_trait_objects(a: u128, b: u128) -> Outcome {
    let mut shape: Box<dyn Shape> = if b & 1 == 0 {
        Box::new(Square(b as u64))
    } else {
        Box::new(Circle(b as u32, a))
    };
    let parts = shape.measure(a as u64, b as u64, (a >> 64) as u64, (b >> 64) as u64, 7, 5);
    let fold = |sum: u128, part: &u64| sum.wrapping_mul(1_000_003).wrapping_add(u128::from(*part));
    let weight = shape.weigh(a) ^ shape.weigh(b);
    Outcome::new(parts.iter().fold(0, fold), weight)
}

#[inline(never)]
fn wide_pair(a: u128, b: u128) -> (u64, i128) {
    (
        (a >> 32) as u64 ^ b as u64,
        (a as i128).wrapping_sub(b as i128),
    )
}

#[inline(never)]
fn checked(a: u128, b: u128) -> Option<u128> {
    (a > b).then(|| a - b)
}

fn optional(a: u128, b: u128) -> Outcome {
    checked(a, b).map_or(Outcome::new(0, 1), |difference| Outcome::new(difference, 0))
}

#[inline(never)]
fn divide(a: i128, b: i128) -> Result<i128, u8> {
    match b {
        0 => Err(1),
        _ => a.checked_div(b).ok_or(2),
    }
}

fn fallible(a: u128, b: u128) -> Outcome {
    let compute = || -> Result<i128, u8> {
        let first = divide(a as i128, b as i128 >> 64)?;
        divide(first, b as i64 as i128)
    };
    compute().map_or_else(
        |error| Outcome::new(0, error.into()),
        |q| Outcome::new(q as u128, 0),
    )
}

#[derive(Clone, Copy)]
struct Aggregate {
    small: u8,
    wide: i128,
    words: [u32; 7],
    flag: bool,
}

#[inline(never)]
fn make(a: u128, b: u128) -> Aggregate {
    let words = core::array::from_fn(|index| (a >> (index * 9)) as u32);
    Aggregate {
        small: b as u8,
        wide: (a ^ b) as i128,
        words,
        flag: a > b,
    }
}

#[inline(never)]
fn change(mut given: Aggregate, by: u64) -> Aggregate {
    given.words[(by % 7) as usize] ^= by as u32;
    given.wide = given.wide.wrapping_mul(i128::from(given.small));
    given.flag = !given.flag;
    given
}

fn aggregate(a: u128, b: u128) -> Outcome {
    let made = change(change(make(a, b), a as u64), b as u64);
    let sum = made
        .words
        .iter()
        .fold(0u64, |sum, &word| sum.rotate_left(3) ^ u64::from(word));
    Outcome::new(
        u128::from(sum) << 1 | u128::from(made.flag),
        made.wide as u128,
    )
}

#[inline(never)]
fn recurse(depth: u32, a: u64) -> u64 {
    match depth {
        0 => a,
        _ => recurse(depth - 1, a.wrapping_mul(31).wrapping_add(depth.into())) ^ u64::from(depth),
    }
}

#[inline(never)]
fn wide_recursion(depth: u32, a: u128, b: u128) -> u128 {
    match depth {
        0 => a,
        _ => wide_recursion(depth - 1, b, a.wrapping_mul(b) >> 1).wrapping_sub(b >> depth),
    }
}

#[inline(never)]
fn apply(times: u64, operation: &mut dyn FnMut(u64, u128) -> u128) -> u128 {
    (0..times).fold(0, |sum, index| {
        sum ^ operation(index, u128::from(sum as u64))
    })
}

fn closures(a: u128, b: u128) -> Outcome {
    let (mut state, mut count) = (a, 0u128);
    let result = apply(b as u64 % 7, &mut |index, sum| {
        count += 1;
        state = state.rotate_left(index as u32).wrapping_add(b ^ sum);
        state
    });
    Outcome::new(result, state ^ count)
}

#[inline(never)]
fn by_value(wide: [u128; 3], mixed: (u8, u128), narrow: [u16; 5]) -> Outcome {
    let sum = wide
        .iter()
        .fold(0u128, |sum, &part| sum.rotate_left(11) ^ part);
    Outcome::new(sum ^ u128::from(mixed.0), mixed.1 ^ u128::from(narrow[4]))
}

/// Narrow arguments must arrive extended as their types say.
#[inline(never)]
fn narrow(a: u8, b: i8, c: u16, d: i16, e: u32, f: i32, g: bool) -> i64 {
    i64::from(a) + i64::from(b) * 3 - i64::from(c) + i64::from(d) * 5 - i64::from(e)
        + i64::from(f) * 7
        + i64::from(g)
}

#[inline(never)]
fn narrow_result(a: u64) -> i8 {
    a as i8
}

fn narrow_arguments(a: u128, b: u128) -> Outcome {
    let call: fn(u8, i8, u16, i16, u32, i32, bool) -> i64 = black_box(narrow);
    let sum = call(
        a as u8,
        b as i8,
        a as u16,
        b as i16,
        a as u32,
        b as i32,
        a > b,
    );
    let result: fn(u64) -> i8 = black_box(narrow_result);
    Outcome::new(sum as u128, i128::from(result(a as u64)) as u128)
}

#[inline(never)]
fn even(depth: u32, a: u128) -> (u128, bool) {
    if depth == 0 {
        (a, true)
    } else {
        odd(depth - 1, a.rotate_left(depth))
    }
}

#[inline(never)]
fn odd(depth: u32, a: u128) -> (u128, bool) {
    if depth == 0 {
        (a, false)
    } else {
        even(depth - 1, a.wrapping_add(depth.into()))
    }
}

fn mutual(a: u128, b: u128) -> Outcome {
    let (value, is_even) = even((b % 30) as u32, a);
    Outcome::new(value, is_even.into())
}

fn sum_of_iterator(a: u128, b: u128) -> Outcome {
    let values = (0..b as u64 % 50).map(|index| a.wrapping_mul(u128::from(index) | 1));
    let chosen = values
        .enumerate()
        .filter(|(index, value)| (value >> index) & 1 == 0);
    let (sum, count) = chosen.fold((0u128, 0u128), |(sum, count), (index, value)| {
        (sum.wrapping_add(value ^ index as u128), count + 1)
    });
    Outcome::new(sum, count)
}
