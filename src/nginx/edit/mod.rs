//! From wanted facts to edits of nginx configuration: the smallest that make them true where the request is proxied.
//!
//! Whether an edit changes anything else is not judged here: it is tried, and the facts of all routes are compared.

mod capacity;
mod directive;
mod map;
mod place;
mod route;
mod site;

use std::cell::OnceCell;

use rustc_hash::FxHashMap;

use super::Resolved;
use super::line::Line;
use crate::facts::{Item, View};
use crate::fix::Job;
use crate::gateway::{Gateway, Property, RouteId, ScopeId, Target};
use crate::project::Store;
use crate::rules::Plan;
use crate::source::{SourceId, Span};
use crate::tree::DirectiveId;

/// Finds edits in the files of one root.
#[derive(Debug)]
pub struct Editor<'a> {
    store: &'a Store,
    resolved: &'a Resolved,
    view: &'a View<'a>,
    /// The routes that send the headers of each level; worked out when first asked for.
    users: OnceCell<FxHashMap<u32, Vec<RouteId>>>,
    /// The routes by place; worked out when first asked for.
    places: OnceCell<FxHashMap<Span, RouteId>>,
    /// The lines that include each file, in the order of the files; worked out when first asked for.
    includes: OnceCell<FxHashMap<SourceId, Vec<(SourceId, DirectiveId)>>>,
}

impl<'a> Editor<'a> {
    /// An editor of the files of a root, which `view` shows.
    #[must_use]
    pub fn new(store: &'a Store, resolved: &'a Resolved, view: &'a View<'a>) -> Self {
        Self { store, resolved, view, users: OnceCell::new(), places: OnceCell::new(), includes: OnceCell::new() }
    }

    /// The edits for a job: several plans, the best first.
    ///
    /// # Errors
    /// The reason where none is known.
    pub fn plan(&self, job: Job<'_>) -> Result<Vec<Plan>, String> {
        match job.item {
            Item::Route(id) => self.route(id, job),
            Item::Directive(index) => self.remark(&self.gateway().remarks[index]),
            Item::Refused(index) => self.refusal(&self.gateway().refusals[index]),
            Item::Site(id) => self.site(id, job.wants),
            Item::Upstream(_) | Item::Gateway => Err("no edit is known for it".to_owned()),
        }
    }

    fn gateway(&self) -> &'a Gateway {
        self.view.gateway
    }

    /// The route that stands at `span`.
    fn route_at(&self, span: Span) -> Option<RouteId> {
        let gateway = self.gateway();
        let places = self.places.get_or_init(|| gateway.route_ids().map(|id| (gateway.route(id).span, id)).collect());
        places.get(&span).copied()
    }

    /// The lines that include each file.
    fn includes(&self) -> &FxHashMap<SourceId, Vec<(SourceId, DirectiveId)>> {
        self.includes.get_or_init(|| {
            let mut includes: FxHashMap<SourceId, Vec<(SourceId, DirectiveId)>> = FxHashMap::default();
            for &source in &self.resolved.sources {
                let (tree, bytes) = (self.store.tree(source), self.store.sources.get(source).bytes());
                let ids = (0..tree.directives().len()).filter_map(|index| u32::try_from(index).ok()).map(DirectiveId);
                for line in ids.map(|id| Line::new(source, tree, bytes, id)).filter(|line| line.name() == b"include") {
                    for &file in self.resolved.include(source, line.id, line.span()).files {
                        includes.entry(file).or_default().push((source, line.id));
                    }
                }
            }
            includes
        })
    }

    /// The routes that proxy requests with the headers of a level.
    fn users(&self, level: ScopeId) -> &[RouteId] {
        let users = self.users.get_or_init(|| {
            let gateway = self.gateway();
            let mut users: FxHashMap<u32, Vec<RouteId>> = FxHashMap::default();
            for id in gateway.route_ids() {
                let route = gateway.route(id);
                if let (Some(level), _) = gateway.scopes.list(route.scope, Property::RequestHeader)
                    && matches!(route.target, Target::Proxy(_))
                {
                    users.entry(level.0).or_default().push(id);
                }
            }
            users
        });
        users.get(&level.0).map_or(&[], Vec::as_slice)
    }
}
