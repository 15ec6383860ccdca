//! The reference itself against the shared vectors of margin-spec 5.1 to 5.5, options included, to
//! the last printed digit: what the engine is measured by is measured too. Then the engine.

use crate::common::*;
use crate::reference::{Exact, Which, ratio, requirement, whole};
use keel_risk::*;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use serde_json::Value;
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

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// One asset of a vector: legs are already values, one atom per unit.
fn add_asset(
    book: &mut TestBook,
    account: TestAccount,
    listed: &Value,
    which: Which,
) -> TestAccount {
    let ppm = |key| Ppm(int(listed, key) as u32);
    let terms = AssetTerms {
        lot_price: Price::new(int(listed, "lot_value") as u64, 0).expect("a price"),
        native_price: Price::ONE,
        depth: Atoms(int(listed, "depth")),
        range: ppm("range"),
        init_factor: ppm("init_factor"),
        concentration_cap: ppm("conc_cap"),
        basis_rate: ppm("basis_rate"),
        unwind_rate: ppm("unwind_rate"),
        short_option_min: ppm("som"),
        systematic: (int(listed, "b") / 1_000) as u16,
        ..plain_asset()
    };
    let asset = book.list(terms, [1_000_000; 4], 0);
    let mut account = account;
    for leg in list(listed, "linear") {
        let initial = leg
            .get("value_init")
            .filter(|_| which != Which::Maintenance);
        let value = initial.unwrap_or(&leg["value"]).as_i64().expect("a value");
        if leg["instrument"] == "spot" {
            account = account.with_balance(asset, value);
        } else {
            let linear = InstrumentTerms::linear(InstrumentKind::Perp, asset, Price::ONE);
            let instrument = book.list_instrument(linear, &[], Greeks::LINEAR);
            account = account.with_position(instrument, value, 0);
        }
    }
    for leg in list(listed, "options") {
        // A worthless option: one that is worth less than an atom.
        let mark = Price::new(int(leg, "mark") as u64, 0).unwrap_or(price(1, 62));
        let option = InstrumentTerms::linear(InstrumentKind::Call, asset, mark);
        let array: Vec<i32> = list(leg, "array")
            .iter()
            .map(|gain| {
                gain.as_i64()
                    .and_then(|gain| i32::try_from(gain).ok())
                    .expect("a gain")
            })
            .collect();
        let instrument = book.list_instrument(option, &array, Greeks::LINEAR);
        account = account.with_position(instrument, int(leg, "size"), 0);
    }
    account
}

fn portfolio(case: &Value, which: Which) -> (TestBook, TestAccount) {
    let mut book = empty_book();
    let mut account = TestAccount::default();
    for listed in list(case, "assets") {
        account = add_asset(&mut book, account, listed, which);
    }
    (book, account)
}

fn exact(case: &Value, which: Which) -> Exact {
    let (book, account) = portfolio(case, which);
    requirement(&book, &account, which, Stance::Plain)
}

/// A printed decimal, exactly.
fn decimal(text: &str) -> BigRational {
    let (units, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits: BigInt = format!("{units}{rest}").parse().expect("digits");
    ratio(digits, BigInt::from(10).pow(rest.len() as u32))
}

/// Whether a figure of the reference is the printed one, as far as it is printed.
fn agrees(ours: &BigRational, printed: &str) -> bool {
    (ours - decimal(printed)).abs() <= ratio(1, 1_000_000)
}

/// Whether the engine's requirement is the vector's, rounded up by at most what the file allows.
fn engine_meets(case: &Value, exact: &Exact, which: Which) -> bool {
    let (book, account) = portfolio(case, which);
    let found = assess(&book, &account);
    let requirement = match which {
        Which::Maintenance => found.maintenance.requirement.0,
        Which::Initial(_) => found.initial.requirement.0,
    };
    let tolerance = int(&case["expected"], "tolerance_atoms_above");
    exact.at_most(requirement) && exact.at_least(requirement - tolerance)
}

#[test]
fn the_reference_and_the_engine_meet_every_shared_vector() {
    let Some(text) = text() else {
        println!("no vectors: set KEEL_VECTORS to margin.json");
        return;
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    let cases = list(&file, "cases");
    for case in cases {
        let name = &case["name"];
        let expected = &case["expected"];
        let maintenance = exact(case, Which::Maintenance);
        let initial = exact(case, Which::Initial(None));
        let printed = |key: &str| expected[key].as_str().expect("a figure");
        // A root is compared within the printed digits from both sides.
        for (exact, key) in [(&maintenance, "maintenance"), (&initial, "initial")] {
            let (low, high) = (
                decimal(printed(key)) - ratio(1, 1_000_000),
                decimal(printed(key)) + ratio(1, 1_000_000),
            );
            assert!(
                exact.is_at_most(&high) && !exact.is_at_most(&low),
                "{name} {key}"
            );
        }
        assert!(
            engine_meets(case, &maintenance, Which::Maintenance),
            "{name}"
        );
        assert!(engine_meets(case, &initial, Which::Initial(None)), "{name}");

        let parts = &expected["maintenance_parts"];
        let figure = |key: &str| parts[key].as_str().expect("a figure");
        let unit = whole(maintenance.unit.clone());
        assert!(
            agrees(&(whole(maintenance.systemic.clone()) / &unit), figure("Y")),
            "{name} Y"
        );
        let gross =
            whole(&maintenance.sum_of_scans * maintenance.gross_min) / &unit / whole(1_000_000);
        assert!(agrees(&gross, figure("gross_floor")), "{name} gross");
        assert_eq!(
            maintenance.cushion,
            i128::from(int(parts, "cushion")),
            "{name} cushion"
        );
        let x = decimal(figure("X"));
        let squared =
            whole(maintenance.one_factor_squared.clone()) / (&unit * &unit * whole(1_000_000));
        let apart = (&x * &x - squared).abs();
        assert!(apart <= (x + whole(1)) * ratio(3, 1_000_000), "{name} X");
    }
    println!(
        "{} vectors met by the reference and by the engine",
        cases.len()
    );
    assert!(cases.len() >= 54);
}
