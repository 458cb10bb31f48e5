//! What `lab faults` says: the change, what the checks saw with it, and what they see without.

use super::copy::Change;
use super::known::{KINDS, Mistake};
use super::{Outcome, known};
use console::Style;
use judge::check::programs::Program;
use judge::check::report::Report as Checks;
use judge::check::subject::Status;
use judge::language::Language;
use judge::progress::while_saying;
use judge::table::{columns, say, table};
use judge::wrap::wrap;
use std::io;

pub(super) struct Report {
    language: Language,
    /// A check's line is the same here as in `lab check`.
    checks: Checks,
}

impl Report {
    pub(super) fn new(language: Language) -> Self {
        Self { language, checks: Checks::new() }
    }

    /// All mistakes, kind by kind.
    pub(super) fn list(&self) -> io::Result<()> {
        let mut table = table(match self.language {
            Language::English => ["fault", "made in", "what goes wrong", "found by"],
            Language::Chinese => ["缺陷", "改的程序", "后果", "由哪些检查发现"],
        });
        // The three short columns take 72, with their margins.
        let room = columns().saturating_sub(72).max(30);
        for mistake in known::all() {
            let wrong = wrap(&self.wrong(mistake), room).join("\n");
            table.add_row([mistake.name, mistake.program, &wrong, &mistake.checks.join("\n")]);
        }
        say(&format!("{table}\n"))
    }

    /// What goes wrong, and in which of the notes it does.
    fn wrong(&self, mistake: &Mistake) -> String {
        let wrong = self.language.pick(mistake.wrong);
        match (mistake.notes, self.language) {
            ("", _) => wrong.to_owned(),
            (notes, Language::English) => format!("{wrong} ({notes})"),
            (notes, Language::Chinese) => format!("{wrong}（{}）", notes.replace(", ", "、")),
        }
    }

    /// The mistake, and the lines that it changes.
    pub(super) fn mistake(&mut self, mistake: &Mistake, change: &Change) -> io::Result<()> {
        let colon = self.language.pick([": ", "："]);
        self.checks.heading(&format!("{}{colon}{}", mistake.name, self.wrong(mistake)))?;
        say(&format!("    {}\n", mistake.file))?;
        lines('-', &Style::new().red(), &change.before)?;
        lines('+', &Style::new().green(), &change.after)
    }

    pub(super) fn changed(&self, row: &Program) -> io::Result<()> {
        say(&match self.language {
            Language::English => format!("{} with the change:\n", row.name),
            Language::Chinese => format!("改动之后的 {}：\n", row.name),
        })
    }

    pub(super) fn original(&self, row: &Program) -> io::Result<()> {
        say(&match self.language {
            Language::English => format!("{} as it is:\n", row.name),
            Language::Chinese => format!("原来的 {}：\n", row.name),
        })
    }

    pub(super) fn line(&mut self, status: Status, check: &str, text: &str) -> io::Result<()> {
        self.checks.line(status, check, text)
    }

    /// Two at once would build in one copy.
    pub(super) fn while_queueing<T>(&self, wait: impl FnOnce() -> T) -> T {
        let message = ["waiting for another lab faults", "等另一个 lab faults 做完"];
        while_saying(self.language.pick(message).to_owned(), wait)
    }

    /// What became of a mistake, and where it is explained.
    pub(super) fn outcome(&self, mistake: &Mistake, outcome: Outcome) -> io::Result<()> {
        let kind = KINDS.iter().find(|kind| kind.mistakes.iter().any(|m| m.name == mistake.name));
        let section = kind.map_or("", |kind| self.language.pick(kind.section));
        let page = kind.map_or("", |kind| kind.page);
        let (word, code) = (outcome.word(self.language), self.language.code());
        say(&match self.language {
            Language::English => format!("{word}; see docs/{code}/{page}, “{section}”\n"),
            Language::Chinese => format!("{word}；见 docs/{code}/{page} 的“{section}”\n"),
        })
    }

    /// The last line, where there were several.
    pub(super) fn tally(&self, outcomes: &[Outcome]) -> io::Result<()> {
        if outcomes.len() < 2 {
            return Ok(());
        }
        let all = [Outcome::Caught, Outcome::Unnoticed, Outcome::NotCured, Outcome::LeftOut];
        let count = |of| outcomes.iter().filter(|&&outcome| outcome == of).count();
        let there = all.into_iter().filter(|&outcome| count(outcome) > 0);
        let total = outcomes.len();
        say(&match self.language {
            Language::English => {
                let each = there.map(|of| format!("{} {}", count(of), of.word(self.language)));
                format!("\n{total} faults: {}\n", each.collect::<Vec<_>>().join(", "))
            }
            Language::Chinese => {
                let each = there.map(|of| format!("{} {} 个", of.word(self.language), count(of)));
                format!("\n缺陷 {total} 个：{}\n", each.collect::<Vec<_>>().join("，"))
            }
        })
    }
}

impl Outcome {
    fn word(self, language: Language) -> &'static str {
        language.pick(match self {
            Self::Caught => ["caught", "已发现"],
            Self::Unnoticed => ["unnoticed", "未发现"],
            Self::NotCured => ["not cured", "原程序不合格"],
            Self::LeftOut => ["left out here", "这里看不到"],
        })
    }
}

fn lines(sign: char, style: &Style, lines: &[String]) -> io::Result<()> {
    lines
        .iter()
        .try_for_each(|line| say(&format!("{}\n", style.apply_to(format_args!("{sign}   {line}")))))
}
