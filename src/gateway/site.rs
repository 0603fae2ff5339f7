//! A site: what answers for a set of names on a set of sockets.

use std::net::{IpAddr, Ipv4Addr};

use super::{Area, Condition, Rewrite, RouteId, ScopeId, TextId, Texts};
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
    /// httpd: what it calls itself. Empty for nginx.
    pub identity: Identity,
    /// The sockets it answers on; empty: the server's default.
    pub listens: Vec<Listen>,
    /// What is set on this level.
    pub scope: ScopeId,
    /// Its rewrite rules, in the order in which they run before a route is chosen.
    pub rewrites: Vec<Rewrite>,
    /// httpd: conditions behind the last rule, which belong to none.
    pub dangling: Vec<Condition>,
    /// Its routes, as a range of ids. In httpd: first `sections`, then `mappings`, then the targets of its rewrite rules.
    pub routes: std::ops::Range<u32>,
    /// httpd: those routes that `<Location>` sections make, in file order. They are tried before `mappings`, and of those that match the last
    /// one counts; the main server's sections come before the virtual host's own (`proxy_trans` and `location_walk`). Empty for nginx.
    pub sections: std::ops::Range<u32>,
    /// httpd: those routes that `ProxyPass` and, behind it, `Redirect` and handlers make, in the order in which they are tried: the first that
    /// matches counts. The main server's mappings are tried before the virtual host's own (`merge_proxy_config`). Empty for nginx.
    pub mappings: std::ops::Range<u32>,
    /// httpd: parts of its requests for which more is set; the first is the site itself. Empty for nginx.
    pub areas: Vec<Area>,
}

impl Site {
    /// The ids of the routes of this site.
    pub fn route_ids(&self) -> impl Iterator<Item = RouteId> + use<> {
        self.routes.clone().map(RouteId)
    }
}

/// What a site calls itself, in redirects and towards backends: httpd's `ServerName`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The name; `None` where the machine decides.
    pub name: Option<TextId>,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// The scheme, where one is written.
    pub scheme: Option<TextId>,
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
    /// What a client must speak here.
    pub speaks: Speaks,
    /// The directive.
    pub span: Span,
}

impl Listen {
    /// The address, however nginx's configuration spells it; `None` where it is a file, or its name must be looked up.
    #[must_use]
    pub fn ip(&self, texts: &Texts) -> Option<IpAddr> {
        match texts.get(self.address) {
            b"*" => Some(Ipv4Addr::UNSPECIFIED.into()),
            b"localhost" => Some(Ipv4Addr::LOCALHOST.into()),
            text => str::from_utf8(text).ok()?.trim_start_matches('[').trim_end_matches(']').parse().ok(),
        }
    }

    /// Whether both are lines for one socket of nginx's.
    #[must_use]
    pub fn is_same_socket(&self, other: &Self, texts: &Texts) -> bool {
        let same_ip = || self.ip(texts).is_some_and(|ip| other.ip(texts) == Some(ip));
        self.port == other.port && (self.address == other.address || same_ip())
    }
}

/// What a client must speak at a socket, above TCP and TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP, of a version that is negotiated or recognised.
    #[default]
    Http,
    /// HTTP/2: `listen … http2`. Without TLS nginx recognises HTTP/1.1 there from 1.25.1 on only.
    Http2,
    /// The PROXY protocol, and HTTP behind it.
    ProxyProtocol,
}
