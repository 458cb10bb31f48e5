//! Exercise to chapter 6: finish a server on epoll(7), level-triggered.
//!
//! Loop, accept, receive and send are there. But the kernel is told once what to watch a client
//! for, and never again. The steps in the functions are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise epoll  # judges this file, and says what is next
//! cargo run --example exercise_epoll  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `epoll/src/main.rs`. Linux only; elsewhere the program says so.

#[path = "../src/system.rs"]
mod system;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use log::info;
use slotmap::{DefaultKey, Key, SlotMap};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;
use system::{Batch, Epoll, EpollEvent, EpollFlags, Flags, key, token};

/// The exercise to chapter 6: an echo server on epoll(7), level-triggered
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

fn serve(args: &Args) -> io::Result<()> {
    let mut server = Server {
        listener: common::listen(&args.server)?,
        epoll: system::create()?,
        clients: SlotMap::new(),
        reply: args.reply,
        buffer: args.server.buffer(),
    };
    server.listener.set_nonblocking(true)?;
    let null = token(DefaultKey::null());
    server.epoll.add(&server.listener, EpollEvent::new(EpollFlags::EPOLLIN, null))?;
    server.listener.announce()?;
    let mut batch = vec![EpollEvent::empty(); 256];
    loop {
        server.watch_listener()?;
        let count = server.wait(&mut batch)?;
        for event in &batch[..count] {
            match key(event) {
                client if client.is_null() => server.accept(),
                client => server.handle(client, event.events()),
            }
        }
    }
}

struct Server {
    listener: Listener,
    epoll: Epoll,
    clients: SlotMap<DefaultKey, Client>,
    reply: Reply,
    buffer: Vec<u8>,
}

struct Client {
    connection: Connection,
    /// What the kernel was last told to watch it for.
    interest: EpollFlags,
}

impl Server {
    /// Step 2. A signal (EINTR; SIGSTOP and SIGCONT are enough) came first: nothing is ready then,
    /// and nothing is wrong. Trap: `?` ends the server of everybody.
    fn wait(&mut self, batch: &mut [EpollEvent]) -> io::Result<usize> {
        info!("waiting for the next event");
        let count = self.epoll.wait(batch, system::timeout(self.listener.timeout()))?;
        info!("ready: {}", Batch(&batch[..count], |client| self.number(client)));
        Ok(count)
    }

    /// Not while accepting is paused: it would be reported at every turn.
    fn watch_listener(&mut self) -> io::Result<()> {
        let wanted = self.listener.wants_read();
        let interest = if wanted { EpollFlags::EPOLLIN } else { EpollFlags::empty() };
        let mut event = EpollEvent::new(interest, token(DefaultKey::null()));
        Ok(self.epoll.modify(&self.listener, &mut event)?)
    }

    fn accept(&mut self) {
        match self.listener.accept() {
            Ok(Some(connection)) if connection.set_nonblocking(true).is_ok() => {
                info!("new connection from {}", connection.peer());
                let interest = EpollFlags::EPOLLIN;
                let client = self.clients.insert(Client { connection, interest });
                let event = EpollEvent::new(interest, token(client));
                if self.epoll.add(&self.clients[client].connection, event).is_err() {
                    self.clients.remove(client);
                }
            }
            Ok(_) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    /// EPOLLHUP and EPOLLERR come unasked: recv and send say what they mean.
    fn handle(&mut self, client: DefaultKey, flags: EpollFlags) {
        // Closed since the kernel wrote the batch.
        let Some(Client { connection, .. }) = self.clients.get_mut(client) else { return };
        let broken = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        if flags.intersects(EpollFlags::EPOLLIN | broken) && connection.wants_read() {
            receive(connection, self.reply, &mut self.buffer);
        }
        if flags.intersects(EpollFlags::EPOLLOUT | broken) && connection.wants_write() {
            send(connection);
        }
        if connection.is_finished() {
            self.close(client);
        } else {
            self.watch(client);
        }
    }

    /// Step 1. Tell the kernel what to watch this client for from now on (`epoll.modify`): input
    /// while we want to read, room while something is queued. Trap: what is watched and ready is
    /// reported every time, wanted or not. And to tell it what it knows costs a system call.
    fn watch(&mut self, client: DefaultKey) {
        let Client { connection, interest } = &self.clients[client];
        info!("{} is watched for {} as before", connection.peer(), Flags(*interest));
    }

    /// Step 3. Drop this client: that closes its descriptor, and the kernel forgets it. Then
    /// accepting may go on, if it was paused (`resume`). Trap: somebody later in the batch may be
    /// this client, and the next client may get its number. What does `handle` do about that?
    fn close(&mut self, client: DefaultKey) {
        info!("{} is finished, and stays", self.clients[client].connection.peer());
    }

    fn number(&self, client: DefaultKey) -> Option<i32> {
        let client = self.clients.get(client)?;
        Some(client.connection.as_fd().as_raw_fd())
    }
}

fn receive(connection: &mut Connection, reply: Reply, buffer: &mut [u8]) {
    match connection.recv(buffer) {
        Ok(count) => {
            info!("received {} from {}", preview(&buffer[..count]), connection.peer());
            reply.answer(&buffer[..count], connection.queue_mut());
        }
        Err(error) if would_block(&error) => {}
        Err(_) => connection.abandon(),
    }
}

fn send(connection: &mut Connection) {
    match connection.send() {
        Ok(count) => info!("sent {count} bytes to {}", connection.peer()),
        Err(error) if would_block(&error) => {}
        Err(_) => connection.abandon(),
    }
}
