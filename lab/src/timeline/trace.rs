//! The file that a timeline is drawn from: what the server called and what its clients did, a line
//! each, in the order of time. Made to be read, and to say nothing of the machine it comes from.
//!
//! ```text
//!  0.000000 server  pselect6(4, [3], [], [], NULL, NULL) = 1 (in [3]) <0.006251>
//!  0.006015 A       connect
//! ```

use claims::measure::strace::{Call, seconds};
use std::fmt;
use std::time::Duration;

/// A run of one program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trace {
    pub program: String,
    /// How long it was looked at, in microseconds from its first call, like all times here.
    pub end: u64,
    /// What the server called, in the order of the calls' beginnings.
    pub calls: Vec<Traced>,
    pub acts: Vec<Act>,
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
    /// A trace from what strace saw and what the clients did, both by the system's clock. `ports`
    /// are the clients'.
    pub fn new(
        program: &str,
        calls: Vec<Call>,
        acts: Vec<(Client, Duration, Deed)>,
        end: Duration,
        ports: &[(Client, u16)],
    ) -> Self {
        // A program that starts reads, closes and polls as well: what counts is what it does once
        // it listens, and the interest that it has told epoll of before.
        let is_line = |call: &Call| call.name == "write" && call.text.contains("listening on ");
        let line = calls.iter().position(is_line);
        let counts = |(index, call): &(usize, Call)| {
            call.name == "epoll_ctl" || line.is_none_or(|line| *index > line)
        };
        let calls = calls.into_iter().enumerate().filter(counts);
        let calls: Vec<_> = calls.map(|(_, call)| call).collect();
        let zero = calls.first().map_or(end, |call| call.began);
        let since = |time: Duration| micros(time.saturating_sub(zero));
        let mut lanes: Vec<String> = Vec::new();
        let mut traced = Vec::new();
        for call in calls.into_iter().filter(|call| call.began < end) {
            let known = lanes.iter().position(|thread| *thread == call.thread);
            let lane = known.unwrap_or_else(|| {
                lanes.push(call.thread.clone());
                lanes.len() - 1
            });
            let took = call.took.filter(|&took| call.began + took <= end).map(micros);
            let text = tidy(&call.text, ports);
            traced.push(Traced { lane, began: since(call.began), took, text });
        }
        let acts = acts.into_iter();
        let mut acts: Vec<_> =
            acts.map(|(client, at, what)| Act { client, at: since(at), what }).collect();
        acts.sort_by_key(|act| act.at);
        Self { program: program.to_owned(), end: since(end), calls: traced, acts }
    }

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
        let mut trace = Self { program, end: 0, calls: Vec::new(), acts: Vec::new() };
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with('#')) {
            trace.line(line).ok_or_else(|| (number, format!("not a line of a trace: {line}")))?;
        }
        let last = (text.lines().count(), "the last line is not `lab end`".to_owned());
        if trace.end == 0 { Err(last) } else { Ok(trace) }
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let (time, rest) = line.trim_start().split_once(' ')?;
        let at = micros(seconds(time)?);
        let (who, what) = rest.trim_start().split_once(' ')?;
        let what = what.trim_start();
        match who {
            "A" => self.acts.push(Act { client: Client::A, at, what: deed(what)? }),
            "B" => self.acts.push(Act { client: Client::B, at, what: deed(what)? }),
            "lab" => self.end = Some(at).filter(|_| what == "end")?,
            server => {
                let lane = server.strip_prefix("server")?;
                let lane = lane.strip_prefix('.').map_or(Some(0), |lane| lane.parse().ok())?;
                let split = what.strip_suffix('>').and_then(|what| what.rsplit_once(" <"));
                let took = split.and_then(|(_, took)| seconds(took)).map(micros);
                let text = split.filter(|_| took.is_some()).map_or(what, |(text, _)| text);
                text.contains('(').then_some(())?;
                self.calls.push(Traced { lane, began: at, took, text: text.to_owned() });
            }
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
        let mut lines: Vec<(u64, String)> = Vec::new();
        for call in &self.calls {
            let lane =
                if call.lane == 0 { "server".into() } else { format!("server.{}", call.lane) };
            let took = call.took.map(|took| format!(" <{}>", time(took).trim_start()));
            let took = took.unwrap_or_default();
            lines.push((call.began, format!("{lane:8} {}{took}", call.text)));
        }
        for act in &self.acts {
            lines.push((act.at, format!("{:8} {}", act.client.name(), act.what)));
        }
        lines.push((self.end, format!("{:8} end", "lab")));
        lines.sort_by_key(|(at, _)| *at);
        lines.iter().try_for_each(|(at, text)| writeln!(f, "{} {text}", time(*at)))
    }
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

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a run lasts no ages")
}

/// Without what is another at every run and tells nothing: ports, and where in memory something is.
fn tidy(text: &str, ports: &[(Client, u16)]) -> String {
    let mut tidy = String::new();
    let mut rest = text;
    while let Some((before, address)) = rest.split_once("{sa_family=") {
        let (address, after) = address.split_once('}').unwrap_or((address, ""));
        let port = |port: u16| address.contains(&format!("port=htons({port})"));
        let known = ports.iter().find(|(_, of)| port(*of));
        tidy += before;
        tidy += &known.map_or("{somebody}".to_owned(), |(client, _)| client.in_trace());
        rest = after;
    }
    tidy += rest;
    let words = tidy.split_whitespace().map(|word| match word.split_once("0x") {
        Some((before, hex)) => {
            let digits = hex.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            // A short one is a number of the program's own.
            if hex.len() - digits.len() > 8 {
                format!("{before}ADDRESS{digits}")
            } else {
                word.into()
            }
        }
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Duration {
        Duration::from_secs(1_795_282_502) + Duration::from_micros(micros)
    }

    fn call(thread: &str, began: u64, took: Option<u64>, text: &str) -> Call {
        let name = text.split('(').next().unwrap_or_default().to_owned();
        let took = took.map(Duration::from_micros);
        Call { thread: thread.into(), began: at(began), took, name, text: text.into() }
    }

    /// Two threads; the second call of the first ends after we have stopped looking.
    fn trace() -> Trace {
        let address =
            r#"{sa_family=AF_INET, sin_port=htons(60218), sin_addr=inet_addr("127.0.0.1")}"#;
        let accept = format!("accept4(3, {address}, [128 => 16], SOCK_CLOEXEC)     = 4");
        let calls = vec![
            call("77", 70, Some(3), "close(3) = 0"),
            call("77", 90, Some(3), "write(1, \"listening on 127.0.0.1:8001\\n\", 28) = 28"),
            call("77", 100, Some(4000), &accept),
            call("77", 4200, Some(900_000), "accept4(3, 0x7ffcd914a798, [128], SOCK_CLOEXEC) = 5"),
            call("78", 4300, None, "recvfrom(4, <unfinished ...>) = ?"),
        ];
        let acts = vec![
            (Client::A, at(5_000), Deed::Send("hello".into())),
            (Client::A, at(4_000), Deed::Connect),
        ];
        Trace::new("demo", calls, acts, at(10_000), &[(Client::A, 60218)])
    }

    #[test]
    fn a_trace_says_nothing_of_its_machine_and_reads_as_one_story() {
        let text = trace().to_string();
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                " 0.000000 server   accept4(3, {client A}, [128 => 16], SOCK_CLOEXEC) = 4 <0.004000>",
                " 0.003900 A        connect",
                " 0.004100 server   accept4(3, ADDRESS, [128], SOCK_CLOEXEC) = 5",
                " 0.004200 server.1 recvfrom(4, <unfinished ...>) = ?",
                " 0.004900 A        send \"hello\"",
                " 0.009900 lab      end",
            ]
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let trace = trace();
        assert_eq!(Trace::parse(&trace.to_string()), Ok(trace.clone()));
        assert_eq!((trace.calls[0].name(), trace.calls[0].result()), ("accept4", Some("4")));
        assert_eq!((trace.calls[2].descriptor(), trace.calls[2].returned()), (Some(4), None));
    }

    #[test]
    fn a_line_that_does_not_belong_is_named() {
        let text = trace().to_string();
        let broken = |text: &str| Trace::parse(text).expect_err("it is broken").0;
        assert_eq!(broken(&text.replace("connect", "conect")), 5);
        assert_eq!(broken(&text.replace("# lab timeline", "# strace")), 1);
        assert_eq!(broken(&text.replace("lab      end", "lab      en")), 9);
    }
}
