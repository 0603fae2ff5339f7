//! What a backend is sent, and what comes of it: the module that speaks its scheme, headers, the verdict.

use std::net::IpAddr;

use super::areas::{encoded_slashes, levels, setting};
use super::headers::{max_forwards, passed_headers};
use super::paths::UNKNOWN_ROOT_ESCAPED;
use super::with_query;
use super::worker::{Backend, Sent, UNREADABLE, Url, kept_with, members, parts, sent_path, socket_url, worker};
use crate::gateway::{
    Area, Assigned, Assignment, EncodedSlashes, Gateway, Known, Matcher, Property, Protocol, Proxy, Route, RouteId, ScopeId,
    SiteId, Spelling, Unknown, Version, Worker, host_and_port, is_authority, is_netloc, split_authority, without_brackets,
};
use crate::handshake::evaluate::Environment;
use crate::handshake::idle::{Limit, idle_limit, timeout};
use crate::handshake::send::{HTTP_UPGRADES, Passing, client_header, client_headers, forwarded_upgrade, last_edit, may_upgrade};
use crate::handshake::walk::{UpstreamRequest, Verdict};
use crate::source::Span;

/// A request on its way to a backend.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The route that takes it.
    pub(super) route: RouteId,
    /// The URL: scheme, authority and path, which is not escaped unless `verbatim`.
    pub(super) url: String,
    /// The query.
    pub(super) query: Option<String>,
    /// Whether the path is sent as it is.
    pub(super) verbatim: bool,
    /// The directive that passes it on.
    pub(super) span: Span,
    /// Whether it is passed on as a file would be handled: `SetHandler`.
    pub(super) as_handler: bool,
}

/// What comes of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    pub(super) sent: Option<UpstreamRequest>,
    /// The line that decides, and what it does.
    pub(super) because: Option<(Span, String)>,
}

impl Answer {
    /// No module speaks the scheme; where it was to handle a file, that is as if the file were not there (`proxy_handler`).
    fn unspoken(asked: &Asked, message: impl Into<String>) -> Self {
        let mut answer = Self::refused(500, asked.span, message);
        if asked.as_handler {
            answer.verdict = Verdict::Answered { status: 404, location: None };
        }
        answer
    }

    fn refused(status: u16, span: Span, message: impl Into<String>) -> Self {
        let verdict = if status < 500 { Verdict::Answered { status, location: None } } else { Verdict::BadGateway { status } };
        Self { verdict, sent: None, because: Some((span, message.into())) }
    }
}

/// Since this version a URL that cannot be resolved is answered with 500, before with 502.
const UNRESOLVED_IS_500: Version = Version::new(2, 4, 47);

/// Passes a request on.
///
/// # Errors
/// Where something that decides cannot be known.
pub(super) fn pass_on(environment: &Environment<'_>, site: SiteId, areas: &[&Area], asked: &Asked) -> Known<Answer> {
    let gateway = environment.gateway;
    if let Err((status, message)) = max_forwards(environment, areas, &levels(areas))? {
        return Ok(Answer::refused(status, asked.span, message));
    }
    let (is_socket, url) = socket_url(&asked.url);
    let Some(url) = parts(url) else { return Ok(Answer::refused(500, asked.span, "is no URL that a request can be passed to")) };
    let keeps_slashes = encoded_slashes(areas) == EncodedSlashes::Kept;
    let spelling = match (asked.verbatim, keeps_slashes) {
        (true, _) => Sent::AsItIs,
        (false, true) => Sent::WithSlashes,
        (false, false) => Sent::Escaped,
    };
    let backends = match Protocol::of_scheme(url.scheme.as_bytes()) {
        Protocol::Balancer => {
            if gateway.modules.has("proxy_balancer") == Some(false) {
                return Ok(Answer::unspoken(asked, "needs mod_proxy_balancer, which is not loaded"));
            }
            if url.path.is_empty() && !asked.verbatim && url.authority.contains(':') {
                return Err(Unknown::Unmodelled(asked.span));
            }
            // `proxy_balancer_canon`.
            let url = Url { path: if url.path.is_empty() { "/" } else { url.path }, ..url };
            match members(environment, &url, spelling) {
                Ok((members, session)) => kept_with(environment, members, session, asked),
                Err(refused) => return Ok(Answer::refused(refused.0, asked.span, refused.1)),
            }
        }
        protocol => {
            let Some(path) = sent_path(url.path, spelling) else {
                return Ok(Answer::refused(UNREADABLE.0, asked.span, UNREADABLE.1));
            };
            // It is the URL as it is sent that workers are compared with.
            let sent = format!("{}://{}{path}", url.scheme, url.authority);
            let worker = worker(gateway, site, &with_query(&sent, asked.query.as_deref()));
            let is_mapped = !asked.as_handler && !matches!(gateway.route(asked.route).matcher, Matcher::Rewrite(_));
            // Only the worker knows the socket of a mapping.
            let lost_socket = is_socket && is_mapped && worker.is_none();
            vec![Backend {
                protocol,
                authority: url.authority.to_owned(),
                path,
                worker,
                route: None,
                is_member: false,
                lost_socket,
            }]
        }
    };
    let mut answers = Vec::new();
    for backend in &backends {
        answers.push(ask(environment, site, areas, asked, backend)?);
    }
    let mut answers = answers.into_iter();
    let Some(first) = answers.next() else { return Err(Unknown::Runtime) };
    // Which backend of several is asked is known only where it makes no difference.
    if answers.any(|other| other.verdict != first.verdict) {
        return Err(Unknown::Runtime);
    }
    Ok(first)
}

/// Why a URL is refused before anything is asked: what is passed on as it is must be fit for a request line (`proxy_http_canon` and its kin,
/// AH10411).
pub(super) fn unfit(gateway: &Gateway, asked: &Asked) -> Option<&'static str> {
    if !asked.verbatim {
        return None;
    }
    let url = parts(socket_url(&asked.url).1)?;
    let lacks = |module: &str| gateway.modules.has(module) == Some(false);
    // Without a module for the scheme nobody looks.
    let is_read = match Protocol::of_scheme(url.scheme.as_bytes()) {
        Protocol::Http | Protocol::Https => !lacks("proxy_http"),
        Protocol::Ws | Protocol::Wss => !lacks("proxy_http") || !lacks("proxy_wstunnel"),
        Protocol::Balancer => !lacks("proxy_balancer"),
        _ => false,
    };
    let has_blank = url.path.bytes().any(|byte| byte == b' ' || byte.is_ascii_control());
    (is_read && has_blank).then_some("a path with a blank is not passed on as it is")
}

/// The module that speaks to a backend.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaker {
    /// `mod_proxy_http`.
    Http,
    /// `mod_proxy_wstunnel` by itself.
    Tunnel,
}

/// Asks one backend.
fn ask(environment: &Environment<'_>, site: SiteId, areas: &[&Area], asked: &Asked, backend: &Backend) -> Known<Answer> {
    let gateway = environment.gateway;
    let route = gateway.route(asked.route);
    let at = backend.worker.map_or(asked.span, |worker| worker.span);
    let modern = gateway.version.is_none_or(|version| version >= HTTP_UPGRADES);
    let lacks = |module: &str| gateway.modules.has(module) == Some(false);
    // A balancer finds none of its members fit then (AH00934).
    let unspoken = |asked: &Asked, message: &str| {
        if backend.is_member { Answer::refused(503, asked.span, message) } else { Answer::unspoken(asked, message) }
    };
    let is_websocket = matches!(backend.protocol, Protocol::Ws | Protocol::Wss);
    let falls_back = setting(areas, |settings| settings.http_tunnels);
    let speaker = match backend.protocol {
        Protocol::Http | Protocol::Https if lacks("proxy_http") => {
            return Ok(unspoken(asked, "no module speaks http: mod_proxy_http is not loaded"));
        }
        Protocol::Http | Protocol::Https => Speaker::Http,
        Protocol::Ws | Protocol::Wss if !modern && lacks("proxy_wstunnel") => {
            return Ok(unspoken(asked, "no module speaks ws: mod_proxy_wstunnel is not loaded"));
        }
        Protocol::Ws | Protocol::Wss if lacks("proxy_wstunnel") && lacks("proxy_http") => {
            return Ok(unspoken(asked, "no module speaks ws: mod_proxy_http is not loaded"));
        }
        Protocol::Ws | Protocol::Wss => {
            let by_itself = !modern || lacks("proxy_http") || falls_back.is_some_and(|(on, _)| !on);
            if by_itself && !lacks("proxy_wstunnel") { Speaker::Tunnel } else { Speaker::Http }
        }
        Protocol::H2 if lacks("proxy_http2") => {
            return Ok(unspoken(asked, "no module speaks HTTP/2: mod_proxy_http2 is not loaded"));
        }
        Protocol::H2 => return Ok(Answer::refused(503, asked.span, "HTTP/2 backends take no upgrade")),
        Protocol::Scgi | Protocol::Uwsgi | Protocol::Ajp | Protocol::FastCgi => {
            let module = match backend.protocol {
                Protocol::Scgi => "proxy_scgi",
                Protocol::Uwsgi => "proxy_uwsgi",
                Protocol::Ajp => "proxy_ajp",
                _ => "proxy_fcgi",
            };
            if lacks(module) {
                return Ok(unspoken(asked, &format!("needs mod_{module}, which is not loaded")));
            }
            let because = Some((asked.span, format!("{} carries no upgrade", backend.protocol.scheme())));
            return Ok(Answer { verdict: Verdict::ForwardedPlain, sent: None, because });
        }
        _ => return Ok(unspoken(asked, "no module speaks this scheme")),
    };
    // Another proxy is asked, in another form.
    if let Some(span) = setting(areas, |settings| settings.remote) {
        return Err(Unknown::Unmodelled(span));
    }
    for (blocked, span) in areas.iter().flat_map(|area| &area.settings.blocked) {
        let blocked = gateway.texts.show(*blocked);
        if blocked == "*"
            || backend.authority.contains(&*blocked)
            || is_this_machine(&blocked) && is_this_machine(&backend.authority)
        {
            let because = Some((*span, format!("{} is blocked", backend.authority)));
            return Ok(Answer { verdict: Verdict::Answered { status: 403, location: None }, sent: None, because });
        }
    }
    if is_no_url(asked, backend, route) {
        let because = Some((asked.span, format!("there is no host `{}`", backend.authority)));
        return Ok(Answer { verdict: Verdict::Answered { status: 400, location: None }, sent: None, because });
    }
    let tls = matches!(backend.protocol, Protocol::Https | Protocol::Wss);
    if tls {
        if lacks("ssl") {
            return Ok(Answer::refused(500, asked.span, "needs mod_ssl, which is not loaded"));
        }
        if setting(areas, |settings| settings.proxy_tls) != Some(true) {
            return Ok(Answer::refused(500, asked.span, "needs SSLProxyEngine On"));
        }
        if let Some((true, span)) = setting(areas, |settings| settings.proxy_verify)
            && setting(areas, |settings| settings.proxy_authorities).is_none()
        {
            return Ok(Answer::refused(500, span, "the backend's certificate is checked, and no authority is named"));
        }
    }
    if let Some(answer) = unresolved(gateway, asked, backend) {
        return Ok(answer);
    }
    if let Some(worker) = backend.worker
        && flag(gateway, worker.scope, Property::Disabled)? == Some(true)
    {
        return Ok(Answer::refused(503, worker.span, "the backend is taken out of service"));
    }
    let client = timeout(gateway, gateway.site(site).scope, Property::ClientTimeout)?;
    // The backend's own timeouts come first (`ap_proxy_connect_backend`).
    let worker_sets = |property| match backend.worker {
        Some(worker) => gateway.scopes.scalar(worker.scope, property),
        None => Ok(None),
    };
    let own = worker_sets(Property::ConnectTimeout)?.or(worker_sets(Property::ReadTimeout)?);
    let own = own.or(gateway.scopes.scalar(gateway.site(site).scope, Property::ReadTimeout)?);
    if client.value.0 == 0 && own.is_none() {
        return Ok(Answer::refused(503, client.origin.span().unwrap_or(at), "a timeout of 0 is over at once"));
    }
    sent(environment, site, areas, asked, backend, speaker, route, is_websocket && speaker == Speaker::Tunnel)
}

/// Whether the backend's URL is none any more: what is glued to the port is put into brackets with it, like an address with colons, and with a
/// query that is no URL (`ap_proxy_canon_netloc`). A rule with `NE` has glued its query before (`hook_uri2file`).
fn is_no_url(asked: &Asked, backend: &Backend, route: &Route) -> bool {
    let has_query = asked.verbatim && matches!(route.matcher, Matcher::Rewrite(_)) && asked.query.is_some();
    let is_bare = has_query && parts(socket_url(&asked.url).1).is_some_and(|url| url.path.is_empty());
    let is_glued = (is_bare || backend.authority.contains(['?', '#'])) && backend.authority.contains(':');
    !backend.is_member && (is_glued || !is_netloc(&backend.authority))
}

/// The answer where nothing is known by the backend's name.
fn unresolved(gateway: &Gateway, asked: &Asked, backend: &Backend) -> Option<Answer> {
    let lacks_port = !backend.is_member && backend.authority.ends_with(':');
    if lacks_port || !is_authority(&backend.authority) {
        let status = if gateway.version.is_none_or(|version| version >= UNRESOLVED_IS_500) { 500 } else { 502 };
        return Some(Answer::refused(status, asked.span, format!("there is no host `{}`", backend.authority)));
    }
    if backend.lost_socket {
        // Hardly anyone listens on this machine; any other name stands there for show.
        let host = without_brackets(split_authority(&backend.authority).0);
        let is_host = host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok();
        let status = if is_host { 503 } else { 500 };
        return Some(Answer::refused(status, asked.span, "no backend is known by this URL, and without it no socket"));
    }
    None
}

/// Whether a host, with a port or without, is known to be this machine: names are compared by their addresses too.
fn is_this_machine(authority: &str) -> bool {
    let host = without_brackets(split_authority(authority).0);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn flag(gateway: &Gateway, scope: ScopeId, property: Property) -> Known<Option<bool>> {
    let setting = gateway.scopes.scalar(scope, property)?;
    Ok(setting.and_then(|setting| match setting.value {
        Assigned::Flag(on) => Some(on),
        _ => None,
    }))
}

/// A scalar that levels merge: the last that sets it.
fn last_flag(gateway: &Gateway, levels: &[ScopeId], property: Property) -> Option<bool> {
    levels.iter().rev().find_map(|&level| {
        let entry = gateway.scopes.own(level).filter(|entry| entry.property == property).last()?;
        match entry.assigned {
            Assigned::Flag(on) => Some(on),
            _ => None,
        }
    })
}

/// The request as the backend gets it, and what comes of it.
#[expect(clippy::too_many_arguments, reason = "what a backend is asked with, all of it decided before")]
fn sent(
    environment: &Environment<'_>,
    site: SiteId,
    areas: &[&Area],
    asked: &Asked,
    backend: &Backend,
    speaker: Speaker,
    route: &Route,
    own_tunnel: bool,
) -> Known<Answer> {
    let gateway = environment.gateway;
    let levels = levels(areas);
    let scope = backend.worker.map(|worker| worker.scope);
    let old_http = environment.notes.is_some_and(|notes| notes.variable("force-proxy-request-1.0").is_some());
    let passing = Passing { levels: &levels, span: asked.span, protocol: backend.protocol, worker: scope };
    let upgrade = match speaker {
        Speaker::Tunnel => tunnelled_upgrade(environment, passing)?,
        Speaker::Http if old_http => None,
        Speaker::Http => forwarded_upgrade(environment, passing)?.values.into_iter().next(),
    };
    if speaker == Speaker::Tunnel && upgrade.is_none() {
        let message = "the request does not ask for an upgrade, and ws takes no other";
        if gateway.version.is_none_or(|version| version >= HTTP_UPGRADES) {
            let verdict = Verdict::Answered { status: 426, location: None };
            return Ok(Answer { verdict, sent: None, because: Some((asked.span, message.to_owned())) });
        }
        // `mod_proxy_wstunnel` declines what is no upgrade to WebSocket, and no other module speaks the scheme.
        return Ok(Answer::refused(500, asked.span, message));
    }
    let target = with_query(&backend.path, asked.query.as_deref());
    let preserves = last_flag(gateway, &levels, Property::PreserveHost) == Some(true);
    let mut headers = passed_headers(environment, site, areas, &levels, host_of(backend), preserves)?;
    let reused = is_reused(environment, backend);
    match &upgrade {
        Some(upgrade) if speaker == Speaker::Tunnel => {
            headers.push(("Upgrade".to_owned(), upgrade.clone()));
            headers.push(("Connection".to_owned(), "Upgrade".to_owned()));
        }
        Some(upgrade) => {
            headers.push(("Connection".to_owned(), "Upgrade".to_owned()));
            headers.push(("Upgrade".to_owned(), upgrade.clone()));
        }
        None if old_http => {}
        None => headers.push(("Connection".to_owned(), if reused { "Keep-Alive" } else { "close" }.to_owned())),
    }
    let http_version = if old_http { "1.0" } else { "1.1" }.to_owned();
    let request = UpstreamRequest {
        method: environment.request.method.clone().into_owned(),
        target,
        http_version,
        headers: headers.into_iter().collect(),
    };
    // A path of the file system that is not known does not keep a handshake from being one.
    let is_known = !request.target.contains(UNKNOWN_ROOT_ESCAPED);
    let (verdict, because) = if let Some((reason, header)) = why_plain(&request, upgrade.as_deref()) {
        let worker = backend.worker.map_or(asked.span, |worker| worker.span);
        let span = match header.and_then(|header| last_edit(gateway, &levels, header)) {
            Some(edited) => edited,
            None if upgrade.is_some() => asked.span,
            None => withholder(environment, areas, old_http)?.unwrap_or(worker),
        };
        (Verdict::ForwardedPlain, Some((span, reason.to_owned())))
    } else {
        let proxy = Proxy {
            span: asked.span,
            protocol: backend.protocol,
            url: gateway_url(route),
            authority: None,
            path: None,
            upstream: None,
            worker: scope,
            spelling: Spelling::Read,
            shares: None,
        };
        let limit = if own_tunnel { Ok(Limit::Never) } else { idle_limit(gateway, route, &proxy) };
        let because = match limit {
            Ok(Limit::After(setting)) => {
                setting.origin.span().map(|span| (span, format!("closes it after {} s of silence", setting.value.0 / 1000)))
            }
            _ => None,
        };
        let idle_limit = limit.map(|limit| match limit {
            // Below 0 is read as no limit.
            Limit::After(setting) if setting.value.0 == u64::MAX => None,
            Limit::After(setting) => Some(setting.value),
            Limit::Never => None,
        });
        (Verdict::Upgraded { idle_limit }, because)
    };
    Ok(Answer { verdict, sent: Some(request).filter(|_| is_known), because })
}

/// Whether the connection to a backend is kept for other requests.
fn is_reused(environment: &Environment<'_>, backend: &Backend) -> bool {
    let gateway = environment.gateway;
    let scope = backend.worker.map(|worker| worker.scope);
    let kept_alive = environment.notes.is_none_or(|notes| notes.variable("proxy-nokeepalive").is_none());
    // What is behind a capture may be anything (`ap_proxy_define_worker_ex`).
    let is_open = |worker: Worker| worker.is_pattern && gateway.texts.get(worker.url).contains(&b'$');
    let by_default = !backend.worker.is_some_and(is_open);
    kept_alive && scope.is_some_and(|scope| flag(gateway, scope, Property::Reuse).ok().flatten().unwrap_or(by_default))
}

/// The line that keeps the client's `Upgrade` from the backend: the one that may have it asked in HTTP/1.0, or else the last of those that
/// make another of it.
fn withholder(environment: &Environment<'_>, areas: &[&Area], old_http: bool) -> Known<Option<Span>> {
    if old_http {
        let texts = &environment.gateway.texts;
        let sets = |one: &&Assignment| texts.get(one.name) == b"force-proxy-request-1.0" && one.value.is_some();
        let mut lines = areas.iter().flat_map(|area| &area.variables).filter(sets);
        let first = lines.next();
        return Ok(first.filter(|_| lines.next().is_none()).map(|one| one.span));
    }
    let left = client_header(environment, &levels(areas), "upgrade")?;
    let is_changed = left.values.first().map(String::as_str) != environment.request.header(b"upgrade");
    Ok(left.spans.last().copied().filter(|_| is_changed))
}

fn gateway_url(route: &Route) -> crate::gateway::SymbolicId {
    match &route.target {
        crate::gateway::Target::Proxy(proxy) => proxy.url,
        _ => crate::gateway::SymbolicId(0),
    }
}

/// The `Upgrade` that `mod_proxy_wstunnel` sends: its own word, or the worker's, where the client asks for that; with `NONE`
/// whatever the client asks for (`proxy_wstunnel_handler`).
fn tunnelled_upgrade(environment: &Environment<'_>, passing: Passing<'_>) -> Known<Option<String>> {
    let gateway = environment.gateway;
    let setting = passing.worker.map(|worker| gateway.scopes.scalar(worker, Property::Upgrade)).transpose()?.flatten();
    let own = match setting.map(|setting| setting.value) {
        Some(Assigned::Text(text)) => Some(environment.evaluate(text)?).filter(|own| !own.is_empty()),
        _ => None,
    };
    // What is not written is compared as a whole.
    let by_default = own.is_none();
    let method = own.unwrap_or_else(|| "WebSocket".to_owned());
    // `ANY` is kept as `*`, which is what `mod_proxy_wstunnel` then sends (`set_worker_param`).
    let method = if method.eq_ignore_ascii_case("ANY") { "*".to_owned() } else { method };
    let headers = client_headers(environment, passing.levels)?;
    let asked = headers.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("upgrade")).map(|(_, value)| value.into_owned());
    if gateway.version.is_some_and(|version| version < HTTP_UPGRADES) && method.eq_ignore_ascii_case("NONE") {
        return Ok(asked);
    }
    let may = |asked: &String| if by_default { asked.eq_ignore_ascii_case(&method) } else { may_upgrade(&method, asked) };
    Ok(asked.filter(may).map(|_| method))
}

/// The header `Host` that names the backend; the scheme's own port is not named.
fn host_of(backend: &Backend) -> String {
    let default = if matches!(backend.protocol, Protocol::Https | Protocol::Wss) { "443" } else { "80" };
    let lower = backend.authority.to_ascii_lowercase();
    match host_and_port(&lower) {
        (host, Some(port)) if port == default => host.to_owned(),
        _ => lower,
    }
}

/// Why what is sent is no valid handshake, and the header of the client's that is spoilt; `None`: it is one (RFC 6455, section 4.2.1).
fn why_plain(request: &UpstreamRequest, upgrade: Option<&str>) -> Option<(&'static str, Option<&'static str>)> {
    let find = |name: &str| request.headers.get(name);
    match upgrade {
        None => Some(("the backend gets no Upgrade", None)),
        Some(upgrade) if !upgrade.eq_ignore_ascii_case("websocket") => {
            Some(("the backend gets an Upgrade that is not websocket", Some("upgrade")))
        }
        Some(_) if request.method != "GET" => Some(("a handshake is a GET", None)),
        Some(_) if request.http_version != "1.1" => Some(("a handshake needs HTTP/1.1", None)),
        Some(_) if !find("sec-websocket-key").is_some_and(is_key) => {
            Some(("the backend gets no valid Sec-WebSocket-Key", Some("sec-websocket-key")))
        }
        Some(_) if find("sec-websocket-version") != Some("13") => {
            Some(("the backend gets no Sec-WebSocket-Version: 13", Some("sec-websocket-version")))
        }
        Some(_) => None,
    }
}

/// Whether a text is 16 bytes in Base64.
fn is_key(text: &str) -> bool {
    let digits = text.strip_suffix("==").unwrap_or_default();
    digits.len() == 22 && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
