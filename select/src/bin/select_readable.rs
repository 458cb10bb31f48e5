//! The smallest server on `select(2)`: one set, and the answer is sent at once.
//!
//! The server of note S2, section 4. Compare it with `select`: there is no message queue and no
//! second set, so a message costs one turn of the loop instead of two.
//!
//! ```text
//! cargo run --bin select_readable
//! cargo run -p client
//! ```
//!
//! Watch what is missing. If a client does not read, its socket does not take the whole answer. The
//! notes' server then blocks in `send`, and all its clients wait. This one has no set in which to
//! wait for room either, so it turns such a client out: "partial sends are finished later" is the
//! point of the contract that it cannot keep. That is what the second set of `select` is for.
//!
//! Limits: as `select`, descriptors 0 to 1023.

use common::{Connection, Listener, Reply, ServerArgs};
use log::info;
use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use select::{List, can_watch, must_watch};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;

fn main() -> ExitCode {
    let about = "The smallest select(2) server: one set of sockets, answers sent at once";
    common::run(about, Reply::Upper, serve)
}

/// The loop of every readiness server: wait until something is ready, handle what is, wait again.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    // No call in the loop may wait except select: the others would wait with it.
    listener.set_nonblocking(true)?;
    must_watch(&listener)?;
    listener.announce()?;

    let mut clients: Vec<Connection> = Vec::new();
    let mut buffer = args.buffer();
    loop {
        let (new_client, readable) = wait(&listener, &clients)?;
        for n in readable {
            receive_and_send(&mut clients[n], &mut buffer, reply);
        }
        // Only now, when no position is used any more.
        clients.retain(Connection::is_open);
        if new_client {
            clients.extend(listener.admit().filter(can_watch));
        }
    }
}

/// Sleeps until something is readable: whether that is the listener, and the clients' positions.
fn wait(listener: &Listener, clients: &[Connection]) -> io::Result<(bool, Vec<usize>)> {
    let mut inputs = FdSet::new();
    inputs.insert(listener.as_fd());
    clients.iter().for_each(|client| inputs.insert(client.as_fd()));
    info!("waiting for the next event: inputs {}", List(&inputs));

    let descriptors = clients.iter().map(AsFd::as_fd).chain([listener.as_fd()]);
    let highest = descriptors.map(|fd| fd.as_raw_fd()).max();
    match select(highest.map(|fd| fd + 1), &mut inputs, None, None, None) {
        Ok(_) => {}
        // A signal came first. Nothing is known to be ready, so ask again.
        Err(Errno::EINTR) => return wait(listener, clients),
        Err(error) => return Err(error.into()),
    }
    info!("ready: readable {}", List(&inputs));
    let readable = (0..clients.len()).filter(|&n| inputs.contains(clients[n].as_fd())).collect();
    Ok((inputs.contains(listener.as_fd()), readable))
}

/// One recv and one send, in the same turn.
fn receive_and_send(client: &mut Connection, buffer: &mut [u8], reply: Reply) {
    client.receive(buffer, reply);
    client.send_queued();
    // The kernel did not take all of it, and there is no set in which to wait for room.
    if client.wants_write() {
        let unread = client.queue().len();
        info!("{} leaves {unread} bytes unread: turned out", client.peer());
        client.abandon();
    }
}
