//! Exercise to chapter 4: finish a server on select(2).
//!
//! The loop, waiting, accepting and receiving are there. What is received is queued for the client,
//! but never sent. The steps below are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise select  # judges your copy, and says what is next
//! cargo run --example exercise_select  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `select/src/main.rs`.

use common::{Connection, Listener, Reply, ServerArgs};
use log::info;
use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use select::{List, can_watch, must_watch};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;

fn main() -> ExitCode {
    common::run("The exercise to chapter 4: an echo server on select(2)", Reply::Echo, serve)
}

fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    listener.set_nonblocking(true)?;
    must_watch(&listener)?;
    listener.announce()?;

    let mut clients: Vec<Connection> = Vec::new();
    let mut buffer = args.buffer();
    loop {
        let ready = wait(&listener, &clients)?;
        for n in ready.readable {
            // One recv, and the answer to it is queued. The end of input is remembered.
            clients[n].receive(&mut buffer, reply);
            // At once: nearly always there is room.
            send(&mut clients[n]);
        }
        for n in ready.writable {
            send(&mut clients[n]);
        }
        // Step 2. Keep the clients that are not finished (`is_finished`: nothing more will come,
        // and nothing is left to send). Dropping a client closes its connection. Trap: do it here,
        // at the end of the turn. Earlier, the positions of the other clients would change.

        if ready.new_client {
            clients.extend(listener.admit().filter(can_watch));
        }
    }
}

/// Step 1. One send of what is queued (`Connection::send`), if anything is. Trap: it may take only
/// a part, or nothing (`common::would_block`); what is left stays queued. Any other error ends this
/// connection (`lose`), and no other.
fn send(client: &mut Connection) {
    info!("{} bytes wait for {}", client.queue().len(), client.peer());
}

/// What select gave back. A client is its position in the list.
struct Ready {
    new_client: bool,
    readable: Vec<usize>,
    writable: Vec<usize>,
}

/// Says what to watch, sleeps until some of it is ready, and finds out what is.
fn wait(listener: &Listener, clients: &[Connection]) -> io::Result<Ready> {
    let (mut inputs, mut outputs) = (FdSet::new(), FdSet::new());
    let mut highest = listener.as_fd().as_raw_fd();
    inputs.insert(listener.as_fd());
    for client in clients {
        highest = highest.max(client.as_fd().as_raw_fd());
        // Step 3. Watch for room (`outputs`) while something is queued (`wants_write`), and for
        // input only while it is wanted (`wants_read`). Trap: a socket nearly always has room, and
        // its end of input stays readable. If you watch a client for something that you will not
        // act on, select returns at once, every time.
        inputs.insert(client.as_fd());
    }
    info!("waiting for the next event: inputs {}, outputs {}", List(&inputs), List(&outputs));

    match select(highest + 1, &mut inputs, &mut outputs, None, None) {
        Ok(_) => {}
        // A signal came first. Nothing is known to be ready, so ask again.
        Err(Errno::EINTR) => return wait(listener, clients),
        Err(error) => return Err(error.into()),
    }
    info!("ready: readable {}, writable {}", List(&inputs), List(&outputs));
    let within = |set: &FdSet| -> Vec<usize> {
        (0..clients.len()).filter(|&n| set.contains(clients[n].as_fd())).collect()
    };
    let new_client = inputs.contains(listener.as_fd());
    Ok(Ready { new_client, readable: within(&inputs), writable: within(&outputs) })
}
