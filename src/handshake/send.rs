//! Which headers the upstream is sent.

use super::evaluate::Environment;
use crate::gateway::{Assigned, Entry, Gateway, Known, Property, Protocol, Proxy, Route, ScopeId, Server, Unknown, Version};
use crate::source::Span;

/// A header as it is sent: its values in order, and the directives that they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The values; none: the header is not sent.
    pub values: Vec<String>,
    /// The directives that set or withhold it.
    pub spans: Vec<Span>,
    /// Set where it is so only before this version, and the version judged for is not known.
    pub until: Option<Version>,
}

/// The header `name` (lower case) of the request that `route` sends to its upstream.
///
/// # Errors
/// Where it depends on something that cannot be known.
pub fn sent_header(environment: &Environment<'_>, route: &Route, proxy: &Proxy, name: &str) -> Known<Sent> {
    match environment.gateway.server {
        Server::Nginx => sent_by_nginx(environment, route, name),
        Server::Apache => sent_by_httpd(environment, route, proxy, name),
    }
}

/// `ngx_http_proxy_create_request`: the configured headers, else the server's own, else the client's. Empty values are not sent.
fn sent_by_nginx(environment: &Environment<'_>, route: &Route, name: &str) -> Known<Sent> {
    let gateway = environment.gateway;
    let list = headers_in_force(gateway, route.scope)?;
    let mut sent = Sent::default();
    if let Some(scope) = list {
        let mut is_set = false;
        for (entry, value) in headers(gateway, scope, name) {
            is_set = true;
            sent.spans.push(entry.span);
            let value = environment.evaluate(value)?;
            if !value.is_empty() {
                sent.values.push(value);
            }
        }
        if is_set {
            return Ok(sent);
        }
        if let Some(why) = unseen(gateway, scope) {
            return Err(why);
        }
    }
    let default = gateway.default_headers.iter().find(|default| gateway.texts.get(default.name) == name.as_bytes());
    if let Some(default) = default {
        sent.until = default.until;
        let value = environment.evaluate(default.value)?;
        sent.values.extend(Some(value).filter(|value| !value.is_empty()));
        return Ok(sent);
    }
    if passes_client_headers(gateway, route.scope)? {
        sent.values.extend(environment.request.header(name.as_bytes()).map(str::to_owned));
    }
    Ok(sent)
}

/// The level whose headers are in force: the innermost that has any.
///
/// # Errors
/// Where a level inside it may have some that we do not see: they would drop all the others.
fn headers_in_force(gateway: &Gateway, scope: ScopeId) -> Known<Option<ScopeId>> {
    for level in gateway.scopes.chain(scope) {
        if gateway.scopes.own(level).any(|entry| entry.property == Property::RequestHeader) {
            return Ok(Some(level));
        }
        if let Some(why) = unseen(gateway, level) {
            return Err(why);
        }
    }
    Ok(None)
}

fn headers<'a>(
    gateway: &'a Gateway,
    scope: ScopeId,
    name: &str,
) -> impl Iterator<Item = (&'a Entry, crate::gateway::SymbolicId)> {
    // A name that the configuration never writes in any header is not interned, or not as a header: nothing matches.
    let wanted = gateway.texts.find(name.as_bytes());
    gateway.scopes.own(scope).filter_map(move |entry| match entry.assigned {
        Assigned::Header { lower, value, .. } if entry.property == Property::RequestHeader && Some(lower) == wanted => {
            Some((entry, value))
        }
        _ => None,
    })
}

fn passes_client_headers(gateway: &Gateway, scope: ScopeId) -> Known<bool> {
    let setting = gateway.scopes.scalar(scope, Property::PassRequestHeaders)?;
    Ok(!matches!(setting, Some(setting) if setting.value == Assigned::Flag(false)))
}

/// Why a level may hold settings that we do not see.
///
/// What surrounds a fragment is taken to set nothing: someone who lints one site file asks about what stands in it.
fn unseen(gateway: &Gateway, scope: ScopeId) -> Option<Unknown> {
    gateway.scopes.get(scope).open.filter(|why| !matches!(why, Unknown::Fragment(_)))
}

/// `ap_proxy_create_hdrbrgd` and `mod_proxy_http`: hop-by-hop headers are dropped; `Upgrade` goes on where the worker may upgrade to it.
fn sent_by_httpd(environment: &Environment<'_>, route: &Route, proxy: &Proxy, name: &str) -> Known<Sent> {
    match name {
        "upgrade" => forwarded_upgrade(environment, route, proxy),
        "connection" => {
            let upgrade = forwarded_upgrade(environment, route, proxy)?;
            let value = if upgrade.values.is_empty() { "close" } else { "Upgrade" };
            Ok(Sent { values: vec![value.to_owned()], ..upgrade })
        }
        "keep-alive" | "te" | "trailer" | "transfer-encoding" => Ok(Sent::default()),
        _ => client_header(environment, route, name),
    }
}

/// The client's header after `RequestHeader`; levels add up, the outer first (`merge_headers_config`, `mod_headers.c`).
fn client_header(environment: &Environment<'_>, route: &Route, name: &str) -> Known<Sent> {
    let gateway = environment.gateway;
    let mut sent =
        Sent { values: environment.request.header(name.as_bytes()).map(str::to_owned).into_iter().collect(), ..Sent::default() };
    let mut levels: Vec<ScopeId> = gateway.scopes.chain(route.scope).collect();
    levels.reverse();
    for level in levels {
        for (entry, value) in headers(gateway, level, name) {
            sent.spans.push(entry.span);
            let value = environment.evaluate(value)?;
            sent.values = Some(value).filter(|value| !value.is_empty()).into_iter().collect();
        }
    }
    Ok(sent)
}

/// Since this version `mod_proxy_http` upgrades by itself where a worker has `upgrade=`; before, the parameter does nothing for `http://`.
const HTTP_UPGRADES: Version = Version::new(2, 4, 47);

/// `ap_proxy_worker_can_upgrade` (`proxy_util.c`): the worker's `upgrade=`, else `websocket` for `ws` and `wss`.
fn forwarded_upgrade(environment: &Environment<'_>, route: &Route, proxy: &Proxy) -> Known<Sent> {
    let gateway = environment.gateway;
    let is_websocket = matches!(proxy.protocol, Protocol::Ws | Protocol::Wss);
    let mut sent = Sent::default();
    // A group whose backends are not seen, or a scheme that variables decide.
    if matches!(proxy.protocol, Protocol::Balancer | Protocol::Other) {
        return Err(Unknown::Unmodelled(proxy.span));
    }
    if !proxy.protocol.is_http() || !is_websocket && gateway.version.is_some_and(|version| version < HTTP_UPGRADES) {
        return Ok(sent);
    }
    let setting = match proxy.worker {
        Some(worker) => gateway.scopes.scalar(worker, Property::Upgrade)?,
        None => None,
    };
    sent.spans.extend(setting.and_then(|setting| setting.origin.span()));
    let allowed = match setting.map(|setting| setting.value) {
        Some(Assigned::Text(text)) => Some(environment.evaluate(text)?),
        _ => is_websocket.then(|| "websocket".to_owned()),
    };
    let asked = client_header(environment, route, "upgrade")?;
    sent.spans.extend(&asked.spans);
    if let (Some(allowed), Some(asked)) = (allowed, asked.values.into_iter().next())
        && (allowed == "*"
            || allowed.eq_ignore_ascii_case("ANY")
            || allowed.split(',').any(|token| token.trim().eq_ignore_ascii_case(&asked)))
    {
        sent.values.push(asked);
    }
    Ok(sent)
}

/// Headers that a level around `route` sets for the upstream and that are lost here, because the level in force sets others:
/// the lower-case name, the line that is lost, and the first line of the level that drops it.
///
/// # Errors
/// Where the level in force may hold headers that we do not see.
pub fn lost_headers(gateway: &Gateway, route: &Route) -> Known<Vec<(String, Span, Span)>> {
    if gateway.server != Server::Nginx {
        return Ok(Vec::new());
    }
    let Some(in_force) = headers_in_force(gateway, route.scope)? else { return Ok(Vec::new()) };
    let own: Vec<&Entry> = gateway.scopes.own(in_force).filter(|entry| entry.property == Property::RequestHeader).collect();
    let Some(first) = own.first() else { return Ok(Vec::new()) };
    let lower = |entry: &Entry| match entry.assigned {
        Assigned::Header { lower, .. } => Some(lower),
        _ => None,
    };
    let mut lost = Vec::new();
    for level in gateway.scopes.chain(in_force).skip(1) {
        let outer = gateway.scopes.own(level).filter(|entry| entry.property == Property::RequestHeader);
        let before = lost.len();
        let mut has_any = false;
        for entry in outer {
            has_any = true;
            if let Some(name) = lower(entry)
                && !own.iter().any(|own| lower(own) == Some(name))
            {
                lost.push((gateway.texts.show(name).into_owned(), entry.span, first.span));
            }
        }
        // Only the nearest list would have been inherited: those further out are lost at that level already.
        if has_any {
            if lost.len() > before
                && let Some(why) = unseen(gateway, in_force)
            {
                return Err(why);
            }
            break;
        }
    }
    Ok(lost)
}
