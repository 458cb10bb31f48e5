//! Step 3: an error ends one connection, and the server goes on.
//!
//! In step 2 one client that breaks off ends the server for everybody, and so does a reader of its
//! output that goes away.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or("127.0.0.1:8001".into());
    let listener = TcpListener::bind(addr)?;
    say(&format!("listening on {}", listener.local_addr()?));

    let mut buffer = [0; 1024];
    loop {
        match listener.accept() {
            Ok((mut client, peer)) => {
                say(&format!("{peer} has connected"));
                if let Err(error) = converse(&mut client, &mut buffer) {
                    say(&format!("lost {peer}: {error}"));
                }
            }
            Err(error) => say(&format!("no new client: {error}")),
        }
    }
}

/// Receives and answers until the client has sent everything, or something goes wrong.
fn converse(client: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        let count = client.read(buffer)?;
        if count == 0 {
            return Ok(());
        }
        client.write_all(&buffer[..count])?;
    }
}

/// Prints a line. If nobody reads our output any more, `println!` would panic and end the server.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
