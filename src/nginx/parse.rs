//! Bytes to tree, as `ngx_conf_read_token` and `ngx_conf_parse` (`ngx_conf_file.c`) read them.
//!
//! The server stops at the first error. We note it in the server's words, on the line that the server names, and read on.

use super::hole::{self, Holes};
use super::lex::{self, BUFFER, Word, is_blank};
use super::{directives, lua};
use crate::tree::{Builder, DirectiveId, HoleKind, SyntaxError, TokenKind, Tree};

/// As many errors are kept of one file: after the first few, nobody reads them.
const MAX_ERRORS: usize = 100;

/// How far along its line the end of a word is looked for when its closing quote is missing.
const LONGEST_LINE: usize = 64 * 1024;

/// How far along its line the end of a directive is looked for where names in braces may be holes.
const LONGEST_HEAD: usize = 1024;

/// Parses an nginx configuration file; `holes`: it is a template, so look for holes.
///
/// Never fails: what the server would refuse becomes an error of the tree, and reading goes on behind it.
#[must_use]
pub fn parse(bytes: &[u8], holes: bool) -> Tree {
    let (tree, is_named) = read(bytes, if holes { Holes::Brackets } else { Holes::None });
    if is_named { read(bytes, Holes::Braces).0 } else { tree }
}

/// Reads with these holes; beside the tree, whether names in braces were seen that can be nothing but holes.
fn read(bytes: &[u8], holes: Holes) -> (Tree, bool) {
    let mut parser = Parser {
        bytes,
        at: 0,
        holes,
        is_named: false,
        builder: Builder::with_capacity(bytes.len()),
        strays: Vec::new(),
        loose: false,
        silent: false,
    };
    while parser.at < bytes.len() {
        parser.step();
    }
    parser.end_of_file();
    (parser.builder.finish(), parser.is_named)
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    holes: Holes,
    /// Whether a name in braces stood where the server takes no brace.
    is_named: bool,
    builder: Builder,
    /// For each open `{` that belongs to no directive, how many blocks were open: its `}` must not close one of them.
    strays: Vec<usize>,
    /// Whether a template hole stood where directives stand: blocks may open and close inside it.
    loose: bool,
    /// Whether the server has reached the end of the file: it would see none of the errors that we still find.
    silent: bool,
}

impl Parser<'_> {
    /// Reads one token.
    fn step(&mut self) {
        let rest = &self.bytes[self.at..];
        match rest[0] {
            byte if is_blank(byte) => {
                let left = lex::blanks(rest).map_or(0, |(left, _)| left.len());
                self.push(TokenKind::Blank, self.bytes.len() - left);
            }
            b'#' => {
                let left = lex::comment(rest).map_or(0, |(left, ())| left.len());
                let end = self.bytes.len() - left;
                self.check_length(self.at, end, None);
                self.push(TokenKind::Comment, end);
            }
            b'{' | b'<' | b'$' | b'@' if self.builder.current().is_none() && self.standing_hole() => {}
            b';' => self.semicolon(),
            b'{' if self.holes().at(self.bytes, self.at).is_none() => self.open(),
            b'}' => self.close(),
            b'"' | b'\'' => self.quoted(),
            _ => self.bare(),
        }
    }

    fn push(&mut self, kind: TokenKind, end: usize) {
        self.builder.token(kind, offset(end));
        self.at = end;
    }

    /// Takes the template hole that begins here as standing alone, where it does.
    fn standing_hole(&mut self) -> bool {
        let Some((kind, end)) = self.holes.at(self.bytes, self.at) else { return false };
        let kind = match kind {
            HoleKind::Control => TokenKind::Tag,
            HoleKind::Text => {
                let rest = lex::line(&self.bytes[end..], LONGEST_LINE);
                let next = rest.iter().position(|&byte| !is_blank(byte));
                let alone = match next.map(|next| (next, rest[next])) {
                    None | Some((_, b'}' | b'#')) => true,
                    Some((next, _)) => self.holes.at(self.bytes, end + next).is_some(),
                };
                if !alone {
                    return false;
                }
                TokenKind::Hole
            }
        };
        self.loose = true;
        self.push(kind, end);
        true
    }

    fn bare(&mut self) {
        let (left, word) = lex::bare(&self.bytes[self.at..], self.holes()).unwrap_or_default();
        // Where nothing could be read there is still a byte to pass.
        let end = (self.bytes.len() - left.len()).max(self.at + 1);
        self.check_length(self.at, end, None);
        self.word(TokenKind::Word, word, end);
    }

    fn quoted(&mut self) {
        let (start, quote) = (self.at, self.bytes[self.at]);
        // A longer word is refused, so do not look for its end all through the file.
        let window = &self.bytes[start..self.bytes.len().min(start + 2 * BUFFER)];
        let (left, word) = lex::quoted(window, self.holes).unwrap_or_default();
        if word.closed {
            let end = start + window.len() - left.len();
            self.check_length(start + 1, end, Some(quote));
            self.word(TokenKind::Quoted, word, end);
            self.expect_blank();
            return;
        }
        if start + 1 + BUFFER < self.bytes.len() {
            self.too_long(start + 1, Some(quote));
        } else {
            self.unexpected_end("\";\" or \"}\"", Some((offset(start), offset(start + 1), "this quote is not closed")));
            self.silent = true;
        }
        // The quote was meant to close on its line: there at its pair, or before the `;`.
        let line = lex::line(&self.bytes[start..], LONGEST_LINE);
        if let Ok((left, word @ Word { closed: true, .. })) = lex::quoted(line, self.holes) {
            let end = start + line.len() - left.len();
            self.word(TokenKind::Quoted, word, end);
        } else {
            let end = start + memchr::memchr2(b';', b'\r', line).unwrap_or(line.len());
            self.word(TokenKind::Word, Word { escapes: true, ..Word::default() }, end);
        }
    }

    /// Appends a word of this kind, unless a hole is part of it.
    fn word(&mut self, kind: TokenKind, word: Word, end: usize) {
        if self.builder.current().is_none() {
            self.builder.begin();
        }
        self.builder.word(if word.holed { TokenKind::Holed } else { kind }, offset(end), word.escapes);
        self.at = end;
    }

    /// After a closing quote: only a blank, `;`, `{` or `)` may follow.
    fn expect_blank(&mut self) {
        match self.bytes.get(self.at) {
            None | Some(b';' | b'{' | b')' | b'}') => {}
            Some(&byte) if is_blank(byte) => {}
            Some(_) if self.holes().at(self.bytes, self.at).is_some() => {}
            Some(_) => self.unexpected(self.at),
        }
    }

    fn semicolon(&mut self) {
        let Some(id) = self.builder.current() else {
            // `{{ hole }};`: what the hole brings was taken for whole directives.
            if !self.follows_hole() {
                self.unexpected(self.at);
            }
            return self.push(TokenKind::Junk, self.at + 1);
        };
        self.check_opened(id);
        self.builder.terminate(TokenKind::End, offset(self.at + 1));
        self.at += 1;
    }

    fn follows_hole(&self) -> bool {
        let last = self.builder.tree().tokens().last();
        last.is_some_and(|token| matches!(token.kind, TokenKind::Hole | TokenKind::Tag))
    }

    /// The holes that are looked for here. A name in braces is a block of one word, whose `;` is missing, behind a directive that takes a
    /// block and opens none on its line.
    fn holes(&self) -> Holes {
        let Some(id) = self.builder.current().filter(|_| self.holes == Holes::Braces && !self.in_rows()) else {
            return self.holes;
        };
        let (opens, ends) = hole::goes_on(lex::line(&self.bytes[self.at..], LONGEST_HEAD));
        match directives::takes_block(self.name(id)) {
            Some(false) => Holes::Braces,
            Some(true) if opens => Holes::Braces,
            None if opens || ends => Holes::Braces,
            _ => Holes::Brackets,
        }
    }

    /// Looks whether the `{` here is refused whatever follows, and begins a name that stands for something.
    fn look_for_name(&mut self) {
        let Some(end) = hole::name_at(self.bytes, self.at) else { return };
        self.is_named |= match self.builder.current() {
            None => self.bytes[end..].iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r')).is_none_or(|&byte| byte == b'\n'),
            Some(id) => {
                let is_refused = self.in_rows() || directives::takes_block(self.name(id)) == Some(false);
                is_refused && !hole::is_of_path(self.bytes, self.at)
            }
        };
    }

    fn open(&mut self) {
        self.look_for_name();
        let Some(id) = self.builder.current() else {
            self.unexpected(self.at);
            self.strays.push(self.builder.open_blocks().len());
            return self.push(TokenKind::Junk, self.at + 1);
        };
        self.check_terminated(id);
        if directives::holds_lua(self.name(id)) {
            return self.lua_block(id);
        }
        self.builder.open_block(offset(self.at + 1));
        self.at += 1;
    }

    fn close(&mut self) {
        if let Some(id) = self.builder.current() {
            // The `;` before it is missing.
            let tree = self.builder.tree();
            let name = tree.range(tree.directive(id).name);
            let related = Some((name.start, offset(self.at), "this directive is not ended by `;`"));
            self.error(self.at, self.at + 1, "unexpected \"}\"".to_owned(), related);
            self.builder.end_head();
        }
        let depth = self.builder.open_blocks().len();
        if self.strays.last() == Some(&depth) {
            self.strays.pop();
            return self.push(TokenKind::Junk, self.at + 1);
        }
        if depth == 0 {
            self.unexpected(self.at);
            return self.push(TokenKind::Junk, self.at + 1);
        }
        self.push(TokenKind::Close, self.at + 1);
        self.builder.close_block();
    }

    /// Reads a block of Lua from its `{` to its `}`.
    fn lua_block(&mut self, id: DirectiveId) {
        let start = self.at + 1;
        self.builder.terminate(TokenKind::Open, offset(start));
        let block = lua::block(self.bytes, start);
        if let Some((fault, at)) = block.fault {
            let message = match fault {
                lua::Fault::EndOfFile => "unexpected end of file, expecting terminating characters for lua code block".to_owned(),
                lua::Fault::TooLong => "too long lua code block, probably missing terminating characters".to_owned(),
                lua::Fault::LongBracket => {
                    "Lua code block missing the closing long bracket, the inlined Lua code may be too long".to_owned()
                }
            };
            self.error(at, at + 1, message, None);
            self.silent |= block.end == self.bytes.len();
        }
        self.push(TokenKind::Raw, block.end);
        if block.end < self.bytes.len() {
            self.push(TokenKind::Close, block.end + 1);
        }
        self.builder.set_raw(id);
    }

    fn end_of_file(&mut self) {
        if self.builder.current().is_some() {
            self.unexpected_end("\";\" or \"}\"", None);
        } else if let Some(id) = self.builder.innermost().filter(|_| !self.loose) {
            let tree = self.builder.tree();
            let head = tree.head(id);
            self.unexpected_end("\"}\"", Some((head.start, head.end, "this block is not closed")));
        }
    }

    fn name(&self, id: DirectiveId) -> &[u8] {
        let tree = self.builder.tree();
        tree.text(tree.directive(id).name, self.bytes)
    }

    /// Whether the block around the directive being read is one of nginx's own that holds directives.
    fn in_known_block(&self) -> bool {
        self.builder.innermost().is_some_and(|id| directives::is_common_block(self.name(id)))
    }

    /// Whether the directive being read is a row: a key with its value.
    fn in_rows(&self) -> bool {
        self.builder.innermost().is_some_and(|around| directives::holds_rows(self.name(around)))
    }

    /// A directive that ends with `;` and needs a block.
    fn check_opened(&mut self, id: DirectiveId) {
        let name = self.name(id);
        if directives::is_common_block(name) && directives::takes_block(name) == Some(true) && self.in_known_block() {
            let message = format!("directive \"{}\" has no opening \"{{\"", String::from_utf8_lossy(name));
            self.error_on_directive(id, message);
        }
    }

    /// A directive that opens a block and takes none, or that stands among rows.
    fn check_terminated(&mut self, id: DirectiveId) {
        let name = self.name(id);
        if self.in_rows() {
            self.unexpected(self.at);
        } else if directives::takes_block(name) == Some(false) {
            let message = format!("directive \"{}\" is not terminated by \";\"", String::from_utf8_lossy(name));
            self.error_on_directive(id, message);
        }
    }

    /// Notes an error of a whole directive, which the server finds, and whose line it names, when it has read its end.
    fn error_on_directive(&mut self, id: DirectiveId, message: String) {
        let tree = self.builder.tree();
        let name = tree.range(tree.directive(id).name);
        let related = Some((name.start, name.end, "the directive begins here"));
        self.error(self.at, self.at + 1, message, related);
    }

    fn unexpected(&mut self, at: usize) {
        let end = self.bytes[at..].utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
        let end = at + end.map_or(1, char::len_utf8);
        let message = format!("unexpected \"{}\"", String::from_utf8_lossy(&self.bytes[at..end]));
        self.error(at, end, message, None);
    }

    fn unexpected_end(&mut self, expecting: &str, related: Option<(u32, u32, &'static str)>) {
        let end = self.bytes.len();
        self.error(end, end, format!("unexpected end of file, expecting {expecting}"), related);
    }

    /// Notes a word or comment that does not fit the server's buffer. `content` is where it begins, behind its quote; `end` is one
    /// past it. The server must still hold all of it when it reads the byte that follows, and the one after a blank that follows.
    fn check_length(&mut self, content: usize, end: usize, quote: Option<u8>) {
        if end - content < BUFFER - 2 {
            return;
        }
        let last = self.bytes.len() - 1;
        if quote.is_some() && end - 1 - content >= BUFFER {
            return self.too_long(content, quote);
        }
        let is_comment = self.bytes[content] == b'#' && quote.is_none();
        let behind = if !is_comment && self.bytes.get(end).is_some_and(|&byte| is_blank(byte)) { end + 1 } else { end };
        if behind.min(last) >= content + BUFFER {
            self.too_long(content, None);
        }
    }

    fn too_long(&mut self, content: usize, quote: Option<u8>) {
        let message = if let Some(quote) = quote {
            format!("too long parameter, probably missing terminating \"{}\" character", char::from(quote))
        } else {
            let begin = &self.bytes[content..self.bytes.len().min(content + 10)];
            format!("too long parameter \"{}...\" started", String::from_utf8_lossy(begin))
        };
        self.error(content.saturating_sub(usize::from(quote.is_some())), content + 1, message, None);
    }

    fn error(&mut self, start: usize, end: usize, message: String, related: Option<(u32, u32, &'static str)>) {
        if self.silent || self.builder.tree().errors().len() >= MAX_ERRORS {
            return;
        }
        // What a template's holes bring may open and close blocks, so nothing is certain about their structure behind one.
        if self.loose && (message.starts_with("unexpected") || message.contains("directive")) {
            return;
        }
        let (start, end) = (offset(start), offset(end.min(self.bytes.len())));
        self.builder.error(SyntaxError { start, end, message, related });
    }
}

/// Sources are limited to less than 4 GiB when they are read.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::LineIndex;
    use crate::tree::Shape;

    fn checked(text: &str, holes: bool) -> Tree {
        let tree = parse(text.as_bytes(), holes);
        let ends: Vec<u32> = tree.tokens().map(|token| token.end).collect();
        assert!(ends.is_sorted_by(|a, b| a < b) && ends.last().copied().unwrap_or(0) == offset(text.len()), "{text}");
        tree
    }

    /// The errors as `line: message`.
    fn errors(text: &str) -> Vec<String> {
        let lines = LineIndex::new(text.as_bytes());
        let tree = checked(text, false);
        tree.errors().iter().map(|error| format!("{}: {}", lines.line(error.start), error.message)).collect()
    }

    /// The directives, indented by depth, with their words.
    fn outline(text: &str, holes: bool) -> String {
        let tree = checked(text, holes);
        let mut out = String::new();
        let mut ends = vec![];
        for (index, directive) in tree.directives().iter().enumerate() {
            let id = DirectiveId(offset(index));
            while ends.last().is_some_and(|&end| end <= id.0) {
                ends.pop();
            }
            out += &" ".repeat(ends.len());
            out += &String::from_utf8_lossy(tree.text(directive.name, text.as_bytes()));
            for word in tree.words(id) {
                out += "|";
                out += &String::from_utf8_lossy(tree.text(word, text.as_bytes()));
            }
            out += match directive.shape {
                Shape::Simple => ";",
                Shape::Block => "{",
                Shape::Raw => "{lua}",
            };
            ends.push(directive.after.0);
        }
        out
    }

    #[test]
    fn directives_and_blocks() {
        let text = "events {}\nhttp { # c\n server { listen 80 default_server; location /a{return 200 'x;{';} }\n}\n";
        assert_eq!(outline(text, false), "events{http{ server{  listen|80|default_server;  location|/a{   return|200|'x;{';");
        assert_eq!(errors(text), [""; 0]);
    }

    #[test]
    fn errors_have_the_server_s_words_and_lines() {
        assert_eq!(errors("a b;\n;\n"), ["2: unexpected \";\""]);
        assert_eq!(errors("http {\n a b\n}\n"), ["3: unexpected \"}\""]);
        assert_eq!(errors("http {\n a b;\n}\n}\n"), ["4: unexpected \"}\""]);
        assert_eq!(errors("http {\n a b;\n"), ["3: unexpected end of file, expecting \"}\""]);
        assert_eq!(errors("a b\n"), ["2: unexpected end of file, expecting \";\" or \"}\""]);
        assert_eq!(errors("a \"b\"c;\n"), ["1: unexpected \"c\""]);
        assert_eq!(errors("a \"b;\nc d;"), ["2: unexpected end of file, expecting \";\" or \"}\""]);
        assert_eq!(
            errors("http {\n proxy_pass x\n location / { }\n}"),
            ["3: directive \"proxy_pass\" is not terminated by \";\""]
        );
        assert_eq!(errors("server {\n location /;\n}"), ["2: directive \"location\" has no opening \"{\""]);
        assert_eq!(errors("map a b {\n x {\n }\n}"), ["2: unexpected \"{\""]);
    }

    #[test]
    fn a_word_or_comment_fits_the_buffer_or_is_refused() {
        let of = |length: usize, before: &str, after: &str| errors(&format!("a {before}{}{after}\nb c;\n", "x".repeat(length)));
        assert_eq!(of(4095, "", ";"), [""; 0]);
        assert_eq!(of(4096, "", ";"), ["1: too long parameter \"xxxxxxxxxx...\" started"]);
        assert_eq!(of(4094, "", " ;"), [""; 0]);
        assert_eq!(of(4095, "", " ;"), ["1: too long parameter \"xxxxxxxxxx...\" started"]);
        assert_eq!(of(4094, "\"", "\";"), [""; 0]);
        assert_eq!(of(4095, "\"", "\";"), ["1: too long parameter \"xxxxxxxxxx...\" started"]);
        assert_eq!(of(4096, "\"", "\";"), ["1: too long parameter, probably missing terminating \"\"\" character"]);
        assert_eq!(of(4094, "b; #", ""), [""; 0]);
        assert_eq!(of(4095, "b; #", ""), ["1: too long parameter \"#xxxxxxxxx...\" started"]);
    }

    #[test]
    fn reading_goes_on_behind_an_error() {
        assert_eq!(outline("{ a b; }\nc d;", false), "a|b;c|d;");
        assert_eq!(outline("server { a \"b;\n c d; }\ne f;", false), "server{ a|\"b; c|d;e|f;");
        assert_eq!(outline("server { a b }\nc d;", false), "server{ a|b;c|d;");
    }

    #[test]
    fn lua_is_left_alone() {
        let text = "content_by_lua_block\n{ x = '}' -- }\n }\na b;";
        assert_eq!(outline(text, false), "content_by_lua_block{lua}a|b;");
        assert_eq!(
            errors("access_by_lua_block { {\n"),
            ["1: unexpected end of file, expecting terminating characters for lua code block"]
        );
        assert_eq!(errors("server { content_by_lua_block { };\n}"), ["1: unexpected \";\""]);
    }

    #[test]
    fn template_holes_are_no_errors() {
        let text = "{% if ssl %}\nlisten {{ port }} ssl{{ x }};\n{% endif %}\n{{ extra }}\n{{ more }};\nserver { {{ inner }} }\nroot ${ROOT};";
        assert_eq!(outline(text, true), "listen|{{ port }}|ssl{{ x }};{{ more }};server{root|${ROOT};");
        let tree = checked(text, true);
        assert!(tree.errors().is_empty());
        let standing = tree.tokens().filter(|token| matches!(token.kind, TokenKind::Hole | TokenKind::Tag)).count();
        assert_eq!(standing, 4);
    }

    #[test]
    fn names_in_braces_are_holes_where_the_server_takes_no_brace() {
        let text = "{app_config}\nserver {\n listen [::]:{port} ssl;\n {locations}\n ssl_ciphers \"{ciphers}\";\n \
            if ($host = www.{name}) {\n return 301 https://{name}:{port}$request_uri;\n }\n location {path} {\n {rules}\n deny all;\n }\n}\n";
        let expected = "server{ listen|[::]:{port}|ssl; ssl_ciphers|\"{ciphers}\"; if|($host|=|www.{name}){  \
            return|301|https://{name}:{port}$request_uri; location|{path}{  deny|all;";
        assert_eq!(outline(text, false), expected);
        assert_eq!(outline(text, true), expected);
        assert_eq!(errors(text), [""; 0]);
        let standing = checked(text, false).tokens().filter(|token| token.kind == TokenKind::Hole).count();
        assert_eq!(standing, 3);
        assert_eq!(errors("if ($host = www.{name}) {\n return 301 https://{name}/;\n}\n"), [""; 0]);
    }

    #[test]
    fn other_braces_are_the_server_s() {
        assert_eq!(outline("location /a {internal}\n", false), "location|/a{ internal};");
        assert_eq!(errors("location /users/{id} {\n proxy_pass http://b/users/{id};\n}\n").len(), 2);
        assert_eq!(errors("server {\n location ~ ^/[0-9]{3}/ {\n deny all;\n }\n}\n").len(), 1);
        assert_eq!(errors("proxy_pass http://b/{id};\n")[0], "1: directive \"proxy_pass\" is not terminated by \";\"");
        assert_eq!(
            outline("return 200 '{ok}';\nmap $a $b {default}  x;\n}\n", false),
            "return|200|'{ok}';map|$a|$b{ default}|x;"
        );
        // A forgotten `;` in a template.
        assert_eq!(outline("{top}\nserver { location /a {internal}\n}\n", false), "server{ location|/a{  internal};");
    }

    #[test]
    fn depth_costs_no_stack() {
        let depth = 200_000;
        let tree = checked(&("location / {".repeat(depth) + &"}".repeat(depth)), false);
        assert_eq!((tree.directives().len(), tree.errors().len()), (depth, 0));
    }
}
