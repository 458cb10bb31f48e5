//! Step 10: the server goes on where a limit is reached.
//!
//! Two limits meet step 9. A set of select has room for the descriptors 0 to 1023, and nix panics
//! at 1024. And a process may have only so many descriptors: accept fails (EMFILE), the client
//! stays in the accept queue, and the listener stays readable, so select never sleeps again.
//!
//! This is the whole server. The course's program, `select/src/main.rs`, is the same with the
//! repeated parts in `common`.

use nix::errno::Errno;
use nix::sys::select::{FD_SETSIZE, FdSet, select};
use socket2::SockRef;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// No more is received from a client with this many bytes queued.
const HIGH_WATER: usize = 64 * 1024;

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or("127.0.0.1:8001".into());
    let mut listener = Listener::bind(&addr)?;
    say(&format!("listening on {}", listener.socket.local_addr()?));

    let mut clients: Vec<Client> = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let ready = wait(&listener.socket, &clients)?;
        for n in ready.readable {
            clients[n].receive(&mut buffer);
        }
        for n in ready.writable {
            clients[n].send_queued();
        }
        // Only now, when no position is used any more.
        clients.retain(Client::is_open);
        if ready.new_client {
            clients.extend(listener.admit());
        }
    }
}

/// What select gave back. A client is its position in the list.
struct Ready {
    new_client: bool,
    readable: Vec<usize>,
    writable: Vec<usize>,
}

/// Says what to watch, sleeps until some of it is ready, and finds out what is.
fn wait(listener: &TcpListener, clients: &[Client]) -> io::Result<Ready> {
    // select writes its result into the sets, so they are filled again for each call.
    let (mut inputs, mut outputs) = (FdSet::new(), FdSet::new());
    inputs.insert(listener.as_fd());
    for client in clients {
        // After the end of input a socket stays readable, and select would return at once.
        if client.wants_read() {
            inputs.insert(client.fd());
        }
        // A socket nearly always has room, and select would return at once.
        if client.wants_write() {
            outputs.insert(client.fd());
        }
    }
    match select(None, &mut inputs, &mut outputs, None, None) {
        Ok(_) => {}
        // A signal came first. Nothing is known to be ready, so ask again.
        Err(Errno::EINTR) => return wait(listener, clients),
        Err(error) => return Err(error.into()),
    }
    let within = |set: &FdSet| -> Vec<usize> {
        (0..clients.len()).filter(|&n| set.contains(clients[n].fd())).collect()
    };
    let new_client = inputs.contains(listener.as_fd());
    Ok(Ready { new_client, readable: within(&inputs), writable: within(&outputs) })
}

struct Listener {
    socket: TcpListener,
    /// A descriptor kept for the moment when no other is free.
    spare: Option<TcpListener>,
}

impl Listener {
    fn bind(addr: &str) -> io::Result<Self> {
        let socket = TcpListener::bind(addr)?;
        socket.set_nonblocking(true)?;
        let spare = Some(socket.try_clone()?);
        Ok(Self { socket, spare })
    }

    /// Accepts a client, if one is waiting, or turns it away.
    fn admit(&mut self) -> Option<Client> {
        let mut accepted = self.socket.accept();
        if matches!(&accepted, Err(error) if error.raw_os_error() == Some(Errno::EMFILE as i32)) {
            // Give up the spare descriptor: that is enough to accept the client, and to close its
            // connection. Otherwise it would stay in the accept queue.
            self.spare = None;
            accepted = self.socket.accept();
        }
        let has_spare = self.keep_spare();
        match accepted {
            Ok((socket, peer)) if !has_spare => {
                say(&format!("turning away {peer}: no descriptor is free"));
                drop(socket);
                self.keep_spare();
            }
            Ok((socket, peer)) if !fits(&socket) => {
                say(&format!("turning away {peer}: select cannot watch its descriptor"));
            }
            Ok((socket, peer)) => match Client::new(socket, peer) {
                Ok(client) => return Some(client),
                Err(error) => say(&format!("lost {peer}: {error}")),
            },
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => say(&format!("no new client: {error}")),
        }
        None
    }

    /// Opens the spare descriptor again, unless it is there. Whether there is one now.
    fn keep_spare(&mut self) -> bool {
        if self.spare.is_none() {
            self.spare = self.socket.try_clone().ok();
        }
        self.spare.is_some()
    }
}

/// Whether select can watch it: what counts is the descriptor's number, not how many there are.
fn fits(socket: &TcpStream) -> bool {
    usize::try_from(socket.as_raw_fd()).is_ok_and(|number| number < FD_SETSIZE)
}

struct Client {
    socket: TcpStream,
    peer: SocketAddr,
    /// Answers that the kernel has not taken yet.
    queue: VecDeque<u8>,
    /// The client sends no more. It may still read, so what is queued goes out first.
    input_ended: bool,
    /// An error ended the connection.
    broken: bool,
}

impl Client {
    fn new(socket: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        say(&format!("{peer} has connected"));
        socket.set_nodelay(true)?;
        // The kernel asks an idle client now and then whether it is still there (SO_KEEPALIVE).
        SockRef::from(&socket).set_keepalive(true)?;
        // On Linux an accepted socket does not inherit this from its listener.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, peer, queue: VecDeque::new(), input_ended: false, broken: false })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether to receive: not after the end of input, and not while its queue is full.
    fn wants_read(&self) -> bool {
        !self.input_ended && self.queue.len() < HIGH_WATER
    }

    /// Whether to watch for room: only while something is queued.
    fn wants_write(&self) -> bool {
        !self.queue.is_empty()
    }

    /// One receive. The answer to what it brings is queued.
    fn receive(&mut self, buffer: &mut [u8]) {
        match self.socket.read(buffer) {
            Ok(0) => self.input_ended = true,
            Ok(count) => self.queue.extend(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.lose(&error),
        }
    }

    /// One send of what is queued. It may take a part, or nothing; the rest stays queued.
    fn send_queued(&mut self) {
        // The queue is a ring, so its bytes may lie in two pieces.
        let (front, _) = self.queue.as_slices();
        if front.is_empty() {
            return;
        }
        match self.socket.write(front) {
            Ok(count) => drop(self.queue.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.lose(&error),
        }
    }

    /// An error ends this connection, and no other.
    fn lose(&mut self, error: &io::Error) {
        say(&format!("lost {}: {error}", self.peer));
        self.broken = true;
        self.queue.clear();
    }

    /// Whether to keep it: not after an error, nor when all has come and all is sent.
    fn is_open(&self) -> bool {
        !(self.broken || self.input_ended && self.queue.is_empty())
    }
}

/// Prints a line. If nobody reads our output any more, `println!` would panic and end the server.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
