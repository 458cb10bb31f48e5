//! The pages of the course, two by two, and what has to be the same on both: names, the switch
//! line, headings, the table of contents.

use super::page::Page;
use super::{Problem, names, read, resolve};
use judge::language::Language;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// mdBook's table of contents; its first line has to be its heading.
const SUMMARY: &str = "SUMMARY.md";

/// A page in both languages, as far as it is there.
pub(super) struct Pair {
    /// The English path, which names the pair in the ledger: `docs/en/04-select.md`
    pub key: String,
    pub pages: [Option<Page>; 2],
    /// Where both are, or should be.
    paths: [String; 2],
    /// The file name, if it is a chapter.
    chapter: Option<String>,
}

impl Pair {
    /// English and Chinese, if both are there.
    pub fn both(&self) -> Option<[&Page; 2]> {
        match &self.pages {
            [Some(en), Some(zh)] => Some([en, zh]),
            _ => None,
        }
    }
}

/// The documents of the project, read.
pub struct Course {
    pub(super) root: PathBuf,
    pub(super) pairs: Vec<Pair>,
}

impl Course {
    /// Reads `docs/en/*.md`, `docs/zh/*.md`, and what stands at `root` itself.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or is not UTF-8.
    pub fn read(root: &Path) -> io::Result<Self> {
        let chapters: BTreeSet<_> = Language::BOTH
            .iter()
            .flat_map(|language| names(root, &format!("docs/{}", language.code())))
            .filter(|name| name.ends_with(".md"))
            .collect();
        let mut pairs = Vec::new();
        for name in ["README", "CONTRIBUTING"] {
            let paths = [format!("{name}.md"), format!("{name}.zh.md")];
            pairs.push(pair(root, paths, None)?);
        }
        for name in chapters {
            let paths = Language::BOTH.map(|l| format!("docs/{}/{name}", l.code()));
            pairs.push(pair(root, paths, Some(name))?);
        }
        Ok(Self { root: root.to_owned(), pairs })
    }

    pub(super) fn pages(&self) -> impl Iterator<Item = &Page> {
        self.pairs.iter().flat_map(|pair| pair.pages.iter().flatten())
    }

    pub(super) fn page(&self, path: &str) -> Option<&Page> {
        self.pages().find(|page| page.path == path)
    }
}

fn pair(root: &Path, paths: [String; 2], chapter: Option<String>) -> io::Result<Pair> {
    let page = |path: &String, language| {
        if !root.join(path).exists() {
            return Ok(None);
        }
        read(root, path).map(|text| Some(Page::parse(path, language, text)))
    };
    let [en, zh] = &paths;
    let pages = [page(en, Language::English)?, page(zh, Language::Chinese)?];
    Ok(Pair { key: en.clone(), pages, paths, chapter })
}

/// Every page is there in both languages.
#[must_use]
pub fn pairs(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    for pair in &course.pairs {
        let [en, zh] = &pair.paths;
        let (missing, there) = match &pair.pages {
            [None, Some(_)] => (en, zh),
            [Some(_), None] => (zh, en),
            [None, None] => {
                problems.push(Problem::new(en, 1, "missing: write it, in both languages"));
                continue;
            }
            [Some(_), Some(_)] => continue,
        };
        let message = format!("missing, though {there} is there: write it, or remove that one");
        problems.push(Problem::new(missing, 1, message));
    }
    problems
}

/// Every chapter is in the table of contents of its language: mdBook leaves out the others.
#[must_use]
pub fn summary(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    for language in Language::BOTH {
        let path = format!("docs/{}/{SUMMARY}", language.code());
        let Some(summary) = course.page(&path) else {
            if course.pages().any(|page| resolve(&path, "") == resolve(&page.path, "")) {
                problems.push(Problem::new(&path, 1, "missing: mdBook's table of contents"));
            }
            continue;
        };
        let listed: BTreeSet<_> =
            summary.links.iter().filter_map(|link| resolve(&path, &link.dest)).collect();
        for page in course.pages() {
            let chapter = page.path != path && resolve(&path, "") == resolve(&page.path, "");
            if chapter && !listed.contains(&page.path) {
                let message = format!("{} is not listed: add it", page.path);
                problems.push(Problem::new(&path, 1, message));
            }
        }
    }
    problems
}

/// The first line of every page leads to the same page in the other language.
#[must_use]
pub fn switch_lines(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    for pair in &course.pairs {
        if pair.chapter.as_deref() == Some(SUMMARY) {
            continue;
        }
        for page in pair.pages.iter().flatten() {
            let other = page.language.other();
            let address = match (&pair.chapter, &pair.paths, other) {
                (Some(name), _, other) => format!("../{}/{name}", other.code()),
                (None, [en, _], Language::English) => en.clone(),
                (None, [_, zh], Language::Chinese) => zh.clone(),
            };
            let here = format!("**{}**", page.language.name());
            let there = format!("[{}]({address})", other.name());
            let wanted = match page.language {
                Language::English => format!("{here} | {there}"),
                Language::Chinese => format!("{there} | {here}"),
            };
            if page.text.lines().next() != Some(&wanted) {
                let message = format!("the first line has to be: {wanted}");
                problems.push(Problem::new(&page.path, 1, message));
            }
        }
    }
    problems
}

/// Both pages have the same number of headings, with the same levels in the same order.
#[must_use]
pub fn headings(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    for [en, zh] in course.pairs.iter().filter_map(Pair::both) {
        // Only the first difference: the others mostly follow from it.
        let differs = |i: &usize| {
            en.headings.get(*i).map(|h| h.level) != zh.headings.get(*i).map(|h| h.level)
        };
        let count = en.headings.len().max(zh.headings.len());
        let Some(index) = (0..count).find(differs) else {
            continue;
        };
        let (page, other, message) = match (en.headings.get(index), zh.headings.get(index)) {
            (Some(_), Some(_)) | (None, None) => (zh, en, "has another level than"),
            (Some(_), None) => (en, zh, "has no heading that answers it in"),
            (None, Some(_)) => (zh, en, "has no heading that answers it in"),
        };
        let here = &page.headings[index];
        let there = match other.headings.get(index) {
            Some(heading) => format!("“{}” at {}:{}", heading.text, other.path, heading.line),
            None => other.path.clone(),
        };
        let message = format!("heading “{}” {message} {there}", here.text);
        problems.push(Problem::new(&page.path, here.line, message));
    }
    problems
}
