//! What real httpd did, and what is said of it: a handshake that the configuration breaks has an error on the line to blame, and one that
//! comes through has none.
//!
//! The cases are those of the conformance suite. `tests/ground_truth_apache.txt` lists what is left out, each with its reason.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "conformance/case.rs"]
#[expect(dead_code, reason = "the conformance suite asks more of a case")]
mod case;
#[path = "conformance/outcome.rs"]
#[expect(dead_code, reason = "the conformance suite compares outcomes")]
mod outcome;
#[path = "conformance/sent.rs"]
#[expect(dead_code, reason = "the conformance suite compares requests")]
mod sent;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use case::{Case, Mode, Pattern, Seen, Software, Step};
use outcome::Outcome;
use proxylint::apache;
use proxylint::facts::{Declared, View};
use proxylint::gateway::{Action, Gateway, Server, SiteId, Target, Version};
use proxylint::handshake::{Client, Probe, Socket, Verdict, Walk, follow};
use proxylint::project::{Root, Store};
use proxylint::rules::{Finding, Level, Options, builtin, judge};
use proxylint::source::Span;
use sent::Sent;

/// What is left out, by case, with the reason.
const EXCEPTIONS: &str = include_str!("ground_truth_apache.txt");

/// Rules at error level that are about what comes after the handshake, or about all requests.
const NOT_OF_HANDSHAKES: [&str; 2] = ["timeout-unit-ignored", "open-forward-proxy"];

/// Rules about the path that the backend is asked for. The suite's backend takes any path, and others answer 404.
const OF_PATHS: [&str; 3] = ["rewrite-target-malformed", "rewrite-redirect-not-last", "sethandler-path-leaked"];

fn exceptions() -> BTreeMap<&'static str, &'static str> {
    EXCEPTIONS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": ")).collect()
}

/// A configuration as one version reads it.
struct Read {
    store: Store,
    gateway: Gateway,
}

impl Read {
    fn new(case: &Case, version: Version) -> Self {
        let mut store = Store::default();
        store.add_base(&case.folder).unwrap();
        let source = store.load(&[case.folder.join("httpd.conf")], Server::Apache).remove(0).unwrap();
        let root = Root { server: Server::Apache, source, base: case.folder.clone(), is_main: true };
        let resolved = apache::resolve_for(&mut store, &root, Some(version));
        let gateway = apache::lower(&store, &root, &resolved, Some(version));
        Self { store, gateway }
    }

    /// What is found at error level about handshakes, where the user declares a WebSocket at this path, or none. Sites that do not get the
    /// handshake are left out: the same path of theirs may be something else.
    fn errors(&self, path: Option<&str>, walk: &Walk) -> Vec<Finding> {
        let websocket_routes = path.map(str::to_owned).into_iter().collect();
        let declared = Declared { websocket_routes, ..Declared::default() };
        let view = View::new(&self.store.sources, &self.gateway, &declared);
        let mut findings = judge(builtin(), &view, &Options::default());
        let elsewhere = |span: Span| {
            let mut sites = self.gateway.routes.iter().filter(|route| route.span == span).map(|route| route.site).peekable();
            walk.site.is_some() && sites.peek().is_some() && sites.all(|own| Some(own) != walk.site && own != SiteId(0))
        };
        findings.retain(|finding| finding.level == Level::Error && !elsewhere(finding.span));
        findings.retain(|finding| !NOT_OF_HANDSHAKES.contains(&finding.rule.as_str()));
        findings
    }

    /// What becomes of the handshake of `step`.
    fn walk(&self, step: &Step) -> Walk {
        let declared = Declared::default();
        let view = View::new(&self.store.sources, &self.gateway, &declared);
        let (path, query) =
            step.path().split_once('?').map_or((step.path(), None), |(path, query)| (path, Some(query.to_owned())));
        let mut request = Probe::Chrome.request(step.host(), path, step.tls);
        request.query = query;
        request.host = step.host().split(':').next().unwrap_or_default().to_ascii_lowercase();
        request.target = Some(step.path().to_owned());
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let client = Client { request, socket: Socket { address: here, port: 18080 + step.port }, from: here };
        follow(&view, &client, &|_| None)
    }

    /// Whether the configuration plainly says that this is answered so: by who is let in, by a redirect, by `!`, by speaking TLS.
    fn is_deliberate(&self, walk: &Walk) -> bool {
        let Verdict::Answered { status, .. } = &walk.verdict else { return false };
        let excluded =
            |span: Span| self.gateway.routes.iter().any(|route| matches!(route.target, Target::Excluded(own) if own == span));
        let culprits = walk.because.iter().filter(|because| because.culprit).filter_map(|because| because.span);
        let rules = self.gateway.sites.iter().flat_map(|site| &site.rewrites);
        let answers = |span: Span| rules.clone().any(|rule| rule.span == span && matches!(rule.action, Action::Answer(_)));
        let https = |location: &str| location.starts_with("http");
        let location = match &walk.verdict {
            Verdict::Answered { location, .. } => location.as_deref(),
            _ => None,
        };
        matches!(status, 401 | 403 | 405)
            || location.is_some_and(https)
            || culprits.into_iter().any(|span| excluded(span) || answers(span))
    }

    /// The lines to blame.
    fn culprits(&self, walk: &Walk) -> Vec<String> {
        let culprits = walk.because.iter().filter(|because| because.culprit);
        culprits.filter_map(|because| because.span).map(|span| self.place(span)).collect()
    }

    fn place(&self, span: Span) -> String {
        let source = self.store.sources.get(span.source);
        let name = source.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("{name}:{}", source.position(span.start).line)
    }

    fn shown(&self, findings: &[Finding]) -> String {
        let line = |finding: &Finding| format!("      {}: [{}] {}\n", self.place(finding.span), finding.rule, finding.message);
        findings.iter().map(line).collect()
    }
}

/// Whether a browser asks so.
fn is_browsers(step: &Step) -> bool {
    matches!(step.mode, Mode::Ws | Mode::Raw | Mode::Idle)
        && !step.is_plain()
        && step.changes().is_empty()
        && step.method.is_none()
        && step.httpver.is_none()
        && step.alpn.is_empty()
        && step.reload.is_none()
        && !matches!(step.pattern, Pattern::ClientNoread | Pattern::ServerStall)
}

/// What is wrong with what is found for a handshake that came to this outcome, if anything is.
type Judge = fn(&Read, &Step, &Seen) -> Option<String>;

/// What `judge` says of every handshake of a browser with every version: how many there are, and what is wrong, by the names that an
/// exception may have: the case, or the case and the path.
fn faults(judge: Judge) -> (usize, Vec<([String; 2], String)>) {
    let (mut looked_at, mut faults) = (0, Vec::new());
    for case in Case::read_all(Software::Apache).unwrap() {
        for (version, recorded) in &case.recorded {
            let read = Read::new(&case, version.parse().unwrap());
            let told = case.steps.iter().zip(&recorded.steps).zip(recorded.readable.iter().chain(std::iter::repeat(&None)));
            for ((step, seen), readable) in told.filter(|((step, _), _)| is_browsers(step)) {
                // A backend that is dead, slow or lenient is nothing that the configuration tells.
                let seen = readable.as_ref().unwrap_or(seen);
                looked_at += 1;
                if let Some(fault) = judge(&read, step, seen) {
                    let text = format!("{}@{version} {}: {}, {fault}", case.name, step.path(), seen.outcome);
                    faults.push(([case.name.clone(), format!("{} {}", case.name, step.path())], text));
                }
            }
        }
    }
    (looked_at, faults)
}

/// Nothing is wrong with any handshake but those of exceptions.
fn holds(judge: Judge) {
    let exceptions = exceptions();
    let (looked_at, mut faults) = faults(judge);
    faults.retain(|(names, _)| !names.iter().any(|name| exceptions.contains_key(name.as_str())));
    let texts: Vec<&str> = faults.iter().map(|(_, text)| text.as_str()).collect();
    assert!(looked_at > 1400, "{looked_at} handshakes");
    assert!(texts.is_empty(), "{} of {looked_at}:\n{}", texts.len(), texts.join("\n"));
}

fn path_of(step: &Step) -> &str {
    step.path().split('?').next().unwrap_or_default()
}

/// Whether the client got its 101.
fn came_through(seen: &Seen) -> bool {
    matches!(seen.outcome, Outcome::Upgraded | Outcome::Cut(_) | Outcome::Alive(_))
}

/// Whether the backend was asked for another path than the client asked for.
fn path_was_lost(step: &Step, seen: &Seen) -> bool {
    let asked = seen.upstream.iter().flatten().find_map(|sent| match sent {
        Sent::Http(request) => Some(request.target.as_str()),
        Sent::Other(_) => None,
    });
    asked.is_some_and(|asked| asked != step.path())
}

fn fault_of_a_broken_one(read: &Read, step: &Step, seen: &Seen) -> Option<String> {
    if came_through(seen) {
        return None;
    }
    let walk = read.walk(step);
    if read.is_deliberate(&walk) {
        return None;
    }
    let errors = read.errors(Some(path_of(step)), &walk);
    let culprits = read.culprits(&walk);
    // Where nothing maps the path the site's head is to blame for want of a line; the finding is on the one that was to map it.
    let unmapped = walk
        .because
        .iter()
        .filter(|because| because.culprit)
        .all(|because| because.span.is_none_or(|span| read.gateway.sites.iter().any(|site| site.span == span)));
    let named = |finding: &Finding| {
        let labels = finding.labels.iter().map(|(span, _)| *span);
        unmapped || [finding.span].into_iter().chain(labels).any(|span| culprits.contains(&read.place(span)))
    };
    (!errors.iter().any(named)).then(|| format!("to blame: {culprits:?}, errors:\n{}", read.shown(&errors)))
}

fn fault_of_one_that_comes_through(read: &Read, step: &Step, seen: &Seen) -> Option<String> {
    if !came_through(seen) {
        return None;
    }
    let walk = read.walk(step);
    [None, Some(path_of(step))].into_iter().find_map(|declared| {
        let mut errors = read.errors(declared, &walk);
        errors.retain(|finding| !(OF_PATHS.contains(&finding.rule.as_str()) && path_was_lost(step, seen)));
        (!errors.is_empty()).then(|| format!("errors:\n{}", read.shown(&errors)))
    })
}

#[test]
fn a_broken_handshake_has_an_error_on_the_line_to_blame() {
    holds(fault_of_a_broken_one);
}

#[test]
fn a_handshake_that_comes_through_has_no_error() {
    holds(fault_of_one_that_comes_through);
}

#[test]
fn every_exception_is_needed() {
    let judges: [Judge; 2] = [fault_of_a_broken_one, fault_of_one_that_comes_through];
    let needed: BTreeSet<String> = judges.into_iter().flat_map(|judge| faults(judge).1).flat_map(|(names, _)| names).collect();
    let needless: Vec<&str> = exceptions().into_keys().filter(|name| !needed.contains(*name)).collect();
    assert!(needless.is_empty(), "no exceptions any more: {needless:#?}");
}
