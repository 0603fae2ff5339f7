//! What a client saw: the recorded wording made a value, and when two of them count as the same.

use std::fmt;
use std::str::FromStr;

/// How far two measured durations may lie apart, in seconds: nginx fires timers up to 0.3 s early
/// (`NGX_TIMER_LAZY_DELAY`), and a busy machine adds its own.
const TOLERANCE: f64 = 0.8;

/// What one client saw.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The server did not start.
    Refused,
    /// A valid 101, and a message came back.
    Upgraded,
    /// A valid 101 whose tunnel was closed after so many silent seconds.
    Cut(f64),
    /// A valid 101 whose tunnel was still open after so many seconds.
    Alive(f64),
    /// An answer that is no 101.
    Answer {
        /// The status code.
        status: u16,
        /// Its `Location`, where the client notes it.
        location: Option<String>,
        /// Response headers the case asked for, as `[Name: value]`.
        shown: Option<String>,
    },
    /// A 101 that a browser refuses, or behind which no bytes flow.
    Broken,
    /// The connection was closed before an answer.
    Closed,
    /// No answer within the time given.
    Hangs,
    /// Nothing listens there.
    ConnectionRefused,
    /// TLS came to no agreement.
    TlsError,
    /// So many of so many clients were upgraded.
    Many {
        /// Upgraded ones.
        upgraded: usize,
        /// All.
        of: usize,
    },
    /// Something only an HTTP/2 client sees.
    Http2(String),
}

impl Outcome {
    /// Whether what happened is what was recorded.
    pub(crate) fn agrees_with(&self, recorded: &Self) -> bool {
        match (self, recorded) {
            (Self::Cut(now), Self::Cut(then)) => (now - then).abs() <= TOLERANCE,
            (Self::Alive(now), Self::Alive(then)) => now + TOLERANCE >= *then,
            (
                Self::Answer { status, location, shown },
                Self::Answer { status: recorded_status, location: recorded_location, shown: recorded_shown },
            ) => {
                status == recorded_status
                    && (recorded_location.is_none() || location == recorded_location)
                    && (recorded_shown.is_none() || shown == recorded_shown)
            }
            (now, then) => now == then,
        }
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("outcome not understood: {text}");
        let seconds = |rest: &str| rest.split('s').next().unwrap_or("").parse::<f64>().map_err(|_| unknown());
        if let Some(rest) = text.strip_prefix("cut@") {
            return Ok(Self::Cut(seconds(rest)?));
        }
        if let Some(rest) = text.strip_prefix("alive>") {
            return Ok(Self::Alive(seconds(rest)?));
        }
        if let Some(rest) = text.strip_prefix("http:").or_else(|| text.strip_prefix("no-101 HTTP/1.1 ")) {
            let status = rest.get(..3).and_then(|digits| digits.parse().ok()).ok_or_else(unknown)?;
            let location = rest.split_once(" -> ").map(|(_, location)| location.to_owned());
            let shown = rest.split_once(" [").map(|(_, shown)| format!("[{shown}"));
            return Ok(Self::Answer { status, location, shown });
        }
        if let Some((counts, _)) = text.split_once(" got 101") {
            let (upgraded, of) = counts.split_once('/').ok_or_else(unknown)?;
            return match (upgraded.parse(), of.parse()) {
                (Ok(upgraded), Ok(of)) => Ok(Self::Many { upgraded, of }),
                _ => Err(unknown()),
            };
        }
        if text.contains("[ENABLE_CONNECT_PROTOCOL") || text.starts_with("alpn:") {
            return Ok(Self::Http2(text.to_owned()));
        }
        match text {
            "ok" => Ok(Self::Upgraded),
            "start-error" => Ok(Self::Refused),
            "hang" | "hangs" => Ok(Self::Hangs),
            "closed" | "not-http" => Ok(Self::Closed),
            "connect-refused" => Ok(Self::ConnectionRefused),
            "tls-error" => Ok(Self::TlsError),
            _ if text.starts_with("refuses: ") => Ok(Self::Refused),
            _ if text.starts_with("101") || text.starts_with("fail InvalidUpgrade") || text.starts_with("fail InvalidHeader") => {
                Ok(Self::Broken)
            }
            _ if text.starts_with("fail InvalidMessage") => Ok(Self::Closed),
            _ => Err(unknown()),
        }
    }
}

/// The wording of `expected.json`.
impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => out.write_str("start-error"),
            Self::Upgraded => out.write_str("ok"),
            Self::Cut(seconds) => write!(out, "cut@{seconds:.1}s"),
            Self::Alive(seconds) => write!(out, "alive>{seconds:.1}s"),
            Self::Answer { status, location, shown } => {
                write!(out, "http:{status}")?;
                if let Some(location) = location {
                    write!(out, " -> {location}")?;
                }
                shown.as_ref().map_or(Ok(()), |shown| write!(out, " {shown}"))
            }
            Self::Broken => out.write_str("101 without a tunnel"),
            Self::Closed => out.write_str("closed"),
            Self::Hangs => out.write_str("hangs"),
            Self::ConnectionRefused => out.write_str("connect-refused"),
            Self::TlsError => out.write_str("tls-error"),
            Self::Many { upgraded, of } => write!(out, "{upgraded}/{of} got 101"),
            Self::Http2(what) => write!(out, "http/2: {what}"),
        }
    }
}
