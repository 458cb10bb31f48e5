//! CPython's own tests of `selectors`, run against the library. They come with Python.

use std::env::{consts, current_exe};
use std::process::Command;

/// Everything that they ask passes, except for what Rust's ownership makes impossible. Which tests
/// those are, `run.py` says with the reason, and fails if one of them passes.
#[test]
#[ignore = "needs Python with its own tests; .ci/run runs it where they are"]
fn everything_passes_that_ownership_does_not_make_impossible() {
    let built = current_exe().expect("a test has a path");
    let library = format!("{}selectors_python{}", consts::DLL_PREFIX, consts::DLL_SUFFIX);
    let status = Command::new("python3")
        .arg("-B") // leaves no files here
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/run.py"))
        .env("FD_SELECTORS_LIBRARY", built.with_file_name(library))
        .status()
        .expect("this test needs python3");
    assert!(status.success(), "see above; Python's own tests may be a package apart");
}
