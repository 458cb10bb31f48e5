//! Exercise to chapter 12: finish a server of coroutines.
//!
//! Executor and tasks are there, and the server answers; but only one client at a time, and late.
//! The steps in the functions are yours. After each:
//!
//! ```text
//! cargo run -p lab -- exercise coroutines  # judges your copy, and says what is next
//! cargo run --example exercise_coroutines  # runs it, for `cargo run -p client`
//! ```
//!
//! One solution is `selectors/src/bin/coroutines.rs`.

#[path = "../src/executor.rs"]
mod executor;

use common::{Connection, Listener, Reply, ServerArgs, preview, reason, would_block};
use executor::{Executor, Readiness};
use log::info;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

fn main() -> ExitCode {
    let about =
        "The exercise to chapter 12: an echo server of coroutines, async fn for each client";
    common::run(about, Reply::Echo, serve)
}

/// The whole main loop: run the tasks.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    listener.set_nonblocking(true)?;
    let executor = Executor::new()?;
    listener.announce()?;
    let settings = Settings { chunk: args.chunk as usize, reply };
    executor.spawn(accept_all(Rc::clone(&executor), Rc::new(listener), settings));
    executor.run()
}

#[derive(Clone, Copy)]
struct Settings {
    chunk: usize,
    reply: Reply,
}

/// The listener's task: accept, serve, accept the next.
///
/// Step 2. Give each client a task of its own (`spawn`). Trap: `.await` waits for what stands
/// before it. Here that is everything that a client will ever send, and no other client is accepted
/// meanwhile.
async fn accept_all(executor: Rc<Executor>, listener: Rc<Listener>, settings: Settings) {
    let ready = Readiness::new(&executor, Rc::clone(&listener) as _);
    loop {
        if let Err(error) = ready.readable().await {
            info!("no new clients for now: {}", reason(&error));
            executor.sleep(Duration::from_secs(1)).await;
        }
        if let Some(connection) = listener.admit() {
            let ready = Readiness::new(&executor, Rc::new(connection.share()));
            let client = Client { connection, ready };
            converse(Rc::clone(&executor), client, settings).await;
        }
    }
}

/// A client's task. An error ends this task and no other.
async fn converse(executor: Rc<Executor>, mut client: Client, settings: Settings) {
    let peer = client.connection.peer();
    if let Err(error) = answer_all(&executor, &mut client, settings).await {
        info!("lost {peer}: {}", reason(&error));
    }
    info!("closing {peer}");
}

async fn answer_all(executor: &Executor, client: &mut Client, to: Settings) -> io::Result<()> {
    let mut buffer = vec![0; to.chunk];
    loop {
        let count = client.recv(executor, &mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        info!("received {} from {}", preview(&buffer[..count]), client.connection.peer());
        to.reply.answer(&buffer[..count], client.connection.queue_mut());
        client.send_all().await?;
    }
}

/// A connection whose calls stop the task where they would block.
struct Client {
    connection: Connection,
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
