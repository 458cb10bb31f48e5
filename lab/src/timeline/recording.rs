//! From a run to its recording: what strace saw and what the clients did become one story, without
//! what is another at every run.

use super::lines::Lines;
use super::script::Played;
use claims::measure::strace::Call;
use player::trace::{Act, Client, Said, Seen, Trace, Traced};
use std::time::Duration;

/// What a run is told of that goes beyond its calls.
pub(super) struct Telling<'a> {
    pub program: &'a str,
    /// What it listens at.
    pub port: u16,
    /// Where its lines are looked up, if they are wanted; then its own words are, too.
    pub lines: Option<Lines>,
}

/// A recording from what strace saw and what the clients did, both by the system's clock.
pub(super) fn recording(telling: Telling<'_>, calls: Vec<Call>, played: Played) -> Trace {
    let Telling { program, port, mut lines } = telling;
    // A program that starts reads, closes and polls as well: what counts is what it does once it
    // listens, and the interest that it has told epoll of before.
    let is_line = |call: &Call| call.name == "write" && call.text.contains("listening on ");
    let line = calls.iter().position(is_line);
    let counts = |(index, call): &(usize, Call)| {
        call.name == "epoll_ctl" || line.is_none_or(|line| *index > line)
    };
    let names = Names::of(port, &played.ports, &calls);
    let calls = calls.into_iter().enumerate().filter(counts);
    let calls: Vec<_> = calls.map(|(_, call)| call).collect();
    let end = played.end;
    let zero = calls.first().map_or(end, |call| call.began);
    let since = |time: Duration| micros(time.saturating_sub(zero));
    let mut trace = Trace { program: program.to_owned(), end: since(end), ..Trace::default() };
    let mut lanes: Vec<String> = Vec::new();
    for call in calls.into_iter().filter(|call| call.began < end) {
        let known = lanes.iter().position(|thread| *thread == call.thread);
        let lane = known.unwrap_or_else(|| {
            lanes.push(call.thread.clone());
            lanes.len() - 1
        });
        let at = since(call.began);
        if let (true, Some(words)) = (lines.is_some(), written(&call)) {
            let said = words.lines().filter(|line| !line.is_empty()).map(|text| Said {
                lane,
                at,
                text: names.told(text),
            });
            trace.says.extend(said);
            continue;
        }
        let took = call.took.filter(|&took| call.began + took <= end).map(micros);
        let place = lines.as_mut().and_then(|lines| lines.place(&call.stack));
        trace.calls.push(Traced { lane, began: at, took, text: names.tidy(&call.text), place });
    }
    let acts = played.acts.into_iter();
    trace.acts = acts.map(|(client, at, what)| Act { client, at: since(at), what }).collect();
    trace.acts.sort_by_key(|act| act.at);
    let seen = played.seen.into_iter();
    trace.seen = seen.map(|(at, seen)| Seen { at: since(at), ..seen }).collect();
    trace
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a run lasts no ages")
}

/// What a call writes to standard output or standard error.
fn written(call: &Call) -> Option<String> {
    let rest = call.text.strip_prefix("write(").filter(|_| call.name == "write")?;
    let rest = rest.strip_prefix("1, \"").or_else(|| rest.strip_prefix("2, \""))?;
    let mut bytes = Vec::new();
    let mut rest = rest.bytes().peekable();
    // As a C string is written.
    while let Some(byte) = rest.next().filter(|byte| *byte != b'"') {
        bytes.push(match (byte, rest.peek().copied()) {
            (b'\\', Some(b'0'..=b'7')) => {
                let mut value = 0_u32;
                for _ in 0..3 {
                    let Some(digit) = rest.next_if(|digit| (b'0'..=b'7').contains(digit)) else {
                        break;
                    };
                    value = value * 8 + u32::from(digit - b'0');
                }
                value as u8
            }
            (b'\\', Some(next)) => {
                rest.next();
                if next == b'n' { b'\n' } else { next }
            }
            _ => byte,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whose port is which: another at every run, so a recording has names instead.
struct Names(Vec<(u16, String)>);

impl Names {
    /// The clients, the server, and whom it connects to: for a proxy, the server behind it.
    fn of(port: u16, clients: &[(Client, u16)], calls: &[Call]) -> Self {
        let connects = calls.iter().filter(|call| call.name == "connect");
        let behind = connects.filter_map(|call| {
            let (_, rest) = call.text.split_once("port=htons(")?;
            rest.split_once(')')?.0.parse().ok()
        });
        let behind = behind.map(|port: u16| (port, "{behind}".to_owned()));
        let clients = clients.iter().map(|(client, port)| (*port, client.in_trace()));
        Self(clients.chain([(port, "{server}".to_owned())]).chain(behind).collect())
    }

    /// In what the server says, where an address has a name.
    fn told(&self, text: &str) -> String {
        let mut told = text.to_owned();
        for (port, name) in &self.0 {
            told = told.replace(&format!("127.0.0.1:{port}"), name);
        }
        told
    }

    /// A call without what is another at every run and tells nothing: ports, and where in memory
    /// something is.
    fn tidy(&self, text: &str) -> String {
        let mut tidy = String::new();
        let mut rest = text;
        while let Some((before, address)) = rest.split_once("{sa_family=") {
            let (address, after) = address.split_once('}').unwrap_or((address, ""));
            let is = |port: &u16| address.contains(&format!("port=htons({port})"));
            let known = self.0.iter().find(|(port, _)| is(port));
            tidy += before;
            tidy += known.map_or("{somebody}", |(_, name)| name);
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use player::trace::Deed;

    fn at(micros: u64) -> Duration {
        Duration::from_secs(1_795_282_502) + Duration::from_micros(micros)
    }

    fn call(thread: &str, began: u64, took: Option<u64>, text: &str) -> Call {
        let name = text.split('(').next().unwrap_or_default();
        let took = took.map(Duration::from_micros);
        Call { thread: thread.into(), began: at(began), took, ..Call::sample(name, text) }
    }

    /// Two threads; the second call of the first ends after we have stopped looking.
    #[test]
    fn a_recording_says_nothing_of_its_machine_and_reads_as_one_story() {
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
        let ports = vec![(Client::A, 60218)];
        let played = Played { acts, ports, seen: Vec::new(), end: at(10_000) };
        let telling = Telling { program: "demo", port: 8001, lines: None };
        let text = recording(telling, calls, played).to_string();
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
    fn what_it_writes_is_what_it_says() {
        let of = |text: &str| written(&Call::sample("write", text));
        let line = r#"write(2, "received b'\\xff' \"\344\275\240\"\n", 20) = 20"#;
        assert_eq!(of(line).as_deref(), Some("received b'\\xff' \"你\"\n"));
        assert_eq!(of(r#"write(4, "hello", 5) = 5"#), None, "to a client, perhaps");
        let names = Names::of(8001, &[(Client::B, 50_001)], &[]);
        assert_eq!(
            names.told("from 127.0.0.1:50001, descriptor 4"),
            "from {client B}, descriptor 4"
        );
    }
}
