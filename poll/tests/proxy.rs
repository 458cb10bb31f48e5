//! Two sockets, and each one's fate is the other's.

use judge::dial::PATIENCE;
use judge::process::observe;
use judge::rig::{Rig, connect, read_text};
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
    // The reset must not come while the client still connects.
    let addr = proxy.addr();
    let mut client = proxy.while_held(|| connect(addr));
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

/// Its socket is ended in both directions, and poll would report POLLHUP at every call. That is no
/// failure: the rest stands in the receive buffer until there is room for it.
#[cfg(target_os = "linux")]
#[test]
fn a_client_that_has_ended_is_read_when_there_is_room_again() {
    let (proxy, listener) = proxy(&["--quiet"]);
    let (mut client, mut server) = pair(&proxy, &listener);
    server.shutdown(Shutdown::Write).expect("connected");
    assert_eq!(client.read(&mut [0]).expect("the server's end"), 0);
    let sent = fill(&client);
    // The last byte is with the proxy's kernel when this close returns. Read as far as that takes,
    // and no further.
    socket2::SockRef::from(&client).set_linger(Some(PATIENCE)).expect("an open socket");
    let closing = thread::spawn(move || drop(client));
    let (mut all, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    while judge::process::soon(Duration::from_millis(20), || closing.is_finished().then_some(()))
        .is_none()
    {
        server.read_exact(&mut piece).expect("it is handed on");
        all.extend_from_slice(&piece);
    }
    assert!(all.len() < sent, "all of it was read: nothing is left to lose");
    let before = cpu_time(proxy.process());
    thread::sleep(Duration::from_millis(300));
    let spent = cpu_time(proxy.process()) - before;
    server.read_to_end(&mut all).expect("no reset");
    assert_eq!(all.len(), sent);
    assert!(spent < Duration::from_millis(100), "{spent:?} of CPU while nothing could be done");
}

#[cfg(target_os = "linux")]
fn cpu_time(process: u32) -> Duration {
    observe::cpu_time(process.try_into().expect("a number")).expect("Linux")
}

/// A GiB takes four times as long, and shows the same: set `MIB` to see.
#[test]
fn a_lot_goes_through_both_ways_at_once_and_little_of_it_is_kept() {
    let mib = std::env::var("MIB").map_or(256, |mib| mib.parse().expect("a number of MiB"));
    let much = mib << 20;
    let (proxy, listener) = proxy(&["--quiet", "--chunk", "65536"]);
    let (client, server) = pair(&proxy, &listener);
    // Of a prime length, so that no piece can take another's place unnoticed.
    let pattern: Vec<u8> = (0..65_521_u32).map(|n| (n * n % 251) as u8).collect();
    thread::scope(|scope| {
        for (socket, rotated) in [(&client, 0), (&server, 1)] {
            let [sent, awaited] = [rotated, 1 - rotated].map(|by| {
                let mut pattern = pattern.clone();
                pattern.rotate_left(by);
                pattern
            });
            scope.spawn(move || send_all(socket, &sent, much));
            scope.spawn(move || receive_all(socket, &awaited, much));
        }
    });
    let process = proxy.process().try_into().expect("a number");
    if let Some(peak) = observe::peak_memory(process) {
        println!("{mib} MiB each way; at most {} KiB resident", peak >> 10);
        assert!(peak < 16 << 20, "{peak} bytes resident");
    }
}

/// Sends `much` bytes of the pattern, again and again, and then the end.
fn send_all(mut socket: &TcpStream, pattern: &[u8], much: usize) {
    let mut left = much;
    while left > 0 {
        let count = left.min(pattern.len());
        socket.write_all(&pattern[..count]).expect("it goes on");
        left -= count;
    }
    socket.shutdown(Shutdown::Write).expect("connected");
}

/// Receives them, looks at each, and then at the end.
fn receive_all(mut socket: &TcpStream, pattern: &[u8], much: usize) {
    let (mut piece, mut got) = (vec![0; 64 << 10], 0);
    loop {
        let count = socket.read(&mut piece).expect("it goes on");
        if count == 0 {
            break;
        }
        let mut rest = &piece[..count];
        while !rest.is_empty() {
            let awaited = &pattern[got % pattern.len()..];
            let same = rest.len().min(awaited.len());
            assert!(rest[..same] == awaited[..same], "other bytes within {same} behind {got}");
            (rest, got) = (&rest[same..], got + same);
        }
    }
    assert_eq!(got, much);
}
