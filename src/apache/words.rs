//! The value of a word: quotes, escapes and continuations taken away.

use std::borrow::Cow;

use super::lex::is_blank;

/// The text without its line continuations.
pub(super) fn joined(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\n', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match &text[at..] {
            [b'\\', b'\n', ..] => at += 2,
            [b'\\', b'\r', b'\n', ..] => at += 3,
            _ => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    Cow::Owned(out)
}

/// The value of a word as it stands in the file.
pub(super) fn value(raw: &[u8]) -> Cow<'_, [u8]> {
    match joined(raw) {
        Cow::Borrowed(text) => unquoted(text),
        Cow::Owned(text) => Cow::Owned(unquoted(&text).into_owned()),
    }
}

/// `substring_conf` (`server/util.c`) over a word that holds no continuation.
fn unquoted(word: &[u8]) -> Cow<'_, [u8]> {
    let (inside, quote) = match word {
        [quote @ (b'"' | b'\''), rest @ ..] => match rest.split_last() {
            Some((last, inside)) if last == quote && closes(inside) => (inside, Some(*quote)),
            _ => (rest.trim_ascii_end(), Some(*quote)),
        },
        _ => (word, None),
    };
    let escapes = |pair: &[u8]| pair[0] == b'\\' && (pair[1] == b'\\' || Some(pair[1]) == quote);
    if !inside.windows(2).any(escapes) {
        return Cow::Borrowed(inside);
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut at = 0;
    while at < inside.len() {
        if inside.get(at..at + 2).is_some_and(escapes) {
            at += 1;
        }
        out.push(inside[at]);
        at += 1;
    }
    Cow::Owned(out)
}

/// Whether a quote behind `inside` is not escaped.
fn closes(inside: &[u8]) -> bool {
    inside.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 0
}

/// Takes the next word off a line that holds no continuations: `ap_getword_conf`. `None` at its end.
pub(super) fn next_word<'a>(line: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let rest = super::lex::blanks(line).map_or(*line, |(rest, _)| rest);
    let (after, _) = super::lex::word(rest, false).ok()?;
    *line = after;
    Some(unquoted(&rest[..rest.len() - after.len()]))
}

/// The arguments of `RewriteRule` and `RewriteCond`: two or three, as `parseargline` (`mod_rewrite.c`) cuts them.
///
/// A backslash takes a blank's meaning as separator, and stays; quotes have no escapes. A fourth word is ignored.
pub(super) fn rewrite_arguments(line: &[u8]) -> Option<RewriteArguments<'_>> {
    let mut rest = line;
    let subject = rewrite_argument(&mut rest)?;
    let object = rewrite_argument(&mut rest)?;
    Some(RewriteArguments { subject, object, flags: rewrite_argument(&mut rest) })
}

/// The expression of a line `Require [not] expr …`: all behind the word, without the quotes around it (`expr_parse_config`).
pub(super) fn required_expression(line: &[u8]) -> &[u8] {
    let mut rest = line;
    while let Some(word) = next_word(&mut rest) {
        if word.eq_ignore_ascii_case(b"expr") {
            break;
        }
    }
    let text = rest.trim_ascii();
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text)
}

/// The arguments of `RewriteRule` or `RewriteCond`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RewriteArguments<'a> {
    /// The pattern of a rule, or the string that a condition tests.
    pub(super) subject: &'a [u8],
    /// The substitution of a rule, or the pattern of a condition.
    pub(super) object: &'a [u8],
    /// The flags with their brackets.
    pub(super) flags: Option<&'a [u8]>,
}

fn rewrite_argument<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = rest.iter().position(|&byte| !is_blank(byte))?;
    let text = &rest[start..];
    let (text, quote) = match text {
        [quote @ (b'"' | b'\''), inside @ ..] => (inside, Some(*quote)),
        _ => (text, None),
    };
    let mut at = 0;
    while at < text.len() {
        if quote.map_or(is_blank(text[at]), |quote| text[at] == quote) {
            break;
        }
        let escaped = text[at] == b'\\' && text.get(at + 1).is_some_and(|&next| is_blank(next));
        at += if escaped { 2 } else { 1 };
    }
    let at = at.min(text.len());
    *rest = text.get(at + 1..).unwrap_or_default();
    Some(&text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(raw: &str) -> String {
        String::from_utf8(value(raw.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn quotes_and_escapes_go_and_other_backslashes_stay() {
        assert_eq!(show(r#""a b""#), "a b");
        assert_eq!(show(r#""a\"b\\c\d""#), r#"a"b\c\d"#);
        assert_eq!(show(r"^/x\.php\\$"), r"^/x\.php\$");
        assert_eq!(show("a\\\nb"), "ab");
        assert_eq!(show(r#""open "#), "open");
        assert_eq!(show(r#""x\""#), r#"x""#);
    }

    #[test]
    fn rewrite_arguments_keep_escaped_blanks() {
        let three = rewrite_arguments(br#"  ^/a\ b "ws://x/$1" [P,L] # ignored"#).unwrap();
        assert_eq!(three, RewriteArguments { subject: br"^/a\ b", object: b"ws://x/$1", flags: Some(b"[P,L]") });
        assert_eq!(rewrite_arguments(b"^ -"), Some(RewriteArguments { subject: b"^", object: b"-", flags: None }));
        assert_eq!(rewrite_arguments(b"^"), None);
    }
}
