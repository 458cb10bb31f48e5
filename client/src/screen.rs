//! What the person at the terminal sees; or, in a pipe, the bytes as they came.

use common::{TextPieces, harmless};
use nix::sys::termios::{FlushArg, tcflush};
use std::io::{self, IsTerminal, Write};

/// To the start of the line, and clear it: the prompt goes, the message takes its place.
const ERASE_LINE: &str = "\r\x1b[K";

/// Standard output.
///
/// Written with `write`, never `println!`, which panics when nobody reads any more. It is a
/// blocking descriptor: a reader that is slower than the server holds up the program, and by TCP's
/// own flow control the server, which is right.
pub struct Screen {
    /// A person at both ends: prompt, and mark what comes. Else nothing is added.
    interactive: bool,
    /// What arrived of a character whose end has not.
    text: TextPieces,
    /// The prompt is the last thing on the screen, and has to go before a message is printed.
    prompt_stands: bool,
    /// The last byte written was no newline.
    mid_line: bool,
}

impl Screen {
    pub fn new() -> Self {
        Self {
            interactive: io::stdin().is_terminal() && io::stdout().is_terminal(),
            text: TextPieces::default(),
            prompt_stands: false,
            mid_line: false,
        }
    }

    pub fn prompt(&mut self) -> io::Result<()> {
        if self.interactive {
            self.prompt_stands = true;
            write(b"> ")?;
        }
        Ok(())
    }

    /// The terminal itself has shown `line` while it was typed. All of it but a newline that was
    /// not typed: Ctrl-D in the middle of a line hands the line over as it is.
    pub fn typed(&mut self, line: &[u8]) -> io::Result<()> {
        if self.interactive && !line.ends_with(b"\n") {
            write(b"\n")?;
        }
        self.prompt()
    }

    /// What one recv brought. It is neither a line nor a message: a long answer comes in several
    /// pieces, and two short ones may come as one.
    pub fn show(&mut self, piece: &[u8]) -> io::Result<()> {
        if !self.interactive {
            self.mid_line = !piece.ends_with(b"\n");
            return write(piece);
        }
        let text = self.text.push(piece);
        if text.is_empty() {
            return Ok(());
        }
        show_text(&text)?;
        if self.prompt_stands {
            return self.prompt();
        }
        Ok(())
    }

    /// Nothing more will be typed: the prompt goes.
    pub fn no_more_typing(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.prompt_stands) {
            write(ERASE_LINE.as_bytes())?;
        }
        Ok(())
    }

    /// Leaves the terminal with the cursor at the start of a line.
    ///
    /// A line that was being typed when the server left was meant for the server. It is thrown
    /// away: the next to read this terminal is the shell, which would run it.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.prompt_stands {
            // A terminal that is gone has nothing to throw away.
            let _ = tcflush(io::stdin(), FlushArg::TCIFLUSH);
        }
        self.no_more_typing()?;
        let unfinished = self.text.finish();
        if !unfinished.is_empty() {
            show_text(&unfinished)?;
        }
        if std::mem::take(&mut self.mid_line) && io::stdout().is_terminal() {
            write(b"\n")?;
        }
        Ok(())
    }
}

/// A message in place of the prompt. A server must not be able to move the cursor, or to write a
/// prompt of its own.
fn show_text(text: &str) -> io::Result<()> {
    let text = harmless(text);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    write(format!("{ERASE_LINE}< {text}{end}").as_bytes())
}

/// These bytes, now: standard output keeps back what does not end in a newline.
fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
