//! `json`: everything, for programs. The form is versioned and stable.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::fingerprint;
use crate::Checked;
use crate::project::Store;
use crate::rules::{Finding, Fix, Intent, Level, Safety};
use crate::source::{Edit, Span};

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    findings: Vec<JsonFinding<'a>>,
    summary: JsonSummary,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    rule: &'a str,
    level: Level,
    intent: Option<Intent>,
    message: &'a str,
    path: String,
    span: JsonSpan,
    labels: Vec<JsonLabel<'a>>,
    fixes: Vec<JsonFix<'a>>,
    /// Why no fix is offered though the rule has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix_withheld: Option<&'a str>,
    url: String,
    fingerprint: String,
}

/// Lines and columns from 1, columns in code points, bytes from 0; the end is the place after the last character.
#[derive(Serialize)]
pub(super) struct JsonSpan {
    start: JsonPosition,
    end: JsonPosition,
}

#[derive(Serialize)]
struct JsonPosition {
    line: u32,
    column: u32,
    byte: u32,
}

/// Edits that mend the finding; made together.
#[derive(Serialize)]
struct JsonFix<'a> {
    safety: Safety,
    title: &'a str,
    edits: Vec<JsonEdit<'a>>,
}

/// The bytes from `start` to `end`, counted from 0, become `text`.
#[derive(Serialize)]
struct JsonEdit<'a> {
    path: String,
    start: u32,
    end: u32,
    text: Cow<'a, str>,
}

/// A place that explains the finding; the first is the finding's own.
#[derive(Serialize)]
struct JsonLabel<'a> {
    path: String,
    span: JsonSpan,
    message: &'a str,
}

#[derive(Serialize)]
struct JsonSummary {
    files: usize,
    routes: usize,
    findings: usize,
    fixable: usize,
    suppressed: usize,
}

/// Writes the findings and the summary as one JSON document.
///
/// # Errors
/// Where it cannot be written.
pub fn json(out: &mut dyn Write, checked: &Checked) -> io::Result<()> {
    let store = &checked.project.store;
    let own = checked.project.settings.iter().flat_map(|settings| &settings.own);
    let own: BTreeMap<&str, &str> = own.map(|rule| (rule.name(), rule.path())).collect();
    let url = |rule: &str| own.get(rule).map_or_else(|| page(rule), |path| (*path).to_owned());
    let document = Document {
        version: 1,
        findings: checked.findings.iter().map(|finding| of_finding(store, finding, url(&finding.rule))).collect(),
        summary: JsonSummary {
            files: store.sources.len(),
            routes: checked.routes,
            findings: checked.findings.len(),
            fixable: checked.findings.iter().filter(|finding| finding.fix.as_ref().is_some_and(|fix| fix.plan.is_ok())).count(),
            suppressed: checked.suppressed,
        },
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// Where the page of a built-in rule is.
#[must_use]
pub fn page(rule: &str) -> String {
    match env!("CARGO_PKG_REPOSITORY") {
        "" => format!("rules/{rule}.md"),
        repository => format!("{repository}/blob/v{}/rules/{rule}.md", env!("CARGO_PKG_VERSION")),
    }
}

fn of_finding<'a>(store: &Store, finding: &'a Finding, url: String) -> JsonFinding<'a> {
    JsonFinding {
        rule: &finding.rule,
        level: finding.level,
        intent: finding.intent,
        message: &finding.message,
        path: path_of(store, finding.span),
        span: span_of(store, finding.span),
        labels: std::iter::once((&finding.span, &finding.label))
            .chain(finding.labels.iter().map(|(span, label)| (span, label)))
            .filter(|(_, label)| !label.is_empty())
            .map(|(&span, message)| JsonLabel { path: path_of(store, span), span: span_of(store, span), message })
            .collect(),
        fixes: finding.fix.iter().filter_map(|fix| of_fix(store, fix)).collect(),
        fix_withheld: finding.fix.as_ref().and_then(|fix| fix.plan.as_ref().err()).map(String::as_str),
        url,
        fingerprint: fingerprint(store, finding),
    }
}

fn of_fix<'a>(store: &Store, fix: &'a Fix) -> Option<JsonFix<'a>> {
    let plan = fix.plan.as_ref().ok()?;
    let edit = |edit: &'a Edit| JsonEdit {
        path: path_of(store, edit.span),
        start: edit.span.start,
        end: edit.span.end,
        text: String::from_utf8_lossy(&edit.text),
    };
    Some(JsonFix { safety: fix.safety, title: &plan.title, edits: plan.edits.iter().map(edit).collect() })
}

pub(super) fn path_of(store: &Store, span: Span) -> String {
    store.sources.get(span.source).path().to_string_lossy().into_owned()
}

pub(super) fn span_of(store: &Store, span: Span) -> JsonSpan {
    let position = |byte: u32| {
        let at = store.sources.get(span.source).position(byte);
        JsonPosition { line: at.line, column: at.column, byte }
    };
    JsonSpan { start: position(span.start), end: position(span.end) }
}
