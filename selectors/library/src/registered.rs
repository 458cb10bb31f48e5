//! What is registered, to be looked at.

use crate::key::{Map, SelectorKey};
use crate::keys::Iter;
use crate::selector::{Selector, unknown};
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;

impl<F, D, B> Selector<F, D, B> {
    /// The key of an object, or of a descriptor by its number. Python's `get_key(fileobj)`.
    ///
    /// ```
    /// # use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
    /// # use std::os::unix::net::UnixStream;
    /// # let (a, b) = UnixStream::pair()?;
    /// use std::io::ErrorKind;
    /// use std::rc::Rc;
    ///
    /// let mut selector = DefaultSelector::new()?;
    /// let a = Rc::new(a);
    /// let fd = selector.register(Rc::clone(&a), EVENT_READ, "a")?.fd;
    /// assert_eq!(selector.get_key(&a)?.data, "a");
    /// assert_eq!(selector.get_key(&fd)?.data, "a");
    /// assert_eq!(selector.get_key(&b).unwrap_err().kind(), ErrorKind::NotFound);
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
    /// ```
    /// # use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
    /// # use std::os::unix::net::UnixStream;
    /// # let (a, b) = UnixStream::pair()?;
    /// let mut selector = DefaultSelector::new()?;
    /// let fd = selector.register(a, EVENT_READ, Vec::<u8>::new())?.fd;
    /// selector.data_mut(&fd)?.extend(b"hello");
    /// assert_eq!(selector.get_key(&fd)?.data, b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get_key`](Self::get_key).
    pub fn data_mut(&mut self, fd: &(impl AsRawFd + ?Sized)) -> io::Result<&mut D> {
        let fd = fd.as_raw_fd();
        self.keys.get_mut(fd).map(|key| &mut key.data).ok_or_else(|| unknown(fd))
    }

    /// All that is registered. Python's `get_map()`.
    ///
    /// ```
    /// # use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
    /// # use std::os::unix::net::UnixStream;
    /// # let (a, b) = UnixStream::pair()?;
    /// let mut selector = DefaultSelector::new()?;
    /// let fd = selector.register(a, EVENT_READ, "a")?.fd;
    /// let map = selector.get_map();
    /// assert!(map.contains(&fd) && !map.contains(&b));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn get_map(&self) -> Map<'_, F, D> {
        Map(&self.keys)
    }

    /// How many objects are registered.
    ///
    /// ```
    /// # use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
    /// # use std::os::unix::net::UnixStream;
    /// # let (a, b) = UnixStream::pair()?;
    /// let mut selector = DefaultSelector::new()?;
    /// selector.register(a, EVENT_READ, ())?;
    /// assert_eq!(selector.len(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
    ///
    /// ```
    /// # use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
    /// # use std::os::unix::net::UnixStream;
    /// # let (a, b) = UnixStream::pair()?;
    /// let mut selector = DefaultSelector::new()?;
    /// selector.register(a, EVENT_READ, "a")?;
    /// selector.register(b, EVENT_WRITE, "b")?;
    /// for key in &selector {
    ///     println!("{}: {}", key.data, key.events); // a: EVENT_READ, then b: EVENT_WRITE.
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn iter(&self) -> Iter<'_, F, D> {
        self.keys.iter()
    }
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
