//! The edits for a site: what its sockets speak, and which versions of TLS.

use super::Editor;
use crate::facts::{Item, Reader, Reading};
use crate::gateway::{Protocol, Site, SiteId, Speaks, Target};
use crate::nginx::line::Word;
use crate::rules::{Plan, Want};
use crate::source::{Edit, Span};

/// The versions below TLS 1.2, as nginx names them.
const WEAK: [&str; 4] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1"];

impl Editor<'_> {
    /// The edits for a site.
    pub(super) fn site(&self, id: SiteId, wants: &[Want]) -> Result<Vec<Plan>, String> {
        let [want] = wants else { return Err("no edit is known for it".to_owned()) };
        match want.name().as_str() {
            "listen.http2_without_tls" => self.without_http2(id, &want.fact.read(&Reader::new(self.view, Item::Site(id)))),
            "tls.weak" => self.strong_protocols(&want.fact.read(&Reader::new(self.view, Item::Site(id)))),
            _ => Err("no edit is known for it".to_owned()),
        }
    }

    /// The versions of TLS that are weak taken out of the line that lets clients speak them.
    fn strong_protocols(&self, weak: &Reading) -> Result<Vec<Plan>, String> {
        let line = weak.evidence.first().and_then(|evidence| self.line_at(evidence.span)).ok_or("the line cannot be found")?;
        if line.words().any(Word::is_holed) {
            return Err("a template decides the line that would have to be changed".to_owned());
        }
        let is_weak = |word: &Word<'_>| WEAK.iter().any(|weak| word.value().eq_ignore_ascii_case(weak.as_bytes()));
        let words: Vec<Word<'_>> = line.words().collect();
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return Err("the line names none".to_owned()) };
        if words.iter().all(is_weak) {
            let span = Span::new(line.source, first.span.start, last.span.end);
            let edit = Edit { span, text: b"TLSv1.2 TLSv1.3".to_vec() };
            return Ok(vec![Plan { title: "write `ssl_protocols TLSv1.2 TLSv1.3;`".to_owned(), edits: vec![edit] }]);
        }
        // Neighbours go together, each with the blank before it.
        let mut edits: Vec<Edit> = Vec::new();
        let mut before = line.name_word().span.end;
        for word in &words {
            match edits.last_mut().filter(|edit| edit.span.end == before) {
                Some(edit) if is_weak(word) => edit.span.end = word.span.end,
                _ if is_weak(word) => {
                    edits.push(Edit { span: Span::new(line.source, before, word.span.end), text: Vec::new() });
                }
                _ => {}
            }
            before = word.span.end;
        }
        Ok(vec![Plan { title: "take the weak versions out of `ssl_protocols`".to_owned(), edits }])
    }

    /// `http2` taken out of the sockets without TLS.
    fn without_http2(&self, id: SiteId, found: &Reading) -> Result<Vec<Plan>, String> {
        let gateway = self.gateway();
        let listens = gateway.site(id).listens.iter();
        let spans = listens.filter(|listen| listen.speaks == Speaks::Http2 && !listen.tls).map(|listen| listen.span);
        let mut edits: Vec<Edit> = spans.filter_map(|span| self.without_word(span, b"http2")).collect();
        if edits.is_empty() {
            // The line of another site counts for its whole socket; that site may need it.
            let place = found.evidence.first().map(|evidence| evidence.span).ok_or("the line cannot be found")?;
            let is_grpc = |target: &Target| matches!(target, Target::Proxy(proxy) if proxy.protocol == Protocol::Grpc);
            let others = gateway.sites.iter().filter(|site| site.listens.iter().any(|listen| listen.span == place));
            if { others }.flat_map(Site::route_ids).any(|id| is_grpc(&gateway.route(id).target)) {
                return Err(
                    "the server whose `listen` it is passes gRPC on: which of the two moves to another port is for you to say"
                        .to_owned(),
                );
            }
            edits.extend(self.without_word(place, b"http2"));
        }
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
