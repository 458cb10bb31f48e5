//! kqueue's list, which has an entry (a filter) for each of the two directions of a descriptor.
//!
//! A change of one registration is therefore up to two calls, of which the second can fail after
//! the first. What has to be undone then does not depend on the system, so this file is compiled
//! for the tests everywhere.

use crate::{EVENT_READ, EVENT_WRITE, EventMask};
use nix::errno::Errno;
use std::collections::HashSet;
use std::os::fd::RawFd;

/// What one call of kevent does to one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Add,
    Delete,
}

/// What one call of kevent tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fired {
    /// A filter: `EVENT_READ` or `EVENT_WRITE`.
    Descriptor(RawFd, EventMask),
    /// The user event, which wakes.
    User,
}

/// Which filters the kernel has not taken, and why that is no error.
///
/// `kernel` in its functions is one call for one filter: `EVENT_READ` or `EVENT_WRITE`.
#[derive(Debug, Default)]
pub(super) struct Filters {
    /// The other end of these is closed, and old versions of macOS say so when the filter is added
    /// (EPIPE). The next send or recv would tell the same, so they are ready, now and at each wait.
    hung_up: HashSet<(RawFd, EventMask)>,
}

impl Filters {
    /// Adds the filters of `events`, all or none.
    pub(super) fn add(
        &mut self,
        fd: RawFd,
        events: EventMask,
        kernel: &mut impl FnMut(EventMask, Change) -> nix::Result<()>,
    ) -> nix::Result<()> {
        let mut added = EventMask::empty();
        for event in each(events) {
            match kernel(event, Change::Add) {
                Ok(()) => {}
                Err(Errno::EPIPE) => {
                    self.hung_up.insert((fd, event));
                }
                Err(error) => {
                    let _ = self.delete(fd, added, kernel);
                    return Err(error);
                }
            }
            added |= event;
        }
        Ok(())
    }

    /// After an error the filters are those of `old`.
    pub(super) fn modify(
        &mut self,
        fd: RawFd,
        old: EventMask,
        new: EventMask,
        kernel: &mut impl FnMut(EventMask, Change) -> nix::Result<()>,
    ) -> nix::Result<()> {
        // What is new first: of the two it is the one that the system may well refuse.
        self.add(fd, new - old, kernel)?;
        self.delete(fd, old - new, kernel).inspect_err(|_| {
            let _ = self.delete(fd, new - old, kernel);
        })
    }

    /// Deletes the filters of `events`. If one fails, the other is deleted all the same.
    pub(super) fn delete(
        &mut self,
        fd: RawFd,
        events: EventMask,
        kernel: &mut impl FnMut(EventMask, Change) -> nix::Result<()>,
    ) -> nix::Result<()> {
        let mut result = Ok(());
        for event in each(events) {
            if !self.hung_up.remove(&(fd, event)) {
                result = result.and(kernel(event, Change::Delete));
            }
        }
        result
    }

    /// Those that are ready without the kernel.
    pub(super) fn hung_up(&self) -> impl Iterator<Item = (RawFd, EventMask)> + use<'_> {
        self.hung_up.iter().copied()
    }
}

/// The directions of a mask, one by one.
fn each(events: EventMask) -> impl Iterator<Item = EventMask> {
    [EVENT_READ, EVENT_WRITE].into_iter().filter(move |&event| events.contains(event))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: EventMask = EVENT_READ.union(EVENT_WRITE);

    /// The kernel's list for one descriptor, which refuses what it is told to refuse.
    struct Kernel {
        filters: EventMask,
        refuses: Option<(EventMask, Change, Errno)>,
    }

    impl Kernel {
        fn with(filters: EventMask) -> Self {
            Self { filters, refuses: None }
        }

        fn refusing(mut self, event: EventMask, change: Change, errno: Errno) -> Self {
            self.refuses = Some((event, change, errno));
            self
        }

        fn call(&mut self) -> impl FnMut(EventMask, Change) -> nix::Result<()> + use<'_> {
            |event, change| {
                match self.refuses {
                    Some((refused, how, errno)) if (refused, how) == (event, change) => {
                        return Err(errno);
                    }
                    _ => {}
                }
                if change == Change::Delete && !self.filters.contains(event) {
                    return Err(Errno::ENOENT);
                }
                self.filters.set(event, change == Change::Add);
                Ok(())
            }
        }
    }

    fn hung_up(filters: &Filters) -> Vec<(RawFd, EventMask)> {
        filters.hung_up().collect()
    }

    #[test]
    fn an_add_that_fails_leaves_nothing() {
        let mut kernel =
            Kernel::with(EventMask::empty()).refusing(EVENT_WRITE, Change::Add, Errno::ENOMEM);
        let refused = Filters::default().add(5, BOTH, &mut kernel.call());
        assert_eq!(refused, Err(Errno::ENOMEM));
        assert!(kernel.filters.is_empty(), "{:?}", kernel.filters);
    }

    #[test]
    fn a_modify_that_fails_leaves_what_was() {
        for (event, change) in [(EVENT_WRITE, Change::Add), (EVENT_READ, Change::Delete)] {
            let mut kernel = Kernel::with(EVENT_READ).refusing(event, change, Errno::ENOMEM);
            let refused = Filters::default().modify(5, EVENT_READ, EVENT_WRITE, &mut kernel.call());
            assert_eq!(refused, Err(Errno::ENOMEM), "{change:?}");
            assert_eq!(kernel.filters, EVENT_READ, "{change:?}");
        }
    }

    #[test]
    fn a_delete_that_fails_does_not_keep_the_other() {
        let mut kernel = Kernel::with(EVENT_WRITE);
        let refused = Filters::default().delete(5, BOTH, &mut kernel.call());
        assert_eq!(refused, Err(Errno::ENOENT), "there is no filter for reading");
        assert!(kernel.filters.is_empty(), "{:?}", kernel.filters);
    }

    /// What the kernel refuses with EPIPE is registered all the same, and ready until it is taken
    /// out; the kernel, which never had it, is not told of that.
    #[test]
    fn who_is_hung_up_at_registration_is_ready() {
        let mut kernel =
            Kernel::with(EventMask::empty()).refusing(EVENT_WRITE, Change::Add, Errno::EPIPE);
        let mut filters = Filters::default();
        assert_eq!(filters.add(5, BOTH, &mut kernel.call()), Ok(()));
        assert_eq!(hung_up(&filters), [(5, EVENT_WRITE)]);
        assert_eq!(kernel.filters, EVENT_READ);

        assert_eq!(filters.modify(5, BOTH, EVENT_READ, &mut kernel.call()), Ok(()));
        assert_eq!(hung_up(&filters), []);
        assert_eq!(filters.modify(5, EVENT_READ, EVENT_WRITE, &mut kernel.call()), Ok(()));
        assert_eq!(
            (hung_up(&filters), kernel.filters),
            (vec![(5, EVENT_WRITE)], EventMask::empty())
        );
        assert_eq!(filters.delete(5, EVENT_WRITE, &mut kernel.call()), Ok(()));
        assert_eq!(hung_up(&filters), []);
    }
}
