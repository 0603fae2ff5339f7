//! Host and port, as URLs and `Host` headers name them.

/// Parts an authority at the colon before its port, which is none of an IPv6 address in brackets. What stands behind it may be no number.
#[must_use]
pub fn split_authority(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// Host and port of an authority, where nothing but a number is a port: with anything else behind a colon all of it is the host.
#[must_use]
pub fn host_and_port(text: &str) -> (&str, Option<&str>) {
    match split_authority(text) {
        (host, Some(port)) if !port.is_empty() && is_number(port) => (host, Some(port)),
        _ => (text, None),
    }
}

/// A host without the brackets of an IPv6 address.
#[must_use]
pub fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether a text is a host with or without a port: what httpd can look up. A path that is glued to the port makes it none.
#[must_use]
pub fn is_authority(text: &str) -> bool {
    let (host, port) = split_authority(text);
    let port_fits = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok() && is_number(port));
    let is_address = host.starts_with('[') && host.ends_with(']');
    let is_name = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    port_fits && (is_address || is_name)
}

/// Whether a host and a port can be told apart: an address in brackets ends before the port, which is one that there is
/// (`apr_parse_addr_port`). What is no port is part of the host.
#[must_use]
pub fn is_netloc(text: &str) -> bool {
    let text = text.rsplit_once('@').map_or(text, |(_, text)| text);
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && is_number(port) => (host, Some(port)),
        _ => (text, None),
    };
    let is_host = !host.is_empty() && (port.is_some() || !is_number(host));
    is_host
        && (!host.starts_with('[') || host.find(']') == Some(host.len() - 1))
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn is_number(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_glued_to_a_port_is_part_of_the_host() {
        assert!(["b", "b:80", "b:", "b:80x", "b:80x:8", "[::1]", "[::1]:80"].into_iter().all(is_netloc));
        assert!(["", ":80", "b:0", "b:90011", "8080", "[::1]:80x", "[::1]x", "[::1"].into_iter().all(|text| !is_netloc(text)));
    }

    #[test]
    fn a_port_stands_behind_the_brackets() {
        assert_eq!(split_authority("b:80"), ("b", Some("80")));
        assert_eq!(split_authority("[::1]:80"), ("[::1]", Some("80")));
        assert_eq!(split_authority("[::1]"), ("[::1]", None));
        assert_eq!(split_authority("b:"), ("b", Some("")));
        assert_eq!(split_authority("b:80ws"), ("b", Some("80ws")));
        assert_eq!(split_authority("b"), ("b", None));
    }

    #[test]
    fn only_a_number_is_a_port() {
        assert_eq!(host_and_port("[::1]:80"), ("[::1]", Some("80")));
        assert_eq!(host_and_port("b:80ws"), ("b:80ws", None));
        assert_eq!(host_and_port("b:"), ("b:", None));
        assert_eq!(host_and_port("unix:/run/a.sock"), ("unix:/run/a.sock", None));
    }

    #[test]
    fn brackets_come_in_pairs() {
        assert_eq!(without_brackets("[::1]"), "::1");
        assert_eq!(without_brackets("b"), "b");
        assert_eq!(without_brackets("[b"), "[b");
    }

    #[test]
    fn hosts_and_ports_are_told_from_what_is_glued_to_them() {
        assert!(is_authority("127.0.0.1:19001") && is_authority("b") && is_authority("[::1]:80") && is_authority("[::1]"));
        assert!(!is_authority("127.0.0.1:19001ws") && !is_authority("") && !is_authority("$b") && !is_authority("[::1]ws"));
    }
}
