//! The selector: what is registered, over a backend that waits.

use crate::backend::{Backend, DefaultBackend};
use crate::key::{EventMask, SelectorKey};
use crate::keys::Keys;
use crate::waker::Waker;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// Waits for many objects at once, by way of a [`Backend`]. Python's `selectors.BaseSelector`.
///
/// `F` is the type that is registered, and it decides who owns the object. With `TcpStream` the
/// selector is the only owner. With an `Rc`, an `Arc` or a reference the object is shared. With
/// `Rc<dyn AsFd>` objects of different types can be registered. `as_fd` must return the same
/// descriptor every time, and a clone must have the same. `D` is data of the user's, given back
/// with the key.
///
/// Make a selector after fork(2), not before: with epoll parent and child would share one list, and
/// with kqueue the child would have none.
///
/// A selector is `Send` when what is registered is, and its data. It waits in one thread at a time;
/// another can end that wait with a [`Waker`].
pub struct Selector<F, D, B = DefaultBackend> {
    pub(crate) backend: B,
    pub(crate) keys: Keys<F, D>,
    /// What is ready and registered, by number. Between two waits it is kept for its memory.
    pub(crate) ready: Vec<(RawFd, EventMask)>,
    pub(crate) waker: Option<Waker>,
    pub(crate) most: usize,
    /// The last that was reported when there were more than `most`, by number.
    pub(crate) last: RawFd,
    pub(crate) interruptible: bool,
}

impl<F: AsFd, D, B: Backend> Selector<F, D, B> {
    /// A selector with nothing registered.
    ///
    /// ```
    /// # use fd_selectors::{DefaultSelector, PollSelector};
    /// # use std::net::TcpStream;
    /// let selector = DefaultSelector::<TcpStream, u32>::new()?;
    /// let on_poll = PollSelector::<TcpStream, u32>::new()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What the system refuses: no descriptor is free for its own use (EMFILE, ENFILE).
    pub fn new() -> io::Result<Self> {
        B::new().map(Self::with_backend)
    }

    /// Registers an object: from now on it is waited for. Python's `register(fileobj, events,
    /// data=None)`.
    ///
    /// The selector takes the object, or a share of it, so it stays open while it is registered.
    ///
    /// ```
    /// # use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
    /// # use std::os::unix::net::UnixStream;
    /// # let (a, b) = UnixStream::pair()?;
    /// let mut selector = DefaultSelector::new()?;
    /// let key = selector.register(a, EVENT_READ, "the data")?;
    /// println!("descriptor {} is registered for {}", key.fd, key.events);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// To use it by other ways than the selector meanwhile, share it (`Rc`, `Arc`, a reference).
    ///
    /// ```compile_fail,E0382
    /// # use fd_selectors::{DefaultSelector, EVENT_READ};
    /// # let mut selector = DefaultSelector::new()?;
    /// # let (socket, _other) = std::os::unix::net::UnixStream::pair()?;
    /// selector.register(socket, EVENT_READ, ())?;
    /// drop(socket); // Python can close it here. The file opened next gets its events.
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
        fileobj: F,
        events: EventMask,
        data: D,
    ) -> io::Result<&SelectorKey<F, D>> {
        check(events)?;
        let fd = fileobj.as_fd().as_raw_fd();
        if self.keys.contains(fd) {
            let why = format!("descriptor {fd} is already registered");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        self.backend.add(fileobj.as_fd(), events)?;
        Ok(self.keys.insert(SelectorKey { fileobj, fd, events, data }))
    }

    /// Takes an object out: it is waited for no more. Python's `unregister(fileobj)`. The object,
    /// its key or its number says which.
    ///
    /// The selector gives up its share of the object and returns it in the key. If nobody else has
    /// a share, dropping the key closes the descriptor. Unregistering takes the same time however
    /// many are registered.
    ///
    /// A batch that [`select`](Self::select) returned before still has its clone of the key, so the
    /// loop over that batch will come to an object that was unregistered meanwhile. If that
    /// matters, ask the map ([`get_map`](Self::get_map)) first.
    ///
    /// ```
    /// # use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
    /// # use std::os::unix::net::UnixStream;
    /// # let (a, b) = UnixStream::pair()?;
    /// let mut selector = DefaultSelector::new()?;
    /// let fd = selector.register(a, EVENT_READ, "the data")?.fd;
    /// let key = selector.unregister(&fd)?;
    /// let a: UnixStream = key.fileobj; // Here it is again.
    /// assert!(selector.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound`: it is not registered (Python: KeyError). What the system says is ignored, as in
    /// Python: the key is out in any case, and the descriptor may have been closed by other means.
    pub fn unregister(&mut self, fd: &(impl AsRawFd + ?Sized)) -> io::Result<SelectorKey<F, D>> {
        let fd = fd.as_raw_fd();
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
    /// ```
    /// # use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
    /// # use std::os::unix::net::UnixStream;
    /// # let (a, b) = UnixStream::pair()?;
    /// let mut selector = DefaultSelector::new()?;
    /// let fd = selector.register(a, EVENT_READ, "to be read from")?.fd;
    /// let key = selector.modify(&fd, EVENT_READ | EVENT_WRITE, "to be answered")?;
    /// assert_eq!(key.data, "to be answered");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidInput` and `NotFound` as in [`register`](Self::register) and
    /// [`unregister`](Self::unregister). After an error the registration is what it was before.
    /// (Python forgets it.)
    pub fn modify(
        &mut self,
        fd: &(impl AsRawFd + ?Sized),
        events: EventMask,
        data: D,
    ) -> io::Result<&SelectorKey<F, D>> {
        let key = self.change(fd.as_raw_fd(), events)?;
        key.data = data;
        Ok(key)
    }

    /// As [`modify`](Self::modify), and leaves the data as it is.
    ///
    /// ```
    /// # use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
    /// # use std::os::unix::net::UnixStream;
    /// # let (a, b) = UnixStream::pair()?;
    /// let mut selector = DefaultSelector::new()?;
    /// let fd = selector.register(a, EVENT_READ, "the data")?.fd;
    /// let key = selector.modify_events(&fd, EVENT_WRITE)?;
    /// assert_eq!((key.events, key.data), (EVENT_WRITE, "the data"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`modify`](Self::modify).
    pub fn modify_events(
        &mut self,
        fd: &(impl AsRawFd + ?Sized),
        events: EventMask,
    ) -> io::Result<&SelectorKey<F, D>> {
        self.change(fd.as_raw_fd(), events).map(|key| &*key)
    }

    fn change(&mut self, fd: RawFd, events: EventMask) -> io::Result<&mut SelectorKey<F, D>> {
        check(events)?;
        let key = self.keys.get_mut(fd).ok_or_else(|| unknown(fd))?;
        if key.events != events {
            self.backend.modify(key.fileobj.as_fd(), key.events, events)?;
            key.events = events;
        }
        Ok(key)
    }

    /// A [`Waker`], which ends this selector's [`select`](Self::select) from any thread. Every call
    /// returns a handle to the same one. It costs a descriptor where there are eventfds, none with
    /// kqueue on most systems, and otherwise two, for a pipe.
    ///
    /// ```
    /// # use fd_selectors::DefaultSelector;
    /// # use std::net::TcpStream;
    /// let mut selector = DefaultSelector::<TcpStream, ()>::new()?;
    /// let waker = selector.waker()?;
    /// std::thread::spawn(move || waker.wake());
    /// selector.select_ready(None, &mut Vec::new())?; // Nothing is registered, and it returns.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new). With select(2) also `InvalidInput`, when its number is too high.
    pub fn waker(&mut self) -> io::Result<Waker> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let waker = Waker::new(self.backend.wake_event()?);
        Ok(self.waker.insert(waker).clone())
    }
}

impl<F, D, B> Selector<F, D, B> {
    /// A selector on this backend, with nothing registered. The backend has to be new.
    ///
    /// ```
    /// use fd_selectors::{Backend, PollBackend, Selector};
    /// use std::net::TcpStream;
    ///
    /// let selector = Selector::<TcpStream, (), _>::with_backend(PollBackend::new()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn with_backend(backend: B) -> Self {
        let (keys, ready, waker) = (Keys::default(), Vec::new(), None);
        let (most, last, interruptible) = (usize::MAX, -1, false);
        Self { backend, keys, ready, waker, most, last, interruptible }
    }

    /// What it waits with.
    ///
    /// ```
    /// use fd_selectors::{Backend, DefaultSelector};
    ///
    /// let selector = DefaultSelector::<std::net::TcpStream, ()>::new()?;
    /// println!("waiting with {}", selector.backend().name()); // On Linux: epoll.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Sets whether a signal ends a wait. By default it does not. If it does, `select` fails with
    /// `Interrupted`, as the system calls do: for programs whose signal handlers set a flag.
    ///
    /// A signal that comes just before the wait does not end it. If you must not miss it,
    /// block it and use a descriptor instead (signalfd, or a pipe that the handler writes to).
    ///
    /// ```
    /// use fd_selectors::DefaultSelector;
    /// use std::io::ErrorKind;
    /// use std::time::Duration;
    /// # use std::sync::atomic::{AtomicBool, Ordering};
    /// # static STOP: AtomicBool = AtomicBool::new(true); // Set by a signal handler.
    ///
    /// let mut selector = DefaultSelector::<std::net::TcpStream, ()>::new()?;
    /// selector.set_interruptible(true);
    /// let mut batch = Vec::new();
    /// loop {
    ///     match selector.select_ready(Some(Duration::from_millis(1)), &mut batch) {
    ///         Err(error) if error.kind() == ErrorKind::Interrupted => {}
    ///         result => result?,
    ///     }
    ///     if STOP.load(Ordering::Relaxed) {
    ///         break;
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_interruptible(&mut self, interruptible: bool) {
        self.interruptible = interruptible;
    }

    /// Limits how many keys one [`select`](Self::select) returns. By default there is no limit: it
    /// returns all that are ready.
    ///
    /// With a limit a loop comes round sooner to what it does between two waits. Those that are
    /// left out get their turn, before those that were reported get another. A wake may count as
    /// one of them: then the result is empty although something is ready.
    ///
    /// ```
    /// # use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
    /// # use std::os::unix::net::UnixStream;
    /// # let (a, b) = UnixStream::pair()?;
    /// use std::num::NonZeroUsize;
    ///
    /// let mut selector = DefaultSelector::new()?;
    /// selector.set_batch_limit(NonZeroUsize::MIN);
    /// selector.register(a, EVENT_WRITE, ())?;
    /// selector.register(b, EVENT_WRITE, ())?;
    /// let mut batch = Vec::new();
    /// selector.select_ready(None, &mut batch)?;
    /// assert_eq!(batch.len(), 1); // The other's turn is next.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_batch_limit(&mut self, most: NonZeroUsize) {
        self.most = most.get();
    }

    /// Closes the selector, and what is registered unless somebody else has a share of it. Python's
    /// `close()`; going out of scope does the same.
    ///
    /// ```compile_fail,E0382
    /// # use fd_selectors::DefaultSelector;
    /// # let mut selector = DefaultSelector::<std::rc::Rc<std::net::TcpStream>, ()>::new()?;
    /// selector.close();
    /// selector.select(None)?; // Python raises here. Here it does not compile.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(self) {}
}

/// Where the backend has a descriptor that can be waited for (epoll, kqueue), so has the selector.
/// Python's `fileno()`. To watch one selector with another, register a copy of it
/// (`as_fd().try_clone_to_owned()`). After [`select`](Selector::select) had to start anew, the copy
/// is out of date.
///
/// An event port has a descriptor, too, but between two waits it does not watch what was ready. To
/// those who wait for /dev/poll, poll(4D) answers POLLERR.
impl<F, D, B: AsFd> AsFd for Selector<F, D, B> {
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

pub(crate) fn unknown(fd: RawFd) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("descriptor {fd} is not registered"))
}
