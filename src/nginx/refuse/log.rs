//! Logs: what `error_log` (`ngx_log_set_levels`, `ngx_log.c`), `access_log` (`ngx_http_log_set_log`) and a syslog server
//! (`ngx_syslog_parse_args`, `ngx_syslog.c`) take.

use super::bounds::fault;
use super::value::Refused;
use super::{address, show};
use crate::gateway::Millis;
use crate::nginx::line::{Line, Word};
use crate::nginx::values::{self, Resolution};

const LEVELS: [&[u8]; 8] = [b"emerg", b"alert", b"crit", b"error", b"warn", b"notice", b"info", b"debug"];
const DEBUG_LEVELS: [&[u8]; 7] =
    [b"debug_core", b"debug_alloc", b"debug_mutex", b"debug_event", b"debug_http", b"debug_mail", b"debug_stream"];
const FACILITIES: &str = "kern,user,mail,daemon,auth,intern,lpr,news,uucp,clock,authpriv,ftp,ntp,audit,alert,cron,local0,local1,local2,local3,local4,\
     local5,local6,local7";
const SEVERITIES: &str = "emerg,alert,crit,error,warn,notice,info,debug";

pub(super) fn error_log(line: Line<'_>) -> Result<(), Refused> {
    let mut words = line.words().map(Word::value);
    syslog(&words.next().unwrap_or_default())?;
    let mut has_level = false;
    for word in words {
        if LEVELS.contains(&word.as_ref()) {
            if std::mem::replace(&mut has_level, true) {
                return fault(format!("duplicate log level \"{}\"", show(&word)));
            }
        } else if !DEBUG_LEVELS.contains(&word.as_ref()) || has_level {
            return fault(format!("invalid log level \"{}\"", show(&word)));
        }
    }
    Ok(())
}

/// What stands behind the file and the format.
pub(super) fn access_log(line: Line<'_>) -> Result<(), Refused> {
    let Some(file) = line.word(0).map(Word::value) else { return Ok(()) };
    if file.as_ref() == b"off" {
        return line.word(1).map_or(Ok(()), |word| fault(format!("invalid parameter \"{}\"", show(&word.value()))));
    }
    syslog(&file)?;
    let (mut buffered, mut flushed) = (false, false);
    for word in line.words().skip(2) {
        let value = word.value();
        let invalid = |what: &str, setting: &[u8]| fault(format!("invalid {what} \"{}\"", show(setting)));
        if let Some(size) = value.strip_prefix(b"buffer=") {
            if matches!(values::size(size), None | Some(0)) {
                return invalid("buffer size", size);
            }
            buffered = true;
        } else if let Some(time) = value.strip_prefix(b"flush=") {
            if matches!(values::duration(time, Resolution::Milliseconds), None | Some(Millis(0))) {
                return invalid("flush time", time);
            }
            flushed = true;
        } else if value.as_ref() == b"gzip" {
            buffered = true;
        } else if let Some(level) = value.strip_prefix(b"gzip=") {
            if !matches!(values::number(level), Some(1..=9)) {
                return invalid("compression level", level);
            }
            buffered = true;
        } else if !value.starts_with(b"if=") {
            return invalid("parameter", &value);
        }
    }
    if flushed && !buffered {
        return fault(format!("no buffer is defined for access_log \"{}\"", show(&file)));
    }
    if buffered && file.contains(&b'$') {
        return fault("buffered logs cannot have variables in name".to_owned());
    }
    if buffered && file.starts_with(b"syslog:") {
        return fault("logs to syslog cannot be buffered".to_owned());
    }
    Ok(())
}

/// `log_format`: how variables are escaped (`ngx_http_log_compile_format`).
pub(super) fn format(line: Line<'_>) -> Result<(), Refused> {
    let Some(word) = line.word(1).map(Word::value) else { return Ok(()) };
    match word.strip_prefix(b"escape=") {
        Some(b"json" | b"default" | b"none") | None => Ok(()),
        Some(other) => fault(format!("unknown log format escaping \"{}\"", show(other))),
    }
}

fn syslog(file: &[u8]) -> Result<(), Refused> {
    let Some(parameters) = file.strip_prefix(b"syslog:") else { return Ok(()) };
    let mut has_server = false;
    for parameter in parameters.split(|&byte| byte == b',') {
        let one_of = |words: &str, text: &[u8]| words.split(',').any(|word| word.as_bytes() == text);
        if let Some(server) = parameter.strip_prefix(b"server=") {
            if let Err(reason) = address::check(server, false) {
                return fault(format!("{reason} in syslog server \"{}\"", show(server)));
            }
            if std::mem::replace(&mut has_server, true) {
                return fault("duplicate syslog \"server\"".to_owned());
            }
        } else if let Some(facility) = parameter.strip_prefix(b"facility=") {
            if !one_of(FACILITIES, facility) {
                return fault(format!("unknown syslog facility \"{}\"", show(facility)));
            }
        } else if let Some(severity) = parameter.strip_prefix(b"severity=") {
            if !one_of(SEVERITIES, severity) {
                return fault(format!("unknown syslog severity \"{}\"", show(severity)));
            }
        } else if let Some(tag) = parameter.strip_prefix(b"tag=") {
            if tag.len() > 32 {
                return fault("syslog tag length exceeds 32".to_owned());
            }
            if !tag.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
                return fault("syslog \"tag\" only allows alphanumeric characters and underscore".to_owned());
            }
        } else if parameter != b"nohostname" {
            return fault(format!("unknown syslog parameter \"{}\"", show(parameter)));
        }
    }
    if has_server { Ok(()) } else { fault("no syslog server specified".to_owned()) }
}
