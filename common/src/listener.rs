//! The listening socket: from an address to accepted connections.

use crate::{Connection, ServerArgs, explained, reason};
use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::cell::Cell;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How long to leave new clients waiting when no descriptor is free and none of ours is closed.
const PAUSE: Duration = Duration::from_millis(500);

/// How many clients in a row may turn out to be gone before we look after the others again.
const TRIES: u32 = 64;

/// A listening socket, and whether accepting is paused for want of descriptors.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    /// Set when the process is out of descriptors. Clients then wait in the kernel's accept queue:
    /// the listener stays readable, so a loop that went on asking about it would never sleep.
    paused_until: Cell<Option<Instant>>,
}

/// Opens the listening socket that `args` ask for.
///
/// It blocks, as every new socket does; a program that must not block says so itself. When all is
/// ready for clients, the program says that, too ([`announce`](Listener::announce)).
///
/// # Errors
///
/// What the system refused, in one sentence that says what and what to do.
pub fn listen(args: &ServerArgs) -> io::Result<Listener> {
    Listener::bind(&args.addr, args.backlog)
}

impl Listener {
    /// socket, `SO_REUSEADDR`, bind, listen: the first address that `addr` (`HOST:PORT`) stands
    /// for and that can be had.
    ///
    /// # Errors
    ///
    /// When the host is unknown or no address can be listened on (EADDRINUSE, EACCES,
    /// EADDRNOTAVAIL …), with what to do.
    pub fn bind(addr: &str, backlog: i32) -> io::Result<Self> {
        let error = match first_to_be_had(&resolve(addr, "listen on")?, backlog) {
            Ok(socket) => return Ok(Self { socket, paused_until: Cell::new(None) }),
            Err(error) => error,
        };
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "is another server still running? try --addr 127.0.0.1:0",
            io::ErrorKind::PermissionDenied => "ports below 1024 are reserved: take a higher one",
            io::ErrorKind::AddrNotAvailable => {
                "that address is not this machine's: try 127.0.0.1 or 0.0.0.0"
            }
            _ if out_of_descriptors(&error) => "raise ulimit -n",
            _ => "try --addr 127.0.0.1:0",
        };
        let reason = reason(&error);
        Err(explained(&error, format!("cannot listen on {addr}: {reason} ({advice})")))
    }

    /// `listening on HOST:PORT`, the line that says clients may come, with the real port.
    ///
    /// A standard output that nobody reads any more (`server | head -1`) is no reason to stop, and
    /// `println!` would panic there.
    ///
    /// # Errors
    ///
    /// As [`local_addr`](Self::local_addr).
    pub fn announce(&self) -> io::Result<()> {
        let line = format!("listening on {}\n", self.local_addr()?);
        let mut out = io::stdout();
        // Nobody is left to be told that this could not be told.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
        Ok(())
    }

    /// The address it really has: port 0 has become a free one.
    ///
    /// # Errors
    ///
    /// As getsockname(2); none is expected of a bound socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Whether accept returns at once (`Ok(None)`) when nobody is waiting.
    ///
    /// A program that asks before it accepts needs this, too. Another process with the same listener
    /// may take the client first. And on a BSD a client that has reset its connection is no longer
    /// there; on Linux accept returns it, and recv fails.
    ///
    /// # Errors
    ///
    /// As ioctl(2) with FIONBIO; none is expected of an open socket.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking)
    }

    /// One accept(2): the next client, or `None` when nobody is waiting (non-blocking only).
    ///
    /// A client that gave up while it waited (ECONNABORTED), a signal or a network error concern
    /// nobody else: the next one is taken.
    ///
    /// # Errors
    ///
    /// When the system has nothing to accept with (EMFILE, ENFILE, ENOBUFS, ENOMEM), or refuses for
    /// a reason that may last. Accepting is then paused: [`wants_read`](Self::wants_read) is false until a connection is
    /// closed ([`resume`](Self::resume)) or [`timeout`](Self::timeout) has passed.
    pub fn accept(&self) -> io::Result<Option<Connection>> {
        for _ in 0..TRIES {
            match self.socket.accept() {
                Ok((socket, peer)) => match Connection::new(socket, peer) {
                    Ok(connection) => return Ok(Some(connection)),
                    Err(error) => log::info!("lost {peer} while accepting: {}", reason(&error)),
                },
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EAGAIN) => return Ok(None),
                    // accept(2), "Error handling": what is already wrong with the new connection
                    // is reported here, and means no more than "try the next one".
                    Some(
                        Errno::EINTR
                        | Errno::ECONNABORTED
                        | Errno::EPROTO
                        | Errno::ENETDOWN
                        | Errno::ENETUNREACH
                        | Errno::EHOSTDOWN
                        | Errno::EHOSTUNREACH,
                    ) => {}
                    // Out of descriptors or memory, and whatever else may come: waiting a moment
                    // is never wrong, and never a busy loop.
                    _ => {
                        self.pause();
                        return Err(error);
                    }
                },
            }
        }
        self.pause();
        Err(io::Error::other(format!("{TRIES} clients in a row gave up")))
    }

    /// Accepting has failed for want of something: new clients are left waiting for a moment.
    /// [`accept`](Self::accept) does this by itself; it is for a program that accepts in another way.
    pub fn pause(&self) {
        self.paused_until.set(Some(Instant::now() + PAUSE));
    }

    /// Whether to ask for readability, which is what a waiting client makes of a listener. To be
    /// asked before [`timeout`](Self::timeout) in each turn: a pause that is over ends here.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        if self.paused_until.get().is_some_and(|until| Instant::now() >= until) {
            self.resume();
        }
        self.paused_until.get().is_none()
    }

    /// How long the program may sleep before it must ask about the listener again; `None`: as long
    /// as it likes, because accepting is not paused.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.paused_until.get().map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// A descriptor was given back: new clients may come again.
    pub fn resume(&self) {
        self.paused_until.set(None);
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The process (EMFILE) or the whole system (ENFILE) has as many open files as it may.
fn out_of_descriptors(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE))
}

/// The addresses that `HOST:PORT` stands for: one for `127.0.0.1:8001`, often two for a name.
pub(crate) fn resolve(addr: &str, to: &str) -> io::Result<Vec<SocketAddr>> {
    let advice = "is the host's name spelled right?";
    match addr.to_socket_addrs().map(Vec::from_iter) {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        Ok(_) => Err(io::Error::other(format!("cannot {to} {addr}: no address ({advice})"))),
        Err(error) => {
            Err(explained(&error, format!("cannot {to} {addr}: unknown host ({advice})")))
        }
    }
}

/// A name often stands for two addresses (localhost: 127.0.0.1 and `::1`), and not every machine has
/// both. But where one of them has a server already, the other is no substitute: we would get half
/// of the clients, and nobody would know whom they reach.
fn first_to_be_had(addresses: &[SocketAddr], backlog: i32) -> io::Result<TcpListener> {
    let mut refusal = io::ErrorKind::AddrNotAvailable.into();
    for &address in addresses {
        match listening_socket(address, backlog) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => refusal = error,
            result => return result,
        }
    }
    Err(refusal)
}

fn listening_socket(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A connection that this side closed first stays in TIME_WAIT for a minute and would keep the
    // port from the next server. Two servers at once are still refused (socket(7)).
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_paused_listener_is_not_asked_about_until_a_descriptor_is_free() {
        let listener = Listener::bind("127.0.0.1:0", 5).expect("loopback");
        assert!(listener.wants_read() && listener.timeout().is_none());
        listener.pause();
        assert!(!listener.wants_read());
        assert!(listener.timeout().is_some_and(|wait| wait <= PAUSE));
        listener.resume();
        assert!(listener.wants_read() && listener.timeout().is_none());
    }

    #[test]
    fn a_paused_listener_asks_again_by_itself_in_the_end() {
        let listener = Listener::bind("127.0.0.1:0", 5).expect("loopback");
        listener.paused_until.set(Some(Instant::now()));
        assert!(listener.wants_read());
        // A time-out of zero that stays is a busy loop.
        assert_eq!(listener.timeout(), None);
    }

    #[test]
    fn nobody_waiting_is_not_an_error() {
        let listener = Listener::bind("127.0.0.1:0", 5).expect("loopback");
        listener.set_nonblocking(true).expect("an open socket");
        assert!(listener.accept().expect("descriptors are free").is_none());
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
        listener.set_nonblocking(false).expect("an open socket");
        let connection = listener.accept().expect("descriptors are free").expect("one waits");
        assert_eq!(connection.peer(), client.local_addr().expect("connected"));
    }

    #[test]
    fn a_port_in_use_is_refused_with_advice() {
        let first = Listener::bind("127.0.0.1:0", 5).expect("loopback");
        let taken = first.local_addr().expect("bound").to_string();
        let error = Listener::bind(&taken, 5).expect_err("two listeners").to_string();
        let start = format!("cannot listen on {taken}: Address already in use (");
        assert!(error.starts_with(&start), "{error}");
    }

    #[test]
    fn a_name_with_a_server_at_one_address_is_not_taken_at_another() {
        let server = Listener::bind("127.0.0.1:0", 5).expect("loopback");
        let taken = server.local_addr().expect("bound");
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        // 192.0.2.1 is set aside for documentation: no machine has it.
        let nobodys = SocketAddr::from(([192, 0, 2, 1], 0));
        let error = first_to_be_had(&[taken, free], 5).expect_err("it has a server");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        first_to_be_had(&[nobodys, free], 5).expect("the second address can be had");
    }

    #[test]
    fn ipv6_and_names_work() {
        // A machine without IPv6 says so; any other refusal is ours.
        match Listener::bind("[::1]:0", 5) {
            Ok(listener) => assert!(listener.local_addr().expect("bound").is_ipv6()),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable, "{error}"),
        }
        Listener::bind("localhost:0", 5).expect("localhost is this machine");
        let error = Listener::bind("no.such.host.invalid:1", 5).expect_err("no such host");
        assert!(error.to_string().contains("unknown host"), "{error}");
    }
}
