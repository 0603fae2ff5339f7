//! The facts of endpoints: paths at which an application, or the user's word, has a WebSocket, and that come to a route that passes none on.

use rustc_hash::FxHashMap;

use super::{Definition, Item, Reader, Reading, Subject, Type, Value, View, fact, intent};
use crate::gateway::{RouteId, SiteId, Target};
use crate::handshake::Verdict;
use crate::source::Span;

/// The facts of endpoints.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "endpoint.unserved",
        Subject::Route,
        Type::Text,
        unserved,
        "A path with a WebSocket that comes to this route, which passes no upgrade on, while another route of the site does; absent where there is none.",
    ),
    fact(
        "endpoint.of",
        Subject::Route,
        Type::Text,
        of,
        "The application that has a WebSocket at that path, by name; `proxylint.toml` where the user declares it.",
    ),
];

/// A path with a WebSocket that comes to a route that passes none on.
#[derive(Clone, Debug)]
pub(super) struct Unserved {
    path: String,
    of: String,
    /// The line by which another route passes the upgrade on.
    beside: Span,
    /// The line that decides what is answered, where it is another than the route's own.
    decides: Option<Span>,
}

fn unserved(reader: &Reader<'_>, _: &str) -> Reading {
    found(reader, |found| found.path.clone())
}

fn of(reader: &Reader<'_>, _: &str) -> Reading {
    found(reader, |found| found.of.clone())
}

fn found(reader: &Reader<'_>, read: impl FnOnce(&Unserved) -> String) -> Reading {
    let Some((id, route)) = reader.route() else { return Reading::absent() };
    match reader.view.unserved(route.site).get(&id) {
        Some(found) => {
            let reading = Reading::new(Value::Text(read(found))).at(route.span, "takes it, and passes no upgrade on");
            let reading = reading.at(found.beside, "the upgrade is passed on here only");
            match found.decides {
                Some(span) => reading.at(span, "files are served instead"),
                None => reading,
            }
        }
        None => Reading::absent(),
    }
}

/// All of them in `site`, by the route that they come to. Only where another of its routes passes an upgrade on.
pub(super) fn all_unserved(view: &View<'_>, site: SiteId) -> FxHashMap<RouteId, Unserved> {
    let mut all = FxHashMap::default();
    // Most sites have none, and to look for them is cheap.
    let endpoints = endpoints(view, site);
    if endpoints.is_empty() {
        return all;
    }
    let passes = |id| passes_upgrade(view, id).map(|line| (id, line));
    let upgrading: Vec<(RouteId, Span)> = view.gateway.site(site).route_ids().filter_map(passes).collect();
    if upgrading.is_empty() {
        return all;
    }
    for (path, of) in endpoints {
        let walk = view.handshake_in(site, &path);
        let Some(taker) = walk.route else { continue };
        if upgrading.iter().any(|(id, _)| *id == taker) {
            continue;
        }
        let declared = view.endpoints().contains_key(&taker);
        // A route whose own path says so is judged by itself.
        if !declared && intent::is_for_websockets(&Reader::new(view, Item::Route(taker)), view.gateway.route(taker)) {
            continue;
        }
        let beside = upgrading.iter().find(|(id, _)| declared || same_upstream(view, *id, taker));
        let is_plain = match walk.verdict {
            Verdict::ForwardedPlain => !declared,
            Verdict::Answered { status: 404, .. } => declared && matches!(view.gateway.route(taker).target, Target::Files),
            _ => false,
        };
        if let Some((_, line)) = beside.filter(|_| is_plain) {
            let decides = walk.because.iter().filter(|because| because.culprit).find_map(|because| because.span);
            let own = view.gateway.route(taker).span;
            let is_answered = matches!(walk.verdict, Verdict::Answered { .. });
            let decides = decides.filter(|&span| is_answered && span != own);
            all.entry(taker).or_insert(Unserved { path, of, beside: *line, decides });
        }
    }
    all
}

/// The line by which a route passes an upgrade on.
fn passes_upgrade(view: &View<'_>, id: RouteId) -> Option<Span> {
    let reader = Reader::new(view, Item::Route(id));
    let (route, proxy) = reader.proxy().filter(|(_, proxy)| proxy.protocol.is_http())?;
    let sent = reader.sends_upgrade()?;
    Some(sent.spans.first().copied().unwrap_or(if proxy.span.source == route.span.source { proxy.span } else { route.span }))
}

/// The paths at which a WebSocket is to be expected in `site`, each with whose it is.
fn endpoints(view: &View<'_>, site: SiteId) -> Vec<(String, String)> {
    let gateway = view.gateway;
    let mut endpoints = Vec::new();
    for id in gateway.site(site).route_ids() {
        if let Some(path) = view.endpoints().get(&id) {
            endpoints.push((path.clone(), "proxylint.toml".to_owned()));
        }
    }
    for id in gateway.site(site).route_ids() {
        let reader = Reader::new(view, Item::Route(id));
        let Some((route, proxy)) = reader.proxy() else { continue };
        for (base, app) in intent::applications(&reader, route, proxy) {
            for endpoint in &app.endpoints {
                let endpoint = (format!("{base}{endpoint}"), app.name.clone());
                if !endpoints.contains(&endpoint) {
                    endpoints.push(endpoint);
                }
            }
        }
    }
    endpoints
}

fn same_upstream(view: &View<'_>, one: RouteId, other: RouteId) -> bool {
    match (&view.gateway.route(one).target, &view.gateway.route(other).target) {
        (Target::Proxy(one), Target::Proxy(other)) => one.authority.is_some() && one.authority == other.authority,
        _ => false,
    }
}
