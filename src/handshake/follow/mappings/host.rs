//! Whether what a client calls the host is a name (`server/vhost.c`).

use std::net::Ipv6Addr;

use super::areas::setting;
use crate::gateway::Area;
use crate::handshake::request::Request;

/// Whether the request has a `Host` that is one in these areas.
pub(super) fn is_valid_in(request: &Request, areas: &[&Area]) -> bool {
    let strict = setting(areas, |settings| settings.any_host) != Some(true);
    request.header(b"host").is_some_and(|value| is_valid(value, strict))
}

/// Whether the value of `Host` is a name at all (`fix_hostname`); `strict`: unless `HttpProtocolOptions Unsafe` lets all kinds of characters in.
fn is_valid(value: &str, strict: bool) -> bool {
    let Some(host) = without_port(value) else { return false };
    if let Some(rest) = host.strip_prefix('[') {
        return rest.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    if host.contains("..") || host.contains(['/', '\\']) {
        return false;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    !strict || is_strict(host)
}

/// What stands before the port (`apr_parse_addr_port`); `None`: there is no host, or no such port.
fn without_port(value: &str) -> Option<&str> {
    let name = value.trim_end_matches(|char: char| char.is_ascii_digit());
    if name.is_empty() {
        return None;
    }
    match name.strip_suffix(':').filter(|host| !host.is_empty()) {
        Some(host) => value[name.len()..].parse::<u16>().is_ok_and(|port| port > 0).then_some(host),
        None => Some(value),
    }
}

/// Whether a name is one of RFC 3986 and RFC 1123, or an address (`strict_hostname_check`).
fn is_strict(host: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !host.bytes().all(is_known) {
        return false;
    }
    if host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        let has_zero = |part: &str| part.len() > 1 && part.starts_with('0');
        return !host.starts_with('.') && host.matches('.').count() == 3 && !host.split('.').any(has_zero);
    }
    // The last of several parts begins with a letter.
    let last = host.rsplit_once('.').map_or("a", |(_, last)| last);
    last.is_empty() || last.starts_with(|char: char| char.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_what_is_none() {
        for good in ["a.b", "A_b", "a:65535", "[::1]", "[::1]:80", ".a", "-a", "a.b.", "999.1.1.1", "1.2.3.4:8080"] {
            assert!(is_valid(good, true), "{good}");
        }
        for bad in
            ["", "a b", "a..b", "a.b:", "a.b:x", "a:65536", "a:0", "[::g]", "a/c", "a$", "1.2.3", ":80", "::1", "1", "01.2.3.4"]
        {
            assert!(!is_valid(bad, true), "{bad}");
        }
        assert!(is_valid("a$", false));
        assert!(!is_valid("a..b", false));
    }
}
