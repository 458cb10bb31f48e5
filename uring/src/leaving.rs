//! A client that leaves stays in the table while anything is under way for it, and no longer.

use super::*;
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

fn server() -> (Server, SocketAddr) {
    let args = ServerArgs { addr: "127.0.0.1:0".into(), chunk: 1024, backlog: 16, quiet: true };
    let server = Server::new(&args, Reply::Echo).expect("this system lets us have a ring");
    let addr = server.listener.local_addr().expect("bound");
    (server, addr)
}

/// Lets the server take its turns until `over` says so. What keeps them coming is a bystander: an
/// enter without a completion would sleep.
fn serve_until(server: &mut Server, bystander: &mut TcpStream, over: impl Fn(&Server) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    let mut batch = Vec::new();
    while !over(server) {
        assert!(Instant::now() < deadline, "it does not come; clients: {}", server.clients.len());
        bystander.write_all(b"x").expect("connected");
        server.turn(&mut batch).expect("the ring works");
        let _ = bystander.read(&mut [0; 64]);
    }
}

/// A bystander that is connected and known, and does not wait for its answers.
fn bystander(server: &mut Server, addr: SocketAddr) -> TcpStream {
    let mut bystander = TcpStream::connect(addr).expect("it listens");
    bystander.set_nonblocking(true).expect("an open socket");
    serve_until(server, &mut bystander, |server| server.clients.len() == 1);
    bystander
}

fn reset(client: TcpStream) {
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("an open socket");
    drop(client);
}

#[test]
fn however_a_client_leaves_its_place_is_free_in_the_end() {
    let (mut server, addr) = server();
    let mut bystander = bystander(&mut server, addr);
    for round in 0..40 {
        let mut client = TcpStream::connect(addr).expect("it listens");
        match round % 5 {
            0 => drop(client),
            1 => reset(client),
            2 => {
                client.write_all(b"last words").expect("connected");
                client.shutdown(Shutdown::Write).expect("connected");
                // It waits for the end, and the end comes only when its answer is gone.
                let mut answer = Vec::new();
                std::thread::scope(|scope| {
                    let reading = scope.spawn(|| client.read_to_end(&mut answer).map(drop));
                    serve_until(&mut server, &mut bystander, |_| reading.is_finished());
                    reading.join().expect("it does not panic").expect("a clean end");
                });
                assert_eq!(answer, b"last words");
            }
            3 => {
                client.write_all(b"unread answer").expect("connected");
                serve_until(&mut server, &mut bystander, |server| server.clients.len() == 2);
                reset(client);
            }
            _ => {
                client.write_all(&[b'x'; 10_000]).expect("connected");
                drop(client);
            }
        }
        serve_until(&mut server, &mut bystander, |server| server.clients.len() == 1);
    }
    let left: Vec<_> = server.clients.iter().map(|(_, client)| client.connection.peer()).collect();
    assert_eq!(left, [bystander.local_addr().expect("connected")], "nobody else is left");
}

/// More completions than the queue has room for: they come later, and none of them is taken for a
/// success meanwhile.
#[test]
fn what_finds_no_room_in_the_completion_queue_is_waited_for() {
    let (mut server, addr) = server();
    server.ring = Ring::with_queues(1024, 16, 32).expect("this system lets us have a ring");
    let mut bystander = bystander(&mut server, addr);
    let mut clients = Vec::new();
    for number in 2..=100 {
        clients.push(TcpStream::connect(addr).expect("it listens"));
        serve_until(&mut server, &mut bystander, |server| server.clients.len() == number);
    }
    // All of them have their last words between two turns.
    for client in &mut clients {
        client.write_all(b"last words").expect("connected");
        client.shutdown(Shutdown::Write).expect("connected");
    }
    serve_until(&mut server, &mut bystander, |server| server.clients.len() == 1);
    for mut client in clients {
        client.set_read_timeout(Some(DEADLINE)).expect("not zero");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("a clean end");
        assert_eq!(answer, b"last words");
    }
}

/// The kernel holds its answers, lent to it, when the connection breaks.
#[test]
fn what_is_lent_comes_back_before_the_place_is_free() {
    let (mut server, addr) = server();
    let mut bystander = bystander(&mut server, addr);
    let mut greedy = TcpStream::connect(addr).expect("it listens");
    greedy.set_nonblocking(true).expect("an open socket");
    let deadline = Instant::now() + DEADLINE;
    while !server.clients.iter().any(|(_, client)| !client.lent.is_empty()) {
        assert!(Instant::now() < deadline, "nothing was ever lent");
        while greedy.write(&[b'x'; 65536]).is_ok() {}
        serve_until(&mut server, &mut bystander, |_| true);
        bystander.write_all(b"x").expect("connected");
        server.turn(&mut Vec::new()).expect("the ring works");
        let _ = bystander.read(&mut [0; 64]);
    }
    // Full: and then the kernel is asked to receive no more.
    serve_until(&mut server, &mut bystander, |server| {
        server.clients.iter().any(|(_, client)| !client.lent.is_empty() && !client.receiving)
    });
    reset(greedy);
    serve_until(&mut server, &mut bystander, |server| server.clients.len() == 1);
}

/// An echo is sent from the buffer in which it came. If that could stay with a client that does not
/// read, a few such clients would have all the buffers.
#[test]
fn clients_that_never_read_keep_no_buffer() {
    let (mut server, addr) = server();
    // No more than 16 buffers, for twice as many clients.
    server.ring = Ring::new(1 << 20).expect("this system lets us have a ring");
    let mut bystander = bystander(&mut server, addr);
    let mut greedy = Vec::new();
    for number in 2..=33 {
        greedy.push(TcpStream::connect(addr).expect("it listens"));
        serve_until(&mut server, &mut bystander, |server| server.clients.len() == number);
    }
    let deadline = Instant::now() + DEADLINE;
    let is_full = |client: &Client| !client.lent.is_empty() && !client.receiving;
    while server.clients.iter().filter(|(_, client)| is_full(client)).count() < greedy.len() {
        assert!(Instant::now() < deadline, "not all of them are refused");
        for client in &mut greedy {
            client.set_nonblocking(true).expect("an open socket");
            while client.write(&[b'x'; 65536]).is_ok() {}
        }
        serve_until(&mut server, &mut bystander, |_| true);
        bystander.write_all(b"x").expect("connected");
        server.turn(&mut Vec::new()).expect("the ring works");
        let _ = bystander.read(&mut [0; 64]);
    }
    let mut answer = [0; 1024];
    while bystander.read(&mut answer).is_ok() {}
    bystander.write_all(b"still there?").expect("connected");
    let mut answered = false;
    while !answered {
        assert!(Instant::now() < deadline, "no buffer is left for anyone else");
        server.turn(&mut Vec::new()).expect("the ring works");
        answered = bystander.read(&mut answer).is_ok_and(|count| count > 0);
    }
}
