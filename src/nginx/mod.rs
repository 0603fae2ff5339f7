//! nginx: its language, and what its directives mean.

mod parse;

pub use parse::parse;

use crate::gateway::{Gateway, Version};
use crate::project::{Root, Store};
use crate::source::SourceId;

/// What a root includes.
#[derive(Debug)]
pub struct Resolved {
    /// Every source reached, the root first.
    pub sources: Vec<SourceId>,
}

/// Follows the includes of `root`.
pub fn resolve(_store: &mut Store, root: &Root) -> Resolved {
    Resolved { sources: vec![root.source] }
}

/// Models what the server does with the configuration.
#[must_use]
pub fn lower(_store: &Store, root: &Root, _resolved: &Resolved, version: Option<Version>) -> Gateway {
    Gateway::new(root.server, version, root.source)
}
