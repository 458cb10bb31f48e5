//! What a step looks like in a terminal: the two columns of a tour, and beneath them the state.

use super::moves::{Asking, Moment};
use super::state::{code, panel};
use crate::tour::screen::{Screen, time};
use console::{Style, measure_text_width};
use judge::language::Language;
use judge::wrap::{hang, wrap};
use player::trace::Client;
use player::{Ask, Play, Step};
use std::time::Duration;

/// So many lines of the code are shown before and after the one that the server is at.
const AROUND: usize = 3;
/// On a high terminal it may be more, once so many lines of the columns are to be seen.
const AT_MOST: usize = 8;
const HISTORY: usize = 10;

/// Who stands where.
pub(super) const CLIENTS: [&str; 2] = ["clients", "客户端"];
pub(super) const SERVER: [&str; 2] = ["server", "服务端"];

/// How high each part is.
struct Layout {
    columns: usize,
    /// How much of the code is shown.
    around: usize,
    /// What is said, the code, and the state.
    below: [usize; 3],
}

pub(super) struct View<'p> {
    pub(super) play: &'p Play,
    pub(super) language: Language,
    pub(super) screen: Screen,
    /// Several threads make the calls, so each call has the name of its own.
    threads: bool,
}

impl<'p> View<'p> {
    pub(super) fn new(play: &'p Play, language: Language, width: usize, colour: bool) -> Self {
        let servers = || play.steps.iter().map(|step| &*step.who).filter(|who| !is_client(who));
        let threads = servers().any(|who| Some(who) != servers().next());
        let acts = play.steps.iter().filter(|step| is_client(&step.who)).map(act);
        let act = acts.map(|act| measure_text_width(&act)).max().unwrap_or_default();
        let client = act.max(measure_text_width(language.pick(CLIENTS)));
        Self { play, language, screen: Screen::of_lines(width, colour, client), threads }
    }

    /// All there is to a step, for a reader who has no terminal.
    pub(super) fn whole(&self, at: usize) -> Vec<String> {
        let told = self.told(Moment { at, asking: None });
        let mut lines = vec![self.rule(at)];
        let parts = [self.happened(at, true), told, code(self, at, AROUND, false), panel(self, at)];
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            lines.extend(part);
            lines.push(String::new());
        }
        lines
    }

    /// The question before a step, with its answer.
    pub(super) fn asked(&self, ask: &Ask) -> Vec<String> {
        let mut lines = self.question(ask, Asking::Answered(ask.right));
        lines.push(String::new());
        lines
    }

    /// What is seen at a terminal of so many lines: what happened last, what it means, where the
    /// server is, what there is now, and at the bottom which keys do what.
    pub(super) fn frame(&self, moment: Moment, keys: &str, height: usize) -> Vec<String> {
        let at = moment.at;
        let mut keys = wrap(keys, self.screen.width);
        keys.iter_mut().for_each(|line| *line = self.screen.styled(&Style::new().dim(), line));
        let room = height.saturating_sub(keys.len() + 1);
        let (told, panel_now) = (self.told(moment), panel(self, at));
        // If there is room for the highest of each part, each has its place at all steps.
        let all_told = self.highest(|at| self.told(Moment { at, asking: None }).len());
        let all_panels = self.highest(|at| panel(self, at).len());
        let all_happened = self.highest(|at| self.happened(at, true).len());
        let mut layout = self.layout(room, [all_happened, all_told, all_panels], AT_MOST);
        // A question takes its room from the columns, so that nothing moves beneath it.
        if let (Some(_), Some(usual)) = (moment.asking, &layout) {
            layout = self.layout(room, [0, told.len().max(all_told), all_panels], usual.around);
        }
        let now = [self.happened(at, true).len(), told.len(), panel_now.len()];
        let mut lines = Vec::new();
        if let Some(layout) = layout.or_else(|| self.layout(room, now, AROUND)) {
            lines.extend(self.history(at, layout.columns));
            lines.push(self.rule(at));
            let code = code(self, at, layout.around, true);
            for (part, height) in [told, code, panel_now].into_iter().zip(layout.below) {
                let end = lines.len() + height;
                lines.extend(part);
                lines.resize(end, String::new());
            }
        } else {
            // Too low for all of it: what is said comes first.
            lines.push(self.rule(at));
            lines.extend([told, code(self, at, 0, true), panel_now].concat());
            if lines.len() > room + 1 {
                lines.truncate(room);
                lines.push("…".to_owned());
            }
        }
        lines.extend(keys);
        lines
    }

    /// As much of the code as there is room for beside so many lines of the others: of what
    /// happened, what is said, and the state.
    fn layout(
        &self,
        room: usize,
        [happened, told, state]: [usize; 3],
        at_most: usize,
    ) -> Option<Layout> {
        (0..=at_most).rev().find_map(|around| {
            let code = self.highest(|at| code(self, at, around, true).len());
            let least = if around > AROUND { happened.max(HISTORY) } else { happened };
            let columns = room.checked_sub(told + code + state)?;
            let below = [told, code, state];
            (columns >= least).then_some(Layout { columns, around, below })
        })
    }

    fn highest(&self, of: impl Fn(usize) -> usize) -> usize {
        (0..self.play.steps.len()).map(of).max().unwrap_or_default()
    }

    /// The lines of the columns up to a step: the last so many.
    fn history(&self, at: usize, height: usize) -> Vec<String> {
        let mut lines = self.happened(at, true);
        for at in (0..at).rev() {
            if lines.len() >= height {
                break;
            }
            lines.splice(0..0, self.happened(at, false));
        }
        let above = height.saturating_sub(lines.len());
        lines.splice(0..0, vec![String::new(); above]);
        lines.split_off(lines.len() - height)
    }

    /// What somebody did, in the column that is theirs, and what the server said then.
    fn happened(&self, at: usize, now: bool) -> Vec<String> {
        let step = &self.play.steps[at];
        let (plain, did) = match now {
            true => (Style::new(), Style::new().cyan()),
            false => (Style::new().dim(), Style::new().dim()),
        };
        let when = time(Duration::from_micros(step.at));
        let mut text = String::new();
        if is_client(&step.who) {
            text += &self.screen.columns(&when, &act(step), "", &did, &plain);
        } else {
            let call = match self.threads {
                true => format!("{}{}{}", step.who, self.colon(), step.what),
                false => step.what.clone(),
            };
            text += &self.screen.columns(&when, "", &call, &plain, &did);
        }
        for line in &step.narration {
            text += &self.screen.columns("", "", line, &plain, &plain);
        }
        text.lines().map(str::to_owned).collect()
    }

    /// The heads of the two columns.
    pub(super) fn heads(&self) -> String {
        let (dim, of) = (Style::new().dim(), |words| self.language.pick(words));
        self.screen.columns(of(["ms", "毫秒"]), of(CLIENTS), of(SERVER), &dim, &dim)
    }

    fn rule(&self, at: usize) -> String {
        let number = format!("── {}/{} ", at + 1, self.play.steps.len());
        let rest = self.screen.width - measure_text_width(&number);
        self.screen.styled(&Style::new().dim(), &(number + &"─".repeat(rest)))
    }

    /// The sentence of a step, or the question before the next one.
    fn told(&self, moment: Moment) -> Vec<String> {
        let next = self.play.steps.get(moment.at + 1).and_then(|step| step.ask.as_ref());
        match (moment.asking, next) {
            (Some(asking), Some(ask)) => self.question(ask, asking),
            _ => wrap(&self.play.steps[moment.at].says, self.screen.width),
        }
    }

    fn question(&self, ask: &Ask, asking: Asking) -> Vec<String> {
        let width = self.screen.width;
        let bold = |line: String| self.screen.styled(&Style::new().bold(), &line);
        let mut lines: Vec<_> = wrap(&ask.question, width).into_iter().map(bold).collect();
        for (number, option) in (1..).zip(&ask.options) {
            lines.extend(hang(&format!("{number}  {option}"), width));
        }
        if let Asking::Answered(option) = asking {
            lines.extend(wrap(&self.verdict(ask, option), width));
        }
        lines
    }

    fn verdict(&self, ask: &Ask, option: usize) -> String {
        let (right, why) = (&ask.options[ask.right], &ask.why);
        let right = right.trim_end_matches(['.', '。']);
        match (self.language, option == ask.right) {
            (Language::English, true) => format!("Right. {why}"),
            (Language::English, false) => format!("No. The answer is: {right}. {why}"),
            (Language::Chinese, true) => format!("答对了。{why}"),
            (Language::Chinese, false) => format!("不对。正确答案是：{right}。{why}"),
        }
    }

    pub(super) fn colon(&self) -> &'static str {
        self.language.pick([": ", "："])
    }
}

/// `A send "hello"`
fn act(step: &Step) -> String {
    format!("{} {}", step.who, step.what)
}

fn is_client(who: &str) -> bool {
    Client::BOTH.iter().any(|client| client.name() == who)
}
