//! Whether a trial did what was wanted and nothing else.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::plan::Proposal;
use super::snapshot::{Key, Snapshot, digest};
use crate::Project;
use crate::facts::{Fact, Item, Reader, Value, View};
use crate::gateway::{Gateway, Matcher, Target};
use crate::rules::{Level, Options, Want};

/// Why a trial does not hold.
#[derive(Debug, Default)]
pub(super) struct Fault {
    /// The proposals that are surely to blame, by index, each with the reason; none: it cannot be said which.
    pub(super) culprits: FxHashMap<usize, String>,
    /// One reason.
    pub(super) reason: String,
}

impl Fault {
    /// A fault of nobody in particular.
    pub(super) fn of_all(reason: &str) -> Self {
        Self { culprits: FxHashMap::default(), reason: reason.to_owned() }
    }

    /// Both. Culprits that are known are put aside first; what is left is tried again.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.culprits.extend(other.culprits);
        self
    }

    fn blame(&mut self, proposals: &[usize], reason: &str) {
        for &index in proposals {
            self.culprits.entry(index).or_insert_with(|| reason.to_owned());
        }
        if self.reason.is_empty() {
            reason.clone_into(&mut self.reason);
        }
    }
}

/// What follows from a wanted fact on the same item, besides what becomes of the handshake.
const FOLLOWS: [(&str, &[&str]); 8] = [
    (
        "handshake.request_header.upgrade",
        // What plain requests carry as `Connection` concerns one connection only.
        &[
            "handshake.request_header.connection",
            "plain.request_header.connection",
            "plain.request_header.upgrade",
            "target.scheme",
        ],
    ),
    ("handshake.request_header.connection", &["plain.request_header.connection"]),
    ("plain.forced", &["plain.request_header.upgrade", "plain.request_header.connection"]),
    ("host", &["handshake.request_header.host", "plain.request_header.host"]),
    ("timeout.idle", &["timeout.read"]),
    ("timeout.zero", &["timeout.read", "timeout.connect", "timeout.idle"]),
    // A worker comes with all of its parameters.
    ("shadowed_by", WORKERS),
    ("worker_of.lost", WORKERS),
];

/// What a worker decides.
const WORKERS: &[&str] = &[
    "handshake.request_header.upgrade",
    "handshake.request_header.connection",
    "plain.request_header.connection",
    "timeout.read",
    "timeout.idle",
];

/// What may change on any route where what is wanted serves them all, by how the facts' names begin.
const SERVES_ALL: [(&str, &[&str]); 2] = [
    ("missing_modules", &["modules", "missing_modules", "required_for"]),
    // A rule that leads handshakes to `ws://` needs modules that the mapping did without.
    ("handshake.request_header.upgrade", &["modules"]),
];

/// The same where a line is mended that is read otherwise than it was meant.
const LINES_DECIDE: [&str; 3] = ["timeout.", "refused_clients", "rewrite_engine"];

/// Whether a fact is about what becomes of the handshake.
fn is_verdict(fact: &str) -> bool {
    fact.starts_with("handshake.") && !fact.starts_with("handshake.request_header.")
}

/// What is done with a request, by how the facts' names begin: where a route is mended, this stays but for what is wanted. What becomes of
/// the handshake, and what else is to be said of it, follows.
const DONE: [&str; 9] = [
    "target.kind",
    "target.scheme",
    "target.host",
    "target.port",
    "target.uri",
    "http_version",
    "handshake.request_header.",
    "plain.request_header.",
    "timeout.",
];

/// Looks at a root after the edits of `proposals`; `before` is what it was.
pub(super) fn compare(
    project: &Project,
    root: usize,
    options: &Options,
    before: &Snapshot,
    proposals: &[&Proposal],
) -> Result<(), Fault> {
    let reached = &project.roots[root];
    let gateway = project.lower(reached);
    let view = project.view(reached, &gateway);
    let after = Snapshot::take(&view, project.settings[reached.given].rules(), options);
    let mut targets = Targets::new(before, root, proposals);
    let mut fault = Fault::default();
    let items: FxHashMap<Key, Item> = after.items.iter().copied().collect();
    let renamed = targets.renamed(before, &after);
    let now = |key: &Key| *renamed.get(key).unwrap_or(key);
    targets.find_kin(&gateway, &after, &now);
    // What was wanted.
    for (index, proposal) in proposals.iter().enumerate() {
        for subject in proposal.subjects.iter().filter(|subject| subject.root == root) {
            let item = before.keys.get(&subject.item).and_then(|key| items.get(&now(key)));
            if let Some(want) = item.and_then(|&item| unmet(&proposal.wants, &view, item)) {
                fault.blame(&[index], &format!("the edit would not make `{}` as it should be", want.name()));
            }
        }
    }
    // What was not. Where the server did not start, nothing worked that could work less.
    let did_start = !before.refused || targets.directives.is_empty();
    for (key, _) in before.items.iter().filter(|_| did_start) {
        let (Some(old), Some(new)) = (before.cells.get(key), after.cells.get(&now(key))) else {
            fault.blame(targets.of(*key), "it would take away or rename a route");
            continue;
        };
        let values: FxHashMap<&str, Option<u64>> = new.iter().map(|cell| (after.name(cell), cell.value)).collect();
        for cell in old {
            let name = before.name(cell);
            let Some(&value) = values.get(name) else { continue };
            // What was not known is no loss.
            if cell.value.is_none() || cell.value == value {
                continue;
            }
            let is_worse = name == "handshake.verdict" && cell.value == Some(digest("upgraded"));
            // That a handshake is upgraded now which was not, on whatever route, is no loss.
            let is_better = is_verdict(name) && values.get("handshake.verdict") == Some(&Some(digest("upgraded")));
            if !is_worse && (is_better || targets.allow(before, *key, name, proposals)) {
                continue;
            }
            let place = place(project, &gateway, items.get(key));
            fault.blame(targets.of(*key), &format!("it would also change `{name}`{place}"));
        }
    }
    // A rewrite rule may be written for a mapping that cannot upgrade by itself, or be mended so that it leads somewhere.
    let is_rule = |item: &Item| matches!(item, Item::Route(id) if matches!(gateway.route(*id).matcher, Matcher::Rewrite(_)));
    let routes = after.items.iter().filter(|(key, item)| before.cells.contains_key(key) || !is_rule(item)).count();
    if did_start && routes > before.items.len() {
        fault.blame(&[], "it would add a route");
    }
    // What rules say: the faults for which the server did not start hid others.
    if did_start {
        let mut new: Vec<&(String, Key)> = after
            .findings
            .iter()
            // What is mended is meant for WebSockets more surely than before, so that what was a note may be a warning.
            .filter(|(finding, level)| **level > Level::Note && !before.findings.contains_key(finding))
            .map(|(finding, _)| finding)
            .collect();
        new.sort_unstable();
        // A route that nothing came to, or that was broken, is judged further once it is mended.
        let was_broken = |key: &Key| {
            let is_concerned = targets.is_concerned(*key) || !before.cells.contains_key(key);
            is_concerned && before.value(*key, "handshake.verdict") != Some(digest("upgraded"))
        };
        for (rule, key) in new.into_iter().filter(|new| after.findings[*new] == Level::Error || !was_broken(&new.1)) {
            let place = place(project, &gateway, items.get(key));
            fault.blame(targets.of(*key), &format!("it would raise `{rule}`{place}"));
        }
    }
    for (key, indices) in &targets.directives {
        let left = after.directives.get(key).copied().unwrap_or(0);
        if left + indices.len() > before.directives.get(key).copied().unwrap_or(0) {
            fault.blame(indices, "the server would still complain of it");
        }
    }
    if fault.reason.is_empty() { Ok(()) } else { Err(fault) }
}

/// The first of `wants` that does not hold of `item`.
///
/// What is wanted of a handshake holds where it is upgraded on another route.
fn unmet<'w>(wants: &'w [Want], view: &View<'_>, item: Item) -> Option<&'w Want> {
    let reader = Reader::new(view, item);
    let is_elsewhere = || {
        let fact = Fact::named("handshake.upgraded_elsewhere").ok();
        fact.is_some_and(|fact| matches!(fact.read(&reader).value, Ok(Value::Flag(true))))
    };
    let holds = |want: &Want| {
        want.holds(&want.fact.read(&reader)) || want.name().starts_with("handshake.request_header.") && is_elsewhere()
    };
    wants.iter().find(|want| !holds(want))
}

/// Where an item stands, to follow the name of a fact.
fn place(project: &Project, gateway: &Gateway, item: Option<&Item>) -> String {
    let span = match item {
        Some(Item::Route(id)) => gateway.route(*id).span,
        Some(Item::Site(id)) => gateway.site(*id).span,
        Some(Item::Upstream(id)) => gateway.upstream(*id).span,
        _ => return String::new(),
    };
    let source = project.store.sources.get(span.source);
    format!(" at {}:{}", source.path().display(), source.position(span.start).line)
}

/// What proposals are about, in one root.
struct Targets {
    /// The proposals for each item.
    items: FxHashMap<Key, Vec<usize>>,
    /// Those for what was complained of.
    directives: BTreeMap<Key, Vec<usize>>,
    /// The routes that ask their backend by the same means as a target, so that what is set there is set for them.
    kin: FxHashMap<Key, Vec<usize>>,
}

impl Targets {
    fn new(before: &Snapshot, root: usize, proposals: &[&Proposal]) -> Self {
        let mut targets = Self { items: FxHashMap::default(), directives: BTreeMap::new(), kin: FxHashMap::default() };
        for (index, proposal) in proposals.iter().enumerate() {
            for subject in proposal.subjects.iter().filter(|subject| subject.root == root) {
                let Some(&key) = before.keys.get(&subject.item) else { continue };
                match subject.item {
                    Item::Directive(_) | Item::Refused(_) => targets.directives.entry(key).or_default().push(index),
                    _ => targets.items.entry(key).or_default().push(index),
                }
            }
        }
        // What is part of something is mended with it.
        for (key, parent) in &before.parts {
            if let Some(indices) = targets.items.get(parent).cloned() {
                targets.items.entry(*key).or_default().extend(indices);
            }
        }
        targets
    }

    /// The new keys of targets that go by another name, where it is plain which is which.
    fn renamed(&self, before: &Snapshot, after: &Snapshot) -> FxHashMap<Key, Key> {
        let without = |one: &Snapshot, other: &Snapshot| -> Vec<Key> {
            one.items.iter().map(|(key, _)| *key).filter(|key| !other.cells.contains_key(key)).collect()
        };
        let (old, new) = (without(before, after), without(after, before));
        if old.len() != new.len() || !old.iter().all(|key| self.items.contains_key(key)) {
            return FxHashMap::default();
        }
        old.into_iter().zip(new).collect()
    }

    /// Finds the routes that share a worker with a target.
    fn find_kin(&mut self, gateway: &Gateway, after: &Snapshot, now: &impl Fn(&Key) -> Key) {
        let worker = |item: &Item| match item {
            Item::Route(id) => match &gateway.route(*id).target {
                Target::Proxy(proxy) => proxy.worker,
                _ => None,
            },
            _ => None,
        };
        let targets: FxHashMap<Key, &Vec<usize>> = self.items.iter().map(|(key, indices)| (now(key), indices)).collect();
        let mut shared: FxHashMap<u32, Vec<usize>> = FxHashMap::default();
        for (key, item) in &after.items {
            if let (Some(indices), Some(worker)) = (targets.get(key), worker(item)) {
                shared.entry(worker.0).or_default().extend(indices.iter());
            }
        }
        for (key, item) in &after.items {
            if let Some(indices) = worker(item).and_then(|worker| shared.get(&worker.0)) {
                self.kin.insert(*key, indices.clone());
            }
        }
    }

    /// Whether an item is mended, or shares what is mended.
    fn is_concerned(&self, key: Key) -> bool {
        self.items.contains_key(&key) || self.kin.contains_key(&key) || !self.directives.is_empty()
    }

    /// The proposals for an item.
    fn of(&self, key: Key) -> &[usize] {
        self.items.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Whether a fact of an item may change: a proposal wants it, or it follows from what one wants.
    fn allow(&self, before: &Snapshot, key: Key, fact: &str, proposals: &[&Proposal]) -> bool {
        let is_faulty = || {
            let name = fact.strip_prefix("handshake.request_header.").or_else(|| fact.strip_prefix("plain.request_header."));
            name.is_some_and(|name| before.faulty.get(&key).is_some_and(|headers| headers.iter().any(|header| header == name)))
        };
        let list =
            |table: &[(&str, &[&str])], wanted: &str| table.iter().any(|(from, what)| *from == wanted && what.contains(&fact));
        let follows = |wanted: &str| {
            wanted == fact
                || list(&FOLLOWS, wanted)
                || matches!(wanted, "lost_headers" | "handshake.repeated_headers") && is_faulty()
        };
        let is_done = DONE.iter().any(|done| fact.starts_with(done));
        let kin = self.kin.get(&key).map_or(&[][..], Vec::as_slice);
        if self.of(key).iter().chain(kin).any(|&index| {
            let mut wants = proposals[index].wants.iter();
            !is_done || wants.any(|want| follows(&want.name()))
        }) {
            return true;
        }
        let serves_all = |want: &Want| list(&SERVES_ALL, &want.name()) || want.name() == "missing_modules" && is_verdict(fact);
        let lines_decide = is_verdict(fact) || LINES_DECIDE.iter().any(|decided| fact.starts_with(decided));
        proposals.iter().any(|proposal| proposal.wants.iter().any(serves_all)) || !self.directives.is_empty() && lines_decide
    }
}
