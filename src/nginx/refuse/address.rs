//! Addresses and URLs (`ngx_parse_url`, `ngx_inet.c`).

use crate::nginx::values::number;

/// Why nginx refuses an address with perhaps a path behind it (`ngx_parse_inet_url`, `ngx_parse_inet6_url`, `ngx_parse_unix_domain_url`).
pub(super) fn check(text: &[u8], has_uri: bool) -> Result<(), &'static str> {
    if let Some(path) = text.strip_prefix(b"unix:") {
        let path = if has_uri { path.split(|&byte| byte == b':').next().unwrap_or(path) } else { path };
        return if path.is_empty() { Err("no path in the unix domain socket") } else { Ok(()) };
    }
    // `ngx_parse_inet6_url` knows no query without a path.
    let ends = |byte: &u8| *byte == b'/' || *byte == b'?' && !text.starts_with(b"[");
    let (authority, uri) = match text.iter().position(ends) {
        Some(at) => text.split_at(at),
        None => (text, &[][..]),
    };
    if uri.starts_with(b"/") && !has_uri {
        return Err("invalid host");
    }
    let (host, port) = if authority.starts_with(b"[") {
        let Some(end) = authority.iter().position(|&byte| byte == b']') else { return Err("invalid host") };
        let inside = str::from_utf8(&authority[1..end]);
        if !inside.is_ok_and(|inside| inside.parse::<std::net::Ipv6Addr>().is_ok()) {
            return Err("invalid IPv6 address");
        }
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
        && !matches!(number(port), Some(1..=65535))
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

/// Whether a host of this name can never be found: RFC 6761, section 6.4; numbers that are no address; what no name has in it.
pub(super) fn is_nowhere(host: &[u8]) -> bool {
    const RESERVED: &[u8] = b".invalid";
    let parts = || host.split(|&byte| byte == b'.');
    let is_number = parts().all(|part| number(part).is_some());
    let is_address = || match parts().count() {
        4 => parts().all(|part| number(part).is_some_and(|number| number < 256)),
        count => count < 4,
    };
    let is_reserved = host.len().checked_sub(RESERVED.len()).is_some_and(|at| host[at..].eq_ignore_ascii_case(RESERVED));
    is_reserved || is_number && !is_address() || host.contains(&b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_nginx_reads_them() {
        for text in ["127.0.0.1:80", "app", "[::1]:80", "[::1]", "unix:/run/a.sock:/b"] {
            assert_eq!(check(text.as_bytes(), true), Ok(()), "{text}");
        }
        for (text, reason) in [
            ("", "no host"),
            (":80", "no host"),
            ("a:b", "invalid port"),
            ("a:0", "invalid port"),
            ("[::1", "invalid host"),
            ("[::1]:80?a", "invalid port"),
            ("[x]", "invalid IPv6 address"),
        ] {
            assert_eq!(check(text.as_bytes(), true), Err(reason), "{text}");
        }
        assert_eq!(check(b"http://a:1", false), Err("invalid host"));
        assert!(is_nowhere(host(b"a.invalid:80/x")) && !is_nowhere(host(b"a.test")));
        assert!(is_nowhere(b"1.2.3.4.5") && is_nowhere(b"300.1.1.1") && !is_nowhere(b"10.0.0.1") && is_nowhere(b"me@a"));
    }
}
