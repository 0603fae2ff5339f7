//! The host that a client asks for, as nginx reads it from its header.

/// The host, lower case and without the port, where nginx takes it for one (`ngx_http_validate_host`).
pub(super) fn validated(header: &str) -> Option<String> {
    let bytes = header.as_bytes();
    if bytes.iter().any(|byte| matches!(byte, b'/' | 0..=b' ' | 0x7f)) || header.contains("..") {
        return None;
    }
    // An address in brackets ends with them; all else ends before the port.
    let end = if header.starts_with('[') { header.find(']').map(|close| close + 1) } else { header.find(':') };
    let host = &header[..end.unwrap_or(header.len())];
    let host = host.strip_suffix('.').unwrap_or(host);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::validated;

    #[test]
    fn a_host_ends_before_its_port() {
        for (header, host) in [
            ("A.b:80", "a.b"),
            ("a.:80", "a"),
            ("a:b:c", "a"),
            ("[::1]:80", "[::1]"),
            ("[::1]x", "[::1]"),
            ("[::1", "[::1"),
            ("a_b!%$&", "a_b!%$&"),
            ("[a", "[a"),
        ] {
            assert_eq!(validated(header).as_deref(), Some(host), "{header}");
        }
        for header in ["", ".", ":80", "a..b", "a..", "a/b", "a b"] {
            assert_eq!(validated(header), None, "{header}");
        }
    }
}
