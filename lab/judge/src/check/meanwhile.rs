//! What a server does while an answer is waited for in vain: mostly that is the cause.

use crate::language::said;
use crate::process::observe;
use std::thread;
use std::time::{Duration, Instant};

/// The server's process, looked at when the wait began.
#[derive(Debug)]
pub struct Meanwhile {
    pid: i32,
    since: Instant,
    used: Option<Duration>,
    /// In line for a CPU: on a crowded machine a loop that never sleeps spends most of its time so.
    in_line: Option<Duration>,
}

/// A server that wants more of a CPU than this spins; in percent.
pub const SPINS: f64 = 50.0;

impl Meanwhile {
    /// From now on, of process `pid`.
    pub fn begin(pid: i32) -> Self {
        let (used, in_line) = (observe::cpu_time(pid), observe::cpu_wait(pid));
        Self { pid, since: Instant::now(), used, in_line }
    }

    /// What it does now, in words; for a wait that is over already.
    pub fn now(pid: i32) -> String {
        let meanwhile = Self::begin(pid);
        thread::sleep(Duration::from_millis(500));
        meanwhile.words(false)
    }

    /// Which part of one CPU it has used since, in percent; where it would have used most of one,
    /// had it got it, that. `None`: it is not seen here.
    pub fn busy(&self) -> Option<f64> {
        let percent = |before: Option<Duration>, after: Option<Duration>| {
            let spent = after?.saturating_sub(before?).as_secs_f64();
            Some(100.0 * spent / self.since.elapsed().as_secs_f64())
        };
        let used = percent(self.used, observe::cpu_time(self.pid))?;
        // A server that does sleep stands in line for a moment each time it is woken.
        let wanted = used + percent(self.in_line, observe::cpu_wait(self.pid)).unwrap_or(0.0);
        Some(if wanted > SPINS { wanted } else { used })
    }

    /// In words, to be put behind others; none where nothing is seen. `ended`: all was answered,
    /// the end of input was sent, and the server was to close the connection.
    pub fn words(&self, ended: bool) -> String {
        let Some(busy) = self.busy() else { return String::new() };
        let spins = busy > SPINS;
        let mut words = if spins {
            said!(
                "; meanwhile the server spins, with {busy:.0} % of a CPU",
                "；其间服务端在空转，占用 {busy:.0} % 的 CPU"
            )
        } else {
            match asleep_in(self.pid) {
                Some(calls) => said!(
                    "; meanwhile the server sleeps in {calls} ({busy:.0} % of a CPU)",
                    "；其间服务端阻塞在 {calls} 上（占用 {busy:.0} % 的 CPU）"
                ),
                None => said!(
                    "; meanwhile the server used {busy:.0} % of a CPU",
                    "；其间服务端占用 {busy:.0} % 的 CPU"
                ),
            }
        };
        if ended {
            words += &match spins {
                true => said!(
                    ": after the end of input every recv returns 0 bytes at once, and the \
                     connection is to be closed then",
                    "：对端结束输入之后，每次 recv 都立即返回 0，这时应当关闭连接"
                ),
                false => said!(
                    ": it got the end of input (recv returns 0 bytes), and has not closed the \
                     connection",
                    "：输入已经结束（recv 返回 0），连接却没有关闭"
                ),
            };
        }
        words
    }
}

/// The system calls that its threads, and those of its descendants, sleep in. `None`: not seen
/// here, or it has ended.
fn asleep_in(pid: i32) -> Option<String> {
    let calls = observe::family(pid).into_iter().filter_map(observe::system_calls).flatten();
    let calls: Vec<_> = calls.filter(|call| call != "running").collect();
    (!calls.is_empty()).then(|| counted(&calls))
}

/// `accept, recvfrom (200)`: each kind once, in the order of their first.
pub fn counted(calls: &[String]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for call in calls {
        match kinds.iter_mut().find(|(kind, _)| kind == call) {
            Some((_, count)) => *count += 1,
            None => kinds.push((call, 1)),
        }
    }
    let shown = kinds.into_iter().map(|(kind, count)| match count {
        1 => kind.to_owned(),
        _ => said!("{kind} ({count})", "{kind}（{count}）"),
    });
    shown.collect::<Vec<_>>().join(&said!(", ", "、"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_named_once_with_their_number() {
        let calls = ["accept", "recvfrom", "futex", "recvfrom"].map(str::to_owned);
        assert_eq!(counted(&calls), "accept, recvfrom (2), futex");
    }
}
