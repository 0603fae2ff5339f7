//! The last line of a report for people, and the findings counted by rule.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::Checked;
use crate::rules::{Fix, Level, Safety};

/// How many findings there are in how many files and routes, in one line without its end.
#[must_use]
pub fn summary(checked: &Checked) -> String {
    let count = |level: Level| checked.findings.iter().filter(|finding| finding.level == level).count();
    let levels = [(Level::Error, "error"), (Level::Warning, "warning"), (Level::Note, "note")];
    let parts: Vec<String> = levels
        .iter()
        .map(|&(level, name)| (count(level), name))
        .filter(|&(count, _)| count > 0)
        .map(|(count, name)| counted(count, name))
        .collect();
    let found = match checked.findings.len() {
        0 => "no findings".to_owned(),
        all => format!("{} ({})", counted(all, "finding"), parts.join(", ")),
    };
    let hidden = match checked.hidden {
        0 => String::new(),
        hidden => format!("; {} on mere hints hidden (--pedantic shows them)", counted(hidden, "finding")),
    };
    let suppressed = match checked.suppressed {
        0 => String::new(),
        suppressed => format!("; {} silenced by comments", counted(suppressed, "finding")),
    };
    let files = checked.project.store.sources.len();
    format!("{found} in {}, {}{hidden}{suppressed}", counted(files, "file"), counted(checked.routes, "route"))
}

/// What was mended, where something was to be (`fixed`), and what can be, in one line without its end; `None`: there is nothing to say.
#[must_use]
pub fn mended(checked: &Checked, fixed: Option<usize>) -> Option<String> {
    let can = |safety: Safety| {
        let has = |fix: &Fix| fix.safety == safety && fix.plan.is_ok();
        checked.findings.iter().filter(|finding| finding.fix.as_ref().is_some_and(has)).count()
    };
    let (safe, unsafe_) = (can(Safety::Safe), can(Safety::Unsafe));
    let rest = checked.findings.len() - safe - unsafe_;
    let mut parts = Vec::new();
    parts.extend(fixed.map(|count| format!("{count} fixed")));
    parts.extend((safe > 0).then(|| format!("{safe} can be fixed with --fix")));
    let more = if parts.is_empty() { "can be fixed" } else { "more" };
    parts.extend((unsafe_ > 0).then(|| format!("{unsafe_} {more} with --unsafe-fixes")));
    if parts.is_empty() {
        return None;
    }
    parts.extend((rest > 0).then(|| format!("{rest} {} a person", if rest == 1 { "needs" } else { "need" })));
    Some(parts.join("; "))
}

/// Writes how many findings there are of each rule, the most frequent first.
///
/// # Errors
/// Where it cannot be written.
pub fn statistics(out: &mut dyn Write, checked: &Checked) -> io::Result<()> {
    let mut counts: BTreeMap<(&str, Level), usize> = BTreeMap::new();
    for finding in &checked.findings {
        *counts.entry((&finding.rule, finding.level)).or_default() += 1;
    }
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by_key(|&((rule, level), count)| (std::cmp::Reverse(count), rule, level));
    for ((rule, level), count) in rows {
        writeln!(out, "{count:>7}  {level}[{rule}]")?;
    }
    Ok(())
}

fn counted(count: usize, name: &str) -> String {
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}
