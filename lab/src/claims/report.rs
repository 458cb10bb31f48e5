//! The list of the experiments, and the table of what they found.

use super::experiments::EXPERIMENTS;
use super::{ClaimsArgs, Experiment, Unable, Verdict};
use crate::built::build_all_to_measure;
use crate::check::report::complain;
use crate::language::Language;
use crate::table::{say, table};
use indicatif::{ProgressBar, ProgressStyle};
use std::io;
use std::process::ExitCode;
use std::time::Duration;

/// What a measurement made of a verdict.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Outcome {
    Confirmed,
    Contradicted,
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
        // Also when nobody reads on (`| head`): not all was seen.
        Ok(false) | Err(_) => ExitCode::FAILURE,
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
    for experiment in EXPERIMENTS {
        let claims: Vec<_> = experiment.claims.iter().map(|claim| said(claim, language)).collect();
        table.add_row([experiment.name, of(&experiment.does, language), &claims.join("\n")]);
    }
    say(&format!("{table}\n"))?;
    Ok(true)
}

fn judge(chosen: &[&Experiment], language: Language) -> io::Result<bool> {
    let mut outcomes = Vec::new();
    let bar = ProgressBar::new(chosen.len() as u64);
    bar.set_style(ProgressStyle::with_template("{pos}/{len} {msg} {elapsed}").expect("a template"));
    bar.enable_steady_tick(Duration::from_millis(200));
    if chosen.len() > 1 {
        bar.set_message(of(&["building the programs", "正在编译各个程序"], language));
        // An experiment whose program cannot be built will say so.
        let _ = build_all_to_measure();
    }
    for experiment in chosen {
        bar.set_message(experiment.name);
        let rows = rows(experiment, language);
        let mut table = table(match language {
            Language::English => ["claim", "verdict", "measured", "is it so?"],
            Language::Chinese => ["说法", "结论", "测得", "是否属实"],
        });
        for (outcome, [claim, verdict, seen]) in rows {
            outcomes.push(outcome);
            table.add_row([claim, verdict, seen, outcome.word(language).to_owned()]);
        }
        bar.suspend(|| {
            say(&format!("{}: {}\n{table}\n\n", experiment.name, of(&experiment.does, language)))
        })?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let count = |of| outcomes.iter().filter(|&&outcome| outcome == of).count();
    let tally: Vec<_> =
        [Outcome::Confirmed, Outcome::Contradicted, Outcome::Failed, Outcome::LeftOut]
            .into_iter()
            .filter(|&outcome| count(outcome) > 0)
            .map(|outcome| format!("{} {}", count(outcome), outcome.word(language)))
            .collect();
    say(&format!("{}\n", tally.join(", ")))?;
    Ok(count(Outcome::Contradicted) + count(Outcome::Failed) == 0)
}

/// A row for each claim: claim, verdict, what was seen.
fn rows(experiment: &Experiment, language: Language) -> Vec<(Outcome, [String; 3])> {
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
                        if finding.agrees { Outcome::Confirmed } else { Outcome::Contradicted };
                    (outcome, finding.seen.of(language).to_owned())
                }
                Err(Unable::Here(why)) => (Outcome::LeftOut, why.of(language).to_owned()),
                Err(Unable::Failed(why)) => (Outcome::Failed, why.clone()),
            };
            (outcome, [said(claim, language), claim.verdict.word(language).to_owned(), seen])
        })
        .collect()
}

/// A claim's own words, and below them what they say.
fn said(claim: &super::Claim, language: Language) -> String {
    let space = match language {
        Language::English => " ",
        // The bracket brings its own.
        Language::Chinese => "",
    };
    let quoted = format!("{}{space}「{}」", claim.note, claim.quote);
    match of(&claim.says, language) {
        "" => quoted,
        says => format!("{quoted}\n{says}"),
    }
}

fn of<'w>(words: &[&'w str; 2], language: Language) -> &'w str {
    match language {
        Language::English => words[0],
        Language::Chinese => words[1],
    }
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
        of(&words, language)
    }
}

impl Outcome {
    fn word(self, language: Language) -> &'static str {
        let words = match self {
            Self::Confirmed => ["confirmed", "证实"],
            Self::Contradicted => ["contradicted", "不符"],
            Self::LeftOut => ["left out", "未测"],
            Self::Failed => ["failed", "失败"],
        };
        of(&words, language)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{Claim, Finding, Found};

    fn claim_with(run: fn() -> Found) -> Outcome {
        static CLAIMS: [Claim; 1] =
            [Claim { note: "S9", quote: "", says: ["", ""], verdict: Verdict::Wrong }];
        let experiment = Experiment { name: "", does: ["", ""], claims: &CLAIMS, run };
        rows(&experiment, Language::English)[0].0
    }

    /// Whatever the course says: a measurement that shows the opposite is not talked away.
    #[test]
    fn a_measurement_has_the_last_word() {
        let confirmed = claim_with(|| Ok(vec![Finding::new(true, "", "")]));
        assert!(confirmed == Outcome::Confirmed);
        let contradicted = claim_with(|| Ok(vec![Finding::new(false, "", "")]));
        assert!(contradicted == Outcome::Contradicted);
        assert!(claim_with(|| Err(Unable::here("", ""))) == Outcome::LeftOut);
        assert!(claim_with(|| Err(Unable::Failed(String::new()))) == Outcome::Failed);
    }
}
