//! Messages in a stream: TCP carries bytes, and where a message ends is the program's own matter.

use std::fmt;
use std::ops::Range;

/// How a message's end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Framing {
    /// four bytes in front, its length, the highest first; then the message
    Length,
    /// a newline behind it
    Lines,
}

/// How many bytes a length takes.
const HEADER: usize = 4;

impl Framing {
    /// Appends a message with what tells its end. `message` appends the message itself.
    ///
    /// # Panics
    ///
    /// If the message's length does not fit into four bytes.
    pub fn append(self, bytes: &mut Vec<u8>, message: impl FnOnce(&mut Vec<u8>)) {
        let header = bytes.len();
        match self {
            Self::Length => {
                // The length is known only when the message stands there.
                bytes.extend([0; HEADER]);
                let begin = bytes.len();
                message(bytes);
                let length = u32::try_from(bytes.len() - begin).expect("below 4 GiB");
                bytes[header..begin].copy_from_slice(&length.to_be_bytes());
            }
            Self::Lines => {
                message(bytes);
                bytes.push(b'\n');
            }
        }
    }
}

/// A message longer than the receiver allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLong {
    /// Its length says so. The message itself need not have come.
    Announced(u32),
    /// So many bytes have come, and no end of the line is among them.
    Unended(usize),
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Announced(length) => write!(f, "a message of {length} bytes is announced"),
            Self::Unended(count) => write!(f, "{count} bytes, and no end of the line"),
        }
    }
}

/// What one client has sent and what is not yet a whole message.
///
/// A recv may bring half a message, or a hundred. So what comes is put here first, and messages are
/// taken out as soon as they are whole.
#[derive(Debug)]
pub struct Inbox {
    framing: Framing,
    /// The longest message allowed, in bytes. Without it, one client could fill the memory.
    limit: usize,
    bytes: Vec<u8>,
    /// How much of the front of `bytes` has been taken out already.
    taken: usize,
    /// Up to here there is no newline; never before `taken`. Without it, a long line that comes in
    /// small pieces would be searched from its beginning for each of them.
    searched: usize,
}

impl Inbox {
    /// Nothing has come yet. `limit` is the longest message allowed, in bytes.
    #[must_use]
    pub fn new(framing: Framing, limit: usize) -> Self {
        Self { framing, limit, bytes: Vec::new(), taken: 0, searched: 0 }
    }

    /// Adds what a recv brought.
    pub fn push(&mut self, received: &[u8]) {
        // Once for each recv, and not for each message: what was taken out is dropped.
        self.bytes.drain(..self.taken);
        self.searched -= self.taken;
        self.taken = 0;
        self.bytes.extend_from_slice(received);
    }

    /// Takes out the next message, if it is whole.
    ///
    /// # Errors
    ///
    /// When the message is longer than the limit. Where it ends is then not known, so the stream
    /// is of no further use.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let found = match self.framing {
            Framing::Length => self.by_length()?,
            Framing::Lines => self.by_line()?,
        };
        let Some((message, next)) = found else { return Ok(None) };
        self.taken = next;
        self.searched = next;
        Ok(Some(&self.bytes[message]))
    }

    /// Where the message stands, and where the next one begins.
    fn by_length(&self) -> Result<Option<(Range<usize>, usize)>, TooLong> {
        let Some(header) = self.bytes[self.taken..].first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*header);
        // Asked before anything is kept for the message: a length is only what somebody claims.
        let allowed = usize::try_from(length).ok().filter(|&length| length <= self.limit);
        let length = allowed.ok_or(TooLong::Announced(length))?;
        let begin = self.taken + HEADER;
        let end = begin + length;
        Ok((end <= self.bytes.len()).then_some((begin..end, end)))
    }

    fn by_line(&mut self) -> Result<Option<(Range<usize>, usize)>, TooLong> {
        let newline = self.bytes[self.searched..].iter().position(|&byte| byte == b'\n');
        let end = newline.map_or(self.bytes.len(), |at| self.searched + at);
        self.searched = end;
        let length = end - self.taken;
        if length > self.limit {
            return Err(TooLong::Unended(length));
        }
        Ok(newline.map(|_| (self.taken..end, end + 1)))
    }

    /// The beginning of a message whose end has not come.
    #[must_use]
    pub fn unfinished(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(inbox: &mut Inbox) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let Some(message) = inbox.next_message().expect("within the limit") {
            messages.push(message.to_vec());
        }
        messages
    }

    #[test]
    fn a_byte_at_a_time_and_all_at_once_are_the_same() {
        for framing in [Framing::Length, Framing::Lines] {
            let mut stream = Vec::new();
            for message in [&b"hello"[..], b"", b"world"] {
                framing.append(&mut stream, |bytes| bytes.extend_from_slice(message));
            }
            let mut at_once = Inbox::new(framing, 5);
            at_once.push(&stream);
            let mut one_by_one = Inbox::new(framing, 5);
            let mut messages = Vec::new();
            for &byte in &stream {
                one_by_one.push(&[byte]);
                messages.extend(all(&mut one_by_one));
            }
            assert_eq!(messages, [&b"hello"[..], b"", b"world"]);
            assert_eq!(all(&mut at_once), messages);
            assert!(at_once.unfinished().is_empty() && one_by_one.unfinished().is_empty());
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_the_message_comes() {
        let mut inbox = Inbox::new(Framing::Length, 1000);
        inbox.push(&[0xff; HEADER]);
        assert_eq!(inbox.next_message(), Err(TooLong::Announced(u32::MAX)));
        let mut inbox = Inbox::new(Framing::Length, 1000);
        inbox.push(&1000_u32.to_be_bytes());
        assert_eq!(inbox.next_message(), Ok(None), "the limit itself is allowed");
    }

    #[test]
    fn a_line_beyond_the_limit_is_refused_before_its_end_comes() {
        let mut inbox = Inbox::new(Framing::Lines, 3);
        inbox.push(b"abc");
        assert_eq!(inbox.next_message(), Ok(None));
        inbox.push(b"d");
        assert_eq!(inbox.next_message(), Err(TooLong::Unended(4)));
        let mut inbox = Inbox::new(Framing::Lines, 3);
        inbox.push(b"abcd\n");
        assert_eq!(inbox.next_message(), Err(TooLong::Unended(4)));
    }

    proptest! {
        /// However the stream is cut, and whenever messages are taken out, they are the same.
        #[test]
        fn cuts_make_no_difference(
            lines in any::<bool>(),
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..30),
            cuts in prop::collection::vec(1..60usize, 1..200),
        ) {
            let framing = if lines { Framing::Lines } else { Framing::Length };
            // A message of the line protocol has no newline in it.
            let allowed = |byte: &u8| !lines || *byte != b'\n';
            let messages: Vec<Vec<u8>> =
                messages.into_iter().map(|m| m.into_iter().filter(allowed).collect()).collect();
            let mut stream = Vec::new();
            for message in &messages {
                framing.append(&mut stream, |bytes| bytes.extend_from_slice(message));
            }
            let (mut inbox, mut got, mut rest) = (Inbox::new(framing, 40), Vec::new(), &stream[..]);
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, more) = rest.split_at(cut.min(rest.len()));
                inbox.push(piece);
                rest = more;
                // Sometimes several recv come before the next look.
                if cut % 3 != 0 {
                    got.extend(all(&mut inbox));
                }
            }
            got.extend(all(&mut inbox));
            prop_assert_eq!(got, messages);
            prop_assert!(inbox.unfinished().is_empty());
        }
    }
}
