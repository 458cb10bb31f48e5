//! `docs/pairs.txt`: what each section said, in both languages, when somebody last looked at both.
//!
//! A section that changed in one language since then is a translation to bring along. Sections are
//! found by what they say, not by their number: a new one, in both languages, disturbs none of
//! those after it, and a merge of two branches is put in order by `--bless`.

use super::chapters::{Course, Pair};
use super::page::Page;
use super::{Problem, read, write};
use judge::language::Language;
use std::collections::HashSet;
use std::fmt::Write;
use std::io;

const LEDGER: &str = "docs/pairs.txt";

const HEADER: &str = "\
# Written by `cargo run -p press -- --bless`: for each section the checksum of its text in English
# and in Simplified Chinese, from when both said the same. An edit on one side only shows here.
";

/// A section's checksums, English and Chinese.
type Sums = [u32; 2];

/// What became of a section since it was last recorded.
enum Change {
    None,
    /// In this language only; the other still says what is recorded here.
    OneSided(Language, Sums),
    /// In both, or it is new.
    Both,
}

/// No section has changed in one language only, and the ledger knows all of them.
#[must_use]
pub fn one_sided(course: &Course) -> Vec<Problem> {
    // Without a ledger everything is new.
    let ledger = read(&course.root, LEDGER).unwrap_or_default();
    let mut problems = Vec::new();
    for (pair, [en, zh], sections) in comparable(course) {
        let rows = rows(&ledger, &pair.key);
        if rows.is_empty() {
            let message =
                format!("is new: compare it with {}, then cargo run -p press -- --bless", zh.path);
            problems.push(Problem::new(&en.path, 1, message));
            continue;
        }
        for (index, sums) in sections.into_iter().enumerate() {
            let (page, other, message) = match change(&rows, sums) {
                Change::None => continue,
                Change::OneSided(Language::English, _) => {
                    (en, zh, "changed in English only: bring 简体中文 along")
                }
                Change::OneSided(Language::Chinese, _) => {
                    (zh, en, "changed in 简体中文 only: bring English along")
                }
                Change::Both => (
                    en,
                    zh,
                    "is new or changed in both: compare, then cargo run -p press -- --bless",
                ),
            };
            let (line, title) = page.section_start(index);
            let there = format!("{}:{}", other.path, other.section_start(index).0);
            let message = format!("“{title}” {message} ({there})");
            problems.push(Problem::new(&page.path, line, message));
        }
    }
    if problems.is_empty() && ledger != derived(course, &ledger, false) {
        let message = "lists sections that are gone or have moved: cargo run -p press -- --bless";
        problems.push(Problem::new(LEDGER, 1, message));
    }
    problems
}

/// Records the sections that are new or changed in both languages; with `one_sided` the others too.
pub(super) fn bless(course: &Course, one_sided: bool) -> io::Result<()> {
    let ledger = read(&course.root, LEDGER).unwrap_or_default();
    write(&course.root, LEDGER, &derived(course, &ledger, one_sided)).map(drop)
}

/// The ledger as it should be after `ledger`.
fn derived(course: &Course, ledger: &str, one_sided: bool) -> String {
    let mut text = HEADER.to_owned();
    let mut kept = HashSet::new();
    for (pair, _, sections) in comparable(course) {
        kept.insert(pair.key.as_str());
        let rows = rows(ledger, &pair.key);
        for (index, sums) in sections.into_iter().enumerate() {
            let recorded = match change(&rows, sums) {
                Change::OneSided(_, old) if !one_sided => old,
                _ => sums,
            };
            line(&mut text, &pair.key, index, recorded);
        }
    }
    // Pages that can't be compared now (see `headings`) keep what is known of them.
    for pair in course.pairs.iter().filter(|pair| !kept.contains(pair.key.as_str())) {
        for (index, sums) in rows(ledger, &pair.key).into_iter().enumerate() {
            line(&mut text, &pair.key, index, sums);
        }
    }
    text
}

fn line(text: &mut String, key: &str, index: usize, [en, zh]: Sums) {
    writeln!(text, "{key} {index} {en:08x} {zh:08x}").expect("writing to a String cannot fail");
}

/// What `ledger` has on the pair `key`. Lines of any other form, such as those of a merge
/// conflict, are left out.
fn rows(ledger: &str, key: &str) -> Vec<Sums> {
    let row = |line: &str| {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        if words.next()? != key {
            return None;
        }
        words.next()?.parse::<usize>().ok()?;
        let mut sum = || u32::from_str_radix(words.next()?, 16).ok();
        Some([sum()?, sum()?])
    };
    ledger.lines().filter_map(row).collect()
}

fn change(rows: &[Sums], [en, zh]: Sums) -> Change {
    if rows.contains(&[en, zh]) {
        return Change::None;
    }
    if let Some(row) = rows.iter().find(|row| row[1] == zh) {
        return Change::OneSided(Language::English, *row);
    }
    match rows.iter().find(|row| row[0] == en) {
        Some(row) => Change::OneSided(Language::Chinese, *row),
        None => Change::Both,
    }
}

/// The pairs whose sections answer each other one by one, with the checksums of these.
fn comparable(course: &Course) -> impl Iterator<Item = (&Pair, [&Page; 2], Vec<Sums>)> {
    course.pairs.iter().filter_map(|pair| {
        let pages = pair.both()?;
        let [en, zh] = pages.map(sums);
        let sections = en.iter().zip(&zh).map(|(&en, &zh)| [en, zh]).collect();
        (en.len() == zh.len()).then_some((pair, pages, sections))
    })
}

/// The checksum of each section. Left out: the bodies of snippets, which are derived, and all
/// white space, so that a paragraph can be wrapped anew.
fn sums(page: &Page) -> Vec<u32> {
    let mut sections = vec![crc32fast::Hasher::new(); page.headings.len() + 1];
    let mut skip_to = 0;
    for (number, line) in (1..).zip(page.text.lines()) {
        if number < skip_to {
            continue;
        }
        if let Some(fence) = page.fences.iter().find(|f| f.derived && f.line == number) {
            skip_to = number + 1 + fence.body.lines().count();
        }
        let hasher = &mut sections[page.section_at(number)];
        line.split_whitespace().for_each(|word| hasher.update(word.as_bytes()));
    }
    sections.into_iter().map(crc32fast::Hasher::finalize).collect()
}
