//! Every word in the figures, in both languages: the one table to read when a term changes.

use super::canvas::Label;
use judge::language::Words;
use player::descriptors::Who;

pub const fn both(en: &'static str, zh: &'static str) -> Label {
    Label { en, zh }
}

/// A name from the program is the same in every language.
pub const fn code(name: &'static str) -> Label {
    both(name, name)
}

// timeline
pub const CLIENT_B: Label = both("client B", "客户端 B");
pub const CLIENT_A: Label = both("client A", "客户端 A");
pub const KERNEL_COPIES: Label = both("kernel copies", "内核拷贝");
pub const SERVER: Label = both("server", "服务端");
pub const COPIES: Label = both("copies", "拷贝");
pub const STILL_WAITS: Label = both("still waits", "还在等");
pub const NOTHING_YET: Label = both("0: end", "0：结束");
pub const WRITABLE: Label = both("writable", "可写");
pub const PAUSE_ENDS: Label = both("a pause", "停顿");
pub const OTHER_THREAD: Label = both("another thread", "另一个线程");
pub const KEPT_MEANWHILE: Label = both("kept by the kernel", "先留在内核里");
pub const KEY_ASLEEP: Label = both("asleep in the call, and for whom", "阻塞在这个调用上，等什么");
pub const KEY_MOVES: Label =
    both("woken if asleep, and bytes are copied", "（睡着的先醒来）拷贝字节");
pub const KEY_BRIEF: Label = both("a call that returns at once", "立即返回的调用");
pub const KEY_EAGAIN: Label = both("asks again and again, awake", "醒着，一遍又一遍地问");
pub const KEY_OWN: Label = both("the program's own code", "程序自己的代码");
pub const KEY_ANSWER: Label = both("the client waits for its answer", "客户端在等回复");
pub const NOT_TO_SCALE: [Label; 2] = [
    both(
        "Not to scale: what takes ten times as long is drawn only a little wider. The times are as measured,",
        "宽度不按比例：时间长十倍，只画得宽一点。标出的时间是实测的；",
    ),
    both(
        "under strace, which stops the program at each call and so makes calls and code slower than they are.",
        "strace 让程序在每次调用时停一下，所以调用和代码都比平时慢。",
    ),
];

pub fn timeline_title(program: &str) -> Words {
    Words::new(
        format!(
            "A run of {program}: when it slept in which call, when the bytes were copied, and what two clients saw"
        ),
        format!("{program} 的一次运行：何时阻塞在哪个调用上，何时拷贝字节，两个客户端看到了什么"),
    )
}

/// One of several threads or processes.
pub fn server(number: usize) -> Words {
    Words::new(format!("server {number}"), format!("服务端 {number}"))
}

/// The same in both languages.
pub fn same(text: impl Into<String>) -> Words {
    let text = text.into();
    Words::new(text.clone(), text)
}

pub fn bytes(count: u64) -> Words {
    let plural = if count == 1 { "" } else { "s" };
    Words::new(format!("{count} byte{plural}"), format!("{count} 字节"))
}

pub fn after(time: &str) -> Words {
    Words::new(format!("after {time}"), format!("等了 {time}"))
}

/// Whom a server waits for.
pub fn who(who: Who) -> Words {
    match who {
        Who::Newcomer => Words::new("newcomers", "新连接"),
        Who::Client(client) => same(client.name()),
        Who::Descriptor(fd) => Words::new(format!("fd {fd}"), format!("描述符 {fd}")),
    }
}

pub fn waits_for(count: usize, en: &str, zh: &str) -> Words {
    // A list says by itself that it is one.
    let en = if count == 1 { format!("for {en}") } else { en.to_owned() };
    Words::new(en, format!("等{}{zh}", if zh.is_ascii() { " " } else { "" }))
}

pub fn after_submitting(count: u64) -> Words {
    match count {
        0 => Words::new("for a completion", "等完成"),
        _ => Words::new(format!("submits {count}, waits"), format!("提交 {count} 个，等完成")),
    }
}

// scaling
pub const SCALING_TITLE: Label = both(
    "The CPU time of a message as idle connections grow in number",
    "空闲连接越来越多时，一条消息的 CPU 时间",
);
pub const CPU_OF_A_MESSAGE: Label =
    both("the server's CPU time for a message", "服务端处理一条消息的 CPU 时间");
pub const SILENT_CONNECTIONS: Label =
    both("idle connections beside the active one", "除正在收发的那一个外，空闲连接的数目");
pub const LOGARITHMIC: Label = both(
    "Both axes are logarithmic. ×: the last point in proportion to the first.",
    "两个坐标轴都是对数刻度。×：最后一点是第一点的多少倍。",
);
pub fn ends_at(server: &str, silent: usize) -> Words {
    Words::new(format!("{server} ends at {silent}"), format!("{server} 到 {silent} 为止"))
}
