//! Which headers the upstream is sent.

use std::borrow::Cow;

use smallvec::{SmallVec, smallvec};

use super::evaluate::Environment;
use super::expression::expression_holds;
use super::request::Word;
use crate::gateway::{
    Assigned, EditWhen, Entry, Gateway, HeaderChange, Known, Part, Property, Protocol, Proxy, Route, ScopeId, Server, SymbolicId,
    TextId, Unknown, Variable, Version,
};
use crate::source::Span;

/// A header as it is sent: its values in order, and the directives that they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The values; none: the header is not sent.
    pub values: SmallVec<[String; 1]>,
    /// The directives that set or withhold it.
    pub spans: SmallVec<[Span; 2]>,
    /// Set where it is so only before this version, and the version judged for is not known.
    pub until: Option<Version>,
}

/// The header `name` (lower case) of the request that `route` sends to its upstream.
///
/// # Errors
/// Where it depends on something that cannot be known.
pub fn sent_header(environment: &Environment<'_>, route: &Route, proxy: &Proxy, name: &str) -> Known<Sent> {
    match environment.gateway.server {
        Server::Nginx => nginx_header_lines(environment.gateway, environment, route.scope)?.sent(name),
        Server::Apache => sent_by_httpd(environment, route, proxy, name),
    }
}

/// One line of the head of a request, as it is made for the upstream.
#[derive(Clone, Debug)]
pub struct HeaderLine<'a> {
    /// The name as it is sent.
    pub name: Cow<'a, str>,
    /// The value; empty: the line is not sent, nor is the client's.
    pub value: Known<Cow<'a, str>>,
    /// The directive; `None` for the server's own and the client's.
    pub span: Option<Span>,
    /// Set where it is so only before this version, and the version judged for is not known.
    pub until: Option<Version>,
}

/// From this version on, an empty `Host` is replaced by the server's own.
const HOST_KEPT: Version = Version::new(1, 31, 4);

/// The head of a request that nginx makes, line by line, as the upstream reads it.
#[derive(Clone, Debug)]
pub struct HeaderLines<'a> {
    lines: Vec<HeaderLine<'a>>,
    /// Why the level in force may hold headers that we do not see.
    unseen: Option<Unknown>,
}

impl<'a> HeaderLines<'a> {
    /// All lines.
    ///
    /// # Errors
    /// Where there may be others that we do not see.
    pub fn all(self) -> Known<Vec<HeaderLine<'a>>> {
        self.unseen.map_or(Ok(self.lines), Err)
    }

    /// The directives that set the header `name` (in any case).
    pub fn spans(&self, name: &str) -> impl Iterator<Item = Span> {
        self.lines.iter().filter(move |line| line.name.eq_ignore_ascii_case(name)).filter_map(|line| line.span)
    }

    /// The header `name` (in any case).
    ///
    /// # Errors
    /// Where its value cannot be known, or it is not among the lines that we see and there may be others.
    pub fn sent(&self, name: &str) -> Known<Sent> {
        let mut sent = Sent::default();
        for line in self.lines.iter().filter(|line| line.name.eq_ignore_ascii_case(name)) {
            sent.spans.extend(line.span);
            sent.until = sent.until.or(line.until);
            let value = line.value.as_ref().map_err(|why| *why)?;
            sent.values.extend(Some(value).filter(|value| !value.is_empty()).map(|value| value.clone().into_owned()));
        }
        match self.unseen {
            Some(why) if sent.spans.is_empty() => Err(why),
            _ => Ok(sent),
        }
    }
}

/// The head that nginx makes with the settings of the level `scope`: the configured lines, its own, then the client's
/// (`ngx_http_proxy_create_request`).
///
/// # Errors
/// Where a level inside the one whose headers are in force may hold some that we do not see.
pub fn nginx_header_lines<'a>(gateway: &'a Gateway, environment: &Environment<'_>, scope: ScopeId) -> Known<HeaderLines<'a>> {
    let in_force = headers_in_force(gateway, scope)?;
    let evaluate = |value: SymbolicId| -> Known<Cow<'a, str>> {
        match gateway.symbolics.get(value) {
            [] => Ok("".into()),
            [Part::Text(text)] => Ok(gateway.texts.show(*text)),
            _ => environment.evaluate(value).map(Cow::Owned),
        }
    };
    let mut lines = Vec::with_capacity(12);
    for entry in in_force.into_iter().flat_map(|level| gateway.scopes.own(level)) {
        match entry.assigned {
            Assigned::Header { name, value, .. } if entry.property == Property::RequestHeader => {
                let value = evaluate(value);
                lines.push(HeaderLine { name: gateway.texts.show(name), value, span: Some(entry.span), until: None });
            }
            Assigned::Unknown(why) if entry.property == Property::RequestHeader => return Err(why),
            _ => {}
        }
    }
    let own_host =
        |line: &HeaderLine<'_>| line.name.eq_ignore_ascii_case("host") && line.value.as_ref().is_ok_and(|value| value.is_empty());
    let configured = lines.len();
    for default in &gateway.default_headers {
        let is_set = lines[..configured].iter().position(|line| line.name.eq_ignore_ascii_case(default.name));
        match is_set {
            None => {
                let value = evaluate(default.value);
                lines.push(HeaderLine { name: default.name.into(), value, span: None, until: default.until });
            }
            Some(at) if own_host(&lines[at]) && gateway.version.is_some_and(|version| version >= HOST_KEPT) => {
                lines[at].value = evaluate(default.value);
            }
            Some(_) => {}
        }
    }
    if passes_client_headers(gateway, scope)? {
        let made = lines.len();
        for (name, value) in &environment.request.headers {
            let is_made = lines[..made].iter().any(|line| line.name.eq_ignore_ascii_case(name));
            if !is_made {
                let value = Ok(value.clone());
                lines.push(HeaderLine { name: name.clone(), value, span: None, until: None });
            }
        }
    }
    Ok(HeaderLines { lines: as_received(lines), unseen: in_force.and_then(|level| unseen(gateway, level)) })
}

/// The lines as the upstream reads them: nginx writes names and values as they are, with whatever line ends and colons they hold.
fn as_received(lines: Vec<HeaderLine<'_>>) -> Vec<HeaderLine<'_>> {
    let is_plain = |line: &HeaderLine<'_>| match &line.value {
        Ok(value) => value.is_empty() || !line.name.contains([':', '\r', '\n']) && value.trim() == value && !value.contains('\n'),
        Err(_) => true,
    };
    if lines.iter().all(is_plain) {
        return lines;
    }
    let mut received = Vec::with_capacity(lines.len());
    for line in lines {
        match &line.value {
            Ok(value) if !is_plain(&line) => {
                for text in format!("{}: {value}", line.name).lines() {
                    let (name, value) = text.split_once(':').unwrap_or((text, ""));
                    let (name, value) = (name.trim().to_owned().into(), Ok(value.trim().to_owned().into()));
                    received.push(HeaderLine { name, value, ..line.clone() });
                }
            }
            _ => received.push(line),
        }
    }
    received
}

/// The level whose headers are in force: the innermost that has any.
///
/// # Errors
/// Where a level inside it may have some that we do not see: they would drop all the others.
fn headers_in_force(gateway: &Gateway, scope: ScopeId) -> Known<Option<ScopeId>> {
    for level in gateway.scopes.chain(scope) {
        if gateway.scopes.own(level).any(|entry| entry.property == Property::RequestHeader) {
            return Ok(Some(level));
        }
        if let Some(why) = unseen(gateway, level) {
            return Err(why);
        }
    }
    Ok(None)
}

/// Whether any level of `scope` sets one of these headers (lower case) for the upstream; most routes need no closer look.
#[must_use]
pub fn sets_header(gateway: &Gateway, scope: ScopeId, names: &[&str]) -> bool {
    let is_named = |lower| names.iter().any(|name| gateway.texts.get(lower) == name.as_bytes());
    let is_one = |entry: &Entry| matches!(entry.assigned, Assigned::Header { lower, .. } if is_named(lower));
    gateway.scopes.chain(scope).any(|level| gateway.scopes.own(level).any(is_one))
}

fn passes_client_headers(gateway: &Gateway, scope: ScopeId) -> Known<bool> {
    let setting = gateway.scopes.scalar(scope, Property::PassRequestHeaders)?;
    Ok(!matches!(setting, Some(setting) if setting.value == Assigned::Flag(false)))
}

/// Why a level may hold settings that we do not see.
///
/// What surrounds a fragment is taken to set nothing: someone who lints one site file asks about what stands in it.
fn unseen(gateway: &Gateway, scope: ScopeId) -> Option<Unknown> {
    gateway.scopes.get(scope).open.filter(|why| !matches!(why, Unknown::Fragment(_)))
}

/// `ap_proxy_create_hdrbrgd` and `mod_proxy_http`: hop-by-hop headers are dropped; `Upgrade` goes on where the worker may upgrade to it.
fn sent_by_httpd(environment: &Environment<'_>, route: &Route, proxy: &Proxy, name: &str) -> Known<Sent> {
    let mut levels: Vec<ScopeId> = environment.gateway.scopes.chain(route.scope).collect();
    levels.reverse();
    let passing = Passing { levels: &levels, span: proxy.span, protocol: proxy.protocol, worker: proxy.worker };
    match name {
        "upgrade" => forwarded_upgrade(environment, passing),
        "connection" => {
            let upgrade = forwarded_upgrade(environment, passing)?;
            let value = if upgrade.values.is_empty() { "close" } else { "Upgrade" };
            Ok(Sent { values: smallvec![value.to_owned()], ..upgrade })
        }
        "host" => {
            let preserves = environment.gateway.scopes.scalar(route.scope, Property::PreserveHost)?;
            if preserves.is_some_and(|setting| setting.value == Assigned::Flag(true)) {
                return client_header(environment, &levels, name);
            }
            // Every backend of a group is asked by its own name.
            let host = Part::Variable(Variable::UpstreamHost);
            Ok(Sent { values: smallvec![environment.evaluate_part(host)?], ..Sent::default() })
        }
        name if HOP_BY_HOP.contains(&name) => Ok(Sent::default()),
        _ => client_header(environment, &levels, name),
    }
}

/// Headers that concern one connection only and are never passed on as they are (`ap_proxy_create_hdrbrgd`).
pub(super) const HOP_BY_HOP: [&str; 4] = ["keep-alive", "te", "trailer", "transfer-encoding"];

/// How httpd passes a request on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing<'a> {
    /// The levels whose headers are in force, the outer first: they add up (`merge_headers_config`, `mod_headers.c`).
    pub(super) levels: &'a [ScopeId],
    /// The directive that passes it on.
    pub(super) span: Span,
    /// The protocol towards the backend.
    pub(super) protocol: Protocol,
    /// The parameters of the worker; `None`: none is made for the URL.
    pub(super) worker: Option<ScopeId>,
}

/// The client's header `name` (lower case) after `RequestHeader`, with the lines that changed it.
///
/// # Errors
/// Where a value or a condition cannot be known.
pub(super) fn client_header(environment: &Environment<'_>, levels: &[ScopeId], name: &str) -> Known<Sent> {
    let gateway = environment.gateway;
    let changed = environment.notes.and_then(|notes| notes.changed.as_ref());
    let (levels, headers) = changed.map_or((levels, &environment.request.headers), |changed| (&changed.levels, &changed.headers));
    let mut sent = Sent::default();
    let mut headers: Vec<(Word, Word)> = headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name)).cloned().collect();
    let wanted = gateway.texts.find(name.as_bytes());
    for entry in levels.iter().flat_map(|&level| gateway.scopes.own(level)) {
        if wanted.is_some() && edited(gateway, entry) == wanted {
            sent.spans.push(entry.span);
            if changed.is_none() {
                edit(environment, entry, &mut headers)?;
            }
        }
    }
    sent.values = headers.into_iter().map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty()).collect();
    Ok(sent)
}

/// The client's headers after `RequestHeader`, in order, and the lines that changed any of them.
///
/// # Errors
/// Where a value or a condition cannot be known.
pub(super) fn client_headers(environment: &Environment<'_>, levels: &[ScopeId]) -> Known<Vec<(Word, Word)>> {
    match environment.notes.and_then(|notes| notes.changed.as_ref()) {
        Some(changed) => Ok(changed.headers.clone()),
        None => changed_headers(environment, levels),
    }
}

/// What `RequestHeader` has made of a request's headers.
#[derive(Clone, Debug)]
pub struct Changed {
    /// All of them, in order.
    pub(super) headers: Vec<(Word, Word)>,
    /// The levels whose lines have changed them, the outer first.
    pub(super) levels: Vec<ScopeId>,
}

impl Changed {
    /// What the lines of these levels make of the headers.
    ///
    /// # Errors
    /// Where a value or a condition cannot be known.
    pub(super) fn by(environment: &Environment<'_>, levels: Vec<ScopeId>) -> Known<Self> {
        Ok(Self { headers: changed_headers(environment, &levels)?, levels })
    }
}

fn changed_headers(environment: &Environment<'_>, levels: &[ScopeId]) -> Known<Vec<(Word, Word)>> {
    let gateway = environment.gateway;
    let mut headers = environment.request.headers.clone();
    for entry in levels.iter().flat_map(|&level| gateway.scopes.own(level)) {
        let edited = edit(environment, entry, &mut headers);
        match edited {
            // What cannot be known of a header that nobody goes by does not matter.
            Err(_) if !decides(gateway, entry) => hide(gateway, entry, &mut headers),
            edited => edited?,
        }
    }
    Ok(headers)
}

/// Whether a header that an entry changes decides what becomes of a handshake.
fn decides(gateway: &Gateway, entry: &Entry) -> bool {
    let name = edited(gateway, entry).map(|name| gateway.texts.show(name));
    name.is_none_or(|name| {
        matches!(&*name, "host" | "connection" | "upgrade" | "origin" | "cookie" | "authorization" | "max-forwards")
            || name.starts_with("sec-websocket-")
    })
}

/// Gives the header of an entry a value that says that it is not known.
fn hide(gateway: &Gateway, entry: &Entry, headers: &mut Vec<(Word, Word)>) {
    let name = match entry.assigned {
        Assigned::Header { name, .. } => name,
        Assigned::HeaderEdit(id) => gateway.header_edit(id).name,
        _ => return,
    };
    let name = gateway.texts.show(name);
    headers.retain(|(own, _)| !own.eq_ignore_ascii_case(&name));
    headers.push((name.into_owned().into(), "(unknown)".into()));
}

/// The lower-case name of the header that an entry changes.
fn edited(gateway: &Gateway, entry: &Entry) -> Option<TextId> {
    match entry.assigned {
        Assigned::Header { lower, .. } if entry.property == Property::RequestHeader => Some(lower),
        Assigned::HeaderEdit(id) => Some(gateway.header_edit(id).lower),
        _ => None,
    }
}

/// The last line of `levels` that changes the client's header `name` (lower case).
pub(super) fn last_edit(gateway: &Gateway, levels: &[ScopeId], name: &str) -> Option<Span> {
    let wanted = gateway.texts.find(name.as_bytes())?;
    let entries = levels.iter().flat_map(|&level| gateway.scopes.own(level));
    entries.filter(|entry| edited(gateway, entry) == Some(wanted)).map(|entry| entry.span).last()
}

/// Carries out one `RequestHeader` over `headers` (`do_headers_fixup`, `mod_headers.c`).
fn edit(environment: &Environment<'_>, entry: &Entry, headers: &mut Vec<(Word, Word)>) -> Known<()> {
    let gateway = environment.gateway;
    let (name, change, value) = match entry.assigned {
        Assigned::Header { name, value, .. } if entry.property == Property::RequestHeader => {
            let unset = gateway.symbolics.get(value).is_empty();
            (name, if unset { HeaderChange::Unset } else { HeaderChange::Set }, value)
        }
        Assigned::HeaderEdit(id) => {
            let edit = gateway.header_edit(id);
            // Where the request is followed, its headers were changed before.
            if edit.early && environment.notes.is_some_and(|notes| notes.begun) {
                return Ok(());
            }
            let applies = match edit.when {
                EditWhen::Always => true,
                EditWhen::Variable(variable, wanted) => {
                    let notes = environment.notes.ok_or(Unknown::Runtime)?;
                    notes.variable(&gateway.texts.show(variable)).is_some() == wanted
                }
                EditWhen::Condition(id) => expression_holds(environment, id)?,
            };
            if !applies {
                return Ok(());
            }
            (edit.name, edit.change, edit.value)
        }
        _ => return Ok(()),
    };
    let name = gateway.texts.show(name);
    if let HeaderChange::Edit { pattern, every } = change {
        for (_, text) in headers.iter_mut().filter(|(own, _)| own.eq_ignore_ascii_case(&name)) {
            let edited = replaced(environment, text, pattern, every, value);
            *text = edited.map_err(|why| why.unwrap_or(Unknown::Pattern(entry.span)))?.into();
        }
        return Ok(());
    }
    let value = environment.evaluate(value)?;
    let first = headers.iter().position(|(own, _)| own.eq_ignore_ascii_case(&name));
    match (change, first) {
        (HeaderChange::Unset, _) => headers.retain(|(own, _)| !own.eq_ignore_ascii_case(&name)),
        (HeaderChange::Set, Some(at)) => {
            // Of several the first is replaced and the others go (`apr_table_setn`).
            let mut seen = 0;
            headers.retain(|(own, _)| {
                seen += usize::from(own.eq_ignore_ascii_case(&name));
                seen < 2 || !own.eq_ignore_ascii_case(&name)
            });
            headers[at].1 = value.into();
        }
        (HeaderChange::SetIfEmpty | HeaderChange::Edit { .. }, Some(_)) => {}
        (HeaderChange::Append, Some(at)) => headers[at].1 = format!("{}, {value}", headers[at].1).into(),
        (HeaderChange::Merge, Some(at)) => {
            if !headers[at].1.split(',').any(|token| token.trim() == value) {
                headers[at].1 = format!("{}, {value}", headers[at].1).into();
            }
        }
        (HeaderChange::Add, _) | (_, None) => headers.push((name.into_owned().into(), value.into())),
    }
    Ok(())
}

/// `text` with the first match of the pattern, or every one, replaced (`process_regexp`, `mod_headers.c`).
///
/// # Errors
/// Where the value cannot be known, or (`None`) the pattern is undecided.
fn replaced(
    environment: &Environment<'_>,
    text: &str,
    pattern: TextId,
    every: bool,
    value: SymbolicId,
) -> Result<String, Option<Unknown>> {
    let mut out = String::new();
    let mut at = 0;
    while let Some((found, captures)) =
        environment.patterns.find(&environment.gateway.texts, pattern, text, at).map_err(|_| None)?
    {
        out.push_str(&text[at..found.start]);
        out.push_str(&Environment { captures: Some(&captures), ..*environment }.evaluate(value).map_err(Some)?);
        // A match of nothing is not looked for again at its place.
        let next = if found.is_empty() { text[found.end..].chars().next().map_or(1, char::len_utf8) } else { 0 };
        out.push_str(text.get(found.end..found.end + next).unwrap_or_default());
        at = (found.end + next).min(text.len());
        if !every || at == text.len() {
            break;
        }
    }
    out.push_str(&text[at..]);
    Ok(out)
}

/// Carries out what changes headers before anything else sees the request: `RequestHeader … early` of the level `scope` and around it.
///
/// # Errors
/// Where a value cannot be known.
pub(super) fn change_early(environment: &Environment<'_>, levels: &[ScopeId]) -> Known<Vec<(Word, Word)>> {
    let gateway = environment.gateway;
    let mut headers = environment.request.headers.clone();
    for entry in levels.iter().flat_map(|&level| gateway.scopes.own(level)) {
        if matches!(entry.assigned, Assigned::HeaderEdit(id) if gateway.header_edit(id).early) {
            edit(environment, entry, &mut headers)?;
        }
    }
    Ok(headers)
}

/// Since this version `mod_proxy_http` upgrades by itself where a worker has `upgrade=`; before, the parameter does nothing for `http://`.
pub(super) const HTTP_UPGRADES: Version = Version::new(2, 4, 47);

/// `ap_proxy_worker_can_upgrade` (`proxy_util.c`): the worker's `upgrade=`, else `websocket` for `ws` and `wss`.
///
/// # Errors
/// Where the parameter or the header cannot be known.
pub(super) fn forwarded_upgrade(environment: &Environment<'_>, passing: Passing<'_>) -> Known<Sent> {
    let gateway = environment.gateway;
    let is_websocket = matches!(passing.protocol, Protocol::Ws | Protocol::Wss);
    let mut sent = Sent::default();
    // A group whose backends are not seen, or a scheme that variables decide.
    if matches!(passing.protocol, Protocol::Balancer | Protocol::Other) {
        return Err(Unknown::Unmodelled(passing.span));
    }
    if !passing.protocol.is_http() || !is_websocket && gateway.version.is_some_and(|version| version < HTTP_UPGRADES) {
        return Ok(sent);
    }
    let setting = match passing.worker {
        Some(worker) => gateway.scopes.scalar(worker, Property::Upgrade)?,
        None => None,
    };
    sent.spans.extend(setting.and_then(|setting| setting.origin.span()));
    let allowed = match setting.map(|setting| setting.value) {
        // What is empty is as if it were not written.
        Some(Assigned::Text(text)) => Some(environment.evaluate(text)?).filter(|allowed| !allowed.is_empty()),
        _ => None,
    };
    let asked = client_header(environment, passing.levels, "upgrade")?;
    sent.spans.extend_from_slice(&asked.spans);
    if let Some(asked) = asked.values.into_iter().next()
        && allowed.map_or(is_websocket && asked.eq_ignore_ascii_case("websocket"), |allowed| may_upgrade(&allowed, &asked))
    {
        sent.values.push(asked);
    }
    Ok(sent)
}

/// Whether `upgrade=` allows what the client asks for: anything, the very same text, or a text that begins as one of its words
/// (`ap_proxy_worker_can_upgrade`, `ap_find_token`).
pub(crate) fn may_upgrade(allowed: &str, asked: &str) -> bool {
    let is_stop = |c: char| !c.is_ascii_graphic() || "()<>@,;:\\\"/[]?={}".contains(c);
    let begins = |word: &str| asked.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    allowed == "*"
        || allowed.eq_ignore_ascii_case("ANY")
        || allowed.eq_ignore_ascii_case(asked)
        || allowed.split(is_stop).any(|word| !word.is_empty() && begins(word))
}

/// Headers that a level around `route` sets for the upstream and that are lost here, because the level in force sets others:
/// the lower-case name, the line that is lost, and the first line of the level that drops it.
///
/// # Errors
/// Where the level in force may hold headers that we do not see.
pub fn lost_headers(gateway: &Gateway, route: &Route) -> Known<Vec<(String, Span, Span)>> {
    if gateway.server != Server::Nginx {
        return Ok(Vec::new());
    }
    let Some(in_force) = headers_in_force(gateway, route.scope)? else { return Ok(Vec::new()) };
    let own: Vec<&Entry> = gateway.scopes.own(in_force).filter(|entry| entry.property == Property::RequestHeader).collect();
    let Some(first) = own.first() else { return Ok(Vec::new()) };
    let lower = |entry: &Entry| match entry.assigned {
        Assigned::Header { lower, .. } => Some(lower),
        _ => None,
    };
    let mut lost = Vec::new();
    for level in gateway.scopes.chain(in_force).skip(1) {
        let outer = gateway.scopes.own(level).filter(|entry| entry.property == Property::RequestHeader);
        let before = lost.len();
        let mut has_any = false;
        for entry in outer {
            has_any = true;
            if let Some(name) = lower(entry)
                && !own.iter().any(|own| lower(own) == Some(name))
            {
                lost.push((gateway.texts.show(name).into_owned(), entry.span, first.span));
            }
        }
        // Only the nearest list would have been inherited: those further out are lost at that level already.
        if has_any {
            if lost.len() > before
                && let Some(why) = unseen(gateway, in_force)
            {
                return Err(why);
            }
            break;
        }
    }
    Ok(lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_not_always_what_is_read() {
        let line = |name: &'static str, value: &'static str| HeaderLine {
            name: name.into(),
            value: Ok(value.into()),
            span: None,
            until: None,
        };
        let lines =
            as_received(vec![line("Upgrade:", "websocket"), line("Connection", " upgrade \r\nX-Y: 1"), line("Host", "a:80")]);
        let read: Vec<_> = lines.iter().map(|line| (&*line.name, line.value.as_deref().unwrap())).collect();
        assert_eq!(read, [("Upgrade", ": websocket"), ("Connection", "upgrade"), ("X-Y", "1"), ("Host", "a:80")]);
    }
}
