//! The grammars of argument values: durations, switches, flags, parameters, URLs and addresses.

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, tag_no_case, take_while};
use nom::character::complete::{char, digit1, one_of};
use nom::combinator::{all_consuming, opt, recognize, rest, value, verify};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use crate::gateway::{Millis, Protocol};

/// A number of seconds as `atoi` reads it, and as it was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds {
    /// What httpd reads: the digits, whatever stands behind them.
    pub(super) read: Millis,
    /// What the unit behind the digits says; `None` where there is none, or one that means seconds.
    pub(super) meant: Option<Millis>,
}

/// A duration that httpd reads by `atoi`: `Timeout`, `ProxyTimeout`, a worker's `timeout=`. Words read as 0; below 0 means no limit.
pub(super) fn seconds(text: &[u8]) -> Seconds {
    let (unit, (negative, digits)) = leading_number(text).unwrap_or((text, (false, &b"0"[..])));
    if negative {
        return Seconds { read: Millis(u64::MAX), meant: None };
    }
    let number = digits.iter().fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    let meant = unit_millis(unit).filter(|&millis| millis != 1000).map(|millis| Millis(number.saturating_mul(millis)));
    Seconds { read: Millis(number.saturating_mul(1000)), meant }
}

fn leading_number(text: &[u8]) -> IResult<&[u8], (bool, &[u8])> {
    (opt(one_of("+-")).map(|sign| sign == Some('-')), digit1).parse(text.trim_ascii_start())
}

/// The length of a unit in milliseconds: those of `ap_timeout_parameter_parse`, and what people write beside them.
fn unit_millis(unit: &[u8]) -> Option<u64> {
    let unit = unit.strip_suffix(b";").unwrap_or(unit);
    let table: [(u64, &[&str]); 5] = [
        (1, &["ms", "msec"]),
        (1000, &["s", "sec", "secs", "second", "seconds"]),
        (60_000, &["m", "mi", "min", "mins", "minute", "minutes"]),
        (3_600_000, &["h", "hr", "hour", "hours"]),
        (86_400_000, &["d", "day", "days"]),
    ];
    table.iter().find(|(_, names)| names.iter().any(|name| unit.eq_ignore_ascii_case(name.as_bytes()))).map(|&(millis, _)| millis)
}

/// A duration with a unit, in seconds without one: `connectiontimeout=`, `ping=` (`ap_timeout_parameter_parse`, `server/util.c`).
pub(super) fn suffixed_duration(text: &[u8]) -> Option<Millis> {
    let parse = |input| -> IResult<&[u8], (&[u8], u64)> {
        let unit = alt((
            value(1, tag_no_case("ms")),
            value(60_000, tag_no_case("mi")),
            value(60_000, tag_no_case("min")),
            value(3_600_000, tag_no_case("h")),
            value(1000, tag_no_case("s")),
            value(1000, nom::combinator::eof),
        ));
        all_consuming((digit1, unit)).parse(input)
    };
    let (_, (digits, unit)) = parse(text).ok()?;
    Some(Millis(str::from_utf8(digits).ok()?.parse::<u64>().ok()?.saturating_mul(unit)))
}

/// `on` or `off`.
pub(super) fn switch(text: &[u8]) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case(b"on") => Some(true),
        _ if text.eq_ignore_ascii_case(b"off") => Some(false),
        _ => None,
    }
}

/// The status that a word stands for in `Redirect` (`add_redirect_internal`, `mod_alias.c`).
pub(super) fn named_status(word: &[u8]) -> Option<u16> {
    const NAMED: [(&str, u16); 4] = [("permanent", 301), ("temp", 302), ("seeother", 303), ("gone", 410)];
    NAMED.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|&(_, status)| status)
}

/// The flags of `RewriteRule` and `RewriteCond`: `[P,L,R=301]` as names with their values.
pub(super) fn flags(text: &[u8]) -> Option<Vec<Parameter<'_>>> {
    let flag = verify(is_not(",]"), |flag: &[u8]| !flag.trim_ascii().is_empty()).map(|flag: &[u8]| parameter(flag.trim_ascii()));
    let list = separated_list1((char(','), take_while(|byte: u8| byte == b' ')), flag);
    let parsed: IResult<&[u8], _> = all_consuming(delimited(char('['), list, char(']'))).parse(text);
    parsed.ok().map(|(_, flags)| flags)
}

/// A name with a value: `timeout=60`, or a name alone: `nocanon`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameter<'a> {
    /// What stands before the `=`.
    pub(super) name: &'a [u8],
    /// What stands behind it.
    pub(super) value: Option<&'a [u8]>,
}

impl Parameter<'_> {
    /// Whether the parameter has one of these names, whatever its case.
    pub(super) fn is(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.name.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// Splits at the first `=`.
pub(super) fn parameter(text: &[u8]) -> Parameter<'_> {
    let parsed: IResult<&[u8], _> = (is_not("="), opt(preceded(char('='), rest))).parse(text);
    let (name, value) = parsed.map_or((text, None), |(_, parts)| parts);
    Parameter { name, value }
}

/// The parts of a URL that a request is proxied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProxyUrl<'a> {
    /// The scheme, as written.
    pub(super) scheme: &'a [u8],
    /// Host and port, or the balancer's name, as written.
    pub(super) authority: &'a [u8],
    /// What follows, beginning with its `/`; empty where nothing does.
    pub(super) path: &'a [u8],
}

impl ProxyUrl<'_> {
    /// The protocol that the scheme stands for.
    pub(super) fn protocol(&self) -> Protocol {
        Protocol::of_scheme(self.scheme)
    }
}

/// A URL with a scheme, perhaps behind a socket: `unix:/run/app.sock|http://localhost/ws` (`ap_proxy_de_socketfy`).
pub(super) fn proxy_url(text: &[u8]) -> Option<ProxyUrl<'_>> {
    let text = match text.get(..5) {
        Some(start) if start.eq_ignore_ascii_case(b"unix:") => &text[memchr::memchr(b'|', text)? + 1..],
        _ => text,
    };
    let scheme = take_while(|byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let authority = take_while(|byte| !matches!(byte, b'/' | b'?' | b'#'));
    let parsed: IResult<&[u8], _> =
        (verify(scheme, |it: &[u8]| !it.is_empty()), tag("://"), authority, recognize(rest)).parse(text);
    let (_, (scheme, _, authority, path)) = parsed.ok()?;
    Some(ProxyUrl { scheme, authority, path })
}

/// The address of a virtual host or of `Listen`: host and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    /// The host; `*` for all.
    pub(super) host: &'a [u8],
    /// The port, where one is written that is a number.
    pub(super) port: Option<u16>,
}

/// `*:443`, `10.0.0.1`, `[::1]:80`, `_default_`; for `Listen` also a port alone.
pub(super) fn address(text: &[u8]) -> Address<'_> {
    if let Some(port) = number(text) {
        return Address { host: b"*", port: Some(port) };
    }
    let colon = memchr::memrchr(b':', text).filter(|&at| !text.starts_with(b"[") || text[..at].ends_with(b"]"));
    let (host, port) = colon.map_or((text, None), |at| (&text[..at], number(&text[at + 1..])));
    let host = if host.eq_ignore_ascii_case(b"_default_") || host.is_empty() { b"*" } else { host };
    Address { host, port }
}

fn number(text: &[u8]) -> Option<u16> {
    str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_without_their_unit() {
        assert_eq!(seconds(b"30"), Seconds { read: Millis(30_000), meant: None });
        assert_eq!(seconds(b"30;"), Seconds { read: Millis(30_000), meant: None });
        assert_eq!(seconds(b"60s"), Seconds { read: Millis(60_000), meant: None });
        assert_eq!(seconds(b"1h"), Seconds { read: Millis(1000), meant: Some(Millis(3_600_000)) });
        assert_eq!(seconds(b"5m").meant, Some(Millis(300_000)));
        assert_eq!(seconds(b"never").read, Millis(0));
        assert_eq!(seconds(b"-1").read, Millis(u64::MAX));
        assert_eq!(seconds(b"99999999999999999999999").read, Millis(u64::MAX));
    }

    #[test]
    fn some_durations_know_units() {
        assert_eq!(suffixed_duration(b"500ms"), Some(Millis(500)));
        assert_eq!(suffixed_duration(b"2"), Some(Millis(2000)));
        assert_eq!(suffixed_duration(b"2mi"), Some(Millis(120_000)));
        assert_eq!(suffixed_duration(b"x"), None);
    }

    #[test]
    fn flags_are_split_and_need_their_brackets() {
        let found = flags(b"[P, L,R=301]").unwrap();
        assert!(found[0].is(&["p"]) && found[1].is(&["L"]));
        assert_eq!(found[2], Parameter { name: b"R", value: Some(b"301") });
        assert_eq!(flags(b"[P]x"), None);
        assert_eq!(flags(b"P"), None);
    }

    #[test]
    fn urls_may_stand_behind_a_socket() {
        let url = proxy_url(b"unix:/run/a.sock|ws://localhost/ws").unwrap();
        assert_eq!((url.protocol(), url.authority, url.path), (Protocol::Ws, b"localhost".as_slice(), b"/ws".as_slice()));
        assert_eq!(proxy_url(b"HTTP://b").unwrap().protocol(), Protocol::Http);
        assert_eq!(proxy_url(b"/local"), None);
    }

    #[test]
    fn addresses_have_a_host_and_perhaps_a_port() {
        assert_eq!(address(b"443"), Address { host: b"*", port: Some(443) });
        assert_eq!(address(b"_default_:443"), Address { host: b"*", port: Some(443) });
        assert_eq!(address(b"[::1]"), Address { host: b"[::1]", port: None });
        assert_eq!(address(b"[::1]:80"), Address { host: b"[::1]", port: Some(80) });
    }
}
