//! `once.rs` for a system without io_uring: the same names, and a refusal.
#![allow(missing_docs, reason = "they are those of once.rs")]

use std::io;
use std::os::fd::{AsFd, OwnedFd};

#[derive(Debug)]
pub struct Once {
    pub sleeps: i64,
    nobody: Nobody,
}

/// Uninhabited: it cannot be constructed here.
#[derive(Debug)]
enum Nobody {}

impl Once {
    pub fn new() -> io::Result<Self> {
        Err(crate::refusal::missing())
    }

    pub fn accept(&mut self, _: &impl AsFd) -> io::Result<OwnedFd> {
        match self.nobody {}
    }

    pub fn receive(&mut self, _: &impl AsFd, _: Vec<u8>) -> io::Result<(usize, Vec<u8>)> {
        match self.nobody {}
    }

    pub fn send(&mut self, _: &impl AsFd, _: Vec<u8>) -> io::Result<(usize, Vec<u8>)> {
        match self.nobody {}
    }
}

#[must_use]
pub fn left_in_the_kernel(_: &impl AsFd) -> usize {
    0
}
