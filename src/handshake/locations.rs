//! Which location takes a path, where the longest prefix and then patterns decide: `ngx_http_core_find_location`.

use super::evaluate::Environment;
use crate::gateway::{Gateway, Known, Matcher, Route, RouteId, SiteId, Target};

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The location; `None`: the request stays with the site itself.
    pub route: Option<RouteId>,
    /// Set where the location is that of the path with `/` appended: the client is sent there.
    pub adds_slash: bool,
    /// What the location's pattern captured, the whole match first.
    pub captures: Option<Vec<String>>,
}

/// What one level of locations says about a path.
enum Level {
    /// This one, and no other.
    Exactly(RouteId),
    /// The location of the path with `/` appended.
    Slash(RouteId),
    /// The longest prefix; deeper levels and patterns may know better.
    Prefix(RouteId, bool),
    /// Nothing but patterns.
    Nothing,
}

/// The location of `site` that takes `path`.
///
/// # Errors
/// Where a location that could take it cannot be known.
pub fn find_location(environment: &Environment<'_>, site: SiteId, path: &str) -> Known<Found> {
    let gateway = environment.gateway;
    let mut found = Found { route: None, adds_slash: false, captures: None };
    // Each round goes down the prefixes from one location; a pattern that matches starts another round below it.
    let mut start = None;
    loop {
        let mut levels = vec![(start, false)];
        let mut at = start;
        // Prefixes inside of a location with a pattern are never found: `ngx_http_init_static_location_trees` does not come there.
        while start.is_none() {
            match static_level(gateway, site, at, path)? {
                Level::Exactly(route) => return Ok(Found { route: Some(route), ..found }),
                Level::Slash(route) => return Ok(Found { route: Some(route), adds_slash: true, ..found }),
                Level::Prefix(route, before_patterns) => {
                    if let Some(last) = levels.last_mut() {
                        last.1 = before_patterns;
                    }
                    found.route = Some(route);
                    at = Some(route);
                    levels.push((at, false));
                }
                Level::Nothing => break,
            }
        }
        let mut matched = None;
        for (parent, before_patterns) in levels.into_iter().rev() {
            if !before_patterns {
                matched = pattern_level(environment, site, parent, path)?;
            }
            if matched.is_some() {
                break;
            }
        }
        let Some((route, captures)) = matched else { return Ok(found) };
        found = Found { route: Some(route), adds_slash: false, captures: Some(captures) };
        start = Some(route);
    }
}

/// The locations directly below `parent`, or directly in the site, in file order.
fn level(gateway: &Gateway, site: SiteId, parent: Option<RouteId>) -> impl Iterator<Item = (RouteId, &Route)> {
    let routes = gateway.site(site).route_ids().map(|id| (id, gateway.route(id)));
    routes.filter(move |(_, route)| route.parent == parent)
}

/// `ngx_http_core_find_static_location`.
fn static_level(gateway: &Gateway, site: SiteId, parent: Option<RouteId>, path: &str) -> Known<Level> {
    let path = path.as_bytes();
    let mut slash = None;
    let mut longest: Option<(usize, RouteId, bool)> = None;
    for (id, route) in level(gateway, site, parent) {
        match route.matcher {
            Matcher::Exact(text) if gateway.texts.get(text) == path => return Ok(Level::Exactly(id)),
            Matcher::Exact(text) if redirects_to(gateway, gateway.texts.get(text), path, route) => slash = slash.or(Some(id)),
            Matcher::Prefix { text, before_patterns } => {
                let text = gateway.texts.get(text);
                if path.starts_with(text) && longest.is_none_or(|(length, ..)| text.len() > length) {
                    longest = Some((text.len(), id, before_patterns));
                }
                if redirects_to(gateway, text, path, route) {
                    slash = slash.or(Some(id));
                }
            }
            Matcher::Unknown(why) => return Err(why),
            _ => {}
        }
    }
    Ok(match (longest, slash) {
        // The path itself as a prefix is met before the longer one with the slash.
        (Some((length, id, before_patterns)), slash) if slash.is_none() || length == path.len() => {
            Level::Prefix(id, before_patterns)
        }
        (_, Some(id)) => Level::Slash(id),
        _ => Level::Nothing,
    })
}

/// Whether `name` is `path` with `/` appended and its location passes requests on, for which nginx redirects (`auto_redirect`).
fn redirects_to(gateway: &Gateway, name: &[u8], path: &[u8], route: &Route) -> bool {
    let passes_on = || {
        matches!(route.target, Target::Proxy(_))
            || gateway.programs.get(route.scope).is_some_and(|program| program.beside.is_some())
    };
    name.strip_suffix(b"/") == Some(path) && passes_on()
}

/// The first pattern of the level that matches, with its captures.
fn pattern_level(
    environment: &Environment<'_>,
    site: SiteId,
    parent: Option<RouteId>,
    path: &str,
) -> Known<Option<(RouteId, Vec<String>)>> {
    for (id, route) in level(environment.gateway, site, parent) {
        if let Matcher::Pattern { pattern, ignore_case } = route.matcher
            && let Some(captures) = environment.captures(pattern, ignore_case, path, route.span)?
        {
            return Ok(Some((id, captures)));
        }
    }
    Ok(None)
}
