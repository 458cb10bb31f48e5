//! What the experiments on epoll share: epoll(7) itself, which other systems lack and say so, and
//! a connection whose bytes are known to be there.

use super::Unable;
use judge::process::soon;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long what must come may take on a machine that others keep busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The same, as the waits of the system take it.
pub(super) const LONG: u16 = 5000;
/// How long is silence: whatever was to be told is there before we ask.
pub(super) const SILENCE: u16 = 20;

#[derive(Clone, Copy)]
pub(super) enum Event {
    Readable,
    Writable,
}

#[derive(Clone, Copy)]
pub(super) enum Trigger {
    Level,
    Edge,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use super::{Event, Trigger, Unable};
    use nix::errno::Errno;
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
    use std::os::fd::{AsFd, BorrowedFd};

    pub(in crate::experiments) struct Watch(Epoll);

    impl Watch {
        pub fn new() -> Result<Self, Unable> {
            Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
        }

        /// `data` comes back with each event.
        pub fn add(
            &self,
            fd: impl AsFd,
            event: Event,
            trigger: Trigger,
            data: u64,
        ) -> nix::Result<()> {
            self.0.add(fd, EpollEvent::new(flags(event, trigger), data))
        }

        pub fn modify(&self, fd: impl AsFd, event: Event, trigger: Trigger) -> nix::Result<()> {
            self.0.modify(fd, &mut EpollEvent::new(flags(event, trigger), 0))
        }

        /// One epoll_wait into an array whose entries have this data before. How many it tells of.
        pub fn wait_into(&self, array: &mut [u64], millis: u16) -> nix::Result<usize> {
            let entry = |&data: &u64| EpollEvent::new(EpollFlags::empty(), data);
            let mut events: Vec<_> = array.iter().map(entry).collect();
            let told = loop {
                // Ctrl-Z and fg interrupt it, too.
                match self.0.wait(&mut events, millis) {
                    Err(Errno::EINTR) => {}
                    told => break told?,
                }
            };
            for (data, event) in array.iter_mut().zip(&events) {
                *data = event.data();
            }
            Ok(told)
        }
    }

    /// An epoll is a descriptor, too: poll, or another epoll, may wait for it.
    impl AsFd for Watch {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.0.as_fd()
        }
    }

    fn flags(event: Event, trigger: Trigger) -> EpollFlags {
        let event = match event {
            Event::Readable => EpollFlags::EPOLLIN,
            Event::Writable => EpollFlags::EPOLLOUT,
        };
        match trigger {
            Trigger::Level => event,
            Trigger::Edge => event | EpollFlags::EPOLLET,
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod linux {
    use super::{Event, Trigger, Unable};
    use std::os::fd::{AsFd, BorrowedFd};

    /// There is none, so nobody has one, and none of its methods is ever called.
    pub(in crate::experiments) enum Watch {}

    impl Watch {
        pub fn new() -> Result<Self, Unable> {
            Err(Unable::here("this system has no epoll", "这个系统没有 epoll"))
        }

        pub fn add(&self, _: impl AsFd, _: Event, _: Trigger, _: u64) -> nix::Result<()> {
            match *self {}
        }

        pub fn modify(&self, _: impl AsFd, _: Event, _: Trigger) -> nix::Result<()> {
            match *self {}
        }

        pub fn wait_into(&self, _: &mut [u64], _: u16) -> nix::Result<usize> {
            match *self {}
        }
    }

    impl AsFd for Watch {
        fn as_fd(&self) -> BorrowedFd<'_> {
            match *self {}
        }
    }
}

pub(super) use linux::Watch;

impl Watch {
    /// Whether one epoll_wait of at most so long tells of anything.
    pub(super) fn tells(&self, millis: u16) -> nix::Result<bool> {
        Ok(self.wait_into(&mut [0; 8], millis)? > 0)
    }

    /// How many of so many waits tell of something.
    pub(super) fn told(&self, waits: usize) -> nix::Result<usize> {
        let mut told = 0;
        for _ in 0..waits {
            told += usize::from(self.tells(SILENCE)?);
        }
        Ok(told)
    }

    /// How often it tells of something until it falls silent; under edge only, level goes on.
    pub(super) fn until_silence(&self) -> nix::Result<usize> {
        let mut told = 0;
        while self.tells(SILENCE)? {
            told += 1;
        }
        Ok(told)
    }
}

/// Both ends of a connection over loopback: who connected, who accepted. What the second receives
/// may be as much as `room` bytes before it has read any.
pub(super) fn connection(room: Option<usize>) -> io::Result<(TcpStream, TcpStream)> {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if let Some(room) = room {
        // Before the handshake, in which the window's scale is agreed on.
        listener.set_recv_buffer_size(room)?;
    }
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    listener.listen(1)?;
    let addr = listener.local_addr()?.as_socket().expect("an address of IP");
    let client = TcpStream::connect_timeout(&addr, PATIENCE)?;
    let server = TcpStream::from(listener.accept()?.0);
    for end in [&client, &server] {
        end.set_nodelay(true)?;
        end.set_read_timeout(Some(PATIENCE))?;
        end.set_write_timeout(Some(PATIENCE))?;
    }
    Ok((client, server))
}

/// Waits until this many bytes are there to be read.
pub(super) fn arrived(socket: &TcpStream, bytes: usize) -> Result<(), Unable> {
    let mut buffer = vec![0; bytes];
    let there = soon(PATIENCE, || match socket.peek(&mut buffer) {
        Ok(count) => (count == bytes).then_some(Ok(())),
        Err(error) if common::would_block(&error) => None,
        Err(error) => Some(Err(error)),
    });
    let never = || format!("{bytes} bytes sent over loopback do not arrive");
    Ok(there.ok_or_else(never)??)
}
