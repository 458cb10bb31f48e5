//! `--backend NAME`: which of the library's selectors a server is built on.

use clap::ValueEnum;
use common::{explained, reason};
use selectors::{AnyBackend, AnySelector, Backend, Mechanism, Selector};
use std::io;

/// The backends by their names.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Choice {
    /// the best that this system has: epoll, kqueue or event ports
    Default,
    /// select(2): everywhere, for descriptors below 1024
    Select,
    /// poll(2): everywhere
    Poll,
    /// epoll(7): Linux
    Epoll,
    /// kqueue(2): macOS and the BSDs
    Kqueue,
    /// event ports (port_create(3C)): illumos and Solaris
    Eventport,
    /// /dev/poll: illumos and Solaris
    Devpoll,
}

/// A selector on this backend, or one sentence that says why there is none.
pub fn selector<F, D>(choice: Choice) -> io::Result<AnySelector<F, D>> {
    let backend = match choice {
        Choice::Default => AnyBackend::new(),
        Choice::Select => Mechanism::Select.backend(),
        Choice::Poll => Mechanism::Poll.backend(),
        Choice::Epoll => Mechanism::Epoll.backend(),
        Choice::Kqueue => Mechanism::Kqueue.backend(),
        Choice::Eventport => Mechanism::EventPort.backend(),
        Choice::Devpoll => Mechanism::Devpoll.backend(),
    };
    backend.map(Selector::with_backend).map_err(|error| {
        let why = reason(&error);
        let sentence = match error.kind() {
            io::ErrorKind::Unsupported => format!("{why} (--backend default takes what it has)"),
            _ => format!("cannot make a selector: {why} (raise ulimit -n?)"),
        };
        explained(&error, sentence)
    })
}
