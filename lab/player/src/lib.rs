//! A recorded run of a server, step by step: the line of its code, what its clients have done, what
//! the kernel holds for it, and what it knows itself.
//!
//! - [`trace`]: the recording, a text file: what the server called, from which line, what it said,
//!   and what its clients did.
//! - [`descriptors`]: whom the numbers in a call stand for.
//! - [`steps`]: the recording as steps. What is in a buffer or a list follows from the calls by the
//!   rules that [`state`] names, and the tests compare it with what the system has told.
//! - [`page`]: the steps for a browser. `lab tour --step` shows the same ones in a terminal.

#![allow(
    missing_docs,
    reason = "public for `lab` and the site; a field that its type's sentence explains needs none"
)]

use judge::language::Language;

pub mod calls;
mod code;
pub mod course;
pub mod descriptors;
pub mod page;
mod questions;
mod rows;
pub mod state;
pub mod steps;
pub mod trace;
mod words;

/// The rules by which the lists and buffers are filled, for the reader of a page, and whether
/// the system has told the same (`doubts`: where it has not).
#[must_use]
pub fn rules(language: Language, doubts: &[String]) -> String {
    let rules = match language {
        Language::English => {
            "This is a recording of a real run. strace recorded the system calls and the lines that \
             made them, and slowed the program down. The messages are the server's own output. What \
             is in the buffers and lists was worked out from the calls. A connection is in the \
             accept queue until accept returns it. Bytes from a client are in the receive buffer \
             until recv takes them. Bytes that the server sent are under way until the client has \
             read them. Bytes that the server received and has not sent back are in its output \
             queue. A watched descriptor enters the ready list when an event arrives for it, or when \
             epoll_ctl finds it ready. epoll_wait takes off what is no longer ready and, \
             edge-triggered, what it reports. Completions are shown as the program printed them. "
        }
        Language::Chinese => {
            "这是一次真实的运行：系统调用和代码行来自 strace（它会拖慢程序），旁白和完成项取自服务端打印的文字。\
             缓冲区和列表是按下面的规则从系统调用推算的：连接在全连接队列里，直到 accept 取走；客户端发来的\
             数据在接收缓冲区里，直到 recv 取走；服务端发出的数据算作在途，直到客户端收到；服务端收到而尚未\
             发出的，在消息队列里。被关注的描述符有事件到来，或者 epoll_ctl 添加、修改时已经就绪，就进入就绪列表；\
             epoll_wait 检查时移出已不就绪的，边缘触发的一经报告也移出。"
        }
    };
    let seen = match (doubts, language) {
        ([], Language::English) => {
            "As a check, the kernel was asked during the run how much was in the accept queue and \
             the receive buffers. Its numbers agree."
                .to_owned()
        }
        ([], Language::Chinese) => {
            "运行时还向系统查询过全连接队列和接收缓冲区里各有多少，结果一致。".to_owned()
        }
        ([first, ..], Language::English) => {
            format!(
                "In {} places the recording disagrees with these rules. The first: {first}.",
                doubts.len()
            )
        }
        ([first, ..], Language::Chinese) => {
            format!("与系统查询的结果不一致，共 {} 处；第一处：{first}。", doubts.len())
        }
    };
    rules.to_owned() + &seen
}

/// A run that can be gone through, in one language.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Play {
    pub program: String,
    /// The functions that the steps are in.
    pub code: Vec<Code>,
    pub steps: Vec<Step>,
}

/// A function of the program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Code {
    /// From the root of the project: `select/src/main.rs`.
    pub file: String,
    pub name: String,
    /// The number of the first line.
    pub from: usize,
    pub lines: Vec<String>,
}

/// What happens, and what there is once it has happened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Step {
    /// In microseconds since the first call.
    pub at: u64,
    /// `A`, `server`, or one of its threads.
    pub who: String,
    /// A call as strace wrote it, or what a client does.
    pub what: String,
    /// One sentence for the reader.
    pub says: String,
    /// Where the server is: which of [`Play::code`], and the number of the line in its file.
    pub place: Option<(usize, usize)>,
    /// What the server has said since the last step.
    pub narration: Vec<String>,
    pub clients: Vec<Row>,
    pub kernel: Vec<Row>,
    pub server: Vec<Row>,
    /// To be asked before this step is shown.
    pub ask: Option<Ask>,
}

/// A list or a buffer, and what is in it; empty if nothing is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    pub label: String,
    pub value: String,
}

/// What happens next?
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ask {
    pub question: String,
    pub options: Vec<String>,
    /// Which of the options.
    pub right: usize,
    /// Why it is that one.
    pub why: String,
}
