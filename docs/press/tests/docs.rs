//! The documents of this project hold together: both languages, and both with the code. What fails
//! here is listed by `cargo run -p press`, and much of it is mended by adding `--bless`.
//!
//! `docs_damage.rs` shows that each of these finds what it is for.

use judge::reading::root;
use press::{Check, Course};

fn holds(check: Check) {
    let course = Course::read(&root()).expect("the documents can be read");
    let problems: Vec<_> = check(&course).iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn every_page_is_there_in_both_languages() {
    holds(press::pairs);
}

#[test]
fn every_chapter_is_in_the_table_of_contents() {
    holds(press::summary);
}

#[test]
fn every_page_starts_with_the_switch_to_the_other_language() {
    holds(press::switch_lines);
}

#[test]
fn the_headings_are_the_same_in_both_languages() {
    holds(press::headings);
}

#[test]
fn the_figures_shown_are_the_same_in_both_languages() {
    holds(press::images);
}

#[test]
fn the_figures_are_what_the_code_draws() {
    holds(press::drawings);
}

#[test]
fn the_snippets_are_the_code() {
    holds(press::snippets);
}

#[test]
fn the_links_lead_somewhere() {
    holds(press::links);
}

#[test]
fn no_section_changed_in_one_language_only() {
    holds(press::one_sided);
}

#[test]
fn the_chinese_is_set_as_chinese_is() {
    holds(press::typography);
}

#[test]
fn the_commands_are_the_same_in_both_languages_and_name_what_exists() {
    holds(press::commands);
}

#[test]
fn the_comments_above_transcripts_are_understood() {
    holds(press::transcripts);
}

#[test]
fn the_map_leads_to_every_paragraph_that_it_names() {
    holds(press::map);
}

#[test]
fn the_rows_of_the_notes_follow_their_articles() {
    holds(press::notes);
}

#[test]
fn comments_are_no_wider_than_the_code() {
    holds(press::comments);
}

#[test]
fn every_question_leads_to_its_answer_and_the_words_searched_for_are_found() {
    holds(press::questions);
}
