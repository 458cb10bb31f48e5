//! What is registered, and for what.

use crate::keys::Keys;
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;

bitflags::bitflags! {
    /// What to wait for, or what has come: [`EVENT_READ`], [`EVENT_WRITE`], or both with `|`.
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
/// It shares the object with the selector. The descriptor is closed when the last key is gone:
/// after
/// [`unregister`](crate::Selector::unregister), with the end of the batch in hand.
#[derive(Debug)]
pub struct SelectorKey<F: ?Sized, D> {
    /// The object that was registered.
    pub fileobj: Rc<F>,
    /// Its descriptor. No other object has this number while the key lives.
    pub fd: RawFd,
    /// What it is registered for.
    pub events: EventMask,
    /// The user's: a callback, the state of a client, a number.
    pub data: D,
}

/// A clone has the same object, whether or not that could be cloned itself.
impl<F: ?Sized, D: Clone> Clone for SelectorKey<F, D> {
    fn clone(&self) -> Self {
        let Self { fileobj, fd, events, data } = self;
        Self { fileobj: Rc::clone(fileobj), fd: *fd, events: *events, data: data.clone() }
    }
}

/// A read-only view of what is registered, in the order of registration. Python's `get_map()`.
#[derive(Debug)]
pub struct Map<'a, F: ?Sized, D>(pub(crate) &'a Keys<F, D>);

impl<'a, F: ?Sized, D> Map<'a, F, D> {
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

    /// The key of this object, if it is registered.
    #[must_use]
    pub fn get(&self, fd: &(impl AsFd + ?Sized)) -> Option<&'a SelectorKey<F, D>> {
        self.0.get(fd.as_fd().as_raw_fd())
    }

    /// Whether this object is registered.
    #[must_use]
    pub fn contains(&self, fd: &(impl AsFd + ?Sized)) -> bool {
        self.get(fd).is_some()
    }

    /// All keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a SelectorKey<F, D>> + use<'a, F, D> {
        self.0.iter()
    }
}
