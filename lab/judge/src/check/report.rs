//! The report: a line as soon as there is something to say.
//!
//! Whoever reads it may stop reading (`lab check select | head -3`). `println!` would panic then;
//! here the error is handed up, and the work ends.

use super::subject::Status;
use crate::language::{Language, said};
use crate::table::{columns, say};
use crate::wrap::wrap;
use console::Style;
use std::io::{self, IsTerminal, Write};

const STATUSES: [Status; 4] = [Status::Ok, Status::Short, Status::Except, Status::Unseen];

/// What `lab check` prints: headings, a line for each check, and a sum at the end.
#[derive(Default)]
pub struct Report {
    terminal: bool,
    counts: [usize; 4],
    /// Something was printed already.
    begun: bool,
}

impl Report {
    /// For standard output. It has colours at a terminal, unless `NO_COLOR` is set.
    #[must_use]
    pub fn new() -> Self {
        Self { terminal: io::stdout().is_terminal(), ..Self::default() }
    }

    /// A check of the list that `lab check` without a name prints.
    ///
    /// # Errors
    ///
    /// Standard output is closed.
    pub fn listed(&mut self, name: &str, teaches: &str) -> io::Result<()> {
        say(&format!("{name:18}  {teaches}\n"))
    }

    /// Above the lines of one program.
    ///
    /// # Errors
    ///
    /// Standard output is closed.
    pub fn heading(&mut self, heading: &str) -> io::Result<()> {
        let gap = if self.begun { "\n" } else { "" };
        self.begun = true;
        say(&format!("{gap}{heading}\n"))
    }

    /// What came of one check; at a terminal its text is wrapped.
    ///
    /// # Errors
    ///
    /// Standard output is closed.
    pub fn line(&mut self, status: Status, check: &str, text: &str) -> io::Result<()> {
        self.counts[status as usize] += 1;
        let line =
            if self.terminal { hanging(status, check, text) } else { plain(status, check, text) };
        let (word, rest) = line.split_at(status.word().len());
        let style = match status {
            Status::Ok => Style::new().green(),
            Status::Short => Style::new().red(),
            Status::Except => Style::new().yellow(),
            Status::Unseen => Style::new().cyan(),
        };
        say(&format!("{}{rest}\n", style.apply_to(word)))
    }

    /// Under a line that falls short: where the course explains it.
    pub fn advise(&mut self, section: Option<String>) -> io::Result<()> {
        let Some(section) = section else { return Ok(()) };
        say(&said!("        read {section}\n", "        请读 {section}\n"))
    }

    /// The last line. How many fell short.
    pub fn tally(&self, servers: usize) -> io::Result<usize> {
        let count = |status: Status| format!("{} {}", self.counts[status as usize], status.word());
        let counts: Vec<_> = STATUSES
            .into_iter()
            .filter(|&status| self.counts[status as usize] > 0 || status == Status::Short)
            .map(count)
            .collect();
        let checks: usize = self.counts.iter().sum();
        say(&match Language::spoken() {
            Language::English => {
                let (servers, checks) = (counted(servers, "server"), counted(checks, "check"));
                format!("{servers}, {checks}: {}\n", counts.join(", "))
            }
            Language::Chinese => {
                format!("{servers} 个服务端，{checks} 项检查：{}\n", counts.join("，"))
            }
        })?;
        Ok(self.counts[Status::Short as usize])
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The same at a terminal, as wide as that is: what does not fit goes on below, behind the name.
fn hanging(status: Status, check: &str, text: &str) -> String {
    const BEFORE: usize = 28;
    let lines = wrap(text, columns().saturating_sub(BEFORE + 1).max(24));
    plain(status, check, &lines.join(&format!("\n{:BEFORE$}", "")))
}

/// A line of the report without colour.
pub fn plain(status: Status, check: &str, text: &str) -> String {
    format!("{:6}  {check:18}  {text}", status.word())
}

/// One line on standard error that says why there is no report.
pub fn complain(why: &str) {
    let _ = writeln!(io::stderr(), "lab: {why}");
}

/// What a report could not be written to. Whoever reads it may leave (`| head`): nobody is there to
/// tell, and not all was seen. Anything else, a full disk, is told.
pub fn unread(error: &io::Error) {
    if error.kind() != io::ErrorKind::BrokenPipe {
        complain(&format!("cannot write: {}", common::reason(error)));
    }
}
