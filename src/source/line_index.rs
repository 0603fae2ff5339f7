//! From byte offsets to lines and columns, and back, in logarithmic time.

use memchr::memchr_iter;

/// A place as people count: line and column from 1, the column in Unicode code points.
///
/// A byte that is not part of valid UTF-8 counts as one code point, so every byte has a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1. A line ends with LF; CR LF is one line end whose CR belongs to the line.
    pub line: u32,
    /// Column in code points, from 1.
    pub column: u32,
}

/// The offsets at which the lines of one source start.
#[derive(Debug)]
pub struct LineIndex {
    starts: Vec<u32>,
}

impl LineIndex {
    /// Indexes `bytes`; one pass.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut starts = vec![0];
        // Sources are limited to 4 GiB when read (`Sources::add`), so offsets fit.
        starts.extend(memchr_iter(b'\n', bytes).map(|lf| u32::try_from(lf + 1).unwrap_or(u32::MAX)));
        Self { starts }
    }

    /// The number of lines; a final line end does not start another line, except in an empty source.
    #[must_use]
    pub fn line_count(&self, bytes: &[u8]) -> u32 {
        let ends_with_newline = bytes.last() == Some(&b'\n');
        u32::try_from(self.starts.len()).unwrap_or(u32::MAX) - u32::from(ends_with_newline)
    }

    /// The line, from 1, that holds byte `offset`.
    #[must_use]
    pub fn line(&self, offset: u32) -> u32 {
        u32::try_from(self.starts.partition_point(|&start| start <= offset)).unwrap_or(u32::MAX)
    }

    /// The position of byte `offset` of `bytes`, which must be the bytes that were indexed.
    #[must_use]
    pub fn position(&self, bytes: &[u8], offset: u32) -> Position {
        let line = self.line(offset);
        let start = self.line_start(line) as usize;
        let end = (offset as usize).min(bytes.len());
        let column = code_points(&bytes[start.min(end)..end]) + 1;
        Position { line, column }
    }

    /// The offset at which `line` (from 1) starts; past the last line, the start of the last.
    #[must_use]
    pub fn line_start(&self, line: u32) -> u32 {
        let index = (line.max(1) as usize - 1).min(self.starts.len() - 1);
        self.starts[index]
    }

    /// The bytes of `line` (from 1) without its line end (LF or CR LF).
    #[must_use]
    pub fn line_text<'a>(&self, bytes: &'a [u8], line: u32) -> &'a [u8] {
        let start = self.line_start(line) as usize;
        let end = self.starts.get(line as usize).map_or(bytes.len(), |&next| next as usize - 1);
        let text = &bytes[start..end.max(start)];
        text.strip_suffix(b"\r").unwrap_or(text)
    }
}

fn code_points(bytes: &[u8]) -> u32 {
    let count: usize = bytes.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum();
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bytes: &[u8], offset: u32) -> (u32, u32) {
        let Position { line, column } = LineIndex::new(bytes).position(bytes, offset);
        (line, column)
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        assert_eq!(at(b"ab\ncd", 0), (1, 1));
        assert_eq!(at(b"ab\ncd", 2), (1, 3));
        assert_eq!(at(b"ab\ncd", 3), (2, 1));
        assert_eq!(at(b"ab\ncd", 5), (2, 3));
        assert_eq!(at(b"", 0), (1, 1));
    }

    #[test]
    fn columns_are_code_points_and_invalid_bytes_count_one_each() {
        assert_eq!(at("é=x".as_bytes(), 2), (1, 2));
        assert_eq!(at(b"\xff\xfe=x", 2), (1, 3));
        assert_eq!(at(b"\xef\xbb\xbfx", 3), (1, 2), "a BOM is a character, as the servers see it");
    }

    #[test]
    fn a_line_text_has_no_line_end() {
        let bytes = b"a\r\nb\n";
        let index = LineIndex::new(bytes);
        assert_eq!(index.line_text(bytes, 1), b"a");
        assert_eq!(index.line_text(bytes, 2), b"b");
        assert_eq!(index.line_count(bytes), 2);
    }
}
