//! The figures in both themes.
//!
//! A figure asks the system whether it should be dark. A page asks its reader (the brush in the
//! menu bar), so that a dark picture could stand on a light page. Each figure is therefore painted
//! twice, and `course.css` shows the one that suits the page.

use crate::{read, write};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where a figure turns dark.
const ASKS: &str = "@media(prefers-color-scheme:dark)";

/// The width and the height of each figure by its file name, in pixels.
pub type Sizes = BTreeMap<String, (String, String)>;

/// Writes `figures/NAME.svg` as it is, for whoever opens it by itself, and `NAME.light.svg` and
/// `NAME.dark.svg` for the pages.
pub fn paint(root: &Path, out: &Path) -> Result<Sizes> {
    let mut sizes = Sizes::new();
    for entry in fs::read_dir(root.join("docs/figures"))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(stem) = name.strip_suffix(".svg") else { continue };
        let svg = read(&path)?;
        ensure!(svg.contains(ASKS), "docs/figures/{name}: no colours for a dark page ({ASKS})");
        let figures = out.join("figures");
        write(&figures.join(name), &svg)?;
        write(&figures.join(format!("{stem}.light.svg")), &svg.replace(ASKS, "@media not all"))?;
        write(&figures.join(format!("{stem}.dark.svg")), &svg.replace(ASKS, "@media all"))?;
        let size = attribute(&svg, "width").zip(attribute(&svg, "height"));
        let size = size.with_context(|| format!("docs/figures/{name}: no width or height"))?;
        sizes.insert(name.to_owned(), size);
    }
    Ok(sizes)
}

/// An attribute of the first element.
fn attribute(svg: &str, name: &str) -> Option<String> {
    let (element, _) = svg.split_once('>')?;
    let (_, rest) = element.split_once(&format!(" {name}=\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}
