//! One thread, many clients: `select(2)` waits for all of them at once.
//!
//! The server of the notes S0, S3 and S4. Three sets go into select, and the same three come back
//! with only those descriptors left in them that are ready: to be read, to be written, or with an
//! urgent byte. Between reading and writing stands a message queue for each client, so that a
//! client that is slow to read holds up nobody but itself.
//!
//! ```text
//! cargo run -p select            # in one terminal
//! cargo run -p client            # in another, or in several
//! ```
//!
//! Watch the narration: a client is in `outputs` only while something is queued for it. A socket
//! is nearly always writable, so a client left in `outputs` would wake select at once, for ever.
//!
//! Limits: select knows the descriptors 0 to 1023 and no others (`FD_SETSIZE`), so a client with a
//! higher number is turned away, in words. And each turn looks at every client, ready or not:
//! that is what `poll` does not mend and `epoll` does.

mod limits;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use limits::{can_watch, must_watch, timeval};
use log::info;
use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use nix::sys::socket::{MsgFlags, recv};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::process::ExitCode;

/// An echo server on select(2): three sets, a message queue for each client (notes S0, S3, S4)
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
    // No call in the loop may wait except select: the others would wait with it.
    server.listener.set_nonblocking(true)?;
    must_watch(&server.listener)?;
    server.listener.announce()?;

    let mut ready = Ready::default();
    loop {
        server.wait(&mut ready)?;
        if ready.new_client {
            server.accept();
        }
        for &client in &ready.readable {
            server.receive(client);
        }
        for &client in &ready.writable {
            server.send(client);
        }
        for &client in &ready.exceptional {
            server.take_urgent_byte(client);
        }
        server.close_finished();
    }
}

struct Server {
    listener: Listener,
    /// In the order in which they connected. Those that are ready at once are answered in that
    /// order, whoever sent first: select tells who is ready, not since when.
    clients: Vec<Client>,
    reply: Reply,
    /// What one recv fills. One for all clients: what it holds is queued before the next recv.
    buffer: Vec<u8>,
}

struct Client {
    connection: Connection,
    /// Whether to ask for urgent data. Not between taking an urgent byte and the next recv: some
    /// systems go on reporting the place in the stream where the byte was.
    watch_urgent: bool,
}

/// The three lists that select gave back, as positions in `clients`. No client leaves that list
/// before the end of the turn, so a position means the same client throughout. The lists are
/// filled anew by each wait; their memory is kept.
#[derive(Default)]
struct Ready {
    /// The listener is in the first set too; it is readable when a client waits to be accepted.
    new_client: bool,
    readable: Vec<usize>,
    writable: Vec<usize>,
    exceptional: Vec<usize>,
}

impl Server {
    /// Says what to watch, sleeps until some of it is ready, and notes what is.
    fn wait(&self, ready: &mut Ready) -> io::Result<()> {
        // select overwrites its sets with the answer, so they are filled again for each call.
        let (mut inputs, mut outputs, mut urgent) = (FdSet::new(), FdSet::new(), FdSet::new());
        // What the kernel looks through ends at the highest number, not at the last member.
        let mut highest = self.listener.as_fd().as_raw_fd();
        if self.listener.wants_read() {
            inputs.insert(self.listener.as_fd());
        }
        for Client { connection, watch_urgent } in &self.clients {
            let fd = connection.as_fd();
            highest = highest.max(fd.as_raw_fd());
            if connection.wants_read() {
                inputs.insert(fd);
            }
            if connection.wants_write() {
                outputs.insert(fd);
            }
            // The notes call the third set "errors". It is not: an error makes a socket readable
            // and writable. What arrives here is TCP's urgent byte (select_tut(2)).
            if *watch_urgent && !connection.input_ended() {
                urgent.insert(fd);
            }
        }
        info!("waiting for the next event: inputs {}, outputs {}", List(&inputs), List(&outputs));

        // No time-out, unless accepting is paused for want of descriptors.
        let mut timeout = self.listener.timeout().map(timeval);
        match select(highest + 1, &mut inputs, &mut outputs, &mut urgent, timeout.as_mut()) {
            Ok(_) => {}
            // A signal came first (EINTR). The sets hold nothing of use now; the next turn fills
            // them again and waits for what is left of the time.
            Err(Errno::EINTR) => {
                (inputs, outputs, urgent) = (FdSet::new(), FdSet::new(), FdSet::new());
            }
            Err(error) => return Err(error.into()),
        }
        info!(
            "ready: readable {}, writable {}, exceptional {}",
            List(&inputs),
            List(&outputs),
            List(&urgent)
        );

        // Walking the list of clients and not the bits of the set keeps the order in which they
        // connected: descriptor numbers are given out again.
        ready.new_client = inputs.contains(self.listener.as_fd());
        let find = |list: &mut Vec<usize>, set: &FdSet| {
            list.clear();
            list.extend((0..self.clients.len()).filter(|&n| set.contains(self.clients[n].as_fd())));
        };
        find(&mut ready.readable, &inputs);
        find(&mut ready.writable, &outputs);
        find(&mut ready.exceptional, &urgent);
        Ok(())
    }

    /// One new client a turn. If more are waiting, the listener is still readable in the next.
    fn accept(&mut self) {
        match self.listener.accept() {
            Ok(Some(connection)) => {
                let (fd, peer) = (connection.as_fd().as_raw_fd(), connection.peer());
                if !can_watch(&connection) {
                    info!("turning away {peer}: select cannot watch descriptor {fd} (FD_SETSIZE)");
                } else if let Err(error) = connection.set_nonblocking(true) {
                    info!("turning away {peer}: {}", reason(&error));
                } else {
                    info!("new connection from {peer}, descriptor {fd}");
                    self.clients.push(Client { connection, watch_urgent: true });
                }
            }
            Ok(None) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    /// One recv: what it brought is answered into the queue, and sending waits for its own turn.
    fn receive(&mut self, client: usize) {
        let Client { connection, watch_urgent } = &mut self.clients[client];
        let peer = connection.peer();
        *watch_urgent = true;
        match connection.recv(&mut self.buffer) {
            // The client sends no more, but it may still read: what is queued goes out first.
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                let data = &self.buffer[..count];
                info!("received {} from {peer}", preview(data));
                self.reply.answer(data, connection.queue_mut());
            }
            // Readiness is a hint (select(2), BUGS): recv has the last word.
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    /// One send of what is queued. What the kernel does not take stays queued, and the client in
    /// `outputs`.
    fn send(&mut self, client: usize) {
        let connection = &mut self.clients[client].connection;
        // It was lost earlier in this turn, while it was being read.
        if !connection.wants_write() {
            return;
        }
        let peer = connection.peer();
        info!("sending {} to {peer}", preview(connection.queue().waiting()));
        match connection.send() {
            Ok(_) if connection.queue().is_empty() => info!("output queue for {peer} is empty"),
            Ok(_) => info!("{} bytes left for {peer}", connection.queue().len()),
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    /// An urgent byte stands outside the stream. It is taken, so that select stops reporting it,
    /// and has no answer. The notes close the client here, or die of it.
    fn take_urgent_byte(&mut self, client: usize) {
        let Client { connection, watch_urgent } = &mut self.clients[client];
        let peer = connection.peer();
        let mut byte = [0];
        match recv(connection.as_fd().as_raw_fd(), &mut byte, MsgFlags::MSG_OOB) {
            Ok(_) => {
                info!("handling exceptional condition for {peer}: urgent byte {}", preview(&byte))
            }
            Err(error) => info!("no urgent byte from {peer} after all: {}", error.desc()),
        }
        *watch_urgent = false;
    }

    /// An error ends this connection and no other. Its address was kept from accept: a socket that
    /// was reset no longer knows it.
    fn lose(&mut self, client: usize, error: &io::Error) {
        let connection = &mut self.clients[client].connection;
        info!("lost {}: {}", connection.peer(), reason(error));
        connection.abandon();
    }

    /// At the end of the turn, when no list of `Ready` is used any more. Dropping a client closes
    /// its descriptor; the number may belong to another client at once.
    fn close_finished(&mut self) {
        let before = self.clients.len();
        self.clients.retain(|Client { connection, .. }| {
            if connection.is_finished() {
                info!("closing {}", connection.peer());
            }
            !connection.is_finished()
        });
        if self.clients.len() < before {
            self.listener.resume();
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

/// The descriptor numbers in a set, as the narration shows them: `[3, 5]`.
struct List<'a>(&'a FdSet<'a>);

impl std::fmt::Display for List<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.fds(None).map(|fd| fd.as_raw_fd())).finish()
    }
}
