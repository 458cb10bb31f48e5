//! Text in lines, in both languages: English breaks at spaces, Chinese nearly everywhere.

use console::measure_text_width;

/// Lines of at most `width` columns with all of `text` in them. Broken at spaces and between
/// Chinese characters; in the middle of a word only if it is wider than a line.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for piece in pieces(text) {
        if measure_text_width(&line) + measure_text_width(piece.trim_end()) > width {
            flush(&mut line, &mut lines);
        }
        for c in piece.chars() {
            let mut bytes = [0; 4];
            let grown = measure_text_width(&line) + measure_text_width(c.encode_utf8(&mut bytes));
            if grown > width && c != ' ' {
                flush(&mut line, &mut lines);
            }
            line.push(c);
        }
    }
    flush(&mut line, &mut lines);
    lines
}

fn flush(line: &mut String, lines: &mut Vec<String>) {
    if !line.trim_end().is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    line.clear();
}

/// The parts that belong in one line: a word with its spaces, a Chinese character with its
/// punctuation.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for ((_, before), (index, after)) in text.char_indices().zip(text.char_indices().skip(1)) {
        if may_break(before, after) {
            pieces.push(&text[start..index]);
            start = index;
        }
    }
    pieces.push(&text[start..]);
    pieces
}

fn may_break(before: char, after: char) -> bool {
    let wide = |c: char| measure_text_width(c.encode_utf8(&mut [0; 4])) == 2;
    let opens = |c| "（「《“".contains(c);
    let closes = |c| "，。、；：？！）」》”,.;:)…".contains(c);
    if after == ' ' {
        return false;
    }
    before == ' ' || (wide(before) || wide(after)) && !opens(before) && !closes(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHINESE: &str =
        "回来的 readable 里有监听套接字，writable 为空。accept 得到新的描述符（套接字）。";

    #[test]
    fn lines_break_between_words_and_never_before_a_full_stop() {
        assert_eq!(wrap("one two  three", 8), ["one two", "three"]);
        for width in 8..40 {
            for line in wrap(CHINESE, width) {
                assert!(!line.starts_with(['，', '。', '）']) && !line.ends_with('（'), "{line}");
            }
        }
    }

    #[test]
    fn a_figure_and_its_unit_are_not_cut_in_two() {
        for width in 12..40 {
            let text = wrap("10：0.56 µs，500：0.54 µs", width).join("\n");
            assert!(text.contains("0.56") && text.contains("0.54"), "{text}");
        }
    }
}
