//! The documents of this project hold together: both languages, and both with the code. What fails
//! here is listed by `cargo run -p lab -- docs`, and much of it is mended by adding `--bless`.
//!
//! `docs_damage.rs` shows that each of these finds what it is for.

use lab::docs::{self, Check, Course};

fn holds(check: Check) {
    let course = Course::read(&docs::root()).expect("the documents can be read");
    let problems: Vec<_> = check(&course).iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn every_page_is_there_in_both_languages() {
    holds(docs::pairs);
}

#[test]
fn every_chapter_is_in_the_table_of_contents() {
    holds(docs::summary);
}

#[test]
fn every_page_starts_with_the_switch_to_the_other_language() {
    holds(docs::switch_lines);
}

#[test]
fn the_headings_are_the_same_in_both_languages() {
    holds(docs::headings);
}

#[test]
fn the_figures_shown_are_the_same_in_both_languages() {
    holds(docs::images);
}

#[test]
fn the_figures_are_what_the_code_draws() {
    holds(docs::drawings);
}

#[test]
fn the_snippets_are_the_code() {
    holds(docs::snippets);
}

#[test]
fn the_links_lead_somewhere() {
    holds(docs::links);
}

#[test]
fn no_section_changed_in_one_language_only() {
    holds(docs::one_sided);
}

#[test]
fn the_chinese_is_set_as_chinese_is() {
    holds(docs::typography);
}

#[test]
fn the_commands_are_the_same_in_both_languages_and_name_what_exists() {
    holds(docs::commands);
}

#[test]
fn the_comments_above_transcripts_are_understood() {
    holds(docs::transcripts);
}

#[test]
fn the_map_leads_to_every_paragraph_that_it_names() {
    holds(docs::map);
}

#[test]
fn the_rows_of_the_notes_follow_their_articles() {
    holds(docs::notes);
}

#[test]
fn every_question_leads_to_its_answer_and_the_words_searched_for_are_found() {
    holds(docs::questions);
}
