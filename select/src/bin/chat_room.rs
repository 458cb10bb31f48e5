//! Several clients and one operator who answers them: the keyboard is one more descriptor.
//!
//! The chat room of note S2. The notes call `input()` inside the loop, so while the operator
//! thinks nobody is heard, nobody is accepted, and nobody's leaving is noticed. Here standard input
//! stands in select's set beside the sockets: the operator is one more client of the loop.
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
//! reads it (a pager, Ctrl-S at the terminal), and then everybody waits after all. The room answers nobody by itself, so the points of
//! the course's contract that concern answers are the operator's to keep.

#[path = "../limits.rs"]
mod limits;

use clap::Parser;
use common::{
    Connection, Listener, ServerArgs, TextPieces, harmless, preview, reason, would_block,
};
use limits::{can_watch, must_watch, timeval};
use log::info;
use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
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

fn serve(args: &Args) -> io::Result<()> {
    let mut room = Room {
        listener: common::listen(&args.server)?,
        clients: Vec::new(),
        clients_so_far: 0,
        spoke_last: None,
        keyboard: Some(io::stdin()),
        typed: Vec::new(),
        forgetting: false,
        buffer: args.server.buffer(),
    };
    room.listener.set_nonblocking(true)?;
    must_watch(&room.listener)?;
    room.listener.announce()?;
    say("answer with `N text` (to client N) or `text` (to the one that spoke last)");

    let mut ready = Ready::default();
    loop {
        room.wait(&mut ready)?;
        if ready.new_client {
            room.accept();
        }
        for &client in &ready.readable {
            room.receive(client);
        }
        if ready.keyboard {
            room.read_keyboard();
        }
        for &client in &ready.writable {
            room.send(client);
        }
        room.close_finished();
    }
}

struct Room {
    listener: Listener,
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
    buffer: Vec<u8>,
}

struct Client {
    number: usize,
    connection: Connection,
    /// What it says may arrive cut in the middle of a character.
    text: TextPieces,
}

/// What select reported; positions in `clients` hold for one turn.
#[derive(Default)]
struct Ready {
    new_client: bool,
    keyboard: bool,
    readable: Vec<usize>,
    writable: Vec<usize>,
}

impl Room {
    fn wait(&self, ready: &mut Ready) -> io::Result<()> {
        let (mut inputs, mut outputs) = (FdSet::new(), FdSet::new());
        let mut highest = self.listener.as_fd().as_raw_fd();
        if self.listener.wants_read() {
            inputs.insert(self.listener.as_fd());
        }
        if let Some(keyboard) = &self.keyboard {
            inputs.insert(keyboard.as_fd());
        }
        for Client { connection, .. } in &self.clients {
            highest = highest.max(connection.as_fd().as_raw_fd());
            if connection.wants_read() {
                inputs.insert(connection.as_fd());
            }
            if connection.wants_write() {
                outputs.insert(connection.as_fd());
            }
        }
        info!("waiting for the next event, clients: {}", self.clients.len());
        let mut timeout = self.listener.timeout().map(timeval);
        match select(highest + 1, &mut inputs, &mut outputs, None, timeout.as_mut()) {
            Ok(_) => {}
            // A signal: the sets hold nothing of use, and nobody is ready.
            Err(Errno::EINTR) => (inputs, outputs) = (FdSet::new(), FdSet::new()),
            Err(error) => return Err(error.into()),
        }
        ready.new_client = inputs.contains(self.listener.as_fd());
        ready.keyboard = self.keyboard.as_ref().is_some_and(|it| inputs.contains(it.as_fd()));
        let find = |list: &mut Vec<usize>, set: &FdSet| {
            list.clear();
            list.extend((0..self.clients.len()).filter(|&n| set.contains(self.clients[n].as_fd())));
        };
        find(&mut ready.readable, &inputs);
        find(&mut ready.writable, &outputs);
        Ok(())
    }

    fn accept(&mut self) {
        match self.listener.accept() {
            Ok(Some(connection)) => {
                let peer = connection.peer();
                if !can_watch(&connection) {
                    info!("turning away {peer}: select cannot watch its descriptor (FD_SETSIZE)");
                } else if let Err(error) = connection.set_nonblocking(true) {
                    info!("turning away {peer}: {}", reason(&error));
                } else {
                    self.clients_so_far += 1;
                    let number = self.clients_so_far;
                    info!("new connection from {peer}: client {number}");
                    self.clients.push(Client { number, connection, text: TextPieces::default() });
                }
            }
            Ok(None) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    fn receive(&mut self, client: usize) {
        let Client { number, connection, text } = &mut self.clients[client];
        let peer = connection.peer();
        match connection.recv(&mut self.buffer) {
            // It sends no more; an answer that is still queued for it goes out first.
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                let data = &self.buffer[..count];
                info!("received {} from {peer}", preview(data));
                let words = text.push(data);
                if !words.is_empty() {
                    say(&format!("client {number}: {}", harmless(&words).trim_end_matches('\n')));
                }
                self.spoke_last = Some(*number);
            }
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    /// The operator typed something. select promised one read that does not sleep, so there is one.
    ///
    /// Standard input is not made non-blocking for this: the terminal is shared with the shell, and
    /// the shell would find it non-blocking too. And it is read without a buffer of its own: what
    /// a `BufReader` has taken in, select knows nothing of.
    fn read_keyboard(&mut self) {
        let mut piece = [0; 1024];
        match self.keyboard.as_ref().map(|keyboard| nix::unistd::read(keyboard, &mut piece)) {
            Some(Ok(count)) if count > 0 => self.typed.extend_from_slice(&piece[..count]),
            Some(Err(Errno::EAGAIN | Errno::EINTR)) => return,
            // End of input (Ctrl-D, or the end of a pipe), or the terminal is gone: readable for
            // ever, so it leaves the set. The clients stay.
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

    /// `N text` or `text`, to one client's queue. What cannot be delivered is said, and not lost
    /// silently.
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

    fn send(&mut self, client: usize) {
        let connection = &mut self.clients[client].connection;
        if !connection.wants_write() {
            return;
        }
        let peer = connection.peer();
        info!("sending {} to {peer}", preview(connection.queue().waiting()));
        match connection.send() {
            Ok(_) if connection.queue().is_empty() => info!("output queue for {peer} is empty"),
            Ok(_) => info!("{} bytes left for {peer}", connection.queue().len()),
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    fn lose(&mut self, client: usize, error: &io::Error) {
        let connection = &mut self.clients[client].connection;
        info!("lost {}: {}", connection.peer(), reason(error));
        connection.abandon();
    }

    fn close_finished(&mut self) {
        let before = self.clients.len();
        self.clients.retain(|Client { number, connection, .. }| {
            if connection.is_finished() {
                info!("closing {}", connection.peer());
                say(&format!("client {number} has left"));
            }
            !connection.is_finished()
        });
        if self.clients.len() < before {
            self.listener.resume();
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

/// A line to the operator, on standard output. That it may be closed stops nothing.
fn say(line: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
