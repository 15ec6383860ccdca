//! Where the compiled programs are.

use std::path::PathBuf;

/// A program has not been built.
#[derive(Clone, Debug)]
pub struct ArtifactMissing {
    pub path: PathBuf,
}

impl std::fmt::Display for ArtifactMissing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} does not exist: run `cargo xtask build`",
            self.path.display()
        )
    }
}

impl std::error::Error for ArtifactMissing {}

/// The bytecode of the program `name` (its library's name): in `KEEL_DEPLOY_DIR` when that is set,
/// else in the workspace's `target/deploy`.
pub fn program_file(name: &str) -> Result<PathBuf, ArtifactMissing> {
    let folder = std::env::var_os("KEEL_DEPLOY_DIR").map_or_else(
        || {
            std::env::var_os("CARGO_TARGET_DIR")
                .map_or_else(workspace_target, PathBuf::from)
                .join("deploy")
        },
        PathBuf::from,
    );
    let path = folder.join(format!("{name}.so"));
    if path.is_file() {
        Ok(path)
    } else {
        Err(ArtifactMissing { path })
    }
}

fn workspace_target() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target"))
}
