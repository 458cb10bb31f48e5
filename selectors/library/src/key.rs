//! What is registered, and for what.

use crate::keys::{Iter, Keys};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

bitflags::bitflags! {
    /// What to wait for, or what has come: [`EVENT_READ`], [`EVENT_WRITE`], or both with `|`.
    ///
    /// ```
    /// use fd_selectors::{EVENT_READ, EVENT_WRITE};
    ///
    /// let both = EVENT_READ | EVENT_WRITE;
    /// assert!(both.contains(EVENT_WRITE));
    /// assert_eq!(both.to_string(), "EVENT_READ|EVENT_WRITE");
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct EventMask: u8 {
        /// See [`EVENT_READ`](crate::EVENT_READ).
        const EVENT_READ = 1;
        /// See [`EVENT_WRITE`](crate::EVENT_WRITE).
        const EVENT_WRITE = 2;
    }
}

/// As in a program: `EVENT_READ|EVENT_WRITE`.
impl fmt::Display for EventMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (name, _)) in self.iter_names().enumerate() {
            write!(f, "{}{name}", if number > 0 { "|" } else { "" })?;
        }
        Ok(())
    }
}

/// Available for read: data, a new connection, the end of input, or an error that the next recv
/// will tell. Python's `selectors.EVENT_READ`.
pub const EVENT_READ: EventMask = EventMask::EVENT_READ;

/// Available for write: there is room, or an error that the next send will tell. Python's
/// `selectors.EVENT_WRITE`.
pub const EVENT_WRITE: EventMask = EventMask::EVENT_WRITE;

/// A registered object with what it was registered for. Python's `selectors.SelectorKey`.
///
/// It owns the object, or a share of it if `F` is an `Rc`, an `Arc` or a reference. Where a
/// function asks for a descriptor, the key itself will do: `selector.unregister(&key)`.
///
/// A clone of a key has a share of its own. The descriptor is closed when the last share is gone:
/// after [`unregister`](crate::Selector::unregister), with the end of the batch in hand.
///
/// ```
/// use fd_selectors::{DefaultSelector, EVENT_WRITE};
/// use std::os::unix::net::UnixStream;
/// use std::rc::Rc;
///
/// let (a, mut b) = UnixStream::pair()?;
/// b.set_nonblocking(true)?;
/// let mut closed = || std::io::Read::read(&mut b, &mut [0]).is_ok();
///
/// let mut selector = DefaultSelector::new()?;
/// selector.register(Rc::new(a), EVENT_WRITE, "a")?;
/// for (key, _) in selector.select(None)? {
///     selector.unregister(&key)?;
///     assert!(!closed()); // `key` has the last share.
/// }
/// assert!(closed());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorKey<F, D> {
    /// The object that was registered.
    pub fileobj: F,
    /// Its descriptor. No other object has this number while the key lives.
    pub fd: RawFd,
    /// What it is registered for.
    pub events: EventMask,
    /// The user's: a callback, the state of a client, a number.
    pub data: D,
}

impl<F: AsFd, D> AsFd for SelectorKey<F, D> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fileobj.as_fd()
    }
}

impl<F, D> AsRawFd for SelectorKey<F, D> {
    fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}

/// One that is ready, without a clone of its key. From
/// [`select_ready`](crate::Selector::select_ready), for [`resolve`](crate::Selector::resolve).
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// Its descriptor. Ask `resolve` before you use it: if the object was unregistered meanwhile,
    /// another may have the number.
    pub fd: RawFd,
    /// What it is ready for.
    pub events: EventMask,
    /// Which registration of this number it was.
    pub(crate) serial: u64,
}

/// A read-only view of what is registered, in the order of registration. Python's `get_map()`.
#[derive(Debug)]
pub struct Map<'a, F, D>(pub(crate) &'a Keys<F, D>);

// A derive would ask the objects and the data to be copied, too.
impl<F, D> Clone for Map<'_, F, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F, D> Copy for Map<'_, F, D> {}

impl<'a, F, D> Map<'a, F, D> {
    /// How many objects are registered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Nothing is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key of this object or descriptor number, if it is registered.
    #[must_use]
    pub fn get(&self, fd: &(impl AsRawFd + ?Sized)) -> Option<&'a SelectorKey<F, D>> {
        self.0.get(fd.as_raw_fd())
    }

    /// Whether this object or descriptor number is registered.
    #[must_use]
    pub fn contains(&self, fd: &(impl AsRawFd + ?Sized)) -> bool {
        self.get(fd).is_some()
    }

    /// All keys.
    pub fn iter(&self) -> Iter<'a, F, D> {
        self.0.iter()
    }
}

impl<'a, F, D> IntoIterator for Map<'a, F, D> {
    type Item = &'a SelectorKey<F, D>;
    type IntoIter = Iter<'a, F, D>;

    fn into_iter(self) -> Iter<'a, F, D> {
        self.iter()
    }
}
