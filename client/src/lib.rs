//! Standard input and output as the clients need them: whole, whatever mode they are in.
//!
//! Whether a descriptor is non-blocking is a property of the open file, and other programs share
//! it: ssh and Node make a terminal or a pipe non-blocking for all who have it. A read or write
//! then fails with EAGAIN where it would have waited (std's `write_all` ends there, and does not
//! say how much was written). To change the mode would break the other programs. So these two wait,
//! in poll(2), until the descriptor is ready.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{read, write};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Writes all of `bytes` to standard output, now.
///
/// # Errors
///
/// As write(2), EAGAIN and EINTR excepted: EPIPE when there is no reader any more.
pub fn write_out(mut bytes: &[u8]) -> io::Result<()> {
    let out = io::stdout();
    while !bytes.is_empty() {
        match write(&out, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EAGAIN) => wait(out.as_fd(), PollFlags::POLLOUT),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// One read from standard input: at a terminal a line, from a pipe up to a bufferful, 0 at the end.
///
/// Not by `io::stdin()`, which reads ahead into a buffer of its own: poll knows nothing of the
/// lines that lie there.
///
/// # Errors
///
/// As read(2), EAGAIN and EINTR excepted.
pub fn read_in(buffer: &mut [u8]) -> io::Result<usize> {
    let input = io::stdin();
    loop {
        match read(&input, buffer) {
            Err(Errno::EAGAIN) => wait(input.as_fd(), PollFlags::POLLIN),
            Err(Errno::EINTR) => {}
            result => return Ok(result?),
        }
    }
}

/// Until the descriptor is ready, or poll cannot say: the next call tells.
fn wait(fd: BorrowedFd<'_>, events: PollFlags) {
    let _ = poll(&mut [PollFd::new(fd, events)], PollTimeout::NONE);
}
