use crate::common::*;
use keel_risk::Ppm;
use keel_risk::black76::*;
use proptest::prelude::*;

fn sized() -> impl Strategy<Value = (u64, u64)> {
    (any_magnitude(48), 0u64..=20_000_000, any::<bool>()).prop_map(|(n, r, swap)| {
        let other = ((n as u128 * r as u128 / 1_000_000) as u64).clamp(1, (1 << 48) - 1);
        if swap { (other, n) } else { (n, other) }
    })
}
fn call(f: u64, k: u64, sigma: u32, t: u32) -> i64 {
    value(&Contract {
        side: OptionSide::Call,
        forward: f,
        strike: k,
        sigma: Ppm(sigma),
        time_s: t,
    }) as i64
}
proptest! {
    #![proptest_config(config(1_000_000))]
    #[test]
    fn quick((f, k) in sized(), sigma in any_magnitude(32), t in any_magnitude(32), near in -3i64..=3, at in any::<bool>()) {
        let k = if at { (f as i64 + near).max(1) as u64 } else {k};
        let (sigma, t) = (sigma as u32, t as u32);
        let v = call(f, k, sigma, t);
        prop_assert!(v >= f as i64 - k as i64 && v >= 0 && v <= f as i64);
        let up = call(f + 1, k, sigma, t);
        prop_assert!(up >= v && up <= v + 1, "F {v} {up}");
        let up = call(f, k + 1, sigma, t);
        prop_assert!(up <= v && up >= v - 1, "K {v} {up}");
        let up = call(f, k, sigma.saturating_add(1), t);
        prop_assert!(up >= v, "sigma {v} {up}");
    }
}
