//! The exercises: each skeleton compiles, serves a little and falls short, and each shortfall says
//! where to read on.
//!
//! What each solution holds, all of it, is tested by its package; which package that is, and that
//! the sections to read exist in both languages, in `lab/src/exercise/course.rs`.

use judge::reading::root;
use std::process::{Command, Output};
use std::thread;

fn exercise(args: &[&str]) -> Command {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    // The report follows the language of the locale.
    lab.env("LC_ALL", "C");
    lab.arg("exercise").args(args);
    lab
}

fn output(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("lab starts");
    let text = |bytes| String::from_utf8(bytes).expect("reports are text");
    (status.code(), text(stdout), text(stderr))
}

/// An exercise, what its skeleton falls short of, whatever the machine is busy with, and what it
/// holds: its subject, and enough to see that it serves. Most of the others would wait ten seconds
/// each for answers.
type Declared = (&'static str, &'static [&'static str], &'static [&'static str]);

const SKELETONS: &[Declared] = &[
    ("blocking", &["echo"], &["asleep_in", "restart"]),
    ("nonblocking", &["interleaved"], &["echo", "no_delay"]),
    ("select", &["echo", "comes_and_goes"], &["addresses"]),
    ("poll", &["echo"], &["addresses", "closed_output"]),
    ("selectors", &["echo"], &["addresses", "closed_output"]),
    ("coroutines", &["interleaved"], &["echo", "asleep_in"]),
    ("deadlines", &["silent", "slow_message", "unread_answers"], &["echo", "half_close"]),
    ("proxy", &["half_close", "data_with_fin", "resets", "never_reads"], &["echo", "asleep_in"]),
    #[cfg(target_os = "linux")]
    ("epoll", &["echo", "stop_continue"], &["addresses"]),
    #[cfg(target_os = "linux")]
    ("uring", &["echo"], &["addresses", "closed_output"]),
];

#[test]
fn each_skeleton_falls_short_and_says_what_helps() {
    thread::scope(|scope| {
        for declared in SKELETONS {
            scope.spawn(|| falls_short(*declared));
        }
    });
}

fn falls_short((name, short, held): Declared) {
    let mut command = exercise(&[name, "--skeleton"]);
    for check in short.iter().chain(held) {
        command.args(["--only", check]);
    }
    let (status, stdout, stderr) = output(command);
    assert_eq!((status, stderr.as_str()), (Some(1), ""), "{name}: {stdout}");
    let lines: Vec<&str> = stdout.lines().collect();
    let found = |word: &str| {
        let of_that_word = lines.iter().filter(|line| line.starts_with(word));
        of_that_word.filter_map(|line| line.split_whitespace().nth(1)).collect::<Vec<_>>()
    };
    assert_eq!(found("short "), *short, "{name}: {stdout}");
    // Where the system does not let us see in what a server sleeps, that is no fault of its.
    let judged = [found("ok "), found("unseen ")].concat();
    assert!(held.iter().all(|check| judged.contains(check)), "{name}: {stdout}");
    for (line, below) in lines.iter().zip(&lines[1..]) {
        if line.starts_with("short ") {
            let section = below.trim_start().strip_prefix("read docs/en/");
            let (page, fragment) = section.and_then(|s| s.split_once('#')).unwrap_or_default();
            assert!(root().join("docs/en").join(page).is_file(), "{name}: {below}");
            assert!(!fragment.is_empty(), "{name}: {below}");
        }
    }
    let next = format!("next: {}, in ", short[0]);
    assert!(lines.last().is_some_and(|line| line.starts_with(&next)), "{name}: {stdout}");
}

#[test]
fn a_solution_holds_all_that_the_exercise_asks() {
    let (status, stdout, stderr) = output(exercise(&["blocking", "--solution", "--all"]));
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(!stdout.contains("\nshort "), "{stdout}");
    // One client at a time is the lesson, and not what the learner has to mend.
    assert!(stdout.contains("\nexcept  interleaved "), "{stdout}");
    assert!(stdout.ends_with(" hold: all. It is blocking/src/lib.rs\n"), "{stdout}");
    let select = ["select", "--solution", "--only", "echo", "--only", "many_clients"];
    let (status, stdout, _) = output(exercise(&select));
    assert_eq!(status, Some(0), "{stdout}");
    assert!(stdout.ends_with("1 of 1 hold: all. It is select/src/main.rs\n"), "{stdout}");
}

/// The learner's server may end at any moment; the judge says so, and goes on.
#[cfg(target_os = "linux")]
#[test]
fn a_server_that_dies_in_the_middle_of_a_check_is_a_shortfall() {
    use std::time::{Duration, Instant};

    let mut command = exercise(&["select", "--skeleton", "--only", "echo", "--only", "addresses"]);
    let lab = command.stdout(std::process::Stdio::piped()).spawn().expect("lab starts");
    // Servers come and go. The one that stays is waited for in vain, for ten seconds.
    let deadline = Instant::now() + Duration::from_secs(300);
    let (mut server, mut since) = (0, Instant::now());
    while server == 0 || since.elapsed() < Duration::from_secs(3) {
        assert!(Instant::now() < deadline, "nothing is judged");
        let now = child_of(lab.id(), "exercise_select").unwrap_or(0);
        if now != server {
            (server, since) = (now, Instant::now());
        }
        thread::sleep(Duration::from_millis(10));
    }
    let server = nix::unistd::Pid::from_raw(server);
    nix::sys::signal::kill(server, nix::sys::signal::Signal::SIGKILL).expect("it runs");
    let killed = Instant::now();
    let output = lab.wait_with_output().expect("it ends");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert!(stdout.contains("\nshort   echo ") && stdout.contains("SIGKILL"), "{stdout}");
    assert!(stdout.contains("\nok      addresses "), "the next check has a server: {stdout}");
    assert!(killed.elapsed() < Duration::from_secs(60), "{:?}", killed.elapsed());
}

/// A child process of that name.
#[cfg(target_os = "linux")]
fn child_of(parent: u32, name: &str) -> Option<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).ok()?.flatten();
    let children: String = tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .collect();
    let named = |pid: &i32| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        comm.trim_end() == name
    };
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(named)
}

#[test]
fn the_list_has_each_exercise_in_the_order_of_the_course() {
    for (language, first) in [("en", "chapter 2 "), ("zh", "第 2 章 ")] {
        let (status, stdout, stderr) = output(exercise(&["--lang", language]));
        assert_eq!((status, stderr.as_str()), (Some(0), ""));
        let lines: Vec<&str> = stdout.lines().collect();
        assert!(lines[0].starts_with("blocking ") && lines[0].contains(first), "{stdout}");
        assert!(lines.iter().all(|line| line.contains("/examples/exercise_")), "{stdout}");
        assert_eq!(lines.len(), 10, "{stdout}");
    }
}

#[test]
fn bad_usage_is_one_line_and_status_2() {
    for (args, words) in [
        (&["no_such_exercise"][..], "no exercise 'no_such_exercise': there are blocking, "),
        (&["select", "--only", "no_such_check"], "invalid value 'no_such_check'"),
        (&["--all"], "required arguments"),
        (&["select", "--hint", "--all"], "cannot be used with"),
    ] {
        let (status, stdout, stderr) = output(exercise(args));
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
}

#[test]
fn the_steps_are_told_in_the_readers_language() {
    for (language, first) in [("en", "Step 1. One send of what is queued"), ("zh", "第 1 步。")]
    {
        let (status, stdout, stderr) = output(exercise(&["select", "--hint", "--lang", language]));
        assert_eq!((status, stderr.as_str()), (Some(0), ""));
        assert!(stdout.starts_with(first), "{stdout}");
    }
}
