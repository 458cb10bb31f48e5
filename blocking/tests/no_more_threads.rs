//! Where the system has no thread to give, that is one client's bad luck and not the server's end.
//!
//! The limits themselves (`ulimit -u`) do not bind root, and where memory ends everything ends. So
//! each thread here asks for a stack that no machine has room for: Rust reads `RUST_MIN_STACK`.
#![cfg(target_os = "linux")]

use judge::rig::Rig;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// 128 TiB: all the addresses that a process has.
const STACK: u64 = 1 << 47;

/// The only test in this file: a script that was just written cannot be started while another
/// thread forks (ETXTBSY).
#[test]
fn clients_without_a_thread_are_turned_away_and_the_server_stays() {
    let program = env!("CARGO_BIN_EXE_thread_per_connection");
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join("large_stacks");
    let text = format!("#!/bin/sh\nRUST_MIN_STACK={STACK} exec '{program}' \"$@\"\n");
    fs::write(&script, text).expect("the directory for tests");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our own file");
    let mut server = Rig::start(script.to_str().expect("a path of letters"), &[]);
    for _ in 0..3 {
        let mut client = server.client();
        let address = client.local_addr().expect("connected");
        server.hear(&format!("turning away {address}: Resource temporarily unavailable"));
        // Nobody reads what it says, so this is an end or a reset, sooner or later.
        let _ = client.write_all(b"hello");
        assert!(!matches!(client.read(&mut [0]), Ok(1..)));
    }
}
