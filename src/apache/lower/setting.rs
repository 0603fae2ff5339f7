//! Scalars and headers that are set on a server or in a `<Location>`, names and sockets.

use super::Lowerer;
use super::symbols::{header_value, literal, unknown};
use super::worker::read_seconds;
use crate::apache::statement::{Statement, Word};
use crate::apache::values::{address, named_status, switch};
use crate::gateway::{
    Assigned, EditWhen, Entry, HeaderChange, HeaderEdit, HeaderEditId, Identity, Listen, Matcher, Millis, Name, Property, Speaks,
    Target,
};
use crate::source::Span;

use super::mapping::Mapping;

impl Lowerer<'_> {
    /// A directive that sets something on the level where it stands.
    pub(super) fn setting(&mut self, name: &[u8], statement: &Statement) {
        let entry = match name {
            // A host that says 0 has that of the main server (`ap_fixup_virtual_hosts`).
            b"timeout" => self
                .duration(statement, Property::ClientTimeout, "Timeout")
                .filter(|entry| self.server.0 == 0 || !matches!(entry.assigned, Assigned::Duration(Millis(0)))),
            b"proxytimeout" => self.duration(statement, Property::ReadTimeout, "ProxyTimeout"),
            b"proxypreservehost" => self.flag(statement, Property::PreserveHost),
            b"rewriteengine" => {
                self.rewriting_here();
                self.flag(statement, Property::RewriteEngine)
            }
            b"requestheader" => self.request_header(statement),
            b"sslcertificatefile" => self.text(statement, Property::Certificate),
            b"sslcertificatekeyfile" => self.text(statement, Property::CertificateKey),
            b"header" => self.response_header(statement),
            b"sslprotocol" => Some(self.tls_protocols(statement)),
            // `mod_md` gets the certificates of the sites that it is told of.
            _ if name.starts_with(b"mdomain") => {
                self.managed_certificates = true;
                None
            }
            _ => return self.area_setting(name, statement),
        };
        let Some(entry) = entry else { return };
        match self.area_mut() {
            Some(area) => area.settings.push(entry),
            None => self.servers[self.server.0].settings.push(entry),
        }
    }

    fn duration(&mut self, statement: &Statement, property: Property, name: &str) -> Option<Entry> {
        let span = statement.span(self.store);
        let words = self.resolved.words(self.store, statement);
        let word = words.first()?;
        let assigned = match word.unknown {
            Some(why) => Assigned::Unknown(why),
            None => Assigned::Duration(read_seconds(&mut self.gateway, name, &word.value, word.span).read),
        };
        Some(Entry { property, assigned, span })
    }

    fn flag(&mut self, statement: &Statement, property: Property) -> Option<Entry> {
        let span = statement.span(self.store);
        let words = self.resolved.words(self.store, statement);
        let word = words.first()?;
        let assigned = match word.unknown {
            Some(why) => Assigned::Unknown(why),
            None => Assigned::Flag(switch(&word.value)?),
        };
        Some(Entry { property, assigned, span })
    }

    fn text(&mut self, statement: &Statement, property: Property) -> Option<Entry> {
        let span = statement.span(self.store);
        let words = self.resolved.words(self.store, statement);
        let word = words.first()?;
        let assigned = match word.unknown {
            Some(why) => Assigned::Unknown(why),
            None => Assigned::Text(literal(&mut self.gateway, &word.value)),
        };
        Some(Entry { property, assigned, span })
    }

    /// `RequestHeader action name [value] [condition]` (`header_cmd`, `mod_headers.c`).
    fn request_header(&mut self, statement: &Statement) -> Option<Entry> {
        let span = statement.span(self.store);
        let words = self.resolved.words(self.store, statement);
        let [action, name, rest @ ..] = words.as_slice() else { return None };
        let text = name.value.strip_suffix(b":").unwrap_or(&name.value);
        let lower = self.gateway.texts.intern_lower(text);
        let name = self.gateway.texts.intern(text);
        let entry = |assigned| Some(Entry { property: Property::RequestHeader, assigned, span });
        let (change, rest) = match (action.value.to_ascii_lowercase().as_slice(), rest) {
            (b"unset", rest) => (HeaderChange::Unset, rest),
            (b"set", [_, rest @ ..]) => (HeaderChange::Set, rest),
            (b"setifempty", [_, rest @ ..]) => (HeaderChange::SetIfEmpty, rest),
            (b"append", [_, rest @ ..]) => (HeaderChange::Append, rest),
            (b"merge", [_, rest @ ..]) => (HeaderChange::Merge, rest),
            (b"add", [_, rest @ ..]) => (HeaderChange::Add, rest),
            (action @ (b"edit" | b"edit*"), [pattern, _, rest @ ..]) => {
                let pattern = self.gateway.texts.intern(&pattern.value);
                (HeaderChange::Edit { pattern, every: action == b"edit*" }, rest)
            }
            _ => return None,
        };
        let written = words.get(2 + usize::from(matches!(change, HeaderChange::Edit { .. })));
        let written = written.filter(|_| change != HeaderChange::Unset);
        let value = match written {
            Some(word) if let Some(why) = word.unknown => unknown(&mut self.gateway, why),
            Some(word) => match word.value.strip_prefix(b"expr=") {
                Some(text) => super::expression::string(&mut self.gateway, text, span),
                None => header_value(&mut self.gateway, &word.value, matches!(change, HeaderChange::Edit { .. })),
            },
            None => literal(&mut self.gateway, b""),
        };
        let early = rest.first().is_some_and(|word| word.value.eq_ignore_ascii_case(b"early"));
        let when = match rest.first().map(|word| &*word.value) {
            _ if early => EditWhen::Always,
            None => EditWhen::Always,
            Some(condition) => {
                if let Some(variable) = condition.strip_prefix(b"env=") {
                    let (wanted, variable) = variable.strip_prefix(b"!").map_or((true, variable), |variable| (false, variable));
                    EditWhen::Variable(self.gateway.texts.intern(variable), wanted)
                } else {
                    let text = condition.strip_prefix(b"expr=").unwrap_or(condition).to_vec();
                    EditWhen::Condition(super::expression::expression(&mut self.gateway, &text, span))
                }
            }
        };
        if when == EditWhen::Always && !early && matches!(change, HeaderChange::Set | HeaderChange::Unset) {
            return entry(Assigned::Header { name, lower, value });
        }
        let id = HeaderEditId(u32::try_from(self.gateway.header_edits.len()).unwrap_or(u32::MAX));
        self.gateway.header_edits.push(HeaderEdit { name, lower, change, value, when, early });
        entry(Assigned::HeaderEdit(id))
    }

    /// `SSLProtocol [+|-]protocol …`: a name without a sign replaces what stands before it (`ssl_cmd_protocol_parse`).
    fn tls_protocols(&mut self, statement: &Statement) -> Entry {
        const ALL: [&str; 5] = ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
        let span = statement.span(self.store);
        let words = self.resolved.words(self.store, statement);
        if let Some(why) = words.iter().find_map(|word| word.unknown) {
            return Entry { property: Property::TlsProtocols, assigned: Assigned::Unknown(why), span };
        }
        let mut spoken: Vec<&str> = Vec::new();
        for word in words {
            let (sign, name) = match word.value.split_first() {
                Some((&sign @ (b'+' | b'-'), name)) => (Some(sign), name),
                _ => (None, &*word.value),
            };
            let named = |known: &&str| name.eq_ignore_ascii_case(b"all") || name.eq_ignore_ascii_case(known.as_bytes());
            if sign.is_none() {
                spoken.clear();
            }
            spoken.retain(|known| !named(known));
            if sign != Some(b'-') {
                spoken.extend(ALL.iter().filter(|known| named(known)));
            }
        }
        let assigned = Assigned::Text(literal(&mut self.gateway, spoken.join(",").as_bytes()));
        Entry { property: Property::TlsProtocols, assigned, span }
    }

    /// `Header [onsuccess|always] action name value …`: what sets a header of the answer.
    fn response_header(&mut self, statement: &Statement) -> Option<Entry> {
        let span = statement.span(self.store);
        let words = self.resolved.words(self.store, statement);
        let condition = |word: &&Word<'_>| matches!(word.value.to_ascii_lowercase().as_slice(), b"always" | b"onsuccess");
        let skipped = usize::from(words.first().as_ref().is_some_and(condition));
        let [action, name, value, ..] = words.get(skipped..)? else { return None };
        if !matches!(action.value.to_ascii_lowercase().as_slice(), b"set" | b"setifempty" | b"add" | b"append" | b"merge") {
            return None;
        }
        let (lower, name) = (self.gateway.texts.intern_lower(&name.value), self.gateway.texts.intern(&name.value));
        let value = match value.unknown {
            Some(why) => unknown(&mut self.gateway, why),
            None => header_value(&mut self.gateway, &value.value, false),
        };
        Some(Entry { property: Property::ResponseHeader, assigned: Assigned::Header { name, lower, value }, span })
    }

    /// `ServerName [scheme://]name[:port]` (`set_server_name`): each line forgets what the one before said of the port.
    pub(super) fn server_name(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let Some(word) = words.first().filter(|word| word.unknown.is_none()) else { return };
        let scheme = memchr::memmem::find(&word.value, b"://");
        let address = address(scheme.map_or(&*word.value, |at| &word.value[at + 3..]));
        let identity = Identity {
            name: Some(self.gateway.texts.intern(address.host)),
            port: address.port,
            scheme: scheme.map(|at| self.gateway.texts.intern_lower(&word.value[..at])),
        };
        self.servers[self.server.0].identity = identity;
    }

    /// `ServerName` and `ServerAlias`; a scheme and a port are not part of the name.
    pub(super) fn names(&mut self, statement: &Statement) {
        for word in self.resolved.words(self.store, statement) {
            if word.unknown.is_some() {
                continue;
            }
            let host = memchr::memmem::find(&word.value, b"://").map_or(&*word.value, |at| &word.value[at + 3..]);
            let text = self.gateway.texts.intern_lower(address(host).host);
            self.servers[self.server.0].names.push(Name { text, span: word.span });
        }
    }

    /// `Listen [address:]port [protocol]`: the sockets of the main server.
    pub(super) fn listen(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let Some(word) = words.first() else { return };
        let span = statement.span(self.store);
        let listen = self.socket(&word.value, word.unknown.is_some(), span);
        let tls = words.get(1).is_some_and(|protocol| protocol.value.eq_ignore_ascii_case(b"https"));
        self.servers[0].listens.push(Listen { tls, ..listen });
    }

    /// `<VirtualHost address:port>`: without a port, or with `*`, on every port, which is said as 0.
    pub(super) fn socket(&mut self, text: &[u8], unknown: bool, span: Span) -> Listen {
        let every = text.strip_suffix(b":*");
        let address = address(every.unwrap_or(text));
        let host = self.gateway.texts.intern_lower(address.host);
        let has_none = memchr::memchr(b':', text).is_none() || text.ends_with(b"]");
        // Without any it is the one that the main server has by now (`ap_init_virtual_host`).
        let default =
            if every.is_some() || text == b"*" { Some(0) } else { has_none.then(|| self.servers[0].identity.port.unwrap_or(0)) };
        let port = address.port.or(default).filter(|_| !unknown);
        Listen { address: host, port, tls: false, default: false, speaks: Speaks::Http, span }
    }

    /// `SSLEngine`: whether TLS ends at this server.
    pub(super) fn ssl_engine(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let Some(word) = words.first() else { return };
        let on = switch(&word.value).unwrap_or_else(|| word.value.eq_ignore_ascii_case(b"optional"));
        self.servers[self.server.0].listens.iter_mut().for_each(|listen| listen.tls = on);
        self.here().settings.tls = Some(on);
    }

    /// `Redirect [status] path url` and its kin: tried when no mapping takes the request.
    pub(super) fn redirect(&mut self, name: &[u8], statement: &Statement) {
        self.area_setting(name, statement);
        let words = self.resolved.words(self.store, statement);
        let (status, words) = redirect_words(name, &words, false);
        let Some(path) = words.first() else { return };
        let span = statement.span(self.store);
        let text = self.gateway.texts.intern(&path.value);
        let matcher = match path.unknown {
            Some(why) => Matcher::Unknown(why),
            None if name == b"redirectmatch" => Matcher::Pattern { pattern: text, ignore_case: false },
            None => Matcher::Segments(text),
        };
        let at = self.current();
        let scope = self.servers[at.0].scope;
        let target = Target::Answer { status, span };
        self.servers[at.0].behind.push(Mapping::plain(at.site(), matcher, span, target, scope));
    }

    /// What the parser and the configuration phase found.
    pub(super) fn remarks(&mut self) {
        for &source in &self.resolved.sources {
            self.continued_comments(source);
        }
        self.gateway.remarks.extend(self.resolved.remarks.iter().cloned());
    }
}

/// The status of `Redirect` or one of its kin, and the words behind it: path and URL, in a section the URL alone.
pub(super) fn redirect_words<'a, 'w>(name: &[u8], words: &'a [Word<'w>], in_section: bool) -> (u16, &'a [Word<'w>]) {
    let status = if name == b"redirectpermanent" { 301 } else { 302 };
    if let [only] = words
        && in_section
        && name == b"redirect"
        && let Some(named) = redirect_status(&only.value)
    {
        return (named, &[]);
    }
    if let [first, rest @ ..] = words
        && !rest.is_empty()
        && (in_section || !first.value.starts_with(b"/"))
        && let Some(named) = redirect_status(&first.value)
    {
        return (named, rest);
    }
    (status, words)
}

fn redirect_status(word: &[u8]) -> Option<u16> {
    named_status(word).or_else(|| str::from_utf8(word).ok()?.parse().ok())
}
