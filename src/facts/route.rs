//! The facts of routes.

use smallvec::smallvec;

use super::{Definition, Evidence, Reader, Reading, Subject, Type, Value, fact, intent};
use crate::gateway::{
    Assigned, Condition, Known, Matcher, Origin, Part, Property, Protocol, Proxy, Requirement, Route, RouteId, Server, Setting,
    Target, Unknown, Variable, Version, host_and_port,
};
use crate::handshake::{Limit, Probe, Selected, Sent, Verdict, conditions_hold, holds, idle_limit, timeout};
use crate::rules::Intent;
use crate::source::Span;

/// The facts of routes.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "intent",
        Subject::Route,
        Type::Text,
        intent,
        "How sure it is that the route is meant for WebSockets: `declared`, `inferred`, `possible` or `none`.",
    ),
    fact(
        "target.kind",
        Subject::Route,
        Type::Text,
        target_kind,
        "What happens to a request: `proxy`, `excluded` from proxying, `answer` by the server itself, or `files`.",
    ),
    fact(
        "target.scheme",
        Subject::Route,
        Type::Text,
        target_scheme,
        "The scheme of the upstream: `http`, `https`, `http or https` where a variable decides, `ws`, `wss`, `h2`, `fcgi`, `uwsgi`, `scgi`, `grpc`, `ajp`, `balancer` or `other`.",
    ),
    fact(
        "target.websocket",
        Subject::Route,
        Type::Flag,
        is_websocket_scheme,
        "Whether the scheme is `ws` or `wss`, with which the server upgrades by itself.",
    ),
    fact(
        "target.host",
        Subject::Route,
        Type::Text,
        target_host,
        "The host of the upstream or the name of its group, as written.",
    ),
    fact("target.port", Subject::Route, Type::Number, target_port, "The port of the upstream; absent where none is written."),
    fact(
        "target.uri",
        Subject::Route,
        Type::Text,
        target_uri,
        "The path that replaces the matched part of the request's; absent where none is written.",
    ),
    fact(
        "http_version",
        Subject::Route,
        Type::Version,
        http_version,
        "The HTTP version that the upstream is asked with: 1.0, 1.1 or 2.",
    ),
    fact(
        "handshake.request_header.<name>",
        Subject::Route,
        Type::List,
        handshake_header,
        "A header of the request that the upstream is sent for a WebSocket handshake as Chrome makes it: its comma-separated tokens, in lower case; absent where it is not sent.",
    ),
    fact("plain.request_header.<name>", Subject::Route, Type::List, plain_header, "The same for a plain GET."),
    fact(
        "handshake.taken",
        Subject::Route,
        Type::Flag,
        taken,
        "Whether a handshake to the route's own path comes to this route, and is not taken by a rewrite rule, another mapping or a redirect.",
    ),
    fact(
        "lost_headers",
        Subject::Route,
        Type::List,
        lost_headers,
        "The request headers, in lower case, that are set for a level around the route and dropped because the route's level sets others.",
    ),
    fact(
        "refused_clients",
        Subject::Route,
        Type::List,
        refused_clients,
        "The clients whose handshakes the conditions of a rewrite rule keep out while they let others in.",
    ),
    fact(
        "missing_modules",
        Subject::Route,
        Type::List,
        missing_modules,
        "The modules that the target needs and that no line loads: whether one elsewhere may, `modules.complete` says. Absent where none is missing.",
    ),
    fact(
        "missing_modules.effect",
        Subject::Route,
        Type::Text,
        missing_effect,
        "What comes of it that the first missing module is not loaded.",
    ),
    fact("required_for", Subject::Route, Type::Text, required_for, "What the first missing module is needed for."),
    fact(
        "timeout.idle",
        Subject::Route,
        Type::Duration,
        timeout_idle,
        "After how long a WebSocket that both sides leave silent is closed; absent where it never is.",
    ),
    fact(
        "timeout.read",
        Subject::Route,
        Type::Duration,
        timeout_read,
        "How long the server waits for the upstream between two reads.",
    ),
    fact(
        "timeout.send",
        Subject::Route,
        Type::Duration,
        timeout_send,
        "How long the server waits for the upstream between two writes.",
    ),
    fact(
        "timeout.connect",
        Subject::Route,
        Type::Duration,
        timeout_connect,
        "How long the server waits for a connection to the upstream.",
    ),
];

/// Since this version nginx asks upstreams with HTTP/1.1 unless told otherwise, and sends no `Connection: close`.
const NGINX_ASKS_WITH_1_1: Version = Version::new(1, 29, 7);

/// A fact that a route has only where it passes requests on; otherwise absent.
pub(super) fn proxied(reader: &Reader<'_>, read: impl FnOnce(&Route, &Proxy) -> Reading) -> Reading {
    reader.proxy().map_or_else(Reading::absent, |(route, proxy)| read(route, proxy))
}

pub(super) fn unknown(why: Unknown, at: Span) -> Reading {
    Reading {
        value: Err(why),
        evidence: smallvec![Evidence { span: why.span().unwrap_or(at), note: why.reason().into() }],
        until: None,
    }
}

fn passed_on_at(proxy: &Proxy, value: Value) -> Reading {
    Reading::new(value).at(proxy.span, "passed to the upstream here")
}

fn intent(reader: &Reader<'_>, _: &str) -> Reading {
    let meant = reader.meant();
    let excluded = reader.route().filter(|(_, route)| meant.is_none() && matches!(route.target, Target::Excluded(_)));
    let (intent, evidence) = match (meant, excluded) {
        (Some((route, proxy)), _) => reader.intent.get_or_init(|| intent::intent(reader, route, proxy)),
        (None, Some((_, route))) => reader.intent.get_or_init(|| intent::of_exclusion(reader, route)),
        (None, None) => return Reading::new(Value::text(Intent::None.name())),
    };
    Reading { value: Ok(Value::text(intent.name())), evidence: evidence.clone(), until: None }
}

fn target_kind(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((_, route)) = reader.route() else { return Reading::absent() };
    let (kind, span) = match &route.target {
        Target::Proxy(proxy) => ("proxy", proxy.span),
        Target::Excluded(span) => ("excluded", *span),
        Target::Answer { span, .. } => ("answer", *span),
        Target::Files => ("files", route.span),
        Target::Unknown(why) => return unknown(*why, route.span),
    };
    Reading::new(Value::text(kind)).at(span, "handled here")
}

fn target_scheme(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |_, proxy| passed_on_at(proxy, Value::text(proxy.protocol.scheme())))
}

/// Host and port of the target.
fn authority(reader: &Reader<'_>, proxy: &Proxy) -> Known<(String, Option<String>)> {
    let Some(authority) = proxy.authority else { return Err(Unknown::Runtime) };
    let text = reader.view.gateway.texts.show(authority);
    let (host, port) = host_and_port(&text);
    Ok((host.to_owned(), port.map(str::to_owned)))
}

fn target_host(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |_, proxy| match authority(reader, proxy) {
        Ok((host, _)) => passed_on_at(proxy, Value::text(host)),
        Err(why) => unknown(why, proxy.span),
    })
}

fn target_port(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |_, proxy| match authority(reader, proxy) {
        Ok((_, Some(port))) => passed_on_at(proxy, port.parse().map_or(Value::Absent, Value::Number)),
        Ok((_, None)) => passed_on_at(proxy, Value::Absent),
        Err(why) => unknown(why, proxy.span),
    })
}

fn target_uri(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |_, proxy| {
        let path = proxy.path.map(|path| reader.view.gateway.texts.show(path).into_owned());
        passed_on_at(proxy, path.map_or(Value::Absent, Value::text))
    })
}

fn http_version(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| {
        let gateway = reader.view.gateway;
        if !proxy.protocol.is_http() {
            return Reading::absent();
        }
        let version = |version| Value::Version(version);
        let (old, new) = (Version::new(1, 0, 0), Version::new(1, 1, 0));
        if gateway.server == Server::Apache {
            return passed_on_at(proxy, version(new));
        }
        match gateway.scopes.scalar(route.scope, Property::HttpVersion) {
            Err(why) if matters(why) => unknown(why, proxy.span),
            Ok(Some(setting)) => match setting.value {
                Assigned::Version(set) => origin_at(setting.origin, proxy, version(set), "set here"),
                _ => passed_on_at(proxy, version(old)),
            },
            _ => {
                let is_new = gateway.version.is_some_and(|version| version >= NGINX_ASKS_WITH_1_1);
                let until = gateway.version.is_none().then_some(NGINX_ASKS_WITH_1_1);
                Reading { until, ..passed_on_at(proxy, version(if is_new { new } else { old })) }
            }
        }
    })
}

/// Whether an unknown makes a setting unknown: what surrounds a fragment is taken to set nothing.
fn matters(why: Unknown) -> bool {
    !matches!(why, Unknown::Fragment(_))
}

fn origin_at(origin: Origin, proxy: &Proxy, value: Value, note: &'static str) -> Reading {
    match origin {
        Origin::Here(span) => Reading::new(value).at(span, note),
        Origin::Inherited(span) => Reading::new(value).at(span, "set for a level around it"),
        Origin::Default => Reading::new(value).at(proxy.span, "nothing sets it"),
    }
}

fn handshake_header(reader: &Reader<'_>, name: &str) -> Reading {
    sent_header(reader, Probe::Chrome, name)
}

fn plain_header(reader: &Reader<'_>, name: &str) -> Reading {
    sent_header(reader, Probe::Plain, name)
}

fn sent_header(reader: &Reader<'_>, probe: Probe, name: &str) -> Reading {
    proxied(reader, |_, proxy| match reader.sent(probe, name) {
        Err(why) => unknown(why, proxy.span),
        Ok(Sent { values, spans, until }) => {
            let value = if values.is_empty() {
                Value::Absent
            } else {
                let tokens = values.iter().flat_map(|value| value.split(','));
                Value::List(tokens.map(|token| token.trim().to_ascii_lowercase()).filter(|token| !token.is_empty()).collect())
            };
            let mut reading = Reading { until, ..Reading::new(value) };
            for span in spans {
                reading = reading.at(span, "set here");
            }
            reading.at(proxy.span, "passed to the upstream here")
        }
    })
}

fn lost_headers(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |_, proxy| match reader.lost() {
        Err(why) => unknown(why, proxy.span),
        Ok(lost) => {
            let Some(&(_, _, drops)) = lost.first() else { return Reading::absent() };
            let mut reading = Reading::absent().at(drops, "this line drops every inherited one");
            let mut names: Vec<String> = Vec::new();
            for (name, line, _) in lost {
                reading = reading.at(line, "lost");
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            Reading { value: Ok(Value::List(names)), ..reading }
        }
    })
}

fn duration(reader: &Reader<'_>, property: fn(Protocol) -> Property) -> Reading {
    proxied(reader, |route, proxy| match timeout(reader.view.gateway, route.scope, property(proxy.protocol)) {
        Ok(setting) => origin_at(setting.origin, proxy, Value::Duration(setting.value), "set here"),
        Err(why) => unknown(why, proxy.span),
    })
}

fn timeout_read(reader: &Reader<'_>, _: &str) -> Reading {
    duration(reader, Property::read_timeout)
}

fn timeout_send(reader: &Reader<'_>, _: &str) -> Reading {
    duration(reader, Property::send_timeout)
}

fn timeout_connect(reader: &Reader<'_>, _: &str) -> Reading {
    duration(reader, Property::connect_timeout)
}

fn timeout_idle(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| match idle_limit(reader.view.gateway, route, proxy) {
        Ok(Limit::After(Setting { value, origin: Origin::Default })) if let Some(line) = let_through_around(reader, route) => {
            Reading::new(Value::Duration(value)).at(line, "WebSockets are let through here, and nothing sets a timeout")
        }
        Ok(Limit::After(setting)) => origin_at(setting.origin, proxy, Value::Duration(setting.value), "set here"),
        Ok(Limit::Never) => Reading::absent(),
        Err(why) => unknown(why, proxy.span),
    })
}

/// The line that lets WebSockets through for many routes at once, on a level around `route`: the one place to mend them all.
fn let_through_around(reader: &Reader<'_>, route: &Route) -> Option<Span> {
    let own = |entry: &crate::gateway::Entry| entry.property == Property::RequestHeader;
    if reader.view.gateway.scopes.own(route.scope).any(own) {
        return None;
    }
    let sent = reader.sent(Probe::Chrome, "upgrade").ok()?;
    sent.spans.first().copied().filter(|_| !sent.values.is_empty())
}

/// What the target needs and no line is seen to load.
fn missing(reader: &Reader<'_>, route: &Route) -> Vec<Requirement> {
    let modules = &reader.view.gateway.modules;
    let lacks = |need: &&Requirement| need.any_of.iter().all(|module| modules.has(module) != Some(true));
    route.requires.iter().filter(lacks).cloned().collect()
}

fn missing_modules(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((_, route)) = reader.route() else { return Reading::absent() };
    let missing = missing(reader, route);
    let Some(first) = missing.first() else { return Reading::absent() };
    let mut reading = Reading { until: first.until, ..Reading::absent() };
    let mut names = Vec::new();
    for need in &missing {
        reading = reading.at(need.span, format!("needed for {}", need.purpose));
        names.extend(need.any_of.first().map(|module| (*module).to_owned()));
    }
    names.dedup();
    // The section of a handler, and the group that lacks its method, are what httpd names.
    if missing.iter().all(|need| need.span != route.span) {
        reading = reading.at(route.span, "for what comes here");
    }
    if let Target::Proxy(Proxy { upstream: Some(group), .. }) = route.target {
        reading = reading.at(reader.view.gateway.upstream(group).span, "the group");
    }
    // Of what a loaded module lacks, httpd speaks at the line of that one.
    let balancer = reader.view.gateway.modules.loaded.get("proxy_balancer").copied().flatten();
    if let Some(balancer) = balancer.filter(|_| names.iter().any(|name| name == "slotmem_shm")) {
        reading = reading.at(balancer, "does not start without it");
    }
    if let Some(last) = reader.view.gateway.modules.last {
        reading = reading.at(last, "the modules are loaded here");
    }
    Reading { value: Ok(Value::List(names)), ..reading }
}

fn missing_effect(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((_, route)) = reader.route() else { return Reading::absent() };
    let missing = missing(reader, route);
    match missing.first().and_then(|need| need.any_of.first()) {
        None => Reading::absent(),
        Some(&"rewrite") => Reading::text("the server does not start"),
        Some(&"slotmem_shm") => Reading::text("the server does not start (AH01177)"),
        Some(method) if method.starts_with("lbmethod_") => Reading::text("the server does not start (AH02432)"),
        Some(&"proxy") => Reading::text("the request is answered 403 (AH00669)"),
        Some(_) => Reading::text("the request is answered 500 (AH01144)"),
    }
}

fn required_for(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((_, route)) = reader.route() else { return Reading::absent() };
    match missing(reader, route).first() {
        Some(need) => Reading::new(Value::text(need.purpose)),
        None => Reading::absent(),
    }
}

/// Whether a WebSocket needs headers of the configuration here, or the server sends them by itself.
fn is_websocket_scheme(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |_, proxy| passed_on_at(proxy, Value::Flag(matches!(proxy.protocol, Protocol::Ws | Protocol::Wss))))
}

/// Whether the handshake to the route's own path comes to it.
fn taken(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((id, _)) = reader.route() else { return Reading::absent() };
    proxied(reader, |route, proxy| {
        let reading = |taken| Reading::new(Value::Flag(taken));
        if reader.view.gateway.server == Server::Nginx {
            return reading(taken_by_location(reader, id, route));
        }
        match reader.selected(Probe::Chrome, route, proxy) {
            // Rules of sections and directories are tried where the whole way is followed.
            Err(_) | Ok(Selected::Unproxied) if let Some(taker) = taker_on_the_way(reader) => reading(taker == id),
            Err(why) => unknown(why, route.span),
            Ok(Selected::Route(taker)) if taker == id => reading(true),
            Ok(Selected::Route(taker)) => reading(false).at(reader.view.gateway.route(taker).span, "takes the handshake"),
            Ok(Selected::Redirected(_, span)) => reading(false).at(span, "redirects the handshake"),
            Ok(Selected::Answered(_, span)) => reading(false).at(span, "answers the handshake"),
            Ok(Selected::Unproxied) => reading(false),
        }
    })
}

/// The route that the handshake comes to where its whole way can be followed.
fn taker_on_the_way(reader: &Reader<'_>) -> Option<RouteId> {
    reader.walk().filter(|walk| !matches!(walk.verdict, Verdict::Unknown(_))).and_then(|walk| walk.route)
}

/// Whether a location takes the handshake to its path. Where that cannot be followed, or the path is only the beginning of what its
/// pattern takes, it is taken to.
pub(super) fn taken_by_location(reader: &Reader<'_>, id: RouteId, route: &Route) -> bool {
    let Some(walk) = reader.walk() else { return true };
    if walk.route == Some(id) || matches!(walk.verdict, Verdict::Unknown(_)) {
        return true;
    }
    if let Matcher::Pattern { pattern, ignore_case } = route.matcher {
        let path = reader.handshake_path(id, route);
        let captures = reader.view.patterns.captures(&reader.view.gateway.texts, pattern, ignore_case, &path);
        return !matches!(captures, Ok(Some(_)));
    }
    false
}

fn refused_clients(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| {
        let Some((id, _)) = reader.route() else { return Reading::absent() };
        let Some(super::rewriting::Rule { rewrite, .. }) = super::rewriting::rule(reader, id, route) else {
            return Reading::absent();
        };
        let clients = [
            (Probe::Chrome, "Chrome"),
            (Probe::Firefox, "Firefox"),
            (Probe::OtherCase, "clients that write the headers in another case"),
        ];
        let mut refused = Vec::new();
        let mut blamed: Option<&Condition> = None;
        for (probe, client) in clients {
            let request = reader.request(probe, route);
            let environment = reader.environment(route, proxy, &request);
            match conditions_hold(&environment, &rewrite.conditions) {
                Err(why) => return unknown(why, route.span),
                Ok(true) => {}
                Ok(false) => {
                    refused.push(client.to_owned());
                    let fails = |condition: &&Condition| {
                        asks_for_handshake(reader, condition) && holds(&environment, condition) == Ok(false)
                    };
                    let culprit = rewrite.conditions.iter().find(fails);
                    blamed = blamed.or(culprit);
                }
            }
        }
        // A rule that lets no handshake in is about something else, unless a condition on a handshake's own headers is why.
        match blamed {
            Some(condition) if refused.len() < clients.len() || asks_for_handshake(reader, condition) => {
                Reading::new(Value::List(refused))
                    .at(condition.span, "keeps them out")
                    .at(rewrite.span, "the rule that they do not get to")
            }
            _ => Reading::absent(),
        }
    })
}

/// Whether a condition demands that `Upgrade` or `Connection` says something; a negated one wants plain requests.
fn asks_for_handshake(reader: &Reader<'_>, condition: &Condition) -> bool {
    let gateway = reader.view.gateway;
    let is_handshake = |part: &Part| match part {
        Part::Variable(Variable::RequestHeader(name)) => matches!(gateway.texts.get(*name), b"upgrade" | b"connection"),
        _ => false,
    };
    !condition.negated && gateway.symbolics.get(condition.subject).iter().any(is_handshake)
}
