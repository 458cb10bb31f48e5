//! Exercise to chapter 7: finish a server of callbacks on the course's selectors.
//!
//! The loop is there, and calls the function that stands in a key's data: `accept` for the
//! listener, `read` for a client. `read` queues the answer and never sends it. The steps below are
//! yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise selectors  # judges your copy, and says what is next
//! cargo run --example exercise_selectors  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `selectors/src/main.rs`, on any backend.

use common::{Connection, Listener, Reply, ServerArgs};
use log::info;
use selectors::{DefaultSelector, EVENT_READ, SelectorKey};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, RawFd};
use std::process::ExitCode;
use std::rc::Rc;

fn main() -> ExitCode {
    let about =
        "The exercise to chapter 7: a server of callbacks on the best selector of this system";
    common::run(about, Reply::UpperSb, serve)
}

fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = Rc::new(common::listen(args)?);
    listener.set_nonblocking(true)?;
    let mut selector = DefaultSelector::new()?;
    let object: Rc<dyn AsFd> = Rc::clone(&listener) as _;
    selector.register(object, EVENT_READ, Callback(Server::accept))?;
    listener.announce()?;

    let (clients, buffer) = (HashMap::new(), args.buffer());
    let mut server = Server { selector, listener, new_client: false, clients, buffer, reply };
    loop {
        info!("waiting for the next event");
        for (key, _) in server.selector.select(None)? {
            let Callback(callback) = key.data;
            callback(&mut server, &key);
        }
        // Last, so that the descriptors just closed are free again.
        if std::mem::take(&mut server.new_client) {
            server.admit();
        }
    }
}

/// The data of a key: what to call when it is ready.
#[derive(Clone, Copy)]
struct Callback(fn(&mut Server, &Key));

type Key = SelectorKey<Rc<dyn AsFd>, Callback>;

struct Server {
    selector: DefaultSelector<Rc<dyn AsFd>, Callback>,
    listener: Rc<Listener>,
    /// The listener was ready in this turn.
    new_client: bool,
    clients: HashMap<RawFd, Connection>,
    buffer: Vec<u8>,
    reply: Reply,
}

impl Server {
    fn accept(&mut self, _: &Key) {
        self.new_client = true;
    }

    fn admit(&mut self) {
        let Some(mut connection) = self.listener.admit() else { return };
        let socket: Rc<dyn AsFd> = Rc::new(connection.share());
        match self.selector.register(socket, EVENT_READ, Callback(Self::read)) {
            Ok(key) => drop(self.clients.insert(key.fd, connection)),
            Err(error) => connection.lose(&error),
        }
    }

    /// One recv, and the answer to it is queued.
    ///
    /// Step 1. Send it at once (`send_queued`): nearly always there is room.
    ///
    /// Step 3. What one send did not take goes out when there is room: write a function `write`, of
    /// the same form as this one, and have the selector call it (`selector.modify`, EVENT_WRITE)
    /// until the queue is empty; then `read` again. Trap: if you wait for both, you read on and on
    /// from a client that leaves its answers unread. If you always wait for room, you never sleep.
    fn read(&mut self, key: &Key) {
        // It may have been closed by another callback of this batch.
        let Some(connection) = self.clients.get_mut(&key.fd) else { return };
        connection.receive(&mut self.buffer, self.reply);
        if !connection.is_open() {
            self.close(key);
        }
    }

    /// Step 2. Closes a client. Trap: its socket has two owners, and the key in the selector is one
    /// of them (`unregister`).
    fn close(&mut self, key: &Key) {
        self.clients.remove(&key.fd);
    }
}
