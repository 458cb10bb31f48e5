//! Step 5: many clients on one thread, because no call waits.
//!
//! In step 4 one client is served, and the others wait until it leaves. Here every socket is
//! non-blocking. Where a call would have to wait it fails with `WouldBlock`, and the loop goes on
//! to the next client.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or("127.0.0.1:8001".into());
    let listener = TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    say(&format!("listening on {}", listener.local_addr()?));

    let mut clients: Vec<TcpStream> = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        clients.retain_mut(|client| {
            turn(client, &mut buffer).unwrap_or_else(|error| {
                say(&format!("lost a client: {error}"));
                false
            })
        });
        match admit(&listener) {
            Ok(client) => clients.push(client),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => say(&format!("no new client: {error}")),
        }
    }
}

/// Accepts a client. The error is `WouldBlock` if none is waiting.
fn admit(listener: &TcpListener) -> io::Result<TcpStream> {
    let (client, peer) = listener.accept()?;
    say(&format!("{peer} has connected"));
    client.set_nodelay(true)?;
    // On Linux an accepted socket does not inherit this from its listener.
    client.set_nonblocking(true)?;
    Ok(client)
}

/// One receive and its answer, if something has come. Returns true to keep the client.
fn turn(client: &mut TcpStream, buffer: &mut [u8]) -> io::Result<bool> {
    let count = match client.read(buffer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
        result => result?,
    };
    client.write_all(&buffer[..count])?;
    Ok(count > 0)
}

/// Prints a line. If nobody reads our output any more, `println!` would panic and end the server.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
