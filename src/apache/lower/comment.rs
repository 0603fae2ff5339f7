//! Comments that a backslash continues over a directive, which then does nothing.

use super::Lowerer;
use crate::apache::directives;
use crate::gateway::{Misreading, Remark, RemarkKind};
use crate::source::{SourceId, Span};
use crate::tree::{TokenId, TokenKind};

impl Lowerer<'_> {
    /// Notes comments that a backslash continues over a directive: lines are joined before comments are seen (`ap_cfg_getline_core`).
    pub(super) fn continued_comments(&mut self, source: SourceId) {
        let bytes = self.store.sources.get(source).bytes();
        if memchr::memmem::find(bytes, b"\\\n").is_none() && memchr::memmem::find(bytes, b"\\\r\n").is_none() {
            return;
        }
        let tree = self.store.tree(source);
        for token in (0..u32::try_from(tree.tokens().len()).unwrap_or(u32::MAX)).map(TokenId) {
            if tree.token(token).kind != TokenKind::Comment {
                continue;
            }
            let range = tree.range(token);
            let comment = &bytes[range.start as usize..range.end as usize];
            let mut at = range.start;
            for (number, line) in comment.split_inclusive(|&byte| byte == b'\n').enumerate() {
                let text = line.trim_ascii();
                let word = text.split(|byte| byte.is_ascii_whitespace() || *byte == b'>').next().unwrap_or_default();
                let name = word.strip_prefix(b"</").or_else(|| word.strip_prefix(b"<")).unwrap_or(word);
                if number > 0 && text.len() > word.len() && !directives::directive(name).is_empty() {
                    let indent = line.len() - line.trim_ascii_start().len();
                    let start = at + u32::try_from(indent).unwrap_or(0);
                    let span = Span::new(source, start, start + u32::try_from(text.len()).unwrap_or(0));
                    let text = String::from_utf8_lossy(name).into_owned();
                    let kind = RemarkKind::Misread { how: Misreading::CommentContinued, text };
                    let labels = vec![(Span::new(source, range.start, at), "this comment ends in a backslash".to_owned())];
                    self.gateway.remarks.push(Remark { span, labels, kind });
                }
                at += u32::try_from(line.len()).unwrap_or(0);
            }
        }
    }
}
