//! The arguments of `Header` and `RequestHeader` (`header_inout_cmd`, `mod_headers.c`).

use super::value::{Place, tls};
use super::{Refused, escaped};
use crate::apache::expression;
use crate::apache::statement::Word;
use crate::gateway::Fault;

/// Whether the words make a header directive.
pub(super) fn check(name: &str, words: &[Word<'_>], place: Place<'_>) -> Result<(), Refused> {
    let fault = |message: &str| Err((Fault::Value, message.to_owned()));
    let is = |word: &Word<'_>, text: &str| word.value.eq_ignore_ascii_case(text.as_bytes());
    let mut words = words;
    if name == "Header" && words.first().is_some_and(|word| is(word, "always") || is(word, "onsuccess")) {
        words = &words[1..];
    }
    let action = words.first().map(|word| String::from_utf8_lossy(&word.value).to_ascii_lowercase()).unwrap_or_default();
    if words.len() > 5 {
        return Err((Fault::Arguments, format!("{name} has too many arguments")));
    }
    let (value, extra, more) = (words.get(2), words.get(3), words.get(4));
    let mut format = value;
    let condition = match action.as_str() {
        "note" if name == "RequestHeader" => return fault("RequestHeader does not support the 'note' action"),
        "edit" | "edit*" => {
            if extra.is_none() {
                return fault("Header edit requires a match and a substitution");
            }
            if value.is_some_and(|value| crate::pcre::fault(&value.value).is_some()) {
                return fault("Header edit regex could not be compiled");
            }
            format = extra;
            more
        }
        "unset" | "echo" => {
            format = None;
            if more.is_some() {
                return fault("Too many arguments to directive");
            }
            if value.is_some() && extra.is_some() {
                return fault(&format!("header {action} takes two arguments"));
            }
            if action == "echo" && name == "RequestHeader" {
                return fault("Header echo only valid on Header directives");
            }
            value
        }
        "set" | "append" | "merge" | "add" | "setifempty" | "note" => {
            if more.is_some() {
                return fault("Too many arguments to directive");
            }
            if value.is_none() {
                return Err((Fault::Arguments, "Header requires three arguments".to_owned()));
            }
            extra
        }
        _ => {
            return fault(
                "first argument must be 'add', 'set', 'setifempty', 'append', 'merge', 'unset', 'echo', 'note', 'edit', or 'edit*'.",
            );
        }
    };
    if let Some(word) = condition {
        let start = |text: &str| word.value.get(..text.len()).is_some_and(|own| own.eq_ignore_ascii_case(text.as_bytes()));
        if start("expr=") {
            if let Err(why) = expression::condition(&word.value[5..], tls(place)) {
                return fault(&format!("Can't parse envclause/expression: {why}"));
            }
        } else if start("env=") {
            if matches!(&word.value[4..], b"" | b"!") {
                return fault("error: missing environment variable name. envclause should be in the form env=envar ");
            }
        } else if !is(word, "early") {
            return fault(&format!("Unknown parameter: {}", escaped(&word.value)));
        }
    }
    let Some(format) = format else { return Ok(()) };
    if let Some(text) = format.value.strip_prefix(b"expr=") {
        return match expression::string(text, tls(place)) {
            Err(why) => fault(&format!("Can't parse value expression : {why}")),
            Ok(_) => Ok(()),
        };
    }
    match unknown_format(&format.value) {
        Some(letter) => fault(&format!("Unrecognized header format %{letter}")),
        None => Ok(()),
    }
}

/// What stands behind a `%` and means nothing (`parse_format_tag`).
fn unknown_format(text: &[u8]) -> Option<char> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        rest = &rest[at + 1..];
        match rest.split_first() {
            None => return None,
            Some((b'%' | b'D' | b't' | b'e' | b's', after)) => rest = after,
            Some((b'{', after)) => {
                let end = memchr::memchr(b'}', after).map_or(after.len(), |end| end + 1);
                rest = &after[end..];
                match rest.split_first() {
                    Some((b'D' | b't' | b'e' | b's', after)) => rest = after,
                    Some((&other, _)) => return Some(char::from(other)),
                    None => return Some(' '),
                }
            }
            Some((&other, _)) => return Some(char::from(other)),
        }
    }
    None
}
