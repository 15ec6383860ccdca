//! The vectors of `tests/vectors`, natively and on the compiled bytecode, and files that are wrong.

use std::path::{Path, PathBuf};

use keel_tests::program_file;
use keel_tests::vectors::{Side, Tally, evaluate};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// The folder's vector files, in order; none when it does not exist.
fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    files
}

/// A file of these bytes, evaluated.
fn evaluate_text(name: &str, text: &str) -> anyhow::Result<[Tally; 2]> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text)?;
    evaluate(&path)
}

/// Vector files beside the workspace, where there are any; `KEEL_SHARED_DATA` names another folder.
fn beside() -> PathBuf {
    let given = std::env::var_os("KEEL_SHARED_DATA").map(PathBuf::from);
    let data = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    given.unwrap_or_else(data).join("vectors")
}

/// 3.3, 5.1 to 5.5, 6.1, 6.2.
#[test]
fn vectors_are_met_natively_and_in_the_vm() {
    let mut files = json_files(&folder());
    assert!(files.len() >= 2, "{files:?}");
    files.extend(json_files(&beside()));
    for file in files {
        let shown = file.display();
        let tallies = evaluate(&file).unwrap_or_else(|error| panic!("{shown}: {error:#}"));
        for tally in tallies {
            println!("{shown} {tally}");
            assert!(tally.cases > 0, "{shown} {tally}");
            let named = tally.named_failures().join("\n");
            assert_eq!(tally.failures, 0, "{shown} {tally}\n{named}");
        }
    }
}

/// One long leg of $1,000 at range 10%, with every liberty that the format allows.
#[test]
fn numbers_may_be_strings_or_floats_and_optional_keys_missing() {
    let text = r#"{"cases": [{
        "expected": {"initial": 150000000, "maintenance": "1.0e8"},
        "assets": [{"linear": [{"value": 1e9, "instrument": "perp"}], "more": {},
            "init_factor": "1500000", "b": 900000.0, "range": "100000.0", "options": null}]}]}"#;
    let [native, vm] = evaluate_text("liberties.json", text).unwrap();
    assert_eq!(
        (native.side, native.cases, native.failures),
        (Side::Native, 1, 0)
    );
    assert_eq!((vm.side, vm.cases, vm.failures), (Side::Vm, 1, 0));
    assert_eq!(
        vm.to_string(),
        "vm: cases 1, failures 0, largest error 0 atoms"
    );
}

#[test]
fn a_result_off_by_an_atom_fails_on_both_sides_and_is_named() {
    let case = |name: &str, maintenance: &str| {
        format!(
            r#"{{"name": "{name}", "assets": [{{"range": 100000, "b": 0, "init_factor": 1000000,
            "linear": [{{"instrument": "perp", "value": 1000}}]}}],
            "expected": {{"maintenance": {maintenance}, "tolerance_atoms_above": 0}}}}"#
        )
    };
    let cases = [
        case("below", "100.0000001"),
        case("met", "100"),
        case("above", "\"99.9999999\""),
    ];
    let text = format!(r#"{{"cases": [{}]}}"#, cases.join(","));
    for tally in evaluate_text("off.json", &text).unwrap() {
        assert_eq!((tally.cases, tally.failures), (3, 2), "{tally}");
        let [below, above] = tally.named_failures() else {
            panic!("{tally:?}");
        };
        assert!(
            below.contains("below: maintenance: expected 100.0000001"),
            "{below}"
        );
        assert!(
            above.contains("above: maintenance") && above.ends_with("got 100"),
            "{above}"
        );
    }
}

/// 5.5. A long of 1,000,000 atoms at range 10%: 13 and 14 lose the same, X and Y are equal.
#[test]
fn parts_are_compared_and_ties_forgiven() {
    let case = |name: &str, parts: &str| {
        format!(
            r#"{{"name": "{name}", "assets": [{{"range": 100000, "b": 0, "init_factor": 1000000,
            "linear": [{{"instrument": "perp", "value": 1000000}}]}}],
            "expected": {{"initial": 100000, "maintenance": 100000, "maintenance_parts": {parts}}}}}"#
        )
    };
    let cases = [
        case(
            "tie",
            r#"{"rule": "systemic", "assets": [{"worst_scenario": 14}]}"#,
        ),
        case("X", r#"{"X": 99000}"#),
        case("rule", r#"{"rule": "gross_floor"}"#),
        case("scan", r#"{"assets": [{"scan": 100025}]}"#),
        case(
            "worst",
            r#"{"assets": [{"scan": 100024, "worst_scenario": 11}]}"#,
        ),
    ];
    let text = format!(r#"{{"cases": [{}]}}"#, cases.join(","));
    for tally in evaluate_text("parts.json", &text).unwrap() {
        assert_eq!((tally.cases, tally.failures), (5, 4), "{tally}");
        let [x, rule, scan, worst] = tally.named_failures() else {
            panic!("{tally:?}");
        };
        assert_eq!(x, "X: X: expected 99000 to within 24, got 100000");
        assert_eq!(rule, "rule: rule: expected Gross, got OneFactor");
        assert!(
            scan.starts_with("scan: assets[0].scan: expected 100025"),
            "{scan}"
        );
        assert_eq!(
            worst,
            "worst: assets[0].worst_scenario: expected 11, got 13"
        );
    }
}

/// A mark above the lot's price, and one of nothing, stand as they are; 0.9% of 7 * 3,000 is 189, the short option
/// loses 1,000, and 507 lots are held.
#[test]
fn any_mark_of_an_option_is_charged_for_unwinding() {
    let text = r#"{"cases": [{"assets": [{"range": 100000, "b": 0, "init_factor": 1000000,
        "unwind_rate": 9000, "lot_value": 1000, "options": [
            {"size": 7, "mark": 3000, "array": []}, {"size": -500, "mark": 0, "array": [0, 2]}]}],
        "expected": {"maintenance": 1696, "tolerance_atoms_above": 1}}]}"#;
    for tally in evaluate_text("marks.json", text).unwrap() {
        assert_eq!(tally.failures, 0, "{tally} {:?}", tally.named_failures());
    }
}

#[test]
fn a_case_that_cannot_be_run_has_failed_and_says_where() {
    let leg = r#"{"range": 100000, "b": 0, "init_factor": 1000000}"#;
    let many = [leg; 32].join(",");
    let text = format!(
        r#"{{"cases": [
            {{"assets": [{leg}], "expected": {{"maintenance": 0}}}},
            {{"assets": [{many}], "expected": {{"maintenance": 0}}}},
            {{"assets": [{{"b": 0, "range": "wide"}}], "expected": {{"maintenance": 0}}}},
            {{"assets": [{leg}]}},
            7
        ]}}"#
    );
    for tally in evaluate_text("unrunnable.json", &text).unwrap() {
        assert_eq!((tally.cases, tally.failures), (5, 4), "{tally}");
        let named = tally.named_failures().join("\n");
        for reason in [
            "cases[1]: cannot be run: 32 assets, at most 31",
            "cases[2].assets[0].range: \"wide\" is no number",
            "cases[3].expected: missing",
            "cases[4]: not an object",
        ] {
            assert!(named.contains(reason), "{reason} in\n{named}");
        }
    }
}

#[test]
fn a_malformed_file_says_where() {
    for (text, reason) in [
        ("{\"cases\": [\n1,]}", "line 2"),
        ("[]", "not a JSON object"),
        ("{}", "none of `cases`, `grid` and `published`"),
        (r#"{"cases": [], "grid": []}"#, "both"),
        (r#"{"cases": 3}"#, "cases: not a list"),
        (
            r#"{"cases": [], "scenarios": [{"k": [1, 0]}]}"#,
            "scenarios[0].k: divided by zero",
        ),
        (
            r#"{"cases": [], "scenarios": [{"k": [1, 3, 4]}]}"#,
            "scenarios[0].k: 3 numbers",
        ),
        (
            r#"{"cases": [], "scenarios": []}"#,
            "scenarios: 0 scenarios",
        ),
    ] {
        let error = evaluate_text("malformed.json", text).expect_err(text);
        let said = format!("{error:#}");
        assert!(said.contains(reason), "{said} for {text}");
    }
    let error = evaluate(&folder().join("no-such-file.json")).expect_err("no file");
    assert!(format!("{error:#}").contains("cannot be read"));
}

/// The command as typed, and what it prints.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let deploy_dir = program_file("keel").expect("the bytecode");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_keel-vectors"))
        .args(arguments)
        .env("KEEL_DEPLOY_DIR", deploy_dir.parent().expect("a folder"))
        .output()
        .expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_malformed_file_does_not_keep_others_from_being_reported() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let [bad, good] = ["bad.json", "good.json"].map(|name| folder.join(name));
    std::fs::write(&bad, "{\"cases\": [").unwrap();
    std::fs::write(
        &good,
        r#"{"cases": [{"assets": [], "expected": {"initial": 0}}]}"#,
    )
    .unwrap();
    let [bad, good] = [&bad, &good].map(|path| path.to_str().unwrap());

    let (status, out, said) = run(&[bad, good]);
    let line = "cases 1, failures 0, largest error 0 atoms";
    assert_eq!(out, format!("{good} native: {line}\n{good} vm: {line}\n"));
    assert!(
        said.contains(&format!("error: {bad}: is not JSON")),
        "{said}"
    );
    assert_eq!(status, Some(1));
    assert_eq!(run(&[good]).0, Some(0));
}

#[test]
fn bad_arguments_exit_with_2_and_help_with_0() {
    assert_eq!(run(&[]).0, Some(2));
    assert_eq!(run(&["--quick", "a.json"]).0, Some(2));
    let (status, help, _) = run(&["--help"]);
    assert_eq!(status, Some(0));
    assert!(help.contains("Example:"), "{help}");
}
