//! `proxylint facts`: every fact there is, or what the facts are of the routes at a place.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::terminal::Terminal;
use super::{Failure, Outcome, Settings};
use crate::Project;
use crate::facts::{Fact, Item, Reader, Subject, Type, Value, View, facts};
use crate::gateway::{Gateway, RouteId, Unknown};
use crate::report::printable;
use crate::source::{SourceId, Span};
use crate::tree::DirectiveId;

/// List every fact that rules can judge, or the values at one place
#[derive(Debug, Args)]
pub(super) struct FactsArgs {
    /// A line of a configuration file: the facts of the routes there, and where each comes from
    #[arg(value_name = "PATH:LINE")]
    place: Option<String>,
    /// Read the includes of this file or directory; without it, of the nearest directory with a main file around PATH
    #[arg(long, value_name = "PATH")]
    root: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(args: FactsArgs, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let Some(place) = args.place else {
        list(&mut terminal.out)?;
        return Ok(Outcome::Clean);
    };
    let (path, line) = place
        .rsplit_once(':')
        .and_then(|(path, line)| Some((PathBuf::from(path), line.parse::<u32>().ok().filter(|&line| line > 0)?)))
        .ok_or_else(|| {
            Failure::new(format!("`{place}` is not PATH:LINE")).help("for example `proxylint facts conf.d/app.conf:12`")
        })?;
    let mut request = args.settings.into_request()?;
    request.paths = vec![args.root.unwrap_or_else(|| home(&path)), path.clone()];
    let project = crate::read(&request)?;
    let Some(source) = source_at(&project, &path) else {
        project.problems.iter().for_each(|problem| terminal.problem(problem));
        return Ok(Outcome::Incomplete);
    };
    let shown = show(&project, source, line, &mut terminal.out)?;
    if shown == 0 {
        return Err(Failure::new(format!("no route at line {line} of `{}`", path.display()))
            .help("a route is a location, a ProxyPass, or another place that answers or proxies requests: name a line of one"));
    }
    Ok(Outcome::Clean)
}

/// The table of facts.
fn list(out: &mut dyn Write) -> io::Result<()> {
    let width = facts().map(|fact| fact.name.len()).max().unwrap_or(0);
    for fact in facts() {
        writeln!(out, "{:width$}  {:9}  {:8}  {}", fact.name, fact.subject.name(), kind(fact.kind), fact.meaning)?;
    }
    Ok(())
}

fn kind(kind: Type) -> &'static str {
    match kind {
        Type::Text => "text",
        Type::List => "list",
        Type::Duration => "duration",
        Type::Number => "number",
        Type::Flag => "flag",
        Type::Version => "version",
    }
}

/// The nearest directory around `path` with a main file in it, not above the repository or the current directory; else its own.
fn home(path: &Path) -> PathBuf {
    let own = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let has_main =
        |directory: &&Path| ["nginx.conf", "httpd.conf", "apache2.conf"].iter().any(|main| directory.join(main).is_file());
    let around = own.ancestors().filter(|directory| !directory.as_os_str().is_empty());
    let mut inside = true;
    let around = around.take_while(|directory| std::mem::replace(&mut inside, !directory.join(".git").exists()));
    around.take(16).find(has_main).unwrap_or(own).to_path_buf()
}

fn source_at(project: &Project, path: &Path) -> Option<SourceId> {
    let real = std::fs::canonicalize(path).ok()?;
    let mut sources = project.store.sources.iter();
    sources.find(|(_, source)| std::fs::canonicalize(source.path()).is_ok_and(|other| other == real)).map(|(id, _)| id)
}

/// Writes the facts of every route that the directive at `line` is part of; returns how many routes these are.
fn show(project: &Project, source: SourceId, line: u32, out: &mut dyn Write) -> io::Result<usize> {
    let around = around(project, source, line);
    let mut shown = 0;
    for reached in project.roots.iter().filter(|reached| reached.resolved.sources().contains(&source)) {
        let gateway = project.lower(reached);
        let view = View::new(&project.store.sources, &gateway, &project.settings[reached.given].declared);
        // The innermost block that has routes, and all routes of it: an included file may stand for several.
        let heads = around.iter().map(|head| routes_at(&gateway, *head)).find(|routes| !routes.is_empty());
        for route in heads.into_iter().flatten() {
            if shown > 0 {
                writeln!(out)?;
            }
            facts_of(project, &view, route, out)?;
            shown += 1;
        }
    }
    Ok(shown)
}

/// The heads of the directive at `line` and of the blocks around it, innermost first.
fn around(project: &Project, source: SourceId, line: u32) -> Vec<Span> {
    let (tree, text) = (project.store.tree(source), project.store.sources.get(source));
    let start = text.lines().line_start(line);
    let bytes = text.lines().line_text(text.bytes(), line);
    let indent = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let at = start + u32::try_from(indent).unwrap_or(0);
    let before = tree
        .directives()
        .partition_point(|directive| tree.range(directive.name).start <= at + u32::from(bytes.get(indent) == Some(&b'<')));
    let mut next = before.checked_sub(1).and_then(|index| u32::try_from(index).ok()).map(DirectiveId);
    let mut heads = Vec::new();
    while let Some(id) = next {
        if at < tree.extent(id).end {
            heads.push(Span::new(source, tree.head(id).start, tree.head(id).end));
        }
        next = tree.directive(id).parent;
    }
    heads
}

/// The routes whose own place lies on the line of `head`, or that are set up by the directive there.
fn routes_at(gateway: &Gateway, head: Span) -> Vec<RouteId> {
    let inside = |span: Span| span.source == head.source && span.start < head.end && head.start < span.end;
    gateway.route_ids().filter(|&id| inside(gateway.route(id).span)).collect()
}

fn facts_of(project: &Project, view: &View<'_>, route: RouteId, out: &mut dyn Write) -> io::Result<()> {
    let span = view.gateway.route(route).span;
    writeln!(out, "{}  {}", place(project, span), printable(&String::from_utf8_lossy(project.store.sources.slice(span))))?;
    let reader = Reader::new(view, Item::Route(route));
    for fact in facts_of_routes(view.gateway) {
        let reading = fact.read(&reader);
        let name = fact.definition.name.replace("<name>", &fact.parameter);
        match &reading.value {
            Ok(Value::Absent) => writeln!(out, "  {name:40} none")?,
            Ok(value) => writeln!(out, "  {name:40} {}", printable(&value.to_string()))?,
            Err(why) => writeln!(out, "  {name:40} unknown: {}{}", why.reason(), of_unknown(project, *why))?,
        }
        if let Some(until) = reading.until {
            writeln!(out, "  {:40}   before version {until}", "")?;
        }
        for evidence in &reading.evidence {
            writeln!(out, "  {:40}   {}: {}", "", place(project, evidence.span), printable(&evidence.note))?;
        }
    }
    Ok(())
}

/// The facts of a route: those with a header's name for each header that the configuration or a handshake knows.
fn facts_of_routes(gateway: &Gateway) -> Vec<Fact> {
    let mut headers: Vec<String> = ["connection", "host", "upgrade"].map(str::to_owned).to_vec();
    headers.extend(gateway.default_headers.iter().map(|header| header.name.to_ascii_lowercase()));
    headers.sort_unstable();
    headers.dedup();
    let mut found = Vec::new();
    for definition in facts().filter(|fact| fact.subject == Subject::Route) {
        if definition.name.ends_with("<name>") {
            found.extend(headers.iter().map(|name| Fact { definition, parameter: name.clone() }));
        } else {
            found.push(Fact { definition, parameter: String::new() });
        }
    }
    found
}

fn of_unknown(project: &Project, why: Unknown) -> String {
    why.span().map(|span| format!(" ({})", place(project, span))).unwrap_or_default()
}

fn place(project: &Project, span: Span) -> String {
    let source = project.store.sources.get(span.source);
    let at = source.position(span.start);
    format!("{}:{}:{}", printable(&source.path().to_string_lossy()), at.line, at.column)
}
