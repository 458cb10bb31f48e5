//! Asking less often: a look at every socket, then a pause.
//!
//! "Instance 1" of note S2. Between two looks the server sleeps, so it costs next to no CPU. The
//! price is paid by the clients: who comes just after a look waits for the next one.
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
//! pause is right, because a short one burns the CPU again and a long one is slow. A program that is
//! woken (`select`) needs none.
//!
//! Limits: one recv makes a message, so what exceeds `--chunk` is not read, and closing the
//! connection then resets it. What is printed blocks where nobody reads it (a pager, Ctrl-S at the
//! terminal). It answers nobody, so the points of the course's contract that concern answers are
//! not its own.

use clap::Parser;
use common::{Connection, Listener, ServerArgs, harmless, preview, reason, would_block};
use log::info;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
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
    let mut server = Server {
        listener: common::listen(&args.server)?,
        last_in_vain: Instant::now(),
        looks_in_vain: 0,
        clients: Vec::new(),
        buffer: args.server.buffer(),
    };
    server.listener.set_nonblocking(true)?;
    server.listener.announce()?;
    loop {
        let somebody = server.accept();
        server.receive();
        // Behind one who waited another may wait: no pause until nobody does.
        if !somebody {
            server.pause(Duration::from_millis(args.pause.into()));
        }
    }
}

struct Server {
    listener: Listener,
    /// When accept last found nobody: whoever is there now has come since.
    last_in_vain: Instant,
    /// How many times it found nobody, since it last found somebody.
    looks_in_vain: u64,
    /// Those that are connected and have not said anything yet.
    clients: Vec<Client>,
    buffer: Vec<u8>,
}

struct Client {
    connection: Connection,
    in_vain: u64,
}

impl Server {
    /// Asks whether somebody new is there, and tells.
    fn accept(&mut self) -> bool {
        // Accepting is paused while the process is out of descriptors.
        if !self.listener.wants_read() {
            return false;
        }
        match self.listener.accept() {
            Ok(Some(connection)) => {
                let (fd, peer) = (connection.as_fd().as_raw_fd(), connection.peer());
                let vain = std::mem::take(&mut self.looks_in_vain);
                // The notes leave it blocking, as Linux makes it: the first client that connects
                // and says nothing holds up all the others.
                if let Err(error) = connection.set_nonblocking(true) {
                    info!("turning away {peer}: {}", reason(&error));
                    return true;
                }
                let ago = self.last_in_vain.elapsed().as_millis();
                info!(
                    "new connection from {peer}, descriptor {fd} \
                     (accept in vain: {vain}, last {ago} ms ago)"
                );
                self.clients.push(Client { connection, in_vain: 0 });
                true
            }
            Ok(None) => {
                self.looks_in_vain += 1;
                self.last_in_vain = Instant::now();
                false
            }
            Err(error) => {
                info!("no new clients for now: {}", reason(&error));
                false
            }
        }
    }

    /// Asks every client once. One that has spoken or left is closed; one that is silent is asked
    /// again after the next pause, and holds up nobody.
    fn receive(&mut self) {
        let before = self.clients.len();
        self.clients.retain_mut(|client| client.is_silent(&mut self.buffer));
        if self.clients.len() < before {
            self.listener.resume();
        }
    }

    /// The notes' `time.sleep(4)`. Nothing ends it early: neither a client nor its message.
    fn pause(&self, pause: Duration) {
        // Said once, not at every look: what repeats itself is the silence.
        if self.looks_in_vain == 1 {
            info!("nobody new: looking again every {} ms", pause.as_millis());
        }
        thread::sleep(pause);
    }
}

impl Client {
    /// One recv. Whether there is nothing yet, so that the client is to be asked again.
    fn is_silent(&mut self, buffer: &mut [u8]) -> bool {
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
            Err(error) => info!("lost {peer}: {}", reason(&error)),
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
    let _ = writeln!(out, "{}", harmless(&text).trim_end_matches('\n')).and_then(|()| out.flush());
}
