use super::*;

const HEADER: &str = "unix_time,open,high,low,close\n";
const GOOD: &str = "1700000000,100,110,90,105\n1700003600,105,106,104,104.5\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn replay(sol: &str, btc: &str, eth: &str) -> Result<PricePath, CandleError> {
    let dir = folder(&[("SOL.csv", sol), ("BTC.csv", btc), ("ETH.csv", eth)]);
    path(dir.path(), 12)
}

/// The error of a SOL file with `row` after one good bar, without its folder.
fn error_of(row: &str) -> String {
    let good = format!("{HEADER}{GOOD}");
    let bad = format!("{HEADER}1700000000,100,110,90,105\n{row}\n");
    let text = replay(&bad, &good, &good).unwrap_err().to_string();
    text[text.find("SOL.csv").unwrap()..].to_owned()
}

#[test]
fn a_bar_goes_open_low_high_close() {
    let good = format!("{HEADER}{GOOD}").replace("1700003600", "1700000900");
    let path = replay(&good, &good, &good).unwrap();
    let sol: Vec<f64> = path.ticks.iter().map(|t| t.quotes[0].usd()).collect();

    assert_eq!(sol[..7], [100.0, 95.0, 90.0, 100.0, 110.0, 107.5, 105.0]);
    assert_eq!(sol[12], 104.5);
    assert_eq!(path.ticks.len(), 13);
    assert_eq!(path.ticks[12].quotes[0].publish_time, 1_700_001_800);
    assert_eq!(path.ticks[6].slot - path.ticks[0].slot, 2_250);
}

#[test]
fn a_long_bar_gets_steps_of_at_most_five_minutes() {
    let good = format!("{HEADER}{GOOD}");
    let path = replay(&good, &good, &good).unwrap();

    assert_eq!(path.ticks.len(), 2 * 12 + 1);
    assert!(path.ticks.windows(2).all(|w| w[1].time - w[0].time == 300));
}

#[test]
fn a_missing_file_is_named() {
    let good = format!("{HEADER}{GOOD}");
    let dir = folder(&[("SOL.csv", &good), ("BTC.csv", &good)]);
    let text = path(dir.path(), 10).unwrap_err().to_string();

    assert!(
        text.contains("ETH.csv: cannot be read: no such file"),
        "{text}"
    );
}

/// Rows whose prices are wrong, and what is said of them.
const BAD_PRICES: [(&str, &str); 12] = [
    (
        "1700003600,100,110,x9,105",
        "SOL.csv, line 3, column 4 (low): `x9` is not a number",
    ),
    (
        "1700003600,100,110,90",
        "SOL.csv, line 3, column 5 (close): is missing",
    ),
    (
        "1700003600,,110,90,100",
        "SOL.csv, line 3, column 2 (open): is missing",
    ),
    (
        "1700003600,100,80,90,105",
        "SOL.csv, line 3, column 3 (high): high 80 is below low 90",
    ),
    (
        "1700003600,100,110,90,111",
        "SOL.csv, line 3, column 5 (close): 111 is outside low 90 to high 110",
    ),
    (
        "1700003600,89,110,90,100",
        "SOL.csv, line 3, column 2 (open): 89 is outside low 90 to high 110",
    ),
    (
        "1700003600,100,110,0,105",
        "SOL.csv, line 3, column 4 (low): `0` is not a positive price",
    ),
    (
        "1700003600,100,110,-1,105",
        "SOL.csv, line 3, column 4 (low): `-1` is not a positive price",
    ),
    (
        "1700003600,100,inf,90,105",
        "SOL.csv, line 3, column 3 (high): `inf` is not a positive price",
    ),
    (
        "1700003600,100,NaN,90,105",
        "SOL.csv, line 3, column 3 (high): `NaN` is not a positive price",
    ),
    (
        "1700003600,100,1e12,90,105",
        "SOL.csv, line 3, column 3 (high): 1000000000000 is outside",
    ),
    (
        "1700003600,100,110,90,105,7",
        "SOL.csv, line 3: 6 values, not 5",
    ),
];

/// Rows whose times are wrong, and what is said of them.
const BAD_TIMES: [(&str, &str); 4] = [
    (
        "noon,100,110,90,105",
        "SOL.csv, line 3, column 1 (unix_time): `noon` is not a whole number",
    ),
    (
        "1700003600000,1,1,1,1",
        "SOL.csv, line 3, column 1 (unix_time): 1700003600000 is not a time in seconds",
    ),
    (
        "1700000000,1,1,1,1",
        "SOL.csv, line 3, column 1 (unix_time): 1700000000 is not later",
    ),
    (
        "1600000000,1,1,1,1",
        "SOL.csv, line 3, column 1 (unix_time): 1600000000 is not later",
    ),
];

#[test]
fn bad_rows_name_line_and_column() {
    for (row, message) in BAD_PRICES.iter().chain(&BAD_TIMES) {
        let found = error_of(row);
        assert!(found.starts_with(message), "{found}");
    }
}

#[test]
fn text_that_is_not_utf8_is_located() {
    let good = format!("{HEADER}{GOOD}");
    let dir = folder(&[("BTC.csv", &good), ("ETH.csv", &good)]);
    std::fs::write(
        dir.path().join("SOL.csv"),
        [HEADER.as_bytes(), b"1700000000,1,\xff,1,1\n"].concat(),
    )
    .unwrap();
    let error = path(dir.path(), 10).unwrap_err();

    assert_eq!((error.line, error.column), (Some(2), Some((3, "high"))));
}

#[test]
fn a_wrong_header_is_named() {
    let good = format!("{HEADER}{GOOD}");
    let swapped = replay("unix_time,open,low,high,close\n", &good, &good)
        .unwrap_err()
        .to_string();
    let short = replay("unix_time,open\n", &good, &good)
        .unwrap_err()
        .to_string();
    let missing = replay("1700000000,100,110,90,105\n", &good, &good)
        .unwrap_err()
        .to_string();

    assert!(
        swapped.contains("line 1, column 3 (high): the header says `low`, not `high`"),
        "{swapped}"
    );
    assert!(
        short.contains("line 1, column 3 (high): the header lacks `high`"),
        "{short}"
    );
    assert!(
        missing.contains("line 1, column 1 (unix_time): the header says `1700000000`"),
        "{missing}"
    );
}

#[test]
fn an_empty_file_is_refused() {
    let good = format!("{HEADER}{GOOD}");
    let header_only = replay(HEADER, &good, &good).unwrap_err().to_string();
    let nothing = replay("", &good, &good).unwrap_err().to_string();

    assert!(
        header_only.ends_with("SOL.csv: has no bar"),
        "{header_only}"
    );
    assert!(nothing.contains("SOL.csv, line 1"), "{nothing}");
}

#[test]
fn unequal_ranges_are_cut_to_what_all_have() {
    let good = format!("{HEADER}{GOOD}");
    let late = format!("{HEADER}1700003600,100,110,90,105\n1700007200,105,106,104,104.5\n");
    let path = replay(&good, &late, &good).unwrap();

    assert_eq!(path.ticks[0].quotes[0].publish_time, 1_700_003_600);
    assert_eq!(path.ticks[0].quotes[0].usd(), 105.0);
    assert!(path.source.starts_with("1 bars"));
}

#[test]
fn files_without_a_common_bar_are_refused() {
    let good = format!("{HEADER}{GOOD}");
    let other = format!("{HEADER}1800000000,100,110,90,105\n");
    let text = replay(&good, &other, &good).unwrap_err().to_string();

    assert!(
        text.contains("no bar in common (SOL 1700000000 to 1700003600, BTC 1800000000"),
        "{text}"
    );
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_fine() {
    let good = format!("{HEADER}{GOOD}");
    let windows = format!("\u{feff}{}", good.replace('\n', "\r\n"));

    assert!(replay(&windows, &good, &good).is_ok());
}

#[test]
fn a_gap_ends_a_bar_at_its_close() {
    let gap = format!("{HEADER}{GOOD}1700010800,50,51,49,50\n");
    let path = replay(&gap, &gap, &gap).unwrap();
    let times: Vec<i64> = path.ticks.iter().map(|t| t.time).collect();

    assert!(path.ticks.iter().any(|t| t.quotes[0].usd() == 104.5));
    assert!(times.windows(2).all(|w| w[0] < w[1]));
}
