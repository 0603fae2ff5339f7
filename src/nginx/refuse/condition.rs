//! The condition of an `if` (`ngx_http_rewrite_if_condition`, `ngx_http_rewrite_module.c`).

use super::show;
use super::value::Refused;
use crate::gateway::Fault;
use crate::nginx::line::{Line, Word};

/// Why nginx refuses the condition of an `if`.
pub(super) fn check(line: Line<'_>) -> Result<(), Refused> {
    let mut words: Vec<_> = line.words().map(Word::value).collect();
    let invalid = |word: &[u8]| Err((Fault::Value, format!("invalid condition \"{}\"", show(word))));
    let (Some(first), Some(last)) = (words.first().cloned(), words.last().cloned()) else { return Ok(()) };
    if first.first() != Some(&b'(') {
        return invalid(&first);
    }
    if last.last() != Some(&b')') {
        return invalid(&last);
    }
    if let Some(last) = words.last_mut() {
        last.to_mut().pop();
    }
    if words.last().is_some_and(|last| last.is_empty()) {
        words.pop();
    }
    if let Some(first) = words.first_mut().filter(|first| !first.is_empty()) {
        first.to_mut().remove(0);
    }
    if words.first().is_some_and(|first| first.is_empty()) {
        words.remove(0);
    }
    let unexpected = |word: &[u8]| Err((Fault::Value, format!("unexpected \"{}\" in condition", show(word))));
    match words.as_slice() {
        [variable] if variable.len() > 1 && variable[0] == b'$' => Ok(()),
        [variable, operator, _] if variable.len() > 1 && variable[0] == b'$' => match operator.as_ref() {
            b"=" | b"!=" | b"~" | b"~*" | b"!~" | b"!~*" => Ok(()),
            other => unexpected(other),
        },
        [operator, _] => match operator.as_ref() {
            b"-f" | b"-d" | b"-e" | b"-x" | b"!-f" | b"!-d" | b"!-e" | b"!-x" => Ok(()),
            other => invalid(other),
        },
        [other, ..] => invalid(other),
        [] => invalid(&first),
    }
}
