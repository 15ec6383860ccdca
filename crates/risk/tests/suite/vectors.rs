//! The shared vectors of margin-spec 5.1 to 5.5: those without options.

use crate::common::*;
use keel_risk::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn text() -> Option<String> {
    let given = std::env::var_os("KEEL_VECTORS").map(PathBuf::from);
    let beside = || {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        root.join("../shared/data/vectors/margin.json")
    };
    std::fs::read_to_string(given.unwrap_or_else(beside)).ok()
}

fn int(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_else(|| panic!("{key}"))
}

/// Atoms are a vector's decimal digits: rounded up, and down to what is surely exceeded.
fn atoms(text: &str) -> (i64, bool) {
    let (units, rest) = text.split_once('.').unwrap_or((text, "0"));
    (
        units.parse().expect("atoms"),
        rest.bytes().any(|digit| digit != b'0'),
    )
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The vector's legs, one atom per unit, with the values of one requirement.
fn portfolio(case: &Value, initial: bool) -> (TestBook, TestAccount) {
    let mut book = empty_book();
    let mut account = TestAccount::default();
    for listed in list(case, "assets") {
        let ppm = |key| Ppm(int(listed, key) as u32);
        let terms = AssetTerms {
            lot_price: Price::ONE,
            native_price: Price::ONE,
            down: Frac40(0),
            up: Frac40(0),
            depth: Atoms(int(listed, "depth")),
            range: ppm("range"),
            init_factor: ppm("init_factor"),
            concentration_cap: ppm("conc_cap"),
            basis_rate: ppm("basis_rate"),
            unwind_rate: ppm("unwind_rate"),
            short_option_min: ppm("som"),
            systematic: (int(listed, "b") / 1_000) as u16,
        };
        let mut held: BTreeMap<&str, i64> = BTreeMap::new();
        for leg in list(listed, "linear") {
            let key = if initial && leg.get("value_init").is_some() {
                "value_init"
            } else {
                "value"
            };
            let value = int(leg, key);
            *held
                .entry(leg["instrument"].as_str().unwrap_or("?"))
                .or_default() += value;
        }
        let asset = book.list(terms, [1_000_000; 4], 0);
        for (name, value) in held {
            if name == "spot" {
                account = account.with_balance(asset, value);
            } else {
                let linear = InstrumentTerms::linear(InstrumentKind::Perp, asset, Price::ONE);
                let instrument = book.list_instrument(linear, &[], Greeks::LINEAR);
                account = account.with_position(instrument, value, 0);
            }
        }
    }
    (book, account)
}

#[test]
fn the_shared_vectors_without_options_are_met() {
    let Some(text) = text() else {
        println!("no vectors: set KEEL_VECTORS to margin.json");
        return;
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    let linear = |case: &&Value| {
        let assets = case["assets"].as_array().unwrap();
        assets
            .iter()
            .all(|asset| asset["options"].as_array().unwrap().is_empty())
    };
    let mut met = 0;
    for case in file["cases"].as_array().unwrap().iter().filter(linear) {
        for (initial, key) in [(false, "maintenance"), (true, "initial")] {
            let (book, account) = portfolio(case, initial);
            let found = assess(&book, &account);
            let health = if initial {
                found.initial
            } else {
                found.maintenance
            };
            let (least, more) = atoms(case["expected"][key].as_str().unwrap());
            let least = least + i64::from(more);
            let most = least + int(&case["expected"], "tolerance_atoms_above");
            let got = health.requirement.0;
            assert!(
                (least..=most).contains(&got),
                "{} {key}: {got} for {least}",
                case["name"]
            );
        }
        met += 1;
    }
    assert!(met >= 10, "only {met} cases");
    println!("{met} cases met");
}

/// Ours, by hand. Long $1,000, range 10%: MM 100, IM 150.
#[test]
fn one_long_leg_pays_its_range() {
    let mut book = empty_book();
    book.list(plain_asset(), [1_000_000; 4], 1);
    let found = assess(&book, &TestAccount::default().with_position(0, 1_000, 0));
    assert_eq!(found.maintenance.requirement, Atoms(100_000_000));
    assert_eq!(found.initial.requirement, Atoms(150_000_000));
    assert_eq!(found.maintenance_parts.rule, Rule::OneFactor);
}

/// Two longs of $1,000 with b 0.9: X = sqrt(180^2 + 2 * 0.19 * 100^2) = 190.26, Y = 200 rules.
#[test]
fn longs_do_not_diversify() {
    let mut book = empty_book();
    book.list(plain_asset(), [1_000_000; 4], 1);
    book.list(plain_asset(), [1_000_000; 4], 1);
    let account = TestAccount::default()
        .with_position(0, 1_000, 0)
        .with_position(1, 1_000, 0);
    let parts = assess(&book, &account).maintenance_parts;
    assert_eq!(parts.one_factor, Atoms(190_262_976));
    assert_eq!(parts.systemic, Atoms(200_000_000));
    assert_eq!(parts.gross, Atoms(60_000_000));
    assert_eq!(parts.rule, Rule::Systemic);
}

/// Eight dollar-neutral pairs of b 0.9: X = sqrt(16 * 0.19) * 100 = 174.4; the gross minimum,
/// 0.3 * 1,600 = 480, rules.
#[test]
fn many_pairs_pay_the_gross_minimum() {
    let mut book = empty_book();
    let mut account = TestAccount::default();
    for index in 0..16 {
        book.list(plain_asset(), [1_000_000; 4], 1);
        let size = if index % 2 == 0 { 1_000 } else { -1_000 };
        account = account.with_position(index, size, 0);
    }
    let parts = assess(&book, &account).maintenance_parts;
    assert_eq!(
        (parts.total(), parts.rule),
        (Atoms(480_000_000), Rule::Gross)
    );
}

/// Ten times the depth with a cap of 1: the multiplier is 2. At a tenth of the depth it is 1.1.
#[test]
fn size_is_charged_up_to_the_cap() {
    for (depth, mm) in [(100_000_000, 200_000_000), (10_000_000_000, 110_000_000)] {
        let mut book = empty_book();
        let terms = AssetTerms {
            depth: Atoms(depth),
            concentration_cap: Ppm(1_000_000),
            ..plain_asset()
        };
        book.list(terms, [1_000_000; 4], 1);
        let found = assess(&book, &TestAccount::default().with_position(0, 1_000, 0));
        let requirement = found.maintenance.requirement.0;
        assert!((mm..=mm + 1).contains(&requirement), "{requirement}");
    }
}
