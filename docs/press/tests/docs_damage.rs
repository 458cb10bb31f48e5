//! A small course that holds together, damaged in one place at a time: each damage is found, where
//! it is and by what it is, and `--bless` mends what is derived and nothing else.

use press::{bless, check};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const CODE: &str = "\
//! A program.

/// Waits.
fn wait() -> u8 {
    1
}

fn main() {}
";

const EN: &str = "\
**English** | [简体中文](../zh/01-waiting.md)

# Waiting

One, two. See [the glossary](README.md#run-it).

## The code

[demo/src/main.rs](../../demo/src/main.rs):

<!-- code: demo/src/main.rs#wait -->

## Run it

```console
$ cargo run -p demo  # in one terminal
hello
```
";

const ZH: &str = "\
[English](../en/01-waiting.md) | **简体中文**

# 等待

一、二。见[术语表](README.md#运行)。

## 代码

[demo/src/main.rs](../../demo/src/main.rs)：

<!-- code: demo/src/main.rs#wait -->

## 运行

```console
$ cargo run -p demo  # 在一个终端里
hello
```
";

const CHAPTER: [&str; 2] = ["docs/en/01-waiting.md", "docs/zh/01-waiting.md"];

/// The figures that blessing draws into every project: some page has to show each. What was
/// measured is drawn where there is data.
fn figures_drawn() -> Vec<String> {
    let folder = judge::reading::root().join("docs/figures");
    let files = fs::read_dir(folder).expect("the course has figures");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("ASCII"));
    let mut names: Vec<_> =
        names.filter_map(|name| name.strip_suffix(".en.svg").map(str::to_owned)).collect();
    let measured =
        |name: &str| name.starts_with("timeline-") || ["scaling", "side-by-side"].contains(&name);
    names.retain(|name| !measured(name));
    names.sort_unstable();
    names
}

/// A project of its own, in a folder that goes away with it.
struct Project(TempDir);

impl Project {
    /// Everything holds.
    fn new() -> Self {
        let project = Self(TempDir::new().expect("a folder for the copy"));
        project.write("Cargo.toml", "[workspace]\nmembers = [\"demo\"]\n");
        project.write("demo/Cargo.toml", "[package]\nname = \"demo\"\n");
        project.write("demo/src/main.rs", CODE);
        let figures = |infix: &str, folder: &str| {
            let line = |name| format!("![{name}]({folder}{name}.{infix}.svg)\n");
            figures_drawn().iter().map(line).collect::<String>()
        };
        let (en, zh) = (figures("en", "../figures/"), figures("zh", "../figures/"));
        for (path, text) in [
            ("README.md", "**English** | [简体中文](README.zh.md)\n"),
            ("README.zh.md", "[English](README.md) | **简体中文**\n"),
            ("CONTRIBUTING.md", "**English** | [简体中文](CONTRIBUTING.zh.md)\n"),
            ("CONTRIBUTING.zh.md", "[English](CONTRIBUTING.md) | **简体中文**\n"),
            (
                "docs/en/README.md",
                &format!("**English** | [简体中文](../zh/README.md)\n\n# Run it\n\n{en}"),
            ),
            (
                "docs/zh/README.md",
                &format!("[English](../en/README.md) | **简体中文**\n\n# 运行\n\n{zh}"),
            ),
            (
                "docs/en/SUMMARY.md",
                "# Summary\n\n- [Start](README.md)\n- [Waiting](01-waiting.md)\n",
            ),
            ("docs/zh/SUMMARY.md", "# Summary\n\n- [开始](README.md)\n- [等待](01-waiting.md)\n"),
            (CHAPTER[0], EN),
            (CHAPTER[1], ZH),
        ] {
            project.write(path, text);
        }
        project.bless(false);
        assert_eq!(project.problems(), [""; 0], "the undamaged course holds");
        project
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect("a file of the copy")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("its folder");
        fs::write(path, text).expect("a file of the copy");
    }

    /// Replaces `old`, which has to be there once.
    fn edit(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert_eq!(text.matches(old).count(), 1, "{old} in {path}");
        self.write(path, &text.replace(old, new));
    }

    fn problems(&self) -> Vec<String> {
        let problems = check(self.0.path()).expect("the copy can be read");
        problems.iter().map(ToString::to_string).collect()
    }

    fn bless(&self, one_sided: bool) {
        bless(self.0.path(), one_sided).expect("the copy can be written");
    }

    /// Exactly one problem, which starts with `place` and says `words`.
    fn finds(&self, place: &str, words: &str) {
        let problems = self.problems();
        let [one] = problems.as_slice() else {
            panic!("expected one problem, {place}: {words}; found {problems:#?}");
        };
        assert!(
            one.starts_with(place) && one.contains(words),
            "{one}\n(expected {place}: {words})"
        );
    }

    /// Among others that follow from the same damage.
    fn finds_among(&self, place: &str, words: &str) {
        let problems = self.problems();
        let found = problems.iter().any(|p| p.starts_with(place) && p.contains(words));
        assert!(found, "expected {place}: {words}; found {problems:#?}");
    }
}

#[test]
fn a_page_in_one_language_only_is_found() {
    let project = Project::new();
    fs::remove_file(project.path(CHAPTER[1])).expect("it was there");
    project
        .finds_among("docs/zh/01-waiting.md:1:", "missing, though docs/en/01-waiting.md is there");
}

#[test]
fn a_chapter_that_is_not_in_the_table_of_contents_is_found() {
    let project = Project::new();
    project.edit("docs/zh/SUMMARY.md", "- [等待](01-waiting.md)\n", "");
    project.finds_among("docs/zh/SUMMARY.md:1:", "docs/zh/01-waiting.md is not listed");
}

#[test]
fn a_wrong_switch_line_is_found_and_said_right() {
    for (path, old, new) in [
        (CHAPTER[0], "../zh/01-waiting.md", "../zh/README.md"),
        (CHAPTER[1], "[English](../en/01-waiting.md) | **简体中文**", "简体中文"),
        ("README.md", "**English**", "English"),
    ] {
        let project = Project::new();
        project.edit(path, old, new);
        project.finds_among(&format!("{path}:1:"), "the first line has to be: ");
    }
}

#[test]
fn a_heading_that_is_missing_or_of_another_level_is_found() {
    let project = Project::new();
    project.edit(CHAPTER[0], "## Run it\n", "");
    project.finds_among("docs/zh/01-waiting.md:19:", "“运行” has no heading that answers it");

    let project = Project::new();
    project.edit(CHAPTER[1], "## 运行\n", "### 运行\n");
    project.finds_among("docs/zh/01-waiting.md:19:", "“运行” has another level than “Run it”");
}

#[test]
fn an_edit_in_one_language_is_found_until_the_other_is_brought_along() {
    let project = Project::new();
    project.edit(CHAPTER[0], "One, two.", "One, two, three.");
    let words = "changed in English only: bring 简体中文 along (docs/zh/01-waiting.md:3)";
    project.finds("docs/en/01-waiting.md:3:", words);
    project.bless(false);
    project.finds("docs/en/01-waiting.md:3:", words);
    project.edit(CHAPTER[1], "一、二。", "一、二、三。");
    project.finds("docs/en/01-waiting.md:3:", "new or changed in both");
    project.bless(false);
    assert_eq!(project.problems(), [""; 0]);

    project.edit(CHAPTER[1], "一、二、三。", "一、二、四。");
    project.finds("docs/zh/01-waiting.md:3:", "changed in 简体中文 only: bring English along");
}

#[test]
fn a_typo_is_recorded_when_asked_for() {
    let project = Project::new();
    project.edit(CHAPTER[0], "One, two.", "One, 2.");
    project.bless(true);
    assert_eq!(project.problems(), [""; 0]);
}

/// What a section is recognised by is what it says: the sections after a new one have not changed,
/// and a paragraph wrapped anew says the same.
#[test]
fn a_new_section_does_not_hide_an_edit_after_it() {
    let project = Project::new();
    project.edit(CHAPTER[0], "## The code\n", "## New\n\nText.\n\n## The code\n");
    project.edit(CHAPTER[1], "## 代码\n", "## 新\n\n文字。\n\n## 代码\n");
    project.edit(CHAPTER[1], "\nhello\n", "\nhello hello\n");
    project.edit(CHAPTER[0], "One, two. See", "One,\ntwo. See");
    project.bless(false);
    project.finds("docs/zh/01-waiting.md:23:", "“运行” changed in 简体中文 only");
}

#[test]
fn a_section_that_is_gone_leaves_the_ledger() {
    let project = Project::new();
    project.edit(
        CHAPTER[0],
        "## Run it\n\n```console\n$ cargo run -p demo  # in one terminal\nhello\n```\n",
        "",
    );
    project.edit(
        CHAPTER[1],
        "## 运行\n\n```console\n$ cargo run -p demo  # 在一个终端里\nhello\n```\n",
        "",
    );
    project.finds("docs/pairs.txt:1:", "gone or have moved");
    project.bless(false);
    assert_eq!(project.problems(), [""; 0]);
}

#[test]
fn a_stale_snippet_is_found_and_mended() {
    let project = Project::new();
    assert!(
        project
            .read(CHAPTER[0])
            .contains("```rust\n/// Waits.\nfn wait() -> u8 {\n    1\n}\n```\n")
    );
    project.edit("demo/src/main.rs", "    1\n", "    2\n");
    let problems = project.problems();
    assert_eq!(problems.len(), 2, "one in each language: {problems:#?}");
    project.finds_among("docs/zh/01-waiting.md:11:", "no longer demo/src/main.rs#wait");
    project.bless(false);
    assert_eq!(project.problems(), [""; 0], "and no section counts as changed");
    assert!(project.read(CHAPTER[1]).contains("    2\n"));
}

#[test]
fn a_snippet_of_nothing_is_found() {
    let project = Project::new();
    project.edit("demo/src/main.rs", "fn wait()", "fn sleep()");
    project.finds_among("docs/en/01-waiting.md:11:", "has no item wait");
    let before = project.read(CHAPTER[0]);
    project.bless(false);
    assert_eq!(project.read(CHAPTER[0]), before, "an unknown item is left alone");
}

#[test]
fn a_snippet_in_a_list_is_refused_and_left_alone() {
    let project = Project::new();
    project.edit(
        CHAPTER[0],
        "<!-- code: demo/src/main.rs#wait -->\n",
        "- <!-- code: demo/src/main.rs#wait -->\n",
    );
    project.finds_among("docs/en/01-waiting.md:11:", "start at the margin");
    let before = project.read(CHAPTER[0]);
    project.bless(false);
    assert_eq!(project.read(CHAPTER[0]), before);
}

#[test]
fn a_snippet_without_a_link_or_on_one_side_is_found() {
    let project = Project::new();
    project.edit(CHAPTER[0], "[demo/src/main.rs](../../demo/src/main.rs):", "The code:");
    project.finds_among("docs/en/01-waiting.md:11:", "no link to demo/src/main.rs");

    let project = Project::new();
    project.edit(CHAPTER[1], "main.rs#wait", "main.rs#main");
    let words = "snippet 1 is demo/src/main.rs#main, and in docs/en/01-waiting.md it is";
    project.finds_among("docs/zh/01-waiting.md:11:", words);
}

#[test]
fn a_broken_link_is_found() {
    for (new, words) in [
        ("GLOSSARY.md#run-it", "there is no docs/en/GLOSSARY.md"),
        ("README.md#running", "docs/en/README.md has no heading #running; it has #run-it"),
        ("#run", "docs/en/01-waiting.md has no heading #run;"),
        ("../../../README.md", "leads out of the project"),
        ("/docs/en/README.md", "should be relative"),
        ("../../demo/src/main.rs#L4", "name the item"),
        ("https://localhost", "is no web address"),
    ] {
        let project = Project::new();
        project.edit(CHAPTER[0], "README.md#run-it", new);
        project.finds_among("docs/en/01-waiting.md:5:", words);
    }
    let project = Project::new();
    project.edit(CHAPTER[0], "(README.md#run-it)", "[nowhere]");
    project.finds_among("docs/en/01-waiting.md:5:", "[nowhere] is not defined");
}

#[test]
fn a_figure_of_the_other_language_or_missing_is_found() {
    // The page shows them all, one in each line from the fifth on.
    let figures = figures_drawn();
    let (first, last, count) = (&figures[0], &figures[figures.len() - 1], figures.len());

    let project = Project::new();
    project.edit("docs/zh/README.md", &format!("{first}.zh.svg"), &format!("{first}.en.svg"));
    project.finds_among("docs/zh/README.md:5:", "docs/figures/NAME.zh.svg");
    let alone = format!("docs/figures/{first}.zh.svg:1:");
    project.finds_among(&alone, "no page shows this figure");

    let project = Project::new();
    project.edit("docs/zh/README.md", &format!("![{last}](../figures/{last}.zh.svg)\n"), "");
    project.finds_among("docs/zh/README.md:1:", &format!("figure {count} is no figure"));

    let project = Project::new();
    let missing = format!("docs/figures/{last}.en.svg");
    fs::remove_file(project.path(&missing)).expect("it was there");
    let place = format!("docs/en/README.md:{}:", 4 + count);
    project.finds_among(&place, &format!("there is no {missing}"));
}

#[test]
fn a_stale_figure_is_found_and_mended() {
    let project = Project::new();
    project.edit("docs/figures/chat-room.zh.svg", "操作员思考的时候", "操作员睡觉的时候");
    project.finds("docs/figures/chat-room.zh.svg:1:", "not as drawn now");
    project.write("docs/figures/mine.svg", "<svg/>");
    project.finds_among("docs/figures/mine.svg:1:", "no code draws this file");
    fs::remove_file(project.path("docs/figures/mine.svg")).expect("just written");
    project.bless(false);
    assert_eq!(project.problems(), [""; 0]);
}

#[test]
fn chinese_set_too_tight_is_found() {
    let project = Project::new();
    project.edit(CHAPTER[1], "一、二。", "用select等3个, 行。");
    for words in ["“用s” needs a space", "“t等”", "“等3”", "“个,” needs full-width"]
    {
        project.finds_among("docs/zh/01-waiting.md:5:", words);
    }
}

#[test]
fn a_command_that_differs_or_cannot_run_is_found() {
    let project = Project::new();
    project.edit(CHAPTER[1], "$ cargo run -p demo ", "$ cargo run -p demo -- -q ");
    project.finds_among("docs/zh/01-waiting.md:21:", "`cargo run -p demo -- -q`, and in docs/en");

    for (new, words) in [
        ("cargo run -p dmeo", "the workspace has no package dmeo"),
        ("cargo run --bin other", "there is no binary other"),
        ("cargo run --example other", "there is no example other"),
        ("cargo run", "say which"),
        ("cargo run --manifest-path demo/Crago.toml", "there is no manifest demo/Crago.toml"),
        ("printf 'a' | cargo run -p nobody -- -p demo", "no package nobody"),
    ] {
        let project = Project::new();
        project.edit(CHAPTER[0], "cargo run -p demo", new);
        project.finds_among("docs/en/01-waiting.md:22:", words);
    }

    let project = Project::new();
    project.edit(CHAPTER[0], "```console", "```text");
    project.finds_among("docs/zh/01-waiting.md:", "this block is “console”, and in docs/en");
}

#[test]
fn a_comment_wider_than_the_code_is_found() {
    let project = Project::new();
    let wide = format!("// {}", "wide ".repeat(20));
    project.edit("demo/src/main.rs", "fn main() {}", &format!("{wide}\nfn main() {{}}"));
    project.finds("demo/src/main.rs:8:", "a comment of 103 columns");
}
