//! The lines of httpd configuration as edits see them: their words, their place, and the manner in which their neighbours are written.

use std::borrow::Cow;

use super::Editor;
use crate::apache::values::{Parameter, parameter};
use crate::apache::words;
use crate::source::{Edit, SourceId, Span, manner};
use crate::tree::{DirectiveId, Shape, TokenId, TokenKind, Tree};

/// A directive or section as it stands in its file.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) source: SourceId,
    pub(super) tree: &'a Tree,
    pub(super) bytes: &'a [u8],
    pub(super) id: DirectiveId,
}

/// A word behind the name of a directive.
#[derive(Clone, Copy)]
pub(super) struct Word<'a> {
    /// Where it stands.
    pub(super) span: Span,
    /// Its text, quotes included.
    pub(super) text: &'a [u8],
    kind: TokenKind,
}

impl<'a> Editor<'a> {
    /// The line that `span` begins in.
    pub(super) fn line_at(&self, span: Span) -> Option<Line<'a>> {
        let tree = self.store.tree(span.source);
        let behind = tree.directives().partition_point(|directive| tree.range(directive.name).start <= span.start);
        let id = DirectiveId(u32::try_from(behind.checked_sub(1)?).ok()?);
        let bytes = self.store.sources.get(span.source).bytes();
        Some(Line { source: span.source, tree, bytes, id }).filter(|line| span.start < line.tree.extent(id).end)
    }
}

impl<'a> Line<'a> {
    /// The name in lower case.
    pub(super) fn name(self) -> Vec<u8> {
        self.written_name().to_ascii_lowercase()
    }

    fn written_name(self) -> &'a [u8] {
        self.tree.text(self.tree.directive(self.id).name, self.bytes)
    }

    /// The words behind the name.
    pub(super) fn words(self) -> impl Iterator<Item = Word<'a>> {
        self.tree.words(self.id).map(move |token| self.word_of(token))
    }

    /// The `n`-th of them.
    pub(super) fn word(self, n: usize) -> Option<Word<'a>> {
        self.words().nth(n)
    }

    fn word_of(self, token: TokenId) -> Word<'a> {
        let range = self.tree.range(token);
        let span = Span::new(self.source, range.start, range.end);
        Word { span, text: self.tree.text(token, self.bytes), kind: self.tree.token(token).kind }
    }

    /// Whether a template decides what a word of it is.
    pub(super) fn is_holed(self) -> bool {
        let name = self.word_of(self.tree.directive(self.id).name);
        std::iter::once(name).chain(self.words()).any(|word| word.kind == TokenKind::Holed)
    }

    /// Whether it is a section.
    pub(super) fn is_section(self) -> bool {
        self.tree.directive(self.id).shape == Shape::Block
    }

    /// The section that it stands in.
    pub(super) fn parent(self) -> Option<Self> {
        self.tree.directive(self.id).parent.map(|id| Self { id, ..self })
    }

    /// What stands beside it in the same section or file, itself included.
    pub(super) fn siblings(self) -> impl Iterator<Item = Self> {
        self.tree.children(self.tree.directive(self.id).parent).map(move |id| Self { id, ..self })
    }

    /// The line itself, or the outermost section around it that a server is not made of: what stands beside it is the server's own.
    pub(super) fn in_server(self) -> Self {
        const TRANSPARENT: [&[u8]; 8] =
            [b"virtualhost", b"ifmodule", b"ifdefine", b"ifversion", b"iffile", b"ifdirective", b"ifsection", b"macro"];
        let around = std::iter::successors(Some(self), |line| line.parent());
        let own = around.take_while(|line| !line.is_section() || !TRANSPARENT.contains(&line.name().as_slice()));
        let mut found = self;
        for line in own {
            found = line;
        }
        found
    }

    /// Its first physical line begins here.
    pub(super) fn start(self) -> usize {
        let name = self.tree.range(self.tree.directive(self.id).name).start as usize;
        manner::line_start(self.bytes, name)
    }

    /// Its last physical line ends here, the line end included.
    pub(super) fn end(self) -> usize {
        let end = self.tree.extent(self.id).end as usize;
        if end > 0 && self.bytes[end - 1] == b'\n' {
            return end;
        }
        manner::line_stop(self.bytes, end)
    }

    /// Where the comments directly above it begin; its own beginning where there are none, or they begin the file and so are about it.
    pub(super) fn start_with_comments(self) -> usize {
        manner::comments_above(self.bytes, self.start())
    }

    /// The blanks that it is indented by.
    pub(super) fn indent(self) -> &'a [u8] {
        let line = &self.bytes[self.start()..];
        let blanks = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        &line[..blanks]
    }

    /// What lines in a section at this place are indented by beyond it.
    pub(super) fn unit(self) -> &'static str {
        manner::unit(self.bytes)
    }

    /// The line end that the file uses.
    pub(super) fn line_end(self) -> &'static [u8] {
        manner::line_end(self.bytes)
    }

    /// A directive's name in the case that this one is written in.
    pub(super) fn cased(self, name: &str) -> String {
        let letters = || self.written_name().iter().filter(|byte| byte.is_ascii_alphabetic());
        if letters().all(u8::is_ascii_lowercase) {
            name.to_ascii_lowercase()
        } else if letters().all(u8::is_ascii_uppercase) {
            name.to_ascii_uppercase()
        } else {
            name.to_owned()
        }
    }

    /// A word in quotes where this line's own are.
    pub(super) fn quoted(self, text: &str) -> String {
        match self.words().find(|word| word.kind == TokenKind::Quoted) {
            Some(Word { text: [quote, ..], .. }) => format!("{0}{text}{0}", char::from(*quote)),
            _ => text.to_owned(),
        }
    }

    /// Whether a template decides what stands beside it, so that nobody can say where a new line would end up.
    pub(super) fn is_among_holes(self) -> bool {
        self.tree.is_templated(self.tree.directive(self.id).parent)
    }

    /// Puts lines in front of this one and of the comments directly above it.
    pub(super) fn insert_before(self, lines: &[String]) -> Result<Edit, String> {
        self.insert(self.start_with_comments(), self.indent(), lines)
    }

    /// Puts lines behind this one.
    pub(super) fn insert_behind(self, lines: &[String]) -> Result<Edit, String> {
        self.insert(self.end(), self.indent(), lines)
    }

    fn insert(self, at: usize, indent: &[u8], lines: &[String]) -> Result<Edit, String> {
        if self.is_among_holes() {
            return Err("a template decides what stands here".to_owned());
        }
        let mut text = Vec::new();
        // The last line may have no end.
        let is_open = at == self.bytes.len() && !self.bytes.ends_with(b"\n");
        for line in lines {
            if is_open {
                text.extend_from_slice(self.line_end());
            }
            text.extend_from_slice(indent);
            text.extend_from_slice(line.as_bytes());
            if !is_open {
                text.extend_from_slice(self.line_end());
            }
        }
        Ok(self.edit(at, at, text))
    }

    /// The edits that give a section another name, at both its ends.
    pub(super) fn rename(self, name: &str) -> Vec<Edit> {
        let name = self.cased(name);
        let own = self.tree.range(self.tree.directive(self.id).name);
        let mut edits = vec![self.edit(own.start as usize, own.end as usize, name.clone().into_bytes())];
        let last = self.tree.directive(self.id).end.0.checked_sub(1).map(TokenId);
        if let Some(close) = last.filter(|&last| self.tree.token(last).kind == TokenKind::Close) {
            let range = self.tree.range(close);
            edits.push(self.edit(range.start as usize, range.end as usize, format!("</{name}>").into_bytes()));
        }
        edits
    }

    /// Takes the line out.
    pub(super) fn remove(self) -> Edit {
        self.edit(self.start(), self.end(), Vec::new())
    }

    /// Puts something behind the last word.
    pub(super) fn append(self, text: &str) -> Result<Edit, String> {
        let last = self.words().last();
        if self.is_holed() || last.is_some_and(|word| !word.is_closed()) {
            return Err("what the line ends with cannot be known".to_owned());
        }
        let end = self.tree.head(self.id).end as usize;
        Ok(self.edit(end, end, text.as_bytes().to_vec()))
    }

    /// An edit in the line's file.
    pub(super) fn edit(self, start: usize, end: usize, text: Vec<u8>) -> Edit {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Edit { span: Span::new(self.source, offset(start), offset(end)), text }
    }
}

impl<'a> Word<'a> {
    /// Its value.
    pub(super) fn value(self) -> Cow<'a, [u8]> {
        words::value(self.text)
    }

    /// As a parameter: name and value; `None` where a template or a variable has a part in it.
    pub(super) fn parameter(&self) -> Option<Parameter<'_>> {
        self.is_plain().then(|| parameter(self.bare()))
    }

    /// The text without its quotes.
    fn bare(&self) -> &'a [u8] {
        match self.text {
            [quote @ (b'"' | b'\''), inside @ .., last] if quote == last => inside,
            text => text,
        }
    }

    /// Whether a quote that it begins with is closed.
    fn is_closed(self) -> bool {
        !matches!(self.text, [b'"' | b'\'', ..]) || self.text.len() > 1 && self.text.last() == self.text.first()
    }

    /// Whether it stands there as it is meant: without a hole or a variable of the configuration.
    pub(super) fn is_plain(self) -> bool {
        self.kind != TokenKind::Holed && memchr::memmem::find(self.text, b"${").is_none()
    }

    /// The edit that puts another text in its place, in the quotes that it has.
    pub(super) fn replace(self, text: &str) -> Edit {
        let quote = match self.text {
            [quote @ (b'"' | b'\''), ..] if self.is_closed() => char::from(*quote).to_string(),
            _ => String::new(),
        };
        Edit { span: self.span, text: format!("{quote}{text}{quote}").into_bytes() }
    }
}
