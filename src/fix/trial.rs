//! Tries proposals together, in memory; where they do not all hold, finds those that do.

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Mended;
use super::compare::compare;
use super::fault::Fault;
use super::plan::{Proposal, propose};
use super::reach::Reach;
use super::snapshot::Snapshot;
use crate::facts::Item;
use crate::gateway::Gateway;
use crate::project::Resolved;
use crate::rules::{Finding, Fix, Options, Plan};
use crate::source::{Edit, SourceId, apply, overlap};
use crate::{Project, Request};

/// How often the project may be read again for one set of findings. Where that is not enough, what was not tried is withheld.
const TRIALS: usize = 200;

/// Where proposals are tried.
pub(super) struct Bench<'a> {
    project: &'a mut Project,
    options: &'a [Options],
    /// The models of the roots, as far as they are up to date.
    gateways: &'a mut [Option<Gateway>],
    /// Which sources lie inside the given paths, so that they may be written.
    given: Vec<bool>,
    /// The roots that read each source.
    readers: Vec<Vec<usize>>,
    /// The roots as they were, read when first needed.
    before: FxHashMap<usize, Snapshot>,
    trials: usize,
}

/// What a source and the roots that read it were before a trial.
struct Undo {
    sources: Vec<(SourceId, Vec<u8>)>,
    roots: Vec<(usize, Resolved)>,
    /// The models of the roots as they are now.
    gateways: Vec<(usize, Gateway)>,
}

impl<'a> Bench<'a> {
    /// A bench for the project as it stands.
    pub(super) fn new(
        project: &'a mut Project,
        options: &'a [Options],
        gateways: &'a mut [Option<Gateway>],
        request: &Request,
    ) -> Self {
        let mut readers = vec![Vec::new(); project.store.sources.len()];
        for (root, reached) in project.roots.iter().enumerate() {
            for source in reached.resolved.sources() {
                readers[source.index()].push(root);
            }
        }
        let paths: Vec<_> = request.paths.iter().filter_map(|path| std::fs::canonicalize(path).ok()).collect();
        let is_given = |path: &std::path::Path| {
            std::fs::canonicalize(path).is_ok_and(|real| paths.iter().any(|given| real.starts_with(given)))
        };
        let given = project.store.sources.iter().map(|(_, source)| is_given(source.path())).collect();
        Self { project, options, gateways, given, readers, before: FxHashMap::default(), trials: 0 }
    }

    /// How each of `findings` can be mended; `None` where only a person can. The project stays as it is.
    pub(super) fn try_each(&mut self, findings: &[Finding]) -> Vec<Option<Fix>> {
        let mut fixes: Vec<Option<Fix>> = vec![None; findings.len()];
        let mut proposals = self.propose(findings);
        loop {
            let (accepted, waiting) = self.sift(proposals, &mut fixes);
            for proposal in accepted.into_iter().flatten() {
                fixes[proposal.finding] = fix_of(&proposal);
            }
            if waiting.is_empty() {
                return fixes;
            }
            proposals = waiting;
        }
    }

    /// Makes the edits that mend `findings`, as many as go together; returns what was mended. The bytes that files had before are
    /// added to `files`.
    pub(super) fn keep(&mut self, findings: &[Finding], files: &mut Vec<(SourceId, Vec<u8>)>) -> Vec<Mended> {
        let mut fixes = vec![None; findings.len()];
        let mut proposals = self.propose(findings);
        // Most often all hold together, and then nothing need be undone.
        let (batch, waiting) = self.compose(proposals, &mut |_| {});
        let together: Vec<&Proposal> = batch.iter().collect();
        if !together.is_empty()
            && let Ok(undo) = self.make(&together)
        {
            self.settle(files, undo);
            return mended(&together);
        }
        proposals = batch.into_iter().chain(waiting).collect();
        proposals.sort_unstable_by_key(|proposal| proposal.finding);
        loop {
            let (mut accepted, waiting) = self.sift(proposals, &mut fixes);
            let all: Vec<Proposal> = accepted.iter_mut().flat_map(std::mem::take).collect();
            if !all.is_empty() {
                // Groups that hold each by themselves most often hold together; else the first does, which is the largest part that was tried.
                let first: Vec<&Proposal> = all.iter().take(1).collect();
                let together: Vec<&Proposal> = all.iter().collect();
                for group in [together, first] {
                    if let Ok(undo) = self.make(&group) {
                        self.settle(files, undo);
                        return mended(&group);
                    }
                }
            }
            if waiting.is_empty() {
                return Vec::new();
            }
            proposals = waiting;
        }
    }

    /// The proposals for findings; what the roots are before anything is tried is kept.
    fn propose(&mut self, findings: &[Finding]) -> Vec<Proposal> {
        let (proposals, before) = propose(self.project, self.options, findings, &self.readers, self.gateways);
        self.before = before;
        proposals
    }

    /// Tries the proposals that go together. Returns the groups that hold, and those that are still to be tried: what overlaps, and what has
    /// another plan. What is withheld is noted in `fixes`.
    fn sift(&mut self, proposals: Vec<Proposal>, fixes: &mut [Option<Fix>]) -> (Vec<Vec<Proposal>>, Vec<Proposal>) {
        let mut withhold = |proposal: Proposal| {
            let plan = Err(proposal.reason);
            fixes[proposal.finding] = Some(Fix { safety: proposal.safety, plan });
        };
        let (batch, mut waiting) = self.compose(proposals, &mut withhold);
        let mut accepted = Vec::new();
        let mut groups = if batch.is_empty() { Vec::new() } else { vec![batch] };
        while let Some(mut group) = groups.pop() {
            let members: Vec<&Proposal> = group.iter().collect();
            let failed = match self.attempt(&members) {
                Ok(()) => {
                    accepted.push(group);
                    continue;
                }
                Err(failed) => failed,
            };
            if group.len() > 1 && failed.culprits.is_empty() && failed.suspects.is_empty() {
                let rest = group.split_off(group.len() / 2);
                groups.extend([group, rest]);
                continue;
            }
            let (mut suspects, mut rest) = (Vec::new(), Vec::new());
            let mut give_up = |mut proposal: Proposal, reason: &String| {
                proposal.reason.clone_from(reason);
                proposal.plans.pop();
                if proposal.plans.is_empty() { withhold(proposal) } else { waiting.push(proposal) }
            };
            let is_alone = group.len() == 1;
            for (index, proposal) in group.into_iter().enumerate() {
                match (failed.culprits.get(&index), failed.suspects.get(&index)) {
                    (Some(reason), _) => give_up(proposal, reason),
                    _ if is_alone => give_up(proposal, &failed.reason),
                    (None, Some(_)) => suspects.push((index, proposal)),
                    (None, None) => rest.push(proposal),
                }
            }
            // Where the culprits are known, the others are tried without them first; else what different rules want is tried by itself.
            let first = suspects.first().map(|(_, proposal)| proposal.rule.clone());
            let is_one_rule = suspects.iter().all(|(_, proposal)| Some(&proposal.rule) == first.as_ref());
            if !failed.culprits.is_empty() {
                rest.extend(suspects.into_iter().map(|(_, proposal)| proposal));
                rest.sort_unstable_by_key(|proposal| proposal.finding);
            } else if is_one_rule {
                for (index, proposal) in suspects {
                    give_up(proposal, &failed.suspects[&index]);
                }
            } else {
                let (one, other): (Vec<_>, Vec<_>) = suspects
                    .into_iter()
                    .map(|(_, proposal)| proposal)
                    .partition(|proposal| Some(&proposal.rule) == first.as_ref());
                groups.extend([other, one]);
            }
            if !rest.is_empty() {
                groups.push(rest);
            }
        }
        waiting.sort_unstable_by_key(|proposal| proposal.finding);
        (accepted, waiting)
    }

    /// Those proposals that do not overlap, in their order; and those that must wait for them.
    fn compose(&self, proposals: Vec<Proposal>, withhold: &mut impl FnMut(Proposal)) -> (Vec<Proposal>, Vec<Proposal>) {
        let (mut batch, mut waiting) = (Vec::new(), Vec::new());
        let mut taken: FxHashMap<SourceId, Vec<Edit>> = FxHashMap::default();
        // What keeps the server from starting comes first: it hides what the rest is about.
        let is_about_directives = |proposal: &Proposal| {
            proposal.subjects.iter().any(|subject| matches!(subject.item, Item::Directive(_) | Item::Refused(_)))
        };
        let (first, rest): (Vec<Proposal>, Vec<Proposal>) = proposals.into_iter().partition(is_about_directives);
        let proposals = if first.iter().any(|proposal| !proposal.plans.is_empty()) {
            waiting = rest;
            first
        } else {
            first.into_iter().chain(rest).collect()
        };
        for mut proposal in proposals {
            // What no root is read anew for cannot be tried: the files of directories are read with each request.
            while let Some(plan) = proposal.plans.last()
                && plan.edits.iter().any(|edit| self.readers[edit.span.source.index()].is_empty())
            {
                "what an edit of a file that is read with each request does cannot be tried".clone_into(&mut proposal.reason);
                proposal.plans.pop();
            }
            let may_write = |edit: &Edit| self.given[edit.span.source.index()];
            while let Some(plan) = proposal.plans.last()
                && let Some(edit) = plan.edits.iter().find(|edit| !may_write(edit))
            {
                let path = self.project.store.sources.get(edit.span.source).path().display();
                proposal.reason = format!("the edit belongs in `{path}`, which is not among the given paths");
                proposal.plans.pop();
            }
            let Some(plan) = proposal.plans.last() else {
                withhold(proposal);
                continue;
            };
            let collides = |edit: &Edit| {
                let others = taken.get(&edit.span.source);
                others.is_some_and(|others| near(others, edit).iter().any(|other| other != edit && overlap(other, edit)))
            };
            if plan.edits.iter().any(collides) {
                waiting.push(proposal);
                continue;
            }
            for edit in &plan.edits {
                let others = taken.entry(edit.span.source).or_default();
                if let Err(place) = others.binary_search(edit) {
                    others.insert(place, edit.clone());
                }
            }
            batch.push(proposal);
        }
        (batch, waiting)
    }

    /// Keeps what was made: notes what files held before they were changed for the first time, and the models as they are now.
    fn settle(&mut self, files: &mut Vec<(SourceId, Vec<u8>)>, undo: Undo) {
        let known: FxHashSet<SourceId> = files.iter().map(|(id, _)| *id).collect();
        files.extend(undo.sources.into_iter().filter(|(id, _)| !known.contains(id)));
        for (root, gateway) in undo.gateways {
            self.gateways[root] = Some(gateway);
        }
    }

    /// Tries proposals together and leaves the project as it was.
    fn attempt(&mut self, proposals: &[&Proposal]) -> Result<(), Fault> {
        let undo = self.make(proposals)?;
        self.undo(undo);
        Ok(())
    }

    /// Makes the edits of proposals. Where they do not hold, the project is as it was.
    fn make(&mut self, proposals: &[&Proposal]) -> Result<Undo, Fault> {
        self.trials += 1;
        if self.trials > TRIALS {
            return Err(Fault::of_all("too many fixes of this project do not hold, so that not all could be tried"));
        }
        let mut edits: Vec<&Edit> =
            proposals.iter().filter_map(|proposal| proposal.plans.last()).flat_map(|plan| &plan.edits).collect();
        edits.sort_unstable();
        edits.dedup();
        let files: Vec<&[&Edit]> = edits.chunk_by(|a, b| a.span.source == b.span.source).collect();
        let mut roots: Vec<usize> = files.iter().flat_map(|edits| &self.readers[edits[0].span.source.index()]).copied().collect();
        roots.sort_unstable();
        roots.dedup();
        self.remember(&roots);
        let undo = self.replace(&files, &roots);
        let (project, options, before) = (&*self.project, self.options, &self.before);
        let compare =
            |&root: &usize| (root, compare(project, root, &options[project.roots[root].given], &before[&root], proposals));
        let mut undo = undo;
        let mut fault: Option<Fault> = None;
        for (root, compared) in roots.par_iter().map(compare).collect::<Vec<_>>() {
            match compared {
                Ok(gateway) => undo.gateways.push((root, gateway)),
                Err(found) => {
                    fault = Some(match fault {
                        Some(fault) => fault.and(found),
                        None => found,
                    });
                }
            }
        }
        match fault {
            None => Ok(undo),
            Some(fault) => {
                self.undo(undo);
                Err(fault)
            }
        }
    }

    /// Reads the facts of roots as they are before anything is tried.
    fn remember(&mut self, roots: &[usize]) {
        let (project, options) = (&*self.project, self.options);
        let new = roots.par_iter().filter(|root| !self.before.contains_key(root));
        let take = |&root: &usize| {
            let reached = &project.roots[root];
            let gateway = project.lower(reached);
            let rules = project.settings[reached.given].rules();
            (root, Snapshot::take(&project.view(reached, &gateway), rules, &options[reached.given], Reach::All, true))
        };
        let taken: Vec<(usize, Snapshot)> = new.map(take).collect();
        self.before.extend(taken);
    }

    fn replace(&mut self, files: &[&[&Edit]], roots: &[usize]) -> Undo {
        let mut sources = Vec::with_capacity(files.len());
        for edits in files {
            let id = edits[0].span.source;
            let bytes = apply(self.project.store.sources.get(id).bytes(), edits.iter().copied());
            sources.push((id, self.project.store.replace(id, bytes)));
        }
        let Project { store, roots: all, .. } = &mut *self.project;
        let again = |&root: &usize| (root, all[root].resolve_again(store));
        Undo { sources, roots: roots.iter().map(again).collect(), gateways: Vec::new() }
    }

    fn undo(&mut self, undo: Undo) {
        for (id, bytes) in undo.sources {
            self.project.store.replace(id, bytes);
        }
        for (root, resolved) in undo.roots {
            self.project.roots[root].resolved = resolved;
        }
    }
}

/// What proposals mend.
fn mended(proposals: &[&Proposal]) -> Vec<Mended> {
    let mended = |proposal: &&Proposal| Mended { rule: proposal.rule.clone(), subjects: proposal.subjects.clone() };
    proposals.iter().map(mended).collect()
}

/// Those of sorted edits, which do not overlap, that may touch `edit`.
fn near<'a>(edits: &'a [Edit], edit: &Edit) -> &'a [Edit] {
    let first = edits.partition_point(|other| other.span.end < edit.span.start);
    let count = edits[first..].partition_point(|other| other.span.start <= edit.span.end);
    &edits[first..first + count]
}

fn fix_of(proposal: &Proposal) -> Option<Fix> {
    let plan: Plan = proposal.plans.last()?.clone();
    Some(Fix { safety: proposal.safety, plan: Ok(plan) })
}
