//! How nginx processes a request, phase by phase (`ngx_http_core_module.c`): the server's rewriting, the search for a location, the
//! location's rewriting, access, files, content.

use super::following::{Following, MAX_CHANGES, Next, Outcome, hidden};
use super::{Client, Files, uri};
use crate::facts::View;
use crate::gateway::{Known, Matcher, Property, RouteId, ScopeId, Target, Unknown};
use crate::handshake::evaluate::Followed;
use crate::handshake::{Because, Chosen, Verdict, Walk, find_location};

/// Follows the request of `client` from the socket through the site `chosen`.
pub(super) fn follow(view: &View<'_>, client: Client, files: Files<'_>, chosen: Chosen) -> Walk {
    walk(view, client, files, chosen, Following::listener)
}

/// Follows it from where it has come to the site `chosen`.
pub(super) fn follow_in_site(view: &View<'_>, client: Client, files: Files<'_>, chosen: Chosen) -> Walk {
    walk(view, client, files, chosen, |following, chosen| following.arrive(chosen, true))
}

fn walk<'a>(
    view: &'a View<'a>,
    Client { request, socket, from }: Client,
    files: Files<'a>,
    chosen: Chosen,
    begin: impl FnOnce(&mut Following<'a>, Chosen) -> Known<Next>,
) -> Walk {
    let mut walk = Walk::at_site(view, chosen);
    let scope = view.gateway.site(chosen.site).scope;
    let mut following = Following {
        view,
        gateway: view.gateway,
        from,
        files,
        site: chosen.site,
        request,
        followed: Followed {
            client: from,
            socket,
            files,
            memory: std::cell::RefCell::default(),
            scope,
            behind_alias: false,
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
            following.because.push(Because { span: why.span(), message: why.reason().into(), culprit: true });
            (Verdict::Unknown(why), None)
        }
    };
    if !matches!(verdict, Verdict::Upgraded { .. })
        && !following.because.iter().any(|because| because.culprit)
        && let Some(last) = following.because.last_mut()
    {
        last.culprit = true;
    }
    let Following { site, route, unresolved, because, .. } = following;
    Walk { site: Some(site), route, upstream_request, verdict, unresolved, because }
}

impl Following<'_> {
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
                Next::Answer(status) => {
                    let status = self.conditional(self.answer.unwrap_or(status), false)?;
                    Next::End(self.finish(status)?)
                }
                Next::File => {
                    let status = self.conditional(self.answer.unwrap_or(200), true)?;
                    Next::End(self.finish(status)?)
                }
                Next::End(outcome) => return Ok(outcome),
            };
        }
    }

    fn rewrite_site(&mut self) -> Known<Next> {
        let scope = self.gateway.site(self.site).scope;
        self.enter(None, scope)?;
        self.real_client()?;
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
            self.note(span, "is for requests from within the server only");
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
        if self.request.path.is_empty() {
            self.note(None, format!("nothing is left of the path, with which `{name}` cannot be gone to"));
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
        // The modules forget what they knew.
        self.followed.upstream = None;
        self.enter(Some(id), route.scope)?;
        self.note(Some(route.span), "takes it by its name");
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
        self.real_client()?;
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
            self.note(Some(span), "an `if` before it passes the request on, and this one says not to where");
            return Ok(Next::Status(500));
        }
        let Some(handler) = self.handler else {
            if let (None, Some((true, span))) = (self.route, self.flag(Property::State)?) {
                self.note(span, "answers with the server's state");
                return Ok(Next::Answer(200));
            }
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
}
