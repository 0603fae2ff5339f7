//! A site: what answers for a set of names on a set of sockets.

use super::{Rewrite, RouteId, ScopeId, TextId};
use crate::source::Span;

/// Names a [`Site`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteId(pub u32);

/// An nginx `server` block, or httpd's main server or one of its virtual hosts.
#[derive(Debug)]
pub struct Site {
    /// The head of the block; for httpd's main server the start of its root file.
    pub span: Span,
    /// Whether this is httpd's main server, which every virtual host inherits from.
    pub is_main: bool,
    /// The names it answers to.
    pub names: Vec<Name>,
    /// The sockets it answers on; empty: the server's default.
    pub listens: Vec<Listen>,
    /// What is set on this level.
    pub scope: ScopeId,
    /// Its rewrite rules, in the order in which they run before a route is chosen.
    pub rewrites: Vec<Rewrite>,
    /// Its routes, as a range of ids.
    pub routes: std::ops::Range<u32>,
    /// Of its routes those of httpd's sections that proxy: tried before the mappings, and the last that matches counts.
    pub sections: Vec<RouteId>,
    /// Of its routes httpd's `ProxyPass` and `ProxyPassMatch` outside sections: the first that matches counts, the main server's first.
    pub mappings: Vec<RouteId>,
}

impl Site {
    /// The ids of the routes of this site.
    pub fn route_ids(&self) -> impl Iterator<Item = RouteId> + use<> {
        self.routes.clone().map(RouteId)
    }
}

/// A name that a site answers to.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// As written, in lower case: exact, with a wildcard, or a pattern with its marker.
    pub text: TextId,
    /// The word in the file.
    pub span: Span,
}

/// A socket that a site answers on.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// The address as written, without the port; `*` for all.
    pub address: TextId,
    /// The port; `None` where it cannot be known or the socket is a file.
    pub port: Option<u16>,
    /// Whether TLS ends here.
    pub tls: bool,
    /// Whether the site is the default for requests to this socket whose name no site has.
    pub default: bool,
    /// The directive.
    pub span: Span,
}
