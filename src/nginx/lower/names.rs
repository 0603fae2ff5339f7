//! Which variables the configuration defines, and which it uses without a definition. nginx asks this of all files at once: the
//! order of definition and use does not matter.

use std::ops::Range;

use memchr::memmem;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::line::{Line, Word};
use super::symbolic::lower;
use crate::gateway::{Definition, Gateway, Remark, RemarkKind};
use crate::nginx::words::{Piece, pieces};
use crate::nginx::{Resolved, directives};
use crate::project::Store;
use crate::source::{SourceId, Span};
use crate::tree::{DirectiveId, Shape, TokenKind};

/// The variables that are not nginx's own.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Lower-case names, each with where it was first met, and whether it is the name of a capture.
    defined: FxHashMap<Box<[u8]>, (Span, bool)>,
    /// The uses of names that nginx itself does not have, where nginx looks at them when it starts.
    used: Vec<Use>,
    /// Whether any pattern of the file names what it captures; few do.
    captures: bool,
}

/// A use of a variable.
#[derive(Debug)]
struct Use {
    /// In lower case.
    name: Box<[u8]>,
    span: Span,
    /// Whether it is the number of a capture, where nothing but a name can stand.
    is_number: bool,
}

impl Names {
    /// None yet, of a file.
    fn of(bytes: &[u8]) -> Self {
        // All of them begin so, and files without any are searched once.
        let opens = |group: &[u8]| memmem::find(bytes, group).is_some();
        let captures = opens(b"(?") && (opens(b"(?<") || opens(b"(?P<") || opens(b"(?'"));
        Self { captures, ..Self::default() }
    }

    /// Collects the names that any file of the root defines or uses.
    #[expect(clippy::iter_over_hash_type, reason = "one table is filled from another: the order leaves no trace")]
    pub(super) fn collect(store: &Store, resolved: &Resolved) -> Self {
        let mut all = Self::default();
        for names in each_file(store, resolved) {
            for (name, span) in names.defined {
                all.defined.entry(name).or_insert(span);
            }
            all.used.extend(names.used);
        }
        all
    }

    /// The uses of names that nothing defines.
    pub(super) fn undefined(&self) -> Vec<Remark> {
        let undefined = self.used.iter().filter(|used| used.is_number || !self.contains(&used.name));
        let remark = |used: &Use| {
            let kind = RemarkKind::UndefinedVariable { name: String::from_utf8_lossy(&used.name).into_owned() };
            Remark { span: used.span, labels: Vec::new(), kind }
        };
        undefined.map(remark).collect()
    }

    fn line(&mut self, line: Line<'_>) {
        let has_dollar = line.has_dollar();
        if has_dollar || self.captures {
            self.define(line);
        }
        if has_dollar {
            self.used_in(line);
        }
    }

    pub(super) fn contains(&self, name: &[u8]) -> bool {
        self.defined.contains_key(name)
    }

    /// Gives every name that the model uses a definition: those that the walk met none for are captures, or a module's.
    #[expect(clippy::iter_over_hash_type, reason = "one table is filled from another: the order leaves no trace")]
    pub(super) fn complete(&self, gateway: &mut Gateway) {
        for (name, &(span, captured)) in &self.defined {
            if let Some(name) = gateway.texts.find(name) {
                // What a pattern captures is assigned when it matches.
                let definition = || if captured { Definition::Assigned(Vec::new()) } else { Definition::Opaque(span) };
                gateway.variables.entry(name).or_insert_with(definition);
            }
        }
    }

    fn add(&mut self, name: &[u8], span: Span, captured: bool) {
        let name = lower(name);
        if !name.is_empty() && !self.contains(&name) {
            self.defined.insert(name.into(), (span, captured));
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
            _ if name.ends_with(b"set") || name.starts_with(b"set_") || name == b"js_var" => line.word(0),
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
            self.add(&name[..end], word.span, false);
        }
    }

    /// The variables of a line.
    fn used_in(&mut self, line: Line<'_>) {
        for (at, word) in looked_at(line).into_iter().enumerate() {
            if word.kind == TokenKind::Holed || !word.text.contains(&b'$') {
                continue;
            }
            let value = word.value();
            for piece in pieces(&value) {
                let used = match piece {
                    Ok((Piece::Variable(name), range)) => {
                        let name = lower(name);
                        if directives::has_variable(&name) || is_foreign(&name) {
                            continue;
                        }
                        Use { name: name.into(), span: word.part(&range), is_number: false }
                    }
                    // What was captured has no name that could be tested (`ngx_http_rewrite_variable`).
                    Ok((Piece::Capture(number), range)) if at == 0 && line.name() == b"if" && word.text.starts_with(b"($") => {
                        Use { name: number.to_string().into_bytes().into(), span: word.part(&range), is_number: true }
                    }
                    // What nginx cannot read as a variable it refuses at once.
                    Ok(_) | Err(_) => continue,
                };
                self.used.push(used);
            }
        }
    }

    /// Named captures of a regular expression: `(?<name>`, `(?P<name>`, `(?'name'`.
    fn captures_of(&mut self, word: Word<'_>) {
        for at in memmem::find_iter(word.text, b"(?") {
            let rest = &word.text[at + 2..];
            let rest = rest.strip_prefix(b"P").unwrap_or(rest);
            if let Some((b'<' | b'\'', name)) = rest.split_first() {
                let end = name.iter().position(|&byte| matches!(byte, b'>' | b'\''));
                let name = &name[..end.unwrap_or(0)];
                if name.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    self.add(name, word.span, true);
                }
            }
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
pub(in crate::nginx) fn variables_in(name: &[u8]) -> Option<Range<usize>> {
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
fn looked_at(line: Line<'_>) -> Vec<Word<'_>> {
    let name = line.name();
    if is_row(line) {
        let in_map = line.tree.directive(line.id).parent.is_some_and(|parent| line.other(parent).name() == b"map");
        return if in_map { line.word(0).into_iter().collect() } else { Vec::new() };
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
            None => Vec::new(),
        },
    }
}

/// The names of every file, in order; what stands in `stream` and `mail` is left out.
fn each_file(store: &Store, resolved: &Resolved) -> Vec<Names> {
    let of_file = |&source: &SourceId| {
        let (tree, bytes) = (store.tree(source), store.sources.get(source).bytes());
        let mut names = Names::of(bytes);
        let mut at = 0;
        while let Some(directive) = tree.directives().get(at) {
            let line = Line::new(source, tree, bytes, DirectiveId(u32::try_from(at).unwrap_or(u32::MAX)));
            let other =
                directive.parent.is_none() && directive.shape == Shape::Block && matches!(line.name(), b"stream" | b"mail");
            if other {
                at = directive.after.0 as usize;
                continue;
            }
            names.line(line);
            at += 1;
        }
        names
    };
    resolved.sources.par_iter().filter(|&&source| resolved.is_http(source)).map(of_file).collect()
}
