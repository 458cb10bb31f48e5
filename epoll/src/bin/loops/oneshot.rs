//! One epoll for all threads: whichever is free takes the next event.
//!
//! No thread can be busy while others sleep. But a client is not tied to one thread any more. While
//! a thread works on a client, more bytes of that client may come, and epoll would report them to a
//! second thread. `EPOLLONESHOT` prevents this: a descriptor that was reported is not watched any
//! more, until EPOLL_CTL_MOD says so again. The thread says it when it is done with the client.

use super::{Args, BROKEN, Thread, events_of};
use common::{Connection, Listener, Reply};
use epoll::{Batch, Epoll, EpollEvent, EpollFlags, Flags, key, token};
use log::info;
use nix::errno::Errno;
use slotmap::{DefaultKey, Key, SlotMap};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What all threads have in common.
///
/// The table is locked to find, add or remove a client. Each client, and the listener, has a lock
/// of its own, which is held while a thread works on it. Rust asks for these. EPOLLONESHOT makes
/// them nearly free: a second thread is told of the client only when the first has called
/// EPOLL_CTL_MOD, its last step before it lets go of the lock.
struct Shared {
    listener: Mutex<Listener>,
    epoll: Epoll,
    clients: Mutex<SlotMap<DefaultKey, Arc<Mutex<Connection>>>>,
    reply: Reply,
}

/// The threads, all alike.
pub fn threads(listener: &Listener, args: &Args) -> io::Result<Vec<Thread>> {
    listener.set_nonblocking(true)?;
    let listener = listener.share()?;
    let epoll = epoll::create()?;
    let event = EpollEvent::new(once(EpollFlags::EPOLLIN), token(DefaultKey::null()));
    epoll.add(&listener, event)?;
    let (listener, clients) = (Mutex::new(listener), Mutex::default());
    let shared = Arc::new(Shared { listener, epoll, clients, reply: args.reply });
    let thread = |number| -> Thread {
        let (shared, buffer) = (Arc::clone(&shared), args.server.buffer());
        (format!("thread {number}"), Box::new(move || shared.run(buffer)))
    };
    Ok((1..=args.loops).map(thread).collect())
}

/// Report this once, and then not until it is asked for again.
fn once(interest: EpollFlags) -> EpollFlags {
    interest | EpollFlags::EPOLLONESHOT
}

impl Shared {
    /// What each thread does. It takes one event at a time, and leaves the others to other threads.
    fn run(&self, mut buffer: Vec<u8>) -> io::Result<()> {
        let mut batch = [EpollEvent::empty()];
        loop {
            info!("waiting for the next event");
            match self.epoll.wait(&mut batch, epoll::timeout(None)) {
                // No event: a signal came first, even SIGSTOP and SIGCONT. (0 would be a time-out.)
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            info!("ready: {}", Batch(&batch, |client| self.number(client)));
            match key(&batch[0]) {
                client if client.is_null() => self.accept()?,
                client => self.handle(client, batch[0].events(), &mut buffer),
            }
        }
    }

    /// One new client; then the listener is watched again.
    fn accept(&self) -> io::Result<()> {
        let listener = lock(&self.listener);
        if let Some(connection) = listener.admit() {
            let connection = Arc::new(Mutex::new(connection));
            let client = lock(&self.clients).insert(Arc::clone(&connection));
            let mut connection = lock(&connection);
            let event = EpollEvent::new(once(EpollFlags::EPOLLIN), token(client));
            if let Err(error) = self.epoll.add(&*connection, event) {
                connection.lose(&error.into());
                self.close_if_finished(client, &connection);
            }
        }
        let interest = once(EpollFlags::EPOLLIN);
        let event = &mut EpollEvent::new(interest, token(DefaultKey::null()));
        Ok(self.epoll.modify(&*listener, event)?)
    }

    fn handle(&self, client: DefaultKey, flags: EpollFlags, buffer: &mut [u8]) {
        let Some(connection) = lock(&self.clients).get(client).cloned() else { return };
        let mut connection = lock(&connection);
        let try_at_once = !connection.wants_write();
        if flags.intersects(EpollFlags::EPOLLIN | BROKEN) && connection.wants_read() {
            connection.receive(buffer, self.reply);
        }
        if flags.intersects(EpollFlags::EPOLLOUT | BROKEN) || try_at_once {
            connection.send_queued();
        }
        self.watch_again(client, &mut connection);
        self.close_if_finished(client, &connection);
    }

    /// From here on another thread may be told of this client. What has come in the meantime is
    /// reported at once.
    fn watch_again(&self, client: DefaultKey, connection: &mut Connection) {
        if connection.is_finished() {
            return;
        }
        let wanted = events_of(connection);
        info!("descriptor {}: EPOLL_CTL_MOD to {}", connection.as_fd().as_raw_fd(), Flags(wanted));
        let event = &mut EpollEvent::new(once(wanted), token(client));
        if let Err(error) = self.epoll.modify(&*connection, event) {
            connection.lose(&error.into());
        }
    }

    /// Removing the connection from the table drops it, which closes its descriptor.
    fn close_if_finished(&self, client: DefaultKey, connection: &Connection) {
        if !connection.is_open() {
            lock(&self.clients).remove(client);
        }
    }

    /// A descriptor for the narration: the listener's, or a client's while that is there.
    fn number(&self, client: DefaultKey) -> Option<RawFd> {
        if client.is_null() {
            return Some(lock(&self.listener).as_fd().as_raw_fd());
        }
        let connection = lock(&self.clients).get(client).cloned()?;
        let number = lock(&connection).as_fd().as_raw_fd();
        Some(number)
    }
}

/// A lock is poisoned when a thread panicked while it held it. No thread here does.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
