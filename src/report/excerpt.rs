//! The few lines that a finding is shown with, as miette's `SourceCode`.
//!
//! miette's own reads a source from its first byte for each label, and prints what it reads as it is. An excerpt is a small text made
//! for one finding: the lines around its labels, of all the files that they lie in, escaped, and cut where a line is long. Offsets
//! are offsets into this text; lines and columns are those of the files.

use miette::{LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::escape;
use crate::source::{Source, SourceId, Sources, Span};

/// A line longer than this many characters is cut.
const LONGEST: usize = 180;
/// How many characters before the label a cut line begins.
const BEFORE: usize = 40;
/// How many lines are shown before and after a labelled one.
pub(super) const AROUND: u32 = 1;

/// Lines of several files, as they are shown.
#[derive(Debug, Default)]
pub(super) struct Excerpt {
    text: String,
    lines: Vec<Line>,
    /// The labels; the first is the finding's own place.
    pub(super) labels: Vec<LabeledSpan>,
    names: Vec<String>,
}

/// One line of an excerpt.
#[derive(Debug)]
struct Line {
    /// Where it starts in the text of the excerpt.
    start: usize,
    /// Which file it is of, by index into the names.
    file: usize,
    /// Its number, from 1.
    number: u32,
    /// The columns, from 0, at which labels begin, with their offsets in the text of the excerpt.
    columns: Vec<(usize, u32)>,
}

/// A label to place: the part of its span that lies on its first line.
struct Place<'a> {
    line: u32,
    start: u32,
    end: u32,
    text: &'a str,
    primary: bool,
}

impl Excerpt {
    /// The excerpt for these labels; the first one is the finding's own place and its file comes first.
    pub(super) fn new(sources: &Sources, labels: &[(Span, &str)]) -> Self {
        let mut files: Vec<SourceId> = Vec::new();
        for (span, _) in labels {
            if !files.contains(&span.source) {
                files.push(span.source);
            }
        }
        let mut excerpt = Self::default();
        for (file, &id) in files.iter().enumerate() {
            let source = sources.get(id);
            excerpt.names.push(escape::printable(&source.path().to_string_lossy()).into_owned());
            let own = labels.iter().enumerate().filter(|(_, (span, _))| span.source == id);
            let mut places: Vec<Place<'_>> = own.map(|(index, &(span, text))| place(source, span, text, index == 0)).collect();
            places.sort_by_key(|place| (place.start, place.end));
            excerpt.add(source, file, &places);
        }
        excerpt
    }

    /// Adds the lines around `places`, which stand in the order of the file.
    fn add(&mut self, source: &Source, file: usize, places: &[Place<'_>]) {
        let last = source.lines().line_count(source.bytes()).max(1);
        let mut next = 1;
        for place in places {
            let first = place.line.saturating_sub(AROUND).max(next);
            let end = (place.line + AROUND).min(last).max(place.line);
            for number in first..=end {
                let on_line: Vec<&Place<'_>> = places.iter().filter(|place| place.line == number).collect();
                self.line(source, file, number, &on_line);
            }
            next = next.max(end + 1);
        }
    }

    fn line(&mut self, source: &Source, file: usize, number: u32, places: &[&Place<'_>]) {
        let bytes = source.lines().line_text(source.bytes(), number);
        let start = source.lines().line_start(number) as usize;
        let mut line = Line { start: self.text.len(), file, number, columns: Vec::new() };
        let offset = |offset: u32| (offset as usize).saturating_sub(start).min(bytes.len());
        let window = window(bytes, places.first().map(|place| offset(place.start)));
        let mut marks: Vec<usize> = places.iter().flat_map(|place| [offset(place.start), offset(place.end)]).collect();
        marks.sort_unstable();
        let mapped = self.push(bytes, window, &marks);
        let at = |offset: usize| marks.binary_search(&offset).map_or(line.start, |index| mapped[index]);
        for place in places {
            let (from, to) = (at(offset(place.start)), at(offset(place.end)));
            line.columns.push((from, source.position(place.start).column - 1));
            let label = (!place.text.is_empty()).then(|| escape::printable(place.text).into_owned());
            let span = SourceSpan::new(from.into(), to.saturating_sub(from));
            let label = if place.primary {
                LabeledSpan::new_primary_with_span(label, span)
            } else {
                LabeledSpan::new_with_span(label, span)
            };
            self.labels.push(label);
        }
        self.text.push('\n');
        self.lines.push(line);
    }

    /// Appends the part of a line that lies in `window`, escaped; returns where each of the sorted `marks` came to lie.
    fn push(&mut self, bytes: &[u8], window: std::ops::Range<usize>, marks: &[usize]) -> Vec<usize> {
        let mut mapped = Vec::with_capacity(marks.len());
        if window.start > 0 {
            self.text.push('…');
        }
        let mut at = window.start;
        let mut reach = |at: usize, text: &String| {
            while marks.get(mapped.len()).is_some_and(|&mark| mark <= at) {
                mapped.push(text.len());
            }
        };
        for chunk in bytes[window.clone()].utf8_chunks() {
            for char in chunk.valid().chars() {
                reach(at, &self.text);
                if char == '\t' {
                    self.text.push('\t');
                } else {
                    escape::push(&mut self.text, char);
                }
                at += char.len_utf8();
            }
            for _ in chunk.invalid() {
                reach(at, &self.text);
                self.text.push(char::REPLACEMENT_CHARACTER);
                at += 1;
            }
        }
        reach(window.end, &self.text);
        if window.end < bytes.len() {
            self.text.push('…');
        }
        reach(usize::MAX, &self.text);
        mapped
    }

    /// The line that holds `offset`, by index.
    fn line_at(&self, offset: usize) -> usize {
        self.lines.partition_point(|line| line.start <= offset).saturating_sub(1)
    }

    /// Whether the line `index` follows the one before it in the same file.
    fn follows(&self, index: usize) -> bool {
        index > 0 && index < self.lines.len() && {
            let (before, line) = (&self.lines[index - 1], &self.lines[index]);
            before.file == line.file && before.number + 1 == line.number
        }
    }
}

fn place<'a>(source: &Source, span: Span, text: &'a str, primary: bool) -> Place<'a> {
    let line = source.lines().line(span.start);
    let line_end = source.lines().line_start(line) as usize + source.lines().line_text(source.bytes(), line).len();
    let end = span.end.min(u32::try_from(line_end).unwrap_or(u32::MAX)).max(span.start);
    Place { line, start: span.start, end, text, primary }
}

/// The part of a line that is shown, in bytes: all of it, or what lies around the first label.
fn window(bytes: &[u8], label: Option<usize>) -> std::ops::Range<usize> {
    if bytes.len() <= LONGEST {
        return 0..bytes.len();
    }
    // Counted in bytes, and moved off the inside of characters: near enough for a line this long.
    let mut start = label.unwrap_or(0).saturating_sub(BEFORE);
    if start < BEFORE {
        start = 0;
    }
    let mut end = (start + LONGEST).min(bytes.len());
    while start > 0 && bytes[start] & 0xc0 == 0x80 {
        start -= 1;
    }
    while end < bytes.len() && bytes[end] & 0xc0 == 0x80 && end < start + LONGEST + 4 {
        end += 1;
    }
    start..end
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let end = span.offset() + span.len();
        if self.lines.is_empty() || end > self.text.len() {
            return Err(MietteError::OutOfBounds);
        }
        let labelled = self.line_at(span.offset());
        let last_labelled = self.line_at(end.max(span.offset() + 1) - 1).max(labelled);
        // A span over lines that do not follow each other is no excerpt: miette asks to see whether two can be shown as one.
        if (labelled + 1..=last_labelled).any(|index| !self.follows(index)) {
            return Err(MietteError::OutOfBounds);
        }
        let (mut first, mut last) = (labelled, last_labelled);
        (0..before).for_each(|_| first -= usize::from(self.follows(first)));
        (0..after).for_each(|_| last += usize::from(self.follows(last + 1)));
        let Line { start, file, number, .. } = self.lines[first];
        let stop = self.lines.get(last + 1).map_or(self.text.len(), |line| line.start);
        let columns = &self.lines[labelled].columns;
        // The column is told of the span itself where no lines around it are asked for, as miette's own sources do.
        let column = columns.iter().find(|&&(offset, _)| before == 0 && offset == span.offset()).map_or(0, |&(_, column)| column);
        Ok(Box::new(MietteSpanContents::new_named(
            self.names[file].clone(),
            &self.text.as_bytes()[start..stop],
            SourceSpan::new(start.into(), stop - start),
            number as usize - 1,
            column as usize,
            last - first + 1,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &[u8])]) -> Sources {
        let mut sources = Sources::default();
        for (path, bytes) in files {
            sources.add(Source::new(path.into(), bytes.to_vec()));
        }
        sources
    }

    fn span(file: u32, start: u32, end: u32) -> Span {
        Span::new(SourceId(file), start, end)
    }

    #[test]
    fn lines_around_each_label_are_kept_and_no_others() {
        let sources = sources(&[("a", b"1\n2\n3\n4\n5\n6\n7\n8\n"), ("b", b"x\n")]);
        let excerpt = Excerpt::new(&sources, &[(span(0, 12, 13), "seven"), (span(0, 0, 1), "one"), (span(1, 0, 1), "x")]);
        let lines: Vec<_> = excerpt.lines.iter().map(|line| (line.file, line.number)).collect();
        assert_eq!(lines, [(0, 1), (0, 2), (0, 6), (0, 7), (0, 8), (1, 1)]);
        assert_eq!(excerpt.text, "1\n2\n6\n7\n8\nx\n");
    }

    #[test]
    fn labels_stay_on_their_text_whatever_is_escaped_before_it() {
        let sources = sources(&[("a", b"\x1b\xff\xc3\xa9 bad\n")]);
        let excerpt = Excerpt::new(&sources, &[(span(0, 5, 8), "here")]);
        let label = &excerpt.labels[0];
        assert_eq!(&excerpt.text[label.offset()..label.offset() + label.len()], "bad");
        let contents = excerpt.read_span(label.inner(), 0, 0).unwrap();
        assert_eq!((contents.line(), contents.column()), (0, 4));
    }

    #[test]
    fn a_long_line_is_cut_around_its_label() {
        let mut bytes = vec![b'a'; 1_000_000];
        bytes[500_000..500_003].copy_from_slice(b"bad");
        let sources = sources(&[("a", &bytes)]);
        let excerpt = Excerpt::new(&sources, &[(span(0, 500_000, 500_003), "here"), (span(0, 900_000, 900_001), "far")]);
        assert!(excerpt.text.len() < 300);
        let label = &excerpt.labels[0];
        assert_eq!(&excerpt.text[label.offset()..label.offset() + label.len()], "bad");
    }

    #[test]
    fn a_span_over_several_lines_is_shown_on_its_first() {
        let sources = sources(&[("a", b"location /\n{\n}\n")]);
        let excerpt = Excerpt::new(&sources, &[(span(0, 0, 14), "here")]);
        assert_eq!(excerpt.labels[0].len(), 10);
    }

    #[test]
    fn an_empty_file_has_a_place_to_show() {
        let sources = sources(&[("a", b"")]);
        let excerpt = Excerpt::new(&sources, &[(span(0, 0, 0), "here")]);
        assert!(excerpt.read_span(excerpt.labels[0].inner(), 1, 1).is_ok());
    }
}
