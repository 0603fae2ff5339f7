//! Truths: comparisons, tests of one text, lists, patterns.

use super::network::is_network;
use super::scan::{Parser, unexpected};
use super::{Piece, Step};

impl Parser<'_> {
    /// A comparison, a test of one text, `true` or `false`.
    pub(super) fn truth(&mut self) -> Result<(), String> {
        for (word, truth) in [(&b"true"[..], true), (b"false", false)] {
            if self.take_word(word) {
                self.steps.push(Step::Truth(truth));
                return Ok(());
            }
        }
        if let [b'-', letter, rest @ ..] = self.rest
            && (letter.is_ascii_alphabetic() || *letter == b'_')
        {
            let letter = *letter;
            let is_longer = rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            if is_longer {
                return unexpected(self.rest);
            }
            self.rest = rest;
            self.blanks();
            let start = self.steps.len();
            self.word()?;
            if !b"nzRTdefsLhxFUA".contains(&letter) {
                return Err(format!("Unary operator '{}' does not exist", char::from(letter)));
            }
            if letter == b'R' {
                self.network(start)?;
            }
            self.steps.push(Step::Unary(letter));
            return Ok(());
        }
        self.word()?;
        self.blanks();
        for (sign, negated) in [(&b"=~"[..], false), (b"!~", true)] {
            if self.take(sign) {
                self.blanks();
                return self.pattern(negated);
            }
        }
        for sign in [&b"=="[..], b"!=", b"<=", b">=", b"<", b">", b"="] {
            if self.take(sign) {
                let sign = if sign == b"=" { b"==" } else { sign };
                return self.compared_with(sign);
            }
        }
        let dashed = self.rest.starts_with(b"-");
        let name = match self.rest.strip_prefix(b"-") {
            Some(rest) => Parser { rest, tls: self.tls, steps: Vec::new() }.name().to_vec(),
            None => self.name().to_vec(),
        };
        let known: &[&[u8]] = &[b"eq", b"ne", b"lt", b"le", b"gt", b"ge"];
        let after = &self.rest[usize::from(dashed) + name.len()..];
        if name == b"in" {
            self.rest = after;
            return self.list();
        }
        if known.contains(&name.as_slice()) {
            self.rest = after;
            return self.compared_with(&name);
        }
        if dashed && name.len() > 1 {
            if ![&b"ipmatch"[..], b"fnmatch", b"strmatch", b"strcmatch"].contains(&name.as_slice()) {
                return Err(format!("Binary operator '{}' does not exist", String::from_utf8_lossy(&name)));
            }
            self.rest = after;
            let start = self.steps.len();
            self.compared_with(&name)?;
            if name == b"ipmatch" {
                self.network(start)?;
            }
            return Ok(());
        }
        unexpected(self.rest)
    }

    /// The right side of a comparison.
    fn compared_with(&mut self, name: &[u8]) -> Result<(), String> {
        self.blanks();
        self.word()?;
        self.steps.push(Step::Binary(name.to_vec()));
        Ok(())
    }

    /// Whether the text from the step `start` on is a network (`subnet_parse_arg`).
    fn network(&self, start: usize) -> Result<(), String> {
        match self.steps.get(start) {
            Some(Step::Text(pieces)) if matches!(pieces.as_slice(), [Piece::Text(_)]) => {
                let [Piece::Text(text)] = pieces.as_slice() else { return Ok(()) };
                let text = String::from_utf8_lossy(text);
                if is_network(&text) { Ok(()) } else { Err(format!("subnet/netmask '{text}' could not be parsed")) }
            }
            _ => Err("subnet must be a constant string".to_owned()),
        }
    }

    /// `{ 'a', 'b' }`, or a function that gives a list.
    fn list(&mut self) -> Result<(), String> {
        self.blanks();
        if !self.take(b"{") {
            let name = self.name().to_vec();
            if !(name.first().is_some_and(u8::is_ascii_alphabetic) && self.take(&name) && self.take(b"(")) {
                return unexpected(self.rest);
            }
            if !(self.tls && name.eq_ignore_ascii_case(b"PeerExtList")) {
                return Err(format!("Function '{}' does not exist", String::from_utf8_lossy(&name)));
            }
            let start = self.steps.len();
            self.blanks();
            self.word()?;
            self.steps.truncate(start);
            self.blanks();
            if !self.take(b")") {
                return unexpected(self.rest);
            }
            self.steps.push(Step::InList);
            return Ok(());
        }
        let mut rows = Vec::new();
        loop {
            let start = self.steps.len();
            self.blanks();
            self.word()?;
            rows.push(self.steps.split_off(start));
            self.blanks();
            if self.take(b"}") {
                self.steps.push(Step::OneOf(rows));
                return Ok(());
            }
            if !self.take(b",") {
                return unexpected(self.rest);
            }
        }
    }

    /// `/pattern/i` or `m#pattern#i`.
    fn pattern(&mut self, negated: bool) -> Result<(), String> {
        let mark = match self.rest {
            [b'/', ..] => 1,
            [b'm', mark, ..] if b"/#$%^,;:_?|-!.'\"".contains(mark) => 2,
            _ => return unexpected(self.rest),
        };
        let (&delimiter, inside) = (&self.rest[mark - 1], &self.rest[mark..]);
        let Some(end) = memchr::memchr(delimiter, inside) else { return unexpected(&[]) };
        let pattern = inside[..end].to_vec();
        self.rest = &inside[end + 1..];
        let ignore_case = self.take(b"i");
        if crate::pcre::fault(&pattern).is_some() {
            return Err("Failed to compile regular expression".to_owned());
        }
        self.steps.push(Step::Pattern { pattern, ignore_case, negated });
        Ok(())
    }
}
