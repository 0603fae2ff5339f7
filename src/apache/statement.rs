//! A line in effect: where it stands, and its name and words once variables and macros are replaced.

use std::borrow::Cow;

use super::expand::has_reference;
use super::resolve::Resolved;
use super::words::{joined, next_word, value};
use crate::gateway::Unknown;
use crate::project::Store;
use crate::source::{SourceId, Span};
use crate::tree::{DirectiveId, TokenId, TokenKind};

/// One line in effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement {
    /// Where it is written.
    pub(super) source: SourceId,
    /// The directive; for a hole the number of its token, for unseen lines the first byte of what hides them.
    pub(super) directive: DirectiveId,
    /// What it is.
    pub(super) kind: Kind,
    /// Its text in [`Resolved::expanded`], where that differs from what is written.
    pub(super) expanded: Option<u32>,
}

/// What a line in effect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A directive.
    Line,
    /// The first line of a section.
    Begin,
    /// The end of the section whose first line it repeats.
    End,
    /// A template hole.
    Hole,
    /// Lines that are not here; up to this byte of the source.
    Unseen(u32),
}

/// The text of a line that variables or a macro changed.
#[derive(Debug)]
pub(super) struct Expanded {
    /// Its first word.
    pub(super) name: Vec<u8>,
    /// What follows.
    pub(super) arguments: Vec<u8>,
    /// The `Use` line of the macro.
    pub(super) used: Option<Span>,
}

/// A word of a line in effect.
#[derive(Clone, Debug)]
pub(super) struct Word<'a> {
    /// Its value.
    pub(super) value: Cow<'a, [u8]>,
    /// Where it stands; the whole line where variables or a macro changed it.
    pub(super) span: Span,
    /// Set where the value cannot be known.
    pub(super) unknown: Option<Unknown>,
}

impl Statement {
    /// What to underline: name and words as written, the hole, or what hides lines.
    pub(super) fn span(&self, store: &Store) -> Span {
        let tree = store.tree(self.source);
        let range = match self.kind {
            Kind::Hole => tree.range(TokenId(self.directive.0)),
            Kind::Unseen(end) => self.directive.0..end,
            _ => tree.head(self.directive),
        };
        Span::new(self.source, range.start, range.end)
    }
}

impl Resolved {
    fn expanded(&self, statement: &Statement) -> Option<&Expanded> {
        statement.expanded.and_then(|at| self.expanded.get(at as usize))
    }

    /// The name of a directive or section, as written.
    pub(super) fn name<'a>(&'a self, store: &'a Store, statement: &Statement) -> Cow<'a, [u8]> {
        if let Some(expanded) = self.expanded(statement) {
            return Cow::Borrowed(&expanded.name);
        }
        let tree = store.tree(statement.source);
        value(tree.text(tree.directive(statement.directive).name, store.sources.get(statement.source).bytes()))
    }

    /// What follows the name, for directives that cut it in their own way; and why it cannot be known, where that is so.
    pub(super) fn arguments<'a>(&'a self, store: &'a Store, statement: &Statement) -> (Cow<'a, [u8]>, Option<Unknown>) {
        let span = statement.span(store);
        let tree = store.tree(statement.source);
        let name_end = tree.range(tree.directive(statement.directive).name).end;
        let text = match self.expanded(statement) {
            Some(expanded) => Cow::Borrowed(expanded.arguments.as_slice()),
            None => joined(&store.sources.get(statement.source).bytes()[name_end as usize..span.end as usize]),
        };
        let holed = tree.words(statement.directive).any(|word| tree.token(word).kind == TokenKind::Holed);
        let unknown = if holed {
            Some(Unknown::TemplateHole(span))
        } else {
            has_reference(&text).then_some(Unknown::UndefinedVariable(span))
        };
        (text, unknown)
    }

    /// The words after the name.
    pub(super) fn words<'a>(&'a self, store: &'a Store, statement: &Statement) -> Vec<Word<'a>> {
        let mut words = Vec::new();
        if let Some(expanded) = self.expanded(statement) {
            let span = statement.span(store);
            let mut rest = expanded.arguments.as_slice();
            while let Some(value) = next_word(&mut rest) {
                let unknown = has_reference(&value).then_some(Unknown::UndefinedVariable(span));
                words.push(Word { value, span, unknown });
            }
            return words;
        }
        let tree = store.tree(statement.source);
        let bytes = store.sources.get(statement.source).bytes();
        for token in tree.words(statement.directive) {
            let range = tree.range(token);
            let span = Span::new(statement.source, range.start, range.end);
            let value = value(tree.text(token, bytes));
            let unknown = match tree.token(token).kind {
                TokenKind::Holed => Some(Unknown::TemplateHole(span)),
                _ => has_reference(&value).then_some(Unknown::UndefinedVariable(span)),
            };
            words.push(Word { value, span, unknown });
        }
        words
    }

    /// The `Use` line that brought this one, where a macro did.
    pub(super) fn used(&self, statement: &Statement) -> Option<Span> {
        self.expanded(statement).and_then(|expanded| expanded.used)
    }
}
