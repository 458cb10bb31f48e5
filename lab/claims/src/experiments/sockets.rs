//! What the experiments have in common: connected sockets, and what select and poll say of them.

use super::Unable;
use crate::measure::Target;
use common::would_block;
use judge::check::programs;
use judge::check::server::{Server, Start};
use judge::check::subject::Fault;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::select::{FD_SETSIZE, FdSet, select};
use nix::sys::time::{TimeVal, TimeValLike};
use socket2::SockRef;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// How long an experiment waits for what must come.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A listening socket on a free port.
pub(super) fn listener() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
}

/// A client of `listener`, connected, and never waiting for ever.
pub(super) fn client_of(listener: &TcpListener) -> io::Result<TcpStream> {
    judge::dial::connect(listener.local_addr()?)
}

/// A connection: the client's end and the server's, which does not block.
pub(crate) fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = listener()?;
    let client = client_of(&listener)?;
    let (server, _) = listener.accept()?;
    server.set_nonblocking(true)?;
    Ok((client, server))
}

/// Ends the connection with RST instead of FIN: SO_LINGER with no time (socket(7)).
pub(crate) fn reset(socket: TcpStream) -> io::Result<()> {
    SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
    drop(socket);
    Ok(())
}

/// Sends until the kernel takes no more, not even a little later: how many bytes. What has left for
/// the peer's buffer makes room once more; and even then a few bytes may fit after a while, for the
/// kernel tries now and then whether the peer takes some. The socket does not block.
pub(super) fn fill(mut client: &TcpStream) -> io::Result<u64> {
    const A_LITTLE: Duration = Duration::from_millis(20);
    let (mut written, mut in_vain) = (0, 0);
    while in_vain < 3 {
        match client.write(&[0; 4096]) {
            Ok(count) => (written, in_vain) = (written + count as u64, 0),
            Err(error) if would_block(&error) => {
                in_vain += 1;
                std::thread::sleep(A_LITTLE);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// What poll reports of a socket, asked for `events`, within `patience`.
pub(super) fn polled(
    socket: &impl AsFd,
    events: PollFlags,
    patience: Duration,
) -> io::Result<PollFlags> {
    let mut entry = [PollFd::new(socket.as_fd(), events)];
    poll(&mut entry, PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX))?;
    Ok(entry[0].revents().unwrap_or(PollFlags::empty()))
}

/// Waits until something has arrived at a socket: data, the end, an error, an urgent byte.
pub(crate) fn arrival(socket: &impl AsFd) -> io::Result<()> {
    match polled(socket, PollFlags::POLLIN | PollFlags::POLLPRI, PATIENCE)? {
        events if events.is_empty() => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

/// The sets of select in which a socket remains that was put into all three.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Sets {
    pub readable: bool,
    pub writable: bool,
    pub exceptional: bool,
}

impl std::fmt::Display for Sets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sets = [
            (self.readable, "readable"),
            (self.writable, "writable"),
            (self.exceptional, "exceptional"),
        ];
        let names: Vec<_> = sets.iter().filter(|set| set.0).map(|set| set.1).collect();
        write!(f, "[{}]", names.join(", "))
    }
}

/// Asks select about a socket, now.
pub(super) fn selected(socket: &impl AsFd) -> Result<Sets, Unable> {
    selectable(socket)?;
    let fd = socket.as_fd();
    let mut sets = [FdSet::new(), FdSet::new(), FdSet::new()];
    for set in &mut sets {
        set.insert(fd);
    }
    let [readable, writable, exceptional] = &mut sets;
    select(None, &mut *readable, &mut *writable, &mut *exceptional, &mut TimeVal::zero())?;
    Ok(Sets {
        readable: readable.contains(fd),
        writable: writable.contains(fd),
        exceptional: exceptional.contains(fd),
    })
}

/// nix panics where C would write beyond the set: asked before.
pub(super) fn selectable(socket: &impl AsFd) -> Result<(), Unable> {
    let number = socket.as_fd().as_raw_fd();
    if usize::try_from(number).is_ok_and(|number| number < FD_SETSIZE) {
        return Ok(());
    }
    Err(Unable::here(
        format!("all descriptors that select can watch are in use here (the next is {number})"),
        format!("select 能关注的描述符在这里都用掉了（下一个是 {number}）"),
    ))
}

/// The flags' names, as short as strace has them without POLL or EPOLL in front.
pub(super) fn flags<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let short = |name: &'n str| name.trim_start_matches('E').trim_start_matches("POLL");
    let names: Vec<_> = names.map(short).collect();
    if names.is_empty() { "–".to_owned() } else { names.join("|") }
}

/// What a recv gave: how many bytes, or the error's name.
pub(super) fn outcome(recv: &io::Result<usize>) -> String {
    match recv {
        Ok(count) => count.to_string(),
        Err(error) => match error.raw_os_error() {
            Some(number) => format!("{:?}", Errno::from_raw(number)),
            None => error.to_string(),
        },
    }
}

/// Whether this system has what a program of the course is made of.
pub(super) fn here(program: &str) -> bool {
    programs::named(program).first().is_some_and(|program| program.here)
}

/// A program of the course, running; with no more than `files` descriptors, if that is said.
pub(super) fn running(program: &str, files: Option<u32>) -> Result<Server, Unable> {
    if !here(program) {
        return Err(Unable::here(
            format!("{program} needs what this system does not have"),
            format!("这个系统没有 {program} 需要的调用"),
        ));
    }
    let target = Target::program(program)?;
    let start = Start { files, ..Start::default() };
    Ok(Server::start(&target.subject, start)?)
}

impl From<Fault> for Unable {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Short(why) | Fault::Unseen(why) => Self::Failed(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_named_without_their_prefix() {
        let both = PollFlags::POLLIN | PollFlags::POLLHUP;
        assert_eq!(flags(both.iter_names().map(|(name, _)| name)), "IN|HUP");
        assert_eq!(flags(["EPOLLIN", "EPOLLRDHUP", "EPOLLERR"].into_iter()), "IN|RDHUP|ERR");
        assert_eq!(flags([].into_iter()), "–");
    }

    #[test]
    fn what_arrives_is_waited_for() {
        let (mut client, server) = pair().expect("loopback");
        client.write_all(b"1").expect("connected");
        arrival(&server).expect("it comes");
        let quiet = polled(&client, PollFlags::POLLIN, Duration::ZERO).expect("an open socket");
        assert!(quiet.is_empty());
    }
}
