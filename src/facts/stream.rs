//! The facts of other long-lived traffic than WebSockets: streams of events, gRPC; and of timeouts that are set and do not count.

use smallvec::SmallVec;

use super::app::for_events;
use super::route::proxied;
use super::{Definition, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{Assigned, Entry, Known, Origin, Property, Protocol, Proxy, Route, Server, SignalKind, Unknown};
use crate::handshake::{Probe, timeout};
use crate::source::Span;

/// The facts of streams.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "events",
        Subject::Route,
        Type::Text,
        events,
        "How sure it is that the route carries server-sent events: `declared`, `inferred` or `none`.",
    ),
    fact(
        "events.held_by",
        Subject::Route,
        Type::Text,
        held_by,
        "What holds events back or keeps them, the worst of it: `compression`, `cache` or `buffering`; absent where nothing does.",
    ),
    fact(
        "timeout.raised_instead",
        Subject::Route,
        Type::Text,
        raised_instead,
        "Where nothing sets the read timeout: a timeout that is raised and does not matter to an idle connection, as written; else absent.",
    ),
    fact(
        "timeout.in_vain",
        Subject::Route,
        Type::Text,
        in_vain,
        "Either of `timeout.raised_instead` and `timeout.of_other_protocol`: a line about a timeout that does not keep an idle connection to the upstream open.",
    ),
    fact(
        "timeout.of_other_protocol",
        Subject::Route,
        Type::Text,
        of_other_protocol,
        "A timeout of the route's own that is for another protocol than the upstream's, while the upstream's own has its default; else absent.",
    ),
    fact(
        "grpc.streams",
        Subject::Route,
        Type::Flag,
        grpc_streams,
        "Whether a gRPC route is meant for streams: its path speaks of them, or one of its timeouts is raised.",
    ),
    fact(
        "timeout.client_body",
        Subject::Route,
        Type::Duration,
        client_body,
        "How long the server waits for the client between two reads of a request's body.",
    ),
];

/// The effective value of a scalar; what surrounds a fragment is taken to set nothing.
fn scalar(reader: &Reader<'_>, route: &Route, property: Property) -> Known<Option<(Assigned, Span)>> {
    match reader.view.gateway.scopes.scalar(route.scope, property) {
        Ok(setting) => Ok(setting.and_then(|setting| Some((setting.value, setting.origin.span()?)))),
        Err(Unknown::Fragment(_)) => Ok(None),
        Err(why) => Err(why),
    }
}

fn events(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| {
        if let Some(signal) = route.signals.iter().find(|signal| signal.kind == SignalKind::Events) {
            return Reading::text("declared").at(signal.span, "a comment speaks of server-sent events");
        }
        // A plain GET asks for nothing: without a line for it, no closer look is needed.
        let is_set = reader.view.gateway.texts.find(b"accept").is_some();
        let accepted = is_set.then(|| reader.sent(Probe::Plain, "accept").ok()).flatten();
        if let Some(sent) = accepted.filter(|sent| sent.values.iter().any(|value| value.contains("text/event-stream"))) {
            let reading = Reading::text("declared");
            return sent.spans.iter().fold(reading, |reading, &span| reading.at(span, "asks for a stream of events"));
        }
        let path = reader.route_path(route).to_ascii_lowercase();
        let segments: SmallVec<[&str; 8]> = path.split('/').filter(|word| !word.is_empty()).collect();
        let (surely, perhaps) = for_events(&segments);
        let patient = || {
            let long = |entry: &&Entry| {
                entry.property == Property::read_timeout(proxy.protocol)
                    && matches!(entry.assigned, Assigned::Duration(time) if time.0 >= 3_600_000)
            };
            reader.view.gateway.scopes.own(route.scope).find(long).map(|entry| entry.span)
        };
        if surely {
            return Reading::text("inferred").at(route.span, "a path for server-sent events");
        }
        match patient() {
            Some(span) if perhaps => {
                Reading::text("inferred").at(route.span, "a path for events").at(span, "a timeout for long-lived connections")
            }
            _ => Reading::text("none"),
        }
    })
}

fn held_by(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| match reader.view.gateway.server {
        Server::Nginx => held_by_nginx(reader, route, proxy).unwrap_or_else(Reading::unknown),
        Server::Apache => held_by_httpd(reader, proxy).unwrap_or_else(Reading::unknown),
    })
}

/// Seen on 1.22.1: with buffering off nothing is held back; with it an answer that ends with its connection is held until a buffer is full, and
/// only chunks of HTTP/1.1 go out at once, to a client that keeps up (`ngx_event_pipe_read_upstream`); compression keeps everything until the end.
fn held_by_nginx(reader: &Reader<'_>, route: &Route, proxy: &Proxy) -> Known<Reading> {
    let gateway = reader.view.gateway;
    if proxy.protocol == Protocol::Grpc {
        return Ok(Reading::absent());
    }
    let buffering = scalar(reader, route, Property::buffering(proxy.protocol))?;
    if matches!(buffering, Some((Assigned::Flag(false), _))) {
        return Ok(Reading::absent());
    }
    let compresses = scalar(reader, route, Property::Compress)?.filter(|(value, _)| *value == Assigned::Flag(true));
    let (level, _) = gateway.scopes.list(route.scope, Property::CompressedTypes);
    let of_events = level.into_iter().flat_map(|level| gateway.scopes.own(level)).find(|entry| match entry.assigned {
        Assigned::Text(kind) if entry.property == Property::CompressedTypes => {
            matches!(gateway.symbolics.literal(kind, &gateway.texts), Some(b"*" | b"text/event-stream"))
        }
        _ => false,
    });
    if let (Some((_, span)), Some(types)) = (compresses, of_events) {
        return Ok(Reading::text("compression").at(types.span, "events are compressed").at(span, "compression is on"));
    }
    let off = |value| matches!(value, Assigned::Text(zone) if gateway.symbolics.literal(zone, &gateway.texts) == Some(b"off"));
    if let Some((_, span)) = scalar(reader, route, Property::cache(proxy.protocol))?.filter(|&(value, _)| !off(value)) {
        return Ok(Reading::text("cache").at(span, "answers are kept here"));
    }
    Ok(match buffering {
        Some((_, span)) => Reading::text("buffering").at(span, "switched on here"),
        None => Reading::text("buffering").at(proxy.span, "buffered, as nothing says otherwise"),
    })
}

/// `mod_proxy_http` passes on what it has as soon as the backend pauses (seen on 2.4.71, with `DEFLATE` and without); `mod_proxy_fcgi` and
/// `mod_proxy_ajp` do with `flushpackets=on` only.
fn held_by_httpd(reader: &Reader<'_>, proxy: &Proxy) -> Known<Reading> {
    if !matches!(proxy.protocol, Protocol::FastCgi | Protocol::Ajp) {
        return Ok(Reading::absent());
    }
    let flushes = match proxy.worker {
        Some(worker) => reader.view.gateway.scopes.scalar(worker, Property::Buffering)?,
        None => None,
    };
    Ok(match flushes {
        Some(setting) if setting.value == Assigned::Flag(false) => Reading::absent(),
        Some(setting) if let Some(span) = setting.origin.span() => Reading::text("buffering").at(span, "set here"),
        _ => Reading::text("buffering").at(proxy.span, "without `flushpackets=on`"),
    })
}

/// What is written on a directive that sets a duration of five minutes or more.
fn raised(reader: &Reader<'_>, entry: Option<(Assigned, Span)>) -> Option<(String, Span)> {
    const RAISED: u64 = 300_000;
    match entry {
        Some((Assigned::Duration(time), span)) if time.0 >= RAISED => {
            Some((String::from_utf8_lossy(reader.view.sources.slice(span)).into_owned(), span))
        }
        _ => None,
    }
}

/// The reading of a fact about timeouts that are set instead of the one that counts, where that one is set, or cannot be known.
fn where_read_timeout_is_set(reader: &Reader<'_>, route: &Route, proxy: &Proxy) -> Option<Reading> {
    match timeout(reader.view.gateway, route.scope, Property::read_timeout(proxy.protocol)) {
        Err(why) => Some(Reading::unknown(why)),
        Ok(setting) => (setting.origin != Origin::Default).then(Reading::absent),
    }
}

fn raised_instead(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| {
        if reader.view.gateway.server != Server::Nginx {
            return Reading::absent();
        }
        if let Some(settled) = where_read_timeout_is_set(reader, route, proxy) {
            return settled;
        }
        let others = [
            Property::send_timeout(proxy.protocol),
            Property::connect_timeout(proxy.protocol),
            Property::ClientSendTimeout,
            Property::KeepaliveTimeout,
            Property::ClientBodyTimeout,
            Property::ClientHeadTimeout,
        ];
        for property in others {
            match scalar(reader, route, property) {
                Err(why) => return Reading::unknown(why),
                Ok(entry) => {
                    if let Some((written, span)) = raised(reader, entry) {
                        return Reading::new(Value::text(written))
                            .at(span, "raised here, and an idle connection is cut all the same");
                    }
                }
            }
        }
        Reading::absent()
    })
}

fn in_vain(reader: &Reader<'_>, _: &str) -> Reading {
    match of_other_protocol(reader, "") {
        found if found.is_absent() => raised_instead(reader, ""),
        found => found,
    }
}

fn of_other_protocol(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| {
        if !proxy.protocol.has_own_settings() || reader.view.gateway.server != Server::Nginx {
            return Reading::absent();
        }
        if let Some(settled) = where_read_timeout_is_set(reader, route, proxy) {
            return settled;
        }
        let foreign = |entry: &&Entry| matches!(entry.property, Property::ReadTimeout | Property::SendTimeout);
        match reader.view.gateway.scopes.own(route.scope).find(foreign) {
            Some(entry) => {
                let written = String::from_utf8_lossy(reader.view.sources.slice(entry.span)).into_owned();
                Reading::new(Value::text(written)).at(entry.span, "for `proxy_pass` only").at(proxy.span, "passed on here")
            }
            None => Reading::absent(),
        }
    })
}

fn grpc_streams(reader: &Reader<'_>, _: &str) -> Reading {
    const WORDS: [&str; 8] = ["stream", "watch", "subscri", "chat", "listen", "notif", "event", "tail"];
    proxied(reader, |route, proxy| {
        if proxy.protocol != Protocol::Grpc {
            return Reading::absent();
        }
        let path = reader.route_path(route).to_ascii_lowercase();
        if WORDS.iter().any(|word| path.contains(word)) {
            return Reading::new(Value::Flag(true)).at(route.span, "a path that speaks of streams");
        }
        let timeouts =
            [Property::read_timeout(Protocol::Grpc), Property::send_timeout(Protocol::Grpc), Property::ClientBodyTimeout];
        let mut entries = timeouts.into_iter().filter_map(|property| scalar(reader, route, property).ok().flatten());
        match entries.find_map(|entry| raised(reader, Some(entry))) {
            Some((_, span)) => Reading::new(Value::Flag(true)).at(span, "raised for streams"),
            None => Reading::new(Value::Flag(false)),
        }
    })
}

fn client_body(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((_, route)) = reader.route() else { return Reading::absent() };
    match timeout(reader.view.gateway, route.scope, Property::ClientBodyTimeout) {
        Ok(setting) => {
            let reading = Reading::new(Value::Duration(setting.value));
            setting.origin.span().into_iter().fold(reading, |reading, span| reading.at(span, "set here"))
        }
        Err(why) => Reading::unknown(why),
    }
}
