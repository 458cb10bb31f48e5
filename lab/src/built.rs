//! The course's programs, built: never judged stale.

use std::path::PathBuf;
use std::process::Command;

/// Builds a program of the course, as this one was built, and says where it is.
///
/// # Errors
///
/// When cargo is missing, or does not succeed (it says why on standard error).
pub fn built(package: &str, binary: &str) -> Result<PathBuf, String> {
    build(package, binary, !cfg!(debug_assertions))
}

/// The same, optimised: what is measured is never a debug build.
pub(crate) fn built_to_measure(package: &str, binary: &str) -> Result<PathBuf, String> {
    build(package, binary, true)
}

fn build(package: &str, binary: &str, release: bool) -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    // Programs stand in `target/debug`, tests in `target/debug/deps`.
    let folder = here.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    let target = folder.and_then(|folder| folder.parent()).ok_or("not in a target folder")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--quiet", "--package", package, "--bin", binary]);
    cargo.arg("--target-dir").arg(target);
    if release {
        cargo.arg("--release");
    }
    // Wherever one stands.
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    match cargo.status() {
        Ok(status) if status.success() => {
            Ok(target.join(if release { "release" } else { "debug" }).join(binary))
        }
        Ok(_) => Err(format!("{binary} cannot be built (cargo says why)")),
        Err(error) => Err(format!("cannot run cargo: {}", common::reason(&error))),
    }
}
