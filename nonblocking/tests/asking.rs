//! The server that asks all the time: what its questions cost, and what they must not lose.

use judge::rig::{Rig, read_text};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

const NONBLOCKING: &str = env!("CARGO_BIN_EXE_nonblocking");

/// A client, accepted, and the number of the descriptor that the server has for it.
fn accepted(server: &mut Rig) -> (TcpStream, u32) {
    let client = server.client();
    let line = server.hear("new connection from");
    let after = line.split_once("descriptor ").map(|(_, after)| after);
    let number = after.and_then(|after| after.split(' ').next()?.parse().ok());
    (client, number.unwrap_or_else(|| panic!("no descriptor number: {line}")))
}

/// The client leaves; how many times the server asked it, and how many of them in vain.
fn leave(server: &mut Rig, client: TcpStream) -> (u64, u64) {
    let peer = client.local_addr().expect("connected");
    drop(client);
    let line = server.hear(&format!("{peer} was asked "));
    let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers.len(), 2, "two numbers: {line}");
    (numbers[0], numbers[1])
}

/// An idle client is asked for as long as it is connected: in every turn, and each message of
/// somebody else takes a turn at least.
#[test]
fn whoever_says_nothing_is_asked_in_vain_again_and_again() {
    const MESSAGES: u64 = 200;
    let mut server = Rig::start(NONBLOCKING, &[]);
    let (idle, _) = accepted(&mut server);
    let (mut busy, _) = accepted(&mut server);
    for _ in 0..MESSAGES {
        busy.write_all(b"x").expect("connected");
        assert_eq!(read_text(&mut busy, 1), "X");
    }
    // Each message took a turn of its own, and each turn ends with an accept.
    let _newcomer = server.client();
    server.hear("new connection from");
    let line = server.hear("accept in vain before: ");
    let vain: Option<u64> = line.rsplit(' ').next().and_then(|vain| vain.parse().ok());
    assert!(vain >= Some(MESSAGES - 1), "{line}");

    let (asked, in_vain) = leave(&mut server, busy);
    assert_eq!(asked - in_vain, 2 * MESSAGES + 1, "recv and send for each, and its end");
    let (asked, in_vain) = leave(&mut server, idle);
    assert_eq!(asked - in_vain, 1, "it has only ever left");
    assert!(in_vain >= MESSAGES, "asked in vain {in_vain} times during {MESSAGES} messages");
}

/// The notes' server keeps whoever left in good order for ever: 0 bytes received is no exception.
#[test]
fn a_client_that_left_is_asked_no_more_and_its_descriptor_is_free() {
    let mut server = Rig::start(NONBLOCKING, &[]);
    let (first, number) = accepted(&mut server);
    leave(&mut server, first);
    for _ in 0..50 {
        let (mut client, reused) = accepted(&mut server);
        assert_eq!(reused, number, "the lowest free number is given out again");
        client.write_all(b"still there?").expect("connected");
        assert_eq!(read_text(&mut client, 12), "STILL THERE?");
        leave(&mut server, client);
    }
}

/// On Linux the notes' server sleeps in recv for its first silent client.
#[test]
fn a_silent_client_holds_nobody_up() {
    let mut server = Rig::start(NONBLOCKING, &[]);
    let (_silent, _) = accepted(&mut server);
    let (mut other, _) = accepted(&mut server);
    for _ in 0..3 {
        other.write_all(b"hello").expect("connected");
        assert_eq!(read_text(&mut other, 5), "HELLO");
    }
}

/// What the kernel does not take is offered again. The notes drop it: one `except` for recv and
/// send takes "no room" for "nothing received". It is narrated once, and each call is counted.
#[test]
fn what_could_not_be_sent_is_sent_later() {
    const MIB: usize = 1 << 20;
    let message: Vec<u8> = (0..32 * MIB).map(|n| b"abcdefghijklmnopqrstuvwxyz\n"[n % 27]).collect();
    let mut server = Rig::start(NONBLOCKING, &["--chunk", "65536"]);
    let (mut other, _) = accepted(&mut server);
    let (client, _) = accepted(&mut server);
    let peer = client.local_addr().expect("connected").to_string();
    let mut sending = client.try_clone().expect("an open socket");
    let expected = message.to_ascii_uppercase();
    let sender = std::thread::spawn(move || {
        sending.write_all(&message).expect("connected");
        sending.shutdown(Shutdown::Write).expect("connected");
    });
    // Nothing is read before the server has found that there is no room.
    let mut narration = server.hear_all("no room for");
    // Each message takes a turn at least, and each turn offers again what had no room.
    for _ in 0..200 {
        other.write_all(b"x").expect("connected");
        assert_eq!(read_text(&mut other, 1), "X");
    }
    drop(other);
    let lines = server.hear_all(" was asked ");
    let told = lines.iter().filter(|line| line.contains(&peer)).count();
    assert!(told < 20, "what is offered again in each turn is not told in each: {told} times");
    narration.extend(lines);
    let mut answer = Vec::new();
    (&client).read_to_end(&mut answer).expect("the answer and a clean end");
    sender.join().expect("all was taken");
    assert!(answer == expected, "{} of {} bytes, or other ones", answer.len(), expected.len());
    // Calls that had a result are narrated, and only the others are counted as in vain.
    narration.extend(server.hear_all(&format!("closing {peer}")));
    let words = ["received ", "no more data ", " bytes left for ", "output queue for "];
    let narrated =
        |line: &&String| line.contains(&peer) && words.iter().any(|words| line.contains(words));
    let results = narration.iter().filter(narrated).count();
    let (asked, in_vain) = leave(&mut server, client);
    assert_eq!(asked - in_vain, results as u64, "asked {asked} times, {in_vain} in vain");
}
