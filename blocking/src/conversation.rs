//! The conversation with one client over a blocking socket: the same text in every program of this
//! crate. What differs is who holds it, and so who waits meanwhile.

use common::{Connection, Reply, preview, reason};
use log::info;
use std::io;

/// Talks with this client until it has no more to say. The caller does nothing else meanwhile, and
/// closes the connection then, by dropping it.
pub fn converse(client: &mut Connection, reply: Reply, buffer: &mut [u8]) {
    let peer = client.peer();
    // An error ends this conversation and no other. Its address was kept from accept: a socket
    // that was reset no longer knows it.
    if let Err(error) = answer_all(client, reply, buffer) {
        info!("lost {peer}: {}", reason(&error));
    }
    info!("closing {peer}");
}

/// recv, answer, send, and again: each call returns when it has something to show, however long
/// that takes, so there is nothing to remember between two of them.
fn answer_all(client: &mut Connection, reply: Reply, buffer: &mut [u8]) -> io::Result<()> {
    let peer = client.peer();
    loop {
        info!("waiting in recv for {peer}");
        let count = client.recv(buffer)?;
        // The end of input is no error but a success with nothing in it. Whoever does not ask for
        // it calls recv again, which returns at once with nothing again, for ever.
        if count == 0 {
            info!("no more data from {peer}");
            return Ok(());
        }
        info!("received {} from {peer}", preview(&buffer[..count]));
        reply.answer(&buffer[..count], client.queue_mut());
        // send sleeps too, until the kernel has room for all of it: a client that does not read
        // keeps us here. A signal can end it early with a part (send(2)), hence the loop.
        while client.wants_write() {
            info!("sending {} to {peer}", preview(client.queue().waiting()));
            client.send()?;
            match client.queue().len() {
                0 => info!("output queue for {peer} is empty"),
                left => info!("{left} bytes left for {peer}"),
            }
        }
    }
}
