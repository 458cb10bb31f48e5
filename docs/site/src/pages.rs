//! A book: rendered by mdBook, then dressed for the site.

use crate::figures::Sizes;
use crate::players::{self, Players};
use crate::sources::{self, Linked};
use crate::words;
use crate::{Language, decoded, escape, read, write};
use anyhow::{Context, Result, anyhow, bail};
use lol_html::html_content::{ContentType, Element};
use lol_html::{RewriteStrSettings, element, rewrite_str};
use mdbook_driver::MDBook;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::rc::Rc;

/// A chapter as mdBook has rendered it.
struct Page {
    /// Its name in the sidebar.
    title: String,
    /// What the switch calls the other language.
    switch: String,
    html: String,
    /// The fragments of its headings, in order.
    headings: Vec<String>,
    /// Every fragment.
    ids: BTreeSet<String>,
}

/// The chapters of a language by their file names.
pub struct Book {
    language: Language,
    pages: BTreeMap<String, Page>,
}

impl Book {
    /// Lets mdBook render the book of `language` into its folder in `out`.
    pub fn render(root: &Path, out: &Path, language: Language) -> Result<Self> {
        let code = language.code();
        let mut book =
            MDBook::load(root.join("docs").join(code)).with_context(|| format!("docs/{code}"))?;
        book.config.build.build_dir = out.join(code);
        let mut chapters = Vec::new();
        book.book.for_each_chapter_mut(|chapter| {
            // A draft has no page.
            let Some(path) = chapter.path.as_deref() else { return };
            let name = file_name(&path.display().to_string());
            let switch = take_switch(&mut chapter.content)
                .ok_or_else(|| anyhow!("docs/{code}/{}: line 1 is no switch", path.display()));
            chapters.push((name, chapter.name.clone(), switch));
        });
        book.build().with_context(|| format!("docs/{code}"))?;
        // mdBook copies whatever is no chapter.
        fs::remove_file(out.join(code).join("book.toml"))?;
        let mut pages = BTreeMap::new();
        for (name, title, switch) in chapters {
            let html = read(&out.join(code).join(&name))?;
            let headings = ids(&html, HEADINGS)?;
            let ids = ids(&html, "[id]")?.into_iter().collect();
            pages.insert(name, Page { title, switch: switch?, html, headings, ids });
        }
        Ok(Self { language, pages })
    }

    /// How many there are.
    pub fn chapters(&self) -> usize {
        self.pages.len()
    }

    /// Writes each page once more, with what mdBook does not know. What its links lead to in the
    /// project is noted in `linked`.
    pub fn dress(
        &self,
        root: &Path,
        out: &Path,
        other: &Self,
        figures: &Sizes,
        linked: &mut Linked,
    ) -> Result<()> {
        let code = self.language.code();
        let players = players::of(root, figures, self.language)?;
        for (name, page) in &self.pages {
            let Some(there) = other.pages.get(name) else {
                bail!(
                    "docs/{}: no chapter in its SUMMARY.md becomes {name}",
                    other.language.code()
                );
            };
            // The reader stays at the same heading, if the headings are the same.
            let same = page.headings.len() == there.headings.len();
            let there: &[String] = if same { &there.headings } else { &[] };
            let mut link = |href: &str| -> Result<Option<String>> {
                let target = target(root, self.language, href)?;
                self.check(name, other, href)?;
                if let Some(Target::Source(path, _)) = &target {
                    let readers = linked.entry(path.clone()).or_default();
                    readers.insert((self.language, name.clone(), page.title.clone()));
                }
                Ok(target.map(|target| target.address()))
            };
            let html = page
                .dress(self.language, name, there, figures, &players, &mut link)
                .with_context(|| format!("docs/{code}/{}", chapter(name)))?;
            write(&out.join(code).join(name), &html)?;
        }
        if self.language == Language::Chinese {
            words::scripts(&out.join(code))?;
        }
        Ok(())
    }

    /// Whether the chapter that a link of the page `name` leads to, or the place in it, is there.
    fn check(&self, name: &str, other: &Self, href: &str) -> Result<()> {
        let (path, fragment) = href.split_once('#').unwrap_or((href, ""));
        if path.contains(':') {
            return Ok(());
        }
        let here = format!("docs/{}/{name}", self.language.code());
        let path = match path {
            "" => Some(here),
            path => resolve(&format!("docs/{}", self.language.code()), path),
        };
        for book in [self, other] {
            let folder = format!("docs/{}/", book.language.code());
            let Some(page) = path.as_deref().and_then(|path| path.strip_prefix(&folder)) else {
                continue;
            };
            let Some(found) = book.pages.get(&file_name(page)) else {
                bail!("{folder}SUMMARY.md has no {} (a link to {href})", chapter(page));
            };
            if !fragment.is_empty() && !found.ids.contains(&decoded(fragment)) {
                bail!("{folder}{} has no #{}", chapter(page), decoded(fragment));
            }
        }
        Ok(())
    }
}

impl Page {
    fn dress(
        &self,
        language: Language,
        name: &str,
        there: &[String],
        figures: &Sizes,
        players: &Players,
        link: &mut dyn FnMut(&str) -> Result<Option<String>>,
    ) -> Result<String> {
        let other = language.other();
        let button = format!(
            r#"<a class="language" rel="alternate" href="../{}/{name}"
lang="{tag}" hreflang="{tag}">{}</a>"#,
            other.code(),
            escape(&self.switch),
            tag = other.tag(),
        );
        let heading = Cell::new(0);
        let link = RefCell::new(link);
        // The player of the picture that was met last, until its paragraph ends.
        let waiting = Rc::new(RefCell::new(String::new()));
        let plays = players.keys().any(|picture| self.html.contains(picture));
        let mut handlers = vec![
            element!(".right-buttons", |buttons| {
                buttons.prepend(&button, ContentType::Html);
                Ok(())
            }),
            element!(HEADINGS, |element| {
                if let Some(id) = there.get(heading.replace(heading.get() + 1)) {
                    element.set_attribute("data-there", id)?;
                }
                Ok(())
            }),
            element!("main a[href]", |a| {
                let href = a.get_attribute("href").unwrap_or_default();
                if let Some(address) = (link.borrow_mut())(&href)? {
                    a.set_attribute("href", &address)?;
                }
                Ok(())
            }),
            // mdBook shows each image a second time, over the page, when it is clicked: no larger
            // on a telephone. The picture by itself is better.
            element!("main .checkbox-label", |label| {
                label.set_tag_name("span")?;
                label.set_attribute("class", "figure")?;
                Ok(())
            }),
            element!("main .checkbox-img, main .img-wrapper", |extra| {
                extra.remove();
                Ok(())
            }),
            element!("main .checkbox-label > img", |img| {
                let src = img.get_attribute("src").unwrap_or_default();
                waiting.borrow_mut().push_str(players.get(&src).map_or("", String::as_str));
                Ok(paint(img, figures)?)
            }),
            element!("main p", |paragraph| {
                players::place(paragraph, &waiting);
                Ok(())
            }),
            element!("head", |head| {
                head.append(if plays { players::LOADED } else { "" }, ContentType::Html);
                Ok(())
            }),
        ];
        handlers.extend(words::handlers(language));
        rewrite(&keep_options(&self.html), handlers)
    }
}

/// The image in both themes, each leading to the picture by itself.
fn paint(img: &mut Element<'_, '_>, figures: &Sizes) -> Result<()> {
    let src = img.get_attribute("src").unwrap_or_default();
    let found = src.strip_prefix("../figures/").and_then(|file| figures.get_key_value(file));
    let (file, (width, height)) = found.with_context(|| format!("there is no figure {src}"))?;
    let stem = file.trim_end_matches(".svg");
    // As it stands in the page, escaped.
    let alt = img.get_attribute("alt").unwrap_or_default();
    let images = ["light", "dark"].map(|theme| {
        format!(
            r#"<img class="{theme}-figure" src="../figures/{stem}.{theme}.svg" alt="{alt}"
width="{width}" height="{height}">"#
        )
    });
    let link = format!(r#"<a href="../figures/{file}">{}</a>"#, images.concat());
    img.replace(&link, ContentType::Html);
    Ok(())
}

const HEADINGS: &str = "main h1[id], main h2[id], main h3[id], main h4[id]";

fn ids(html: &str, selector: &str) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    let collect = element!(selector, |element| {
        ids.extend(element.get_attribute("id"));
        Ok(())
    });
    rewrite(html, vec![collect])?;
    Ok(ids)
}

fn rewrite(html: &str, handlers: Vec<words::Handler<'_>>) -> Result<String> {
    let handlers = handlers.into_iter();
    let settings = handlers.fold(RewriteStrSettings::new(), |settings, handler| {
        settings.append_element_content_handler(handler)
    });
    Ok(rewrite_str(html, settings)?)
}

/// Inline code in which a line does not end within `--an-option`; a browser breaks after a hyphen.
fn keep_options(html: &str) -> String {
    let mut kept = String::new();
    for (i, part) in html.split("<code>").enumerate() {
        let inline = i > 0 && !kept.ends_with("<pre>");
        kept.push_str(if i > 0 { "<code>" } else { "" });
        let (code, rest) = part.split_once("</code>").filter(|_| inline).unwrap_or(("", part));
        for (j, word) in code.split(' ').enumerate() {
            kept.push_str(if j > 0 { " " } else { "" });
            // What is longer may not fit on a telephone.
            if word.contains('-') && word.len() < 30 {
                kept.push_str(&format!("<span class=\"option\">{word}</span>"));
            } else {
                kept.push_str(word);
            }
        }
        kept.push_str(if code.is_empty() { "" } else { "</code>" });
        kept.push_str(rest);
    }
    kept
}

/// `04-select.md` in the site; mdBook calls the page of a `README.md` index.
fn file_name(chapter: &str) -> String {
    let stem = chapter.trim_end_matches(".md").trim_end_matches(".html");
    format!("{}.html", if stem == "README" { "index" } else { stem })
}

/// The chapter of a page.
fn chapter(page: &str) -> String {
    let stem = page.trim_end_matches(".html");
    format!("{}.md", if stem == "index" { "README" } else { stem })
}

/// Takes the first line, `**English** | [简体中文](../zh/NN.md)`, off a chapter and returns what it
/// calls the other language.
fn take_switch(content: &mut String) -> Option<String> {
    let (line, rest) = content.split_once('\n')?;
    let (before, after) = line.split_once(" | ")?;
    let link = [before, after].into_iter().find(|part| part.starts_with('['))?;
    let (label, address) = link.trim_start_matches('[').split_once("](../")?;
    address.ends_with(".md)").then_some(())?;
    let label = label.to_owned();
    *content = rest.to_owned();
    Some(label)
}

/// Where a link of a chapter leads, if the page of the chapter has to say it otherwise.
enum Target {
    /// Another page of the site, relative to the chapter's.
    Page(String),
    /// A file of the project, and `#L10` perhaps.
    Source(String, String),
}

impl Target {
    fn address(&self) -> String {
        match self {
            Self::Page(address) => address.clone(),
            Self::Source(path, hash) => format!("source/{}{hash}", sources::file_name(path)),
        }
    }
}

fn target(root: &Path, language: Language, href: &str) -> Result<Option<Target>> {
    let (path, hash) = href.split_at(href.find('#').unwrap_or(href.len()));
    if path.is_empty() || path.contains(':') {
        return Ok(None);
    }
    let path = resolve(&format!("docs/{}", language.code()), path)
        .with_context(|| format!("{href} leads out of the project"))?;
    for book in Language::BOTH {
        let Some(page) = path.strip_prefix(&format!("docs/{}/", book.code())) else { continue };
        let folder = if book == language { String::new() } else { format!("../{}/", book.code()) };
        return Ok(Some(Target::Page(format!("{folder}{}{hash}", file_name(page)))));
    }
    if path.starts_with("docs/figures/") {
        return Ok(None);
    }
    // mdBook takes each Markdown file for a page.
    let written = match path.strip_suffix(".html") {
        Some(stem) if !root.join(&path).exists() => format!("{stem}.md"),
        _ => path,
    };
    if !root.join(&written).is_file() {
        bail!("there is no file {written} (a link to {href})");
    }
    Ok(Some(Target::Source(written, hash.to_owned())))
}

/// `path`, seen from `folder`, from the root of the project.
fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_is_taken_off_in_both_directions() {
        let line = "**English** | [简体中文](../zh/04-select.md)\n\n# 4\n";
        let mut content = line.to_owned();
        assert_eq!(take_switch(&mut content).as_deref(), Some("简体中文"));
        assert_eq!(content, "\n# 4\n");
        let mut content = "[English](../en/04-select.md) | **简体中文**\n# 4\n".to_owned();
        assert_eq!(take_switch(&mut content).as_deref(), Some("English"));
        let mut content = "# A title | [and](a.md)\n".to_owned();
        assert_eq!(take_switch(&mut content), None);
        assert_eq!(content, "# A title | [and](a.md)\n", "a page without a switch stays whole");
    }

    #[test]
    fn options_stay_whole_in_inline_code_only() {
        let block = "<pre><code>run --bin</code></pre> not-this";
        assert_eq!(keep_options(block), block);
        assert_eq!(
            keep_options("a-b <code>run --bin x</code> c-d <code>y</code>"),
            "a-b <code>run <span class=\"option\">--bin</span> x</code> c-d <code>y</code>"
        );
    }

    #[test]
    fn a_path_is_resolved_within_the_project() {
        let of = |path| resolve("docs/en", path);
        assert_eq!(of("04-select.html").as_deref(), Some("docs/en/04-select.html"));
        assert_eq!(of("../../select/src/main.rs").as_deref(), Some("select/src/main.rs"));
        assert_eq!(of("../../../elsewhere"), None);
    }
}
