//! A process for each client, made by fork(2): older than threads are.
//!
//! The other way out that note S2, section 2, proposes. Unlike threads, processes share no memory:
//! one that goes wrong takes its own client with it and nobody else.
//!
//! ```text
//! cargo run --bin process_per_connection
//! cargo run -p client            # as often as you like
//! ```
//!
//! Watch `process N has ended` when a client leaves. A process that ended stays in the system's
//! table, as a zombie, until its parent asks how it ended. So the parent waits for two things, a
//! client and a child's end, and accept can wait for one only. A signal tells of a child's end; made
//! into a descriptor (a self-pipe), it is waited for together with the listener, in poll(2). That
//! is where the chapters on select and poll begin.
//!
//! Limits: a process is the dearest way to remember one client, and their number ends first
//! (`ulimit -u`): a client beyond is turned away, in words. A parent that is killed leaves its
//! children to finish with their clients; Ctrl-C reaches them all.

#[path = "../conversation.rs"]
mod conversation;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, explained, reason};
use conversation::converse;
use log::info;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use signal_hook::SigId;
use signal_hook::consts::SIGCHLD;
use signal_hook::low_level::{pipe, unregister};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

/// A blocking server with a process for each client (note S2)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Upper)]
    reply: Reply,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

/// The parent's loop. A child leaves it, and the program, when its client has left.
fn serve(args: &Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    // No call in the loop may wait except poll: children that end meanwhile would stay zombies.
    listener.set_nonblocking(true)?;
    let (mut ended, handler) = watch_children().map_err(|error| {
        let reason = reason(&error);
        let sentence = format!("cannot watch for children's ends: {reason} (raise ulimit -n?)");
        explained(&error, sentence)
    })?;
    listener.announce()?;
    loop {
        let (new_client, child_ended) = wait(&listener, &ended)?;
        if child_ended {
            reap(&mut ended);
            // What the child held, it gave back.
            listener.resume();
        }
        if !new_client {
            continue;
        }
        let Some(client) = accept(&listener) else { continue };
        let peer = client.peer();
        #[expect(unsafe_code, reason = "the safe ways to start a process start another program")]
        // SAFETY: this process has one thread, so the child's copy of the memory was left in order:
        // no lock in it is held by a thread that the child does not have.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                // The child has copies of all that was open. Each it kept would live as long as
                // its client does: the port would stay taken when the parent is gone.
                drop((listener, ended));
                unregister(handler);
                talk(client, args);
                return Ok(());
            }
            Ok(ForkResult::Parent { child }) => info!("process {child} serves {peer}"),
            Err(errno) => info!("turning away {peer}: {}", reason(&errno.into())),
        }
        // A connection is closed when its last copy is. Without this the client would never see
        // the end, and the next child would inherit this one's client.
        drop(client);
    }
}

/// The descriptor that is readable when a child has ended, and the handler that makes it so.
fn watch_children() -> io::Result<(UnixStream, SigId)> {
    // A signal handler can do next to nothing; this one writes a byte for us to find.
    let (ended, handlers_end) = UnixStream::pair()?;
    ended.set_nonblocking(true)?;
    let handler = pipe::register(SIGCHLD, handlers_end)?;
    // Which signals are blocked is inherited, and who started us may have blocked this one.
    SigSet::from(Signal::SIGCHLD).thread_unblock()?;
    Ok((ended, handler))
}

/// Sleeps until somebody wants in or a child has ended: which of the two it is.
fn wait(listener: &Listener, ended: &UnixStream) -> io::Result<(bool, bool)> {
    let mut watched = [
        PollFd::new(ended.as_fd(), PollFlags::POLLIN),
        PollFd::new(listener.as_fd(), PollFlags::POLLIN),
    ];
    // While accepting is paused the listener is left out: it stays readable.
    let watched = if listener.wants_read() { &mut watched[..] } else { &mut watched[..1] };
    // In whole milliseconds, rounded up. Rounded down, the last one would be a time-out of zero.
    let timeout = listener.timeout().map(|left| left.as_nanos().div_ceil(1_000_000));
    let timeout = timeout.map(|millis| u16::try_from(millis).unwrap_or(u16::MAX));
    info!("waiting in poll for a client or a child's end");
    match poll(watched, PollTimeout::from(timeout)) {
        Ok(_) => {}
        // SIGCHLD itself, most often. The byte that it wrote makes the next poll return at once.
        Err(Errno::EINTR) => return Ok((false, false)),
        Err(error) => return Err(error.into()),
    }
    // Flags that nix has no name for (None) are a reason to look, too.
    let is_ready = |fd: &PollFd| fd.any() != Some(false);
    Ok((watched.get(1).is_some_and(is_ready), is_ready(&watched[0])))
}

/// Asks after every child that has ended, so that none stays a zombie.
fn reap(ended: &mut UnixStream) {
    // First the bytes, then the children. The other way round, one that ends in between would have
    // its byte taken and would itself not be looked for.
    while matches!(ended.read(&mut [0; 64]), Ok(1..)) {}
    // Signals of one kind do not queue up: two children that end together may send only one.
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(child, _)) => info!("process {child} has ended"),
            Ok(WaitStatus::Signaled(child, signal, _)) => {
                info!("process {child} has ended: {signal}");
            }
            // Those that are left still have a client, or there are none left (ECHILD).
            Ok(_) | Err(_) => return,
        }
    }
}

fn accept(listener: &Listener) -> Option<Connection> {
    match listener.accept() {
        Ok(Some(client)) => {
            info!(
                "new connection from {}, descriptor {}",
                client.peer(),
                client.as_fd().as_raw_fd()
            );
            Some(client)
        }
        Ok(None) => None,
        Err(error) => {
            info!("no new clients for now: {}", reason(&error));
            None
        }
    }
}

/// The child's part: from here on it is as simple as `blocking`.
fn talk(mut client: Connection, args: &Args) {
    // On the BSDs and macOS a connection inherits non-blocking from its listener.
    match client.set_nonblocking(false) {
        Ok(()) => converse(&mut client, args.reply, &mut args.server.buffer()),
        Err(error) => info!("turning away {}: {}", client.peer(), reason(&error)),
    }
}
