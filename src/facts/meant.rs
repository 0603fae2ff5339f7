//! Locations of nginx that get the WebSockets that another one is written for: named ones that it leads to, and patterns that take its requests.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::route::taken_by_location;
use super::{Evidence, Item, Reader, View};
use crate::gateway::{Assigned, Fallback, Matcher, Property, Route, RouteId, Server, SiteId, Target, TextId};
use crate::handshake::Verdict;
use crate::source::Span;

/// Those of `site`, each with the line that says so.
pub(super) fn meant_by_others(view: &View<'_>, site: SiteId) -> FxHashMap<RouteId, Evidence> {
    let mut all = FxHashMap::default();
    if view.gateway.server == Server::Nginx {
        leading_to_names(view, site, &mut all);
        taken_by_patterns(view, site, &mut all);
    }
    all
}

/// Headers where nothing is passed on are of use to nobody: a named location inherits from the server, not from what leads to it.
fn leading_to_names(view: &View<'_>, site: SiteId, all: &mut FxHashMap<RouteId, Evidence>) {
    let gateway = view.gateway;
    let named = |id| match gateway.route(id).matcher {
        Matcher::Named(name) => Some((gateway.texts.get(name), id)),
        _ => None,
    };
    let names: FxHashMap<&[u8], RouteId> = gateway.site(site).route_ids().filter_map(named).collect();
    if names.is_empty() {
        return;
    }
    for id in gateway.site(site).route_ids() {
        let route = gateway.route(id);
        let try_files = gateway.programs.get(route.scope).and_then(|program| program.try_files.as_deref());
        let (Target::Files, Some(try_files), Some(line)) = (&route.target, try_files, upgrade_line(view, route)) else {
            continue;
        };
        if let Fallback::Redirect(to) = try_files.fallback
            && let Some(to) = gateway.symbolics.literal(to, &gateway.texts)
            && let Some(id) = names.get(to)
        {
            all.entry(*id)
                .or_insert(Evidence { span: line, note: "the location that this leads to inherits nothing of it".into() });
        }
    }
}

/// The line of a route's own that sends `Upgrade`.
fn upgrade_line(view: &View<'_>, route: &Route) -> Option<Span> {
    let gateway = view.gateway;
    let sends = |assigned: Assigned| match assigned {
        Assigned::Header { lower, value, .. } => {
            gateway.texts.get(lower) == b"upgrade" && !gateway.symbolics.get(value).is_empty()
        }
        _ => false,
    };
    let mut own = gateway.scopes.own(route.scope);
    own.find(|entry| entry.property == Property::RequestHeader && sends(entry.assigned)).map(|entry| entry.span)
}

/// A pattern is tried before prefixes, and before the patterns below it.
fn taken_by_patterns(view: &View<'_>, site: SiteId, all: &mut FxHashMap<RouteId, Evidence>) {
    let gateway = view.gateway;
    let ids = || gateway.site(site).route_ids();
    // To follow a request costs more than all else here: only those are followed that a pattern with their backend may take.
    let passing = ids().map(|id| gateway.route(id)).filter_map(|route| match (route.matcher, &route.target) {
        (Matcher::Pattern { .. }, Target::Proxy(proxy)) => proxy.authority,
        _ => None,
    });
    let passing: SmallVec<[TextId; 4]> = passing.collect();
    if passing.is_empty() {
        return;
    }
    for id in ids() {
        let reader = Reader::new(view, Item::Route(id));
        let route = gateway.route(id);
        let Target::Proxy(own) = &route.target else { continue };
        let Some(authority) = own.authority.filter(|authority| passing.contains(authority)) else { continue };
        let Some(paths) = every_path(view, route).filter(|_| reader.sends_upgrade().is_some()) else { continue };
        if taken_by_location(&reader, id, route) {
            continue;
        }
        let taker = |path: &String| {
            let walk = view.handshake_in(site, path);
            walk.route.filter(|&taker| taker != id && matches!(walk.verdict, Verdict::ForwardedPlain))
        };
        let mut takers = paths.iter().map(taker);
        let Some(Some(first)) = takers.next() else { continue };
        let other = gateway.route(first);
        if let (Matcher::Pattern { .. }, Target::Proxy(proxy)) = (other.matcher, &other.target)
            && takers.all(|taker| taker == Some(first))
            && proxy.authority == Some(authority)
        {
            all.entry(first).or_insert(Evidence { span: route.span, note: "its handshakes come to the pattern".into() });
        }
    }
}

/// Paths that stand for all that a location takes, where that can be said: the path itself and one below it.
fn every_path(view: &View<'_>, route: &Route) -> Option<Vec<String>> {
    let (path, is_all) = match route.matcher {
        Matcher::Prefix { text, before_patterns: false } => (view.gateway.texts.show(text).into_owned(), false),
        Matcher::Pattern { pattern, .. } => {
            let pattern = view.gateway.texts.show(pattern);
            let path = pattern.strip_prefix('^')?;
            let (path, is_all) = path.strip_suffix('$').map_or((path, false), |path| (path, true));
            let is_literal = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_'));
            (Some(path.to_owned()).filter(|_| is_literal)?, is_all)
        }
        _ => return None,
    };
    let below = format!("{}/x", path.trim_end_matches('/'));
    Some(if is_all { vec![path] } else { vec![path, below] })
}
