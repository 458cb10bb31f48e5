//! The map appendix and the annotated notes lead to what they name: a link whose text ends with `…`
//! is the beginning of a paragraph in the section that it points at.

use super::Problem;
use super::chapters::{Course, Pair};
use super::links::{slugs, target};
use super::manifests::packages;
use super::notes::article;
use super::page::{GAP, Link, Page};

const MAP: &str = "docs/en/a-map.md";

/// Every paragraph that the map or a page of the notes names is there, in both languages in the
/// same section, and every program of the course is on one of these pages.
#[must_use]
pub fn map(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    let leads = |pair: &&Pair| pair.key == MAP || article(&pair.key).is_some();
    let pairs: Vec<_> = course.pairs.iter().filter(leads).collect();
    for page in pairs.iter().flat_map(|pair| pair.pages.iter().flatten()) {
        for link in named(page) {
            if let Err(message) = place(course, page, link) {
                problems.push(Problem::new(&page.path, link.line, message));
            }
        }
    }
    let both = pairs.iter().filter_map(|pair| pair.both());
    problems.extend(both.filter_map(|pages| difference(course, pages)));
    let Some(map) = pairs.iter().find(|pair| pair.key == MAP) else { return problems };
    for page in map.pages.iter().flatten() {
        let of_language = |it: &&Page| it.language == page.language;
        let leading = pairs.iter().flat_map(|pair| pair.pages.iter().flatten());
        let spans: Vec<_> = leading.filter(of_language).flat_map(|it| &it.spans).collect();
        for package in packages(&course.root) {
            // The laboratory and the press are none of those that wait.
            let waits = !["lab", "press"].contains(&package.name.as_str());
            let programs = package.binaries.iter().filter(|_| waits);
            for program in programs.filter(|name| !spans.iter().any(|(_, it)| it == *name)) {
                let message = format!("{program} is not on the map: say what it mirrors");
                problems.push(Problem::new(&page.path, 1, message));
            }
        }
    }
    problems
}

fn named(page: &Page) -> Vec<&Link> {
    page.links.iter().filter(|link| link.text.ends_with('…')).collect()
}

/// The page and the number of the section that a link leads to, if its words begin a paragraph
/// there.
fn place<'a>(course: &'a Course, page: &Page, link: &Link) -> Result<(&'a str, usize), String> {
    // What is wrong with the address itself, `links` says.
    let (path, fragment) = target(page, &link.dest).ok_or("it leads out of the project")?;
    let fragment = fragment.ok_or("a paragraph is in a section: add #…")?;
    let target = course.page(&path).ok_or_else(|| format!("{path} is no page"))?;
    let section = slugs(target).iter().position(|slug| *slug == fragment);
    let section = section.ok_or_else(|| format!("no section #{fragment}"))? + 1;
    let words = plain(link.text.trim_end_matches('…').chars());
    let begins = target.prose.iter().any(|block| {
        let first = block.iter().map(|(line, _)| *line).find(|line| *line > 0).unwrap_or_default();
        let heading = target.headings.iter().any(|heading| heading.line == first);
        let here = !heading && target.section_at(first) == section;
        here && plain(block.iter().map(|(_, c)| *c)).starts_with(&words)
    });
    if begins {
        return Ok((target.path.rsplit('/').next().unwrap_or_default(), section));
    }
    let at = target.section_start(section).0;
    Err(format!("no paragraph under {}:{at} begins with “{words}”", target.path))
}

/// Without what is not prose, and with single spaces.
fn plain(text: impl Iterator<Item = char>) -> String {
    let text: String = text.map(|c| if c == GAP { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first link that leads elsewhere in the other language.
fn difference(course: &Course, [en, zh]: [&Page; 2]) -> Option<Problem> {
    let (ours, theirs) = (named(en), named(zh));
    (0..ours.len().max(theirs.len())).find_map(|index| {
        let there = ours.get(index).map(|link| place(course, en, link).ok());
        let here = theirs.get(index).map(|link| place(course, zh, link).ok());
        let line = theirs.get(index).map_or(1, |link| link.line);
        let other = ours.get(index).map_or(1, |link| link.line);
        let message = format!("paragraph {} is another one in {}:{other}", index + 1, en.path);
        (here != there).then(|| Problem::new(&zh.path, line, message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// What is said of a course of one chapter and its map, with `old` replaced by `new` in both.
    fn said(old: &str, new: &str) -> Vec<String> {
        let root = tempfile::tempdir().expect("a folder");
        let files = [
            ("Cargo.toml", "[workspace]\nmembers = [\"demo\"]\n"),
            ("demo/Cargo.toml", "[package]\nname = \"demo\"\n"),
            ("demo/src/main.rs", ""),
            ("docs/en/01-a.md", "# A\n\nOne `f` two, three.\n\n## B\n\n- Four *five*\n  six.\n"),
            ("docs/zh/01-a.md", "# 甲\n\n一、二。\n\n## 乙\n\n- 四，**五**，六。\n"),
            ("docs/en/a-map.md", "`demo` [One `g` two…](01-a.md#a) [Four five six…](01-a.md#b)\n"),
            ("docs/zh/a-map.md", "`demo` [一、二…](01-a.md#甲) [四，五…](01-a.md#乙)\n"),
            ("docs/en/s1-a.md", "[Four five…](01-a.md#b) `demo`\n"),
            ("docs/zh/s1-a.md", "[四，五…](01-a.md#乙) `demo`\n"),
        ];
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it is in a folder")).expect("its folder");
            fs::write(path, text.replace(old, new)).expect("a new file");
        }
        let course = Course::read(root.path()).expect("just written");
        map(&course).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_paragraph_is_recognised_by_its_first_words() {
        assert_eq!(said("nothing", "nothing"), [""; 0], "code and emphasis are no words");
        // A program of the course may stand on a page of the notes instead of the map.
        assert_eq!(said("`demo` [", "["), [""; 0]);
    }

    /// Whoever rewrites a paragraph that the map names hears of it.
    #[test]
    fn a_link_to_no_paragraph_is_found() {
        for (old, new, words) in [
            (
                "Four *five*",
                "Five",
                "no paragraph under docs/en/01-a.md:5 begins with “Four five six”",
            ),
            ("## B", "## C", "docs/en/a-map.md:1: no section #b"),
            ("## B", "## D\n\n## B\n\n## E", "docs/zh/a-map.md:1: paragraph 2 is another one"),
            ("[四，五…]", "[四，五]", "docs/zh/a-map.md:1: paragraph 2 is another one in docs/en"),
            ("`demo`", "demo", "demo is not on the map"),
            ("[Four five…]", "[Six…]", "docs/en/s1-a.md:1: no paragraph under"),
            (
                "[四，五…](01-a.md#乙) ",
                "[五…](01-a.md#乙) ",
                "docs/zh/s1-a.md:1: no paragraph under",
            ),
        ] {
            let said = said(old, new);
            assert!(said.iter().any(|problem| problem.contains(words)), "{words}: {said:#?}");
        }
    }
}
