//! What the system tells about a running process: CPU time, memory, descriptors, and the system
//! call that it sleeps in. All of it comes from Linux's `/proc`; elsewhere the answer is `None`,
//! and a check says that it could not see.
//!
//! A server may be several processes (one for each client, or a shell that runs the real one), so
//! everything is summed over the process and its descendants.

use std::fs;
use std::time::Duration;

/// The process and all its descendants that live, itself first.
pub fn family(pid: i32) -> Vec<i32> {
    let mut family = vec![pid];
    let mut next = 0;
    while next < family.len() {
        family.extend(children(family[next]));
        next += 1;
    }
    family
}

/// Its children, also those that have ended and were not waited for.
pub fn children(pid: i32) -> Vec<i32> {
    let mut all = Vec::new();
    for task in tasks(pid) {
        let children = read(&format!("/proc/{pid}/task/{task}/children")).unwrap_or_default();
        all.extend(children.split_whitespace().flat_map(str::parse::<i32>));
    }
    all
}

/// Where a process belongs.
pub struct Place {
    /// Of the program, cut by the system to 15 letters.
    pub name: String,
    /// It has ended, and was not waited for.
    pub ended: bool,
    /// The number of its process group.
    pub group: i32,
    /// The number of its session.
    pub session: i32,
}

/// Where process `pid` belongs; `None` when it is gone, or the system does not tell.
pub fn place(pid: i32) -> Option<Place> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    let (name, rest) = (stat.find('(')? + 1, stat.rfind(')')?);
    let mut fields = stat[rest + 1..].split_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    let mut numbers = fields.skip(1).map_while(|field| field.parse().ok());
    let (group, session) = (numbers.next()?, numbers.next()?);
    Some(Place { name: stat.get(name..rest)?.to_owned(), ended, group, session })
}

/// A variable of the environment that its program was started with. One that has ended has none.
pub fn environment(pid: i32, variable: &str) -> Option<String> {
    let all = fs::read(linux(&format!("/proc/{pid}/environ"))?).ok()?;
    let words = all.split(|&byte| byte == 0).map(String::from_utf8_lossy);
    let mut values =
        words.filter_map(|word| Some(word.strip_prefix(variable)?.strip_prefix('=')?.to_owned()));
    values.next()
}

/// CPU time used so far, user and system, of all threads and of children already gone.
pub fn cpu_time(pid: i32) -> Option<Duration> {
    let sum = |total, pid| total + stat_ticks(pid).unwrap_or(0);
    let ticks = stat_ticks(pid).map(|first| family(pid)[1..].iter().copied().fold(first, sum))?;
    // The unit of /proc/PID/stat is 1/100 s on every Linux that Rust runs on (USER_HZ, time(7)).
    Some(Duration::from_millis(ticks * 10))
}

/// CPU time used so far by the processes that live, to the nanosecond: for what takes less than
/// the ticks of [`cpu_time`]. Of 0, that of this process alone.
#[cfg(any(target_os = "linux", target_os = "freebsd", target_os = "dragonfly"))]
pub fn cpu_clock(pid: i32) -> Option<Duration> {
    let clock = |pid: i32| {
        let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(pid)).ok()?;
        nix::time::clock_gettime(clock).ok().map(Duration::from)
    };
    let own = clock(pid)?;
    Some(own + family(pid)[1..].iter().filter_map(|&pid| clock(pid)).sum::<Duration>())
}

#[cfg(not(any(target_os = "linux", target_os = "freebsd", target_os = "dragonfly")))]
/// This system has no such clock.
pub fn cpu_clock(_pid: i32) -> Option<Duration> {
    None
}

/// CPU time that the whole machine has used so far, in ticks of 10 ms.
pub fn machine_time() -> Option<Duration> {
    let stat = read("/proc/stat")?;
    let fields = stat.lines().next()?.split_whitespace().skip(1);
    let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    // user, nice, system; idle and iowait are none; irq, softirq, and what the host took (steal).
    let busy: u64 = ticks.get(..8)?.iter().sum::<u64>() - ticks[3] - ticks[4];
    Some(Duration::from_millis(busy * 10))
}

/// How long its threads have stood in line for a CPU, able to run, so far.
pub fn cpu_wait(pid: i32) -> Option<Duration> {
    sum(pid, |pid| {
        let waits = tasks(pid).into_iter().filter_map(|task| {
            // Time on a CPU, time in line, in nanoseconds (Documentation/scheduler/sched-stats).
            let stat = read(&format!("/proc/{pid}/task/{task}/schedstat"))?;
            stat.split_whitespace().nth(1)?.parse::<u64>().ok()
        });
        Some(waits.sum())
    })
    .map(Duration::from_nanos)
}

/// Memory resident in RAM, in bytes. What the kernel holds in socket buffers is not in it.
pub fn memory(pid: i32) -> Option<u64> {
    sum(pid, |pid| kib(&read(&format!("/proc/{pid}/status"))?, "VmRSS:"))
}

/// The most that was resident at any time, in bytes.
pub fn peak_memory(pid: i32) -> Option<u64> {
    sum(pid, |pid| kib(&read(&format!("/proc/{pid}/status"))?, "VmHWM:"))
}

/// The process's part of the memory: what it shares with others counts for each of them in part
/// (Pss, proc(5)). Without it, forked processes would count the same pages again and again.
pub fn memory_share(pid: i32) -> Option<u64> {
    sum(pid, |pid| kib(&read(&format!("/proc/{pid}/smaps_rollup"))?, "Pss:"))
}

/// Open descriptors.
pub fn descriptors(pid: i32) -> Option<u64> {
    sum(pid, |pid| {
        let entries = linux(&format!("/proc/{pid}/fd")).and_then(|path| fs::read_dir(path).ok())?;
        Some(entries.count() as u64)
    })
}

/// The system call that each thread sleeps in, the first thread first; `running` when it does not.
///
/// Only a parent may look (ptrace(2), "access mode checking"), and some systems forbid even that.
pub fn system_calls(pid: i32) -> Option<Vec<String>> {
    let calls: Option<Vec<String>> =
        tasks(pid).into_iter().map(|task| system_call(pid, task)).collect();
    calls.filter(|calls| !calls.is_empty())
}

/// The same of one thread.
pub fn system_call(pid: i32, task: i32) -> Option<String> {
    read(&format!("/proc/{pid}/task/{task}/syscall")).map(|line| call_name(&line))
}

fn sum(pid: i32, of: impl Fn(i32) -> Option<u64>) -> Option<u64> {
    // A child may end between the listing and the look: it then counts nothing.
    let others = family(pid)[1..].iter().filter_map(|&pid| of(pid)).sum::<u64>();
    of(pid).map(|own| own + others)
}

/// The threads of a process, the first one first.
pub fn tasks(pid: i32) -> Vec<i32> {
    let mut tasks: Vec<i32> = linux(&format!("/proc/{pid}/task"))
        .and_then(|path| fs::read_dir(path).ok())
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    tasks.sort_unstable();
    tasks
}

fn stat_ticks(pid: i32) -> Option<u64> {
    ticks(&read(&format!("/proc/{pid}/stat"))?)
}

/// Other systems have a `/proc` of another form, or none.
fn linux(path: &str) -> Option<&str> {
    cfg!(target_os = "linux").then_some(path)
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(linux(path)?).ok()
}

/// utime, stime, cutime and cstime of a `/proc/PID/stat` line. The second field is the program's
/// name in parentheses and may itself contain spaces and parentheses: count from the last one.
fn ticks(stat: &str) -> Option<u64> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_whitespace().skip(11);
    (0..4).map(|_| fields.next()?.parse::<u64>().ok()).sum()
}

/// The field of a `/proc` file that is given in KiB, in bytes.
fn kib(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// The name of the call in a `/proc/PID/syscall` line: a number and its arguments, `-1` when the
/// thread sleeps outside of any call, or `running`.
fn call_name(line: &str) -> String {
    let first = line.split_whitespace().next().unwrap_or("running");
    match first.parse() {
        Err(_) => first.to_owned(),
        Ok(-1) => "no system call".to_owned(),
        Ok(number) => {
            known_call(number).map_or_else(|| format!("system call {number}"), str::to_owned)
        }
    }
}

#[cfg(target_os = "linux")]
fn known_call(number: libc::c_long) -> Option<&'static str> {
    /// The calls that a server may sleep in. The newer architectures lack the oldest of them.
    const CALLS: &[(libc::c_long, &str)] = &[
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_select, "select"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_poll, "poll"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_epoll_wait, "epoll_wait"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_pause, "pause"),
        (libc::SYS_pselect6, "pselect6"),
        (libc::SYS_ppoll, "ppoll"),
        (libc::SYS_epoll_pwait, "epoll_pwait"),
        (libc::SYS_epoll_pwait2, "epoll_pwait2"),
        (libc::SYS_io_uring_enter, "io_uring_enter"),
        (libc::SYS_accept, "accept"),
        (libc::SYS_accept4, "accept4"),
        (libc::SYS_recvfrom, "recvfrom"),
        (libc::SYS_recvmsg, "recvmsg"),
        (libc::SYS_read, "read"),
        (libc::SYS_readv, "readv"),
        (libc::SYS_sendto, "sendto"),
        (libc::SYS_write, "write"),
        (libc::SYS_close, "close"),
        (libc::SYS_futex, "futex"),
        (libc::SYS_nanosleep, "nanosleep"),
        (libc::SYS_clock_nanosleep, "clock_nanosleep"),
        (libc::SYS_wait4, "wait4"),
        (libc::SYS_waitid, "waitid"),
        (libc::SYS_rt_sigtimedwait, "rt_sigtimedwait"),
        (libc::SYS_rt_sigsuspend, "rt_sigsuspend"),
    ];
    CALLS.iter().find(|call| call.0 == number).map(|call| call.1)
}

#[cfg(not(target_os = "linux"))]
fn known_call(_number: libc::c_long) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_spaces_and_parentheses_moves_no_field() {
        let stat = "77 (a (b) c) S 1 77 77 0 -1 4194304 90 0 0 0 30 12 5 3 20 0 1 0 100 0 0";
        assert_eq!(ticks(stat), Some(30 + 12 + 5 + 3));
        assert_eq!(ticks("77 (short) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_has_a_place_and_an_environment() {
        let place = place(nix::unistd::getpid().as_raw()).expect("it runs");
        assert!(!place.ended && !place.name.is_empty());
        // Both are 0 in a container: who leads them is outside of it, and has no number here.
        assert_eq!(Ok(place.session), nix::unistd::getsid(None).map(nix::unistd::Pid::as_raw));
        assert_eq!(place.group, nix::unistd::getpgrp().as_raw());
        let path = environment(nix::unistd::getpid().as_raw(), "PATH");
        assert_eq!(path, std::env::var("PATH").ok());
    }

    #[test]
    fn memory_is_the_resident_part_in_bytes() {
        assert_eq!(kib("VmSize:\t 9000 kB\nVmRSS:\t    1234 kB\n", "VmRSS:"), Some(1234 * 1024));
        assert_eq!(kib("Name:\tzombie\n", "VmRSS:"), None);
    }

    #[test]
    fn a_thread_is_running_or_asleep_in_a_call() {
        assert_eq!(call_name("running\n"), "running");
        assert_eq!(call_name("-1 0x7ffe 0x7f01\n"), "no system call");
        assert_eq!(call_name("99999 0x1\n"), "system call 99999");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn calls_have_names() {
        let line = format!("{} 0x4 0x7ffd 0x0\n", libc::SYS_pselect6);
        assert_eq!(call_name(&line), "pselect6");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_seen() {
        let pid = std::process::id() as i32;
        assert!(memory(pid) > Some(0) && descriptors(pid) > Some(0) && cpu_time(pid).is_some());
        assert!(cpu_clock(pid).is_some() && memory_share(pid) > Some(0));
        assert_eq!(cpu_time(i32::MAX), None, "nobody has this number");
        assert_eq!(cpu_clock(5_000_000), None, "more than Linux ever gives");
    }
}
