//! What is left of an expression, and the tokens that may stand next.

use super::Step;

/// How deep functions and parentheses may nest (`YYMAXDEPTH` is far beyond what anyone writes).
pub(super) const DEEPEST: usize = 200;

/// Reads an expression from its front, and puts down the steps as it goes.
pub(super) struct Parser<'a> {
    pub(super) rest: &'a [u8],
    /// Whether `mod_ssl` is there.
    pub(super) tls: bool,
    pub(super) steps: Vec<Step>,
}

/// The end of what is written, or something that must not stand where it does.
pub(super) fn unexpected<T>(rest: &[u8]) -> Result<T, String> {
    let what = if rest.is_empty() { "$end".to_owned() } else { format!("'{}'", String::from_utf8_lossy(&rest[..1])) };
    Err(format!("syntax error, unexpected {what}"))
}

impl Parser<'_> {
    /// Passes over blanks.
    pub(super) fn blanks(&mut self) {
        let end = self.rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n'));
        self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
    }

    /// Passes over the token, where it stands next.
    pub(super) fn take(&mut self, token: &[u8]) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The letters, digits and `_` that stand next.
    pub(super) fn name(&self) -> &[u8] {
        let end = self.rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
        &self.rest[..end.unwrap_or(self.rest.len())]
    }

    /// Whether the word stands next.
    pub(super) fn is_word(&self, word: &[u8]) -> bool {
        self.name() == word
    }

    /// Passes over the word, where it stands next.
    pub(super) fn take_word(&mut self, word: &[u8]) -> bool {
        self.is_word(word) && self.take(word)
    }
}
