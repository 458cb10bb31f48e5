//! The course as a web site: two mdBooks, and around them what mdBook does not do.
//!
//! The chapters are written to be read on a Git host as well, so that nothing of the site stands in
//! them. What the site needs is put into the pages after mdBook has rendered them:
//!
//! - the switch on the first line of a chapter becomes a button in the menu bar (`pages`);
//! - links to the sources lead to a page for each file (`sources`);
//! - below a timeline its recorded run can be gone through (`players`);
//! - figures follow the theme of the page, which may not be the system's (`figures`);
//! - mdBook's own words are Chinese in the Chinese book (`words`).
//!
//! Searching is `course.js`: mdBook's index splits text at spaces, so that it finds no Chinese.

mod figures;
mod pages;
mod players;
mod sources;
mod words;

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A book of the course.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Language {
    /// `docs/en`
    English,
    /// `docs/zh`
    Chinese,
}

impl Language {
    /// Both books.
    pub const BOTH: [Self; 2] = [Self::English, Self::Chinese];

    /// The name of the book's folder, in `docs` and in the site.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// The name in HTML.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// The language that the button leads to.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }
}

/// What was built.
#[derive(Debug)]
pub struct Site {
    /// The page to open first.
    pub index: PathBuf,
    /// The chapters of each book.
    pub chapters: usize,
    /// The files of the project that have a page.
    pub sources: usize,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.index.parent().unwrap_or(&self.index).display();
        let Self { chapters, sources, .. } = self;
        writeln!(f, "{folder}/en  {chapters} chapters in English")?;
        writeln!(f, "{folder}/zh  {chapters} chapters in Chinese")?;
        writeln!(
            f,
            "in each, source/: the {sources} files of the project that its chapters link to"
        )?;
        write!(f, "open {}", file_url(&self.index))
    }
}

/// The address of a file for a browser.
#[must_use]
pub fn file_url(path: &Path) -> String {
    let mut url = "file://".to_owned();
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

/// A part of an address, as it was before it was escaped.
#[must_use]
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escape = after.get(..2).filter(|_| *first == b'%');
        let escape = escape.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Builds the site of the project under `root` into the folder `out`, in place of what an earlier
/// build left there.
///
/// # Errors
///
/// A file that cannot be read or written; a page without its switch line; a link or a figure that
/// is not there.
pub fn build(root: &Path, out: &Path) -> Result<Site> {
    let root = root.canonicalize().with_context(|| root.display().to_string())?;
    let name = out.file_name().with_context(|| format!("{} has no name", out.display()))?;
    let beside = out.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(beside).with_context(|| beside.display().to_string())?;
    let beside = beside.canonicalize()?;
    // Two builds at once do not get into each other's way, and whoever reads has a whole site.
    let own = tempfile::Builder::new().prefix(".site-").tempdir_in(&beside)?;
    let fresh = own.path().join("fresh");
    fs::create_dir(&fresh)?;
    let (chapters, sources) = build_in(&root, &fresh)?;
    let out = beside.join(name);
    put(&fresh, &out, own.path()).with_context(|| out.display().to_string())?;
    Ok(Site { index: out.join("index.html"), chapters, sources })
}

/// Moves the site `fresh` to `out`, and what is there into the folder `old`.
fn put(fresh: &Path, out: &Path, old: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        match fs::rename(out, old.join(tries.to_string())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        tries += 1;
        match fs::rename(fresh, out) {
            // Another build was a moment earlier.
            Err(_) if tries < 10 && out.exists() => {}
            result => return result,
        }
    }
}

/// Returns how many chapters and how many files of the project it wrote.
fn build_in(root: &Path, out: &Path) -> Result<(usize, usize)> {
    let figures = figures::paint(root, out)?;
    let [english, chinese] =
        Language::BOTH.map(|language| pages::Book::render(root, out, language));
    let (english, chinese) = (english?, chinese?);
    let mut linked = BTreeMap::new();
    for (book, other) in [(&english, &chinese), (&chinese, &english)] {
        book.dress(root, out, other, &figures, &mut linked)?;
    }
    let sources = sources::publish(root, out, &linked)?;
    players::publish(out)?;
    for (name, text) in [
        ("site/source.css", include_str!("../source.css")),
        ("site/source.js", include_str!("../source.js")),
        ("index.html", include_str!("../index.html")),
    ] {
        write(&out.join(name), text)?;
    }
    Ok((english.chapters(), sources))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(path, text).with_context(|| path.display().to_string())
}

/// Text as HTML shows it, also inside quotes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
