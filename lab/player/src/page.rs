//! The steps for a browser: as data for the script, and as a page by itself.

use crate::{Play, Row};
use judge::language::Language;
use serde_json::{Value, json};

/// What makes a player of each [`element`] of a page.
pub const SCRIPT: &str = include_str!("player.js");

/// How the players of a page look.
pub const STYLE: &str = include_str!("player.css");

/// A player as it stands in a page, with its data. Without [`SCRIPT`] nothing of it is seen.
#[must_use]
pub fn element(play: &Play) -> String {
    let script = format!(r#"<script type="application/json">{}</script>"#, json(play));
    format!(r#"<div class="player" data-program="{}">{script}</div>"#, escape(&play.program))
}

/// The line below a player: `rules` says what of the things shown is not in the recording itself,
/// but follows from it. It is seen where the player is.
#[must_use]
pub fn note(rules: &str) -> String {
    format!(r#"<p class="player-rules">{}</p>"#, escape(rules))
}

/// A page by itself with one player. It opens from disk and needs no other file.
#[must_use]
pub fn page(play: &Play, language: Language, rules: &str) -> String {
    let program = escape(&play.program);
    let (tag, title, what, script) = match language {
        Language::English => (
            "en",
            format!("{program}, step by step"),
            "A recorded run of a server: where it is in its code, what its clients have done, and \
             what the kernel holds for it.",
            "This page needs a browser that runs scripts.",
        ),
        Language::Chinese => (
            "zh-CN",
            format!("逐步播放：{program}"),
            "服务端的一次运行记录：它执行到哪一行，客户端做了什么，内核替它保存着什么。",
            "这个页面需要允许浏览器运行脚本。",
        ),
    };
    let (element, note) = (element(play), note(rules));
    format!(
        r#"<!DOCTYPE html>
<html lang="{tag}">
<head>
<meta charset="UTF-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 72rem; margin: 0 auto; padding: 1rem; line-height: 1.5;
       font-family: system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }}
h1 {{ margin: 0.5rem 0; font-size: 1.4rem; overflow-wrap: anywhere; }}
{STYLE}</style>
</head>
<body>
<h1>{title}</h1>
<p>{what}</p>
<noscript><p>{script}</p></noscript>
{element}
{note}
<script>
{SCRIPT}</script>
</body>
</html>
"#
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The data of a player, as `player.js` reads it.
#[must_use]
pub fn json(play: &Play) -> String {
    let rows = |rows: &[Row]| -> Vec<Value> {
        rows.iter().map(|row| json!([row.label, row.value])).collect()
    };
    let code = play.code.iter().map(|code| {
        json!({ "file": code.file, "name": code.name, "from": code.from, "lines": code.lines })
    });
    let steps = play.steps.iter().map(|step| {
        let mut value = json!({
            "at": step.at,
            "who": step.who,
            "what": step.what,
            "says": step.says,
            "narration": step.narration,
            "clients": rows(&step.clients),
            "kernel": rows(&step.kernel),
            "server": rows(&step.server),
        });
        if let Some((code, line)) = step.place {
            value["code"] = json!(code);
            value["line"] = json!(line);
        }
        if let Some(ask) = &step.ask {
            value["ask"] = json!({
                "question": ask.question,
                "options": ask.options,
                "right": ask.right,
                "why": ask.why,
            });
        }
        value
    });
    let data = json!({
        "program": play.program,
        "code": code.collect::<Vec<_>>(),
        "steps": steps.collect::<Vec<_>>(),
    });
    // It stands in a script element, which nothing in it may end: `</script>` would, and `<!--`
    // hides the end from the browser.
    data.to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Step};

    // What a client sends is anything, and so is a line of code.
    #[test]
    fn nothing_in_the_data_ends_the_script() {
        let line = "let page = \"</script><p>\"; // <!-- <script>".to_owned();
        let code =
            Code { file: "a.rs".into(), name: "f".into(), from: 1, lines: vec![line.clone()] };
        let step = Step { what: "send \"</SCRIPT >\"".into(), ..Step::default() };
        let play = Play { program: "a\"><b>".into(), code: vec![code], steps: vec![step] };
        let element = element(&play);
        assert!(element.starts_with(r#"<div class="player" data-program="a&quot;&gt;&lt;b&gt;">"#));
        let (_, data) = element.split_once("json\">").expect("the script is in it");
        let data = data.strip_suffix("</script></div>").expect("it ends there");
        assert!(!data.contains('<'), "{data}");
        let data: Value = serde_json::from_str(data).expect("it is JSON");
        assert_eq!(data["code"][0]["lines"][0], line);
        assert_eq!(data["steps"][0]["what"], "send \"</SCRIPT >\"");
    }

    #[test]
    fn a_page_holds_all_that_it_needs() {
        for (language, tag) in [(Language::English, "en"), (Language::Chinese, "zh-CN")] {
            let page = page(&Play::default(), language, "1 < 2");
            assert!(page.contains(&format!("<html lang=\"{tag}\">")));
            assert!(page.contains("<p class=\"player-rules\">1 &lt; 2</p>"));
            assert!(page.contains(SCRIPT) && page.contains(STYLE));
            assert!(!page.contains("src=") && !page.contains("href="));
        }
    }
}
