//! `lab faults`: a known mistake is made in a copy of a program, found by the check that it names,
//! and the program itself is left as it was.
//!
//! That the list is true of the programs as they are now is tested beside the list.

use std::fs;
use std::process::{Command, Output};

fn faults(args: &[&str]) -> (Option<i32>, String, String) {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    lab.arg("faults").args(args).env_remove("RUST_BACKTRACE").env("LC_ALL", "C");
    let Output { status, stdout, stderr } = lab.output().expect("lab starts");
    let text = |bytes| String::from_utf8(bytes).expect("reports are text");
    (status.code(), text(stdout), text(stderr))
}

/// The whole way, with the mistake that the course is about: a client's last words are not read.
#[test]
fn a_mistake_is_shown_made_caught_and_cured() {
    let source = judge::reading::root().join("common/src/connection.rs");
    let before = fs::read_to_string(&source).expect("the source");
    let (status, stdout, stderr) = faults(&["end_is_gone", "gone_in_mid_turn"]);
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[0].starts_with("end_is_gone: ") && lines[0].ends_with("(S0, S4)"), "{stdout}");
    assert_eq!(lines[1], "    common/src/connection.rs");
    assert!(lines[2].starts_with("-   ") && lines[2].contains("no more data"), "{stdout}");
    assert!(lines[3].starts_with("+   ") && lines[3].ends_with("self.abandon(),"));
    assert_eq!(lines[4], "select with the change:");
    assert!(lines[5].starts_with("short   half_close "), "{stdout}");
    assert!(lines[6].starts_with("short   data_with_fin "), "{stdout}");
    assert_eq!(lines[7], "select as it is:");
    assert!(lines[8].starts_with("ok      half_close "), "{stdout}");
    assert!(lines[9].starts_with("ok      data_with_fin "), "{stdout}");
    assert!(lines[10].starts_with("caught; see docs/en/13-robust-servers.md"), "{stdout}");
    // One change at a time: the second mistake is made without the first.
    assert!(stdout.contains("its last words: index out of bounds"), "{stdout}");
    assert!(stdout.ends_with("\n2 faults: 2 caught\n"), "{stdout}");
    assert_eq!(fs::read_to_string(&source).expect("the source"), before);
}

#[test]
fn the_list_names_each_mistake_in_the_language_asked_for() {
    for (language, words) in [("en", "what goes wrong"), ("zh", "后果")] {
        let (status, stdout, stderr) = faults(&["--lang", language]);
        assert_eq!((status, stderr.as_str()), (Some(0), ""));
        assert!(stdout.contains(words) && stdout.contains(" always_writable "), "{stdout}");
    }
}

#[test]
fn bad_usage_is_one_line_and_status_2() {
    for (args, words) in [
        (&["end_was_gone"][..], "a similar value exists: 'end_is_gone'"),
        (&["--every-check"], "required arguments"),
        (&["--all", "end_is_gone"], "cannot be used with"),
        (&["--lang", "fr"], "invalid value 'fr'"),
    ] {
        let (status, stdout, stderr) = faults(args);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
}
