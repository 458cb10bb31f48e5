//! Step 2: receive and answer until the client has sent everything.
//!
//! One receive brings some bytes, not a message: half a message, or two. Only the end of input says
//! that the client is done.

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
        loop {
            let count = client.read(&mut buffer)?;
            // No error, and no bytes: the end of input. Without this line the loop would go on
            // reading nothing, without a pause.
            if count == 0 {
                break;
            }
            client.write_all(&buffer[..count])?;
        }
    }
}
