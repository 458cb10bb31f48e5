//! epoll(7) as the programs of this package use it. On a system that has none the same names
//! stand for a refusal in words, so that the programs build everywhere.

use slotmap::{DefaultKey, Key, KeyData};
use std::fmt;
use std::os::fd::RawFd;
use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub use linux::*;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    pub use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout};
    pub use nix::sys::eventfd::EventFd;

    use common::{explained, reason};
    use nix::errno::Errno;
    use nix::sys::epoll::EpollCreateFlags;
    use nix::sys::eventfd::EfdFlags;
    use std::io;

    /// epoll_create1(2): an object of the kernel that will hold what is watched, and a descriptor
    /// for it. This call does not wait; epoll_wait does.
    ///
    /// # Errors
    ///
    /// One sentence that says what to do.
    pub fn create() -> io::Result<Epoll> {
        Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(|errno| {
            let error = errno.into();
            let advice = match errno {
                Errno::EMFILE | Errno::ENFILE => "no descriptor is free: raise ulimit -n",
                Errno::ENOSYS | Errno::EPERM => {
                    "forbidden here? `cargo run -p poll` needs no epoll"
                }
                _ => "`cargo run -p poll` needs no epoll",
            };
            let reason = reason(&error);
            explained(&error, format!("cannot create an epoll instance: {reason} ({advice})"))
        })
    }

    /// eventfd(2): a counter in the kernel, readable while it is not zero. One thread adds to it
    /// to wake another that sleeps in epoll_wait.
    ///
    /// # Errors
    ///
    /// One sentence that says what to do.
    pub fn event_fd() -> io::Result<EventFd> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        EventFd::from_flags(flags).map_err(|errno| {
            let error = errno.into();
            let reason = reason(&error);
            explained(&error, format!("cannot create an eventfd: {reason} (raise ulimit -n)"))
        })
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod elsewhere;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub use elsewhere::*;

mod level_and_edge;
pub use level_and_edge::show_level_and_edge;

/// epoll keeps 64 bits of user data with each descriptor and returns them with its events. Ours are
/// the client's key: a place in the table, and how often that place has been used. No other client
/// ever has the same key, while a descriptor's number goes to the next client at once. The listener
/// has the null key, which no client has.
#[must_use]
pub fn token(client: DefaultKey) -> u64 {
    client.data().as_ffi()
}

/// The key in an event.
#[must_use]
pub fn key(event: &EpollEvent) -> DefaultKey {
    KeyData::from_ffi(event.data()).into()
}

/// A time-out as epoll_wait takes it: in milliseconds, rounded up. Rounded down, the last fraction
/// would become a time-out of zero, and the loop would spin until it has passed. `None` waits for
/// as long as it takes.
#[must_use]
pub fn timeout(wait: Option<Duration>) -> EpollTimeout {
    wait.map_or(EpollTimeout::NONE, |wait| {
        // At most a minute: an occasional needless wake-up is harmless.
        let millis = wait.as_nanos().div_ceil(1_000_000);
        EpollTimeout::from(u16::try_from(millis).unwrap_or(u16::MAX))
    })
}

/// Flags as the narration shows them: `EPOLLIN|EPOLLHUP`.
pub struct Flags(pub EpollFlags);

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (name, _)) in self.0.iter_names().enumerate() {
            write!(f, "{}{name}", if number > 0 { "|" } else { "" })?;
        }
        if self.0.is_empty() { f.write_str("nothing") } else { Ok(()) }
    }
}

/// A batch as S1 prints it, each descriptor with its flags: `[(3, EPOLLIN), (5, EPOLLOUT)]`. An
/// event has no number in it, only our token: the second field looks the number up, if the client
/// is still there.
pub struct Batch<'a, N>(pub &'a [EpollEvent], pub N);

impl<N: Fn(DefaultKey) -> Option<RawFd>> fmt::Display for Batch<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(events, number) = self;
        f.write_str("[")?;
        for (place, event) in events.iter().enumerate() {
            let between = if place > 0 { ", " } else { "" };
            let number = number(key(event)).map_or("gone".into(), |number| number.to_string());
            write!(f, "{between}({number}, {})", Flags(event.events()))?;
        }
        f.write_str("]")
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn timeouts_round_up_and_have_an_end() {
        assert_eq!(timeout(None), EpollTimeout::NONE);
        assert_eq!(timeout(Some(Duration::ZERO)), EpollTimeout::ZERO);
        assert_eq!(timeout(Some(Duration::from_nanos(1))), EpollTimeout::from(1_u8));
        assert_eq!(timeout(Some(Duration::from_micros(1001))), EpollTimeout::from(2_u8));
        assert_eq!(timeout(Some(Duration::MAX)), EpollTimeout::from(u16::MAX));
    }
}
