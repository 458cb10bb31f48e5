//! /dev/poll, as poll(4D) tells.

use super::poll;
use crate::backend::devpoll::{Entry, POLLREMOVE};
use libc::{c_short, pollfd};
use nix::poll::PollTimeout;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::RawFd;

#[derive(Debug)]
pub(in crate::backend) struct Device {
    list: BTreeMap<RawFd, c_short>,
    /// The manual does not say who comes first. illumos goes on where it ended the last time.
    next: RawFd,
}

impl Device {
    pub fn open() -> io::Result<Self> {
        Ok(Self { list: BTreeMap::new(), next: 0 })
    }

    pub fn write(&mut self, changes: &[Entry]) -> io::Result<()> {
        for &Entry(pollfd { fd, events, .. }) in changes {
            if events == POLLREMOVE {
                self.list.remove(&fd);
            } else {
                *self.list.entry(fd).or_default() |= events;
            }
        }
        Ok(())
    }

    pub fn poll(&mut self, batch: &mut [Entry], timeout: PollTimeout) -> nix::Result<usize> {
        let (before, behind) = (self.list.range(..self.next), self.list.range(self.next..));
        let entries = behind.chain(before).map(|(&fd, &events)| pollfd { fd, events, revents: 0 });
        let mut entries: Vec<_> = entries.collect();
        poll(&mut entries, timeout)?;
        let mut count = 0;
        for entry in entries.into_iter().filter(|entry| entry.revents != 0).take(batch.len()) {
            batch[count] = Entry(entry);
            count += 1;
            self.next = entry.fd + 1;
        }
        Ok(count)
    }
}
