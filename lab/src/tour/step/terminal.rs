//! A terminal that is drawn on from the top, and that tells of each key at once.

use console::{Key, Term};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io::{self, Stdin, stdin};
use std::os::fd::AsFd;
use std::time::Duration;

/// A terminal in our hands. Dropped, also by a panic, it is as it was before.
pub(super) struct Terminal {
    screen: Term,
    keys: Stdin,
    before: Termios,
}

impl Terminal {
    /// `None`: there is nobody at a keyboard, or nothing that can be drawn on.
    pub(super) fn take() -> io::Result<Option<Self>> {
        let (screen, keys) = (Term::stdout(), stdin());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let Ok(before) = tcgetattr(&keys) else { return Ok(None) };
        if dumb || !screen.is_term() {
            return Ok(None);
        }
        let mut at_once = before.clone();
        // Ctrl-C is a key like others, or it would end us before the terminal is as it was.
        at_once.local_flags -= LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG;
        // What was typed before there was anything to see means nothing.
        tcsetattr(&keys, SetArg::TCSAFLUSH, &at_once)?;
        let terminal = Self { screen, keys, before };
        // What stood here can be scrolled back to.
        let (lines, _) = terminal.size();
        terminal.screen.write_str(&("\n".repeat(lines) + "\x1b[?25l"))?;
        Ok(Some(terminal))
    }

    /// Lines and columns.
    pub(super) fn size(&self) -> (usize, usize) {
        let (lines, columns) = self.screen.size();
        (lines.into(), columns.into())
    }

    /// Draws over what was drawn before, in one piece, so nothing flickers.
    pub(super) fn draw(&self, lines: &[String]) -> io::Result<()> {
        self.screen.write_str(&format!("\x1b[H{}\x1b[J", lines.join("\x1b[K\n") + "\x1b[K"))
    }

    /// The next key, if there is one within this time. A terminal that has gone leaves.
    pub(super) fn key(&self, within: Duration) -> io::Result<Option<Key>> {
        let mut keys = [PollFd::new(self.keys.as_fd(), PollFlags::POLLIN)];
        let within = PollTimeout::try_from(within).unwrap_or(PollTimeout::MAX);
        match poll(&mut keys, within) {
            Ok(0) | Err(Errno::EINTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        match self.screen.read_key_raw() {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Some(Key::CtrlC)),
            key => key.map(Some),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.screen.write_str("\x1b[?25h\n");
        let _ = tcsetattr(&self.keys, SetArg::TCSADRAIN, &self.before);
    }
}
