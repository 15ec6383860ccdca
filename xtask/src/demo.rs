//! `cargo demo`: builds the program, then hands over to the demo.

use anyhow::Result;

use crate::{
    build::{self, KEEL},
    cli::DemoArgs,
    process::{Step, cargo, exit_code, require_native_tools, run as run_command, status},
};

/// Runs the demo with all its arguments; its exit status is passed on, its stdout is untouched.
pub fn run(args: &DemoArgs) -> Result<u8> {
    require_native_tools()?;

    let mut demo = cargo(["run", "--quiet", "-p", "keel-demo", "--"]);
    demo.args(&args.rest);
    if !asks_for_help(args) {
        let built = build::bytecode(KEEL)?;
        demo.env("KEEL_DEPLOY_DIR", built.deploy_dir());
        demo.env("SBF_OUT_DIR", built.deploy_dir());
    }

    let step = Step::start("building the demo (minutes the first time)");
    run_command(&mut cargo(["build", "-p", "keel-demo"]))?;
    step.done("");

    Ok(exit_code(status(&mut demo)?))
}

fn asks_for_help(args: &DemoArgs) -> bool {
    args.rest
        .iter()
        .any(|word| word == "--help" || word == "-h" || word == "--version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_needs_no_bytecode() {
        let asked = |word: &str| {
            asks_for_help(&DemoArgs {
                rest: vec!["--json".into(), word.into()],
            })
        };

        assert!(asked("--help"));
        assert!(asked("-h"));
        assert!(!asked("-"));
    }
}
