//! What the three servers share: where they listen, and bytes that the kernel would not take yet.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpListener;

/// As the course's servers: what one recv may take. Larger than their default, which is the notes'.
pub const CHUNK: usize = 64 << 10;

/// Listens where `--addr HOST:PORT` says, and says so.
///
/// # Errors
///
/// When the port is taken, or the address makes no sense.
pub fn listen() -> io::Result<TcpListener> {
    let mut args = std::env::args().skip_while(|arg| arg != "--addr").skip(1);
    let listener = TcpListener::bind(args.next().as_deref().unwrap_or("127.0.0.1:0"))?;
    println!("listening on {}", listener.local_addr()?);
    Ok(listener)
}

/// What is still to be sent to one client.
#[derive(Default)]
pub struct Unsent(Vec<u8>);

impl Unsent {
    /// Nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sends what the kernel takes of the rest.
    ///
    /// # Errors
    ///
    /// The connection's end.
    pub fn send(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while !self.0.is_empty() {
            match socket.write(&self.0) {
                Ok(count) => drop(self.0.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Receives once and sends it back at once; what the kernel does not take is kept. `None`:
    /// there was nothing to receive.
    ///
    /// # Errors
    ///
    /// The connection's end, also the orderly one.
    pub fn echo(
        &mut self,
        socket: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<Option<usize>> {
        match socket.read(buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                let sent = match socket.write(&buffer[..count]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                    sent => sent?,
                };
                self.0.extend_from_slice(&buffer[sent..count]);
                Ok(Some(count))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}
