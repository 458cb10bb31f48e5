//! What no client and no signal can bring about here: strace makes a system call fail.
#![cfg(target_os = "linux")]

use judge::rig::{Rig, read_text};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

const SELECT: &str = env!("CARGO_BIN_EXE_select");

/// The server, with one call that fails (strace's `inject`). `None` where strace may not trace.
fn start(name: &str, failing: &str) -> Option<Rig> {
    // A script that is still open for writing in a child of another test cannot be started
    // (ETXTBSY).
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let trial = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !trial.is_ok_and(|status| status.success()) {
        println!("not asked: there is no strace here that may trace");
        return None;
    }
    let (calls, _) = failing.split_once(':').expect("calls:what:when");
    // `-D`: the server stays the process that the test started, and strace ends with it.
    let strace = format!("strace -D -qq -o /dev/null -e trace={calls} -e inject={failing}");
    let script = format!("{}/{name}.sh", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&script, format!("#!/bin/sh\nexec {strace} '{SELECT}' \"$@\"\n")).expect("room");
    fs::set_permissions(&script, Permissions::from_mode(0o755)).expect("our own file");
    Some(Rig::start(&script, &[]))
}

/// The sets then hold what was asked, not what is ready (select(2)).
#[test]
fn a_select_that_a_signal_ended_reports_nobody() {
    let Some(mut server) = start("interrupted", "/select:error=EINTR:when=2") else { return };
    let mut client = server.client();
    server.hear("new connection from");
    client.write_all(b"hello").expect("connected");
    // The listener was asked about as well, and is not ready.
    let line = server.hear("ready: ");
    assert!(line.starts_with("ready: readable [4], writable []"), "{line}");
    assert_eq!(read_text(&mut client, 5), "hello");
}

/// A client that gave up while it waited (ECONNABORTED) is no reason to leave the next one waiting.
#[test]
fn an_aborted_connection_does_not_hold_up_the_next() {
    let failing = "/^accept:error=ECONNABORTED:when=1";
    let Some(mut server) = start("aborted", failing) else { return };
    let _client = server.client();
    let lines = server.hear_all("new connection from");
    assert!(lines.iter().any(|line| line.contains("gave up before it was accepted")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("for now")), "accepting goes on: {lines:#?}");
}
