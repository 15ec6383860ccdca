//! The user's cache folder, written to in whole steps.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// `keel-sbf` in the user's cache folder.
pub fn folder() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .context("there is no cache folder: set XDG_CACHE_HOME or HOME")?;
    Ok(base.join("keel-sbf"))
}

/// A folder beside the finished ones that is removed when it is no longer needed.
#[derive(Debug)]
pub struct Staging(PathBuf);

impl Staging {
    pub fn new(cache: &Path) -> Result<Self> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        let path = cache.join(format!(".staging-{}-{now}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Moves a folder to its final place in one step, unless another process was faster.
    pub fn publish(&self, folder: &Path, finished: &Path) -> Result<()> {
        match fs::rename(folder, finished) {
            Err(_) if finished.is_dir() => Ok(()),
            other => other.with_context(|| format!("cannot write {}", finished.display())),
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // A leftover does no harm: nothing looks inside it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_publish_wins_and_staging_leaves_nothing() {
        let cache = std::env::temp_dir().join(format!("keel-sbf-cache-{}", std::process::id()));
        let finished = cache.join("finished");
        for contents in ["first", "second"] {
            let staging = Staging::new(&cache).unwrap();
            let folder = staging.path().join("folder");
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("file"), contents).unwrap();
            staging.publish(&folder, &finished).unwrap();
        }
        assert_eq!(fs::read_to_string(finished.join("file")).unwrap(), "first");
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 1);
        fs::remove_dir_all(&cache).unwrap();
    }
}
