//! `lab tour --step`: a run just recorded, step by step, and beneath the two columns what there is:
//! the line of the code, the clients, what the kernel holds, and what the server knows.

mod moves;
mod state;
mod terminal;
#[cfg(test)]
mod tests;
mod view;

use super::screen::COLUMNS;
use crate::timeline::record_closely;
use claims::measure::strace::Strace;
use console::Term;
use judge::check::programs::Program;
use judge::ended::Ended;
use judge::language::{Language, Words};
use judge::reading::root;
use judge::table::say;
use moves::{Asking, Then, Walk};
use player::{Play, steps};
use std::io::{self, Write};
use std::time::{Duration, Instant};
use terminal::Terminal;
use view::View;

/// After this the size of the terminal is looked at again.
const LOOK: Duration = Duration::from_millis(200);

/// How to go through a run.
pub(super) struct Pace {
    /// A key for each step, and the questions.
    pub step: bool,
    /// By itself, so long at each step.
    pub every: Option<Duration>,
}

pub(super) fn tour(row: &Program, pace: &Pace, language: Language) -> Result<(), Ended> {
    let why = |words: Words| Ended::Failed(words.of(language).to_owned());
    Strace::find().map_err(why)?;
    let recording = match language {
        Language::English => format!("recording a run of {} (strace) …", row.name),
        Language::Chinese => format!("正在用 strace 记录 {} 的一次运行……", row.name),
    };
    let _ = writeln!(io::stderr(), "{recording}");
    let trace = record_closely(row.name).map_err(why)?;
    let play = steps::play(&trace, &root(), language)?;
    if play.steps.is_empty() {
        return Err(Ended::Failed(format!("the run of {} has no steps", row.name)));
    }
    match Terminal::take()? {
        Some(terminal) => walk(&terminal, &play, pace, language)?,
        None => print(&play, pace, language)?,
    }
    Ok(())
}

/// At a terminal, until the reader leaves.
fn walk(terminal: &Terminal, play: &Play, pace: &Pace, language: Language) -> io::Result<()> {
    let colour = Term::stdout().features().colors_supported();
    let mut walk = Walk::new(play, pace.every.is_some(), pace.step);
    let mut shown = None;
    let mut since = Instant::now();
    loop {
        let (lines, columns) = terminal.size();
        let show = (walk.now, walk.playing, lines, columns);
        if shown != Some(show) {
            let view = View::new(play, language, columns, colour);
            terminal.draw(&view.frame(walk.now, &keys(&walk, pace, language), lines))?;
            shown = Some(show);
        }
        let next = pace.every.filter(|_| walk.playing).map(|every| since + every);
        let wait =
            next.map_or(LOOK, |next| LOOK.min(next.saturating_duration_since(Instant::now())));
        let then = match terminal.key(wait)? {
            Some(key) => {
                since = Instant::now();
                walk.key(&key)
            }
            None if next.is_some_and(|next| next <= Instant::now()) => {
                since = Instant::now();
                walk.tick()
            }
            None => Then::Stay,
        };
        if then == Then::Leave {
            return Ok(());
        }
    }
}

/// Which keys do what, at the bottom of the screen.
fn keys(walk: &Walk<'_>, pace: &Pace, language: Language) -> String {
    let space = match (walk.now.asking, pace.every.is_some(), walk.playing) {
        (Some(Asking::Open), ..) => ["1 2 3 answer   Space skip", "1 2 3 作答   空格 跳过"],
        (Some(Asking::Answered(_)), ..) | (None, false, _) => ["Space next", "空格 下一步"],
        (None, true, true) => ["Space pause   → next", "空格 暂停   → 下一步"],
        (None, true, false) => ["Space play   → next", "空格 播放   → 下一步"],
    };
    let others =
        ["← back   g first   G last   q leave", "← 上一步   g 第一步   G 最后一步   q 退出"];
    format!("{}   {}", language.pick(space), language.pick(others))
}

/// Where there is no terminal: everything, one step after another.
fn print(play: &Play, pace: &Pace, language: Language) -> io::Result<()> {
    let terminal = Term::stdout();
    let columns = terminal.size_checked().map_or(COLUMNS, |(_, columns)| columns.into());
    let view = View::new(play, language, columns, terminal.features().colors_supported());
    say(&(view.heads() + "\n"))?;
    for (at, step) in play.steps.iter().enumerate() {
        let asked = step.ask.as_ref().filter(|_| pace.step).map(|ask| view.asked(ask));
        let lines = [asked.unwrap_or_default(), view.whole(at)].concat();
        say(&(lines.join("\n") + "\n"))?;
    }
    Ok(())
}
