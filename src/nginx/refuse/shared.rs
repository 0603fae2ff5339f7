//! What one line names and another defines: zones of shared memory, formats of logs, groups of backends.

use rustc_hash::FxHashSet;

use super::value::Refused;
use super::{Checker, Context, show};
use crate::gateway::{Fault, Refusal};
use crate::nginx::line::Line;
use crate::nginx::values;

/// A zone has room for eight pages at least (`ngx_http_limit_req_zone`).
const SMALLEST_ZONE: u64 = 8 * 4096;

/// The names of `http`.
#[derive(Default)]
pub(super) struct Shared {
    zones: FxHashSet<Vec<u8>>,
    /// Zones that already count something, by the directive that says so.
    bound: FxHashSet<(Vec<u8>, bool)>,
    formats: FxHashSet<Vec<u8>>,
    groups: FxHashSet<Vec<u8>>,
    /// The zones that are used, each with what nginx says where it is not defined.
    wanted: Vec<(Vec<u8>, Refusal)>,
    /// The uses of formats that no line before defines.
    formless: Vec<Refusal>,
}

impl Shared {
    /// What is refused when all is read.
    pub(super) fn refusals(&mut self) -> Vec<Refusal> {
        let wanted = std::mem::take(&mut self.wanted).into_iter();
        let missing = wanted.filter(|(name, _)| !self.zones.contains(name)).map(|(_, refusal)| refusal);
        std::mem::take(&mut self.formless).into_iter().chain(missing).collect()
    }

    fn wants(&mut self, line: Line<'_>, name: &[u8], message: String) {
        self.wanted.push((name.to_vec(), Refusal::new(line.span(), Fault::Missing, message)));
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
                let Some(name) = line.word(0).map(super::super::line::Word::value) else { return Ok(()) };
                if name.as_ref() != b"off" && !name.contains(&b'$') {
                    let message = format!("\"{}\" zone \"{}\" is unknown", show(line.name()), show(&name));
                    self.http.shared.wants(line, &name, message);
                }
                Ok(())
            }
            b"proxy_cache_path" | b"fastcgi_cache_path" | b"uwsgi_cache_path" | b"scgi_cache_path" => self.cache_path(line),
            b"zone" => {
                let name = line.word(0).map(|word| word.value().into_owned());
                self.http.shared.zones.extend(name);
                Ok(())
            }
            b"log_format" => {
                let Some(name) = line.word(0).map(|word| word.value().into_owned()) else { return Ok(()) };
                let message = format!("duplicate \"log_format\" name \"{}\"", show(&name));
                let taken = name == b"combined" || !self.http.shared.formats.insert(name);
                if taken && !self.is_template(line) { Err((Fault::Duplicate, message)) } else { Ok(()) }
            }
            b"access_log" => {
                if let Some(format) = line.word(1).map(super::super::line::Word::value)
                    && line.word(0).is_some_and(|file| file.value().as_ref() != b"off")
                    && format.as_ref() != b"combined"
                    && !self.http.shared.formats.contains(format.as_ref())
                {
                    let message = format!("unknown log format \"{}\"", show(&format));
                    self.http.shared.formless.push(Refusal::new(line.span(), Fault::Missing, message));
                }
                Ok(())
            }
            b"upstream" => {
                let Some(name) = line.word(0).map(super::super::line::Word::value) else { return Ok(()) };
                let first = self.http.shared.groups.insert(name.to_ascii_lowercase());
                if first || self.is_template(line) {
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
                named = Some(sized(zone).ok_or_else(|| fault(format!("invalid zone size \"{}\"", show(&value))))?);
            } else if let Some(rate) = value.strip_prefix(b"rate=").filter(|_| counts_requests) {
                let number = rate.strip_suffix(b"r/s").or_else(|| rate.strip_suffix(b"r/m")).unwrap_or(rate);
                if !matches!(values::number(number), Some(1..)) {
                    return Err(fault(format!("invalid rate \"{}\"", show(&value))));
                }
            } else {
                return Err(fault(format!("invalid parameter \"{}\"", show(&value))));
            }
        }
        let Some((name, size)) = named else {
            return Err(fault(format!("\"{}\" must have \"zone\" parameter", show(line.name()))));
        };
        if size < SMALLEST_ZONE {
            return Err(fault(format!("zone \"{}\" is too small", show(&name))));
        }
        let again = !self.http.shared.bound.insert((name.clone(), counts_requests));
        let message = || {
            let key = line.word(0).map(|word| show(&word.value()).into_owned()).unwrap_or_default();
            format!("{} \"{}\" is already bound to key \"{key}\"", show(line.name()), show(&name))
        };
        if again && !self.is_template(line) {
            return Err((Fault::Duplicate, message()));
        }
        self.http.shared.zones.insert(name);
        Ok(())
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
                    return Err(fault(format!("invalid burst value \"{}\"", show(&value))));
                }
            } else if let Some(delay) = value.strip_prefix(b"delay=") {
                if !matches!(values::number(delay), Some(1..)) {
                    return Err(fault(format!("invalid delay value \"{}\"", show(&value))));
                }
            } else if value.as_ref() != b"nodelay" {
                return Err(fault(format!("invalid parameter \"{}\"", show(&value))));
            }
        }
        let Some(zone) = zone else { return Err(fault("\"limit_req\" must have \"zone\" parameter".to_owned())) };
        self.http.shared.wants(line, &zone, without_size(&zone));
        Ok(())
    }

    /// `ngx_http_limit_conn`.
    fn limit_conn(&mut self, line: Line<'a>) -> Result<(), Refused> {
        let (Some(zone), Some(count)) = (line.word(0), line.word(1)) else { return Ok(()) };
        let count = count.value();
        match values::number(&count) {
            Some(1..=65535) => {}
            Some(65536..) => return Err(fault("connection limit must be less 65536".to_owned())),
            _ => return Err(fault(format!("invalid number of connections \"{}\"", show(&count)))),
        }
        let zone = zone.value();
        self.http.shared.wants(line, &zone, without_size(&zone));
        Ok(())
    }

    /// `ngx_http_file_cache_set_slot`.
    fn cache_path(&mut self, line: Line<'a>) -> Result<(), Refused> {
        for word in line.words().skip(1) {
            let value = word.value();
            let Some(zone) = value.strip_prefix(b"keys_zone=") else { continue };
            let Some((name, size)) = sized(zone) else {
                return Err(fault(format!("invalid keys zone size \"{}\"", show(&value))));
            };
            if size < 2 * 4096 {
                return Err(fault(format!("invalid keys zone size \"{}\"", show(&value))));
            }
            self.http.shared.zones.insert(name);
            return Ok(());
        }
        Err(fault(format!("\"{}\" must have \"keys_zone\" parameter", show(line.name()))))
    }

    /// Says what names nothing, when all is read.
    pub(super) fn whole_of_shared(&mut self) {
        let refusals = self.http.shared.refusals();
        self.refusals.extend(refusals);
    }

    /// What `ngx_http_upstream_server` says of the method that stands before the backend.
    pub(super) fn takes_no_backup(&mut self, line: Line<'a>) -> bool {
        let Some(level) = self.levels.last_mut().filter(|level| level.context == Some(Context::Upstream)) else { return false };
        level.has_no_backup |= matches!(line.name(), b"ip_hash" | b"hash" | b"random");
        level.has_no_backup && line.name() == b"server" && line.words().skip(1).any(|word| word.value().as_ref() == b"backup")
    }
}

fn fault(message: String) -> Refused {
    (Fault::Value, message)
}

/// A name and the size behind its `:`.
fn sized(text: &[u8]) -> Option<(Vec<u8>, u64)> {
    let colon = memchr::memchr(b':', text)?;
    Some((text[..colon].to_vec(), values::size(&text[colon + 1..])?))
}

/// `ngx_init_cycle`.
fn without_size(zone: &[u8]) -> String {
    format!("zero size shared memory zone \"{}\"", show(zone))
}
