//! The server that pauses between two looks: who waits, how long, and for whom.

use judge::rig::{PATIENCE, Rig, connect};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ACCEPT: &str = env!("CARGO_BIN_EXE_nonblocking_accept");

fn say(client: &mut TcpStream, words: &[u8]) {
    client.write_all(words).expect("connected");
}

/// A client that comes just after a look waits for the whole pause, though the server has nothing
/// else to do.
#[test]
fn a_client_waits_for_the_next_look() {
    const PAUSE: Duration = Duration::from_millis(700);
    let before = Instant::now();
    let mut server = Rig::start(ACCEPT, &["--pause", "700"]);
    server.hear("nobody new: looking again every 700 ms");
    let mut client = server.client();
    say(&mut client, b"hello");
    assert_eq!(server.line(), "hello");
    // The first look was after `before`; the second, which found the client, a pause later.
    assert!(before.elapsed() >= PAUSE, "found after {:?}, not by a look", before.elapsed());
    let line = server.hear("accept in vain before: ");
    assert!(!line.contains("before: 0,"), "{line}");
    assert_eq!(client.read(&mut [0]).expect("a clean end"), 0, "no answer, but the end");
}

/// In the notes the second would wait for the first to speak, which is for ever.
#[test]
fn a_silent_client_holds_nobody_up_and_is_heard_when_it_speaks() {
    let mut server = Rig::start(ACCEPT, &["--pause", "20"]);
    let mut silent = server.client();
    server.hear("new connection from");
    let mut other = server.client();
    say(&mut other, b"hello");
    assert_eq!(server.line(), "hello");
    say(&mut silent, b"at last");
    assert_eq!(server.line(), "at last");
    let line = server.hear("received b'at last'");
    assert!(!line.contains("recv in vain: 0)"), "{line}");
}

/// The pause is for when nobody is there: those who came during it are not made to wait for a
/// pause each.
#[test]
fn one_look_finds_all_who_wait() {
    const PAUSE: Duration = Duration::from_millis(500);
    let mut server = Rig::start(ACCEPT, &["--pause", "500"]);
    let addr = server.addr();
    let _clients = server.while_held(|| {
        [b"1", b"2", b"3", b"4", b"5"].map(|number| {
            let mut client = connect(addr);
            say(&mut client, number);
            client
        })
    });
    assert_eq!(server.line(), "1");
    let first = Instant::now();
    for number in 2..=5 {
        assert_eq!(server.line(), number.to_string(), "in the order in which they connected");
    }
    assert!(first.elapsed() < 4 * PAUSE, "a pause between two: {:?}", first.elapsed());
}

#[test]
fn whoever_leaves_without_a_word_is_closed_and_nothing_is_printed() {
    let mut server = Rig::start(ACCEPT, &["--pause", "20"]);
    let client = server.client();
    let peer = client.local_addr().expect("connected");
    drop(client);
    server.hear(&format!("no more data from {peer}"));
    server.hear(&format!("closing {peer}"));
    say(&mut server.client(), b"next");
    assert_eq!(server.line(), "next");
}

/// The notes' server decodes each message as UTF-8 and throws an exception where that fails.
#[test]
fn bytes_that_are_no_text_are_shown_and_a_terminals_commands_are_not_obeyed() {
    let mut server = Rig::start(ACCEPT, &["--pause", "20"]);
    say(&mut server.client(), "你好\n".as_bytes());
    assert_eq!(server.line(), "你好");
    say(&mut server.client(), &"汉".as_bytes()[..2]);
    assert_eq!(server.line(), "\u{fffd}");
    say(&mut server.client(), b"\x1b[2J");
    assert_eq!(server.line(), "\u{fffd}[2J");
}

#[test]
fn a_pause_that_is_none_is_refused() {
    for pause in ["0", "3600001", "-1", "soon"] {
        let output = Command::new(ACCEPT).args(["--pause", pause]).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{pause}: {said}");
    }
}

/// `nonblocking_accept | head -1`: the messages have nowhere to go, and their senders are closed
/// as before.
#[test]
fn a_closed_output_stops_nothing() {
    let mut child = Command::new(ACCEPT)
        .args(["--addr", "127.0.0.1:0", "--pause", "20", "--quiet"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let addr = line.trim_end().rsplit(' ').next().and_then(|addr| addr.parse().ok());
    let addr: SocketAddr = addr.expect("the line ends with the address");
    let ends: Vec<_> = (0..3)
        .map(|_| {
            let mut client = connect(addr);
            let sent = client.write_all(b"anybody?");
            sent.and_then(|()| client.read(&mut [0]))
        })
        .collect();
    child.kill().expect("it is a child of ours");
    child.wait().expect("it was killed");
    assert!(ends.iter().all(|end| matches!(end, Ok(0))), "within {PATIENCE:?}: {ends:?}");
}
