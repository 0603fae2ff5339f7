//! Paths with wildcards as regular expressions: `apr_fnmatch`, as `ap_location_walk` and its kin use it.

/// What the wildcards of a section are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// The path of a request, in which several slashes are one whatever `MergeSlashes` says (`ap_location_walk`: `ap_no2slash`); no
    /// wildcard matches a slash (`APR_FNM_PATHNAME`).
    Path,
    /// The path of a file; no wildcard matches a slash.
    File,
    /// The URL of a backend: wildcards match slashes, too (`proxy_walk`).
    Backend,
}

/// Whether a text holds wildcards (`apr_fnmatch_test`).
pub(super) fn is_glob(text: &[u8]) -> bool {
    let mut bytes = text.iter();
    let mut open = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'*' | b'?' => return true,
            b'\\' if bytes.next().is_none() => return false,
            b'[' => open = true,
            b']' if open => return true,
            _ => {}
        }
    }
    false
}

/// The regular expression for a text with wildcards.
pub(super) fn pattern(glob: &[u8], compared: Compared) -> Vec<u8> {
    let any: &[u8] = if compared == Compared::Backend { b"." } else { b"[^/]" };
    let mut out = vec![b'^'];
    let mut at = 0;
    while let Some(&byte) = glob.get(at) {
        at += 1;
        match byte {
            b'*' => {
                out.extend_from_slice(any);
                out.push(b'*');
            }
            b'?' => out.extend_from_slice(any),
            // All slashes that stand together, none of which is left for a wildcard or for another slash.
            b'/' if compared == Compared::Path => out.extend_from_slice(b"/++"),
            b'[' if let Some(length) = class(&glob[at..], compared, &mut out) => at += length,
            b'\\' if let Some(&escaped) = glob.get(at) => {
                at += 1;
                literal(escaped, &mut out);
            }
            _ => literal(byte, &mut out),
        }
    }
    out.push(b'$');
    out
}

fn literal(byte: u8, out: &mut Vec<u8>) {
    if b".+(){}^$|[]\\*?".contains(&byte) {
        out.push(b'\\');
    }
    out.push(byte);
}

/// Writes a class whose `[` is before `rest`, and says how long it is; `None` where it is none, and the bracket stands for itself
/// (`fnmatch_ch`).
fn class(rest: &[u8], compared: Compared, out: &mut Vec<u8>) -> Option<usize> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let first = usize::from(negated);
    let mut members = Vec::new();
    let mut at = first;
    loop {
        let mut byte = *rest.get(at)?;
        match byte {
            b']' if at > first => break,
            b'/' if compared != Compared::Backend => return None,
            b'\\' => {
                at += 1;
                byte = *rest.get(at)?;
            }
            _ => {}
        }
        member(byte, &mut members);
        at += 1;
        if let (Some(b'-'), Some(&high)) = (rest.get(at), rest.get(at + 1))
            && high != b']'
        {
            // A range that runs backwards holds nothing.
            if high < byte {
                return None;
            }
            members.push(b'-');
            member(high, &mut members);
            at += 2;
        }
    }
    out.extend_from_slice(match (negated, compared) {
        (true, Compared::Backend) => b"[^",
        (true, _) => b"[^/",
        (false, Compared::Backend) => b"[",
        // A range may hold a slash that must not match.
        (false, _) => b"(?!/)[",
    });
    out.append(&mut members);
    out.push(b']');
    Some(at + 1)
}

fn member(byte: u8, out: &mut Vec<u8>) {
    if byte.is_ascii_punctuation() {
        out.push(b'\\');
    }
    out.push(byte);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, compared: Compared, text: &str) -> bool {
        let pattern = String::from_utf8(pattern(glob.as_bytes(), compared)).unwrap();
        fancy_regex::Regex::new(&pattern).unwrap().is_match(text).unwrap()
    }

    #[test]
    fn wildcards_stay_within_a_segment() {
        assert!(matches("/a.b/*/?[0-9]", Compared::File, "/a.b/x/y1"));
        assert!(!matches("/a.b/*/?[0-9]", Compared::File, "/a.b/x/z/y1"));
        assert!(!matches("/a.b/*/?[0-9]", Compared::File, "/axb/x/y1"));
        assert!(matches("http://a/*", Compared::Backend, "http://a/b/c"));
    }

    #[test]
    fn slashes_that_stand_together_are_one_in_the_path_of_a_request() {
        assert!(matches("/*/chat", Compared::Path, "//ws///chat"));
        assert!(!matches("/*/chat", Compared::Path, "//chat"));
        assert!(!matches("/*/chat", Compared::File, "/ws//chat"));
    }

    #[test]
    fn classes_are_those_of_fnmatch() {
        assert!(matches("/[!0-9]", Compared::Path, "/a"));
        assert!(!matches("/[!0-9]", Compared::Path, "/1"));
        assert!(!matches("/x[!0-9]y", Compared::File, "/x/y"));
        assert!(!matches("/x[+-9]y", Compared::File, "/x/y"));
        assert!(matches("/[]x]", Compared::File, "/]"));
        assert!(matches("/[x", Compared::File, "/[x"));
        assert!(matches(r"/\*", Compared::File, "/*") && !matches(r"/\*", Compared::File, "/a"));
    }

    #[test]
    fn brackets_alone_are_no_wildcards() {
        assert!(is_glob(b"/a*") && is_glob(b"/[ab]") && is_glob(b"/a?"));
        assert!(!is_glob(b"/[ab") && !is_glob(b"/]") && !is_glob(br"/\*"));
    }
}
