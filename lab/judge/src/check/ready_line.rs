//! The line in which a server says where it listens, in any of the ways in which servers say it.

use crate::dial::addresses;
use std::net::{IpAddr, SocketAddr};

/// What a server says before its address, in any case.
const WORDS: [&str; 2] = ["listening on", "listening at"];

/// A place that a server says it listens at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    /// Where to look for it, the first that accepts.
    pub addrs: Vec<SocketAddr>,
    /// Nothing stands before it in its line, as in `metrics listening on …`.
    pub alone: bool,
}

/// What this line announces. What it says otherwise, in front and behind, does not matter, nor do
/// colours.
pub(super) fn announced(line: &str) -> Option<Announced> {
    let line = console::strip_ansi_codes(line);
    let lower = line.to_ascii_lowercase();
    let occurrences = WORDS.iter().flat_map(|words| lower.match_indices(words));
    occurrences.into_iter().find_map(|(at, words)| {
        let (host, port) = place(&line[at + words.len()..])?;
        let addrs = match host.as_str() {
            // At every address there is.
            "" | "*" => addresses(&format!("127.0.0.1:{port}"))
                .into_iter()
                .chain(addresses(&format!("[::1]:{port}")))
                .collect(),
            host if host.contains(':') => addresses(&format!("[{host}]:{port}")),
            host => addresses(&format!("{host}:{port}")),
        };
        (!addrs.is_empty()).then(|| Announced { addrs, alone: line[..at].trim().is_empty() })
    })
}

/// The port that this line announces.
pub(super) fn announced_port(line: &str) -> Option<u16> {
    Some(announced(line)?.addrs[0].port())
}

/// The host, which may be empty, and the port at the beginning of `text`: `HOST:PORT`, a URL, a
/// pair as Python prints it, `port 8001`.
fn place(text: &str) -> Option<(String, u16)> {
    let colon = text.strip_prefix(':').filter(|rest| rest.starts_with(char::is_whitespace));
    let text = colon
        .unwrap_or(text)
        .trim_start_matches(|c: char| c.is_whitespace() || "'\"`(<=".contains(c));
    let text = match text.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => rest,
        _ => text,
    };
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return Some((host.to_owned(), port(rest)?));
    }
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".:-_*%".contains(c);
    let end = text.find(|c| !is_host(c)).unwrap_or(text.len());
    // A sentence may end behind it.
    let (word, rest) = (text[..end].trim_end_matches(['.', ':']), &text[end..]);
    if word.eq_ignore_ascii_case("port") {
        return Some((String::new(), port(rest)?));
    }
    let is_alone = word.parse::<IpAddr>().is_ok() || word == "localhost" || word == "*";
    if let Some(port) = port(rest).filter(|_| is_alone) {
        return Some((word.to_owned(), port));
    }
    let (host, digits) = word.rsplit_once(':').unwrap_or(("", word));
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((host.to_owned(), port(digits).filter(|_| whole)?))
}

/// The port at the beginning of what follows a host.
fn port(text: &str) -> Option<u16> {
    let is_between = |c: char| c.is_whitespace() || "'\"`,:=(".contains(c);
    let text = text.trim_start_matches(is_between).to_ascii_lowercase();
    let text = text.strip_prefix("port").unwrap_or(&text).trim_start_matches(is_between);
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    // Port 0 is what was asked for, not what was got.
    text[..end].parse().ok().filter(|&port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Option<String> {
        announced(line).map(|found| found.addrs[0].to_string())
    }

    #[test]
    fn an_address_is_found_however_it_is_written() {
        for line in [
            "listening on 127.0.0.1:8001",
            "Listening on 127.0.0.1:8001",
            "LISTENING ON 127.0.0.1:8001",
            "INFO listening on 127.0.0.1:8001 (pid 7)",
            "listening on ('127.0.0.1', 8001)",
            "listening on (\"127.0.0.1\", 8001).",
            "listening on http://127.0.0.1:8001/",
            "listening on tcp://127.0.0.1:8001",
            "listening on 127.0.0.1:8001.",
            "listening on '127.0.0.1:8001'",
            "{\"msg\":\"listening on 127.0.0.1:8001\"}",
            "listening on:\t127.0.0.1:8001\t",
            "listening on: 127.0.0.1:8001: ready",
            "\x1b[32mlistening on\x1b[0m \x1b[1m127.0.0.1:8001\x1b[0m",
            "listening on \x1b[36mhttp://127.0.0.1:\x1b[1m8001\x1b[0m/",
            "listening on 127.0.0.1 port 8001",
            "listening on 127.0.0.1, port 8001",
            "Listening on 127.0.0.1 8001",
            "Server listening on port 8001",
            "server is listening on 8001",
            "listening on :8001",
            "listening on *:8001",
            "listening on 0.0.0.0:8001",
            "listening on 0.0.0.0:8001 \u{1f680}",
            "Listening at: http://127.0.0.1:8001 (7)",
            "not listening on the old port; listening on 127.0.0.1:8001",
            "listening on all interfaces, that is, listening on 127.0.0.1:8001",
        ] {
            assert_eq!(found(line).as_deref(), Some("127.0.0.1:8001"), "{line:?}");
        }
        for line in [
            "listening on [::1]:8001",
            "listening on [::]:8001",
            "listening on ('::1', 8001, 0, 0)",
            "listening on http://[::1]:8001/",
        ] {
            assert_eq!(found(line).as_deref(), Some("[::1]:8001"), "{line:?}");
        }
    }

    #[test]
    fn what_names_no_port_announces_nothing() {
        for line in [
            "",
            "listening on",
            "listening on all interfaces",
            "listening on a port",
            "listening on 127.0.0.1:0",
            "listening on 127.0.0.1:99999",
            "listening on 127.0.0.1",
            "listening on [::1",
            "listening on port",
            "listening on 中文",
            "8001",
        ] {
            assert_eq!(found(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_host_without_an_address_has_both() {
        let found = announced("listening on *:8001").expect("a port");
        assert_eq!(found.addrs.len(), 2);
    }

    #[test]
    fn what_stands_in_front_is_told() {
        assert!(announced("  Listening on 127.0.0.1:1").is_some_and(|found| found.alone));
        assert!(announced("metrics listening on :1").is_some_and(|found| !found.alone));
    }
}
