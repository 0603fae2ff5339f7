//! The tokens of one logical line: blanks and words, as `ap_getword_conf` (`server/util.c`) cuts them.
//!
//! The input is a logical line as it stands in the file: a line feed in it belongs to a continuation (`\` before the line end),
//! which httpd removes before it looks at anything else, so it may stand between words, within them and within quotes.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{recognize, value, verify};
use nom::error::ErrorKind;
use nom::multi::many0_count;
use nom::{IResult, Parser};

use crate::tree::{HoleKind, TokenKind, hole_at};

/// What `apr_isspace` calls a blank.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// A line continuation: `\` and the line end.
pub(super) fn continuation(input: &[u8]) -> IResult<&[u8], &[u8]> {
    alt((tag("\\\n"), tag("\\\r\n"))).parse(input)
}

/// Blanks and continuations before a word; perhaps none.
pub(super) fn blanks(input: &[u8]) -> IResult<&[u8], &[u8]> {
    // Most calls find one run of blanks, or none; only a backslash can make it more.
    let (rest, _) = take_while(is_blank).parse(input)?;
    if rest.first() != Some(&b'\\') {
        let length = input.len() - rest.len();
        return Ok((rest, &input[..length]));
    }
    recognize(many0_count(alt((take_while1(is_blank), continuation)))).parse(input)
}

/// The next word: in quotes, or up to a blank. With `holes`, template holes are parts of it whatever they hold.
pub(super) fn word(input: &[u8], holes: bool) -> IResult<&[u8], TokenKind> {
    let (length, kind) = match input.first() {
        Some(&quote @ (b'"' | b'\'')) => quoted(input, quote, holes),
        Some(_) => bare(input, holes),
        None => (0, TokenKind::Word),
    };
    match length {
        0 => Err(nom::Err::Error(nom::error::Error::new(input, ErrorKind::Eof))),
        _ => Ok((&input[length..], kind)),
    }
}

/// The first word of a section's or a closing tag's line, which no quote shortens.
pub(super) fn tag_word(input: &[u8], holes: bool) -> IResult<&[u8], TokenKind> {
    let (length, kind) = bare(input, holes);
    let (rest, _) = verify(nom::bytes::complete::take(length), |taken: &[u8]| !taken.is_empty()).parse(input)?;
    value(kind, nom::combinator::success(())).parse(rest)
}

/// The hole at `at`, unless it is httpd's own `${NAME}`.
pub(super) fn template_hole(input: &[u8], at: usize) -> Option<(HoleKind, usize)> {
    if input[at] == b'$' { None } else { hole_at(input, at) }
}

/// The first index from `at` on that is not part of a continuation.
fn past_continuations(input: &[u8], mut at: usize) -> usize {
    while let Ok((_, taken)) = continuation(&input[at..]) {
        at += taken.len();
    }
    at
}

/// The bytes at which a bare word may end: blanks, and the backslash of a continuation.
const ENDS_BARE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte, 0x09..=0x0d | 0x20 | 0x5c);
        byte += 1;
    }
    table
};

fn bare(input: &[u8], holes: bool) -> (usize, TokenKind) {
    let mut kind = TokenKind::Word;
    let mut at = 0;
    while let Some(&byte) = input.get(at) {
        if !holes && !ENDS_BARE[usize::from(byte)] {
            at += 1;
            continue;
        }
        if is_blank(byte) {
            break;
        }
        if byte == b'\\' {
            let past = past_continuations(input, at);
            if past > at {
                // A continuation after the last byte of a word is not part of it.
                if input.get(past).is_none_or(|&next| is_blank(next)) {
                    break;
                }
                at = past;
                continue;
            }
        } else if holes && let Some((_, end)) = template_hole(input, at) {
            kind = TokenKind::Holed;
            at = end;
            continue;
        }
        at += 1;
    }
    (at, kind)
}

/// A word in quotes; one that is not closed reaches to the end of the line.
fn quoted(input: &[u8], quote: u8, holes: bool) -> (usize, TokenKind) {
    let mut kind = TokenKind::Quoted;
    let mut at = 1;
    while let Some(&byte) = input.get(at) {
        if byte == quote {
            return (at + 1, kind);
        }
        if byte == b'\\' {
            let past = past_continuations(input, at);
            if past > at {
                at = past;
                continue;
            }
            // `\` takes the special meaning of the quote and of itself; of nothing else.
            let next = past_continuations(input, at + 1);
            at = if input.get(next).is_some_and(|&next| next == quote || next == b'\\') { next + 1 } else { at + 1 };
        } else if holes && let Some((_, end)) = template_hole(input, at) {
            kind = TokenKind::Holed;
            at = end;
        } else {
            at += 1;
        }
    }
    (input.len(), kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<&str> {
        let mut rest = line.as_bytes();
        let mut found = Vec::new();
        loop {
            rest = blanks(rest).unwrap().0;
            let Ok((after, _)) = word(rest, false) else { return found };
            found.push(str::from_utf8(&rest[..rest.len() - after.len()]).unwrap());
            rest = after;
        }
    }

    #[test]
    fn words_end_at_blanks_and_closing_quotes() {
        assert_eq!(words("ProxyPass  /a\thttp://b/"), ["ProxyPass", "/a", "http://b/"]);
        assert_eq!(words(r#""a"b 'c d'"#), ["\"a\"", "b", "'c d'"]);
        assert_eq!(words(r#"a"b c"#), ["a\"b", "c"]);
        assert_eq!(words(r#""a \" b" c"#), [r#""a \" b""#, "c"]);
        assert_eq!(words(r#""open to the end"#), ["\"open to the end"]);
    }

    #[test]
    fn continuations_join_words_and_separate_none() {
        assert_eq!(words("Proxy\\\nPass /a\\\r\nb"), ["Proxy\\\nPass", "/a\\\r\nb"]);
        assert_eq!(words("ProxyPass /a \\\n  http://b"), ["ProxyPass", "/a", "http://b"]);
        assert_eq!(words("ProxyPass /a\\\n  http://b"), ["ProxyPass", "/a", "http://b"]);
    }
}
