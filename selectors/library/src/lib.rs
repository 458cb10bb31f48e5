//! Python's `selectors` for Rust: one way of waiting for many descriptors, whatever the system
//! calls it.
//!
//! select, poll, epoll, kqueue, event ports and /dev/poll do the same thing with six interfaces.
//! This library gives them one, that of Python's `selectors`. You register an object once, together
//! with data of your own; [`select`](Selector::select) waits and returns the keys of the objects
//! that are ready. Python's documentation has this server, line for line:
//!
//! ```
//! use fd_selectors::{DefaultSelector, EVENT_READ, EventMask};
//! use socket2::{Domain, Socket, Type};
//! use std::io::{self, Read, Write};
//! use std::net::SocketAddr;
//! use std::rc::Rc;
//!
//! // The data of a key is what to call when it is ready.
//! type Sel = DefaultSelector<Rc<Socket>, Callback>;
//! #[derive(Clone, Copy)]
//! struct Callback(fn(&mut Sel, &Rc<Socket>, EventMask) -> io::Result<()>);
//!
//! fn accept(sel: &mut Sel, sock: &Rc<Socket>, _mask: EventMask) -> io::Result<()> {
//!     let (conn, addr) = sock.accept()?; // Should be ready
//!     println!("accepted {conn:?} from {:?}", addr.as_socket());
//!     conn.set_nonblocking(true)?;
//!     sel.register(Rc::new(conn), EVENT_READ, Callback(read))?;
//!     Ok(())
//! }
//!
//! fn read(sel: &mut Sel, conn: &Rc<Socket>, _mask: EventMask) -> io::Result<()> {
//!     let mut data = [0; 1000];
//!     let count = (&**conn).read(&mut data)?; // Should be ready
//!     if count > 0 {
//!         println!("echoing {:?} to {conn:?}", &data[..count]);
//!         (&**conn).write(&data[..count])?; // Hope it won't block
//!     } else {
//!         println!("closing {conn:?}");
//!         sel.unregister(conn)?; // The last owner goes: it is closed
//!     }
//!     Ok(())
//! }
//!
//! # fn main() -> io::Result<()> {
//! let mut sel = Sel::new()?;
//! let sock = Socket::new(Domain::IPV4, Type::STREAM, None)?;
//! sock.bind(&"127.0.0.1:0".parse::<SocketAddr>().expect("an address").into())?;
//! sock.listen(100)?;
//! sock.set_nonblocking(true)?;
//! # let client = std::net::TcpStream::connect(sock.local_addr()?.as_socket().expect("IPv4"))?;
//! # (&client).write_all(b"hello")?;
//! # client.set_nonblocking(true)?;
//! sel.register(Rc::new(sock), EVENT_READ, Callback(accept))?;
//!
//! loop {
//!     let events = sel.select(None)?;
//!     for (key, mask) in events {
//!         let Callback(callback) = key.data;
//!         callback(&mut sel, &key.fileobj, mask)?;
//!     }
//! #   if client.peek(&mut [0; 5]).is_ok() { break Ok(()); }
//! }
//! # }
//! ```
//!
//! What is better than in Python: a key owns its object, so a descriptor that is registered cannot
//! be closed behind the selector's back, nor its number be given to another client meanwhile. And
//! what `select` returns holds clones of the keys: a handler may unregister any object, its own or
//! one later in the batch.
//!
//! How an object is owned is the user's choice: `Rc<Socket>` as here, `Arc`, a reference, or the
//! socket itself, with [`select_ready`](Selector::select_ready) in place of `select`. A [`Waker`]
//! ends a wait from another thread. [`Mechanism`] chooses what to wait with at run time.
//!
//! What there is: [`SelectSelector`], [`PollSelector`], and where the system has it
//! `EpollSelector` (Linux), `KqueueSelector` (macOS, the BSDs), `EventPortSelector` and
//! `DevpollSelector` (illumos, Solaris). [`DefaultSelector`] is the best one on the system
//! you compile for.

#![cfg_attr(not(any(test, target_os = "illumos", target_os = "solaris")), forbid(unsafe_code))]

#[cfg(not(unix))]
compile_error!("fd-selectors is about Unix system calls; on Windows use mio or polling");

// The README's program is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

// The suite of the backends, in tests/suite, has this name for the library.
#[cfg(all(test, target_os = "linux"))]
extern crate self as fd_selectors;

mod backend;
mod key;
mod keys;
mod registered;
mod select;
mod selector;
mod waker;

pub use backend::*;
pub use key::{EVENT_READ, EVENT_WRITE, EventMask, Map, Ready, SelectorKey};
pub use keys::Iter;
pub use selector::Selector;
pub use waker::{WakeEvent, Waker};

/// The best that this system has: epoll, kqueue or event ports. Python's
/// `selectors.DefaultSelector`.
pub type DefaultSelector<F, D> = Selector<F, D, DefaultBackend>;
