//! Asking less often: a look at every socket, then a pause.
//!
//! "Instance 1" of note S2. Between two looks the server sleeps, so it costs next to no CPU. The
//! clients pay for that: one that comes just after a look waits for the next.
//!
//! ```text
//! cargo run --bin nonblocking_accept
//! printf hello | cargo run -q -p client      # in another terminal
//! ```
//!
//! A message is what has come from a client when the server looks. It is printed on standard
//! output, and the client is closed, without an answer.
//!
//! Watch how long the client has to wait. The server cannot know: it learns of a client only when
//! it looks. What it can say is when it last looked in vain. Try `--pause 100`, `--pause 1`: no
//! pause is right, because a short one burns the CPU again and a long one is slow. A program that
//! is woken (`select`) needs none.
//!
//! Limits: one recv makes a message, so what exceeds `--chunk` is not read, and closing the
//! connection then resets it. What is printed blocks where nobody reads it (a pager, Ctrl-S at the
//! terminal). It sends no answers, so the points of the course's contract about answers do not
//! concern it.

use clap::Parser;
use common::{Connection, ServerArgs, harmless, preview, would_block};
use log::info;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// Looks for clients, pauses, looks again; prints what they have to say (note S2, "instance 1")
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// How long to pause when a look for new clients was in vain, in milliseconds: 1 to 3600000
    #[arg(long, value_name = "MS", default_value_t = 4000,
          value_parser = clap::value_parser!(u32).range(1..=3_600_000))]
    pause: u32,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

/// The loop of `nonblocking`, with a pause in it.
fn serve(args: &Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    // And with it each connection that it accepts. The notes leave those blocking, as Linux makes
    // them: the first client that connects and sends nothing holds up all the others.
    listener.set_nonblocking(true)?;
    listener.announce()?;

    let pause = Duration::from_millis(args.pause.into());
    let mut buffer = args.server.buffer();
    let mut clients: Vec<Client> = Vec::new();
    let mut looks = Looks { in_vain: 0, last: Instant::now() };
    loop {
        let newcomer = listener.admit();
        // Behind a client that waited another may wait: no pause until there is none.
        let pausing = newcomer.is_none();
        if let Some(connection) = newcomer {
            looks.found();
            clients.push(Client { connection, in_vain: 0 });
        }
        // A client that has sent something or has left is closed. An idle one is asked again after
        // the next pause, and holds up no other.
        clients.retain_mut(|client| client.is_idle(&mut buffer));
        if pausing {
            looks.found_nobody(pause);
            thread::sleep(pause);
        }
    }
}

/// How often accept has found no client since it last found one, and when.
struct Looks {
    in_vain: u64,
    last: Instant,
}

impl Looks {
    /// All that the server can know of the client's wait: it came after the last look.
    fn found(&mut self) {
        let (in_vain, ago) = (std::mem::take(&mut self.in_vain), self.last.elapsed().as_millis());
        info!("accept in vain before: {in_vain}, last {ago} ms ago");
    }

    /// Before the notes' `time.sleep(4)`, which nothing ends early: neither a client nor its
    /// message.
    fn found_nobody(&mut self, pause: Duration) {
        self.in_vain += 1;
        self.last = Instant::now();
        // Said once, not at every look.
        if self.in_vain == 1 {
            info!("nobody new: looking again every {} ms", pause.as_millis());
        }
    }
}

struct Client {
    connection: Connection,
    in_vain: u64,
}

impl Client {
    /// One recv. Whether nothing has come yet, so that the client is to be asked again.
    fn is_idle(&mut self, buffer: &mut [u8]) -> bool {
        let peer = self.connection.peer();
        match self.connection.recv(buffer) {
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                let data = &buffer[..count];
                info!("received {} from {peer} (recv in vain: {})", preview(data), self.in_vain);
                say(data);
            }
            Err(error) if would_block(&error) => {
                self.in_vain += 1;
                return true;
            }
            Err(error) => self.connection.lose(&error),
        }
        info!("closing {peer}");
        false
    }
}

/// A message on standard output: bytes that are no text are shown as `�` (the notes' server throws
/// an exception there), and bytes that a terminal would obey are not obeyed. That standard output
/// may be closed stops nothing.
fn say(message: &[u8]) {
    let text = String::from_utf8_lossy(message);
    let mut out = io::stdout();
    // Its other lines are marked, so that they do not pass for another client's.
    let shown = harmless(text.trim_end()).replace('\n', "\n    ");
    let _ = writeln!(out, "{shown}").and_then(|()| out.flush());
}
