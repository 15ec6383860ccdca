//! Progress on stderr: a bar on a terminal, a line per tenth elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TEMPLATE: &str =
    "{spinner} [{bar:32}] {pos}/{len} steps  {elapsed} elapsed, {eta} left  {msg}";

#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// Without a terminal: the next step worth a line.
    next_line: Option<usize>,
    steps: usize,
}

impl Progress {
    pub fn new(steps: usize) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style =
            ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(steps as u64), target)
            .with_style(style.progress_chars("=> "));
        Progress {
            bar,
            next_line: (!terminal).then_some(0),
            steps,
        }
    }

    /// A line of its own, e.g. what is being set up.
    pub fn note(&self, text: &str) {
        if self.next_line.is_some() {
            eprintln!("{text}");
        } else {
            self.bar.suspend(|| eprintln!("{text}"));
        }
    }

    /// `done` steps are done; `state` says in a few words how things stand.
    pub fn step(&mut self, done: usize, state: &str) {
        self.bar.set_position(done as u64);
        self.bar.set_message(state.to_owned());
        if let Some(next) = self.next_line.filter(|next| done >= *next) {
            eprintln!("step {done:>5} of {}  {state}", self.steps);
            self.next_line = Some(next + (self.steps / 10).max(1));
        }
    }

    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}
