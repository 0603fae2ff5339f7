//! Bytes to tree, line by line, as `ap_build_config` (`server/config.c`) reads them.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memrchr};

use super::lex;
use super::words::value;
use crate::tree::{Builder, DirectiveId, HoleKind, SyntaxError, TokenKind, Tree};

/// Parses an httpd configuration file; `holes`: it is a template, so look for holes.
#[must_use]
pub fn parse(bytes: &[u8], holes: bool) -> Tree {
    let mut parser = Parser {
        bytes,
        holes,
        holds_nul: memchr(0, bytes).is_some(),
        builder: Builder::with_capacity(bytes.len()),
        barriers: Vec::new(),
        lenient: false,
        structural: Vec::new(),
    };
    let mut start = 0;
    while start < bytes.len() {
        let line = parser.logical_line(start);
        parser.line(&line);
        start = line.next;
    }
    parser.finish()
}

/// Sections that httpd carries out while it reads (`EXEC_ON_READ`): what stands in them is a tree of its own.
const READ_TIME_SECTIONS: [&[u8]; 7] =
    [b"ifmodule", b"ifdefine", b"ifversion", b"iffile", b"ifdirective", b"ifsection", b"macro"];

/// How many open sections are looked through for the one that a wrong closing tag may have meant.
const RECOVERY_DEPTH: usize = 16;

/// The three bytes that some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One logical line: physical lines joined by continuations.
struct Line {
    /// Its first byte.
    start: usize,
    /// One past its text: where the line end, or what a NUL cuts off, begins.
    end: usize,
    /// Where the next line begins.
    next: usize,
}

struct Parser<'a> {
    bytes: &'a [u8],
    holes: bool,
    holds_nul: bool,
    builder: Builder,
    /// How many sections are open around each open read-time section, and whether it is a macro.
    barriers: Vec<(usize, bool)>,
    /// Set by template tags, which may open and close sections conditionally.
    lenient: bool,
    /// Errors about the nesting of sections with their place among the others.
    structural: Vec<SyntaxError>,
}

/// Offsets fit: sources are at most `Sources::MAX_BYTES` long.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Parser<'_> {
    /// `ap_cfg_getline_core` (`server/util.c`): a line that ends in `\` goes on, whatever stands before the backslash.
    fn logical_line(&self, start: usize) -> Line {
        let mut from = start;
        loop {
            let line_feed = self.line_feed(from);
            let physical_end = line_feed.unwrap_or(self.bytes.len());
            if self.holds_nul
                && let Some(nul) = memchr(0, &self.bytes[from..physical_end])
            {
                // A C string ends here, so the rest of the physical line is not seen, nor is a continuation.
                return Line { start, end: from + nul, next: line_feed.map_or(physical_end, |at| at + 1) };
            }
            let Some(line_feed) = line_feed else {
                return Line { start, end: physical_end, next: physical_end };
            };
            let end = if line_feed > from && self.bytes[line_feed - 1] == b'\r' { line_feed - 1 } else { line_feed };
            if end > from && self.bytes[end - 1] == b'\\' {
                from = line_feed + 1;
                continue;
            }
            return Line { start, end, next: line_feed + 1 };
        }
    }

    /// The next line feed that is not inside a template hole.
    fn line_feed(&self, from: usize) -> Option<usize> {
        if !self.holes {
            return memchr(b'\n', &self.bytes[from..]).map(|at| from + at);
        }
        let mut at = from;
        while let Some(&byte) = self.bytes.get(at) {
            if byte == b'\n' {
                return Some(at);
            }
            at = lex::template_hole(self.bytes, at).map_or(at + 1, |(_, end)| end);
        }
        None
    }

    fn token(&mut self, kind: TokenKind, end: usize) {
        self.builder.token(kind, offset(end));
    }

    /// Appends the blanks from `at` on and returns where they end.
    fn blanks(&mut self, at: usize, limit: usize) -> usize {
        let rest = lex::blanks(&self.bytes[at..limit]).map_or(limit - at, |(rest, _)| rest.len());
        self.token(TokenKind::Blank, limit - rest);
        limit - rest
    }

    fn line(&mut self, line: &Line) {
        let mut at = line.start;
        if at == 0 && self.bytes.starts_with(BYTE_ORDER_MARK) {
            at = self.byte_order_mark(line);
        }
        at = self.blanks(at, line.end);
        if self.holes {
            at = self.standing_holes(at, line.end);
        }
        match self.bytes[at..line.end] {
            [] => {}
            [b'#', ..] => self.token(TokenKind::Comment, line.end),
            [b'<', b'/', ..] => return self.close(at, line),
            [b'<', ..] => return self.section(at, line),
            _ => return self.simple(at, line),
        }
        self.token(TokenKind::Blank, line.next);
    }

    /// A byte order mark is part of the first word, and no directive has such a name.
    fn byte_order_mark(&mut self, line: &Line) -> usize {
        let rest = &self.bytes[..line.end];
        let end = lex::tag_word(rest, false).map_or(rest.len(), |(after, _)| rest.len() - after.len());
        let name = String::from_utf8_lossy(&value(&rest[BYTE_ORDER_MARK.len()..end])).into_owned();
        self.builder.error(SyntaxError {
            start: offset(self.last_line(0..line.end).start),
            end: offset(end),
            message: format!(
                r"Invalid command '\xef\xbb\xbf{name}', perhaps misspelled or defined by a module not included in the server configuration"
            ),
            related: None,
        });
        self.token(TokenKind::Junk, BYTE_ORDER_MARK.len());
        BYTE_ORDER_MARK.len()
    }

    /// Template holes where a directive could begin, unless the last one is the beginning of a word.
    fn standing_holes(&mut self, mut at: usize, end: usize) -> usize {
        while at < end
            && let Some((kind, after)) = lex::template_hole(&self.bytes[..end], at)
        {
            let (kind, stands) = match kind {
                HoleKind::Control => (TokenKind::Tag, true),
                HoleKind::Text => {
                    let rest = lex::blanks(&self.bytes[after..end]).map_or(&[][..], |(rest, _)| rest);
                    (
                        TokenKind::Hole,
                        rest.is_empty() || lex::template_hole(rest, 0).is_some_and(|(kind, _)| kind == HoleKind::Control),
                    )
                }
            };
            if !stands {
                break;
            }
            self.lenient = true;
            self.token(kind, after);
            at = self.blanks(after, end);
        }
        at
    }

    /// Appends words and blanks up to `limit`.
    fn words(&mut self, mut at: usize, limit: usize) {
        loop {
            at = self.blanks(at, limit);
            let Ok((rest, kind)) = lex::word(&self.bytes[at..limit], self.holes) else { return };
            at = limit - rest.len();
            self.token(kind, at);
        }
    }

    fn simple(&mut self, at: usize, line: &Line) {
        self.builder.begin();
        self.words(at, line.end);
        self.builder.terminate(TokenKind::End, offset(line.next));
    }

    fn section(&mut self, at: usize, line: &Line) {
        let input = &self.bytes[at + 1..line.end];
        let (after, kind) = lex::tag_word(input, self.holes).unwrap_or((input, TokenKind::Word));
        let mut name_end = line.end - after.len();
        let bare_tag = lex::blanks(after).is_ok_and(|(rest, _)| rest.is_empty());
        let glued = self.bytes[name_end - 1] == b'>';
        name_end -= usize::from(glued);
        // `< Location>` opens a section without a name; its `<` has to stand for one.
        if name_end > at + 1 {
            self.token(TokenKind::Mark, at + 1);
        }
        self.builder.begin();
        self.token(kind, name_end);
        let args = name_end + usize::from(glued);
        let close = if bare_tag { glued.then_some(name_end) } else { self.last_angle(args, line.end) };
        let mut end = args;
        if let Some(close) = close {
            if close >= args {
                self.token(TokenKind::Blank, args);
                self.words(args, close);
            }
            end = close + 1;
        } else if !bare_tag {
            self.token(TokenKind::Blank, args);
            self.words(args, line.end);
            end = line.end;
            let name = String::from_utf8_lossy(&value(&self.bytes[at..name_end])).into_owned();
            self.structural_error(at..line.end, format!("{name}> directive missing closing '>'"), None);
        }
        let name = value(&self.bytes[at + 1..name_end]);
        if READ_TIME_SECTIONS.iter().any(|section| name.eq_ignore_ascii_case(section)) {
            self.barriers.push((self.builder.open_blocks().len(), name.eq_ignore_ascii_case(b"macro")));
        }
        self.builder.open_block(offset(end));
        self.ignored(end, line);
    }

    /// The text behind a section's `>` or a closing tag, which httpd does not look at.
    fn ignored(&mut self, at: usize, line: &Line) {
        let at = self.blanks(at, line.end);
        if at < line.end {
            self.token(TokenKind::Comment, line.end);
        }
        self.token(TokenKind::Blank, line.next);
    }

    /// The last `>` of a section's line (`ap_strrchr_c` in `server/core.c`), holes left out.
    fn last_angle(&self, from: usize, end: usize) -> Option<usize> {
        if !self.holes {
            return memrchr(b'>', &self.bytes[from..end]).map(|at| from + at);
        }
        let mut last = None;
        let mut at = from;
        while at < end {
            if let Some((_, after)) = lex::template_hole(&self.bytes[..end], at) {
                at = after;
                continue;
            }
            if self.bytes[at] == b'>' {
                last = Some(at);
            }
            at += 1;
        }
        last
    }

    fn close(&mut self, at: usize, line: &Line) {
        let input = &self.bytes[at..line.end];
        let (after, kind) = lex::tag_word(input, self.holes).unwrap_or((&[], TokenKind::Word));
        let end = line.end - after.len();
        let tag = value(&self.bytes[at..end]);
        let name = tag[2..].strip_suffix(b">").unwrap_or(&tag[2..]);
        let complete = tag.ends_with(b">");
        let depth = self.builder.open_blocks().len();
        let floor = self.barriers.last().map_or(0, |&(floor, _)| floor);
        // Sections around an open read-time section are out of reach until that is closed.
        let reach = depth - floor.max(depth.saturating_sub(RECOVERY_DEPTH));
        let closes = |index: usize| kind == TokenKind::Holed || self.open_name(index).eq_ignore_ascii_case(name);
        let matching = (0..reach).find(|up| closes(depth - 1 - up));
        if !complete || matching != Some(0) {
            self.wrong_close(at..end, name, complete, matching.is_some());
        }
        if let Some(up) = matching {
            for _ in 0..up {
                self.builder.close_block();
            }
            self.token(TokenKind::Close, end);
            self.builder.close_block();
            while self.barriers.last().is_some_and(|&(floor, _)| floor >= depth - 1 - up) {
                self.barriers.pop();
            }
        } else {
            self.token(TokenKind::Junk, end);
        }
        self.ignored(end, line);
    }

    /// Says what is wrong with a closing tag, in the order in which `ap_build_config_sub` looks.
    fn wrong_close(&mut self, extent: Range<usize>, name: &[u8], complete: bool, matches: bool) {
        let shown = String::from_utf8_lossy(name);
        let bracket = if complete { ">" } else { "" };
        let depth = self.builder.open_blocks().len();
        let in_read_time_section = self.barriers.last().is_some_and(|&(floor, _)| floor + 1 == depth);
        if depth == 0 || (in_read_time_section && !matches) {
            self.structural_error(extent, format!("</{shown}{bracket} without matching <{shown}{bracket} section"), None);
        } else if !complete {
            self.structural_error(extent, format!("</{shown}> directive missing closing '>'"), None);
        } else {
            let open = String::from_utf8_lossy(&self.open_name(depth - 1)).into_owned();
            let head = self.builder.tree().head(self.builder.open_blocks()[depth - 1]);
            let related = (head.start, head.end, "the section that is open here");
            self.structural_error(extent, format!("Expected </{open}> but saw </{shown}>"), Some(related));
        }
    }

    /// The name of the `index`-th open section, as written.
    fn open_name(&self, index: usize) -> Cow<'_, [u8]> {
        let id = self.builder.open_blocks()[index];
        match value(self.builder.tree().text(self.builder.tree().directive(id).name, self.bytes)) {
            Cow::Borrowed(b"<") => Cow::Borrowed(b""),
            name => name,
        }
    }

    /// Notes an error about nesting, on the last physical line of `extent`: the one that httpd has read when it finds it.
    fn structural_error(&mut self, extent: Range<usize>, message: String, related: Option<(u32, u32, &'static str)>) {
        // What stands in a macro is read when it is used.
        if self.barriers.iter().any(|&(_, is_macro)| is_macro) {
            return;
        }
        let place = self.last_line(extent);
        self.structural.push(SyntaxError { start: offset(place.start), end: offset(place.end), message, related });
    }

    /// The part of `extent` that stands on its last physical line.
    fn last_line(&self, extent: Range<usize>) -> Range<usize> {
        let Some(line_feed) = memrchr(b'\n', &self.bytes[extent.clone()]) else { return extent };
        let start = extent.start + line_feed + 1;
        let indent = self.bytes[start..extent.end].iter().take_while(|&&byte| lex::is_blank(byte)).count();
        start + indent..extent.end
    }

    /// Sections still open, as `ap_build_config` names them: the innermost first.
    ///
    /// A read-time section may end with its file (`ap_build_cont_config`), and what is open in it goes unnoticed.
    fn unclosed(&mut self) {
        let reach = self.barriers.first().map_or(self.builder.open_blocks().len(), |&(floor, _)| floor);
        let open: Vec<DirectiveId> = self.builder.open_blocks()[..reach].to_vec();
        self.barriers.clear();
        for (index, id) in open.into_iter().enumerate().rev() {
            let head = self.builder.tree().head(id);
            let name = String::from_utf8_lossy(&self.open_name(index)).into_owned();
            self.structural_error(head.start as usize..head.end as usize, format!("<{name}> was not closed."), None);
        }
    }

    fn finish(mut self) -> Tree {
        self.unclosed();
        if !(self.holes && self.lenient) {
            for error in std::mem::take(&mut self.structural) {
                self.builder.error(error);
            }
        }
        self.builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<(u32, String)> {
        let tree = parse(text.as_bytes(), false);
        let line = |at: u32| u32::try_from(memchr::memchr_iter(b'\n', &text.as_bytes()[..at as usize]).count()).unwrap() + 1;
        tree.errors().iter().map(|error| (line(error.start), error.message.clone())).collect()
    }

    fn shape(text: &str, holes: bool) -> Vec<(usize, Vec<String>)> {
        let tree = parse(text.as_bytes(), holes);
        let depth = |mut id: DirectiveId| {
            let mut depth = 0;
            while let Some(parent) = tree.directive(id).parent {
                depth += 1;
                id = parent;
            }
            depth
        };
        (0u32..)
            .map(DirectiveId)
            .take(tree.directives().len())
            .map(|id| {
                let name = std::iter::once(tree.directive(id).name).chain(tree.words(id));
                let words = name.map(|token| String::from_utf8_lossy(&value(tree.text(token, text.as_bytes()))).into_owned());
                (depth(id), words.collect())
            })
            .collect()
    }

    fn row(depth: usize, words: &[&str]) -> (usize, Vec<String>) {
        (depth, words.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn sections_hold_directives_and_their_argument_ends_at_the_last_bracket() {
        let text =
            "<VirtualHost *:80> # home\n  ProxyPass /a \"http://b/\"\r\n  <If \"%{X} -gt 1\">\n</If>\n</VirtualHost>\nListen 80";
        assert_eq!(
            shape(text, false),
            [
                row(0, &["VirtualHost", "*:80"]),
                row(1, &["ProxyPass", "/a", "http://b/"]),
                row(1, &["If", "%{X} -gt 1"]),
                row(0, &["Listen", "80"]),
            ]
        );
        assert_eq!(shape("<IfVersion >= 2.4>\n</IfVersion>", false), [row(0, &["IfVersion", ">=", "2.4"])]);
        assert_eq!(errors(text), []);
    }

    #[test]
    fn a_continued_comment_swallows_the_next_line_and_a_continued_word_is_one() {
        assert_eq!(shape("# note \\\nNonsense\nProxy\\\nPass /a b", false), [row(0, &["ProxyPass", "/a", "b"])]);
        assert_eq!(shape("A b\\\\\nc", false), [row(0, &["A", "b\\c"])]);
        assert_eq!(shape("A b\\ \nC", false), [row(0, &["A", "b\\"]), row(0, &["C"])]);
    }

    #[test]
    fn errors_have_the_reason_and_line_of_httpd() {
        let expected = |line: u32, message: &str| vec![(line, message.to_owned())];
        assert_eq!(errors("<Location />\n</Directory>\n</Location>")[0], (2, "Expected </Location> but saw </Directory>".into()));
        assert_eq!(errors("\n<Location />\n"), expected(2, "<Location> was not closed."));
        assert_eq!(errors("</Location>"), expected(1, "</Location> without matching <Location> section"));
        assert_eq!(errors("<Location /\n</Location>"), expected(1, "<Location> directive missing closing '>'"));
        assert_eq!(errors("< Location />\n</Location>")[0], (2, "Expected </> but saw </Location>".into()));
        assert_eq!(errors("<Location /\\\n a>\n"), expected(2, "<Location> was not closed."));
        assert!(errors("\u{feff}Listen 80")[0].1.starts_with(r"Invalid command '\xef\xbb\xbfListen'"));
        assert_eq!(errors("<Location />\n<IfModule a>\n</Location>\n</IfModule>\n</Location>")[0].0, 3);
    }

    #[test]
    fn a_wrong_closing_tag_costs_no_more_than_the_sections_it_closes() {
        let text = "<VirtualHost *>\n<Location />\n</VirtualHost>\nListen 80\n";
        assert_eq!(shape(text, false)[2], row(0, &["Listen", "80"]));
    }

    #[test]
    fn template_holes_are_words_or_stand_alone() {
        let text = "{% if x %}\n<Location {{ path }}>\n{% endif %}\n{{ extra }}\nProxyPass / http://{{ a b }}:80/\n<% if y %></Location>\n";
        assert_eq!(shape(text, true), [row(0, &["Location", "{{ path }}"]), row(1, &["ProxyPass", "/", "http://{{ a b }}:80/"])]);
        assert!(parse(text.as_bytes(), true).errors().is_empty());
    }

    #[test]
    fn deep_nesting_and_wrong_tags_cost_no_stack_and_no_time() {
        let text = "<A>\n".repeat(50_000) + &"</B>\n".repeat(50_000);
        assert_eq!(parse(text.as_bytes(), false).directives().len(), 50_000);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(proptest::sample::select(b"<>/\\\n\r\"' aIf{}%#$@\0\xef".as_slice()), 0..200), holes: bool) {
            let tree = parse(&bytes, holes);
            let end = tree.tokens().last().map_or(0, |token| token.end as usize);
            proptest::prop_assert_eq!(end, bytes.len());
            proptest::prop_assert!(tree.tokens().is_sorted_by(|a, b| a.end < b.end));
        }
    }
}
