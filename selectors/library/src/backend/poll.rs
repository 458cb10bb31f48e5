//! poll(2): a list of descriptors with flags, handed over at every call.

use super::{Backend, Registered, millis};
use crate::{EVENT_READ, EVENT_WRITE, EventMask, Selector};
use nix::poll::{PollFd, PollFlags, poll};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

/// poll(2). As many descriptors as the process may have.
#[derive(Debug)]
pub struct PollBackend {
    /// Empty between two waits: an entry borrows its descriptor. Only the memory is kept.
    entries: Vec<PollFd<'static>>,
}

/// Python's `selectors.PollSelector`: poll(2), everywhere.
pub type PollSelector<F, D> = Selector<F, D, PollBackend>;

impl Backend for PollBackend {
    fn new() -> io::Result<Self> {
        Ok(Self { entries: Vec::new() })
    }

    fn name(&self) -> &'static str {
        "poll"
    }

    fn wait(
        &mut self,
        registered: &dyn Registered,
        timeout: Option<Duration>,
        _: usize,
        ready: &mut Vec<(RawFd, EventMask)>,
    ) -> io::Result<()> {
        let mut entries = emptied(std::mem::take(&mut self.entries));
        registered.for_each(&mut |fd, events| entries.push(PollFd::new(fd, flags(events))));
        let result = poll(&mut entries, millis(timeout));
        if let Ok(1..) = result {
            ready.extend(entries.iter().filter_map(|entry| {
                let events = events(entry.revents().unwrap_or(PollFlags::all()));
                (!events.is_empty()).then_some((entry.as_fd().as_raw_fd(), events))
            }));
        }
        self.entries = emptied(entries);
        result?;
        Ok(())
    }
}

/// The memory of a list for another one, whose entries borrow other descriptors. There is none left
/// to be converted; collect works in place (a test counts the allocations).
fn emptied<'a>(mut entries: Vec<PollFd<'_>>) -> Vec<PollFd<'a>> {
    entries.clear();
    entries.into_iter().map(|_| unreachable!("the list is empty")).collect()
}

fn flags(events: EventMask) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::POLLIN, events.contains(EVENT_READ));
    flags.set(PollFlags::POLLOUT, events.contains(EVENT_WRITE));
    flags
}

/// Python's rule: whatever is not room is a reason to read, and whatever is not data a reason to
/// write. So a hang-up or an error is both.
fn events(flags: PollFlags) -> EventMask {
    let mut events = EventMask::empty();
    events.set(EVENT_READ, !(flags - PollFlags::POLLOUT).is_empty());
    events.set(EVENT_WRITE, !(flags - PollFlags::POLLIN).is_empty());
    events
}
