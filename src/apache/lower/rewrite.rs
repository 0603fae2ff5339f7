//! `RewriteCond`, `RewriteRule` and `RewriteOptions` of a server (`mod_rewrite.c`).

use super::Lowerer;
use super::mapping::Mapping;
use super::symbols::{rewrite_string, unknown};
use crate::apache::statement::Statement;
use crate::apache::values::{Parameter, flags, proxy_url};
use crate::apache::words::rewrite_arguments;
use crate::gateway::{Action, Condition, Known, Matcher, Rewrite, RouteId, Test, Unknown};
use crate::source::Span;

impl Lowerer<'_> {
    /// `RewriteCond string pattern [flags]`.
    pub(super) fn rewrite_cond(&mut self, statement: &Statement) {
        let span = statement.span(self.store);
        let (line, unseen) = self.resolved.arguments(self.store, statement);
        let Some(arguments) = rewrite_arguments(&line) else { return };
        let flags = arguments.flags.and_then(flags).unwrap_or_default();
        let ignore_case = flags.iter().any(|flag| flag.is(&["NC", "nocase"]));
        let or_next = flags.iter().any(|flag| flag.is(&["OR", "ornext"]));
        let (negated, pattern) = arguments.object.strip_prefix(b"!").map_or((false, arguments.object), |pattern| (true, pattern));
        let is_expression = arguments.subject.eq_ignore_ascii_case(b"expr");
        let test = match unseen {
            Some(why) => Err(why),
            None if is_expression => Err(Unknown::Unmodelled(span)),
            None => self.condition_test(pattern, ignore_case, span),
        };
        let subject = match unseen {
            Some(why) => unknown(&mut self.gateway, why),
            None => rewrite_string(&mut self.gateway, arguments.subject, span),
        };
        let signals = self.signals_above(statement);
        let rewriting = &mut self.servers[self.server.0].rewriting;
        rewriting.present = true;
        rewriting.conditions.push(Condition { span, subject, test, negated, or_next });
        self.condition_signals.extend(signals);
    }

    /// What a condition tests for (`cmd_rewritecond`).
    fn condition_test(&mut self, pattern: &[u8], ignore_case: bool, span: Span) -> Known<Test> {
        match pattern {
            [b'=', text @ ..] => {
                // `=""` tests for the empty string.
                let text = if text == b"\"\"" { b"" } else { text };
                Ok(Test::Equals { text: self.gateway.texts.intern(text), ignore_case })
            }
            [b'-', b'd' | b'f' | b's' | b'l' | b'h' | b'L' | b'F' | b'U' | b'x'] => Err(Unknown::Environment),
            // Comparisons by order or number.
            [b'<' | b'>', ..] | [b'-', b'e' | b'n' | b'g' | b'l', b'q' | b'e' | b't'] => Err(Unknown::Unmodelled(span)),
            _ => Ok(Test::Pattern { pattern: self.gateway.texts.intern(pattern), ignore_case }),
        }
    }

    /// `RewriteRule pattern substitution [flags]`.
    pub(super) fn rewrite_rule(&mut self, statement: &Statement) {
        let span = statement.span(self.store);
        let (text, unseen) = self.resolved.arguments(self.store, statement);
        let at = self.server;
        let conditions = std::mem::take(&mut self.servers[at.0].rewriting.conditions);
        let mut signals = std::mem::take(&mut self.condition_signals);
        self.servers[at.0].rewriting.present = true;
        let Some(arguments) = rewrite_arguments(&text) else { return };
        let flags = arguments.flags.and_then(flags).unwrap_or_default();
        let effect = Effect::of(&flags, arguments.object, span);
        let (negated, pattern) =
            arguments.subject.strip_prefix(b"!").map_or((false, arguments.subject), |pattern| (true, pattern));
        let pattern = self.gateway.texts.intern(pattern);
        let substitution = match unseen {
            _ if arguments.object == b"-" => None,
            Some(why) => Some(unknown(&mut self.gateway, why)),
            None => Some(rewrite_string(&mut self.gateway, arguments.object, span)),
        };
        let mut mapping: Option<Mapping> = None;
        if effect.proxies && arguments.object != b"-" {
            self.signals_into(statement, &mut signals);
            let index = u32::try_from(self.servers[at.0].rewriting.rules.len()).unwrap_or(u32::MAX);
            let destination = self.rewrite_destination(span, arguments.object, unseen);
            let scope = self.servers[at.0].scope;
            mapping = Some(Mapping::to(destination, at.site(), Matcher::Rewrite(index), span, scope, signals));
        }
        let rule = Rewrite {
            span,
            conditions,
            pattern,
            ignore_case: flags.iter().any(|flag| flag.is(&["NC", "nocase"])),
            negated,
            substitution,
            // The route of a rule that proxies is known when all routes are.
            action: effect.action,
            last: effect.last,
            beyond: unseen.or(effect.beyond),
        };
        self.servers[at.0].rewriting.rules.push((rule, mapping));
    }

    /// `RewriteOptions`.
    pub(super) fn rewrite_options(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let rewriting = &mut self.servers[self.server.0].rewriting;
        rewriting.present = true;
        for word in words {
            match word.value.to_ascii_lowercase().as_slice() {
                b"inherit" => rewriting.options.inherit = Some(false),
                b"inheritbefore" => rewriting.options.inherit = Some(true),
                b"inheritdown" => rewriting.options.inherit_down = Some(false),
                b"inheritdownbefore" => rewriting.options.inherit_down = Some(true),
                b"ignoreinherit" => rewriting.options.ignore = true,
                _ => {}
            }
        }
    }
}

/// What the flags of a rule make of it (`cmd_rewriterule_setflag`, `apply_rewrite_rule`).
struct Effect {
    action: Action,
    proxies: bool,
    last: bool,
    beyond: Option<Unknown>,
}

impl Effect {
    fn of(flags: &[Parameter<'_>], substitution: &[u8], span: Span) -> Self {
        let mut effect = Self { action: Action::Continue, proxies: false, last: false, beyond: None };
        for flag in flags {
            if flag.is(&["P", "proxy"]) {
                effect.proxies = true;
            } else if flag.is(&["R", "redirect"]) {
                effect.action = redirect(flag.value);
            } else if flag.is(&["F", "forbidden"]) {
                effect.action = Action::Answer(403);
            } else if flag.is(&["G", "gone"]) {
                effect.action = Action::Answer(410);
            } else if flag.is(&["L", "last", "END", "PT", "passthrough"]) {
                effect.last = true;
            } else if flag.is(&["S", "skip", "C", "chain", "N", "next", "H", "handler"]) {
                effect.beyond = Some(Unknown::Unmodelled(span));
            }
        }
        if let Action::Answer(_) = effect.action {
            effect.last = true;
        }
        // A substitution with a scheme sends the client elsewhere, unless it is proxied.
        if effect.action == Action::Continue && !effect.proxies && proxy_url(substitution).is_some() {
            effect.action = Action::Redirect(302);
            effect.last = true;
        }
        if effect.proxies && !matches!(effect.action, Action::Answer(_)) {
            effect.action = if substitution == b"-" { Action::Continue } else { Action::Proxy(RouteId(u32::MAX)) };
            effect.last = true;
        }
        effect
    }
}

/// `R`, `R=301`, `R=permanent`; statuses that are no redirects are answered at once.
fn redirect(code: Option<&[u8]>) -> Action {
    let status = match code {
        None => 302,
        Some(name) if name.eq_ignore_ascii_case(b"permanent") => 301,
        Some(name) if name.eq_ignore_ascii_case(b"temp") => 302,
        Some(name) if name.eq_ignore_ascii_case(b"seeother") => 303,
        Some(number) => str::from_utf8(number).ok().and_then(|number| number.parse().ok()).unwrap_or(302),
    };
    if (300..400).contains(&status) { Action::Redirect(status) } else { Action::Answer(status) }
}
