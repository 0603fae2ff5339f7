//! Which route of a site takes a request, where mappings are tried in order: httpd's rewriting, sections and mappings.

use super::evaluate::{Environment, Notes};
use super::expression::{compares, expression_holds};
use super::rewriting::{Rewritten, Subject, rewrite};
use super::servlet::servlet_match;
use crate::gateway::{
    Area, Assigned, Condition, Covers, Gateway, Known, Matcher, Property, Proxy, Rewrite, Route, RouteId, ScopeId, SiteId,
    Spelling, Target, Test, Unknown,
};
use crate::source::Span;

/// What becomes of a request in its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selected {
    /// This route takes it.
    Route(RouteId),
    /// The client is sent elsewhere by this rule.
    Redirected(u16, Span),
    /// This rule answers it.
    Answered(u16, Span),
    /// Nothing proxies it.
    Unproxied,
}

/// Follows the request of `environment` through its site: rewrite rules first (`hook_uri2file`, `mod_rewrite.c`), then areas, the
/// last that covers it, then mappings, the first that matches (`proxy_trans`, `mod_proxy.c`).
///
/// # Errors
/// Where something that decides cannot be known.
pub fn select(environment: &Environment<'_>, site: SiteId) -> Known<Selected> {
    let mut notes = Notes::default();
    let request = environment.request;
    let mut path = request.path.clone();
    match rewrite_in_site(environment, site, environment.request.path.clone(), &mut notes, false, None)? {
        Rewritten::Untouched { .. } => {}
        Rewritten::Path { path: new, maps_again: true, .. } => path = new,
        // The path of a file: no mapping sees it.
        Rewritten::Path { .. } => return Ok(Selected::Unproxied),
        Rewritten::Proxied { route, .. } => return Ok(Selected::Route(route)),
        Rewritten::Redirected { status, span, .. } => return Ok(Selected::Redirected(status, span)),
        Rewritten::Answered(status, span) => return Ok(Selected::Answered(status, span)),
    }
    for area in areas(environment.gateway, site) {
        if area.rewriting.as_ref().is_some_and(|rewriting| !rewriting.rules.is_empty())
            && let Covers::Path(matcher) = area.covers
            && matches(environment, matcher, area.span, &path)?
        {
            // Rules in a section change the request after it is mapped.
            return Err(Unknown::Unmodelled(area.span));
        }
    }
    let mapped = mapped(environment, site, &request.path, &path, |_| true)?;
    Ok(match mapped {
        Some(id) => match environment.gateway.route(id).target {
            Target::Excluded(_) => Selected::Unproxied,
            _ => Selected::Route(id),
        },
        None => Selected::Unproxied,
    })
}

/// What the rules of the site make of the request, which is looked at as `path`; `on`: whether an area turns them on or off.
///
/// # Errors
/// Where something that decides cannot be known.
pub(super) fn rewrite_in_site(
    environment: &Environment<'_>,
    site: SiteId,
    path: String,
    notes: &mut Notes<'_>,
    is_subrequest: bool,
    on: Option<bool>,
) -> Known<Rewritten> {
    let gateway = environment.gateway;
    let rules: Vec<&Rewrite> = gateway.site(site).rewrites.iter().collect();
    if rules.is_empty() || !on.map_or_else(|| rewriting_is_on(gateway, gateway.site(site).scope), Ok)? {
        return Ok(Rewritten::Untouched { ends: false });
    }
    let subject = Subject { path, query: environment.request.query.clone(), directory: None, is_subrequest };
    rewrite(environment, &rules, subject, notes)
}

/// Whether `RewriteEngine` is on; what surrounds a fragment is taken to have it on, lest its rules be for nothing.
pub(super) fn rewriting_is_on(gateway: &Gateway, scope: ScopeId) -> Known<bool> {
    match gateway.scopes.scalar(scope, Property::RewriteEngine) {
        Ok(setting) => Ok(matches!(setting, Some(setting) if setting.value == Assigned::Flag(true))),
        Err(Unknown::Fragment(_)) => Ok(true),
        Err(why) => Err(why),
    }
}

/// The mapping, of those that `takes` holds for, that takes `path`: that of the last area that covers the path that was `asked` for, where its own
/// path matches, else the first of the list. Areas were looked for before rules changed the path.
///
/// # Errors
/// Where a mapping that could take it cannot be known.
pub(super) fn mapped(
    environment: &Environment<'_>,
    site: SiteId,
    asked: &str,
    path: &str,
    takes: impl Fn(RouteId) -> bool,
) -> Known<Option<RouteId>> {
    let gateway = environment.gateway;
    let mut last = None;
    for area in areas(gateway, site) {
        if let Some(route) = area.proxy
            && let Covers::Path(matcher) = area.covers
            && covers_path(environment, matcher, area.span, asked)?
        {
            last = Some(route);
        }
    }
    if let Some(id) = last {
        let route = gateway.route(id);
        if takes(id) && takes_path(environment, route, path)? {
            return Ok(Some(id));
        }
    }
    for id in mappings(gateway, site) {
        let route = gateway.route(id);
        if !matches!(route.target, Target::Answer { .. }) && takes(id) && takes_path(environment, route, path)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Whether a mapping takes `path`.
fn takes_path(environment: &Environment<'_>, route: &Route, path: &str) -> Known<bool> {
    match (&route.target, route.matcher) {
        (Target::Proxy(Proxy { spelling: Spelling::Servlet { .. }, .. }), Matcher::Segments(text)) => {
            Ok(servlet_match(path, environment.gateway.texts.get(text)).is_some())
        }
        _ => matches(environment, route.matcher, route.span, path),
    }
}

/// The areas of the main server, which come first, and of `site`.
pub(crate) fn areas(gateway: &Gateway, site: SiteId) -> impl Iterator<Item = &Area> {
    main_of(gateway, site).into_iter().chain([site]).flat_map(|site| &gateway.site(site).areas)
}

/// The main server, where `site` is another.
pub(super) fn main_of(gateway: &Gateway, site: SiteId) -> Option<SiteId> {
    gateway.sites.first().filter(|main| main.is_main && site != SiteId(0)).map(|_| SiteId(0))
}

/// The mappings of the main server, which come first, and of `site` (`merge_proxy_config`, `mod_proxy.c`).
fn mappings(gateway: &Gateway, site: SiteId) -> impl Iterator<Item = RouteId> + use<> {
    let main = main_of(gateway, site).map_or(0..0, |main| gateway.site(main).mappings.clone());
    main.chain(gateway.site(site).mappings.clone()).map(RouteId)
}

/// Whether the matcher, written at `span`, takes `path`.
///
/// # Errors
/// Where that cannot be known.
pub(super) fn matches(environment: &Environment<'_>, matcher: Matcher, span: Span, path: &str) -> Known<bool> {
    let texts = &environment.gateway.texts;
    Ok(match matcher {
        Matcher::Exact(text) => texts.get(text) == path.as_bytes(),
        Matcher::Prefix { text, .. } => path.as_bytes().starts_with(texts.get(text)),
        Matcher::Segments(text) => alias_match(path.as_bytes(), texts.get(text)).is_some(),
        Matcher::Pattern { pattern, ignore_case } => environment.captures(pattern, ignore_case, path, span)?.is_some(),
        Matcher::Named(_) | Matcher::Rewrite(_) | Matcher::Conditional => false,
        Matcher::Unknown(why) => return Err(why),
    })
}

/// Whether a `<Location>`, written at `span`, covers `path`: its own is compared as it is written (`ap_location_walk`).
///
/// # Errors
/// Where that cannot be known.
pub(super) fn covers_path(environment: &Environment<'_>, matcher: Matcher, span: Span, path: &str) -> Known<bool> {
    let Matcher::Segments(text) = matcher else { return matches(environment, matcher, span, path) };
    let written = environment.gateway.texts.get(text);
    let mut merged = Vec::with_capacity(path.len());
    for byte in path.bytes() {
        if byte != b'/' || merged.last() != Some(&b'/') {
            merged.push(byte);
        }
    }
    let rest = merged.strip_prefix(written);
    Ok(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/") || written.ends_with(b"/")))
}

/// How much of `path` is `prefix`, by whole segments; any number of slashes counts as one (`alias_match`, `mod_proxy.c`).
pub(crate) fn alias_match(path: &[u8], prefix: &[u8]) -> Option<usize> {
    let slashes = |text: &[u8], from: usize| text[from..].iter().take_while(|&&byte| byte == b'/').count();
    let (mut p, mut u) = (0, 0);
    while p < prefix.len() && u < path.len() {
        if prefix[p] == b'/' {
            if path[u] != b'/' {
                return None;
            }
            p += slashes(prefix, p);
            u += slashes(path, u);
        } else {
            if prefix[p] != path[u] {
                return None;
            }
            p += 1;
            u += 1;
        }
    }
    let whole = prefix.ends_with(b"/") || u == path.len() || path[u] == b'/';
    (p == prefix.len() && whole).then_some(u)
}

/// Whether the conditions of a rule hold for the request (`apply_rewrite_rule`, `mod_rewrite.c`): in order, rows of `[OR]` as one.
///
/// # Errors
/// Where a condition that decides cannot be known.
pub fn conditions_hold(environment: &Environment<'_>, conditions: &[Condition]) -> Known<bool> {
    Ok(conditions_hold_with(environment, conditions)?.is_some())
}

/// The same; returns what the last pattern among them captured.
///
/// # Errors
/// Where a condition that decides cannot be known.
pub(super) fn conditions_hold_with(environment: &Environment<'_>, conditions: &[Condition]) -> Known<Option<Vec<String>>> {
    let mut unknown = None;
    let mut captures = Vec::new();
    let mut row: Known<bool> = Ok(false);
    for condition in conditions {
        // Once one of a row holds, the others are not tried.
        if row != Ok(true) {
            let here = Environment { condition_captures: Some(&captures), ..*environment };
            let found = condition_captures(&here, condition);
            row = match (row, found) {
                (_, Ok(Some(found))) => {
                    if let Some(found) = found {
                        captures = found;
                    }
                    Ok(true)
                }
                (Err(why), _) | (_, Err(why)) => Err(why),
                (row, Ok(None)) => row,
            };
        }
        if condition.or_next {
            continue;
        }
        match row {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(why) => unknown = unknown.or(Some(why)),
        }
        row = Ok(false);
    }
    // An `[OR]` on the last condition waits for one that does not come, and the rule applies.
    match unknown {
        Some(why) => Err(why),
        None => Ok(Some(captures)),
    }
}

/// Whether one condition holds.
///
/// # Errors
/// Where its subject or its test cannot be known.
pub fn holds(environment: &Environment<'_>, condition: &Condition) -> Known<bool> {
    Ok(condition_captures(environment, condition)?.is_some())
}

/// Whether the condition holds, and what its pattern captured where it has one.
#[expect(clippy::option_option, reason = "whether it holds, and what it captured")]
fn condition_captures(environment: &Environment<'_>, condition: &Condition) -> Known<Option<Option<Vec<String>>>> {
    let test = condition.test?;
    if let Test::Condition(id) = test {
        return Ok((expression_holds(environment, id)? != condition.negated).then_some(None));
    }
    // Files are looked up where a request is followed.
    if let Test::File(test) = test {
        let found = environment.file_test(test, &environment.file_path(condition.subject)?)?;
        return Ok((found != condition.negated).then_some(None));
    }
    let subject = environment.evaluate(condition.subject);
    // A directory that is compiled in has a name, whatever it is.
    if matches!((test, &subject), (Test::IsSet, Err(Unknown::Environment))) && environment.is_of_installation(condition.subject) {
        return Ok((!condition.negated).then_some(None));
    }
    let subject = subject?;
    let texts = &environment.gateway.texts;
    let found = match test {
        Test::Pattern { pattern, ignore_case } => {
            let captures = environment.captures(pattern, ignore_case, &subject, condition.span)?;
            return Ok(match captures {
                Some(_) if condition.negated => None,
                Some(captures) => Some(Some(captures)),
                None => condition.negated.then_some(None),
            });
        }
        Test::Equals { text, ignore_case } => {
            let wanted = texts.get(text);
            if ignore_case { wanted.eq_ignore_ascii_case(subject.as_bytes()) } else { wanted == subject.as_bytes() }
        }
        Test::Compares(comparison, other) => compares(&subject, &texts.show(other), comparison),
        Test::Condition(_) | Test::File(_) => false,
        Test::Same(value) => environment.evaluate(value)? == subject,
        Test::IsSet => !matches!(subject.as_str(), "" | "0"),
    };
    Ok((found != condition.negated).then_some(None))
}

#[cfg(test)]
mod tests {
    use super::alias_match;

    #[test]
    fn paths_are_matched_by_whole_segments() {
        assert_eq!(alias_match(b"/ws/chat", b"/ws"), Some(3));
        assert_eq!(alias_match(b"/wsx", b"/ws"), None);
        assert_eq!(alias_match(b"/ws", b"/ws/"), None);
        assert_eq!(alias_match(b"/ws", b"/"), Some(1));
        assert_eq!(alias_match(b"/ws", b"//ws"), Some(3));
        assert_eq!(alias_match(b"/ws", b"ws"), None);
    }
}
