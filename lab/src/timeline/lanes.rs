//! What a trace means: for each thread of the server, pieces of time in which it did one thing.

use player::descriptors::{Awaited, Descriptors, Who, argument, familiar, named, would_block};
use player::trace::{Act, Client, Deed, Trace, Traced};

/// A call that takes longer has slept, whoever woke it: nothing here works that long.
const SLEPT: u64 = 1000;

/// What one thread of the server did: the pieces follow one another without a gap.
#[derive(Debug)]
pub struct Lane {
    pub pieces: Vec<Piece>,
}

/// One thing for some time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    pub from: u64,
    pub to: u64,
    pub what: What,
}

/// What a thread does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// Its own code.
    Own,
    /// Asleep in a call. `over`: it has returned in the end.
    Sleep { call: String, for_what: Awaited, over: bool },
    /// The end of that call, once the bytes are there: it wakes and has them copied.
    Copy { by_kernel: bool },
    /// A call that copies bytes and returns.
    Move { call: String, client: Client, bytes: u64 },
    /// Another call that returns at once.
    Brief { call: String, note: Note },
    /// Calls in a row that returned at once, and how many of each: they had nothing (EAGAIN), or
    /// had the same to say as before.
    Ask { calls: Vec<(String, usize)>, refused: bool },
}

/// What there is to say of a call that returns at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Note {
    Nothing,
    Whom(Who),
    /// `ADD`, and whom.
    Control(String, Who),
    Writable,
}

/// The lanes of a trace; threads that only ever waited for other threads are left out.
pub fn lanes(trace: &Trace) -> Vec<Lane> {
    let known = Descriptors::of(trace);
    let count = trace.calls.iter().map(|call| call.lane + 1).max().unwrap_or(0);
    let calls = |lane: usize| -> Vec<(usize, &Traced)> {
        trace.calls.iter().enumerate().filter(|(_, call)| call.lane == lane).collect()
    };
    let seen = (0..count).map(calls);
    let seen = seen.filter(|calls| calls.iter().any(|(_, call)| call.name() != "futex"));
    seen.map(|calls| lane(trace, &known, &calls)).collect()
}

fn lane(trace: &Trace, known: &Descriptors, calls: &[(usize, &Traced)]) -> Lane {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut now = calls.first().map_or(0, |(_, call)| call.began);
    for &(index, call) in calls {
        let to = call.returned().unwrap_or(trace.end).clamp(now, trace.end);
        let from = call.began.clamp(now, to);
        let parts = parts(trace, known, index, call, [from, to]);
        for what in parts {
            push(&mut pieces, &mut now, what);
        }
    }
    let rest = Piece { from: now, to: trace.end, what: What::Own };
    if rest.from < rest.to {
        pieces.push(rest);
    }
    Lane { pieces }
}

/// Adds a piece, own code up to it, and puts questions in a row together.
fn push(pieces: &mut Vec<Piece>, now: &mut u64, piece: Piece) {
    *now = piece.to;
    let before = pieces.last().map_or(piece.from, |last| last.to);
    if let Some(last) = pieces.last_mut() {
        if join(&mut last.what, &piece.what) {
            last.to = piece.to;
            return;
        }
    }
    if before < piece.from {
        pieces.push(Piece { from: before, to: piece.from, what: What::Own });
    }
    pieces.push(piece);
}

/// Makes one of a question and the same before it, if that is what they are.
fn join(before: &mut What, what: &What) -> bool {
    if let (What::Brief { call, .. }, true) = (&*before, before == what) {
        if ["select", "poll", "epoll_wait"].contains(&&**call) {
            *before = What::Ask { calls: vec![(call.clone(), 2)], refused: false };
            return true;
        }
    }
    let (asked, more) = match (before, what) {
        (What::Ask { calls, refused: true }, What::Ask { calls: more, refused: true }) => {
            (calls, more.as_slice())
        }
        (What::Ask { calls, refused: false }, What::Brief { call, .. }) if calls[0].0 == *call => {
            calls[0].1 += 1;
            return true;
        }
        _ => return false,
    };
    for (name, count) in more {
        match asked.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known += count,
            None => asked.push((name.clone(), *count)),
        }
    }
    asked.sort();
    true
}

/// The pieces of one call: none for a call that only tells who somebody is, two for one that slept
/// until bytes came.
fn parts(
    trace: &Trace,
    known: &Descriptors,
    index: usize,
    call: &Traced,
    [from, to]: [u64; 2],
) -> Vec<Piece> {
    let one = |what| vec![Piece { from, to, what }];
    let name = familiar(call.name());
    let who = call.descriptor().map(|fd| known.who(index, fd));
    let client = match who {
        Some(Who::Client(client)) => Some(client),
        _ => None,
    };
    let result = call.result().unwrap_or_default();
    if would_block(call) {
        return one(What::Ask { calls: vec![(name, 1)], refused: true });
    }
    let over = call.took.is_some();
    let for_what = known.awaited(index, call);
    let ended_by = ending(trace, &for_what, from, to).filter(|_| over);
    let slept = known.may_sleep(call) && (ended_by.is_some() || to - from >= SLEPT);
    if !over && !slept {
        // It had just begun when we stopped looking.
        return Vec::new();
    }
    let bytes = result.parse().unwrap_or(0);
    let brief = |note| one(What::Brief { call: name.clone(), note });
    let sleep = What::Sleep { call: name.clone(), for_what, over };
    match name.as_str() {
        "getpeername" => Vec::new(),
        "close" if client.is_none() => Vec::new(),
        "close" => brief(who.map_or(Note::Nothing, Note::Whom)),
        "nanosleep" => one(sleep),
        "futex" if !slept => Vec::new(),
        "epoll_ctl" => {
            let operation = argument(&call.text, 1).trim_start_matches("EPOLL_CTL_").to_owned();
            let whom = argument(&call.text, 2).parse().map(|fd| known.who(index, fd));
            brief(whom.map_or(Note::Nothing, |whom| Note::Control(operation, whom)))
        }
        "futex" | "select" | "poll" | "epoll_wait" | "accept" if slept => one(sleep),
        "io_uring_enter" if slept => copied(sleep, ended_by, [from, to], true),
        "recv" | "read" if slept => {
            copied(sleep, ended_by.filter(|_| bytes > 0), [from, to], false)
        }
        "select" | "poll" | "epoll_wait" => {
            let writable = ["out [", "revents=POLLOUT", "{events=EPOLLOUT"];
            let writable = writable.iter().any(|sign| call.text.contains(sign));
            brief(if writable { Note::Writable } else { Note::Nothing })
        }
        "accept" => {
            let whom = named(call).map(Who::Client);
            brief(whom.map_or(Note::Nothing, Note::Whom))
        }
        "recv" | "read" | "send" | "write" => match client {
            Some(client) => one(What::Move { call: name, client, bytes }),
            None => brief(Note::Nothing),
        },
        _ => brief(Note::Nothing),
    }
}

/// A sleep, and from the moment at which bytes were sent to it, the copy.
fn copied(
    sleep: What,
    ended_by: Option<&Act>,
    [from, to]: [u64; 2],
    by_kernel: bool,
) -> Vec<Piece> {
    let sent = ended_by.filter(|act| matches!(act.what, Deed::Send(_)));
    let until = sent.map_or(to, |act| act.at);
    let mut parts = vec![Piece { from, to: until, what: sleep }];
    if until < to {
        parts.push(Piece { from: until, to, what: What::Copy { by_kernel } });
    }
    parts
}

/// What ends a wait that lasts from one time to another: the first that a client does in it of what
/// is waited for. What an io_uring waits for no trace tells, but what came last has ended it.
pub(super) fn ending<'t>(
    trace: &'t Trace,
    for_what: &Awaited,
    from: u64,
    to: u64,
) -> Option<&'t Act> {
    let awaited = |act: &Act| match (for_what, &act.what) {
        (_, Deed::Receive(_)) | (Awaited::Time | Awaited::Thread, _) => false,
        (Awaited::Completion(_), _) => true,
        (Awaited::These(whom), Deed::Connect) => whom.contains(&Who::Newcomer),
        (Awaited::These(whom), _) => whom.contains(&Who::Client(act.client)),
    };
    let mut acts = trace.acts.iter().filter(|act| from < act.at && act.at <= to && awaited(act));
    if matches!(for_what, Awaited::Completion(_)) { acts.next_back() } else { acts.next() }
}

#[cfg(test)]
mod tests {
    use super::super::meetings::{Meets, meetings};
    use super::*;
    use std::fs;

    fn trace(lines: &[&str]) -> Trace {
        let text = format!("# lab timeline demo: a run\n{}\n", lines.join("\n"));
        Trace::parse(&text).expect("a trace")
    }

    fn whats(lane: &Lane) -> Vec<&What> {
        let pieces = lane.pieces.iter().map(|piece| &piece.what);
        pieces.filter(|what| **what != What::Own).collect()
    }

    const BLOCKING: [&str; 10] = [
        "0.000000 server accept4(3, {client A}, [128 => 16], SOCK_CLOEXEC) = 4 <0.003000>",
        "0.002900 A connect",
        "0.003100 server recvfrom(4, \"hello\", 1024, 0, NULL, NULL) = 5 <0.007000>",
        "0.005000 B connect",
        "0.010000 A send \"hello\"",
        "0.010200 server sendto(4, \"hello\", 5, MSG_NOSIGNAL, NULL, 0) = 5 <0.000040>",
        "0.010230 A recv \"hello\"",
        "0.010300 server recvfrom(4, \"\", 1024, 0, NULL, NULL) = 0 <0.003000>",
        "0.013200 A close",
        "0.020000 lab end",
    ];

    /// The two phases of a blocking call, told apart by when the bytes were sent; and whoever is
    /// not waited for ends no wait.
    #[test]
    fn a_blocking_recv_waits_and_then_copies() {
        let trace = trace(&BLOCKING);
        let lanes = lanes(&trace);
        let sleep = |call: &str, who| What::Sleep {
            call: call.into(),
            for_what: Awaited::These(vec![who]),
            over: true,
        };
        let a = Who::Client(Client::A);
        let sent = What::Move { call: "send".into(), client: Client::A, bytes: 5 };
        let copy = What::Copy { by_kernel: false };
        let wanted =
            [&sleep("accept", Who::Newcomer), &sleep("recv", a), &copy, &sent, &sleep("recv", a)];
        assert_eq!(whats(&lanes[0]), wanted);
        let meets = meetings(&trace, &lanes);
        let woken = |at| Some(Meets::Wakes { lane: 0, at });
        let answered = Some(Meets::Answered { lane: 0, began: 10_200 });
        let wanted = [woken(3000), Some(Meets::Kept), woken(10_000), answered, woken(13_300)];
        assert_eq!(meets, wanted);
    }

    #[test]
    fn questions_in_a_row_are_counted_and_never_called_sleep() {
        let trace = trace(&[
            "0.000000 server accept4(3, ADDRESS, [128], 0) = -1 EAGAIN (Resource …) <0.000010>",
            "0.000040 server accept4(3, ADDRESS, [128], 0) = -1 EAGAIN (Resource …) <0.000010>",
            "0.000060 A connect",
            "0.000080 server accept4(3, {client A}, [128], 0) = 4 <0.002000>",
            "0.002100 server recvfrom(4, ADDRESS, 1024, 0) = -1 EAGAIN (Resource …) <0.000010>",
            "0.004000 lab end",
        ]);
        let lanes = lanes(&trace);
        let asked =
            |call: &str, count| What::Ask { calls: vec![(call.into(), count)], refused: true };
        let note = Note::Whom(Who::Client(Client::A));
        let accepted = What::Brief { call: "accept".into(), note };
        assert_eq!(whats(&lanes[0]), [&asked("accept", 2), &accepted, &asked("recv", 1)]);
        assert_eq!(meetings(&trace, &lanes), [Some(Meets::Wakes { lane: 0, at: 80 })]);
    }

    #[test]
    fn a_multiplexing_call_says_whom_it_waits_for() {
        let trace = trace(&[
            "0.000000 server epoll_ctl(4, EPOLL_CTL_ADD, 3, {events=EPOLLIN, data=0x1}) = 0 <0.000009>",
            "0.000100 server epoll_wait(4, [{events=EPOLLIN, data=0x1}], 256, -1) = 1 <0.003000>",
            "0.003000 A connect",
            "0.003200 server accept4(3, {client A}, [128], 0) = 5 <0.000020>",
            "0.003300 server epoll_ctl(4, EPOLL_CTL_ADD, 5, {events=EPOLLIN, data=0x2}) = 0 <0.000009>",
            "0.003400 server epoll_wait(4, <unfinished ...>) = ?",
            "0.003500 server.1 pselect6(6, [3 5 7], [], NULL, NULL, NULL <unfinished ...>) = ?",
            "0.003600 server.2 poll([{fd=5, events=POLLIN}, {fd=3, events=POLLIN}], 2, -1) = ?",
            "0.003700 server.3 futex(ADDRESS, FUTEX_WAIT, 0, NULL <unfinished ...>) = ?",
            "0.010000 lab end",
        ]);
        let lanes = lanes(&trace);
        assert_eq!(lanes.len(), 3, "who only waits for other threads is not shown");
        let last = |lane: usize| match whats(&lanes[lane]).pop() {
            Some(What::Sleep { for_what: Awaited::These(whom), over: false, .. }) => whom.clone(),
            other => panic!("not asleep: {other:?}"),
        };
        let (new, a) = (Who::Newcomer, Who::Client(Client::A));
        assert_eq!(last(0), [new, a]);
        assert_eq!(last(1), [new, a, Who::Descriptor(7)]);
        assert_eq!(last(2), [a, new]);
    }

    #[test]
    fn io_uring_copies_before_it_returns() {
        let enter = "io_uring_enter(4, 1, 1, IORING_ENTER_GETEVENTS, NULL, 128) = 1";
        let trace = trace(&[
            &format!("0.000000 server {enter} <0.003000>"),
            "0.002900 A send \"hello\"",
            &format!("0.003100 server {enter} <0.003000>"),
            "0.003150 A recv \"hello\"",
            "0.010000 lab end",
        ]);
        let lanes = lanes(&trace);
        let copies =
            lanes[0].pieces.iter().filter(|piece| piece.what == What::Copy { by_kernel: true });
        assert_eq!(copies.map(|piece| [piece.from, piece.to]).collect::<Vec<_>>(), [[2900, 3000]]);
        let answered = Some(Meets::Answered { lane: 0, began: 3100 });
        assert_eq!(meetings(&trace, &lanes)[1], answered);
    }

    /// The committed traces too: no moment is drawn twice or left out.
    #[test]
    fn the_pieces_of_a_lane_follow_one_another_without_a_gap() {
        let folder = judge::reading::root().join(crate::timeline::TRACES);
        let files = fs::read_dir(folder).expect("the course has traces").flatten();
        let texts = files.map(|file| fs::read_to_string(file.path()).expect("a text"));
        let traces = texts.map(|text| Trace::parse(&text).expect("a trace"));
        let mut seen = 0;
        for trace in traces.chain([trace(&BLOCKING)]) {
            for lane in lanes(&trace) {
                for pair in lane.pieces.windows(2) {
                    assert_eq!(pair[0].to, pair[1].from, "{}: {pair:?}", trace.program);
                }
                assert!(lane.pieces.iter().all(|piece| piece.from <= piece.to));
                assert_eq!(lane.pieces.last().map(|piece| piece.to), Some(trace.end));
                seen += 1;
            }
        }
        assert!(seen > 5);
    }
}
