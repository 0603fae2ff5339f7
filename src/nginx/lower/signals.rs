//! Comments that speak of WebSockets, or say outright whether a route is meant for them.

use memchr::memchr2;

use crate::gateway::{Signal, SignalKind};
use crate::source::Span;

/// What a comment hints at.
pub(super) fn signal(comment: &[u8], span: Span) -> Option<Signal> {
    let text = comment.trim_ascii_start().strip_prefix(b"#").unwrap_or(comment).trim_ascii();
    if let Some(mark) = text.strip_prefix(b"proxylint:") {
        return match mark.trim_ascii() {
            b"websocket" => Some(Signal { kind: SignalKind::Declared, span }),
            b"no-websocket" => Some(Signal { kind: SignalKind::Denied, span }),
            _ => None,
        };
    }
    // Text that ends like a directive is a line that was taken out.
    let is_prose = !text.ends_with(b";") && !text.ends_with(b"{");
    (is_prose && speaks_of_websockets(text)).then_some(Signal { kind: SignalKind::Comment, span })
}

fn speaks_of_websockets(text: &[u8]) -> bool {
    const PHRASES: [&[u8]; 7] = [b"websocket", b"web socket", b"socket.io", b"signalr", b"ws://", b"wss://", b"hot reload"];
    holds_any(text, &PHRASES) || holds_word(text, b"hmr")
}

fn holds_any(text: &[u8], phrases: &[&[u8]]) -> bool {
    // Every phrase but two begins with `w` or `s`: look there only.
    let mut from = 0;
    let starts =
        |text: &[u8]| phrases.iter().any(|phrase| text.get(..phrase.len()).is_some_and(|head| head.eq_ignore_ascii_case(phrase)));
    while let Some(at) = text[from..].iter().position(|byte| matches!(byte, b'w' | b'W' | b's' | b'S' | b'h' | b'H')) {
        if starts(&text[from + at..]) {
            return true;
        }
        from += at + 1;
    }
    false
}

fn holds_word(text: &[u8], word: &[u8]) -> bool {
    let mut from = 0;
    while let Some(at) = memchr2(word[0], word[0].to_ascii_uppercase(), &text[from..]) {
        let start = from + at;
        let end = start + word.len();
        let bounded = |at: Option<usize>| at.and_then(|at| text.get(at)).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        if text.get(start..end).is_some_and(|found| found.eq_ignore_ascii_case(word))
            && bounded(start.checked_sub(1))
            && bounded(Some(end))
        {
            return true;
        }
        from = start + 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;

    fn kind(comment: &str) -> Option<SignalKind> {
        signal(comment.as_bytes(), Span::new(SourceId(0), 0, 0)).map(|signal| signal.kind)
    }

    #[test]
    fn comments_that_speak_of_websockets() {
        for comment in ["# WebSocket support", "# for Socket.IO", "# vite HMR", "# proxies wss:// too", "#hot reload"] {
            assert_eq!(kind(comment), Some(SignalKind::Comment), "{comment}");
        }
        for comment in ["# windows sockets", "# shmring", "# proxy_pass http://websocket;", "#", ""] {
            assert_eq!(kind(comment), None, "{comment}");
        }
    }

    #[test]
    fn the_author_s_word_stands() {
        assert_eq!(kind("# proxylint: websocket"), Some(SignalKind::Declared));
        assert_eq!(kind("#proxylint: no-websocket "), Some(SignalKind::Denied));
        assert_eq!(kind("# proxylint: ignore[syntax] websocket"), None);
    }
}
