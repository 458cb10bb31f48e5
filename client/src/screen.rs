//! What the person at the terminal sees; or, in a pipe, the bytes as they came.

use client::{read_in, write_out};
use common::{TextPieces, harmless, marked};
use std::io::{self, IsTerminal};

/// Standard output.
///
/// Written with `write_out`, never `println!`, which panics when there is no reader any more. A
/// reader that is slower than the server holds up the program, and by TCP's own flow control the
/// server, which is right.
pub struct Screen {
    /// A person at both ends: prompt, and mark what comes. Else nothing is added.
    interactive: bool,
    /// To the start of the line, and clear it: the prompt goes, the message takes its place.
    erase_line: &'static str,
    /// What arrived of a character whose end has not.
    text: TextPieces,
    /// The prompt is the last thing on the screen, and has to go before a message is printed.
    prompt_stands: bool,
    /// The last byte written was no newline.
    mid_line: bool,
}

impl Screen {
    pub fn new() -> Self {
        // A terminal that knows no such commands (`TERM=dumb`) gets a new line instead.
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            interactive: io::stdin().is_terminal() && io::stdout().is_terminal(),
            erase_line: if dumb { "\n" } else { "\r\x1b[K" },
            text: TextPieces::default(),
            prompt_stands: false,
            mid_line: false,
        }
    }

    pub fn prompt(&mut self) -> io::Result<()> {
        if self.interactive {
            self.prompt_stands = true;
            write_out(b"> ")?;
        }
        Ok(())
    }

    /// The terminal itself has shown `line` while it was typed. All of it but a newline that was
    /// not typed: Ctrl-D in the middle of a line hands the line over as it is.
    pub fn typed(&mut self, line: &[u8]) -> io::Result<()> {
        if self.interactive && !line.ends_with(b"\n") {
            write_out(b"\n")?;
        }
        self.prompt()
    }

    /// What one recv brought. It is neither a line nor a message: a long answer comes in several
    /// pieces, and two short ones may come as one.
    pub fn show(&mut self, piece: &[u8]) -> io::Result<()> {
        if !self.interactive {
            self.mid_line = !piece.ends_with(b"\n");
            return write_out(piece);
        }
        let text = self.text.push(piece);
        if text.is_empty() {
            return Ok(());
        }
        self.show_text(&text)?;
        if self.prompt_stands {
            return self.prompt();
        }
        Ok(())
    }

    /// Nothing more will be typed: the prompt goes.
    pub fn no_more_typing(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.prompt_stands) {
            write_out(self.erase_line.as_bytes())?;
        }
        Ok(())
    }

    /// Leaves the terminal with the cursor at the start of a line.
    pub fn finish(&mut self) -> io::Result<()> {
        self.no_more_typing()?;
        let unfinished = self.text.finish();
        if !unfinished.is_empty() {
            self.show_text(&unfinished)?;
        }
        if std::mem::take(&mut self.mid_line) && io::stdout().is_terminal() {
            write_out(b"\n")?;
        }
        Ok(())
    }

    /// The server has left by itself, and the person at the terminal may be in the middle of a
    /// line, or about to press Ctrl-D. What is typed next was meant for us: the shell would run it,
    /// or end. So it is read here, up to the end of one line.
    pub fn wait_for_enter(&self) -> io::Result<()> {
        if self.interactive {
            write_out(b"(press Enter to leave)\n")?;
            let mut typed = [0; 4096];
            while read_in(&mut typed)? == typed.len() {}
        }
        Ok(())
    }

    /// A message in place of the prompt. A server must not be able to move the cursor, or to write
    /// a prompt or a line of its own.
    fn show_text(&self, text: &str) -> io::Result<()> {
        let lines = marked("< ", &harmless(text));
        // Where no prompt stands, a terminal that cannot erase needs no new line either.
        let erase =
            if self.prompt_stands || self.erase_line != "\n" { self.erase_line } else { "" };
        write_out(format!("{erase}{lines}").as_bytes())
    }
}
