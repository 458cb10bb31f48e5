//! The question pages, `q-…` and `q2-…`: each question leads to the section that teaches its
//! answer, and the words that people search for are found there and in the glossary.

use super::Problem;
use super::chapters::Course;
use super::page::Page;
use judge::language::Language;

/// What people type into a search, in both languages.
const WORDS: [[&str; 2]; 40] = [
    ["back-pressure", "背压"],
    ["C10K", "C10K"],
    ["CLOSE_WAIT", "CLOSE_WAIT"],
    ["cooperative", "协作式"],
    ["copy-on-write", "写时复制"],
    ["DMA", "DMA"],
    ["EAGAIN", "EAGAIN"],
    ["EINPROGRESS", "EINPROGRESS"],
    ["EMFILE", "EMFILE"],
    ["EPOLLONESHOT", "EPOLLONESHOT"],
    ["ET", "ET"],
    ["EWOULDBLOCK", "EWOULDBLOCK"],
    ["Framing", "分帧"],
    ["graceful shutdown", "优雅退出"],
    ["half-close", "半关闭"],
    ["heartbeat", "心跳"],
    ["IOCP", "IOCP"],
    ["Keep-alive", "保活"],
    ["LT", "LT"],
    ["main and sub Reactor", "主从 Reactor"],
    ["Nagle", "Nagle"],
    ["Netty", "Netty"],
    ["one loop per thread", "one loop per thread"],
    ["open file description", "打开文件描述"],
    ["preempt", "抢占式"],
    ["Proactor", "Proactor"],
    ["ready to run", "就绪态"],
    ["red-black tree", "红黑树"],
    ["running", "运行态"],
    ["SIGPIPE", "SIGPIPE"],
    ["SO_REUSEADDR", "SO_REUSEADDR"],
    ["SO_REUSEPORT", "SO_REUSEPORT"],
    ["stackless", "无栈协程"],
    ["sticky packets", "粘包"],
    ["sticky packets", "拆包"],
    ["SYN queue", "半连接队列"],
    ["thundering herd", "惊群"],
    ["TIME_WAIT", "TIME_WAIT"],
    ["wait queue", "等待队列"],
    ["zero copy", "零拷贝"],
];

/// Every question has an answer that leads somewhere, and every word of `WORDS` is found.
#[must_use]
pub fn questions(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, language) in Language::BOTH.into_iter().enumerate() {
        let of_language = |page: &&Page| page.language == language;
        let pages: Vec<_> =
            course.pages().filter(of_language).filter(|page| asks(&page.path)).collect();
        problems.extend(pages.iter().flat_map(|page| unanswered(page)));
        let glossary = format!("docs/{}/b-glossary.md", language.code());
        let places = [pages.clone(), course.page(&glossary).into_iter().collect()];
        for place in places.iter().filter(|place| !place.is_empty()) {
            for word in WORDS.map(|words| words[index]) {
                if !place.iter().any(|page| stands(&page.text, word)) {
                    let message = format!("“{word}” is searched for, and not found here");
                    problems.push(Problem::new(&place[0].path, 1, message));
                }
            }
        }
    }
    problems
}

/// `q-questions.md`, `q2-connections.md`
fn asks(path: &str) -> bool {
    let name = path.rsplit('/').next().and_then(|name| name.strip_prefix('q'));
    name.is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('-'))
}

/// The questions, which are the headings of the third level, without a link under them.
fn unanswered(page: &Page) -> Vec<Problem> {
    let questions = page.headings.iter().filter(|heading| heading.level == 3);
    let open = questions.filter(|heading| {
        let section = page.section_at(heading.line);
        !page.links.iter().any(|link| page.section_at(link.line) == section)
    });
    open.map(|heading| {
        let message = format!("“{}” leads nowhere: link the section that answers", heading.text);
        Problem::new(&page.path, heading.line, message)
    })
    .collect()
}

/// Whether `word` is in the text, in any case, and not as a part of a longer Latin word: LT is
/// not in RESULT. A plural is the word.
fn stands(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let latin = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(&word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let long = word.len() > 3;
        !before.is_some_and(latin) && (long || !after.is_some_and(latin))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// What is said of two question pages and a glossary, with `old` replaced by `new`.
    fn said(old: &str, new: &str) -> Vec<String> {
        let root = tempfile::tempdir().expect("a folder");
        let ask = |language: usize| {
            let words = WORDS.map(|words| words[language]).join(", ");
            format!("# Q\n\n### One?\n\n{words} [x](a.md)\n\n### Two?\n\nNo. [y](a.md)\n")
        };
        for (language, code) in ["en", "zh"].into_iter().enumerate() {
            let folder = root.path().join("docs").join(code);
            fs::create_dir_all(&folder).expect("its folder");
            for name in ["q-a.md", "b-glossary.md"] {
                let text = ask(language).replace(old, new);
                fs::write(folder.join(name), text).expect("a new file");
            }
        }
        let course = Course::read(root.path()).expect("just written");
        questions(&course).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn answered_questions_with_all_the_words_are_fine() {
        assert_eq!(said("nothing", "nothing"), [""; 0]);
    }

    #[test]
    fn a_question_without_a_link_and_a_word_that_is_missing_are_found() {
        for (old, new, words) in [
            ("No. [y](a.md)", "No.", "docs/zh/q-a.md:7: “Two?” leads nowhere"),
            ("[x](a.md)", "", "docs/en/q-a.md:3: “One?” leads nowhere"),
            ("惊群", "", "docs/zh/b-glossary.md:1: “惊群” is searched for"),
            (" LT,", " RESULT,", "docs/en/q-a.md:1: “LT” is searched for"),
        ] {
            let said = said(old, new);
            assert!(said.iter().any(|problem| problem.starts_with(words)), "{words}: {said:#?}");
        }
    }

    #[test]
    fn a_question_page_is_known_by_its_name() {
        for (path, wanted) in [
            ("docs/en/q-questions.md", true),
            ("docs/zh/q2-connections.md", true),
            ("docs/en/queue.md", false),
            ("docs/en/04-select.md", false),
        ] {
            assert_eq!(asks(path), wanted, "{path}");
        }
    }
}
