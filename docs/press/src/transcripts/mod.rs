//! Transcripts are real: the comment above one says how it came to be, and it can come to be again.
//!
//! `press` reads these comments; `press --transcripts` does what they say, and with `--bless`
//! writes down what was seen where the page says otherwise. What varies from run to run (the
//! clients' ports) does not count, so that a page changes only when what it shows does.

mod compare;
mod script;
mod terminal;

use super::chapters::{Course, Pair};
use super::manifests::packages;
use super::page::{Fence, Page};
use super::{Problem, write};
use compare::{Parting, compare};
use judge::check::subject::{Fault, unseen};
use script::{Script, Source};
use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// How long a program is silent before the next step. A machine that has other things to do gets
/// another try, and more time: it must not be what a page is wrong for.
const QUIET: [Duration; 3] =
    [Duration::from_millis(40), Duration::from_millis(250), Duration::from_millis(1000)];

/// They mostly wait.
const AT_A_TIME: usize = 6;

/// A transcript with its comment.
struct Mark<'a> {
    page: &'a Page,
    fence: &'a Fence,
    script: Script,
    parts: Vec<Part>,
}

/// A command of a block, and the lines of the block that it printed, counted from 0.
struct Part {
    command: String,
    shown: Range<usize>,
}

/// Every comment above a transcript is understood, and is the same in both languages.
#[must_use]
pub fn transcripts(course: &Course) -> Vec<Problem> {
    let (_, mut problems) = marks(course);
    for [en, zh] in course.pairs.iter().filter_map(Pair::both) {
        let (ours, theirs) = (comments(en), comments(zh));
        let text = |of: &[(usize, String)], i: usize| of.get(i).map(|(_, text)| text.clone());
        let count = ours.len().max(theirs.len());
        let Some(i) = (0..count).find(|&i| text(&ours, i) != text(&theirs, i)) else { continue };
        let [here, there] =
            [&theirs, &ours].map(|of| text(of, i).unwrap_or_else(|| "missing".to_owned()));
        let line = theirs.get(i).map_or(1, |(line, _)| *line);
        let message = format!("transcript {} is “{here}”, and in {} “{there}”", i + 1, en.path);
        problems.push(Problem::new(&zh.path, line, message));
    }
    problems
}

/// The comments that may be of this kind: those above a block, and `run:` and `output` anywhere.
fn comments(page: &Page) -> Vec<(usize, String)> {
    let lines = (1..).zip(page.text.lines());
    let comment = |(line, text): (usize, &str)| {
        let text = text.strip_prefix("<!--")?.strip_suffix("-->")?.trim();
        let ours = text.starts_with("run") || text.starts_with("output");
        ours.then(|| (line, text.to_owned()))
    };
    lines.filter_map(comment).collect()
}

/// The transcripts with comments that are understood, and what is wrong with the others.
fn marks(course: &Course) -> (Vec<Mark<'_>>, Vec<Problem>) {
    let packages = packages(&course.root);
    let (mut marks, mut problems) = (Vec::new(), Vec::new());
    for page in course.pages() {
        for (line, text) in comments(page) {
            let Some(script) = script::parse(&text, &packages) else { continue };
            let fence = page.fences.iter().find(|fence| fence.line == line + 1);
            let mark = script.and_then(|script| {
                let block = "a ```console or ```text block at the margin has to follow at once";
                let fence =
                    fence.filter(|fence| ["console", "text"].contains(&fence.info.as_str()));
                let fence = fence.ok_or(block)?;
                let parts = parts(fence);
                let shown = parts.iter().filter(|part| !part.shown.is_empty()).count();
                match script.source {
                    Source::Run(_) if shown != 1 => {
                        Err("a run has one transcript in its block".into())
                    }
                    Source::Output if fence.info != "console" => {
                        Err("the output of which commands? they stand in a ```console block".into())
                    }
                    _ => Ok(Mark { page, fence, script, parts }),
                }
            });
            match mark {
                Ok(mark) => marks.push(mark),
                Err(message) => problems.push(Problem::new(&page.path, line, message)),
            }
        }
    }
    (marks, problems)
}

/// A block of text is one part; in a console the `$ ` lines begin one.
fn parts(fence: &Fence) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut lines = fence.body.lines().enumerate().peekable();
    if fence.info != "console" {
        parts.push(Part { command: String::new(), shown: 0..fence.body.lines().count() });
        return parts;
    }
    while let Some((at, line)) = lines.next() {
        let Some(command) = line.strip_prefix("$ ") else {
            if parts.is_empty() {
                parts.push(Part { command: String::new(), shown: at..at });
            }
            parts.last_mut().expect("just made").shown.end = at + 1;
            continue;
        };
        let mut part = Part { command: command.to_owned(), shown: at + 1..at + 1 };
        // A here-document belongs to its command.
        if let Some((_, word)) = command.split_once("<<") {
            let end = word.split_whitespace().next().unwrap_or_default().trim_matches('\'');
            for (at, line) in lines.by_ref() {
                part.command = part.command + "\n" + line;
                part.shown = at + 1..at + 1;
                if line == end {
                    break;
                }
            }
        }
        parts.push(part);
    }
    parts
}

/// What a replay has found.
#[derive(Debug, Default)]
pub struct Replay {
    /// How many transcripts were compared.
    pub compared: usize,
    /// Pages that show what does not happen.
    pub problems: Vec<Problem>,
    /// What cannot be seen here, and why.
    pub left_out: Vec<Problem>,
}

/// Does again what the transcripts under `root` show, and compares; with `bless` writes down what
/// was seen where that differs.
///
/// # Errors
///
/// A file that cannot be read or written.
pub fn replay(root: &Path, bless: bool) -> io::Result<Replay> {
    let course = Course::read(root)?;
    let mut replay = Replay::default();
    let (marks, _) = marks(&course);
    // The same commands in both languages are one run.
    let mut runs: HashMap<(&Script, Vec<&str>), Vec<&Mark<'_>>> = HashMap::new();
    for mark in &marks {
        let commands = mark.parts.iter().map(|part| part.command.as_str()).collect();
        runs.entry((&mark.script, commands)).or_default().push(mark);
    }
    let waiting = Mutex::new(runs.into_values());
    let done = Mutex::new(Vec::new());
    let next = || waiting.lock().expect("nobody panics while taking").next();
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(marks) = next() {
                    let seen = seen(&course.root, &marks);
                    done.lock().expect("nobody panics while adding").push((marks, seen));
                }
            });
        }
    });
    let mut edits = Vec::new();
    for (marks, seen) in done.into_inner().expect("all threads have ended") {
        for mark in marks {
            let problem = |line, message| Problem::new(&mark.page.path, line, message);
            match &seen {
                Err(Fault::Unseen(why)) => {
                    replay.left_out.push(problem(mark.fence.line, why.clone()));
                }
                Err(Fault::Short(why)) => {
                    replay.problems.push(problem(mark.fence.line, why.clone()))
                }
                Ok(shown) => {
                    replay.compared += 1;
                    for (index, parting) in mark.partings(shown) {
                        let line =
                            mark.fence.line + 1 + mark.parts[index].shown.start + parting.line;
                        if bless {
                            edits.push((mark.page, mark.edit(index, &parting, &shown[index])));
                        } else {
                            replay.problems.push(problem(line, words(&parting)));
                        }
                    }
                }
            }
        }
    }
    edit(&course, edits)?;
    replay.problems.sort();
    replay.left_out.sort();
    Ok(replay)
}

/// What one run of what all of `marks` show has shown, for each command.
fn seen(root: &Path, marks: &[&Mark<'_>]) -> Result<Vec<String>, Fault> {
    if !cfg!(target_os = "linux") {
        return unseen("the transcripts are from Linux");
    }
    let run = match &marks[0].script.source {
        Source::Output => {
            let commands: Vec<_> = marks[0].parts.iter().map(|part| &*part.command).collect();
            return terminal::outputs(root, &commands);
        }
        Source::Run(run) => run,
    };
    let parts = &marks[0].parts;
    let play = |quiet| {
        let text = terminal::played(run, quiet)?;
        let mut shown = vec![String::new(); parts.len()];
        let index = parts.iter().position(|part| !part.shown.is_empty());
        shown[index.expect("it was looked for above")] = text;
        Ok(shown)
    };
    let agree = |shown: &Result<Vec<String>, Fault>| match shown {
        Ok(shown) => marks.iter().all(|mark| mark.partings(shown).is_empty()),
        Err(fault) => matches!(fault, Fault::Unseen(_)),
    };
    let [first, again @ ..] = QUIET;
    again.iter().fold(play(first), |shown, &quiet| if agree(&shown) { shown } else { play(quiet) })
}

impl Mark<'_> {
    /// The lines that one of the parts shows.
    fn lines(&self, part: &Part) -> Vec<&str> {
        self.fence.body.lines().skip(part.shown.start).take(part.shown.len()).collect()
    }

    /// Where the page and what was shown part, for each part.
    fn partings(&self, shown: &[String]) -> Vec<(usize, Parting)> {
        let whole = self.script.source == Source::Output;
        let parting = |(index, (part, shown)): (usize, (&Part, &String))| {
            // A part of a run without a transcript is a command that started it.
            if !whole && part.shown.is_empty() {
                return None;
            }
            let run: Vec<_> = shown.lines().collect();
            let compared = compare(&self.lines(part), &run, whole, self.script.any_numbers);
            Some((index, compared.err()?))
        };
        self.parts.iter().zip(shown).enumerate().filter_map(parting).collect()
    }

    /// The lines of the page, counted from 0, and what to put there.
    fn edit(&self, index: usize, parting: &Parting, shown: &str) -> (Range<usize>, String) {
        let first = self.fence.line + self.parts[index].shown.start;
        let lines = shown.lines().skip(parting.run.start).take(parting.run.len());
        let text = lines.flat_map(|line| [line, "\n"]).collect();
        (first + parting.page.start..first + parting.page.end, text)
    }
}

fn words(parting: &Parting) -> String {
    let mend =
        "run `press --transcripts --bless` and look at the difference, or correct the comment";
    match &parting.instead {
        Some(line) => format!("this line is “{line}” when it is done again: {mend}"),
        None => format!("nothing like this is seen when it is done again: {mend}"),
    }
}

fn edit(course: &Course, mut edits: Vec<(&Page, (Range<usize>, String))>) -> io::Result<()> {
    // From the last, so that the lines of those before keep their numbers.
    edits.sort_by_key(|(_, (lines, _))| std::cmp::Reverse(lines.start));
    for page in course.pages() {
        let mut lines: Vec<&str> = page.text.split_inclusive('\n').collect();
        for (_, (range, text)) in edits.iter().filter(|(of, _)| of.path == page.path) {
            lines.splice(range.clone(), [text.as_str()]);
        }
        write(&course.root, &page.path, &lines.concat())?;
    }
    Ok(())
}
