//! Patterns of `include` as glob(3) expands them: `*`, `?`, `[…]` and backslash within one path component.

use std::path::{Component, Path, PathBuf};

use crate::project::{Store, has_glob};

/// The existing files that `pattern` matches, in the order of glob(3) in the C locale; `None` where the directory in which the
/// first wildcard is looked up is not there.
pub(super) fn expand(store: &mut Store, pattern: &Path) -> Option<Vec<PathBuf>> {
    let mut found = vec![PathBuf::new()];
    let mut listed = false;
    for component in pattern.components() {
        let name = component.as_os_str();
        if !matches!(component, Component::Normal(_)) || !has_glob(name.as_encoded_bytes()) {
            for path in &mut found {
                path.push(component);
            }
            continue;
        }
        let mut next = Vec::new();
        for directory in &found {
            let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            let entries = store.list(directory);
            if entries.is_none() && !listed {
                return None;
            }
            let matching = entries.unwrap_or_default().iter().filter(|entry| {
                entry.file_name().is_some_and(|entry| matches(name.as_encoded_bytes(), entry.as_encoded_bytes()))
            });
            next.extend(matching.cloned());
        }
        found = next;
        listed = true;
    }
    // A file that was read is there: most were, and asking the file system again takes longer.
    found.retain(|path| store.is_known(path) || path.exists());
    found.sort_unstable_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    Some(found)
}

/// Whether a file name matches a pattern (`fnmatch` with `FNM_PERIOD`). Takes time in proportion to the product of the lengths at worst.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    // Where to take up again when what follows the last `*` does not fit.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(p + 1),
            Some(b'[') => bracket(&pattern[p..], name[n])
                .map_or_else(|| (name[n] == b'[').then_some(p + 1), |(length, fits)| fits.then_some(p + length)),
            Some(b'\\') if p + 1 < pattern.len() => (pattern[p + 1] == name[n]).then_some(p + 2),
            Some(&byte) => (byte == name[n]).then_some(p + 1),
            None => None,
        };
        match (step, retry) {
            (Some(next), _) => {
                p = next;
                n += 1;
            }
            (None, Some((star, from))) => {
                p = star;
                n = from + 1;
                retry = Some((star, n));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// The length of the bracket expression that `pattern` begins with, and whether `byte` is in it.
fn bracket(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = 1 + usize::from(negated);
    let mut at = first;
    let mut fits = false;
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > first {
            return Some((at + 1, fits != negated));
        }
        let range =
            (pattern.get(at + 1) == Some(&b'-')).then(|| pattern.get(at + 2).copied()).flatten().filter(|&high| high != b']');
        fits |= range.map_or(low == byte, |high| (low..=high).contains(&byte));
        at += if range.is_some() { 3 } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_c_library_does() {
        for (pattern, name) in [
            ("*.conf", "a.conf"),
            ("*", "a"),
            ("?.conf", "a.conf"),
            ("[a-c]*", "beta"),
            ("[!a]*", "beta"),
            ("a*b*c", "axxbyyc"),
            (".*", ".hidden"),
            (r"a\*b", "a*b"),
            ("[]]", "]"),
            ("a[", "a["),
        ] {
            assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.conf", ".conf"),
            ("*.conf", "a.conf.bak"),
            ("*", ".hidden"),
            ("[a-c]", "d"),
            ("?", ""),
            ("{a,b}", "a"),
            ("[!b]*", "beta"),
        ] {
            assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }
}
