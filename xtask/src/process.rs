//! Running other programs from the workspace root, and telling the reader what is going on.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// The folder of the workspace's `Cargo.toml`.
pub fn workspace_root() -> PathBuf {
    // Cargo sets the variable at run time; the compiled-in value serves a binary started directly.
    let xtask = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);

    xtask.parent().map_or(xtask.clone(), Path::to_path_buf)
}

/// The build folder: `CARGO_TARGET_DIR` where it is set, else `target`.
pub fn target_dir() -> PathBuf {
    let root = workspace_root();
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

/// A cargo command that runs in the workspace root.
pub fn cargo<I, S>(args: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(args).current_dir(workspace_root());
    // `cargo run` describes the package `xtask` to us; the next cargo must not inherit that.
    for (name, _) in env::vars_os() {
        if describes_package(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

fn describes_package(variable: &str) -> bool {
    let prefixes = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_PRIMARY_",
    ];
    prefixes.iter().any(|prefix| variable.starts_with(prefix)) || variable == "OUT_DIR"
}

/// One thing being done, with its time. Printed on stderr when it starts and when it ends.
#[derive(Debug)]
pub struct Step {
    what: String,
    started: Instant,
}

impl Step {
    pub fn start(what: impl Into<String>) -> Self {
        let what = what.into();
        eprintln!("xtask: {what} ...");
        Self {
            what,
            started: Instant::now(),
        }
    }

    /// Ends the step well; `note` says what came of it and may be empty.
    pub fn done(self, note: &str) {
        let separator = if note.is_empty() { "" } else { ": " };
        eprintln!(
            "xtask: {} took {}{separator}{note}",
            self.what,
            seconds(self.started.elapsed())
        );
    }
}

/// `12.3 s`.
pub fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

/// Runs to the end with the terminal's own streams.
pub fn status(command: &mut Command) -> Result<ExitStatus> {
    command
        .status()
        .with_context(|| format!("could not start `{}`", shown(command)))
}

/// Runs to the end; any status but success is an error that names the command.
pub fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// The exit status to pass on for a child: its code, or 1 when a signal ended it.
pub fn exit_code(status: ExitStatus) -> u8 {
    match status.code() {
        Some(code) => u8::try_from(code).unwrap_or(1),
        None => 1,
    }
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());

    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether cargo has the named subcommand (`fmt` and `clippy` are components that may be absent).
pub fn has_cargo_command(name: &str) -> bool {
    cargo([name, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Checks for what compiling the VM's native dependencies needs (OpenSSL is built from source).
///
/// # Errors
/// Names the missing tools and how to get them, instead of a build script's failure minutes later.
pub fn require_native_tools() -> Result<()> {
    let missing: Vec<&str> = ["cc", "make", "perl"]
        .into_iter()
        .filter(|tool| !is_on_path(tool))
        .collect();

    if !missing.is_empty() {
        bail!(
            "missing: {}; the VM's dependencies are compiled from C. On Debian or Ubuntu: apt-get install gcc libc6-dev make perl",
            missing.join(", ")
        );
    }
    Ok(())
}

fn is_on_path(tool: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(tool).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_typed() {
        let command = cargo(["run", "--quiet", "-p", "keel-demo"]);
        assert!(shown(&command).ends_with("run --quiet -p keel-demo"));
        assert!(!shown(&command).contains('/'));
    }

    #[test]
    fn the_workspace_root_is_where_this_package_stands() {
        assert!(workspace_root().join("xtask").join("Cargo.toml").is_file());
    }

    #[test]
    fn the_description_of_this_package_is_not_passed_on() {
        assert!(describes_package("CARGO_PKG_NAME"));
        assert!(describes_package("CARGO_MANIFEST_DIR"));
        assert!(!describes_package("CARGO_TARGET_DIR"));
        assert!(!describes_package("CARGO_HOME"));
    }

    #[test]
    fn tools_are_looked_for_on_the_path() {
        assert!(is_on_path("sh"));
        assert!(!is_on_path("no-such-tool-anywhere"));
    }
}
