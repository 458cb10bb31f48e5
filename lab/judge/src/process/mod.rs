//! A process that the laboratory started: waited for, stopped, killed, never left behind.

pub mod observe;
mod strays;
mod watchdog;

use common::reason;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use strays::Stray;

/// How often a state that must come is asked for.
pub const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// How long what is left of a program may take to end by itself: strace's tracer (`-D`) ends with
/// the program that it traces, and has something to write first.
const BY_ITSELF: Duration = Duration::from_secs(1);

/// How much is kept of what a program prints.
const KEPT: usize = 1 << 20;

/// What was left running by programs that had ended, and was then killed.
static LEFT_RUNNING: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What a shell does before it becomes the program, that would take unsafe code between fork and
/// exec: it tells the watchdog its number, and may set a limit in front.
const BECOME: &str = r#"echo "started $$" >&0 && exec "$@" </dev/null"#;

/// A child process. Dropping it kills it, its descendants, and what they left in the background.
#[derive(Debug)]
pub struct Process {
    /// For its output, which is piped.
    pub child: Child,
    pid: i32,
    /// In the environment of all that it starts.
    mark: String,
    /// How it ended, once that is known: a process can be waited for only once.
    ended: Option<WaitStatus>,
}

impl Process {
    /// Starts `command` with nothing on its standard input, and its output to be read.
    pub fn start(command: &[OsString], files: Option<u32>) -> Result<Self, String> {
        let limit = files.map_or(String::new(), |files| format!("ulimit -n {files} && "));
        let mark = strays::new_mark();
        let child = Command::new("/bin/sh")
            .args(["-c", &format!("{limit}{BECOME}"), "sh"])
            .args(command)
            // It would bury what a panic says.
            .env("RUST_BACKTRACE", "0")
            .env(strays::MARK, &mark)
            .process_group(0)
            .stdin(watchdog::input()?)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start /bin/sh: {}", reason(&error)))?;
        let pid = i32::try_from(child.id()).expect("the system's process numbers are signed");
        Ok(Self { child, pid, mark, ended: None })
    }

    /// Its process number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How it ended, in words, if it has.
    pub fn ended(&mut self) -> Option<String> {
        self.look(WaitPidFlag::WNOHANG);
        self.ended.map(in_words)
    }

    /// Its exit status, if it ended by itself before the deadline.
    pub fn exit_status(&mut self, patience: Duration) -> Option<i32> {
        soon(patience, || self.ended());
        match self.ended {
            Some(WaitStatus::Exited(_, status)) => Some(status),
            _ => None,
        }
    }

    /// SIGSTOP, and waits until it stands still: from then on, whatever comes is there together
    /// when it looks again.
    pub fn stop(&mut self) -> Result<(), String> {
        self.signal(Signal::SIGSTOP);
        let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED;
        let stopped = soon(Duration::from_secs(10), || match self.look(flags) {
            Some(WaitStatus::Stopped(..)) => Some(Ok(())),
            _ => self.ended.map(|status| Err(in_words(status))),
        });
        stopped.unwrap_or_else(|| Err("SIGSTOP does not stop it".into()))
    }

    /// SIGCONT, after [`stop`](Self::stop).
    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// SIGINT, as Ctrl-C in its terminal.
    pub fn interrupt(&self) {
        self.signal(Signal::SIGINT);
    }

    /// SIGKILL, and waits for its end: its descriptors are closed and its port is free then.
    pub fn kill(&mut self) {
        if self.ended.is_none() || cfg!(not(target_os = "linux")) {
            // Where strays are not seen, the group is all that is known of them.
            let _ = killpg(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
        if self.ended.is_none() {
            self.signal(Signal::SIGKILL);
            self.look(WaitPidFlag::empty());
        }
        self.kill_strays();
        watchdog::gone(self.pid);
    }

    /// What it has left in the background: it runs, and is nobody's child but ours.
    pub fn strays(&self) -> Vec<Stray> {
        strays::of(self.pid, &self.mark)
    }

    fn kill_strays(&self) {
        let gone = || self.strays().is_empty().then_some(());
        if soon(BY_ITSELF, gone).is_some() {
            return;
        }
        let left = self.strays().iter().map(Stray::to_string).collect::<Vec<_>>();
        LEFT_RUNNING.lock().unwrap_or_else(PoisonError::into_inner).extend(left);
        // Until none is left: one may fork meanwhile.
        soon(Duration::from_secs(10), || {
            for pid in self.strays().iter().flat_map(|stray| observe::family(stray.pid)) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            gone()
        });
    }

    fn signal(&self, signal: Signal) {
        for pid in observe::family(self.pid) {
            // One that has just ended needs no signal any more.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    fn look(&mut self, flags: WaitPidFlag) -> Option<WaitStatus> {
        if self.ended.is_some() {
            return self.ended;
        }
        loop {
            return match waitpid(Pid::from_raw(self.pid), Some(flags)) {
                Err(nix::errno::Errno::EINTR) => continue,
                Err(_) | Ok(WaitStatus::StillAlive) => None,
                Ok(status) => {
                    if matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..)) {
                        self.ended = Some(status);
                    }
                    Some(status)
                }
            };
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a command that ends by itself left behind.
pub struct Finished {
    /// `None` when it was still running at the deadline, or a signal ended it.
    pub status: Option<i32>,
    /// How it ended, in words.
    pub how: String,
    /// All of it.
    pub stdout: String,
    /// All of it.
    pub stderr: String,
}

/// Runs a command that should end by itself.
pub fn run(command: &[OsString], patience: Duration) -> Result<Finished, String> {
    let mut process = Process::start(command, None)?;
    let stdout = collect(process.child.stdout.take().expect("it is piped"));
    let stderr = collect(process.child.stderr.take().expect("it is piped"));
    let status = process.exit_status(patience);
    let still = || format!("still running after {} s", patience.as_secs());
    let how = process.ended().unwrap_or_else(still);
    process.kill();
    let text = |reader: thread::JoinHandle<String>| reader.join().unwrap_or_default();
    Ok(Finished { status, how, stdout: text(stdout), stderr: text(stderr) })
}

/// What programs left running that was killed, since this was last asked.
pub fn left_running() -> Vec<String> {
    std::mem::take(&mut LEFT_RUNNING.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Reads to the end. A program may print without end: the last is kept, up to [`KEPT`] bytes.
fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            match pipe.read(&mut buffer) {
                Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
                Err(error) if common::interrupted(&error) => {}
                // What came before an error is what there is to see.
                Ok(0) | Err(_) => break,
            }
            if bytes.len() > 2 * KEPT {
                bytes.drain(..bytes.len() - KEPT);
            }
        }
        bytes.drain(..bytes.len().saturating_sub(KEPT));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Asks until there is an answer, or the time is up.
pub fn soon<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn in_words(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(_, status) => format!("exit status {status}"),
        WaitStatus::Signaled(_, signal, _) => format!("killed by {signal}"),
        other => format!("{other:?}"),
    }
}

/// A command as one would type it.
pub fn typed(command: &[OsString]) -> String {
    let words: Vec<_> = command.iter().map(|word| OsStr::to_string_lossy(word)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<OsString> {
        ["/bin/sh", "-c", script].map(OsString::from).to_vec()
    }

    #[test]
    fn a_finished_command_tells_how_and_what() {
        let patience = Duration::from_secs(20);
        let done = run(&shell("echo out; echo err >&2; exit 3"), patience).expect("a shell");
        assert_eq!((done.status, done.how.as_str()), (Some(3), "exit status 3"));
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("out\n", "err\n"));
        let killed = run(&shell("kill -9 $$"), patience).expect("a shell");
        assert_eq!((killed.status, killed.how.as_str()), (None, "killed by SIGKILL"));
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        let done = run(&shell("exec sleep 600"), Duration::from_millis(50)).expect("a shell");
        assert_eq!(done.status, None);
        assert!(done.how.starts_with("still running"), "{}", done.how);
    }

    #[test]
    fn a_stopped_process_goes_on_and_a_dropped_one_is_gone() {
        let mut process = Process::start(&shell("exec sleep 600"), None).expect("a shell");
        process.stop().expect("SIGSTOP cannot be caught");
        process.go_on();
        assert_eq!(process.ended(), None);
        let pid = Pid::from_raw(process.pid());
        drop(process);
        assert!(kill(pid, None).is_err(), "no such process");
    }

    #[test]
    fn of_endless_output_the_last_is_kept() {
        let script = "yes | head -c 5000000; echo; echo end";
        let done = run(&shell(script), Duration::from_secs(20)).expect("a shell");
        assert_eq!((done.status, done.stdout.len()), (Some(0), KEPT));
        assert!(done.stdout.ends_with("end\n"));
    }

    /// Forked, in a session of its own, with and without an environment: once the program that was
    /// started has ended, what it left is our child.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_goes_into_the_background_is_found_and_ended() {
        for background in [
            "sleep 600 &",
            "setsid sleep 600 &",
            "setsid env -i /bin/sleep 600 &",
            "(setsid sh -c 'sleep 600; :' &) &",
        ] {
            let script = format!("{background} exit 0");
            let mut process = Process::start(&shell(&script), None).expect("a shell");
            // Both at once: each is to find its own.
            let mut other = Process::start(&shell("sleep 600 & wait"), None).expect("a shell");
            assert_eq!(process.exit_status(Duration::from_secs(20)), Some(0));
            let strays = soon(Duration::from_secs(20), || {
                let strays = process.strays();
                let asleep = |stray: &Stray| {
                    let of = |pid| observe::place(pid).is_some_and(|place| place.name == "sleep");
                    observe::family(stray.pid).into_iter().any(of)
                };
                strays.iter().any(asleep).then_some(strays)
            });
            let strays = strays.unwrap_or_else(|| panic!("{background}: none is found"));
            let family: Vec<_> = strays.iter().flat_map(|one| observe::family(one.pid)).collect();
            process.kill();
            for pid in family {
                assert!(observe::place(pid).is_none(), "{background}: {pid} is left");
            }
            assert_eq!(other.ended(), None, "{background}: another's was ended");
            other.kill();
        }
    }

    #[test]
    fn a_limit_on_descriptors_is_the_programs_own() {
        let mut process = Process::start(&shell("ulimit -n"), Some(64)).expect("a shell");
        let mut text = String::new();
        let stdout = process.child.stdout.as_mut().expect("it is piped");
        stdout.read_to_string(&mut text).expect("a pipe");
        assert_eq!(text, "64\n");
    }
}
