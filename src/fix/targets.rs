//! What proposals are about, and which facts of it they may change.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::along::{FOLLOWS, SERVES_ALL, TAKES, says};
use super::plan::Proposal;
use super::snapshot::{Key, REQUEST_HEADERS, Snapshot};
use crate::facts::Item;
use crate::gateway::{Gateway, SiteId, Target};
use crate::rules::Want;

/// What proposals are about, in one root.
pub(super) struct Targets {
    /// The proposals for each item.
    items: FxHashMap<Key, Vec<usize>>,
    /// Those for what was complained of.
    pub(super) directives: BTreeMap<Key, Vec<usize>>,
    /// The routes that ask their backend by the same means as a target, so that what is set there is set for them.
    kin: FxHashMap<Key, Vec<usize>>,
    /// The proposals for routes of each site.
    pub(super) sites: FxHashMap<SiteId, Vec<usize>>,
    /// The proposals for each item by its key as it is now.
    takers: FxHashMap<Key, Vec<usize>>,
}

impl Targets {
    /// What `proposals` are about in the root of this number, which `before` shows.
    pub(super) fn new(before: &Snapshot, root: usize, proposals: &[&Proposal]) -> Self {
        let mut targets = Self {
            items: FxHashMap::default(),
            directives: BTreeMap::new(),
            kin: FxHashMap::default(),
            sites: FxHashMap::default(),
            takers: FxHashMap::default(),
        };
        for (index, proposal) in proposals.iter().enumerate() {
            for subject in proposal.subjects.iter().filter(|subject| subject.root == root) {
                let Some(&key) = before.keys.get(&subject.item) else { continue };
                match subject.item {
                    Item::Directive(_) | Item::Refused(_) => targets.directives.entry(key).or_default().push(index),
                    _ => targets.items.entry(key).or_default().push(index),
                }
                if let Some(&site) = before.homes.get(&key) {
                    targets.sites.entry(site).or_default().push(index);
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
    pub(super) fn renamed(&self, before: &Snapshot, after: &Snapshot) -> FxHashMap<Key, Key> {
        let without = |one: &Snapshot, other: &Snapshot| -> Vec<Key> {
            one.items.iter().map(|(key, _)| *key).filter(|key| !other.has(*key)).collect()
        };
        let (old, new) = (without(before, after), without(after, before));
        if old.len() != new.len() || !old.iter().all(|key| self.items.contains_key(key)) {
            return FxHashMap::default();
        }
        old.into_iter().zip(new).collect()
    }

    /// Finds the targets by their names as they are now.
    pub(super) fn find_takers(&mut self, now: &impl Fn(&Key) -> Key) {
        self.takers = self.items.iter().map(|(key, indices)| (now(key), indices.clone())).collect();
    }

    /// Whether a route may take plain requests that another took: it is what is wanted of it.
    pub(super) fn may_take(&self, now: Key, proposals: &[&Proposal]) -> bool {
        let takes = |index: &usize| proposals[*index].wants.iter().any(|want| TAKES.contains(&want.name().as_str()));
        self.takers.get(&now).is_some_and(|indices| indices.iter().any(takes))
    }

    /// Finds the routes that share a worker with a target.
    pub(super) fn find_kin(&mut self, gateway: &Gateway, after: &Snapshot, now: &impl Fn(&Key) -> Key) {
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
    pub(super) fn is_concerned(&self, key: Key) -> bool {
        self.items.contains_key(&key) || self.kin.contains_key(&key) || !self.directives.is_empty()
    }

    /// The proposals for an item.
    pub(super) fn of(&self, key: Key) -> &[usize] {
        self.items.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Whether a fact of an item may change: a proposal wants it, or it follows from what one wants.
    pub(super) fn allow(&self, before: &Snapshot, key: Key, fact: &str, proposals: &[&Proposal]) -> bool {
        let is_faulty = || {
            let name = REQUEST_HEADERS.iter().find_map(|base| fact.strip_prefix(base));
            let repeats = |name: &str| before.faulty.get(&key).is_some_and(|headers| headers.iter().any(|header| header == name));
            // What the headers that are lost or repeated say.
            name.map_or(matches!(fact, "host" | "scheme_forwarded" | "origin"), repeats)
        };
        let list = |table: &[(&str, &[&str])], wanted: &str| {
            table.iter().any(|(from, what)| *from == wanted && what.iter().any(|begin| fact.starts_with(begin)))
        };
        let follows = |wanted: &str| {
            wanted == fact
                || list(&FOLLOWS, wanted)
                || matches!(wanted, "lost_headers" | "handshake.repeated_headers") && is_faulty()
        };
        let kin = self.kin.get(&key).map_or(&[][..], Vec::as_slice);
        let is_free = says(fact);
        if self.of(key).iter().chain(kin).any(|&index| {
            let mut wants = proposals[index].wants.iter();
            is_free || wants.any(|want| follows(&want.name()))
        }) {
            return true;
        }
        let serves_all = |want: &Want| list(&SERVES_ALL, &want.name());
        proposals.iter().any(|proposal| proposal.wants.iter().any(serves_all))
    }
}
