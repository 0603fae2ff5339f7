//! What a `server` block says of itself: sockets, names, and what it does before a location is chosen.

use super::Lowerer;
use super::line::{Line, Word};
use super::symbolic::lower;
use crate::gateway::{Action, Condition, Flags, Listen, Name, Rewrite, SymbolicId, Test, Unknown};
use crate::nginx::values;

impl Lowerer<'_> {
    /// `listen address[:port] [ssl] [default_server] …` (`ngx_http_core_listen`, `ngx_parse_url`).
    pub(super) fn listen(&mut self, line: Line<'_>) -> Option<Listen> {
        let word = line.word(0)?;
        let has = |names: &[&[u8]]| line.words().skip(1).any(|word| names.contains(&word.value().as_ref()));
        let (tls, default) = (has(&[b"ssl", b"quic"]), has(&[b"default_server", b"default"]));
        let value = word.value();
        let (address, port) = if word.is_holed() { (word.text, None) } else { address_and_port(&value) };
        let address = self.gateway.texts.intern_lower(address);
        Some(Listen { address, port, tls, default, span: line.span() })
    }

    /// One word of `server_name`.
    pub(super) fn server_name(&mut self, word: Word<'_>) -> Name {
        let value = word.value();
        // Patterns keep their case: `\D` is not `\d`.
        let text =
            if value.starts_with(b"~") { self.gateway.texts.intern(&value) } else { self.gateway.texts.intern(&lower(&value)) };
        Name { text, span: word.span }
    }

    /// A `return` or `rewrite` that runs before a location is chosen, under the conditions of the `if` around it.
    pub(super) fn server_rewrite(&mut self, line: Line<'_>, conditions: Vec<Condition>) -> Option<Rewrite> {
        let every = self.gateway.texts.intern(b"");
        let hole = line.words().find(|word| word.is_holed()).map(|word| Unknown::TemplateHole(word.span));
        let mut rewrite = Rewrite {
            span: line.span(),
            conditions,
            pattern: every,
            ignore_case: false,
            negated: false,
            substitution: None,
            action: Action::Continue,
            last: true,
            flags: Flags::default(),
            beyond: hole,
        };
        if line.name() == b"return" {
            let status = returned_status(line);
            rewrite.action = match status {
                Some(status @ (301..=303 | 307 | 308)) => Action::Redirect(status),
                Some(status) => Action::Answer(status),
                None => return None,
            };
            rewrite.substitution =
                line.words().last().filter(|_| !matches!(rewrite.action, Action::Answer(_))).map(|word| self.symbolic(word));
            return Some(rewrite);
        }
        let (pattern, target) = (line.word(0)?, line.word(1)?);
        rewrite.pattern = self.gateway.texts.intern(&pattern.value());
        let value = target.value();
        let flag = line.word(2).map(Word::value);
        let is_url = value.starts_with(b"http://") || value.starts_with(b"https://") || value.starts_with(b"$scheme");
        rewrite.action = match flag.as_deref() {
            Some(b"permanent") => Action::Redirect(301),
            Some(b"redirect") => Action::Redirect(302),
            _ if is_url => Action::Redirect(302),
            _ => Action::Continue,
        };
        rewrite.last = rewrite.action != Action::Continue || matches!(flag.as_deref(), Some(b"last" | b"break"));
        rewrite.substitution = Some(self.symbolic(target));
        Some(rewrite)
    }

    /// The condition of an `if` (`ngx_http_rewrite_if_condition`).
    pub(super) fn condition(&mut self, line: Line<'_>) -> Condition {
        let span = line.span();
        let mut words: Vec<(Word<'_>, Vec<u8>)> = line.words().map(|word| (word, word.value().into_owned())).collect();
        if let Some((_, first)) = words.first_mut() {
            first.drain(..usize::from(first.starts_with(b"(")));
        }
        if let Some((_, last)) = words.last_mut() {
            last.truncate(last.len() - usize::from(last.ends_with(b")")));
        }
        words.retain(|(_, value)| !value.is_empty());
        let unknown = |subject| Condition { span, subject, test: Err(Unknown::Environment), negated: false, or_next: false };
        let Some((first, subject)) = words.first() else {
            let nothing = self.literal(b"");
            return unknown(nothing);
        };
        let subject: SymbolicId = self.symbolic_of(*first, subject);
        let texts = &mut self.gateway.texts;
        match words.get(1..).unwrap_or_default() {
            // `if ($x)`: neither empty nor `0`.
            [] if first.text.contains(&b'$') => {
                let pattern = texts.intern(b"^(?!0?$)");
                Condition {
                    span,
                    subject,
                    test: Ok(Test::Pattern { pattern, ignore_case: false }),
                    negated: false,
                    or_next: false,
                }
            }
            [(_, operator), (operand, text)] => {
                let (negated, operator) = operator.strip_prefix(b"!").map_or((false, operator.as_slice()), |rest| (true, rest));
                let text = texts.intern(text);
                let outcome = match operator {
                    _ if operand.is_holed() => Err(Unknown::TemplateHole(operand.span)),
                    b"=" if operand.text.contains(&b'$') => Err(Unknown::Runtime),
                    b"=" => Ok(Test::Equals { text, ignore_case: false }),
                    b"~" => Ok(Test::Pattern { pattern: text, ignore_case: false }),
                    b"~*" => Ok(Test::Pattern { pattern: text, ignore_case: true }),
                    _ => Err(Unknown::Environment),
                };
                Condition { span, subject, test: outcome, negated, or_next: false }
            }
            _ => unknown(subject),
        }
    }
}

/// The status that a `return` answers with: `return URL` is a 302. `None` where a hole decides.
pub(super) fn returned_status(line: Line<'_>) -> Option<u16> {
    let word = line.word(0)?;
    if word.is_holed() {
        return None;
    }
    let value = word.value();
    match values::port(&value) {
        Some(status) if status <= 999 => Some(status),
        _ => Some(302),
    }
}

/// Splits the first word of `listen`.
fn address_and_port(value: &[u8]) -> (&[u8], Option<u16>) {
    if value.starts_with(b"unix:") {
        return (value, None);
    }
    if value.iter().all(u8::is_ascii_digit) {
        return (b"*", values::port(value));
    }
    // The port stands behind the last `:` that is not inside `[…]`.
    let bracket = value.iter().rposition(|&byte| byte == b']').map_or(0, |at| at + 1);
    match value[bracket..].iter().rposition(|&byte| byte == b':') {
        Some(colon) => {
            let port = &value[bracket + colon + 1..];
            let first = port.split(|&byte| byte == b'-').next().unwrap_or(port);
            (&value[..bracket + colon], values::port(first))
        }
        None => (value, Some(80)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        for (text, address, port) in [
            ("80", "*", Some(80)),
            ("*:81", "*", Some(81)),
            ("127.0.0.1", "127.0.0.1", Some(80)),
            ("[::]:443", "[::]", Some(443)),
            ("[::1]", "[::1]", Some(80)),
            ("localhost:8000-8010", "localhost", Some(8000)),
            ("unix:/run/a.sock", "unix:/run/a.sock", None),
        ] {
            assert_eq!(address_and_port(text.as_bytes()), (address.as_bytes(), port), "{text}");
        }
    }
}
