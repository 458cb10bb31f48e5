//! The notes, annotated: the pages `s0-…` to `s4-…` go through the five articles from the first
//! sentence to the last, one row for each passage. The articles are not part of the project, so
//! what can be held is that no row is lost, moved or judged in one language only.

use super::Problem;
use super::chapters::Course;
use super::page::Page;
use std::collections::HashMap;

/// What a row may say of its passage, in both languages.
const VERDICTS: [[&str; 2]; 8] = [
    ["right", "正确"],
    ["incomplete", "不完整"],
    ["wrong", "错误"],
    ["outdated", "过时"],
    ["unsupported", "没有依据"],
    ["depends", "视情况"],
    ["program", "程序"],
    ["question", "问题"],
];

/// The article that a page goes through: `S2` for `docs/en/s2a-concepts.md`.
pub(super) fn article(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let mut letters = name.strip_prefix('s')?.chars();
    let number = letters.next().filter(char::is_ascii_digit)?;
    letters.find(|c| !c.is_ascii_lowercase()).filter(|c| *c == '-')?;
    Some(format!("S{number}"))
}

/// A passage of an article: its number, its own words, and the index of the verdict.
struct Row<'a> {
    line: usize,
    number: &'a str,
    quotation: &'a str,
    verdict: Option<usize>,
}

/// The rows of an article are numbered without a gap, over all of its pages, and have the same
/// number, quotation and verdict in both languages.
#[must_use]
pub fn notes(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut last: HashMap<_, usize> = HashMap::new();
    for [en, zh] in course.pairs.iter().filter_map(super::chapters::Pair::both) {
        let Some(article) = article(&en.path) else { continue };
        let (ours, theirs) = (rows(en), rows(zh));
        if ours.is_empty() {
            let message = format!("no row: | {article}.1 | quotation | verdict | why | see |");
            problems.push(Problem::new(&en.path, 1, message));
        }
        for (row, other) in ours.iter().zip(&theirs) {
            let last = last.entry(article.clone()).or_default();
            *last += 1;
            let wanted = format!("{article}.{last}");
            for (page, row) in [(en, row), (zh, other)] {
                if row.number != wanted {
                    let message = format!("row {} where {wanted} follows", row.number);
                    problems.push(Problem::new(&page.path, row.line, message));
                }
                if row.quotation.is_empty() || row.verdict.is_none() {
                    let message = format!("{wanted}: no quotation, or no known verdict");
                    problems.push(Problem::new(&page.path, row.line, message));
                }
            }
            if (row.quotation, row.verdict) != (other.quotation, other.verdict) {
                let message = format!("{wanted} is another one in {}:{}", en.path, row.line);
                problems.push(Problem::new(&zh.path, other.line, message));
            }
        }
        if ours.len() != theirs.len() {
            let message = format!("{} rows, and in {} {}", theirs.len(), en.path, ours.len());
            problems.push(Problem::new(&zh.path, 1, message));
        }
    }
    problems
}

/// The rows of the tables of `page`: all lines of a table but its head.
fn rows(page: &Page) -> Vec<Row<'_>> {
    let lines = (1..).zip(page.text.lines());
    let lines = lines.filter_map(|(line, text)| Some((line, text.strip_prefix("| ")?)));
    let filled = lines.filter(|(_, text)| !text.starts_with('|'));
    filled
        .map(|(line, text)| {
            // A quotation may have a `\|` of its own, but never one with a space on each side.
            let mut cells = text.split(" | ");
            let mut cell = || cells.next().unwrap_or_default();
            let (number, quotation, verdict) = (cell(), quoted(cell()), cell());
            let word = |of: &[&str; 2]| of.contains(&verdict);
            Row { line, number, quotation, verdict: VERDICTS.iter().position(word) }
        })
        .collect()
}

/// What stands between 「 and 」, or in a code span, at the beginning of a cell.
fn quoted(cell: &str) -> &str {
    let inner = |open: char, close: char| {
        let end = cell.rfind(close)?;
        cell.strip_prefix(open)?.get(..end.checked_sub(open.len_utf8())?)
    };
    inner('「', '」').or_else(|| inner('`', '`')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const EN: &str = "# S1\n\n| | The article | Verdict |\n|---|---|---|\n\
                      | S1.1 | 「一「二」」 (one) | right | Why | See |\n\
                      | S1.2 | `a \\| b` | wrong | . | . |\n";
    const ZH: &str = "# S1\n\n| | 原文 | 结论 |\n|---|---|---|\n\
                      | S1.1 | 「一「二」」 | 正确 | 为何 | 参见 |\n\
                      | S1.2 | `a \\| b` | 错误 | 。 | 。 |\n";
    const MORE: &str = "| S1.3 | 「三」 | question | . | . |\n";

    /// What is said of an article on two pages, with `old` in `path` replaced by `new`.
    fn said(path: &str, old: &str, new: &str) -> Vec<String> {
        let root = tempfile::tempdir().expect("a folder");
        let files = [
            ("docs/en/s1a-one.md", EN.to_owned()),
            ("docs/zh/s1a-one.md", ZH.to_owned()),
            ("docs/en/s1b-two.md", MORE.to_owned()),
            ("docs/zh/s1b-two.md", MORE.replace("question", "问题")),
            ("docs/en/select.md", "| S1.9 | a table elsewhere |\n".to_owned()),
            ("docs/zh/select.md", "| S1.8 | 别处的表 |\n".to_owned()),
        ];
        for (name, text) in files {
            let text = if name == path { text.replacen(old, new, 1) } else { text };
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().expect("it is in a folder")).expect("its folder");
            fs::write(file, text).expect("a new file");
        }
        let course = Course::read(root.path()).expect("just written");
        notes(&course).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rows_that_follow_each_other_over_two_pages_are_in_order() {
        assert_eq!(said("", "", ""), [""; 0]);
    }

    #[test]
    fn a_row_that_is_lost_moved_or_judged_otherwise_is_found() {
        for (path, old, new, words) in [
            ("docs/en/s1a-one.md", "S1.2", "S1.3", "docs/en/s1a-one.md:6: row S1.3 where S1.2"),
            ("docs/zh/s1b-two.md", "S1.3", "S1.2", "docs/zh/s1b-two.md:1: row S1.2 where S1.3"),
            ("docs/zh/s1a-one.md", "「一", "「二", "docs/zh/s1a-one.md:5: S1.1 is another one in"),
            ("docs/zh/s1a-one.md", "错误", "正确", "docs/zh/s1a-one.md:6: S1.2 is another one in"),
            ("docs/en/s1a-one.md", "right", "fine", "docs/en/s1a-one.md:5: S1.1: no quotation, or"),
            ("docs/zh/s1b-two.md", MORE, "", "docs/zh/s1b-two.md:1: "),
            ("docs/en/s1b-two.md", MORE, "", "docs/en/s1b-two.md:1: no row"),
        ] {
            let old =
                if path.contains("zh") { old.replace("question", "问题") } else { old.into() };
            let said = said(path, &old, new);
            assert!(said.iter().any(|problem| problem.starts_with(words)), "{words}: {said:#?}");
        }
    }

    #[test]
    fn only_a_page_of_the_notes_has_an_article() {
        for (path, wanted) in [
            ("docs/en/s0-select.md", Some("S0")),
            ("docs/zh/s2b-more.md", Some("S2")),
            ("docs/en/select.md", None),
            ("docs/en/s2.md", None),
        ] {
            assert_eq!(article(path).as_deref(), wanted, "{path}");
        }
    }
}
