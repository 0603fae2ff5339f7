//! A view of one directive: its name, its words, where they stand.

use std::borrow::Cow;

use crate::nginx::words;
use crate::source::{SourceId, Span};
use crate::tree::{DirectiveId, Shape, Token, TokenId, TokenKind, Tree};

/// One directive of one source.
#[derive(Clone, Copy)]
pub(in crate::nginx) struct Line<'a> {
    pub(in crate::nginx) source: SourceId,
    pub(in crate::nginx) tree: &'a Tree,
    pub(in crate::nginx) bytes: &'a [u8],
    pub(in crate::nginx) id: DirectiveId,
    name: &'a [u8],
}

impl<'a> Line<'a> {
    /// The directive `id` of a source.
    pub(in crate::nginx) fn new(source: SourceId, tree: &'a Tree, bytes: &'a [u8], id: DirectiveId) -> Self {
        let token = tree.directive(id).name;
        let name = match (tree.token(token).kind, tree.text(token, bytes)) {
            (TokenKind::Quoted, [_, inside @ .., _]) => inside,
            (_, text) => text,
        };
        Self { source, tree, bytes, id, name }
    }

    /// Another directive of the same source.
    pub(in crate::nginx) fn other(self, id: DirectiveId) -> Self {
        Self::new(self.source, self.tree, self.bytes, id)
    }

    /// The name, without quotes where it is quoted.
    pub(in crate::nginx) fn name(self) -> &'a [u8] {
        self.name
    }

    /// Whether a template hole is part of the name: it could be any directive.
    pub(in crate::nginx) fn is_holed(self) -> bool {
        self.tree.token(self.tree.directive(self.id).name).kind == TokenKind::Holed
    }

    /// Whether its file is a template of which we see all branches at once: what stands in two of them is no duplicate, and what closes in
    /// one may open in another.
    pub(in crate::nginx) fn is_in_template(self) -> bool {
        self.tree.has_standing_holes()
    }

    /// What follows the words.
    pub(in crate::nginx) fn shape(self) -> Shape {
        self.tree.directive(self.id).shape
    }

    /// The words behind the name.
    pub(in crate::nginx) fn words(self) -> impl Iterator<Item = Word<'a>> {
        self.tree.words(self.id).map(move |token| self.word_at(token))
    }

    /// The `n`-th word behind the name, from 0.
    pub(in crate::nginx) fn word(self, n: usize) -> Option<Word<'a>> {
        self.words().nth(n)
    }

    /// The name as a word: the key of a row.
    pub(in crate::nginx) fn name_word(self) -> Word<'a> {
        self.word_at(self.tree.directive(self.id).name)
    }

    /// Name and words.
    pub(in crate::nginx) fn span(self) -> Span {
        let range = self.tree.head(self.id);
        Span::new(self.source, range.start, range.end)
    }

    /// Whether there is a `$` in it. Most lines have none, and looking for that byte is cheap.
    pub(in crate::nginx) fn has_dollar(self) -> bool {
        let range = self.tree.head(self.id);
        memchr::memchr(b'$', &self.bytes[range.start as usize..range.end as usize]).is_some()
    }

    fn word_at(self, token: TokenId) -> Word<'a> {
        let range = self.tree.range(token);
        let text = &self.bytes[range.start as usize..range.end as usize];
        let Token { kind, escapes, .. } = self.tree.token(token);
        Word { kind, escapes, text, span: Span::new(self.source, range.start, range.end) }
    }
}

/// One word as written.
#[derive(Clone, Copy)]
pub(in crate::nginx) struct Word<'a> {
    pub(in crate::nginx) kind: TokenKind,
    escapes: bool,
    pub(in crate::nginx) text: &'a [u8],
    pub(in crate::nginx) span: Span,
}

impl<'a> Word<'a> {
    /// Its value: without quotes and escapes.
    pub(in crate::nginx) fn value(self) -> Cow<'a, [u8]> {
        if self.escapes { words::value(self.kind, self.text) } else { Cow::Borrowed(self.inside()) }
    }

    /// The text without its quotes.
    fn inside(self) -> &'a [u8] {
        match (self.kind, self.text) {
            (TokenKind::Quoted, [_, inside @ .., _]) => inside,
            (_, text) => text,
        }
    }

    /// Whether a template hole is part of it.
    pub(in crate::nginx) fn is_holed(self) -> bool {
        self.kind == TokenKind::Holed
    }

    /// The span of `range` of its value; the whole word where escapes move things.
    pub(in crate::nginx) fn part(self, range: &std::ops::Range<usize>) -> Span {
        let quote = usize::from(self.kind == TokenKind::Quoted);
        if self.escapes {
            return self.span;
        }
        let at = |offset: usize| self.span.start + u32::try_from(offset + quote).unwrap_or(u32::MAX);
        Span::new(self.span.source, at(range.start), at(range.end).min(self.span.end))
    }
}
