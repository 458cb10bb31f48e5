//! Exercise to chapter 7: finish a server of callbacks on the course's selectors.
//!
//! The loop is there, and calls the function that stands in a key's data: `accept` for the
//! listener, `read` for a client. `read` forgets what it reads. The steps in the functions are
//! yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise selectors  # judges this file, and says what is next
//! cargo run --example exercise_selectors  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `selectors/src/main.rs`, on any backend.

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use log::info;
use selectors::{DefaultSelector, EVENT_READ, SelectorKey};
use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, RawFd};
use std::process::ExitCode;
use std::rc::Rc;

/// The exercise to chapter 7: a server of callbacks on the best selector of this system
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::UpperSb)]
    reply: Reply,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

fn serve(args: &Args) -> io::Result<()> {
    let mut server = Server {
        selector: DefaultSelector::new()?,
        listener: Rc::new(common::listen(&args.server)?),
        accepting: false,
        clients: HashMap::new(),
        reply: args.reply,
        buffer: args.server.buffer(),
    };
    server.listener.set_nonblocking(true)?;
    server.listener.announce()?;
    loop {
        server.watch_listener()?;
        info!("waiting for the next event");
        for (key, _) in server.selector.select(server.listener.timeout())? {
            let Callback(callback) = key.data;
            callback(&mut server, &key);
        }
    }
}

/// The data of a key: what to call when it is ready.
#[derive(Clone, Copy)]
struct Callback(fn(&mut Server, &Key));

type Key = SelectorKey<dyn AsFd, Callback>;

struct Server {
    selector: DefaultSelector<dyn AsFd, Callback>,
    listener: Rc<Listener>,
    /// The listener is registered.
    accepting: bool,
    clients: HashMap<RawFd, Connection<Rc<TcpStream>>>,
    reply: Reply,
    buffer: Vec<u8>,
}

impl Server {
    /// Not while accepting is paused: it would be ready at every turn.
    fn watch_listener(&mut self) -> io::Result<()> {
        let wanted = self.listener.wants_read();
        if wanted && !self.accepting {
            let listener: Rc<dyn AsFd> = Rc::clone(&self.listener) as _;
            self.selector.register(listener, EVENT_READ, Callback(Self::accept))?;
        } else if self.accepting && !wanted {
            self.selector.unregister(&self.listener)?;
        }
        self.accepting = wanted;
        Ok(())
    }

    fn accept(&mut self, _: &Key) {
        match self.listener.accept() {
            Ok(Some(connection)) => {
                let peer = connection.peer();
                match self.register(connection.share()) {
                    Ok(()) => info!("new connection from {peer}"),
                    Err(error) => info!("turning away {peer}: {}", reason(&error)),
                }
            }
            Ok(None) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    fn register(&mut self, connection: Connection<Rc<TcpStream>>) -> io::Result<()> {
        connection.set_nonblocking(true)?;
        let socket: Rc<dyn AsFd> = Rc::clone(connection.socket()) as _;
        let key = self.selector.register(socket, EVENT_READ, Callback(Self::read))?;
        self.clients.insert(key.fd, connection);
        Ok(())
    }

    /// One recv.
    ///
    /// Step 1. Answer into the client's queue (`reply`), and send at once.
    ///
    /// Step 3. What one send did not take goes out when there is room: write a function `write`, of
    /// the same form as this one, and have the selector call it (`selector.modify`, EVENT_WRITE)
    /// until the queue is empty; then `read` again. Trap: who waits for both reads on and on from a
    /// client that leaves its answers unread; who waits for room all the time never sleeps.
    fn read(&mut self, key: &Key) {
        // Closed by another callback of this batch.
        let Some(connection) = self.clients.get_mut(&key.fd) else { return };
        let peer = connection.peer();
        match connection.recv(&mut self.buffer) {
            Ok(0) => self.close(key),
            Ok(count) => {
                let reply = self.reply;
                info!("{reply:?} of {} is due to {peer}", preview(&self.buffer[..count]));
            }
            Err(error) if would_block(&error) => {}
            Err(_) => self.close(key),
        }
    }

    /// Step 2. Closes a client. Trap: its socket has two owners, and the key in the selector is one
    /// of them (`unregister`). Afterwards accepting may go on, if it was paused (`resume`).
    fn close(&mut self, key: &Key) {
        self.clients.remove(&key.fd);
    }
}
