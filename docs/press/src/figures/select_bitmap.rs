//! The set of descriptors that select takes: 1024 bits, asked and answered in the same place.

use super::labels as l;
use judge::language::Language;
use lab::drawing::canvas::{Anchor, Canvas, Style};

const LEFT: i32 = 130;
const CELL: i32 = 64;
const HIGH: i32 = 44;
const BEFORE: i32 = 100;
const AFTER: i32 = 232;

/// A gap stands for the bits that are not shown.
const COLUMNS: [&str; 12] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "", "1022", "1023"];

pub(super) fn draw(language: Language) -> Canvas {
    let mut c = Canvas::new(language, l::BITMAP_TITLE, [960, 350]);
    for (y, words) in [(BEFORE, [l::BEFORE, l::BEFORE_2]), (AFTER, [l::AFTER, l::AFTER_2])] {
        c.text(Style::Bold, Anchor::Start, [16, y + 18], words[0]);
        c.text(Style::Small, Anchor::Start, [16, y + 38], words[1]);
    }
    for (column, number) in (0..).zip(COLUMNS) {
        let x = LEFT + column * CELL;
        if number.is_empty() {
            for y in [BEFORE, AFTER] {
                c.text(Style::Bold, Anchor::Middle, [x + CELL / 2, y + 27], l::code("…"));
            }
            continue;
        }
        c.text(Style::Small, Anchor::Middle, [x + CELL / 2, 66], l::code(number));
        // The listener is 3, the clients are 4, 5 and 6; 5 has something to read.
        let asked = (3..=6).contains(&column);
        bit(&mut c, [x, BEFORE], asked.then_some("one"));
        bit(&mut c, [x, AFTER], (column == 5).then_some("two"));
    }
    for (column, owner) in (3..).zip([l::LISTENER, l::CLIENT_A, l::CLIENT_B, l::CLIENT_C]) {
        c.text(Style::Small, Anchor::Middle, [LEFT + column * CELL + CELL / 2, 90], owner);
    }
    c.text(Style::Small, Anchor::End, [LEFT + 12 * CELL - 2, 36], l::NO_PLACE);

    let (first, last) = (LEFT + 2, LEFT + 7 * CELL - 2);
    let under = BEFORE + HIGH;
    c.line(
        "line",
        &[[first, under + 6], [first, under + 14], [last, under + 14], [last, under + 6]],
    );
    c.text(Style::Plain, Anchor::Start, [first, under + 34], l::LOOKED_AT);
    let (arrow, middle) = (LEFT + 6 * CELL - CELL / 2, under + 14);
    c.arrow("turn", &[[arrow, middle + 4], [arrow, AFTER - 6]]);
    c.text(Style::Plain, Anchor::Start, [arrow + 14, under + 48], l::OVERWRITES);
    c.text(Style::Plain, Anchor::Start, [arrow + 14, under + 68], l::OVERWRITES_2);
    c.text(Style::Bold, Anchor::Start, [LEFT, AFTER + HIGH + 50], l::BUILD_ANEW);
    c
}

fn bit(c: &mut Canvas, [x, y]: [i32; 2], set: Option<&str>) {
    let area = [x, y, CELL, HIGH];
    match set {
        Some(class) => c.boxed(class, area, &[(Style::OnAccent, l::code("1"))]),
        None => c.boxed("pale", area, &[(Style::Small, l::code("0"))]),
    }
}
