//! How much one client may send before it is the others' turn.
#![cfg(target_os = "linux")]

use common::would_block;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use uring::{Completion, Ring};

const TURN: usize = 64 * 1024;

/// What one enter brings of a client that has sent as much as the kernel takes: how many bytes, and
/// whether the receive goes on.
fn one_turn(ring: &mut Ring) -> (usize, bool) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let addr = listener.local_addr().expect("bound");
    let mut client = TcpStream::connect(addr).expect("it listens");
    let server = listener.accept().expect("it has connected").0;
    client.set_nonblocking(true).expect("an open socket");
    let mut batch = Vec::new();
    loop {
        let error = loop {
            if let Err(error) = client.write(&[b'x'; TURN]) {
                break error;
            }
        };
        assert!(would_block(&error), "{error}");
        ring.receive(0, &server);
        ring.enter(&mut batch).expect("the ring works");
        let bytes: io::Result<Vec<usize>> = batch.iter().map(Completion::result).collect();
        let more = batch.last().expect("it was ready").more();
        batch.drain(..).for_each(|done| ring.put_back(done));
        match bytes {
            Ok(bytes) => return (bytes.iter().sum(), more),
            // It ended for want of buffers, and has twice as many now.
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS)),
        }
    }
}

#[test]
fn a_client_that_has_sent_much_is_received_from_in_turns() {
    let chunk = TURN / 4;
    let mut ring = Ring::new(chunk).expect("this system lets us have a ring");
    if ring.limited {
        let (bytes, more) = one_turn(&mut ring);
        assert!((TURN..TURN + chunk).contains(&bytes), "{bytes}");
        assert!(!more, "it is over, to be asked again when the others have had their turn");
    }
}

/// Before Linux 6.17. There the kernel's own limit, 32 buffers, is enough only if they are small.
#[test]
fn without_a_limit_large_pieces_are_received_one_by_one() {
    let turn = |chunk| {
        let mut ring = Ring::new(chunk).expect("this system lets us have a ring");
        ring.limited = false;
        one_turn(&mut ring)
    };
    assert_eq!(turn(TURN / 4), (TURN / 4, false));
    let (bytes, more) = turn(1024);
    assert!((32 * 1024..4 * TURN).contains(&bytes), "a few times 32 buffers, not {bytes}");
    assert!(more, "the request goes on by itself, after the others");
}

/// A pool of thousands would pass through the cache for a single client; one of four would be too
/// small for hundreds.
#[test]
fn there_are_twice_as_many_buffers_each_time_the_kernel_finds_none() {
    let mut ring = Ring::new(1024).expect("this system lets us have a ring");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let addr = listener.local_addr().expect("bound");
    let mut client = TcpStream::connect(addr).expect("it listens");
    let server = listener.accept().expect("it has connected").0;
    client.write_all(&[b'x'; 64 * 1024]).expect("the kernel has room for it");
    let mut batch = Vec::new();
    let mut pieces = Vec::new();
    for _ in 0..3 {
        ring.receive(0, &server);
        ring.enter(&mut batch).expect("the ring works");
        let last = batch.pop().expect("it was ready").result();
        assert_eq!(last.expect_err("it asks for more").raw_os_error(), Some(libc::ENOBUFS));
        pieces.push(batch.len());
        batch.drain(..).for_each(|done| ring.put_back(done));
    }
    assert_eq!(pieces, [4, 8, 16]);
}
