//! The committed recordings: each can be played, its lines are the code's as it is now, and what
//! the rules say is what the system has told.

use judge::language::Language;
use judge::reading::root;
use player::Play;
use player::course::{PLAYED, path, plays};
use player::steps::doubts;
use player::trace::Trace;

fn text(program: &str) -> String {
    std::fs::read_to_string(path(&root(), program)).expect("a recording")
}

fn play(program: &str, language: Language) -> Play {
    plays(&root(), program, language).expect("it can be played").expect("it is recorded")
}

/// How the course's programs spell a call: by its own name, or by that of a method which makes it.
const SPELLED: [(&str, &[&str]); 13] = [
    ("select", &["select("]),
    ("poll", &["poll("]),
    ("epoll_wait", &[".wait("]),
    ("epoll_ctl", &[".add(", ".modify(", ".delete("]),
    ("io_uring_enter", &["submit_and_wait("]),
    ("accept", &[".admit()", ".accept("]),
    ("getpeername", &[".admitted("]),
    ("recv", &[".receive(", ".receive_and_send(", ".recv("]),
    ("read", &[".read("]),
    ("send", &[".send_queued()", ".receive_and_send(", ".send("]),
    ("write", &[".write("]),
    ("connect", &[".connect("]),
    // Rust closes what it drops.
    ("close", &["drop(", ".remove(", ".retain(", ".retain_mut("]),
];

#[test]
fn the_highlighted_line_holds_the_call_that_the_step_names() {
    let mut seen = 0;
    for program in PLAYED {
        let play = play(program, Language::English);
        for step in play.steps.iter().filter(|step| step.what.contains('(')) {
            // strace tells the line when a call returns, and this one does not: the main thread
            // waits for the others to end.
            if step.what == "futex(…)" && step.place.is_none() {
                continue;
            }
            let (code, line) = step.place.unwrap_or_else(|| panic!("{program}: no line: {step:?}"));
            let code = &play.code[code];
            let line = &code.lines[line - code.from];
            let call = step.what.split('(').next().unwrap_or_default();
            let spelled = SPELLED.iter().filter(|(name, _)| *name == call);
            let mut spelled = spelled.flat_map(|(_, spelled)| *spelled);
            assert!(spelled.any(|word| line.contains(word)), "{program}: {call} in `{line}`");
            seen += 1;
        }
    }
    assert!(seen > 200, "{seen} calls");
}

#[test]
fn the_rules_say_what_the_system_has_told() {
    for program in PLAYED {
        let trace = Trace::parse(&text(program)).expect("a recording");
        assert_eq!(doubts(&trace), Vec::<String>::new(), "{program}");
        assert!(trace.seen.len() > 5, "{program}: the system was asked");
    }
}

/// Otherwise they would hold of anything.
#[test]
fn a_recording_that_was_bent_is_doubted() {
    let bent = [
        ("select", "waiting 0; A unread 0", "waiting 1; A unread 0"),
        ("select", "waiting 0; A unread 0", "waiting 0; A unread 3"),
        ("select", "= 1 (in [4])", "= 1 (in [5])"),
        ("poll", "[{fd=4, revents=POLLIN}]", "[{fd=5, revents=POLLIN}]"),
        (
            "epoll",
            "recvfrom(5, \"hello\", 1024, 0, NULL, NULL) = 5",
            "recvfrom(5, \"\", 1024, 0) = 0",
        ),
    ];
    for (program, from, to) in bent {
        let text = text(program);
        assert!(text.contains(from), "{program}: {from}");
        let trace = Trace::parse(&text.replace(from, to)).expect("still a recording");
        assert!(!doubts(&trace).is_empty(), "{program}: {to}");
    }
}

#[test]
fn a_line_that_stands_elsewhere_now_is_named() {
    let mut trace = Trace::parse(&text("select")).expect("a recording");
    let place = trace.calls[0].place.as_mut().expect("its lines are known");
    place.line += 1;
    let why = player::steps::play(&trace, &root(), Language::English).expect_err("it is bent");
    assert!(why.starts_with("select/src/main.rs:") && why.contains("record the run anew"), "{why}");
}

/// What a reader is asked, and what is right.
#[test]
fn a_question_is_about_what_comes_next() {
    for language in Language::BOTH {
        let asked = |program| -> Vec<usize> {
            let steps = play(program, language).steps;
            steps.iter().filter_map(|step| step.ask.as_ref()).map(|ask| ask.right).collect()
        };
        // A connects; B connects, and sends: nothing; A is answered first; A closes.
        assert_eq!(asked("blocking"), [0, 1, 1, 1, 0]);
        assert_eq!(asked("select"), [0; 5]);
        assert_eq!(asked("nonblocking"), [0; 0], "it never sleeps");
    }
}

/// What has passed stays listed until epoll_wait looks again; edge-triggered it is gone at once.
#[test]
fn a_ready_list_is_the_kernels() {
    let listed = |program, call: &str| {
        let steps = play(program, Language::English).steps;
        let step = steps.into_iter().find(|step| step.what.starts_with(call));
        let rows = step.unwrap_or_else(|| panic!("no {call}")).kernel;
        rows.into_iter().find(|row| row.label.starts_with("ready list")).map(|row| row.value)
    };
    let has =
        |program, call, value: &str| assert_eq!(listed(program, call).as_deref(), Some(value));
    has("epoll", "recv(6, \"hi\"", "B (6): nothing now");
    has("epoll", "epoll_ctl(4, EPOLL_CTL_MOD, 6", "B (6): EPOLLOUT");
    has("epoll", "send(6", "B (6): EPOLLOUT");
    has("epoll_edge", "recv(6, \"hi\"", "");
    has("epoll_edge", "epoll_ctl(4, EPOLL_CTL_ADD, 5", "A (5): EPOLLOUT");
}

#[test]
fn at_the_end_everything_is_where_it_belongs() {
    for program in PLAYED {
        let [english, chinese] = Language::BOTH.map(|language| play(program, language));
        assert_eq!(english.steps.len(), chinese.steps.len(), "{program}");
        let last = english.steps.last().expect("it has steps");
        let value = |label: &str| {
            let rows = last.clients.iter().chain(&last.kernel).chain(&last.server);
            rows.filter(|row| row.label == label).map(|row| row.value.clone()).next()
        };
        let a = "has sent \"hello\", has received \"hello\", has closed";
        assert_eq!(value("A").as_deref(), Some(a), "{program}");
        assert_eq!(
            value("B").as_deref(),
            Some("has sent \"hi\", has received \"hi\""),
            "{program}"
        );
        assert_eq!(value("accept queue").as_deref(), Some(""), "{program}");
        assert_eq!(value("receive buffer (from A)"), None, "{program}: A's descriptor is closed");
        assert!(chinese.steps.iter().all(|step| !step.says.is_ascii()), "{program}");
    }
}
