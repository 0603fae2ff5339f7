//! The frame of the ground truth: what one server did with every recorded handshake of a browser, against what is found in its
//! configuration.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use proxylint::facts::{Declared, Item, View};
use proxylint::gateway::{Gateway, RouteId, Server, Version};
use proxylint::handshake::{Client, Probe, Socket, Walk, follow};
use proxylint::project::{Root, Store};
use proxylint::rules::{Finding, Level, Options, Subject, builtin, judge};
use proxylint::source::{FileKind, Span};
use proxylint::{apache, nginx};

use crate::case::{Case, Mode, Pattern, Recorded, Seen, Software, Step};
use crate::outcome::Outcome;

/// What is particular to one server.
pub(crate) struct Truth {
    /// The server.
    pub(crate) software: Software,
    /// What is left out: a case a line, or a case and a path, with the reason. With `through ` in front, the errors that are right although
    /// the handshake comes through: their rules, then the reason. With `elsewhere ` in front, and a rule instead of the reason, what is not
    /// left out: the rule's finding stands on the line to blame, and the walk, for which nothing maps the path, names none.
    pub(crate) exceptions: &'static str,
    /// How many handshakes there are at least.
    pub(crate) at_least: usize,
    /// Whether the configuration plainly says that this handshake is answered so.
    pub(crate) is_deliberate: fn(&Read, &Walk) -> bool,
    /// Whether a finding at error level says something of this handshake.
    pub(crate) concerns: fn(&Read, &Finding, &Walk) -> bool,
    /// Whether a finding is right although the handshake came through: the suite's backend takes more than others.
    pub(crate) is_right_all_the_same: fn(&Finding, &Step, &Seen) -> bool,
}

/// What is wrong with what is found, and the rules that found something at error level.
pub(crate) struct Fault {
    fault: String,
    rules: Vec<String>,
}

/// What is left out of a handshake.
enum Exception {
    /// All that is found, or not found.
    All,
    /// That no error stands on the line to blame, where one of these rules has one elsewhere.
    OneOf(Vec<&'static str>),
    /// The errors of these rules, and no others.
    Only(Vec<&'static str>),
}

impl Exception {
    /// Whether it excuses a fault for which these rules found something.
    fn excuses(&self, found: &[String]) -> bool {
        match self {
            Self::All => true,
            Self::OneOf(rules) => rules.iter().any(|rule| found.iter().any(|found| found == rule)),
            Self::Only(rules) => found.iter().all(|found| rules.contains(&found.as_str())),
        }
    }

    /// What must be needed of it: each rule of an [`Exception::Only`] by itself.
    fn parts(&self) -> Vec<&'static str> {
        match self {
            Self::All | Self::OneOf(_) => vec![""],
            Self::Only(rules) => rules.clone(),
        }
    }
}

/// A configuration as one version reads it.
pub(crate) struct Read {
    pub(crate) store: Store,
    pub(crate) gateway: Gateway,
    /// Where the case's own files are, where they are looked at.
    files: Option<PathBuf>,
    /// The handshakes of the case that it breaks, and not on purpose: the route that each came to, and the lines to blame.
    broken: Vec<(RouteId, Vec<String>)>,
}

impl Read {
    fn new(case: &Case, version: Version) -> Self {
        let (server, name) = match case.software {
            Software::Nginx => (Server::Nginx, "nginx.conf"),
            Software::Apache => (Server::Apache, "httpd.conf"),
        };
        let mut store = Store::default();
        store.add_base(&case.folder).unwrap();
        let source = store.load(&[case.folder.join(name)], server).remove(0).unwrap();
        let root = Root { server, source, base: case.folder.clone(), is_main: true };
        let gateway = match server {
            Server::Nginx => {
                let resolved = nginx::resolve(&mut store, &root);
                nginx::lower(&store, &root, &resolved, Some(version))
            }
            Server::Apache => {
                let resolved = apache::resolve_for(&mut store, &root, Some(version));
                apache::lower(&store, &root, &resolved, Some(version))
            }
        };
        let files = (server == Server::Nginx).then(|| case.folder.clone());
        Self { store, gateway, files, broken: Vec::new() }
    }

    /// What stands at a path, where that is looked at.
    fn kind_of(&self, path: &Path) -> Option<FileKind> {
        self.files.as_ref().and_then(|base| self.store.kind_of(base, path))
    }

    /// Whether a finding points at a place that is `wanted`.
    pub(crate) fn names(&self, finding: &Finding, wanted: impl Fn(&String) -> bool) -> bool {
        let labels = finding.labels.iter().map(|(span, _)| *span);
        [finding.span].into_iter().chain(labels).any(|span| wanted(&self.place(span)))
    }

    /// Whether a finding is about another handshake of the case than that of `walk`, and rightly: about routes to which others came that
    /// are broken, and on lines to blame for these.
    fn is_of_another(&self, finding: &Finding, walk: &Walk) -> bool {
        let is_broken = |subject: &Subject| match subject.item {
            Item::Route(id) if Some(id) != walk.route => {
                let mut broken = self.broken.iter().filter(|(route, _)| *route == id);
                broken.any(|(_, culprits)| self.names(finding, |place| culprits.contains(place)))
            }
            _ => false,
        };
        !finding.subjects.is_empty() && finding.subjects.iter().all(is_broken)
    }

    /// What is found at error level, where the user declares a WebSocket at this path, or none.
    fn errors(&self, path: Option<&str>) -> Vec<Finding> {
        let websocket_routes = path.map(str::to_owned).into_iter().collect();
        let declared = Declared { websocket_routes, ..Declared::default() };
        let view = View::new(&self.store.sources, &self.gateway, &declared).with_files(|path| self.kind_of(path));
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
        follow(&view, &client, &|path| self.kind_of(path))
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

/// The handshakes of browsers, each with what became of it. A backend that is dead, slow or lenient is nothing that the configuration tells.
fn handshakes<'a>(case: &'a Case, recorded: &'a Recorded) -> impl Iterator<Item = (&'a Step, &'a Seen)> {
    let readable = recorded.readable.iter().chain(std::iter::repeat(&None));
    let told = case.steps.iter().zip(&recorded.steps).zip(readable);
    told.map(|((step, seen), readable)| (step, readable.as_ref().unwrap_or(seen))).filter(|(step, _)| is_browsers(step))
}

/// Whether the client got its 101.
fn came_through(seen: &Seen) -> bool {
    matches!(seen.outcome, Outcome::Upgraded | Outcome::Cut(_) | Outcome::Alive(_))
}

fn path_of(step: &Step) -> &str {
    step.path().split('?').next().unwrap_or_default()
}

impl Truth {
    /// A handshake that the configuration breaks has an error on the line to blame.
    pub(crate) fn a_broken_handshake_has_an_error_on_the_line_to_blame(&self) {
        self.every_handshake(false, |read, step, _| {
            let walk = read.walk(step);
            if (self.is_deliberate)(read, &walk) {
                return None;
            }
            let mut errors = read.errors(Some(path_of(step)));
            errors.retain(|finding| (self.concerns)(read, finding, &walk));
            let culprits = read.culprits(&walk);
            let named = |finding: &Finding| read.names(finding, |place| culprits.contains(place));
            if errors.iter().any(named) {
                return None;
            }
            let fault = format!("to blame: {culprits:?}, errors:\n{}", read.shown(&errors));
            Some(Fault { fault, rules: errors.into_iter().map(|finding| finding.rule).collect() })
        });
    }

    /// A handshake that comes through has none, whether the user declares its path or not.
    pub(crate) fn a_handshake_that_comes_through_has_no_error(&self) {
        self.every_handshake(true, |read, step, seen| {
            let walk = read.walk(step);
            let faults = [None, Some(path_of(step))].into_iter().filter_map(|declared| {
                let mut errors = read.errors(declared);
                errors.retain(|finding| (self.concerns)(read, finding, &walk));
                errors.retain(|finding| !(self.is_right_all_the_same)(finding, step, seen));
                errors.retain(|finding| !read.is_of_another(finding, &walk));
                let fault = format!("errors:\n{}", read.shown(&errors));
                (!errors.is_empty()).then(|| Fault { fault, rules: errors.into_iter().map(|finding| finding.rule).collect() })
            });
            faults.reduce(|one, other| {
                let fault = if one.fault == other.fault { one.fault } else { one.fault + &other.fault };
                Fault { fault, rules: [one.rules, other.rules].concat() }
            })
        });
    }

    /// The exceptions for handshakes that come through, or those for the others, by the case, with or without the path.
    fn exceptions(&self, through: bool) -> BTreeMap<&'static str, Exception> {
        let lines = self.exceptions.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": "));
        let wanted = lines.filter_map(|(name, rest)| match (name.strip_prefix("through "), name.strip_prefix("elsewhere ")) {
            (Some(name), _) => {
                let (rules, _) = rest.split_once(": ").expect("an exception for what comes through names rules, and the reason");
                through.then(|| (name, Exception::Only(rules.split(" and ").collect())))
            }
            (None, Some(name)) => (!through).then(|| (name, Exception::OneOf(rest.split(" or ").collect()))),
            (None, None) => (!through).then_some((name, Exception::All)),
        });
        wanted.collect()
    }

    /// The handshakes of a case that it breaks, and not on purpose.
    fn broken(&self, read: &Read, case: &Case, recorded: &Recorded) -> Vec<(RouteId, Vec<String>)> {
        let walks = handshakes(case, recorded).filter(|(_, seen)| !came_through(seen)).map(|(step, _)| read.walk(step));
        let walks = walks.filter(|walk| !(self.is_deliberate)(read, walk));
        walks.filter_map(|walk| Some((walk.route?, read.culprits(&walk)))).collect()
    }

    /// Every handshake that came through, or every other, with what one version did: `judge` says what is wrong with what is found.
    /// Every exception must be needed.
    fn every_handshake(&self, through: bool, judge: impl Fn(&Read, &Step, &Seen) -> Option<Fault>) {
        let exceptions = self.exceptions(through);
        let parts = exceptions.iter().flat_map(|(name, exception)| exception.parts().into_iter().map(|part| (*name, part)));
        let mut needless: BTreeSet<(&str, &str)> = parts.collect();
        let (mut looked_at, mut wrong) = (0, String::new());
        for case in Case::read_all(self.software).unwrap() {
            for (version, recorded) in &case.recorded {
                let mut read = Read::new(&case, version.parse().unwrap());
                read.broken = self.broken(&read, &case, recorded);
                for (step, seen) in handshakes(&case, recorded) {
                    looked_at += 1;
                    if came_through(seen) != through {
                        continue;
                    }
                    let Some(Fault { fault, rules }) = judge(&read, step, seen) else { continue };
                    let names = [case.name.clone(), format!("{} {}", case.name, step.path())];
                    let own = |name: &String| exceptions.get_key_value(name.as_str()).filter(|(_, it)| it.excuses(&rules));
                    let excuses: Vec<_> = names.iter().filter_map(own).collect();
                    for (name, exception) in &excuses {
                        needless.retain(|(other, part)| {
                            other != *name || matches!(exception, Exception::Only(_)) && !rules.iter().any(|rule| rule == part)
                        });
                    }
                    if excuses.is_empty() {
                        writeln!(wrong, "{}@{version} {}: {}, {fault}", case.name, step.path(), seen.outcome).unwrap();
                    }
                }
            }
        }
        assert!(looked_at > self.at_least, "{looked_at} handshakes");
        let count = wrong.lines().filter(|line| !line.starts_with(' ')).count();
        assert!(wrong.is_empty(), "{count} of {looked_at}:\n{wrong}");
        assert!(needless.is_empty(), "no exceptions any more: {needless:#?}");
    }
}
