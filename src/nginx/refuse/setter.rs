//! What single directives check by functions of their own, each cited where it is copied.

use super::value::Refused;
use super::{Checker, Context, address, condition, listen, show};
use crate::gateway::{Fault, Version};
use crate::nginx::directives::{self, Row};
use crate::nginx::line::{Line, Word};
use crate::nginx::lower;
use crate::nginx::values::{self, Resolution};
use crate::nginx::words::{Piece, pieces};

/// From this version on, `keepalive` is on by default, and takes `0` and `local`.
const KEEPALIVE_DEFAULT: Version = Version::new(1, 29, 7);

fn value_fault(message: String) -> Result<(), Refused> {
    Err((Fault::Value, message))
}

fn invalid_parameter(word: Word<'_>) -> Result<(), Refused> {
    value_fault(format!("invalid parameter \"{}\"", show(&word.value())))
}

impl<'a> Checker<'a> {
    /// Whether an earlier version took fewer arguments.
    pub(super) fn was_narrower(&self, line: Line<'_>) -> bool {
        line.name() == b"keepalive"
            && line.words().count() > 1
            && self.context() == Some(Context::Upstream)
            && self.version.is_some_and(|version| version < KEEPALIVE_DEFAULT)
    }

    /// What the directive's own function checks.
    pub(super) fn set(&mut self, line: Line<'a>, row: &Row) -> Result<(), Refused> {
        let Some(context) = self.context() else { return Ok(()) };
        if line.name() == b"proxy_set_header" && self.set_header(line, row, context) {
            return Ok(());
        }
        if context.is_http() {
            check_variables(line)?;
        }
        if !context.is_http() {
            self.stream_variables(line, context);
        }
        if context.is_http() {
            self.shared(line)?;
        }
        if self.takes_no_backup(line) {
            return value_fault("balancing method does not support parameter \"backup\"".to_owned());
        }
        match (line.name(), context) {
            (b"fastcgi_pass" | b"uwsgi_pass" | b"scgi_pass" | b"grpc_pass", _) => other_pass(line),
            (b"proxy_redirect", _) => self.proxy_redirect(line),
            (b"valid_referers", _) => {
                self.valid_referers(line);
                Ok(())
            }
            (b"try_files", _) => try_files(line),
            (b"limit_except", _) => limit_except(line),
            (b"resolver", _) => resolver(line),
            (b"proxy_pass", Context::StreamServer) => {
                let Some(word) = line.word(0) else { return Ok(()) };
                let value = word.value();
                if value.contains(&b'$') { Ok(()) } else { upstream_address(&value, false) }
            }
            (b"proxy_pass", _) => self.proxy_pass(line),
            (b"server", Context::Upstream | Context::StreamUpstream) => {
                self.not_a_snippet();
                if let Some(level) = self.levels.last_mut() {
                    level.members += 1;
                }
                server(line)
            }
            (b"keepalive", Context::Upstream) => self.keepalive(line),
            (b"location", _) => self.location(line),
            (b"if", _) => condition::check(line),
            (b"listen", Context::Server) => {
                self.not_a_snippet();
                self.listen(line)
            }
            (b"listen", Context::StreamServer) => listen::check(line, true),
            (b"server_name", Context::Server) => server_name(line),
            (b"root" | b"alias", _) => self.root(line),
            (b"set", _) => variable(line.word(0), row.module == "http_rewrite"),
            (b"map" | b"split_clients", Context::Http) => variable(line.word(1), true),
            (b"geo", Context::Http) => variable(line.words().last(), true),
            (b"return", _) if row.module == "http_rewrite" => returns(line),
            (b"rewrite", _) => match line.word(2) {
                Some(flag) if !matches!(flag.value().as_ref(), b"last" | b"break" | b"redirect" | b"permanent") => {
                    invalid_parameter(flag)
                }
                _ => Ok(()),
            },
            (b"add_header" | b"add_trailer", _) => match line.word(2) {
                Some(word) if word.value().as_ref() != b"always" => invalid_parameter(word),
                _ => Ok(()),
            },
            (b"expires", _) => expires(line),
            (b"error_page", _) => error_page(line),
            (b"proxy_ssl_verify" | b"proxy_ssl_trusted_certificate", _) if context.is_http() => {
                self.not_a_snippet();
                if let Some(level) = self.levels.last_mut() {
                    level.trust.set(line);
                }
                Ok(())
            }
            (b"allow" | b"deny", _) => match line.word(0) {
                Some(word) if !is_network(&word.value()) => invalid_parameter(word),
                _ => Ok(()),
            },
            (b"worker_connections", _) => match line.word(0) {
                Some(word) if values::number(&word.value()).is_none() => {
                    value_fault(format!("invalid number \"{}\"", show(&word.value())))
                }
                _ => Ok(()),
            },
            (b"worker_processes", _) => match line.word(0) {
                Some(word) if word.value().as_ref() != b"auto" && !matches!(values::number(&word.value()), Some(1..)) => {
                    value_fault("\"worker_processes\" directive invalid value".to_owned())
                }
                _ => Ok(()),
            },
            (b"keepalive_timeout", _) if context.is_http() => {
                let wrong = |word: Word<'_>| values::duration(&word.value(), Resolution::Milliseconds).is_none();
                match line.word(0) {
                    Some(word) if wrong(word) => {
                        Err((Fault::Duration, "\"keepalive_timeout\" directive invalid value".to_owned()))
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
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

    /// `ngx_http_proxy_pass`.
    fn proxy_pass(&mut self, line: Line<'a>) -> Result<(), Refused> {
        let Some(word) = line.word(0) else { return Ok(()) };
        let value = word.value();
        self.not_a_snippet();
        if let Some(level) = self.levels.last_mut() {
            level.passes = Some(value.contains(&b'$'));
        }
        if value.contains(&b'$') {
            return Ok(());
        }
        let lower = value.to_ascii_lowercase();
        if lower.starts_with(b"https:")
            && let Some(level) = self.levels.last_mut()
        {
            level.trust.asks(line.span());
        }
        let scheme =
            [7, 8].into_iter().find(|&length| lower.get(..length).is_some_and(|start| matches!(start, b"http://" | b"https://")));
        let Some(scheme) = scheme else { return Err((Fault::Address, "invalid URL prefix".to_owned())) };
        let address = &value[scheme..];
        upstream_address(address, true)?;
        let path = match address.strip_prefix(b"unix:") {
            Some(socket) => socket.contains(&b':'),
            None => address.iter().any(|byte| matches!(byte, b'/' | b'?')),
        };
        let here = self.levels.last();
        if path && here.is_some_and(|level| level.place.takes_no_uri(level.context)) {
            let message = "\"proxy_pass\" cannot have URI part in location given by regular expression, or inside named location, \
                           or inside \"if\" statement, or inside \"limit_except\" block";
            return Err((Fault::Address, message.to_owned()));
        }
        Ok(())
    }

    /// `ngx_http_proxy_redirect`.
    fn proxy_redirect(&mut self, line: Line<'a>) -> Result<(), Refused> {
        self.not_a_snippet();
        let words: Vec<_> = line.words().map(Word::value).collect();
        let [word] = words.as_slice() else { return Ok(()) };
        match (word.as_ref(), self.levels.last().and_then(|level| level.passes)) {
            (b"off", _) | (b"default", Some(false)) => Ok(()),
            (b"default", Some(true)) => {
                value_fault("\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive with variables".to_owned())
            }
            (b"default", None) if self.levels.last().is_some_and(|level| level.open) => Ok(()),
            (b"default", None) => {
                value_fault("\"proxy_redirect default\" should be placed after the \"proxy_pass\" directive".to_owned())
            }
            _ => value_fault(format!("invalid parameter \"{}\"", show(word))),
        }
    }

    /// `ngx_http_valid_referers`.
    fn valid_referers(&mut self, line: Line<'a>) {
        self.not_a_snippet();
        let Some(level) = self.levels.last_mut() else { return };
        for word in line.words() {
            match word.value().as_ref() {
                b"none" | b"blocked" => level.referers.nobody = level.referers.nobody.or(Some(line.span())),
                [b'~', ..] => {}
                _ => level.referers.named = true,
            }
        }
    }

    /// `ngx_http_upstream_keepalive`.
    fn keepalive(&mut self, line: Line<'_>) -> Result<(), Refused> {
        let Some(word) = line.word(0) else { return Ok(()) };
        let value = word.value();
        let takes_none = self.version.is_none_or(|version| version >= KEEPALIVE_DEFAULT);
        match values::number(&value) {
            Some(0) if takes_none => Ok(()),
            Some(1..) => Ok(()),
            _ => value_fault(format!("invalid value \"{}\" in \"keepalive\" directive", show(&value))),
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
                value_fault("the \"alias\" directive cannot be used inside the named location".to_owned())
            }
            None => Ok(()),
        }
    }
}

/// The syntax of variables in what is compiled at once (`ngx_http_script_compile`).
fn check_variables(line: Line<'_>) -> Result<(), Refused> {
    let Some(range) = lower::variables_in(line.name()) else { return Ok(()) };
    let words = line.words().skip(range.start).take(range.end.saturating_sub(range.start));
    for word in words.filter(|word| word.text.contains(&b'$')) {
        if let Some(error) = pieces(&word.value()).find_map(Result::err) {
            return value_fault(error.to_string());
        }
    }
    Ok(())
}

/// The address of an upstream (`ngx_http_upstream_add`).
fn upstream_address(text: &[u8], has_uri: bool) -> Result<(), Refused> {
    match address::check(text, has_uri) {
        Err(reason) => Err((Fault::Address, format!("{reason} in upstream \"{}\"", show(text)))),
        Ok(()) if address::is_nowhere(address::host(text)) => {
            Err((Fault::Address, format!("host not found in upstream \"{}\"", show(address::host(text)))))
        }
        Ok(()) => Ok(()),
    }
}

/// A `server` in an `upstream` (`ngx_http_upstream_server`).
fn server(line: Line<'_>) -> Result<(), Refused> {
    for word in line.words().skip(1) {
        let value = word.value();
        let (name, setting) = match value.iter().position(|&byte| byte == b'=') {
            Some(at) => (&value[..=at], &value[at + 1..]),
            None => (value.as_ref(), &[][..]),
        };
        let good = match name {
            b"weight=" => values::number(setting).is_some_and(|weight| weight > 0),
            b"max_conns=" | b"max_fails=" => values::number(setting).is_some(),
            b"fail_timeout=" | b"slow_start=" => values::duration(setting, Resolution::Seconds).is_some(),
            b"backup" | b"down" | b"resolve" | b"drain" | b"route=" | b"service=" => true,
            _ => false,
        };
        if !good {
            return invalid_parameter(word);
        }
    }
    line.word(0).map_or(Ok(()), |word| upstream_address(&word.value(), false))
}

/// `ngx_http_fastcgi_pass` and its like.
fn other_pass(line: Line<'_>) -> Result<(), Refused> {
    const SCHEMES: [&[u8]; 5] = [b"uwsgi://", b"suwsgi://", b"scgi://", b"grpc://", b"grpcs://"];
    let Some(word) = line.word(0) else { return Ok(()) };
    let value = word.value();
    if value.contains(&b'$') {
        return Ok(());
    }
    let address = SCHEMES.iter().find_map(|scheme| value.strip_prefix(*scheme)).unwrap_or(&value);
    upstream_address(address, false)
}

/// `ngx_http_try_files`.
fn try_files(line: Line<'_>) -> Result<(), Refused> {
    let Some(last) = line.words().last() else { return Ok(()) };
    let value = last.value();
    match value.strip_prefix(b"=").map(values::number) {
        None | Some(Some(..=999)) => Ok(()),
        _ => value_fault(format!("invalid code \"{}\"", show(&value))),
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
            return value_fault(format!("invalid method \"{}\"", show(&value)));
        }
    }
    Ok(())
}

/// `ngx_http_core_resolver`: its addresses are looked up when the server starts.
fn resolver(line: Line<'_>) -> Result<(), Refused> {
    for word in line.words() {
        let value = word.value();
        if !value.contains(&b'=') && address::is_nowhere(address::host(&value)) {
            return Err((Fault::Address, format!("host not found in resolver \"{}\"", show(&value))));
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
            return value_fault(format!("server name \"{}\" is invalid", show(&value)));
        }
    }
    Ok(())
}

/// The variable that a directive defines (`ngx_http_add_variable`).
fn variable(word: Option<Word<'_>>, adds: bool) -> Result<(), Refused> {
    let Some(word) = word else { return Ok(()) };
    let value = word.value();
    let Some(name) = value.strip_prefix(b"$") else {
        return value_fault(format!("invalid variable name \"{}\"", show(&value)));
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
        _ => value_fault(format!("invalid return code \"{}\"", show(&value))),
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
    if values::duration(bare, Resolution::Seconds).is_some() { Ok(()) } else { invalid() }
}

/// `ngx_http_core_error_page`.
fn error_page(line: Line<'_>) -> Result<(), Refused> {
    let words: Vec<_> = line.words().map(Word::value).collect();
    let Some((_, rest)) = words.split_last() else { return Ok(()) };
    let codes = match rest.split_last() {
        Some((overwrite, codes)) if overwrite.starts_with(b"=") => {
            if overwrite.len() > 1 && values::number(&overwrite[1..]).is_none() {
                return value_fault(format!("invalid value \"{}\"", show(overwrite)));
            }
            codes
        }
        _ => rest,
    };
    for code in codes {
        match values::number(code) {
            None => return value_fault(format!("invalid value \"{}\"", show(code))),
            Some(300..=599) => {}
            Some(_) => return value_fault(format!("value \"{}\" must be between 300 and 599", show(code))),
        }
    }
    Ok(())
}

/// An address or network of `allow` and `deny` (`ngx_ptocidr`, `ngx_inet.c`).
pub(super) fn is_network(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    let (address, mask) = text.split_once('/').map_or((text, None), |(address, mask)| (address, Some(mask)));
    let mask = |bits: u8| mask.is_none_or(|mask| mask.parse::<u8>().is_ok_and(|mask| mask <= bits) || mask.contains(['.', ':']));
    match address.parse() {
        Ok(std::net::IpAddr::V4(_)) => mask(32),
        Ok(std::net::IpAddr::V6(_)) => mask(128),
        Err(_) => matches!(text, "all" | "unix:"),
    }
}
