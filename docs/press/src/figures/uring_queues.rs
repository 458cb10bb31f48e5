//! What a program and the kernel share in io_uring: two queues, a ring of buffers, and one call.

use super::labels as l;
use judge::language::Language;
use lab::drawing::canvas::{Anchor, Canvas, Label, Style};

/// The left ends and widths of the three columns.
const PROGRAM: [i32; 2] = [24, 216];
const SHARED: [i32; 2] = [304, 352];
const KERNEL: [i32; 2] = [720, 216];

const TOP: i32 = 50;
const ROW: i32 = 100;
const CELLS: i32 = 320;
const CELL: [i32; 2] = [80, 34];

/// A row: its name, its cells, and what the program and the kernel do with it.
type Row = (Label, [(&'static str, &'static str); 4], [Label; 4]);

pub(super) fn draw(language: Language) -> Canvas {
    let mut c = Canvas::new(language, l::URING_TITLE, [960, 460]);
    let columns = [
        ("box", PROGRAM, l::URING_PROGRAM),
        ("pale", SHARED, l::URING_SHARED),
        ("box", KERNEL, l::KERNEL),
    ];
    for (class, [x, w], name) in columns {
        c.text(Style::Bold, Anchor::Middle, [x + w / 2, 36], name);
        c.area(class, [x, TOP, w, 3 * ROW + 6]);
    }

    let code = l::code;
    let rows: [Row; 3] = [
        (
            l::SUBMISSION_QUEUE,
            [("box", ""), ("one", "send 0"), ("one", "send 1"), ("one", "recv 2")],
            [l::WRITES_REQUESTS, l::WRITES_REQUESTS_2, l::TAKES_REQUESTS, l::TAKES_REQUESTS_2],
        ),
        (
            l::COMPLETION_QUEUE,
            [("two", "recv 0"), ("two", "recv 1"), ("two", "accept"), ("box", "")],
            [l::READS_RESULTS, l::READS_RESULTS_2, l::WRITES_RESULTS, l::WRITES_RESULTS_2],
        ),
        (
            l::BUFFER_RING,
            [("box", "7"), ("box", "6"), ("box", "3"), ("box", "2")],
            [l::PUTS_BACK, l::PUTS_BACK_2, l::FILLS_BUFFERS, l::FILLS_BUFFERS_2],
        ),
    ];
    for (y, (name, cells, words)) in (TOP..).step_by(100).zip(rows) {
        c.text(Style::Bold, Anchor::Start, [CELLS, y + 28], name);
        for (x, (class, text)) in (CELLS..).step_by(80).zip(cells) {
            let style = if class == "box" { Style::Code } else { Style::OnAccent };
            let area = [x, y + 40, CELL[0], CELL[1]];
            c.area(class, area);
            if !text.is_empty() {
                c.inside(area, &[(style, code(text))]);
            }
        }
        let [program, program_2, kernel, kernel_2] = words;
        for ([x, w], first, second) in [(PROGRAM, program, program_2), (KERNEL, kernel, kernel_2)] {
            c.text(Style::Plain, Anchor::Middle, [x + w / 2, y + 54], first);
            c.text(Style::Small, Anchor::Middle, [x + w / 2, y + 76], second);
        }
        let middle = y + 40 + CELL[1] / 2;
        let (left, right) = (PROGRAM[0] + PROGRAM[1], CELLS + 4 * CELL[0]);
        if name.en == l::COMPLETION_QUEUE.en {
            c.arrow("turn", &[[KERNEL[0], middle], [right, middle]]);
            c.arrow("turn", &[[CELLS, middle], [left, middle]]);
        } else {
            c.arrow("flow", &[[left, middle], [CELLS, middle]]);
            c.arrow("flow", &[[right, middle], [KERNEL[0], middle]]);
        }
    }

    let enter = [PROGRAM[0], 388, KERNEL[0] + KERNEL[1] - PROGRAM[0], 52];
    let lines = [(Style::Halo, code("io_uring_enter()")), (Style::Halo, l::ONE_CALL)];
    c.boxed("sleep", enter, &lines);
    for [x, w] in [PROGRAM, KERNEL] {
        let x = x + w / 2;
        let ends = [[x, TOP + 3 * ROW + 6], [x, 388]];
        let down = x < 480;
        c.arrow("line", &if down { ends } else { [ends[1], ends[0]] });
    }
    c
}
