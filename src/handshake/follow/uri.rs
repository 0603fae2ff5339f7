//! Paths as nginx reads and writes them: decoding, dot segments, slashes, escapes.

/// A request target, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The path: decoded, without dot segments.
    pub(super) path: String,
    /// The query, without `?`.
    pub(super) query: Option<String>,
    /// Whether anything in it is escaped, so that captures of it are escaped again where they are written.
    pub(super) escaped: bool,
}

/// Reads a request target (`ngx_http_parse_complex_uri`); `None` where the server answers 400.
pub(super) fn parse(target: &str, merge_slashes: bool) -> Option<Target> {
    let target = target.split('#').next().unwrap_or(target);
    let (raw, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let decoded = decode(raw)?;
    if decoded.contains(&0) {
        return None;
    }
    let mut segments: Vec<&[u8]> = Vec::new();
    let rest = decoded.strip_prefix(b"/")?;
    let mut pieces = rest.split(|&byte| byte == b'/').peekable();
    // A path ends with a slash where its last segment is empty, or one that goes away.
    while let Some(piece) = pieces.next() {
        let last = pieces.peek().is_none();
        match piece {
            b"." => segments.extend(last.then_some(b"".as_slice())),
            b".." => {
                segments.pop()?;
                segments.extend(last.then_some(b"".as_slice()));
            }
            b"" if merge_slashes && !last => {}
            piece => segments.push(piece),
        }
    }
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        path.push_str(&String::from_utf8_lossy(segment));
    }
    if path.is_empty() {
        path.push('/');
    }
    Some(Target { path, query, escaped: raw.contains(['%', '+']) })
}

/// Undoes percent-escapes; `None` where one is broken.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            let digits =
                std::str::from_utf8(&digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

/// Escapes a path that is sent on (`ngx_escape_uri`, `NGX_ESCAPE_URI`).
pub(super) fn escape_path(path: &str) -> String {
    escape(path, b" \"#%<>?\\^`{|}")
}

/// Escapes what becomes part of a query (`ngx_escape_uri`, `NGX_ESCAPE_ARGS`).
pub(super) fn escape_query(text: &str) -> String {
    escape(text, b" \"#%&+;<>?\\^`{|}")
}

fn escape(text: &str, special: &[u8]) -> String {
    use std::fmt::Write;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_control() || !byte.is_ascii() || special.contains(&byte) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        } else {
            escaped.push(char::from(byte));
        }
    }
    escaped
}

/// Undoes those escapes of a redirect's path that stand for plain characters (`ngx_unescape_uri`, `NGX_UNESCAPE_REDIRECT`).
pub(super) fn unescape_redirect(text: &str) -> String {
    let (path, query) = text.find('?').map_or((text, ""), |at| text.split_at(at));
    let mut plain = String::with_capacity(text.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) if code > b'%' && code < 0x7f => plain.push(char::from(code)),
            _ => plain.push_str(rest.get(at..at + 3).unwrap_or(&rest[at..])),
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain.push_str(query);
    plain
}

/// A path and the query behind its `?`, which is dropped where it is empty.
pub(super) fn split_query(text: &str) -> (String, Option<String>) {
    match text.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (text.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_nginx_does() {
        let path = |target: &str| parse(target, true).map(|target| target.path);
        for (target, expected) in [
            ("/", "/"),
            ("/ws", "/ws"),
            ("//ws//a/", "/ws/a/"),
            ("/a/../ws", "/ws"),
            ("/a/./b/.", "/a/b/"),
            ("/a/b/..", "/a/"),
            ("/%77s%2fx", "/ws/x"),
            ("/a%2e%2e", "/a.."),
        ] {
            assert_eq!(path(target).as_deref(), Some(expected), "{target}");
        }
        for target in ["/..", "/a/../../b", "/%", "/%zz", "/%00", "ws"] {
            assert_eq!(path(target), None, "{target}");
        }
        assert_eq!(parse("//a", false).unwrap().path, "//a");
        let target = parse("/a?b=%20#c", true).unwrap();
        assert_eq!((target.query.as_deref(), target.escaped), (Some("b=%20"), false));
    }

    #[test]
    fn escapes_go_on_and_come_off() {
        assert_eq!(escape_path("/a b/ü?"), "/a%20b/%C3%BC%3F");
        assert_eq!(escape_query("a&b+c"), "a%26b%2Bc");
        assert_eq!(unescape_redirect("/a%2Fb%20c%?%2F"), "/a/b%20c%?%2F");
    }
}
