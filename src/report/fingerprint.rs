//! What a finding is known by from run to run: its rule, its file, and the directive it blames with the blocks around it.
//!
//! Not its line: lines move whenever something above them changes.

use crate::project::Store;
use crate::rules::Finding;
use crate::source::Span;
use crate::tree::{DirectiveId, Tree};

/// Sixteen hexadecimal digits, hashed by FNV-1a. Blanks, line ends and comments between words do not count.
#[must_use]
pub fn fingerprint(store: &Store, finding: &Finding) -> String {
    let mut hash = Fnv::default();
    hash.field(finding.rule.as_bytes());
    let path = store.sources.get(finding.span.source).path().to_string_lossy().replace('\\', "/");
    hash.field(path.strip_prefix("./").unwrap_or(&path).as_bytes());
    let (tree, bytes) = (store.tree(finding.span.source), store.sources.get(finding.span.source).bytes());
    let mut next = directive_at(tree, finding.span);
    if next.is_none() {
        hash.field(store.sources.slice(finding.span));
    }
    while let Some(id) = next {
        let directive = tree.directive(id);
        hash.write(tree.text(directive.name, bytes));
        for word in tree.words(id) {
            hash.write(b" ");
            hash.write(tree.text(word, bytes));
        }
        hash.field(b"");
        next = directive.parent;
    }
    format!("{:016x}", hash.0)
}

/// The innermost directive whose head or block holds the start of `span`.
fn directive_at(tree: &Tree, span: Span) -> Option<DirectiveId> {
    let before = tree.directives().partition_point(|directive| tree.range(directive.name).start <= span.start);
    let mut next = before.checked_sub(1).and_then(|index| u32::try_from(index).ok()).map(DirectiveId);
    while let Some(id) = next {
        if span.start < tree.extent(id).end.max(tree.extent(id).start + 1) {
            return Some(id);
        }
        next = tree.directive(id).parent;
    }
    None
}

/// FNV-1a with 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): written out because it must never change.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// A text and what keeps it apart from the next: no text holds this byte pair.
    fn field(&mut self, bytes: &[u8]) {
        self.write(bytes);
        self.write(b"\xff\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        let of = |bytes: &[u8]| {
            let mut hash = Fnv::default();
            hash.write(bytes);
            hash.0
        };
        assert_eq!(of(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(of(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(of(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
