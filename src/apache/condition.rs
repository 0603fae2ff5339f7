//! Whether the sections that httpd decides while it reads are taken: `<IfModule>`, `<IfDefine>`, `<IfVersion>` and their kin.

use std::cmp::Ordering;

use super::directives;
use super::expand::Defines;
use crate::gateway::{Modules, Version};

/// How a condition turns out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be known; the section is read as if it held.
    Assumed,
}

impl Outcome {
    fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    /// The outcome behind a `!`. What is assumed to hold is assumed not to fail, lest both branches be taken.
    fn negated(self) -> Self {
        match self {
            Self::True | Self::Assumed => Self::False,
            Self::False => Self::True,
        }
    }
}

/// Splits off the `!` before a condition's argument.
fn negation(argument: &[u8]) -> (bool, &[u8]) {
    argument.strip_prefix(b"!").map_or((false, argument), |rest| (true, rest))
}

fn decide(argument: &[u8], test: impl FnOnce(&[u8]) -> Outcome) -> Outcome {
    let (negated, argument) = negation(argument);
    let outcome = test(argument);
    if negated { outcome.negated() } else { outcome }
}

/// The modules that a distribution's httpd has built in: `httpd -l` of Debian; `core`, `http` and `so` are so everywhere.
pub(super) const BUILT_IN: [&str; 8] = ["core", "so", "http", "unixd", "log_config", "logio", "version", "watchdog"];

/// The module that `<IfModule>` asks for: by source file or by identifier; anything else is never loaded (`ap_find_linked_module`).
pub(super) fn module_name(token: &str) -> Option<&str> {
    if let Some(name) = token.strip_suffix("_module") {
        return Some(name);
    }
    match token.strip_suffix(".c")? {
        "core" => Some("core"),
        "http_core" => Some("http"),
        "prefork" => Some("mpm_prefork"),
        "worker" => Some("mpm_worker"),
        "event" => Some("mpm_event"),
        "util_ldap" => Some("ldap"),
        // Their sources are not called so.
        "mod_mpm_prefork" | "mod_mpm_worker" | "mod_mpm_event" | "mod_core" | "mod_http" | "mod_ldap" => None,
        file => file.strip_prefix("mod_"),
    }
}

/// `<IfModule>`. With `complete`, modules not loaded so far are absent.
pub(super) fn if_module(argument: &[u8], modules: &Modules, complete: bool) -> Outcome {
    decide(argument, |token| {
        let Some(name) = str::from_utf8(token).ok().and_then(module_name) else { return Outcome::False };
        if modules.loaded.contains_key(name) {
            return Outcome::True;
        }
        // Whoever loads no processing module has one built in, and nothing says which.
        let built_in = name.starts_with("mpm_") && !modules.loaded.keys().any(|name| name.starts_with("mpm_"));
        if complete && !built_in { Outcome::False } else { Outcome::Assumed }
    })
}

/// `<IfDefine>`: what no line defines counts as not defined, for hardly anyone starts httpd with `-D`.
pub(super) fn if_define(argument: &[u8], defines: &Defines) -> Outcome {
    decide(argument, |name| Outcome::of(defines.is_defined(name)))
}

/// Why `<IfVersion>` is refused (`start_ifversion`).
pub(super) fn check_version(words: &[Vec<u8>]) -> Result<(), String> {
    let (operator, wanted) = match words {
        [] => return Err(VERSION.to_owned()),
        [wanted] => (&b"="[..], wanted.as_slice()),
        [operator, wanted, ..] => (operator.as_slice(), wanted.as_slice()),
    };
    let bare = operator.strip_prefix(b"!").filter(|rest| !rest.is_empty()).unwrap_or(operator);
    let is_pattern = bare == b"~" || matches!(bare, b"=" | b"==") && wanted.starts_with(b"/");
    if !matches!(bare, b"=" | b"==" | b"~" | b"<" | b"<=" | b">" | b">=") {
        return Err(format!("unrecognized operator '{}'", String::from_utf8_lossy(operator)));
    }
    if is_pattern {
        return if crate::pcre::fault(wanted).is_some() {
            Err("Unable to compile regular expression".to_owned())
        } else {
            Ok(())
        };
    }
    let mut parts = wanted.split(|&byte| byte == b'.');
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if parts.by_ref().take(3).all(is_number) && parts.next().is_none() { Ok(()) } else { Err(VERSION.to_owned()) }
}

const VERSION: &str =
    "Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.";

/// `<IfVersion [[!]op] version>` (`mod_version.c`). Where the version is not known, a test that all of 2.4 passes or fails is decided.
pub(super) fn if_version(words: &[Vec<u8>], version: Option<Version>) -> Outcome {
    let (operator, wanted) = match words {
        [operator, wanted, ..] => (operator.as_slice(), wanted.as_slice()),
        [wanted] => (b"=".as_slice(), wanted.as_slice()),
        [] => return Outcome::False,
    };
    decide(operator, |operator| {
        let test = |version: Version| version_holds(operator, wanted, version);
        match version {
            Some(version) => test(version).map_or(Outcome::Assumed, Outcome::of),
            None => match (test(Version::new(2, 4, 1)), test(Version::new(2, 4, 999))) {
                (Some(oldest), Some(newest)) if oldest == newest => Outcome::of(oldest),
                (_, Some(false)) => Outcome::False,
                _ => Outcome::Assumed,
            },
        }
    })
}

/// Steps that a pattern over a version may take.
const BACKTRACK_LIMIT: usize = 10_000;

/// Compares as many numbers as are written. `None`: it is not a comparison.
fn version_holds(operator: &[u8], wanted: &[u8], version: Version) -> Option<bool> {
    let wanted = str::from_utf8(wanted).ok()?;
    let between_slashes = wanted.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let pattern = match (operator, between_slashes) {
        (b"~", _) => Some(between_slashes.unwrap_or(wanted)),
        (b"" | b"=" | b"==", Some(pattern)) => Some(pattern),
        _ => None,
    };
    if let Some(pattern) = pattern {
        let version = format!("{}.{}.{}", version.major, version.minor, version.patch);
        return fancy_regex::RegexBuilder::new(pattern).backtrack_limit(BACKTRACK_LIMIT).build().ok()?.is_match(&version).ok();
    }
    let mut order = Ordering::Equal;
    for (part, have) in wanted.split('.').zip([version.major, version.minor, version.patch]) {
        order = order.then(have.cmp(&part.parse().ok()?));
    }
    match operator {
        b"" | b"=" | b"==" => Some(order.is_eq()),
        b">" => Some(order.is_gt()),
        b">=" => Some(order.is_ge()),
        b"<" => Some(order.is_lt()),
        b"<=" => Some(order.is_le()),
        _ => None,
    }
}

/// `<IfFile>`: `exists` is `None` where the path leads out of the given tree.
pub(super) fn if_file(argument: &[u8], exists: impl FnOnce(&[u8]) -> Option<bool>) -> Outcome {
    decide(argument, |path| exists(path).map_or(Outcome::Assumed, Outcome::of))
}

/// `<IfDirective>` and `<IfSection>`: which names httpd knows depends on its modules.
pub(super) fn if_known(argument: &[u8], is_section: bool, modules: &Modules, complete: bool) -> Outcome {
    decide(argument, |name| {
        let rows = directives::directive(name);
        let mut rows = rows.iter().filter(|row| row.is_section == is_section);
        let foreign = modules.loaded.keys().any(|name| !directives::is_own_module(name));
        if rows.any(|row| row.module == "core" || modules.loaded.contains_key(row.module)) {
            Outcome::True
        } else if complete && !foreign {
            Outcome::False
        } else {
            Outcome::Assumed
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_by_file_or_identifier_only() {
        let mut modules = Modules::default();
        modules.loaded.insert("proxy".into(), None);
        assert_eq!(if_module(b"mod_proxy.c", &modules, true), Outcome::True);
        assert_eq!(if_module(b"proxy_module", &modules, true), Outcome::True);
        assert_eq!(if_module(b"mod_proxy", &modules, true), Outcome::False);
        assert_eq!(if_module(b"proxy", &modules, false), Outcome::False);
        assert_eq!(if_module(b"!mod_ssl.c", &modules, true), Outcome::True);
        assert_eq!(if_module(b"mod_ssl.c", &modules, false), Outcome::Assumed);
        assert_eq!(if_module(b"!mod_ssl.c", &modules, false), Outcome::False);
        assert_eq!(if_module(b"mpm_event_module", &modules, true), Outcome::Assumed);
    }

    #[test]
    fn versions_that_all_of_two_four_share_are_decided() {
        let test = |operator: &str, wanted: &str, version| if_version(&[operator.into(), wanted.into()], version);
        assert_eq!(test(">=", "2.4", None), Outcome::True);
        assert_eq!(test("<", "2.4", None), Outcome::False);
        assert_eq!(test(">=", "2.4.47", None), Outcome::Assumed);
        assert_eq!(test("<", "2.4.47", None), Outcome::False);
        assert_eq!(test("<", "2.4.47", Some(Version::new(2, 4, 41))), Outcome::True);
        assert_eq!(test("!<", "2.4.47", Some(Version::new(2, 4, 41))), Outcome::False);
        assert_eq!(test("~", "^2.4", None), Outcome::True);
        assert_eq!(test("~", r"\.47$", None), Outcome::False);
        assert_eq!(test("=", r"/^2\.5/", Some(Version::new(2, 4, 71))), Outcome::False);
        assert_eq!(if_version(&[br"/^2\.4/".to_vec()], Some(Version::new(2, 4, 71))), Outcome::True);
        assert_eq!(if_version(&[b"2.4".to_vec()], None), Outcome::True);
    }

    #[test]
    fn what_nothing_defines_is_not_defined() {
        let mut defines = Defines::default();
        defines.define(b"SSL", None);
        assert_eq!(if_define(b"SSL", &defines), Outcome::True);
        assert_eq!(if_define(b"!ssl", &defines), Outcome::True);
    }
}
