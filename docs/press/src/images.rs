//! The figures in the pages: the same in both languages, each in its own, none unused.

use super::chapters::{Course, Pair};
use super::page::Page;
use super::{Problem, names, resolve};
use judge::language::Language;
use std::collections::BTreeSet;

/// Where the figures are.
pub(super) const FIGURES: &str = "docs/figures";

/// Both pages show the same figures in the same order, each in its own language, and every figure
/// is shown somewhere.
#[must_use]
pub fn images(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for page in course.pages() {
        for (line, path, name) in shown(page) {
            if name.is_none() {
                let wanted = format!("{FIGURES}/NAME.{}.svg", page.language.code());
                let message = format!("the image is {path}; a page shows only {wanted}");
                problems.push(Problem::new(&page.path, line, message));
            }
            used.insert(path);
        }
    }
    for [en, zh] in course.pairs.iter().filter_map(Pair::both) {
        let (ours, theirs) = (shown(en), shown(zh));
        let same = |i: &usize| ours.get(*i).map(|f| &f.2) == theirs.get(*i).map(|f| &f.2);
        let Some(index) = (0..ours.len().max(theirs.len())).find(|i| !same(i)) else {
            continue;
        };
        let what = |figure: Option<&Shown>| match figure {
            Some((_, path, _)) => path.clone(),
            None => "no figure".to_owned(),
        };
        let line = theirs.get(index).map_or(1, |figure| figure.0);
        let (here, there) = (what(theirs.get(index)), what(ours.get(index)));
        let message = format!("figure {} is {here}, and in {} it is {there}", index + 1, en.path);
        problems.push(Problem::new(&zh.path, line, message));
    }
    for name in names(&course.root, FIGURES) {
        let path = format!("{FIGURES}/{name}");
        if !used.contains(&path) {
            let message = "no page shows this figure: show it, or remove what draws it";
            problems.push(Problem::new(&path, 1, message));
        }
    }
    problems
}

/// A line, what it shows, and the figure's name if it is a figure in the page's own language.
type Shown = (usize, String, Option<String>);

fn shown(page: &Page) -> Vec<Shown> {
    let images = page.links.iter().filter(|link| link.image);
    images
        .map(|link| {
            let path = resolve(&page.path, &link.dest).unwrap_or_else(|| link.dest.clone());
            let name = name_in(page.language, &path);
            (link.line, path, name)
        })
        .collect()
}

fn name_in(language: Language, path: &str) -> Option<String> {
    let file = path.strip_prefix(FIGURES)?.strip_prefix('/')?;
    let name = file.strip_suffix(&format!(".{}.svg", language.code()))?;
    Some(name.to_owned())
}
