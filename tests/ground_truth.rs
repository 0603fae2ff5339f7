//! What real nginx did, and what is said of it: a handshake that the configuration breaks has an error on the line to blame, and one that
//! comes through has none.
//!
//! The cases are those of the conformance suite. `tests/ground_truth.txt` lists what is left out, each with its reason.
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
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use case::{Case, Mode, Pattern, Software, Step};
use outcome::Outcome;
use proxylint::facts::{Declared, View};
use proxylint::gateway::{Gateway, Server, Target, Unknown, Version};
use proxylint::handshake::{Client, Probe, Socket, Verdict, Walk, follow};
use proxylint::nginx;
use proxylint::project::{Root, Store};
use proxylint::rules::{Finding, Level, Options, builtin, judge};
use proxylint::source::Span;

/// What is left out, by case, with the reason.
const EXCEPTIONS: &str = include_str!("ground_truth.txt");

/// Those of the broken handshakes, or (`through `) of those that come through.
fn exceptions(through: bool) -> BTreeMap<&'static str, &'static str> {
    let lines = EXCEPTIONS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": "));
    let named = lines.map(|(name, reason)| (name.strip_prefix("through "), name, reason));
    let wanted = named.filter(|(stripped, ..)| stripped.is_some() == through);
    wanted.map(|(stripped, name, reason)| (stripped.unwrap_or(name), reason)).collect()
}

/// A configuration as one version reads it.
struct Read {
    store: Store,
    gateway: Gateway,
    /// The case's own files, beside its main one.
    folder: PathBuf,
    /// The lines to blame for those handshakes of the case that it breaks: an error there is right, whichever handshake is asked about.
    blamed: BTreeSet<String>,
}

impl Read {
    fn new(case: &Case, version: Version) -> Self {
        let mut store = Store::default();
        store.add_base(&case.folder).unwrap();
        let source = store.load(&[case.folder.join("nginx.conf")], Server::Nginx).remove(0).unwrap();
        let root = Root { server: Server::Nginx, source, base: case.folder.clone(), is_main: true };
        let resolved = nginx::resolve(&mut store, &root);
        let gateway = nginx::lower(&store, &root, &resolved, Some(version));
        let mut read = Self { store, gateway, folder: case.folder.clone(), blamed: BTreeSet::new() };
        let recorded = &case.recorded[&version.to_string()];
        let broken =
            case.steps.iter().zip(&recorded.steps).filter(|(step, seen)| is_browsers(step) && !comes_through(&seen.outcome));
        read.blamed = broken.flat_map(|(step, _)| read.culprits(&read.walk(step))).collect();
        read
    }

    /// What is found at error level, where the user declares a WebSocket at this path, or none.
    fn errors(&self, path: Option<&str>) -> Vec<Finding> {
        let websocket_routes = path.map(str::to_owned).into_iter().collect();
        let declared = Declared { websocket_routes, ..Declared::default() };
        let view = View::new(&self.store.sources, &self.gateway, &declared);
        let view = view.with_files(|path| self.store.kind_of(&self.folder, path));
        let mut findings = judge(builtin(), &view, &Options::default());
        findings.retain(|finding| finding.level == Level::Error);
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
        follow(&view, &client, &|path| self.store.kind_of(&self.folder, path))
    }

    /// Whether the configuration plainly says that this is answered so: by a `return` of a place that passes nothing on, by a redirect
    /// to TLS, by who is let in.
    fn is_deliberate(&self, walk: &Walk) -> bool {
        let (status, location) = match &walk.verdict {
            Verdict::Answered { status, location } => (*status, location.as_deref()),
            // What code answers is its author's affair.
            Verdict::Unknown(Unknown::Code(_)) => return true,
            _ => return false,
        };
        let route = walk.route.map(|route| self.gateway.route(route));
        let passes_on = |scope| self.gateway.programs.get(scope).is_some_and(|program| program.beside.is_some());
        let answers = route.is_none_or(|route| matches!(route.target, Target::Answer { .. }) && !passes_on(route.scope));
        let to_tls = location.is_some_and(|location| location.starts_with("https://"));
        answers || to_tls || matches!(status, 401 | 403)
    }

    /// The lines to blame.
    fn culprits(&self, walk: &Walk) -> Vec<String> {
        let culprits = walk.because.iter().filter(|because| because.culprit);
        culprits.filter_map(|because| because.span).map(|span| self.place(span)).collect()
    }

    /// Whether a finding points at a place that is `wanted`.
    fn names(&self, finding: &Finding, wanted: impl Fn(&String) -> bool) -> bool {
        let labels = finding.labels.iter().map(|(span, _)| *span);
        [finding.span].into_iter().chain(labels).any(|span| wanted(&self.place(span)))
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

/// Whether a handshake led to a tunnel.
fn comes_through(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Upgraded | Outcome::Cut(_) | Outcome::Alive(_))
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

/// Every handshake of a browser, with what one version did: `judge` says what is wrong with what is found.
/// Every exception must be needed.
fn every_handshake(exceptions: &BTreeMap<&str, &str>, judge: impl Fn(&Read, &Step, &Outcome) -> Option<String>) {
    let mut needless: BTreeSet<&str> = exceptions.keys().copied().collect();
    let (mut looked_at, mut wrong) = (0, String::new());
    for case in Case::read_all(Software::Nginx).unwrap() {
        for (version, recorded) in &case.recorded {
            let read = Read::new(&case, version.parse().unwrap());
            let told = case.steps.iter().zip(&recorded.steps).zip(recorded.readable.iter().chain(std::iter::repeat(&None)));
            for ((step, seen), readable) in told.filter(|((step, _), _)| is_browsers(step)) {
                // A backend that is dead, slow or lenient is nothing that the configuration tells.
                let seen = readable.as_ref().unwrap_or(seen);
                looked_at += 1;
                let Some(fault) = judge(&read, step, &seen.outcome) else { continue };
                needless.remove(case.name.as_str());
                if !exceptions.contains_key(case.name.as_str()) {
                    writeln!(wrong, "{}@{version} {}: {}, {fault}", case.name, step.path(), seen.outcome).unwrap();
                }
            }
        }
    }
    assert!(looked_at > 1000, "{looked_at} handshakes");
    let count = wrong.lines().filter(|line| !line.starts_with(' ')).count();
    assert!(wrong.is_empty(), "{count} of {looked_at}:\n{wrong}");
    assert!(needless.is_empty(), "no exceptions any more: {needless:?}");
}

fn path_of(step: &Step) -> &str {
    step.path().split('?').next().unwrap_or_default()
}

#[test]
fn a_broken_handshake_has_an_error_on_the_line_to_blame() {
    every_handshake(&exceptions(false), |read, step, outcome| {
        if comes_through(outcome) {
            return None;
        }
        let walk = read.walk(step);
        if read.is_deliberate(&walk) {
            return None;
        }
        let errors = read.errors(Some(path_of(step)));
        let culprits = read.culprits(&walk);
        let named = |finding: &Finding| read.names(finding, |place| culprits.contains(place));
        (!errors.iter().any(named)).then(|| format!("to blame: {culprits:?}, errors:\n{}", read.shown(&errors)))
    });
}

#[test]
fn a_handshake_that_comes_through_has_no_error() {
    every_handshake(&exceptions(true), |read, step, outcome| {
        if !comes_through(outcome) {
            return None;
        }
        [None, Some(path_of(step))].into_iter().find_map(|declared| {
            let mut errors = read.errors(declared);
            errors.retain(|error| !read.names(error, |place| read.blamed.contains(place)));
            (!errors.is_empty()).then(|| format!("errors:\n{}", read.shown(&errors)))
        })
    });
}
