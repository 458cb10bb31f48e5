//! Exercise to chapter 5: finish a server on poll(2).
//!
//! The loop, accepting, receiving and sending are there. But poll is asked for input only, so
//! nothing is ever sent. The steps below are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise poll  # judges your copy, and says what is next
//! cargo run --example exercise_poll  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `poll/src/main.rs`.

use common::{Connection, Listener, Reply, ServerArgs};
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use poll::{Shown, refused, reported};
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

fn main() -> ExitCode {
    common::run("The exercise to chapter 5: an echo server on poll(2)", Reply::Echo, serve)
}

fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    listener.set_nonblocking(true)?;
    listener.announce()?;

    let mut clients: Vec<Connection> = Vec::new();
    let mut buffer = args.buffer();
    loop {
        let ready = wait(&listener, &clients)?;
        for &(n, flags) in &ready.clients {
            handle(&mut clients[n], flags, &mut buffer, reply);
        }
        // Step 2. Keep the clients that are not finished (`is_finished`). Dropping a client closes
        // its connection. Trap: do it here, at the end of the turn. Earlier, the positions of the
        // other clients would change.

        if ready.new_client {
            clients.extend(listener.admit());
        }
    }
}

/// Step 1. What to watch a client for: input, and room while something is queued for it. Trap: room
/// is nearly always there, the end of input is reported at every call, and a client that leaves its
/// answers unread must not be read from (`wants_write`, `wants_read`). If you ask for what you will
/// not act on, poll returns at once, every time.
fn events_of(client: &Connection) -> PollFlags {
    info!("{} bytes wait for {}", client.queue().len(), client.peer());
    PollFlags::POLLIN
}

/// What poll reported. A client is its position in the list.
struct Ready {
    new_client: bool,
    clients: Vec<(usize, PollFlags)>,
}

/// Says what to watch, sleeps until some of it is ready, and finds out what is.
fn wait(listener: &Listener, clients: &[Connection]) -> io::Result<Ready> {
    let mut list = vec![PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    list.extend(clients.iter().map(|client| PollFd::new(client.as_fd(), events_of(client))));
    info!("waiting for the next event: {}", Shown(&list, PollFd::events));

    match poll(&mut list, PollTimeout::NONE) {
        // EINTR: a signal came first, and no entry is marked.
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(refused(errno, list.len())),
    }
    info!("ready: {}", Shown(&list, reported));

    let mut flags = list.iter().map(reported);
    let new_client = flags.next().is_some_and(|listener| !listener.is_empty());
    Ok(Ready { new_client, clients: flags.enumerate().filter(|(_, f)| !f.is_empty()).collect() })
}

/// POLLHUP and POLLERR come unasked: recv and send say what they mean.
fn handle(client: &mut Connection, flags: PollFlags, buffer: &mut [u8], reply: Reply) {
    let broken = PollFlags::POLLHUP | PollFlags::POLLERR;
    if flags.intersects(PollFlags::POLLIN | broken) && client.wants_read() {
        client.receive(buffer, reply);
    }
    if flags.intersects(PollFlags::POLLOUT | broken) {
        client.send_queued();
    }
}
