//! The figures of the course: SVG drawn by code, one for each language from one table of labels.
//!
//! `docs/figures/` holds what is drawn here, so that the pages show it on a Git host as well;
//! `--bless` writes it.

mod asking;
mod canvas;
mod chat_room;
mod coroutine_switch;
mod epoll_lists;
mod labels;
mod poll_list;
mod select_bitmap;
mod select_loop;
mod two_families;
mod two_phases;
mod uring_queues;
mod who_waits;

use super::chapters::Course;
use super::images::FIGURES;
use super::{Problem, names, write};
use crate::language::Language;
use canvas::Canvas;
use std::io;
use std::path::Path;

type Draw = fn(Language) -> Canvas;

/// Every figure by its name; a new one is added here.
const ALL: [(&str, Draw); 11] = [
    ("two-phases", two_phases::draw),
    ("who-waits", who_waits::draw),
    ("asking", asking::draw),
    ("select-loop", select_loop::draw),
    ("select-bitmap", select_bitmap::draw),
    ("poll-list", poll_list::draw),
    ("epoll-lists", epoll_lists::draw),
    ("chat-room", chat_room::draw),
    ("uring-queues", uring_queues::draw),
    ("two-families", two_families::draw),
    ("coroutine-switch", coroutine_switch::draw),
];

/// Path and picture of every figure in both languages.
fn files() -> impl Iterator<Item = (String, Canvas)> {
    ALL.iter().flat_map(|(name, draw)| {
        let path = move |l: Language| format!("{FIGURES}/{name}.{}.svg", l.code());
        Language::BOTH.map(|language| (path(language), draw(language)))
    })
}

/// The files in `docs/figures/` are what the code draws, all of it and nothing else, and every
/// label has its room.
#[must_use]
pub fn drawings(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut drawn = Vec::new();
    for (path, canvas) in files() {
        let crowded = canvas.crowded().into_iter();
        problems.extend(crowded.map(|message| Problem::new(&path, 1, message)));
        match std::fs::read_to_string(course.root.join(&path)) {
            Ok(text) if text == canvas.svg() => {}
            Ok(_) => problems.push(Problem::new(&path, 1, "not as drawn now: run with --bless")),
            Err(_) => problems.push(Problem::new(&path, 1, "not there yet: run with --bless")),
        }
        drawn.push(path);
    }
    for name in names(&course.root, FIGURES) {
        let path = format!("{FIGURES}/{name}");
        if !drawn.contains(&path) {
            let message =
                "no code draws this file: remove it, or draw it in lab/src/docs/figures.rs";
            problems.push(Problem::new(&path, 1, message));
        }
    }
    problems
}

/// Writes every figure that is not as drawn now.
pub(super) fn bless(root: &Path) -> io::Result<()> {
    std::fs::create_dir_all(root.join(FIGURES))?;
    files().try_for_each(|(path, canvas)| write(root, &path, &canvas.svg()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_has_its_room() {
        for (path, canvas) in files() {
            let crowded = canvas.crowded();
            assert!(crowded.is_empty(), "{path}: {crowded:#?}");
        }
    }
}
