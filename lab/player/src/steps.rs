//! A recording as steps: each act of a client, each call of the server, and for a call that sleeps
//! two, its beginning and its return.

use crate::calls::Call;
use crate::code::function;
use crate::descriptors::{Descriptors, familiar, would_block};
use crate::questions::question;
use crate::rows::{Rows, lanes, names};
use crate::state::State;
use crate::trace::{Act, Place, Seen, Trace, Traced};
use crate::words;
use crate::{Ask, Code, Play, Step};
use judge::language::Language;
use std::path::Path;

/// A call that takes longer has slept.
const SLEPT: u64 = 1000;

/// What a recording consists of, in the order of time.
#[derive(Clone, Copy)]
pub(crate) enum Event<'t> {
    Act(&'t Act),
    /// A call begins that sleeps.
    Sleeps(&'t Traced),
    Returned {
        call: &'t Traced,
        slept: bool,
    },
    Seen(&'t Seen),
}

/// The steps of a recording, for a reader of one language. The code is read from the sources under
/// `root`.
///
/// # Errors
///
/// A line of the code is another one than was recorded: the recording is of another program.
pub fn play(trace: &Trace, root: &Path, language: Language) -> Result<Play, String> {
    let mut builder = Builder::new(trace, root, language);
    let events = events(trace);
    let mut rest = events.as_slice();
    while !rest.is_empty() {
        rest = &rest[builder.event(rest)?..];
    }
    builder.tell();
    Ok(Play { program: trace.program.clone(), code: builder.code, steps: builder.steps })
}

/// Where the rules of [`crate::state`] and what the system told part.
#[must_use]
pub fn doubts(trace: &Trace) -> Vec<String> {
    let mut state = State::new(trace);
    for event in events(trace) {
        state.apply(trace, event);
    }
    state.doubts
}

fn events(trace: &Trace) -> Vec<Event<'_>> {
    let known = Descriptors::of(trace);
    let mut events: Vec<(u64, Event<'_>)> = Vec::new();
    // A lock that was taken again at once, for the narration perhaps: no step for a learner.
    let locks = |call: &&Traced| call.name() == "futex" && call.took.is_some();
    for call in trace.calls.iter().filter(|call| !locks(call)) {
        let to = call.returned().unwrap_or(trace.end);
        let acts = trace.acts.iter().any(|act| (call.began..to).contains(&act.at));
        // A call that an act of a client falls into has slept, or has been interrupted.
        let blocks = !matches!(Call::of(call), Call::Send(..) | Call::Close(_) | Call::Who(_));
        let slept = blocks && known.may_sleep(call) && !would_block(call);
        let slept = slept && (acts || to - call.began >= SLEPT);
        if slept {
            events.push((call.began, Event::Sleeps(call)));
        }
        if let Some(to) = call.returned() {
            let at = if slept { to } else { call.began };
            events.push((at, Event::Returned { call, slept }));
        }
    }
    events.extend(trace.acts.iter().map(|act| (act.at, Event::Act(act))));
    let certain = trace.seen.iter().filter(|seen| certain(trace, seen));
    events.extend(certain.map(|seen| (seen.at, Event::Seen(seen))));
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().map(|(_, event)| event).collect()
}

/// Whether nothing was taken out of a buffer while the system was asked: then the order is known.
fn certain(trace: &Trace, seen: &Seen) -> bool {
    const ASKING: u64 = 4000;
    let near = |at: u64| seen.at.abs_diff(at) < ASKING;
    let takes = trace.calls.iter().filter(|call| {
        matches!(Call::of(call), Call::Accept(_) | Call::Receive(..) | Call::Enter { .. })
    });
    !takes
        .filter(|call| !would_block(call))
        .any(|call| near(call.began) || call.returned().is_some_and(near))
}

impl State {
    fn apply(&mut self, trace: &Trace, event: Event<'_>) {
        match event {
            Event::Act(act) => self.act(act),
            Event::Sleeps(call) => {
                self.sleeps(call);
                self.asleep.insert(call.lane, Some(familiar(call.name())));
                self.completions.clear();
            }
            Event::Returned { call, .. } => {
                self.returned(call);
                self.asleep.insert(call.lane, None);
                if matches!(Call::of(call), Call::Enter { .. }) {
                    self.completions = completions(trace, call);
                }
            }
            Event::Seen(seen) => self.doubt(seen),
        }
    }
}

/// What the program says that it has found, until its next call of this kind.
fn completions(trace: &Trace, call: &Traced) -> Vec<String> {
    let after = call.returned().unwrap_or(call.began);
    let later = trace.calls.iter().find(|later| {
        later.began > after
            && later.lane == call.lane
            && matches!(Call::of(later), Call::Enter { .. })
    });
    let until = later.map_or(trace.end, |later| later.began);
    let said = trace.says.iter().filter(|said| (after..until).contains(&said.at));
    let found = said.filter_map(|said| said.text.strip_prefix("completed: "));
    found.map(plain).collect()
}

/// With the clients' plain names.
fn plain(text: &str) -> String {
    ["client A", "client B", "server", "behind", "somebody"]
        .iter()
        .fold(text.to_owned(), |text, name| {
            text.replace(&format!("{{{name}}}"), name.trim_start_matches("client "))
        })
}

struct Builder<'t> {
    trace: &'t Trace,
    root: &'t Path,
    rows: Rows,
    state: State,
    steps: Vec<Step>,
    /// Which thread each step is of, if it is the server's.
    lanes: Vec<Option<usize>>,
    code: Vec<Code>,
    /// To be asked before the next step.
    ask: Option<Ask>,
}

impl<'t> Builder<'t> {
    fn new(trace: &'t Trace, root: &'t Path, language: Language) -> Self {
        let rows = Rows { language, lanes: lanes(trace), names: names(trace) };
        let (state, ask) = (State::new(trace), None);
        let (steps, lanes, code) = (Vec::new(), Vec::new(), Vec::new());
        Self { trace, root, rows, state, steps, lanes, code, ask }
    }

    /// Makes a step of the first event, or of several that are the same question again, and returns
    /// how many it took.
    fn event(&mut self, rest: &[Event<'t>]) -> Result<usize, String> {
        let language = self.rows.language;
        let (mut step, mut lane, mut taken) = (Step::default(), None, 1);
        match rest[0] {
            Event::Seen(_) => {
                self.state.apply(self.trace, rest[0]);
                return Ok(1);
            }
            Event::Act(act) => {
                (step.at, step.who) = (act.at, act.client.name().to_owned());
                step.what = act.what.to_string();
                step.says = words::act(language, act, &self.state);
                self.state.apply(self.trace, rest[0]);
                // The server is where it was.
                step.place = self.steps.last().and_then(|last| last.place);
            }
            Event::Sleeps(call) => {
                self.state.apply(self.trace, rest[0]);
                (step.at, lane) = (call.began, Some(call.lane));
                step.what = asked(call);
                step.says = words::sleeps(language, call, &self.state);
                step.place = self.place(call)?;
            }
            Event::Returned { call, slept } => {
                taken = again(rest);
                // Afterwards a descriptor that was closed stands for nobody.
                let before = self.state.clone();
                rest[..taken].iter().for_each(|event| self.state.apply(self.trace, *event));
                let closes = matches!(Call::of(call), Call::Close(_));
                let known = if closes { &before } else { &self.state };
                step.says = words::returned(language, call, known, slept);
                let refusals = refusals(&rest[..taken]);
                if refusals.len() > 1 {
                    step.says = words::asked(language, &refusals);
                }
                (step.at, lane) = (call.returned().unwrap_or(call.began), Some(call.lane));
                step.what = written(call);
                step.place = self.place(call)?;
            }
        }
        if let Some(lane) = lane {
            step.who = self.rows.thread(lane);
        }
        step.what = plain(&step.what);
        step.clients = self.rows.clients(&self.state);
        step.kernel = self.rows.kernel(&self.state);
        step.server = self.rows.server(&self.state);
        step.ask = self.ask.take();
        self.ask = question(&self.rows, rest[0], &rest[taken..], &self.state);
        self.steps.push(step);
        self.lanes.push(lane);
        Ok(taken)
    }

    /// Where a call was made, with the function around it.
    fn place(&mut self, call: &Traced) -> Result<Option<(usize, usize)>, String> {
        let place = call.place.as_ref();
        place.map(|place| Ok((self.function(place)?, place.line))).transpose()
    }

    fn function(&mut self, place: &Place) -> Result<usize, String> {
        let path = self.root.join(&place.file);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let line = place.line.checked_sub(1).and_then(|above| text.lines().nth(above));
        if line.map(str::trim) != Some(place.text.as_str()) {
            let Place { file, line, text } = place;
            return Err(format!("{file}:{line} is not `{text}` any more: record the run anew"));
        }
        let code = function(&place.file, &text, place.line);
        let known = self.code.iter().position(|known| *known == code);
        Ok(known.unwrap_or_else(|| {
            self.code.push(code);
            self.code.len() - 1
        }))
    }

    /// Gives each line that the server said to a step of that thread: the one that it came after,
    /// or the one that it announces.
    fn tell(&mut self) {
        for said in &self.trace.says {
            let own = |step: &usize| self.lanes[*step] == Some(said.lane);
            let before = |step: &usize| self.steps[*step].at <= said.at;
            let steps = || (0..self.steps.len()).filter(own);
            let next = || steps().find(|step| !before(step));
            let step = if announces(&said.text) { next() } else { None };
            if let Some(step) = step.or_else(|| steps().rfind(before)).or_else(next) {
                self.steps[step].narration.push(plain(&said.text));
            }
        }
    }
}

/// It says what the program is about to do.
fn announces(text: &str) -> bool {
    let begins = |text: &str| {
        let words = ["waiting ", "sending ", "closing ", "nobody can go on"];
        words.iter().any(|word| text.starts_with(word)) || text.contains(": EPOLL_CTL_")
    };
    begins(text) || text.split_once(": ").is_some_and(|(_, text)| begins(text))
}

/// A call by the name that programs have for it, without the arguments that are not used.
fn written(call: &Traced) -> String {
    let text = call.text.replacen(call.name(), &familiar(call.name()), 1);
    let (arguments, result) = text.rsplit_once(") = ").unwrap_or((&text, ""));
    let arguments = arguments.trim_end_matches(", NULL");
    format!("{arguments}) = {result}")
}

/// What a call asks: its answer is another step.
fn asked(call: &Traced) -> String {
    let name = familiar(call.name());
    match name.as_str() {
        // There a list is given at each call. In the others stands what they will return.
        "select" | "poll" | "io_uring_enter" => {
            let text = written(call);
            let (asked, _) = text.rsplit_once(" = ").unwrap_or((&text, ""));
            asked.replace(" <unfinished ...>", "")
        }
        "futex" | "nanosleep" => format!("{name}(…)"),
        _ => format!("{name}({}, …)", call.descriptor().unwrap_or_default()),
    }
}

/// How many events from the first are the same question of one thread, and never an answer.
fn again(events: &[Event<'_>]) -> usize {
    let mut count = 1;
    let Event::Returned { call: first, .. } = events[0] else { return count };
    if !would_block(first) {
        return count;
    }
    for (number, event) in events.iter().enumerate() {
        match event {
            Event::Returned { call, .. } if would_block(call) && call.lane == first.lane => {
                count = number + 1;
            }
            Event::Seen(_) => {}
            _ => break,
        }
    }
    count
}

/// The calls among these that had nothing to give, by name.
fn refusals(events: &[Event<'_>]) -> Vec<String> {
    let refused = events.iter().filter_map(|event| match event {
        Event::Returned { call, .. } if would_block(call) => Some(familiar(call.name())),
        _ => None,
    });
    refused.collect()
}
