//! One epoll, and several threads that wait for it: how many handle the same client at a time, and
//! whether its bytes stay in order.

use super::sockets::{PATIENCE, pair};
use super::threads::number;
use crate::{Finding, Unable};
use common::would_block;
use judge::process::{observe, soon};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: usize = 4;
const BYTES: &[u8; THREADS] = b"1234";

const LEVEL: EpollFlags = EpollFlags::empty();
const EDGE: EpollFlags = EpollFlags::EPOLLET;
const ONCE: EpollFlags = EpollFlags::EPOLLONESHOT;

pub(super) fn findings() -> Result<[Finding; 2], Unable> {
    let together = |trigger| trial(trigger, Hold::All).map(|seen| seen.inside);
    let order = |trigger| trial(trigger, Hold::First).map(|seen| seen.handled);
    let (level, edge, once) = (together(LEVEL)?, together(EDGE)?, together(ONCE)?);
    let (level_order, edge_order, once_order) = (order(LEVEL)?, order(EDGE)?, order(ONCE)?);
    let in_order = String::from_utf8_lossy(BYTES);
    let held_up = "2341";
    let (one, four) = (&level[0], &edge[THREADS - 1]);
    Ok([
        Finding::new(
            level == [THREADS; 4]
                && edge == [1, 2, 3, 4]
                && level_order == held_up
                && edge_order == held_up,
            format!(
                "{THREADS} threads wait. Level: one unread byte brings {one} of them into the \
                 handler of one client. Edge: {THREADS} bytes, one by one, bring {four}. If the thread \
                 with byte 1 is held up, the bytes {in_order} are handled as {edge_order} (level \
                 {level_order})"
            ),
            format!(
                "{THREADS} 个线程在等。水平触发：一个没读的字节，就让 {one} 个线程进了同一个客户端的处理函数；\
                 边缘触发：逐个来 {THREADS} 个字节，进去 {four} 个。拿到字节 1 的线程耽搁一下，{in_order} 就按 \
                 {edge_order} 处理（水平触发 {level_order}）"
            ),
        ),
        Finding::new(
            once == [1; THREADS] && once_order == in_order,
            format!(
                "the same with EPOLLONESHOT: {} thread, though {THREADS} bytes are there, and the \
                 others sleep in epoll_wait; handled as {once_order}",
                once[THREADS - 1]
            ),
            format!(
                "换成 EPOLLONESHOT：{THREADS} 个字节都到了，进去的只有 {} 个线程，其余的睡在 epoll_wait \
                 里；按 {once_order} 处理",
                once[THREADS - 1]
            ),
        ),
    ])
}

/// Which threads are held in the handler until all bytes are there.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Hold {
    /// Each, before it receives.
    All,
    /// The one that has received the first byte.
    First,
}

/// What was seen.
#[derive(Default)]
struct Seen {
    /// How many threads were in the handler when each byte had arrived.
    inside: Vec<usize>,
    /// The bytes, in the order in which they were handled.
    handled: String,
}

/// What the threads have in common.
struct Shared {
    epoll: Epoll,
    socket: TcpStream,
    trigger: EpollFlags,
    hold: Hold,
    state: Mutex<State>,
    /// The gate is open.
    opened: Condvar,
}

#[derive(Default)]
struct State {
    inside: usize,
    taken: usize,
    handled: String,
    open: bool,
}

/// The data of the event that ends a thread. The socket's is 0.
const END: u64 = 1;

fn trial(trigger: EpollFlags, hold: Hold) -> Result<Seen, Unable> {
    let (mut client, socket) = pair()?;
    client.set_nodelay(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN | trigger, 0))?;
    // Never read: every thread is told.
    let end = EventFd::from_value(0)?;
    epoll.add(&end, EpollEvent::new(EpollFlags::EPOLLIN, END))?;
    let shared =
        Shared { epoll, socket, trigger, hold, state: Mutex::default(), opened: Condvar::new() };
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for _ in 0..THREADS {
            let (shared, tell) = (&shared, tell.clone());
            scope.spawn(move || {
                let _ = tell.send(number());
                // It fails only as the main thread does, which says so.
                let _ = shared.run();
            });
        }
        let threads: Vec<i32> = told.iter().take(THREADS).collect();
        let seen = shared.watched(&mut client, &threads);
        // Whatever was seen: the threads have to end.
        shared.open();
        end.write(1)?;
        seen
    })
}

impl Shared {
    fn run(&self) -> io::Result<()> {
        let mut event = [EpollEvent::empty()];
        loop {
            match self.epoll.wait(&mut event, EpollTimeout::NONE) {
                Ok(_) if event[0].data() == END => return Ok(()),
                Ok(_) => self.handle()?,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Takes one byte.
    fn handle(&self) -> io::Result<()> {
        self.state().inside += 1;
        if self.hold == Hold::All {
            self.wait_for_the_gate();
        }
        let mut byte = [0];
        let received = (&self.socket).read(&mut byte);
        self.state().taken += usize::from(received.is_ok());
        if self.hold == Hold::First && byte[0] == BYTES[0] {
            self.wait_for_the_gate();
        }
        let mut state = self.state();
        match received {
            Ok(count) => state.handled.extend(byte[..count].iter().map(|&byte| char::from(byte))),
            // Another thread has it.
            Err(error) if would_block(&error) => {}
            Err(error) => return Err(error),
        }
        state.inside -= 1;
        drop(state);
        if self.trigger == ONCE {
            let event = &mut EpollEvent::new(EpollFlags::EPOLLIN | ONCE, 0);
            self.epoll.modify(&self.socket, event)?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_the_gate(&self) {
        let closed = self.opened.wait_while(self.state(), |state| !state.open);
        drop(closed.unwrap_or_else(PoisonError::into_inner));
    }

    fn open(&self) {
        self.state().open = true;
        self.opened.notify_all();
    }

    /// Sends the bytes one by one, each when the threads are at rest; then opens the gate.
    fn watched(&self, client: &mut TcpStream, threads: &[i32]) -> Result<Seen, Unable> {
        let mut seen = Seen::default();
        self.at_rest(threads, 0)?;
        for (sent, byte) in (1..).zip(BYTES) {
            client.write_all(&[*byte])?;
            let arrived = || (self.arrived() >= sent).then_some(());
            soon(PATIENCE, arrived).ok_or_else(|| "a byte does not arrive".to_owned())?;
            let expected = match self.trigger {
                _ if self.hold == Hold::First => 1,
                LEVEL => THREADS,
                EDGE => sent,
                _ => 1,
            };
            seen.inside.push(self.at_rest(threads, expected)?);
        }
        self.open();
        let all = || Some(self.state().handled.clone()).filter(|all| all.len() == BYTES.len());
        seen.handled = soon(PATIENCE, all).unwrap_or_else(|| self.state().handled.clone());
        Ok(seen)
    }

    /// How many bytes have come: those that wait in the socket, and those taken from it.
    fn arrived(&self) -> usize {
        let waiting = self.socket.peek(&mut [0; THREADS]).unwrap_or(0);
        waiting + self.state().taken
    }

    /// Waits until each thread is held in the handler or asleep in epoll_wait, and stays so for a
    /// while. How many are in. A byte can be received before any thread is woken, and the threads
    /// wake one another: so rest with fewer than `expected` is believed only when no more come.
    fn at_rest(&self, threads: &[i32], expected: usize) -> Result<usize, Unable> {
        /// A thread that was told would have moved by then.
        const A_WHILE: Duration = Duration::from_millis(30);
        let mut resting: Option<(usize, Instant)> = None;
        let look = || {
            let inside = match self.resting(threads) {
                Ok(inside) => inside,
                Err(unable) => return Some(Err(unable)),
            };
            let inside = inside.filter(|&inside| inside >= expected);
            resting = match (inside, resting) {
                (Some(now), Some((before, since))) if now == before => Some((now, since)),
                (now, _) => now.map(|now| (now, Instant::now())),
            };
            let (inside, since) = resting?;
            (since.elapsed() >= A_WHILE).then_some(Ok(inside))
        };
        if let Some(found) = soon(PATIENCE, look) {
            return found;
        }
        self.resting(threads)?.ok_or_else(|| "the threads are never at rest".to_owned().into())
    }

    /// How many are in, if each thread is held in the handler or asleep in epoll_wait now.
    fn resting(&self, threads: &[i32]) -> Result<Option<usize>, Unable> {
        let process = i32::try_from(std::process::id()).expect("the system's numbers are signed");
        // First these: a thread that moves from the one place to the other is in neither then.
        let inside = self.state().inside;
        let mut asleep = 0;
        for &thread in threads {
            let call = observe::system_call(process, thread).ok_or_else(super::herd::not_seen)?;
            asleep += usize::from(call.starts_with("epoll"));
        }
        Ok((inside + asleep == threads.len()).then_some(inside))
    }
}
