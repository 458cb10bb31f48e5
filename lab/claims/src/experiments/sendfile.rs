//! A file sent to a socket: through a buffer of the program, and with sendfile(2).

use super::{Claim, Experiment, Verdict};
use linux::run;

pub(super) const SENDFILE: Experiment = Experiment {
    name: "sendfile",
    does: [
        "the same 16 MiB, which the kernel has in memory, sent over loopback with read and send, and \
         with sendfile; then the file is changed before the peer has read",
        "已在内核内存里的同样 16 MiB，经回环发送：用 read 加 send，用 sendfile；再看对端读之前文件被改动会怎样",
    ],
    claims: &[
        Claim::asked(
            [
                "sendfile spares system calls and the copy through the program",
                "sendfile 省掉系统调用，也省掉经过程序的拷贝",
            ],
            Verdict::Right,
        ),
        Claim::asked(
            [
                "one sendfile sends the file, on a non-blocking socket, too",
                "非阻塞套接字上，也是一次 sendfile 发完整个文件",
            ],
            Verdict::Wrong,
        ),
        Claim::asked(
            [
                "when sendfile has returned the file may be changed",
                "sendfile 返回之后，就可以改动文件",
            ],
            Verdict::Wrong,
        ),
    ],
    run,
};

#[cfg(target_os = "linux")]
mod linux {
    use crate::experiments::sockets::{PATIENCE, polled};
    use crate::experiments::threads::account;
    use crate::experiments::watch::{arrived, connection};
    use crate::measure::Series;
    use crate::{Finding, Found, Unable};
    use nix::errno::Errno;
    use nix::poll::PollFlags;
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use nix::sys::sendfile::sendfile;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::os::unix::fs::FileExt;
    use std::thread;
    use std::time::Duration;

    const SIZE: usize = 16 << 20;
    const BUFFER: usize = 64 << 10;
    const ROUNDS: usize = 9;

    /// What it took to send the file.
    #[derive(Clone, Copy)]
    struct Sent {
        calls: usize,
        /// Of the thread that sent.
        cpu: Duration,
        exact: bool,
    }

    /// Several runs of one way to send.
    #[derive(Default)]
    struct Way {
        calls: usize,
        cpu: Series,
        exact: usize,
    }

    impl Way {
        fn add(&mut self, sent: Sent) {
            self.calls = sent.calls;
            self.cpu.add(sent.cpu.as_secs_f64() * 1e3);
            self.exact += usize::from(sent.exact);
        }

        /// What disturbs a round only adds to it.
        fn least(&self) -> f64 {
            self.cpu.spread().expect("there were rounds").0
        }

        fn millis(&self) -> String {
            let (least, most) = self.cpu.spread().expect("there were rounds");
            format!("{least:.1}–{most:.1} ms")
        }
    }

    pub(super) fn run() -> Found {
        let content = content();
        let file = file(&content)?;
        let (mut copied, mut handed) = (Way::default(), Way::default());
        // In turn, so that what disturbs the machine disturbs both.
        for _ in 0..ROUNDS {
            copied.add(through_a_buffer(&file, &content)?);
            handed.add(by_sendfile(&file, &content)?);
        }
        let exact = copied.exact + handed.exact;
        let (copied_calls, handed_calls) = (copied.calls, handed.calls);
        let (copied_cpu, handed_cpu) = (copied.millis(), handed.millis());
        Ok(vec![
            Finding::new(
                exact == 2 * ROUNDS
                    && 10 * handed_calls < copied_calls
                    && handed.least() < copied.least(),
                format!(
                    "16 MiB over loopback, a socket that blocks, {ROUNDS} rounds each: read + send \
                     of 64 KiB {copied_calls} calls, {copied_cpu} of CPU in the sending thread; \
                     sendfile {handed_calls}, {handed_cpu}. Arrived byte for byte: {exact} of {}",
                    2 * ROUNDS
                ),
                format!(
                    "经回环发 16 MiB，阻塞套接字，各 {ROUNDS} 轮：每次 64 KiB 的 read + send，\
                     {copied_calls} 次调用，发送线程用掉 CPU {copied_cpu}；sendfile {handed_calls} 次，\
                     {handed_cpu}。逐字节一致：{} 轮中 {exact} 轮",
                    2 * ROUNDS
                ),
            ),
            short_counts(&file, &content)?,
            changed_later()?,
        ])
    }

    /// Bytes that differ from place to place: a piece that is lost, doubled or moved is seen.
    fn content() -> Vec<u8> {
        (0..SIZE as u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    /// A file that is nowhere but in the kernel's page cache: no disk decides what is measured.
    fn file(content: &[u8]) -> Result<File, Unable> {
        let file = File::from(memfd_create("sendfile", MFdFlags::MFD_CLOEXEC)?);
        file.write_all_at(content, 0)?;
        Ok(file)
    }

    /// Whether what comes to `server` is `content`, to the end.
    fn receive(mut server: TcpStream, content: &[u8]) -> std::io::Result<bool> {
        let (mut got, mut buffer) = (0, vec![0; 256 << 10]);
        loop {
            match server.read(&mut buffer)? {
                0 => return Ok(got == content.len()),
                count if content.get(got..got + count) != Some(&buffer[..count]) => {
                    return Ok(false);
                }
                count => got += count,
            }
        }
    }

    /// Sends as `send` does, which tells how many calls it made, to a thread that reads.
    fn timed(
        content: &[u8],
        send: impl FnOnce(&TcpStream) -> Result<usize, Unable>,
    ) -> Result<Sent, Unable> {
        let (client, server) = connection(None)?;
        thread::scope(|scope| {
            let receiver = scope.spawn(|| receive(server, content));
            let before = account()?;
            let calls = send(&client)?;
            let cpu = account()?.since(before).cpu;
            drop(client);
            let exact = receiver.join().map_err(|_| "the reading thread has died".to_owned())?;
            Ok(Sent { calls, cpu, exact: exact? })
        })
    }

    fn through_a_buffer(file: &File, content: &[u8]) -> Result<Sent, Unable> {
        timed(content, |mut client| {
            let (mut calls, mut offset, mut buffer) = (0, 0, vec![0; BUFFER]);
            loop {
                calls += 1;
                let count = file.read_at(&mut buffer, offset)?;
                if count == 0 {
                    return Ok(calls);
                }
                offset += count as u64;
                let mut rest = &buffer[..count];
                while !rest.is_empty() {
                    calls += 1;
                    rest = &rest[client.write(rest)?..];
                }
            }
        })
    }

    fn by_sendfile(file: &File, content: &[u8]) -> Result<Sent, Unable> {
        timed(content, |client| {
            let (mut calls, mut offset) = (0, 0);
            while (offset as usize) < SIZE {
                calls += 1;
                let rest = SIZE - offset as usize;
                sendfile(client, file, Some(&mut offset), rest)?;
            }
            Ok(calls)
        })
    }

    /// On a socket that does not block, whose peer begins to read when no more fits.
    fn short_counts(file: &File, content: &[u8]) -> Result<Finding, Unable> {
        let (client, server) = connection(None)?;
        client.set_nonblocking(true)?;
        let (mut offset, mut first, mut short, mut in_vain) = (0, 0, 0, 0);
        let exact = thread::scope(|scope| -> Result<bool, Unable> {
            let (mut server, mut receiver) = (Some(server), None);
            while (offset as usize) < SIZE {
                let rest = SIZE - offset as usize;
                match sendfile(&client, file, Some(&mut offset), rest) {
                    Ok(count) => {
                        first = if first == 0 { count } else { first };
                        short += usize::from(count < rest);
                    }
                    Err(Errno::EAGAIN) => {
                        in_vain += 1;
                        if let Some(server) = server.take() {
                            receiver = Some(scope.spawn(|| receive(server, content)));
                        }
                        if polled(&client, PollFlags::POLLOUT, PATIENCE)?.is_empty() {
                            return Err("no room comes".to_owned().into());
                        }
                    }
                    Err(errno) => return Err(errno.into()),
                }
            }
            drop(client);
            let Some(receiver) = receiver else { return Ok(false) };
            Ok(receiver.join().map_err(|_| "the reading thread has died".to_owned())??)
        })?;
        Ok(Finding::new(
            exact && first < SIZE && short >= 1 && in_vain >= 1,
            format!(
                "asked for {SIZE} bytes, the first call took {first}. {short} short counts and \
                 {in_vain} EAGAIN until the end: wait for room, go on at the offset. Then every \
                 byte arrived: {}",
                if exact { "yes" } else { "no" }
            ),
            format!(
                "要发 {SIZE} 字节，第一次只收下 {first}。到发完为止，{short} 次只发出一部分，{in_vain} 次 \
                 EAGAIN：等到有空间，从偏移处接着发。这样逐字节一致：{}",
                if exact { "是" } else { "否" }
            ),
        ))
    }

    /// What the peer reads when the file was changed after the sending and before the reading.
    fn changed_later() -> Result<Finding, Unable> {
        const LITTLE: usize = 4096;
        let [by_sendfile, by_send] = [true, false].map(|handed| -> Result<char, Unable> {
            let file = file(&[b'a'; LITTLE])?;
            let (mut client, mut server) = connection(None)?;
            if handed {
                sendfile(&client, &file, None, LITTLE)?;
            } else {
                let mut buffer = [0; LITTLE];
                file.read_exact_at(&mut buffer, 0)?;
                client.write_all(&buffer)?;
            }
            arrived(&server, LITTLE)?;
            file.write_all_at(&[b'b'; LITTLE], 0)?;
            let mut buffer = [0; LITTLE];
            server.read_exact(&mut buffer)?;
            Ok(char::from(buffer[0]))
        });
        let (by_sendfile, by_send) = (by_sendfile?, by_send?);
        Ok(Finding::new(
            by_sendfile == 'b' && by_send == 'a',
            format!(
                "a file of a's, sent, and overwritten with b's before the peer reads. Sent with \
                 read + send, the peer reads {by_send}; with sendfile, {by_sendfile}: what was queued \
                 are the pages of the file itself"
            ),
            format!(
                "文件内容全是 a，发送之后、对端读之前改写成 b。用 read + send 发的，对端读到 {by_send}；用 \
                 sendfile 发的，读到 {by_sendfile}：排队等着发的就是文件本身的页"
            ),
        ))
    }
}

/// FreeBSD's and macOS' sendfile take other arguments, and others lack memfd_create.
#[cfg(not(target_os = "linux"))]
mod linux {
    use crate::{Found, Unable};

    pub(super) fn run() -> Found {
        Err(Unable::here("this is Linux's sendfile", "这里说的是 Linux 的 sendfile"))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn sendfile_hands_over_pages_and_not_a_copy() {
        crate::experiments::confirm(&super::SENDFILE);
    }
}
