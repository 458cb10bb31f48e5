//! Which act of a client ended which wait of the server, and which call answered it.

use super::lanes::{Lane, What, ending};
use player::trace::{Act, Trace};

/// Where an act of a client meets the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Meets {
    /// It ends a wait of this lane, at this time.
    Wakes { lane: usize, at: u64 },
    /// Nobody waits for it: the kernel keeps it until somebody asks.
    Kept,
    /// It was sent by this lane in a call that began then.
    Answered { lane: usize, began: u64 },
}

/// Where each act of the trace meets the server.
pub fn meetings(trace: &Trace, lanes: &[Lane]) -> Vec<Option<Meets>> {
    let meets = |act: &Act| {
        if act.what.asks() { Some(wakes(trace, lanes, act)) } else { answered(lanes, act) }
    };
    trace.acts.iter().map(meets).collect()
}

/// The wait that the act ends; of several, that which ends first.
fn wakes(trace: &Trace, lanes: &[Lane], act: &Act) -> Meets {
    let mut wakes: Option<(u64, usize)> = None;
    for (number, lane) in lanes.iter().enumerate() {
        for (index, piece) in lane.pieces.iter().enumerate() {
            let (until, ended_by) = match &piece.what {
                What::Sleep { for_what, over: true, .. } => {
                    (piece.to, ending(trace, for_what, piece.from, piece.to))
                }
                // Whoever asks all the time need not be woken: the question after it finds it.
                What::Ask { .. } => {
                    let mut after = lane.pieces[index + 1..].iter();
                    let Some(found) = after.find(|piece| piece.what != What::Own) else { continue };
                    let mut acts = trace.acts.iter().filter(|act| act.what.asks());
                    // It may come when that question is already on its way.
                    let ended_by = acts.find(|act| piece.from < act.at && act.at <= found.to);
                    (found.from.max(act.at), ended_by)
                }
                _ => continue,
            };
            if ended_by == Some(act) && wakes.is_none_or(|(at, _)| until < at) {
                wakes = Some((until, number));
            }
        }
    }
    wakes.map_or(Meets::Kept, |(at, lane)| Meets::Wakes { lane, at })
}

/// The call that has sent what the client received: the last before that, to that client, or one
/// of io_uring, which does not say to whom.
fn answered(lanes: &[Lane], act: &Act) -> Option<Meets> {
    let mut found: Option<(bool, u64, usize)> = None;
    for (number, lane) in lanes.iter().enumerate() {
        for piece in lane.pieces.iter().filter(|piece| piece.from <= act.at) {
            let certain = match &piece.what {
                What::Move { call, client, .. } => {
                    if *client != act.client || !["send", "write"].contains(&&**call) {
                        continue;
                    }
                    true
                }
                What::Sleep { call, .. } | What::Brief { call, .. } if call == "io_uring_enter" => {
                    false
                }
                _ => continue,
            };
            found = found.max(Some((certain, piece.from, number)));
        }
    }
    found.map(|(_, began, lane)| Meets::Answered { lane, began })
}
