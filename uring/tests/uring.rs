//! What the fifth model is there to show, and what it must not leave behind.
#![cfg(target_os = "linux")]

use judge::rig::{PATIENCE, Rig, read_text};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const URING: &str = env!("CARGO_BIN_EXE_uring");
const ONCE: &str = env!("CARGO_BIN_EXE_uring_once");

/// When the completion comes the bytes are in our buffer, and nothing is left to be fetched.
#[test]
fn the_kernel_copied_before_it_told() {
    let mut server = Rig::start(ONCE, &[]);
    let mut client = server.client();
    // It is under way, and the program asleep, before there is anything to receive.
    server.hear("submitted: receive");
    wait_until_asleep(&server);
    client.write_all(b"hello").expect("connected");
    assert_eq!(read_text(&mut client, 5), "hello");
    server.hear("completed: receive = 5, sleeps in io_uring_enter: 1");
    server.hear("in our buffer 5 bytes, left in the kernel 0");
    drop(client);
    server.hear("5 bytes, none copied by us");
}

/// The state of a process is the letter behind its name (proc(5)).
fn wait_until_asleep(server: &Rig) {
    let deadline = Instant::now() + PATIENCE;
    let stat = format!("/proc/{}/stat", server.process());
    while !std::fs::read_to_string(&stat).expect("it is there").contains(") S ") {
        assert!(Instant::now() < deadline, "it does not sleep");
        std::thread::yield_now();
    }
}

/// A message costs one enter: between two of them the kernel has sent the one answer and received
/// the next message.
#[test]
fn one_system_call_for_a_message() {
    let mut server = Rig::start(URING, &[]);
    let mut client = server.client();
    server.hear("new connection");
    for _ in 0..10 {
        client.write_all(b"ping").expect("connected");
        assert_eq!(read_text(&mut client, 4), "ping");
    }
    drop(client);
    let lines = server.hear_all("closing");
    let enters = lines.iter().filter(|line| line.contains("waiting for completions")).count();
    assert!(enters <= 11, "{enters} for 10 messages and an end: {lines:#?}");
}

#[test]
fn what_a_client_does_not_read_is_lent_to_the_kernel_and_comes_back() {
    let mut server = Rig::start(URING, &[]);
    let mut client = server.client();
    let mut writer = client.try_clone().expect("descriptors are free");
    let much = "x".repeat(16 << 20);
    let expected = much.len();
    let writing = std::thread::spawn(move || {
        writer.write_all(much.as_bytes())?;
        writer.shutdown(std::net::Shutdown::Write)
    });
    let mut lines = server.hear_all("bytes are lent to the kernel");
    assert_eq!(read_text(&mut client, expected).len(), expected);
    writing.join().expect("it does not panic").expect("the server took it all");
    lines.extend(server.hear_all("closing"));
    assert!(lines.iter().any(|line| line.contains("completed: sent")), "it came back");
}

/// A client of a source address of its own: so many leave that one address would run out of ports.
fn client_from(source: u8, addr: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("descriptors are free");
    let source = SocketAddr::from(([127, 0, 0, source], 0));
    socket.bind(&source.into()).expect("all of 127.0.0.0/8 is this machine's");
    socket.connect_timeout(&addr.into(), PATIENCE).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
    socket.into()
}

/// Buffers of a mebibyte: there are only 16 of them, and none may stay behind. The number of a
/// descriptor is the lowest that is free, and so shows those that were left open.
#[test]
fn twenty_thousand_clients_leave_nothing_behind() {
    let server = Rig::start(URING, &["--chunk", "1048576", "--quiet"]);
    for number in 0..20_000_u32 {
        let mut client = client_from(2 + (number % 100) as u8, server.addr());
        if number % 3 > 0 {
            client.write_all(b"hello").expect("connected");
        }
        if number % 3 == 1 {
            assert_eq!(read_text(&mut client, 5), "hello");
        }
        if number % 2 == 0 {
            SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("an open socket");
        }
    }
    // More than all buffers hold, each of them used several times.
    let mut last = server.client();
    let mut writer = last.try_clone().expect("descriptors are free");
    let much = "x".repeat(64 << 20);
    let expected = much.len();
    let writing = std::thread::spawn(move || writer.write_all(much.as_bytes()));
    assert_eq!(read_text(&mut last, expected).len(), expected);
    writing.join().expect("it does not panic").expect("the server took it all");
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.process())).expect("it is there");
    let open = open.count();
    // Three standard ones, the listener, the ring, the last client; and what `cargo test` left
    // open.
    assert!(open < 20, "{open} descriptors are open");
}
