//! Rewrite rules of sections and of directories, which run when the request is mapped already.

use super::areas::setting;
use super::backend::Asked;
use super::{Course, Mapped, Round};
use crate::gateway::{Area, Covers, Inherits, Known, Matcher, Rewrite, RewriteOptions, Unknown};
use crate::handshake::evaluate::Environment;
use crate::handshake::rewriting::{Rewritten, Subject, rewrite};

impl<'a> Course<'a> {
    /// Rules of sections: those of the last that has any, unless it takes the others' too (`hook_fixup`, `mod_rewrite.c`).
    pub(super) fn rewrite_in_areas(
        &mut self,
        areas: &[&'a Area],
        mapped: Mapped,
        is_subrequest: bool,
    ) -> Known<Result<Mapped, Round>> {
        let mut rules: Vec<&Rewrite> = Vec::new();
        let mut last: Option<&Area> = None;
        let mut options = RewriteOptions::default();
        let mut base = None;
        for area in areas {
            let Some(rewriting) = &area.rewriting else { continue };
            let outer = options;
            options = rewriting.options.unwrap_or(outer);
            let own = rewriting.rules.iter();
            match options.inherits(outer) {
                Some(Inherits::Before) => rules.extend(own),
                Some(Inherits::Behind) => {
                    let before = std::mem::take(&mut rules);
                    rules = own.chain(before).collect();
                }
                None => rules = own.collect(),
            }
            base = rewriting.base.or(base.filter(|_| options.merges_base));
            last = Some(area);
        }
        let on = areas.iter().rev().find_map(|area| self.engine(area)) == Some(true);
        // What is set for a whole server has no directory.
        let Some(area) = last.filter(|area| on && !matches!(area.covers, Covers::Everything)) else {
            return Ok(Ok(mapped));
        };
        let directory = self.directory_of(area);
        let file = match &mapped {
            Mapped::Backend(asked) => format!("proxy:{}", asked.url),
            Mapped::File(file) | Mapped::Nowhere(file) => self.on_disk(file)?,
        };
        // The directory itself, asked for without its slash.
        if !options.without_slash && directory.strip_suffix('/') == Some(&file) || !self.rewrites {
            return Ok(Ok(mapped));
        }
        if setting(areas, |settings| settings.follow_links) == Some(false) {
            return Ok(Err(Round::Done(self.answered(403, area.span, "rewriting here needs Options FollowSymLinks"))));
        }
        let path = match &mapped {
            Mapped::Backend(asked) => format!("proxy:{}", asked.url),
            Mapped::File(file) | Mapped::Nowhere(file) => file.clone(),
        };
        let mut notes = std::mem::take(&mut self.notes);
        let environment = Environment { notes: None, ..self.environment() };
        let subject =
            Subject { path: path.clone(), query: self.request.query.clone(), directory: Some(directory.clone()), is_subrequest };
        let rewritten = rewrite(&environment, &rules, subject, &mut notes);
        self.notes = notes;
        match rewritten? {
            Rewritten::Untouched { .. } => Ok(Ok(mapped)),
            Rewritten::Proxied { span, itself: true, .. } => Err(Unknown::Unmodelled(span)),
            Rewritten::Proxied { route, url, query, verbatim, span, .. } => {
                // What the mapping before it has noted stays (`proxy-nocanon`).
                let verbatim = verbatim || matches!(&mapped, Mapped::Backend(before) if before.verbatim);
                let asked = Asked { route, url, query, verbatim, span, as_handler: false };
                Ok(self.passed_by_rule(asked, None).map_err(Round::Done))
            }
            // Whatever failed before is forgotten (`hook_uri2file` sets the status back).
            Rewritten::Redirected { status, url, query, verbatim, span } => {
                self.failed = None;
                Ok(Err(Round::Done(self.redirect(status, &url, query, verbatim, span))))
            }
            Rewritten::Answered(status, span) => {
                self.failed = None;
                Ok(Err(Round::Done(self.answered(status, span, format!("answers {status}")))))
            }
            // What is to be mapped again is no more than a path here (`passthrough:`).
            Rewritten::Path { path: new, span, maps_again: true, .. } if !new.starts_with('/') => {
                Ok(Err(Round::Done(self.answered(400, span, format!("{new} is no path")))))
            }
            // It would be handled anew for ever.
            Rewritten::Path { path: new, query, status, is_new, .. } if new == file || !is_new => {
                self.keep_status(status, is_subrequest);
                self.request.query = query;
                Ok(Ok(mapped))
            }
            Rewritten::Path { path: new, span, .. } if !new.starts_with('/') => {
                Ok(Err(Round::Done(self.answered(400, span, format!("{new} is no path")))))
            }
            Rewritten::Path { path: new, query, span, ends, status, .. } => {
                self.keep_status(status, is_subrequest);
                self.step(Some(span), format!("rewrites to {new}"), false);
                let root = setting(areas, |settings| settings.document_root).and_then(Result::ok);
                let base = base.map(|base| self.gateway.texts.show(base).into_owned());
                let root = root.map(|root| self.gateway.texts.show(root).into_owned());
                let again = match (base, root) {
                    (Some(base), _) if let Some(rest) = new.strip_prefix(&directory) => {
                        format!("{}/{rest}", base.trim_end_matches('/'))
                    }
                    (_, Some(root)) if let Some(rest) = new.strip_prefix(&root) => rest.to_owned(),
                    _ => new,
                };
                Ok(Err(Round::Again(again, query, ends)))
            }
        }
    }

    /// Notes the status that rules have left behind: that of a request on behalf of another goes with it.
    pub(super) fn keep_status(&mut self, status: Option<u16>, is_subrequest: bool) {
        self.kept = status.filter(|_| !is_subrequest).or(self.kept);
    }

    /// Whether `RewriteEngine` is on or off in an area.
    pub(super) fn engine(&self, area: &Area) -> Option<bool> {
        use crate::gateway::{Assigned, Property};
        let entries = self.gateway.scopes.own(area.scope).filter(|entry| entry.property == Property::RewriteEngine);
        entries.last().and_then(|entry| match entry.assigned {
            Assigned::Flag(on) => Some(on),
            _ => None,
        })
    }

    /// The directory that rules of an area take off the path: what the section names, with a slash behind.
    pub(super) fn directory_of(&self, area: &Area) -> String {
        let texts = &self.gateway.texts;
        let text = match area.covers {
            Covers::Path(matcher) | Covers::Directory(matcher) | Covers::File(matcher) | Covers::Proxied(matcher) => {
                match matcher {
                    Matcher::Segments(text)
                    | Matcher::Exact(text)
                    | Matcher::Prefix { text, .. }
                    | Matcher::Pattern { pattern: text, .. } => texts.show(text).into_owned(),
                    _ => String::new(),
                }
            }
            Covers::Directories { written, .. } => texts.show(written).into_owned(),
            // Sections with a condition are called so (`ifsection`).
            Covers::Condition(_) => "*If".to_owned(),
            _ => String::new(),
        };
        if text.ends_with('/') { text } else { format!("{text}/") }
    }
}
