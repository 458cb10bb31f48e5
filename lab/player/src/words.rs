//! One sentence for each step, and the names of what there is, in both languages.

use crate::Row;
use crate::calls::Call;
use crate::descriptors::{familiar, would_block};
use crate::state::{Connection, State, Whom};
use crate::trace::{Act, Deed, Traced};
use judge::language::Language;

/// `format!` in the language of a reader.
macro_rules! tell {
    ($language:expr, $en:literal, $zh:literal) => {
        match $language {
            Language::English => format!($en),
            Language::Chinese => format!($zh),
        }
    };
}
pub(crate) use tell;

pub fn whom(language: Language, whom: Whom) -> String {
    match whom {
        Whom::Listener => tell!(language, "the listener", "监听套接字"),
        Whom::Client(client) => client.name().to_owned(),
        Whom::Behind(client) => {
            let client = client.name();
            tell!(language, "the server behind (for {client})", "{client} 后面的服务端")
        }
        Whom::Other(fd) => tell!(language, "descriptor {fd}", "描述符 {fd}"),
    }
}

/// Several, in the words that a sentence has for them.
fn all(language: Language, whoms: impl IntoIterator<Item = String>) -> String {
    let all: Vec<_> = whoms.into_iter().collect();
    match (language, all.as_slice()) {
        (Language::English, [first @ .., last]) if !first.is_empty() => {
            format!("{} and {last}", first.join(", "))
        }
        (Language::English, _) => all.join(", "),
        (Language::Chinese, _) => all.join("、"),
    }
}

/// A client does something.
pub fn act(language: Language, act: &Act, before: &State) -> String {
    let name = act.client.name();
    let accepted = before.client(act.client).fd.is_some();
    match &act.what {
        Deed::Connect => tell!(
            language,
            "{name} connects. The kernel does the TCP handshake without the program and puts the \
             finished connection into the accept queue.",
            "{name} 发起连接。三次握手由内核完成，建好的连接放进全连接队列。"
        ),
        Deed::Send(text) if accepted => tell!(
            language,
            "{name} sends \"{text}\". The kernel puts the bytes into the receive buffer of the \
             server's socket for {name}.",
            "{name} 发送 \"{text}\"。内核把字节放进服务端这条连接的接收缓冲区。"
        ),
        Deed::Send(text) => tell!(
            language,
            "{name} sends \"{text}\". The server has not accepted {name} yet, but the kernel has a \
             socket for the connection already, and keeps the bytes in its receive buffer.",
            "{name} 发送 \"{text}\"。服务端还没有 accept 这条连接，内核照样把字节存进它的接收缓冲区。"
        ),
        Deed::Receive(text) => {
            tell!(language, "{name} receives \"{text}\".", "{name} 收到 \"{text}\"。")
        }
        Deed::Close => tell!(
            language,
            "{name} closes the connection. A FIN comes behind everything that {name} has sent: \
             when that is read, recv will return 0.",
            "{name} 关闭连接。FIN 排在 {name} 发送的所有数据之后：服务端读完数据，才会读到输入结束。"
        ),
    }
}

/// The server goes to sleep in a call.
pub fn sleeps(language: Language, call: &Traced, state: &State) -> String {
    let name = familiar(call.name());
    let of =
        |fds: Vec<u32>| all(language, fds.into_iter().map(|fd| whom(language, state.whom(fd))));
    let awaited = match Call::of(call) {
        Call::Select { mut inputs, outputs, .. } => {
            inputs.extend(outputs);
            inputs.sort_unstable();
            inputs.dedup();
            of(inputs)
        }
        Call::Poll { watched, .. } => of(watched.into_iter().map(|(fd, _)| fd).collect()),
        Call::Wait { epoll, .. } => {
            let watched = state.epolls.get(&epoll).into_iter().flatten();
            of(watched.map(|watched| watched.fd).collect())
        }
        Call::Accept(_) => {
            return tell!(
                language,
                "The accept queue is empty. The thread blocks in {name} until a client connects.",
                "{name}：全连接队列为空，线程阻塞，直到有客户端连接。"
            );
        }
        Call::Receive(fd, _) => {
            let from = whom(language, state.whom(fd));
            return tell!(
                language,
                "There is nothing to read from {from} yet. The thread blocks in {name} until \
                 {from} sends or closes. No other client can wake it.",
                "{name}：没有 {from} 的数据可读，线程阻塞，只等 {from} 这一个连接。"
            );
        }
        Call::Enter { .. } => {
            return tell!(
                language,
                "io_uring_enter submits the new requests, if there are any. Then the thread blocks \
                 until any request in progress has a result: a completion.",
                "io_uring_enter 提交新的请求（也可能一个也没有），然后阻塞，直到至少有一个完成项。"
            );
        }
        _ if name == "futex" => {
            return tell!(language, "The thread waits for another thread.", "线程等待另一个线程。");
        }
        _ if name == "nanosleep" => {
            return tell!(language, "The thread pauses for some time.", "线程暂停一段时间。");
        }
        _ => return tell!(language, "The thread is blocked in {name}.", "线程阻塞在 {name} 上。"),
    };
    tell!(
        language,
        "Nothing is ready yet. The thread blocks in {name} until at least one of these is ready: \
         {awaited}.",
        "{name}：没有描述符就绪，线程阻塞，直到其中有事件发生：{awaited}。"
    )
}

/// A call has returned, asleep before or not.
pub fn returned(language: Language, call: &Traced, state: &State, slept: bool) -> String {
    let name = familiar(call.name());
    let to = |fd| whom(language, state.whom(fd));
    let woken = match (language, slept) {
        (_, false) => "",
        (Language::English, true) => " wakes and",
        (Language::Chinese, true) => "线程被唤醒，",
    };
    match Call::of(call) {
        Call::Accept(Some(fd)) => {
            let who = to(fd);
            tell!(
                language,
                "accept{woken} takes {who}'s connection out of the accept queue, and returns \
                 descriptor {fd} for it.",
                "{woken}accept 从全连接队列取出 {who} 的连接，返回描述符 {fd}。"
            )
        }
        Call::Receive(fd, Some(text)) if text.is_empty() => {
            let from = to(fd);
            tell!(
                language,
                "{name}{woken} returns 0. That is the end of input: {from} will send nothing more.",
                "{woken}{name} 返回 0，表示输入结束（EOF）：{from} 不再发送数据。"
            )
        }
        Call::Receive(fd, Some(_)) if counter(call) => tell!(
            language,
            "{name} reads the counter behind descriptor {fd} (an eventfd), which is 0 again.",
            "{name} 读出描述符 {fd}（eventfd）的计数器，计数器归零。"
        ),
        Call::Receive(fd, Some(text)) => {
            let from = to(fd);
            tell!(
                language,
                "{name}{woken} copies what {from} sent, \"{text}\", from the socket's receive \
                 buffer into the program.",
                "{woken}{name} 把 \"{text}\" 从接收缓冲区（来自 {from}）拷贝到程序的内存。"
            )
        }
        Call::Send(fd, Some(_)) if counter(call) => tell!(
            language,
            "{name} adds one to the counter behind descriptor {fd} (an eventfd). That makes it \
             readable, and wakes the thread that waits for it.",
            "{name} 给描述符 {fd}（eventfd）的计数器加一，阻塞等待它的线程因此被唤醒。"
        ),
        Call::Send(fd, Some(text)) => {
            let to = to(fd);
            tell!(
                language,
                "{name} copies \"{text}\" into the send buffer of the socket for {to} and returns. \
                 The kernel delivers it later.",
                "{name} 把 \"{text}\" 拷贝到发送缓冲区（发往 {to}）就返回，之后由内核发送。"
            )
        }
        Call::Close(fd) => {
            let of = to(fd);
            tell!(
                language,
                "close frees descriptor {fd} ({of}); a later connection may get the same number.",
                "close 关闭描述符 {fd}（{of}），这个编号可以再次分配。"
            )
        }
        Call::Connect(fd) => tell!(
            language,
            "connect starts the connection to the server behind, and returns at once. Descriptor \
             {fd} becomes writable when the attempt is over; SO_ERROR says whether it succeeded.",
            "connect 向后面的服务端发起连接，立即返回；成功或失败，描述符 {fd} 都会变为可写。"
        ),
        Call::Who(fd) => {
            let who = to(fd);
            tell!(
                language,
                "The accept request has made descriptor {fd}, but its completion does not say who \
                 connected. getpeername tells: {who}.",
                "连接已由 io_uring 的 accept 请求接受，程序没有调用 accept；getpeername 查出描述符 \
                 {fd} 的对端是 {who}。"
            )
        }
        Call::Control { operation, fd, events, .. } => {
            let of = to(fd);
            match operation.as_str() {
                "ADD" => tell!(
                    language,
                    "epoll_ctl adds {of} to the interest list, for {events}.",
                    "epoll_ctl 在关注列表中添加：{of}（{events}）。"
                ),
                "MOD" => tell!(
                    language,
                    "epoll_ctl changes what {of} is watched for: now {events}. The kernel looks at \
                     once whether it is ready.",
                    "epoll_ctl 把关注的事件改为：{of}（{events}）。内核当场检查是否就绪。"
                ),
                _ => tell!(
                    language,
                    "epoll_ctl takes {of} off the interest list.",
                    "epoll_ctl 从关注列表中移除：{of}。"
                ),
            }
        }
        Call::Select { ready, .. } | Call::Poll { ready, .. } => {
            let found = ready.iter().map(|(fd, events)| found(language, &to(*fd), events));
            waited(language, &name, woken, &all(language, found))
        }
        Call::Wait { epoll, ready } => {
            let found = ready.iter().map(|(token, events)| {
                let fd = state.of_token(epoll, token);
                found(language, &fd.map_or_else(|| "?".to_owned(), to), events)
            });
            waited(language, &name, woken, &all(language, found))
        }
        Call::Enter { .. } => tell!(
            language,
            "io_uring_enter{woken} returns: there is a completion. What was asked for (accept, \
             recv or send) is done; bytes are in the program's buffer already.",
            "{woken}io_uring_enter 返回：有新的完成项。如果是收到数据，字节已经拷贝到程序的缓冲区里。"
        ),
        _ if would_block(call) => tell!(
            language,
            "{name} returns at once with EAGAIN: otherwise it would have to wait.",
            "{name} 立即返回 EAGAIN：现在完成不了，也不阻塞，稍后再试。"
        ),
        _ => tell!(language, "{name} returns.", "{name} 返回。"),
    }
}

/// It is about an eventfd: a read or write of exactly eight bytes.
fn counter(call: &Traced) -> bool {
    call.text.ends_with(", 8) = 8")
}

/// `the listener is readable`
fn found(language: Language, who: &str, events: &str) -> String {
    match (language, events) {
        (Language::English, "readable" | "writable") => format!("{who} is {events}"),
        (Language::Chinese, "readable") => format!("{who}（可读）"),
        (Language::Chinese, "writable") => format!("{who}（可写）"),
        (Language::English, _) => format!("{events} for {who}"),
        (Language::Chinese, _) => format!("{who}（{events}）"),
    }
}

fn waited(language: Language, name: &str, woken: &str, found: &str) -> String {
    if found.is_empty() {
        return tell!(
            language,
            "{name} returns: nothing is ready.",
            "{name} 返回：没有描述符就绪。"
        );
    }
    tell!(language, "{name}{woken} returns: {found}.", "{woken}{name} 返回：{found}。")
}

/// Questions in a row, by the names of the calls, without an answer.
pub fn asked(language: Language, calls: &[String]) -> String {
    let times = calls.len();
    let mut names = calls.to_vec();
    names.sort();
    names.dedup();
    let names = all(language, names);
    tell!(
        language,
        "The server asked {times} times, and each time {names} returned at once with EAGAIN. The \
         thread never blocks, and keeps the CPU busy.",
        "连续调用了 {times} 次，{names} 每次都立即返回 EAGAIN。线程不阻塞，一直占着 CPU（忙等）。"
    )
}

/// What each client has done.
pub fn client(language: Language, name: &str, client: &Connection) -> Row {
    let mut parts = Vec::new();
    if !client.connected {
        parts.push(tell!(language, "not connected", "未连接"));
    }
    if !client.sent.is_empty() {
        let text = &client.sent;
        parts.push(tell!(language, "has sent \"{text}\"", "已发送 \"{text}\""));
    }
    if !client.got.is_empty() {
        let text = &client.got;
        parts.push(tell!(language, "has received \"{text}\"", "已收到 \"{text}\""));
    } else if !client.sent.is_empty() && !client.left {
        parts.push(tell!(language, "waits for the answer", "等待回复"));
    } else if client.connected && !client.left {
        parts.push(tell!(language, "connected", "已连接"));
    }
    if client.left {
        parts.push(tell!(language, "has closed", "已关闭"));
    }
    let between = if language == Language::Chinese { "，" } else { ", " };
    Row { label: name.to_owned(), value: parts.join(between) }
}
