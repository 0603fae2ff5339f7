//! The facts of what the upstream is sent beyond single headers: lines as written, repetitions, what keeps a request from being a handshake.

use super::{Definition, Reader, Reading, Subject, Type, Value, fact, intent};
use crate::gateway::{Assigned, Matcher, Property, Protocol, Proxy, Route, Server, Setting};
use crate::handshake::{Probe, Sent};
use crate::source::Span;

/// The facts of what is sent.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "handshake.written_header.<name>",
        Subject::Route,
        Type::Text,
        written_header,
        "The value of the line that sets a header of the request to the upstream, as written; absent where no line does.",
    ),
    fact(
        "handshake.repeated_headers",
        Subject::Route,
        Type::List,
        repeated_headers,
        "The headers of a handshake, in lower case, that the upstream is sent more than once.",
    ),
    fact(
        "handshake.lacks",
        Subject::Route,
        Type::List,
        lacks,
        "What else keeps the request that the upstream is sent from being a handshake: its method, its body, the keys that a browser sends.",
    ),
    fact(
        "plain.forced",
        Subject::Route,
        Type::Flag,
        plain_forced,
        "Whether plain requests to the route ask the upstream for an upgrade as well.",
    ),
    fact(
        "plain.certainty",
        Subject::Route,
        Type::Text,
        plain_certainty,
        "How sure it is that the route serves plain requests as well: `certain`, `possible`, or `none` where its path is one for WebSockets.",
    ),
];

/// The headers that a handshake has once (RFC 6455, section 4.2.1), and the host, which every request has once (RFC 9112, section 3.2).
const ONCE: [&str; 4] = ["upgrade", "host", "sec-websocket-key", "sec-websocket-version"];

/// A fact of a route that asks its upstream with HTTP, as the members of a group most often are.
fn http(reader: &Reader<'_>, read: impl FnOnce(&Route, &Proxy) -> Reading) -> Reading {
    match reader.proxy() {
        Some((route, proxy)) if proxy.protocol.is_http() || proxy.protocol == Protocol::Balancer => read(route, proxy),
        _ => Reading::absent(),
    }
}

fn written_header(reader: &Reader<'_>, name: &str) -> Reading {
    http(reader, |_, _| match reader.sent(Probe::Chrome, name) {
        Err(why) => Reading::unknown(why),
        Ok(Sent { spans, .. }) => match spans.first() {
            Some(&line) => Reading::new(Value::text(last_word(reader, line))).at(line, "set here"),
            None => Reading::absent(),
        },
    })
}

/// The last word of a directive, without its quotes.
fn last_word(reader: &Reader<'_>, line: Span) -> String {
    let text = String::from_utf8_lossy(reader.view.sources.slice(line)).into_owned();
    let word = match text.chars().last() {
        Some(quote @ ('"' | '\'')) => text[..text.len() - 1].rsplit_once(quote).map(|(_, word)| word),
        _ => text.rsplit_once(char::is_whitespace).map(|(_, word)| word),
    };
    word.unwrap_or(&text).to_owned()
}

fn repeated_headers(reader: &Reader<'_>, _: &str) -> Reading {
    http(reader, |_, _| {
        let mut repeated = Vec::new();
        let mut reading = Reading::absent();
        for name in ONCE {
            match reader.sent(Probe::Chrome, name) {
                Ok(Sent { values, spans, .. }) if values.len() > 1 => {
                    // The later line is the one too many.
                    for (index, &span) in spans.iter().rev().enumerate() {
                        reading = reading.at(span, if index == 0 { "sent once more here" } else { "sent here" });
                    }
                    repeated.push(name.to_owned());
                }
                _ => {}
            }
        }
        if repeated.is_empty() { Reading::absent() } else { Reading { value: Ok(Value::List(repeated)), ..reading } }
    })
}

fn lacks(reader: &Reader<'_>, _: &str) -> Reading {
    http(reader, |route, proxy| {
        let mut lacks = Vec::new();
        let mut reading = Reading::absent();
        let mut add = |what: String, span: Span, note: &'static str| {
            reading = std::mem::replace(&mut reading, Reading::absent()).at(span, note);
            lacks.push(what);
        };
        // What the backend makes of the key must be what the client makes of its own.
        let key = reader.chrome(route).header(b"sec-websocket-key");
        for (name, wanted) in [("Sec-WebSocket-Key", key), ("Sec-WebSocket-Version", Some("13"))] {
            match reader.sent(Probe::Chrome, &name.to_ascii_lowercase()) {
                Err(why) => return Reading::unknown(why),
                Ok(Sent { values, spans, .. }) => {
                    let fits = values.first().is_some_and(|value| wanted.is_none_or(|wanted| wanted == value));
                    if !fits {
                        let line = spans.first().copied().or_else(|| withheld(reader, route)).unwrap_or(proxy.span);
                        let what = values.first().map_or(format!("no {name}"), |value| format!("{name}: {value}"));
                        add(what, line, "withheld here");
                    }
                }
            }
        }
        match reader.view.gateway.server {
            Server::Nginx => {
                if let Some((value, line)) = text(reader, route, proxy, Property::Method)
                    && value != "GET"
                {
                    add(format!("method {value}"), line, "asks with another method");
                }
                if let Some((_, line)) = text(reader, route, proxy, Property::Body) {
                    add("a body".to_owned(), line, "sends a body");
                }
            }
            Server::Apache => {
                let walk =
                    reader.walk().filter(|walk| walk.upstream_request.as_ref().is_some_and(|asked| asked.http_version == "1.0"));
                if let Some(walk) = walk {
                    let line = walk.because.iter().filter(|because| because.culprit).find_map(|because| because.span);
                    add("HTTP/1.0".to_owned(), line.unwrap_or(proxy.span), "asks in HTTP/1.0");
                }
            }
        }
        if lacks.is_empty() { Reading::absent() } else { Reading { value: Ok(Value::List(lacks)), ..reading } }
    })
}

/// The line that withholds the client's headers.
fn withheld(reader: &Reader<'_>, route: &Route) -> Option<Span> {
    match reader.view.gateway.scopes.scalar(route.scope, Property::PassRequestHeaders) {
        Ok(Some(Setting { value: Assigned::Flag(false), origin })) => origin.span(),
        _ => None,
    }
}

/// The value of a text in force under a handshake, and its line.
fn text(reader: &Reader<'_>, route: &Route, proxy: &Proxy, property: Property) -> Option<(String, Span)> {
    let setting = reader.view.gateway.scopes.scalar(route.scope, property).ok()??;
    let Assigned::Text(text) = setting.value else { return None };
    let request = reader.chrome(route);
    let value = reader.environment(route, proxy, request).evaluate(text).ok()?;
    Some((value, setting.origin.span()?))
}

fn plain_forced(reader: &Reader<'_>, _: &str) -> Reading {
    http(reader, |_, _| {
        let mut forced = Reading::new(Value::Flag(false));
        for name in ["upgrade", "connection"] {
            match reader.sent(Probe::Plain, name) {
                Err(why) => return Reading::unknown(why),
                Ok(Sent { values, spans, .. }) => {
                    let mut tokens = values.iter().flat_map(|value| value.split(','));
                    if tokens.any(|token| name == "upgrade" || token.trim().eq_ignore_ascii_case("upgrade")) {
                        forced.value = Ok(Value::Flag(true));
                        forced = spans.into_iter().fold(forced, |forced, span| forced.at(span, "sent for every request"));
                    }
                }
            }
        }
        forced
    })
}

fn plain_certainty(reader: &Reader<'_>, _: &str) -> Reading {
    http(reader, |route, _| {
        let gateway = reader.view.gateway;
        let everything = |text| matches!(gateway.texts.get(text), b"/" | b"" | b"^" | b"^/" | b".*" | b"^/(.*)$" | b"^/.*");
        let certainty = match route.matcher {
            Matcher::Named(_) => "certain",
            Matcher::Exact(text) | Matcher::Prefix { text, .. } | Matcher::Segments(text) if everything(text) => "certain",
            Matcher::Pattern { pattern, .. } if everything(pattern) => "certain",
            _ if intent::is_for_websockets(reader, route) => "none",
            _ => "possible",
        };
        Reading::new(Value::text(certainty)).at(route.span, "the route")
    })
}
