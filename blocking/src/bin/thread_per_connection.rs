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
//! Limits: a client costs a thread, with a stack and a place in the scheduler, also while it says
//! nothing. Where threads end (`ulimit -u`) a client is turned away, in words. Where memory itself
//! ends (`ulimit -v`), so may the program: a thread takes some before it can say that there is none.
//! Linux also limits the number of pieces that a process's memory is made of (vm.max_map_count,
//! usually 65530); a thread takes four, so with some 16,000 clients the program ends.

use blocking::converse;
use common::{Connection, Reply, ServerArgs, reason};
use log::info;
use std::io;
use std::process::ExitCode;
use std::thread;

fn main() -> ExitCode {
    common::run("A blocking server with a thread for each client", Reply::Upper, serve)
}

/// The main thread waits in accept, and nowhere else.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    listener.announce()?;

    loop {
        info!("waiting in accept");
        if let Some(client) = listener.admit() {
            start(client, reply, args);
        }
    }
}

/// Gives this client a thread, which ends with the conversation.
fn start(mut client: Connection, reply: Reply, args: &ServerArgs) {
    let peer = client.peer();
    // A buffer each: two threads may be in recv at the same time.
    let mut buffer = args.buffer();
    // `thread::spawn` panics when the system has no thread to give. The closure that never ran is
    // dropped then, and the connection in it closed.
    let spawned = thread::Builder::new().spawn(move || converse(&mut client, reply, &mut buffer));
    if let Err(error) = spawned {
        info!("turning away {peer}: {}", reason(&error));
    }
}
