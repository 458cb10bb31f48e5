//! The interactive client: keyboard and socket in one poll(2).
//!
//! S4 begins its list of uses for I/O multiplexing with this one: a client that handles several
//! descriptors, "usually interactive input and a network socket". The clients of S0, S1 and S2
//! ask for a line, send it and receive, one after the other. While they wait for the keyboard they
//! do not notice that the server has gone; after an empty line they wait for an answer to nothing;
//! after one long answer, each question is met with the rest of the answer before it. All three
//! have one cause: a program that waits for one thing is deaf to every other. This one waits for
//! whichever comes first.
//!
//! Run it beside a server, each in its own terminal:
//!
//! ```text
//! cargo run -p select
//! cargo run -p client
//! ```
//!
//! A line is sent without its newline (as the notes' clients do) and `< ` marks what came. Ctrl-D,
//! or the end of piped input, ends the sending side; the answers still to come are printed:
//! `printf 'a\nb\n' | cargo run -p client`. In a pipe the bytes come out as they came in.
//!
//! Watch for: stop the server while the prompt stands, and the client says so at once. A message
//! that comes while a line is being typed hides what was typed so far, but the terminal still has
//! it (Ctrl-R shows it again): the client is given nothing before the line is ended.
//!
//! With `--framing` a line becomes a message with a length in front, or a newline behind it, for a
//! server that speaks so: `cargo run --bin frames`. Each message that comes is printed as a line.
//!
//! Limits: a terminal hands over at most 4095 bytes of a line, so a longer paste is cut (a pipe
//! cuts nothing). After Ctrl-Z and `fg` the prompt comes with the next message or line. What is no
//! UTF-8, such as GBK, is shown as `�`.

mod screen;

use clap::Parser;
use client::read_in;
use common::{
    Connection, DEFAULT_ADDR, Framing, Inbox, TooLong, explained, host_port, reason, would_block,
};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use screen::Screen;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

/// What one recv, or one read from the keyboard, may take.
const PIECE: usize = 64 * 1024;

/// The longest message, with `--framing`.
const LONGEST: usize = 1 << 24;

/// Talk to a server: each line you type is sent, and what comes back is printed as it comes
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(long, value_name = "HOST:PORT", default_value = DEFAULT_ADDR, value_parser = host_port)]
    addr: String,

    /// Send each line as a message, and print each message as a line (see `cargo run --bin frames`)
    #[arg(long, value_enum)]
    framing: Option<Framing>,
}

/// What `--framing` needs: pieces of both directions whose message is not yet whole.
struct Messages {
    framing: Framing,
    typed: Inbox,
    received: Inbox,
}

struct Client {
    connection: Connection,
    screen: Screen,
    messages: Option<Messages>,
    /// For both directions: each piece is dealt with before the next one is read.
    buffer: Vec<u8>,
    /// End of the keyboard's input: Ctrl-D, or the end of a pipe.
    keyboard_ended: bool,
    /// The server knows: everything was sent, and our direction was shut down.
    sending_ended: bool,
    /// Why nothing can be sent any more. What came before may still be there to read.
    broken: Option<io::Error>,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    match talk(&args) {
        // `client | head -1`: there is no reader any more, so there is nothing left to do. (Only
        // standard output's errors arrive bare; the others have a sentence around them.)
        Err(error) => match error.raw_os_error() {
            Some(number) if number == Errno::EPIPE as i32 => ExitCode::SUCCESS,
            Some(_) => {
                let sentence = format!("cannot write standard output: {}", reason(&error));
                common::outcome(Err(explained(&error, sentence)))
            }
            None => common::outcome(Err(error)),
        },
        Ok(code) => code,
    }
}

fn talk(args: &Args) -> io::Result<ExitCode> {
    let connection = common::connect(&args.addr)?;
    // The socket only. Standard input stays as it is: O_NONBLOCK belongs to the open file, which
    // the shell shares, and the shell's own reads would fail after us.
    connection.set_nonblocking(true)?;
    let mut client = Client {
        connection,
        screen: Screen::new(),
        messages: args.framing.map(|framing| Messages {
            framing,
            typed: Inbox::new(Framing::Lines, LONGEST),
            received: Inbox::new(framing, LONGEST),
        }),
        buffer: vec![0; PIECE],
        keyboard_ended: false,
        sending_ended: false,
        broken: None,
    };
    client.screen.prompt()?;
    let result = client.run();
    client.screen.finish()?;
    let code = match result {
        Ok(false) => return Ok(ExitCode::SUCCESS),
        Ok(true) => {
            let _ = writeln!(io::stderr(), "client: the server closed the connection");
            ExitCode::SUCCESS
        }
        Err(error) if error.raw_os_error().is_some() => return Err(error),
        Err(error) => common::outcome(Err(error)),
    };
    if !client.keyboard_ended {
        client.screen.wait_for_enter()?;
    }
    Ok(code)
}

impl Client {
    /// The loop. `true` when it was the server that ended the conversation.
    fn run(&mut self) -> io::Result<bool> {
        loop {
            let (socket, keyboard) = self.wait()?;
            // Reading comes first, before writing and whatever POLLHUP or POLLERR may mean: the
            // last words of a server that has gone can still be read.
            let readable = socket.difference(PollFlags::POLLOUT);
            if !readable.is_empty() && self.socket_readable()? {
                return self.server_left();
            }
            if socket.contains(PollFlags::POLLOUT) {
                self.socket_writable();
            }
            // Any event will do: a pipe whose writer left says POLLHUP without POLLIN, and macOS
            // says POLLNVAL for devices it cannot poll. To read is the way to know.
            if !keyboard.is_empty() {
                self.keyboard_readable()?;
            }
            self.end_sending();
        }
    }

    /// Sleeps until the socket or the keyboard has something: what happened to each of them.
    fn wait(&self) -> io::Result<(PollFlags, PollFlags)> {
        // The socket is always read. A client that reads no answers while the server takes no more
        // questions waits for a server that waits for it.
        let mut interest = PollFlags::POLLIN;
        if self.connection.wants_write() {
            interest |= PollFlags::POLLOUT;
        }
        let stdin = io::stdin();
        let mut fds = [
            PollFd::new(self.connection.as_fd(), interest),
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
        ];
        // A keyboard that is not wanted must be left out. Asking for no events is not enough: poll
        // reports POLLHUP unasked, and a pipe that was hung up would wake us for ever.
        let keyboard_wanted = !self.keyboard_ended && !self.connection.queue().is_full();
        let count = if keyboard_wanted { 2 } else { 1 };
        match poll(&mut fds[..count], PollTimeout::NONE) {
            // A signal, such as Ctrl-Z and `fg`: nothing happened to either.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => {
                let error = io::Error::from(error);
                let sentence = format!("cannot wait: {}", reason(&error));
                return Err(explained(&error, sentence));
            }
        }
        // `None` would be a flag that nix has no name for; "try to read" is right for that as well.
        let [socket, keyboard] = fds.map(|fd| fd.revents().unwrap_or(PollFlags::POLLIN));
        Ok((socket, keyboard))
    }

    /// One recv. `true` when nothing will come any more.
    fn socket_readable(&mut self) -> io::Result<bool> {
        match self.connection.recv(&mut self.buffer) {
            Ok(0) => Ok(true),
            Ok(count) => self.show(count).map(|()| false),
            Err(error) if would_block(&error) => Ok(false),
            Err(error) => {
                self.broken.get_or_insert(error);
                Ok(true)
            }
        }
    }

    /// What the last recv brought: as it is, or the messages that are whole now.
    fn show(&mut self, count: usize) -> io::Result<()> {
        let piece = &self.buffer[..count];
        let Some(Messages { received, .. }) = &mut self.messages else {
            return self.screen.show(piece);
        };
        received.push(piece);
        while let Some(message) = received.next_message().map_err(too_long)? {
            self.screen.show(&[message, b"\n"].concat())?;
        }
        Ok(())
    }

    /// One send: some of the queue, perhaps not all.
    fn socket_writable(&mut self) {
        match self.connection.send() {
            Ok(_) => {}
            Err(error) if would_block(&error) => {}
            // A reset (ECONNRESET, EPIPE). Not yet the end: recv gives what came before it first.
            Err(error) => {
                self.broken.get_or_insert(error);
                self.connection.queue_mut().clear();
            }
        }
    }

    /// One read. It does not wait: poll has just said that there is something.
    fn keyboard_readable(&mut self) -> io::Result<()> {
        match read_in(&mut self.buffer) {
            Ok(0) => {
                self.keyboard_ended = true;
                // The last line may have no newline, and is a message all the same.
                if self.messages.as_ref().is_some_and(|it| !it.typed.unfinished().is_empty()) {
                    self.queue(b"\n")?;
                }
                self.screen.no_more_typing()
            }
            Ok(count) => {
                let typed = self.buffer[..count].to_vec();
                self.queue(&typed)?;
                self.screen.typed(&typed)
            }
            Err(error) => {
                let sentence = format!("cannot read standard input: {}", reason(&error));
                Err(explained(&error, sentence))
            }
        }
    }

    /// Queues what was typed.
    fn queue(&mut self, typed: &[u8]) -> io::Result<()> {
        let queue = self.connection.queue_mut();
        // What comes after a hole in the stream would be taken for what was before it.
        if self.broken.is_some() {
            return Ok(());
        }
        let Some(Messages { framing, typed: lines, .. }) = &mut self.messages else {
            // Without their newlines two lines have no border left: TCP keeps none. And an empty
            // line is nothing, to which no server can answer.
            typed.split(|&byte| byte == b'\n').for_each(|line| queue.push(line));
            return Ok(());
        };
        lines.push(typed);
        while let Some(line) = lines.next_message().map_err(too_long)? {
            queue.push_with(|bytes| framing.append(bytes, |bytes| bytes.extend_from_slice(line)));
        }
        Ok(())
    }

    /// Nothing more will be typed and everything was sent: the server is told so (FIN), and can
    /// still answer. To close here would throw those answers away.
    fn end_sending(&mut self) {
        if self.keyboard_ended && !self.sending_ended && self.connection.queue().is_empty() {
            self.sending_ended = true;
            // ENOTCONN: the connection is gone, and the next recv says why.
            let _ = self.connection.shut_down_sending();
        }
    }

    fn server_left(&self) -> io::Result<bool> {
        if let Some(error) = &self.broken {
            let sentence = format!("the connection broke: {}", reason(error));
            return Err(explained(error, sentence));
        }
        match self.connection.queue().len() {
            0 => Ok(!self.sending_ended),
            lost => Err(io::Error::other(format!(
                "the server closed the connection: {lost} bytes were never sent"
            ))),
        }
    }
}

fn too_long(why: TooLong) -> io::Error {
    io::Error::other(format!("{why}, and this client takes {LONGEST} at the most"))
}
