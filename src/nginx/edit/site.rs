//! The edits for a site: what its sockets speak.

use super::Editor;
use crate::gateway::{SiteId, Speaks};
use crate::rules::{Plan, Want};
use crate::source::{Edit, Span};

impl Editor<'_> {
    /// The edits for a site.
    pub(super) fn site(&self, id: SiteId, wants: &[Want]) -> Result<Vec<Plan>, String> {
        let [want] = wants else { return Err("no edit is known for it".to_owned()) };
        if want.name() != "listen.http2_without_tls" {
            return Err("no edit is known for it".to_owned());
        }
        let listens = self.gateway().site(id).listens.iter();
        let spans = listens.filter(|listen| listen.speaks == Speaks::Http2 && !listen.tls).map(|listen| listen.span);
        let edits: Vec<Edit> = spans.filter_map(|span| self.without_word(span, b"http2")).collect();
        if edits.is_empty() {
            return Err("the word `http2` is not in this `listen`".to_owned());
        }
        Ok(vec![Plan { title: "take `http2` out of `listen`".to_owned(), edits }])
    }

    /// The edit that takes a word and the blank before it out of a line.
    fn without_word(&self, span: Span, word: &[u8]) -> Option<Edit> {
        let line = self.line_at(span)?;
        let mut before = line.name_word().span.end;
        for found in line.words() {
            if found.value().eq_ignore_ascii_case(word) {
                return Some(Edit { span: Span::new(span.source, before, found.span.end), text: Vec::new() });
            }
            before = found.span.end;
        }
        None
    }
}
