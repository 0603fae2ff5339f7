//! Values that httpd refuses: words of a list, numbers, and what is put together of several words (`cmd_func` of each directive).

use super::{Refused, escaped};
use crate::apache::expression;
use crate::apache::statement::Word;
use crate::gateway::{Fault, Modules};

/// Where a directive stands, as far as that decides which values it takes.
#[derive(Clone, Copy, Debug)]
pub(in crate::apache) struct Place<'m> {
    /// Whether it stands in a section that is about some of the requests (`cmd->path`).
    pub(super) in_area: bool,
    /// Whether it stands in a virtual host.
    pub(super) in_host: bool,
    /// The modules that are loaded.
    pub(super) modules: &'m Modules,
}

impl<'m> Place<'m> {
    /// Inside of the file of a directory.
    pub(in crate::apache) fn in_directory_file(modules: &'m Modules) -> Self {
        Self { in_area: true, in_host: false, modules }
    }
}

/// What a word must be.
enum Takes {
    /// One of these, in any case.
    One(&'static [&'static str]),
    /// A whole number not below this one, as `strtol` reads it, with nothing behind it.
    Whole(i64),
    /// A number not below this one, as `atoi` reads it.
    Number(i64),
    /// The size of a buffer: 0, or 512 at least.
    Buffer,
    /// A positive number, or one of these words.
    PositiveOr(&'static [&'static str]),
}

/// Directives each of whose words must be of one kind, and what httpd says where it is not.
const WORDS: [(&str, Takes, &str); 45] = [
    ("UseCanonicalName", Takes::One(&["on", "off", "dns"]), "parameter must be 'on', 'off', or 'dns'"),
    ("UseCanonicalPhysicalPort", Takes::One(&["on", "off"]), "parameter must be 'on' or 'off'"),
    ("AllowEncodedSlashes", Takes::One(&["on", "off", "nodecode"]), "AllowEncodedSlashes must be On, Off, or NoDecode"),
    ("ProtocolsHonorOrder", Takes::One(&["on", "off"]), "ProtocolsHonorOrder must be 'on' or 'off'"),
    (
        "ServerTokens",
        Takes::One(&["os", "min", "minimal", "major", "minor", "prod", "productonly", "full"]),
        "ServerTokens takes 1 argument: 'Prod(uctOnly)', 'Major', 'Minor', 'Min(imal)', 'OS', or 'Full'",
    ),
    ("ServerSignature", Takes::One(&["on", "off", "email"]), "ServerSignature: use one of: off | on | email"),
    ("TraceEnable", Takes::One(&["on", "off", "extended"]), "TraceEnable must be one of 'on', 'off', or 'extended'"),
    ("HostnameLookups", Takes::One(&["on", "off", "double"]), "parameter must be 'on', 'off', or 'double'"),
    ("AcceptPathInfo", Takes::One(&["on", "off", "default"]), "AcceptPathInfo must be set to on, off or default"),
    ("EnableSendfile", Takes::One(&["on", "off"]), "parameter must be 'on' or 'off'"),
    ("EnableMMAP", Takes::One(&["on", "off"]), "parameter must be 'on' or 'off'"),
    ("AuthMerging", Takes::One(&["off", "and", "or"]), "AuthMerging must be one of: Off | And | Or"),
    ("Satisfy", Takes::One(&["any", "all"]), "Satisfy either 'any' or 'all'."),
    ("order", Takes::One(&["allow,deny", "deny,allow", "mutual-failure"]), "unknown order"),
    ("SSLEngine", Takes::One(&["on", "off", "optional"]), "Argument must be On, Off or Optional"),
    (
        "SSLProxyVerify",
        Takes::One(&["none", "off", "optional", "require", "on", "optional_no_ca"]),
        "SSLProxyVerify: Invalid argument",
    ),
    (
        "SSLVerifyClient",
        Takes::One(&["none", "off", "optional", "require", "on", "optional_no_ca"]),
        "SSLVerifyClient: Invalid argument",
    ),
    ("ProxyVia", Takes::One(&["off", "on", "full", "block"]), "ProxyVia must be one of: off | on | full | block"),
    ("ProxyStatus", Takes::One(&["off", "on", "full"]), "ProxyStatus must be one of: off | on | full"),
    (
        "ProxyBadHeader",
        Takes::One(&["iserror", "ignore", "startbody"]),
        "ProxyBadHeader must be one of: IsError | Ignore | StartBody",
    ),
    (
        "ProxyFCGIBackendType",
        Takes::One(&["fpm", "generic"]),
        "ProxyFCGIBackendType requires one of the following arguments: 'GENERIC', 'FPM'",
    ),
    ("H2Upgrade", Takes::One(&["on", "off"]), "value must be On or Off"),
    ("H2Direct", Takes::One(&["on", "off"]), "value must be On or Off"),
    ("H2Push", Takes::One(&["on", "off"]), "value must be On or Off"),
    ("H2WebSockets", Takes::One(&["on", "off"]), "value must be On or Off"),
    ("CGIPassAuth", Takes::One(&["on", "off"]), "CGIPassAuth must be On or Off"),
    (
        "HttpProtocolOptions",
        Takes::One(&["strict", "unsafe", "registeredmethods", "lenientmethods", "allow0.9", "require1.0"]),
        "HttpProtocolOptions accepts 'Unsafe' or 'Strict' (default), 'RegisteredMethods' or 'LenientMethods' (default), and 'Require1.0' or 'Allow0.9' (default)",
    ),
    (
        "RewriteOptions",
        Takes::One(&[
            "inherit",
            "inheritbefore",
            "inheritdown",
            "inheritdownbefore",
            "ignoreinherit",
            "allownoslash",
            "allowanyuri",
            "mergebase",
            "ignorecontextinfo",
            "legacyprefixdocroot",
            "unsafeprefixstat",
            "longurloptimization",
        ]),
        "RewriteOptions: unknown option",
    ),
    ("LimitRequestBody", Takes::Whole(0), "LimitRequestBody requires a non-negative integer."),
    ("LimitRequestFields", Takes::Number(0), "LimitRequestFields must be a non-negative integer"),
    ("LimitRequestFieldsize", Takes::Number(0), "LimitRequestFieldsize must be a non-negative integer"),
    ("LimitRequestLine", Takes::Number(0), "LimitRequestLine must be a non-negative integer"),
    ("LimitInternalRecursion", Takes::Number(1), "The recursion limit must be greater than zero."),
    ("ListenBacklog", Takes::Number(1), "ListenBacklog must be > 0"),
    ("SendBufferSize", Takes::Buffer, "SendBufferSize must be >= 512 bytes, or 0 for system default."),
    ("ReceiveBufferSize", Takes::Buffer, "ReceiveBufferSize must be >= 512 bytes, or 0 for system default."),
    ("ProxyIOBufferSize", Takes::Buffer, "ProxyIOBufferSize must be >= 512 bytes, or 0 for system default."),
    ("ProxyReceiveBufferSize", Takes::Buffer, "ProxyReceiveBufferSize must be >= 512 bytes, or 0 for system default."),
    (
        "MaxRanges",
        Takes::PositiveOr(&["none", "default", "unlimited"]),
        "MaxRanges requires 'none', 'default', 'unlimited' or a positive integer",
    ),
    (
        "MaxRangeOverlaps",
        Takes::PositiveOr(&["none", "default", "unlimited"]),
        "MaxRangeOverlaps requires 'none', 'default', 'unlimited' or a positive integer",
    ),
    (
        "MaxRangeReversals",
        Takes::PositiveOr(&["none", "default", "unlimited"]),
        "MaxRangeReversals requires 'none', 'default', 'unlimited' or a positive integer",
    ),
    (
        "IndexOrderDefault",
        Takes::One(&["ascending", "descending", "name", "date", "size", "description"]),
        "First keyword must be 'Ascending' or 'Descending'",
    ),
    (
        "DeflateCompressionLevel",
        Takes::One(&["1", "2", "3", "4", "5", "6", "7", "8", "9"]),
        "Compression Level must be between 1 and 9",
    ),
    ("SSLHonorCipherOrder", Takes::One(&["on", "off"]), "SSLHonorCipherOrder must be On or Off"),
    ("RegisterHttpMethod", Takes::Whole(i64::MIN), ""),
];

/// The statuses that httpd knows (`status_lines`, `http_protocol.c`).
const STATUSES: [u16; 61] = [
    100, 101, 102, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403,
    404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 500,
    501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 103,
];

/// Whether httpd knows a status; 500 stands for those that it does not.
pub(super) fn is_status(text: &[u8]) -> bool {
    let number = atoi(text);
    number != 103 && u16::try_from(number).is_ok_and(|number| STATUSES.contains(&number))
}

const OPTIONS: [&str; 9] = [
    "indexes",
    "includes",
    "includesnoexec",
    "followsymlinks",
    "symlinksifownermatch",
    "execcgi",
    "multiviews",
    "runscripts",
    "none",
];

const LEVELS: [&str; 16] = [
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "trace1", "trace2", "trace3", "trace4", "trace5",
    "trace6", "trace7", "trace8",
];

pub(super) fn fault<T>(message: impl Into<String>) -> Result<T, Refused> {
    Err((Fault::Value, message.into()))
}

pub(super) fn arguments<T>(message: impl Into<String>) -> Result<T, Refused> {
    Err((Fault::Arguments, message.into()))
}

/// Whether the values of a directive are ones that it takes; `raw` is the line behind its name.
pub(in crate::apache) fn check(name: &str, words: &[Word<'_>], raw: &[u8], place: Place<'_>) -> Result<(), Refused> {
    if let Some((_, takes, message)) = WORDS.iter().find(|(known, ..)| *known == name) {
        return match words.iter().find(|word| !takes.takes(&word.value)) {
            // `MaxRedirects=10` was an option once.
            Some(word) if name == "RewriteOptions" && starts(&word.value, "maxredirects=") => Ok(()),
            Some(word) if message.ends_with("option") => fault(format!("{message} '{}'", escaped(&word.value))),
            Some(_) if !message.is_empty() => fault(*message),
            _ => exclusive(name, words),
        };
    }
    let is = |index: usize, text: &str| words.get(index).is_some_and(|word| word.value.eq_ignore_ascii_case(text.as_bytes()));
    match name {
        "Options" => options(words),
        "AllowOverride" => overrides(words),
        "LogLevel" => log_level(words, place.modules),
        "KeepAliveTimeout" => match words.first() {
            Some(word) if suffixed(&word.value) => Ok(()),
            _ => fault("KeepAliveTimeout has wrong format"),
        },
        "ErrorDocument" => match words.first() {
            Some(word) if !is_status(&word.value) => fault(format!("Unsupported HTTP response code {}", escaped(&word.value))),
            _ => Ok(()),
        },
        "ServerAlias" if !place.in_host => fault("ServerAlias only used in <VirtualHost>"),
        "SetEnvIf" | "SetEnvIfNoCase" | "BrowserMatch" | "BrowserMatchNoCase" => set_variable(name, words),
        "SetEnvIfExpr" => match words {
            [] => arguments("Missing expression for SetEnvIfExpr"),
            [expression, rest @ ..] => match expression::condition(&expression.value, tls(place)) {
                Err(why) => fault(format!("Could not parse expression \"{}\": {why}", escaped(&expression.value))),
                Ok(_) if rest.is_empty() => arguments("Missing envariable expression for SetEnvIfExpr"),
                Ok(_) => Ok(()),
            },
        },
        "Substitute" if words.first().is_some_and(|word| !starts(&word.value, "s")) => {
            fault("Bad Substitute format, must be an s/// pattern")
        }
        "allow" | "deny" if !is(0, "from") => fault("allow and deny must be followed by 'from'"),
        "Header" | "RequestHeader" => super::header::check(name, words, place),
        "If" | "ElseIf" => super::server::condition(words, raw, place),
        "ProxyErrorOverride" => error_override(words),
        "SSLProtocol" | "SSLProxyProtocol" => {
            let known = ["sslv2", "sslv3", "tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3", "all"];
            signed(words, &known, |word| format!("{name}: Illegal protocol '{word}'"))
        }
        "FileETag" => {
            let known = ["none", "all", "inode", "mtime", "size", "digest"];
            signed(words, &known, |word| format!("Unknown keyword '{word}' for FileETag directive"))
        }
        "AddOutputFilterByType" => super::filter::by_type(words, place),
        "AuthBasicProvider" => provider(words, place),
        "AllowMethods" | "Limit" | "LimitExcept" => methods(name, words),
        "RequestReadTimeout" => match words.iter().find(|word| !word.value.contains(&b'=')) {
            Some(_) => fault("Invalid RequestReadTimeout parameter. Parameter must be in the form 'key=value'"),
            None => match words.iter().find(|word| !is_read_timeout(&word.value)) {
                Some(word) => fault(format!("RequestReadTimeout: {}: not numerical", escaped(&word.value))),
                None => Ok(()),
            },
        },
        _ => super::path::check(name, words, place),
    }
}

/// `set_proxy_error_override`.
fn error_override(words: &[Word<'_>]) -> Result<(), Refused> {
    let is = |text: &str| words.first().is_some_and(|word| word.value.eq_ignore_ascii_case(text.as_bytes()));
    if !is("on") && !is("off") {
        return fault("ProxyErrorOverride first parameter must be one of: off | on");
    }
    let digits = |word: &Word<'_>| word.value.iter().all(u8::is_ascii_digit);
    match words[1..].iter().find(|word| !digits(word) || !(400..600).contains(&atoi(&word.value))) {
        Some(word) if !digits(word) => fault("ProxyErrorOverride: status codes to intercept must be numeric"),
        Some(_) => fault("ProxyErrorOverride: status codes to intercept must be valid HTTP Status Codes >=400 && <600"),
        None => Ok(()),
    }
}

/// `add_authn_provider`.
fn provider(words: &[Word<'_>], place: Place<'_>) -> Result<(), Refused> {
    let known: [(&str, &str); 7] = [
        ("file", "authn_file"),
        ("anon", "authn_anon"),
        ("dbm", "authn_dbm"),
        ("dbd", "authn_dbd"),
        ("socache", "authn_socache"),
        ("ldap", "authnz_ldap"),
        ("fcgi", "authnz_fcgi"),
    ];
    let is_missing = |word: &Word<'_>| {
        let found = known.iter().find(|(name, _)| word.value == name.as_bytes());
        place.modules.complete
            && match found {
                Some((_, module)) => place.modules.has(module) == Some(false),
                None => true,
            }
    };
    match words.iter().find(|word| is_missing(word)) {
        Some(word) => fault(format!("Unknown Authn provider: {}", escaped(&word.value))),
        None => Ok(()),
    }
}

/// Words of a list, each with a sign or without.
fn signed(words: &[Word<'_>], known: &[&str], message: impl Fn(String) -> String) -> Result<(), Refused> {
    let is_known = |word: &Word<'_>| {
        let text = word.value.to_ascii_lowercase();
        let text = text.strip_prefix(b"+").or(text.strip_prefix(b"-")).unwrap_or(&text);
        known.iter().any(|known| known.as_bytes() == text)
    };
    words.iter().find(|word| !is_known(word)).map_or(Ok(()), |word| fault(message(escaped(&word.value))))
}

/// Methods of the protocol (`am_allow_methods`, `ap_limit_section`).
fn methods(name: &str, words: &[Word<'_>]) -> Result<(), Refused> {
    if name == "AllowMethods" {
        if words.is_empty() {
            return arguments("AllowMethods: No method or 'reset' keyword given");
        }
        let wrong = words.iter().find(|word| !is_method(&word.value) && !word.value.eq_ignore_ascii_case(b"reset"));
        return wrong.map_or(Ok(()), |word| fault(format!("AllowMethods: Invalid Method '{}'", escaped(&word.value))));
    }
    if words.iter().any(|word| word.value.eq_ignore_ascii_case(b"TRACE")) {
        return fault("TRACE cannot be controlled by <Limit>, see TraceEnable");
    }
    match words.iter().find(|word| word.value.contains(&b' ') || word.value.is_empty()) {
        Some(_) => fault(format!("<{name}> has a method that is none")),
        None => Ok(()),
    }
}

impl Takes {
    fn takes(&self, text: &[u8]) -> bool {
        let is_one = |words: &[&str]| words.iter().any(|known| text.eq_ignore_ascii_case(known.as_bytes()));
        let whole = || str::from_utf8(text).ok().and_then(|text| text.trim_start().parse::<i64>().ok());
        match self {
            Self::One(words) => is_one(words),
            Self::Whole(i64::MIN) => true,
            Self::Whole(least) => whole().is_some_and(|number| number >= *least),
            Self::Number(least) => atoi(text) >= *least,
            Self::Buffer => !(1..512).contains(&atoi(text)) && atoi(text) >= 0,
            Self::PositiveOr(words) => is_one(words) || whole().is_some_and(|number| number > 0),
        }
    }
}

/// Words that exclude each other.
pub(super) fn exclusive(name: &str, words: &[Word<'_>]) -> Result<(), Refused> {
    if name != "HttpProtocolOptions" {
        return Ok(());
    }
    let has = |text: &str| words.iter().any(|word| word.value.eq_ignore_ascii_case(text.as_bytes()));
    for (one, other) in [("Strict", "Unsafe"), ("RegisteredMethods", "LenientMethods"), ("Allow0.9", "Require1.0")] {
        if has(one) && has(other) {
            return fault(format!("HttpProtocolOptions '{one}' and '{other}' are mutually exclusive"));
        }
    }
    Ok(())
}

/// `set_options` (`server/core.c`).
fn options(words: &[Word<'_>]) -> Result<(), Refused> {
    const MIXED: &str = "Either all Options must start with + or -, or no Option may.";
    let (mut signed, mut alone) = (false, false);
    for (index, word) in words.iter().enumerate() {
        let first = index == 0;
        let text = match word.value.split_first() {
            Some((b'+' | b'-', text)) => {
                if !signed && !first && !alone {
                    return fault(MIXED);
                }
                signed = true;
                text
            }
            _ if first => &word.value,
            _ if signed => return fault(MIXED),
            _ => &word.value,
        };
        let lower = String::from_utf8_lossy(text).to_ascii_lowercase();
        if lower == "none" || lower == "all" {
            let shown = if lower == "none" { "None" } else { "All" };
            if !first {
                return fault(format!("'Options {shown}' must be the first Option given."));
            }
            if signed {
                return fault(format!("You may not use 'Options +{shown}' or 'Options -{shown}'."));
            }
            alone = true;
        } else if !OPTIONS.contains(&lower.as_str()) {
            return fault(format!("Illegal option {}", escaped(text)));
        }
    }
    Ok(())
}

/// `set_override`.
fn overrides(words: &[Word<'_>]) -> Result<(), Refused> {
    for word in words {
        let text = String::from_utf8_lossy(&word.value).to_ascii_lowercase();
        let (key, value) = text.split_once('=').map_or((text.as_str(), None), |(key, value)| (key, Some(value)));
        match (key, value) {
            ("options", None) | ("nonfatal", Some(_)) | ("limit" | "fileinfo" | "authconfig" | "indexes" | "none" | "all", _) => {
            }
            ("nonfatal", None) => return fault("=Override, =Unknown or =All expected after Nonfatal"),
            ("options", Some(list)) => {
                for option in list.split(',') {
                    if !OPTIONS.contains(&option) && option != "all" {
                        return fault(format!("Illegal option {option}"));
                    }
                }
            }
            _ => return fault(format!("Illegal override option {}", escaped(&word.value))),
        }
    }
    Ok(())
}

/// `set_loglevel`.
fn log_level(words: &[Word<'_>], modules: &Modules) -> Result<(), Refused> {
    const KEYWORD: &str = "Log level keyword must be one of emerg/alert/crit/error/warn/notice/info/debug/trace1/.../trace8";
    if words.is_empty() {
        return arguments("LogLevel requires at least one argument");
    }
    for word in words {
        let text = String::from_utf8_lossy(&word.value).into_owned();
        let is_level = |level: &str| LEVELS.iter().any(|known| level.eq_ignore_ascii_case(known));
        let Some((module, level)) = text.rsplit_once(':') else {
            if is_level(&text) {
                continue;
            }
            return fault(KEYWORD);
        };
        if !is_level(level) {
            return fault(format!("{module}:{level}: {KEYWORD}"));
        }
        let name = module.strip_suffix("_module").or(crate::apache::condition::module_name(module)).unwrap_or(module);
        if modules.complete && modules.has(name) == Some(false) {
            return fault(format!("Cannot find module {module}"));
        }
    }
    Ok(())
}

/// `add_setenvif_core`.
fn set_variable(name: &str, words: &[Word<'_>]) -> Result<(), Refused> {
    let (header, words) =
        if name.starts_with("Browser") { (true, words) } else { (!words.is_empty(), words.get(1..).unwrap_or_default()) };
    if !header {
        return arguments(format!("Missing header-field name for {name}"));
    }
    match words {
        [] => arguments(format!("Missing regular expression for {name}")),
        [pattern, ..] if crate::pcre::fault(&pattern.value).is_some() => fault(format!("{name} regex could not be compiled.")),
        [_] => arguments(format!("Missing envariable expression for {name}")),
        _ => Ok(()),
    }
}

/// Whether a method is one that httpd knows.
pub(super) fn is_method(text: &[u8]) -> bool {
    const METHODS: [&str; 27] = [
        "GET",
        "HEAD",
        "PUT",
        "POST",
        "DELETE",
        "CONNECT",
        "OPTIONS",
        "TRACE",
        "PATCH",
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
        "VERSION-CONTROL",
        "CHECKOUT",
        "UNCHECKOUT",
        "CHECKIN",
        "UPDATE",
        "LABEL",
        "REPORT",
        "MKWORKSPACE",
        "MKACTIVITY",
        "BASELINE-CONTROL",
        "MERGE",
    ];
    METHODS.iter().any(|known| known.as_bytes() == text)
}

fn is_read_timeout(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    let Some((key, value)) = text.split_once('=') else { return false };
    let (value, rate) = value.split_once(',').map_or((value, None), |(value, rate)| (value, Some(rate)));
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let range = value.split_once('-').map_or_else(|| number(value), |(from, to)| number(from) && number(to));
    let rate = rate.is_none_or(|rate| rate.strip_prefix("minrate=").is_some_and(number));
    matches!(key, "header" | "body" | "handshake") && range && rate
}

/// Whether a module that knows TLS may be there.
pub(super) fn tls(place: Place<'_>) -> bool {
    place.modules.has("ssl") != Some(false)
}

/// A duration with a unit behind it (`ap_timeout_parameter_parse`): not negative.
fn suffixed(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && matches!(text[digits..].to_ascii_lowercase().as_slice(), b"" | b"h" | b"min" | b"mi" | b"ms" | b"s" | b"m")
}

fn starts(text: &[u8], start: &str) -> bool {
    text.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start.as_bytes()))
}

/// A number as `atoi` reads it.
pub(super) fn atoi(text: &[u8]) -> i64 {
    super::proxy::integer(text)
}
