//! What bounds the connections of a whole server.

use super::Millis;
use crate::source::Span;

/// A bound, and the directive that sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<T> {
    /// The bound.
    pub value: T,
    /// The directive.
    pub span: Span,
}

/// The bounds that are written; what is not written has the server's default, or the machine's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Capacity {
    /// The connections of one worker process, those to upstreams included: `worker_connections`.
    pub connections: Option<Limit<u64>>,
    /// The files, connections among them, that one worker process may have open: `worker_rlimit_nofile`.
    pub open_files: Option<Limit<u64>>,
    /// How long a worker process that is to end waits for its connections: `worker_shutdown_timeout`.
    pub shutdown: Option<Limit<Millis>>,
}
