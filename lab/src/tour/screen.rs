//! Two columns and the words between them, as wide as the terminal.

use console::{Style, Term, measure_text_width, pad_str};
use judge::wrap::{hang, wrap};
use std::io::{self, Write};
use std::time::Duration;

/// Without a terminal, and what a terminal is taken for if it is narrower than can be read.
pub(super) const COLUMNS: usize = 100;
const NARROWEST: usize = 40;

/// What stands left of the client's column, and between the two.
const TIME: usize = 8;
const GAP: &str = "  ";
const BAR: &str = " │ ";

/// An address with its port, and what happened to it: "A connects (127.0.0.1:54321)".
const CLIENT: usize = 28;

pub(super) struct Screen {
    out: Box<dyn Write>,
    pub(super) width: usize,
    client: usize,
    colour: bool,
    /// Something was printed already.
    begun: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        let terminal = Term::stdout();
        let columns = terminal.size_checked().map_or(COLUMNS, |(_, columns)| columns.into());
        // Colours are for a terminal that has them, and NO_COLOR is respected.
        Self::with(io::stdout(), columns, terminal.features().colors_supported())
    }

    /// For tests that look at something else.
    #[cfg(test)]
    pub(super) fn nowhere() -> Self {
        Self::with(io::sink(), COLUMNS, false)
    }

    fn with(out: impl Write + 'static, columns: usize, colour: bool) -> Self {
        let width = columns.max(NARROWEST);
        let both = width - TIME - GAP.len() - measure_text_width(BAR);
        Self { out: Box::new(out), width, client: CLIENT.min(both / 2), colour, begun: false }
    }

    /// For those who want the lines themselves; the clients' column takes no more than it needs.
    pub(super) fn of_lines(columns: usize, colour: bool, client: usize) -> Self {
        let screen = Self::with(io::sink(), columns, colour);
        Self { client: screen.client.min(client), ..screen }
    }

    /// Who stands in which column.
    pub(super) fn heads(&mut self, time: &str, client: &str, server: &str) -> io::Result<()> {
        let text = self.columns(time, client, server, &Style::new().dim(), &Style::new().dim());
        self.begun = true;
        say(&mut self.out, &text)
    }

    /// A heading, and what there is to say under it.
    pub(super) fn caption(&mut self, heading: &str, body: &str) -> io::Result<()> {
        let mut text = String::from(if self.begun { "\n" } else { "" });
        self.begun = true;
        for line in wrap(heading, self.width) {
            text += &format!("{}\n", self.styled(&Style::new().bold(), &line));
        }
        for line in wrap(body, self.width) {
            text += &format!("{line}\n");
        }
        say(&mut self.out, &text)
    }

    pub(super) fn client(&mut self, at: Duration, line: &str) -> io::Result<()> {
        let text = self.columns(&time(at), line, "", &Style::new().cyan(), &Style::new());
        say(&mut self.out, &text)
    }

    pub(super) fn server(&mut self, at: Duration, line: &str) -> io::Result<()> {
        let text = self.columns(&time(at), "", line, &Style::new(), &Style::new());
        say(&mut self.out, &text)
    }

    /// What stands side by side, as lines.
    pub(super) fn columns(
        &self,
        time: &str,
        client: &str,
        server: &str,
        client_style: &Style,
        server_style: &Style,
    ) -> String {
        let rest = self.width - TIME - GAP.len() - self.client - measure_text_width(BAR);
        let (left, right) = (hang(client, self.client), hang(server, rest));
        let mut text = String::new();
        for row in 0..left.len().max(right.len()) {
            let of = |column: &[String]| column.get(row).cloned().unwrap_or_default();
            let time = if row == 0 { time } else { "" };
            let time = pad_str(time, TIME, console::Alignment::Right, None);
            let client = of(&left);
            let client = pad_str(&client, self.client, console::Alignment::Left, None);
            let line = format!(
                "{}{GAP}{}{}{}",
                self.styled(&Style::new().dim(), &time),
                self.styled(client_style, &client),
                self.styled(&Style::new().dim(), BAR),
                self.styled(server_style, &of(&right)),
            );
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    pub(super) fn styled(&self, style: &Style, text: &str) -> String {
        style.clone().force_styling(self.colour).apply_to(text).to_string()
    }
}

pub(super) fn time(at: Duration) -> String {
    format!("{:.1}", at.as_secs_f64() * 1000.0)
}

/// Written and flushed at once: the next line may have to be waited for. An error is handed up, for
/// whoever reads may stop reading (`lab tour select | head`), and `println!` would panic.
fn say(out: &mut dyn Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARRATION: &str = "new connection from 127.0.0.1:56628, descriptor 4: whoever connects \
                             now waits until 127.0.0.1:56628 leaves";
    const CHINESE: &str =
        "回来的 readable 里有监听套接字，writable 为空。accept 得到新的描述符（套接字）。";

    #[test]
    fn nothing_is_lost_and_nothing_is_too_wide() {
        for text in
            [NARRATION, CHINESE, "b'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", ""]
        {
            let letters = |text: &str| text.replace(' ', "");
            for width in 4..90 {
                for lines in [wrap(text, width), hang(text, width)] {
                    assert_eq!(letters(&lines.concat()), letters(text));
                    let widest = lines.iter().map(|line| measure_text_width(line)).max();
                    assert!(widest.unwrap_or(0) <= width, "{width}: {lines:?}");
                }
            }
        }
    }

    #[test]
    fn the_columns_keep_their_places() {
        for (columns, colour) in [(100, false), (60, false), (10, false)] {
            let screen = Screen::with(io::sink(), columns, colour);
            let style = Style::new();
            let text = screen.columns("1.0", "A 收到 b'hello'", NARRATION, &style, &style);
            let bars: Vec<_> = text
                .lines()
                .map(|line| line.find('│').map(|bar| measure_text_width(&line[..bar])))
                .collect();
            assert!(bars.iter().all(|bar| bar.is_some() && *bar == bars[0]), "{text}");
            assert!(text.lines().all(|line| measure_text_width(line) <= screen.width), "{text}");
        }
    }

    #[test]
    fn only_a_terminal_sees_colour() {
        let style = Style::new().bold();
        assert_eq!(Screen::with(io::sink(), 80, false).styled(&style, "x"), "x");
        assert_ne!(Screen::with(io::sink(), 80, true).styled(&style, "x"), "x");
    }
}
