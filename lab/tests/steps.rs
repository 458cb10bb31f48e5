//! The steps of the server that chapters 2 to 4 grow from an empty file, and their Python cousins:
//! the table of what each step holds is what the judge says.
//!
//! A page has the table under a comment, `<!-- steps: rust -->`. To write the tables anew:
//!
//! ```text
//! BLESS_STEPS=1 cargo test -p lab --test steps
//! ```

use judge::reading::root;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

const RUST: [&str; 10] = [
    "step_1_one_answer",
    "step_2_conversation",
    "step_3_goes_on",
    "step_4_no_delay",
    "step_5_nonblocking",
    "step_6_queue",
    "step_7_high_water",
    "step_8_select",
    "step_9_interest",
    "step_10_limits",
];

const PYTHON: [&str; 4] =
    ["step_1_one_answer.py", "step_2_conversation.py", "step_3_goes_on.py", "step_4_select.py"];

/// What the tables have a row for. A check that no step cures is not here, nor one that only says
/// the same once more.
const ROWS: [&str; 11] = [
    "echo",
    "byte_by_byte",
    "comes_and_goes",
    "closed_output",
    "no_delay",
    "interleaved",
    "resets",
    "never_reads",
    "idle_cpu",
    "out_of_descriptors",
    "many_clients",
];

/// The checks of a server that serves one client at a time mostly wait ten seconds for an answer
/// that does not come, so many of them can wait side by side.
const WAITING: usize = 16;

/// Steps 5 to 8 never sleep. The more of them run side by side, the longer all of them burn CPU.
const BUSY: usize = 5;

/// The first word of the report's line for each step and check: `ok`, `short`, `unseen`.
type Judged = BTreeMap<(&'static str, String), String>;

#[test]
fn each_step_holds_what_the_chapters_say() {
    let binaries = built(&RUST);
    let mut asked: Vec<_> = RUST.iter().flat_map(|&step| ROWS.map(|check| (step, check))).collect();
    let all = checks();
    let last = RUST[RUST.len() - 1];
    let others = all.iter().filter(|check| !ROWS.contains(&check.as_str()));
    asked.extend(others.map(|check| (last, check.as_str())));
    let (waiting, busy): (Vec<_>, Vec<_>) =
        asked.into_iter().partition(|(step, _)| RUST[..4].contains(step));
    let command = |step| vec![binaries[step].clone(), "127.0.0.1:0".into()];
    let judged = thread::scope(|scope| {
        let first = scope.spawn(|| judge(&waiting, WAITING, command));
        let mut judged = judge(&busy, BUSY, command);
        judged.extend(first.join().expect("it says itself why it panics"));
        judged
    });

    hold_table("rust", &RUST, &judged);
    hold_transcripts(&RUST, &judged);

    // The last step is a server like the course's own, whose one exception is select's nature.
    let of_last = |word: &str| -> Vec<_> {
        let is = |check: &&String| judged[&(last, (*check).clone())] == word;
        all.iter().filter(is).map(String::as_str).collect()
    };
    assert_eq!(of_last("short"), ["many_clients"]);
    let course = report(&["select", "--only", "many_clients"]);
    assert!(course.contains("\nexcept  many_clients "), "{course}");
    // What no command of another kind can be asked, and what this system does not let us see.
    let elsewhere = !cfg!(target_os = "linux");
    let unasked = ["refused_watch", "bad_command_line", "addresses"];
    assert!(elsewhere || of_last("unseen") == unasked, "{:?}", of_last("unseen"));
}

#[test]
fn each_python_step_holds_what_its_page_says() {
    let folder = root().join("docs/python");
    if !Command::new("python3").arg("--version").output().is_ok_and(|it| it.status.success()) {
        println!("not judged: there is no python3 here");
        return;
    }
    let asked: Vec<_> = PYTHON.iter().flat_map(|&step| ROWS.map(|check| (step, check))).collect();
    let command = |step| vec!["python3".into(), folder.join(step), "127.0.0.1:0".into()];
    let judged = judge(&asked, WAITING, command);
    hold_table("python", &PYTHON, &judged);
    hold_transcripts(&PYTHON, &judged);
}

/// A page shows whole pieces of the Python files.
#[test]
fn the_python_that_is_shown_is_the_python_that_is_judged() {
    let files = PYTHON.map(|step| read(&root().join("docs/python").join(step)));
    for page in pages() {
        let text = read(&page);
        let fences = text.split("```python\n").skip(1);
        for piece in fences.map(|rest| rest.split("```").next().unwrap_or(rest)) {
            let here = files.iter().any(|file| file.contains(piece));
            assert!(here, "{}: not in docs/python:\n{piece}", page.display());
        }
    }
}

/// Someone who types along has the whole program: what a step adds or changes is shown.
#[test]
fn the_pages_show_each_function_that_a_step_adds_or_changes() {
    for language in ["en", "zh"] {
        let pages: Vec<_> = pages()
            .into_iter()
            .filter(|page| page.parent().is_some_and(|folder| folder.ends_with(language)))
            .map(|page| read(&page))
            .collect();
        let mut known: Vec<String> = Vec::new();
        for (number, step) in (1..).zip(RUST) {
            let package = ["blocking", "nonblocking", "select"]
                [usize::from(number > 4) + usize::from(number > 7)];
            let items = items(&read(&root().join(format!("{package}/examples/{step}.rs"))));
            for item in &items {
                let shown = || pages.iter().any(|page| page.contains(item));
                assert!(known.contains(item) || shown(), "{language}: {step}: not shown:\n{item}");
            }
            known.extend(items);
        }
    }
}

/// The functions and structures of a source file, each as a page shows it: at the margin.
fn items(source: &str) -> Vec<String> {
    let lines: Vec<_> = source.lines().collect();
    let begins = |line: &&str| ["fn ", "struct "].iter().any(|word| line.starts_with(word));
    let item = |at: usize| {
        let indent = lines[at].len() - lines[at].trim_start().len();
        begins(&lines[at].trim_start()).then(|| {
            let body = lines[at..].iter().map(|line| line.get(indent..).unwrap_or_default());
            let length = body.clone().take_while(|line| *line != "}").count() + 1;
            body.take(length).collect::<Vec<_>>().join("\n")
        })
    };
    (0..lines.len()).filter_map(item).collect()
}

/// The versions in the page's Cargo.toml are those that the steps are built with.
#[test]
fn the_manifest_that_is_shown_is_the_one_that_builds_the_steps() {
    let workspace = read(&root().join("Cargo.toml"));
    let mut shown = 0;
    for page in pages() {
        let text = read(&page);
        for block in text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            let version = |line: &str| -> Option<(String, String)> {
                let (name, rest) = line.split_once(" = ")?;
                let version = rest.split('"').find(|part| part.contains('.'))?;
                Some((name.to_owned(), version.to_owned()))
            };
            let dependencies = block.lines().skip_while(|line| *line != "[dependencies]");
            for (name, version) in dependencies.filter_map(version) {
                let of_ours = |line: &&str| line.starts_with(&format!("{name} = "));
                let ours = workspace.lines().find(of_ours).unwrap_or_default();
                assert!(ours.contains(&format!("\"{version}\"")), "{}: {ours}", page.display());
                shown += 1;
            }
        }
    }
    assert_eq!(shown, 4, "nix and socket2, in two languages");
}

/// Builds the steps, and says where they are.
fn built(steps: &[&'static str]) -> BTreeMap<&'static str, PathBuf> {
    let place = |step: &&'static str| {
        let (binary, _) = judge::built::built_example(step).unwrap_or_else(|why| panic!("{why}"));
        (*step, binary)
    };
    steps.iter().map(place).collect()
}

/// The names of the checks of the contract. Behind an empty line are those of one program.
fn checks() -> Vec<String> {
    let list = report(&["--list"]);
    list.lines().map_while(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

/// What `lab check` prints.
fn report(args: &[&str]) -> String {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    // The report follows the language of the locale.
    let output = lab.env("LC_ALL", "C").arg("check").args(args).output().expect("lab starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Judges each step by each check, as a reader would.
fn judge(
    asked: &[(&'static str, &str)],
    at_a_time: usize,
    command: impl Fn(&'static str) -> Vec<PathBuf> + Sync,
) -> Judged {
    let waiting = Mutex::new(asked.iter());
    let judged = Mutex::new(Judged::new());
    let next = || waiting.lock().expect("nobody panics while taking").next();
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                while let Some(&(step, check)) = next() {
                    let words = command(step);
                    let words = words.iter().map(|word| word.to_str().expect("plain paths"));
                    let args: Vec<_> = ["--only", check, "--"].into_iter().chain(words).collect();
                    let report = report(&args);
                    let line = report.lines().find(|line| line.contains(&format!(" {check} ")));
                    let line = line.unwrap_or_else(|| panic!("{step}: {check}: {report}"));
                    // Shown by `cargo test -- --nocapture`.
                    println!("{step}: {line}");
                    let word = line.split(' ').next().unwrap_or_default().to_owned();
                    let mut judged = judged.lock().expect("nobody panics while adding");
                    judged.insert((step, check.to_owned()), word);
                }
            });
        }
    });
    judged.into_inner().expect("all threads have ended")
}

/// The tables of this name are what was judged, in each page that has one; or they become that.
fn hold_table(name: &str, steps: &[&'static str], judged: &Judged) {
    let row = |check: &str| {
        let cells = steps.iter().map(|step| match judged[&(*step, check.to_owned())].as_str() {
            "ok" => "ok",
            "unseen" => "?",
            _ => "·",
        });
        format!("| `{check}` | {} |", cells.collect::<Vec<_>>().join(" | "))
    };
    let expected = ROWS.map(row);
    let marker = format!("<!-- steps: {name} -->");
    let (mut tables, mut wrong) = (0, String::new());
    for page in pages() {
        let text = read(&page);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let Some(at) = lines.iter().position(|line| *line == marker) else { continue };
        tables += 1;
        // The comment, an empty line or none, the heads in the page's language, a line of dashes.
        let dashes = (at..lines.len()).find(|&n| lines[n].starts_with("|---"));
        let from = dashes.expect("a table under the comment") + 1;
        let length = lines[from..].iter().take_while(|line| line.starts_with("| `")).count();
        let shown = &lines[from..from + length];
        if length != ROWS.len() || shown.iter().zip(&expected).any(|(a, b)| differ(a, b)) {
            let (shown, judged) = (shown.join("\n"), expected.join("\n"));
            wrong += &format!("{}:{from}:\n{shown}\njudged:\n{judged}\n", page.display());
            lines.splice(from..from + length, expected.iter().cloned());
            if std::env::var_os("BLESS_STEPS").is_some() {
                std::fs::write(&page, lines.join("\n") + "\n").expect("a page can be written");
            }
        }
    }
    assert_eq!(tables, 2, "{name}: one table in each language");
    let blessed = std::env::var_os("BLESS_STEPS").is_some();
    assert!(wrong.is_empty() || blessed, "BLESS_STEPS=1 writes it anew:\n{wrong}");
}

/// Whether two rows differ in a cell that could be judged.
fn differ(shown: &str, judged: &str) -> bool {
    let (shown, judged) = (shown.split(" | "), judged.split(" | "));
    shown.clone().count() != judged.clone().count()
        || shown.zip(judged).any(|(a, b)| a != b && !b.starts_with('?'))
}

/// What the judge could not see is no difference, and hides none in the cells beside it.
#[test]
fn a_cell_that_was_not_judged_excuses_no_other() {
    assert!(!differ("| `echo` | · | ok | ok |", "| `echo` | · | ? | ? |"));
    assert!(differ("| `echo` | · | ok | ok |", "| `echo` | ok | ? | ok |"));
    assert!(differ("| `echo` | · | ok |", "| `echo` | · | ok | ok |"));
}

/// Where a page shows a check of a step, it shows the verdict that was given. The figures behind it
/// vary.
fn hold_transcripts(steps: &[&'static str], judged: &Judged) {
    let mut shown = 0;
    for page in pages() {
        let text = read(&page);
        let lines: Vec<_> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let command = line.strip_prefix("$ cargo run -p lab -- check --only ");
            let Some((check, program)) = command.and_then(|rest| rest.split_once(" -- ")) else {
                continue;
            };
            let step = program.rsplit('/').next().unwrap_or_default();
            let Some(step) = steps.iter().find(|name| **name == step) else { continue };
            let below = lines[number + 1..].iter().take_while(|line| !line.starts_with("```"));
            let line = below.copied().find(|line| line.contains(&format!(" {check} ")));
            let said = line.and_then(|line| line.split(' ').next()).unwrap_or_default();
            let judged = judged.get(&(*step, check.to_owned())).map_or("not judged", |word| word);
            assert_eq!(said, judged, "{}:{}: {check} of {step}", page.display(), number + 1);
            shown += 1;
        }
    }
    assert!(shown >= steps.len(), "{shown} checks are shown");
}

fn pages() -> Vec<PathBuf> {
    let folders = ["docs/en", "docs/zh"].map(|folder| root().join(folder));
    let entries = folders.iter().flat_map(|folder| folder.read_dir().expect("it is there"));
    let mut pages: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    pages.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    pages.sort();
    pages
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
