//! The mistakes, kind by kind, in the order of the chapter.

mod endings;
mod errors;
mod fairness;
mod readiness;
mod resources;
mod room;

/// The chapter that explains them.
pub(super) const CHAPTER: &str = "13-robust-servers.md";

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
    /// The heading in the chapter, in both languages.
    pub section: [&'static str; 2],
    pub mistakes: &'static [Mistake],
}

pub(super) const KINDS: &[Kind] = &[
    Kind { section: ["Endings", "结束"], mistakes: endings::MISTAKES },
    Kind { section: ["Errors", "错误"], mistakes: errors::MISTAKES },
    Kind { section: ["Room", "空间"], mistakes: room::MISTAKES },
    Kind { section: ["Readiness", "就绪"], mistakes: readiness::MISTAKES },
    Kind { section: ["Fairness", "公平"], mistakes: fairness::MISTAKES },
    Kind { section: ["Resources", "资源"], mistakes: resources::MISTAKES },
];

pub(super) fn all() -> impl Iterator<Item = &'static Mistake> {
    KINDS.iter().flat_map(|kind| kind.mistakes)
}
