//! The environment of the nested build.
//!
//! `cargo run` and `cargo test` leave many variables to the programs they start: flags, wrappers,
//! the library path, details of the package. Inside a nested build they would change what is
//! built, and make cargo build everything anew. What a user sets to configure cargo is kept.

use std::ffi::OsString;
use std::process::Command;

/// Settings of the user: where cargo keeps its files, and how it reaches registries.
const KEPT: [&str; 3] = ["CARGO_HOME", "CARGO_BUILD_JOBS", "CARGO_TERM_COLOR"];
const KEPT_PREFIXES: [&str; 5] = [
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
];

const REMOVED: [&str; 8] = [
    "CARGO",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "LD_LIBRARY_PATH",
    "OUT_DIR",
    "RUSTC",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
];
const REMOVED_PREFIXES: [&str; 4] = ["CARGO_", "RUSTC_", "RUST_TEST_", "__CARGO_"];

fn is_removed(name: &str) -> bool {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let is_kept = KEPT.contains(&name) || starts(&KEPT_PREFIXES);
    !is_kept && (REMOVED.contains(&name) || starts(&REMOVED_PREFIXES))
}

/// A command that does not inherit what an outer cargo has set.
pub fn clean_command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if is_removed(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

/// Joins compiler flags the way `CARGO_ENCODED_RUSTFLAGS` wants them, so that they may hold spaces.
pub fn encode_flags(flags: &[OsString]) -> OsString {
    let separator = OsString::from("\u{1f}");
    flags.join(&separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_cargo_leaves_no_trace() {
        for name in [
            "CARGO",
            "CARGO_MANIFEST_DIR",
            "CARGO_PKG_NAME",
            "CARGO_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_PROFILE_RELEASE_LTO",
            "RUSTC_WRAPPER",
            "RUSTC_BOOTSTRAP",
            "RUSTFLAGS",
            "LD_LIBRARY_PATH",
            "__CARGO_TESTS_ONLY_SRC_ROOT",
        ] {
            assert!(is_removed(name), "{name}");
        }
    }

    #[test]
    fn the_users_settings_stay() {
        for name in [
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_MINE_INDEX",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
            "PATH",
            "HOME",
            "HTTPS_PROXY",
            "RUST_BACKTRACE",
        ] {
            assert!(!is_removed(name), "{name}");
        }
    }

    #[test]
    fn flags_may_hold_spaces() {
        let encoded = encode_flags(&["-Clinker=a b".into(), "-g".into()]);
        assert_eq!(encoded, "-Clinker=a b\u{1f}-g");
    }
}
