//! The directives of the rewrite phase, `try_files` and `limit_except`: the programs of sites and locations.

use super::line::{Line, Word};
use super::site::returned_status;
use super::{Level, Lowerer};
use crate::gateway::{Act, Candidate, Fallback, LimitExcept, Program, RouteId, ScopeId, Step, Target, Then, TryFiles, Unknown};
use crate::nginx::values;
use crate::source::Span;

impl Lowerer<'_> {
    /// The level whose program the present one belongs to: an `if` writes into that of the level around it (`ngx_http_rewrite_if`).
    fn owner(&self) -> Option<ScopeId> {
        self.levels.iter().rev().find(|level| level.opened_by.is_none()).and_then(|level| level.scope)
    }

    /// The program of the level `scope`.
    pub(super) fn program(&mut self, scope: ScopeId) -> &mut Program {
        self.gateway.programs.of(scope)
    }

    /// Takes note of a directive that is a step of the rewrite phase, or looks for files. Returns whether it is one.
    pub(super) fn step(&mut self, line: Line<'_>) -> bool {
        let act = match line.name() {
            b"set" => self.set(line),
            b"rewrite" => self.rewrite(line),
            b"return" => self.answer(line),
            b"break" => Some(Act::Break),
            b"try_files" => {
                if let Some(scope) = self.owner() {
                    let branch = self.branch();
                    let mut try_files = self.try_files(line);
                    if let (Some(tag), Some(try_files)) = (branch, &mut try_files) {
                        try_files.fallback = Fallback::Unknown(Unknown::TemplateHole(tag));
                    }
                    self.program(scope).try_files = try_files.map(Box::new);
                }
                return true;
            }
            _ => return false,
        };
        if let (Some(scope), Some(act)) = (self.owner(), act) {
            // What is said beside a status may be anything.
            let first = if matches!(act, Act::Return { .. }) { 1 } else { usize::MAX };
            let hole = line.words().take(first).find(|word| word.is_holed()).map(|word| word.span);
            let hole = hole.or(self.branch().filter(|_| !matches!(act, Act::Set { .. })));
            let act = hole.map_or(act, |span| Act::Unknown(Unknown::TemplateHole(span)));
            self.program(scope).steps.push(Step { span: line.span(), act });
        }
        true
    }

    /// Begins an `if`, whose level is the innermost: the steps behind it are under its condition.
    pub(super) fn begin_if(&mut self, line: Line<'_>) {
        let condition = self.condition(line);
        let Some(Level { scope, .. }) = self.levels.last() else { return };
        let scope = *scope;
        let owner = self.levels.iter().rev().skip(1).find(|level| level.opened_by.is_none()).and_then(|level| level.scope);
        let Some(owner) = owner else { return };
        let steps = &mut self.program(owner).steps;
        let at = steps.len();
        steps.push(Step { span: line.span(), act: Act::If { condition, scope, route: None, otherwise: u32::MAX } });
        if let Some(level) = self.levels.last_mut() {
            level.opened_by = Some((owner, at));
        }
    }

    /// Ends an `if`: `own` is its route, where it passes requests on itself.
    pub(super) fn end_if(&mut self, owner: ScopeId, at: usize, own: Option<RouteId>) {
        let steps = &mut self.program(owner).steps;
        let end = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        if let Some(Step { act: Act::If { otherwise, route, .. }, .. }) = steps.get_mut(at) {
            *otherwise = end;
            *route = own;
        }
    }

    /// Takes note of a `limit_except` whose level is the innermost.
    pub(super) fn begin_limit_except(&mut self, line: Line<'_>, route: RouteId) {
        let mut outside = self.levels.iter().rev().filter_map(|level| level.scope);
        let (Some(scope), Some(owner)) = (outside.next(), outside.next()) else { return };
        let methods = line.words().map(|word| self.gateway.texts.intern(&word.value().to_ascii_uppercase())).collect();
        self.program(owner).limit_except = Some(Box::new(LimitExcept { span: line.span(), methods, scope, route: Some(route) }));
    }

    /// What is answered before anything is passed on counts for the methods of a `limit_except` only: ends the location `route`.
    pub(super) fn end_location(&mut self, route: RouteId) {
        let place = &mut self.gateway.routes[route.0 as usize];
        if let Some(program) = self.gateway.programs.get_mut(place.scope)
            && program.limit_except.is_some()
            && let Some(proxy) = program.beside.take()
        {
            place.target = Target::Proxy(*proxy);
        }
    }

    /// Whether nothing before this line keeps a `return` of its level from being reached.
    pub(super) fn is_reached(&self) -> bool {
        let program = self.owner().and_then(|scope| self.gateway.programs.get(scope));
        let inside = self.levels.last().is_some_and(|level| level.opened_by.is_some());
        !inside
            && self.branch().is_none()
            && program.is_none_or(|program| program.steps.iter().all(|step| matches!(step.act, Act::Set { .. })))
    }

    /// The tag of a template that may leave out what stands here in its block.
    fn branch(&self) -> Option<Span> {
        self.levels.last().filter(|level| level.branch.open > 0).and_then(|level| level.branch.tag)
    }

    fn set(&mut self, line: Line<'_>) -> Option<Act> {
        let (name, value) = (line.word(0)?, line.word(1)?);
        let name = name.value();
        let name = self.gateway.texts.intern_lower(name.strip_prefix(b"$")?);
        Some(Act::Set { name, value: self.symbolic(value) })
    }

    /// `ngx_http_rewrite`.
    fn rewrite(&mut self, line: Line<'_>) -> Option<Act> {
        let (pattern, replacement) = (line.word(0)?, line.word(1)?);
        let pattern = self.gateway.texts.intern(&pattern.value());
        let value = replacement.value();
        let is_url = value.starts_with(b"http://") || value.starts_with(b"https://") || value.starts_with(b"$scheme");
        // A final `?` drops the query of the request.
        let (kept, keeps_query) = value.strip_suffix(b"?").map_or((value.as_ref(), true), |kept| (kept, false));
        let replacement = self.symbolic_of(replacement, kept);
        let flag = line.word(2).map(Word::value);
        let then = match flag.as_deref() {
            Some(b"permanent") => Then::Redirect(301),
            Some(b"redirect") => Then::Redirect(302),
            _ if is_url => Then::Redirect(302),
            Some(b"last") => Then::Last,
            Some(b"break") => Then::Break,
            _ => Then::Next,
        };
        Some(Act::Rewrite { pattern, replacement, keeps_query, then })
    }

    /// `ngx_http_rewrite_return`.
    fn answer(&mut self, line: Line<'_>) -> Option<Act> {
        let first = line.word(0)?;
        let status = returned_status(line)?;
        // `return URL`: the status is not written.
        let written = first.value().iter().all(u8::is_ascii_digit);
        let text = if written { line.word(1) } else { Some(first) };
        Some(Act::Return { status, text: text.map(|word| self.symbolic(word)) })
    }

    /// `ngx_http_try_files`.
    fn try_files(&mut self, line: Line<'_>) -> Option<TryFiles> {
        let words: Vec<_> = line.words().collect();
        let (last, candidates) = words.split_last()?;
        let value = last.value();
        let fallback = match value.strip_prefix(b"=") {
            _ if last.is_holed() => Fallback::Unknown(Unknown::TemplateHole(last.span)),
            // `=0` is a path like any other.
            Some(status) => match values::port(status)? {
                0 => Fallback::Redirect(self.symbolic(*last)),
                status => Fallback::Status(status),
            },
            None => Fallback::Redirect(self.symbolic(*last)),
        };
        let candidates = candidates.iter().map(|word| {
            let value = word.value();
            let (path, directory) = value.strip_suffix(b"/").map_or((value.as_ref(), false), |path| (path, true));
            Candidate { path: self.symbolic_of(*word, path), directory }
        });
        let candidates = candidates.collect();
        Some(TryFiles { span: line.span(), candidates, fallback })
    }
}
