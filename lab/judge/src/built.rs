//! The course's programs, built: never judged stale.
//!
//! Where cargo puts a program depends on its configuration: `CARGO_BUILD_TARGET`, say, adds a
//! folder. A path that is guessed may name a program of an earlier build, so cargo is asked.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds a program of the course, as this one was built, and says where it is.
///
/// # Errors
///
/// When cargo is missing, or does not succeed (it says why on standard error).
pub fn built(package: &str, binary: &str) -> Result<PathBuf, String> {
    build(package, binary, !cfg!(debug_assertions))
}

/// The same of an example. With the whole workspace in view: alone, each package would have what it
/// tests with, this library, compiled once more, with the features that it needs itself.
///
/// Also what cargo told, which is for whoever writes it: on success warnings, and the error
/// otherwise.
///
/// # Errors
///
/// As [`built`].
pub fn built_example(example: &str) -> Result<(PathBuf, String), String> {
    let mut cargo = cargo(&target_folder()?, !cfg!(debug_assertions));
    cargo.args(["--workspace", "--example", example]);
    // Into our pipe it would be without colour.
    if console::colors_enabled_stderr() {
        cargo.args(["--color", "always"]);
    }
    let (programs, told) = heard(cargo, example)?;
    Ok((programs.named(example)?, told))
}

/// The same, optimised: what is measured is never a debug build.
pub fn built_to_measure(package: &str, binary: &str) -> Result<PathBuf, String> {
    build(package, binary, true)
}

/// All of them, optimised, so that no measurement has to wait for the compiler.
pub fn build_all_to_measure() -> Result<(), String> {
    let mut cargo = cargo(&target_folder()?, true);
    cargo.args(["--workspace", "--bins", "--exclude", "lab", "--exclude", "press"]);
    run(cargo, "the course's programs").map(drop)
}

fn build(package: &str, binary: &str, release: bool) -> Result<PathBuf, String> {
    let mut cargo = cargo(&target_folder()?, release);
    cargo.args(["--package", package, "--bin", binary]);
    run(cargo, binary)?.named(binary)
}

/// Builds a package of another workspace, optimised, and says where its programs are.
pub fn built_elsewhere(manifest: &Path, what: &str) -> Result<Programs, String> {
    let mut cargo = cargo(&target_folder()?.join("peers"), true);
    cargo.args(["--locked", "--manifest-path"]).arg(manifest);
    run(cargo, what)
}

/// Builds a program of a copy of this workspace, as this one was built, into a target folder of its
/// own, and says where it is. Warnings are expected, and not shown.
pub fn built_copy(
    source: &Path,
    target: &Path,
    package: &str,
    binary: &str,
) -> Result<PathBuf, String> {
    let mut cargo = cargo(target, !cfg!(debug_assertions));
    cargo.current_dir(source).args(["--locked", "--package", package, "--bin", binary]);
    heard(cargo, &format!("the copy of {binary}"))?.0.named(binary)
}

/// The programs that a build has made, or found up to date.
pub struct Programs(Vec<(String, PathBuf)>);

impl Programs {
    /// Those that cargo's messages name, one JSON object a line ("External tools" in the Cargo
    /// book).
    fn told(messages: &[u8]) -> Self {
        let messages = messages.split(|&byte| byte == b'\n');
        let program = |message: &[u8]| {
            let message: Value = serde_json::from_slice(message).ok()?;
            let name = message["target"]["name"].as_str()?;
            Some((name.to_owned(), message["executable"].as_str()?.into()))
        };
        Self(messages.filter_map(program).collect())
    }

    /// Where this one is.
    pub fn named(&self, name: &str) -> Result<PathBuf, String> {
        let found = self.0.iter().find(|program| program.0 == name);
        let found = found.ok_or_else(|| format!("{name}: cargo does not say where it is"))?;
        Ok(found.1.clone())
    }
}

/// Runs cargo without a word of its, and says what it would have said.
fn heard(mut cargo: Command, what: &str) -> Result<(Programs, String), String> {
    let output = cargo.output().map_err(cannot_run)?;
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok((Programs::told(&output.stdout), told.into_owned()))
    } else {
        Err(format!("{what} cannot be built:\n{}", told.trim_end()))
    }
}

/// Where this program was built, and so where others are.
pub fn target_folder() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    // Programs stand in `target/debug`, tests in `target/debug/deps`.
    let folder = here.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    let target = folder.and_then(Path::parent).ok_or("not in a target folder")?;
    // Built for a target that was named, `target` is `target/TRIPLE`. Cargo marks the outer one.
    let marked = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    let outer = target.parent().filter(marked).filter(|_| !marked(&target));
    Ok(outer.unwrap_or(target).to_owned())
}

fn cargo(target: &Path, release: bool) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--quiet", "--target-dir"]).arg(target);
    // What was built is told on standard output; warnings and errors as ever on standard error.
    cargo.args(["--message-format", "json-render-diagnostics"]);
    if release {
        cargo.arg("--release");
    }
    // Wherever one stands.
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo
}

fn run(mut cargo: Command, what: &str) -> Result<Programs, String> {
    let output = cargo.stderr(Stdio::inherit()).output().map_err(cannot_run)?;
    if output.status.success() {
        Ok(Programs::told(&output.stdout))
    } else {
        Err(format!("{what}: cannot be built (cargo says why)"))
    }
}

#[allow(clippy::needless_pass_by_value)] // For `map_err`.
fn cannot_run(error: std::io::Error) -> String {
    format!("cannot run cargo: {}", common::reason(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The system that this compiler builds for by itself.
    fn host() -> String {
        let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
        let output = Command::new(rustc).arg("-vV").output().expect("rustc is there");
        let text = String::from_utf8(output.stdout).expect("it prints text");
        let host = text.lines().find_map(|line| line.strip_prefix("host: "));
        host.expect("it names its host").to_owned()
    }

    #[test]
    fn what_was_built_is_found_wherever_cargo_is_told_to_build() {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, target) = (folder.path().join("source"), folder.path().join("target"));
        let write = |file: &str, text: &str| {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("ours");
            fs::write(path, text).expect("ours");
        };
        let package = "name = \"says\"\nversion = \"0.1.0\"\n";
        write("source/Cargo.toml", &format!("[package]\n{package}edition = \"2024\"\n[workspace]"));
        write("source/Cargo.lock", &format!("version = 4\n[[package]]\n{package}"));
        write("source/.cargo/config.toml", &format!("[build]\ntarget = \"{}\"\n", host()));
        // What an earlier build, for no named target, has left.
        for profile in ["debug", "release"] {
            write(&format!("target/{profile}/says"), "stale");
        }
        for words in ["first", "second"] {
            write("source/src/main.rs", &format!("fn main() {{ print!(\"{words}\") }}"));
            let program = built_copy(&source, &target, "says", "says").expect("it can be built");
            let output = Command::new(program).output().expect("it is a program");
            assert_eq!(String::from_utf8_lossy(&output.stdout), words);
        }
        write("source/src/main.rs", "fn main() { no_such_function() }");
        let why = built_copy(&source, &target, "says", "says").expect_err("a mistake");
        assert!(why.contains("error[E0425]") && why.contains("--> src/main.rs"), "{why}");
    }
}
