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
//! Watch what is missing. The socket may not take the whole answer, because the client does not
//! read. The notes' server then sleeps in `send`, and all its clients with it. This one has no set
//! in which to wait for room either, so the client that leaves its answers unread is turned out:
//! of the contract that every server of the course keeps, "partial sends are finished later" is
//! the point that it cannot. That is what the second set of `select` is for.
//!
//! Limits: as `select`, descriptors 0 to 1023.

#[path = "../limits.rs"]
mod limits;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use limits::{can_watch, must_watch, timeval};
use log::info;
use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;

/// The smallest select(2) server: one list of sockets, answers sent at once (note S2)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Upper)]
    reply: Reply,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

fn serve(args: &Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    listener.set_nonblocking(true)?;
    must_watch(&listener)?;
    listener.announce()?;
    let mut clients: Vec<Connection> = Vec::new();
    let mut buffer = args.server.buffer();
    // The clients to receive from in this turn, as positions in `clients`.
    let mut readable = Vec::new();
    loop {
        let new_client = wait(&listener, &clients, &mut readable)?;
        if new_client {
            accept(&listener, &mut clients);
        }
        for &client in &readable {
            receive_and_send(&mut clients[client], args.reply, &mut buffer);
        }
        close_finished(&listener, &mut clients);
    }
}

/// Sleeps until somebody is readable. Returns whether that is the listener: a client waits there.
fn wait(
    listener: &Listener,
    clients: &[Connection],
    readable: &mut Vec<usize>,
) -> io::Result<bool> {
    let mut inputs = FdSet::new();
    let mut highest = listener.as_fd().as_raw_fd();
    if listener.wants_read() {
        inputs.insert(listener.as_fd());
    }
    for client in clients {
        inputs.insert(client.as_fd());
        highest = highest.max(client.as_fd().as_raw_fd());
    }
    info!("waiting for the next event, clients: {}", clients.len());
    let mut timeout = listener.timeout().map(timeval);
    match select(highest + 1, &mut inputs, None, None, timeout.as_mut()) {
        Ok(_) => {}
        // A signal: the set holds nothing of use, and nobody is ready.
        Err(Errno::EINTR) => inputs.clear(),
        Err(error) => return Err(error.into()),
    }
    readable.clear();
    readable.extend((0..clients.len()).filter(|&n| inputs.contains(clients[n].as_fd())));
    Ok(inputs.contains(listener.as_fd()))
}

fn accept(listener: &Listener, clients: &mut Vec<Connection>) {
    match listener.accept() {
        Ok(Some(connection)) => {
            let peer = connection.peer();
            if !can_watch(&connection) {
                info!("turning away {peer}: select cannot watch its descriptor (FD_SETSIZE)");
            } else if let Err(error) = connection.set_nonblocking(true) {
                info!("turning away {peer}: {}", reason(&error));
            } else {
                info!("new connection from {peer}");
                clients.push(connection);
            }
        }
        Ok(None) => {}
        Err(error) => info!("no new clients for now: {}", reason(&error)),
    }
}

/// One recv and one send, in the same breath.
fn receive_and_send(client: &mut Connection, reply: Reply, buffer: &mut [u8]) {
    let peer = client.peer();
    let result = client.recv(buffer).and_then(|count| {
        if count == 0 {
            info!("no more data from {peer}");
            return Ok(());
        }
        info!("received {} from {peer}", preview(&buffer[..count]));
        reply.answer(&buffer[..count], client.queue_mut());
        info!("sending {} to {peer}", preview(client.queue().waiting()));
        match client.send() {
            Err(error) if would_block(&error) => Ok(()),
            result => result.map(drop),
        }
    });
    match result {
        // The kernel did not take it all, and there is no list in which to wait for room.
        Ok(()) if client.wants_write() => {
            info!("{peer} leaves {} bytes unread: turned out", client.queue().len());
            client.abandon();
        }
        Ok(()) => {}
        Err(error) if would_block(&error) => {}
        Err(error) => {
            info!("lost {peer}: {}", reason(&error));
            client.abandon();
        }
    }
}

fn close_finished(listener: &Listener, clients: &mut Vec<Connection>) {
    let before = clients.len();
    clients.retain(|client| {
        if client.is_finished() {
            info!("closing {}", client.peer());
        }
        !client.is_finished()
    });
    if clients.len() < before {
        listener.resume();
    }
}
