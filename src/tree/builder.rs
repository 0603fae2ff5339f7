//! Grows a [`Tree`] front to back; open blocks live on an explicit stack, so nesting is limited by memory alone.

use std::cell::Cell;

use super::{Directive, DirectiveId, Packed, Shape, SyntaxError, Token, TokenId, TokenKind, Tree};

/// Tokens for which room is kept: those of a file of about half a megabyte.
const LARGEST_SCRATCH: usize = 100_000;

thread_local! {
    /// The room in which this thread's last tree grew.
    static SCRATCH: Cell<(Vec<Packed>, Vec<Directive>)> = const { Cell::new((Vec::new(), Vec::new())) };
}

/// Collects tokens and directives in the order in which a parser meets them.
#[derive(Debug, Default)]
pub struct Builder {
    tree: Tree,
    /// The directives whose blocks are open, outermost first.
    open: Vec<DirectiveId>,
    /// The directive whose words are being read.
    current: Option<DirectiveId>,
}

impl Builder {
    /// A builder for a source of `length` bytes.
    #[must_use]
    pub fn with_capacity(length: usize) -> Self {
        let (mut tokens, mut directives) = SCRATCH.take();
        // Measured over real configuration: about one token for 5 bytes and one directive for 40.
        tokens.reserve(length / 5);
        directives.reserve(length / 40);
        Self { tree: Tree { tokens, directives, ..Tree::default() }, ..Self::default() }
    }

    /// The id that the next token will have.
    #[must_use]
    pub fn next_token(&self) -> TokenId {
        TokenId(u32::try_from(self.tree.tokens.len()).unwrap_or(u32::MAX))
    }

    /// One past the last byte of the last token: where the next token begins.
    #[must_use]
    pub fn offset(&self) -> u32 {
        self.tree.tokens.last().map_or(0, |token| token.end())
    }

    /// Appends a token that reaches to `end`. An empty one is not stored.
    pub fn token(&mut self, kind: TokenKind, end: u32) {
        self.word(kind, end, false);
    }

    /// Appends a token that reaches to `end`, with a backslash in it or without one. An empty one is not stored.
    pub fn word(&mut self, kind: TokenKind, end: u32, escapes: bool) {
        if end > self.offset() {
            self.tree.kinds |= 1 << kind as u16;
            self.tree.tokens.push(Packed::new(Token { kind, end, escapes }));
        }
    }

    /// Begins a directive whose name is the next token.
    pub fn begin(&mut self) -> DirectiveId {
        let name = self.next_token();
        let id = DirectiveId(u32::try_from(self.tree.directives.len()).unwrap_or(u32::MAX));
        self.tree.directives.push(Directive {
            name,
            head_end: name,
            end: name,
            parent: self.open.last().copied(),
            after: DirectiveId(id.0 + 1),
            shape: Shape::Simple,
        });
        self.current = Some(id);
        id
    }

    /// The directive whose words are being read.
    #[must_use]
    pub fn current(&self) -> Option<DirectiveId> {
        self.current
    }

    /// Ends the words of the current directive before the next token (its terminator, or what stands where one is missing).
    pub fn end_head(&mut self) -> Option<DirectiveId> {
        let id = self.current.take()?;
        let next = self.next_token();
        let directive = &mut self.tree.directives[id.0 as usize];
        directive.head_end = next;
        directive.end = next;
        Some(id)
    }

    /// Appends the terminator of the current directive, which reaches to `end`.
    pub fn terminate(&mut self, kind: TokenKind, end: u32) {
        let ended = self.end_head();
        self.token(kind, end);
        if let Some(id) = ended {
            self.tree.directives[id.0 as usize].end = self.next_token();
        }
    }

    /// Appends the [`TokenKind::Open`] of the current directive, which reaches to `end`; what follows stands in its block.
    pub fn open_block(&mut self, end: u32) {
        let ended = self.end_head();
        self.token(TokenKind::Open, end);
        if let Some(id) = ended {
            self.tree.directives[id.0 as usize].shape = Shape::Block;
            self.open.push(id);
        }
    }

    /// Sets the shape of a directive that was ended: for blocks in another language.
    pub fn set_raw(&mut self, id: DirectiveId) {
        let end = self.next_token();
        let directive = &mut self.tree.directives[id.0 as usize];
        directive.shape = Shape::Raw;
        directive.end = end;
    }

    /// The innermost open block.
    #[must_use]
    pub fn innermost(&self) -> Option<DirectiveId> {
        self.open.last().copied()
    }

    /// The open blocks, outermost first.
    #[must_use]
    pub fn open_blocks(&self) -> &[DirectiveId] {
        &self.open
    }

    /// Closes the innermost block after the tokens appended so far (its [`TokenKind::Close`] among them, where there is one).
    pub fn close_block(&mut self) -> Option<DirectiveId> {
        let id = self.open.pop()?;
        let end = self.next_token();
        let after = DirectiveId(u32::try_from(self.tree.directives.len()).unwrap_or(u32::MAX));
        let directive = &mut self.tree.directives[id.0 as usize];
        directive.end = end;
        directive.after = after;
        Some(id)
    }

    /// Notes that the server refuses the file here.
    pub fn error(&mut self, error: SyntaxError) {
        self.tree.errors.push(error);
    }

    /// The tree as grown so far, to look at names and ranges.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Ends what is still open and hands over the tree.
    #[must_use]
    pub fn finish(mut self) -> Tree {
        self.end_head();
        while self.close_block().is_some() {}
        // Twenty thousand trees live side by side: each takes what it needs, and the room to grow in goes to the next.
        let Tree { mut tokens, mut directives, errors, kinds } = self.tree;
        let tree = Tree { tokens: tokens.as_slice().into(), directives: directives.as_slice().into(), errors, kinds };
        tokens.clear();
        directives.clear();
        if tokens.capacity() <= LARGEST_SCRATCH {
            SCRATCH.set((tokens, directives));
        }
        tree
    }
}
