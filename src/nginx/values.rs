//! The grammars of single values: durations, flags, ports.

use std::net::IpAddr;

use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::{char, digit0, digit1, space0};
use nom::combinator::{all_consuming, map_res, value};
use nom::multi::fold_many0;
use nom::{IResult, Parser};

use crate::gateway::Millis;

/// The finest unit that a directive reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Milliseconds: all timeouts of proxies. Knows no years and months.
    Milliseconds,
    /// Seconds: `expires`, `proxy_cache_valid` …. Knows no milliseconds.
    Seconds,
}

/// The units in descending order; each may stand once, in this order. A blank behind bare digits makes them seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Blank,
}

impl Unit {
    fn milliseconds(self) -> u64 {
        match self {
            Self::Year => 365 * Self::Day.milliseconds(),
            Self::Month => 30 * Self::Day.milliseconds(),
            Self::Week => 7 * Self::Day.milliseconds(),
            Self::Day => 24 * Self::Hour.milliseconds(),
            Self::Hour => 60 * Self::Minute.milliseconds(),
            Self::Minute => 60 * Self::Second.milliseconds(),
            Self::Second | Self::Blank => 1000,
            Self::Millisecond => 1,
        }
    }
}

/// A duration as `ngx_parse_time` (`ngx_parse.c`) reads it; `None` where the server refuses it.
#[must_use]
pub fn duration(text: &[u8], resolution: Resolution) -> Option<Millis> {
    if !text.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let (_, millis) = all_consuming(move |input| terms(input, resolution)).parse(text).ok()?;
    millis
}

/// Terms of digits and a unit, the last digits without one.
fn terms(input: &[u8], resolution: Resolution) -> IResult<&[u8], Option<Millis>, ()> {
    // (the total, the last unit seen); `None` once the server would refuse.
    let start = Some((0u64, None::<Unit>));
    let term = (digit0, unit, space0_only);
    let (rest, total) = fold_many0(
        term,
        || start,
        |sum, (digits, unit, ())| {
            let (total, last) = sum?;
            let descends = match (last, unit) {
                (Some(last), Unit::Blank) => last < Unit::Second,
                (Some(last), unit) => last < unit,
                (None, _) => true,
            };
            let known = match resolution {
                Resolution::Milliseconds => unit > Unit::Month,
                Resolution::Seconds => unit != Unit::Millisecond,
            };
            let added = digits_of(digits)?.checked_mul(unit.milliseconds())?;
            if descends && known { Some((total.checked_add(added)?, Some(unit))) } else { None }
        },
    )
    .parse(input)?;
    let (rest, digits) = digit0(rest)?;
    let millis = total.and_then(|(total, _)| {
        let last = digits_of(digits)?.checked_mul(1000)?;
        // The server counts in signed 64-bit integers.
        total.checked_add(last).filter(|&sum| i64::try_from(sum).is_ok()).map(Millis)
    });
    Ok((rest, millis))
}

fn unit(input: &[u8]) -> IResult<&[u8], Unit, ()> {
    alt((
        value(Unit::Millisecond, tag(b"ms".as_slice())),
        value(Unit::Year, char('y')),
        value(Unit::Month, char('M')),
        value(Unit::Week, char('w')),
        value(Unit::Day, char('d')),
        value(Unit::Hour, char('h')),
        value(Unit::Minute, char('m')),
        value(Unit::Second, char('s')),
        value(Unit::Blank, char(' ')),
    ))
    .parse(input)
}

/// Spaces, not tabs, may follow a unit.
fn space0_only(input: &[u8]) -> IResult<&[u8], (), ()> {
    let (rest, spaces) = space0(input)?;
    if spaces.contains(&b'\t') { Err(nom::Err::Error(())) } else { Ok((rest, ())) }
}

/// A number: digits and nothing else, within a signed 64-bit integer (`ngx_atoi`, `ngx_string.c`).
#[must_use]
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits_of(text).filter(|&number| i64::try_from(number).is_ok())
}

/// A size in bytes: digits, and `k` or `m` (`ngx_parse_size`, `ngx_parse.c`).
#[must_use]
pub fn size(text: &[u8]) -> Option<u64> {
    let (digits, unit) = match text.split_last()? {
        (b'k' | b'K', digits) => (digits, 1 << 10),
        (b'm' | b'M', digits) => (digits, 1 << 20),
        _ => (text, 1),
    };
    number(digits)?.checked_mul(unit).filter(|&size| i64::try_from(size).is_ok())
}

/// A size in bytes with `g` too (`ngx_parse_offset`).
#[must_use]
pub fn offset(text: &[u8]) -> Option<u64> {
    match text.split_last()? {
        (b'g' | b'G', digits) => number(digits)?.checked_mul(1 << 30).filter(|&size| i64::try_from(size).is_ok()),
        _ => size(text),
    }
}

fn digits_of(digits: &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for digit in digits {
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    Some(number)
}

/// `on` or `off`, in any case (`ngx_conf_set_flag_slot`).
#[must_use]
pub fn flag(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"on") {
        Some(true)
    } else if text.eq_ignore_ascii_case(b"off") {
        Some(false)
    } else {
        None
    }
}

/// A port: digits up to 65535.
#[must_use]
pub fn port(text: &[u8]) -> Option<u16> {
    let mut port = all_consuming(map_res(digit1::<_, ()>, |digits: &[u8]| {
        digits_of(digits).and_then(|number| u16::try_from(number).ok()).ok_or(())
    }));
    port.parse(text).ok().map(|(_, port)| port)
}

/// An address. Between the dots of IPv4 may stand any number of digits, none for 0 (`ngx_inet_addr`).
#[must_use]
pub fn ip(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse().ok();
    }
    let octet = |digits: &str| {
        digits.bytes().try_fold(0, |sum: u8, digit| {
            let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
            sum.checked_mul(10)?.checked_add(digit)
        })
    };
    let octets: Option<Vec<u8>> = text.split('.').map(octet).collect();
    let octets: [u8; 4] = octets?.try_into().ok()?;
    // `INADDR_NONE` stands for no address.
    (octets != [255; 4]).then(|| octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Option<u64> {
        duration(text.as_bytes(), Resolution::Milliseconds).map(|millis| millis.0)
    }

    #[test]
    fn addresses_are_lenient() {
        for (text, shown) in [
            ("127.0..0", Some("127.0.0.0")),
            ("127.000.0.01", Some("127.0.0.1")),
            ("...", Some("0.0.0.0")),
            ("::1", Some("::1")),
            ("255.255.255.255", None),
            ("1.2.3", None),
            ("1.2.3.256", None),
            ("1.2.3.+4", None),
        ] {
            assert_eq!(ip(text).map(|ip| ip.to_string()).as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn durations_that_nginx_accepts() {
        for (text, expected) in [
            ("0", 0),
            ("60", 60_000),
            ("60s", 60_000),
            ("1d", 86_400_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("1d12h30m15s500ms", 131_415_500),
            ("1h 30m", 5_400_000),
            ("1s 500ms", 1_500),
            ("1h 30", 3_630_000),
            ("30s15", 45_000),
            ("60m1", 3_601_000),
            ("1ms500", 500_001),
            ("60 ", 60_000),
            ("1 30", 31_000),
            ("365d", 31_536_000_000),
            ("9223372036854775807ms", 9_223_372_036_854_775_807),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
        assert_eq!(duration(b"1y", Resolution::Seconds), Some(Millis(31_536_000_000)));
    }

    #[test]
    fn durations_that_nginx_refuses() {
        for text in [
            "1.5h",
            "-1",
            "+60",
            "1y",
            "1M",
            "1m1h",
            "1h1h",
            "3600S",
            "1H",
            "60 s",
            " 60s",
            "1min",
            "60sec",
            "off",
            "s",
            "",
            "$t",
            "0x10",
            "9223372036854775808ms",
            "99999999999999999999",
            "1h\t30m",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
        assert_eq!(duration(b"500ms", Resolution::Seconds), None);
    }

    #[test]
    fn numbers_and_sizes() {
        assert_eq!((number(b"08"), number(b""), number(b"-1"), number(b"1k")), (Some(8), None, None, None));
        assert_eq!(
            (size(b"1k"), size(b"2M"), size(b"1g"), size(b"k"), size(b"1 k")),
            (Some(1024), Some(2 << 20), None, None, None)
        );
        assert_eq!((offset(b"1G"), offset(b"1m"), offset(b"9999999999g")), (Some(1 << 30), Some(1 << 20), None));
    }

    #[test]
    fn flags_and_ports() {
        assert_eq!((flag(b"ON"), flag(b"off"), flag(b"true")), (Some(true), Some(false), None));
        assert_eq!((port(b"443"), port(b"65536"), port(b"80x"), port(b"")), (Some(443), None, None, None));
    }
}
