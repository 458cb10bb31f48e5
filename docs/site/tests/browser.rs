//! The built site in a real browser: opened from disk, as a reader does.
//!
//! Needs Chromium or Chrome; `--test links` is what can be checked without one. To look at the
//! pages: `cargo run --manifest-path docs/site/Cargo.toml --example shots`.

#[path = "support/browser.rs"]
mod chromium;
#[path = "support/player.rs"]
mod player_tests;
#[path = "support/mod.rs"]
mod support;

use chromium::Browser;
use serde_json::{Value, json};
use site::Language;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

fn site() -> &'static Path {
    static SITE: OnceLock<PathBuf> = OnceLock::new();
    SITE.get_or_init(|| support::build("browser"))
}

/// Each chapter in each language, and its file.
fn pages() -> impl Iterator<Item = (Language, PathBuf)> {
    Language::BOTH.into_iter().flat_map(|language| {
        let names = support::chapters(site(), language);
        names.into_iter().map(move |name| (language, site().join(language.code()).join(name)))
    })
}

fn file(language: Language, name: &str) -> PathBuf {
    site().join(language.code()).join(name)
}

#[test]
fn the_first_page_leads_to_the_course() {
    let mut browser = Browser::start();
    browser.open(&site().join("index.html"), "");
    browser.wait_for("/\\/(en|zh)\\/index.html$/.test(location.pathname)");
    browser.assert_content();
}

#[test]
fn the_button_leads_to_the_same_page_in_the_other_language_and_back() {
    let mut browser = Browser::start();
    for (language, page) in pages() {
        let other = language.other();
        browser.open(&page, "");
        let headings = browser.eval("document.querySelectorAll('main h2').length");
        for to in [other, language] {
            browser.navigate(|browser| browser.click("a.language"));
            let there = site().join(to.code()).join(page.file_name().expect("it is a file"));
            assert_eq!(browser.text("location.href"), site::file_url(&there));
            assert_eq!(browser.text("document.documentElement.lang"), to.tag());
        }
        assert_eq!(browser.eval("document.querySelectorAll('main h2').length"), headings);
    }
    browser.assert_content();
}

// A chapter is long. Whoever looks up a sentence in the other language does not want to find the
// place again.
#[test]
fn the_button_stays_at_the_heading() {
    let mut browser = Browser::start();
    browser.open(&file(Language::English, "04-select.html"), "");
    browser.eval("document.querySelectorAll('main h2')[3].scrollIntoView({ behavior: 'instant' })");
    browser.wait_for("scrollY > 0");
    // The menu bar hides while one reads on.
    browser.navigate(|browser| drop(browser.eval("document.querySelector('a.language').click()")));
    let there = browser.text("decodeURIComponent(location.hash.slice(1))");
    assert_eq!(browser.text("document.querySelectorAll('main h2')[3].id"), there);
    assert_eq!(browser.text("document.documentElement.lang"), "zh-CN");
    browser.assert_content();
}

const MARK_IN_VIEW: &str =
    "Array.from(document.querySelectorAll('main mark'), mark => mark.getBoundingClientRect())
    .some(({ top, bottom }) => 0 <= top && top < bottom && bottom <= innerHeight)";

#[test]
fn a_search_finds_words_within_sentences_and_leads_to_them() {
    let mut browser = Browser::start();
    for (language, query, word) in [
        (Language::Chinese, "全连接队列", "全连接队列"),
        (Language::Chinese, "边缘触发", "边缘触发"),
        // The pages set Latin words apart; few readers do.
        (Language::Chinese, "epoll内核", "内核"),
        (Language::English, "level-triggered", "level-triggered"),
        (Language::English, "FD_SETSIZE", "FD_SETSIZE"),
        // The stem of it.
        (Language::English, "descriptors", "descriptor"),
        // What encloses or ends a word is not looked for.
        (Language::Chinese, "「惊群」", "惊群"),
        (Language::Chinese, "惊群？", "惊群"),
        (Language::Chinese, "select、poll", "poll"),
        (Language::English, "\"thundering herd\"", "thundering herd"),
        (Language::English, "starvation?", "starv"),
        (Language::English, "listen()", "listen"),
        (Language::English, "epoll_wait(2)", "epoll_wait"),
        (Language::English, "backpressure", "back-pressure"),
        // Not in “network” or “set”.
        (Language::English, "ET", "LT or ET"),
        // Somebody may mean the sign.
        (Language::English, "?", "?"),
    ] {
        browser.open(&file(language, "index.html"), "");
        browser.click("#mdbook-search-toggle");
        browser.wait_for("window.search.index && document.activeElement.type === 'search'");
        browser.enter(query);
        browser.wait_for("document.querySelector('#mdbook-searchresults li .teaser em')");
        let header =
            browser.text("document.getElementById('mdbook-searchresults-header').textContent");
        assert!(header.contains(query), "{header}");
        browser.navigate(|browser| browser.click("#mdbook-searchresults li a"));
        let main = browser.text("document.querySelector('main').textContent.toLowerCase()");
        assert!(
            main.contains(&word.to_lowercase()),
            "{query}: not in {}",
            browser.text("location.href")
        );
        browser.wait_for(MARK_IN_VIEW);
        assert_eq!(browser.text("document.documentElement.lang"), language.tag());
    }
    browser.assert_content();
}

// A result is a section. The glossary has long ones.
#[test]
fn a_result_in_a_long_section_is_in_view() {
    let mut browser = Browser::start();
    let page = file(Language::Chinese, "b-glossary.html");
    browser.open(&page, "");
    let id = browser.text("document.querySelector('main h2').id");
    let word = browser.text("document.querySelectorAll('main tr')[90].cells[1].textContent");
    browser.open(&page, &format!("?highlight={word}#{id}"));
    browser.wait_for(MARK_IN_VIEW);
    // It stays there.
    browser.eval("new Promise(later => setTimeout(later, 500))");
    assert_eq!(browser.eval(MARK_IN_VIEW), true, "{word}");
    browser.assert_content();
}

// An address with a question in it, as after a reload: mdBook may then read its index before it
// knows of our search.
#[test]
fn a_search_in_the_address_is_answered() {
    let mut browser = Browser::start();
    for (language, query, answer, found) in [
        (Language::English, "edge-triggered", "sections with", true),
        (Language::English, "zyzzyva", "Nothing found", false),
        (Language::Chinese, "边缘触发", "共", true),
        (Language::Chinese, "海豚音", "没有找到", false),
    ] {
        browser.open(&file(language, "index.html"), &format!("?search={query}"));
        browser.wait_for(&format!(
            "document.getElementById('mdbook-searchresults-header')\
             .textContent.includes('{answer}')"
        ));
        let results = browser.eval("document.querySelectorAll('#mdbook-searchresults li').length");
        assert_eq!(results != 0, found, "{query}: {results}");
    }
    browser.assert_content();
}

#[test]
fn what_a_search_finds_in_an_answer_is_unfolded() {
    let mut browser = Browser::start();
    browser.open(&file(Language::Chinese, "04-select.html"), "");
    browser
        .wait_for("document.querySelector('details') && !document.querySelector('details[open]')");
    let words = browser
        .text("document.querySelector('details p').textContent.match(/\\p{Script=Han}{5,}/u)[0]");
    browser.open(&file(Language::Chinese, "04-select.html"), &format!("?highlight={words}"));
    browser.wait_for("document.querySelector('details[open] mark')");
    browser.assert_content();
}

/// The figures of a page that are not shown once, loaded, and in the colours of `theme`.
fn wrong_figures(browser: &mut Browser, theme: &str) -> Value {
    browser.wait_for("Array.from(document.images).every(image => image.complete)");
    browser.eval(&format!(
        "Array.from(document.querySelectorAll('.figure')).filter(figure => {{
            const seen = Array.from(figure.querySelectorAll('img')).filter(i => i.offsetWidth > 0);
            return seen.length !== 1 || seen[0].naturalWidth === 0 || seen[0].alt === ''
                || !seen[0].src.endsWith('.{theme}.svg');
        }}).map(figure => figure.innerHTML)"
    ))
}

#[test]
fn every_figure_is_shown_in_the_colours_of_its_page() {
    let mut browser = Browser::start();
    let mut shown = 0;
    for (_, page) in pages() {
        for theme in ["light", "dark"] {
            browser.system(theme);
            browser.open(&page, "");
            assert_eq!(wrong_figures(&mut browser, theme), json!([]), "{} {theme}", page.display());
        }
        shown += browser.eval("document.querySelectorAll('.figure').length").as_u64().unwrap_or(0);
        assert_eq!(
            browser.eval(
                "document.querySelectorAll('main img').length \
                 - 2 * document.querySelectorAll('.figure').length"
            ),
            0
        );
    }
    assert!(shown > 10, "{shown} figures in the whole course?");
    browser.assert_content();
}

// The system is light, the reader wants dark: a figure that asked the system would be wrong.
#[test]
fn a_figure_follows_the_theme_that_the_reader_chooses() {
    let mut browser = Browser::start();
    browser.open(&file(Language::English, "04-select.html"), "");
    browser.click("#mdbook-theme-toggle");
    browser.click("#mdbook-theme-navy");
    browser.wait_for("document.documentElement.classList.contains('navy')");
    assert_eq!(wrong_figures(&mut browser, "dark"), json!([]));
    browser.navigate(|browser| browser.click("main a[href*='source/']"));
    browser.wait_for("document.documentElement.classList.contains('navy')");
    browser.assert_content();
}

// Chromium lets all pages on disk remember together, so that another mdBook's theme is this one's.
#[test]
fn another_books_theme_is_the_systems() {
    let mut browser = Browser::start();
    let page = file(Language::English, "04-select.html");
    let colour = "getComputedStyle(document.documentElement).backgroundColor";
    for system in ["light", "dark"] {
        browser.system(system);
        browser.open(&page, "");
        browser.eval("localStorage.removeItem('mdbook-theme')");
        browser.open(&page, "");
        let ours = browser.text(colour);
        for theme in ["rust", "coal", "ayu"] {
            browser.eval(&format!("localStorage.setItem('mdbook-theme', '{theme}')"));
            browser.open(&page, "");
            assert_eq!(browser.text(colour), ours, "{theme} on {system}");
            assert_eq!(wrong_figures(&mut browser, system), json!([]), "{theme} on {system}");
        }
    }
    browser.assert_content();
}

/// The contrast of a text with the page, from 1 to 21; people with weak eyes need 4.5.
fn contrast(browser: &mut Browser, selector: &str) -> f64 {
    let ratio = browser.eval(&format!(
        "(() => {{
            const luminance = colour => {{
                const [r, g, b] = colour.match(/[\\d.]+/g).map(c => (c / 255) ** 2.2);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
            }};
            const text = luminance(getComputedStyle(document.querySelector('{selector}')).color);
            const page = luminance(getComputedStyle(document.body).backgroundColor);
            return Math.max(text, page) / Math.min(text, page);
        }})()"
    ));
    ratio.as_f64().expect("a division gives a number")
}

#[test]
fn without_scripts_one_can_read_and_change_the_language() {
    let mut browser = Browser::start();
    browser.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    for theme in ["light", "dark"] {
        browser.system(theme);
        browser.open(&file(Language::English, "04-select.html"), "");
        assert_eq!(wrong_figures(&mut browser, theme), json!([]), "{theme}");
        browser.navigate(|browser| browser.click("a.language"));
        assert_eq!(browser.text("document.documentElement.lang"), "zh-CN");
        browser.open(&file(Language::English, "source/select/src/main.rs.html"), "");
        let contrast = contrast(&mut browser, ".text code");
        assert!(contrast > 4.5, "{theme}: {contrast}");
    }
    browser.assert_content();
}

#[test]
fn every_source_link_leads_to_the_file() {
    let mut browser = Browser::start();
    let mut linked = BTreeSet::new();
    for (language, page) in pages() {
        browser.open(&page, "");
        let links = browser.eval(
            "Array.from(document.querySelectorAll(\"main a[href^='source/']\"), \
             a => a.getAttribute('href'))",
        );
        let links = links.as_array().cloned().unwrap_or_default();
        linked
            .extend(links.iter().filter_map(Value::as_str).map(|link| (language, link.to_owned())));
    }
    for (language, link) in &linked {
        browser.open(&file(*language, link), "");
        let path = link.trim_start_matches("source/");
        let path = path.strip_suffix(".html").unwrap_or(path);
        assert_eq!(browser.text("document.querySelector('h1').textContent"), path);
        let text = fs::read_to_string(support::root().join(path)).expect("it was there to build");
        assert!(
            browser.text("document.querySelector('code').textContent") == text,
            "{path} differs"
        );
        let numbers = browser.text("document.querySelector('.numbers').textContent");
        assert_eq!(numbers.lines().count(), text.lines().count(), "{path}");
    }
    assert!(linked.len() > 20, "{linked:?}");
    browser.assert_content();
}

// Transcripts may be wider than the 100 columns of our sources. A Chinese character takes two.
#[test]
fn no_table_or_listing_is_cut_off_on_a_laptop() {
    let mut browser = Browser::start();
    browser.screen(1280, 800);
    for (_, page) in pages() {
        browser.open(&page, "");
        browser.eval("document.fonts.ready.then(() => true)");
        let wide = browser.eval(
            "Array.from(document.querySelectorAll('main .table-wrapper, main pre code'))
                .filter(e => e.scrollWidth > e.clientWidth)
                .map(e => e.textContent.trim())
                .filter(text => Math.max(...text.split('\\n').map(line =>
                    line.replace(/[\\u2e80-\\uffef]/g, '  ').length)) <= 100)",
        );
        assert_eq!(wide, json!([]), "{}", page.display());
    }
    browser.assert_content();
}

#[test]
fn nothing_is_wider_than_a_telephone() {
    let mut browser = Browser::start();
    browser.screen(390, 844);
    let source = |language| (language, file(language, "source/select/src/main.rs.html"));
    for (_, page) in pages().chain(Language::BOTH.map(source)) {
        browser.open(&page, "");
        // mdBook hides what is too wide for its page; one could neither see it nor scroll to it.
        let wide = browser.eval(
            "Array.from(document.querySelectorAll('html, body, .page, .content, main'))
                .filter(e => e.scrollWidth > innerWidth).map(e => e.tagName + ' ' + e.scrollWidth)",
        );
        assert_eq!(wide, json!([]), "{}", page.display());
        assert_eq!(browser.eval("innerWidth"), 390, "{}: it was shrunk to fit", page.display());
    }
    browser.assert_content();
}
