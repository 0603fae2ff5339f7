//! Paths as httpd reads and writes them: decoding, dot segments, slashes, escapes.

use crate::gateway::EncodedSlashes;

/// Stands for a directory of the file system that no file here names: where the server keeps its things, or what is compiled in.
pub(super) const UNKNOWN_ROOT: &str = "/\u{1}";
/// The same as it is sent.
pub(super) const UNKNOWN_ROOT_ESCAPED: &str = "%01";

/// Reads the path of a request (`ap_normalize_path`, `server/util.c`).
///
/// # Errors
/// With the status that httpd answers where it refuses the path.
pub(super) fn normalized(raw: &str, slashes: EncodedSlashes, merge_slashes: bool) -> Result<String, u16> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next().ok_or(400u16)?, bytes.next().ok_or(400u16)?];
        let digits = std::str::from_utf8(&digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let digits = digits.ok_or(400u16)?;
        match (u8::from_str_radix(digits, 16).map_err(|_| 400u16)?, slashes) {
            (0, _) | (b'/', EncodedSlashes::Refused) => return Err(404),
            (b'/', EncodedSlashes::Kept) => {
                decoded.push(b'%');
                decoded.extend_from_slice(digits.as_bytes());
            }
            (byte, _) => decoded.push(byte),
        }
    }
    reduced(&String::from_utf8_lossy(&decoded), merge_slashes)
}

/// Reads a path and leaves encoded what may mean something (`AP_NORMALIZE_DECODE_UNRESERVED`); `None` where it cannot be read.
pub(super) fn undecoded(raw: &str, merge_slashes: bool) -> Option<String> {
    let mut path = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('%') {
        path.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        match u8::from_str_radix(digits, 16).ok()? {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => path.push(char::from(byte)),
            _ => path.push_str(&rest[at..at + 3]),
        }
        rest = &rest[at + 3..];
    }
    reduced(&(path + rest), merge_slashes).ok()
}

/// A path without dots, and without double slashes where they are merged.
pub(super) fn reduced(path: &str, merge_slashes: bool) -> Result<String, u16> {
    let Some(rest) = path.strip_prefix('/') else { return Err(400) };
    let mut segments: Vec<&str> = Vec::new();
    let mut pieces = rest.split('/').peekable();
    while let Some(piece) = pieces.next() {
        let last = pieces.peek().is_none();
        match piece {
            "." => segments.extend(last.then_some("")),
            ".." => {
                if segments.pop().is_none() {
                    return Err(400);
                }
                segments.extend(last.then_some(""));
            }
            "" if merge_slashes && !last => {}
            piece => segments.push(piece),
        }
    }
    Ok(format!("/{}", segments.join("/")))
}

/// The path of a URL as it is sent on (`ap_proxy_canonenc` with `enc_path`, `proxy_util.c`).
pub(super) fn escaped(path: &str) -> String {
    escape(path, b"~$-_.+!*'(),;:@&=/", false)
}

/// The same with `AllowEncodedSlashes NoDecode`, where a slash that is encoded already stays so (`PROXY_CANONENC_NOENCODEDSLASHENCODING`); `None`
/// where a percent sign begins no code.
pub(super) fn escaped_with_slashes(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.push_str(&escaped(&rest[..at]));
        let digits = rest.as_bytes().get(at + 1..at + 3).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        if digits.eq_ignore_ascii_case(b"2f") {
            out.push_str(&rest[at..at + 3]);
            rest = &rest[at + 3..];
        } else {
            out.push_str("%25");
            rest = &rest[at + 1..];
        }
    }
    Some(out + &escaped(rest))
}

/// A path as it stands in a `Location` (`ap_escape_uri`).
pub(in crate::handshake) fn escaped_in_location(path: &str) -> String {
    escape(path, b"$-_.+!*'(),:@&=/~;", true)
}

fn escape(text: &str, allowed: &[u8], lower: bool) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || allowed.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // To write to a string does not fail.
            let _ = if lower { write!(out, "%{byte:02x}") } else { write!(out, "%{byte:02X}") };
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_and_reduced() {
        let read = |raw| normalized(raw, EncodedSlashes::Refused, true);
        assert_eq!(read("/%77s"), Ok("/ws".to_owned()));
        assert_eq!(read("//ws//a"), Ok("/ws/a".to_owned()));
        assert_eq!(read("/a/../ws/./"), Ok("/ws/".to_owned()));
        assert_eq!(read("/ws%2Fchat"), Err(404));
        assert_eq!(read("/../x"), Err(400));
        assert_eq!(read("/%zz"), Err(400));
        assert_eq!(normalized("/ws%2Fchat", EncodedSlashes::Kept, true), Ok("/ws%2Fchat".to_owned()));
        assert_eq!(normalized("//ws", EncodedSlashes::Refused, false), Ok("//ws".to_owned()));
    }

    #[test]
    fn what_a_url_cannot_hold_is_escaped() {
        assert_eq!(escaped("/a b?x=1"), "/a%20b%3Fx=1");
        assert_eq!(escaped("/proxy:http://b/ws;"), "/proxy:http://b/ws;");
    }
}
