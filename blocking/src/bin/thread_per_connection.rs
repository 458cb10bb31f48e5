//! A thread for each client: each of them may wait, and the others go on.
//!
//! The way out that note S2, section 2, proposes. The code is that of `blocking`, but each
//! conversation runs in a thread of its own, so main is back in accept at once.
//!
//! ```text
//! cargo run --bin thread_per_connection
//! cargo run -p client            # as often as you like
//! ```
//!
//! Watch that each client is answered while the other threads wait in recv. A message costs two
//! system calls, recv and send: fewer than in a program that must first ask which client is ready.
//!
//! Limits: a client costs a thread, with a stack and a place in the scheduler, even while it is
//! idle. When the system gives no more threads (`ulimit -u`), a client is turned away, and the
//! narration says so. When memory runs out (`ulimit -v`), the program may end: a new thread takes
//! some before it can report that there is none. Linux also limits the number of pieces that a
//! process's memory is made of (vm.max_map_count). A thread takes four: where the limit is 65530,
//! the program ends with some 16,000 clients. Descriptors (`ulimit -n`) usually end earlier.

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
    // `thread::spawn` would panic when the system has no thread to give; `Builder` returns an
    // error. The closure is then dropped without having run, and the connection in it is closed.
    let spawned = thread::Builder::new().spawn(move || {
        converse(&mut client, reply, &mut buffer);
        // Closes the connection.
        drop(client);
    });
    if let Err(error) = spawned {
        info!("turning away {peer}: {}", reason(&error));
    }
}
