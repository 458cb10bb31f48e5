//! Links lead somewhere: to a file of the project, to a heading of a page.

use super::chapters::Course;
use super::page::{Link, Page};
use super::{Problem, resolve};
use crate::language::Language;
use std::collections::HashMap;

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
    let (address, fragment) = match dest.split_once('#') {
        Some((address, fragment)) => (address, Some(fragment)),
        None => (dest, None),
    };
    if dest.is_empty() || address.starts_with('/') {
        return Err(format!("“{dest}” should be relative to this page, such as 04-select.md"));
    }
    let target = if address.is_empty() {
        page.path.clone()
    } else {
        resolve(&page.path, &decoded(address))
            .ok_or_else(|| format!("{dest} leads out of the project"))?
    };
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
    let fragment = decoded(fragment);
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

/// The fragments of a page, as Git hosts and mdBook make them from its headings.
pub(super) fn slugs(page: &Page) -> Vec<String> {
    let mut seen = HashMap::new();
    let headings = page.headings.iter();
    headings
        .map(|heading| {
            let slug = slug(&heading.text);
            let count = seen.entry(slug.clone()).and_modify(|n| *n += 1).or_insert(0);
            if *count == 0 { slug } else { format!("{slug}-{count}") }
        })
        .collect()
}

/// Where a chapter has the section of that English fragment: `docs/zh/04-select.md#等待`. The headings
/// of the two languages answer each other one by one.
pub(crate) fn section(
    course: &Course,
    chapter: &str,
    fragment: &str,
    language: Language,
) -> Option<String> {
    let page = |language: Language| course.page(&format!("docs/{}/{chapter}.md", language.code()));
    let index = slugs(page(Language::English)?).iter().position(|slug| slug == fragment)?;
    let page = page(language)?;
    Some(format!("{}#{}", page.path, slugs(page).get(index)?))
}

/// Lower case, spaces to hyphens, punctuation of any width left out; 汉字 stay.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|c| match c {
        '-' | '_' => Some(c),
        c if c.is_whitespace() => Some('-'),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// `%E4%B8%AD` as the characters it stands for.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        bytes.extend_from_slice(before.as_bytes());
        match escape.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &escape[3..];
            }
            None => {
                bytes.push(b'%');
                rest = &escape[1..];
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each expectation is the fragment that a Git host gives such a heading.
    #[test]
    fn a_slug_is_what_git_hosts_and_mdbook_make() {
        for (heading, wanted) in [
            ("Run it", "run-it"),
            ("Where it breaks: FD_SETSIZE", "where-it-breaks-fd_setsize"),
            ("What it costs (measured)", "what-it-costs-measured"),
            ("select() & poll()", "select--poll"),
            ("select：一次等待，多个套接字", "select一次等待多个套接字"),
            ("运行 cargo run", "运行-cargo-run"),
        ] {
            assert_eq!(slug(heading), wanted);
        }
    }

    #[test]
    fn the_second_heading_of_a_name_is_numbered() {
        let text = "# A\n\n## A\n\n## A\n".to_owned();
        assert_eq!(slugs(&Page::parse("p.md", Language::English, text)), ["a", "a-1", "a-2"]);
    }

    #[test]
    fn web_addresses_only_have_to_look_right() {
        assert!(web_address("https", "//docs.python.org/3/library/selectors.html").is_some());
        for (scheme, rest) in [("https", "/docs.python.org"), ("https", "//"), ("htps", "//a.org")]
        {
            assert!(web_address(scheme, rest).is_none(), "{scheme}:{rest}");
        }
    }

    #[test]
    fn percent_escapes_are_characters() {
        assert_eq!(decoded("%E4%B8%AD-100%"), "中-100%");
    }
}
