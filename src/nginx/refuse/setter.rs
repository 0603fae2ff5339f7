//! What single directives check by functions of their own, each cited where it is copied.

use super::upstream::invalid_parameter;
use super::value::Refused;
use super::{Checker, Context, bounds, cache, condition, core, listen, log, pattern, show};
use crate::gateway::{Fault, Millis};
use crate::nginx::directives::{self, Row};
use crate::nginx::line::{Line, Word};
use crate::nginx::outline;
use crate::nginx::values::{self, Resolution};
use crate::nginx::words::{Piece, pieces};

impl<'a> Checker<'a> {
    /// What the directive's own function checks; `has_dollar`: there may be variables in it.
    pub(super) fn set(&mut self, line: Line<'a>, row: &Row, has_dollar: bool) -> Result<(), Refused> {
        let Some(context) = self.context() else { return Ok(()) };
        if line.name() == b"proxy_set_header" && self.set_header(line, row, context) {
            return Ok(());
        }
        if context.is_http() && has_dollar {
            check_variables(line)?;
        }
        if !context.is_http() {
            self.stream_variables(line, context);
        }
        if context.is_http() {
            self.shared(line)?;
        }
        bounds::check(line)?;
        pattern::check(line)?;
        if let Some(level) = self.levels.last_mut()
            && level.buffers.set(line)
        {
            self.not_a_snippet();
        }
        if let Some(result) = self.passing(line, context) {
            return result;
        }
        match (line.name(), context) {
            (_, Context::Upstream | Context::StreamUpstream) => self.in_upstream(line),
            (b"valid_referers", _) => self.valid_referers(line),
            (b"server_name", Context::Server) => {
                self.names_of_server(line);
                alone(line, context)
            }
            (b"load_module", Context::Main) if self.http.counts_modules => {
                bounds::fault("\"load_module\" directive is specified too late".to_owned())
            }
            (b"map_hash_bucket_size", _) => {
                self.not_a_snippet();
                self.http.map_bucket = line.word(0).and_then(|word| values::size(&word.value()));
                Ok(())
            }
            (b"mirror", _) => self.off_stands_alone(line),
            (b"aio", _) => {
                self.wants_threads(line);
                core::aio(line)
            }
            (b"thread_pool", _) => {
                self.http.pools.extend(line.word(0).map(|word| word.value().into_owned()));
                Ok(())
            }
            (b"location", _) => self.location(line),
            (b"listen", Context::Server) => {
                self.not_a_snippet();
                self.listen(line)
            }
            (b"root" | b"alias", _) => self.root(line),
            (b"set", _) => variable(line.word(0), row.module == "http_rewrite"),
            (b"auth_request_set", _) => variable(line.word(0), true),
            (b"map" | b"split_clients", Context::Http) => {
                if line.name() == b"map" {
                    self.sizes_tables();
                }
                variable(line.word(1), true)
            }
            (b"geo", Context::Http) => variable(line.words().last(), true),
            (b"return", _) if row.module == "http_rewrite" => returns(line),
            _ => alone(line, context),
        }
    }

    /// The first map says how large the tables of maps are, unless that is said before (`ngx_http_map_block`).
    fn sizes_tables(&mut self) {
        self.not_a_snippet();
        let Some(level) = self.levels.last_mut() else { return };
        for name in [b"map_hash_bucket_size".as_slice(), b"map_hash_max_size"] {
            let row = directives::directive(name).iter().find(|row| row.contexts.has(Context::Http));
            row.map(|row| level.slots.add(row.index));
        }
    }

    /// A header for upstreams; whether nginx looks at it later, if at all.
    fn set_header(&mut self, line: Line<'a>, row: &Row, context: Context) -> bool {
        self.http.header_row = Some(row.index);
        if let Some(level) = self.levels.last_mut() {
            level.slots.add(row.index);
        }
        if context == Context::Http && line.words().any(|word| word.text.contains(&b'$')) {
            let wrong = check_variables(line).err().map(|(_, message)| message);
            self.http.outer_headers.push((line.span(), wrong));
            return true;
        }
        false
    }

    /// The variables of `http` that are used where `stream` reads them, and those that it defines.
    fn stream_variables(&mut self, line: Line<'a>, context: Context) {
        let used = match (line.name(), context) {
            (b"map", Context::Stream) | (b"proxy_pass" | b"return", Context::StreamServer) => line.word(0),
            (b"set", Context::Stream | Context::StreamServer) => line.word(1),
            _ => None,
        };
        let defined = match line.name() {
            b"map" | b"split_clients" => line.word(1),
            b"set" => line.word(0),
            b"geo" => line.words().last(),
            _ => None,
        };
        if let Some(name) = defined.and_then(|word| word.value().strip_prefix(b"$").map(<[u8]>::to_ascii_lowercase)) {
            self.http.in_stream.insert(name);
        }
        let Some(word) = used else { return };
        for (piece, range) in pieces(&word.value()).flatten() {
            if let Piece::Variable(name) = piece
                && directives::is_http_only(&name.to_ascii_lowercase())
            {
                self.http.wanted_in_stream.push((name.to_ascii_lowercase(), word.part(&range)));
            }
        }
    }

    /// `ngx_http_core_root`.
    fn root(&mut self, line: Line<'a>) -> Result<(), Refused> {
        self.not_a_snippet();
        let is_alias = line.name() == b"alias";
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        match level.place.root.replace(is_alias) {
            Some(before) if before == is_alias => {
                Err((Fault::Duplicate, format!("\"{}\" directive is duplicate", show(line.name()))))
            }
            Some(before) => {
                let earlier = if before { "alias" } else { "root" };
                let message =
                    format!("\"{}\" directive is duplicate, \"{earlier}\" directive was specified earlier", show(line.name()));
                Err((Fault::Duplicate, message))
            }
            None if is_alias && level.place.is_named() => {
                bounds::fault("the \"alias\" directive cannot be used inside the named location".to_owned())
            }
            None => {
                let value = line.word(0).map(Word::value).unwrap_or_default();
                let own = [
                    ("document_root", "$document_root", "${document_root}"),
                    ("realpath_root", "$realpath_root", "${realpath_root}"),
                ];
                let has = |text: &str| memchr::memmem::find(&value, text.as_bytes()).is_some();
                let mut own = own.into_iter().filter(|&(_, bare, braced)| value.contains(&b'$') && (has(bare) || has(braced)));
                own.next().map_or(Ok(()), |(name, ..)| {
                    let message = "variable cannot be used in the";
                    bounds::fault(format!("the ${name} {message} \"{}\" directive", show(line.name())))
                })
            }
        }
    }
}

/// What a directive checks that depends on nothing else.
fn alone(line: Line<'_>, context: Context) -> Result<(), Refused> {
    let first = || line.word(0).map(Word::value).unwrap_or_default();
    match line.name() {
        b"try_files" => try_files(line),
        b"limit_except" => limit_except(line),
        b"resolver" => core::resolver(line),
        b"error_log" => log::error_log(line),
        b"proxy_cache_valid" | b"fastcgi_cache_valid" | b"uwsgi_cache_valid" | b"scgi_cache_valid" => cache::valid(line),
        b"open_file_cache" | b"open_log_file_cache" => cache::open_files(line),
        b"worker_cpu_affinity" => core::affinity(line),
        b"directio" => core::directio(line),
        b"disable_symlinks" => core::disable_symlinks(line),
        b"set_real_ip_from" => core::real_ip_from(line),
        b"ssl_session_cache" => core::session_cache(line),
        b"userid_expires" => core::userid_expires(line),
        b"index" if line.words().any(|word| word.value().is_empty()) => {
            bounds::fault("index \"\" in \"index\" directive is invalid".to_owned())
        }
        b"sub_filter" if first().is_empty() => bounds::fault("empty search pattern".to_owned()),
        b"fastcgi_param" | b"uwsgi_param" | b"scgi_param" => third(line, &[b"if_not_empty"]),
        b"if" => condition::check(line),
        b"listen" if context == Context::StreamServer => listen::check(line, true),
        b"server_name" if context == Context::Server => server_name(line),
        b"rewrite" if line.word(1).is_some_and(|word| word.value().is_empty()) => bounds::fault("empty replacement".to_owned()),
        b"rewrite" => third(line, &[b"last", b"break", b"redirect", b"permanent"]),
        b"add_header" | b"add_trailer" => third(line, &[b"always"]),
        b"expires" => expires(line),
        b"error_page" => error_page(line),
        b"allow" | b"deny" => match line.word(0) {
            Some(word) if !is_network(&word.value()) => invalid_parameter(word),
            _ => Ok(()),
        },
        b"worker_connections" if values::number(&first()).is_none() => {
            bounds::fault(format!("invalid number \"{}\"", show(&first())))
        }
        b"worker_processes" if first().as_ref() != b"auto" && values::number(&first()).is_none() => {
            bounds::fault("\"worker_processes\" directive invalid value".to_owned())
        }
        b"keepalive_timeout" if context.is_http() => core::keepalive_timeout(line),
        name if name.ends_with(b"_store_access") || name == b"dav_access" => core::access(line),
        name if name.ends_with(b"_temp_path") => cache::temporary(line),
        name if name.ends_with(b"_bind") && context.is_http() => core::bind(line),
        _ => Ok(()),
    }
}

/// The third word, where it stands, must be one of these.
fn third(line: Line<'_>, known: &[&[u8]]) -> Result<(), Refused> {
    match line.word(2) {
        Some(word) if !known.contains(&word.value().as_ref()) => invalid_parameter(word),
        _ => Ok(()),
    }
}

/// The syntax of variables in what is compiled at once (`ngx_http_script_compile`).
fn check_variables(line: Line<'_>) -> Result<(), Refused> {
    let Some(range) = outline::variables_in(line.name()) else { return Ok(()) };
    let words = line.words().skip(range.start).take(range.end.saturating_sub(range.start));
    for word in words.filter(|word| word.text.contains(&b'$')) {
        if let Some(error) = pieces(&word.value()).find_map(Result::err) {
            return bounds::fault(error.to_string());
        }
    }
    Ok(())
}

/// `ngx_http_try_files`.
fn try_files(line: Line<'_>) -> Result<(), Refused> {
    let Some(last) = line.words().last() else { return Ok(()) };
    let value = last.value();
    match value.strip_prefix(b"=").map(values::number) {
        None | Some(Some(..=999)) => Ok(()),
        _ => bounds::fault(format!("invalid code \"{}\"", show(&value))),
    }
}

/// `ngx_http_core_limit_except`.
fn limit_except(line: Line<'_>) -> Result<(), Refused> {
    const METHODS: [&[u8]; 14] = [
        b"GET",
        b"HEAD",
        b"POST",
        b"PUT",
        b"DELETE",
        b"MKCOL",
        b"COPY",
        b"MOVE",
        b"OPTIONS",
        b"PROPFIND",
        b"PROPPATCH",
        b"LOCK",
        b"UNLOCK",
        b"PATCH",
    ];
    for word in line.words() {
        let value = word.value();
        if !METHODS.iter().any(|method| method.eq_ignore_ascii_case(&value)) {
            return bounds::fault(format!("invalid method \"{}\"", show(&value)));
        }
    }
    Ok(())
}

/// `ngx_http_core_server_name`.
fn server_name(line: Line<'_>) -> Result<(), Refused> {
    for word in line.words() {
        let value = word.value();
        let wrong = match value.as_ref() {
            [b'*', rest @ ..] => rest.len() < 2 || rest[0] != b'.',
            [b'.', rest @ ..] => rest.is_empty(),
            _ => false,
        };
        if wrong {
            return bounds::fault(format!("server name \"{}\" is invalid", show(&value)));
        }
    }
    Ok(())
}

/// The variable that a directive defines (`ngx_http_add_variable`).
fn variable(word: Option<Word<'_>>, adds: bool) -> Result<(), Refused> {
    let Some(word) = word else { return Ok(()) };
    let value = word.value();
    let Some(name) = value.strip_prefix(b"$").filter(|name| !name.is_empty()) else {
        return bounds::fault(format!("invalid variable name \"{}\"", show(&value)));
    };
    if adds && directives::is_changeable(&name.to_ascii_lowercase()) == Some(false) {
        return Err((Fault::Duplicate, format!("the duplicate \"{}\" variable", show(name))));
    }
    Ok(())
}

/// `ngx_http_rewrite_return`.
fn returns(line: Line<'_>) -> Result<(), Refused> {
    let Some(word) = line.word(0) else { return Ok(()) };
    let value = word.value();
    let is_url = [b"http://".as_slice(), b"https://", b"$scheme"].iter().any(|start| value.starts_with(start));
    match values::number(&value) {
        Some(..=999) => Ok(()),
        None if is_url && line.words().count() == 1 => Ok(()),
        _ => bounds::fault(format!("invalid return code \"{}\"", show(&value))),
    }
}

/// `ngx_http_parse_expires`, `ngx_http_headers_filter_module.c`.
fn expires(line: Line<'_>) -> Result<(), Refused> {
    let invalid = || Err((Fault::Duration, "\"expires\" directive invalid value".to_owned()));
    let words: Vec<_> = line.words().map(Word::value).collect();
    let time = match words.as_slice() {
        [time] => time,
        [modified, time] if modified.as_ref() == b"modified" => time,
        _ => return invalid(),
    };
    let has_modified = words.len() == 2;
    if time.contains(&b'$') || !has_modified && matches!(time.as_ref(), b"epoch" | b"max" | b"off") {
        return Ok(());
    }
    let bare = match time.split_first() {
        Some((b'@', rest)) if !has_modified => rest,
        Some((b'+' | b'-', rest)) => rest,
        _ => time,
    };
    match values::duration(bare, Resolution::Seconds) {
        Some(Millis(86_400_001..)) if time.starts_with(b"@") => {
            bounds::fault("\"expires\" directive daily time value must be less than 24 hours".to_owned())
        }
        Some(_) => Ok(()),
        None => invalid(),
    }
}

/// `ngx_http_core_error_page`.
fn error_page(line: Line<'_>) -> Result<(), Refused> {
    let words: Vec<_> = line.words().map(Word::value).collect();
    let Some((_, rest)) = words.split_last() else { return Ok(()) };
    let codes = match rest.split_last() {
        Some((overwrite, codes)) if overwrite.starts_with(b"=") => {
            if codes.is_empty() || overwrite.len() > 1 && values::number(&overwrite[1..]).is_none() {
                return bounds::fault(format!("invalid value \"{}\"", show(overwrite)));
            }
            codes
        }
        _ => rest,
    };
    for code in codes {
        match values::number(code) {
            None => return bounds::fault(format!("invalid value \"{}\"", show(code))),
            Some(499) => return bounds::fault("invalid value \"499\"".to_owned()),
            Some(300..=599) => {}
            Some(_) => return bounds::fault(format!("value \"{}\" must be between 300 and 599", show(code))),
        }
    }
    Ok(())
}

/// An address or network of `allow` and `deny` (`ngx_ptocidr`, `ngx_inet.c`).
pub(super) fn is_network(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    let (address, mask) = text.split_once('/').map_or((text, None), |(address, mask)| (address, Some(mask)));
    let mask = |bits: u8| mask.is_none_or(|mask| mask.parse::<u8>().is_ok_and(|mask| mask <= bits));
    match values::ip(address) {
        Some(std::net::IpAddr::V4(_)) => mask(32),
        Some(std::net::IpAddr::V6(_)) => mask(128),
        None => matches!(text, "all" | "unix:"),
    }
}
