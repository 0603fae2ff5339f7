//! Groups of backends: `server` and the methods of an `upstream` (`ngx_http_upstream.c` and the modules of the methods).

use super::bounds::{fault, halves};
use super::value::Refused;
use super::{Checker, Context, address, show};
use crate::gateway::{Fault, Version};
use crate::nginx::line::{Line, Word};
use crate::nginx::values::{self, Resolution};

/// From this version on, `keepalive` is on by default, and takes `0` and `local`.
const KEEPALIVE_DEFAULT: Version = Version::new(1, 29, 7);

/// What is known of the backends of an `upstream` so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Members {
    /// The backends that are asked first.
    pub(super) first: usize,
    /// Those that are asked when the others are down.
    pub(super) backup: usize,
    /// Whether the method knows no `backup`.
    no_backup: bool,
}

impl<'a> Checker<'a> {
    /// Whether an earlier version took fewer arguments.
    pub(super) fn was_narrower(&self, line: Line<'_>) -> bool {
        line.name() == b"keepalive"
            && line.words().count() > 1
            && self.context() == Some(Context::Upstream)
            && self.version.is_some_and(|version| version < KEEPALIVE_DEFAULT)
    }

    /// A directive of an `upstream`.
    pub(super) fn in_upstream(&mut self, line: Line<'a>) -> Result<(), Refused> {
        match line.name() {
            b"server" => self.member(line),
            b"keepalive" => self.keepalive(line),
            b"hash" => {
                self.without_backup();
                match line.word(1) {
                    Some(word) if word.value().as_ref() != b"consistent" => invalid_parameter(word),
                    _ => Ok(()),
                }
            }
            b"ip_hash" => {
                self.without_backup();
                Ok(())
            }
            b"random" => {
                self.without_backup();
                random(line)
            }
            _ => Ok(()),
        }
    }

    fn without_backup(&mut self) {
        self.not_a_snippet();
        if let Some(level) = self.levels.last_mut() {
            level.members.no_backup = true;
        }
    }

    /// `ngx_http_upstream_server`.
    fn member(&mut self, line: Line<'a>) -> Result<(), Refused> {
        self.not_a_snippet();
        let backup = line.words().skip(1).any(|word| word.value().as_ref() == b"backup");
        if let Some(level) = self.levels.last_mut() {
            let members = &mut level.members;
            if backup && members.no_backup {
                return fault("balancing method does not support parameter \"backup\"".to_owned());
            }
            *(if backup { &mut members.backup } else { &mut members.first }) += 1;
        }
        server(line)
    }

    /// `ngx_http_upstream_keepalive`.
    fn keepalive(&mut self, line: Line<'_>) -> Result<(), Refused> {
        let Some(word) = line.word(0) else { return Ok(()) };
        let value = word.value();
        let takes_none = self.version.is_none_or(|version| version >= KEEPALIVE_DEFAULT);
        match values::number(&value) {
            Some(0) if takes_none => Ok(()),
            Some(1..) => Ok(()),
            _ => fault(format!("invalid value \"{}\" in \"keepalive\" directive", show(&value))),
        }
    }
}

pub(super) fn invalid_parameter(word: Word<'_>) -> Result<(), Refused> {
    fault(format!("invalid parameter \"{}\"", show(&word.value())))
}

/// `ngx_http_upstream_random`.
fn random(line: Line<'_>) -> Result<(), Refused> {
    match (line.word(0), line.word(1)) {
        (Some(word), _) if word.value().as_ref() != b"two" => invalid_parameter(word),
        (_, Some(word)) if !word.value().starts_with(b"least_") => invalid_parameter(word),
        _ => Ok(()),
    }
}

/// The words of a `server`.
fn server(line: Line<'_>) -> Result<(), Refused> {
    for word in line.words().skip(1) {
        let value = word.value();
        let (name, setting) = halves(&value);
        let good = match name {
            b"weight=" => values::number(setting).is_some_and(|weight| weight > 0),
            b"max_conns=" | b"max_fails=" => values::number(setting).is_some(),
            b"fail_timeout=" | b"slow_start=" => values::duration(setting, Resolution::Seconds).is_some(),
            b"backup" | b"down" | b"resolve" | b"drain" | b"route=" | b"service=" => true,
            _ => false,
        };
        if !good {
            return invalid_parameter(word);
        }
    }
    line.word(0).map_or(Ok(()), |word| address_of(&word.value(), false))
}

/// The address of an upstream (`ngx_http_upstream_add`).
pub(super) fn address_of(text: &[u8], has_uri: bool) -> Result<(), Refused> {
    match address::check(text, has_uri) {
        Err(reason) => Err((Fault::Address, format!("{reason} in upstream \"{}\"", show(text)))),
        Ok(()) if address::is_nowhere(address::host(text)) => {
            Err((Fault::Address, format!("host not found in upstream \"{}\"", show(address::host(text)))))
        }
        Ok(()) => Ok(()),
    }
}
