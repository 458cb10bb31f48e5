//! The course's programs, built: never judged stale.

use std::path::{Path, PathBuf};
use std::process::Command;

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
pub(crate) fn built_example(example: &str) -> Result<(PathBuf, String), String> {
    let (target, release) = (target_folder()?, !cfg!(debug_assertions));
    let mut cargo = cargo(&target);
    cargo.args(["--workspace", "--example", example]);
    if release {
        cargo.arg("--release");
    }
    // Into our pipe it would be without colour.
    if console::colors_enabled_stderr() {
        cargo.args(["--color", "always"]);
    }
    let told = heard(cargo, example)?;
    Ok((profile(&target, release).join("examples").join(example), told))
}

/// The same, optimised: what is measured is never a debug build.
pub(crate) fn built_to_measure(package: &str, binary: &str) -> Result<PathBuf, String> {
    build(package, binary, true)
}

/// All of them, optimised, so that no measurement has to wait for the compiler.
pub(crate) fn build_all_to_measure() -> Result<(), String> {
    let mut cargo = cargo(&target_folder()?);
    cargo.args(["--release", "--workspace", "--bins", "--exclude", env!("CARGO_PKG_NAME")]);
    run(cargo, "the course's programs")
}

fn build(package: &str, binary: &str, release: bool) -> Result<PathBuf, String> {
    let target = target_folder()?;
    let mut cargo = cargo(&target);
    cargo.args(["--package", package, "--bin", binary]);
    if release {
        cargo.arg("--release");
    }
    run(cargo, binary)?;
    Ok(profile(&target, release).join(binary))
}

/// Builds a package of another workspace, optimised, and says in which folder its programs are.
pub(crate) fn built_elsewhere(manifest: &Path, what: &str) -> Result<PathBuf, String> {
    let target = target_folder()?.join("peers");
    let mut cargo = cargo(&target);
    cargo.args(["--release", "--locked", "--manifest-path"]).arg(manifest);
    run(cargo, what)?;
    Ok(target.join("release"))
}

/// Builds a program of a copy of this workspace, as this one was built, into a target folder of its
/// own, and says where it is. Warnings are expected, and not shown.
pub(crate) fn built_copy(
    source: &Path,
    target: &Path,
    package: &str,
    binary: &str,
) -> Result<PathBuf, String> {
    let release = !cfg!(debug_assertions);
    let mut cargo = cargo(target);
    cargo.current_dir(source).args(["--locked", "--package", package, "--bin", binary]);
    if release {
        cargo.arg("--release");
    }
    heard(cargo, &format!("the copy of {binary}"))?;
    Ok(profile(target, release).join(binary))
}

/// Runs cargo without a word of its, and says what it would have said.
fn heard(mut cargo: Command, what: &str) -> Result<String, String> {
    let output = cargo.output();
    let output = output.map_err(|error| format!("cannot run cargo: {}", common::reason(&error)))?;
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(told.into_owned())
    } else {
        Err(format!("{what} cannot be built:\n{}", told.trim_end()))
    }
}

/// Where cargo puts what it builds.
fn profile(target: &Path, release: bool) -> PathBuf {
    target.join(if release { "release" } else { "debug" })
}

/// Where this program was built, and so where others are.
pub(crate) fn target_folder() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    // Programs stand in `target/debug`, tests in `target/debug/deps`.
    let folder = here.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    let target = folder.and_then(Path::parent).ok_or("not in a target folder")?;
    Ok(target.to_owned())
}

fn cargo(target: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--quiet", "--target-dir"]).arg(target);
    // Wherever one stands.
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo
}

fn run(mut cargo: Command, what: &str) -> Result<(), String> {
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("{what}: cannot be built (cargo says why)")),
        Err(error) => Err(format!("cannot run cargo: {}", common::reason(&error))),
    }
}
