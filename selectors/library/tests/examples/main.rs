//! The examples, each started as a process and asked from outside.

mod running;

use running::{Running, built, head_1};
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A message of `multiconn_server`.
fn framed(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short message");
    [&length.to_be_bytes()[..], text].concat()
}

fn send(mut client: &TcpStream, text: &[u8]) {
    client.write_all(&framed(text)).expect("connected");
}

fn receive(mut client: &TcpStream) -> String {
    let mut length = [0; 2];
    client.read_exact(&mut length).expect("an answer comes");
    let mut text = vec![0; u16::from_be_bytes(length).into()];
    client.read_exact(&mut text).expect("all of it");
    String::from_utf8(text).expect("what was sent is text")
}

fn ask(client: &TcpStream, text: &[u8]) -> String {
    send(client, text);
    receive(client)
}

fn reset(client: TcpStream) {
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("an open socket");
    drop(client);
}

fn multiconn_server() -> (Running, String) {
    let server = Running::start("multiconn_server", &["127.0.0.1:0"]);
    let addr = server.line("listening on ");
    (server, addr)
}

#[test]
fn multiconn_server_answers_however_requests_are_cut() {
    let (server, addr) = multiconn_server();
    let (writer, reader) = (server.client(&addr), server.client(&addr));
    writer.set_nodelay(true).expect("an open socket");
    for byte in framed(b"SET colour dark blue") {
        (&writer).write_all(&[byte]).expect("connected");
        assert_eq!(ask(&reader, b"GET none"), "-not found", "the byte has been read before");
    }
    assert_eq!(receive(&writer), "+");
    assert_eq!(ask(&reader, b"GET colour"), "=dark blue", "what one stores, another finds");
    let several = [&framed(b"GET none")[..], &framed(b"PUT"), &framed(b"GET colour")].concat();
    (&reader).write_all(&several).expect("connected");
    // With the end right behind them: they are still answered.
    reader.shutdown(Shutdown::Write).expect("connected");
    assert_eq!(receive(&reader), "-not found");
    assert_eq!(receive(&reader), "-SET name value, or GET name");
    assert_eq!(receive(&reader), "=dark blue");
    assert_eq!((&reader).read(&mut [0]).expect("it is closed in order"), 0);
}

#[test]
fn multiconn_server_loses_one_connection_and_no_other() {
    let (server, addr) = multiconn_server();
    let (stays, leaves) = (server.client(&addr), server.client(&addr));
    assert_eq!(ask(&stays, b"SET a 1"), "+");
    assert_eq!(ask(&leaves, b"GET a"), "=1");
    let address = leaves.local_addr().expect("connected");
    reset(leaves);
    server.line(&format!("closing {address}: "));
    assert_eq!(ask(&stays, b"GET a"), "=1");
}

/// Thirteen megabytes of answers are more than the kernel's buffers take.
#[test]
fn multiconn_server_serves_others_while_one_does_not_read() {
    const COUNT: usize = 200;
    let (server, addr) = multiconn_server();
    let (slow, other) = (server.client(&addr), server.client(&addr));
    // Linux would let it grow to 33 MB, here and there.
    SockRef::from(&slow).set_recv_buffer_size(65_536).expect("an open socket");
    // Without this, small messages are held back until the one before is acknowledged.
    slow.set_nodelay(true).expect("an open socket");
    let value = "x".repeat(65_529);
    assert_eq!(ask(&slow, format!("SET a {value}").as_bytes()), "+");
    for _ in 0..COUNT {
        send(&slow, b"GET a");
        // After two answers to the other it has seen that request as well, also if they came in
        // one batch. So it never has two at once from this client. It waits for the next request
        // and not for room, until a send finds that there is none.
        for _ in 0..2 {
            assert_eq!(ask(&other, b"GET b"), "-not found");
        }
    }
    for _ in 0..COUNT {
        assert_eq!(receive(&slow), format!("={value}"));
    }
    assert_eq!(ask(&slow, b"GET b"), "-not found", "and nothing behind them");
}

/// A shell lowers the limit, so that it is that process's alone.
fn without_descriptors(name: &str, greeting: fn(&TcpStream)) {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 12 && exec \"$0\" 127.0.0.1:0"]).arg(built(name));
    let server = Running::spawn(command);
    let addr = server.line("listening on ");
    let served = server.client(&addr);
    greeting(&served);
    // The rest of them wait in the listener's queue.
    let others: Vec<_> = (0..12).map(|_| server.client(&addr)).collect();
    server.line("no new client for now");
    let before = Instant::now();
    // A loop that spins says it a thousand times a second.
    for _ in 0..2 {
        server.line("no new client for now");
    }
    let took = before.elapsed();
    assert!(took >= Duration::from_millis(1500), "tried again after {took:?}");
    drop(served);
    for other in others {
        greeting(&other);
    }
}

#[test]
fn multiconn_server_does_not_spin_without_descriptors() {
    without_descriptors("multiconn_server", |client| {
        assert_eq!(ask(client, b"GET a"), "-not found");
    });
}

fn greeted(mut client: &TcpStream) {
    let mut greeting = [0; 13];
    client.read_exact(&mut greeting).expect("it greets");
    assert_eq!(&greeting, b"Hello world!\n");
}

#[test]
fn tcp_server_greets_and_prints() {
    let server = Running::start("tcp_server", &["127.0.0.1:0"]);
    let addr = server.line("listening on ");
    let clients = [(); 2].map(|()| server.client(&addr));
    let addresses = clients.each_ref().map(|client| client.local_addr().expect("connected"));
    clients.iter().for_each(greeted);
    (&clients[1]).write_all(b"second\r\n").expect("connected");
    assert_eq!(server.line("received "), format!("\"second\\r\\n\" from {}", addresses[1]));
    (&clients[0]).write_all("e\u{301}".as_bytes()).expect("connected");
    assert_eq!(server.line("received "), format!("\"e\\xcc\\x81\" from {}", addresses[0]));
    let [first, second] = clients;
    reset(first);
    server.line(&format!("closing {}: ", addresses[0]));
    drop(second);
    assert_eq!(server.line(&format!("closing {}: ", addresses[1])), "peer closed");
    greeted(&server.client(&addr));
}

#[test]
fn tcp_server_does_not_spin_without_descriptors() {
    without_descriptors("tcp_server", greeted);
}

/// A socket nearly always has room: with nothing to send, to be told of that is a busy loop.
#[cfg(target_os = "linux")]
#[test]
fn servers_sleep_while_nobody_speaks() {
    for name in ["tcp_server", "multiconn_server"] {
        let server = Running::start(name, &["127.0.0.1:0"]);
        let client = server.client(&server.line("listening on "));
        if name == "tcp_server" {
            greeted(&client);
        } else {
            assert_eq!(ask(&client, b"GET a"), "-not found");
            (&client).write_all(b"\0").expect("half of a length is no request");
        }
        client.set_read_timeout(Some(Duration::from_secs(1))).expect("not zero");
        (&client).read_exact(&mut [0]).expect_err("a second in which nothing comes");
        // proc_pid_stat(5), fields 14 and 15, in hundredths of a second. The second field is the
        // name, in parentheses.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.child.id()));
        let stat = stat.expect("it runs");
        let fields = stat.rsplit_once(')').expect("a name").1.split_whitespace();
        let ticks = fields.skip(11).take(2).map(|field| field.parse::<u32>().expect("a number"));
        let ticks: u32 = ticks.sum();
        assert!(ticks < 30, "{name}: {ticks} hundredths of a second of CPU in one that was idle");
    }
}

#[test]
fn servers_go_on_when_nobody_reads_what_they_print() {
    for name in ["tcp_server", "multiconn_server"] {
        let (server, line) = head_1(name, &["127.0.0.1:0"], b"");
        let addr = line.trim_end().strip_prefix("listening on ").expect("its first line");
        for _ in 0..3 {
            let client = server.client(addr);
            if name == "tcp_server" {
                greeted(&client);
            } else {
                assert_eq!(ask(&client, b"GET a"), "-not found");
            }
            // That it is closed is printed, or would be.
            client.shutdown(Shutdown::Write).expect("connected");
            assert_eq!((&client).read(&mut [0]).expect("closed in order"), 0);
        }
    }
}

#[test]
fn what_ends_by_itself_ends_well_when_nobody_reads_what_it_prints() {
    let (mut pipes, line) = head_1("child_pipes", &[], b"");
    assert!(line.starts_with("std"), "{line}");
    assert!(pipes.status().success());
    let (mut jobs, line) = head_1("timers_and_jobs", &[], b"1\n300\n2\n");
    assert!(line.ends_with("done\n"), "{line}");
    drop(jobs.stdin());
    assert!(jobs.status().success());
}

/// `tee` prints all of its input twice. A parent that only writes, or reads one of the two, waits
/// for ever.
#[test]
fn child_pipes_writes_and_reads_at_once() {
    let (status, mut lines) = Running::start("child_pipes", &[]).end();
    lines.sort();
    let expected = [
        "exit status: 0",
        "stderr: 1048575 bytes",
        "stdin: all but 0 bytes",
        "stdout: 1048575 bytes",
    ];
    assert_eq!(lines, expected);
    assert!(status.success());
}

#[test]
fn child_pipes_does_not_mind_a_child_that_reads_nothing() {
    let child = ["sh", "-c", "exec <&-; echo no >&2; exit 3"];
    let (status, lines) = Running::start("child_pipes", &child).end();
    let has = |line: &str| lines.iter().any(|other| other == line);
    assert!(has("stdout: 0 bytes") && has("stderr: 3 bytes"), "{lines:?}");
    assert!(has("exit status: 3") && !has("stdin: all but 0 bytes"), "{lines:?}");
    assert!(status.success(), "what the child says is the child's affair");
}

#[test]
fn child_pipes_ends_a_child_that_prints_for_ever() {
    let mut command = Command::new(built("child_pipes"));
    command.arg("yes").stderr(Stdio::null());
    let (status, lines) = Running::spawn(command).end();
    assert_eq!((status.code(), lines), (Some(1), Vec::new()));
}

#[test]
fn timers_and_jobs_prints_results_as_they_come() {
    let mut jobs = Running::start("timers_and_jobs", &[]);
    // The last line has no end but that of the input.
    jobs.stdin().write_all(b"1500\n1\none\n2").expect("it reads");
    let (status, mut lines) = jobs.end();
    lines.retain(|line| !line.contains("under way"));
    assert_eq!(lines.pop().as_deref(), Some("job 1: done"));
    lines.sort();
    assert_eq!(lines, ["job 2: done", "job 3: done", "not a number: \"one\""]);
    assert!(status.success());
}

#[test]
fn timers_and_jobs_gives_up_what_takes_too_long() {
    let before = Instant::now();
    let mut jobs = Running::start("timers_and_jobs", &[]);
    let mut stdin = jobs.stdin();
    stdin.write_all(b"20000\n").expect("it reads");
    assert_eq!(jobs.line("1 under way"), "", "a second has passed");
    stdin.write_all(b"1\n").expect("it reads");
    assert_eq!(jobs.line("job 2: "), "done", "meanwhile");
    assert_eq!(jobs.line("job 1: "), "given up");
    assert!(before.elapsed() >= Duration::from_secs(2), "{:?}", before.elapsed());
    drop(stdin);
    let (status, _) = jobs.end();
    assert!(status.success());
    assert!(before.elapsed() < Duration::from_secs(20), "it does not wait for the thread");
}

/// More than may be under way: they wait in the pipe, and none is lost.
#[test]
fn timers_and_jobs_takes_all_of_many() {
    let mut jobs = Running::start("timers_and_jobs", &[]);
    jobs.stdin().write_all(&b"1\n".repeat(1000)).expect("it reads");
    // Eight at a time: without a wake for each the loop would look once a second, and be late.
    let (status, lines) = jobs.end();
    assert_eq!(lines.iter().filter(|line| line.ends_with(": done")).count(), 1000);
    assert!(status.success());
}

/// The end of input stays readable. `times` of the shell says what its child has cost.
#[test]
fn timers_and_jobs_sleeps_after_the_end_of_its_input() {
    let mut command = Command::new("sh");
    command.args(["-c", "\"$0\" && times"]).arg(built("timers_and_jobs"));
    let mut jobs = Running::spawn(command);
    jobs.stdin().write_all(b"1500\n").expect("it reads");
    let (status, lines) = jobs.end();
    assert!(status.success());
    // Two lines, the shell's own and its children's: `0m0.004s 0m0.002s`.
    let seconds = |time: &str| {
        let (minutes, seconds) = time.strip_suffix('s')?.split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
    };
    let last = lines.last().expect("times prints two lines");
    let cost: Vec<_> = last.split_whitespace().filter_map(seconds).collect();
    assert_eq!(cost.len(), 2, "{last}");
    assert!(cost.iter().sum::<f64>() < 0.5, "{last} in 1.5 seconds of waiting");
}
