//! The way of one request through a gateway: as a text to read, as JSON, and as a diagram.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use super::escape::printable;
use super::json::{JsonSpan, path_of, span_of};
use crate::gateway::{Gateway, Millis};
use crate::handshake::{Because, Verdict, Walk};
use crate::project::Store;

/// A walk with what is needed to show it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The files.
    pub store: &'a Store,
    /// The model that was walked.
    pub gateway: &'a Gateway,
    /// The walk.
    pub walk: &'a Walk,
    /// What was asked, as the user wrote it.
    pub url: &'a str,
}

impl Shown<'_> {
    /// `path:line` of a step, or nothing for a default of the server.
    fn place(&self, because: &Because) -> Option<String> {
        let span = because.span?;
        let source = self.store.sources.get(span.source);
        Some(format!("{}:{}", printable(&source.path().display().to_string()), source.position(span.start).line))
    }

    /// The verdict in words.
    fn verdict(&self) -> String {
        match &self.walk.verdict {
            Verdict::Upgraded { idle_limit: Ok(Some(Millis(u64::MAX)) | None) } => {
                "upgraded: the WebSocket opens, and silence never closes it".to_owned()
            }
            Verdict::Upgraded { idle_limit: Ok(Some(limit)) } => {
                format!("upgraded: the WebSocket opens, and {limit} of silence close it")
            }
            Verdict::Upgraded { idle_limit: Err(why) } => {
                format!("upgraded: the WebSocket opens; how long silence lasts is unknown: {}", why.reason())
            }
            Verdict::ForwardedPlain => {
                "forwarded-plain: the backend is asked, but not for an upgrade that it may accept".to_owned()
            }
            Verdict::Answered { status, location: None } => format!("answered: {status}, by the server itself"),
            Verdict::Answered { status, location: Some(location) } => {
                format!("answered: {status} to {location}, which no WebSocket client follows")
            }
            Verdict::BadGateway { status } => {
                format!("bad-gateway: {status}, the backend cannot be asked or its answer is of no use")
            }
            Verdict::RefusesToStart { message } => format!("refuses-to-start: {message}"),
            Verdict::Unknown(why) => format!("unknown: {}", why.reason()),
        }
    }
}

/// Writes the walk as a text: one step a line, with its place, the culprit marked; then what the upstream is sent, and the verdict.
///
/// # Errors
/// Where it cannot be written.
pub fn text(out: &mut dyn Write, shown: Shown<'_>) -> io::Result<()> {
    writeln!(out, "{} through {}", printable(shown.url), shown.gateway.server.program())?;
    let steps: Vec<(Option<String>, &Because)> = shown.walk.because.iter().map(|step| (shown.place(step), step)).collect();
    let width = steps.iter().filter_map(|(place, _)| place.as_ref()).map(|place| place.chars().count()).max().unwrap_or(0);
    for (place, step) in &steps {
        let mark = if step.culprit { '✗' } else { '·' };
        writeln!(out, "  {mark} {:width$}  {}", place.as_deref().unwrap_or_default(), printable(&step.message))?;
    }
    if let Some(request) = &shown.walk.upstream_request {
        writeln!(out, "\n  the upstream is sent")?;
        writeln!(out, "    {} {} HTTP/{}", printable(&request.method), printable(&request.target), request.http_version)?;
        for (name, value) in request.headers.iter() {
            writeln!(out, "    {}: {}", printable(name), printable(value))?;
        }
    }
    writeln!(out, "\n{}", printable(&shown.verdict()))
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    server: &'a str,
    route: Option<JsonRoute>,
    upstream_request: Option<JsonRequest<'a>>,
    verdict: JsonVerdict<'a>,
    because: Vec<JsonStep<'a>>,
}

#[derive(Serialize)]
struct JsonRoute {
    path: String,
    span: JsonSpan,
}

#[derive(Serialize)]
struct JsonRequest<'a> {
    method: &'a str,
    target: &'a str,
    http_version: &'a str,
    headers: Vec<(&'a str, &'a str)>,
}

#[derive(Serialize)]
struct JsonVerdict<'a> {
    kind: &'a str,
    status: Option<u16>,
    location: Option<&'a str>,
    message: Option<&'a str>,
    idle_limit_ms: Option<u64>,
}

/// A step; path and span are null for a default of the server.
#[derive(Serialize)]
struct JsonStep<'a> {
    path: Option<String>,
    span: Option<JsonSpan>,
    message: &'a str,
}

/// Writes the walk as one JSON document.
///
/// # Errors
/// Where it cannot be written.
pub fn json(out: &mut dyn Write, shown: Shown<'_>) -> io::Result<()> {
    let Shown { store, gateway, walk, .. } = shown;
    let route = walk.route.map(|id| gateway.route(id).span);
    let document = Document {
        version: 1,
        server: gateway.server.name(),
        route: route.map(|span| JsonRoute { path: path_of(store, span), span: span_of(store, span) }),
        upstream_request: walk.upstream_request.as_ref().map(|request| JsonRequest {
            method: &request.method,
            target: &request.target,
            http_version: &request.http_version,
            headers: request.headers.iter().collect(),
        }),
        verdict: verdict(&walk.verdict),
        because: walk.because.iter().map(|step| of_step(store, step)).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn of_step<'a>(store: &Store, Because { span, message, .. }: &'a Because) -> JsonStep<'a> {
    JsonStep { path: span.map(|span| path_of(store, span)), span: span.map(|span| span_of(store, span)), message }
}

fn verdict(verdict: &Verdict) -> JsonVerdict<'_> {
    let kind = verdict.kind();
    let empty = JsonVerdict { kind, status: None, location: None, message: None, idle_limit_ms: None };
    match verdict {
        Verdict::Upgraded { idle_limit } => {
            let limit = idle_limit.ok().flatten().map(|limit| limit.0).filter(|&limit| limit != u64::MAX);
            JsonVerdict { status: Some(101), idle_limit_ms: limit, ..empty }
        }
        Verdict::Answered { status, location } => JsonVerdict { status: Some(*status), location: location.as_deref(), ..empty },
        Verdict::BadGateway { status } => JsonVerdict { status: Some(*status), ..empty },
        Verdict::RefusesToStart { message } => JsonVerdict { message: Some(message), ..empty },
        Verdict::Unknown(why) => JsonVerdict { message: Some(why.reason()), ..empty },
        Verdict::ForwardedPlain => empty,
    }
}

/// Writes the walk as a Mermaid flowchart.
///
/// # Errors
/// Where it cannot be written.
pub fn mermaid(out: &mut dyn Write, shown: Shown<'_>) -> io::Result<()> {
    writeln!(out, "flowchart TD")?;
    writeln!(out, "    start([\"{}\"])", quoted(shown.url))?;
    let mut before = "start".to_owned();
    for (number, step) in shown.walk.because.iter().enumerate() {
        let mut label = quoted(&step.message);
        if let Some(place) = shown.place(step) {
            let _ = write!(label, "<br><small>{}</small>", quoted(&place));
        }
        writeln!(out, "    s{number}[\"{label}\"]")?;
        writeln!(out, "    {before} --> s{number}")?;
        if step.culprit {
            writeln!(out, "    style s{number} stroke:#c00,stroke-width:3px")?;
        }
        before = format!("s{number}");
    }
    writeln!(out, "    verdict([\"{}\"])", quoted(&shown.verdict()))?;
    writeln!(out, "    {before} --> verdict")
}

/// A text inside a Mermaid label: its quotes and brackets as entities.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for character in printable(text).chars() {
        match character {
            '"' => quoted.push_str("#quot;"),
            '<' => quoted.push_str("#lt;"),
            '>' => quoted.push_str("#gt;"),
            '#' => quoted.push_str("#35;"),
            '\n' => quoted.push(' '),
            other => quoted.push(other),
        }
    }
    quoted
}
