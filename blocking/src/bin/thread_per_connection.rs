//! A thread for each client: every one of them may sleep, and none of the others notices.
//!
//! The way out that note S2, section 2, proposes. The code is that of `blocking`; the conversation
//! has only moved to a thread of its own, so that main is back in accept at once.
//!
//! ```text
//! cargo run --bin thread_per_connection
//! cargo run -p client            # as often as you like
//! ```
//!
//! Watch that each client is answered although another one's recv is asleep. A message costs two
//! system calls, recv and send: fewer than in any program that must first ask who is ready.
//!
//! Limits: a client costs a thread, with a stack and a place in the scheduler, even while it is
//! idle. Descriptors usually end first: 1020 clients with `ulimit -n 1024`. Where threads end
//! (`ulimit -u`) a client is turned away, in words. Where memory itself ends (`ulimit -v`), so may
//! the program: a thread takes some before it can say that there is none. Linux also limits the
//! number of pieces that a process's memory is made of (vm.max_map_count), and a thread takes four.
//! With the kernel's default, 65530, the program ends at some 16,000 clients; several distributions
//! set 1048576.

#[path = "../conversation.rs"]
mod conversation;

use clap::Parser;
use common::{Connection, Reply, ServerArgs, reason};
use conversation::converse;
use log::info;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;
use std::thread;

/// A blocking server with a thread for each client (note S2)
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

/// The main thread waits in accept, and nowhere else.
fn serve(args: &Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    listener.announce()?;
    loop {
        info!("waiting in accept");
        match listener.accept() {
            Ok(Some(client)) => start(client, args),
            // A blocking accept does not come back without a client.
            Ok(None) => {}
            // The clients' threads go on meanwhile, and give descriptors back.
            Err(error) => {
                info!("no new clients for now: {}", reason(&error));
                thread::sleep(listener.timeout().unwrap_or_default());
            }
        }
    }
}

/// Gives this client a thread, which ends when the client leaves.
fn start(mut client: Connection, args: &Args) {
    let (fd, peer) = (client.as_fd().as_raw_fd(), client.peer());
    info!("new connection from {peer}, descriptor {fd}");
    let reply = args.reply;
    // A buffer each: two threads may be in recv at the same time.
    let mut buffer = args.server.buffer();
    // `thread::spawn` panics when the system has no thread to give. The closure that never ran is
    // dropped then, and the connection in it closed.
    let spawned = thread::Builder::new().spawn(move || converse(&mut client, reply, &mut buffer));
    if let Err(error) = spawned {
        info!("turning away {peer}: {}", reason(&error));
    }
}
