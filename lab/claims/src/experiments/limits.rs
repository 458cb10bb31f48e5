//! How many clients: where select ends, and the limit on open files, which is something else.

use super::sockets::{here, running};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use judge::check::client::{Client, PATIENCE, drive};
use judge::check::server::Server;
use judge::check::suite::descriptor_limit;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::select::{self, FdSet};
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

pub(super) const FD_SETSIZE: Experiment = Experiment {
    name: "fd_setsize",
    does: [
        "1100 clients for a server on select, and for one on poll",
        "用 select 的服务端来 1100 个客户端，用 poll 的也来 1100 个",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "单个进程能够监视的文件描述符的数量存在最大限制",
            says: ["select can watch a limited number of descriptors, 1024", "（一般为 1024）"],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S0",
            quote: "通过修改宏定义甚至重新编译内核的方式提升",
            says: ["a macro, or a kernel compiled anew, raises it", "这样就能提升限制"],
            verdict: Verdict::Wrong,
        },
    ],
    run: beyond_the_set,
};

pub(super) const DESCRIPTOR_LIMIT: Experiment = Experiment {
    name: "descriptor_limit",
    does: [
        "a hundred clients for servers that may open 64 files (ulimit -n 64)",
        "给只能打开 64 个文件的服务端（ulimit -n 64）来一百个客户端",
    ],
    claims: &[
        Claim {
            note: "S4",
            quote: "单个进程所打开的文件描述符数量是有一定限制的",
            says: ["select's shortcoming: open files are limited", "作为 select 的缺点"],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S0",
            quote: "但是poll没有最大文件描述符数量的限制",
            says: ["poll has no maximum number of descriptors", ""],
            verdict: Verdict::Incomplete,
        },
    ],
    run: few_files,
};

pub(super) const EPOLL_LIMITS: Experiment = Experiment {
    name: "epoll_limits",
    does: [
        "the same hundred clients for epoll, and the kernel's limit on entries",
        "同样的一百个客户端，服务端用 epoll；再看内核对表项的限制",
    ],
    claims: &[
        Claim {
            note: "S1",
            quote: "而epoll是没有这个限制的",
            says: ["epoll has no limit on descriptors", ""],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S4",
            quote: "epoll支持的上限是最大可以打开文件的数目",
            says: ["epoll's limit is the number of open files", ""],
            verdict: Verdict::Incomplete,
        },
    ],
    run: epoll,
};

const FILES: u32 = 64;
const HUNDRED: usize = 100;

fn beyond_the_set() -> Found {
    const MANY: usize = 1100;
    let limit = descriptor_limit();
    if limit < MANY + 100 {
        return Err(Unable::here(
            format!("{MANY} clients are more than fit here: ulimit -n is {limit}"),
            format!("这里容不下 {MANY} 个客户端：ulimit -n 是 {limit}"),
        ));
    }
    let server = running("select", None)?;
    let own = server.descriptors().ok();
    let clients = asked(&server, MANY, PATIENCE)?;
    let served = answered(&clients);
    let turned_away = clients.iter().filter(|client| client.has_ended()).count();
    leave(clients);

    let server = running("poll", None)?;
    let clients = asked(&server, MANY, PATIENCE)?;
    let served_by_poll = answered(&clients);

    // The clients are descriptors too, of this process.
    let highest = clients.iter().map(Client::socket).max_by_key(|socket| socket.as_raw_fd());
    let highest = highest.ok_or_else(|| "no client".to_owned())?;
    let number = highest.as_raw_fd();
    let mut entry = [PollFd::new(highest.as_fd(), PollFlags::POLLOUT)];
    let polled = poll(&mut entry, PollTimeout::ZERO)? == 1 && number > 1023;
    leave(clients);

    let bits = 8 * size_of::<FdSet>();

    let fits = own.is_none_or(|own| own as usize + served == select::FD_SETSIZE);
    let [with, with_zh] = own.map_or([String::new(), String::new()], |own| {
        [format!(", with {own} descriptors of its own,"), format!("自己有 {own} 个描述符，")]
    });
    Ok(vec![
        Finding::new(
            fits && served + turned_away == MANY && turned_away > 0 && served_by_poll == MANY,
            format!(
                "{MANY} clients: select{with} served {served} and turned {turned_away} away; poll \
                 served {served_by_poll}. One descriptor alone, number {number}: poll takes it, a \
                 set has no place for it"
            ),
            format!(
                "{MANY} 个客户端：select {with_zh}服务了 {served} 个，谢绝了 {turned_away} 个；poll \
                 服务了 {served_by_poll} 个。单独一个编号 {number} 的描述符：poll 接受，集合里没有它的位置"
            ),
        ),
        Finding::new(
            bits == select::FD_SETSIZE && polled,
            format!(
                "fd_set is a type of {bits} bits in the C library, and every program is compiled \
                 with it; the kernel itself takes descriptor {number} (poll)"
            ),
            format!(
                "fd_set 是 C 库里一个 {bits} 位的类型，程序编译时就定了；内核本身接受描述符 {number}（poll）"
            ),
        ),
    ])
}

fn few_files() -> Found {
    let served = |program: &str| {
        let server = running(program, Some(FILES))?;
        Ok::<_, Unable>((program.to_owned(), served_with_few(&server)?))
    };
    let programs = ["select", "poll", "epoll"].into_iter().filter(|name| here(name));
    let served = programs.map(served).collect::<Result<Vec<_>, _>>()?;
    let full = served.iter().all(|(_, count)| (1..FILES as usize).contains(count));
    let list: Vec<_> = served.iter().map(|(name, count)| format!("{name} {count}")).collect();

    let limit = descriptor_limit();
    let (entries, einval) = match poll_entries(limit)? {
        Some(einval) => (
            [
                format!("; here ({limit}) a list of {limit} is taken, of {}: {einval}", limit + 1),
                format!("；这里（{limit}）{limit} 项的列表可以，{} 项：{einval}", limit + 1),
            ],
            einval == "EINVAL",
        ),
        None => ([String::new(), String::new()], true),
    };
    let poll = served.iter().find(|(name, _)| name == "poll").map_or(0, |(_, count)| *count);
    Ok(vec![
        Finding::new(
            full,
            format!("served of {HUNDRED} with {FILES} descriptors: {}", list.join(", ")),
            format!("{FILES} 个描述符，{HUNDRED} 个客户端，服务了：{}", list.join("、")),
        ),
        Finding::new(
            full && einval,
            format!("with {FILES} descriptors {poll} of {HUNDRED} clients{}", entries[0]),
            format!("{FILES} 个描述符时，{HUNDRED} 个客户端服务了 {poll} 个{}", entries[1]),
        ),
    ])
}

fn epoll() -> Found {
    if !here("epoll") {
        return Err(Unable::here("this system has no epoll", "这个系统没有 epoll"));
    }
    let Ok(watches) = fs::read_to_string("/proc/sys/fs/epoll/max_user_watches") else {
        return Err(Unable::here(
            "the kernel's limit on entries is not seen here",
            "在这里看不到内核对表项的限制",
        ));
    };
    let watches = watches.trim();
    let limited = watches.parse::<u64>().is_ok_and(|watches| watches > 0);
    let server = running("epoll", Some(FILES))?;
    let served = served_with_few(&server)?;
    Ok(vec![
        Finding::new(
            (1..FILES as usize).contains(&served),
            format!("with {FILES} descriptors it served {served} of {HUNDRED}"),
            format!("{FILES} 个描述符，{HUNDRED} 个客户端，服务了 {served} 个"),
        ),
        Finding::new(
            limited && (1..FILES as usize).contains(&served),
            format!("{FILES} files: {served} clients; and a limit on entries: {watches} a user"),
            format!("{FILES} 个文件：{served} 个客户端；此外还有表项的上限：每个用户 {watches}"),
        ),
    ])
}

/// Whether poll takes a list of as many entries as descriptors are allowed, and what it says to one
/// more: all of them the same socket. `None`: the limit is too high for a list, or not Linux's.
fn poll_entries(limit: usize) -> Result<Option<String>, Unable> {
    const LONGEST: usize = 1 << 20;
    if limit > LONGEST || !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let socket = super::sockets::listener()?;
    let mut entries = vec![PollFd::new(socket.as_fd(), PollFlags::POLLIN); limit + 1];
    poll(&mut entries[..limit], PollTimeout::ZERO)?;
    Ok(Some(match poll(&mut entries, PollTimeout::ZERO) {
        Err(Errno::EINVAL) => "EINVAL".to_owned(),
        other => format!("{other:?}"),
    }))
}

/// Where some are left waiting by design: when nobody has been answered for so long, nobody else
/// will be.
const QUIET: Duration = Duration::from_millis(300);

/// Clients that have asked, and have been answered or turned away, unless nothing came for `quiet`.
fn asked(server: &Server, count: usize, quiet: Duration) -> Result<Vec<Client>, Unable> {
    let mut clients = server.clients(count)?;
    for client in &mut clients {
        client.ask(1);
    }
    let began = Instant::now();
    let done = |client: &Client| client.is_answered() || client.has_ended();
    loop {
        let before = clients.iter().filter(|client| done(client)).count();
        let until = Instant::now() + quiet;
        drive(&mut clients, |client| done(client) || Instant::now() > until)?;
        let now = clients.iter().filter(|client| done(client)).count();
        if now == count || (now == before && (now > 0 || began.elapsed() > PATIENCE)) {
            return Ok(clients);
        }
    }
}

/// How many of a hundred are served.
fn served_with_few(server: &Server) -> Result<usize, Unable> {
    let clients = asked(server, HUNDRED, QUIET)?;
    let served = answered(&clients);
    leave(clients);
    Ok(served)
}

/// With a reset: a thousand that leave in good order would hold their ports for a minute.
fn leave(clients: Vec<Client>) {
    clients.into_iter().for_each(Client::reset);
}

fn answered(clients: &[Client]) -> usize {
    clients.iter().filter(|client| client.is_answered()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_ends_at_1023() {
        crate::experiments::confirm_where_seen(&FD_SETSIZE);
    }

    #[test]
    fn the_limit_on_files_binds_every_model() {
        crate::experiments::confirm(&DESCRIPTOR_LIMIT);
        crate::experiments::confirm(&EPOLL_LIMITS);
    }

    #[test]
    fn one_entry_more_than_descriptors_is_refused() {
        let refused = poll_entries(descriptor_limit())
            .is_ok_and(|einval| einval.is_none_or(|einval| einval == "EINVAL"));
        assert!(refused);
    }
}
