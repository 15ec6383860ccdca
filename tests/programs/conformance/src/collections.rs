//! The standard collections.

use crate::{Outcome, digest};
use core::hint::black_box;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::rc::Rc;

pub const OPERATIONS: u8 = 8;

pub fn run(operation: u8, a: u128, b: u128) -> Outcome {
    let (a, b) = (black_box(a), black_box(b));
    match operation {
        0 => sorted(a, b),
        1 => sorted_wide(a, b),
        2 => tree_map(a, b),
        3 => hash_map(a, b),
        4 => vectors(a, b),
        5 => queues(a, b),
        6 => shared(a, b),
        _ => sets(a, b),
    }
}

/// Up to 40 numbers without an order, some of them equal.
fn numbers(a: u128, b: u128) -> Vec<u64> {
    let count = b as u64 % 40;
    let number = |index: u64| {
        let mixed = (a as u64)
            .wrapping_mul(index * index + 1)
            .rotate_left(index as u32);
        if mixed.is_multiple_of(5) {
            mixed % 7
        } else {
            mixed ^ (b >> 64) as u64
        }
    };
    (0..count).map(number).collect()
}

fn digest_words(words: &[u64]) -> u128 {
    words.iter().fold(7, |state, word| {
        digest(&(state as u64 ^ word).to_le_bytes())
    })
}

fn sorted(a: u128, b: u128) -> Outcome {
    let mut stable = numbers(a, b);
    let mut unstable = stable.clone();
    stable.sort_by_key(|number| number % 16);
    unstable.sort_unstable();
    unstable.dedup();
    let found = unstable
        .binary_search(&(a as u64))
        .unwrap_or_else(|place| place + 100);
    Outcome::new(
        digest_words(&stable) << 64 | digest_words(&unstable),
        found as u128,
    )
}

fn sorted_wide(a: u128, b: u128) -> Outcome {
    let widen = |&number: &u64| {
        let square = u128::from(number) * u128::from(number);
        ((square as i128).wrapping_sub(b as i128), number as u8)
    };
    let mut wide: Vec<(i128, u8)> = numbers(a, b).iter().map(widen).collect();
    wide.sort_by(|left, right| right.cmp(left));
    let fold = |state: u128, (number, one): &(i128, u8)| {
        state.rotate_left(7) ^ *number as u128 ^ u128::from(*one)
    };
    let (min, max) = (wide.iter().min(), wide.iter().max());
    Outcome::new(wide.iter().fold(0, fold), u128::from(min < max))
}

fn tree_map(a: u128, b: u128) -> Outcome {
    let numbers = numbers(a, b);
    let mut map: BTreeMap<u64, u128> = BTreeMap::new();
    for (index, &number) in numbers.iter().enumerate() {
        *map.entry(number % 64).or_default() += u128::from(number) << (index % 3);
    }
    for number in numbers.iter().step_by(3) {
        map.remove(&(number % 64));
    }
    let fold = |state: u128, (key, value): (&u64, &u128)| {
        state.rotate_left(9) ^ value.wrapping_add(u128::from(*key))
    };
    let above = map.range((a as u64 % 64)..).fold(1, fold);
    Outcome::new(map.iter().fold(0, fold), above ^ map.len() as u128)
}

/// The order of a hash map is its own affair: only sums are compared.
fn hash_map(a: u128, b: u128) -> Outcome {
    let numbers = numbers(a, b);
    let mut map: HashMap<u64, u32> = HashMap::new();
    for &number in &numbers {
        *map.entry(number % 32).or_insert(0) += 1;
    }
    map.retain(|key, count| key % 3 != 0 || *count > 1);
    let sum = map.iter().fold(0u128, |sum, (&key, &count)| {
        sum.wrapping_add(u128::from(key + 1) << (count % 32))
    });
    let found = (0..32).filter(|key| map.contains_key(key)).count();
    Outcome::new(sum, found as u128)
}

fn vectors(a: u128, b: u128) -> Outcome {
    let mut words = numbers(a, b);
    words.insert(words.len() / 2, a as u64);
    words.extend_from_slice(&[b as u64, 3, 4]);
    let removed = words.remove((a as usize) % words.len());
    words.swap(0, 1);
    words.truncate(30);
    let by = (b as usize >> 8) % words.len();
    words.rotate_left(by);
    let sums: Vec<u64> = words
        .windows(2)
        .map(|two| two[0].wrapping_add(two[1]))
        .collect();
    let chunks = words
        .chunks(4)
        .map(|chunk| chunk.len() as u128 * 3)
        .sum::<u128>();
    let position = words.iter().position(|&word| word % 2 == 1).unwrap_or(99);
    Outcome::new(
        digest_words(&sums) << 64 | digest_words(&words),
        chunks << 8 | position as u128 ^ u128::from(removed) << 16,
    )
}

fn queues(a: u128, b: u128) -> Outcome {
    let numbers = numbers(a, b);
    let mut heap: BinaryHeap<u64> = numbers.iter().copied().collect();
    let mut queue: VecDeque<u64> = VecDeque::new();
    while let Some(largest) = heap.pop() {
        if largest % 2 == 0 {
            queue.push_back(largest)
        } else {
            queue.push_front(largest)
        }
        if queue.len() > 12 {
            queue.pop_front();
        }
    }
    let words: Vec<u64> = queue.iter().copied().collect();
    Outcome::new(digest_words(&words), words.len() as u128)
}

fn shared(a: u128, b: u128) -> Outcome {
    let cell = Rc::new(RefCell::new(a));
    let others: Vec<Rc<RefCell<u128>>> = (0..b % 5).map(|_| Rc::clone(&cell)).collect();
    for (index, other) in others.iter().enumerate() {
        let mut value = other.borrow_mut();
        *value = value.wrapping_mul(b | 1).wrapping_add(index as u128);
    }
    let count = Rc::strong_count(&cell) as u128;
    let busy = cell.try_borrow_mut().is_ok();
    Outcome::new(*cell.borrow(), count << 1 | u128::from(busy))
}

fn sets(a: u128, b: u128) -> Outcome {
    let left: BTreeSet<u64> = numbers(a, b).iter().map(|number| number % 50).collect();
    let right: HashSet<u64> = numbers(b, a).iter().map(|number| number % 50).collect();
    let common: Vec<u64> = left
        .iter()
        .copied()
        .filter(|word| right.contains(word))
        .collect();
    Outcome::new(
        digest_words(&common),
        (left.len() * 64 + right.len()) as u128,
    )
}
