//! Who waits for whom: the one thing in which these programs differ.

use judge::rig::{Rig, read_text};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::time::Duration;

const BLOCKING: &str = env!("CARGO_BIN_EXE_blocking");
const THREADS: &str = env!("CARGO_BIN_EXE_thread_per_connection");
const PROCESSES: &str = env!("CARGO_BIN_EXE_process_per_connection");
const POOL: &str = env!("CARGO_BIN_EXE_thread_pool");

fn ask(client: &mut TcpStream, message: &str) -> String {
    client.write_all(message.as_bytes()).expect("connected");
    read_text(client, message.len())
}

/// Nothing has come for this client so far.
fn is_unanswered(client: &TcpStream) -> bool {
    client.set_nonblocking(true).expect("an open socket");
    let peeked = client.peek(&mut [0]);
    client.set_nonblocking(false).expect("an open socket");
    matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Closing with `SO_LINGER` 0 sends a reset instead of a FIN.
fn reset(client: TcpStream) {
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("an open socket");
    drop(client);
}

fn address(client: &TcpStream) -> String {
    client.local_addr().expect("connected").to_string()
}

#[test]
fn each_program_has_the_notes_own_reply() {
    for program in [BLOCKING, THREADS, PROCESSES, POOL] {
        assert_eq!(ask(&mut Rig::start(program, &[]).client(), "hi é"), "HI é", "{program}");
    }
}

/// The kernel accepts the second client and its message; the program does neither until the first
/// has left. Its leaving in good order is where the notes' program begins to spin.
#[test]
fn blocking_serves_the_second_client_when_the_first_has_left() {
    let mut server = Rig::start(BLOCKING, &[]);
    let mut first = server.client();
    assert_eq!(ask(&mut first, "first"), "FIRST");
    let mut second = server.client();
    second.write_all(b"second").expect("connected, without an accept");
    assert_eq!(ask(&mut first, "first again"), "FIRST AGAIN");
    assert!(is_unanswered(&second));
    let (first_address, second_address) = (address(&first), address(&second));
    drop(first);
    assert_eq!(read_text(&mut second, 6), "SECOND");
    // The narration is heard in order, so this also says that it was not accepted sooner.
    server.hear(&format!("closing {first_address}"));
    server.hear(&format!("new connection from {second_address}"));
}

#[test]
fn blocking_loses_a_client_that_resets_and_no_other() {
    let mut server = Rig::start(BLOCKING, &[]);
    let mut first = server.client();
    assert_eq!(ask(&mut first, "first"), "FIRST");
    let mut second = server.client();
    let words = format!("lost {}: Connection reset by peer", address(&first));
    reset(first);
    server.hear(&words);
    assert_eq!(ask(&mut second, "second"), "SECOND");
}

/// A client that has sent all it had to say reads on: its answer comes, and then the end.
#[test]
fn the_end_of_input_is_not_the_end_of_the_answers() {
    for program in [BLOCKING, THREADS, PROCESSES, POOL] {
        let server = Rig::start(program, &[]);
        let mut client = server.client();
        client.write_all(b"last words").expect("connected");
        client.shutdown(Shutdown::Write).expect("connected");
        let mut text = String::new();
        client.read_to_string(&mut text).expect("a clean end");
        assert_eq!(text, "LAST WORDS", "{program}");
    }
}

/// The thread or process of such a client sleeps in send, and that is all that sleeps.
#[test]
fn a_client_that_does_not_read_keeps_only_its_own_thread_or_process() {
    for (program, args) in [(THREADS, &[][..]), (PROCESSES, &[]), (POOL, &["--workers", "2"])] {
        let mut arguments = vec!["--quiet"];
        arguments.extend(args);
        let server = Rig::start(program, &arguments);
        let mut greedy = server.client();
        greedy.set_write_timeout(Some(Duration::from_millis(500))).expect("not zero");
        let (message, mut taken) = ([b'x'; 65_536], 0);
        // Until neither the kernel nor the server takes any more.
        while let Ok(count) = greedy.write(&message) {
            taken += count;
        }
        assert_eq!(ask(&mut server.client(), "and me"), "AND ME", "{program}");
        let mut answers = vec![0; taken];
        greedy.read_exact(&mut answers).expect("now it reads, and all of it comes");
        assert!(answers.iter().all(|&byte| byte == b'X'), "{program}");
    }
}

/// A pool has an end. Clients beyond it are not turned away: they wait, and are served.
#[test]
fn the_third_client_of_two_workers_waits_until_one_leaves() {
    let mut server = Rig::start(POOL, &["--workers", "2"]);
    let mut first = server.client();
    assert_eq!(ask(&mut first, "first"), "FIRST");
    let mut second = server.client();
    assert_eq!(ask(&mut second, "second"), "SECOND");
    let mut third = server.client();
    third.write_all(b"third").expect("connected");
    server.hear(&format!("all 2 workers are busy: {} waits", address(&third)));
    let mut fourth = server.client();
    fourth.write_all(b"fourth").expect("connected, without an accept");
    assert_eq!(ask(&mut first, "first again"), "FIRST AGAIN");
    assert_eq!(ask(&mut second, "second again"), "SECOND AGAIN");
    assert!(is_unanswered(&third) && is_unanswered(&fourth));
    let (second_address, fourth_address) = (address(&second), address(&fourth));
    drop(second);
    assert_eq!(read_text(&mut third, 5), "THIRD");
    // One waits inside, at the door. The next is not even accepted before that one is let in.
    server.hear(&format!("closing {second_address}"));
    server.hear(&format!("new connection from {fourth_address}"));
    assert!(is_unanswered(&fourth));
    drop(first);
    assert_eq!(read_text(&mut fourth, 6), "FOURTH");
}

/// A worker that held the lock through its conversation would leave the others standing before it.
#[test]
fn every_worker_of_a_pool_works() {
    let server = Rig::start(POOL, &["--workers", "5"]);
    let mut clients = [(); 5].map(|()| server.client());
    for client in &mut clients {
        assert_eq!(ask(client, "hello"), "HELLO");
    }
}

#[test]
fn a_pool_needs_a_worker() {
    for workers in ["0", "65536", "many"] {
        let output = Command::new(POOL).args(["--workers", workers]).output();
        let output = output.expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains("--workers"), "{said}");
    }
}

/// Threads that the system does not give are missed before a client is told to come.
#[test]
#[cfg(target_os = "linux")]
fn a_pool_that_cannot_be_started_says_so_in_one_line() {
    let output = Command::new(POOL)
        .args(["--addr", "127.0.0.1:0", "--workers", "3"])
        // A stack that no machine has room for stands for all the limits on threads.
        .env("RUST_MIN_STACK", (1_u64 << 47).to_string())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("cannot start worker 1 of 3: "), "{said}");
    assert!(output.stdout.is_empty());
}

/// Who sees the end of its connection may connect again at once: the worker is free by then.
#[test]
fn a_pool_does_not_call_a_worker_busy_that_has_said_goodbye() {
    let mut server = Rig::start(POOL, &["--workers", "1"]);
    let mut peer = String::new();
    for _ in 0..50 {
        let mut client = server.client();
        peer = address(&client);
        assert_eq!(ask(&mut client, "hi"), "HI");
        client.shutdown(Shutdown::Write).expect("connected");
        assert_eq!(client.read(&mut [0]).expect("a clean end"), 0);
    }
    let lines = server.hear_all(&format!("closing {peer}"));
    assert!(!lines.iter().any(|line| line.contains("are busy")), "{lines:#?}");
}
