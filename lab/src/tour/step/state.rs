//! Where the server is in its code, and what there is: clients, server and kernel.

use super::view::{CLIENTS, SERVER, View};
use console::{Alignment, Style, measure_text_width, pad_str, truncate_str};
use judge::wrap::{hang, wrap};
use player::{Row, Step};

/// From here on the kernel stands beside the programs.
const WIDE: usize = 72;
const BESIDE: &str = " │ ";

/// The line that the server is at, and so many before and after it. `cut`: a line for each of
/// these; the marked one is never cut.
pub(super) fn code(view: &View<'_>, at: usize, around: usize, cut: bool) -> Vec<String> {
    let (screen, dim) = (&view.screen, Style::new().dim());
    let steps = &view.play.steps[..=at];
    // Where a step has no line, the function is shown that was left last.
    let Some((index, line)) = steps.iter().rev().find_map(|step| step.place) else {
        return Vec::new();
    };
    let here = steps[at].place.is_some();
    let Some(function) = view.play.code.get(index) else { return Vec::new() };
    let mut title = format!("{}  {}:{line}", function.name, function.file);
    if !here {
        let none = ["(no line at this step)", "（这一步没有对应的代码行）"];
        title = format!("{}  {}", function.name, view.language.pick(none));
    }
    let titles = wrap(&title, screen.width);
    let mut lines: Vec<_> = titles.iter().map(|title| screen.styled(&dim, title)).collect();

    // As many lines at the ends of a function as in its middle.
    let last = function.lines.len().saturating_sub(1);
    let middle = line.saturating_sub(function.from).min(last);
    let first = middle.saturating_sub(around).min(last.saturating_sub(2 * around));
    let shown = &function.lines[first..=(first + 2 * around).min(last)];
    let indent = |line: &str| line.len() - line.trim_start().len();
    let common = shown.iter().filter(|line| !line.trim().is_empty()).map(|line| indent(line)).min();
    let digits = (function.from + last).to_string().len();
    for (number, text) in (function.from + first..).zip(shown) {
        let marked = here && number == line;
        let prefix = format!("{} {number:digits$}  ", if marked { "▶" } else { " " });
        let before = measure_text_width(&prefix);
        let text = text.get(common.unwrap_or(0)..).unwrap_or_default();
        let mut rows = match cut && !marked {
            true => vec![truncate_str(text, screen.width - before, "…").into_owned()],
            false => {
                // Far to the right there is no room to go on.
                let inner = indent(text).min(screen.width / 4);
                let rows = hang(text.trim_start(), screen.width - before - inner);
                rows.into_iter().map(|row| format!("{}{row}", " ".repeat(inner))).collect()
            }
        };
        for (number, row) in rows.iter_mut().enumerate() {
            let prefix = if number == 0 { prefix.clone() } else { " ".repeat(before) };
            *row = match marked {
                true => screen.styled(&Style::new().bold(), &format!("{prefix}{row}")),
                false => format!("{}{row}", screen.styled(&dim, &prefix)),
            };
            row.truncate(row.trim_end().len());
        }
        lines.extend(rows);
    }
    lines
}

/// The programs, and what the kernel holds for them: beside them, if there is room.
pub(super) fn panel(view: &View<'_>, at: usize) -> Vec<String> {
    let width = view.screen.width;
    let half = (width - measure_text_width(BESIDE)) / 2;
    let column = if width < WIDE { width } else { half };
    let clients = group(view, at, CLIENTS, |step| &step.clients, column);
    let server = group(view, at, SERVER, |step| &step.server, column);
    let kernel = group(view, at, ["kernel", "内核"], |step| &step.kernel, column);
    if width < WIDE {
        return [clients, kernel, server].concat();
    }
    let left = [clients, server].concat();
    let bar = view.screen.styled(&Style::new().dim(), BESIDE);
    let of = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
    let row = |row: usize| {
        let left = of(&left, row);
        let left = pad_str(&left, half, Alignment::Left, None);
        format!("{left}{bar}{}", of(&kernel, row)).trim_end().to_owned()
    };
    (0..left.len().max(kernel.len())).map(row).collect()
}

/// The rows of one place under its name. Those that are new, or that hold something else than a
/// step before, are marked.
fn group(
    view: &View<'_>,
    at: usize,
    title: [&str; 2],
    rows: fn(&Step) -> &[Row],
    width: usize,
) -> Vec<String> {
    let before = at.checked_sub(1).map(|before| rows(&view.play.steps[before]));
    let title = view.screen.styled(&Style::new().underlined(), view.language.pick(title));
    let mut lines = vec![title];
    for row in rows(&view.play.steps[at]) {
        let changed = before.is_some_and(|before| !before.contains(row));
        let empty = row.value.is_empty();
        let value = if empty { view.language.pick(["empty", "空"]) } else { &row.value };
        let style = match (changed, empty) {
            (true, _) => Style::new().bold(),
            (false, true) => Style::new().dim(),
            (false, false) => Style::new(),
        };
        let text = hang(&format!("{}{}{value}", row.label, view.colon()), width - 2);
        for (number, line) in text.iter().enumerate() {
            let mark = if changed && number == 0 { "* " } else { "  " };
            lines.push(view.screen.styled(&style, &format!("{mark}{line}")));
        }
    }
    lines
}
