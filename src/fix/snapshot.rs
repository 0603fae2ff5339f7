//! What a root does, as far as facts tell: every fact of every item under a name that edits leave alone, and what rules say of it.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use crate::facts::{Fact, Item, Reader, Subject, Value, View, facts};
use crate::gateway::{Assigned, Gateway, Matcher, Property, RouteId, SiteId};
use crate::handshake::lost_headers;
use crate::rules::{Level, Options, Rule, judge};

/// Names an item by what it is, not by where it stands: edits move things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(u64);

/// One value of an item, as a digest; `None`: it could not be known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// Which fact, as an index into [`Snapshot::names`].
    pub(super) fact: u32,
    /// Its value.
    pub(super) value: Option<u64>,
}

/// Facts that say how the program judges and not what the server does: they follow from the others.
const JUDGEMENTS: [&str; 5] =
    ["intent", "plain.certainty", "handshake.upgraded_elsewhere", "upgrade.beside_access_control", "forged_headers"];

/// The facts of one root.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// The names of facts that the cells have.
    pub(super) names: Vec<String>,
    /// The items in order.
    pub(super) items: Vec<(Key, Item)>,
    /// The facts of each.
    pub(super) cells: FxHashMap<Key, Vec<Cell>>,
    /// What rules say: the rule and of what, and how bad that is.
    pub(super) findings: FxHashMap<(String, Key), Level>,
    /// The key of every item.
    pub(super) keys: FxHashMap<Item, Key>,
    /// How often the same is noted or refused.
    pub(super) directives: FxHashMap<Key, usize>,
    /// The routes that are part of something that is mended as a whole, with that.
    pub(super) parts: Vec<(Key, Key)>,
    /// The request headers that routes lose or repeat, where they do.
    pub(super) faulty: FxHashMap<Key, Vec<String>>,
    /// Whether the server refuses to start.
    pub(super) refused: bool,
}

impl Snapshot {
    /// Reads every fact of every item.
    pub(super) fn take<'r>(view: &View<'_>, rules: impl IntoIterator<Item = &'r Rule>, options: &Options) -> Self {
        let mut snapshot = Self { refused: !view.gateway.refusals.is_empty(), ..Self::default() };
        let mut names: FxHashMap<String, u32> = FxHashMap::default();
        let keys = keys(view);
        for item in view.items(Subject::Directive) {
            *snapshot.directives.entry(keys[&item]).or_default() += 1;
        }
        for subject in [Subject::Gateway, Subject::Site, Subject::Upstream, Subject::Route] {
            let plain: Vec<(Fact, u32)> = plain_facts(subject)
                .map(|fact| {
                    let index = index_of(&mut names, &fact.name());
                    (fact, index)
                })
                .collect();
            for item in view.items(subject) {
                let Some(&key) = keys.get(&item) else { continue };
                let reader = Reader::new(view, item);
                let mut cells: Vec<Cell> =
                    plain.iter().map(|(fact, index)| Cell { fact: *index, value: read(fact, &reader) }).collect();
                for name in header_names(view.gateway, item) {
                    for probe in ["handshake", "plain"] {
                        let Ok(fact) = Fact::named(&format!("{probe}.request_header.{name}")) else { continue };
                        let index = index_of(&mut names, &fact.name());
                        cells.push(Cell { fact: index, value: read(&fact, &reader) });
                    }
                }
                if let Item::Route(id) = item {
                    let headers = faulty_headers(&reader, id);
                    if !headers.is_empty() {
                        snapshot.faulty.insert(key, headers);
                    }
                    snapshot.parts.extend(whole_of(view, id).and_then(|whole| Some((key, *keys.get(&whole)?))));
                }
                snapshot.items.push((key, item));
                snapshot.cells.insert(key, cells);
            }
        }
        for finding in judge(rules, view, options) {
            for key in finding.subjects.iter().filter_map(|subject| keys.get(&subject.item)) {
                let level = snapshot.findings.entry((finding.rule.clone(), *key)).or_insert(finding.level);
                *level = finding.level.max(*level);
            }
        }
        let mut named: Vec<(String, u32)> = names.into_iter().collect();
        named.sort_unstable_by_key(|(_, index)| *index);
        snapshot.keys = keys;
        snapshot.names = named.into_iter().map(|(name, _)| name).collect();
        snapshot
    }

    /// The value of one fact of an item.
    pub(super) fn value(&self, key: Key, fact: &str) -> Option<u64> {
        self.cells.get(&key)?.iter().find(|cell| self.name(cell) == fact)?.value
    }

    /// The name of the fact of a cell.
    pub(super) fn name(&self, cell: &Cell) -> &str {
        self.names.get(cell.fact as usize).map_or("", String::as_str)
    }
}

fn index_of(names: &mut FxHashMap<String, u32>, name: &str) -> u32 {
    if let Some(&index) = names.get(name) {
        return index;
    }
    let index = u32::try_from(names.len()).unwrap_or(u32::MAX);
    names.insert(name.to_owned(), index);
    index
}

/// The facts of a subject that have one value each.
fn plain_facts(subject: Subject) -> impl Iterator<Item = Fact> {
    let of_subject = facts().filter(move |definition| definition.subject == subject && !definition.name.ends_with("<name>"));
    of_subject
        .filter(|definition| !JUDGEMENTS.contains(&definition.name))
        .filter_map(|definition| Fact::named(definition.name).ok())
}

fn read(fact: &Fact, reader: &Reader<'_>) -> Option<u64> {
    Some(match fact.read(reader).value.ok()? {
        Value::Absent => 0,
        other => digest(&other.to_string()),
    })
}

/// What stands for a value in a [`Cell`].
pub(super) fn digest(value: &str) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The request headers that the configuration speaks of for an item, in lower case.
fn header_names(gateway: &Gateway, item: Item) -> Vec<String> {
    let Item::Route(id) = item else { return Vec::new() };
    let mut names: Vec<String> = ["host", "connection", "upgrade"].map(str::to_owned).to_vec();
    let mut seen = FxHashSet::default();
    for scope in gateway.scopes.chain(gateway.route(id).scope) {
        for entry in gateway.scopes.own(scope).filter(|entry| entry.property == Property::RequestHeader) {
            let lower = match entry.assigned {
                Assigned::Header { lower, .. } => lower,
                Assigned::HeaderEdit(id) => gateway.header_edit(id).lower,
                _ => continue,
            };
            if seen.insert(lower) {
                names.push(gateway.texts.show(lower).into_owned());
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// What a route is a part of: another route under a condition, else its site.
fn whole_of(view: &View<'_>, id: RouteId) -> Option<Item> {
    let route = view.gateway.route(id);
    match route.matcher {
        Matcher::Conditional => route.parent.map(Item::Route),
        _ => Some(Item::Site(route.site)),
    }
}

/// The request headers, in lower case, that a route loses from a level around it or sends more than once.
fn faulty_headers(reader: &Reader<'_>, id: RouteId) -> Vec<String> {
    let gateway = reader.view.gateway;
    let lost = lost_headers(gateway, gateway.route(id)).unwrap_or_default();
    let mut headers: Vec<String> = lost.into_iter().map(|(name, ..)| name).collect();
    let repeated = Fact::named("handshake.repeated_headers").ok().map(|fact| fact.read(reader).value);
    if let Some(Ok(Value::List(names))) = repeated {
        headers.extend(names);
    }
    headers
}

/// The key of every item.
fn keys(view: &View<'_>) -> FxHashMap<Item, Key> {
    let gateway = view.gateway;
    let mut keys = FxHashMap::default();
    let mut seen: FxHashMap<u64, u32> = FxHashMap::default();
    for subject in [Subject::Gateway, Subject::Site, Subject::Upstream, Subject::Route, Subject::Directive] {
        for item in view.items(subject) {
            let mut hasher = FxHasher::default();
            subject.hash(&mut hasher);
            match item {
                Item::Gateway => {}
                Item::Site(SiteId(index)) => index.hash(&mut hasher),
                Item::Upstream(id) => gateway.texts.get(gateway.upstream(id).name).hash(&mut hasher),
                Item::Route(id) => route(gateway, id, &mut hasher),
                // Two complaints in the same words about one file are told by their number.
                Item::Directive(index) => {
                    let remark = &gateway.remarks[index];
                    (remark.span.source, format!("{:?}", remark.kind)).hash(&mut hasher);
                    keys.insert(item, Key(hasher.finish()));
                    continue;
                }
                Item::Refused(index) => {
                    let refusal = &gateway.refusals[index];
                    (refusal.span.source, refusal.fault, &refusal.message).hash(&mut hasher);
                    keys.insert(item, Key(hasher.finish()));
                    continue;
                }
            }
            let ordinal = seen.entry(hasher.finish()).or_default();
            ordinal.hash(&mut hasher);
            *ordinal += 1;
            keys.insert(item, Key(hasher.finish()));
        }
    }
    keys
}

fn route(gateway: &Gateway, id: RouteId, hasher: &mut FxHasher) {
    let route = gateway.route(id);
    route.site.hash(hasher);
    let text = |id| gateway.texts.get(id);
    match route.matcher {
        Matcher::Exact(path) => ("=", text(path)).hash(hasher),
        Matcher::Prefix { text: path, before_patterns } => (before_patterns, text(path)).hash(hasher),
        Matcher::Segments(path) => ("/", text(path)).hash(hasher),
        Matcher::Pattern { pattern, ignore_case } => (ignore_case, text(pattern)).hash(hasher),
        Matcher::Named(name) => ("@", text(name)).hash(hasher),
        Matcher::Rewrite(index) => {
            let rewrite = gateway.site(route.site).rewrites.get(index as usize);
            ("rewrite", rewrite.map(|rewrite| text(rewrite.pattern))).hash(hasher);
        }
        Matcher::Conditional => ("if", route.parent.map(|parent| parent.0)).hash(hasher),
        Matcher::Unknown(_) => "?".hash(hasher),
    }
}
