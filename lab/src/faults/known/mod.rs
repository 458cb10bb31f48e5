//! The mistakes, kind by kind, in the order of the chapter.

mod endings;
mod errors;
mod fairness;
mod proxies;
mod readiness;
mod resources;
mod room;

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
    /// The chapter that explains them.
    pub chapter: &'static str,
    /// The heading in the chapter, in both languages.
    pub section: [&'static str; 2],
    pub mistakes: &'static [Mistake],
}

pub(super) const KINDS: &[Kind] = &[
    kind(["Endings", "结束"], endings::MISTAKES),
    kind(["Errors", "错误"], errors::MISTAKES),
    kind(["Room", "空间"], room::MISTAKES),
    kind(["Readiness", "就绪"], readiness::MISTAKES),
    kind(["Fairness", "公平"], fairness::MISTAKES),
    kind(["Resources", "资源"], resources::MISTAKES),
    Kind {
        chapter: "19-proxy.md",
        ..kind(["Where it breaks", "会在哪里出问题"], proxies::MISTAKES)
    },
];

const fn kind(section: [&'static str; 2], mistakes: &'static [Mistake]) -> Kind {
    Kind { chapter: "13-robust-servers.md", section, mistakes }
}

pub(super) fn all() -> impl Iterator<Item = &'static Mistake> {
    KINDS.iter().flat_map(|kind| kind.mistakes)
}
