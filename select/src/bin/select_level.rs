//! What happens to an event that nobody handles: `select(2)` is level-triggered.
//!
//! "Instance 2" of note S2. This server never calls accept. As long as a client waits, the
//! listener is readable, and select says so again and again: it reports a state, not a change.
//! The state is reported for as long as it lasts, and only accept would end it.
//!
//! ```text
//! cargo run --bin select_level
//! cargo run -p client            # connects: the kernel does that without the server
//! ```
//!
//! Watch `top`: with nobody connected the program sleeps and wakes every 5 seconds; with one client
//! it takes a whole processor. So it is not a server that keeps the contract of the course, and
//! is not meant to be: nobody is accepted, nobody is answered.

use clap::Parser;
use common::{Listener, ServerArgs};
use log::info;
use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use select::{must_watch, timeval};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Nobody accepts, so select(2) reports the listener again and again: level-triggered
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// The notes print a line for each report, which is hundreds of thousands a second. After this
/// many, they are only counted.
const SHOWN: u64 = 5;

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

fn serve(args: &Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    must_watch(&listener)?;
    listener.announce()?;
    let mut reports = 0;
    let mut next_count = Instant::now();
    loop {
        if !wait(&listener)? {
            info!(">>>>>> nothing in 5 seconds");
            reports = 0;
            continue;
        }
        // Here `listener.accept()` is missing.
        reports += 1;
        if reports <= SHOWN {
            info!("hello: the listener is readable, report {reports}");
            next_count = Instant::now() + Duration::from_secs(1);
        } else if Instant::now() >= next_count {
            info!("hello: the same connection, {reports} reports so far");
            next_count += Duration::from_secs(1);
        }
    }
}

/// Waits for the listener, 5 seconds at most, as the notes do.
fn wait(listener: &Listener) -> io::Result<bool> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let mut inputs = FdSet::new();
        inputs.insert(listener.as_fd());
        let left = deadline.saturating_duration_since(Instant::now());
        let mut timeout = timeval(left);
        match select(listener.as_fd().as_raw_fd() + 1, &mut inputs, None, None, &mut timeout) {
            Ok(count) => return Ok(count > 0),
            // A signal does not make the 5 seconds start again.
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
