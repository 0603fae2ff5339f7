//! Caches and directories for temporary files (`ngx_http_file_cache_set_slot`, `ngx_http_file_cache_valid_set_slot`,
//! `ngx_conf_set_path_slot`, `ngx_http_core_open_file_cache`).

use super::bounds::{fault, halves, invalid};
use super::shared::{Use, sized};
use super::value::Refused;
use super::{Checker, show};
use crate::nginx::line::{Line, Word};
use crate::nginx::values::{self, Resolution};

/// A zone of keys has room for two pages at least.
const SMALLEST: u64 = 2 * 4096;

impl<'a> Checker<'a> {
    /// `proxy_cache_path` and its like.
    pub(super) fn cache_path(&mut self, line: Line<'a>) -> Result<(), Refused> {
        let mut zone = None;
        for word in line.words().skip(1) {
            let value = word.value();
            let (name, setting) = halves(&value);
            let good = match name {
                b"keys_zone=" => match sized(setting) {
                    None => return fault(format!("invalid keys zone size \"{}\"", show(&value))),
                    Some((_, size)) if size < SMALLEST => return fault(format!("keys zone \"{}\" is too small", show(&value))),
                    sized => {
                        zone = sized;
                        true
                    }
                },
                b"levels=" => {
                    if !is_levels(setting) {
                        return fault(format!("invalid \"levels\" \"{}\"", show(&value)));
                    }
                    true
                }
                b"use_temp_path=" => {
                    if !matches!(setting, b"on" | b"off") {
                        let message = "it must be \"on\" or \"off\"";
                        return fault(format!("invalid use_temp_path value \"{}\", {message}", show(&value)));
                    }
                    true
                }
                b"inactive=" => values::duration(setting, Resolution::Seconds).is_some(),
                b"max_size=" | b"min_free=" => values::offset(setting).is_some(),
                b"loader_files=" | b"manager_files=" | b"purger_files=" => values::number(setting).is_some(),
                b"loader_sleep="
                | b"loader_threshold="
                | b"manager_sleep="
                | b"manager_threshold="
                | b"purger_sleep="
                | b"purger_threshold=" => values::duration(setting, Resolution::Milliseconds).is_some(),
                b"purger=" => true,
                _ => return fault(format!("invalid parameter \"{}\"", show(&value))),
            };
            if !good {
                let name = name.strip_suffix(b"=").unwrap_or(name);
                return fault(format!("invalid {} value \"{}\"", show(name), show(&value)));
            }
        }
        let Some((name, size)) = zone else {
            return fault(format!("\"{}\" must have \"keys_zone\" parameter", show(line.name())));
        };
        let of = Use::Cache(line.name().first().copied().unwrap_or_default());
        let message = format!("duplicate zone \"{}\"", show(&name));
        self.define_zone(line, name, size, of, message)
    }
}

/// One to three levels of one or two letters each.
fn is_levels(setting: &[u8]) -> bool {
    let mut levels = setting.split(|&byte| byte == b':');
    setting.is_empty() || levels.all(|level| matches!(level, b"1" | b"2")) && setting.len() < 6
}

/// `proxy_cache_valid` and its like.
pub(super) fn valid(line: Line<'_>) -> Result<(), Refused> {
    let words: Vec<_> = line.words().map(Word::value).collect();
    let Some((time, statuses)) = words.split_last() else { return Ok(()) };
    if values::duration(time, Resolution::Seconds).is_none() {
        return fault(format!("invalid time value \"{}\"", show(time)));
    }
    for status in statuses.iter().filter(|status| status.as_ref() != b"any") {
        if !matches!(values::number(status), Some(100..=599)) {
            return fault(format!("invalid status \"{}\"", show(status)));
        }
    }
    Ok(())
}

/// The levels of a directory for temporary files.
pub(super) fn temporary(line: Line<'_>) -> Result<(), Refused> {
    let levels: Vec<_> = line.words().skip(1).map(|word| values::number(&word.value())).collect();
    let length: Option<u64> = levels.iter().map(|level| level.filter(|&level| level > 0 && level < 100)).sum();
    match length {
        // `path->len` counts a slash for each level.
        Some(length) if length <= 10 => Ok(()),
        _ => invalid(line, "invalid value"),
    }
}

/// `open_file_cache`, `open_log_file_cache`.
pub(super) fn open_files(line: Line<'_>) -> Result<(), Refused> {
    let (mut has_max, mut is_off) = (false, false);
    for word in line.words() {
        let value = word.value();
        let good = if let Some(max) = value.strip_prefix(b"max=") {
            has_max = true;
            matches!(values::number(max), Some(1..))
        } else if let Some(time) = value.strip_prefix(b"inactive=") {
            values::duration(time, Resolution::Seconds).is_some()
        } else if let (b"open_log_file_cache", Some(time)) = (line.name(), value.strip_prefix(b"valid=")) {
            values::duration(time, Resolution::Seconds).is_some()
        } else if let (b"open_log_file_cache", Some(count)) = (line.name(), value.strip_prefix(b"min_uses=")) {
            values::number(count).is_some()
        } else {
            is_off |= value.as_ref() == b"off";
            value.as_ref() == b"off"
        };
        if !good {
            return fault(format!("invalid \"{}\" parameter \"{}\"", show(line.name()), show(&value)));
        }
    }
    if has_max || is_off { Ok(()) } else { fault(format!("\"{}\" must have the \"max\" parameter", show(line.name()))) }
}
