//! `lab tour`: what it shows happened, in the order in which it shows it, and nothing is left.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn lab(args: &[&str]) -> Command {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    // The report follows the language of the locale.
    lab.env("LC_ALL", "C");
    lab.arg("tour").args(args).stdin(Stdio::null());
    lab
}

/// A whole tour, judged by what holds for all of them.
fn tour(args: &[&str]) -> String {
    let Output { status, stdout, stderr } = lab(args).output().expect("it starts");
    let text = String::from_utf8(stdout).expect("text");
    assert!(status.success() && stderr.is_empty(), "{}{text}", String::from_utf8_lossy(&stderr));
    assert!(!text.contains('\x1b'), "colours are for terminals");
    // The tour is over: nobody listens any more. (A socket that a request of io_uring holds is
    // closed by the kernel in its own time.)
    let addr = text.lines().find_map(|line| line.split_once("│ listening on "));
    let (_, addr) = addr.expect("the server says where it listens");
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(addr).is_ok() {
        assert!(Instant::now() < deadline, "the server is still there:\n{text}");
        thread::sleep(Duration::from_millis(10));
    }
    text
}

/// Each of these comes after the one before it.
fn in_order(text: &str, expected: &[&str]) {
    let mut rest = text;
    for words in expected {
        let Some((_, after)) = rest.split_once(words) else {
            panic!("no '{words}' in what is left:\n{rest}\nof\n{text}");
        };
        rest = after;
    }
}

fn times(text: &str) -> Vec<f64> {
    let time = |line: &str| line.split_whitespace().next()?.parse().ok();
    text.lines().filter(|line| line.contains('│')).filter_map(time).collect()
}

/// The walk through the notes' server: every line stands where it belongs, in every run.
#[test]
fn select_goes_through_the_five_steps_and_serves_two_at_once() {
    let text = tour(&["select"]);
    in_order(
        &text,
        &[
            "1. ",
            "waiting for the next event: inputs [",
            "2. ",
            "A connects",
            "new connection",
            "3. ",
            "A sends b'hello'",
            "writable []",
            "received b'hello'",
            "4. ",
            "readable []",
            "sending b'hello'",
            "output queue",
            "5. ",
            "outputs []",
            "A receives b'hello'",
            "B connects",
            "new connection",
            "held",
            "B sends b'hi'",
            "A sends b'again'",
            "goes on",
            "received b'again'",
            "received b'hi'",
            "sending b'again'",
            "sending b'hi'",
            "B receives b'hi'",
            "A receives b'again'",
            "A closes",
            "no more data",
            "closing",
            "B closes",
            "closing",
        ],
    );
    let times = times(&text);
    assert!(times.len() > 30 && times.is_sorted(), "{times:?}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn the_steps_are_told_in_chinese_too() {
    let text = tour(&["select", "--lang", "zh"]);
    let steps = [
        "1. 循环",
        "2. 客户端",
        "A 连接",
        "3. 客户端",
        "A 发送",
        "4. 回复",
        "5. 下一轮",
        "A 收到",
        "A 关闭",
    ];
    in_order(&text, &steps);
    assert!(text.contains("received b'hello'"), "the server narrates in its own language");
}

#[cfg(target_os = "linux")]
#[test]
fn epoll_makes_the_four_observations() {
    let observations = |name, more: [&[&str]; 2]| {
        let expected = [
            &["1. ", "waiting for the next event", "asleep in epoll_", "2. ", "A connects"],
            &["EPOLLIN)]", "new connection", "3. ", "A sends b'hello'"][..],
            more[0],
            &["received b'hello'"],
            more[1],
            &["sending b'hello'", "A receives b'hello'", "4. ", "A closes", "closing"],
        ];
        in_order(&tour(&[name]), &expected.concat());
        in_order(
            &tour(&[name, "--lang", "zh"]),
            &["1. 还没有", "2. 客户端", "3. 客户端", "4. 每个"],
        );
    };
    observations("epoll_edge", [&["EPOLLIN|EPOLLOUT)]"], &[]]);
    observations("epoll", [&["EPOLLIN)]"], &["EPOLL_CTL_MOD", "EPOLLOUT)]"]]);
}

/// Nobody hears B before A has left, though B is connected and has sent.
#[test]
fn a_blocking_server_has_one_client_at_a_time() {
    let story = [
        "B connects",
        "B sends b'hi'",
        "B receives nothing",
        "A sends b'hello'",
        "A receives b'hello'",
        "A closes",
        "received b'hi'",
        "B receives b'hi'",
        "B closes",
    ];
    in_order(&tour(&["blocking"]), &story);
}

#[test]
fn all_that_are_listed_can_be_toured() {
    let list = lab(&[]).output().expect("it starts");
    let list = String::from_utf8(list.stdout).expect("text");
    let names: Vec<_> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains(&"selectors") && !names.contains(&"chat_room"), "{names:?}");
    for name in names {
        // A container may forbid io_uring; then the program says so, and that is all there is.
        let tried = lab(&[name]).output().expect("it starts");
        if !String::from_utf8_lossy(&tried.stderr).contains("io_uring") {
            // One that speaks frames or lines gets and sends more than the text.
            let steps = ["A connects", "A sends", "hello", "A receives", "hello"];
            in_order(&tour(&[name]), &steps);
        }
    }
}

#[test]
fn a_wrong_name_is_one_line() {
    for name in ["no_such_program", "select_level"] {
        let Output { status, stdout, stderr } = lab(&[name]).output().expect("it starts");
        let stderr = String::from_utf8_lossy(&stderr);
        assert_eq!((status.code(), stdout.len(), stderr.lines().count()), (Some(2), 0, 1));
        assert!(stderr.contains(name) && stderr.contains("epoll_edge"), "{stderr}");
    }
}

/// `lab tour select | head -1`
#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let mut lab = lab(&["select", "--pause", "0.1"]);
    let lab = lab.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut lab = lab.expect("it starts");
    let mut line = String::new();
    let mut stdout = BufReader::new(lab.stdout.take().expect("it is piped"));
    stdout.read_line(&mut line).expect("a line");
    drop(stdout);
    let output = lab.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(1), ""));
}
