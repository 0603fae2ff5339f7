//! `Define` and `${NAME}`: what `ap_resolve_env` (`server/core.c`) does to a line before it is cut into words.

use memchr::{memchr, memmem};
use rustc_hash::{FxHashMap, FxHashSet};

/// A line never grows beyond this many bytes; references that would make it so are left as they are.
const LONGEST_LINE: usize = 64 * 1024;

/// All lines together never grow by more than this many bytes: definitions that double each other must not fill the memory.
const BUDGET: usize = 64 * 1024 * 1024;

/// What has been defined so far.
#[derive(Debug, Default)]
pub(super) struct Defines {
    /// Values by lower-case name: `${NAME}` is looked up regardless of case.
    values: FxHashMap<Vec<u8>, Vec<u8>>,
    /// Names as written: `<IfDefine>` minds case.
    names: FxHashSet<Vec<u8>>,
    /// Every name that any line defines, in lower case.
    ever: FxHashSet<Vec<u8>>,
    spent: usize,
}

impl Defines {
    /// `Define name [value]`.
    pub(super) fn define(&mut self, name: &[u8], value: Option<&[u8]>) {
        self.names.insert(name.to_vec());
        self.ever.insert(name.to_ascii_lowercase());
        if let Some(value) = value {
            self.values.insert(name.to_ascii_lowercase(), value.to_vec());
        }
    }

    /// `UnDefine name`.
    pub(super) fn undefine(&mut self, name: &[u8]) {
        self.names.remove(name);
        self.values.remove(&name.to_ascii_lowercase());
    }

    /// Whether any line that was read defines a name, given in lower case.
    pub(super) fn is_ever_defined(&self, name: &[u8]) -> bool {
        self.ever.contains(name)
    }

    /// Whether `<IfDefine name>` holds.
    pub(super) fn is_defined(&self, name: &[u8]) -> bool {
        self.names.contains(name)
    }

    /// The line with its references replaced; `None` where that changes nothing. What nothing defines stays as it is.
    pub(super) fn expand(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        memmem::find(line, b"${")?;
        let mut out = Vec::with_capacity(line.len());
        let mut rest = line;
        let mut changed = false;
        while let Some(at) = memmem::find(rest, b"${") {
            let Some(end) = memchr(b'}', &rest[at..]) else { break };
            out.extend_from_slice(&rest[..at]);
            let reference = &rest[at..=at + end];
            let found = self.values.get(&reference[2..end].to_ascii_lowercase());
            match found.filter(|value| out.len() + value.len() <= LONGEST_LINE && self.spent + value.len() <= BUDGET) {
                Some(value) => {
                    out.extend_from_slice(value);
                    self.spent += value.len();
                    changed = true;
                }
                None => out.extend_from_slice(reference),
            }
            rest = &rest[at + end + 1..];
        }
        out.extend_from_slice(rest);
        changed.then_some(out)
    }
}

/// The names that references in a line ask for, in lower case.
pub(super) fn references(line: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    memmem::find_iter(line, b"${").filter_map(|at| {
        let end = memchr(b'}', &line[at..])?;
        Some(line[at + 2..at + end].to_ascii_lowercase()).filter(|name| !name.contains(&b':'))
    })
}

/// Whether a reference that nothing defines is left in a word. A colon in it marks a rewrite map, which is another thing.
pub(super) fn has_reference(word: &[u8]) -> bool {
    memmem::find_iter(word, b"${")
        .any(|at| memchr(b'}', &word[at..]).is_some_and(|end| memchr(b':', &word[at..at + end]).is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_regardless_of_case_and_once() {
        let mut defines = Defines::default();
        defines.define(b"Backend", Some(b"http://b:80/"));
        assert_eq!(defines.expand(b"/ws ${backend}ws").unwrap(), b"/ws http://b:80/ws");
        assert_eq!(defines.expand(b"${other} $1 ${open"), None);
        defines.define(b"x", Some(b"${backend}"));
        assert_eq!(defines.expand(b"${x}").unwrap(), b"${backend}");
        assert!(!defines.is_defined(b"backend") && defines.is_defined(b"Backend"));
        defines.undefine(b"Backend");
        assert_eq!(defines.expand(b"${Backend}"), None);
    }

    #[test]
    fn what_is_left_is_unknown_unless_it_is_a_rewrite_map() {
        assert!(has_reference(b"http://${HOST}/"));
        assert!(!has_reference(b"${map:$1}") && !has_reference(b"$1") && !has_reference(b"${"));
    }

    #[test]
    fn doubling_definitions_stay_small() {
        let mut defines = Defines::default();
        defines.define(b"a", Some(b"xxxxxxxxxxxxxxxx"));
        for _ in 0..100 {
            let value = defines.expand(b"${a}${a}").unwrap_or_default();
            assert!(value.len() <= LONGEST_LINE + 8);
            defines.define(b"a", Some(&value));
        }
    }
}
