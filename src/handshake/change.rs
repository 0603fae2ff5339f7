//! What functions of httpd make of a text: `tolower`, `escape`, `base64` (`util_expr_eval.c`), and those of `RewriteMap … int:`.

use super::follow::escaped_in_location;
use crate::gateway::{Change, Known, Unknown};

/// The 64 digits.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What the function makes of the text.
///
/// # Errors
/// Where that is not known, or is no text.
pub(super) fn changed(change: Change, text: &str) -> Known<String> {
    match change {
        Change::Lower => Ok(text.to_ascii_lowercase()),
        Change::Upper => Ok(text.to_ascii_uppercase()),
        Change::Escaped => Ok(escaped_in_location(text)),
        // What is broken comes to nothing (`unescape_func`).
        Change::Decoded => decoded(text, true).map_or_else(|| Ok(String::new()), written),
        Change::DecodedWhole => written(decoded(text, false).ok_or(Unknown::Runtime)?),
        Change::Base64 => Ok(to_base64(text.as_bytes())),
        Change::FromBase64 => written(from_base64(text)),
        Change::Unknown => Err(Unknown::Runtime),
    }
}

fn written(bytes: Vec<u8>) -> Known<String> {
    String::from_utf8(bytes).map_err(|_| Unknown::Runtime)
}

/// A text with its escapes decoded, those of slashes unless they are kept (`ap_unescape_url_keep2f`); `None`: an escape is none.
fn decoded(text: &str, keeps_slashes: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        match u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()? {
            b'/' if keeps_slashes => out.extend_from_slice(&[b'%', digits[0], digits[1]]),
            0 => return None,
            decoded => out.push(decoded),
        }
    }
    Some(out)
}

fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0usize, |bits, at| bits << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
        for digit in 0..4 {
            let is_filled = digit <= group.len();
            out.push(if is_filled { char::from(DIGITS[bits >> (18 - 6 * digit) & 63]) } else { '=' });
        }
    }
    out
}

/// As far as there are digits (`apr_base64_decode_binary`), and no further than a zero byte, which ends a text.
fn from_base64(text: &str) -> Vec<u8> {
    let digits: Vec<usize> = text.bytes().map_while(|byte| DIGITS.iter().position(|&digit| digit == byte)).collect();
    let mut out = Vec::with_capacity(digits.len());
    for group in digits.chunks(4) {
        let bits = (0..4).fold(0usize, |bits, at| bits << 6 | group.get(at).copied().unwrap_or(0));
        let bytes = [bits >> 16, bits >> 8, bits].map(|byte| u8::try_from(byte & 255).unwrap_or(0));
        out.extend_from_slice(&bytes[..group.len() - 1]);
    }
    out.truncate(out.iter().position(|&byte| byte == 0).unwrap_or(out.len()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_to_base64_and_back() {
        for (plain, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("/ws?", "L3dzPw==")]
        {
            assert_eq!(changed(Change::Base64, plain), Ok(encoded.to_owned()));
            assert_eq!(changed(Change::FromBase64, encoded), Ok(plain.to_owned()));
        }
        assert_eq!(changed(Change::FromBase64, "Zm9v-Zm9v"), Ok("foo".to_owned()));
        assert_eq!(changed(Change::FromBase64, "/////w=="), Err(Unknown::Runtime));
    }

    #[test]
    fn escapes_come_and_go() {
        assert_eq!(changed(Change::Escaped, "/a b?c"), Ok("/a%20b%3fc".to_owned()));
        assert_eq!(changed(Change::Decoded, "/a%20b%2Fc"), Ok("/a b%2Fc".to_owned()));
        assert_eq!(changed(Change::Decoded, "/a%2"), Ok(String::new()));
        assert_eq!(changed(Change::DecodedWhole, "/a%20b%2Fc"), Ok("/a b/c".to_owned()));
    }
}
