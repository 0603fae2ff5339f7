//! Where a client is sent, and what the server calls itself there.

use super::{Course, paths};
use crate::gateway::{Area, Covers, Known, Matcher, SymbolicId};
use crate::handshake::evaluate::Environment;
use crate::handshake::walk::Verdict;
use crate::source::Span;

impl<'a> Course<'a> {
    /// Sends the client elsewhere, as a rewrite rule does.
    pub(super) fn redirect(&mut self, status: u16, url: &str, query: Option<String>, verbatim: bool, span: Span) -> Verdict {
        let start = url.find("://").map_or(0, |at| at + 3);
        let path_at = url[start..].find('/').map_or(url.len(), |at| start + at);
        let path = if verbatim { url[path_at..].to_owned() } else { paths::escaped_in_location(&url[path_at..]) };
        let mut location = format!("{}{path}", &url[..path_at]);
        if let Some(query) = query {
            location.push('?');
            // What the client sent is as it must be already (`hook_uri2file`).
            let as_it_is = verbatim || self.request.query.as_ref() == Some(&query);
            location.push_str(&if as_it_is { query } else { paths::escaped_in_location(&query) });
        }
        self.step(Some(span), format!("sends the client to {location}"), true);
        Verdict::Answered { status, location: Some(location) }
    }

    /// Where a redirect of `matcher` to `target` sends the request: the rest of the path is appended, unless a pattern says all.
    #[expect(clippy::option_option, reason = "whether it takes the path, and where to")]
    pub(super) fn location(&self, matcher: Matcher, target: Option<SymbolicId>, span: Span) -> Known<Option<Option<String>>> {
        let Some((captures, rest)) = self.taken(matcher, span)? else { return Ok(None) };
        let Some(target) = target else { return Ok(Some(None)) };
        let environment = Environment { captures: Some(&captures), ..self.environment() };
        let target = environment.evaluate(target)?;
        let target = match matcher {
            Matcher::Pattern { .. } => escaped_but_query(&target),
            _ => target + &paths::escaped_in_location(&rest),
        };
        self.qualified(target).map(|location| Some(Some(location)))
    }

    /// Where a client is sent: at this very server where no other is named, and with the query that it asked with unless there is one
    /// (`try_redirect`, `mod_alias.c`).
    fn qualified(&self, target: String) -> Known<String> {
        let mut location = if target.starts_with('/') { self.environment().own_url(&target)? } else { target };
        if let Some(query) = &self.request.query
            && !location.contains('?')
        {
            location.push('?');
            location.push_str(query);
        }
        Ok(location)
    }

    pub(super) fn sent_to(&mut self, status: u16, location: Option<String>, span: Span) -> Verdict {
        match &location {
            Some(location) => self.step(Some(span), format!("sends the client to {location}"), true),
            None => self.step(Some(span), format!("answers {status}"), true),
        }
        Verdict::Answered { status, location: location.filter(|_| (300..400).contains(&status)) }
    }

    /// The redirect of the sections for all their requests: the last that is written (`try_redirect`).
    pub(super) fn redirected_by(&mut self, areas: &[&'a Area]) -> Known<Option<Verdict>> {
        let inner = areas.iter().rev().filter(|area| !matches!(area.covers, Covers::Everything));
        let Some(redirect) = inner.flat_map(|area| area.redirects.iter().rev()).find(|redirect| redirect.matcher.is_none())
        else {
            return Ok(None);
        };
        let target = redirect.target.map(|target| self.environment().evaluate(target)).transpose()?;
        let location = target.map(|target| self.qualified(escaped_but_query(&target))).transpose()?;
        Ok(Some(self.sent_to(redirect.status, location, redirect.span)))
    }

    /// Redirects in sections, once the request is mapped (`fixup_redir`).
    pub(super) fn redirected_in(&mut self, areas: &[&'a Area]) -> Known<Option<Verdict>> {
        if let Some(verdict) = self.redirected_by(areas)? {
            return Ok(Some(verdict));
        }
        let inner = areas.iter().rev().filter(|area| !matches!(area.covers, Covers::Everything));
        for redirect in inner.flat_map(|area| &area.redirects) {
            if let Some(matcher) = redirect.matcher
                && let Some(location) = self.location(matcher, redirect.target, redirect.span)?
            {
                return Ok(Some(self.sent_to(redirect.status, location, redirect.span)));
            }
        }
        Ok(None)
    }
}

/// A URL that is put together at run time: all but its query and fragment is escaped, and the port of its scheme is left out
/// (`try_alias_list`, `try_redirect`, `mod_alias.c`; `apr_uri_unparse`).
fn escaped_but_query(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (before, behind) = url.split_at(end);
    let start = before.find("://").map_or(0, |at| at + 3);
    let path_at = before[start..].find('/').map_or(before.len(), |at| start + at);
    let (server, path) = before.split_at(path_at);
    let port = match &server[..start] {
        "http://" => ":80",
        "https://" => ":443",
        _ => "",
    };
    let server = server.strip_suffix(port).unwrap_or(server);
    format!("{}{}{behind}", paths::escaped_in_location(server), paths::escaped_in_location(path))
}
