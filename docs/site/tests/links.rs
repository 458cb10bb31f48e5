//! The built site, read without a browser: whatever a page refers to is there.

mod support;

use lol_html::{RewriteStrSettings, element, rewrite_str};
use site::{Language, decoded};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::thread;

/// What matters here of a page.
#[derive(Default)]
struct Page {
    ids: BTreeSet<String>,
    /// What it links to or loads, and with which element.
    references: Vec<(String, String)>,
    /// What a pointer or a screen reader is told.
    labels: Vec<String>,
}

fn read(path: &Path) -> Page {
    let html = fs::read_to_string(path).expect("the site was built");
    let mut page = Page::default();
    let settings = RewriteStrSettings::new().append_element_content_handler(element!("*", |el| {
        page.ids.extend(el.get_attribute("id"));
        for attribute in ["href", "src"] {
            page.references.extend(el.get_attribute(attribute).map(|value| (el.tag_name(), value)));
        }
        for attribute in ["title", "aria-label", "placeholder"] {
            page.labels.extend(el.get_attribute(attribute));
        }
        Ok(())
    }));
    rewrite_str(&html, settings).expect("a page is HTML");
    page
}

fn html_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the site was built") {
        let path = entry.expect("a folder can be read").path();
        if path.is_dir() {
            html_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "html") {
            found.push(path);
        }
    }
}

/// Without `.` and `..`, as a browser asks for it: no link may go through a folder that is not
/// there.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(tidy.pop()),
            Component::CurDir => {}
            part => tidy.push(part),
        }
    }
    tidy
}

// mdBook checks no link; `press` checks those of the chapters, not what becomes of them here.
#[test]
fn whatever_a_page_refers_to_is_in_the_site() {
    let out = support::build("links");
    let mut files = Vec::new();
    html_files(&out, &mut files);
    let pages: BTreeMap<_, _> = files.into_iter().map(|file| (file.clone(), read(&file))).collect();
    let (mut broken, mut followed) = (Vec::new(), 0);
    for (file, page) in &pages {
        for (element, reference) in &page.references {
            let name = file.strip_prefix(&out).expect("it is in the site").display();
            if reference.starts_with("http:") || reference.starts_with("https:") {
                // To follow if one likes; nothing else may need a network.
                if element != "a" {
                    broken.push(format!("{name}: <{element}> loads {reference}"));
                }
                continue;
            }
            let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
            let target = match address {
                "" => file.clone(),
                address => tidy(&file.parent().expect("in a folder").join(decoded(address))),
            };
            followed += 1;
            if !target.starts_with(&out) || !target.is_file() {
                broken.push(format!("{name}: no file for {reference}"));
            } else if !fragment.is_empty() {
                let ids = pages.get(&target).map(|page| &page.ids);
                if !ids.is_some_and(|ids| ids.contains(&decoded(fragment))) {
                    broken.push(format!("{name}: no such fragment, {reference}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(followed > 1000, "{followed} links are too few: is the site empty?");
}

#[test]
fn builds_at_the_same_time_leave_a_whole_site() {
    let builds = [(), ()].map(|()| thread::spawn(|| support::build("twice")));
    for build in builds {
        let out = build.join().expect("neither build fails");
        for part in ["index.html", "site/source.css", "zh/04-select.html", "en/source"] {
            assert!(out.join(part).exists(), "{part}");
        }
    }
}

/// A project of one chapter in each language, the English one with `link` in it.
fn project(name: &str, link: &str) -> PathBuf {
    let root = support::scratch().join(name);
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("in a folder")).expect("target is ours");
        fs::write(path, text).expect("target is ours");
    };
    write("docs/figures/none.txt", "");
    write("docs/site/course.css", "");
    write("docs/site/course.js", "");
    let titles = [
        ("en", "**English** | [中文](../zh/README.md)", link),
        ("zh", "[English](../en/README.md) | **中文**", ""),
    ];
    for (code, switch, link) in titles {
        write(&format!("docs/{code}/SUMMARY.md"), "[A](README.md)\n");
        write(&format!("docs/{code}/README.md"), &format!("{switch}\n\n# 契约\n\n{link}\n"));
        let config = support::root().join(format!("docs/{code}/book.toml"));
        let config = fs::read_to_string(config).expect("it is there");
        write(&format!("docs/{code}/book.toml"), &config);
    }
    root
}

#[test]
fn a_link_to_what_is_not_there_is_an_error() {
    for (link, error) in [
        ("[a](README.md#契约) [b](#契约) [c](../zh/README.md#契约)", ""),
        (
            "[a](17-none.md)",
            "docs/en/README.md: docs/en/SUMMARY.md has no 17-none.md (a link to 17-none.html)",
        ),
        ("[a](../zh/README.md#无)", "docs/en/README.md: docs/zh/README.md has no #无"),
        ("[a](#none)", "docs/en/README.md: docs/en/README.md has no #none"),
        (
            "[a](../../none.rs)",
            "docs/en/README.md: there is no file none.rs (a link to ../../none.rs)",
        ),
        // A folder has no page of its own.
        ("[a](../../docs)", "docs/en/README.md: there is no file docs (a link to ../../docs)"),
    ] {
        let root = project("linking", link);
        let said = site::build(&root, &root.join("site"))
            .map_or_else(|e| format!("{e:#}"), |_| String::new());
        assert_eq!(said, error, "{link}");
    }
}

// A new version of mdBook brings new words; a reader of Chinese should not have to read them.
#[test]
fn the_chinese_pages_speak_chinese() {
    let out = support::build("words");
    let han = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    for name in support::chapters(&out, Language::Chinese) {
        let labels = read(&out.join("zh").join(&name)).labels;
        assert!(labels.len() > 10, "{name}: {labels:?}");
        for label in labels {
            assert!(han(&label), "zh/{name}: {label}: add it to LABELS in src/words.rs");
        }
    }
}
