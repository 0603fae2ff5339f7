//! How nginx processes a request, phase by phase (`ngx_http_core_module.c`): the server's rewriting, the search for a location, the
//! location's rewriting, access, files, content.

use super::uri;
use super::{Client, Files};
use crate::facts::View;
use crate::gateway::{Assigned, Gateway, Known, Matcher, Property, RouteId, ScopeId, SiteId, Speaks, Target, Unknown, Version};
use crate::handshake::evaluate::{Environment, Followed};
use crate::handshake::pattern::Patterns;
use crate::handshake::request::Request;
use crate::handshake::site::default_site;
use crate::handshake::{Because, Chosen, UpstreamRequest, Verdict, Walk, find_location};
use crate::source::Span;

/// When a request that is sent elsewhere within the server again and again is given up: one more than `NGX_HTTP_MAX_URI_CHANGES`.
const MAX_CHANGES: u8 = 11;

/// How long a line of a request's head may be unless set otherwise (`ngx_http_core_merge_srv_conf`).
const LONGEST_LINE: u64 = 8192;

/// Since this version a socket for HTTP/2 without TLS recognises HTTP/1.1.
const RECOGNISES_HTTP_1: Version = Version::new(1, 25, 1);

/// Follows the request of `client` from the socket through the site `chosen`.
pub(super) fn follow(view: &View<'_>, client: &Client, files: Files<'_>, chosen: Chosen) -> Walk {
    walk(view, client, files, chosen, Following::listener)
}

/// Follows it from where it has come to the site `chosen`.
pub(super) fn follow_in_site(view: &View<'_>, client: &Client, files: Files<'_>, chosen: Chosen) -> Walk {
    walk(view, client, files, chosen, |following, chosen| Ok(following.arrive(chosen, true)))
}

fn walk<'a>(
    view: &'a View<'a>,
    client: &'a Client,
    files: Files<'a>,
    chosen: Chosen,
    begin: impl FnOnce(&mut Following<'a>, Chosen) -> Known<Next>,
) -> Walk {
    let mut walk = Walk::at_site(view, chosen);
    let scope = view.gateway.site(chosen.site).scope;
    let mut following = Following {
        view,
        gateway: view.gateway,
        client,
        files,
        site: chosen.site,
        request: client.request.clone(),
        followed: Followed {
            client: client.from,
            socket: client.socket,
            files,
            memory: std::cell::RefCell::default(),
            scope,
            upstream: None,
        },
        route: None,
        handler: None,
        handled_by_nothing: None,
        internal: false,
        changed: false,
        in_location: true,
        unparsed: true,
        escaped: false,
        changes: MAX_CHANGES,
        answer: None,
        handled: false,
        failed: false,
        sent: None,
        subrequest: false,
        location: None,
        unresolved: None,
        because: std::mem::take(&mut walk.because),
    };
    let outcome = begin(&mut following, chosen).and_then(|next| following.process(next));
    let (verdict, upstream_request) = match outcome {
        Ok(Outcome { verdict, upstream_request }) => (verdict, upstream_request),
        Err(why) => {
            following.because.push(Because { span: why.span(), message: why.reason().to_owned(), culprit: true });
            (Verdict::Unknown(why), None)
        }
    };
    if !matches!(verdict, Verdict::Upgraded { .. })
        && !following.because.iter().any(|because| because.culprit)
        && let Some(last) = following.because.last_mut()
    {
        last.culprit = true;
    }
    let Following { route, unresolved, because, .. } = following;
    Walk { site: walk.site, route, upstream_request, verdict, unresolved, because }
}

/// A request on its way through one site.
#[expect(clippy::struct_excessive_bools, reason = "the flags that nginx's own request has, each by itself")]
pub(super) struct Following<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) gateway: &'a Gateway,
    pub(super) client: &'a Client,
    pub(super) files: Files<'a>,
    pub(super) site: SiteId,
    /// The request as it stands: its path, query and method may have changed.
    pub(super) request: Request,
    pub(super) followed: Followed<'a>,
    /// The location; `None`: the site itself.
    pub(super) route: Option<RouteId>,
    /// The route whose target makes the content: the location, or an `if` in it.
    pub(super) handler: Option<RouteId>,
    /// An `if` that has inherited no upstream for the handler of another one.
    pub(super) handled_by_nothing: Option<Span>,
    /// Whether the request comes from within the server.
    pub(super) internal: bool,
    /// Whether a rewrite asks for another location (`uri_changed`).
    pub(super) changed: bool,
    /// Whether the path still begins with the location's (`valid_location`).
    pub(super) in_location: bool,
    /// Whether the target that the client sent still stands (`valid_unparsed_uri`).
    pub(super) unparsed: bool,
    /// Whether the client's target holds escapes (`quoted_uri`, `plus_in_uri`).
    pub(super) escaped: bool,
    /// How often it may still be sent elsewhere.
    changes: u8,
    /// The status that the client gets whatever is answered: that of the error that is handled (`err_status`).
    pub(super) answer: Option<u16>,
    /// Whether an error has been handled already (`error_page`).
    handled: bool,
    /// Whether the upstream could not be asked.
    pub(super) failed: bool,
    /// What an upstream was sent whose answer was of no use.
    pub(super) sent: Option<UpstreamRequest>,
    /// Whether this is a request of the server's own, beside the client's.
    pub(super) subrequest: bool,
    /// Where the client is sent.
    pub(super) location: Option<String>,
    /// The upstream's host, where variables name it and nothing says how to look it up.
    pub(super) unresolved: Option<String>,
    pub(super) because: Vec<Because>,
}

/// What is next for a request.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// The rewriting of the site.
    Site,
    /// A location is looked for.
    Find,
    /// The rewriting of the location.
    Rewrite,
    /// Who is let in, and what follows.
    Access,
    /// The location of this name.
    Named(String),
    /// This status, or what is answered instead of it.
    Status(u16),
    /// This status is sent, whatever errors are handled.
    Answer(u16),
    /// It is over.
    End(Outcome),
}

/// What came of a request.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) upstream_request: Option<UpstreamRequest>,
}

impl Following<'_> {
    pub(super) fn note(&mut self, span: Option<Span>, message: String) {
        self.because.push(Because { span, message, culprit: false });
    }

    pub(super) fn blame(&mut self, span: Option<Span>, message: String) {
        self.because.push(Because { span, message, culprit: true });
    }

    /// What the values of variables depend on by now.
    pub(super) fn environment(&self) -> Environment<'_> {
        let proxy = self.handler.and_then(|route| match &self.gateway.route(route).target {
            Target::Proxy(proxy) => Some(proxy),
            _ => None,
        });
        Environment {
            gateway: self.gateway,
            patterns: &self.view.patterns,
            request: &self.request,
            site: self.gateway.site(self.site),
            proxy,
            captures: None,
            condition_captures: None,
            notes: None,
            followed: Some(&self.followed),
        }
    }

    /// The value of a scalar in force. What surrounds a fragment is taken to set nothing.
    pub(super) fn scalar(&self, property: Property) -> Known<Option<(Assigned, Option<Span>)>> {
        match self.gateway.scopes.scalar(self.followed.scope, property) {
            Ok(setting) => Ok(setting.map(|setting| (setting.value, setting.origin.span()))),
            Err(Unknown::Fragment(_)) => Ok(None),
            Err(why) => Err(why),
        }
    }

    pub(super) fn flag(&self, property: Property) -> Known<Option<(bool, Option<Span>)>> {
        let setting = self.scalar(property)?;
        Ok(setting.and_then(|(value, span)| match value {
            Assigned::Flag(on) => Some((on, span)),
            _ => None,
        }))
    }

    /// Whether a switch is on, where nothing set means `default`.
    pub(super) fn is_on(&self, property: Property, default: bool) -> Known<bool> {
        Ok(self.flag(property)?.map_or(default, |(on, _)| on))
    }

    pub(super) fn number(&self, property: Property) -> Known<Option<(u64, Option<Span>)>> {
        let setting = self.scalar(property)?;
        Ok(setting.and_then(|(value, span)| match value {
            Assigned::Number(number) => Some((number, span)),
            _ => None,
        }))
    }

    pub(super) fn text(&self, property: Property) -> Known<Option<(String, Span)>> {
        match self.scalar(property)? {
            Some((Assigned::Text(text), Some(span))) => Ok(Some((self.environment().evaluate(text)?, span))),
            _ => Ok(None),
        }
    }

    /// What the socket makes of the client, before any site's own rules (`ngx_http_wait_request_handler`, `ngx_http_process_request`).
    fn listener(&mut self, chosen: Chosen) -> Known<Next> {
        let gateway = self.gateway;
        let own = gateway.site(self.site).listens.iter().find(|listen| Some(listen.span) == chosen.listen);
        let (address, port) = own.map_or((None, None), |listen| (Some(listen.address), listen.port));
        // The options of a socket count for all sites on it, whichever writes them.
        let socket = gateway.sites.iter().flat_map(|site| &site.listens);
        let socket: Vec<_> = socket.filter(|listen| Some(listen.address) == address && listen.port == port).collect();
        let tls = socket.iter().find(|listen| listen.tls);
        if let Some(listen) = socket.iter().find(|listen| listen.speaks == Speaks::ProxyProtocol) {
            self.note(Some(listen.span), "expects the PROXY protocol, which the client does not speak: closes".to_owned());
            return Ok(Next::Answer(444));
        }
        match (tls, self.request.tls) {
            (None, true) => {
                self.note(chosen.listen, "expects no TLS here, and the client speaks it".to_owned());
                return Ok(Next::Answer(400));
            }
            (Some(listen), false) => {
                self.note(Some(listen.span), "expects TLS here, and the client does not speak it".to_owned());
                return Ok(Next::Status(497));
            }
            (None, false) if gateway.version.is_some_and(|version| version < RECOGNISES_HTTP_1) => {
                if let Some(listen) = socket.iter().find(|listen| listen.speaks == Speaks::Http2) {
                    self.note(Some(listen.span), "speaks nothing but HTTP/2 here before 1.25.1: closes".to_owned());
                    return Ok(Next::Answer(444));
                }
            }
            _ => {}
        }
        // The request line and the head are read with the settings of the socket's default site.
        let own_scope = self.followed.scope;
        if let Some(default) = default_site(gateway, self.client.socket)? {
            self.followed.scope = gateway.site(default).scope;
        }
        let merge = self.is_on(Property::MergeSlashes, true)?;
        let (longest, longest_span) = self.number(Property::LongestLine)?.unwrap_or((LONGEST_LINE, None));
        self.followed.scope = own_scope;
        if let Some((most, span)) = self.number(Property::MaxHeaders)?
            && self.request.headers.len() as u64 > most
        {
            self.note(span, format!("takes {most} headers, and the handshake has {}", self.request.headers.len()));
            return Ok(Next::Status(400));
        }
        // A line, its `: ` and its end must fit (`ngx_http_alloc_large_header_buffer`).
        if let Some((name, _)) = self.request.headers.iter().find(|(name, value)| (name.len() + value.len()) as u64 + 4 > longest)
        {
            let message = format!("the client's {name} is longer than the {longest} bytes that a line may have");
            self.note(longest_span, message);
            return Ok(Next::Status(494));
        }
        if self.request.tls
            && let Some((true, span)) = self.flag(Property::VerifyClient)?
        {
            self.note(span, "a client's certificate is asked for".to_owned());
            return Ok(Next::Status(496));
        }
        Ok(self.arrive(chosen, merge))
    }

    /// The request line is read; `merge`: several slashes are one.
    fn arrive(&mut self, chosen: Chosen, merge: bool) -> Next {
        let Some(target) = uri::parse(&self.request.sent_target(), merge) else {
            self.note(chosen.listen, "the target is not valid".to_owned());
            return Next::Status(400);
        };
        // The target as sent stands beside what it is read as.
        self.request.target = Some(self.request.sent_target());
        self.request.path = target.path;
        self.request.query = target.query;
        self.escaped = target.escaped;
        self.site_captures(chosen);
        Next::Site
    }

    /// What the pattern of the site's name has captured.
    fn site_captures(&mut self, chosen: Chosen) {
        let names = &self.gateway.site(self.site).names;
        let Some(name) = names.iter().find(|name| Some(name.span) == chosen.name) else { return };
        let text = self.gateway.texts.show(name.text);
        if let Some(pattern) = text.strip_prefix('~')
            && let Some((captures, named)) = Patterns::name_captures(pattern, &self.request.host)
        {
            self.followed.keep(captures, Vec::new());
            for (name, value) in named {
                if let Some(name) = self.gateway.texts.find(name.to_ascii_lowercase().as_bytes()) {
                    self.followed.assign(name, value);
                }
            }
        }
    }

    /// Goes from phase to phase until it is over.
    pub(super) fn process(&mut self, mut next: Next) -> Known<Outcome> {
        loop {
            next = match next {
                Next::Site => self.rewrite_site()?,
                Next::Find => self.find()?,
                Next::Rewrite => self.rewrite_location()?,
                Next::Access => self.serve_location()?,
                Next::Named(name) => self.named(&name)?,
                Next::Status(status) => self.special(status)?,
                Next::Answer(status) => Next::End(self.finish(self.answer.unwrap_or(status))?),
                Next::End(outcome) => return Ok(outcome),
            };
        }
    }

    /// Takes one off the times that the request may still be sent elsewhere; whether that was not the last.
    pub(super) fn may_change(&mut self) -> bool {
        self.changes = self.changes.saturating_sub(1);
        if self.changes == 0 {
            let last = self.because.last().and_then(|because| because.span);
            self.note(last, format!("sent elsewhere within the server for the {MAX_CHANGES}th time: a cycle"));
        }
        self.changes > 0
    }

    fn rewrite_site(&mut self) -> Known<Next> {
        let scope = self.gateway.site(self.site).scope;
        self.enter(None, scope)?;
        self.in_location = true;
        Ok(self.run(scope)?.unwrap_or(Next::Find))
    }

    /// The settings of `scope` count from now on.
    fn enter(&mut self, route: Option<RouteId>, scope: ScopeId) -> Known<()> {
        self.followed.scope = scope;
        self.route = route;
        self.handler = route;
        self.handled_by_nothing = None;
        self.changed = false;
        // Something unseen may do anything here, a `return` for one.
        match hidden(self.gateway.scopes.get(scope).open) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// `ngx_http_core_find_config_phase`.
    fn find(&mut self) -> Known<Next> {
        let found = find_location(&self.environment(), self.site, &self.request.path)?;
        let gateway = self.gateway;
        let Some(id) = found.route else {
            let site = gateway.site(self.site);
            self.enter(None, site.scope)?;
            self.note(Some(site.span), format!("no location takes `{}`", self.request.path));
            return Ok(Next::Access);
        };
        let route = gateway.route(id);
        if let (Some(captures), Matcher::Pattern { pattern, ignore_case }) = (found.captures, route.matcher) {
            self.followed.keep(captures, self.view.patterns.names(&gateway.texts, pattern, ignore_case));
        }
        self.enter(Some(id), route.scope)?;
        self.note(Some(route.span), format!("takes `{}`", self.request.path));
        if !self.internal
            && let Some((true, span)) = self.flag(Property::Internal)?
        {
            self.note(span, "is for requests from within the server only".to_owned());
            return Ok(Next::Status(404));
        }
        if found.adds_slash {
            let name = match route.matcher {
                Matcher::Exact(text) | Matcher::Prefix { text, .. } => gateway.texts.show(text).into_owned(),
                _ => format!("{}/", self.request.path),
            };
            self.note(Some(route.span), format!("ends with a slash and passes requests on: sends the client to `{name}`"));
            self.location = Some(self.with_query(&uri::escape_path(&name)));
            return Ok(Next::Status(301));
        }
        self.limit_methods();
        Ok(Next::Rewrite)
    }

    /// `limit_except`: other settings for other methods.
    fn limit_methods(&mut self) {
        let gateway = self.gateway;
        let Some(limit) = gateway.programs.get(self.followed.scope).and_then(|program| program.limit_except.as_deref()) else {
            return;
        };
        let listed = |method: &str| limit.methods.iter().any(|own| gateway.texts.get(*own) == method.as_bytes());
        if listed(&self.request.method) || self.request.method == "HEAD" && listed("GET") {
            return;
        }
        self.followed.scope = limit.scope;
        // Only what passes requests on is inherited from the location (`ngx_http_proxy_merge_loc_conf`, `lmt_excpt`).
        let passes_on = |route: &RouteId| matches!(gateway.route(*route).target, Target::Proxy(_));
        self.handler = limit.route.or(self.route.filter(passes_on));
        self.note(Some(limit.span), format!("counts for {}", self.request.method));
    }

    /// `ngx_http_named_location`.
    fn named(&mut self, name: &str) -> Known<Next> {
        if !self.may_change() {
            return Ok(Next::Status(500));
        }
        let gateway = self.gateway;
        let named = |id: &RouteId| matches!(gateway.route(*id).matcher, Matcher::Named(text) if gateway.texts.get(text) == name.as_bytes());
        let Some(id) = gateway.site(self.site).route_ids().find(named) else {
            self.note(None, format!("no location is named `{name}`"));
            return Ok(Next::Status(500));
        };
        let route = gateway.route(id);
        self.internal = true;
        self.enter(Some(id), route.scope)?;
        self.note(Some(route.span), "takes it by its name".to_owned());
        self.limit_methods();
        Ok(Next::Rewrite)
    }

    fn rewrite_location(&mut self) -> Known<Next> {
        if let Some(next) = self.run(self.followed.scope)? {
            return Ok(next);
        }
        if !self.changed {
            return Ok(Next::Access);
        }
        // `ngx_http_core_post_rewrite_phase`.
        if !self.may_change() {
            return Ok(Next::Status(500));
        }
        self.followed.scope = self.gateway.site(self.site).scope;
        Ok(Next::Find)
    }

    fn serve_location(&mut self) -> Known<Next> {
        if !self.subrequest
            && let Some(next) = self.access()?
        {
            return Ok(next);
        }
        let gateway = self.gateway;
        // `try_files` is not inherited, nor does it count in an `if`.
        let try_files = gateway.programs.get(self.followed.scope).and_then(|program| program.try_files.as_deref());
        if let Some(try_files) = try_files
            && let Some(next) = self.try_files(try_files)?
        {
            return Ok(next);
        }
        self.mirrors()?;
        if let Some(span) = self.handled_by_nothing {
            self.note(Some(span), "an `if` before it passes the request on, and this one says not to where".to_owned());
            return Ok(Next::Status(500));
        }
        let Some(handler) = self.handler else {
            return self.serve(gateway.site(self.site).span);
        };
        match &gateway.route(handler).target {
            Target::Proxy(proxy) => self.pass(proxy),
            Target::Files => self.serve(gateway.route(handler).span),
            Target::Answer { status, span } => {
                self.note(Some(*span), format!("answers {status}"));
                Ok(Next::Answer(*status))
            }
            Target::Unknown(why) => Err(*why),
            Target::Excluded(span) => Err(Unknown::Unmodelled(*span)),
        }
    }

    /// `mirror`: a copy that is upgraded ends the client's connection (`ngx_http_upstream_send_response`).
    fn mirrors(&mut self) -> Known<()> {
        let gateway = self.gateway;
        if self.subrequest {
            return Ok(());
        }
        let (level, _) = gateway.scopes.list(self.followed.scope, Property::Mirror);
        for entry in level.into_iter().flat_map(|level| gateway.scopes.own(level)) {
            let Assigned::Text(target) = entry.assigned else { continue };
            if entry.property != Property::Mirror {
                continue;
            }
            let target = self.environment().evaluate(target)?;
            if target != "off" && matches!(self.subrequest(&target)?.verdict, Verdict::Upgraded { .. }) {
                self.note(Some(entry.span), "the copy asks for an upgrade too, and what answers it decides".to_owned());
                return Err(Unknown::Runtime);
            }
        }
        Ok(())
    }

    /// A request of the server's own to `target` (`ngx_http_subrequest`).
    pub(super) fn subrequest(&mut self, target: &str) -> Known<Outcome> {
        let (path, query) = uri::split_query(target);
        let mut own = Following {
            request: Request { method: "GET".into(), path, query, ..self.request.clone() },
            followed: Followed { upstream: None, ..self.followed.clone() },
            internal: true,
            changed: false,
            in_location: true,
            unparsed: false,
            changes: MAX_CHANGES,
            answer: None,
            handled: false,
            failed: false,
            sent: None,
            subrequest: true,
            location: None,
            unresolved: None,
            because: Vec::new(),
            ..*self
        };
        own.followed.forget_captures();
        let outcome = own.process(Next::Site);
        let Following { followed: Followed { memory, .. }, .. } = own;
        // Both have the same variables, and each its own captures.
        self.followed.take_variables(memory);
        outcome
    }

    /// A status by itself: what is answered instead of it, if anything (`ngx_http_special_response_handler`).
    fn special(&mut self, status: u16) -> Known<Next> {
        self.answer = Some(status);
        if matches!(status, 502 | 504) {
            self.failed = true;
        }
        if !self.handled && self.changes > 0 {
            let gateway = self.gateway;
            let (level, unseen) = gateway.scopes.list(self.followed.scope, Property::ErrorPage);
            if let (None, Some(why)) = (level, hidden(unseen)) {
                return Err(why);
            }
            self.handled = level.is_some() && !self.is_on(Property::RecursiveErrorPages, false)?;
            for entry in level.into_iter().flat_map(|level| gateway.scopes.own(level)) {
                match entry.assigned {
                    Assigned::ErrorPage { status: own, answer, target } if own == status => {
                        let target = self.environment().evaluate(target)?;
                        self.note(Some(entry.span), format!("`{target}` instead of {status}"));
                        return Ok(self.instead(answer, &target));
                    }
                    Assigned::Unknown(why) if entry.property == Property::ErrorPage => return Err(why),
                    _ => {}
                }
            }
        }
        let shown = if matches!(status, 494..=497) { 400 } else { status };
        Ok(Next::End(self.finish(shown)?))
    }

    /// `ngx_http_send_error_page`.
    fn instead(&mut self, answer: Option<u16>, target: &str) -> Next {
        self.answer = answer;
        if target.starts_with('/') {
            if self.request.method != "HEAD" {
                self.request.method = "GET".into();
            }
            return self.elsewhere(target);
        }
        if target.starts_with('@') {
            return Next::Named(target.to_owned());
        }
        self.location = Some(target.to_owned());
        self.answer = answer.filter(|status| matches!(status, 301..=303 | 307 | 308)).or(Some(302));
        Next::Answer(302)
    }

    /// The server's own answer with this status.
    fn finish(&mut self, status: u16) -> Known<Outcome> {
        let is_redirect = matches!(status, 201 | 301..=303 | 307 | 308);
        let location = match self.location.take().filter(|_| is_redirect) {
            Some(location) => Some(self.absolute(location)?),
            None => None,
        };
        let verdict = if self.failed { Verdict::BadGateway { status } } else { Verdict::Answered { status, location } };
        Ok(Outcome { verdict, upstream_request: self.sent.take() })
    }

    /// A redirect's target as the client sees it (`ngx_http_header_filter`).
    fn absolute(&self, location: String) -> Known<String> {
        if !location.starts_with('/') || !self.is_on(Property::AbsoluteRedirect, true)? {
            return Ok(location);
        }
        let host = if self.is_on(Property::SiteNameInRedirect, false)? {
            self.environment().site_name()
        } else {
            self.request.host.clone()
        };
        let (scheme, usual) = if self.request.tls { ("https", 443) } else { ("http", 80) };
        let port = self.client.socket.port;
        let port = if port == usual || !self.is_on(Property::PortInRedirect, true)? { String::new() } else { format!(":{port}") };
        Ok(format!("{scheme}://{host}{port}{location}"))
    }
}

/// Why settings may be unseen; what surrounds a fragment is taken to set nothing.
pub(super) fn hidden(why: Option<Unknown>) -> Option<Unknown> {
    why.filter(|why| !matches!(why, Unknown::Fragment(_)))
}
