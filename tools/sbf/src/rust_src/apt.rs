//! Downloading one package with apt, without touching the system's own state.
//!
//! The archive's address and the keyring that signs it are those of the machine's configuration;
//! only the suite is another one.

use crate::command;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CONFIGURATION: &str = "/etc/apt";
const REMEDY: &str = "no Debian archive is configured for apt on this machine";
/// Where Debian installs the keys of its archive, for sources that name no keyring.
const DEBIAN_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A package archive: where it is, and which keyring signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    uri: String,
    signed_by: String,
}

impl Archive {
    /// The main Debian archive, as apt is configured.
    pub fn of_this_machine() -> Result<Self> {
        Self::configured_in(Path::new(CONFIGURATION)).context(REMEDY)
    }

    fn configured_in(folder: &Path) -> Option<Self> {
        let mut files = vec![folder.join("sources.list")];
        let parts = fs::read_dir(folder.join("sources.list.d")).ok();
        files.extend(
            parts
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path()),
        );
        files.sort();
        files.iter().filter_map(|file| Self::in_file(file)).next()
    }

    fn in_file(file: &Path) -> Option<Self> {
        let text = fs::read_to_string(file).ok()?;
        let archives = match file.extension()?.to_str()? {
            "sources" => parse_deb822(&text),
            "list" => parse_one_line(&text),
            _ => return None,
        };
        archives.into_iter().find(Self::is_main_debian)
    }

    /// Debian's keyring, and not the archive of security updates, which has no backports.
    fn is_main_debian(&self) -> bool {
        let keyring = Path::new(&self.signed_by).file_name();
        let is_debian = keyring.is_some_and(|name| name == "debian-archive-keyring.gpg");
        let folder = self.uri.trim_end_matches('/').rsplit('/').next();
        is_debian && folder == Some("debian")
    }
}

/// The archives in a `.sources` file: paragraphs of `Name: value`.
fn parse_deb822(text: &str) -> Vec<Archive> {
    let mut archives = Vec::new();
    for paragraph in text.split("\n\n") {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_string())
            })
        };
        let is_binary = field("Types").is_some_and(|types| types.split(' ').any(|t| t == "deb"));
        let is_enabled = field("Enabled").is_none_or(|enabled| enabled != "no");
        let Some(uris) = field("URIs").filter(|_| is_binary && is_enabled) else {
            continue;
        };
        let signed_by = field("Signed-By").filter(|value| !value.is_empty());
        archives.extend(uris.split_whitespace().map(|uri| {
            Archive {
                uri: uri.to_string(),
                signed_by: signed_by
                    .clone()
                    .unwrap_or_else(|| DEBIAN_KEYRING.to_string()),
            }
        }));
    }
    archives
}

/// The archives in a `.list` file: lines of `deb [options] uri suite component…`.
fn parse_one_line(text: &str) -> Vec<Archive> {
    let archive = |line: &str| {
        let rest = line.trim().strip_prefix("deb ")?.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(bracket) => bracket.split_once(']')?,
            None => ("", rest),
        };
        let signed_by = options
            .split_whitespace()
            .find_map(|o| o.strip_prefix("signed-by="));
        Some(Archive {
            uri: rest.split_whitespace().next()?.to_string(),
            signed_by: signed_by.unwrap_or(DEBIAN_KEYRING).to_string(),
        })
    };
    text.lines().filter_map(archive).collect()
}

/// Downloads a package of an exact version into `folder`, where apt also keeps its lists.
pub fn download(
    archive: &Archive,
    suite: &str,
    package: &str,
    version: &str,
    folder: &Path,
) -> Result<PathBuf> {
    let lists = folder.join("lists");
    let downloads = folder.join("downloads");
    for needed in [lists.join("partial"), folder.join("cache/archives/partial")] {
        fs::create_dir_all(needed)?;
    }
    fs::create_dir_all(&downloads)?;
    let sources = folder.join("private.sources");
    fs::write(&sources, source_entry(archive, suite))?;

    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.current_dir(&downloads).arg("-qq");
        for (name, value) in [
            ("Dir::Etc::sourcelist", sources.as_path()),
            ("Dir::Etc::SourceParts", Path::new("/dev/null")),
            ("Dir::State::Lists", &lists),
            ("Dir::Cache", &folder.join("cache")),
            // The user `_apt` cannot write into the user's folders.
            ("APT::Sandbox::User", Path::new("root")),
        ] {
            command.arg("-o").arg(format!("{name}={}", value.display()));
        }
        command::output(command.args(arguments))
    };
    apt(&["update"]).context("the package lists could not be fetched")?;
    apt(&["download", &format!("{package}={version}")])
        .with_context(|| format!("{package} {version} could not be fetched from {suite}"))?;
    let files = fs::read_dir(&downloads)?
        .flatten()
        .map(|entry| entry.path());
    files
        .into_iter()
        .find(|file| file.extension().is_some_and(|extension| extension == "deb"))
        .with_context(|| format!("apt fetched no package {package}"))
}

fn source_entry(archive: &Archive, suite: &str) -> String {
    format!(
        "Types: deb\nURIs: {}\nSuites: {suite}\nComponents: main\nSigned-By: {}\n",
        archive.uri, archive.signed_by
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

    fn archive(uri: &str, signed_by: &str) -> Archive {
        Archive {
            uri: uri.into(),
            signed_by: signed_by.into(),
        }
    }

    #[test]
    fn the_main_archive_is_told_from_the_others() {
        assert!(archive("http://mirror.example/debian", KEYRING).is_main_debian());
        assert!(archive("http://mirror.example/debian/", KEYRING).is_main_debian());
        assert!(!archive("http://mirror.example/debian-security", KEYRING).is_main_debian());
        assert!(!archive("http://other.example/debian", "/etc/other.gpg").is_main_debian());
    }

    #[test]
    fn both_formats_of_configuration_are_read() {
        let modern = format!(
            "Types: deb\nURIs: http://x.example/debian-security\nSigned-By: {KEYRING}\n\n\
             Types: deb deb-src\n# comment\nURIs: http://x.example/debian\nSuites: a b\n\
             Components: main\nSigned-By: {KEYRING}\n\n\
             Enabled: no\nTypes: deb\nURIs: http://off.example/debian\n"
        );
        assert_eq!(
            parse_deb822(&modern),
            [
                archive("http://x.example/debian-security", KEYRING),
                archive("http://x.example/debian", KEYRING)
            ]
        );
        let classic = "# c\ndeb-src http://s.example/debian a main\n\
                       deb [arch=amd64 signed-by=/k.gpg] http://y.example/debian a main\n\
                       deb http://x.example/debian a main\n";
        assert_eq!(
            parse_one_line(classic),
            [
                archive("http://y.example/debian", "/k.gpg"),
                archive("http://x.example/debian", DEBIAN_KEYRING)
            ]
        );
    }

    #[test]
    fn the_first_main_archive_of_the_machine_is_taken() {
        let folder = std::env::temp_dir().join(format!("keel-sbf-apt-{}", std::process::id()));
        fs::create_dir_all(folder.join("sources.list.d")).unwrap();
        let third_party = "deb [signed-by=/other.gpg] http://o.example/debian a main\n";
        fs::write(folder.join("sources.list.d/a.list"), third_party).unwrap();
        fs::write(
            folder.join("sources.list.d/b.list.disabled"),
            "deb http://d/debian a m",
        )
        .unwrap();
        assert_eq!(Archive::configured_in(&folder), None);
        let main = format!("Types: deb\nURIs: http://x.example/debian\nSigned-By: {KEYRING}\n");
        fs::write(folder.join("sources.list.d/debian.sources"), main).unwrap();
        let expected = archive("http://x.example/debian", KEYRING);
        assert_eq!(Archive::configured_in(&folder), Some(expected));
        fs::remove_dir_all(&folder).unwrap();
    }
}
