//! `ring.rs` for a system without io_uring: the same names, which cannot be constructed, and a
//! refusal. The programs are built and linted here like everywhere; run, they say why they cannot.
#![allow(unsafe_code)]
#![allow(missing_docs, reason = "they are those of ring.rs")]

use std::io;
use std::os::fd::{AsFd, OwnedFd};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Accept,
    Receive,
    Send,
    Lend,
    Cancel,
}

/// Uninhabited: it cannot be constructed here.
#[derive(Debug)]
pub struct Completion {
    pub operation: Operation,
    pub client: usize,
    nobody: Nobody,
}

#[derive(Clone, Copy, Debug)]
enum Nobody {}

#[derive(Debug)]
pub struct Ring(Nobody);

impl Completion {
    pub fn result(&self) -> io::Result<usize> {
        match self.nobody {}
    }

    #[must_use]
    pub fn more(&self) -> bool {
        match self.nobody {}
    }

    pub fn accepted(self) -> io::Result<OwnedFd> {
        match self.nobody {}
    }
}

impl Ring {
    pub fn new(_: usize) -> io::Result<Self> {
        Err(crate::refusal::missing())
    }

    pub fn accept(&mut self, _: &impl AsFd) {
        match self.0 {}
    }

    pub fn receive(&mut self, _: usize, _: &impl AsFd) {
        match self.0 {}
    }

    /// # Safety
    ///
    /// As on Linux.
    pub unsafe fn send(&mut self, _: usize, _: &impl AsFd, _: *const [u8], _: bool) {
        match self.0 {}
    }

    /// # Safety
    ///
    /// As on Linux.
    pub unsafe fn lend(&mut self, _: usize, _: &impl AsFd, _: &[u8]) {
        match self.0 {}
    }

    pub fn cancel(&mut self, _: Operation, _: usize) {
        match self.0 {}
    }

    pub fn enter(&mut self, _: &mut Vec<Completion>) -> io::Result<()> {
        match self.0 {}
    }

    #[must_use]
    pub fn received(&self, _: &Completion) -> &[u8] {
        match self.0 {}
    }

    pub fn put_back(&mut self, _: Completion) {
        match self.0 {}
    }
}
