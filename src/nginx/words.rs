//! From a word as written to its value: quotes and escapes removed, variables found.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use crate::tree::TokenKind;

/// The value of a word: without its quotes, its escapes undone (`ngx_conf_read_token`, where it stores a word).
///
/// `\"`, `\'` and `\\` lose their backslash, `\t`, `\r` and `\n` become control characters; any other backslash stays.
#[must_use]
pub fn value(kind: TokenKind, text: &[u8]) -> Cow<'_, [u8]> {
    let inside = match (kind, text) {
        (TokenKind::Quoted, [_, inside @ .., _]) => inside,
        _ => text,
    };
    if memchr(b'\\', inside).is_none() {
        return Cow::Borrowed(inside);
    }
    let mut value = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match (byte, after.first()) {
            (b'\\', Some(&next @ (b'"' | b'\'' | b'\\'))) => Some(next),
            (b'\\', Some(b't')) => Some(b'\t'),
            (b'\\', Some(b'r')) => Some(b'\r'),
            (b'\\', Some(b'n')) => Some(b'\n'),
            _ => None,
        };
        value.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &after[1..] } else { after };
    }
    Cow::Owned(value)
}

/// The text in lower case: names of variables are compared so.
#[must_use]
pub fn lower(text: &[u8]) -> Cow<'_, [u8]> {
    if text.iter().any(u8::is_ascii_uppercase) { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) }
}

/// One piece of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text that stands for itself.
    Text(&'a [u8]),
    /// `$name` or `${name}`, the name as written.
    Variable(&'a [u8]),
    /// `$1` to `$9`.
    Capture(u8),
}

/// Why nginx refuses a value with variables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// A `$` with no name behind it.
    #[error("invalid variable name")]
    NoName,
    /// `${name` without its `}`.
    #[error("the closing bracket in \"{0}\" variable is missing")]
    NotClosed(String),
}

/// Splits a value at its variables (`ngx_http_script_compile`, `ngx_http_script.c`); each piece with where it stands in the value.
#[must_use]
pub fn pieces(value: &[u8]) -> Pieces<'_> {
    Pieces { value, at: 0 }
}

/// The pieces of a value; made by [`pieces`].
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    value: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<(Piece<'a>, Range<usize>), VariableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let rest = self.value.get(start..).filter(|rest| !rest.is_empty())?;
        let Some(after) = rest.strip_prefix(b"$") else {
            let length = memchr(b'$', rest).unwrap_or(rest.len());
            self.at += length;
            return Some(Ok((Piece::Text(&rest[..length]), start..self.at)));
        };
        // `$1`: one digit, and 0 is none.
        if let Some(&digit @ b'1'..=b'9') = after.first() {
            self.at += 2;
            return Some(Ok((Piece::Capture(digit - b'0'), start..self.at)));
        }
        let (open, name) = after.strip_prefix(b"{").map_or((0, after), |name| (1, name));
        let length = name.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || byte == b'_').count();
        let closed = open == 0 || name.get(length) == Some(&b'}');
        let name = &name[..length];
        self.at = if closed { start + 1 + length + 2 * open } else { self.value.len() };
        let ends_with_bracket = after == b"{";
        if !closed && !ends_with_bracket {
            return Some(Err(VariableError::NotClosed(String::from_utf8_lossy(name).into_owned())));
        }
        if length == 0 {
            self.at = self.value.len();
            return Some(Err(VariableError::NoName));
        }
        Some(Ok((Piece::Variable(name), start..self.at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> String {
        let show = |piece: Result<(Piece<'_>, Range<usize>), VariableError>| match piece {
            Ok((Piece::Text(text), _)) => format!("'{}'", String::from_utf8_lossy(text)),
            Ok((Piece::Variable(name), _)) => format!("${}", String::from_utf8_lossy(name)),
            Ok((Piece::Capture(number), _)) => format!("#{number}"),
            Err(error) => format!("{error}"),
        };
        pieces(value.as_bytes()).map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn quotes_and_escapes_are_undone_as_nginx_does() {
        assert_eq!(value(TokenKind::Quoted, b"'a b'").as_ref(), b"a b");
        assert_eq!(value(TokenKind::Word, br"a\.b\;\ \{").as_ref(), br"a\.b\;\ \{");
        assert_eq!(value(TokenKind::Quoted, br#""\"\'\\\t\n\d""#).as_ref(), b"\"'\\\t\n\\d");
        assert_eq!(value(TokenKind::Word, br"\\\\n").as_ref(), br"\\n");
    }

    #[test]
    fn variables_are_found() {
        assert_eq!(shown("http://$host${uri}x$1y"), "'http://' $host $uri 'x' #1 'y'");
        assert_eq!(shown("$12"), "#1 '2'");
        assert_eq!(shown("$a-b"), "$a '-b'");
        assert_eq!(shown(r"\$x"), r"'\' $x");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn what_nginx_refuses_is_refused_in_its_words() {
        assert_eq!(shown("a$"), "'a' invalid variable name");
        assert_eq!(shown("$ x"), "invalid variable name");
        assert_eq!(shown("${ho st}"), "the closing bracket in \"ho\" variable is missing");
        assert_eq!(shown("${host"), "the closing bracket in \"host\" variable is missing");
    }
}
