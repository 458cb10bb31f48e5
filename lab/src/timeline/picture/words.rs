//! The words in the boxes of a timeline.

use crate::drawing::canvas::Style;
use crate::drawing::labels as l;
use crate::timeline::lanes::{Note, Piece, What};
use judge::language::{Language, Words};
use player::descriptors::{Awaited, Who};

/// The words in a box.
pub fn lines(piece: &Piece) -> Vec<(Style, Words)> {
    let took = l::same(time(piece.to - piece.from));
    let code = |text: &str| (Style::Code, l::same(text));
    match &piece.what {
        What::Own => Vec::new(),
        What::Sleep { call, for_what, over } => {
            let took = if *over { took } else { l::STILL_WAITS.into() };
            let call = l::same(call.as_str());
            vec![(Style::CodeHalo, call), (Style::Halo, awaited(for_what)), (Style::Halo, took)]
        }
        What::Copy { by_kernel } => {
            let label = if *by_kernel { l::KERNEL_COPIES } else { l::COPIES };
            vec![(Style::OnAccent, label.into()), (Style::OnAccent, took)]
        }
        What::Move { call, client, bytes } => {
            let call = format!("{call} {}", client.name());
            if *bytes == 0 {
                return vec![
                    code(&call),
                    (Style::Small, l::NOTHING_YET.into()),
                    (Style::Small, took),
                ];
            }
            let call = (Style::CodeOnAccent, l::same(call));
            vec![call, (Style::OnAccent, l::bytes(*bytes)), (Style::OnAccent, took)]
        }
        What::Brief { call, note } => {
            let mut lines = match note {
                Note::Nothing => vec![code(call)],
                Note::Whom(who) => vec![code(&format!("{call} {}", short(*who)))],
                Note::Control(operation, who) => {
                    vec![code(call), code(&format!("{operation} {}", short(*who)))]
                }
                Note::Writable => vec![code(call), (Style::Small, l::WRITABLE.into())],
            };
            lines.push((Style::Small, took));
            lines
        }
        What::Ask { calls, refused } => {
            let counted = calls.iter().map(|(call, count)| match count {
                1 => call.clone(),
                _ => format!("{call} ×{count}"),
            });
            let counted: Vec<_> = counted.collect();
            match (counted.as_slice(), refused) {
                ([one], true) => vec![code(one), code("EAGAIN"), (Style::Small, took)],
                ([one], false) => vec![code(one), (Style::Small, took)],
                ([first, rest @ ..], _) => {
                    let took = time(piece.to - piece.from);
                    let took = Words::new(format!("EAGAIN, {took}"), format!("EAGAIN，{took}"));
                    vec![code(first), code(&rest.join(", ")), (Style::Small, took)]
                }
                ([], _) => Vec::new(),
            }
        }
    }
}

fn awaited(for_what: &Awaited) -> Words {
    match for_what {
        Awaited::These(whom) => {
            let list = |language, comma: &str| {
                let names = whom.iter().map(|who| l::who(*who).of(language).to_owned());
                names.collect::<Vec<_>>().join(comma)
            };
            l::waits_for(whom.len(), &list(Language::English, ", "), &list(Language::Chinese, "、"))
        }
        Awaited::Completion(submitted) => l::after_submitting(*submitted),
        Awaited::Time => l::PAUSE_ENDS.into(),
        Awaited::Thread => l::OTHER_THREAD.into(),
    }
}

/// In code, where there is a call in front of it.
fn short(who: Who) -> String {
    match who {
        Who::Newcomer => "listener".into(),
        Who::Client(client) => client.name().into(),
        Who::Descriptor(fd) => fd.to_string(),
    }
}

/// A time as one says it: two or three digits and a unit.
pub fn time(micros: u64) -> String {
    match micros {
        0..1000 => format!("{micros} µs"),
        1000..100_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        _ => format!("{} ms", micros / 1000),
    }
}
