//! What epoll keeps in the kernel: the interest list, and the list of those that are ready.

use super::labels as l;
use judge::language::Language;
use lab::drawing::canvas::{Anchor, Canvas, Style};

/// The columns' left ends and widths: the calls, and the two lists in the kernel.
const CALLS: [i32; 2] = [32, 286];
const INTEREST: [i32; 2] = [436, 190];
const READY: [i32; 2] = [734, 176];

const FIRST_ROW: i32 = 110;
const ROW: i32 = 34;

pub(super) fn draw(language: Language) -> Canvas {
    let mut c = Canvas::new(language, l::EPOLL_TITLE, [960, 424]);
    let middle = |[x, w]: [i32; 2]| x + w / 2;
    let end = |[x, w]: [i32; 2]| x + w;

    c.text(Style::Bold, Anchor::Middle, [middle(CALLS), 36], l::PROCESS);
    c.area("pale", [406, 50, 528, 268]);
    c.text(Style::Bold, Anchor::Middle, [670, 36], l::KERNEL);
    c.text(Style::Bold, Anchor::Middle, [middle(INTEREST), 78], l::INTEREST_LIST);
    c.text(Style::Small, Anchor::Middle, [middle(INTEREST), 99], l::KEPT);
    c.text(Style::Bold, Anchor::Middle, [middle(READY), 78], l::READY_LIST);
    c.text(Style::Small, Anchor::Middle, [middle(READY), 99], l::ADDED_AT_END);

    let calls = [
        ("box", 66, Style::Code, l::code("epoll_create1()"), Style::Small, l::MAKES_LISTS),
        ("box", 144, Style::Code, l::code("epoll_ctl()"), Style::Small, l::TELLS_ONCE),
        ("sleep", 232, Style::Halo, l::code("epoll_wait()"), Style::Halo, l::SLEEPS_UNTIL_LISTED),
    ];
    for (class, y, style, name, under, what) in calls {
        c.boxed(class, [CALLS[0], y, CALLS[1], 58], &[(style, name), (under, what)]);
    }
    // Somebody new: the last of the rows.
    c.arrow("line", &[[end(CALLS), 173], [420, 173], [420, 279], [INTEREST[0], 279]]);
    c.text(Style::Small, Anchor::Middle, [363, 164], l::code("ADD, MOD"));
    c.arrow("line", &[[middle(CALLS), 290], [middle(CALLS), 338]]);

    // Whom the network has just woken: C before A.
    let rows = [("4", l::LISTENER), ("5", l::CLIENT_A), ("6", l::CLIENT_B), ("7", l::CLIENT_C)];
    let rows = rows.into_iter().chain([("8", l::CLIENT_D)]);
    for (y, (number, who)) in (FIRST_ROW..).step_by(38).zip(rows) {
        let class = if number == "5" || number == "7" { "one" } else { "box" };
        let name = if class == "one" { Style::OnAccent } else { Style::Plain };
        c.area(class, [INTEREST[0], y, INTEREST[1], ROW]);
        for (x, text) in [(16, l::code(number)), (46, who), (150, l::code("IN"))] {
            c.text(name, Anchor::Start, [INTEREST[0] + x, y + 22], text);
        }
    }
    let centre = |row: i32| FIRST_ROW + 38 * row + ROW / 2;
    for (place, row, who) in [(0, 3, "7"), (1, 1, "5")] {
        let y = FIRST_ROW + 38 * place;
        c.area("one", [READY[0], y, READY[1], ROW]);
        let at = [READY[0] + 16, y + 22];
        c.text(Style::OnAccent, Anchor::Start, at, l::code(who));
        let name = if row == 3 { l::CLIENT_C } else { l::CLIENT_A };
        c.text(Style::OnAccent, Anchor::Start, [READY[0] + 46, y + 22], name);
        // The two cross: the order is that of arrival, not that of the numbers.
        let bend = if row == 3 { 672 } else { 698 };
        let points = [[end(INTEREST), centre(row)], [bend, centre(row)]];
        c.arrow("flow", &[points[0], points[1], [bend, centre(place)], [READY[0], centre(place)]]);
    }
    c.text(Style::Small, Anchor::Middle, [780, 246], l::CALLBACK);
    c.text(Style::Small, Anchor::Middle, [780, 268], l::CALLBACK_2);

    let batch = [(Style::Code, l::code("[(7, EPOLLIN), (5, EPOLLIN)]")), (Style::Small, l::BATCH)];
    c.boxed("box", [CALLS[0], 338, CALLS[1], 58], &batch);
    c.arrow("turn", &[[middle(READY) + 66, 182], [middle(READY) + 66, 367], [end(CALLS), 367]]);
    c.text(Style::Plain, Anchor::Middle, [600, 358], l::COPIED_OUT);
    c.text(Style::Plain, Anchor::Middle, [600, 392], l::NOBODY_ASKED);
    c
}
