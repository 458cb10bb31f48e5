//! Waiting: who is ready, and how that is handed out.

use crate::backend::{Backend, Registered};
use crate::key::{EventMask, Ready, SelectorKey};
use crate::keys::Keys;
use crate::selector::Selector;
use crate::waker::Waker;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

impl<F: AsFd, D, B: Backend> Selector<F, D, B> {
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
    /// Only events that a key is registered for are reported. A hang-up or an error makes it
    /// ready for all of that with poll, epoll, event ports and /dev/poll, so a callback for
    /// `EVENT_WRITE` may be called when there is no room: its send tells the error. select(2) has
    /// no word for a hang-up and shows it only where recv or send would return at once. So a
    /// descriptor registered for `EVENT_WRITE` alone may stay silent there.
    ///
    /// The keys are clones, so that a handler of one may unregister any. To change the `data` of
    /// one (`key.data.push(1)`) changes the clone only: use [`modify`](Self::modify),
    /// [`data_mut`](Self::data_mut), or data that is shared (`Rc<RefCell<…>>`). What can't be
    /// cloned, neither object nor data, is for [`select_ready`](Self::select_ready).
    ///
    /// The result is an allocation; [`select_into`](Self::select_into) does without.
    ///
    /// ```
    /// # use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
    /// # use std::os::unix::net::UnixStream;
    /// # let (a, b) = UnixStream::pair()?;
    /// use std::rc::Rc;
    /// use std::time::Duration;
    ///
    /// let mut selector = DefaultSelector::new()?;
    /// selector.register(Rc::new(a), EVENT_READ | EVENT_WRITE, "a")?;
    /// for (key, events) in selector.select(Some(Duration::from_secs(1)))? {
    ///     assert_eq!((key.data, events), ("a", EVENT_WRITE));
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
    /// ```
    /// # use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
    /// # use std::os::unix::net::UnixStream;
    /// # let (a, b) = UnixStream::pair()?;
    /// use std::io::Write;
    /// use std::rc::Rc;
    ///
    /// let mut selector = DefaultSelector::new()?;
    /// selector.register(Rc::new(a), EVENT_WRITE, "a")?;
    /// let mut batch = Vec::new();
    /// for _ in 0..3 {
    ///     selector.select_into(None, &mut batch)?;
    ///     for (key, _) in batch.drain(..) {
    ///         (&*key.fileobj).write_all(b"there is room")?;
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
    /// need be `Clone`. Pass each entry of the batch to [`resolve`](Self::resolve) when you handle
    /// it.
    ///
    /// For example, the data can be a closure with state of its own:
    ///
    /// ```
    /// use fd_selectors::{DefaultSelector, EVENT_READ};
    /// use std::io::{Read, Write};
    /// use std::os::unix::net::UnixStream;
    ///
    /// type Handler = Box<dyn FnMut(&UnixStream) + Send>;
    /// let mut selector = DefaultSelector::<UnixStream, Handler>::new()?;
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
    ///     // `None`: an earlier handler of this batch has unregistered it.
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
    ///
    /// The object comes as `&F`, so that you cannot replace it by another. Sockets and `File`s can
    /// be read and written through `&`. A type that needs `&mut` to be read, such as `ChildStdout`,
    /// has to be registered as a `File`: `File::from(OwnedFd::from(stdout))`.
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
                // Level-triggered it would be reported for ever. An error must not hide who is
                // ready: then it can wait, for the unknown one is reported again.
                let restarted = backend.restart(&registered);
                if ready.is_empty() && !woken {
                    restarted?;
                }
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

    /// Of more than `most`, those come first whose turn it is, round and round by number: the ones
    /// behind the last that was reported. Not in the order of registration, or those who come and
    /// go would always be before those who stay. Only backends that report all have more.
    fn cut(&mut self) {
        let Self { ready, most, last, .. } = self;
        if ready.len() > *most {
            ready.sort_unstable_by_key(|&(fd, _)| fd);
            let first = ready.partition_point(|&(fd, _)| fd <= *last);
            ready.rotate_left(first);
            ready.truncate(*most);
            *last = ready.last().map_or(0, |&(fd, _)| fd);
        }
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
            // An object whose descriptor has changed is not the one that was registered.
            let fd = key.fileobj.as_fd();
            if fd.as_raw_fd() == key.fd {
                visit(fd, key.events);
            }
        }
    }
}
