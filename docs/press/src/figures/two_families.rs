//! The four calls of a selector, and what becomes of them in the two families of backends.

use super::labels as l;
use judge::language::Language;
use lab::drawing::canvas::{Anchor, Area, Canvas, Label, Style};

/// The columns' left ends and widths: the interface, and the two families.
const CALLS: [i32; 2] = [24, 190];
const HANDED: [i32; 2] = [262, 316];
const KEPT: [i32; 2] = [642, 294];

const FIRST_ROW: i32 = 86;
const ROW: i32 = 48;
const HIGH: i32 = 38;
/// The kernel's lane.
const KERNEL: i32 = 346;

pub(super) fn draw(language: Language) -> Canvas {
    let mut c = Canvas::new(language, l::FAMILIES_TITLE, [960, 440]);
    let middle = |[x, w]: [i32; 2]| x + w / 2;
    for (column, name, what) in [
        (CALLS, l::ONE_INTERFACE, l::code("Selector")),
        (HANDED, l::code("select, poll"), l::HANDED_OVER),
        (KEPT, l::code("epoll, kqueue, event ports"), l::KERNEL_KEEPS),
    ] {
        c.text(Style::Bold, Anchor::Middle, [middle(column), 36], name);
        c.text(Style::Small, Anchor::Middle, [middle(column), 62], what);
    }

    let cell = |[x, w]: [i32; 2], row: i32| [x, FIRST_ROW + row * ROW, w, HIGH];
    for (row, call) in (0..).zip(["register", "modify", "unregister", "select"]) {
        c.boxed("box", cell(CALLS, row), &[(Style::Code, l::code(call))]);
    }
    for row in 0..3 {
        c.boxed("pale", cell(HANDED, row), &[(Style::Small, l::NOTHING)]);
    }
    accent(&mut c, "two", cell(HANDED, 3), l::code("poll([4, 5, 6, 7])"));
    let told = ["epoll_ctl(ADD, 7)", "epoll_ctl(MOD, 7)", "epoll_ctl(DEL, 7)"];
    for (row, call) in (0..).zip(told) {
        accent(&mut c, "one", cell(KEPT, row), l::code(call));
        // One bus down to the kernel's list.
        let y = FIRST_ROW + row * ROW + HIGH / 2;
        c.line("flow", &[[KEPT[0], y], [KEPT[0] - 26, y]]);
    }
    let bus = KEPT[0] - 26;
    let list = KERNEL + 32;
    c.arrow("flow", &[[bus, FIRST_ROW + HIGH / 2], [bus, list], [KEPT[0] - 8, list]]);
    accent(&mut c, "two", cell(KEPT, 3), l::code("epoll_wait()"));

    // The kernel, and what goes down to it and comes back.
    c.text(Style::Bold, Anchor::Middle, [middle(CALLS), KERNEL + 37], l::KERNEL);
    c.boxed("pale", [HANDED[0], KERNEL, HANDED[1], 64], &[(Style::Plain, l::KEEPS_NOTHING)]);
    c.area("pale", [KEPT[0] - 8, KERNEL, KEPT[1] + 8, 64]);
    for (x, number) in (KEPT[0] + 16..).step_by(44).zip(["4", "5", "6", "7"]) {
        c.boxed("box", [x, KERNEL + 15, 36, 34], &[(Style::Code, l::code(number))]);
    }
    c.text(Style::Small, Anchor::Start, [KEPT[0] + 200, KERNEL + 37], l::ITS_LIST);

    let below = FIRST_ROW + 3 * ROW + HIGH;
    let (down, up) = (HANDED[0] + 26, HANDED[0] + 186);
    c.arrow("turn", &[[down, below], [down, KERNEL]]);
    c.text(Style::Small, Anchor::Start, [down + 8, below + 47], l::ALL_OF_THEM);
    for up in [up, KEPT[0] + 26] {
        c.arrow("line", &[[up, KERNEL], [up, below]]);
        c.text(Style::Small, Anchor::Start, [up + 8, below + 47], l::WHO_IS_READY);
    }
    c
}

fn accent(c: &mut Canvas, class: &str, area: Area, label: Label) {
    c.boxed(class, area, &[(Style::OnAccent, label)]);
}
