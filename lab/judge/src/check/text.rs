//! What the clients send, and what is to come back.

use super::client::Answer;
use std::sync::OnceLock;

/// All clients send pieces of one endless text of this period. It is a prime: bytes lost, doubled
/// or swapped in any buffer size (a power of two, or a multiple of 1000) do not fit any more.
pub(super) const PERIOD: usize = 65_521;

#[derive(Debug)]
pub(super) struct Text {
    pub asked: Vec<u8>,
    pub answers: Vec<u8>,
    /// Where its messages end, if it has messages: the last one at the end of the text.
    ends: Vec<usize>,
}

impl Text {
    fn new(answer: Answer) -> Self {
        // xorshift: every byte value, in no order that a server might produce by mistake.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut asked: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        })
        .take(PERIOD)
        .collect();
        let ends = match answer {
            Answer::Echo | Answer::Upper => Vec::new(),
            Answer::Frames => framed(&mut asked),
            Answer::Lines => lines(&mut asked),
        };
        let answers = match answer {
            Answer::Upper => asked.to_ascii_uppercase(),
            _ => asked.clone(),
        };
        Self { asked, answers, ends }
    }

    /// The next place, not before `position`, where all that went before is whole messages.
    pub(super) fn whole_from(&self, position: usize) -> usize {
        if self.ends.is_empty() || position == 0 {
            return position;
        }
        self.ends[self.ends.partition_point(|&end| end < position)]
    }

    pub(super) fn of(answer: Answer) -> &'static Self {
        static ECHO: OnceLock<Text> = OnceLock::new();
        static UPPER: OnceLock<Text> = OnceLock::new();
        static FRAMES: OnceLock<Text> = OnceLock::new();
        static LINES: OnceLock<Text> = OnceLock::new();
        match answer {
            Answer::Frames => FRAMES.get_or_init(|| Self::new(answer)),
            Answer::Lines => LINES.get_or_init(|| Self::new(answer)),
            Answer::Echo => ECHO.get_or_init(|| Self::new(answer)),
            Answer::Upper => UPPER.get_or_init(|| Self::new(answer)),
        }
    }
}

/// How long messages are: short ones, an empty one, some longer than a recv of 1024 bytes takes.
const LENGTHS: &[usize] = &[1, 0, 7, 1, 300, 2, 1500, 40];

/// Puts a length in front of each message. Where the messages end.
fn framed(text: &mut [u8]) -> Vec<usize> {
    let (mut ends, mut at) = (Vec::new(), 0);
    for length in LENGTHS.iter().cycle() {
        let mut end = at + 4 + length;
        // The last one takes all that is left, for a length needs room as well.
        if text.len() - end.min(text.len()) < 4 + 1500 {
            end = text.len();
        }
        let length = u32::try_from(end - at - 4).expect("a short message");
        text[at..at + 4].copy_from_slice(&length.to_be_bytes());
        ends.push(end);
        at = end;
        if end == text.len() {
            break;
        }
    }
    ends
}

/// Puts a newline behind each message, and none inside. Where the messages end.
fn lines(text: &mut [u8]) -> Vec<usize> {
    text.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b'\r');
    let ends = LENGTHS.iter().cycle().scan(0, |at, length| {
        *at += length + 1;
        Some(*at)
    });
    let mut ends: Vec<usize> = ends.take_while(|&end| end < text.len()).collect();
    ends.push(text.len());
    ends.iter().for_each(|end| text[end - 1] = b'\n');
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::{Framing, Inbox};

    #[test]
    fn a_lost_buffer_does_not_fit() {
        let text = Text::of(Answer::Echo);
        for lost in [1, 1000, 1024, 4096, 65_535, 65_536, 65_537, 1 << 20] {
            let moved = |at: usize| text.asked[(at + lost) % PERIOD];
            assert!((0..64).any(|at| moved(at) != text.asked[at]), "{lost} bytes");
        }
        assert!((0..=255).all(|byte| text.asked.contains(&byte)));
    }

    #[test]
    fn messages_fill_the_text_to_its_end() {
        for (answer, framing) in
            [(Answer::Frames, Framing::Length), (Answer::Lines, Framing::Lines)]
        {
            let text = Text::of(answer);
            let mut inbox = Inbox::new(framing, 10_000);
            inbox.push(&text.asked);
            let mut count = 0;
            while inbox.next_message().expect("no long message").is_some() {
                count += 1;
                assert_eq!(PERIOD - inbox.unfinished().len(), text.ends[count - 1]);
            }
            assert_eq!((count, *text.ends.last().expect("some")), (text.ends.len(), PERIOD));
            assert_eq!((text.whole_from(0), text.whole_from(PERIOD)), (0, PERIOD));
            assert_eq!(text.whole_from(1), text.ends[0]);
        }
    }
}
