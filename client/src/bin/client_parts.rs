//! A message in four parts over two sockets.
//!
//! S4's `client.py`, and its transcript line for line (port numbers apart) against a server that
//! answers as S4's does: it lets one watch a server tell two clients apart.
//!
//! ```text
//! cargo run -p select -- --reply received
//! cargo run -p client --bin client_parts
//! ```
//!
//! Watch for: the first socket sends parts one and three, the second two and four, and each gets
//! the answers to its own parts. All of it blocks: a server that does not answer holds it up for
//! ever, and `client` is the program that would not mind.
//!
//! Its limit is S4's: one recv is taken for one answer, and TCP has no such thing. An answer longer
//! than 1024 bytes, or one that comes in two pieces, is printed in part, and its rest is taken for
//! the answer to the next part. Answers this short, one at a time, come whole in practice; a real
//! protocol says where a message ends (a newline, a length before it).

use clap::Parser;
use client::write_out;
use common::{Connection, DEFAULT_ADDR, explained, host_port, python_bytes, reason};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

const PARTS: [&str; 4] = ["This is ", "the message. ", "It will be sent ", "in parts."];

/// Send a message in four parts over two connections, as S4 does, and print what comes back
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(long, value_name = "HOST:PORT", default_value = DEFAULT_ADDR, value_parser = host_port)]
    addr: String,
}

/// One of the two sockets.
struct Client {
    /// `None` once the server closed it. Python's closed socket stays in its list and fails at the
    /// next use; here there is nothing left to use.
    connection: Option<Connection>,
    /// Our own end, as Python writes it. Asked for once: a dead socket may no longer know.
    name: String,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::outcome(send_in_parts(&args.addr))
}

fn send_in_parts(addr: &str) -> io::Result<()> {
    let (host, port) = addr.rsplit_once(':').expect("checked by host_port");
    let host = host.trim_matches(['[', ']']);
    say(&format!("connecting to {host} port {port}"))?;
    let mut clients = [connect(addr)?, connect(addr)?];
    let mut answered = 0;
    for (number, part) in PARTS.iter().enumerate() {
        let client = &mut clients[number % 2];
        match client.exchange(part.as_bytes()) {
            Ok(true) => answered += 1,
            Ok(false) => {}
            Err(error) => {
                let _ = writeln!(io::stderr(), "client_parts: {}: {}", client.name, reason(&error));
                client.connection = None;
            }
        }
    }
    if answered < PARTS.len() {
        return Err(io::Error::other(format!(
            "{answered} of {} parts were answered: the server closed a connection too early",
            PARTS.len()
        )));
    }
    Ok(())
}

fn connect(addr: &str) -> io::Result<Client> {
    let connection = common::connect(addr)?;
    let name = python_address(connection.socket().local_addr()?);
    Ok(Client { connection: Some(connection), name })
}

impl Client {
    /// Sends one part and waits for what is taken to be its answer: whether there was one.
    fn exchange(&mut self, part: &[u8]) -> io::Result<bool> {
        let Some(connection) = &mut self.connection else {
            return Ok(false);
        };
        say(&format!("{}: sending {}", self.name, python_bytes(part)))?;
        connection.queue_mut().push(part);
        // S4 calls send once and looks no further; a send may take less than it was given.
        while connection.wants_write() {
            connection.send()?;
        }
        // The limit of this client, see above: up to 1024 bytes of whatever is there.
        let mut buffer = [0; 1024];
        let count = connection.recv(&mut buffer)?;
        say(&format!("{}: received {}", self.name, python_bytes(&buffer[..count])))?;
        if count == 0 {
            self.connection = None;
        }
        Ok(count > 0)
    }
}

/// An address as Python's `getsockname` gives it, a tuple: two values for IPv4, four for IPv6.
fn python_address(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    match address {
        SocketAddr::V4(_) => format!("('{ip}', {port})"),
        SocketAddr::V6(v6) => format!("('{ip}', {port}, {}, {})", v6.flowinfo(), v6.scope_id()),
    }
}

/// A line of the transcript. The parts are sent whether or not it still has a reader; a transcript
/// that cannot be kept (a full disk) is another matter.
fn say(line: &str) -> io::Result<()> {
    match write_out(format!("{line}\n").as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let sentence = format!("cannot write the transcript: {}", reason(&error));
            Err(explained(&error, sentence))
        }
        _ => Ok(()),
    }
}
