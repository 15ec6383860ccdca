//! The linker: rustc's bitcode in, an SBPF shared object out.

mod arguments;
mod inputs;
mod lower;
mod pipeline;
mod routines;

pub use arguments::LinkerArguments;

use crate::elf;
use anyhow::{Context, Result};
use std::fs;

/// Runs the linker as rustc calls it, with the arguments after the program's name.
///
/// A crate that defines no `entrypoint` is not a program: some dependencies declare a `cdylib` of
/// their own, and cargo links them as well. Such a crate gets an empty file.
pub fn run(arguments: impl IntoIterator<Item = String>) -> Result<()> {
    let arguments = LinkerArguments::parse(arguments)?;
    let modules = inputs::read(&arguments.inputs)?;
    let linked = match pipeline::compile(&modules)? {
        Some(object) => elf::link(&object)?,
        None => Vec::new(),
    };
    fs::write(&arguments.output, linked)
        .with_context(|| format!("cannot write {}", arguments.output.display()))
}
