//! Step 7: a full queue stops us from reading more from its client.
//!
//! In step 6 a client that sends and never reads decides how much memory the server takes. Here its
//! queue has a high-water mark. Above it we no longer receive; the kernel's buffers fill up, and
//! TCP makes the client wait.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

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
        for client in &mut clients {
            if client.wants_read() {
                client.receive(&mut buffer);
            }
            client.send_queued();
        }
        clients.retain(Client::is_open);
        clients.extend(admit(&listener));
    }
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

    /// Whether to receive: not after the end of input, and not while its queue is full.
    fn wants_read(&self) -> bool {
        !self.input_ended && self.queue.len() < HIGH_WATER
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
