//! What a request holds: the socket, not the number of its descriptor. To close that number ends
//! nothing while the request is under way.

#![cfg(target_os = "linux")]

use common::would_block;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use uring::{Operation, Ring};

const PATIENCE: Duration = Duration::from_secs(20);
/// How long nothing is nothing.
const SILENCE: Duration = Duration::from_millis(200);
const A: usize = 1;
const POKE: usize = 2;

fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    client.set_read_timeout(Some(PATIENCE)).expect("not zero");
    (client, listener.accept().expect("it has connected").0)
}

/// A ring with a connection of its own beside client A's: a byte sent there ends each wait at once.
struct Watched {
    ring: Ring,
    poke: TcpStream,
    _poked: TcpStream,
}

/// A ring with a receive under way from client A; both ends of A's connection.
fn receiving(listener: &TcpListener) -> (Watched, TcpStream, TcpStream) {
    let mut ring = Ring::new(1024).expect("this system lets us have a ring");
    let (poke, poked) = pair(listener);
    ring.receive(POKE, &poked);
    let (client, server) = pair(listener);
    ring.receive(A, &server);
    let mut watched = Watched { ring, poke, _poked: poked };
    assert!(watched.completions(SILENCE).is_empty(), "nothing has been sent");
    (watched, client, server)
}

impl Watched {
    /// Operation, client and result of what completes in a time; only the first of it is waited
    /// for.
    fn completions(&mut self, time: Duration) -> Vec<(Operation, usize, io::Result<usize>)> {
        let deadline = Instant::now() + time;
        let mut batch = Vec::new();
        loop {
            self.poke.write_all(b"x").expect("connected");
            self.ring.enter(&mut batch).expect("the ring works");
            let others = batch.iter().filter(|done| done.client != POKE);
            let seen: Vec<_> =
                others.map(|done| (done.operation, done.client, done.result())).collect();
            batch.drain(..).for_each(|done| self.ring.put_back(done));
            if !seen.is_empty() || Instant::now() >= deadline {
                return seen;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn assert_no_end(client: &mut TcpStream) {
    client.set_read_timeout(Some(SILENCE)).expect("not zero");
    let error = client.read(&mut [0]).expect_err("no FIN has been sent");
    assert!(would_block(&error), "{error}");
    client.set_read_timeout(Some(PATIENCE)).expect("not zero");
}

#[test]
fn a_socket_that_is_closed_under_a_receive_stays_connected_and_its_number_is_harmless() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let (mut watched, mut a, server) = receiving(&listener);
    let number = server.as_raw_fd();
    drop(server);
    assert_no_end(&mut a);
    // The number goes to B's connection; other tests of this process open descriptors, too.
    let mut others = Vec::new();
    let mut b = loop {
        let (b, other) = pair(&listener);
        let found = other.as_raw_fd() == number || b.as_raw_fd() == number || others.len() == 100;
        others.push(other);
        if found {
            break b;
        }
    };
    b.write_all(b"from B").expect("connected");
    assert!(watched.completions(SILENCE).is_empty(), "nothing was asked of B");
    a.write_all(b"from A!").expect("still connected");
    let seen = watched.completions(PATIENCE);
    assert!(matches!(seen[..], [(Operation::Receive, A, Ok(7))]), "{seen:?}");
    assert_no_end(&mut a);
}

#[test]
fn a_receive_that_was_cancelled_lets_the_close_send_its_fin() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let (mut watched, mut a, server) = receiving(&listener);
    watched.ring.cancel(Operation::Receive, A);
    let mut cancelled = false;
    while !cancelled {
        let seen = watched.completions(PATIENCE);
        assert!(!seen.is_empty(), "the last completion never comes");
        cancelled = seen.iter().any(|(operation, ..)| *operation == Operation::Receive);
    }
    assert_no_end(&mut a);
    drop(server);
    assert_eq!(a.read(&mut [0]).expect("a clean end"), 0);
}

/// shutdown(2) ends the connection itself, whoever holds it.
#[test]
fn shutdown_sends_the_fin_at_once() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let (mut watched, mut a, server) = receiving(&listener);
    server.shutdown(Shutdown::Both).expect("connected");
    drop(server);
    assert_eq!(a.read(&mut [0]).expect("a clean end"), 0);
    let seen = watched.completions(PATIENCE);
    assert!(matches!(seen[..], [(Operation::Receive, A, Ok(0))]), "{seen:?}");
}
