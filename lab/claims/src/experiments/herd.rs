//! Several loops for one port: whom a new client wakes, which loop gets it, and what becomes of
//! those who come to a loop that is stuck.

use super::{Claim, Experiment, Verdict};

pub(super) const HERD: Experiment = Experiment {
    name: "herd",
    does: [
        "200 clients for four loops, one after the other: who wakes up, who gets them; a loop \
         stopped; a listener closed; one epoll for four threads",
        "四个循环，200 个客户端逐个到来：谁被唤醒，归谁；停住一个循环；关闭一个监听套接字；四个线程共用一个 \
         epoll",
    ],
    claims: &[
        Claim::asked(
            ["the thundering herd: is it still there?", "惊群还存在吗？"],
            Verdict::Question,
        ),
        Claim::asked(
            [
                "EPOLLEXCLUSIVE spreads the clients over the loops",
                "EPOLLEXCLUSIVE 会把客户端均分给各个循环",
            ],
            Verdict::Wrong,
        ),
        Claim::asked(
            [
                "SO_REUSEPORT: when one loop is stuck, the others take its clients",
                "SO_REUSEPORT：一个循环卡住了，客户端由别的循环接走",
            ],
            Verdict::Wrong,
        ),
        Claim::asked(
            [
                "SO_REUSEPORT: when one listener is closed, those who wait there go to another",
                "SO_REUSEPORT：一个监听套接字关闭了，排在那里的客户端会转给另一个",
            ],
            Verdict::Wrong,
        ),
        Claim::asked(
            [
                "one epoll for several threads: edge-triggered, only one thread is told",
                "几个线程共用一个 epoll：只要用边缘触发，就只有一个线程得到通知",
            ],
            Verdict::Wrong,
        ),
        Claim::asked(
            [
                "EPOLLONESHOT: one thread at a time for each client",
                "EPOLLONESHOT：一个客户端同一时刻只归一个线程",
            ],
            Verdict::Right,
        ),
    ],
    run: linux::run,
};

#[cfg(target_os = "linux")]
mod linux {
    use crate::experiments::sockets::PATIENCE;
    use crate::experiments::{one_epoll, own_port, threads};
    use crate::measure::Target;
    use crate::{Finding, Found, Unable};
    use judge::check::server::Server;
    use judge::check::suite::descriptor_limit;
    use judge::dial;
    use judge::process::{observe, soon};
    use std::fs;
    use std::net::TcpStream;

    /// How many loops, and how many clients.
    pub(in crate::experiments) const LOOPS: usize = 4;
    pub(in crate::experiments) const CLIENTS: usize = 200;

    pub(super) fn run() -> Found {
        if descriptor_limit() < CLIENTS + 100 {
            return Err(Unable::here(
                format!("fewer than {} descriptors are allowed here", CLIENTS + 100),
                format!("这里允许的描述符不到 {} 个", CLIENTS + 100),
            ));
        }
        let mut findings = arrivals()?;
        findings.push(own_port::stuck()?);
        findings.push(own_port::closed()?);
        findings.extend(one_epoll::findings()?);
        Ok(findings)
    }

    /// What became of the clients, who came one after the other.
    struct Arrivals {
        /// How often a thread woke up.
        woken: u64,
        /// How many each loop has.
        clients: Vec<usize>,
    }

    fn arrivals() -> Result<Vec<Finding>, Unable> {
        let shared = one_by_one("shared")?;
        let exclusive = one_by_one("exclusive")?;
        let own = one_by_one("own")?;
        let handed = one_by_one("handed")?;
        let most = |arrivals: &Arrivals| arrivals.clients.iter().copied().max().unwrap_or(0);
        let least = |arrivals: &Arrivals| arrivals.clients.iter().copied().min().unwrap_or(0);
        let words = |arrivals: &Arrivals| {
            let counts: Vec<_> = arrivals.clients.iter().map(usize::to_string).collect();
            counts.join(" ")
        };
        let woken = [&shared, &exclusive, &own, &handed].map(|arrivals| arrivals.woken);
        let per_client = woken.map(|woken| woken as f64 / CLIENTS as f64);
        let herd = LOOPS as f64;
        let [for_all, for_few, for_one, by_hand] = woken;
        Ok(vec![
            Finding::new(
                per_client[0] > herd - 0.5 && per_client[1] < 2.0 && per_client[2] < 2.0,
                format!(
                    "{CLIENTS} clients, {LOOPS} loops, all asleep when one comes: shared \
                     {for_all} wake-ups, exclusive {for_few}, own {for_one}; handed {by_hand}, for \
                     the thread that accepts wakes up, too"
                ),
                format!(
                    "{CLIENTS} 个客户端，{LOOPS} 个循环，每次来客时都在睡眠：shared 唤醒 {for_all} 次，\
                     exclusive {for_few} 次，own {for_one} 次；handed {by_hand} 次，其中 accept 的线程也\
                     醒一次"
                ),
            ),
            Finding::new(
                4 * most(&exclusive) >= 3 * CLIENTS
                    && most(&own) < CLIENTS / 2
                    && least(&own) > CLIENTS / 20
                    && most(&handed) - least(&handed) <= 1,
                format!(
                    "who has how many: exclusive {}, own {}, handed {} (shared {})",
                    words(&exclusive),
                    words(&own),
                    words(&handed),
                    words(&shared)
                ),
                format!(
                    "各有多少：exclusive {}，own {}，handed {}（shared {}）",
                    words(&exclusive),
                    words(&own),
                    words(&handed),
                    words(&shared)
                ),
            ),
        ])
    }

    /// Each client comes when the one before has been accepted, and all loops sleep again.
    fn one_by_one(how: &str) -> Result<Arrivals, Unable> {
        let loops = Loops::start(how)?;
        loops.rest(&loops.threads)?;
        let before = loops.woken()?;
        let mut clients: Vec<TcpStream> = Vec::with_capacity(CLIENTS);
        for number in 1..=CLIENTS {
            clients.push(dial::connect(loops.server.addr)?);
            let accepted = || (loops.clients()?.iter().sum::<usize>() == number).then_some(());
            soon(PATIENCE, accepted).ok_or_else(|| "no loop has the client".to_owned())?;
            loops.rest(&loops.threads)?;
        }
        let woken = loops.woken()? - before;
        Ok(Arrivals { woken, clients: loops.clients().ok_or_else(not_seen)? })
    }

    /// The program `loops`, running.
    pub(in crate::experiments) struct Loops {
        pub server: Server,
        /// All that serve: the loops, and with `handed` the thread that accepts.
        pub threads: Vec<i32>,
        /// The descriptor of each loop's epoll, in the order of the loops.
        epolls: Vec<i32>,
    }

    impl Loops {
        /// A queue for all the clients: none is to be turned away where nothing accepts.
        pub(in crate::experiments) fn start(how: &str) -> Result<Self, Unable> {
            let target = Target::program(&format!("loops_{how}"))?
                .with("--loops", &LOOPS.to_string())
                .with("--backlog", &CLIENTS.to_string());
            let server = target.start()?;
            let pid = server.process.pid();
            let all = LOOPS + usize::from(how == "handed");
            // They are started when it listens already. The first thread waits for the others.
            let threads = soon(PATIENCE, || {
                let threads = observe::tasks(pid).split_off(1);
                (threads.len() == all).then_some(threads)
            });
            let threads = threads.ok_or_else(not_seen)?;
            let epolls = epolls(pid).filter(|epolls| epolls.len() == LOOPS).ok_or_else(not_seen)?;
            Ok(Self { server, threads, epolls })
        }

        /// Waits until these threads sleep, each in the call that waits for clients.
        pub(in crate::experiments) fn rest(&self, threads: &[i32]) -> Result<(), Unable> {
            let pid = self.server.process.pid();
            let call = |&thread| observe::system_call(pid, thread).ok_or_else(not_seen);
            let asleep = || {
                let calls: Result<Vec<_>, _> = threads.iter().map(call).collect();
                let waits = |call: &String| call.starts_with("epoll") || call.starts_with("accept");
                match calls {
                    Ok(calls) => calls.iter().all(waits).then_some(Ok(())),
                    Err(why) => Some(Err(why)),
                }
            };
            soon(PATIENCE, asleep).ok_or_else(|| "the loops do not sleep".to_owned())?
        }

        fn woken(&self) -> Result<u64, Unable> {
            let pid = self.server.process.pid();
            let sleeps = |&thread| threads::sleeps(pid, thread).ok_or_else(not_seen);
            self.threads.iter().map(sleeps).sum()
        }

        /// How many clients each loop has: the kernel's own list of what an epoll watches (proc(5),
        /// fdinfo) has them, and the loop's door.
        fn clients(&self) -> Option<Vec<usize>> {
            let pid = self.server.process.pid();
            let count = |&epoll: &i32| {
                let list = fs::read_to_string(format!("/proc/{pid}/fdinfo/{epoll}")).ok()?;
                let watched = list.lines().filter(|line| line.starts_with("tfd:")).count();
                watched.checked_sub(1)
            };
            self.epolls.iter().map(count).collect()
        }
    }

    /// The descriptors of a process that are epoll instances, the lowest first.
    fn epolls(pid: i32) -> Option<Vec<i32>> {
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
        let epoll = |entry: fs::DirEntry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let is_epoll = fs::read_link(entry.path()).ok()?.to_str()? == "anon_inode:[eventpoll]";
            is_epoll.then_some(number)
        };
        let mut epolls: Vec<i32> = entries.filter_map(epoll).collect();
        epolls.sort_unstable();
        Some(epolls)
    }

    pub(in crate::experiments) fn not_seen() -> Unable {
        Unable::here(
            "what the threads of another process do is not seen here",
            "在这里看不到别的进程的线程在做什么",
        )
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::{CLIENTS, LOOPS, Loops, not_seen};

#[cfg(not(target_os = "linux"))]
mod linux {
    use crate::{Found, Unable};

    pub(super) fn run() -> Found {
        Err(Unable::here("this system has no epoll", "这个系统没有 epoll"))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn whom_a_client_wakes_and_who_gets_it() {
        crate::experiments::confirm_where_seen(&super::HERD);
    }
}
