//! A copy of the course's sources in the target folder, with one mistake in it.
//!
//! There is one copy, used again and again: what a mistake did not touch is not built again. It has
//! a target folder of its own, so that no program with a mistake ever stands where the course's own
//! are. Two at work at once take turns.

use super::known::Mistake;
use common::reason;
use judge::built::{built_copy, target_folder};
use judge::check::programs::Program;
use judge::reading::root;
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
        let files = sources(&root())?;
        for file in &files {
            let from = root().join(file);
            let text = fs::read(&from).map_err(about(&from))?;
            if file == Path::new(mistake.file) {
                let text = String::from_utf8_lossy(&text);
                write(&source.join(file), apply(mistake, &text)?.as_bytes())?;
            } else {
                write(&source.join(file), &text)?;
            }
        }
        // A program that was renamed must not be found under its old name, too.
        for file in sources(&source)?.difference(&files) {
            let old = source.join(file);
            fs::remove_file(&old).map_err(about(&old))?;
        }
        let read = |root: &Path| {
            let path = root.join(mistake.file);
            fs::read_to_string(&path).map_err(about(&path))
        };
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
    let count = text.matches(mistake.before).count();
    if count == 1 {
        return Ok(text.replacen(mistake.before, mistake.after, 1));
    }
    let (file, first) = (mistake.file, mistake.before.trim().lines().next().unwrap_or_default());
    Err(format!(
        "{file} was changed: what begins with `{first}` stands there {count} times, not once; \
         `git diff {file}` shows your change, `git stash` puts it aside"
    ))
}

/// An error with the file or folder that it is about.
fn about(path: &Path) -> impl Fn(io::Error) -> String + '_ {
    move |error| format!("cannot copy the sources: {}: {}", path.display(), reason(&error))
}

/// What cargo needs of the workspace under `root`, as paths from there. The documents, the tests
/// and whatever else there is are no part of a program.
fn sources(root: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let mut files = BTreeSet::new();
    for name in ["Cargo.toml", "Cargo.lock"] {
        if root.join(name).is_file() {
            files.insert(name.into());
        }
    }
    if !root.is_dir() {
        return Ok(files);
    }
    packages(root, Path::new(""), 2, &mut files)?;
    Ok(files)
}

/// The manifests and sources of the packages that stand `depth` folders below `folder`, or less.
fn packages(
    root: &Path,
    folder: &Path,
    depth: usize,
    files: &mut BTreeSet<PathBuf>,
) -> Result<(), String> {
    for (name, is_folder) in entries(&root.join(folder))? {
        let package = folder.join(name);
        let manifest = package.join("Cargo.toml");
        if root.join(&manifest).is_file() {
            files.insert(manifest);
            gather(root, &package.join("src"), files)?;
        }
        if is_folder && depth > 1 {
            packages(root, &package, depth - 1, files)?;
        }
    }
    Ok(())
}

fn gather(root: &Path, folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), String> {
    for (name, is_folder) in entries(&root.join(folder))? {
        let path = folder.join(name);
        if is_folder {
            gather(root, &path, files)?;
        } else {
            files.insert(path);
        }
    }
    Ok(())
}

/// What is in a folder, and whether it is a folder itself. Not what begins with a dot: editors keep
/// their locks so, links to nowhere among them.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, bool)>, String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(about(folder))? {
        let entry = entry.map_err(about(folder))?;
        let name = PathBuf::from(entry.file_name());
        if !name.as_os_str().as_encoded_bytes().starts_with(b".") {
            let kind = entry.file_type().map_err(about(&entry.path()))?;
            found.push((name, kind.is_dir()));
        }
    }
    Ok(found)
}

/// Writes a file if that changes it: cargo builds anew what is newer than it was.
fn write(path: &Path, text: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(about(folder))?;
    }
    fs::write(path, text).map_err(about(path))
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
        for (text, times) in [("", " 0 times"), (&twice, " 2 times")] {
            let why = apply(mistake, text).expect_err("not once");
            assert!(why.starts_with(mistake.file) && why.contains(times), "{why}");
            // Never what throws an edit away.
            assert!(why.contains("git stash") && !why.contains("checkout"), "{why}");
        }
    }

    #[test]
    fn the_sources_are_what_cargo_needs_and_no_more() {
        let files = sources(&root()).expect("they can be read");
        for file in
            ["Cargo.toml", "Cargo.lock", "epoll/src/bin/epoll_edge.rs", "docs/press/src/main.rs"]
        {
            assert!(files.contains(Path::new(file)), "{file}");
        }
        let other = |file: &&PathBuf| file.starts_with("docs/en") || file.starts_with("target");
        assert_eq!(files.iter().find(other), None);
    }

    #[test]
    fn what_an_editor_locks_is_no_source_and_a_bad_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("select/src");
        fs::create_dir_all(&source).expect("a folder in it");
        for file in ["select/Cargo.toml", "select/src/main.rs", "select/src/.main.rs.swp"] {
            fs::write(folder.path().join(file), "").expect("a file");
        }
        let lock = source.join(".#main.rs");
        std::os::unix::fs::symlink("reader@host.1", lock).expect("a link to nowhere");
        let files = sources(folder.path()).expect("they can be read");
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        assert_eq!(names, ["select/Cargo.toml", "select/src/main.rs"]);
        fs::remove_dir_all(&source).expect("it is ours");
        let why = sources(folder.path()).expect_err("a package has sources");
        assert!(why.contains("select/src: "), "{why}");
    }
}
