//! An echo server on smol's polling, level-triggered, answers at once.

use peers::{CHUNK, Unsent, listen};
use polling::{Event, Events, PollMode, Poller};
use std::collections::HashMap;
use std::io;
use std::net::TcpStream;

const LISTENER: usize = 0;

fn main() -> io::Result<()> {
    let listener = listen()?;
    listener.set_nonblocking(true)?;
    let poller = Poller::new()?;
    // SAFETY: the listener lives as long as the poller.
    unsafe { poller.add_with_mode(&listener, Event::readable(LISTENER), PollMode::Level)? };
    let mut clients: HashMap<usize, (TcpStream, Unsent)> = HashMap::new();
    let mut events = Events::new();
    let mut buffer = vec![0; CHUNK];
    let mut next = LISTENER + 1;
    loop {
        events.clear();
        poller.wait(&mut events, None)?;
        for event in events.iter() {
            if event.key == LISTENER {
                while let Ok((socket, _)) = listener.accept() {
                    socket.set_nonblocking(true)?;
                    socket.set_nodelay(true)?;
                    // SAFETY: it is deleted below before it is dropped.
                    unsafe {
                        poller.add_with_mode(&socket, Event::readable(next), PollMode::Level)?
                    };
                    clients.insert(next, (socket, Unsent::default()));
                    next += 1;
                }
            } else if let Some((socket, unsent)) = clients.get_mut(&event.key) {
                let waited = !unsent.is_empty();
                let done = if waited {
                    unsent.send(socket)
                } else {
                    unsent.echo(socket, &mut buffer).map(drop)
                };
                let waits = !unsent.is_empty();
                if done.is_err() {
                    poller.delete(&*socket)?;
                    clients.remove(&event.key);
                } else if waits != waited {
                    let interest = Event::new(event.key, !waits, waits);
                    poller.modify_with_mode(&*socket, interest, PollMode::Level)?;
                }
            }
        }
    }
}
