//! mio's `examples/tcp_server.rs`, for those who come from there: it greets each client, and
//! prints what they send.
//!
//! ```text
//! cargo run -p fd-selectors --example tcp_server   # 127.0.0.1:9000, or the address that you give
//! nc 127.0.0.1 9000
//! ```
//!
//! Watch for what is not here:
//!
//! - no `Token`, no counter of tokens, no map from token to connection. The selector owns the
//!   socket together with its data, and hands out both;
//! - no event for a connection that is gone: `resolve` knows whose event it was, also when the
//!   descriptor's number has a new owner;
//! - no loop until `WouldBlock`. Readiness is level-triggered here: what one read or one accept
//!   leaves is reported again. Each client gets one read a turn, so none starves the others;
//! - no deregistration to be forgotten: `unregister` gives the socket back, and dropping it closes;
//! - no `Interrupted` from the wait.
//!
//! What is needed instead: one type for all that is registered, the enum `Source`.
//!
//! Limits: while no descriptor is free, new clients wait. A client that vanishes without a word
//! keeps its connection: that takes SO_KEEPALIVE or a deadline.

use fd_selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE, EventMask};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

const DATA: &[u8] = b"Hello world!\n";
/// How long to leave the listener alone after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// As `println!`, which would panic once nobody reads (`| head -1`).
macro_rules! say {
    ($($what:tt)*) => { drop(writeln!(io::stdout(), $($what)*)) };
}

/// What is registered.
enum Source {
    Server(TcpListener),
    /// The address is kept from accept: a dead socket has none.
    Connection(TcpStream, SocketAddr),
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Server(listener) => listener.as_fd(),
            Self::Connection(stream, _) => stream.as_fd(),
        }
    }
}

/// The data is what is left to send of the greeting.
type Selector = DefaultSelector<Source, &'static [u8]>;

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let listener = TcpListener::bind(addr)?;
    // A client that waited may be gone before `accept`, which would then wait for the next one.
    listener.set_nonblocking(true)?;
    say!("listening on {}", listener.local_addr()?);
    let mut selector = Selector::new()?;
    selector.register(Source::Server(listener), EVENT_READ, b"")?;
    let (mut batch, mut paused) = (Vec::new(), None);
    loop {
        selector.select_ready(paused.is_some().then_some(PAUSE), &mut batch)?;
        if let Some(server) = paused.take() {
            selector.register(server, EVENT_READ, b"")?;
        }
        for ready in batch.drain(..) {
            let Some((source, unsent)) = selector.resolve(&ready) else { continue };
            match source {
                Source::Server(listener) => {
                    let accepted = accept(listener).and_then(|accepted| {
                        let Some(connection) = accepted else { return Ok(()) };
                        selector.register(connection, EVENT_READ | EVENT_WRITE, DATA).map(drop)
                    });
                    if let Err(error) = accepted {
                        // Out of descriptors, say. The client still waits, so the listener is
                        // still ready, and a loop that watched it would spin.
                        say!("no new client for now: {error}");
                        paused = Some(selector.unregister(&ready.fd)?.fileobj);
                    }
                }
                Source::Connection(stream, peer) => {
                    let peer = *peer;
                    let handled = handle(stream, peer, unsent, ready.events)
                        .and_then(|next| selector.modify_events(&ready.fd, next));
                    // The end, or an error: of this connection only.
                    if let Err(error) = handled {
                        say!("closing {peer}: {error}");
                        selector.unregister(&ready.fd)?;
                    }
                }
            }
        }
    }
}

/// One new client, if there still is one. If more are waiting, the listener is ready again.
fn accept(listener: &TcpListener) -> io::Result<Option<Source>> {
    let Some((stream, peer)) = unless_blocked(listener.accept())? else { return Ok(None) };
    // On Linux it is not inherited from the listener.
    stream.set_nonblocking(true)?;
    say!("new connection from {peer}");
    Ok(Some(Source::Connection(stream, peer)))
}

/// What one event says of one connection. Returns what to wait for next.
fn handle(
    mut stream: &TcpStream,
    peer: SocketAddr,
    unsent: &mut &[u8],
    events: EventMask,
) -> io::Result<EventMask> {
    if events.contains(EVENT_WRITE) {
        // It may take a part only. mio's program ends there.
        let sent = unless_blocked(stream.write(unsent))?.unwrap_or(0);
        *unsent = &unsent[sent..];
    }
    if events.contains(EVENT_READ) {
        let mut chunk = [0; 4096];
        match unless_blocked(stream.read(&mut chunk))? {
            Some(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "peer closed")),
            Some(count) => say!("received \"{}\" from {peer}", chunk[..count].escape_ascii()),
            None => {}
        }
    }
    // A socket nearly always has room. Watched for that with nothing to send, it would end each
    // wait at once.
    Ok(if unsent.is_empty() { EVENT_READ } else { EVENT_READ | EVENT_WRITE })
}

/// `None` where the call would have waited, or where the client was gone before it was accepted.
fn unless_blocked<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    use ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    match result {
        Err(e) if matches!(e.kind(), WouldBlock | Interrupted | ConnectionAborted) => Ok(None),
        result => result.map(Some),
    }
}
