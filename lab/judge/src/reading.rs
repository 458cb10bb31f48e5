//! Where the course explains what a check asks for: for any server, in any language.

use crate::language::Language;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The chapter, and the English fragment, that explain this check where it falls short.
///
/// Where a step of the server that the chapters grow cures it, that step: it shows the lines.
#[must_use]
pub fn section(check: &str) -> Option<(&'static str, &'static str)> {
    Some(match check {
        "echo" | "byte_by_byte" => ("02b-first-server", "step-2-until-the-end-of-input"),
        "resets" | "comes_and_goes" | "closed_output" => {
            ("02b-first-server", "step-3-the-server-goes-on")
        }
        "no_delay" => ("02b-first-server", "step-4-an-answer-leaves-at-once"),
        "interleaved" => ("03b-many-clients", "step-5-no-call-waits"),
        "never_reads" => ("03b-many-clients", "step-7-a-full-queue-stops-the-reading"),
        "idle_cpu" => ("04b-select-server", "step-9-ask-only-for-what-you-will-act-on"),
        "many_clients" | "out_of_descriptors" | "refused_watch" => {
            ("04b-select-server", "step-10-limits")
        }
        "in_order" => ("04-select", "who-is-answered-first"),
        "asleep_in" => ("04-select", "the-wait"),
        "bad_command_line" | "addresses" => ("04-select", "the-contract"),
        "half_close" | "data_with_fin" => ("13-robust-servers", "endings"),
        "urgent" | "stop_continue" => ("13-robust-servers", "errors"),
        "flooder" => ("13-robust-servers", "fairness"),
        "port_in_use" | "restart" => ("13-robust-servers", "resources"),
        "silent" => ("17-deadlines", "the-wait"),
        "slow_message" | "unread_answers" => ("17-deadlines", "one-clock-at-a-time"),
        _ => return None,
    })
}

/// The same as one opens it, in the language of this report: `docs/zh/04-select.md#等待`. `None` also
/// where the course is not at hand.
#[must_use]
pub fn to_read(check: &str) -> Option<String> {
    let (chapter, fragment) = section(check)?;
    page_section(chapter, fragment, Language::spoken())
}

/// The root of the project: the folder that holds `lab`.
#[must_use]
pub fn root() -> PathBuf {
    let judge = Path::new(env!("CARGO_MANIFEST_DIR"));
    judge.ancestors().nth(2).unwrap_or(judge).to_owned()
}

/// Where a chapter (`04-select`) has the section of this English fragment. The headings of the two
/// languages answer each other one by one.
#[must_use]
pub fn page_section(chapter: &str, fragment: &str, language: Language) -> Option<String> {
    let path = |language: Language| format!("docs/{}/{chapter}.md", language.code());
    let fragments = |language| {
        let text = std::fs::read_to_string(root().join(path(language))).ok()?;
        Some(fragments(headings(&text)))
    };
    let index = fragments(Language::English)?.iter().position(|known| known == fragment)?;
    Some(format!("{}#{}", path(language), fragments(language)?.get(index)?))
}

/// The headings of a page: its lines that begin with `#`, outside of blocks of code.
fn headings(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines().filter_map(move |line| {
        in_code ^= line.starts_with("```");
        let heading = line.strip_prefix('#').filter(|_| !in_code)?;
        Some(heading.trim_start_matches('#').trim())
    })
}

/// The fragments of a page, as Git hosts and mdBook make them from its headings.
pub fn fragments<'a>(headings: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashMap::new();
    headings
        .map(|heading| {
            let slug = slug(heading);
            let count = seen.entry(slug.clone()).and_modify(|n| *n += 1).or_insert(0);
            if *count == 0 { slug } else { format!("{slug}-{count}") }
        })
        .collect()
}

/// Lower case, spaces to hyphens, punctuation of any width left out; 汉字 stay.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|c| match c {
        '-' | '_' => Some(c),
        c if c.is_whitespace() => Some('-'),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::suite::{CHECKS, DEADLINES};

    #[test]
    fn each_shortfall_has_its_section_in_both_languages() {
        for check in CHECKS.iter().chain(DEADLINES) {
            let (chapter, fragment) = section(check.name).expect(check.name);
            for language in Language::BOTH {
                let found = page_section(chapter, fragment, language);
                assert!(found.is_some(), "{}: no {chapter}#{fragment}", check.name);
            }
        }
    }

    // Each expectation is the fragment that a Git host gives such a heading.
    #[test]
    fn a_slug_is_what_git_hosts_and_mdbook_make() {
        for (heading, wanted) in [
            ("Run it", "run-it"),
            ("Where it breaks: FD_SETSIZE", "where-it-breaks-fd_setsize"),
            ("What it costs (measured)", "what-it-costs-measured"),
            ("select() & poll()", "select--poll"),
            ("select：一次等待，多个套接字", "select一次等待多个套接字"),
            ("运行 cargo run", "运行-cargo-run"),
        ] {
            assert_eq!(slug(heading), wanted);
        }
    }

    #[test]
    fn what_looks_like_a_heading_in_code_is_none() {
        let page = "# A\n\n```text\n# no\n```\n\n## A\n";
        assert_eq!(fragments(headings(page)), ["a", "a-1"]);
    }
}
