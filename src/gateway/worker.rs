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

/// Whether the worker of the URL `name` is one for `url`, whose scheme and authority end at `authority_end`: of those that are, the one with the
/// longest name serves it, the first of equal ones (`ap_proxy_get_worker_ex`, `proxy_util.c`).
#[must_use]
pub fn serves(name: &[u8], is_pattern: bool, url: &[u8], authority_end: usize) -> bool {
    let fits = if is_pattern { begins_as(url, name) } else { url.starts_with(name) };
    (authority_end..=url.len()).contains(&name.len()) && fits
}

/// Whether `text` begins as `pattern` says, in which `$1` stands for any text (`ap_proxy_strcmp_ematch`).
fn begins_as(text: &[u8], pattern: &[u8]) -> bool {
    let (mut rest, mut pattern, mut is_first) = (text, pattern, true);
    loop {
        let is_capture = |at: &usize| pattern.get(at + 1).is_some_and(u8::is_ascii_digit);
        let capture = memchr::memchr_iter(b'$', pattern).find(is_capture);
        let literal = &pattern[..capture.unwrap_or(pattern.len())];
        let found = if is_first { rest.starts_with(literal).then_some(0) } else { memchr::memmem::find(rest, literal) };
        let (Some(at), Some(behind)) = (found, capture) else { return found.is_some() };
        rest = &rest[at + literal.len()..];
        pattern = &pattern[behind + 2..];
        is_first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_in_a_worker_stand_for_any_text() {
        let serves = |name: &str, url: &str| serves(name.as_bytes(), true, url.as_bytes(), "http://b".len());
        assert!(serves("http://b/ws$1", "http://b/ws/chat"));
        assert!(serves("http://b/$1", "http://b/wsx"));
        assert!(serves("http://b$1", "http://b/ws"));
        assert!(serves("http://b/$1/x/$2", "http://b/aa/x/cc"));
        assert!(!serves("http://b/ws$1", "http://b/api/chat"));
        assert!(!serves("http://b/$1", "http://b/w"), "the URL is shorter than the name");
    }
}
