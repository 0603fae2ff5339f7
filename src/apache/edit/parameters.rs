//! The edits for what a worker is to do: `upgrade=websocket`, `timeout=3600`, where the worker in force takes its parameters from.

use super::line::{Line, Word};
use super::route::Wanted;
use super::{Editor, Step};
use crate::apache::values::{proxy_url, seconds};
use crate::gateway::{Millis, RouteId, UpstreamId};
use crate::handshake::may_upgrade;
use crate::source::Edit;

impl Wanted {
    /// As they are written.
    pub(super) fn written(self) -> Vec<(&'static str, String)> {
        let upgrade = self.upgrade.then(|| ("upgrade", "websocket".to_owned()));
        let timeout = self.timeout.map(|time| ("timeout", time.0.div_ceil(1000).to_string()));
        let flush = self.flush.then(|| ("flushpackets", "on".to_owned()));
        upgrade.into_iter().chain(timeout).chain(flush).collect()
    }

    fn words(self) -> Vec<String> {
        self.written().into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}

impl Editor<'_> {
    /// The steps that give the worker of a route these parameters; `moves`: the mapping goes where it makes a worker of its own.
    pub(super) fn parameters(&self, id: RouteId, wanted: Wanted, moves: bool) -> Result<Vec<Step>, String> {
        let (_, proxy) = self.proxied(id)?;
        if wanted.upgrade && self.is_too_old() {
            return self.rewrite_to_websocket(id).map(|step| vec![step]);
        }
        if let Some(upstream) = proxy.upstream {
            return self.members(upstream, wanted);
        }
        let unknown = || "the mapping cannot be found".to_owned();
        let own = self.line_at(proxy.span).ok_or_else(unknown)?;
        // A file of a directory may hold no `<Proxy>`, and httpd answers 500 for all that lies there.
        if self.is_of_directory(own.source) {
            let scheme = self.websocket_scheme(id).filter(|_| wanted.upgrade);
            let edit = scheme.ok_or("a worker's parameters cannot stand in a file of a directory")?;
            return Ok(vec![Step::new("write the scheme for WebSockets", vec![edit])]);
        }
        let is_mapping = matches!(own.name().as_slice(), b"proxypass" | b"proxypassmatch");
        let worker = proxy.worker.and_then(|scope| self.line_at(self.gateway().scopes.get(scope).span));
        let is_own = worker.is_some_and(|line| (line.source, line.id) == (own.source, own.id));
        let title = format!("write `{}`", wanted.words().join(" "));
        let mut steps = Vec::new();
        let mut reason = String::new();
        if !is_mapping
            && wanted.upgrade
            && let Some(edit) = self.websocket_scheme(id)
        {
            let edits = if let Some(line) = worker { set(line, Wanted { upgrade: false, ..wanted })? } else { Vec::new() };
            steps.push(Step::new("write the scheme for WebSockets", [vec![edit], edits].concat()));
        }
        // What a handler passes on has no line for parameters.
        if own.name() == b"sethandler" {
            let reason = "parameters of a backend belong into the server's own files, in `<Proxy \"URL\">`";
            return if steps.is_empty() { Err(reason.to_owned()) } else { Ok(steps) };
        }
        let mut add = |line: Line<'_>| match set(line, wanted) {
            Ok(edits) if edits.is_empty() => {}
            Ok(edits) => steps.push(Step::new(title.clone(), edits)),
            Err(why) => reason = why,
        };
        if is_mapping && (is_own || moves) {
            add(own);
        }
        if let Some(worker) = worker.filter(|_| !is_own) {
            // One that only this URL finds changes no other route.
            steps.extend(worker_section(own, worker.in_server(), &wanted.words()));
            let mut add = |line: Line<'_>| match set(line, wanted) {
                Ok(edits) if edits.is_empty() => {}
                Ok(edits) => steps.push(Step::new(title.clone(), edits)),
                Err(why) => reason = why,
            };
            add(worker);
        } else if !is_own {
            steps.extend(worker_section(own, self.first_of_rule(id, own).in_server(), &wanted.words()));
        }
        if steps.is_empty() && !reason.is_empty() { Err(reason) } else { Ok(steps) }
    }

    /// The parameters at every member of a balancer: they are where httpd reads them.
    fn members(&self, upstream: UpstreamId, wanted: Wanted) -> Result<Vec<Step>, String> {
        let mut edits = Vec::new();
        for member in self.gateway().balanced.get(&upstream).into_iter().flatten() {
            let line = self.line_at(member.span).ok_or("the member cannot be found")?;
            let own = Wanted { upgrade: wanted.upgrade && member.protocol.is_http(), ..wanted };
            edits.extend(set(line, own)?);
        }
        Ok(vec![Step::new(format!("write `{}` at the members", wanted.words().join(" ")), edits)])
    }
}

/// The parameters of a mapping that decide whether a WebSocket comes through and stays, as written.
pub(super) fn decisive_parameters(own: Line<'_>) -> Vec<String> {
    let decides = |word: &Word<'_>| word.parameter().is_some_and(|one| one.value.is_some() && one.is(&["upgrade", "timeout"]));
    own.words().filter(decides).map(|word| String::from_utf8_lossy(word.text).into_owned()).collect()
}

/// A section that makes the worker of a mapping's URL, with these parameters, in front of `anchor`.
pub(super) fn worker_section(own: Line<'_>, anchor: Line<'_>, words: &[String]) -> Option<Step> {
    let at = usize::from(own.in_server().id == own.id && own.name() != b"sethandler");
    let url = own.words().map(|word| String::from_utf8_lossy(&word.value()).into_owned());
    let url = url.skip(at).find(|url| url.contains("://"))?;
    let url = url.strip_prefix("proxy:").unwrap_or(&url);
    // Up to what a capture or a variable of the request stands for.
    let bytes = url.as_bytes();
    let is_reference = |&at: &usize| bytes[at] == b'%' || bytes[at] == b'$' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    let url = &url[..(0..bytes.len()).find(is_reference).unwrap_or(bytes.len())];
    proxy_url(url.as_bytes()).filter(|parts| !parts.authority.is_empty())?;
    let name = anchor.cased("Proxy");
    let lines = [
        format!("<{name} \"{url}\">"),
        format!("{}{} {}", anchor.unit(), anchor.cased("ProxySet"), words.join(" ")),
        format!("</{name}>"),
    ];
    let edit = anchor.insert_before(&lines).ok()?;
    Some(Step::new(format!("write `{}` for `{url}`", words.join(" ")), vec![edit]))
}

/// The edits that set parameters on the line of a mapping, a member or a worker.
pub(super) fn set(line: Line<'_>, wanted: Wanted) -> Result<Vec<Edit>, String> {
    if line.is_holed() {
        return Err("a template decides what stands here".to_owned());
    }
    let mut edits = Vec::new();
    let mut missing = String::new();
    for (name, value) in wanted.written() {
        // Of several the last counts (`set_worker_param`, `mod_proxy.c`).
        let word = line.words().filter(|word| word.parameter().is_some_and(|one| one.value.is_some() && one.is(&[name]))).last();
        let Some(word) = word else {
            missing.extend([" ", name, "=", &value]);
            continue;
        };
        let parameter = word.parameter().ok_or("a variable decides the parameter")?;
        let is_enough = match name {
            "upgrade" => parameter.value.is_some_and(|old| may_upgrade(&String::from_utf8_lossy(old), "websocket")),
            "flushpackets" => parameter.value.is_some_and(|old| old.eq_ignore_ascii_case(b"on")),
            _ => wanted.timeout <= parameter.value.map(|old| Millis(seconds(old).read.0)),
        };
        if !is_enough {
            edits.push(word.replace(&format!("{}={value}", String::from_utf8_lossy(parameter.name))));
        }
    }
    if !missing.is_empty() {
        edits.push(line.append(&missing)?);
    }
    Ok(edits)
}
