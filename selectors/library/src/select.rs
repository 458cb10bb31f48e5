//! Waiting: who is ready, and how that is handed out.

use crate::backend::{Backend, Registered};
use crate::key::{EventMask, Ready, SelectorKey};
use crate::keys::Keys;
use crate::selector::Selector;
use crate::waker::Waker;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
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
    /// What a key is ready for is among what it is registered for. A hang-up or an error makes it
    /// ready for all of that with poll, epoll, event ports and /dev/poll, so a callback for
    /// `EVENT_WRITE` may be called when there is no room: its send tells the error. select(2) has
    /// no word for a hang-up and shows it only where recv or send would return at once. So a
    /// descriptor registered for `EVENT_WRITE` alone may stay silent there.
    ///
    /// The keys are clones, so that whoever handles one may unregister any. To change the `data` of
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
    ///
    /// The object comes as `&F`, so that no other can be put in its place. A socket and a `File`
    /// can be read and written by that. What can be read with `&mut` only, as the `ChildStdout` of
    /// a process, is registered as a `File`: `File::from(OwnedFd::from(stdout))`.
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
    /// reported. Only backends that report all have more.
    fn cut(&mut self) {
        let Self { keys, ready, most, last, .. } = self;
        if ready.len() > *most {
            let place = |fd| keys.place(fd).unwrap_or(0);
            ready.sort_unstable_by_key(|&(fd, _)| place(fd));
            let first = ready.iter().position(|&(fd, _)| place(fd) > *last).unwrap_or(0);
            ready.rotate_left(first);
            ready.truncate(*most);
            *last = ready.last().map_or(0, |&(fd, _)| place(fd));
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
            visit(key.fileobj.as_fd(), key.events);
        }
    }
}
