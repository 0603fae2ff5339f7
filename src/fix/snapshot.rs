//! What a root does, as far as facts tell: every fact of every item under a name that edits leave alone, and what rules say of it.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::asked::{Asked, ask};
use super::reach::Reach;
use crate::facts::{Definition, Fact, Item, Reader, Subject, Value, View, facts};
use crate::gateway::{Assigned, Gateway, Matcher, Property, RemarkKind, RouteId, SiteId};
use crate::handshake::lost_headers;
use crate::rules::{Benches, Level, Options, Rule};

/// Names an item by what it is, not by where it stands: edits move things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(u64);

/// Facts that say how the program judges and not what the server does: they follow from the others.
const JUDGEMENTS: [&str; 6] = [
    "serves_http",
    "intent",
    "plain.certainty",
    "handshake.upgraded_elsewhere",
    "upgrade.beside_access_control",
    "forged_headers",
];

/// The value of a fact that could not be known, in the place of a digest.
const UNKNOWN: u64 = u64::MAX;

/// The facts of one item.
#[derive(Debug)]
struct Cells {
    subject: Subject,
    /// The digests of the facts of the subject that have one value each, in the order of the table.
    plain: Box<[u64]>,
    /// Those of request headers, by the facts' names.
    headers: Box<[(Cow<'static, str>, u64)]>,
}

/// The facts of one root, or of those of its sites that are looked at.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The sites that are looked at.
    pub(super) reach: Reach,
    /// The items in order.
    pub(super) items: Vec<(Key, Item)>,
    /// The facts of each.
    cells: FxHashMap<Key, Cells>,
    /// What rules say: the rule and of what, and how bad that is.
    pub(super) findings: FxHashMap<(String, Key), Level>,
    /// The key of every item.
    pub(super) keys: FxHashMap<Item, Key>,
    /// How often the same is noted or refused.
    pub(super) directives: FxHashMap<Key, usize>,
    /// The notes of sections whose lines do not count.
    pub(super) sections: FxHashSet<Key>,
    /// The routes that are part of something that is mended as a whole, with that.
    pub(super) parts: Vec<(Key, Key)>,
    /// The request headers that routes lose or repeat, where they do.
    pub(super) faulty: FxHashMap<Key, Vec<String>>,
    /// The site of each route.
    pub(super) homes: FxHashMap<Key, SiteId>,
    /// What requests come to; left out of what is seen afterwards.
    pub(super) asked: Vec<Asked>,
    /// How many sites and routes there are in all.
    pub(super) counts: (usize, usize),
    /// Whether the server refuses to start.
    pub(super) refused: bool,
}

/// What is read of one item.
struct Row {
    key: Key,
    item: Item,
    cells: Cells,
    faulty: Vec<String>,
    part_of: Option<Key>,
}

impl Snapshot {
    /// Reads every fact of every item within `reach`, and follows requests where `asks`.
    pub(super) fn take<'r>(
        view: &View<'_>,
        rules: impl IntoIterator<Item = &'r Rule>,
        options: &Options,
        reach: Reach,
        asks: bool,
    ) -> Self {
        let gateway = view.gateway;
        let within = |item: Item| reach.holds(gateway, item);
        let keys = keys(view, within);
        let (mut directives, mut sections) = (FxHashMap::default(), FxHashSet::default());
        for item in view.items(Subject::Directive) {
            let key = keys[&item];
            *directives.entry(key).or_default() += 1;
            if let Item::Directive(index) = item
                && is_section(&gateway.remarks[index].kind)
            {
                sections.insert(key);
            }
        }
        let header_facts: Vec<(&'static str, &'static Definition)> =
            REQUEST_HEADERS.iter().filter_map(|base| Some((*base, definition_of(base)?))).collect();
        let mut rows: Vec<Row> = Vec::new();
        for subject in [Subject::Gateway, Subject::Site, Subject::Upstream, Subject::Route] {
            let plain: Vec<Fact> = plain_facts(subject).collect();
            let items: Vec<Item> = view.items(subject).into_iter().filter(|&item| within(item)).collect();
            let row = |&item: &Item| {
                let &key = keys.get(&item)?;
                let reader = Reader::new(view, item);
                let headers = header_names(gateway, item);
                let headers = headers.iter().flat_map(|name| header_facts.iter().map(move |fact| (*fact, name.as_str())));
                let header = |((base, definition), name): ((&'static str, &'static Definition), &str)| {
                    let fact = Fact { definition, parameter: name.to_owned() };
                    (header_fact(base, name), read(&fact, &reader))
                };
                let cells = Cells {
                    subject,
                    plain: plain.iter().map(|fact| read(fact, &reader)).collect(),
                    headers: headers.map(header).collect(),
                };
                let (mut faulty, mut part_of) = (Vec::new(), None);
                if let Item::Route(id) = item {
                    faulty = faulty_headers(&reader, id);
                    part_of = whole_of(view, id).and_then(|whole| keys.get(&whole).copied());
                }
                Some(Row { key, item, cells, faulty, part_of })
            };
            rows.par_extend(items.par_iter().filter_map(row));
        }
        let mut findings: FxHashMap<(String, Key), Level> = FxHashMap::default();
        for finding in Benches::new(rules, options).judge_among(view, within) {
            for key in finding.subjects.iter().filter_map(|subject| keys.get(&subject.item)) {
                let level = findings.entry((finding.rule.clone(), *key)).or_insert(finding.level);
                *level = finding.level.max(*level);
            }
        }
        let within_site = |site: SiteId| within(Item::Site(site));
        let asked = if asks { ask(view, &keys, within_site) } else { Vec::new() };
        let mut snapshot = Self {
            items: Vec::with_capacity(rows.len()),
            cells: FxHashMap::default(),
            findings,
            keys,
            directives,
            sections,
            parts: Vec::new(),
            faulty: FxHashMap::default(),
            homes: FxHashMap::default(),
            asked,
            counts: (gateway.sites.len(), gateway.routes.len()),
            refused: !gateway.refusals.is_empty(),
            reach,
        };
        for Row { key, item, cells, faulty, part_of } in rows {
            snapshot.items.push((key, item));
            snapshot.cells.insert(key, cells);
            if !faulty.is_empty() {
                snapshot.faulty.insert(key, faulty);
            }
            snapshot.parts.extend(part_of.map(|whole| (key, whole)));
            if let Item::Route(id) = item {
                snapshot.homes.insert(key, gateway.route(id).site);
            }
        }
        snapshot
    }

    /// Whether an item of this name is there.
    pub(super) fn has(&self, key: Key) -> bool {
        self.cells.contains_key(&key)
    }

    /// The facts of an item by name; `None`: it could not be known.
    pub(super) fn facts(&self, key: Key) -> impl Iterator<Item = (&str, Option<u64>)> {
        let known = |value: u64| (value != UNKNOWN).then_some(value);
        let cells = self.cells.get(&key);
        let plain = cells.into_iter().flat_map(|cells| {
            let names = plain_definitions(cells.subject).map(|definition| definition.name);
            names.zip(cells.plain.iter().copied())
        });
        let headers = cells.into_iter().flat_map(|cells| cells.headers.iter().map(|(name, value)| (&**name, *value)));
        plain.chain(headers).map(move |(name, value)| (name, known(value)))
    }

    /// The value of one fact of an item.
    pub(super) fn value(&self, key: Key, fact: &str) -> Option<u64> {
        self.facts(key).find(|(name, _)| *name == fact)?.1
    }

    /// Whether all facts of an item are the same in both: it is not worth looking at one by one.
    pub(super) fn agrees(&self, key: Key, other: &Self, now: Key) -> bool {
        match (self.cells.get(&key), other.cells.get(&now)) {
            (Some(one), Some(other)) => one.plain == other.plain && one.headers == other.headers,
            _ => false,
        }
    }
}

/// The facts of headers as the backend is sent them, up to the headers' names.
pub(super) const REQUEST_HEADERS: [&str; 2] = ["handshake.request_header.", "plain.request_header."];

/// The definition of the facts whose names begin with `base` and end with a header's.
fn definition_of(base: &str) -> Option<&'static Definition> {
    facts().find(|definition| definition.name.strip_suffix("<name>") == Some(base))
}

/// The fact of a header, by its name. Most headers are one of a few, whose names need not be put together for every route.
pub(super) fn header_fact(base: &'static str, header: &str) -> Cow<'static, str> {
    const USUAL: [[&str; 2]; 9] = [
        ["handshake.request_header.host", "plain.request_header.host"],
        ["handshake.request_header.connection", "plain.request_header.connection"],
        ["handshake.request_header.upgrade", "plain.request_header.upgrade"],
        ["handshake.request_header.origin", "plain.request_header.origin"],
        ["handshake.request_header.x-real-ip", "plain.request_header.x-real-ip"],
        ["handshake.request_header.x-forwarded-for", "plain.request_header.x-forwarded-for"],
        ["handshake.request_header.x-forwarded-proto", "plain.request_header.x-forwarded-proto"],
        ["handshake.request_header.x-forwarded-host", "plain.request_header.x-forwarded-host"],
        ["handshake.request_header.x-forwarded-server", "plain.request_header.x-forwarded-server"],
    ];
    let is_it = |name: &&str| name.strip_prefix(base).is_some_and(|rest| rest.eq_ignore_ascii_case(header));
    match USUAL.into_iter().flatten().find(is_it) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(format!("{base}{}", header.to_ascii_lowercase())),
    }
}

fn is_section(kind: &RemarkKind) -> bool {
    use crate::gateway::Misreading::{SectionHidesWebSocket, SectionLeftOut, SectionNeverTrue};
    matches!(kind, RemarkKind::Misread { how: SectionHidesWebSocket | SectionLeftOut | SectionNeverTrue, .. })
}

/// The facts of a subject that have one value each.
fn plain_definitions(subject: Subject) -> impl Iterator<Item = &'static Definition> {
    let of_subject = facts().filter(move |definition| definition.subject == subject && !definition.name.ends_with("<name>"));
    of_subject.filter(|definition| !JUDGEMENTS.contains(&definition.name))
}

fn plain_facts(subject: Subject) -> impl Iterator<Item = Fact> {
    plain_definitions(subject).map(|definition| Fact { definition, parameter: String::new() })
}

fn read(fact: &Fact, reader: &Reader<'_>) -> u64 {
    match fact.read(reader).value {
        Err(_) => UNKNOWN,
        Ok(Value::Absent) => 0,
        Ok(Value::Text(text)) => digest(&text),
        Ok(Value::Flag(flag)) => digest(if flag { "true" } else { "false" }),
        Ok(Value::List(items)) => digest(&items),
        Ok(other) => digest(&other.to_string()),
    }
}

/// What stands for a value.
pub(super) fn digest(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    // Neither what is not there nor what is not known.
    hasher.finish().clamp(1, UNKNOWN - 1)
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

/// The key of every item that `within` lets in.
fn keys(view: &View<'_>, within: impl Fn(Item) -> bool) -> FxHashMap<Item, Key> {
    let gateway = view.gateway;
    let mut keys = FxHashMap::default();
    let mut seen: FxHashMap<u64, u32> = FxHashMap::default();
    for subject in [Subject::Gateway, Subject::Site, Subject::Upstream, Subject::Route, Subject::Directive] {
        for item in view.items(subject).into_iter().filter(|&item| within(item)) {
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
