//! The three servers, by what they say: which callback stands in a key, when a queue is watched,
//! and who switches to whom.

use judge::rig::{Rig, connect, read_text};
use std::io::Write;
use std::time::{Duration, Instant};

const SELECTORS: &str = env!("CARGO_BIN_EXE_selectors");
const QUEUE: &str = env!("CARGO_BIN_EXE_selectors_queue");
const COROUTINES: &str = env!("CARGO_BIN_EXE_coroutines");

#[test]
fn each_program_has_the_notes_own_reply() {
    for (program, answer) in [
        (SELECTORS, "HI É_SB".replace('É', "é")),
        (QUEUE, r"Server received b'hi \xc3\xa9'".to_owned()),
        (COROUTINES, "hi é".to_owned()),
    ] {
        let server = Rig::start(program, &[]);
        let mut client = server.client();
        client.write_all("hi é".as_bytes()).expect("connected");
        assert_eq!(read_text(&mut client, answer.len()), answer);
    }
}

#[test]
fn a_backend_is_chosen_by_name() {
    for (choice, name) in [("select", "select"), ("poll", "poll")] {
        let mut server = Rig::start(SELECTORS, &["--backend", choice]);
        server.hear(&format!("the backend is {name}"));
    }
}

/// No system has all five.
#[test]
fn a_backend_that_the_system_lacks_is_named() {
    let output = std::process::Command::new(SELECTORS)
        .args(["--addr", "127.0.0.1:0", "--backend"])
        .arg(if cfg!(target_os = "linux") { "kqueue" } else { "epoll" })
        .output()
        .expect("it is built");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.lines().count() == 1 && words.contains("this system has no"), "{words}");
}

/// More than the kernel takes, for a client that does not read yet.
#[test]
fn the_callback_changes_when_there_is_no_room() {
    let mut server = Rig::start(SELECTORS, &["--reply", "echo"]);
    let mut client = server.client();
    let mut writer = client.try_clone().expect("descriptors are free");
    let much = "x".repeat(16 << 20);
    let expected = much.len();
    let writing = std::thread::spawn(move || writer.write_all(much.as_bytes()));
    assert!(server.hear("modify to").ends_with("to EVENT_WRITE"));
    assert_eq!(read_text(&mut client, expected).len(), expected);
    writing.join().expect("it does not panic").expect("the server read it all");
    drop(client);
    let lines = server.hear_all("closing");
    let last = lines.iter().rfind(|line| line.contains("modify to")).expect("it was changed back");
    assert!(last.ends_with("to EVENT_READ"), "{last}");
}

/// The notes' queue server asks for room always, and modifies the listener instead of the client.
#[test]
fn room_is_asked_for_only_while_something_is_queued() {
    let mut server = Rig::start(QUEUE, &[]);
    let mut client = server.client();
    let line = server.hear("new connection");
    let fd = line.rsplit(' ').next().expect("a number at its end").to_owned();
    client.write_all(b"hello").expect("connected");
    assert!(
        server
            .hear("modify")
            .ends_with(&format!("descriptor {fd}: modify to EVENT_READ|EVENT_WRITE"))
    );
    let lines = server.hear_all("modify");
    assert!(
        lines.iter().any(|line| line.contains("sending b\"Server received b'hello'\"")),
        "{lines:#?}"
    );
    assert_eq!(
        lines.last().map(String::as_str),
        Some(&*format!("descriptor {fd}: modify to EVENT_READ"))
    );
}

/// Two conversations, interleaved line by line on one thread.
#[test]
fn a_task_stops_at_its_wait_and_another_goes_on() {
    let mut server = Rig::start(COROUTINES, &[]);
    let (mut first, mut second) = (server.client(), server.client());
    let (a, b) = (first.local_addr().expect("connected"), second.local_addr().expect("connected"));
    server.hear(&format!("switching: nothing from {b} yet"));
    second.write_all(b"from the second").expect("connected");
    server.hear(&format!("{b} goes on"));
    server.hear(&format!("switching: nothing from {b} yet"));
    first.write_all(b"from the first").expect("connected");
    server.hear(&format!("{a} goes on"));
    assert_eq!(read_text(&mut second, 15), "from the second");
    assert_eq!(read_text(&mut first, 14), "from the first");
}

/// S3's `sleep(5)` in the loop, as it should be: it stops its own task.
#[test]
fn a_sleeping_task_makes_nobody_wait() {
    const DELAY: Duration = Duration::from_millis(400);
    let server = Rig::start(COROUTINES, &["--delay", "0.4"]);
    let mut clients = [(); 3].map(|()| connect(server.addr()));
    let asked = Instant::now();
    for client in &mut clients {
        client.write_all(b"?").expect("connected");
    }
    for client in &mut clients {
        assert_eq!(read_text(client, 1), "?");
        assert!(asked.elapsed() >= DELAY, "too early: {:?}", asked.elapsed());
    }
    assert!(asked.elapsed() < 2 * DELAY, "one after the other: {:?}", asked.elapsed());
}
