//! Paths that patterns match: what a request to a route may ask for whose paths are not written out.

use fancy_regex::{Expr, Regex};

/// More repetitions than this are not written out, and no path is longer than [`LONGEST`].
const REPEATED: usize = 32;

/// Bytes of the longest path that is tried.
const LONGEST: usize = 1024;

/// What is tried where a class of characters stands: what paths are mostly made of first.
const CHARACTERS: [&str; 12] = ["x", "1", "X", "-", "_", ".", "/", "%", "=", "&", " ", "~"];

/// What may follow the literal beginning of a pattern that matches this beginning by itself.
const OPEN_ENDS: [&[u8]; 6] = [b"", b"$", b".*", b"(.*)", b".*$", b"(.*)$"];

/// The leading literal text of a pattern, as far as it goes; `/` at least.
#[must_use]
pub fn literal_beginning(pattern: &[u8]) -> String {
    beginning(pattern).0
}

/// A path that a pattern matches, as `matches` says, or at least begins like.
pub(super) fn sample(pattern: &[u8], matches: impl Fn(&str) -> bool) -> String {
    let (beginning, rest) = beginning(pattern);
    if OPEN_ENDS.contains(&rest) {
        return beginning;
    }
    let written = std::str::from_utf8(pattern).ok().and_then(|pattern| {
        let tree = Expr::parse_tree(pattern).ok()?;
        let mut path = String::new();
        write(&tree.expr, &mut path)?;
        Some(if path.starts_with('/') { path } else { format!("/{path}") })
    });
    written.filter(|path| matches(path)).unwrap_or(beginning)
}

/// The leading literal text, and what follows.
fn beginning(pattern: &[u8]) -> (String, &[u8]) {
    let mut path = String::new();
    let without = |pattern, prefix: &[u8]| <[u8]>::strip_prefix(pattern, prefix).unwrap_or(pattern);
    // Where case is ignored, any will do.
    let mut rest = without(without(without(pattern, b"^"), b"(?i)"), b"^");
    while let [byte, behind @ ..] = rest {
        let (literal, behind) = match (byte, behind) {
            // An escaped letter is a class or an assertion; escaped punctuation stands for itself.
            (b'\\', [next, behind @ ..]) if !next.is_ascii_alphanumeric() => (next, behind),
            (b'\\' | b'.' | b'*' | b'+' | b'?' | b'(' | b')' | b'[' | b'{' | b'|' | b'$' | b'^', _) => break,
            _ => (byte, behind),
        };
        // A repeated character may be absent.
        if let [b'?' | b'*' | b'{', ..] = behind {
            break;
        }
        path.push(char::from(*literal));
        rest = behind;
    }
    (if path.starts_with('/') { path } else { format!("/{path}") }, rest)
}

/// Writes the least that an expression matches, the first of alternatives; nothing where that cannot be said.
///
/// The parser of the crate bounds how deep expressions are nested.
fn write(expression: &Expr, path: &mut String) -> Option<()> {
    match expression {
        Expr::Literal { val, .. } => path.push_str(val),
        Expr::Any { .. } => path.push_str(CHARACTERS[0]),
        Expr::Concat(parts) => parts.iter().try_for_each(|part| write(part, path))?,
        Expr::Alt(alternatives) => write(alternatives.first()?, path)?,
        Expr::Group(inner) => write(inner, path)?,
        Expr::AtomicGroup(inner) => write(inner, path)?,
        Expr::Repeat { child, lo, .. } => {
            for _ in 0..*lo.min(&REPEATED) {
                let before = path.len();
                write(child, path)?;
                // To write nothing once more changes nothing, and takes as long again on every level.
                if path.len() == before {
                    break;
                }
            }
        }
        Expr::Delegate { inner, casei } => path.push_str(of_class(inner, *casei)?),
        // Whether these hold is asked of the whole path.
        Expr::Empty | Expr::Assertion(_) | Expr::LookAround(..) | Expr::KeepOut => {}
        _ => return None,
    }
    (path.len() <= LONGEST).then_some(())
}

/// A character of a class.
fn of_class(class: &str, ignore_case: bool) -> Option<&'static str> {
    let class = Regex::new(&format!("{}^{class}$", if ignore_case { "(?i)" } else { "" })).ok()?;
    CHARACTERS.into_iter().find(|character| class.is_match(character).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_literal_beginning_ends_before_what_varies() {
        for (pattern, path) in [
            ("^/ws", "/ws"),
            ("^/?(.*)", "/"),
            ("^/socket\\.io/(.*)$", "/socket.io/"),
            (".*", "/"),
            ("^/api/kernels/[^/]+/channels", "/api/kernels/"),
            ("^(.*)$", "/"),
            ("(?i)^/WS(.*)$", "/WS"),
        ] {
            assert_eq!(literal_beginning(pattern.as_bytes()), path, "{pattern}");
        }
    }

    #[test]
    fn a_sample_is_matched() {
        for (pattern, path) in [
            ("^/ws", "/ws"),
            ("^/?(.*)", "/"),
            ("^/api/kernels/[^/]+/channels", "/api/kernels/x/channels"),
            ("^/(?<rest>chat.*)", "/chat"),
            ("^/v\\d{2}/(?:ws|chat)$", "/v11/ws"),
            ("\\.(js|css)$", "/.js"),
            ("^/(?!ws)[a-z]+/", "/x/"),
            ("^(.*)$", "/"),
            ("^.+/hub$", "/x/hub"),
        ] {
            let regex = Regex::new(pattern).expect("a pattern");
            let sample = sample(pattern.as_bytes(), |path| regex.is_match(path).unwrap_or(false));
            assert_eq!(sample, path, "{pattern}");
        }
    }

    #[test]
    fn what_is_repeated_on_many_levels_and_may_be_absent_is_written_soon() {
        let nested = (0..20).fold("(?:a?)".to_owned(), |inner, _| format!("(?:{inner}){{9}}"));
        assert_eq!(sample(format!("^/ws{nested}x").as_bytes(), |_| true), "/wsx");
    }

    #[test]
    fn what_matches_nothing_is_begun() {
        assert_eq!(sample(b"^/a(?!b)b", |_| false), "/a");
        assert_eq!(sample(b"^/a[", |_| false), "/a");
    }
}
