//! Comments are read beside the code: they are as wide as that. `cargo fmt` holds the code to it,
//! and leaves comments alone.

use super::chapters::Course;
use super::{Problem, names, read};
use std::path::Path;

/// As `max_width` in `rustfmt.toml`.
const COLUMNS: usize = 100;

/// Lines of comment that are wider than the code.
#[must_use]
pub fn comments(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    for path in sources(&course.root, "") {
        let text = read(&course.root, &path).unwrap_or_default();
        for (line, text) in (1..).zip(text.lines()) {
            let width = text.chars().count();
            if width > COLUMNS && text.trim_start().starts_with("//") {
                let message = format!("a comment of {width} columns: wrap it at {COLUMNS}");
                problems.push(Problem::new(&path, line, message));
            }
        }
    }
    problems
}

/// The Rust files under `folder`, without what is built and what a learner writes.
fn sources(root: &Path, folder: &str) -> Vec<String> {
    let paths = names(root, folder)
        .into_iter()
        .filter(|name| name != "target" && !name.starts_with("my_"))
        .map(|name| if folder.is_empty() { name } else { format!("{folder}/{name}") });
    paths
        .flat_map(|path| match root.join(&path).is_dir() {
            true => sources(root, &path),
            false if path.ends_with(".rs") => vec![path],
            false => Vec::new(),
        })
        .collect()
}
