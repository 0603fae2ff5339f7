//! The tokens of nginx's language, as `ngx_conf_read_token` (`ngx_conf_file.c`) tells them apart.

use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_till, take_while, take_while1};
use nom::character::complete::char;
use nom::combinator::{opt, value};
use nom::multi::fold_many0;
use nom::{IResult, Parser};

use super::hole::Holes;

/// The most bytes that nginx holds of one word or comment (`NGX_CONF_BUFFER`).
pub(super) const BUFFER: usize = 4096;

/// The result of a token parser; that a token is not there needs no explanation.
pub(super) type Lexed<'a, T> = IResult<&'a [u8], T, ()>;

/// Whether nginx takes the byte for a blank. Form feed, vertical tab and no-break space are ordinary bytes.
#[must_use]
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// How the end of a word was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Whether a template hole is part of it.
    pub(super) holed: bool,
    /// Whether a quoted word has its closing quote; true of a bare word.
    pub(super) closed: bool,
    /// Whether a backslash is part of it.
    pub(super) escapes: bool,
}

/// A run of blanks and line ends.
pub(super) fn blanks(input: &[u8]) -> Lexed<'_, &[u8]> {
    take_while1(is_blank).parse(input)
}

/// A comment up to, and without, its line end.
pub(super) fn comment(input: &[u8]) -> Lexed<'_, ()> {
    let (rest, _) = tag(b"#".as_slice()).parse(input)?;
    Ok((&rest[memchr::memchr(b'\n', rest).unwrap_or(rest.len())..], ()))
}

/// A bare word: up to a blank, `;` or `{`. Quotes, `#` and `}` in its middle are part of it.
pub(super) fn bare(input: &[u8], holes: Holes) -> Lexed<'_, Word> {
    if let Some(rest) = after_simple(input) {
        Ok((rest, Word { closed: true, ..Word::default() }))
    } else if holes == Holes::None {
        pieces(take_while1(is_plain), holes, false, input)
    } else {
        pieces(take_while1(is_plain_of_template), holes, false, input)
    }
}

/// What follows a bare word of nothing but letters, digits and the like, and of variables without brackets, as nearly all are; `None` for
/// others, and for those that end with the input.
fn after_simple(input: &[u8]) -> Option<&[u8]> {
    const SIMPLE: [bool; 256] = {
        let mut simple = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            #[expect(clippy::cast_possible_truncation, reason = "it is less than 256")]
            let is_simple = is_plain_of_template(byte as u8);
            simple[byte] = is_simple;
            byte += 1;
        }
        simple
    };
    let mut at = 0;
    loop {
        match input.get(at)? {
            b'$' if input.get(at + 1) != Some(&b'{') => {}
            byte if SIMPLE[usize::from(*byte)] => {}
            // A hole may begin with `{`.
            b' ' | b'\t' | b'\r' | b'\n' | b';' if at > 0 => return Some(&input[at..]),
            _ => return None,
        }
        at += 1;
    }
}

/// A quoted word, from its opening quote: up to its own closing quote, line ends included.
pub(super) fn quoted(input: &[u8], holes: Holes) -> Lexed<'_, Word> {
    if let (Holes::None, [quote @ (b'"' | b'\''), rest @ ..]) = (holes, input)
        && let Some(at) = memchr::memchr2(*quote, b'\\', rest)
        && rest[at] == *quote
    {
        return Ok((&rest[at + 1..], Word { closed: true, ..Word::default() }));
    }
    let (rest, quote) = alt((char('"'), char('\''))).parse(input)?;
    let (rest, word) = match (quote, holes) {
        ('"', Holes::None) => pieces(take_while1(|byte| byte != b'"' && byte != b'\\'), holes, true, rest),
        ('\'', Holes::None) => pieces(take_while1(|byte| byte != b'\'' && byte != b'\\'), holes, true, rest),
        ('"', _) => pieces(take_while1(|byte| byte != b'"' && is_plain_of_quoted(byte)), holes, true, rest),
        (_, _) => pieces(take_while1(|byte| byte != b'\'' && is_plain_of_quoted(byte)), holes, true, rest),
    }?;
    let (rest, end) = opt(char(quote)).parse(rest)?;
    Ok((rest, Word { closed: end.is_some(), ..word }))
}

/// What a word is made of.
#[derive(Clone, Copy)]
enum Piece {
    Text,
    Escape,
    Hole,
}

/// The pieces of a word. `plain` is the text that none of the others begins.
fn pieces<'a>(
    plain: impl Parser<&'a [u8], Output = &'a [u8], Error = ()>,
    holes: Holes,
    in_quotes: bool,
    input: &'a [u8],
) -> Lexed<'a, Word> {
    let escape = (char('\\'), opt(take(1usize)));
    // `{` directly after `$` is part of the word: `${name}`.
    let dollar = (char('$'), take_while(|byte| byte == b'{'));
    let piece = alt((
        value(Piece::Text, plain),
        value(Piece::Hole, move |input| hole(input, holes)),
        value(Piece::Escape, escape),
        value(Piece::Text, dollar),
        value(Piece::Text, move |input| no_hole(input, holes, in_quotes)),
    ));
    fold_many0(
        piece,
        || Word { closed: true, ..Word::default() },
        |word, piece| match piece {
            Piece::Text => word,
            Piece::Escape => Word { escapes: true, ..word },
            Piece::Hole => Word { holed: true, escapes: true, ..word },
        },
    )
    .parse(input)
}

/// A template hole.
fn hole(input: &[u8], holes: Holes) -> Lexed<'_, ()> {
    match holes.at(input, 0) {
        Some((_, end)) => Ok((&input[end..], ())),
        None => Err(nom::Err::Error(())),
    }
}

/// A byte that could have begun a template hole and did not.
fn no_hole(input: &[u8], holes: Holes, in_quotes: bool) -> Lexed<'_, ()> {
    match input.first() {
        Some(b'<' | b'@') if holes != Holes::None => Ok((&input[1..], ())),
        Some(b'{') if in_quotes => Ok((&input[1..], ())),
        _ => Err(nom::Err::Error(())),
    }
}

const fn is_plain(byte: u8) -> bool {
    !is_blank(byte) && !matches!(byte, b';' | b'{' | b'\\' | b'$')
}

const fn is_plain_of_template(byte: u8) -> bool {
    is_plain(byte) && !matches!(byte, b'<' | b'@')
}

fn is_plain_of_quoted(byte: u8) -> bool {
    !matches!(byte, b'{' | b'<' | b'@' | b'\\' | b'$')
}

/// The line up to its end, or `limit` bytes of it.
pub(super) fn line(input: &[u8], limit: usize) -> &[u8] {
    let input = &input[..input.len().min(limit)];
    let (_, line) = take_till::<_, _, ()>(|byte| byte == b'\n').parse(input).unwrap_or((input, input));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare_end(text: &str) -> &str {
        let (rest, _) = bare(text.as_bytes(), Holes::None).unwrap();
        &text[..text.len() - rest.len()]
    }

    #[test]
    fn a_bare_word_ends_at_a_blank_a_semicolon_or_a_brace() {
        assert_eq!(bare_end("listen 80;"), "listen");
        assert_eq!(bare_end("80;"), "80");
        assert_eq!(bare_end("http{"), "http");
        assert_eq!(bare_end(r#"a"b'c#d}e f"#), r#"a"b'c#d}e"#, "quotes, # and }} in mid-word are literal");
        assert_eq!(bare_end("${a}b{"), "${a}b");
        assert_eq!(bare_end(r"a\;b\ c d"), r"a\;b\ c");
        assert_eq!(bare_end("a\u{b}b\u{a0}c "), "a\u{b}b\u{a0}c");
    }

    #[test]
    fn a_quoted_word_ends_at_its_own_quote() {
        let (rest, word) = quoted(br#""a'\";{} #"; x"#, Holes::None).unwrap();
        assert_eq!((rest, word.closed), (b"; x".as_slice(), true));
        assert!(!quoted(b"'abc", Holes::None).unwrap().1.closed);
    }

    #[test]
    fn holes_are_part_of_words_in_templates_only() {
        assert_eq!(
            bare(b"a{{ b }}c;", Holes::Brackets).unwrap(),
            (b";".as_slice(), Word { holed: true, closed: true, escapes: true })
        );
        assert_eq!(bare(b"a{{ b", Holes::None).unwrap().0, b"{{ b");
        let (rest, word) = quoted(br#""{"a": "{{ "b" }}"}";"#, Holes::Brackets).unwrap();
        assert_eq!((rest, word.holed), (br#"a": "{{ "b" }}"}";"#.as_slice(), false));
        let (rest, word) = quoted(br#""a{{ "b" }}c";"#, Holes::Brackets).unwrap();
        assert_eq!((rest, word.holed), (b";".as_slice(), true));
    }
}
