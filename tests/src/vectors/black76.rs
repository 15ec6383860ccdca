//! Black-76 vectors: values and Greeks of European options on a forward (6.1, 6.2).
//!
//! Expected figures are read as binary floats, whose error of 1e-16 lies far below the tolerances.

use std::f64::consts::PI;

use anyhow::{Context, Result, bail, ensure};

use super::decimal::Digits;
use super::input::Node;
use super::tally::{Distance, Outcome};

/// Seconds of a year (1.2).
const YEAR_S: f64 = 31_536_000.0;
/// F and K are whole numbers below this.
const MANTISSA_END: u64 = 1 << 47;
/// A value's greatest error, of max(F, K).
const VALUE_TOLERANCE: f64 = 1e-7;
/// A Greek's greatest error, of its scale.
const GREEK_TOLERANCE: f64 = 1e-6;
/// A printed price's, besides half a unit of its last digit.
const PRINTED_TOLERANCE: f64 = 1e-6;

/// What is priced: forward and strike times one power of ten, rounded to whole numbers, the larger
/// of at least 2^47 / 10. Rounding moves either by less than 4e-14 of max(F, K).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub forward: u64,
    pub strike: u64,
    pub time_s: u32,
    pub sigma_ppm: u32,
}

impl Terms {
    fn larger(self) -> f64 {
        self.forward.max(self.strike) as f64
    }

    /// sigma sqrt T.
    fn deviation(self) -> f64 {
        f64::from(self.sigma_ppm) / 1e6 * (f64::from(self.time_s) / YEAR_S).sqrt()
    }

    /// Where 6.1 promises its precision.
    fn is_promised(self) -> bool {
        let ratio = self.forward as f64 / self.strike as f64;
        (0.05..=20.0).contains(&ratio) && (1e-4..=5.0).contains(&self.deviation())
    }
}

/// What a side finds, in the unit of its terms; vega per 1.00, theta per year.
#[derive(Clone, Copy, Debug)]
pub struct Priced {
    pub call: f64,
    pub put: f64,
    pub delta_call: f64,
    pub delta_put: f64,
    pub gamma: f64,
    pub vega: f64,
    pub theta: f64,
}

/// What a printed table says of an option: the discounted price, to its last digit.
struct Printed {
    is_call: bool,
    price: f64,
    half_digit: f64,
    discount: f64,
}

/// One row of either list, in the file's own unit.
struct Case {
    terms: Terms,
    /// One of the file's units in units of the terms.
    scale: f64,
    call: Option<f64>,
    put: Option<f64>,
    greeks: [(&'static str, Option<f64>); 5],
    printed: Option<Printed>,
}

/// All rows of a file, by name.
pub struct Rows(Vec<(String, Result<Case>)>);

impl Rows {
    pub fn read(file: &Node<'_>) -> Result<Self> {
        let mut rows = Vec::new();
        for key in ["published", "grid"] {
            for node in file.list_of(key)? {
                let name = node.get("source").and_then(|name| name.text().ok());
                let name = match name {
                    Some(name) => format!("{}, {name}", node.place()),
                    None => node.place().to_owned(),
                };
                rows.push((name, read_case(&node)));
            }
        }
        Ok(Self(rows))
    }

    /// Every row priced and compared.
    pub fn run(&self, price: &mut dyn FnMut(Terms) -> Result<Priced>) -> Vec<Outcome> {
        self.0
            .iter()
            .map(|(name, case)| {
                let mut outcome = Outcome::of(name);
                let priced = case
                    .as_ref()
                    .map_err(|error| format!("{error:#}"))
                    .and_then(|case| match price(case.terms) {
                        Ok(priced) => Ok((case, priced)),
                        Err(error) => Err(format!("{error:#}")),
                    });
                match priced {
                    Ok((case, priced)) => case.compare(&priced, &mut outcome),
                    Err(reason) => outcome.wrong.push(reason),
                }
                outcome
            })
            .collect()
    }
}

impl Case {
    fn compare(&self, priced: &Priced, outcome: &mut Outcome) {
        let terms = self.terms;
        let (forward, strike) = (terms.forward as f64, terms.strike as f64);
        let sides = [
            (
                "call",
                priced.call,
                self.call,
                (forward - strike).max(0.0),
                forward,
            ),
            (
                "put",
                priced.put,
                self.put,
                (strike - forward).max(0.0),
                strike,
            ),
        ];
        for (name, got, exact, least, most) in sides {
            if got < least - 1.0 || got > most + 1.0 {
                let [least, most, got] = [least, most, got].map(|value| value / self.scale);
                outcome
                    .wrong
                    .push(format!("{name}: {got} is outside [{least}, {most}]"));
            }
            let Some(exact) = exact else { continue };
            let off = (got - exact * self.scale).abs() / terms.larger();
            if terms.is_promised() {
                outcome.worsen(Distance::OfMax(off));
                if exceeds(off, VALUE_TOLERANCE) {
                    let got = got / self.scale;
                    outcome
                        .wrong
                        .push(format!("{name}: expected {exact}, got {got}"));
                }
            }
        }
        self.compare_greeks(priced, outcome);
        if let Some(printed) = &self.printed {
            self.compare_printed(printed, priced, outcome);
        }
    }

    /// Greeks against the peak of each over all strikes.
    fn compare_greeks(&self, priced: &Priced, outcome: &mut Outcome) {
        let terms = self.terms;
        let (forward, deviation) = (terms.forward as f64, terms.deviation());
        let years = f64::from(terms.time_s) / YEAR_S;
        let density = (2.0 * PI).sqrt().recip();
        // The file's gamma is per its own unit, its vega and theta in it.
        let [delta_call, delta_put, gamma, vega, theta] = self.greeks;
        let rows = [
            (delta_call, priced.delta_call, 1.0, 1.0),
            (delta_put, priced.delta_put, 1.0, 1.0),
            (
                gamma,
                priced.gamma,
                density / (forward * deviation),
                self.scale.recip(),
            ),
            (
                vega,
                priced.vega,
                forward * years.sqrt() * density,
                self.scale,
            ),
            (
                theta,
                priced.theta,
                forward * deviation / years * density / 2.0,
                self.scale,
            ),
        ];
        for ((name, exact), got, peak, scale) in rows {
            let Some(exact) = exact else { continue };
            let off = (got - exact * scale).abs() / peak;
            if terms.is_promised() && exceeds(off, GREEK_TOLERANCE) {
                let got = got / scale;
                outcome
                    .wrong
                    .push(format!("{name}: expected {exact}, got {got}"));
            }
        }
    }

    fn compare_printed(&self, printed: &Printed, priced: &Priced, outcome: &mut Outcome) {
        let value = if printed.is_call {
            priced.call
        } else {
            priced.put
        };
        let got = value / self.scale * printed.discount;
        let off = (got - printed.price).abs();
        if exceeds(off, printed.half_digit + PRINTED_TOLERANCE) {
            outcome
                .wrong
                .push(format!("printed price: {}, got {got}", printed.price));
        }
    }
}

/// Whether an error is above its tolerance, or no number.
fn exceeds(off: f64, tolerance: f64) -> bool {
    off.is_nan() || off > tolerance
}

fn read_case(node: &Node<'_>) -> Result<Case> {
    let time_s = match node.get("T_seconds") {
        Some(seconds) => seconds.whole()?,
        None => whole(node.need("T")?.float()? * YEAR_S).context("T")?,
    };
    let sigma_ppm = match node.get("sigma_ppm") {
        Some(sigma) => sigma.whole()?,
        None => whole(node.need("sigma")?.float()? * 1e6).context("sigma")?,
    };
    let (terms, scale) = read_terms(node, time_s, sigma_ppm)?;

    let (mut call, mut put) = (node.float_of("call")?, node.float_of("put")?);
    let mut printed = None;
    if let Some(kind) = node.get("type") {
        let is_call = match kind.text()?.as_str() {
            "C" | "c" | "call" => true,
            "P" | "p" | "put" => false,
            other => bail!("{}: {other:?} is neither C nor P", kind.place()),
        };
        let exact = node.float_of("undiscounted")?;
        let side = if is_call { &mut call } else { &mut put };
        *side = side.or(exact);
        printed = read_printed(node, is_call, time_s)?;
    }
    ensure!(
        call.is_some() || put.is_some() || printed.is_some(),
        "{}: no value to compare with",
        node.place()
    );
    let greek = |key| Ok::<_, anyhow::Error>((key, node.float_of(key)?));
    Ok(Case {
        terms,
        scale,
        call,
        put,
        greeks: [
            greek("delta_call")?,
            greek("delta_put")?,
            greek("gamma")?,
            greek("vega")?,
            greek("theta_year")?,
        ],
        printed,
    })
}

/// Forward and strike scaled, and the scale.
fn read_terms(node: &Node<'_>, time_s: u32, sigma_ppm: u32) -> Result<(Terms, f64)> {
    let forward = match node.get("F").or_else(|| node.get("forward")) {
        Some(forward) => positive(&forward)?,
        None => carried(node, time_s)?,
    };
    let strike = positive(&node.need("K")?)?;

    // The greatest power of ten that leaves both below 2^47, which is above 10^14.
    let above = forward.power().max(strike.power());
    let most = |places: i32| {
        let pair = (forward.rounded(places)?, strike.rounded(places)?);
        (pair.0.max(pair.1) < MANTISSA_END).then_some((pair, places))
    };
    let found = most(15i32.saturating_sub(above)).or_else(|| most(14i32.saturating_sub(above)));
    let ((forward, strike), places) =
        found.with_context(|| format!("{}: F and K are out of bounds", node.place()))?;
    ensure!(
        forward > 0 && strike > 0,
        "{}: cannot be run: F and K lie too far apart",
        node.place()
    );
    let terms = Terms {
        forward,
        strike,
        time_s,
        sigma_ppm,
    };
    Ok((terms, 10f64.powi(places)))
}

/// The forward of a spot price: S e^((r - q) T).
fn carried(node: &Node<'_>, time_s: u32) -> Result<Digits> {
    let Some(spot) = node.float_of("S")? else {
        bail!("{}.F: missing", node.place());
    };
    let rate = node.float_of("r")?.unwrap_or(0.0) - node.float_of("q")?.unwrap_or(0.0);
    let forward = spot * (rate * f64::from(time_s) / YEAR_S).exp();
    let digits = Digits::parse(&format!("{forward:e}")).filter(Digits::is_positive);
    digits.with_context(|| format!("{}.S: gives no forward above zero", node.place()))
}

fn positive(node: &Node<'_>) -> Result<Digits> {
    let text = node.text()?;
    let digits = Digits::parse(&text).filter(Digits::is_positive);
    digits.with_context(|| format!("{}: {text:?} is no number above zero", node.place()))
}

/// The nearest whole number.
fn whole(number: f64) -> Result<u32> {
    let rounded = number.round();
    ensure!(
        (0.0..=f64::from(u32::MAX)).contains(&rounded),
        "{number} is out of bounds"
    );
    Ok(rounded as u32)
}

fn read_printed(node: &Node<'_>, is_call: bool, time_s: u32) -> Result<Option<Printed>> {
    let Some(price) = node.get("printed_price") else {
        return Ok(None);
    };
    let discount = match (node.float_of("discount")?, node.float_of("r")?) {
        (Some(discount), _) => discount,
        (None, Some(rate)) => (-rate * f64::from(time_s) / YEAR_S).exp(),
        (None, None) => bail!("{}.discount: missing", node.place()),
    };
    let text = price.text()?;
    let places = text.split_once('.').map_or(0, |(_, places)| places.len());
    Ok(Some(Printed {
        is_call,
        price: price.float()?,
        half_digit: 0.5 * 10f64.powi(-i32::try_from(places)?),
        discount,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard normal distribution by its Taylor series, good to 1e-15.
    fn normal(x: f64) -> f64 {
        if x.abs() > 8.0 {
            return if x > 0.0 { 1.0 } else { 0.0 };
        }
        let (mut term, mut sum, mut odd) = (x, x, 3.0);
        while term.abs() > 1e-17 {
            term *= x * x / odd;
            sum += term;
            odd += 2.0;
        }
        0.5 + sum * density(x)
    }

    fn density(x: f64) -> f64 {
        (-x * x / 2.0).exp() / (2.0 * PI).sqrt()
    }

    /// Black-76 in binary floats.
    fn price(terms: Terms) -> Priced {
        let (forward, strike) = (terms.forward as f64, terms.strike as f64);
        let deviation = terms.deviation();
        let years = f64::from(terms.time_s) / YEAR_S;
        let d1 = (forward / strike).ln() / deviation + deviation / 2.0;
        let call = forward * normal(d1) - strike * normal(d1 - deviation);
        let shape = forward * density(d1);
        Priced {
            call,
            put: call - forward + strike,
            delta_call: normal(d1),
            delta_put: normal(d1) - 1.0,
            gamma: density(d1) / (forward * deviation),
            vega: shape * years.sqrt(),
            theta: -shape * deviation / years / 2.0,
        }
    }

    /// Hull's example; a row of 9 digits; the Greeks of the latter by 40-digit arithmetic.
    const FILE: &str = r#"{
        "published": [{"source": "Hull", "type": "C", "S": 42, "K": 40, "T": 0.5, "r": 0.1,
            "sigma": 0.2, "printed_price": 4.76, "undiscounted": "5.00344319707065675"}],
        "grid": [{"F": "0.0801224676", "K": "0.0152257808", "T_seconds": 893064,
            "sigma_ppm": "3994979", "call": "0.0649459421342598794",
            "put": "0.0000492553342598822616", "delta_call": "0.997493367585547813",
            "delta_put": "-0.00250663241445218696", "gamma": "0.144425980988887048",
            "vega": "0.000104892499705064448", "theta_year": "-0.00739865819681169014"}]}"#;

    type Change = fn(&mut Priced);

    fn failures(change: impl Fn(&mut Priced)) -> Vec<String> {
        let file = serde_json::from_str(FILE).unwrap();
        let rows = Rows::read(&Node::root(&file).unwrap()).unwrap();
        let outcomes = rows.run(&mut |terms| {
            let mut priced = price(terms);
            change(&mut priced);
            Ok(priced)
        });
        assert_eq!(outcomes.len(), 2);
        outcomes.into_iter().flat_map(|row| row.wrong).collect()
    }

    #[test]
    fn the_right_formula_passes_and_each_wrong_figure_is_named() {
        assert_eq!(failures(|_| {}), [""; 0]);
        let changes: [(&str, Change); 7] = [
            ("call", |priced| priced.call *= 1.000_01),
            ("put", |priced| priced.put *= 1.01),
            ("delta_call", |priced| priced.delta_call += 2e-6),
            ("delta_put", |priced| priced.delta_put -= 2e-6),
            ("gamma", |priced| priced.gamma *= 1.01),
            ("vega", |priced| priced.vega *= 1.01),
            ("theta_year", |priced| priced.theta *= 1.01),
        ];
        for (name, change) in changes {
            let wrong = failures(change);
            assert!(!wrong.is_empty(), "{name}");
            assert!(wrong.iter().all(|line| line.starts_with(name)), "{wrong:?}");
        }
        let wrong = failures(|priced| priced.put = -1e9);
        assert!(wrong[0].contains("outside"), "{wrong:?}");
        let wrong = failures(|priced| priced.call *= 1.002);
        assert!(
            wrong.iter().any(|line| line.starts_with("printed price")),
            "{wrong:?}"
        );
    }

    #[test]
    fn forward_and_strike_share_the_largest_scale_that_fits() {
        let row = r#"{"F": "1.36", "K": 0.5, "T_seconds": 3600, "sigma_ppm": 1, "call": 0}"#;
        let row = serde_json::from_str(row).unwrap();
        let (terms, scale) = read_terms(&Node::root(&row).unwrap(), 3_600, 1).unwrap();
        assert_eq!(
            (terms.forward, terms.strike),
            (136 * 10u64.pow(12), 5 * 10u64.pow(13))
        );
        assert_eq!(scale, 1e14);
        let row = r#"{"F": "1.5", "K": 150, "T": 1, "sigma": 1, "put": 0}"#;
        let row = serde_json::from_str(row).unwrap();
        let (terms, scale) = read_terms(&Node::root(&row).unwrap(), 1, 1).unwrap();
        assert_eq!(
            (terms.forward, terms.strike),
            (15 * 10u64.pow(10), 15 * 10u64.pow(12))
        );
        assert_eq!(scale, 1e11);
    }
}
