//! How far edits can reach: the sites whose requests may be treated otherwise, so that the others need not be looked at.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::facts::Item;
use crate::gateway::{Gateway, Server, SiteId};
use crate::project::Store;
use crate::source::{Edit, SourceId};

/// The items of a root that edits can be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of them.
    All,
    /// These sites with their routes, and what is noted about directives.
    Sites(FxHashSet<SiteId>),
}

impl Reach {
    /// How far `edits` of the files of a root reach.
    ///
    /// What stands in the block of one site is about that site: whom a request comes to is decided by what sites are called and where they
    /// listen, and no edit that changes these is taken. What stands in a file that only sites read is about those; all else is about all.
    pub(super) fn of<'e>(gateway: &Gateway, store: &Store, edits: impl Iterator<Item = &'e Edit>) -> Self {
        let mut blocks: Option<Blocks> = None;
        let mut readers: Option<FxHashMap<SourceId, Readers>> = None;
        let mut sites = FxHashSet::default();
        for edit in edits.filter(|edit| !is_definition(gateway.server, edit)) {
            let blocks = blocks.get_or_insert_with(|| Blocks::of(gateway, store));
            let mut around = blocks.around(edit).peekable();
            if around.peek().is_some() {
                sites.extend(around);
                continue;
            }
            // Beside a site stands what all share.
            if blocks.0.contains_key(&edit.span.source) {
                return Self::All;
            }
            let readers = readers.get_or_insert_with(|| readers_of(gateway));
            match readers.get(&edit.span.source) {
                Some(Readers::Sites(found)) => sites.extend(found),
                _ => return Self::All,
            }
        }
        Self::Sites(sites)
    }

    /// Whether an item is within reach.
    pub(super) fn holds(&self, gateway: &Gateway, item: Item) -> bool {
        match (self, item) {
            (Self::All, _) | (_, Item::Gateway | Item::Directive(_) | Item::Refused(_)) => true,
            (Self::Sites(sites), Item::Site(id)) => sites.contains(&id),
            (Self::Sites(sites), Item::Route(id)) => sites.contains(&gateway.route(id).site),
            (Self::Sites(_), Item::Upstream(_)) => false,
        }
    }
}

/// Whether an edit does nothing but define a variable that had no meaning before: the editor of nginx puts such a `map` into `http`.
fn is_definition(server: Server, edit: &Edit) -> bool {
    server == Server::Nginx && edit.span.is_empty() && edit.text.trim_ascii_start().starts_with(b"map $http_upgrade $")
}

/// The blocks of sites, by file and in order.
struct Blocks(FxHashMap<SourceId, Vec<(u32, u32, SiteId)>>);

impl Blocks {
    fn of(gateway: &Gateway, store: &Store) -> Self {
        let mut blocks: FxHashMap<SourceId, Vec<(u32, u32, SiteId)>> = FxHashMap::default();
        let ids = (0..u32::try_from(gateway.sites.len()).unwrap_or(u32::MAX)).map(SiteId);
        for (id, site) in ids.map(|id| (id, gateway.site(id))).filter(|(_, site)| !site.span.is_empty() && !site.is_main) {
            let tree = store.tree(site.span.source);
            let behind = tree.directives().partition_point(|directive| tree.range(directive.name).start <= site.span.start);
            let Some(index) = behind.checked_sub(1).and_then(|index| u32::try_from(index).ok()) else { continue };
            let extent = tree.extent(crate::tree::DirectiveId(index));
            blocks.entry(site.span.source).or_default().push((extent.start, extent.end, id));
        }
        // Sites come in the order of their files, but for those that one line brings several times.
        let in_order = |(source, mut blocks): (SourceId, Vec<(u32, u32, SiteId)>)| {
            blocks.sort_unstable();
            (source, blocks)
        };
        Self(blocks.into_iter().map(in_order).collect())
    }

    /// The sites whose block `edit` is in; several, where a file is read several times.
    fn around(&self, edit: &Edit) -> impl Iterator<Item = SiteId> {
        let blocks = self.0.get(&edit.span.source).map_or(&[][..], Vec::as_slice);
        let behind = blocks.partition_point(|(start, ..)| *start < edit.span.start);
        let nearest = behind.checked_sub(1).map_or(u32::MAX, |last| blocks[last].0);
        let same = blocks[..behind].iter().rev().take_while(move |(start, ..)| *start == nearest);
        same.filter(|(_, end, _)| edit.span.end < *end).map(|(.., id)| *id)
    }
}

/// Who reads a file.
enum Readers {
    /// Something that all sites share stands in it.
    All,
    /// These sites alone.
    Sites(FxHashSet<SiteId>),
}

/// By file, the sites of which anything stands in it.
fn readers_of(gateway: &Gateway) -> FxHashMap<SourceId, Readers> {
    let mut readers: FxHashMap<SourceId, Readers> = FxHashMap::default();
    let note = |readers: &mut FxHashMap<SourceId, Readers>, source: SourceId, site: SiteId| {
        if let Readers::Sites(sites) = readers.entry(source).or_insert_with(|| Readers::Sites(FxHashSet::default())) {
            sites.insert(site);
        }
    };
    let scopes = &gateway.scopes;
    for id in gateway.route_ids() {
        let route = gateway.route(id);
        note(&mut readers, route.span.source, route.site);
        let end = gateway.site(route.site).scope;
        // A level belongs to its site up to the site's own.
        let own = scopes.chain(route.scope).take_while(|scope| *scope != end).chain([end]);
        for entry in own.flat_map(|scope| scopes.own(scope)) {
            note(&mut readers, entry.span.source, route.site);
        }
    }
    let mut shared: Vec<SourceId> = vec![gateway.root];
    for site in &gateway.sites {
        // What virtual hosts inherit is the main server's.
        let around = scopes.chain(site.scope).skip(usize::from(!site.is_main));
        shared.extend(around.flat_map(|scope| scopes.own(scope)).map(|entry| entry.span.source));
        if site.is_main {
            shared.extend(site.route_ids().map(|id| gateway.route(id).span.source));
        }
    }
    shared.extend(gateway.upstreams.iter().map(|upstream| upstream.span.source));
    for source in shared {
        readers.insert(source, Readers::All);
    }
    readers
}
