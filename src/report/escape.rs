//! Makes text of strangers safe to print: no control character and no terminal escape of a file's name or content gets through.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with every character that could steer a terminal, or make text read as what it is not, written as its escape.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    text.chars().for_each(|char| push(&mut shown, char));
    Cow::Owned(shown)
}

/// Appends `char`, escaped where it is not plain.
pub(super) fn push(shown: &mut String, char: char) {
    match char {
        _ if is_plain(char) => shown.push(char),
        '\0'..='\x7f' => {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\x{:02x}", u32::from(char));
        }
        _ => {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(char));
        }
    }
}

/// Whether `char` is neither a control character nor one that turns the direction of writing, hides itself or breaks the line.
#[must_use]
pub fn is_plain(char: char) -> bool {
    match char {
        ' '..='~' => true,
        _ => {
            !char.is_control()
                && !matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(printable("a\x1b[31mb"), "a\\x1b[31mb");
        assert_eq!(printable("a\u{9b}31mb"), "a\\u{9b}31mb");
        assert_eq!(printable("a\nb\r\t\x07"), "a\\x0ab\\x0d\\x09\\x07");
        assert_eq!(printable("\u{202e}fnoc"), "\\u{202e}fnoc");
    }

    #[test]
    fn plain_text_is_left_alone() {
        assert!(matches!(printable("größe_日本.conf"), Cow::Borrowed(_)));
    }
}
