//! One thread, many clients, as `select`; but `poll(2)` takes a list, and flags instead of sets.
//!
//! The server of the notes S0 and S4. Each descriptor has one entry in the list, with two fields
//! of flags: `events`, what to watch for, and `revents`, what has come. So poll does not write its
//! result over the question, no descriptor's number is too high, and hang-ups and errors have
//! flags of their own.
//!
//! ```text
//! cargo run -p poll              # in one terminal
//! cargo run -p client            # in another, or in several
//! ```
//!
//! Watch the flags in the narration: a client is asked for POLLOUT only while something is queued
//! for it. POLLHUP and POLLERR come unasked: reset a client and look.
//!
//! Limits: as many clients as there are descriptors (`ulimit -n`). If that is lowered while the
//! server runs (`prlimit`), poll refuses the list and the server ends. And each call still hands
//! the whole list over, and the kernel looks at every client in it, ready or not; epoll does not.

use common::{Connection, Listener, Reply, ServerArgs};
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use poll::{Shown, refused, reported};
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

fn main() -> ExitCode {
    common::run("An echo server on poll(2): flags instead of sets", Reply::Echo, serve)
}

/// The loop of every readiness server: wait until something is ready, handle what is, wait again.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    // No call in the loop may wait except poll: the others would wait with it.
    listener.set_nonblocking(true)?;
    listener.announce()?;

    // In the order in which they connected. Clients that are ready at once are answered in this
    // order: poll tells which are ready, not since when.
    let mut clients: Vec<Connection> = Vec::new();
    let mut buffer = args.buffer();
    loop {
        let ready = wait(&listener, &clients)?;
        for &(n, flags) in &ready.clients {
            handle(&mut clients[n], flags, &mut buffer, reply);
        }
        // Only now, when no position is used any more. Dropping a client closes its descriptor, and
        // the next client may get the same number.
        clients.retain(Connection::is_open);
        // Last, so that the descriptors just closed are free again.
        if ready.new_client {
            clients.extend(listener.admit());
        }
    }
}

/// What poll reported. A client is its position in the list.
///
/// The notes look up the socket in a map, `fd_to_socket`, because Python's poll hands out
/// descriptor numbers. poll(2) itself answers in the list, at the place of the question.
struct Ready {
    /// The listener was readable: a client waits to be accepted.
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

/// What a client's flags mean. POLLHUP and POLLERR have no step of their own: what the client sent
/// before it broke off can still be read, and then recv (or send) says what is wrong.
fn handle(client: &mut Connection, flags: PollFlags, buffer: &mut [u8], reply: Reply) {
    let broken = PollFlags::POLLHUP | PollFlags::POLLERR;
    if flags.intersects(PollFlags::POLLIN | broken) && client.wants_read() {
        client.receive(buffer, reply);
    }
    if flags.intersects(PollFlags::POLLOUT | broken) {
        client.send_queued();
    }
}

/// What to watch a client for. One that wants neither is finished: `retain` has removed it.
///
/// POLLHUP, POLLERR and POLLNVAL come whether asked for or not. POLLPRI, TCP's urgent byte, is
/// better not asked for: it would have to be read with `MSG_OOB`, or poll would report it again.
fn events_of(client: &Connection) -> PollFlags {
    let mut events = PollFlags::empty();
    events.set(PollFlags::POLLIN, client.wants_read());
    events.set(PollFlags::POLLOUT, client.wants_write());
    events
}
