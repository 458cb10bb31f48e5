//! Where a reader is in a run, and where a key takes them.

use console::Key;
use player::Play;

/// What is shown: a step, and perhaps the question before the next one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Moment {
    pub at: usize,
    pub asking: Option<Asking>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asking {
    Open,
    /// With this option.
    Answered(usize),
}

/// A way through a run.
#[derive(Debug)]
pub(super) struct Walk<'p> {
    play: &'p Play,
    pub now: Moment,
    /// It goes on by itself.
    pub playing: bool,
    /// Whether it can go on by itself: the space bar stops it then.
    plays: bool,
    /// Whether to stop at the questions, and at the end.
    stops: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Then {
    Stay,
    Leave,
}

impl<'p> Walk<'p> {
    /// From the first step of a run that has one.
    pub(super) fn new(play: &'p Play, plays: bool, stops: bool) -> Self {
        Self { play, now: Moment::default(), playing: plays, plays, stops }
    }

    /// A key was pressed. One that means nothing here does nothing.
    pub(super) fn key(&mut self, key: &Key) -> Then {
        let last = self.play.steps.len() - 1;
        let at = self.now.at;
        match key {
            Key::Char('q') | Key::Escape | Key::CtrlC => return Then::Leave,
            // At a question it is the way on.
            Key::Char(' ') if self.plays && self.now.asking.is_none() => {
                self.playing = !self.playing && at < last;
            }
            Key::Char(' ') => self.forward(),
            Key::Enter | Key::ArrowRight => {
                self.playing = false;
                self.forward();
            }
            // From a question back to the step that it stands at.
            Key::ArrowLeft | Key::Char('b') if self.now.asking.is_some() => self.go(at),
            Key::ArrowLeft | Key::Char('b') => self.go(at.saturating_sub(1)),
            Key::Home | Key::Char('g') => self.go(0),
            Key::End | Key::Char('G') => self.go(last),
            Key::Char(digit) => self.answer(*digit),
            _ => {}
        }
        Then::Stay
    }

    /// It is time for the next step.
    pub(super) fn tick(&mut self) -> Then {
        if self.now.at + 1 < self.play.steps.len() {
            // A question waits for its answer.
            if self.now.asking.is_none() {
                self.forward();
            }
            return Then::Stay;
        }
        self.playing = false;
        if self.stops { Then::Stay } else { Then::Leave }
    }

    fn go(&mut self, at: usize) {
        self.playing = false;
        self.now = Moment { at, asking: None };
    }

    /// To the question before the next step, or to the step.
    fn forward(&mut self) {
        let Some(next) = self.play.steps.get(self.now.at + 1) else { return };
        if self.stops && self.now.asking.is_none() && next.ask.is_some() {
            self.now.asking = Some(Asking::Open);
        } else {
            self.now = Moment { at: self.now.at + 1, asking: None };
        }
    }

    /// The first answer counts.
    fn answer(&mut self, digit: char) {
        let next = self.play.steps.get(self.now.at + 1).and_then(|step| step.ask.as_ref());
        let options = next.map_or(0, |ask| ask.options.len());
        let option = digit.to_digit(10).and_then(|number| (number as usize).checked_sub(1));
        if let (Some(Asking::Open), Some(option)) = (self.now.asking, option) {
            if option < options {
                self.now.asking = Some(Asking::Answered(option));
            }
        }
    }
}
