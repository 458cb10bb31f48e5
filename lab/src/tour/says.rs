//! What a server says when it has done its part of a step, so that the clients can go on.

use common::harmless;
use judge::check::programs::Program;
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

/// Lines to be heard. Each sequence in its own order; several belong to several threads or
/// processes, which speak in any order. `{P}` stands for the client's address.
pub(super) type Expected = &'static [&'static [&'static str]];

/// For each step its last words. A server that was heard to its end says nothing more by itself:
/// whatever it says next has the next step for its cause.
pub(super) struct Says {
    pub started: Expected,
    pub connected: Expected,
    pub answered: Expected,
    pub closed: Expected,
}

/// A loop says what it waits for, then what it got.
const LOOP: Says = Says {
    started: &[&["listening on", "waiting for"]],
    connected: &[&["new connection from {P}", "waiting for"]],
    answered: &[&[" to {P}", "waiting for"]],
    closed: &[&["closing {P}", "waiting for"]],
};

/// To add a socket counts as an edge: there is room to send, and epoll says so once.
const EDGE: Says = Says {
    connected: &[&["new connection from {P}", "waiting for", "EPOLLOUT", "waiting for"]],
    ..LOOP
};

/// It connects on, too.
const PROXY: Says =
    Says { connected: &[&["new connection from {P}", "connected to", "waiting for"]], ..LOOP };

/// It asks all the time and says nothing of it.
const NONBLOCKING: Says = Says {
    started: &[&["listening on"]],
    connected: &[&["new connection from {P}"]],
    answered: &[&["output queue for {P} is empty"]],
    closed: &[&["closing {P}"]],
};

const BLOCKING: Says = Says {
    started: &[&["waiting in accept"]],
    connected: &[&["waiting in recv for {P}"]],
    answered: &[&[" to {P}", "waiting in recv for {P}"]],
    closed: &[&["closing {P}", "waiting in accept"]],
};

const THREADS: Says = Says {
    connected: &[
        &["waiting in recv for {P}"],
        &["new connection from {P}"],
        &["waiting in accept"],
    ],
    closed: &[&["closing {P}"]],
    ..BLOCKING
};

const PROCESSES: Says = Says {
    started: &[&["waiting in poll"]],
    connected: &[&["waiting in recv for {P}"], &["serves {P}", "waiting in poll"]],
    closed: &[&["closing {P}"], &["has ended", "waiting in poll"]],
    ..BLOCKING
};

/// One request at a time.
const REQUESTS: Says = Says {
    started: &[&["listening on", "submitted: accept"]],
    connected: &[&["new connection from {P}", "submitted: receive"]],
    answered: &[&[" to {P}", "submitted: receive"]],
    closed: &[&["closing {P}", "submitted: accept"]],
};

impl Says {
    pub(super) fn of(row: &Program) -> &'static Self {
        match row.binary {
            "epoll_edge" => &EDGE,
            "proxy" => &PROXY,
            "nonblocking" => &NONBLOCKING,
            "blocking" => &BLOCKING,
            "thread_per_connection" | "thread_pool" => &THREADS,
            "process_per_connection" => &PROCESSES,
            "uring_once" => &REQUESTS,
            _ => &LOOP,
        }
    }
}

/// Whether `line` has these words. An address is not found in a longer one: a port ends where the
/// digits do.
pub(super) fn has(line: &str, words: &str) -> bool {
    let ends_in_digit = words.ends_with(|c: char| c.is_ascii_digit());
    line.match_indices(words).any(|(start, _)| {
        let rest = &line[start + words.len()..];
        !(ends_in_digit && rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// A thread that reads lines and notes when each came. It never waits for us, so a pause of the
/// reader holds up neither the server nor the clock.
pub(super) fn stamped(pipe: impl Read + Send + 'static) -> Receiver<(Instant, String)> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(pipe.read_until(b'\n', &mut line), Ok(1..)) {
            let at = Instant::now();
            let text = harmless(String::from_utf8_lossy(&line).trim_end());
            line.clear();
            if sender.send((at, text)).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_not_the_beginning_of_another() {
        let line = "new connection from 127.0.0.1:50001, descriptor 5";
        assert!(has(line, "from 127.0.0.1:50001") && has(line, "new connection"));
        assert!(!has(line, "from 127.0.0.1:5000"));
        assert!(has("closing 10.0.0.1:5 and 10.0.0.1:50", ":50"), "any place will do");
    }
}
