//! The selector: what is registered, over a backend that waits.

use crate::backend::Backend;
use crate::key::{EventMask, Map, SelectorKey};
use crate::keys::Keys;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Waits for many objects at once, by way of a [`Backend`]. Python's `selectors.BaseSelector`.
///
/// `F` is what is registered: a socket, or `dyn AsFd` for objects of different types. `D` is data
/// of the user's, given back with the key.
///
/// A selector belongs to one thread: it is neither `Send` nor `Sync`, and a wait can't be ended
/// from another thread. To do that, register the read end of a pipe or socket pair, and write a
/// byte into the other end.
#[derive(Debug)]
pub struct Selector<B, F: ?Sized, D> {
    backend: B,
    keys: Keys<F, D>,
    /// What the backend reported last, by number. Kept for its memory.
    ready: Vec<(RawFd, EventMask)>,
}

impl<B: Backend, F: AsFd + ?Sized, D: Clone> Selector<B, F, D> {
    /// A selector with nothing registered.
    ///
    /// # Errors
    ///
    /// What the system refuses: no descriptor is free for its own use (EMFILE, ENFILE).
    pub fn new() -> io::Result<Self> {
        Ok(Self { backend: B::new()?, keys: Keys::default(), ready: Vec::new() })
    }

    /// Registers an object: from now on it is waited for. Python's `register(fileobj, events,
    /// data=None)`.
    ///
    /// The selector takes the object, or a share of it (an `Rc`), so it stays open while it is
    /// registered.
    ///
    /// ```compile_fail
    /// # use selectors::{DefaultSelector, EVENT_READ};
    /// # let mut selector = DefaultSelector::new()?;
    /// # let (socket, _other) = std::os::unix::net::UnixStream::pair()?;
    /// selector.register(socket, EVENT_READ, ())?;
    /// drop(socket); // Python can close it here. Whoever opens a file next gets its events.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// After an error the selector drops the object. If it was handed over and not shared, that
    /// closes it: a server that wants to tell the client why has to keep an `Rc` of it.
    ///
    /// A regular file is always ready with select and poll. kqueue calls it readable until its end,
    /// and not there. epoll refuses it.
    ///
    /// # Errors
    ///
    /// - `InvalidInput`: the mask is empty or has unknown bits (Python: ValueError), or the number
    ///   is too high for select(2);
    /// - `AlreadyExists`: it is registered (KeyError);
    /// - `PermissionDenied`: epoll does not take regular files (PermissionError);
    /// - others as the system says: `StorageFull` (ENOSPC, max_user_watches), `OutOfMemory`.
    pub fn register(
        &mut self,
        fileobj: impl Into<Rc<F>>,
        events: EventMask,
        data: D,
    ) -> io::Result<SelectorKey<F, D>> {
        let fileobj = fileobj.into();
        check(events)?;
        let fd = fileobj.as_fd().as_raw_fd();
        if self.keys.contains(fd) {
            let why = format!("descriptor {fd} is already registered");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        let key = SelectorKey { fileobj, fd, events, data };
        // Before the backend is told: to clone the data is the user's code, and may panic.
        let ours = key.clone();
        self.backend.add(key.fileobj.as_fd(), events)?;
        self.keys.insert(ours);
        Ok(key)
    }

    /// Takes an object out: it is waited for no more. Python's `unregister(fileobj)`.
    ///
    /// The key that is returned is the last share of the object that the selector had. It takes the
    /// same time however many are registered.
    ///
    /// A batch that [`select`](Self::select) returned before still has its clone of the key, so the
    /// loop over that batch will come to an object that was unregistered meanwhile. If that
    /// matters, ask the map ([`get_map`](Self::get_map)) first.
    ///
    /// # Errors
    ///
    /// `NotFound`: it is not registered (Python: KeyError). What the system says is ignored, as in
    /// Python: the key is out in any case, and the descriptor may have been closed by other means.
    pub fn unregister(&mut self, fileobj: &(impl AsFd + ?Sized)) -> io::Result<SelectorKey<F, D>> {
        let fd = fileobj.as_fd().as_raw_fd();
        let key = self.keys.remove(fd).ok_or_else(|| unknown(fd))?;
        // The kernel would forget a closed descriptor by itself, but this one may stay open: others
        // may have shares of it.
        let _ = self.backend.remove(key.fileobj.as_fd(), key.events);
        Ok(key)
    }

    /// Changes what an object is registered for, and its data. Python's `modify(fileobj, events,
    /// data=None)`.
    ///
    /// The kernel is told only if `events` differ from before.
    ///
    /// # Errors
    ///
    /// `InvalidInput` and `NotFound` as in [`register`](Self::register) and
    /// [`unregister`](Self::unregister). After an error the registration is what it was before.
    /// (Python forgets it.)
    pub fn modify(
        &mut self,
        fileobj: &(impl AsFd + ?Sized),
        events: EventMask,
        data: D,
    ) -> io::Result<SelectorKey<F, D>> {
        check(events)?;
        let fd = fileobj.as_fd().as_raw_fd();
        let key = self.keys.get_mut(fd).ok_or_else(|| unknown(fd))?;
        if key.events != events {
            self.backend.modify(key.fileobj.as_fd(), key.events, events)?;
            key.events = events;
        }
        key.data = data;
        Ok(key.clone())
    }

    /// The key of an object. Python's `get_key(fileobj)`.
    ///
    /// # Errors
    ///
    /// `NotFound`: it is not registered (Python: KeyError).
    pub fn get_key(&self, fileobj: &(impl AsFd + ?Sized)) -> io::Result<&SelectorKey<F, D>> {
        let fd = fileobj.as_fd().as_raw_fd();
        self.keys.get(fd).ok_or_else(|| unknown(fd))
    }

    /// All that is registered. Python's `get_map()`.
    #[must_use]
    pub fn get_map(&self) -> Map<'_, F, D> {
        Map(&self.keys)
    }

    /// Waits until something is ready, and returns it with what it is ready for. Python's
    /// `select(timeout=None)`.
    ///
    /// `None` waits for as long as it takes; zero looks once; any other time-out is rounded up to
    /// what the system counts in, never down.
    ///
    /// A signal never ends the wait (EINTR): the selector waits on, for what is left of the
    /// time-out. A signal handler that only sets a flag is therefore not seen until something is
    /// ready. Python calls its handlers in between, and ends the wait when one of them raises; here
    /// let the handler write into a pipe, and register the other end.
    ///
    /// What a key is ready for is among what it is registered for. A hang-up or an error makes it
    /// ready for all of that with poll, epoll and /dev/poll, so a callback for `EVENT_WRITE` may be
    /// called when there is no room: its send tells the error. select(2) has no word for a hang-up
    /// and shows it only where recv or send would return at once. So a descriptor registered for
    /// `EVENT_WRITE` alone may stay silent there.
    ///
    /// The keys are clones. To change the `data` of one (`key.data.push(1)`) changes the clone
    /// only: use [`modify`](Self::modify), or data that is shared (`Rc<RefCell<…>>`).
    ///
    /// The result is an allocation; [`select_into`](Self::select_into) does without.
    ///
    /// # Errors
    ///
    /// As the system says (ENOMEM …); none is expected. If the system reports a descriptor that is
    /// not registered, the selector replaces its backend, so its own descriptor
    /// ([`as_fd`](AsFd::as_fd)) is another one afterwards; that can fail as [`new`](Self::new)
    /// does.
    pub fn select(
        &mut self,
        timeout: Option<Duration>,
    ) -> io::Result<Vec<(SelectorKey<F, D>, EventMask)>> {
        let mut batch = Vec::new();
        self.select_into(timeout, &mut batch)?;
        Ok(batch)
    }

    /// As [`select`](Self::select), with the result in a list of the caller's. What was in it is
    /// dropped first; its memory is used again.
    ///
    /// # Errors
    ///
    /// As [`select`](Self::select).
    pub fn select_into(
        &mut self,
        timeout: Option<Duration>,
        batch: &mut Vec<(SelectorKey<F, D>, EventMask)>,
    ) -> io::Result<()> {
        batch.clear();
        // A time-out beyond the end of the clock is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = timeout.filter(|_| deadline.is_some());
        loop {
            self.ready.clear();
            let Self { backend, keys, ready } = self;
            let registered = keys.iter().map(|key| (key.fileobj.as_fd(), key.events));
            match backend.wait(registered, left, ready) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => ready.clear(),
                result => result?,
            }
            batch.reserve(ready.len());
            let mut all_known = true;
            for (fd, events) in ready.drain(..) {
                match keys.get(fd) {
                    Some(key) if key.events.intersects(events) => {
                        batch.push((key.clone(), events & key.events));
                    }
                    Some(_) => {}
                    None => all_known = false,
                }
            }
            if !all_known {
                self.restart()?;
            }
            // Nothing, and there is time left: a signal came, or the system's longest time-out is
            // shorter than ours.
            left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if !batch.is_empty() || left.is_some_and(|left| left.is_zero()) {
                return Ok(());
            }
        }
    }

    /// A new backend, which knows what is registered and nothing else.
    ///
    /// The kernel has reported a descriptor that is not registered, and level-triggered it would do
    /// so for ever. It can happen when a registered descriptor was closed behind the selector's
    /// back while a copy of it (dup, fork) is open: epoll still watches the file, and has no number
    /// any more by which it could be told to stop.
    fn restart(&mut self) -> io::Result<()> {
        let mut backend = B::new()?;
        for key in self.keys.iter() {
            backend.add(key.fileobj.as_fd(), key.events)?;
        }
        self.backend = backend;
        Ok(())
    }

    /// Closes the selector, and what is registered unless somebody else has a share of it. Python's
    /// `close()`; going out of scope does the same.
    ///
    /// ```compile_fail
    /// # use selectors::{DefaultSelector, EVENT_READ};
    /// # let mut selector = DefaultSelector::<std::os::unix::net::UnixStream, ()>::new()?;
    /// selector.close();
    /// selector.select(None)?; // Python raises here. Here it is not even Rust.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(self) {}
}

/// Where the backend has a descriptor that can be waited for (epoll, kqueue), so has the selector:
/// it can be registered with another one. Python's `fileno()`. (/dev/poll has a descriptor, too,
/// but poll(4D) answers POLLERR to those who wait for it.)
impl<B: AsFd, F: ?Sized, D> AsFd for Selector<B, F, D> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.backend.as_fd()
    }
}

fn check(events: EventMask) -> io::Result<()> {
    if events.is_empty() || !EventMask::all().contains(events) {
        let why = format!("{events:?} is not EVENT_READ, EVENT_WRITE or both");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok(())
}

fn unknown(fd: RawFd) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("descriptor {fd} is not registered"))
}
