//! Several clients and one operator who answers them: the keyboard is one more descriptor.
//!
//! The chat room of note S2. The notes call `input()` inside the loop, so while the operator
//! thinks, no client is heard, accepted, or noticed when it leaves. Here standard input stands in
//! select's set beside the sockets: the operator is one more client of the loop.
//!
//! ```text
//! cargo run --bin chat_room      # you are the operator
//! cargo run -p client            # in one terminal for each client
//! ```
//!
//! What clients say is printed on standard output, `client 1: hello`; answer with `1 your answer`,
//! or with a plain line to the one that spoke last. With `--quiet` the conversation stands alone.
//!
//! Watch the numbers: a client keeps its own for as long as the room is open. The notes' number is
//! a position in the list, which becomes another client's as soon as somebody is taken out of it.
//!
//! Limits: as `select`, descriptors 0 to 1023. What is printed for the operator blocks where nobody
//! reads it (a pager, Ctrl-S at the terminal), and then everybody waits after all. The room sends
//! no answer by itself, so the points of the course's contract that concern answers are the
//! operator's to keep.

use clap::Parser;
use common::{
    Connection, Listener, ServerArgs, TextPieces, harmless, marked, preview, would_block,
};
use log::info;
use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use select::{List, can_watch, must_watch};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;

/// A chat room: several clients, and you answer them from the keyboard (note S2)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// The longest line of the operator, in bytes. More without a newline is no line that was typed.
const LONGEST_LINE: usize = 64 * 1024;

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(&args))
}

/// The loop of every readiness server: wait until something is ready, handle what is, wait again.
fn serve(args: &Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    // No call in the loop may wait except select: the others would wait with it.
    listener.set_nonblocking(true)?;
    must_watch(&listener)?;
    listener.announce()?;
    say("answer with `N text` (to client N) or `text` (to the one that spoke last)");

    let mut room = Room {
        clients: Vec::new(),
        clients_so_far: 0,
        spoke_last: None,
        keyboard: Some(io::stdin()),
        typed: Vec::new(),
        forgetting: false,
    };
    let mut buffer = args.server.buffer();
    loop {
        let ready = room.wait(&listener)?;
        for n in ready.readable {
            room.receive(n, &mut buffer);
        }
        if ready.keyboard {
            room.read_keyboard();
        }
        for n in ready.writable {
            room.clients[n].connection.send_queued();
        }
        // Only now, when no position is used any more.
        room.clients.retain(Client::is_here);
        if ready.new_client {
            room.welcome(listener.admit().filter(can_watch));
        }
    }
}

struct Room {
    clients: Vec<Client>,
    /// Numbers are given once and never again: the operator must not answer a newcomer by mistake.
    clients_so_far: usize,
    /// The number of the client that a line without a number goes to.
    spoke_last: Option<usize>,
    /// The operator; `None` after the end of their input, when the room goes on without.
    keyboard: Option<io::Stdin>,
    /// The beginning of a line whose newline has not come yet: a pipe gives any piece of it.
    typed: Vec<u8>,
    /// The line being typed was too long, and what is left of it is no line of its own.
    forgetting: bool,
}

struct Client {
    number: usize,
    connection: Connection,
    /// What it says may arrive cut in the middle of a character.
    text: TextPieces,
}

/// What select gave back. A client is its position in the list.
struct Ready {
    new_client: bool,
    keyboard: bool,
    readable: Vec<usize>,
    writable: Vec<usize>,
}

impl Room {
    /// Says what to watch, sleeps until some of it is ready, and finds out what is.
    fn wait(&self, listener: &Listener) -> io::Result<Ready> {
        let (mut inputs, mut outputs) = (FdSet::new(), FdSet::new());
        let mut highest = listener.as_fd().as_raw_fd();
        inputs.insert(listener.as_fd());
        if let Some(keyboard) = &self.keyboard {
            inputs.insert(keyboard.as_fd());
        }
        for Client { connection, .. } in &self.clients {
            let fd = connection.as_fd();
            highest = highest.max(fd.as_raw_fd());
            if connection.wants_read() {
                inputs.insert(fd);
            }
            if connection.wants_write() {
                outputs.insert(fd);
            }
        }
        info!("waiting for the next event: inputs {}, outputs {}", List(&inputs), List(&outputs));

        match select(highest + 1, &mut inputs, &mut outputs, None, None) {
            Ok(_) => {}
            // A signal came first. Nothing is known to be ready, so ask again.
            Err(Errno::EINTR) => return self.wait(listener),
            Err(error) => return Err(error.into()),
        }
        info!("ready: readable {}, writable {}", List(&inputs), List(&outputs));
        let within = |set: &FdSet| -> Vec<usize> {
            let among = |&n: &usize| set.contains(self.clients[n].connection.as_fd());
            (0..self.clients.len()).filter(among).collect()
        };
        Ok(Ready {
            new_client: inputs.contains(listener.as_fd()),
            keyboard: self.keyboard.as_ref().is_some_and(|it| inputs.contains(it.as_fd())),
            readable: within(&inputs),
            writable: within(&outputs),
        })
    }

    /// Gives a new client its number.
    fn welcome(&mut self, newcomer: Option<Connection>) {
        let Some(connection) = newcomer else { return };
        self.clients_so_far += 1;
        let number = self.clients_so_far;
        info!("{} is client {number}", connection.peer());
        self.clients.push(Client { number, connection, text: TextPieces::default() });
    }

    /// One recv. What it brought is shown to the operator; only the operator answers.
    fn receive(&mut self, client: usize, buffer: &mut [u8]) {
        let Client { number, connection, text } = &mut self.clients[client];
        let peer = connection.peer();
        match connection.recv(buffer) {
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                info!("received {} from {peer}", preview(&buffer[..count]));
                let words = text.push(&buffer[..count]);
                if !words.is_empty() {
                    say(marked(&format!("client {number}: "), &harmless(&words)).trim_end());
                }
                self.spoke_last = Some(*number);
            }
            Err(error) if would_block(&error) => {}
            Err(error) => connection.lose(&error),
        }
    }

    /// The operator typed something. select promised that one read does not block, so there is one.
    ///
    /// Standard input is not made non-blocking for this: the terminal is shared with the shell, and
    /// the shell would find it non-blocking too. Nor is it read with a `BufReader`: select cannot
    /// see the lines that such a buffer already holds.
    fn read_keyboard(&mut self) {
        let mut piece = [0; 1024];
        match self.keyboard.as_ref().map(|keyboard| nix::unistd::read(keyboard, &mut piece)) {
            Some(Ok(count)) if count > 0 => self.typed.extend_from_slice(&piece[..count]),
            Some(Err(Errno::EAGAIN | Errno::EINTR)) => return,
            // End of input (Ctrl-D, or the end of a pipe), or the terminal is gone. From now on it
            // would always be readable, so it leaves the set. The clients stay.
            _ => {
                self.keyboard = None;
                say("the operator has left; the room stays open (Ctrl-C closes it)");
                self.typed.push(b'\n');
            }
        }
        while let Some(end) = self.typed.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.typed.drain(..=end).collect();
            if !std::mem::take(&mut self.forgetting) {
                self.answer(String::from_utf8_lossy(&line).trim());
            }
        }
        if self.typed.len() > LONGEST_LINE {
            if !std::mem::replace(&mut self.forgetting, true) {
                say("that line is too long, and is forgotten");
            }
            self.typed.clear();
        }
    }

    /// Puts `N text` or `text` into one client's queue, or tells the operator why it cannot be
    /// delivered.
    fn answer(&mut self, line: &str) {
        if line.is_empty() {
            return;
        }
        let addressed = line.split_once(' ').and_then(|(n, text)| Some((n.parse().ok()?, text)));
        let (number, text) = match (addressed, self.spoke_last) {
            (Some((number, text)), _) => (number, text),
            (None, Some(number)) => (number, line),
            (None, None) => return say("nobody has spoken yet: write `N text` to client N"),
        };
        match self.clients.iter_mut().find(|client| client.number == number) {
            None => say(&format!("there is no client {number}: not sent")),
            Some(client) if client.connection.queue().is_full() => {
                say(&format!("client {number} does not read: not sent"));
            }
            Some(client) => client.connection.queue_mut().push(text.as_bytes()),
        }
    }
}

impl Client {
    /// Whether it stays. That it has left is said to the operator.
    fn is_here(&self) -> bool {
        let is_open = self.connection.is_open();
        if !is_open {
            say(&format!("client {} has left", self.number));
        }
        is_open
    }
}

/// A line to the operator, on standard output. That it may be closed stops nothing.
fn say(line: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
