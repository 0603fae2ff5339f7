//! The edits for single directives: what httpd refuses, or reads otherwise than it was meant.

use super::Editor;
use super::line::{Line, Word};
use super::parameters::set;
use super::rewrite::{loosened, with_flag};
use super::route::Wanted;
use crate::apache::values::{Parameter, flags, parameter};
use crate::gateway::{Fault, Millis, Misreading, Refusal, Remark, RemarkKind, UpstreamId};
use crate::rules::Plan;
use crate::source::{Edit, Span};

impl Editor<'_> {
    /// The edits for what was noted.
    pub(super) fn remark(&self, remark: &Remark) -> Result<Vec<Plan>, String> {
        let line = self.line_at(remark.span).filter(|line| !line.is_holed()).ok_or("no edit is known for it")?;
        match &remark.kind {
            RemarkKind::UnitIgnored { written, meant, .. } => in_seconds(line, written, *meant),
            RemarkKind::Misread { how: Misreading::EmptyVariable, text } => name_header(line, text),
            RemarkKind::Misread { how: Misreading::WebSocketNotProxied, .. } => pass_on(line),
            RemarkKind::Misread { how: Misreading::LeadsPastMappings, .. } => {
                let edit = with_flag(line, "PT", false)?.ok_or("nothing is left to write for it")?;
                Ok(plan("write the flag `PT`".to_owned(), vec![edit]))
            }
            RemarkKind::Misread { how: Misreading::AddressUnusable, .. } => {
                straight_quotes(line).map_or_else(|| part_path(line), Ok)
            }
            RemarkKind::Misread { how: Misreading::SectionNeverTrue | Misreading::SectionHidesWebSocket, text } => {
                self.name_module(line, text)
            }
            RemarkKind::Misread { how: Misreading::SectionLeftOut, .. } => {
                Err("whether the module is to be loaded is for you to say".to_owned())
            }
            _ => Err("no edit is known for it".to_owned()),
        }
    }

    /// The edits for what is refused.
    pub(super) fn refusal(&self, refusal: &Refusal) -> Result<Vec<Plan>, String> {
        let line = self.line_at(refusal.span).filter(|line| !line.is_holed()).ok_or("no edit is known for it")?;
        match refusal.fault {
            Fault::Duplicate => remove_copy(line),
            Fault::UpgradeMisplaced => self.upgrade_members(line),
            Fault::Duration => Err("what the duration is to be is for you to say".to_owned()),
            Fault::Address => straight_quotes(line).ok_or_else(|| "what the address is to be is for you to say".to_owned()),
            _ => Err("no edit is known for it".to_owned()),
        }
    }
}

impl Editor<'_> {
    /// `<IfModule mod_proxy_http>`: the name of a source file ends in `.c`, an identifier in `_module`.
    fn name_module(&self, line: Line<'_>, token: &str) -> Result<Vec<Plan>, String> {
        let bare = token.trim_start_matches('!').trim();
        // Some write the file that the module is loaded from.
        let file = bare.rsplit('/').next().unwrap_or(bare);
        let name = file.strip_prefix("mod_").unwrap_or(file);
        let name = name.strip_suffix(".so").or_else(|| name.strip_suffix(".load")).unwrap_or(name).to_ascii_lowercase();
        // What is not loaded the section would still be left out for.
        if self.gateway().modules.has(&name) != Some(true) {
            return Err("no module of such a name is loaded: whether one is to be is for you to say".to_owned());
        }
        let right = if file.starts_with("mod_") { format!("mod_{name}.c") } else { format!("{name}_module") };
        let word = line.words().find(|word| memchr::memmem::find(word.text, bare.as_bytes()).is_some());
        let word = word.filter(|_| line.is_section()).ok_or("the section's name cannot be found")?;
        let at = memchr::memmem::find(word.text, bare.as_bytes()).unwrap_or(0);
        let start = word.span.start as usize + at;
        let edit = line.edit(start, start + bare.len(), right.clone().into_bytes());
        Ok(plan(format!("write `{right}`"), vec![edit]))
    }

    /// `upgrade=` of a balancer goes to its members.
    fn upgrade_members(&self, line: Line<'_>) -> Result<Vec<Plan>, String> {
        let elsewhere = "the members of the balancer cannot be found";
        let is_upgrade = |word: &Word<'_>| word.parameter().is_some_and(|one| one.value.is_some() && one.is(&["upgrade"]));
        // The balancer is named in the line, or by the section around it.
        let name = |line: Line<'_>| {
            line.words().find_map(|word| {
                let value = String::from_utf8_lossy(&word.value()).into_owned();
                let (scheme, rest) = value.split_once("://")?;
                let name = rest.split(['/', '?']).next().unwrap_or_default().to_ascii_lowercase();
                scheme.eq_ignore_ascii_case("balancer").then_some(name)
            })
        };
        let name = name(line).or_else(|| name(line.parent()?)).ok_or(elsewhere)?;
        let gateway = self.gateway();
        let is_it = |index: &u32| gateway.texts.get(gateway.upstream(UpstreamId(*index)).name) == name.as_bytes();
        let found: Vec<u32> = (0..u32::try_from(gateway.upstreams.len()).unwrap_or(u32::MAX)).filter(is_it).collect();
        let mut edits = Vec::new();
        let mut count = 0;
        for index in found {
            for member in gateway.balanced.get(&UpstreamId(index)).into_iter().flatten() {
                let wanted = Wanted { upgrade: member.protocol.is_http(), ..Wanted::default() };
                edits.extend(set(self.line_at(member.span).ok_or(elsewhere)?, wanted)?);
                count += 1;
            }
        }
        if count == 0 {
            return Err(elsewhere.to_owned());
        }
        let mut before = line.edit(0, 0, Vec::new()).span;
        let mut taken = 0;
        let words: Vec<Word<'_>> = line.words().collect();
        for (index, word) in words.iter().enumerate().filter(|(_, word)| is_upgrade(word)) {
            before.start = if index == 0 { word.span.start } else { words[index - 1].span.end };
            before.end = word.span.end;
            edits.push(Edit { span: before, text: Vec::new() });
            taken += 1;
        }
        // Nothing is left of `ProxySet upgrade=websocket`.
        let names_it = words.iter().any(|word| memchr::memmem::find(&word.value(), b"://").is_some());
        if taken == words.len() || line.name() == b"proxyset" && names_it && taken + 1 == words.len() {
            edits.truncate(edits.len() - taken);
            edits.push(line.remove());
        }
        Ok(plan("write `upgrade=websocket` at the members".to_owned(), edits))
    }
}

fn plan(title: String, edits: Vec<Edit>) -> Vec<Plan> {
    vec![Plan { title, edits }]
}

/// Quotes as typesetters have them, which stand around words, in the form that httpd knows.
fn straight_quotes(line: Line<'_>) -> Option<Vec<Plan>> {
    let bare = |word: &Word<'_>| {
        let text = std::str::from_utf8(word.text).ok()?;
        let inside = text.trim_matches(|c| ('\u{2018}'..='\u{201f}').contains(&c));
        let is_quoted = inside.len() < text.len() && !inside.contains(['"', '\\']);
        is_quoted.then(|| Edit { span: word.span, text: format!("\"{inside}\"").into_bytes() })
    };
    let edits: Vec<Edit> = line.words().filter_map(|word| bare(&word)).collect();
    (!edits.is_empty()).then(|| plan("write `\"` for the quotes".to_owned(), edits))
}

/// `ProxyPass "/" "http://b:9000"`: what is behind the slash is glued to the port, so that no request gets through.
fn part_path(line: Line<'_>) -> Result<Vec<Plan>, String> {
    let unknown = || "what the address is to be is for you to say".to_owned();
    if line.name() != b"proxypass" {
        return Err(unknown());
    }
    let words: Vec<Word<'_>> = line.words().collect();
    let is_url = |word: &&Word<'_>| memchr::memmem::find(&word.value(), b"://").is_some();
    let word = words.iter().find(is_url).filter(|word| word.is_plain()).ok_or_else(unknown)?;
    let url = String::from_utf8_lossy(&word.value()).into_owned();
    let bare = url.split_once("://").is_some_and(|(_, rest)| !rest.is_empty() && !rest.contains(['/', '?', '$', '%']));
    if !bare {
        return Err(unknown());
    }
    Ok(plan(format!("write `{url}/`"), vec![word.replace(&format!("{url}/"))]))
}

/// Plain seconds in the place of a duration whose unit is ignored.
fn in_seconds(line: Line<'_>, written: &str, meant: Millis) -> Result<Vec<Plan>, String> {
    let unknown = "what the duration is to be is for you to say";
    if meant.0 == 0 || !meant.0.is_multiple_of(1000) {
        return Err(unknown.to_owned());
    }
    let seconds = (meant.0 / 1000).to_string();
    let word = line.words().find(|word| {
        let value = word.parameter().map_or(word.text, |parameter| parameter.value.unwrap_or(parameter.name));
        value == written.as_bytes()
    });
    let word = word.ok_or("the duration is written in another line")?;
    let at = memchr::memmem::rfind(word.text, written.as_bytes()).ok_or(unknown)?;
    let start = word.span.start + u32::try_from(at).unwrap_or(u32::MAX);
    let span = Span::new(word.span.source, start, start + u32::try_from(written.len()).unwrap_or(u32::MAX));
    Ok(plan(format!("write `{seconds}`"), vec![Edit { span, text: seconds.into_bytes() }]))
}

/// `%{HTTP_UPGRADE}`: a header is named behind a colon.
fn name_header(line: Line<'_>, name: &str) -> Result<Vec<Plan>, String> {
    let unknown = || "which variable is meant is for you to say".to_owned();
    let (header, word) = match name.to_ascii_uppercase().as_str() {
        "HTTP_UPGRADE" => ("Upgrade", "websocket"),
        "HTTP_CONNECTION" => ("Connection", "upgrade"),
        _ => return Err(unknown()),
    };
    let subject = line.word(0).filter(|_| line.name() == b"rewritecond").ok_or_else(unknown)?;
    let is_it = subject.value().eq_ignore_ascii_case(format!("%{{{name}}}").as_bytes());
    let negated = line.word(1).is_some_and(|word| word.value().starts_with(b"!"));
    if !is_it || negated {
        return Err(unknown());
    }
    // The condition never held, so nobody knows whether its pattern does.
    let mut edits = vec![subject.replace(&format!("%{{HTTP:{header}}}"))];
    edits.extend(loosened(line, word)?);
    Ok(plan(format!("write `%{{HTTP:{header}}}`"), edits))
}

/// A rule to `ws://` that is to pass requests on.
fn pass_on(line: Line<'_>) -> Result<Vec<Plan>, String> {
    let Some(word) = line.word(2) else { return Ok(plan("write `[P,L]`".to_owned(), vec![line.append(" [P,L]")?])) };
    let value = word.value();
    let known = flags(&value).ok_or("its flags cannot be read")?;
    // Both win over `P`.
    let is_other = |one: &Parameter<'_>| one.is(&["R", "redirect", "PT", "passthrough"]);
    if !known.iter().any(is_other) {
        let edit = with_flag(line, "P", true)?.ok_or("nothing is left to write for it")?;
        return Ok(plan("write the flag `P`".to_owned(), vec![edit]));
    }
    let inside = String::from_utf8_lossy(&value[1..value.len() - 1]).into_owned();
    let kept = inside.split(',').map(str::trim).filter(|flag| !is_other(&parameter(flag.as_bytes())));
    let flags = std::iter::once("P").chain(kept).collect::<Vec<_>>().join(",");
    Ok(plan("write the flag `P`".to_owned(), vec![word.replace(&format!("[{flags}]"))]))
}

/// Takes out a line that says again, word for word, what one before it says.
fn remove_copy(line: Line<'_>) -> Result<Vec<Plan>, String> {
    let words = |line: Line<'_>| line.words().map(|word| word.value().into_owned()).collect::<Vec<_>>();
    let mut before = line.siblings().take_while(|other| other.id < line.id);
    if line.is_section() || !before.any(|other| other.name() == line.name() && words(other) == words(line)) {
        return Err("which is to stay is for you to say".to_owned());
    }
    Ok(plan("remove the second one".to_owned(), vec![line.remove()]))
}
