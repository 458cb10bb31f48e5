//! Why there is no io_uring, and what to do.

use std::io;

/// What the system's refusal means.
#[cfg(target_os = "linux")]
pub fn refused(error: &io::Error) -> io::Error {
    let advice = match error.raw_os_error() {
        Some(libc::EPERM) => "forbidden: sysctl kernel.io_uring_disabled, or a container's rules",
        Some(libc::ENOSYS) => "the kernel has none, or a container's rules hide it",
        Some(libc::EINVAL) => "the kernel is too old: Linux 6.1 or later",
        Some(libc::EMFILE | libc::ENFILE) => "no descriptor is free: raise ulimit -n",
        Some(libc::ENOMEM) => "too little memory may be locked: ulimit -l",
        _ => "`cargo run --bin epoll_direct` needs no io_uring",
    };
    let reason = common::reason(error);
    common::explained(error, format!("cannot set up io_uring: {reason} ({advice})"))
}

/// What a system says that has never had it.
#[cfg(not(target_os = "linux"))]
pub fn missing() -> io::Error {
    let why =
        "this system has no io_uring(7), it is Linux's (`cargo run -p selectors` serves here)";
    io::Error::new(io::ErrorKind::Unsupported, why)
}
