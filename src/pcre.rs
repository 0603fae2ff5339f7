//! Regular expressions that PCRE does not compile, as far as it shows without compiling them.

use rustc_hash::FxHashSet;

/// PCRE2's reason why it refuses a pattern for its parentheses; `None` where nothing is amiss with these.
pub(crate) fn fault(pattern: &[u8]) -> Option<&'static str> {
    // In these the text has other rules: `\\Q…\\E`, `(?x)` with its comments.
    if pattern.windows(2).any(|pair| matches!(pair, br"\Q" | b"(*"))
        || pattern.windows(3).any(|start| start == b"(?#")
        || sets(pattern, b'x')
    {
        return None;
    }
    // Groups of one name are let be under `(?J)`, and where alternatives share their numbers.
    let may_repeat = sets(pattern, b'J') || memchr::memmem::find(pattern, b"(?|").is_some();
    let mut names = FxHashSet::default();
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
                at += posix_class(&pattern[at + 1..]).unwrap_or(0);
            }
            (b']', Some(_)) => class = None,
            // `(*` and `(?` are the beginnings of something else.
            (b'*' | b'+' | b'?', None) if follows_nothing(&pattern[..at]) => {
                return Some("quantifier does not follow a repeatable item");
            }
            (b'(', None) => {
                depth += 1;
                if let Some((name, behind)) = name_of_group(&pattern[at..]) {
                    let is_new = names.insert(name);
                    if let Some(reason) = misnamed(name, behind, is_new || may_repeat) {
                        return Some(reason);
                    }
                }
            }
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

/// How much of a text that follows a `[` inside a class is `:alpha:]` (`check_posix_syntax`, `pcre2_compile.c`).
fn posix_class(text: &[u8]) -> Option<usize> {
    let (&mark, rest) = text.split_first()?;
    // The search ends at the next `[:`, so that a row of them is not looked through again and again.
    let end = rest.windows(2).position(|pair| pair[0] == b']' || pair == [b'[', mark] || pair == [mark, b']'])?;
    (rest[end] == mark).then_some(end + 3)
}

/// The name of the group that begins here, and the byte behind it.
fn name_of_group(text: &[u8]) -> Option<(&[u8], Option<u8>)> {
    let rest = text.strip_prefix(b"(?")?;
    let (mark, name) = rest.strip_prefix(b"P").unwrap_or(rest).split_first()?;
    // `(?<=` and `(?<!` look behind.
    if !matches!(mark, b'<' | b'\'') || matches!(name.first(), Some(b'=' | b'!')) {
        return None;
    }
    let end = name.iter().position(|&byte| !(byte.is_ascii_alphanumeric() || byte == b'_')).unwrap_or(name.len());
    Some((&name[..end], name.get(end).copied()))
}

/// The names of the pattern's groups.
pub(crate) fn names(pattern: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = memchr::memmem::find_iter(pattern, b"(?").filter(|&at| !is_escaped(pattern, at));
    starts.filter_map(|at| name_of_group(&pattern[at..])).map(|(name, _)| name)
}

/// What is wrong with the name of a group.
fn misnamed(name: &[u8], behind: Option<u8>, may_be: bool) -> Option<&'static str> {
    if name.first().is_some_and(u8::is_ascii_digit) {
        return Some("subpattern name must start with a non-digit");
    }
    if !matches!(behind, Some(b'>' | b'\'')) {
        return Some("syntax error in subpattern name (missing terminator?)");
    }
    if name.len() > 32 {
        return Some("subpattern name is too long (maximum 32 code units)");
    }
    (!may_be).then_some("two named subpatterns have the same name (PCRE2_DUPNAMES not set)")
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

/// Whether the pattern sets this flag inside itself.
fn sets(pattern: &[u8], wanted: u8) -> bool {
    pattern.windows(2).enumerate().filter(|(_, pair)| *pair == b"(?").any(|(at, _)| {
        let flags = pattern[at + 2..].iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'-');
        let has_it = flags.clone().any(|&flag| flag == wanted);
        has_it && matches!(pattern.get(at + 2 + flags.count()), Some(b')' | b':'))
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
        for pattern in [
            "a*",
            r"\(*",
            r"a\|*",
            "(?<=a)b",
            "(?<a>x)(?P<b>y)(?'c'z)",
            "(?:a)?",
            "[|*]",
            "[(?<>]",
            "(?|(?<a>x)|(?<a>y))",
            "(?iJ)(?<a>x)(?<a>y)",
        ] {
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
