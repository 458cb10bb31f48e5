//! Exercise to chapter 4: finish a server on select(2).
//!
//! Loop, wait, accept and receive are there. What is received is answered into the client's queue,
//! and nobody sends it. The steps in the functions are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise select  # judges this file, and says what is next
//! cargo run --example exercise_select  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `select/src/main.rs`.

#[path = "../src/limits.rs"]
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

/// The exercise to chapter 4: an echo server on select(2)
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
    must_watch(&server.listener)?;
    server.listener.announce()?;
    loop {
        let ready = server.wait()?;
        if ready.new_client {
            server.accept();
        }
        for client in ready.readable {
            server.receive(client);
        }
        for client in ready.writable {
            server.send(client);
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

/// What select gave back: positions in `clients`.
struct Ready {
    new_client: bool,
    readable: Vec<usize>,
    writable: Vec<usize>,
}

impl Server {
    /// Says what to watch, sleeps until some of it is ready, and notes what is.
    fn wait(&self) -> io::Result<Ready> {
        let (mut inputs, mut outputs) = (FdSet::new(), FdSet::new());
        let mut highest = self.listener.as_fd().as_raw_fd();
        if self.listener.wants_read() {
            inputs.insert(self.listener.as_fd());
        }
        for client in &self.clients {
            highest = highest.max(client.as_fd().as_raw_fd());
            // Step 3. What one send did not take goes out when there is room: say so (`outputs`).
            // Trap: a socket nearly always has room, and its end of input is readable for ever.
            // Whom you ask about for nothing wakes select at once (`wants_write`, `wants_read`).
            inputs.insert(client.as_fd());
        }
        info!("waiting for the next event");
        let mut timeout = self.listener.timeout().map(timeval);
        match select(highest + 1, &mut inputs, &mut outputs, None, timeout.as_mut()) {
            Ok(_) => {}
            // A signal came first: the sets hold nothing of use.
            Err(Errno::EINTR) => (inputs, outputs) = (FdSet::new(), FdSet::new()),
            Err(error) => return Err(error.into()),
        }
        let within = |set: &FdSet| {
            (0..self.clients.len()).filter(|&n| set.contains(self.clients[n].as_fd())).collect()
        };
        let new_client = inputs.contains(self.listener.as_fd());
        Ok(Ready { new_client, readable: within(&inputs), writable: within(&outputs) })
    }

    fn accept(&mut self) {
        match self.listener.accept() {
            Ok(Some(connection)) => {
                let peer = connection.peer();
                if !can_watch(&connection) || connection.set_nonblocking(true).is_err() {
                    info!("turning away {peer}");
                } else {
                    info!("new connection from {peer}");
                    self.clients.push(connection);
                }
            }
            Ok(None) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    /// One recv, and the answer to it into the queue. The end of input, `Ok(0)`, is remembered.
    fn receive(&mut self, client: usize) {
        let connection = &mut self.clients[client];
        let peer = connection.peer();
        match connection.recv(&mut self.buffer) {
            Ok(count) => {
                info!("received {} from {peer}", preview(&self.buffer[..count]));
                self.reply.answer(&self.buffer[..count], connection.queue_mut());
            }
            Err(error) if would_block(&error) => {}
            Err(_) => connection.abandon(),
        }
        // At once: mostly there is room.
        self.send(client);
    }

    /// Step 1. One send of what is queued, if anything is. Trap: it may take only a part, or
    /// nothing (`would_block`); what is left stays queued. Any other error ends this connection
    /// (`abandon`), and no other.
    fn send(&mut self, client: usize) {
        let connection = &self.clients[client];
        info!("{} bytes wait for {}", connection.queue().len(), connection.peer());
    }

    /// Step 2. Whoever is finished (`is_finished`: nothing more will come, and nothing is left to
    /// send) is closed: dropped. Then accepting may go on, if it was paused (`resume`). Trap: not
    /// earlier in the turn, for positions would move.
    fn close_finished(&mut self) {}
}
