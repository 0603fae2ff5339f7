//! A named group of backends: nginx's `upstream`, httpd's balancer.

use super::{TextId, Unknown};
use crate::source::Span;

/// Names an [`Upstream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamId(pub u32);

/// A named group of backends.
#[derive(Debug)]
pub struct Upstream {
    /// The name, in lower case.
    pub name: TextId,
    /// The head of the block that defines it.
    pub span: Span,
    /// Its backends.
    pub members: Vec<Member>,
    /// What keeps a client with one backend, where anything does: `ip_hash`, `hash`, `sticky`, `stickysession=`.
    pub affinity: Option<Span>,
    /// The cookie that says which backend a client is kept with, and behind `|` the part of the path or query that does.
    pub session: Option<TextId>,
    /// What keeps idle connections to the backends open: `keepalive`.
    pub keepalive: Option<Span>,
    /// Set where there may be members or settings that we do not see.
    pub partial: Option<Unknown>,
}

/// One backend of a group.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Its address as written.
    pub address: TextId,
    /// Whether it is not asked in turn with the others: only when they are down, or not at all.
    pub backup: bool,
    /// The directive.
    pub span: Span,
}
