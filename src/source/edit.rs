//! Edits: bytes put in the place of others.

use super::Span;

/// Bytes that take the place of others; of an empty span, bytes put in between.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edit {
    /// What is replaced.
    pub span: Span,
    /// What is put there.
    pub text: Vec<u8>,
}

/// Whether two edits cannot both be made as they are: they touch the same bytes, or insert at the same place.
#[must_use]
pub fn overlap(one: &Edit, other: &Edit) -> bool {
    let (a, b) = (one.span, other.span);
    a.source == b.source && (a.start < b.end && b.start < a.end || a.start == b.start || a.is_empty() && a.start == b.end)
        || a.source == b.source && b.is_empty() && b.start == a.end
}

/// `bytes` after `edits`, which are sorted, of one source, and do not overlap.
#[must_use]
pub fn apply<'a>(bytes: &[u8], edits: impl IntoIterator<Item = &'a Edit>) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 256);
    let mut at = 0;
    for edit in edits {
        let range = edit.span.range();
        out.extend_from_slice(&bytes[at..range.start]);
        out.extend_from_slice(&edit.text);
        at = range.end;
    }
    out.extend_from_slice(&bytes[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;

    fn edit(start: u32, end: u32, text: &str) -> Edit {
        Edit { span: Span::new(SourceId(0), start, end), text: text.as_bytes().to_vec() }
    }

    #[test]
    fn edits_touch_nothing_but_their_spans() {
        assert_eq!(apply(b"abc\xff\r\n", &[edit(1, 2, "X"), edit(3, 3, "Y")]), b"aXcY\xff\r\n");
        assert_eq!(apply(b"abc", &[]), b"abc");
        assert_eq!(apply(b"abc", &[edit(0, 3, "")]), b"");
    }

    #[test]
    fn what_touches_overlaps() {
        assert!(overlap(&edit(1, 3, ""), &edit(2, 4, "")));
        assert!(overlap(&edit(2, 2, "a"), &edit(2, 2, "b")), "which one would be first?");
        assert!(overlap(&edit(2, 2, "a"), &edit(1, 2, "")));
        assert!(!overlap(&edit(1, 2, ""), &edit(2, 4, "")));
        assert!(!overlap(&edit(2, 2, "a"), &edit(3, 3, "b")));
    }
}
