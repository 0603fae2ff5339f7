//! The facts of endpoints: paths at which an application, or the user's word, has a WebSocket, and that come to a route that passes none on.

use rustc_hash::FxHashMap;

use super::{Definition, Item, Reader, Reading, Subject, Type, Value, View, fact, intent};
use crate::gateway::{RouteId, SiteId, Target};
use crate::handshake::{Verdict, Walk};
use crate::source::Span;

/// The facts of endpoints.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "endpoint.unserved",
        Subject::Route,
        Type::Text,
        unserved,
        "A path with a WebSocket that comes to this route, which passes no upgrade on, while another route of the site does; or one that the user declares and that does not come to this route, which is meant for it. Absent where there is none.",
    ),
    fact(
        "endpoint.fault",
        Subject::Route,
        Type::Text,
        fault,
        "What becomes of a handshake to that path, as the end of a sentence.",
    ),
    fact(
        "endpoint.of",
        Subject::Route,
        Type::Text,
        of,
        "The application that has a WebSocket at that path, by name; `proxylint.toml` where the user declares it.",
    ),
];

/// A path with a WebSocket that comes to a route that passes none on, or past the one that does.
#[derive(Clone, Debug)]
pub(super) struct Unserved {
    path: String,
    of: String,
    /// The status that the server itself answers where the path comes past the route.
    missed: Option<u16>,
    /// The line by which the upgrade is passed on.
    beside: Span,
    /// The line that decides what is answered, where it is another than the route's own.
    decides: Option<Span>,
}

/// Whose a path is that the user's settings name.
const DECLARED: &str = "proxylint.toml";

fn unserved(reader: &Reader<'_>, _: &str) -> Reading {
    found(reader, |found| found.path.clone())
}

fn of(reader: &Reader<'_>, _: &str) -> Reading {
    found(reader, |found| found.of.clone())
}

fn fault(reader: &Reader<'_>, _: &str) -> Reading {
    found(reader, |found| match found.missed {
        Some(status) => format!("does not come to this route, which passes upgrades on: it is answered {status}"),
        None => "comes here, where no upgrade is passed on, and not to the route that does".to_owned(),
    })
}

fn found(reader: &Reader<'_>, read: impl FnOnce(&Unserved) -> String) -> Reading {
    let Some((id, route)) = reader.route() else { return Reading::absent() };
    match reader.view.unserved(route.site).get(&id) {
        Some(found) => {
            let (own, beside, decides) = match found.missed {
                Some(_) => ("does not take it", "the upgrade is passed on here", "decides that"),
                None => ("takes it, and passes no upgrade on", "the upgrade is passed on here only", "files are served instead"),
            };
            let reading = Reading::new(Value::text(read(found))).at(route.span, own).at(found.beside, beside);
            match found.decides {
                Some(span) => reading.at(span, decides),
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
    let declared = view.declared_in(site);
    if endpoints.is_empty() && declared.len() == 0 {
        return all;
    }
    let passes = |id| passes_upgrade(view, id).map(|line| (id, line));
    let upgrading: Vec<(RouteId, Span)> = view.gateway.site(site).route_ids().filter_map(passes).collect();
    if upgrading.is_empty() {
        return all;
    }
    for path in declared {
        let walk = view.handshake_in(site, path);
        if let Some((id, missed)) = missed(view, path, &walk, &upgrading) {
            all.entry(id).or_insert(missed);
        }
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
            all.entry(taker).or_insert(Unserved { path, of, missed: None, beside: *line, decides });
        }
    }
    all
}

/// A declared path that the server answers itself, while there is a route that is meant for it: the paths differ in a slash at the end or in
/// case alone, or the path lies below the route's, whose pattern does not take it, or a line keeps it out that is no mapping and no rule.
fn missed(view: &View<'_>, path: &str, walk: &Walk, upgrading: &[(RouteId, Span)]) -> Option<(RouteId, Unserved)> {
    let Verdict::Answered { status: status @ (404 | 500), .. } = walk.verdict else { return None };
    if walk.route.is_some_and(|taker| upgrading.iter().all(|(id, _)| *id != taker)) {
        return None;
    }
    let gateway = view.gateway;
    let is_head = |span: Span| gateway.sites.iter().any(|site| site.span == span);
    let is_mapping = |span: Span| gateway.routes.iter().any(|route| route.span == span || excluded(&route.target) == Some(span));
    let is_rule = |span: Span| gateway.sites.iter().flat_map(|site| &site.rewrites).any(|rule| rule.span == span);
    let culprits = walk.because.iter().filter(|because| because.culprit).filter_map(|because| because.span);
    let mut culprits = culprits.filter(|&span| !is_head(span)).peekable();
    let is_kept_out = culprits.peek().is_some();
    if culprits.clone().any(|span| is_mapping(span) || is_rule(span)) {
        return None;
    }
    let bare = |path: &str| path.trim_end_matches(['/', '*']).to_ascii_lowercase();
    let wanted = bare(path);
    let is_meant = |&&(id, _): &&(RouteId, Span)| {
        let own = bare(&Reader::new(view, Item::Route(id)).route_path(gateway.route(id)));
        let is_below = wanted.strip_prefix(&own).is_some_and(|rest| rest.starts_with('/'));
        wanted == own || is_below && (is_kept_out || !own.is_empty())
    };
    let (id, line) = *upgrading.iter().find(is_meant)?;
    let (path, of, decides) = (path.to_owned(), DECLARED.to_owned(), culprits.next());
    Some((id, Unserved { path, of, missed: Some(status), beside: line, decides }))
}

fn excluded(target: &Target) -> Option<Span> {
    match *target {
        Target::Excluded(span) => Some(span),
        _ => None,
    }
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
            endpoints.push((path.clone(), DECLARED.to_owned()));
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
