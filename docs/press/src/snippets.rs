//! `<!-- code: select/src/main.rs#accept -->`: the fence under it holds that item's source.

use super::chapters::{Course, Pair};
use super::page::{Fence, Page, Snippet};
use super::{Problem, read, resolve, write};
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use syn::spanned::Spanned;
use syn::{ImplItem, Item, TraitItem, Type};

/// Every snippet is its item's source, near a link to the file, and the same in both languages.
#[must_use]
pub fn snippets(course: &Course) -> Vec<Problem> {
    let mut problems = Vec::new();
    for page in course.pages() {
        for snippet in &page.snippets {
            if let Err(message) = judge(&course.root, page, snippet) {
                problems.push(Problem::new(&page.path, snippet.line, message));
            }
        }
    }
    for [en, zh] in course.pairs.iter().filter_map(Pair::both) {
        let target = |page: &Page, i| page.snippets.get(i).map(|s: &Snippet| s.target.clone());
        let count = en.snippets.len().max(zh.snippets.len());
        let Some(index) = (0..count).find(|&i| target(en, i) != target(zh, i)) else {
            continue;
        };
        let name = |page| target(page, index).unwrap_or_else(|| "missing".to_owned());
        let line = zh.snippets.get(index).map_or(1, |snippet| snippet.line);
        let (here, there) = (name(zh), name(en));
        let message = format!("snippet {} is {here}, and in {} it is {there}", index + 1, en.path);
        problems.push(Problem::new(&zh.path, line, message));
    }
    problems
}

fn judge(root: &Path, page: &Page, snippet: &Snippet) -> Result<(), String> {
    let source = source(root, &snippet.target)?;
    if !at_margin(page, snippet) {
        return Err("a snippet and its fence start at the margin, outside lists".to_owned());
    }
    let fence = snippet.fence.map(|index| &page.fences[index]);
    match fence {
        None => return Err("no ```rust fence under it: cargo run -p press -- --bless".to_owned()),
        Some(fence) if fence.body != source => {
            let target = &snippet.target;
            return Err(format!(
                "the snippet is no longer {target}: cargo run -p press -- --bless"
            ));
        }
        Some(_) => {}
    }
    let file = snippet.target.split('#').next().unwrap_or_default();
    let section = page.section_at(snippet.line);
    let mut links = page.links.iter().filter(|link| page.section_at(link.line) == section);
    if links.any(|link| resolve(&page.path, &link.dest).as_deref() == Some(file)) {
        return Ok(());
    }
    Err(format!("the section of this snippet has no link to {file}: add one"))
}

/// Elsewhere the lines of the fence would need the indentation of their list.
fn at_margin(page: &Page, snippet: &Snippet) -> bool {
    let fence = snippet.fence.map(|index| page.fences[index].line);
    [Some(snippet.line), fence].into_iter().flatten().all(|line| {
        let text = page.text.lines().nth(line - 1).unwrap_or_default();
        text.starts_with("<!--") || text.starts_with("```rust")
    })
}

/// Writes every snippet anew in the pages of `course`.
pub(super) fn bless(course: &Course) -> io::Result<()> {
    for page in course.pages() {
        let mut lines: Vec<&str> = page.text.split_inclusive('\n').collect();
        let sources: Vec<_> = page
            .snippets
            .iter()
            // These, and an unknown item, are left alone: the check tells.
            .filter(|snippet| at_margin(page, snippet))
            .filter_map(|snippet| Some((snippet, source(&course.root, &snippet.target).ok()?)))
            .collect();
        // From the last, so that the lines of those before keep their numbers.
        for (snippet, source) in sources.iter().rev() {
            match snippet.fence.map(|index| &page.fences[index]) {
                Some(fence) => drop(lines.splice(body_lines(&lines, fence), [source.as_str()])),
                None => {
                    let at = snippet.line..snippet.line;
                    drop(lines.splice(at, ["```rust\n", source.as_str(), "```\n"]));
                }
            }
        }
        write(&course.root, &page.path, &lines.concat())?;
    }
    Ok(())
}

/// The lines of the fence's body, counted from 0. `fence.line`, counted from 1, opens it.
fn body_lines(lines: &[&str], fence: &Fence) -> std::ops::Range<usize> {
    let closes = |line: &&str| line.trim_end() == "```";
    let length = lines[fence.line..].iter().position(closes);
    fence.line..length.map_or(lines.len(), |length| fence.line + length)
}

/// The source of `path#item`, or what is wrong with that.
fn source(root: &Path, target: &str) -> Result<String, String> {
    let (path, name) = target
        .split_once('#')
        .ok_or_else(|| format!("“{target}” should be PATH#ITEM, such as a/src/main.rs#accept"))?;
    if path.split('/').any(|part| part == "..") || !root.join(path).is_file() {
        return Err(format!("no file {path} (paths start at the root of the project)"));
    }
    let text = read(root, path).map_err(|error| error.to_string())?;
    let range = find(&text, name).map_err(|message| format!("{path}: {message}"))?;
    let lines: Vec<_> = text.lines().skip(range.start() - 1).take(range.count()).collect();
    Ok(dedent(&lines))
}

/// Takes away what the first line is indented by, from all of them.
fn dedent(lines: &[&str]) -> String {
    let indent = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    let mut text = String::new();
    for line in lines {
        let margin = line.len() - line.trim_start().len();
        text.push_str(&line[margin.min(indent)..]);
        text.push('\n');
    }
    text
}

/// The lines of the item `name` of `source`, documentation and attributes included.
///
/// `name` is the end of the item's path: `accept`, or `Turn::accept` where two share the name.
fn find(source: &str, name: &str) -> Result<RangeInclusive<usize>, String> {
    let file = syn::parse_file(source).map_err(|error| format!("is not Rust: {error}"))?;
    let mut items = Vec::new();
    gather("", &file.items, &mut items);
    let suffix = format!("::{name}");
    let mut found: Vec<_> =
        items.iter().filter(|(path, _)| path == name || path.ends_with(&suffix)).collect();
    // `main` is the `main` at the top, whatever the tests below are called.
    if found.iter().filter(|(path, _)| path == name).count() == 1 {
        found.retain(|(path, _)| path == name);
    }
    match found.as_slice() {
        [(_, lines)] => Ok(lines.clone()),
        [] => Err(format!("has no item {name} (renamed?)")),
        several => {
            let paths: Vec<_> = several.iter().map(|(path, _)| path.as_str()).collect();
            Err(format!("has several items {name}: write one of {}", paths.join(", ")))
        }
    }
}

type Found = Vec<(String, RangeInclusive<usize>)>;

fn gather(within: &str, items: &[Item], found: &mut Found) {
    let mut add = |name: &syn::Ident, item: &dyn Spanned| {
        found.push((format!("{within}{name}"), lines_of(item)));
    };
    for item in items {
        match item {
            Item::Const(it) => add(&it.ident, it),
            Item::Enum(it) => add(&it.ident, it),
            Item::Fn(it) => add(&it.sig.ident, it),
            Item::Static(it) => add(&it.ident, it),
            Item::Struct(it) => add(&it.ident, it),
            Item::Trait(it) => add(&it.ident, it),
            Item::Type(it) => add(&it.ident, it),
            _ => {}
        }
    }
    for item in items {
        match item {
            Item::Impl(block) => {
                let owner = type_name(&block.self_ty);
                for item in &block.items {
                    let name = match item {
                        ImplItem::Fn(it) => &it.sig.ident,
                        ImplItem::Const(it) => &it.ident,
                        _ => continue,
                    };
                    found.push((format!("{within}{owner}::{name}"), lines_of(item)));
                }
            }
            Item::Trait(block) => {
                for item in &block.items {
                    if let TraitItem::Fn(it) = item {
                        let path = format!("{within}{}::{}", block.ident, it.sig.ident);
                        found.push((path, lines_of(item)));
                    }
                }
            }
            Item::Mod(module) => {
                let items = module.content.as_ref().map_or(&[][..], |(_, items)| items);
                gather(&format!("{within}{}::", module.ident), items, found);
            }
            _ => {}
        }
    }
}

fn lines_of(item: &dyn Spanned) -> RangeInclusive<usize> {
    let span = item.span();
    span.start().line..=span.end().line
}

/// The last name of `a::Turn<'_>`.
fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        Type::Reference(reference) => Some(type_name(&reference.elem)),
        _ => None,
    }
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
//! Header.

/// Why it waits.
#[must_use]
pub fn wait() -> u8 { 1 } // here

struct Turn<'a>(&'a str);

impl Turn<'_> {
    /// One event.
    fn accept(&self) {
        // why
        let _ = 1;
    }

    const N: u8 = 1;
}

fn accept() {}

impl Other {
    fn send(&self) {}
}

impl Another {
    fn send(&self) {}
}

mod tests {
    fn wait() {}
}
";

    fn item(name: &str) -> Result<String, String> {
        let range = find(SOURCE, name)?;
        let lines: Vec<_> = SOURCE.lines().skip(range.start() - 1).take(range.count()).collect();
        Ok(dedent(&lines))
    }

    #[test]
    fn an_item_is_its_documentation_its_attributes_and_its_code() {
        let wait = "/// Why it waits.\n#[must_use]\npub fn wait() -> u8 { 1 } // here\n";
        assert_eq!(item("wait").as_deref(), Ok(wait));
        assert_eq!(item("Turn").as_deref(), Ok("struct Turn<'a>(&'a str);\n"));
        assert_eq!(item("N").as_deref(), Ok("const N: u8 = 1;\n"));
        assert_eq!(item("tests::wait").as_deref(), Ok("fn wait() {}\n"));
    }

    #[test]
    fn a_method_is_moved_to_the_margin() {
        let accept = "/// One event.\nfn accept(&self) {\n    // why\n    let _ = 1;\n}\n";
        assert_eq!(item("Turn::accept").as_deref(), Ok(accept));
        assert_eq!(item("accept").as_deref(), Ok("fn accept() {}\n"), "the one at the top");
    }

    #[test]
    fn what_is_not_one_item_is_said_to_be() {
        assert!(item("nothing").expect_err("unknown").contains("no item nothing"));
        let several = item("send").expect_err("two of them");
        assert!(several.contains("Other::send, Another::send"), "{several}");
    }
}
