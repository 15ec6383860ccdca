//! Applying a unified diff to a folder: strictly, since a standard library that is patched by
//! guessing would be worse than none.

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Component, Path};

/// The changes to one file.
#[derive(Debug, PartialEq, Eq)]
struct FilePatch<'a> {
    path: &'a str,
    hunks: Vec<Hunk<'a>>,
}

/// One change: the lines before it and after it, each with its context.
#[derive(Debug, PartialEq, Eq)]
struct Hunk<'a> {
    /// The number of the first old line, from one; zero for a new file.
    start: usize,
    old: Vec<&'a str>,
    new: Vec<&'a str>,
}

/// Applies a diff, whose paths begin with `a/` and `b/`, to the files below `root`.
///
/// The old lines of each hunk must be found exactly, at the place the hunk names or, if the file
/// is shifted, at one other place only.
pub fn apply(diff: &str, root: &Path) -> Result<()> {
    for patch in parse(diff)? {
        let path = root.join(patch.path);
        let is_new = patch.hunks.iter().all(|hunk| hunk.old.is_empty());
        ensure!(
            !(is_new && path.exists()),
            "the file {} exists already",
            patch.path
        );
        let text = if is_new {
            String::new()
        } else {
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", patch.path))?
        };
        let patched = patch
            .apply(&text)
            .with_context(|| format!("patching {}", patch.path))?;
        fs::write(&path, patched).with_context(|| format!("cannot write {}", patch.path))?;
    }
    Ok(())
}

impl FilePatch<'_> {
    fn apply(&self, text: &str) -> Result<String> {
        let lines: Vec<&str> = text.lines().collect();
        let mut result: Vec<&str> = Vec::new();
        let mut done = 0;
        for hunk in &self.hunks {
            let at = hunk.locate(&lines, done)?;
            result.extend(&lines[done..at]);
            result.extend(&hunk.new);
            done = at + hunk.old.len();
        }
        result.extend(&lines[done..]);
        Ok(result.join("\n") + "\n")
    }
}

impl Hunk<'_> {
    /// The index of the first line that the hunk replaces, at or after `from`.
    fn locate(&self, lines: &[&str], from: usize) -> Result<usize> {
        let fits = |at: usize| {
            at >= from
                && lines
                    .get(at..at + self.old.len())
                    .is_some_and(|found| found == self.old)
        };
        let named = self.start.saturating_sub(1);
        if fits(named) {
            return Ok(named);
        }
        let others: Vec<usize> = (from..lines.len()).filter(|&at| fits(at)).collect();
        match others[..] {
            [only] => Ok(only),
            [] => bail!("the lines to change at line {} are not there", self.start),
            _ => bail!(
                "the lines to change at line {} are there more than once",
                self.start
            ),
        }
    }
}

fn parse(diff: &str) -> Result<Vec<FilePatch<'_>>> {
    let mut patches = Vec::new();
    let mut lines = diff.lines().peekable();
    while let Some(line) = lines.next() {
        line.strip_prefix("--- a/")
            .with_context(|| format!("expected `--- a/`: {line}"))?;
        let path = lines.next().and_then(|line| line.strip_prefix("+++ b/"));
        let path = path.with_context(|| format!("expected `+++ b/` after: {line}"))?;
        let is_inside = Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        ensure!(is_inside, "the path {path} leaves the patched folder");
        let mut hunks = Vec::new();
        while let Some(header) = lines.next_if(|line| line.starts_with("@@ ")) {
            hunks.push(parse_hunk(header, &mut lines)?);
        }
        ensure!(!hunks.is_empty(), "no change is given for {path}");
        patches.push(FilePatch { path, hunks });
    }
    Ok(patches)
}

fn parse_hunk<'a>(header: &str, lines: &mut impl Iterator<Item = &'a str>) -> Result<Hunk<'a>> {
    let mut fields = header.split_whitespace().skip(1);
    let mut range = |sign| {
        let field = fields.next().and_then(|field| field.strip_prefix(sign));
        field
            .and_then(parse_range)
            .with_context(|| format!("unreadable header: {header}"))
    };
    let (start, old_count) = range('-')?;
    let (_, new_count) = range('+')?;
    let mut hunk = Hunk {
        start,
        old: Vec::new(),
        new: Vec::new(),
    };
    while hunk.old.len() < old_count || hunk.new.len() < new_count {
        let line = lines
            .next()
            .with_context(|| format!("the diff ends inside {header}"))?;
        let (sign, text) = line.split_at_checked(1).unwrap_or((" ", ""));
        match sign {
            " " => {
                hunk.old.push(text);
                hunk.new.push(text);
            }
            "-" => hunk.old.push(text),
            "+" => hunk.new.push(text),
            _ => bail!("unreadable line in {header}: {line}"),
        }
    }
    let is_complete = hunk.old.len() == old_count && hunk.new.len() == new_count;
    ensure!(is_complete, "the lines do not add up in {header}");
    Ok(hunk)
}

/// `start,count`, or `start` for one line.
fn parse_range(text: &str) -> Option<(usize, usize)> {
    let (start, count) = text.split_once(',').unwrap_or((text, "1"));
    Some((start.parse().ok()?, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "--- a/f\n+++ b/f\n@@ -2,3 +2,4 @@\n b\n-c\n+C\n+CC\n d\n";

    fn patched(text: &str) -> Result<String> {
        parse(DIFF)?.remove(0).apply(text)
    }

    #[test]
    fn a_change_is_applied_where_it_says() {
        assert_eq!(patched("a\nb\nc\nd\ne\n").unwrap(), "a\nb\nC\nCC\nd\ne\n");
    }

    #[test]
    fn a_change_follows_its_lines_when_they_moved() {
        assert_eq!(
            patched("x\ny\na\nb\nc\nd\n").unwrap(),
            "x\ny\na\nb\nC\nCC\nd\n"
        );
    }

    #[test]
    fn missing_and_repeated_lines_are_errors() {
        assert!(
            patched("a\nb\nX\nd\n")
                .unwrap_err()
                .to_string()
                .contains("not there")
        );
        let twice = patched("x\ny\nb\nc\nd\nb\nc\nd\n").unwrap_err().to_string();
        assert!(twice.contains("more than once"), "{twice}");
    }

    #[test]
    fn malformed_diffs_are_errors() {
        for diff in [
            "hello\n",
            "--- a/f\n+++ b/f\n",
            "--- a/f\n+++ b/../f\n@@ -1 +1 @@\n-a\n+b\n",
            "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n",
            "--- a/f\n+++ b/f\n@@ -1,1 +1,1 @@\n-a\n-b\n+c\n",
            "--- a/f\n+++ b/f\n@@ -x +1 @@\n-a\n+b\n",
        ] {
            assert!(parse(diff).is_err(), "{diff}");
        }
    }

    #[test]
    fn a_new_file_is_created_and_an_old_one_is_not_overwritten() {
        let root = std::env::temp_dir().join(format!("keel-sbf-patch-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let diff = "--- a/new\n+++ b/new\n@@ -0,0 +1,2 @@\n+one\n+two\n";
        apply(diff, &root).unwrap();
        assert_eq!(fs::read_to_string(root.join("new")).unwrap(), "one\ntwo\n");
        assert!(apply(diff, &root).is_err());
        fs::remove_dir_all(&root).unwrap();
    }
}
