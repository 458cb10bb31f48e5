//! `client` at a real terminal: a pseudo-terminal whose other end the test holds, as a terminal
//! window does (pty(7)).
//!
//! Made with nix's `openpty`. The crate rexpect would do it in one line, but builds on Linux and
//! macOS only, turns the terminal's echo off, and takes each byte of 你 for a character.

mod support;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use support::*;

/// Moves to the start of the line and clears it: what takes the prompt away.
const ERASE: &str = "\r\x1b[K";

/// What the client waits with when the server has left: Ctrl-D, pressed from habit, is for it and
/// not for the shell.
const LEAVE: &str = "(press Enter to leave)\r\n";

/// A terminal window with the client in it.
struct Terminal {
    /// The window's end: what is written here is typed, what is read here is on the screen.
    window: File,
    /// The program's end. Kept open so that the screen can still be read after the program.
    tty: File,
    child: Child,
    /// What came on the screen and was not yet expected.
    screen: String,
    /// The beginning of a character: a read may end anywhere.
    text: common::TextPieces,
    /// The terminal's settings before the program.
    settings: String,
}

/// Not a test: what the tests start instead of the client. It makes itself the leader of a new
/// session, opens the terminal, which thereby becomes the session's own (Ctrl-C reaches only whom
/// it belongs to), and then becomes the client.
#[test]
fn enter_the_terminal() {
    let Some(tty) = std::env::var_os("CLIENT_TEST_TTY") else { return };
    let addr = std::env::var_os("CLIENT_TEST_ADDR").expect("given with the terminal");
    nix::unistd::setsid().expect("a new process leads no group");
    let tty = File::options().read(true).write(true).open(tty).expect("the terminal");
    // An ignored signal stays ignored in a new program, and a shell starts what it puts into the
    // background with Ctrl-C ignored. A terminal's programs do not inherit that.
    #[expect(unsafe_code, reason = "nix offers no other way to stop ignoring a signal")]
    // SAFETY: no handler is installed that could run at a bad moment.
    unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }.expect("SIGINT can be had");
    let copy = || tty.try_clone().expect("descriptors are free");
    let mut client = Command::new(env!("CARGO_BIN_EXE_client"));
    client.arg("--addr").arg(addr).stdin(copy()).stdout(copy()).stderr(copy());
    panic!("{}", client.exec());
}

impl Terminal {
    fn new(addr: &str) -> Self {
        Self::of_kind("xterm", addr)
    }

    fn of_kind(term: &str, addr: &str) -> Self {
        // A descriptor of openpty is inherited by every process started before it is marked, and
        // a window with two holders never closes: one test at a time.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = nix::pty::openpty(None, None).expect("pseudo-terminals are there");
        for end in [&pair.master, &pair.slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("an open descriptor");
        }
        let name = nix::unistd::ttyname(&pair.slave).expect("a terminal has a name");
        let tty = File::from(pair.slave);
        let child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "enter_the_terminal", "--nocapture"])
            .env("CLIENT_TEST_TTY", name)
            .env("CLIENT_TEST_ADDR", addr)
            .env("TERM", term)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("this test");
        Self {
            window: pair.master.into(),
            settings: settings(&tty),
            tty,
            child,
            screen: String::new(),
            text: common::TextPieces::default(),
        }
    }

    /// Keys. The terminal's line editor has them first: it echoes them, and hands over a line.
    fn press(&mut self, keys: &str) {
        self.window.write_all(keys.as_bytes()).expect("the window is open");
    }

    /// Waits until `text` is what comes next on the screen.
    fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.screen.len() < text.len() && self.read_until(deadline) {}
        let Some(rest) = self.screen.strip_prefix(text) else {
            panic!("expected {text:?}, the screen has {:?}", self.screen);
        };
        self.screen = rest.to_owned();
    }

    /// Something more that came on the screen; `false` when nothing did.
    fn read_until(&mut self, deadline: Instant) -> bool {
        let wait = deadline.saturating_duration_since(Instant::now());
        let mut window = [PollFd::new(self.window.as_fd(), PollFlags::POLLIN)];
        let wait = PollTimeout::try_from(wait).expect("some seconds");
        if poll(&mut window, wait).expect("no signals here") == 0 {
            return false;
        }
        let mut buffer = [0; 4096];
        let count = self.window.read(&mut buffer).expect("both ends are open");
        self.screen.push_str(&self.text.push(&buffer[..count]));
        true
    }

    /// Waits for the end of the client: how it ended, and what was on the screen to the last.
    fn finish(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                break status;
            }
            assert!(Instant::now() < deadline, "still running: {:?}", self.screen);
            // Reading, lest a client with much to say waits for us.
            self.read_until(Instant::now() + Duration::from_millis(5));
        };
        while self.read_until(Instant::now()) {}
        assert_eq!(settings(&self.tty), self.settings, "the terminal was left as it was");
        (status, std::mem::take(&mut self.screen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The terminal's settings, in a form that can be compared.
fn settings(tty: &File) -> String {
    let settings = tcgetattr(tty).expect("a terminal");
    format!(
        "{:?} {:?} {:?} {:?}",
        settings.input_flags, settings.output_flags, settings.local_flags, settings.control_chars
    )
}

/// A server that sends what the test says and hands it what it receives.
struct Puppet {
    orders: Sender<&'static [u8]>,
    sent: Receiver<()>,
    heard: Receiver<Vec<u8>>,
}

impl Puppet {
    fn new() -> (Self, String) {
        let (orders, ordered) = channel::<&[u8]>();
        let (done, sent) = channel();
        let (hear, heard) = channel();
        let address = server_once(move |mut client| {
            let mut input = client.try_clone().expect("descriptors are free");
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = input.read(&mut buffer) {
                    let _ = hear.send(buffer[..count].to_vec());
                }
            });
            while let Ok(bytes) = ordered.recv() {
                client.write_all(bytes).expect("the client reads");
                let _ = done.send(());
            }
            client.shutdown(Shutdown::Both).expect("connected");
        });
        (Self { orders, sent, heard }, address)
    }

    fn send(&self, bytes: &'static [u8]) {
        self.orders.send(bytes).expect("the server waits");
        self.sent.recv_timeout(PATIENCE).expect("the server sends");
    }

    fn hear(&self) -> Vec<u8> {
        self.heard.recv_timeout(PATIENCE).expect("the client sends")
    }

    fn close(self) {}
}

#[test]
fn a_line_is_typed_and_its_answer_takes_the_prompts_place() {
    let mut terminal = Terminal::new(&server(echo));
    terminal.expect("> ");
    terminal.press("你好\n");
    terminal.expect(&format!("你好\r\n> {ERASE}< 你好\r\n> "));
    terminal.press("\n");
    terminal.expect("\r\n> ");
    terminal.press("again\n");
    terminal.expect(&format!("again\r\n> {ERASE}< again\r\n> "));
}

/// What a client that waits in `input()` cannot do.
#[test]
fn a_message_is_shown_while_the_prompt_stands() {
    let (server, address) = Puppet::new();
    let mut terminal = Terminal::new(&address);
    terminal.expect("> ");
    for (message, shown) in [
        (&b"dinner is ready"[..], "< dinner is ready\r\n"),
        // What brings its own newline, as a time of day does, is not given a second one.
        (b"12:00\r\n", "< 12:00\r\n"),
        // What would move the cursor is not let through.
        (b"\x1b[Ahello\x07", "< \u{fffd}[Ahello\u{fffd}\r\n"),
    ] {
        server.send(message);
        terminal.expect(&format!("{ERASE}{shown}> "));
    }
}

/// Each of the three bytes of 你 is received by itself: the client has taken what came before it
/// sends a line, because in each turn it reads before it writes.
#[test]
fn a_character_that_comes_in_pieces_is_shown_whole() {
    let (server, address) = Puppet::new();
    let mut terminal = Terminal::new(&address);
    terminal.expect("> ");
    for piece in [b"\xe4", b"\xbd"] {
        server.send(piece);
        terminal.press("x\n");
        assert_eq!(server.hear(), b"x");
        terminal.expect("x\r\n> ");
    }
    server.send(b"\xa0");
    terminal.expect(&format!("{ERASE}< 你\r\n> "));
}

#[test]
fn ctrl_d_waits_for_the_answers_still_to_come() {
    let address = server(|mut client| {
        let mut question = String::new();
        client.read_to_string(&mut question).expect("an end of input");
        // Not `write!`, which would send each half by itself: two pieces, with a `< ` each.
        let answer = format!("you said: {question}");
        client.write_all(answer.as_bytes()).expect("half-closed");
    });
    let mut terminal = Terminal::new(&address);
    terminal.expect("> ");
    terminal.press("hello\n\x04");
    let (status, screen) = terminal.finish();
    assert_eq!(status.code(), Some(0));
    assert!(screen.ends_with(&format!("{ERASE}{ERASE}< you said: hello\r\n")), "{screen:?}");
}

/// The line editor hands over what was typed so far, without a newline: that is a line too.
#[test]
fn ctrl_d_in_the_middle_of_a_line_sends_it() {
    let mut terminal = Terminal::new(&server(echo));
    terminal.expect("> ");
    terminal.press("half\x04");
    terminal.expect(&format!("half\r\n> {ERASE}< half\r\n> "));
    terminal.press("\x04");
    let (status, screen) = terminal.finish();
    assert_eq!((status.code(), screen.as_str()), (Some(0), ERASE));
}

// Elsewhere a terminal becomes the session's own by TIOCSCTTY only, for which nix has no safe call.
#[cfg(any(target_os = "linux", target_os = "illumos"))]
#[test]
fn ctrl_c_ends_the_client_and_leaves_the_terminal_as_it_was() {
    use std::os::unix::process::ExitStatusExt;
    let mut terminal = Terminal::new(&server(echo));
    terminal.expect("> ");
    terminal.press("\x03");
    let (status, screen) = terminal.finish();
    assert_eq!(status.signal(), Some(nix::libc::SIGINT));
    assert_eq!(screen, "^C");
}

#[test]
fn a_server_that_closes_is_noticed_while_the_prompt_stands() {
    let (server, address) = Puppet::new();
    let mut terminal = Terminal::new(&address);
    terminal.expect("> ");
    server.close();
    terminal.expect(&format!("{ERASE}client: the server closed the connection\r\n{LEAVE}"));
    terminal.press("\x04");
    let (status, screen) = terminal.finish();
    assert_eq!((status.code(), screen.as_str()), (Some(0), ""));
}

/// The shell is the next to read the terminal, and it would run what was meant for the server. So
/// the client reads that line, too.
#[test]
fn a_line_half_typed_when_the_server_leaves_is_not_left_to_the_shell() {
    let (server, address) = Puppet::new();
    let mut terminal = Terminal::new(&address);
    terminal.expect("> ");
    terminal.press("rm -r");
    terminal.expect("rm -r");
    let (tty, _window) = (terminal.tty.try_clone(), terminal.window.try_clone());
    server.close();
    terminal.expect(&format!("{ERASE}client: the server closed the connection\r\n{LEAVE}"));
    terminal.press(" *\n");
    terminal.finish();
    // Without line editing even the beginning of a line could be read.
    let tty = tty.expect("descriptors are free");
    let mut settings = tcgetattr(&tty).expect("a terminal");
    cfmakeraw(&mut settings);
    tcsetattr(&tty, SetArg::TCSANOW, &settings).expect("a terminal");
    let mut left = [PollFd::new(tty.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut left, PollTimeout::ZERO), Ok(0), "something is left to read");
}

#[test]
fn a_reset_is_noticed_while_the_prompt_stands() {
    let (send, sending) = channel::<()>();
    let address = server_once(move |client| {
        sending.recv().expect("the test goes on");
        reset(client);
    });
    let mut terminal = Terminal::new(&address);
    terminal.expect("> ");
    send.send(()).expect("the server waits");
    let line = "client: the connection broke: Connection reset by peer\r\n";
    terminal.expect(&format!("{ERASE}{line}{LEAVE}"));
    terminal.press("\n");
    assert_eq!(terminal.finish().0.code(), Some(1));
}

/// A character that was never finished is not passed over in silence.
#[test]
fn half_a_character_at_the_end_is_shown_as_such() {
    let (server, address) = Puppet::new();
    let mut terminal = Terminal::new(&address);
    terminal.expect("> ");
    server.send(b"\xe4\xbd");
    server.close();
    terminal.expect(&format!("{ERASE}{ERASE}< \u{fffd}\r\nclient: the server closed"));
}

/// A message of several lines has a mark on each: none can pass for the prompt or another message.
#[test]
fn a_server_cannot_write_a_line_without_a_mark() {
    let (server, address) = Puppet::new();
    let mut terminal = Terminal::new(&address);
    terminal.expect("> ");
    server.send(b"ok\n> \nclient: goodbye");
    terminal.expect(&format!("{ERASE}< ok\r\n< > \r\n< client: goodbye\r\n> "));
}

/// A terminal that knows no commands is sent none.
#[test]
fn a_dumb_terminal_gets_lines_only() {
    let (server, address) = Puppet::new();
    let mut terminal = Terminal::of_kind("dumb", &address);
    terminal.expect("> ");
    server.send(b"hello");
    terminal.expect("\r\n< hello\r\n> ");
}

#[test]
fn without_a_server_there_is_a_sentence_and_no_prompt() {
    let (_socket, address) = refusing();
    let (status, screen) = Terminal::new(&address).finish();
    assert_eq!(status.code(), Some(1));
    assert!(screen.starts_with("client: cannot connect to "), "{screen:?}");
}
