//! One thread, many clients: `select(2)` waits for all of them at once.
//!
//! The server of the notes S0, S3 and S4. Three sets of descriptors go into select, and the same
//! sets come back with only those left in them that are ready: to be read, to be written, or with
//! an urgent byte. Between reading and writing stands a message queue for each client, so a client
//! that is slow to read holds up no one but itself.
//!
//! ```text
//! cargo run -p select            # in one terminal
//! cargo run -p client            # in another, or in several
//! ```
//!
//! Watch the narration: a client is in `outputs` only while something is queued for it. A socket
//! is nearly always writable, so a client left in `outputs` would wake select again and again.
//!
//! Limits: select knows only the descriptors 0 to 1023 (`FD_SETSIZE`), so a client with a higher
//! number is turned away. And each turn looks at every client, ready or not. poll has the same
//! cost; epoll removes it.

use common::{Connection, Listener, Reply, ServerArgs};
use log::info;
use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use select::{ASK_FOR_URGENT, List, can_watch, must_watch, take_urgent_byte};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;

fn main() -> ExitCode {
    let about = "An echo server on select(2): three sets, a message queue for each client";
    common::run(about, Reply::Echo, serve)
}

/// The loop of every readiness server: wait until something is ready, handle what is, wait again.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    // No call in the loop may wait except select: the others would wait with it.
    listener.set_nonblocking(true)?;
    must_watch(&listener)?;
    listener.announce()?;

    // In the order in which they connected. Clients that are ready at once are answered in this
    // order: select tells which are ready, not since when.
    let mut clients: Vec<Connection> = Vec::new();
    let mut buffer = args.buffer();
    loop {
        let ready = wait(&listener, &clients)?;
        for n in ready.readable {
            clients[n].receive(&mut buffer, reply);
        }
        for n in ready.writable {
            clients[n].send_queued();
        }
        for n in ready.exceptional {
            take_urgent_byte(&clients[n]);
        }
        // Only now, when no position is used any more. Dropping a client closes its descriptor, and
        // the next client may get the same number.
        clients.retain(Connection::is_open);
        // Last, so that the descriptors just closed are free again.
        if ready.new_client {
            clients.extend(listener.admit().filter(can_watch));
        }
    }
}

/// What select gave back. A client is its position in the list.
struct Ready {
    /// The listener was readable: a client waits to be accepted.
    new_client: bool,
    readable: Vec<usize>,
    writable: Vec<usize>,
    exceptional: Vec<usize>,
}

/// Says what to watch, sleeps until some of it is ready, and finds out what is.
fn wait(listener: &Listener, clients: &[Connection]) -> io::Result<Ready> {
    // select overwrites its sets with the result, so they are filled again for each call.
    let (mut inputs, mut outputs, mut urgent) = (FdSet::new(), FdSet::new(), FdSet::new());
    // The kernel looks at every number below this one, whether it is in a set or not.
    let mut highest = listener.as_fd().as_raw_fd();
    inputs.insert(listener.as_fd());
    for client in clients {
        let fd = client.as_fd();
        highest = highest.max(fd.as_raw_fd());
        if client.wants_read() {
            inputs.insert(fd);
        }
        if client.wants_write() {
            outputs.insert(fd);
        }
        // Many call the third set "errors". An error makes a socket readable and writable;
        // what arrives here is TCP's urgent byte (select_tut(2)).
        if ASK_FOR_URGENT && client.wants_read() {
            urgent.insert(fd);
        }
    }
    info!("waiting for the next event: inputs {}, outputs {}", List(&inputs), List(&outputs));

    match select(highest + 1, &mut inputs, &mut outputs, &mut urgent, None) {
        Ok(_) => {}
        // A signal came first. Nothing is known to be ready, so ask again.
        Err(Errno::EINTR) => return wait(listener, clients),
        Err(error) => return Err(error.into()),
    }
    info!(
        "ready: readable {}, writable {}, exceptional {}",
        List(&inputs),
        List(&outputs),
        List(&urgent)
    );

    // By walking the list of clients, not the bits of the set, their order stays that of
    // connecting: descriptor numbers are used again.
    let within = |set: &FdSet| -> Vec<usize> {
        (0..clients.len()).filter(|&n| set.contains(clients[n].as_fd())).collect()
    };
    Ok(Ready {
        new_client: inputs.contains(listener.as_fd()),
        readable: within(&inputs),
        writable: within(&outputs),
        exceptional: within(&urgent),
    })
}
