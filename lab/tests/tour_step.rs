//! `lab tour --step`: into a pipe, at a terminal, and where it cannot be had.

use std::process::{Command, Output};

fn lab(args: &[&str]) -> Command {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    lab.env("LC_ALL", "C");
    lab.arg("tour").args(args);
    lab
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_pipe_gets_all_steps_one_after_another() {
    for (language, words) in [("en", ["accept queue: A", "Right."]), ("zh", ["队列：A", "答对了"])]
    {
        let output = lab(&["select", "--step", "--lang", language]).output().expect("lab runs");
        let Output { status, stdout, stderr } = output;
        let (out, err) = (text(&stdout), text(&stderr));
        if !status.success() {
            let one = stdout.is_empty() && err.lines().count() == 1;
            assert!(status.code() == Some(1) && one && err.contains("strace"), "{err}{out}");
            return;
        }
        assert!(err.contains("strace") && err.lines().count() == 1, "it says why it waits: {err}");
        for words in ["── 1/", "A connect", "select(", "▶ ", "inputs", "B recv \"hi\"", "A close"]
        {
            assert!(out.contains(words), "no {words} in\n{out}");
        }
        assert!(words.iter().all(|words| out.contains(words)), "{out}");
        assert!(!out.contains('\x1b'), "colours are for terminals");
        let rules: Vec<_> = out.lines().filter(|line| line.starts_with("── ")).collect();
        let last = format!("── {0}/{0} ", rules.len());
        assert!(rules.len() > 10 && rules[rules.len() - 1].starts_with(&last), "{rules:?}");
    }
}

#[test]
fn without_strace_one_line_says_what_to_do() {
    let output = lab(&["select", "--step"]).env("PATH", "").output().expect("lab runs");
    let err = text(&output.stderr);
    assert_eq!((output.status.code(), err.lines().count()), (Some(1), 1), "{err}");
    assert!(err.contains("strace"), "{err}");
}

#[test]
fn what_cannot_be_together_is_a_mistake_of_the_command_line() {
    for args in [
        &["select", "--step", "--pause", "1"][..],
        &["select", "--speed", "2", "--pause", "1"],
        &["select", "--speed", "0"],
        &["select", "--speed", "21"],
        &["--step"],
        &["chat_room", "--step"],
    ] {
        let output = lab(args).output().expect("lab runs");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stderr));
    }
}

/// With a pseudo-terminal whose other end the test holds.
#[cfg(target_os = "linux")]
mod at_a_terminal {
    use super::*;
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::pty::{Winsize, openpty};
    use nix::sys::termios::tcgetattr;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    /// What comes on the screen until these words do.
    fn until(window: &mut File, words: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(120);
        let (mut screen, mut buffer) = (Vec::new(), [0; 4096]);
        while !text(&screen).contains(words) {
            assert!(Instant::now() < deadline, "no {words} in\n{}", text(&screen));
            let mut fds = [PollFd::new(window.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, PollTimeout::from(200_u16)).expect("it can be asked") > 0 {
                let count = window.read(&mut buffer).expect("the test holds the other end, too");
                screen.extend(&buffer[..count]);
            }
        }
        text(&screen)
    }

    #[test]
    fn keys_go_through_it_and_the_terminal_is_as_it_was() {
        // The leaving key: q, Ctrl-C.
        for leave in [b"q", b"\x03"] {
            let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
            let pair = openpty(&size, None).expect("pseudo-terminals are there");
            for end in [&pair.master, &pair.slave] {
                fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("an open descriptor");
            }
            let before = tcgetattr(&pair.slave).expect("a terminal");
            let tty = || Stdio::from(pair.slave.try_clone().expect("descriptors are free"));
            let mut lab = lab(&["select", "--step"]);
            lab.env("TERM", "xterm").env_remove("NO_COLOR").stdin(tty()).stdout(tty());
            let mut child = lab.stderr(Stdio::piped()).spawn().expect("lab runs");
            let strace = Command::new("strace").args(["-qq", "true"]).output();
            if !strace.is_ok_and(|output| output.status.success()) {
                assert_eq!(child.wait().expect("it ends").code(), Some(1));
                return;
            }
            let mut window = File::from(pair.master);
            let mut press = |keys: &[u8], words: &str| {
                window.write_all(keys).expect("it is typed");
                until(&mut window, words)
            };
            let screen = press(b"", "q leave");
            assert!(screen.contains("── 1/") && screen.lines().count() > 24, "{screen}");
            assert!(screen.contains("\x1b[?25l"), "no cursor meanwhile");
            press(b" ", "── 2/");
            press(b"\x1b[C", "1 2 3 answer");
            press(b"1", "Space next");
            press(b"\r", "── 3/");
            press(b"b", "── 2/");
            press(b"G", "closing A");
            press(b"g", "── 1/");
            press(leave, "\x1b[?25h");
            let output = child.wait_with_output().expect("it ends");
            assert!(output.status.success(), "{}", text(&output.stderr));
            assert_eq!(tcgetattr(&pair.slave).expect("a terminal"), before);
        }
    }
}
