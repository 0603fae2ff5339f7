//! Paths as servlets read them, whose segments may have parameters: httpd's `mapping=servlet` (`alias_match_servlet`, `mod_proxy.c`).

/// A segment of the path, as far as it is compared.
struct Segment {
    /// Where it begins in the path as written, with empty segments before it.
    begins: usize,
    /// Whether it is that of the prefix so far.
    fits: bool,
    /// Where its parameters begin, where the prefix ends with it and not with a slash.
    parameters: Option<usize>,
}

/// A path that begins with a prefix.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// How much of the path as written the prefix takes.
    pub(super) length: usize,
    /// The path without parameters, dots and double slashes.
    pub(super) path: String,
}

/// Where the prefix is compared.
struct Prefix<'a> {
    text: &'a [u8],
    at: usize,
    /// How many of its segments have begun.
    depth: usize,
}

impl Prefix<'_> {
    fn next(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn is_behind_slash(&self) -> bool {
        self.at > 0 && self.text.get(self.at - 1) == Some(&b'/')
    }

    /// Goes to the next segment, where there is one.
    fn begin_segment(&mut self) {
        if self.next().is_none() {
            return;
        }
        while !self.is_behind_slash() && self.next().is_some() {
            self.at += 1;
        }
        while self.next() == Some(b'/') {
            self.at += 1;
        }
        self.depth += usize::from(self.next().is_some());
    }

    /// Goes back to the beginning of a segment: of the next one, where its slash was compared already.
    fn go_back(&mut self) {
        if self.next().is_none() {
            self.at -= 1;
        }
        while self.at > 0 && self.next() == Some(b'/') {
            self.at -= 1;
        }
        while self.at > 0 && !self.is_behind_slash() {
            self.at -= 1;
        }
        self.depth = self.depth.saturating_sub(1);
    }

    /// Compares one byte of the path, which stands at `at` of it, with that of the prefix.
    fn compare(&mut self, path: &[u8], at: usize, segments: &mut [Segment]) {
        let Some(own) = self.next() else { return };
        let segment = self.depth.checked_sub(1).and_then(|last| segments.get_mut(last));
        if let Some(segment) = segment.filter(|segment| segment.fits) {
            let is_last = self.at + 1 == self.text.len() && own != b'/';
            match path.get(at + 1) {
                _ if path[at] != own => segment.fits = false,
                Some(b';') if is_last => segment.parameters = Some(at + 1),
                Some(b'/') | None => {}
                Some(_) => segment.fits = !is_last,
            }
        }
        // It waits for the path at the end of a segment.
        if own != b'/' || path[at] == b'/' {
            self.at += 1;
        }
    }
}

/// What of a path, in which nothing is decoded, a prefix takes; `None`: it does not begin with it.
pub(super) fn servlet_match(path: &str, prefix: &[u8]) -> Option<Taken> {
    let path = path.as_bytes();
    if path.first() != Some(&b'/') || prefix.first() != Some(&b'/') {
        return None;
    }
    let mut prefix = Prefix { text: prefix, at: 1, depth: 0 };
    let mut segments: Vec<Segment> = Vec::new();
    let mut plain = vec![b'/'];
    // Where the segment begins that comes next; not known behind one that was taken back.
    let mut begins = Some(1);
    let mut at = 1;
    let ends = |at: usize| matches!(path.get(at), Some(b'/' | b';') | None);
    while let Some(&byte) = path.get(at) {
        if byte == b';' {
            at += path[at..].iter().position(|&byte| byte == b'/').unwrap_or(path.len() - at);
            continue;
        }
        if plain.last() == Some(&b'/') {
            if byte == b'/' {
                at += 1;
                continue;
            }
            if byte == b'.' && ends(at + 1) {
                at += 1 + usize::from(path.get(at + 1) == Some(&b'/'));
                continue;
            }
            if byte == b'.' && path.get(at + 1) == Some(&b'.') && ends(at + 2) {
                // Above the root there is nothing.
                plain.pop().filter(|_| !plain.is_empty())?;
                plain.truncate(plain.iter().rposition(|&byte| byte == b'/')? + 1);
                if prefix.depth == segments.len() {
                    prefix.go_back();
                }
                segments.pop();
                at += 2 + usize::from(path.get(at + 2) == Some(&b'/'));
                begins = None;
                continue;
            }
            let begin = begins.map(|from| from + path[from..].iter().take_while(|&&byte| byte == b'/').count());
            segments.push(Segment { begins: begin.unwrap_or(at), fits: true, parameters: None });
            prefix.begin_segment();
        }
        prefix.compare(path, at, &mut segments);
        if byte == b'/' {
            begins = Some(at + 1);
        }
        plain.push(byte);
        at += 1;
    }
    let compared = segments.get(..prefix.depth)?;
    if prefix.next().is_some() || compared.iter().any(|segment| !segment.fits) {
        return None;
    }
    let mut length = segments.get(prefix.depth).map_or(at, |behind| {
        // The parameters of the last segment are passed on.
        compared.last().and_then(|last| last.parameters).unwrap_or(behind.begins)
    });
    if !prefix.is_behind_slash() && path[length - 1] == b'/' {
        length -= 1;
    }
    Some(Taken { length, path: String::from_utf8(plain).ok()? })
}

#[cfg(test)]
mod tests {
    use super::servlet_match;

    /// What is left of the path behind the prefix, and the path without what does not count.
    fn left<'p>(path: &'p str, prefix: &str) -> Option<(&'p str, String)> {
        servlet_match(path, prefix.as_bytes()).map(|taken| (&path[taken.length..], taken.path))
    }

    #[test]
    fn parameters_do_not_count() {
        assert_eq!(left("/app;s=1/x;y", "/app/"), Some(("x;y", "/app/x".to_owned())));
        assert_eq!(left("/app/room;s=1/x", "/app/room"), Some((";s=1/x", "/app/room/x".to_owned())));
        assert_eq!(left("/app/room;s=1", "/app/room"), Some(("", "/app/room".to_owned())));
        assert_eq!(left("/app/rooms", "/app/room"), None);
        assert_eq!(left("/app", "/app/"), None);
        assert_eq!(left("/app/x", "/"), Some(("app/x", "/app/x".to_owned())));
    }

    #[test]
    fn dots_behind_parameters_are_taken_away() {
        assert_eq!(left("/app/x/..;s/room/y", "/app/room"), Some(("/y", "/app/room/y".to_owned())));
        assert_eq!(left("/app/.;s/room", "/app/room"), Some(("", "/app/room".to_owned())));
        assert_eq!(left("/..;/app", "/app"), None);
        // The prefix does not go back over a slash.
        assert_eq!(left("/app/..;/app/room", "/app/room"), None);
    }
}
