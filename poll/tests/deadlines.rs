//! Clients that keep the server waiting. The three checks that only this server is asked.

use judge::check::contract_test;
use judge::rig::{Rig, read_text};
use std::io::{Read, Write};

const DEADLINES: &str = env!("CARGO_BIN_EXE_deadlines");

#[test]
fn a_silent_client_is_closed() {
    contract_test("deadlines", DEADLINES, "silent");
}

#[test]
fn a_message_that_never_ends_is_closed() {
    contract_test("deadlines", DEADLINES, "slow_message");
}

#[test]
fn answers_that_nobody_reads_are_not_kept() {
    contract_test("deadlines", DEADLINES, "unread_answers");
}

/// 49 silent clients cost a wait for each deadline at the most, and none in between: the time-out
/// of the wait is the time that is left.
#[test]
fn nothing_wakes_the_server_but_deadlines() {
    const SILENT: usize = 49;
    let mut server = Rig::start(DEADLINES, &["--idle", "1"]);
    let clients: Vec<_> = (0..SILENT).map(|_| server.client()).collect();
    for _ in 0..SILENT {
        server.hear("new connection from");
    }
    let mut waits = 0;
    for _ in 0..SILENT {
        waits += server.hear_all("says nothing").iter().filter(|l| l.contains("waiting")).count();
    }
    assert!(waits <= SILENT + 1, "{waits} waits to close {SILENT} clients");
    for mut client in clients {
        assert_eq!(client.read(&mut [0]).expect("a close, no reset"), 0);
    }
}

/// A message that is whole in time stops its clock, also when it came in pieces.
#[test]
fn a_line_in_pieces_is_one_message() {
    let mut server = Rig::start(DEADLINES, &["--chunk", "3"]);
    let mut client = server.client();
    client.write_all(b"in pieces\n").expect("connected");
    assert_eq!(read_text(&mut client, 10), "in pieces\n");
    server.hear("received b'in '");
    server.hear("received b'pie'");
}

/// Its deadline leaves with it.
#[test]
fn a_client_that_has_left_is_not_late() {
    let mut server = Rig::start(DEADLINES, &["--idle", "0.3"]);
    drop(server.client());
    server.hear("closing");
    let mut silent = server.client();
    server.hear("says nothing");
    assert_eq!(silent.read(&mut [0]).expect("a close, no reset"), 0);
}
