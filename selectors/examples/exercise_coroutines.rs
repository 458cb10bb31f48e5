//! Exercise to chapter 12: finish a server of coroutines.
//!
//! Executor and tasks are there, and the server answers; but only one client at a time, and late.
//! The steps in the functions are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise coroutines  # judges this file, and says what is next
//! cargo run --example exercise_coroutines  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `selectors/src/bin/coroutines.rs`.

#[path = "../src/executor.rs"]
mod executor;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use executor::{Executor, Readiness};
use log::info;
use std::io;
use std::net::TcpStream;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

/// The exercise to chapter 12: an echo server of coroutines, async fn for each client
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(args))
}

/// The whole main loop: run the tasks.
fn serve(args: Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    listener.set_nonblocking(true)?;
    let executor = Executor::new()?;
    listener.announce()?;
    executor.spawn(accept_all(Rc::clone(&executor), Rc::new(listener), Rc::new(args)));
    executor.run()
}

/// The listener's task: accept, serve, accept the next.
///
/// Step 2. Give each client a task of its own (`spawn`). Trap: `.await` waits for what stands
/// before it; here that is all that a client will ever say, and nobody else is accepted meanwhile.
async fn accept_all(executor: Rc<Executor>, listener: Rc<Listener>, args: Rc<Args>) {
    let ready = Readiness::new(&executor, Rc::clone(&listener) as _);
    loop {
        match accept(&listener, &ready).await {
            Ok(connection) => {
                info!("new connection from {}", connection.peer());
                let connection = connection.share();
                let ready = Readiness::new(&executor, Rc::clone(connection.socket()) as _);
                let client = Client { connection, ready };
                converse(Rc::clone(&executor), client, Rc::clone(&args)).await;
            }
            // Out of descriptors: this task waits a while.
            Err(error) => {
                info!("no new clients for now: {}", reason(&error));
                listener.pause();
                executor.sleep(listener.timeout().unwrap_or_default()).await;
            }
        }
    }
}

async fn accept(listener: &Listener, ready: &Readiness) -> io::Result<Connection> {
    loop {
        ready.readable().await?;
        if let Some(connection) = listener.accept()? {
            connection.set_nonblocking(true)?;
            return Ok(connection);
        }
    }
}

/// A client's task. An error ends this task and no other.
async fn converse(executor: Rc<Executor>, mut client: Client, args: Rc<Args>) {
    let peer = client.connection.peer();
    if let Err(error) = answer_all(&executor, &mut client, &args).await {
        info!("lost {peer}: {}", reason(&error));
    }
    info!("closing {peer}");
}

async fn answer_all(executor: &Executor, client: &mut Client, args: &Args) -> io::Result<()> {
    let mut buffer = args.server.buffer();
    loop {
        let count = client.recv(executor, &mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        info!("received {} from {}", preview(&buffer[..count]), client.connection.peer());
        args.reply.answer(&buffer[..count], client.connection.queue_mut());
        client.send_all().await?;
    }
}

/// A connection whose calls stop the task where they would block.
struct Client {
    connection: Connection<Rc<TcpStream>>,
    ready: Readiness,
}

impl Client {
    /// Step 1. Stop the task until there is something to receive (`readable`), instead of asking
    /// again after a while. Trap: a client that always has more must not keep the thread. An
    /// `.await` is the only place where others get it, and one that is never reached is none.
    async fn recv(&mut self, executor: &Executor, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.recv(buffer) {
                Err(error) if would_block(&error) => {
                    executor.sleep(Duration::from_millis(30)).await;
                }
                result => return result,
            }
        }
    }

    /// Step 3. Send all that is queued, however little one send takes; stop the task while there is
    /// no room. Trap: that comes as an error (`would_block`), and this function ends the client
    /// for it. And nearly always there is room: to ask first costs a wait for each answer.
    async fn send_all(&mut self) -> io::Result<()> {
        self.ready.writable().await?;
        self.connection.send()?;
        Ok(())
    }
}
