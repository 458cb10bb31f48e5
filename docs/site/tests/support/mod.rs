//! What the tests share: a built site, and the pages in it.

use site::Language;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("we are in it")
}

/// `target/tmp`. Cargo tells it to tests, not to examples; both are programs two folders below.
pub fn scratch() -> PathBuf {
    let program = env::current_exe().expect("a program knows its file");
    program.ancestors().nth(3).expect("target/debug/deps").join("tmp")
}

/// Builds the site into a folder of its own for `test`.
pub fn build(test: &str) -> PathBuf {
    let out = scratch().join(test);
    let site = site::build(&root(), &out).unwrap_or_else(|error| panic!("{error:#}"));
    site.index.parent().expect("a page is in a folder").to_owned()
}

/// The chapters of a built book, as their files are called.
#[allow(dead_code)] // not every test asks for them
pub fn chapters(out: &Path, language: Language) -> Vec<String> {
    let entries = fs::read_dir(out.join(language.code())).expect("the book was built");
    let names = entries.map(|entry| entry.expect("a folder can be read").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.into_string().expect("our names are ASCII"))
        .filter(|name| name.ends_with(".html") && name != "toc.html")
        .collect();
    names.sort();
    assert!(names.len() > 10, "{names:?}");
    names
}
