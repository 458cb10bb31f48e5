//! Where there is no epoll, the programs say so.
#![cfg(not(any(target_os = "linux", target_os = "android")))]

use std::process::Command;

#[test]
fn a_system_without_epoll_is_told_what_to_run_instead() {
    for program in [
        env!("CARGO_BIN_EXE_epoll"),
        env!("CARGO_BIN_EXE_epoll_edge"),
        env!("CARGO_BIN_EXE_epoll_direct"),
    ] {
        let output = Command::new(program).output().expect("it is built");
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(
            words.lines().count() == 1 && words.contains("this system has no epoll"),
            "{words}"
        );
        assert!(output.stdout.is_empty());
    }
}
