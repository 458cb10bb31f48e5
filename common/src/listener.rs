//! The listening socket: from an address to accepted connections.

use crate::{Connection, ServerArgs, explained, reason};
use log::info;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use socket2::{Domain, Protocol, Socket, Type};
use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

/// How long to do nothing when the system lacks what accept needs.
const MOMENT: Duration = Duration::from_millis(10);

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    /// Whether the listener, and each connection it accepts, returns at once where it would wait.
    nonblocking: Cell<bool>,
    /// A descriptor kept for the moment when no other is free (EMFILE). Given up then, it is enough
    /// to accept a client and to close its connection. Otherwise the client could be neither served
    /// nor turned away, and would make the listener ready again and again: a busy loop.
    spare: RefCell<Option<OwnedFd>>,
}

/// Whether a port may have several listeners.
#[derive(Clone, Copy)]
enum Port {
    Alone,
    Shared,
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
        Self::bind_as(addr, backlog, Port::Alone)
    }

    /// The same with `SO_REUSEPORT` (socket(7)): other listeners that ask for it, too, may have the
    /// same port. On Linux the kernel gives each new client to one of them.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind); and where the system has no such option.
    pub fn bind_sharing_port(addr: &str, backlog: i32) -> io::Result<Self> {
        Self::bind_as(addr, backlog, Port::Shared)
    }

    /// A second descriptor for the same listening socket, for another thread (dup(2)).
    ///
    /// # Errors
    ///
    /// EMFILE when no descriptor is free.
    pub fn share(&self) -> io::Result<Self> {
        let socket = self.socket.try_clone()?;
        let spare = RefCell::new(spare(&socket));
        Ok(Self { socket, nonblocking: self.nonblocking.clone(), spare })
    }

    fn bind_as(addr: &str, backlog: i32, port: Port) -> io::Result<Self> {
        let addresses = resolve(addr, "listen on")?;
        let error = match first_to_be_had(&addresses, backlog, port) {
            Ok(socket) => {
                let (nonblocking, spare) = (Cell::new(false), RefCell::new(spare(&socket)));
                return Ok(Self { socket, nonblocking, spare });
            }
            Err(error) => error,
        };
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "is another server still running? try --addr 127.0.0.1:0",
            io::ErrorKind::PermissionDenied => "ports below 1024 are reserved: take a higher one",
            io::ErrorKind::AddrNotAvailable => {
                "that address is not this machine's: try 127.0.0.1 or 0.0.0.0"
            }
            _ if out_of_descriptors(&error) => "raise ulimit -n",
            _ if addresses.iter().all(|&address| lacks_scope(address)) => SCOPE_ADVICE,
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

    /// Whether accept returns at once when no client is waiting.
    ///
    /// A program that asks before it accepts needs this, too. Another process with the same
    /// listener may take the client first. And on a BSD a client that has reset its connection is
    /// no longer there; on Linux accept returns it, and recv fails.
    ///
    /// # Errors
    ///
    /// As ioctl(2) with FIONBIO; none is expected of an open socket.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.nonblocking.set(nonblocking);
        self.socket.set_nonblocking(nonblocking)
    }

    /// One accept(2): the next client, or nothing if there is none. Says who came or was turned
    /// away.
    ///
    /// The connection is non-blocking if the listener is. What goes wrong here concerns the new
    /// client only, and is taken care of ([`failed`](Self::failed)).
    pub fn admit(&self) -> Option<Connection> {
        match self.accept() {
            Ok(connection) => return Some(connection),
            Err(error) => self.failed(&error),
        }
        None
    }

    /// The same, for a program that has to know why there is no client.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when no client is waiting (non-blocking only). Every other error is to be
    /// handed to [`failed`](Self::failed).
    pub fn accept(&self) -> io::Result<Connection> {
        let mut accepted = self.socket.accept();
        if matches!(&accepted, Err(error) if is_emfile(error)) {
            self.give_up_spare();
            accepted = self.socket.accept();
        }
        match accepted {
            Ok((socket, peer)) => self.take_in(socket, peer),
            Err(error) => {
                self.keep_spare();
                Err(error)
            }
        }
    }

    /// What [`admit`](Self::admit) does with a socket, for a program that has the kernel accept in
    /// another way (io_uring).
    pub fn admitted(&self, accepted: io::Result<TcpStream>) -> Option<Connection> {
        let connection = accepted.and_then(|socket| {
            // A client that was reset while it waited has no address any more.
            let peer = socket.peer_addr().map_err(|_| io::ErrorKind::ConnectionAborted)?;
            self.take_in(socket, peer)
        });
        match connection {
            Ok(connection) => return Some(connection),
            // The next one can be accepted with the spare descriptor.
            Err(error) if is_emfile(&error) => self.give_up_spare(),
            Err(error) => self.failed(&error),
        }
        None
    }

    /// Makes a connection of an accepted socket, or turns it away if it took the last descriptor.
    fn take_in(&self, socket: TcpStream, peer: SocketAddr) -> io::Result<Connection> {
        if !self.keep_spare() {
            info!("turning away {peer}: no descriptor is free (ulimit -n)");
            drop(socket);
            self.keep_spare();
            return Err(io::ErrorKind::Interrupted.into());
        }
        let fd = socket.as_raw_fd();
        // BSDs refuse to set an option of a connection that was reset meanwhile.
        let connection =
            Connection::new(socket, peer).map_err(|_| io::ErrorKind::ConnectionAborted)?;
        // On Linux an accepted socket blocks, even if its listener does not (accept(2)).
        if self.nonblocking.get() {
            connection.set_nonblocking(true)?;
        }
        info!("new connection from {peer}, descriptor {fd}");
        Ok(connection)
    }

    /// Closes the spare descriptor, so that one more client can be accepted.
    fn give_up_spare(&self) {
        drop(self.spare.take());
    }

    /// Opens it again, unless it is there. Whether there is one now.
    fn keep_spare(&self) -> bool {
        let mut kept = self.spare.borrow_mut();
        if kept.is_none() {
            *kept = spare(&self.socket);
        }
        kept.is_some()
    }

    /// Accepting a client has failed. No error here is a reason to stop serving the others, and
    /// none may become a busy loop: a client that could not be accepted is still waiting, so the
    /// listener is still ready.
    pub fn failed(&self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
        match (error.kind(), error.raw_os_error().map(Errno::from_raw)) {
            (WouldBlock | Interrupted, _) => {}
            // accept(2), "Error handling": what is already wrong with the new connection is
            // reported here, and means no more than "try the next one".
            (ConnectionAborted, _)
            | (
                _,
                Some(
                    Errno::EPROTO
                    | Errno::ENETDOWN
                    | Errno::ENETUNREACH
                    | Errno::EHOSTDOWN
                    | Errno::EHOSTUNREACH,
                ),
            ) => info!("a client gave up before it was accepted: {}", reason(error)),
            // The whole system is out of descriptors (ENFILE) or memory (ENOBUFS, ENOMEM), or it is
            // something that we do not know. All of it is rare. To do nothing for a moment delays
            // the others by that, and is no busy loop.
            _ => {
                info!("no new client for now: {}", reason(error));
                thread::sleep(MOMENT);
            }
        }
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

/// The process has as many open files as it may.
fn is_emfile(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EMFILE as i32)
}

/// The descriptor that [`Listener`] keeps: a second one for the same socket. Its number is out of
/// the way where that is possible, so that clients have the numbers that the notes print, from 4
/// on.
fn spare(socket: &TcpListener) -> Option<OwnedFd> {
    const OUT_OF_THE_WAY: i32 = 63;
    match fcntl(socket, FcntlArg::F_DUPFD_CLOEXEC(OUT_OF_THE_WAY)) {
        #[expect(unsafe_code, reason = "nix returns a bare number here")]
        // SAFETY: fcntl(2) has just made this descriptor, and nothing else knows it.
        Ok(number) => Some(unsafe { OwnedFd::from_raw_fd(number) }),
        Err(_) => socket.try_clone().ok().map(OwnedFd::from),
    }
}

/// The addresses that `HOST:PORT` stands for: one for `127.0.0.1:8001`, often two for a name.
///
/// An IPv6 address stands in brackets, perhaps with the interface that it belongs to
/// (`[fe80::1%eth0]:8001`): getaddrinfo(3) makes a number of its name. It may ask a name server,
/// and waits for the answer. `to` is for the error: what they are wanted for, as in `connect to`.
///
/// # Errors
///
/// When the host is unknown, with what to do.
pub fn resolve(addr: &str, to: &str) -> io::Result<Vec<SocketAddr>> {
    let scoped = addr.strip_prefix('[').and_then(|rest| rest.split_once("]:"));
    let addresses = match scoped.and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) => (host, port).to_socket_addrs().map(Vec::from_iter),
        None => addr.to_socket_addrs().map(Vec::from_iter),
    };
    let advice = match scoped {
        Some((host, _)) if host.contains('%') => "is there such an interface? ip addr lists them",
        _ => "is the host's name spelled right?",
    };
    match addresses {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        Ok(_) => Err(io::Error::other(format!("cannot {to} {addr}: no address ({advice})"))),
        Err(error) => {
            Err(explained(&error, format!("cannot {to} {addr}: unknown host ({advice})")))
        }
    }
}

/// Whether this address means nothing without an interface: `fe80::1`, but not `fe80::1%eth0`.
pub(crate) fn lacks_scope(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

/// What to do about an address that lacks its interface.
pub(crate) const SCOPE_ADVICE: &str =
    "a link-local address needs its interface behind it: [fe80::1%eth0]:8001";

/// A name often stands for two addresses (localhost: 127.0.0.1 and `::1`), and not every machine
/// has both. But where one of them has a server already, the other is no substitute: we would get
/// half of the clients, and no client could tell which server it has reached.
fn first_to_be_had(addresses: &[SocketAddr], backlog: i32, port: Port) -> io::Result<TcpListener> {
    let mut refusal = io::ErrorKind::AddrNotAvailable.into();
    for &address in addresses {
        match listening_socket(address, backlog, port) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => refusal = error,
            result => return result,
        }
    }
    Err(refusal)
}

fn listening_socket(address: SocketAddr, backlog: i32, port: Port) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A connection that this side closed first stays in TIME_WAIT for a minute and would keep the
    // port from the next server. Two servers at once are still refused (socket(7)).
    socket.set_reuse_address(true)?;
    if let Port::Shared = port {
        share_port(&socket)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

#[cfg(not(any(target_os = "solaris", target_os = "illumos")))]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(any(target_os = "solaris", target_os = "illumos"))]
fn share_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spare_descriptor_leaves_the_low_numbers_to_clients() {
        let listener = Listener::bind("127.0.0.1:0", 5).expect("loopback");
        let spare = listener.spare.take().expect("descriptors are free");
        assert!(spare.as_raw_fd() >= 63, "{spare:?}");
        assert!(listener.keep_spare(), "it is opened again");
    }

    #[test]
    fn nobody_waiting_is_not_an_error() {
        let listener = Listener::bind("127.0.0.1:0", 5).expect("loopback");
        listener.set_nonblocking(true).expect("an open socket");
        assert!(listener.admit().is_none());
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
        listener.set_nonblocking(false).expect("an open socket");
        let connection = listener.admit().expect("one waits");
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
        let error = first_to_be_had(&[taken, free], 5, Port::Alone).expect_err("it has a server");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        first_to_be_had(&[nobodys, free], 5, Port::Alone).expect("the second address can be had");
    }

    #[test]
    fn ipv6_and_names_work() {
        // A machine without IPv6 says so; any other refusal is ours.
        match Listener::bind("[::1]:0", 5) {
            Ok(listener) => assert!(listener.local_addr().expect("bound").is_ipv6()),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable, "{error}"),
        }
        Listener::bind("localhost:0", 5).expect("localhost is this machine");
        let scoped = Listener::bind("[fe80::1%no-such-interface]:1", 5).expect_err("no such thing");
        assert!(scoped.to_string().contains("interface"), "{scoped}");
        let unscoped = Listener::bind("[fe80::1]:0", 5).expect_err("of which network?");
        assert!(unscoped.to_string().contains("needs its interface"), "{unscoped}");
        let error = Listener::bind("no.such.host.invalid:1", 5).expect_err("no such host");
        assert!(error.to_string().contains("unknown host"), "{error}");
    }
}
