//! One suite for all backends: the names say which one ran what, as
//! `behaviour::epoll::a_signal_does_not_shorten_the_wait`.
//!
//! Its files are compiled a second time with the library's own tests. There they run on the
//! backends that this system lacks, over doubles of the system calls (src/backend/double).

/// The tests, in a module for each backend that this system has. `boxed` is the default one, chosen
/// at run time.
macro_rules! for_each_backend {
    ($($test:ident)*) => {
        mod select {
            $(#[test] fn $test() { super::$test::<fd_selectors::SelectBackend>(); })*
        }
        mod poll {
            $(#[test] fn $test() { super::$test::<fd_selectors::PollBackend>(); })*
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        mod epoll {
            $(#[test] fn $test() { super::$test::<fd_selectors::EpollBackend>(); })*
        }
        #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly",
                  target_os = "netbsd", target_os = "openbsd"))]
        mod kqueue {
            $(#[test] fn $test() { super::$test::<fd_selectors::KqueueBackend>(); })*
        }
        #[cfg(any(target_os = "illumos", target_os = "solaris"))]
        mod eventport {
            $(#[test] fn $test() { super::$test::<fd_selectors::EventPortBackend>(); })*
        }
        #[cfg(any(target_os = "illumos", target_os = "solaris"))]
        mod devpoll {
            $(#[test] fn $test() { super::$test::<fd_selectors::DevpollBackend>(); })*
        }
        mod boxed {
            $(#[test] fn $test() { super::$test::<fd_selectors::AnyBackend>(); })*
        }
    };
}

mod behaviour;
mod model;
mod waking;
