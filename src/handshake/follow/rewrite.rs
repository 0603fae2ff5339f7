//! The rewrite phase: a program, step by step (`ngx_http_rewrite_handler`, `ngx_http_script.c`).

use super::following::{Following, Next};
use super::uri;
use crate::gateway::{Act, Condition, Known, Part, RouteId, ScopeId, SymbolicId, Target, Test, TextId, Then, Unknown, Variable};
use crate::handshake::select::holds;
use crate::source::Span;

impl Following<'_> {
    /// Carries out the steps of the level `scope`; `None`: the request goes on, and whether its path has changed is set.
    pub(super) fn run(&mut self, scope: ScopeId) -> Known<Option<Next>> {
        let gateway = self.gateway;
        let Some(program) = gateway.programs.get(scope) else { return Ok(None) };
        let mut at = 0;
        while let Some(step) = program.steps.get(at) {
            at += 1;
            match step.act {
                Act::Set { name, value } => {
                    let value = self.environment().evaluate(value)?;
                    if gateway.texts.get(name) == b"args" {
                        // `ngx_http_variable_set_args`.
                        self.request.query = Some(value);
                        self.unparsed = false;
                    } else {
                        self.followed.assign(name, value);
                    }
                }
                Act::If { condition, scope, route, otherwise } => {
                    if self.is_met(&condition)? {
                        self.note(Some(step.span), "its condition holds");
                        self.enter_if(scope, route, step.span)?;
                    } else {
                        at = otherwise as usize;
                    }
                }
                Act::Rewrite { pattern, replacement, keeps_query, then } => {
                    let path = self.request.path.clone();
                    if !self.capture(pattern, false, &path, step.span)? {
                        continue;
                    }
                    if let Then::Redirect(status) = then {
                        let location = self.redirected(replacement, keeps_query)?;
                        self.note(Some(step.span), format!("the client is sent to `{location}`"));
                        self.location = Some(location);
                        return Ok(Some(Next::Status(status)));
                    }
                    self.rewritten(replacement, keeps_query)?;
                    if self.request.path.is_empty() {
                        self.note(Some(step.span), "the path is rewritten to nothing");
                        return Ok(Some(Next::Status(500)));
                    }
                    self.note(Some(step.span), format!("the path becomes `{}`", self.with_query(&self.request.path)));
                    self.internal = true;
                    self.unparsed = false;
                    self.changed = then != Then::Break;
                    match then {
                        Then::Next => {}
                        Then::Break => {
                            self.in_location = false;
                            return Ok(None);
                        }
                        Then::Last | Then::Redirect(_) => return Ok(None),
                    }
                }
                Act::Return { status, text } => return Ok(Some(self.answered(step.span, status, text)?)),
                Act::Break => {
                    if std::mem::take(&mut self.changed) {
                        self.in_location = false;
                    }
                    return Ok(None);
                }
                Act::Unknown(why) => return Err(why),
            }
        }
        Ok(None)
    }

    fn is_met(&self, condition: &Condition) -> Known<bool> {
        if let Ok(Test::Pattern { pattern, ignore_case }) = condition.test {
            let subject = self.environment().evaluate(condition.subject)?;
            let matches = self.capture(pattern, ignore_case, &subject, condition.span)?;
            return Ok(matches != condition.negated);
        }
        holds(&self.environment(), condition)
    }

    /// Matches a pattern and keeps what it captures: by number, and as variables where groups have names.
    fn capture(&self, pattern: TextId, ignore_case: bool, text: &str, span: Span) -> Known<bool> {
        let captures = self.environment().captures(pattern, ignore_case, text, span)?;
        let matches = captures.is_some();
        match captures {
            Some(captures) => {
                self.followed.keep(captures, self.view.patterns.names(&self.gateway.texts, pattern, ignore_case));
            }
            None => self.followed.forget_captures(),
        }
        Ok(matches)
    }

    /// The settings of an `if` count from now on (`ngx_http_script_if_code`); what it does not set, it has from its location.
    fn enter_if(&mut self, scope: Option<ScopeId>, own: Option<RouteId>, span: Span) -> Known<()> {
        let Some(scope) = scope else { return Ok(()) };
        self.followed.scope = scope;
        match own {
            Some(route) => (self.handler, self.handled_by_nothing) = (Some(route), None),
            // Another `if` has passed the request on, and its handler stays (`ngx_http_update_location_config`); it passes on to what
            // the location names, or finds no upstream.
            None if self.handler != self.route => match self.route.map(|route| &self.gateway.route(route).target) {
                Some(Target::Proxy(_)) => self.handler = self.route,
                Some(Target::Files) => self.handled_by_nothing = Some(span),
                _ => return Err(Unknown::Unmodelled(span)),
            },
            None => {}
        }
        Ok(())
    }

    /// The new path and query (`ngx_http_script_regex_end_code`): a `?` that is written parts them.
    fn rewritten(&mut self, replacement: SymbolicId, keeps_query: bool) -> Known<()> {
        let mut path = String::new();
        let mut query: Option<String> = None;
        for (part, text) in self.environment().parts(replacement)? {
            match (part, &mut query) {
                (Part::Text(_), None) => match text.split_once('?') {
                    Some((before, behind)) => {
                        path.push_str(before);
                        query = Some(behind.to_owned());
                    }
                    None => path.push_str(&text),
                },
                (_, None) => path.push_str(&text),
                (Part::Variable(Variable::Capture(_)), Some(query)) if self.escaped => query.push_str(&uri::escape_query(&text)),
                (_, Some(query)) => query.push_str(&text),
            }
        }
        let kept = self.request.query.take().filter(|query| keeps_query && !query.is_empty());
        self.request.query = match (query, kept) {
            (Some(query), Some(kept)) => Some(format!("{query}&{kept}")),
            (query, kept) => query.or(kept),
        };
        self.request.path = path;
        Ok(())
    }

    /// Where a `rewrite … redirect` sends the client.
    fn redirected(&mut self, replacement: SymbolicId, keeps_query: bool) -> Known<String> {
        let mut location = String::new();
        let mut has_query = false;
        for (part, text) in self.environment().parts(replacement)? {
            match part {
                Part::Variable(Variable::Capture(_)) if self.escaped => location.push_str(&uri::escape_query(&text)),
                _ => location.push_str(&text),
            }
            has_query |= matches!(part, Part::Text(_)) && text.contains('?');
        }
        let mut location = uri::unescape_redirect(&location);
        if let Some(query) = self.request.query.as_deref().filter(|query| keeps_query && !query.is_empty()) {
            location.push(if has_query { '&' } else { '?' });
            location.push_str(query);
        }
        Ok(location)
    }

    /// `ngx_http_script_return_code`.
    fn answered(&mut self, span: Span, status: u16, text: Option<SymbolicId>) -> Known<Next> {
        // The client takes it for no answer, and waits for one.
        if status == 100 {
            return Err(Unknown::Unmodelled(span));
        }
        self.note(Some(span), format!("answers {status}"));
        // An empty text is none.
        let text = text.filter(|text| self.gateway.symbolics.literal(*text, &self.gateway.texts) != Some(b""));
        Ok(match (status, text) {
            (444, None) => Next::Answer(444),
            (301..=303 | 307 | 308, text) => {
                // Where the client is sent may depend on the moment; that it is sent does not.
                self.location = match text {
                    Some(text) => self.environment().evaluate(text).ok(),
                    None => Some(String::new()),
                };
                Next::Status(status)
            }
            (..400, _) | (_, Some(_)) => Next::Answer(status),
            _ => Next::Status(status),
        })
    }
}
