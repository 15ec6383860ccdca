//! From LLVM's relocatable object to the file that the virtual machine loads.
//!
//! [`image`] lays the sections out and [`relocate`] resolves addresses: both know BPF, not the
//! version of SBPF. [`v0`] writes the file for SBPF v0; a writer for v3 has its place beside it.

mod image;
mod relocate;
mod v0;

pub use image::called_symbols;

use anyhow::Result;

/// Turns a relocatable BPF object into an SBPF v0 shared object.
pub fn link(object: &[u8]) -> Result<Vec<u8>> {
    let file = image::parse(object)?;
    let mut image = image::Image::lay_out(&file, v0::TEXT_ADDRESS)?;
    let calls = relocate::relocate(&file, &mut image)?;
    v0::encode_indirect_calls(&mut image.text);
    let entry = image.entry_address(&file)?;
    Ok(v0::write(&image, entry, &calls))
}
