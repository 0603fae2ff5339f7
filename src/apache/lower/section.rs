//! Sections: `<VirtualHost>`, `<Location>`, `<Proxy>`, and those whose lines apply under conditions that we do not follow.

use super::Lowerer;
use super::mapping::{Destination, Mapping};
use super::site::Server;
use super::worker::WorkerId;
use crate::apache::statement::{Statement, Word};
use crate::apache::values::{Parameter, proxy_url};
use crate::gateway::{Matcher, Protocol, ScopeBuilder, Target, Unknown, UpstreamId};
use crate::source::Span;

/// An open section.
#[derive(Debug)]
pub(super) enum Section {
    /// `<VirtualHost>`.
    VirtualHost,
    /// `<Location>` or `<LocationMatch>` directly in a server.
    Location(Box<Location>),
    /// `<Proxy url>`.
    Proxy(Option<Backend>),
    /// Any other.
    Opaque,
}

/// What a `<Proxy>` section is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Backend {
    /// One backend.
    Worker(WorkerId),
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

/// A `<Location>` while its lines are being read.
#[derive(Debug)]
pub(super) struct Location {
    path: SectionPath,
    span: Span,
    pub(super) settings: ScopeBuilder,
    /// What the last `ProxyPass` in it leads to: of several the last counts.
    destination: Option<DestinationIn>,
    /// What `SetHandler "proxy:…"` leads to.
    handler: Option<DestinationIn>,
    /// A rewrite rule in it, which changes requests after they are mapped.
    rewrite: Option<Span>,
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
        let name = self.resolved.name(self.store, statement);
        let in_server = self.sections.iter().all(|section| matches!(section, Section::VirtualHost));
        let is = |wanted: &str| in_server && name.eq_ignore_ascii_case(wanted.as_bytes());
        let section = if is("VirtualHost") && self.sections.is_empty() {
            self.virtual_host(statement);
            Section::VirtualHost
        } else if is("Location") || is("LocationMatch") {
            self.location(statement, is("LocationMatch"))
        } else if is("Proxy") {
            Section::Proxy(self.backend(statement))
        } else {
            Section::Opaque
        };
        self.sections.push(section);
    }

    pub(super) fn end(&mut self, statement: &Statement) {
        match self.sections.pop() {
            Some(Section::VirtualHost) => self.server = super::ServerIndex(0),
            Some(Section::Location(location)) => self.end_location(*location, statement),
            Some(Section::Proxy(_) | Section::Opaque) | None => {}
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
        self.servers.push(server);
        self.server = super::ServerIndex(self.servers.len() - 1);
    }

    /// The paths that `ProxyPass` in this section takes, which are not always those that the section takes: its argument is a pattern
    /// to `mod_proxy` only if it holds one of `* ? [`, else a path (`add_pass`: `apr_fnmatch_test`).
    fn location(&mut self, statement: &Statement, is_match: bool) -> Section {
        let words = self.resolved.words(self.store, statement);
        let tilde = !is_match && words.first().is_some_and(|word| *word.value == *b"~");
        let word = words.get(usize::from(tilde));
        let text = word.map(|word| word.value.clone()).unwrap_or_default();
        let globbed = text.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
        let pattern = if globbed && !(is_match || tilde) { glob_pattern(&text) } else { text.to_vec() };
        let id = self.gateway.texts.intern(&pattern);
        let matcher = match word.and_then(|word| word.unknown) {
            Some(why) => Matcher::Unknown(why),
            None if globbed => Matcher::Pattern { pattern: id, ignore_case: false },
            None => Matcher::Segments(id),
        };
        Section::Location(Box::new(Location {
            path: SectionPath { matcher, is_pattern: globbed },
            span: statement.span(self.store),
            settings: ScopeBuilder::default(),
            destination: None,
            handler: None,
            rewrite: None,
        }))
    }

    pub(super) fn location_line(&mut self, name: &[u8], statement: &Statement) {
        let path = match self.sections.last() {
            Some(Section::Location(location)) => location.path,
            _ => return,
        };
        match name {
            b"proxypass" | b"proxypassmatch" => {
                let found = self.section_destination(statement, &path, name == b"proxypassmatch");
                if let (Some(found), Some(Section::Location(location))) = (found, self.sections.last_mut()) {
                    location.destination = Some(DestinationIn(found));
                }
            }
            b"sethandler" => {
                let found = self.handler(statement);
                if let (Some(found), Some(Section::Location(location))) = (found, self.sections.last_mut()) {
                    location.handler = Some(DestinationIn(found));
                }
            }
            b"rewriterule" => {
                let span = statement.span(self.store);
                if let Some(Section::Location(location)) = self.sections.last_mut() {
                    location.rewrite = Some(span);
                }
            }
            _ => self.setting(name, statement),
        }
    }

    /// `SetHandler "proxy:url"`: what it leads to; the path that is sent is one of the file system.
    fn handler(&mut self, statement: &Statement) -> Option<Destination> {
        let words = self.resolved.words(self.store, statement);
        let word = words.first()?;
        let url = word.value.strip_prefix(b"proxy:")?;
        let span = statement.span(self.store);
        Some(self.rewrite_destination(span, url, word.unknown))
    }

    fn end_location(&mut self, location: Location, begin: &Statement) {
        let Location { path, span, settings, destination, handler, rewrite } = location;
        if destination.is_none() && handler.is_none() && rewrite.is_none() {
            return;
        }
        let at = self.current();
        let scope = self.gateway.scopes.open(Some(self.servers[at.0].scope), span);
        self.gateway.scopes.close(scope, settings);
        let mut signals = self.signals_above(begin);
        super::signal::inside(self.store, begin.source, begin.directive, &mut signals);
        if let Some(rule) = rewrite {
            // Rules in a section see the request after it was mapped, under a name that depends on the mapping.
            let target = Target::Unknown(Unknown::Unmodelled(rule));
            let mut mapping = Mapping::plain(at.site(), path.matcher, span, target, scope);
            mapping.route.signals = signals;
            self.servers[at.0].sections.push(mapping);
        } else if let Some(DestinationIn(destination)) = destination {
            let mapping = Mapping::to(destination, at.site(), path.matcher, span, scope, signals);
            self.servers[at.0].sections.push(mapping);
        } else if let Some(DestinationIn(destination)) = handler {
            let mapping = Mapping::to(destination, at.site(), path.matcher, span, scope, signals);
            self.servers[at.0].behind.push(mapping);
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
        let worker = self.worker_of(at, &url.value, span)?;
        self.set_parameters(worker, parameters);
        Some(Backend::Worker(worker))
    }

    pub(super) fn proxy_line(&mut self, name: &[u8], statement: &Statement) {
        let Some(&Section::Proxy(Some(backend))) = self.sections.last() else { return };
        let words = self.resolved.words(self.store, statement);
        match (name, backend) {
            (b"balancermember", Backend::Balancer(id)) => {
                let span = statement.span(self.store);
                self.balancer_member(self.current(), Some(id), &words, span);
            }
            (b"proxyset", Backend::Worker(worker)) => self.set_parameters(worker, &words),
            (b"proxyset", Backend::Balancer(id)) => {
                let name = self.gateway.upstream(id).name;
                self.balancer_parameters(self.current(), name, &words);
            }
            _ => {}
        }
    }

    /// `ProxySet url key=value …` in a server: the worker or balancer must be there already.
    pub(super) fn proxy_set(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let Some((url, parameters)) = words.split_first() else { return };
        let Some(parts) = proxy_url(&url.value) else { return };
        let at = self.current();
        if parts.protocol() == Protocol::Balancer {
            let name = self.gateway.texts.intern_lower(parts.authority);
            self.balancer_parameters(at, name, parameters);
        } else if let Some(worker) =
            super::worker::WorkerUrl::new(&url.value).and_then(|key| self.servers[at.0].workers.find(&key))
        {
            self.set_parameters(worker, parameters);
        }
    }

    /// Lines in `<Directory>`, `<Files>`, `<If>` …: a rule or handler there may proxy what no mapping takes.
    pub(super) fn opaque_line(&mut self, name: &[u8], statement: &Statement) {
        let proxies = match name {
            b"rewriterule" => {
                let words = self.resolved.words(self.store, statement);
                words.get(2).is_some_and(|word| has_proxy_flag(word))
            }
            b"sethandler" => {
                let words = self.resolved.words(self.store, statement);
                let url = words
                    .first()
                    .and_then(|word| word.value.strip_prefix(b"proxy:").and_then(proxy_url).map(|url| url.protocol()));
                url.is_some_and(Protocol::is_http)
            }
            _ => false,
        };
        if proxies {
            let at = self.current();
            let span = statement.span(self.store);
            let why = Unknown::Unmodelled(span);
            let scope = self.servers[at.0].scope;
            let mapping = Mapping::plain(at.site(), Matcher::Unknown(why), span, Target::Unknown(why), scope);
            self.servers[at.0].behind.push(mapping);
        }
    }
}

fn has_proxy_flag(word: &Word<'_>) -> bool {
    let flags = crate::apache::values::flags(&word.value).unwrap_or_default();
    flags.iter().any(|flag: &Parameter<'_>| flag.is(&["P", "proxy"]))
}

/// The regular expression for a path with wildcards, which do not match `/` (`ap_location_walk` with `APR_FNM_PATHNAME`).
fn glob_pattern(glob: &[u8]) -> Vec<u8> {
    let mut out = vec![b'^'];
    for &byte in glob {
        match byte {
            b'*' => out.extend_from_slice(b"[^/]*"),
            b'?' => out.extend_from_slice(b"[^/]"),
            b'.' | b'+' | b'(' | b')' | b'{' | b'}' | b'^' | b'$' | b'|' => out.extend_from_slice(&[b'\\', byte]),
            _ => out.push(byte),
        }
    }
    out.push(b'$');
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn wildcards_stay_within_a_segment() {
        assert_eq!(super::glob_pattern(b"/a.b/*/?[0-9]"), br"^/a\.b/[^/]*/[^/][0-9]$");
    }
}
