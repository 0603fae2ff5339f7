//! Which route of a site takes a request, where mappings are tried in order: httpd's rewriting, sections and mappings.

use super::evaluate::Environment;
use crate::gateway::{Action, Condition, Gateway, Known, Matcher, Rewrite, RouteId, Site, SiteId, Target, Test, Unknown};
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

/// Follows the request of `environment` through its site: rewrite rules first (`hook_uri2file`, `mod_rewrite.c`), then sections, the
/// last that matches first, then mappings, the first that matches (`proxy_trans`, `mod_proxy.c`).
///
/// # Errors
/// Where something that decides cannot be known.
pub fn select(environment: &Environment<'_>, site: SiteId) -> Known<Selected> {
    let gateway = environment.gateway;
    let mut path = environment.request.path.clone();
    let mut redirect = None;
    for rewrite in &gateway.site(site).rewrites {
        let Some(captures) = applies(environment, rewrite, &path)? else { continue };
        if let Some(why) = rewrite.beyond {
            return Err(why);
        }
        match rewrite.action {
            Action::Proxy(route) if redirect.is_none() => return Ok(Selected::Route(route)),
            Action::Answer(status) => return Ok(Selected::Answered(status, rewrite.span)),
            Action::Redirect(status) => redirect = Some((status, rewrite.span)),
            // After a redirect without `last` a `[P]` proxies the redirect's target: nobody's intention, and not followed here.
            Action::Proxy(_) => return Err(Unknown::Pattern(rewrite.span)),
            Action::Continue => {}
        }
        if let Some(substitution) = rewrite.substitution {
            path = Environment { captures: captures.as_deref(), ..*environment }.evaluate(substitution)?;
        }
        if rewrite.last {
            break;
        }
    }
    if let Some((status, span)) = redirect {
        return Ok(Selected::Redirected(status, span));
    }
    for id in lists(gateway, site, |site| &site.sections).rev().chain(lists(gateway, site, |site| &site.mappings)) {
        if matches(environment, id, &path)? {
            return Ok(match gateway.route(id).target {
                Target::Excluded(_) => Selected::Unproxied,
                _ => Selected::Route(id),
            });
        }
    }
    Ok(Selected::Unproxied)
}

/// The routes of the main server, which come first, and of `site` (`merge_proxy_config`, `mod_proxy.c`).
fn lists(
    gateway: &Gateway,
    site: SiteId,
    list: fn(&Site) -> &std::ops::Range<u32>,
) -> impl DoubleEndedIterator<Item = RouteId> + use<> {
    let main = gateway.sites.first().filter(|main| main.is_main && site != SiteId(0));
    let main = main.map_or(0..0, |main| list(main).clone());
    main.chain(list(gateway.site(site)).clone()).map(RouteId)
}

/// Whether the route's matcher takes `path`.
fn matches(environment: &Environment<'_>, id: RouteId, path: &str) -> Known<bool> {
    let gateway = environment.gateway;
    let route = gateway.route(id);
    Ok(match route.matcher {
        Matcher::Exact(text) => gateway.texts.get(text) == path.as_bytes(),
        Matcher::Prefix { text, .. } => path.as_bytes().starts_with(gateway.texts.get(text)),
        Matcher::Segments(text) => is_below(path.as_bytes(), gateway.texts.get(text)),
        Matcher::Pattern { pattern, ignore_case } => environment.captures(pattern, ignore_case, path, route.span)?.is_some(),
        Matcher::Named(_) | Matcher::Rewrite(_) | Matcher::Conditional => false,
        Matcher::Unknown(why) => return Err(why),
    })
}

/// Whether `path` is `prefix` or lies below it, by whole segments (`alias_match`, `mod_proxy.c`).
pub(super) fn is_below(path: &[u8], prefix: &[u8]) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || prefix.ends_with(b"/"))
}

/// The captures of the rule's pattern where the rule applies: its pattern matches and its conditions hold.
/// `Some(None)`: it applies because its pattern does *not* match.
#[expect(clippy::option_option, reason = "whether it applies, and what it captured")]
fn applies(environment: &Environment<'_>, rewrite: &Rewrite, path: &str) -> Known<Option<Option<Vec<String>>>> {
    let captures = environment.captures(rewrite.pattern, rewrite.ignore_case, path, rewrite.span)?;
    if captures.is_some() == rewrite.negated {
        return Ok(None);
    }
    let here = Environment { captures: captures.as_deref(), ..*environment };
    Ok(conditions_hold(&here, &rewrite.conditions)?.then_some(captures))
}

/// Whether the conditions of a rule hold for the request (`apply_rewrite_rule`, `mod_rewrite.c`): in order, rows of `[OR]` as one.
///
/// # Errors
/// Where a condition that decides cannot be known.
pub fn conditions_hold(environment: &Environment<'_>, conditions: &[Condition]) -> Known<bool> {
    let mut unknown = None;
    let mut row: Known<bool> = Ok(false);
    for condition in conditions {
        row = match (row, holds(environment, condition)) {
            (Ok(true), _) | (_, Ok(true)) => Ok(true),
            (Err(why), _) | (_, Err(why)) => Err(why),
            (Ok(false), Ok(false)) => Ok(false),
        };
        if condition.or_next {
            continue;
        }
        match row {
            Ok(false) => return Ok(false),
            Ok(true) => {}
            Err(why) => unknown = unknown.or(Some(why)),
        }
        row = Ok(false);
    }
    unknown.map_or(Ok(true), Err)
}

/// Whether one condition holds.
///
/// # Errors
/// Where its subject or its test cannot be known.
pub fn holds(environment: &Environment<'_>, condition: &Condition) -> Known<bool> {
    let subject = environment.evaluate(condition.subject)?;
    let found = match condition.test? {
        Test::Pattern { pattern, ignore_case } => environment.captures(pattern, ignore_case, &subject, condition.span)?.is_some(),
        Test::Equals { text, ignore_case } => {
            let text = environment.gateway.texts.get(text);
            if ignore_case { text.eq_ignore_ascii_case(subject.as_bytes()) } else { text == subject.as_bytes() }
        }
        Test::Same(value) => environment.evaluate(value)? == subject,
        Test::IsSet => !matches!(subject.as_str(), "" | "0"),
        // Files are looked up where a request is followed.
        Test::File(test) => environment.file_test(test, &subject)?,
    };
    Ok(found != condition.negated)
}
