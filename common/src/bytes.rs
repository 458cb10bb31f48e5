//! Bytes on the screen, written as Python writes them, because the notes' transcripts do.

use std::fmt::Write;

/// What the narration shows of one message before it only counts the rest.
const PREVIEW: usize = 80;

/// `bytes` as Python's `repr` writes them: `b'This is '`, `b"it's"`, `b'\xe4\xbd\xa0'`.
///
/// The quotes are single unless the bytes hold a single one and no double one; tab, newline and
/// carriage return have their letter, and every other byte outside printable ASCII is `\xNN`.
#[must_use]
pub fn python_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 3);
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    text.push('b');
    text.push(quote);
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\'' if quote == '\'' => text.push_str("\\'"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").expect("writing to a String cannot fail"),
        }
    }
    text.push(quote);
    text
}

/// [`python_bytes`] for the narration: a long message is cut, and its length told.
#[must_use]
pub fn preview(bytes: &[u8]) -> String {
    match bytes.get(..PREVIEW) {
        Some(start) if bytes.len() > PREVIEW => {
            format!("{}… ({} bytes)", python_bytes(start), bytes.len())
        }
        _ => python_bytes(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each expectation is what `repr(...)` printed in CPython 3.11.
    #[test]
    fn bytes_are_written_as_python_writes_them() {
        assert_eq!(python_bytes(b""), "b''");
        assert_eq!(python_bytes(b"This is "), "b'This is '");
        assert_eq!(python_bytes(b"it's"), "b\"it's\"");
        assert_eq!(python_bytes(b"say \"hi\""), "b'say \"hi\"'");
        assert_eq!(python_bytes(b"it's \"both\""), "b'it\\'s \"both\"'");
        assert_eq!(python_bytes(b"\t\n\r\\"), "b'\\t\\n\\r\\\\'");
        assert_eq!(python_bytes(b"\x00\x1f ~\x7f\xff"), "b'\\x00\\x1f ~\\x7f\\xff'");
        assert_eq!(python_bytes("你".as_bytes()), "b'\\xe4\\xbd\\xa0'");
    }

    #[test]
    fn a_preview_cuts_only_what_is_longer_than_a_line() {
        assert_eq!(preview(b"short"), "b'short'");
        assert_eq!(preview(&[b'x'; PREVIEW]), python_bytes(&[b'x'; PREVIEW]));
        let cut = preview(&[b'x'; 1024]);
        assert!(cut.ends_with("x'… (1024 bytes)"), "{cut}");
    }
}
