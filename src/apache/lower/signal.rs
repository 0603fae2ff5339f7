//! What the author's comments say about WebSockets.

use crate::apache::directives::directive;
use crate::gateway::Signal;
use crate::project::Store;
use crate::source::{SourceId, Span};
use crate::tree::{DirectiveId, TokenId, TokenKind};

/// What the comments directly above a directive say: those that no empty line separates from it.
pub(super) fn above(store: &Store, source: SourceId, id: DirectiveId, signals: &mut Vec<Signal>) {
    let tree = store.tree(source);
    let bytes = store.sources.get(source).bytes();
    let mut token = tree.directive(id).name.0;
    let mut line_ends = 0;
    while let Some(before) = token.checked_sub(1) {
        token = before;
        let range = tree.range(TokenId(token));
        match tree.token(TokenId(token)).kind {
            TokenKind::Mark => {}
            TokenKind::Blank => {
                line_ends += memchr::memchr_iter(b'\n', &bytes[range.start as usize..range.end as usize]).count();
                if line_ends > 1 {
                    return;
                }
            }
            TokenKind::Comment => {
                line_ends = 0;
                signals.extend(comment(Span::new(source, range.start, range.end), bytes));
            }
            _ => return,
        }
    }
}

/// What the comments inside a section say, those of sections within it left out.
pub(super) fn inside(store: &Store, source: SourceId, id: DirectiveId, signals: &mut Vec<Signal>) {
    let tree = store.tree(source);
    let bytes = store.sources.get(source).bytes();
    let section = tree.directive(id);
    let mut depth = 0u32;
    for token in (section.head_end.0..section.end.0).map(TokenId) {
        match tree.token(token).kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Comment if depth == 1 => {
                let range = tree.range(token);
                signals.extend(comment(Span::new(source, range.start, range.end), bytes));
            }
            _ => {}
        }
    }
}

fn comment(span: Span, bytes: &[u8]) -> Option<Signal> {
    Signal::of(&bytes[span.range()], span, is_directive)
}

/// Whether a comment's text is a line that was taken out. Names of one word (`Use`, `Include`) also begin sentences.
fn is_directive(text: &[u8]) -> bool {
    let name = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let capitals = name.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    text.starts_with(b"<") || capitals > 1 && !directive(name).is_empty()
}
