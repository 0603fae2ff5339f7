//! Where lines are put, and in whose manner: the indentation, line ends and alignment of their neighbours.

use super::Editor;
use crate::nginx::line::Line;
use crate::source::{Edit, SourceId, Span, manner};
use crate::tree::{DirectiveId, Shape, TokenKind, Tree};

/// A block of a file, or the file's top level.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) source: SourceId,
    pub(super) tree: &'a Tree,
    pub(super) bytes: &'a [u8],
    /// The directive whose block it is.
    pub(super) of: Option<DirectiveId>,
}

impl<'a> Editor<'a> {
    /// The block whose head is `head`; the top level where the head is empty, as that of a level around a fragment is.
    pub(super) fn block(&self, head: Span) -> Option<Block<'a>> {
        let of = if head.is_empty() { None } else { Some(self.directive_at(head)?) };
        let (tree, bytes) = (self.store.tree(head.source), self.store.sources.get(head.source).bytes());
        Some(Block { source: head.source, tree, bytes, of })
    }

    /// The directive that begins where `span` does.
    pub(super) fn directive_at(&self, span: Span) -> Option<DirectiveId> {
        let tree = self.store.tree(span.source);
        let start = |directive: &crate::tree::Directive| tree.range(directive.name).start;
        let index = tree.directives().binary_search_by_key(&span.start, start).ok()?;
        u32::try_from(index).ok().map(DirectiveId)
    }

    /// The line that begins where `span` does.
    pub(super) fn line_at(&self, span: Span) -> Option<Line<'a>> {
        let id = self.directive_at(span)?;
        let (tree, bytes) = (self.store.tree(span.source), self.store.sources.get(span.source).bytes());
        Some(Line::new(span.source, tree, bytes, id))
    }
}

impl Editor<'_> {
    /// Takes out the second of two lines of a block that include one file and nothing else.
    pub(super) fn without_second_include(&self, file: SourceId) -> Result<Edit, String> {
        let yours = "it is included in several places: which is to stay is for you to say";
        let lines = self.includes().get(&file).map_or(&[][..], Vec::as_slice);
        let parent = |(source, id): (SourceId, DirectiveId)| (source, self.store.tree(source).directive(id).parent);
        let pair = lines.windows(2).find(|pair| parent(pair[0]) == parent(pair[1])).ok_or(yours)?;
        let (source, id) = pair[1];
        let (tree, bytes) = (self.store.tree(source), self.store.sources.get(source).bytes());
        let (line, block) = (Line::new(source, tree, bytes, id), Block { source, tree, bytes, of: parent(pair[1]).1 });
        if self.resolved.include(source, id, line.span()).files != [file] || block.is_templated() {
            return Err(yours.to_owned());
        }
        Ok(block.remove(line))
    }
}

impl<'a> Block<'a> {
    /// The directives that stand in the block itself.
    pub(super) fn lines(self) -> impl Iterator<Item = Line<'a>> {
        let Self { source, tree, bytes, of } = self;
        tree.children(of).map(move |id| Line::new(source, tree, bytes, id))
    }

    /// Whether a template decides what stands in the block, so that nobody can say where a line would end up.
    pub(super) fn is_templated(self) -> bool {
        self.tree.is_templated(self.of)
    }

    /// Puts `lines` behind `anchor`, or at the beginning of the block where there is none.
    pub(super) fn insert(self, anchor: Option<Line<'a>>, lines: &[String]) -> Edit {
        match anchor {
            Some(anchor) => self.insert_behind(anchor, lines),
            None => self.insert_first(lines),
        }
    }

    fn insert_behind(self, anchor: Line<'a>, lines: &[String]) -> Edit {
        let extent = self.tree.extent(anchor.id);
        let Some(indent) = self.indent(extent.start) else { return self.insert_inline(extent.end, lines) };
        // Behind a comment at the end of the line: it belongs to the anchor.
        let end = extent.end as usize;
        let rest = trim_end(&self.bytes[end..manner::line_stop(self.bytes, end)]);
        let is_own_line = rest.iter().all(u8::is_ascii_whitespace) || rest.trim_ascii_start().starts_with(b"#");
        if !is_own_line {
            return self.insert_inline(extent.end, lines);
        }
        let text = self.joined(indent, lines);
        self.edit(end + rest.len(), text)
    }

    /// Text on the same line, for what is written on one line.
    fn insert_inline(self, at: u32, lines: &[String]) -> Edit {
        self.edit(at as usize, format!(" {}", lines.join(" ")).into_bytes())
    }

    fn insert_first(self, lines: &[String]) -> Edit {
        let Some(id) = self.of else { return self.insert_top(lines) };
        let open = self.tree.range(self.tree.directive(id).head_end);
        let head = self.tree.range(self.tree.directive(id).name).start;
        let end = open.end as usize;
        let line_end = memchr::memchr(b'\n', &self.bytes[end..]).map(|lf| end + lf);
        let rest = line_end.map(|line_end| trim_end(&self.bytes[end..line_end]));
        let is_open = |rest: &&[u8]| rest.iter().all(u8::is_ascii_whitespace) || rest.trim_ascii_start().starts_with(b"#");
        let (Some(rest), Some(outer)) = (rest.filter(is_open), self.indent(head)) else {
            return self.insert_inline(open.end, lines);
        };
        let first = self.lines().next().and_then(|line| self.indent(self.tree.range(self.tree.directive(line.id).name).start));
        let indent =
            first.map_or_else(|| [outer, if outer.starts_with(b"\t") { b"\t" } else { b"    " }].concat(), <[u8]>::to_vec);
        let text = self.joined(&indent, lines);
        self.edit(end + rest.len(), text)
    }

    /// Lines at the top of a file, behind a byte order mark and the comments that are about the whole file.
    fn insert_top(self, lines: &[String]) -> Edit {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        let mut at = if self.bytes.starts_with(MARK) { MARK.len() } else { 0 };
        let end = self.line_end();
        let mut next = at;
        // A row of comments that an empty line ends.
        for line in self.bytes[at..].split_inclusive(|&byte| byte == b'\n') {
            next += line.len();
            match line.trim_ascii() {
                [b'#', ..] => {}
                [] => {
                    at = next;
                    break;
                }
                _ => break,
            }
        }
        let mut text = Vec::new();
        for line in lines {
            text.extend_from_slice(line.as_bytes());
            text.extend_from_slice(end);
        }
        text.extend_from_slice(end);
        self.edit(at, text)
    }

    /// Puts `lines` in front of `line` and the comments directly above it.
    pub(super) fn insert_above(self, line: Line<'a>, lines: &[String]) -> Edit {
        self.put_before(line, lines, false)
    }

    /// Puts `lines` and an empty line there.
    pub(super) fn insert_before(self, line: Line<'a>, lines: &[String]) -> Edit {
        self.put_before(line, lines, true)
    }

    fn put_before(self, line: Line<'a>, lines: &[String], parted: bool) -> Edit {
        let start = self.tree.extent(line.id).start;
        let Some(indent) = self.indent(start) else { return self.insert_first(lines) };
        let at = manner::comments_above(self.bytes, start as usize - indent.len());
        let end = self.line_end();
        let mut text = Vec::new();
        for line in lines {
            text.extend_from_slice(indent);
            text.extend_from_slice(line.as_bytes());
            text.extend_from_slice(end);
        }
        if parted {
            text.extend_from_slice(end);
        }
        self.edit(at, text)
    }

    /// Takes a line out, with its line end where it has one of its own.
    pub(super) fn remove(self, line: Line<'a>) -> Edit {
        let extent = self.tree.extent(line.id);
        let (mut start, mut end) = (extent.start as usize, extent.end as usize);
        if let Some(indent) = self.indent(extent.start) {
            let line_end = manner::line_stop(self.bytes, end);
            if self.bytes[end..line_end].iter().all(u8::is_ascii_whitespace) {
                (start, end) = (start - indent.len(), line_end);
            }
        }
        let span = Span::new(self.source, offset(start), offset(end));
        Edit { span, text: Vec::new() }
    }

    fn joined(self, indent: &[u8], lines: &[String]) -> Vec<u8> {
        let mut text = Vec::new();
        for line in lines {
            text.extend_from_slice(self.line_end());
            text.extend_from_slice(indent);
            text.extend_from_slice(line.as_bytes());
        }
        text
    }

    /// What stands on the line in front of `at`, where that is nothing but blanks.
    fn indent(self, at: u32) -> Option<&'a [u8]> {
        manner::indent(self.bytes, at as usize)
    }

    /// The line end that the file uses.
    fn line_end(self) -> &'static [u8] {
        manner::line_end(self.bytes)
    }

    fn edit(self, at: usize, text: Vec<u8>) -> Edit {
        Edit { span: Span::new(self.source, offset(at), offset(at)), text }
    }
}

/// How lines of `name` that stand in a block are spaced: the blanks behind the name, and the column at which values begin behind the header's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spacing {
    behind_name: String,
    column: usize,
}

impl Spacing {
    /// As `line` is spaced.
    pub(super) fn of(line: Line<'_>) -> Self {
        let words: Vec<Span> = std::iter::once(line.name_word()).chain(line.words()).map(|word| word.span).collect();
        let between = |a: Span, b: Span| String::from_utf8_lossy(&line.bytes[a.end as usize..b.start as usize]).into_owned();
        let plain = |blanks: &String| blanks.bytes().all(|byte| matches!(byte, b' ' | b'\t'));
        let [name, header, value, ..] = words[..] else { return Self::default() };
        let behind_name = Some(between(name, header)).filter(plain).unwrap_or_else(|| " ".to_owned());
        // One blank is no column.
        let aligned = between(header, value);
        let column =
            if aligned.len() > 1 && aligned.bytes().all(|byte| byte == b' ') { (value.start - header.start) as usize } else { 0 };
        Self { behind_name, column }
    }

    /// `name header value;` in this manner.
    pub(super) fn line(&self, name: &str, header: &str, value: &str) -> String {
        let width = self.column.saturating_sub(1);
        format!("{name}{}{header:width$} {value};", self.behind_name)
    }
}

impl Default for Spacing {
    fn default() -> Self {
        Self { behind_name: " ".to_owned(), column: 0 }
    }
}

/// The edit that puts another word in the place of the `n`-th of a line.
pub(super) fn replace_word(line: Line<'_>, n: usize, text: &str) -> Option<Edit> {
    let word = line.word(n)?;
    if word.is_holed() || line.shape() != Shape::Simple {
        return None;
    }
    // The quotes stay where there were any around something.
    let quoted = word.kind == TokenKind::Quoted && word.text.len() > 2 && !text.starts_with('"');
    let quote = if quoted { std::str::from_utf8(&word.text[..1]).unwrap_or_default() } else { "" };
    Some(Edit { span: word.span, text: format!("{quote}{text}{quote}").into_bytes() })
}

/// A line without its end.
fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
