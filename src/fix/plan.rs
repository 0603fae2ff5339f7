//! From findings to proposals: each server's editor is asked for the edits that make the wanted facts true.

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::Project;
use crate::facts::Item;
use crate::rules::{Finding, Options, Plan, Rule, Safety, Subject, Want};

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

/// A finding with the plans for it.
#[derive(Debug)]
pub(super) struct Proposal {
    /// The index of the finding.
    pub(super) finding: usize,
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

/// The proposals for `findings`, in their order.
pub(super) fn propose(project: &Project, options: &[Options], findings: &[Finding]) -> Vec<Proposal> {
    let mut by_root: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    for (index, finding) in findings.iter().enumerate() {
        if let (Some(subject), Some(_)) = (finding.subjects.first(), safety(project, finding)) {
            by_root.entry(subject.root).or_default().push(index);
        }
    }
    let by_root: Vec<(usize, Vec<usize>)> = by_root.into_iter().collect();
    let proposals = by_root.into_par_iter().flat_map_iter(|(root, indices)| of_root(project, options, findings, root, &indices));
    let mut proposals: Vec<Proposal> = proposals.collect();
    proposals.sort_unstable_by_key(|proposal| proposal.finding);
    proposals
}

fn of_root(project: &Project, options: &[Options], findings: &[Finding], root: usize, indices: &[usize]) -> Vec<Proposal> {
    let reached = &project.roots[root];
    let gateway = project.lower(reached);
    let view = project.view(reached, &gateway);
    let planner = reached.resolved.planner(&project.store, &view);
    let mut alike: FxHashMap<&str, FxHashSet<Item>> = FxHashMap::default();
    for finding in indices.iter().map(|&index| &findings[index]) {
        let items = finding.subjects.iter().filter(|subject| subject.root == root).map(|subject| subject.item);
        alike.entry(&finding.rule).or_default().extend(items);
    }
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
        let subjects = finding.subjects.clone();
        Some(Proposal { finding: index, subjects, wants, safety: rule.safety()?, plans, reason })
    };
    indices.iter().filter_map(propose).collect()
}

/// The plan with its edits in the order of the file, each once; `None` where they cannot all be made.
fn in_order(mut plan: Plan) -> Option<Plan> {
    plan.edits.sort_unstable();
    plan.edits.dedup();
    let collide = plan.edits.windows(2).any(|pair| {
        let (one, next) = (pair[0].span, pair[1].span);
        one.source == next.source && next.start < one.end
    });
    (!collide).then_some(plan)
}
