//! What it costs to ask about many sockets of which one is ready, and how little of it is copying.
//!
//! The sockets are UDP: an idle one needs one descriptor and nobody at its other end, so that a
//! thousand allowed descriptors go further.

use super::looks::{cost, micros};
use super::sockets::selectable;
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use judge::check::suite::descriptor_limit;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::select::{FD_SETSIZE, FdSet, select};
use nix::sys::time::{TimeVal, TimeValLike};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

pub(super) const IDLE_COST: Experiment = Experiment {
    name: "idle_cost",
    does: [
        "one look at many sockets, one of them ready: select, poll, epoll_wait",
        "许多套接字里有一个就绪，看一遍要多久：select、poll、epoll_wait",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "调用select()会对所有socket进行一次线性扫描",
            says: ["select scans all sockets", ""],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S4",
            quote: "套接字数量多时浪费很多CPU时间",
            says: ["with many sockets select wastes CPU time", "（说的是 select）"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S0",
            quote: "它的开销随着文件描述符数量的增加而线性增大",
            says: [
                "(poll copies the whole array) its cost grows in proportion to the descriptors",
                "（说的是 poll 拷贝整个数组）",
            ],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S3",
            quote: "在对象数量庞大的情况下是个效率的瓶颈。所以后来有了epoll",
            says: ["many objects are a bottleneck, hence epoll", "（说的是 select 的遍历）"],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S1",
            quote: "epoll 进行 fd 扫描的地方",
            says: ["epoll_wait is where epoll scans the descriptors", "（说的是 epoll_wait）"],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S2",
            quote: "比如100个连接,有两个活跃了",
            says: [
                "of 100 connections, epoll names the two that are active; select goes through all",
                "epoll 直接报出这两个，select 是循环一遍",
            ],
            verdict: Verdict::Right,
        },
        Claim {
            note: "S2",
            quote: "当需要探测的句柄值较大时",
            says: [
                "large handle values make select slow",
                "句柄值一大，select 就要耗费大量时间轮询",
            ],
            verdict: Verdict::Incomplete,
        },
    ],
    run: idle_cost,
};

pub(super) const COPYING_OR_ASKING: Experiment = Experiment {
    name: "copying_or_asking",
    does: [
        "the same look with empty sets, nobody to ask: what remains is the copying",
        "同样看一遍，但集合是空的，没有套接字要询问：剩下的就是拷贝",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "其复制的开销也线性增长",
            says: ["the cost of copying select's sets grows with them", "（说的是 select 的集合）"],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S4",
            quote: "用户空间和内核空间在传递该结构时复制开销大",
            says: ["handing the structure to the kernel costs much copying", ""],
            verdict: Verdict::Incomplete,
        },
    ],
    run: copying_or_asking,
};

/// As many as a select can be asked about while other descriptors are open too.
const SELECTABLE: usize = 500;
/// What this process has open besides.
const SPARE: usize = 100;

/// Sockets that nobody sends anything to, and two with a datagram waiting.
struct Sockets {
    ready: Vec<UdpSocket>,
    idle: Vec<Socket>,
}

impl Sockets {
    /// At most this many idle ones, as far as descriptors are allowed.
    fn open(most: usize) -> Result<Self, Unable> {
        let idle = most.min(descriptor_limit().saturating_sub(SPARE));
        if idle < SELECTABLE {
            return Err(Unable::here(
                format!("fewer than {} descriptors are allowed here", SELECTABLE + SPARE),
                format!("这里允许的描述符不到 {} 个", SELECTABLE + SPARE),
            ));
        }
        let ready = (0..2).map(|_| with_a_datagram()).collect::<io::Result<_>>()?;
        let open = |_| Socket::new(Domain::IPV4, Type::DGRAM, None);
        Ok(Self { ready, idle: (0..idle).map(open).collect::<io::Result<_>>()? })
    }

    /// Those that a look is about: some idle ones, and the last of all is ready.
    fn some(&self, idle: usize) -> Vec<BorrowedFd<'_>> {
        let idle = self.idle[..idle].iter().map(AsFd::as_fd);
        idle.chain([self.ready[0].as_fd()]).collect()
    }
}

fn with_a_datagram() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.send_to(b"!", socket.local_addr()?)?;
    Ok(socket)
}

/// The set, and the first argument of a select on it.
fn set<'fd>(sockets: &[BorrowedFd<'fd>]) -> Result<(FdSet<'fd>, RawFd), Unable> {
    let mut set = FdSet::new();
    let mut numbers = 0;
    for socket in sockets {
        selectable(socket)?;
        set.insert(*socket);
        numbers = numbers.max(socket.as_raw_fd() + 1);
    }
    Ok((set, numbers))
}

/// Microseconds of a select that does not wait. It overwrites its set, so each call gets a copy.
fn select_cost(sockets: &[BorrowedFd<'_>]) -> Result<f64, Unable> {
    let (asked, numbers) = set(sockets)?;
    Ok(cost(|| {
        let mut set = asked;
        select(numbers, &mut set, None, None, &mut TimeVal::zero())
    })?)
}

fn poll_cost(sockets: &[BorrowedFd<'_>]) -> Result<f64, Unable> {
    let mut entries: Vec<_> =
        sockets.iter().map(|socket| PollFd::new(*socket, PollFlags::POLLIN)).collect();
    Ok(cost(|| poll(&mut entries, PollTimeout::ZERO))?)
}

/// The same for epoll_wait, and how many events it brought.
#[cfg(target_os = "linux")]
fn epoll_cost(sockets: &[BorrowedFd<'_>]) -> Result<(f64, usize), Unable> {
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (token, socket) in (0..).zip(sockets) {
        epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
    }
    let mut events = [EpollEvent::empty(); 16];
    let count = epoll.wait(&mut events, EpollTimeout::ZERO)?;
    Ok((cost(|| epoll.wait(&mut events, EpollTimeout::ZERO))?, count))
}

#[cfg(not(target_os = "linux"))]
fn epoll_cost(_sockets: &[BorrowedFd<'_>]) -> Result<(f64, usize), Unable> {
    Err(Unable::here("this system has no epoll", "这个系统没有 epoll"))
}

fn idle_cost() -> Found {
    let sockets = Sockets::open(10_000)?;
    let many = sockets.idle.len();
    // Numbers small enough for select first: the others are asked about more of them.
    let select = by_idle([10, 100, SELECTABLE], |idle| select_cost(&sockets.some(idle)))?;
    let poll = by_idle([10, 100, many], |idle| poll_cost(&sockets.some(idle)))?;
    let epoll = by_idle([10, SELECTABLE, many], |idle| Ok(epoll_cost(&sockets.some(idle))?.0))?;

    let flat = epoll[2].1 < 3.0 * epoll[0].1;
    let times = [epoll[0].1, epoll[2].1].map(micros);
    let (of_select, of_epoll) = (select[2].1, epoll[1].1);
    let (select_time, epoll_time) = (micros(of_select), micros(of_epoll));
    Ok(vec![
        in_proportion("select", &select),
        Finding::new(
            of_select > 4.0 * of_epoll,
            format!("{SELECTABLE} idle, one look: select {select_time}, epoll_wait {epoll_time}"),
            format!("{SELECTABLE} 个空闲，看一遍：select {select_time}，epoll_wait {epoll_time}"),
        ),
        in_proportion("poll", &poll),
        Finding::new(
            flat,
            format!("epoll_wait, by idle sockets: {}", listed(&epoll)),
            format!("epoll_wait，按空闲套接字的个数：{}", listed_zh(&epoll)),
        ),
        Finding::new(
            flat,
            format!("it does not: {} with 10 idle sockets, {} with {many}", times[0], times[1]),
            format!("它并不扫描：10 个空闲套接字时 {}，{many} 个时 {}", times[0], times[1]),
        ),
        two_of_a_hundred(&sockets)?,
        number_or_count(&sockets, of_select)?,
    ])
}

/// The cost beside each of these numbers of idle sockets.
fn by_idle(
    idle: [usize; 3],
    cost: impl Fn(usize) -> Result<f64, Unable>,
) -> Result<[(usize, f64); 3], Unable> {
    let [few, more, most] = idle;
    Ok([(few, cost(few)?), (more, cost(more)?), (most, cost(most)?)])
}

/// With n times as many the time is n times as long, less what each call costs anyway.
fn in_proportion(call: &str, measured: &[(usize, f64); 3]) -> Finding {
    let [_, (fewer, short), (more, long)] = measured;
    let each = (long - short) / (more - fewer) as f64 * 1000.0;
    // What no longer fits into the CPU's cache costs some times as much, and the more the others
    // on a busy machine take of that cache (12 times was seen); a square would be a hundred times.
    let proportion = long / short / (*more as f64 / *fewer as f64);
    let grows = (0.5..30.0).contains(&proportion);
    Finding::new(
        grows,
        format!("{call}, by idle sockets: {}; {each:.0} ns for each", listed(measured)),
        format!("{call}，按空闲套接字的个数：{}；每个 {each:.0} ns", listed_zh(measured)),
    )
}

fn listed(measured: &[(usize, f64)]) -> String {
    let listed: Vec<_> =
        measured.iter().map(|(idle, time)| format!("{idle}: {}", micros(*time))).collect();
    listed.join(", ")
}

fn listed_zh(measured: &[(usize, f64)]) -> String {
    listed(measured).replace(": ", "：").replace(", ", "，")
}

fn two_of_a_hundred(sockets: &Sockets) -> Result<Finding, Unable> {
    let mut hundred = sockets.some(98);
    hundred.push(sockets.ready[1].as_fd());
    let select = select_cost(&hundred)?;
    let (epoll, told) = epoll_cost(&hundred)?;
    let (select_time, epoll_time) = (micros(select), micros(epoll));
    Ok(Finding::new(
        told == 2 && select > 1.5 * epoll,
        format!(
            "100, two ready: epoll_wait returned {told}, in {epoll_time}; select {select_time}"
        ),
        format!("100 个，两个就绪：epoll_wait 返回 {told} 个，{epoll_time}；select {select_time}"),
    ))
}

fn number_or_count(sockets: &Sockets, many: f64) -> Result<Finding, Unable> {
    let highest = sockets.idle.iter().rev().find(|&socket| selectable(socket).is_ok());
    let highest = highest.ok_or_else(|| "no descriptor for select".to_owned())?;
    let number = highest.as_raw_fd();
    let low = select_cost(&[sockets.ready[0].as_fd()])?;
    let high = select_cost(&[highest.as_fd()])?;
    let (low_time, high_time, many_time) = (micros(low), micros(high), micros(many));
    Ok(Finding::new(
        many > 4.0 * high,
        format!(
            "one descriptor, number {}: {low_time}; one, number {number}: {high_time}; \
             {SELECTABLE} of them: {many_time}",
            sockets.ready[0].as_raw_fd()
        ),
        format!(
            "一个描述符，{} 号：{low_time}；一个，{number} 号：{high_time}；\
             {SELECTABLE} 个：{many_time}",
            sockets.ready[0].as_raw_fd()
        ),
    ))
}

fn copying_or_asking() -> Found {
    let sockets = Sockets::open(SELECTABLE)?;
    const FEW: usize = 64;
    let (few, whole) = (empty_sets_cost(FEW)?, empty_sets_cost(FD_SETSIZE)?);
    let asked = select_cost(&sockets.some(SELECTABLE))?;
    let per_number = (whole - few) / (FD_SETSIZE - FEW) as f64;
    let per_socket = asked / SELECTABLE as f64;
    let share = 100.0 * whole / asked;
    let sizes = [(FEW, few), (FD_SETSIZE, whole)];
    let (by_size, by_size_zh) = (listed(&sizes), listed_zh(&sizes));
    let (whole, asked) = (micros(whole), micros(asked));
    Ok(vec![
        Finding::new(
            per_number * 10.0 < per_socket,
            format!(
                "three empty sets, by their size: {by_size}; it grows, by {:.1} ns for each number. \
                 Asking a socket takes {:.0} ns",
                per_number * 1000.0,
                per_socket * 1000.0
            ),
            format!(
                "三个空集合，按位数：{by_size_zh}；确实在增长，每个编号 {:.1} ns，而询问一个套接字要 {:.0} ns",
                per_number * 1000.0,
                per_socket * 1000.0
            ),
        ),
        Finding::new(
            share < 33.0,
            format!(
                "three whole sets in and out, empty: {whole}; {SELECTABLE} sockets asked: \
                 {asked}. The copying is at most {share:.0} % of it"
            ),
            format!(
                "三个集合整个拷进拷出，都是空的：{whole}；询问 {SELECTABLE} 个套接字：{asked}。\
                 拷贝至多占 {share:.0}%"
            ),
        ),
    ])
}

/// A select on sets in which nobody is: they are copied in and out, and nobody is asked.
fn empty_sets_cost(numbers: usize) -> Result<f64, Unable> {
    let numbers = RawFd::try_from(numbers).expect("at most FD_SETSIZE");
    Ok(cost(|| {
        let [mut readable, mut writable, mut exceptional] = [FdSet::new(); 3];
        select(numbers, &mut readable, &mut writable, &mut exceptional, &mut TimeVal::zero())
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::confirm_where_seen;

    #[test]
    fn select_and_poll_cost_as_many_as_they_ask_and_epoll_does_not() {
        confirm_where_seen(&IDLE_COST);
    }

    #[test]
    fn asking_is_dearer_than_copying() {
        confirm_where_seen(&COPYING_OR_ASKING);
    }

    #[test]
    fn what_does_not_grow_is_not_in_proportion() {
        assert!(in_proportion("select", &[(10, 0.5), (100, 3.0), (500, 14.0)]).agrees);
        assert!(!in_proportion("epoll_wait", &[(10, 0.1), (100, 0.1), (500, 0.1)]).agrees);
    }
}
