//! The two languages that the course is written in.

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
