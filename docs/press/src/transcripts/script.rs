//! What stands in the comment above a transcript: how it came to be, in words.
//!
//! ```text
//! <!-- run: select --reply received | a connects; a says hello; a leaves -->
//! <!-- run: strace -e trace=poll,recvfrom poll --quiet | a connects; a resets -->
//! <!-- run, any numbers: nonblocking | a connects; a leaves -->
//! <!-- output -->
//! <!-- run: proxy --to poll | a connects; a says hello; a leaves -->
//! ```
//!
//! What a program hands on to (`--to`) is started before it, and is called 127.0.0.1:8002.
//! A client has one letter. In what it says, `\n` is a newline, and `\x05` the byte of that number.
//! `server stops` and `server continues` are Ctrl-Z and fg. `runs` is another program, with the
//! server's address in front of its arguments; `unseen` does not show it.

use super::super::manifests::Package;
use std::time::Duration;

/// How the transcript under it came to be.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Script {
    pub source: Source,
    /// What it counts or times differs from run to run: a number has to be there, any will do.
    pub any_numbers: bool,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Source {
    /// The commands of the block, as they stand there; they end by themselves.
    Output,
    /// A server, and what its clients and its operator do.
    Run(Run),
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Run {
    /// strace and its options, to stand in front; mostly empty.
    pub tracer: Vec<String>,
    pub program: Program,
    pub args: Vec<String>,
    /// What stands for an address behind `--to`, at this place among the arguments.
    pub behind: Option<(usize, Program)>,
    pub steps: Vec<Step>,
}

/// A program of the course, as cargo knows it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Program {
    pub package: String,
    pub binary: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Step {
    Connects(char),
    Says(char, Vec<u8>),
    /// It sends no more, and stays.
    Ends(char),
    /// It has read what came.
    Leaves(char),
    /// It breaks off.
    Resets(char),
    Stops,
    Continues,
    /// A line at the server's keyboard.
    Types(String),
    CtrlC,
    CtrlD,
    Waits(Duration),
    /// Another program, with the server's address in front of `args`, until it ends.
    Runs {
        program: Program,
        args: Vec<String>,
        shown: bool,
    },
}

/// What `comment` says, if it is of this kind; or what is wrong with it.
pub(super) fn parse(comment: &str, packages: &[Package]) -> Option<Result<Script, String>> {
    let (head, rest) = match comment.split_once(':') {
        Some((head, rest)) => (head.trim(), Some(rest)),
        None => (comment.trim(), None),
    };
    let (kind, numbers) = match head.split_once(',') {
        Some((kind, numbers)) => (kind.trim(), Some(numbers.trim())),
        None => (head, None),
    };
    let source = match (kind, rest) {
        ("run", Some(rest)) => run(rest, packages).map(Source::Run),
        ("output", None) => Ok(Source::Output),
        ("run", None) => Err("expected `run: PROGRAM | STEP; STEP`".to_owned()),
        ("output", Some(_)) => Err("nothing follows `output`: it runs the commands below".into()),
        _ => return None,
    };
    Some(source.and_then(|source| match numbers {
        None | Some("any numbers") => Ok(Script { source, any_numbers: numbers.is_some() }),
        Some(other) => Err(format!("“{other}” should be `any numbers`")),
    }))
}

fn run(text: &str, packages: &[Package]) -> Result<Run, String> {
    let (command, steps) = text.split_once('|').unwrap_or((text, ""));
    let words: Vec<_> = command.split_whitespace().collect();
    let traced = words.first() == Some(&"strace");
    // The options of strace come before the program, and none of them is the name of one.
    let at =
        if traced { words.iter().position(|word| named(word, packages).is_ok()) } else { Some(0) };
    let at = at.ok_or("strace, and no program of the course behind its options")?;
    let name = words.get(at).ok_or("no program")?;
    let program = named(name, packages)?;
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let steps = steps.split(';').map(str::trim).filter(|step| !step.is_empty());
    let steps: Result<Vec<_>, _> = steps.map(|text| step(text, packages)).collect();
    let args = &words[at + 1..];
    let to = args.iter().position(|&word| word == "--to").map(|to| to + 1);
    let behind = to.and_then(|to| Some((to, named(args.get(to)?, packages).ok()?)));
    let (tracer, args) = (owned(&words[..at]), owned(args));
    Ok(Run { tracer, program, args, behind, steps: steps? })
}

fn named(name: &str, packages: &[Package]) -> Result<Program, String> {
    let package = packages.iter().find(|package| package.binaries.iter().any(|b| b == name));
    let package = package.ok_or_else(|| format!("there is no program {name}"))?;
    Ok(Program { package: package.name.clone(), binary: name.to_owned() })
}

fn step(text: &str, packages: &[Package]) -> Result<Step, String> {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut letters = first.chars();
    let client = letters.next().filter(|c| c.is_ascii_lowercase() && letters.next().is_none());
    if let Some(client) = client {
        let (verb, object) = rest.split_once(' ').unwrap_or((rest, ""));
        return match (verb, object) {
            ("connects", "") => Ok(Step::Connects(client)),
            ("says", text) if !text.is_empty() => Ok(Step::Says(client, unescaped(text)?)),
            ("ends", "") => Ok(Step::Ends(client)),
            ("leaves", "") => Ok(Step::Leaves(client)),
            ("resets", "") => Ok(Step::Resets(client)),
            _ => Err(format!("“{text}”: a client connects, says TEXT, ends, leaves or resets")),
        };
    }
    match (first, rest) {
        ("server", "stops") => Ok(Step::Stops),
        ("server", "continues") => Ok(Step::Continues),
        ("types", "Ctrl-C") => Ok(Step::CtrlC),
        ("types", "Ctrl-D") => Ok(Step::CtrlD),
        ("types", line) if !line.is_empty() => Ok(Step::Types(line.to_owned())),
        ("waits", time) => {
            let seconds = time.strip_suffix(" s").and_then(|time| time.parse().ok());
            let seconds = seconds.filter(|seconds| (0.0..=10.0).contains(seconds));
            let seconds = seconds.ok_or_else(|| format!("“{text}” should be `waits 0.5 s`"))?;
            Ok(Step::Waits(Duration::from_secs_f64(seconds)))
        }
        ("runs", command) => {
            let (command, shown) = match command.strip_suffix(" unseen") {
                Some(command) => (command, false),
                None => (command, true),
            };
            let mut words = command.split_whitespace();
            let program = named(words.next().unwrap_or_default(), packages)?;
            Ok(Step::Runs { program, args: words.map(str::to_owned).collect(), shown })
        }
        _ => Err(format!(
            "“{text}” is no step: `a connects`, `server stops` or `continues`, `types LINE`, \
             `waits 1 s`, `runs PROGRAM`"
        )),
    }
}

/// The bytes of what a client says.
fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut pieces = text.split('\\');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let number = piece.get(1..3).filter(|_| piece.starts_with('x'));
        let (byte, rest) = match number.map(|digits| u8::from_str_radix(digits, 16)) {
            Some(Ok(byte)) => (byte, &piece[3..]),
            _ if piece.starts_with('n') => (b'\n', &piece[1..]),
            _ => return Err(format!("“\\{piece}”: `\\n` or `\\x05` is known")),
        };
        bytes.push(byte);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(comment: &str) -> Result<Script, String> {
        let packages = super::super::super::manifests::packages(&judge::reading::root());
        parse(comment, &packages).expect("a comment of this kind")
    }

    #[test]
    fn a_run_is_a_program_its_arguments_and_steps() {
        let script = read("run, any numbers: select --quiet | a connects; a says b; c; types 1 d");
        assert!(script.is_err(), "`c` is no step: a semicolon ends what is said");
        let script = read("run, any numbers: select --quiet | a connects; a says b c; types 1 d");
        let script = script.expect("all of it is known");
        let Source::Run(run) = script.source else { panic!("a run") };
        assert_eq!((run.program.package.as_str(), run.args.len()), ("select", 1));
        let said = Step::Says('a', b"b c".to_vec());
        assert_eq!(run.steps, [Step::Connects('a'), said, Step::Types("1 d".to_owned())]);
        assert!(script.any_numbers);
    }

    #[test]
    fn bytes_that_are_no_text_are_said_too() {
        assert_eq!(unescaped(r"\x00\x02hi\n你").expect("known"), "\0\u{2}hi\n你".as_bytes());
    }

    #[test]
    fn strace_stands_before_the_program_with_its_options() {
        let script = read("run: strace -e trace=poll,select poll --quiet").expect("known");
        let Source::Run(run) = script.source else { panic!("a run") };
        assert_eq!(run.tracer, ["strace", "-e", "trace=poll,select"]);
        assert_eq!((run.program.binary.as_str(), run.args), ("poll", vec!["--quiet".to_owned()]));
    }

    #[test]
    fn what_it_hands_on_to_is_a_program_too() {
        let script = read("run: proxy --quiet --to poll").expect("known");
        let Source::Run(run) = script.source else { panic!("a run") };
        let behind = run.behind.map(|(at, program)| (at, program.binary));
        assert_eq!(behind, Some((2, "poll".to_owned())));
    }

    #[test]
    fn another_program_has_arguments_and_may_be_unseen() {
        let script = read("run: select | runs client_parts; runs connect_first --timeout 1 unseen");
        let Source::Run(run) = script.expect("known").source else { panic!("a run") };
        let [
            Step::Runs { shown: true, args: none, .. },
            Step::Runs { program, args, shown: false },
        ] = run.steps.as_slice()
        else {
            panic!("{:?}", run.steps)
        };
        assert!(none.is_empty());
        assert_eq!(
            (program.binary.as_str(), args.join(" ")),
            ("connect_first", "--timeout 1".into())
        );
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (comment, words) in [
            ("run: selekt | a connects", "no program selekt"),
            ("run: select | a waves", "“a waves”"),
            ("run: select | somebody connects", "is no step"),
            ("run: select | a says \\t", "is known"),
            ("run: select | waits long", "should be `waits 0.5 s`"),
            ("run: strace -c", "no program of the course"),
            ("run, some numbers: select", "any numbers"),
            ("run", "PROGRAM"),
            ("output: ls", "nothing follows"),
        ] {
            let why = read(comment).expect_err(comment);
            assert!(why.contains(words), "{comment}: {why}");
        }
        assert!(parse("code: a.rs#b", &[]).is_none());
    }
}
