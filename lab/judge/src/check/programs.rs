//! The programs of the course, a row for each way of running one: how it is judged, and what it
//! cannot hold, by nature.

use super::client::Answer;
pub use super::program::Program;
use super::subject::{Gives, Order, Registers};
use super::suite::DEADLINES;
use crate::language::said;

/// Some C libraries, and the newer architectures, have pselect6 only.
const SELECT: &[&str] = &["select", "pselect6"];
const POLL: &[&str] = &["poll", "ppoll"];
const EPOLL: &[&str] = &["epoll_wait", "epoll_pwait", "epoll_pwait2"];
const ACCEPT: &[&str] = &["accept", "accept4"];
const RECV: &[&str] = &["recvfrom", "read"];
const SLEEP: &[&str] = &["nanosleep", "clock_nanosleep"];

const FD_SETSIZE: (&str, [&str; 2]) = (
    "many_clients",
    [
        "select(2) knows no descriptor above 1023: further clients are told so and turned away",
        "select(2) 只认识 1023 以内的描述符：更多的客户端会收到说明并被拒绝",
    ],
);

const ASKS_WITHOUT_PAUSE: [&str; 2] = [
    "it asks every socket, always, and never waits: one core burnt, the lesson",
    "它不停地轮询每个套接字，从不等待：占满一个核，这正是要看的",
];

const NOBODY_ACCEPTS: [&str; 2] = [
    "nobody accepts, so select(2) reports the listener again and again: the lesson",
    "没有人调用 accept，select(2) 就一再报告监听套接字：这正是要看的",
];

/// The first thread waits for the others, which have the loops.
const WAITS_FOR_THREADS: &[&str] = &["futex"];

/// What the programs of one model have in common; a row says what differs.
const SELECT_PROGRAM: Program = Program {
    name: "select",
    package: "select",
    binary: "select",
    args: &[],
    answer: Answer::Echo,
    gives: Gives::Answers,
    asleep_in: SELECT,
    order: Order::Connected,
    registers: Registers::LISTENER_FIRST,
    hands_on: false,
    own_checks: &[],
    exceptions: &[FD_SETSIZE],
    here: true,
};

const BLOCKING_PROGRAM: Program = Program {
    name: "blocking",
    package: "blocking",
    binary: "blocking",
    args: &["--reply", "echo"],
    answer: Answer::Echo,
    // Of the clients that wait the kernel takes care.
    gives: Gives::AnswersOne,
    asleep_in: RECV,
    order: Order::Unsaid,
    registers: Registers::LISTENER_FIRST,
    hands_on: false,
    own_checks: &[],
    exceptions: &[],
    here: true,
};

const NONBLOCKING_PROGRAM: Program = Program {
    name: "nonblocking",
    package: "nonblocking",
    binary: "nonblocking",
    args: &["--reply", "echo"],
    answer: Answer::Echo,
    gives: Gives::Answers,
    asleep_in: &[],
    // It scans a list, and whoever asks all the time is always somewhere in the middle of it.
    order: Order::Unsaid,
    registers: Registers::LISTENER_FIRST,
    hands_on: false,
    own_checks: &[],
    exceptions: &[
        ("urgent", ASKS_WITHOUT_PAUSE),
        ("out_of_descriptors", ASKS_WITHOUT_PAUSE),
        ("idle_cpu", ASKS_WITHOUT_PAUSE),
        ("asleep_in", ASKS_WITHOUT_PAUSE),
        ("stop_continue", ASKS_WITHOUT_PAUSE),
    ],
    here: true,
};

const POLL_PROGRAM: Program = Program {
    name: "poll",
    package: "poll",
    binary: "poll",
    args: &[],
    answer: Answer::Echo,
    gives: Gives::Answers,
    asleep_in: POLL,
    order: Order::Connected,
    registers: Registers::LISTENER_FIRST,
    hands_on: false,
    own_checks: &[],
    exceptions: &[],
    here: true,
};

const EPOLL_PROGRAM: Program = Program {
    name: "epoll",
    package: "epoll",
    binary: "epoll",
    asleep_in: EPOLL,
    order: Order::Arrived,
    here: cfg!(any(target_os = "linux", target_os = "android")),
    ..POLL_PROGRAM
};

/// Four loops: which of them is faster is the scheduler's to say.
const LOOPS_PROGRAM: Program = Program {
    name: "loops",
    binary: "loops",
    asleep_in: WAITS_FOR_THREADS,
    order: Order::Unsaid,
    registers: Registers { with: &["--loops", "1"], call: 2 },
    ..EPOLL_PROGRAM
};

/// On the best backend of the system: epoll on Linux, and only there does the judge see in what a
/// server sleeps and when its answers arrive.
const SELECTORS_PROGRAM: Program = Program {
    name: "selectors",
    package: "selectors",
    binary: "selectors",
    args: &["--reply", "echo"],
    asleep_in: EPOLL,
    order: Order::Arrived,
    ..POLL_PROGRAM
};

const URING_PROGRAM: Program = Program {
    name: "uring",
    package: "uring",
    binary: "uring",
    asleep_in: &["io_uring_enter"],
    order: Order::Arrived,
    here: cfg!(target_os = "linux"),
    ..POLL_PROGRAM
};

/// All of them.
pub const PROGRAMS: &[Program] = &[
    SELECT_PROGRAM,
    Program {
        name: "select_readable",
        binary: "select_readable",
        args: &["--reply", "echo"],
        exceptions: &[
            FD_SETSIZE,
            (
                "never_reads",
                [
                    "one list and send at once: a client that leaves its answers unread is turned \
                     out",
                    "只有一张列表，收到就发：不读回复的客户端会被断开",
                ],
            ),
        ],
        ..SELECT_PROGRAM
    },
    Program {
        name: "select_level",
        binary: "select_level",
        gives: Gives::Nothing,
        exceptions: &[
            ("idle_cpu", NOBODY_ACCEPTS),
            ("asleep_in", NOBODY_ACCEPTS),
            ("stop_continue", NOBODY_ACCEPTS),
        ],
        ..SELECT_PROGRAM
    },
    Program {
        name: "chat_room",
        binary: "chat_room",
        gives: Gives::Connections,
        exceptions: &[],
        ..SELECT_PROGRAM
    },
    Program {
        name: "slow_reply_sleep",
        binary: "slow_reply",
        args: &["--how", "sleep", "--delay", "0.002", "--chunk", "65536"],
        ..SELECT_PROGRAM
    },
    Program {
        name: "slow_reply_timer",
        binary: "slow_reply",
        args: &["--how", "timer", "--delay", "0.002", "--chunk", "65536"],
        ..SELECT_PROGRAM
    },
    Program {
        name: "slow_reply_worker",
        binary: "slow_reply",
        args: &["--how", "worker", "--delay", "0.002", "--chunk", "65536"],
        // The threads finish as the scheduler lets them.
        order: Order::Unsaid,
        ..SELECT_PROGRAM
    },
    Program {
        name: "services",
        binary: "services",
        args: &["--daytime", "127.0.0.1:0"],
        ..SELECT_PROGRAM
    },
    BLOCKING_PROGRAM,
    Program {
        name: "thread_per_connection",
        binary: "thread_per_connection",
        gives: Gives::Answers,
        asleep_in: ACCEPT,
        ..BLOCKING_PROGRAM
    },
    Program {
        name: "process_per_connection",
        binary: "process_per_connection",
        gives: Gives::Answers,
        asleep_in: POLL,
        ..BLOCKING_PROGRAM
    },
    Program {
        name: "thread_pool",
        binary: "thread_pool",
        args: &["--reply", "echo", "--workers", "250"],
        gives: Gives::Answers,
        asleep_in: ACCEPT,
        exceptions: &[(
            "many_clients",
            [
                "a pool has an end: clients beyond its 250 workers wait until one leaves",
                "线程池有上限：250 个线程之外的客户端要等到有客户端断开",
            ],
        )],
        ..BLOCKING_PROGRAM
    },
    NONBLOCKING_PROGRAM,
    Program {
        name: "nonblocking_accept",
        binary: "nonblocking_accept",
        args: &["--pause", "20"],
        gives: Gives::Connections,
        asleep_in: SLEEP,
        exceptions: &[],
        ..NONBLOCKING_PROGRAM
    },
    POLL_PROGRAM,
    Program { name: "signals", binary: "signals", ..POLL_PROGRAM },
    Program { name: "frames_length", binary: "frames", answer: Answer::Frames, ..POLL_PROGRAM },
    Program {
        name: "frames_lines",
        binary: "frames",
        args: &["--framing", "lines"],
        answer: Answer::Lines,
        ..POLL_PROGRAM
    },
    Program {
        name: "deadlines",
        binary: "deadlines",
        answer: Answer::Lines,
        own_checks: DEADLINES,
        ..POLL_PROGRAM
    },
    Program {
        name: "proxy",
        binary: "proxy",
        // Where it is started, the address of the server behind it stands here.
        args: &["--to", "127.0.0.1:8002"],
        hands_on: true,
        // The answers come in the order of the server behind it.
        order: Order::Unsaid,
        ..POLL_PROGRAM
    },
    EPOLL_PROGRAM,
    Program { name: "epoll_edge", binary: "epoll_edge", ..EPOLL_PROGRAM },
    Program { name: "epoll_direct", binary: "epoll_direct", ..EPOLL_PROGRAM },
    Program { name: "loops_handed", args: &["--how", "handed"], ..LOOPS_PROGRAM },
    Program { name: "loops_shared", args: &["--how", "shared"], ..LOOPS_PROGRAM },
    Program { name: "loops_exclusive", args: &["--how", "exclusive"], ..LOOPS_PROGRAM },
    Program {
        name: "loops_own",
        args: &["--how", "own"],
        exceptions: &[(
            "port_in_use",
            [
                "SO_REUSEPORT: a second server of the same user may have the same port, and gets \
                 some of the clients",
                "SO_REUSEPORT：同一用户的第二个服务器也能绑定这个端口，并分走一部分客户端",
            ],
        )],
        ..LOOPS_PROGRAM
    },
    Program {
        name: "loops_oneshot",
        args: &["--how", "oneshot"],
        // A client; the listener again; the client again; and the next client.
        registers: Registers { with: &["--loops", "1"], call: 4 },
        ..LOOPS_PROGRAM
    },
    SELECTORS_PROGRAM,
    Program {
        name: "selectors_poll",
        args: &["--reply", "echo", "--backend", "poll"],
        asleep_in: POLL,
        order: Order::Connected,
        ..SELECTORS_PROGRAM
    },
    Program {
        name: "selectors_select",
        args: &["--reply", "echo", "--backend", "select"],
        asleep_in: SELECT,
        order: Order::Connected,
        exceptions: &[FD_SETSIZE],
        ..SELECTORS_PROGRAM
    },
    Program { name: "selectors_queue", binary: "selectors_queue", ..SELECTORS_PROGRAM },
    Program {
        name: "selectors_queue_poll",
        binary: "selectors_queue",
        args: &["--reply", "echo", "--backend", "poll"],
        asleep_in: POLL,
        order: Order::Connected,
        ..SELECTORS_PROGRAM
    },
    Program {
        name: "selectors_queue_select",
        binary: "selectors_queue",
        args: &["--reply", "echo", "--backend", "select"],
        asleep_in: SELECT,
        order: Order::Connected,
        exceptions: &[FD_SETSIZE],
        ..SELECTORS_PROGRAM
    },
    Program { name: "coroutines", binary: "coroutines", ..SELECTORS_PROGRAM },
    URING_PROGRAM,
    Program {
        name: "uring_once",
        binary: "uring_once",
        gives: Gives::AnswersOne,
        order: Order::Unsaid,
        ..URING_PROGRAM
    },
];

/// The rows that `name` stands for: one way of running a binary, or all ways of it.
pub fn named(name: &str) -> Vec<&'static Program> {
    PROGRAMS.iter().filter(|row| row.name == name || row.binary == name).collect()
}

/// The first way of running the program `name` that answers by itself.
///
/// # Errors
///
/// In words, with those that there are.
pub fn answering(name: &str) -> Result<&'static Program, String> {
    let answers = |row: &&Program| row.gives >= Gives::AnswersOne;
    let mut known = PROGRAMS.iter().filter(answers);
    let called = |row: &&Program| row.name == name || row.binary == name;
    known.find(called).ok_or_else(|| {
        let known: Vec<_> = PROGRAMS.iter().filter(answers).map(|row| row.name).collect();
        said!(
            "no program '{name}' that answers by itself: there are {}",
            "没有能独自应答的程序“{name}”：有 {}",
            known.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::suite::CHECKS;
    use std::collections::HashSet;

    #[test]
    fn every_way_has_a_name_of_its_own() {
        let names: HashSet<_> = PROGRAMS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), PROGRAMS.len());
        assert_eq!(named("slow_reply").len(), 3);
        assert_eq!(named("slow_reply_timer").len(), 1);
        assert!(named("no_such_program").is_empty());
    }

    #[test]
    fn exceptions_name_checks_that_are_asked() {
        for row in PROGRAMS {
            for (name, why) in row.exceptions {
                let check = CHECKS.iter().find(|check| check.name == *name);
                let check = check.unwrap_or_else(|| panic!("{}: no check {name}", row.name));
                assert!(check.needs <= row.gives, "{}: {name} is not asked anyway", row.name);
                assert!(why.iter().all(|words| !words.is_empty()));
            }
        }
    }
}
