//! The same message in five models, one above the other: who waits in which call and who copies,
//! from the traces that the timelines are drawn from.

use super::labels as l;
use judge::language::{Language, Words};
use lab::drawing::canvas::{Anchor, Canvas, Label, Style};
use lab::timeline::lanes::{Piece, What, lanes};
use lab::timeline::picture::{asking, words};
use player::trace::{Client, Deed, Trace};

/// The programs, and the models that they stand for.
const ROWS: [(&str, Label); 5] = [
    ("blocking", l::BLOCKING),
    ("nonblocking", l::NONBLOCKING),
    ("select", l::MULTIPLEXING),
    ("epoll", l::MULTIPLEXING),
    ("uring", l::ASYNCHRONOUS),
];

/// Before the message is sent everybody waits, for as long as it takes: not to scale. After it all
/// rows have the same scale.
const WAIT: i32 = 170;
const SENT: i32 = 352;
const END: i32 = 940;
const TOP: i32 = 72;
const ROW: i32 = 126;
/// From the top of a row: two lines of names, the boxes, the client's bar.
const BOX: i32 = 46;
const HIGH: i32 = 48;
const BAR: i32 = BOX + HIGH + 12;

/// What one server did from the wait for the message on. Times are microseconds since it was sent.
struct Row {
    program: &'static str,
    model: Label,
    pieces: Vec<Piece>,
    sent: u64,
    answered: u64,
}

impl Row {
    fn of(trace: &Trace, program: &'static str, model: Label) -> Option<Self> {
        let acts = || trace.acts.iter().filter(|act| act.client == Client::A);
        let sent = acts().find(|act| matches!(act.what, Deed::Send(_)))?.at;
        let answered = acts().find(|act| matches!(act.what, Deed::Receive(_)))?.at;
        let lane = lanes(trace).into_iter().next()?;
        let first = lane.pieces.iter().rposition(|piece| piece.from < sent)?;
        let pieces = lane.pieces.into_iter().skip(first).collect();
        Some(Self { program, model, pieces, sent, answered })
    }

    /// When it waits again, or looks for the next.
    fn over(&self) -> u64 {
        let waits = |what: &What| matches!(what, What::Sleep { .. } | What::Ask { .. });
        let next = self.pieces.iter().find(|piece| piece.from >= self.sent && waits(&piece.what));
        next.map_or(self.answered, |piece| piece.from).max(self.answered) - self.sent
    }
}

/// The picture, where there is a trace of each of the five.
pub(super) fn of(traces: &[Trace]) -> Option<impl Fn(Language) -> Canvas> {
    let row = |(program, model): (&'static str, Label)| {
        let trace = traces.iter().find(|trace| trace.program == program)?;
        Row::of(trace, program, model)
    };
    let rows: Vec<Row> = ROWS.into_iter().map(row).collect::<Option<_>>()?;
    Some(move |language| draw(&rows, language))
}

fn draw(rows: &[Row], language: Language) -> Canvas {
    let longest = rows.iter().map(Row::over).max().unwrap_or(0);
    let scale = Scale { end: (longest + 10).next_multiple_of(50) };
    let bottom = TOP + ROW * i32::try_from(rows.len()).expect("a few");
    let mut c = Canvas::new(language, l::SIDE_TITLE, [960, bottom + 164]);
    c.text(Style::Bold, Anchor::Middle, [(WAIT + SENT) / 2, 30], l::PHASE_1);
    c.text(Style::Bold, Anchor::Middle, [(SENT + END) / 2, 30], l::PHASE_2_AND_ANSWER);
    c.text(Style::Small, Anchor::Middle, [SENT, 56], l::ARRIVES);
    c.line("dash", &[[SENT, 64], [SENT, bottom + 8]]);
    for (row, y) in rows.iter().zip((TOP..).step_by(ROW as usize)) {
        c.text(Style::Bold, Anchor::Start, [16, y + BOX + 20], row.model);
        c.text(Style::Code, Anchor::Start, [16, y + BOX + 42], l::code(row.program));
        boxes(&mut c, &scale, row, y, language);
        let [from, to] = [0, row.answered - row.sent].map(|at| scale.x(at));
        c.area("two", [from, y + BAR, to - from, 6]);
        let words = l::after(&words::time(row.answered - row.sent));
        c.text(Style::Small, Anchor::Start, [to + 8, y + BAR + 8], words);
    }
    axis(&mut c, &scale, bottom + 8);
    key(&mut c, bottom + 60);
    for (y, line) in [(128, l::SIDE_TO_SCALE[0]), (148, l::SIDE_TO_SCALE[1])] {
        c.text(Style::Small, Anchor::Start, [16, bottom + y], line);
    }
    c
}

/// Where times are.
struct Scale {
    end: u64,
}

impl Scale {
    fn x(&self, micros: u64) -> i32 {
        let part = micros.min(self.end) as f64 / self.end as f64;
        SENT + (f64::from(END - SENT) * part).round() as i32
    }
}

fn boxes(c: &mut Canvas, scale: &Scale, row: &Row, y: i32, language: Language) {
    // How far the names over the boxes reach, on their two lines.
    let mut ends = [0.0; 2];
    for piece in &row.pieces {
        let waits = piece.from < row.sent;
        let from = if waits { WAIT } else { scale.x(piece.from - row.sent) };
        let to = scale.x(piece.to - row.sent);
        if to <= from {
            break;
        }
        let area = [from, y + BOX, to - from, HIGH];
        match &piece.what {
            What::Own => c.area("pale", [from, y + BOX + HIGH / 2 - 6, to - from, 12]),
            What::Ask { .. } => asking(c, area),
            What::Sleep { .. } => c.area("sleep", area),
            What::Copy { .. } | What::Move { bytes: 1.., .. } => c.area("one", area),
            What::Move { .. } | What::Brief { .. } => c.area("box", area),
        }
        if waits {
            let lines = words::lines(piece);
            c.inside([WAIT, area[1], SENT - WAIT, HIGH], &lines[..2.min(lines.len())]);
            continue;
        }
        let Some((style, name)) = name(&piece.what) else { continue };
        let wide = style.width(name.of(language));
        if wide + 10.0 <= f64::from(area[2]) {
            let style = match (&piece.what, style) {
                (What::Move { bytes: 1.., .. }, _) => Style::CodeOnAccent,
                (What::Copy { .. }, _) => Style::OnAccent,
                (What::Sleep { .. }, _) => Style::CodeHalo,
                (_, style) => style,
            };
            c.inside(area, &[(style, name)]);
            continue;
        }
        let middle = f64::from(from + to) / 2.0;
        let left = (middle - wide / 2.0).max(f64::from(SENT)).min(f64::from(END) - wide);
        let line = usize::from(left < ends[0] + 6.0);
        ends[line] = left + wide;
        let base = y + BOX - [8, 28][line];
        if line == 1 {
            let x = middle.round() as i32;
            c.line("dash", &[[x, base + 4], [x, y + BOX]]);
        }
        c.text(style, Anchor::Start, [left.round() as i32, base], name);
    }
}

/// What stands at a box: the call.
fn name(what: &What) -> Option<(Style, Words)> {
    let code = |call: &str| Some((Style::Code, l::same(call)));
    match what {
        What::Own => None,
        What::Sleep { call, .. } | What::Move { call, .. } | What::Brief { call, .. } => code(call),
        What::Copy { by_kernel: true } => Some((Style::Small, l::KERNEL_COPIES.into())),
        What::Copy { by_kernel: false } => Some((Style::Small, l::COPIES.into())),
        What::Ask { calls, .. } => {
            let names: Vec<_> = calls.iter().map(|(call, _)| call.as_str()).collect();
            code(&names.join(", "))
        }
    }
}

fn axis(c: &mut Canvas, scale: &Scale, y: i32) {
    c.line("line", &[[SENT, y], [END, y]]);
    for micros in (0..=scale.end).step_by(50) {
        let x = scale.x(micros);
        c.line("line", &[[x, y], [x, y + 6]]);
        let words = if micros == 0 { "0".to_owned() } else { words::time(micros) };
        let anchor = if micros == scale.end { Anchor::End } else { Anchor::Middle };
        c.text(Style::Small, anchor, [x, y + 22], l::same(words));
    }
}

fn key(c: &mut Canvas, y: i32) {
    let entries = [
        [("sleep", l::KEY_ASLEEP), ("one", l::KEY_MOVES), ("box", l::KEY_BRIEF)],
        [("asks", l::KEY_EAGAIN), ("two", l::KEY_ANSWER), ("own", l::KEY_OWN)],
    ];
    for (row, y) in entries.into_iter().zip([y, y + 26]) {
        for ((class, label), x) in row.into_iter().zip([16, 326, 690]) {
            match class {
                "two" => c.area("two", [x, y + 6, 26, 6]),
                "own" => c.area("pale", [x, y + 3, 26, 12]),
                "asks" => asking(c, [x, y, 26, 18]),
                class => c.area(class, [x, y, 26, 18]),
            }
            c.text(Style::Small, Anchor::Start, [x + 34, y + 14], label);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::TRACES;
    use crate::{read, root};

    /// Whatever a new recording brings: the words at the left are those of the wait that the
    /// message ends, and the copy stands to the right of it.
    #[test]
    fn a_row_begins_with_a_wait_and_copies_before_it_answers() {
        for (program, model) in ROWS {
            let path = format!("{TRACES}/{program}.trace");
            let text = read(&root(), &path).expect("the course has a trace of each");
            let trace = Trace::parse(&text).expect("a trace");
            let row = Row::of(&trace, program, model).expect("a message and its answer");
            let first = &row.pieces[0].what;
            let waits = matches!(first, What::Sleep { .. } | What::Ask { .. });
            assert!(waits, "{program}: {first:?}");
            let copy = row.pieces.iter().find(|piece| {
                matches!(piece.what, What::Copy { .. } | What::Move { bytes: 1.., .. })
            });
            let copy = copy.expect("somebody copies");
            assert!(row.sent <= copy.from && copy.to < row.answered, "{program}: {copy:?}");
        }
    }

    #[test]
    fn without_all_five_there_is_nothing_to_compare() {
        let text = read(&root(), &format!("{TRACES}/epoll.trace")).expect("a trace");
        assert!(of(&[Trace::parse(&text).expect("a trace")]).is_none());
    }
}
