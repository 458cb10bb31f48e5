//! The chat room: keyboard, listener and clients wait in one place.

use super::labels as l;
use judge::language::Language;
use lab::drawing::canvas::{Anchor, Canvas, Style};

pub(super) fn draw(language: Language) -> Canvas {
    let mut c = Canvas::new(language, l::CHAT_TITLE, [960, 440]);
    // The clients, together: what is sent goes to any of them.
    c.area("pale", [12, 164, 186, 180]);
    let sources = [
        (20, "two", &[(Style::OnAccent, l::KEYBOARD), (Style::OnAccent, l::STDIN)][..]),
        (96, "box", &[(Style::Plain, l::LISTENING)]),
        (172, "box", &[(Style::Plain, l::CLIENT_A)]),
        (232, "box", &[(Style::Plain, l::CLIENT_B)]),
        (292, "box", &[(Style::Plain, l::CLIENT_C)]),
    ];
    for (y, class, lines) in sources {
        let high = if y < 172 { 56 } else { 44 };
        c.boxed(class, [20, y, 170, high], lines);
        let middle = y + high / 2;
        let line = if class == "two" { "turn" } else { "line" };
        c.arrow(line, &[[190, middle], [310, middle]]);
    }

    c.area("sleep", [310, 20, 160, 316]);
    let lines = [
        (Style::Halo, l::code("select()")),
        (Style::Halo, l::ONE_WAIT),
        (Style::Halo, l::ONE_WAIT_2),
    ];
    c.inside([310, 20, 160, 316], &lines);

    let events = [
        (20, "two", l::LINE_TYPED, l::LINE_TYPED_2),
        (104, "box", l::NEWCOMER, l::NEWCOMER_2),
        (188, "box", l::MESSAGE, l::MESSAGE_2),
        (272, "one", l::ROOM, l::ROOM_2),
    ];
    for (y, class, first, second) in events {
        let line = if class == "two" { "turn" } else { "line" };
        c.arrow(line, &[[470, y + 32], [560, y + 32]]);
        let lines = match class {
            "box" => [(Style::Plain, first), (Style::Small, second)],
            _ => [(Style::OnAccent, first), (Style::OnAccent, second)],
        };
        c.boxed(class, [560, y, 260, 64], &lines);
    }
    // The operator's line goes into a queue, and from there out as every other message does.
    c.arrow("flow", &[[820, 52], [880, 52], [880, 304], [820, 304]]);
    c.text(Style::Plain, Anchor::Start, [888, 182], l::IN_QUEUE);
    // What is sent reaches the clients.
    c.arrow("flow", &[[690, 336], [690, 376], [105, 376], [105, 344]]);
    c.text(Style::Bold, Anchor::Start, [20, 416], l::NOBODY_WAITS);
    c
}
