//! Asynchronous I/O: the kernel receives, copies, and then tells (`io_uring(7)`).
//!
//! The fifth model of note S2, section 5, which the notes explain and never run. In all the others the
//! kernel says "you may receive now", and a call of ours copies the bytes. Here we ask once, "receive
//! from this client, for as long as it is there", and the next we hear is "here are five bytes". The
//! loop has one system call, whatever it does: io_uring_enter hands over all that we want sent, and
//! sleeps until something is done.
//!
//! ```text
//! cargo run -p uring             # in one terminal
//! cargo run -p client            # in another, or in several
//! ```
//!
//! Watch for what is not there: nobody calls recv. `completed: …` is what the kernel has done already.
//! Read `uring_once` first; it does one operation at a time.
//!
//! Whose buffer is it? That is the question which this model adds. A readiness server gives the kernel
//! a buffer for the time of a call. Here the kernel has it for as long as the operation is under way,
//! and writes whenever it likes. To free the buffer, or to let a `Vec` grow, is then a write into
//! somebody else's memory. So:
//!
//! - what is received into belongs to a ring of buffers (`buffers.rs`) that is never freed;
//! - what is sent is either done when io_uring_enter returns, or moved into `lent`, which nobody
//!   touches before its completion;
//! - a client that is closed stays in the table until nothing is under way for it. So its place is
//!   nobody else's before the last completion, and needs no generation.
//!
//! Limits: Linux 6.1 or later, where io_uring is not forbidden. Large messages gain nothing, for they
//! cost what copying costs. And the port is free again some milliseconds after the program's end:
//! the kernel first has to finish with the ring.

#[cfg(target_os = "linux")]
mod buffers;
#[cfg(all(test, target_os = "linux"))]
mod held;
#[cfg(all(test, target_os = "linux"))]
mod leaving;
mod refusal;
#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
mod ring;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use log::info;
use ring::{Completion, Operation, Ring};
use slab::Slab;
use std::io;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

/// An echo server on io_uring(7): asynchronous I/O, the kernel does the copy too (note S2)
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
    // Never dropped, whatever happens: the kernel may still be sending what is lent to it, and only
    // the end of the process ends that for certain.
    let mut server = ManuallyDrop::new(Server::new(args)?);
    server.listener.announce()?;
    let mut batch = Vec::new();
    loop {
        server.turn(&mut batch)?;
    }
}

struct Server {
    /// First, so that it is closed first.
    ring: Ring,
    listener: Listener,
    /// The request to accept is under way: one for all clients.
    accepting: bool,
    /// A client's place is the number that the kernel gives back with its completions.
    clients: Slab<Client>,
    /// Those to whom something is being sent in this turn.
    sent: Vec<usize>,
    /// Those to whom something has happened in this turn, each once.
    touched: Vec<usize>,
    reply: Reply,
}

struct Client {
    connection: Connection,
    /// The request to receive is under way. Its last completion says when it is not any more.
    receiving: bool,
    /// And has been asked to end.
    cancelling: bool,
    /// How much of the queue was handed over in this turn, to be sent at once.
    sending: usize,
    /// What came of that, unless it is a success, which is silent.
    sent: Option<io::Result<usize>>,
    /// The last send at once was a short one: the next is made by lending.
    no_room: bool,
    /// What the kernel sends whenever there is room. While there is anything in it, it is the
    /// kernel's, and nobody touches it.
    lent: Vec<u8>,
    /// Reset, or otherwise of no further use.
    lost: bool,
    /// What was under way when it was to be closed has been cancelled.
    closing: bool,
    /// In `touched`.
    touched: bool,
}

impl Client {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            receiving: false,
            cancelling: false,
            sending: 0,
            sent: None,
            no_room: false,
            lent: Vec::new(),
            lost: false,
            closing: false,
            touched: false,
        }
    }

    /// Time to close: nothing will come any more, and nothing is left to send.
    fn is_finished(&self) -> bool {
        self.lost || self.connection.is_finished() && self.lent.is_empty()
    }

    /// Nothing is under way for this client: its descriptor and its memory are ours alone.
    fn is_at_rest(&self) -> bool {
        !self.receiving && self.lent.is_empty()
    }
}

impl Server {
    fn new(args: &Args) -> io::Result<Self> {
        Ok(Self {
            listener: common::listen(&args.server)?,
            ring: Ring::new(args.server.chunk as usize)?,
            accepting: false,
            clients: Slab::new(),
            sent: Vec::new(),
            touched: Vec::new(),
            reply: args.reply,
        })
    }

    /// Hand over what is wanted, sleep until something is done, see what it was, want what is next.
    fn turn(&mut self, batch: &mut Vec<Completion>) -> io::Result<()> {
        self.accept();
        info!("waiting for completions");
        // No time-out, unless accepting is paused for want of descriptors.
        self.ring.enter(self.listener.timeout(), batch)?;
        self.settle_sends(batch);
        for completion in batch.drain(..) {
            self.complete(completion);
        }
        self.go_on();
        Ok(())
    }

    /// Asks for clients, unless that is asked already, or there are no descriptors for them.
    fn accept(&mut self) {
        if !self.accepting && self.listener.wants_read() {
            self.ring.accept(&self.listener);
            self.accepting = true;
        }
    }

    /// What became of the sends of this turn: each is done, one way or the other. This comes before
    /// all other completions, because those may add to the queues.
    fn settle_sends(&mut self, batch: &[Completion]) {
        for completion in batch.iter().filter(|completion| completion.operation == Operation::Send)
        {
            self.clients[completion.client].sent = Some(completion.result());
        }
        let mut sent = std::mem::take(&mut self.sent);
        for client in sent.drain(..) {
            let Client { connection, sending, sent, no_room, .. } = &mut self.clients[client];
            let peer = connection.peer();
            match sent.take().unwrap_or(Ok(*sending)) {
                Ok(count) => {
                    connection.queue_mut().advance(count);
                    *no_room = count < *sending;
                    match connection.queue().len() {
                        0 => info!("output queue for {peer} is empty"),
                        left => info!("{left} bytes left for {peer}"),
                    }
                }
                Err(error) if would_block(&error) => *no_room = true,
                Err(error) => self.lose(client, &error),
            }
            self.touch(client);
        }
        self.sent = sent;
    }

    fn complete(&mut self, completion: Completion) {
        match completion.operation {
            Operation::Accept => self.accepted(completion),
            Operation::Receive => self.received(&completion),
            Operation::Lend => self.sent_all(&completion),
            // The one is settled; the other shows in the last completion of what it cancelled.
            Operation::Send | Operation::Cancel => {}
        }
    }

    /// A new client, or none: then accepting is over, for a while or for ever, and asked for again.
    /// Multishot accept brings no addresses, so they are asked for; a client that was reset while it
    /// waited has none any more.
    fn accepted(&mut self, completion: Completion) {
        self.accepting = completion.more();
        let socket = match completion.accepted() {
            Ok(descriptor) => TcpStream::from(descriptor),
            Err(error) => {
                // A client that gave up while it waited concerns nobody else.
                if error.kind() != io::ErrorKind::ConnectionAborted {
                    info!("no new clients for now: {}", reason(&error));
                    self.listener.pause();
                }
                return;
            }
        };
        let fd = socket.as_raw_fd();
        match socket.peer_addr().and_then(|peer| Connection::new(socket, peer)) {
            Ok(connection) => {
                info!("completed: new connection from {}, descriptor {fd}", connection.peer());
                let client = self.clients.insert(Client::new(connection));
                self.touch(client);
            }
            Err(error) => info!("descriptor {fd}: gone before it was accepted: {}", reason(&error)),
        }
    }

    /// The kernel has received: the bytes are in one of our buffers. They are answered into the queue,
    /// and the buffer is the kernel's again.
    fn received(&mut self, completion: &Completion) {
        let client = completion.client;
        let Client { connection, receiving, cancelling, lost, .. } = &mut self.clients[client];
        let peer = connection.peer();
        if !completion.more() {
            (*receiving, *cancelling) = (false, false);
        }
        match completion.result() {
            // The client sends no more, but it may still read: what is queued goes out first.
            Ok(0) => {
                info!("completed: no more data from {peer}");
                connection.end_input();
            }
            Ok(_) => {
                let data = self.ring.received(completion).unwrap_or_default();
                info!("completed: received {} from {peer}", preview(data));
                if !*lost {
                    self.reply.answer(data, connection.queue_mut());
                }
            }
            Err(error) => match error.raw_os_error() {
                // Cancelled, by us. Or more came in one turn than there are buffers: they are all
                // put back by the end of it, and it is asked again.
                Some(libc::ECANCELED | libc::ENOBUFS) => {}
                _ => self.lose(client, &error),
            },
        }
        self.ring.put_back(completion);
        self.touch(client);
    }

    /// What was lent is ours again.
    fn sent_all(&mut self, completion: &Completion) {
        let client = completion.client;
        let Client { connection, lent, no_room, .. } = &mut self.clients[client];
        let all = lent.len();
        lent.clear();
        *no_room = false;
        match completion.result() {
            Ok(count) if count == all => {
                info!("completed: sent {count} bytes to {}", connection.peer());
            }
            // A part of it: then an error comes next, and here it is the end as well.
            Ok(_) => self.lose(client, &io::ErrorKind::WriteZero.into()),
            Err(error) => self.lose(client, &error),
        }
        self.touch(client);
    }

    /// An error ends this connection and no other. Its address was kept from accept: a socket that
    /// was reset no longer knows it.
    fn lose(&mut self, client: usize, error: &io::Error) {
        let Client { connection, lost, .. } = &mut self.clients[client];
        if !std::mem::replace(lost, true) {
            info!("lost {}: {}", connection.peer(), reason(error));
            connection.abandon();
        }
    }

    fn touch(&mut self, client: usize) {
        if !std::mem::replace(&mut self.clients[client].touched, true) {
            self.touched.push(client);
        }
    }

    /// Asks the kernel for what is next, for each client to whom something has happened.
    fn go_on(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        for client in touched.drain(..) {
            self.clients[client].touched = false;
            if self.clients[client].is_finished() {
                self.close(client);
            } else {
                self.receive(client);
                self.send(client);
            }
        }
        self.touched = touched;
    }

    /// Has the kernel receive from this client, or no more: not from one that leaves its answers
    /// unread. That is known when a send was short; a queue that is only long may be empty a moment
    /// later.
    fn receive(&mut self, client: usize) {
        let known = &mut self.clients[client];
        let unread = known.no_room || !known.lent.is_empty();
        let Client { connection, receiving, cancelling, .. } = known;
        if connection.wants_read() && !unread && !*receiving {
            self.ring.receive(client, connection);
            *receiving = true;
        } else if unread && !connection.wants_read() && *receiving && !*cancelling {
            info!("{} does not read: receiving no more", connection.peer());
            self.ring.cancel(Operation::Receive, client);
            *cancelling = true;
        }
    }

    /// Has the kernel send what is queued: at once, as far as there is room, in the next enter; or
    /// lent, if there was none.
    #[expect(unsafe_code, reason = "what the kernel sends it reads from our memory")]
    fn send(&mut self, client: usize) {
        let known = &mut self.clients[client];
        let Client { connection, receiving, cancelling, sending, no_room, lent, .. } = known;
        // Never two at a time: they would be sent in any order.
        if connection.queue().is_empty() || !lent.is_empty() {
            return;
        }
        info!("sending {} to {}", preview(connection.queue().waiting()), connection.peer());
        if *no_room {
            lent.extend_from_slice(connection.queue().waiting());
            connection.queue_mut().advance(lent.len());
            info!("no room yet: {} bytes are lent to the kernel until they are sent", lent.len());
            // `lent` is emptied by `sent_all`, at the completion, and dropped by `close`, when it is
            // empty; the server itself is never dropped.
            // SAFETY: so nobody touches it while there is something in it.
            unsafe { self.ring.lend(client, connection, lent) };
            return;
        }
        *sending = connection.queue().len();
        // A success is silent only if the next thing to happen to this client wakes us anyway. With
        // its input ended it is the success itself that we wait for, to close.
        let silent = *receiving && !*cancelling;
        // SAFETY: the queue is not touched before `enter` returns: this client has had its turn in
        // `go_on`, and what comes after it is `accept` and `enter`.
        unsafe { self.ring.send(client, connection, connection.queue().waiting(), silent) };
        self.sent.push(client);
    }

    /// Closes a client, or has what is under way for it cancelled: the last completion comes back
    /// here.
    fn close(&mut self, client: usize) {
        let known = &mut self.clients[client];
        if known.is_at_rest() {
            info!("closing {}", known.connection.peer());
            self.clients.remove(client);
            self.listener.resume();
        } else if !std::mem::replace(&mut known.closing, true) {
            if known.receiving && !known.cancelling {
                self.ring.cancel(Operation::Receive, client);
            }
            if !known.lent.is_empty() {
                self.ring.cancel(Operation::Lend, client);
            }
        }
    }
}
