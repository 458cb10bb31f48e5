//! One thread, many clients, and no call waits: every socket is asked, again and again.
//!
//! The server of note S2, section 3. Listener and connections are non-blocking: where a call would
//! have to wait it returns at once and says so (EAGAIN). So one thread can look after all clients:
//! accept, then recv and send for each client in turn, and from the beginning again. What is
//! missing is something that says when it is worth asking.
//!
//! ```text
//! cargo run -p nonblocking       # in one terminal
//! cargo run -p client            # in another, or in several
//! ```
//!
//! Watch `top`: one CPU is busy from the first moment, before any client has connected. And watch
//! what is said when a client leaves: `was asked 1234567 times, 1234564 in vain`. Only calls that
//! had a result are narrated. The others are counted, for there are hundreds of thousands each
//! second.
//!
//! Limits: it never sleeps, so it costs a whole CPU whatever there is to do, which is the lesson,
//! and the one point of the course's contract that it cannot keep. With many clients a turn takes
//! long, and each message waits for its turn. `select` asks the same questions, but inside the
//! kernel, which knows when to stop asking.

use common::{Connection, Reply, ServerArgs, would_block};
use log::info;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    common::run("A server that never waits: it asks every socket, always", Reply::Upper, serve)
}

/// A loop without a wait: no call in it waits, so no client keeps the others waiting.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    // `admit` then makes each connection non-blocking as well. It has to: on Linux an accepted
    // socket starts out blocking, whatever its listener is, and the server would wait in recv for
    // its first idle client.
    listener.set_nonblocking(true)?;
    listener.announce()?;

    let mut clients: Vec<Client> = Vec::new();
    let mut accepts_in_vain = 0;
    let mut buffer = args.buffer();
    loop {
        // One recv and one send for each client and turn, however much it sends: a client that was
        // asked until it has no more would keep the others waiting for as long as it likes.
        for client in &mut clients {
            client.receive(&mut buffer, reply);
            client.send();
        }
        clients.retain(Client::is_open);
        // Last, so that the descriptors just closed are free again. Nearly always no client waits.
        match listener.admit() {
            Some(connection) => {
                info!("accept in vain before: {}", std::mem::take(&mut accepts_in_vain));
                clients.push(Client { connection, asked: 0, in_vain: 0, no_room: false });
            }
            None => accepts_in_vain += 1,
        }
    }
}

struct Client {
    connection: Connection,
    /// How many times recv and send were called for this client, and how many of those times there
    /// was nothing to receive or no room to send.
    asked: u64,
    in_vain: u64,
    /// The last send was in vain. It is made again in each turn, but not narrated again.
    no_room: bool,
}

impl Client {
    /// Asks whether this client has sent something. If not, recv says so (EAGAIN), and the next
    /// turn asks again.
    fn receive(&mut self, buffer: &mut [u8], reply: Reply) {
        // Not after the end of its input: recv would say so again in each turn, successfully.
        if self.connection.wants_read() {
            self.asked += 1;
            let received = self.connection.receive(buffer, reply);
            self.in_vain += u64::from(received.is_none() && self.connection.wants_read());
        }
    }

    /// Offers what is queued for this client, if anything is. What the kernel does not take stays
    /// queued and is offered again. With recv and send under one `except`, as many a Python server
    /// has them, what was received but could not be sent is lost.
    fn send(&mut self) {
        if !self.connection.wants_write() {
            return;
        }
        let (peer, before) = (self.connection.peer(), self.connection.queue().len());
        self.asked += 1;
        if self.no_room {
            match self.connection.send() {
                Ok(sent) => info!("{} bytes left for {peer}", before - sent),
                Err(error) if would_block(&error) => {}
                Err(error) => self.connection.lose(&error),
            }
        } else {
            self.connection.send_queued();
        }
        let in_vain = self.connection.queue().len() == before;
        if in_vain && !self.no_room {
            info!("no room for {peer}: {before} bytes left");
        }
        self.in_vain += u64::from(in_vain);
        self.no_room = in_vain;
    }

    /// Whether to keep it.
    fn is_open(&self) -> bool {
        let is_open = self.connection.is_open();
        if !is_open {
            let peer = self.connection.peer();
            info!("{peer} was asked {} times, {} in vain", self.asked, self.in_vain);
        }
        is_open
    }
}
