//! Names for the two errors that are not errors, and words for all the others.

use std::io;

/// "Nothing there yet": what a non-blocking call says where a blocking one would have slept
/// (EAGAIN, which Linux also calls EWOULDBLOCK). Normal even after the system reported the
/// descriptor ready: select(2), BUGS, "spurious readiness".
#[must_use]
pub fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// A signal arrived while the call waited (EINTR): nothing went wrong, call it again.
#[must_use]
pub fn interrupted(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

/// The system's words for an error, without Rust's `(os error 98)` behind them.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let number = error.raw_os_error().map(|number| format!(" (os error {number})"));
    match number.and_then(|number| text.strip_suffix(&number)) {
        Some(words) => words.to_owned(),
        None => text,
    }
}

/// The same error with a sentence around it that says what was tried, and what to do.
#[must_use]
pub fn explained(error: &io::Error, sentence: impl Into<String>) -> io::Error {
    io::Error::new(error.kind(), sentence.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_the_systems_sentence_without_its_number() {
        let refused = io::Error::from_raw_os_error(nix::errno::Errno::ECONNREFUSED as i32);
        assert_eq!(reason(&refused), "Connection refused");
        assert_eq!(reason(&io::Error::other("no such thing")), "no such thing");
    }
}
