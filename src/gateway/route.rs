//! A route: one place that answers or proxies requests.

use super::{ScopeId, Signal, SiteId, SymbolicId, TextId, Unknown, UpstreamId};
use crate::source::Span;

/// Names a [`Route`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub u32);

/// One place that answers or proxies requests: an nginx location; an httpd `ProxyPass`, `RewriteRule … [P]` or section that proxies.
#[derive(Clone, Debug)]
pub struct Route {
    /// The site it belongs to.
    pub site: SiteId,
    /// The route it is nested in.
    pub parent: Option<RouteId>,
    /// Which requests it takes.
    pub matcher: Matcher,
    /// What a reader would call the route: the head of the location or section, or the mapping directive.
    pub span: Span,
    /// What happens to a request that it takes.
    pub target: Target,
    /// What is set on its level.
    pub scope: ScopeId,
    /// What hints that the route is meant for WebSockets and is not in the settings: comments, marks of the author.
    pub signals: Vec<Signal>,
    /// What the server needs for the target and may lack.
    pub requires: Vec<Requirement>,
}

/// Which requests a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matcher {
    /// The path and nothing else: nginx `location = /x`.
    Exact(TextId),
    /// Paths that begin with the text: nginx `location /x`, `location ^~ /x`.
    Prefix {
        /// The text.
        text: TextId,
        /// Whether patterns are not tried once this is the longest prefix: `^~`.
        before_patterns: bool,
    },
    /// The path itself or what lies below it, by whole segments: httpd's `ProxyPass` and `<Location>` (`alias_match`, `mod_proxy.c`).
    Segments(TextId),
    /// A regular expression over the path.
    Pattern {
        /// The pattern without its markers.
        pattern: TextId,
        /// Whether case is ignored.
        ignore_case: bool,
    },
    /// Reached by name only: nginx `location @x`.
    Named(TextId),
    /// Taken by one rewrite rule of the site, by its index in [`super::Site::rewrites`].
    Rewrite(u32),
    /// Part of its parent, under a condition: nginx's `if` and `limit_except`.
    Conditional,
    /// Cannot be known.
    Unknown(Unknown),
}

/// What happens to a request that a route takes.
#[derive(Clone, Debug)]
pub enum Target {
    /// It is passed to an upstream.
    Proxy(Proxy),
    /// It is taken out of proxying: httpd's `ProxyPass /x !`.
    Excluded(Span),
    /// The server answers by itself.
    Answer {
        /// The status.
        status: u16,
        /// The directive.
        span: Span,
    },
    /// Files are served.
    Files,
    /// Cannot be known.
    Unknown(Unknown),
}

/// Where a request is passed to.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// The directive that passes it on: its name and words.
    pub span: Span,
    /// The protocol spoken to the upstream.
    pub protocol: Protocol,
    /// Scheme, host, port and path as written.
    pub url: SymbolicId,
    /// Host and port, or the group's name, as written; `None` where variables or holes decide.
    pub authority: Option<TextId>,
    /// The path that replaces the matched part; `None` where none is written or it cannot be known.
    pub path: Option<TextId>,
    /// The group of backends that the authority names.
    pub upstream: Option<UpstreamId>,
    /// The backend's own parameters: those of the httpd worker in force, which may be written at another mapping (`ap_proxy_get_worker`).
    pub worker: Option<ScopeId>,
    /// What is sent of the path and query that the client asked for.
    pub spelling: Spelling,
    /// Where this mapping's own parameters are not in force: whose are instead.
    pub shares: Option<SharedWorker>,
}

/// A worker of another mapping, whose URL this one's begins with (`add_pass`, `mod_proxy.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedWorker {
    /// The mapping that made the worker.
    pub of: Span,
    /// The level that holds the own parameters, which are ignored.
    pub ignored: ScopeId,
}

/// What a mapping sends of the path and query that the client asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// The path as the server has read it, and the query.
    #[default]
    Read,
    /// Both as the client has written them: httpd's `nocanon`.
    Written,
    /// The path without dots and double slashes but else as it was written; it is mapped so, before all others: httpd's `mapping=encoded`.
    Encoded {
        /// Whether it is passed on as the client has written it: `nocanon`.
        written: bool,
    },
    /// The same, where parameters of its segments do not count: httpd's `mapping=servlet`.
    Servlet {
        /// Whether what is left of it is taken from what the client has written: `nocanon`.
        written: bool,
    },
}

impl Spelling {
    /// Whether it is mapped before it is decoded.
    #[must_use]
    pub fn is_undecoded(self) -> bool {
        matches!(self, Self::Encoded { .. } | Self::Servlet { .. })
    }
}

/// The protocol spoken to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// HTTP with or without TLS, as a variable says when a request comes.
    HttpOrHttps,
    /// httpd's `ws`: HTTP with the upgrade to WebSocket.
    Ws,
    /// The same over TLS.
    Wss,
    /// HTTP/2 without or with TLS: httpd's `h2c` and `h2`.
    H2,
    /// `FastCGI`.
    FastCgi,
    /// uwsgi.
    Uwsgi,
    /// SCGI.
    Scgi,
    /// gRPC.
    Grpc,
    /// AJP.
    Ajp,
    /// A group of backends of unlike or unknown protocols.
    Balancer,
    /// Another, or one that variables or holes decide.
    Other,
}

impl Protocol {
    /// What the scheme of a URL stands for, in whatever case. Those of httpd: nginx names all but HTTP by directives.
    #[must_use]
    pub fn of_scheme(scheme: &[u8]) -> Self {
        const NAMED: [Protocol; 10] = [
            Protocol::Http,
            Protocol::Https,
            Protocol::Ws,
            Protocol::Wss,
            Protocol::Balancer,
            Protocol::H2,
            Protocol::FastCgi,
            Protocol::Uwsgi,
            Protocol::Scgi,
            Protocol::Ajp,
        ];
        let is = |name: &str| scheme.eq_ignore_ascii_case(name.as_bytes());
        match NAMED.into_iter().find(|protocol| is(protocol.scheme())) {
            Some(protocol) => protocol,
            None if is("h2c") => Self::H2,
            None => Self::Other,
        }
    }

    /// The scheme, as in a URL.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::HttpOrHttps => "http or https",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::H2 => "h2",
            Self::FastCgi => "fcgi",
            Self::Uwsgi => "uwsgi",
            Self::Scgi => "scgi",
            Self::Grpc => "grpc",
            Self::Ajp => "ajp",
            Self::Balancer => "balancer",
            Self::Other => "other",
        }
    }

    /// Whether the settings towards such upstreams are others than those for HTTP: `uwsgi_read_timeout` beside `proxy_read_timeout`.
    #[must_use]
    pub fn has_own_settings(self) -> bool {
        matches!(self, Self::FastCgi | Self::Uwsgi | Self::Scgi | Self::Grpc)
    }

    /// Whether HTTP requests of version 1 are sent, in which a WebSocket handshake can travel.
    #[must_use]
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https | Self::HttpOrHttps | Self::Ws | Self::Wss)
    }
}

/// Modules of which the server needs one.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// Any of these will do; the first is the one to recommend.
    pub any_of: Vec<&'static str>,
    /// The words that need it.
    pub span: Span,
    /// What it is needed for, e.g. `the scheme ws`.
    pub purpose: &'static str,
    /// Set where a later version needs it no more and the version judged for is not known.
    pub until: Option<super::Version>,
}

#[cfg(test)]
mod tests {
    use super::Protocol;

    #[test]
    fn schemes_are_known_in_any_case() {
        assert_eq!(Protocol::of_scheme(b"WSS"), Protocol::Wss);
        assert_eq!(Protocol::of_scheme(b"h2"), Protocol::H2);
        assert_eq!(Protocol::of_scheme(b"h2c"), Protocol::H2);
        assert_eq!(Protocol::of_scheme(b"grpc"), Protocol::Other);
        assert_eq!(Protocol::of_scheme(b"$scheme"), Protocol::Other);
    }
}
