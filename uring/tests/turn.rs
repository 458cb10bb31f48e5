//! How much one client may send before it is the others' turn.
#![cfg(target_os = "linux")]

use common::would_block;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use uring::Ring;

const CHUNK: usize = 16 * 1024;
const TURN: usize = 64 * 1024;

/// What one enter brings of a client that has sent as much as the kernel takes: how many bytes, and
/// whether the receive goes on.
fn one_turn(ring: &mut Ring) -> (usize, bool) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let addr = listener.local_addr().expect("bound");
    let mut client = TcpStream::connect(addr).expect("it listens");
    let server = listener.accept().expect("it has connected").0;
    client.set_nonblocking(true).expect("an open socket");
    let error = loop {
        if let Err(error) = client.write(&[b'x'; CHUNK]) {
            break error;
        }
    };
    assert!(would_block(&error), "{error}");
    ring.receive(0, &server);
    let mut batch = Vec::new();
    ring.enter(&mut batch).expect("the ring works");
    let bytes = batch.iter().map(|done| done.result().expect("bytes")).sum();
    (bytes, batch.last().expect("it was ready").more())
}

#[test]
fn a_client_that_has_sent_much_is_received_from_in_turns() {
    let mut ring = Ring::new(CHUNK).expect("this system lets us have a ring");
    if ring.limited {
        let (bytes, more) = one_turn(&mut ring);
        assert!((TURN..TURN + CHUNK).contains(&bytes), "{bytes}");
        assert!(!more, "it is over, to be asked again when the others have had their turn");
    }
}

/// Before Linux 6.17 a turn has no limit but the kernel's own, 32 buffers.
#[test]
fn without_a_limit_a_receive_goes_on() {
    let mut ring = Ring::new(CHUNK).expect("this system lets us have a ring");
    ring.limited = false;
    let (bytes, more) = one_turn(&mut ring);
    assert!(bytes >= TURN + CHUNK, "{bytes}");
    assert!(more, "and is not over");
}
