//! The edits for rewrite rules: conditions that let every client in, the engine switched on, and the form for httpd before 2.4.47.

use super::line::{Line, Word};
use super::{Editor, Step};
use crate::apache::values::flags;
use crate::facts::Value;
use crate::gateway::{Action, Assigned, Known, Matcher, Origin, Part, Property, Rewrite, RouteId, Variable};
use crate::source::{Edit, Span};

impl<'a> Editor<'a> {
    /// The rule that makes a route.
    fn rule(&self, id: RouteId) -> Option<&'a Rewrite> {
        let gateway = self.gateway();
        let route = gateway.route(id);
        let site = gateway.site(route.site);
        if let Matcher::Rewrite(index) = route.matcher {
            return site.rewrites.get(index as usize);
        }
        let rules = site.areas.iter().filter_map(|area| area.rewriting.as_ref()).flat_map(|rewriting| &rewriting.rules);
        rules.into_iter().find(|rule| rule.action == Action::Proxy(id))
    }

    /// The first line that belongs to the rule of a route: its first condition, or the mapping itself.
    pub(super) fn first_of_rule(&self, id: RouteId, own: Line<'a>) -> Line<'a> {
        let conditions = self.rule(id).into_iter().flat_map(|rule| &rule.conditions);
        let lines = conditions.filter_map(|condition| self.line_at(condition.span));
        lines.filter(|line| line.source == own.source).min_by_key(|line| line.id).unwrap_or(own)
    }

    /// The header that a condition looks at, where it is one that a handshake has.
    fn header_of(&self, subject: crate::gateway::SymbolicId) -> Option<&'a [u8]> {
        let gateway = self.gateway();
        let [Part::Variable(Variable::RequestHeader(name))] = gateway.symbolics.get(subject) else { return None };
        Some(gateway.texts.get(*name)).filter(|name| matches!(*name, b"upgrade" | b"connection"))
    }

    /// The scheme for WebSockets in the target of a rule that only handshakes come to.
    pub(super) fn websocket_scheme(&self, id: RouteId) -> Option<Edit> {
        let rule = self.rule(id)?;
        let asks = |condition: &crate::gateway::Condition| {
            !condition.negated && !condition.or_next && self.header_of(condition.subject) == Some(b"upgrade")
        };
        if !rule.conditions.iter().any(asks) {
            return None;
        }
        let word = self.line_at(rule.span)?.word(1)?;
        let quote = usize::from(matches!(word.text, [b'"' | b'\'', ..]));
        let scheme = word.text[quote..].split(|&byte| byte == b':').next()?;
        let new = match scheme.to_ascii_lowercase().as_slice() {
            b"http" => "ws",
            b"https" => "wss",
            _ => return None,
        };
        let start = word.span.start + u32::try_from(quote).ok()?;
        let span = Span::new(word.span.source, start, start + u32::try_from(scheme.len()).ok()?);
        Some(Edit { span, text: new.as_bytes().to_vec() })
    }

    /// The step that loosens the conditions which keep clients out.
    pub(super) fn loosen(&self, id: RouteId) -> Result<Step, String> {
        let rule = self.rule(id).ok_or("no rule makes this route")?;
        let mut edits = Vec::new();
        for condition in rule.conditions.iter().filter(|condition| !condition.negated) {
            if let Some(header) = self.header_of(condition.subject) {
                let line = self.line_at(condition.span).ok_or("the condition cannot be found")?;
                edits.extend(loosened(line, if header == b"upgrade" { "websocket" } else { "upgrade" })?);
            }
        }
        if edits.is_empty() {
            return Err("what its conditions are to let in is for you to say".to_owned());
        }
        Ok(Step::new("loosen the condition", edits))
    }

    /// The step that switches rewriting on where the rule of a route stands.
    pub(super) fn switch_rewriting_on(&self, id: RouteId) -> Result<Step, String> {
        let gateway = self.gateway();
        let rule = self.rule(id).ok_or("no rule makes this route")?;
        let own = self.line_at(rule.span).ok_or("the rule cannot be found")?;
        let areas = &gateway.site(gateway.route(id).site).areas;
        let holds = |area: &&crate::gateway::Area| {
            let rules = area.rewriting.iter().flat_map(|rewriting| &rewriting.rules);
            rules.into_iter().any(|one| one.span == rule.span)
        };
        let scope = areas.iter().find(holds).map_or(gateway.route(id).scope, |area| area.scope);
        if let Ok(Some(setting)) = gateway.scopes.scalar(scope, Property::RewriteEngine)
            && let Origin::Here(span) = setting.origin
        {
            let word = self.line_at(span).filter(|line| !line.is_holed()).and_then(|line| line.word(0));
            let word = word.ok_or("the line that switches it off cannot be found")?;
            return Ok(Step::new("write `RewriteEngine On`", vec![word.replace("On")]));
        }
        // In front of all rules that stand together, so that it is the same line for each of them.
        let anchor = own.siblings().find(|line| line.name().starts_with(b"rewrite")).unwrap_or(own);
        let edit = anchor.insert_before(&[format!("{} On", own.cased("RewriteEngine"))])?;
        Ok(Step::new("write `RewriteEngine On`", vec![edit]))
    }

    /// The steps that lead a rule where it was meant to, in the shapes that people write.
    pub(super) fn mend_target(&self, id: RouteId, fault: &Known<Value>) -> Result<Vec<Step>, String> {
        let unknown = "where the rule is to lead is for you to say";
        let rule = self.rule(id).filter(|rule| !rule.negated).ok_or("no rule makes this route")?;
        let line = self.line_at(rule.span).filter(|line| !line.is_holed()).ok_or(unknown)?;
        let (Some(pattern), Some(target)) = (line.word(0), line.word(1)) else { return Err(unknown.to_owned()) };
        let written = String::from_utf8_lossy(&pattern.value()).into_owned();
        let url = String::from_utf8_lossy(&target.value()).into_owned();
        let (scheme, rest) = url.split_once("://").ok_or(unknown)?;
        let Ok(Value::Text(fault)) = fault else { return Err(unknown.to_owned()) };
        let is_about = |words: &str| fault.contains(words);
        let mut steps = Vec::new();
        // `{.*}` makes no group, and `.*` neither.
        let grouped = if written.contains("{.*}") {
            Some(written.replacen("{.*}", "(.*)", 1))
        } else if written.matches(".*").count() == 1 && !written.contains('(') {
            Some(written.replacen(".*", "(.*)", 1))
        } else {
            None
        };
        if let Some(grouped) = grouped.filter(|_| is_about("no group") && url.matches('$').count() == 1 && url.contains("$1")) {
            let edit = pattern.replace(&grouped);
            steps.push(Step::new(format!("write `{grouped}`"), vec![edit.clone()]));
            if let Some(parted) = parted(scheme, rest) {
                steps.push(Step::new(format!("write `{grouped}` and `{parted}`"), vec![edit, target.replace(&parted)]));
            }
        }
        // In a directory the path has no leading slash; a rule that asks for none fits in a server, too.
        if let Some(rest) = written.strip_prefix("^/").filter(|_| is_about("leading slash")) {
            let bare = format!("^/?{rest}");
            steps.push(Step::new(format!("write `{bare}`"), vec![pattern.replace(&bare)]));
        }
        if let Some(parted) = parted(scheme, rest).filter(|_| is_about("no slash")) {
            steps.push(Step::new(format!("write `{parted}`"), vec![target.replace(&parted)]));
        }
        // In a section the pattern sees the path of a file.
        let host = rest.strip_suffix("/$1").or_else(|| rest.strip_suffix("$1")).filter(|host| !host.contains(['/', '$', '%']));
        let takes_all = ["^/?(.*)", "^/?(.*)$", "^(.*)$", "^(.*)", "(.*)", "^/(.*)", "^/(.*)$", "(.*)$", "/(.*)", "/(.*)$"];
        if let Some(host) = host.filter(|_| is_about("path of a file") && takes_all.contains(&written.as_str())) {
            let whole = format!("{scheme}://{host}%{{REQUEST_URI}}");
            steps.push(Step::new(format!("write `{whole}`"), vec![pattern.replace("^"), target.replace(&whole)]));
        }
        if steps.is_empty() { Err(unknown.to_owned()) } else { Ok(steps) }
    }

    /// The step that lets nothing but WebSockets be upgraded where `upgrade=` names others.
    pub(super) fn only_websockets(&self, lines: impl Iterator<Item = Span>) -> Result<Step, String> {
        let line = { lines }.find_map(|span| self.line_at(span)).filter(|line| !line.is_holed());
        let line = line.ok_or("the line with `upgrade=` cannot be found")?;
        let words = line.words().filter(|word| word.parameter().is_some_and(|one| one.value.is_some() && one.is(&["upgrade"])));
        let edits: Vec<Edit> = words.map(|word| word.replace("upgrade=websocket")).collect();
        if edits.is_empty() {
            return Err("the line with `upgrade=` cannot be found".to_owned());
        }
        Ok(Step::new("write `upgrade=websocket`", edits))
    }

    /// The step that makes both paths of a mapping end with a slash, or neither.
    pub(super) fn straighten(&self, id: RouteId, fault: &Known<Value>) -> Result<Step, String> {
        let yours = "whether the path or the address is to change is for you to say";
        let (_, proxy) = self.proxied(id)?;
        let own = self.line_at(proxy.span).filter(|line| !line.is_holed()).ok_or("the mapping cannot be found")?;
        let word = own.words().find(|word| memchr::memmem::find(&word.value(), b"://").is_some()).ok_or(yours)?;
        let url = String::from_utf8_lossy(&word.value()).into_owned();
        let new = match fault {
            Ok(Value::Text(fault)) if fault == "glued" => format!("{url}/"),
            Ok(Value::Text(fault)) if fault == "doubled-slash" => {
                url.strip_suffix('/').filter(|rest| !rest.ends_with('/')).ok_or(yours)?.to_owned()
            }
            _ => return Err(yours.to_owned()),
        };
        Ok(Step::new(format!("write `{new}`"), vec![word.replace(&new)]))
    }

    /// The step that makes redirects the last rule for what they take, and keeps handshakes out of them.
    pub(super) fn end_redirect(&self, lines: impl Iterator<Item = Span>) -> Result<Step, String> {
        let gateway = self.gateway();
        let redirects = || {
            let rules = gateway.sites.iter().flat_map(|site| &site.rewrites);
            rules.filter(|rule| matches!(rule.action, Action::Redirect(_)))
        };
        let mut edits = Vec::new();
        for span in lines {
            let Some(rule) = redirects().find(|rule| rule.span == span) else { continue };
            let line = self.line_at(span).ok_or("the redirect cannot be found")?;
            edits.extend(with_flag(line, "L", false)?);
            let first = rule.conditions.iter().find_map(|condition| self.line_at(condition.span)).unwrap_or(line);
            let name = line.cased("RewriteCond");
            edits.push(first.insert_before(&[format!("{name} %{{HTTP:Upgrade}} !websocket [NC]")])?);
        }
        if edits.is_empty() {
            return Err("the redirect cannot be found".to_owned());
        }
        Ok(Step::new("make the redirect the last rule, and keep WebSockets out of it", edits))
    }

    /// What httpd before 2.4.47 needs: a rule that leads handshakes to `ws://` ahead of the mapping.
    pub(super) fn rewrite_to_websocket(&self, id: RouteId) -> Result<Step, String> {
        let (route, proxy) = self.proxied(id)?;
        let gateway = self.gateway();
        if let Some(edit) = self.websocket_scheme(id) {
            let edits = self.load_all(&["proxy_wstunnel"])?;
            return Ok(Step::new("write the scheme for WebSockets", [vec![edit], edits].concat()));
        }
        let plain = "which requests are to be upgraded is for you to say";
        let Matcher::Segments(path) = route.matcher else { return Err(plain.to_owned()) };
        let path = gateway.texts.show(path);
        let own = self.line_at(proxy.span).filter(|line| !line.is_holed()).ok_or(plain)?;
        let url = own.words().map(|word| String::from_utf8_lossy(&word.value()).into_owned()).find(|url| url.contains("://"));
        let url = url.ok_or(plain)?;
        let target = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => format!("ws://{rest}"),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => format!("wss://{rest}"),
            _ => return Err("no edit is known for this backend before httpd 2.4.47".to_owned()),
        };
        if !path.starts_with('/') || url.contains(['$', '%']) {
            return Err(plain.to_owned());
        }
        // By whole segments, as the mapping takes them.
        let escaped: String =
            path.chars().flat_map(|c| ".+*?()[]{}|^$\\".contains(c).then_some('\\').into_iter().chain([c])).collect();
        let pattern = if path.ends_with('/') { format!("^{escaped}(.*)") } else { format!("^{escaped}(/.*)?$") };
        let anchor = own.in_server();
        let mut lines = Vec::new();
        let engine = gateway.scopes.scalar(gateway.site(route.site).scope, Property::RewriteEngine);
        if !matches!(engine, Ok(Some(setting)) if setting.value == Assigned::Flag(true)) {
            lines.push(format!("{} On", own.cased("RewriteEngine")));
        }
        lines.push(format!("{} %{{HTTP:Upgrade}} websocket [NC]", own.cased("RewriteCond")));
        lines.push(format!("{} {} {} [P,L]", own.cased("RewriteRule"), own.quoted(&pattern), own.quoted(&format!("{target}$1"))));
        // Modules first: where both go to one place, a module's directives stand behind it.
        let mut edits = self.load_all(&["rewrite", "proxy_wstunnel"])?;
        edits.push(anchor.insert_before(&lines)?);
        Ok(Step::new("lead WebSockets to `ws://` with a rewrite rule", edits))
    }
}

/// A target whose path is parted from host and port: `ws://host:9000$1` has none.
fn parted(scheme: &str, rest: &str) -> Option<String> {
    let (host, behind) = rest.split_at(rest.find('$')?);
    (!host.is_empty() && !host.contains(['/', '?', '%'])).then(|| format!("{scheme}://{host}/{behind}"))
}

/// The edits that make a condition test for `word` alone: without anchors, in any case.
pub(super) fn loosened(line: Line<'_>, word: &str) -> Result<Vec<Edit>, String> {
    let pattern = line.word(1).filter(|_| !line.is_holed()).ok_or("what the condition tests cannot be known")?;
    let value = pattern.value();
    let bare = value.strip_prefix(b"=").or_else(|| value.strip_prefix(b"^")).unwrap_or(&value);
    let bare = bare.strip_suffix(b"$").unwrap_or(bare);
    let mut edits = Vec::new();
    if !bare.eq_ignore_ascii_case(word.as_bytes()) {
        edits.push(pattern.replace(word));
    } else if bare.len() < value.len() {
        edits.push(pattern.replace(&String::from_utf8_lossy(bare)));
    }
    edits.extend(with_flag(line, "NC", true)?);
    Ok(edits)
}

/// The edit that adds a flag to a rule or condition which has not got it.
pub(super) fn with_flag(line: Line<'_>, flag: &str, first: bool) -> Result<Option<Edit>, String> {
    let Some(word) = line.word(2) else { return Ok(Some(line.append(&format!(" [{flag}]"))?)) };
    let long = match flag {
        "NC" => "nocase",
        "L" => "last",
        "P" => "proxy",
        "PT" => "passthrough",
        other => other,
    };
    let value = word.value();
    let known = flags(&value).ok_or("its flags cannot be read")?;
    if known.iter().any(|one| one.is(&[flag, long])) {
        return Ok(None);
    }
    let inside = String::from_utf8_lossy(&value[1..value.len() - 1]).into_owned();
    Ok(Some(Word::replace(word, &if first { format!("[{flag},{inside}]") } else { format!("[{inside},{flag}]") })))
}
