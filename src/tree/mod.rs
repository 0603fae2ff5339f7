//! The lossless syntax tree that both dialects are parsed into: flat arenas of tokens and directives.
//!
//! Tokens lie side by side: each begins where the one before ends, so concatenating them gives the bytes back, whatever the
//! bytes. Directives stand in pre-order and know where their subtree ends, so a walk is a loop and depth costs no stack.

mod builder;
mod hole;
mod tag;

pub use builder::Builder;
pub use hole::{HoleKind, hole_at, is_template};
pub use tag::nesting;

/// Names one token of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(pub u32);

/// Names one directive of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DirectiveId(pub u32);

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Blanks, line ends that end nothing, and httpd's line continuations between words.
    Blank,
    /// A comment, from its `#` to the end of its line (of its last line where httpd continues it), without the line end.
    Comment,
    /// A bare word: a directive's name or an argument.
    Word,
    /// A word in quotes, quotes included.
    Quoted,
    /// A word, bare or quoted, with a template hole in it: its value cannot be known.
    Holed,
    /// A template hole where a directive could stand (`{{ extra }}`): any directives may come from it.
    Hole,
    /// A template's control tag where a directive could stand (`{% if … %}`): it brings no text of its own.
    Tag,
    /// What begins a block: nginx's `{`, or the `>` that ends the first line of an httpd section.
    Open,
    /// What ends a block: nginx's `}`, or httpd's whole `</Name>`.
    Close,
    /// What ends a simple directive: nginx's `;`, or the line end in httpd.
    End,
    /// The `<` before the name of an httpd section.
    Mark,
    /// The inside of a block in another language (Lua), uninterpreted.
    Raw,
    /// Bytes that belong nowhere; a syntax error says why.
    Junk,
}

impl TokenKind {
    /// Whether the token is a word: a directive's name or argument.
    #[must_use]
    pub fn is_word(self) -> bool {
        matches!(self, Self::Word | Self::Quoted | Self::Holed)
    }
}

/// A token: its kind and one past its last byte. It begins where the token before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// One past its last byte.
    pub end: u32,
    /// Whether it is a word in which the parser saw a backslash, so that its value may be other than its text; unset where the parser does not
    /// look, as with all that is appended by [`Builder::token`].
    pub escapes: bool,
}

/// A token in four bytes: a big tree is mostly tokens, and they are read far less often than kept.
#[derive(Clone, Copy, Debug)]
struct Packed(u32);

impl Packed {
    /// Bits of the kind, and the one of [`Token::escapes`]. The others hold the end: 27 bits, more than the largest source that is read
    /// has bytes.
    const KIND_BITS: u32 = 4;
    const END_AT: u32 = Self::KIND_BITS + 1;

    /// The kinds, each at its own number.
    const KINDS: [TokenKind; 12] = [
        TokenKind::Blank,
        TokenKind::Comment,
        TokenKind::Word,
        TokenKind::Quoted,
        TokenKind::Holed,
        TokenKind::Hole,
        TokenKind::Tag,
        TokenKind::Open,
        TokenKind::Close,
        TokenKind::End,
        TokenKind::Mark,
        TokenKind::Raw,
    ];

    fn new(token: Token) -> Self {
        debug_assert!(token.end <= u32::MAX >> Self::END_AT, "a source is read only up to `Sources::MAX_BYTES`");
        Self(token.end << Self::END_AT | u32::from(token.escapes) << Self::KIND_BITS | token.kind as u32)
    }

    fn end(self) -> u32 {
        self.0 >> Self::END_AT
    }

    fn number(self) -> u32 {
        self.0 & ((1 << Self::KIND_BITS) - 1)
    }

    /// As [`TokenKind::is_word`] of its kind: the three kinds of words are numbered in a row.
    fn is_word(self) -> bool {
        (TokenKind::Word as u32..=TokenKind::Holed as u32).contains(&self.number())
    }

    fn token(self) -> Token {
        // `Junk` is the last kind, behind all in the table.
        let kind = Self::KINDS.get(self.number() as usize).copied().unwrap_or(TokenKind::Junk);
        Token { kind, end: self.end(), escapes: self.0 >> Self::KIND_BITS & 1 == 1 }
    }
}

/// What follows a directive's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing: the directive ends with its words.
    Simple,
    /// A block of directives.
    Block,
    /// A block in another language, held in one [`TokenKind::Raw`] token.
    Raw,
}

/// A directive: a name, words, and perhaps a block. Tokens are given by their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The name, a word.
    pub name: TokenId,
    /// The token that ends the words: [`TokenKind::End`], [`TokenKind::Open`], or, where that is missing, the first token that is not part of them.
    pub head_end: TokenId,
    /// One past the last token of the directive, its block included.
    pub end: TokenId,
    /// The directive whose block this one stands in; `None` at the top level.
    pub parent: Option<DirectiveId>,
    /// The next directive in pre-order that is not inside this one: the next sibling where there is one.
    pub after: DirectiveId,
    /// What follows the words.
    pub shape: Shape,
}

/// A place where the server refuses the file, with the server's own reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// First byte of the text to blame; it stands on the line that the server names.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// The server's reason, in its words, e.g. `unexpected "}"`.
    pub message: String,
    /// A second place that helps, e.g. where the unclosed block was opened: start, end and what it is.
    pub related: Option<(u32, u32, &'static str)>,
}

/// The tree of one source.
#[derive(Debug, Default)]
pub struct Tree {
    tokens: Vec<Packed>,
    directives: Vec<Directive>,
    errors: Vec<SyntaxError>,
    /// Which kinds of tokens there are: the bit of each kind's number.
    kinds: u16,
}

impl Tree {
    fn has(&self, kind: TokenKind) -> bool {
        self.kinds >> kind as u16 & 1 == 1
    }

    /// Whether any of it is filled in later.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.has(TokenKind::Holed) || self.has_standing_holes()
    }

    /// Whether it is a template of whose directives some may be others, or none: a hole or tag stands where directives stand.
    #[must_use]
    pub fn has_standing_holes(&self) -> bool {
        self.has(TokenKind::Tag) || self.has(TokenKind::Hole)
    }

    /// All tokens, in order.
    #[must_use]
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = Token> + ExactSizeIterator + '_ {
        self.tokens.iter().map(|packed| packed.token())
    }

    /// All directives, in pre-order: by where they begin.
    #[must_use]
    pub fn directives(&self) -> &[Directive] {
        &self.directives
    }

    /// Where the server would refuse the file, in file order. The first is what the server reports; it stops there, we do not.
    #[must_use]
    pub fn errors(&self) -> &[SyntaxError] {
        &self.errors
    }

    /// The token that `id` names.
    #[must_use]
    pub fn token(&self, id: TokenId) -> Token {
        self.tokens[id.0 as usize].token()
    }

    /// The directive that `id` names.
    #[must_use]
    pub fn directive(&self, id: DirectiveId) -> &Directive {
        &self.directives[id.0 as usize]
    }

    /// The bytes of a token, as a range of offsets into the source. One past the last token, the empty range at the end.
    #[must_use]
    pub fn range(&self, id: TokenId) -> std::ops::Range<u32> {
        let index = id.0 as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.tokens[before].end());
        start..self.tokens.get(index).map_or(start, |token| token.end())
    }

    /// The text of a token.
    #[must_use]
    pub fn text<'a>(&self, id: TokenId, bytes: &'a [u8]) -> &'a [u8] {
        let range = self.range(id);
        &bytes[range.start as usize..range.end as usize]
    }

    /// The words after the name of a directive, in order.
    #[must_use]
    pub fn words(&self, id: DirectiveId) -> Words<'_> {
        let Directive { name, head_end, .. } = *self.directive(id);
        Words { tokens: &self.tokens, next: name.0 + 1, end: head_end.0 }
    }

    /// The name and words of a directive as one range: what to underline when the directive is to blame.
    #[must_use]
    pub fn head(&self, id: DirectiveId) -> std::ops::Range<u32> {
        let directive = self.directive(id);
        let last = self.words(id).next_back().unwrap_or(directive.name);
        self.range(directive.name).start..self.range(last).end
    }

    /// Whether a template decides what stands in a block, or at the top where there is none, so that nobody can say where a new line would
    /// end up. What is inside of the directives there is theirs.
    #[must_use]
    pub fn is_templated(&self, of: Option<DirectiveId>) -> bool {
        let tags = |from: TokenId, to: TokenId| {
            (from.0..to.0).map(TokenId).any(|token| matches!(self.token(token).kind, TokenKind::Hole | TokenKind::Tag))
        };
        let (mut from, end) = match of {
            Some(id) => (self.directive(id).head_end, self.directive(id).end),
            None => (TokenId(0), TokenId(u32::try_from(self.tokens().len()).unwrap_or(u32::MAX))),
        };
        for id in self.children(of) {
            let directive = self.directive(id);
            if tags(from, directive.name) {
                return true;
            }
            from = directive.end;
        }
        tags(from, end)
    }

    /// The whole directive, its block and its terminator included.
    #[must_use]
    pub fn extent(&self, id: DirectiveId) -> std::ops::Range<u32> {
        let directive = self.directive(id);
        self.range(directive.name).start..self.range(directive.end).start
    }

    /// The directives at the top level of a block, or of the file where `parent` is `None`.
    #[must_use]
    pub fn children(&self, parent: Option<DirectiveId>) -> Children<'_> {
        let (next, end) = match parent {
            None => (0, self.directives.len()),
            Some(id) => (id.0 as usize + 1, self.directive(id).after.0 as usize),
        };
        Children { tree: self, next, end }
    }
}

/// The words behind the name of a directive, in order; made by [`Tree::words`].
#[derive(Clone, Debug)]
pub struct Words<'a> {
    tokens: &'a [Packed],
    next: u32,
    end: u32,
}

impl Words<'_> {
    fn is_word(&self, token: u32) -> bool {
        self.tokens.get(token as usize).is_some_and(|token| token.is_word())
    }
}

impl Iterator for Words<'_> {
    type Item = TokenId;

    fn next(&mut self) -> Option<TokenId> {
        while self.next < self.end {
            self.next += 1;
            if self.is_word(self.next - 1) {
                return Some(TokenId(self.next - 1));
            }
        }
        None
    }
}

impl DoubleEndedIterator for Words<'_> {
    fn next_back(&mut self) -> Option<TokenId> {
        while self.next < self.end {
            self.end -= 1;
            if self.is_word(self.end) {
                return Some(TokenId(self.end));
            }
        }
        None
    }
}

/// The directives of one block, in order; made by [`Tree::children`].
#[derive(Clone, Debug)]
pub struct Children<'a> {
    tree: &'a Tree,
    next: usize,
    end: usize,
}

impl Iterator for Children<'_> {
    type Item = DirectiveId;

    fn next(&mut self) -> Option<DirectiveId> {
        if self.next >= self.end {
            return None;
        }
        let id = DirectiveId(u32::try_from(self.next).ok()?);
        self.next = self.tree.directive(id).after.0 as usize;
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_token_is_the_token() {
        let kinds = Packed::KINDS.into_iter().chain([TokenKind::Junk]);
        for ((kind, end), escapes) in kinds.zip([0, 1, 0x07ff_ffff].into_iter().cycle()).zip([false, true].into_iter().cycle()) {
            let token = Token { kind, end, escapes };
            assert_eq!(Packed::new(token).token(), token);
            assert_eq!(Packed::new(token).is_word(), kind.is_word());
        }
    }
}
