//! A message is what the framing says, whatever a recv brings.

use judge::rig::{Rig, read_text};
use std::io::{Read, Write};
use std::net::TcpStream;

const FRAMES: &str = env!("CARGO_BIN_EXE_frames");

fn frame(message: &str) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short");
    [&length.to_be_bytes(), message.as_bytes()].concat()
}

fn answered(client: &mut TcpStream, message: &str) {
    let frame = frame(message);
    let mut answer = vec![0; frame.len()];
    client.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer, frame);
}

#[test]
fn a_byte_at_a_time_is_one_message() {
    let mut server = Rig::start(FRAMES, &[]);
    let mut client = server.client();
    for byte in frame("hello") {
        client.write_all(&[byte]).expect("connected");
        // Until it was received, so that each comes alone.
        server.hear("received b");
    }
    server.hear("message b'hello'");
    answered(&mut client, "hello");
}

#[test]
fn a_hundred_in_one_recv_are_a_hundred() {
    let mut server = Rig::start(FRAMES, &[]);
    let mut client = server.client();
    client.write_all(&frame("a").repeat(100)).expect("connected");
    for _ in 0..100 {
        answered(&mut client, "a");
    }
    let lines = server.hear_all("sending");
    let count = |words| lines.iter().filter(|line| line.starts_with(words)).count();
    assert_eq!((count("received"), count("message b'a'")), (1, 100), "{lines:#?}");
}

#[test]
fn a_length_of_4_gib_is_refused_in_words() {
    let mut server = Rig::start(FRAMES, &["--limit", "1000"]);
    let mut client = server.client();
    client.write_all(&[frame("before"), vec![0xff; 4]].concat()).expect("connected");
    let words = server.hear("refusing");
    assert!(
        words.ends_with("a message of 4294967295 bytes is announced, and the limit is 1000"),
        "{words}"
    );
    // What came before it is answered.
    answered(&mut client, "before");
    assert_eq!(client.read(&mut [0]).expect("a close"), 0);
}

#[test]
fn a_line_without_end_is_refused_in_words() {
    let mut server = Rig::start(FRAMES, &["--framing", "lines", "--limit", "10"]);
    let mut client = server.client();
    client.write_all(b"short\n0123456789a").expect("connected");
    let words = server.hear("refusing");
    assert!(words.ends_with("11 bytes, and no end of the line, and the limit is 10"), "{words}");
    assert_eq!(read_text(&mut client, 6), "short\n");
}

#[test]
fn the_end_of_input_in_the_middle_of_a_message_is_said() {
    let mut server = Rig::start(FRAMES, &[]);
    let mut client = server.client();
    client.write_all(&frame("hello")[..7]).expect("connected");
    server.hear("received");
    drop(client);
    assert!(server.hear("no more data").ends_with(": 7 bytes of a message came"));
}
