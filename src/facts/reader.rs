//! Reads the facts of one item; what several facts need is worked out once.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::OnceLock;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::endpoint::{Unserved, all_unserved};
use super::intent::is_for_websockets;
use super::mapping::section_of_pattern;
use super::meant::meant_by_others;
use super::target::controls;
use super::{Declared, Evidence, Item, Subject};
use crate::gateway::{
    Gateway, Known, Listen, Matcher, Property, Proxy, Route, RouteId, Server, Site, SiteId, Speaks, Target, TextId, Unknown,
    UpstreamId,
};
use crate::handshake::{
    Client, Environment, Files, HeaderLines, KnownHosts, Patterns, Probe, Request, Selected, Sent, Shadows, Socket, Walk,
    follow_in_site, lost_headers, nginx_header_lines, select, sent_header, sets_header,
};
use crate::rules::Intent;
use crate::source::{FileKind, Sources, Span};

/// What facts are read of: one gateway, its sources, and what the user declared.
#[derive(Debug)]
pub struct View<'a> {
    /// The files.
    pub sources: &'a Sources,
    /// The model.
    pub gateway: &'a Gateway,
    /// What the user's configuration declares.
    pub declared: &'a Declared,
    /// The compiled patterns of the model.
    pub patterns: Patterns,
    /// Which routes are shadowed, indexed when first asked for.
    shadows: OnceLock<Shadows>,
    /// What the routes of each site have in common.
    sites: Vec<Common>,
    /// The paths that the user declares, by the route that a handshake to them comes to; worked out when first asked for.
    endpoints: OnceLock<FxHashMap<RouteId, String>>,
    /// See [`View::declared_in`].
    declared_in: OnceLock<FxHashMap<SiteId, Vec<usize>>>,
    /// The sockets at which TLS ends; worked out when first asked for.
    tls_sockets: OnceLock<FxHashSet<(TextId, u16)>>,
    /// The lines that make a socket speak HTTP/2; worked out when first asked for.
    http2_sockets: OnceLock<FxHashMap<(TextId, u16), Span>>,
    /// The site that speaks for httpd's main server; worked out when first asked for.
    speaks_for_main: OnceLock<SiteId>,
    /// Whether any mapping of httpd's compares paths before they are decoded; worked out when first asked for.
    maps_undecoded: OnceLock<bool>,
    /// The hosts that nginx looks up when it starts; worked out when first asked for.
    pub(crate) known_hosts: OnceLock<KnownHosts>,
    /// What stands in the given tree.
    files: Option<GivenFiles<'a>>,
}

/// What says what stands at a path of the server's file system.
type Look<'a> = dyn Fn(&Path) -> Option<FileKind> + Send + Sync + 'a;

/// Looks paths up in the given tree.
struct GivenFiles<'a>(Box<Look<'a>>);

impl fmt::Debug for GivenFiles<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenFiles")
    }
}

/// What the routes of one site have in common, each worked out when first asked for.
#[derive(Debug, Default)]
struct Common {
    /// Whether any of them sends `Upgrade`.
    sends_upgrade: OnceLock<bool>,
    /// Whether the path of any is one for WebSockets.
    has_websocket_path: OnceLock<bool>,
    /// By upstream, the first route that keeps clients out, with the line.
    guarded: OnceLock<FxHashMap<TextId, (RouteId, Span)>>,
    /// Paths with a WebSocket that come to a route that passes none on, by that route.
    unserved: OnceLock<FxHashMap<RouteId, Unserved>>,
    /// Routes that get the WebSockets that another one is written for.
    meant: OnceLock<FxHashMap<RouteId, Evidence>>,
}

impl<'a> View<'a> {
    /// A view of `gateway`.
    #[must_use]
    pub fn new(sources: &'a Sources, gateway: &'a Gateway, declared: &'a Declared) -> Self {
        Self {
            sources,
            gateway,
            declared,
            patterns: Patterns::of(gateway),
            shadows: OnceLock::new(),
            sites: gateway.sites.iter().map(|_| Common::default()).collect(),
            endpoints: OnceLock::new(),
            declared_in: OnceLock::new(),
            tls_sockets: OnceLock::new(),
            http2_sockets: OnceLock::new(),
            speaks_for_main: OnceLock::new(),
            maps_undecoded: OnceLock::new(),
            known_hosts: OnceLock::new(),
            files: None,
        }
    }

    /// The same, where `look` says what stands in the given tree. It counts for the endpoints that the user declares.
    #[must_use]
    pub fn with_files(self, look: impl Fn(&Path) -> Option<FileKind> + Send + Sync + 'a) -> Self {
        Self { files: Some(GivenFiles(Box::new(look))), ..self }
    }

    /// What the routes of `site` have in common.
    fn common(&self, site: SiteId) -> &Common {
        &self.sites[site.0 as usize]
    }

    /// Of the routes of `site`, by upstream, the first that keeps clients out, with the line.
    pub(super) fn guarded(&self, site: SiteId) -> &FxHashMap<TextId, (RouteId, Span)> {
        self.common(site).guarded.get_or_init(|| {
            let mut guarded = FxHashMap::default();
            for id in self.gateway.site(site).route_ids() {
                let route = self.gateway.route(id);
                if let (Target::Proxy(proxy), Some(line)) = (&route.target, controls(self.gateway, route))
                    && let Some(authority) = proxy.authority
                {
                    guarded.entry(authority).or_insert((id, line));
                }
            }
            guarded
        })
    }

    /// Paths of `site` with a WebSocket that come to a route that passes none on, by that route.
    pub(super) fn unserved(&self, site: SiteId) -> &FxHashMap<RouteId, Unserved> {
        self.common(site).unserved.get_or_init(|| all_unserved(self, site))
    }

    /// The routes of `site` that get the WebSockets that another one is written for, each with the line that says so.
    pub(super) fn meant_by_others(&self, site: SiteId) -> &FxHashMap<RouteId, Evidence> {
        self.common(site).meant.get_or_init(|| meant_by_others(self, site))
    }

    /// Whether any route of `site` is at a path for WebSockets.
    pub(super) fn site_has_websocket_path(&self, site: SiteId) -> bool {
        *self.common(site).has_websocket_path.get_or_init(|| {
            let is_one = |id| is_for_websockets(&Reader::new(self, Item::Route(id)), self.gateway.route(id));
            self.gateway.site(site).route_ids().any(is_one)
        })
    }

    /// Whether any route of `site` sends `Upgrade` in a handshake.
    pub(super) fn site_sends_upgrade(&self, site: SiteId) -> bool {
        *self.common(site).sends_upgrade.get_or_init(|| {
            let mut routes = self.gateway.site(site).route_ids();
            routes.any(|id| Reader::new(self, Item::Route(id)).sends_upgrade().is_some())
        })
    }

    /// The lines that make a socket speak HTTP/2: one counts for all sites on it.
    pub(super) fn http2_sockets(&self) -> &FxHashMap<(TextId, u16), Span> {
        self.http2_sockets.get_or_init(|| {
            let listens =
                self.gateway.sites.iter().flat_map(|site| &site.listens).filter(|listen| listen.speaks == Speaks::Http2);
            // The first line is the one to blame.
            listens.rev().filter_map(|listen| Some(((listen.address, listen.port?), listen.span))).collect()
        })
    }

    /// The sockets at which TLS ends: the options of a socket count for all sites on it.
    pub(super) fn tls_sockets(&self) -> &FxHashSet<(TextId, u16)> {
        self.tls_sockets.get_or_init(|| {
            let listens = self.gateway.sites.iter().flat_map(|site| &site.listens).filter(|listen| listen.tls);
            listens.filter_map(|listen| Some((listen.address, listen.port?))).collect()
        })
    }

    /// The paths that the user declares, by the route that a handshake to them comes to.
    pub(super) fn endpoints(&self) -> &FxHashMap<RouteId, String> {
        self.endpoints.get_or_init(|| {
            let mut endpoints = FxHashMap::default();
            for path in self.declared_paths() {
                for site in self.sites_with(path) {
                    if let Some(route) = self.walk(site, self.handshake(self.gateway.site(site), path)).route {
                        endpoints.entry(route).or_insert_with(|| path.clone());
                    }
                }
            }
            endpoints
        })
    }

    /// The paths that the user declares, but for patterns.
    pub(super) fn declared_paths(&self) -> impl Iterator<Item = &'a String> {
        self.declared.websocket_routes.iter().filter(|path| !path.contains('*'))
    }

    /// Those of them that are looked for in `site`.
    pub(super) fn declared_in(&self, site: SiteId) -> impl ExactSizeIterator<Item = &'a String> {
        let all = self.declared_in.get_or_init(|| {
            let mut all: FxHashMap<SiteId, Vec<usize>> = FxHashMap::default();
            let paths = self.declared.websocket_routes.iter().enumerate();
            for (index, path) in paths.filter(|(_, path)| !path.contains('*')) {
                for site in self.sites_with(path) {
                    all.entry(site).or_default().push(index);
                }
            }
            all
        });
        let paths = &self.declared.websocket_routes;
        all.get(&site).map(Vec::as_slice).unwrap_or_default().iter().map(|&index| &paths[index])
    }

    /// The sites that have a route of exactly this path, and those that go by the name of one of them; all, where none has: the user knows
    /// what is behind the others.
    pub(super) fn sites_with(&self, path: &str) -> Vec<SiteId> {
        let text = self.gateway.texts.find(path.as_bytes());
        let names = |matcher| match matcher {
            Matcher::Exact(own) | Matcher::Prefix { text: own, .. } | Matcher::Segments(own) => Some(own) == text,
            _ => false,
        };
        let routes = self.gateway.routes.iter().filter(|route| text.is_some() && names(route.matcher));
        let with: FxHashSet<SiteId> = routes.map(|route| route.site).collect();
        let of = |site: SiteId| self.gateway.site(site).names.iter().map(|name| name.text);
        let names: FxHashSet<TextId> = with.iter().copied().flat_map(of).collect();
        let sites = (0..u32::try_from(self.gateway.sites.len()).unwrap_or(u32::MAX)).map(SiteId);
        let is_one = |site: &SiteId| with.is_empty() || with.contains(site) || of(*site).any(|name| names.contains(&name));
        sites.filter(is_one).collect()
    }

    /// The site whose requests come to `route`: what httpd's main server says counts for all virtual hosts as well, and where they take
    /// every request the first of them speaks for it. Rules are not handed down.
    pub(super) fn answers_for(&self, route: &Route) -> SiteId {
        let main = self.gateway.site(route.site);
        if !main.is_main || self.gateway.server != Server::Apache || matches!(route.matcher, Matcher::Rewrite(_)) {
            return route.site;
        }
        *self.speaks_for_main.get_or_init(|| {
            let mut hosts = (0u32..).zip(&self.gateway.sites).filter(|(_, site)| !site.is_main);
            let taken: FxHashSet<Option<u16>> =
                hosts.clone().flat_map(|(_, site)| &site.listens).map(|listen| listen.port.filter(|&port| port != 0)).collect();
            let is_taken = |listen: &Listen| taken.contains(&None) || taken.contains(&listen.port);
            match hosts.next() {
                Some((first, _)) if main.listens.iter().all(is_taken) => SiteId(first),
                _ => route.site,
            }
        })
    }

    /// What becomes of a handshake to `path` of `site`, as a browser makes it.
    pub(super) fn handshake_in(&self, site: SiteId, path: &str) -> Walk {
        self.walk(site, self.handshake(self.gateway.site(site), path))
    }

    /// What becomes of a handshake to `path` of `site`, where no file is.
    pub(super) fn walk(&self, site: SiteId, request: Request) -> Walk {
        // Whether a file is there is the deployment's affair; a handshake is for none.
        self.walk_over(site, request, &|_| None)
    }

    fn walk_over(&self, site: SiteId, request: Request, files: Files<'_>) -> Walk {
        let listen = self.gateway.site(site).listens.first();
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let socket = Socket { address: here, port: listen.and_then(|listen| listen.port).unwrap_or(request.port) };
        follow_in_site(self, site, Client { request, socket, from: here }, files)
    }

    /// What becomes of the request of `probe` to `path` of `site`.
    pub(crate) fn followed(&self, site: SiteId, probe: Probe, path: &str) -> Walk {
        self.walk(site, self.request(probe, self.gateway.site(site), path))
    }

    /// A handshake to `path` of `site`.
    pub(super) fn handshake(&self, site: &Site, path: &str) -> Request {
        self.request(Probe::Chrome, site, path)
    }

    /// The request of `probe` to `path` of `site`.
    fn request(&self, probe: Probe, site: &Site, path: &str) -> Request {
        // Engine.IO tells its transport in the query, and rewrite rules for it ask there.
        let is_engine_io = probe != Probe::Plain && (path.contains("/socket.io") || path.contains("/engine.io"));
        let query = is_engine_io.then(|| "EIO=4&transport=websocket".to_owned());
        let tls = site.listens.iter().any(|listen| listen.tls);
        Request { query, ..probe.request(&host(self.gateway, site), path, tls) }
    }

    /// Whether any mapping of httpd's compares paths before they are decoded (`mapping=encoded`): hardly any does.
    pub(crate) fn maps_undecoded(&self) -> bool {
        let is_undecoded = |route: &Route| matches!(&route.target, Target::Proxy(proxy) if proxy.spelling.is_undecoded());
        *self.maps_undecoded.get_or_init(|| self.gateway.routes.iter().any(is_undecoded))
    }

    /// Every item that is a `subject`, in order.
    #[must_use]
    pub fn items(&self, subject: Subject) -> Vec<Item> {
        let gateway = self.gateway;
        let count = |length: usize| 0..u32::try_from(length).unwrap_or(u32::MAX);
        match subject {
            Subject::Route => gateway.route_ids().map(Item::Route).collect(),
            Subject::Upstream => count(gateway.upstreams.len()).map(|index| Item::Upstream(UpstreamId(index))).collect(),
            Subject::Site => count(gateway.sites.len()).map(|index| Item::Site(SiteId(index))).collect(),
            Subject::Directive => {
                let refused = (0..gateway.refusals.len()).map(Item::Refused);
                (0..gateway.remarks.len()).map(Item::Directive).chain(refused).collect()
            }
            Subject::Gateway => vec![Item::Gateway],
        }
    }
}

/// Reads the facts of one item.
#[derive(Debug)]
pub struct Reader<'a> {
    /// What is read.
    pub view: &'a View<'a>,
    /// The item.
    pub item: Item,
    chrome: Probed<'a>,
    plain: Probed<'a>,
    pub(super) intent: OnceCell<(Intent, super::Places)>,
    walk: OnceCell<Walk>,
}

/// A probe to the route that is read, and the head that nginx makes of it for the upstream.
#[derive(Debug, Default)]
struct Probed<'a> {
    request: OnceCell<Request>,
    lines: OnceCell<Known<HeaderLines<'a>>>,
}

impl<'a> Reader<'a> {
    /// A reader of the facts of `item`.
    #[must_use]
    pub fn new(view: &'a View<'a>, item: Item) -> Self {
        Self { view, item, chrome: Probed::default(), plain: Probed::default(), intent: OnceCell::new(), walk: OnceCell::new() }
    }

    /// The route that is read, where a route is.
    pub(super) fn route(&self) -> Option<(RouteId, &'a Route)> {
        match self.item {
            Item::Route(id) => Some((id, self.view.gateway.route(id))),
            _ => None,
        }
    }

    /// The route that is read and where it passes requests to, where it does.
    pub(super) fn proxy(&self) -> Option<(&'a Route, &'a Proxy)> {
        let (_, route) = self.route()?;
        match &route.target {
            Target::Proxy(proxy) => Some((route, proxy)),
            _ => None,
        }
    }

    /// The route that is read and where its requests would be passed to, were they not answered before.
    pub(super) fn meant(&self) -> Option<(&'a Route, &'a Proxy)> {
        self.proxy().or_else(|| {
            let (_, route) = self.route()?;
            Some((route, self.view.gateway.programs.get(route.scope)?.beside.as_deref()?))
        })
    }

    /// What becomes of a handshake to the route that is read, followed once; `None` where no path leads to it.
    pub(super) fn walk(&self) -> Option<&Walk> {
        let (id, route) = self.route()?;
        let gateway = self.view.gateway;
        let is_internal = || matches!(gateway.scopes.scalar(route.scope, Property::Internal), Ok(Some(_)));
        let has_path = !matches!(route.matcher, Matcher::Named(_) | Matcher::Conditional | Matcher::Unknown(_)) && !is_internal();
        let is_declared = self.view.endpoints().contains_key(&id);
        if !has_path && !is_declared {
            return None;
        }
        let site = self.view.answers_for(route);
        let request = || self.chrome(route).clone();
        Some(self.walk.get_or_init(|| match &self.view.files {
            // At the very path of an endpoint a file is a mistake.
            Some(files) if is_declared => self.view.walk_over(site, request(), &*files.0),
            _ => self.view.walk(site, request()),
        }))
    }

    /// The path of the route that is read without its final slash, where it has one.
    pub(super) fn path_without_slash(&self) -> Option<Cow<'a, str>> {
        let (_, route) = self.route()?;
        let (Matcher::Exact(text) | Matcher::Prefix { text, .. }) = route.matcher else { return None };
        let path = match self.view.gateway.texts.show(text) {
            Cow::Borrowed(path) => Cow::Borrowed(path.strip_suffix('/')?),
            Cow::Owned(path) => Cow::Owned(path.strip_suffix('/')?.to_owned()),
        };
        Some(path).filter(|path| !path.is_empty())
    }

    /// The path at which a handshake to `route` is followed.
    pub(super) fn handshake_path(&self, id: RouteId, route: &Route) -> Cow<'a, str> {
        self.view.endpoints().get(&id).map_or_else(|| self.route_path(route), |path| path.as_str().into())
    }

    /// A path that a request to `route` may have.
    pub(crate) fn route_path(&self, route: &Route) -> Cow<'a, str> {
        let gateway = self.view.gateway;
        let sample = |pattern, ignore_case| {
            let sample = self.view.patterns.sample(&gateway.texts, pattern, ignore_case);
            Cow::Owned(String::from(&*sample))
        };
        match route.matcher {
            Matcher::Segments(text) if self.is_meant_as_pattern(route) => sample(text, false),
            Matcher::Exact(text) | Matcher::Prefix { text, .. } | Matcher::Segments(text) => gateway.texts.show(text),
            Matcher::Pattern { pattern, ignore_case, .. } => sample(pattern, ignore_case),
            Matcher::Rewrite(index) => match gateway.site(route.site).rewrites.get(index as usize) {
                Some(rewrite) => sample(rewrite.pattern, rewrite.ignore_case),
                None => "/".into(),
            },
            Matcher::Conditional => match route.parent {
                // A condition cannot stand in a condition, so its parent is a location.
                Some(parent) if !matches!(gateway.route(parent).matcher, Matcher::Conditional) => {
                    self.route_path(gateway.route(parent))
                }
                _ => "/".into(),
            },
            Matcher::Named(_) | Matcher::Unknown(_) => "/".into(),
        }
    }

    /// Whether the path of a route is the text of a pattern, which only `mod_proxy` takes for a path: what is meant are the paths of the
    /// pattern.
    fn is_meant_as_pattern(&self, route: &Route) -> bool {
        let Item::Route(id) = self.item else { return false };
        section_of_pattern(self.view.gateway, id, route).is_some()
    }

    /// The request of a probe to the route that is read.
    pub(super) fn request(&self, probe: Probe, route: &Route) -> Request {
        let path = match self.item {
            Item::Route(id) => self.handshake_path(id, route),
            _ => self.route_path(route),
        };
        self.view.request(probe, self.view.gateway.site(self.view.answers_for(route)), &path)
    }

    /// The handshake to the route that is read, as a browser makes it.
    pub(super) fn chrome(&self, route: &Route) -> &Request {
        self.chrome.request.get_or_init(|| self.request(Probe::Chrome, route))
    }

    /// A header as the route that is read sends it under a probe.
    pub(super) fn sent(&self, probe: Probe, name: &str) -> Known<Sent> {
        let Some((route, proxy)) = self.meant() else { return Err(Unknown::Runtime) };
        let probed = match probe {
            Probe::Plain => &self.plain,
            _ => &self.chrome,
        };
        let request = probed.request.get_or_init(|| self.request(probe, route));
        let environment = self.environment(route, proxy, request);
        match self.view.gateway.server {
            Server::Nginx => {
                let lines = probed.lines.get_or_init(|| nginx_header_lines(self.view.gateway, &environment, route.scope));
                let lines = lines.as_ref().map_err(|why| *why)?;
                match lines.sent(name) {
                    Err(Unknown::Runtime) => {
                        let values = self.sent_on_the_way(probe, name).ok_or(Unknown::Runtime)?;
                        Ok(Sent { values, spans: lines.spans(name).collect(), until: None })
                    }
                    sent => sent,
                }
            }
            Server::Apache => sent_header(&environment, route, proxy, name),
        }
    }

    /// What a header holds whose value depends on what is assigned on the request's way, where that leads to the route that is read.
    fn sent_on_the_way(&self, probe: Probe, name: &str) -> Option<SmallVec<[String; 1]>> {
        let (id, route) = self.route()?;
        let followed;
        let mut walk = self.walk()?;
        if probe != Probe::Chrome {
            followed = self.view.followed(self.view.answers_for(route), probe, &self.handshake_path(id, route));
            walk = &followed;
        }
        let sent = walk.upstream_request.as_ref().filter(|_| walk.route == Some(id))?;
        let named = sent.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        Some(named.map(|(_, value)| value.to_owned()).collect())
    }

    /// What the values of variables depend on for a request to `route`.
    pub(super) fn environment<'b>(&'b self, route: &Route, proxy: &'b Proxy, request: &'b Request) -> Environment<'b> {
        let gateway = self.view.gateway;
        Environment {
            gateway,
            patterns: &self.view.patterns,
            request,
            site: gateway.site(self.view.answers_for(route)),
            proxy: Some(proxy),
            captures: None,
            condition_captures: None,
            notes: None,
            followed: None,
        }
    }

    /// The headers that the route that is read loses from a level around it.
    pub(super) fn lost(&self) -> Known<Vec<(String, Span, Span)>> {
        match self.route() {
            Some((_, route)) => lost_headers(self.view.gateway, route),
            None => Ok(Vec::new()),
        }
    }

    /// What becomes of a request of `probe` to the own path of `route`.
    pub(super) fn selected(&self, probe: Probe, route: &Route, proxy: &Proxy) -> Known<Selected> {
        let request = self.request(probe, route);
        select(&self.environment(route, proxy, &request), self.view.answers_for(route))
    }

    /// The route that takes every request of the route `id`.
    pub(super) fn shadowed_by(&self, id: RouteId) -> Option<RouteId> {
        let gateway = self.view.gateway;
        self.view.shadows.get_or_init(|| Shadows::new(gateway)).of(gateway, id)
    }

    /// The `Upgrade` that the route that is read sends in a handshake, where it is known to send one.
    pub(super) fn sends_upgrade(&self) -> Option<Sent> {
        let (route, _) = self.meant()?;
        let gateway = self.view.gateway;
        // nginx sends none of itself, and most routes set none.
        if gateway.server == Server::Nginx && !sets_header(gateway, route.scope, &["upgrade"]) {
            return None;
        }
        self.sent(Probe::Chrome, "upgrade").ok().filter(|sent| !sent.values.is_empty())
    }
}

/// A host that a request to `site` may ask for.
fn host(gateway: &Gateway, site: &Site) -> String {
    let plain = |name: &str| {
        !name.is_empty() && name != "_" && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
    };
    let names = site.names.iter().map(|name| gateway.texts.show(name.text).into_owned());
    names.filter(|name| plain(name)).find(|name| !name.starts_with('.')).unwrap_or_else(|| "proxy.example".to_owned())
}
