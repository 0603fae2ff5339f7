//! What a comment says to proxylint: `# proxylint: VERB`, `# proxylint: VERB[NAME, NAME] reason`.

use std::ops::Range;

/// A comment that is meant for proxylint. Ranges are bytes of the comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What is asked for, e.g. `websocket` or `ignore`.
    pub verb: Range<usize>,
    /// The names in the brackets behind it; `None` where there are no brackets, or they are not closed.
    pub names: Option<Vec<Range<usize>>>,
}

/// What a mark begins with.
const HEAD: &[u8] = b"proxylint:";

impl Mark {
    /// Whether what a mark begins with stands in a text, as people write it: mostly not, and looking for it is cheap.
    #[must_use]
    pub fn stands_in(text: &[u8]) -> bool {
        let ends = ["int:", "INT:", "Int:"].iter().flat_map(|end| memchr::memmem::find_iter(text, end).map(|at| at + end.len()));
        ends.into_iter().any(|end| end.checked_sub(HEAD.len()).is_some_and(|at| text[at..end].eq_ignore_ascii_case(HEAD)))
    }

    /// What a comment, from its `#` on, says to proxylint, where it says something.
    #[must_use]
    pub fn of(comment: &[u8]) -> Option<Self> {
        let hash = skip_blanks(comment, 0);
        let start = skip_blanks(comment, hash + usize::from(comment.get(hash) == Some(&b'#')));
        if !comment.get(start..start + HEAD.len()).is_some_and(|head| head.eq_ignore_ascii_case(HEAD)) {
            return None;
        }
        let from = skip_blanks(comment, start + HEAD.len());
        let length = comment[from..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
        let verb = from..from + length;
        let names = comment[verb.end..].strip_prefix(b"[").and_then(|rest| {
            let end = memchr::memchr(b']', rest)?;
            Some(names(comment, verb.end + 1..verb.end + 1 + end))
        });
        Some(Self { verb, names })
    }
}

/// The names between commas, blanks left out.
fn names(comment: &[u8], list: Range<usize>) -> Vec<Range<usize>> {
    let mut start = list.start;
    let mut found = Vec::new();
    for name in comment[list].split(|&byte| byte == b',') {
        let from = start + (name.len() - name.trim_ascii_start().len());
        if !name.trim_ascii().is_empty() {
            found.push(from..from + name.trim_ascii().len());
        }
        start += name.len() + 1;
    }
    found
}

fn skip_blanks(text: &[u8], from: usize) -> usize {
    from + text.get(from..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_seen_as_people_write_them() {
        for text in ["listen 80; # proxylint: websocket", "#Proxylint: ignore", "# ProxyLint: ignore", "# PROXYLINT: ignore[x]"] {
            assert!(Mark::stands_in(text.as_bytes()), "{text}");
        }
        assert!(!Mark::stands_in(b"# linted by proxylint"));
    }

    fn read(comment: &str) -> Option<(&str, Option<Vec<&str>>)> {
        let mark = Mark::of(comment.as_bytes())?;
        let names = mark.names.map(|names| names.into_iter().map(|name| &comment[name]).collect());
        Some((&comment[mark.verb], names))
    }

    #[test]
    fn a_mark_is_a_verb_and_names() {
        assert_eq!(read("# proxylint: websocket"), Some(("websocket", None)));
        assert_eq!(read("#proxylint:no-websocket because"), Some(("no-websocket", None)));
        assert_eq!(read("  # proxylint: ignore[a-b, c ,] they ping"), Some(("ignore", Some(vec!["a-b", "c"]))));
        assert_eq!(read("# proxylint: ignore[]"), Some(("ignore", Some(vec![]))));
        assert_eq!(read("# proxylint: ignore[a"), Some(("ignore", None)));
        assert_eq!(read("# proxylint:"), Some(("", None)));
    }

    #[test]
    fn other_comments_are_none() {
        for comment in ["", "#", "# checked by proxylint", "# see proxylint: it says", "proxylin"] {
            assert_eq!(read(comment), None, "{comment}");
        }
    }
}
