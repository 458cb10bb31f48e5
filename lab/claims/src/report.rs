//! The list of the experiments, and the table of what they found.

use super::experiments::EXPERIMENTS;
use super::{ASKED, Claim, ClaimsArgs, Experiment, Unable, Verdict};
use judge::built::build_all_to_measure;
use judge::check::report::{complain, unread};
use judge::language::Language;
use judge::progress::progress;
use judge::table::{columns, say, table};
use judge::wrap::wrap;
use std::io;
use std::process::ExitCode;

/// What a measurement made of a verdict.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Outcome {
    Holds,
    DoesNotHold,
    LeftOut,
    Failed,
}

pub(super) fn main(args: &ClaimsArgs) -> ExitCode {
    let chosen = match chosen(args) {
        Ok(chosen) => chosen,
        Err(why) => {
            complain(&why);
            return ExitCode::from(2);
        }
    };
    let printed = if chosen.is_empty() { list(args.lang) } else { judge(&chosen, args.lang) };
    match printed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            unread(&error);
            ExitCode::FAILURE
        }
    }
}

fn chosen(args: &ClaimsArgs) -> Result<Vec<&'static Experiment>, String> {
    if args.all {
        return Ok(EXPERIMENTS.to_vec());
    }
    let named = |name: &String| {
        let found = EXPERIMENTS.iter().find(|experiment| experiment.name == name);
        found.copied().ok_or_else(|| {
            let known: Vec<_> = EXPERIMENTS.iter().map(|experiment| experiment.name).collect();
            format!("no experiment '{name}': there are {}", known.join(", "))
        })
    };
    args.names.iter().map(named).collect()
}

fn list(language: Language) -> io::Result<bool> {
    let mut table = table(match language {
        Language::English => ["experiment", "what it does", "claims"],
        Language::Chinese => ["实验", "做什么", "说法"],
    });
    // What the longest name and the margins leave.
    let names = EXPERIMENTS.iter().map(|experiment| experiment.name.len()).max().unwrap_or(0);
    let room = columns().saturating_sub(names + 8).max(40);
    let (left, right) = (room * 2 / 5, room - room * 2 / 5);
    for experiment in EXPERIMENTS {
        let claims = experiment.claims.iter().map(|claim| said(claim, language, right));
        let does = wrap(language.pick(experiment.does), left).join("\n");
        table.add_row([experiment.name, &does, &claims.collect::<Vec<_>>().join("\n")]);
    }
    say(&format!("{table}\n"))?;
    Ok(true)
}

fn judge(chosen: &[&Experiment], language: Language) -> io::Result<bool> {
    let mut outcomes = Vec::new();
    let bar = progress(chosen.len());
    let all = chosen.len() == EXPERIMENTS.len();
    // A few experiments build the few programs that they run, as they come to them.
    let builds = language.pick([
        " (builds what it runs first, which may take minutes)",
        "（先编译要用的程序，可能要几分钟）",
    ]);
    if all {
        bar.set_message(language.pick([
            "building the programs (some minutes the first time)",
            "编译各个程序（第一次要几分钟）",
        ]));
        // An experiment whose program cannot be built will say so.
        let _ = build_all_to_measure();
    }
    for experiment in chosen {
        bar.set_message(format!("{}{}", experiment.name, if all { "" } else { builds }));
        let rows = rows(experiment, language);
        let mut table = table(match language {
            Language::English => ["claim", "verdict", "measured", "verdict holds?"],
            Language::Chinese => ["说法", "结论", "测得", "结论成立？"],
        });
        // What the two short columns and the margins leave.
        let room = columns().saturating_sub(36).max(40);
        let (left, right) = (room * 9 / 20, room - room * 9 / 20);
        for (outcome, claim, seen) in rows {
            outcomes.push(outcome);
            table.add_row([
                &said(claim, language, left),
                claim.verdict.word(language),
                &wrap(&seen, right).join("\n"),
                outcome.word(language),
            ]);
        }
        let colon = language.pick([": ", "："]);
        let does = language.pick(experiment.does);
        bar.suspend(|| say(&format!("{}{colon}{does}\n{table}\n\n", experiment.name)))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let count = |of| outcomes.iter().filter(|&&outcome| outcome == of).count();
    let order = [Outcome::Holds, Outcome::DoesNotHold, Outcome::Failed, Outcome::LeftOut];
    let there = order.into_iter().filter(|&outcome| count(outcome) > 0);
    let tally = |outcome: Outcome| match (language, outcome) {
        (Language::English, Outcome::Holds) => format!("{} hold", count(outcome)),
        (Language::English, Outcome::DoesNotHold) => format!("{} do not hold", count(outcome)),
        (Language::English, _) => format!("{} {}", count(outcome), outcome.word(language)),
        (Language::Chinese, _) => format!("{} {} 条", outcome.word(language), count(outcome)),
    };
    let tally: Vec<_> = there.map(tally).collect();
    let mut last = match language {
        Language::English => format!("verdicts: {}\n", tally.join(", ")),
        Language::Chinese => format!("结论：{}\n", tally.join("，")),
    };
    let asked = |claim: &Claim| claim.note == ASKED;
    let mut claims = chosen.iter().flat_map(|experiment| experiment.claims);
    if claims.clone().any(|claim| !asked(claim)) {
        last += language.pick([
            "S0 to S4 are the notes, see docs/en/c-further-reading.md\n",
            "S0–S4 是五篇笔记，见 docs/zh/c-further-reading.md\n",
        ]);
    }
    if claims.any(asked) {
        last += language.pick([
            "asked: what people often say or ask, see docs/en/q-questions.md\n",
            "常见：大家常说、常问的，见 docs/zh/q-questions.md\n",
        ]);
    }
    say(&last)?;
    Ok(count(Outcome::DoesNotHold) + count(Outcome::Failed) == 0)
}

/// For each claim what became of its verdict, and what was seen.
fn rows(experiment: &Experiment, language: Language) -> Vec<(Outcome, &'static Claim, String)> {
    let found = (experiment.run)();
    if let Ok(findings) = &found {
        assert_eq!(findings.len(), experiment.claims.len(), "{}", experiment.name);
    }
    let claims = experiment.claims.iter().enumerate();
    claims
        .map(|(index, claim)| {
            let (outcome, seen) = match &found {
                Ok(findings) => {
                    let finding = &findings[index];
                    let outcome =
                        if finding.agrees { Outcome::Holds } else { Outcome::DoesNotHold };
                    (outcome, finding.seen.of(language).to_owned())
                }
                Err(Unable::Here(why)) => (Outcome::LeftOut, why.of(language).to_owned()),
                Err(Unable::Failed(why)) => (Outcome::Failed, why.clone()),
            };
            (outcome, claim, seen)
        })
        .collect()
}

/// What is claimed and, for who can read it, in whose words.
fn said(claim: &Claim, language: Language, width: usize) -> String {
    let says = language.pick(claim.says);
    let lines = match language {
        Language::English => wrap(&format!("{says} ({})", claim.note), width),
        Language::Chinese if claim.note == ASKED => wrap(&format!("{says}（常见）"), width),
        Language::Chinese => {
            let mut lines = wrap(&format!("{}「{}」", claim.note, claim.quote), width);
            lines.extend(wrap(says, width));
            lines
        }
    };
    lines.join("\n")
}

impl Verdict {
    fn word(self, language: Language) -> &'static str {
        let words = match self {
            Self::Right => ["right", "正确"],
            Self::Incomplete => ["incomplete", "不完整"],
            Self::Outdated => ["outdated", "过时"],
            Self::Wrong => ["wrong", "错误"],
            Self::Question => ["a question", "思考题"],
        };
        language.pick(words)
    }
}

impl Outcome {
    fn word(self, language: Language) -> &'static str {
        let words = match self {
            Self::Holds => ["holds", "成立"],
            Self::DoesNotHold => ["does not hold", "不成立"],
            Self::LeftOut => ["left out", "未测"],
            Self::Failed => ["failed", "失败"],
        };
        language.pick(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Finding, Found};

    fn claim_with(run: fn() -> Found) -> Outcome {
        static CLAIMS: [Claim; 1] =
            [Claim { note: "S9", quote: "", says: ["", ""], verdict: Verdict::Wrong }];
        let experiment = Experiment { name: "", does: ["", ""], claims: &CLAIMS, run };
        rows(&experiment, Language::English)[0].0
    }

    #[test]
    fn what_people_ask_has_no_quotation() {
        let asked = Claim::asked(["is it?", "是吗？"], Verdict::Question);
        assert_eq!(said(&asked, Language::English, 40), "is it? (asked)");
        assert_eq!(said(&asked, Language::Chinese, 40), "是吗？（常见）");
        let note = Claim { note: "S9", quote: "原文", says: ["it says", "意思"], ..asked };
        assert_eq!(said(&note, Language::English, 40), "it says (S9)");
        assert_eq!(said(&note, Language::Chinese, 40), "S9「原文」\n意思");
    }

    /// Whatever the course says: a measurement that shows the opposite is not talked away.
    #[test]
    fn a_measurement_has_the_last_word() {
        let holds = claim_with(|| Ok(vec![Finding::new(true, "", "")]));
        assert!(holds == Outcome::Holds);
        let contrary = claim_with(|| Ok(vec![Finding::new(false, "", "")]));
        assert!(contrary == Outcome::DoesNotHold);
        assert!(claim_with(|| Err(Unable::here("", ""))) == Outcome::LeftOut);
        assert!(claim_with(|| Err(Unable::Failed(String::new()))) == Outcome::Failed);
    }
}
