//! Several addresses, the first that answers: connect(2) that does not block is one more wait.
//!
//! Mirrors no program of the notes. S4 lists a client that handles several sockets at once among
//! the uses of I/O multiplexing (scenario 2), and every client can be one while it connects. A name
//! often stands for several addresses. If nothing answers at the first, a blocking connect waits
//! there for a minute or two, and the others are not tried.
//!
//! ```text
//! cargo run --bin connect_first                            # 127.0.0.1:8001
//! cargo run --bin connect_first -- --addr localhost:8001   # every address of the name
//! cargo run --bin connect_first -- --addr 127.0.0.1:1 --addr 127.0.0.1:8001 --timeout 2
//! ```
//!
//! It connects, says to whom, and ends: what one does with a connection is `client`'s subject.
//!
//! Watch for: connect returns EINPROGRESS, so nothing is known yet. The socket becomes writable
//! when the attempt is decided, and only SO_ERROR says how. Refused is an event, at once, with an
//! error. Accepted is an event without one. Unanswered is no event at all, and only time ends it.
//!
//! Limits: looking up a name still blocks (getaddrinfo). `--timeout` counts that time, but cannot
//! cut it short. Browsers ask for IPv6 and IPv4 addresses at the same time, start with what comes
//! first, and remember what has worked (RFC 8305, "Happy Eyeballs").

use clap::Parser;
use client::write_out;
use common::{DEFAULT_ADDR, connect_advice, explained, host_port, reason};
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Try several addresses, a moment apart, and connect to the first that answers
#[derive(Parser)]
struct Args {
    /// Where a server may listen; every address of a name is tried. May be given several times
    #[arg(long, value_name = "HOST:PORT", default_value = DEFAULT_ADDR, value_parser = host_port)]
    addr: Vec<String>,

    /// How long an attempt is given before the next one starts beside it: 0 to 60000
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 250,
          value_parser = clap::value_parser!(u32).range(0..=60_000))]
    every: u32,

    /// How long all of it may take
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = common::seconds)]
    timeout: Duration,

    /// Do not narrate each step on standard error
    #[arg(short, long)]
    quiet: bool,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.quiet);
    let begin = Instant::now();
    let connected = connect_first(&args, begin).and_then(|attempt| {
        let line =
            format!("connected to {} after {} ms\n", attempt.address, begin.elapsed().as_millis());
        match write_out(line.as_bytes()) {
            // Without a reader the line is not needed; on a full disk it is missed.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let sentence = format!("cannot write standard output: {}", reason(&error));
                Err(explained(&error, sentence))
            }
            _ => Ok(()),
        }
    });
    common::outcome(connected)
}

/// A connect(2) under way.
struct Attempt {
    address: SocketAddr,
    socket: Socket,
}

/// What has become of the addresses so far.
struct Race {
    /// Not tried yet.
    waiting: VecDeque<SocketAddr>,
    /// Not decided yet, in the order in which they were started.
    under_way: Vec<Attempt>,
    failed: Vec<(SocketAddr, io::Error)>,
}

/// The loop: start an attempt when it is time, wait until one is decided, ask how.
fn connect_first(args: &Args, begin: Instant) -> io::Result<Attempt> {
    let every = Duration::from_millis(args.every.into());
    let deadline = begin + args.timeout;
    let mut race = Race { waiting: addresses(args)?, under_way: Vec::new(), failed: Vec::new() };
    let mut next = begin;
    loop {
        let now = Instant::now();
        if now >= next && now < deadline {
            race.start_next();
            next = now + every;
        }
        // With nothing under way nothing is left to try, because a failure makes the next one due.
        if race.under_way.is_empty() || now >= deadline {
            return Err(race.lost(now - begin));
        }
        // Two moments matter, and the nearer one ends the wait.
        let until = if race.waiting.is_empty() { deadline } else { next.min(deadline) };
        let Some(n) = wait(&race.under_way, until - now)? else { continue };
        let attempt = race.under_way.remove(n);
        match attempt.result() {
            Ok(()) => {
                // Dropped, and so closed. One that has connected meanwhile is, to its server, a
                // client that leaves without a word.
                for other in race.under_way {
                    info!("closing the attempt at {}", other.address);
                }
                return Ok(attempt);
            }
            Err(error) => {
                race.failed.push((attempt.address, error));
                // It need not be given its time: the next one starts at once.
                next = now;
            }
        }
    }
}

/// All addresses, in the order in which they are to be tried.
fn addresses(args: &Args) -> io::Result<VecDeque<SocketAddr>> {
    let mut all = VecDeque::new();
    for name in &args.addr {
        all.extend(by_turns(&common::resolve(name, "connect to")?));
    }
    Ok(all)
}

/// A name's addresses with the families, IPv6 and IPv4, by turns. The system sorts them, and may
/// put all of IPv6 first; where IPv6 leads nowhere, its third address fares like its first.
fn by_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let like_the_first = |address: &&SocketAddr| address.is_ipv6() == addresses[0].is_ipv6();
    let (one, other): (Vec<&_>, Vec<&_>) = addresses.iter().partition(like_the_first);
    let mut turns = Vec::new();
    for n in 0..addresses.len() {
        turns.extend(one.get(n).copied());
        turns.extend(other.get(n).copied());
    }
    turns
}

impl Race {
    /// Starts one attempt. An address that fails at once is nothing to wait for, so the one after
    /// it has its turn.
    fn start_next(&mut self) {
        while let Some(address) = self.waiting.pop_front() {
            match Attempt::start(address) {
                Ok(attempt) => return self.under_way.push(attempt),
                // No route, no IPv6, no descriptor: this machine knows without any answer.
                Err(error) => {
                    info!("connect to {address}: {}", named(&error));
                    self.failed.push((address, error));
                }
            }
        }
    }

    /// Why there is no connection: what came from each address in that time.
    fn lost(&self, time: Duration) -> io::Error {
        let failed = self.failed.iter().map(|(address, error)| (*address, reason(error)));
        let silent = self.under_way.iter().map(|it| (it.address, "no answer".to_owned()));
        let untried = self.waiting.iter().map(|address| (*address, "not tried".to_owned()));
        let (addresses, came): (Vec<_>, Vec<_>) = failed
            .chain(silent)
            .chain(untried)
            .map(|(address, what)| (address, format!("{address}: {what}")))
            .unzip();

        let undecided = self.under_way.len() + self.waiting.len();
        let (within, kind) = match self.failed.last() {
            Some((_, error)) if undecided == 0 => (String::new(), error.kind()),
            _ => (format!(" in {} ms", time.as_millis()), io::ErrorKind::TimedOut),
        };
        let advice = connect_advice(kind, &addresses);
        io::Error::new(kind, format!("no connection{within}: {} ({advice})", came.join("; ")))
    }
}

impl Attempt {
    /// socket, O_NONBLOCK, connect: once for each socket. A second call says EALREADY while the
    /// first goes on, EISCONN after it, and on Linux once 0.
    fn start(address: SocketAddr) -> io::Result<Self> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        let answer = match socket.connect(&address.into()) {
            Err(error) if errno(&error) == Some(Errno::EINPROGRESS) => "EINPROGRESS",
            // POSIX allows connect to finish at once. poll then says "writable" at once, so this
            // needs no path of its own.
            Ok(()) => "connected",
            Err(error) => return Err(error),
        };
        info!("connect to {address}: {answer}, descriptor {}", socket.as_raw_fd());
        Ok(Self { address, socket })
    }

    /// How an attempt ended that poll has reported. SO_ERROR is 0 before that as well, so it says
    /// nothing by itself; and reading it clears it, so it is read once.
    fn result(&self) -> io::Result<()> {
        match self.socket.take_error()? {
            Some(error) => {
                info!("{} is decided, SO_ERROR: {}", self.address, named(&error));
                Err(error)
            }
            // The system chooses our port. If nobody listens, it may choose the very one that we
            // connect to, and TCP then connects the socket to itself.
            None if self.socket.local_addr()? == self.socket.peer_addr()? => {
                info!("{} is decided: connected to itself", self.address);
                Err(io::Error::new(io::ErrorKind::ConnectionRefused, "connected to itself"))
            }
            None => {
                info!("{} is decided, SO_ERROR: 0: connected", self.address);
                Ok(())
            }
        }
    }
}

/// Waits until an attempt is decided, for `limit` at most: which one. If there are several, the
/// first of them; poll reports the others again.
fn wait(attempts: &[Attempt], limit: Duration) -> io::Result<Option<usize>> {
    let sockets = attempts.iter().map(|attempt| attempt.socket.as_fd());
    let mut list: Vec<_> = sockets.map(|fd| PollFd::new(fd, PollFlags::POLLOUT)).collect();
    // Rounded up: rounded down, the last fraction of a millisecond would be a wait of 0, and the
    // loop would spin until it has passed.
    let millis = limit.as_nanos().div_ceil(1_000_000);
    info!("waiting for the next event: {}, at most {millis} ms", shown(&list, PollFd::events));

    match poll(&mut list, PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)) {
        // EINTR: a signal came first. The caller works out anew how long is left.
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(io::Error::other(format!("cannot wait: {}", errno.desc()))),
    }
    info!("ready: {}", shown(&list, reported));
    // Any flag will do: a failed attempt is POLLOUT too on Linux, and on other systems perhaps
    // POLLHUP or POLLERR alone. SO_ERROR tells.
    Ok(list.iter().position(|entry| !reported(entry).is_empty()))
}

/// What poll reported for this entry; a flag without a name counts as all of them.
fn reported(entry: &PollFd) -> PollFlags {
    entry.revents().unwrap_or(PollFlags::all())
}

/// Entries as the servers print them: `[(3, POLLOUT), (4, POLLOUT|POLLERR|POLLHUP)]`.
fn shown<'a>(list: &[PollFd<'a>], flags: fn(&PollFd<'a>) -> PollFlags) -> String {
    let with_flags = list.iter().filter(|&entry| !flags(entry).is_empty()).map(|entry| {
        let names: Vec<_> = flags(entry).iter_names().map(|(name, _)| name).collect();
        format!("({}, {})", entry.as_fd().as_raw_fd(), names.join("|"))
    });
    format!("[{}]", with_flags.collect::<Vec<_>>().join(", "))
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

/// An error with the name that manuals use: `ECONNREFUSED (Connection refused)`.
fn named(error: &io::Error) -> String {
    errno(error).map_or_else(|| reason(error), |errno| format!("{errno:?} ({})", errno.desc()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    #[test]
    fn the_families_take_turns_and_the_first_stays_first() {
        let v4 = |port| SocketAddr::from((IpAddr::from(Ipv4Addr::LOCALHOST), port));
        let v6 = |port| SocketAddr::from((IpAddr::from(Ipv6Addr::LOCALHOST), port));
        assert_eq!(by_turns(&[v6(1), v6(2), v6(3), v4(4)]), [v6(1), v4(4), v6(2), v6(3)]);
        assert_eq!(by_turns(&[v4(1), v6(2), v6(3)]), [v4(1), v6(2), v6(3)]);
        assert_eq!(by_turns(&[v4(1), v4(2)]), [v4(1), v4(2)]);
    }

    /// What may happen by chance is made to happen here: our port is the one that we connect to.
    #[test]
    fn a_socket_connected_to_itself_has_found_no_server() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("loopback");
        let own = socket.local_addr().expect("bound");
        socket.connect(&own).expect("TCP allows it");
        let attempt = Attempt { address: own.as_socket().expect("an IPv4 address"), socket };
        let error = attempt.result().expect_err("nobody listens there");
        assert_eq!(error.to_string(), "connected to itself");
    }
}
