//! Asynchronous I/O: the kernel receives, copies, and then tells (`io_uring(7)`).
//!
//! The fifth model of note S2, section 5, which the notes explain and never run. In all the others
//! the kernel says "you may receive now", and the program's next call copies the bytes. Here we ask
//! once, "receive from this client, as long as it is there", and next we hear "here are five
//! bytes". The loop has one system call, io_uring_enter: it hands over what is to be sent, and then
//! sleeps.
//!
//! ```text
//! cargo run -p uring             # in one terminal
//! cargo run -p client            # in another, or in several
//! ```
//!
//! Watch for what is not there: no call of recv. `completed: …` is what the kernel has done.
//!
//! Whose buffer is it? That question is new. A readiness server gives the kernel a buffer for the
//! time of a call. Here the kernel has it as long as the operation is under way, and may write at
//! any time: to free the buffer meanwhile, or let a `Vec` grow, corrupts memory. So:
//!
//! - what is received into belongs to a ring of buffers (`buffers.rs`) that is never freed;
//! - an echo is sent from the buffer in which it came; that goes back when io_uring_enter returns,
//!   because then the send is over, as far as there was room;
//! - the rest is untouched in `lent` until it completes;
//! - a client that is closed stays in the table until its last completion, so its place is not used
//!   again before, and needs no generation counter.
//!
//! Limits: Linux 6.1 or later, where io_uring is not forbidden. The port is free again some
//! milliseconds after the program's end: the kernel first has to finish with the ring.

#[cfg(all(test, target_os = "linux"))]
mod leaving;

use common::{Connection, LOW_WATER, Listener, Reply, ServerArgs, preview, would_block};
use log::info;
use slab::Slab;
use std::io;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::process::ExitCode;
use uring::{Completion, Operation, Ring};

fn main() -> ExitCode {
    let about = "An echo server on io_uring(7): asynchronous I/O, the kernel does the copy too";
    common::run(about, Reply::Echo, serve)
}

/// Hand over what is wanted, sleep until something is done, see what it was, want what is next.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    // Never dropped, whatever happens: the kernel may still be sending what is lent to it, and only
    // the end of the process ends that for certain.
    let mut server = ManuallyDrop::new(Server::new(args, reply)?);
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
    /// The request to accept is under way.
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
    /// What has come and is sent from the buffer in which it came: an echo, if nothing waits before
    /// it. Then the queue is empty.
    held: Option<Completion>,
    /// How much was handed over in this turn, to be sent at once.
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
        let (receiving, cancelling, no_room) = (false, false, false);
        let (lost, closing, touched) = (false, false, false);
        let (held, sending, sent, lent) = (None, 0, None, Vec::new());
        #[rustfmt::skip]
        let new = Self {
            connection, receiving, cancelling, held, sending, sent, no_room, lent, lost, closing,
            touched,
        };
        new
    }

    /// Everything that was received is answered, and gone.
    fn owes_nothing(&self) -> bool {
        self.held.is_none() && self.connection.queue().is_empty() && self.lent.is_empty()
    }

    /// Time to close: nothing will come any more, and nothing is left to send.
    fn is_finished(&self) -> bool {
        self.lost || self.connection.input_ended() && self.owes_nothing()
    }

    /// Nothing is under way for this client: its descriptor and its memory are ours alone.
    fn is_at_rest(&self) -> bool {
        !self.receiving && self.lent.is_empty()
    }
}

impl Server {
    fn new(args: &ServerArgs, reply: Reply) -> io::Result<Self> {
        let (listener, ring) = (common::listen(args)?, Ring::new(args.chunk as usize)?);
        let (clients, sent, touched) = (Slab::new(), Vec::new(), Vec::new());
        Ok(Self { ring, listener, accepting: false, clients, sent, touched, reply })
    }

    fn turn(&mut self, batch: &mut Vec<Completion>) -> io::Result<()> {
        // One request for all clients. It is made again when a completion has said that it is over.
        if !std::mem::replace(&mut self.accepting, true) {
            self.ring.accept(&self.listener);
        }
        info!("waiting for completions");
        self.ring.enter(batch)?;
        self.settle_sends(batch);
        for completion in batch.drain(..) {
            match completion.operation {
                Operation::Accept => self.accepted(completion),
                Operation::Receive => self.received(completion),
                Operation::Lend => self.sent_all(&completion),
                // The one is settled; the other shows in the last completion of what it cancelled.
                Operation::Send | Operation::Cancel => {}
            }
        }
        self.go_on();
        Ok(())
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
            let Client { connection, held, sending, sent, no_room, .. } = &mut self.clients[client];
            match sent.take().unwrap_or(Ok(*sending)) {
                Err(error) if !would_block(&error) => self.lose(client, &error),
                result => {
                    let count = result.unwrap_or(0);
                    *no_room = count < *sending;
                    match held.take() {
                        // The buffer goes back whatever was taken: a client that does not read must
                        // not keep it. What is left waits in the queue.
                        Some(completion) => {
                            let left = &self.ring.received(&completion)[count..];
                            connection.queue_mut().push(left);
                            self.ring.put_back(completion);
                        }
                        None => connection.queue_mut().advance(count),
                    }
                    let peer = connection.peer();
                    match connection.queue().len() {
                        0 => info!("output queue for {peer} is empty"),
                        left => info!("{left} bytes left for {peer}"),
                    }
                }
            }
            self.touch(client);
        }
        self.sent = sent;
    }

    /// The kernel has accepted a client, or says why it could not.
    fn accepted(&mut self, completion: Completion) {
        info!("completed: accept");
        self.accepting = completion.more();
        let socket = completion.accepted().map(TcpStream::from);
        if let Some(connection) = self.listener.admitted(socket) {
            let client = self.clients.insert(Client::new(connection));
            self.touch(client);
        }
    }

    /// The kernel has received: the bytes are in one of our buffers, or it says why there are none.
    fn received(&mut self, completion: Completion) {
        let client = completion.client;
        let Client { connection, receiving, cancelling, .. } = &mut self.clients[client];
        let peer = connection.peer();
        if !completion.more() {
            (*receiving, *cancelling) = (false, false);
        }
        self.touch(client);
        match completion.result() {
            Ok(count) if count > 0 => {
                info!(
                    "completed: received {} from {peer}",
                    preview(self.ring.received(&completion))
                );
                return self.answer(completion);
            }
            // The client sends no more, but it may still read: what is queued goes out first.
            Ok(_) => {
                info!("completed: no more data from {peer}");
                self.clients[client].connection.end_input();
            }
            Err(error) => match error.raw_os_error() {
                // Cancelled, by us. Or more came in one turn than there were buffers: there are
                // more now, and those of this turn come back, so it is asked again.
                Some(libc::ECANCELED | libc::ENOBUFS) => {}
                _ => self.lose(client, &error),
            },
        }
        self.ring.put_back(completion);
    }

    /// What came is answered. An echo that has nothing before it stays where it is, and is sent
    /// from there. Everything else goes into the queue, and the buffer back to the kernel.
    fn answer(&mut self, completion: Completion) {
        let known = &mut self.clients[completion.client];
        if self.reply == Reply::Echo && known.owes_nothing() && !known.lost {
            known.held = Some(completion);
            return;
        }
        // In order: the one that came before it in this turn, then this one.
        for completion in known.held.take().into_iter().chain([completion]) {
            if !known.lost {
                self.reply.answer(self.ring.received(&completion), known.connection.queue_mut());
            }
            self.ring.put_back(completion);
        }
    }

    /// What was lent is ours again.
    fn sent_all(&mut self, completion: &Completion) {
        let client = completion.client;
        let Client { connection, lent, no_room, .. } = &mut self.clients[client];
        let all = lent.len();
        lent.clear();
        // As with the queue: an idle client does not hold the memory of its worst moment.
        lent.shrink_to(LOW_WATER);
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

    /// An error ends this connection and no other.
    fn lose(&mut self, client: usize, error: &io::Error) {
        let Client { connection, held, lost, .. } = &mut self.clients[client];
        if !std::mem::replace(lost, true) {
            connection.lose(error);
        }
        if let Some(completion) = held.take() {
            self.ring.put_back(completion);
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
                // In this order the answer leaves while it is in the processor's cache, and what
                // comes next has more time to come.
                self.send(client);
                self.receive(client);
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
        let Client { connection, receiving, held, sending, no_room, lent, .. } = known;
        let waiting = match held {
            Some(completion) => self.ring.received(completion),
            None => connection.queue().waiting(),
        };
        // Never two at a time: they would be sent in any order.
        if waiting.is_empty() || !lent.is_empty() {
            return;
        }
        info!("sending {} to {}", preview(waiting), connection.peer());
        if *no_room {
            // It is a rest, so it waits in the queue.
            lent.extend_from_slice(waiting);
            connection.queue_mut().advance(lent.len());
            info!("no room yet: {} bytes are lent to the kernel until they are sent", lent.len());
            // `lent` is emptied by `sent_all`, at the completion, and dropped by `close`, when it
            // is empty; the server itself is never dropped.
            // SAFETY: so nobody touches it while there is something in it.
            unsafe { self.ring.lend(client, connection, lent) };
            return;
        }
        *sending = waiting.len();
        // A success is silent only if the next thing to happen to this client wakes us anyway: a
        // receive that is under way, or is about to be (`receive`). With its input ended it is the
        // success itself that we wait for, to close.
        let silent = *receiving || connection.wants_read();
        // SAFETY: what waits is not touched before `enter` returns: this client has had its turn in
        // `go_on`, and what comes after it is `accept` and `enter`.
        unsafe { self.ring.send(client, connection, waiting, silent) };
        self.sent.push(client);
    }

    /// Closes a client, or has what is under way for it cancelled: the last completion comes back
    /// here.
    fn close(&mut self, client: usize) {
        let known = &mut self.clients[client];
        if known.is_at_rest() {
            info!("closing {}", known.connection.peer());
            self.clients.remove(client);
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
