//! The server with the fewest system calls: `epoll(7)`, level-triggered, and answers sent at once.
//!
//! Compare it with `epoll`: in `handle`, a send follows the receive in the same breath, and the
//! rest is the same. A socket nearly always has room, so the answer is gone before anybody has
//! asked whether it may go. Only when the kernel took less than all of it is EPOLLOUT watched. The
//! notes have no such program, though S2 sends at once, in its select server; what that one lacks
//! is the rest of the work, for the client that does not read.
//!
//! ```text
//! cargo run --bin epoll_direct
//! cargo run -p client
//! ```
//!
//! Watch what is missing from the narration: no `EPOLL_CTL_MOD`, and a single wait for a message.
//! Three system calls where `epoll` makes six. Then let a client send and not read, and see the
//! rest at work: `cat /dev/zero > /dev/tcp/127.0.0.1/8001` in bash.
//!
//! Limits: as `epoll`.

#[path = "../system.rs"]
mod system;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use log::info;
use nix::errno::Errno;
use slotmap::{DefaultKey, Key, SlotMap};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::process::ExitCode;
use system::{Batch, Epoll, EpollEvent, EpollFlags, Flags, key, token};

/// An echo server on epoll(7) that sends at once: the fewest system calls for a message
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,
}

/// How many events one wait brings at most. The others come with the next, before anybody who was
/// in this one comes again: a short batch is a fair one.
const BATCH: usize = 256;

/// What makes recv worth trying: data or the end of input (IN), or news that only a call can tell
/// (HUP, ERR; nobody asks for these two, they always come).
const READABLE: EpollFlags =
    EpollFlags::EPOLLIN.union(EpollFlags::EPOLLHUP).union(EpollFlags::EPOLLERR);

/// What makes send worth trying: room, or the news that there will never be any.
const WRITABLE: EpollFlags =
    EpollFlags::EPOLLOUT.union(EpollFlags::EPOLLHUP).union(EpollFlags::EPOLLERR);

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

/// The loop of every readiness server: wait until something is ready, handle what is, wait again.
fn serve(args: &Args) -> io::Result<()> {
    let mut server = Server::new(args)?;
    server.listener.announce()?;
    let mut batch = vec![EpollEvent::empty(); BATCH];
    loop {
        let count = server.wait(&mut batch)?;
        for event in &batch[..count] {
            let client = key(event);
            if client.is_null() {
                server.accept();
            } else {
                server.handle(client, event.events());
            }
        }
    }
}

struct Server {
    listener: Listener,
    /// What the kernel was last told to watch the listener for.
    listener_interest: EpollFlags,
    epoll: Epoll,
    /// By a key that is used once. The notes look clients up by descriptor, and the kernel gives
    /// the number of a closed descriptor to the next client.
    clients: SlotMap<DefaultKey, Client>,
    reply: Reply,
    /// What one recv fills. One for all clients: what it holds is queued before the next recv.
    buffer: Vec<u8>,
}

struct Client {
    connection: Connection,
    /// What the kernel was last told to watch it for. To tell it again is a system call.
    interest: EpollFlags,
}

impl Server {
    fn new(args: &Args) -> io::Result<Self> {
        let listener = common::listen(&args.server)?;
        // No call in the loop may wait except epoll_wait: the others would wait with it.
        listener.set_nonblocking(true)?;
        let epoll = system::create()?;
        let listener_interest = EpollFlags::EPOLLIN;
        epoll.add(&listener, EpollEvent::new(listener_interest, token(DefaultKey::null())))?;
        Ok(Self {
            listener,
            listener_interest,
            epoll,
            clients: SlotMap::new(),
            reply: args.reply,
            buffer: args.server.buffer(),
        })
    }

    /// Sleeps until something is ready. Nobody is named: the kernel has the list. How many events
    /// it wrote into `batch`.
    fn wait(&mut self, batch: &mut [EpollEvent]) -> io::Result<usize> {
        self.watch_listener()?;
        info!("waiting for the next event");
        // No time-out, unless accepting is paused for want of descriptors.
        let timeout = system::timeout(self.listener.timeout());
        let count = match self.epoll.wait(batch, timeout) {
            Ok(count) => count,
            // A signal came first (EINTR); even SIGSTOP and SIGCONT, without any handler.
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        info!("ready: {}", Batch(&batch[..count], |client| self.number(client)));
        Ok(count)
    }

    /// While there is no descriptor for a new client the listener would be reported at every turn.
    fn watch_listener(&mut self) -> io::Result<()> {
        let accepting = self.listener.wants_read();
        let interest = if accepting { EpollFlags::EPOLLIN } else { EpollFlags::empty() };
        if interest != self.listener_interest {
            let mut event = EpollEvent::new(interest, token(DefaultKey::null()));
            self.epoll.modify(&self.listener, &mut event)?;
            self.listener_interest = interest;
        }
        Ok(())
    }

    /// One new client. If more are waiting, the listener is still ready at the next turn.
    fn accept(&mut self) {
        match self.listener.accept() {
            Ok(Some(connection)) => {
                let (fd, peer) = (connection.as_fd().as_raw_fd(), connection.peer());
                match self.add(connection) {
                    Ok(()) => info!("new connection from {peer}, descriptor {fd}"),
                    Err(error) => info!("turning away {peer}: {}", reason(&error)),
                }
            }
            Ok(None) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    /// From here on the kernel watches this client, until its descriptor is closed.
    fn add(&mut self, connection: Connection) -> io::Result<()> {
        connection.set_nonblocking(true)?;
        let interest = EpollFlags::EPOLLIN;
        let client = self.clients.insert(Client { connection, interest });
        let event = EpollEvent::new(interest, token(client));
        let added = self.epoll.add(&self.clients[client].connection, event);
        if added.is_err() {
            self.clients.remove(client);
        }
        Ok(added?)
    }

    /// What one event says of one client: receive, and send what there is to send, at once.
    fn handle(&mut self, client: DefaultKey, flags: EpollFlags) {
        // Closed since the kernel wrote the batch. Its descriptor number may be somebody else's by
        // now; its key is not.
        let Some(Client { connection, .. }) = self.clients.get(client) else { return };
        // With something still queued from before there is no room, until the kernel says so.
        let room = flags.intersects(WRITABLE) || !connection.wants_write();
        if flags.intersects(READABLE) && connection.wants_read() {
            self.receive(client);
        }
        if room && self.clients[client].connection.wants_write() {
            self.send(client);
        }
        self.watch(client);
    }

    /// One recv: what it brought is answered into the queue.
    fn receive(&mut self, client: DefaultKey) {
        let connection = &mut self.clients[client].connection;
        let peer = connection.peer();
        match connection.recv(&mut self.buffer) {
            // The client sends no more, but it may still read: what is queued goes out first.
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                let data = &self.buffer[..count];
                info!("received {} from {peer}", preview(data));
                self.reply.answer(data, connection.queue_mut());
            }
            // Readiness is a hint: recv has the last word.
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    /// One send of what is queued. What the kernel does not take stays queued, and from now on
    /// EPOLLOUT is watched.
    fn send(&mut self, client: DefaultKey) {
        let connection = &mut self.clients[client].connection;
        let peer = connection.peer();
        info!("sending {} to {peer}", preview(connection.queue().waiting()));
        match connection.send() {
            Ok(_) if connection.queue().is_empty() => info!("output queue for {peer} is empty"),
            Ok(_) => info!("{} bytes left for {peer}", connection.queue().len()),
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    /// Tells the kernel what we want of this client from now on, if that is not what it was. Level
    /// means that it reports what is watched and ready every time: input that we do not want to
    /// read yet, or room that we have no use for, would wake us for ever.
    fn watch(&mut self, client: DefaultKey) {
        let Client { connection, interest } = &mut self.clients[client];
        if connection.is_finished() {
            return self.close(client);
        }
        let mut wanted = EpollFlags::empty();
        wanted.set(EpollFlags::EPOLLIN, connection.wants_read());
        wanted.set(EpollFlags::EPOLLOUT, connection.wants_write());
        if wanted != *interest {
            let fd = connection.as_fd().as_raw_fd();
            info!("descriptor {fd}: EPOLL_CTL_MOD to {}", Flags(wanted));
            match self.epoll.modify(connection, &mut EpollEvent::new(wanted, token(client))) {
                Ok(()) => *interest = wanted,
                Err(error) => {
                    self.lose(client, &error.into());
                    self.close(client);
                }
            }
        }
    }

    /// An error ends this connection and no other. Its address was kept from accept: a socket that
    /// was reset no longer knows it.
    fn lose(&mut self, client: DefaultKey, error: &io::Error) {
        let connection = &mut self.clients[client].connection;
        info!("lost {}: {}", connection.peer(), reason(error));
        connection.abandon();
    }

    /// Dropping the connection closes its descriptor, and the kernel stops watching. It would not
    /// if the socket had a second descriptor (dup, fork): then EPOLL_CTL_DEL has to come first.
    fn close(&mut self, client: DefaultKey) {
        if let Some(Client { connection, .. }) = self.clients.remove(client) {
            info!("closing {}", connection.peer());
            self.listener.resume();
        }
    }

    /// A descriptor for the narration: the listener's, or a client's while that is there.
    fn number(&self, client: DefaultKey) -> Option<RawFd> {
        if client.is_null() {
            return Some(self.listener.as_fd().as_raw_fd());
        }
        Some(self.clients.get(client)?.connection.as_fd().as_raw_fd())
    }
}
