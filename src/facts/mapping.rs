//! The facts of httpd's mappings: which worker's parameters are in force, what is allowed to upgrade, what its paths and TLS come to.

use std::borrow::Cow;

use super::{Definition, Item, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{
    Area, Assigned, Covers, Entry, Gateway, Handler, HeaderChange, Listen, Matcher, Part, Property, Protocol, Proxy,
    RequiredKind, Route, RouteId, ScopeId, Server, SiteId, Unknown, Variable, Version,
};
use crate::handshake::{Limit, Probe, Verdict, idle_limit};
use crate::source::Span;

/// The facts of mappings.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "worker_of",
        Subject::Route,
        Type::Text,
        worker_of,
        "The mapping whose worker is used, so that this one's own parameters are ignored; absent where they are in force.",
    ),
    fact(
        "worker_of.lost",
        Subject::Route,
        Type::List,
        lost_parameters,
        "The own parameters that are ignored for that and would change what becomes of a WebSocket: `upgrade`, `timeout`.",
    ),
    fact(
        "upgrade_advice",
        Subject::Route,
        Type::Text,
        upgrade_advice,
        "What to write so that the mapping passes an upgrade on, for the version it is judged for.",
    ),
    fact(
        "checks_upgrade",
        Subject::Route,
        Type::Flag,
        checks_upgrade,
        "Whether a tunnel to a `ws` or `wss` backend waits for its 101: false where `mod_proxy_wstunnel` tunnels whatever the backend answers, and that for all paths or because the configuration says so; absent for other backends.",
    ),
    fact(
        "open_forward_proxy",
        Subject::Site,
        Type::Flag,
        open_forward_proxy,
        "Whether anyone may have any URL fetched: `ProxyRequests` is on, and no requirement bounds who may.",
    ),
    fact(
        "upgrade_parameter",
        Subject::Route,
        Type::Text,
        upgrade_parameter,
        "The `upgrade=` in force, as written; absent where there is none.",
    ),
    fact(
        "upgrade_parameter.allows_websocket",
        Subject::Route,
        Type::Flag,
        allows_websocket,
        "Whether that lets a WebSocket through.",
    ),
    fact(
        "upgrade_lost_at",
        Subject::Route,
        Type::Text,
        upgrade_lost_at,
        "The path at which a handshake comes to this mapping and loses the upgrade, because the URL that is asked for finds another worker than the mapping's own; absent where none is lost.",
    ),
    fact(
        "forged_headers",
        Subject::Route,
        Type::List,
        forged_headers,
        "Those of `upgrade` and `connection` that lines of the configuration write or remove for the mapping's requests, where the server means to write them itself.",
    ),
    fact("forged_headers.effect", Subject::Route, Type::Text, forged_effect, "What comes of those lines, in words."),
    fact(
        "mapped_by",
        Subject::Route,
        Type::Text,
        mapped_by,
        "What makes the route: a `mapping` of the list, a `section`, a rewrite `rule`, or a `handler`.",
    ),
    fact(
        "section_pattern",
        Subject::Route,
        Type::Text,
        section_pattern,
        "The pattern of the route's section that is no pattern to the proxy, so that no path can be both; absent where the section can be reached.",
    ),
    fact(
        "backend_tls",
        Subject::Route,
        Type::Flag,
        backend_tls,
        "Whether TLS towards backends is switched on, for routes to `https` and `wss`; absent for others.",
    ),
];

/// A fact that only what httpd passes on has.
fn mapped(reader: &Reader<'_>, read: impl FnOnce(RouteId, &Route, &Proxy) -> Reading) -> Reading {
    match (reader.route(), reader.proxy()) {
        (Some((id, _)), Some((route, proxy))) if reader.view.gateway.server == Server::Apache => read(id, route, proxy),
        _ => Reading::absent(),
    }
}

fn worker_of(reader: &Reader<'_>, _: &str) -> Reading {
    mapped(reader, |_, _, proxy| match proxy.shares {
        Some(shared) => {
            let text = String::from_utf8_lossy(reader.view.sources.slice(shared.of)).into_owned();
            Reading::new(Value::text(text))
                .at(proxy.span, "its own parameters are ignored")
                .at(shared.of, "this worker is used instead")
        }
        None => Reading::absent(),
    })
}

fn lost_parameters(reader: &Reader<'_>, _: &str) -> Reading {
    mapped(reader, |_, route, proxy| {
        let gateway = reader.view.gateway;
        let Some(shared) = proxy.shares else { return Reading::absent() };
        let mut reading = Reading::absent();
        let mut lost = Vec::new();
        for entry in gateway.scopes.own(shared.ignored) {
            let name = match (entry.property, entry.assigned) {
                (Property::Upgrade, Assigned::Text(_)) => match reader.sent(Probe::Chrome, "upgrade") {
                    Ok(sent) if sent.values.is_empty() => "upgrade",
                    Ok(_) => continue,
                    Err(why) => return Reading { value: Err(why), ..reading },
                },
                (Property::ReadTimeout, Assigned::Duration(own)) => match idle_limit(gateway, route, proxy) {
                    Ok(Limit::After(limit)) if limit.value < own => "timeout",
                    Ok(_) => continue,
                    Err(why) => return Reading { value: Err(why), ..reading },
                },
                _ => continue,
            };
            reading = reading.at(entry.span, "ignored");
            lost.push(name.to_owned());
        }
        if lost.is_empty() {
            return Reading::absent();
        }
        Reading { value: Ok(Value::List(lost)), ..reading.at(shared.of, "this mapping's worker is used, and its parameters") }
    })
}

/// Since this version `mod_proxy_http` upgrades, and tunnels wait for the backend's 101 (CVE-2019-17567).
const HTTP_UPGRADES: Version = Version::new(2, 4, 47);

fn upgrade_advice(reader: &Reader<'_>, _: &str) -> Reading {
    const NOW: &str = "add `upgrade=websocket` to the mapping, or to each `BalancerMember` where it leads to a balancer";
    const BEFORE: &str = "lead the handshakes to `ws://` ahead of this mapping, with `mod_proxy_wstunnel`: `RewriteEngine On`, `RewriteCond %{HTTP:Upgrade} websocket [NC]`, `RewriteRule \"^/?(.*)\" \"ws://HOST:PORT/$1\" [P,L]`";
    mapped(reader, |_, _, _| {
        let text = match reader.view.gateway.version {
            Some(version) if version >= HTTP_UPGRADES => NOW.to_owned(),
            Some(version) => format!("httpd {version} has no `upgrade=` for `http://`: {BEFORE}"),
            None => format!("{NOW}; before httpd 2.4.47 {BEFORE}"),
        };
        Reading::new(Value::text(text))
    })
}

fn checks_upgrade(reader: &Reader<'_>, _: &str) -> Reading {
    mapped(reader, |_, route, proxy| {
        let gateway = reader.view.gateway;
        if !matches!(proxy.protocol, Protocol::Ws | Protocol::Wss) || gateway.modules.has("proxy_wstunnel") == Some(false) {
            return Reading::absent();
        }
        let set = crate::handshake::areas(gateway, route.site).filter(|area| matches!(area.covers, Covers::Everything));
        if let Some((false, span)) = set.filter_map(|area| area.settings.http_tunnels).last() {
            return Reading::new(Value::Flag(false)).at(span, "brings the old tunnel back").at(proxy.span, "tunnelled from here");
        }
        // The path of the WebSocket alone is what the advisory asks for.
        let all_paths = matches!(route.matcher, Matcher::Segments(text) if gateway.texts.get(text) == b"/");
        let old = all_paths && gateway.version.is_some_and(|version| version < HTTP_UPGRADES);
        Reading::new(Value::Flag(!old)).at(proxy.span, "tunnelled from here")
    })
}

/// What bounds a forward proxy: requirements in `<Proxy>`, or in a section for all paths; sockets of this machine alone.
fn open_forward_proxy(reader: &Reader<'_>, _: &str) -> Reading {
    let Item::Site(id) = reader.item else { return Reading::absent() };
    let gateway = reader.view.gateway;
    let site = gateway.site(id);
    // What a virtual host inherits is said of the main server.
    let Some((true, span)) = site.areas.first().and_then(|area| area.settings.forward_proxy) else { return Reading::absent() };
    let bounds = |area: &Area| {
        let everywhere = match area.covers {
            Covers::Everything | Covers::Proxied(_) | Covers::Path(Matcher::Pattern { .. }) => true,
            Covers::Path(Matcher::Segments(text)) => gateway.texts.get(text) == b"/",
            _ => false,
        };
        everywhere && keeps_out(area)
    };
    let here = |listen: &Listen| matches!(&*gateway.texts.show(listen.address), "127.0.0.1" | "[::1]" | "localhost");
    let bounded = crate::handshake::areas(gateway, id).any(bounds) || !site.listens.is_empty() && site.listens.iter().all(here);
    Reading::new(Value::Flag(!bounded)).at(span, "switched on here")
}

/// Whether an area asks who a client is, or lets only some in.
pub(super) fn keeps_out(area: &Area) -> bool {
    let asks = area.access.as_ref().is_some_and(|access| {
        let bounds = |kind: &RequiredKind| !matches!(kind, RequiredKind::Granted(true) | RequiredKind::All | RequiredKind::Any);
        access.required.iter().any(|required| bounds(&required.kind)) || access.hosts.iter().any(|rule| !rule.allowed)
    });
    asks || area.settings.password.is_some()
}

/// The `upgrade=` in force: its line and its value.
fn upgrade_entry<'g>(gateway: &'g Gateway, proxy: &Proxy) -> Option<&'g Entry> {
    let own = gateway.scopes.own(proxy.worker?);
    own.filter(|entry| entry.property == Property::Upgrade && matches!(entry.assigned, Assigned::Text(_))).last()
}

fn upgrade_parameter(reader: &Reader<'_>, _: &str) -> Reading {
    mapped(reader, |_, _, proxy| {
        let gateway = reader.view.gateway;
        match upgrade_entry(gateway, proxy).map(|entry| (entry, entry.assigned)) {
            Some((entry, Assigned::Text(text))) => match gateway.symbolics.literal(text, &gateway.texts) {
                // It is as if it were not written.
                Some(b"") => Reading::absent(),
                Some(text) => Reading::new(Value::text(String::from_utf8_lossy(text).into_owned()))
                    .at(entry.span, "the upgrade is allowed here"),
                None => Reading::unknown(Unknown::Runtime),
            },
            // The backend that speaks for a balancer, or whose worker is used, stands elsewhere.
            _ => match proxy.worker.map(|worker| gateway.scopes.get(worker).span) {
                Some(span) if span != proxy.span => Reading::absent().at(span, "this backend has none"),
                _ => Reading::absent(),
            },
        }
    })
}

fn allows_websocket(reader: &Reader<'_>, _: &str) -> Reading {
    let Reading { value, evidence, .. } = upgrade_parameter(reader, "");
    let value = match value {
        Ok(Value::Text(text)) => Ok(Value::Flag(crate::handshake::may_upgrade(&text, "websocket"))),
        Ok(_) => Ok(Value::Absent),
        Err(why) => Err(why),
    };
    Reading { value, evidence, until: None }
}

/// Requests find their worker by the URL that is asked for (`ap_proxy_get_worker_ex`): where a capture is shorter than the `$1` that stands
/// for it, that URL is shorter than the mapping's own, and the worker of another or of none is found.
fn upgrade_lost_at(reader: &Reader<'_>, _: &str) -> Reading {
    mapped(reader, |id, _, _| {
        let Some(walk) = reader.walk() else { return Reading::absent() };
        let sent_nothing = walk
            .upstream_request
            .as_ref()
            .is_some_and(|request| request.http_version != "1.0" && request.headers.get("upgrade").is_none());
        if walk.route != Some(id) || walk.verdict != Verdict::ForwardedPlain || !sent_nothing {
            return Reading::absent();
        }
        let culprits: Vec<Span> = culprits(reader);
        match reader.sent(Probe::Chrome, "upgrade") {
            Ok(sent) if sent.values.is_empty() || culprits.iter().any(|span| is_header_edit(reader, *span)) => Reading::absent(),
            Ok(_) => {
                let path = reader.route().map(|(id, route)| reader.handshake_path(id, route).into_owned()).unwrap_or_default();
                culprits.iter().fold(Reading::text(path), |reading, &span| reading.at(span, "the upgrade is lost here"))
            }
            Err(why) => Reading::unknown(why),
        }
    })
}

/// The lines to blame for what becomes of the followed handshake.
fn culprits(reader: &Reader<'_>) -> Vec<Span> {
    let because = reader.walk().into_iter().flat_map(|walk| &walk.because);
    because.filter(|because| because.culprit).filter_map(|because| because.span).collect()
}

/// The lines of the site that write or remove `Upgrade`, or say `upgrade` in `Connection`: name, line, and the level that holds it.
pub(super) fn forging(gateway: &Gateway, site: SiteId) -> impl Iterator<Item = (&'static str, &Entry, ScopeId)> {
    let says_upgrade = |value| {
        let parts = gateway.symbolics.get(value);
        parts.iter().any(|part| match part {
            Part::Text(text) => gateway.texts.show(*text).to_ascii_lowercase().contains("upgrade"),
            Part::Variable(Variable::Process(_) | Variable::ProcessOrNull(_)) => true,
            _ => false,
        })
    };
    crate::handshake::areas(gateway, site).flat_map(move |area| {
        gateway.scopes.own(area.scope).filter_map(move |entry| {
            let (lower, value) = match entry.assigned {
                Assigned::Header { lower, value, .. } => (lower, value),
                Assigned::HeaderEdit(id) => (gateway.header_edit(id).lower, gateway.header_edit(id).value),
                _ => return None,
            };
            let name = match gateway.texts.get(lower) {
                b"upgrade" => "upgrade",
                b"connection" if !removes(gateway, entry) && says_upgrade(value) => "connection",
                _ => return None,
            };
            (entry.property == Property::RequestHeader).then_some((name, entry, area.scope))
        })
    })
}

/// Whether a line about a header removes it.
pub(super) fn removes(gateway: &Gateway, entry: &Entry) -> bool {
    match entry.assigned {
        Assigned::Header { value, .. } => gateway.symbolics.get(value).is_empty(),
        Assigned::HeaderEdit(id) => gateway.header_edit(id).change == HeaderChange::Unset,
        _ => false,
    }
}

fn is_header_edit(reader: &Reader<'_>, span: Span) -> bool {
    let Some((_, route)) = reader.route() else { return false };
    forging(reader.view.gateway, route.site).any(|(_, entry, _)| entry.span == span)
}

fn forged_headers(reader: &Reader<'_>, _: &str) -> Reading {
    mapped(reader, |_, route, _| {
        let gateway = reader.view.gateway;
        let in_force: Vec<_> = gateway.scopes.chain(route.scope).collect();
        let mut reading = Reading::absent();
        let mut names: Vec<String> = Vec::new();
        let mut blamed = None;
        for (name, entry, scope) in forging(gateway, route.site) {
            // Lines of other areas matter where the handshake is seen to meet them.
            let blamed = blamed.get_or_insert_with(|| culprits(reader));
            if in_force.contains(&scope) || blamed.contains(&entry.span) {
                reading = reading.at(entry.span, "written by hand");
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
        }
        if names.is_empty() { reading } else { Reading { value: Ok(Value::List(names)), ..reading } }
    })
}

fn forged_effect(reader: &Reader<'_>, _: &str) -> Reading {
    let forged = forged_headers(reader, "");
    let (Some((_, route)), Ok(Value::List(_))) = (reader.route(), &forged.value) else { return Reading::absent() };
    let gateway = reader.view.gateway;
    let is_blamed = |entry: &Entry| forged.evidence.iter().any(|evidence| evidence.span == entry.span);
    let taken_away = forging(gateway, route.site).any(|(_, entry, _)| is_blamed(entry) && removes(gateway, entry));
    Reading::text(if taken_away {
        "`RequestHeader` takes `Upgrade` away before httpd can pass it on: the backend sees a plain request"
    } else {
        "`RequestHeader` cannot make an upgrade: httpd writes `Upgrade` and `Connection` by itself, and only where the mapping has `upgrade=websocket` and the client asks for it"
    })
}

fn mapped_by(reader: &Reader<'_>, _: &str) -> Reading {
    mapped(reader, |id, route, _| {
        let site = reader.view.gateway.site(route.site);
        let handles = |area: &Area| area.handler == Some(Handler::Proxy(id));
        let (by, span) = if let Some(area) = site.areas.iter().find(|area| handles(area)) {
            ("handler", area.span)
        } else if site.sections.contains(&id.0) {
            ("section", route.span)
        } else if site.mappings.contains(&id.0) {
            ("mapping", route.span)
        } else {
            ("rule", route.span)
        };
        Reading::new(Value::text(by)).at(span, "mapped here")
    })
}

/// `mod_proxy` takes the text of a section for a pattern only where it holds one of `* ? [`, while `core` takes it for one where the
/// section says so (`add_pass`, `mod_proxy.c`; `urlsection`, `core.c`).
pub(super) fn section_pattern(reader: &Reader<'_>, _: &str) -> Reading {
    mapped(reader, |id, route, _| match section_of_pattern(reader.view.gateway, id, route) {
        Some((area, pattern)) => Reading::new(Value::text(pattern.into_owned())).at(area.span, "never reached"),
        None => Reading::absent(),
    })
}

/// The section with a pattern whose mapping `route` is, where the text of the pattern, which `mod_proxy` takes for a path, is none.
pub(super) fn section_of_pattern<'g>(gateway: &'g Gateway, id: RouteId, route: &Route) -> Option<(&'g Area, Cow<'g, str>)> {
    let Matcher::Segments(text) = route.matcher else { return None };
    let pattern = gateway.texts.show(text);
    if pattern.starts_with('/') && !pattern.contains(['(', ')', '|', '^', '$', '+', '{', '}', '\\']) {
        return None;
    }
    let area = gateway.site(route.site).areas.iter().find(|area| area.proxy == Some(id))?;
    matches!(area.covers, Covers::Path(Matcher::Pattern { .. })).then_some((area, pattern))
}

fn backend_tls(reader: &Reader<'_>, _: &str) -> Reading {
    mapped(reader, |_, route, proxy| {
        if !matches!(proxy.protocol, Protocol::Https | Protocol::Wss) {
            return Reading::absent();
        }
        let gateway = reader.view.gateway;
        let areas = || crate::handshake::areas(gateway, route.site);
        let of_sites =
            areas().filter(|area| matches!(area.covers, Covers::Everything)).filter_map(|area| area.settings.proxy_tls);
        // A section for backends may switch it on for this one.
        let for_backends =
            areas().any(|area| !matches!(area.covers, Covers::Everything) && area.settings.proxy_tls == Some(true));
        let on = of_sites.last() == Some(true);
        let unseen = gateway.scopes.chain(route.scope).find_map(|scope| gateway.scopes.get(scope).open);
        match unseen {
            Some(why) if !on && !matches!(why, Unknown::Fragment(_)) => Reading::unknown(why),
            _ if !on && for_backends => Reading::unknown(Unknown::Runtime),
            _ => Reading::new(Value::Flag(on)).at(proxy.span, "asked over TLS"),
        }
    })
}
