//! Step 1: wait for a client, receive once, send that back, and wait for the next client.
//!
//! The steps grow one server from an empty file, each a whole program. They are told in
//! `docs/en/02b-first-server.md`. An address may be given: `step_1_one_answer 127.0.0.1:0`.

use std::io::{self, Read, Write};
use std::net::TcpListener;

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or("127.0.0.1:8001".into());
    let listener = TcpListener::bind(addr)?;
    println!("listening on {}", listener.local_addr()?);

    let mut buffer = [0; 1024];
    loop {
        let (mut client, peer) = listener.accept()?;
        println!("{peer} has connected");
        let count = client.read(&mut buffer)?;
        client.write_all(&buffer[..count])?;
    }
}
