//! Who is let in: `Require` and the containers around it, `Allow` and `Deny`, for some methods or all.

use super::Lowerer;
use super::expression::expression;
use super::section::Inside;
use crate::apache::statement::{Statement, Word};
use crate::gateway::{Access, HostOrder, HostRule, Required, RequiredKind, TextId, Unknown};
use crate::source::Span;

impl Lowerer<'_> {
    /// A section within an area: a container of requirements, or `<Limit>`.
    pub(super) fn inside(&mut self, name: &[u8], statement: &Statement) -> Option<Inside> {
        let outer = self.sections.last().and_then(|section| match section {
            super::section::Section::Inside(inside) => Some(inside.clone()),
            _ => None,
        });
        let outer = outer.unwrap_or_default();
        let kind = match name {
            b"requireall" => RequiredKind::All,
            b"requireany" => RequiredKind::Any,
            b"requirenone" => RequiredKind::None,
            b"limit" | b"limitexcept" => {
                let words = self.resolved.words(self.store, statement);
                let methods = words.iter().map(|word| self.gateway.texts.intern(&word.value)).collect();
                return Some(Inside { methods: Some((methods, name == b"limit")), ..outer });
            }
            _ => return None,
        };
        let span = statement.span(self.store);
        let required = self.require(span, &outer, false, kind);
        Some(Inside { required: Some(required), ..outer })
    }

    fn access(&mut self) -> &mut Access {
        self.here().access.get_or_insert_default()
    }

    fn require(&mut self, span: Span, inside: &Inside, negated: bool, kind: RequiredKind) -> u32 {
        let required = &mut self.access().required;
        required.push(Required { span, parent: inside.required, negated, methods: inside.methods.clone(), kind });
        u32::try_from(required.len() - 1).unwrap_or(u32::MAX)
    }

    /// A line about access; others in such a section mean what they mean around it.
    pub(super) fn access_line(&mut self, name: &[u8], statement: &Statement, inside: &Inside) {
        let span = statement.span(self.store);
        match name {
            b"require" => {
                let words = self.resolved.words(self.store, statement);
                let negated = words.first().is_some_and(|word| word.value.eq_ignore_ascii_case(b"not"));
                let words = if negated { &words[1..] } else { &words[..] };
                let kind = match words.first() {
                    Some(word) if word.value.eq_ignore_ascii_case(b"expr") && words.iter().all(|word| word.unknown.is_none()) => {
                        let (line, _) = self.resolved.arguments(self.store, statement);
                        let text = crate::apache::words::required_expression(&line).to_vec();
                        RequiredKind::Condition(expression(&mut self.gateway, &text, span))
                    }
                    _ => self.required(words, span),
                };
                self.require(span, inside, negated, kind);
            }
            b"order" => {
                let words = self.resolved.words(self.store, statement);
                let Some(word) = words.first() else { return };
                let deny_first = word.value.to_ascii_lowercase().starts_with(b"deny");
                self.access().orders.push(HostOrder { span, methods: inside.methods.clone(), deny_first });
            }
            b"satisfy" => {
                let words = self.resolved.words(self.store, statement);
                let is_any = words.first().is_some_and(|word| word.value.eq_ignore_ascii_case(b"any"));
                self.access().any.push((inside.methods.clone(), is_any));
            }
            b"allow" | b"deny" => {
                let words = self.resolved.words(self.store, statement);
                for word in words.iter().skip(1) {
                    let from = self.gateway.texts.intern(&word.value);
                    let methods = inside.methods.clone();
                    self.access().hosts.push(HostRule { span, methods, allowed: name == b"allow", from });
                }
            }
            _ => self.area_line(name, statement),
        }
    }

    fn required(&mut self, words: &[Word<'_>], span: Span) -> RequiredKind {
        let Some((kind, rest)) = words.split_first() else { return RequiredKind::Unknown(Unknown::Unmodelled(span)) };
        if let Some(why) = words.iter().find_map(|word| word.unknown) {
            return RequiredKind::Unknown(why);
        }
        let texts =
            |lowerer: &mut Self| -> Box<[TextId]> { rest.iter().map(|word| lowerer.gateway.texts.intern(&word.value)).collect() };
        match kind.value.to_ascii_lowercase().as_slice() {
            b"all" => match rest.first() {
                Some(word) if word.value.eq_ignore_ascii_case(b"granted") => RequiredKind::Granted(true),
                Some(word) if word.value.eq_ignore_ascii_case(b"denied") => RequiredKind::Granted(false),
                _ => RequiredKind::Unknown(Unknown::Unmodelled(span)),
            },
            b"ip" => RequiredKind::Client(texts(self)),
            b"local" => RequiredKind::Local,
            b"host" | b"forward-dns" => RequiredKind::Host(texts(self)),
            b"method" => RequiredKind::Method(texts(self)),
            b"env" => RequiredKind::Variable(texts(self)),
            b"valid-user" | b"user" | b"group" | b"ldap-user" | b"ldap-group" | b"dbm-group" | b"file-owner" | b"valid" => {
                RequiredKind::User
            }
            _ => RequiredKind::Unknown(Unknown::Unmodelled(span)),
        }
    }
}
