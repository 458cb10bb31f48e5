//! One thread, many clients: `epoll(7)`, level-triggered. The kernel keeps the list.
//!
//! The server of note S4, and of S1 in its level-triggered form. select and poll are told at every
//! call what to watch. epoll is told once, when a client comes, and again when the interest in it
//! changes; and it returns only the clients that are ready. So a turn costs as much as there is to
//! do, however many clients are idle.
//!
//! ```text
//! cargo run -p epoll             # in one terminal
//! cargo run -p client            # in another, or in several
//! ```
//!
//! Watch the narration: the batch is printed as S1 prints its `epoll_list`, `[(5, EPOLLIN)]`, and
//! a message costs two `EPOLL_CTL_MOD`, one to watch for room and one to stop doing so. That is
//! the price of a queue with this interface; `epoll_direct` does not pay it.
//!
//! Limits: Linux only. Files on disk cannot be watched (EPERM). As many clients as there are
//! descriptors (`ulimit -n`).

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod reuse;

use common::{Connection, Listener, Reply, ServerArgs};
use epoll::{Batch, Epoll, EpollEvent, EpollFlags, Flags, key, token};
use log::info;
use nix::errno::Errno;
use slotmap::{DefaultKey, Key, SlotMap};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::process::ExitCode;

/// How many events one wait brings at most. The other ready clients come with the next wait, before
/// those of this batch come again.
const BATCH: usize = 256;

/// A hang-up or an error: always reported, and only recv or send can tell what it is.
const BROKEN: EpollFlags = EpollFlags::EPOLLHUP.union(EpollFlags::EPOLLERR);

fn main() -> ExitCode {
    let about = "An echo server on epoll(7), level-triggered: interest lives in the kernel";
    common::run(about, Reply::Echo, |args, reply| serve(args, reply, false))
}

/// The loop of every readiness server: wait until something is ready, handle what is, wait again.
///
/// `send_at_once` is all that `epoll_direct` does in another way, see `handle`.
pub fn serve(args: &ServerArgs, reply: Reply, send_at_once: bool) -> io::Result<()> {
    let mut server = Server::new(args, reply, send_at_once)?;
    server.listener.announce()?;

    let mut batch = vec![EpollEvent::empty(); BATCH];
    loop {
        let mut new_client = false;
        for event in server.wait(&mut batch)? {
            match key(event) {
                client if client.is_null() => new_client = true,
                client => server.handle(client, event.events()),
            }
        }
        // Last, so that the descriptors just closed are free again.
        if new_client {
            server.accept();
        }
    }
}

struct Server {
    listener: Listener,
    epoll: Epoll,
    /// By a key that is used once. The notes look clients up by descriptor, but the kernel gives
    /// the number of a closed descriptor to the next client.
    clients: SlotMap<DefaultKey, Client>,
    /// What one recv fills, for all clients: its contents are sent or queued before the next recv.
    buffer: Vec<u8>,
    reply: Reply,
    send_at_once: bool,
}

struct Client {
    connection: Connection,
    /// What the kernel was last told to watch it for: each change is a system call.
    interest: EpollFlags,
}

impl Server {
    fn new(args: &ServerArgs, reply: Reply, send_at_once: bool) -> io::Result<Self> {
        let listener = common::listen(args)?;
        // No call in the loop may wait except epoll_wait: the others would wait with it.
        listener.set_nonblocking(true)?;
        let epoll = epoll::create()?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, token(DefaultKey::null())))?;
        let (clients, buffer) = (SlotMap::new(), args.buffer());
        Ok(Self { listener, epoll, clients, buffer, reply, send_at_once })
    }

    /// Sleeps until something is ready. Nothing is handed over: the kernel has the list.
    fn wait<'b>(&self, batch: &'b mut [EpollEvent]) -> io::Result<&'b [EpollEvent]> {
        info!("waiting for the next event");
        let count = match self.epoll.wait(batch, epoll::timeout(None)) {
            Ok(count) => count,
            // A signal came first; even SIGSTOP and SIGCONT, without any handler.
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        info!("ready: {}", Batch(&batch[..count], |client| self.number(client)));
        Ok(&batch[..count])
    }

    /// One new client: from here on the kernel watches it, until its descriptor is closed. If more
    /// clients are waiting, the listener is ready again at the next turn.
    fn accept(&mut self) {
        let Some(connection) = self.listener.admit() else { return };
        let interest = EpollFlags::EPOLLIN;
        let client = self.clients.insert(Client { connection, interest });
        let connection = &mut self.clients[client].connection;
        if let Err(error) = self.epoll.add(&*connection, EpollEvent::new(interest, token(client))) {
            connection.lose(&error.into());
            self.close_if_finished(client);
        }
    }

    /// What one event says of one client. Receiving comes first: what was sent before a hang-up is
    /// still there to be read.
    fn handle(&mut self, client: DefaultKey, flags: EpollFlags) {
        // It may have been closed since the kernel wrote the batch. Its descriptor number may
        // belong to another client by now; its key does not.
        let Some(Client { connection, .. }) = self.clients.get_mut(client) else { return };
        if flags.intersects(EpollFlags::EPOLLIN | BROKEN) && connection.wants_read() {
            // A socket nearly always has room, so a send may be tried before epoll reports room.
            match self.send_at_once {
                true => connection.receive_and_send(&mut self.buffer, self.reply),
                false => connection.receive(&mut self.buffer, self.reply),
            };
        }
        if flags.intersects(EpollFlags::EPOLLOUT | BROKEN) {
            connection.send_queued();
        }
        self.watch(client);
        self.close_if_finished(client);
    }

    /// Tells the kernel what to watch this client for, if that has changed. Level-triggered epoll
    /// reports what is watched and ready at every wait: input that is not to be read yet, or room
    /// that is not needed, would wake us again and again.
    fn watch(&mut self, client: DefaultKey) {
        let Client { connection, interest } = &mut self.clients[client];
        let mut wanted = EpollFlags::empty();
        wanted.set(EpollFlags::EPOLLIN, connection.wants_read());
        wanted.set(EpollFlags::EPOLLOUT, connection.wants_write());
        if wanted != *interest && !connection.is_finished() {
            let fd = connection.as_fd().as_raw_fd();
            info!("descriptor {fd}: EPOLL_CTL_MOD to {}", Flags(wanted));
            match self.epoll.modify(&*connection, &mut EpollEvent::new(wanted, token(client))) {
                Ok(()) => *interest = wanted,
                Err(error) => connection.lose(&error.into()),
            }
        }
    }

    /// Dropping the connection closes its descriptor, and the kernel stops watching. It would not
    /// if the socket had a second descriptor (dup, fork): then EPOLL_CTL_DEL has to come first.
    fn close_if_finished(&mut self, client: DefaultKey) {
        if !self.clients[client].connection.is_open() {
            self.clients.remove(client);
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
