//! Where the course explains what a check asks for: for any server, in any language.

use crate::docs::{self, Course};
use crate::language::Language;
use std::sync::OnceLock;

/// The chapter, and the English fragment, that explain this check where it falls short.
///
/// The servers of chapter 4 have all that a server needs, so most of it is explained there.
pub(crate) fn section(check: &str) -> Option<(&'static str, &'static str)> {
    Some(match check {
        "echo" | "byte_by_byte" => ("04-select", "receiving"),
        "interleaved" => ("04-select", "the-loop"),
        "never_reads" => ("04-select", "the-message-queue"),
        "in_order" => ("04-select", "who-is-answered-first"),
        "many_clients" => ("04-select", "where-it-breaks"),
        "asleep_in" => ("04-select", "the-wait"),
        "bad_command_line" | "addresses" => ("04-select", "the-contract"),
        "half_close" | "data_with_fin" | "comes_and_goes" => ("13-robust-servers", "endings"),
        "resets" | "urgent" | "closed_output" | "stop_continue" => ("13-robust-servers", "errors"),
        "no_delay" => ("13-robust-servers", "room"),
        "idle_cpu" => ("13-robust-servers", "readiness"),
        "flooder" => ("13-robust-servers", "fairness"),
        "out_of_descriptors" | "refused_watch" | "port_in_use" | "restart" => {
            ("13-robust-servers", "resources")
        }
        _ => return None,
    })
}

/// The same as one opens it, in the language of this report: `docs/zh/04-select.md#等待`. `None` also
/// where the course is not at hand.
pub(crate) fn to_read(check: &str) -> Option<String> {
    static COURSE: OnceLock<Option<Course>> = OnceLock::new();
    let course = COURSE.get_or_init(|| Course::read(&docs::root()).ok()).as_ref()?;
    let (chapter, fragment) = section(check)?;
    docs::section(course, chapter, fragment, Language::spoken())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::suite::CHECKS;

    #[test]
    fn each_shortfall_has_its_section_in_both_languages() {
        let course = Course::read(&docs::root()).expect("the documents can be read");
        for check in CHECKS {
            let (chapter, fragment) = section(check.name).expect(check.name);
            for language in Language::BOTH {
                let found = docs::section(&course, chapter, fragment, language);
                assert!(found.is_some(), "{}: no {chapter}#{fragment}", check.name);
            }
        }
    }
}
