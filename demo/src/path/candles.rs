//! Replays OHLC files: `SOL.csv`, `BTC.csv` and `ETH.csv` in one folder, each with the header
//! `unix_time,open,high,low,close`, one row per bar, oldest first.
//!
//! Inside a bar the price goes open, low, high, close in straight lines: the low comes first, so a
//! long is never spared by a high that may have come later. Only bars that all three files have
//! are replayed. Confidence is read off the bar: the wider its range, the wider the band.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{Level, PricePath, Quote, Symbol, ticks_from};

const COLUMNS: [&str; 5] = ["unix_time", "open", "high", "low", "close"];
/// Times outside (2001 to 2286) are taken for another unit.
const TIMES: std::ops::Range<i64> = 1_000_000_000..10_000_000_000;
/// Prices outside do not fit a Pyth update at exponent -8 with room to move.
const MAX_PRICE: f64 = 1e9;
const MIN_PRICE: f64 = 1e-5;
/// Open to low, low to high, high to close.
const SEGMENTS: usize = 3;
const MAX_STEP_S: usize = 300;
const FIRST_SLOT: u64 = 1;

/// What is wrong with the candle files, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandleError {
    pub file: PathBuf,
    pub line: Option<u64>,
    /// Counted from 1, with the column's name.
    pub column: Option<(usize, &'static str)>,
    pub message: String,
}

impl fmt::Display for CandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some((number, name)) = self.column {
            write!(f, ", column {number} ({name})")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for CandleError {}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Bar {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
}

type Bars = BTreeMap<i64, Bar>;

/// The path of the files in `folder`, in about `steps` steps; more where a step would otherwise be
/// longer than five minutes or a bar have fewer than three.
pub fn path(folder: &Path, steps: usize) -> Result<PricePath, CandleError> {
    let bars = [
        read(folder, Symbol::Sol)?,
        read(folder, Symbol::Btc)?,
        read(folder, Symbol::Eth)?,
    ];
    let common = intersect(&bars);
    let (Some((&first, opening)), Some((&last, _))) =
        (common.first_key_value(), common.last_key_value())
    else {
        return Err(no_common_bar(folder, &bars));
    };

    let bar_s = common
        .keys()
        .zip(common.keys().skip(1))
        .map(|(a, b)| b - a)
        .min()
        .unwrap_or(3_600);
    let per_bar = steps_per_bar(steps, common.len(), bar_s);
    let opening =
        std::array::from_fn(|i| Quote::opening(opening[i].open, conf_ratio(&opening[i]), first));
    let levels = levels(&common, bar_s, per_bar);
    Ok(PricePath {
        source: format!(
            "{} bars of {bar_s} s from {}, unix time {first} to {}, {per_bar} steps a bar (open, low, high, close)",
            common.len(),
            folder
                .file_name()
                .unwrap_or(folder.as_os_str())
                .to_string_lossy(),
            last + bar_s,
        ),
        ticks: ticks_from(opening, FIRST_SLOT, &levels),
    })
}

/// A multiple of three, so that lows and highs are met exactly; no step shorter than a second, and
/// none longer than five minutes while bars allow, so that a keeper has time to act in a crash.
fn steps_per_bar(steps: usize, bars: usize, bar_s: i64) -> usize {
    let seconds = usize::try_from(bar_s).unwrap_or(usize::MAX);
    let wanted = (steps / (SEGMENTS * bars)).max(seconds / (SEGMENTS * MAX_STEP_S));
    SEGMENTS * wanted.clamp(1, (seconds / SEGMENTS).max(1))
}

fn levels(common: &BTreeMap<i64, [Bar; 3]>, bar_s: i64, per_bar: usize) -> Vec<Level> {
    let mut levels = Vec::with_capacity(common.len() * per_bar);
    for (&start, bars) in common {
        let followed = common.contains_key(&(start + bar_s));
        let first = usize::from(levels.is_empty()); // the opening is a tick already
        let end = if followed { per_bar } else { per_bar + 1 };
        for k in first..end {
            levels.push(Level {
                time: start + bar_s * k as i64 / per_bar as i64,
                usd: bars.map(|bar| inside(&bar, k, per_bar)),
                conf_ratio: bars.map(|bar| conf_ratio(&bar)),
            });
        }
    }
    levels
}

fn inside(bar: &Bar, step: usize, of: usize) -> f64 {
    let corners = [bar.open, bar.low, bar.high, bar.close, bar.close];
    let at = (step * SEGMENTS) as f64 / of as f64;
    let corner = step * SEGMENTS / of;
    corners[corner] + (corners[corner + 1] - corners[corner]) * (at - corner as f64)
}

/// 4 bp and a fiftieth of the bar's range, at most 60 bp.
fn conf_ratio(bar: &Bar) -> f64 {
    (4e-4 + 0.02 * (bar.high - bar.low) / bar.close).min(60e-4)
}

fn intersect(bars: &[Bars; 3]) -> BTreeMap<i64, [Bar; 3]> {
    let [sol, btc, eth] = bars;
    sol.iter()
        .filter_map(|(t, s)| Some((*t, [*s, *btc.get(t)?, *eth.get(t)?])))
        .collect()
}

fn no_common_bar(folder: &Path, bars: &[Bars; 3]) -> CandleError {
    let spans: Vec<String> = Symbol::ALL
        .iter()
        .zip(bars)
        .filter_map(|(s, b)| {
            Some(format!(
                "{} {} to {}",
                s.name(),
                b.keys().next()?,
                b.keys().next_back()?
            ))
        })
        .collect();
    CandleError {
        file: folder.to_path_buf(),
        line: None,
        column: None,
        message: format!("the files have no bar in common ({})", spans.join(", ")),
    }
}

fn read(folder: &Path, symbol: Symbol) -> Result<Bars, CandleError> {
    let file = folder.join(format!("{}.csv", symbol.name()));
    let whole = |message: String| CandleError {
        file: file.clone(),
        line: None,
        column: None,
        message,
    };

    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(&file)
        .map_err(|e| whole(format!("cannot be read: {}", reason(&e))))?;
    let header = reader.headers().map_err(|e| located(&file, &e))?;
    check_header(&file, header)?;

    let mut bars = Bars::new();
    let mut record = csv::StringRecord::new();
    while reader
        .read_record(&mut record)
        .map_err(|e| located(&file, &e))?
    {
        let row = Row {
            file: &file,
            line: record.position().map_or(0, csv::Position::line),
            record: &record,
        };
        let (time, bar) = row.parse(bars.last_key_value().map(|(t, _)| *t))?;
        bars.insert(time, bar);
    }
    if bars.is_empty() {
        return Err(whole("has no bar".to_owned()));
    }
    Ok(bars)
}

fn reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Io(e) if e.kind() == std::io::ErrorKind::NotFound => {
            "no such file (SOL.csv, BTC.csv and ETH.csv are needed)".to_owned()
        }
        csv::ErrorKind::Io(e) => e.to_string(),
        _ => error.to_string(),
    }
}

fn located(file: &Path, error: &csv::Error) -> CandleError {
    let (column, message) = match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => (
            COLUMNS
                .get(err.field())
                .map(|name| (err.field() + 1, *name)),
            "is not UTF-8 text".to_owned(),
        ),
        _ => (None, reason(error)),
    };
    CandleError {
        file: file.to_path_buf(),
        line: error.position().map(csv::Position::line),
        column,
        message,
    }
}

fn check_header(file: &Path, header: &csv::StringRecord) -> Result<(), CandleError> {
    let at = |column, message| CandleError {
        file: file.to_path_buf(),
        line: Some(1),
        column,
        message,
    };
    for (i, name) in COLUMNS.into_iter().enumerate() {
        match header.get(i) {
            Some(found) if found == name => {}
            Some(found) => {
                return Err(at(
                    Some((i + 1, name)),
                    format!("the header says `{found}`, not `{name}`"),
                ));
            }
            None => {
                return Err(at(
                    Some((i + 1, name)),
                    format!("the header lacks `{name}`"),
                ));
            }
        }
    }
    if header.len() > COLUMNS.len() {
        return Err(at(
            None,
            format!(
                "the header has {} columns, not {}",
                header.len(),
                COLUMNS.len()
            ),
        ));
    }
    Ok(())
}

struct Row<'a> {
    file: &'a Path,
    line: u64,
    record: &'a csv::StringRecord,
}

impl Row<'_> {
    fn parse(&self, previous: Option<i64>) -> Result<(i64, Bar), CandleError> {
        if self.record.len() > COLUMNS.len() {
            let found = self.record.len();
            return Err(self.at(None, format!("{found} values, not {}", COLUMNS.len())));
        }
        let time = self.time(previous)?;
        let bar = Bar {
            open: self.price(1)?,
            high: self.price(2)?,
            low: self.price(3)?,
            close: self.price(4)?,
        };

        if bar.high < bar.low {
            return Err(self.at(
                Some(2),
                format!("high {} is below low {}", bar.high, bar.low),
            ));
        }
        for (column, price) in [(1, bar.open), (4, bar.close)] {
            if !(bar.low..=bar.high).contains(&price) {
                return Err(self.at(
                    Some(column),
                    format!("{price} is outside low {} to high {}", bar.low, bar.high),
                ));
            }
        }
        Ok((time, bar))
    }

    fn time(&self, previous: Option<i64>) -> Result<i64, CandleError> {
        let text = self.text(0)?;
        let time: i64 = text.parse().map_err(|_| {
            self.at(
                Some(0),
                format!("`{text}` is not a whole number of seconds"),
            )
        })?;
        if !TIMES.contains(&time) {
            return Err(self.at(
                Some(0),
                format!("{time} is not a time in seconds since 1970 (milliseconds?)"),
            ));
        }
        match previous {
            Some(before) if time <= before => Err(self.at(
                Some(0),
                format!("{time} is not later than the bar before ({before})"),
            )),
            _ => Ok(time),
        }
    }

    fn price(&self, column: usize) -> Result<f64, CandleError> {
        let text = self.text(column)?;
        let price: f64 = text
            .parse()
            .map_err(|_| self.at(Some(column), format!("`{text}` is not a number")))?;
        if !price.is_finite() || price <= 0.0 {
            return Err(self.at(Some(column), format!("`{text}` is not a positive price")));
        }
        if !(MIN_PRICE..=MAX_PRICE).contains(&price) {
            return Err(self.at(
                Some(column),
                format!("{price} is outside {MIN_PRICE} to {MAX_PRICE}"),
            ));
        }
        Ok(price)
    }

    fn text(&self, column: usize) -> Result<&str, CandleError> {
        match self.record.get(column) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.at(Some(column), "is missing".to_owned())),
        }
    }

    fn at(&self, column: Option<usize>, message: String) -> CandleError {
        CandleError {
            file: self.file.to_path_buf(),
            line: Some(self.line),
            column: column.map(|c| (c + 1, COLUMNS[c])),
            message,
        }
    }
}

#[cfg(test)]
mod tests;
