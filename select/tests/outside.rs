//! What a server meets outside of its sockets: limits of the shell, and peers that vanish.

use judge::rig::{connect, read_text};
use std::io::Write;
use std::process::{Command, Stdio};

const SELECT: &str = env!("CARGO_BIN_EXE_select");

/// A file that may not grow any more ends a program (SIGXFSZ) that has not said otherwise.
#[test]
fn narration_that_has_no_room_in_its_file_stops_nothing() {
    let file = std::env::temp_dir().join(format!("narration-{}", std::process::id()));
    // Blocks of 512 or 1024 bytes, depending on the shell: some lines, in either case.
    let script = r#"ulimit -f 1; exec "$0" --addr 127.0.0.1:0 2>"$1""#;
    let mut child = Command::new("sh")
        .args(["-c", script, SELECT])
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell is there");
    let mut line = String::new();
    let out = child.stdout.take().expect("it is piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("a line");
    let addr = line.trim().strip_prefix("listening on ").expect("it listens");
    let mut client = connect(addr.parse().expect("an address"));
    for _ in 0..50 {
        client.write_all(b"0123456789").expect("connected");
        assert_eq!(read_text(&mut client, 10), "0123456789");
    }
    child.kill().expect("it is still running");
    child.wait().expect("a child of ours");
    let written = std::fs::metadata(&file).expect("it was made").len();
    let _ = std::fs::remove_file(&file);
    assert!(written <= 1024, "the limit was not reached: {written} bytes");
}

/// What the kernel itself says of an accepted socket: timer 2 is that of keep-alive (proc_net_tcp).
#[test]
#[cfg(target_os = "linux")]
fn the_kernel_asks_whether_an_idle_client_is_still_there() {
    let mut server = judge::rig::Rig::start(SELECT, &[]);
    let client = server.client();
    server.hear("new connection");
    let ours = format!(":{:04X}", server.addr().port());
    let theirs = format!(":{:04X}", client.local_addr().expect("connected").port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux has it");
    let row = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let mut row = row.filter(|row| row[1].ends_with(&ours) && row[2].ends_with(&theirs));
    let timer = row.next().expect("the connection is there")[5].to_owned();
    assert!(timer.starts_with("02:"), "no keep-alive timer: {timer}");
}
