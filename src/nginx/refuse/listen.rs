//! Sockets: what `listen` takes, and who is the default of each (`ngx_http_core_listen`, `ngx_http_add_listen`).

use std::net::IpAddr;

use super::http::Again;
use super::value::Refused;
use super::{Checker, address, show};
use crate::gateway::Fault;
use crate::nginx::line::Line;
use crate::nginx::values;

/// What may stand behind the address, `=` included where a value follows.
const PARAMETERS: [&str; 22] = [
    "accept_filter=",
    "backlog=",
    "bind",
    "default",
    "default_server",
    "deferred",
    "fastopen=",
    "http2",
    "ipv6only=",
    "multipath",
    "proxy_protocol",
    "quic",
    "rcvbuf=",
    "reuseport",
    "setfib=",
    "sndbuf=",
    "so_keepalive=",
    "spdy",
    "ssl",
    "udp",
    "http3",
    "virtual=",
];

/// Whether the words of `listen` are what nginx takes.
pub(super) fn check(line: Line<'_>, is_stream: bool) -> Result<(), Refused> {
    let Some(word) = line.word(0) else { return Ok(()) };
    let value = word.value();
    let is_port = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let result = if is_port && matches!(values::number(&value), Some(1..=65535)) {
        Ok(())
    } else if is_port {
        Err("invalid port")
    } else {
        // A range of ports: nginx reads both ends.
        let single = value.split(|&byte| byte == b'-').next().unwrap_or(&value);
        address::check(if value.starts_with(b"unix:") { &value } else { single }, false)
    };
    if let Err(reason) = result
        && !is_stream
    {
        return Err((Fault::Address, format!("{reason} in \"{}\" of the \"listen\" directive", show(&value))));
    }
    for word in line.words().skip(1) {
        let value = word.value();
        let text = show(&value);
        let known = PARAMETERS.iter().any(|known| if known.ends_with('=') { text.starts_with(known) } else { text == *known });
        if !known {
            return Err((Fault::Value, format!("invalid parameter \"{text}\"")));
        }
    }
    Ok(())
}

impl<'a> Checker<'a> {
    /// `listen` in a server of `http`.
    pub(super) fn listen(&mut self, line: Line<'a>) -> Result<(), Refused> {
        check(line, false)?;
        let Some(socket) = line.word(0).and_then(|word| socket(&word.value())) else { return Ok(()) };
        let server = self.levels.last().map_or(0, |level| level.number);
        let default = line.words().skip(1).any(|word| matches!(word.value().as_ref(), b"default_server" | b"default"));
        // QUIC goes over UDP: another socket on the same port.
        let is_udp = line.words().skip(1).any(|word| matches!(word.value().as_ref(), b"quic" | b"udp"));
        let template = self.is_template(line);
        let options = line.words().skip(1).any(|word| is_option(&word.value()));
        match self.http.bind((is_udp, &socket), server, default, options) {
            Some(again) if !template => {
                let what = match again {
                    Again::Socket => "a duplicate listen",
                    Again::Options => "duplicate listen options for",
                    Again::Default => "a duplicate default server for",
                };
                Err((Fault::Duplicate, format!("{what} {socket}")))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a parameter is one that only one of the lines for a socket may have (`lsopt.set`).
fn is_option(parameter: &[u8]) -> bool {
    const OPTIONS: [&str; 11] = [
        "accept_filter=",
        "backlog=",
        "bind",
        "deferred",
        "fastopen=",
        "ipv6only=",
        "rcvbuf=",
        "reuseport",
        "setfib=",
        "sndbuf=",
        "so_keepalive=",
    ];
    OPTIONS.iter().any(|option| parameter.starts_with(option.as_bytes()))
}

/// The socket as nginx shows it; `None` where a name or a range must be looked up.
fn socket(value: &[u8]) -> Option<String> {
    let text = str::from_utf8(value).ok()?;
    if text.starts_with("unix:") {
        return Some(text.to_owned());
    }
    let (host, port) = match text.parse::<u16>() {
        Ok(port) => ("*", port),
        Err(_) => match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (text, 80),
        },
    };
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let address = match (host, inside) {
        ("*", _) => IpAddr::from([0, 0, 0, 0]),
        (_, Some(inside)) => IpAddr::V6(inside.parse().ok()?),
        (host, None) => IpAddr::V4(host.parse().ok()?),
    };
    Some(std::net::SocketAddr::new(address, port).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_written_alike() {
        for (text, shown) in [
            ("80", Some("0.0.0.0:80")),
            ("*:80", Some("0.0.0.0:80")),
            ("127.0.0.1", Some("127.0.0.1:80")),
            ("[::]:443", Some("[::]:443")),
            ("[0:0::1]", Some("[::1]:80")),
            ("localhost:80", None),
            ("8000-8010", None),
        ] {
            assert_eq!(socket(text.as_bytes()).as_deref(), shown, "{text}");
        }
    }
}
