//! What came of a file's cases on one side, and the line that says so.

use super::decimal::Decimal;

/// Failing cases named on stderr.
const NAMED: usize = 10;

/// The two ways in which every case is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Native,
    Vm,
}

impl std::fmt::Display for Side {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Native => "native",
            Self::Vm => "vm",
        })
    }
}

/// How far a result lies from the exact one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distance {
    /// Result less exact.
    Atoms(Decimal),
    /// Absolute, in units of max(F, K).
    OfMax(f64),
}

impl Distance {
    fn greater(self, other: Self) -> Self {
        match (self, other) {
            (Self::Atoms(one), Self::Atoms(two)) => Self::Atoms(one.greater(two)),
            (Self::OfMax(one), Self::OfMax(two)) => Self::OfMax(one.max(two)),
            _ => self,
        }
    }
}

impl std::fmt::Display for Distance {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Atoms(atoms) => write!(out, "{atoms} atoms"),
            Self::OfMax(0.0) => write!(out, "0 of max(F,K)"),
            Self::OfMax(share) => write!(out, "{share:.1e} of max(F,K)"),
        }
    }
}

/// What one case gave: its name, how far its results lie off, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub name: String,
    pub distance: Option<Distance>,
    pub wrong: Vec<String>,
}

impl Outcome {
    /// Nothing found yet.
    pub fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            distance: None,
            wrong: Vec::new(),
        }
    }

    /// Keeps the greater of what was found before and `distance`.
    pub fn worsen(&mut self, distance: Distance) {
        let before = self.distance.unwrap_or(distance);
        self.distance = Some(before.greater(distance));
    }
}

/// All cases of a file on one side.
#[derive(Clone, Debug)]
pub struct Tally {
    pub side: Side,
    pub cases: usize,
    pub failures: usize,
    largest: Distance,
    named: Vec<String>,
}

impl Tally {
    /// Sums up the outcomes; `nothing` is the largest error of no case.
    pub fn of(side: Side, outcomes: &[Outcome], nothing: Distance) -> Self {
        let found = outcomes.iter().filter_map(|outcome| outcome.distance);
        let failed = || outcomes.iter().filter(|outcome| !outcome.wrong.is_empty());
        Self {
            side,
            cases: outcomes.len(),
            failures: failed().count(),
            largest: found.reduce(Distance::greater).unwrap_or(nothing),
            named: failed()
                .take(NAMED)
                .map(|outcome| format!("{}: {}", outcome.name, outcome.wrong.join("; ")))
                .collect(),
        }
    }

    /// The failing cases, the first ten, each with what was expected and what came.
    pub fn named_failures(&self) -> &[String] {
        &self.named
    }
}

/// `cases N, failures M, largest error E UNIT`, behind the side's name.
impl std::fmt::Display for Tally {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            side,
            cases,
            failures,
            largest,
            ..
        } = self;
        write!(
            out,
            "{side}: cases {cases}, failures {failures}, largest error {largest}"
        )
    }
}
