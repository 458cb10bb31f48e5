//! A proxy: what a client sends goes to another server, and its answers come back.
//!
//! For each client it has two sockets and two message queues. What one socket receives waits in
//! the other one's queue. So each side's fate is the other's: when one stops reading, the other is
//! no longer read from; when one ends, the other is told, but only once it has everything; when
//! one breaks, so does the other.
//!
//! ```text
//! cargo run -p select -- --addr 127.0.0.1:8002           # in one terminal
//! cargo run --bin proxy -- --to 127.0.0.1:8002           # in another
//! cargo run -p client                                    # in a third
//! ```
//!
//! In front of an echo server it is an echo server, and `lab check proxy` judges it as one. Watch
//! one message in the narration: received twice and sent twice. Then press Ctrl-D in the client:
//! the end of its input goes to the server, and the server's end comes back.
//!
//! Limits: two descriptors for each client. A name behind `--to` is looked up once, at the start,
//! and its addresses are tried one after the other. A server that does not answer at all is waited
//! for as long as the kernel tries (two minutes); `connect_first` has a limit of its own. TCP's
//! urgent byte is not handed on.

use clap::Parser;
use common::{Connection, Listener, ServerArgs, host_port, preview, reason, would_block};
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use poll::{Shown, refused, reported};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

/// A proxy on poll(2): hands on what clients send, and what the server answers
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

/// The loop of `poll`, with two entries for each client.
fn serve(args: &Args) -> io::Result<()> {
    let to = common::resolve(&args.to, "hand on to")?;
    let listener = common::listen(&args.server)?;
    // No call in the loop may wait except poll: the others would wait with it.
    listener.set_nonblocking(true)?;
    listener.announce()?;

    let mut pairs: Vec<Pair> = Vec::new();
    let mut buffer = args.server.buffer();
    loop {
        let ready = wait(&listener, &pairs)?;
        for &(n, side, flags) in &ready.sides {
            pairs[n].handle(side, flags, &mut buffer, &to);
        }
        // Only now, when no position is used any more.
        pairs.retain_mut(Pair::goes_on);
        if ready.new_client {
            pairs.extend(listener.admit().and_then(|client| Pair::new(client, &to)));
        }
    }
}

/// A client, and our connection to the server for it.
struct Pair {
    client: Side,
    server: Side,
    /// Which address of the server our connection goes to.
    address: usize,
    /// That connection is not made yet.
    connecting: bool,
}

/// One of the two sockets. Its queue holds what the other one has received.
struct Side {
    connection: Connection,
    /// It was told that nothing more will come (shutdown).
    told: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Client,
    Server,
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
        for which in [Which::Client, Which::Server] {
            let (side, events) = (pair.side(which), pair.events(which));
            // Of a socket that is ended in both directions poll reports POLLHUP, asked or not. If
            // we have told it the end and cannot read from it yet, it is better left out.
            if !events.is_empty() || !side.told {
                list.push(PollFd::new(side.connection.as_fd(), events));
                whose.push((n, which));
            }
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

/// Starts to connect to the first address that allows it, from the one at `first` on: which one.
/// The call does not wait: that the connection is made, or cannot be, is known when the socket is
/// writable.
fn begin_to_connect(to: &[SocketAddr], first: usize) -> io::Result<(usize, Connection)> {
    let mut refusal = io::ErrorKind::AddrNotAvailable.into();
    for (n, &address) in to.iter().enumerate().skip(first) {
        let begun = || {
            let socket =
                Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_nonblocking(true)?;
            match socket.connect(&address.into()) {
                // EINPROGRESS is what is to be expected; EINTR means the same.
                Err(error) if !is_in_progress(&error) => Err(error),
                _ => Connection::new(socket.into(), address),
            }
        };
        match begun() {
            Ok(connection) => return Ok((n, connection)),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn is_in_progress(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EINPROGRESS | Errno::EINTR))
}

impl Pair {
    /// A client has come. If its server cannot be had, it is turned away.
    fn new(client: Connection, to: &[SocketAddr]) -> Option<Self> {
        match begin_to_connect(to, 0) {
            Ok((address, server)) => {
                info!("connecting to {} for {}", server.peer(), client.peer());
                let [client, server] =
                    [client, server].map(|connection| Side { connection, told: false });
                Some(Self { client, server, address, connecting: true })
            }
            Err(error) => {
                info!("turning away {}: cannot connect: {}", client.peer(), reason(&error));
                None
            }
        }
    }

    fn side(&self, which: Which) -> &Side {
        match which {
            Which::Client => &self.client,
            Which::Server => &self.server,
        }
    }

    /// One side, and the other.
    fn both(&mut self, which: Which) -> (&mut Side, &mut Side) {
        match which {
            Which::Client => (&mut self.client, &mut self.server),
            Which::Server => (&mut self.server, &mut self.client),
        }
    }

    /// What to watch a side for. Whether it is read from depends on the other one's queue: what is
    /// received has to go there.
    fn events(&self, which: Which) -> PollFlags {
        let (side, other) = match which {
            Which::Client => (&self.client, &self.server),
            Which::Server => (&self.server, &self.client),
        };
        if which == Which::Server && self.connecting {
            return PollFlags::POLLOUT;
        }
        let mut events = PollFlags::empty();
        events.set(PollFlags::POLLIN, side.wants_read(other));
        events.set(PollFlags::POLLOUT, side.connection.wants_write());
        events
    }

    /// What a side's flags mean. A broken side that is not to be read from shows it by POLLHUP or
    /// POLLERR alone.
    fn handle(&mut self, which: Which, flags: PollFlags, buffer: &mut [u8], to: &[SocketAddr]) {
        if which == Which::Server && self.connecting {
            return self.decided(to);
        }
        let broken = flags.intersects(PollFlags::POLLHUP | PollFlags::POLLERR);
        let (side, other) = self.both(which);
        if side.wants_read(other) {
            if flags.contains(PollFlags::POLLIN) || broken {
                side.receive(other, buffer);
            }
        } else if broken {
            let error = side.connection.socket().take_error().ok().flatten();
            side.connection.lose(&error.unwrap_or(io::ErrorKind::ConnectionReset.into()));
        }
        if flags.contains(PollFlags::POLLOUT) || broken {
            side.connection.send_queued();
        }
    }

    /// The connection to the server is made, or it cannot be: SO_ERROR says which.
    fn decided(&mut self, to: &[SocketAddr]) {
        let server = &mut self.server.connection;
        let error = match server.socket().take_error() {
            Ok(None) => {
                info!("connected to {}", server.peer());
                self.connecting = false;
                return;
            }
            Ok(Some(error)) | Err(error) => error,
        };
        info!("cannot connect to {}: {}", server.peer(), reason(&error));
        match begin_to_connect(to, self.address + 1) {
            Ok((address, next)) => {
                info!("connecting to {} instead", next.peer());
                // What the client has sent already is for the one that answers.
                let waiting = mem::take(server.queue_mut());
                *server = next;
                *server.queue_mut() = waiting;
                self.address = address;
            }
            Err(_) => server.abandon(),
        }
    }

    /// At the end of a turn: hands on the ends, and says whether the pair is still needed.
    fn goes_on(&mut self) -> bool {
        if self.client.connection.is_broken() || self.server.connection.is_broken() {
            self.break_both();
            return false;
        }
        if !self.connecting {
            self.server.learn_the_end_of(&self.client);
        }
        self.client.learn_the_end_of(&self.server);
        let done = self.client.told && self.server.told;
        if done {
            info!("closing {}", self.client.connection.peer());
        }
        !done
    }

    /// The other side must not take a broken connection for the end of a whole answer. A close
    /// would look like that, so both are reset. If it cannot be set, the connection is broken
    /// anyway.
    fn break_both(&self) {
        info!("closing {}, and the server's side with it", self.client.connection.peer());
        for side in [&self.client, &self.server] {
            let _ = SockRef::from(&side.connection).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Side {
    /// Whether to read from this side: not after its end, and not while the other one is so slow
    /// that too much waits for it.
    fn wants_read(&self, other: &Self) -> bool {
        !self.connection.input_ended() && !other.connection.queue().is_full()
    }

    /// One recv. What it brings waits in the other side's queue.
    fn receive(&mut self, other: &mut Self, buffer: &mut [u8]) {
        let peer = self.connection.peer();
        match self.connection.recv(buffer) {
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                info!("received {} from {peer}", preview(&buffer[..count]));
                other.connection.queue_mut().push(&buffer[..count]);
            }
            Err(error) if would_block(&error) => {}
            Err(error) => self.connection.lose(&error),
        }
    }

    /// The other side sends no more. This side is told so, once all of it is handed on. Not with a
    /// close: it may still have much to say.
    fn learn_the_end_of(&mut self, other: &Self) {
        if other.connection.input_ended() && !self.told && !self.connection.wants_write() {
            info!("telling {}: no more data", self.connection.peer());
            self.told = true;
            if let Err(error) = self.connection.shut_down_sending() {
                self.connection.lose(&error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{Shutdown, TcpListener, TcpStream};

    fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let addr = listener.local_addr().expect("bound");
        (listener, addr)
    }

    /// A client that has just come, its connection, and the connection to the first address begun.
    fn pair(to: &[SocketAddr]) -> (TcpStream, Pair) {
        let (listener, addr) = listen();
        let client = TcpStream::connect(addr).expect("it listens");
        let (socket, peer) = listener.accept().expect("a client");
        let connection = Connection::new(socket, peer).expect("it is there");
        connection.set_nonblocking(true).expect("an open socket");
        (client, Pair::new(connection, to).expect("a connection can be tried"))
    }

    /// Waits until the connection to the server is decided.
    fn decide(pair: &mut Pair, to: &[SocketAddr]) {
        let events = pair.events(Which::Server);
        let mut list = [PollFd::new(pair.server.connection.as_fd(), events)];
        assert_eq!(poll(&mut list, PollTimeout::from(10_000_u16)), Ok(1));
        pair.handle(Which::Server, PollFlags::POLLOUT, &mut [0; 16], to);
    }

    #[test]
    fn the_next_address_gets_what_the_client_has_sent() {
        let ((gone, first), (_server, second)) = (listen(), listen());
        drop(gone);
        let to = [first, second];
        let (_client, mut pair) = pair(&to);
        pair.server.connection.queue_mut().push(b"early");
        decide(&mut pair, &to);
        assert!(pair.connecting && pair.address == 1, "the first is refused");
        decide(&mut pair, &to);
        assert!(!pair.connecting && pair.server.connection.peer() == second);
        assert_eq!(pair.server.connection.queue().waiting(), b"early");
    }

    #[test]
    fn an_end_waits_for_what_is_queued() {
        let (_server, addr) = listen();
        let (_client, mut pair) = pair(&[addr]);
        decide(&mut pair, &[addr]);
        pair.server.connection.queue_mut().push(b"rest");
        pair.client.connection.end_input();
        assert!(pair.goes_on() && !pair.server.told, "the rest comes first");
        pair.server.connection.send_queued();
        assert!(pair.goes_on() && pair.server.told);
    }

    /// It would make poll return again and again, for as long as the server does not read.
    #[test]
    fn the_hang_up_of_a_side_that_cannot_be_read_is_not_asked_for() {
        let (_server, addr) = listen();
        let (client, mut pair) = pair(&[addr]);
        decide(&mut pair, &[addr]);
        // The server has ended, and reads nothing; the client has more to say, and has ended too.
        pair.server.connection.queue_mut().push(&vec![b'x'; common::HIGH_WATER]);
        pair.server.connection.end_input();
        assert!(pair.goes_on() && pair.client.told);
        (&client).write_all(b"more").expect("connected");
        client.shutdown(Shutdown::Write).expect("connected");
        // Until it is there.
        pair.client.connection.set_nonblocking(false).expect("an open socket");
        pair.client.connection.socket().peek(&mut [0; 4]).expect("it comes");

        // Only the listener is ready, for a client that comes.
        let args = <Args as Parser>::parse_from(["proxy", "--addr", "127.0.0.1:0", "--to", "a:1"]);
        let listener = common::listen(&args.server).expect("loopback");
        let _new = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let ready = wait(&listener, &[pair]).expect("poll works");
        let client_ready = ready.sides.iter().any(|(_, which, _)| *which == Which::Client);
        assert!(ready.new_client && !client_ready);
    }
}
