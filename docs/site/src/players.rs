//! The players of recorded runs: each below the picture of its program's timeline.

use crate::figures::Sizes;
use crate::{Language, write};
use anyhow::{Result, anyhow};
use lol_html::html_content::{ContentType, Element};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

/// The players of a language by the address of the picture that they belong to, as the pages have
/// it.
pub type Players = BTreeMap<String, String>;

/// What a page with a player loads.
pub const LOADED: &str = r#"<link rel="stylesheet" href="../site/player.css">
<script src="../site/player.js" defer></script>
"#;

/// Writes what the pages load.
pub fn publish(out: &Path) -> Result<()> {
    write(&out.join("site/player.css"), player::page::STYLE)?;
    write(&out.join("site/player.js"), player::page::SCRIPT)
}

/// The players of the timelines that have a recording.
pub fn of(root: &Path, figures: &Sizes, language: Language) -> Result<Players> {
    let end = format!(".{}.svg", language.code());
    let spoken = match language {
        Language::English => judge::language::Language::English,
        Language::Chinese => judge::language::Language::Chinese,
    };
    let mut players = Players::new();
    for figure in figures.keys() {
        let name = figure.strip_prefix("timeline-").and_then(|name| name.strip_suffix(&end));
        let Some(program) = name else { continue };
        let play = player::course::plays(root, program, spoken);
        if let Some(play) = play.map_err(|error| anyhow!("the player of {program}: {error}"))? {
            let note = player::page::note(&player::rules(spoken, &[]));
            let html = format!("{}\n{note}\n", player::page::element(&play));
            players.insert(format!("../figures/{figure}"), html);
        }
    }
    Ok(players)
}

/// Puts a player after a paragraph, if there is one `waiting` when the paragraph ends: a picture is
/// in a paragraph, and a player cannot be.
pub fn place(paragraph: &mut Element<'_, '_>, waiting: &Rc<RefCell<String>>) {
    let waiting = Rc::clone(waiting);
    // A paragraph has an end.
    let Some(handlers) = paragraph.end_tag_handlers() else { return };
    handlers.push(Box::new(move |end| {
        end.after(&waiting.take(), ContentType::Html);
        Ok(())
    }));
}
