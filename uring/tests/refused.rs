//! Where io_uring is refused, the programs say so in one line, before they tell clients to come.
#![cfg(target_os = "linux")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

/// Runs a program in which this system call fails with EPERM, as container rules have it: a filter
/// of seccomp(2) that compares the number of the call, which stands first in its data.
#[allow(unsafe_code)]
fn run_without(call: libc::c_long, program: &str) -> Output {
    let call = u32::try_from(call).expect("system calls have small numbers");
    let statement = |code, k| libc::sock_filter { code, jt: 0, jf: 0, k };
    let load = statement((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, 0);
    let code = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let is_call = libc::sock_filter { code, jt: 0, jf: 1, k: call };
    let answer = |k| statement((libc::BPF_RET | libc::BPF_K) as u16, k);
    let refuse = answer(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    let mut filter = [load, is_call, refuse, answer(libc::SECCOMP_RET_ALLOW)];
    let mut command = Command::new(program);
    command.args(["--addr", "127.0.0.1:0", "--quiet"]);
    // SAFETY: between fork and exec only these two system calls are made, on memory that is there.
    unsafe {
        command.pre_exec(move || {
            let rules = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
            let done = libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &rules) == 0;
            if done { Ok(()) } else { Err(io::Error::last_os_error()) }
        });
    }
    command.output().expect("it starts")
}

#[test]
fn a_refused_call_is_one_line_and_status_1_and_no_client_is_told_to_come() {
    for program in [env!("CARGO_BIN_EXE_uring"), env!("CARGO_BIN_EXE_uring_once")] {
        for call in [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter] {
            let output = run_without(call, program);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
            assert!(said.contains("cannot set up io_uring: ") && said.contains('('), "{said}");
            assert!(output.stdout.is_empty(), "no client was told to come");
        }
    }
}
