//! Two sockets, and each one's fate is the other's.

use judge::dial::PATIENCE;
use judge::rig::{Rig, read_text};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const PROXY: &str = env!("CARGO_BIN_EXE_proxy");

/// A proxy, and the server behind it, which is the test's own.
fn proxy(args: &[&str]) -> (Rig, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let to = listener.local_addr().expect("bound").to_string();
    (Rig::start(PROXY, &[&["--to", &to], args].concat()), listener)
}

/// A client, and what the server behind the proxy has of it.
fn pair(proxy: &Rig, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = proxy.client();
    let (server, _) = listener.accept().expect("the proxy connects");
    server.set_read_timeout(Some(PATIENCE)).expect("an open socket");
    (client, server)
}

#[test]
fn an_end_is_handed_on_and_the_other_direction_goes_on() {
    let (proxy, listener) = proxy(&[]);
    let (mut client, mut server) = pair(&proxy, &listener);
    client.write_all(b"question").expect("connected");
    client.shutdown(Shutdown::Write).expect("connected");
    let mut question = String::new();
    server.read_to_string(&mut question).expect("the end comes behind the bytes");
    assert_eq!(question, "question");
    server.write_all(b"answer").expect("it still reads");
    assert_eq!(read_text(&mut client, 6), "answer");
    server.shutdown(Shutdown::Write).expect("connected");
    assert_eq!(client.read(&mut [0]).expect("the server's end"), 0);
}

#[test]
fn the_servers_end_does_not_stop_the_client() {
    let (proxy, listener) = proxy(&[]);
    let (mut client, mut server) = pair(&proxy, &listener);
    server.shutdown(Shutdown::Write).expect("connected");
    assert_eq!(client.read(&mut [0]).expect("the server's end"), 0);
    client.write_all(b"still here").expect("connected");
    assert_eq!(read_text(&mut server, 10), "still here");
}

/// A close would look like the end of a whole answer.
#[test]
fn a_broken_side_breaks_the_other() {
    let (mut proxy, listener) = proxy(&[]);
    let (mut client, server) = pair(&proxy, &listener);
    proxy.hear("connected to");
    socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).expect("an open socket");
    drop(server);
    let error = client.read(&mut [0]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    proxy.hear("and the server's side with it");
}

#[test]
fn without_a_server_a_client_is_refused_in_words() {
    let (mut proxy, listener) = proxy(&[]);
    let behind = listener.local_addr().expect("bound");
    drop(listener);
    let mut client = proxy.client();
    let words = proxy.hear("cannot connect");
    assert_eq!(words, format!("cannot connect to {behind}: Connection refused"));
    assert!(client.read(&mut [0]).is_err(), "a reset, not an end");
}

/// Sends until nothing is taken any more: how much.
fn fill(mut sender: &TcpStream) -> usize {
    const MUCH: usize = 64 << 20;
    sender.set_nonblocking(true).expect("an open socket");
    let (piece, mut sent) = (vec![b'x'; 64 << 10], 0);
    let mut moved = Instant::now();
    while moved.elapsed() < Duration::from_millis(300) {
        match sender.write(&piece) {
            Ok(count) => (sent, moved) = (sent + count, Instant::now()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
        assert!(sent < MUCH, "{MUCH} bytes were taken, and nothing was read");
    }
    sender.set_nonblocking(false).expect("an open socket");
    sent
}

/// Both have ended, and the server still has much to read. Of the client's socket poll would report
/// POLLHUP all the time.
#[test]
fn two_ends_lose_nothing_that_is_on_its_way() {
    let (proxy, listener) = proxy(&["--quiet"]);
    let (mut client, mut server) = pair(&proxy, &listener);
    server.shutdown(Shutdown::Write).expect("connected");
    assert_eq!(client.read(&mut [0]).expect("the server's end"), 0);
    let sent = fill(&client);
    client.shutdown(Shutdown::Write).expect("connected");
    let mut all = Vec::new();
    server.read_to_end(&mut all).expect("it is handed on");
    assert_eq!(all.len(), sent);
}

/// Nothing is asked of a side whose bytes have no room. That it broke is noticed all the same.
#[test]
fn a_side_that_waits_for_room_and_breaks_is_noticed() {
    let (mut proxy, listener) = proxy(&[]);
    let (client, _server) = pair(&proxy, &listener);
    fill(&client);
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("an open socket");
    drop(client);
    proxy.hear("and the server's side with it");
}

/// What is on its way is bounded by two queues and the kernel's buffers, on either side.
#[test]
fn a_reader_that_stops_stops_the_other_side() {
    for server_sends in [false, true] {
        let (proxy, listener) = proxy(&["--quiet"]);
        let (client, server) = pair(&proxy, &listener);
        let (mut sender, mut reader) =
            if server_sends { (server, client) } else { (client, server) };
        let sent = fill(&sender);
        // And all of it comes, once it is read.
        let ending = thread::spawn(move || {
            sender.write_all(b"the end").and_then(|()| sender.shutdown(Shutdown::Write))
        });
        let mut all = Vec::new();
        reader.read_to_end(&mut all).expect("it is handed on");
        assert_eq!(all.len(), sent + 7);
        assert!(all.ends_with(b"xthe end"));
        ending.join().expect("it does not panic").expect("there is room again");
    }
}
