//! What there is at one moment: in the kernel's buffers and lists, and in the program's. A
//! recording does not hold it; it follows from the calls by these rules:
//!
//! - a client that connects is in the accept queue until accept returns it;
//! - what a client sends is in the receive buffer of the server's socket until recv takes it, and
//!   behind it the end of input, once the client has closed;
//! - what the server sends is on its way (in the send buffer, the network, the client's receive
//!   buffer) until the client receives it;
//! - what the server has received and not sent yet is in its queue for that client;
//! - a descriptor is ready to read when its buffer or queue is not empty, and ready to send when
//!   the client is accepted: there is always room here;
//! - what comes is put on the ready list, if it is watched for, and so is what epoll_ctl finds
//!   ready; epoll_wait takes off what it finds no longer ready, and, edge-triggered, what it
//!   reports.
//!
//! [`State::doubt`] holds them against what the system has told.

use crate::calls::Call;
use crate::descriptors::named;
use crate::trace::{Act, Client, Deed, Seen, Trace, Traced};
use std::collections::{BTreeMap, HashMap};

/// Whom a descriptor of the server stands for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Whom {
    Listener,
    Client(Client),
    /// The other side of a proxy: its connection to the server behind, for this client.
    Behind(Client),
    Other(u32),
}

/// A client's connection.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    pub connected: bool,
    /// The server's descriptor for it.
    pub fd: Option<u32>,
    /// In the receive buffer of the server's socket.
    pub unread: String,
    /// The end of input comes behind that. It stays: a socket at its end can be read, again and
    /// again, until it is closed.
    pub end: bool,
    end_read: bool,
    /// Received, and not sent on; of that, with io_uring, how many bytes the kernel is sending.
    pub queue: String,
    sending: usize,
    /// For a proxy: from the server behind, and not sent to the client.
    pub answer: String,
    /// Sent to the client, and not received by it.
    pub back: String,
    /// What the client has sent and received, in all.
    pub sent: String,
    pub got: String,
    /// The client has closed it; the server has.
    pub left: bool,
    pub closed: bool,
}

/// Something that an epoll instance watches.
#[derive(Clone, Debug)]
pub struct Watched {
    pub fd: u32,
    pub events: String,
    token: String,
    /// Its place on the ready list, if it is there: the number of what put it there.
    listed: Option<usize>,
}

/// What the server was last seen to do with select or poll: it gives its whole list at each call.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    pub inputs: Vec<u32>,
    pub outputs: Vec<u32>,
    pub polled: Vec<(u32, String)>,
}

#[derive(Clone, Debug, Default)]
pub struct State {
    pub clients: [Connection; 2],
    /// Who waits to be accepted, first come first.
    pub accepting: Vec<Client>,
    pub epolls: BTreeMap<u32, Vec<Watched>>,
    pub lists: Option<Lists>,
    /// For io_uring: how many requests were handed over with the last call, and the completions
    /// that the program said it found.
    pub submitted: Option<u64>,
    pub completions: Vec<String>,
    /// By thread, the name of the call that it is asleep in.
    pub asleep: BTreeMap<usize, Option<String>>,
    listeners: Vec<u32>,
    fds: HashMap<u32, Whom>,
    closed: HashMap<u32, Whom>,
    /// How many times something was put on a ready list.
    put: usize,
    /// Counters (eventfd) that were written to and not read.
    counters: Vec<u32>,
    /// Where the system's answer was not what the rules say.
    pub doubts: Vec<String>,
}

impl State {
    pub fn new(trace: &Trace) -> Self {
        let accepts = trace.calls.iter().filter(|call| matches!(Call::of(call), Call::Accept(_)));
        let listeners = accepts.filter_map(Traced::descriptor).collect();
        Self { listeners, ..Self::default() }
    }

    /// The descriptor that a token stands for.
    pub fn of_token(&self, epoll: u32, token: &str) -> Option<u32> {
        let watched = self.epolls.get(&epoll)?.iter().find(|watched| watched.token == token);
        watched.map(|watched| watched.fd)
    }

    pub fn client(&self, client: Client) -> &Connection {
        &self.clients[client as usize]
    }

    /// It hands on what it receives to a server behind it.
    pub fn is_proxy(&self) -> bool {
        self.fds.values().any(|whom| matches!(whom, Whom::Behind(_)))
    }

    fn client_mut(&mut self, client: Client) -> &mut Connection {
        &mut self.clients[client as usize]
    }

    /// Whom a descriptor stands for.
    pub fn whom(&self, fd: u32) -> Whom {
        match self.fds.get(&fd) {
            Some(whom) => *whom,
            None if self.listeners.contains(&fd) => Whom::Listener,
            None => Whom::Other(fd),
        }
    }

    /// The same, of one that may be closed: the list of the last call still has it.
    pub fn last_whom(&self, fd: u32) -> Whom {
        match self.whom(fd) {
            Whom::Other(_) => self.closed.get(&fd).copied().unwrap_or(Whom::Other(fd)),
            whom => whom,
        }
    }

    /// A client has done something.
    pub fn act(&mut self, act: &Act) {
        let client = self.client_mut(act.client);
        match &act.what {
            Deed::Connect => {
                client.connected = true;
                self.accepting.push(act.client);
                for fd in self.listeners.clone() {
                    self.changed(fd);
                }
                return;
            }
            Deed::Send(text) => {
                client.unread += text;
                client.sent += text;
            }
            Deed::Receive(text) => {
                client.got += text;
                client.back = client.back.strip_prefix(text.as_str()).unwrap_or("").to_owned();
                return;
            }
            Deed::Close => (client.end, client.left) = (true, true),
        }
        if let Some(fd) = client.fd {
            self.changed(fd);
        }
    }

    /// A call begins that will sleep.
    pub fn sleeps(&mut self, call: &Traced) {
        match Call::of(call) {
            Call::Select { inputs, outputs, .. } => {
                self.lists = Some(Lists { inputs, outputs, ..Lists::default() });
            }
            Call::Poll { watched: polled, .. } => {
                self.lists = Some(Lists { polled, ..Lists::default() });
            }
            Call::Enter { submitted } => self.hands_over(submitted),
            Call::Wait { epoll, .. } => self.looks_again(epoll),
            _ => {}
        }
    }

    /// A call has returned.
    pub fn returned(&mut self, call: &Traced) {
        self.sleeps(call);
        match Call::of(call) {
            Call::Accept(Some(fd)) | Call::Who(fd) => self.accepted(call, fd),
            Call::Receive(fd, Some(text)) => self.received(fd, &text),
            Call::Send(fd, Some(text)) => self.sent(fd, &text),
            Call::Close(fd) => self.closes(fd),
            Call::Connect(fd) => {
                let newest = self.fds.iter().filter_map(|(fd, whom)| match whom {
                    Whom::Client(client) => Some((*fd, *client)),
                    _ => None,
                });
                if let Some((_, client)) = newest.max() {
                    self.fds.insert(fd, Whom::Behind(client));
                }
            }
            Call::Control { epoll, operation, fd, events, token } => {
                let list = self.epolls.entry(epoll).or_default();
                let known = list.iter().position(|watched| watched.fd == fd);
                let old = known.map(|known| list.remove(known));
                if operation != "DEL" {
                    let ready = !self.events(fd, &events).is_empty();
                    let listed = old.and_then(|old| old.listed);
                    let listed = listed.or_else(|| ready.then(|| self.next_put()));
                    let list = self.epolls.entry(epoll).or_default();
                    let place = known.unwrap_or(list.len());
                    list.insert(place, Watched { fd, events, token, listed });
                }
            }
            Call::Wait { epoll, ready } => self.reported(epoll, &ready),
            Call::Select { ready, .. } => {
                let mut lists = Lists::default();
                for (fd, what) in ready {
                    let readable = what == "readable";
                    self.expect(fd, if readable { "IN" } else { "OUT" }, call);
                    if readable { &mut lists.inputs } else { &mut lists.outputs }.push(fd);
                }
                // The answer stands where the question stood.
                self.lists = Some(lists);
            }
            Call::Poll { ready, .. } => {
                for (fd, events) in ready {
                    self.expect(fd, &events, call);
                }
            }
            Call::Enter { .. } => self.completed(),
            _ => {}
        }
    }

    fn accepted(&mut self, call: &Traced, fd: u32) {
        // Who asks for no address gets the next all the same.
        let next = self.accepting.first().copied();
        let Some(client) = named(call).or(next) else { return };
        self.accepting.retain(|waiting| *waiting != client);
        self.fds.insert(fd, Whom::Client(client));
        self.client_mut(client).fd = Some(fd);
    }

    fn received(&mut self, fd: u32, text: &str) {
        match self.whom(fd) {
            Whom::Client(client) => {
                let client = self.client_mut(client);
                client.unread = client.unread.strip_prefix(text).unwrap_or("").to_owned();
                client.end_read |= text.is_empty();
                client.queue += text;
            }
            Whom::Behind(client) => self.client_mut(client).answer += text,
            Whom::Listener | Whom::Other(_) => self.counters.retain(|counter| *counter != fd),
        }
    }

    fn sent(&mut self, fd: u32, text: &str) {
        let proxy = self.is_proxy();
        match self.whom(fd) {
            Whom::Client(client) => {
                let client = self.client_mut(client);
                let from = if proxy { &mut client.answer } else { &mut client.queue };
                *from = from.strip_prefix(text).unwrap_or("").to_owned();
                client.back += text;
            }
            Whom::Behind(client) => {
                let queue = &mut self.client_mut(client).queue;
                *queue = queue.strip_prefix(text).unwrap_or("").to_owned();
            }
            Whom::Listener | Whom::Other(_) => {
                self.counters.push(fd);
                self.changed(fd);
            }
        }
    }

    fn closes(&mut self, fd: u32) {
        let whom = self.whom(fd);
        if self.fds.remove(&fd).is_some() {
            self.closed.insert(fd, whom);
        }
        for list in self.epolls.values_mut() {
            list.retain(|watched| watched.fd != fd);
        }
        if let Whom::Client(client) = whom {
            let client = self.client_mut(client);
            (client.closed, client.fd) = (true, None);
            client.unread.clear();
            client.end = false;
        }
    }

    /// io_uring: the kernel accepts and copies by itself, so what was there the program has now.
    fn completed(&mut self) {
        self.accepting.clear();
        for client in &mut self.clients {
            let sent = std::mem::take(&mut client.sending).min(client.queue.len());
            client.queue.drain(..sent);
            client.queue += &std::mem::take(&mut client.unread);
            client.end_read = client.end;
        }
    }

    /// io_uring: what the program has received it hands over to be sent with its next call.
    fn hands_over(&mut self, submitted: u64) {
        self.submitted = Some(submitted);
        for client in &mut self.clients {
            client.back += client.queue.get(client.sending..).unwrap_or_default();
            client.sending = client.queue.len();
        }
    }

    /// Something has come for a descriptor.
    fn changed(&mut self, fd: u32) {
        let put = self.next_put();
        let watched = self.epolls.values_mut().flatten();
        // Of what nobody has asked for, epoll takes no notice.
        for watched in watched.filter(|of| of.fd == fd && of.events.contains("EPOLLIN")) {
            watched.listed = watched.listed.or(Some(put));
        }
    }

    fn next_put(&mut self) -> usize {
        self.put += 1;
        self.put
    }

    /// epoll_wait goes through the ready list.
    fn looks_again(&mut self, epoll: u32) {
        let ready = self.ready(epoll);
        for watched in self.epolls.entry(epoll).or_default() {
            let is = |(fd, events): &(u32, String)| *fd == watched.fd && !events.is_empty();
            watched.listed = watched.listed.filter(|_| ready.iter().any(is));
        }
    }

    /// What epoll_wait has returned, by tokens.
    fn reported(&mut self, epoll: u32, ready: &[(String, String)]) {
        let listed = self.ready(epoll);
        for (token, events) in ready {
            let last = self.next_put();
            let list = self.epolls.entry(epoll).or_default();
            let Some(watched) = list.iter_mut().find(|watched| watched.token == *token) else {
                continue;
            };
            // Level-triggered, it goes to the end, to be looked at once more.
            let stays = !watched.events.contains("EPOLLET");
            watched.listed = stays.then_some(last);
            let fd = watched.fd;
            if !listed.iter().any(|(of, _)| *of == fd) {
                self.doubts
                    .push(format!("epoll_wait reports {fd} {events}, the ready list has none"));
            }
        }
    }

    /// What select or poll has found has to be what is there.
    fn expect(&mut self, fd: u32, events: &str, call: &Traced) {
        let found = ["IN", "OUT"].into_iter().filter(|event| events.contains(event));
        let wrong: Vec<_> = found.filter(|event| !self.has(fd, event)).collect();
        if !wrong.is_empty() {
            self.doubts.push(format!("{fd} is not ready for {wrong:?}: {}", call.text));
        }
    }

    /// Whether a descriptor is ready, as the rules say.
    fn has(&self, fd: u32, event: &str) -> bool {
        match (self.whom(fd), event) {
            (Whom::Listener, "IN") => !self.accepting.is_empty(),
            (Whom::Client(client), "IN") => {
                let client = self.client(client);
                !client.unread.is_empty() || client.end
            }
            (Whom::Client(_), "OUT") => true,
            (Whom::Other(fd), "IN") => self.counters.contains(&fd),
            // What the server behind does is not recorded.
            (Whom::Behind(_), _) => true,
            _ => false,
        }
    }

    /// The ready list of an epoll instance. An event that has passed is empty there, until
    /// epoll_wait looks again.
    pub fn ready(&self, epoll: u32) -> Vec<(u32, String)> {
        let watched = self.epolls.get(&epoll).into_iter().flatten();
        let listed = watched.filter_map(|watched| Some((watched.listed?, watched)));
        let mut listed: Vec<_> = listed.collect();
        listed.sort_by_key(|(place, _)| *place);
        let event = |watched: &Watched| (watched.fd, self.events(watched.fd, &watched.events));
        listed.into_iter().map(|(_, watched)| event(watched)).collect()
    }

    /// What of these events a descriptor is ready for.
    fn events(&self, fd: u32, events: &str) -> String {
        let ready = events.split('|').filter(|name| match *name {
            "EPOLLIN" => self.has(fd, "IN"),
            "EPOLLOUT" => self.has(fd, "OUT"),
            "EPOLLRDHUP" => self.has_left(fd),
            _ => false,
        });
        ready.collect::<Vec<_>>().join("|")
    }

    fn has_left(&self, fd: u32) -> bool {
        matches!(self.whom(fd), Whom::Client(client) if self.client(client).left)
    }

    /// Compares the rules with what the system has told.
    pub fn doubt(&mut self, seen: &Seen) {
        let waiting = self.accepting.len() as u64;
        if seen.waiting != waiting {
            let why = format!("{} in the accept queue, not {waiting}", seen.waiting);
            self.doubts.push(format!("at {} us: {why}", seen.at));
        }
        for (client, [unread, ..]) in &seen.ends {
            let connection = self.client(*client);
            // Linux counts the end of input as one byte.
            let expected =
                connection.unread.len() as u64 + u64::from(connection.end && !connection.end_read);
            if *unread != expected && !connection.closed {
                let why = format!("{unread} unread bytes of {}, not {expected}", client.name());
                self.doubts.push(format!("at {} us: {why}", seen.at));
            }
        }
    }
}
