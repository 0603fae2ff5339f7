//! Locations: modifiers, nesting, and what is there twice (`ngx_http_core_location`, `ngx_http_add_location`).

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::value::Refused;
use super::{Checker, Context, Level, show};
use crate::gateway::{Fault, Refusal};
use crate::nginx::line::Line;
use crate::source::Span;

/// How a location's name is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Compared {
    /// It is the path's beginning.
    #[default]
    Prefix,
    /// It is the whole path.
    Exact,
    /// It is a regular expression.
    Pattern,
    /// It is a name.
    Named,
}

/// The location that a level is, and the locations in it.
#[derive(Default)]
pub(super) struct Place<'a> {
    compared: Option<Compared>,
    name: Cow<'a, [u8]>,
    /// Whether `alias` (or else `root`) was set here.
    pub(super) root: Option<bool>,
    /// The prefix and exact locations directly inside.
    inside: FxHashMap<(Compared, Cow<'a, [u8]>), Span>,
    twice: Vec<Refusal>,
    /// The location that is about to be entered.
    next: Option<(Compared, Cow<'a, [u8]>)>,
}

impl Place<'_> {
    /// Whether a URI in `proxy_pass` would have nothing to replace.
    pub(super) fn takes_no_uri(&self, context: Option<Context>) -> bool {
        matches!(context, Some(Context::LocationIf | Context::LimitExcept))
            || matches!(self.compared, Some(Compared::Pattern | Compared::Named))
    }

    pub(super) fn is_named(&self) -> bool {
        self.compared == Some(Compared::Named)
    }
}

impl<'a> Checker<'a> {
    /// The head of a `location`.
    pub(super) fn location(&mut self, line: Line<'a>) -> Result<(), Refused> {
        let fault = |message: String| Err((Fault::Value, message));
        let mut words = line.words();
        let (compared, name) = match (words.next(), words.next(), words.next()) {
            (Some(modifier), Some(name), None) => match modifier.value().as_ref() {
                b"=" => (Compared::Exact, name.value()),
                b"^~" => (Compared::Prefix, name.value()),
                b"~" | b"~*" => (Compared::Pattern, name.value()),
                other => return fault(format!("invalid location modifier \"{}\"", show(other))),
            },
            (Some(name), None, _) => split(name.value()),
            _ => return Ok(()),
        };
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let outer = &level.place;
        if level.context == Some(Context::Location) {
            let (own, around) = (show(&name), show(&outer.name));
            match outer.compared {
                Some(Compared::Exact) => {
                    return fault(format!("location \"{own}\" cannot be inside the exact location \"{around}\""));
                }
                Some(Compared::Named) => {
                    return fault(format!("location \"{own}\" cannot be inside the named location \"{around}\""));
                }
                _ => {}
            }
            if compared == Compared::Named {
                return fault(format!("named location \"{own}\" can be on the server level only"));
            }
            let is_inside = name.starts_with(&outer.name);
            // The text of a pattern is compared as that of a prefix is.
            if compared != Compared::Pattern && matches!(outer.compared, Some(Compared::Prefix | Compared::Pattern)) && !is_inside
            {
                return fault(format!("location \"{own}\" is outside location \"{around}\""));
            }
        }
        if compared == Compared::Pattern {
            super::pattern::compile(&name)?;
        }
        if matches!(compared, Compared::Prefix | Compared::Exact) {
            let key = (compared, name.clone());
            if let Some(&first) = level.place.inside.get(&key) {
                let message = format!("duplicate location \"{}\"", show(&name));
                let mut refusal = Refusal::new(line.span(), Fault::DuplicateLocation, message);
                refusal.labels.push((first, "the same location".to_owned()));
                level.place.twice.push(refusal);
            } else {
                level.place.inside.insert(key, line.span());
            }
        }
        level.place.next = Some((compared, name));
        Ok(())
    }

    /// A block was opened: it is the location whose head was read.
    pub(super) fn entered(&mut self, line: Line<'a>) {
        if line.name() != b"location" {
            return;
        }
        let next = self.levels.iter_mut().rev().nth(1).and_then(|level| level.place.next.take());
        if let (Some((compared, name)), Some(level)) = (next, self.levels.last_mut()) {
            (level.place.compared, level.place.name) = (Some(compared), name);
        }
    }

    /// What nginx says of a block when all of it is read.
    pub(super) fn close(&mut self, mut level: Level<'a>) {
        self.close_referers(&mut level);
        let Level { context, head, place, trust, members, open, slots, buffers, .. } = level;
        self.close_buffers(buffers, context, open);
        if context == Some(Context::Server) && !open && !self.http.header_row.is_some_and(|row| slots.has(row)) {
            self.http.inherits_headers = true;
        }
        if let Some(around) = self.levels.last_mut() {
            // Something unseen may bring the certificate.
            if !open {
                trust.close_into(&mut around.trust);
            }
        }
        if let Some(head) = head
            && context.is_some_and(|context| matches!(context, Context::Upstream | Context::StreamUpstream))
            && members.first == 0
            && !open
            && !head.is_in_template()
        {
            let name = head.word(0).map(|word| show(&word.value()).into_owned()).unwrap_or_default();
            if members.backup == 0 {
                self.refuse(head.span(), Fault::Value, "no servers are inside upstream".to_owned());
            } else {
                let message = format!("no servers in upstream \"{name}\"");
                self.http.twice(vec![Refusal::new(head.span(), Fault::Value, message)]);
            }
        }
        // The trees of locations are built when all of `http` is read.
        if !place.twice.is_empty() && !head.is_some_and(Line::is_in_template) {
            self.http.twice(place.twice);
        }
    }
}

/// A location written as one word: `=/x`, `^~/x`, `~x`, `@x` or `/x`.
fn split(text: Cow<'_, [u8]>) -> (Compared, Cow<'_, [u8]>) {
    let rest = |count: usize| match &text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[count..]),
        Cow::Owned(text) => Cow::Owned(text[count..].to_vec()),
    };
    match text.as_ref() {
        [b'=', ..] => (Compared::Exact, rest(1)),
        [b'^', b'~', ..] => (Compared::Prefix, rest(2)),
        [b'~', b'*', ..] => (Compared::Pattern, rest(2)),
        [b'~', ..] => (Compared::Pattern, rest(1)),
        [b'@', ..] => (Compared::Named, text),
        _ => (Compared::Prefix, text),
    }
}
