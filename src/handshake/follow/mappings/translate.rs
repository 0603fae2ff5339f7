//! Where a request is mapped to: rules of the site, mappings, redirects, aliases, the document root.

use super::areas::setting;
use super::backend::Asked;
use super::paths::{self, UNKNOWN_ROOT};
use super::{Course, Mapped};
use crate::gateway::{Area, Covers, Handler, Known, Matcher, RouteId, Spelling, SymbolicId, Target, Unknown, Version};
use crate::handshake::evaluate::Environment;
use crate::handshake::request::Request;
use crate::handshake::rewriting::{Named, Rewritten};
use crate::handshake::select::{alias_match, mapped, matches, rewrite_in_site};
use crate::handshake::servlet::servlet_match;
use crate::handshake::walk::Verdict;
use crate::source::Span;

/// Since this version only what is written in a rule may lead out of the document root.
const WATCHES_FILES: Version = Version::new(2, 4, 60);

/// The directories at the top of the file system of a usual machine.
const TOP_DIRECTORIES: [&str; 19] = [
    "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin",
    "/srv", "/sys", "/tmp", "/usr", "/var",
];

impl<'a> Course<'a> {
    /// What a mapping takes before the path is decoded and before any rule (`proxy_pre_translate_name`, `mod_proxy.c`), and the path that the
    /// request has from then on.
    pub(super) fn mapped_undecoded(&self, early: &[&'a Area]) -> Known<Option<(Asked, String)>> {
        if self.notes.variable("no-proxy").is_some() || !self.view.maps_undecoded() {
            return Ok(None);
        }
        let merge = setting(early, |settings| settings.merge_slashes).unwrap_or(true);
        let written = self.request.target.as_ref().unwrap_or(&self.request.path);
        let raw = written.split(['?', '#']).next().unwrap_or_default();
        let Some(path) = paths::undecoded(raw, merge) else { return Ok(None) };
        let takes = |id| self.spelling(id).is_undecoded() && !self.declines(id, early);
        let Some(id) = mapped(&self.environment(), self.site, &path, &path, takes)? else { return Ok(None) };
        let (span, matcher) = (self.gateway.route(id).span, self.gateway.route(id).matcher);
        let asked = |url, query| Asked { route: id, url, query, verbatim: true, span, as_handler: false };
        let query = self.request.query.clone();
        let servlet = match (self.spelling(id), matcher) {
            (Spelling::Servlet { written }, Matcher::Segments(text)) => {
                servlet_match(&path, self.gateway.texts.get(text)).map(|taken| (taken, written))
            }
            (Spelling::Encoded { written: true }, _) if let Some(url) = self.url_as_written(id, span, &path)? => {
                return Ok(Some((asked(url, None), path)));
            }
            _ => None,
        };
        let Some((taken, is_written)) = servlet else {
            return Ok(Some((asked(self.url_of(id, span, &path)?, query), path)));
        };
        let Target::Proxy(proxy) = &self.gateway.route(id).target else { return Err(Unknown::Unmodelled(span)) };
        // With `nocanon` the rest is what stands there in what the client has written, query and all, and the query follows once more.
        let from = if is_written { self.request.sent_target() } else { path };
        let rest = from.get(taken.length..).unwrap_or_default();
        Ok(Some((asked(self.environment().evaluate(proxy.url)? + rest, query), taken.path)))
    }

    /// Notes that a mapping takes the request before it is decoded.
    pub(super) fn takes_undecoded(&mut self, asked: Asked) -> Mapped {
        self.step(Some(asked.span), format!("passes the path on to {}", asked.url), false);
        self.walk.route = Some(asked.route);
        Mapped::Backend(asked)
    }

    fn spelling(&self, id: RouteId) -> Spelling {
        match &self.gateway.route(id).target {
            Target::Proxy(proxy) => proxy.spelling,
            _ => Spelling::Read,
        }
    }

    /// The rules of the site, then its mappings, unless one has `taken` the request already: then rules see what it is passed to.
    pub(super) fn translate(
        &mut self,
        early: &[&'a Area],
        taken: Option<Asked>,
        is_subrequest: bool,
    ) -> Known<Result<Mapped, Verdict>> {
        let mut notes = std::mem::take(&mut self.notes);
        let environment = Environment { notes: None, ..self.environment() };
        // The rules read and set variables in turn.
        // Locations are walked before (`ap_process_request_internal`), and what they say of the engine counts here, too.
        let on = early.iter().rev().find_map(|area| self.engine(area));
        let path = taken.as_ref().map_or_else(|| self.request.path.clone(), |asked| format!("proxy:{}", asked.url));
        let rewritten = rewrite_in_site(&environment, self.site, path, &mut notes, is_subrequest, on);
        self.notes = notes;
        self.notes.file = None;
        match rewritten? {
            Rewritten::Untouched { ends } => {
                self.rewrites &= !ends;
                if let Some(asked) = taken {
                    return Ok(Ok(self.takes_undecoded(asked)));
                }
                let asked = self.request.path.clone();
                self.map(early, &asked)
            }
            Rewritten::Path { path, query, span, maps_again, file, ends, status, .. } => {
                self.keep_status(status, is_subrequest);
                self.step(Some(span), format!("rewrites the path to {path}"), false);
                self.request.query = query;
                self.rewrites &= !ends;
                if !path.starts_with('/') {
                    return Ok(Err(self.answered(400, span, "the new path is none that can be asked for")));
                }
                if maps_again && taken.is_some() {
                    // `mod_proxy` keeps what it has, which is no URL any more (`proxy_trans`: "someone has already set up the proxy").
                    return Ok(Err(self.answered(404, span, "a mapping has taken the request, which is mapped no more")));
                }
                if maps_again {
                    let asked = std::mem::replace(&mut self.request.path, path);
                    return self.map(early, &asked);
                }
                self.step(Some(span), "a rewritten path is mapped to a file, past all ProxyPass", true);
                match self.file_named(early, &path, &file)? {
                    Some(file) => Ok(Ok(file)),
                    // The document root is for no request that is passed on (`ap_core_translate`).
                    None if taken.is_some() => {
                        Ok(Err(self.answered(403, span, "a mapping has taken the request, for which there are no files then")))
                    }
                    None => self.file_of(early, &path).map(Ok),
                }
            }
            Rewritten::Proxied { span, itself: true, .. } => Err(Unknown::Unmodelled(span)),
            Rewritten::Proxied { route, url, query, verbatim, span, redirect, ends, .. } => {
                self.rewrites &= !ends;
                Ok(self.passed_by_rule(Asked { route, url, query, verbatim, span, as_handler: false }, redirect))
            }
            // Whatever failed before is forgotten (`hook_uri2file` sets the status back).
            Rewritten::Redirected { status, url, query, verbatim, span } => {
                self.failed = None;
                Ok(Err(self.redirect(status, &url, query, verbatim, span)))
            }
            Rewritten::Answered(status, span) => {
                self.failed = None;
                Ok(Err(self.answered(status, span, format!("answers {status}"))))
            }
        }
    }

    /// What a rule passes on; `redirect`: the rule before it that would have sent the client elsewhere.
    pub(super) fn passed_by_rule(&mut self, asked: Asked, redirect: Option<Span>) -> Result<Mapped, Verdict> {
        if self.gateway.modules.has("proxy") == Some(false) {
            return Err(self.answered(403, asked.span, "needs mod_proxy, which is not loaded"));
        }
        if redirect.is_some() {
            self.step(redirect, "would send the client elsewhere, but is not the last rule", true);
        }
        self.step(Some(asked.span), format!("rewrites to {}", asked.url), false);
        self.request.query.clone_from(&asked.query);
        Ok(Mapped::Backend(asked))
    }

    /// `ProxyPass` in areas and in the list, then redirects, aliases, the document root.
    pub(super) fn map(&mut self, early: &[&'a Area], asked: &str) -> Known<Result<Mapped, Verdict>> {
        let gateway = self.gateway;
        if self.notes.variable("no-proxy").is_none()
            && let Some(id) = mapped(&self.environment(), self.site, asked, &self.request.path, |id| {
                !self.spelling(id).is_undecoded() && !self.declines(id, early)
            })?
        {
            let route = gateway.route(id);
            self.walk.route = Some(id);
            match &route.target {
                Target::Excluded(span) => {
                    self.walk.route = None;
                    self.step(Some(*span), "takes the path out of proxying", true);
                }
                Target::Unknown(why) => return Err(*why),
                _ => {
                    let span = route.span;
                    let asked = self.asked(id, span)?;
                    self.step(Some(span), format!("passes the path on to {}", asked.url), false);
                    return Ok(Ok(Mapped::Backend(asked)));
                }
            }
        }
        if let Some(verdict) = self.redirected_by(early)? {
            return Ok(Err(verdict));
        }
        // The redirects of servers come before the aliases of sections, and those before the aliases of servers (`translate_alias_redir`,
        // `mod_alias.c`); the site's own before those of the main server (`merge_alias_config`).
        for area in early.iter().rev().filter(|area| matches!(area.covers, Covers::Everything)) {
            for redirect in &area.redirects {
                if let Some(matcher) = redirect.matcher
                    && let Some(location) = self.location(matcher, redirect.target, redirect.span)?
                {
                    return Ok(Err(self.sent_to(redirect.status, location, redirect.span)));
                }
            }
        }
        if let Some(file) = self.alias_of(early)? {
            return Ok(Ok(Mapped::File(file)));
        }
        // A file that is not there may map it.
        let levels = [Some(self.gateway.site(self.site).scope), self.gateway.sites.first().map(|main| main.scope)];
        let unseen = levels.into_iter().flatten().find_map(|level| self.gateway.scopes.get(level).open);
        if let Some(why @ Unknown::MissingInclude(_)) = unseen {
            return Err(why);
        }
        let path = self.request.path.clone();
        self.file_of(early, &path).map(Ok)
    }

    /// Whether `mod_proxy_wstunnel` leaves a request that asks for no upgrade to others (`proxy_wstunnel_check_trans`).
    pub(super) fn declines(&self, id: RouteId, areas: &[&Area]) -> bool {
        use crate::gateway::{Protocol, Version};
        let modules = &self.gateway.modules;
        let Target::Proxy(proxy) = &self.gateway.route(id).target else { return false };
        let modern = self.gateway.version.is_none_or(|version| version >= Version::new(2, 4, 47));
        let by_itself = setting(areas, |settings| settings.http_tunnels).is_some_and(|(on, _)| !on)
            || modules.has("proxy_http") == Some(false);
        let asks = self.request.header(b"upgrade").is_some();
        modern
            && by_itself
            && !asks
            && modules.has("proxy_wstunnel") != Some(false)
            // A balancer is none of its members.
            && proxy.upstream.is_none()
            && matches!(proxy.protocol, Protocol::Ws | Protocol::Wss)
    }

    /// What a mapping asks of its backend (`ap_proxy_trans_match`, `mod_proxy.c`).
    fn asked(&self, route: RouteId, span: Span) -> Known<Asked> {
        if self.spelling(route) == Spelling::Written
            && let Some(url) = self.url_as_written(route, span, &self.request.path)?
        {
            return Ok(Asked { route, url, query: None, verbatim: true, span, as_handler: false });
        }
        let query = self.request.query.clone();
        Ok(Asked { route, url: self.url_of(route, span, &self.request.path)?, query, verbatim: false, span, as_handler: false })
    }

    /// The URL with path and query as the client has written them; `None` where the mapping takes another part of the path so.
    fn url_as_written(&self, id: RouteId, span: Span, path: &str) -> Known<Option<String>> {
        let written = self.request.target.clone().unwrap_or_else(|| self.request.sent_target());
        let takes = match self.gateway.route(id).matcher {
            Matcher::Segments(text) => {
                let text = self.gateway.texts.get(text);
                alias_match(written.as_bytes(), text) == alias_match(path.as_bytes(), text)
            }
            matcher => matches(&self.environment(), matcher, span, &written)?,
        };
        if takes { self.url_of(id, span, &written).map(Some) } else { Ok(None) }
    }

    /// The URL that a route passes the request to: its own, with what its matcher left of the path.
    pub(super) fn url_of(&self, id: RouteId, span: Span, path: &str) -> Known<String> {
        let route = self.gateway.route(id);
        let Target::Proxy(proxy) = &route.target else { return Err(Unknown::Unmodelled(span)) };
        // A pattern's URL may have the whole path behind it.
        let request = Request { path: path.to_owned(), ..self.request.clone() };
        let environment = Environment { request: &request, ..self.environment() };
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

    /// The file that a rule's new path is: it may be one outside of the document root, where the path begins in a directory that is there
    /// (`prefix_stat`, `mod_rewrite.c`); `None`: it is one below the document root.
    fn file_named(&self, areas: &[&Area], path: &str, named: &Named) -> Known<Option<Mapped>> {
        let end = path[1..].find('/').map_or(path.len(), |at| at + 1);
        let first = &path[..end];
        let root = setting(areas, |settings| settings.document_root).transpose()?;
        let root = root.map(|root| self.gateway.texts.show(root).into_owned());
        let in_root = |root: &String| root.strip_prefix(first).is_some_and(|rest| rest.starts_with('/'));
        let is_there = TOP_DIRECTORIES.contains(&first) || root.as_ref().is_some_and(in_root);
        let may = match named {
            _ if *named != Named::Below && self.gateway.version.is_some_and(|version| version < WATCHES_FILES) => true,
            Named::Below => root.as_ref().is_some_and(|root| path.starts_with(root.as_str())),
            Named::Literally(text) => {
                text.starts_with(first) || root.as_ref().is_some_and(|root| path.starts_with(root.as_str()))
            }
            Named::Anywhere => true,
        };
        Ok((is_there && may).then(|| Mapped::File(path.to_owned())))
    }

    pub(super) fn file_of(&self, areas: &[&Area], path: &str) -> Known<Mapped> {
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

    /// The file that an alias makes of the path: the last that a section says for all its paths (`try_alias`), else those of the servers.
    fn alias_of(&mut self, early: &[&'a Area]) -> Known<Option<String>> {
        let (servers, sections): (Vec<&Area>, Vec<&Area>) =
            early.iter().partition(|area| matches!(area.covers, Covers::Everything));
        let of_section = sections.iter().rev().find_map(|area| Some((area, area.aliases.last()?)));
        let (alias, file) = if let Some((area, alias)) = of_section {
            let file = self.environment().evaluate(alias.target)?;
            let keeps = setting(early, |settings| settings.keeps_path) == Some(true);
            let rest = match area.covers {
                Covers::Path(matcher) if keeps => self.taken(matcher, alias.span)?.map(|(_, rest)| rest),
                _ => None,
            };
            (alias, file + &rest.unwrap_or_default())
        } else {
            let mut found = None;
            for alias in servers.iter().rev().flat_map(|area| &area.aliases) {
                let Some(matcher) = alias.matcher else { continue };
                if let Some(file) = self.aliased(matcher, alias.target, alias.span)? {
                    found = Some((alias, file));
                    break;
                }
            }
            let Some(found) = found else { return Ok(None) };
            found
        };
        self.step(Some(alias.span), format!("stands for {file}"), false);
        self.notes.aliased = alias.handler;
        Ok(Some(file))
    }

    pub(super) fn aliased(&self, matcher: Matcher, target: SymbolicId, span: Span) -> Known<Option<String>> {
        let Some((captures, rest)) = self.taken(matcher, span)? else { return Ok(None) };
        let environment = Environment { captures: Some(&captures), ..self.environment() };
        Ok(Some(format!("{}{rest}", environment.evaluate(target)?)))
    }

    /// What a matcher captures of the path, and what it leaves of it; `None`: it does not take it.
    pub(super) fn taken(&self, matcher: Matcher, span: Span) -> Known<Option<(Vec<String>, String)>> {
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
}
