//! Workers: what httpd knows about a backend, found by the beginning of a URL (`ap_proxy_get_worker`, `proxy_util.c`).

use std::collections::BTreeMap;
use std::ops::Bound;

use memchr::{memchr, memmem};

use crate::apache::values::{Parameter, ProxyUrl, Seconds, parameter, proxy_url, seconds, suffixed_duration, switch};
use crate::gateway::{Assigned, Entry, Gateway, Property, RemarkKind, ScopeBuilder, ScopeId, Unknown, serves};
use crate::source::Span;

use super::symbols::literal;

/// Names a [`Worker`] of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WorkerId(pub(super) usize);

/// One worker while its parameters are being collected.
#[derive(Debug)]
pub(super) struct Worker {
    /// The level that holds its parameters.
    pub(super) scope: ScopeId,
    /// What is set on it.
    pub(super) settings: ScopeBuilder,
    /// The directive that made it.
    pub(super) span: Span,
}

/// The name by which a URL is looked up and a worker is known: scheme and authority in lower case; without the socket before it.
pub(super) fn canonical(url: &[u8]) -> Option<Vec<u8>> {
    let url = proxy_url(url)?;
    Some([&scheme_and_authority(&url), url.path].concat())
}

/// What of a URL is compared without regard to case, in lower case.
fn scheme_and_authority(url: &ProxyUrl<'_>) -> Vec<u8> {
    [url.scheme, b"://", url.authority].concat().to_ascii_lowercase()
}

/// The workers of one server, by their URL.
#[derive(Debug, Default)]
pub(super) struct Workers(BTreeMap<Box<[u8]>, WorkerId>);

/// A worker's name: scheme and authority in lower case, the path as written and, for patterns, up to its first capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WorkerUrl {
    text: Vec<u8>,
    /// The length of scheme and authority, which must be equal.
    authority_end: usize,
}

impl WorkerUrl {
    /// The worker URL of a URL as written, as far as no capture decides.
    pub(super) fn new(url: &[u8]) -> Option<Self> {
        Self::until(url, |byte| byte == b'$')
    }

    /// The same of a rewrite rule's URL.
    pub(super) fn of_rule(url: &[u8]) -> Option<Self> {
        Self::until(url, |byte| matches!(byte, b'$' | b'%'))
    }

    fn until(url: &[u8], decides: impl Fn(u8) -> bool) -> Option<Self> {
        let url = proxy_url(url)?;
        let mut text = scheme_and_authority(&url);
        if let Some(at) = text.iter().position(|&byte| decides(byte)) {
            text.truncate(at);
        }
        let authority_end = text.len();
        let literal = url.path.iter().position(|&byte| decides(byte)).unwrap_or(url.path.len());
        text.extend_from_slice(&url.path[..literal]);
        Some(Self { text, authority_end })
    }
}

impl Workers {
    /// The worker with the longest URL that this one begins with.
    pub(super) fn find(&self, url: &WorkerUrl) -> Option<WorkerId> {
        let mut probe = url.text.as_slice();
        loop {
            let below = (Bound::Unbounded, Bound::Included(probe));
            let (name, &worker) = self.0.range::<[u8], _>(below).next_back()?;
            let common = name.iter().zip(&url.text).take_while(|(a, b)| a == b).count();
            if common < url.authority_end {
                return None;
            }
            if common == name.len() {
                return Some(worker);
            }
            // Whatever else the URL begins with is not longer than what it shares with its neighbour.
            probe = &url.text[..common];
        }
    }

    /// Adds a worker.
    pub(super) fn insert(&mut self, url: &WorkerUrl, worker: WorkerId) {
        self.0.insert(url.text.clone().into_boxed_slice(), worker);
    }
}

/// The workers of one server that patterns have made, by their canonical URL, captures and all. They are few, and each URL has to be tried.
#[derive(Debug, Default)]
pub(super) struct PatternWorkers(Vec<(Vec<u8>, WorkerId)>);

impl PatternWorkers {
    /// The worker with the longest URL that this one fits.
    pub(super) fn find(&self, url: &[u8]) -> Option<WorkerId> {
        let scheme_end = memmem::find(url, b"://")? + 3;
        let authority_end = memchr(b'/', &url[scheme_end..]).map_or(url.len(), |at| scheme_end + at);
        let fitting = self.0.iter().rev().filter(|(name, _)| serves(name, true, url, authority_end));
        // Of equal ones the last of these is the first that was made.
        fitting.max_by_key(|(name, _)| name.len()).map(|&(_, worker)| worker)
    }

    /// Adds a worker.
    pub(super) fn insert(&mut self, url: Vec<u8>, worker: WorkerId) {
        self.0.push((url, worker));
    }
}

/// What a worker's `key=value` sets, where it is a setting of the model (`set_worker_param`, `mod_proxy.c`).
pub(super) fn setting(gateway: &mut Gateway, text: &[u8], span: Span, unknown: Option<Unknown>) -> Option<Entry> {
    let parameter @ Parameter { value: Some(value), .. } = parameter(text) else { return None };
    let property = if parameter.is(&["timeout"]) {
        Property::ReadTimeout
    } else if parameter.is(&["connectiontimeout"]) {
        Property::ConnectTimeout
    } else if parameter.is(&["upgrade"]) {
        Property::Upgrade
    } else if parameter.is(&["flushpackets"]) {
        Property::Buffering
    } else if parameter.is(&["disablereuse", "enablereuse"]) {
        Property::Reuse
    } else if parameter.is(&["status"]) {
        Property::Disabled
    } else {
        // Of no use to the model, but read in the same way.
        for name in ["retry", "ttl"] {
            if unknown.is_none() && parameter.is(&[name]) {
                read_seconds(gateway, &format!("{name}="), value, span);
            }
        }
        return None;
    };
    let assigned = match (unknown, property) {
        (Some(why), _) => Assigned::Unknown(why),
        (None, Property::ReadTimeout) => Assigned::Duration(read_seconds(gateway, "timeout=", value, span).read),
        (None, Property::ConnectTimeout) => Assigned::Duration(suffixed_duration(value)?),
        // `on`, `off`, and `auto`, which waits a moment for more.
        (None, Property::Buffering) => Assigned::Flag(value.eq_ignore_ascii_case(b"off")),
        (None, Property::Reuse) => Assigned::Flag(switch(value)? == parameter.is(&["enablereuse"])),
        // `+D`, `D`: disabled; `+S`, `+E`: stopped, in error.
        (None, Property::Disabled) => {
            let upper = value.to_ascii_uppercase();
            Assigned::Flag(!upper.starts_with(b"-") && upper.iter().any(|flag| matches!(flag, b'D' | b'S')))
        }
        (None, _) => Assigned::Text(literal(gateway, value)),
    };
    Some(Entry { property, assigned, span })
}

/// Reads seconds, and notes where a unit behind them is not.
pub(super) fn read_seconds(gateway: &mut Gateway, name: &str, text: &[u8], span: Span) -> Seconds {
    let seconds = seconds(text);
    if let Some(meant) = seconds.meant {
        let written = String::from_utf8_lossy(text).into_owned();
        gateway.remark(span, RemarkKind::UnitIgnored { name: name.to_owned(), written, read_as: seconds.read, meant });
    }
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(workers: &[&str], url: &str) -> Option<usize> {
        let mut index = Workers::default();
        for (id, url) in workers.iter().enumerate() {
            index.insert(&WorkerUrl::new(url.as_bytes()).unwrap(), WorkerId(id));
        }
        index.find(&WorkerUrl::new(url.as_bytes()).unwrap()).map(|id| id.0)
    }

    #[test]
    fn the_longest_beginning_wins() {
        assert_eq!(found(&["http://b/", "http://b/ws"], "http://b/ws/chat"), Some(1));
        assert_eq!(found(&["http://b/ws", "http://b/"], "http://b/api"), Some(1));
        assert_eq!(found(&["http://b/w"], "http://B/ws"), Some(0));
        assert_eq!(found(&["http://b/W"], "http://b/ws"), None);
        assert_eq!(found(&["http://b:1900/"], "http://b:19001/"), None);
        assert_eq!(found(&["http://b:1900"], "http://b:19001"), None);
        assert_eq!(found(&["ws://b/"], "http://b/"), None);
        assert_eq!(found(&["http://b"], "http://b/ws"), Some(0));
        assert_eq!(found(&["http://b/a", "http://b/", "http://b/abc"], "http://b/abb"), Some(0));
        assert_eq!(found(&["http://b/$1"], "http://b/ws"), Some(0));
    }
}
