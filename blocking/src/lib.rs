//! The conversation with one client over a blocking socket: the same text in every program of this
//! package. They differ in who holds the conversation, and so in who waits meanwhile.

use common::{Connection, Reply};
use log::info;

/// Receives and answers until the client has sent everything, or an error ends the connection. The
/// caller does nothing else meanwhile, and then closes the connection by dropping it.
///
/// Each recv and each send returns only when it has done something, however long that takes. So a
/// half-finished conversation needs no notes: the place in this loop says how far it is.
pub fn converse(client: &mut Connection, reply: Reply, buffer: &mut [u8]) {
    // The end of input is a success with nothing in it. A program that does not look for it calls
    // recv again, which returns at once with nothing, again and again.
    while client.is_open() {
        info!("waiting in recv for {}", client.peer());
        client.receive(buffer, reply);
        // send waits too, until the kernel has room for everything: a client that does not read
        // keeps us here. A signal can end it early with a part sent (send(2)), hence the loop.
        while client.wants_write() {
            client.send_queued();
        }
    }
}
