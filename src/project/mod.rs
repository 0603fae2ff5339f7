//! From paths to sources, and which of them are roots: discovery, dialects, reading.

mod discover;
mod image;
mod language;
mod roots;
mod sniff;
mod store;

pub use discover::{Candidate, Given, Problem, discover};
pub use language::{Resolved, resolve};
pub use roots::{Reached, roots};
pub use sniff::{is_candidate, server_of};
pub use store::{Base, LoadError, Store, Wanted, has_glob};

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
