//! What one message costs, as the narration tells it: each `waiting` is an epoll_wait, each
//! `EPOLL_CTL_MOD` an epoll_ctl.
#![cfg(any(target_os = "linux", target_os = "android"))]

use judge::rig::{Rig, read_text};
use std::io::Write;
use std::net::TcpStream;

fn exchange(client: &mut TcpStream, message: &str) {
    client.write_all(message.as_bytes()).expect("connected");
    assert_eq!(read_text(client, message.len()), message);
}

/// The narration of the second message: between the two nothing is left to do.
fn narration_of_a_message(program: &str) -> Vec<String> {
    let mut server = Rig::start(program, &[]);
    let mut client = server.client();
    exchange(&mut client, "first");
    server.hear("output queue for");
    // The client's end is the end of the story: nothing is narrated after it that we might miss.
    exchange(&mut client, "second");
    drop(client);
    let mut lines = server.hear_all("no more data");
    let end = lines.iter().rposition(|line| line.starts_with("waiting")).expect("it waited");
    lines.truncate(end);
    let ready = lines.iter().position(|line| line.ends_with(", EPOLLIN)]"));
    lines.split_off(ready.unwrap_or_else(|| panic!("no event of a message: {lines:#?}")))
}

#[test]
fn a_queue_costs_two_waits_and_two_changes_of_interest() {
    let lines = narration_of_a_message(env!("CARGO_BIN_EXE_epoll"));
    let steps = ["EPOLLIN)]", "received", "MOD to EPOLLIN|EPOLLOUT", "waiting", "EPOLLOUT)]"];
    let steps = [&steps[..], &["sending", "is empty", "MOD to EPOLLIN"]].concat();
    assert_eq!(lines.len(), steps.len(), "{lines:#?}");
    assert!(lines.iter().zip(steps).all(|(line, step)| line.contains(step)), "{lines:#?}");
}

#[test]
fn sending_at_once_costs_neither() {
    let lines = narration_of_a_message(env!("CARGO_BIN_EXE_epoll_direct"));
    let steps = ["EPOLLIN)]", "received b'second'", "sending b'second'", "is empty"];
    assert_eq!(lines.len(), steps.len(), "{lines:#?}");
    assert!(lines.iter().zip(steps).all(|(line, step)| line.contains(step)), "{lines:#?}");
}

/// The other half of `epoll_direct`: what the kernel does not take is queued, and room is watched
/// for, but only as long as something is queued.
#[test]
fn room_is_watched_for_only_after_a_short_send() {
    let mut server = Rig::start(env!("CARGO_BIN_EXE_epoll_direct"), &[]);
    let mut client = server.client();
    let mut writer = client.try_clone().expect("descriptors are free");
    let much = "x".repeat(16 << 20);
    let expected = much.len();
    let writing = std::thread::spawn(move || writer.write_all(much.as_bytes()));
    server.hear("EPOLL_CTL_MOD to EPOLLIN|EPOLLOUT");
    // The queue is full: input is not watched any more, or level would report it for ever.
    assert!(server.hear("EPOLL_CTL_MOD").ends_with("to EPOLLOUT"));
    assert_eq!(read_text(&mut client, expected).len(), expected);
    writing.join().expect("it does not panic").expect("the server read it all");
    drop(client);
    let lines = server.hear_all("closing");
    let last = lines.iter().rfind(|line| line.contains("EPOLL_CTL_MOD")).expect("it was changed");
    assert!(last.ends_with("to EPOLLIN"), "nothing queued, and room is still watched for: {last}");
}
