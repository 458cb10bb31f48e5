//! Exercise to chapter 5: finish a server on poll(2).
//!
//! Loop, accept, receive and send are there. But poll is asked for input only, so nothing is ever
//! sent. The steps in the functions are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise poll  # judges this file, and says what is next
//! cargo run --example exercise_poll  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `poll/src/main.rs`.

#[path = "../src/entries.rs"]
mod entries;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use entries::{Shown, emptied, refused, reported, timeout};
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

/// The exercise to chapter 5: an echo server on poll(2)
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

fn serve(args: &Args) -> io::Result<()> {
    let mut server = Server {
        listener: common::listen(&args.server)?,
        clients: Vec::new(),
        reply: args.reply,
        buffer: args.server.buffer(),
    };
    server.listener.set_nonblocking(true)?;
    server.listener.announce()?;
    let mut list = Vec::new();
    loop {
        for (position, flags) in server.wait(&mut list)? {
            match position {
                0 => server.accept(),
                n => server.handle(n - 1, flags),
            }
        }
        server.close_finished();
    }
}

struct Server {
    listener: Listener,
    clients: Vec<Connection>,
    reply: Reply,
    buffer: Vec<u8>,
}

/// Step 1. What to watch a client for: input, and room while something is queued for it. Trap:
/// room is nearly always there, the end of input is reported for ever, and who leaves its answers
/// unread is not to be read from (`wants_write`, `wants_read`). Whom you ask for nothing is silent.
fn events_of(client: &Connection) -> PollFlags {
    info!("{} bytes wait for {}", client.queue().len(), client.peer());
    PollFlags::POLLIN
}

impl Server {
    /// Who is ready, as a position in the list: 0 is the listener, n + 1 is client n.
    fn wait(&self, kept: &mut Vec<PollFd<'static>>) -> io::Result<Vec<(usize, PollFlags)>> {
        let mut list = emptied(std::mem::take(kept));
        // Step 3, the last. While accepting is paused (`wants_read` says no) the listener is asked for
        // nothing. Trap: it keeps its entry all the same, or all the positions move; and without
        // that question a pause does not end.
        list.push(PollFd::new(self.listener.as_fd(), PollFlags::POLLIN));
        list.extend(self.clients.iter().map(|c| PollFd::new(c.as_fd(), events_of(c))));
        info!("waiting for the next event: {}", Shown(&list, PollFd::events));
        let wait = self.listener.timeout().map_or(PollTimeout::NONE, timeout);
        match poll(&mut list, wait) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(refused(errno, list.len())),
        }
        let found = list.iter().map(reported).enumerate().filter(|(_, flags)| !flags.is_empty());
        let ready = found.collect();
        *kept = emptied(list);
        Ok(ready)
    }

    fn accept(&mut self) {
        match self.listener.accept() {
            Ok(Some(connection)) if connection.set_nonblocking(true).is_ok() => {
                info!("new connection from {}", connection.peer());
                self.clients.push(connection);
            }
            Ok(_) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    /// POLLHUP and POLLERR come unasked: recv and send say what they mean.
    fn handle(&mut self, client: usize, flags: PollFlags) {
        let broken = PollFlags::POLLHUP | PollFlags::POLLERR;
        if flags.intersects(PollFlags::POLLIN | broken) && self.clients[client].wants_read() {
            self.receive(client);
        }
        if flags.intersects(PollFlags::POLLOUT | broken) && self.clients[client].wants_write() {
            self.send(client);
        }
    }

    fn receive(&mut self, client: usize) {
        let connection = &mut self.clients[client];
        match connection.recv(&mut self.buffer) {
            Ok(count) => {
                let data = &self.buffer[..count];
                info!("received {} from {}", preview(data), connection.peer());
                self.reply.answer(data, connection.queue_mut());
            }
            Err(error) if would_block(&error) => {}
            Err(_) => connection.abandon(),
        }
    }

    fn send(&mut self, client: usize) {
        let connection = &mut self.clients[client];
        match connection.send() {
            Ok(count) => info!("sent {count} bytes to {}", connection.peer()),
            Err(error) if would_block(&error) => {}
            Err(_) => connection.abandon(),
        }
    }

    /// Step 2. Whoever is finished (`is_finished`) is closed: dropped. Then accepting may go on, if
    /// it was paused (`resume`; no check sees this: a pause also ends by itself, in half a second).
    /// Trap: not earlier in the turn, for positions would move.
    fn close_finished(&mut self) {}
}
