//! Sections: `<VirtualHost>`, and the areas of a server: `<Location>`, `<Directory>`, `<Files>`, `<Proxy>`, `<If>`.

use super::Lowerer;
use super::expression::{expression, otherwise};
use super::glob::{self, Compared, is_glob};
use super::mapping::{Destination, Mapping};
use super::site::Server;
use crate::apache::statement::{Statement, Word};
use crate::apache::values::proxy_url;
use crate::gateway::{Area, Condition, Covers, Handler, Matcher, Protocol, ScopeBuilder, Signal, TextId, Unknown, UpstreamId};

/// An open section.
#[derive(Debug)]
pub(super) enum Section {
    /// `<VirtualHost>`.
    VirtualHost,
    /// A section that covers some of the server's requests.
    Area(Box<OpenArea>),
    /// `<RequireAll>` and its kin, `<Limit>`: what stands in it belongs to the area around it.
    Inside(Inside),
    /// Any other: nothing in it is followed.
    Opaque,
}

/// A section within an area.
#[derive(Clone, Debug, Default)]
pub(super) struct Inside {
    /// The container of requirements.
    pub(super) required: Option<u32>,
    /// The methods that it is for: these, or (`false`) all others.
    pub(super) methods: Option<(Box<[TextId]>, bool)>,
}

/// What a `<Proxy>` section is about.
#[derive(Clone, Debug)]
pub(super) enum Backend {
    /// One backend. A worker is made for it where the section sets a parameter, and not before (`set_proxy_param`).
    Single(Box<[u8]>),
    /// A balancer.
    Balancer(UpstreamId),
}

/// The paths of a `<Location>`, as `mod_proxy` takes them.
#[derive(Clone, Copy, Debug)]
pub(in crate::apache) struct SectionPath {
    matcher: Matcher,
    /// Whether `mod_proxy` takes it for a pattern.
    pub(super) is_pattern: bool,
}

/// An area while its lines are being read.
#[derive(Debug)]
pub(super) struct OpenArea {
    /// Its index in the server's areas.
    pub(super) index: usize,
    /// The backend of `<Proxy>`.
    backend: Option<Backend>,
    /// How `mod_proxy` takes the paths, for `<Location>`.
    path: Option<SectionPath>,
    /// How `ProxyPass` alone takes them.
    written: Option<SectionPath>,
    pub(super) settings: ScopeBuilder,
    /// Rewrite conditions that wait for their rule; without one they do not outlive the section.
    pub(super) conditions: Vec<Condition>,
    /// What the last `ProxyPass` in it leads to: of several the last counts.
    destination: Option<DestinationIn>,
    /// What the `ProxyPass` lines before it lead to, which nothing comes to.
    overridden: Vec<DestinationIn>,
    /// What `SetHandler "proxy:…"` leads to.
    handler: Option<DestinationIn>,
}

impl OpenArea {
    /// The area of this index, before its first line.
    pub(super) fn new(index: usize) -> Self {
        Self {
            index,
            backend: None,
            path: None,
            written: None,
            settings: ScopeBuilder::default(),
            conditions: Vec::new(),
            destination: None,
            overridden: Vec::new(),
            handler: None,
        }
    }
}

/// A destination that can be shown.
struct DestinationIn(Destination);

impl std::fmt::Debug for DestinationIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Destination")
    }
}

impl Lowerer<'_> {
    pub(super) fn begin(&mut self, statement: &Statement) {
        let name = self.resolved.name(self.store, statement).to_ascii_lowercase();
        let known = !self.sections.iter().any(|section| matches!(section, Section::Opaque));
        let section = match name.as_slice() {
            b"virtualhost" if self.sections.is_empty() => {
                self.virtual_host(statement);
                Section::VirtualHost
            }
            _ if known => match self.covers(&name, statement) {
                Some((covers, path)) => self.open_area(&name, statement, covers, path),
                None => self.inside(&name, statement).map_or(Section::Opaque, Section::Inside),
            },
            _ => Section::Opaque,
        };
        self.sections.push(section);
    }

    pub(super) fn end(&mut self, statement: &Statement) {
        match self.sections.pop() {
            Some(Section::VirtualHost) => {
                self.server = super::ServerIndex(0);
                self.gateway.functions = std::mem::take(&mut self.main_functions);
            }
            Some(Section::Area(area)) => self.end_area(*area, statement),
            Some(Section::Inside(_) | Section::Opaque) | None => {}
        }
    }

    fn virtual_host(&mut self, statement: &Statement) {
        let span = statement.span(self.store);
        let main = self.servers[0].scope;
        let scope = self.gateway.scopes.open(Some(main), span);
        let mut server = Server::new(span, scope);
        for word in self.resolved.words(self.store, statement) {
            server.listens.push(self.socket(&word.value, word.unknown.is_some(), word.span));
        }
        // Until a `ServerName` says otherwise (`ap_parse_vhost_addrs`).
        server.identity.port = server.listens.first().and_then(|listen| listen.port).filter(|&port| port > 0);
        server.areas[0].settings.limits = self.servers[0].areas[0].settings.limits;
        self.servers.push(server);
        self.server = super::ServerIndex(self.servers.len() - 1);
        // A virtual host does not have those of the main server (`config_server_merge`).
        self.main_functions = std::mem::take(&mut self.gateway.functions);
    }

    /// The open area, where one is open.
    pub(super) fn area_mut(&mut self) -> Option<&mut OpenArea> {
        self.sections.iter_mut().rev().find_map(|section| match section {
            Section::Area(area) => Some(&mut **area),
            _ => None,
        })
    }

    /// What is set in the section that is open, or in the server itself.
    pub(super) fn here(&mut self) -> &mut Area {
        let index = self.area_mut().map_or(0, |area| area.index);
        &mut self.servers[self.server.0].areas[index]
    }

    /// Which requests a section covers; and how `mod_proxy` takes the paths of a `<Location>`, which is a pattern to it only if it
    /// holds one of `* ? [`, else a path (`add_pass`: `apr_fnmatch_test`).
    fn covers(&mut self, name: &[u8], statement: &Statement) -> Option<(Covers, Option<SectionPath>)> {
        let words = self.resolved.words(self.store, statement);
        if matches!(name, b"if" | b"elseif" | b"else") {
            return Some((self.condition(name, &words, statement), None));
        }
        let is_match = name.ends_with(b"match");
        let tilde = !is_match && words.first().is_some_and(|word| *word.value == *b"~");
        let word = words.get(usize::from(tilde));
        let text = word.map(|word| word.value.clone()).unwrap_or_default();
        let unknown = word.and_then(|word| word.unknown);
        let globbed = is_glob(&text);
        let is_pattern = is_match || tilde;
        let compared = match name {
            b"proxy" => Compared::Backend,
            b"location" => Compared::Path,
            _ => Compared::File,
        };
        let pattern = if globbed && !is_pattern { glob::pattern(&text, compared) } else { text.to_vec() };
        let id = self.gateway.texts.intern(&pattern);
        let matcher = match unknown {
            Some(why) => Matcher::Unknown(why),
            // httpd refuses it, and in the file of a directory all requests for what lies there.
            None if is_pattern && crate::pcre::fault(&pattern).is_some() => Matcher::Conditional,
            None if is_pattern || globbed => Matcher::Pattern { pattern: id, ignore_case: false },
            None => Matcher::Segments(id),
        };
        let covers = match name.strip_suffix(b"match").unwrap_or(name) {
            b"location" => {
                // It takes the very text of a path with wildcards for a regular expression.
                let matcher_of_proxy = match matcher {
                    Matcher::Pattern { .. } if !globbed => Matcher::Segments(id),
                    Matcher::Pattern { ignore_case, .. } => {
                        Matcher::Pattern { pattern: self.gateway.texts.intern(&text), ignore_case }
                    }
                    other => other,
                };
                return Some((Covers::Path(matcher), Some(SectionPath { matcher: matcher_of_proxy, is_pattern: globbed })));
            }
            b"directory" if globbed && !is_pattern && unknown.is_none() => {
                let segments = text.split(|&byte| byte == b'/').filter(|segment| !segment.is_empty()).count();
                let glob = glob::pattern(text.strip_suffix(b"/").unwrap_or(&text), Compared::File);
                let texts = &mut self.gateway.texts;
                Covers::Directories { written: texts.intern(&text), pattern: texts.intern(&glob), segments }
            }
            b"directory" => Covers::Directory(matcher),
            b"files" => Covers::File(match matcher {
                Matcher::Segments(id) => Matcher::Exact(id),
                other => other,
            }),
            b"proxy" if !is_match && *text == *b"*" => {
                Covers::Proxied(Matcher::Prefix { text: self.gateway.texts.intern(b""), before_patterns: false })
            }
            b"proxy" => Covers::Proxied(match matcher {
                Matcher::Segments(text) => Matcher::Prefix { text, before_patterns: false },
                other => other,
            }),
            _ => return None,
        };
        Some((covers, None))
    }

    /// `<If>`, and `<ElseIf>` and `<Else>` for where none of those before it holds (`ap_if_walk`).
    fn condition(&mut self, name: &[u8], words: &[Word<'_>], statement: &Statement) -> Covers {
        let span = statement.span(self.store);
        let depth = self.sections.len();
        self.conditions.resize(depth + 1, Vec::new());
        let before = std::mem::take(&mut self.conditions[depth]);
        let own = match words.first() {
            _ if name == b"else" => None,
            Some(word) => match word.unknown {
                Some(why) => return Covers::Unknown(why),
                None => Some(expression(&mut self.gateway, &word.value, span)),
            },
            None => return Covers::Unknown(Unknown::Unmodelled(span)),
        };
        let Some(own) = own.filter(|_| name == b"if") else {
            let found = otherwise(&mut self.gateway, &before, own, span);
            self.conditions[depth] = before;
            self.conditions[depth].extend(own);
            return Covers::Condition(found);
        };
        self.conditions[depth].push(own);
        Covers::Condition(own)
    }

    fn open_area(&mut self, name: &[u8], statement: &Statement, covers: Covers, path: Option<SectionPath>) -> Section {
        let span = statement.span(self.store);
        let backend = if name == b"proxy" { self.backend(statement) } else { None };
        let within = self.area_mut().map_or(0, |area| area.index);
        let at = self.current();
        let scope = self.gateway.scopes.open(Some(self.servers[at.0].scope), span);
        let areas = &mut self.servers[at.0].areas;
        areas.push(Area::new(span, covers, within, scope));
        Section::Area(Box::new(OpenArea { backend, path, written: path, ..OpenArea::new(areas.len() - 1) }))
    }

    /// A line in an area.
    pub(super) fn area_line(&mut self, name: &[u8], statement: &Statement) {
        let Some(area) = self.area_mut() else { return };
        match (name, area.written, area.backend.clone()) {
            (b"proxypass" | b"proxypassmatch", Some(path), _) => {
                let found = self.section_destination(statement, &path, name == b"proxypassmatch");
                if let (Some(found), Some(area)) = (found, self.area_mut()) {
                    let before = area.destination.replace(DestinationIn(found));
                    area.overridden.extend(before);
                    // With `ProxyPassMatch` the path is a pattern whatever it holds; of several lines the last says it.
                    area.path = Some(match (name, path.matcher) {
                        (b"proxypassmatch", Matcher::Segments(pattern)) => {
                            SectionPath { matcher: Matcher::Pattern { pattern, ignore_case: false }, is_pattern: true }
                        }
                        _ => path,
                    });
                }
            }
            (b"sethandler", ..) => self.set_handler(statement),
            (b"rewritecond", ..) => self.rewrite_cond(statement),
            (b"rewriterule", ..) => self.rewrite_rule(statement),
            (b"rewriteoptions", ..) => self.rewrite_options(statement),
            (b"balancermember" | b"proxyset", _, Some(backend)) => self.backend_line(name, backend, statement),
            (b"proxyset", ..) if !matches!(self.here().covers, Covers::Proxied(_)) => self.proxy_set(statement),
            _ => self.setting(name, statement),
        }
    }

    /// `SetHandler`: with `proxy:url` what it leads to; the path that is sent is one of the file system.
    pub(super) fn set_handler(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let Some(word) = words.first() else { return };
        let span = statement.span(self.store);
        let Some(url) = word.value.strip_prefix(b"proxy:") else {
            let handler = if word.value.eq_ignore_ascii_case(b"none") {
                Handler::Files
            } else {
                Handler::Named(self.gateway.texts.intern(&word.value))
            };
            self.here().handler = Some(handler);
            return;
        };
        let found = self.rewrite_destination(span, url, word.unknown);
        if let Some(area) = self.area_mut() {
            area.handler = Some(DestinationIn(found));
            return;
        }
        let at = self.current();
        let scope = self.servers[at.0].scope;
        let matcher = Matcher::Prefix { text: self.gateway.texts.intern(b"/"), before_patterns: false };
        let signals = self.signals_above(statement);
        self.servers[at.0].handlers.push((0, Mapping::to(found, at.site(), matcher, span, scope, signals)));
    }

    fn end_area(&mut self, area: OpenArea, begin: &Statement) {
        let mut signals = Vec::new();
        if area.destination.is_some() || area.handler.is_some() {
            signals = self.signals_above(begin);
            super::signal::inside(self.store, begin.source, begin.directive, &mut signals);
        }
        self.close_area(area, signals);
    }

    /// Settles what an area holds.
    pub(super) fn close_area(&mut self, area: OpenArea, signals: Vec<Signal>) {
        let OpenArea { index, path, settings, destination, overridden, handler, .. } = area;
        let at = self.current();
        let (scope, span) = (self.servers[at.0].areas[index].scope, self.servers[at.0].areas[index].span);
        self.gateway.scopes.close(scope, settings);
        let matcher = path.map_or(Matcher::Unknown(Unknown::Unmodelled(span)), |path| path.matcher);
        for DestinationIn(destination) in overridden {
            let line = destination.span().unwrap_or(span);
            let mapping = Mapping::to(destination, at.site(), matcher, line, scope, signals.clone());
            // Of those of one area the last is the area's own.
            self.servers[at.0].sections.push((index, mapping));
        }
        if let Some(DestinationIn(destination)) = destination {
            let mapping = Mapping::to(destination, at.site(), matcher, span, scope, signals.clone());
            self.servers[at.0].sections.push((index, mapping));
        }
        if let Some(DestinationIn(destination)) = handler {
            let mapping = Mapping::to(destination, at.site(), matcher, span, scope, signals);
            self.servers[at.0].handlers.push((index, mapping));
        }
    }

    /// `<Proxy url [parameters…]>`.
    fn backend(&mut self, statement: &Statement) -> Option<Backend> {
        let words = self.resolved.words(self.store, statement);
        let (url, parameters) = words.split_first()?;
        let at = self.current();
        let span = statement.span(self.store);
        let parts = proxy_url(&url.value).filter(|_| url.unknown.is_none())?;
        if parts.protocol() == Protocol::Balancer {
            let name = self.gateway.texts.intern_lower(parts.authority);
            let id = self.balancer(at, name, span);
            self.balancer_parameters(at, name, parameters);
            return Some(Backend::Balancer(id));
        }
        if !parameters.is_empty() {
            let worker = self.worker_of(at, &url.value, span)?;
            self.set_parameters(worker, parameters);
        }
        Some(Backend::Single(url.value.to_vec().into()))
    }

    fn backend_line(&mut self, name: &[u8], backend: Backend, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        match (name, backend) {
            (b"balancermember", Backend::Balancer(id)) => {
                let span = statement.span(self.store);
                self.balancer_member(self.current(), Some(id), &words, span);
            }
            (b"proxyset", Backend::Single(url)) => {
                let span = statement.span(self.store);
                if let Some(worker) = self.worker_of(self.current(), &url, span) {
                    self.set_parameters(worker, &words);
                }
            }
            (b"proxyset", Backend::Balancer(id)) => {
                let name = self.gateway.upstream(id).name;
                self.balancer_parameters(self.current(), name, &words);
            }
            _ => {}
        }
    }

    /// `ProxySet url key=value …` beside the section: the worker or balancer must be there already.
    pub(super) fn proxy_set(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let Some((url, parameters)) = words.split_first() else { return };
        let Some(parts) = proxy_url(&url.value) else { return };
        let at = self.current();
        if parts.protocol() == Protocol::Balancer {
            let name = self.gateway.texts.intern_lower(parts.authority);
            // One of the main server is not found (`ap_proxy_get_balancer`).
            if url.unknown.is_none() && !self.servers[at.0].balancers.contains_key(&name) {
                self.gateway.unknown_workers.push(statement.span(self.store));
            }
            self.balancer_parameters(at, name, parameters);
        } else if let Some(worker) =
            super::worker::WorkerUrl::new(&url.value).and_then(|key| self.servers[at.0].workers.find(&key))
        {
            self.set_parameters(worker, parameters);
        } else if url.unknown.is_none() {
            self.gateway.unknown_workers.push(statement.span(self.store));
        }
    }
}
