//! The linker that rustc calls. See `keel_sbf::link`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match keel_sbf::link::run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keel-sbf-ld: {error:#}");
            ExitCode::FAILURE
        }
    }
}
