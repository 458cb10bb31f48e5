//! `connect_first`: several addresses, and the first that answers.

mod support;

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use support::*;

const CLIENT: &str = env!("CARGO_BIN_EXE_connect_first");

/// An attempt is given so long that nothing here happens because its time is over.
const PATIENT: [&str; 2] = ["--every", "60000"];

fn connect_first(addresses: &[&str], options: &[&str]) -> Ended {
    start_at(addresses, options).finish()
}

fn start_at(addresses: &[&str], options: &[&str]) -> Program {
    let each = addresses.iter().flat_map(|address| ["--addr", address]);
    start(CLIENT, &each.chain(options.iter().copied()).collect::<Vec<_>>())
}

/// A listener that accepts nobody, and has room: its kernel completes the connection.
fn open() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    (listener, address)
}

impl Ended {
    /// It has connected to `address`: after how many milliseconds.
    fn connected_to(&self, address: &str) -> u32 {
        assert_eq!(self.status.code(), Some(0), "{self}");
        let line = String::from_utf8_lossy(&self.stdout);
        let words = line.strip_prefix(&format!("connected to {address} after "));
        let millis = words.and_then(|words| words.strip_suffix(" ms\n"));
        let millis = millis.unwrap_or_else(|| panic!("not connected to {address}: {self}"));
        millis.parse().expect("a number")
    }
}

#[test]
fn a_server_that_answers_is_connected_to_and_told() {
    let (_server, address) = open();
    let ended = connect_first(&[&address], &["--quiet"]);
    ended.connected_to(&address);
    ended.ok();
}

/// Each step of connect(2) is told: begun, writable, asked.
#[test]
fn accepted_is_an_event_and_so_error_is_0() {
    let (_server, address) = open();
    let ended = connect_first(&[&address], &[]);
    ended.connected_to(&address);
    for words in [
        &format!("connect to {address}: EINPROGRESS, descriptor 3\n"),
        "waiting for the next event: [(3, POLLOUT)], at most ",
        "ready: [(3, POLLOUT)]\n",
        &format!("{address} is decided, SO_ERROR: 0: connected\n"),
    ] {
        assert!(ended.stderr.contains(words), "{words}: {ended}");
    }
}

#[test]
fn refused_is_an_event_too_and_the_next_address_has_its_turn_at_once() {
    let (_refusing, refused) = refusing();
    let (_server, address) = open();
    let ended = connect_first(&[&refused, &address], &PATIENT);
    let millis = ended.connected_to(&address);
    assert!(millis < 5_000, "{ended}");
    let words = format!("{refused} is decided, SO_ERROR: ECONNREFUSED (Connection refused)\n");
    assert!(ended.stderr.contains(&words), "{ended}");
}

/// Some addresses fail without a packet. (A link-local address without an interface: EINVAL, or
/// no IPv6 at all.)
#[test]
fn an_address_that_fails_in_connect_itself_costs_no_time() {
    let (_server, address) = open();
    let ended = connect_first(&["[fe80::1]:1", &address], &PATIENT);
    let millis = ended.connected_to(&address);
    assert!(millis < 5_000, "{ended}");
    assert!(ended.stderr.starts_with("connect to [fe80::1]:1: E"), "{ended}");
}

#[test]
fn when_all_are_refused_one_line_says_it_for_each() {
    let ((_one, one), (_other, other)) = (refusing(), refusing());
    let line = format!(
        "connect_first: no connection: {one}: Connection refused; {other}: Connection refused \
         (is a server running? cargo run -p select starts one)\n"
    );
    connect_first(&[&one, &other], &["--quiet"]).says(1, &line);
}

#[test]
fn a_host_name_is_looked_up() {
    let (server, _) = open();
    let port = server.local_addr().expect("bound").port();
    let ended = connect_first(&[&format!("localhost:{port}")], &[]);
    ended.connected_to(&format!("127.0.0.1:{port}"));
}

#[test]
fn an_unknown_host_is_one_line() {
    let ended = connect_first(&["no.such.host.invalid:1"], &[]);
    ended.says(1, "cannot connect to no.such.host.invalid:1: unknown host (");
}

#[test]
fn a_reader_that_has_left_is_no_reason_to_complain() {
    let (_server, address) = open();
    let (ours, theirs) = UnixStream::pair().expect("descriptors are free");
    drop(ours);
    let mut command = Command::new(CLIENT);
    command.args(["--quiet", "--addr", &address]).stdin(Stdio::null());
    let output = command.stdout(OwnedFd::from(theirs)).stderr(Stdio::piped()).output();
    let output = output.expect("the program was built");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success(), "{}", output.status);
}

#[test]
fn bad_command_lines_end_with_one_line_and_status_2() {
    check_bad_command_lines(CLIENT);
    for (args, words) in [
        (["--every", "60001"], "60001 is not in 0..=60000"),
        (["--every", "soon"], "invalid digit"),
        (["--timeout", "soon"], "expected seconds, such as 5 or 0.5"),
        (["--timeout", "86401"], "expected 0 to 86400 seconds"),
    ] {
        run(CLIENT, &args, b"").says(2, words);
    }
}

/// Silence: an accept queue that is full. Only Linux drops what it has no room for; others answer
/// in one way or another.
#[cfg(target_os = "linux")]
mod silence {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn unanswered_is_no_event_and_the_next_attempt_starts_beside_it() {
        let (_listener, _client, silent) = silent();
        let (_server, address) = open();
        let ended = connect_first(&[&silent, &address], &["--every", "300"]);
        let millis = ended.connected_to(&address);
        assert!((300..5_000).contains(&millis), "{ended}");
        for words in ["[(3, POLLOUT)], at most 300 ms\nready: []\n", "[(3, POLLOUT), (4, POLLOUT)]"]
        {
            assert!(ended.stderr.contains(words), "{words}: {ended}");
        }
        let last = format!("closing the attempt at {silent}\n");
        assert!(ended.stderr.ends_with(&last), "{ended}");
    }

    /// The first has no answer yet, and the second not either. The first gets one when there is
    /// room, and its kernel asks again; it would be lost if it were given up for the second.
    #[test]
    fn an_attempt_goes_on_when_the_next_one_starts_and_may_still_win() {
        let ((listener, _client, slow), (_other, _its_client, silent)) = (silent(), silent());
        let mut client = start_at(&[&slow, &silent], &["--every", "10"]);
        client.hear(&[&format!("connect to {silent}: EINPROGRESS")]);
        listener.accept().expect("one waits");
        let ended = client.finish();
        ended.connected_to(&slow);
        assert!(ended.stderr.ends_with(&format!("closing the attempt at {silent}\n")), "{ended}");
    }

    /// Two attempts are two waits, of which the second has some milliseconds and a fraction. If its
    /// time-out were rounded down, the fraction would be spent in waits of 0.
    #[test]
    fn no_wait_is_too_short() {
        let (_listener, _client, silent) = silent();
        let ended = connect_first(&[&silent, &silent], &["--every", "990", "--timeout", "1"]);
        let waits = ended.stderr.matches("waiting for the next event").count();
        assert!(waits <= 2, "{waits} waits: {ended}");
    }

    #[test]
    fn the_time_out_ends_it() {
        let (_listener, _client, silent) = silent();
        let ended = connect_first(&[&silent], &["--timeout", "1"]);
        let (_, line) = ended.stderr.rsplit_once("ready: []\n").expect("nothing came");
        let words = line.strip_prefix("connect_first: no connection in ").expect(line);
        let (millis, rest) = words.split_once(" ms: ").expect(line);
        let millis: u32 = millis.parse().expect("a number");
        assert!((1_000..5_000).contains(&millis), "{line}");
        let advice = "is the address right, and its machine on the network?";
        assert_eq!(rest, format!("{silent}: no answer ({advice})\n"));
        assert_eq!(ended.status.code(), Some(1));
    }

    /// The wait's time-out is the nearer of two moments: here the end, not the next attempt.
    #[test]
    fn the_time_out_does_not_wait_for_the_next_attempt() {
        let ((_one, _client, silent), (_refusing, never)) = (silent(), refusing());
        let ended =
            connect_first(&[&silent, &never], &["--quiet", "--timeout", "1", "--every", "60000"]);
        ended.says(1, &format!(" ms: {silent}: no answer; {never}: not tried ("));
    }

    /// Failed attempts are closed when they fail, not when all is over.
    #[test]
    fn only_attempts_under_way_hold_a_descriptor() {
        let ((_one, _client, first), (_other, _its_client, last)) = (silent(), silent());
        let refusing: Vec<_> = (0..5).map(|_| refusing()).collect();
        let refused = refusing.iter().map(|(_, address)| address.as_str());
        let all: Vec<_> = [&*first].into_iter().chain(refused).chain([&*last]).collect();
        let mut client = start_at(&all, &["--every", "0"]);
        // Five have failed, and it waits for the other two.
        let decided = refusing.iter().map(|(_, address)| format!("{address} is decided"));
        let decided: Vec<_> = decided.chain([format!("connect to {last}")]).collect();
        client.hear(&decided.iter().map(String::as_str).collect::<Vec<_>>());
        let folder = format!("/proc/{}/fd", client.child.id());
        let sockets = || {
            let links = std::fs::read_dir(&folder).expect("it is running");
            let links = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
            links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
        };
        // It says how an attempt ended, and then closes it.
        let deadline = Instant::now() + PATIENCE;
        while sockets() > 2 {
            assert!(Instant::now() < deadline, "{} sockets are open", sockets());
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(sockets(), 2);
    }

    #[test]
    fn a_full_disk_is_told() {
        let (_server, address) = open();
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
        let mut command = Command::new(CLIENT);
        command.args(["--quiet", "--addr", &address]).stdin(Stdio::null());
        let output = command.stdout(full).output().expect("the program was built");
        let words = "connect_first: cannot write standard output: No space left on device\n";
        assert_eq!(String::from_utf8_lossy(&output.stderr), words);
        assert_eq!(output.status.code(), Some(1));
    }
}
