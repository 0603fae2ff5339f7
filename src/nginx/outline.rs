//! What a file says by itself, whatever includes it: the files that it includes and the variables that it defines, read off once when
//! the file is parsed and still at hand; and the variables that it uses.

use std::ops::Range;

use memchr::memmem;
use smallvec::SmallVec;

use super::directives;
use super::line::{Line, Word};
use super::words::{self, Piece, lower, pieces};
use crate::pcre;
use crate::source::SourceId;
use crate::tree::{DirectiveId, Shape, TokenKind, Tree};

/// What a file says by itself.
#[derive(Debug, Default)]
pub struct Outline {
    /// The `include` directives whose paths can be read.
    pub(super) includes: Vec<Written>,
    /// The variables that it defines.
    pub(super) defined: Vec<Defined>,
}

impl Outline {
    /// That of a file that says nothing by itself, as most do.
    pub const NOTHING: Self = Self { includes: Vec::new(), defined: Vec::new() };

    /// Whether the file says nothing by itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.includes.is_empty() && self.defined.is_empty()
    }
}

/// An `include` directive.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) id: DirectiveId,
    pub(super) path: Vec<u8>,
    /// Whether it stands in `stream` or `mail`.
    pub(super) in_other: bool,
}

/// A variable that is given a value.
#[derive(Debug)]
pub(super) struct Defined {
    /// In lower case.
    pub(super) name: Box<[u8]>,
    /// Where, in bytes.
    pub(super) place: Range<u32>,
    /// Whether it is the name of a capture.
    pub(super) captured: bool,
}

/// A use of a variable.
#[derive(Debug)]
pub(super) struct Used {
    /// In lower case.
    pub(super) name: Box<[u8]>,
    /// Where, in bytes.
    pub(super) place: Range<u32>,
    /// Whether it is the number of a capture, where nothing but a name can stand.
    pub(super) is_number: bool,
}

/// The outline of a file.
#[must_use]
pub fn outline(tree: &Tree, bytes: &[u8]) -> Outline {
    let opens = |group: &[u8]| memmem::find(bytes, group).is_some();
    // All of them begin so, and files without any are searched once.
    let captures = opens(b"(?") && (opens(b"(?<") || opens(b"(?P<") || opens(b"(?'"));
    let mut reading = Reading { outline: Outline::default(), captures };
    for (line, in_other) in lines(tree, bytes) {
        if line.shape() == Shape::Simple && line.name() == b"include" {
            reading.include(line, in_other);
        }
        if !in_other && (reading.captures || line.has_dollar()) {
            reading.define(line);
        }
    }
    reading.outline
}

/// The uses of variables that nginx itself does not have, where nginx looks at them when it starts.
pub(super) fn used(tree: &Tree, bytes: &[u8]) -> Vec<Used> {
    let mut all = Vec::new();
    for (line, in_other) in lines(tree, bytes) {
        if !in_other && line.has_dollar() {
            used_in(line, &mut all);
        }
    }
    all
}

/// The lines of a file, each with whether it stands in `stream` or `mail`. Places are told by their bytes: the file has no name yet.
fn lines<'a>(tree: &'a Tree, bytes: &'a [u8]) -> impl Iterator<Item = (Line<'a>, bool)> {
    // One past the last directive of the `stream` or `mail` block that we are in.
    let mut other_until = DirectiveId(0);
    (0u32..).map(DirectiveId).zip(tree.directives()).map(move |(id, directive)| {
        let line = Line::new(SourceId(0), tree, bytes, id);
        if directive.parent.is_none() && directive.shape == Shape::Block && matches!(line.name(), b"stream" | b"mail") {
            other_until = directive.after;
        }
        (line, id.0 < other_until.0)
    })
}

struct Reading {
    outline: Outline,
    /// Whether any pattern of the file names what it captures; few do.
    captures: bool,
}

impl Reading {
    fn include(&mut self, line: Line<'_>, in_other: bool) {
        let mut words = line.words();
        if let (Some(word), None) = (words.next(), words.next())
            && !word.is_holed()
        {
            let path = words::value(word.kind, word.text).into_owned();
            self.outline.includes.push(Written { id: line.id, path, in_other });
        }
    }

    fn add(&mut self, name: &[u8], word: Word<'_>, captured: bool) {
        if !name.is_empty() {
            let place = word.span.start..word.span.end;
            self.outline.defined.push(Defined { name: lower(name).into(), place, captured });
        }
    }

    /// The names that a directive defines.
    fn define(&mut self, line: Line<'_>) {
        let name = line.name();
        let argument = match name {
            b"map" | b"split_clients" | b"keyval" => line.word(1),
            b"geo" => line.words().last(),
            b"server_name" | b"location" | b"rewrite" | b"if" => {
                if self.captures {
                    line.words().for_each(|word| self.captures_of(word));
                }
                return;
            }
            // `include`, `proxy_pass`, `listen` …: most lines define nothing, and say so by their name.
            _ if name == b"set" || name.ends_with(b"_set") || name.starts_with(b"set_") || name == b"js_var" => line.word(0),
            [b'~', ..] => return self.captures_of(line.name_word()),
            // `geoip2 file { $country … }`.
            [b'$', ..] => return self.add_word(line.name_word()),
            // A directive that we do not know and that names a variable first: it may well define it. The row of a map gives it as a value.
            _ => line.word(0).filter(|word| {
                word.text.starts_with(b"$") && directives::directive(name).is_empty() && !is_row(line) && !is_own(word)
            }),
        };
        if let Some(word) = argument {
            self.add_word(word);
        }
    }

    fn add_word(&mut self, word: Word<'_>) {
        if let Some(name) = word.value().strip_prefix(b"$") {
            let end = name.iter().position(|&byte| !(byte.is_ascii_alphanumeric() || byte == b'_')).unwrap_or(name.len());
            self.add(&name[..end], word, false);
        }
    }

    /// Named captures of a regular expression: `(?<name>`, `(?P<name>`, `(?'name'`.
    fn captures_of(&mut self, word: Word<'_>) {
        // Most words name nothing, and are not copied to find that out.
        if memmem::find(word.text, b"(?").is_some() {
            pcre::names(&word.value()).for_each(|name| self.add(name, word, true));
        }
    }
}

/// The variable that an `if` tests: all that stands behind the `$`, whatever it is, is its name (`ngx_http_rewrite_if_condition`,
/// `ngx_http_rewrite_variable`).
pub(super) fn tested(line: Line<'_>) -> Option<(Word<'_>, Range<usize>)> {
    let mut words = line.words();
    let first = words.next()?;
    let is_bracket = first.value().as_ref() == b"(";
    let word = if is_bracket { words.next()? } else { first };
    let value = word.value();
    let start = usize::from(!is_bracket && value.starts_with(b"("));
    let end = value.len() - usize::from(words.next().is_none() && value.ends_with(b")"));
    value.get(start..end)?.starts_with(b"$").then_some((word, start + 1..end))
}

/// The variables of a line.
fn used_in(line: Line<'_>, all: &mut Vec<Used>) {
    let tested = if line.name() == b"if" { tested(line) } else { None };
    if let Some((word, range)) = tested.clone().filter(|(word, _)| word.kind != TokenKind::Holed) {
        let value = word.value();
        let name = lower(value.get(range.clone()).unwrap_or_default());
        // What was captured has no name that could be tested.
        if !name.is_empty() && !directives::has_variable(&name) && !is_foreign(&name) {
            let span = word.part(&(range.start - 1..range.end));
            let is_number = name.iter().all(u8::is_ascii_digit);
            all.push(Used { name: Box::from(name.as_ref()), place: span.start..span.end, is_number });
        }
    }
    for word in looked_at(line) {
        let is_tested = tested.as_ref().is_some_and(|(tested, _)| tested.span == word.span);
        if is_tested || word.kind == TokenKind::Holed || !word.text.contains(&b'$') {
            continue;
        }
        let value = word.value();
        for piece in pieces(&value) {
            let (name, range) = match piece {
                Ok((Piece::Variable(name), range)) => {
                    let name = lower(name);
                    if directives::has_variable(&name) || is_foreign(&name) {
                        continue;
                    }
                    (Box::from(name.as_ref()), range)
                }
                // What nginx cannot read as a variable it refuses at once.
                Ok(_) | Err(_) => continue,
            };
            let span = word.part(&range);
            all.push(Used { name, place: span.start..span.end, is_number: false });
        }
    }
}

/// Whether the line is a row of a block that maps values, not a directive.
fn is_row(line: Line<'_>) -> bool {
    let parent = line.tree.directive(line.id).parent;
    parent.is_some_and(|parent| matches!(line.other(parent).name(), b"map" | b"geo" | b"split_clients"))
}

/// Whether the word names a variable of nginx's own: what stands in an included file may be the row of a map.
fn is_own(word: &Word<'_>) -> bool {
    word.value().strip_prefix(b"$").is_some_and(|name| directives::has_variable(&lower(name)))
}

/// Whether the name belongs to a well-known module that is not nginx's own.
pub(super) fn is_foreign(name: &[u8]) -> bool {
    const FAMILIES: [&[u8]; 22] = [
        b"geoip2_",
        b"geoip_",
        b"brotli_",
        b"zstd_",
        b"echo_",
        b"upload_",
        b"vts_",
        b"naxsi_",
        b"passenger_",
        b"upstream_",
        b"ssl_",
        b"jwt_",
        b"oidc_",
        b"otel_",
        b"opentracing_",
        b"modsecurity_",
        b"sysguard_",
        b"session_",
        b"secure_",
        b"lua_",
        b"nchan_",
        b"http3",
    ];
    FAMILIES.iter().any(|family| name.starts_with(family))
        || matches!(name, b"request_id" | b"unix_time" | b"uid_got" | b"dollar")
}

/// Which arguments nginx looks for variables in when it reads the directive `name`; `None`: in none of them.
pub(super) fn variables_in(name: &[u8]) -> Option<Range<usize>> {
    const ALL: usize = usize::MAX;
    match name {
        b"proxy_pass"
        | b"proxy_method"
        | b"return"
        | b"root"
        | b"alias"
        | b"try_files"
        | b"auth_basic"
        | b"auth_basic_user_file"
        | b"proxy_set_body"
        | b"proxy_cache_key"
        | b"proxy_cache_bypass"
        | b"proxy_no_cache"
        | b"hash"
        | b"index"
        | b"error_page"
        | b"limit_rate"
        | b"limit_rate_after"
        | b"proxy_ssl_name"
        | b"grpc_ssl_name"
        | b"uwsgi_ssl_name"
        | b"fastcgi_pass"
        | b"uwsgi_pass"
        | b"scgi_pass"
        | b"grpc_pass"
        | b"memcached_pass"
        | b"fastcgi_cache_key"
        | b"uwsgi_cache_key"
        | b"scgi_cache_key"
        | b"fastcgi_cache_bypass"
        | b"uwsgi_cache_bypass"
        | b"scgi_cache_bypass"
        | b"fastcgi_no_cache"
        | b"uwsgi_no_cache"
        | b"scgi_no_cache"
        | b"charset"
        | b"expires"
        | b"secure_link"
        | b"secure_link_md5"
        | b"sub_filter" => Some(0..ALL),
        b"map" | b"split_clients" | b"limit_req_zone" | b"limit_conn_zone" | b"proxy_bind" | b"fastcgi_bind" | b"uwsgi_bind"
        | b"scgi_bind" | b"grpc_bind" | b"memcached_bind" => Some(0..1),
        b"proxy_set_header" | b"add_header" | b"add_trailer" | b"fastcgi_param" | b"uwsgi_param" | b"scgi_param"
        | b"grpc_set_header" | b"set" | b"rewrite" | b"auth_request_set" => Some(1..ALL),
        _ => None,
    }
}

/// The words of a line that nginx looks for variables in.
fn looked_at(line: Line<'_>) -> SmallVec<[Word<'_>; 4]> {
    let name = line.name();
    if is_row(line) {
        let in_map = line.tree.directive(line.id).parent.is_some_and(|parent| line.other(parent).name() == b"map");
        return if in_map { line.word(0).into_iter().collect() } else { SmallVec::new() };
    }
    match name {
        // Its own function reads the format, by the same rules.
        b"log_format" => line.words().skip(1).collect(),
        b"geo" if line.words().count() == 2 => line.word(0).into_iter().collect(),
        // What stands behind `~` is a pattern.
        b"if" => {
            let is_pattern = |word: &Word<'_>| matches!(word.value().as_ref(), b"~" | b"~*" | b"!~" | b"!~*");
            line.words().take_while(|word| !is_pattern(word)).collect()
        }
        // The file, and the condition.
        b"access_log" => {
            let words = line.words().enumerate().filter(|(at, word)| *at == 0 || word.text.starts_with(b"if="));
            words.map(|(_, word)| word).collect()
        }
        b"proxy_redirect" | b"proxy_cookie_domain" | b"proxy_cookie_path" | b"proxy_cookie_flags" => {
            let is_pattern = |at: usize, word: &Word<'_>| at == 0 && word.value().starts_with(b"~");
            line.words().enumerate().filter(|(at, word)| !is_pattern(*at, word)).map(|(_, word)| word).collect()
        }
        _ => match variables_in(name) {
            Some(range) => line.words().skip(range.start).take(range.end.saturating_sub(range.start)).collect(),
            None => SmallVec::new(),
        },
    }
}
