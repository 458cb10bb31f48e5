//! `client_parts` against S4's transcript.

mod support;

use common::python_bytes;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use support::*;

const CLIENT: &str = env!("CARGO_BIN_EXE_client_parts");

/// Answers as S4's servers do, until the client leaves.
fn answer(mut client: TcpStream) {
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let reply = format!("Server received {}", python_bytes(&buffer[..length]));
        client.write_all(reply.as_bytes()).expect("the client reads");
    }
}

/// The transcript with each port replaced by the order in which it first appears: A, then B.
fn transcript(stdout: &[u8]) -> Vec<String> {
    let (text, mut ports) = (String::from_utf8_lossy(stdout), Vec::<String>::new());
    let normal = |line: &str| {
        let Some((host, rest)) = line.strip_prefix('(').and_then(|line| line.split_once(", "))
        else {
            return line.to_owned();
        };
        let port = rest.split([',', ')']).next().expect("split gives one").to_owned();
        let known = ports.iter().position(|known| *known == port);
        let index = known.unwrap_or_else(|| {
            ports.push(port.clone());
            ports.len() - 1
        });
        let name = if index == 0 { "A" } else { "B" };
        format!("({host}, {name}{}", &rest[port.len()..])
    };
    text.lines().map(normal).collect()
}

#[test]
fn the_transcript_is_s4s_line_for_line() {
    let address = server(answer);
    let port = address.rsplit(':').next().expect("HOST:PORT");
    let ended = run(CLIENT, &["--addr", &address], b"");
    assert_eq!(
        transcript(ended.ok()),
        [
            &format!("connecting to 127.0.0.1 port {port}"),
            r#"('127.0.0.1', A): sending b'This is '"#,
            r#"('127.0.0.1', A): received b"Server received b'This is '""#,
            r#"('127.0.0.1', B): sending b'the message. '"#,
            r#"('127.0.0.1', B): received b"Server received b'the message. '""#,
            r#"('127.0.0.1', A): sending b'It will be sent '"#,
            r#"('127.0.0.1', A): received b"Server received b'It will be sent '""#,
            r#"('127.0.0.1', B): sending b'in parts.'"#,
            r#"('127.0.0.1', B): received b"Server received b'in parts.'""#,
        ]
    );
}

/// Python's `getsockname` gives four values there, and `HOST` has no brackets.
#[test]
fn ipv6_addresses_are_written_as_python_writes_them() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        eprintln!("not seen here: this machine has no IPv6");
        return;
    };
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.expect("somebody connected");
            std::thread::spawn(move || answer(client));
        }
    });
    let lines = transcript(run(CLIENT, &["--addr", &address], b"").ok());
    assert!(lines[0].starts_with("connecting to ::1 port "), "{lines:?}");
    assert_eq!(lines[1], "('::1', A, 0, 0): sending b'This is '");
}

/// S4's client goes on with the socket it has closed, and dies of it.
#[test]
fn a_connection_that_the_server_closes_is_closed_and_the_other_goes_on() {
    // Read before it closes: to close with something unread is a reset.
    let address = server_of_two(|mut first| first.read_exact(&mut [0; 8]).expect("the first part"));
    let ended = run(CLIENT, &["--addr", &address], b"");
    ended.says(1, "client_parts: 2 of 4 parts were answered");
    let lines = transcript(&ended.stdout);
    assert_eq!(lines[2], "('127.0.0.1', A): received b''");
    assert_eq!(lines[4], r#"('127.0.0.1', B): received b"Server received b'the message. '""#);
    assert_eq!(lines[5], "('127.0.0.1', B): sending b'in parts.'", "A has no third part");
    assert_eq!(lines.len(), 7);
}

#[test]
fn a_reset_ends_one_connection_and_the_other_goes_on() {
    let address = server_of_two(|mut first| {
        first.read_exact(&mut [0; 8]).expect("the first part");
        reset(first);
    });
    let ended = run(CLIENT, &["--addr", &address], b"");
    assert_eq!(ended.status.code(), Some(1));
    let (reset, summary) = ended.stderr.split_once('\n').expect("two lines");
    assert!(reset.ends_with("): Connection reset by peer"), "{reset}");
    assert!(summary.starts_with("client_parts: 2 of 4 parts were answered"), "{summary}");
    let lines = transcript(&ended.stdout);
    assert_eq!(lines.len(), 6, "the first socket has no second part: {lines:?}");
}

/// A server that does `serve` with the first of its clients and answers the second.
fn server_of_two(serve: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        let (first, _) = listener.accept().expect("somebody connected");
        let (second, _) = listener.accept().expect("somebody connected");
        std::thread::spawn(move || answer(second));
        serve(first);
    });
    address
}

#[test]
fn a_reader_that_leaves_is_no_reason_to_complain() {
    head(CLIENT, &server(answer));
}

#[test]
fn a_connection_refused_is_one_line_that_says_what_to_do() {
    let (_socket, address) = refusing();
    let ended = run(CLIENT, &["--addr", &address], b"");
    ended.says(1, "client_parts: cannot connect to ");
    ended.says(1, "Connection refused (is a server running?");
}

#[test]
fn bad_command_lines_end_with_one_line_and_status_2() {
    check_bad_command_lines(CLIENT);
}
