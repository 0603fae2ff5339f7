//! What an upstream is sent by nginx, and what comes of it (`ngx_http_proxy_module.c`, `ngx_http_upstream.c`).

use std::borrow::Cow;

use rustc_hash::FxHashSet;

use super::following::{Following, Next, Outcome};
use super::uri;
use crate::gateway::{
    self, Assigned, Gateway, Known, Matcher, Member, Millis, Origin, Property, Protocol, Proxy, Route, Setting, Target, Unknown,
    Upstream, Version, split_authority, without_brackets,
};
use crate::handshake::idle::nginx_read_timeout;
use crate::handshake::send::{HeaderLine, nginx_header_lines};
use crate::handshake::{Headers, UpstreamRequest, Verdict};
use crate::source::Span;

/// From this version on upstreams are asked with HTTP/1.1 unless told otherwise.
const ASKS_WITH_1_1: Version = Version::new(1, 29, 7);
/// A client gives up where the answer to its handshake comes slower than so many bytes a second.
const SLOWEST: u64 = 16;

impl<'a> Following<'a> {
    /// Passes the request on.
    pub(super) fn pass(&mut self, proxy: &Proxy) -> Known<Next> {
        match proxy.protocol {
            // Where it is none of HTTP's, the scheme is refused, or part of what a hole brings.
            protocol if protocol.is_http() || protocol == Protocol::Other => self.pass_http(proxy),
            Protocol::Uwsgi | Protocol::Scgi => self.pass_tunnel(proxy),
            Protocol::FastCgi => {
                let message = "FastCGI passes a 101 on, but nothing behind it: nginx tunnels no FastCGI".to_owned();
                self.blame(Some(proxy.span), message);
                Ok(failure(101))
            }
            Protocol::Grpc => {
                self.blame(Some(proxy.span), "gRPC is HTTP/2, in which no upgrade can be asked for");
                Ok(self.bad_gateway(502))
            }
            _ => Err(Unknown::Unmodelled(proxy.span)),
        }
    }

    /// An error of the upstream's, which may be answered with something else.
    fn bad_gateway(&mut self, status: u16) -> Next {
        self.failed = true;
        Next::Status(status)
    }

    /// uwsgi and SCGI carry all of the client's headers, and a 101 is tunnelled.
    fn pass_tunnel(&mut self, proxy: &Proxy) -> Known<Next> {
        if let Some((false, span)) = self.flag(Property::PassRequestHeadersOf(proxy.protocol))? {
            self.blame(span, "withholds the headers of the handshake");
            return Ok(Next::End(Outcome { verdict: Verdict::ForwardedPlain, upstream_request: None }));
        }
        self.note(Some(proxy.span), format!("passed on by {}, with the client's headers", proxy.protocol.scheme()));
        if let Some(next) = self.impatient(proxy) {
            return Ok(next);
        }
        if !self.asks_for_upgrade() {
            self.blame(None, "the client asks for no upgrade");
            return Ok(Next::End(Outcome { verdict: Verdict::ForwardedPlain, upstream_request: None }));
        }
        Ok(self.upgraded(proxy, None))
    }

    /// Whether the client asks for an upgrade, without which nginx tunnels nothing (`r->headers_in.upgrade`).
    fn asks_for_upgrade(&self) -> bool {
        self.request.header(b"upgrade").is_some_and(|upgrade| !upgrade.is_empty())
    }

    fn pass_http(&mut self, proxy: &Proxy) -> Known<Next> {
        let url = match self.url(proxy)? {
            Ok(url) => url,
            Err(next) => return Ok(next),
        };
        self.followed.upstream = Some((url.authority.clone(), url.protocol));
        if url.path.is_some() && !url.replaces_all && self.in_location && self.matched() > self.request.path.len() {
            // `ngx_http_proxy_create_request` counts on more.
            self.blame(Some(proxy.span), format!("`{}` is shorter than the location whose path is replaced", self.request.path));
            return Ok(Next::Status(500));
        }
        let target = self.target(&url);
        if let Some((true, span)) = self.flag(Property::VerifyUpstream)?
            && url.protocol == Protocol::Https
        {
            self.note(span, "the upstream's certificate is checked");
            return Err(Unknown::Environment);
        }
        let version = self.version()?;
        if version.0 == Version::new(2, 0, 0) {
            self.blame(version.1, "asks with HTTP/2, in which no upgrade can be asked for");
            return Ok(self.bad_gateway(502));
        }
        let method = self.text(Property::Method)?;
        let lines = self.header_lines()?;
        let body = self.text(Property::Body)?;
        let request = UpstreamRequest {
            method: method.as_ref().map_or_else(|| self.request.method.clone().into_owned(), |(method, _)| method.clone()),
            target,
            http_version: format!("{}.{}", version.0.major, version.0.minor),
            headers: sent(&lines, body.as_ref().map(|(body, _)| body.len())),
        };
        self.note(Some(proxy.span), format!("passed on as {} {} HTTP/{}", request.method, request.target, request.http_version));
        if let Some(span) = self.bound_elsewhere(proxy, &url)? {
            self.blame(Some(span), "asks from an address of another family than the upstream's");
            return Ok(Next::Status(500));
        }
        // nginx takes no group without any.
        if let Some(group) = self.group(proxy, &url)
            && group.partial.is_none()
            && group.members.is_empty()
        {
            let span = group.span;
            self.blame(Some(span), "all backends of the group are marked as down");
            return Ok(self.bad_gateway(502));
        }
        if let Some(next) = self.impatient(proxy) {
            self.sent = Some(request);
            return Ok(next);
        }
        if let Some((0, span)) = self.number(Property::BufferSize)? {
            self.blame(span, "has no room for an answer in a buffer of 0 bytes");
            self.sent = Some(request);
            return Ok(self.bad_gateway(502));
        }
        let faults = self.faults(proxy, &request, &lines, version.1, method.map(|(_, span)| span), body.map(|(_, span)| span))?;
        if !faults.is_empty() {
            for (span, message) in faults {
                self.blame(span, message);
            }
            return Ok(Next::End(Outcome { verdict: Verdict::ForwardedPlain, upstream_request: Some(request) }));
        }
        if let Some((span, message)) = self.spoilt()? {
            self.blame(Some(span), message);
            return Ok(with_request(failure(101), request));
        }
        // One that variables decide is taken for enough.
        if let Ok(Some((rate, span))) = self.number(Property::Rate)
            && (1..SLOWEST).contains(&rate)
        {
            self.blame(span, format!("sends the answer with {rate} bytes a second, slower than clients wait"));
            return Ok(with_request(failure(101), request));
        }
        if let Some(status) = self.answer {
            // The status of an error stays even where the upstream answers 101.
            self.blame(Some(proxy.span), format!("asked instead of an error: whatever it answers, the client gets {status}"));
            return Ok(Next::End(Outcome { verdict: Verdict::ForwardedPlain, upstream_request: Some(request) }));
        }
        Ok(self.upgraded(proxy, Some(request)))
    }

    /// The headers that the upstream reads. nginx measures all of them before it writes them: what the last one captures is in force for all.
    fn header_lines(&self) -> Known<Vec<HeaderLine<'a>>> {
        let lines = || nginx_header_lines(self.gateway, &self.environment(), self.followed.scope);
        let kept = self.followed.kept();
        let measured = lines()?;
        let written = if self.followed.kept() == kept { measured } else { lines()? };
        written.all()
    }

    fn upgraded(&mut self, proxy: &Proxy, upstream_request: Option<UpstreamRequest>) -> Next {
        let limit = nginx_read_timeout(self.gateway, self.followed.scope, proxy);
        match limit {
            Ok(Setting { value: Millis(millis), origin }) => {
                let seconds = format!("{}s", millis / 1000);
                let time = if millis % 1000 == 0 { seconds } else { format!("{millis}ms") };
                let span = match origin {
                    Origin::Default => Some(proxy.span),
                    set => set.span(),
                };
                self.note(span, format!("silence for {time} closes the WebSocket"));
            }
            Err(why) => self.note(why.span(), why.reason().to_owned()),
        }
        let verdict = Verdict::Upgraded { idle_limit: limit.map(|setting| Some(setting.value)) };
        Next::End(Outcome { verdict, upstream_request })
    }

    /// A read timeout of nothing: every answer comes too late.
    fn impatient(&mut self, proxy: &Proxy) -> Option<Next> {
        match nginx_read_timeout(self.gateway, self.followed.scope, proxy) {
            Ok(Setting { value: Millis(0), origin }) => {
                self.blame(origin.span(), "waits no time at all for an answer");
                Some(self.bad_gateway(504))
            }
            _ => None,
        }
    }

    /// The version of HTTP, and the directive that sets it.
    fn version(&self) -> Known<(Version, Option<Span>)> {
        if let Some((Assigned::Version(version), span)) = self.scalar(Property::HttpVersion)? {
            return Ok((version, span));
        }
        let is_new = self.gateway.version.is_none_or(|version| version >= ASKS_WITH_1_1);
        Ok((Version::new(1, u16::from(is_new), 0), None))
    }

    /// What keeps the request that is sent from being a valid handshake (RFC 6455, section 4.2.1).
    fn faults(
        &self,
        proxy: &Proxy,
        request: &UpstreamRequest,
        lines: &[HeaderLine<'_>],
        version: Option<Span>,
        method: Option<Span>,
        body: Option<Span>,
    ) -> Known<Vec<(Option<Span>, String)>> {
        let here = Some(proxy.span);
        let mut faults = Vec::new();
        if request.method != "GET" {
            faults.push((method.or(here), format!("asks with {}, and a handshake is a GET", request.method)));
        }
        if request.http_version == "1.0" {
            faults.push((version.or(here), "asks with HTTP/1.0, in which there is no upgrade".to_owned()));
        }
        if request.target.contains(char::is_whitespace) {
            faults.push((here, "the target holds blanks, which part it".to_owned()));
        }
        if body.is_some() {
            faults.push((body, "sends a body, which a handshake does not have".to_owned()));
        }
        if !self.asks_for_upgrade() {
            faults.push((None, "the client asks for no upgrade".to_owned()));
        }
        let upgrade = values(lines, "upgrade")?;
        if !upgrade.is("websocket") {
            faults.push((upgrade.span.or(here), upgrade.fault("Upgrade", "websocket")));
        }
        let connection = values(lines, "connection")?;
        if !connection.holds("upgrade") {
            faults.push((connection.span.or(here), connection.fault("Connection", "upgrade")));
        }
        let key = values(lines, "sec-websocket-key")?;
        if !matches!(key.values.as_slice(), [key] if is_key(key)) {
            faults.push((key.span.or_else(|| self.withheld()).or(here), key.fault("Sec-WebSocket-Key", "16 bytes in Base64")));
        }
        let version = values(lines, "sec-websocket-version")?;
        if !version.is("13") {
            faults.push((version.span.or_else(|| self.withheld()).or(here), version.fault("Sec-WebSocket-Version", "13")));
        }
        Ok(faults)
    }

    /// The line that withholds the client's headers.
    fn withheld(&self) -> Option<Span> {
        self.flag(Property::PassRequestHeaders).ok().flatten().filter(|(passes, _)| !passes).and_then(|(_, span)| span)
    }

    /// What spoils the upstream's 101 on its way to the client.
    fn spoilt(&self) -> Known<Option<(Span, String)>> {
        let scopes = &self.gateway.scopes;
        let (level, _) = scopes.list(self.followed.scope, Property::HiddenResponseHeader);
        for entry in level.into_iter().flat_map(|level| scopes.own(level)) {
            if let Assigned::Header { name, lower, .. } = entry.assigned
                && entry.property == Property::HiddenResponseHeader
                && matches!(self.gateway.texts.get(lower), b"upgrade" | b"sec-websocket-accept")
            {
                let name = self.gateway.texts.show(name);
                return Ok(Some((entry.span, format!("withholds {name} from the client, which then refuses the 101"))));
            }
        }
        if self.is_on(Property::Commands, false)? {
            let (level, _) = scopes.list(self.followed.scope, Property::CommandTypes);
            for entry in level.into_iter().flat_map(|level| scopes.own(level)) {
                if let Assigned::Text(kind) = entry.assigned
                    && entry.property == Property::CommandTypes
                    && self.gateway.symbolics.literal(kind, &self.gateway.texts) == Some(b"*")
                {
                    return Ok(Some((entry.span, "searches every answer for commands, which holds the 101 back".to_owned())));
                }
            }
        }
        Ok(None)
    }

    /// The URL of `proxy_pass`, with its variables (`ngx_http_proxy_eval`); what is answered where it is of no use.
    fn url(&mut self, proxy: &Proxy) -> Known<Result<Url, Next>> {
        let url = self.environment().evaluate(proxy.url)?;
        let literal = self.is_literal(proxy);
        let (protocol, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Protocol::Http, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Protocol::Https, rest),
            _ => {
                self.blame(Some(proxy.span), format!("`{url}` is no URL of HTTP"));
                return Ok(Err(Next::Status(500)));
            }
        };
        let url = Url::new(protocol, rest, !literal);
        if !literal && url.has_bad_port() {
            self.blame(Some(proxy.span), format!("the port of `{}` is none", url.authority));
            return Ok(Err(Next::Status(500)));
        }
        if literal || self.reachable(&url) {
            return Ok(Ok(url));
        }
        if url.authority.is_empty() || url.authority.starts_with(':') {
            self.blame(Some(proxy.span), "the URL names no host");
            return Ok(Err(Next::Status(500)));
        }
        if self.flag(Property::Resolver)?.is_none() {
            let (host, _) = split_authority(&url.authority);
            self.blame(Some(proxy.span), format!("no resolver is set that could look `{host}` up, which a variable names"));
            self.unresolved = Some(host.to_owned());
            return Ok(Err(self.bad_gateway(502)));
        }
        Ok(Ok(url))
    }

    /// The group of backends that is asked.
    fn group(&self, proxy: &Proxy, url: &Url) -> Option<&Upstream> {
        let gateway = self.gateway;
        let named = |group: &&Upstream| gateway.texts.get(group.name).eq_ignore_ascii_case(url.authority.as_bytes());
        match proxy.upstream {
            Some(id) => Some(gateway.upstream(id)),
            None if self.is_literal(proxy) => None,
            None => gateway.upstreams.iter().find(named),
        }
    }

    /// The directive that binds to an address from which no backend can be reached (`ngx_event_connect_peer`: `bind` fails).
    fn bound_elsewhere(&self, proxy: &Proxy, url: &Url) -> Known<Option<Span>> {
        let Some((own, span)) = self.text(Property::SourceAddress)? else { return Ok(None) };
        let own = own.parse::<std::net::IpAddr>().or_else(|_| own.parse::<std::net::SocketAddr>().map(|own| own.ip()));
        let Ok(own) = own else { return Ok(None) };
        let is_other = |authority: &str| match authority {
            authority if authority.starts_with("unix:") => true,
            authority if authority.starts_with('[') => own.is_ipv4(),
            authority => own.is_ipv6() && gateway::host_and_port(authority).0.parse::<std::net::Ipv4Addr>().is_ok(),
        };
        let all = match self.group(proxy, url) {
            Some(group) => {
                let address = |member: &Member| is_other(&self.gateway.texts.show(member.address));
                group.partial.is_none() && !group.members.is_empty() && group.members.iter().all(address)
            }
            None => is_other(&url.authority),
        };
        Ok(all.then_some(span))
    }

    /// Whether no variable is part of the URL.
    fn is_literal(&self, proxy: &Proxy) -> bool {
        self.gateway.symbolics.literal(proxy.url, &self.gateway.texts).is_some()
    }

    /// Whether a host that variables name needs no resolver: an address, or a group of backends (`ngx_http_upstream_init_request`).
    fn reachable(&self, url: &Url) -> bool {
        let authority = url.authority.as_str();
        if authority.starts_with("unix:")
            || without_brackets(gateway::host_and_port(authority).0).parse::<std::net::IpAddr>().is_ok()
        {
            return true;
        }
        let hosts = self.view.known_hosts.get_or_init(|| KnownHosts::of(self.gateway));
        hosts.groups.contains(&authority.to_ascii_lowercase()) || hosts.written.contains(&host_and_port(authority, url.protocol))
    }

    /// The request target (`ngx_http_proxy_create_request`).
    fn target(&self, url: &Url) -> String {
        match &url.path {
            Some(path) if url.replaces_all => path.clone(),
            None if self.unparsed && !self.subrequest => {
                let target = self.request.sent_target();
                target.split('#').next().unwrap_or(&target).to_owned()
            }
            path => {
                let prefix = path.as_deref().filter(|_| self.in_location);
                let matched = if prefix.is_some() { self.matched() } else { 0 };
                let rest = self.request.path.get(matched..).unwrap_or_default();
                let rest = if self.escaped || self.internal { uri::escape_path(rest) } else { rest.to_owned() };
                self.with_query(&format!("{}{rest}", prefix.unwrap_or_default()))
            }
        }
    }

    /// How much of the path the location takes: what the path of `proxy_pass` replaces.
    fn matched(&self) -> usize {
        match self.route.map(|route| self.gateway.route(route).matcher) {
            Some(Matcher::Exact(text) | Matcher::Prefix { text, .. }) => self.gateway.texts.get(text).len(),
            _ => 0,
        }
    }
}

/// Host, in lower case, and port.
fn host_and_port(authority: &str, protocol: Protocol) -> (String, String) {
    let (host, port) = gateway::host_and_port(authority);
    let default = if protocol == Protocol::Https { "443" } else { "80" };
    (without_brackets(host).to_ascii_lowercase(), port.unwrap_or(default).to_owned())
}

/// The hosts that are looked up when the server starts, so that variables may name them without a resolver.
#[derive(Debug)]
pub struct KnownHosts {
    /// The names of groups, in lower case.
    groups: FxHashSet<String>,
    /// The hosts and ports that are written out in a `proxy_pass`: each is a group of its own.
    written: FxHashSet<(String, String)>,
}

impl KnownHosts {
    fn of(gateway: &Gateway) -> Self {
        let texts = &gateway.texts;
        let written = |route: &Route| match &route.target {
            // One beside variables is looked up with each request.
            Target::Proxy(proxy) if proxy.protocol.is_http() && gateway.symbolics.literal(proxy.url, texts).is_some() => {
                Some(host_and_port(&texts.show(proxy.authority?), proxy.protocol))
            }
            _ => None,
        };
        Self {
            groups: gateway.upstreams.iter().map(|group| texts.show(group.name).to_ascii_lowercase()).collect(),
            written: gateway.routes.iter().filter_map(written).collect(),
        }
    }
}

/// A failure of the upstream's that nothing is answered instead of.
fn failure(status: u16) -> Next {
    Next::End(Outcome { verdict: Verdict::BadGateway { status }, upstream_request: None })
}

/// The outcome with what was sent.
fn with_request(next: Next, request: UpstreamRequest) -> Next {
    match next {
        Next::End(outcome) => Next::End(Outcome { upstream_request: Some(request), ..outcome }),
        other => other,
    }
}

/// The headers that are sent. One whose value depends on the moment is shown by the reason.
fn sent(lines: &[HeaderLine<'_>], body: Option<usize>) -> Headers {
    let mut headers = Headers::default();
    for line in lines {
        let value: Cow<'_, str> = match (&line.value, body) {
            (_, Some(length)) if line.name == "Content-Length" => length.to_string().into(),
            (Ok(value), _) => value.as_ref().into(),
            (Err(why), _) => format!("<{}>", why.reason()).into(),
        };
        if !value.is_empty() {
            headers.push(&line.name, &value);
        }
    }
    headers
}

/// The values of one header, with the directive that sets it.
struct Values<'a> {
    values: Vec<&'a str>,
    span: Option<Span>,
}

impl Values<'_> {
    fn tokens(&self) -> impl Iterator<Item = &str> {
        self.values.iter().flat_map(|value| value.split(',')).map(str::trim)
    }

    fn holds(&self, wanted: &str) -> bool {
        self.tokens().any(|token| token.eq_ignore_ascii_case(wanted))
    }

    /// Whether it is this token, once.
    fn is(&self, wanted: &str) -> bool {
        self.holds(wanted) && self.tokens().count() == 1
    }

    fn fault(&self, name: &str, wanted: &str) -> String {
        match self.values.as_slice() {
            [] => format!("{name} is not sent: it must be {wanted}"),
            [value] => format!("{name} is `{value}`: it must be {wanted}"),
            values => format!("{name} is sent {} times: it must be {wanted}, once", values.len()),
        }
    }
}

fn values<'a>(lines: &'a [HeaderLine<'_>], name: &str) -> Known<Values<'a>> {
    let mut found = Values { values: Vec::new(), span: None };
    for line in lines.iter().filter(|line| line.name.eq_ignore_ascii_case(name)) {
        found.span = line.span.or(found.span);
        let value: &str = line.value.as_ref().map_err(|why| *why)?;
        found.values.extend(Some(value).filter(|value| !value.is_empty()));
    }
    Ok(found)
}

/// Whether a text is a key: 16 bytes in Base64.
fn is_key(key: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with("==") && key.bytes().take(22).all(digit)
}

/// The URL of an upstream.
struct Url {
    protocol: Protocol,
    authority: String,
    /// The path behind the authority.
    path: Option<String>,
    /// Whether the path stands for the whole target: variables are part of the URL.
    replaces_all: bool,
}

impl Url {
    /// Whether a `:` stands in it with no port behind (`ngx_parse_inet_url`).
    fn has_bad_port(&self) -> bool {
        let behind = self.authority.rsplit_once(']').map_or(self.authority.as_str(), |(_, behind)| behind);
        let port = behind.split_once(':').map(|(_, port)| port).filter(|_| !self.authority.starts_with("unix:"));
        port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0))
    }

    /// Takes apart what follows the scheme.
    fn new(protocol: Protocol, rest: &str, replaces_all: bool) -> Self {
        let end = match rest.strip_prefix("unix:") {
            Some(path) => path.find(':').map(|colon| (colon + 5, colon + 6)),
            // `ngx_parse_inet6_url` looks for a path only.
            None if rest.starts_with('[') => rest.find('/').map(|at| (at, at)),
            None => rest.find(['/', '?', '#']).map(|at| (at, at)),
        };
        let Some((end, path)) = end else { return Self { protocol, authority: rest.to_owned(), path: None, replaces_all } };
        let path = &rest[path..];
        // `ngx_http_proxy_eval`: a query alone follows a `/`.
        let path = if replaces_all && path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
        Self { protocol, authority: rest[..end].to_owned(), path: Some(path).filter(|path| !path.is_empty()), replaces_all }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let parts = |rest: &str, all: bool| {
            let url = Url::new(Protocol::Http, rest, all);
            (url.authority, url.path)
        };
        assert_eq!(parts("app", false), ("app".to_owned(), None));
        assert_eq!(parts("app:80/x?y", false), ("app:80".to_owned(), Some("/x?y".to_owned())));
        assert_eq!(parts("app?y", true), ("app".to_owned(), Some("/?y".to_owned())));
        assert_eq!(parts("[::1]:80?y", true), ("[::1]:80?y".to_owned(), None));
        assert_eq!(parts("unix:/run/a.sock:/x", false), ("unix:/run/a.sock".to_owned(), Some("/x".to_owned())));
        assert_eq!(parts("unix:/run/a.sock", false), ("unix:/run/a.sock".to_owned(), None));
    }

    #[test]
    fn a_key_is_16_bytes() {
        assert!(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(!is_key("x") && !is_key(""));
    }
}
