//! Which clock runs, and what wakes the server when it has run down.

use super::Mistake;

pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "wait_without_deadline",
        program: "deadlines",
        file: "poll/src/bin/deadlines.rs",
        before: "time_left.map_or(PollTimeout::NONE, timeout)",
        after: "time_left.map_or(PollTimeout::NONE, |_| PollTimeout::NONE)",
        wrong: [
            "the wait has no time-out: who is late is seen only when another client sends something",
            "等待没有超时：有客户端到期了，要等别的客户端发来数据才会发现",
        ],
        notes: "",
        checks: &["silent"],
    },
    Mistake {
        name: "byte_restarts_clock",
        program: "deadlines",
        file: "poll/src/bin/deadlines.rs",
        before: "        if self.inbox.unfinished().is_empty() {
            self.begun = now;
        }
",
        after: "        self.begun = now;
",
        wrong: [
            "each byte starts the message's clock again: a byte now and then is enough to stay",
            "每来一个字节，消息的时钟就重新计时：隔一会儿发一个字节就能一直占着",
        ],
        notes: "",
        checks: &["slow_message"],
    },
    Mistake {
        name: "unread_without_end",
        program: "deadlines",
        file: "poll/src/bin/deadlines.rs",
        before: "        if self.connection.wants_write() {
            (self.taken + limits.unread, Late::Unread)
        } else if !self.inbox.unfinished().is_empty() {
",
        after: "        if !self.inbox.unfinished().is_empty() {
",
        wrong: [
            "unread answers have no clock: a client that sends and never reads is kept as long as \
             it likes",
            "未读的回复没有时钟：只发不读的客户端，想占多久就占多久",
        ],
        notes: "",
        checks: &["unread_answers"],
    },
];
