//! `RewriteCond`, `RewriteRule` and `RewriteOptions` of a server (`mod_rewrite.c`).

use super::Lowerer;
use super::expression::expression;
use super::mapping::Mapping;
use super::symbols::{rewrite_string, unknown};
use crate::apache::statement::Statement;
use crate::apache::values::{Parameter, flags};
use crate::apache::words::rewrite_arguments;
use crate::gateway::{
    Action, Change, Comparison, Condition, Covers, Escapes, FileTest, Flags, Inherits, Known, Matcher, Misreading, Order,
    QueryRule, RemarkKind, Rewrite, RouteId, SymbolicId, Test, TextId, Unknown,
};
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
        let is_expression = arguments.subject.eq_ignore_ascii_case(b"expr");
        let negation = arguments.object.strip_prefix(b"!");
        let (negated, pattern) = negation.map_or((false, arguments.object), |pattern| (true, pattern));
        let test = match unseen {
            Some(why) => Err(why),
            None if is_expression => Ok(Test::Condition(expression(&mut self.gateway, pattern, span))),
            None => self.condition_test(pattern, ignore_case),
        };
        let subject = match unseen {
            Some(why) => unknown(&mut self.gateway, why),
            None => rewrite_string(&mut self.gateway, arguments.subject, span),
        };
        if unseen.is_none() {
            self.note_empty_variable(arguments.subject, span);
        }
        let signals = self.signals_above(statement);
        self.condition_signals.extend(signals);
        let condition = Condition { span, subject, test, negated, or_next };
        self.rewriting_here();
        match self.area_mut() {
            Some(area) => area.conditions.push(condition),
            None => self.servers[self.server.0].rewriting.conditions.push(condition),
        }
    }

    /// Headers of a handshake that are asked for as `%{HTTP_UPGRADE}`: of headers only a few have such a variable (`lookup_variable`).
    fn note_empty_variable(&mut self, subject: &[u8], span: Span) {
        let upper = subject.to_ascii_uppercase();
        let wanted = ["HTTP_UPGRADE", "HTTP_CONNECTION", "HTTP_SEC_WEBSOCKET_KEY", "HTTP_SEC_WEBSOCKET_VERSION"];
        let found = wanted.iter().find(|name| memchr::memmem::find(&upper, format!("%{{{name}}}").as_bytes()).is_some());
        if let Some(name) = found {
            self.gateway.remark(span, RemarkKind::Misread { how: Misreading::EmptyVariable, text: (*name).to_owned() });
        }
    }

    /// What a condition tests for (`cmd_rewritecond`).
    fn condition_test(&mut self, pattern: &[u8], ignore_case: bool) -> Known<Test> {
        // Of two texts the shorter is the lesser (`compare_lexicography`), unless case is ignored.
        let ordered = |order| if ignore_case { Comparison::Folded(order) } else { Comparison::Measured(order) };
        let mut compares = |comparison, text: &[u8]| Ok(Test::Compares(comparison, self.gateway.texts.intern(text)));
        match pattern {
            [_] => Ok(Test::Pattern { pattern: self.gateway.texts.intern(pattern), ignore_case }),
            [b'=', text @ ..] => {
                // `=""` tests for the empty string.
                let text = if text == b"\"\"" { b"" } else { text };
                Ok(Test::Equals { text: self.gateway.texts.intern(text), ignore_case })
            }
            [b'-', b'f'] => Ok(Test::File(FileTest::File)),
            [b'-', b'd'] => Ok(Test::File(FileTest::Directory)),
            // A size, a link or a permission: what is not there has none.
            [b'-', b's' | b'l' | b'h' | b'L' | b'x'] => Ok(Test::File(FileTest::Executable)),
            // Whether a URL can be reached.
            [b'-', b'F' | b'U'] => Err(Unknown::Environment),
            [b'<', b'=', text @ ..] => compares(ordered(Order::LessOrEqual), text),
            [b'>', b'=', text @ ..] => compares(ordered(Order::GreaterOrEqual), text),
            [b'<', text @ ..] => compares(ordered(Order::Less), text),
            [b'>', text @ ..] => compares(ordered(Order::Greater), text),
            [b'-', a, b, _, ..] if let Some(order) = super::expression::numeric_order(&[*a, *b]) => {
                compares(Comparison::Number(order), &pattern[3..])
            }
            _ => Ok(Test::Pattern { pattern: self.gateway.texts.intern(pattern), ignore_case }),
        }
    }

    /// `RewriteRule pattern substitution [flags]`.
    pub(super) fn rewrite_rule(&mut self, statement: &Statement) {
        let span = statement.span(self.store);
        let (text, unseen) = self.resolved.arguments(self.store, statement);
        let at = self.server;
        let mut signals = std::mem::take(&mut self.condition_signals);
        self.rewriting_here();
        let area = self.area_mut().map(|area| (area.index, std::mem::take(&mut area.conditions)));
        let (area, conditions) = match area {
            Some((index, conditions)) => (Some(index), conditions),
            None => (None, std::mem::take(&mut self.servers[at.0].rewriting.conditions)),
        };
        let Some(arguments) = rewrite_arguments(&text) else { return };
        let flags = arguments.flags.and_then(flags).unwrap_or_default();
        let effect = Effect::of(&flags, arguments.object);
        let (negated, pattern) =
            arguments.subject.strip_prefix(b"!").map_or((false, arguments.subject), |pattern| (true, pattern));
        let pattern = self.gateway.texts.intern(pattern);
        let written = match effect.flags.query {
            QueryRule::Drop => arguments.object.strip_suffix(b"?").unwrap_or(arguments.object),
            _ => arguments.object,
        };
        let substitution = match unseen {
            _ if arguments.object == b"-" => None,
            Some(why) => Some(unknown(&mut self.gateway, why)),
            None => Some(rewrite_string(&mut self.gateway, written, span)),
        };
        let index = match area {
            Some(area) => self.servers[at.0].areas[area].rewriting.as_ref().map_or(0, |rewriting| rewriting.rules.len()),
            None => self.servers[at.0].rewriting.rules.len(),
        };
        let mut mapping: Option<Mapping> = None;
        if matches!(effect.action, Action::Proxy(_)) {
            self.signals_into(statement, &mut signals);
            let destination = self.rewrite_destination(span, arguments.object, unseen);
            let (scope, matcher) = match area {
                Some(area) => {
                    let area = &self.servers[at.0].areas[area];
                    let matcher = match area.covers {
                        Covers::Path(matcher) => matcher,
                        _ => Matcher::Unknown(Unknown::Unmodelled(area.span)),
                    };
                    (area.scope, matcher)
                }
                None => (self.servers[at.0].scope, Matcher::Rewrite(u32::try_from(index).unwrap_or(u32::MAX))),
            };
            mapping = Some(Mapping::to(destination, at.site(), matcher, span, scope, signals));
        }
        // Without `P` a URL is one to send the client to, and no browser follows a redirect to `ws://`.
        let is_answered = matches!(effect.action, Action::Answer(_) | Action::Proxy(_));
        let colon = memchr::memmem::find(arguments.object, b"://");
        let scheme = arguments.object[..colon.unwrap_or(0)].to_ascii_lowercase();
        if unseen.is_none() && !is_answered && matches!(scheme.as_slice(), b"ws" | b"wss") {
            let text = String::from_utf8_lossy(arguments.object).into_owned();
            self.gateway.remark(span, RemarkKind::Misread { how: Misreading::WebSocketNotProxied, text });
        }
        let variables = self.assigned_by(&flags, span);
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
            flags: Flags {
                variables,
                escapes: self.escapes(&flags),
                handler: effect.handler.as_ref().map(|name| self.gateway.texts.intern(name)),
                ..effect.flags
            },
            // A handler that passes requests on would have to be worked out for every request.
            beyond: unseen.or(effect
                .handler
                .as_ref()
                .filter(|name| name.starts_with(b"proxy:"))
                .map(|_| Unknown::Unmodelled(span))),
        };
        match area {
            Some(area) => {
                if let Some(rewriting) = &mut self.servers[at.0].areas[area].rewriting {
                    rewriting.rules.push(rule);
                }
                self.servers[at.0].area_rules.extend(mapping.map(|mapping| (area, index, mapping)));
            }
            None => self.servers[at.0].rewriting.rules.push((rule, mapping)),
        }
    }

    /// What `B` and its kin say (`cmd_rewriterule_setflag`).
    fn escapes(&mut self, flags: &[Parameter<'_>]) -> Option<Escapes> {
        let mut escapes = Escapes::default();
        let mut any = false;
        for flag in flags {
            let value = flag.value.filter(|value| !value.is_empty());
            if flag.is(&["B", "backrefescaping"]) {
                any = true;
                escapes.only = value.map(|value| self.gateway.texts.intern(value)).or(escapes.only);
            } else if flag.is(&["BNE"]) {
                escapes.except = value.map(|value| self.gateway.texts.intern(value));
            } else if flag.is(&["BNP", "backrefernoplus"]) {
                escapes.no_plus = true;
            } else if flag.is(&["BCTLS"]) {
                any = true;
                escapes.controls = true;
            }
        }
        any.then_some(escapes)
    }

    /// The variables that the flags `E=name:value` set.
    fn assigned_by(&mut self, flags: &[Parameter<'_>], span: Span) -> Box<[(TextId, Option<SymbolicId>)]> {
        let flags = flags.iter().filter(|flag| flag.is(&["E", "env"]));
        let assigned = flags.filter_map(|flag| {
            let text = flag.value?;
            if let Some(name) = text.strip_prefix(b"!") {
                return Some((self.gateway.texts.intern(name), None));
            }
            let colon = memchr::memchr(b':', text);
            let (name, value) = colon.map_or((text, &b""[..]), |at| (&text[..at], &text[at + 1..]));
            let value = rewrite_string(&mut self.gateway, value, span);
            Some((self.gateway.texts.intern(name), Some(value)))
        });
        assigned.collect()
    }

    /// Notes that the server or the area that is open has a directive of `mod_rewrite`.
    pub(super) fn rewriting_here(&mut self) {
        if self.area_mut().is_some() {
            self.here().rewriting.get_or_insert_default();
        }
        // Whatever stands in a section gives its server a configuration of the module too (`ap_set_config_vectors`).
        self.servers[self.server.0].rewriting.present = true;
    }

    /// `RewriteBase path`.
    pub(super) fn rewrite_base(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let Some(word) = words.first() else { return };
        let base = self.gateway.texts.intern(&word.value);
        self.rewriting_here();
        if let Some(rewriting) = &mut self.here().rewriting {
            rewriting.base = Some(base);
        }
    }

    /// `RewriteMap name int:function`; the rows of other kinds stand elsewhere.
    pub(super) fn rewrite_map(&mut self, statement: &Statement) {
        self.rewriting_here();
        let words = self.resolved.words(self.store, statement);
        let [name, source, ..] = words.as_slice() else { return };
        let change = match source.value.to_ascii_lowercase().as_slice() {
            b"int:tolower" => Change::Lower,
            b"int:toupper" => Change::Upper,
            b"int:escape" => Change::Escaped,
            b"int:unescape" => Change::DecodedWhole,
            _ => return,
        };
        let name = self.gateway.texts.intern(&name.value);
        self.gateway.functions.insert(name, change);
    }

    /// `RewriteOptions`.
    pub(super) fn rewrite_options(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        self.rewriting_here();
        let in_area = self.area_mut().is_some();
        // Several lines add up.
        let mut options = match &self.here().rewriting {
            Some(rewriting) if in_area => rewriting.options.unwrap_or_default(),
            _ => self.servers[self.server.0].rewriting.options.filter(|_| !in_area).unwrap_or_default(),
        };
        for word in words {
            match word.value.to_ascii_lowercase().as_slice() {
                b"inherit" => options.inherit = Some(Inherits::Behind),
                // `Inherit` beats it.
                b"inheritbefore" => options.inherit = options.inherit.or(Some(Inherits::Before)),
                b"inheritdown" => options.hands_down = Some(Inherits::Behind),
                b"inheritdownbefore" => options.hands_down = options.hands_down.or(Some(Inherits::Before)),
                b"ignoreinherit" => options.ignores = true,
                b"allownoslash" => options.without_slash = true,
                b"mergebase" => options.merges_base = true,
                b"ignorecontextinfo" => options.ignores_context = true,
                b"legacyprefixdocroot" => options.reduces_plainly = true,
                b"unsafeprefixstat" => options.allows_any_file = true,
                _ => {}
            }
        }
        // On a server they are those of its directories too (`cmd_rewriteoptions`).
        self.here().rewriting.get_or_insert_default().options = Some(options);
        if !in_area {
            self.servers[self.server.0].rewriting.options = Some(options);
        }
    }
}

/// What the flags of a rule make of it (`cmd_rewriterule_setflag`, `apply_rewrite_rule`).
struct Effect {
    action: Action,
    proxies: bool,
    last: bool,
    flags: Flags,
    handler: Option<Vec<u8>>,
}

/// How often `[N]` starts over where it does not say (`REWRITE_MAX_ROUNDS`, `mod_rewrite.c`).
const ROUNDS: u32 = 32_000;

impl Effect {
    fn of(flags: &[Parameter<'_>], substitution: &[u8]) -> Self {
        let mut effect = Self { action: Action::Continue, proxies: false, last: false, flags: Flags::default(), handler: None };
        let number = |value: Option<&[u8]>| value.and_then(|value| str::from_utf8(value).ok()?.parse::<u32>().ok());
        for flag in flags {
            if flag.is(&["P", "proxy"]) {
                effect.proxies = true;
            } else if flag.is(&["R", "redirect"]) {
                effect.action = redirect(flag.value);
            } else if flag.is(&["F", "forbidden"]) {
                effect.action = Action::Answer(403);
            } else if flag.is(&["G", "gone"]) {
                effect.action = Action::Answer(410);
            } else if flag.is(&["L", "last"]) {
                effect.last = true;
            } else if flag.is(&["END"]) {
                effect.last = true;
                effect.flags.ends = true;
            } else if flag.is(&["PT", "passthrough"]) {
                effect.flags.maps_again = true;
            } else if flag.is(&["S", "skip"]) {
                effect.flags.skips = number(flag.value).unwrap_or(0);
            } else if flag.is(&["C", "chain"]) {
                effect.flags.chained = true;
            } else if flag.is(&["N", "next"]) {
                effect.flags.rounds = Some(number(flag.value).unwrap_or(ROUNDS));
            } else if flag.is(&["QSA", "qsappend"]) {
                effect.flags.query = QueryRule::Append;
            } else if flag.is(&["QSD", "qsdiscard"]) {
                effect.flags.query = QueryRule::Discard;
            } else if flag.is(&["NE", "noescape"]) {
                effect.flags.verbatim = true;
            } else if flag.is(&["QSL", "qslast"]) {
                effect.flags.query_is_last = true;
            } else if flag.is(&["UnsafeAllow3F"]) {
                effect.flags.allows_question_marks = true;
            } else if flag.is(&["UnsafePrefixStat"]) {
                effect.flags.allows_any_file = true;
            } else if flag.is(&["UNC"]) {
                effect.flags.keeps_slashes = true;
            } else if flag.is(&["NS", "nosubreq"]) {
                effect.flags.skips_subrequests = true;
            } else if flag.is(&["H", "handler"]) {
                effect.handler = flag.value.map(<[u8]>::to_vec);
            }
        }
        // Two slashes that are written stay two.
        effect.flags.keeps_slashes |= substitution.starts_with(b"//");
        // A `?` at the end, or no `?` at all where the query is dropped, keeps captures from bringing one.
        if substitution.ends_with(b"?") {
            if effect.flags.query == QueryRule::Append {
                effect.flags.query_is_last = true;
            } else {
                effect.flags.query = QueryRule::Drop;
            }
        } else if effect.flags.query == QueryRule::Discard && !substitution.contains(&b'?') {
            effect.flags.query = QueryRule::Drop;
        }
        if let Action::Answer(_) = effect.action {
            effect.last = true;
        } else if effect.proxies {
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
