//! Many clients, few descriptors, and nothing to do.

use crate::check::client::{Client, drive};
use crate::check::meanwhile::counted;
use crate::check::server::{Start, with_server, with_server_started};
use crate::check::subject::{Fault, Gives, Seen, Subject, short, unseen};
use crate::language::said;
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
            said!(
                " (fewer than {WANTED}: this system allows no more descriptors here)",
                "（不足 {WANTED} 个：系统在这里不允许更多描述符）"
            )
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
        let seen = said!(
            "{count} clients at once{fewer}: {} answered",
            "{count} 个客户端同时连接{fewer}：{} 个得到回复",
            answered(&clients)
        );
        let turned = said!("{seen}, {turned_away} turned away", "{seen}，{turned_away} 个被拒绝");
        if let Err(fault) = driven {
            return Err(fault.after(said!("{turned}, others", "{turned}，其余的")));
        }
        if turned_away > 0 {
            return short(turned);
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
                Err(fault) if clients.is_empty() || matches!(fault, Fault::Unseen(_)) => {
                    return Err(fault);
                }
                Err(_) => break,
            }
        }
        let connected = clients.len();
        for client in &mut clients {
            client.ask(1);
        }
        // Nobody says when the last of those that can be answered has been: look until no more
        // come.
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
        let rest = rest.map_err(|fault| fault.after(said!("at the limit", "描述符用完时")))?;
        let (mut served, mut waiting): (Vec<_>, Vec<_>) =
            clients.into_iter().filter(|c| !c.has_ended()).partition(Client::is_answered);
        let turned_away = connected - served.len() - waiting.len();
        let seen = said!(
            "{FILES} descriptors, {connected} clients: {} served, {} left waiting, \
             {turned_away} turned away, {rest}",
            "{FILES} 个描述符，{connected} 个客户端：{} 个得到服务，{} 个在等待，\
             {turned_away} 个被拒绝，{rest}",
            served.len(),
            waiting.len()
        );
        if served.is_empty() {
            return short(seen);
        }
        for client in &mut served {
            client.exchange(1).map_err(|fault| {
                fault.after(said!("{seen}; one of those served", "{seen}；已得到服务的一个"))
            })?;
        }
        // No more are left waiting than descriptors become free, with one for a client to come: the
        // server may have been started with some that it cannot close.
        let leaving = served.len().saturating_sub(5);
        served.truncate(5);
        waiting.truncate(leaving.saturating_sub(1));
        let left = said!("{seen}; most left", "{seen}；大多数断开后");
        drive(&mut waiting, |client| client.is_answered() || client.has_ended()).map_err(
            |fault| fault.after(said!("{left}, but one of those waiting", "{left}，等待中的一个")),
        )?;
        // A new client may be turned away until the server has closed those that left.
        let ask = || server.client().and_then(|mut client| client.exchange(1));
        if soon(Duration::from_secs(2), || ask().ok()).is_none() {
            ask().map_err(|fault| {
                fault.after(said!("{left}, but a new one", "{left}，新来的一个"))
            })?;
        }
        Ok(said!("{left}: the others were served", "{left}，其余的都得到服务"))
    })
}

/// epoll_ctl fails with ENOSPC for the first client, as at the limit `fs.epoll.max_user_watches`,
/// which belongs to the whole machine and is not ours to lower.
pub(super) fn refused_watch(subject: &Subject) -> Seen {
    const STRACE: &[&str] = &["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=epoll_ctl"];
    if !subject.ours {
        return unseen(said!(
            "not asked: which of its calls would register a client is not known",
            "未检查：不知道它用哪一次调用注册客户端"
        ));
    }
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let trial = || run(&words(&[STRACE, &["true"]].concat()), Duration::from_secs(10));
    if !cfg!(target_os = "linux") || !matches!(trial(), Ok(done) if done.status == Some(0)) {
        return unseen(said!(
            "a call that fails is not seen here without Linux's strace",
            "没有 Linux 的 strace，这里无法让某次调用失败"
        ));
    }
    let refuse = format!("inject=epoll_ctl:error=ENOSPC:when={}", subject.registers.call);
    let mut traced = subject.clone();
    traced.command.splice(0..0, words(&[STRACE, &["-e", &refuse]].concat()));
    traced.command.extend(words(subject.registers.with));
    with_server(&traced, |server| {
        let mut turned_away = false;
        // Where it is not the first client that is refused, it is the second.
        for _ in 0..2 {
            let mut clients = [server.client()?];
            clients[0].ask(1);
            let decided = drive(&mut clients, |client| client.is_answered() || client.has_ended());
            decided.map_err(|fault| {
                fault.after(said!(
                    "the client that the kernel refuses to watch",
                    "内核拒绝关注的那个客户端"
                ))
            })?;
            turned_away |= clients[0].has_ended();
        }
        let next = server.client()?.exchange(1);
        next.map_err(|fault| fault.after(said!("the next client", "下一个客户端")))?;
        Ok(if turned_away {
            said!(
                "the kernel refuses to watch a client: turned away, and the next one served",
                "内核拒绝关注一个客户端：谢绝了它，下一个得到服务"
            )
        } else {
            said!("served: it registers no client with epoll", "照常服务：它不用 epoll 注册客户端")
        })
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
        shut.map_err(|error| said!("half-close: {error}", "半关闭：{error}"))?;
        drop(gone);
        reset.reset();
        let rest = server.rests(5.0, Duration::from_secs(1))?;
        Ok(said!(
            "10 idle clients, two that never read (one half-closed), two gone: {rest}",
            "10 个空闲连接，两个从不读取（其中一个已半关闭），两个已断开：{rest}"
        ))
    })
}

pub(super) fn asleep_in(subject: &Subject) -> Seen {
    with_server(subject, |server| {
        let mut client = server.client()?;
        if subject.gives >= Gives::AnswersOne {
            client.exchange(1)?;
        }
        let Some(calls) = server.asleep(Duration::from_secs(5)) else {
            return unseen(said!(
                "the system call it sleeps in is not seen here",
                "这里看不到它阻塞在哪个系统调用上"
            ));
        };
        let seen = match calls.as_slice() {
            [first] => said!("idle, it sleeps in {first}", "空闲时阻塞在 {first} 上"),
            [first, others @ ..] => said!(
                "idle, it sleeps in {first}, its other threads in {}",
                "空闲时阻塞在 {first} 上，其余线程在 {} 上",
                counted(others)
            ),
            [] => return unseen(said!("no thread is seen", "看不到线程")),
        };
        let expected = subject.asleep_in;
        if calls.contains(&"running".to_owned()) {
            return short(said!("idle, and it never sleeps", "空闲时从不阻塞"));
        }
        if expected.is_empty() || expected.contains(&calls[0].as_str()) {
            return Ok(seen);
        }
        short(said!("{seen}; expected {}", "{seen}；应为 {}", expected.join(" / ")))
    })
}

/// How many descriptors this process may have, after asking for as many as it can get. The servers
/// it starts inherit that.
#[cfg(not(target_os = "solaris"))]
pub fn descriptor_limit() -> usize {
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
pub fn descriptor_limit() -> usize {
    256
}
