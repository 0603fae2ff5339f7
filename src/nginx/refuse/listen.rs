//! Sockets: what `listen` takes, and who is the default of each (`ngx_http_core_listen`, `ngx_http_add_listen`).

use std::net::IpAddr;

use super::bounds::halves;
use super::http::{Again, Bound};
use super::value::Refused;
use super::{Checker, address, show};
use crate::gateway::Fault;
use crate::nginx::line::Line;
use crate::nginx::values::{self, Resolution};

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
    if result.is_ok() && !is_stream && address::is_nowhere(address::host(&value)) {
        return Err((Fault::Address, format!("host not found in \"{}\" of the \"listen\" directive", show(&value))));
    }
    line.words().skip(1).try_for_each(|word| parameter(&word.value(), is_stream))
}

/// A word behind the address.
fn parameter(value: &[u8], is_stream: bool) -> Result<(), Refused> {
    let (name, setting) = halves(value);
    let number = |least: u64| values::number(setting).is_some_and(|number| number >= least);
    let good = match name {
        b"bind" | b"default" | b"default_server" | b"deferred" | b"http2" | b"http3" | b"multipath" | b"proxy_protocol"
        | b"quic" | b"reuseport" | b"ssl" => true,
        // Of FreeBSD; others ignore it.
        b"accept_filter=" => !setting.is_empty(),
        b"backlog=" => number(1),
        // The second is of FreeBSD.
        b"fastopen=" | b"setfib=" => number(0),
        b"rcvbuf=" | b"sndbuf=" => values::size(setting).is_some(),
        b"so_keepalive=" if is_keepalive(setting) => true,
        b"so_keepalive=" => {
            return Err((Fault::Value, format!("invalid so_keepalive value: \"{}\"", show(setting))));
        }
        b"ipv6only=" if matches!(setting, b"on" | b"off") => true,
        b"udp" if is_stream => true,
        _ => return Err((Fault::Value, format!("invalid parameter \"{}\"", show(value)))),
    };
    if good {
        return Ok(());
    }
    let name = name.strip_suffix(b"=").unwrap_or(name);
    Err((Fault::Value, format!("invalid {} \"{}\"", show(name), show(value))))
}

/// `on`, `off`, or up to three numbers between colons: two times and a count.
fn is_keepalive(setting: &[u8]) -> bool {
    if matches!(setting, b"on" | b"off") {
        return true;
    }
    let mut parts = setting.splitn(3, |&byte| byte == b':');
    let times = parts.by_ref().take(2).map(|part| part.is_empty() || values::duration(part, Resolution::Seconds).is_some());
    let times_good = times.filter(|good| !good).count() == 0;
    let count_good = parts.next().is_none_or(|part| part.is_empty() || values::number(part).is_some());
    times_good && count_good && setting.iter().any(|byte| matches!(byte, b'1'..=b'9'))
}

impl<'a> Checker<'a> {
    /// `listen` in a server of `http`.
    pub(super) fn listen(&mut self, line: Line<'a>) -> Result<(), Refused> {
        check(line, false)?;
        let sockets = line.word(0).map(|word| sockets(&word.value())).unwrap_or_default();
        let server = self.levels.last().map_or(0, |level| level.number);
        let template = line.is_in_template();
        // QUIC goes over UDP: another socket on the same port.
        let mut is_udp = false;
        let mut bound =
            Bound { server, has_default: false, has_options: false, is_shared: false, takes_both: false, span: line.span() };
        for word in line.words().skip(1) {
            let word = word.value();
            is_udp |= matches!(word.as_ref(), b"quic" | b"udp");
            bound.has_default |= matches!(word.as_ref(), b"default_server" | b"default");
            bound.has_options |= is_option(&word);
            bound.is_shared |= word.as_ref() == b"reuseport";
            bound.takes_both |= word.as_ref() == b"ipv6only=off";
        }
        for socket in sockets {
            if let Some(again) = self.http.bind((is_udp, &socket), bound)
                && !template
            {
                let what = match again {
                    Again::Socket => "a duplicate listen",
                    Again::Options => "duplicate listen options for",
                    Again::Default => "a duplicate default server for",
                };
                return Err((Fault::Duplicate, format!("{what} {socket}")));
            }
        }
        Ok(())
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

/// The sockets, one for each port of a range, as nginx shows them; none where a name must be looked up.
fn sockets(value: &[u8]) -> Vec<String> {
    let range = value.iter().rposition(|&byte| byte == b'-').filter(|_| !value.starts_with(b"unix:"));
    let port = |text: &[u8]| values::port(text).map(usize::from);
    let ends = range.and_then(|dash| {
        let start = value[..dash].iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
        Some((&value[..start], port(&value[start..dash])?, port(&value[dash + 1..])?))
    });
    match ends {
        Some((host, first, last)) => {
            (first..=last).filter_map(|port| socket(&[host, port.to_string().as_bytes()].concat())).collect()
        }
        None => socket(value).into_iter().collect(),
    }
}

/// The socket as nginx shows it; `None` where a name must be looked up.
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
        ("localhost", _) => IpAddr::from([127, 0, 0, 1]),
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
            ("localhost:80", Some("127.0.0.1:80")),
            ("app:80", None),
            ("8000-8010", None),
        ] {
            assert_eq!(socket(text.as_bytes()).as_deref(), shown, "{text}");
        }
        assert_eq!(sockets(b"[::]:81-82"), ["[::]:81", "[::]:82"]);
        assert_eq!(sockets(b"81-81"), ["0.0.0.0:81"]);
    }
}
