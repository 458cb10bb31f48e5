//! `lab check` judged in its turn: a judge that cannot find a fault is worth nothing.
//!
//! The servers that it judges here are this test program itself, started again: see [`plays`].

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Which server to play.
const ROLE: &str = "LAB_CHECK_ROLE";
/// Where to listen, when not at a free port that is announced.
const ADDR: &str = "LAB_CHECK_ADDR";
/// A file to leave the address in.
const FILE: &str = "LAB_CHECK_FILE";
/// What to announce, with `@` for the address; without it, what every server of the course says.
const SAYS: &str = "LAB_CHECK_SAYS";
/// How long to take to start, in seconds.
const STARTS: &str = "LAB_CHECK_STARTS";

/// Not a test: with a role in the environment, this is the server.
#[test]
fn plays() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    if let Ok(seconds) = std::env::var(STARTS) {
        thread::sleep(Duration::from_secs(seconds.parse().expect("a number")));
    }
    let addr = std::env::var(ADDR);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:0")).expect("loopback");
    let here = listener.local_addr().expect("bound");
    if addr.is_err() {
        let says = std::env::var(SAYS).unwrap_or("listening on @\n".to_owned());
        print!("{}", says.replace('@', &here.to_string()));
        std::io::stdout().flush().expect("lab reads it");
    }
    if let Ok(file) = std::env::var(FILE) {
        fs::write(file, here.to_string()).expect("a file of our own");
    }
    // A thread each, as the simplest of servers.
    for socket in listener.incoming().flatten() {
        let hasty = role == "hasty";
        thread::spawn(move || serve(socket, hasty));
    }
}

/// An echo. The hasty one looks for the end of input first, and forgets what it has to answer.
fn serve(mut socket: TcpStream, hasty: bool) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = socket.read(&mut buffer) {
        if hasty {
            socket.set_nonblocking(true).expect("an open socket");
            if matches!(socket.peek(&mut [0]), Ok(0)) {
                return;
            }
            socket.set_nonblocking(false).expect("an open socket");
        }
        if socket.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

fn lab(args: &[&str]) -> Command {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    // The report follows the language of the locale.
    lab.env("LC_ALL", "C");
    lab.arg("check").args(args);
    lab
}

/// Judges this program in a role.
fn judging(role: &str, args: &[&str]) -> Command {
    let mut lab = lab(args);
    let this = std::env::current_exe().expect("a running program");
    lab.arg("--").arg(this).args(["--exact", "plays", "--nocapture"]).env(ROLE, role);
    lab
}

fn output(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("lab starts");
    let text = |bytes| String::from_utf8(bytes).expect("reports are text");
    (status.code(), text(stdout), text(stderr))
}

/// A check that was named and is passed over would look as if it held.
#[test]
fn what_is_named_is_asked_of_any_server() {
    let (status, stdout, _) = output(judging("exact", &["--only", "silent"]));
    assert_eq!(status, Some(1), "{stdout}");
    assert!(stdout.contains("short   silent") && stdout.contains("1 server, 1 check:"), "{stdout}");
}

#[test]
fn a_good_server_holds() {
    let only = ["--only", "echo", "--only", "half_close", "--only", "data_with_fin"];
    let (status, stdout, stderr) = output(judging("exact", &only));
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 5, "a heading, three checks, a tally: {stdout}");
    assert!(lines[1..4].iter().all(|line| line.starts_with("ok ")), "{stdout}");
    assert_eq!(lines[4], "1 server, 3 checks: 3 ok, 0 short");
}

#[test]
fn a_server_that_forgets_answers_at_the_end_of_input_falls_short() {
    let (status, stdout, stderr) =
        output(judging("hasty", &["--only", "echo", "--only", "data_with_fin"]));
    assert_eq!((status, stderr.as_str()), (Some(1), ""), "{stdout}");
    assert!(stdout.contains("\nok      echo "), "only this point is broken: {stdout}");
    assert!(stdout.contains("\nshort   data_with_fin "), "{stdout}");
    assert!(stdout.contains("closed by the server after 1 of 3001 bytes"), "{stdout}");
    assert!(stdout.ends_with("1 server, 2 checks: 1 ok, 1 short\n"), "{stdout}");
}

#[test]
fn a_declared_fault_is_an_exception_and_one_that_is_gone_falls_short() {
    let data_with_fin = ["--only", "data_with_fin", "--except", "data_with_fin"];
    let (status, stdout, _) = output(judging("hasty", &data_with_fin));
    assert_eq!(status, Some(0), "{stdout}");
    assert!(stdout.contains("\nexcept  data_with_fin "), "{stdout}");
    let (status, stdout, _) = output(judging("exact", &data_with_fin));
    assert_eq!(status, Some(1), "{stdout}");
    assert!(stdout.contains("remove the declaration"), "{stdout}");
}

#[test]
fn a_wrong_answer_is_quoted() {
    let upper = ["--only", "echo", "--reply", "upper"];
    let (status, stdout, _) = output(judging("exact", &upper));
    assert_eq!(status, Some(1), "{stdout}");
    assert!(stdout.contains(" came back as 0x"), "{stdout}");
}

#[test]
fn a_server_that_does_not_say_where_is_found_at_its_address() {
    let addr = free_addr();
    let only = ["--addr", &addr, "--only", "byte_by_byte", "--only", "restart"];
    let mut lab = judging("exact", &only);
    lab.env(ADDR, &addr);
    let (status, stdout, stderr) = output(lab);
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.ends_with("1 server, 2 checks: 2 ok, 0 short\n"), "{stdout}");
}

fn free_addr() -> String {
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback");
    free.local_addr().expect("bound").to_string()
}

/// A name may have several addresses, and the server listens at one of them.
#[test]
fn every_address_of_a_name_is_tried() {
    let addr = free_addr();
    let name = addr.replace("127.0.0.1", "localhost");
    let mut lab = judging("exact", &["--addr", &name, "--only", "byte_by_byte"]);
    lab.env(ADDR, &addr);
    let (status, stdout, stderr) = output(lab);
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
}

/// What other servers say of where they listen. The last ends in the middle of a line.
#[test]
fn the_ready_line_may_be_written_in_many_ways() {
    for says in [
        "\x1b[32mINFO\x1b[0m Listening on http://@/\n",
        "listening on all interfaces\nlistening on '@'.\n",
        "metrics listening on 127.0.0.1:9\nlistening on @\n",
        "Listening on @",
    ] {
        let mut lab = judging("exact", &["--only", "byte_by_byte"]);
        lab.env(SAYS, says);
        let (status, stdout, stderr) = output(lab);
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{says:?}: {stdout}");
    }
    let mut lab = judging("exact", &["--only", "byte_by_byte"]);
    lab.env(SAYS, "echo listening on @\nmetrics listening on 127.0.0.1:9\n");
    let (status, stdout, _) = output(lab);
    assert_eq!(status, Some(0), "{stdout}");
    let second = stdout.lines().nth(1).expect("a note");
    assert!(second.contains("and 127.0.0.1:9: --addr chooses"), "{stdout}");
}

/// 6 s is longer than any server may take to have its port again, or to find it taken.
#[test]
fn a_server_that_starts_slowly_may_start_again_as_slowly() {
    for_each_at_once(["port_in_use", "restart"], |check| {
        let addr = free_addr();
        let mut lab = judging("exact", &["--addr", &addr, "--only", check]);
        lab.env(ADDR, &addr).env(STARTS, "6");
        let (status, stdout, stderr) = output(lab);
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{check}: {stdout}");
        assert!(stdout.contains(&format!("\nok      {check} ")), "{stdout}");
    });
}

/// What never announces itself: it is told what it printed, in one line, and what a server prints
/// without end is not kept.
#[test]
fn a_server_without_a_ready_line_is_told_what_it_printed() {
    let lines: [(&[&str], &str); 4] = [
        (&["yes"], "its last line: y\n"),
        (&["sh", "-c", "yes | tr -d '\\n'"], "its last line: yyyyyyyyyy"),
        (&["sh", "-c", "echo Serving; exec sleep 600"], "its last line: Serving\n"),
        (&["sleep", "600"], "it printed nothing; output to a pipe is held back until"),
    ];
    for_each_at_once(lines, |(command, words)| {
        let mut lab = lab(&[&["--"], command].concat());
        lab.stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let lab = lab.spawn().expect("lab starts");
        let most = most_memory(&lab);
        let Output { status, stdout, stderr } = lab.wait_with_output().expect("it ends");
        let took = began.elapsed();
        let stderr = String::from_utf8(stderr).expect("a sentence");
        assert_eq!((status.code(), stdout.as_slice()), (Some(1), &b""[..]), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(words) && stderr.len() < 400, "{stderr}");
        assert!(took < Duration::from_secs(40), "{command:?}: {took:?}");
        assert!(most < 200 << 20, "{command:?}: {most} bytes of memory");
    });
}

/// The most memory that it uses until it ends, where that is seen.
fn most_memory(child: &std::process::Child) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let mut most = 0;
    if cfg!(not(target_os = "linux")) {
        return most;
    }
    loop {
        // One that has ended, and was not waited for, has no memory.
        let status = fs::read_to_string(&path).unwrap_or_default();
        let Some(line) = status.lines().find(|line| line.starts_with("VmHWM:")) else { break };
        let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
        most = 1024 * kib.expect("VmHWM: KIB kB");
        thread::sleep(Duration::from_millis(20));
    }
    most
}

/// A shell in front of the server, which does with `"$@"` as told.
#[cfg(target_os = "linux")]
fn behind_a_shell(script: &str, args: &[&str], file: &std::path::Path) -> Command {
    let mut lab = lab(args);
    lab.args(["--", "sh", "-c", script, "sh"]).arg(std::env::current_exe().expect("it runs"));
    lab.args(["--exact", "plays", "--nocapture"]).env(ROLE, "exact").env(FILE, file);
    lab
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_goes_into_the_background_is_named_and_gone() {
    for script in ["\"$@\" & exit", "setsid \"$@\" & exit", "(setsid env \"$@\" &) & exit 0"] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("addr");
        let (status, stdout, stderr) = output(behind_a_shell(script, &[], &file));
        assert_eq!((status, stdout.as_str()), (Some(1), ""), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains("it goes into the background"), "{stderr}");
        // It may have been ended before it listened.
        let addr = fs::read_to_string(file);
        assert!(addr.map_or(true, |addr| TcpStream::connect(addr).is_err()), "{script}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_server_leaves_behind_is_told_and_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("addr");
    let script = "(setsid sleep 600 &); exec \"$@\"";
    let (status, stdout, stderr) =
        output(behind_a_shell(script, &["--only", "byte_by_byte"], &file));
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
    let told = stdout.lines().find_map(|line| line.split_once("gone, and killed: "));
    let (_, names) = told.unwrap_or_else(|| panic!("nothing is told: {stdout}"));
    for name in names.split(", ") {
        let pid = name.strip_prefix("sleep (").and_then(|rest| rest.strip_suffix(')'));
        let pid = pid.unwrap_or_else(|| panic!("{name}"));
        assert!(!std::path::Path::new("/proc").join(pid).exists(), "{name} runs");
    }
}

#[test]
fn a_command_that_is_no_server_is_one_line() {
    for (args, words) in [
        (&["--", "/no/such/program"][..], "/no/such/program does not start"),
        (&["--", "/bin/sh", "-c", "echo oh >&2; exit 7"], "ended at once: exit status 7: oh"),
        (&["--addr", "no.such.host.invalid:1", "--", "sh"], "unknown host"),
    ] {
        let (status, stdout, stderr) = output(lab(args));
        assert_eq!((status, stdout.as_str()), (Some(1), ""), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("lab: ") && stderr.contains(words), "{stderr}");
    }
}

#[test]
fn bad_usage_is_one_line_and_status_2() {
    for (args, words) in [
        (&[][..], "nothing to judge"),
        (&["no_such_program"], "no program 'no_such_program'"),
        (&["--only", "no_such_check", "select"], "invalid value 'no_such_check'"),
        (&["--addr", "127.0.0.1:1"], "required arguments"),
        (&["--addr", "nonsense", "--", "sh"], "expected HOST:PORT"),
        (&["select", "--", "sh"], "cannot be used with"),
    ] {
        let (status, stdout, stderr) = output(lab(args));
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
}

#[test]
fn the_list_names_each_check_and_what_it_teaches() {
    let (status, stdout, stderr) = output(lab(&["--list"]));
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(stdout.lines().count() >= 18, "{stdout}");
    assert!(stdout.contains("\nhalf_close          a client that has sent all "), "{stdout}");
}

#[test]
fn a_report_that_nobody_reads_ends_quietly() {
    let (reader, writer) = UnixStream::pair().expect("two sockets");
    drop(reader);
    let mut lab = lab(&["--list"]);
    lab.stdout(Stdio::from(std::os::fd::OwnedFd::from(writer)));
    let (status, _, stderr) = output(lab);
    assert_eq!((status, stderr.as_str()), (Some(1), ""), "no panic, no message");
}

/// A server may ignore Ctrl-C, or not be in our process group at all.
#[test]
fn an_interrupted_judge_leaves_no_server_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("addr");
    let mut lab = judging("exact", &["--only", "idle_cpu"]);
    lab.env(FILE, &file);
    interrupted_leaves_no_server(lab, &file);
}

/// One in a session of its own is no kin of the process that was started.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_judge_leaves_no_server_in_the_background() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("addr");
    let script = "(setsid \"$@\" &); exec sleep 600";
    let lab = behind_a_shell(script, &["--only", "idle_cpu"], &file);
    interrupted_leaves_no_server(lab, &file);
}

fn interrupted_leaves_no_server(mut lab: Command, file: &std::path::Path) {
    let mut lab = lab.stdout(Stdio::null()).spawn().expect("lab starts");
    let addr = || fs::read_to_string(file).ok().filter(|addr| !addr.is_empty());
    assert!(soon(|| addr().is_some()), "the server starts");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(lab.id()).expect("a process number"));
    nix::sys::signal::kill(pid, nix::sys::signal::SIGINT).expect("it runs");
    assert!(!lab.wait().expect("it ends").success());
    let refused = || addr().is_some_and(|addr| TcpStream::connect(addr).is_err());
    assert!(soon(refused), "somebody still listens on {:?}", addr());
}

fn soon(come: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !come() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

/// All at the same time: each of them mostly waits.
fn for_each_at_once<T: Send, const N: usize>(cases: [T; N], judge: impl Fn(T) + Sync) {
    thread::scope(|scope| cases.into_iter().for_each(|case| drop(scope.spawn(|| judge(case)))));
}
