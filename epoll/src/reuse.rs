//! Does an event reach the wrong client when a descriptor number changes hands within a batch?

use super::*;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(10);

fn server() -> (Server, SocketAddr) {
    let server_args =
        ServerArgs { addr: "127.0.0.1:0".into(), chunk: 1024, backlog: 16, quiet: true };
    let server = Server::new(&server_args, Reply::Echo, false).expect("loopback");
    let addr = server.listener.local_addr().expect("bound");
    (server, addr)
}

/// The event of `client` in a batch that has one of `other`, too.
fn event_beside(server: &mut Server, client: DefaultKey, other: DefaultKey) -> EpollEvent {
    let deadline = Instant::now() + DEADLINE;
    let mut batch = [EpollEvent::empty(); 8];
    loop {
        let events = server.wait(&mut batch).expect("an open descriptor");
        let find = |wanted| events.iter().find(|event| key(event) == wanted);
        if let (Some(event), Some(_)) = (find(client), find(other)) {
            return *event;
        }
        assert!(Instant::now() < deadline, "the two were never ready together");
    }
}

/// Has the client accepted that connected last.
fn accept(server: &mut Server) -> DefaultKey {
    let known: Vec<_> = server.clients.keys().collect();
    server.accept();
    let new = server.clients.keys().find(|key| !known.contains(key));
    new.expect("one was waiting")
}

#[test]
fn a_late_event_does_not_reach_the_client_that_got_the_number() {
    let (mut server, addr) = server();
    let connect = || TcpStream::connect(addr).expect("it listens");
    let (mut first, mut second) = (connect(), connect());
    let (first_key, second_key) = (accept(&mut server), accept(&mut server));
    // Not accepted yet: it waits, and takes no number of the server's.
    let mut third = connect();
    first.write_all(b"from the first").expect("connected");
    second.write_all(b"from the second").expect("connected");
    let late = event_beside(&mut server, second_key, first_key);

    // Handling the first event ends the second client, and a third one comes at once. It gets the
    // lowest number that is free, as always.
    let number = server.number(second_key);
    server.clients.remove(second_key);
    let third_key = accept(&mut server);
    assert_eq!(server.number(third_key), number, "this test needs the number to change hands");
    third.write_all(b"from the third").expect("connected");
    let news = event_beside(&mut server, third_key, first_key);

    // The second client's event is still in the batch, and its number is now the third's.
    server.handle(key(&late), late.events());
    assert!(!server.clients[third_key].connection.wants_write(), "nobody has read from the third");

    // Its own event does reach it.
    server.handle(key(&news), news.events());
    assert_eq!(server.clients[third_key].connection.queue().waiting(), b"from the third");
}
