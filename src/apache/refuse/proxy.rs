//! `ProxyPass`, `BalancerMember`, `ProxySet` and their parameters (`mod_proxy.c`, `proxy_util.c`).

use super::context::Around;
use super::{Checker, Line, Refused, escaped};
use crate::apache::expand::has_reference;
use crate::apache::statement::Word;
use crate::apache::values::{Parameter, parameter, proxy_url, seconds, suffixed_duration, switch};
use crate::gateway::{Fault, Millis, Version};
use crate::source::Span;

fn value_fault(message: String) -> Result<(), Refused> {
    Err((Fault::Value, message))
}

fn address_fault(message: String) -> Result<(), Refused> {
    Err((Fault::Address, message))
}

/// Whether a URL leads to a balancer.
pub(super) fn is_balancer(url: &[u8]) -> bool {
    url.get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"balancer:"))
}

/// Whether a text may name a balancer: a scheme, and something behind it (`ap_proxy_define_balancer`).
fn names_any(name: &[u8]) -> bool {
    let colon = memchr::memchr(b':', name).unwrap_or(name.len());
    name[colon..].strip_prefix(b"://").is_some_and(|behind| !behind.is_empty())
}

/// Of several parameters of one name the last, which is all that `add_pass` and `add_member` look at (`apr_table_setn`).
fn last_of_each<'w, 'a>(parameters: &[&'w Word<'a>]) -> Vec<&'w Word<'a>> {
    let name = |word: &Word<'_>| parameter(&word.value).name.to_ascii_lowercase();
    let names: Vec<_> = parameters.iter().map(|word| name(word)).collect();
    let is_last = |at: usize| !names[at + 1..].contains(&names[at]);
    parameters.iter().enumerate().filter(|(at, _)| is_last(*at)).map(|(_, word)| *word).collect()
}

const FORM: &str = "Invalid ProxyPass|ProxyPassMatch parameter. Parameter must be in the form 'key=value'.";

impl<'a> Checker<'a> {
    /// `add_pass`.
    pub(super) fn proxy_pass(&mut self, line: &Line<'a>) -> Result<(), Refused> {
        let is_match = line.row.name == "ProxyPassMatch";
        // A section gives the path; a fragment may be meant for one.
        let has_path = self.has_path();
        if !has_path && !self.is_main && self.around.is_empty() && line.words.len() == 1 {
            return Ok(());
        }
        let mut words = line.words.as_slice();
        if !has_path {
            if words.first().is_some_and(|word| word.value.as_ref() == b"~") {
                if is_match {
                    return value_fault("ProxyPassMatch invalid syntax ('~' usage).".to_owned());
                }
                words = &words[1..];
            }
            words = words.get(1..).unwrap_or_default();
        }
        let Some((url, parameters)) = words.split_first() else {
            return Err((Fault::Arguments, "ProxyPass|ProxyPassMatch needs a path when not defined in a location".to_owned()));
        };
        let mut settings = Vec::new();
        for word in parameters {
            if ["nocanon", "interpolate", "noquery"].iter().any(|bare| word.value.eq_ignore_ascii_case(bare.as_bytes())) {
                continue;
            }
            if !word.value.contains(&b'=') {
                let own_path = has_path && url.value.starts_with(b"/");
                let message =
                    if own_path { "ProxyPass|ProxyPassMatch can not have a path when defined in a location." } else { FORM };
                return value_fault(message.to_owned());
            }
            let setting = parameter(&word.value);
            if !setting.name.eq_ignore_ascii_case(b"mapping") {
                settings.push(word);
            } else if !setting
                .value
                .is_some_and(|value| [&b"encoded"[..], b"servlet"].iter().any(|known| value.eq_ignore_ascii_case(known)))
            {
                return value_fault("unknown mapping".to_owned());
            }
        }
        if url.value.as_ref() == b"!" {
            return Ok(());
        }
        if is_balancer(&url.value) {
            self.names_balancer(&url.value, parameters, line.span);
            if proxy_url(&url.value).is_none_or(|url| url.authority.is_empty()) {
                return address_fault(format!("ProxyPass Bad syntax for a balancer name ({})", escaped(&url.value)));
            }
            return last_of_each(&settings).into_iter().try_for_each(|word| {
                self.balancer_parameter(word).map_err(|(fault, message)| (fault, format!("ProxyPass {message}")))
            });
        }
        // Since 2.4.47 the backend of a pattern's back references is looked at when a request comes.
        let with_captures = url.value.contains(&b'$') && self.version.is_none_or(|version| version >= Version::new(2, 4, 47));
        if !with_captures {
            worker_url(&url.value).map_err(|(fault, message)| (fault, format!("ProxyPass {message}")))?;
        }
        if self.shared.contains(&line.span) {
            return Ok(());
        }
        last_of_each(&settings)
            .into_iter()
            .try_for_each(|word| self.worker_parameter(word).map_err(|(fault, message)| (fault, format!("ProxyPass {message}"))))
    }

    /// `add_member`.
    pub(super) fn balancer_member(&mut self, line: &Line<'a>) -> Result<(), Refused> {
        let mut words = line.words.as_slice();
        if !self.has_path() {
            words = words.get(1..).unwrap_or_default();
        } else if !self.around.iter().any(|around| matches!(around, Around::Proxy(_))) {
            // The section's path is taken for the balancer.
            return value_fault("BalancerMember Bad syntax for a balancer name".to_owned());
        }
        let name = if self.has_path() { self.proxy_url() } else { line.words.first().map(|word| word.value.to_vec()) };
        if let Some(name) = name.filter(|name| !names_any(name) && !has_reference(name)) {
            return value_fault(format!("BalancerMember Bad syntax for a balancer name ({})", escaped(&name)));
        }
        let Some((url, parameters)) = words.split_first() else {
            return address_fault("BalancerMember must define remote proxy server".to_owned());
        };
        let named = |(fault, message)| (fault, format!("BalancerMember {message}"));
        worker_url(&url.value).map_err(named)?;
        for word in parameters {
            if !word.value.contains(&b'=') {
                return value_fault("Invalid BalancerMember parameter. Parameter must be in the form 'key=value'".to_owned());
            }
        }
        let parameters: Vec<_> = parameters.iter().collect();
        last_of_each(&parameters).into_iter().try_for_each(|word| self.worker_parameter(word).map_err(named))
    }

    /// `set_proxy_param`.
    pub(super) fn proxy_set(&mut self, line: &Line<'a>) -> Result<(), Refused> {
        if matches!(self.around.last(), Some(Around::Proxy(_))) {
            let Some(url) = self.proxy_url() else { return Ok(()) };
            let with_captures = url.contains(&b'$');
            if !is_balancer(&url) && !with_captures {
                worker_url(&url).map_err(|(fault, message)| (fault, format!("ProxySet {message}")))?;
            }
            return self.set(&url, &line.words, line.span, "ProxySet:");
        }
        let Some((name, parameters)) = line.words.split_first() else {
            return value_fault("ProxySet can not find '' Worker.".to_owned());
        };
        let is_url = name.value.windows(3).any(|part| part == b"://");
        if !is_url || self.is_main && self.unknown_workers.contains(&line.span) {
            let kind = if is_balancer(&name.value) { "Balancer" } else { "Worker" };
            return value_fault(format!("ProxySet can not find '{}' {kind}.", escaped(&name.value)));
        }
        self.set(&name.value, parameters, line.span, "ProxySet:")
    }

    /// `<Proxy url parameters…>` (`proxysection`).
    pub(super) fn proxy_section(&mut self, line: &Line<'a>) -> Result<(), Refused> {
        let Some((url, parameters)) = line.words.split_first() else { return Ok(()) };
        if !parameters.is_empty() {
            if line.row.name == "ProxyMatch" {
                return value_fault("Multiple <ProxyMatch> arguments not (yet) supported.".to_owned());
            }
            if url.value.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
                return value_fault("<Proxy> arguments are not supported for wildchar url.".to_owned());
            }
            if !url.value.contains(&b':') {
                return value_fault("<Proxy> arguments are not supported for non url.".to_owned());
            }
        }
        self.set(&url.value, parameters, line.span, "<Proxy")
    }

    /// Sets parameters of the backend or balancer that a URL names.
    fn set(&mut self, url: &[u8], parameters: &[Word<'a>], span: Span, directive: &str) -> Result<(), Refused> {
        let balances = is_balancer(url);
        if balances {
            self.names_balancer(url, parameters, span);
        }
        for word in parameters {
            if !word.value.contains(&b'=') {
                let name = directive.trim_start_matches('<').trim_end_matches(':');
                return value_fault(format!("Invalid {name} parameter. Parameter must be in the form 'key=value'"));
            }
            let set = if balances { self.balancer_parameter(word) } else { self.worker_parameter(word) };
            set.map_err(|(fault, message)| (fault, format!("{directive} {message} {}; {}", escaped(&word.value), escaped(url))))?;
        }
        Ok(())
    }

    /// The URL of the innermost `<Proxy>`.
    fn proxy_url(&self) -> Option<Vec<u8>> {
        self.proxies.last().cloned()
    }

    /// `set_worker_param`.
    fn worker_parameter(&self, word: &Word<'_>) -> Result<(), Refused> {
        let setting = parameter(&word.value);
        let name = String::from_utf8_lossy(setting.name).to_ascii_lowercase();
        let value = setting.value.unwrap_or_default();
        let wrong = |message: &str| value_fault(message.to_owned());
        let number = integer(value);
        match name.as_str() {
            "loadfactor" => {
                // `atof`: what is no number is 0.
                let text = String::from_utf8_lossy(value);
                let end = text.find(|byte: char| !byte.is_ascii_digit() && byte != '.' && byte != '-').unwrap_or(text.len());
                let factor = text[..end].parse::<f64>().unwrap_or(0.0);
                if (1.0..=100.0).contains(&factor) { Ok(()) } else { wrong("LoadFactor must be a number between 1..100") }
            }
            "retry" if number < 0 => wrong("Retry must be a positive value"),
            "ttl" if number < 1 => wrong("TTL must be at least one second"),
            "min" if number < 0 => wrong("Min must be a positive number"),
            "max" if number < 0 => wrong("Max must be a positive number"),
            "smax" if number < 0 => wrong("Smax must be a positive number"),
            "timeout" if number < 1 => Err((Fault::Duration, "Timeout must be at least one second".to_owned())),
            "acquire" if suffixed_duration(value) == Some(Millis(0)) => {
                Err((Fault::Duration, "Acquire must be at least one millisecond".to_owned()))
            }
            "acquire" if suffixed_duration(value).is_none() => {
                Err((Fault::Duration, "Acquire timeout has wrong format".to_owned()))
            }
            "ping" if suffixed_duration(value) == Some(Millis(0)) => {
                Err((Fault::Duration, "Ping/Pong timeout must be at least one millisecond".to_owned()))
            }
            "ping" if suffixed_duration(value).is_none() => {
                Err((Fault::Duration, "Ping/Pong timeout has wrong format".to_owned()))
            }
            "connectiontimeout" if suffixed_duration(value) == Some(Millis(0)) => {
                Err((Fault::Duration, "Connectiontimeout must be at least one millisecond.".to_owned()))
            }
            "connectiontimeout" if suffixed_duration(value).is_none() => {
                Err((Fault::Duration, "Connectiontimeout has wrong format".to_owned()))
            }
            "iobuffersize" if number != 0 && number < 512 => wrong("IOBufferSize must be >= 512 bytes, or 0 for system default."),
            "receivebuffersize" if number != 0 && number < 512 => {
                wrong("ReceiveBufferSize must be >= 512 bytes, or 0 for system default.")
            }
            "keepalive" if switch(value).is_none() => wrong("KeepAlive must be On|Off"),
            "disablereuse" if switch(value).is_none() => wrong("DisableReuse must be On|Off"),
            "enablereuse" if switch(value).is_none() => wrong("EnableReuse must be On|Off"),
            "flushpackets" if switch(value).is_none() && !value.eq_ignore_ascii_case(b"auto") => {
                wrong("flushpackets must be on|off|auto")
            }
            "lbset" if !(0..=99).contains(&number) => wrong("lbset must be between 0 and 99"),
            "flushwait" if !(0..=1000).contains(&number) => {
                wrong("flushwait must be <= 1000, or 0 for system default of 10 millseconds.")
            }
            "addressttl" if value != b"-1" && suffixed_duration(value).is_none() => {
                wrong("AddressTTL must be -1 or a number of seconds not exceeding (2147483647)")
            }
            "route" if value.len() >= 64 => wrong("Route length must be < 64 characters"),
            "redirect" if value.len() >= 64 => wrong("Redirect length must be < 64 characters"),
            "secret" if value.len() >= 64 => wrong("Secret length must be < 64 characters"),
            "flusher" if value.len() >= 16 => wrong("flusher name length must be < 16 characters"),
            "responsefieldsize" if number < 0 => {
                wrong("ResponseFieldSize must be greater than 0 bytes, or 0 for system default.")
            }
            "status" if !value.iter().all(|byte| b"+-IDSHRUEFNCidshruefnc0123456789".contains(byte)) => {
                wrong("Unknown status parameter option")
            }
            "upgrade" if value.len() >= 16 => wrong("upgrade protocol length must be < 16 characters"),
            "retry" | "ttl" | "min" | "max" | "smax" | "timeout" | "acquire" | "ping" | "connectiontimeout" | "iobuffersize"
            | "receivebuffersize" | "keepalive" | "disablereuse" | "enablereuse" | "flushpackets" | "lbset" | "upgrade"
            | "route" | "redirect" | "status" | "flushwait" | "flusher" | "responsefieldsize" | "secret" | "addressttl" => Ok(()),
            // Those of mod_proxy_hcheck.
            "hcmethod" | "hcpasses" | "hcfails" | "hcinterval" | "hcuri" | "hcexpr" | "hctemplate"
                if self.modules.has("proxy_hcheck") != Some(false) =>
            {
                Ok(())
            }
            _ => wrong("unknown Worker parameter"),
        }
    }

    /// `set_balancer_param`.
    fn balancer_parameter(&self, word: &Word<'_>) -> Result<(), Refused> {
        const KNOWN: [&str; 12] = [
            "stickysession",
            "stickysessionsep",
            "nofailover",
            "timeout",
            "maxattempts",
            "lbmethod",
            "scolonpathdelim",
            "failonstatus",
            "failontimeout",
            "nonce",
            "growth",
            "forcerecovery",
        ];
        let parameter @ Parameter { name, .. } = parameter(&word.value);
        let value = parameter.value.unwrap_or_default();
        if name.eq_ignore_ascii_case(b"lbmethod") {
            // Each method is a module; one that is not httpd's own may bring another.
            let module = format!("lbmethod_{}", String::from_utf8_lossy(value));
            let is_known = self.foreign || self.modules.has(&module) != Some(false);
            return if is_known { Ok(()) } else { value_fault("unknown lbmethod".to_owned()) };
        }
        let named = String::from_utf8_lossy(name).to_ascii_lowercase();
        let number = integer(value);
        match named.as_str() {
            "stickysessionsep" if value.len() != 1 && !value.eq_ignore_ascii_case(b"off") => {
                return value_fault("stickysessionsep must be a single character or Off".to_owned());
            }
            "nofailover" if switch(value).is_none() => return value_fault("failover must be On|Off".to_owned()),
            "scolonpathdelim" | "failontimeout" | "forcerecovery" if switch(value).is_none() => {
                return value_fault(format!("{named} must be On|Off"));
            }
            "timeout" if number < 1 => return Err((Fault::Duration, "timeout must be at least one second".to_owned())),
            "maxattempts" if number < 0 => {
                return value_fault("maximum number of attempts must be a positive number".to_owned());
            }
            "growth" if !(1..=100).contains(&number) => return value_fault("growth must be between 1 and 100".to_owned()),
            "failonstatus" if value.split(|&byte| byte == b',').any(|status| !(100..600).contains(&integer(status))) => {
                return value_fault("failonstatus must be one or more HTTP response codes".to_owned());
            }
            _ => {}
        }
        if KNOWN.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
            return Ok(());
        }
        let fault = if name.eq_ignore_ascii_case(b"upgrade") { Fault::UpgradeMisplaced } else { Fault::Value };
        Err((fault, "unknown Balancer parameter".to_owned()))
    }
}

/// The URL of a backend (`ap_proxy_define_worker`, `apr_uri_parse`).
fn worker_url(url: &[u8]) -> Result<(), Refused> {
    let written = escaped(url);
    let socket = url.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"unix:"));
    let url = if socket {
        match memchr::memchr(b'|', url) {
            Some(bar) => {
                let rest = &url[bar + 1..];
                // `unix:/path|http:` is allowed.
                if rest.ends_with(b":") && !rest.contains(&b'/') {
                    return Ok(());
                }
                rest
            }
            None => return address_fault(format!("URL must be absolute!: {written}")),
        }
    } else {
        url
    };
    let end = url.iter().position(|byte| matches!(byte, b':' | b'/' | b'?' | b'#')).unwrap_or(url.len());
    let Some(authority) = url[end..].strip_prefix(b"://") else {
        return address_fault(format!("URL must be absolute!: {written}"));
    };
    let scheme = &url[..end];
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let end = authority.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(authority.len());
    let host = &authority[..end];
    let host = host.iter().rposition(|&byte| byte == b'@').map_or(host, |at| &host[at + 1..]);
    if host.is_empty() {
        return address_fault(format!("URL must be absolute!: {written}"));
    }
    if host.starts_with(b"[") && !host.contains(&b']') {
        return address_fault(format!("Unable to parse URL: {written}"));
    }
    let port = match host.iter().rposition(|&byte| byte == b':') {
        Some(colon) if !host[colon..].contains(&b']') => &host[colon + 1..],
        _ => &[],
    };
    if !is_scheme || !port.iter().all(u8::is_ascii_digit) {
        return address_fault(format!("Unable to parse URL: {written}"));
    }
    Ok(())
}

/// `ProxyTimeout` (`set_proxy_timeout`).
pub(super) fn timeout(line: &Line<'_>) -> Result<(), Refused> {
    match line.words.first() {
        Some(word) if matches!(seconds(&word.value).read, Millis(0 | u64::MAX)) => {
            Err((Fault::Duration, "Proxy Timeout must be at least 1 second.".to_owned()))
        }
        _ => Ok(()),
    }
}

/// A number as `atoi` reads it.
pub(in crate::apache) fn integer(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if negative { -number } else { number }
}
