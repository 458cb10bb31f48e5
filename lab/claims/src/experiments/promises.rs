//! What "ready" promises: writable and full, readable and nothing there, files.

use super::sockets::{fill, polled};
use super::watch::{Event, LONG, SILENCE, Trigger, Watch, connection};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use common::would_block;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::SockRef;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

pub(super) const WRITABLE: Experiment = Experiment {
    name: "writable",
    does: [
        "ask poll whether a connection is writable: with nothing to send, and when nothing fits",
        "问 poll 连接是否可写：没有东西要发时，以及再也发不进去时",
    ],
    claims: &[
        Claim {
            note: "S3",
            quote: "outputs非空触发select事件",
            says: ["outputs not empty makes select report", "outputs 非空，select 就会报告"],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S4",
            quote: "因为它已经恢复不可写状态了",
            says: ["all is sent: it is unwritable again", "发完之后就不可写了"],
            verdict: Verdict::Wrong,
        },
    ],
    run: writable,
};

fn writable() -> Found {
    let (mut client, mut server) = connection(None)?;
    let idle = is_writable(&client)?;
    client.write_all(b"an answer")?;
    server.read_exact(&mut [0; 9])?;
    let after_sending = is_writable(&client)?;
    client.set_nonblocking(true)?;
    let sent = fill(&client)?;
    let full = is_writable(&client)?;
    let state = |is_writable| if is_writable { ["yes", "是"] } else { ["no", "否"] };
    let [idle_state, full_state, sent_state] = [idle, full, after_sending].map(state);
    Ok(vec![
        Finding::new(
            idle && !full,
            format!(
                "watched for writing both times. Nothing to send, writable: {}; {sent} bytes sent \
                 that nobody reads, writable: {}",
                idle_state[0], full_state[0]
            ),
            format!(
                "两次都关注可写。没有东西要发，可写：{}；发出 {sent} 字节而对端不读，可写：{}",
                idle_state[1], full_state[1]
            ),
        ),
        Finding::new(
            after_sending,
            format!("the answer has left; writable: {}", sent_state[0]),
            format!("回复已经发完；可写：{}", sent_state[1]),
        ),
    ])
}

pub(super) const WRITABLE_AGAIN: Experiment = Experiment {
    name: "writable_again",
    does: [
        "fill a send buffer, and let the peer read until it is writable again",
        "把发送缓冲区填满，再让对端一点一点读，直到恢复可写",
    ],
    claims: &[Claim {
        note: "S1",
        quote: "非满代表可以有数据写入",
        says: ["writable: the buffer is not full", "缓冲区不满就可写"],
        verdict: Verdict::Wrong,
    }],
    run: writable_again,
};

fn writable_again() -> Found {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return Err(Unable::here(
            "Linux's rule: other systems have their own low-water mark",
            "这是 Linux 的规则：别的系统各有各的低水位",
        ));
    }
    const STEP: usize = 4096;
    let (mut client, mut server) = connection(None)?;
    // Left to itself, Linux lets it grow to megabytes.
    SockRef::from(&client).set_send_buffer_size(128 << 10)?;
    client.set_nonblocking(true)?;
    let sent = fill(&client)?;
    let (mut read, mut takes_a_byte) = (0, None);
    while !is_writable(&client)? {
        server.read_exact(&mut [0; STEP])?;
        read += STEP;
        // How much the peer has to read depends on how the bytes were packed; that a byte fits
        // while poll says no does not.
        if takes_a_byte.is_none() && takes(&mut client)? {
            takes_a_byte = Some(read);
        }
    }
    let first = takes_a_byte.unwrap_or(read);
    Ok(vec![Finding::new(
        first > 0 && read > first,
        format!(
            "full after {sent} bytes. Once the peer had read {first}, there was room: a send took \
             a byte; but poll called it writable only after {read}"
        ),
        format!(
            "写到 {sent} 字节满了。对端读走 {first} 字节就有了空间，send 收下了一个字节；可是读走 \
             {read} 字节之后，poll 才说可写"
        ),
    )])
}

fn takes(socket: &mut TcpStream) -> io::Result<bool> {
    match socket.write(b"x") {
        Ok(count) => Ok(count == 1),
        Err(error) if would_block(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_writable(socket: &TcpStream) -> io::Result<bool> {
    let patience = Duration::from_millis(SILENCE.into());
    Ok(!polled(socket, PollFlags::POLLOUT, patience)?.is_empty())
}

pub(super) const WRITABLE_BUT_BLOCKS: Experiment = Experiment {
    name: "writable_but_blocks",
    does: [
        "a blocking socket is writable; send more than there is room for",
        "阻塞套接字可写；一次 send 的数据超过剩余空间",
    ],
    claims: &[Claim {
        note: "S0",
        quote: "把这个注释掉也没有阻塞新客户端连接",
        says: [
            "(without setblocking(0)) select said writable, so send will not block",
            "（去掉 setblocking(0)）select 说可写，send 就不会阻塞",
        ],
        verdict: Verdict::Incomplete,
    }],
    run: writable_but_blocks,
};

fn writable_but_blocks() -> Found {
    const MUCH: usize = 20_000_000;
    const A_WHILE: Duration = Duration::from_millis(200);
    let (client, mut server) = connection(None)?;
    let writable = is_writable(&client)?;
    let much = vec![b'x'; MUCH];
    let (returned, sent) = thread::scope(|scope| {
        let sending = scope.spawn(|| (&client).write(&much));
        thread::sleep(A_WHILE);
        let returned = sending.is_finished();
        server.read_exact(&mut vec![0; MUCH])?;
        let sent = sending.join().expect("it does not panic")?;
        io::Result::Ok((returned, sent))
    })?;
    let state = |is_so| if is_so { ["yes", "是"] } else { ["no", "否"] };
    let [writable_state, returned_state] = [writable, returned].map(state);
    Ok(vec![Finding::new(
        writable && !returned && sent == MUCH,
        format!(
            "writable: {}. A send of {MUCH} bytes, returned after {A_WHILE:?}: {}; only when the \
             peer had read it came back, with {sent}. Non-blocking, it would have taken a part",
            writable_state[0], returned_state[0]
        ),
        format!(
            "可写：{}。一次 send {MUCH} 字节，{A_WHILE:?} 之后返回了吗：{}；对端读了以后才返回 {sent}。\
             换成非阻塞，它会只收下一部分",
            writable_state[1], returned_state[1]
        ),
    )])
}

pub(super) const READY_BUT_NO_DATA: Experiment = Experiment {
    name: "ready_but_no_data",
    does: [
        "two threads wait for the same listener, and one client comes",
        "两个线程等待同一个监听套接字，来了一个客户端",
    ],
    claims: &[Claim {
        note: "S4",
        quote: "可以保证每次read都能读到有效数据",
        says: ["ready: every read finds data", "就绪，就一定读得到"],
        verdict: Verdict::Wrong,
    }],
    run: ready_but_no_data,
};

fn ready_but_no_data() -> Found {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // A blocking one would keep the second thread asleep for ever.
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let both_told = Barrier::new(2);
    let wait = || {
        let mut entries = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        let told = poll(&mut entries, PollTimeout::from(LONG));
        both_told.wait();
        told.map(|told| (told == 1, listener.accept().map_err(|error| error.raw_os_error())))
    };
    let (client, waiters) = thread::scope(|scope| {
        let waiters = [scope.spawn(wait), scope.spawn(wait)];
        let client = TcpStream::connect(addr);
        (client, waiters.map(|waiter| waiter.join().expect("it does not panic")))
    });
    drop(client?);
    let [first, second] = waiters;
    let waiters = [first?, second?];
    let told = waiters.iter().filter(|(told, _)| *told).count();
    let accepted = waiters.iter().filter(|(_, accepted)| accepted.is_ok()).count();
    let in_vain = Some(Errno::EAGAIN as i32);
    let empty = waiters.iter().filter(|(_, a)| matches!(a, Err(e) if *e == in_vain)).count();
    Ok(vec![Finding::new(
        told == 2 && accepted == 1 && empty == 1,
        format!(
            "threads that were told it is readable: {told}; their accepts: {accepted} connection, \
             {empty} EAGAIN"
        ),
        format!("得知可读的线程：{told} 个；各自 accept：{accepted} 个拿到连接，{empty} 个 EAGAIN"),
    )])
}

pub(super) const REGULAR_FILES: Experiment = Experiment {
    name: "regular_files",
    does: ["watch a file with epoll and with poll", "用 epoll 和 poll 关注一个文件"],
    claims: &[Claim {
        note: "S0",
        quote: "它几乎具备了之前所说的一切优点",
        says: ["epoll: nearly all the advantages", "epoll 几乎具备一切优点"],
        verdict: Verdict::Outdated,
    }],
    run: regular_files,
};

fn regular_files() -> Found {
    let file = some_file()?;
    let watch = Watch::new()?;
    let refused = watch.add(&file, Event::Readable, Trigger::Level, 0);
    let mut entries = [PollFd::new(file.as_fd(), PollFlags::POLLIN | PollFlags::POLLOUT)];
    poll(&mut entries, PollTimeout::ZERO)?;
    let flags = entries[0].revents().unwrap_or(PollFlags::empty());
    let refused = refused.map_or_else(|errno| format!("{errno:?}"), |()| "taken".to_owned());
    let flags: Vec<_> = flags.iter_names().map(|(name, _)| name).collect();
    let flags = flags.join("|");
    Ok(vec![Finding::new(
        refused == "EPERM" && flags == "POLLIN|POLLOUT",
        format!(
            "epoll_ctl with a regular file: {refused}. poll takes it, and has but one answer: \
             {flags}, however long a read may take. (io_uring, which has come since, reads files, too)"
        ),
        format!(
            "epoll_ctl 遇到普通文件：{refused}。poll 收下它，却总是同一个结果：{flags}，不管读取要等多久。（后来的 io_uring 连文件也能读）"
        ),
    )])
}

/// A regular file that is there on every machine: this program.
fn some_file() -> io::Result<File> {
    File::open(std::env::current_exe()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::confirm;

    #[test]
    fn writable_is_about_room_and_not_about_having_something_to_say() {
        confirm(&WRITABLE);
    }

    #[test]
    fn room_for_some_is_not_room_for_all() {
        confirm(&WRITABLE_BUT_BLOCKS);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_little_room_is_not_writable_yet() {
        confirm(&WRITABLE_AGAIN);
    }

    #[test]
    fn of_two_that_are_told_one_comes_too_late() {
        confirm(&READY_BUT_NO_DATA);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn epoll_refuses_files_and_poll_has_one_answer() {
        confirm(&REGULAR_FILES);
    }
}
