//! Messages over a stream: a length in front of each, or a newline behind it.
//!
//! TCP carries bytes, and knows no messages. One recv may bring half a message, or a hundred. The
//! other servers of the course answer whatever a recv brings. This one answers messages: it
//! collects what comes until a message is whole. `poll` is the loop around it.
//!
//! ```text
//! cargo run --bin frames                               # four bytes of length in front
//! cargo run -p client -- --framing length              # in another terminal
//! cargo run --bin frames -- --framing lines            # a newline behind
//! cargo run -p client -- --framing lines
//! cargo run --bin frames -- --chunk 3                  # three bytes a recv: the same messages
//! ```
//!
//! Watch `received` and `message` in the narration. With `--chunk 3` a message takes several recv,
//! and a pasted text of many lines brings many messages with one.
//!
//! Limits: a message may have `--limit` bytes. A client that announces more is refused: nothing
//! more is received from it, and it is closed once its answers are sent. If it has sent more than
//! was received, the close becomes a reset, and may cost it the last answers.

use clap::Parser;
use common::{Connection, Framing, Inbox, Listener, Reply, ServerArgs, preview, would_block};
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use poll::{Shown, refused, reported};
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

/// An echo server on poll(2) that answers messages, not pieces: a length in front, or a newline
/// behind
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer to each message
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,

    /// How the end of a message is told
    #[arg(long, value_enum, default_value_t = Framing::Length)]
    framing: Framing,

    /// The longest message allowed, in bytes: 1 to 16777216
    #[arg(long, value_name = "BYTES", default_value_t = 65_536,
          value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    limit: u32,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

/// The loop of `poll`.
fn serve(args: &Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    // No call in the loop may wait except poll: the others would wait with it.
    listener.set_nonblocking(true)?;
    listener.announce()?;

    let mut clients: Vec<Client> = Vec::new();
    let mut buffer = args.server.buffer();
    loop {
        let ready = wait(&listener, &clients)?;
        for &(n, flags) in &ready.clients {
            clients[n].handle(flags, &mut buffer, args);
        }
        // Only now, when no position is used any more.
        clients.retain(|client| client.connection.is_open());
        if ready.new_client {
            clients.extend(listener.admit().map(|connection| Client::new(connection, args)));
        }
    }
}

struct Client {
    connection: Connection,
    /// What has come of a message that is not yet whole. Each client needs one of its own, because
    /// the rest may come after other clients' messages.
    inbox: Inbox,
}

/// What poll reported. A client is its position in the list.
struct Ready {
    new_client: bool,
    clients: Vec<(usize, PollFlags)>,
}

/// Says what to watch, sleeps until some of it is ready, and finds out what is.
fn wait(listener: &Listener, clients: &[Client]) -> io::Result<Ready> {
    let mut list = vec![PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    list.extend(
        clients.iter().map(|client| PollFd::new(client.connection.as_fd(), client.events())),
    );
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

impl Client {
    fn new(connection: Connection, args: &Args) -> Self {
        Self { connection, inbox: Inbox::new(args.framing, args.limit as usize) }
    }

    /// What to watch it for, as in `poll`.
    fn events(&self) -> PollFlags {
        let mut events = PollFlags::empty();
        events.set(PollFlags::POLLIN, self.connection.wants_read());
        events.set(PollFlags::POLLOUT, self.connection.wants_write());
        events
    }

    /// What its flags mean, as in `poll`.
    fn handle(&mut self, flags: PollFlags, buffer: &mut [u8], args: &Args) {
        let broken = PollFlags::POLLHUP | PollFlags::POLLERR;
        if flags.intersects(PollFlags::POLLIN | broken) && self.connection.wants_read() {
            self.receive(buffer, args);
        }
        if flags.intersects(PollFlags::POLLOUT | broken) {
            self.connection.send_queued();
        }
    }

    /// One recv. What it brought goes to what was there before.
    fn receive(&mut self, buffer: &mut [u8], args: &Args) {
        let peer = self.connection.peer();
        match self.connection.recv(buffer) {
            Ok(0) => match self.inbox.unfinished().len() {
                0 => info!("no more data from {peer}"),
                count => info!("no more data from {peer}: {count} bytes of a message came"),
            },
            Ok(count) => {
                info!("received {} from {peer}", preview(&buffer[..count]));
                self.inbox.push(&buffer[..count]);
                self.answer(args);
            }
            Err(error) if would_block(&error) => {}
            Err(error) => self.connection.lose(&error),
        }
    }

    /// Answers all messages that are whole now. A recv brings at most `--chunk` bytes, and each
    /// message takes one of them at least, so this loop ends soon.
    fn answer(&mut self, args: &Args) {
        let Self { connection, inbox } = self;
        let peer = connection.peer();
        loop {
            match inbox.next_message() {
                Ok(Some(message)) => {
                    info!("message {} from {peer}", preview(message));
                    connection.queue_mut().push_with(|bytes| {
                        args.framing.append(bytes, |bytes| args.reply.append(message, bytes));
                    });
                }
                Ok(None) => return,
                // To skip it would mean to receive it: 4 GiB, if that is what was announced.
                Err(too_long) => {
                    info!("refusing {peer}: {too_long}, and the limit is {}", args.limit);
                    return connection.end_input();
                }
            }
        }
    }
}
