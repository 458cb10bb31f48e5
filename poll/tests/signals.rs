//! How `signals` leaves: what it still does for its clients, how long that may take, and with which
//! status it ends.

use judge::rig::{Rig, read_text};
use nix::sys::signal::Signal::{self, SIGINT, SIGTERM};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A deadline that no test lives to see: what a rig waits for must come in seconds.
const FAR: &str = "600";

fn start(deadline: &str) -> Rig {
    Rig::start(env!("CARGO_BIN_EXE_signals"), &["--deadline", deadline, "--chunk", "65536"])
}

/// The byte at this place in what a greedy client sends: a letter, so that the narration shows it
/// as it is.
fn pattern(at: usize) -> u8 {
    b"abcdefghijklmnopqrstuvwxyz"[(at + at / 251) % 26]
}

/// How many bytes a line `received b'…' from …` tells of: it says so, or shows them all.
fn received_bytes(line: &str) -> usize {
    let said = line.rsplit_once('(').and_then(|(_, end)| end.split(' ').next()?.parse().ok());
    let shown = || Some(line.split_once("b'")?.1.split_once("' from")?.0.len());
    said.or_else(shown).unwrap_or_else(|| panic!("no bytes in: {line}"))
}

/// A client that sends until nothing moves any more, and reads nothing: its answers fill all the
/// buffers on the way, and the rest is queued in the server.
fn greedy(server: &Rig) -> TcpStream {
    let mut client = server.client();
    client.set_write_timeout(Some(Duration::from_millis(300))).expect("not zero");
    let mut sent = 0;
    loop {
        let piece: Vec<u8> = (sent..sent + 65536).map(pattern).collect();
        match client.write(&piece) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return client,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The number at the end of a line of narration.
fn last_number(line: &str) -> usize {
    let digits = line.rsplit(' ').next().and_then(|word| word.parse().ok());
    digits.unwrap_or_else(|| panic!("no number at the end of: {line}"))
}

#[test]
fn without_clients_it_leaves_at_once() {
    for signal in [SIGINT, SIGTERM] {
        let mut server = start(FAR);
        server.signal(signal);
        assert_eq!(server.exit_status(), Some(0));
        server.hear(&format!("{signal}: no new clients"));
    }
}

/// All that the server had received is answered, to the last byte, although the client begins to
/// read only when the server is about to leave, and although its own input is never read.
#[test]
fn what_is_queued_is_sent_first() {
    let mut server = start(FAR);
    let mut client = greedy(&server);
    server.signal(SIGTERM);
    let mut received = 0;
    let line = loop {
        let line = server.hear("");
        if line.starts_with("received ") {
            received += received_bytes(&line);
        } else if line.starts_with("SIGTERM") {
            break line;
        }
    };
    assert!(last_number(&line) > 0, "nothing was queued, so this shows nothing: {line}");
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).expect("a clean end, no reset");
    assert_eq!(answers.len(), received);
    assert!(answers.iter().enumerate().all(|(at, &byte)| byte == pattern(at)));
    loop {
        let line = server.hear("");
        if line.starts_with("nothing more for") {
            break;
        }
        assert!(!line.starts_with("too late"), "it has not everything yet: {line}");
    }
    drop(client);
    server.hear("everybody has left");
    assert_eq!(server.exit_status(), Some(0));
}

#[test]
fn new_clients_are_refused_while_others_are_served() {
    let mut server = start(FAR);
    let mut client = greedy(&server);
    server.signal(SIGTERM);
    server.hear("no new clients");
    server.hear("waiting for the next event");
    let refused = TcpStream::connect(server.addr()).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    client.read_to_end(&mut Vec::new()).expect("a clean end, no reset");
}

#[test]
fn a_client_that_never_reads_is_cut_off_at_the_deadline() {
    let mut server = start("1");
    let _client = greedy(&server);
    let begin = Instant::now();
    server.signal(SIGTERM);
    let line = server.hear("time is up: clients cut off: 1, bytes unsent: ");
    assert!(last_number(&line) > 0, "{line}");
    assert_eq!(server.exit_status(), Some(0));
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
}

/// It has everything, is told so, and stays. It is not worth waiting for, whatever the deadline.
#[test]
fn an_idle_client_is_waited_for_a_second_at_most() {
    let mut server = start(FAR);
    let mut client = server.client();
    client.write_all(b"hello").expect("connected");
    assert_eq!(read_text(&mut client, 5), "hello");
    let begin = Instant::now();
    server.signal(SIGTERM);
    assert_eq!(client.read(&mut [0]).expect("a clean end, no reset"), 0);
    assert_eq!(server.exit_status(), Some(0));
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
}

/// A client that sends on after it was told may still have answers to receive. To close would meet
/// its bytes with a reset, and what our kernel had not sent yet would be lost.
#[test]
fn a_client_that_talks_on_is_not_closed_under_its_words() {
    let mut server = start(FAR);
    let mut client = server.client();
    server.hear("new connection from");
    server.signal(SIGTERM);
    let begin = Instant::now();
    server.hear("nothing more for");
    while begin.elapsed() < Duration::from_millis(1500) {
        client.write_all(b"and another thing").expect("it is still there");
        server.hear("too late: 17 bytes");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(client.read(&mut [0]).expect("a clean end, no reset"), 0);
    drop(client);
    server.hear("no more data from");
    assert_eq!(server.exit_status(), Some(0));
}

/// One that stays is closed after its second, whoever else is still to be sent to.
#[test]
fn a_silent_client_does_not_wait_for_a_slow_one() {
    let mut server = start(FAR);
    let mut silent = server.client();
    let slow = greedy(&server);
    server.signal(SIGTERM);
    let peer = silent.local_addr().expect("connected");
    server.hear(&format!("{peer} stays, and is silent"));
    server.hear(&format!("closing {peer}"));
    assert_eq!(silent.read(&mut [0]).expect("a clean end, no reset"), 0);
    drop(slow);
    assert_eq!(server.exit_status(), Some(0));
}

/// Both directions are ended, the server's own first: that is what POLLHUP means. A client that
/// leaves by itself is POLLIN alone (tests/flags.rs).
#[test]
fn a_client_that_leaves_after_us_is_pollin_and_pollhup() {
    let mut server = start(FAR);
    let client = server.client();
    let line = server.hear("new connection from");
    let fd = line.rsplit(' ').next().expect("the line ends with it");
    server.signal(SIGTERM);
    server.hear("nothing more for");
    server.hear("waiting for the next event");
    server.while_held(|| drop(client));
    let line = server.hear("ready: [(");
    if cfg!(target_os = "linux") {
        assert_eq!(line, format!("ready: [({fd}, POLLIN|POLLHUP)]"));
    } else {
        assert!(line.contains("POLLIN"), "{line}");
    }
    server.hear("no more data from");
    assert_eq!(server.exit_status(), Some(0));
}

/// The status is the one that a shell reports for a program that this signal has killed.
#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second, status) in [(SIGTERM, SIGTERM, 143), (SIGTERM, SIGINT, 130)] {
        assert_eq!(status, 128 + second as i32);
        second_signal(first, second, status);
    }
}

fn second_signal(first: Signal, second: Signal, status: i32) {
    let mut server = start(FAR);
    let _client = greedy(&server);
    server.signal(first);
    server.hear("no new clients");
    server.hear("waiting for the next event");
    server.signal(second);
    assert_eq!(server.exit_status(), Some(status));
    server.hear(&format!("{second}: clients cut off: 1"));
}
