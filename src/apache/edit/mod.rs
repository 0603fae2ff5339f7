//! From wanted facts to edits of httpd configuration: the smallest that make them true where the request is mapped.
//!
//! Whether an edit changes anything else is not judged here: it is tried, and the facts of all routes are compared.

mod directive;
mod line;
mod modules;
mod order;
mod parameters;
mod rewrite;
mod route;
mod section;
mod site;

use crate::facts::{Item, View};
use crate::fix::Job;
use crate::gateway::{Gateway, Version};
use crate::project::Store;
use crate::rules::Plan;
use crate::source::{Edit, SourceId};

/// Since this version `upgrade=` lets WebSockets through to `http://` backends.
const UPGRADES: Version = Version::new(2, 4, 47);

/// Finds edits in the files of one root.
#[derive(Debug)]
pub struct Editor<'a> {
    store: &'a Store,
    view: &'a View<'a>,
}

/// Part of a plan: edits, and lines that go elsewhere.
#[derive(Clone, Debug, Default)]
struct Step {
    /// What is done, for a list to choose from.
    title: String,
    edits: Vec<Edit>,
    moved: Option<order::Move>,
}

impl<'a> Editor<'a> {
    /// An editor of the files of a root, which `view` shows.
    #[must_use]
    pub fn new(store: &'a Store, view: &'a View<'a>) -> Self {
        Self { store, view }
    }

    /// The edits for a job: several plans, the best first.
    ///
    /// # Errors
    /// The reason where none is known.
    pub fn plan(&self, job: Job<'_>) -> Result<Vec<Plan>, String> {
        match job.item {
            Item::Route(id) => self.route(id, job.wants),
            Item::Directive(index) => self.remark(&self.gateway().remarks[index]),
            Item::Refused(index) => self.refusal(&self.gateway().refusals[index]),
            Item::Site(id) => self.site(id, job.wants),
            Item::Upstream(_) | Item::Gateway => Err("no edit is known for it".to_owned()),
        }
    }

    fn gateway(&self) -> &'a Gateway {
        self.view.gateway
    }

    /// Whether a source is a file of a directory, such as `.htaccess`: sections and most of what is about backends may not stand there.
    fn is_of_directory(&self, source: SourceId) -> bool {
        let gateway = self.gateway();
        let files = gateway.sites.iter().flat_map(|site| &site.areas).filter(|area| area.file.is_some());
        files.into_iter().any(|area| area.span.source == source)
    }

    /// Whether `upgrade=` is known to do nothing for `http://` backends.
    fn is_too_old(&self) -> bool {
        self.gateway().version.is_some_and(|version| version < UPGRADES)
    }
}

impl Step {
    fn new(title: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self { title: title.into(), edits, moved: None }
    }
}
