//! Interned texts: a name or value that occurs in ten thousand sites is stored once.

use std::borrow::Cow;

use super::pool::Pool;

/// Names a text of a [`Texts`]. Equal texts have equal ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextId(pub u32);

/// A set of byte strings.
#[derive(Debug, Default)]
pub struct Texts(Pool<u8>);

impl Texts {
    /// Makes room for so many texts.
    pub fn reserve(&mut self, texts: usize) {
        self.0.reserve(texts);
    }

    /// The id of `text`, which is added where it is new.
    pub fn intern(&mut self, text: &[u8]) -> TextId {
        TextId(self.0.intern(text))
    }

    /// The id of `text` in lower case (ASCII).
    pub fn intern_lower(&mut self, text: &[u8]) -> TextId {
        if !text.iter().any(u8::is_ascii_uppercase) {
            return self.intern(text);
        }
        // Names are short, and need no room of their own.
        let mut room = [0; 64];
        match room.get_mut(..text.len()) {
            Some(lower) => {
                lower.copy_from_slice(text);
                lower.make_ascii_lowercase();
                self.intern(lower)
            }
            None => self.intern(&text.to_ascii_lowercase()),
        }
    }

    /// The id of `text` where it was interned.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<TextId> {
        self.0.find(text).map(TextId)
    }

    /// The bytes of a text.
    #[must_use]
    pub fn get(&self, id: TextId) -> &[u8] {
        self.0.get(id.0)
    }

    /// The text for people: bytes that are not UTF-8 become replacement characters.
    #[must_use]
    pub fn show(&self, id: TextId) -> Cow<'_, str> {
        let text = self.get(id);
        // Faster by far than the look for what is not.
        std::str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed)
    }
}
