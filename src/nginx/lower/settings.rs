//! The directives that set a property of the gateway's levels.

use super::Lowerer;
use super::line::Line;
use crate::gateway::{Assigned, Entry, Instead, Part, Property, Protocol, Unknown, Version};
use crate::nginx::values::{self, Resolution};

/// The server does not start with such a value, so nothing that depends on it is known.
const REFUSED: Assigned = Assigned::Unknown(Unknown::Environment);

/// How the words of a directive are read.
type Read<'a> = fn(&mut Lowerer<'a>, Line<'a>) -> Option<Assigned>;

impl<'a> Lowerer<'a> {
    /// Adds the settings that a directive makes, where it makes some that are modelled. Returns whether it is such a directive.
    pub(super) fn settings(&mut self, line: Line<'a>, entries: &mut Vec<Entry>) -> bool {
        if let Some((property, read)) = Self::property(line.name()) {
            entries.extend(self.setting(line, property, read));
            return true;
        }
        match line.name() {
            b"error_page" => self.error_page(line, entries),
            b"index" => self.texts(line, Property::Index, entries),
            b"valid_referers" => self.texts(line, Property::CameFrom, entries),
            b"mirror" => self.texts(line, Property::Mirror, entries),
            b"gzip_types" => self.texts(line, Property::CompressedTypes, entries),
            b"ssi_types" => self.texts(line, Property::CommandTypes, entries),
            name if decides_access(name) => {
                let assigned = Assigned::Unknown(Unknown::Code(line.span()));
                entries.push(Entry { property: Property::AccessCode, assigned, span: line.span() });
            }
            _ => return false,
        }
        true
    }

    /// The property that a directive with one value sets, and how the value is read.
    fn property(name: &[u8]) -> Option<(Property, Read<'a>)> {
        let found: (Property, Read<'a>) = match name {
            b"proxy_set_header" => (Property::RequestHeader, Self::header),
            b"proxy_hide_header" => (Property::HiddenResponseHeader, Self::header_name_only),
            b"proxy_http_version" => (Property::HttpVersion, |_, line| Self::version(line)),
            b"proxy_read_timeout" => (Property::ReadTimeout, |_, line| Self::timeout(line)),
            b"proxy_send_timeout" => (Property::SendTimeout, |_, line| Self::timeout(line)),
            b"proxy_connect_timeout" => (Property::ConnectTimeout, |_, line| Self::timeout(line)),
            b"proxy_pass_request_headers" => (Property::PassRequestHeaders, |_, line| Self::flag(line)),
            b"proxy_method" => (Property::Method, Self::text),
            b"proxy_set_body" => (Property::Body, Self::text),
            b"proxy_buffer_size" => (Property::BufferSize, Self::size),
            b"proxy_ssl_verify" => (Property::VerifyUpstream, |_, line| Self::flag(line)),
            b"proxy_intercept_errors" => (Property::InterceptErrors, |_, line| Self::flag(line)),
            b"resolver" => (Property::Resolver, |_, _| Some(Assigned::Flag(true))),
            b"proxy_bind" => (Property::SourceAddress, Self::text),
            b"root" => (Property::DocumentRoot, Self::text),
            b"alias" => {
                (Property::DocumentRoot, |lowerer, line| line.word(0).map(|word| Assigned::Alias(lowerer.symbolic(word))))
            }
            b"set_real_ip_from" => (Property::TrustedProxies, |lowerer, line| lowerer.clients(line, true)),
            b"real_ip_header" => (Property::ClientHeader, Self::text),
            b"real_ip_recursive" => (Property::ClientRecursive, |_, line| Self::flag(line)),
            b"random_index" => (Property::RandomIndex, |_, line| Self::flag(line)),
            b"autoindex" => (Property::Autoindex, |_, line| Self::flag(line)),
            b"recursive_error_pages" => (Property::RecursiveErrorPages, |_, line| Self::flag(line)),
            b"allow" => (Property::Access, |lowerer, line| lowerer.clients(line, true)),
            b"deny" => (Property::Access, |lowerer, line| lowerer.clients(line, false)),
            b"auth_basic" => (Property::Password, Self::text),
            b"auth_basic_user_file" => (Property::PasswordFile, Self::text),
            b"auth_request" => (Property::AskedForAccess, Self::text),
            b"satisfy" => {
                (Property::AnyAccess, |_, line| line.word(0).map(|word| Assigned::Flag(word.value().as_ref() == b"any")))
            }
            b"internal" => (Property::Internal, |_, _| Some(Assigned::Flag(true))),
            b"absolute_redirect" => (Property::AbsoluteRedirect, |_, line| Self::flag(line)),
            b"server_name_in_redirect" => (Property::SiteNameInRedirect, |_, line| Self::flag(line)),
            b"port_in_redirect" => (Property::PortInRedirect, |_, line| Self::flag(line)),
            b"merge_slashes" => (Property::MergeSlashes, |_, line| Self::flag(line)),
            b"client_header_buffer_size" => (Property::HeadBuffer, Self::size),
            b"underscores_in_headers" => (Property::Underscores, |_, line| Self::flag(line)),
            b"ignore_invalid_headers" => (Property::DropInvalid, |_, line| Self::flag(line)),
            b"max_ranges" => (Property::MaxRanges, Self::size),
            b"stub_status" => (Property::State, |_, _| Some(Assigned::Flag(true))),
            b"max_headers" => (Property::MaxHeaders, Self::size),
            b"large_client_header_buffers" => {
                (Property::LongestLine, |_, line| line.word(1).and_then(|word| values::size(&word.value())).map(Assigned::Number))
            }
            b"limit_rate" => (Property::Rate, Self::size),
            b"ssi" => (Property::Commands, |_, line| Self::flag(line)),
            b"add_header" => (Property::ResponseHeader, Self::header),
            b"proxy_ssl_server_name" => (Property::SendServerName, |_, line| Self::flag(line)),
            b"limit_conn" => (Property::ConnectionLimit, |_, line| {
                line.word(1).and_then(|word| values::size(&word.value())).map(Assigned::Number)
            }),
            b"keepalive_timeout" => (Property::KeepaliveTimeout, |_, line| Self::timeout(line)),
            b"send_timeout" => (Property::ClientSendTimeout, |_, line| Self::timeout(line)),
            b"client_body_timeout" => (Property::ClientBodyTimeout, |_, line| Self::timeout(line)),
            b"client_header_timeout" => (Property::ClientHeadTimeout, |_, line| Self::timeout(line)),
            b"proxy_buffering" => (Property::Buffering, |_, line| Self::flag(line)),
            b"proxy_cache" => (Property::Cache, Self::text),
            b"gzip" => (Property::Compress, |_, line| Self::flag(line)),
            b"ssl" => (Property::EndsTls, |_, line| Self::flag(line)),
            b"ssl_certificate" => (Property::Certificate, Self::text),
            b"ssl_certificate_key" => (Property::CertificateKey, Self::text),
            b"ssl_reject_handshake" => (Property::RejectTls, |_, line| Self::flag(line)),
            b"ssl_protocols" => (Property::TlsProtocols, |lowerer, line| Some(lowerer.words_as_one(line))),
            b"ssl_verify_client" => {
                (Property::VerifyClient, |_, line| line.word(0).map(|word| Assigned::Flag(word.value().as_ref() == b"on")))
            }
            _ => {
                let underscore = memchr::memchr(b'_', name)?;
                let protocol = match &name[..underscore] {
                    b"fastcgi" => Protocol::FastCgi,
                    b"uwsgi" => Protocol::Uwsgi,
                    b"scgi" => Protocol::Scgi,
                    b"grpc" => Protocol::Grpc,
                    _ => return None,
                };
                match &name[underscore + 1..] {
                    b"read_timeout" => (Property::ReadTimeoutOf(protocol), |_, line| Self::timeout(line)),
                    b"send_timeout" => (Property::SendTimeoutOf(protocol), |_, line| Self::timeout(line)),
                    b"connect_timeout" => (Property::ConnectTimeoutOf(protocol), |_, line| Self::timeout(line)),
                    b"buffering" => (Property::BufferingOf(protocol), |_, line| Self::flag(line)),
                    b"cache" => (Property::CacheOf(protocol), Self::text),
                    b"pass_request_headers" => (Property::PassRequestHeadersOf(protocol), |_, line| Self::flag(line)),
                    _ => return None,
                }
            }
        };
        Some(found)
    }

    fn setting(&mut self, line: Line<'a>, property: Property, read: Read<'a>) -> Option<Entry> {
        let hole = line.words().find(|word| word.is_holed());
        let assigned = match hole {
            // A header whose value is a hole is still that header.
            Some(word) if property != Property::RequestHeader || line.word(0).is_some_and(super::line::Word::is_holed) => {
                Assigned::Unknown(Unknown::TemplateHole(word.span))
            }
            _ => read(self, line)?,
        };
        Some(Entry { property, assigned, span: line.span() })
    }

    /// A list of texts, of which each is an entry.
    fn texts(&mut self, line: Line<'_>, property: Property, entries: &mut Vec<Entry>) {
        for word in line.words() {
            let assigned = Assigned::Text(self.symbolic(word));
            entries.push(Entry { property, assigned, span: line.span() });
        }
    }

    /// `error_page code … [=[response]] uri` (`ngx_http_core_error_page`), an entry for each code.
    fn error_page(&mut self, line: Line<'_>, entries: &mut Vec<Entry>) {
        let words: Vec<_> = line.words().collect();
        let [statuses @ .., target] = words.as_slice() else { return };
        let target = self.symbolic(*target);
        let (statuses, answer) = match statuses.split_last() {
            Some((last, before)) if last.text.starts_with(b"=") => (before, Some(&last.text[1..])),
            _ => (statuses, None),
        };
        for status in statuses {
            let Some(status) = values::port(&status.value()) else { continue };
            let answer = match answer {
                None if matches!(status, 494..=497) => Instead::Set(400),
                None => Instead::Kept,
                Some(written) => values::port(written).filter(|&status| status > 0).map_or(Instead::Answered, Instead::Set),
            };
            let assigned = Assigned::ErrorPage { status, answer, target };
            entries.push(Entry { property: Property::ErrorPage, assigned, span: line.span() });
        }
    }

    fn clients(&mut self, line: Line<'_>, allowed: bool) -> Option<Assigned> {
        let from = self.gateway.texts.intern(&line.word(0)?.value());
        Some(Assigned::Clients { allowed, from })
    }

    /// A number of bytes. One that the server refuses is told elsewhere; variables decide at run time.
    #[expect(clippy::unused_self, reason = "called as the others are")]
    fn size(&mut self, line: Line<'_>) -> Option<Assigned> {
        let value = line.word(0)?.value();
        Some(values::size(&value).map_or(Assigned::Unknown(Unknown::Runtime), Assigned::Number))
    }

    fn header(&mut self, line: Line<'a>) -> Option<Assigned> {
        let (name, word) = (line.word(0)?, line.word(1)?);
        let written = (name.text, word.text);
        if let Some(&known) = self.headers.get(&written) {
            return Some(known);
        }
        let name = name.value();
        let (lower, name) = (self.gateway.texts.intern_lower(&name), self.gateway.texts.intern(&name));
        let value = self.symbolic(word);
        let assigned = Assigned::Header { name, lower, value };
        // What cannot be known says where it stands.
        if !self.gateway.symbolics.get(value).iter().any(|part| matches!(part, Part::Unknown(_))) {
            self.headers.insert(written, assigned);
        }
        Some(assigned)
    }

    fn header_name_only(&mut self, line: Line<'_>) -> Option<Assigned> {
        let name = line.word(0)?.value();
        let (lower, name) = (self.gateway.texts.intern_lower(&name), self.gateway.texts.intern(&name));
        Some(Assigned::Header { name, lower, value: self.literal(b"") })
    }

    fn version(line: Line<'_>) -> Option<Assigned> {
        match line.word(0)?.value().as_ref() {
            b"1.0" => Some(Assigned::Version(Version::new(1, 0, 0))),
            b"1.1" => Some(Assigned::Version(Version::new(1, 1, 0))),
            b"2" => Some(Assigned::Version(Version::new(2, 0, 0))),
            _ => Some(REFUSED),
        }
    }

    fn timeout(line: Line<'_>) -> Option<Assigned> {
        let duration = values::duration(&line.word(0)?.value(), Resolution::Milliseconds);
        Some(duration.map_or(REFUSED, Assigned::Duration))
    }

    fn flag(line: Line<'_>) -> Option<Assigned> {
        let value = line.word(0)?.value();
        Some(values::flag(&value).map_or(REFUSED, Assigned::Flag))
    }

    /// All words as one text, with commas between them.
    fn words_as_one(&mut self, line: Line<'_>) -> Assigned {
        let words: Vec<_> = line.words().map(|word| word.value().into_owned()).collect();
        Assigned::Text(self.literal(&words.join(&b","[..])))
    }

    fn text(&mut self, line: Line<'_>) -> Option<Assigned> {
        line.word(0).map(|word| Assigned::Text(self.symbolic(word)))
    }
}

/// Whether a directive lets code or a module that is not nginx's own decide who is let in.
fn decides_access(name: &[u8]) -> bool {
    const DIRECTIVES: [&[u8]; 16] = [
        b"access_by_lua",
        b"access_by_lua_block",
        b"access_by_lua_file",
        b"rewrite_by_lua",
        b"rewrite_by_lua_block",
        b"rewrite_by_lua_file",
        b"server_rewrite_by_lua_block",
        b"server_rewrite_by_lua_file",
        b"js_access",
        b"auth_jwt",
        b"auth_oidc",
        b"auth_ldap",
        b"auth_pam",
        b"auth_require",
        b"modsecurity_rules_file",
        b"modsecurity",
    ];
    DIRECTIVES.contains(&name)
}
