//! `ProxyPass` and its kin: one mapping of paths to a backend (`add_pass`, `mod_proxy.c`).

use super::symbols::{self, literal};
use super::worker::{self, WorkerId, WorkerUrl};
use super::{Lowerer, SectionPath, ServerIndex};
use crate::apache::statement::{Statement, Word};
use crate::apache::values::{parameter, proxy_url};
use crate::gateway::{
    self, Matcher, Misreading, Protocol, Proxy, Remark, RemarkKind, Route, RouteId, ScopeId, SharedWorker, Signal, SiteId,
    Spelling, Target, TextId, Unknown, Version,
};
use crate::source::Span;

/// Since this version the worker of a `ProxyPassMatch` with captures is found by its pattern (`ap_proxy_define_match_worker`).
const PATTERNS_HAVE_WORKERS: Version = Version::new(2, 4, 47);

/// A route with what is settled once all lines are read.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    /// The route; its worker and upstream are still to be filled in.
    pub(super) route: Route,
    /// The worker URL, for mappings to a single backend.
    pub(super) worker: Option<WorkerUrl>,
    /// The balancer's name.
    pub(super) balancer: Option<TextId>,
    /// The balancing method that the mapping asks for.
    pub(super) method: Option<Vec<u8>>,
}

impl Mapping {
    /// A mapping of what `matcher` takes to a destination.
    pub(super) fn to(
        destination: Destination,
        site: SiteId,
        matcher: Matcher,
        span: Span,
        scope: ScopeId,
        signals: Vec<Signal>,
    ) -> Self {
        let Destination { target, worker, balancer, method } = destination;
        let route = Route { site, parent: None, matcher, span, target, scope, signals, requires: Vec::new() };
        Self { route, worker, balancer, method }
    }

    /// A mapping that does not proxy.
    pub(super) fn plain(site: SiteId, matcher: Matcher, span: Span, target: Target, scope: ScopeId) -> Self {
        let route = Route { site, parent: None, matcher, span, target, scope, signals: Vec::new(), requires: Vec::new() };
        Self { route, worker: None, balancer: None, method: None }
    }
}

/// The target of a mapping, as written.
pub(super) struct Destination {
    target: Target,
    worker: Option<WorkerUrl>,
    balancer: Option<TextId>,
    method: Option<Vec<u8>>,
}

impl Destination {
    /// The directive that leads there.
    pub(super) fn span(&self) -> Option<Span> {
        match &self.target {
            Target::Proxy(proxy) => Some(proxy.span),
            Target::Excluded(span) => Some(*span),
            _ => None,
        }
    }
}

impl Lowerer<'_> {
    /// `ProxyPass path url …` or `ProxyPassMatch pattern url …` outside of `<Location>`.
    pub(super) fn proxy_pass(&mut self, statement: &Statement, is_match: bool) {
        let words = self.resolved.words(self.store, statement);
        let mut words = words.as_slice();
        let tilde = words.first().is_some_and(|word| *word.value == *b"~");
        if tilde {
            words = &words[1..];
        }
        let [path, url, parameters @ ..] = words else { return };
        let pattern = is_match || tilde;
        let text = self.gateway.texts.intern(&path.value);
        let matcher = match path.unknown {
            Some(why) => Matcher::Unknown(why),
            None if pattern => Matcher::Pattern { pattern: text, ignore_case: false },
            None => Matcher::Segments(text),
        };
        let span = statement.span(self.store);
        let at = self.current();
        let destination = self.destination(at, span, url, parameters, pattern);
        let scope = self.servers[at.0].scope;
        let signals = self.signals_above(statement);
        let mapping = Mapping::to(destination, at.site(), matcher, span, scope, signals);
        self.servers[at.0].mappings.push(mapping);
    }

    /// `ProxyPass url …` in `<Location path>`: what it leads to.
    pub(super) fn section_destination(
        &mut self,
        statement: &Statement,
        path: &SectionPath,
        is_match: bool,
    ) -> Option<Destination> {
        let words = self.resolved.words(self.store, statement);
        let (url, parameters) = words.split_first()?;
        let span = statement.span(self.store);
        let at = self.current();
        Some(self.destination(at, span, url, parameters, is_match || path.is_pattern))
    }

    /// Reads a target and its parameters; makes its worker, unless one is there whose URL this one begins with.
    fn destination(
        &mut self,
        at: ServerIndex,
        span: Span,
        url: &Word<'_>,
        parameters: &[Word<'_>],
        pattern: bool,
    ) -> Destination {
        let none = |target| Destination { target, worker: None, balancer: None, method: None };
        if *url.value == *b"!" {
            return none(Target::Excluded(span));
        }
        let Some(parts) = proxy_url(&url.value) else {
            return none(Target::Unknown(url.unknown.unwrap_or(Unknown::Unmodelled(url.span))));
        };
        let symbol = match url.unknown {
            Some(why) => symbols::unknown(&mut self.gateway, why),
            None if pattern => symbols::match_url(&mut self.gateway, &url.value),
            None => literal(&mut self.gateway, &url.value),
        };
        let known = |text: &[u8]| url.unknown.is_none() && !(pattern && text.contains(&b'$'));
        let authority = known(parts.authority).then(|| self.gateway.texts.intern(parts.authority));
        let path = known(parts.path).then(|| self.gateway.texts.intern(parts.path));
        let protocol = parts.protocol();
        // What is mapped before the path is decoded is passed on so (`ap_proxy_trans_match`).
        let written = parameters.iter().any(|word| word.value.eq_ignore_ascii_case(b"nocanon"));
        let is_servlet = |mapping: &[u8]| !pattern && mapping.eq_ignore_ascii_case(b"servlet");
        let mut mappings =
            parameters.iter().map(|word| parameter(&word.value)).filter(|one| one.is(&["mapping"])).filter_map(|one| one.value);
        let spelling = match mappings.next() {
            Some(first) if is_servlet(first) || mappings.any(is_servlet) => Spelling::Servlet { written },
            Some(_) => Spelling::Encoded { written },
            None if written => Spelling::Written,
            None => Spelling::Read,
        };
        let mut proxy =
            Proxy { span, protocol, url: symbol, authority, path, upstream: None, worker: None, spelling, shares: None };
        if protocol == Protocol::Balancer {
            let name = self.gateway.texts.intern_lower(parts.authority);
            if !self.servers[0].balancers.contains_key(&name) {
                self.balancer(at, name, span);
            }
            let method = self.balancer_parameters(at, name, parameters);
            return Destination { target: Target::Proxy(proxy), worker: None, balancer: Some(name), method };
        }
        let key = if url.unknown.is_none() { WorkerUrl::new(&url.value) } else { None };
        // Since 2.4.47 those of patterns are among themselves (`AP_PROXY_WORKER_IS_MATCH`).
        let version = self.gateway.version;
        let has_captures = pattern && url.value.contains(&b'$');
        let is_pattern = pattern && version.is_none_or(|version| version >= PATTERNS_HAVE_WORKERS);
        let name = worker::canonical(&url.value).filter(|_| is_pattern && url.unknown.is_none());
        let server = &self.servers[at.0];
        let found = match &name {
            Some(name) => server.pattern_workers.find(name),
            None => key.as_ref().filter(|_| !is_pattern).and_then(|key| server.workers.find(key)),
        };
        if let Some(worker) = found {
            if parameters.iter().any(|word| parameter(&word.value).value.is_some()) {
                let of = self.workers[worker.0].span;
                // What is ignored is still read: it says what was meant.
                let ignored = self.new_worker(span);
                self.set_parameters(ignored, parameters);
                proxy.shares = Some(SharedWorker { of, ignored: self.workers[ignored.0].scope });
            }
        } else {
            let worker = self.new_worker(span);
            proxy.worker = Some(self.workers[worker.0].scope);
            self.set_parameters(worker, parameters);
            let server = &mut self.servers[at.0];
            match (name, &key) {
                (Some(name), _) => server.pattern_workers.insert(name, worker),
                (None, Some(key)) if !is_pattern && !has_captures => server.workers.insert(key, worker),
                _ => {}
            }
            self.know_worker(at, &url.value, is_pattern, worker);
        }
        if let Some(worker) = found.filter(|_| is_pattern) {
            proxy.worker = Some(self.workers[worker.0].scope);
        }
        let worker = key.filter(|_| !has_captures && !is_pattern);
        Destination { target: Target::Proxy(proxy), worker, balancer: None, method: None }
    }

    /// Adds a worker to those that requests are matched with.
    fn know_worker(&mut self, at: ServerIndex, url: &[u8], is_pattern: bool, worker: WorkerId) {
        let Some(url) = worker::canonical(url) else { return };
        let url = self.gateway.texts.intern(&url);
        let worker = &self.workers[worker.0];
        let known = gateway::Worker { url, is_pattern, scope: worker.scope, span: worker.span };
        self.gateway.workers.entry(at.site()).or_default().push(known);
    }

    pub(super) fn new_worker(&mut self, span: Span) -> WorkerId {
        let scope = self.gateway.scopes.open(None, span);
        self.workers.push(worker::Worker { scope, settings: gateway::ScopeBuilder::default(), span });
        WorkerId(self.workers.len() - 1)
    }

    pub(super) fn set_parameters(&mut self, worker: WorkerId, parameters: &[Word<'_>]) {
        for word in parameters {
            if let Some(entry) = worker::setting(&mut self.gateway, &word.value, word.span, word.unknown) {
                self.workers[worker.0].settings.push(entry);
            }
        }
    }

    /// The worker of a URL, which is made where there is none: `<Proxy url>` (`proxysection`, `mod_proxy.c`).
    pub(super) fn worker_of(&mut self, at: ServerIndex, url: &[u8], span: Span) -> Option<WorkerId> {
        let key = WorkerUrl::new(url)?;
        if let Some(worker) = self.servers[at.0].workers.find(&key) {
            return Some(worker);
        }
        let worker = self.new_worker(span);
        self.servers[at.0].workers.insert(&key, worker);
        self.know_worker(at, url, false, worker);
        Some(worker)
    }

    /// The target of a rewrite rule with `[P]`: a worker declared elsewhere is used, none is made.
    pub(super) fn rewrite_destination(&mut self, span: Span, url: &[u8], unknown: Option<Unknown>) -> Destination {
        let symbol = match unknown {
            Some(why) => symbols::unknown(&mut self.gateway, why),
            None => symbols::rewrite_string(&mut self.gateway, url, span),
        };
        let parts = proxy_url(url).filter(|_| unknown.is_none());
        let is_literal = |text: &[u8]| memchr::memchr2(b'$', b'%', text).is_none();
        let authority = parts.filter(|parts| is_literal(parts.authority)).map(|parts| self.gateway.texts.intern(parts.authority));
        let path = parts.filter(|parts| is_literal(parts.path) && is_literal(parts.authority));
        let path = path.map(|parts| self.gateway.texts.intern(parts.path));
        let protocol = parts.map_or(Protocol::Other, |parts| parts.protocol());
        let proxy = Proxy {
            span,
            protocol,
            url: symbol,
            authority,
            path,
            upstream: None,
            worker: None,
            spelling: Spelling::Read,
            shares: None,
        };
        let balancer = (protocol == Protocol::Balancer).then_some(()).and(parts);
        let balancer =
            balancer.filter(|parts| is_literal(parts.authority)).map(|parts| self.gateway.texts.intern_lower(parts.authority));
        let worker = if unknown.is_none() && protocol != Protocol::Balancer && authority.is_some() {
            WorkerUrl::of_rule(url)
        } else {
            None
        };
        Destination { target: Target::Proxy(proxy), worker, balancer, method: None }
    }

    /// Adds the route of a mapping whose path is compared with that of a request, and takes what is behind it along.
    pub(super) fn add_route(&mut self, at: ServerIndex, mapping: Mapping) -> RouteId {
        self.add(at, mapping, true)
    }

    /// The same for a rule or a handler, which says by itself what is asked for.
    pub(super) fn add_target(&mut self, at: ServerIndex, mapping: Mapping) -> RouteId {
        self.add(at, mapping, false)
    }

    /// Settles which worker and balancer a mapping uses, and what modules it needs, and adds its route.
    fn add(&mut self, at: ServerIndex, mapping: Mapping, by_path: bool) -> RouteId {
        let Mapping { mut route, worker, balancer, method } = mapping;
        if let Target::Proxy(proxy) = &mut route.target {
            let worker = worker.and_then(|url| self.servers[at.0].workers.find(&url));
            if let Some(worker) = worker {
                proxy.worker = Some(self.workers[worker.0].scope);
            }
            if let Some(name) = balancer {
                let own = self.servers[at.0].balancers.get(&name).copied();
                // One that only a mapping names has no members; the main server may define it further down.
                let filled = own.filter(|&id| !self.gateway.upstream(id).members.is_empty());
                proxy.upstream = filled.or_else(|| self.servers[0].balancers.get(&name).copied()).or(own);
            }
            let balanced = self.balanced(proxy);
            route.requires = self.requirements(proxy, balanced, matches!(route.matcher, Matcher::Rewrite(_)), method.as_deref());
        }
        if !(by_path && self.note_unusable_path(&route)) {
            self.note_unusable_address(&route);
        }
        let id = RouteId(u32::try_from(self.gateway.routes.len()).unwrap_or(u32::MAX));
        self.gateway.routes.push(route);
        id
    }

    /// Notes a path that no request has, or that is glued to the host behind it; whether there is anything to note.
    fn note_unusable_path(&mut self, route: &Route) -> bool {
        let (Target::Proxy(proxy), Matcher::Segments(path)) = (&route.target, route.matcher) else { return false };
        let texts = &self.gateway.texts;
        let url = self.gateway.symbolics.literal(proxy.url, texts).unwrap_or_default();
        let (path, is_line) = (texts.show(path), route.span == proxy.span);
        let glues = path.ends_with('/') && proxy.path.is_some_and(|own| texts.get(own).is_empty());
        let text = match proxy.authority.map(|authority| texts.show(authority)) {
            // The pattern of a section is looked at elsewhere.
            _ if is_line && never_asked_for(&path, proxy.spelling).is_some() => never_asked_for(&path, proxy.spelling),
            Some(authority) if glues => {
                // The socket is that of a worker, and none is found by this host (`ap_proxy_get_worker_ex`, `min_match`).
                let socket = if is_of_socket(url) { " and not to the socket" } else { "" };
                Some(format!(
                    "a request for `{path}x` is passed to the host `{authority}x`{socket}, for no slash parts them, and is answered 500"
                ))
            }
            _ => None,
        };
        let Some(text) = text else { return false };
        let labels = if is_line { Vec::new() } else { vec![(route.span, "for this section".to_owned())] };
        let kind = RemarkKind::Misread { how: Misreading::AddressUnusable, text };
        self.gateway.remarks.push(Remark { span: proxy.span, labels, kind });
        true
    }

    /// Notes an address that httpd starts with and that no request comes to.
    fn note_unusable_address(&mut self, route: &Route) {
        let Target::Proxy(proxy) = &route.target else { return };
        let texts = &self.gateway.texts;
        let url = self.gateway.symbolics.literal(proxy.url, texts).unwrap_or_default();
        // Copied from a page: to httpd they are letters like any other (U+2018 to U+201F).
        if matches!(url, [0xe2, 0x80, 0x98..=0x9f, ..]) {
            let text = "the typographic quotes are part of the address, so that there is no such backend: write `\"`".to_owned();
            let kind = RemarkKind::Misread { how: Misreading::AddressUnusable, text };
            return self.gateway.remarks.push(Remark { span: proxy.span, labels: Vec::new(), kind });
        }
        let Some(authority) = proxy.authority else { return };
        // Where a socket is named the host is for the header alone.
        if is_of_socket(url) {
            return;
        }
        let authority = texts.show(authority);
        let text = match proxy.upstream.map(|id| self.gateway.upstream(id)) {
            Some(group) if group.members.is_empty() && group.partial.is_none() && self.gateway.partial.is_none() => {
                format!("`{authority}` has no `BalancerMember`, and every request is answered 503")
            }
            None if proxy.protocol.is_http() && !gateway::is_authority(&authority) => {
                format!("there is no host `{authority}`, and every request is answered 500")
            }
            None if proxy.protocol == Protocol::Balancer && self.gateway.partial.is_none() => {
                format!("there is no `<Proxy balancer://{authority}>`, and a rule makes none: every request is answered 500")
            }
            None if proxy.protocol == Protocol::Other && !url.is_empty() => {
                let scheme = url.split(|&byte| byte == b':').next().unwrap_or_default().to_ascii_lowercase();
                if matches!(scheme.as_slice(), b"ftp" | b"fdpass" | b"express") {
                    return;
                }
                format!("no module speaks `{}`, and every request is answered 500", String::from_utf8_lossy(&scheme))
            }
            _ => return,
        };
        let labels = if route.span == proxy.span { Vec::new() } else { vec![(route.span, "for this section".to_owned())] };
        let kind = RemarkKind::Misread { how: Misreading::AddressUnusable, text };
        self.gateway.remarks.push(Remark { span: proxy.span, labels, kind });
    }
}

/// Whether an address names a Unix socket: `unix:/run/app.sock|http://localhost/`.
fn is_of_socket(url: &[u8]) -> bool {
    url.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"unix:"))
}

/// Why no request has a path that begins so, where none has: it is compared with the path decoded, which begins with a slash (`alias_match`).
fn never_asked_for(path: &str, spelling: Spelling) -> Option<String> {
    // An encoded slash may be left as it is (`AllowEncodedSlashes NoDecode`).
    let is_code = |rest: &[u8]| {
        matches!(rest, [b'%', one, two, ..] if one.is_ascii_hexdigit() && two.is_ascii_hexdigit())
            && !rest[..3].eq_ignore_ascii_case(b"%2f")
    };
    if path.is_empty() || path.starts_with('/') {
        // `mapping=encoded` compares what the client has written.
        if spelling != Spelling::Read {
            return None;
        }
        let code = (0..path.len()).find(|&at| is_code(&path.as_bytes()[at..]))?;
        let code = path.get(code..code + 3)?;
        return Some(format!(
            "no request comes to `{path}`: it is compared with the decoded path, in which there is no `{code}`; write the character itself, in quotes"
        ));
    }
    Some(if path.starts_with('^') {
        format!("no request has a path that begins with `{path}`: a pattern needs `ProxyPassMatch`")
    } else {
        format!("no request has a path that begins with `{path}`: the first character is always a slash")
    })
}
