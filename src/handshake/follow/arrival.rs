//! What nginx's socket makes of a client, before any location is looked for.

use super::following::{Following, Next};
use super::host::validated;
use super::uri;
use crate::gateway::{Known, Listen, Property, Speaks, Version};
use crate::handshake::Chosen;
use crate::handshake::pattern::Patterns;
use crate::handshake::site::{default_site, is_alone};
use crate::pcre;
use crate::source::Span;

/// How long a line of a request's head may be unless set otherwise (`ngx_http_core_merge_srv_conf`).
const LONGEST_LINE: u64 = 8192;

/// How long a head may be unless set otherwise that is read without large buffers (`ngx_http_core_merge_srv_conf`).
const HEAD_BUFFER: u64 = 1024;

/// Since this version a socket for HTTP/2 without TLS recognises HTTP/1.1.
const RECOGNISES_HTTP_1: Version = Version::new(1, 25, 1);

impl Following<'_> {
    /// What the socket makes of the client, before any site's own rules (`ngx_http_wait_request_handler`, `ngx_http_process_request`).
    pub(super) fn listener(&mut self, chosen: Chosen) -> Known<Next> {
        let gateway = self.gateway;
        let own = gateway.site(self.site).listens.iter().find(|listen| Some(listen.span) == chosen.listen);
        // The options of a socket count for all sites on it, whichever writes them.
        let socket = gateway.sites.iter().flat_map(|site| &site.listens);
        let is_same = |listen: &Listen| own.is_some_and(|own| listen.is_same_socket(own, &gateway.texts));
        let socket: Vec<_> = socket.filter(|listen| is_same(listen)).collect();
        let tls = socket.iter().find(|listen| listen.tls);
        if let Some(listen) = socket.iter().find(|listen| listen.speaks == Speaks::ProxyProtocol) {
            self.note(Some(listen.span), "expects the PROXY protocol, which the client does not speak: closes");
            return Ok(Next::Answer(444));
        }
        match (tls, self.request.tls) {
            (None, true) => {
                self.note(chosen.listen, "expects no TLS here, and the client speaks it");
                return Ok(Next::Answer(400));
            }
            (Some(listen), false) => {
                self.note(Some(listen.span), "expects TLS here, and the client does not speak it");
                return Ok(Next::Status(497));
            }
            (None, false) if gateway.version.is_some_and(|version| version < RECOGNISES_HTTP_1) => {
                if let Some(listen) = socket.iter().find(|listen| listen.speaks == Speaks::Http2) {
                    self.note(Some(listen.span), "speaks nothing but HTTP/2 here before 1.25.1: closes");
                    return Ok(Next::Answer(444));
                }
            }
            _ => {}
        }
        // The request line and the head are read with the settings of the socket's default site.
        let own_scope = self.followed.scope;
        if let Some(default) = default_site(gateway, self.followed.socket)? {
            self.followed.scope = gateway.site(default).scope;
        }
        let merge = self.is_on(Property::MergeSlashes, true)?;
        let (longest, longest_span) = self.number(Property::LongestLine)?.unwrap_or((LONGEST_LINE, None));
        let buffer = self.number(Property::HeadBuffer)?.map_or(HEAD_BUFFER, |(size, _)| size);
        self.followed.scope = own_scope;
        let line = format!("{} {} HTTP/1.1\r\n", self.request.method, self.request.sent_target()).len() as u64;
        if line > longest.max(buffer) {
            self.note(longest_span, format!("the request line is longer than the {longest} bytes that a line may have"));
            self.read_nothing();
            self.without_host()?;
            return Ok(Next::Status(414));
        }
        let next = self.arrive(chosen, merge)?;
        if matches!(next, Next::Status(_)) {
            self.without_host()?;
            return Ok(next);
        }
        if let Some((most, span)) = self.number(Property::MaxHeaders)?
            && self.request.headers.len() as u64 > most
        {
            self.note(span, format!("takes {most} headers, and the handshake has {}", self.request.headers.len()));
            return Ok(Next::Status(400));
        }
        if let Some(next) = self.head(longest, longest_span)? {
            return Ok(next);
        }
        if self.request.tls
            && let Some((true, span)) = self.flag(Property::VerifyClient)?
        {
            self.note(span, "a client's certificate is asked for");
            return Ok(Next::Status(496));
        }
        Ok(next)
    }

    /// The headers, line by line (`ngx_http_process_request_headers`, `ngx_http_process_request_header`): what is behind one that is
    /// turned down is not read.
    fn head(&mut self, longest: u64, span: Option<Span>) -> Known<Option<Next>> {
        let mut host = None;
        for at in 0..self.request.headers.len() {
            let (name, value) = self.request.headers[at].clone();
            // A line, its `: ` and its end must fit (`ngx_http_alloc_large_header_buffer`).
            if (name.len() + value.len()) as u64 + 4 > longest {
                self.note(span, format!("the client's {name} is longer than the {longest} bytes that a line may have"));
                self.request.headers.truncate(at);
                if host.is_none() {
                    self.without_host()?;
                }
                return Ok(Some(Next::Status(494)));
            }
            if name.eq_ignore_ascii_case("host") {
                host = validated(&value);
                if host.is_none() {
                    self.note(None, format!("`{value}` is no host"));
                    self.request.headers.truncate(at + 1);
                    self.without_host()?;
                    return Ok(Some(Next::Status(400)));
                }
            }
        }
        if host.is_some() {
            return Ok(None);
        }
        self.note(None, "no host is asked for");
        self.without_host()?;
        Ok(Some(Next::Status(400)))
    }

    /// Neither the target nor any header was read.
    fn read_nothing(&mut self) {
        self.request.path.clear();
        self.request.query = None;
        self.request.first_target = Some(String::new());
        self.request.headers.clear();
        self.request.host.clear();
    }

    /// Which host is asked for is not known: the socket's default site answers, unless TLS has named another.
    fn without_host(&mut self) -> Known<()> {
        self.request.host.clear();
        if !self.request.tls
            && let Some(default) = default_site(self.gateway, self.followed.socket)?
        {
            let site = self.gateway.site(default);
            if self.site != default {
                self.note(Some(site.span), "answers, as it is not known which host is asked for");
            }
            self.site = default;
            self.followed.scope = site.scope;
        }
        Ok(())
    }

    /// Headers whose names are not valid are dropped, unless they are wanted (`ngx_http_parse_header_line`).
    fn drop_invalid(&mut self) -> Known<()> {
        let is_valid = |name: &str, underscores: bool| {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' && underscores)
        };
        if !self.request.headers.iter().all(|(name, _)| is_valid(name, false)) && self.is_on(Property::DropInvalid, true)? {
            let underscores = self.is_on(Property::Underscores, false)?;
            self.request.headers.retain(|(name, _)| is_valid(name, underscores));
        }
        Ok(())
    }

    /// The request line is read; `merge`: several slashes are one.
    ///
    /// # Errors
    /// Where it is not known which headers are dropped.
    pub(super) fn arrive(&mut self, chosen: Chosen, merge: bool) -> Known<Next> {
        let sent = self.request.sent_target();
        let Some(target) = uri::parse(&sent, merge) else {
            self.note(chosen.listen, "the target is not valid");
            self.request.target = Some(sent);
            self.read_nothing();
            return Ok(Next::Status(400));
        };
        self.drop_invalid()?;
        // The target as sent stands beside what it is read as.
        self.request.target = Some(sent);
        self.request.path = target.path;
        self.request.query = target.query;
        self.escaped = target.escaped;
        self.site_captures(chosen)?;
        Ok(Next::Site)
    }

    /// What the pattern of the site's name has captured.
    fn site_captures(&mut self, chosen: Chosen) -> Known<()> {
        let names = &self.gateway.site(self.site).names;
        let Some(name) = names.iter().find(|name| Some(name.span) == chosen.name) else { return Ok(()) };
        // The names of a lone site are looked at only where its last pattern captures something (`cscf->captures`).
        let last = names.iter().rev().find_map(|name| self.gateway.texts.get(name.text).strip_prefix(b"~"));
        if last.and_then(pcre::groups) == Some(0) && is_alone(self.gateway, self.followed.socket)? {
            return Ok(());
        }
        let text = self.gateway.texts.show(name.text);
        if let Some(pattern) = text.strip_prefix('~')
            && let Some((captures, named)) = Patterns::name_captures(pattern, &self.request.host)
        {
            self.followed.keep(captures, Vec::new());
            for (name, value) in named {
                if let Some(name) = self.gateway.texts.find(name.to_ascii_lowercase().as_bytes()) {
                    self.followed.assign(name, value);
                }
            }
        }
        Ok(())
    }
}
