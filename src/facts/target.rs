//! The facts of targets that go wrong or too far: paths put together badly, hosts that the client names, protocols beside WebSocket.

use super::route::proxied;
use super::{Definition, Item, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{
    Assigned, Covers, Definition as Defined, Gateway, Matcher, Part, Property, Proxy, Route, Server, Site, SymbolicId, Target,
    TextId, Unknown, Variable, covering,
};
use crate::handshake::{Request, sent_header};
use crate::source::Span;

/// The facts of targets.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "target.path_fault",
        Subject::Route,
        Type::Text,
        path_fault,
        "What is wrong with how the path for the upstream is made: `doubled-slash`, `glued` (a slash is lost between its parts), `path-dropped`, `query-dropped`; absent where nothing is.",
    ),
    fact(
        "target.path_example",
        Subject::Route,
        Type::Text,
        path_example,
        "A path of a request and the one that the upstream is asked for instead, where something is wrong with it.",
    ),
    fact(
        "target.from_client",
        Subject::Route,
        Type::Text,
        from_client,
        "The variable by which the client names the host that it is passed to, without `$`; absent where the configuration names it.",
    ),
    fact(
        "upgrade.other_protocols",
        Subject::Route,
        Type::Flag,
        other_protocols,
        "Whether the upstream is asked for an upgrade to whatever protocol the client names, `h2c` for one.",
    ),
    fact(
        "upgrade.beside_access_control",
        Subject::Route,
        Type::Flag,
        beside_access_control,
        "Whether another route of the site to the same upstream asks who the client is, and this one does not.",
    ),
];

/// What is wrong with a path, and how it shows: what is asked for, and what becomes of it.
struct PathFault {
    kind: &'static str,
    asked: String,
    sent: String,
}

fn path_fault(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| match find_path_fault(reader, route, proxy) {
        Some(fault) => Reading::new(Value::text(fault.kind)).at(proxy.span, "the path is put together here"),
        None => Reading::absent(),
    })
}

fn path_example(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| match find_path_fault(reader, route, proxy) {
        Some(fault) => Reading::new(Value::text(format!("`{}` becomes `{}`", fault.asked, fault.sent))),
        None => Reading::absent(),
    })
}

fn find_path_fault(reader: &Reader<'_>, route: &Route, proxy: &Proxy) -> Option<PathFault> {
    let gateway = reader.view.gateway;
    if !proxy.protocol.is_http() {
        return None;
    }
    if let Matcher::Rewrite(_) = route.matcher {
        return doubled_by_rule(reader, route);
    }
    if gateway.server == Server::Nginx && proxy.path.is_none() {
        return dropped(reader, route, proxy);
    }
    let (Matcher::Prefix { text, .. } | Matcher::Segments(text)) = route.matcher else { return None };
    let (matched, path) = (gateway.texts.show(text), gateway.texts.show(proxy.path?));
    // A query behind the path takes what follows it along.
    if path.contains('?') || matched.is_empty() || matched == "/" {
        return None;
    }
    let (kind, rest) = match (matched.ends_with('/'), path.ends_with('/')) {
        (false, true) => ("doubled-slash", "/x"),
        (true, false) if !path.is_empty() => ("glued", "x"),
        _ => return None,
    };
    // A rewrite before it takes the matched part off by itself (`ngx_http_proxy_create_request`, `valid_location`).
    if gateway.programs.get(route.scope).is_some_and(|program| !program.steps.is_empty()) {
        return None;
    }
    Some(PathFault { kind, asked: format!("{matched}{rest}"), sent: format!("{path}{rest}") })
}

/// A rule whose pattern takes the slash along, `^(.*)$`, and whose target has one before `$1`.
fn doubled_by_rule(reader: &Reader<'_>, route: &Route) -> Option<PathFault> {
    let (id, _) = reader.route()?;
    let walk = reader.walk().filter(|walk| walk.route == Some(id))?;
    let sent = &walk.upstream_request.as_ref()?.target;
    let asked = reader.handshake_path(id, route);
    (sent.starts_with("//") && !asked.starts_with("//")).then(|| PathFault {
        kind: "doubled-slash",
        asked: asked.into_owned(),
        sent: sent.split('?').next().unwrap_or_default().to_owned(),
    })
}

/// With variables in the URL, a path behind the host stands for the whole target (`ngx_http_proxy_eval`).
fn dropped(reader: &Reader<'_>, route: &Route, proxy: &Proxy) -> Option<PathFault> {
    let gateway = reader.view.gateway;
    let parts = gateway.symbolics.get(proxy.url);
    if !parts.iter().any(|part| matches!(part, Part::Variable(_))) {
        return None;
    }
    let behind = behind_host(gateway, parts)?;
    let varies = |part: &&Part| !matches!(part, Part::Text(_));
    // What the configuration itself makes of the request may hold the query.
    let carries_query = |part: &Part| !matches!(part, Part::Text(_) | Part::Variable(Variable::Path | Variable::Capture(_)));
    let path = reader.route_path(route);
    if behind.1.iter().find(varies).is_none() {
        let is_one = matches!(route.matcher, Matcher::Exact(_));
        if is_one || behind.0.contains('?') {
            return None;
        }
        let asked = format!("{}/x", path.trim_end_matches('/'));
        return Some(PathFault { kind: "path-dropped", asked, sent: behind.0 });
    }
    if behind.1.iter().any(carries_query) {
        return None;
    }
    Some(PathFault { kind: "query-dropped", asked: format!("{path}?a=b"), sent: path.into_owned() })
}

/// What stands behind the host of a URL with variables: the text up to the next variable, and the parts from there on.
fn behind_host<'a>(gateway: &Gateway, parts: &'a [Part]) -> Option<(String, &'a [Part])> {
    let mut in_host = false;
    for (index, part) in parts.iter().enumerate() {
        let Part::Text(text) = part else { continue };
        let text = gateway.texts.show(*text);
        let from = if in_host { 0 } else { text.find("://")? + 3 };
        in_host = true;
        if let Some(at) = text[from..].find('/') {
            return Some((text[from + at..].to_owned(), &parts[index + 1..]));
        }
    }
    None
}

fn from_client(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| {
        let gateway = reader.view.gateway;
        if gateway.server != Server::Nginx || !proxy.protocol.is_http() || is_internal(gateway, route) {
            return Reading::absent();
        }
        let named = named_by_capture(gateway, route, proxy.url)
            .or_else(|| named_host(gateway, proxy.url, 4))
            .filter(|name| name != "host" || takes_any_host(gateway, gateway.site(route.site)));
        match named {
            Some(name) => Reading::new(Value::text(name)).at(proxy.span, "the client names the host"),
            None => Reading::absent(),
        }
    })
}

/// Whether a site answers whatever host is asked for.
fn takes_any_host(gateway: &Gateway, site: &Site) -> bool {
    site.names.iter().all(|name| matches!(gateway.texts.get(name.text), b"_" | b"" | b"~." | b"~.*" | b"~^.*$" | b"~^.+$"))
}

fn is_internal(gateway: &Gateway, route: &Route) -> bool {
    !matches!(gateway.scopes.scalar(route.scope, Property::Internal), Ok(None) | Err(Unknown::Fragment(_)))
}

/// The capture of the location's own pattern that is the beginning of the host, where it may be anything.
fn named_by_capture(gateway: &Gateway, route: &Route, url: SymbolicId) -> Option<String> {
    let Matcher::Pattern { pattern, .. } = route.matcher else { return None };
    // Another pattern on the way would have captures of its own.
    if gateway.programs.get(route.scope).is_some_and(|program| !program.steps.is_empty()) {
        return None;
    }
    let mut parts = gateway.symbolics.get(url).iter();
    let Part::Text(scheme) = parts.next()? else { return None };
    let Part::Variable(Variable::Capture(number)) = parts.next()? else { return None };
    let pattern = gateway.texts.show(pattern);
    // The group as written; what has groups or escapes in it is not looked into.
    let group = pattern.split('(').nth(usize::from(*number))?.split(')').next()?;
    let ends = match parts.next() {
        None => true,
        Some(Part::Text(text)) => gateway.texts.get(*text).starts_with(b"/") || gateway.texts.get(*text).starts_with(b":"),
        Some(_) => false,
    };
    let is_any = matches!(group, ".*" | ".+" | ".*?" | ".+?") || ends && matches!(group, "[^/]*" | "[^/]+" | "[^/:]+" | "[^/]+?");
    (gateway.texts.get(*scheme).ends_with(b"://") && is_any).then(|| number.to_string())
}

/// The variable with which the client decides the beginning of the host, if it does: what follows can be cut off with a `/` or a `#`.
fn named_host(gateway: &Gateway, url: SymbolicId, depth: u8) -> Option<String> {
    let mut parts = gateway.symbolics.get(url).iter();
    let first = match parts.next()? {
        Part::Text(text) => {
            let text = gateway.texts.show(*text);
            let (_, host) = text.split_once("://")?;
            if !host.is_empty() {
                return None;
            }
            parts.next()?
        }
        Part::Variable(Variable::Scheme) => match (parts.next()?, parts.next()?) {
            (Part::Text(text), host) if gateway.texts.get(*text) == b"://" => host,
            _ => return None,
        },
        part => part,
    };
    let Part::Variable(variable) = first else { return None };
    match variable {
        Variable::RequestHeader(name) => Some(format!("http_{}", gateway.texts.show(*name).replace('-', "_"))),
        Variable::Argument(name) => Some(format!("arg_{}", gateway.texts.show(*name))),
        // With a port of its own it is the name of this very machine, most likely.
        Variable::Host if !matches!(parts.next(), Some(Part::Text(text)) if gateway.texts.get(*text).starts_with(b":")) => {
            Some("host".to_owned())
        }
        // One assignment hands on what it is given.
        Variable::Defined(name) => match gateway.variables.get(name) {
            Some(Defined::Assigned(assignments)) => {
                let [(value, _)] = assignments[..] else { return None };
                match gateway.symbolics.get(value) {
                    [Part::Variable(Variable::RequestHeader(header))] => {
                        Some(format!("http_{}", gateway.texts.show(*header).replace('-', "_")))
                    }
                    [Part::Variable(Variable::Argument(argument))] => Some(format!("arg_{}", gateway.texts.show(*argument))),
                    [Part::Text(text), ..] if gateway.texts.get(*text).ends_with(b"://") => {
                        named_host(gateway, value, depth.checked_sub(1)?)
                    }
                    _ => None,
                }
            }
            _ => None,
        },
        _ => None,
    }
}

fn other_protocols(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| {
        let chrome = reader.chrome(route);
        let headers = chrome.headers.iter().map(|(name, value)| match &**name {
            "Upgrade" => (name.clone(), "h2c".into()),
            "Connection" => (name.clone(), "Upgrade, HTTP2-Settings".into()),
            _ => (name.clone(), value.clone()),
        });
        let request = Request { headers: headers.collect(), ..chrome.clone() };
        match sent_header(&reader.environment(route, proxy, &request), route, proxy, "upgrade") {
            Err(why) => Reading::unknown(why),
            Ok(sent) => {
                let any = sent.values.iter().any(|value| value == "h2c");
                let reading = Reading::new(Value::Flag(any));
                sent.spans.first().map_or(reading.clone(), |&line| reading.at(line, "whatever the client asks for is sent"))
            }
        }
    })
}

fn beside_access_control(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| {
        let Item::Route(id) = reader.item else { return Reading::absent() };
        if controls(reader.view.gateway, route).is_some() {
            return Reading::new(Value::Flag(false));
        }
        let Some(authority) = proxy.authority else { return Reading::new(Value::Flag(false)) };
        if reader.view.gateway.server == Server::Apache {
            return match guarded_section(reader, route, authority) {
                Some(line) => Reading::new(Value::Flag(true)).at(line, "guards what lies behind it"),
                None => Reading::new(Value::Flag(false)),
            };
        }
        match reader.view.guarded(route.site).get(&authority) {
            Some(&(other, line)) if other != id => Reading::new(Value::Flag(true)).at(line, "guards what lies behind it"),
            _ => Reading::new(Value::Flag(false)),
        }
    })
}

/// How many sections of a site are looked at: a few show what the others do.
const SECTIONS: usize = 256;

/// A section of httpd that keeps clients out of a path that is passed to the same backend, where it does not cover `route` as well.
fn guarded_section(reader: &Reader<'_>, route: &Route, authority: TextId) -> Option<Span> {
    let gateway = reader.view.gateway;
    let path = |matcher: &Matcher| match matcher {
        Matcher::Segments(text) => Some(gateway.texts.get(*text)),
        _ => None,
    };
    let covers = |outer: &[u8], inner: &[u8]| covering(inner).any(|prefix| prefix == outer);
    let own = path(&route.matcher)?;
    let site = gateway.site(route.site);
    let passed: Vec<&[u8]> = site
        .route_ids()
        .take(SECTIONS)
        .map(|id| gateway.route(id))
        .filter(|other| matches!(&other.target, Target::Proxy(proxy) if proxy.authority == Some(authority)))
        .filter_map(|other| path(&other.matcher))
        .collect();
    let sections = site.areas.iter().take(SECTIONS).filter(|area| super::mapping::keeps_out(area));
    sections
        .filter_map(|area| match &area.covers {
            Covers::Path(matcher) => Some((path(matcher)?, area.span)),
            _ => None,
        })
        .find(|(guarded, _)| {
            !covers(guarded, own) && passed.iter().any(|passed| covers(guarded, passed) || covers(passed, guarded))
        })
        .map(|(_, line)| line)
}

/// The line with which a route itself keeps clients out.
pub(super) fn controls(gateway: &Gateway, route: &Route) -> Option<Span> {
    if !matches!(route.target, Target::Proxy(_)) {
        return None;
    }
    let off = |value| gateway.symbolics.literal(value, &gateway.texts) == Some(b"off");
    let own = gateway.scopes.own(route.scope).find(|entry| match (entry.property, entry.assigned) {
        (Property::Access, Assigned::Clients { allowed, .. }) => !allowed,
        (Property::Password | Property::AskedForAccess, Assigned::Text(value)) => !off(value),
        (Property::AccessCode, _) => true,
        _ => false,
    });
    own.map(|entry| entry.span)
}
