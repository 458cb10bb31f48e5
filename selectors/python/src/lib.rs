//! The library behind C functions, so that CPython's own tests of `selectors` can ask it.
//!
//! `fd_selectors.py` calls them by way of ctypes. Each is one call of the library and checks
//! nothing itself: it is the library that has to pass, not its wrapper. What is added is for what
//! Python has and Rust does not:
//!
//! - a selector that is closed can still be asked. In Rust `close` consumes it;
//! - an object is a number, and its file may be closed while it is registered. See `FileObject`;
//! - a mask is any integer, and a time-out may be negative.
//!
//! A reference in a signature is a pointer that Python must keep valid for the call. Nor may Python
//! make a second call meanwhile, or `&mut` would be untrue: ctypes' `PyDLL` keeps the interpreter's
//! lock, and no function here calls back.

#![allow(unsafe_code)]

use selectors::{AnySelector, Backend, DefaultSelector, EventMask, Mechanism, SelectorKey};
use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::time::Duration;

/// A key of the library's. Python's file object and data stay in Python; it has their places.
type Key = SelectorKey<FileObject, Place>;

/// Where Python has an object, in a list of its own.
type Place = usize;

/// What Python registers: a descriptor's number. Nothing keeps it open.
#[derive(Clone)]
struct FileObject {
    fd: RawFd,
    place: Place,
}

impl FileObject {
    /// The library never sees a negative number, for it takes a [`BorrowedFd`], and a descriptor is
    /// not negative.
    fn new(fd: RawFd, place: Place) -> io::Result<Self> {
        if fd < 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self { fd, place })
    }
}

impl AsFd for FileObject {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: it is not -1. It should also stay open while it is registered. Rust's ownership
        // sees to that, and Python's users may close it all the same. Memory does not depend on it:
        // the library uses the number for system calls only. They fail with EBADF, or are about the
        // file that has the number now, as with Python's own selectors.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

/// epoll and kqueue have a descriptor of their own (Python's `fileno`). The type of the system's
/// best gives it; [`AnySelector`] does not.
enum Any {
    Default(DefaultSelector<FileObject, Place>),
    Named(AnySelector<FileObject, Place>),
}

/// One call, whichever it is.
macro_rules! call {
    ($selector:expr, $method:ident $arguments:tt) => {
        match $selector {
            Any::Default(selector) => selector.$method $arguments,
            Any::Named(selector) => selector.$method $arguments,
        }
    };
}

/// A selector, until it is closed, and what is left of its last list of keys.
struct Handle {
    selector: Option<Any>,
    batch: std::vec::IntoIter<Entry>,
}

impl Handle {
    fn open(&mut self) -> Result<&mut Any, Error> {
        self.selector.as_mut().ok_or(Error::Closed)
    }

    fn keep(&mut self, keys: Result<Vec<Entry>, Error>) -> c_int {
        status(keys.map(|keys| self.batch = keys.into_iter()))
    }
}

/// A key, as Python sees it.
#[repr(C)]
struct Entry {
    fd: c_int,
    /// What it is registered for.
    events: c_int,
    /// What it is ready for; zero where nobody asked.
    ready: c_int,
    fileobj: Place,
    data: Place,
}

impl From<&Key> for Entry {
    fn from(key: &Key) -> Self {
        Self {
            fd: key.fd,
            events: key.events.bits().into(),
            ready: 0,
            fileobj: key.fileobj.place,
            data: key.data,
        }
    }
}

enum Error {
    Closed,
    Io(io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Zero, the system's errno, or a negative number for what the library itself says.
fn status(result: Result<(), Error>) -> c_int {
    let error = match result {
        Ok(()) => return 0,
        Err(Error::Closed) => return -1,
        Err(Error::Io(error)) => error,
    };
    match (error.raw_os_error(), error.kind()) {
        (Some(number), _) => number,
        (None, io::ErrorKind::NotFound) => -2,
        (None, io::ErrorKind::AlreadyExists) => -3,
        (None, io::ErrorKind::InvalidInput) => -4,
        (None, io::ErrorKind::Unsupported) => -5,
        _ => panic!("the library does not promise this error: {error:?}"),
    }
}

/// What is too large for a mask becomes one with unknown bits, so that the library refuses it.
fn mask(events: i64) -> EventMask {
    EventMask::from_bits_retain(events.try_into().unwrap_or(u8::MAX))
}

/// Null, and a status, if there is none. `name` ends with a zero.
#[unsafe(no_mangle)]
extern "C" fn selector_new(name: *const c_char, failed: &mut c_int) -> Option<Box<Handle>> {
    // SAFETY: Python's bytes end with a zero, and live for as long as the call.
    let name = unsafe { CStr::from_ptr(name) };
    match new(&name.to_string_lossy()) {
        Ok(selector) => {
            Some(Box::new(Handle { selector: Some(selector), batch: Vec::new().into_iter() }))
        }
        Err(error) => {
            *failed = status(Err(error.into()));
            None
        }
    }
}

fn new(name: &str) -> io::Result<Any> {
    let best = DefaultSelector::new()?;
    let mut selector = if best.backend().name() == name {
        Any::Default(best)
    } else {
        Any::Named(name.parse::<Mechanism>()?.selector()?)
    };
    // Python runs its signal handlers when a system call was interrupted, and calls again.
    call!(&mut selector, set_interruptible(true));
    Ok(selector)
}

#[unsafe(no_mangle)]
extern "C" fn selector_register(
    handle: &mut Handle,
    fd: RawFd,
    fileobj: Place,
    events: i64,
    data: Place,
    key: &mut Entry,
) -> c_int {
    status(handle.open().and_then(|selector| {
        let fileobj = FileObject::new(fd, fileobj)?;
        *key = call!(selector, register(fileobj, mask(events), data))?.into();
        Ok(())
    }))
}

#[unsafe(no_mangle)]
extern "C" fn selector_unregister(handle: &mut Handle, fd: RawFd, key: &mut Entry) -> c_int {
    status(handle.open().and_then(|selector| {
        *key = (&call!(selector, unregister(&fd))?).into();
        Ok(())
    }))
}

#[unsafe(no_mangle)]
extern "C" fn selector_modify(
    handle: &mut Handle,
    fd: RawFd,
    events: i64,
    data: Place,
    key: &mut Entry,
) -> c_int {
    status(handle.open().and_then(|selector| {
        *key = call!(selector, modify(&fd, mask(events), data))?.into();
        Ok(())
    }))
}

#[unsafe(no_mangle)]
extern "C" fn selector_get_key(handle: &mut Handle, fd: RawFd, key: &mut Entry) -> c_int {
    status(handle.open().and_then(|selector| {
        *key = call!(selector, get_key(&fd))?.into();
        Ok(())
    }))
}

/// Nothing is registered with a closed one.
#[unsafe(no_mangle)]
extern "C" fn selector_len(handle: &mut Handle) -> usize {
    handle.open().map_or(0, |selector| call!(selector, len()))
}

/// All keys, for [`selector_next`].
#[unsafe(no_mangle)]
extern "C" fn selector_iter(handle: &mut Handle) -> c_int {
    let keys = handle.open().map(|selector| call!(selector, iter()).map(Entry::from).collect());
    handle.keep(keys)
}

/// Waits for so many seconds, or without end if there is no number. Those that are ready are for
/// [`selector_next`]. A time-out of Python's may be negative, and then looks once.
#[unsafe(no_mangle)]
extern "C" fn selector_select(handle: &mut Handle, seconds: Option<&f64>) -> c_int {
    let timeout = seconds
        .map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX));
    let keys = handle.open().and_then(|selector| {
        let keys = call!(selector, select(timeout))?.into_iter();
        Ok(keys.map(|(key, ready)| Entry { ready: ready.bits().into(), ..(&key).into() }).collect())
    });
    handle.keep(keys)
}

/// The next key of what was asked for last, if there is one left.
#[unsafe(no_mangle)]
extern "C" fn selector_next(handle: &mut Handle, key: &mut Entry) -> bool {
    let next = handle.batch.next();
    let found = next.is_some();
    if let Some(next) = next {
        *key = next;
    }
    found
}

/// The selector's own descriptor, or -1 if it has none.
#[unsafe(no_mangle)]
extern "C" fn selector_fileno(handle: &Handle) -> RawFd {
    match &handle.selector {
        #[cfg(not(any(target_os = "illumos", target_os = "solaris")))]
        Some(Any::Default(selector)) => std::os::fd::AsRawFd::as_raw_fd(&selector.as_fd()),
        _ => -1,
    }
}

#[unsafe(no_mangle)]
extern "C" fn selector_close(handle: &mut Handle) {
    if let Some(selector) = handle.selector.take() {
        call!(selector, close());
    }
}

#[unsafe(no_mangle)]
extern "C" fn selector_free(_: Box<Handle>) {}
