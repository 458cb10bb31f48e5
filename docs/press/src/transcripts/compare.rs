//! A transcript of a page beside that of a real run: what may differ, and where they part.

use std::ops::Range;

/// The line that stands for lines left out.
pub(super) const LEFT_OUT: &str = "…";

/// What stands in front of a client's port, in the narration, in strace's lines, in Python's words.
const BEFORE_A_PORT: [&str; 3] = ["127.0.0.1:", "htons(", "'127.0.0.1', "];

/// The port that the pages use; those of the clients are the system's choice.
pub(super) const PORT: &str = "8001";
/// That of the server behind a proxy.
pub(super) const PORT_BEHIND: &str = "8002";

/// Where a page and a run part.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Parting {
    /// The line of the page, counted from 0.
    pub line: usize,
    /// What the run has in its place; `None`: it has nothing like it.
    pub instead: Option<String>,
    /// The lines of the page that could be replaced, and the lines of the run that could stand
    /// there.
    pub page: Range<usize>,
    pub run: Range<usize>,
}

/// Compares. The page shows all of the run if `whole`, or else lines of it that follow one another;
/// a line `…` stands for any number of them.
pub(super) fn compare(page: &[&str], run: &[&str], whole: bool, any: bool) -> Result<(), Parting> {
    if whole && !page.contains(&LEFT_OUT) {
        let (here, there) = (canonical(page, any), canonical(run, any));
        let Some(line) = (0..here.len().max(there.len())).find(|&i| here.get(i) != there.get(i))
        else {
            return Ok(());
        };
        let instead = Some(run.get(line).map_or("nothing more", |line| line).to_owned());
        return Err(Parting { line, instead, page: 0..page.len(), run: 0..run.len() });
    }
    let mut from = 0;
    let mut pieces = pieces(page).into_iter().peekable();
    while let Some(piece) = pieces.next() {
        let lines = &page[piece.clone()];
        let count = lines.len();
        let wanted = canonical(lines, any);
        let starts = |at: &usize| canonical(&run[*at..*at + count], any) == wanted;
        let last = pieces.peek().is_none() && piece.end == page.len();
        let mut places = from..(run.len() + 1).saturating_sub(count).max(from);
        if whole && piece.start == 0 {
            places.end = places.end.min(1);
        }
        if whole && last {
            places.start = places.start.max(run.len().saturating_sub(count));
        }
        match places.clone().find(starts) {
            Some(at) => from = at + count,
            None => return Err(parting(page, piece, run, from, any)),
        }
    }
    Ok(())
}

/// The ranges of lines between the `…`.
fn pieces(page: &[&str]) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, line) in page.iter().chain(&[LEFT_OUT]).enumerate() {
        if *line == LEFT_OUT {
            if start < at {
                pieces.push(start..at);
            }
            start = at + 1;
        }
    }
    pieces
}

/// How `piece`, which is nowhere in the run after `from`, comes closest.
fn parting(page: &[&str], piece: Range<usize>, run: &[&str], from: usize, any: bool) -> Parting {
    let lines = &page[piece.clone()];
    let rest = &run[from.min(run.len())..];
    let agree = |at: usize| {
        let there = &rest[at..(at + lines.len()).min(rest.len())];
        let here = canonical(&lines[..there.len()], any);
        here.iter().zip(canonical(there, any)).filter(|(a, b)| *a == b).count()
    };
    // The first of the best places.
    let best = (0..rest.len()).rev().max_by_key(|&at| agree(at)).filter(|&at| agree(at) > 0);
    let Some(at) = best else {
        let (line, page) = (piece.start, 0..page.len());
        return Parting { line, instead: None, page, run: 0..run.len() };
    };
    let (here, there) = (canonical(lines, any), canonical(&rest[at..], any));
    let differs = |i: &usize| here.get(*i) != there.get(*i);
    let index = (0..lines.len()).find(differs).unwrap_or(lines.len() - 1);
    let instead = rest.get(at + index).map_or("nothing more", |line| line).to_owned();
    // A line more or less in the run: as far as the last line of the piece, if that is there.
    let end = lines.last().and_then(|last| {
        let last = canonical(&[last], any);
        (at + 1..rest.len()).find(|&end| canonical(&rest[end..=end], any) == last)
    });
    let end = end.map_or((at + lines.len()).min(rest.len()), |end| end + 1);
    Parting {
        line: piece.start + index,
        instead: Some(instead),
        page: piece,
        run: from + at..from + end,
    }
}

/// The lines with what varies made equal: the clients' ports by the order in which they come; with
/// `any`, all numbers and the width of their columns.
fn canonical(lines: &[&str], any: bool) -> Vec<String> {
    let mut ports: Vec<String> = Vec::new();
    let line = |line: &&str| {
        if any {
            // 1.25 and 19,940 are one number each.
            let line = map_numbers(line, |_, _| "#".to_owned());
            let line = line.replace("#.#", "#").replace("#,#", "#").replace("#,#", "#");
            return line.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        let line = map_numbers(line, |before, number| {
            if [PORT, PORT_BEHIND].contains(&number)
                || !BEFORE_A_PORT.iter().any(|words| before.ends_with(words))
            {
                return number.to_owned();
            }
            let known = ports.iter().position(|port| port == number);
            let index = known.unwrap_or_else(|| {
                ports.push(number.to_owned());
                ports.len() - 1
            });
            format!("client {index}")
        });
        line.trim_end().to_owned()
    };
    lines.iter().map(line).collect()
}

/// The text with `other` in the place of each number, which is told what stands before it.
pub(super) fn map_numbers(text: &str, mut other: impl FnMut(&str, &str) -> String) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let number = &rest[start..];
        let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let end = start + digits(number);
        result.push_str(&rest[..start]);
        let number = other(&result, &rest[start..end]);
        result.push_str(&number);
        rest = &rest[end..];
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<&str> {
        text.lines().collect()
    }

    #[track_caller]
    fn same(page: &str, run: &str, whole: bool, any: bool) -> bool {
        compare(&lines(page), &lines(run), whole, any).is_ok()
    }

    #[test]
    fn ports_differ_and_stay_the_same_clients() {
        let page = "from 127.0.0.1:5, descriptor 4\nto 127.0.0.1:6\nto 127.0.0.1:5";
        assert!(same(
            page,
            "from 127.0.0.1:7, descriptor 4\nto 127.0.0.1:8\nto 127.0.0.1:7",
            true,
            false
        ));
        assert!(!same(
            page,
            "from 127.0.0.1:7, descriptor 4\nto 127.0.0.1:8\nto 127.0.0.1:8",
            true,
            false
        ));
        assert!(!same(
            page,
            "from 127.0.0.1:7, descriptor 5\nto 127.0.0.1:8\nto 127.0.0.1:7",
            true,
            false
        ));
    }

    #[test]
    fn a_part_is_lines_that_follow_one_another() {
        assert!(same("b\nc", "a\nb\nc\nd", false, false));
        assert!(!same("b\nd", "a\nb\nc\nd", false, false));
        assert!(same("a\n…\nd", "a\nb\nc\nd", false, false));
        assert!(!same("c\n…\na", "a\nb\nc\nd", false, false));
    }

    #[test]
    fn the_whole_is_all_but_what_is_marked_as_left_out() {
        assert!(!same("a\nb", "a\nb\nc", true, false));
        assert!(!same("b\nc", "a\nb\nc", true, false));
        assert!(same("a\n…", "a\nb\nc", true, false));
        assert!(same("…\nc", "a\nb\nc", true, false));
        assert!(!same("a\nb\nc\nd", "a\nb\nc", true, false));
        assert!(same("", "", true, false) && !same("", "a", true, false));
    }

    #[test]
    fn any_number_will_do_where_that_is_said() {
        assert!(same("12 µs and 1.5 ms", "7 µs  and 30 ms", true, true));
        assert!(same("940 times", "1,234,567 times", true, true));
        assert!(!same("12 µs", "many µs", true, true));
    }

    #[test]
    fn the_parting_is_where_to_look() {
        let page = lines("one\ntwo\nthree");
        let run = lines("zero\none\n2\nthree\nfour");
        let parting = compare(&page, &run, false, false).expect_err("2 is not two");
        assert_eq!((parting.line, parting.instead.as_deref()), (1, Some("2")));
        assert_eq!((parting.page, parting.run), (0..3, 1..4));
        let run = lines("one\ntwo\nand\nthree");
        let parting = compare(&page, &run, false, false).expect_err("a line more");
        assert_eq!((parting.line, parting.instead.as_deref()), (2, Some("and")));
        assert_eq!((parting.page, parting.run), (0..3, 0..4));
        let longer = lines("one\ntwo\nthree\nfour");
        let parting = compare(&page, &longer, true, false).expect_err("not the whole");
        assert_eq!((parting.line, parting.instead.as_deref()), (3, Some("four")));
        let parting = compare(&page, &["x"], false, false).expect_err("nothing like it");
        assert_eq!((parting.instead, parting.run), (None, 0..1));
    }
}
