//! The list that poll takes: one entry for each descriptor, the question and the answer side by
//! side.

use super::labels as l;
use judge::language::Language;
use lab::drawing::canvas::{Anchor, Area, Canvas, Style};

const TOP: i32 = 84;
const HIGH: i32 = 44;
/// Left edge and width of the columns: number, fd, events, revents.
const NUMBER: i32 = 286;
const FD: [i32; 2] = [310, 64];
const EVENTS: [i32; 2] = [390, 190];
const REVENTS: [i32; 2] = [646, 296];

pub(super) fn draw(language: Language) -> Canvas {
    let mut c = Canvas::new(language, l::ENTRIES_TITLE, [960, 392]);
    for ([x, width], [name, who]) in [
        (FD, [l::code("fd"), l::code("")]),
        (EVENTS, [l::code("events"), l::QUESTION]),
        (REVENTS, [l::code("revents"), l::ANSWER]),
    ] {
        c.text(Style::Small, Anchor::Middle, [x + width / 2, 34], who);
        c.text(Style::Code, Anchor::Middle, [x + width / 2, 62], name);
    }
    let (both, reset) = ("POLLIN|POLLOUT", "POLLIN|POLLERR|POLLHUP");
    let entries = [
        ("0", "3", [l::LISTENING, l::NOBODY_NEW], "POLLIN", ""),
        ("1", "4", [l::CLIENT_A, l::HAS_SENT], "POLLIN", "POLLIN"),
        ("2", "5", [l::CLIENT_B, l::HAS_QUEUE], both, "POLLOUT"),
        ("3", "1027", [l::CLIENT_C, l::HAS_RESET], "POLLIN", reset),
    ];
    for (row, (number, fd, [who, what], events, revents)) in (0..).zip(entries) {
        let y = TOP + row * (HIGH + 12);
        c.text(Style::Bold, Anchor::Start, [16, y + 18], who);
        c.text(Style::Small, Anchor::Start, [16, y + 38], what);
        c.text(Style::Small, Anchor::Middle, [NUMBER, y + 27], l::code(number));
        cell(&mut c, "box", [FD[0], y, FD[1], HIGH], fd);
        cell(&mut c, "one", [EVENTS[0], y, EVENTS[1], HIGH], events);
        let answered = if revents.is_empty() { "pale" } else { "two" };
        cell(&mut c, answered, [REVENTS[0], y, REVENTS[1], HIGH], revents);
        let (from, to) = (EVENTS[0] + EVENTS[1] + 8, REVENTS[0] - 8);
        c.arrow("turn", &[[from, y + HIGH / 2], [to, y + HIGH / 2]]);
    }
    let under = TOP + 4 * (HIGH + 12);
    c.text(Style::Bold, Anchor::Start, [FD[0], under + 32], l::RETURNS_3);
    c.text(Style::Plain, Anchor::Start, [FD[0], under + 58], l::STAYS);
    c
}

fn cell(c: &mut Canvas, class: &str, area: Area, flags: &'static str) {
    let style = if class == "box" { Style::Code } else { Style::OnAccent };
    match flags {
        "" => c.boxed(class, area, &[(Style::Small, l::code("0"))]),
        _ => c.boxed(class, area, &[(style, l::code(flags))]),
    }
}
