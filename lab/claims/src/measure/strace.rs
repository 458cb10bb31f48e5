//! The system calls of a server, as strace(1) sees them: what a program asks of the kernel, not
//! what its source looks like.
//!
//! Each call costs the server two stops, so a server under strace is never timed.
//! Its output is read by hand: the few forms that our servers' calls take.

use super::Target;
use common::reason;
use judge::check::server::{Server, Start};
use judge::language::Words;
use judge::process::{run, soon, typed};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A strace that may trace here.
#[derive(Debug)]
pub struct Strace(PathBuf);

/// One system call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// Who called: the number of the thread.
    pub thread: String,
    /// When, by the clock of the system.
    pub began: Duration,
    /// How long it took; `None` for one that did not return.
    pub took: Option<Duration>,
    /// `epoll_wait`
    pub name: String,
    /// As strace writes it, in one piece: `epoll_wait(4, [], 1024, 0) = 0`.
    pub text: String,
    /// Where it was called from, innermost first, if that was asked for.
    pub stack: Vec<Frame>,
}

/// A place in a program's machine code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// The program, or a library.
    pub file: PathBuf,
    /// Where in that file the call returns to.
    pub offset: u64,
}

/// What strace is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// These calls; without names, every call.
    pub calls: &'a [&'a str],
    /// Where each was called from too, and longer texts. Each call then costs the server a
    /// millisecond or so, for strace walks its stack.
    pub stacks: bool,
}

impl Call {
    /// A call for a test that asks neither who made it nor when.
    #[must_use]
    pub fn sample(name: &str, text: &str) -> Self {
        let (thread, began, took) = (String::new(), Duration::ZERO, None);
        let (name, text) = (name.to_owned(), text.to_owned());
        Self { thread, began, took, name, text, stack: Vec::new() }
    }
}

/// What a server did, from its first breath.
#[derive(Debug, Default)]
pub struct Trace {
    /// In order. A call that it was killed in is the last of its thread, with ` = ?` at its end.
    pub calls: Vec<Call>,
    /// The signals that were delivered to it, by name, but for the one that killed it.
    pub signals: Vec<String>,
}

/// A server whose calls are written down.
pub struct Traced {
    /// The server under strace.
    pub server: Server,
    /// strace writes in blocks: the file is complete only when it has ended.
    file: File,
    tracer: i32,
}

impl Strace {
    /// The one that the shell would find, if it is there and may trace; or what to do about it.
    pub fn find() -> Result<Self, Words> {
        // illumos has a strace too, and it is another program.
        if !cfg!(target_os = "linux") {
            return Err(Words::new("strace is a program for Linux", "strace 是 Linux 上的程序"));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut programs = std::env::split_paths(&path).map(|folder| folder.join("strace"));
        let program = programs.find(|program| is_program(program)).ok_or_else(|| {
            Words::new(
                "strace is not installed: apt install strace, or dnf install strace",
                "没有安装 strace：apt install strace 或 dnf install strace",
            )
        })?;
        // Containers and hardened systems may forbid tracing even one's own children.
        let command = [program.as_os_str(), "-qq".as_ref(), "true".as_ref()].map(OsString::from);
        let why = match run(&command, Duration::from_secs(10)) {
            Ok(done) if done.status == Some(0) => return Ok(Self(program)),
            Ok(done) => done.stderr.lines().next().map_or(done.how, str::to_owned),
            Err(why) => why,
        };
        Err(Words::new(
            format!("this system does not let strace trace: {why}"),
            format!("这个系统不让 strace 跟踪：{why}"),
        ))
    }

    /// Starts a server as [`Target::start`] does, and writes down those of its calls (all of its
    /// threads and children) that are named; without names, every call.
    pub fn start(&self, target: &Target, calls: &[&str]) -> Result<Traced, String> {
        self.start_as(target, Wanted { calls, stacks: false }, Start::default())
    }

    /// The same, for whoever wants more to be written down, or the server started in another way.
    pub fn start_as(
        &self,
        target: &Target,
        wanted: Wanted<'_>,
        start: Start,
    ) -> Result<Traced, String> {
        let (path, file) = output().map_err(|error| {
            format!("no file in {}: {}", std::env::temp_dir().display(), reason(&error))
        })?;
        let started = self.start_into(&path, target, wanted, start);
        // Both of us have it open: from here on it needs no name, and nobody has to clean up.
        let _ = fs::remove_file(&path);
        let server = started?;
        let tracer = tracer(server.process.pid()).ok_or("strace has left the server")?;
        Ok(Traced { server, file, tracer })
    }

    fn start_into(
        &self,
        path: &Path,
        target: &Target,
        Wanted { calls, stacks }: Wanted<'_>,
        start: Start,
    ) -> Result<Server, String> {
        // -D: strace is not the server's parent but its grandchild. Our child is the server itself,
        // to observe and to kill; and when it is gone strace goes, too, even if we are gone before.
        let mut command = vec![OsString::from(&self.0)];
        command.extend(["-D", "-f", "-ttt", "-T", "-o"].map(OsString::from));
        command.push(path.into());
        if stacks {
            command.extend(["-k", "-s", "200"].map(OsString::from));
        }
        if !calls.is_empty() {
            // The newer architectures lack the oldest calls. `?`: then it is no error.
            let calls: Vec<_> = calls.iter().map(|name| format!("?{name}")).collect();
            command.extend(["-e".into(), format!("trace={}", calls.join(",")).into()]);
        }
        command.push("--".into());
        let ours = format!("{} ", typed(&command));
        let mut subject = target.subject.clone();
        command.append(&mut subject.command);
        subject.command = command;
        // Who hears why it does not start has not typed what stands before it.
        Server::start(&subject, start).map_err(|fault| String::from(fault).replace(&ours, ""))
    }
}

impl Traced {
    /// Ends the server, and tells what it did.
    pub fn finish(mut self) -> Result<Trace, String> {
        self.server.process.kill();
        let ended = soon(Duration::from_secs(10), || has_ended(self.tracer).then_some(()));
        ended.ok_or("strace does not end with its server")?;
        let mut bytes = Vec::new();
        let read = self.file.read_to_end(&mut bytes);
        read.map_err(|error| format!("strace's output: {}", reason(&error)))?;
        Ok(parse(&String::from_utf8_lossy(&bytes)))
    }
}

impl Trace {
    /// How many calls have one of these names.
    pub fn count(&self, names: &[&str]) -> usize {
        self.calls.iter().filter(|call| names.contains(&call.name.as_str())).count()
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// A new file, and its name for strace to open.
fn output() -> std::io::Result<(PathBuf, File)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("lab-strace-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    // Not one that somebody else has put there.
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    Ok((path, file))
}

/// The process that traces this one.
fn tracer(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    line.trim().parse().ok().filter(|&tracer| tracer != 0)
}

/// It is gone, or a zombie: it is not our child, and some containers have nobody who waits for it.
fn has_ended(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| {
        // The name may contain spaces and parentheses: the state comes after the last one.
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
        state.starts_with(['Z', 'X'])
    })
}

/// Reads an output of `strace -f -ttt -T -o`: each line begins with the number of the thread and
/// the time. While one thread waits in a call another may begin one; the first is then written in
/// two pieces.
fn parse(output: &str) -> Trace {
    const BROKEN_OFF: &str = "<unfinished ...>";
    let Trace { mut calls, mut signals } = Trace::default();
    let mut unfinished = HashMap::new();
    // The call that has just been written to its end: its stack comes next.
    let mut ended = None;
    for line in output.lines() {
        if let Some(frame) = line.strip_prefix(" > ") {
            if let Some(call) = ended.and_then(|index: usize| calls.get_mut(index)) {
                call.stack.extend(self::frame(frame));
            }
            continue;
        }
        ended = None;
        // The numbers are set flush right.
        let (thread, rest) = line.trim_start().split_once(' ').unwrap_or(("", line));
        let (time, rest) = rest.trim_start().split_once(' ').unwrap_or(("", rest));
        let rest = rest.trim();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let index = unfinished.remove(thread);
            if let (Some(index), Some((_, end))) = (index, resumed.split_once(" resumed>")) {
                let call: &mut Call = &mut calls[index];
                let (end, took) = split_took(end);
                call.text.push_str(end);
                call.took = took;
                ended = Some(index);
            }
            continue;
        }
        if let Some(signal) = rest.strip_prefix("--- SIG") {
            let name = signal.split(' ').next().unwrap_or_default();
            signals.push(format!("SIG{name}"));
            continue;
        }
        // What is left has stopped or ended.
        let Some((name, _)) = rest.split_once('(').filter(|(name, _)| is_name(name)) else {
            continue;
        };
        let Some(began) = seconds(time) else { continue };
        if rest.ends_with(BROKEN_OFF) {
            unfinished.insert(thread, calls.len());
        } else {
            ended = Some(calls.len());
        }
        let (whole, took) = split_took(rest);
        // It ends with a space where it breaks off between two arguments.
        let text = whole.strip_suffix(BROKEN_OFF).unwrap_or(whole).trim_end();
        let text = if text.ends_with(',') { format!("{text} ") } else { text.to_owned() };
        let (thread, name) = (thread.to_owned(), name.to_owned());
        calls.push(Call { thread, began, took, name, text, stack: Vec::new() });
    }
    Trace { calls, signals }
}

/// `/usr/lib/libc.so.6(recv+0x19) [0x10a929]`
fn frame(text: &str) -> Option<Frame> {
    let (file, _) = text.split_once('(')?;
    let (_, offset) = text.strip_suffix(']')?.rsplit_once("[0x")?;
    Some(Frame { file: file.into(), offset: u64::from_str_radix(offset, 16).ok()? })
}

/// The time at the end of a line, `<0.000124>`.
fn split_took(text: &str) -> (&str, Option<Duration>) {
    let split = text.strip_suffix('>').and_then(|text| text.rsplit_once('<'));
    match split.and_then(|(text, took)| Some((text.trim_end(), seconds(took)?))) {
        Some((text, took)) => (text, Some(took)),
        None => (text, None),
    }
}

/// `1795282502.720613`. An f64 would lose the last digits.
pub fn seconds(text: &str) -> Option<Duration> {
    let (seconds, micros) = text.split_once('.')?;
    let micros: u64 = micros.parse().ok().filter(|_| micros.len() == 6)?;
    Some(Duration::from_secs(seconds.parse().ok()?) + Duration::from_micros(micros))
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_in_two_pieces_is_one() {
        let output = "\
77 100.000001 epoll_wait(4,  <unfinished ...>
78 100.000002 write(1, \"a(b) = 1\\n\", 9)             = 9 <0.000011>
77 100.000300 <... epoll_wait resumed>[{events=EPOLLIN, data=0x3}], 1024, -1) = 1 <0.000299>
77 100.000310 --- SIGCHLD {si_signo=SIGCHLD} ---
77 100.000312 --- stopped by SIGSTOP ---
 7 100.000320 accept4(3,  <unfinished ...>) = ?
77 100.000400 +++ killed by SIGKILL +++
";
        let trace = parse(output);
        let calls = &trace.calls;
        let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, ["epoll_wait", "write", "accept4"]);
        let threads: Vec<_> = calls.iter().map(|call| call.thread.as_str()).collect();
        assert_eq!(threads, ["77", "78", "7"]);
        assert_eq!(calls[0].text, "epoll_wait(4, [{events=EPOLLIN, data=0x3}], 1024, -1) = 1");
        assert_eq!(calls[0].began, Duration::from_micros(100_000_001));
        let took: Vec<_> = calls.iter().map(|call| call.took).collect();
        assert_eq!(took, [Some(299), Some(11), None].map(|took| took.map(Duration::from_micros)));
        assert!(calls[2].text.ends_with("= ?"), "{}", calls[2].text);
        assert_eq!(trace.count(&["accept", "accept4"]), 1);
        assert_eq!(trace.signals, ["SIGCHLD"]);
    }

    #[test]
    fn a_stack_belongs_to_the_call_before_it() {
        let output = "\
77 100.000001 select(4,  <unfinished ...>
78 100.000002 recvfrom(4, \"\", 1024, 0, NULL, NULL) = 0 <0.000011>
 > /usr/lib/libc.so.6(recv+0x19) [0x10a929]
 > /srv/my server(<&std::net::TcpStream as std::io::Read>::read+0x15) [0x205c95]
77 100.000300 <... select resumed>[3], [], [], NULL) = 1 (in [3]) <0.000299>
 > /srv/my server(wait+0x1) [0x26ba6]
77 100.000400 +++ killed by SIGKILL +++
 > /srv/my server(nobody+0x1) [0x1]
";
        let calls = parse(output).calls;
        let at = |file: &str, offset| Frame { file: file.into(), offset };
        let recv = [at("/usr/lib/libc.so.6", 0x10_a929), at("/srv/my server", 0x20_5c95)];
        assert_eq!(calls[0].stack, [at("/srv/my server", 0x2_6ba6)]);
        assert_eq!(calls[1].stack, recv);
    }

    #[test]
    fn a_server_tells_what_it_calls_and_strace_ends_with_it() {
        let strace = match Strace::find() {
            Ok(strace) => strace,
            Err(why) => return println!("not tried: {}", why.en),
        };
        let target = Target::program("epoll").expect("a program of the course");
        let traced = strace.start(&target, &["recvfrom", "sendto", "no_such_call"]);
        let traced = traced.expect("it starts under strace");
        let tracer = traced.tracer;
        let mut client = traced.server.client().expect("it accepts");
        for _ in 0..10 {
            client.exchange(1).expect("an echo");
        }
        let trace = traced.finish().expect("it ends");
        assert_eq!((trace.count(&["recvfrom"]), trace.count(&["sendto"])), (10, 10));
        assert_eq!(trace.calls.len(), 20, "nothing but what was asked for: {trace:?}");
        assert!(has_ended(tracer));
    }

    #[test]
    fn what_does_not_start_leaves_no_file() {
        let Ok(strace) = Strace::find() else { return println!("not tried: no strace") };
        let target = Target::command("none", ["/no/such/program"].map(OsString::from).to_vec());
        let why = strace.start(&target, &[]).map(|_| ()).expect_err("there is no such program");
        assert!(why.contains("no such program") || why.contains("No such file"), "{why}");
        let ours = format!("lab-strace-{}-", std::process::id());
        let is_ours = |file: fs::DirEntry| file.file_name().to_string_lossy().starts_with(&ours);
        // Another test of this process may be starting one just now: it is gone soon.
        let left = soon(Duration::from_secs(20), || {
            let mut files = fs::read_dir(std::env::temp_dir()).expect("a folder").flatten();
            (!files.any(is_ours)).then_some(())
        });
        assert_eq!(left, Some(()));
    }
}
