//! Tables that give a variable its value, and the rows in their blocks: `map` (`ngx_http_map_module.c`), `geo`
//! (`ngx_http_geo_module.c`), `split_clients` (`ngx_http_split_clients_module.c`).

use std::net::{IpAddr, Ipv4Addr};

use super::Lowerer;
use super::line::{Line, Word};
use crate::gateway::{Definition, Map, MapEntry, MapKey, Part, TextId, Unknown, Variable};
use crate::nginx::values;

/// A table whose block is being read.
#[derive(Debug)]
pub(super) struct OpenMap {
    /// The variable that it defines.
    pub(super) name: TextId,
    pub(super) map: Map,
    kind: Kind,
    /// Whether the rows of a `geo` are ranges.
    ranges: bool,
}

/// How the rows of a table are read.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// `map`; whether keys are host names: `hostnames` stands among the rows.
    Texts { hostnames: bool },
    /// `geo`.
    Addresses,
    /// `split_clients`, with the hundredths of a percent in the rows so far.
    Shares(u64),
}

impl Lowerer<'_> {
    /// Begins a table; `None` where its words are not as they must be, or a hole decides its name.
    pub(super) fn open_map(&mut self, line: Line<'_>) -> Option<OpenMap> {
        let (kind, subject, name) = match line.name() {
            b"map" => (Kind::Texts { hostnames: false }, line.word(0)?, line.word(1)?),
            b"split_clients" => (Kind::Shares(0), line.word(0)?, line.word(1)?),
            _ => (Kind::Addresses, line.word(0)?, line.words().last()?),
        };
        if name.is_holed() {
            return None;
        }
        let value = name.value();
        let own = self.gateway.texts.intern_lower(value.strip_prefix(b"$")?);
        let subject = if subject.span == name.span {
            self.gateway.symbolics.intern(&[Part::Variable(Variable::ClientAddress)])
        } else {
            self.symbolic(subject)
        };
        let default = self.literal(b"");
        let map = Map {
            span: line.span(),
            subject,
            entries: Vec::new(),
            default,
            volatile: false,
            hostnames: false,
            proxies: Vec::new(),
            recursive: false,
            partial: None,
        };
        Some(OpenMap { name: own, map, kind, ranges: false })
    }

    /// A row of a table. `include` is not one.
    pub(super) fn map_row(&mut self, open: &mut OpenMap, line: Line<'_>) {
        let key = line.name_word();
        let Some(value) = line.word(0) else {
            match (line.name(), &mut open.kind) {
                (b"hostnames", Kind::Texts { hostnames }) => {
                    *hostnames = true;
                    open.map.hostnames = true;
                }
                (b"volatile", Kind::Texts { .. }) => open.map.volatile = true,
                (b"ranges", Kind::Addresses) => open.ranges = true,
                (b"proxy_recursive", Kind::Addresses) => open.map.recursive = true,
                _ if key.is_holed() => open.map.partial = Some(Unknown::TemplateHole(key.span)),
                _ => {}
            }
            return;
        };
        if key.is_holed() {
            open.map.partial.get_or_insert(Unknown::TemplateHole(key.span));
            return;
        }
        let key = key.value();
        // Only `map` looks for variables in its values.
        let value = match open.kind {
            Kind::Addresses | Kind::Shares(_) if !value.is_holed() => self.literal(&value.value()),
            _ => self.symbolic(value),
        };
        let key = match &mut open.kind {
            Kind::Texts { .. } | Kind::Addresses if key.as_ref() == b"default" => {
                open.map.default = value;
                return;
            }
            Kind::Texts { hostnames } => self.text_key(&key, *hostnames),
            Kind::Addresses if key.as_ref() == b"proxy" => {
                open.map.proxies.push(self.gateway.texts.intern(&line.word(0).map(Word::value).unwrap_or_default()));
                return;
            }
            Kind::Addresses if key.as_ref() == b"delete" => {
                let gone = line.word(0).and_then(|word| addresses(&word.value()));
                // What is left of ranges, and of all addresses, is not so simple (`ngx_http_geo_delete_range`).
                match gone.filter(|(first, _)| !first.is_unspecified() && !open.ranges) {
                    Some((first, last)) => open.map.entries.retain(|entry| entry.key != MapKey::Addresses(first, last)),
                    None => {
                        open.map.partial.get_or_insert(Unknown::Unmodelled(line.span()));
                    }
                }
                return;
            }
            Kind::Addresses => {
                let Some((first, last)) = addresses(&key) else {
                    open.map.partial.get_or_insert(Unknown::Unmodelled(line.span()));
                    return;
                };
                MapKey::Addresses(first, last)
            }
            Kind::Shares(_) if key.as_ref() == b"*" => {
                open.map.default = value;
                return;
            }
            Kind::Shares(sum) => {
                *sum += hundredths(&key).unwrap_or_default();
                MapKey::Share(u32::try_from(*sum * u64::from(u32::MAX) / 10_000).unwrap_or(u32::MAX))
            }
        };
        open.map.entries.push(MapEntry { key, value, span: line.span() });
    }

    fn text_key(&mut self, key: &[u8], hostnames: bool) -> MapKey {
        let texts = &mut self.gateway.texts;
        match key {
            [b'~', b'*', pattern @ ..] => MapKey::Regex { pattern: texts.intern(pattern), ignore_case: true },
            [b'~', pattern @ ..] => MapKey::Regex { pattern: texts.intern(pattern), ignore_case: false },
            // `\default`: a key that looks like a keyword.
            [b'\\', text @ ..] => MapKey::Text(texts.intern_lower(text)),
            text if hostnames && (text.starts_with(b".") || text.starts_with(b"*.") || text.ends_with(b".*")) => {
                MapKey::Host(texts.intern_lower(text))
            }
            text => MapKey::Text(texts.intern_lower(text)),
        }
    }

    /// Ends a table: exact texts stand before patterns.
    pub(super) fn close_map(&mut self, open: OpenMap) {
        let OpenMap { name, mut map, .. } = open;
        map.entries.sort_by_key(|entry| matches!(entry.key, MapKey::Regex { .. }));
        self.gateway.variables.insert(name, Definition::Map(map));
    }
}

/// The addresses of a network or a range (`ngx_http_geo_cidr_value`, `ngx_http_geo_range`).
fn addresses(text: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some((first, last)) = text.split_once('-') {
        return Some((first.parse().ok()?, last.parse().ok()?));
    }
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
        None => (text, None),
    };
    // Which is no address elsewhere (`ngx_http_geo_cidr_value`).
    let all_ones = (text == "255.255.255.255").then_some(IpAddr::V4(Ipv4Addr::BROADCAST));
    Some(match all_ones.or_else(|| values::ip(address))? {
        IpAddr::V4(address) => {
            let hosts = u32::MAX.checked_shr(bits.unwrap_or(32)).unwrap_or(0);
            let first = address.to_bits() & !hosts;
            (IpAddr::V4(first.into()), IpAddr::V4((first | hosts).into()))
        }
        IpAddr::V6(address) => {
            let hosts = u128::MAX.checked_shr(bits.unwrap_or(128)).unwrap_or(0);
            let first = address.to_bits() & !hosts;
            (IpAddr::V6(first.into()), IpAddr::V6((first | hosts).into()))
        }
    })
}

/// A percentage with up to two decimals, in hundredths (`ngx_atofp`).
pub(in crate::nginx) fn hundredths(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text.strip_suffix(b"%")?).ok()?;
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 2 || text.is_empty() || whole.len() > 3 {
        return None;
    }
    format!("{whole}{decimals:0<2}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_ranges() {
        let shown = |text: &str| addresses(text.as_bytes()).map(|(first, last)| format!("{first} {last}"));
        assert_eq!(shown("127.0.0.1").as_deref(), Some("127.0.0.1 127.0.0.1"));
        assert_eq!(shown("10.1.2.3/8").as_deref(), Some("10.0.0.0 10.255.255.255"));
        assert_eq!(shown("0.0.0.0/0").as_deref(), Some("0.0.0.0 255.255.255.255"));
        assert_eq!(shown("10.0.0.1-10.0.0.9").as_deref(), Some("10.0.0.1 10.0.0.9"));
        assert_eq!(shown("::/0").map(|text| text.starts_with(":: ffff")), Some(true));
        assert_eq!(shown("proxy"), None);
    }

    #[test]
    fn percentages() {
        for (text, expected) in
            [("50%", Some(5000)), ("0.5%", Some(50)), ("33.33%", Some(3333)), ("*", None), ("%", None), ("1.234%", None)]
        {
            assert_eq!(hundredths(text.as_bytes()), expected, "{text}");
        }
    }
}
