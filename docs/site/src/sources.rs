//! A page for each file of the project that a chapter links to: on a Git host such a link shows the
//! file, from disk it would be saved or lost.

use crate::{Language, escape, write};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What chapters link to, by its path in the project, and which these are: book, page, title.
pub type Linked = BTreeMap<String, BTreeSet<(Language, String, String)>>;

/// The page of `path` in the folder `source`.
pub fn file_name(path: &str) -> String {
    format!("{path}.html")
}

/// Writes the pages, the same ones for both languages, and returns how many files they show.
pub fn publish(root: &Path, out: &Path, linked: &Linked) -> Result<usize> {
    for (path, readers) in linked {
        let body = lines(root, path)?;
        for language in Language::BOTH {
            let readers: Vec<_> = readers.iter().filter(|(of, ..)| *of == language).collect();
            let html = page(path, language, &readers, &body);
            write(&out.join(language.code()).join("source").join(file_name(path)), &html)?;
        }
    }
    Ok(linked.len())
}

fn lines(root: &Path, path: &str) -> Result<String> {
    let bytes = fs::read(root.join(path)).with_context(|| path.to_owned())?;
    let text = String::from_utf8_lossy(&bytes);
    let numbers: String = (1..=text.lines().count())
        .map(|n| format!("<a id=\"L{n}\" href=\"#L{n}\">{n}</a>\n"))
        .collect();
    let language = match Path::new(path).extension().and_then(|e| e.to_str()) {
        Some("rs") => "rust",
        Some("toml" | "lock") => "ini",
        Some("py") => "python",
        Some("md") => "markdown",
        _ => "plaintext",
    };
    Ok(format!(
        "<div class=\"listing\"><pre class=\"numbers\">{numbers}</pre><pre class=\"text\"><code \
         class=\"hljs language-{language}\">{}</code></pre></div>",
        escape(&text)
    ))
}

fn page(
    path: &str,
    language: Language,
    readers: &[&(Language, String, String)],
    body: &str,
) -> String {
    let other = language.other();
    let name = file_name(path);
    // Out of the folders of `name`, and of `source`.
    let book = "../".repeat(name.matches('/').count() + 1);
    let [course, chapters, switch] = match language {
        Language::English => ["How a program waits for I/O", "Read it beside", "简体中文"],
        Language::Chinese => ["程序怎样等待 I/O", "对照阅读", "English"],
    };
    let links = readers
        .iter()
        .map(|(_, file, title)| format!("<a href=\"{book}{file}\">{}</a>", escape(title)));
    let links = links.collect::<Vec<_>>().join(" · ");
    let beside = if links.is_empty() { links } else { format!("<p>{chapters}: {links}</p>") };
    let beside =
        if language == Language::Chinese { beside.replacen(": ", "：", 1) } else { beside };
    let title = escape(path);
    format!(
        r##"<!DOCTYPE html>
<html lang="{tag}" class="light">
<head>
<meta charset="UTF-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - {course}</title>
<link rel="icon" href="{book}favicon.svg">
<link rel="stylesheet" href="{book}css/variables.css">
<link rel="stylesheet" href="{book}fonts/fonts.css">
<link rel="stylesheet" class="on-light" media="(prefers-color-scheme: light)" href="{book}highlight.css">
<link rel="stylesheet" class="on-dark" media="(prefers-color-scheme: dark)" href="{book}tomorrow-night.css">
<link rel="stylesheet" href="{book}../site/source.css">
<script src="{book}../site/source.js"></script>
</head>
<body>
<header>
<nav><a href="{book}index.html">{course}</a>
<a class="language" rel="alternate" href="{book}../{code}/source/{file}" lang="{other_tag}" hreflang="{other_tag}">{switch}</a></nav>
<h1>{title}</h1>
{beside}
</header>
<main>{body}</main>
<script src="{book}highlight.js"></script>
<script>highlight();</script>
</body>
</html>
"##,
        tag = language.tag(),
        code = other.code(),
        other_tag = other.tag(),
        file = escape(&name),
    )
}
