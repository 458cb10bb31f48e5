//! Many clients, few descriptors, and nothing to do.

use crate::check::client::{Client, drive};
use crate::check::server::{Start, with_server, with_server_started};
use crate::check::subject::{Gives, Seen, Subject, short, unseen};
use crate::process::{run, soon};
#[cfg(not(target_os = "solaris"))]
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use std::ffi::OsString;
use std::time::Duration;

pub(super) fn many_clients(subject: &Subject) -> Seen {
    const WANTED: usize = 1100;
    with_server(subject, |server| {
        // A few for everything else that this process has open.
        let count = WANTED.min(descriptor_limit().saturating_sub(100));
        let fewer = if count < WANTED {
            format!(" (fewer than {WANTED}: this system allows no more descriptors here)")
        } else {
            String::new()
        };
        let mut clients = server.clients(count)?;
        for client in &mut clients {
            client.ask(1);
        }
        let answered = |clients: &[Client]| clients.iter().filter(|c| c.is_answered()).count();
        // One turned away has its say in the sum, not in an early end.
        let driven = drive(&mut clients, |client| client.is_answered() || client.has_ended());
        let turned_away = clients.iter().filter(|c| c.has_ended() && !c.is_answered()).count();
        let seen = format!("{count} clients at once{fewer}: {} answered", answered(&clients));
        if let Err(why) = driven {
            return short(format!("{seen}, {turned_away} turned away, others: {why}"));
        }
        if turned_away > 0 {
            return short(format!("{seen}, {turned_away} turned away"));
        }
        if count <= 1024 { unseen(seen) } else { Ok(seen) }
    })
}

pub(super) fn out_of_descriptors(subject: &Subject) -> Seen {
    const FILES: u32 = 64;
    const CLIENTS: usize = 100;
    let start = Start { files: Some(FILES), ..Start::default() };
    with_server_started(subject, start, |server| {
        let mut clients: Vec<Client> = Vec::new();
        while clients.len() < CLIENTS {
            // A short accept queue is full when nobody accepts: then that is as many as can come.
            match server.client_within(Duration::from_secs(2)) {
                Ok(client) => clients.push(client),
                Err(why) if clients.is_empty() => return short(why),
                Err(_) => break,
            }
        }
        let connected = clients.len();
        for client in &mut clients {
            client.ask(1);
        }
        // Nobody says when the last of those that can be answered has been: look until no more come.
        let mut before = 0;
        let quiet = Duration::from_millis(300);
        loop {
            let until = std::time::Instant::now() + quiet;
            drive(&mut clients, |client| {
                client.is_answered() || client.has_ended() || std::time::Instant::now() > until
            })?;
            let now = clients.iter().filter(|client| client.is_answered()).count();
            if now == before {
                break;
            }
            before = now;
        }
        let rest = server.rests(20.0, Duration::from_secs(1));
        let rest = rest.map_err(|fault| fault.after("at the limit"))?;
        let (mut served, mut waiting): (Vec<_>, Vec<_>) =
            clients.into_iter().filter(|c| !c.has_ended()).partition(Client::is_answered);
        let turned_away = connected - served.len() - waiting.len();
        let seen = format!(
            "{FILES} descriptors, {connected} clients: {} served, {} left waiting, \
             {turned_away} turned away, {rest}",
            served.len(),
            waiting.len()
        );
        if served.is_empty() {
            return short(seen);
        }
        for client in &mut served {
            client.exchange(1).map_err(|why| format!("{seen}; one of those served: {why}"))?;
        }
        // No more are left waiting than descriptors become free, with one for a client to come: the
        // server may have been started with some that it cannot close.
        let leaving = served.len().saturating_sub(5);
        served.truncate(5);
        waiting.truncate(leaving.saturating_sub(1));
        drive(&mut waiting, |client| client.is_answered() || client.has_ended())
            .map_err(|why| format!("{seen}; most left, but one of those waiting: {why}"))?;
        // A new client may be turned away until the server has closed those that left.
        let ask = || server.client().and_then(|mut client| client.exchange(1));
        if soon(Duration::from_secs(2), || ask().ok()).is_none() {
            ask().map_err(|why| format!("{seen}; most left, but a new one: {why}"))?;
        }
        Ok(format!("{seen}; most left: the others were served"))
    })
}

/// epoll_ctl fails with ENOSPC for the first client, as at the limit `fs.epoll.max_user_watches`,
/// which belongs to the whole machine and is not ours to lower.
pub(super) fn refused_watch(subject: &Subject) -> Seen {
    // The first call registers the listener, the second one the client.
    const STRACE: &[&str] = &["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=epoll_ctl"];
    const REFUSE: &[&str] = &["-e", "inject=epoll_ctl:error=ENOSPC:when=2"];
    if !subject.ours {
        return unseen("not asked: which of its calls would register a client is not known");
    }
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let trial = || run(&words(&[STRACE, &["true"]].concat()), Duration::from_secs(10));
    if !cfg!(target_os = "linux") || !matches!(trial(), Ok(done) if done.status == Some(0)) {
        return unseen("a call that fails is not seen here without Linux's strace");
    }
    let mut traced = subject.clone();
    traced.command.splice(0..0, words(&[STRACE, REFUSE].concat()));
    with_server(&traced, |server| {
        let mut clients = [server.client()?];
        clients[0].ask(1);
        drive(&mut clients, |client| client.is_answered() || client.has_ended())
            .map_err(|why| format!("the client that the kernel refuses to watch: {why}"))?;
        let turned_away = clients[0].has_ended();
        server.client()?.exchange(1).map_err(|why| format!("the next client: {why}"))?;
        Ok(if turned_away {
            "the kernel refuses to watch a client: turned away, and the next one served"
        } else {
            "served: it registers no client with epoll"
        }
        .into())
    })
}

pub(super) fn idle_cpu(subject: &Subject) -> Seen {
    with_server(subject, |server| {
        let answers = subject.gives == Gives::Answers;
        let mut idle = server.clients(10)?;
        let mut unread = server.client()?;
        let mut half_closed = server.client()?;
        let mut gone = server.client()?;
        let reset = server.client()?;
        if answers {
            idle.iter_mut().try_for_each(|client| client.exchange(1).map(drop))?;
            gone.exchange(1)?;
            // As much as the system takes, and no answer read: the server cannot finish with these.
            for client in [&mut unread, &mut half_closed] {
                client.window = u64::MAX;
                client.push(64 << 20)?;
            }
        }
        let shut = half_closed.socket().shutdown(std::net::Shutdown::Write);
        shut.map_err(|error| format!("half-close: {error}"))?;
        drop(gone);
        reset.reset();
        let rest = server.rests(5.0, Duration::from_secs(1))?;
        Ok(format!("10 idle clients, two that never read (one half-closed), two gone: {rest}"))
    })
}

pub(super) fn asleep_in(subject: &Subject) -> Seen {
    with_server(subject, |server| {
        let mut client = server.client()?;
        if subject.gives >= Gives::AnswersOne {
            client.exchange(1)?;
        }
        let Some(calls) = server.asleep(Duration::from_secs(5)) else {
            return unseen("the system call it sleeps in is not seen here");
        };
        let seen = match calls.as_slice() {
            [first] => format!("idle, it sleeps in {first}"),
            [first, others @ ..] => {
                let mut kinds = others.to_vec();
                kinds.sort();
                kinds.dedup();
                let count = |kind: &String| others.iter().filter(|&other| other == kind).count();
                let kinds = kinds.iter().map(|kind| format!("{kind} ({})", count(kind)));
                let kinds = kinds.collect::<Vec<_>>().join(", ");
                format!("idle, it sleeps in {first}, its other threads in {kinds}")
            }
            [] => return unseen("no thread is seen"),
        };
        let expected = subject.asleep_in;
        if calls.contains(&"running".to_owned()) {
            return short("idle, and it never sleeps");
        }
        if expected.is_empty() || expected.contains(&calls[0].as_str()) {
            return Ok(seen);
        }
        short(format!("{seen}; expected {}", expected.join(" or ")))
    })
}

/// How many descriptors this process may have, after asking for as many as it can get. The servers
/// it starts inherit that.
#[cfg(not(target_os = "solaris"))]
pub(crate) fn descriptor_limit() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 0;
    };
    // macOS says "no limit" and refuses more than OPEN_MAX.
    let wishes: [rlim_t; 2] = [hard, hard.min(10_240)];
    let got = wishes
        .into_iter()
        .filter(|&wish| wish > soft)
        .find(|&wish| setrlimit(Resource::RLIMIT_NOFILE, wish, hard).is_ok())
        .unwrap_or(soft);
    usize::try_from(got).unwrap_or(usize::MAX)
}

/// nix has no getrlimit for Solaris: its usual limit.
#[cfg(target_os = "solaris")]
pub(crate) fn descriptor_limit() -> usize {
    256
}
