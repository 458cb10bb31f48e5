//! A copy of the course's sources in the target folder, with one mistake in it.
//!
//! There is one copy, used again and again: what a mistake did not touch is not built again. It has
//! a target folder of its own, so that no program with a mistake ever stands where the course's own
//! are. Two at work at once take turns.

use super::known::Mistake;
use crate::built::{built_copy, target_folder};
use crate::check::programs::Program;
use crate::docs::root;
use common::reason;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The copy, which nobody else uses meanwhile.
pub(super) struct Copied {
    /// `target/faults`: `source` is the copy, `target` what is built of it.
    folder: PathBuf,
    _lock: Lock,
}

/// The lines of a file that a mistake changes.
pub(super) struct Change {
    pub before: Vec<String>,
    pub after: Vec<String>,
}

impl Copied {
    /// Waits until nobody else uses the copy. The system ends the wait when that somebody ends,
    /// however they end.
    pub(super) fn lock() -> Result<Self, String> {
        let folder = target_folder()?.join("faults");
        let locked = fs::create_dir_all(&folder)
            .and_then(|()| File::create(folder.join("lock")))
            .and_then(lock);
        let why = |error| format!("cannot use {}: {}", folder.display(), reason(&error));
        let lock = locked.map_err(why)?;
        Ok(Self { folder, _lock: lock })
    }

    /// Brings the copy up to date, with this mistake in it and no other.
    pub(super) fn change(&self, mistake: &Mistake) -> Result<Change, String> {
        let source = self.source();
        let told = |error: io::Error| format!("cannot copy the sources: {}", reason(&error));
        let mut files = BTreeSet::new();
        for file in sources(&root()).map_err(told)? {
            let text = fs::read(root().join(&file)).map_err(told)?;
            if file == Path::new(mistake.file) {
                let text = String::from_utf8_lossy(&text);
                write(&source.join(&file), apply(mistake, &text)?.as_bytes()).map_err(told)?;
            } else {
                write(&source.join(&file), &text).map_err(told)?;
            }
            files.insert(file);
        }
        // A program that was renamed must not be found under its old name, too.
        for file in sources(&source).map_err(told)?.difference(&files) {
            fs::remove_file(source.join(file)).map_err(told)?;
        }
        let read = |root: &Path| fs::read_to_string(root.join(mistake.file)).map_err(told);
        Ok(Change::between(&read(&root())?, &read(&source)?))
    }

    /// Builds a program of the copy.
    pub(super) fn build(&self, row: &Program) -> Result<PathBuf, String> {
        built_copy(&self.source(), &self.folder.join("target"), row.package, row.binary)
    }

    fn source(&self) -> PathBuf {
        self.folder.join("source")
    }
}

#[cfg(not(target_os = "solaris"))]
type Lock = nix::fcntl::Flock<File>;

#[cfg(not(target_os = "solaris"))]
fn lock(file: File) -> io::Result<Lock> {
    use nix::fcntl::{Flock, FlockArg};
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
}

/// nix has no flock for Solaris: there, only one should be at work at a time.
#[cfg(target_os = "solaris")]
type Lock = File;

#[cfg(target_os = "solaris")]
fn lock(file: File) -> io::Result<Lock> {
    Ok(file)
}

/// The text of the file with the mistake in it.
fn apply(mistake: &Mistake, text: &str) -> Result<String, String> {
    if text.matches(mistake.before).count() == 1 {
        return Ok(text.replacen(mistake.before, mistake.after, 1));
    }
    let (file, first) = (mistake.file, mistake.before.trim().lines().next().unwrap_or_default());
    Err(format!(
        "{file} was changed: `{first}` is not in it once (git checkout {file} restores it)"
    ))
}

/// What cargo needs of the workspace under `root`, as paths from there. The documents, the tests
/// and whatever else there is are no part of a program.
fn sources(root: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for name in ["Cargo.toml", "Cargo.lock"] {
        if root.join(name).is_file() {
            files.insert(name.into());
        }
    }
    if !root.is_dir() {
        return Ok(files);
    }
    for entry in fs::read_dir(root)? {
        let name = PathBuf::from(entry?.file_name());
        let manifest = name.join("Cargo.toml");
        if root.join(&manifest).is_file() {
            files.insert(manifest);
            gather(root, &name.join("src"), &mut files)?;
        }
    }
    Ok(files)
}

fn gather(root: &Path, folder: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            gather(root, &path, files)?;
        } else {
            files.insert(path);
        }
    }
    Ok(())
}

/// Writes a file if that changes it: cargo builds anew what is newer than it was.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

impl Change {
    /// The lines between what both texts begin and end with.
    fn between(before: &str, after: &str) -> Self {
        let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
        let same = |(a, b): &(&&str, &&str)| a == b;
        let front = old.iter().zip(&new).take_while(same).count();
        let (old, new) = (&old[front..], &new[front..]);
        let back = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
        let owned = |lines: &[&str]| {
            lines[..lines.len() - back].iter().map(|line| (*line).to_owned()).collect()
        };
        Self { before: owned(old), after: owned(new) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_the_lines_that_differ() {
        let change = Change::between("a\nb\nc\n", "a\nB\nB\nc\n");
        assert_eq!((change.before, change.after), (vec!["b".to_owned()], vec!["B".into(); 2]));
        let removed = Change::between("a\nb\nb\nc\n", "a\nb\nc\n");
        assert_eq!((removed.before.as_slice(), removed.after.len()), (&["b".to_owned()][..], 0));
    }

    #[test]
    fn a_file_that_was_changed_is_named_with_what_to_do() {
        let mistake = super::super::known::all().next().expect("there is one");
        let twice = mistake.before.repeat(2);
        for text in ["", twice.as_str()] {
            let why = apply(mistake, text).expect_err("not once");
            assert!(why.starts_with(mistake.file) && why.contains("git checkout"), "{why}");
        }
    }

    #[test]
    fn the_sources_are_what_cargo_needs_and_no_more() {
        let files = sources(&root()).expect("they can be read");
        for file in
            ["Cargo.toml", "Cargo.lock", "select/src/main.rs", "epoll/src/bin/epoll_edge.rs"]
        {
            assert!(files.contains(Path::new(file)), "{file}");
        }
        let other = |file: &&PathBuf| file.starts_with("docs") || file.starts_with("target");
        assert_eq!(files.iter().find(other), None);
    }
}
