//! Matching one path component against a pattern: `apr_fnmatch` with `APR_FNM_PERIOD`, as `Include` uses it.

/// Whether `name` matches `pattern`; a leading period is matched by a written one only.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.starts_with(b".") && !pattern.starts_with(b".") {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    // Where to go back to: behind the last star, and one byte further in the name each time.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, n));
            p += 1;
        } else if let Some(length) = one(&pattern[p..], name[n]) {
            p += length;
            n += 1;
        } else if let Some((behind, at)) = star {
            star = Some((behind, at + 1));
            p = behind;
            n = at + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// The length of the pattern element at the front that matches `byte`.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern.first()? {
        b'?' => Some(1),
        b'[' => class(pattern, byte),
        b'\\' if pattern.len() > 1 => (pattern[1] == byte).then_some(2),
        literal => (literal == byte).then_some(1),
    }
}

fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let mut at = 1 + usize::from(negated);
    let first = at;
    let mut holds = false;
    loop {
        match *pattern.get(at)? {
            b']' if at > first => return (holds != negated).then_some(at + 1),
            low => {
                let high =
                    if pattern.get(at + 1) == Some(&b'-') { pattern.get(at + 2).filter(|&&high| high != b']') } else { None };
                holds |= (low..=*high.unwrap_or(&low)).contains(&byte);
                at += if high.is_some() { 3 } else { 1 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_classes_and_periods() {
        assert!(matches(b"*.conf", b"a.conf"));
        assert!(!matches(b"*.conf", b".conf"));
        assert!(matches(b".*", b".hidden"));
        assert!(matches(b"[0-9][0-9]-*", b"10-site"));
        assert!(matches(b"[!a]?", b"bx") && !matches(b"[!a]?", b"ax"));
        assert!(matches(b"a*b*c", b"aXXbYYc") && !matches(b"a*b*c", b"aXXbYY"));
        assert!(!matches(b"[a", b"a"));
    }
}
