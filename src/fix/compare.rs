//! Whether a trial did what was wanted and nothing else.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::plan::Proposal;
use super::snapshot::{Key, Snapshot, digest};
use crate::Project;
use crate::facts::{Item, Reader, View};
use crate::gateway::Gateway;
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

/// What follows from a wanted fact on the same item, besides the verdict on the handshake.
const FOLLOWS: [(&str, &str); 16] = [
    ("handshake.request_header.upgrade", "plain.request_header.upgrade"),
    ("handshake.request_header.upgrade", "lost_headers"),
    ("handshake.request_header.connection", "lost_headers"),
    // What plain requests carry there concerns one connection only.
    ("handshake.request_header.connection", "plain.request_header.connection"),
    ("handshake.request_header.upgrade", "plain.request_header.connection"),
    ("timeout.idle", "timeout.read"),
    ("timeout.zero", "timeout.read"),
    ("timeout.zero", "timeout.connect"),
    ("timeout.zero", "timeout.idle"),
    ("host", "handshake.request_header.host"),
    ("host", "plain.request_header.host"),
    ("plain.asks_for_upgrade", "plain.request_header.upgrade"),
    ("plain.asks_for_upgrade", "plain.request_header.connection"),
    ("plain.asks_for_upgrade", "handshake.request_header.connection"),
    ("shadowed_by", "handshake.taken"),
    ("handshake.request_header.upgrade", "handshake.request_header.connection"),
];

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
    let targets = Targets::new(before, root, proposals);
    let mut fault = Fault::default();
    let items: FxHashMap<Key, Item> = after.items.iter().copied().collect();
    // What was wanted.
    for (index, proposal) in proposals.iter().enumerate() {
        for subject in proposal.subjects.iter().filter(|subject| subject.root == root) {
            let item = before.keys.get(&subject.item).and_then(|key| items.get(key));
            if let Some(want) = item.and_then(|&item| unmet(&proposal.wants, &view, item)) {
                fault.blame(&[index], &format!("the edit would not make `{}` as it should be", want.name()));
            }
        }
    }
    // What was not. Where the server did not start, nothing worked that could work less.
    let did_start = !before.refused || targets.directives.is_empty();
    for (key, _) in before.items.iter().filter(|_| did_start) {
        let (Some(old), Some(new)) = (before.cells.get(key), after.cells.get(key)) else {
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
            if !is_worse && targets.allow(before, *key, name, proposals) {
                continue;
            }
            let place = place(project, &gateway, items.get(key));
            fault.blame(targets.of(*key), &format!("it would also change `{name}`{place}"));
        }
    }
    if did_start && after.items.len() > before.items.len() {
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
        for (rule, key) in new {
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
fn unmet<'w>(wants: &'w [Want], view: &View<'_>, item: Item) -> Option<&'w Want> {
    let reader = Reader::new(view, item);
    wants.iter().find(|want| !want.holds(&want.fact.read(&reader)))
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
}

impl Targets {
    fn new(before: &Snapshot, root: usize, proposals: &[&Proposal]) -> Self {
        let mut targets = Self { items: FxHashMap::default(), directives: BTreeMap::new() };
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
        let follows = |wanted: &str| {
            FOLLOWS.iter().any(|&(from, what)| from == wanted && what == fact)
                || matches!(wanted, "lost_headers" | "handshake.repeated_headers") && is_faulty()
        };
        self.of(key).iter().any(|&index| {
            !DONE.iter().any(|done| fact.starts_with(done))
                || proposals[index].wants.iter().any(|want| {
                    let wanted = want.name();
                    wanted == fact || follows(&wanted)
                })
        })
    }
}
