//! Which backends may be asked: the worker of a URL, the members of a balancer, and how a path is written to them.

use super::backend::Asked;
use super::paths::{escaped, escaped_with_slashes};
use super::with_query;
use crate::gateway::{Assigned, BalancedWorker, Gateway, Property, Protocol, SiteId, TextId, UpstreamId, Worker, serves};
use crate::handshake::evaluate::Environment;
use crate::handshake::select::main_of;

/// A backend's URL in its parts.
pub(super) struct Url<'a> {
    pub(super) scheme: &'a str,
    pub(super) authority: &'a str,
    pub(super) path: &'a str,
}

/// Its parts as they are when a request is passed on: a query that is glued to the authority stays with it (`ap_proxy_canon_netloc` looks for
/// nothing but a `/`). When the file is read, that is the end of it (`apr_uri_parse`): see `apache::values::proxy_url`.
pub(super) fn parts(url: &str) -> Option<Url<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find('/').unwrap_or(rest.len());
    Some(Url { scheme, authority: &rest[..end], path: &rest[end..] })
}

/// What stands before a socket's `|` is where it is, not what is asked; whether there is one, and the URL.
pub(super) fn socket_url(url: &str) -> (bool, &str) {
    let is_socket = url.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("unix:"));
    let asked = if is_socket { url.split_once('|').map_or("", |(_, asked)| asked) } else { url };
    (is_socket, asked)
}

/// How a path is written when it is sent.
#[derive(Clone, Copy)]
pub(super) enum Sent {
    AsItIs,
    Escaped,
    /// Escaped but for slashes that are already.
    WithSlashes,
}

/// The answer where a path cannot be written so.
pub(super) const UNREADABLE: (u16, &str) = (400, "a percent sign in the path begins no code");

/// The path as it is sent; `None` where it cannot be.
pub(super) fn sent_path(path: &str, spelling: Sent) -> Option<String> {
    let path = match spelling {
        Sent::AsItIs => path.to_owned(),
        Sent::Escaped => escaped(path),
        Sent::WithSlashes => escaped_with_slashes(path)?,
    };
    Some(if path.is_empty() { "/".to_owned() } else { path })
}

/// One backend that may be asked.
pub(super) struct Backend {
    pub(super) protocol: Protocol,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) worker: Option<Worker>,
    pub(super) route: Option<String>,
    /// Whether it is one of a balancer.
    pub(super) is_member: bool,
    /// Whether it would be asked through a socket that is not known, and its host is asked instead.
    pub(super) lost_socket: bool,
}

/// Why a balancer has no members: the status, and what to say.
type Memberless = (u16, &'static str);

/// The backends of a balancer (`proxy_balancer_pre_request`): spares only where there are no others; and what names a client's session.
pub(super) fn members(
    environment: &Environment<'_>,
    url: &Url<'_>,
    spelling: Sent,
) -> Result<(Vec<Backend>, Option<TextId>), Memberless> {
    let gateway = environment.gateway;
    let name = url.authority.to_ascii_lowercase();
    let named = |id: &UpstreamId| gateway.texts.get(gateway.upstream(*id).name) == name.as_bytes();
    let count = u32::try_from(gateway.upstreams.len()).unwrap_or(u32::MAX);
    let of_site = environment.proxy.and_then(|proxy| proxy.upstream);
    let id =
        of_site.filter(named).or_else(|| (0..count).map(UpstreamId).find(|id| named(id) && gateway.balanced.contains_key(id)));
    let Some(all) = id.and_then(|id| gateway.balanced.get(&id)) else {
        // One that only a rule names is no balancer at all, and no module speaks the scheme.
        let known = (0..count).map(UpstreamId).any(|id| named(&id));
        return Err(if known { (503, "names a balancer without members") } else { (500, "names no balancer") });
    };
    // Where all are out of service none is asked.
    let is_out = |member: &&BalancedWorker| {
        let setting = gateway.scopes.scalar(member.scope, Property::Disabled);
        setting.is_ok_and(|setting| setting.is_some_and(|setting| setting.value == Assigned::Flag(true)))
    };
    let all: Vec<_> = if all.iter().all(|member| is_out(&member)) {
        all.iter().collect()
    } else {
        all.iter().filter(|member| !is_out(member)).collect()
    };
    let spares = all.iter().all(|member| member.backup);
    let mut asked: Vec<_> = all.into_iter().filter(|member| member.backup == spares).collect();
    // Those of a later set are asked where none of an earlier is fit, and who has the greatest share is asked first
    // (`ap_proxy_balancer_get_best_worker`, `is_best_byrequests`).
    let first = asked.iter().map(|member| member.set).min();
    asked.retain(|member| Some(member.set) == first);
    asked.sort_by_key(|member| std::cmp::Reverse(member.share));
    let backends = asked.into_iter().filter_map(|member| {
        let text = gateway.texts.show(member.url).into_owned();
        let text = text.rsplit_once('|').map_or(text.as_str(), |(_, url)| url).to_owned();
        let own = parts(&text)?;
        let path = sent_path(&format!("{}{}", own.path, url.path), spelling)?;
        Some(Backend {
            protocol: member.protocol,
            authority: own.authority.to_owned(),
            path,
            worker: Some(Worker { url: member.url, is_pattern: false, scope: member.scope, span: member.span }),
            route: member.route.map(|route| gateway.texts.show(route).into_owned()),
            is_member: true,
            lost_socket: false,
        })
    });
    Ok((backends.collect(), id.and_then(|id| gateway.upstream(id).session)))
}

/// The one that a session is kept with, where the client names a route that one of them has; else all (`find_session_route`).
pub(super) fn kept_with(
    environment: &Environment<'_>,
    backends: Vec<Backend>,
    session: Option<TextId>,
    asked: &Asked,
) -> Vec<Backend> {
    let Some(session) = session else { return backends };
    let session = environment.gateway.texts.show(session);
    let (in_cookie, in_url) = session.split_once('|').unwrap_or((&session, &session));
    let url = with_query(&asked.url, asked.query.as_deref());
    let behind = |name: &str| Some(url.split_once(&format!("{name}="))?.1.to_owned());
    let cookies = environment.request.header(b"cookie").unwrap_or_default();
    let cookie = cookies.split([';', ',']).filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == in_cookie);
    let value = behind(in_url).or(cookie.map(|(_, value)| value.to_owned())).unwrap_or_default();
    let value = value.split(['?', '&', ';']).next().unwrap_or_default();
    let route = value.split_once('.').map(|(_, route)| route);
    match backends.iter().position(|backend| route.is_some() && backend.route.as_deref() == route) {
        Some(at) => backends.into_iter().skip(at).take(1).collect(),
        None => backends,
    }
}

/// The worker whose URL is the longest that this one begins with (`ap_proxy_get_worker_ex`, `proxy_util.c`); the first of equal ones.
pub(super) fn worker(gateway: &Gateway, site: SiteId, url: &str) -> Option<Worker> {
    let scheme_end = url.find("://")? + 3;
    let path_at = url[scheme_end..].find('/').map_or(url.len(), |at| scheme_end + at);
    let url = format!("{}{}", url[..path_at].to_ascii_lowercase(), &url[path_at..]);
    let own = gateway.workers.get(&site).into_iter().flatten();
    // A virtual host has its own behind those of the main server (`merge_proxy_config`, `mod_proxy.c`).
    let main = main_of(gateway, site).and_then(|main| gateway.workers.get(&main)).into_iter().flatten();
    let mut best: Option<&Worker> = None;
    for worker in main.chain(own) {
        let name = gateway.texts.get(worker.url);
        let is_longer = best.is_none_or(|best| name.len() > gateway.texts.get(best.url).len());
        if is_longer && serves(name, worker.is_pattern, url.as_bytes(), path_at) {
            best = Some(worker);
        }
    }
    best.copied()
}
