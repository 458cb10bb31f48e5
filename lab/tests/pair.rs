//! The course's own pair: the programs of the client crate against the real `select`.

use judge::built::built;
use judge::rig::Rig;
use std::io::Write;
use std::process::{Command, Stdio};

/// `select`, and a client of it that has not been started yet.
fn pair(client: &str, reply: &str) -> (Rig, Command) {
    let select = built("select", "select").expect("it can be built");
    let client = built("client", client).expect("it can be built");
    let server = Rig::start(select.to_str().expect("a plain path"), &["--reply", reply]);
    let mut command = Command::new(client);
    command.arg("--addr").arg(server.addr().to_string());
    (server, command)
}

/// S4 prints this transcript. Only the port numbers differ from run to run.
#[test]
fn client_parts_prints_the_transcript_of_s4() {
    let (server, mut client) = pair("client_parts", "received");
    let output = client.output().expect("it starts");
    let said = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<_> = said.lines().collect();
    let port = |line: &str| line.split([' ', ')']).nth(1).expect("('127.0.0.1', PORT)").to_owned();
    let (one, two) = (port(lines[1]), port(lines[3]));
    assert_ne!(one, two, "two sockets");
    let expected = format!(
        "connecting to 127.0.0.1 port {}
('127.0.0.1', {one}): sending b'This is '
('127.0.0.1', {one}): received b\"Server received b'This is '\"
('127.0.0.1', {two}): sending b'the message. '
('127.0.0.1', {two}): received b\"Server received b'the message. '\"
('127.0.0.1', {one}): sending b'It will be sent '
('127.0.0.1', {one}): received b\"Server received b'It will be sent '\"
('127.0.0.1', {two}): sending b'in parts.'
('127.0.0.1', {two}): received b\"Server received b'in parts.'\"
",
        server.addr().port()
    );
    assert_eq!(said, expected);
    assert!(output.status.success());
}

/// `printf 'a\nb\n' | client`: the end of the pipe is a half-close, so the answers still come.
#[test]
fn piped_lines_are_answered_before_the_client_leaves() {
    for program in ["client", "client_threads"] {
        let (_server, mut client) = pair(program, "echo");
        let client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut client = client.expect("it starts");
        let mut typed = client.stdin.take().expect("it is piped");
        typed.write_all(b"a\nb\n").expect("the client reads");
        drop(typed);
        let output = client.wait_with_output().expect("it ends");
        // In one piece or in two: TCP keeps no borders.
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.replace("RECEIVE: ", "").replace('\n', ""), "ab", "{program}");
        assert!(output.status.success(), "{program}");
    }
}
