//! `client_threads`: one thread sends, one receives.

mod support;

use std::io::{Read, Write};
use std::sync::mpsc::channel;
use support::*;

const CLIENT: &str = env!("CARGO_BIN_EXE_client_threads");

#[test]
fn what_is_typed_is_answered_as_in_the_notes() {
    let mut client = start(CLIENT, &["--addr", &server(echo)]);
    client.type_in("你好\n".as_bytes());
    client.expect_output("RECEIVE: 你好\n".as_bytes());
    client.type_in(b"again\n");
    client.expect_output("RECEIVE: 你好\nRECEIVE: again\n".as_bytes());
    client.end_of_input();
    client.finish().ok();
}

#[test]
fn answers_that_come_after_the_end_of_input_are_printed() {
    let address = server(|mut client| {
        let mut question = String::new();
        client.read_to_string(&mut question).expect("an end of input");
        let answer = format!("you said: {question}");
        client.write_all(answer.as_bytes()).expect("half-closed");
    });
    let ended = run(CLIENT, &["--addr", &address], b"hello");
    assert_eq!(ended.ok(), b"RECEIVE: you said: hello\n");
}

/// S3's own client does not notice: recv returns nothing, once a second, for ever. And the
/// keyboard's thread, which is blocked here as well, must not keep the program alive.
#[test]
fn a_server_that_closes_ends_the_program_though_a_thread_still_reads_the_keyboard() {
    let client = start(CLIENT, &["--addr", &server(drop)]);
    let ended = client.finish();
    assert_eq!(ended.ok(), b"Server Down!\n");
}

#[test]
fn a_reset_is_an_error() {
    let client = start(CLIENT, &["--addr", &server(reset)]);
    let ended = client.finish();
    ended.says(1, "client_threads: the connection broke: Connection reset by peer\n");
    assert_eq!(ended.stdout, b"Server Down!\n");
}

#[test]
fn a_character_that_comes_in_pieces_is_printed_whole() {
    let (seen, next) = channel::<()>();
    let address = server_once(move |mut client| {
        client.write_all(b"a\xe4\xbd").expect("the client reads");
        next.recv().expect("the test goes on");
        client.write_all(b"\xa0").expect("the client reads");
    });
    let mut client = start(CLIENT, &["--addr", &address]);
    client.expect_output(b"RECEIVE: a\n");
    seen.send(()).expect("the server goes on");
    let ended = client.finish();
    assert_eq!(ended.ok(), "RECEIVE: a\nRECEIVE: 你\nServer Down!\n".as_bytes());
}

/// Both threads block, each in its own direction: neither keeps the other from going on.
#[test]
fn a_large_input_comes_back_byte_for_byte() {
    let input = vec![b'x'; 32 << 20];
    let mut client = start(CLIENT, &["--addr", &server(echo)]);
    let mut stdin = client.stdin.take().expect("piped");
    let copy = input.clone();
    let typist = std::thread::spawn(move || stdin.write_all(&copy));
    let ended = client.finish();
    typist.join().expect("no panic").expect("all of it was read");
    let came = ended.ok().iter().filter(|&&byte| byte == b'x').count();
    assert_eq!(came, input.len());
}

#[test]
fn a_reader_that_leaves_is_no_reason_to_complain() {
    let address = server(|mut client| while client.write_all(b"line\n").is_ok() {});
    head(CLIENT, &address);
}

#[test]
fn what_the_system_refuses_is_one_line_and_status_1() {
    let (_socket, address) = refusing();
    run(CLIENT, &["--addr", &address], b"").says(1, "Connection refused (is a server running?");
    let mut command = std::process::Command::new(CLIENT);
    let directory = std::fs::File::open("/").expect("there is a root");
    command.args(["--addr", &server(echo)]).stdin(directory);
    let ended = start_command(command).finish();
    ended.says(1, "client_threads: cannot read standard input: Is a directory\n");
}

#[test]
fn bad_command_lines_end_with_one_line_and_status_2() {
    check_bad_command_lines(CLIENT);
}
