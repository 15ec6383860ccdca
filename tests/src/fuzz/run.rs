//! Sequences from a seed, replays of a file, and the shortest replay of a failure.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::action::Action;
use super::choose::Chooser;
use super::driver::{Driver, Outcome};

/// How often an action was accepted and refused, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub accepted: u64,
    pub refused: BTreeMap<String, u64>,
}

/// Tallies by the action's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tallies(pub BTreeMap<&'static str, Tally>);

impl Tallies {
    pub fn add(&mut self, other: &Self) {
        for (name, tally) in &other.0 {
            let sum = self.0.entry(name).or_default();
            sum.accepted += tally.accepted;
            for (cause, count) in &tally.refused {
                *sum.refused.entry(cause.clone()).or_default() += count;
            }
        }
    }

    /// How often an instruction was accepted, whatever stands behind its name in brackets.
    pub fn accepted(&self, instruction: &str) -> u64 {
        let of_it = |name: &str| {
            let rest = name.strip_prefix(instruction);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
        };
        let tallies = self.0.iter().filter(|(name, _)| of_it(name));
        tallies.map(|(_, tally)| tally.accepted).sum()
    }

    fn count(&mut self, action: &Action, outcome: Option<String>) {
        let tally = self.0.entry(action.name()).or_default();
        match outcome {
            None => tally.accepted += 1,
            Some(cause) => *tally.refused.entry(cause).or_default() += 1,
        }
    }
}

impl std::fmt::Display for Tallies {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            out,
            "{:<28} {:>9} {:>9}  why",
            "action", "accepted", "refused"
        )?;
        for (name, tally) in &self.0 {
            let refused: u64 = tally.refused.values().sum();
            let mut causes: Vec<(&String, &u64)> = tally.refused.iter().collect();
            causes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let causes: Vec<String> = causes
                .iter()
                .map(|(cause, count)| format!("{cause} {count}"))
                .collect();
            let line = format!(
                "{name:<28} {:>9} {refused:>9}  {}",
                tally.accepted,
                causes.join(", ")
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A sequence that broke something.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Everything up to the step that broke it, which is the last.
    pub actions: Vec<Action>,
    /// Places of those that were refused.
    pub refused: Vec<usize>,
    pub what: String,
}

impl Broken {
    /// The actions that were not refused.
    fn accepted(&self) -> Vec<Action> {
        let actions = self.actions.iter().enumerate();
        let kept = actions.filter(|(place, _)| self.refused.binary_search(place).is_err());
        kept.map(|(_, action)| action.clone()).collect()
    }

    /// The name of what was broken.
    pub fn tag(&self) -> &str {
        self.what.split(':').next().unwrap_or_default()
    }
}

/// Runs a seed for so many steps, or until `goes_on`, which is asked after each, says no.
pub fn sequence(
    seed: u64,
    steps: u64,
    mut goes_on: impl FnMut() -> bool,
) -> Result<(Tallies, Option<Broken>)> {
    let mut driver = Driver::new()?;
    let mut chooser = Chooser::new(seed);
    let mut tallies = Tallies::default();
    let (mut actions, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..steps {
        let action = chooser.next(&driver.view()?);
        actions.push(action.clone());
        match driver.step(&action) {
            Ok(outcome) => {
                if outcome.is_some() {
                    refused.push(actions.len() - 1);
                }
                tallies.count(&action, outcome);
            }
            Err(error) => {
                let broken = Broken {
                    actions,
                    refused,
                    what: what(&error, &action),
                };
                return Ok((tallies, Some(broken)));
            }
        }
        if !goes_on() {
            break;
        }
    }
    Ok((tallies, None))
}

/// Steps of the longest sequence: after more of them little of a market is left to trade in.
const LONGEST: u64 = 20_000;

/// Runs sequences of seeds from `seed` on, each in a fresh group, so many steps together, on so many
/// threads; all stop with the first that breaks something. `progress` sees the steps done a few times
/// a second.
pub fn sequences(
    seed: u64,
    steps: u64,
    threads: u64,
    progress: impl Fn(u64),
) -> Result<(Tallies, Option<(u64, Broken)>)> {
    let count = steps.div_ceil(LONGEST).max(threads);
    let (begun, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let stopped = AtomicBool::new(false);
    let run_one = |number: u64| {
        let share = steps / count + u64::from(number < steps % count);
        let goes_on = || {
            done.fetch_add(1, Ordering::Relaxed);
            !stopped.load(Ordering::Relaxed)
        };
        let outcome = sequence(seed.wrapping_add(number), share, goes_on);
        if !matches!(outcome, Ok((_, None))) {
            stopped.store(true, Ordering::Relaxed);
        }
        outcome
    };
    let run_next = || {
        let mut outcomes = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            let number = begun.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            outcomes.push((number, run_one(number)));
        }
        outcomes
    };
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(run_next)).collect();
        while handles.iter().any(|handle| !handle.is_finished()) {
            std::thread::sleep(Duration::from_millis(200));
            progress(done.load(Ordering::Relaxed));
        }
        handles.into_iter().map(|handle| handle.join()).collect()
    });
    let (mut all, mut first) = (Tallies::default(), None);
    for outcomes in outcomes {
        for (number, outcome) in outcomes.map_err(|_| anyhow::anyhow!("a sequence panicked"))? {
            let (tallies, broken) = outcome?;
            all.add(&tallies);
            first = first.or(broken.map(|broken| (seed.wrapping_add(number), broken)));
        }
    }
    Ok((all, first))
}

/// Runs a list of actions in a fresh group: what broke, if something did. `seen` is told what became
/// of each.
pub fn replay(
    actions: &[Action],
    mut seen: impl FnMut(usize, &Action, &Outcome),
) -> Result<Option<Broken>> {
    let mut driver = Driver::new()?;
    let mut refused = Vec::new();
    for (number, action) in actions.iter().enumerate() {
        match driver.step(action) {
            Ok(outcome) => {
                if outcome.is_some() {
                    refused.push(number);
                }
                seen(number, action, &outcome);
            }
            Err(error) => {
                return Ok(Some(Broken {
                    actions: actions[..=number].to_vec(),
                    refused,
                    what: what(&error, action),
                }));
            }
        }
    }
    Ok(None)
}

/// Runs a list of actions of which only the last is checked: what it broke, if it did.
fn last_breaks(actions: &[Action]) -> Result<Option<Broken>> {
    let Some((last, others)) = actions.split_last() else {
        return Ok(None);
    };
    let mut driver = Driver::new()?;
    let mut refused = Vec::new();
    for (number, action) in others.iter().enumerate() {
        if driver.follow(action)? {
            refused.push(number);
        }
    }
    let broken = driver.step(last).err().map(|error| Broken {
        actions: actions.to_vec(),
        refused,
        what: what(&error, last),
    });
    Ok(broken)
}

/// The broken invariant first, the action that broke it last.
fn what(error: &anyhow::Error, action: &Action) -> String {
    format!("{error:#}\nby {}", action.to_line())
}

/// A shorter sequence that breaks the same, found by leaving out chunks of halving length; stops when
/// no single action can be left out, or when the time is up.
pub fn shorten(broken: &Broken, time: Duration) -> Result<Broken> {
    shorten_with(broken, time, last_breaks)
}

fn shorten_with(
    broken: &Broken,
    time: Duration,
    mut replay: impl FnMut(&[Action]) -> Result<Option<Broken>>,
) -> Result<Broken> {
    let started = Instant::now();
    let mut best = broken.clone();
    // What was refused changed nothing: mostly all of it can go at once.
    if let Some(found) = replay(&broken.accepted())?
        && found.tag() == best.tag()
    {
        best = found;
    }
    let mut chunk = best.actions.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut shrank = false;
        // The last action is the one that breaks.
        while at + 1 < best.actions.len() {
            if started.elapsed() > time {
                return Ok(best);
            }
            let end = (at + chunk).min(best.actions.len() - 1);
            let mut rest = best.actions[..at].to_vec();
            rest.extend_from_slice(&best.actions[end..]);
            match replay(&rest)? {
                Some(found) if found.tag() == best.tag() => {
                    best = found;
                    shrank = true;
                }
                _ => at = end,
            }
        }
        if chunk == 1 && !shrank {
            return Ok(best);
        }
        chunk = chunk.div_ceil(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks once the deposits of account 3 exceed those of account 5 by more than 100.
    fn breaks(actions: &[Action]) -> Result<Option<Broken>> {
        let mut sum = 0i64;
        for (number, action) in actions.iter().enumerate() {
            if let Action::Deposit { to, units, .. } = action {
                sum += match to {
                    3 => units.cast_signed(),
                    5 => -units.cast_signed(),
                    _ => 0,
                };
            }
            if sum > 100 {
                return Ok(Some(Broken {
                    actions: actions[..=number].to_vec(),
                    refused: Vec::new(),
                    what: format!("sum: {sum}"),
                }));
            }
        }
        Ok(None)
    }

    #[test]
    fn a_long_sequence_shrinks_to_the_steps_that_matter() {
        let mut actions: Vec<Action> = Vec::new();
        for number in 0..400 {
            actions.push(Action::Deposit {
                by: 0,
                to: number % 8,
                asset: 0,
                units: if number == 3 || number == 203 { 60 } else { 1 },
            });
        }
        let broken = breaks(&actions).expect("runs").expect("breaks");

        let short = shorten_with(&broken, Duration::from_secs(60), breaks).expect("runs");

        assert_eq!(short.actions.len(), 2, "{short:?}");
        assert_eq!(short.tag(), "sum");
    }

    #[test]
    fn a_sequence_is_a_file_of_lines() {
        let mut chooser = Chooser::new(7);
        let driver = Driver::new().expect("a group");
        let view = driver.view().expect("a view");
        let actions: Vec<Action> = (0..500).map(|_| chooser.next(&view)).collect();
        let text: Vec<String> = actions.iter().map(Action::to_line).collect();
        let text = format!("# a comment\n\n{}\n", text.join("\n"));

        assert_eq!(Action::read_lines(&text).expect("readable"), actions);
        assert!(Action::read_lines("{\"Nonsense\":{}}").is_err());
    }
}
