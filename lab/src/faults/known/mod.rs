//! The mistakes, kind by kind, in the order of the chapters.

mod deadlines;
mod endings;
mod errors;
mod fairness;
mod messages;
mod proxies;
mod readiness;
mod resources;
mod room;

/// The chapter that explains most of them.
const ROBUST: &str = "13-robust-servers.md";

/// A mistake, and how to make it.
pub(super) struct Mistake {
    pub name: &'static str,
    /// In which program: a row of `check/programs.rs`.
    pub program: &'static str,
    pub file: &'static str,
    /// What stands there, once, and what to put in its place.
    pub before: &'static str,
    pub after: &'static str,
    /// What goes wrong, in both languages.
    pub wrong: [&'static str; 2],
    /// In which of the notes; empty where it is a mistake of others.
    pub notes: &'static str,
    /// The checks that must fall short.
    pub checks: &'static [&'static str],
}

/// Mistakes of one kind.
pub(super) struct Kind {
    /// The page that explains them.
    pub page: &'static str,
    /// The heading there, in both languages.
    pub section: [&'static str; 2],
    pub mistakes: &'static [Mistake],
}

pub(super) const KINDS: &[Kind] = &[
    Kind { page: ROBUST, section: ["Endings", "结束"], mistakes: endings::MISTAKES },
    Kind { page: ROBUST, section: ["Errors", "错误"], mistakes: errors::MISTAKES },
    Kind { page: ROBUST, section: ["Room", "空间"], mistakes: room::MISTAKES },
    Kind { page: ROBUST, section: ["Readiness", "就绪"], mistakes: readiness::MISTAKES },
    Kind { page: ROBUST, section: ["Fairness", "公平"], mistakes: fairness::MISTAKES },
    Kind { page: ROBUST, section: ["Resources", "资源"], mistakes: resources::MISTAKES },
    Kind {
        page: "16-frames.md",
        section: ["Where it breaks", "会在哪里出问题"],
        mistakes: messages::MISTAKES,
    },
    Kind {
        page: "17-deadlines.md",
        section: ["Where it breaks", "会在哪里出问题"],
        mistakes: deadlines::MISTAKES,
    },
    Kind {
        page: "19-proxy.md",
        section: ["Where it breaks", "会在哪里出问题"],
        mistakes: proxies::MISTAKES,
    },
];

pub(super) fn all() -> impl Iterator<Item = &'static Mistake> {
    KINDS.iter().flat_map(|kind| kind.mistakes)
}
