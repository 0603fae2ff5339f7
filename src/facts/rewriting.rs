//! The facts of routes that httpd's rewrite rules make: whether the rule is tried at all, and what its target comes to.

use super::{Definition, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{
    Action, Area, Assigned, Condition, Covers, Flags, Known, Listen, Matcher, Part, Property, Proxy, Rewrite, Route, RouteId,
    Server, Site, SiteId, Unknown, Variable,
};
use crate::handshake::{Verdict, literal_beginning};
use crate::source::Span;

/// The facts of rewrite rules that pass requests on.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "rewrite_engine",
        Subject::Route,
        Type::Flag,
        engine,
        "Whether rewriting is on where the route's rule stands; absent for routes that no rule makes.",
    ),
    fact(
        "not_inherited_by",
        Subject::Route,
        Type::Text,
        not_inherited_by,
        "The virtual host that the rule of the main server is not tried in, where all requests come to virtual hosts and none takes the rule over; absent otherwise.",
    ),
    fact(
        "rewrite_target.fault",
        Subject::Route,
        Type::Text,
        target_fault,
        "What keeps the rule's target from being what was meant: a missing slash or group, the path of a file, a slash that is never there; absent where nothing does.",
    ),
    fact(
        "detached_conditions",
        Subject::Route,
        Type::Flag,
        detached,
        "Whether conditions on `Upgrade` stand beside the rule that has none, and belong to another rule or to none.",
    ),
    fact(
        "redirected_before",
        Subject::Route,
        Type::Flag,
        redirected_before,
        "Whether a handshake that comes to the rule was sent elsewhere by a rule before it, whose URL this one passes on as a path.",
    ),
];

/// A rule that passes requests on, and the area that it stands in; `None`: the server.
pub(super) struct Rule<'a> {
    pub(super) rewrite: &'a Rewrite,
    area: Option<&'a Area>,
}

/// The rule that makes the route that is read.
pub(super) fn rule<'a>(reader: &Reader<'a>, id: RouteId, route: &Route) -> Option<Rule<'a>> {
    let site = reader.view.gateway.site(route.site);
    if reader.view.gateway.server != Server::Apache {
        return None;
    }
    if let Matcher::Rewrite(index) = route.matcher {
        return site.rewrites.get(index as usize).map(|rewrite| Rule { rewrite, area: None });
    }
    // Those of areas come last.
    if site.mappings.contains(&id.0) || site.sections.contains(&id.0) {
        return None;
    }
    let rules = site.areas.iter().flat_map(|area| {
        let rules = area.rewriting.iter().flat_map(|rewriting| &rewriting.rules);
        rules.map(move |rewrite| Rule { rewrite, area: Some(area) })
    });
    rules.into_iter().find(|rule| rule.rewrite.action == Action::Proxy(id))
}

/// A fact that only what a rule passes on has.
fn ruled(reader: &Reader<'_>, read: impl FnOnce(&Rule<'_>, &Route, &Proxy) -> Reading) -> Reading {
    let (Some((id, _)), Some((route, proxy))) = (reader.route(), reader.proxy()) else { return Reading::absent() };
    rule(reader, id, route).map_or_else(Reading::absent, |rule| read(&rule, route, proxy))
}

/// `RewriteEngine` is inherited, by virtual hosts and by sections (`config_server_merge`, `config_perdir_merge`).
fn engine(reader: &Reader<'_>, _: &str) -> Reading {
    ruled(reader, |rule, route, proxy| {
        let scope = rule.area.map_or(route.scope, |area| area.scope);
        match reader.view.gateway.scopes.scalar(scope, Property::RewriteEngine) {
            Ok(Some(setting)) => {
                let reading = Reading::new(Value::Flag(setting.value == Assigned::Flag(true))).at(proxy.span, "never tried");
                setting.origin.span().map_or(reading.clone(), |span| reading.at(span, "switched here"))
            }
            Ok(None) => Reading::new(Value::Flag(false)).at(proxy.span, "never tried"),
            Err(why) => Reading::unknown(why),
        }
    })
}

/// How many virtual hosts are looked at: all of them would be quadratic, and a few show what the others do.
const HOSTS: usize = 16;

fn not_inherited_by(reader: &Reader<'_>, _: &str) -> Reading {
    ruled(reader, |rule, route, proxy| {
        let gateway = reader.view.gateway;
        let main = gateway.site(route.site);
        if !main.is_main || rule.area.is_some() {
            return Reading::absent();
        }
        let hosts = || gateway.sites.iter().filter(|site| !site.is_main);
        let takes_it = |site: &Site| site.rewrites.iter().any(|rewrite| rewrite.span == rule.rewrite.span);
        if !main.listens.iter().all(|listen| hosts().any(|site| answers(site, listen))) || hosts().any(takes_it) {
            return Reading::absent();
        }
        let path = reader.view.patterns.sample(&gateway.texts, rule.rewrite.pattern, rule.rewrite.ignore_case);
        for index in (0..u32::try_from(gateway.sites.len()).unwrap_or(u32::MAX)).take(HOSTS) {
            let site = gateway.site(SiteId(index));
            if site.is_main || matches!(reader.view.handshake_in(SiteId(index), &path).verdict, Verdict::Upgraded { .. }) {
                continue;
            }
            let text = String::from_utf8_lossy(reader.view.sources.slice(site.span)).into_owned();
            return Reading::new(Value::text(text))
                .at(proxy.span, "tried for requests to the main server alone")
                .at(site.span, "answers the requests, and does not have the rule");
        }
        Reading::absent()
    })
}

/// Whether a virtual host answers on a socket of the main server.
fn answers(site: &Site, listen: &Listen) -> bool {
    site.listens.iter().any(|own| matches!((own.port, listen.port), (None | Some(0), _) | (_, None)) || own.port == listen.port)
}

fn target_fault(reader: &Reader<'_>, _: &str) -> Reading {
    ruled(reader, |rule, _, proxy| {
        let fault = |text: String| Reading::new(Value::text(text)).at(proxy.span, "this rule");
        let pattern = reader.view.gateway.texts.show(rule.rewrite.pattern);
        let parts = reader.view.gateway.symbolics.get(proxy.url);
        let used = || {
            parts.iter().filter_map(|part| match part {
                Part::Variable(Variable::Capture(group)) => Some(*group),
                _ => None,
            })
        };
        if !rule.rewrite.negated
            && let Some(group) = used().find(|&group| usize::from(group) > groups(&pattern))
        {
            return fault(format!("the pattern `{pattern}` has no group for `${group}`, which is empty"));
        }
        let in_directory = rule.area.is_some_and(|area| area.file.is_some() || matches!(area.covers, Covers::Directory(_)));
        let slash_is_sure = pattern.strip_prefix("^/").is_some_and(|rest| !rest.starts_with(['?', '*', '{']));
        if in_directory && slash_is_sure && !rule.rewrite.negated {
            return fault(format!("in a directory the path has no leading slash, so `{pattern}` never matches"));
        }
        let in_section = rule.area.is_some_and(|area| matches!(area.covers, Covers::Path(_)));
        let paths = match () {
            () if in_section => FILES,
            () if in_directory => BELOW,
            () => PATHS,
        };
        match trial(reader, rule, paths) {
            Ok(Some(captures)) => {
                let text = |group: u8| captures.get(usize::from(group)).map_or("", String::as_str);
                if in_section && let Some(group) = used().find(|&group| text(group).contains("srv/www")) {
                    return fault(format!("in a section `${group}` holds the path of a file, and not that of the request"));
                }
                match glued(reader, parts) {
                    Some(group) if !text(group).is_empty() && !text(group).starts_with('/') => {
                        fault(format!("no slash parts the host and port from `${group}`"))
                    }
                    _ => Reading::absent(),
                }
            }
            Ok(None) => Reading::absent(),
            Err(why) => Reading::unknown(why),
        }
    })
}

/// Paths that a rule is tried with.
const PATHS: &[&str] = &["/x/y", "x/y", ""];

/// The same as a section sees them: files, for the request is mapped to one when the rules of sections are tried.
const FILES: &[&str] = &["/srv/www/x/y"];

/// The same as the rules of a directory see them: without the slash in front.
const BELOW: &[&str] = &["x/y"];

/// What the pattern captures of the first of the paths that it matches, each behind the beginning that the pattern itself shows.
fn trial(reader: &Reader<'_>, rule: &Rule<'_>, paths: &[&str]) -> Known<Option<Vec<String>>> {
    let Rewrite { pattern, ignore_case, negated, span, .. } = *rule.rewrite;
    let texts = &reader.view.gateway.texts;
    let start = literal_beginning(texts.get(pattern));
    // The rules of a directory see no slash in front.
    let below = paths.iter().all(|path| !path.starts_with('/'));
    let start = if below { start.trim_start_matches('/') } else { start.as_str() };
    if negated {
        return Ok(None);
    }
    for path in paths {
        // Behind `/ws` a path goes on with a slash, behind `/` it does not.
        let path = match path.strip_prefix('/') {
            Some(_) if path.starts_with("/srv") => (*path).to_owned(),
            Some(rest) if start.ends_with('/') => format!("{start}{rest}"),
            _ => format!("{start}{path}"),
        };
        let found = reader.view.patterns.captures(texts, pattern, ignore_case, &path).map_err(|_| Unknown::Pattern(span))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The capture that stands right behind the host and port of a URL.
fn glued(reader: &Reader<'_>, parts: &[Part]) -> Option<u8> {
    let mut authority = false;
    for part in parts {
        match part {
            Part::Text(text) => {
                let text = reader.view.gateway.texts.show(*text);
                let rest = match text.split_once("://") {
                    Some((_, rest)) if !authority => rest,
                    _ => &text,
                };
                if rest.contains(['/', '?']) {
                    return None;
                }
                authority |= !rest.is_empty();
            }
            // A host that is captured or looked up is none that we can tell from its path.
            Part::Variable(Variable::Capture(group)) if authority => return Some(*group),
            _ => return None,
        }
    }
    None
}

/// How many groups a pattern has that capture.
fn groups(pattern: &str) -> usize {
    let bytes = pattern.as_bytes();
    let (mut count, mut at, mut in_class) = (0, 0, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'(' if !in_class => {
                let named = matches!(bytes.get(at + 2..at + 4), Some([b'<', next]) if !matches!(next, b'=' | b'!'))
                    || matches!(bytes.get(at + 2), Some(b'P' | b'\''));
                count += usize::from(bytes.get(at + 1) != Some(&b'?') || named);
            }
            _ => {}
        }
        at += 1;
    }
    count
}

fn detached(reader: &Reader<'_>, _: &str) -> Reading {
    ruled(reader, |rule, route, proxy| {
        let site = reader.view.gateway.site(route.site);
        let (rules, dangling): (&[Rewrite], &[Condition]) = match (&rule.area, route.matcher) {
            (None, Matcher::Rewrite(_)) => (&site.rewrites, &site.dangling),
            (Some(area), _) => (area.rewriting.as_ref().map_or(&[], |rewriting| &rewriting.rules), &[]),
            _ => return Reading::absent(),
        };
        if rule.rewrite.conditions.iter().any(|condition| is_about_upgrade(reader, condition)) {
            return Reading::absent();
        }
        let index = rules.iter().position(|other| std::ptr::eq(other, rule.rewrite));
        let before = index.and_then(|index| rules.get(index.checked_sub(1)?));
        // A rule that passes handshakes on, or is skipped with them in mind, has its conditions for itself.
        let takes_them = |rewrite: &&Rewrite| {
            let Flags { skips, chained, .. } = rewrite.flags;
            !matches!(rewrite.action, Action::Proxy(_)) && skips == 0 && !chained && rewrite.substitution.is_some()
        };
        let stolen = before.filter(takes_them).into_iter().flat_map(|rewrite| &rewrite.conditions);
        let asks = |condition: &&Condition| !condition.negated && is_about_upgrade(reader, condition);
        let mut conditions = stolen.chain(dangling).filter(asks).peekable();
        if conditions.peek().is_none() {
            return Reading::absent();
        }
        let reading = Reading::new(Value::Flag(true)).at(proxy.span, "this rule has no condition");
        conditions.fold(reading, |reading, condition| reading.at(condition.span, "belongs to the next rule, and not to that one"))
    })
}

fn is_about_upgrade(reader: &Reader<'_>, condition: &Condition) -> bool {
    let gateway = reader.view.gateway;
    gateway
        .symbolics
        .get(condition.subject)
        .iter()
        .any(|part| matches!(part, Part::Variable(Variable::RequestHeader(name)) if gateway.texts.get(*name) == b"upgrade"))
}

fn redirected_before(reader: &Reader<'_>, _: &str) -> Reading {
    ruled(reader, |_, route, proxy| {
        let site = reader.view.gateway.site(route.site);
        let (Some(walk), Some((id, _))) = (reader.walk(), reader.route()) else { return Reading::absent() };
        let redirects = |span: Span| {
            site.rewrites.iter().any(|rewrite| rewrite.span == span && matches!(rewrite.action, Action::Redirect(_)))
        };
        if walk.route != Some(id) {
            return Reading::absent();
        }
        let before = walk.because.iter().filter_map(|because| because.span).find(|&span| redirects(span));
        before.map_or_else(Reading::absent, |span| {
            Reading::new(Value::Flag(true)).at(span, "goes on to the rules behind it").at(proxy.span, "takes its URL for a path")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::groups;

    #[test]
    fn groups_that_capture_are_counted() {
        for (pattern, count) in [("^/?(.*)", 1), ("^/?{.*}", 0), (r"^/\((a|b)(?:c)(?<d>e)[(]", 2), ("", 0)] {
            assert_eq!(groups(pattern), count, "{pattern}");
        }
    }
}
