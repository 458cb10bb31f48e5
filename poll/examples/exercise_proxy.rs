//! Exercise to chapter 19: finish a proxy on poll(2).
//!
//! It is the proxy that most people write first. What one side sends goes to the other at once, the
//! end of one side closes both, and an error ends the program. It passes messages on, and falls
//! short as soon as a side ends, breaks, or does not read. The steps below are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise proxy  # judges your copy, and says what is next
//! cargo run --example exercise_proxy -- --to 127.0.0.1:8002  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `poll/src/bin/proxy.rs`. It connects without blocking, which no check sees on
//! loopback: chapter 19 shows how.

use clap::Parser;
use common::{Connection, Listener, ServerArgs, host_port, preview, reason};
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use poll::{Shown, refused, reported};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::process::ExitCode;

/// The exercise to chapter 19: a proxy on poll(2)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// The server to hand on to
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    to: String,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

fn serve(args: &Args) -> io::Result<()> {
    let to = common::resolve(&args.to, "hand on to")?;
    let listener = common::listen(&args.server)?;
    listener.set_nonblocking(true)?;
    listener.announce()?;

    let mut pairs: Vec<Pair> = Vec::new();
    let mut buffer = args.server.buffer();
    loop {
        let ready = wait(&listener, &pairs)?;
        for &(n, which, _flags) in &ready.sides {
            // Step 2. A reset of one connection ends its pair, and neither the program nor another
            // pair. Trap: if you only close the other side, it reads an end and takes what it has
            // for all there was. A reset says that something is missing: `SockRef::set_linger`
            // (socket2) with a time of zero, before the close.
            pairs[n].handle(which, &mut buffer)?;
        }
        pairs.retain(|pair| !pair.over);
        if ready.new_client {
            pairs.extend(listener.admit().and_then(|client| Pair::new(client, &to)));
        }
    }
}

/// A client, and our connection to the server for it.
struct Pair {
    client: Connection,
    server: Connection,
    /// To be closed at the end of the turn.
    over: bool,
}

#[derive(Clone, Copy)]
enum Which {
    Client,
    Server,
}

impl Pair {
    /// Connects to the server. If that fails, the client is turned away.
    fn new(client: Connection, to: &[SocketAddr]) -> Option<Self> {
        // Step 3. No call may block except poll, or one reader that has stopped stops all pairs.
        // So make both sockets non-blocking. Trap: then a send may take a part, or nothing, so this
        // step needs step 4.
        let connected = client.set_nonblocking(false).and_then(|()| {
            let server = TcpStream::connect(to)?;
            let peer = server.peer_addr()?;
            Connection::new(server, peer)
        });
        match connected {
            Ok(server) => {
                info!("connected to {} for {}", server.peer(), client.peer());
                Some(Self { client, server, over: false })
            }
            Err(error) => {
                info!("turning away {}: cannot connect: {}", client.peer(), reason(&error));
                None
            }
        }
    }

    /// What to watch a side for.
    fn events(&self, which: Which) -> PollFlags {
        let (side, other) = match which {
            Which::Client => (&self.client, &self.server),
            Which::Server => (&self.server, &self.client),
        };
        info!("{} hands on to {}", side.peer(), other.peer());
        PollFlags::POLLIN
    }

    /// Step 4. What is received waits in the queue of the side that it goes to (`queue_mut`). It is
    /// sent when poll reports room there (`wants_write`, `send_queued`). Trap: while that queue is
    /// full (`is_full`), the side that fills it must not be read, and so not be watched for input.
    /// An end comes behind the bytes: tell it only when the queue is empty. And a socket that has
    /// ended in both directions reports POLLHUP, asked or not: until its turn, leave it out.
    fn handle(&mut self, which: Which, buffer: &mut [u8]) -> io::Result<()> {
        let (side, other) = match which {
            Which::Client => (&mut self.client, &mut self.server),
            Which::Server => (&mut self.server, &mut self.client),
        };
        let count = side.recv(buffer)?;
        if count == 0 {
            // Step 1. This side sends no more, and may still read. So tell the other one the same
            // (`shut_down_sending`), and close both when both have ended (`input_ended`). Trap: an
            // end is reported at every call of poll, so do not ask for input any more.
            self.over = true;
        } else {
            info!("received {} from {}", preview(&buffer[..count]), side.peer());
            let mut socket = other.socket();
            socket.write_all(&buffer[..count])?;
        }
        Ok(())
    }
}

/// What poll reported. A pair is its position in the list.
struct Ready {
    new_client: bool,
    sides: Vec<(usize, Which, PollFlags)>,
}

/// Says what to watch, sleeps until some of it is ready, and finds out what is.
fn wait(listener: &Listener, pairs: &[Pair]) -> io::Result<Ready> {
    let mut list = vec![PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    let mut whose = Vec::new();
    for (n, pair) in pairs.iter().enumerate() {
        for (which, side) in [(Which::Client, &pair.client), (Which::Server, &pair.server)] {
            list.push(PollFd::new(side.as_fd(), pair.events(which)));
            whose.push((n, which));
        }
    }
    info!("waiting for the next event: {}", Shown(&list, PollFd::events));

    match poll(&mut list, PollTimeout::NONE) {
        // EINTR: a signal came first, and no entry is marked.
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(refused(errno, list.len())),
    }
    info!("ready: {}", Shown(&list, reported));

    let mut flags = list.iter().map(reported);
    let new_client = flags.next().is_some_and(|listener| !listener.is_empty());
    let sides = whose.into_iter().zip(flags).map(|((n, which), flags)| (n, which, flags));
    Ok(Ready { new_client, sides: sides.filter(|(_, _, flags)| !flags.is_empty()).collect() })
}
