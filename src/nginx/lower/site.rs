//! What a `server` block says of itself: sockets, names, and what it does before a location is chosen.

use super::Lowerer;
use super::line::{Line, Word};
use crate::gateway::{Condition, FileTest, Listen, Name, Speaks, SymbolicId, Test, Unknown};
use crate::nginx::values;
use crate::nginx::words;

impl Lowerer<'_> {
    /// `listen address[:port] [ssl] [default_server] …` (`ngx_http_core_listen`, `ngx_parse_url`).
    pub(super) fn listen(&mut self, line: Line<'_>) -> Option<Listen> {
        let word = line.word(0)?;
        let has = |names: &[&[u8]]| line.words().skip(1).any(|word| names.contains(&word.value().as_ref()));
        let (tls, default) = (has(&[b"ssl", b"quic"]), has(&[b"default_server", b"default"]));
        let value = word.value();
        let (address, port) = if word.is_holed() { (word.text, None) } else { address_and_port(&value) };
        let address = self.gateway.texts.intern_lower(address);
        let speaks = if has(&[b"proxy_protocol"]) {
            Speaks::ProxyProtocol
        } else if has(&[b"http2"]) {
            Speaks::Http2
        } else {
            Speaks::Http
        };
        Some(Listen { address, port, tls, default, speaks, span: line.span() })
    }

    /// One word of `server_name`.
    pub(super) fn server_name(&mut self, word: Word<'_>) -> Name {
        let value = word.value();
        // Patterns keep their case: `\D` is not `\d`.
        let text = if value.starts_with(b"~") {
            self.gateway.texts.intern(&value)
        } else {
            self.gateway.texts.intern(&words::lower(&value))
        };
        Name { text, span: word.span }
    }

    /// The condition of an `if` (`ngx_http_rewrite_if_condition`).
    pub(super) fn condition(&mut self, line: Line<'_>) -> Condition {
        let span = line.span();
        let mut words: Vec<(Word<'_>, Vec<u8>)> = line.words().map(|word| (word, word.value().into_owned())).collect();
        // The brackets stand at the first and last word, or are words of their own.
        if let Some((_, first)) = words.first_mut() {
            first.drain(..usize::from(first.starts_with(b"(")));
        }
        if let Some((_, last)) = words.last_mut() {
            last.truncate(last.len() - usize::from(last.ends_with(b")")));
        }
        let empty =
            |end: Option<&(Word<'_>, Vec<u8>)>| end.is_some_and(|(word, value)| value.is_empty() && !word.text.is_empty());
        if empty(words.first()) {
            words.remove(0);
        }
        if empty(words.last()) && words.last().is_some_and(|(word, _)| word.text == b")") {
            words.pop();
        }
        let condition = |subject, test, negated| Condition { span, subject, test, negated, or_next: false };
        let Some((first, value)) = words.first() else {
            let nothing = self.literal(b"");
            return condition(nothing, Err(Unknown::Environment), false);
        };
        if let ([_, (operand, path)], Some(kind), negated) = (words.as_slice(), file_test(value), value.starts_with(b"!")) {
            let path = self.symbolic_of(*operand, path);
            return condition(path, Ok(Test::File(kind)), negated);
        }
        let subject: SymbolicId = self.subject(*first, value);
        match words.get(1..).unwrap_or_default() {
            [] if first.text.contains(&b'$') => condition(subject, Ok(Test::IsSet), false),
            [(_, operator), (operand, right)] => {
                let (negated, operator) = operator.strip_prefix(b"!").map_or((false, operator.as_slice()), |rest| (true, rest));
                let test = match operator {
                    _ if operand.is_holed() => Err(Unknown::TemplateHole(operand.span)),
                    b"=" => Ok(Test::Same(self.symbolic_of(*operand, right))),
                    b"~" => Ok(Test::Pattern { pattern: self.gateway.texts.intern(right), ignore_case: false }),
                    b"~*" => Ok(Test::Pattern { pattern: self.gateway.texts.intern(right), ignore_case: true }),
                    _ => Err(Unknown::Environment),
                };
                condition(subject, test, negated)
            }
            _ => condition(subject, Err(Unknown::Environment), false),
        }
    }

    /// What an `if` tests: all of the word is the name of one variable (`ngx_http_rewrite_variable`).
    fn subject(&mut self, word: Word<'_>, value: &[u8]) -> SymbolicId {
        match value.strip_prefix(b"$") {
            Some(name) if !word.is_holed() => {
                let part = self.variable(name, || word.span);
                self.gateway.symbolics.intern(&[part])
            }
            _ => self.symbolic_of(word, value),
        }
    }
}

/// The test of the file system that an operator of `if` stands for.
fn file_test(operator: &[u8]) -> Option<FileTest> {
    match operator.strip_prefix(b"!").unwrap_or(operator) {
        b"-f" => Some(FileTest::File),
        b"-d" => Some(FileTest::Directory),
        b"-e" => Some(FileTest::Any),
        b"-x" => Some(FileTest::Executable),
        _ => None,
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
