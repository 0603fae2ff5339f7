//! What the author's comments say about a route: that it is meant for WebSockets, that it is not, or something about WebSockets.

use crate::source::{Mark, Span};

/// A hint that a route is meant for WebSockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// What kind of hint.
    pub kind: SignalKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of hints that are not settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalKind {
    /// The author says so: `# proxylint: websocket`.
    Declared,
    /// The author says it is not: `# proxylint: no-websocket`.
    Denied,
    /// A comment speaks of WebSockets, or names a library that uses them.
    Comment,
    /// A comment speaks of server-sent events.
    Events,
}

/// What speaks of WebSockets wherever it stands; each begins with one of [`INITIALS`].
const PHRASES: [&[u8]; 9] =
    [b"websocket", b"web socket", b"web-socket", b"socket.io", b"sockjs", b"signalr", b"ws://", b"wss://", b"hot reload"];

const INITIALS: [u8; 3] = [b'w', b's', b'h'];

/// What speaks of server-sent events.
const EVENTS: [&[u8]; 5] = [b"sse", b"server-sent", b"server sent events", b"event-stream", b"eventsource"];

impl Signal {
    /// What `comment`, from its `#` on, hints at. `is_code` says whether a text is a directive that was taken out: it hints at nothing.
    #[must_use]
    pub fn of(comment: &[u8], span: Span, is_code: impl FnOnce(&[u8]) -> bool) -> Option<Self> {
        if let Some(mark) = Mark::of(comment) {
            return match &comment[mark.verb] {
                b"websocket" => Some(Self { kind: SignalKind::Declared, span }),
                b"no-websocket" => Some(Self { kind: SignalKind::Denied, span }),
                _ => None,
            };
        }
        let start = comment.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b'#').count();
        let kind = if holds_any(comment, &PHRASES) || holds_word(comment, b"hmr") {
            SignalKind::Comment
        } else if EVENTS.iter().any(|word| holds_word(comment, word)) {
            SignalKind::Events
        } else {
            return None;
        };
        (!is_code(comment[start..].trim_ascii())).then_some(Self { kind, span })
    }
}

/// Whether one of `phrases` stands in `text`, in any case. Nothing is copied: a big tree is full of comments.
fn holds_any(text: &[u8], phrases: &[&[u8]]) -> bool {
    let starts = |text: &[u8]| phrases.iter().any(|phrase| starts_with(text, phrase));
    let at_initials = text.iter().enumerate().filter(|(_, byte)| INITIALS.contains(&byte.to_ascii_lowercase()));
    at_initials.map(|(at, _)| &text[at..]).any(starts)
}

/// Whether `text` holds `word` between other characters than letters and digits, in any case.
fn holds_word(text: &[u8], word: &[u8]) -> bool {
    let bounded = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    memchr::memchr2_iter(word[0], word[0].to_ascii_uppercase(), text).any(|at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        starts_with(&text[at..], word) && bounded(before) && bounded(text.get(at + word.len()))
    })
}

fn starts_with(text: &[u8], head: &[u8]) -> bool {
    text.get(..head.len()).is_some_and(|start| start.eq_ignore_ascii_case(head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;

    fn kind(comment: &str) -> Option<SignalKind> {
        let is_code = |text: &[u8]| text.ends_with(b";");
        Signal::of(comment.as_bytes(), Span::new(SourceId(0), 0, 0), is_code).map(|signal| signal.kind)
    }

    #[test]
    fn comments_that_speak_of_websockets() {
        for comment in
            ["# WebSocket support", "# for Socket.IO", "# vite HMR", "# proxies wss:// too", "#hot reload", "## SockJS"]
        {
            assert_eq!(kind(comment), Some(SignalKind::Comment), "{comment}");
        }
        for comment in ["# windows sockets", "# shmring", "# proxy_pass http://websocket;", "#", ""] {
            assert_eq!(kind(comment), None, "{comment}");
        }
    }

    #[test]
    fn comments_that_speak_of_events() {
        for comment in ["# SSE", "# Server-Sent Events need this", "# text/event-stream", "# for EventSource"] {
            assert_eq!(kind(comment), Some(SignalKind::Events), "{comment}");
        }
        for comment in ["# asset cache", "# events", "# assess", "# gzip_types text/event-stream;"] {
            assert_eq!(kind(comment), None, "{comment}");
        }
    }

    #[test]
    fn every_phrase_is_looked_for() {
        assert!(PHRASES.iter().all(|phrase| INITIALS.contains(&phrase[0])));
    }

    #[test]
    fn the_author_s_word_stands() {
        assert_eq!(kind("# proxylint: websocket"), Some(SignalKind::Declared));
        assert_eq!(kind("#proxylint: no-websocket  a page only"), Some(SignalKind::Denied));
        assert_eq!(kind("# proxylint: ignore[syntax] websocket"), None);
    }
}
