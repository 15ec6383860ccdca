//! `cargo xtask idl`: the Anchor IDL, by the way `anchor idl build` takes.
//!
//! Anchor's macros write tests that print the parts of the IDL; this module runs them on the
//! compiler at hand and puts the parts together, sorted, with the same checks as Anchor's. (The
//! library that Anchor's command uses cannot be called from a process started by rustup's cargo:
//! it passes a toolchain literally named `+{toolchain}` on.)

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Stdio,
};

use anchor_lang_idl_spec::{Idl, IdlConst, IdlErrorCode, IdlEvent, IdlTypeDef};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::{
    cli::IdlArgs,
    process::{Step, cargo, run as run_command, shown, workspace_root},
};

pub fn run(args: &IdlArgs) -> Result<()> {
    let step = Step::start("generating the IDL");
    let text = generate()?;
    let path = idl_path();

    if args.check {
        let committed = fs::read_to_string(&path)
            .context("idl/keel.json is not committed; run `cargo xtask idl`")?;
        if committed != text {
            bail!("idl/keel.json is not what the program gives; run `cargo xtask idl`");
        }
        step.done("idl/keel.json is up to date");
        return Ok(());
    }

    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, text).context("writing idl/keel.json")?;
    step.done("wrote idl/keel.json");
    Ok(())
}

fn idl_path() -> PathBuf {
    workspace_root().join("idl").join("keel.json")
}

/// The IDL as committed: pretty JSON, the same bytes for the same program.
fn generate() -> Result<String> {
    let output = print_parts()?;
    let idl = assemble(&output)?;
    check_discriminators(&idl)?;
    Ok(serde_json::to_string_pretty(&idl)? + "\n")
}

/// Runs the printing tests of Anchor's macros; returns what they print.
fn print_parts() -> Result<String> {
    let selection = ["-p", "keel", "--lib", "--features", "idl-build"];
    // First without running, so that the compiler's progress and errors are seen.
    let mut compile = cargo(["test", "--no-run"]);
    compile.args(selection);
    let mut command = cargo(["test", "--quiet"]);
    command.args(selection).args([
        "__anchor_private_print_idl",
        "--",
        "--show-output",
        "--test-threads=1",
    ]);
    for each in [&mut compile, &mut command] {
        each.env("ANCHOR_IDL_BUILD_NO_DOCS", "FALSE")
            .env("ANCHOR_IDL_BUILD_RESOLUTION", "TRUE")
            .env("ANCHOR_IDL_BUILD_SKIP_LINT", "FALSE")
            .env(
                "ANCHOR_IDL_BUILD_PROGRAM_PATH",
                workspace_root().join("programs/keel"),
            );
    }

    run_command(&mut compile)?;
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("could not start `{}`", shown(&command)))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        eprintln!("{stdout}");
        bail!("`{}` failed ({})", shown(&command), output.status);
    }
    Ok(stdout)
}

/// What an event's test prints: the event and the types it mentions.
#[derive(serde::Deserialize)]
struct EventPart {
    event: IdlEvent,
    types: Vec<IdlTypeDef>,
}

/// The sections between `--- IDL begin KIND ---` and `--- IDL end KIND ---`, in order.
fn sections(output: &str) -> Result<Vec<(&str, String)>> {
    let mut sections = Vec::new();
    let mut lines = output.lines();

    while let Some(line) = lines.next() {
        let Some(kind) = marker(line, "begin") else {
            continue;
        };
        let mut body = String::new();
        loop {
            let line = lines
                .next()
                .with_context(|| format!("the IDL's part `{kind}` has no end"))?;
            if marker(line, "end") == Some(kind) {
                break;
            }
            body.push_str(line);
            body.push('\n');
        }
        sections.push((kind, body));
    }
    Ok(sections)
}

fn marker<'a>(line: &'a str, which: &str) -> Option<&'a str> {
    line.strip_prefix("--- IDL ")?
        .strip_prefix(which)?
        .trim_start()
        .strip_suffix(" ---")
}

fn assemble(output: &str) -> Result<Idl> {
    let mut address = String::new();
    let mut constants: Vec<IdlConst> = Vec::new();
    let mut events: Vec<IdlEvent> = Vec::new();
    let mut errors: Option<Vec<IdlErrorCode>> = None;
    let mut types: BTreeMap<String, IdlTypeDef> = BTreeMap::new();
    let mut program: Option<Idl> = None;

    for (kind, body) in sections(output)? {
        let context = || format!("the IDL's part `{kind}`");
        match kind {
            "address" => address = body.chars().filter(|c| c.is_alphanumeric()).collect(),
            "const" => constants.push(serde_json::from_str(&body).with_context(context)?),
            "event" => {
                let part: EventPart = serde_json::from_str(&body).with_context(context)?;
                events.push(part.event);
                types.extend(part.types.into_iter().map(|ty| (ty.name.clone(), ty)));
            }
            "errors" if errors.is_some() => bail!("the program has two `error_code` enums"),
            "errors" => errors = Some(serde_json::from_str(&body).with_context(context)?),
            "program" => program = Some(serde_json::from_str(&body).with_context(context)?),
            other => bail!("unknown part of the IDL: {other}"),
        }
    }

    let mut idl = program.ok_or_else(|| anyhow!("the program printed no IDL"))?;
    idl.address = address;
    idl.constants = constants;
    idl.events = events;
    idl.errors = errors.unwrap_or_default();
    types.extend(idl.types.drain(..).map(|ty| (ty.name.clone(), ty)));
    idl.types = types.into_values().collect();
    Ok(sorted(shorten_paths(&idl)?))
}

/// `keel_state::bank::Bank` becomes `Bank` wherever no other path ends in the same name.
fn shorten_paths(idl: &Idl) -> Result<Idl> {
    let mut value = serde_json::to_value(idl)?;
    let mut paths_by_name: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();

    for_each_string(&mut value, &mut |text| {
        if let Some(name) = last_of_path(text) {
            let paths = paths_by_name.entry(name.to_owned()).or_default();
            paths.insert(text.clone());
        }
    });
    for_each_string(&mut value, &mut |text| {
        let name = last_of_path(text).unwrap_or_default().to_owned();
        if paths_by_name
            .get(&name)
            .is_some_and(|paths| paths.len() == 1)
        {
            *text = name;
        }
    });
    Ok(serde_json::from_value(value)?)
}

fn for_each_string(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| for_each_string(item, visit)),
        Value::Object(fields) => {
            fields
                .values_mut()
                .for_each(|field| for_each_string(field, visit));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The last name of `a::b::Name`; none when the text is no such path.
fn last_of_path(text: &str) -> Option<&str> {
    let (_, name) = text.rsplit_once("::")?;
    let is_name =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
    text.split("::").all(is_name).then_some(name)
}

fn sorted(mut idl: Idl) -> Idl {
    idl.accounts.sort_by(|a, b| a.name.cmp(&b.name));
    idl.constants.sort_by(|a, b| a.name.cmp(&b.name));
    idl.events.sort_by(|a, b| a.name.cmp(&b.name));
    idl.instructions.sort_by(|a, b| a.name.cmp(&b.name));
    idl.types.sort_by(|a, b| a.name.cmp(&b.name));
    idl
}

/// No discriminator may be empty, all zero (accounts), or the beginning of another.
fn check_discriminators(idl: &Idl) -> Result<()> {
    let accounts = idl
        .accounts
        .iter()
        .map(|item| (&item.name, &item.discriminator));
    let events = idl
        .events
        .iter()
        .map(|item| (&item.name, &item.discriminator));
    let instructions = idl
        .instructions
        .iter()
        .map(|item| (&item.name, &item.discriminator));

    for (name, discriminator) in accounts.clone() {
        if discriminator.iter().all(|byte| *byte == 0) {
            bail!("the discriminator of account {name} is zero");
        }
    }
    check_prefixes(accounts.collect())?;
    check_prefixes(events.collect())?;
    check_prefixes(instructions.collect())
}

fn check_prefixes(items: Vec<(&String, &Vec<u8>)>) -> Result<()> {
    for (name, discriminator) in &items {
        if discriminator.is_empty() {
            bail!("the discriminator of {name} is empty");
        }
        for (other_name, other) in &items {
            if name != other_name && discriminator.starts_with(other) {
                bail!("the discriminators of {name} and {other_name} cannot be told apart");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = r#"
running 4 tests
--- IDL begin address ---
"KEEL1111"
--- IDL end address ---
--- IDL begin event ---
{"event": {"name": "keel::events::Deposited", "discriminator": [9]},
 "types": [{"name": "keel::events::Deposited", "type": {"kind": "struct", "fields": []}}]}
--- IDL end event ---
--- IDL begin errors ---
[{"code": 6000, "name": "PriceTooOld", "msg": "too old"}]
--- IDL end errors ---
--- IDL begin program ---
{"address": "", "metadata": {"name": "keel", "version": "0.1.0", "spec": "0.1.0"},
 "instructions": [
   {"name": "withdraw", "discriminator": [2], "accounts": [], "args": []},
   {"name": "deposit", "discriminator": [1], "accounts": [], "args": []}],
 "accounts": [{"name": "Bank", "discriminator": [7]}],
 "types": [{"name": "a::Side", "type": {"kind": "struct", "fields": []}},
           {"name": "b::Side", "type": {"kind": "struct", "fields": []}}]}
--- IDL end program ---
test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
"#;

    #[test]
    fn parts_are_put_together_and_sorted() {
        let idl = assemble(OUTPUT).expect("an IDL");

        assert_eq!(idl.address, "KEEL1111");
        assert_eq!(idl.instructions[0].name, "deposit");
        assert_eq!(idl.events[0].name, "Deposited");
        assert_eq!(idl.errors[0].name, "PriceTooOld");
        check_discriminators(&idl).expect("distinct");
    }

    #[test]
    fn names_that_collide_keep_their_paths() {
        let idl = assemble(OUTPUT).expect("an IDL");

        let names: Vec<&str> = idl.types.iter().map(|ty| ty.name.as_str()).collect();
        assert_eq!(names, ["Deposited", "a::Side", "b::Side"]);
    }

    #[test]
    fn discriminators_that_cannot_be_told_apart_are_refused() {
        let idl = assemble(&OUTPUT.replace("[2]", "[1, 5]")).expect("an IDL");
        assert!(check_discriminators(&idl).is_err());

        let idl = assemble(&OUTPUT.replace("[7]", "[0, 0]")).expect("an IDL");
        assert!(check_discriminators(&idl).is_err());
    }

    #[test]
    fn output_without_a_program_or_cut_off_is_refused() {
        assert!(assemble("running 0 tests\n").is_err());
        let cut = OUTPUT.split("--- IDL end program").next().expect("cut");
        assert!(assemble(cut).is_err());
    }

    #[test]
    fn only_paths_are_shortened() {
        assert_eq!(last_of_path("a::b::C"), Some("C"));
        assert_eq!(last_of_path("C"), None);
        assert_eq!(last_of_path("see a::C for more"), None);
    }
}
