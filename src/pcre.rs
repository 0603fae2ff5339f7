//! Regular expressions that PCRE does not compile, as far as it shows without compiling them.

/// PCRE2's reason why it refuses a pattern for its parentheses; `None` where nothing is amiss with these.
pub(crate) fn fault(pattern: &[u8]) -> Option<&'static str> {
    // In these the text has other rules: `\\Q…\\E`, `(?x)` with its comments.
    if pattern.windows(2).any(|pair| matches!(pair, br"\Q" | b"(*"))
        || pattern.windows(3).any(|start| start == b"(?#")
        || extended(pattern)
    {
        return None;
    }
    if let Some(reason) = misnamed(pattern) {
        return Some(reason);
    }
    let (mut depth, mut class, mut at) = (0usize, None::<usize>, 0);
    while let Some(&byte) = pattern.get(at) {
        match (byte, class) {
            (b'\\', _) => at += 1,
            (b'[', None) => {
                // A `]` that comes first stands for itself.
                let negated = usize::from(pattern.get(at + 1) == Some(&b'^'));
                at += negated + usize::from(pattern.get(at + 1 + negated) == Some(&b']'));
                class = Some(at);
            }
            (b'[', Some(_)) if matches!(pattern.get(at + 1), Some(b':' | b'.' | b'=')) => {
                // `[:alpha:]`.
                if let Some(end) = pattern[at + 2..].windows(2).position(|pair| pair == [pattern[at + 1], b']']) {
                    at += end + 3;
                }
            }
            (b']', Some(_)) => class = None,
            // `(*` and `(?` are the beginnings of something else.
            (b'*' | b'+' | b'?', None) if follows_nothing(&pattern[..at]) => {
                return Some("quantifier does not follow a repeatable item");
            }
            (b'(', None) => depth += 1,
            (b')', None) => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return Some("unmatched closing parenthesis"),
            },
            _ => {}
        }
        at += 1;
    }
    match (class, depth) {
        (Some(_), _) => Some("missing terminating ] for character class"),
        (None, 0) => None,
        (None, _) => Some("missing closing parenthesis"),
    }
}

/// Whether an odd number of backslashes stands before a place.
fn is_escaped(pattern: &[u8], at: usize) -> bool {
    pattern[..at].iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

/// Where named groups begin: the marks that stand before the name, and the byte behind it.
fn named(pattern: &[u8]) -> impl Iterator<Item = (&[u8], Option<u8>)> {
    let starts = memchr::memmem::find_iter(pattern, b"(?").filter(|&at| !is_escaped(pattern, at));
    starts.filter_map(|at| {
        let rest = &pattern[at + 2..];
        let (mark, name) = rest.strip_prefix(b"P").unwrap_or(rest).split_first()?;
        // `(?<=` and `(?<!` look behind.
        if !matches!(mark, b'<' | b'\'') || matches!(name.first(), Some(b'=' | b'!')) {
            return None;
        }
        let end = name.iter().position(|&byte| !(byte.is_ascii_alphanumeric() || byte == b'_')).unwrap_or(name.len());
        Some((&name[..end], name.get(end).copied()))
    })
}

/// The names of the pattern's groups.
pub(crate) fn names(pattern: &[u8]) -> impl Iterator<Item = &[u8]> {
    named(pattern).map(|(name, _)| name)
}

/// What is wrong with the names of groups.
fn misnamed(pattern: &[u8]) -> Option<&'static str> {
    let mut names = Vec::new();
    for (name, behind) in named(pattern) {
        if name.first().is_some_and(u8::is_ascii_digit) {
            return Some("subpattern name must start with a non-digit");
        }
        if !matches!(behind, Some(b'>' | b'\'')) {
            return Some("syntax error in subpattern name (missing terminator?)");
        }
        if name.len() > 32 {
            return Some("subpattern name is too long (maximum 32 code units)");
        }
        // Groups of one name are let be under `(?J)`.
        if names.contains(&name) && !pattern.starts_with(b"(?J)") {
            return Some("two named subpatterns have the same name (PCRE2_DUPNAMES not set)");
        }
        names.push(name);
    }
    None
}

/// How many groups the pattern captures; `None` where that does not show.
pub(crate) fn groups(pattern: &[u8]) -> Option<usize> {
    if pattern.contains(&b'[') || pattern.windows(2).any(|pair| matches!(pair, br"\Q" | b"(*")) {
        return None;
    }
    let opened = (0..pattern.len()).filter(|&at| pattern[at] == b'(' && !is_escaped(pattern, at));
    Some(opened.filter(|&at| pattern.get(at + 1) != Some(&b'?')).count() + names(pattern).count())
}

/// Whether a quantifier has nothing before it to repeat.
fn follows_nothing(before: &[u8]) -> bool {
    match before {
        [.., b'\\', _] => false,
        [] | [.., b'|'] => true,
        _ => false,
    }
}

/// Whether the pattern sets the flag `x` inside itself.
fn extended(pattern: &[u8]) -> bool {
    pattern.windows(2).enumerate().filter(|(_, pair)| *pair == b"(?").any(|(at, _)| {
        let flags = pattern[at + 2..].iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'-');
        let has_x = flags.clone().any(|&flag| flag == b'x');
        has_x && matches!(pattern.get(at + 2 + flags.count()), Some(b')' | b':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_and_classes_must_close() {
        assert_eq!(fault(b"^/(a"), Some("missing closing parenthesis"));
        assert_eq!(fault(b"^/a)"), Some("unmatched closing parenthesis"));
        assert_eq!(fault(b"*.css"), Some("quantifier does not follow a repeatable item"));
        assert_eq!(fault(b"a|+"), Some("quantifier does not follow a repeatable item"));
        assert_eq!(fault(b"[a-z"), Some("missing terminating ] for character class"));
    }

    #[test]
    fn quantifiers_and_names_of_groups() {
        for pattern in ["*a", "a|+", "(?:a|*)", "(?<1a>x)", "(?<a-b>x)", "(?<a>x)(?<a>y)"] {
            assert!(fault(pattern.as_bytes()).is_some(), "{pattern}");
        }
        for pattern in ["a*", r"\(*", r"a\|*", "(?<=a)b", "(?<a>x)(?P<b>y)(?'c'z)", "(?:a)?", "[|*]"] {
            assert_eq!(fault(pattern.as_bytes()), None, "{pattern}");
        }
        assert_eq!(groups(br"^(.+\.php)(?:/)(?<a>.+)$"), Some(2));
    }

    #[test]
    fn what_only_looks_open_is_let_be() {
        for pattern in [r"^/\(a", "[(]", "[]()]", "[^](]x", "[[:alpha:](]", "(?<a>b(c))", r"\Q(\E", "(?x)a #(", "(?i:a)"] {
            assert_eq!(fault(pattern.as_bytes()), None, "{pattern}");
        }
    }
}
