//! Paths that cover others by whole segments, as httpd compares them.

/// The paths whose mapping takes every request of one for `path` (`alias_match`, `mod_proxy.c`), the narrowest first.
pub(crate) fn covering(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let own = std::iter::once(path);
    // `/ws` takes what `/ws/` takes, but not the other way round.
    let ends = (0..path.len()).rev().filter(|&at| path[at] == b'/');
    own.chain(ends.flat_map(move |at| [&path[..=at], &path[..at]]).filter(move |prefix| prefix.len() < path.len()))
}

#[cfg(test)]
mod tests {
    use super::covering;

    fn all(path: &str) -> Vec<String> {
        covering(path.as_bytes()).map(|prefix| String::from_utf8_lossy(prefix).into_owned()).collect()
    }

    #[test]
    fn a_path_is_covered_by_whole_segments() {
        assert_eq!(all("/ws/chat"), ["/ws/chat", "/ws/", "/ws", "/", ""]);
        assert_eq!(all("/ws/"), ["/ws/", "/ws", "/", ""]);
        assert_eq!(all("/"), ["/", ""]);
    }
}
