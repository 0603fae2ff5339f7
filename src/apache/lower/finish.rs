//! From servers to sites: what can be settled only when every line is read.

use std::net::IpAddr;

use rustc_hash::FxHashSet;

use super::mapping::Mapping;
use super::site::{Rewriting, Server};
use super::{Lowerer, ServerIndex};
use crate::gateway::{
    Action, Covers, Gateway, Handler, Inherits, Listen, Matcher, Misreading, Property, RemarkKind, Rewrite, RouteId, Site,
    TextId, UpstreamId,
};
use crate::source::Span;

/// How many virtual hosts are asked for their document root.
const HOSTS: usize = 16;

impl Lowerer<'_> {
    pub(super) fn finish(mut self) -> Gateway {
        self.default_hosts();
        self.identities();
        self.document_roots();
        let plain = self.balancers.iter().position(super::balancer::Balancer::is_plain);
        self.gateway.plain_balancer = plain.and_then(|at| self.gateway.upstreams.get(at)).map(|upstream| upstream.span);
        for (id, balancer) in (0..).map(UpstreamId).zip(&self.balancers) {
            let members = self.gateway.balanced.get_mut(&id).filter(|_| !balancer.asks_by_share());
            for member in members.into_iter().flatten() {
                member.share = 0;
            }
        }
        let main = &self.servers[0].rewriting;
        let inherits: Vec<Option<Inherits>> = self.servers.iter().map(|server| server.rewriting.inherits(main)).collect();
        let wanted = inherits.iter().skip(1).any(Option::is_some);
        let inherited = if wanted { main.rules.clone() } else { Vec::new() };
        for (index, inherits) in inherits.into_iter().enumerate() {
            let inherits = inherits.filter(|_| index > 0);
            self.site(ServerIndex(index), inherits, &inherited);
        }
        for server in &mut self.servers {
            self.gateway.scopes.close(server.scope, std::mem::take(&mut server.settings));
        }
        for worker in self.workers {
            self.gateway.scopes.close(worker.scope, worker.settings);
        }
        if !self.managed_certificates {
            certificates(&mut self.gateway);
        }
        super::review::review(self.store, &mut self.gateway);
        if self.gateway.routes.iter().any(|route| super::review::carries_websockets(&self.gateway, route)) {
            // The section may be one of two forms, of which this is the one that is not wanted.
            let is_left_out = |kind: &RemarkKind| matches!(kind, RemarkKind::Misread { how: Misreading::SectionLeftOut, .. });
            self.gateway.remarks.retain(|remark| !is_left_out(&remark.kind));
        }
        self.gateway
    }

    /// The first virtual host of an address answers for names that none has.
    fn default_hosts(&mut self) {
        let mut seen: FxHashSet<(TextId, Option<u16>)> = FxHashSet::default();
        for server in self.servers.iter_mut().skip(1) {
            for listen in &mut server.listens {
                listen.default = seen.insert((listen.address, listen.port));
            }
        }
    }

    /// A virtual host without a name has the main server's, or where it is for one address that address's (`ap_fini_vhost_config`).
    fn identities(&mut self) {
        let localhost = self.gateway.texts.intern(b"localhost");
        let texts = &self.gateway.texts;
        let (main, hosts) = self.servers.split_at_mut(1);
        for host in hosts.iter_mut().filter(|host| host.identity.name.is_none()) {
            let address = |listen: &Listen| texts.show(listen.address).trim_matches(['[', ']']).to_owned();
            let parsed = |text: &str| text.parse::<IpAddr>().ok();
            let is_any = |text: &str| text == "*" || parsed(text).is_some_and(|address| address.is_unspecified());
            let is_local = |text: &str| text == "localhost" || parsed(text).is_some_and(|address| address.is_loopback());
            host.identity.name = if host.listens.iter().any(|listen| is_any(&address(listen))) {
                main[0].identity.name
            } else {
                host.listens.first().filter(|listen| is_local(&address(listen))).map(|_| localhost)
            };
        }
    }

    /// A `DocumentRoot` relative to a `ServerRoot` that is not written is the directory that a section names so.
    fn document_roots(&mut self) {
        let texts = &mut self.gateway.texts;
        let mut named: Vec<Vec<u8>> = Vec::new();
        for area in self.servers.iter().flat_map(|server| &server.areas) {
            if let Covers::Directory(Matcher::Segments(path)) = area.covers {
                named.push(texts.get(path).strip_suffix(b"/").unwrap_or(texts.get(path)).to_vec());
            }
        }
        for area in self.servers.iter_mut().flat_map(|server| &mut server.areas) {
            if let Some(Ok(root)) = area.settings.document_root {
                let relative = texts.get(root).to_vec();
                let is_it = |path: &&Vec<u8>| path.strip_suffix(relative.as_slice()).is_some_and(|rest| rest.ends_with(b"/"));
                if !relative.starts_with(b"/")
                    && let Some(path) = named.iter().find(is_it)
                {
                    area.settings.document_root = Some(Ok(texts.intern(path)));
                }
            }
        }
    }

    fn routes(&self) -> u32 {
        u32::try_from(self.gateway.routes.len()).unwrap_or(u32::MAX)
    }

    /// Adds a server as a site; `inherits`: it takes the main server's rules.
    fn site(&mut self, at: ServerIndex, inherits: Option<Inherits>, inherited: &[(Rewrite, Option<Mapping>)]) {
        let server: &mut Server = &mut self.servers[at.0];
        let sections = std::mem::take(&mut server.sections);
        let handlers = std::mem::take(&mut server.handlers);
        let area_rules = std::mem::take(&mut server.area_rules);
        let mut mappings = std::mem::take(&mut server.mappings);
        mappings.append(&mut server.behind);
        let Rewriting { rules: mut own, conditions: dangling, .. } = std::mem::take(&mut server.rewriting);
        match inherits {
            Some(Inherits::Before) => own.splice(0..0, inherited.iter().cloned()).for_each(drop),
            Some(Inherits::Behind) => own.extend(inherited.iter().cloned()),
            None => {}
        }
        let start = self.routes();
        for (area, mapping) in sections {
            let route = self.add_route(at, mapping);
            self.servers[at.0].areas[area].proxy = Some(route);
        }
        let sections_end = self.routes();
        for mapping in mappings {
            self.add_route(at, mapping);
        }
        let mappings_end = self.routes();
        let mut rewrites = Vec::with_capacity(own.len());
        for (index, (mut rule, mapping)) in (0u32..).zip(own) {
            if let Some(mapping) = mapping {
                rule.action = Action::Proxy(self.add_rewrite_route(at, index, mapping));
            }
            rewrites.push(rule);
        }
        for (area, mapping) in handlers {
            let route = self.add_target(at, mapping);
            self.servers[at.0].areas[area].handler = Some(Handler::Proxy(route));
        }
        for (area, rule, mut mapping) in area_rules {
            if let (Matcher::Unknown(_), Some(path)) = (mapping.route.matcher, self.path_of_directory(at, area)) {
                mapping.route.matcher = Matcher::Segments(path);
            }
            let route = self.add_target(at, mapping);
            if let Some(rewriting) = &mut self.servers[at.0].areas[area].rewriting {
                rewriting.rules[rule].action = Action::Proxy(route);
            }
        }
        let end = self.routes();
        let server: &mut Server = &mut self.servers[at.0];
        self.gateway.sites.push(Site {
            span: server.span,
            is_main: at.0 == 0,
            names: std::mem::take(&mut server.names),
            identity: server.identity,
            listens: std::mem::take(&mut server.listens),
            scope: server.scope,
            rewrites,
            dangling,
            routes: start..end,
            sections: start..sections_end,
            mappings: sections_end..mappings_end,
            areas: std::mem::take(&mut server.areas),
        });
    }

    /// The path at which a directory is asked for, where it lies below the document root of its server, or of one of the first virtual hosts.
    fn path_of_directory(&mut self, at: ServerIndex, area: usize) -> Option<TextId> {
        let Covers::Directory(Matcher::Segments(directory)) = self.servers[at.0].areas[area].covers else { return None };
        let texts = &self.gateway.texts;
        let directory = texts.get(directory);
        let own = self.servers[at.0].areas.first().into_iter();
        // What the server has gone through is in the gateway by now.
        let done = self.gateway.sites.iter().filter_map(|site| site.areas.first());
        let others = self.servers.iter().skip(1).take(HOSTS).filter_map(|server| server.areas.first());
        let path = own.chain(done.take(1)).chain(others).find_map(|area| {
            let root = texts.get(area.settings.document_root?.ok()?);
            let rest = directory.strip_prefix(root.strip_suffix(b"/").unwrap_or(root))?;
            (rest.is_empty() || rest.starts_with(b"/"))
                .then(|| [b"/", rest.trim_ascii_start().strip_prefix(b"/").unwrap_or(rest)].concat())
        })?;
        Some(self.gateway.texts.intern(&path))
    }

    /// The route of a rule, which may be handed down from the main server: it is then one of this site.
    fn add_rewrite_route(&mut self, at: ServerIndex, index: u32, mut mapping: Mapping) -> RouteId {
        mapping.route.matcher = Matcher::Rewrite(index);
        if mapping.route.site != at.site() {
            mapping.route.site = at.site();
            mapping.route.scope = self.servers[at.0].scope;
        }
        self.add_target(at, mapping)
    }
}

/// Notes which sites speak TLS without a certificate (`ssl_init_server_certs`: AH02572). The key may stand in the same file.
fn certificates(gateway: &mut Gateway) {
    let lacks = |site: &&Site| {
        site.areas.first().is_some_and(|area| area.settings.tls == Some(true))
            && matches!(gateway.scopes.scalar(site.scope, Property::Certificate), Ok(None))
    };
    let lacking: Vec<Span> = gateway.sites.iter().filter(lacks).map(|site| site.span).collect();
    for span in lacking {
        gateway.remark(span, RemarkKind::CertificateMissing { lacks: "SSLCertificateFile" });
    }
}
