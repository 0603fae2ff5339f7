//! Holes in single braces, `{domain_name}`, as in templates of Python's `str.format` and of plain search and replace.
//!
//! A brace opens a block in nginx, so such a file must give itself away: a name in braces where the server takes no brace at all. Files
//! that nginx reads have none, so that they are never read otherwise than it does.

use crate::tree::{HoleKind, hole_at};

/// Which template holes are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holes {
    /// None: the file is no template.
    None,
    /// Those of brackets that mean nothing to nginx: `{{ name }}`, `<%= name %>`.
    Brackets,
    /// Names in single braces as well.
    Braces,
}

impl Holes {
    /// The hole that begins at `at`, with one past its last byte.
    pub(super) fn at(self, bytes: &[u8], at: usize) -> Option<(HoleKind, usize)> {
        let named = || name_at(bytes, at).map(|end| (HoleKind::Text, end));
        match self {
            Self::None => None,
            Self::Brackets => hole_at(bytes, at),
            Self::Braces => hole_at(bytes, at).or_else(named),
        }
    }
}

/// One past the `}` of the name in braces that begins at `at`.
pub(super) fn name_at(bytes: &[u8], at: usize) -> Option<usize> {
    let inside = bytes.get(at..)?.strip_prefix(b"{")?;
    let length = inside.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || byte == b'_').count();
    let is_name = length > 0 && !inside[0].is_ascii_digit();
    (is_name && inside.get(length) == Some(&b'}')).then_some(at + length + 2)
}

/// Whether the name in braces at `at` may be part of a path, as in `/users/{id}`, which is how people write about paths.
pub(super) fn is_of_path(bytes: &[u8], at: usize) -> bool {
    bytes[..at].ends_with(b"/") && !bytes[..at].ends_with(b"://")
}

/// How a line goes on whose names in braces are holes: whether it opens a block, and whether it ends a directive.
pub(super) fn goes_on(line: &[u8]) -> (bool, bool) {
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'{', &line[at..]) {
        match name_at(line, at + next) {
            Some(end) => at = end,
            None => return (true, false),
        }
    }
    (false, line[at..].trim_ascii_end().ends_with(b";"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_closed_at_once() {
        for (text, end) in [("{a}", Some(3)), ("{domain_name}:1", Some(13)), ("{A1};", Some(4))] {
            assert_eq!(name_at(text.as_bytes(), 0), end, "{text}");
        }
        for text in ["{}", "{3}", "{2,4}", "{ a }", "{a b}", "{a", "{a;}", "a"] {
            assert_eq!(name_at(text.as_bytes(), 0), None, "{text}");
        }
    }
}
