//! Keel's own commands: `cargo xtask build | test | demo | bench | vectors | fuzz | idl | spec | lint`.
//!
//! Exit status: 0 when the command did what its name says, 1 when it failed, 2 for bad arguments.
//! Progress goes to stderr; stdout carries only what the programs run here print themselves.

mod bench;
mod build;
mod cli;
mod demo;
mod figures;
mod fuzz;
mod idl;
mod lint;
mod process;
mod rules;
mod source;
mod spec;
mod test;
mod vectors;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Build(args) => build::run(&args).map(|()| 0),
        Command::Test => test::run(),
        Command::Demo(args) => demo::run(&args),
        Command::Bench(args) => bench::run(&args).map(|()| 0),
        Command::Vectors(args) => vectors::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Idl(args) => idl::run(&args).map(|()| 0),
        Command::Spec(args) => spec::run(&args).map(|()| 0),
        Command::Lint(args) => lint::run(&args).map(|()| 0),
    };

    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}
