//! Rewrite rules carried out over a path, as httpd does (`apply_rewrite_list`, `mod_rewrite.c`).

use super::evaluate::{Environment, Notes};
use super::request::Request;
use super::select::conditions_hold_with;
use super::site::wildcard_match;
use crate::gateway::{
    Action, Escapes, Gateway, Known, Listen, Name, Part, QueryRule, Rewrite, RouteId, SymbolicId, TextId, Unknown, Version,
};
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
    /// Whether the server makes the request on behalf of another.
    pub(super) is_subrequest: bool,
}

/// What rules made of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rewritten {
    /// None changed it; `ends`: nor does any other from then on.
    Untouched { ends: bool },
    /// It has a new path. A server maps that to a file at once, unless it is to be mapped like one that was asked for.
    Path {
        path: String,
        query: Option<String>,
        span: Span,
        maps_again: bool,
        ends: bool,
        file: Named,
        /// The status that a rule before would have sent the client elsewhere with, and that stays.
        status: Option<u16>,
        /// Whether a rule has changed it.
        is_new: bool,
    },
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
        /// Whether no other rules change it from then on.
        ends: bool,
    },
    /// The client is sent elsewhere.
    Redirected { status: u16, url: String, query: Option<String>, verbatim: bool, span: Span },
    /// The server answers.
    Answered(u16, Span),
}

/// Which files a new path may name (`prefix_stat`, `mod_rewrite.c`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// Those below the document root only.
    Below,
    /// Those elsewhere too, where the path begins with this text, which is written in the rule.
    Literally(String),
    /// Any.
    Anywhere,
}

/// The schemes that mark a URL, and whether a query may follow (`is_absolute_uri`).
const SCHEMES: [(&str, bool); 17] = [
    ("ajp://", true),
    ("balancer://", true),
    ("fcgi://", true),
    ("ftp://", false),
    ("gopher://", false),
    ("http://", true),
    ("https://", true),
    ("h2://", true),
    ("h2c://", true),
    ("ldap://", false),
    ("mailto:", true),
    ("news:", false),
    ("nntp://", false),
    ("scgi://", true),
    ("unix:", true),
    ("ws://", true),
    ("wss://", true),
];

/// Whether a rule's new path is a URL: how much of it is the scheme, and whether a query may follow.
fn scheme_of(text: &str) -> Option<(usize, bool)> {
    let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let found = SCHEMES.iter().find(|(scheme, _)| text.len() > 5 && begins(scheme));
    found.map(|&(scheme, has_query)| (scheme.len(), has_query))
}

/// Whether a rule's new path is a URL.
pub(super) fn is_url(text: &str) -> bool {
    scheme_of(text).is_some()
}

/// Since this version a new path that is neither a path nor a URL gets a slash in front.
const ADDS_SLASH: Version = Version::new(2, 4, 60);
/// Since this version a `?` of the request must not begin the query of a new path.
const WATCHES_QUESTION_MARKS: Version = Version::new(2, 4, 60);
/// The longest path that rules may make (`LimitRequestLine`, twice).
const LONGEST: usize = 2 * 8190;
/// How many rules are tried at most where they start over again and again.
const STEPS: usize = 200_000;

/// Carries out `rules` over `subject`; the variables that they set are added to `notes`.
///
/// # Errors
/// Where something that decides cannot be known.
pub(super) fn rewrite(
    environment: &Environment<'_>,
    rules: &[&Rewrite],
    subject: Subject,
    notes: &mut Notes<'_>,
) -> Known<Rewritten> {
    let mut request = environment.request.clone();
    request.query = subject.query;
    let mut run = Run {
        path: subject.path,
        request,
        directory: subject.directory,
        changed: None,
        verbatim: false,
        status: None,
        redirect: None,
        is_reduced: false,
        ends: false,
    };
    let mut rounds = 0;
    let mut at = 0;
    let mut steps = 0;
    while let Some(&rule) = rules.get(at) {
        at += 1;
        steps += 1;
        let is_redirect = matches!(rule.action, Action::Redirect(_));
        if subject.is_subrequest && (rule.flags.skips_subrequests || is_redirect) {
            continue;
        }
        let Some(applied) = run.apply(environment, rule, notes)? else {
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
        match applied {
            Applied::Kept | Applied::Changed => {}
            Applied::Answered(status) => return Ok(Rewritten::Answered(status, rule.span)),
            Applied::Proxied(route, itself) => {
                run.ends |= rule.flags.ends;
                return Ok(run.proxied(rule, route, itself));
            }
        }
        if run.path.len() > LONGEST {
            return Ok(Rewritten::Answered(500, rule.span));
        }
        if rule.flags.maps_again {
            // It is mapped like one that was asked for, changed or not.
            let Run { path, request, status, changed, .. } = run;
            notes.file = Some(path.clone());
            if refused_query(request.query.as_deref()) {
                return Ok(Rewritten::Answered(403, rule.span));
            }
            return Ok(Rewritten::Path {
                path,
                query: request.query,
                span: rule.span,
                maps_again: true,
                ends: run.ends,
                file: Named::Below,
                status,
                is_new: changed.is_some(),
            });
        }
        run.ends |= rule.flags.ends;
        if rule.last {
            break;
        }
        if let Some(limit) = rule.flags.rounds {
            rounds += 1;
            if rounds + 1 >= limit {
                return Ok(Rewritten::Answered(500, rule.span));
            }
            if steps > STEPS {
                return Err(Unknown::Unmodelled(rule.span));
            }
            at = 0;
            continue;
        }
        at = at.saturating_add(rule.flags.skips as usize);
    }
    notes.file = Some(run.path.clone());
    Ok(run.finish(environment))
}

/// Whether a query is refused: it holds a blank or a control character (AH10410).
fn refused_query(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.bytes().any(|byte| byte == b' ' || byte.is_ascii_control()))
}

/// What came of a rule that applies.
enum Applied {
    /// The path stays.
    Kept,
    /// There is a new path.
    Changed,
    /// The server answers.
    Answered(u16),
    /// The request is passed on; `bool`: to this very server.
    Proxied(RouteId, bool),
}

/// Rules being carried out.
struct Run<'r> {
    path: String,
    /// The request, with the query as it stands now.
    request: Request,
    directory: Option<String>,
    /// The rule that changed the path last.
    changed: Option<&'r Rewrite>,
    /// Whether it is taken as it is.
    verbatim: bool,
    /// The status that a rule would send the client elsewhere with.
    status: Option<u16>,
    redirect: Option<Span>,
    /// Whether a URL at this very server became a path.
    is_reduced: bool,
    ends: bool,
}

impl<'r> Run<'r> {
    /// Carries out one rule (`apply_rewrite_rule`); `None`: it does not apply.
    fn apply(&mut self, environment: &Environment<'_>, rule: &'r Rewrite, notes: &mut Notes<'_>) -> Known<Option<Applied>> {
        let is_proxied = self.path.starts_with("proxy:");
        let directory = self.directory.clone();
        let input = match &directory {
            Some(directory) if !is_proxied => self.path.strip_prefix(directory.as_str()).unwrap_or(&self.path).to_owned(),
            _ => self.path.clone(),
        };
        // In a directory what lies behind the file is put behind its name for the pattern alone.
        if self.directory.is_none() || self.changed.is_some() || notes.file.is_none() {
            notes.file = Some(self.path.clone());
        }
        let here = Environment { request: &self.request, notes: Some(notes), ..*environment };
        let captures = here.captures(rule.pattern, rule.ignore_case, &input, rule.span)?;
        if captures.is_some() == rule.negated {
            return Ok(None);
        }
        // Where it applies because its pattern does not match, there are no captures.
        let captures = captures.unwrap_or_default();
        let here = Environment { captures: Some(&captures), condition_captures: Some(&[]), ..here };
        let Some(condition_captures) = conditions_hold_with(&here, &rule.conditions)? else { return Ok(None) };
        let here = Environment { condition_captures: Some(&condition_captures), ..here };
        let answers = matches!(rule.action, Action::Answer(_));
        let new = match rule.substitution.filter(|_| !answers) {
            Some(text) => Some(expanded(&here, text, rule)?),
            None => None,
        };
        let variable = |&(name, value): &(_, Option<_>)| {
            let value = value.map(|value| here.evaluate(value)).transpose()?;
            Ok((environment.gateway.texts.show(name).into_owned(), value))
        };
        let variables: Vec<_> = rule.flags.variables.iter().map(variable).collect::<Known<_>>()?;
        if matches!(new, Some((_, true))) {
            return Ok(Some(Applied::Answered(403)));
        }
        for (name, value) in variables {
            notes.set_variable(&name, value);
        }
        if let Action::Answer(status) = rule.action {
            return Ok(Some(Applied::Answered(status)));
        }
        let Some((mut new, _)) = new else {
            notes.handler = rule.flags.handler.or(notes.handler);
            return Ok(Some(Applied::Kept));
        };
        let version = environment.gateway.version;
        let mut is_below = false;
        if !new.starts_with('/') && !is_url(&new) {
            let leaves = matches!(rule.action, Action::Proxy(_) | Action::Redirect(_));
            if let Some(directory) = &directory {
                if !is_proxied {
                    new.insert_str(0, directory);
                    is_below = true;
                }
            } else if !leaves && version.is_none_or(|version| version >= ADDS_SLASH) {
                new.insert(0, '/');
                is_below = true;
            }
        }
        self.path = new;
        self.split_query(rule);
        self.changed = Some(rule);
        self.verbatim = rule.flags.verbatim;
        let here = Environment { request: &self.request, notes: Some(notes), ..*environment };
        match rule.action {
            Action::Proxy(route) => {
                let to_itself = !is_url(&self.path);
                if to_itself {
                    self.path = itself(&here, &self.path)?;
                }
                return Ok(Some(Applied::Proxied(route, to_itself)));
            }
            Action::Redirect(status) => {
                if !is_url(&self.path) {
                    self.path = itself(&here, &self.path)?;
                }
                self.status = Some(status);
                self.redirect = Some(rule.span);
                return Ok(Some(Applied::Changed));
            }
            Action::Continue | Action::Answer(_) => {}
        }
        if let Some(path) = reduced(&here, &self.path) {
            self.path = path;
            self.is_reduced = true;
        }
        if is_url(&self.path) {
            self.status = self.status.or(Some(302));
            return Ok(Some(Applied::Changed));
        }
        notes.handler = rule.flags.handler.or(notes.handler);
        if !is_below && !rule.flags.keeps_slashes {
            let slashes = self.path.bytes().take_while(|&byte| byte == b'/').count();
            self.path.drain(..slashes.saturating_sub(1));
        }
        Ok(Some(Applied::Changed))
    }

    /// Takes the query off the new path (`splitout_queryargs`).
    fn split_query(&mut self, rule: &Rewrite) {
        let flags = &rule.flags;
        let scheme = match (flags.query, scheme_of(&self.path)) {
            (QueryRule::Drop, _) | (_, Some((_, false))) => {
                self.request.query = None;
                return;
            }
            (_, Some((length, _))) => length,
            (_, None) => 0,
        };
        if flags.query == QueryRule::Discard {
            self.request.query = None;
        }
        let behind = &self.path[scheme..];
        let mark = if flags.query_is_last { behind.rfind('?') } else { behind.find('?') };
        let Some(mark) = mark else { return };
        let brought = self.path[scheme + mark + 1..].to_owned();
        self.path.truncate(scheme + mark);
        let query = match (flags.query, self.request.query.take()) {
            (QueryRule::Append, old) if brought.is_empty() => old.unwrap_or_default(),
            (QueryRule::Append, old) => format!("{brought}&{}", old.unwrap_or_default()),
            _ => brought,
        };
        let query = query.strip_suffix('&').map(str::to_owned).unwrap_or(query);
        self.request.query = Some(query).filter(|query| !query.is_empty());
    }

    fn proxied(self, rule: &Rewrite, route: RouteId, itself: bool) -> Rewritten {
        let query = self.request.query;
        if refused_query(query.as_deref()) {
            return Rewritten::Answered(403, rule.span);
        }
        Rewritten::Proxied {
            route,
            url: self.path,
            query,
            verbatim: self.verbatim,
            span: rule.span,
            itself,
            redirect: self.redirect,
            ends: self.ends,
        }
    }

    /// What all rules together come to (`hook_uri2file`).
    fn finish(self, environment: &Environment<'_>) -> Rewritten {
        let Some(rule) = self.changed else { return Rewritten::Untouched { ends: self.ends } };
        let span = rule.span;
        let query = self.request.query;
        let goes_elsewhere = is_url(&self.path);
        if (self.verbatim || !goes_elsewhere) && refused_query(query.as_deref()) {
            return Rewritten::Answered(403, span);
        }
        if goes_elsewhere {
            return Rewritten::Redirected {
                status: self.status.unwrap_or(302),
                url: self.path,
                query,
                verbatim: self.verbatim,
                span,
            };
        }
        let written = rule.substitution.map(|text| environment.gateway.symbolics.get(text));
        let file = match written {
            _ if self.is_reduced => Named::Below,
            _ if rule.flags.allows_any_file => Named::Anywhere,
            Some([Part::Text(text), ..]) => Named::Literally(environment.gateway.texts.show(*text).into_owned()),
            _ => Named::Below,
        };
        let (path, ends, status) = (self.path, self.ends, self.status);
        Rewritten::Path { path, query, span, maps_again: false, ends, file, status, is_new: true }
    }
}

/// The new path that a rule makes, and whether a `?` of the request would begin its query (`do_expand`).
fn expanded(environment: &Environment<'_>, text: SymbolicId, rule: &Rewrite) -> Known<(String, bool)> {
    let escape = |captures: Option<&[String]>| -> Vec<String> {
        let captures = captures.unwrap_or_default();
        match rule.flags.escapes {
            Some(escapes) => captures.iter().map(|capture| escaped(environment.gateway, capture, escapes)).collect(),
            None => captures.to_vec(),
        }
    };
    let (captures, others) = (escape(environment.captures), escape(environment.condition_captures));
    let here = Environment { captures: Some(&captures), condition_captures: Some(&others), ..*environment };
    let watches = environment.gateway.version.is_none_or(|version| version >= WATCHES_QUESTION_MARKS);
    let mut new = String::new();
    // Whether the `?` that counts so far is the request's.
    let mut is_theirs = None;
    for (part, value) in here.parts(text)? {
        if value.contains('?') && (is_theirs.is_none() || rule.flags.query_is_last) {
            is_theirs = Some(!matches!(part, Part::Text(_)));
        }
        new.push_str(&value);
    }
    Ok((new, watches && !rule.flags.allows_question_marks && is_theirs == Some(true)))
}

/// A path at this very server, as a URL (`fully_qualify_uri`).
fn itself(environment: &Environment<'_>, path: &str) -> Known<String> {
    if path.starts_with('/') { environment.own_url(path) } else { environment.own_url(&format!("/{path}")) }
}

/// The path of a URL that leads to the site that answers (`reduce_uri`, `ap_matches_request_vhost`); `None`: it leads elsewhere.
fn reduced(environment: &Environment<'_>, url: &str) -> Option<String> {
    let scheme = environment.scheme();
    let rest = url.get(scheme.len()..).filter(|_| url[..scheme.len()].eq_ignore_ascii_case(&scheme))?.strip_prefix("://")?;
    if rest.is_empty() {
        return None;
    }
    let end = rest.find(['/', ':']).unwrap_or(rest.len());
    let (host, behind) = rest.split_at(end);
    let (port, path) = match behind.strip_prefix(':') {
        Some(behind) => {
            let end = behind.find('/').unwrap_or(behind.len());
            let digits: String = behind[..end].chars().take_while(char::is_ascii_digit).collect();
            (digits.parse().unwrap_or(0), &behind[end..])
        }
        None => (environment.default_port(), behind),
    };
    let texts = &environment.gateway.texts;
    let site = environment.site;
    let is_address = |listen: &Listen| {
        !site.is_main
            && listen.port.is_some_and(|own| own == 0 || own == port)
            && texts.show(listen.address).eq_ignore_ascii_case(host)
    };
    let is_named = || {
        let host_in_lower_case = host.to_ascii_lowercase();
        let named = |name: &Name| wildcard_match(texts.get(name.text), host_in_lower_case.as_bytes());
        let own = site.identity.name.is_some_and(|name| texts.show(name).eq_ignore_ascii_case(host));
        site.identity.port.unwrap_or(0) == port && (own || site.names.iter().any(named))
    };
    let leads_here = site.listens.iter().any(is_address) || is_named();
    leads_here.then(|| if path.is_empty() { "/".to_owned() } else { path.to_owned() })
}

/// A text as `[B]` escapes it (`escape_backref`, `mod_rewrite.c`).
fn escaped(gateway: &Gateway, text: &str, escapes: Escapes) -> String {
    let named = |set: Option<TextId>, byte: u8| set.map(|set| gateway.texts.get(set).contains(&byte));
    let mut out = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        let is_control = byte == b' ' || byte.is_ascii_control();
        let by_default = if escapes.controls { is_control } else { escapes.only.is_none() };
        let wanted = by_default || named(escapes.only, byte) == Some(true);
        if !wanted || named(escapes.except, byte) == Some(true) || byte.is_ascii_alphanumeric() || byte == b'_' {
            out.push(byte);
        } else if byte == b' ' && !escapes.no_plus {
            out.push(b'+');
        } else {
            out.extend_from_slice(format!("%{byte:02x}").as_bytes());
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
