//! `lab timeline`, as one types it.

use std::process::{Command, Output};
use tempfile::TempDir;

fn lab(words: &[&str]) -> Command {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    // The report follows the language of the locale.
    lab.env("LC_ALL", "C");
    lab.arg("timeline").args(words);
    lab
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

/// Each line that the script makes a client say is in the trace, in the order of the script; and
/// without a strace that may trace, one line says what is missing.
#[test]
fn a_run_of_select_is_recorded_and_drawn() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().to_str().expect("a plain name");
    let output = lab(&["select", "--output", path, "--lang", "zh"]).output().expect("lab runs");
    if !output.status.success() {
        let words = said(&output);
        assert!(words.contains("strace") && words.lines().count() == 1, "{words}");
        return;
    }
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
    let trace = read("select.trace");
    let deeds = ["A        connect", "B        connect", "B        send \"hi\""];
    let more = ["A        send \"hello\"", "A        recv \"hello\"", "A        close"];
    let mut rest = trace.as_str();
    for deed in deeds.iter().chain(&more) {
        rest = rest.split_once(deed).unwrap_or_else(|| panic!("no {deed} in\n{trace}")).1;
    }
    assert!(trace.contains("B        recv \"hi\""), "{trace}");
    for call in ["select", "accept", "recv", "send", "{client A}", "{client B}"] {
        assert!(trace.contains(call), "no {call} in\n{trace}");
    }
    // Nothing of this machine: no address, no port, no place in memory, no path.
    let lines: String = trace.lines().filter(|line| !line.starts_with('#')).collect();
    for secret in ["127.0.0.1", "htons", "0x", "/"] {
        assert!(!lines.contains(secret), "{secret} in\n{trace}");
    }
    assert!(read("select.zh.svg").contains("客户端 A"));
}

#[test]
fn without_strace_it_says_what_to_do() {
    let output = lab(&["select"]).env("PATH", "").output().expect("lab runs");
    assert_eq!(output.status.code(), Some(1));
    let words = said(&output);
    assert!(words.contains("strace") && words.lines().count() == 1, "{words}");
}

#[test]
fn a_program_that_the_course_lacks_is_a_mistake_of_the_command_line() {
    let output = lab(&["no_such_program"]).output().expect("lab runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("select_readable"), "the list is given: {}", said(&output));
}
