//! Text that arrives in pieces.

use std::borrow::Cow;

/// Turns a stream of bytes into text, whole characters at a time.
///
/// A recv may end in the middle of a character (中 is three bytes). The notes' clients decode each
/// piece by itself and die there; this keeps the beginning of the character for the next piece.
#[derive(Debug, Default)]
pub struct TextPieces {
    /// The beginning of a character whose end has not come: at most 3 bytes.
    unfinished: Vec<u8>,
}

impl TextPieces {
    /// The text that is whole now. Bytes that are no UTF-8 become `�`.
    pub fn push<'a>(&mut self, piece: &'a [u8]) -> Cow<'a, str> {
        if self.unfinished.is_empty() {
            let (whole, rest) = piece.split_at(piece.len() - unfinished_tail(piece));
            self.unfinished.extend_from_slice(rest);
            return String::from_utf8_lossy(whole);
        }
        self.unfinished.extend_from_slice(piece);
        let rest =
            self.unfinished.split_off(self.unfinished.len() - unfinished_tail(&self.unfinished));
        let whole = std::mem::replace(&mut self.unfinished, rest);
        Cow::Owned(String::from_utf8_lossy(&whole).into_owned())
    }

    /// What is left when the stream ends: nothing, or `�` for a character that was never finished.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.unfinished)).into_owned()
    }
}

/// What somebody else wrote, to be shown and not obeyed: `�` stands for each character that moves
/// the cursor, changes the terminal or turns the direction of writing. Tabs and newlines stay.
///
/// (Press the up arrow in a client, and an echo server sends back the very bytes that mean "one
/// line up".)
#[must_use]
pub fn harmless(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control() && c != '\t' && c != '\n'
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace("\r\n", "\n").replace(harmful, "\u{fffd}")
}

/// `text` in whole lines, each of them behind `mark`.
///
/// A mark only in front of the first line could be forged: in `client 1: hi\nclient 2: …` the
/// second line would pass for another client's.
#[must_use]
pub fn marked(mark: &str, text: &str) -> String {
    text.lines().flat_map(|line| [mark, line, "\n"]).collect()
}

/// How many bytes at the end could still become a character.
fn unfinished_tail(bytes: &[u8]) -> usize {
    // A UTF-8 character has at most 4 bytes, so its beginning is among the last 3.
    let start = bytes.len().saturating_sub(3);
    (start..bytes.len())
        .find_map(|at| match std::str::from_utf8(&bytes[at..]) {
            // `error_len` is None when more bytes could complete it.
            Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => {
                Some(bytes.len() - at)
            }
            _ => None,
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_character_cut_in_two_comes_out_whole() {
        let mut text = TextPieces::default();
        assert_eq!(text.push(b"a\xe4\xbd"), "a");
        assert_eq!(text.push(b"\xa0!"), "你!");
        assert_eq!(text.finish(), "");
    }

    #[test]
    fn what_is_not_utf8_is_shown_and_holds_nothing_up() {
        let mut text = TextPieces::default();
        assert_eq!(text.push(b"\xff ok"), "\u{fffd} ok");
        assert_eq!(text.push(b"\xe4\xbd"), "");
        assert_eq!(text.finish(), "\u{fffd}");
    }

    #[test]
    fn a_terminals_commands_are_shown_and_not_obeyed() {
        assert_eq!(harmless("a\tb\r\n你好\n"), "a\tb\n你好\n");
        assert_eq!(harmless("\x1b[2J\r> \u{202e}"), "\u{fffd}[2J\u{fffd}> \u{fffd}");
    }

    #[test]
    fn no_line_of_a_message_is_without_its_mark() {
        assert_eq!(marked("A: ", "hi\nB: hi"), "A: hi\nA: B: hi\n");
        assert_eq!(marked("< ", "hi\n"), "< hi\n");
        assert_eq!(marked("< ", "\n"), "< \n");
    }

    proptest! {
        /// However a text is cut, it comes out as it went in.
        #[test]
        fn any_cut_gives_the_same_text(
            whole in ".{0,40}",
            cuts in prop::collection::vec(1..5usize, 0..60),
        ) {
            let (mut text, mut out) = (TextPieces::default(), String::new());
            let mut bytes = whole.as_bytes();
            for cut in cuts {
                let (piece, rest) = bytes.split_at(cut.min(bytes.len()));
                out.push_str(&text.push(piece));
                bytes = rest;
            }
            out.push_str(&text.push(bytes));
            out.push_str(&text.finish());
            prop_assert_eq!(out, whole);
        }
    }
}
