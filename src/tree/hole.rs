//! Template holes: text that another program replaces before the server reads the file.
//!
//! Jinja, Go and Mustache `{{ … }}` and `{% … %}`, ERB and EPP `<% … %>`, envsubst's `${NAME}`, autoconf's `@NAME@`.

use std::path::Path;

use memchr::memmem;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_until, take_while, take_while1};
use nom::character::complete::satisfy;
use nom::combinator::{recognize, value};
use nom::{IResult, Parser};

/// What a template hole can become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoleKind {
    /// Text: part of a word, or whole directives.
    Text,
    /// Nothing by itself: a condition, a loop, a comment.
    Control,
}

/// A hole longer than this many bytes is not taken for one: its end belongs to something else.
const LONGEST: usize = 16 * 1024;

/// What template files are called, after the name of what they become.
const ENDINGS: [&str; 10] = [".j2", ".jinja", ".jinja2", ".erb", ".epp", ".tmpl", ".tpl", ".template", ".in", ".mustache"];

/// Whether a file is a template, by its name or visibly: it has a pair of template brackets.
#[must_use]
pub fn is_template(path: &Path, bytes: &[u8]) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    ENDINGS.iter().any(|ending| name.ends_with(ending)) || name.contains(".conf.") || holds_pair(bytes)
}

/// Whether template brackets open and close on one line.
fn holds_pair(bytes: &[u8]) -> bool {
    const CLOSING: [&str; 3] = ["%}", "%>", "}}"];
    // Up to where each is known not to stand: a line of many opening brackets is searched once.
    let mut none_before = [0; CLOSING.len()];
    memchr::memchr2_iter(b'{', b'<', bytes).any(|at| {
        let kind = match &bytes[at..] {
            [b'{', b'%', ..] => 0,
            [b'<', b'%', ..] => 1,
            [b'{', b'{', ..] => 2,
            _ => return false,
        };
        if at < none_before[kind] {
            return false;
        }
        let line_end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |lf| at + lf);
        none_before[kind] = line_end;
        memmem::find(&bytes[at..line_end], CLOSING[kind].as_bytes()).is_some()
    })
}

/// The hole that begins at `at`, with one past its last byte.
#[must_use]
pub fn hole_at(bytes: &[u8], at: usize) -> Option<(HoleKind, usize)> {
    // Most bytes begin no hole; do not set up a parser for them.
    if !matches!(bytes.get(at), Some(b'{' | b'<' | b'$' | b'@')) {
        return None;
    }
    let rest = &bytes[at..bytes.len().min(at + LONGEST)];
    let (after, kind) = hole(rest).ok()?;
    Some((kind, at + rest.len() - after.len()))
}

fn hole(input: &[u8]) -> IResult<&[u8], HoleKind> {
    alt((
        double_brace,
        control_tag,
        value(HoleKind::Control, (tag("{#"), take_until("#}"), tag("#}"))),
        value(HoleKind::Text, (tag("<%="), take_until("%>"), tag("%>"))),
        value(HoleKind::Control, (tag("<%"), take_until("%>"), tag("%>"))),
        value(HoleKind::Text, (tag("${"), upper_name, tag("}"))),
        value(HoleKind::Text, (tag("@"), name, tag("@"))),
    ))
    .parse(input)
}

/// `{{ … }}`: text, but for the control words of Go's templates and the sections of Mustache.
fn double_brace(input: &[u8]) -> IResult<&[u8], HoleKind> {
    const WORDS: [&[u8]; 9] = [b"if", b"else", b"end", b"range", b"with", b"define", b"block", b"break", b"continue"];
    let (rest, (_, inside, _, more)) = (tag("{{"), take_until("}}"), tag("}}"), take_while(|byte| byte == b'}')).parse(input)?;
    let inside = inside.strip_prefix(b"-").unwrap_or(inside).trim_ascii();
    let inside = inside.strip_suffix(b"-").unwrap_or(inside).trim_ascii_end();
    let (word, behind) = inside.split_at(inside.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count());
    let is_word = WORDS.contains(&word) && (behind.is_empty() || behind[0].is_ascii_whitespace() || behind[0] == b'(');
    // `{{ $x := … }}` sets a variable; `{{/* … */}}`, `{{! … }}` are comments; `{{#x}}`, `{{^x}}`, `{{/x}}` begin and end sections.
    let sets = inside.starts_with(b"$") && (memmem::find(inside, b":=").is_some() || memmem::find(inside, b" = ").is_some());
    let marks = matches!(inside.first(), Some(b'#' | b'^' | b'/' | b'!'));
    let control = more.is_empty() && (is_word || sets || marks);
    Ok((rest, if control { HoleKind::Control } else { HoleKind::Text }))
}

/// `{% … %}`; one that includes another template may become anything.
fn control_tag(input: &[u8]) -> IResult<&[u8], HoleKind> {
    let (rest, (_, inside, _)) = (tag("{%"), take_until("%}"), tag("%}")).parse(input)?;
    let word = inside.trim_ascii_start();
    let word = word.strip_prefix(b"-").unwrap_or(word).trim_ascii_start();
    let brings_text = [b"include".as_slice(), b"block", b"call"].iter().any(|keyword| word.starts_with(keyword));
    Ok((rest, if brings_text { HoleKind::Text } else { HoleKind::Control }))
}

/// A name in any case, as autoconf substitutes them.
fn name(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while1(|byte: u8| byte.is_ascii_alphanumeric() || byte == b'_').parse(input)
}

fn upper_name(input: &[u8]) -> IResult<&[u8], &[u8]> {
    recognize((
        satisfy(|first| first.is_ascii_uppercase() || first == '_'),
        take_while(|byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'),
    ))
    .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Option<HoleKind> {
        hole_at(text.as_bytes(), 0).filter(|&(_, end)| end == text.len()).map(|(kind, _)| kind)
    }

    #[test]
    fn holes_of_every_kind_are_seen() {
        for text in ["{{ port }}", "{{ {'a': {}}}}", "<%= @port %>", "${NGINX_PORT}", "@PREFIX@", "{% include 'x' %}"] {
            assert_eq!(whole(text), Some(HoleKind::Text), "{text}");
        }
        for text in ["{{ if .Ssl }}", "{{- range $i := .X -}}", "{{ end }}", "{{- end -}}", "{{ else if .Y }}", "{{/* note */}}"]
        {
            assert_eq!(whole(text), Some(HoleKind::Control), "{text}");
        }
        for text in ["{{ $x := 1 }}", "{{#ssl}}", "{{/ssl}}", "{{ $x = 2 }}"] {
            assert_eq!(whole(text), Some(HoleKind::Control), "{text}");
        }
        for text in ["{{ $x }}", "{{ ending }}", "{{ iffy .X }}", "{{ .if }}", "{{ template \"x\" }}", "{{ end_ }}"] {
            assert_eq!(whole(text), Some(HoleKind::Text), "{text}");
        }
        for text in ["{% if ssl %}", "{%- endif -%}", "{# note #}", "<% if @ssl -%>", "<%# note %>"] {
            assert_eq!(whole(text), Some(HoleKind::Control), "{text}");
        }
        for text in ["${http_host}", "$host", "{ x }", "@backend", "<Location />", "{{ open"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }

    #[test]
    fn a_template_is_known_by_name_or_by_sight() {
        assert!(is_template(Path::new("nginx.conf.j2"), b""));
        assert!(is_template(Path::new("default.conf.template"), b""));
        assert!(is_template(Path::new("nginx.conf"), b"listen {{ port }};"));
        assert!(!is_template(Path::new("nginx.conf"), b"http { server { } }"));
    }
}
