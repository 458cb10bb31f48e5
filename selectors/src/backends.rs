//! `--backend NAME`: which of the library's selectors a server is built on.

use clap::ValueEnum;
use common::{explained, reason};
use selectors::{Backend, DefaultBackend, PollBackend, SelectBackend, Selector};
use std::io;
use std::os::fd::AsFd;

/// The backends by their names.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Choice {
    /// the best that this system has: epoll, kqueue, /dev/poll, else poll
    Default,
    /// select(2): everywhere, for descriptors below 1024
    Select,
    /// poll(2): everywhere
    Poll,
    /// epoll(7): Linux
    Epoll,
    /// kqueue(2): macOS and the BSDs
    Kqueue,
    /// /dev/poll: illumos and Solaris
    Devpoll,
}

/// A server that runs on any backend.
pub trait Serve {
    /// Serves until the system refuses something that it cannot do without.
    fn serve<B: Backend>(&self) -> io::Result<()>;
}

/// A selector, or one sentence that says why there is none.
pub fn selector<B: Backend, D: Clone>() -> io::Result<Selector<B, dyn AsFd, D>> {
    Selector::new().map_err(|error| {
        let sentence = format!("cannot make a selector: {} (raise ulimit -n?)", reason(&error));
        explained(&error, sentence)
    })
}

/// Runs `server` on the backend of that name.
pub fn serve(choice: Choice, server: &impl Serve) -> io::Result<()> {
    match choice {
        Choice::Default => server.serve::<DefaultBackend>(),
        Choice::Select => server.serve::<SelectBackend>(),
        Choice::Poll => server.serve::<PollBackend>(),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Choice::Epoll => server.serve::<selectors::EpollBackend>(),
        #[cfg(any(
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "dragonfly",
            target_os = "netbsd",
            target_os = "openbsd"
        ))]
        Choice::Kqueue => server.serve::<selectors::KqueueBackend>(),
        #[cfg(any(target_os = "illumos", target_os = "solaris"))]
        Choice::Devpoll => server.serve::<selectors::DevpollBackend>(),
        missing => {
            let missing =
                missing.to_possible_value().map_or(String::new(), |v| v.get_name().into());
            let why = format!("this system has no {missing} (--backend default takes what it has)");
            Err(io::Error::new(io::ErrorKind::Unsupported, why))
        }
    }
}
