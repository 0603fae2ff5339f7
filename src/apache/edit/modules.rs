//! The edits that make the server able: modules loaded beside the others, TLS towards backends, and lines that are in the way taken out.

use super::line::Line;
use super::parameters::{decisive_parameters, worker_section};
use super::{Editor, Step};
use crate::facts::Value;
use crate::gateway::{Protocol, RouteId, Target};
use crate::source::{Edit, Span};

/// The directives that may be taken out for a handshake's sake: what they do is nothing but the headers and the version of requests.
const REMOVABLE: [&[u8]; 5] = [b"requestheader", b"setenv", b"setenvif", b"setenvifnocase", b"browsermatch"];

impl Editor<'_> {
    /// The step that loads the modules of a list.
    pub(super) fn load(&self, names: &crate::gateway::Known<Value>) -> Result<Step, String> {
        let Ok(Value::List(names)) = names else { return Err("which modules are loaded cannot be known".to_owned()) };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let edits = self.load_all(&names)?;
        Ok(Step::new(
            format!("load {}", names.iter().map(|name| format!("`{name}_module`")).collect::<Vec<_>>().join(", ")),
            edits,
        ))
    }

    /// The edits that load those of the modules which are known not to be loaded.
    pub(super) fn load_all(&self, names: &[&str]) -> Result<Vec<Edit>, String> {
        let modules = &self.gateway().modules;
        let missing: Vec<&str> = names.iter().copied().filter(|name| modules.has(name) == Some(false)).collect();
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let by_hand = || format!("run `a2enmod {}`, or load them where the other modules are loaded", missing.join(" "));
        let last = modules.last.and_then(|span| self.line_at(span)).ok_or_else(by_hand)?;
        let path = self.store.sources.get(last.source).path();
        // Files of one module each, as Debian has them, are made by its own tool.
        if path.extension().is_some_and(|extension| extension == "load") || last.is_holed() {
            return Err(by_hand());
        }
        let mut edits = Vec::new();
        let (mut ahead, mut behind) = (Vec::new(), Vec::new());
        for name in missing.iter().copied() {
            if let Some(edit) = uncomment(last, name) {
                edits.push(edit);
                continue;
            }
            let file = last.word(1).ok_or_else(by_hand)?;
            let text = String::from_utf8_lossy(file.text).into_owned();
            let start = text.rfind("mod_").ok_or_else(by_hand)?;
            let end = text.rfind(".so").filter(|end| *end > start).ok_or_else(by_hand)?;
            let load = format!("{} {name}_module {}mod_{name}{}", last.cased("LoadModule"), &text[..start], &text[end..]);
            // What others are built on comes before them.
            if name == "proxy" { ahead.push(load) } else { behind.push(load) }
        }
        let top = |line: &Line<'_>| line.parent().is_none() && line.name() == b"loadmodule";
        let beside = || last.tree.children(None).map(move |id| Line { id, ..last }).filter(top);
        if !ahead.is_empty() {
            let is_proxy = |line: &Line<'_>| line.word(0).is_some_and(|word| word.value().starts_with(b"proxy"));
            match beside().find(is_proxy) {
                Some(line) => edits.push(line.insert_before(&ahead)?),
                None => behind.splice(0..0, ahead).for_each(drop),
            }
        }
        if !behind.is_empty() {
            edits.push(beside().last().ok_or_else(by_hand)?.insert_behind(&behind)?);
        }
        Ok(edits)
    }

    /// The step that switches TLS towards the backends of a site on.
    pub(super) fn switch_tls_on(&self, id: RouteId) -> Result<Step, String> {
        let gateway = self.gateway();
        let site = gateway.site(gateway.route(id).site);
        let title = "write `SSLProxyEngine On`";
        let speaks_tls = |id: &RouteId| match &gateway.route(*id).target {
            Target::Proxy(proxy) => matches!(proxy.protocol, Protocol::Https | Protocol::Wss),
            _ => false,
        };
        // In front of the first that needs it, so that it is the same line for each of them.
        let lines = site.route_ids().filter(speaks_tls).filter_map(|id| {
            let (_, proxy) = self.proxied(id).ok()?;
            Some(self.first_of_rule(id, self.line_at(proxy.span)?).in_server())
        });
        let anchor = lines.min_by_key(|line| (line.source, line.id)).ok_or("nothing is asked over TLS here")?;
        if let Some(off) = anchor.siblings().filter(|line| line.name() == b"sslproxyengine").last() {
            let word = off.word(0).filter(|_| !off.is_holed()).ok_or("the line that switches it off cannot be read")?;
            return Ok(Step::new(title, vec![word.replace("On")]));
        }
        let edit = anchor.insert_before(&[format!("{} On", anchor.cased("SSLProxyEngine"))])?;
        Ok(Step::new(title, vec![edit]))
    }

    /// The step that takes lines out.
    pub(super) fn take_out(&self, spans: impl Iterator<Item = Span>) -> Result<Step, String> {
        let mut edits = Vec::new();
        for line in spans.filter_map(|span| self.line_at(span)) {
            let name = line.name();
            if !REMOVABLE.contains(&name.as_slice()) {
                continue;
            }
            let sets_more = name.starts_with(b"setenvif") && line.words().count() > 3;
            if line.is_holed() || line.is_section() || sets_more {
                return Err("the line does more than this".to_owned());
            }
            edits.push(line.remove());
        }
        if edits.is_empty() {
            return Err("which line is to go is for you to say".to_owned());
        }
        Ok(Step::new("take the line out", edits))
    }

    /// The steps that make a section reachable whose pattern is no pattern to `mod_proxy`.
    pub(super) fn reach_section(&self, id: RouteId) -> Result<Vec<Step>, String> {
        let unknown = "what the section is to cover is for you to say";
        let line =
            self.line_at(self.gateway().route(id).span).filter(|line| line.is_section() && !line.is_holed()).ok_or(unknown)?;
        let tilde = line.name() == b"location";
        let word = line.word(usize::from(tilde)).ok_or(unknown)?;
        let pattern = String::from_utf8_lossy(&word.value()).into_owned();
        let mut steps = Vec::new();
        let literal =
            pattern.strip_prefix('^').filter(|rest| !rest.contains(['(', ')', '|', '^', '$', '+', '{', '}', '\\', '.']));
        // Whatever else the section holds, who is let in above all, covers what begins with the path as well.
        let maps_alone = line.tree.children(Some(line.id)).all(|id| Line { id, ..line }.name().starts_with(b"proxypass"));
        if let Some(path) = literal.filter(|path| maps_alone && path.starts_with('/')) {
            let mut edits = vec![word.replace(path)];
            if tilde {
                let mark = line.word(0).ok_or(unknown)?;
                edits.push(line.edit(mark.span.start as usize, word.span.start as usize, Vec::new()));
                steps.push(Step::new(format!("write `<Location \"{path}\">`"), edits));
            } else {
                edits.extend(line.rename("Location"));
                steps.push(Step::new(format!("write `<Location \"{path}\">`"), edits));
            }
        }
        let open = match pattern.strip_suffix('$') {
            Some(closed) => format!("{closed}/?$"),
            None => format!("{pattern}.*"),
        };
        let pattern = Step::new(format!("write `{open}`"), vec![word.replace(&open)]);
        // Behind the URL of a pattern comes the whole path of the request, behind that of a path what the path leaves over.
        let (_, proxy) = self.proxied(id)?;
        let whole_path = proxy.path.is_some_and(|path| matches!(self.gateway().texts.get(path), b"" | b"/"));
        if whole_path {
            steps.insert(0, pattern);
        } else {
            steps.push(pattern);
        }
        Ok(steps)
    }

    /// The steps that let handshakes keep their upgrade whose URL is shorter than the mapping's own.
    pub(super) fn catch_lost(&self, id: RouteId, lost_at: impl Iterator<Item = Span>) -> Result<Vec<Step>, String> {
        let (_, proxy) = self.proxied(id)?;
        let own = self.line_at(proxy.span).ok_or("the mapping cannot be found")?;
        let parameters = decisive_parameters(own);
        let step = worker_section(own, own.in_server(), &parameters).filter(|_| !parameters.is_empty());
        let mut steps: Vec<Step> = step.into_iter().collect();
        // Of two workers that are as long, the first counts: this one goes ahead of the one that is found.
        let other = { lost_at }.filter_map(|span| self.line_at(span)).find(|line| line.source == own.source && line.id < own.id);
        if let Some(other) = other.filter(|_| !parameters.is_empty()) {
            steps.extend(worker_section(own, other.in_server(), &parameters));
        }
        // The worker may be that of a mapping before it.
        if proxy.shares.is_some() {
            steps.extend(self.unshare(id).unwrap_or_default());
        }
        if steps.is_empty() { Err("which paths are meant is for you to say".to_owned()) } else { Ok(steps) }
    }
}

/// The edit that makes a comment the line that it was, where it loads a module.
fn uncomment(beside: Line<'_>, name: &str) -> Option<Edit> {
    let mut start = 0;
    for line in beside.bytes.split_inclusive(|&byte| byte == b'\n') {
        let blanks = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let marks = line[blanks..].iter().take_while(|byte| matches!(byte, b'#' | b' ' | b'\t')).count();
        let text = &line[blanks + marks..];
        let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let is_it = line[blanks..].starts_with(b"#")
            && words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"loadmodule"))
            && words.next().is_some_and(|word| word == format!("{name}_module").as_bytes())
            && words.next().is_some()
            && words.next().is_none();
        if is_it {
            return Some(beside.edit(start + blanks, start + blanks + marks, Vec::new()));
        }
        start += line.len();
    }
    None
}
