//! One loop, several services: two TCP listeners, their connections, and a UDP socket.
//!
//! Scenarios 3, 4 and 5 of note S4 in one program: a server with a listening and connected sockets,
//! with TCP and UDP, with more than one service. To select they are all just descriptors.
//!
//! ```text
//! cargo run --bin services                        # echo on 8001 (TCP and UDP), daytime on 8002
//! cargo run -p client                             # echo
//! cargo run -p client -- --addr 127.0.0.1:8002    # the time of day, and goodbye
//! ```
//!
//! Watch the port numbers: TCP and UDP each have their own 8001, so one number serves both.
//!
//! The contract of the course concerns the echo service. Limits: as `select`, descriptors 0 to
//! 1023. UDP keeps no promises: a datagram whose answer finds no room is dropped, as UDP may. On
//! 0.0.0.0 the system chooses the address that a UDP answer comes from, which need not be the one
//! that was asked.

#[path = "../limits.rs"]
mod limits;

use clap::Parser;
use common::{Connection, Listener, MessageQueue, Reply, ServerArgs, preview, reason, would_block};
use limits::{can_watch, must_watch, timeval};
use log::info;
use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

/// Echo over TCP and UDP and the time of day, in one select(2) loop (note S4)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What the echo services answer
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,

    /// Where the time of day is told [default: the port after --addr's, or a free one]
    #[arg(long, value_name = "HOST:PORT", value_parser = common::host_port)]
    daytime: Option<String>,
}

/// The largest datagram there is. A shorter buffer would cut one, silently.
const LARGEST_DATAGRAM: usize = 65_535;

/// How long a daytime client may take to read its line and to close.
const DAYTIME_STAYS: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

fn serve(args: &Args) -> io::Result<()> {
    let echo = Listener::bind(&args.server.addr, args.server.backlog)?;
    let addr = echo.local_addr()?;
    let udp = UdpSocket::bind(addr).map_err(|error| {
        let reason = reason(&error);
        io::Error::other(format!("cannot take UDP {addr}: {reason} (try another --addr)"))
    })?;
    let daytime = match &args.daytime {
        Some(addr) => addr.clone(),
        None => next_port(&args.server.addr),
    };
    let daytime = Listener::bind(&daytime, args.server.backlog)?;
    info!("echo on TCP and UDP {addr}, daytime on TCP {}", daytime.local_addr()?);

    let mut server = Services {
        echo,
        daytime,
        udp,
        clients: Vec::new(),
        reply: args.reply,
        buffer: args.server.buffer(),
        datagram: vec![0; LARGEST_DATAGRAM],
    };
    server.echo.set_nonblocking(true)?;
    server.daytime.set_nonblocking(true)?;
    server.udp.set_nonblocking(true)?;
    must_watch(&server.daytime)?;
    must_watch(&server.udp)?;
    server.echo.announce()?;

    let mut ready = Ready::default();
    loop {
        server.wait(&mut ready)?;
        if ready.new_echo_client {
            server.accept(Service::Echo);
        }
        if ready.new_daytime_client {
            server.accept(Service::Daytime);
        }
        if ready.datagram {
            server.answer_datagram();
        }
        for &client in &ready.readable {
            server.receive(client);
        }
        for &client in &ready.writable {
            server.send(client);
        }
        server.close_finished();
    }
}

/// `HOST:PORT` with the next port; 0, any free one, stays 0.
fn next_port(addr: &str) -> String {
    match addr.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(0 | u16::MAX))) => format!("{host}:0"),
        Some((host, Ok(port))) => format!("{host}:{}", port + 1),
        _ => addr.to_owned(),
    }
}

struct Services {
    echo: Listener,
    daytime: Listener,
    udp: UdpSocket,
    /// Those of both TCP services: what select needs to know of them is the same.
    clients: Vec<Client>,
    reply: Reply,
    buffer: Vec<u8>,
    datagram: Vec<u8>,
}

struct Client {
    connection: Connection,
    service: Service,
    /// When to close it, whatever it does. Daytime has nothing to gain from a client that stays,
    /// and each holds a descriptor that an echo client could have.
    close_at: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    /// Answers whatever comes, until the client has sent everything.
    Echo,
    /// Tells the time and leaves (RFC 867). What the client sends is thrown away.
    Daytime,
}

/// What select reported; positions in `clients` hold for one turn.
#[derive(Default)]
struct Ready {
    new_echo_client: bool,
    new_daytime_client: bool,
    datagram: bool,
    readable: Vec<usize>,
    writable: Vec<usize>,
}

impl Services {
    fn wait(&self, ready: &mut Ready) -> io::Result<()> {
        let (mut inputs, mut outputs) = (FdSet::new(), FdSet::new());
        inputs.insert(self.udp.as_fd());
        let mut highest = self.udp.as_raw_fd();
        for listener in [&self.echo, &self.daytime] {
            highest = highest.max(listener.as_fd().as_raw_fd());
            if listener.wants_read() {
                inputs.insert(listener.as_fd());
            }
        }
        for Client { connection, .. } in &self.clients {
            highest = highest.max(connection.as_fd().as_raw_fd());
            if connection.wants_read() {
                inputs.insert(connection.as_fd());
            }
            if connection.wants_write() {
                outputs.insert(connection.as_fd());
            }
        }
        info!("waiting for the next event, clients: {}", self.clients.len());
        let now = Instant::now();
        let left = |client: &Client| Some(client.close_at?.saturating_duration_since(now));
        let pauses = [self.echo.timeout(), self.daytime.timeout()].into_iter().flatten();
        let mut timeout = self.clients.iter().filter_map(left).chain(pauses).min().map(timeval);
        match select(highest + 1, &mut inputs, &mut outputs, None, timeout.as_mut()) {
            Ok(_) => {}
            // A signal: the sets hold nothing of use, and nobody is ready.
            Err(Errno::EINTR) => (inputs, outputs) = (FdSet::new(), FdSet::new()),
            Err(error) => return Err(error.into()),
        }
        ready.new_echo_client = inputs.contains(self.echo.as_fd());
        ready.new_daytime_client = inputs.contains(self.daytime.as_fd());
        ready.datagram = inputs.contains(self.udp.as_fd());
        let find = |list: &mut Vec<usize>, set: &FdSet| {
            list.clear();
            list.extend((0..self.clients.len()).filter(|&n| set.contains(self.clients[n].as_fd())));
        };
        find(&mut ready.readable, &inputs);
        find(&mut ready.writable, &outputs);
        Ok(())
    }

    fn accept(&mut self, service: Service) {
        let listener = match service {
            Service::Echo => &mut self.echo,
            Service::Daytime => &mut self.daytime,
        };
        match listener.accept() {
            Ok(Some(mut connection)) => {
                let peer = connection.peer();
                if !can_watch(&connection) {
                    info!("turning away {peer}: select cannot watch its descriptor (FD_SETSIZE)");
                } else if let Err(error) = connection.set_nonblocking(true) {
                    info!("turning away {peer}: {}", reason(&error));
                } else {
                    let mut close_at = None;
                    if service == Service::Echo {
                        info!("new connection from {peer}, for echo");
                    } else {
                        close_at = Some(Instant::now() + DAYTIME_STAYS);
                        info!("new connection from {peer}, for the time of day");
                        let now = httpdate::fmt_http_date(SystemTime::now());
                        connection.queue_mut().push(format!("{now}\r\n").as_bytes());
                    }
                    self.clients.push(Client { connection, service, close_at });
                }
            }
            Ok(None) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    /// One datagram in, one out. A datagram is a message with its borders, and has no connection:
    /// there is nobody to close, and nothing to finish later.
    ///
    /// The sender's address may be forged. A UDP echo on a public network answers whoever is named
    /// there, another echo included, for ever: keep it on this machine.
    fn answer_datagram(&mut self) {
        let result = self.udp.recv_from(&mut self.datagram).and_then(|(count, peer)| {
            let data = &self.datagram[..count];
            info!("received {} from {peer} over UDP", preview(data));
            let mut answer = MessageQueue::default();
            self.reply.answer(data, &mut answer);
            self.udp.send_to(answer.waiting(), peer)
        });
        match result {
            Ok(_) => {}
            Err(error) if would_block(&error) => {}
            Err(error) => info!("no answer to a datagram: {}", reason(&error)),
        }
    }

    fn receive(&mut self, client: usize) {
        let Client { connection, service, .. } = &mut self.clients[client];
        let peer = connection.peer();
        match connection.recv(&mut self.buffer) {
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                let data = &self.buffer[..count];
                info!("received {} from {peer}", preview(data));
                if *service == Service::Echo {
                    self.reply.answer(data, connection.queue_mut());
                }
            }
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    fn send(&mut self, client: usize) {
        let Client { connection, service, .. } = &mut self.clients[client];
        if !connection.wants_write() {
            return;
        }
        let peer = connection.peer();
        info!("sending {} to {peer}", preview(connection.queue().waiting()));
        match connection.send() {
            // Daytime has said what it had to say. Ending only our direction lets the client read
            // it in peace: a close with unread input would be a reset. The client's own end closes
            // the connection, or `close_at`.
            Ok(_) if *service == Service::Daytime && !connection.wants_write() => {
                info!("nothing more for {peer}");
                if let Err(error) = connection.shut_down_sending() {
                    self.lose(client, &error);
                }
            }
            Ok(_) if connection.queue().is_empty() => info!("output queue for {peer} is empty"),
            Ok(_) => info!("{} bytes left for {peer}", connection.queue().len()),
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    fn lose(&mut self, client: usize, error: &io::Error) {
        let connection = &mut self.clients[client].connection;
        info!("lost {}: {}", connection.peer(), reason(error));
        connection.abandon();
    }

    fn close_finished(&mut self) {
        let before = self.clients.len();
        let now = Instant::now();
        self.clients.retain(|Client { connection, close_at, .. }| {
            let finished = connection.is_finished() || close_at.is_some_and(|time| time <= now);
            if finished {
                info!("closing {}", connection.peer());
            }
            !finished
        });
        if self.clients.len() < before {
            self.echo.resume();
            self.daytime.resume();
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}
