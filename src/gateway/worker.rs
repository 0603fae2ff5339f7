//! Workers: what httpd knows about a backend, found by the beginning of a URL.

use super::{Protocol, ScopeId, TextId};
use crate::source::Span;

/// What httpd knows about one backend.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    /// Its URL: scheme and authority in lower case.
    pub url: TextId,
    /// Whether `$1` in the URL stands for any text: that of a pattern.
    pub is_pattern: bool,
    /// Its parameters.
    pub scope: ScopeId,
    /// The directive that makes it.
    pub span: Span,
}

/// One backend of a balancer.
#[derive(Clone, Copy, Debug)]
pub struct BalancedWorker {
    /// Its URL as written.
    pub url: TextId,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its parameters.
    pub scope: ScopeId,
    /// What marks sessions that are kept with it: `route=`.
    pub route: Option<TextId>,
    /// Whether it is asked only when the others are down.
    pub backup: bool,
    /// The set it is of: those of the lowest are asked first.
    pub set: u32,
    /// Its share of the requests, in hundredths; 0 where it says nothing of who is asked first.
    pub share: u32,
    /// The directive.
    pub span: Span,
}

/// Whether a text is a host with or without a port: what httpd can look up. A path that is glued to the port makes it none.
#[must_use]
pub fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_fits =
        port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let host_fits = host.starts_with('[')
        || !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    port_fits && host_fits
}

#[cfg(test)]
mod tests {
    use super::is_authority;

    #[test]
    fn hosts_and_ports_are_told_from_what_is_glued_to_them() {
        assert!(is_authority("127.0.0.1:19001") && is_authority("b") && is_authority("[::1]:80"));
        assert!(!is_authority("127.0.0.1:19001ws") && !is_authority("") && !is_authority("$b"));
    }
}
