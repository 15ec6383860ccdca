//! Builds the programs of the workspace to SBPF, the bytecode of Solana's virtual machine.
//!
//! Where `cargo build-sbf` is installed, it builds. Elsewhere the stock Rust compiler does, with a
//! patched standard library and a linker of our own: see `docs/toolchain.md`.
//!
//! ```no_run
//! let request = keel_sbf::BuildRequest::new(".", "keel");
//! let built = keel_sbf::build(&request)?;
//! println!("{}: {} bytes", built.program.display(), built.size_bytes);
//! # Ok::<(), anyhow::Error>(())
//! ```

// Supplies the functions of LLVM from the compiler's own library.
extern crate aya_rustc_llvm_proxy as _;

mod build;
mod command;
mod elf;
mod environment;
pub mod link;
mod llvm;
mod platform_tools;
mod rust_src;
mod std_patch;
mod stock;
mod toolchain;

pub use build::{BuildRequest, Built, build};
pub use toolchain::{Toolchain, toolchain_id};
