//! The arguments that rustc gives a linker of the `bpf` flavour.

use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

/// What the linker takes from its command line.
///
/// The rest (`--cpu`, `--export-symbols`, `-O`, `-L` and other flags) is fixed by the target:
/// every program is compiled for the same machine and exports its `entrypoint` alone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LinkerArguments {
    pub output: PathBuf,
    pub inputs: Vec<PathBuf>,
}

impl LinkerArguments {
    /// Reads arguments; `@file` stands for the arguments in that file, one a line.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut expanded = Vec::new();
        for argument in arguments {
            match argument.strip_prefix('@') {
                Some(path) => expanded.extend(read_response_file(path)?),
                None => expanded.push(argument),
            }
        }
        let mut output = None;
        let mut inputs = Vec::new();
        let mut rest = expanded.into_iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "-o" => output = rest.next().map(PathBuf::from),
                "--export-symbols" | "--cpu" | "-L" => {
                    rest.next();
                }
                flag if flag.starts_with('-') => {}
                _ => inputs.push(PathBuf::from(argument)),
            }
        }
        let output = output.context("the linker was given no output file (-o)")?;
        Ok(Self { output, inputs })
    }
}

/// rustc writes one argument a line and escapes spaces and backslashes with a backslash.
fn read_response_file(path: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(text.lines().map(unescape).collect())
}

fn unescape(line: &str) -> String {
    let mut text = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<LinkerArguments> {
        LinkerArguments::parse(arguments.iter().map(|argument| argument.to_string()))
    }

    #[test]
    fn flags_with_values_do_not_become_inputs() {
        let parsed = parse(&[
            "--cpu",
            "generic",
            "-O3",
            "a.o",
            "-L",
            "dir",
            "--export-symbols",
            "list",
            "b.rlib",
            "-o",
            "out.so",
            "--unroll-loops",
        ])
        .unwrap();
        assert_eq!(parsed.output, PathBuf::from("out.so"));
        assert_eq!(
            parsed.inputs,
            [PathBuf::from("a.o"), PathBuf::from("b.rlib")]
        );
    }

    #[test]
    fn a_missing_output_is_an_error() {
        assert!(parse(&["a.o"]).is_err());
    }

    #[test]
    fn response_files_are_read_with_their_escapes() {
        assert_eq!(unescape(r"a\ b\\c"), r"a b\c");
        let path = std::env::temp_dir().join(format!("keel-sbf-args-{}", std::process::id()));
        fs::write(&path, "-o\nout.so\nin\\ put.o\n").unwrap();
        let parsed = parse(&[&format!("@{}", path.display())]).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(parsed.inputs, [PathBuf::from("in put.o")]);
    }
}
