//! What the calls of a selector library cost, for `lab selectors`, which starts one such process
//! for each library. `python/selector_costs.py` is the same in Python.
//!
//! Each line of standard input asks for a round: how many others are registered, and how often each
//! call is made. The answer is a line of nanoseconds: register, modify, unregister, wait, a wake in
//! the same thread, and one from another thread.

use mio::net::UnixDatagram as MioSocket;
use mio::{Interest, Token};
use polling::{Event, PollMode};
use selectors::{DefaultSelector, EVENT_READ, EVENT_WRITE};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() -> io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("selectors") => answer::<Selectors>(),
        Some("polling") => answer::<Polling>(),
        Some("mio") => answer::<Mio>(),
        #[cfg(target_os = "linux")]
        Some("epoll") => answer::<bare::Epoll>(),
        _ => Err(io::Error::other("which library: selectors, polling, mio or epoll?")),
    }
}

fn answer<L: Library>() -> io::Result<()> {
    let mut bench = Bench::<L>::new()?;
    for line in io::stdin().lines() {
        let line = line?;
        let mut numbers = line.split(' ').map_while(|word| word.parse::<u32>().ok());
        let (Some(others), Some(times)) = (numbers.next(), numbers.next()) else {
            return Err(io::Error::other(format!("not two numbers: {line}")));
        };
        let costs = bench.round(others as usize, times)?.map(|cost| format!("{cost:.1}"));
        println!("{}", costs.join(" "));
        io::stdout().flush()?;
    }
    Ok(())
}

/// A library, used as its documentation has it. A registered socket has a key, by which the library
/// reports it.
trait Library: Sized {
    type Socket;
    type Waker: Clone + Send + 'static;

    fn new() -> io::Result<Self>;
    fn own(socket: UnixDatagram) -> Self::Socket;
    fn register(&mut self, socket: &mut Self::Socket, key: usize) -> io::Result<()>;
    /// For reading and writing, or for reading alone again.
    fn modify(&mut self, socket: &mut Self::Socket, key: usize, write: bool) -> io::Result<()>;
    fn unregister(&mut self, socket: &mut Self::Socket) -> io::Result<()>;
    /// The key of the one that is ready. `None`: it was a wake.
    fn wait(&mut self) -> io::Result<Option<usize>>;
    fn waker(&mut self) -> io::Result<Self::Waker>;
    fn wake(waker: &Self::Waker) -> io::Result<()>;
}

/// The course's. The program keeps the sockets, as with the others. The table of what is registered
/// is the selector's and is measured; with the others it is the program's, and is not.
struct Selectors(DefaultSelector<&'static UnixDatagram, usize>);

impl Library for Selectors {
    type Socket = &'static UnixDatagram;
    type Waker = selectors::Waker;

    fn new() -> io::Result<Self> {
        DefaultSelector::new().map(Self)
    }

    fn own(socket: UnixDatagram) -> Self::Socket {
        Box::leak(Box::new(socket))
    }

    fn register(&mut self, socket: &mut Self::Socket, key: usize) -> io::Result<()> {
        self.0.register(socket, EVENT_READ, key).map(drop)
    }

    fn modify(&mut self, socket: &mut Self::Socket, key: usize, write: bool) -> io::Result<()> {
        let events = if write { EVENT_READ | EVENT_WRITE } else { EVENT_READ };
        self.0.modify(*socket, events, key).map(drop)
    }

    fn unregister(&mut self, socket: &mut Self::Socket) -> io::Result<()> {
        self.0.unregister(*socket).map(drop)
    }

    fn wait(&mut self) -> io::Result<Option<usize>> {
        let ready = self.0.select(None)?;
        Ok(ready.last().map(|(key, _)| key.data))
    }

    fn waker(&mut self) -> io::Result<Self::Waker> {
        self.0.waker()
    }

    fn wake(waker: &Self::Waker) -> io::Result<()> {
        waker.wake();
        Ok(())
    }
}

/// Level-triggered, which is not its default: that reports a socket once, until it is modified.
struct Polling {
    poller: Arc<polling::Poller>,
    events: polling::Events,
}

impl Library for Polling {
    type Socket = UnixDatagram;
    type Waker = Arc<polling::Poller>;

    fn new() -> io::Result<Self> {
        let poller = Arc::new(polling::Poller::new()?);
        Ok(Self { poller, events: polling::Events::new() })
    }

    fn own(socket: UnixDatagram) -> Self::Socket {
        socket
    }

    fn register(&mut self, socket: &mut Self::Socket, key: usize) -> io::Result<()> {
        // SAFETY: no socket is closed before the last wait.
        unsafe { self.poller.add_with_mode(&*socket, Event::readable(key), PollMode::Level) }
    }

    fn modify(&mut self, socket: &mut Self::Socket, key: usize, write: bool) -> io::Result<()> {
        self.poller.modify_with_mode(socket, Event::new(key, true, write), PollMode::Level)
    }

    fn unregister(&mut self, socket: &mut Self::Socket) -> io::Result<()> {
        self.poller.delete(socket)
    }

    fn wait(&mut self) -> io::Result<Option<usize>> {
        self.events.clear();
        self.poller.wait(&mut self.events, None)?;
        Ok(self.events.iter().last().map(|event| event.key))
    }

    fn waker(&mut self) -> io::Result<Self::Waker> {
        Ok(Arc::clone(&self.poller))
    }

    fn wake(waker: &Self::Waker) -> io::Result<()> {
        waker.notify()
    }
}

/// Edge-triggered; it has nothing else.
struct Mio {
    poll: mio::Poll,
    events: mio::Events,
}

const WAKE: Token = Token(usize::MAX);

impl Library for Mio {
    type Socket = MioSocket;
    type Waker = Arc<mio::Waker>;

    fn new() -> io::Result<Self> {
        Ok(Self { poll: mio::Poll::new()?, events: mio::Events::with_capacity(1024) })
    }

    fn own(socket: UnixDatagram) -> Self::Socket {
        MioSocket::from_std(socket)
    }

    fn register(&mut self, socket: &mut Self::Socket, key: usize) -> io::Result<()> {
        self.poll.registry().register(socket, Token(key), Interest::READABLE)
    }

    fn modify(&mut self, socket: &mut Self::Socket, key: usize, write: bool) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        let interest = if write { both } else { Interest::READABLE };
        self.poll.registry().reregister(socket, Token(key), interest)
    }

    fn unregister(&mut self, socket: &mut Self::Socket) -> io::Result<()> {
        self.poll.registry().deregister(socket)
    }

    fn wait(&mut self) -> io::Result<Option<usize>> {
        self.poll.poll(&mut self.events, None)?;
        let last = self.events.iter().last().map(mio::event::Event::token);
        Ok(last.filter(|&token| token != WAKE).map(|Token(key)| key))
    }

    fn waker(&mut self) -> io::Result<Self::Waker> {
        mio::Waker::new(self.poll.registry(), WAKE).map(Arc::new)
    }

    fn wake(waker: &Self::Waker) -> io::Result<()> {
        waker.wake()
    }
}

/// The system's calls, by way of libc and of nothing else.
#[cfg(target_os = "linux")]
mod bare {
    use nix::sys::epoll::{Epoll as Calls, EpollCreateFlags, EpollEvent, EpollFlags};
    use nix::sys::eventfd::EventFd;
    use std::io;
    use std::os::unix::net::UnixDatagram;
    use std::sync::Arc;

    pub struct Epoll(Calls);

    const WAKE: u64 = u64::MAX;

    impl super::Library for Epoll {
        type Socket = UnixDatagram;
        type Waker = Arc<EventFd>;

        fn new() -> io::Result<Self> {
            Ok(Self(Calls::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
        }

        fn own(socket: UnixDatagram) -> UnixDatagram {
            socket
        }

        fn register(&mut self, socket: &mut UnixDatagram, key: usize) -> io::Result<()> {
            Ok(self.0.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, key as u64))?)
        }

        fn modify(&mut self, socket: &mut UnixDatagram, key: usize, write: bool) -> io::Result<()> {
            let mut flags = EpollFlags::EPOLLIN;
            flags.set(EpollFlags::EPOLLOUT, write);
            Ok(self.0.modify(socket, &mut EpollEvent::new(flags, key as u64))?)
        }

        fn unregister(&mut self, socket: &mut UnixDatagram) -> io::Result<()> {
            Ok(self.0.delete(socket)?)
        }

        fn wait(&mut self) -> io::Result<Option<usize>> {
            let mut events = [EpollEvent::empty(); 64];
            let count = self.0.wait(&mut events, nix::poll::PollTimeout::NONE)?;
            let last = events[..count].last().map(EpollEvent::data);
            Ok(last.filter(|&key| key != WAKE).map(|key| key as usize))
        }

        fn waker(&mut self) -> io::Result<Arc<EventFd>> {
            let event = Arc::new(EventFd::new()?);
            let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
            self.0.add(&event, EpollEvent::new(flags, WAKE))?;
            Ok(event)
        }

        fn wake(event: &Arc<EventFd>) -> io::Result<()> {
            event.write(1).map(drop)?;
            Ok(())
        }
    }
}

/// Idle sockets, and one that gets messages.
struct Bench<L: Library> {
    library: L,
    /// All registered, each with its index as key.
    idle: Vec<L::Socket>,
    /// Also registered, as [`TALKER`].
    _talker: L::Socket,
    /// A copy of the talker, to receive with.
    reader: UnixDatagram,
    peer: UnixDatagram,
    waker: L::Waker,
    /// To another thread, which wakes at each message.
    other: UnixDatagram,
    /// Which idle socket's turn it is.
    turn: usize,
}

const TALKER: usize = 1_000_000;

impl<L: Library> Bench<L> {
    fn new() -> io::Result<Self> {
        let mut library = L::new()?;
        let (reader, peer) = UnixDatagram::pair()?;
        reader.set_nonblocking(true)?;
        let mut talker = L::own(reader.try_clone()?);
        library.register(&mut talker, TALKER)?;
        let waker = library.waker()?;
        let (other, requests) = UnixDatagram::pair()?;
        let its_waker = waker.clone();
        std::thread::spawn(move || {
            while let Ok(1..) = requests.recv(&mut [0; 8]) {
                L::wake(&its_waker).expect("the selector is there");
            }
        });
        Ok(Self { library, idle: Vec::new(), _talker: talker, reader, peer, waker, other, turn: 0 })
    }

    /// Nanoseconds of each call, on average.
    fn round(&mut self, others: usize, times: u32) -> io::Result<[f64; 6]> {
        while self.idle.len() < others {
            // A single descriptor each: a pair would halve how many there can be.
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            let mut socket = L::own(socket);
            self.library.register(&mut socket, self.idle.len())?;
            self.idle.push(socket);
        }
        // The process before us has had the CPU's caches.
        self.once((times / 10).max(1))?;
        self.once(times)
    }

    fn once(&mut self, times: u32) -> io::Result<[f64; 6]> {
        let mut clock = Stopwatch::default();
        let mut costs: [Stopwatch; 6] = Default::default();
        let [register, modify, unregister, wait, wake, from_thread] = &mut costs;
        let Self { library, idle, .. } = self;
        for _ in 0..times {
            // All get their turn, and never two neighbours.
            self.turn = (self.turn + 7919) % idle.len();
            let (key, socket) = (self.turn, &mut idle[self.turn]);
            // Untimed: in a server, too, the socket has just been in use.
            library.modify(socket, key, true)?;
            library.modify(socket, key, false)?;
            clock.time(|| Ok(()))?;
            unregister.time(|| library.unregister(socket))?;
            register.time(|| library.register(socket, key))?;
            modify.time(|| library.modify(socket, key, true))?;
            modify.time(|| library.modify(socket, key, false))?;
        }
        // They were ready for writing for a moment. The next wait looks at each of them again.
        L::wake(&self.waker)?;
        library.wait()?;
        for _ in 0..times {
            self.peer.send(b"message")?;
            let ready = wait.time(|| library.wait())?;
            assert_eq!(ready, Some(TALKER), "nothing else is ready");
            self.reader.recv(&mut [0; 8])?;
        }
        for _ in 0..times {
            let ready = wake.time(|| {
                L::wake(&self.waker)?;
                library.wait()
            })?;
            assert_eq!(ready, None, "nothing is ready");
        }
        for _ in 0..times {
            let ready = from_thread.time(|| {
                self.other.send(b"wake me")?;
                library.wait()
            })?;
            assert_eq!(ready, None, "nothing is ready");
        }
        Ok(costs.map(|cost| cost.average() - clock.average()))
    }
}

#[derive(Default)]
struct Stopwatch {
    spent: Duration,
    times: u32,
}

impl Stopwatch {
    fn time<T>(&mut self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        // Never inlined, so that each call is followed by a return. On some virtual machines the
        // first return after a system call is slow. Inlined, it would come after the clock was
        // stopped, for those libraries that the compiler inlines down to the system call.
        #[inline(never)]
        fn called<T>(call: impl FnOnce() -> T) -> T {
            call()
        }
        let began = Instant::now();
        let result = called(call);
        self.spent += began.elapsed();
        self.times += 1;
        result
    }

    fn average(&self) -> f64 {
        self.spent.as_nanos() as f64 / f64::from(self.times.max(1))
    }
}
