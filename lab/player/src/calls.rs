//! What there is to read in a call: what was asked, and what came back.

use crate::descriptors::{argument, familiar};
use crate::trace::Traced;

/// A call, as far as the player has to know it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Call {
    /// A new descriptor, or nobody there.
    Accept(Option<u32>),
    /// From a descriptor; `None`: it had nothing (EAGAIN) or failed.
    Receive(u32, Option<String>),
    Send(u32, Option<String>),
    Close(u32),
    /// To the server behind a proxy.
    Connect(u32),
    Select {
        inputs: Vec<u32>,
        outputs: Vec<u32>,
        ready: Vec<(u32, String)>,
    },
    Poll {
        watched: Vec<(u32, String)>,
        ready: Vec<(u32, String)>,
    },
    /// ADD, MOD or DEL; what is watched for; and the token that a wait will report.
    Control {
        epoll: u32,
        operation: String,
        fd: u32,
        events: String,
        token: String,
    },
    /// What is reported: tokens, and events.
    Wait {
        epoll: u32,
        ready: Vec<(String, String)>,
    },
    /// How many requests were handed over.
    Enter {
        submitted: u64,
    },
    /// It learns who a client is.
    Who(u32),
    Other,
}

impl Call {
    pub fn of(call: &Traced) -> Self {
        let text = &call.text;
        let fd = call.descriptor().unwrap_or_default();
        let result: Option<i64> =
            call.result().and_then(|result| result.split(' ').next()?.parse().ok());
        let done = result.filter(|result| *result >= 0);
        match familiar(call.name()).as_str() {
            "accept" => Self::Accept(done.and_then(|fd| u32::try_from(fd).ok())),
            "recv" | "read" => Self::Receive(fd, done.map(|_| quoted(text))),
            "send" | "write" => {
                // A part of it may have been taken.
                let sent = done.map(|count| {
                    let taken = usize::try_from(count).unwrap_or(usize::MAX);
                    quoted(text).chars().take(taken).collect()
                });
                Self::Send(fd, sent)
            }
            "close" => Self::Close(fd),
            "connect" => Self::Connect(fd),
            "getpeername" => Self::Who(fd),
            "select" => {
                let ready = text.rsplit_once(" = ").map_or("", |(_, ready)| ready);
                let of = |name: &str, event: &str| -> Vec<(u32, String)> {
                    let set = ready.split_once(name).map_or("", |(_, set)| set);
                    let set = set.split(']').next().unwrap_or_default();
                    numbers(set).into_iter().map(|fd| (fd, event.to_owned())).collect()
                };
                let ready = [of("in [", "readable"), of("out [", "writable")].concat();
                let [inputs, outputs] =
                    [1, 2].map(|at| numbers(argument(text, at).trim_matches(['[', ']'])));
                Self::Select { inputs, outputs, ready }
            }
            "poll" => {
                let watched = entries(argument(text, 0), "events=");
                let ready = text.rsplit_once(" = ").map_or("", |(_, ready)| ready);
                Self::Poll { watched, ready: entries(ready, "revents=") }
            }
            "epoll_ctl" => Self::Control {
                epoll: fd,
                operation: argument(text, 1).trim_start_matches("EPOLL_CTL_").to_owned(),
                fd: argument(text, 2).parse().unwrap_or_default(),
                events: value(argument(text, 3), "events=").to_owned(),
                token: value(argument(text, 3), "u64=").to_owned(),
            },
            "epoll_wait" => {
                let events = argument(text, 1).split("{events=").skip(1);
                let event = |text: &str| {
                    let events = text.split(',').next().unwrap_or_default();
                    (value(text, "u64=").to_owned(), events.to_owned())
                };
                Self::Wait { epoll: fd, ready: events.map(event).collect() }
            }
            "io_uring_enter" => {
                Self::Enter { submitted: argument(text, 1).parse().unwrap_or_default() }
            }
            _ => Self::Other,
        }
    }
}

/// The bytes between the quotes, as strace writes them.
fn quoted(text: &str) -> String {
    let inside = text.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"'));
    inside.map_or("", |(inside, _)| inside).to_owned()
}

fn numbers(text: &str) -> Vec<u32> {
    text.split(' ').filter_map(|number| number.parse().ok()).collect()
}

/// `[{fd=3, events=POLLIN}]`
fn entries(text: &str, key: &str) -> Vec<(u32, String)> {
    let entries = text.split("{fd=").skip(1);
    let entry = |entry: &str| {
        let fd = entry.split(',').next()?.parse().ok()?;
        Some((fd, value(entry, key).to_owned()))
    };
    entries.filter_map(entry).collect()
}

/// What stands behind `key`, up to the end of that part.
fn value<'t>(text: &'t str, key: &str) -> &'t str {
    let rest = text.split_once(key).map_or("", |(_, rest)| rest);
    rest.split([',', '}']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Call {
        let (lane, began, took, place) = (0, 0, Some(1), None);
        Call::of(&Traced { lane, began, took, text: text.into(), place })
    }

    #[test]
    fn calls_are_read() {
        let pair = |fd, event: &str| (fd, event.to_owned());
        let select = "pselect6(6, [3 4], [5], [4], NULL, NULL) = 2 (in [4], out [5])";
        let ready = vec![pair(4, "readable"), pair(5, "writable")];
        assert_eq!(of(select), Call::Select { inputs: vec![3, 4], outputs: vec![5], ready });
        let poll = "poll([{fd=3, events=POLLIN}, {fd=5, events=POLLIN|POLLOUT}], 2, -1) = 1 \
                    ([{fd=5, revents=POLLOUT}])";
        let watched = vec![pair(3, "POLLIN"), pair(5, "POLLIN|POLLOUT")];
        assert_eq!(of(poll), Call::Poll { watched, ready: vec![pair(5, "POLLOUT")] });
        let control =
            "epoll_ctl(4, EPOLL_CTL_ADD, 5, {events=EPOLLIN|EPOLLET, data={u32=1, u64=42}}) = 0";
        let (operation, events, token) = ("ADD".into(), "EPOLLIN|EPOLLET".into(), "42".into());
        assert_eq!(of(control), Call::Control { epoll: 4, operation, fd: 5, events, token });
        let wait = "epoll_wait(4, [{events=EPOLLIN, data={u32=1, u64=42}}], 256, -1) = 1";
        assert_eq!(of(wait), Call::Wait { epoll: 4, ready: vec![("42".into(), "EPOLLIN".into())] });
        assert_eq!(of("epoll_wait(4,"), Call::Wait { epoll: 4, ready: Vec::new() });
        let send = "sendto(5, \"hello\", 5, MSG_NOSIGNAL, NULL, 0) = 2";
        assert_eq!(of(send), Call::Send(5, Some("he".into())), "a part of it");
        let recv = "recvfrom(5, ADDRESS, 1024, 0, NULL, NULL) = -1 EAGAIN (Resource …)";
        assert_eq!(of(recv), Call::Receive(5, None));
        assert_eq!(
            of("accept4(3, {client A}, [128 => 16], SOCK_CLOEXEC) = 4"),
            Call::Accept(Some(4))
        );
        assert_eq!(of("io_uring_enter(4, 2, 1, 0, NULL, 128) = 2"), Call::Enter { submitted: 2 });
    }
}
