//! Whether a trial did what was wanted and nothing else.

use std::borrow::Cow;
use std::cell::OnceCell;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::along::{FORCED, LINES_DECIDE, is_verdict};
use super::asked::{Asked, Kind, Outcome, outcome};
use super::fault::Fault;
use super::plan::Proposal;
use super::snapshot::{Key, Snapshot, digest};
use super::targets::Targets;
use crate::Project;
use crate::facts::{Fact, Item, Reader, Value, View};
use crate::gateway::{Gateway, Matcher, RouteId};
use crate::handshake::Probe;
use crate::rules::{Level, Options, Want};
use crate::source::{Edit, Span};
use crate::tree::DirectiveId;

/// Looks at a root after the edits of `proposals`, and returns its model where they hold; `before` is what it was.
///
/// What must hold, in this order: what was wanted is true; no other fact of any item has changed; what requests come to that a route takes is
/// the same for every path of its site; there is no new route; no rule has anything new to say; what the server complained of is gone. The
/// tables of [`super::along`] say what may change along.
pub(super) fn compare(
    project: &Project,
    root: usize,
    options: &Options,
    before: &Snapshot,
    proposals: &[&Proposal],
) -> Result<Gateway, Fault> {
    let reached = &project.roots[root];
    let gateway = project.lower(reached);
    let view = project.view(reached, &gateway);
    let rules = project.settings[reached.given].rules();
    let after = Snapshot::take(&view, rules, options, before.reach.clone(), false);
    let mut targets = Targets::new(before, root, proposals);
    let mut fault = Fault::default();
    let items: FxHashMap<Key, Item> = after.items.iter().copied().collect();
    let renamed = targets.renamed(before, &after);
    let now = |key: &Key| *renamed.get(key).unwrap_or(key);
    targets.find_kin(&gateway, &after, &now);
    targets.find_takers(&now);
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
    let changes = Changes {
        project,
        gateway: &gateway,
        view: &view,
        before,
        after: &after,
        proposals,
        items: &items,
        lines: OnceCell::new(),
    };
    if did_start {
        for (key, _) in &before.items {
            changes.of_item(*key, now(key), &targets, &mut fault);
        }
        // Requests are followed by the numbers of their sites.
        if before.counts.0 == after.counts.0 {
            changes.of_requests(&now, &targets, &mut fault);
        }
        // A rewrite rule may be written for a mapping that cannot upgrade by itself, or be mended so that it leads somewhere; a section that
        // was left out brings its own.
        let is_rule = |item: &Item| matches!(item, Item::Route(id) if matches!(gateway.route(*id).matcher, Matcher::Rewrite(_)));
        let renamed: FxHashSet<Key> = renamed.values().copied().collect();
        let is_new = |key: &Key| !before.has(*key) && !renamed.contains(key);
        let brings_routes = targets.directives.keys().any(|key| before.sections.contains(key));
        if !brings_routes && after.items.iter().any(|(key, item)| is_new(key) && !is_rule(item)) {
            fault.blame(&[], "it would add a route");
        }
        if brings_routes {
            let new = after.items.iter().filter(|(key, _)| is_new(key));
            changes.of_new_routes(new.map(|(_, item)| *item), &targets, &mut fault);
        }
        if before.counts.0 != after.counts.0 || !brings_routes && before.counts.1 > after.counts.1 {
            fault.blame(&[], "it would add or take away a site or a route");
        }
        changes.of_findings(&targets, &mut fault);
    }
    for (key, indices) in &targets.directives {
        let left = after.directives.get(key).copied().unwrap_or(0);
        if left + indices.len() > before.directives.get(key).copied().unwrap_or(0) {
            fault.blame(indices, "the server would still complain of it");
        }
    }
    drop((after, targets, view));
    if fault.reason.is_empty() { Ok(gateway) } else { Err(fault) }
}

/// A root before and after.
struct Changes<'a> {
    project: &'a Project,
    gateway: &'a Gateway,
    view: &'a View<'a>,
    before: &'a Snapshot,
    after: &'a Snapshot,
    proposals: &'a [&'a Proposal],
    /// The items as they are now.
    items: &'a FxHashMap<Key, Item>,
    /// See [`Changes::mended_lines`]; worked out when first asked for.
    lines: OnceCell<Vec<Span>>,
}

impl Changes<'_> {
    /// The facts of one item.
    fn of_item(&self, key: Key, now: Key, targets: &Targets, fault: &mut Fault) {
        let Self { before, after, .. } = *self;
        if !after.has(now) {
            fault.blame(targets.of(key), "it would take away or rename a route");
            return;
        }
        if before.agrees(key, after, now) {
            return;
        }
        let values: FxHashMap<&str, Option<u64>> = after.facts(now).collect();
        let is_upgraded = values.get("handshake.verdict") == Some(&Some(digest("upgraded")));
        let mut known: FxHashSet<&str> = FxHashSet::default();
        for (name, old) in before.facts(key) {
            known.insert(name);
            let Some(&new) = values.get(name) else { continue };
            // What was not known is no loss.
            if old.is_none() || old == new {
                continue;
            }
            // Nor may requests that ask for no upgrade be made to, where they were not.
            let is_worse = name == "handshake.verdict" && old == Some(digest("upgraded")) || name == FORCED && old == Some(0);
            // That a handshake is upgraded now which was not, on whatever route, is no loss.
            let is_better = is_verdict(name) && is_upgraded;
            if !is_worse
                && (is_better || targets.allow(before, key, name, self.proposals) || self.decided_by_a_line(now, name, targets))
            {
                continue;
            }
            fault.blame(targets.of(key), &format!("it would also change `{name}`{}", self.place(now)));
        }
        // A header that nothing spoke of.
        for (name, new) in after.facts(now).filter(|(name, new)| !known.contains(name) && *new != Some(0)) {
            if new.is_some() && !targets.allow(before, key, name, self.proposals) {
                fault.blame(targets.of(key), &format!("it would also change `{name}`{}", self.place(now)));
            }
        }
    }

    /// Whether a fact rests on a line that is mended because it was read otherwise than meant.
    fn decided_by_a_line(&self, now: Key, name: &str, targets: &Targets) -> bool {
        if targets.directives.is_empty() || !LINES_DECIDE.iter().any(|decided| name.starts_with(decided)) {
            return false;
        }
        if is_verdict(name) {
            return true;
        }
        let (Some(&item), Ok(fact)) = (self.items.get(&now), Fact::named(name)) else { return false };
        let reading = fact.read(&Reader::new(self.view, item));
        let lines = self.lines.get_or_init(|| self.mended_lines(targets));
        let is_there =
            |span: Span| lines.iter().any(|line| line.source == span.source && line.start <= span.start && span.end <= line.end);
        // A default has no line; it is in force again where the line was taken out.
        !lines.is_empty() && reading.evidence.is_empty() || reading.evidence.iter().any(|evidence| is_there(evidence.span))
    }

    /// The lines that are mended because they were read otherwise than meant, where they are now. What a section brings that was left
    /// out is no such line.
    fn mended_lines(&self, targets: &Targets) -> Vec<Span> {
        let plan = |index: usize| self.proposals[index].plans.last();
        let mut edits: Vec<&Edit> = (0..self.proposals.len()).filter_map(plan).flat_map(|plan| &plan.edits).collect();
        edits.sort_unstable();
        edits.dedup();
        let of_lines = targets.directives.iter().filter(|(key, _)| !self.before.sections.contains(key));
        let wanted: FxHashSet<&Edit> =
            of_lines.flat_map(|(_, indices)| indices).filter_map(|&index| plan(index)).flat_map(|plan| &plan.edits).collect();
        let mut lines = Vec::new();
        for edits in edits.chunk_by(|one, other| one.span.source == other.span.source) {
            let source = edits[0].span.source;
            let tree = self.project.store.tree(source);
            // How far the edits so far have moved what is behind them.
            let mut moved = 0i64;
            for edit in edits {
                let start = u32::try_from(i64::from(edit.span.start) + moved).unwrap_or(u32::MAX);
                let length = i64::try_from(edit.text.len()).unwrap_or(i64::MAX);
                moved += length - i64::from(edit.span.end - edit.span.start);
                if !wanted.contains(edit) {
                    continue;
                }
                let behind = tree.directives().partition_point(|directive| tree.range(directive.name).start <= start);
                if let Some(id) = behind.checked_sub(1).and_then(|index| u32::try_from(index).ok()) {
                    let extent = tree.extent(DirectiveId(id));
                    lines.push(Span::new(source, extent.start, extent.end));
                }
            }
        }
        lines
    }

    /// What requests come to, by the paths that were followed before.
    fn of_requests(&self, now: &(impl Fn(&Key) -> Key + Sync), targets: &Targets, fault: &mut Fault) {
        let Self { before, after, .. } = *self;
        let compared = before.asked.par_iter().filter_map(|Asked { site, path, handshake, plain }| {
            let allow = |old: &Outcome, fact: &str| {
                let allowed = |key: &Key| targets.allow(before, *key, fact, self.proposals);
                old.taker.as_ref().is_some_and(allowed)
            };
            let may_take = |new: &Outcome| new.taker.is_some_and(|taker| targets.may_take(taker, self.proposals));
            let moved = |old: &Outcome, new: &Outcome| {
                old.sent.iter().find_map(|(name, value)| {
                    let same = new.sent.iter().any(|(other, now)| other == name && now == value);
                    (!same && !allow(old, name)).then(|| name.clone())
                })
            };
            let added = |old: &Outcome, new: &Outcome| {
                if old.taker.as_ref().map(now) != new.taker {
                    return None;
                }
                let is_new = |name: &Cow<'static, str>| old.sent.iter().all(|(other, _)| other != name);
                let is_fault = |name: &&Cow<'static, str>| is_new(name) && (*name == FORCED || !allow(old, name));
                new.sent.iter().map(|(name, _)| name).find(is_fault).cloned()
            };
            if handshake.kind == Kind::Upgraded {
                let new = outcome(self.view, &after.keys, *site, Probe::Chrome, path);
                if new.kind != Kind::Upgraded {
                    return Some((site, handshake, format!("a WebSocket at `{path}` would not get through any more")));
                }
                // Whether another backend would have it as well is not to be seen here.
                if let Some(name) = moved(handshake, &new) {
                    return Some((site, handshake, format!("a WebSocket at `{path}` would find another `{name}`")));
                }
            }
            // What failed cannot fail worse.
            if matches!(plain.kind, Kind::Unknown | Kind::Failed) {
                return None;
            }
            let new = outcome(self.view, &after.keys, *site, Probe::Plain, path);
            // That an upgrade is not asked for any more is what is wanted where it was forced.
            let is_kept = new.kind == plain.kind
                || plain.kind == Kind::Upgraded && new.kind == Kind::Forwarded
                || new.kind == Kind::Forwarded && may_take(&new);
            if !is_kept {
                return Some((site, plain, format!("`{path}` would be answered otherwise")));
            }
            if plain.taker.as_ref().map(now) != new.taker && may_take(&new) {
                return None;
            }
            let other = moved(plain, &new).or_else(|| added(plain, &new))?;
            Some((
                site,
                plain,
                format!("it would also change `{other}` of requests for `{path}`, which {}", taker(plain, &new, now)),
            ))
        });
        let compared: Vec<_> = compared.collect();
        for (site, old, reason) in compared {
            let of_taker = old.taker.map_or(&[][..], |key| targets.of(key));
            let of_site = targets.sites.get(site).map_or(&[][..], Vec::as_slice);
            fault.blame(if of_taker.is_empty() { of_site } else { of_taker }, &reason);
        }
    }

    /// What comes to routes that a section brings: where that fails, the requests were better off without it.
    fn of_new_routes(&self, items: impl Iterator<Item = Item>, targets: &Targets, fault: &mut Fault) {
        let fails = |id: RouteId| {
            let route = self.gateway.route(id);
            let path = Reader::new(self.view, Item::Route(id)).route_path(route).into_owned();
            let kind = |probe| outcome(self.view, &self.after.keys, route.site, probe, &path).kind;
            (kind(Probe::Plain) == Kind::Failed && kind(Probe::Chrome) != Kind::Upgraded).then_some(path)
        };
        let mut failing = items.filter_map(|item| if let Item::Route(id) = item { fails(id) } else { None });
        if let Some(path) = failing.next() {
            let of_sections = targets.directives.iter().filter(|(key, _)| self.before.sections.contains(key));
            let sections: Vec<usize> = of_sections.flat_map(|(_, indices)| indices).copied().collect();
            fault.blame(&sections, &format!("the section would take `{path}` without an answer"));
        }
    }

    /// What rules say: the faults for which the server did not start hid others.
    fn of_findings(&self, targets: &Targets, fault: &mut Fault) {
        let Self { before, after, .. } = *self;
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
            let is_concerned = targets.is_concerned(*key) || !before.has(*key);
            is_concerned && before.value(*key, "handshake.verdict") != Some(digest("upgraded"))
        };
        for (rule, key) in new.into_iter().filter(|new| after.findings[*new] == Level::Error || !was_broken(&new.1)) {
            fault.blame(targets.of(*key), &format!("it would raise `{rule}`{}", self.place(*key)));
        }
    }

    /// Where an item stands now, to follow the name of a fact.
    fn place(&self, key: Key) -> String {
        let span = match self.items.get(&key) {
            Some(Item::Route(id)) => self.gateway.route(*id).span,
            Some(Item::Site(id)) => self.gateway.site(*id).span,
            Some(Item::Upstream(id)) => self.gateway.upstream(*id).span,
            _ => return String::new(),
        };
        let source = self.project.store.sources.get(span.source);
        format!(" at {}:{}", source.path().display(), source.position(span.start).line)
    }
}

/// Who takes a request, in the end of a sentence.
fn taker(old: &Outcome, new: &Outcome, now: &impl Fn(&Key) -> Key) -> &'static str {
    if old.taker.as_ref().map(now) == new.taker { "come to the same route" } else { "would come to another route" }
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
