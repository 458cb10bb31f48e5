//! An echo server on mio: edge-triggered, answers at once.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use peers::{CHUNK, Unsent, listen};
use std::collections::HashMap;
use std::io;

const LISTENER: Token = Token(0);

fn main() -> io::Result<()> {
    let listener = listen()?;
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut clients: HashMap<Token, (TcpStream, Unsent)> = HashMap::new();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; CHUNK];
    let mut next = 1;
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut socket, _)) = listener.accept() {
                    socket.set_nodelay(true)?;
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut socket, Token(next), interest)?;
                    clients.insert(Token(next), (socket, Unsent::default()));
                    next += 1;
                }
            } else if let Some((socket, unsent)) = clients.get_mut(&event.token()) {
                if turn(socket, unsent, &mut buffer).is_err() {
                    clients.remove(&event.token());
                }
            }
        }
    }
}

/// Told once: everything that is there has to be taken now.
fn turn(socket: &mut TcpStream, unsent: &mut Unsent, buffer: &mut [u8]) -> io::Result<()> {
    unsent.send(socket)?;
    // A read that does not fill the buffer has taken all.
    while unsent.is_empty() && unsent.echo(socket, buffer)? == Some(buffer.len()) {}
    Ok(())
}
