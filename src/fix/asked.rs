//! What requests come to before and after: for the paths of all routes of a site, and paths below them, a handshake and a plain GET.
//!
//! A fact is about its route. A route that is moved, or a pattern that takes more than before, changes what becomes of requests that were
//! another route's: that shows here.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::snapshot::{Key, digest, header_fact};
use crate::facts::{Item, Reader, View};
use crate::gateway::{Matcher, Server, Site, SiteId, Target};
use crate::handshake::{Probe, Verdict, Walk};

/// More paths of one site than this are not followed: httpd tries its mappings one after the other.
const PATHS: usize = 1000;

/// More routes of the main server are not followed for each virtual host.
const PATHS_OF_MAIN: usize = 50;

/// A request that was followed, and what came of it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) site: SiteId,
    pub(super) path: String,
    /// What came of the handshake.
    pub(super) handshake: Outcome,
    /// What came of the plain GET.
    pub(super) plain: Outcome,
}

/// How the facts begin that say what a plain request carries.
const PLAIN: &str = "plain.request_header.";

/// What came of a request.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Of what kind that is.
    pub(super) kind: Kind,
    /// The route that took it last.
    pub(super) taker: Option<Key>,
    /// What the backend was sent, by the names of the facts that say so; nothing where none was asked.
    pub(super) sent: Vec<(Cow<'static, str>, u64)>,
}

/// Kinds of outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The backend is asked for an upgrade, and bytes flow.
    Upgraded,
    /// The backend is asked for something else.
    Forwarded,
    /// The server answers.
    Answered(u16, Option<String>),
    /// Neither the server nor a backend has an answer.
    Failed,
    /// It cannot be said.
    Unknown,
}

/// Follows requests to the sites that `sites` lets in.
pub(super) fn ask(view: &View<'_>, keys: &FxHashMap<Item, Key>, sites: impl Fn(SiteId) -> bool + Sync) -> Vec<Asked> {
    let all: Vec<SiteId> = (0..u32::try_from(view.gateway.sites.len()).unwrap_or(u32::MAX)).map(SiteId).collect();
    let of_site = |site: SiteId| {
        let ask = move |path: String| Asked {
            handshake: outcome(view, keys, site, Probe::Chrome, &path),
            plain: outcome(view, keys, site, Probe::Plain, &path),
            site,
            path,
        };
        paths(view, site).into_iter().map(ask).collect::<Vec<_>>()
    };
    all.into_par_iter().filter(|site| sites(*site)).flat_map_iter(of_site).collect()
}

/// What comes of a request.
pub(super) fn outcome(view: &View<'_>, keys: &FxHashMap<Item, Key>, site: SiteId, probe: Probe, path: &str) -> Outcome {
    let walk = view.followed(site, probe, path);
    let taker = walk.route.and_then(|route| keys.get(&Item::Route(route)).copied());
    Outcome { kind: kind(&walk), taker, sent: if probe == Probe::Plain { sent(view, &walk) } else { target(view, &walk) } }
}

/// The paths of the routes of a site, and one below each that covers others. Those of httpd's main server serve all virtual hosts.
fn paths(view: &View<'_>, site: SiteId) -> BTreeSet<String> {
    let gateway = view.gateway;
    let mut paths = BTreeSet::new();
    let main = gateway.sites.first().filter(|main| main.is_main && gateway.server == Server::Apache && site != SiteId(0));
    let of_main = main.into_iter().flat_map(Site::route_ids).take(PATHS_OF_MAIN);
    for id in gateway.site(site).route_ids().chain(of_main) {
        let route = gateway.route(id);
        if matches!(route.matcher, Matcher::Named(_) | Matcher::Conditional | Matcher::Unknown(_)) {
            continue;
        }
        let path = Reader::new(view, Item::Route(id)).route_path(route);
        if !path.starts_with('/') {
            continue;
        }
        if matches!(route.matcher, Matcher::Prefix { .. } | Matcher::Segments(_)) {
            paths.insert(if path.ends_with('/') { format!("{path}x/y") } else { format!("{path}/x") });
        }
        paths.insert(path.into_owned());
        if paths.len() >= PATHS {
            break;
        }
    }
    paths
}

fn kind(walk: &Walk) -> Kind {
    match &walk.verdict {
        Verdict::Upgraded { .. } => Kind::Upgraded,
        Verdict::ForwardedPlain => Kind::Forwarded,
        Verdict::Answered { status, .. } if *status >= 400 => Kind::Failed,
        Verdict::Answered { status, location } => Kind::Answered(*status, location.clone()),
        Verdict::BadGateway { .. } | Verdict::RefusesToStart { .. } => Kind::Failed,
        Verdict::Unknown(_) => Kind::Unknown,
    }
}

/// The backend that is asked, and the target.
fn target(view: &View<'_>, walk: &Walk) -> Vec<(Cow<'static, str>, u64)> {
    let Some(request) = &walk.upstream_request else { return Vec::new() };
    let authority = walk.route.and_then(|route| match &view.gateway.route(route).target {
        Target::Proxy(proxy) => proxy.authority.map(|authority| digest(view.gateway.texts.get(authority))),
        _ => None,
    });
    vec![(Cow::Borrowed("target.uri"), digest(&*request.target)), (Cow::Borrowed("target.host"), authority.unwrap_or(0))]
}

/// All of what the backend is sent.
fn sent(view: &View<'_>, walk: &Walk) -> Vec<(Cow<'static, str>, u64)> {
    let Some(request) = &walk.upstream_request else { return Vec::new() };
    let mut sent = target(view, walk);
    sent.push((Cow::Borrowed("http_version"), digest(&*request.http_version)));
    sent.push((Cow::Borrowed("method"), digest(&*request.method)));
    for (name, value) in request.headers.iter() {
        let name = header_fact(PLAIN, name);
        match sent.iter_mut().find(|(known, _)| *known == name) {
            // Several of one name count as one, in their order.
            Some((_, known)) => *known = digest(&(*known, value)),
            None => sent.push((name, digest(value))),
        }
    }
    sent
}
