//! One thread, many clients, as `select`; but `poll(2)` takes a list, and flags instead of sets.
//!
//! The server of the notes S0 and S4. Each descriptor has one entry in the list, with two fields
//! of flags: `events`, what to watch for, and `revents`, what has come. So poll does not write its
//! answer over the question, no descriptor's number is too high, and hang-ups and errors have
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
//! Limits: as many clients as there are descriptors (`ulimit -n`), and if that is lowered under a
//! running server (`prlimit`), poll takes its list no more, and the server ends. And each call still
//! hands the whole list over, and the kernel asks every client in it, ready or not: that is what
//! `epoll` mends.

mod entries;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use entries::{Shown, emptied, refused, reported, timeout};
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;

/// An echo server on poll(2): flags instead of sets (notes S0, S4)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

/// The loop of every readiness server: wait until something is ready, handle what is, wait again.
fn serve(args: &Args) -> io::Result<()> {
    let mut server = Server {
        listener: common::listen(&args.server)?,
        clients: Vec::new(),
        reply: args.reply,
        buffer: args.server.buffer(),
    };
    // No call in the loop may wait except poll: the others would wait with it.
    server.listener.set_nonblocking(true)?;
    server.listener.announce()?;

    let mut turn = Turn::default();
    loop {
        server.wait(&mut turn)?;
        for &(position, flags) in &turn.ready {
            match position {
                0 => server.accept(),
                n => server.handle(n - 1, flags),
            }
        }
        server.close_finished(&turn.ready);
    }
}

struct Server {
    listener: Listener,
    /// In the order in which they connected, which is the order of the list, and so that of the
    /// answers to those who are ready at once: poll tells who is ready, not since when.
    clients: Vec<Connection>,
    reply: Reply,
    /// What one recv fills. One for all clients: what it holds is queued before the next recv.
    buffer: Vec<u8>,
}

/// What is filled anew by each wait. Only the memory is kept.
#[derive(Default)]
struct Turn {
    /// Entry 0 is the listener, entry n + 1 is client n.
    list: Vec<PollFd<'static>>,
    /// Who is ready, as a position in the list, and for what. The notes look up the socket in a
    /// map, `fd_to_socket`, because Python's poll hands out descriptor numbers. poll(2) itself
    /// answers in the list, at the place of the question; and nobody leaves `clients` before the
    /// end of the turn, so a place means the same client throughout.
    ready: Vec<(usize, PollFlags)>,
}

impl Server {
    /// Says what to watch, sleeps until some of it is ready, and notes what is.
    fn wait(&self, turn: &mut Turn) -> io::Result<()> {
        let mut list = emptied(std::mem::take(&mut turn.list));
        // While accepting is paused the listener is asked for nothing, and keeps its place.
        let accepting = self.listener.wants_read();
        let events = if accepting { PollFlags::POLLIN } else { PollFlags::empty() };
        list.push(PollFd::new(self.listener.as_fd(), events));
        list.extend(
            self.clients.iter().map(|client| PollFd::new(client.as_fd(), events_of(client))),
        );
        info!("waiting for the next event: {}", Shown(&list, PollFd::events));

        // No time-out, unless accepting is paused for want of descriptors.
        let wait = self.listener.timeout().map_or(PollTimeout::NONE, timeout);
        let count = match poll(&mut list, wait) {
            Ok(count) => usize::try_from(count).expect("a count is not negative"),
            // A signal came first (EINTR). Nothing is ready; the next turn waits for what is left
            // of the time.
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(refused(errno, list.len())),
        };
        info!("ready: {}", Shown(&list, reported));

        // poll returned how many are ready, not which. Once all of them are found, no more entries
        // are looked at.
        let found = list.iter().map(reported).enumerate().filter(|(_, flags)| !flags.is_empty());
        turn.ready.clear();
        turn.ready.extend(found.take(count));
        turn.list = emptied(list);
        Ok(())
    }

    /// One new client a turn. If more are waiting, the listener is still readable in the next.
    fn accept(&mut self) {
        match self.listener.accept() {
            Ok(Some(connection)) => {
                let (fd, peer) = (connection.as_fd().as_raw_fd(), connection.peer());
                if let Err(error) = connection.set_nonblocking(true) {
                    info!("turning away {peer}: {}", reason(&error));
                } else {
                    info!("new connection from {peer}, descriptor {fd}");
                    self.clients.push(connection);
                }
            }
            Ok(None) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    /// What a client's flags mean. POLLHUP and POLLERR are not handled by themselves, as the notes
    /// do: what the client sent before it broke off can still be read, and once it is, recv (or
    /// send) says what is wrong.
    fn handle(&mut self, client: usize, flags: PollFlags) {
        let broken = PollFlags::POLLHUP | PollFlags::POLLERR;
        if flags.intersects(PollFlags::POLLIN | broken) && self.clients[client].wants_read() {
            self.receive(client);
        }
        if flags.intersects(PollFlags::POLLOUT | broken) && self.clients[client].wants_write() {
            self.send(client);
        }
        // POLLNVAL, "not an open descriptor", would be a mistake of ours, and poll would report it
        // for ever. It cannot come: while an entry borrows a descriptor, it cannot be closed.
    }

    /// One recv: what it brought is answered into the queue, and sending waits for its own turn.
    fn receive(&mut self, client: usize) {
        let connection = &mut self.clients[client];
        let peer = connection.peer();
        match connection.recv(&mut self.buffer) {
            // The client sends no more, but it may still read: what is queued goes out first.
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                let data = &self.buffer[..count];
                info!("received {} from {peer}", preview(data));
                self.reply.answer(data, connection.queue_mut());
            }
            // Readiness is a hint (poll(2), BUGS): recv has the last word.
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    /// One send of what is queued. What the kernel does not take stays queued, and POLLOUT asked
    /// for.
    fn send(&mut self, client: usize) {
        let connection = &mut self.clients[client];
        let peer = connection.peer();
        info!("sending {} to {peer}", preview(connection.queue().waiting()));
        match connection.send() {
            Ok(_) if connection.queue().is_empty() => info!("output queue for {peer} is empty"),
            Ok(_) => info!("{} bytes left for {peer}", connection.queue().len()),
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    /// An error ends this connection and no other. Its address was kept from accept: a socket that
    /// was reset no longer knows it.
    fn lose(&mut self, client: usize, error: &io::Error) {
        let connection = &mut self.clients[client];
        info!("lost {}: {}", connection.peer(), reason(error));
        connection.abandon();
    }

    /// At the end of the turn, when no position is used any more. Dropping a client closes its
    /// descriptor; the number may belong to another client at once.
    fn close_finished(&mut self, ready: &[(usize, PollFlags)]) {
        // Only to those who were ready has anything happened; in most turns nobody is finished, and
        // the others need not be looked at.
        if !ready.iter().any(|&(n, _)| n > 0 && self.clients[n - 1].is_finished()) {
            return;
        }
        self.clients.retain(|connection| {
            if connection.is_finished() {
                info!("closing {}", connection.peer());
            }
            !connection.is_finished()
        });
        self.listener.resume();
    }
}

/// What to watch a client for. Never for nothing: a client that wants neither is finished.
///
/// POLLHUP, POLLERR and POLLNVAL come whether asked for or not; the notes ask for them in vain.
/// POLLPRI, TCP's urgent byte, is better not asked for: it is not in the stream, so the notes'
/// `recv` finds nothing, raises EAGAIN, and the server ends. Who asks must take it with `MSG_OOB`.
fn events_of(client: &Connection) -> PollFlags {
    let mut events = PollFlags::empty();
    events.set(PollFlags::POLLIN, client.wants_read());
    events.set(PollFlags::POLLOUT, client.wants_write());
    events
}
