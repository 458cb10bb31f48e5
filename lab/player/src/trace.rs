//! The file that a timeline is drawn from: what the server called and what its clients did, a line
//! each, in the order of time. Made to be read, and to say nothing of the machine it comes from.
//!
//! ```text
//!  0.000000 server   pselect6(4, [3], [], [], NULL, NULL) = 1 (in [3]) <0.006251>
//!  0.006015 A        connect
//! ```
//!
//! A recording for the player knows more: from which line of the program each call came, what the
//! program said, and what the system told of its sockets meanwhile.
//!
//! ```text
//!  0.000000 at       select/src/main.rs:141: let changed = match select(
//!  0.006260 says     ready: readable [3], writable [], exceptional []
//!  0.006300 kernel   waiting 1; A unread 0, unsent 0, client 0
//! ```

use std::fmt;

/// A run of one program.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trace {
    pub program: String,
    /// How long it was looked at, in microseconds from its first call, like all times here.
    pub end: u64,
    /// What the server called, in the order of the calls' beginnings.
    pub calls: Vec<Traced>,
    pub acts: Vec<Act>,
    /// For the player: what the server said, and what the system told of its sockets.
    pub says: Vec<Said>,
    pub seen: Vec<Seen>,
}

/// One call of the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Traced {
    /// Which of its threads or processes, from 0.
    pub lane: usize,
    pub began: u64,
    /// `None`: it had not returned in the end.
    pub took: Option<u64>,
    /// As strace wrote it, with the clients' names in place of their addresses.
    pub text: String,
    /// The line of the program that it was made from, where that is known.
    pub place: Option<Place>,
}

/// A line of a program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// From the root of the project, or from where the server was started.
    pub file: String,
    pub line: usize,
    /// What stands there, without its indentation. When it stands elsewhere now, the recording is
    /// of another program.
    pub text: String,
}

/// A line that the server wrote to its output.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Said {
    pub lane: usize,
    pub at: u64,
    pub text: String,
}

/// What the system told of the sockets at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    pub at: u64,
    /// How many connections waited to be accepted.
    pub waiting: u64,
    /// For each client that had connected: bytes in the receive buffer of the server's socket,
    /// bytes that it had sent without an acknowledgement, bytes in the client's receive buffer.
    pub ends: Vec<(Client, [u64; 3])>,
}

/// Something that a client did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Act {
    pub client: Client,
    /// A call that makes something happen is noted before it, one that waits after it.
    pub at: u64,
    pub what: Deed,
}

/// The two clients of every timeline.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Client {
    A,
    B,
}

/// What a client does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Deed {
    Connect,
    Send(String),
    Receive(String),
    Close,
}

impl Client {
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    pub fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }

    pub fn other(self) -> Self {
        if self == Self::A { Self::B } else { Self::A }
    }

    /// How an address of this client is written in a trace.
    pub fn in_trace(self) -> String {
        format!("{{client {}}}", self.name())
    }
}

impl Deed {
    /// It may wake the server; what is left waits for it.
    pub fn asks(&self) -> bool {
        !matches!(self, Self::Receive(_))
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Send(text) => write!(f, "send \"{text}\""),
            Self::Receive(text) => write!(f, "recv \"{text}\""),
            Self::Close => f.write_str("close"),
        }
    }
}

impl Traced {
    /// `pselect6`
    pub fn name(&self) -> &str {
        self.text.split('(').next().unwrap_or_default()
    }

    /// When it returned, if it did.
    pub fn returned(&self) -> Option<u64> {
        self.took.map(|took| self.began + took)
    }

    /// What it returned: a number, or -1 with the name of an error.
    pub fn result(&self) -> Option<&str> {
        Some(self.text.rsplit_once(") = ")?.1)
    }

    /// Its first argument, a descriptor for most.
    pub fn descriptor(&self) -> Option<u32> {
        let (_, arguments) = self.text.split_once('(')?;
        arguments.split([',', ')']).next()?.parse().ok()
    }
}

impl Trace {
    /// Reads what [`fmt::Display`] has written.
    ///
    /// # Errors
    ///
    /// The line that is none of a trace, and why.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let program = text.lines().next().and_then(|line| {
            let (name, _) = line.strip_prefix("# lab timeline ")?.split_once(':')?;
            Some(name.to_owned())
        });
        let program = program.ok_or((1, "not `# lab timeline PROGRAM: …`".to_owned()))?;
        let mut trace = Self { program, ..Self::default() };
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with('#')) {
            trace.line(line).ok_or_else(|| (number, format!("not a line of a trace: {line}")))?;
        }
        let last = (text.lines().count(), "the last line is not `lab end`".to_owned());
        if trace.end == 0 { Err(last) } else { Ok(trace) }
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let (time, rest) = line.trim_start().split_once(' ')?;
        let at = micros(time)?;
        let (who, what) = rest.trim_start().split_once(' ')?;
        let what = what.trim_start();
        let (who, lane) = match who.split_once('.') {
            Some((who, lane)) => (who, lane.parse().ok()?),
            None => (who, 0),
        };
        match who {
            "A" => self.acts.push(Act { client: Client::A, at, what: deed(what)? }),
            "B" => self.acts.push(Act { client: Client::B, at, what: deed(what)? }),
            "lab" => self.end = Some(at).filter(|_| what == "end")?,
            "says" => self.says.push(Said { lane, at, text: what.to_owned() }),
            "kernel" => self.seen.push(seen(at, what)?),
            "at" => {
                let call = self.calls.iter_mut().rev().find(|call| call.lane == lane)?;
                call.place = Some(place(what)?);
            }
            "server" => {
                let split = what.strip_suffix('>').and_then(|what| what.rsplit_once(" <"));
                let took = split.and_then(|(_, took)| micros(took));
                let text = split.filter(|_| took.is_some()).map_or(what, |(text, _)| text);
                text.contains('(').then_some(())?;
                let text = text.to_owned();
                self.calls.push(Traced { lane, began: at, took, text, place: None });
            }
            _ => return None,
        }
        Some(())
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# lab timeline {}: what a server called, by strace -f -ttt -T", self.program)?;
        writeln!(f, "# (those calls that its I/O model is made of), and what two clients did.")?;
        writeln!(f, "# Seconds since the first call; at the end of a line, how long it took.")?;
        let time = |micros: u64| format!("{:2}.{:06}", micros / 1_000_000, micros % 1_000_000);
        let who = |who: &str, lane| if lane == 0 { who.into() } else { format!("{who}.{lane}") };
        let mut lines: Vec<(u64, String)> = Vec::new();
        for call in &self.calls {
            let took = call.took.map(|took| format!(" <{}>", time(took).trim_start()));
            let took = took.unwrap_or_default();
            lines.push((call.began, format!("{:8} {}{took}", who("server", call.lane), call.text)));
            if let Some(place) = &call.place {
                lines.push((call.began, format!("{:8} {place}", who("at", call.lane))));
            }
        }
        for act in &self.acts {
            lines.push((act.at, format!("{:8} {}", act.client.name(), act.what)));
        }
        for said in &self.says {
            lines.push((said.at, format!("{:8} {}", who("says", said.lane), said.text)));
        }
        lines.extend(self.seen.iter().map(|seen| (seen.at, format!("{:8} {seen}", "kernel"))));
        lines.push((self.end, format!("{:8} end", "lab")));
        lines.sort_by_key(|(at, _)| *at);
        lines.iter().try_for_each(|(at, text)| writeln!(f, "{} {text}", time(*at)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waiting {}", self.waiting)?;
        self.ends.iter().try_for_each(|(client, [unread, unsent, theirs])| {
            write!(f, "; {} unread {unread}, unsent {unsent}, client {theirs}", client.name())
        })
    }
}

/// `select/src/main.rs:141: let changed = match select(`
fn place(text: &str) -> Option<Place> {
    let (file, rest) = text.split_once(':')?;
    let (line, text) = rest.split_once(':')?;
    let (file, text) = (file.to_owned(), text.trim().to_owned());
    Some(Place { file, line: line.parse().ok()?, text })
}

/// `waiting 1; A unread 0, unsent 0, client 0`
fn seen(at: u64, text: &str) -> Option<Seen> {
    let mut parts = text.split("; ");
    let waiting = parts.next()?.strip_prefix("waiting ")?.parse().ok()?;
    let end = |part: &str| {
        let (name, counts) = part.split_once(' ')?;
        let client = Client::BOTH.into_iter().find(|client| client.name() == name)?;
        let mut counts = counts.split(", ").zip(["unread ", "unsent ", "client "]);
        let mut next =
            || counts.next().and_then(|(part, word)| part.strip_prefix(word)?.parse().ok());
        Some((client, [next()?, next()?, next()?]))
    };
    Some(Seen { at, waiting, ends: parts.map(end).collect::<Option<_>>()? })
}

/// `0.004304`
fn micros(text: &str) -> Option<u64> {
    let (seconds, micros) = text.split_once('.')?;
    let micros: u64 = micros.parse().ok().filter(|_| micros.len() == 6)?;
    Some(seconds.parse::<u64>().ok()? * 1_000_000 + micros)
}

fn deed(text: &str) -> Option<Deed> {
    let quoted = |text: &str| Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    match text.split_once(' ') {
        None if text == "connect" => Some(Deed::Connect),
        None if text == "close" => Some(Deed::Close),
        Some(("send", text)) => quoted(text).map(Deed::Send),
        Some(("recv", text)) => quoted(text).map(Deed::Receive),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "\
# lab timeline demo: what a server called, by strace -f -ttt -T
# (those calls that its I/O model is made of), and what two clients did.
# Seconds since the first call; at the end of a line, how long it took.
 0.000000 server   accept4(3, {client A}, [128 => 16], SOCK_CLOEXEC) = 4 <0.004000>
 0.000000 at       demo/src/main.rs:12: let (socket, peer) = listener.accept()?;
 0.003900 A        connect
 0.004000 kernel   waiting 1; A unread 0, unsent 0, client 0
 0.004050 says     new connection from {client A}: descriptor 4
 0.004100 server   accept4(3, ADDRESS, [128], SOCK_CLOEXEC) = 5
 0.004200 server.1 recvfrom(4, <unfinished ...>) = ?
 0.004200 at.1     demo/src/main.rs:30: socket.read(buffer)
 0.004900 A        send \"hello\"
 0.009900 lab      end
";

    #[test]
    fn what_is_read_is_written_again() {
        let trace = Trace::parse(TRACE).expect("a trace");
        assert_eq!(trace.to_string(), TRACE);
        assert_eq!((trace.calls[0].name(), trace.calls[0].result()), ("accept4", Some("4")));
        assert_eq!((trace.calls[2].descriptor(), trace.calls[2].returned()), (Some(4), None));
        assert_eq!(trace.calls[2].place.as_ref().map(|place| place.line), Some(30));
        assert_eq!(trace.seen[0].ends, [(Client::A, [0; 3])]);
    }

    #[test]
    fn a_line_that_does_not_belong_is_named() {
        let broken = |from, to| Trace::parse(&TRACE.replace(from, to)).expect_err("it is broken").0;
        assert_eq!(broken("        connect", "        conect"), 6);
        assert_eq!(broken("# lab timeline", "# strace"), 1);
        assert_eq!(broken("lab      end", "lab      en"), 13);
        assert_eq!(broken("waiting 1", "waiting"), 7);
        assert_eq!(broken("main.rs:12:", "main.rs:"), 5);
        assert_eq!(broken("says ", "sings "), 8);
    }
}
