//! The arguments of `Header` and `RequestHeader` (`header_inout_cmd`, `mod_headers.c`).

use super::{Line, Refused};
use crate::gateway::Fault;

/// Whether the words make a header directive.
pub(super) fn check(line: &Line<'_>) -> Result<(), Refused> {
    let name = line.row.name;
    let mut words = line.words.as_slice();
    if name == "Header"
        && words
            .first()
            .is_some_and(|word| ["always", "onsuccess"].iter().any(|it| word.value.eq_ignore_ascii_case(it.as_bytes())))
    {
        words = &words[1..];
    }
    let Some(action) = words.first() else { return Ok(()) };
    let action = String::from_utf8_lossy(&action.value).to_ascii_lowercase();
    let (needs, most) = match action.as_str() {
        "set" | "append" | "merge" | "add" | "setifempty" | "note" => (3, 5),
        "unset" | "echo" => (2, 5),
        "edit" | "edit*" => (4, 5),
        _ => return Ok(()),
    };
    if words.len() > most {
        return Err((Fault::Arguments, format!("{name} has too many arguments")));
    }
    if words.len() < needs && needs == 3 {
        return Err((Fault::Arguments, "Header requires three arguments".to_owned()));
    }
    Ok(())
}
