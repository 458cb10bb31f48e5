//! `client` in a pipe: standard input from a pipe or a file, standard output to one.

mod support;

use std::io::{Read, Write};
use std::process::Command;
use std::sync::mpsc::channel;
use support::*;

const CLIENT: &str = env!("CARGO_BIN_EXE_client");

#[test]
fn every_line_is_answered_and_the_newlines_are_not_sent() {
    let ended = run(CLIENT, &["--addr", &server(echo)], b"a\nb\n");
    assert_eq!(ended.ok(), b"ab");
}

#[test]
fn a_last_line_without_newline_is_a_line_and_an_empty_line_is_nothing() {
    let ended = run(CLIENT, &["--addr", &server(echo)], b"\n\nfirst\n\nlast");
    assert_eq!(ended.ok(), b"firstlast");
}

/// With `--framing` a line is a message: an empty one too, and the last one without its newline.
#[test]
fn lines_are_messages_both_ways() {
    let expected = b"\0\0\0\x05hello\0\0\0\0\0\0\0\x04last";
    let address = server(move |mut client| {
        let mut sent = Vec::new();
        client.read_to_end(&mut sent).expect("an end of input");
        assert_eq!(sent, expected);
        // A message in pieces, and then two at once.
        client.write_all(&sent[..7]).expect("half-closed");
        client.write_all(&sent[7..]).expect("half-closed");
    });
    let args = ["--addr", &address, "--framing", "length"];
    assert_eq!(run(CLIENT, &args, b"hello\n\nlast").ok(), b"hello\n\nlast\n");
}

#[test]
fn a_message_longer_than_the_client_takes_is_said_in_words() {
    let address = server(|mut client| client.write_all(&[0xff; 4]).expect("connected"));
    let ended = run(CLIENT, &["--addr", &address, "--framing", "length"], b"");
    ended.says(1, "client: a message of 4294967295 bytes is announced, and this client takes");
}

/// To close instead of shutting down would lose the whole answer; to leave at the end of the
/// input, before the server's own end, would lose what is still on its way.
#[test]
fn answers_that_come_after_the_end_of_input_are_printed() {
    let address = server(|mut client| {
        let mut question = Vec::new();
        client.read_to_end(&mut question).expect("an end of input");
        client.write_all(b"you said: ").expect("half-closed");
        client.write_all(&question).expect("half-closed");
    });
    let ended = run(CLIENT, &["--addr", &address], b"hello\n");
    assert_eq!(ended.ok(), b"you said: hello");
}

/// Each byte is on the client's output before the server sends the next one.
#[test]
fn bytes_are_passed_on_as_they_come_whatever_they_mean() {
    let text = "你好\0\u{1b}[A".as_bytes();
    let (seen, next) = channel::<()>();
    let address = server_once(move |mut client| {
        client.set_nodelay(true).expect("connected");
        for byte in text {
            client.write_all(&[*byte]).expect("the client reads");
            next.recv().expect("the test goes on");
        }
    });
    let mut client = start(CLIENT, &["--addr", &address]);
    for count in 1..=text.len() {
        client.expect_output(&text[..count]);
        seen.send(()).expect("the server goes on");
    }
    client.finish().says(0, "the server closed the connection");
}

/// The clients of the notes find out at the next line but one, by dying of it.
#[test]
fn a_server_that_closes_is_noticed_at_once() {
    let client = start(CLIENT, &["--addr", &server(drop)]);
    let ended = client.finish();
    ended.says(0, "client: the server closed the connection\n");
    assert_eq!(ended.stdout, b"");
}

#[test]
fn a_reset_is_an_error_and_what_came_before_it_is_printed() {
    let (seen, next) = channel::<()>();
    let address = server_once(move |mut client| {
        client.write_all(b"last words").expect("the client reads");
        next.recv().expect("the test goes on");
        reset(client);
    });
    let mut client = start(CLIENT, &["--addr", &address]);
    client.expect_output(b"last words");
    seen.send(()).expect("the server goes on");
    let ended = client.finish();
    ended.says(1, "client: the connection broke: Connection reset by peer\n");
    assert_eq!(ended.stdout, b"last words");
}

#[test]
fn a_connection_refused_is_one_line_that_says_what_to_do() {
    let (_socket, address) = refusing();
    let line = format!(
        "client: cannot connect to {address}: Connection refused \
         (is a server running? cargo run -p select starts one)\n"
    );
    run(CLIENT, &["--addr", &address], b"a\n").says(1, &line);
}

#[test]
fn bad_command_lines_end_with_one_line_and_status_2() {
    check_bad_command_lines(CLIENT);
}

#[test]
fn input_that_cannot_be_read_is_an_error() {
    let mut command = Command::new(CLIENT);
    let directory = std::fs::File::open("/").expect("there is a root");
    command.args(["--addr", &server(echo)]).stdin(directory);
    start_command(command).finish().says(1, "client: cannot read standard input: Is a directory");
}

#[test]
fn a_file_and_no_input_at_all_are_input_too() {
    for (input, answer) in [("/dev/null", &b""[..]), (file!(), include_bytes!("piped.rs"))] {
        let path = match input {
            "/dev/null" => input.into(),
            _ => std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/piped.rs"),
        };
        let mut command = Command::new(CLIENT);
        let file = std::fs::File::open(path).expect("it is there");
        command.args(["--addr", &server(echo)]).stdin(file);
        let ended = start_command(command).finish();
        let answer: Vec<u8> = answer.iter().copied().filter(|&b| b != b'\n').collect();
        assert_eq!(ended.ok(), answer);
    }
}

/// `client | head -1`: `println!` would panic, and a shell shows status 101.
#[test]
fn a_reader_that_leaves_is_no_reason_to_complain() {
    let address = server(|mut client| while client.write_all(b"line\n").is_ok() {});
    head(CLIENT, &address);
}

/// Far more than what the kernel's buffers hold on both sides, and answers longer than the
/// questions. A client that stopped receiving while it cannot send would wait for a server that
/// waits for it.
#[test]
fn a_large_input_is_answered_byte_for_byte() {
    let four_times = |bytes: &[u8]| bytes.iter().flat_map(|&byte| [byte; 4]).collect::<Vec<u8>>();
    let address = server(move |mut client| {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            client.write_all(&four_times(&buffer[..count])).expect("the client reads");
        }
    });
    let input: Vec<u8> = (0..8 << 20).map(|n: u32| (n % 251) as u8 | 0x80).collect();
    let answer = four_times(&input);
    let mut client = start(CLIENT, &["--addr", &address]);
    let mut stdin = client.stdin.take().expect("piped");
    let typist = std::thread::spawn(move || stdin.write_all(&input));
    let ended = client.finish();
    typist.join().expect("no panic").expect("all of it was read");
    assert!(ended.ok() == answer, "{} bytes came back", ended.stdout.len());
}

/// What the keyboard's side costs while the server takes nothing: seen from outside, so only where
/// the system shows a process to others.
#[cfg(target_os = "linux")]
mod back_pressure {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::net::{Shutdown, TcpStream};
    use std::os::fd::AsFd;
    use std::sync::mpsc::Sender;
    use std::time::{Duration, Instant};

    /// A client whose queue is full: the server reads nothing, and the client no longer reads its
    /// input. The server does `serve` when it is told to.
    fn stuck(serve: impl FnOnce(TcpStream) + Send + 'static) -> (Program, Sender<()>) {
        let (start_sending, sending) = channel();
        let (go, gone) = channel();
        let address = server_once(move |client| {
            client.peek(&mut [0]).expect("the client sends");
            start_sending.send(()).expect("the test waits");
            gone.recv().expect("the test goes on");
            serve(client);
        });
        let mut client = start(CLIENT, &["--addr", &address]);
        let stdin = client.stdin.as_mut().expect("piped");
        stdin.write_all(b"x").expect("the client reads");
        sending.recv_timeout(PATIENCE).expect("its first byte"); // it sleeps in poll only, now
        let flags = nix::fcntl::OFlag::O_NONBLOCK;
        nix::fcntl::fcntl(&*stdin, nix::fcntl::FcntlArg::F_SETFL(flags)).expect("a pipe");
        let deadline = Instant::now() + PATIENCE;
        // Asleep with a full pipe in front of it: it does not want to read. A single look does not
        // do: the kernel may still be making room, once what is on its way is acknowledged.
        let mut looks = 0;
        while looks < 50 {
            while stdin.write(&[b'x'; 65536]).is_ok() {
                looks = 0;
            }
            let asleep = status(client.child.id(), 2) == "S";
            let mut pipe = [PollFd::new(stdin.as_fd(), PollFlags::POLLOUT)];
            let still_full = poll(&mut pipe, PollTimeout::ZERO) == Ok(0);
            looks = if asleep && still_full { looks + 1 } else { 0 };
            assert!(Instant::now() < deadline, "it reads without end");
            std::thread::sleep(Duration::from_millis(2));
        }
        (client, go)
    }

    /// A field of `/proc/PID/stat`, counted from 0 as proc(5) does from 1; the name has no spaces.
    fn status(pid: u32, field: usize) -> String {
        let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is running");
        line.split(' ').nth(field).expect("proc(5)").to_owned()
    }

    fn ticks(pid: u32) -> u32 {
        let ticks = |field| status(pid, field).parse::<u32>().expect("a number");
        ticks(13) + ticks(14)
    }

    #[test]
    fn a_server_that_takes_nothing_costs_a_bounded_queue() {
        let (client, _go) = stuck(drop);
        let status = std::fs::read_to_string(format!("/proc/{}/status", client.child.id()));
        let status = status.expect("it is running");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let words = line.expect("proc(5)").split_whitespace();
        let resident: u32 = words.rev().nth(1).expect("a size").parse().expect("in kB");
        assert!(resident < 16 * 1024, "{resident} kB");
    }

    /// poll reports a pipe's hang-up even to those who ask for no event of it, so a keyboard that
    /// is only ignored would wake the client for ever. It has to be left out of the set.
    #[test]
    fn a_pipe_that_hung_up_does_not_wake_a_client_whose_queue_is_full() {
        let (mut client, _go) = stuck(drop);
        client.end_of_input();
        let before = ticks(client.child.id());
        std::thread::sleep(Duration::from_millis(500));
        let used = ticks(client.child.id()) - before;
        assert!(used <= 5, "{used} of 50 ticks");
    }

    /// The end of the server's output is the end of the conversation, and what was not sent by
    /// then is not sent. It is not hidden either.
    #[test]
    fn what_was_never_sent_is_counted() {
        let (client, go) = stuck(|client| {
            client.shutdown(Shutdown::Write).expect("connected");
            // To close with something unread would be a reset.
            std::thread::sleep(PATIENCE);
        });
        go.send(()).expect("the server goes on");
        let ended = client.finish();
        ended.says(1, "client: the server closed the connection: ");
        ended.says(1, " bytes were never sent\n");
    }

    #[test]
    fn once_the_server_reads_again_every_byte_arrives() {
        let (sender, received) = channel();
        let (mut client, go) = stuck(move |mut client| {
            let mut all = Vec::new();
            client.read_to_end(&mut all).expect("an end of input");
            sender.send(all).expect("the test waits");
        });
        client.end_of_input();
        go.send(()).expect("the server goes on");
        assert_eq!(client.finish().ok(), b"");
        let all = received.recv().expect("the server read to the end");
        assert!(all.len() > 1 << 16 && all.iter().all(|&byte| byte == b'x'));
    }
}
