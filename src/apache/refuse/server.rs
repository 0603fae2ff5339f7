//! Sockets and names: `Listen`, `<VirtualHost>`, `ServerName` (`server/listen.c`, `server/core.c`).

use super::{Checker, Line, Refused, escaped};
use crate::gateway::Fault;

impl<'a> Checker<'a> {
    /// `ap_set_listener`: the same socket twice.
    pub(super) fn listen(&mut self, line: &Line<'a>) -> Result<(), Refused> {
        self.listens = true;
        let Some(word) = line.words.first() else { return Ok(()) };
        if self.sockets.insert(word.value.to_ascii_lowercase()) {
            return Ok(());
        }
        Err((Fault::Duplicate, "Cannot define multiple Listeners on the same IP:port".to_owned()))
    }
}

/// `set_server_name`.
pub(super) fn name(line: &Line<'_>) -> Result<(), Refused> {
    match line.words.first() {
        Some(word) if word.value.iter().any(|byte| matches!(byte, b'*' | b'?')) => {
            let name = escaped(&word.value);
            Err((Fault::Value, format!("Invalid ServerName \"{name}\" use ServerAlias to set multiple server names.")))
        }
        _ => Ok(()),
    }
}

/// `virtualhost_section`.
pub(super) fn virtual_host(line: &Line<'_>) -> Result<(), Refused> {
    if line.words.is_empty() {
        return Err((Fault::Arguments, "<VirtualHost> directive requires additional arguments".to_owned()));
    }
    for word in &line.words {
        let text = &word.value;
        let port = match text.iter().rposition(|&byte| byte == b':') {
            Some(colon) if !text[colon..].contains(&b']') => &text[colon + 1..],
            _ => continue,
        };
        let good = port == b"*" || str::from_utf8(port).is_ok_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        // `@@Port@@`, `<port>`: to be filled in.
        if !good && port.iter().all(u8::is_ascii_alphanumeric) {
            return Err((Fault::Address, "The address or port is invalid".to_owned()));
        }
    }
    Ok(())
}

/// What an expression lacks, as far as it shows without parsing it (`ap_expr_parse_cmd`).
pub(super) fn condition(line: &Line<'_>) -> Result<(), Refused> {
    let refused = |reason: &str| Err((Fault::Value, format!("Cannot parse condition clause: {reason}")));
    let Some(word) = line.words.first() else { return Ok(()) };
    let text = String::from_utf8_lossy(&word.value);
    if text.rfind("%{").is_some_and(|open| !text[open..].contains('}')) && !text.contains(['\'', '#']) {
        return refused("Unterminated string or variable");
    }
    if word.value.trim_ascii_end().ends_with(b"==") || word.value.trim_ascii_end().ends_with(b"!=") {
        return refused("syntax error, unexpected $end");
    }
    // A bare word can only be a function's name.
    let operand = ["==", "!="].iter().find_map(|operator| text.rsplit_once(operator)).map(|(_, operand)| operand.trim());
    if operand.is_some_and(|operand| {
        operand.starts_with(|first: char| first.is_ascii_alphabetic())
            && operand.chars().all(|rest| rest.is_ascii_alphanumeric() || rest == '_')
    }) {
        return refused("syntax error, unexpected $end, expecting '('");
    }
    Ok(())
}
