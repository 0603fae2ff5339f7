//! What of a plain request may differ after a fix: what those rules want that found something of the route which takes it.
//!
//! A request to a route of which nothing was found reaches its backend as before, in all that the backends of the suite record. Where the
//! model cannot say which route takes a request, what was mended anywhere may change it.

use std::collections::BTreeSet;
use std::path::Path;

use proxylint::facts::Item;
use proxylint::fix::{self, Fixed, Mended};
use proxylint::gateway::{Gateway, Matcher, Proxy, RouteId, Server, Target};
use proxylint::handshake::{Probe, Verdict, Walk};
use proxylint::rules::{Options, Rule, Safety, builtin};
use proxylint::{Checked, Request};

use crate::case::Case;
use crate::model::walk_over;

/// More rounds than `fix::mend` makes.
const ROUNDS: usize = 20;

/// A part of a request that reaches a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Where it goes, and the target.
    Target,
    /// Which backend of a group it goes to.
    Backend,
    /// The version of HTTP.
    Version,
    /// The method, and a body in the place of the client's.
    Method,
    /// `Host`.
    Host,
    /// `Upgrade` and `Connection`.
    Hop,
    /// Whether `Connection` says that the connection is kept or closed: in httpd, what has a worker of its own keeps it.
    Kept,
    /// How the client came.
    Scheme,
    /// Other headers.
    Others,
}

/// What of plain requests may change, by the facts that the rules want.
pub(crate) fn may_change(rules: &BTreeSet<String>) -> BTreeSet<Part> {
    let mut parts = BTreeSet::new();
    let options = Options::default();
    for want in builtin().iter().filter(|rule| rules.contains(rule.name())).flat_map(|rule| rule.wants(&options)) {
        let name = want.name();
        parts.extend(match name.as_str() {
            "http_version" => &[Part::Version][..],
            "host" => &[Part::Host],
            "scheme_forwarded" => &[Part::Scheme],
            // The lines that were dropped say any of these.
            "lost_headers" | "handshake.repeated_headers" => &[Part::Host, Part::Hop, Part::Scheme, Part::Others],
            "target.path_fault" | "redirected_before" => &[Part::Target],
            "rewrite_target.fault" => &[Part::Target, Part::Host],
            // Another mapping takes them, with what it sends.
            "shadowed_by" | "rewrite_engine" | "refused_clients" | "section_pattern" => {
                &[Part::Target, Part::Version, Part::Host, Part::Hop]
            }
            "handshake.lacks" => &[Part::Version, Part::Method, Part::Hop, Part::Others],
            // Of a worker that was another's, everything.
            "worker_of.lost" | "upgrade_lost_at" | "plain.forced" | "forged_headers" | "subrequest.upgrading" | "noted" => {
                &[Part::Hop]
            }
            "timeout.idle" | "timeout.zero" | "events.held_by" => &[Part::Kept],
            _ if name.contains("request_header.") || name.starts_with("upgrade_parameter") => &[Part::Hop],
            _ => &[],
        });
    }
    // What makes a mapping or a rule of what was none gives requests somewhere to go.
    if MAKE_ROUTES.iter().any(|rule| rules.contains(*rule)) {
        parts.extend([Part::Target, Part::Version, Part::Host]);
    }
    parts
}

/// Rules whose fixes make a mapping or a rule of what was none.
const MAKE_ROUTES: [&str; 3] = ["proxy-url-malformed", "conditional-module-section", "rewrite-proxy-flag-missing"];

/// Applies every fix, and says for each step of the case what of it may change.
pub(crate) fn mend(checked: &mut Checked, request: &Request, case: &Case) -> (Fixed, Vec<BTreeSet<Part>>) {
    let mut fixed = Fixed::default();
    let mut parts = vec![BTreeSet::new(); case.steps.len()];
    let mut before = Takers::find(checked, case);
    for _ in 0..ROUNDS {
        let mended = fix::round(checked, request, Safety::Unsafe, &mut fixed);
        if mended.is_empty() {
            break;
        }
        let after = Takers::find(checked, case);
        for (number, parts) in parts.iter_mut().enumerate() {
            let concerns = |one: &&Mended| match (&before, &after) {
                (Some(before), Some(after)) => before.concerns(after, number, one),
                _ => true,
            };
            let rules = mended.iter().filter(concerns).map(|one| one.rule.clone()).collect();
            parts.extend(may_change(&rules));
        }
        before = after;
    }
    (fixed, parts)
}

/// The routes that take the requests of a case, as the model says.
struct Takers {
    root: usize,
    gateway: Gateway,
    walks: Vec<Walk>,
}

impl Takers {
    fn find(checked: &Checked, case: &Case) -> Option<Self> {
        let project = &checked.project;
        let root = project.roots.iter().position(|reached| reached.root.is_main)?;
        let gateway = project.lower(&project.roots[root]);
        let view = project.view(&project.roots[root], &gateway);
        let files = |path: &Path| project.store.kind_of(&project.roots[root].root.base, path);
        let walks = case.steps.iter().map(|step| walk_over(&view, step, Probe::Plain, &files)).collect();
        drop(view);
        Some(Self { root, gateway, walks })
    }

    /// Whether the request of a step came to something that was mended, or comes to it now.
    fn concerns(&self, after: &Self, number: usize, mended: &Mended) -> bool {
        let (then, now) = (&self.walks[number], &after.walks[number]);
        let is_unknown = |walk: &Walk| matches!(walk.verdict, Verdict::Unknown(_) | Verdict::RefusesToStart { .. });
        if is_unknown(then) || is_unknown(now) {
            return true;
        }
        let is_moved = self.name(then.route) != after.name(now.route);
        if is_moved && gives_requests_away(&mended.rule) {
            return true;
        }
        let subjects = || mended.subjects.iter().filter(|subject| subject.root == self.root).map(|subject| subject.item);
        let names_routes = subjects().any(|item| matches!(item, Item::Route(_)));
        subjects().any(|item| match item {
            Item::Route(id) => then.route.is_some_and(|taker| self.are_related(id, taker)),
            Item::Site(id) => then.site == Some(id) || self.gateway.site(id).is_main,
            Item::Upstream(id) => then.route.and_then(|taker| self.proxy(taker)).is_some_and(|proxy| proxy.upstream == Some(id)),
            Item::Gateway => true,
            Item::Directive(_) | Item::Refused(_) => !names_routes,
        })
    }

    /// Whether one is the other, or a part of it under a condition, or in httpd may ask its backend by the same worker.
    fn are_related(&self, one: RouteId, other: RouteId) -> bool {
        let whole = |id: RouteId| match self.gateway.route(id) {
            route if matches!(route.matcher, Matcher::Conditional) => route.parent.unwrap_or(id),
            _ => id,
        };
        let backend = |id: RouteId| self.proxy(id).map(|proxy| (proxy.upstream, proxy.authority.map(|text| self.lower(text))));
        whole(one) == whole(other) || self.gateway.server == Server::Apache && backend(one) == backend(other)
    }

    fn proxy(&self, id: RouteId) -> Option<&Proxy> {
        match &self.gateway.route(id).target {
            Target::Proxy(proxy) => Some(proxy),
            _ => None,
        }
    }

    fn lower(&self, text: proxylint::gateway::TextId) -> String {
        self.gateway.texts.show(text).to_ascii_lowercase()
    }

    /// What tells a route from the others, before and after.
    fn name(&self, id: Option<RouteId>) -> Option<String> {
        let route = self.gateway.route(id?);
        let text = match route.matcher {
            Matcher::Exact(text) | Matcher::Prefix { text, .. } | Matcher::Segments(text) | Matcher::Named(text) => text,
            Matcher::Pattern { pattern, .. } => pattern,
            Matcher::Rewrite(index) => self.gateway.site(route.site).rewrites.get(index as usize)?.pattern,
            Matcher::Conditional => return Some(format!("if in {:?}", route.parent)),
            Matcher::Unknown(_) => return None,
        };
        Some(format!("{:?} {}", route.site, self.gateway.texts.show(text)))
    }
}

/// Whether what a rule wants lets a route take what another took.
fn gives_requests_away(rule: &str) -> bool {
    let options = Options::default();
    let wants = builtin().iter().filter(|one: &&Rule| one.name() == rule).flat_map(|rule| rule.wants(&options));
    { wants }.any(|want| {
        ["shadowed_by", "handshake.taken_before", "redirected_before", "section_pattern", "rewrite_target.fault"]
            .contains(&want.name().as_str())
    }) || MAKE_ROUTES.contains(&rule)
}
