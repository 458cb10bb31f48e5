//! Step 9: select is asked only for what the loop will act on.
//!
//! In step 8 select returns at once, every time, because every idle client is writable. Here a
//! client is watched for room only while something is queued for it, and for input only while its
//! input is wanted.

use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

/// No more is received from a client with this many bytes queued.
const HIGH_WATER: usize = 64 * 1024;

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or("127.0.0.1:8001".into());
    let listener = TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    say(&format!("listening on {}", listener.local_addr()?));

    let mut clients: Vec<Client> = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let ready = wait(&listener, &clients)?;
        for n in ready.readable {
            clients[n].receive(&mut buffer);
        }
        for n in ready.writable {
            clients[n].send_queued();
        }
        // Only now, when no position is used any more.
        clients.retain(Client::is_open);
        if ready.new_client {
            clients.extend(admit(&listener));
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

/// Accepts a client, if one is waiting.
fn admit(listener: &TcpListener) -> Option<Client> {
    match listener.accept().and_then(|(socket, peer)| Client::new(socket, peer)) {
        Ok(client) => return Some(client),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(error) => say(&format!("no new client: {error}")),
    }
    None
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
