//! A child that writes much to its standard output and to its standard error: two pipes, and a
//! parent that reads them. Then the child's own end, as one more descriptor.

use super::sockets::{PATIENCE, polled};
use super::{Claim, Experiment, Finding, Found, Verdict};
use judge::process::{observe, soon};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(super) const TWO_PIPES: Experiment = Experiment {
    name: "two_pipes",
    does: [
        "a child writes a MiB to its standard error, then one to its standard output; read one \
         pipe after the other, and both in one poll",
        "子进程往标准错误写 1 MiB，再往标准输出写 1 MiB：读完一个再读另一个；两个放进同一个 poll",
    ],
    claims: &[
        Claim::asked(
            [
                "read a child's output to its end, then its errors",
                "先把子进程的标准输出读到底，再读标准错误",
            ],
            Verdict::Wrong,
        ),
        Claim::asked(
            ["to read two pipes takes two threads", "同时读两个管道，得用两个线程"],
            Verdict::Wrong,
        ),
    ],
    run: two_pipes,
};

const ALL: u64 = 16 * 65536;
/// dd reports to standard error: that is silenced, after its output was sent there.
const WRITES: &str = "dd if=/dev/zero bs=65536 count=16 >&2 2>/dev/null
                      dd if=/dev/zero bs=65536 count=16 2>/dev/null";

/// A shell that is our child. When this is dropped its pipes end, and with them the shell.
struct Shell {
    child: Child,
    /// Its standard output and its standard error, until they end.
    pipes: [Option<File>; 2],
    /// How much has come of each.
    read: [u64; 2],
}

impl Shell {
    fn run(script: &str) -> io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().map(OwnedFd::from);
        let errors = child.stderr.take().map(OwnedFd::from);
        Ok(Self { child, pipes: [output, errors].map(|pipe| pipe.map(File::from)), read: [0, 0] })
    }

    /// One turn of a loop: one poll for both pipes, and `more` if there is more; then one read from
    /// each pipe that is ready. Whether `more` is.
    fn turn(&mut self, more: Option<&OwnedFd>) -> io::Result<bool> {
        let pipes = self.pipes.iter().flatten().map(AsFd::as_fd);
        let watched = pipes.chain(more.map(AsFd::as_fd));
        let mut entries: Vec<_> = watched.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
        if poll(&mut entries, patience)? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let ready: Vec<_> = entries.iter().map(|entry| entry.any() == Some(true)).collect();
        let mut ready = ready.into_iter();
        let mut buffer = [0; 4096];
        for (pipe, read) in self.pipes.iter_mut().zip(&mut self.read) {
            let Some(open) = pipe else { continue };
            if ready.next() == Some(true) {
                match open.read(&mut buffer)? {
                    0 => *pipe = None,
                    count => *read += count as u64,
                }
            }
        }
        Ok(ready.next() == Some(true))
    }

    fn pipes_have_ended(&self) -> bool {
        self.pipes.iter().all(Option::is_none)
    }
}

fn two_pipes() -> Found {
    let Waiting { output, errors, asleep_in, all } = one_after_the_other()?;
    let asleep = asleep_in.as_deref().unwrap_or("write");
    let mut shell = Shell::run(WRITES)?;
    while !shell.pipes_have_ended() {
        shell.turn(None)?;
    }
    let ended = shell.child.wait()?.success();
    let [both_output, both_errors] = shell.read;
    Ok(vec![
        Finding::new(
            output == 0 && (1..ALL).contains(&errors) && asleep == "write" && all == [ALL, ALL],
            format!(
                "after {BOUND:?} of waiting for the output: {output} bytes. {errors} bytes of errors \
                 fill their pipe, and the child is asleep in {asleep}: each waits for the other, \
                 without end. Once the errors were read, all {} bytes of output came",
                all[0]
            ),
            format!(
                "等标准输出，等了 {BOUND:?}：{output} 字节。标准错误的管道被 {errors} 字节填满，子进程阻塞在 \
                 {asleep} 上：互相等待，没有尽头。把标准错误读走，{} 字节的输出才全部到来",
                all[0]
            ),
        ),
        Finding::new(
            shell.read == [ALL, ALL] && ended,
            format!(
                "one thread, both pipes in one poll, one read from each that is ready: \
                 {both_output} bytes of output, {both_errors} of errors, and the child has ended"
            ),
            format!(
                "一个线程，一个 poll 等两个管道，哪个就绪就读一次哪个：标准输出 {both_output} 字节，标准错误 \
                 {both_errors} 字节，子进程已结束"
            ),
        ),
    ])
}

/// What a parent finds that waits for the output alone.
struct Waiting {
    /// What had come of the output, and what lay in the other pipe.
    output: u64,
    errors: u64,
    /// What the child did; `None` where that is not seen.
    asleep_in: Option<String>,
    /// How much came of each in the end.
    all: [u64; 2],
}

/// How long we wait where a program would wait without end.
const BOUND: Duration = Duration::from_millis(200);

fn one_after_the_other() -> io::Result<Waiting> {
    let mut shell = Shell::run(WRITES)?;
    let [Some(output), Some(errors)] = &mut shell.pipes else { unreachable!("just opened") };
    polled(errors, PollFlags::POLLIN, PATIENCE)?;
    let asleep_in = asleep_in_write(shell.child.id());
    let came = polled(output, PollFlags::POLLIN, BOUND)?;
    let first = if came.is_empty() { 0 } else { output.read(&mut [0; 4096])? as u64 };
    // One read takes all that a pipe holds.
    let there = !polled(errors, PollFlags::POLLIN, Duration::ZERO)?.is_empty();
    let held = if there { errors.read(&mut vec![0; ALL as usize])? as u64 } else { 0 };
    // The way out. To read the errors to their end would be the same mistake: it comes last.
    shell.read = [first, held];
    while !shell.pipes_have_ended() {
        shell.turn(None)?;
    }
    shell.child.wait()?;
    Ok(Waiting { output: first, errors: held, asleep_in, all: shell.read })
}

/// The call in which the youngest of the shell's family sleeps, which is the program that it runs:
/// a write, soon. `None` where that is not seen.
fn asleep_in_write(shell: u32) -> Option<String> {
    let shell = i32::try_from(shell).ok()?;
    let mut seen = observe::system_call(shell, shell)?;
    soon(PATIENCE, || {
        let youngest = observe::family(shell).pop()?;
        seen = observe::system_call(youngest, youngest)?;
        (seen == "write").then_some(())
    });
    Some(seen)
}

pub(super) const PIDFD: Experiment = Experiment {
    name: "pidfd",
    does: [
        "the same child ends its output, and runs on; its end is one more descriptor in the poll",
        "同一个子进程关掉输出，却还在运行：它的结束是 poll 里的又一个描述符",
    ],
    claims: &[Claim::asked(
        ["when a child's output ends, the child has ended", "子进程的输出读到了底，子进程就结束了"],
        Verdict::Wrong,
    )],
    run: pidfd::run,
};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod pidfd {
    use super::*;
    use nix::errno::Errno;
    use std::os::fd::FromRawFd;

    pub(super) fn run() -> Found {
        let script = format!("{WRITES}\nexec >&- 2>&-; read -r line; exit 7");
        let mut shell = Shell::run(&script)?;
        let child = open(shell.child.id())?;
        while !shell.pipes_have_ended() {
            shell.turn(Some(&child))?;
        }
        let early = !polled(&child, PollFlags::POLLIN, Duration::ZERO)?.is_empty();
        let runs = shell.child.try_wait()?.is_none();
        // It reads a line: this is the end of its input.
        drop(shell.child.stdin.take());
        let told = shell.turn(Some(&child))?;
        let status = shell.child.try_wait()?.and_then(|status| status.code());
        let [output, errors] = shell.read;
        let [exit, exit_zh] = match status {
            Some(status) => [format!("exit status {status}"), format!("退出码 {status}")],
            None => ["no exit status".to_owned(), "没有退出码".to_owned()],
        };
        Ok(vec![Finding::new(
            shell.read == [ALL, ALL] && !early && runs && told && status == Some(7),
            format!(
                "both pipes have ended ({output} and {errors} bytes); the pidfd readable: {}, and \
                 the child runs: {}. When it ends, the same poll tells: {}; waitpid does not wait, \
                 {exit}",
                yes(early)[0],
                yes(runs)[0],
                yes(told)[0]
            ),
            format!(
                "两个管道都到了底（{output} 和 {errors} 字节）；pidfd 可读：{}，子进程还在运行：{}。它结束时，\
                 同一个 poll 报告：{}；waitpid 不用等，{exit_zh}",
                yes(early)[1],
                yes(runs)[1],
                yes(told)[1]
            ),
        )])
    }

    fn yes(is_so: bool) -> [&'static str; 2] {
        if is_so { ["yes", "是"] } else { ["no", "否"] }
    }

    /// A descriptor of a process, readable when the process has ended (pidfd_open(2)).
    #[expect(unsafe_code, reason = "neither nix nor std has this call")]
    fn open(process: u32) -> Result<OwnedFd, crate::Unable> {
        // SAFETY: the call takes two numbers, and no memory of ours.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) };
        match i32::try_from(Errno::result(fd).map_err(missing)?) {
            // SAFETY: the kernel has just made this descriptor, and nothing else knows it.
            Ok(fd) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
            Err(_) => Err("no descriptor has such a number".to_owned().into()),
        }
    }

    fn missing(errno: Errno) -> crate::Unable {
        match errno {
            Errno::ENOSYS | Errno::EPERM => {
                crate::Unable::here("this system has no pidfd_open", "这个系统没有 pidfd_open")
            }
            errno => errno.into(),
        }
    }
}

/// kqueue tells it elsewhere, and not with a descriptor.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod pidfd {
    use super::Found;
    use crate::Unable;

    pub(super) fn run() -> Found {
        Err(Unable::here("a pidfd is Linux's", "pidfd 是 Linux 的"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pipe_after_the_other_is_a_deadlock_and_one_poll_is_none() {
        crate::experiments::confirm(&TWO_PIPES);
    }

    #[test]
    fn the_end_of_the_output_is_not_the_end_of_the_child() {
        crate::experiments::confirm_where_seen(&PIDFD);
    }
}
