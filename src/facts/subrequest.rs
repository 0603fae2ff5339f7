//! The facts of requests that the server makes beside the client's own.

use super::{Definition, Item, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{Assigned, Property, Route, SymbolicId};
use crate::handshake::{Probe, find_location};
use crate::source::Span;

/// The facts of the server's own requests.
pub(super) const FACTS: &[Definition] = &[fact(
    "subrequest.upgrading",
    Subject::Route,
    Type::Text,
    upgrading,
    "The path of a request that the server makes beside a handshake and for which it asks for an upgrade as well: that of `auth_request` or `mirror`.",
)];

fn upgrading(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((route, proxy)) = reader.proxy() else { return Reading::absent() };
    for (path, asks) in targets(reader, route) {
        let request = reader.chrome(route);
        let environment = reader.environment(route, proxy, request);
        let Ok(path) = environment.evaluate(path) else { continue };
        if path == "off" {
            continue;
        }
        let path = path.split('?').next().unwrap_or_default();
        let Ok(found) = find_location(&environment, route.site, path) else { continue };
        let Some(id) = found.route else { continue };
        let other = Reader::new(reader.view, Item::Route(id));
        if !other.proxy().is_some_and(|(_, proxy)| proxy.protocol.is_http()) {
            continue;
        }
        if let Ok(sent) = other.sent(Probe::Chrome, "upgrade")
            && !sent.values.is_empty()
            && let Some(&line) = sent.spans.first()
        {
            let location = reader.view.gateway.route(id).span;
            return Reading::new(Value::text(path.to_owned()))
                .at(location, "is sent the upgrade as well")
                .at(line, "set here")
                .at(asks, "asked from here");
        }
    }
    Reading::absent()
}

/// What is asked beside the requests of `route`, and the lines that say so.
fn targets(reader: &Reader<'_>, route: &Route) -> Vec<(SymbolicId, Span)> {
    let scopes = &reader.view.gateway.scopes;
    let mut targets = Vec::new();
    if let Ok(Some(setting)) = scopes.scalar(route.scope, Property::AskedForAccess)
        && let (Assigned::Text(path), Some(line)) = (setting.value, setting.origin.span())
    {
        targets.push((path, line));
    }
    let (level, _) = scopes.list(route.scope, Property::Mirror);
    for entry in level.into_iter().flat_map(|level| scopes.own(level)) {
        if let (Property::Mirror, Assigned::Text(path)) = (entry.property, entry.assigned) {
            targets.push((path, entry.span));
        }
    }
    targets
}
