//! One program, from a request to a file in `target/deploy`.

use crate::toolchain::Toolchain;
use crate::{command, environment, platform_tools, stock};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// What to build, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRequest {
    /// The folder of the workspace's `Cargo.toml`.
    pub workspace_root: PathBuf,
    /// The package's name.
    pub package: String,
    /// Features besides the default ones.
    pub features: Vec<String>,
    /// `None`: [`Toolchain::detect`] chooses.
    pub toolchain: Option<Toolchain>,
}

impl BuildRequest {
    /// A request with default features and the default toolchain.
    pub fn new(workspace_root: impl Into<PathBuf>, package: impl Into<String>) -> Self {
        Self {
            workspace_root: workspace_root.into(),
            package: package.into(),
            features: Vec::new(),
            toolchain: None,
        }
    }
}

/// A built program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The shared object, `<target folder>/deploy/<library>.so`.
    pub program: PathBuf,
    pub size_bytes: u64,
    /// Whether the file differs from what was there before.
    pub has_changed: bool,
    /// The name of the compiler, as [`crate::toolchain_id`] gives it.
    pub toolchain: String,
}

/// Builds a program crate of a workspace to `<target folder>/deploy/<library>.so`.
///
/// The file is replaced in one step, and only when its contents change. Progress goes to stderr.
///
/// Errors: no such package, no compiler, sources that cannot be fetched, code that does not
/// compile or that the virtual machine cannot run; each says what to do where there is a remedy.
pub fn build(request: &BuildRequest) -> Result<Built> {
    let workspace = Workspace::load(&request.workspace_root)?;
    let program = workspace.program(&request.package)?;
    let toolchain = request.toolchain.unwrap_or_else(Toolchain::detect);
    let object = match toolchain {
        Toolchain::PlatformTools => platform_tools::build(request, &workspace)?,
        Toolchain::Stock => stock::build(request, &workspace)?,
    };
    let bytes = fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
    ensure!(
        !bytes.is_empty(),
        "the package `{}` defines no entrypoint: it is no program, or was built without one",
        request.package
    );
    let deploy = workspace.target_directory.join("deploy");
    let destination = deploy.join(format!("{}.so", program.library));
    Ok(Built {
        has_changed: replace_if_changed(&destination, &bytes)?,
        program: destination,
        size_bytes: bytes.len() as u64,
        toolchain: toolchain.id()?,
    })
}

/// Writes a file in one step unless it has these contents already.
fn replace_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(false);
    }
    let folder = path.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let staged = path.with_extension(format!("so.{}", std::process::id()));
    fs::write(&staged, bytes)
        .and_then(|()| fs::rename(&staged, path))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

/// What cargo knows about the workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    pub target_directory: PathBuf,
    metadata: serde_json::Value,
}

/// A package that has a library of the kind `cdylib`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramPackage {
    pub manifest: PathBuf,
    pub library: String,
}

impl Workspace {
    pub fn load(root: &Path) -> Result<Self> {
        let mut command = environment::clean_command("cargo");
        // The one variable of an outer cargo that is the user's: where build results go.
        if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
            command.env("CARGO_TARGET_DIR", target);
        }
        command
            .current_dir(root)
            .args(["metadata", "--format-version", "1", "--no-deps"]);
        Self::parse(&command::output(&mut command)?)
    }

    fn parse(metadata: &str) -> Result<Self> {
        let metadata: serde_json::Value =
            serde_json::from_str(metadata).context("`cargo metadata` printed no JSON")?;
        let target_directory = metadata["target_directory"]
            .as_str()
            .context("`cargo metadata` names no target folder")?
            .into();
        Ok(Self {
            target_directory,
            metadata,
        })
    }

    pub fn has_package(&self, name: &str) -> bool {
        self.packages().any(|package| package["name"] == name)
    }

    pub fn program(&self, name: &str) -> Result<ProgramPackage> {
        let package = self
            .packages()
            .find(|package| package["name"] == name)
            .with_context(|| format!("the workspace has no package `{name}`"))?;
        let library = package["targets"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|target| is_cdylib(target))
            .and_then(|target| target["name"].as_str())
            .with_context(|| {
                format!("`{name}` is no program: its library's crate-type lacks `cdylib`")
            })?;
        let manifest = package["manifest_path"]
            .as_str()
            .context("a package has a manifest")?;
        Ok(ProgramPackage {
            manifest: manifest.into(),
            library: library.replace('-', "_"),
        })
    }

    fn packages(&self) -> impl Iterator<Item = &serde_json::Value> {
        self.metadata["packages"].as_array().into_iter().flatten()
    }
}

/// Whether a target, as cargo describes it in JSON, is a shared library.
pub fn is_cdylib(target: &serde_json::Value) -> bool {
    target["crate_types"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|kind| kind == "cdylib")
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{"target_directory": "/t", "packages": [
        {"name": "plain", "manifest_path": "/plain/Cargo.toml",
         "targets": [{"name": "plain", "crate_types": ["lib"]}]},
        {"name": "my-program", "manifest_path": "/p/Cargo.toml",
         "targets": [{"name": "other", "crate_types": ["bin"]},
                     {"name": "my-program", "crate_types": ["cdylib", "lib"]}]}]}"#;

    #[test]
    fn a_program_is_a_package_with_a_cdylib() {
        let workspace = Workspace::parse(METADATA).unwrap();
        assert_eq!(
            workspace.program("my-program").unwrap().library,
            "my_program"
        );
        assert!(
            workspace
                .program("plain")
                .unwrap_err()
                .to_string()
                .contains("cdylib")
        );
        assert!(
            workspace
                .program("none")
                .unwrap_err()
                .to_string()
                .contains("no package `none`")
        );
    }

    #[test]
    fn a_file_is_written_only_when_it_changes() {
        let folder = std::env::temp_dir().join(format!("keel-sbf-build-{}", std::process::id()));
        let path = folder.join("deploy/p.so");
        assert!(replace_if_changed(&path, b"one").unwrap());
        assert!(!replace_if_changed(&path, b"one").unwrap());
        assert!(replace_if_changed(&path, b"two").unwrap());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
