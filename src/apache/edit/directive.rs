//! The edits for single directives: what httpd refuses, or reads otherwise than it was meant.

use super::Editor;
use super::line::Line;
use super::rewrite::{loosened, with_flag};
use crate::apache::values::flags;
use crate::gateway::{Fault, Millis, Misreading, Refusal, Remark, RemarkKind};
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
            _ => Err("no edit is known for it".to_owned()),
        }
    }

    /// The edits for what is refused.
    pub(super) fn refusal(&self, refusal: &Refusal) -> Result<Vec<Plan>, String> {
        let line = self.line_at(refusal.span).filter(|line| !line.is_holed()).ok_or("no edit is known for it")?;
        match refusal.fault {
            Fault::Duplicate => remove_copy(line),
            Fault::Duration => Err("what the duration is to be is for you to say".to_owned()),
            Fault::Address => Err("what the address is to be is for you to say".to_owned()),
            _ => Err("no edit is known for it".to_owned()),
        }
    }
}

fn plan(title: String, edits: Vec<Edit>) -> Vec<Plan> {
    vec![Plan { title, edits }]
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
    let is_redirect = |one: &crate::apache::values::Parameter<'_>| one.is(&["R", "redirect"]);
    if !known.iter().any(is_redirect) {
        let edit = with_flag(line, "P", true)?.ok_or("nothing is left to write for it")?;
        return Ok(plan("write the flag `P`".to_owned(), vec![edit]));
    }
    let inside = String::from_utf8_lossy(&value[1..value.len() - 1]).into_owned();
    let kept = inside.split(',').map(str::trim).filter(|flag| {
        let name = flag.split('=').next().unwrap_or_default();
        !name.eq_ignore_ascii_case("R") && !name.eq_ignore_ascii_case("redirect")
    });
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
