//! The switch between the servers: the one place that names them all. Each offers the same three steps.

use std::path::Path;

use super::{Root, Store};
use crate::facts::View;
use crate::fix::Planner;
use crate::gateway::{Fault, Gateway, Refusal, Server, Version};
use crate::source::{SourceId, Span};
use crate::tree::{Tree, is_template};
use crate::{apache, nginx};

/// A file as it is read by itself.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(super) tree: Tree,
    /// What it says to nginx by itself, where it does; to httpd, nothing: what its files say depends on those before them.
    outline: Option<Box<nginx::Outline>>,
}

impl Parsed {
    /// What it says to nginx by itself.
    #[must_use]
    pub(crate) fn outline(&self) -> &nginx::Outline {
        static NOTHING: nginx::Outline = nginx::Outline::NOTHING;
        self.outline.as_deref().unwrap_or(&NOTHING)
    }
}

/// Parses a file in the language of `server`.
#[must_use]
pub(super) fn parse(server: Server, path: &Path, bytes: &[u8]) -> Parsed {
    let holes = is_template(path, bytes);
    match server {
        Server::Nginx => {
            let tree = nginx::parse(bytes, holes);
            let outline = nginx::outline(&tree, bytes);
            Parsed { tree, outline: (!outline.is_empty()).then(|| Box::new(outline)) }
        }
        Server::Apache => Parsed { tree: apache::parse(bytes, holes), outline: None },
    }
}

/// A root with what it includes.
#[derive(Debug)]
pub enum Resolved {
    /// Of nginx.
    Nginx(nginx::Resolved),
    /// Of Apache httpd.
    Apache(apache::Resolved),
    /// A file of which the syntax alone is judged: what a `.htaccess` means depends on the directory the server finds it in.
    SyntaxOnly([SourceId; 1]),
}

/// Follows the includes of `root`, as `version` of its server does.
pub fn resolve(store: &mut Store, root: &Root, version: Option<Version>) -> Resolved {
    match root.server {
        Server::Nginx => Resolved::Nginx(nginx::resolve(store, root)),
        Server::Apache => Resolved::Apache(apache::resolve_for(store, root, version)),
    }
}

impl Resolved {
    /// Every source reached, the root first.
    #[must_use]
    pub fn sources(&self) -> &[SourceId] {
        match self {
            Self::Nginx(resolved) => &resolved.sources,
            Self::Apache(resolved) => &resolved.sources,
            Self::SyntaxOnly(source) => source,
        }
    }

    /// What finds the edits that make wanted facts of this configuration true.
    #[must_use]
    pub fn planner<'a>(&'a self, store: &'a Store, view: &'a View<'a>) -> Planner<'a> {
        match self {
            Self::Nginx(resolved) => {
                let editor = nginx::Editor::new(store, resolved, view);
                Box::new(move |job| editor.plan(job))
            }
            Self::Apache(_) => {
                let editor = apache::Editor::new(store, view);
                Box::new(move |job| editor.plan(job))
            }
            Self::SyntaxOnly(_) => Box::new(|_| Err("no edit is known for it".to_owned())),
        }
    }

    /// Models what the server does with the configuration.
    #[must_use]
    pub fn lower(&self, store: &Store, root: &Root, version: Option<Version>) -> Gateway {
        match self {
            Self::Nginx(resolved) => nginx::lower(store, root, resolved, version),
            Self::Apache(resolved) => apache::lower(store, root, resolved, version),
            Self::SyntaxOnly([source]) => {
                let mut gateway = Gateway::new(root.server, version, *source);
                for error in store.tree(*source).errors() {
                    let span = Span::new(*source, error.start, error.end);
                    gateway.refusals.push(Refusal::new(span, Fault::Syntax, error.message.clone()));
                }
                gateway
            }
        }
    }
}
