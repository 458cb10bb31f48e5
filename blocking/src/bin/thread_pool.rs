//! A fixed number of threads, which take one client after the other: the bounded way.
//!
//! The improvement that note S2, section 2, proposes over a thread for each client: threads are
//! made once, and there are never more of them than was said at the start.
//!
//! ```text
//! cargo run --bin thread_pool -- --workers 2
//! cargo run -p client            # in three other terminals
//! ```
//!
//! Watch the third client. It waits until one of the first two leaves, however little those two
//! have to say: a worker is held by a *client*, not by work.
//!
//! Limits: that of `blocking`, with N clients in place of one. When all workers have a client, the
//! next one is accepted and waits for a worker. Those behind it wait in the kernel's accept queue;
//! none is turned away because the workers are busy.

use blocking::converse;
use clap::Parser;
use common::{Connection, Reply, ServerArgs, explained, reason};
use log::info;
use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// A blocking server with a fixed number of threads (note S2)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Upper)]
    reply: Reply,

    /// How many clients are served at a time: 1 to 4096 [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    workers: Option<u16>,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

/// The main thread waits in accept and, when all workers have a client, for one of them.
fn serve(args: &Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    let pool = Pool::start(args)?;
    listener.announce()?;

    loop {
        info!("waiting in accept");
        if let Some(client) = listener.admit() {
            pool.serve(client);
        }
    }
}

struct Pool {
    workers: usize,
    /// The clients that a worker has, or that wait for one.
    clients: Arc<AtomicUsize>,
    door: SyncSender<Connection>,
}

impl Pool {
    fn start(args: &Args) -> io::Result<Self> {
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        let workers = args.workers.map_or_else(processors, usize::from);
        let clients = Arc::new(AtomicUsize::new(0));
        // A channel without room: sending waits until a worker receives. With room, clients would
        // be accepted that no worker has time for, each at the cost of a descriptor.
        let (door, inside) = sync_channel(0);
        let inside = Arc::new(Mutex::new(inside));
        for number in 1..=workers {
            let (inside, clients) = (Arc::clone(&inside), Arc::clone(&clients));
            let (reply, buffer) = (args.reply, args.server.buffer());
            let spawned =
                thread::Builder::new().spawn(move || work(&inside, &clients, reply, buffer));
            if let Err(error) = spawned {
                let reason = reason(&error);
                let sentence = format!(
                    "cannot start worker {number} of {workers}: {reason} (try fewer --workers)"
                );
                return Err(explained(&error, sentence));
            }
        }
        info!("{workers} workers wait for clients");
        Ok(Self { workers, clients, door })
    }

    /// Hands the client to a worker, and waits for one if all of them have a client.
    fn serve(&self, client: Connection) {
        let peer = client.peer();
        if self.clients.fetch_add(1, Ordering::Relaxed) >= self.workers {
            info!("all {} workers are busy: {peer} waits, and whoever comes after", self.workers);
        }
        self.door.send(client).expect("workers receive as long as there is a sender");
    }
}

/// A worker's life: one client until it leaves, then the next.
fn work(
    inside: &Mutex<Receiver<Connection>>,
    clients: &AtomicUsize,
    reply: Reply,
    mut buffer: Vec<u8>,
) {
    loop {
        // One idle worker waits for a client, the others for the lock, which is released at the end
        // of this line. In `while let Ok(client) = inside.lock()…` it would be held through the
        // whole conversation, and only one worker would work.
        let next = inside.lock().expect("recv does not panic").recv();
        let Ok(mut client) = next else { return };
        converse(&mut client, reply, &mut buffer);
        // Before the connection is closed: a client that sees the end may connect again at once,
        // and this worker is free for it.
        clients.fetch_sub(1, Ordering::Relaxed);
    }
}
