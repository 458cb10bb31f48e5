//! What there is, as rows: in the kernel, and in the server.

use crate::Row;
use crate::state::{State, Whom};
use crate::trace::{Client, Trace};
use crate::words::{self, tell};
use judge::language::Language;
use std::collections::BTreeMap;

/// The rows of a moment.
pub struct Rows {
    pub language: Language,
    /// The threads that are shown, and what they call themselves.
    pub lanes: Vec<usize>,
    pub names: BTreeMap<usize, String>,
}

impl Rows {
    pub fn clients(&self, state: &State) -> Vec<Row> {
        let of = |client: Client| words::client(self.language, client.name(), state.client(client));
        Client::BOTH.map(of).to_vec()
    }

    pub fn kernel(&self, state: &State) -> Vec<Row> {
        let language = self.language;
        let names = state.accepting.iter().map(|client| client.name());
        let names = names.collect::<Vec<_>>().join(", ");
        let mut rows = vec![row(tell!(language, "accept queue", "全连接队列"), names)];
        for client in Client::BOTH {
            let (connection, name) = (state.client(client), client.name());
            if !connection.connected || (connection.closed && connection.back.is_empty()) {
                continue;
            }
            let mut unread = quoted(&connection.unread);
            if connection.end {
                let end = tell!(language, "end of input", "输入结束");
                unread = if unread.is_empty() { end } else { format!("{unread}, {end}") };
            }
            let label =
                tell!(language, "receive buffer (from {name})", "接收缓冲区（来自 {name}）");
            rows.push(row(label, unread));
            let label =
                tell!(language, "sent to {name}, not received yet", "在途数据（发往 {name}）");
            rows.push(row(label, quoted(&connection.back)));
        }
        for (epoll, watched) in &state.epolls {
            let watched =
                watched.iter().map(|watched| self.event(state, watched.fd, &watched.events));
            let label =
                tell!(language, "interest list (epoll {epoll})", "epoll（{epoll}）的关注列表");
            rows.push(row(label, watched.collect::<Vec<_>>().join(", ")));
            let ready = state.ready(*epoll);
            let ready = ready.iter().map(|(fd, events)| match events.as_str() {
                "" => {
                    let who = self.number(state, *fd);
                    tell!(language, "{who}: nothing now", "{who}：已不就绪")
                }
                events => self.event(state, *fd, events),
            });
            let label = tell!(language, "ready list (epoll {epoll})", "epoll（{epoll}）的就绪列表");
            rows.push(row(label, ready.collect::<Vec<_>>().join(", ")));
        }
        if let Some(submitted) = state.submitted {
            let label =
                tell!(language, "requests submitted by the last call", "最近一次提交的请求数");
            rows.push(row(label, submitted.to_string()));
        }
        rows
    }

    pub fn server(&self, state: &State) -> Vec<Row> {
        let language = self.language;
        let mut rows = Vec::new();
        for lane in &self.lanes {
            let label = match self.lanes.len() {
                1 => tell!(language, "thread", "线程"),
                _ => self.thread(*lane),
            };
            let asleep = match state.asleep.get(lane) {
                Some(Some(call)) => tell!(language, "blocked in {call}", "阻塞在 {call} 上"),
                Some(None) => tell!(language, "running", "运行中"),
                // It has not begun, or has not been heard of.
                None => continue,
            };
            rows.push(row(label, asleep));
        }
        if state.submitted.is_some() {
            let label = tell!(language, "completions taken last", "最近取到的完成项");
            rows.push(row(label, state.completions.join(", ")));
        }
        if let Some(lists) = &state.lists {
            let all = |fds: &[u32]| {
                let all = fds.iter().map(|fd| self.number(state, *fd));
                all.collect::<Vec<_>>().join(", ")
            };
            if lists.polled.is_empty() {
                rows.push(row("inputs (readfds)".to_owned(), all(&lists.inputs)));
                rows.push(row("outputs (writefds)".to_owned(), all(&lists.outputs)));
            } else {
                let list = lists.polled.iter().map(|(fd, events)| self.event(state, *fd, events));
                let label = tell!(language, "list given to poll last", "最近一次传给 poll 的列表");
                rows.push(row(label, list.collect::<Vec<_>>().join(", ")));
            }
        }
        for client in Client::BOTH {
            let (connection, name) = (state.client(client), client.name());
            let Some(fd) = connection.fd else { continue };
            if state.is_proxy() {
                let label = tell!(
                    language,
                    "queue from {name} ({fd}) to the server",
                    "{name}（{fd}）→ 服务端的消息队列"
                );
                rows.push(row(label, quoted(&connection.queue)));
                let label = tell!(
                    language,
                    "queue from the server to {name} ({fd})",
                    "服务端 → {name}（{fd}）的消息队列"
                );
                rows.push(row(label, quoted(&connection.answer)));
            } else {
                let label = tell!(
                    language,
                    "output queue for {name} ({fd})",
                    "待发给 {name}（{fd}）的消息队列"
                );
                rows.push(row(label, quoted(&connection.queue)));
            }
        }
        rows
    }

    /// What a thread is called: the server, if there is one only.
    pub fn thread(&self, lane: usize) -> String {
        match (self.lanes.len(), self.names.get(&lane)) {
            (1, _) => tell!(self.language, "server", "服务端"),
            (_, Some(name)) => name.clone(),
            // The first is the one that the program began with.
            (_, None) if lane == 0 => tell!(self.language, "main thread", "主线程"),
            (_, None) => tell!(self.language, "thread {lane}", "线程 {lane}"),
        }
    }

    /// `A (4)`
    fn number(&self, state: &State, fd: u32) -> String {
        let whom = state.last_whom(fd);
        match (whom, self.language) {
            (Whom::Other(_), _) => words::whom(self.language, whom),
            (Whom::Listener, Language::English) => format!("listener ({fd})"),
            (_, Language::English) => format!("{} ({fd})", words::whom(self.language, whom)),
            (_, Language::Chinese) => format!("{}（{fd}）", words::whom(self.language, whom)),
        }
    }

    fn event(&self, state: &State, fd: u32, events: &str) -> String {
        format!("{}: {events}", self.number(state, fd))
    }
}

/// The threads that are more than waited for: one that only ever waits for others is not shown.
pub fn lanes(trace: &Trace) -> Vec<usize> {
    let calls = trace.calls.iter().filter(|call| call.name() != "futex");
    let mut lanes: Vec<_> = calls.map(|call| call.lane).collect();
    lanes.sort_unstable();
    lanes.dedup();
    lanes
}

/// What threads call themselves, where each of their lines begins with it: `loop 1: waiting …`
pub fn names(trace: &Trace) -> BTreeMap<usize, String> {
    let mut names: BTreeMap<usize, Option<&str>> = BTreeMap::new();
    for said in &trace.says {
        let name = said.text.split_once(": ").map(|(name, _)| name);
        let known = names.entry(said.lane).or_insert(name);
        *known = known.filter(|known| Some(*known) == name);
    }
    // Of one thread alone it may be any word.
    let several = names.len() > 1;
    let names = names.into_iter().filter_map(|(lane, name)| Some((lane, name?.to_owned())));
    names.filter(|_| several).collect()
}

fn row(label: String, value: String) -> Row {
    Row { label, value }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("\"{text}\"") }
}
