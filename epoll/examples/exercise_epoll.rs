//! Exercise to chapter 6: finish a server on epoll(7), level-triggered.
//!
//! The loop, accepting, receiving and sending are there. But the kernel is told once what to watch
//! a client for, and never again. The steps below are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise epoll  # judges your copy, and says what is next
//! cargo run --example exercise_epoll  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `epoll/src/main.rs`. Linux only; elsewhere the program says so.

use common::{Connection, Listener, Reply, ServerArgs};
use epoll::{Batch, Epoll, EpollEvent, EpollFlags, Flags, key, token};
use log::info;
use slotmap::{DefaultKey, Key, SlotMap};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::process::ExitCode;

fn main() -> ExitCode {
    let about = "The exercise to chapter 6: an echo server on epoll(7), level-triggered";
    common::run(about, Reply::Echo, serve)
}

fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create()?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, token(DefaultKey::null())))?;
    listener.announce()?;

    let (clients, buffer) = (SlotMap::new(), args.buffer());
    let mut server = Server { listener, epoll, clients, buffer, reply };
    let mut batch = vec![EpollEvent::empty(); 256];
    loop {
        for event in server.wait(&mut batch)? {
            match key(event) {
                client if client.is_null() => server.accept(),
                client => server.handle(client, event.events()),
            }
        }
    }
}

struct Server {
    listener: Listener,
    epoll: Epoll,
    clients: SlotMap<DefaultKey, Client>,
    buffer: Vec<u8>,
    reply: Reply,
}

struct Client {
    connection: Connection,
    /// What the kernel was last told to watch it for.
    interest: EpollFlags,
}

impl Server {
    /// Step 2. If a signal comes first (EINTR; SIGSTOP and SIGCONT are enough), nothing is ready
    /// and nothing is wrong. Trap: `?` ends the server for every client.
    fn wait<'b>(&self, batch: &'b mut [EpollEvent]) -> io::Result<&'b [EpollEvent]> {
        info!("waiting for the next event");
        let count = self.epoll.wait(batch, epoll::timeout(None))?;
        info!("ready: {}", Batch(&batch[..count], |client| self.number(client)));
        Ok(&batch[..count])
    }

    fn accept(&mut self) {
        let Some(connection) = self.listener.admit() else { return };
        let interest = EpollFlags::EPOLLIN;
        let client = self.clients.insert(Client { connection, interest });
        let event = EpollEvent::new(interest, token(client));
        if self.epoll.add(&self.clients[client].connection, event).is_err() {
            self.clients.remove(client);
        }
    }

    /// EPOLLHUP and EPOLLERR come unasked: recv and send say what they mean.
    fn handle(&mut self, client: DefaultKey, flags: EpollFlags) {
        // It may have been closed since the kernel wrote the batch.
        let Some(Client { connection, .. }) = self.clients.get_mut(client) else { return };
        let broken = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        if flags.intersects(EpollFlags::EPOLLIN | broken) && connection.wants_read() {
            connection.receive(&mut self.buffer, self.reply);
        }
        if flags.intersects(EpollFlags::EPOLLOUT | broken) {
            connection.send_queued();
        }
        self.watch(client);
        self.close_if_finished(client);
    }

    /// Step 1. Tell the kernel what to watch this client for from now on (`epoll.modify`): input
    /// while it is wanted (`wants_read`), room while something is queued (`wants_write`). Trap:
    /// what is watched and ready is reported at every wait, wanted or not. And each call costs,
    /// also one that tells the kernel what it already knows.
    fn watch(&mut self, client: DefaultKey) {
        let Client { connection, interest } = &self.clients[client];
        info!("{} is watched for {} as before", connection.peer(), Flags(*interest));
    }

    /// Step 3. Drop this client if it is finished (`is_open` says so): that closes its descriptor,
    /// and the kernel forgets it. Trap: another event of the batch may be for this client, and the
    /// next client may get its number. What does `handle` do about that?
    fn close_if_finished(&mut self, client: DefaultKey) {
        if self.clients[client].connection.is_finished() {
            info!("{} is finished, and stays", self.clients[client].connection.peer());
        }
    }

    fn number(&self, client: DefaultKey) -> Option<RawFd> {
        let client = self.clients.get(client)?;
        Some(client.connection.as_fd().as_raw_fd())
    }
}
