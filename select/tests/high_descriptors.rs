//! A program that starts with a thousand descriptors open has none left that select can watch. Its
//! own are then the first to be too high, and nix's set panics at those: it must be asked before.

#![cfg(not(target_os = "solaris"))]

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs::File;
use std::process::Command;

#[test]
fn a_descriptor_that_select_cannot_watch_is_one_line_and_status_1() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, 4096.min(most), most).expect("not above the hard limit");
    // Descriptors are closed when a program is started, unless this flag is taken off.
    let open: Vec<File> = (0..1100)
        .map(|_| {
            let file = File::open("/dev/null").expect("descriptors are free");
            fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).expect("an open file");
            file
        })
        .collect();
    for program in [
        env!("CARGO_BIN_EXE_select"),
        env!("CARGO_BIN_EXE_select_readable"),
        env!("CARGO_BIN_EXE_select_level"),
        env!("CARGO_BIN_EXE_chat_room"),
        env!("CARGO_BIN_EXE_slow_reply"),
        env!("CARGO_BIN_EXE_services"),
    ] {
        let output = Command::new(program).args(["--addr", "127.0.0.1:0", "--quiet"]).output();
        let output = output.expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("select cannot watch descriptor 11"), "{program}: {said}");
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{program}: {said}");
        assert!(output.stdout.is_empty(), "no client was told to come");
    }
    drop(open);
}
