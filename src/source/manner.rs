//! The manner in which a file is written, which edits keep: its line ends, its indentation, and the comments that belong to a line.

/// The line end that a file uses.
#[must_use]
pub fn line_end(bytes: &[u8]) -> &'static [u8] {
    match memchr::memchr(b'\n', bytes) {
        Some(line_feed) if line_feed > 0 && bytes[line_feed - 1] == b'\r' => b"\r\n",
        _ => b"\n",
    }
}

/// What a file indents by.
#[must_use]
pub fn unit(bytes: &[u8]) -> &'static str {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    match lines.find(|line| matches!(line, [b' ' | b'\t', ..]) && !line.trim_ascii().is_empty()) {
        Some([b'\t', ..]) => "\t",
        Some([b' ', b' ', byte, ..]) if *byte != b' ' => "  ",
        _ => "    ",
    }
}

/// Where the line begins that `at` is in.
#[must_use]
pub fn line_start(bytes: &[u8], at: usize) -> usize {
    memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |line_feed| line_feed + 1)
}

/// Where the line that `at` is in ends, its line end included.
#[must_use]
pub fn line_stop(bytes: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |line_feed| at + line_feed + 1)
}

/// The blanks in front of `at`, where nothing else stands on its line.
#[must_use]
pub fn indent(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let indent = &bytes[line_start(bytes, at)..at];
    indent.iter().all(|byte| matches!(byte, b' ' | b'\t')).then_some(indent)
}

/// Where the comments begin that stand directly above the line which begins at `start`; there, where none do, or where they begin the file and
/// so are about all of it.
#[must_use]
pub fn comments_above(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(above) = bytes[..at].strip_suffix(b"\n") {
        let begin = line_start(above, above.len());
        let line = above[begin..].trim_ascii();
        // A comment that goes on over the next line is more than it seems.
        if !line.starts_with(b"#") || line.ends_with(b"\\") {
            return at;
        }
        at = begin;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manner_of_a_file_is_seen() {
        assert_eq!((line_end(b"a\r\nb"), line_end(b"a\nb"), line_end(b"a")), (&b"\r\n"[..], &b"\n"[..], &b"\n"[..]));
        for (text, wanted) in
            [("a {\n\tb;\n}", "\t"), ("a {\n  b;\n}", "  "), ("a {\n    b;\n}", "    "), ("a", "    "), ("  \n", "    ")]
        {
            assert_eq!(unit(text.as_bytes()), wanted, "{text}");
        }
        assert_eq!((indent(b"a\n \tb", 4), indent(b"a b", 2)), (Some(&b" \t"[..]), None));
        assert_eq!((line_start(b"a\nbc\nd", 4), line_stop(b"a\nbc\nd", 3), line_stop(b"a", 0)), (2, 5, 1));
    }

    #[test]
    fn comments_go_with_the_line_below_them_unless_they_are_about_the_file() {
        assert_eq!(comments_above(b"a\n# b\n# c\nd", 10), 2);
        assert_eq!(comments_above(b"# about the file\nd", 17), 17);
        assert_eq!(comments_above(b"a\n# b \\\n# c\nd", 12), 8);
        assert_eq!(comments_above(b"a\n\nd", 3), 3);
    }
}
