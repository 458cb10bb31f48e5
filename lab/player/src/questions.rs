//! What happens next? Asked where a client has done something while the server sleeps.

use crate::Ask;
use crate::rows::Rows;
use crate::state::State;
use crate::steps::Event;
use crate::trace::Deed;
use crate::words::tell;
use judge::language::Language;

/// The question between an event and those that come later, if there is one to ask.
pub(crate) fn question(
    rows: &Rows,
    event: Event<'_>,
    later: &[Event<'_>],
    state: &State,
) -> Option<Ask> {
    let language = rows.language;
    let Event::Act(act) = event else { return None };
    // With several threads it would be another question.
    let [lane] = *rows.lanes else { return None };
    let call = state.asleep.get(&lane)?.clone().filter(|_| act.what.asks())?;
    let name = act.client.name();
    let other = act.client.other();
    let waits = |client| {
        let client = state.client(client);
        !client.sent.is_empty() && client.got.is_empty()
    };
    if matches!(act.what, Deed::Send(_)) && waits(other) {
        let first = later.iter().find_map(|event| match event {
            Event::Act(act) if matches!(act.what, Deed::Receive(_)) => Some(act.client),
            _ => None,
        })?;
        let (late, early) = (name, other.name());
        let options = [other, act.client].map(|client| client.name().to_owned()).to_vec();
        let why = if first == act.client {
            tell!(
                language,
                "The server is blocked in {call} and reads from {late} first. The bytes from \
                 {early} came earlier, but the server has not asked for them yet.",
                "服务端阻塞在 {call} 上，先读的是 {late}。{early} 的数据虽然先到，服务端却还没有去取。"
            )
        } else {
            tell!(language, "What {early} has sent is taken first.", "先取走的是 {early} 的数据。")
        };
        let question = tell!(
            language,
            "{early} sent first, then {late}. Who gets the answer first?",
            "{early} 先发送，{late} 后发送。哪个客户端先收到回复？"
        );
        return Some(Ask { question, options, right: usize::from(first == act.client), why });
    }
    let next = later.iter().find(|event| !matches!(event, Event::Seen(_)))?;
    let returns = matches!(next, Event::Returned { slept: true, .. });
    let done = match (&act.what, language) {
        (Deed::Connect, Language::English) => "has connected",
        (Deed::Connect, Language::Chinese) => "发起了连接",
        (Deed::Send(_), Language::English) => "has sent something",
        (Deed::Send(_), Language::Chinese) => "发来了数据",
        (_, Language::English) => "has closed",
        (_, Language::Chinese) => "关闭了连接",
    };
    let question = tell!(
        language,
        "{name} {done} while the server is blocked in {call}. What happens next?",
        "{name} {done}，服务端阻塞在 {call} 上。接下来会怎样？"
    );
    let options = vec![
        tell!(language, "{call} returns", "{call} 返回"),
        tell!(language, "Nothing: the thread stays blocked in {call}", "{call} 不返回，继续阻塞"),
        tell!(language, "The kernel calls a function of the server", "内核回调服务端的某个函数"),
    ];
    let why = if returns {
        tell!(
            language,
            "{call} waits for this, so the kernel wakes the thread, and {call} returns.",
            "这正是 {call} 在等的事情，所以内核唤醒线程，{call} 返回。"
        )
    } else {
        tell!(
            language,
            "{call} does not wait for this. The kernel keeps what came, a connection or bytes, \
             until the server asks.",
            "{call} 等的不是这个。到来的连接或数据由内核先存着，直到服务端来取。"
        )
    };
    Some(Ask { question, options, right: usize::from(!returns), why })
}
