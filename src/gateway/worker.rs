//! Workers: what httpd knows about a backend, found by the beginning of a URL.

use super::{Protocol, ScopeId, TextId};
use crate::source::Span;

/// What httpd knows about one backend.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    /// Its URL: scheme and authority in lower case.
    pub url: TextId,
    /// Whether `$1` in the URL stands for any text: that of a pattern.
    pub is_pattern: bool,
    /// Its parameters.
    pub scope: ScopeId,
    /// The directive that makes it.
    pub span: Span,
}

/// One backend of a balancer.
#[derive(Clone, Copy, Debug)]
pub struct BalancedWorker {
    /// Its URL as written.
    pub url: TextId,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its parameters.
    pub scope: ScopeId,
    /// What marks sessions that are kept with it: `route=`.
    pub route: Option<TextId>,
    /// Whether it is asked only when the others are down.
    pub backup: bool,
    /// The set it is of: those of the lowest are asked first.
    pub set: u32,
    /// Its share of the requests, in hundredths; 0 where it says nothing of who is asked first.
    pub share: u32,
    /// The directive.
    pub span: Span,
}
