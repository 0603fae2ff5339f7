//! What a `location` takes and where it leads.

use memchr::{memchr, memmem};

use super::Lowerer;
use super::line::{Line, Word};
use super::site::returned_status;
use crate::gateway::{Matcher, Protocol, Proxy, RouteId, Spelling, Target, Unknown};

/// How a directive that makes a target stands beside the others of its location: the greater one decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Static files, when nothing else is said.
    Files,
    /// A content handler.
    Content,
    /// `return`, which runs before any content handler.
    Answer,
}

impl Lowerer<'_> {
    /// The matcher of a `location` (`ngx_http_core_location`): the modifier may be glued to the text.
    pub(super) fn matcher(&mut self, line: Line<'_>) -> Matcher {
        if let Some(hole) = line.words().find(|word| word.is_holed()) {
            return Matcher::Unknown(Unknown::TemplateHole(hole.span));
        }
        let (Some(first), second) = (line.word(0), line.word(1)) else {
            return Matcher::Unknown(Unknown::Environment);
        };
        let first = first.value();
        let second = second.map(Word::value);
        let (modifier, text): (&[u8], &[u8]) = match &second {
            Some(text) => (&first, text),
            None => match first.as_ref() {
                [b'~', b'*', text @ ..] => (b"~*", text),
                [b'^', b'~', text @ ..] => (b"^~", text),
                [b'~', text @ ..] => (b"~", text),
                [b'=', text @ ..] => (b"=", text),
                text => (b"", text),
            },
        };
        let text_id = self.gateway.texts.intern(text);
        match modifier {
            b"=" => Matcher::Exact(text_id),
            b"^~" => Matcher::Prefix { text: text_id, before_patterns: true },
            b"~" => Matcher::Pattern { pattern: text_id, ignore_case: false },
            b"~*" => Matcher::Pattern { pattern: text_id, ignore_case: true },
            b"" if text.starts_with(b"@") => Matcher::Named(text_id),
            b"" => Matcher::Prefix { text: text_id, before_patterns: false },
            // `invalid location modifier`: nginx does not start.
            _ => Matcher::Unknown(Unknown::Environment),
        }
    }

    /// Takes note of a directive that says what happens to the requests of `route`. Returns whether it does.
    pub(super) fn target(&mut self, route: RouteId, line: Line<'_>) -> bool {
        let span = line.span();
        let (weight, target) = match line.name() {
            // Where something before it may lead elsewhere, what is said beside it counts too; its step is noted all the same.
            b"return" if !self.is_reached() => return false,
            b"return" => {
                self.step(line);
                let target = match returned_status(line) {
                    Some(status) => Target::Answer { status, span },
                    None => Target::Unknown(Unknown::TemplateHole(span)),
                };
                (Weight::Answer, target)
            }
            b"proxy_pass" | b"grpc_pass" | b"fastcgi_pass" | b"uwsgi_pass" | b"scgi_pass" => {
                let Some(word) = line.word(0) else { return false };
                (Weight::Content, Target::Proxy(self.proxy(line, word)))
            }
            b"memcached_pass" | b"tunnel_pass" => (Weight::Content, Target::Unknown(Unknown::ForeignDirective(span))),
            b"content_by_lua" | b"content_by_lua_file" | b"content_by_lua_block" | b"js_content" | b"perl" => {
                (Weight::Content, Target::Unknown(Unknown::Code(span)))
            }
            b"stub_status" | b"empty_gif" => (Weight::Content, Target::Answer { status: 200, span }),
            // `echo`, `drizzle_pass`, `passenger_enabled` …: a module's own content handler.
            name if name.starts_with(b"echo") || name.ends_with(b"_pass") || name == b"passenger_enabled" => {
                (Weight::Content, Target::Unknown(Unknown::ForeignDirective(span)))
            }
            _ => return false,
        };
        let returns = |span| {
            let program = self.gateway.programs.get(self.gateway.route(route).scope);
            program.is_some_and(|program| program.steps.iter().any(|step| step.span == span))
        };
        let present = match self.gateway.route(route).target {
            Target::Files => Weight::Files,
            Target::Answer { span, .. } if returns(span) => Weight::Answer,
            _ => Weight::Content,
        };
        // Of several content handlers the last one counts.
        let counts = weight > present || weight == Weight::Content && present == Weight::Content;
        let place = &mut self.gateway.routes[route.0 as usize];
        let scope = place.scope;
        let other = if counts { std::mem::replace(&mut place.target, target) } else { target };
        // What is answered before it leaves a `…_pass` its other meanings.
        if let (Target::Proxy(proxy), Weight::Answer) = (other, weight.max(present)) {
            self.program(scope).beside = Some(Box::new(proxy));
        }
        true
    }

    /// The URL of a `…_pass` (`ngx_http_proxy_pass`).
    fn proxy(&mut self, line: Line<'_>, word: Word<'_>) -> Proxy {
        let value = word.value();
        let url = self.symbolic(word);
        let unknown = Proxy {
            span: line.span(),
            protocol: Protocol::Other,
            url,
            authority: None,
            path: None,
            upstream: None,
            worker: None,
            spelling: Spelling::Read,
            shares: None,
        };
        let gateway_protocol = match line.name() {
            b"fastcgi_pass" => Some(Protocol::FastCgi),
            b"uwsgi_pass" => Some(Protocol::Uwsgi),
            b"scgi_pass" => Some(Protocol::Scgi),
            b"grpc_pass" => Some(Protocol::Grpc),
            _ => None,
        };
        let (scheme, rest) = match memmem::find(&value, b"://") {
            Some(at) => (Some(&value[..at]), &value[at + 3..]),
            None => (None, value.as_ref()),
        };
        let protocol = gateway_protocol.unwrap_or_else(|| match scheme.map(<[u8]>::to_ascii_lowercase).as_deref() {
            Some(b"http") => Protocol::Http,
            Some(b"https") => Protocol::Https,
            // Refused (`invalid URL prefix`), and worth knowing for what was meant.
            Some(b"ws") => Protocol::Ws,
            Some(b"wss") => Protocol::Wss,
            // What it becomes when a request comes is `http://` or `https://`, or the answer is 500 (`ngx_http_proxy_eval`).
            Some(scheme) if memchr(b'$', scheme).is_some() && !word.is_holed() => Protocol::HttpOrHttps,
            None if value.starts_with(b"$") && !word.is_holed() => Protocol::HttpOrHttps,
            _ => Protocol::Other,
        });
        if scheme.is_none() && gateway_protocol.is_none() {
            return Proxy { protocol, ..unknown };
        }
        let (authority, path) = split_authority(rest);
        if word.is_holed() {
            let Some(at) = hole_free(authority) else { return Proxy { protocol, ..unknown } };
            return Proxy { protocol, authority: Some(self.gateway.texts.intern(at)), ..unknown };
        }
        let has_variables = memchr(b'$', &value).is_some();
        let path = path.filter(|_| !has_variables).map(|path| self.gateway.texts.intern(path));
        let authority = memchr(b'$', authority).is_none().then(|| self.gateway.texts.intern(authority));
        Proxy { protocol, authority, path, ..unknown }
    }
}

/// The authority, where no hole can begin in it.
fn hole_free(authority: &[u8]) -> Option<&[u8]> {
    let holed = authority.iter().any(|byte| matches!(byte, b'{' | b'<' | b'@' | b'$'));
    (!holed && !authority.is_empty()).then_some(authority)
}

/// Host and port, and the path behind them where there is one. The address of a UNIX socket ends at the `:` behind it.
fn split_authority(rest: &[u8]) -> (&[u8], Option<&[u8]>) {
    if let Some(path) = rest.strip_prefix(b"unix:") {
        return match memchr(b':', path) {
            Some(colon) => (&rest[..colon + 5], Some(&path[colon + 1..])),
            None => (rest, None),
        };
    }
    match rest.iter().position(|&byte| matches!(byte, b'/' | b'?' | b'#')) {
        Some(at) => (&rest[..at], Some(&rest[at..])),
        None => (rest, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authority_and_path() {
        let split = |text: &'static str| {
            let (authority, path) = split_authority(text.as_bytes());
            (std::str::from_utf8(authority).unwrap(), path.map(|path| std::str::from_utf8(path).unwrap()))
        };
        assert_eq!(split("app:80/x"), ("app:80", Some("/x")));
        assert_eq!(split("app"), ("app", None));
        assert_eq!(split("unix:/run/a.sock:/x"), ("unix:/run/a.sock", Some("/x")));
        assert_eq!(split("unix:/run/a.sock"), ("unix:/run/a.sock", None));
        assert_eq!(split("[::1]:80/"), ("[::1]:80", Some("/")));
    }
}
