//! Four ways of waiting in blocking calls: which thread sleeps for whom, and which client waits.

use super::labels as l;
use judge::language::Language;
use lab::drawing::canvas::{Anchor, Canvas, Label, Style};

const ROW: i32 = 84;
const TOP: i32 = 50;
/// The left end of the processes, the size of a thread in one, and the room around it.
const START: i32 = 226;
const THREAD: [i32; 2] = [110, 44];
const GAP: i32 = 10;
/// A client that waits, with the room to the next.
const CLIENT: i32 = 54;
/// The left end of the kernel's queue.
const QUEUE: i32 = 806;

/// What a program is made of: its processes, the threads in each, and the clients that wait,
/// accepted or not.
struct Row<'a> {
    name: &'static str,
    processes: &'a [&'a [Label]],
    accepted: &'a [&'static str],
    queued: &'a [&'static str],
}

pub(super) fn draw(language: Language) -> Canvas {
    let mut c = Canvas::new(language, l::WHO_WAITS_TITLE, [960, 440]);
    c.text(Style::Bold, Anchor::Start, [START, 32], l::ASLEEP_IN);
    c.text(Style::Bold, Anchor::End, [944, 32], l::NOT_ACCEPTED);

    let [a, b, d] = [l::RECV_A, l::RECV_B, l::RECV_C];
    let (accept, poll) = (l::code("accept"), l::code("poll"));
    let rows = [
        Row { name: "blocking", processes: &[&[a]], accepted: &[], queued: &["B", "C"] },
        Row {
            name: "thread_per_connection",
            processes: &[&[accept, a, b, d]],
            accepted: &[],
            queued: &[],
        },
        Row {
            name: "process_per_connection",
            processes: &[&[poll], &[a], &[b], &[d]],
            accepted: &[],
            queued: &[],
        },
        Row {
            name: "thread_pool",
            processes: &[&[l::HAND_OVER, a, b]],
            accepted: &["C"],
            queued: &["D"],
        },
    ];
    for (number, row) in (0..).zip(&rows) {
        program(&mut c, TOP + number * ROW, row);
    }

    let y = TOP + 4 * ROW + 18;
    let key =
        [("sleep", 16, l::KEY_THREAD), ("pale", 330, l::KEY_PROCESS), ("two", 560, l::KEY_WAITS)];
    for (class, x, label) in key {
        c.area(class, [x, y, 26, 18]);
        c.text(Style::Small, Anchor::Start, [x + 34, y + 14], label);
    }
    c
}

fn program(c: &mut Canvas, y: i32, row: &Row) {
    let long = |count: usize, each: i32| i32::try_from(count).expect("a few") * each;
    c.text(Style::Code, Anchor::Start, [16, y + 37], l::code(row.name));
    let mut x = START;
    for threads in row.processes {
        let wide = long(threads.len(), THREAD[0] + GAP) + long(row.accepted.len(), CLIENT) + GAP;
        c.area("pale", [x, y, wide, THREAD[1] + 2 * GAP]);
        for thread in *threads {
            let area = [x + GAP, y + GAP, THREAD[0], THREAD[1]];
            c.boxed("sleep", area, &[(Style::Halo, *thread)]);
            x += THREAD[0] + GAP;
        }
        clients(c, [x + GAP, y], row.accepted);
        x += 2 * GAP;
    }
    clients(c, [QUEUE, y], row.queued);
}

fn clients(c: &mut Canvas, [x, y]: [i32; 2], names: &[&'static str]) {
    for (place, name) in (0..).zip(names) {
        let area = [x + place * CLIENT, y + 14, CLIENT - GAP, 36];
        c.boxed("two", area, &[(Style::OnAccent, l::code(name))]);
    }
}
