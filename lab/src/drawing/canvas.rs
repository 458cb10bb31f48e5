//! A small SVG writer: boxes, lines, arrows, and labels that know how much room they need.
//! By hand, because what it is for is to find labels that are too wide or lie over one another.

use judge::language::{Language, Words};
use std::fmt::{Display, Write};

/// The words of a label in both languages; those that are made from data are [`Words`].
#[derive(Clone, Copy)]
pub struct Label {
    pub en: &'static str,
    pub zh: &'static str,
}

impl From<Label> for Words {
    fn from(label: Label) -> Self {
        Self::new(label.en, label.zh)
    }
}

/// How a label is written: a class of the style sheet below, and its size.
#[derive(Clone, Copy, PartialEq)]
pub enum Style {
    Bold,
    Plain,
    /// An aside, paler and smaller.
    Small,
    /// A name from the program.
    Code,
    /// On top of hatching, which it pushes aside.
    Halo,
    CodeHalo,
    /// On a box of an accent's colour.
    OnAccent,
    CodeOnAccent,
}

impl Style {
    fn class(self) -> &'static str {
        match self {
            Self::Bold => "bold",
            Self::Plain => "plain",
            Self::Small => "small",
            Self::Code => "code",
            Self::Halo => "halo",
            Self::CodeHalo => "code halo",
            Self::OnAccent => "on",
            Self::CodeOnAccent => "code on",
        }
    }

    fn size(self) -> f64 {
        match self {
            Self::Bold | Self::Plain => 15.0,
            _ => 14.0,
        }
    }

    /// The width of `text`, rather too large than too small: which fonts a reader has is not known.
    pub fn width(self, text: &str) -> f64 {
        let latin = match self {
            Self::Code | Self::CodeHalo | Self::CodeOnAccent => 0.61,
            Self::Bold => 0.59,
            _ => 0.56,
        };
        let em = |c: char| if c.is_ascii() { latin } else { 1.0 };
        text.chars().map(em).sum::<f64>() * self.size()
    }
}

/// Which point of a label is given.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// x, y, width, height.
pub type Area = [i32; 4];

/// A label on the canvas: its words and the box they fill.
struct Placed {
    text: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// The box it has to stay in.
    within: Area,
}

/// A picture being drawn.
pub struct Canvas {
    language: Language,
    title: String,
    size: [i32; 2],
    body: String,
    labels: Vec<Placed>,
}

/// Grey lines and two accents, for a light page and for a dark one. The picture brings its own
/// background, because a page may be dark where the system is light.
const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI','Noto Sans','PingFang SC','Microsoft YaHei','Noto Sans CJK SC','Source Han Sans SC',sans-serif;font-size:14px;fill:#1f2328}
.bold,.plain{font-size:15px}.bold{font-weight:600}.small{fill:#59636e}
.code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}
.halo{paint-order:stroke;stroke:#fff;stroke-width:6px;stroke-linejoin:round}
.on{fill:#fff;font-weight:600}
.bg{fill:#fff}.box{fill:#fff;stroke:#59636e;stroke-width:1.5}.pale{fill:#eaeef2;stroke:#8c959f}
.one{fill:#0969da;stroke:#0969da}.two{fill:#bc4c00;stroke:#bc4c00}
.sleep{fill:url(#sleep);stroke:#8c959f}.hatch{stroke:#c4ccd4;stroke-width:3}
.line{fill:none;stroke:#59636e;stroke-width:1.5}.dash{fill:none;stroke:#8c959f;stroke-dasharray:5 4}
.flow{fill:none;stroke:#0969da;stroke-width:2}.turn{fill:none;stroke:#bc4c00;stroke-width:2}
.tip{fill:#59636e}.flow-tip{fill:#0969da}.turn-tip{fill:#bc4c00}
@media(prefers-color-scheme:dark){
text{fill:#e6edf3}.small{fill:#9ea7b3}.halo{stroke:#161b22}.on{fill:#0d1117}
.bg{fill:#161b22}.box{fill:#161b22;stroke:#9198a1}.pale{fill:#2a313c;stroke:#6e7681}
.one{fill:#58a6ff;stroke:#58a6ff}.two{fill:#f0883e;stroke:#f0883e}
.sleep{stroke:#6e7681}.hatch{stroke:#3d4551}
.line{stroke:#9198a1}.dash{stroke:#6e7681}.flow{stroke:#58a6ff}.turn{stroke:#f0883e}
.tip{fill:#9198a1}.flow-tip{fill:#58a6ff}.turn-tip{fill:#f0883e}
}";

impl Canvas {
    pub fn new(language: Language, title: impl Into<Words>, size: [i32; 2]) -> Self {
        let title = title.into().of(language).to_owned();
        Self { language, title, size, body: String::new(), labels: Vec::new() }
    }

    fn add(&mut self, element: impl Display) {
        writeln!(self.body, "{element}").expect("writing to a String cannot fail");
    }

    /// A box: `box`, `pale`, `sleep` (hatched), `one` or `two` (the accents).
    pub fn area(&mut self, class: &str, [x, y, w, h]: Area) {
        self.add(format_args!(
            r#"<rect class="{class}" x="{x}" y="{y}" width="{w}" height="{h}" rx="4"/>"#
        ));
    }

    /// A box with lines of text in its middle.
    pub fn boxed<T>(&mut self, class: &str, area: Area, lines: &[(Style, T)])
    where
        T: Clone + Into<Words>,
    {
        self.area(class, area);
        self.inside(area, lines);
    }

    /// Lines of text in the middle of an area.
    pub fn inside<T: Clone + Into<Words>>(&mut self, area: Area, lines: &[(Style, T)]) {
        const LINE: i32 = 20;
        let [x, y, w, h] = area;
        let count = i32::try_from(lines.len()).expect("a few lines");
        let first = y + (h - count * LINE) / 2 + 15;
        for (index, (style, label)) in (0..).zip(lines) {
            let at = [x + w / 2, first + index * LINE];
            self.place(*style, Anchor::Middle, at, &label.clone().into(), area);
        }
    }

    /// A label by itself. `at` is a point of its base line.
    pub fn text(&mut self, style: Style, anchor: Anchor, at: [i32; 2], label: impl Into<Words>) {
        let [w, h] = self.size;
        self.place(style, anchor, at, &label.into(), [0, 0, w, h]);
    }

    fn place(
        &mut self,
        style: Style,
        anchor: Anchor,
        [x, y]: [i32; 2],
        label: &Words,
        within: Area,
    ) {
        let text = label.of(self.language);
        let (width, size) = (style.width(text), style.size());
        let (x0, word) = match anchor {
            Anchor::Start => (f64::from(x), "start"),
            Anchor::Middle => (f64::from(x) - width / 2.0, "middle"),
            Anchor::End => (f64::from(x) - width, "end"),
        };
        let (top, bottom) = (f64::from(y) - 0.8 * size, f64::from(y) + 0.25 * size);
        let right = x0 + width;
        self.labels.push(Placed { text: text.to_owned(), left: x0, right, top, bottom, within });
        let class = style.class();
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.add(format_args!(
            r#"<text class="{class}" x="{x}" y="{y}" text-anchor="{word}">{text}</text>"#
        ));
    }

    /// A line through `points`: `line`, `dash`, `flow` or `turn`.
    pub fn line(&mut self, class: &str, points: &[[i32; 2]]) {
        self.add(format_args!(r#"<path class="{class}" d="{}"/>"#, path(points)));
    }

    /// The same with a tip at its end.
    pub fn arrow(&mut self, class: &str, points: &[[i32; 2]]) {
        let tip = match class {
            "flow" | "turn" => class,
            _ => "line",
        };
        self.add(format_args!(
            r#"<path class="{class}" marker-end="url(#{tip})" d="{}"/>"#,
            path(points)
        ));
    }

    /// The whole file.
    pub fn svg(&self) -> String {
        let [w, h] = self.size;
        let lang = match self.language {
            Language::English => "en",
            Language::Chinese => "zh-Hans",
        };
        let marker = |id: &str, class: &str| {
            format!(
                r#"<marker id="{id}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path class="{class}" d="M0 0L10 5L0 10z"/></marker>"#
            )
        };
        let markers =
            [marker("line", "tip"), marker("flow", "flow-tip"), marker("turn", "turn-tip")];
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" lang="{lang}">
<title>{}</title>
<style>
{STYLE}
</style>
<defs>
<pattern id="sleep" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0V8"/></pattern>
{}
</defs>
<rect class="bg" width="{w}" height="{h}" rx="8"/>
{}</svg>
"#,
            self.title,
            markers.join("\n"),
            self.body
        )
    }

    /// Labels that leave their box, or lie on top of one another.
    pub fn crowded(&self) -> Vec<String> {
        const MARGIN: f64 = 4.0;
        let mut crowded = Vec::new();
        for (index, a) in self.labels.iter().enumerate() {
            let [x, y, w, h] = a.within.map(f64::from);
            let wide = a.left < x + MARGIN || a.right > x + w - MARGIN;
            if wide || a.top < y || a.bottom > y + h {
                crowded.push(format!("“{}” needs {:.0} of {w}", a.text, a.right - a.left));
            }
            for b in &self.labels[..index] {
                let beside = a.left >= b.right || b.left >= a.right;
                if !beside && a.top < b.bottom && b.top < a.bottom {
                    crowded.push(format!("“{}” lies on “{}”", a.text, b.text));
                }
            }
        }
        crowded
    }
}

fn path(points: &[[i32; 2]]) -> String {
    let commands = std::iter::once('M').chain(std::iter::repeat('L'));
    let steps = commands.zip(points).map(|(command, [x, y])| format!("{command}{x} {y}"));
    steps.collect::<Vec<_>>().concat()
}
