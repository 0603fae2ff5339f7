//! How httpd processes a request, phase by phase (`ap_process_request_internal`, `request.c`).

mod admission;
mod areas;
mod backend;
mod errors;
mod paths;
mod redirects;
mod rules;
mod served;
#[cfg(test)]
mod tests;
mod translate;
mod variables;

use super::{Client, Files};
use crate::facts::View;
use crate::gateway::{Area, Assumed, EncodedSlashes, Gateway, Handler, Known, SiteId, Target, Unknown};
use crate::handshake::evaluate::{Environment, Notes};
use crate::handshake::request::Request;
use crate::handshake::send::change_early;
use crate::handshake::walk::{Because, Verdict};
use crate::handshake::{Chosen, Walk};
use crate::source::Span;

use areas::{Whereto, covering, setting};
use backend::{Asked, pass_on};
use paths::UNKNOWN_ROOT;

/// How often a request may be handled anew (`AP_DEFAULT_MAX_INTERNAL_REDIRECTS`).
const ROUNDS: usize = 10;

/// Follows the request of `client` through the site `chosen`.
pub(super) fn follow(view: &View<'_>, client: &Client, files: Files<'_>, chosen: Chosen) -> Walk {
    let walk = Walk::at_site(view, chosen);
    let notes = Notes { from: Some(client.from), files: Some(files), ..Notes::default() };
    let mut course = Course {
        view,
        gateway: view.gateway,
        site: chosen.site,
        request: client.request.clone(),
        notes,
        walk,
        areas: Vec::new(),
        failed: None,
    };
    course.walk.verdict = match course.run() {
        Ok(verdict) => verdict,
        Err(why) => {
            course.step(why.span(), why.reason(), true);
            Verdict::Unknown(why)
        }
    };
    course.say_what_is_assumed();
    course.walk
}

/// A request on its way.
struct Course<'a> {
    view: &'a View<'a>,
    gateway: &'a Gateway,
    site: SiteId,
    request: Request,
    notes: Notes<'a>,
    walk: Walk,
    /// The areas that count by now.
    areas: Vec<&'a Area>,
    /// What went wrong, where a page is looked for that says so.
    failed: Option<Verdict>,
}

/// What one round of handling comes to.
enum Round {
    Done(Verdict),
    /// The request is handled anew with this path and query; `bool`: without rewriting.
    Again(String, Option<String>, bool),
}

/// Where a request is mapped to.
#[derive(Clone, Debug)]
enum Mapped {
    Backend(Asked),
    File(String),
    /// There is no document root that we know: the file, below what stands for it.
    Nowhere(String),
}

impl<'a> Course<'a> {
    fn environment(&self) -> Environment<'_> {
        Environment {
            gateway: self.gateway,
            patterns: &self.view.patterns,
            request: &self.request,
            site: self.gateway.site(self.site),
            proxy: None,
            captures: None,
            condition_captures: None,
            notes: Some(&self.notes),
            followed: None,
        }
    }

    /// Says of which lines on the way it is only assumed that they count.
    fn say_what_is_assumed(&mut self) {
        let on_the_way =
            |assumed: &&Assumed| self.walk.because.iter().filter_map(|because| because.span).any(|span| assumed.covers(span));
        let said: Vec<Because> = (self.gateway.assumed.iter().filter(on_the_way))
            .map(|assumed| Because {
                span: Some(assumed.head),
                message: "is taken to hold: nothing here says whether it does".to_owned(),
                culprit: false,
            })
            .collect();
        self.walk.because.splice(0..0, said);
    }

    fn step(&mut self, span: Option<Span>, message: impl Into<String>, culprit: bool) {
        let message = message.into().replace(UNKNOWN_ROOT, "(unknown directory)");
        self.walk.because.push(Because { span, message, culprit });
    }

    fn answered(&mut self, status: u16, span: Span, message: impl Into<String>) -> Verdict {
        self.step(Some(span), message, true);
        Verdict::Answered { status, location: None }
    }

    fn run(&mut self) -> Known<Verdict> {
        let site_areas = areas::of_site(self.gateway, self.site);
        let ends_tls = setting(&site_areas, |settings| settings.tls).unwrap_or(false);
        let span = self.gateway.site(self.site).span;
        match (ends_tls, self.request.tls) {
            (true, false) => return Ok(self.answered(400, span, "speaks TLS, and the client does not")),
            (false, true) => return Err(Unknown::Unmodelled(span)),
            _ => {}
        }
        let slashes = setting(&site_areas, |settings| settings.encoded_slashes).unwrap_or(EncodedSlashes::Refused);
        let merge = setting(&site_areas, |settings| settings.merge_slashes).unwrap_or(true);
        let raw = self.request.target.clone();
        let raw = raw.as_deref().map_or(self.request.path.as_str(), |raw| raw.split(['?', '#']).next().unwrap_or(raw));
        match paths::normalized(raw, slashes, merge) {
            Ok(path) => self.request.path = path,
            Err(status) => return Ok(self.answered(status, span, "refuses the path")),
        }
        self.request.headers = change_early(&self.environment(), &areas::levels(&site_areas))?;
        self.notes.begun = true;
        self.notes.canonical_name = setting(&site_areas, |settings| settings.canonical_name).unwrap_or(false);
        self.notes.physical_port = setting(&site_areas, |settings| settings.physical_port).unwrap_or(false);
        let mut rewrites = true;
        for _ in 0..ROUNDS {
            match self.round(rewrites)? {
                Round::Done(verdict) => match self.instead_of(&verdict) {
                    Some(Round::Done(verdict)) => return Ok(verdict),
                    Some(Round::Again(path, query, _)) => {
                        self.failed = Some(verdict);
                        self.request.path = path;
                        self.request.query = query;
                        self.request.target = None;
                    }
                    None => return Ok(self.after_failure(verdict)),
                },
                Round::Again(path, query, without_rules) => {
                    self.request.path = path;
                    self.request.query = query;
                    self.request.target = None;
                    rewrites &= !without_rules;
                }
            }
        }
        Ok(self.answered(500, span, "the request was handled anew too often"))
    }

    /// Handles the request once.
    fn round(&mut self, rewrites: bool) -> Known<Round> {
        let gateway = self.gateway;
        self.notes.file = None;
        let early = covering(gateway, &self.environment(), self.site, Whereto::default())?;
        self.areas.clone_from(&early);
        self.assign(&early, false)?;
        let mapped = if rewrites { self.translate(&early)? } else { self.map(&early)? };
        let mapped = match mapped {
            Ok(mapped) => mapped,
            Err(verdict) => return Ok(Round::Done(verdict)),
        };
        let (file, url) = match &mapped {
            Mapped::Backend(asked) => (Some(format!("proxy:{}", asked.url)), Some(asked.url.clone())),
            Mapped::File(file) | Mapped::Nowhere(file) => (Some(file.clone()), None),
        };
        self.notes.file.clone_from(&file);
        let on_disk = file.as_deref().filter(|_| url.is_none());
        let whereto = Whereto { file: on_disk, url: url.as_deref() };
        let areas = covering(gateway, &self.environment(), self.site, whereto)?;
        let areas = match areas::allowed(areas) {
            Ok(areas) => areas,
            Err((span, why)) => return Ok(Round::Done(self.answered(500, span, why))),
        };
        self.areas.clone_from(&areas);
        self.assign(&areas, false)?;
        if let Err(refused) = admission::admitted(&self.environment(), &areas)? {
            let message = match refused.status {
                401 => "asks for a password",
                405 => "does not let the method in",
                500 => "asks for a user, and nothing says how to give a password",
                _ => "does not let the client in",
            };
            return Ok(Round::Done(self.answered(refused.status, refused.span, message)));
        }
        self.assign(&areas, true)?;
        if let Some(verdict) = self.redirected_in(&areas)? {
            return Ok(Round::Done(verdict));
        }
        let mapped = match self.rewrite_in_areas(&areas, mapped, rewrites)? {
            Ok(mapped) => mapped,
            Err(round) => return Ok(round),
        };
        let handler = areas.iter().rev().find_map(|area| Some((area.handler?, area.span)));
        let mapped = match (mapped, handler) {
            (Mapped::Backend(asked), _) => Mapped::Backend(asked),
            (Mapped::File(file) | Mapped::Nowhere(file), Some((Handler::Proxy(route), span))) => {
                let url = self.url_of(route, span, &self.request.path)?;
                // The file's path, as the server sees it, is what is sent (`proxy_handler`).
                let file = served::existing_part(self.notes.files, &file);
                let query = self.request.query.clone();
                Mapped::Backend(Asked { route, url: format!("{url}{file}"), query, verbatim: false, span })
            }
            (_, Some((Handler::Named(name), span))) if self.handles(name) => {
                let name = gateway.texts.show(name).into_owned();
                return Ok(Round::Done(self.answered(200, span, format!("the handler {name} answers"))));
            }
            (mapped, _) => mapped,
        };
        match mapped {
            Mapped::Backend(asked) => self.pass(&areas, &asked).map(Round::Done),
            Mapped::File(file) => self.serve(&areas, &file),
            Mapped::Nowhere(file) => self.serve_stock(&areas, &file),
        }
    }

<<<<<<< HEAD
    /// The rules of the site, then its mappings.
    fn translate(&mut self, early: &[&'a Area]) -> Known<Result<Mapped, Verdict>> {
        let mut notes = std::mem::take(&mut self.notes);
        let environment = Environment { notes: None, ..self.environment() };
        // The rules read and set variables in turn.
        let rewritten = rewrite_in_site(&environment, self.site, &mut notes);
        self.notes = notes;
        self.notes.file = None;
        match rewritten? {
            Rewritten::Untouched => self.map(early),
            Rewritten::Path { path, query, span, maps_again, .. } => {
                self.step(Some(span), format!("rewrites the path to {path}"), false);
                self.request.query = query;
                if !path.starts_with('/') {
                    return Ok(Err(self.answered(400, span, "the new path is none that can be asked for")));
                }
                if maps_again {
                    self.request.path = path;
                    return self.map(early);
                }
                self.step(Some(span), "a rewritten path is mapped to a file, past all ProxyPass", true);
                self.file_of(early, &path).map(Ok)
            }
            Rewritten::Proxied { span, itself: true, .. } => Err(Unknown::Unmodelled(span)),
            Rewritten::Proxied { route, url, query, verbatim, span, redirect, .. } => {
                if self.gateway.modules.has("proxy") == Some(false) {
                    return Ok(Err(self.answered(403, span, "needs mod_proxy, which is not loaded")));
                }
                if redirect.is_some() {
                    self.step(redirect, "would send the client elsewhere, but is not the last rule", true);
                }
                self.step(Some(span), format!("rewrites to {url}"), false);
                Ok(Ok(Mapped::Backend(Asked { route, url, query, verbatim, span })))
            }
            Rewritten::Redirected { status, url, query, verbatim, span } => {
                Ok(Err(self.redirect(status, &url, query, verbatim, span)))
            }
            Rewritten::Answered(status, span) => Ok(Err(self.answered(status, span, format!("answers {status}")))),
        }
    }

    /// Sends the client elsewhere, as a rewrite rule does.
    fn redirect(&mut self, status: u16, url: &str, query: Option<String>, verbatim: bool, span: Span) -> Verdict {
        let start = url.find("://").map_or(0, |at| at + 3);
        let path_at = url[start..].find('/').map_or(url.len(), |at| start + at);
        let path = if verbatim { url[path_at..].to_owned() } else { paths::escaped_in_location(&url[path_at..]) };
        let mut location = format!("{}{path}", &url[..path_at]);
        if let Some(query) = query {
            location.push('?');
            location.push_str(&query);
        }
        self.step(Some(span), format!("sends the client to {location}"), true);
        Verdict::Answered { status, location: Some(location) }
    }

    /// `ProxyPass` in areas and in the list, then redirects, aliases, the document root.
    fn map(&mut self, early: &[&'a Area]) -> Known<Result<Mapped, Verdict>> {
        let gateway = self.gateway;
        if self.notes.variable("no-proxy").is_none()
            && let Some(id) = mapped(&self.environment(), self.site, &self.request.path)?
        {
            let route = gateway.route(id);
            self.walk.route = Some(id);
            match &route.target {
                Target::Excluded(span) => {
                    self.walk.route = None;
                    self.step(Some(*span), "takes the path out of proxying", true);
                }
                Target::Unknown(why) => return Err(*why),
                Target::Proxy(_) if self.declines(id, early) => self.walk.route = None,
                _ => {
                    let span = route.span;
                    let url = self.url_of(id, span)?;
                    self.step(Some(span), format!("passes the path on to {url}"), false);
                    let query = self.request.query.clone();
                    return Ok(Ok(Mapped::Backend(Asked { route: id, url, query, verbatim: false, span })));
                }
            }
        }
        // The site's own come before those of the main server (`merge_alias_config`).
        for area in early.iter().rev().filter(|area| matches!(area.covers, Covers::Everything)) {
            for redirect in &area.redirects {
                if let Some(matcher) = redirect.matcher
                    && let Some(location) = self.location(matcher, redirect.target, redirect.span)?
                {
                    return Ok(Err(self.sent_to(redirect.status, location, redirect.span)));
                }
            }
            for alias in &area.aliases {
                if let Some(path) = self.aliased(alias.matcher, alias.target, alias.span)? {
                    self.step(Some(alias.span), format!("stands for {path}"), false);
                    return Ok(Ok(Mapped::File(path)));
                }
            }
        }
        let path = self.request.path.clone();
        self.file_of(early, &path).map(Ok)
    }

    /// Whether `mod_proxy_wstunnel` leaves a request that asks for no upgrade to others (`proxy_wstunnel_check_trans`).
    fn declines(&self, id: RouteId, areas: &[&Area]) -> bool {
        use crate::gateway::{Protocol, Version};
        let modules = &self.gateway.modules;
        let Target::Proxy(proxy) = &self.gateway.route(id).target else { return false };
        let modern = self.gateway.version.is_none_or(|version| version >= Version::new(2, 4, 47));
        let by_itself = setting(areas, |settings| settings.http_tunnels).is_some_and(|(on, _)| !on)
            || modules.has("proxy_http") == Some(false);
        let asks = self.request.header(b"upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
        modern
            && by_itself
            && !asks
            && modules.has("proxy_wstunnel") != Some(false)
            && matches!(proxy.protocol, Protocol::Ws | Protocol::Wss)
    }

    /// The URL that a route passes the request to: its own, with what its matcher left of the path.
    fn url_of(&self, id: RouteId, span: Span) -> Known<String> {
        let route = self.gateway.route(id);
        let Target::Proxy(proxy) = &route.target else { return Err(Unknown::Unmodelled(span)) };
        let environment = self.environment();
        let path = &self.request.path;
        match route.matcher {
            Matcher::Pattern { pattern, ignore_case } => {
                let captures = environment.captures(pattern, ignore_case, path, span)?.unwrap_or_default();
                Environment { captures: Some(&captures), ..environment }.evaluate(proxy.url)
            }
            Matcher::Segments(text) => {
                let url = environment.evaluate(proxy.url)?;
                let matched = alias_match(path.as_bytes(), self.gateway.texts.get(text)).unwrap_or(0);
                let rest = path.get(matched..).unwrap_or_default();
                // In a section a handler's URL stands for itself.
                Ok(if self.gateway.site(route.site).areas.iter().any(|area| area.handler == Some(Handler::Proxy(id))) {
                    url
                } else {
                    format!("{url}{rest}")
                })
            }
            _ => environment.evaluate(proxy.url),
        }
    }

    fn file_of(&self, areas: &[&Area], path: &str) -> Known<Mapped> {
        Ok(match setting(areas, |settings| settings.document_root) {
            Some(root) => {
                let root = self.gateway.texts.show(root?);
                let slash = if root.starts_with('/') { "" } else { "/" };
                let above = if root.starts_with('/') { "" } else { UNKNOWN_ROOT };
                Mapped::File(format!("{above}{slash}{root}{path}"))
            }
            None => Mapped::Nowhere(format!("{UNKNOWN_ROOT}{path}")),
        })
    }

    /// Where a redirect of `matcher` to `target` sends the request: the rest of the path is appended, unless a pattern says all.
    #[expect(clippy::option_option, reason = "whether it takes the path, and where to")]
    fn location(&self, matcher: Matcher, target: Option<SymbolicId>, span: Span) -> Known<Option<Option<String>>> {
        let Some((captures, rest)) = self.taken(matcher, span)? else { return Ok(None) };
        let Some(target) = target else { return Ok(Some(None)) };
        let environment = Environment { captures: Some(&captures), ..self.environment() };
        let mut location = environment.evaluate(target)?;
        location.push_str(&paths::escaped_in_location(&rest));
        if location.starts_with('/') {
            let scheme = if self.request.tls { "https" } else { "http" };
            location = format!("{scheme}://{}{location}", self.request.header(b"host").unwrap_or(&self.request.host));
        }
        if let Some(query) = &self.request.query
            && !location.contains('?')
        {
            location.push('?');
            location.push_str(query);
        }
        Ok(Some(Some(location)))
    }

    fn aliased(&self, matcher: Matcher, target: SymbolicId, span: Span) -> Known<Option<String>> {
        let Some((captures, rest)) = self.taken(matcher, span)? else { return Ok(None) };
        let environment = Environment { captures: Some(&captures), ..self.environment() };
        Ok(Some(format!("{}{rest}", environment.evaluate(target)?)))
    }

    /// What a matcher captures of the path, and what it leaves of it; `None`: it does not take it.
    fn taken(&self, matcher: Matcher, span: Span) -> Known<Option<(Vec<String>, String)>> {
        let path = &self.request.path;
        Ok(match matcher {
            Matcher::Pattern { pattern, ignore_case } => {
                let captures = self.environment().captures(pattern, ignore_case, path, span)?;
                captures.map(|captures| (captures, String::new()))
            }
            Matcher::Segments(text) => {
                let length = alias_match(path.as_bytes(), self.gateway.texts.get(text));
                length.map(|length| (Vec::new(), path.get(length..).unwrap_or_default().to_owned()))
            }
            other => matches(&self.environment(), other, span, path)?.then(|| (Vec::new(), String::new())),
        })
    }

    fn sent_to(&mut self, status: u16, location: Option<String>, span: Span) -> Verdict {
        match &location {
            Some(location) => self.step(Some(span), format!("sends the client to {location}"), true),
            None => self.step(Some(span), format!("answers {status}"), true),
        }
        Verdict::Answered { status, location: location.filter(|_| (300..400).contains(&status)) }
    }

    /// Redirects in sections.
    fn redirected_in(&mut self, areas: &[&'a Area]) -> Known<Option<Verdict>> {
        let inner = areas.iter().rev().filter(|area| !matches!(area.covers, Covers::Everything));
        for redirect in inner.flat_map(|area| &area.redirects) {
            let location = match redirect.matcher {
                Some(matcher) => self.location(matcher, redirect.target, redirect.span)?,
                None => Some(redirect.target.map(|target| self.environment().evaluate(target)).transpose()?),
            };
            if let Some(location) = location {
                return Ok(Some(self.sent_to(redirect.status, location, redirect.span)));
            }
        }
        Ok(None)
    }

    /// Rules of sections: those of the last that has any, unless it takes the others' too (`hook_fixup`, `mod_rewrite.c`).
    fn rewrite_in_areas(&mut self, areas: &[&'a Area], mapped: Mapped, rewrites: bool) -> Known<Result<Mapped, Round>> {
        let mut rules: Vec<&Rewrite> = Vec::new();
        let mut last: Option<&Area> = None;
        let mut hands_down = None;
        for area in areas {
            let Some(rewriting) = &area.rewriting else { continue };
            let own = rewriting.rules.iter();
            match rewriting.inherits.or(if rewriting.ignores { None } else { hands_down }) {
                Some(true) => rules.extend(own),
                Some(false) => {
                    let before = std::mem::take(&mut rules);
                    rules = own.chain(before).collect();
                }
                None => rules = own.collect(),
            }
            hands_down = rewriting.hands_down;
            last = Some(area);
        }
        let Some(area) = last.filter(|_| rewrites && !rules.is_empty()) else { return Ok(Ok(mapped)) };
        let on = areas.iter().rev().find_map(|area| self.engine(area));
        if on != Some(true) {
            return Ok(Ok(mapped));
        }
        if setting(areas, |settings| settings.follow_links) == Some(false) {
            return Ok(Err(Round::Done(self.answered(403, area.span, "rewriting here needs Options FollowSymLinks"))));
        }
        let path = match &mapped {
            Mapped::Backend(asked) => format!("proxy:{}", asked.url),
            Mapped::File(file) | Mapped::Nowhere(file) => file.clone(),
        };
        let directory = self.directory_of(area);
        let mut notes = std::mem::take(&mut self.notes);
        let environment = Environment { notes: None, ..self.environment() };
        let subject = Subject { path: path.clone(), query: self.request.query.clone(), directory: Some(directory.clone()) };
        let rewritten = rewrite(&environment, &rules, subject, &mut notes);
        self.notes = notes;
        match rewritten? {
            Rewritten::Untouched => Ok(Ok(mapped)),
            Rewritten::Proxied { span, itself: true, .. } => Err(Unknown::Unmodelled(span)),
            Rewritten::Proxied { route, url, query, verbatim, span, .. } => {
                if self.gateway.modules.has("proxy") == Some(false) {
                    return Ok(Err(Round::Done(self.answered(403, span, "needs mod_proxy, which is not loaded"))));
                }
                self.step(Some(span), format!("rewrites to {url}"), false);
                Ok(Ok(Mapped::Backend(Asked { route, url, query, verbatim, span })))
            }
            Rewritten::Redirected { status, url, query, verbatim, span } => {
                Ok(Err(Round::Done(self.redirect(status, &url, query, verbatim, span))))
            }
            Rewritten::Answered(status, span) => Ok(Err(Round::Done(self.answered(status, span, format!("answers {status}"))))),
            Rewritten::Path { path: new, .. } if new == path => Ok(Ok(mapped)),
            Rewritten::Path { path: new, query, span, ends, .. } => {
                self.step(Some(span), format!("rewrites to {new}"), false);
                let base = area.rewriting.as_ref().and_then(|rewriting| rewriting.base);
                let root = setting(areas, |settings| settings.document_root).and_then(Result::ok);
                let base = base.map(|base| self.gateway.texts.show(base).into_owned());
                let root = root.map(|root| self.gateway.texts.show(root).into_owned());
                let again = match (base, root) {
                    (Some(base), _) if let Some(rest) = new.strip_prefix(&directory) => {
                        format!("{}/{rest}", base.trim_end_matches('/'))
                    }
                    (_, Some(root)) if let Some(rest) = new.strip_prefix(&root) => rest.to_owned(),
                    _ => new,
                };
                Ok(Err(Round::Again(again, query, ends)))
            }
        }
    }

    /// Whether `RewriteEngine` is on or off in an area.
    fn engine(&self, area: &Area) -> Option<bool> {
        use crate::gateway::{Assigned, Property};
        let entries = self.gateway.scopes.own(area.scope).filter(|entry| entry.property == Property::RewriteEngine);
        entries.last().and_then(|entry| match entry.assigned {
            Assigned::Flag(on) => Some(on),
            _ => None,
        })
    }

    /// The directory that rules of an area take off the path: what the section names, with a slash behind.
    fn directory_of(&self, area: &Area) -> String {
        let texts = &self.gateway.texts;
        let text = match area.covers {
            Covers::Path(matcher) | Covers::Directory(matcher) | Covers::File(matcher) | Covers::Proxied(matcher) => {
                match matcher {
                    Matcher::Segments(text) | Matcher::Exact(text) | Matcher::Prefix { text, .. } => {
                        texts.show(text).into_owned()
                    }
                    _ => String::new(),
                }
            }
            _ => String::new(),
        };
        if text.ends_with('/') { text } else { format!("{text}/") }
    }

    /// Sets the variables of the areas; `late`: those that are set when the request is mapped.
    fn assign(&mut self, areas: &[&'a Area], late: bool) -> Known<()> {
        for assignment in areas.iter().flat_map(|area| &area.variables).filter(|assignment| assignment.late == late) {
            let environment = self.environment();
            let mut captures = Vec::new();
            let applies = match &assignment.when {
                When::Always => true,
                When::Matches { subject, pattern, ignore_case } => {
                    let text = environment.evaluate(*subject);
                    match text.and_then(|text| environment.captures(*pattern, *ignore_case, &text, assignment.span)) {
                        Ok(Some(found)) => {
                            captures = found;
                            true
                        }
                        // Few variables matter to what we say; those that do are asked for by name.
                        Err(why) if self.matters(assignment.name) => return Err(why),
                        Ok(None) | Err(_) => false,
                    }
                }
                When::Condition(id) => expression_holds(&environment, *id)?,
                When::Unknown(why) if self.matters(assignment.name) => return Err(*why),
                When::Unknown(_) => false,
            };
            if applies {
                let environment = Environment { captures: Some(&captures), ..environment };
                let value = assignment.value.map(|value| environment.evaluate(value)).transpose()?;
                let name = self.gateway.texts.show(assignment.name).into_owned();
                self.notes.set_variable(&name, value);
            }
        }
        Ok(())
    }

    /// Whether a variable changes how a request is passed on.
    fn matters(&self, name: crate::gateway::TextId) -> bool {
        matches!(self.gateway.texts.get(name), b"no-proxy" | b"force-proxy-request-1.0")
    }

=======
>>>>>>> main
    /// Passes the request on, with the areas that cover what it is passed to.
    fn pass(&mut self, areas: &[&'a Area], asked: &Asked) -> Known<Verdict> {
        self.walk.route = Some(asked.route);
        let route = self.gateway.route(asked.route);
        let environment = self.environment();
        let proxy = match &route.target {
            Target::Proxy(proxy) => Some(proxy),
            _ => None,
        };
        let environment = Environment { proxy, ..environment };
        let answer = pass_on(&environment, self.site, areas, asked)?;
        let culprit = !matches!(answer.verdict, Verdict::Upgraded { .. });
        if let Some((span, message)) = answer.because {
            self.step(Some(span), message, culprit);
        }
        self.walk.upstream_request = answer.sent;
        Ok(answer.verdict)
    }
}
