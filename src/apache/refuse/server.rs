//! Sockets and names: `Listen`, `<VirtualHost>`, `ServerName` (`server/listen.c`, `server/core.c`).

use super::value::{Place, tls};
use super::{Checker, Line, Refused, escaped};
use crate::apache::statement::Word;
use crate::gateway::Fault;

impl<'a> Checker<'a> {
    /// `ap_set_listener`: the same socket twice.
    pub(super) fn listen(&mut self, line: &Line<'a>) -> Result<(), Refused> {
        self.listens = true;
        let Some(word) = line.words.first().filter(|_| line.words.len() <= 2) else {
            return Err((Fault::Arguments, "Listen requires 1 or 2 arguments.".to_owned()));
        };
        let text = &word.value;
        let port = text.iter().rposition(|&byte| byte == b':').map_or(text.as_ref(), |colon| &text[colon + 1..]);
        // `@@Port@@`, `<port>`: to be filled in.
        if port.iter().all(u8::is_ascii_alphanumeric) {
            let good = str::from_utf8(port).ok().and_then(|port| port.parse::<u32>().ok());
            match good {
                None => return Err((Fault::Address, "Port must be specified".to_owned())),
                Some(0 | 65_536..) => return Err((Fault::Address, "Invalid address or port".to_owned())),
                Some(_) => {}
            }
        }
        if !self.sockets.insert(word.value.to_ascii_lowercase()) {
            return Err((Fault::Duplicate, "Cannot define multiple Listeners on the same IP:port".to_owned()));
        }
        let host = text.strip_suffix(port).unwrap_or_default();
        let taken = self.taken.entry(port.to_vec()).or_default();
        if port.iter().all(u8::is_ascii_digit) && taken.clashes(host) {
            let message = format!("Address already in use: make_sock: could not bind to address {}", escaped(text));
            return Err((Fault::Duplicate, message));
        }
        taken.add(host);
        Ok(())
    }
}

/// Which addresses of a port are listened on already.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// All of them.
    any: bool,
    /// All of IPv4: `0.0.0.0`.
    all_of_4: bool,
    /// One of IPv4.
    one_of_4: bool,
}

impl Taken {
    /// Whether the operating system lets nobody listen on this address any more (`EADDRINUSE`, as Linux does). All of IPv4 behind all
    /// addresses is passed over by httpd (`open_listeners`), and how IPv6 goes with IPv4 depends on the machine.
    fn clashes(&self, host: &[u8]) -> bool {
        match Self::kind(host) {
            Some(Kind::Any) => self.any || self.all_of_4 || self.one_of_4,
            Some(Kind::AllOf4) => self.one_of_4,
            Some(Kind::OneOf4) => self.any || self.all_of_4,
            None => false,
        }
    }

    fn add(&mut self, host: &[u8]) {
        match Self::kind(host) {
            Some(Kind::Any) => self.any = true,
            Some(Kind::AllOf4) => self.all_of_4 = true,
            Some(Kind::OneOf4) => self.one_of_4 = true,
            None => {}
        }
    }

    fn kind(host: &[u8]) -> Option<Kind> {
        match host.strip_suffix(b":").unwrap_or(host) {
            b"" | b"*" => Some(Kind::Any),
            b"0.0.0.0" => Some(Kind::AllOf4),
            host => str::from_utf8(host).ok()?.parse::<std::net::Ipv4Addr>().ok().map(|_| Kind::OneOf4),
        }
    }
}

/// What an address stands for.
enum Kind {
    Any,
    AllOf4,
    OneOf4,
}

/// `set_server_name`.
pub(super) fn name(line: &Line<'_>) -> Result<(), Refused> {
    match line.words.first() {
        Some(word) if word.value.iter().any(|byte| matches!(byte, b'*' | b'?')) => {
            let name = escaped(&word.value);
            Err((Fault::Value, format!("Invalid ServerName \"{name}\" use ServerAlias to set multiple server names.")))
        }
        Some(word) => {
            let name = word.value.as_ref();
            let rest = memchr::memmem::find(name, b"://").map_or(name, |at| &name[at + 3..]);
            let port = rest.iter().rposition(|&byte| byte == b':').filter(|&colon| !rest[colon..].contains(&b']'));
            let digits = port.map(|colon| &rest[colon + 1..]);
            let is_wrong = digits.is_some_and(|digits| {
                !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && !(1..=65_535).contains(&super::value::atoi(digits))
            });
            if is_wrong {
                let name = escaped(name);
                let message = format!("The port number \"{name}\" is outside the appropriate range (i.e., 1..65535).");
                return Err((Fault::Value, message));
            }
            Ok(())
        }
        None => Ok(()),
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
        // What is no number is part of the name, which is not found and passed over.
        if !good && port.iter().all(u8::is_ascii_digit) {
            return Err((Fault::Address, "The address or port is invalid".to_owned()));
        }
    }
    Ok(())
}

/// What an expression lacks (`ap_expr_parse_cmd`); the condition of a section stands up to the last `>`.
pub(super) fn condition(words: &[Word<'_>], raw: &[u8], place: Place<'_>) -> Result<(), Refused> {
    let refused = |reason: &str| Err((Fault::Value, format!("Cannot parse condition clause: {reason}")));
    if raw.trim_ascii().is_empty() {
        return Err((Fault::Arguments, "<If> directive requires additional arguments".to_owned()));
    }
    let Some(word) = words.first() else { return refused("syntax error, unexpected $end") };
    let text = String::from_utf8_lossy(&word.value);
    if text.rfind("%{").is_some_and(|open| !text[open..].contains('}')) && !text.contains(['\'', '#']) {
        return refused("Unterminated string or variable");
    }
    // A bare word can only be a function's name.
    let operand = ["==", "!="].iter().find_map(|operator| text.rsplit_once(operator)).map(|(_, operand)| operand.trim());
    if operand.is_some_and(|operand| {
        operand.starts_with(|first: char| first.is_ascii_alphabetic())
            && operand.chars().all(|rest| rest.is_ascii_alphanumeric() || rest == '_')
    }) {
        return refused("syntax error, unexpected $end, expecting '('");
    }
    match crate::apache::expression::condition(&word.value, tls(place)) {
        Err(why) => refused(&why),
        Ok(_) => Ok(()),
    }
}
