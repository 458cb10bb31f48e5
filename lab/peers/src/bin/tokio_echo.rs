//! An echo server on tokio: one thread, a task for each client.

use peers::listen;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A task keeps its buffer, so it is smaller than the others' one.
const BUFFER: usize = 16 << 10;

fn main() -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(serve())
}

async fn serve() -> io::Result<()> {
    let listener = listen()?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(converse(socket));
    }
}

async fn converse(mut socket: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        socket.write_all(&buffer[..count]).await?;
    }
}
