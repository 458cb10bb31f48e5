//! One read in four I/O models, one above the other on the same time axis.

use super::labels as l;
use judge::language::Language;
use lab::drawing::canvas::{Anchor, Area, Canvas, Style};

/// When the process calls, the data arrives, the copy is done, the picture ends.
const CALL: i32 = 260;
const ARRIVAL: i32 = 630;
const COPIED: i32 = 780;
const END: i32 = 940;

/// The left end of the lanes.
const START: i32 = 224;
const LANE: i32 = 34;
/// From the top of the process's lane to the top of the kernel's.
const TO_KERNEL: i32 = 62;
const ROW: i32 = 126;

pub(super) fn draw(language: Language) -> Canvas {
    let mut c = Canvas::new(language, l::PHASES_TITLE, [960, 640]);
    let bottom = 76 + 4 * ROW;
    for (x, top) in [(CALL, 24), (ARRIVAL, 66), (COPIED, 24)] {
        c.line("dash", &[[x, top], [x, bottom - 20]]);
    }
    c.text(Style::Bold, Anchor::Middle, [(CALL + ARRIVAL) / 2, 34], l::PHASE_1);
    c.text(Style::Bold, Anchor::Middle, [(ARRIVAL + COPIED) / 2, 34], l::PHASE_2);
    c.text(Style::Small, Anchor::Middle, [ARRIVAL, 60], l::ARRIVES);

    for (row, name) in (0..).zip([l::BLOCKING, l::NONBLOCKING, l::MULTIPLEXING, l::ASYNCHRONOUS]) {
        let y = 76 + row * ROW;
        c.text(Style::Bold, Anchor::Start, [16, y + 52], name);
        c.text(Style::Small, Anchor::End, [START - 10, y + 22], l::PROCESS);
        c.text(Style::Small, Anchor::End, [START - 10, y + TO_KERNEL + 22], l::KERNEL);
    }

    // Blocking: asleep through the wait, held up by the copy.
    let y = 76;
    c.area("box", lane(START, CALL, y));
    c.boxed("sleep", lane(CALL, ARRIVAL, y), &[(Style::Halo, l::SLEEPS_IN_RECV)]);
    waiting(&mut c, y);
    call(&mut c, CALL, y, l::code("recv"));
    copying(&mut c, ARRIVAL, y);

    // Non-blocking: awake, and the data is found at the next question, not when it arrives.
    let y = 76 + ROW;
    let found = ARRIVAL + 30;
    c.boxed("box", lane(START, found, y), &[(Style::Plain, l::ASKS)]);
    waiting(&mut c, y);
    for x in (CALL..ARRIVAL).step_by(50) {
        question(&mut c, x, y);
    }
    copying(&mut c, found, y);

    // Multiplexing: asleep for all sockets at once, then one call more for the copy.
    let y = 76 + 2 * ROW;
    let received = ARRIVAL + 40;
    c.area("box", lane(START, CALL, y));
    c.boxed("sleep", lane(CALL, ARRIVAL, y), &[(Style::Halo, l::SLEEPS_IN_SELECT)]);
    waiting(&mut c, y);
    call(&mut c, CALL, y, l::code("select"));
    c.arrow("line", &[[ARRIVAL, y + TO_KERNEL], [ARRIVAL, y + LANE]]);
    c.text(Style::Plain, Anchor::End, [ARRIVAL - 8, y + 53], l::READABLE);
    c.area("box", lane(ARRIVAL, received, y));
    copying(&mut c, received, y);

    // Asynchronous: neither phase holds the process up.
    let y = 76 + 3 * ROW;
    c.boxed("box", lane(START, END, y), &[(Style::Plain, l::OWN_WORK)]);
    waiting(&mut c, y);
    call(&mut c, CALL, y, l::SUBMIT);
    let copy = lane(ARRIVAL, COPIED, y + TO_KERNEL);
    c.boxed("one", copy, &[(Style::OnAccent, l::KERNEL_COPIES)]);
    c.arrow("line", &[[COPIED, y + TO_KERNEL], [COPIED, y + LANE]]);
    c.text(Style::Plain, Anchor::Start, [COPIED + 8, y + 53], l::COMPLETED);

    key(&mut c, bottom + 8);
    c
}

fn lane(from: i32, to: i32, y: i32) -> Area {
    [from, y, to - from, LANE]
}

/// The kernel's side of the first phase: the same in every model.
fn waiting(c: &mut Canvas, y: i32) {
    c.boxed("pale", lane(CALL, ARRIVAL, y + TO_KERNEL), &[(Style::Small, l::NOT_YET)]);
}

fn call(c: &mut Canvas, x: i32, y: i32, name: lab::drawing::canvas::Label) {
    c.arrow("line", &[[x, y + LANE], [x, y + TO_KERNEL]]);
    c.text(Style::Plain, Anchor::Start, [x + 8, y + 53], name);
}

/// Down with the question, up with EAGAIN.
fn question(c: &mut Canvas, x: i32, y: i32) {
    c.arrow("line", &[[x, y + LANE], [x, y + TO_KERNEL]]);
    c.arrow("line", &[[x + 14, y + TO_KERNEL], [x + 14, y + LANE]]);
}

/// The second phase where the process does it itself: over both lanes, because it is the process
/// that runs the kernel's code. Then the process goes on.
fn copying(c: &mut Canvas, from: i32, y: i32) {
    let to = from + COPIED - ARRIVAL;
    c.area("box", lane(to, END, y));
    let area = [from, y, to - from, TO_KERNEL + LANE];
    c.boxed("one", area, &[(Style::OnAccent, l::RECV_COPIES)]);
}

fn key(c: &mut Canvas, y: i32) {
    for (x, class, label) in
        [(224, "sleep", l::KEY_SLEEPS), (420, "box", l::KEY_RUNS), (224, "one", l::KEY_COPY)]
    {
        let y = if class == "one" { y + 28 } else { y };
        c.area(class, [x, y, 26, 18]);
        c.text(Style::Small, Anchor::Start, [x + 34, y + 14], label);
    }
    c.arrow("line", &[[622, y], [622, y + 20]]);
    c.arrow("line", &[[636, y + 20], [636, y]]);
    c.text(Style::Small, Anchor::Start, [650, y + 14], l::KEY_ASKS);
}
