//! What the author's comments say about WebSockets.

use crate::gateway::{Signal, SignalKind};
use crate::project::Store;
use crate::source::{SourceId, Span};
use crate::tree::{DirectiveId, TokenId, TokenKind};

/// Words in a comment that speak of WebSockets, in lower case.
const WORDS: [&[u8]; 10] = [
    b"websocket",
    b"web socket",
    b"web-socket",
    b"socket.io",
    b"sockjs",
    b"signalr",
    b"actioncable",
    b"ws://",
    b"wss://",
    b"hot reload",
];

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
    let text = bytes[span.range()].to_ascii_lowercase();
    let said = text.trim_ascii_start().strip_prefix(b"#").unwrap_or(&text).trim_ascii();
    let kind = match said.strip_prefix(b"proxylint:").map(<[u8]>::trim_ascii) {
        Some(mark) if mark.starts_with(b"websocket") => SignalKind::Declared,
        Some(mark) if mark.starts_with(b"no-websocket") => SignalKind::Denied,
        None if WORDS.iter().any(|word| memchr::memmem::find(said, word).is_some()) => SignalKind::Comment,
        _ => return None,
    };
    Some(Signal { kind, span })
}
