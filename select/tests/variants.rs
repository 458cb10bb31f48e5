//! What each variant is there to show.

use judge::rig::{PATIENCE, Rig, connect, read_text};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

fn ask(client: &mut TcpStream, message: &str) -> String {
    client.write_all(message.as_bytes()).expect("connected");
    read_text(client, message.len())
}

#[test]
fn each_program_has_the_notes_own_reply() {
    assert_eq!(ask(&mut Rig::start(env!("CARGO_BIN_EXE_select"), &[]).client(), "hi é"), "hi é");
    let readable = Rig::start(env!("CARGO_BIN_EXE_select_readable"), &[]);
    assert_eq!(ask(&mut readable.client(), "hi é"), "HI é");
    let services = Rig::start(env!("CARGO_BIN_EXE_services"), &[]);
    assert_eq!(ask(&mut services.client(), "hi é"), "hi é");
}

/// One list means that there is nowhere to wait for room: the client that does not read is turned
/// out, and its neighbour does not notice.
#[test]
fn select_readable_turns_out_a_client_that_does_not_read() {
    let mut server = Rig::start(env!("CARGO_BIN_EXE_select_readable"), &[]);
    let mut neighbour = server.client();
    let mut greedy = server.client();
    // Until the server closes it, which is an error here sooner or later.
    while greedy.write_all(&[b'x'; 65536]).is_ok() {}
    server.hear("unread: turned out");
    assert_eq!(ask(&mut neighbour, "and me"), "AND ME");
}

#[test]
fn select_level_reports_the_listener_for_as_long_as_a_client_waits() {
    let mut server = Rig::start(env!("CARGO_BIN_EXE_select_level"), &[]);
    let _client = server.client();
    server.hear("hello: the listener is readable, report 1");
    server.hear("hello: the same connection, ");
}

/// The time from three questions asked at once to each answer, the soonest first.
fn answer_times(how: &str) -> Vec<Duration> {
    let mut server =
        Rig::start(env!("CARGO_BIN_EXE_slow_reply"), &["--how", how, "--delay", "0.4"]);
    let mut clients = [(); 3].map(|()| server.client());
    for _ in &clients {
        server.hear("new connection from");
    }
    let asked = server.while_held(|| {
        for client in &mut clients {
            client.write_all(b"?").expect("connected");
        }
        Instant::now()
    });
    let mut times = clients.map(|mut client| {
        assert_eq!(read_text(&mut client, 1), "?");
        asked.elapsed()
    });
    times.sort();
    times.to_vec()
}

const DELAY: Duration = Duration::from_millis(400);

#[test]
fn a_handler_that_sleeps_makes_everybody_wait_in_turn() {
    let times = answer_times("sleep");
    assert!(times.iter().zip(1..).all(|(&time, turn)| time >= DELAY * turn), "{times:?}");
}

#[test]
fn a_deadline_makes_nobody_wait_for_another() {
    let times = answer_times("timer");
    assert!(times[0] >= DELAY, "too early: {times:?}");
    assert!(times[2] - times[0] < DELAY, "one after the other: {times:?}");
}

#[test]
fn a_worker_makes_nobody_wait_for_another() {
    let times = answer_times("worker");
    assert!(times[0] >= DELAY, "too early: {times:?}");
    assert!(times[2] - times[0] < DELAY, "one after the other: {times:?}");
}

/// A client that leaves while its message is being worked on is not missed, and its answer goes to
/// nobody else.
#[test]
fn a_workers_answer_for_a_client_that_left_is_dropped() {
    let args = ["--how", "worker", "--delay", "0.4"];
    let mut server = Rig::start(env!("CARGO_BIN_EXE_slow_reply"), &args);
    let mut first = server.client();
    first.write_all(b"first").expect("connected");
    server.hear("received b'first'");
    socket2::SockRef::from(&first).set_linger(Some(Duration::ZERO)).expect("an open socket");
    drop(first);
    assert_eq!(ask(&mut server.client(), "other"), "other");
}

fn services() -> (Rig, SocketAddr) {
    let mut server = Rig::start(env!("CARGO_BIN_EXE_services"), &[]);
    let line = server.hear("daytime on TCP ");
    let daytime = line.rsplit(' ').next().and_then(|addr| addr.parse().ok());
    (server, daytime.expect("the line ends with the address"))
}

#[test]
fn one_port_number_serves_tcp_and_udp() {
    let (server, _) = services();
    let mut stream = server.client();
    assert_eq!(ask(&mut stream, "over TCP"), "over TCP");
    let datagrams = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    datagrams.set_read_timeout(Some(PATIENCE)).expect("not zero");
    let mut buffer = [0; 65_535];
    // A datagram keeps its borders, whatever its length: two sent are two received.
    for message in [&b"one"[..], b"", &[b'x'; 60_000]] {
        datagrams.send_to(message, server.addr()).expect("loopback");
        let (count, from) = datagrams.recv_from(&mut buffer).expect("an answer");
        assert_eq!((&buffer[..count], from), (message, server.addr()));
    }
    assert_eq!(ask(&mut stream, "still here"), "still here");
}

#[test]
fn daytime_tells_the_time_and_ends_whatever_the_client_sends() {
    let (server, daytime) = services();
    let mut client = connect(daytime);
    client.write_all(b"what time is it?").expect("connected");
    let mut text = String::new();
    client.read_to_string(&mut text).expect("a clean end, no reset");
    assert!(text.ends_with(" GMT\r\n"), "{text:?}");
    assert_eq!(ask(&mut server.client(), "echo"), "echo");
}

/// Neither the client's idleness nor its input keeps a descriptor from the echo service.
#[test]
fn daytime_leaves_a_client_that_stays() {
    let (mut server, daytime) = services();
    let mut client = connect(daytime);
    let mut line = [0; 64];
    assert!(client.read(&mut line).expect("the time of day") > 0);
    server.hear(&format!("closing {}", client.local_addr().expect("connected")));
}

/// Taking an urgent byte does not end the asking: the next one is taken as well.
#[test]
#[cfg(target_os = "linux")]
fn select_takes_one_urgent_byte_after_the_other() {
    let mut server = Rig::start(env!("CARGO_BIN_EXE_select"), &[]);
    let mut client = server.client();
    for byte in ["!", "?"] {
        socket2::SockRef::from(&client).send_out_of_band(byte.as_bytes()).expect("connected");
        server.hear(&format!("urgent byte b'{byte}'"));
        assert_eq!(ask(&mut client, "hello"), "hello");
    }
}
