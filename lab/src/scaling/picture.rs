//! What a message costs beside ever more silent connections: the points of `lab scaling`.
//!
//! Both axes are logarithmic, for one line rises a thousandfold where another does not rise at all.
//! What grows in proportion is a straight line that climbs a decade with each decade.

use crate::drawing::canvas::{Anchor, Canvas, Style};
use crate::drawing::labels as l;
use crate::scaling::data::{Data, Row};
use judge::language::{Language, Words};

const SIZE: [i32; 2] = [960, 470];
/// The ends of the plot; 0 has no logarithm, and a place of its own at the left.
const NONE: i32 = 116;
const LEFT: f64 = 206.0;
const RIGHT: f64 = 736.0;
const TOP: f64 = 66.0;
const BOTTOM: f64 = 380.0;
/// Where lines are named, and how far apart names are.
const NAMES: i32 = 756;
const APART: i32 = 22;

pub fn draw(data: &Data, language: Language) -> Canvas {
    let mut c = Canvas::new(language, l::SCALING_TITLE, SIZE);
    let plot = Plot::of(data);
    c.text(Style::Bold, Anchor::Start, [16, 32], l::CPU_OF_A_MESSAGE);
    plot.axes(&mut c);
    // The names of lines that end at the right, from the top down.
    let mut names: Vec<(i32, Vec<Words>)> = Vec::new();
    for server in data.servers() {
        let rows: Vec<&Row> = data.of(server).collect();
        let points: Vec<_> = rows.iter().map(|row| plot.point(row)).collect();
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { continue };
        let rises = last.median > 3.0 * first.median;
        c.line(if rises { "turn" } else { "flow" }, &points);
        for (point, row) in points.iter().zip(&rows) {
            let class = if rises { "two" } else { "one" };
            c.area(class, [point[0] - 3, point[1] - 3, 6, 6]);
            let [low, high] = [row.least, row.most].map(|value| plot.y(value));
            if low - high > 8 {
                c.line("line", &[[point[0], low], [point[0], high]]);
            }
        }
        let ratio = last.median / first.median;
        let ratio = if ratio < 10.0 { format!("{ratio:.2}") } else { format!("{ratio:.0}") };
        let name = l::same(format!("{server} ×{ratio}"));
        let end = points[points.len() - 1];
        if last.silent < plot.most {
            // It stops on the way: named there, over its end.
            c.text(Style::CodeHalo, Anchor::End, [end[0] - 4, end[1] - 32], name);
            let to = l::ends_at(server, last.silent);
            c.text(Style::Halo, Anchor::End, [end[0] - 4, end[1] - 14], to);
        } else {
            names.push((end[1] + 5, vec![name]));
        }
    }
    names.sort_by_key(|(y, _)| *y);
    let mut free = 0;
    for (y, lines) in names {
        let mut y = y.max(free);
        for words in lines {
            c.text(Style::Code, Anchor::Start, [NAMES, y], words);
            y += APART;
        }
        free = y;
    }
    c
}

/// Where values are.
struct Plot {
    /// The least and the most silent connections, but for none.
    least: usize,
    most: usize,
    /// Powers of ten, in microseconds, that all values are between.
    from: i32,
    to: i32,
}

impl Plot {
    fn of(data: &Data) -> Self {
        let rows = || data.servers().into_iter().flat_map(|server| data.of(server));
        let silent = || rows().map(|row| row.silent).filter(|silent| *silent > 0);
        let low = rows().map(|row| row.least).fold(f64::INFINITY, f64::min).max(0.01);
        let high = rows().map(|row| row.most).fold(low, f64::max);
        let from = low.log10().floor();
        Self {
            least: silent().min().unwrap_or(1),
            most: silent().max().unwrap_or(0),
            from: from as i32,
            to: high.log10().ceil().max(from + 1.0) as i32,
        }
    }

    fn x(&self, silent: usize) -> i32 {
        if silent == 0 {
            return NONE;
        }
        let [silent, least, most] =
            [silent, self.least, self.most.max(self.least + 1)].map(|n| (n as f64).log10());
        (LEFT + (RIGHT - LEFT) * (silent - least) / (most - least)).round() as i32
    }

    fn y(&self, micros: f64) -> i32 {
        let part = (micros.log10() - f64::from(self.from)) / f64::from(self.to - self.from);
        (BOTTOM - (BOTTOM - TOP) * part).round() as i32
    }

    fn point(&self, row: &Row) -> [i32; 2] {
        [self.x(row.silent), self.y(row.median)]
    }

    fn axes(&self, c: &mut Canvas) {
        let (left, right, bottom) = (NONE - 20, RIGHT as i32 + 10, BOTTOM as i32);
        for power in self.from..=self.to {
            let y = self.y(10f64.powi(power));
            c.line("dash", &[[left, y], [right, y]]);
            let (value, unit) = match power {
                ..=2 => (10f64.powi(power), "µs"),
                3..=5 => (10f64.powi(power - 3), "ms"),
                _ => (10f64.powi(power - 6), "s"),
            };
            let words = l::same(format!("{value} {unit}"));
            c.text(Style::Small, Anchor::End, [left - 10, y + 5], words);
        }
        let decades = (0..7).map(|power| 10usize.pow(power));
        let between = decades.filter(|silent| (self.least..=self.most).contains(silent));
        let mut ticks: Vec<usize> = std::iter::once(0).chain(between).collect();
        // Not on top of the last decade.
        if self.x(self.most) - self.x(*ticks.last().unwrap_or(&0)) > 60 {
            ticks.push(self.most);
        }
        for silent in ticks {
            let x = self.x(silent);
            c.line("line", &[[x, bottom], [x, bottom + 6]]);
            let words = l::same(thousands(silent));
            c.text(Style::Small, Anchor::Middle, [x, bottom + 24], words);
        }
        c.line("line", &[[left, bottom], [right, bottom]]);
        let middle = (left + right) / 2;
        c.text(Style::Bold, Anchor::Middle, [middle, bottom + 54], l::SILENT_CONNECTIONS);
        c.text(Style::Small, Anchor::Start, [16, bottom + 80], l::LOGARITHMIC);
    }
}

fn thousands(number: usize) -> String {
    if number < 10_000 {
        return number.to_string();
    }
    format!("{},{:03}", number / 1000, number % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decade_of_either_axis_has_its_place() {
        let text = "poll,0,5,5,5\npoll,100,50,50,50\npoll,10000,5000,4000,6000\n";
        let data = Data::parse(text).expect("three points");
        let plot = Plot::of(&data);
        assert_eq!((plot.from, plot.to), (0, 4));
        assert_eq!((plot.x(0), plot.x(100), plot.x(10_000)), (NONE, LEFT as i32, RIGHT as i32));
        assert_eq!(plot.x(1000), ((LEFT + RIGHT) / 2.0) as i32, "half way, for it is a logarithm");
        assert_eq!((plot.y(1.0), plot.y(10_000.0)), (BOTTOM as i32, TOP as i32));
    }

    #[test]
    fn few_points_and_many_servers_have_room_for_their_names() {
        let one = "epoll,0,5,5,5\n".to_owned();
        let of = |n| format!("server_{n},0,5,5,5\nserver_{n},10,5.{n},5,6\n");
        let many = (0..6).map(of).collect::<Vec<_>>().concat();
        for text in [one, many] {
            let data = Data::parse(&text).expect("points");
            for language in Language::BOTH {
                let crowded = draw(&data, language).crowded();
                assert!(crowded.is_empty(), "{crowded:#?}");
            }
        }
    }
}
