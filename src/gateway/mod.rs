//! The server-neutral model of one root: sites, their routes, where these lead, and every setting with its origin.
//!
//! `nginx` and `apache` lower their trees into it; `handshake` follows requests through it; `facts` read it. It knows neither syntax.

mod area;
mod authority;
mod capacity;
mod certificate;
mod expression;
mod pool;
mod program;
mod refusal;
mod remark;
mod rewrite;
mod route;
mod scope;
mod segments;
mod server;
mod signal;
mod site;
mod symbolic;
mod text;
mod unknown;
mod upstream;
mod worker;

pub use area::{
    Access, Alias, Area, Assignment, Covers, DirectoryFile, EncodedSlashes, ErrorPage, Handler, HostOrder, HostRule, Inherits,
    Leniency, Merging, Methods, Needed, OverrideClass, Overrides, OwnName, Redirect, Required, RequiredKind, RewriteOptions,
    Rewriting, Settings, Via, When,
};
pub use authority::{host_and_port, is_authority, is_netloc, split_authority, without_brackets};
pub use capacity::{Capacity, Limit};
pub use certificate::{Certificate, Certificates, KeyFit};
pub use expression::{Change, Comparison, Expression, ExpressionId, ExpressionStep, Order};
pub use program::{Act, Candidate, Fallback, LimitExcept, Program, Programs, Step, Then, TryFiles};
pub use refusal::{Fault, Refusal};
pub use remark::{Misreading, Remark, RemarkKind};
pub use rewrite::{Action, Condition, Escapes, FileTest, Flags, QueryRule, Rewrite, Test};
pub use route::{Matcher, Protocol, Proxy, Requirement, Route, RouteId, SharedWorker, Spelling, Target};
pub use scope::{
    Assigned, EditWhen, Entry, HeaderChange, HeaderEdit, HeaderEditId, Instead, Millis, Origin, Property, Scope, ScopeBuilder,
    ScopeId, Scopes, Setting,
};
pub(crate) use segments::covering;
pub use server::{Modules, NotAVersion, Server, Version};
pub use signal::{Signal, SignalKind};
pub use site::{Identity, Listen, Name, Site, SiteId, Speaks};
pub use symbolic::{Definition, Map, MapEntry, MapKey, Part, SymbolicId, Symbolics, Variable};
pub use text::{TextId, Texts};
pub use unknown::{Assumed, Known, Unknown};
pub use upstream::{Member, Upstream, UpstreamId};
pub use worker::{BalancedWorker, Worker, serves};

use rustc_hash::FxHashMap;

use crate::source::{SourceId, Span};

/// The model of one root and everything it includes.
#[derive(Debug)]
pub struct Gateway {
    /// Which server reads this configuration.
    pub server: Server,
    /// The version it is judged for, where the user or the project names one.
    pub version: Option<Version>,
    /// The root: the main file, or a fragment that nothing includes.
    pub root: SourceId,
    /// Set where not everything that the server reads is here, with one reason: a fragment, a missing include, a template hole.
    pub partial: Option<Unknown>,
    /// What counts only under conditions of which nothing says whether they hold.
    pub assumed: Vec<Assumed>,
    /// The interned texts of the model.
    pub texts: Texts,
    /// The interned values with variables in them.
    pub symbolics: Symbolics,
    /// Changes of headers that are more than to set or to withhold them.
    pub header_edits: Vec<HeaderEdit>,
    /// Conditions in a language of their own.
    pub expressions: Vec<Expression>,
    /// All settings, by the level at which they are written.
    pub scopes: Scopes,
    /// nginx's `server` blocks; httpd's main server (first) and virtual hosts. In file order.
    pub sites: Vec<Site>,
    /// All routes. The routes of one site stand together, in file order, a parent before its children.
    pub routes: Vec<Route>,
    /// Named groups of backends.
    pub upstreams: Vec<Upstream>,
    /// httpd: what it knows about single backends, by site, in the order in which they are made.
    pub workers: FxHashMap<SiteId, Vec<Worker>>,
    /// httpd: the backends of balancers, in order.
    pub balanced: FxHashMap<UpstreamId, Vec<BalancedWorker>>,
    /// What the configuration itself defines: nginx's `map`, `set`, `geo` …, by lower-case name without `$`.
    pub variables: FxHashMap<TextId, Definition>,
    /// A group of backends for which no way of choosing is written: httpd needs one of its modules for it.
    pub plain_balancer: Option<Span>,
    /// Lines that set something on a backend that no line before them names.
    pub unknown_workers: Vec<Span>,
    /// Functions that a site gives names to, while its lines are read: httpd's `RewriteMap name int:tolower`.
    pub functions: FxHashMap<TextId, Change>,
    /// What levels do to a request before anything answers it, by level.
    pub programs: Programs,
    /// Headers that the server adds or withholds by itself when it asks an upstream, for `version`; an empty value withholds the client's.
    pub default_headers: Vec<DefaultHeader>,
    /// The modules that are loaded, as far as can be seen.
    pub modules: Modules,
    /// What the certificates of sites say, where their files lie in the given tree.
    pub certificates: FxHashMap<SiteId, Certificates>,
    /// What bounds the connections of the whole server.
    pub capacity: Capacity,
    /// What sets how patterns are read, from where it is written on: httpd's `RegexDefaultOptions`.
    pub pattern_options: Option<Span>,
    /// What reading the configuration brought to light.
    pub remarks: Vec<Remark>,
    /// What the server refuses when it starts, in the order in which it meets it: it reports the first.
    pub refusals: Vec<Refusal>,
    /// Set where the server may refuse to start for something that cannot be judged here: a directive that only a module of others has.
    pub doubt: Option<Unknown>,
}

/// A request header that the server sets by itself unless the configuration does.
#[derive(Clone, Copy, Debug)]
pub struct DefaultHeader {
    /// The name as the server writes it.
    pub name: &'static str,
    /// What is sent; empty: neither this nor the client's header is sent.
    pub value: SymbolicId,
    /// Set where this default ended with a later version and the version judged for is not known.
    pub until: Option<Version>,
}

impl Gateway {
    /// A gateway with nothing in it, to be filled by lowering.
    #[must_use]
    pub fn new(server: Server, version: Option<Version>, root: SourceId) -> Self {
        Self {
            server,
            version,
            root,
            partial: None,
            assumed: Vec::new(),
            texts: Texts::default(),
            symbolics: Symbolics::default(),
            header_edits: Vec::new(),
            expressions: Vec::new(),
            scopes: Scopes::default(),
            sites: Vec::new(),
            routes: Vec::new(),
            upstreams: Vec::new(),
            workers: FxHashMap::default(),
            balanced: FxHashMap::default(),
            variables: FxHashMap::default(),
            functions: FxHashMap::default(),
            unknown_workers: Vec::new(),
            plain_balancer: None,
            programs: Programs::default(),
            default_headers: Vec::new(),
            modules: Modules::default(),
            certificates: FxHashMap::default(),
            capacity: Capacity::default(),
            pattern_options: None,
            remarks: Vec::new(),
            refusals: Vec::new(),
            doubt: None,
        }
    }

    /// The site that `id` names.
    #[must_use]
    pub fn site(&self, id: SiteId) -> &Site {
        &self.sites[id.0 as usize]
    }

    /// The change of a header that `id` names.
    #[must_use]
    pub fn header_edit(&self, id: HeaderEditId) -> &HeaderEdit {
        &self.header_edits[id.0 as usize]
    }

    /// The condition that `id` names.
    #[must_use]
    pub fn expression(&self, id: ExpressionId) -> &Expression {
        &self.expressions[id.0 as usize]
    }

    /// The route that `id` names.
    #[must_use]
    pub fn route(&self, id: RouteId) -> &Route {
        &self.routes[id.0 as usize]
    }

    /// The upstream that `id` names.
    #[must_use]
    pub fn upstream(&self, id: UpstreamId) -> &Upstream {
        &self.upstreams[id.0 as usize]
    }

    /// Every route with its id, in order.
    pub fn route_ids(&self) -> impl Iterator<Item = RouteId> + use<> {
        (0..u32::try_from(self.routes.len()).unwrap_or(u32::MAX)).map(RouteId)
    }

    /// Notes what was found at `span`.
    pub fn remark(&mut self, span: Span, kind: RemarkKind) {
        self.remarks.push(Remark { span, labels: Vec::new(), kind });
    }
}
