//! What directives of the core and of small modules take, each by its own function in nginx.

use super::bounds::{fault, invalid};
use super::upstream::invalid_parameter;
use super::value::Refused;
use super::{Checker, address, show};
use crate::gateway::Fault;
use crate::nginx::line::{Line, Word};
use crate::nginx::values::{self, Resolution};

/// `ngx_http_core_keepalive`, whose second word is to the second.
pub(super) fn keepalive_timeout(line: Line<'_>) -> Result<(), Refused> {
    let wrong = |at: usize, resolution| line.word(at).is_some_and(|word| values::duration(&word.value(), resolution).is_none());
    if wrong(0, Resolution::Milliseconds) || wrong(1, Resolution::Seconds) {
        return Err((Fault::Duration, "\"keepalive_timeout\" directive invalid value".to_owned()));
    }
    Ok(())
}

/// `ngx_resolver_create`: its addresses are looked up when the server starts.
pub(super) fn resolver(line: Line<'_>) -> Result<(), Refused> {
    for word in line.words() {
        let value = word.value();
        let good = if let Some(time) = value.strip_prefix(b"valid=") {
            values::duration(time, Resolution::Seconds).is_some()
        } else if let Some(on) = value.strip_prefix(b"ipv6=").or_else(|| value.strip_prefix(b"ipv4=")) {
            matches!(on, b"on" | b"off")
        } else {
            // `status_zone=` is of commercial versions.
            let unknown = value.contains(&b'=') && !value.starts_with(b"status_zone=");
            let reason = address::check(&value, false).err();
            if let Some(reason) = reason.or(address::is_nowhere(address::host(&value)).then_some("host not found")) {
                return Err((Fault::Address, format!("{reason} in resolver \"{}\"", show(&value))));
            }
            if unknown {
                return Err((Fault::Address, format!("host not found in resolver \"{}\"", show(&value))));
            }
            true
        };
        if !good {
            return fault(format!("invalid parameter: {}", show(&value)));
        }
    }
    let is_parameter = |word: Word<'_>| word.value().contains(&b'=');
    if line.words().all(is_parameter) { fault("no name servers defined".to_owned()) } else { Ok(()) }
}

/// `ngx_http_core_directio`.
pub(super) fn directio(line: Line<'_>) -> Result<(), Refused> {
    match line.word(0).map(Word::value) {
        Some(value) if value.as_ref() != b"off" && values::offset(&value).is_none() => invalid(line, "invalid value"),
        _ => Ok(()),
    }
}

/// `ngx_http_core_set_aio`.
pub(super) fn aio(line: Line<'_>) -> Result<(), Refused> {
    match line.word(0).map(Word::value) {
        Some(value) if !matches!(value.as_ref(), b"on" | b"off" | b"threads") && !value.starts_with(b"threads=") => {
            invalid(line, "invalid value")
        }
        _ => Ok(()),
    }
}

/// `ngx_http_disable_symlinks`.
pub(super) fn disable_symlinks(line: Line<'_>) -> Result<(), Refused> {
    for word in line.words() {
        let value = word.value();
        if !matches!(value.as_ref(), b"on" | b"off" | b"if_not_owner") && !value.starts_with(b"from=") {
            return invalid_parameter(word);
        }
    }
    if line.words().all(|word| word.value().starts_with(b"from=")) {
        return fault("\"disable_symlinks\" must have \"off\", \"on\" or \"if_not_owner\" parameter".to_owned());
    }
    Ok(())
}

/// `ngx_conf_set_access_slot`.
pub(super) fn access(line: Line<'_>) -> Result<(), Refused> {
    for word in line.words() {
        let value = word.value();
        let right = value.iter().position(|&byte| byte == b':').map(|at| value.split_at(at + 1));
        if !matches!(right, Some((b"user:" | b"group:" | b"all:", b"rw" | b"r"))) {
            return fault(format!("invalid value \"{}\"", show(&value)));
        }
    }
    Ok(())
}

/// `ngx_http_upstream_bind_set_slot`.
pub(super) fn bind(line: Line<'_>) -> Result<(), Refused> {
    let Some(word) = line.word(0) else { return Ok(()) };
    let value = word.value();
    if value.as_ref() == b"off" && line.words().count() == 1 {
        return Ok(());
    }
    let is_address = str::from_utf8(&value).is_ok_and(|text| {
        let with_port = text.parse::<std::net::SocketAddr>().is_ok_and(|address| address.port() > 0);
        text.parse::<std::net::IpAddr>().is_ok() || with_port || text.starts_with('[')
    });
    if !value.contains(&b'$') && !is_address {
        return fault(format!("invalid address \"{}\"", show(&value)));
    }
    match line.word(1) {
        Some(word) if word.value().as_ref() != b"transparent" => invalid_parameter(word),
        _ => Ok(()),
    }
}

/// `ngx_set_cpu_affinity`: the bits of processors, behind `auto` for all workers.
pub(super) fn affinity(line: Line<'_>) -> Result<(), Refused> {
    let is_auto = line.word(0).is_some_and(|word| word.value().as_ref() == b"auto");
    if is_auto && line.words().count() > 2 {
        let message = "invalid number of arguments in \"worker_cpu_affinity\" directive".to_owned();
        return Err((Fault::Arguments, message));
    }
    for word in line.words().skip(usize::from(is_auto)) {
        let value = word.value();
        if let Some(&wrong) = value.iter().find(|byte| !matches!(byte, b'0' | b'1' | b' ')) {
            let message = format!("invalid character \"{}\" in \"worker_cpu_affinity\"", show(&[wrong]));
            return Err((Fault::Value, message));
        }
    }
    Ok(())
}

/// `ngx_http_realip_from`: what is no network is looked up when the server starts.
pub(super) fn real_ip_from(line: Line<'_>) -> Result<(), Refused> {
    let Some(word) = line.word(0) else { return Ok(()) };
    let value = word.value();
    if super::setter::is_network(&value) && value.as_ref() != b"all" {
        return Ok(());
    }
    // No name has a slash in it, nor can every name be looked up.
    if value.contains(&b'/') || address::is_nowhere(&value) {
        return Err((Fault::Address, format!("host not found in set_real_ip_from \"{}\"", show(&value))));
    }
    Ok(())
}

/// `ngx_http_ssl_session_cache`.
pub(super) fn session_cache(line: Line<'_>) -> Result<(), Refused> {
    for word in line.words() {
        let value = word.value();
        let wrong = || fault(format!("invalid session cache \"{}\"", show(&value)));
        if let Some(shared) = value.strip_prefix(b"shared:") {
            match super::shared::sized(shared) {
                Some((name, _)) if name.is_empty() => return wrong(),
                None => return wrong(),
                Some((_, size)) if size < super::shared::SMALLEST_ZONE => {
                    return fault(format!("session cache \"{}\" is too small", show(&value)));
                }
                Some(_) => {}
            }
        } else if let Some(size) = value.strip_prefix(b"builtin:") {
            if values::number(size).is_none() {
                return wrong();
            }
        } else if !matches!(value.as_ref(), b"off" | b"none" | b"builtin") {
            return wrong();
        }
    }
    Ok(())
}

/// `ngx_http_userid_expires`.
pub(super) fn userid_expires(line: Line<'_>) -> Result<(), Refused> {
    match line.word(0).map(Word::value) {
        Some(value) if !matches!(value.as_ref(), b"max" | b"off") && values::duration(&value, Resolution::Seconds).is_none() => {
            invalid(line, "invalid value")
        }
        _ => Ok(()),
    }
}

impl<'a> Checker<'a> {
    /// The threads that files are read with.
    pub(super) fn wants_threads(&mut self, line: Line<'_>) {
        let Some(value) = line.word(0).map(Word::value) else { return };
        if let Some(pool) = value.strip_prefix(b"threads=").filter(|pool| !pool.contains(&b'$') && *pool != b"default") {
            self.http.wanted_pools.push((pool.to_vec(), line.span()));
        }
    }

    /// Directives of which `off` is all that a level says: `proxy_redirect`, `mirror` and others. Whether this one may stand there.
    pub(super) fn off_stands_alone(&mut self, line: Line<'a>) -> Result<(), Refused> {
        self.not_a_snippet();
        let is_off = line.words().count() == 1 && line.word(0).is_some_and(|word| word.value().as_ref() == b"off");
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let before = level.offs.iter_mut().find(|(name, _)| *name == line.name());
        let again = before.as_ref().is_some_and(|(_, off)| *off || is_off);
        match before {
            Some((_, off)) => *off |= is_off,
            None => level.offs.push((line.name(), is_off)),
        }
        if again && !line.is_in_template() {
            return Err((Fault::Duplicate, format!("\"{}\" directive is duplicate", show(line.name()))));
        }
        Ok(())
    }

    /// What limits a zone twice on one level.
    pub(super) fn limits_once(&mut self, line: Line<'a>, zone: &[u8]) -> Result<(), Refused> {
        self.not_a_snippet();
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let key = (line.name(), zone.to_vec());
        let again = !level.limits.insert(key);
        if again && !line.is_in_template() {
            return Err((Fault::Duplicate, format!("\"{}\" directive is duplicate", show(line.name()))));
        }
        Ok(())
    }
}
