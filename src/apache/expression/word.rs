//! Texts that are compared, and what stands around them: functions, and others that they are put behind.

use super::names::FUNCTIONS;
use super::scan::{DEEPEST, Parser, unexpected};
use super::text::written;
use super::{Piece, Step};

impl Parser<'_> {
    /// A text: in quotes, a variable, a number, a function of another; several with `.` between them.
    pub(super) fn word(&mut self) -> Result<(), String> {
        /// What is open around the text that is being read.
        enum Around {
            /// A function, whose parenthesis closes behind it.
            Function(Vec<u8>, usize),
            /// A text that this one is put behind.
            Joined,
        }
        let mut around = Vec::new();
        loop {
            if around.len() > DEEPEST {
                return Err("memory exhausted".to_owned());
            }
            self.blanks();
            match self.rest {
                [quote @ (b'"' | b'\''), rest @ ..] => {
                    let quote = *quote;
                    self.rest = rest;
                    let pieces = self.string(Some(quote))?;
                    self.steps.push(Step::Text(pieces));
                }
                [b'%', b'{', ..] => {
                    let piece = self.variable()?;
                    self.steps.push(Step::Text(vec![piece]));
                }
                [b'$', digit, rest @ ..] if digit.is_ascii_digit() => {
                    self.rest = rest;
                    self.steps.push(Step::Text(vec![Piece::Capture(Some(digit - b'0'))]));
                }
                [first, ..] if first.is_ascii_digit() || *first == b'-' && self.rest.get(1).is_some_and(u8::is_ascii_digit) => {
                    let digits = self.rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    let (number, rest) = self.rest.split_at(digits + 1);
                    self.steps.push(Step::Text(vec![Piece::Text(number.to_vec())]));
                    self.rest = rest;
                }
                [first, ..] if first.is_ascii_alphabetic() => {
                    let name = self.name().to_vec();
                    self.rest = &self.rest[name.len()..];
                    self.blanks();
                    if !self.take(b"(") {
                        return Err(format!("{}, expecting '('", unexpected::<()>(self.rest).err().unwrap_or_default()));
                    }
                    self.known_function(&name)?;
                    around.push(Around::Function(name, self.steps.len()));
                    continue;
                }
                rest => return unexpected(rest),
            }
            // What stands around the text is done with, unless more is put behind it.
            loop {
                self.blanks();
                if self.take(b".") {
                    around.push(Around::Joined);
                    break;
                }
                match around.last() {
                    None => return Ok(()),
                    Some(Around::Joined) => {
                        self.steps.push(Step::Join);
                        around.pop();
                    }
                    Some(Around::Function(..)) => {
                        if !self.take(b")") {
                            return unexpected(self.rest);
                        }
                        if let Some(Around::Function(name, start)) = around.pop() {
                            self.call(name, start);
                        }
                    }
                }
            }
        }
    }

    /// Calls a function with the text from the step `start` on: what it looks up by a name becomes a piece of its own.
    fn call(&mut self, name: Vec<u8>, start: usize) {
        let looks_up = ["req", "http", "req_novary", "env", "reqenv", "note", "resp", "osenv", "SSL"];
        if !looks_up.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
            return self.steps.push(Step::Function(name));
        }
        let argument = match &self.steps[start..] {
            [Step::Text(pieces)] => written(pieces),
            _ => None,
        };
        self.steps.truncate(start);
        self.steps.push(Step::Text(vec![Piece::Looked(name, argument)]));
    }

    /// Whether there is such a function.
    pub(super) fn known_function(&self, name: &[u8]) -> Result<(), String> {
        let known = FUNCTIONS.iter().chain(&["ldap"]).any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        if known || self.tls && name.eq_ignore_ascii_case(b"SSL") {
            return Ok(());
        }
        Err(format!("Function '{}' does not exist", String::from_utf8_lossy(name)))
    }
}
