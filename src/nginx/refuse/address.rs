//! Addresses and URLs (`ngx_parse_url`, `ngx_inet.c`).

/// Why nginx refuses an address with perhaps a path behind it (`ngx_parse_inet_url`, `ngx_parse_inet6_url`, `ngx_parse_unix_domain_url`).
pub(super) fn check(text: &[u8], has_uri: bool) -> Result<(), &'static str> {
    if let Some(path) = text.strip_prefix(b"unix:") {
        let path = if has_uri { path.split(|&byte| byte == b':').next().unwrap_or(path) } else { path };
        return if path.is_empty() { Err("no path in the unix domain socket") } else { Ok(()) };
    }
    let (authority, uri) = match text.iter().position(|byte| matches!(byte, b'/' | b'?')) {
        Some(at) => text.split_at(at),
        None => (text, &[][..]),
    };
    if uri.starts_with(b"/") && !has_uri {
        return Err("invalid host");
    }
    let (host, port) = if authority.starts_with(b"[") {
        let Some(end) = authority.iter().position(|&byte| byte == b']') else { return Err("invalid host") };
        match &authority[end + 1..] {
            [] => (&authority[..=end], None),
            [b':', port @ ..] => (&authority[..=end], Some(port)),
            _ => return Err("invalid host"),
        }
    } else {
        match authority.iter().position(|&byte| byte == b':') {
            Some(colon) => (&authority[..colon], Some(&authority[colon + 1..])),
            None => (authority, None),
        }
    };
    if let Some(port) = port
        && !matches!(crate::nginx::values::number(port), Some(1..=65535))
    {
        return Err("invalid port");
    }
    if host.is_empty() { Err("no host") } else { Ok(()) }
}

/// The host of an address.
pub(super) fn host(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| matches!(byte, b'/' | b'?' | b':')).unwrap_or(text.len());
    &text[..end]
}

/// Whether a host of this name can never be found (RFC 6761, section 6.4).
pub(super) fn is_nowhere(host: &[u8]) -> bool {
    host.to_ascii_lowercase().ends_with(b".invalid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_nginx_reads_them() {
        for text in ["127.0.0.1:80", "app", "[::1]:80", "[::1]", "unix:/run/a.sock:/b"] {
            assert_eq!(check(text.as_bytes(), true), Ok(()), "{text}");
        }
        for (text, reason) in
            [("", "no host"), (":80", "no host"), ("a:b", "invalid port"), ("a:0", "invalid port"), ("[::1", "invalid host")]
        {
            assert_eq!(check(text.as_bytes(), true), Err(reason), "{text}");
        }
        assert_eq!(check(b"http://a:1", false), Err("invalid host"));
        assert!(is_nowhere(host(b"a.invalid:80/x")) && !is_nowhere(host(b"a.test")));
    }
}
