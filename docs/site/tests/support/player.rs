//! The players of recorded runs: gone through as a reader does, and measured.

use super::chromium::Browser;
use super::{pages, site, support};
use serde_json::{Value, json};
use site::Language;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The pages that have players. Each has one language's word for a question that was answered.
fn with_players() -> Vec<(Language, PathBuf)> {
    let found: Vec<_> = pages().filter(|(_, page)| players(page) > 0).collect();
    let count = |language| found.iter().filter(|(of, _)| *of == language).count();
    assert_eq!(count(Language::English), count(Language::Chinese));
    assert!(!found.is_empty(), "no page has a player");
    found
}

fn players(page: &PathBuf) -> usize {
    let html = fs::read_to_string(page).expect("the site was built");
    html.matches("<div class=\"player\"").count()
}

/// Pages by themselves, as `lab timeline --play` makes them.
fn by_themselves() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for language in [judge::language::Language::English, judge::language::Language::Chinese] {
        let play = player::course::plays(&support::root(), "select", language);
        let play = play.expect("the recording can be read").expect("there is one");
        let page = site().join(format!("select.{}.html", language.code()));
        let text = player::page::page(&play, language, &player::rules(language, &[]));
        fs::write(&page, text).expect("target is ours");
        pages.push(page);
    }
    pages
}

/// What the tests ask a page about its players; `under` is the one that is tested.
const ASK: &str = r#"
    var under = null, steps = [], on = element => element.offsetHeight > 0;
    var choose = number => {
        under = document.querySelectorAll('.player')[number];
        steps = JSON.parse(under.querySelector('script').textContent).steps;
        document.querySelectorAll('#under').forEach(other => other.removeAttribute('id'));
        under.id = 'under';
        under.scrollIntoView({ block: 'start', behavior: 'instant' });
        scrollBy({ top: -100, behavior: 'instant' });
        under.focus({ preventScroll: true });
        return steps.length;
    };
    var slide = to => {
        const slider = under.querySelector('.slider');
        slider.value = to + 1;
        slider.dispatchEvent(new Event('input'));
    };
    // What is wrong with the step that is shown; null if nothing is.
    var fault = () => {
        const step = steps[under.dataset.step];
        const text = name => under.querySelector(name).textContent;
        const here = Array.from(under.querySelectorAll('.here')).filter(on);
        if (text('.counter') !== `${+under.dataset.step + 1} / ${steps.length}`) {
            return 'counter ' + text('.counter');
        }
        if (text('[aria-live=polite] .says') !== step.says || text('.call') !== step.what) {
            return 'says ' + text('.says');
        }
        if (step.line === undefined ? here.length > 0
            : here.length !== 1 || +here[0].dataset.line !== step.line) {
            return 'line ' + here.map(line => line.textContent);
        }
        const pane = under.querySelector('.scroll').getBoundingClientRect();
        const seen = here.every(line => line.getBoundingClientRect().top >= pane.top - 1
            && line.getBoundingClientRect().bottom <= pane.bottom + 1);
        return seen ? null : 'the line is not in view: ' + here[0].textContent;
    };
    // Where something is cut off, or too pale to read.
    var cut = () => {
        const bad = [], edge = under.getBoundingClientRect().right + 1;
        for (const e of under.querySelectorAll('.box, .box *:not(.unseen, svg, svg *)')) {
            const name = e.className + ': ' + e.textContent.slice(0, 60);
            if (!on(e)) {
                continue;
            }
            const high = !e.matches('.scroll') && e.scrollHeight > e.clientHeight + 1;
            const inline = getComputedStyle(e).display === 'inline';
            if (!inline && (high || e.scrollWidth > e.clientWidth)
                || e.getBoundingClientRect().right > edge) {
                bad.push('cut ' + name);
            }
            const own = Array.from(e.childNodes).some(n => n.nodeType === 3 && n.data.trim());
            if (own && contrast(e) < 4.5) {
                bad.push(contrast(e).toFixed(1) + ' ' + name);
            }
        }
        if (document.documentElement.scrollWidth > innerWidth) {
            bad.push('the page is wider than the screen');
        }
        return bad;
    };
    var contrast = element => {
        const luminance = colour => {
            const [r, g, b] = colour.match(/[\d.]+/g).map(c => (c / 255) ** 2.2);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
        };
        const ink = luminance(getComputedStyle(element).color);
        let paper = element;
        while (/^rgba.*, 0\)$/.test(getComputedStyle(paper).backgroundColor)) {
            paper = paper.parentElement;
        }
        const ground = luminance(getComputedStyle(paper).backgroundColor);
        return Math.max(ink, ground) / Math.min(ink, ground);
    };
    // Every step, and every question before and after it is answered.
    var everywhere = () => {
        const bad = new Set();
        const look = () => cut().forEach(what => bad.add(`step ${under.dataset.step}: ${what}`));
        const press = name => under.querySelector(name)?.click();
        for (let at = 0; at < steps.length; at += 1) {
            slide(at);
            look();
            if (steps[at + 1]?.ask) {
                press('.forward');
                look();
                press('.option-of-player');
                look();
            }
        }
        return Array.from(bad);
    };
    true
"#;

/// Opens a page and chooses one of its players. Returns how many steps it has.
fn choose(browser: &mut Browser, number: usize) -> u64 {
    browser.eval(ASK);
    let steps = browser.eval(&format!("choose({number})")).as_u64().unwrap_or(0);
    assert!(steps > 1, "{steps} steps are no run");
    steps
}

/// Which step is shown, and that all of it is.
fn shown(browser: &mut Browser) -> u64 {
    let state = browser.eval("[+under.dataset.step, fault(), location.href]");
    assert_eq!(state[1], Value::Null, "{state}");
    state[0].as_u64().expect("steps have numbers")
}

/// Goes to the last step and back to the first. `go` makes a step: forward, or back.
fn there_and_back(browser: &mut Browser, steps: u64, mut go: impl FnMut(&mut Browser, bool)) {
    let mut at = shown(browser);
    assert_eq!(at, 0);
    while at < steps - 1 {
        go(browser, true);
        let asked = browser.eval("under.querySelectorAll('.option-of-player').length > 1");
        if asked == true {
            assert_eq!(shown(browser), at, "the question comes before the step");
            go(browser, true);
        }
        at += 1;
        assert_eq!(shown(browser), at);
    }
    // There is nothing after it, and mdBook's next chapter is none of it.
    go(browser, true);
    for at in (0..steps).rev() {
        assert_eq!(shown(browser), at);
        go(browser, false);
    }
    assert_eq!(shown(browser), 0);
}

#[test]
fn every_player_goes_to_its_last_step_and_back() {
    let mut browser = Browser::start();
    browser.prefer(&[("prefers-reduced-motion", "reduce")]);
    for (_, page) in with_players() {
        browser.open(&page, "");
        for number in 0..players(&page) {
            let steps = choose(&mut browser, number);
            there_and_back(&mut browser, steps, |browser, forward| {
                browser.click(if forward { "#under .forward" } else { "#under .back" });
            });
            browser.eval("under.focus()");
            there_and_back(&mut browser, steps, |browser, forward| {
                browser.press(if forward { "ArrowRight" } else { "ArrowLeft" });
            });
            for (key, button, at) in [("End", ".last", steps - 1), ("Home", ".first", 0)] {
                browser.press(key);
                assert_eq!(shown(&mut browser), at, "{key}");
                browser.eval(&format!("slide(1), under.querySelector('{button}').click()"));
                assert_eq!(shown(&mut browser), at, "{button}");
            }
            assert_eq!(browser.text("location.href"), site::file_url(&page));
        }
    }
    browser.assert_content();
}

#[test]
fn no_text_of_a_player_is_cut_off_or_pale() {
    let mut browser = Browser::start();
    let pages = with_players().into_iter().map(|(_, page)| page);
    for page in pages.chain(by_themselves()) {
        let size = fs::metadata(&page).expect("it was built").len();
        assert!(size < 300_000, "{}: {size} bytes", page.display());
        for (width, height) in [(360, 740), (1280, 800)] {
            browser.screen(width, height);
            for theme in ["light", "dark"] {
                browser.system(theme);
                browser.open(&page, "");
                for number in 0..players(&page) {
                    choose(&mut browser, number);
                    let bad = browser.eval("everywhere()");
                    assert_eq!(bad, json!([]), "{} {theme} {width}", page.display());
                }
            }
        }
    }
    browser.assert_content();
}

/// Presses → until a question is open. False if there is none.
fn to_a_question(browser: &mut Browser) -> bool {
    let before = browser.eval("steps.findIndex((step, at) => at > 0 && step.ask) - 1");
    browser.eval(&format!("slide({before}), under.focus()"));
    if before.as_i64().is_some_and(|before| before >= 0) {
        browser.press("ArrowRight");
        assert_eq!(browser.eval("+under.dataset.step"), before);
        return true;
    }
    false
}

#[test]
fn a_question_is_asked_before_its_step_and_can_be_left() {
    let mut browser = Browser::start();
    let mut questions = BTreeMap::new();
    for (language, page) in with_players() {
        browser.open(&page, "");
        choose(&mut browser, 0);
        if !to_a_question(&mut browser) {
            continue;
        }
        *questions.entry(language).or_insert(0) += 1;
        let right = browser.eval("steps[+under.dataset.step + 1].ask.right");
        let right = right.as_u64().expect("it is a number");
        let words = match language {
            Language::English => ["Right", "No"],
            Language::Chinese => ["答对了", "不对"],
        };
        for (option, word) in [(right, words[0]), (u64::from(right == 0), words[1])] {
            assert!(to_a_question(&mut browser));
            browser.press(&(option + 1).to_string());
            let said = browser.text("under.querySelector('.result').textContent");
            assert!(said.starts_with(word), "{said}");
            let why = browser.text("steps[+under.dataset.step + 1].ask.why");
            assert!(said.ends_with(&why), "{said}");
            let at = shown(&mut browser);
            // A button that is gone takes no keys: mdBook would turn the page.
            browser.eval("under.querySelector('.option-of-player').focus()");
            browser.press("ArrowRight");
            assert_eq!(shown(&mut browser), at + 1);
            browser.press("ArrowRight");
            browser.press("ArrowRight");
            assert!(shown(&mut browser) > at + 1);
        }
        // Who does not want to be asked is not.
        assert!(to_a_question(&mut browser));
        let at = shown(&mut browser);
        browser.eval("under.querySelector('[type=checkbox]').click(), slide(+under.dataset.step)");
        browser.eval("under.querySelector('.forward').click()");
        assert_eq!(shown(&mut browser), at + 1);
    }
    assert!(questions.len() == 2, "no player asks anything in a language: {questions:?}");
    browser.assert_content();
}

#[test]
fn a_player_plays_and_pauses_at_the_space_bar() {
    let mut browser = Browser::start();
    let (_, page) = &with_players()[0];
    browser.open(page, "");
    choose(&mut browser, 0);
    browser.eval("under.querySelector('[type=checkbox]').checked = false");
    browser.press(" ");
    browser.wait_for("under.dataset.step > 1");
    browser.press(" ");
    let at = browser.eval("under.dataset.step");
    browser.eval("new Promise(later => setTimeout(later, 3500))");
    assert_eq!(browser.eval("under.dataset.step"), at, "it does not pause");
    browser.assert_content();
}

#[test]
fn without_scripts_and_on_paper_there_is_no_player() {
    let mut browser = Browser::start();
    let heights = "Array.from(document.querySelectorAll('.player, .player-rules'), \
                   e => e.offsetHeight)";
    let (_, page) = &with_players()[0];
    browser.open(page, "");
    let seen = browser.eval(heights);
    assert!(seen.as_array().is_some_and(|all| all.iter().all(|height| *height != 0)), "{seen}");
    let hidden = |seen: &Value| seen.as_array().is_some_and(|all| all.iter().all(|h| *h == 0));
    browser.call("Emulation.setEmulatedMedia", &json!({ "media": "print" }));
    let seen = browser.eval(heights);
    assert!(hidden(&seen), "{seen}");
    browser.call("Emulation.setEmulatedMedia", &json!({ "media": "" }));
    browser.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.open(page, "");
    let seen = browser.eval(heights);
    assert!(hidden(&seen), "{seen}");
    browser.assert_content();
}
