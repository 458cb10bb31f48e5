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
}

impl Text {
    fn new(answer: Answer) -> Self {
        // xorshift: every byte value, in no order that a server might produce by mistake.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let asked: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        })
        .take(PERIOD)
        .collect();
        let answers = match answer {
            Answer::Echo => asked.clone(),
            Answer::Upper => asked.to_ascii_uppercase(),
        };
        Self { asked, answers }
    }

    pub(super) fn of(answer: Answer) -> &'static Self {
        static ECHO: OnceLock<Text> = OnceLock::new();
        static UPPER: OnceLock<Text> = OnceLock::new();
        match answer {
            Answer::Echo => ECHO.get_or_init(|| Self::new(answer)),
            Answer::Upper => UPPER.get_or_init(|| Self::new(answer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_buffer_does_not_fit() {
        let text = Text::of(Answer::Echo);
        for lost in [1, 1000, 1024, 4096, 65_535, 65_536, 65_537, 1 << 20] {
            let moved = |at: usize| text.asked[(at + lost) % PERIOD];
            assert!((0..64).any(|at| moved(at) != text.asked[at]), "{lost} bytes");
        }
        assert!((0..=255).all(|byte| text.asked.contains(&byte)));
    }
}
