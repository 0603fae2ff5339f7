//! Trees to gateway: what an nginx configuration means, whichever files it is spread over.
//!
//! One walk over the directives with includes expanded in place. Blocks and included files being read stand on explicit stacks.

mod capacity;
mod certificate;
pub(super) mod line;
mod map;
mod names;
mod program;
mod route;
mod settings;
mod site;
mod symbolic;
#[cfg(test)]
mod tests;
mod upstream;
mod walk;

use std::ops::Range;

use rustc_hash::FxHashMap;

use self::line::Line;
use self::map::OpenMap;
use self::names::Names;
use super::Resolved;
use super::refuse::{self, Checker};
use crate::gateway::{
    Assigned, DefaultHeader, Entry, Gateway, Identity, Matcher, Part, Remark, RemarkKind, RouteId, ScopeBuilder, ScopeId, Server,
    Signal, Site, SiteId, Target, TextId, Unknown, UpstreamId, Variable, Version,
};
use crate::project::{Root, Store};
use crate::source::{SourceId, Span};
use crate::tree::{Children, Shape, TokenId};
pub(super) use map::hundredths;

/// From this version on, a proxied request has no `Connection` header by default, and is HTTP/1.1.
const CONNECTION_KEPT: Version = Version::new(1, 29, 7);
/// From this version on, the client's `Proxy-Connection` is withheld.
const PROXY_CONNECTION_WITHHELD: Version = Version::new(1, 31, 0);

/// Lowers one root with everything that it includes.
#[must_use]
pub fn lower(store: &Store, root: &Root, resolved: &Resolved, version: Option<Version>) -> Gateway {
    let names = Names::collect(store, resolved);
    let budget = budget(store, resolved);
    // What is refused is read off the trees, as the model is: both at the same time.
    let (gateway, (refused, undefined)) = rayon::join(
        || model(store, root, resolved, version, &names, budget),
        || (refuse::read(store, root, resolved, version, budget), names.undefined(store, resolved)),
    );
    finish(gateway, root, resolved, refused, undefined)
}

/// Everything that is to be known of the gateway but its remarks and what is refused.
fn model(store: &Store, root: &Root, resolved: &Resolved, version: Option<Version>, names: &Names, budget: usize) -> Gateway {
    let mut lowerer = Lowerer {
        store,
        resolved,
        gateway: Gateway::new(Server::Nginx, version, root.source),
        names,
        parts: Vec::new(),
        entries: Vec::new(),
        headers: FxHashMap::default(),
        levels: Vec::new(),
        spare: Vec::new(),
        frames: Vec::new(),
        above: Vec::new(),
        snippets: FxHashMap::default(),
        budget,
    };
    // Room for what many sites come to; what is not used of it costs nothing. Measured: a new text in four lines, a new value in eight, a
    // block in four.
    let lines: usize = resolved.sources.iter().map(|&source| store.tree(source).directives().len()).sum();
    let gateway = &mut lowerer.gateway;
    gateway.texts.reserve(lines / 4);
    gateway.symbolics.reserve(lines / 8);
    gateway.scopes.reserve(lines / 4, lines);
    gateway.routes.reserve(lines / 5);
    lowerer.default_headers();
    lowerer.begin(root);
    lowerer.walk();
    lowerer.link_upstreams();
    names.complete(&mut lowerer.gateway);
    lowerer.gateway
}

/// What can only be said when everything is read.
fn finish(mut gateway: Gateway, root: &Root, resolved: &Resolved, refused: Checker<'_>, mut undefined: Vec<Remark>) -> Gateway {
    for problem in &resolved.problems {
        gateway.remarks.push(problem.clone());
        if matches!(problem.kind, RemarkKind::IncludeMissing { .. } | RemarkKind::IncludeOutside { .. }) {
            gateway.partial.get_or_insert(Unknown::MissingInclude(problem.span));
        }
    }
    certificate::mark_tls(&mut gateway);
    certificate::check(&mut gateway);
    gateway.remarks.append(&mut undefined);
    gateway.routes.shrink_to_fit();
    gateway.sites.shrink_to_fit();
    gateway.upstreams.shrink_to_fit();
    // A file that is included twice is remarked upon once.
    gateway.remarks.sort_by_key(|remark| remark.span);
    gateway.remarks.dedup();
    refused.note(&mut gateway, root);
    gateway
}

/// How many directives may be visited: every one of every file, and as many again for files that are included by several. A file
/// that includes another twice, which includes a third twice … would else be read 2^n times.
fn budget(store: &Store, resolved: &Resolved) -> usize {
    const REPEATED: usize = 2_000_000;
    resolved.sources.iter().map(|&source| store.tree(source).directives().len()).sum::<usize>() + REPEATED
}

/// The state of the walk.
struct Lowerer<'a> {
    store: &'a Store,
    resolved: &'a Resolved,
    gateway: Gateway,
    names: &'a Names,
    /// Room for the parts of one value, used again and again.
    parts: Vec<Part>,
    /// Room for the settings of one directive.
    entries: Vec<Entry>,
    /// The headers that were read before, by name and value as written: most are the same in every site.
    headers: FxHashMap<(&'a [u8], &'a [u8]), Assigned>,
    levels: Vec<Level>,
    /// What collected for levels that are closed.
    spare: Vec<ScopeBuilder>,
    frames: Vec<Frame<'a>>,
    /// What the comments directly above the next directive hint at.
    above: Vec<Signal>,
    /// Included files that only set things: their settings are stored once. `None`: the file does more than that.
    snippets: FxHashMap<SourceId, Option<Snippet>>,
    /// How many more directives may be visited.
    budget: usize,
}

/// A block whose inside is being read.
struct Level {
    context: Context,
    scope: Option<ScopeId>,
    builder: ScopeBuilder,
    /// Whether a block was met inside: comments behind it speak of something else.
    nested: bool,
    /// For an `if`: the level whose program it belongs to, and its step there.
    opened_by: Option<(ScopeId, usize)>,
    /// Which part of a template, that may be left out, the next directive stands in.
    branch: Branch,
}

impl Level {
    fn new(context: Context, scope: Option<ScopeId>) -> Self {
        Self { context, scope, builder: ScopeBuilder::default(), nested: false, opened_by: None, branch: Branch::default() }
    }
}

/// How many tags of a template that leave out what they hold are open in a block, and the last of them.
#[derive(Clone, Copy, Default)]
struct Branch {
    open: u32,
    tag: Option<Span>,
}

/// What kind of block a level is, and what it fills.
enum Context {
    Main,
    Http,
    Server(SiteId),
    /// An `if` in a server.
    ServerIf,
    Location(RouteId),
    Upstream(UpstreamId),
    Map(Box<OpenMap>),
}

/// A block or a row of included files, read up to some directive.
struct Frame<'a> {
    source: SourceId,
    children: Children<'a>,
    /// The next token between directives to be looked at.
    gap: TokenId,
    /// One past the last token of the inside.
    end: TokenId,
    /// Files of the same include that are read after this one; `None` for a block.
    files: Option<&'a [SourceId]>,
}

/// What an included file that only sets things brings to the level that includes it.
#[derive(Clone, Debug)]
struct Snippet {
    run: Range<u32>,
    open: Option<Unknown>,
    signals: Vec<Signal>,
}

impl Lowerer<'_> {
    /// Opens the levels that a root stands in.
    fn begin(&mut self, root: &Root) {
        let start = Span::new(root.source, 0, 0);
        let implied = if root.is_main { Implied::Main } else { self.implied(root.source) };
        if implied != Implied::Main {
            self.gateway.partial = Some(Unknown::Fragment(start));
        }
        // What it needs may stand in another site that is enabled with it.
        if let Some(site) = self.resolved.site {
            self.gateway.partial = Some(Unknown::Fragment(Span::new(site, 0, 0)));
        }
        self.levels.push(Level::new(Context::Main, None));
        if implied >= Implied::Http {
            // What stands around a `server` seldom touches what we look at; a fragment of servers is judged as if it were all.
            self.open_scope_level(Context::Http, start);
        }
        if implied >= Implied::Server {
            let site = self.open_site(start);
            // A location's server, though, is where its headers would stand.
            if let Some(level) = self.levels.last_mut() {
                level.builder.open = Some(Unknown::Fragment(start));
            }
            if implied == Implied::Location {
                self.open_route(site, Matcher::Unknown(Unknown::Fragment(start)), start);
            }
        }
        self.push_file(root.source, Some(&[]));
    }

    /// The context that the directives of a fragment imply.
    fn implied(&self, source: SourceId) -> Implied {
        let (tree, bytes) = (self.store.tree(source), self.store.sources.get(source).bytes());
        let mut implied = Implied::Unclear;
        for id in tree.children(None) {
            let line = Line::new(source, tree, bytes, id);
            let is_block = line.shape() == Shape::Block;
            match line.name() {
                b"http" | b"events" | b"stream" | b"mail" | b"worker_processes" | b"user" | b"pid" | b"load_module" => {
                    return Implied::Main;
                }
                b"server" if !is_block => return Implied::Main,
                b"server" | b"upstream" | b"map" | b"geo" | b"split_clients" | b"log_format" | b"limit_req_zone"
                | b"limit_conn_zone" | b"proxy_cache_path" | b"charset_map" => implied = Implied::Http,
                b"location" | b"listen" | b"server_name" if implied != Implied::Http => implied = Implied::Server,
                b"proxy_pass" | b"grpc_pass" | b"uwsgi_pass" | b"fastcgi_pass" | b"scgi_pass" if implied == Implied::Unclear => {
                    implied = Implied::Location;
                }
                _ => {}
            }
        }
        // Nothing that makes a route: what it sets is read where `http` would be.
        if implied == Implied::Unclear { Implied::Http } else { implied }
    }

    fn default_headers(&mut self) {
        // `ngx_http_proxy_headers` in `ngx_http_proxy_module.c`.
        let version = self.gateway.version;
        let proxy_host = self.gateway.symbolics.intern(&[Part::Variable(Variable::UpstreamHost)]);
        // `$proxy_internal_body_length`: no client's handshake has a body, whose length would be another.
        let length = self.gateway.texts.intern(b"content-length");
        let length = self.gateway.symbolics.intern(&[Part::Variable(Variable::RequestHeader(length))]);
        let (empty, close) = (self.literal(b""), self.literal(b"close"));
        let closes = version.is_none_or(|version| version < CONNECTION_KEPT);
        let mut add = |name, value, until| self.gateway.default_headers.push(DefaultHeader { name, value, until });
        add("Host", proxy_host, None);
        add("Connection", if closes { close } else { empty }, version.is_none().then_some(CONNECTION_KEPT));
        add("Content-Length", length, None);
        for name in ["Transfer-Encoding", "TE", "Keep-Alive", "Expect", "Upgrade"] {
            add(name, empty, None);
        }
        if version.is_some_and(|version| version >= PROXY_CONNECTION_WITHHELD) {
            add("Proxy-Connection", empty, None);
        }
    }

    /// Finds the upstream that each target names: it may be defined behind its use.
    fn link_upstreams(&mut self) {
        let gateway = &mut self.gateway;
        let ids = (0u32..).map(UpstreamId);
        let by_name: FxHashMap<TextId, UpstreamId> = gateway.upstreams.iter().map(|upstream| upstream.name).zip(ids).collect();
        for route in &mut gateway.routes {
            if let Target::Proxy(proxy) = &mut route.target
                && let Some(authority) = proxy.authority
            {
                let lower = gateway.texts.get(authority).to_ascii_lowercase();
                proxy.upstream = gateway.texts.find(&lower).and_then(|name| by_name.get(&name).copied());
            }
        }
    }

    /// A site whose head is `span`, as the innermost level.
    fn open_site(&mut self, span: Span) -> SiteId {
        let id = SiteId(u32::try_from(self.gateway.sites.len()).unwrap_or(u32::MAX));
        let scope = self.open_scope_level(Context::Server(id), span);
        let routes = u32::try_from(self.gateway.routes.len()).unwrap_or(u32::MAX);
        self.gateway.sites.push(Site {
            identity: Identity::default(),
            span,
            is_main: false,
            names: Vec::new(),
            listens: Vec::new(),
            scope,
            rewrites: Vec::new(),
            dangling: Vec::new(),
            routes: routes..routes,
            sections: 0..0,
            mappings: 0..0,
            areas: Vec::new(),
        });
        id
    }
}

/// Where a fragment stands, from the outside in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Implied {
    Unclear,
    Main,
    Http,
    Server,
    Location,
}
