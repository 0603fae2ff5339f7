//! The inside of quotes and of variables: what stands for itself, escapes, captures.

use super::Piece;
use super::names::VARIABLES;
use super::scan::Parser;

impl Parser<'_> {
    /// `%{NAME}` or `%{function:text}`.
    pub(super) fn variable(&mut self) -> Result<Piece, String> {
        self.rest = &self.rest[2..];
        let name = self.name().to_vec();
        if !name.first().is_some_and(u8::is_ascii_alphabetic) {
            return match self.rest.first() {
                Some(b'}') => Err("syntax error, unexpected T_VAR_END, expecting T_ID".to_owned()),
                Some(&byte) => Err(format!("Invalid character in variable name '{}'", char::from(byte))),
                None => Err("syntax error, unexpected T_ERROR, expecting T_ID: Unterminated string or variable".to_owned()),
            };
        }
        self.rest = &self.rest[name.len()..];
        if self.take(b"}") {
            let known = VARIABLES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
            let is_tls = self.tls && name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SSL_"));
            return if known || is_tls {
                Ok(Piece::Variable(name))
            } else {
                Err(format!("Variable '{}' does not exist", String::from_utf8_lossy(&name)))
            };
        }
        if self.take(b":") {
            self.known_function(&name)?;
            let pieces = self.string(Some(b'}'))?;
            if pieces.is_empty() {
                return Err("syntax error, unexpected T_VAR_END".to_owned());
            }
            return Ok(Piece::Looked(name, written(&pieces)));
        }
        match self.rest.first() {
            Some(&byte) => Err(format!("Invalid character in variable name '{}'", char::from(byte))),
            None => Err("Unterminated string or variable".to_owned()),
        }
    }

    /// A text up to its end: a quote, the brace of a variable, or the end of everything. Variables inside variables are let be.
    pub(super) fn string(&mut self, end: Option<u8>) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        let mut text = Vec::new();
        let unterminated = || Err("Unterminated string or variable".to_owned());
        let mut depth = 0usize;
        loop {
            let Some((&byte, rest)) = self.rest.split_first() else {
                if end.is_some() {
                    return unterminated();
                }
                break;
            };
            if Some(byte) == end && depth == 0 {
                self.rest = rest;
                break;
            }
            match (byte, rest) {
                (b'\n', _) if end.is_some() => return unterminated(),
                (b'\\', [next, after @ ..]) => {
                    self.rest = after;
                    match next {
                        b'0'..=b'7' => {
                            let digits = rest.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
                            let value = rest[..digits].iter().fold(0u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
                            let Ok(value) = u8::try_from(value) else { return Err("Escape sequence out of bound".to_owned()) };
                            text.push(value);
                            self.rest = &rest[digits..];
                        }
                        b'8' | b'9' => return Err("Bad escape sequence".to_owned()),
                        b'n' => text.push(b'\n'),
                        b'r' => text.push(b'\r'),
                        b't' => text.push(b'\t'),
                        b'b' => text.push(8),
                        b'f' => text.push(12),
                        other => text.push(*other),
                    }
                }
                (b'$', [digit, after @ ..]) if digit.is_ascii_digit() => {
                    push_text(&mut pieces, &mut text);
                    pieces.push(Piece::Capture(Some(digit - b'0')));
                    self.rest = after;
                }
                // What is looked up by a text with variables in it is not known; only its end matters.
                (b'%', [b'{', after @ ..]) if end == Some(b'}') => {
                    push_text(&mut pieces, &mut text);
                    pieces.push(Piece::Capture(None));
                    depth += 1;
                    self.rest = after;
                }
                (b'}', after) if depth > 0 => {
                    depth -= 1;
                    self.rest = after;
                }
                (b'%', [b'{', ..]) => {
                    push_text(&mut pieces, &mut text);
                    let piece = self.variable()?;
                    pieces.push(piece);
                }
                (byte, after) => {
                    text.push(byte);
                    self.rest = after;
                }
            }
        }
        push_text(&mut pieces, &mut text);
        Ok(pieces)
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &mut Vec<u8>) {
    if !text.is_empty() {
        pieces.push(Piece::Text(std::mem::take(text)));
    }
}

/// The text of pieces that are written out.
pub(super) fn written(pieces: &[Piece]) -> Option<Vec<u8>> {
    match pieces {
        [] => Some(Vec::new()),
        [Piece::Text(text)] => Some(text.clone()),
        _ => None,
    }
}
