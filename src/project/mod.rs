//! From paths to sources, and which of them are roots: discovery, dialects, reading.

mod store;

pub use store::{Base, LoadError, Store, has_glob};

use std::path::PathBuf;

use crate::gateway::Server;
use crate::source::SourceId;

/// A file that a server would be started with, or one that nothing includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Whose language it is written in.
    pub server: Server,
    /// The file.
    pub source: SourceId,
    /// The directory that relative paths start from: the main file's (nginx) or the `ServerRoot` (httpd).
    pub base: PathBuf,
    /// Whether it is a main file. A fragment is read in the context that its directives imply.
    pub is_main: bool,
}
