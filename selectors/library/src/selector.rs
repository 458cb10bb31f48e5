//! The selector: what is registered, over a backend that waits.

use crate::backend::{Backend, DefaultBackend, Registered};
use crate::key::{EventMask, Map, Ready, SelectorKey};
use crate::keys::{Iter, Keys};
use crate::waker::Waker;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

/// Waits for many objects at once, by way of a [`Backend`]. Python's `selectors.BaseSelector`.
///
/// `F` is what is registered, and how it is owned. A socket itself: then it is the selector's alone.
/// An `Rc`, an `Arc` or a reference: then it is shared. `Rc<dyn AsFd>`: objects of different types.
/// Its descriptor must always be the same. `D` is data of the user's, given back with the key.
///
/// A selector is `Send` when what is registered is, and its data. It waits in one thread at a time;
/// another can end that wait with a [`Waker`].
pub struct Selector<F, D, B = DefaultBackend> {
    backend: B,
    keys: Keys<F, D>,
    /// What is ready and registered, by number. Between two waits it is kept for its memory.
    ready: Vec<(RawFd, EventMask)>,
    waker: Option<Waker>,
    most: usize,
    /// Which key was the last that was reported when there were more than `most`.
    last: usize,
    interruptible: bool,
}

impl<F: AsFd, D, B: Backend> Selector<F, D, B> {
    /// A selector with nothing registered.
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
    /// ```compile_fail,E0382
    /// # use fd_selectors::{DefaultSelector, EVENT_READ};
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

    /// Waits until something is ready, and returns it with what it is ready for. Python's
    /// `select(timeout=None)`.
    ///
    /// `None` waits for as long as it takes; zero looks once; any other time-out is rounded up to
    /// what the system counts in, never down. A [`Waker`] ends the wait, with nothing in the result
    /// if nothing is ready.
    ///
    /// A signal does not end the wait (EINTR): the selector waits on, for what is left of the
    /// time-out. A signal handler that only sets a flag is therefore not seen until something is
    /// ready. Let the handler write into a pipe, and register the other end, or see
    /// [`set_interruptible`](Self::set_interruptible).
    ///
    /// What a key is ready for is among what it is registered for. A hang-up or an error makes it
    /// ready for all of that with poll, epoll and /dev/poll, so a callback for `EVENT_WRITE` may be
    /// called when there is no room: its send tells the error. select(2) has no word for a hang-up
    /// and shows it only where recv or send would return at once. So a descriptor registered for
    /// `EVENT_WRITE` alone may stay silent there.
    ///
    /// The keys are clones, so that whoever handles one may unregister any. To change the `data` of
    /// one (`key.data.push(1)`) changes the clone only: use [`modify`](Self::modify),
    /// [`data_mut`](Self::data_mut), or data that is shared (`Rc<RefCell<…>>`). What can't be
    /// cloned, neither object nor data, is for [`select_ready`](Self::select_ready).
    ///
    /// The result is an allocation; [`select_into`](Self::select_into) does without.
    ///
    /// # Errors
    ///
    /// As the system says (ENOMEM …); none is expected. If the system reports a descriptor that is
    /// not registered, the selector starts anew with what is, so its own descriptor
    /// ([`as_fd`](AsFd::as_fd)) may be another one afterwards; that can fail as [`new`](Self::new)
    /// does.
    pub fn select(
        &mut self,
        timeout: Option<Duration>,
    ) -> io::Result<Vec<(SelectorKey<F, D>, EventMask)>>
    where
        F: Clone,
        D: Clone,
    {
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
    ) -> io::Result<()>
    where
        F: Clone,
        D: Clone,
    {
        batch.clear();
        self.wait(timeout)?;
        let Self { keys, ready, .. } = self;
        batch.extend(ready.iter().map(|&(fd, events)| {
            (keys.get(fd).expect("the wait has asked for each").clone(), events)
        }));
        Ok(())
    }

    /// As [`select_into`](Self::select_into), without a clone of anything: neither objects nor data
    /// need be `Clone`. Each of the batch is handed to [`resolve`](Self::resolve) when it is its
    /// turn.
    ///
    /// Data that is a function which changes what it has:
    ///
    /// ```
    /// use fd_selectors::{DefaultSelector, EVENT_READ};
    /// use std::io::{Read, Write};
    /// use std::os::unix::net::UnixStream;
    ///
    /// let mut selector = DefaultSelector::<UnixStream, Box<dyn FnMut(&UnixStream) + Send>>::new()?;
    /// let (a, mut b) = UnixStream::pair()?;
    /// b.write_all(b"hello")?;
    /// let mut heard = 0;
    /// # let (sender, receiver) = std::sync::mpsc::channel();
    /// selector.register(a, EVENT_READ, Box::new(move |mut socket| {
    ///     heard += socket.read(&mut [0; 100]).unwrap_or(0);
    ///     # sender.send(heard).unwrap();
    /// }))?;
    ///
    /// let mut batch = Vec::new();
    /// selector.select_ready(None, &mut batch)?;
    /// for ready in batch.drain(..) {
    ///     // `None`: it was unregistered by one that came before it.
    ///     if let Some((socket, handle)) = selector.resolve(&ready) {
    ///         handle(socket);
    ///     }
    /// }
    /// # assert_eq!(receiver.recv().unwrap(), 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`select`](Self::select).
    pub fn select_ready(
        &mut self,
        timeout: Option<Duration>,
        batch: &mut Vec<Ready>,
    ) -> io::Result<()> {
        batch.clear();
        self.wait(timeout)?;
        let Self { keys, ready, .. } = self;
        batch.extend(ready.iter().map(|&(fd, events)| {
            let serial = keys.serial(fd).expect("the wait has asked for each");
            Ready { fd, events, serial }
        }));
        Ok(())
    }

    /// The object of one that is ready, and its data to be used and changed. `None` if it was
    /// unregistered meanwhile, also if another has its number now.
    pub fn resolve(&mut self, ready: &Ready) -> Option<(&F, &mut D)> {
        if self.keys.serial(ready.fd) != Some(ready.serial) {
            return None;
        }
        let SelectorKey { fileobj, data, .. } = self.keys.get_mut(ready.fd)?;
        Some((fileobj, data))
    }

    /// Waits, and leaves in `ready` those that are registered and ready for what they are
    /// registered for.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // A time-out beyond the end of the clock is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = timeout.filter(|_| deadline.is_some());
        loop {
            self.ready.clear();
            let Self { backend, keys, ready, waker, .. } = self;
            let registered = Everything { keys, waker: waker.as_ref() };
            match backend.wait(&registered, left, self.most, ready) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    ready.clear();
                    if self.interruptible {
                        return Err(error);
                    }
                }
                result => result?,
            }
            let wake = waker.as_ref().map(|waker| waker.event().number());
            let (mut woken, mut unknown) = (false, false);
            ready.retain_mut(|(fd, events)| match keys.get(*fd) {
                Some(key) => {
                    *events &= key.events;
                    !events.is_empty()
                }
                None if Some(*fd) == wake => {
                    woken = true;
                    false
                }
                None => {
                    unknown = true;
                    false
                }
            });
            // It may be reported once more than it was set off.
            woken = woken && waker.as_ref().is_some_and(Waker::take);
            if unknown {
                // Level-triggered it would be reported for ever.
                backend.restart(&registered)?;
            }
            self.cut();
            // Nothing, and there is time left: a signal came, or the system's longest time-out is
            // shorter than ours.
            if woken || !self.ready.is_empty() {
                return Ok(());
            }
            left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(());
            }
        }
    }

    /// Of more than `most`, those come first whose turn it is: the ones behind the last that was
    /// reported. Only select and poll have more, and theirs are in the order of registration.
    fn cut(&mut self) {
        let Self { keys, ready, most, last, .. } = self;
        if ready.len() > *most {
            let place = |fd| keys.place(fd).unwrap_or(0);
            let first = ready.iter().position(|&(fd, _)| place(fd) > *last).unwrap_or(0);
            ready.rotate_left(first);
            ready.truncate(*most);
            *last = ready.last().map_or(0, |&(fd, _)| place(fd));
        }
    }

    /// What ends a [`select`](Self::select) of this selector from any thread. All that are asked
    /// for are the same one. It costs a descriptor, except with kqueue.
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
    pub fn with_backend(backend: B) -> Self {
        let (keys, ready, waker) = (Keys::default(), Vec::new(), None);
        let (most, last, interruptible) = (usize::MAX, 0, false);
        Self { backend, keys, ready, waker, most, last, interruptible }
    }

    /// What it waits with.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The key of an object, or of a descriptor by its number. Python's `get_key(fileobj)`.
    ///
    /// # Errors
    ///
    /// `NotFound`: it is not registered (Python: KeyError).
    pub fn get_key(&self, fd: &(impl AsRawFd + ?Sized)) -> io::Result<&SelectorKey<F, D>> {
        let fd = fd.as_raw_fd();
        self.keys.get(fd).ok_or_else(|| unknown(fd))
    }

    /// The data of an object, to be changed.
    ///
    /// # Errors
    ///
    /// As [`get_key`](Self::get_key).
    pub fn data_mut(&mut self, fd: &(impl AsRawFd + ?Sized)) -> io::Result<&mut D> {
        let fd = fd.as_raw_fd();
        self.keys.get_mut(fd).map(|key| &mut key.data).ok_or_else(|| unknown(fd))
    }

    /// All that is registered. Python's `get_map()`.
    #[must_use]
    pub fn get_map(&self) -> Map<'_, F, D> {
        Map(&self.keys)
    }

    /// How many objects are registered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Nothing is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All keys, in the order of registration.
    pub fn iter(&self) -> Iter<'_, F, D> {
        self.keys.iter()
    }

    /// Whether a signal ends a wait. At first it does not. If it does, `select` fails with
    /// `Interrupted`, as the system calls do: for programs whose signal handlers set a flag.
    ///
    /// A signal that comes just before the wait does not end it. Who must not miss one blocks it
    /// and uses a descriptor instead (signalfd, or a pipe that the handler writes to).
    pub fn set_interruptible(&mut self, interruptible: bool) {
        self.interruptible = interruptible;
    }

    /// How many one [`select`](Self::select) returns at most. At first there is no bound: it
    /// returns all that are ready.
    ///
    /// With a bound a loop comes round sooner to what it does between two waits. Those that are
    /// left out come first the next time, so all get their turn.
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
    /// selector.select(None)?; // Python raises here. Here it is not even Rust.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(self) {}
}

impl<'a, F, D, B> IntoIterator for &'a Selector<F, D, B> {
    type Item = &'a SelectorKey<F, D>;
    type IntoIter = Iter<'a, F, D>;

    fn into_iter(self) -> Iter<'a, F, D> {
        self.iter()
    }
}

/// What is registered, by its numbers: neither objects nor data need be `Debug`.
impl<F, D, B: fmt::Debug> fmt::Debug for Selector<F, D, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.iter().map(|key| (key.fd, key.events));
        f.debug_struct("Selector")
            .field("backend", &self.backend)
            .field("registered", &keys.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Where the backend has a descriptor that can be waited for (epoll, kqueue), so has the selector:
/// it can be registered with another one. Python's `fileno()`. (/dev/poll has a descriptor, too,
/// but poll(4D) answers POLLERR to those who wait for it.)
impl<F, D, B: AsFd> AsFd for Selector<F, D, B> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.backend.as_fd()
    }
}

/// What is registered, and what wakes.
struct Everything<'a, F, D> {
    keys: &'a Keys<F, D>,
    waker: Option<&'a Waker>,
}

impl<F: AsFd, D> Registered for Everything<'_, F, D> {
    fn count(&self) -> usize {
        self.keys.len() + usize::from(self.waker.is_some())
    }

    fn for_each<'a>(&'a self, visit: &mut dyn FnMut(BorrowedFd<'a>, EventMask)) {
        if let Some(fd) = self.waker.and_then(|waker| waker.event().as_descriptor()) {
            visit(fd, EventMask::EVENT_READ);
        }
        for key in self.keys.iter() {
            visit(key.fileobj.as_fd(), key.events);
        }
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
