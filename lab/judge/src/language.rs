//! The two languages that the course is written in, and the one that a command reports in.

use std::sync::OnceLock;

static SPOKEN: OnceLock<Language> = OnceLock::new();

/// `format!` in the language that this process reports in. Both formats get the same arguments.
#[macro_export]
macro_rules! said {
    ($en:literal, $zh:literal $(, $arg:expr)* $(,)?) => {
        match $crate::language::Language::spoken() {
            $crate::language::Language::English => format!($en $(, $arg)*),
            $crate::language::Language::Chinese => format!($zh $(, $arg)*),
        }
    };
}
pub use said;

/// The two languages of the course.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Language {
    /// `docs/en/`, `README.md`
    #[value(name = "en", help = "English")]
    English,
    /// `docs/zh/`, `README.zh.md`
    #[value(name = "zh", help = "简体中文")]
    Chinese,
}

impl Language {
    /// Both, English first.
    pub const BOTH: [Self; 2] = [Self::English, Self::Chinese];

    /// The folder under `docs/`, and the infix of a figure's name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// The language of the environment, in the order that locale(7) gives: the default of each
    /// command's `--lang`.
    #[must_use]
    pub fn of_environment() -> Self {
        Self::of_locale(["LC_ALL", "LC_MESSAGES", "LANG"].map(|name| std::env::var(name).ok()))
    }

    /// The first variable that is set and not empty decides.
    fn of_locale(values: [Option<String>; 3]) -> Self {
        let chosen = values.into_iter().flatten().find(|value| !value.is_empty());
        match chosen {
            Some(locale) if locale.starts_with("zh") => Self::Chinese,
            _ => Self::English,
        }
    }

    /// From now on this process reports in this language. A command says so once, when it begins.
    pub fn speak(self) {
        // Only the first call counts, and there is no second.
        let _ = SPOKEN.set(self);
    }

    /// The language that this process reports in: English until a command has chosen another, so
    /// tests do not depend on their environment.
    #[must_use]
    pub fn spoken() -> Self {
        SPOKEN.get().copied().unwrap_or(Self::English)
    }

    /// Its name in itself, as the switch line has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "简体中文",
        }
    }

    /// What is said in this one, of words in English and in Chinese.
    #[must_use]
    pub fn pick<T>(self, [en, zh]: [T; 2]) -> T {
        match self {
            Self::English => en,
            Self::Chinese => zh,
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }
}

/// The same words in both languages.
#[derive(Clone, Debug)]
pub struct Words {
    /// English
    pub en: String,
    /// 简体中文
    pub zh: String,
}

impl Words {
    /// The words as someone would write them who thinks in that language.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }

    /// Those of one language.
    #[must_use]
    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_of_the_locale_that_is_set_decides() {
        let of = |values: [&str; 3]| {
            Language::of_locale(values.map(|value| Some(value.to_owned()).filter(|v| v != "-")))
        };
        assert_eq!(of(["-", "-", "zh_CN.UTF-8"]), Language::Chinese);
        assert_eq!(of(["", "-", "zh"]), Language::Chinese, "empty counts as not set");
        assert_eq!(of(["C", "-", "zh_CN.UTF-8"]), Language::English);
        assert_eq!(of(["-", "zh_TW.UTF-8", "en_GB.UTF-8"]), Language::Chinese);
        assert_eq!(of(["-", "-", "-"]), Language::English);
    }
}
