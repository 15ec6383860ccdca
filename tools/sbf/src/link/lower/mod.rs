//! What LLVM's BPF back end lacks, rewritten into what it has.

pub mod arguments;
pub mod cleanup;
pub mod division;
pub mod results;
pub mod wide;

#[cfg(test)]
pub mod testing {
    use crate::llvm::{Context, Module};

    /// A module for a test, from its text.
    pub fn module(text: &str) -> Module {
        Context::new().parse_ir("test", text).unwrap()
    }

    /// The module's text once it passed verification.
    pub fn verified(module: Module) -> String {
        module.verify("the test").unwrap();
        module.print()
    }
}
