//! Nothing that the laboratory started outlives it, whatever ends it: Ctrl-C, `kill`, a panic.
//!
//! The server under judgement may ignore Ctrl-C, or stand still, and a process that is killed
//! cleans nothing up. So a shell beside us reads a pipe that we hold: who was started, who is gone.
//! The pipe ends when the last that holds it does, and the shell kills whoever is left. Each server
//! reports itself through that pipe before it becomes the server, so there is no moment at which it
//! runs and nobody knows.

use super::strays::{MARK, our_mark};
use common::reason;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

const SCRIPT: &str = r#"
trap "" INT TERM HUP
while read -r what pid; do
    case $what in
    started) left="$left $pid" ;;
    gone) # its number may soon be another's
        rest=
        for one in $left; do [ "$one" = "$pid" ] || rest="$rest $one"; done
        left=$rest ;;
    esac
done
# A server may be a shell that runs the real one, or have a process for each client.
kin() {
    echo "$1"
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do kin "$child"; done
}
[ -z "$left" ] && exit
kill -KILL $(for one in $left; do kin "$one"; done)
# A server in the background is no descendant any more; it still has our mark.
for file in $(grep -Fls "$1" /proc/[0-9]*/environ); do
    pid=${file#/proc/}
    kill -KILL "${pid%/environ}"
done
"#;

/// The watchdog's pipe, as the standard input of somebody who is to report through it.
pub fn input() -> Result<Stdio, String> {
    let pipe = pipe().as_ref().map_err(Clone::clone)?;
    let copy = pipe.as_fd().try_clone_to_owned();
    copy.map(Stdio::from).map_err(|error| format!("no descriptor: {}", reason(&error)))
}

/// This process has ended and was waited for.
pub fn gone(pid: i32) {
    if let Ok(mut pipe) = pipe().as_ref() {
        // Without a watchdog there is nobody to tell.
        let _ = pipe.write_all(format!("gone {pid}\n").as_bytes());
    }
}

fn pipe() -> &'static Result<ChildStdin, String> {
    static PIPE: OnceLock<Result<ChildStdin, String>> = OnceLock::new();
    PIPE.get_or_init(|| {
        // It must hold nobody's output open: whoever reads ours waits for its end.
        let watchdog = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "sh", &format!("{MARK}={}", our_mark())])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut watchdog =
            watchdog.map_err(|error| format!("cannot start /bin/sh: {}", reason(&error)))?;
        Ok(watchdog.stdin.take().expect("it is piped"))
    })
}
