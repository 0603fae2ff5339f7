//! How sure we are that a route is meant for WebSockets: from its settings, its path and what its author wrote.

use smallvec::smallvec;

use super::app::{self, App, Backend, Hints};
use super::{Evidence, Item, Places, Reader};
use crate::gateway::{
    Assigned, Entry, Gateway, Matcher, Origin, Part, Property, Protocol, Proxy, Route, Server, Setting, SignalKind, Variable,
};
use crate::handshake::{Probe, sets_header, wildcard_match};
use crate::rules::Intent;
use crate::source::Span;

/// The read timeout, in milliseconds, from which a route looks as if it were meant for long-lived connections: one hour.
const LONG: u64 = 3_600_000;

/// The intent of `route`, with the places that show it.
pub(super) fn intent(reader: &Reader<'_>, route: &Route, proxy: &Proxy) -> (Intent, Places) {
    let signal = |kind| route.signals.iter().find(|signal| signal.kind == kind);
    if let Some(denied) = signal(SignalKind::Denied) {
        return (Intent::None, smallvec![Evidence { span: denied.span, note: "said not to be for WebSockets here".into() }]);
    }
    if let Some(declared) = signal(SignalKind::Declared) {
        return (Intent::Declared, smallvec![Evidence { span: declared.span, note: "said to be for WebSockets here".into() }]);
    }
    if let Some(evidence) = by_settings(reader, route, proxy) {
        return (Intent::Declared, evidence);
    }
    let path = reader.route_path(route);
    let is_endpoint = matches!(reader.item, Item::Route(id) if reader.view.endpoints().contains_key(&id));
    let declared = reader.view.declared;
    let fits =
        |patterns: &[String], text: &str| patterns.iter().any(|pattern| wildcard_match(pattern.as_bytes(), text.as_bytes()));
    if fits(&declared.other_routes, &path) {
        return (Intent::None, Places::new());
    }
    let is_upstream = || backend(reader, proxy).hosts.iter().any(|host| fits(&declared.websocket_upstreams, host.name()));
    if is_endpoint || fits(&declared.websocket_routes, &path) || !declared.websocket_upstreams.is_empty() && is_upstream() {
        return (Intent::Declared, Places::new());
    }
    if let Ok(Some(Setting { origin: Origin::Here(line), .. })) =
        reader.view.gateway.scopes.scalar(route.scope, Property::Internal)
    {
        return (Intent::None, smallvec![Evidence { span: line, note: "no client comes here".into() }]);
    }
    if let Some(line) = withheld(reader, proxy) {
        return (Intent::None, smallvec![Evidence { span: line, note: "Upgrade is withheld on purpose here".into() }]);
    }
    if let (Item::Route(id), Matcher::Named(_) | Matcher::Pattern { .. }) = (reader.item, route.matcher)
        && let Some(evidence) = reader.view.meant_by_others(route.site).get(&id)
    {
        return (Intent::Declared, smallvec![evidence.clone()]);
    }
    let segments = segments(reader, route, &path);
    if is_strong(reader, &segments) {
        return (
            Intent::Inferred,
            smallvec![Evidence { span: route.span, note: "a path that applications use for WebSockets".into() }],
        );
    }
    if let Some(comment) = signal(SignalKind::Comment) {
        return (Intent::Inferred, smallvec![Evidence { span: comment.span, note: "a comment speaks of WebSockets".into() }]);
    }
    let hints = weak_hints(reader, route, proxy, &segments);
    let intent = match hints.len() {
        0 => Intent::None,
        1 => Intent::Possible,
        _ => Intent::Inferred,
    };
    (intent, hints)
}

/// The intent of a path that is taken out of proxying: what its author says, and the path itself.
pub(super) fn of_exclusion(reader: &Reader<'_>, route: &Route) -> (Intent, Places) {
    let said = |kind| route.signals.iter().any(|signal| signal.kind == kind);
    let path = reader.route_path(route);
    let declared = reader.view.declared;
    let fits = |patterns: &[String]| patterns.iter().any(|pattern| wildcard_match(pattern.as_bytes(), path.as_bytes()));
    let intent = if said(SignalKind::Denied) || fits(&declared.other_routes) {
        Intent::None
    } else if said(SignalKind::Declared) || fits(&declared.websocket_routes) {
        Intent::Declared
    } else if is_for_websockets(reader, route) {
        Intent::Inferred
    } else {
        Intent::None
    };
    (intent, Places::new())
}

/// Whether the path of `route` is one that applications use for WebSockets.
pub(super) fn is_for_websockets(reader: &Reader<'_>, route: &Route) -> bool {
    is_strong(reader, &segments(reader, route, &reader.route_path(route)))
}

fn is_strong(reader: &Reader<'_>, segments: &[String]) -> bool {
    apps(reader, segments, None).any(|app| app.is_strong(segments))
}

/// The applications of the table that `segments` or `backend` may hint at, and those that the user adds to it.
fn apps<'a>(reader: &Reader<'a>, segments: &[String], backend: Option<&Backend<'_>>) -> impl Iterator<Item = &'a App> + use<'a> {
    app::hinted(segments, backend).into_iter().chain(&reader.view.declared.apps)
}

/// The applications that a route shows and whose endpoints are known, each with the path that it lies below.
pub(super) fn applications<'a>(reader: &Reader<'a>, route: &Route, proxy: &Proxy) -> Vec<(String, &'a App)> {
    let path = reader.route_path(route);
    let segments: Vec<String> = path.split('/').filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect();
    if segments.is_empty() {
        let backend = backend(reader, proxy);
        let named = apps(reader, &[], Some(&backend)).filter(|app| !app.endpoints.is_empty() && app.hints(&[], &backend).host);
        return named.map(|app| (String::new(), app)).collect();
    }
    let base = |place: usize| segments[..place].iter().fold(String::new(), |base, segment| base + "/" + segment);
    let known = apps(reader, &segments, None).filter(|app| !app.endpoints.is_empty());
    known.filter_map(|app| Some((base(app.begins_at(&segments)?), app))).collect()
}

/// Where `proxy` leads to.
fn backend<'a>(reader: &Reader<'a>, proxy: &Proxy) -> Backend<'a> {
    let gateway = reader.view.gateway;
    // The first tell what a group is; a large one may have thousands, and as many routes.
    let members = proxy.upstream.map(|upstream| gateway.upstream(upstream).members.as_slice()).unwrap_or_default();
    let addresses = proxy.authority.into_iter().chain(members.iter().take(16).map(|member| member.address));
    Backend::at(addresses.map(|address| gateway.texts.show(address)))
}

/// Settings that only WebSockets need.
fn by_settings(reader: &Reader<'_>, route: &Route, proxy: &Proxy) -> Option<Places> {
    let gateway = reader.view.gateway;
    if matches!(proxy.protocol, Protocol::Ws | Protocol::Wss) {
        return Some(smallvec![Evidence { span: proxy.span, note: "passed on as a WebSocket here".into() }]);
    }
    // What is ignored because another's worker is used says what was meant, too.
    let parameters = proxy.worker.into_iter().chain(proxy.shares.map(|shared| shared.ignored));
    let mut parameters = parameters.flat_map(|level| gateway.scopes.own(level));
    if let Some(entry) = parameters.find(|entry| entry.property == Property::Upgrade && !is_of_another_protocol(gateway, entry)) {
        return Some(smallvec![Evidence { span: entry.span, note: "the upgrade is allowed here".into() }]);
    }
    if let Item::Route(id) = reader.item
        && let Some(super::rewriting::Rule { rewrite, .. }) = super::rewriting::rule(reader, id, route)
    {
        let asks_for_upgrade =
            |part: &Part| matches!(part, Part::Variable(Variable::RequestHeader(name)) if gateway.texts.get(*name) == b"upgrade");
        let condition = rewrite
            .conditions
            .iter()
            .find(|condition| !condition.negated && gateway.symbolics.get(condition.subject).iter().any(asks_for_upgrade));
        return condition.map(|condition| {
            smallvec![Evidence { span: condition.span, note: "only requests for an upgrade come here".into() }]
        });
    }
    if gateway.server == Server::Apache {
        let written = super::mapping::forging(gateway, route.site).find(|(_, entry, level)| {
            !super::mapping::removes(gateway, entry) && gateway.scopes.chain(route.scope).any(|own| own == *level)
        });
        return written.map(|(_, entry, _)| evidence(&[entry.span], "an upgrade is asked for here"));
    }
    // The headers of `proxy_set_header` go to no other protocol.
    if !proxy.protocol.is_http() {
        return None;
    }
    if sets_header(gateway, route.scope, &["upgrade"])
        && let Ok(sent) = reader.sent(Probe::Chrome, "upgrade")
        && !sent.values.is_empty()
        && !sent.spans.is_empty()
    {
        return Some(evidence(&sent.spans, "Upgrade is sent to the upstream here"));
    }
    // Most that set it write `Connection ""`.
    let asks = |entry: &Entry| match entry.assigned {
        Assigned::Header { lower, value, .. } if gateway.texts.get(lower) == b"connection" => {
            let literal = gateway.symbolics.literal(value, &gateway.texts);
            literal.is_none_or(|text| text.to_ascii_lowercase().windows(7).any(|word| word == b"upgrade"))
        }
        _ => false,
    };
    if !gateway.scopes.chain(route.scope).any(|level| gateway.scopes.own(level).any(asks)) {
        return None;
    }
    let connection = reader.sent(Probe::Chrome, "connection").ok();
    let asks = |values: &[String]| values.iter().any(|value| value.to_ascii_lowercase().contains("upgrade"));
    let sent = connection.filter(|sent| asks(&sent.values) && !sent.spans.is_empty())?;
    Some(evidence(&sent.spans, "Connection is sent to the upstream here"))
}

/// Whether `upgrade=` says that something else than a WebSocket is meant: no upgrade at all, HTTP/2, TLS.
fn is_of_another_protocol(gateway: &Gateway, entry: &Entry) -> bool {
    let Assigned::Text(text) = entry.assigned else { return false };
    let Some(text) = gateway.symbolics.literal(text, &gateway.texts) else { return false };
    let lower = text.to_ascii_lowercase();
    lower == b"none" || [&b"h2"[..], b"http", b"tls"].iter().any(|start| lower.starts_with(start))
}

/// The line that withholds `Upgrade` with an empty value: its author wants no WebSocket here.
fn withheld(reader: &Reader<'_>, proxy: &Proxy) -> Option<Span> {
    let (_, route) = reader.route()?;
    let gateway = reader.view.gateway;
    if !proxy.protocol.is_http() || !sets_header(gateway, route.scope, &["upgrade"]) {
        return None;
    }
    let sent = reader.sent(Probe::Chrome, "upgrade").ok().filter(|sent| sent.values.is_empty())?;
    let &line = sent.spans.first()?;
    let is_empty = |entry: &Entry| match entry.assigned {
        Assigned::Header { value, .. } => entry.span == line && gateway.symbolics.get(value).is_empty(),
        _ => false,
    };
    gateway.scopes.chain(route.scope).any(|level| gateway.scopes.own(level).any(is_empty)).then_some(line)
}

fn evidence(spans: &[Span], note: &'static str) -> Places {
    spans.iter().map(|&span| Evidence { span, note: note.into() }).collect()
}

fn weak_hints(reader: &Reader<'_>, route: &Route, proxy: &Proxy, segments: &[String]) -> Places {
    let gateway = reader.view.gateway;
    let mut hints = Places::new();
    let mut hint = |span, note: &'static str| hints.push(Evidence { span, note: note.into() });
    let backend = backend(reader, proxy);
    let found = apps(reader, segments, Some(&backend)).map(|app| app.hints(segments, &backend)).fold(Hints::default(), Hints::or);
    if found.path {
        hint(route.span, "a path that may be for WebSockets");
    }
    // Where the site has a route for the application's WebSockets, broken or not, its other routes are for its pages.
    let is_served = || reader.view.site_has_websocket_path(route.site) || reader.view.site_sends_upgrade(route.site);
    if (found.host || found.port) && !is_served() {
        if found.host {
            hint(proxy.span, "named like an application that uses WebSockets");
        }
        if found.port {
            hint(proxy.span, "the port of an application that uses WebSockets");
        }
    }
    let patience = gateway.scopes.own(route.scope).find(|entry| {
        entry.property == Property::read_timeout(proxy.protocol)
            && matches!(entry.assigned, Assigned::Duration(time) if time.0 >= LONG)
    });
    if let Some(entry) = patience {
        hint(entry.span, "a timeout for long-lived connections");
    }
    if let Some((_, line, _)) = reader.lost().ok().and_then(|lost| lost.into_iter().find(|(name, ..)| name == "upgrade")) {
        hint(line, "Upgrade is set for a level around it");
        // Nothing below that level lets a WebSocket through, so this is where it was meant to.
        if !reader.view.site_sends_upgrade(route.site) {
            hint(route.span, "no other route of the site sends it");
        }
    }
    hints
}

/// The words of a route's path between slashes; of a pattern, the literal words between its operators.
fn segments(reader: &Reader<'_>, route: &Route, path: &str) -> Vec<String> {
    let texts = &reader.view.gateway.texts;
    let text = match route.matcher {
        Matcher::Pattern { pattern, .. } => texts.show(pattern),
        _ => path.into(),
    };
    // A pattern without a slash is about endings: `\.(js|ws)$`.
    if !text.contains('/') {
        return Vec::new();
    }
    let unescaped = if text.contains('\\') { text.replace('\\', "").into() } else { text };
    unescaped
        .split(['/', '(', ')', '|', '^', '$', '?', '+', '[', ']'])
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect()
}
