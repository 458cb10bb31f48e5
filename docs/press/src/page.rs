//! One Markdown file as the checks see it: headings, fences, links, prose, each with its line.

use judge::language::Language;
use pulldown_cmark::{BrokenLink, CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

/// A heading, which also starts a section.
#[derive(Debug)]
pub struct Heading {
    pub line: usize,
    pub level: usize,
    pub text: String,
}

/// A code block: ```` ```console ````, or an indented one (its info string is then empty).
#[derive(Debug)]
pub struct Fence {
    pub line: usize,
    pub info: String,
    pub body: String,
    /// It follows a `<!-- code: … -->`, so its body is derived.
    pub derived: bool,
}

/// `<!-- code: select/src/main.rs#accept -->` and the fence under it.
#[derive(Debug)]
pub struct Snippet {
    pub line: usize,
    /// `select/src/main.rs#accept`
    pub target: String,
    /// The index of its fence; none when something else follows the comment.
    pub fence: Option<usize>,
}

/// A link or an image.
#[derive(Debug)]
pub struct Link {
    pub line: usize,
    pub dest: String,
    pub image: bool,
    /// As it is read, with [`GAP`] for code.
    pub text: String,
}

/// Stands in the prose for what is not prose: a code span, an image, a line break.
pub const GAP: char = '\u{fffc}';

/// What one Markdown file holds.
#[derive(Debug)]
pub struct Page {
    /// From the root of the project, with `/`: `docs/en/04-select.md`
    pub path: String,
    pub language: Language,
    pub text: String,
    pub headings: Vec<Heading>,
    pub fences: Vec<Fence>,
    pub snippets: Vec<Snippet>,
    pub links: Vec<Link>,
    /// `[text][label]` without a `[label]: address`: Markdown shows the brackets.
    pub undefined: Vec<(usize, String)>,
    /// Code spans, which also name commands.
    pub spans: Vec<(usize, String)>,
    /// The text as it is read, block by block, each character with its line.
    pub prose: Vec<Vec<(usize, char)>>,
}

impl Page {
    /// Reads `text` as the file `path`.
    #[must_use]
    pub fn parse(path: &str, language: Language, text: String) -> Self {
        let mut undefined = Vec::new();
        // A lone [word] is ordinary text; only the two-bracket form is certainly meant as a link.
        let on_broken = |link: BrokenLink<'_>| {
            if matches!(link.link_type, LinkType::Reference | LinkType::Collapsed) {
                undefined.push((link.span.start, link.reference.to_string()));
            }
            None
        };
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let parser = Parser::new_with_broken_link_callback(&text, options, Some(on_broken));
        let mut reader = Reader::new(&text);
        for (event, range) in parser.into_offset_iter() {
            reader.event(event, range.start);
        }
        let Reader { lines, mut page, .. } = reader.finish();
        page.undefined =
            undefined.into_iter().map(|(offset, label)| (lines.line(offset), label)).collect();
        path.clone_into(&mut page.path);
        page.language = language;
        page.text = text;
        page
    }

    /// The section that holds `line`: 0 before the first heading, then one for each heading.
    #[must_use]
    pub fn section_at(&self, line: usize) -> usize {
        self.headings.iter().take_while(|h| h.line <= line).count()
    }

    /// Where section `index` starts, and what to call it.
    #[must_use]
    pub fn section_start(&self, index: usize) -> (usize, &str) {
        match index.checked_sub(1).and_then(|i| self.headings.get(i)) {
            Some(heading) => (heading.line, &heading.text),
            None => (1, "the top of the page"),
        }
    }
}

/// Turns offsets into line numbers.
struct Lines(Vec<usize>);

impl Lines {
    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|&start| start <= offset)
    }
}

/// Gathers a page from the parser's events.
struct Reader {
    lines: Lines,
    page: Page,
    /// The block being read, flushed where it ends.
    block: Vec<(usize, char)>,
    /// Inside a code block, whose text is no prose.
    in_fence: bool,
    /// Inside `<https://…>`, whose text is the address again.
    in_address: bool,
    /// Inside a link, whose text goes to it, too.
    in_link: bool,
    heading: bool,
    /// A `<!-- code: … -->` whose fence has to come next.
    pending: Option<(usize, String)>,
}

impl Reader {
    fn new(text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        Self {
            lines: Lines(starts.collect()),
            page: Page {
                path: String::new(),
                language: Language::English,
                text: String::new(),
                headings: Vec::new(),
                fences: Vec::new(),
                snippets: Vec::new(),
                links: Vec::new(),
                undefined: Vec::new(),
                spans: Vec::new(),
                prose: Vec::new(),
            },
            block: Vec::new(),
            in_fence: false,
            in_address: false,
            in_link: false,
            heading: false,
            pending: None,
        }
    }

    fn event(&mut self, event: Event<'_>, offset: usize) {
        let line = self.lines.line(offset);
        match event {
            Event::Start(tag) => self.start(tag, line),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.in_fence => {
                let fence = self.page.fences.last_mut();
                fence.expect("a fence was started").body.push_str(&text);
            }
            Event::Text(text) => self.text(&text, line),
            Event::Code(code) => {
                self.block.push((line, GAP));
                self.link_text(&GAP.to_string());
                if let Some(heading) = self.open_heading() {
                    heading.text.push_str(&code);
                }
                self.page.spans.push((line, code.to_string()));
            }
            Event::Html(html) | Event::InlineHtml(html) => self.comment(&html, line),
            Event::SoftBreak | Event::HardBreak => {
                self.block.push((line, GAP));
                self.link_text(" ");
                if let Some(heading) = self.open_heading() {
                    heading.text.push(' ');
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, line: usize) {
        match tag {
            Tag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                let derived = info == "rust" && self.pending.is_some();
                self.flush(derived.then_some(self.page.fences.len()));
                self.in_fence = true;
                self.page.fences.push(Fence { line, info, body: String::new(), derived });
            }
            Tag::Link { link_type, dest_url, .. } => {
                self.in_address = matches!(link_type, LinkType::Autolink | LinkType::Email);
                self.in_link = true;
                let (dest, text) = (dest_url.to_string(), String::new());
                self.page.links.push(Link { line, dest, image: false, text });
            }
            Tag::Image { dest_url, .. } => {
                self.block.push((line, GAP));
                let (dest, text) = (dest_url.to_string(), String::new());
                self.page.links.push(Link { line, dest, image: true, text });
            }
            Tag::Heading { level, .. } => {
                self.flush(None);
                self.heading = true;
                let (level, text) = (level as usize, String::new());
                self.page.headings.push(Heading { line, level, text });
            }
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough => {}
            _ => self.flush(None),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::CodeBlock => self.in_fence = false,
            TagEnd::Link => {
                self.in_link = false;
                if std::mem::take(&mut self.in_address) {
                    self.block.push((0, GAP));
                }
            }
            TagEnd::Image => self.block.push((0, GAP)),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {}
            TagEnd::HtmlBlock => {}
            _ => {
                self.heading = false;
                let block = std::mem::take(&mut self.block);
                if !block.is_empty() {
                    self.page.prose.push(block);
                }
            }
        }
    }

    fn text(&mut self, text: &str, line: usize) {
        if let Some(heading) = self.open_heading() {
            heading.text.push_str(text);
        }
        self.link_text(text);
        if !self.in_address {
            self.block.extend(text.chars().map(|c| (line, c)));
        }
    }

    fn link_text(&mut self, text: &str) {
        if let Some(link) = self.page.links.last_mut().filter(|_| self.in_link) {
            link.text.push_str(text);
        }
    }

    fn open_heading(&mut self) -> Option<&mut Heading> {
        self.heading.then(|| self.page.headings.last_mut()).flatten()
    }

    fn comment(&mut self, html: &str, line: usize) {
        let comment = html.trim().strip_prefix("<!--").and_then(|t| t.strip_suffix("-->"));
        if let Some(target) = comment.and_then(|t| t.trim().strip_prefix("code:")) {
            self.flush(None);
            self.pending = Some((line, target.trim().to_owned()));
        }
    }

    /// Something follows the comment that waits for its fence: the fence, or not.
    fn flush(&mut self, fence: Option<usize>) {
        if let Some((line, target)) = self.pending.take() {
            self.page.snippets.push(Snippet { line, target, fence });
        }
    }

    fn finish(mut self) -> Self {
        self.flush(None);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_with_its_lines() {
        let text = "switch\n\n# A `b` c\n\n<!-- code: a/b.rs#f -->\n```rust\nfn f() {}\n```\n\n\
                    See [it](x.md) and **bold**[that][nowhere], but list[0] is text.\n\
                    <!-- code: a/b.rs#g -->\n\nno fence\n";
        let page = Page::parse("p.md", Language::English, text.to_owned());
        assert_eq!(page.headings[0].text, "A b c");
        assert_eq!((page.headings[0].line, page.headings[0].level), (3, 1));
        assert_eq!((page.fences[0].line, page.fences[0].derived), (6, true));
        assert_eq!(page.fences[0].body, "fn f() {}\n");
        assert_eq!(page.snippets[0].fence, Some(0));
        assert_eq!((page.snippets[1].line, page.snippets[1].fence), (11, None));
        assert_eq!((page.links[0].line, page.links[0].dest.as_str()), (10, "x.md"));
        assert_eq!(page.links[0].text, "it");
        assert_eq!(page.undefined, [(10, "nowhere".to_owned())]);
        assert_eq!((page.section_at(2), page.section_at(3)), (0, 1));
    }
}
