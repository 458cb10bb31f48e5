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

use clap::Parser;
use common::{Connection, Listener, MessageQueue, Reply, ServerArgs, preview, reason, would_block};
use log::info;
use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use select::{List, can_watch, must_watch, timeval};
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
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
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "try another --addr",
            _ => "raise ulimit -n?",
        };
        io::Error::other(format!("cannot take UDP {addr}: {} ({advice})", reason(&error)))
    })?;
    let daytime = match &args.daytime {
        Some(addr) => addr.clone(),
        None => next_port(&args.server.addr),
    };
    let daytime = Listener::bind(&daytime, args.server.backlog)?;
    info!("echo on TCP and UDP {addr}, daytime on TCP {}", daytime.local_addr()?);

    // No call in the loop may wait except select: the others would wait with it.
    echo.set_nonblocking(true)?;
    daytime.set_nonblocking(true)?;
    udp.set_nonblocking(true)?;
    must_watch(&daytime)?;
    must_watch(&udp)?;
    echo.announce()?;

    let mut buffer = args.server.buffer();
    let mut datagram = vec![0; LARGEST_DATAGRAM];
    let mut services = Services { echo, daytime, udp, clients: Vec::new(), reply: args.reply };
    loop {
        let ready = services.wait()?;
        if ready.datagram {
            services.answer_datagram(&mut datagram);
        }
        for n in ready.readable {
            services.clients[n].receive(&mut buffer, args.reply);
        }
        for n in ready.writable {
            services.clients[n].send();
        }
        // Only now, when no position is used any more.
        services.clients.retain_mut(Client::stays);
        if ready.new_echo_client {
            let newcomer = services.echo.admit().filter(can_watch);
            services.clients.extend(newcomer.map(Client::of_echo));
        }
        if ready.new_daytime_client {
            let newcomer = services.daytime.admit().filter(can_watch);
            services.clients.extend(newcomer.map(Client::of_daytime));
        }
    }
}

/// As HTTP writes it. That form has years from 1970 to 9999 only, and a clock may show others.
fn time_of_day(now: SystemTime) -> String {
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    let last = SystemTime::UNIX_EPOCH + LAST;
    httpdate::fmt_http_date(now.clamp(SystemTime::UNIX_EPOCH, last))
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
}

struct Client {
    connection: Connection,
    /// When to close it, whatever it does; only for daytime, which has nothing to gain from a
    /// client that stays, and each holds a descriptor that an echo client could have.
    close_at: Option<Instant>,
}

/// What select gave back. A client is its position in the list.
struct Ready {
    new_echo_client: bool,
    new_daytime_client: bool,
    datagram: bool,
    readable: Vec<usize>,
    writable: Vec<usize>,
}

impl Services {
    /// Says what to watch, sleeps until some of it is ready or a client is to be closed, and finds
    /// out what is ready.
    fn wait(&self) -> io::Result<Ready> {
        let (mut inputs, mut outputs) = (FdSet::new(), FdSet::new());
        let mut highest = self.udp.as_raw_fd();
        inputs.insert(self.udp.as_fd());
        for listener in [&self.echo, &self.daytime] {
            highest = highest.max(listener.as_fd().as_raw_fd());
            inputs.insert(listener.as_fd());
        }
        for Client { connection, .. } in &self.clients {
            let fd = connection.as_fd();
            highest = highest.max(fd.as_raw_fd());
            if connection.wants_read() {
                inputs.insert(fd);
            }
            if connection.wants_write() {
                outputs.insert(fd);
            }
        }
        info!("waiting for the next event: inputs {}, outputs {}", List(&inputs), List(&outputs));

        let deadline = self.clients.iter().filter_map(|client| client.close_at).min();
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let mut timeout = left.map(timeval);
        match select(highest + 1, &mut inputs, &mut outputs, None, timeout.as_mut()) {
            Ok(_) => {}
            // A signal came first. Nothing is known to be ready, so ask again.
            Err(Errno::EINTR) => return self.wait(),
            Err(error) => return Err(error.into()),
        }
        info!("ready: readable {}, writable {}", List(&inputs), List(&outputs));
        let within = |set: &FdSet| -> Vec<usize> {
            let among = |&n: &usize| set.contains(self.clients[n].connection.as_fd());
            (0..self.clients.len()).filter(among).collect()
        };
        Ok(Ready {
            new_echo_client: inputs.contains(self.echo.as_fd()),
            new_daytime_client: inputs.contains(self.daytime.as_fd()),
            datagram: inputs.contains(self.udp.as_fd()),
            readable: within(&inputs),
            writable: within(&outputs),
        })
    }

    /// One datagram in, one out. A datagram is a message with its borders, and has no connection:
    /// there is nothing to close, and nothing to finish later.
    ///
    /// The sender's address may be forged. A UDP echo on a public network answers whatever
    /// address is named there. If that is another echo, the two never stop: keep it on this
    /// machine.
    fn answer_datagram(&self, datagram: &mut [u8]) {
        let result = self.udp.recv_from(datagram).and_then(|(count, peer)| {
            let data = &datagram[..count];
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
}

impl Client {
    /// Answers whatever comes, until the client has sent everything.
    fn of_echo(connection: Connection) -> Self {
        info!("{} is for echo", connection.peer());
        Self { connection, close_at: None }
    }

    /// Tells the time and leaves (RFC 867).
    fn of_daytime(mut connection: Connection) -> Self {
        info!("{} is for the time of day", connection.peer());
        connection.queue_mut().push(format!("{}\r\n", time_of_day(SystemTime::now())).as_bytes());
        Self { connection, close_at: Some(Instant::now() + DAYTIME_STAYS) }
    }

    /// One recv. What a daytime client sends is thrown away.
    fn receive(&mut self, buffer: &mut [u8], reply: Reply) {
        let Self { connection, close_at } = self;
        if close_at.is_none() {
            connection.receive(buffer, reply);
        } else if let Err(error) = connection.recv(buffer) {
            if !would_block(&error) {
                connection.lose(&error);
            }
        }
    }

    /// One send. Once daytime has said all, it ends only its own direction, so that the client can
    /// still read: a close with unread input would be a reset. The client's own end closes the
    /// connection, or `close_at`.
    fn send(&mut self) {
        let Self { connection, close_at } = self;
        connection.send_queued();
        if close_at.is_some() && !connection.wants_write() && !connection.is_finished() {
            info!("nothing more for {}", connection.peer());
            if let Err(error) = connection.shut_down_sending() {
                connection.lose(&error);
            }
        }
    }

    /// Whether to keep it.
    fn stays(&mut self) -> bool {
        if self.close_at.is_some_and(|at| Instant::now() >= at) {
            self.connection.abandon();
        }
        self.connection.is_open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_by_centuries_ends_nothing() {
        let century = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        assert_eq!(time_of_day(SystemTime::UNIX_EPOCH - century), "Thu, 01 Jan 1970 00:00:00 GMT");
        let far = SystemTime::UNIX_EPOCH + 100 * century;
        assert_eq!(time_of_day(far), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
