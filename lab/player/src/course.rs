//! The recordings that the course's pages play.

use crate::trace::Trace;
use crate::{Play, steps};
use judge::language::Language;
use std::fs;
use std::path::{Path, PathBuf};

/// Where they are, from the root of the project.
pub const RECORDINGS: &str = "docs/recordings";

/// The programs that a page plays, each in its chapter.
pub const PLAYED: [&str; 12] = [
    "blocking",
    "thread_per_connection",
    "nonblocking",
    "select",
    "poll",
    "epoll",
    "epoll_edge",
    "selectors",
    "coroutines",
    "uring",
    "proxy",
    "loops_handed",
];

/// The file of a program's recording.
#[must_use]
pub fn path(root: &Path, program: &str) -> PathBuf {
    root.join(RECORDINGS).join(format!("{program}.run"))
}

/// A program's recording, as steps; `None` if there is none.
///
/// # Errors
///
/// It cannot be read, or the program is not the one any more that was recorded.
pub fn plays(root: &Path, program: &str, language: Language) -> Result<Option<Play>, String> {
    let path = path(root, program);
    if !path.exists() {
        return Ok(None);
    }
    let said = |why: String| format!("{}: {why}", path.display());
    let text = fs::read_to_string(&path).map_err(|error| said(error.to_string()))?;
    let trace = Trace::parse(&text).map_err(|(line, why)| said(format!("line {line}: {why}")))?;
    let play = steps::play(&trace, root, language);
    play.map(Some).map_err(|why| said(format!("{why} (cargo run -p press -- record players)")))
}
