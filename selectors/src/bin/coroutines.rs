//! One thread, many clients, and each of them reads like `blocking`: async/await on a selector.
//!
//! S2 begins with this question: a coroutine switches by itself where it would block; how? Here is
//! the program, and `executor.rs` beside it is the answer. `converse` is the conversation of the
//! blocking server with `.await` where that one sleeps. Where it says `.await` the task may stop in
//! the middle of the function, and the thread goes on with another; the variables stay where they
//! are. What in the other servers is a field of `Client`, "how far am I with this one", is here the
//! line in which the task stands.
//!
//! ```text
//! cargo run --bin coroutines
//! cargo run --bin coroutines -- --delay 5      # S3's slow handler: nobody else waits for it
//! cargo run -p client                          # in another, or in several
//! ```
//!
//! Watch the switches: `switching: …` says who stops and for what, `… goes on` who was woken.
//!
//! Limits: a task that computes, or calls something that blocks, stops all the others; switching is
//! by `.await` only. A task holds a buffer of `--chunk` bytes while it waits.

#[path = "../executor.rs"]
mod executor;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, explained, preview, reason, would_block};
use executor::{Executor, Readiness};
use log::info;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

/// An echo server of coroutines: async fn for each client, over a selector (note S2's question)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,

    /// How long an answer takes; meanwhile others are served
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    delay: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "expected seconds, such as 5 or 0.5")?;
    let delay = Duration::try_from_secs_f64(seconds).ok();
    delay.filter(|delay| delay.as_secs() < 86_400).ok_or("expected 0 to 86400".into())
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(args))
}

/// The whole main loop: run the tasks. The first one accepts the others.
fn serve(args: Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    listener.set_nonblocking(true)?;
    let executor = Executor::new().map_err(|error| {
        explained(&error, format!("cannot make a selector: {} (raise ulimit -n?)", reason(&error)))
    })?;
    listener.announce()?;
    executor.spawn(accept_all(Rc::clone(&executor), Rc::new(listener), Rc::new(args)));
    executor.run()
}

/// The listener's task: accept, give the client a task of its own, accept the next.
async fn accept_all(executor: Rc<Executor>, listener: Rc<Listener>, args: Rc<Args>) {
    let ready = Readiness::new(&executor, Rc::clone(&listener) as _);
    loop {
        info!("switching: nobody to accept yet");
        if let Err(error) = ready.readable().await {
            // The selector cannot take the listener now (ENOSPC, ENOMEM). The other tasks go on.
            info!("no new clients for now: {}", reason(&error));
            executor.sleep(Duration::from_secs(1)).await;
        }
        if let Some(connection) = listener.admit() {
            let client = Client::new(connection, &executor);
            executor.spawn(converse(Rc::clone(&executor), client, Rc::clone(&args)));
        }
    }
}

/// A client's task, from its first message to its last.
async fn converse(executor: Rc<Executor>, mut client: Client, args: Rc<Args>) {
    let peer = client.connection.peer();
    // An error ends this task and no other.
    if let Err(error) = answer_all(&executor, &mut client, &args).await {
        info!("lost {peer}: {}", reason(&error));
    }
    info!("closing {peer}");
    // Closes the connection.
    drop(client);
}

/// recv, answer, send, and again. Compare `blocking/src/lib.rs`.
async fn answer_all(executor: &Executor, client: &mut Client, args: &Args) -> io::Result<()> {
    let peer = client.connection.peer();
    let mut buffer = args.server.buffer();
    loop {
        let count = client.recv(&mut buffer).await?;
        if count == 0 {
            info!("no more data from {peer}");
            return Ok(());
        }
        info!("received {} from {peer}", preview(&buffer[..count]));
        args.reply.answer(&buffer[..count], client.connection.queue_mut());
        if !args.delay.is_zero() {
            info!("switching: {peer} waits for its answer");
            executor.sleep(args.delay).await;
            info!("{peer} goes on");
        }
        client.send_all().await?;
        info!("output queue for {peer} is empty");
    }
}

/// A connection whose calls stop the task where they would block.
struct Client {
    connection: Connection,
    ready: Readiness,
}

impl Client {
    fn new(connection: Connection, executor: &Rc<Executor>) -> Self {
        let ready = Readiness::new(executor, Rc::new(connection.share()));
        Self { connection, ready }
    }

    /// Waits first and receives then: between two messages there is always a wait, so no client
    /// keeps the thread, and a recv in vain is saved.
    async fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let peer = self.connection.peer();
        loop {
            info!("switching: nothing from {peer} yet");
            self.ready.readable().await?;
            info!("{peer} goes on");
            match self.connection.recv(buffer) {
                // Readiness is a hint: recv has the last word.
                Err(error) if would_block(&error) => {}
                result => return result,
            }
        }
    }

    /// Sends first, and waits only if there is no room: nearly always there is.
    async fn send_all(&mut self) -> io::Result<()> {
        let peer = self.connection.peer();
        while self.connection.wants_write() {
            info!("sending {} to {peer}", preview(self.connection.queue().waiting()));
            match self.connection.send() {
                Ok(_) => {}
                Err(error) if would_block(&error) => {
                    info!("switching: no room for {peer}");
                    self.ready.writable().await?;
                    info!("{peer} goes on");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
