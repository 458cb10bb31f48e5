//! Pictures of the pages for somebody to look at, in both themes on three screens. It builds the
//! site, and takes the pages whose name contains `NAME`:
//! `cargo run --manifest-path docs/site/Cargo.toml --example shots [NAME]`

#[allow(dead_code)] // it asks the pages nothing
#[path = "../tests/support/browser.rs"]
mod chromium;
#[path = "../tests/support/mod.rs"]
mod support;

use chromium::Browser;
use data_encoding::BASE64;
use serde_json::json;
use site::Language;
use std::env;
use std::fs;

fn main() {
    let site = support::build("shots-of");
    let folder = support::scratch().join("shots");
    fs::create_dir_all(&folder).expect("target is ours");
    let only = env::args().nth(1).unwrap_or_default();
    let mut browser = Browser::start();
    for language in Language::BOTH {
        let word = match language {
            Language::English => "?search=edge-triggered",
            Language::Chinese => "?search=边缘触发",
        };
        let chapters = support::chapters(&site, language).into_iter();
        let mut views: Vec<_> = chapters.map(|file| (file.clone(), file, "")).collect();
        views.push(("search".to_owned(), "index.html".to_owned(), word));
        views.push(("source".to_owned(), "source/select/src/main.rs.html".to_owned(), ""));
        for (name, file, rest) in views.iter().filter(|(name, ..)| name.contains(&only)) {
            for theme in ["light", "dark"] {
                browser.system(theme);
                for (width, height) in [(1440, 2400), (1280, 2400), (390, 2000)] {
                    browser.screen(width, height);
                    browser.open(&site.join(language.code()).join(file), rest);
                    let name = name.trim_end_matches(".html");
                    let shot = format!("{name}.{}.{theme}.{width}.png", language.code());
                    let png = browser.call("Page.captureScreenshot", &json!({ "format": "png" }));
                    let png = BASE64.decode(png["data"].as_str().unwrap_or_default().as_bytes());
                    fs::write(folder.join(shot), png.expect("the protocol says base64"))
                        .expect("the folder is there");
                }
            }
        }
    }
    println!("{}", folder.display());
}
