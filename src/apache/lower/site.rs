//! A server while its lines are being read, and how it becomes a site of the gateway.

use rustc_hash::FxHashMap;

use super::mapping::Mapping;
use super::worker::{PatternWorkers, Workers};
use crate::gateway::{
    Area, Covers, Identity, Inherits, Listen, Name, Rewrite, RewriteOptions, ScopeBuilder, ScopeId, TextId, UpstreamId,
};
use crate::source::Span;

/// The main server or a virtual host.
#[derive(Debug)]
pub(super) struct Server {
    /// The head of its section.
    pub(super) span: Span,
    /// Its names.
    pub(super) names: Vec<Name>,
    /// What it calls itself.
    pub(super) identity: Identity,
    /// Its sockets.
    pub(super) listens: Vec<Listen>,
    /// Its level.
    pub(super) scope: ScopeId,
    /// What is set on it.
    pub(super) settings: ScopeBuilder,
    /// Its areas; the first is the server itself.
    pub(super) areas: Vec<Area>,
    /// What `<Location>` sections proxy, each with the index of its area.
    pub(super) sections: Vec<(usize, Mapping)>,
    /// What `SetHandler "proxy:…"` leads to, each with the index of its area.
    pub(super) handlers: Vec<(usize, Mapping)>,
    /// What the rewrite rules of areas proxy: the index of the area, and of the rule in it.
    pub(super) area_rules: Vec<(usize, usize, Mapping)>,
    /// What `ProxyPass` lines proxy.
    pub(super) mappings: Vec<Mapping>,
    /// What is tried when no mapping matches: redirects.
    pub(super) behind: Vec<Mapping>,
    /// Its rewrite rules.
    pub(super) rewriting: Rewriting,
    /// Its workers; a virtual host does not share those of the main server.
    pub(super) workers: Workers,
    /// Those of `ProxyPassMatch` and its like.
    pub(super) pattern_workers: PatternWorkers,
    /// Its balancers.
    pub(super) balancers: FxHashMap<TextId, UpstreamId>,
}

impl Server {
    /// A server without anything in it.
    pub(super) fn new(span: Span, scope: ScopeId) -> Self {
        Self {
            span,
            names: Vec::new(),
            identity: Identity::default(),
            listens: Vec::new(),
            scope,
            settings: ScopeBuilder::default(),
            areas: vec![Area::new(span, Covers::Everything, 0, scope)],
            sections: Vec::new(),
            handlers: Vec::new(),
            area_rules: Vec::new(),
            mappings: Vec::new(),
            behind: Vec::new(),
            rewriting: Rewriting::default(),
            workers: Workers::default(),
            pattern_workers: PatternWorkers::default(),
            balancers: FxHashMap::default(),
        }
    }
}

/// The rewrite configuration of a server.
#[derive(Debug, Default)]
pub(super) struct Rewriting {
    /// The rules, each with what it proxies to.
    pub(super) rules: Vec<(Rewrite, Option<Mapping>)>,
    /// Conditions that wait for their rule.
    pub(super) conditions: Vec<crate::gateway::Condition>,
    /// Whether the server has any directive of `mod_rewrite`.
    pub(super) present: bool,
    /// `RewriteOptions`.
    pub(super) options: Option<RewriteOptions>,
}

impl Rewriting {
    /// Where the main server's rules go; `None`: they do not apply.
    ///
    /// A virtual host without any directive of `mod_rewrite` has no configuration of its own to merge into (`config_server_merge`).
    pub(super) fn inherits(&self, main: &Self) -> Option<Inherits> {
        if !self.present {
            return None;
        }
        let outer = main.options.unwrap_or_default();
        // Options too are inherited, where the host sets none.
        self.options.unwrap_or(outer).inherits(outer)
    }
}
