//! What passes requests on (`ngx_http_proxy_pass` and its like), and what is done with what comes back.

use super::bounds::fault;
use super::show;
use super::upstream::{address_of, invalid_parameter};
use super::value::Refused;
use super::{Checker, Context};
use crate::gateway::Fault;
use crate::nginx::line::{Line, Word};

impl<'a> Checker<'a> {
    /// The directives of this file; `None` for others.
    pub(super) fn passing(&mut self, line: Line<'a>, context: Context) -> Option<Result<(), Refused>> {
        Some(match (line.name(), context) {
            (b"proxy_pass", Context::StreamServer) => {
                let value = line.word(0)?.value();
                if value.contains(&b'$') { Ok(()) } else { address_of(&value, false) }
            }
            (b"proxy_pass", _) => self.proxy_pass(line),
            (b"fastcgi_pass" | b"uwsgi_pass" | b"scgi_pass" | b"grpc_pass" | b"memcached_pass", _) => self.other_pass(line),
            (b"proxy_redirect", _) => self.proxy_redirect(line),
            (b"proxy_cookie_domain" | b"proxy_cookie_path" | b"proxy_cookie_flags", _) => match (line.word(0), line.word(1)) {
                (Some(word), None) if word.value().as_ref() != b"off" => invalid_parameter(word),
                _ => self.off_stands_alone(line),
            },
            (b"proxy_ssl_verify" | b"proxy_ssl_trusted_certificate", _) if context.is_http() => {
                self.not_a_snippet();
                if let Some(level) = self.levels.last_mut() {
                    level.trust.set(line);
                }
                Ok(())
            }
            _ => return None,
        })
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
        address_of(address, true)?;
        self.http.shared.passes(line, address);
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

    /// `ngx_http_fastcgi_pass` and its like.
    fn other_pass(&mut self, line: Line<'a>) -> Result<(), Refused> {
        const SCHEMES: [&[u8]; 5] = [b"uwsgi://", b"suwsgi://", b"scgi://", b"grpc://", b"grpcs://"];
        let Some(word) = line.word(0) else { return Ok(()) };
        let value = word.value();
        if value.contains(&b'$') {
            return Ok(());
        }
        let own = |scheme: &&&[u8]| match line.name() {
            b"uwsgi_pass" => scheme.ends_with(b"uwsgi://"),
            b"grpc_pass" => scheme.starts_with(b"grpc"),
            _ => false,
        };
        let address = SCHEMES.iter().filter(own).find_map(|scheme| value.strip_prefix(*scheme)).unwrap_or(&value);
        address_of(address, false)?;
        self.http.shared.passes(line, address);
        Ok(())
    }

    /// `ngx_http_proxy_redirect`.
    fn proxy_redirect(&mut self, line: Line<'a>) -> Result<(), Refused> {
        self.off_stands_alone(line)?;
        let words: Vec<_> = line.words().map(Word::value).collect();
        let [word] = words.as_slice() else { return Ok(()) };
        match (word.as_ref(), self.levels.last().and_then(|level| level.passes)) {
            (b"off", _) | (b"default", Some(false)) => Ok(()),
            (b"default", Some(true)) => {
                fault("\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive with variables".to_owned())
            }
            (b"default", None) if self.levels.last().is_some_and(|level| level.open) => Ok(()),
            (b"default", None) => {
                fault("\"proxy_redirect default\" should be placed after the \"proxy_pass\" directive".to_owned())
            }
            _ => fault(format!("invalid parameter \"{}\"", show(word))),
        }
    }
}
