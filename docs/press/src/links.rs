//! Links lead somewhere: to a file of the project, to a heading of a page.

use super::chapters::Course;
use super::page::{Link, Page};
use super::{Problem, resolve};
use judge::reading::fragments;
use percent_encoding::percent_decode_str;

/// Every relative link has its file, every fragment its heading. The course is checked without a
/// network, so that a web address only has to look like one.
#[must_use]
pub fn links(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    for page in course.pages() {
        for (line, label) in &page.undefined {
            let message = format!("[{label}] is not defined: add a line [{label}]: ADDRESS");
            problems.push(Problem::new(&page.path, *line, message));
        }
        for link in &page.links {
            if let Err(message) = judge(course, page, link) {
                problems.push(Problem::new(&page.path, link.line, message));
            }
        }
    }
    problems
}

fn judge(course: &Course, page: &Page, link: &Link) -> Result<(), String> {
    let dest = link.dest.as_str();
    if let Some((scheme, rest)) = dest.split_once(':') {
        if !scheme.contains(['/', '#', '.']) {
            return web_address(scheme, rest).ok_or(format!("“{dest}” is no web address"));
        }
    }
    if dest.is_empty() || dest.starts_with('/') {
        return Err(format!("“{dest}” should be relative to this page, such as 04-select.md"));
    }
    let (target, fragment) =
        target(page, dest).ok_or_else(|| format!("{dest} leads out of the project"))?;
    if !course.root.join(&target).exists() {
        return Err(format!("there is no {target} (written {dest})"));
    }
    let Some(fragment) = fragment else {
        return Ok(());
    };
    let Some(chapter) = course.page(&target) else {
        // #L17 in a source moves with every edit above it.
        return Err(format!("{dest}: only pages of the course have fragments; name the item"));
    };
    let slugs = slugs(chapter);
    if slugs.contains(&fragment) {
        return Ok(());
    }
    let slugs = slugs.join(" #");
    Err(format!("{target} has no heading #{fragment}; it has #{slugs}"))
}

fn web_address(scheme: &str, rest: &str) -> Option<()> {
    let sound = match scheme {
        "http" | "https" => {
            let host = rest.strip_prefix("//")?.split('/').next()?;
            host.contains('.')
                && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c))
        }
        "mailto" => rest.contains('@'),
        _ => false,
    };
    (sound && !rest.contains(char::is_whitespace)).then_some(())
}

/// What a link of `page` leads to: a path from the root of the project, and a fragment of it. None
/// if it leads out of the project.
pub(super) fn target(page: &Page, dest: &str) -> Option<(String, Option<String>)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (address, fragment) = match dest.split_once('#') {
        Some((address, fragment)) => (address, Some(decoded(fragment))),
        None => (dest, None),
    };
    if address.is_empty() {
        return Some((page.path.clone(), fragment));
    }
    Some((resolve(&page.path, &decoded(address))?, fragment))
}

/// The fragments of a page.
pub(super) fn slugs(page: &Page) -> Vec<String> {
    fragments(page.headings.iter().map(|heading| heading.text.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_addresses_only_have_to_look_right() {
        assert!(web_address("https", "//docs.python.org/3/library/selectors.html").is_some());
        for (scheme, rest) in [("https", "/docs.python.org"), ("https", "//"), ("htps", "//a.org")]
        {
            assert!(web_address(scheme, rest).is_none(), "{scheme}:{rest}");
        }
    }
}
