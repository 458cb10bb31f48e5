//! A process for each client, made by fork(2): older than threads are.
//!
//! The other way out that note S2, section 2, proposes. Unlike threads, processes share no memory:
//! if one crashes, its own client loses the connection and no other does.
//!
//! ```text
//! cargo run --bin process_per_connection
//! cargo run -p client            # as often as you like
//! ```
//!
//! Watch `process N has ended` when a client leaves. A process that has ended stays in the system's
//! table, as a zombie, until its parent asks how it ended. So the parent has to wait for two
//! things, a client and the end of a child, and accept waits for one only. A signal (SIGCHLD)
//! reports the end of a child. Its handler makes a descriptor readable (a self-pipe), and poll(2)
//! waits for that descriptor and the listener together. The chapters on select and poll begin
//! there.
//!
//! Limits: a process is the most expensive way to remember one client, and the system gives only so
//! many (`ulimit -u`). A client beyond is turned away, and the narration says so. A parent that is
//! killed leaves its children to finish with their clients; Ctrl-C reaches them all.

use blocking::converse;
use common::{Connection, Listener, Reply, ServerArgs, explained, reason};
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
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    common::run("A blocking server with a process for each client", Reply::Upper, serve)
}

/// The parent's loop. A child leaves it, and the program, when its client has left.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    // accept must not wait: the client may be gone by then, or another process may have it, and
    // the children that end meanwhile would stay zombies.
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
        }
        if !new_client {
            continue;
        }
        let Some(client) = listener.admit() else { continue };
        let peer = client.peer();
        #[expect(unsafe_code, reason = "the safe ways to start a process start another program")]
        // SAFETY: this process has one thread, so the child's copy of the memory was left in order:
        // no lock in it is held by a thread that the child does not have.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                // The child has a copy of every descriptor. If it kept the listener's, the port
                // would stay taken after the parent has ended, as long as this client stays.
                drop((listener, ended));
                unregister(handler);
                talk(client, reply, args);
                return Ok(());
            }
            Ok(ForkResult::Parent { child }) => info!("process {child} serves {peer}"),
            Err(errno) => info!("turning away {peer}: {}", reason(&errno.into())),
        }
        // A connection is closed when its last copy is. If the parent kept its own, the client
        // would never see the end, and the next child would inherit the connection.
        drop(client);
    }
}

/// The descriptor that is readable when a child has ended, and the handler that makes it so.
fn watch_children() -> io::Result<(UnixStream, SigId)> {
    // A signal handler can do next to nothing; this one writes a byte for us to find.
    let (ended, handlers_end) = UnixStream::pair()?;
    ended.set_nonblocking(true)?;
    let handler = pipe::register(SIGCHLD, handlers_end)?;
    // Blocked signals are inherited: the program that started this one may have blocked SIGCHLD.
    SigSet::from(Signal::SIGCHLD).thread_unblock()?;
    Ok((ended, handler))
}

/// Sleeps until a client waits to be accepted or a child has ended, and says which of the two.
fn wait(listener: &Listener, ended: &UnixStream) -> io::Result<(bool, bool)> {
    let mut watched = [
        PollFd::new(ended.as_fd(), PollFlags::POLLIN),
        PollFd::new(listener.as_fd(), PollFlags::POLLIN),
    ];
    info!("waiting in poll for a client or a child's end");
    match poll(&mut watched, PollTimeout::NONE) {
        Ok(_) => {}
        // SIGCHLD itself, most often. The byte that it wrote makes the next poll return at once.
        Err(Errno::EINTR) => return Ok((false, false)),
        Err(error) => return Err(error.into()),
    }
    // Flags that nix has no name for (None) are a reason to look, too.
    let is_ready = |fd: &PollFd| fd.any() != Some(false);
    Ok((is_ready(&watched[1]), is_ready(&watched[0])))
}

/// Asks how each child has ended, so that none stays a zombie.
fn reap(ended: &mut UnixStream) {
    // First the bytes, then the children. In the other order, a child that ends in between would
    // have its byte taken and would not be asked about.
    while matches!(ended.read(&mut [0; 64]), Ok(1..)) {}
    // Signals of one kind do not queue up: two children that end together may send only one.
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(child, _)) => info!("process {child} has ended"),
            Ok(WaitStatus::Signaled(child, signal, _)) => {
                info!("process {child} has ended: {signal}");
            }
            // The children that are left still have a client, or no child is left (ECHILD).
            Ok(_) | Err(_) => return,
        }
    }
}

/// The child's part: from here on it is as simple as `blocking`.
fn talk(mut client: Connection, reply: Reply, args: &ServerArgs) {
    // The listener is non-blocking, and so is what it accepted.
    match client.set_nonblocking(false) {
        Ok(()) => converse(&mut client, reply, &mut args.buffer()),
        Err(error) => client.lose(&error),
    }
}
