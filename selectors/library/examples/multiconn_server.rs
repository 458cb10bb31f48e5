//! A server for many connections with a protocol of its own, for those who come from Python.
//!
//! Python tutorials on sockets end with this program: `selectors`, and in `key.data` an object for
//! each connection that reads a request, makes the answer and writes it. Here it is a small store.
//! A message is a length in two bytes, the high byte first, and that many bytes: `SET name value`
//! is answered by `+`, and `GET name` by `=value` or `-not found`.
//!
//! ```text
//! cargo run -p fd-selectors --example multiconn_server   # 127.0.0.1:65432, or the address given
//! printf '\0\012SET a blue\0\005GET a' | nc 127.0.0.1 65432 | xxd
//! ```
//!
//! Watch what a connection waits for: `EVENT_READ` until a request is complete, then `EVENT_WRITE`
//! until its answer is sent. So one answer is queued at most, and a client that does not read its
//! answers is not read from. In Python the object calls `modify` on the selector. Here it returns
//! what it waits for next, and the loop, which owns the selector, calls `modify_events`.
//!
//! Limits: the store grows with its names. While no descriptor is free, new clients wait. A client
//! that vanishes without a word keeps its connection: that takes SO_KEEPALIVE or a deadline.

use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE, EventMask};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::ErrorKind::{ConnectionAborted, Interrupted, UnexpectedEof, WouldBlock};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

type Store = HashMap<Vec<u8>, Vec<u8>>;
/// Listener and connections are of different types. The data is `None` for the listener.
type Selector = DefaultSelector<Rc<dyn AsFd>, Option<Rc<RefCell<Message>>>>;

/// As `println!`, which would panic once nobody reads (`| head -1`).
macro_rules! say {
    ($($what:tt)*) => { drop(writeln!(io::stdout(), $($what)*)) };
}

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:65432".to_owned());
    let listener = Rc::new(TcpListener::bind(addr)?);
    // A client that waited may be gone before `accept`, which would then wait for the next one.
    listener.set_nonblocking(true)?;
    say!("listening on {}", listener.local_addr()?);
    let (mut selector, mut store) = (Selector::new()?, Store::new());
    selector.register(listener.clone(), EVENT_READ, None)?;
    let mut paused = false;
    loop {
        let batch = selector.select(paused.then_some(Duration::from_secs(1)))?;
        if std::mem::take(&mut paused) {
            selector.register(listener.clone(), EVENT_READ, None)?;
        }
        for (key, mask) in batch {
            let Some(message) = key.data.as_deref() else {
                let Err(error) = accept(&mut selector, &listener) else { continue };
                // Out of descriptors, say. The client still waits, so the listener is still ready,
                // and a loop that watched it would spin.
                say!("no new client for now: {error}");
                selector.unregister(&listener)?;
                paused = true;
                continue;
            };
            let next = message.borrow_mut().process_events(mask, &mut store);
            // The end, or an error: of this connection only.
            if let Err(error) = next.and_then(|next| selector.modify_events(&key, next).map(drop)) {
                say!("closing {}: {error}", message.borrow().peer);
                selector.unregister(&key)?;
            }
        }
    }
}

/// Takes in one client. If more are waiting, the listener is ready again.
fn accept(selector: &mut Selector, listener: &TcpListener) -> io::Result<()> {
    let Some((sock, peer)) = unless_blocked(listener.accept())? else { return Ok(()) };
    // On Linux it is not inherited from the listener.
    sock.set_nonblocking(true)?;
    // An answer leaves at once, also before the one before it is acknowledged.
    let _ = sock.set_nodelay(true);
    let (sock, received, unsent) = (Rc::new(sock), Vec::new(), Vec::new());
    let message = Message { sock: sock.clone(), peer, received, unsent, ended: false };
    selector.register(sock, EVENT_READ, Some(Rc::new(RefCell::new(message)))).map(drop)
}

struct Message {
    sock: Rc<TcpStream>,
    peer: SocketAddr,
    /// Not answered yet: part of a request, or more than one.
    received: Vec<u8>,
    unsent: Vec<u8>,
    /// Nothing more will come. What has come is still answered.
    ended: bool,
}

impl Message {
    /// One receive, one answer and one send at most: the others have their turn.
    fn process_events(&mut self, mask: EventMask, store: &mut Store) -> io::Result<EventMask> {
        let mut sock = &*self.sock;
        if mask.contains(EVENT_READ) {
            let mut chunk = [0; 4096];
            let count = unless_blocked(sock.read(&mut chunk))?;
            self.ended = count == Some(0);
            self.received.extend_from_slice(&chunk[..count.unwrap_or(0)]);
        }
        if self.unsent.is_empty() {
            let Some(end) = self.request_end() else {
                return if self.ended { Err(UnexpectedEof.into()) } else { Ok(EVENT_READ) };
            };
            let answer = answer(&self.received[2..end], store);
            self.received.drain(..end);
            let length = u16::try_from(answer.len()).expect("no value is longer than its request");
            self.unsent = [&length.to_be_bytes()[..], &answer].concat();
        }
        // It may take a part only. What is left is sent when there is room.
        let sent = unless_blocked(sock.write(&self.unsent))?.unwrap_or(0);
        self.unsent.drain(..sent);
        // What is here already, the next request or the end, is not reported again.
        let idle = self.unsent.is_empty() && self.request_end().is_none() && !self.ended;
        Ok(if idle { EVENT_READ } else { EVENT_WRITE })
    }

    /// Where the first request ends, if all of it is here.
    fn request_end(&self) -> Option<usize> {
        let end = 2 + usize::from(u16::from_be_bytes(*self.received.first_chunk()?));
        (self.received.len() >= end).then_some(end)
    }
}

fn answer(request: &[u8], store: &mut Store) -> Vec<u8> {
    let words: Vec<_> = request.splitn(3, |&byte| byte == b' ').collect();
    match words[..] {
        [b"GET", name] if store.contains_key(name) => [b"=", &store[name][..]].concat(),
        [b"GET", _] => b"-not found".into(),
        [b"SET", name, value] => {
            store.insert(name.into(), value.into());
            b"+".into()
        }
        _ => b"-SET name value, or GET name".into(),
    }
}

/// `None` where the call would have waited, or where the client was gone before it was accepted.
fn unless_blocked<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(e) if matches!(e.kind(), WouldBlock | Interrupted | ConnectionAborted) => Ok(None),
        result => result.map(Some),
    }
}
