//! What one line names and another defines: zones of shared memory, formats of logs, groups of backends.

use rustc_hash::{FxHashMap, FxHashSet};

use super::value::Refused;
use super::{Checker, address, show};
use crate::gateway::{Fault, Refusal};
use crate::nginx::line::{Line, Word};
use crate::nginx::values;
use crate::source::Span;

/// A zone has room for eight pages at least (`ngx_http_limit_req_zone`).
pub(super) const SMALLEST_ZONE: u64 = 8 * 4096;

/// What a zone of shared memory is for: nginx tells zones apart by their module (`ngx_shared_memory_add`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// `limit_req_zone`.
    Requests,
    /// `limit_conn_zone`.
    Connections,
    /// `zone` of an `upstream`.
    Backends,
    /// A cache of the module whose names begin with this letter.
    Cache(u8),
}

/// An address that requests are passed on to.
struct Passed {
    /// The host, in lower case.
    host: Vec<u8>,
    /// The port as written.
    port: Option<Vec<u8>>,
    /// Whether the protocol has no port of its own.
    needs_port: bool,
    span: Span,
}

/// The names of `http`.
#[derive(Default)]
pub(super) struct Shared {
    /// What each zone is for, and its size.
    zones: FxHashMap<Vec<u8>, (Use, u64)>,
    formats: FxHashSet<Vec<u8>>,
    groups: FxHashSet<Vec<u8>>,
    /// The zones that are used, each with what for, and what nginx says where it is not defined.
    wanted: Vec<(Vec<u8>, Use, Refusal)>,
    /// The uses of formats that no line before defines.
    formless: Vec<Refusal>,
    /// The addresses that requests are passed on to.
    passes: Vec<Passed>,
}

impl Shared {
    /// A request is passed on to this address.
    pub(super) fn passes(&mut self, line: Line<'_>, address: &[u8]) {
        let host = address::host(address).to_ascii_lowercase();
        let authority = &address[..address.iter().position(|&byte| byte == b'/').unwrap_or(address.len())];
        let port = authority.get(host.len()..).and_then(|rest| rest.strip_prefix(b":")).map(<[u8]>::to_vec);
        // The addresses of other families have no name that a group could have.
        if !address.starts_with(b"unix:") && !address.starts_with(b"[") {
            let needs_port = !line.name().starts_with(b"proxy");
            self.passes.push(Passed { host, port, needs_port, span: line.span() });
        }
    }

    /// Groups that are asked at a port, and hosts at none (`ngx_http_upstream_add`, `ngx_http_upstream_init_round_robin`).
    fn misdirected(&mut self) -> impl Iterator<Item = Refusal> {
        let passes = std::mem::take(&mut self.passes).into_iter();
        // An address without a port is that of an earlier line with the same host, if any has one.
        let mut ported = FxHashSet::default();
        passes.filter_map(move |Passed { host, port, needs_port, span }| {
            if port.is_some() || !needs_port {
                ported.insert(host.clone());
            }
            let name = show(&host);
            let message = match (self.groups.contains(&host), port) {
                (true, Some(port)) => format!("upstream \"{name}\" may not have port {}", show(&port)),
                (false, None) if !ported.contains(&host) => format!("no port in upstream \"{name}\""),
                _ => return None,
            };
            Some(Refusal::new(span, Fault::Address, message))
        })
    }

    /// What is refused when all is read.
    pub(super) fn refusals(&mut self) -> Vec<Refusal> {
        let wanted = std::mem::take(&mut self.wanted).into_iter();
        let missing = wanted.filter_map(|(name, used, refusal)| match self.zones.get(&name) {
            None => Some(refusal),
            Some((of, _)) if *of == used => None,
            Some(_) => Some(Refusal::new(refusal.span, Fault::Duplicate, declared_otherwise(&name))),
        });
        let known: Vec<Refusal> = std::mem::take(&mut self.formless).into_iter().chain(missing).collect();
        known.into_iter().chain(self.misdirected()).collect()
    }

    fn wants(&mut self, line: Line<'_>, name: &[u8], used: Use, message: String) {
        self.wanted.push((name.to_vec(), used, Refusal::new(line.span(), Fault::Value, message)));
    }
}

impl<'a> Checker<'a> {
    /// Takes note of the names that a directive of `http` defines or uses.
    pub(super) fn shared(&mut self, line: Line<'a>) -> Result<(), Refused> {
        match line.name() {
            b"limit_req_zone" | b"limit_conn_zone" => self.limit_zone(line),
            b"limit_req" => self.limit_req(line),
            b"limit_conn" => self.limit_conn(line),
            b"proxy_cache" | b"fastcgi_cache" | b"uwsgi_cache" | b"scgi_cache" => {
                let Some(name) = line.word(0).map(Word::value) else { return Ok(()) };
                if name.as_ref() != b"off" && !name.contains(&b'$') {
                    let message = format!("\"{}\" zone \"{}\" is unknown", show(line.name()), show(&name));
                    let of = Use::Cache(line.name().first().copied().unwrap_or_default());
                    self.http.shared.wants(line, &name, of, message);
                }
                Ok(())
            }
            b"proxy_cache_path" | b"fastcgi_cache_path" | b"uwsgi_cache_path" | b"scgi_cache_path" => self.cache_path(line),
            b"zone" => {
                let Some(name) = line.word(0).map(Word::value) else { return Ok(()) };
                let Some(size) = line.word(1).map(Word::value) else {
                    self.http.shared.wants(line, &name, Use::Backends, without_size(&name));
                    return Ok(());
                };
                match values::size(&size) {
                    None | Some(0) => Err(wrong_value(format!("invalid zone size \"{}\"", show(&size)))),
                    Some(size) if size < SMALLEST_ZONE => Err(wrong_value(format!("zone \"{}\" is too small", show(&name)))),
                    Some(size) => self.define_zone(line, name.into_owned(), size, Use::Backends, String::new()),
                }
            }
            b"log_format" => {
                let Some(name) = line.word(0).map(|word| word.value().into_owned()) else { return Ok(()) };
                super::log::format(line)?;
                let message = format!("duplicate \"log_format\" name \"{}\"", show(&name));
                // Formats are told apart without regard to case where they are used, but not where they are defined.
                let taken = name == b"combined" || self.http.shared.formats.contains(&name);
                self.http.shared.formats.insert(name.to_ascii_lowercase());
                self.http.shared.formats.insert(name);
                if taken && !line.is_in_template() { Err((Fault::Duplicate, message)) } else { Ok(()) }
            }
            b"access_log" => {
                super::log::access_log(line)?;
                if let Some(format) = line.word(1).map(Word::value)
                    && line.word(0).is_some_and(|file| file.value().as_ref() != b"off")
                    && !format.eq_ignore_ascii_case(b"combined")
                    && !self.http.shared.formats.contains(&format.to_ascii_lowercase())
                {
                    let message = format!("unknown log format \"{}\"", show(&format));
                    self.http.shared.formless.push(Refusal::new(line.span(), Fault::Value, message));
                }
                Ok(())
            }
            b"upstream" => {
                let Some(name) = line.word(0).map(Word::value) else { return Ok(()) };
                let first = self.http.shared.groups.insert(name.to_ascii_lowercase());
                if first || line.is_in_template() {
                    return Ok(());
                }
                Err((Fault::Duplicate, format!("duplicate upstream \"{}\"", show(&name))))
            }
            _ => Ok(()),
        }
    }

    /// `ngx_http_limit_req_zone`, `ngx_http_limit_conn_zone`.
    fn limit_zone(&mut self, line: Line<'a>) -> Result<(), Refused> {
        let counts_requests = line.name() == b"limit_req_zone";
        let mut named = None;
        for word in line.words().skip(1) {
            let value = word.value();
            if let Some(zone) = value.strip_prefix(b"zone=") {
                named = Some(sized(zone).ok_or_else(|| wrong_value(format!("invalid zone size \"{}\"", show(&value))))?);
            } else if let Some(rate) = value.strip_prefix(b"rate=").filter(|_| counts_requests) {
                let number = rate.strip_suffix(b"r/s").or_else(|| rate.strip_suffix(b"r/m")).unwrap_or(rate);
                if !matches!(values::number(number), Some(1..)) {
                    return Err(wrong_value(format!("invalid rate \"{}\"", show(&value))));
                }
            } else {
                return Err(wrong_value(format!("invalid parameter \"{}\"", show(&value))));
            }
        }
        let Some((name, size)) = named.filter(|(name, _)| !name.is_empty()) else {
            return Err(wrong_value(format!("\"{}\" must have \"zone\" parameter", show(line.name()))));
        };
        if size < SMALLEST_ZONE {
            return Err(wrong_value(format!("zone \"{}\" is too small", show(&name))));
        }
        let key = line.word(0).map(|word| show(&word.value()).into_owned()).unwrap_or_default();
        let message = format!("{} \"{}\" is already bound to key \"{key}\"", show(line.name()), show(&name));
        let of = if counts_requests { Use::Requests } else { Use::Connections };
        self.define_zone(line, name, size, of, message)
    }

    /// A zone is defined; `again` is what nginx says where it is for the second time.
    pub(super) fn define_zone(
        &mut self,
        line: Line<'a>,
        name: Vec<u8>,
        size: u64,
        of: Use,
        again: String,
    ) -> Result<(), Refused> {
        let message = match self.http.shared.zones.get(&name) {
            None => {
                self.http.shared.zones.insert(name, (of, size));
                return Ok(());
            }
            Some((other, _)) if *other != of => declared_otherwise(&name),
            Some((_, other)) if *other != size => {
                let name = show(&name);
                format!("the size {size} of shared memory zone \"{name}\" conflicts with already declared size {other}")
            }
            // Groups may share one.
            Some(_) if of == Use::Backends => return Ok(()),
            Some(_) => again,
        };
        if line.is_in_template() { Ok(()) } else { Err((Fault::Duplicate, message)) }
    }

    /// `ngx_http_limit_req`.
    fn limit_req(&mut self, line: Line<'a>) -> Result<(), Refused> {
        let mut zone = None;
        for word in line.words() {
            let value = word.value();
            if let Some(name) = value.strip_prefix(b"zone=") {
                zone = Some(name.to_vec());
            } else if let Some(burst) = value.strip_prefix(b"burst=") {
                if !matches!(values::number(burst), Some(1..)) {
                    return Err(wrong_value(format!("invalid burst value \"{}\"", show(&value))));
                }
            } else if let Some(delay) = value.strip_prefix(b"delay=") {
                if !matches!(values::number(delay), Some(1..)) {
                    return Err(wrong_value(format!("invalid delay value \"{}\"", show(&value))));
                }
            } else if value.as_ref() != b"nodelay" {
                return Err(wrong_value(format!("invalid parameter \"{}\"", show(&value))));
            }
        }
        let Some(zone) = zone else { return Err(wrong_value("\"limit_req\" must have \"zone\" parameter".to_owned())) };
        self.http.shared.wants(line, &zone, Use::Requests, without_size(&zone));
        self.limits_once(line, &zone)
    }

    /// `ngx_http_limit_conn`.
    fn limit_conn(&mut self, line: Line<'a>) -> Result<(), Refused> {
        let (Some(zone), Some(count)) = (line.word(0), line.word(1)) else { return Ok(()) };
        let count = count.value();
        match values::number(&count) {
            Some(1..=65535) => {}
            Some(65536..) => return Err(wrong_value("connection limit must be less 65536".to_owned())),
            _ => return Err(wrong_value(format!("invalid number of connections \"{}\"", show(&count)))),
        }
        let zone = zone.value();
        self.http.shared.wants(line, &zone, Use::Connections, without_size(&zone));
        self.limits_once(line, &zone)
    }

    /// Says what names nothing, when all is read.
    pub(super) fn whole_of_shared(&mut self) {
        let refusals = self.http.shared.refusals();
        self.refusals.extend(refusals);
    }
}

fn wrong_value(message: String) -> Refused {
    (Fault::Value, message)
}

/// A name and the size behind its `:`.
pub(super) fn sized(text: &[u8]) -> Option<(Vec<u8>, u64)> {
    let colon = memchr::memchr(b':', text)?;
    Some((text[..colon].to_vec(), values::size(&text[colon + 1..])?))
}

/// `ngx_init_cycle`.
fn without_size(zone: &[u8]) -> String {
    format!("zero size shared memory zone \"{}\"", show(zone))
}

fn declared_otherwise(zone: &[u8]) -> String {
    format!("the shared memory zone \"{}\" is already declared for a different use", show(zone))
}
