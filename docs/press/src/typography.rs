//! The two habits of Chinese typography that show at once where they are missing, and quotations of
//! the notes where none belongs.

use super::Problem;
use super::chapters::Course;
use super::notes::article;
use super::page::Page;
use judge::language::Language;

/// Between a 汉字 and a Latin letter or digit stands a space, and after a 汉字 full-width
/// punctuation. Code, addresses and comments are not looked at, nor is 「…」: that is how the pages
/// quote the notes, letter by letter.
#[must_use]
pub fn typography(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    for page in course.pages().filter(|page| page.language == Language::Chinese) {
        for block in &page.prose {
            for (line, message) in crowded(block) {
                problems.push(Problem::new(&page.path, line, message));
            }
        }
    }
    problems.extend(course.pages().flat_map(quoting));
    problems
}

/// An English page that quotes the notes, for readers who have never read them. The pages about the
/// notes do, and the glossary, which says what 「 means.
fn quoting(page: &Page) -> Vec<Problem> {
    let may = article(&page.path).is_some() || page.path.ends_with("/b-glossary.md");
    if may || page.language == Language::Chinese {
        return Vec::new();
    }
    let lines = (1..).zip(page.text.lines()).filter(|(_, line)| line.contains('「'));
    let message = "quotes the notes: tell it in English, and quote in s0 to s4";
    lines.map(|(line, _)| Problem::new(&page.path, line, message)).collect()
}

/// What is wrong in a block, and where.
fn crowded(block: &[(usize, char)]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut quoted = false;
    for pair in block.windows(2) {
        let [(_, before), (line, after)] = [pair[0], pair[1]];
        quoted = before == '「' || (quoted && before != '」');
        if let (false, Some(message)) = (quoted, judge(before, after)) {
            found.push((line, message));
        }
    }
    found
}

fn judge(before: char, after: char) -> Option<String> {
    let latin = |c: char| c.is_ascii_alphanumeric();
    if (is_han(before) && latin(after)) || (latin(before) && is_han(after)) {
        return Some(format!("“{before}{after}” needs a space between: “{before} {after}”"));
    }
    let wide = match after {
        ',' => '，',
        ';' => '；',
        ':' => '：',
        '?' => '？',
        '!' => '！',
        _ => return None,
    };
    let chinese = is_han(before) || matches!(before, '）' | '”' | '》' | '」' | '】');
    chinese.then(|| format!("“{before}{after}” needs full-width punctuation: “{before}{wide}”"))
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{GAP, Page};

    fn found(text: &str) -> usize {
        let page = Page::parse("p.md", Language::Chinese, text.to_owned());
        page.prose.iter().map(|block| crowded(block).len()).sum()
    }

    #[test]
    fn a_missing_space_and_narrow_punctuation_are_found() {
        for text in [
            "用select等",
            "等 3个",
            "**select**等",
            "[a](b)等",
            "完了, 再",
            "吗?",
            "（注）;",
            "「引」用x",
        ] {
            assert!(found(text) > 0, "{text}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "用 select 等 3 个客户端，再答。",
            "用`select`等，`a,b:c` 是代码",
            "见[第一章](01-等待and拷贝.md)，<https://a.org/中b>。",
            "<!-- 中a, -->",
            "```console\n$ 中a,\n```",
            "English, only: here; right? yes!",
            "内核（kernel）：等待“数据”；好。",
            "S2 说「将最高的1G字节,供内核使用」。",
            "第一行\nselect 第二行",
            "![图](a.svg)b",
        ] {
            assert_eq!(found(text), 0, "{text}");
        }
    }

    #[test]
    fn a_gap_is_neither_han_nor_latin() {
        assert!(judge(GAP, '中').is_none() && judge('中', GAP).is_none());
    }

    #[test]
    fn only_the_pages_of_the_notes_quote_in_english() {
        let found = |path: &str, language| {
            let page = Page::parse(path, language, "It says\n「一句」.\n".to_owned());
            quoting(&page).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let english = found("docs/en/04-select.md", Language::English);
        assert!(english[0].starts_with("docs/en/04-select.md:2: quotes the notes"), "{english:?}");
        for path in ["docs/en/s0-select.md", "docs/en/s2b-more.md", "docs/en/b-glossary.md"] {
            assert!(found(path, Language::English).is_empty(), "{path}");
        }
        assert!(found("docs/zh/04-select.md", Language::Chinese).is_empty());
    }
}
