//! One turn of the select server: three lists in, three lists out, a queue for each client.

use super::labels as l;
use judge::language::Language;
use lab::drawing::canvas::{Anchor, Canvas, Style};

/// The columns' left ends and widths.
const ASKED: [i32; 2] = [32, 184];
const SELECT: [i32; 2] = [250, 130];
const READY: [i32; 2] = [420, 130];
const DONE: [i32; 2] = [600, 180];
const QUEUE: [i32; 2] = [826, 114];

/// The rows of the three lists.
const ROWS: [i32; 3] = [90, 180, 270];
const HIGH: i32 = 60;

pub(super) fn draw(language: Language) -> Canvas {
    let mut c = Canvas::new(language, l::LOOP_TITLE, [960, 450]);
    let middle = |[x, w]: [i32; 2]| x + w / 2;
    let end = |[x, w]: [i32; 2]| x + w;

    for (column, label) in [(ASKED, l::ASKED), (READY, l::READY), (DONE, l::DONE)] {
        c.text(Style::Bold, Anchor::Middle, [middle(column), 40], label);
    }
    let lists = [
        ("inputs", l::IN_INPUTS, "readable"),
        ("outputs", l::IN_OUTPUTS, "writable"),
        ("urgent", l::IN_EXCEPTIONAL, "exceptional"),
    ];
    for (y, (asked, who, ready)) in ROWS.into_iter().zip(lists) {
        let centre = y + HIGH / 2;
        let lines = [(Style::Code, l::code(asked)), (Style::Small, who)];
        c.boxed("box", [ASKED[0], y, ASKED[1], HIGH], &lines);
        c.arrow("line", &[[end(ASKED), centre], [SELECT[0], centre]]);
        c.arrow("line", &[[end(SELECT), centre], [READY[0], centre]]);
        c.boxed("box", [READY[0], y, READY[1], HIGH], &[(Style::Code, l::code(ready))]);
    }
    let tall = ROWS[2] + HIGH - ROWS[0];
    c.area("sleep", [SELECT[0], ROWS[0], SELECT[1], tall]);
    let lines = [
        (Style::Halo, l::code("select()")),
        (Style::Halo, l::SLEEPS),
        (Style::Halo, l::UNTIL_READY),
    ];
    c.inside([SELECT[0], ROWS[0], SELECT[1], tall], &lines);

    // Readable means two things: somebody new, or something said.
    let steps = [
        (62, ROWS[0], l::LISTENER_READY, "box"),
        (126, ROWS[0], l::CLIENT_READY, "one"),
        (188, ROWS[1], l::ROOM_TO_SEND, "one"),
        (278, ROWS[2], l::URGENT, "box"),
    ];
    for (y, from, label, class) in steps {
        let (from, to) = (from + HIGH / 2, y + 22);
        let bend = end(READY) + 25;
        let start = [end(READY), from];
        c.arrow("line", &[start, [bend, from], [bend, to], [DONE[0], to]]);
        let style = if class == "one" { Style::OnAccent } else { Style::Plain };
        c.boxed(class, [DONE[0], y, DONE[1], 44], &[(style, label)]);
    }

    // What is received waits in the queue until it can be sent.
    let lines = [
        (Style::Bold, l::QUEUE),
        (Style::Bold, l::QUEUE_2),
        (Style::Small, l::FOR_EACH),
        (Style::Small, l::FOR_EACH_2),
    ];
    c.boxed("box", [QUEUE[0], 126, QUEUE[1], 108], &lines);
    c.arrow("flow", &[[end(DONE), 148], [QUEUE[0], 148]]);
    c.arrow("flow", &[[QUEUE[0], 210], [end(DONE), 210]]);

    let (done, asked) = (middle(DONE), middle(ASKED));
    c.arrow("turn", &[[done, 322], [done, 378], [asked, 378], [asked, 330]]);
    c.text(Style::Plain, Anchor::Middle, [(asked + done) / 2, 368], l::NEXT_TURN);

    let (queue, left) = (middle(QUEUE), 12);
    c.arrow("flow", &[[queue, 234], [queue, 430], [left, 430], [left, 210], [ASKED[0], 210]]);
    c.text(Style::Plain, Anchor::Middle, [(left + queue) / 2, 420], l::WATCH_WRITABLE);
    c
}
