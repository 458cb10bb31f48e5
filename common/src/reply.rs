//! What a server answers. The model of waiting and the answer have nothing to do with each other,
//! so any server gives any of them.

use crate::{MessageQueue, python_bytes};

/// The answers of the notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Reply {
    /// the same bytes (S0, S1, S3)
    Echo,
    /// ASCII letters in upper case, every other byte as it came (S2)
    Upper,
    /// as `upper`, with `_SB` behind each piece received (S2, selectors)
    UpperSb,
    /// `Server received b'…'` for each piece received, its bytes written as Python writes them (S4)
    Received,
}

impl Reply {
    /// Puts the answer to what one recv brought into `queue`.
    ///
    /// One recv is not one message: TCP carries a stream of bytes. `echo` and `upper` give the
    /// same answer however the stream was cut; `upper-sb` and `received` show the cuts.
    #[inline]
    pub fn answer(self, received: &[u8], queue: &mut MessageQueue) {
        queue.push_with(|bytes| self.append(received, bytes));
    }

    /// The same behind what `bytes` has already.
    #[inline]
    pub fn append(self, received: &[u8], bytes: &mut Vec<u8>) {
        // ASCII only, as Python's `bytes.upper`: to change the case of `é` one must know the
        // encoding, and half of a character may be in the next piece.
        let upper = received.iter().map(u8::to_ascii_uppercase);
        match self {
            Self::Echo => bytes.extend_from_slice(received),
            Self::Upper => bytes.extend(upper),
            Self::UpperSb => bytes.extend(upper.chain(*b"_SB")),
            Self::Received => {
                let words = format!("Server received {}", python_bytes(received));
                bytes.extend_from_slice(words.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(reply: Reply, received: &[u8]) -> Vec<u8> {
        let mut queue = MessageQueue::default();
        reply.answer(received, &mut queue);
        queue.waiting().to_vec()
    }

    #[test]
    fn echo_is_every_byte_value_as_it_came() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(answer(Reply::Echo, &all), all);
    }

    #[test]
    fn upper_touches_ascii_letters_only() {
        let mixed = "hello, 你好, é".as_bytes();
        assert_eq!(answer(Reply::Upper, mixed), "HELLO, 你好, é".as_bytes());
        assert_eq!(
            answer(Reply::Upper, b"\xe4\xbd"),
            b"\xe4\xbd",
            "half a character is left alone"
        );
        assert_eq!(answer(Reply::UpperSb, b"hi"), b"HI_SB");
    }

    #[test]
    fn received_quotes_the_bytes_as_python_does() {
        assert_eq!(answer(Reply::Received, b"This is "), b"Server received b'This is '");
        assert_eq!(answer(Reply::Received, b"it's\n"), b"Server received b\"it's\\n\"");
    }
}
