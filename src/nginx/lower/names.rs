//! Which variables the configuration defines, and which it uses without a definition. nginx asks this of all files at once: the
//! order of definition and use does not matter.

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::gateway::{Definition, Gateway, Remark, RemarkKind};
use crate::nginx::{Resolved, outline};
use crate::project::Store;
use crate::source::{SourceId, Span};

/// How many files a thread looks at in one go: whoever has nothing else to do takes the next.
const BATCH: usize = 256;

/// The variables that are not nginx's own, of a root.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Lower-case names, each with where it was first met, and whether it is the name of a capture.
    defined: FxHashMap<Box<[u8]>, (Span, bool)>,
}

/// The files of a root that nginx reads inside `http`, in order.
fn sources(resolved: &Resolved) -> impl Iterator<Item = SourceId> + '_ {
    resolved.sources.iter().copied().filter(|&source| resolved.is_http(source))
}

impl Names {
    /// Collects the names that any file of the root defines.
    pub(super) fn collect(store: &Store, resolved: &Resolved) -> Self {
        let mut all = Self::default();
        for source in sources(resolved) {
            for defined in &store.parsed(source).outline().defined {
                if !all.contains(&defined.name) {
                    let span = Span::new(source, defined.place.start, defined.place.end);
                    all.defined.insert(defined.name.clone(), (span, defined.captured));
                }
            }
        }
        all
    }

    /// The uses of names that nothing defines.
    pub(super) fn undefined(&self, store: &Store, resolved: &Resolved) -> Vec<Remark> {
        let of_file = |source: SourceId| {
            let used = outline::used(store.tree(source), store.sources.get(source).bytes()).into_iter();
            used.filter(|used| used.is_number || !self.contains(&used.name)).map(move |used| {
                let span = Span::new(source, used.place.start, used.place.end);
                let kind = RemarkKind::UndefinedVariable { name: String::from_utf8_lossy(&used.name).into_owned() };
                Remark { span, labels: Vec::new(), kind }
            })
        };
        sources(resolved).collect::<Vec<_>>().into_par_iter().with_max_len(BATCH).flat_map_iter(of_file).collect()
    }

    pub(super) fn contains(&self, name: &[u8]) -> bool {
        self.defined.contains_key(name)
    }

    /// Gives every name that the model uses a definition: those that the walk met none for are captures, or a module's.
    #[expect(clippy::iter_over_hash_type, reason = "one table is filled from another: the order leaves no trace")]
    pub(super) fn complete(&self, gateway: &mut Gateway) {
        for (name, &(span, captured)) in &self.defined {
            if let Some(name) = gateway.texts.find(name) {
                // What a pattern captures is assigned when it matches.
                let definition = || if captured { Definition::Assigned(Vec::new()) } else { Definition::Opaque(span) };
                gateway.variables.entry(name).or_insert_with(definition);
            }
        }
    }
}
