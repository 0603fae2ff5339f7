//! The value of a variable that a table gives: `map`, `geo`, `split_clients`.

use std::net::{IpAddr, Ipv4Addr};

use super::evaluate::Environment;
use super::forwarded::forwarded;
use crate::gateway::{Known, Map, MapEntry, MapKey};

impl Environment<'_> {
    /// `ngx_http_map_find`: exact texts, then host wildcards, the longest first, then patterns in order, then the default.
    pub(super) fn look_up(&self, map: &Map, depth: u8) -> Known<String> {
        let mut subject = self.value(map.subject, depth)?;
        if map.hostnames && subject.ends_with('.') {
            subject.pop();
        }
        if let (false, Some(value)) = (map.proxies.is_empty(), self.request.header(b"x-forwarded-for")) {
            let trusted: Vec<_> = map.proxies.iter().map(|&proxy| self.gateway.texts.show(proxy)).collect();
            subject = forwarded(address(&subject), value, &trusted, map.recursive).to_string();
        }
        let found = self.exact(map, &subject).or_else(|| self.host(map, &subject)).or_else(|| number(map, &subject));
        if let Some(entry) = found {
            return self.value(entry.value, depth);
        }
        // Patterns are not tried on nothing (`if (len && map->nregex)`).
        for entry in map.entries.iter().filter(|_| !subject.is_empty()) {
            let MapKey::Regex { pattern, ignore_case } = entry.key else { continue };
            let Some(captures) = self.captures(pattern, ignore_case, &subject, entry.span)? else { continue };
            return match self.followed {
                Some(followed) => {
                    followed.keep(captures, self.patterns.names(&self.gateway.texts, pattern, ignore_case));
                    self.value(entry.value, depth)
                }
                None => Environment { captures: Some(&captures), ..*self }.value(entry.value, depth),
            };
        }
        match map.partial {
            Some(why) => Err(why),
            None => self.value(map.default, depth),
        }
    }

    fn exact<'m>(&self, map: &'m Map, subject: &str) -> Option<&'m MapEntry> {
        let texts = &self.gateway.texts;
        let same = |key| matches!(key, MapKey::Text(text) if texts.get(text).eq_ignore_ascii_case(subject.as_bytes()));
        map.entries.iter().find(|entry| same(entry.key))
    }

    /// Wildcards that are open in front come first (`ngx_hash_find_combined`).
    fn host<'m>(&self, map: &'m Map, subject: &str) -> Option<&'m MapEntry> {
        let texts = &self.gateway.texts;
        let lower = subject.to_ascii_lowercase();
        let fits = map.entries.iter().filter_map(|entry| match entry.key {
            MapKey::Host(pattern) if host_matches(&texts.show(pattern), &lower) => Some((texts.get(pattern), entry)),
            _ => None,
        });
        fits.max_by_key(|(pattern, _)| (!pattern.ends_with(b"*"), pattern.len())).map(|(_, entry)| entry)
    }
}

/// The row whose addresses or share the subject belongs to (`ngx_http_geo_cidr_variable`, `ngx_http_split_clients_variable`).
fn number<'m>(map: &'m Map, subject: &str) -> Option<&'m MapEntry> {
    let address = address(subject);
    let hash = murmur_hash(subject.as_bytes());
    let share = map.entries.iter().find(|entry| matches!(entry.key, MapKey::Share(bound) if hash < bound));
    let fits = map.entries.iter().filter_map(|entry| match entry.key {
        MapKey::Addresses(first, last) => Some((span_of(first, last, address)?, entry)),
        _ => None,
    });
    // Of rows for the same addresses the last one counts.
    share.or_else(|| fits.rev().min_by_key(|(size, _)| *size).map(|(_, entry)| entry))
}

/// A text as an address; what is none is looked up as `INADDR_NONE` (`ngx_http_geo_cidr_variable`).
fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or(IpAddr::V4(Ipv4Addr::BROADCAST))
}

/// How many addresses lie between the two, where `own` is among them.
fn span_of(first: IpAddr, last: IpAddr, own: IpAddr) -> Option<u128> {
    let bits = |address| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let alike = first.is_ipv4() == own.is_ipv4() && last.is_ipv4() == own.is_ipv4();
    (alike && (bits(first)..=bits(last)).contains(&bits(own))).then(|| bits(last) - bits(first))
}

/// `ngx_murmur_hash2`.
fn murmur_hash(bytes: &[u8]) -> u32 {
    const FACTOR: u32 = 0x5bd1_e995;
    let mut hash = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        word ^= word >> 24;
        hash = hash.wrapping_mul(FACTOR) ^ word.wrapping_mul(FACTOR);
    }
    if !rest.is_empty() {
        for (byte, shift) in rest.iter().zip([0, 8, 16]) {
            hash ^= u32::from(*byte) << shift;
        }
        hash = hash.wrapping_mul(FACTOR);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(FACTOR);
    hash ^ hash >> 15
}

/// Whether `host` matches `*.example.com`, `.example.com` or `www.example.*`.
pub(super) fn host_matches(pattern: &str, host: &str) -> bool {
    if let Some(suffix) = pattern.strip_prefix("*.") {
        host.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    } else if let Some(domain) = pattern.strip_prefix('.') {
        host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    } else if let Some(prefix) = pattern.strip_suffix(".*") {
        host.strip_prefix(prefix).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.'))
    } else {
        host == pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_murmur_2() {
        for (text, hash) in [("", 0), ("test", 403_862_830)] {
            assert_eq!(murmur_hash(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn the_fewest_addresses_count() {
        let address = |text: &str| text.parse().unwrap();
        let size = |first, last| span_of(address(first), address(last), address("127.0.0.1"));
        assert_eq!(size("127.0.0.0", "127.255.255.255"), Some(0xff_ffff));
        assert_eq!(size("127.0.0.1", "127.0.0.1"), Some(0));
        assert_eq!(size("10.0.0.0", "10.255.255.255"), None);
        assert_eq!(size("::", "ffff::"), None);
    }
}
