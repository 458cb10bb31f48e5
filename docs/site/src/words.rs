//! mdBook's own words: in Chinese in the Chinese book, and a theme list of what the figures know.

use crate::{Language, read, write};
use anyhow::{Result, ensure};
use lol_html::html_content::ContentType;
use lol_html::{ElementContentHandlers, Selector, element};
use std::borrow::Cow;
use std::path::Path;

/// What to do with the elements that a selector finds.
pub type Handler<'h> = (Cow<'h, Selector>, ElementContentHandlers<'h>);

/// What titles, labels and placeholders say. The tests look for mdBook's English in the Chinese
/// pages, so that a new version of mdBook cannot bring new words unnoticed.
const LABELS: [(&str, &str); 10] = [
    ("Toggle Table of Contents", "展开或收起目录"),
    ("Table of contents", "目录"),
    ("Change theme", "切换主题"),
    ("Themes", "主题"),
    ("Search (`/`)", "搜索（按 /）"),
    ("Toggle Searchbar", "展开或收起搜索框"),
    ("Search this book ...", "搜索本教程……"),
    ("Page navigation", "翻页"),
    ("Previous chapter", "上一章"),
    ("Next chapter", "下一章"),
];

const HELP: &str = "<h2 class=\"mdbook-help-title\">键盘快捷键</h2>
<div><p><kbd>←</kbd> <kbd>→</kbd> 翻到上一章、下一章</p>
<p><kbd>S</kbd> 或 <kbd>/</kbd> 搜索本教程</p>
<p><kbd>?</kbd> 显示本说明</p>
<p><kbd>Esc</kbd> 关闭本说明</p></div>";

/// What the scripts say.
const SCRIPTS: [(&str, &str); 3] = [
    ("'Copy to clipboard'", "'复制'"),
    ("'Copied!'", "'已复制'"),
    ("'Clipboard error!'", "'复制失败'"),
];

/// What puts the words of `language` into a page.
pub fn handlers<'h>(language: Language) -> Vec<Handler<'h>> {
    let [auto, light, dark] = match language {
        Language::English => ["Auto", "Light", "Dark"],
        Language::Chinese => ["跟随系统", "浅色", "深色"],
    };
    let text = |selector: &'static str, text: &'static str| {
        element!(selector, move |element| {
            element.set_inner_content(text, ContentType::Html);
            Ok(())
        })
    };
    let mut handlers = vec![
        // Five themes are two, a light one and a dark one, to somebody who came to read.
        element!("#mdbook-theme-rust, #mdbook-theme-coal, #mdbook-theme-ayu", |theme| {
            theme.remove();
            Ok(())
        }),
        text("#mdbook-theme-default_theme", auto),
        text("#mdbook-theme-light", light),
        text("#mdbook-theme-navy", dark),
    ];
    if language == Language::Chinese {
        handlers.push(text("#mdbook-help-popup", HELP));
        handlers.push(element!("[title], [aria-label], [placeholder]", |element| {
            for attribute in ["title", "aria-label", "placeholder"] {
                let said = element.get_attribute(attribute);
                if let Some((_, chinese)) =
                    LABELS.iter().find(|(en, _)| said.as_deref() == Some(en))
                {
                    element.set_attribute(attribute, chinese)?;
                }
            }
            Ok(())
        }));
    }
    handlers
}

/// Puts the Chinese words into the scripts of the book in `folder`.
pub fn scripts(folder: &Path) -> Result<()> {
    let path = folder.join("book.js");
    let mut script = read(&path)?;
    for (english, chinese) in SCRIPTS {
        ensure!(script.contains(english), "mdBook's book.js does not say {english} any more");
        script = script.replace(english, chinese);
    }
    write(&path, &script)
}
