//! The edits for a route: what its requests to the upstream carry, and how long they may be silent.

use super::Editor;
use super::map::Plain;
use super::place::{Block, Spacing, replace_word};
use crate::facts::{Evidence, Fact, Item, Reader, Reading, Value};
use crate::fix::Job;
use crate::gateway::{Assigned, Entry, Matcher, Millis, Property, Protocol, RouteId, ScopeId, Target};
use crate::handshake::lost_headers;
use crate::nginx::line::{Line, Word};
use crate::rules::{Plan, Want};
use crate::source::{Edit, Span};

/// What is to be written for a route.
#[derive(Debug, Default)]
pub(super) struct Task {
    /// Headers to be sent: name and value.
    headers: Vec<(&'static str, String)>,
    /// Directives with one value.
    scalars: Vec<(&'static str, Property, String)>,
    /// Whether the headers that are set around the level are to be sent as well.
    keep_lost: bool,
    /// Edits elsewhere.
    pub(super) edits: Vec<Edit>,
    /// What they do, for a list to choose from.
    pub(super) titles: Vec<String>,
}

impl<'a> Editor<'a> {
    /// The edits for a route: on the level around it that its headers come from, where all who use that want the same; else on its own.
    pub(super) fn route(&self, id: RouteId, job: Job<'_>) -> Result<Vec<Plan>, String> {
        let gateway = self.gateway();
        let task = self.task(id, job.wants)?;
        // What is settled at another route is written there alone.
        if let Some((other, task)) = self.beside(id, job.wants)? {
            return self.write(self.level_of(other), &task).map(|plan| vec![plan]);
        }
        let own = self.level_of(id);
        let (in_force, _) = gateway.scopes.list(gateway.route(id).scope, Property::RequestHeader);
        let mut levels = Vec::new();
        if let Some(level) = in_force.filter(|&level| level != own) {
            let all_alike = self.users(level).iter().all(|user| job.alike.contains(&Item::Route(*user)));
            // What is lost is lost on the level that drops it.
            if all_alike || task.keep_lost {
                levels.push(level);
            }
        }
        levels.push(own);
        let mut plans = Vec::new();
        let mut reason = String::new();
        for level in levels {
            match self.write(level, &task) {
                Ok(plan) => plans.push(plan),
                Err(why) => reason = why,
            }
        }
        if plans.is_empty() { Err(reason) } else { Ok(plans) }
    }

    /// The level on which a route's settings are written: an `if` takes none.
    fn level_of(&self, id: RouteId) -> ScopeId {
        let gateway = self.gateway();
        let mut route = gateway.route(id);
        while matches!(route.matcher, Matcher::Conditional)
            && let Some(parent) = route.parent
        {
            route = gateway.route(parent);
        }
        route.scope
    }

    fn task(&self, id: RouteId, wants: &[Want]) -> Result<Task, String> {
        let reader = Reader::new(self.view, Item::Route(id));
        let route = self.gateway().route(id);
        let mut task = Task::default();
        for want in wants.iter().filter(|want| !want.holds(&want.fact.read(&reader))) {
            match (want.name().as_str(), &want.value) {
                ("handshake.request_header.upgrade", _) => task.headers.push(("Upgrade", "$http_upgrade".to_owned())),
                ("handshake.request_header.connection", _) => {
                    self.send_connection(id, &mut task)?;
                }
                ("http_version", Value::Version(version)) => {
                    task.scalars.push((
                        "proxy_http_version",
                        Property::HttpVersion,
                        format!("{}.{}", version.major, version.minor),
                    ));
                }
                ("lost_headers", Value::Absent) => task.keep_lost = true,
                ("plain.forced", Value::Flag(false)) => self.unforce(id, &mut task)?,
                ("handshake.repeated_headers", Value::Absent) => {
                    for (line, other) in repeated(&want.fact.read(&reader)) {
                        // One line of a file that is included twice.
                        if line == other {
                            task.edits.push(self.without_second_include(line.source)?);
                            continue;
                        }
                        if self.value_of(line) != self.value_of(other) {
                            return Err("they differ: which is to stay is for you to say".to_owned());
                        }
                        task.edits.push(self.take_out(line)?);
                    }
                }
                // What stands in the way of a handshake has no other use on its route.
                ("handshake.lacks", Value::Absent) | ("handshake.verdict", Value::Text(_)) => {
                    let reading = want.fact.read(&reader);
                    for evidence in &reading.evidence {
                        let line = self.line_at(evidence.span).ok_or("the line cannot be found")?;
                        if line.name().ends_with(b"_pass") || line.name() == b"location" {
                            return Err("no single line stands in the way".to_owned());
                        }
                        task.edits.push(self.take_out(evidence.span)?);
                    }
                }
                ("timeout.idle" | "timeout.read", Value::Duration(time)) => {
                    let protocol = match &route.target {
                        Target::Proxy(proxy) => proxy.protocol,
                        _ => return Err("nothing is proxied here".to_owned()),
                    };
                    task.scalars.push((read_timeout(protocol)?, Property::read_timeout(protocol), written(*time)));
                }
                ("timeout.client_body", Value::Duration(time)) => {
                    task.scalars.push(("client_body_timeout", Property::ClientBodyTimeout, written(*time)));
                }
                ("plain.request_header.connection", Value::Absent) => self.send_connection(id, &mut task)?,
                ("timeout.zero", Value::Absent) => {
                    let Target::Proxy(proxy) = &route.target else { return Err("nothing is proxied here".to_owned()) };
                    let protocol = proxy.protocol;
                    let read = read_timeout(protocol)?;
                    match want.fact.read(&reader).value {
                        Ok(Value::Text(name)) if name == "read timeout" => {
                            task.scalars.push((read, Property::read_timeout(protocol), "1h".to_owned()));
                        }
                        Ok(Value::Text(_)) if read == "proxy_read_timeout" => {
                            task.scalars.push(("proxy_connect_timeout", Property::ConnectTimeout, "60s".to_owned()));
                        }
                        _ => return Err("no edit is known for this timeout".to_owned()),
                    }
                }
                ("tls.server_name", _) => {
                    task.scalars.push(("proxy_ssl_server_name", Property::SendServerName, "on".to_owned()));
                }
                ("events.held_by", Value::Absent) => match &route.target {
                    Target::Proxy(proxy) if proxy.protocol.is_http() => {
                        task.scalars.push(("proxy_buffering", Property::Buffering, "off".to_owned()));
                    }
                    _ => return Err("no edit is known for this protocol".to_owned()),
                },
                ("scheme_forwarded", _) => task.headers.push(("X-Forwarded-Proto", "$scheme".to_owned())),
                ("host", _) => task.headers.push(("Host", "$http_host".to_owned())),
                ("connections_per_worker", Value::Number(number)) => self.connections(*number, &mut task)?,
                ("open_file_limit", Value::Number(number)) => self.open_files(*number, &mut task)?,
                ("open_file_limit.suffices", Value::Flag(true)) => self.enough_files(&mut task)?,
                ("target.affinity", Value::Flag(true)) => self.keep_clients(&route.target, &mut task)?,
                ("target.path_fault", Value::Absent) => {
                    let reading = want.fact.read(&reader);
                    let Ok(Value::Text(fault)) = &reading.value else { return Err("the path cannot be known".to_owned()) };
                    self.straighten(&route.target, fault, &mut task)?;
                }
                ("upgrade.other_protocols", Value::Flag(false)) => {
                    let (variable, edit) = self.websocket_variable(route.scope)?;
                    task.edits.extend(edit);
                    task.headers.push(("Upgrade", variable));
                }
                // Another route's: see `beside`.
                ("subrequest.upgrading", Value::Absent) => {}
                (name, _) => return Err(format!("no edit is known for `{name}`")),
            }
        }
        // As everybody writes them.
        task.headers.sort_by_key(|(name, _)| *name != "Upgrade");
        Ok(task)
    }

    /// The route beside `id` that is to be mended in its stead, with what is to be written there: the one that answers a request of the
    /// server's own, which is to ask for no upgrade.
    fn beside(&self, id: RouteId, wants: &[Want]) -> Result<Option<(RouteId, Task)>, String> {
        let reader = Reader::new(self.view, Item::Route(id));
        let Some(want) = wants.iter().find(|want| want.name() == "subrequest.upgrading") else { return Ok(None) };
        let reading = want.fact.read(&reader);
        let place = reading.evidence.first().map(|evidence| evidence.span);
        let other = place.and_then(|span| self.route_at(span)).ok_or("the location that answers it cannot be found")?;
        let own = Reader::new(self.view, Item::Route(other));
        let of_other = |name: &str| Fact::named(name).ok().map(|fact| fact.read(&own).value);
        // A location for that path alone is the server's; another one may have clients with WebSockets of their own.
        let texts = &self.gateway().texts;
        let is_for_it = match (self.gateway().route(other).matcher, &reading.value) {
            (Matcher::Exact(text) | Matcher::Prefix { text, .. }, Ok(Value::Text(path))) => texts.get(text) == path.as_bytes(),
            _ => false,
        };
        // No handshake comes to one that is internal.
        if !is_for_it && !matches!(of_other("handshake.verdict"), Some(Ok(Value::Absent))) {
            return Err("the location that answers it is for clients as well, who may have WebSockets there".to_owned());
        }
        let mut task = Task::default();
        task.headers.push(("Upgrade", "\"\"".to_owned()));
        let connection = of_other("handshake.request_header.connection");
        if matches!(connection, Some(Ok(Value::List(tokens))) if tokens.iter().any(|token| token.eq_ignore_ascii_case("upgrade")))
        {
            task.headers.push(("Connection", "\"\"".to_owned()));
        }
        Ok(Some((other, task)))
    }

    /// Makes one of an address whose path is put together with the location's so that a slash is missing or doubled, or the path lost.
    fn straighten(&self, target: &Target, fault: &str, task: &mut Task) -> Result<(), String> {
        let yours = "whether the location or the address is to change is for you to say";
        let Target::Proxy(proxy) = target else { return Err("nothing is proxied here".to_owned()) };
        let word = self.line_at(proxy.span).and_then(|line| line.word(0)).filter(|word| !word.is_holed()).ok_or(yours)?;
        let value = word.value();
        let url = std::str::from_utf8(&value).map_err(|_| yours)?;
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        let new = match fault {
            "glued" => format!("{url}/"),
            // A location takes more than whole segments: without its slash, the address would be glued to what follows.
            "path-dropped" if path.is_empty() => format!("{}$request_uri", url.strip_suffix('/').ok_or(yours)?),
            "query-dropped" => format!("{url}$is_args$args"),
            _ => return Err(yours.to_owned()),
        };
        task.edits.push(self.reword(proxy.span, 0, &new)?);
        task.titles.push(format!("`proxy_pass {new};`"));
        Ok(())
    }

    /// Has `Connection` sent from a map over the client's `Upgrade`.
    fn send_connection(&self, id: RouteId, task: &mut Task) -> Result<(), String> {
        let (variable, edit) = self.connection_variable(self.plain(id), self.gateway().route(id).scope)?;
        task.edits.extend(edit);
        task.headers.push(("Connection", variable));
        Ok(())
    }

    /// Leaves it to the client whether an upgrade is asked for.
    fn unforce(&self, id: RouteId, task: &mut Task) -> Result<(), String> {
        let reader = Reader::new(self.view, Item::Route(id));
        let read = |name: &str| Fact::named(name).ok().and_then(|fact| fact.read(&reader).value.ok());
        if !matches!(read("plain.request_header.upgrade"), Some(Value::Absent)) {
            task.headers.push(("Upgrade", "$http_upgrade".to_owned()));
        }
        if matches!(read("plain.request_header.connection"), Some(Value::List(tokens)) if tokens.iter().any(|token| token == "upgrade"))
        {
            self.send_connection(id, task)?;
        }
        Ok(())
    }

    /// The last word of the line at `span`.
    fn value_of(&self, span: Span) -> Option<Vec<u8>> {
        self.line_at(span)?.words().last().map(|word| word.value().into_owned())
    }

    /// What requests that ask for no upgrade are to be sent as `Connection`: what they are sent now, unless that is wrong beside a kept connection.
    fn plain(&self, id: RouteId) -> Plain {
        let reader = Reader::new(self.view, Item::Route(id));
        let sent = Fact::named("plain.request_header.connection").ok().map(|fact| fact.read(&reader).value);
        let kept = match &self.gateway().route(id).target {
            Target::Proxy(proxy) => proxy.upstream.is_some_and(|id| self.gateway().upstream(id).keepalive.is_some()),
            _ => false,
        };
        match sent {
            _ if kept => Plain::Nothing,
            Some(Ok(Value::List(tokens))) if tokens.iter().any(|token| token == "keep-alive") => Plain::Nothing,
            Some(Ok(Value::Absent)) => Plain::Nothing,
            _ => Plain::Close,
        }
    }

    /// The edits that carry out a task on a level.
    fn write(&self, level: ScopeId, task: &Task) -> Result<Plan, String> {
        let gateway = self.gateway();
        let block = self.block(gateway.scopes.get(level).span).ok_or("the block cannot be found")?;
        let mut edits = task.edits.clone();
        let mut lines: Vec<String> = Vec::new();
        for (name, property, value) in &task.scalars {
            match gateway.scopes.own(level).filter(|entry| entry.property == *property).last() {
                Some(entry) => edits.push(self.reword(entry.span, 0, value)?),
                None => lines.push(format!("{name} {value};")),
            }
        }
        let anchor = self.anchor(block, level);
        let own: Vec<&Entry> = headers(self, level).collect();
        // As their neighbours, or as those that they are copied from.
        let (around, _) = gateway.scopes.list(level, Property::RequestHeader);
        let copied = around.and_then(|around| self.line_at(headers(self, around).last()?.span));
        let model = anchor.filter(|line| line.name() == b"proxy_set_header").or(copied);
        let spacing = model.map(Spacing::of).unwrap_or_default();
        if !task.headers.is_empty() && own.is_empty() {
            self.copy_inherited(level, task, &mut lines)?;
        }
        for (name, value) in &task.headers {
            let colon = format!("{name}:");
            let mut same = own.iter().filter(|entry| self.is_header(entry, name) || self.is_header(entry, &colon));
            match same.next() {
                Some(first) => {
                    edits.push(self.reword(first.span, 1, value)?);
                    if self.is_header(first, &colon) {
                        edits.push(self.reword(first.span, 0, name)?);
                    }
                    for other in same {
                        edits.push(self.take_out(other.span)?);
                    }
                }
                None => lines.push(spacing.line("proxy_set_header", name, value)),
            }
        }
        if task.keep_lost {
            self.copy_lost(level, &mut lines)?;
        }
        if !lines.is_empty() {
            if block.is_templated() {
                return Err("a template decides what stands in this block".to_owned());
            }
            edits.push(block.insert(anchor, &lines));
        }
        if edits.is_empty() {
            return Err("nothing is left to write for it".to_owned());
        }
        Ok(Plan { title: title(task), edits })
    }

    /// The line behind which others of its kind are put.
    fn anchor(&self, block: Block<'a>, level: ScopeId) -> Option<Line<'a>> {
        let last = |wanted: &dyn Fn(Line<'a>) -> bool| block.lines().filter(|&line| wanted(line)).last();
        // A file that brings the headers stands for them.
        let source = headers(self, level).map(|entry| entry.span.source).find(|&source| source != block.source);
        let brings = |line: Line<'a>| {
            let is_include = line.name() == b"include";
            is_include
                && source.is_some_and(|source| self.resolved.include(line.source, line.id, line.span()).files.contains(&source))
        };
        last(&|line| line.name() == b"proxy_set_header")
            .or_else(|| last(&brings))
            .or_else(|| last(&|line| line.name() == b"proxy_http_version"))
            .or_else(|| {
                last(&|line| matches!(line.name(), b"proxy_pass" | b"uwsgi_pass" | b"fastcgi_pass" | b"scgi_pass" | b"grpc_pass"))
            })
    }

    /// The lines of the level around `level` that its first own header would drop.
    fn copy_inherited(&self, level: ScopeId, task: &Task, lines: &mut Vec<String>) -> Result<(), String> {
        let gateway = self.gateway();
        let Some(outer) = gateway.scopes.get(level).parent else { return Ok(()) };
        let (Some(in_force), _) = gateway.scopes.list(outer, Property::RequestHeader) else { return Ok(()) };
        for entry in headers(self, in_force) {
            if !task.headers.iter().any(|(name, _)| self.is_header(entry, name)) {
                lines.push(self.copy(entry.span)?);
            }
        }
        Ok(())
    }

    /// The lines that are dropped because `level` has others.
    fn copy_lost(&self, level: ScopeId, lines: &mut Vec<String>) -> Result<(), String> {
        let user = self.users(level).first().ok_or("nothing is proxied with these headers")?;
        let lost = lost_headers(self.gateway(), self.gateway().route(*user)).map_err(|why| why.reason().to_owned())?;
        for (_, span, _) in lost {
            lines.push(self.copy(span)?);
        }
        Ok(())
    }

    /// A directive as it is written elsewhere.
    fn copy(&self, span: Span) -> Result<String, String> {
        let line = self.line_at(span).ok_or("the line to copy cannot be found")?;
        if line.words().any(Word::is_holed) {
            return Err("a template decides a line that would have to be copied".to_owned());
        }
        let text = std::str::from_utf8(self.store.sources.slice(span));
        Ok(format!("{};", text.map_err(|_| "a line that would have to be copied is not UTF-8")?))
    }

    pub(super) fn reword(&self, span: Span, n: usize, value: &str) -> Result<Edit, String> {
        let edit = self.line_at(span).and_then(|line| replace_word(line, n, value));
        edit.ok_or_else(|| "a template decides the line that would have to be changed".to_owned())
    }

    fn take_out(&self, span: Span) -> Result<Edit, String> {
        let line = self.line_at(span).ok_or("the line cannot be found")?;
        Ok(Block { source: line.source, tree: line.tree, bytes: line.bytes, of: None }.remove(line))
    }

    fn is_header(&self, entry: &Entry, name: &str) -> bool {
        matches!(entry.assigned, Assigned::Header { lower, .. } if self.gateway().texts.get(lower).eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// The lines that are one too many, each with the one before it, as the fact `handshake.repeated_headers` shows them.
fn repeated(reading: &Reading) -> Vec<(Span, Span)> {
    let is_first = |evidence: &Evidence| evidence.note == "sent here";
    reading.evidence.windows(2).filter(|pair| is_first(&pair[1])).map(|pair| (pair[0].span, pair[1].span)).collect()
}

/// The request headers that are written on a level.
fn headers<'a>(editor: &Editor<'a>, level: ScopeId) -> impl Iterator<Item = &'a Entry> {
    editor.gateway().scopes.own(level).filter(|entry| entry.property == Property::RequestHeader)
}

fn read_timeout(protocol: Protocol) -> Result<&'static str, String> {
    Ok(match protocol {
        Protocol::Http | Protocol::Https | Protocol::HttpOrHttps => "proxy_read_timeout",
        Protocol::Uwsgi => "uwsgi_read_timeout",
        Protocol::FastCgi => "fastcgi_read_timeout",
        Protocol::Scgi => "scgi_read_timeout",
        Protocol::Grpc => "grpc_read_timeout",
        _ => return Err("no timeout is known for this protocol".to_owned()),
    })
}

/// A duration as nginx reads it.
pub(super) fn written(time: Millis) -> String {
    let unit = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    match unit.into_iter().find(|(size, _)| time.0 > 0 && time.0.is_multiple_of(*size)) {
        Some((size, name)) => format!("{}{name}", time.0 / size),
        None => format!("{}ms", time.0),
    }
}

/// What a plan does, for a list to choose from.
fn title(task: &Task) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend_from_slice(&task.titles);
    parts.extend(task.scalars.iter().map(|(name, _, value)| format!("`{name} {value};`")));
    parts.extend(task.headers.iter().map(|(name, value)| format!("`proxy_set_header {name} {value};`")));
    if parts.is_empty() && !task.keep_lost {
        "take the line out".to_owned()
    } else if parts.is_empty() {
        "repeat the dropped `proxy_set_header` lines".to_owned()
    } else {
        format!("write {}", parts.join(", "))
    }
}
