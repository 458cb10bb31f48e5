//! Standard input and output that are non-blocking, as ssh and Node make them for all who share
//! them.

mod support;

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::*;

const COUNT: usize = 2_000_000;

/// What comes out of `program` for so many bytes, read more slowly than the server answers.
fn through(program: &str) -> (Vec<u8>, Vec<u8>) {
    let (mut writer, input) = UnixStream::pair().expect("descriptors are free");
    let (mut reader, output) = UnixStream::pair().expect("descriptors are free");
    for end in [&input, &output] {
        end.set_nonblocking(true).expect("an open socket");
    }
    reader.set_read_timeout(Some(PATIENCE)).expect("not zero");
    let mut child = Command::new(program)
        .args(["--addr", &server(echo)])
        .stdin(Stdio::from(OwnedFd::from(input)))
        .stdout(Stdio::from(OwnedFd::from(output)))
        .spawn()
        .expect("the program was built");
    let sent: Vec<u8> = (0..COUNT).map(|n| b"abcdefghijklmnopqrstuvwxyz"[n % 26]).collect();
    let copy = sent.clone();
    // Dropping the writer is the end of the input.
    let writing = std::thread::spawn(move || writer.write_all(&copy));
    let mut received = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match reader.read(&mut piece).expect("more, or the end") {
            0 => break,
            count => received.extend_from_slice(&piece[..count]),
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    let status = child.wait().expect("a child of ours");
    writing.join().expect("no panic").expect("the client takes it all");
    assert_eq!(status.code(), Some(0), "after {} bytes", received.len());
    (sent, received)
}

#[test]
fn client_delivers_every_byte() {
    let (sent, received) = through(env!("CARGO_BIN_EXE_client"));
    assert!(received == sent, "{} of {COUNT} bytes, or other ones", received.len());
}

#[test]
fn client_threads_delivers_every_byte() {
    let (sent, received) = through(env!("CARGO_BIN_EXE_client_threads"));
    let text = String::from_utf8(received).expect("ASCII");
    let bytes = text.replace("RECEIVE: ", "").replace('\n', "");
    assert!(bytes.as_bytes() == sent, "{} of {COUNT} bytes, or other ones", bytes.len());
}
