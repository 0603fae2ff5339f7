//! Texts with variables in them: `%{REQUEST_URI}`, `$1`, `%1` of `mod_rewrite`, `$1` of `ProxyPassMatch`.

use crate::gateway::{Definition, Gateway, Map, MapEntry, MapKey, Part, SymbolicId, Unknown, Variable};
use crate::source::Span;

/// Collects parts; text that stands together becomes one.
pub(super) struct Parts<'g> {
    gateway: &'g mut Gateway,
    pub(super) text: Vec<u8>,
    done: Vec<Part>,
}

impl Parts<'_> {
    pub(super) fn part(&mut self, part: Part) {
        if !self.text.is_empty() {
            let text = self.gateway.texts.intern(&self.text);
            self.text.clear();
            self.done.push(Part::Text(text));
        }
        self.done.push(part);
    }

    pub(super) fn finish(mut self) -> SymbolicId {
        if !self.text.is_empty() {
            let text = self.gateway.texts.intern(&self.text);
            self.done.push(Part::Text(text));
        }
        self.gateway.symbolics.intern(&self.done)
    }
}

pub(super) fn parts(gateway: &mut Gateway) -> Parts<'_> {
    Parts { gateway, text: Vec::new(), done: Vec::new() }
}

/// A text without variables.
pub(super) fn literal(gateway: &mut Gateway, text: &[u8]) -> SymbolicId {
    let mut parts = parts(gateway);
    parts.text.extend_from_slice(text);
    parts.finish()
}

/// A value that cannot be known.
pub(super) fn unknown(gateway: &mut Gateway, why: Unknown) -> SymbolicId {
    gateway.symbolics.intern(&[Part::Unknown(why)])
}

/// The URL of `ProxyPassMatch`: `$n` are captures; without any the path is appended (`ap_proxy_trans_match`, `mod_proxy.c`).
pub(super) fn match_url(gateway: &mut Gateway, text: &[u8]) -> SymbolicId {
    let (mut parts, captures) = with_captures(gateway, text);
    if !captures {
        parts.part(Part::Variable(Variable::Path));
    }
    parts.finish()
}

/// A text in which `$n` are captures (`ap_pregsub`, `server/util.c`).
pub(super) fn captured(gateway: &mut Gateway, text: &[u8]) -> SymbolicId {
    with_captures(gateway, text).0.finish()
}

fn with_captures<'g>(gateway: &'g mut Gateway, text: &[u8]) -> (Parts<'g>, bool) {
    let mut parts = parts(gateway);
    let mut at = 0;
    let mut captures = false;
    while let Some(&byte) = text.get(at) {
        if let (b'$', Some(digit @ b'0'..=b'9')) = (byte, text.get(at + 1)) {
            parts.part(Part::Variable(Variable::Capture(digit - b'0')));
            captures = true;
            at += 2;
        } else {
            parts.text.push(byte);
            at += 1;
        }
    }
    (parts, captures)
}

/// The value of `RequestHeader`: `%{name}e` is a variable of the request (`parse_format_string`, `mod_headers.c`); where something is
/// `replaced`, `$n` are captures.
pub(super) fn header_value(gateway: &mut Gateway, text: &[u8], replaced: bool) -> SymbolicId {
    let mut parts = parts(gateway);
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if let (true, b'$', Some((digit @ b'0'..=b'9', after))) = (replaced, byte, after.split_first()) {
            parts.part(Part::Variable(Variable::Capture(digit - b'0')));
            rest = after;
            continue;
        }
        if byte != b'%' {
            parts.text.push(byte);
            continue;
        }
        match after {
            [b'%', after @ ..] => {
                parts.text.push(b'%');
                rest = after;
            }
            [b'{', ..] if let Some(end) = memchr::memchr(b'}', after) => {
                let part = match after.get(end + 1) {
                    Some(b'e') => Part::Variable(Variable::ProcessOrNull(parts.gateway.texts.intern(&after[1..end]))),
                    // A variable of `mod_ssl`: without TLS there are none.
                    Some(b's') if parts.gateway.modules.has("ssl") == Some(false) => {
                        parts.text.extend_from_slice(b"(null)");
                        rest = after.get(end + 2..).unwrap_or_default();
                        continue;
                    }
                    _ => Part::Unknown(Unknown::Runtime),
                };
                parts.part(part);
                rest = after.get(end + 2..).unwrap_or_default();
            }
            [_, after @ ..] => {
                parts.part(Part::Unknown(Unknown::Runtime));
                rest = after;
            }
            [] => {}
        }
    }
    parts.finish()
}

/// A string of `mod_rewrite`: `do_expand` (`mod_rewrite.c`).
pub(super) fn rewrite_string(gateway: &mut Gateway, text: &[u8], span: Span) -> SymbolicId {
    let mut parts = parts(gateway);
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let next = text.get(at + 1).copied();
        match (byte, next) {
            (b'\\', Some(next)) => {
                parts.text.push(next);
                at += 2;
            }
            (b'$', Some(digit @ b'0'..=b'9')) => {
                parts.part(Part::Variable(Variable::Capture(digit - b'0')));
                at += 2;
            }
            (b'%', Some(digit @ b'0'..=b'9')) => {
                parts.part(Part::Variable(Variable::ConditionCapture(digit - b'0')));
                at += 2;
            }
            (b'$' | b'%', Some(b'{')) => {
                let Some(end) = memchr::memchr(b'}', &text[at..]) else {
                    parts.text.extend_from_slice(&text[at..]);
                    break;
                };
                let name = &text[at + 2..at + end];
                if byte == b'%' {
                    server_variable(&mut parts, name, span);
                } else if name.contains(&b':') {
                    // A rewrite map: its rows are in another file.
                    parts.part(Part::Unknown(Unknown::Environment));
                } else {
                    parts.part(Part::Unknown(Unknown::UndefinedVariable(span)));
                }
                at += end + 1;
            }
            _ => {
                parts.text.push(byte);
                at += 1;
            }
        }
    }
    parts.finish()
}

/// The headers that `mod_rewrite` knows as `HTTP_…` (`lookup_variable`); every other such name is empty.
const HEADER_VARIABLES: [(&str, &str); 7] = [
    ("HTTP_USER_AGENT", "user-agent"),
    ("HTTP_REFERER", "referer"),
    ("HTTP_COOKIE", "cookie"),
    ("HTTP_FORWARDED", "forwarded"),
    ("HTTP_HOST", "host"),
    ("HTTP_PROXY_CONNECTION", "proxy-connection"),
    ("HTTP_ACCEPT", "accept"),
];

/// `lookup_variable` (`mod_rewrite.c`).
pub(super) fn server_variable(parts: &mut Parts<'_>, name: &[u8], span: Span) {
    if let Some((kind, inner)) = memchr::memchr(b':', name).map(|at| (&name[..at], &name[at + 1..])) {
        let is = |names: &[&str]| names.iter().any(|name| kind.eq_ignore_ascii_case(name.as_bytes()));
        let part = if is(&["HTTP", "req", "req_novary"]) {
            Part::Variable(Variable::RequestHeader(parts.gateway.texts.intern_lower(inner)))
        } else if is(&["ENV", "reqenv"]) {
            Part::Variable(Variable::Process(parts.gateway.texts.intern(inner)))
        } else {
            Part::Unknown(Unknown::Runtime)
        };
        return parts.part(part);
    }
    let upper = name.to_ascii_uppercase();
    if let Some((_, header)) = HEADER_VARIABLES.iter().find(|(variable, _)| variable.as_bytes() == upper) {
        let header = parts.gateway.texts.intern(header.as_bytes());
        return parts.part(Part::Variable(Variable::RequestHeader(header)));
    }
    let variable = match upper.as_slice() {
        b"REQUEST_URI" => Variable::Path,
        b"REQUEST_FILENAME" | b"SCRIPT_FILENAME" => Variable::FileName,
        b"QUERY_STRING" => Variable::Query,
        b"REQUEST_METHOD" => Variable::Method,
        b"REQUEST_SCHEME" => Variable::Scheme,
        b"SERVER_NAME" => Variable::SiteName,
        b"SERVER_PORT" => Variable::ServerPort,
        b"REMOTE_ADDR" | b"CONN_REMOTE_ADDR" => Variable::ClientAddress,
        b"HTTPS" => https(parts.gateway, span),
        b"SERVER_PROTOCOL" => return parts.text.extend_from_slice(b"HTTP/1.1"),
        b"THE_REQUEST" => {
            parts.part(Part::Variable(Variable::Method));
            parts.text.push(b' ');
            parts.part(Part::Variable(Variable::RequestTarget));
            return parts.text.extend_from_slice(b" HTTP/1.1");
        }
        _ if upper.starts_with(b"HTTP_") => return,
        _ => return parts.part(Part::Unknown(Unknown::Runtime)),
    };
    parts.part(Part::Variable(variable));
}

/// `%{HTTPS}` is `on` or `off`, never empty: a table over whether the client came over TLS.
fn https(gateway: &mut Gateway, span: Span) -> Variable {
    let name = gateway.texts.intern(b"https");
    if !gateway.variables.contains_key(&name) {
        let on = gateway.texts.intern(b"on");
        let value = literal(gateway, b"on");
        let default = literal(gateway, b"off");
        let subject = gateway.symbolics.intern(&[Part::Variable(Variable::Tls)]);
        let entries = vec![MapEntry { key: MapKey::Text(on), value, span }];
        let (proxies, recursive) = (Vec::new(), false);
        let map = Map { span, subject, entries, default, volatile: true, proxies, recursive, partial: None };
        gateway.variables.insert(name, Definition::Map(map));
    }
    Variable::Defined(name)
}
