//! The bytes of the files under lint, and where in them something stands.
//!
//! Bytes stay bytes: configuration comes in any encoding, and a file that is not UTF-8 must come back as it was.

mod edit;
mod file_kind;
mod line_index;
pub mod manner;
mod mark;
mod span;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use edit::{Edit, apply, overlap};
pub use file_kind::FileKind;
pub use line_index::{LineIndex, Position};
pub use mark::Mark;
pub use span::{SourceId, Span};

/// One file: its path as the user would name it, and its bytes as they are on disk.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Whether what begins a comment to us stands in it.
    has_marks: bool,
    lines: OnceLock<LineIndex>,
}

impl Source {
    /// A source named `path` with these bytes.
    #[must_use]
    pub fn new(path: PathBuf, bytes: Vec<u8>) -> Self {
        let has_marks = Mark::stands_in(&bytes);
        Self { path, bytes, has_marks, lines: OnceLock::new() }
    }

    /// Whether any comment of it may speak to us.
    #[must_use]
    pub fn has_marks(&self) -> bool {
        self.has_marks
    }

    /// The path as it is shown: relative where the user's was.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes, unchanged.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The line index, made when first asked for: most files have no finding and never need one.
    #[must_use]
    pub fn lines(&self) -> &LineIndex {
        self.lines.get_or_init(|| LineIndex::new(&self.bytes))
    }

    /// Line and column, from 1, of the byte at `offset`.
    #[must_use]
    pub fn position(&self, offset: u32) -> Position {
        self.lines().position(&self.bytes, offset)
    }
}

/// All sources of one run, in the order they were added.
#[derive(Debug, Default)]
pub struct Sources {
    sources: Vec<Source>,
}

impl Sources {
    /// The largest file that is read, in bytes: offsets are 32 bits wide, and a server's configuration is never near this.
    pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

    /// Makes room for so many more.
    pub fn reserve(&mut self, sources: usize) {
        self.sources.reserve(sources);
    }

    /// Adds `source` and returns its id.
    pub fn add(&mut self, source: Source) -> SourceId {
        let id = SourceId(u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
        self.sources.push(source);
        id
    }

    /// The source that `id` names.
    #[must_use]
    pub fn get(&self, id: SourceId) -> &Source {
        &self.sources[id.index()]
    }

    /// Puts other bytes in the place of a source's own, and returns those.
    pub fn replace(&mut self, id: SourceId, bytes: Vec<u8>) -> Vec<u8> {
        let source = &mut self.sources[id.index()];
        source.lines = OnceLock::new();
        source.has_marks = Mark::stands_in(&bytes);
        std::mem::replace(&mut source.bytes, bytes)
    }

    /// The bytes that `span` covers.
    #[must_use]
    pub fn slice(&self, span: Span) -> &[u8] {
        &self.get(span.source).bytes[span.range()]
    }

    /// Every source with its id, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        (0u32..).map(SourceId).zip(&self.sources)
    }

    /// The number of sources.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}
