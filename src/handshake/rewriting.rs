//! Rewrite rules carried out over a path, as httpd does (`apply_rewrite_list`, `mod_rewrite.c`).

use std::fmt::Write as _;

use super::evaluate::{Environment, Notes};
use super::select::conditions_hold_with;
use crate::gateway::{Action, Known, QueryRule, Rewrite, RouteId, Unknown};
use crate::source::Span;

/// What rules are carried out over.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// The path; in a directory the file.
    pub(super) path: String,
    /// The query, without `?`.
    pub(super) query: Option<String>,
    /// The directory whose rules these are, with a slash behind: what it has in common with the path is taken off before
    /// a rule is tried. `None` for the rules of a server.
    pub(super) directory: Option<String>,
}

/// What rules made of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rewritten {
    /// None changed it.
    Untouched,
    /// It has a new path. A server maps that to a file at once, unless it is to be mapped like one that was asked for.
    Path { path: String, query: Option<String>, span: Span, maps_again: bool, ends: bool },
    /// It is passed on to this URL.
    Proxied {
        route: RouteId,
        url: String,
        query: Option<String>,
        verbatim: bool,
        span: Span,
        /// Whether the new path is no URL, which makes it one at this very server.
        itself: bool,
        /// The rule before it that sends the client elsewhere, and is not the last: its URL is the path that this one was tried with.
        redirect: Option<Span>,
    },
    /// The client is sent elsewhere.
    Redirected { status: u16, url: String, query: Option<String>, verbatim: bool, span: Span },
    /// The server answers.
    Answered(u16, Span),
}

/// The schemes that mark a URL (`is_absolute_uri`).
const SCHEMES: [&str; 15] = [
    "ajp://",
    "balancer://",
    "fcgi://",
    "ftp://",
    "gopher://",
    "http://",
    "https://",
    "ldap://",
    "mailto:",
    "news:",
    "nntp://",
    "scgi://",
    "unix:",
    "ws://",
    "wss://",
];

/// Whether a rule's new path is a URL.
pub(super) fn is_url(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// Carries out `rules` over `subject`; the variables that they set are added to `notes`.
///
/// # Errors
/// Where something that decides cannot be known.
#[expect(clippy::too_many_lines, reason = "one loop over the rules, in the order of `apply_rewrite_list`")]
pub(super) fn rewrite(
    environment: &Environment<'_>,
    rules: &[&Rewrite],
    subject: Subject,
    notes: &mut Notes<'_>,
) -> Known<Rewritten> {
    let Subject { mut path, query, directory } = subject;
    let mut request = environment.request.clone();
    request.query = query;
    let is_proxied = path.starts_with("proxy:");
    let mut changed: Option<&Rewrite> = None;
    let mut status = None;
    let mut redirect = None;
    let mut maps_again = false;
    let mut ends = false;
    let mut rounds = 0;
    let mut at = 0;
    while let Some(rule) = rules.get(at) {
        at += 1;
        let input = match &directory {
            Some(directory) if !is_proxied => path.strip_prefix(directory.as_str()).unwrap_or(&path),
            _ => &path,
        };
        notes.file = Some(path.clone());
        let here = Environment { request: &request, notes: Some(notes), ..*environment };
        let Some(applied) = apply(&here, rule, input)? else {
            // Of a chain the rest is skipped.
            let mut chained = rule.flags.chained;
            while chained && at < rules.len() {
                chained = rules[at].flags.chained;
                at += 1;
            }
            continue;
        };
        if let Some(why) = rule.beyond {
            return Err(why);
        }
        for (name, value) in applied.variables {
            notes.set_variable(&name, value);
        }
        if let Action::Answer(status) = rule.action {
            return Ok(Rewritten::Answered(status, rule.span));
        }
        if let Some(new) = applied.path {
            let (new, brought) = split_query(&new);
            new.clone_into(&mut path);
            request.query = match (rule.flags.query, brought, request.query.take()) {
                (QueryRule::Append, Some(brought), Some(old)) if !old.is_empty() => Some(format!("{brought}&{old}")),
                (_, Some(brought), _) => Some(brought.to_owned()).filter(|query| !query.is_empty()),
                (QueryRule::Discard, None, _) => None,
                (_, None, old) => old,
            };
            if let Some(directory) = &directory
                && !is_proxied
                && !path.starts_with('/')
                && !is_url(&path)
            {
                path.insert_str(0, directory);
            }
            changed = Some(rule);
            match rule.action {
                Action::Proxy(route) => {
                    let itself_asked = !is_url(&path);
                    let url = if itself_asked {
                        itself(&Environment { request: &request, notes: Some(notes), ..*environment }, &path)
                    } else {
                        path
                    };
                    let query = request.query;
                    return Ok(Rewritten::Proxied {
                        route,
                        url,
                        query,
                        verbatim: rule.flags.verbatim,
                        span: rule.span,
                        itself: itself_asked,
                        redirect,
                    });
                }
                Action::Redirect(code) => {
                    if !is_url(&path) {
                        path = itself(&Environment { request: &request, notes: Some(notes), ..*environment }, &path);
                    }
                    status = Some(code);
                    redirect = Some(rule.span);
                }
                Action::Continue | Action::Answer(_) => {}
            }
            if rule.flags.maps_again {
                maps_again = true;
                break;
            }
        }
        ends |= rule.flags.ends;
        if rule.last {
            break;
        }
        if let Some(limit) = rule.flags.rounds {
            rounds += 1;
            if rounds >= limit.min(ROUNDS) {
                return if limit <= ROUNDS {
                    Ok(Rewritten::Answered(500, rule.span))
                } else {
                    Err(Unknown::Unmodelled(rule.span))
                };
            }
            at = 0;
            continue;
        }
        at = at.saturating_add(rule.flags.skips as usize);
    }
    notes.file = Some(path.clone());
    let query = request.query;
    let Some(rule) = changed else { return Ok(Rewritten::Untouched) };
    let span = rule.span;
    Ok(if !maps_again && is_url(&path) {
        Rewritten::Redirected { status: status.unwrap_or(302), url: path, query, verbatim: rule.flags.verbatim, span }
    } else {
        Rewritten::Path { path, query, span, maps_again, ends }
    })
}

/// How often rules start over before we give up; httpd itself goes on up to 10,000 times.
const ROUNDS: u32 = 100;

/// A path at this very server, as a URL (`fully_qualify_uri`).
fn itself(environment: &Environment<'_>, path: &str) -> String {
    if path.starts_with('/') { environment.own_url(path) } else { environment.own_url(&format!("/{path}")) }
}

/// The query that a new path brings (`splitout_queryargs`).
fn split_query(text: &str) -> (&str, Option<&str>) {
    text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)))
}

/// What a rule that applies does.
struct Applied {
    /// The new path; `None`: it stays.
    path: Option<String>,
    variables: Vec<(String, Option<String>)>,
}

/// What the rule does where it applies: its pattern matches and its conditions hold.
fn apply(environment: &Environment<'_>, rule: &Rewrite, path: &str) -> Known<Option<Applied>> {
    let captures = environment.captures(rule.pattern, rule.ignore_case, path, rule.span)?;
    if captures.is_some() == rule.negated {
        return Ok(None);
    }
    // Where it applies because its pattern does not match, there are no captures.
    let mut captures = captures.unwrap_or_default();
    if rule.flags.escapes_captures {
        for capture in &mut captures {
            *capture = escaped(capture);
        }
    }
    let here = Environment { captures: Some(&captures), condition_captures: Some(&[]), ..*environment };
    let Some(condition_captures) = conditions_hold_with(&here, &rule.conditions)? else { return Ok(None) };
    let here = Environment { condition_captures: Some(&condition_captures), ..here };
    let path = rule.substitution.map(|text| here.evaluate(text)).transpose()?;
    let variable = |&(name, value): &(_, Option<_>)| {
        let value = value.map(|value| here.evaluate(value)).transpose()?;
        Ok((environment.gateway.texts.show(name).into_owned(), value))
    };
    let variables = rule.flags.variables.iter().map(variable).collect::<Known<_>>()?;
    Ok(Some(Applied { path, variables }))
}

/// `escape_backref` (`mod_rewrite.c`).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            out.push(char::from(byte));
        } else if byte == b' ' {
            out.push('+');
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}
