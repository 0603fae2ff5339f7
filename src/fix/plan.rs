//! From findings to proposals: each server's editor is asked for the edits that make the wanted facts true.

use std::cell::OnceCell;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::reach::Reach;
use super::snapshot::Snapshot;
use crate::Project;
use crate::facts::{Item, Reader};
use crate::gateway::{Gateway, RouteId, Target};
use crate::rules::{Finding, Options, Plan, Rule, Safety, Subject, Want};
use crate::source::{Edit, Span, overlap};

/// What a server's editor is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// What is to be mended.
    pub item: Item,
    /// The facts that are to hold of it.
    pub wants: &'a [Want],
    /// Everything of the same gateway that the same is wanted of, the item included: an edit may mend several at once.
    pub alike: &'a FxHashSet<Item>,
}

/// Finds the edits for a job: several plans, the best first, where the best may turn out to change too much; or why there is none, in
/// lower case, without full stop.
pub type Planner<'a> = Box<dyn Fn(Job<'_>) -> Result<Vec<Plan>, String> + 'a>;

/// Wanted facts of a route that are made true at another one, which is then mended along: it stands where the first evidence is.
const SETTLED_ELSEWHERE: [&str; 1] = ["subrequest.upgrading"];

/// A finding with the plans for it.
#[derive(Debug)]
pub(super) struct Proposal {
    /// The index of the finding.
    pub(super) finding: usize,
    /// The rule that made it.
    pub(super) rule: String,
    /// What it is said of.
    pub(super) subjects: Vec<Subject>,
    /// What is to hold.
    pub(super) wants: Vec<Want>,
    /// How far it can be trusted.
    pub(super) safety: Safety,
    /// The plans that are left, the best last.
    pub(super) plans: Vec<Plan>,
    /// Why the plan before was not taken, or why there is none.
    pub(super) reason: String,
}

/// The rule that made a finding.
fn rule<'a>(project: &'a Project, finding: &Finding) -> Option<&'a Rule> {
    let root = &project.roots[finding.subjects.first()?.root];
    project.settings[root.given].rules().find(|rule| rule.name() == finding.rule)
}

/// How far a fix of the finding could be trusted; `None` where only a person can mend it.
pub(super) fn safety(project: &Project, finding: &Finding) -> Option<Safety> {
    let rule = rule(project, finding)?;
    rule.safety().filter(|&safety| safety != Safety::Manual && rule.has_wants())
}

/// The proposals for `findings`, in their order, and what the roots that they are about are before anything is tried. `readers` are the roots
/// that read each source.
pub(super) fn propose(
    project: &Project,
    options: &[Options],
    findings: &[Finding],
    readers: &[Vec<usize>],
    gateways: &mut [Option<Gateway>],
) -> (Vec<Proposal>, FxHashMap<usize, Snapshot>) {
    let mut by_root: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    for (index, finding) in findings.iter().enumerate() {
        if let (Some(subject), Some(_)) = (finding.subjects.first(), safety(project, finding)) {
            by_root.entry(subject.root).or_default().push(index);
        }
    }
    // What is to be changed is needed no longer as it was.
    let by_root: Vec<(usize, Vec<usize>, Option<Gateway>)> =
        by_root.into_iter().map(|(root, indices)| (root, indices, gateways[root].take())).collect();
    let of_root = |(root, indices, gateway): (usize, Vec<usize>, Option<Gateway>)| {
        let gateway = gateway.unwrap_or_else(|| project.lower(&project.roots[root]));
        (root, of_root(project, &gateway, options, findings, root, &indices, readers))
    };
    let mut proposals: Vec<Proposal> = Vec::new();
    let mut before = FxHashMap::default();
    for (root, (found, snapshot)) in by_root.into_par_iter().map(of_root).collect::<Vec<_>>() {
        proposals.extend(found);
        before.extend(snapshot.map(|snapshot| (root, snapshot)));
    }
    // What is written for one root reaches others where they read the same file: those are looked at whole.
    let edits = || proposals.iter().flat_map(|proposal| &proposal.plans).flat_map(|plan| &plan.edits);
    for readers in edits().map(|edit| &readers[edit.span.source.index()]).filter(|readers| readers.len() > 1) {
        for root in readers {
            before.remove(root);
        }
    }
    proposals.sort_unstable_by_key(|proposal| proposal.finding);
    (proposals, before)
}

fn of_root(
    project: &Project,
    gateway: &Gateway,
    options: &[Options],
    findings: &[Finding],
    root: usize,
    indices: &[usize],
    readers: &[Vec<usize>],
) -> (Vec<Proposal>, Option<Snapshot>) {
    let reached = &project.roots[root];
    let view = project.view(reached, gateway);
    let planner = reached.resolved.planner(&project.store, &view);
    let mut alike: FxHashMap<&str, FxHashSet<Item>> = FxHashMap::default();
    for finding in indices.iter().map(|&index| &findings[index]) {
        let items = finding.subjects.iter().filter(|subject| subject.root == root).map(|subject| subject.item);
        alike.entry(&finding.rule).or_default().extend(items);
    }
    let places = OnceCell::new();
    let places = || -> &FxHashMap<Span, Vec<RouteId>> { places.get_or_init(|| places_of(gateway)) };
    let propose = |&index: &usize| {
        let finding = &findings[index];
        let rule = rule(project, finding)?;
        let wants = rule.wants(&options[reached.given]);
        let item = finding.subjects.first()?.item;
        let planned = planner(Job { item, wants: &wants, alike: alike.get(finding.rule.as_str())? });
        let (plans, reason) = match planned {
            Ok(plans) => (plans, "its edits would touch the same bytes".to_owned()),
            Err(reason) => (Vec::new(), reason),
        };
        let plans = plans.into_iter().rev().filter_map(in_order).collect();
        let mut subjects = finding.subjects.clone();
        for want in wants.iter().filter(|want| SETTLED_ELSEWHERE.contains(&want.name().as_str())) {
            let reading = want.fact.read(&Reader::new(&view, item));
            let other = reading.evidence.first().and_then(|evidence| places().get(&evidence.span));
            subjects.extend(other.into_iter().flatten().map(|&id| Subject { root, item: Item::Route(id) }));
        }
        // What is said of a line is said of the routes that it makes.
        let line = match item {
            Item::Directive(index) => Some(gateway.remarks[index].span),
            Item::Refused(index) => Some(gateway.refusals[index].span),
            _ => None,
        };
        let made = line.and_then(|line| places().get(&line)).into_iter().flatten();
        subjects.extend(made.map(|&id| Subject { root, item: Item::Route(id) }));
        Some(Proposal { finding: index, rule: finding.rule.clone(), subjects, wants, safety: rule.safety()?, plans, reason })
    };
    let proposals: Vec<Proposal> = indices.iter().filter_map(propose).collect();
    let edits = || proposals.iter().flat_map(|proposal| &proposal.plans).flat_map(|plan| &plan.edits);
    if edits().next().is_none() || edits().any(|edit| readers[edit.span.source.index()].len() > 1) {
        return (proposals, None);
    }
    // What a site listens on and how it speaks there can matter to all that listen there, too.
    let is_of_site = |proposal: &Proposal| proposal.subjects.iter().any(|subject| matches!(subject.item, Item::Site(_)));
    let reach = if proposals.iter().any(is_of_site) { Reach::All } else { Reach::of(gateway, &project.store, edits()) };
    let rules = project.settings[reached.given].rules();
    let snapshot = Snapshot::take(&view, rules, &options[reached.given], reach, true);
    (proposals, Some(snapshot))
}

/// The routes by their own places and by the lines that pass their requests on.
fn places_of(gateway: &Gateway) -> FxHashMap<Span, Vec<RouteId>> {
    let mut places: FxHashMap<Span, Vec<RouteId>> = FxHashMap::default();
    for id in gateway.route_ids() {
        let route = gateway.route(id);
        places.entry(route.span).or_default().push(id);
        if let Target::Proxy(proxy) = &route.target
            && proxy.span != route.span
        {
            places.entry(proxy.span).or_default().push(id);
        }
    }
    places
}

/// The plan with its edits in the order of the file, each once; `None` where they cannot all be made.
fn in_order(mut plan: Plan) -> Option<Plan> {
    // Those at one place stay in the order in which the editor wants them.
    plan.edits.sort_by_key(|edit| edit.span);
    let mut edits: Vec<Edit> = Vec::with_capacity(plan.edits.len());
    let mut place = 0;
    for edit in std::mem::take(&mut plan.edits) {
        if edits.get(place).is_none_or(|first| first.span != edit.span) {
            place = edits.len();
        }
        if !edits[place..].contains(&edit) {
            edits.push(edit);
        }
    }
    // What is put behind a word that is replaced, or where something else is put, is one edit with that.
    edits.dedup_by(|next, edit| {
        let joins = next.span.is_empty() && next.span.source == edit.span.source && next.span.start == edit.span.end;
        if joins {
            edit.text.append(&mut next.text);
        }
        joins
    });
    plan.edits = edits;
    let collide = plan.edits.windows(2).any(|pair| overlap(&pair[0], &pair[1]));
    (!collide).then_some(plan)
}
