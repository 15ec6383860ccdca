//! Whole-program compilation: modules in, one relocatable BPF object out.

use super::inputs::Bitcode;
use super::{lower, routines};
use crate::elf;
use crate::llvm::{Context, Linkage, Machine, Module};
use anyhow::{Context as _, Result, bail};
use std::fs;

/// The one symbol that the virtual machine looks up.
const ENTRYPOINT: &str = "entrypoint";
/// Data that no code refers to but that a file's reader looks for: `security_txt!`'s contacts.
const KEPT_DATA: &str = "SECURITY_TXT";
/// Names a file to write the lowered program to, in LLVM's text form, for a look at what went wrong.
const EMIT_IR: &str = "KEEL_SBF_EMIT_IR";
const RUNTIME: &str = include_str!("../../assets/runtime.ll");

/// Compiles a program, or returns `None` when the modules define no `entrypoint`.
///
/// Errors: anything LLVM reports, except what `llvm` documents as harmless; with the names of
/// functions readable.
pub fn compile(modules: &[Bitcode]) -> Result<Option<Vec<u8>>> {
    let context = Context::new();
    let machine = Machine::bpf()?;
    let module = link_modules(context, modules)?;
    let is_program = module
        .function(ENTRYPOINT)
        .is_some_and(|entry| !entry.is_declaration());
    if !is_program {
        return Ok(None);
    }
    hide_all_but_entrypoint(module);
    machine.run_passes(module, "default<O3>,lower-atomic,globaldce")?;
    module.verify("optimisation")?;
    add_runtime(module)?;
    lower_everything(machine, module)?;
    if let Some(path) = std::env::var_os(EMIT_IR) {
        fs::write(&path, module.print()).context("cannot write the intermediate form")?;
    }
    let object = generate(machine, module)?;
    let errors = context.diagnostics().errors();
    if !errors.is_empty() {
        let readable: Vec<String> = errors.iter().map(|error| demangle(error)).collect();
        bail!(
            "the program cannot be compiled for SBPF:\n{}",
            readable.join("\n")
        );
    }
    Ok(Some(object))
}

fn link_modules(context: Context, modules: &[Bitcode]) -> Result<Module> {
    let program = context.empty_module("program");
    for bitcode in modules {
        let module = context.parse_bitcode(&bitcode.name, &bitcode.bytes)?;
        set_memory_routines_aside(module);
        program
            .link_in(module)
            .with_context(|| format!("linking {}", bitcode.name))?;
    }
    program.clear_inline_assembly();
    Ok(program)
}

/// Rust's own `memcpy` and friends give way to those of the runtime, which are system calls.
fn set_memory_routines_aside(module: Module) {
    for name in routines::MEMORY {
        if let Some(function) = module
            .function(name)
            .filter(|found| !found.is_declaration())
        {
            function.set_name(&format!("__rust_{name}"));
            function.set_linkage(Linkage::LLVMInternalLinkage);
        }
    }
}

/// Gives the optimiser the whole program: nothing but `entrypoint` is called from outside.
///
/// The routines that code generation calls by name stay visible until it is known which.
fn hide_all_but_entrypoint(module: Module) {
    for function in module.functions() {
        let name = function.name();
        if function.is_declaration() || name == ENTRYPOINT || name.starts_with("llvm.") {
            continue;
        }
        function.set_linkage(if routines::is_routine(&name) {
            Linkage::LLVMExternalLinkage
        } else {
            Linkage::LLVMInternalLinkage
        });
    }
    for global in module.globals().into_iter().chain(module.aliases()) {
        let name = global.name();
        if !global.is_declaration() && name != KEPT_DATA && !name.starts_with("llvm.") {
            global.set_linkage(Linkage::LLVMInternalLinkage);
        }
    }
}

/// Adds the runtime after optimisation, so that its routines are not recognised as the operations
/// they implement and turned back into them.
fn add_runtime(module: Module) -> Result<()> {
    let runtime = module.context().parse_ir("runtime.ll", RUNTIME)?;
    runtime.copy_target_of(module);
    module.link_in(runtime).context("linking runtime.ll")?;
    module.strip_debug_info();
    Ok(())
}

fn lower_everything(machine: Machine, module: Module) -> Result<()> {
    lower::cleanup::lower_traps(module);
    lower::division::lower_signed_division(module);
    lower::wide::lower_wide_arithmetic(module)?;
    retire_wide_routines(module);
    lower::results::extend_narrow_results(module);
    lower::cleanup::strip_sret(module);
    module.verify("wide arithmetic")?;
    machine.run_passes(module, "always-inline,function(sroa,early-cse,simplifycfg)")?;
    // Inlining brings the runtime's own divisions along.
    lower::division::lower_signed_division(module);
    machine.run_passes(module, "globaldce,strip-dead-prototypes")?;
    lower::arguments::pack_arguments(module)?;
    module.verify("argument packing")?;
    machine.run_passes(module, "globaldce,strip-dead-prototypes")
}

/// From here on the wide routines are ordinary functions. They get other names, so that a call that
/// LLVM makes up on its own, in a shape they do not have, finds nothing and fails the link.
fn retire_wide_routines(module: Module) {
    for name in routines::WIDE {
        if let Some(function) = module
            .function(name)
            .filter(|found| !found.is_declaration())
        {
            function.set_name(&format!("__wide{name}"));
            function.set_linkage(Linkage::LLVMInternalLinkage);
        }
    }
}

/// Generates code twice: the first object shows which routines are called, the second holds them
/// alone.
fn generate(machine: Machine, module: Module) -> Result<Vec<u8>> {
    let draft = machine.object_file(module.duplicate())?;
    let called = elf::called_symbols(&draft)?;
    for function in module.functions() {
        let name = function.name();
        if !function.is_declaration() && routines::is_routine(&name) && !called.contains(&name) {
            function.set_linkage(Linkage::LLVMInternalLinkage);
        }
    }
    machine.run_passes(module, "globaldce")?;
    machine.object_file(module)
}

/// Makes the mangled names in a message readable.
fn demangle(message: &str) -> String {
    let is_symbol_character = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.');
    let mut readable = String::new();
    let mut rest = message;
    while let Some(start) = rest.find(is_symbol_character) {
        readable.push_str(&rest[..start]);
        let word = &rest[start..];
        let end = word.find(|c| !is_symbol_character(c)).unwrap_or(word.len());
        readable.push_str(&format!("{:#}", rustc_demangle::demangle(&word[..end])));
        rest = &word[end..];
    }
    readable + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_messages_are_readable() {
        let message = "in function _ZN4keel6settle17h0123456789abcdefE void (ptr): too large";
        assert_eq!(
            demangle(message),
            "in function keel::settle void (ptr): too large"
        );
    }

    #[test]
    fn a_crate_without_entrypoint_compiles_to_nothing() {
        assert!(compile(&[]).unwrap().is_none());
    }

    #[test]
    fn the_runtime_is_valid_and_defines_what_the_lists_promise() {
        let runtime = Context::new().parse_ir("runtime.ll", RUNTIME).unwrap();
        runtime.verify("parsing").unwrap();
        for name in routines::MEMORY.iter().chain(&routines::WIDE) {
            let of_the_runtime = !name.starts_with("__") || name.starts_with("__sbf_");
            assert_eq!(runtime.function(name).is_some(), of_the_runtime, "{name}");
        }
    }
}
