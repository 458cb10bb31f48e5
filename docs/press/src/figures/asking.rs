//! Asking without a pause and with one, above each other on one time axis: who burns the CPU, and
//! who waits.

use super::labels as l;
use judge::language::Language;
use lab::drawing::canvas::{Anchor, Area, Canvas, Style};

/// The ends of the lanes, and when the data arrives.
const START: i32 = 150;
const END: i32 = 940;
const ARRIVAL: i32 = 650;
/// How long a recv takes that has something to copy.
const COPY: i32 = 76;
/// How long a look takes that finds nothing.
const LOOK: i32 = 24;

const LANE: i32 = 34;
/// From the top of the process's lane to the top of the kernel's, and to the CPU's.
const TO_KERNEL: i32 = 62;
const TO_CPU: i32 = 112;

pub(super) fn draw(language: Language) -> Canvas {
    let mut c = Canvas::new(language, l::ASKING_TITLE, [960, 430]);
    c.text(Style::Small, Anchor::Middle, [ARRIVAL, 26], l::ARRIVES);
    c.line("dash", &[[ARRIVAL, 34], [ARRIVAL, 400]]);

    // Without a pause: the data is found at once, and every other question was in vain.
    let y = 76;
    let found = ARRIVAL + 10;
    row(&mut c, y, l::WITHOUT_PAUSE);
    c.area("box", lane(START, END, y));
    for (from, to) in [(START, ARRIVAL), (found + COPY, END)] {
        c.boxed("pale", lane(from, to, y + TO_KERNEL), &[(Style::Small, l::NOT_YET)]);
        for x in (from + 8..to - 76).step_by(84) {
            question(&mut c, x, y);
        }
    }
    receiving(&mut c, found, y);
    c.area("two", [START, y + TO_CPU, END - START, 12]);

    // With one: the CPU rests, and the data waits for the next look.
    let y = 264;
    let looks = [START + 8, START + 213, START + 418, START + 623];
    row(&mut c, y, l::WITH_PAUSE);
    c.boxed("pale", lane(START, ARRIVAL, y + TO_KERNEL), &[(Style::Small, l::NOT_YET)]);
    c.boxed("box", lane(ARRIVAL, looks[3], y + TO_KERNEL), &[(Style::Small, l::WAITS_FOR_LOOK)]);
    for (&look, &next) in looks.iter().zip(&looks[1..]) {
        c.area("box", lane(look, look + LOOK, y));
        c.boxed("sleep", lane(look + LOOK, next, y), &[(Style::Halo, l::PAUSE)]);
        question(&mut c, look + 4, y);
        c.area("two", [look, y + TO_CPU, LOOK, 12]);
    }
    c.area("sleep", lane(looks[3] + COPY, END, y));
    receiving(&mut c, looks[3], y);
    c.area("two", [looks[3], y + TO_CPU, COPY, 12]);
    c
}

fn lane(from: i32, to: i32, y: i32) -> Area {
    [from, y, to - from, LANE]
}

/// The names of a row and of its three lanes.
fn row(c: &mut Canvas, y: i32, name: lab::drawing::canvas::Label) {
    c.text(Style::Bold, Anchor::Start, [START, y - 12], name);
    for (below, label) in [(22, l::PROCESS), (TO_KERNEL + 22, l::KERNEL), (TO_CPU + 11, l::CPU)] {
        c.text(Style::Small, Anchor::End, [START - 10, y + below], label);
    }
}

/// Down with the question, up with the answer that there is nothing.
fn question(c: &mut Canvas, x: i32, y: i32) {
    c.arrow("line", &[[x, y + LANE], [x, y + TO_KERNEL]]);
    c.arrow("line", &[[x + 14, y + TO_KERNEL], [x + 14, y + LANE]]);
    c.text(Style::Code, Anchor::Start, [x + 20, y + 53], l::code("EAGAIN"));
}

/// The question that finds the data: over both lanes, for the process itself makes the copy.
fn receiving(c: &mut Canvas, from: i32, y: i32) {
    let area = [from, y, COPY, TO_KERNEL + LANE];
    c.boxed("one", area, &[(Style::OnAccent, l::code("recv"))]);
}
