//! A run of a server and of two clients, drawn from its trace: above and below what the clients
//! did, between them what each thread of the server did meanwhile.

pub mod words;

use crate::drawing::axis::{Band, Need, bands};
use crate::drawing::canvas::{Anchor, Canvas, Label, Style};
use crate::drawing::labels as l;
use crate::timeline::lanes::{Lane, Piece, What, lanes};
use crate::timeline::meetings::{Meets, meetings};
use judge::language::{Language, Words};
use player::trace::{Act, Client, Deed, Trace};
use words::{lines, time};

/// The ends of the time axis.
const START: i32 = 108;
const END: i32 = 944;
/// From the top of a band: A's words, A's line, the first lane of the server.
const WORDS: i32 = 14;
const LINE: i32 = 28;
const SERVER: i32 = 64;
/// The height of a lane, and the room to the next.
const LANE: i32 = 72;
const GAP: i32 = 12;
/// From a client's line to the server.
const CORRIDOR: i32 = SERVER - LINE;
/// What is left free on both sides of words in a box.
const MARGIN: f64 = 10.0;
const TOP: i32 = 44;

pub fn draw(trace: &Trace, language: Language) -> Canvas {
    let lanes = lanes(trace);
    let meets = meetings(trace, &lanes);
    let scene = Scene { trace, meets, lanes, language };
    let bands = scene.bands();
    let count = |count: usize| i32::try_from(count).expect("a few");
    let high = SERVER + count(scene.lanes.len()) * (LANE + GAP) - GAP + CORRIDOR + 32;
    let bottom = TOP + count(bands.len()) * (high + 12);
    let key = scene.key();
    let rows = count(key.iter().map(|entry| entry.row).max().unwrap_or(0)) + 1;
    let size = [960, bottom + 26 * rows + 56];
    let mut c = Canvas::new(language, l::timeline_title(&trace.program), size);
    c.text(
        Style::Code,
        Anchor::Start,
        [16, 26],
        l::same(format!("lab timeline {}", trace.program)),
    );
    for (number, band) in (0..).zip(&bands) {
        scene.band(&mut c, band, TOP + number * (high + 12));
    }
    for entry in key {
        let y = bottom + 26 * count(entry.row);
        match entry.class {
            "two" => c.area("two", [entry.x, y + 6, 26, 6]),
            "own" => c.area("pale", [entry.x, y + 3, 26, 12]),
            "asks" => asking(&mut c, [entry.x, y, 26, 18]),
            class => c.area(class, [entry.x, y, 26, 18]),
        }
        c.text(Style::Small, Anchor::Start, [entry.x + 34, y + 14], entry.label);
    }
    for (y, line) in [(20, l::NOT_TO_SCALE[0]), (40, l::NOT_TO_SCALE[1])] {
        c.text(Style::Small, Anchor::Start, [16, bottom + 26 * rows + y - 4], line);
    }
    c
}

/// Everything that is drawn, before it has a place.
struct Scene<'t> {
    trace: &'t Trace,
    lanes: Vec<Lane>,
    /// For each act of the clients.
    meets: Vec<Option<Meets>>,
    language: Language,
}

/// One entry of the key.
struct Entry {
    class: &'static str,
    label: Label,
    row: usize,
    x: i32,
}

impl Scene<'_> {
    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.lanes.iter().flat_map(|lane| &lane.pieces)
    }

    fn acts_of(&self, client: Client) -> impl Iterator<Item = (usize, &Act)> {
        self.trace.acts.iter().enumerate().filter(move |(_, act)| act.client == client)
    }

    fn bands(&self) -> Vec<Band> {
        let end = self.trace.end;
        let acts = self.trace.acts.iter().map(|act| act.at);
        let mut moments: Vec<_> = self.pieces().flat_map(|piece| [piece.from, piece.to]).collect();
        moments.extend(acts.chain([0, end]).filter(|at| *at <= end));
        moments.sort_unstable();
        moments.dedup();
        let long = |what: &What| matches!(what, What::Sleep { .. } | What::Ask { .. });
        let starts = |wanted: &dyn Fn(&Piece) -> bool| {
            let mut starts: Vec<_> =
                self.pieces().filter(|piece| wanted(piece)).map(|piece| piece.from).collect();
            starts.sort_unstable();
            starts
        };
        // Best where the server begins to wait and no client does; but a picture has to fit.
        let cuts = [
            starts(&|piece| long(&piece.what) && !self.somebody_waits(piece.from)),
            starts(&|piece| long(&piece.what)),
            starts(&|_| true),
        ];
        let room = f64::from(END - START);
        bands(&moments, &self.needs(), &cuts, room)
    }

    /// A client has sent something by then, and has no answer yet.
    fn somebody_waits(&self, at: u64) -> bool {
        Client::BOTH.into_iter().any(|client| {
            let acts = self.acts_of(client).filter(|(_, act)| act.at <= at);
            matches!(acts.last(), Some((_, Act { what: Deed::Send(_), .. })))
        })
    }

    /// The room that all words need.
    fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        for piece in self.pieces() {
            let lines = lines(piece);
            let wide = lines.iter().map(|(style, words)| self.width(*style, words) + MARGIN);
            let width = wide.fold(8.0, f64::max);
            needs.push(Need { from: Some(piece.from), to: piece.to, width });
        }
        for client in Client::BOTH {
            let mut before: Option<(u64, f64)> = None;
            for (index, act) in self.acts_of(client) {
                let [left, right] = self.reach(act);
                needs.push(Need { from: None, to: act.at, width: left });
                if let Some((from, width)) = before {
                    needs.push(Need { from: Some(from), to: act.at, width: width + left + 10.0 });
                }
                let kept = self.width(Style::Small, &l::KEPT_MEANWHILE.into()) + 16.0;
                let is_kept = self.meets[index] == Some(Meets::Kept);
                before = Some((act.at, if is_kept { right.max(kept) } else { right }));
            }
            if let Some((from, width)) = before {
                needs.push(Need { from: Some(from), to: self.trace.end, width: width + 4.0 });
            }
        }
        needs
    }

    fn width(&self, style: Style, words: &Words) -> f64 {
        style.width(words.of(self.language))
    }

    /// What stands at an act of a client: the call, and how long it waited for the answer.
    fn words(&self, act: &Act) -> Vec<(Style, Words)> {
        let mut words = vec![(Style::Code, l::same(act.what.to_string()))];
        if matches!(act.what, Deed::Receive(_)) {
            let asked = self.acts_of(act.client).filter(|(_, sent)| sent.at <= act.at);
            let asked = asked.filter(|(_, sent)| matches!(sent.what, Deed::Send(_))).last();
            words.extend(asked.map(|(_, sent)| (Style::Small, l::after(&time(act.at - sent.at)))));
        }
        words
    }

    /// How far the words of an act reach to its left and to its right. What was received ends a
    /// wait: its words lie over the end of that.
    fn reach(&self, act: &Act) -> [f64; 2] {
        let words = self.words(act);
        let wide = words.iter().map(|(style, words)| self.width(*style, words));
        let wide = wide.sum::<f64>() + 8.0 * (words.len() - 1) as f64;
        if words.len() > 1 { [wide / 2.0, wide / 2.0] } else { [4.0, wide - 4.0] }
    }

    fn band(&self, c: &mut Canvas, band: &Band, y: i32) {
        let lane_top =
            |lane: usize| y + SERVER + i32::try_from(lane).expect("a few lanes") * (LANE + GAP);
        let below = lane_top(self.lanes.len()) - GAP + CORRIDOR;
        for (client, row, name) in
            [(Client::A, y + LINE, l::CLIENT_A), (Client::B, below, l::CLIENT_B)]
        {
            c.text(Style::Bold, Anchor::Start, [16, row + 5], name);
            self.client(c, band, client, row);
        }
        for (number, lane) in self.lanes.iter().enumerate() {
            let top = lane_top(number);
            let one = self.lanes.len() == 1;
            let name = if one { l::SERVER.into() } else { l::server(number + 1) };
            c.text(Style::Bold, Anchor::Start, [16, top + LANE / 2 + 5], name);
            for piece in &lane.pieces {
                box_of(c, band, piece, top);
            }
        }
        for (act, meets) in self.trace.acts.iter().zip(&self.meets) {
            let (row, down) = match act.client {
                Client::A => (y + LINE, true),
                Client::B => (below, false),
            };
            let edge = |lane: usize| lane_top(lane) + if down { 0 } else { LANE };
            if let (Some(x), Some(meets)) = (at(band, act.at), meets) {
                self.arrow(c, band, act, *meets, [x, row], &edge);
            }
        }
    }

    /// A client's line: when it was connected, when it waited for an answer, and what it did.
    fn client(&self, c: &mut Canvas, band: &Band, client: Client, y: i32) {
        let acts: Vec<_> = self.acts_of(client).map(|(_, act)| act).collect();
        let end = self.trace.end;
        let first =
            |wanted: fn(&Deed) -> bool| acts.iter().find(|act| wanted(&act.what)).map(|act| act.at);
        let connected = first(|what| *what == Deed::Connect).unwrap_or(end);
        let closed = first(|what| *what == Deed::Close).unwrap_or(end);
        if let Some([from, to]) = band.span(connected, closed) {
            c.line("line", &[[START + from, y], [START + to, y]]);
        }
        let received = first(|what| matches!(what, Deed::Receive(_))).unwrap_or(closed);
        let sent = first(|what| matches!(what, Deed::Send(_))).unwrap_or(received);
        if let Some([from, to]) = band.span(sent, received) {
            c.area("two", [START + from, y - 3, to - from, 6]);
        }
        for act in acts {
            let Some(x) = at(band, act.at) else { continue };
            c.area("box", [x - 4, y - 4, 8, 8]);
            let base = if client == Client::A { y - LINE + WORDS } else { y + 22 };
            let mut left = f64::from(x) - self.reach(act)[0];
            for (style, words) in self.words(act) {
                let width = self.width(style, &words);
                c.text(style, Anchor::Start, [left.round() as i32, base], words);
                left += width + 8.0;
            }
        }
    }

    /// From a client to the wait that it ends, or from the call that answers to the client.
    fn arrow(
        &self,
        c: &mut Canvas,
        band: &Band,
        act: &Act,
        meets: Meets,
        [x, y]: [i32; 2],
        edge: &dyn Fn(usize) -> i32,
    ) {
        let side = if edge(0) > y { 1 } else { -1 };
        match meets {
            Meets::Wakes { lane, at: woken } => {
                let Some(to) = band.x(woken) else { return };
                let class = if matches!(act.what, Deed::Send(_)) { "flow" } else { "line" };
                c.arrow(class, &[[x, y + side * 5], [START + to, edge(lane)]]);
            }
            Meets::Kept => {
                c.arrow("dash", &[[x, y + side * 5], [x, y + side * (CORRIDOR / 2 + 4)]]);
                let base = y + side * CORRIDOR / 2 + 5;
                c.text(Style::Small, Anchor::Start, [x + 10, base], l::KEPT_MEANWHILE);
            }
            Meets::Answered { lane, began } => {
                let piece = self.lanes[lane].pieces.iter().find(|piece| piece.from == began);
                let span = piece.and_then(|piece| band.span(piece.from, piece.to));
                let Some([from, to]) = span else { return };
                // The bytes leave somewhere within a call that only sends, and at the beginning of
                // one that then waits.
                let sends = piece.is_some_and(|piece| matches!(piece.what, What::Move { .. }));
                let start = if sends { (from + to) / 2 } else { from + 6 };
                let start = (START + start).min(x);
                c.arrow("turn", &[[start, edge(lane)], [x, y + side * 6]]);
            }
        }
    }

    /// What the picture's boxes mean, those that are in it.
    fn key(&self) -> Vec<Entry> {
        let has = |wanted: fn(&What) -> bool| self.pieces().any(|piece| wanted(&piece.what));
        let entries = [
            ("sleep", l::KEY_ASLEEP, has(|what| matches!(what, What::Sleep { .. }))),
            ("asks", l::KEY_EAGAIN, has(|what| matches!(what, What::Ask { .. }))),
            ("one", l::KEY_MOVES, true),
            ("box", l::KEY_BRIEF, has(|what| matches!(what, What::Brief { .. }))),
            ("own", l::KEY_OWN, true),
            ("two", l::KEY_ANSWER, true),
        ];
        let mut key = Vec::new();
        let (mut row, mut x) = (0, 16);
        for (class, label, _) in entries.into_iter().filter(|(_, _, there)| *there) {
            let wide = 34 + self.width(Style::Small, &label.into()) as i32;
            if x + wide > END {
                (row, x) = (row + 1, 16);
            }
            key.push(Entry { class, label, row, x });
            x += wide + 24;
        }
        key
    }
}

/// Where a moment is, in the band that shows it: at a cut, the one that it begins.
fn at(band: &Band, moment: u64) -> Option<i32> {
    if moment == band.to() && moment != band.from() && band.from() != 0 {
        // Also at the very end nothing but the end of a wait is drawn.
        return None;
    }
    band.x(moment).map(|x| START + x)
}

fn box_of(c: &mut Canvas, band: &Band, piece: &Piece, top: i32) {
    let Some([from, to]) = band.span(piece.from, piece.to) else { return };
    let area = [START + from, top, to - from, LANE];
    // What goes on in the next band has its words where it began.
    let lines = if piece.from >= band.from() { lines(piece) } else { Vec::new() };
    match &piece.what {
        What::Own => c.area("pale", [area[0], top + LANE / 2 - 6, area[2], 12]),
        What::Ask { .. } => {
            asking(c, area);
            c.inside(area, &lines);
        }
        What::Sleep { .. } => c.boxed("sleep", area, &lines),
        What::Copy { .. } | What::Move { bytes: 1.., .. } => c.boxed("one", area, &lines),
        What::Move { .. } | What::Brief { .. } => c.boxed("box", area, &lines),
    }
}

/// A box with a comb on both edges: one question after the other.
pub fn asking(c: &mut Canvas, [x, y, w, h]: [i32; 4]) {
    c.area("box", [x, y, w, h]);
    for tooth in (x + 4..x + w - 2).step_by(5) {
        c.line("line", &[[tooth, y], [tooth, y + 5]]);
        c.line("line", &[[tooth, y + h], [tooth, y + h - 5]]);
    }
}
