//! The commands that the pages tell to type: the same in both languages, and possible.

use super::Problem;
use super::chapters::{Course, Pair};
use super::manifests::{Package, packages};
use super::page::{Fence, Page};
use std::path::Path;

/// Both pages have the same code blocks, with the same commands, and `cargo` finds what these
/// commands name.
#[must_use]
pub fn commands(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    for [en, zh] in course.pairs.iter().filter_map(Pair::both) {
        problems.extend(difference(en, zh));
    }
    let packages = packages(&course.root);
    for page in course.pages() {
        let fences = page.fences.iter().filter(|fence| fence.info == "console");
        let typed = fences.flat_map(|fence| {
            let lines = (fence.line + 1..).zip(fence.body.lines());
            lines.filter_map(|(line, text)| Some((line, text.strip_prefix("$ ")?, true)))
        });
        let named = page.spans.iter().map(|(line, text)| (*line, text.as_str(), false));
        for (line, text, typed) in typed.chain(named) {
            for command in text.split(['|', ';', '&']) {
                if let Err(message) = judge(&course.root, &packages, command, typed) {
                    let message = format!("`{}`: {message}", command.trim());
                    problems.push(Problem::new(&page.path, line, message));
                }
            }
        }
    }
    problems
}

/// The first code block that is not the same in both languages.
fn difference(en: &Page, zh: &Page) -> Option<Problem> {
    let others = |page| Page::fences_written(page).collect::<Vec<_>>();
    let (ours, theirs) = (others(en), others(zh));
    let count = ours.len().max(theirs.len());
    (0..count).find_map(|index| {
        let message = match (ours.get(index), theirs.get(index)) {
            (Some(a), Some(b)) if a.info != b.info => {
                let (a, at, b) = (&a.info, a.line, &b.info);
                format!("this block is “{b}”, and in {}:{at} it is “{a}”", en.path)
            }
            (Some(a), Some(b)) => {
                let (typed, other) = (typed(a), typed(b));
                // The laboratory speaks both languages.
                let same = |c: &&str| c.strip_suffix(" --lang zh").unwrap_or(c).to_owned();
                let differs = |i: &usize| typed.get(*i).map(same) != other.get(*i).map(same);
                let command = (0..typed.len().max(other.len())).find(differs)?;
                let what = |of: &[&str]| of.get(command).map_or("none", |c| c).to_owned();
                let (a, b) = (what(&typed), what(&other));
                format!("command {} is `{b}`, and in {} it is `{a}`", command + 1, en.path)
            }
            _ => format!("{} code blocks, and in {} {}", theirs.len(), en.path, ours.len()),
        };
        let line = theirs.get(index).map_or(1, |fence| fence.line);
        Some(Problem::new(&zh.path, line, message))
    })
}

impl Page {
    /// The code blocks that are not snippets.
    fn fences_written(&self) -> impl Iterator<Item = &Fence> {
        self.fences.iter().filter(|fence| !fence.derived)
    }
}

/// What a reader types in a block: its `$ ` lines, without the remark behind (`  # why`), which is
/// in the page's language.
fn typed(fence: &Fence) -> Vec<&str> {
    if fence.info != "console" {
        return Vec::new();
    }
    let commands = fence.body.lines().filter_map(|line| line.strip_prefix("$ "));
    commands.map(|line| line.split("  #").next().unwrap_or(line).trim_end()).collect()
}

/// Whether cargo finds the package, and the binary or the example, that `command` names.
fn judge(root: &Path, packages: &[Package], command: &str, typed: bool) -> Result<(), String> {
    let mut words = command.split_whitespace().skip_while(|word| *word != "cargo").skip(1);
    let Some(verb @ ("run" | "test" | "build")) = words.next() else {
        return Ok(());
    };
    let (mut package, mut binary, mut example) = (None, None, None);
    // What is after -- belongs to the program.
    let mut words = words.take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        match word {
            "-p" | "--package" => package = words.next(),
            "--bin" => binary = words.next(),
            "--example" => example = words.next(),
            // A workspace of its own, where our names mean nothing.
            "--manifest-path" => {
                let manifest = words.next().unwrap_or_default();
                let there = root.join(manifest).is_file();
                return there.then_some(()).ok_or(format!("there is no manifest {manifest}"));
            }
            _ => {}
        }
    }
    // `--bin NAME` and `--bin <name>` stand for any of them.
    let in_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    let is_name = |name: &&str| name.chars().all(in_a_name);
    let among: Vec<_> = packages.iter().filter(|p| package.is_none_or(|n| n == p.name)).collect();
    if let (Some(name), true) = (package.filter(is_name), among.is_empty()) {
        return Err(format!("the workspace has no package {name}"));
    }
    if let Some(name) = binary.filter(is_name) {
        if !among.iter().any(|p| p.binaries.iter().any(|b| b == name)) {
            return Err(format!("there is no binary {name}"));
        }
    }
    if let Some(name) = example.filter(is_name) {
        if !among.iter().any(|p| p.examples.iter().any(|e| e == name)) {
            return Err(format!("there is no example {name}"));
        }
    }
    if verb == "run" && binary.or(example).is_none() {
        match (package, among.as_slice()) {
            (None, _) if typed => return Err("say which: add -p NAME or --bin NAME".to_owned()),
            (Some(name), [one]) if !one.runs() => {
                return Err(format!("{name} has no binary, or several and no default-run"));
            }
            _ => {}
        }
    }
    Ok(())
}
