//! The function that a line of a program stands in.

use crate::Code;

/// How many lines are shown around one that is in no function we can find.
const AROUND: usize = 12;

/// The function around line `number` of `text`, a file in Rust, C, Python or anything like them:
/// its first line is indented less than what is in it, and ends with an opening brace or a colon.
pub fn function(file: &str, text: &str, number: usize) -> Code {
    let lines: Vec<&str> = text.lines().collect();
    let at = number.clamp(1, lines.len().max(1)) - 1;
    let (from, to) = bounds(&lines, at).unwrap_or_else(|| {
        (at.saturating_sub(AROUND), (at + AROUND).min(lines.len().saturating_sub(1)))
    });
    let name = lines.get(from).and_then(|line| name(line)).unwrap_or_default();
    let lines = lines.get(from..=to).unwrap_or_default();
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    Code { file: file.to_owned(), name, from: from + 1, lines }
}

/// The first and the last line of the innermost function around a line.
fn bounds(lines: &[&str], at: usize) -> Option<(usize, usize)> {
    let mut depth = indent(lines.get(at)?);
    for from in (0..=at).rev() {
        let line = lines[from];
        // Arguments, and a brace on a line by itself, stand as far left as their function.
        let head = line.trim().is_empty() || line.trim_start().starts_with([')', '{']);
        if head || (indent(line) >= depth && from != at) {
            continue;
        }
        depth = indent(line);
        if name(line).is_some() {
            let after = lines.iter().enumerate().skip(from + 1);
            let mut inside = after.take_while(|(_, line)| {
                line.trim().is_empty()
                    || indent(line) > depth
                    || line.trim_start().starts_with([')', '{'])
            });
            let last = inside.by_ref().filter(|(_, line)| !line.trim().is_empty()).last();
            let last = last.map_or(from, |(last, _)| last);
            let closes = lines.get(last + 1).is_some_and(|line| line.trim_start().starts_with('}'));
            return Some((from, last + usize::from(closes)));
        }
    }
    None
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The name of the function that begins in this line.
fn name(line: &str) -> Option<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    for keyword in ["fn ", "def "] {
        let Some(at) = line.find(keyword) else { continue };
        let before = line[..at].trim_end();
        let words =
            ["pub", "async", "const", "unsafe", "extern", "\"C\"", "pub(crate)", "pub(super)"];
        if before.split_whitespace().all(|word| words.contains(&word)) {
            let rest = &line[at + keyword.len()..];
            return Some(rest[..rest.find(|c| !is_name(c))?].to_owned());
        }
    }
    // C: a type at the left margin, a name, its arguments, and no end of a statement.
    let (before, _) = line.split_once('(')?;
    let c = line.starts_with(|c: char| c.is_alphabetic()) && !line.trim_end().ends_with(';');
    let (kind, name) = before.rsplit_once([' ', '*']).filter(|_| c)?;
    let called = !name.is_empty() && name.chars().all(is_name) && !kind.contains('=');
    called.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, number: usize) -> (String, usize, usize) {
        let code = function("demo", text, number);
        (code.name, code.from, code.from + code.lines.len() - 1)
    }

    #[test]
    fn a_function_of_rust() {
        let text = "\
/// Doc
pub async fn serve(
    args: &Args,
) -> io::Result<()> {
    loop {

        wait(|_| {
            accept()
        })?;
    }
}

fn other() {
}
impl A {
    fn inner(&self) {
        recv();
    }
}
";
        assert_eq!(of(text, 8), ("serve".into(), 2, 11));
        assert_eq!(of(text, 2), ("serve".into(), 2, 11));
        assert_eq!(of(text, 17), ("inner".into(), 16, 18));
    }

    #[test]
    fn a_function_of_c_and_of_python() {
        let c = "#include <x.h>\n\nstatic int serve(int fd)\n{\n    for (;;) {\n        f();\n    }\n}\nint x;\n";
        assert_eq!(of(c, 6), ("serve".into(), 3, 8));
        let python = "import x\n\ndef serve():\n    while True:\n        s.accept()\n\n    s.close()\n\nserve()\n";
        assert_eq!(of(python, 5), ("serve".into(), 3, 7));
        assert_eq!(of(python, 9).0, "", "at the margin: the lines around it");
    }
}
