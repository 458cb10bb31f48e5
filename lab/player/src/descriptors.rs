//! Whom the descriptors in a trace stand for, and so whom a call waits for.

use super::trace::{Client, Trace, Traced};
use std::collections::HashMap;

/// Whom or what a sleeping call waits for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Awaited {
    /// Whoever of them comes first.
    These(Vec<Who>),
    /// A completion, after that many requests were handed over.
    Completion(u64),
    /// The end of a pause.
    Time,
    /// Another thread.
    Thread,
}

/// What a descriptor of the server stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Who {
    Newcomer,
    Client(Client),
    Descriptor(u32),
}

/// What descriptors stand for, call after call.
pub struct Descriptors {
    listeners: Vec<u32>,
    /// Calls that have returned EAGAIN, and of which descriptor: it is non-blocking, and a call
    /// that takes long has only been interrupted.
    never_sleep: Vec<(String, Option<u32>)>,
    /// At each call: who has which, and whom the call waits for.
    clients: Vec<HashMap<u32, Client>>,
    awaited: Vec<Vec<u32>>,
}

impl Descriptors {
    pub fn of(trace: &Trace) -> Self {
        let accepts = trace.calls.iter().filter(|call| familiar(call.name()) == "accept");
        let listeners = accepts.filter_map(Traced::descriptor).collect();
        let refused = trace.calls.iter().filter(|call| would_block(call));
        let never_sleep = refused.map(|call| (familiar(call.name()), call.descriptor())).collect();
        let mut known = Self { listeners, never_sleep, clients: Vec::new(), awaited: Vec::new() };
        let mut clients = HashMap::new();
        // A process has the descriptors that there were when it began; what its parent then closes
        // or opens is not its own. A thread that began earlier knows those of all.
        let mut own: HashMap<usize, HashMap<u32, Client>> = HashMap::new();
        // Of each epoll instance.
        let mut interest: HashMap<Option<u32>, Vec<u32>> = HashMap::new();
        for call in &trace.calls {
            let own = own.entry(call.lane).or_insert_with(|| clients.clone());
            let mut seen = clients.clone();
            seen.extend(own.iter().map(|(fd, client)| (*fd, *client)));
            known.clients.push(seen);
            let argument = |at| argument(&call.text, at);
            let result = call.result().and_then(|result| result.split(' ').next()?.parse().ok());
            let mut awaited = Vec::new();
            match familiar(call.name()).as_str() {
                name @ ("accept" | "getpeername") => {
                    let fd = if name == "accept" { result } else { call.descriptor() };
                    let new = fd.zip(named(call));
                    clients.extend(new);
                    own.extend(new);
                }
                "close" => {
                    let lists = interest.values_mut();
                    lists.for_each(|list| list.retain(|fd| Some(*fd) != call.descriptor()));
                }
                "epoll_ctl" => {
                    let fd = argument(2).parse().unwrap_or(0);
                    let list = interest.entry(call.descriptor()).or_default();
                    list.retain(|known| *known != fd || argument(1) == "EPOLL_CTL_MOD");
                    if argument(1) == "EPOLL_CTL_ADD" {
                        list.push(fd);
                    }
                }
                "select" => {
                    let set = argument(1).trim_matches(['[', ']']);
                    awaited.extend(set.split(' ').filter_map(|fd| fd.parse::<u32>().ok()));
                }
                "poll" => {
                    let entries = argument(0).split("fd=").skip(1);
                    awaited.extend(
                        entries.filter_map(|entry| entry.split(',').next()?.parse::<u32>().ok()),
                    );
                }
                "epoll_wait" => {
                    awaited.extend(interest.get(&call.descriptor()).into_iter().flatten())
                }
                _ => {}
            }
            known.awaited.push(awaited);
        }
        known
    }

    /// This call may sleep.
    pub fn may_sleep(&self, call: &Traced) -> bool {
        !self.never_sleep.contains(&(familiar(call.name()), call.descriptor()))
    }

    /// What a descriptor stands for at a call.
    pub fn who(&self, call: usize, fd: u32) -> Who {
        match self.clients[call].get(&fd) {
            Some(client) => Who::Client(*client),
            None if self.listeners.contains(&fd) => Who::Newcomer,
            None => Who::Descriptor(fd),
        }
    }

    /// What a call waits for, if it has to wait.
    pub fn awaited(&self, index: usize, call: &Traced) -> Awaited {
        let whom = |fds: &[u32]| fds.iter().map(|fd| self.who(index, *fd)).collect();
        match familiar(call.name()).as_str() {
            "nanosleep" => Awaited::Time,
            "futex" => Awaited::Thread,
            "io_uring_enter" => {
                let submitted = argument(&call.text, 1).parse();
                Awaited::Completion(submitted.unwrap_or(0))
            }
            "select" | "poll" | "epoll_wait" => Awaited::These(whom(&self.awaited[index])),
            "accept" => Awaited::These(vec![Who::Newcomer]),
            "recv" | "read" => Awaited::These(whom(call.descriptor().as_slice())),
            _ => Awaited::These(Vec::new()),
        }
    }
}

/// The client whose address is in a call.
pub fn named(call: &Traced) -> Option<Client> {
    Client::BOTH.into_iter().find(|client| call.text.contains(&client.in_trace()))
}

pub fn would_block(call: &Traced) -> bool {
    call.result().is_some_and(|result| result.starts_with("-1 EAGAIN"))
}

/// The name that programs call it by: strace shows what it is inside.
pub fn familiar(name: &str) -> String {
    let familiar = match name {
        "accept4" => "accept",
        "recvfrom" | "recvmsg" => "recv",
        "readv" => "read",
        "sendto" | "sendmsg" => "send",
        "writev" => "write",
        "pselect6" => "select",
        "ppoll" => "poll",
        "epoll_pwait" | "epoll_pwait2" => "epoll_wait",
        "clock_nanosleep" => "nanosleep",
        other => other,
    };
    familiar.to_owned()
}

/// One of the arguments of a call, which end at the commas that are in no bracket.
pub fn argument(text: &str, number: usize) -> &str {
    let inside = text.split_once('(').map_or("", |(_, inside)| inside);
    let (mut start, mut depth, mut before) = (0, 0, 0);
    for (at, c) in inside.char_indices() {
        let ends = depth == 0 && matches!(c, ',' | ')');
        match c {
            _ if ends && before == number => return inside[start..at].trim(),
            ',' if ends => (start, before) = (at + 1, before + 1),
            ')' if ends => break,
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth -= 1,
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_end_outside_of_brackets() {
        let text = "poll([{fd=3, events=POLLIN}, {fd=4, events=POLLIN}], 2, -1) = 1 ([{fd=3}])";
        assert_eq!(argument(text, 0), "[{fd=3, events=POLLIN}, {fd=4, events=POLLIN}]");
        assert_eq!([1, 2, 3].map(|number| argument(text, number)), ["2", "-1", ""]);
        assert_eq!(argument("epoll_wait(4, <unfinished ...>) = ?", 0), "4");
    }
}
