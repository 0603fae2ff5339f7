//! Texts with variables in them: `%{REQUEST_URI}`, `$1`, `%1` of `mod_rewrite`, `$1` of `ProxyPassMatch`.

use crate::gateway::{Change, Definition, Gateway, Map, MapEntry, MapKey, Part, SymbolicId, Unknown, Variable};
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
                let Some(end) = closing_brace(&text[at..]) else {
                    parts.text.extend_from_slice(&text[at..]);
                    break;
                };
                let name = &text[at + 2..at + end];
                if byte == b'%' {
                    server_variable(&mut parts, name, span);
                } else if let Some(colon) = memchr::memchr(b':', name) {
                    let part = mapped(parts.gateway, &name[..colon], &name[colon + 1..], span);
                    parts.part(part);
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

/// Where the brace closes that `text` begins with behind its first byte (`find_closing_curly`).
fn closing_brace(text: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at),
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// `${map:key|default}`: what httpd computes itself is known; the rows of other maps stand elsewhere.
fn mapped(gateway: &mut Gateway, map: &[u8], key: &[u8], span: Span) -> Part {
    let name = gateway.texts.intern(map);
    let Some(&function) = gateway.functions.get(&name) else { return Part::Unknown(Unknown::Environment) };
    let key = key.split(|&byte| byte == b'|').next().unwrap_or_default();
    // A key with a map in it would have to be looked up before.
    if key.windows(2).any(|pair| pair == b"${") {
        return Part::Unknown(Unknown::Unmodelled(span));
    }
    let key = rewrite_string(gateway, key, span);
    Part::Variable(Variable::Changed(function, key))
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

/// `lookup_variable` (`mod_rewrite.c`): what it does not know is empty.
pub(super) fn server_variable(parts: &mut Parts<'_>, name: &[u8], span: Span) {
    if name.len() < 4 {
        return;
    }
    if let Some((kind, inner)) = memchr::memchr(b':', name).map(|at| (&name[..at], &name[at + 1..])) {
        match kind.to_ascii_uppercase().as_slice() {
            b"HTTP" | b"ENV" | b"SSL" => looked_up(parts, kind, inner),
            b"LA-U" | b"LA-F" => looked_ahead(parts, inner, span),
            _ => {}
        }
        return;
    }
    match name.to_ascii_uppercase().as_slice() {
        b"HANDLER" | b"CONTENT_TYPE" | b"DOCUMENT_URI" | b"REQUEST_STATUS" | b"LAST_MODIFIED" | b"REQUEST_LOG_ID"
        | b"CONN_LOG_ID" | b"HTTP2" => {}
        b"SERVER_ADDR" => parts.part(Part::Variable(Variable::ServerAddress)),
        _ => common_variable(parts, name, span),
    }
}

/// What is looked up in a request on behalf of this one, `%{LA-U:…}`: what both have in common is known (`ap_set_sub_req_protocol`).
fn looked_ahead(parts: &mut Parts<'_>, name: &[u8], span: Span) {
    const SHARED: [&[u8]; 12] = [
        b"REMOTE_ADDR",
        b"REMOTE_HOST",
        b"REMOTE_USER",
        b"REMOTE_IDENT",
        b"AUTH_TYPE",
        b"SERVER_NAME",
        b"SERVER_PORT",
        b"SERVER_ADDR",
        b"REQUEST_SCHEME",
        b"HTTPS",
        b"THE_REQUEST",
        b"DOCUMENT_ROOT",
    ];
    let upper = name.to_ascii_uppercase();
    let is_header = upper.starts_with(b"HTTP:") || HEADER_VARIABLES.iter().any(|(header, _)| header.as_bytes() == upper);
    match upper.as_slice() {
        b"IS_SUBREQ" => parts.text.extend_from_slice(b"true"),
        b"REQUEST_METHOD" => parts.text.extend_from_slice(b"GET"),
        b"SERVER_PROTOCOL" => parts.text.extend_from_slice(b"INCLUDED"),
        upper if is_header || SHARED.contains(&upper) => server_variable(parts, name, span),
        _ => parts.part(Part::Unknown(Unknown::Unmodelled(span))),
    }
}

/// A variable of an expression (`request_var_fn`, `conn_var_fn`, `util_expr_eval.c`).
pub(super) fn expression_variable(parts: &mut Parts<'_>, name: &[u8], span: Span) {
    match name.to_ascii_uppercase().as_slice() {
        b"DOCUMENT_URI" => parts.part(Part::Variable(Variable::Path)),
        b"REQUEST_STATUS" => parts.text.extend_from_slice(b"200"),
        b"HTTP2" => parts.text.extend_from_slice(b"off"),
        b"CONTENT_TYPE" | b"HANDLER" | b"LAST_MODIFIED" | b"REQUEST_LOG_ID" | b"CONN_LOG_ID" => {
            parts.part(Part::Unknown(Unknown::Runtime));
        }
        upper if upper.starts_with(b"SSL_") => looked_up(parts, b"SSL", name),
        _ => common_variable(parts, name, span),
    }
}

/// What is looked up by a name: `%{HTTP:Upgrade}`, `req('Upgrade')`.
pub(super) fn looked_up(parts: &mut Parts<'_>, kind: &[u8], name: &[u8]) {
    let part = match kind.to_ascii_lowercase().as_slice() {
        b"http" | b"req" | b"req_novary" => Part::Variable(Variable::RequestHeader(parts.gateway.texts.intern_lower(name))),
        b"env" | b"reqenv" => Part::Variable(Variable::Process(parts.gateway.texts.intern(name))),
        // Nothing is answered yet.
        b"resp" => return,
        // Without TLS there are none.
        b"ssl" if parts.gateway.modules.has("ssl") == Some(false) => return,
        kind => match function(kind) {
            Change::Unknown => Part::Unknown(Unknown::Runtime),
            change => Part::Variable(Variable::Changed(change, literal(parts.gateway, name))),
        },
    };
    parts.part(part);
}

/// What a function makes of a text that it is given (`string_func_providers`, `util_expr_eval.c`).
pub(super) fn function(name: &[u8]) -> Change {
    match name.to_ascii_lowercase().as_slice() {
        b"tolower" => Change::Lower,
        b"toupper" => Change::Upper,
        b"escape" => Change::Escaped,
        b"unescape" => Change::Decoded,
        b"base64" => Change::Base64,
        b"unbase64" => Change::FromBase64,
        _ => Change::Unknown,
    }
}

/// The variables that rewrite rules and expressions share.
fn common_variable(parts: &mut Parts<'_>, name: &[u8], span: Span) {
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
        b"REMOTE_ADDR" | b"CONN_REMOTE_ADDR" | b"REMOTE_HOST" => Variable::ClientAddress,
        b"DOCUMENT_ROOT" | b"CONTEXT_DOCUMENT_ROOT" => Variable::DocumentRoot,
        b"PATH_INFO" => Variable::PathInfo,
        b"HTTPS" => https(parts.gateway, span),
        b"SERVER_PROTOCOL" => return parts.text.extend_from_slice(b"HTTP/1.1"),
        b"IS_SUBREQ" => Variable::IsSubrequest,
        b"IPV6" => return parts.text.extend_from_slice(b"off"),
        b"THE_REQUEST" => {
            parts.part(Part::Variable(Variable::Method));
            parts.text.push(b' ');
            parts.part(Part::Variable(Variable::RequestTarget));
            return parts.text.extend_from_slice(b" HTTP/1.1");
        }
        b"TIME" | b"TIME_YEAR" | b"TIME_MON" | b"TIME_DAY" | b"TIME_HOUR" | b"TIME_MIN" | b"TIME_SEC" | b"TIME_WDAY"
        | b"REMOTE_PORT" | b"SCRIPT_USER" | b"SCRIPT_GROUP" | b"SERVER_ADMIN" | b"SERVER_SOFTWARE" | b"API_VERSION" => {
            return parts.part(Part::Unknown(Unknown::Runtime));
        }
        // Nobody has given a password, no module asks for a name, and what is not known is empty.
        _ => return,
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
        let map = Map { span, subject, entries, default, volatile: true, hostnames: false, proxies, recursive, partial: None };
        gateway.variables.insert(name, Definition::Map(map));
    }
    Variable::Defined(name)
}
