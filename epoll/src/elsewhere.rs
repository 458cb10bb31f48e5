//! What a system without epoll has instead: the names that the programs use, and nobody behind
//! them. The programs are built and linted here like everywhere; run, they say why they cannot.
#![allow(missing_docs, reason = "they are those of nix::sys::epoll")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

pub use nix::poll::PollTimeout as EpollTimeout;

bitflags::bitflags! {
    /// With the numbers that they have on Linux.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct EpollFlags: u32 {
        const EPOLLIN = 0x001;
        const EPOLLPRI = 0x002;
        const EPOLLOUT = 0x004;
        const EPOLLERR = 0x008;
        const EPOLLHUP = 0x010;
        const EPOLLRDHUP = 0x2000;
        const EPOLLEXCLUSIVE = 1 << 28;
        const EPOLLONESHOT = 1 << 30;
        const EPOLLET = 1 << 31;
    }
}

#[derive(Clone, Copy)]
pub struct EpollEvent;

impl EpollEvent {
    pub fn new(_: EpollFlags, _: u64) -> Self {
        Self
    }

    pub fn empty() -> Self {
        Self
    }

    pub fn events(&self) -> EpollFlags {
        EpollFlags::empty()
    }

    pub fn data(&self) -> u64 {
        0
    }
}

/// There is none, so nobody has one, and none of its methods is ever called.
#[derive(Clone, Copy)]
pub enum Epoll {}

impl Epoll {
    pub fn add(&self, _: impl AsFd, _: EpollEvent) -> nix::Result<()> {
        match *self {}
    }

    pub fn modify(&self, _: impl AsFd, _: &mut EpollEvent) -> nix::Result<()> {
        match *self {}
    }

    pub fn wait(&self, _: &mut [EpollEvent], _: EpollTimeout) -> nix::Result<usize> {
        match *self {}
    }
}

/// No loop exists that it could wake.
#[derive(Clone, Copy)]
pub enum EventFd {}

impl EventFd {
    pub fn read(&self) -> nix::Result<u64> {
        match *self {}
    }

    pub fn write(&self, _: u64) -> nix::Result<usize> {
        match *self {}
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match *self {}
    }
}

pub fn event_fd() -> io::Result<EventFd> {
    create().map(|none| match none {})
}

pub fn create() -> io::Result<Epoll> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "epoll(7) is used on Linux only (`cargo run -p poll` waits for many clients here)",
    ))
}
