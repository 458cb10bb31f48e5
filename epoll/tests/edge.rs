//! What an edge is, and what it costs to be told only once.
#![cfg(any(target_os = "linux", target_os = "android"))]

use judge::rig::{Rig, connect, read_text};
use socket2::SockRef;
use std::io::Write;
use std::process::Command;

const EDGE: &str = env!("CARGO_BIN_EXE_epoll_edge");

/// S1's own way of receiving.
#[test]
fn one_event_stands_for_all_that_is_there() {
    let mut server = Rig::start(EDGE, &["--chunk", "10"]);
    let mut client = server.client();
    server.hear("new connection");
    client.write_all(b"abcdefghijklmnopqrstuvwxy").expect("connected");
    assert_eq!(read_text(&mut client, 25), "abcdefghijklmnopqrstuvwxy");
    server.hear("received b'abcdefghij'");
    let lines = server.hear_all("output queue for");
    let steps = ["received b'klmnopqrst'", "received b'uvwxy'", "sending b'abcdefghij", "is empty"];
    assert_eq!(lines.len(), steps.len(), "no event, no wait between them: {lines:#?}");
    assert!(lines.iter().zip(steps).all(|(line, step)| line.contains(step)), "{lines:#?}");
}

/// A recv that brings less than it could is the sign that all is read, unless the end came with
/// the data. S1's program asks for ever; one that trusts the short recv never closes.
#[test]
fn data_and_the_end_in_one_edge() {
    let mut server = Rig::start(EDGE, &[]);
    let mut client = server.client();
    server.hear("new connection");
    server.hear("EPOLLOUT)]");
    server.while_held(|| {
        client.write_all(b"goodbye").expect("connected");
        client.shutdown(std::net::Shutdown::Write).expect("connected");
    });
    let lines = server.hear_all("closing");
    let events = lines.iter().filter(|line| line.contains("EPOLLRDHUP")).count();
    assert_eq!(events, 1, "both came with one edge: {lines:#?}");
    assert_eq!(read_text(&mut client, 7), "goodbye");
}

/// recv stops in front of an urgent byte: a short one, and yet there is more.
#[test]
fn an_urgent_byte_hides_nothing_that_came_with_it() {
    let mut server = Rig::start(EDGE, &[]);
    let mut client = server.client();
    server.hear("new connection");
    server.while_held(|| {
        client.write_all(b"before").expect("connected");
        SockRef::from(&client).send_out_of_band(b"!").expect("connected");
        client.write_all(b"after").expect("connected");
    });
    assert_eq!(read_text(&mut client, 11), "beforeafter");
}

/// Whoever has more than one turn's worth waits for its next turn in a list of ours.
#[test]
fn a_budget_ends_a_turn_and_the_work_left_over_is_remembered() {
    let mut server = Rig::start(EDGE, &["--chunk", "10"]);
    let (mut greedy, mut modest) = (server.client(), server.client());
    server.hear("new connection");
    server.hear("new connection");
    server.while_held(|| {
        greedy.write_all(&[b'x'; 5000]).expect("connected");
        modest.write_all(b"me too").expect("connected");
    });
    let lines = server.hear_all("received b'me too'");
    let received = lines.iter().filter(|line| line.contains("received b'xxxxxxxxxx'")).count();
    assert!(received < 500, "it was not left before all was read");
    server.hear("waiting for the next event, work is left over");
    assert_eq!(read_text(&mut greedy, 5000), "x".repeat(5000));
    assert_eq!(read_text(&mut modest, 6), "me too");
}

/// One edge may stand for many clients. The listener has a budget too: between two waits, when the
/// others have their turn, it takes only so many.
#[test]
fn accepting_many_makes_nobody_wait_for_the_last() {
    const NEW: usize = 200;
    let mut server = Rig::start(EDGE, &["--backlog", "300"]);
    let addr = server.addr();
    let _new: Vec<_> = server.while_held(|| (0..NEW).map(|_| connect(addr)).collect());
    let (mut accepted, mut most) = (0, 0);
    while accepted < NEW {
        let lines = server.hear_all("waiting for the next event");
        let turn = lines.iter().filter(|line| line.contains("new connection from")).count();
        accepted += turn;
        most = most.max(turn);
    }
    assert!(most < NEW, "it waited until all {NEW} were accepted");
}

#[test]
fn the_notes_100k_as_level_and_as_edge_report_it() {
    let output = Command::new(EDGE).arg("--level-and-edge").output().expect("it is built");
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).expect("it is English");
    let reports: Vec<_> = table
        .lines()
        .skip(1)
        .map(|line| {
            let (first, second) = line.split_at(line.rfind('[').expect("two reports a line"));
            (first.contains("EPOLLIN"), second.contains("EPOLLIN"))
        })
        .collect();
    let expected = [
        (true, true),   // 100000 bytes sent
        (true, false),  // nothing done: the edge is over
        (true, false),  // half of it read: reading is no edge
        (true, true),   // one more byte: new data is, though the old is unread
        (true, true),   // told again (MOD): so is that
        (false, false), // all read
        (true, true),   // the end of input
        (true, false),
    ];
    assert_eq!(reports, expected, "{table}");
}
