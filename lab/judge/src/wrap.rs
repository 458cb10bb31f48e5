//! Text in lines, in both languages: English breaks at spaces, Chinese nearly everywhere.

use std::borrow::Cow;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Lines of at most `width` columns. In the middle of a word only if that is wider than a line.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    lines(text, options(width))
}

/// Wrapped, and what goes on in the next line stands further in.
#[must_use]
pub fn hang(text: &str, width: usize) -> Vec<String> {
    lines(text, options(width).subsequent_indent("  "))
}

/// Unicode's rules say where a line may end, and each line takes what it can.
fn options(width: usize) -> Options<'static> {
    Options::new(width)
        .word_separator(WordSeparator::UnicodeBreakProperties)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
}

fn lines(text: &str, options: Options) -> Vec<String> {
    textwrap::wrap(text, options).into_iter().map(Cow::into_owned).collect()
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
