//! Mends findings: plans edits that make the wanted facts true, tries them in memory, and keeps what changes nothing else.
//!
//! findings ─plan→ proposals ─compose→ a batch ─apply→ sources read again ─compare→ kept, or withheld with the reason
//!
//! A plan comes from the server's own editor ([`Planner`]); whether it is right is judged here, for all servers alike, over facts: what
//! was wanted holds, no other fact of any item of any root that reads the file has changed, and no rule complains of anything new.

mod along;
mod asked;
mod compare;
mod diff;
mod fault;
mod plan;
mod reach;
mod snapshot;
mod targets;
mod trial;
mod write;

pub use diff::{diff, hunk};
pub use plan::{Job, Planner};
pub use write::WriteError;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use crate::rules::{Finding, Safety, Subject};
use crate::source::SourceId;
use crate::{Checked, Request};
use trial::Bench;

/// More rounds than any chain of fixes needs: what one fix brings to light the next may mend.
const ROUNDS: usize = 10;

/// A finding that was mended.
#[derive(Clone, Debug)]
pub struct Mended {
    /// The rule that had found it.
    pub rule: String,
    /// What was mended, as it was called before.
    pub subjects: Vec<Subject>,
}

/// What was mended.
#[derive(Debug, Default)]
pub struct Fixed {
    /// How many findings were mended.
    pub count: usize,
    /// The rules that had found them.
    pub rules: BTreeSet<String>,
    /// The files that changed, with their bytes as they were read.
    pub files: Vec<(SourceId, Vec<u8>)>,
}

/// Finds out how each finding can be mended, and notes it there. Nothing is changed.
pub fn plan(checked: &mut Checked, request: &Request) {
    let Checked { project, findings, options, gateways, .. } = checked;
    let mut bench = Bench::new(project, options, gateways, request);
    let fixes = bench.try_each(findings);
    findings.iter_mut().zip(fixes).for_each(|(finding, fix)| finding.fix = fix);
}

/// Mends what can be mended by fixes that can be trusted as far as `safety` says, in memory; afterwards `checked` holds what is left.
pub fn mend(checked: &mut Checked, request: &Request, safety: Safety) -> Fixed {
    let mut fixed = Fixed::default();
    for _ in 0..ROUNDS {
        if round(checked, request, safety, &mut fixed).is_empty() {
            break;
        }
    }
    fixed
}

/// Makes the fixes that go together, as [`mend`] does round by round, and returns what they mend; `fixed` is what was mended so far.
pub fn round(checked: &mut Checked, request: &Request, safety: Safety, fixed: &mut Fixed) -> Vec<Mended> {
    let Checked { project, findings, options, gateways, .. } = &mut *checked;
    let wanted = |finding: &Finding| plan::safety(project, finding).is_some_and(|of| of <= safety);
    let chosen: Vec<Finding> = findings.iter().filter(|finding| wanted(finding)).cloned().collect();
    if chosen.is_empty() {
        return Vec::new();
    }
    let mended = Bench::new(project, options, gateways, request).keep(&chosen, &mut fixed.files);
    if mended.is_empty() {
        return mended;
    }
    fixed.count += mended.len();
    fixed.rules.extend(mended.iter().map(|one| one.rule.clone()));
    checked.judge(request);
    let store = &checked.project.store;
    fixed.files.retain(|(id, before)| store.sources.get(*id).bytes() != before);
    fixed.files.sort_by(|a, b| store.sources.get(a.0).path().cmp(store.sources.get(b.0).path()));
    mended
}

/// Writes what was mended as one patch.
///
/// # Errors
/// Where it cannot be written.
pub fn patch(out: &mut dyn io::Write, checked: &Checked, fixed: &Fixed) -> io::Result<()> {
    let sources = &checked.project.store.sources;
    fixed.files.iter().try_for_each(|(id, before)| diff(out, sources.get(*id).path(), before, sources.get(*id).bytes()))
}

/// Writes what was mended. A file that cannot be written stays as it is, whole, and is returned with the reason.
#[must_use]
pub fn write(checked: &Checked, fixed: &Fixed) -> Vec<(PathBuf, WriteError)> {
    let sources = &checked.project.store.sources;
    let write = |(id, before): &(SourceId, Vec<u8>)| {
        let source = sources.get(*id);
        let error = write::replace(source.path(), before, source.bytes()).err()?;
        Some((source.path().to_path_buf(), error))
    };
    fixed.files.iter().filter_map(write).collect()
}
