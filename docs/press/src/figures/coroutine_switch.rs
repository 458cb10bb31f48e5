//! Two tasks on one thread: where one stops, where it left its waker, how it goes on.

use super::labels as l;
use judge::language::Language;
use lab::drawing::canvas::{Anchor, Area, Canvas, Style};

/// A stops; B runs; B stops; nobody can go on; an event; A goes on.
const STOPS: i32 = 290;
const RUNS_B: i32 = 350;
const STOPS_B: i32 = 490;
const WAITS: i32 = 550;
const EVENT: i32 = 730;
const GOES_ON: i32 = 810;
const END: i32 = 944;

const START: i32 = 150;
const HIGH: i32 = 40;

/// The lanes' upper edges.
const PLACE_A: i32 = 54;
const TASK_A: i32 = 130;
const EXECUTOR: i32 = 206;
const TASK_B: i32 = 282;
const PLACE_B: i32 = 358;

pub(super) fn draw(language: Language) -> Canvas {
    let mut c = Canvas::new(language, l::SWITCH_TITLE, [960, 480]);
    let names = [
        (PLACE_A, l::PLACE_A),
        (TASK_A, l::TASK_A),
        (EXECUTOR, l::EXECUTOR),
        (TASK_B, l::TASK_B),
        (PLACE_B, l::PLACE_B),
    ];
    for (y, name) in names {
        c.text(Style::Bold, Anchor::Start, [16, y + 25], name);
    }

    // Only one lane runs at a time: there is one thread.
    let recv = [(Style::OnAccent, l::code("recv().await"))];
    c.boxed("one", lane(START, STOPS, TASK_A), &recv);
    c.boxed("pale", lane(STOPS, EVENT, TASK_A), &[(Style::Small, l::STOPPED)]);
    c.boxed("pale", lane(EVENT, GOES_ON, TASK_A), &[(Style::Small, l::IN_LINE)]);
    c.boxed("one", lane(GOES_ON, END, TASK_A), &[(Style::OnAccent, l::GOES_ON)]);
    c.boxed("pale", lane(START, RUNS_B, TASK_B), &[(Style::Small, l::IN_READY_QUEUE)]);
    c.boxed("one", lane(RUNS_B, STOPS_B, TASK_B), &recv);
    c.boxed("pale", lane(STOPS_B, END, TASK_B), &[(Style::Small, l::STOPPED)]);
    c.boxed("box", lane(STOPS, RUNS_B, EXECUTOR), &[(Style::Small, l::NEXT)]);
    c.boxed("box", lane(STOPS_B, WAITS, EXECUTOR), &[(Style::Small, l::NEXT)]);
    let select = lane(WAITS, EVENT, EXECUTOR);
    c.boxed("sleep", select, &[(Style::Halo, l::code("selector.select()"))]);
    c.boxed("box", lane(EVENT, GOES_ON, EXECUTOR), &[(Style::Small, l::code("poll"))]);
    c.boxed("box", lane(STOPS, EVENT, PLACE_A), &[(Style::Plain, l::WAKER_A)]);
    c.boxed("box", lane(STOPS_B, END, PLACE_B), &[(Style::Plain, l::WAKER_B)]);

    // 1: the waker stays where the event will be found, and the thread goes back to the executor.
    c.arrow("flow", &[[STOPS - 12, TASK_A], [STOPS - 12, PLACE_A + 20], [STOPS, PLACE_A + 20]]);
    c.arrow(
        "line",
        &[[STOPS - 12, TASK_A + HIGH], [STOPS - 12, EXECUTOR + 20], [STOPS, EXECUTOR + 20]],
    );
    c.text(Style::Plain, Anchor::End, [STOPS - 20, PLACE_A + 66], l::STEP_1);
    c.text(Style::Code, Anchor::End, [STOPS - 20, EXECUTOR - 12], l::code("Pending"));
    let (down, centre) = (RUNS_B + 20, EXECUTOR + 20);
    c.arrow("line", &[[RUNS_B, centre], [down, centre], [down, TASK_B]]);
    c.arrow(
        "flow",
        &[[STOPS_B - 12, TASK_B + HIGH], [STOPS_B - 12, PLACE_B + 20], [STOPS_B, PLACE_B + 20]],
    );
    c.arrow(
        "line",
        &[[STOPS_B - 12, TASK_B], [STOPS_B - 12, EXECUTOR + 20], [STOPS_B, EXECUTOR + 20]],
    );
    // 2: nobody can go on.
    c.text(Style::Plain, Anchor::Middle, [(WAITS + EVENT) / 2, EXECUTOR + 64], l::STEP_2);
    // 3: the event finds the waker, and that puts its task in line.
    c.arrow("turn", &[[EVENT - 20, 16], [EVENT - 20, PLACE_A]]);
    c.text(Style::Plain, Anchor::Start, [EVENT - 8, 34], l::DATA_A);
    c.arrow("turn", &[[EVENT, PLACE_A + 20], [EVENT + 40, PLACE_A + 20], [EVENT + 40, TASK_A]]);
    c.text(Style::Plain, Anchor::Start, [EVENT + 52, TASK_A - 22], l::STEP_3);
    let up = GOES_ON + 20;
    c.arrow("line", &[[GOES_ON, centre], [up, centre], [up, TASK_A + HIGH]]);

    c.text(Style::Plain, Anchor::Middle, [480, 452], l::SAME_THREAD);
    c
}

fn lane(from: i32, to: i32, y: i32) -> Area {
    [from, y, to - from, HIGH]
}
