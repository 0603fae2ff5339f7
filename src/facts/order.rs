//! The facts of httpd's order: what is tried before a mapping, and takes its requests.

use super::{Definition, Item, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{Action, Matcher, Proxy, Route, RouteId, Server, Target};
use crate::handshake::{Probe, Selected, Verdict, Walk};
use crate::source::Span;

/// The facts of the order.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "shadowed_by",
        Subject::Route,
        Type::Text,
        shadowed_by,
        "The earlier mapping that takes every request of this one; absent where there is none.",
    ),
    fact(
        "handshake.taken_before",
        Subject::Route,
        Type::Text,
        taken_before,
        "What is tried before this mapping and takes the handshake to its own path, or all of its requests: the path of another mapping, or the line of a rewrite rule. Absent where nothing does, and where the client is sent elsewhere.",
    ),
    fact(
        "handshake.upgraded_elsewhere",
        Subject::Route,
        Type::Flag,
        upgraded_elsewhere,
        "Whether a handshake to the route's own path comes to another route, which lets it through.",
    ),
];

fn shadowed_by(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((id, route)) = reader.route() else { return Reading::absent() };
    match reader.shadowed_by(id) {
        Some(other) => taken_by(reader, route, other),
        None => Reading::absent(),
    }
}

/// That `other` takes what is meant for `route`.
fn taken_by(reader: &Reader<'_>, route: &Route, other: RouteId) -> Reading {
    let gateway = reader.view.gateway;
    let site = gateway.site(gateway.route(other).site);
    let is_mapping = site.mappings.contains(&other.0) || site.sections.contains(&other.0);
    let other = gateway.route(other);
    let line = match &other.target {
        Target::Proxy(proxy) => proxy.span,
        _ => other.span,
    };
    let text = match other.matcher {
        _ if !is_mapping => written(reader, line),
        Matcher::Pattern { pattern, .. } => gateway.texts.show(pattern).into_owned(),
        _ => reader.route_path(other).into_owned(),
    };
    Reading::new(Value::text(text)).at(route.span, "never asked").at(line, "is tried before it, and takes its requests")
}

fn written(reader: &Reader<'_>, line: Span) -> String {
    String::from_utf8_lossy(reader.view.sources.slice(line)).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn taken_before(reader: &Reader<'_>, _: &str) -> Reading {
    let shadowed = shadowed_by(reader, "");
    let Some((id, route)) = reader.route() else { return shadowed };
    if !shadowed.is_absent() || reader.view.gateway.server != Server::Apache {
        return shadowed;
    }
    let (Some(walk), Some((_, proxy))) = (reader.walk(), reader.proxy()) else { return shadowed };
    if matches!(walk.verdict, Verdict::Upgraded { .. } | Verdict::Unknown(_)) || !own_path_is_its(reader, id, route, proxy) {
        return shadowed;
    }
    match walk.route {
        Some(other) if other != id && is_tried_before(reader, other, route) => taken_by(reader, route, other),
        Some(_) => shadowed,
        None => match mapped_to_a_file(reader, route, walk) {
            Some(line) => Reading::new(Value::text(written(reader, line)))
                .at(route.span, "never asked")
                .at(line, "leads to a file, past all mappings, for it has no `PT`"),
            None => shadowed,
        },
    }
}

/// Whether the path at which a handshake to the route is followed is one that the route takes: of a pattern it is guessed, and the
/// conditions of a rule may be about other clients.
fn own_path_is_its(reader: &Reader<'_>, id: RouteId, route: &Route, proxy: &Proxy) -> bool {
    let path = reader.handshake_path(id, route);
    let view = reader.view;
    // A section that can never be reached is told of as such.
    let is_reached = || super::mapping::section_pattern(reader, "").is_absent();
    match route.matcher {
        Matcher::Segments(_) => is_reached(),
        Matcher::Pattern { pattern, ignore_case } => {
            matches!(view.patterns.captures(&view.gateway.texts, pattern, ignore_case, &path), Ok(Some(_))) && is_reached()
        }
        Matcher::Rewrite(index) => view.gateway.site(route.site).rewrites.get(index as usize).is_some_and(|rule| {
            let request = reader.request(Probe::Chrome, route);
            let environment = reader.environment(route, proxy, &request);
            !rule.negated
                && crate::handshake::conditions_hold(&environment, &rule.conditions) == Ok(true)
                && matches!(view.patterns.captures(&view.gateway.texts, rule.pattern, rule.ignore_case, &path), Ok(Some(_)))
        }),
        _ => false,
    }
}

/// Whether `other` goes before `route`: a rule before all mappings and the rules behind it.
fn is_tried_before(reader: &Reader<'_>, other: RouteId, route: &Route) -> bool {
    match (reader.view.gateway.route(other).matcher, route.matcher) {
        (Matcher::Rewrite(other), Matcher::Rewrite(own)) => other < own,
        (_, Matcher::Rewrite(_)) => false,
        _ => true,
    }
}

/// The rule before the route that made a path of the handshake that is mapped to a file.
fn mapped_to_a_file(reader: &Reader<'_>, route: &Route, walk: &Walk) -> Option<Span> {
    let site = reader.view.gateway.site(walk.site.unwrap_or(route.site));
    let before = match route.matcher {
        Matcher::Rewrite(own) => own as usize,
        _ => site.rewrites.len(),
    };
    let rules =
        || site.rewrites.iter().take(before).filter(|rule| rule.action == Action::Continue && rule.substitution.is_some());
    let culprits = walk.because.iter().filter(|because| because.culprit).filter_map(|because| because.span);
    culprits.into_iter().find(|line| rules().any(|rule| rule.span == *line))
}

fn upgraded_elsewhere(reader: &Reader<'_>, _: &str) -> Reading {
    let (Some((id, _)), Some((route, proxy))) = (reader.route(), reader.proxy()) else { return Reading::absent() };
    let upgraded = match reader.selected(Probe::Chrome, route, proxy) {
        Ok(Selected::Route(taker)) if taker != id => {
            Reader::new(reader.view, Item::Route(taker)).sent(Probe::Chrome, "upgrade").map(|sent| !sent.values.is_empty())
        }
        Ok(_) => Ok(false),
        Err(why) => Err(why),
    };
    match upgraded {
        Ok(upgraded) => Reading::new(Value::Flag(upgraded)),
        Err(why) => super::route::unknown(why, route.span),
    }
}
