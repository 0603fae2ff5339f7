//! Values of what maps paths that httpd refuses: aliases, redirects, the bases and maps of rules, what belongs to mappings.

use super::value::{Place, arguments, atoi, fault, tls};
use super::{Refused, escaped};
use crate::apache::expression;
use crate::apache::statement::Word;
use crate::apache::values::named_status;

/// Whether the values of a directive are ones that it takes.
pub(super) fn check(name: &str, words: &[Word<'_>], place: Place<'_>) -> Result<(), Refused> {
    match name {
        "Redirect" | "RedirectMatch" | "RedirectPermanent" | "RedirectTemp" => redirect(name, words, place),
        "Alias" | "ScriptAlias" if words.len() < 2 && !place.in_area => {
            arguments(format!("{name} must have two arguments when used globally"))
        }
        "Alias" | "ScriptAlias" if words.len() == 2 && place.in_area => {
            arguments(format!("{name} takes one argument in a section that says the path"))
        }
        "ProxyPassReverse"
            if place.in_area && words.get(1).is_some_and(|word| !word.value.eq_ignore_ascii_case(b"interpolate")) =>
        {
            fault("ProxyPassReverse can not have a path when defined in a location")
        }
        "RewriteBase" if !place.in_area => fault("RewriteBase: only valid in per-directory config files"),
        "RewriteBase" => match words.first() {
            Some(word) if word.value.is_empty() => fault("RewriteBase: empty URL not allowed"),
            Some(word) if !word.value.starts_with(b"/") => fault("RewriteBase: argument is not a valid URL"),
            _ => Ok(()),
        },
        "RewriteMap" => rewrite_map(words),
        "ProxyPassReverse" if words.len() == 1 && !place.in_area => {
            arguments("ProxyPassReverse needs a path when not defined in a location")
        }
        "ProxyDomain" if words.first().is_some_and(|word| !word.value.starts_with(b".")) => {
            fault("ProxyDomain: domain name must start with a dot.")
        }
        "ProxyRemote" | "ProxyRemoteMatch"
            if words.get(1).is_some_and(|word| memchr::memmem::find(&word.value, b"://").is_none()) =>
        {
            fault(format!("{name}: Bad syntax for a remote proxy server"))
        }
        "UserDir" if words.is_empty() => arguments("UserDir requires an argument."),
        "VirtualDocumentRoot" | "VirtualScriptAlias" | "VirtualDocumentRootIP" | "VirtualScriptAliasIP"
            if words.first().is_some_and(|word| !word.value.starts_with(b"/") && !word.value.eq_ignore_ascii_case(b"none")) =>
        {
            fault("format string must be an absolute path, or 'none'")
        }
        _ => Ok(()),
    }
}

/// `add_redirect_internal` (`mod_alias.c`).
fn redirect(name: &str, words: &[Word<'_>], place: Place<'_>) -> Result<(), Refused> {
    let mut status = if name == "RedirectPermanent" { 301 } else { 302 };
    let Some(first) = words.first() else { return Ok(()) };
    let is_number = first.value.first().is_some_and(u8::is_ascii_digit);
    let understood = named_status(&first.value).map(i64::from).or_else(|| is_number.then(|| atoi(&first.value)));
    status = understood.unwrap_or(status);
    let is_redirect = |status: i64| matches!(status, 300..=303 | 305 | 307 | 308);
    if words.len() == 3 && understood.is_none() {
        return fault("Redirect: invalid first argument (of three)");
    }
    let has_second = words.len() > 1;
    if place.in_area {
        let is_expression = understood.is_some_and(is_redirect) && words.len() == 2 || understood.is_none() && !has_second;
        if is_expression {
            let url = if understood.is_some() { &words[1].value } else { &first.value };
            return match expression::string(url, tls(place)) {
                Err(why) => fault(format!("Cannot parse redirect expression '{}': {why}", escaped(url))),
                Ok(_) => Ok(()),
            };
        }
        if understood.is_some_and(|status| !is_redirect(status)) && !has_second {
            return Ok(());
        }
    }
    let (fake, url) = match understood {
        Some(_) => (words.get(1), words.get(2)),
        None => (Some(first), words.get(1)),
    };
    let is_match = name == "RedirectMatch";
    if is_match && fake.is_some_and(|fake| crate::pcre::fault(&fake.value).is_some()) {
        return fault("Regular expression could not be compiled.");
    }
    match (is_redirect(status), url) {
        (true, None) => fault("URL to redirect to is missing"),
        (true, Some(url)) if !is_match && !url.value.starts_with(b"/") && !is_url(&url.value) => fault("Redirect to non-URL"),
        (false, Some(_)) => fault("Redirect URL not valid for this status"),
        _ => Ok(()),
    }
}

/// `ap_is_url`.
fn is_url(text: &[u8]) -> bool {
    let scheme = text.iter().position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'-' | b'.'));
    scheme.is_some_and(|at| at > 0 && text[at] == b':')
}

/// `cmd_rewritemap`; whether a file is there is not looked at.
fn rewrite_map(words: &[Word<'_>]) -> Result<(), Refused> {
    let Some(source) = words.get(1) else { return Ok(()) };
    let text = String::from_utf8_lossy(&source.value).into_owned();
    let lower = text.to_ascii_lowercase();
    match lower.strip_prefix("int:") {
        Some(_) if !["tolower", "toupper", "escape", "unescape"].contains(&&text[4..]) => {
            fault(format!("RewriteMap: internal map not found:{}", escaped(&source.value[4..])))
        }
        _ => Ok(()),
    }
}
